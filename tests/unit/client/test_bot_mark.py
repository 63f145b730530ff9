"""``[bot]`` stands behind the name of every bot, and no person's name can look as if it had that mark."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat import model as m
from securechat.client.catalogue.names import BOT_MARK, marked, named, quoted
from securechat.client.core import events
from securechat.client.core.actions import ModerateMember, ModerationVerb
from securechat.client.core.state import KEPT_PEOPLE, KnownPeople
from securechat.client.ui.rows.describe import sentence
from securechat.client.ui.rows.event_rows import MessageRows
from securechat.client.ui.rows.rendering import (
    change_json,
    change_line,
    hit_rows,
    json_line,
    message_rows,
    quote_row,
    sender,
    shown_name,
    tail_line,
)
from securechat.errors import Refusal
from securechat.text.names import check_name
from tests.support.core_driver import ChangingServer, Driver

BOT = m.Person(30, "deploy", bot=True)
ANN = m.Person(5, "ann")


def message(person: m.Person, text: str = "hi", seq: int = 7, **more: object) -> m.Message:
    return m.Message(
        seq,
        0,
        person.id,
        person.name,
        0,
        text,
        **{"room": "lobby", "bot": person.bot, **more},  # type: ignore[arg-type]
    )


def is_bot(number: int) -> bool:
    return number == BOT.id


# --- where it stands --------------------------------------------------------------------------------------------------


def test_it_stands_behind_the_name_in_every_row() -> None:
    one = message(BOT)
    assert message_rows(one, 80, number=3)[0][6:] == "[3] deploy [bot]: hi"
    assert message_rows(one, 80, room="ops")[0][6:] == "#ops deploy [bot]: hi"
    assert hit_rows(m.Hit(one), 80)[0].endswith("[7] #lobby deploy [bot]: hi")
    assert quote_row(one, 3, 80) == "      > [3] deploy [bot]: hi"
    assert tail_line(one) == "deploy [bot]: hi"
    gone = message(BOT, deleted=9)
    assert message_rows(gone, 80)[0].endswith("deploy [bot]")
    assert quote_row(gone, 3, 80).endswith("deploy [bot]")


def test_it_stands_behind_the_recipient_and_those_who_changed_a_message() -> None:
    direct = message(ANN, room=None, to=BOT.id, to_name="deploy")
    assert sender(direct, None, is_bot) == "ann @deploy [bot]"
    edited = message(ANN, edited=9, edited_by=BOT)
    assert message_rows(edited, 80)[0][6:] == "[edited by deploy [bot]] ann: hi"
    by_id = message(ANN, edited=9, edited_by=m.Person(BOT.id, "deploy"))
    assert tail_line(by_id, is_bot=is_bot) == "/edited by deploy [bot], ann: hi"
    change = m.Edited(9, 7, BOT.id, "deploy", 0, "lobby", text="ho")
    assert change_line(change, is_bot=is_bot) == "/edited deploy [bot]: ho"
    assert change_line(change, room="lobby", is_bot=is_bot) == "/edited #lobby deploy [bot]: ho"


def test_in_json_it_is_a_field_that_people_do_not_have() -> None:
    assert json.loads(json_line(message(BOT)))["bot"] is True
    assert json.loads(json_line(message(BOT)))["name"] == "deploy"
    assert "bot" not in json.loads(json_line(message(ANN)))
    edited = json.loads(json_line(message(ANN, edited=9, edited_by=BOT)))
    assert edited["edited_by"] == {"id": 30, "name": "deploy", "bot": True}
    change = m.Deleted(9, 7, BOT.id, "deploy", 0, "lobby")
    assert json.loads(change_json(change, is_bot))["bot"] is True
    assert "bot" not in json.loads(change_json(change))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.MembersJoined("lobby", (BOT, ANN)), "deploy [bot] and ann joined"),
        (events.MembersLeft("lobby", (BOT,)), "deploy [bot] left"),
        (events.MemberRenamed(30, "deploy", "ship it", bot=True), 'deploy [bot] is now known as "ship it" [bot]'),
        (events.RosterShown("ops", (ANN, BOT), 2), "In #ops (2): ann, deploy [bot]"),
        (events.IgnoreChanged(BOT, hidden=True), "Messages of deploy [bot] are now hidden"),
        (events.InvitedToRoom("ops", BOT), "deploy [bot] invited you to #ops. /join ops accepts"),
        (
            events.ModerationDone(ModerateMember("ops", ModerationVerb.KICK, "deploy"), BOT),
            "You kicked deploy [bot] from #ops",
        ),
    ],
)
def test_it_stands_in_every_sentence(event: events.UiEvent, text: str) -> None:
    core = Driver().core
    assert sentence(event, core.current, 1) == text


def test_those_who_are_in_a_room_that_is_entered() -> None:
    core = Driver().core
    entered = sentence(events.RoomJoined("ops", (BOT, ANN), 3), core.current, 1)
    assert entered is not None
    assert "Also here: deploy [bot], ann" in entered
    elsewhere = sentence(events.RoomJoined("ops", (BOT,), 2, elsewhere=True), core.current, 1)
    assert elsewhere is not None
    assert "Also there: deploy [bot]" in elsewhere


# --- what the core knows ----------------------------------------------------------------------------------------------


def test_a_bot_is_known_from_its_messages_and_its_presence_and_stays_one_under_another_name() -> None:
    one = Driver(ChangingServer())
    one.settle()
    one.hear(m.Presence("lobby", 2, joined=[BOT]))
    one.hear(m.Presence("lobby", 2, renamed=[m.Renaming(BOT.id, "deploy", "ship")]))
    assert one.core.rooms["lobby"].people[BOT.id] == m.Person(BOT.id, "ship", bot=True)
    assert one.all(events.MemberRenamed) == [events.MemberRenamed(BOT.id, "deploy", "ship", bot=True)]
    one.hear(message(m.Person(31, "alert", bot=True)))
    assert one.core.is_bot(31)
    one.hear(m.Deleted(9, 7, 31, "alert", 0, "lobby"))
    assert one.core.is_bot(31)
    assert not one.core.is_bot(ANN.id)


def test_bots_are_forgotten_with_the_names() -> None:
    people = KnownPeople()
    people.see(1, "deploy", bot=True)
    for number in range(2, KEPT_PEOPLE + 2):
        people.see(number, "x")
    assert not people.is_bot(1)
    people.see(3, "x", bot=True)
    people.forget()
    assert not people.is_bot(3)


def test_rows_of_what_a_bot_changes_and_reacts_to_have_the_mark() -> None:
    one = Driver(ChangingServer())
    one.settle()
    shown = MessageRows(one.core)
    one.hear(m.Presence("lobby", 3, joined=[BOT, ANN]))
    one.hear(message(ANN, seq=7))
    one.hear(m.Reacted(8, 7, BOT.id, "deploy", 0, "lobby", sign="+1"))
    one.hear(m.Deleted(9, 7, BOT.id, "deploy", 0, "lobby"))
    rows = [str(row) for event in one.told for row in shown.rows(event, 80) or ()]
    assert rows[-1] == "-- deploy [bot] deleted [7] by ann"
    one.hear(message(ANN, seq=10))
    one.hear(m.Reacted(11, 10, BOT.id, "deploy", 0, "lobby", sign="+1"))
    one.told[:] = one.told[-2:]
    for event in one.told:
        shown.rows(event, 80)
    assert [str(row) for row in shown.gathered(80)][-1].endswith("+1: deploy [bot]")


# --- what cannot be taken for it --------------------------------------------------------------------------------------

IMITATIONS = ["deploy [bot]", "deploy[bot]", "x [BOT]", "x [b0t]", "x [bоt]", "x ⟦bot⟧", "x ［bot］", "x [ bot ]",
              "[bot] x", "x 【bot】", "x (bot)", '"deploy" [bot]']  # fmt: skip


@pytest.mark.parametrize("raw", IMITATIONS)
def test_a_person_called_like_a_bot_stands_in_quotes(raw: str) -> None:
    name = check_name(raw)
    row = message_rows(message(m.Person(5, name)), 80)[0]
    doubled = name.replace('"', '""')
    assert row[6:] == f'"{doubled}": hi'
    assert quoted(name) == f'"{doubled}"'
    assert tail_line(message(m.Person(5, name))) == f'"{doubled}": hi'
    roster = sentence(events.RosterShown("ops", (m.Person(5, name),), 1), Driver().core.current, 1)
    assert roster == f'In #ops (1): "{doubled}"'


@pytest.mark.parametrize("name", ["ann", "robot", "bot", "ann bot", "ann (hr)", "ann [x]", "bot-1", "a_bot"])
def test_other_names_stand_as_they_are(name: str) -> None:
    assert message_rows(message(m.Person(5, name)), 80)[0][6:] == f"{name}: hi"


@given(st.text(st.sampled_from('ab[]{}()"“ bot0tоBO⟦⟧-_.'), min_size=1, max_size=20), st.booleans())
def test_only_the_name_of_a_bot_ends_in_the_mark(raw: str, bot: bool) -> None:
    try:
        name = check_name(raw)
    except Refusal:
        return
    person = m.Person(5, name, bot=bot)
    for shown in (sender(message(person)), marked(shown_name(person)), quoted(shown_name(person))):
        assert shown.endswith(BOT_MARK) is bot


def test_a_name_is_marked_once_and_an_empty_one_not_at_all() -> None:
    assert marked(named("deploy", bot=True)) == "deploy [bot]"
    assert quoted(named("de ploy", bot=True)) == '"de ploy" [bot]'
    assert quoted(named("", bot=True)) == "/deleted account/"
    assert sender(message(m.Person(30, "", bot=True))) == "/deleted account/"
