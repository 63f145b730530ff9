"""What others do while one looks: another device, a purge, new names, hidden people; and clocks that jump."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from securechat import model as m
from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.state import PersonKey
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.view import (
    FocusChanged,
    KeyTyped,
    MoveSelection,
    NotifyUser,
    ScreenFocus,
    ScrollPane,
)
from securechat.client.ui.window.kept_windows import MOST_PUT_AWAY
from securechat.client.ui.window.seen_policy import LOOKING_S
from tests.support.screen_rig import ScreenRig, dialogue, text_of


@pytest.fixture
def rig() -> ScreenRig:
    rig = ScreenRig("ops")
    rig.submit("/join lobby")
    return rig


def hear(rig: ScreenRig, *server_events: m.Event) -> None:
    """The server says something of its own."""
    for each in server_events:
        rig.driver.hear(each)
        rig.note()
    rig.pump()


def row(rig: ScreenRig, name: str) -> str:
    """The row of a conversation in the list."""
    found = [str(each.row) for each in rig.view.conversations if name in each.row]
    assert len(found) == 1, found
    return found[0].rstrip()


# --- two devices ------------------------------------------------------------------------------------------------------


def test_what_was_read_on_another_device_is_read_here(rig: ScreenRig) -> None:
    first, last = rig.say("one", "ops"), rig.say("two", "ops")
    assert row(rig, "#ops").endswith(" 2")
    hear(rig, m.ReadElsewhere(first.seq, room="ops"))
    assert row(rig, "#ops").endswith(" 1")
    hear(rig, m.ReadElsewhere(last.seq, room="ops"))
    assert row(rig, "#ops").endswith("#ops")
    rig.run("next_unread")
    assert str(catalogue.screen.ALL_READ()) in rig.messages


def test_what_was_read_in_a_dialogue_on_another_device_is_read_here(rig: ScreenRig) -> None:
    message = rig.tell("psst")
    assert row(rig, "@p99").endswith(" 1")
    assert rig.view.title == "securechat (1)"
    hear(rig, m.ReadElsewhere(message.seq, peer=99))
    assert row(rig, "@p99").endswith("@p99")
    assert rig.view.title == "securechat"


def test_a_message_from_another_device_appears_once_and_is_not_unread(rig: ScreenRig) -> None:
    me = rig.core.me.id
    rig.say("from my phone", "lobby", by=me)
    rig.say("to another room", "ops", by=me)
    rig.submit("from here")
    assert rig.messages.count("from my phone") == 1
    assert rig.messages.count("from here") == 1
    assert row(rig, "#ops").endswith("#ops")
    assert not [each for each in rig.requests if isinstance(each, NotifyUser)]


# --- purged -----------------------------------------------------------------------------------------------------------


def purge(rig: ScreenRig, through: int, room: str = "lobby") -> None:
    server = rig.driver.server
    server.log = [each for each in server.log if each.room != room or each.seq > through]
    hear(rig, m.Purged(through, room))


def test_a_purge_takes_the_selected_message_and_its_actions() -> None:
    rig = ScreenRig()
    messages = [rig.say(f"text {number}") for number in range(3)]
    rig.run("select")
    rig.run("first")
    assert "text 0" in rig.selected
    purge(rig, messages[1].seq)
    assert "text 0" not in rig.messages
    assert "text 2" in rig.messages
    assert rig.selected == ""
    assert rig.view.focus is ScreenFocus.COMPOSER
    rig.run("reply")
    assert str(catalogue.screen.NO_MESSAGE_SELECTED()) in rig.messages


def test_a_purge_of_all_that_is_shown_leaves_a_room_that_goes_on() -> None:
    rig = ScreenRig()
    messages = [rig.say(f"text {number}") for number in range(100)]
    rig.take(ScrollPane(ScreenPane.MESSAGES, -40))
    assert not rig.state._context.window.following
    purge(rig, messages[-1].seq)
    assert "text" not in rig.messages
    rig.say("after it")
    rig.run("present")
    assert "after it" in rig.messages


def test_the_anchor_of_a_purged_message_goes_to_the_next_one_there_is() -> None:
    rig = ScreenRig(size=(100, 20))
    messages = [rig.say(f"text {number:03}") for number in range(200)]
    rig.take(ScrollPane(ScreenPane.MESSAGES, -100))
    top = next(each for each in str(rig.messages).split() if each.isdecimal())
    purge(rig, messages[int(top) + 20].seq)
    assert f"text {int(top) + 21:03}" in rig.messages
    before = rig.messages
    rig.say("news")
    assert rig.messages == before  # and it holds there


def test_a_reply_to_a_purged_message_is_told_and_its_text_stays() -> None:
    rig = ScreenRig()
    message = rig.say("gone soon")
    rig.run("select")
    rig.run("reply")
    rig.type("my answer")
    purge(rig, message.seq)
    assert text_of(rig.view.messages).count("gone soon") == 0
    assert str(rig.view.composer.above[0]) == str(catalogue.screen.REPLY_GONE())
    assert rig.view.composer.text in {"", "my answer"}
    assert rig.state.unsent.get(rig.core.current) == "my answer"


# --- names ------------------------------------------------------------------------------------------------------------


def test_the_other_one_of_an_open_dialogue_is_renamed(rig: ScreenRig) -> None:
    hear(rig, m.Presence("lobby", 2, joined=[m.Person(99, "p99")]))
    rig.tell("psst")
    rig.submit("/dm p99")
    rig.type("half a")
    hear(rig, m.Presence("lobby", 2, renamed=[m.Renaming(99, "p99", "zoe")]))
    assert str(rig.view.header) == "@zoe"
    assert str(rig.view.composer.prompt) == "@zoe > "
    assert row(rig, "@zoe").startswith("> ")
    assert rig.core.current == dialogue(99)
    assert rig.state.unsent.get(dialogue(99)) == "half a"
    assert not [each for each in rig.view.conversations if "p99" in each.row]


def test_a_member_is_renamed_while_the_keyboard_is_on_the_row(rig: ScreenRig) -> None:
    hear(rig, m.Presence("lobby", 4, joined=[m.Person(7, "ann"), m.Person(8, "bob"), m.Person(9, "cid")]))
    rig.run("members")
    rig.take(MoveSelection(1))
    assert [str(each.row).strip() for each in rig.view.members if each.selected] == ["bob"]
    hear(rig, m.Presence("lobby", 4, renamed=[m.Renaming(8, "bob", "zed")]))
    assert [str(each.row).strip() for each in rig.view.members if each.selected] == ["zed"]
    rig.choose()
    assert rig.core.current == PersonKey(8)


def test_a_room_is_renamed_while_it_is_open_and_the_keyboard_is_on_its_row(rig: ScreenRig) -> None:
    rig.submit("/join ops")
    rig.type("half a")
    rig.say("hello", "ops")
    rig.run("rooms")
    selected = [str(each.row).strip() for each in rig.view.conversations if each.selected]
    assert selected == ["> #ops"]
    hear(rig, m.RoomRules("dev", was="ops", by=m.Person(99, "p99")))
    assert [str(each.row).strip() for each in rig.view.conversations if each.selected] == ["> #dev"]
    assert str(rig.view.header).startswith("#dev")
    assert "hello" in rig.messages
    assert rig.state.unsent.get(rig.core.current) == "half a"


# --- hidden people ----------------------------------------------------------------------------------------------------


def test_of_a_hidden_person_nothing_is_seen_counted_or_notified(rig: ScreenRig) -> None:
    hear(rig, m.Presence("lobby", 3, joined=[m.Person(99, "p99"), m.Person(98, "p98")]))
    rig.say("before")
    rig.submit("/ignore p99")
    assert "before" not in rig.messages
    rig.take(FocusChanged(False))
    rig.requests.clear()
    rig.say("me, look", "ops")
    rig.say("unwanted")
    rig.tell("psst")
    hear(rig, m.TypingNow(m.Person(99, "p99"), "lobby"))
    assert "unwanted" not in rig.messages
    assert row(rig, "#ops").endswith("#ops")
    assert row(rig, "#lobby").endswith("#lobby")
    assert rig.view.title == "securechat"
    assert not [each for each in rig.requests if isinstance(each, NotifyUser)]
    assert "p99" not in rig.view.activity.row
    rig.take(FocusChanged(True))
    rig.run("next_unread")
    assert rig.core.current == rig.key("lobby")
    rig.submit("/ignore p99")
    assert "unwanted" in rig.messages


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process is Unix")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def said_at(rig: ScreenRig, *at: str) -> None:
    """Messages that the server stored at these times, UTC."""
    for number, each in enumerate(at):
        message = rig.driver.server.store(99, f"at {number}", room="lobby")
        at_ms = int(dt.datetime.fromisoformat(f"{each}+00:00").timestamp() * 1000)
        message = replace(message, sent_at_ms=at_ms)
        rig.driver.server.log[-1] = rig.driver.server.entries[-1] = message
        rig.driver.server.push(message)
    rig.pump()


@pytest.mark.usefixtures("berlin")
def test_days_are_those_of_the_user_also_when_summer_time_ends() -> None:
    rig = ScreenRig()
    # 23:30, 00:30, then 02:30 twice, once in summer time: four messages on two days
    said_at(rig, "2026-10-24 21:30", "2026-10-24 22:30", "2026-10-25 00:30", "2026-10-25 01:30")
    shown = [line for line in rig.messages.split("\n") if line.startswith("---- ") or "at " in line]
    days = [at for at, line in enumerate(shown) if line.startswith("---- ")]
    assert len(days) == 2, shown
    assert shown[days[0] + 1].endswith("at 0")
    assert shown[days[1] + 1].endswith("at 1")


@pytest.mark.usefixtures("berlin")
def test_days_follow_the_log_and_not_a_clock_that_went_back() -> None:
    rig = ScreenRig()
    said_at(rig, "2026-11-20 12:00", "2026-11-19 12:00", "2026-11-20 12:00")
    assert len([line for line in rig.messages.split("\n") if line.startswith("---- ")]) == 3
    assert [rig.messages.index(f"at {number}") for number in range(3)] == sorted(
        rig.messages.index(f"at {number}") for number in range(3)
    )


def test_a_day_of_sleep_ends_the_minute_of_a_key() -> None:
    rig = ScreenRig(focus=None)
    rig.take(KeyTyped())
    rig.driver.now += 86_400
    message = rig.say("in the night")
    assert not [each for each in rig.acts if isinstance(each, actions.MarkSeen) and each.seq >= message.seq]
    rig.take(KeyTyped())
    rig.driver.now += LOOKING_S / 2
    rig.draw()
    assert [each for each in rig.acts if isinstance(each, actions.MarkSeen)][-1].seq == message.seq


def test_a_day_of_sleep_while_offline_counts_down_to_nothing() -> None:
    rig = ScreenRig()
    rig.driver.cut()
    rig.note()
    assert "reconnecting in" in rig.view.status
    rig.driver.now += 86_400
    assert str(catalogue.screen.reconnecting(0)) in rig.view.status
    assert (deadline := rig.state.deadline()) is None or deadline >= 0


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_rooms_that_were_read_back_and_left_keep_a_part_and_no_rows() -> None:
    rooms = [f"room{number}" for number in range(5)]
    rig = ScreenRig(*rooms)
    for room in rooms:
        for number in range(MOST_PUT_AWAY + 300):
            rig.driver.server.store(99, f"{room} {number}", room=room)
    rig.driver.cut()
    rig.note()
    rig.pump()
    for room in rooms:
        rig.submit(f"/join {room}")
        while rig.state._context.window.kept[0].prev:
            rig.take(ScrollPane(ScreenPane.MESSAGES, -200))
            rig.pump()
        rig.take(ScrollPane(ScreenPane.MESSAGES, -2 * MOST_PUT_AWAY))
        assert f"{room} 0\n" in rig.messages
    windows = rig.state._context.windows
    for room in rooms[:-1]:
        window = windows.of(rig.key(room))
        assert len(window.kept) == MOST_PUT_AWAY
        assert not window._at._cache
        assert not windows.row_maker(rig.key(room))._blocks
    rig.submit(f"/join {rooms[0]}")
    rig.run("present")
    assert f"{rooms[0]} {MOST_PUT_AWAY + 299}" in rig.messages
