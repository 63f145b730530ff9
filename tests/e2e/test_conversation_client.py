"""Rooms with rules and messages that change, as people at two terminals have them, against a real server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from securechat.client.exit_codes import ClientExit
from tests.support.admin import told
from tests.support.client import at, run_client
from tests.support.screen import Screen
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
PASSWORD = "correct horse battery"


def two(screen: Open) -> tuple[Screen, Screen]:
    ann = screen("--name", "ann", rows=60, columns=120)
    ann.wait_for("Joined #lobby")
    bob = screen("--name", "bob", rows=60, columns=120)
    bob.wait_for("/help")
    ann.wait_for("bob joined")
    return ann, bob


def owner(one: Screen) -> None:
    """Make the guest an account."""
    one.line("/register")
    one.wait_for("New password")
    one.line(PASSWORD)
    one.wait_for("Password again")
    one.line(PASSWORD)
    one.wait_for("Registered as")


def test_messages_are_answered_edited_and_deleted_by_their_numbers(screen: Open) -> None:
    ann, bob = two(screen)
    ann.line("shall we meet at nine?")
    bob.wait_for("[1] ann: shall we meet at nine?")
    bob.line("/reply 1 rather at ten")
    ann.wait_for("> [1] ann: shall we meet at nine?")
    ann.wait_for("[2] bob: rather at ten")
    ann.line("/edit 1 shall we meet at ten?")
    bob.wait_for("ann edited their own [1]: shall we meet at ten?")
    bob.line("/edit 1 not yours")
    bob.wait_for("Not sent")
    bob.line("/delete")
    ann.wait_for("bob deleted their own [2]")
    ann.line("/history 5")
    ann.wait_for("[1 edited] ann: shall we meet at ten?")
    ann.wait_for("[2 deleted] bob")


def test_direct_messages_are_read_back_by_name(screen: Open) -> None:
    ann, bob = two(screen)
    ann.line("/msg bob see you at three")
    bob.wait_for("ann @bob: see you at three")
    bob.line("/history @ann")
    bob.wait_until(lambda: bob.text.count("ann @bob: see you at three") == 2, "the message again")
    bob.line("/history yesterday ann")
    bob.wait_for("There are no messages on")
    bob.line("/history nobody")
    bob.wait_for("is called: nobody")


def test_a_dialogue_is_a_place_with_a_prompt(screen: Open) -> None:
    ann, bob = two(screen)
    ann.line("/msg bob see you at three")
    bob.wait_for("ann @bob: see you at three")
    assert b"\a" in bob.output, "it rings"
    bob.line("/dm ann")
    bob.wait_for("Direct messages with ann")
    bob.wait_until(lambda: bob.text.count("ann @bob: see you at three") == 2, "its last lines")
    bob.wait_until(lambda: bob.rows[-1] == "@ann >>", "the prompt")
    bob.line("rather at four")
    ann.wait_for("bob @ann: rather at four")
    ann.line("for all to read")
    bob.wait_for("#lobby ann: for all to read")
    bob.line("/topic x")
    bob.wait_for("These are direct messages and no room")
    bob.line("/search rather")
    bob.wait_until(lambda: bob.text.count("bob @ann: rather at four") == 2, "what was found")
    bob.line("/reply 1 fine")
    ann.wait_for("      > [1] ann: see you at three")
    ann.wait_for("bob @ann: fine")
    bob.line("/join")
    bob.wait_for("Now talking in #lobby")
    bob.wait_until(lambda: bob.rows[-1] == ">>", "the prompt of the room")
    bob.line("/dm")
    bob.wait_for("ann: last ")
    bob.line("/dm bob")
    bob.wait_for("This is you")


def test_words_of_a_moderator_stand_beside_the_moderators_name(screen: Open, server: ServerProcess) -> None:
    """Live, in history, to who comes later, through a pipe, and in the export."""
    ann, bob = two(screen)
    owner(ann)
    ann.line("/join ops")
    ann.wait_for("Joined #ops")
    bob.line("/join ops")
    bob.wait_for("Joined #ops")
    bob.line("bob wrote this")
    bob.line("and that")
    ann.wait_for("bob: and that")
    ann.line("/edit 1 ann wrote this")
    bob.wait_for("ann edited [1] by bob: ann wrote this")
    ann.line("/delete 2")
    bob.wait_for("ann deleted [2] by bob")
    bob.line("/history 5")
    bob.wait_for("[1 edited by ann] bob: ann wrote this")
    bob.wait_for("[2 deleted by ann] bob")
    bob.line("/search wrote")
    bob.wait_for("[1 edited by ann] #ops bob: ann wrote this")
    cyd = screen("--name", "cyd", "--room", "ops", rows=60, columns=120)
    cyd.wait_for("edited by ann] bob: ann wrote this")
    lines = [json.loads(line) for line in told(server, "export", "ops").splitlines()]
    assert [(line["name"], line["text"]) for line in lines] == [("bob", "ann wrote this"), ("bob", "")]
    assert lines[0]["edited_by"]["name"] == lines[1]["deleted_by"]["name"] == "ann"


def test_an_edit_without_a_text_puts_the_old_one_into_the_input_line(screen: Open) -> None:
    ann, bob = two(screen)
    ann.line("helo")
    bob.wait_for("[1] ann: helo")
    ann.wait_for("[1] ann: helo")
    ann.line("/edit 1")
    ann.wait_for(">> /edit 1 helo")
    ann.type("\x7flo\r")
    bob.wait_for("ann edited their own [1]: hello")


def test_reactions_are_gathered_and_taken_away(screen: Open) -> None:
    ann, bob = two(screen)
    ann.line("cake in the kitchen")
    bob.wait_for("[1] ann: cake")
    bob.line("/react 1 👍")
    ann.wait_for("Reactions to [1] by ann: 👍: bob")
    ann.line("/react 1 👍")
    bob.wait_for("Reactions to [1] by ann: 👍: bob, ann")
    bob.line("/react 1 👍")
    ann.wait_for("Reactions to [1] by ann: 👍: ann")
    bob.line("/react 1 👍: 🎉")  # no sign can pass for somebody's reaction
    ann.wait_for("Reactions to [1] by ann: 👍: ann / 👍__🎉: bob")


def test_what_a_search_finds_is_marked_and_has_numbers(screen: Open) -> None:
    ann, bob = two(screen)
    for text in ("the printer is broken", "lunch", "the printer works"):
        ann.line(text)
        bob.wait_for(f"ann: {text}")
    bob.line("/search printer")
    bob.wait_for("#lobby ann: the printer works")
    bob.wait_for("[1] #lobby ann: the printer is broken")
    found = next(index for index, row in enumerate(bob._emulator.display) if "#lobby ann: the printer works" in row)
    row = bob._emulator.buffer[found]
    start = bob._emulator.display[found].index("printer")
    assert all(row[x].bold for x in range(start, start + len("printer")))
    assert not row[start - 2].bold
    bob.line("/around 1")
    bob.wait_until(lambda: bob.text.count("[2] ann: lunch") == 2, "the line beside it, again")
    bob.line("/search nothing-like-this")
    bob.wait_for("Nothing found")


def test_a_room_has_a_topic_rules_and_an_order(screen: Open) -> None:
    ann, bob = two(screen)
    owner(ann)
    owner(bob)
    ann.line("/join ops")
    ann.wait_for("Joined #ops")
    ann.line("/topic the printers, and who feeds them")
    ann.wait_for("You changed the topic of #ops: the printers, and who feeds them")
    bob.line("/join ops")
    bob.wait_for("Topic of #ops: the printers, and who feeds them")
    bob.line("/topic mine")
    bob.wait_for("Only moderators and owners of #ops can change its topic")
    ann.line("/room set read-only on")
    bob.wait_for("ann changed the settings of #ops. It is now public, read-only for members")
    bob.line("may I?")
    bob.wait_for("Only its moderators and owners can write there")
    ann.line("/role bob moderator")
    bob.wait_for("ann made you a moderator of #ops")
    bob.line("now I may")
    ann.wait_for("bob: now I may")
    ann.line("/room set name printers")
    bob.wait_for("#ops is now called #printers")
    bob.line("still here")
    ann.wait_for("bob: still here")
    ann.line("/role bob member")
    ann.line("/kick bob enough for today")
    bob.wait_for("You were kicked from #printers by ann: enough for today")
    ann.line("/room")
    ann.wait_for("You are an owner of")
    ann.line("/kick nobody-of-this-name")
    ann.wait_for("There is no person with this name")


def test_somebody_is_invited_into_a_private_room_and_muted_there(screen: Open) -> None:
    ann, bob = two(screen)
    owner(ann)
    owner(bob)
    ann.line("/join den")
    ann.wait_for("Joined #den")
    ann.line("/room set private on")
    ann.wait_for("private (by invitation only)")
    bob.line("/join den")
    bob.wait_for("There is no such room that you can join")
    ann.line("/invite bob")
    ann.wait_for("You invited bob to #den")
    bob.wait_for("ann invited you to #den. /join den accepts")
    bob.line("/join den")
    bob.wait_for("Joined #den. Also here: ann")
    ann.line("/mute bob 10m")
    ann.wait_for("You muted bob in #den for 10 minutes")
    bob.line("hm")
    bob.wait_for("You are muted in #den for 10 minutes")
    ann.line("/unmute bob")
    bob.wait_for("ann unmuted you in #den")


def test_unread_messages_are_told_after_a_login_and_shown_from_the_first_on(
    screen: Open, server: ServerProcess
) -> None:
    ann, bob = two(screen)
    owner(bob)
    bob.line("/join ops")
    bob.wait_for("Joined #ops")
    bob.line("/quit")
    assert bob.wait_for_exit() == 0
    sent = run_client(*at(server, "--name", "ci", "--room", "ops", "--send"), stdin="one\n@bob two\nthree\n")
    assert sent.returncode == 0, sent.stderr
    bob = screen("--name", "bob", rows=60)
    bob.wait_for("Password for bob")
    bob.line(PASSWORD)
    bob.wait_for("Unread: #ops 3 (1 mention). /unread lists them")
    bob.line("/unread")
    bob.wait_for("1  #ops: 3 (1 mention)")
    bob.line("/unread 1")
    bob.wait_for("Unread messages:")
    bob.wait_for("ci: three")
    bob.line("/unread")
    bob.wait_for("You have no unread messages")
    assert ann.process.poll() is None


def test_who_is_writing_stands_below_the_line_until_the_message_comes(screen: Open) -> None:
    ann, bob = two(screen)
    ann.type("mine")
    bob.type("a long sent")
    ann.wait_for("bob is typing…")
    # A row that reaches the edge is wrapped by a window that becomes narrower, and parts of it stay behind.
    assert ann.rows[-1] == "bob is typing…"
    assert ann.rows[-2].endswith(">> mine")
    ann.type("\x15")
    bob.type("ence\r")
    ann.wait_for("bob: a long sentence")
    ann.wait_until(lambda: "typing" not in ann.text, "nobody writes")
    ann.line("/typing off")
    ann.wait_for("Typing notices are off")
    ann.type("/topic not told of commands")
    bob.type("@an\t")
    bob.wait_for(">> @ann")


def test_code_keeps_its_shape_and_still_nobody_else_speaks(screen: Open) -> None:
    ann, bob = two(screen)
    bob.paste("```\nif x:\n    -- ann left\n12:00 [9] ann: yes\n      > [1] ann: no\n```")
    bob.line("")
    ann.wait_for("┆     -- ann left")
    ann.wait_for("┆       > [1] ann: no")
    assert not any(row.startswith(("-- ann left", "12:00 [9]", "      > [1] ann: no")) for row in ann.rows)


def test_a_pipe_has_the_new_fields_and_a_plain_tail_stays_one_line_each(screen: Open, server: ServerProcess) -> None:
    ann = screen("--name", "ann")
    ann.wait_for("Joined #lobby")
    for line, shown in (
        ("first", "[1] ann: first"),
        ("/reply 1 second", "[2] ann: second"),
        ("/react 1 👍", "Reactions to [1]"),
        ("/edit 2 other", "edited their own [2]"),
    ):
        ann.line(line)
        ann.wait_for(shown)
    told = run_client(*at(server, "--tail", "--json", "--history", "2"), stop_after=2)
    first, second = (json.loads(line) for line in told.stdout.splitlines())
    assert first["reactions"][0]["sign"] == "👍"
    assert (second["text"], second["reply"]) == ("other", first["seq"])
    assert second["edited"] > second["seq"]
    plain = run_client(*at(server, "--tail", "--history", "2"), stop_after=2)
    assert plain.stdout.splitlines() == ["ann: first", "ann: other"]


def test_a_terminal_that_can_do_nothing_but_lines_has_the_numbers_too(screen: Open) -> None:
    bob = screen("--name", "bob", rows=60)
    bob.wait_for("Joined #lobby")
    ann = screen("--name", "ann", env={"TERM": "dumb"}, rows=60)
    ann.wait_for("Also here: bob")
    bob.line("shall we?")
    ann.wait_for("[1] bob: shall we?")
    ann.line("/reply 1 yes")
    bob.wait_for("> [1] bob: shall we?")
    bob.line("/edit shall we go?")
    ann.wait_for("-- bob edited their own [1]: shall we go?")
    ann.line("/search shall")
    ann.wait_for("[1 edited] #lobby bob: shall we go?")
    ann.line("/edit")
    ann.wait_for("Usage: /edit [N] text")
    ann.line("/delete")
    bob.wait_for("ann deleted their own [2]")
    ann.line("/history 2001-02-03")
    ann.wait_until(lambda: ann.text.count("[1 edited] bob: shall we go?") == 1, "the day, and all that followed")
    ann.line("/history 2001-02-31")
    ann.wait_for("Not a day")


def test_a_script_that_may_not_enter_says_so_once_and_with_the_exit_code_for_it(
    screen: Open, server: ServerProcess
) -> None:
    ann = screen("--name", "ann", rows=60)
    ann.wait_for("Joined #lobby")
    owner(ann)
    ann.line("/join den")
    ann.wait_for("Joined #den")
    ann.line("/room set private on")
    ann.wait_for("private (by invitation only)")
    sent = run_client(*at(server, "--name", "ci", "--room", "den", "--send"), stdin="one\ntwo\n")
    assert sent.returncode == ClientExit.ROOM_REFUSED
    assert len(sent.stderr.splitlines()) == 1
    assert "Cannot join #den. There is no such room that you can join" in sent.stderr
