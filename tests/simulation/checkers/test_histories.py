"""What users saw and senders were told, held against the log: honest histories pass, each kind of defect is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from securechat.client.core import events
from securechat.client.core.events import UiEvent
from securechat.client.core.events.account import IdentityChanged
from securechat.client.core.events.messages import MessageChanged
from securechat.client.core.events.rooms import RoomSettingsChanged
from securechat.client.core.state import KEPT_MESSAGES, ConversationId, KnownRooms, PersonKey
from securechat.errors import ErrorCode
from securechat.model import (
    Delete,
    Deleted,
    Direct,
    Edit,
    Edited,
    Joined,
    Message,
    MessageChange,
    Person,
    React,
    Reacted,
    Reaction,
    RoomRules,
    Say,
    Welcome,
)
from securechat.testing.acks import HistoryBroken
from tests.simulation.checkers.histories import Display, check_streams
from tests.simulation.checkers.wire_checks import SentDraft, Stream

ME, BOB, EVE = 1, 2, 3
KNOWN_ROOMS = KnownRooms()
LOBBY: ConversationId = KNOWN_ROOMS.named("lobby")
LINES = [events.PendingMessage(number, LOBBY, f"line {number}") for number in (1, 2, 3)]


def msg(seq: int, sender_id: int = BOB, **more: Any) -> Message:
    text = more.pop("text", f"text {seq}")
    return Message(seq, 0, sender_id, "somebody", 0, text, **({"room": "lobby"} if "to" not in more else {}), **more)


def shown(message: Message) -> events.MessageShown:
    return events.MessageShown(message, KNOWN_ROOMS.conversation_of(message, ME), own=False)


def amended(change: MessageChange, message: Message | None) -> MessageChanged:
    return MessageChanged(change, KNOWN_ROOMS.conversation_of(change, ME), message)


def edited(seq: int, target: int, text: str = "mended") -> Edited:
    return Edited(seq, target, BOB, "bob", 0, "lobby", text=text)


def display(*ui_events: UiEvent, live_from: int = 10) -> Display:
    """Somebody who came to the lobby, and was told this."""
    one = Display("ann")
    one.welcomed(Welcome(1, "server/1", ME, "ann", live_from))
    one.joined(Joined("lobby", live_from, 1))
    one.tell(events.RoomJoined("lobby", (), 1))
    for ui_event in ui_events:
        one.tell(ui_event)
    return one


# --- A display, while it is told --------------------------------------------------------------------------------------


def test_an_honest_life_passes() -> None:
    rows = [
        msg(9),
        msg(11, text="mended", edited=14),
        msg(12, to=ME),
        msg(13, text="", deleted=15),
        msg(16, reactions=[Reaction("+", [EVE])]),
    ]
    one = display(
        shown(msg(11)),
        shown(rows[2]),
        shown(msg(13)),
        amended(edited(14, 11), rows[1]),
        amended(Deleted(15, 13, BOB, "bob", 0, "lobby"), rows[3]),
        shown(rows[4]),
    )
    one.check(rows, converged=True)
    one.lines = dict.fromkeys((1, 2, 3))
    for ui_event in (
        events.MessageAcked(LINES[0], 11),
        events.MessageRefused(LINES[1], ErrorCode.NOT_FOUND, ""),
        events.MessagesLost((LINES[2],)),
        events.ClientEnded(events.EndReason.QUIT),
    ):
        one.tell(ui_event)
    assert one.lines == {1: "acked", 2: "refused", 3: "lost"}
    one.check(rows, converged=True)


def test_a_reaction_to_a_message_that_the_core_has_let_go_is_on_the_display() -> None:
    """Found by kill -9 in a flood: the core fell 500 messages behind the message that its user reacted to."""
    reaction = Reacted(1000, 11, ME, "ann", 0, "lobby", sign="+")
    rows = [msg(11, reactions=[Reaction("+", [ME])]), *(msg(12 + number) for number in range(KEPT_MESSAGES))]
    one = display(shown(msg(11)), *map(shown, rows[1:]), amended(reaction, None))
    one.check(rows, converged=True)


def lies() -> Iterator[tuple[str, list[UiEvent], str]]:
    yield "twice", [shown(msg(11)), shown(msg(11))], "shown twice"
    yield "out of order", [shown(msg(12)), shown(msg(11))], "shown after 12"
    yield "elsewhere", [shown(replace(msg(11), room="ops"))], "outside of it"
    yield "after leaving", [events.RoomLeft("lobby"), shown(msg(11))], "outside of it"
    foreign = events.MessageShown(msg(11, to=EVE), PersonKey(BOB), own=False)
    yield "others' dialogue", [foreign], "others' dialogue"
    yield "a change elsewhere", [amended(replace(edited(12, 11), room="ops"), None)], "outside of it"
    yield "a change twice", [amended(edited(12, 11), None), amended(edited(12, 11), None)], "told after 12"
    yield "changes in disorder", [amended(edited(13, 11), None), amended(edited(12, 11), None)], "told after 13"
    new = shown(msg(11, text="new", edited=13))
    yield "an edit taken back", [new, amended(edited(14, 11), msg(11, text="old", edited=12))], "after it had been"
    gone = shown(msg(11, text="", deleted=12))
    yield "a resurrection", [gone, amended(edited(13, 11), msg(11, text="x", edited=13))], "after it had been"
    yield (
        "a line twice",
        [events.MessageAcked(LINES[0], 11), events.MessageAcked(LINES[0], 11)],
        "line 1 is acked, and acked",
    )
    refused = events.MessageRefused(LINES[0], ErrorCode.INVALID, "")
    yield "a line both ways", [events.MessageAcked(LINES[0], 11), refused], "line 1 is acked, and refused"
    yield "a message let go", [shown(msg(11)), amended(edited(12, 11), None)], "was left out, after 0 others"
    yield "another log", [events.HistoryReset()], "another log"
    yield "another self", [IdentityChanged(Person(9, "ann"))], "somebody else"


@pytest.mark.parametrize(("ui_events", "sentence"), [pytest.param(*rest, id=name) for name, *rest in lies()])
def test_each_lie_is_seen_when_it_is_told(ui_events: list[UiEvent], sentence: str) -> None:
    one = display(*ui_events[:-1])
    with pytest.raises(HistoryBroken, match=sentence):
        one.tell(ui_events[-1])


def test_no_line_is_forgotten_at_the_end() -> None:
    one = display()
    one.lines = {1: None}
    with pytest.raises(HistoryBroken, match="is over, and line 1"):
        one.tell(events.ClientEnded(events.EndReason.QUIT))


def test_a_room_that_is_called_something_else_is_the_same_room() -> None:
    rules = RoomRules("works", was="lobby")
    one = display(shown(msg(11)), RoomSettingsChanged(rules, RoomRules("lobby")), shown(replace(msg(12), room="works")))
    rows = [replace(msg(seq), room="works") for seq in (11, 12)]
    one.check(rows, converged=True)
    with pytest.raises(HistoryBroken, match="message 13 of #works was never shown"):
        one.check([*rows, replace(msg(13), room="works")], converged=True)


def test_whoever_follows_somebody_deleted_has_the_lines_and_none_of_the_past() -> None:
    one = display(shown(msg(11)))
    one.lines = {1: None}
    after = one.successor()
    after.tell(IdentityChanged(Person(9, "ann")))
    assert (after.lines, one.lines, after.shown) == ({1: None}, {}, {})
    one.check([msg(11), msg(12)], converged=True)  # is over: what came later is not missing


# --- A display, held against the log ----------------------------------------------------------------------------------

ROWS = [msg(9), msg(11, text="mended", edited=14), msg(12, to=ME), msg(13)]
SEEN = [shown(msg(11)), shown(ROWS[2]), shown(ROWS[3]), amended(edited(14, 11), ROWS[1])]


def test_what_is_complete_and_up_to_date_passes() -> None:
    display(*SEEN).check(ROWS, converged=True)


def shortcomings() -> Iterator[tuple[str, list[UiEvent], list[Message], str]]:
    """What somebody is told, what there is, and what is wrong about it."""
    yield "a message missed", [SEEN[1], SEEN[2]], ROWS, "message 11 of #lobby was never shown"
    yield "the last one missed", SEEN[:2], [ROWS[0], msg(11), *ROWS[2:]], "message 13 of #lobby was never shown"
    yield "a direct message missed", [SEEN[0], SEEN[2], SEEN[3]], ROWS, "of a dialogue was never shown"
    yield "an edit missed", SEEN[:3], ROWS, "message 11 is shown as"
    yield "a deletion missed", SEEN, [*ROWS[:3], msg(13, text="", deleted=15)], "message 13 is shown as"
    yield "a reaction missed", SEEN, [*ROWS[:3], msg(13, reactions=[Reaction("+", [EVE])])], "message 13 is shown as"
    twice = [*SEEN, amended(edited(15, 11, "again"), msg(11, text="again", edited=15))]
    yield "an edit made up", twice, ROWS, "message 11 is shown as"
    yield "a message made up", [*SEEN, shown(msg(16))], ROWS, "the log does not have it"
    yield "somebody else's", SEEN, [*ROWS[:3], replace(msg(13), sender_id=EVE)], "message 13 was shown as"
    yield "another answer", SEEN, [*ROWS[:3], replace(msg(13), reply=11)], "message 13 was shown as"
    yield "another time", SEEN, [*ROWS[:3], replace(msg(13), sent_at_ms=1)], "message 13 was shown as"


@pytest.mark.parametrize(
    ("ui_events", "rows", "sentence"), [pytest.param(*rest, id=name) for name, *rest in shortcomings()]
)
def test_each_shortcoming_is_seen_at_the_end(ui_events: list[UiEvent], rows: list[Message], sentence: str) -> None:
    one = display(*ui_events)
    with pytest.raises(HistoryBroken, match=sentence):
        one.check(rows, converged=True)


def test_a_line_nobody_answered_is_seen_at_the_end() -> None:
    one = display(*SEEN)
    one.lines = {1: None}
    with pytest.raises(HistoryBroken, match="line 1 was neither"):
        one.check(ROWS, converged=True)
    one.check(ROWS, converged=False)


def test_who_has_left_need_not_know_how_it_went_on() -> None:
    one = display(*SEEN[:2], events.RoomLeft("lobby"))
    one.check([*ROWS[:1], msg(11, text="else", edited=20), *ROWS[2:]], converged=True)


def test_a_gap_is_one_also_for_who_has_left() -> None:
    one = display(SEEN[2], events.RoomLeft("lobby"))
    with pytest.raises(HistoryBroken, match="message 11 of #lobby was never shown"):
        one.check([ROWS[1], ROWS[3]], converged=True)


def test_what_may_be_gone_may_be_gone() -> None:
    rows = [ROWS[0], ROWS[2], replace(ROWS[3], reactions=[])]
    one = display(*SEEN[:2], shown(msg(13, reactions=[Reaction("+", [EVE])])))
    one.check(rows, converged=True, gone=lambda seq: seq == 11, taken_back={EVE})
    with pytest.raises(HistoryBroken, match="message 13 is shown"):
        one.check(rows, converged=True, gone=lambda seq: seq == 11)
    with pytest.raises(HistoryBroken, match="the log does not have it"):
        one.check(rows, converged=True, taken_back={EVE})


def test_a_room_without_a_past_owes_nothing_of_it() -> None:
    one = display(shown(msg(13)))
    rows = [msg(11), msg(13)]
    one.check(rows, converged=True, reads_above=lambda room, who: 11 if (room, who) == ("lobby", ME) else 0)
    with pytest.raises(HistoryBroken, match="message 11"):
        one.check(rows, converged=True)


# --- What everybody sent ----------------------------------------------------------------------------------------------

SAID = {
    1: SentDraft(Say(1, "lobby", "one"), 0, seq=1),
    2: SentDraft(Direct(2, BOB, "two"), 0, seq=2),
    3: SentDraft(Edit(3, 1, "mended", "lobby"), 0, seq=3),
    4: SentDraft(React(4, 2, "+", to=BOB), 0, seq=4),
    5: SentDraft(React(5, 2, "+", to=BOB, on=False), 0, seq=5),
    6: SentDraft(Say(6, "lobby", "six"), 0, seq=6),
    7: SentDraft(Delete(7, 6, "lobby"), 0, seq=7),
    8: SentDraft(Say(8, "lobby", "under way"), 0),
}
LOG = [
    msg(1, ME, text="mended", edited=3),
    msg(2, ME, text="two", to=BOB),
    msg(6, ME, text="", deleted=7),
]
CHANGES: list[MessageChange] = [
    Edited(3, 1, ME, "ann", 0, "lobby"),
    Reacted(4, 2, ME, "ann", 0, to=BOB, sign="+"),
    Reacted(5, 2, ME, "ann", 0, to=BOB, sign="+", on=False),
    Deleted(7, 6, ME, "ann", 0, "lobby"),
]


def test_what_was_acknowledged_and_is_there_passes() -> None:
    check_streams([Stream(ME, SAID), Stream(BOB, {}, earlier=[Stream(ME, SAID)])], LOG, CHANGES)


def losses() -> Iterator[tuple[str, list[Message], list[MessageChange], str]]:
    """What the log has instead, and which draft is missed."""
    for index, draft in ((1, 2), (0, 1)):
        yield f"message {draft}", [*LOG[:index], *LOG[index + 1 :]], CHANGES, f"draft {draft} of 1"
    for index, draft in enumerate((3, 4, 5, 7)):
        yield f"change {draft}", LOG, [*CHANGES[:index], *CHANGES[index + 1 :]], f"draft {draft} of 1"
    yield "another text", [LOG[0], replace(LOG[1], text="to"), LOG[2]], CHANGES, "draft 2"
    yield "another sender", [LOG[0], replace(LOG[1], sender_id=BOB), LOG[2]], CHANGES, "draft 2"
    yield "an edit undone", [replace(LOG[0], text="one", edited=None), *LOG[1:]], CHANGES, "draft 1|draft 3"
    yield "an edit that says something else", [replace(LOG[0], text="else"), *LOG[1:]], CHANGES, "draft 3"
    yield "a deletion undone", [*LOG[:2], replace(LOG[2], text="six", deleted=None)], CHANGES, "draft 7"
    yield "a deletion that leaves the text", [*LOG[:2], replace(LOG[2], text="six")], CHANGES, "draft 7"
    yield "the contrary", LOG, [CHANGES[0], replace(CHANGES[1], on=False), *CHANGES[2:]], "draft 4"
    yield "another sign", LOG, [CHANGES[0], replace(CHANGES[1], sign="-"), *CHANGES[2:]], "draft 4"
    yield "another target", LOG, [replace(CHANGES[0], target=2), *CHANGES[1:]], "draft 3"
    yield "somebody else's change", LOG, [replace(CHANGES[0], sender_id=BOB), *CHANGES[1:]], "draft 3"
    yield "another kind", LOG, [Deleted(3, 1, ME, "ann", 0, "lobby"), *CHANGES[1:]], "draft 3"


@pytest.mark.parametrize(
    ("rows", "changes", "sentence"), [pytest.param(*rest, id=f"{name} lost") for name, *rest in losses()]
)
def test_each_loss_is_seen(rows: list[Message], changes: list[MessageChange], sentence: str) -> None:
    for stream in (Stream(ME, SAID), Stream(BOB, {}, earlier=[Stream(ME, SAID)])):
        with pytest.raises(HistoryBroken, match=sentence):
            check_streams([stream], rows, changes)


def test_what_may_vanish_is_not_missed() -> None:
    check_streams([Stream(ME, SAID)], LOG[1:], CHANGES[1:], gone=lambda seq: seq in {1, 3})


def test_a_double_is_seen() -> None:
    with pytest.raises(HistoryBroken, match="stored twice"):
        check_streams([], [*LOG, replace(LOG[1], seq=8)])


def test_an_order_turned_round_is_seen() -> None:
    drafts = {1: replace_seq(SAID[1], 2), 2: replace_seq(SAID[2], 1)}
    with pytest.raises(HistoryBroken, match="overtook"):
        check_streams([Stream(ME, drafts)], [msg(1, ME, text="two", to=BOB), msg(2, ME, text="one")])


def test_a_later_edit_or_a_deletion_may_stand_in_the_place_of_an_edit() -> None:
    for row in (msg(1, ME, text="later", edited=9), msg(1, ME, text="", edited=3, deleted=9)):
        check_streams([Stream(ME, {number: SAID[number] for number in (1, 3)})], [row], CHANGES)


def replace_seq(draft: SentDraft, seq: int) -> SentDraft:
    return SentDraft(draft.command, draft.floor_seq, seq=seq)
