"""The list of conversations after any events is the list made anew, and is made anew only where it must be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securechat import model as m
from securechat.client.core import events
from securechat.client.ui.screen_model import conversation_list, conversation_pane
from securechat.client.ui.screen_model.conversation_list import ordered
from securechat.client.ui.screen_model.view import CloseOverlay, FocusChanged, KeyTyped
from tests.support.screen_rig import ScreenRig

ROOMS = ("lobby", "ops", "dev", "art")
PEOPLE = (97, 98, 99)
MANY = 10_000

STEPS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(ROOMS), st.sampled_from(PEOPLE)),
    st.tuples(st.just("tell"), st.sampled_from(PEOPLE)),
    st.tuples(st.just("mine"), st.sampled_from(ROOMS)),
    st.tuples(st.just("go"), st.sampled_from(ROOMS)),
    st.tuples(st.just("read"), st.sampled_from(ROOMS)),
    st.tuples(st.just("rename"), st.sampled_from(PEOPLE), st.integers(0, 9)),
    st.tuples(st.just("join"), st.sampled_from(PEOPLE)),
    st.tuples(st.just("leave"), st.sampled_from(PEOPLE)),
    st.tuples(st.just("ignore"), st.sampled_from(PEOPLE)),
    st.tuples(st.just("purge"), st.sampled_from(ROOMS)),
    st.tuples(st.just("part"), st.sampled_from(ROOMS[1:])),
    st.tuples(st.just("action"), st.sampled_from(["next_unread", "back", "read_all", "unread_from_here", "present"])),
    st.tuples(st.just("notify"), st.sampled_from(["all", "mentions", "none"])),
    st.tuples(st.just("focus"), st.booleans()),
    st.tuples(st.just("cut")),
)


def take(rig: ScreenRig, step: tuple[object, ...]) -> None:
    kind, *what = step
    server, here = rig.driver.server, what[0] if what else ""
    match kind:
        case "say" if here in server.rooms:
            rig.say(f"hello @{rig.core.me.name}", str(here), by=int(str(what[1])))
        case "tell":
            rig.tell("psst", by=int(str(here)))
        case "mine" if here in server.rooms:
            rig.say("from elsewhere", str(here), by=rig.core.me.id)
        case "go" if here in server.rooms:
            rig.submit(f"/join {here}")
        case "read":
            hear(rig, m.ReadElsewhere(server.fed, room=str(here)))
        case "rename":
            hear(rig, m.Presence("lobby", 3, renamed=[m.Renaming(int(str(here)), "old", f"name{what[1]}")]))
        case "join":
            hear(rig, m.Presence("lobby", 3, joined=[m.Person(int(str(here)), f"p{here}")]))
        case "leave":
            hear(rig, m.Presence("lobby", 2, left=[m.Person(int(str(here)), f"p{here}")]))
        case "ignore":
            rig.submit(f"/ignore p{here}")
        case "purge":
            hear(rig, m.Purged(server.fed, str(here)))
        case "part" if here in server.rooms:
            rig.submit(f"/leave {here}")
        case "action":
            rig.run(str(here))
        case "notify":
            rig.submit(f"/notify {here}")
        case "focus":
            rig.take(FocusChanged(bool(here)), KeyTyped())
        case "cut":
            rig.driver.cut()
            rig.note()
            rig.pump()
    rig.take(CloseOverlay())


def hear(rig: ScreenRig, event: m.Event) -> None:
    rig.driver.hear(event)
    rig.note()
    rig.pump()


@given(st.lists(STEPS, max_size=20))
@settings(deadline=None, max_examples=60)
def test_the_list_is_what_it_would_be_made_anew(steps: list[tuple[object, ...]]) -> None:
    rig = ScreenRig(*ROOMS[1:])
    pane = rig.state._context.conversations
    for step in steps:
        take(rig, step)
        rig.draw()
        assert list(pane._shown) == ordered(pane._all()), step


def with_many(count: int = MANY) -> ScreenRig:
    """A user with many dialogues."""
    rig = ScreenRig("ops")
    items = [m.ConversationItem(peer=m.Person(1000 + number, f"p{number}"), last_seq=1) for number in range(count)]
    rig.state.note([events.ConversationsShown(tuple(items), True)])
    rig.draw()
    return rig


def test_with_many_conversations_a_message_sorts_nothing_and_makes_only_the_rows_that_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = with_many()
    made, sorts = [], []
    row = conversation_pane.ScreenList._row
    monkeypatch.setattr(conversation_list, "ordered", lambda each: sorts.append(1) or ordered(each))
    monkeypatch.setattr(conversation_pane.ScreenList, "_row", lambda *each: made.append(1) or row(*each))
    monkeypatch.setattr(conversation_pane.ScreenList, "_all", lambda _: pytest.fail("all of it was made anew"))
    for number in range(10):
        rig.say(f"text {number}", "ops" if number % 2 else "lobby")
    assert sorts == []
    field = rig.view.layout.conversations
    assert field is not None
    made.clear()
    rig.state.view()
    assert len(made) <= field.rows
    assert len(rig.view.conversations) == field.rows


def test_with_many_members_one_who_joins_makes_only_the_rows_that_fit() -> None:
    rig = ScreenRig()
    people = [m.Person(1000 + number, f"member {number:04}") for number in range(5_000)]
    hear(rig, m.Presence("lobby", 5_001, joined=people))
    rig.take(KeyTyped())
    hear(rig, m.Presence("lobby", 5_002, joined=[m.Person(7, "a first one")]))
    field = rig.view.layout.members
    assert field is not None
    assert len(rig.view.members) == field.rows
    assert "5,002 members" in rig.view.members[0].row or "5002 members" in rig.view.members[0].row
    assert str(rig.view.members[1].row) == "a first one"
