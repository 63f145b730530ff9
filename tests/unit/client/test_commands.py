"""What a typed line means."""

from __future__ import annotations

import pytest

from securechat.client import intents as want
from securechat.client.asking import Purpose
from securechat.client.commands import holds_secret, read
from securechat.client.meanings import CertificateFile, Help, Meaning, Problem, Secretly
from securechat.client.state import RoomKey

HERE = RoomKey("ops")
KNOWN = ("user1", "user1 pc", "Bob")


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("hello", want.Speak("hello", HERE)),
        ("//etc is a folder", want.Speak("/etc is a folder", HERE)),
        ("exit", want.Finish()),
        (" EXIT ", want.Finish()),
        ("exit now", want.Speak("exit now", HERE)),
        ("/quit", want.Finish()),
        ("/help", Help()),
        ("/who", want.AskWho("ops")),
        ("/who lobby", want.AskWho("lobby")),
        ("/rooms", want.AskRooms()),
        ("/join #Dev", want.Enter("#Dev")),
        ("/leave", want.Depart("ops")),
        ("/history", want.AskHistory(HERE, 20)),
        ("/history 5", want.AskHistory(HERE, 5)),
        ("/nick ann b", want.ChooseName("ann b")),
        ('/msg "user1 pc" hi there', want.Whisper("user1 pc", "hi there")),
        ("/msg user1 pc hi", want.Whisper("user1 pc", "hi")),
        ("/msg user1 hi", want.Whisper("user1", "hi")),
        ("/msg stranger hi", want.Whisper("stranger", "hi")),
        ("/ignore bob", want.Ignore("Bob")),
        ("two\nlines", want.Speak("two\nlines", HERE)),
        ("pasted\n\n \n", want.Speak("pasted", HERE)),
        ("//pasted \n", want.Speak("/pasted", HERE)),
        ("  art", want.Speak("  art", HERE)),
        ("caf\udce9 \ud83d", want.Speak("caf\ufffd \ufffd", HERE)),
        ("/nick caf\udce9", want.ChooseName("caf\ufffd")),
        ("/msg caf\udce9 caf\udce9\n", want.Whisper("caf\ufffd", "caf\ufffd")),
        ("/join caf\udce9", want.Enter("caf\ufffd")),
        ("/register", Secretly(Purpose.REGISTER)),
        ("/password", Secretly(Purpose.CHANGE)),
        ("/sessions", want.AskLogins()),
        ("/sessions end 12", want.EndLogin(12)),
        ("/logout", want.EndLogin()),
        ("/cert", want.AskCertificates()),
        ("/sessions list", want.AskLogins()),
        ("/cert list", want.AskCertificates()),
        ("/cert add", want.AddCertificate()),
        ("/cert add my card.pem", CertificateFile("my card.pem")),
        ("/cert remove 3", want.RemoveCertificate(3)),
    ],
)
def test_meaning(line: str, meaning: Meaning) -> None:
    assert read(line, HERE, KNOWN) == meaning


@pytest.mark.parametrize(
    "line",
    [
        "/join",
        "/nick",
        "/msg",
        "/msg bob",
        "/history x",
        "/ignore",
        "/sessions end",
        "/sessions 3",
        "/cert remove x",
        "/logout now",
    ],
)
def test_a_command_without_what_it_needs_says_how_it_is_used(line: str) -> None:
    meaning = read(line, HERE, KNOWN)
    assert isinstance(meaning, Problem)
    assert line.split(maxsplit=1)[0] in meaning.sentence


def test_an_unknown_command_names_the_nearest() -> None:
    meaning = read("/hsitory", HERE, KNOWN)
    assert isinstance(meaning, Problem)
    assert "/history" in meaning.sentence


@pytest.mark.parametrize("count", ["0", "99999", "10001", "x", "-1", "9" * 30])
def test_history_says_which_numbers_it_takes(count: str) -> None:
    meaning = read(f"/history {count}", HERE, KNOWN)
    assert isinstance(meaning, Problem)
    assert f"{count} is no number from 1 to 10000" in meaning.sentence


def test_an_unknown_command_is_repeated_as_it_was_typed() -> None:
    meaning = read("/QUIT2", HERE, KNOWN)
    assert isinstance(meaning, Problem)
    assert "/QUIT2;" in meaning.sentence
    assert "did you mean /quit?" in meaning.sentence


@pytest.mark.parametrize("line", ["/register correct horse", "/password correct horse", "/Register correct"])
def test_a_password_behind_a_command_is_refused_and_not_repeated(line: str) -> None:
    meaning = read(line, HERE, KNOWN)
    assert isinstance(meaning, Problem)
    assert "correct" not in meaning.sentence
    assert "command alone" in meaning.sentence


@pytest.mark.parametrize(
    "line", ["/register x", "  /register x", "/REGISTER x", "/registre x", "/regster x", "/passwort x", "/password\nx"]
)
def test_a_line_with_a_password_in_it_is_known_by_its_command_also_when_it_is_misspelt(line: str) -> None:
    assert holds_secret(line)


@pytest.mark.parametrize("line", ["/register", "/password", "register x", "/msg bob x", "/rooms x", "hello", "", "/"])
def test_other_lines_hold_no_secret(line: str) -> None:
    assert not holds_secret(line)
