"""Rooms with rules, messages that are mended and found, what was not read: as the core handles them."""

from __future__ import annotations

import math
import time

import pytest
from msgspec.structs import replace

from securechat import model as m
from securechat.client.catalogue.rooms import span
from securechat.client.core import actions, events
from securechat.client.core.actions import ModerationVerb
from securechat.client.core.credentials import Credentials
from securechat.client.core.send_queue import WINDOW
from securechat.client.core.state import ConnectionPhase, PersonKey, Visibility
from securechat.client.core.timing import TYPING_BELIEVED_S, TYPING_NOTICE_S
from securechat.client.ui.message_numbers import MessageNumbers, NumberedMessage
from securechat.client.ui.rows.describe import sentence
from securechat.client.ui.rows.event_rows import MessageRows
from securechat.client.ui.rows.rendering import day_at_ms, local_day
from securechat.errors import ErrorCode
from tests.support.core_driver import SECRET, ChangingServer, Driver

ANN = m.Person(5, "ann")
ME = m.Person(1, "me")


def online(**options: object) -> Driver:
    driver = Driver(ChangingServer(), **options)
    driver.settle()
    driver.told.clear()
    driver.sent.clear()
    return driver


def account(*, first: bool = True, visibility: Visibility = Visibility.ALL) -> Driver:
    """An account that belongs to ops; the server has not said yet what was not read."""
    one = Driver(credentials=Credentials(SECRET, tokens={"me": "0" * 32}), visibility=visibility, typing=True)
    one.tick()
    greet(one)
    if first:
        one.told.clear()
    return one


def greet(one: Driver, *, rooms: tuple[str, ...] = ("ops",), live_from: int = 10) -> None:
    one.hear(m.Welcome(1, "server", ME.id, "me", live_from, account=True))
    for room in ("lobby", *rooms):
        one.hear(m.Joined(room, live_from, 1, [ME], role="member"))


def again(one: Driver, **how: object) -> None:
    one.server.connected = True
    one.cut()
    one.told.clear()
    one.sent.clear()
    one.tick()
    greet(one, **how)  # type: ignore[arg-type]


def asked(one: Driver, kind: type) -> int:
    return next(command.ref for command in reversed(one.sent) if isinstance(command, kind))  # type: ignore[attr-defined]


def unread(one: Driver, *items: m.UnreadItem) -> None:
    one.hear(m.UnreadList(asked(one, m.AskUnread), list(items)))


def message(seq: int, text: str = "x", room: str = "ops", **more: object) -> m.Message:
    return m.Message(seq, 0, ANN.id, ANN.name, 0, text, room, **more)  # type: ignore[arg-type]


def said(one: Driver) -> list[str]:
    sentences = (sentence(happening, one.core.current, one.core.me.id) for happening in one.told)
    return [said for said in sentences if said]


# --- messages ---------------------------------------------------------------------------------------------------------


def test_answers_edits_deletions_and_reactions_are_lines_kept_until_acknowledged() -> None:
    one = online()
    one.cut()
    one.want(actions.SendMessage("yes", one.core.room("lobby"), reply=7))
    one.want(actions.ChangeMessage(one.core.room("lobby"), m.RevisionKind.EDIT, 7, "new"))
    one.want(actions.ChangeMessage(PersonKey(5), m.RevisionKind.DELETE, 8))
    one.want(actions.ChangeMessage(one.core.room("lobby"), m.RevisionKind.UNREACT, 7, emoji="+"))
    assert said(one)[-4:] == [
        "Waiting to be sent: yes",
        "Waiting to be sent: (edit) new",
        "Waiting to be sent: (deletion)",
        "Waiting to be sent: (reaction) +",
    ]
    one.settle()
    kinds = (m.Say, m.Edit, m.Delete, m.React)
    assert [command for command in one.sent if isinstance(command, kinds)] == [
        m.Say(1, "lobby", "yes", 7),
        m.Edit(2, 7, "new", "lobby"),
        m.Delete(3, 8, to=5),
        m.React(4, 7, "+", "lobby", on=False),
    ]
    assert one.core.unsent == ()


def test_an_edit_that_was_replaced_before_it_came_is_not_told() -> None:
    one = online()
    one.server.batch([("lobby", "a")])
    one.settle()
    seq = one.server.fed
    one.hear(m.Edited(seq + 1, seq, 99, "p99", 0, "lobby"))
    assert not one.all(events.MessageChanged)
    one.hear(m.Deleted(seq + 2, seq, 99, "p99", 0, "lobby"))
    one.hear(m.Edited(seq + 3, seq, 99, "p99", 0, "lobby", text="late"))
    [amended] = one.all(events.MessageChanged)
    assert amended.message is not None
    assert (amended.message.text, amended.message.deleted) == ("", seq + 2)


def test_a_numbered_message_is_the_one_that_the_core_keeps_and_no_copy() -> None:
    one = online()
    rows = MessageRows(one.core)
    one.server.batch([("lobby", "a")])
    one.settle()
    one.server.change(one.server.fed, "edit", text="b")  # type: ignore[attr-defined]
    one.settle()
    for ui_event in one.told:
        rows.note(ui_event)
    kept = one.core.find_message(one.core.room("lobby"), one.server.log[0].seq)
    assert kept is not None
    assert kept.text == "b"
    assert rows.numbers.message(kept.seq) is kept


def test_a_reaction_is_shown_with_the_name_that_it_came_with() -> None:
    one = online()
    rows = MessageRows(one.core)
    one.server.batch([("lobby", "a")])
    one.settle()
    one.server.change(one.server.fed, "react", by=77)  # type: ignore[attr-defined]
    one.settle()
    assert not [row for ui_event in one.told for row in rows.rows(ui_event, 80) or [] if "p77" in str(row)]
    [row] = rows.gathered(80)
    assert "p77" in str(row)


def test_a_page_of_history_that_is_older_than_a_change_shows_the_change() -> None:
    one = online()
    for number in range(501):
        one.server.batch([("lobby", str(number))])
        one.settle()
    oldest = one.server.log[0].seq
    one.server.page_rows, one.server.slow_reader = 1_000, True  # type: ignore[attr-defined]
    one.want(actions.AskHistory(one.core.room("lobby"), 501))
    one.to_server()
    one.server.change(oldest, "edit", text="mended")  # type: ignore[attr-defined]
    one.to_client()
    one.server.finish_reading()  # type: ignore[attr-defined]
    one.to_client()
    one.server.slow_reader = False  # type: ignore[attr-defined]
    one.settle()
    assert one.all(events.HistoryLoaded)[0].messages[0].text == "mended"


def test_what_somebody_hidden_changes_is_hidden() -> None:
    one = online()
    one.server.batch([("lobby", "a")])
    one.settle()
    one.want(actions.IgnorePerson("p99"))
    one.server.change(one.server.log[0].seq, "edit", text="b")  # type: ignore[attr-defined]
    one.settle()
    assert not one.all(events.MessageChanged)


@pytest.mark.parametrize(("mentions", "rings"), [([1], True), ([5], False), ([], False)])
def test_a_message_that_mentions_me_names_me(mentions: list[int], *, rings: bool) -> None:
    one = online()
    one.hear(m.Message(9, 0, 5, "ann", 0, "hello", "lobby", mentions=mentions))
    assert one.all(events.MessageShown)[0].mentions_me is rings


# --- slow mode --------------------------------------------------------------------------------------------------------


def test_lines_for_a_room_in_slow_mode_wait_one_by_one_and_the_others_do_not() -> None:
    one = online(rooms=("ops",))
    one.say("a", "ops")
    one.say("b", "ops")
    one.hear(m.Acked(1, 20))
    one.hear(m.Refused(ErrorCode.SLOW_MODE, "wait 5 s", client_id=2, retry_after_s=5.0))
    assert said(one) == ["The room is in slow mode. Waiting to be sent in its turn: b"]
    one.say("c", "ops")
    one.say("elsewhere")
    assert said(one)[1:] == ["The room is in slow mode. Waiting to be sent in its turn: c"]
    texts = [command.text for command in one.sent if isinstance(command, m.Say)]
    assert texts == ["a", "b", "elsewhere"]
    assert one.core.deadline() == one.now + 5.0
    one.now += 5.0
    one.take(one.core.tick(one.now))
    texts = [command.text for command in one.sent if isinstance(command, m.Say)]
    assert texts == ["a", "b", "elsewhere", "b"]  # and c when that is in


def in_slow_mode_with(count: int) -> Driver:
    """A line for ops that slow mode holds back for 5 s, and so many for elsewhere that were sent."""
    one = online(rooms=("ops",))
    one.say("a", "ops")
    one.hear(m.Refused(ErrorCode.SLOW_MODE, "wait 5 s", client_id=1, retry_after_s=5.0))
    for _ in range(count):
        one.say("elsewhere")
    return one


def test_a_line_that_cannot_go_before_an_answer_wakes_nobody() -> None:
    one = in_slow_mode_with(WINDOW)
    one.now += 5.0
    assert (one.core.deadline() or math.inf) > one.now  # else the program would compute without a pause
    one.hear(m.Acked(2, 20))
    assert one.sent[-1] == m.Say(2 + WINDOW, "ops", "a")


def test_a_line_whose_room_is_ready_waits_for_the_end_of_a_pause() -> None:
    one = in_slow_mode_with(1)
    one.hear(m.Refused(ErrorCode.BUSY, "later", client_id=2, retry_after_s=30.0))
    one.now += 5.0
    assert (one.core.deadline() or math.inf) > one.now


def test_a_pause_longer_than_anybody_waits_is_told_instead() -> None:
    one = online()
    one.say("a")
    one.hear(m.Refused(ErrorCode.SLOW_MODE, "#lobby is in slow mode; wait 2 h", client_id=1, retry_after_s=7200.0))
    assert said(one) == ["#lobby is in slow mode; wait 2 h. Not sent: a"]


# --- direct messages, read back -------------------------------------------------------------------------------------


def direct(seq: int, at_ms: int = 0) -> m.Message:
    return m.Message(seq, 0, ANN.id, ANN.name, at_ms, f"direct {seq}", to=ME.id, to_name="me")


def test_direct_messages_are_read_back_by_the_name_of_a_member() -> None:
    one = online()
    one.hear(m.Presence("lobby", 2, joined=[ANN]))
    one.want(actions.ShowDirectHistory("Ann", 2))
    question = one.sent[-1]
    assert isinstance(question, m.History)
    assert (question.peer, question.room, question.limit) == (ANN.id, None, 2)
    one.hear(m.HistoryPage(question.ref, [direct(3), direct(4)], 4, more=True))
    [shown] = one.all(events.HistoryLoaded)
    assert ([each.seq for each in shown.messages], shown.key, shown.more) == ([3, 4], PersonKey(ANN.id), True)
    one.want(actions.ShowMore())
    earlier = one.sent[-1]
    assert isinstance(earlier, m.History)
    assert (earlier.peer, earlier.before) == (ANN.id, 3)


def test_a_stranger_is_looked_up_and_a_day_is_asked_for() -> None:
    one = online()
    one.want(actions.ShowDirectHistory("ann", at_ms=500))
    assert one.sent[-1] == m.Whois(asked(one, m.Whois), "ann")
    one.hear(m.Found(asked(one, m.Whois), ANN))
    question = one.sent[-1]
    assert isinstance(question, m.History)
    assert (question.peer, question.at) == (ANN.id, 500)
    one.hear(m.HistoryPage(question.ref, [direct(3, 600)], 3))
    assert one.all(events.HistoryShown)[0].since_ms == 500


@pytest.mark.parametrize("surely", [True, False])
def test_a_name_that_nobody_has_is_told(surely: bool) -> None:
    one = online()
    one.want(actions.ShowDirectHistory("opps", 20, surely=surely))
    one.hear(m.Refused(ErrorCode.NO_SUCH_PERSON, "x", asked(one, m.Whois), reason="no_such_person"))
    told = "\n".join(said(one))
    assert ("There is no person with this name" in told) is surely
    assert told.endswith("is called: opps") is not surely


def test_what_a_guest_wrote_who_is_gone_is_read_back() -> None:
    one = online()
    one.hear(m.Presence("lobby", 2, joined=[ANN]))
    one.hear(m.Presence("lobby", 1, left=[ANN]))
    one.want(actions.ShowDirectHistory("ann", 20))
    one.hear(m.Refused(ErrorCode.NO_SUCH_PERSON, "x", asked(one, m.Whois), reason="no_such_person"))
    question = one.sent[-1]
    assert isinstance(question, m.History)
    assert question.peer == ANN.id


def test_a_name_that_is_not_found_before_the_connection_breaks_is_told() -> None:
    one = online()
    one.want(actions.ShowDirectHistory("ann", 20))
    one.cut()
    assert "You are offline. Try again when you are connected" in said(one)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((), ["-- There are no messages from 2026-11-20 on"]),
        (
            ("2026-11-22",),
            ["-- There are no messages on 2026-11-20. The next ones are from 2026-11-22", "-- 2026-11-22"],
        ),
        (("2026-11-20", "2026-11-22"), ["-- 2026-11-20", "-- 2026-11-22"]),
    ],
)
def test_an_empty_day_is_told(days: tuple[str, ...], said: list[str]) -> None:
    one = online()
    messages = tuple(direct(seq, (day_at_ms(day) or 0) + 3_600_000) for seq, day in enumerate(days, 1))
    shown = events.HistoryShown(
        PersonKey(ANN.id), messages, events.HistoryRange.SINCE, more=False, since_ms=day_at_ms("2026-11-20")
    )
    rows = [str(row) for row in MessageRows(one.core).rows(shown, 80) or []]
    assert [row for row in rows if row.startswith("-- ")] == said
    assert len([row for row in rows if "direct" in row]) == len(days)


def test_messages_of_another_day_than_today_stand_under_their_day_from_the_first_one_on() -> None:
    rows = MessageRows(online().core)
    lobby = online().core.room("lobby")
    now_ms = time.time_ns() // 1_000_000
    old = events.MessageShown(message(1, "old", "lobby"), lobby, own=False)
    new = events.MessageShown(replace(message(2, "new", "lobby"), sent_at_ms=now_ms), lobby, own=False)
    assert str((rows.rows(old, 80) or [])[0]).startswith("-- 19")
    assert str((rows.rows(new, 80) or [])[0]) == f"-- {local_day(now_ms)}"


# --- rooms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "made", "text"),
    [
        ("owner", True, "Joined #ops, a new room, which you own. You are alone here"),
        (None, True, "Joined #ops, a room that no member owns. You are alone here"),
        ("owner", False, "Joined #ops. You are alone here"),
    ],
)
def test_a_room_that_the_user_has_made_by_joining_is_called_new(role: str | None, made: bool, text: str) -> None:
    one = online()
    one.want(actions.JoinRoom("ops"))
    one.hear(m.Joined("ops", 0, 1, [ME], asked(one, m.Join), role=role, made=made))
    assert said(one)[0] == text


def test_a_room_shows_its_topic_and_whether_one_may_write_there() -> None:
    one = online()
    one.hear(m.Joined("ops", 0, 2, [ME, ANN], 77, topic="a\x1bb", role="member", read_only=True))
    assert "\n".join(said(one)).split("\n") == [
        "Joined #ops. Also here: ann",
        "Topic of #ops: a␛b",
        "This room is read-only. Only moderators and owners can write, others can react",
    ]


def test_somebody_in_a_room_is_known_and_others_are_looked_up_before_anything_is_done_to_them() -> None:
    one = online()
    one.hear(m.Presence("lobby", 2, joined=[ANN]))
    one.want(actions.ModerateMember("lobby", ModerationVerb.MUTE, "Ann", 600))
    assert one.sent[-1] == m.Moderate(asked(one, m.Moderate), "lobby", 5, "mute", 600)
    one.hear(m.Done(asked(one, m.Moderate)))
    one.want(actions.ModerateMember("lobby", ModerationVerb.INVITE, "carl"))
    one.hear(m.Found(asked(one, m.Whois), m.Person(8, "Carl"), absent=True))
    assert one.sent[-1] == m.InviteTo(asked(one, m.InviteTo), "lobby", 8)
    one.hear(m.Refused(ErrorCode.NO_RIGHT, "only moderators may invite others", asked(one, m.InviteTo)))
    muted, refused = said(one)[-2:]
    assert muted.startswith("You muted ann in #lobby for 10 minutes\nThe mute holds for the account in this room")
    assert refused == "Only moderators may invite others"


def test_what_was_ordered_when_the_connection_broke_is_told_and_not_repeated() -> None:
    one = online()
    one.want(actions.ModerateMember("lobby", ModerationVerb.KICK, "carl"))
    one.cut()
    one.sent.clear()
    one.settle()
    assert "The connection broke before the server answered. /room shows whether it was done" in said(one)
    assert not any(isinstance(command, m.Moderate | m.Whois) for command in one.sent)


def test_a_room_that_gets_another_name_stays_the_same_room() -> None:
    one = online(rooms=("ops",), visibility=Visibility.CURRENT)
    one.server.batch([("ops", "before")])
    one.settle()
    one.say("under way", "ops")
    one.hear(m.RoomRules("dev", was="ops", by=ANN))
    assert one.core.current == one.core.room("dev")
    assert said(one) == ["#ops is now called #dev"]
    assert set(one.core.rooms) == {"lobby", "dev"}
    assert one.core.wanted_rooms == ["dev"]
    assert one.core.unsent[0].target == one.core.room("dev")
    last = one.core.conversations[one.core.room("dev")].last
    one.hear(m.Message(last + 5, last, 5, "ann", 0, "said before, heard after", "ops"))
    shown = one.all(events.MessageShown)[-1]
    assert (shown.key, shown.message.room) == (one.core.room("dev"), "dev")
    assert [each.room for each in one.core.conversations[one.core.room("dev")].messages] == ["dev", "dev"]


def test_a_renamed_room_keeps_its_typists_slow_mode_unread_count_and_numbers() -> None:
    one = online(rooms=("ops",), typing=True)
    ops, numbers = one.core.current, MessageNumbers()
    numbers.add(ops, 7)
    one.say("later")
    one.say("first", "ops")
    refusal = m.Refused(ErrorCode.SLOW_MODE, "slow", client_id=2, retry_after_s=10.0)
    one.hear(refusal)
    one.hear(m.TypingNow(ANN, room="ops"))
    one.want(actions.SelectConversation(one.core.room("lobby")))
    one.hear(m.Message(5, 0, 5, "ann", 0, "unread", "ops"))
    one.hear(m.TypingNow(ANN, room="ops"))
    one.hear(m.RoomRules("dev", was="ops", by=ANN))
    assert one.core.room("dev") is ops
    assert numbers.find("7") == [NumberedMessage(ops, 7)]
    assert one.core.conversations[ops].unread == 1
    one.want(actions.SelectConversation(ops))
    assert one.core.typists == (ANN,)
    one.now += 10.0
    one.take(one.core.tick(one.now))
    assert one.sent[-1] == m.Say(3, "dev", "first")


def test_a_name_that_a_room_had_may_be_another_rooms() -> None:
    one = online(rooms=("ops",))
    first = one.core.current
    one.hear(m.RoomRules("dev", was="ops", by=ANN))
    one.want(actions.JoinRoom("ops"))
    one.hear(m.RoleChanged("ops", ANN, "moderator", ME))  # on its way since before: it is about the first
    assert one.all(events.RoleShown)[-1].room == "dev"
    one.hear(m.Joined("ops", 20, 1, [ME], asked(one, m.Join)))
    second = one.core.current
    assert (first, second) == (one.core.room("dev"), one.core.room("ops"))
    one.hear(m.Message(21, 0, 5, "ann", 0, "in the second", "ops"))
    assert one.all(events.MessageShown)[-1].key is second
    assert set(one.core.rooms) == {"lobby", "dev", "ops"}


def test_what_is_held_back_of_a_renamed_room_is_not_another_rooms_that_gets_the_name() -> None:
    one = account()
    again(one, live_from=20)
    page = asked(one, m.History)
    one.hear(message(21, "in the first"))
    one.hear(m.RoomRules("dev", was="ops", by=ANN))
    one.want(actions.JoinRoom("ops"))
    one.hear(m.Joined("ops", 21, 1, [ME], asked(one, m.Join)))
    one.hear(message(22, "in the second"))
    one.hear(m.HistoryPage(page, [], through=20))
    while one.sent and isinstance(one.sent[-1], m.History):
        ref = one.sent.pop().ref
        one.hear(m.HistoryPage(ref, [], through=22))
    shown = {each.message.text: each.message.room for each in one.all(events.MessageShown)}
    assert shown == {"in the first": "dev", "in the second": "ops"}
    assert [each.text for each in one.core.conversations[one.core.room("dev")].messages] == ["in the first"]


def test_a_room_takes_the_name_of_one_that_was_asked_for_while_away() -> None:
    one = online(rooms=("ops",))
    ops = one.core.current
    one.cut()
    one.want(actions.JoinRoom("dev"))
    one.settle()
    one.want(actions.LeaveRoom("dev"))
    one.hear(m.Left("dev", asked(one, m.Leave)))
    one.hear(m.RoomRules("dev", was="ops", by=ANN))
    assert one.core.room("dev") is ops
    assert set(one.core.rooms) == {"lobby", "dev"}
    assert one.core.wanted_rooms == ["dev"]
    assert [key for key in one.core.conversations if key == ops] == [ops]
    one.cut()
    one.settle()
    assert one.core.phase is ConnectionPhase.ONLINE


def test_only_what_changed_of_the_rules_is_told() -> None:
    one = online()
    one.hear(m.RoomRules("lobby", topic="t", by=ANN))
    one.hear(m.RoomRules("lobby", topic="t", slow_s=10, retention_days=1, history="joined", by=ANN))
    one.hear(m.RoomRules("elsewhere", topic="not ours"))
    settings = "public, in slow mode (10 seconds between two messages of a member), set to delete messages after 1 day"
    settings += ", without earlier messages for new members"
    assert said(one) == [
        "ann changed the topic of #lobby: t",
        f"ann changed the settings of #lobby. It is now {settings}",
    ]


def test_mutes_and_roles_are_told_as_what_they_are() -> None:
    one = online()
    one.hear(m.RoleChanged("lobby", ANN, "moderator", ME))
    one.hear(m.RoleChanged("lobby", ANN, "member", ME, 120.0))
    one.hear(m.RoleChanged("lobby", ANN, "member", ME))
    one.hear(m.RoleChanged("lobby", ANN, "member", ME, None))
    assert said(one) == [
        "You made ann a moderator of #lobby",
        "You muted ann in #lobby for 2 minutes",
        "You unmuted ann in #lobby",
        "You muted ann in #lobby",
    ]


def test_whom_a_mute_or_a_role_concerns_is_told_so() -> None:
    one = online()
    me = one.core.me
    one.hear(m.RoleChanged("lobby", me, "moderator", ANN))
    one.hear(m.RoleChanged("lobby", me, "member", ANN, 59.9))
    one.hear(m.RoleChanged("lobby", me, "member", ANN))
    one.hear(m.RoleChanged("lobby", me, "member", ANN, None))
    assert said(one) == [
        "ann made you a moderator of #lobby",
        "ann muted you in #lobby for 1 minute",
        "ann unmuted you in #lobby",
        "ann muted you in #lobby",
    ]


def test_the_end_of_a_mute_is_told_as_that_after_rejoining() -> None:
    """A mute is not told again to the member who joins: what it ends is known by the role, which stays."""
    one = online()
    me = one.core.me
    one.want(actions.JoinRoom("ops"))
    one.hear(m.Joined("ops", 10, 1, [ME], asked(one, m.Join), role="member"))
    one.hear(m.RoleChanged("ops", me, "member", ANN))
    one.hear(m.RoleChanged("ops", me, "moderator", ANN))
    one.hear(m.RoleChanged("ops", me, "moderator"))
    one.hear(m.RoleChanged("ops", me, "member", ANN))
    assert said(one)[-4:] == [
        "ann unmuted you in #ops",
        "ann made you a moderator of #ops",
        "You were unmuted in #ops",
        "ann made you a member of #ops",
    ]


def test_what_was_not_read_in_another_place_is_shown_with_its_room() -> None:
    one = online()
    said_there = m.Message(7, 0, ANN.id, ANN.name, 0, "hello", "ops")
    shown = MessageRows(one.core).rows(
        events.HistoryShown(one.core.room("ops"), (said_there,), events.HistoryRange.UNREAD, more=False), 80
    )
    assert shown is not None
    assert shown[2].endswith("[7] #ops ann: hello")


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 second"), (59.9, "1 minute"), (90, "90 seconds")])
def test_a_length_of_time_is_rounded_before_it_gets_its_unit(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize("code", [ErrorCode.KICKED, ErrorCode.ROOM_BANNED, ErrorCode.NOT_A_MEMBER])
def test_whoever_is_taken_out_of_a_room_is_told_why_and_does_not_come_back_by_itself(code: ErrorCode) -> None:
    one = online(rooms=("ops",))
    one.hear(m.Left("ops", 0, code, "ann took you out of #ops: why"))
    assert said(one) == ["ann took you out of #ops: why"]
    assert one.core.current == one.core.room("lobby")
    one.cut(restart=True)
    one.settle()
    assert one.server.rooms == {"lobby"}


def test_an_account_is_back_in_its_rooms_by_the_servers_word_alone() -> None:
    one = account()
    unread(one)
    again(one)
    assert not any(isinstance(command, m.Join) for command in one.sent)
    one.hear(m.Pong(0))
    assert not one.all(events.RoomLeft)
    again(one, rooms=())  # taken out while the connection was lost
    assert not any(isinstance(command, m.Join) for command in one.sent)
    one.hear(m.Pong(0))
    assert (
        said(one)[-1] == "You are no longer in #ops. You were removed while you were offline, or the room was renamed"
    )
    assert "ops" not in one.core.rooms


def test_rooms_without_a_role_are_entered_again_also_by_an_account() -> None:
    one = account()
    unread(one)
    one.want(actions.JoinRoom("old"))
    one.hear(m.Joined("old", 10, 1, [ME], asked(one, m.Join)))  # as a server says it that knows no roles
    again(one)
    assert [command.rooms for command in one.sent if isinstance(command, m.Join)] == [["old"]]


# --- what was not read ------------------------------------------------------------------------------------------------


def test_what_was_not_read_is_asked_for_after_a_login_and_told_in_a_line() -> None:
    one = account()
    unread(one, m.UnreadItem(2, 3, 1, 4, room="ops"), m.UnreadItem(0, 1, 0, 7, peer=ANN))
    assert said(one) == ["Unread: #ops 3 (1 mention), ann 1. /unread lists them"]
    conversation = one.core.conversations[one.core.room("ops")]
    assert (conversation.unread, conversation.mentions) == (3, 1)


def test_of_many_unread_conversations_the_line_names_a_few() -> None:
    one = account()
    unread(one, *(m.UnreadItem(2, 1, 0, 4, room=f"r{number}") for number in range(12)))
    (line,) = said(one)
    assert line.startswith("Unread: #r0 1, ")
    assert line.endswith("#r7 1, and 4 more conversations. /unread lists them")


def test_what_was_not_read_is_asked_for_page_by_page() -> None:
    one = account()
    first = m.UnreadItem(2, 3, 1, 4, room="ops")
    one.hear(m.UnreadList(asked(one, m.AskUnread), [first], more=True, through_room="ops"))
    assert one.sent[-1] == m.AskUnread(asked(one, m.AskUnread), after_room="ops")
    one.hear(m.UnreadList(asked(one, m.AskUnread), more=True, through=9))
    assert one.sent[-1] == m.AskUnread(asked(one, m.AskUnread), after=9)
    assert said(one) == [], "before all is known, nothing is told"
    unread(one, m.UnreadItem(0, 1, 0, 7, peer=ANN))
    assert said(one) == ["Unread: #ops 3 (1 mention), ann 1. /unread lists them"]


def test_pages_that_never_end_are_not_asked_for_for_ever() -> None:
    one = account()
    count = 0
    while any(isinstance(command, m.AskUnread) for command in one.sent):
        count += 1
        ref = asked(one, m.AskUnread)
        one.sent.clear()
        one.hear(m.UnreadList(ref, more=True, through=count))
    assert count == 100


def test_the_pages_that_came_count_when_the_next_is_refused() -> None:
    one = account()
    item = m.UnreadItem(2, 3, 1, 4, room="ops")
    one.hear(m.UnreadList(asked(one, m.AskUnread), [item], more=True, through_room="ops"))
    one.hear(m.Refused(ErrorCode.INVALID, "no", asked(one, m.AskUnread)))
    assert said(one) == ["Unread: #ops 3 (1 mention). /unread lists them"]


def test_nothing_unread_is_not_told_unless_it_was_asked_for() -> None:
    one = account()
    unread(one)
    assert said(one) == []
    one.want(actions.ListUnread())
    unread(one)
    assert said(one) == ["You have no unread messages"]


# --- all conversations ------------------------------------------------------------------------------------------------


def of_room(name: str, text: str = "hello", **more: object) -> m.ConversationItem:
    return m.ConversationItem(name, None, 0, 9, ANN, 0, text, **more)  # type: ignore[arg-type]


def test_all_conversations_are_asked_for_page_by_page_and_told_once() -> None:
    one = online()
    one.want(actions.ListConversations())
    assert one.sent[-1] == m.AskConversations(asked(one, m.AskConversations))
    one.hear(m.ConversationList(asked(one, m.AskConversations), [of_room("lobby")], more=True, through_room="lobby"))
    assert one.sent[-1] == m.AskConversations(asked(one, m.AskConversations), after_room="lobby")
    one.hear(m.ConversationList(asked(one, m.AskConversations), [of_room("ops", muted_s=None)], more=True, through=4))
    assert one.sent[-1] == m.AskConversations(asked(one, m.AskConversations), after=4)
    assert not one.all(events.ConversationsShown), "before all is known, nothing is told"
    dialogue = m.ConversationItem(peer=ANN, last_seq=8, by=ANN, text="psst", unread=2, first_seq=7)
    one.hear(m.ConversationList(asked(one, m.AskConversations), [dialogue]))
    (shown,) = one.all(events.ConversationsShown)
    assert shown == events.ConversationsShown((of_room("lobby"), of_room("ops", muted_s=None), dialogue), complete=True)
    assert one.core.name_of(ANN.id) == "ann", "a dialogue makes its other side known"


def test_conversations_that_never_end_are_not_asked_for_for_ever() -> None:
    one = online()
    one.want(actions.ListConversations())
    count = 0
    while any(isinstance(command, m.AskConversations) for command in one.sent):
        count += 1
        ref = asked(one, m.AskConversations)
        one.sent.clear()
        one.hear(m.ConversationList(ref, [], more=True, through=count))
    assert count == 100
    assert [shown.complete for shown in one.all(events.ConversationsShown)] == [False]


def test_the_conversations_that_came_are_shown_when_the_next_page_is_refused() -> None:
    one = online()
    one.want(actions.ListConversations())
    one.hear(m.ConversationList(asked(one, m.AskConversations), [of_room("ops")], more=True, through_room="ops"))
    one.hear(m.Refused(ErrorCode.INTERNAL, "no", asked(one, m.AskConversations)))
    assert one.all(events.ConversationsShown) == [events.ConversationsShown((of_room("ops"),), complete=False)]


def test_an_older_server_that_lists_no_conversations_is_told_as_a_refusal() -> None:
    one = online()
    one.want(actions.ListConversations())
    one.hear(m.Refused(ErrorCode.UNKNOWN_TYPE, "unknown", asked(one, m.AskConversations)))
    assert [refusal.code for refusal in one.all(events.RequestRefused)] == [ErrorCode.UNKNOWN_TYPE]
    assert not one.all(events.ConversationsShown)


def test_the_last_words_of_ignored_people_are_not_shown() -> None:
    one = online()
    one.hear(m.Message(50, 0, ANN.id, ANN.name, 0, "x", "lobby"))
    one.want(actions.IgnorePerson("ann"))
    one.want(actions.ListConversations())
    one.hear(m.ConversationList(asked(one, m.AskConversations), [of_room("ops", cut=True)]))
    (shown,) = one.all(events.ConversationsShown)
    assert shown.items == (of_room("ops", ""),)


def test_conversations_are_asked_for_again_after_a_lost_connection() -> None:
    one = account()
    unread(one)
    one.want(actions.ListConversations())
    one.hear(m.ConversationList(asked(one, m.AskConversations), [of_room("ops")], more=True, through_room="ops"))
    again(one)
    ref = asked(one, m.AskConversations)
    assert m.AskConversations(ref, after_room="ops") in one.sent
    one.hear(m.ConversationList(ref, [of_room("p")]))
    assert one.all(events.ConversationsShown) == [
        events.ConversationsShown((of_room("ops"), of_room("p")), complete=True)
    ]


def test_without_a_connection_conversations_are_not_asked_for() -> None:
    one = online()
    one.cut()
    one.want(actions.ListConversations())
    assert one.all(events.ActionRejected)


def reads(one: Driver) -> list[m.Read]:
    one.now += 60.0
    one.take(one.core.tick(one.now))
    return [command for command in one.sent if isinstance(command, m.Read)]


def test_a_live_message_does_not_mark_as_read_what_lay_unread_before_it() -> None:
    one = account()
    one.hear(message(11))
    assert reads(one) == []  # nobody has said yet what lies there
    unread(one, m.UnreadItem(2, 3, 0, 4, room="ops"))
    assert reads(one) == []
    one.want(actions.ShowUnread(1))
    assert one.sent[-1] == m.History(asked(one, m.History), "ops", after=2, limit=30)
    one.hear(m.HistoryPage(asked(one, m.History), [message(4), message(6)], 6, more=True))
    assert reads(one) == [m.Read(6, room="ops")]
    one.want(actions.ShowMore())
    assert one.sent[-1] == m.History(asked(one, m.History), "ops", after=6, limit=30)
    one.hear(m.HistoryPage(asked(one, m.History), [message(8)], 11))
    assert reads(one)[-1] == m.Read(11, room="ops")
    one.want(actions.ShowMore())
    assert said(one)[-1] == "There is nothing more to show"


def test_a_gap_that_another_device_has_read_is_asked_about_anew() -> None:
    one = account()
    unread(one, m.UnreadItem(2, 3, 0, 4, room="ops"))
    one.hear(message(11))
    one.sent.clear()
    one.hear(m.ReadElsewhere(9, room="ops"))
    unread(one)
    assert reads(one) == [m.Read(11, room="ops")]


def test_where_the_server_does_not_say_what_was_read_all_is_as_it_was_before() -> None:
    one = account()
    one.hear(message(11))
    one.hear(m.Refused(ErrorCode.UNKNOWN_TYPE, "unknown", asked(one, m.AskUnread)))
    assert said(one) == []
    assert reads(one) == [m.Read(11, room="ops")]


def test_a_jump_to_what_is_not_there_says_so() -> None:
    one = online()
    one.want(actions.ShowUnread(None))
    one.want(actions.ShowHistory(one.core.room("lobby"), around=4))
    one.hear(m.HistoryPage(asked(one, m.History), [message(9, room="lobby")], 9))
    assert said(one) == [
        "Nothing is unread here. /unread lists the conversations with unread messages",
        "This message is no longer on the server",
    ]


def test_a_day_is_shown_from_its_first_message_on() -> None:
    one = online()
    one.want(actions.ShowHistory(one.core.room("ops"), at_ms=500))
    assert one.sent[-1] == m.History(asked(one, m.History), "ops", limit=30, at=500)
    early, late = m.Message(1, 0, 5, "ann", 400, "a", "ops"), m.Message(2, 1, 5, "ann", 600, "b", "ops")
    one.hear(m.HistoryPage(asked(one, m.History), [early, late], 2))
    assert [each.text for each in one.all(events.HistoryShown)[0].messages] == ["b"]


def test_more_after_a_number_of_messages_shows_the_ones_before() -> None:
    one = online()
    one.want(actions.AskHistory(one.core.room("ops"), 2))
    one.hear(m.HistoryPage(asked(one, m.History), [message(8), message(9)], 9, more=True))
    assert one.all(events.HistoryLoaded)[-1].more
    one.want(actions.ShowMore())
    assert one.sent[-1] == m.History(asked(one, m.History), "ops", before=8, limit=2)
    one.hear(m.HistoryPage(asked(one, m.History), [message(7)], 9))
    assert not one.all(events.HistoryLoaded)[-1].more
    one.want(actions.ShowMore())
    assert said(one)[-1] == "There is nothing more to show"


def test_more_after_a_message_and_its_neighbours_shows_the_ones_after() -> None:
    one = online()
    one.want(actions.ShowHistory(one.core.room("ops"), around=4))
    one.hear(m.HistoryPage(asked(one, m.History), [message(4), message(6)], 6, more=True))
    assert one.all(events.HistoryShown)[-1].more
    one.want(actions.ShowMore())
    assert one.sent[-1] == m.History(asked(one, m.History), "ops", after=6, limit=30)


# --- search -----------------------------------------------------------------------------------------------------------


def test_a_search_goes_on_below_its_last_hit() -> None:
    one = online()
    one.want(actions.FindMessages("from:ann x", since_ms=5, until_ms=9))
    assert one.sent[-1] == m.Search(asked(one, m.Search), "from:ann x", since=5, until=9)
    one.hear(m.SearchPage(asked(one, m.Search), [m.Hit(message(9)), m.Hit(message(7))], more=True, indexed=3))
    [shown] = one.all(events.SearchShown)
    assert (shown.more, shown.building) == (True, True)
    one.want(actions.ShowMore())
    assert one.sent[-1] == m.Search(asked(one, m.Search), "from:ann x", before=7, since=5, until=9)


def test_the_server_reads_one_thing_at_a_time() -> None:
    one = online()
    one.want(actions.FindMessages("a"))
    one.want(actions.FindMessages("b"))
    assert [command.query for command in one.sent if isinstance(command, m.Search)] == ["a"]
    one.hear(m.Refused(ErrorCode.QUERY_INVALID, "that makes no sense", asked(one, m.Search)))
    assert [command.query for command in one.sent if isinstance(command, m.Search)] == ["a", "b"]
    assert said(one) == ["That makes no sense"]


@pytest.mark.parametrize(
    "intent",
    [
        actions.FindMessages("x"),
        actions.AskRoomSettings("lobby"),
        actions.ListUnread(),
        actions.ChangeRoomSettings(m.SetRoom(0, "lobby", topic="t")),
    ],
)
def test_a_server_that_does_not_know_it_is_told_as_that(intent: actions.Action) -> None:
    one = online()
    one.want(intent)
    ref = one.sent[-1].ref  # type: ignore[union-attr]
    one.hear(m.Refused(ErrorCode.UNKNOWN_TYPE, "there is no such type", ref))
    assert said(one) == ["This server does not support that yet"]


def test_a_line_that_the_server_does_not_know_is_told_as_that() -> None:
    one = online()
    one.want(actions.ChangeMessage(one.core.room("lobby"), m.RevisionKind.EDIT, 1, "new"))
    one.hear(m.Refused(ErrorCode.UNKNOWN_TYPE, "there is no such type", client_id=1))
    assert said(one) == ["This server does not support that yet. Not sent: (edit) new"]
    assert one.core.unsent == ()


# --- writing ----------------------------------------------------------------------------------------------------------


def test_that_one_writes_is_told_every_few_seconds_and_anew_after_a_line() -> None:
    one = online(typing=True)
    notice = m.Typing(room="lobby")
    for seconds, sent in ((0.0, 1), (TYPING_NOTICE_S - 1, 1), (1.0, 2), (0.5, 2)):
        one.now += seconds
        one.want(actions.NotifyTyping(one.core.room("lobby")))
        assert [command for command in one.sent if isinstance(command, m.Typing)] == [notice] * sent
    one.say("done")
    one.want(actions.NotifyTyping(one.core.room("lobby")))
    one.want(actions.NotifyTyping(PersonKey(5)))
    assert one.sent[-2:] == [notice, m.Typing(peer=5)]


def test_who_writes_is_shown_until_the_message_comes_or_nothing_more_is_heard() -> None:
    one = online(typing=True)
    one.hear(m.TypingNow(ANN, "lobby"))
    one.hear(m.TypingNow(m.Person(6, "bob"), "lobby"))
    one.hear(m.TypingNow(m.Person(7, "carl"), "ops"))
    assert [person.name for person in one.core.typists] == ["ann", "bob"]
    one.hear(m.Message(9, 0, 5, "ann", 0, "here", "lobby"))
    assert [person.name for person in one.core.typists] == ["bob"]
    assert one.core.deadline() == one.now + TYPING_BELIEVED_S
    one.told.clear()
    one.tick()
    assert one.core.typists == ()
    assert events.TypingChanged() in one.told


def test_notices_of_writing_can_be_switched_off() -> None:
    one = online(typing=True)
    one.want(actions.SetTypingNotices(on=False))
    one.want(actions.NotifyTyping(one.core.room("lobby")))
    one.hear(m.TypingNow(ANN, "lobby"))
    assert one.core.typists == ()
    assert not one.sent
    one.want(actions.SetTypingNotices())
    one.want(actions.NotifyTyping(one.core.room("lobby")))
    assert one.sent == [m.Typing(room="lobby")]


def test_a_server_that_does_not_know_of_writing_is_not_told_again_and_nobody_hears_of_it() -> None:
    one = online(typing=True)
    one.want(actions.NotifyTyping(one.core.room("lobby")))
    one.hear(m.Refused(ErrorCode.UNKNOWN_TYPE, "there is no such type"))
    one.now += 60.0
    one.want(actions.NotifyTyping(one.core.room("lobby")))
    assert len(one.sent) == 1
    assert said(one) == []


# --- what is gone for good ----------------------------------------------------------------------------------------


def kept(one: Driver, room: str) -> list[int]:
    conversation = one.core.conversations[one.core.room(room)]
    return [message.seq for message in conversation.messages]


def test_what_retention_deleted_is_kept_no_more_and_not_shown_from_an_older_page() -> None:
    one = account()
    for seq in (11, 12, 13):
        one.hear(message(seq))
    one.hear(message(14, room="lobby"))
    one.hear(m.Purged(12, room="ops"))
    assert (kept(one, "ops"), kept(one, "lobby")) == ([13], [14])
    assert one.all(events.MessagesPurged)[-1].count == 2
    one.hear(m.Purged(12, room="ops"))
    assert len(one.all(events.MessagesPurged)) == 1, "told twice, shown once"
    unread(one)
    one.want(actions.ShowHistory(one.core.room("ops"), around=13))
    one.hear(m.HistoryPage(asked(one, m.History), [message(12), message(13)], 13))
    assert [each.seq for each in one.all(events.HistoryShown)[-1].messages] == [13]
    one.want(actions.FindMessages("x"))
    one.hear(m.SearchPage(asked(one, m.Search), [m.Hit(message(13)), m.Hit(message(11))]))
    assert [hit.message.seq for hit in one.all(events.SearchShown)[-1].hits] == [13]
    one.want(actions.AskHistory(one.core.room("ops"), 5))
    one.hear(m.HistoryPage(asked(one, m.History), [message(11), message(12), message(13)], 13))
    assert [each.seq for each in one.all(events.HistoryLoaded)[-1].messages] == [13]


def test_what_a_removed_account_wrote_is_kept_nowhere_and_said_once() -> None:
    one = account()
    one.hear(message(11))
    one.hear(m.Message(12, 0, 7, "bob", 0, "mine stays", "lobby"))
    one.hear(m.Message(13, 0, ANN.id, ANN.name, 0, "psst", None, ME.id, ME.name))
    one.hear(m.Message(14, 12, ANN.id, ANN.name, 0, "hello", "lobby"))
    one.hear(m.Purged(14, sender_id=ANN.id))
    assert (kept(one, "ops"), kept(one, "lobby")) == ([], [12])
    assert not one.core.conversations[PersonKey(ANN.id)].messages
    (purged,) = one.all(events.MessagesPurged)
    assert (purged.count, purged.name) == (3, "ann")
    said = sentence(purged, one.core.current, ME.id)
    assert said is not None
    assert said.startswith("All messages of ann were deleted")
    one.hear(m.Purged(15, sender_id=99))
    assert sentence(one.all(events.MessagesPurged)[-1], one.core.current, ME.id) is None, "nobody knew that account"


def test_who_was_away_drops_what_was_purged_meanwhile() -> None:
    """By the bound of the room in its joined, and by the sender before the page; a page read before shows nothing."""
    one = account()
    for seq in (11, 12):
        one.hear(message(seq))
    one.hear(m.Message(13, 12, 7, "bob", 0, "stays", "ops"))
    one.hear(m.Message(14, 0, 7, "bob", 0, "goes", "lobby"))
    one.server.connected = True
    one.cut()
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 20, account=True))
    one.hear(m.Joined("lobby", 20, 1, [ME], role="member"))
    one.hear(m.Joined("ops", 20, 1, [ME], role="member", purged=12))
    assert kept(one, "ops") == [13]
    one.hear(m.Purged(15, sender_id=7))
    assert (kept(one, "ops"), kept(one, "lobby")) == ([], [])
    late = m.Message(15, 14, 7, "bob", 0, "from a page that was read before", "lobby")
    edit = m.Edited(17, 15, 7, "bob", 0, "lobby", text="gone too")
    one.told.clear()
    one.hear(m.HistoryPage(asked(one, m.History), [late, message(16, room="lobby")], 20, changes=[edit]))
    assert [shown.message.seq for shown in one.all(events.MessageShown)] == [16]
    assert not one.all(events.MessageChanged)


def test_what_is_gone_is_not_counted_as_unread() -> None:
    one = account(visibility=Visibility.CURRENT)
    one.want(actions.SelectConversation(one.core.room("lobby")))
    ops = one.core.conversations[one.core.room("ops")]
    for seq in (11, 12):
        one.hear(message(seq))
    one.hear(m.Message(13, 12, 7, "bob", 0, "hello @me", "ops", mentions=[ME.id]))
    assert (ops.unread, ops.mentions) == (3, 1)
    one.hear(m.Purged(11, room="ops"))
    assert (ops.unread, ops.mentions) == (2, 1)
    one.hear(m.Purged(14, sender_id=7))
    assert (ops.unread, ops.mentions) == (1, 1)
    one.hear(m.Purged(14, sender_id=ANN.id))
    assert (ops.unread, ops.mentions) == (0, 0)


def test_a_purged_message_is_quoted_no_more_and_keeps_its_number() -> None:
    one = account()
    numbers, key = MessageNumbers(), one.core.room("ops")
    numbers.add(key, 11, message(11))
    numbers.add(key, 12, m.Message(12, 11, 7, "bob", 0, "x", "ops"))
    numbers.purge(m.Purged(20, sender_id=ANN.id), None)
    assert (numbers.message(11), numbers.find("11")) == (None, [NumberedMessage(key, 11)])
    assert numbers.message(12) is not None
    numbers.purge(m.Purged(12, room="ops"), key)
    assert (numbers.message(12), numbers.find("12")) == (None, [NumberedMessage(key, 12)])


# --- dialogues --------------------------------------------------------------------------------------------------------


def test_a_dialogue_is_gone_into_shown_and_left() -> None:
    one = online()
    one.hear(m.Presence("lobby", 2, joined=[ANN]))
    one.told.clear()
    one.want(actions.ShowDirectHistory("Ann", 10, select=True))
    assert one.core.current == PersonKey(ANN.id)
    assert one.all(events.PersonSelected) == [events.PersonSelected(ANN)]
    question = next(command for command in reversed(one.sent) if isinstance(command, m.History))
    assert (question.peer, question.limit) == (ANN.id, 10)
    assert said(one)[0] == "Direct messages with ann. /join leads back to the room"
    one.want(actions.JoinRoom("lobby"))
    assert one.core.current == one.core.room("lobby")


def test_who_is_not_here_is_looked_up_and_nobody_goes_to_oneself() -> None:
    one = online()
    one.want(actions.ShowDirectHistory("ann", 10, select=True))
    assert one.core.current == one.core.room("lobby"), "not known yet"
    one.hear(m.Found(asked(one, m.Whois), ANN))
    assert one.core.current == PersonKey(ANN.id)
    one.want(actions.ShowDirectHistory("me", 10, select=True))
    assert one.core.current == PersonKey(ANN.id)
    assert said(one)[-1] == "This is you"
    one.want(actions.ShowDirectHistory("nemo", 10, select=True))
    one.hear(m.Refused(ErrorCode.NO_SUCH_PERSON, "", ref=asked(one, m.Whois), reason="no_such_person"))
    assert one.core.current == PersonKey(ANN.id)


def test_a_dialogue_is_gone_into_without_a_connection() -> None:
    one = online()
    one.hear(m.Presence("lobby", 2, joined=[ANN]))
    one.cut()
    one.told.clear()
    one.want(actions.ShowDirectHistory("Ann", 10, select=True))
    assert one.core.current == PersonKey(ANN.id), "what is typed next must not go to the room"
    assert said(one) == ["Direct messages with ann. /join leads back to the room"]
    one.want(actions.ShowDirectHistory("nemo", 10, select=True))
    assert one.core.current == PersonKey(ANN.id)
    assert said(one)[-1] == "You are offline. Try again when you are connected"


def test_a_dialogue_ends_with_its_log_whose_numbers_are_of_other_people_then() -> None:
    one = account()
    one.want(actions.ShowDirectHistory("ann", 10, select=True))
    one.hear(m.Found(asked(one, m.Whois), ANN))
    assert one.core.current == PersonKey(ANN.id)
    again(one, live_from=20)
    assert one.core.current == PersonKey(ANN.id)
    again(one, live_from=0)
    assert one.all(events.HistoryReset)
    assert one.core.current == one.core.room("lobby")
    assert one.all(events.RoomSelected) == [events.RoomSelected("lobby")], "what is typed next is for all"


@pytest.mark.parametrize(("first", "told"), [(5, True), (9, False)])
def test_the_unread_messages_of_a_dialogue_are_read_where_all_of_them_are_shown(first: int, told: bool) -> None:
    one = account(first=False)
    unread(one, m.UnreadItem(4, 8, 0, 5, peer=ANN))
    one.want(actions.ShowDirectHistory("ann", 10, select=True))
    one.hear(m.Found(asked(one, m.Whois), ANN))
    shown = [m.Message(seq, 0, ANN.id, "ann", 0, "x", to=ME.id, to_name="me") for seq in range(first, 13)]
    one.hear(m.HistoryPage(asked(one, m.History), shown, 12, more=not told))
    assert any(read.peer == ANN.id for read in reads(one)) is told


def test_dialogues_are_listed_unread_ones_first_and_harmless() -> None:
    def item(number: int, name: str, unread: int, at_ms: int) -> m.ConversationItem:
        return m.ConversationItem(
            None, m.Person(number, name), last_seq=number, sent_at_ms=at_ms, unread=unread, text="x"
        )

    items = (
        m.ConversationItem("ops", None, last_seq=9),
        item(5, "ann", 0, 3_000),
        item(6, "b\x1bb", 2, 1_000),
        item(7, "cyd", 0, 4_000),
    )
    told = sentence(events.ConversationsShown(items, True), PersonKey(5), 1)
    assert told is not None
    rows = told.split("\n")
    assert [row.partition(":")[0] for row in rows[:3]] == ["b␛b", "cyd", "ann"]
    assert ": 2 unread, last 1970-01-01" in rows[0]
    assert "unread" not in rows[1]
    assert rows[3] == "/dm NAME goes into one"
    empty = sentence(events.ConversationsShown((items[0],), True), PersonKey(5), 1)
    assert empty == "You have no direct messages. /dm NAME goes to a person"
