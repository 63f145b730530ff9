"""The full screen against a real server, seen through a terminal emulator: two people, restarts, losses, passwords."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from securechat.client.exit_codes import ClientExit
from securechat.tls.pem_bundle import fingerprint
from tests.support.client import CLIENT, ROOT, at
from tests.support.native import NativeClient
from tests.support.screen import ON, Screen
from tests.support.server import ServerProcess, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
ENTERED = b"\x1b[?1049h"
NO_SCREEN = "There is no full screen"
LEFT = b"\x1b[23;2t"


def opened(screen: Open, name: str, **options: object) -> Screen:
    """A person's screen, connected."""
    env = {**ON, **options.pop("env", {})}  # type: ignore[dict-item]
    one = screen("--name", name, env=env, **options)
    one.wait_for("Write a message")
    one.wait_for("connected")
    return one


def pane(one: Screen) -> str:
    """What stands to the right of the lists."""
    return "\n".join(row.partition("│")[2] for row in one.rows)


def test_two_people_see_each_message_once_and_in_order(screen: Open) -> None:
    ann, bob = opened(screen, "ann"), opened(screen, "bob")
    ann.wait_for("bob joined")
    for number in range(3):
        ann.line(f"from ann {number}")
        bob.wait_for(f"from ann {number}")
        bob.line(f"from bob {number}")
        ann.wait_for(f"from bob {number}")
    wanted = [f"from {name} {number}" for number in range(3) for name in ("ann", "bob")]
    for one in (ann, bob):
        one.wait_until(lambda at=one: re.findall(r"from \w+ \d", pane(at)) == wanted, "each once, in order")
    ann.type("\x04")
    assert ann.wait_for_exit() == 0
    assert ann.output.count(b"\x1b[?1049h") == ann.output.count(b"\x1b[?1049l")
    bob.wait_for("ann left")


def test_hostile_text_leaves_title_clipboard_and_screen_alone(
    screen: Open, server: ServerProcess, connect: Callable[..., NativeClient]
) -> None:
    ann = opened(screen, "ann")
    eve = connect(server, "eve")
    ann.wait_for("eve joined")
    eve.say("a\x1b]0;pwned\x07b\x1b]52;c;eA==\x07\x1b[2J\x9b31m\u202eabc\x1b[?1049l")
    ann.wait_for("<U+009B>")
    for evil in (b"\x1b]0;", b"\x1b]52;", b"\x9b31m", b"\xe2\x80\xae"):
        assert evil not in ann.output
    assert ann.output.count(b"\x1b[?1049l") == 0
    assert ann._emulator.title.startswith("securechat")


def test_a_message_is_read_when_the_terminal_says_that_it_has_read_its_frame(
    screen: Open, server: ServerProcess, connect: Callable[..., NativeClient]
) -> None:
    ann = opened(screen, "ann")
    ann.type("\x1b[I\x1b[0n")  # it has the focus, and answers
    bob = connect(server, "bob")
    ann.wait_for("bob joined")
    ann.type("x")
    ann.wait_for("#lobby > x")
    questions = ann.output.count(b"\x1b[5n")
    bob.say("still in a buffer")
    ann.wait_until(lambda: ann.output.count(b"\x1b[5n") > questions, "a question about the frame")
    ann.type("y")  # a key is no sign that it was shown
    ann.wait_for("#lobby > xy")
    ann.type("\x1b[O")  # looking away tells what is unread
    ann.wait_until(lambda: _lobby(ann) == ["1"], "an unread message")
    ann.type("\x1b[I")
    ann.wait_until(lambda: _lobby(ann) == [], "nothing unread for who reads this")
    ann.type("\x1b[0n" * ann.output.count(b"\x1b[5n") + "\x1b[O")  # it has read all that was written
    bob.say("another")
    ann.wait_until(lambda: _lobby(ann) == ["1"], "one unread message, and not two")


def _lobby(one: Screen) -> list[str]:
    """The counts beside the lobby in the list."""
    return next(row.partition("│")[0].split()[2:] for row in one.rows if row.startswith("> #lobby"))


def test_a_terminal_without_utf_8_is_told_so_and_gets_ascii(screen: Open) -> None:
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    ann = opened(screen, "ann", env=env, columns=120)
    ann.wait_for("not UTF-8")
    assert ann.output.isascii()


def test_a_dialogue_is_opened_from_the_switcher(screen: Open) -> None:
    ann, bob = opened(screen, "ann"), opened(screen, "bob")
    ann.wait_for("bob joined")
    ann.line("/dm bob")
    ann.wait_for("@bob")
    ann.line("only for you")
    bob.wait_until(lambda: any("ann" in row.partition("│")[0] and "1" in row for row in bob.rows), "an unread dialogue")
    assert "only for you" not in pane(bob)
    bob.type("\x07")
    bob.wait_for("Find:")
    bob.line("ann")
    bob.wait_for("only for you")


def register(one: Screen) -> str:
    """Make an account; returns its password."""
    secret = "correct horse battery"
    one.line("/register")
    one.wait_for("New password")
    one.line(secret)
    one.wait_for("Password again")
    one.line(secret)
    one.wait_for("Registered as")
    return secret


def test_what_was_written_and_not_sent_is_there_after_a_kill(screen: Open, tmp_path: Path) -> None:
    env = {"SECURECHAT_STATE": str(tmp_path / "state")}
    ann = opened(screen, "ann", env=env)
    register(ann)
    ann.type("half written")
    ann.wait_for("half written")
    wait_until(lambda: any(map(_holds_text, tmp_path.rglob("unsent-*"))), "the file")
    ann.process.kill()
    ann.process.wait()
    again = screen("--name", "ann", env={**ON, **env})
    again.wait_for("half written")
    (path,) = tmp_path.rglob("unsent-*.json")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, None], ids=["term", "hangup", "window"])
def test_what_was_written_is_there_after_any_end(screen: Open, tmp_path: Path, end: signal.Signals | None) -> None:
    """The file is written at the end at the latest, whatever the end: a closed window is None."""
    env = {"SECURECHAT_STATE": str(tmp_path / "state")}
    ann = opened(screen, "ann", env=env)
    register(ann)
    ann.type("half written")
    ann.wait_for("half written")
    if end is None:
        ann.close_window()
        ann.process.wait(20)
    else:
        ann.process.send_signal(end)
        ann.wait_for_exit()
    assert any(map(_holds_text, tmp_path.rglob("unsent-*")))


def _holds_text(path: Path) -> bool:
    return b"half written" in path.read_bytes()


def test_a_password_is_shown_nowhere(screen: Open) -> None:
    ann = opened(screen, "ann")
    secret = register(ann)
    ann.type("\x19\x10\x1f")
    ann.line("done")
    ann.wait_for("done")
    assert secret.encode() not in ann.output
    assert b"horse" not in ann.output


def test_a_lost_server_is_told_and_what_is_typed_meanwhile_is_sent_once(screen: Open, server: ServerProcess) -> None:
    ann, bob = opened(screen, "ann"), opened(screen, "bob")
    ann.wait_for("bob joined")
    server.signal(signal.SIGKILL)
    server.wait()
    ann.wait_until(lambda: "ann · connected" not in ann.text, "the loss")
    ann.line("typed without a server")
    server.start()
    bob.wait_for("typed without a server")
    ann.wait_until(lambda: "ann · connected" in ann.text, "connected again")
    assert pane(bob).count("typed without a server") == 1


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_link_is_whole_and_clickable_at_every_width(screen: Open, columns: int) -> None:
    ann = opened(screen, "ann", columns=columns)
    link = "https://example.org/a/rather/long/path/that/fills/more/than/a/row?with=query&and=more"
    ann.line(f"see {link} there")
    target = re.compile(rb"\x1b\]8;id=(\w+);" + re.escape(link.encode()) + rb"\x1b")
    ann.wait_until(lambda: target.search(ann.output) and "sending" not in ann.text.casefold(), "the stored message")
    begin = len(ann.output)
    ann.type("\x0c")  # of the whole screen: while it was on its way, the message may have had another one
    ann.wait_until(lambda: target.search(ann.output, begin) and ann.output.count(b"there", begin), "the target")
    assert len(set(target.findall(ann.output, begin))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_and_restores(screen: Open, number: int) -> None:
    ann, bob = opened(screen, "ann"), opened(screen, "bob")
    ann.process.send_signal(number)
    ann.wait_for_exit()
    assert ann.output.rstrip().rfind(LEFT) > ann.output.rfind(b"\x1b[?1049h")
    bob.wait_for("ann left")


def test_a_closed_window_ends_the_session(screen: Open) -> None:
    ann, bob = opened(screen, "ann"), opened(screen, "bob")
    ann.wait_for("bob joined")
    ann.close_window()
    bob.wait_for("ann left")
    ann.process.wait(20)


def test_a_flood_leaves_the_time_to_what_is_typed(
    screen: Open, server: ServerProcess, connect: Callable[..., NativeClient]
) -> None:
    ann = opened(screen, "ann")
    crowd = [connect(server, f"eve{number}") for number in range(4)]
    ann.wait_for("eve3 joined")
    for number in range(20):
        for one in crowd:
            one.say(f"flood {number}")
        if number % 5 == 0:
            ann.type("x")
    ann.wait_for("> xxxx")
    ann.wait_for("flood 19")


@pytest.mark.parametrize("asked", [False, True])
def test_a_screen_opens_only_where_all_three_are_one_terminal(
    server: ServerProcess, tmp_path: Path, asked: bool
) -> None:
    ours, theirs = pty.openpty()
    log = tmp_path / "stderr"
    flags = ["--no-plain"] if asked else []
    with log.open("wb") as stderr:
        client = subprocess.Popen(
            [*CLIENT, *at(server, "--name", "ann", *flags)],
            stdin=theirs,
            stdout=theirs,
            stderr=stderr,
            cwd=ROOT,
            env={**os.environ, **ON, "TERM": "xterm-256color", "SECURECHAT_STATE": ""},
            start_new_session=True,
        )
    os.close(theirs)
    shown = b""
    while b"Joined" not in shown:
        shown += os.read(ours, 65536)
    assert ENTERED not in shown
    client.kill()
    client.wait()
    os.close(ours)
    why = "input, output and errors are not one terminal"
    assert log.read_text() == (f"-- {NO_SCREEN}: {why}. Lines are shown instead\n" if asked else "")


@pytest.mark.parametrize(
    ("flags", "env", "file"),
    [
        (["--plain"], {}, ""),
        ([], {"SECURECHAT_PLAIN": "1"}, ""),
        ([], {}, "plain = true"),
        (["--reader"], {}, ""),
        ([], {"TERM": "dumb"}, ""),
        ([], {"TERM": "vt220"}, ""),
        (["--plain"], {"SECURECHAT_PLAIN": "0", "TERM": "dumb"}, "plain = false"),
    ],
)
def test_lines_are_shown_where_they_are_wanted_or_the_terminal_can_no_more(
    screen: Open, tmp_path: Path, flags: list[str], env: dict[str, str], file: str
) -> None:
    config = tmp_path / "client.toml"
    config.write_text(file)
    ann = screen("--name", "ann", "--config", str(config), *flags, env={**ON, **env}, columns=100)
    ann.wait_for("Joined #lobby")
    assert ENTERED not in ann.output
    assert NO_SCREEN not in ann.text


@pytest.mark.cold
@pytest.mark.parametrize("env", [{"SECURECHAT_PLAIN": "1"}, {"TERM": "dumb"}])
def test_a_chat_in_lines_loads_nothing_of_the_screen(server: ServerProcess, env: dict[str, str]) -> None:
    """A pipe neither: it has no terminal, and imports less still (tests/arch/test_start_imports.py)."""
    python, *program = CLIENT
    command = [python, "-X", "importtime", *program, *at(server, "--name", "ann")]
    with Screen(command, env={**ON, **env}, cwd=ROOT, columns=200) as ann:
        ann.wait_for("Joined #lobby")
        ann.line("hello")
        ann.wait_for("ann: hello")
        loaded = re.findall(rb"\| +([\w.]+)\r?$", ann.output, re.MULTILINE)
        assert b"securechat.client.network" in loaded
        assert [name for name in loaded if name.startswith((b"textual", b"rich", b"securechat.client.screen."))] == []


@pytest.mark.parametrize(
    ("flags", "env", "file", "columns", "why"),
    [
        (["--no-plain"], {"TERM": "dumb"}, "", 100, "a terminal of the kind TERM=dumb cannot show it"),
        ([], {"TERM": "vt220", "SECURECHAT_PLAIN": "0"}, "", 100, "a terminal of the kind TERM=vt220 cannot show it"),
        (["--no-plain"], {}, "", 39, "the terminal is smaller than 40 columns and 10 rows"),
        ([], {"TERM": "a\x1b[31mb\u202e"}, "plain = false", 100, None),
        (["--reader"], {}, "plain = false", 100, "--reader is for lines"),
        (["--no-plain", "--reader"], {"TERM": "dumb"}, "plain = true", 100, "--reader is for lines"),
    ],
)
def test_who_asks_for_a_screen_is_told_why_there_is_none(
    screen: Open, tmp_path: Path, flags: list[str], env: dict[str, str], file: str, columns: int, why: str | None
) -> None:
    config = tmp_path / "client.toml"
    config.write_text(file)
    ann = screen("--name", "ann", "--config", str(config), *flags, env={**ON, **env}, columns=columns)
    if why is None:  # terminfo does not know it, and its name goes nowhere
        ann.wait_for("ann · connected")
        return
    ann.wait_for("Joined #lobby")
    assert ENTERED not in ann.output
    assert f"{NO_SCREEN}: {why}. Lines are shown instead" in ann.text.replace("\n", "")


def first_env(tmp_path: Path, state: str = "state") -> dict[str, str]:
    """The environment of a person who starts the client in a folder without a CA."""
    return {**ON, "PYTHONPATH": str(ROOT), "SECURECHAT_STATE": str(tmp_path / state)}


def ca_fingerprint(server: ServerProcess) -> str:
    return fingerprint(x509.load_pem_x509_certificate((server.ca.parent / "ca.pem").read_bytes()))


def test_the_first_start_asks_for_the_server_and_says_beside_its_field_what_is_wrong(
    server: ServerProcess, tmp_path: Path
) -> None:
    env = first_env(tmp_path)
    with Screen(CLIENT, env=env, cwd=tmp_path) as ann:
        ann.wait_for("Fingerprint")
        ann.type(f"127.0.0.1:{server.port}\t{'sha256:' + '0' * 64}\t\x15ann\r\r")
        ann.wait_for("not the pinned one")
        ann.type(f"\x15{ca_fingerprint(server)}\r\r\r")
        ann.wait_for("ann · connected")
        ann.line("hello")
        ann.wait_for("hello")
        ann.type("\x1bOQ")
        ann.wait_for("TLSv1.3")
        ann.wait_for("Who runs the server can read")
        ann.type("\x1b")
        ann.wait_until(lambda: "TLSv1.3" not in ann.text, "the list is closed")
        ann.line("/quit")
        assert ann.wait_for_exit() == 0
    with Screen(CLIENT, env=env, cwd=tmp_path) as ann:
        ann.wait_for("ann · connected")
        ann.type("\x10")
        ann.wait_for("> /quit")
        ann.type("\x10")
        ann.wait_for("> hello")
    with Screen(CLIENT, env=first_env(tmp_path, "other"), cwd=tmp_path) as other:
        other.wait_for("Fingerprint")
        other.type("\x1b")
        assert other.wait_for_exit() == ClientExit.INTERRUPTED


def test_a_fingerprint_that_the_server_shows_is_trusted_only_after_it_was_compared(
    server: ServerProcess, tmp_path: Path
) -> None:
    digits = ca_fingerprint(server).removeprefix("sha256:")
    with Screen(CLIENT, env=first_env(tmp_path), cwd=tmp_path) as ann:
        ann.wait_for("Fingerprint")
        ann.type(f"127.0.0.1:{server.port}\t\t\x15ann\t\r")
        ann.wait_for("Is this the server's fingerprint?")
        ann.wait_for(" ".join(digits[at : at + 4] for at in range(0, 32, 4)))
        ann.type("\r")
        ann.wait_for("Type yes, or paste")
        ann.type(f"{'0' * 64}\r")
        ann.wait_for("This is not the fingerprint above")
        assert not list((tmp_path / "state").rglob("server-*.json"))
        ann.type("\x15yes\r")
        ann.wait_for("ann · connected")


def test_the_line_mode_is_chosen_once_and_servers_are_chosen_by_a_list(server: ServerProcess, tmp_path: Path) -> None:
    env = first_env(tmp_path)
    with Screen(CLIENT, env=env, cwd=tmp_path) as ann:
        ann.wait_for("Fingerprint")
        ann.type(f"127.0.0.1:{server.port}\t{ca_fingerprint(server)}\t\x15ann\t ")
        ann.wait_for("lines")
        ann.type("\r")
        ann.wait_for("Joined #lobby")
        ann.line("/quit")
        assert ann.wait_for_exit() == 0
    with Screen(CLIENT, env=env, cwd=tmp_path) as ann:
        ann.wait_for("Joined #lobby")
        assert b"\x1b[?1049h" not in ann.output
        ann.line("/quit")
        assert ann.wait_for_exit() == 0
    (tmp_path / "client.toml").write_text("plain = false")
    with Screen([*CLIENT, "--config", "client.toml"], env=env, cwd=tmp_path) as ann:
        ann.wait_for("ann · connected")
        assert ENTERED in ann.output
        ann.type("\x1bOQ")
        ann.wait_for("For another server: securechat-client --servers")
        ann.type("\x1b")
        ann.wait_until(lambda: "For another server" not in ann.text, "the list is closed")
        ann.line("/quit")
        assert ann.wait_for_exit() == 0
    with Screen([*CLIENT, "--servers"], env=env, cwd=tmp_path) as ann:
        ann.wait_for(f"127.0.0.1:{server.port} ann")
        assert ann.wait_for_exit() == 0
    with Screen([*CLIENT, "--servers", "--no-plain"], env=env, cwd=tmp_path) as ann:
        ann.wait_for("Another server")
        ann.type("\x1b[B\r")
        ann.wait_for("Fingerprint")
        assert "Show it as" not in ann.text
        ann.type("\x1b")
        ann.wait_for("Another server")
        ann.type("\x1b[A\r")
        ann.wait_for("ann · connected")


def test_what_notifies_is_kept_for_the_next_start(screen: Open, tmp_path: Path) -> None:
    env = {"SECURECHAT_STATE": str(tmp_path / "state")}
    ann = opened(screen, "ann", env=env)
    ann.line("/notify none")
    ann.wait_for("#lobby: nothing notifies")
    wait_until(lambda: any(b"none" in path.read_bytes() for path in tmp_path.rglob("screen-*.json")), "the file")
    (path,) = tmp_path.rglob("screen-*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    ann.line("/quit")
    assert ann.wait_for_exit() == 0
    again = opened(screen, "ann", env=env)
    again.line("/notify")
    again.wait_for("* nothing notifies")


def test_a_password_is_in_no_file(screen: Open, tmp_path: Path) -> None:
    ann = opened(screen, "ann", env={"SECURECHAT_STATE": str(tmp_path / "state")})
    secret = register(ann)
    ann.line("/password")
    ann.wait_for("Old password")
    ann.type("\r")
    ann.line(f"/register {secret}")
    ann.wait_for("Do not type a password behind")
    ann.line("held back")
    ann.wait_for("yes or no")
    ann.line("no")
    ann.wait_for("Write a message")
    ann.line("a last line")
    ann.wait_for("a last line")
    wait_until(lambda: any(b"a last line" in path.read_bytes() for path in tmp_path.rglob("screen-*.json")), "the file")
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"horse" in content for content in kept)
