"""What is typed on the full screen: over a kill, in odd locales, with Ctrl+C, Up, pastes and a busy client."""

from __future__ import annotations

import base64
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.limits import MAX_TEXT_CHARS
from tests.support.native import NativeClient
from tests.support.screen import CTRL_C, ENTER, ON, Screen
from tests.support.server import ServerProcess, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
UP, UNDO, ESC = "\x1b[A", "\x1f", "\x1b"
SECRET = "correct horse battery"


def opened(screen: Open, name: str, **options: object) -> Screen:
    """A person's screen, connected."""
    env = {**ON, **options.pop("env", {})}  # type: ignore[dict-item]
    one = screen("--name", name, env=env, **options)
    one.wait_for("Write a message")
    one.wait_for("connected")
    return one


def composer(one: Screen) -> str:
    """The row of the composer."""
    rows = [row.partition("│")[2] or row for row in one.rows]
    return next((row.strip() for row in reversed(rows) if row.strip().startswith(("#lobby > ", "@"))), "")


def shows(one: Screen, text: str) -> None:
    one.wait_until(lambda: composer(one) == f"#lobby > {text}".rstrip(), f"the composer with {text!r}")


def empty(one: Screen) -> None:
    one.wait_until(lambda: composer(one).startswith("#lobby > Write a message"), "an empty composer")


def account(one: Screen) -> None:
    """Make an account, so that the next start is the same person."""
    one.line("/register")
    for question in ("New password", "Password again"):
        one.wait_for(question)
        one.line(SECRET)
    one.wait_for("Registered as")


def stored(one: Screen, text: str) -> None:
    """Send a text, and wait until it is a message: Up before that takes the line again."""
    one.line(text)
    empty(one)
    one.wait_until(lambda: text in one.text and "sending" not in one.text, f"{text!r}, stored")


def kept(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in tmp_path.rglob("unsent-*.json"))


@pytest.mark.parametrize("deleted", [False, True])
def test_an_edit_survives_a_kill_and_is_offered_again(
    screen: Open, tmp_path: Path, server: ServerProcess, connect: Callable[..., NativeClient], deleted: bool
) -> None:
    env = {"SECURECHAT_STATE": str(tmp_path / "state")}
    ann = opened(screen, "ann", env=env, columns=120)
    account(ann)
    stored(ann, "my wrod")
    ann.type(UP)
    shows(ann, "my wrod")
    ann.type(" and more of it")
    wait_until(lambda: b"my wrod and more of it" in kept(tmp_path), "the file")
    ann.process.kill()
    ann.process.wait()
    if deleted:
        other = screen("--name", "ann", env={**ON, "SECURECHAT_STATE": str(tmp_path / "two")}, columns=120)
        other.wait_for("assword")
        other.line(SECRET)
        other.wait_for("my wrod")
        other.line("/delete")
        other.wait_for("deleted")
    again = screen("--name", "ann", env={**ON, **env}, columns=120)
    again.wait_for("The message that you were changing is gone" if deleted else "You were changing this message")
    shows(again, "my wrod and more of it")
    again.type(ENTER)
    empty(again)
    again.wait_until(lambda: again.text.count("my wrod and more of it") == 1, "the text once")
    wait_until(lambda: b"wrod" not in kept(tmp_path), "an empty file")


def test_a_message_typed_without_a_server_survives_a_kill(screen: Open, tmp_path: Path, server: ServerProcess) -> None:
    env = {"SECURECHAT_STATE": str(tmp_path / "state")}
    ann = opened(screen, "ann", env=env)
    account(ann)
    server.signal(signal.SIGKILL)
    server.wait()
    ann.wait_until(lambda: "ann · connected" not in ann.text, "the loss")
    ann.line("typed without a server")
    wait_until(lambda: b"typed without a server" in kept(tmp_path), "the file")
    ann.process.kill()
    ann.process.wait()
    server.start()
    again = screen("--name", "ann", env={**ON, **env})
    shows(again, "typed without a server")


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "koi8-r"])
def test_what_is_typed_in_another_locale_arrives_as_it_was_typed(screen: Open, encoding: str) -> None:
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    ann, bob = opened(screen, "ann", env=env), opened(screen, "bob")
    bob.type("x")
    ann.line("caf\u00e9 \u4e2d\u6587 \N{ROCKET}")
    bob.wait_for("caf\u00e9")
    bob.wait_until(lambda: "caf\u00e9 \u4e2d\u6587" in bob.text.replace("\u4e2d \u6587 ", "\u4e2d\u6587"), "all of it")
    assert "\ufffd" not in bob.text


@pytest.mark.parametrize(("encoding", "told"), [("iso-8859-1", False), ("utf-8", True)])
def test_a_byte_that_is_no_utf_8_is_of_the_locale_or_told(screen: Open, encoding: str, told: bool) -> None:
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    ann, bob = opened(screen, "ann", env=env), opened(screen, "bob")
    os.write(ann._fd, b"caf\xe9 au lait")
    if told:
        ann.wait_for("neither UTF-8")
    else:
        ann.wait_for("au lait")
        ann.type(ENTER)
        bob.wait_for("caf\u00e9 au lait")


def test_ctrl_c_copies_then_empties_then_leaves(screen: Open) -> None:
    ann = opened(screen, "ann")
    stored(ann, "to be marked")
    ann.type("half a thought")
    shows(ann, "half a thought")
    row = next(y for y, text in enumerate(ann._emulator.display) if "to be marked" in text)
    column = ann._emulator.display[row].index("to be marked")
    unmarked = ann._emulator.buffer[row][column]
    ann.type(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<32;{column + 9};{row + 1}M\x1b[<0;{column + 9};{row + 1}m")
    ann.wait_until(lambda: ann._emulator.buffer[row][column] != unmarked, "a mark")
    ann.type(CTRL_C)
    copied = base64.b64encode(b"to be mar")[:8]
    ann.wait_until(lambda: b"\x1b]52;c;" + copied in ann.output, "the copy")
    shows(ann, "half a thought")
    ann.type(CTRL_C)
    empty(ann)
    ann.type(UNDO)
    shows(ann, "half a thought")
    ann.type(CTRL_C)
    empty(ann)
    ann.type(CTRL_C)
    ann.wait_for("again leaves")
    assert ann.process.poll() is None
    ann.type(CTRL_C)
    assert ann.wait_for_exit() == 0


def test_up_in_an_empty_line_edits_the_last_own_message(screen: Open) -> None:
    ann, bob = opened(screen, "ann"), opened(screen, "bob")
    ann.wait_for("bob joined")
    ann.line("at ten")
    bob.wait_for("at ten")
    bob.line("fine")
    ann.wait_for("fine")
    ann.type(UP)
    shows(ann, "at ten")
    ann.type(" sharp")
    shows(ann, "at ten sharp")
    ann.type(ENTER)
    bob.wait_for("at ten sharp")
    empty(ann)
    ann.type(UP)
    shows(ann, "at ten sharp")
    ann.type(f"{ESC}")
    empty(ann)


def test_up_in_an_empty_line_takes_the_last_line_where_nothing_is_to_be_edited(screen: Open) -> None:
    ann = opened(screen, "ann")
    ann.line("/help nothing-like-it")
    ann.wait_for("nothing-like-it")
    ann.type(CTRL_C)
    empty(ann)
    ann.line("//a")
    ann.wait_for("/a")
    empty(ann)
    ann.line("/delete")
    ann.wait_for("deleted")
    empty(ann)
    ann.type(UP)
    shows(ann, "/delete")


def test_a_paste_of_several_lines_is_one_message_and_waits_for_enter(screen: Open) -> None:
    ann, bob = opened(screen, "ann"), opened(screen, "bob")
    ann.wait_for("bob joined")
    ann.paste("one\rtwo\r\nthree\r")
    ann.wait_until(lambda: all(word in ann.text for word in ("one", "two", "three")), "the paste")
    ann.type("four")
    ann.wait_for("four")
    assert "one" not in bob.text
    ann.type(ENTER)
    bob.wait_for("four")
    assert len(re.findall(r"\bann\b", "\n".join(row.partition("│")[2] for row in bob.rows))) <= 2
    bob.wait_until(lambda: "1 new" not in bob.text, "one message")


def test_the_characters_left_are_counted_near_the_limit(screen: Open) -> None:
    ann = opened(screen, "ann")
    ann.paste("x" * (MAX_TEXT_CHARS - 201))
    ann.wait_for("xxx")
    assert "characters left" not in ann.text
    ann.type("yy")
    ann.wait_for("199 characters left")
    ann.paste("z" * 200)
    ann.wait_for("1 character too many")
    ann.type(ENTER)
    ann.wait_for("at most 4000")
    ann.wait_for("1 character too many")


def test_keys_and_a_paste_while_the_client_is_stopped_are_all_there(screen: Open) -> None:
    ann = opened(screen, "ann", columns=120)
    os.kill(ann.process.pid, signal.SIGSTOP)
    typed = "".join(f"{number} " for number in range(220))
    ann.type(typed[:400])
    ann.paste("pasted\nlines")
    ann.type(typed[400:])
    os.kill(ann.process.pid, signal.SIGCONT)
    ann.type("end")
    ann.wait_for("end")
    for part in ("pasted", "lines", "217 218 219 end"):
        ann.wait_for(part)
    ann.type(ENTER)
    wanted = re.sub(r"\s+", "", typed[:400] + "pasted" + "lines" + typed[400:])
    ann.wait_until(
        lambda: wanted in re.sub(r"\s+", "", "".join(row.partition("│")[2] for row in ann.rows)), "all of it"
    )


def test_a_text_typed_in_a_dialogue_is_not_said_in_the_room_of_a_number(screen: Open) -> None:
    ann, bob = opened(screen, "ann", columns=120), opened(screen, "bob", columns=120)
    ann.wait_for("bob joined")
    bob.line("for all")
    ann.wait_for("for all")
    ann.line("/dm bob")
    ann.wait_for("@bob")
    ann.line("/reply 1 only for you")
    ann.wait_for("[1] is in #lobby, not here")
    ann.wait_until(lambda: composer(ann) == "@bob > /reply 1 only for you", "the text, kept")
    bob.line("later")
    bob.wait_for("later")
    assert "only for you" not in bob.text
