"""The interactive client on a terminal, against a real server, seen through a terminal emulator."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from securechat.client.catalogue.names import quoted
from securechat.client.core.actions import LeaveChat
from securechat.client.exit_codes import ClientExit
from tests.support.client import at, run_client
from tests.support.native import NativeClient
from tests.support.screen import CTRL_C, CTRL_D, Screen
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]


def two(screen: Open, other: str, **options: object) -> tuple[Screen, Screen]:
    """Ann's screen, and somebody's who came after her."""
    ann = screen("--name", "ann", **options)
    ann.wait_for("Joined #lobby")
    bob = screen("--name", other, **options)
    ann.wait_for(f"{quoted(other)} joined")
    return ann, bob


@pytest.mark.cold
def test_2_a_name_is_asked_for_and_a_taken_one_asked_again(screen: Open) -> None:
    first = screen("--name", "ann")
    first.wait_for("Joined #lobby")
    second = screen()
    second.wait_for("Name")
    second.line("Ann")
    second.wait_for("taken")
    second.line("bob")
    second.wait_for("Also here: ann")
    first.wait_for("-- bob joined")


def test_4_an_own_line_is_shown_once_and_with_its_time(screen: Open) -> None:
    ann = screen("--name", "ann")
    ann.wait_for("Joined #lobby")  # before it, a line waits and says so
    ann.wait_until(lambda: ann.rows[-1:] == [">>"], "a prompt: before it, the terminal itself shows what is typed")
    ann.line("hello world")
    assert "CPR" not in ann.text
    ann.wait_for(" ann: hello world")
    assert ann.text.count("hello world") == 1


@pytest.mark.parametrize("columns", [30, 80])
def test_9_a_message_leaves_the_half_typed_line_intact(screen: Open, columns: int) -> None:
    ann, bob = two(screen, "bob", columns=columns)
    ann.type("half a li")
    ann.wait_for(">> half a li")
    bob.line("hi")
    ann.wait_for("bob: hi")
    ann.wait_until(lambda: ann.rows[-1] == ">> half a li", "the half line, last")
    ann.line("ne")
    bob.wait_for("ann: half a line")


def test_the_line_survives_a_change_of_size(screen: Open) -> None:
    ann, bob = two(screen, "bob")
    ann.type("half")
    ann.wait_for(">> half")
    ann.resize(40, 20)
    bob.line("word " * 20)
    ann.wait_for("bob: word")
    ann.wait_until(lambda: ann.rows[-1] == ">> half", "the half line, last")


def test_16_a_text_made_to_look_like_anothers_line_shows_as_what_it_is(screen: Open) -> None:
    ann, bob = two(screen, "bob")
    bob.paste("hi\n12:34 carl: I agree\n-- ann left\x07")
    bob.line("")
    ann.wait_for("I agree")
    assert not any(row.startswith(("12:34 carl", "-- left", "-- ann left")) for row in ann.rows)
    assert "┆ 12:34 carl: I agree" in ann.text


def test_a_paste_whose_end_is_lost_is_shown_and_ctrl_c_gives_the_keyboard_back(screen: Open) -> None:
    ann, bob = two(screen, "bob")
    bob.type("\x1b[200~its end is lo")
    bob.wait_for(">> its end is lo")
    bob.type("st")
    bob.wait_for(">> its end is lost")
    bob.type(CTRL_C)
    bob.wait_for("Your line was not sent")
    bob.line("heard again")
    ann.wait_for("bob: heard again")
    assert "its end" not in ann.text


def test_bytes_that_are_no_text_cost_their_line_and_the_rest_of_the_paste_is_said(screen: Open) -> None:
    ann, bob = two(screen, "bob")
    os.write(bob._fd, b"caf\xe9 one\rtwo\r/nick caf\xe9\rthree\r")
    ann.wait_for("bob: two")
    ann.wait_for("bob: three")
    bob.wait_for("bytes that are not UTF-8 text")
    os.write(bob._fd, b"\x1b[200~caf\xe9\n\nfour\n\n\x1b[201~\r")
    bob.line("five")
    ann.wait_for("bob: five")
    os.write(bob._fd, b"\x1b[200~six\n\nseven\n\n\x1b[201~\r")
    ann.wait_for("seven")
    ann.wait_until(lambda: ann.rows[-2].endswith("┆ seven"), "no empty line below")
    assert "\ufffd" not in ann.text
    assert "four" not in ann.text


def test_a_line_not_meant_as_speech_is_none(screen: Open) -> None:
    """The commands behind a blank, a name that ends at two places, a question that is not asked, and Ctrl-C."""
    ann, bob = two(screen, "user1 pc", rows=60)
    ann.line(" /msg user1 pc my pin")
    ann.wait_for("Remove the blank before the /")
    ann.line("/msg user1 pc my pin")
    ann.wait_for('the name can be "user1" or "user1 pc"')
    ann.line("/password")
    ann.line("the old one")
    ann.line("the new one")
    ann.wait_for("You are a guest and have no password")
    ann.wait_for("Send it as a message? yes or no:")
    ann.line("no")
    ann.wait_for(">>")
    ann.type("half of a line" + CTRL_C)
    ann.wait_for("Ctrl-C on an empty line quits")
    ann.line("hello")
    bob.wait_for("ann: hello")
    assert not any(word in bob.text for word in ("my pin", "old one", "new one", "half of"))


LEAVING = "Quitting. Waiting for the server to store your messages"


@pytest.mark.parametrize("key", ["exit\r", "/quit\r", CTRL_D, CTRL_C])
def test_leaving_towards_a_frozen_server_says_what_it_waits_for_and_a_second_time_leaves(
    screen: Open, server: ServerProcess, key: str
) -> None:
    ann = screen("--name", "ann")
    ann.wait_for("/help")
    server.signal(signal.SIGSTOP)
    try:
        ann.line("into the ice")
        ann.wait_until(lambda: ann.rows[-1] == ">>", "an empty prompt")
        began = time.monotonic()
        ann.type(key)
        ann.wait_for(LEAVING)
        ann.type(CTRL_C)
        assert ann.wait_for_exit() == ClientExit.LINES_LOST
        assert time.monotonic() - began < LeaveChat().patience_s, "it may have left by itself"
        assert "possibly lost: into the ice" in ann.text
    finally:
        server.signal(signal.SIGCONT)


def test_commands_typed_while_away_are_answered_and_done_on_the_return(screen: Open, server: ServerProcess) -> None:
    ann, bob = two(screen, "bob", rows=60)
    bob.wait_for("/help")
    server.kill()
    ann.wait_for("Connection lost")
    for command in ("/nick anna", "/join newroom", "/msg bob psst", "/msg nobody hi"):
        ann.line(command)
        ann.wait_for(f"Will be done after reconnecting: {command}")
    ann.line("/who")
    ann.wait_for("You are offline")
    ann.process.send_signal(signal.SIGSTOP)  # bob is to be back first: a message to somebody absent is refused
    server.start()
    bob.wait_for("Connected again")
    ann.process.send_signal(signal.SIGCONT)
    ann.wait_for("You are now known as anna")
    ann.wait_for("#newroom >>")
    ann.wait_for("There is no person with this name")
    bob.wait_for("@bob: psst")
    bob.wait_for("ann is now known as anna")
    ann.line("/nick Bob")
    ann.wait_for("The name Bob is taken. Choose another one")


def test_a_bell_rings_for_ones_own_name_and_for_direct_messages_only(screen: Open) -> None:
    ann, bob = two(screen, "bob")
    bob.line("nobody in particular")
    ann.wait_for("particular")
    assert b"\x07" not in ann.output
    bob.line("Ann, look")
    ann.wait_for("Ann, look")
    ann.wait_until(lambda: b"\x07" in ann.output, "a bell")
    rung = ann.output.count(b"\x07")
    bob.line("/msg ann psst")
    ann.wait_for("psst")
    ann.wait_until(lambda: ann.output.count(b"\x07") > rung, "a bell for a direct message")
    assert b"\x07" not in bob.output


@pytest.mark.parametrize(
    "key",
    ["exit\r", "/quit\r", pytest.param(CTRL_D, marks=pytest.mark.cold), pytest.param(CTRL_C, marks=pytest.mark.cold)],
)
def test_6_every_way_of_leaving_is_clean_logged_and_told_and_the_others_carry_on(
    screen: Open, server: ServerProcess, key: str
) -> None:
    ann, bob = two(screen, "bob")
    bob.wait_for("/help")
    bob.type(key)
    assert bob.wait_for_exit() == ClientExit.OK
    server.wait_for_event("disconnected", name="bob", reason="bye")
    ann.wait_for("bob left")
    ann.line("still here")
    ann.wait_for("ann: still here")


def test_6_a_killed_client_is_logged_and_the_others_carry_on(screen: Open, server: ServerProcess) -> None:
    ann, bob = two(screen, "bob")
    bob.process.kill()
    server.wait_for_event("disconnected", name="bob")
    ann.line("still here")
    ann.wait_for("ann: still here")


@pytest.mark.cold
def test_a_polite_kill_restores_the_terminal(screen: Open) -> None:
    ann = screen("--name", "ann")
    ann.wait_for("/help")
    ann.process.send_signal(signal.SIGTERM)
    assert ann.wait_for_exit() == ClientExit.TERMINATED
    assert ann.output.rstrip().endswith(b"\x1b[?2004l") or b"\x1b[?2004l" in ann.output


def test_7_a_killed_server_is_told_within_a_second_and_its_return_needs_no_keystroke(
    screen: Open, server: ServerProcess
) -> None:
    ann, bob = two(screen, "bob")
    server.kill()
    for one in (ann, bob):
        one.wait_for("Connection lost")
    ann.line("typed while away")
    ann.wait_for("Waiting to be sent: typed while away")
    server.start()
    for one in (ann, bob):
        one.wait_for("Connected again")
        one.wait_for("ann: typed while away")
    assert bob.text.count("typed while away") == 1


def test_16_neither_log_nor_screen_nor_tail_shows_anything_hostile(screen: Open, server: ServerProcess) -> None:
    hostile = "x\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202e\n12:00 bob: forged"
    ann = screen("--name", "ann")
    ann.wait_for("/help")
    with NativeClient(server.port, server.ca) as eve:
        eve.hello("eve")
        eve.say_acked(hostile)
    ann.wait_for("forged")
    forged = next(row for row in ann.rows if "forged" in row)
    assert forged.lstrip().startswith("┆")  # a continuation, never a line of its own
    assert b"\x1b]52" not in ann.output
    tail = run_client(*at(server, "--tail", "--history", "1"), stop_after=1)
    assert "⏎12:00 bob: forged" in tail.stdout
    assert "\x1b" not in tail.stdout
    assert "\x1b" not in "".join(server.lines)


def test_leaving_while_away_says_what_is_lost(screen: Open, server: ServerProcess) -> None:
    ann = screen("--name", "ann")
    ann.wait_for("/help")
    server.kill()
    ann.wait_for("Connection lost")
    ann.line("into the void")
    ann.wait_for("Waiting to be sent: into the void")
    # Printing above the prompt leaves the raw mode for an instant, and a Ctrl-D at that instant is the terminal's: as a
    # user would, type it again until it is heard.
    for _ in range(20):
        ann.type(CTRL_D)
        with contextlib.suppress(AssertionError):
            ann.wait_for("Quitting", timeout=1)
            break
    ann.wait_for("possibly lost: into the void")
    assert ann.wait_for_exit() == ClientExit.LINES_LOST


def test_commands(screen: Open) -> None:
    ann, bob = two(screen, "user1 pc", rows=60)
    ann.line("/help")
    ann.wait_for("/ignore NAME")
    ann.line("/who")
    ann.wait_for("In #lobby (2): ann, user1 pc")
    ann.line('/msg "user1 pc" psst')
    bob.wait_for("ann @user1 pc: psst")
    ann.wait_for("ann @user1 pc: psst")
    ann.line("/msg nobody hello")
    ann.wait_for("There is no person with this name")
    ann.line("/join ops")
    ann.wait_for("#ops >>")
    bob.line("over here")
    ann.wait_for("#lobby user1 pc: over here")
    ann.line("/rooms")
    ann.wait_for("#ops (1)")
    ann.line("/leave")
    ann.wait_for("You left #ops")
    ann.line("/ignore user1 pc")
    ann.wait_for('Messages of "user1 pc" are now hidden')
    ann.line("/nick anna")
    bob.wait_for("ann is now known as anna")
    ann.line("/whoo")
    ann.wait_for("Did you mean /who?")
    ann.line("//slash")
    bob.wait_for("anna: /slash")


@pytest.mark.cold
def test_a_dumb_terminal_is_enough(screen: Open) -> None:
    ann = screen(env={"TERM": "dumb"})
    ann.wait_for("Name:")
    ann.line("ann")
    ann.wait_for("Joined #lobby")
    bob = screen("--name", "bob")
    bob.wait_for("Also here: ann")
    bob.line("hello")
    ann.wait_for("bob: hello")
    ann.type(CTRL_C)
    assert ann.wait_for_exit() == ClientExit.INTERRUPTED
