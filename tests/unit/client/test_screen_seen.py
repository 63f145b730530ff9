"""Read means seen: what the terminal has shown to a person who looks, in every state of the screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securechat.client.core import actions, events
from securechat.client.core.state import ConversationId, PersonKey
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.view import (
    FocusChanged,
    FrameShown,
    KeyTyped,
    ScreenFocus,
    ScreenHidden,
    ScreenResized,
)
from securechat.client.ui.window.seen_policy import GLANCE_S, LOOKING_S
from securechat.model import ConversationItem, Message, Person
from tests.support.screen_rig import ScreenRig


def seen(rig: ScreenRig, room: str = "lobby") -> int:
    """Up to where the core was told that a room was seen."""
    key = rig.key(room)
    marks = [each.seq for each in rig.acts if isinstance(each, actions.MarkSeen) and each.target == key]
    return max(marks, default=0)


def inside(**options: object) -> ScreenRig:
    """In the lobby, where a key was pressed."""
    rig = ScreenRig(**options)  # type: ignore[arg-type]
    rig.take(KeyTyped())
    return rig


def test_a_message_is_seen_when_the_terminal_has_shown_it() -> None:
    rig = inside()
    message = rig.say("hello")
    assert seen(rig) == message.seq


def test_a_terminal_that_reads_nothing_shows_nothing_to_anyone() -> None:
    rig = inside()
    first = rig.say("shown")
    rig.reads = False
    for number in range(3):
        rig.say(f"in the kernel's buffer {number}")
        rig.take(KeyTyped())
    assert seen(rig) == first.seq
    assert rig.core.conversations[rig.core.current].unread == 3
    rig.reads = True
    rig.draw()
    assert seen(rig) == rig.driver.server.log[-1].seq


def test_frames_that_were_dropped_are_not_seen_by_the_one_that_came() -> None:
    rig = inside()
    first = rig.say("shown")
    rig.reads = False
    for number in range(60):  # more than the field has rows
        rig.say(f"flood {number}")
    rig.reads = True
    rig.draw()
    assert "flood 59" in rig.messages
    assert "flood 3\n" not in rig.messages
    assert seen(rig) == first.seq


def test_a_word_about_an_older_frame_tells_nothing_of_the_newer_one() -> None:
    rig = inside()
    rig.reads = False
    first = rig.say("one")
    frame = rig.view.frame
    rig.say("two")
    assert rig.view.frame != frame
    rig.take(FrameShown(frame))
    assert seen(rig) == first.seq


def test_what_came_without_the_focus_is_seen_when_it_comes_back() -> None:
    rig = inside()
    rig.take(FocusChanged(False))
    message = rig.say("while away")
    assert seen(rig) < message.seq
    rig.take(FocusChanged(True))
    rig.draw()
    assert seen(rig) == message.seq


def test_where_nothing_reports_the_focus_a_key_counts_for_a_minute() -> None:
    rig = ScreenRig(focus=None)
    rig.take(KeyTyped())
    rig.driver.now += LOOKING_S - 1
    first = rig.say("within")
    assert seen(rig) == first.seq
    rig.driver.now += 2
    second = rig.say("later")
    assert seen(rig) == first.seq
    rig.take(KeyTyped())
    rig.draw()
    assert seen(rig) == second.seq


def _suspend(rig: ScreenRig) -> None:
    rig.take(ScreenHidden(True))


def _cover(rig: ScreenRig) -> None:
    rig.run("help")


def _go_to_list(rig: ScreenRig) -> None:
    rig.run("rooms")
    assert rig.view.layout.messages is None


def _too_small(rig: ScreenRig) -> None:
    rig.take(ScreenResized(10, 4))


def _bare(rig: ScreenRig) -> None:
    rig.run("bare")


def _back(rig: ScreenRig) -> None:
    rig.take(ScreenHidden(False), ScreenResized(60, 30))
    if rig.view.bare is not None:
        rig.run("bare")
    for _ in range(2):
        if rig.view.focus is not ScreenFocus.COMPOSER:
            rig.escape()
    rig.draw()


@pytest.mark.parametrize("hide", [_suspend, _cover, _go_to_list, _too_small, _bare])
def test_what_covers_the_messages_or_hides_them(hide: Callable[[ScreenRig], None]) -> None:
    rig = inside(size=(60, 30))
    before = rig.say("before")
    hide(rig)
    message = rig.say("hidden")
    rig.take(KeyTyped())
    rig.draw()
    assert seen(rig) == before.seq
    _back(rig)
    assert seen(rig) == message.seq


def test_the_list_in_front_gives_way_to_the_messages() -> None:
    rig = inside(size=(60, 30))
    rig.run("rooms")
    assert rig.state._context.pane is ScreenPane.CONVERSATIONS
    message = rig.say("behind the list")
    assert seen(rig) < message.seq
    rig.run("rooms")
    assert seen(rig) == message.seq


# --- going on to the next unread --------------------------------------------------------------------------------------


def with_unread(*rooms: str) -> tuple[ScreenRig, dict[str, list[Message]]]:
    """In the lobby, with two unread messages in each room."""
    rig = ScreenRig(*rooms)
    rig.submit("/join lobby")
    said = {room: [rig.say(f"{room} {number}", room) for number in range(2)] for room in rooms}
    return rig, said


def place(rig: ScreenRig) -> ConversationId:
    return rig.core.current


def next_unread(rig: ScreenRig, after_s: float) -> None:
    rig.driver.now += after_s
    rig.run("next_unread")


def test_who_reads_one_room_after_the_other_has_read_them() -> None:
    rig, said = with_unread("ops", "dev", "art")
    rooms = ["art", "dev", "ops"]  # the newest first
    next_unread(rig, 1.0)
    for room in rooms:
        assert place(rig) == rig.key(room)
        assert seen(rig, room) == 0
        next_unread(rig, GLANCE_S + 1)
        assert seen(rig, room) == said[room][-1].seq
    assert place(rig) == rig.key("ops")  # all is read
    assert [rig.core.conversations[rig.key(room)].unread for room in rooms] == [0, 0, 0]


def test_who_goes_through_the_rooms_quickly_reads_none_and_comes_round_to_all() -> None:
    rig, _ = with_unread("ops", "dev", "art")
    went = []
    for _ in range(6):
        next_unread(rig, 0.3)
        went.append(place(rig))
    assert went == [rig.key(room) for room in ("art", "dev", "ops")] * 2
    assert [seen(rig, room) for room in ("ops", "dev", "art")] == [0, 0, 0]


def test_a_room_that_was_passed_comes_first_again_with_its_next_message() -> None:
    rig, _ = with_unread("ops", "dev", "art")
    next_unread(rig, 0.3)
    next_unread(rig, 0.3)
    assert place(rig) == rig.key("dev")
    rig.say("news", "art")
    next_unread(rig, 0.3)
    assert place(rig) == rig.key("art")


def test_a_message_that_came_a_moment_ago_is_not_read_in_passing() -> None:
    rig, said = with_unread("ops", "dev")
    next_unread(rig, 1.0)
    assert place(rig) == rig.key("dev")
    rig.driver.now += GLANCE_S + 1
    late = rig.say("late", "dev")
    next_unread(rig, 0.5)
    assert seen(rig, "dev") == said["dev"][-1].seq < late.seq


def test_every_other_way_out_without_a_key_changes_nothing() -> None:
    rig, _ = with_unread("ops", "dev")
    next_unread(rig, 1.0)
    rig.driver.now += 10 * GLANCE_S
    rig.run("back")
    assert place(rig) == rig.key("lobby")
    assert seen(rig, "dev") == 0


def test_what_is_not_on_the_terminal_is_not_read_in_passing() -> None:
    rig, _ = with_unread("ops", "dev")
    rig.reads = False
    next_unread(rig, 1.0)
    next_unread(rig, 10 * GLANCE_S)
    assert place(rig) == rig.key("ops")
    assert seen(rig, "dev") == 0


def test_without_the_focus_nothing_is_read_in_passing() -> None:
    rig, _ = with_unread("ops", "dev")
    next_unread(rig, 1.0)
    rig.take(FocusChanged(False))
    next_unread(rig, 10 * GLANCE_S)
    assert seen(rig, "dev") == 0


def test_in_a_terminal_that_reports_no_focus_the_key_before_counts_for_a_minute() -> None:
    rig = ScreenRig("ops", "dev", focus=None)
    rig.submit("/join lobby")
    said = [rig.say(room, room) for room in ("ops", "dev")]
    next_unread(rig, 1.0)
    next_unread(rig, 2 * LOOKING_S)  # looked at for a minute, and then for who knows how long
    assert seen(rig, "dev") == said[1].seq


def test_what_was_put_back_to_unread_is_not_read_in_passing() -> None:
    rig, said = with_unread("ops", "dev")
    next_unread(rig, 1.0)
    rig.run("select")
    rig.run("unread_from_here")
    marks = seen(rig, "dev")
    next_unread(rig, 10 * GLANCE_S)
    assert seen(rig, "dev") == marks
    assert rig.core.conversations[rig.key("dev")].unread
    assert said["dev"]


def test_the_command_does_as_the_key() -> None:
    rig, said = with_unread("ops", "dev")
    rig.submit("/next")
    assert place(rig) == rig.key("dev")
    rig.driver.now += GLANCE_S + 1
    rig.submit("/next")
    assert place(rig) == rig.key("ops")
    assert seen(rig, "dev") == said["dev"][-1].seq


def test_the_palette_does_as_the_key() -> None:
    rig, said = with_unread("ops", "dev")
    next_unread(rig, 1.0)
    rig.driver.now += GLANCE_S + 1
    rig.run("palette")
    rig.choose("next unread")
    assert place(rig) == rig.key("ops")
    assert seen(rig, "dev") == said["dev"][-1].seq


def test_everything_is_read_also_where_only_the_server_has_told_of_it() -> None:
    rig = ScreenRig("ops")
    item = ConversationItem(peer=Person(7, "p7"), last_seq=40, unread=3, first_seq=38)
    rig.state.note([events.ConversationsShown((item,), True)])
    assert [row for row in rig.view.conversations if row.row.rstrip().endswith(" 3")]
    rig.run("read_all")
    assert actions.MarkSeen(PersonKey(7), 40) in rig.acts
    assert not [row for row in rig.view.conversations if row.row.rstrip().endswith(" 3")]
