"""Lines, rooms, people and history, as the core handles them on a good connection."""

from __future__ import annotations

import pytest

from securechat import model as m
from securechat.client.core import actions, events, message_changes
from securechat.client.core.message_changes import apply_change
from securechat.client.core.send_queue import KEPT_PENDING, THROTTLED_WINDOW, WINDOW
from securechat.client.core.state import KEPT_MESSAGES, ConnectionPhase, PersonKey
from securechat.client.ui.commands.parser import read
from securechat.client.ui.rows.describe import sentence
from securechat.errors import ErrorCode
from securechat.limits import MAX_TEXT_CHARS
from tests.support.core_driver import ChangingServer, Driver


def online(**options: object) -> Driver:
    driver = Driver(**options)
    driver.settle()
    driver.told.clear()
    driver.sent.clear()
    return driver


def says(driver: Driver) -> list[int]:
    return [command.client_id for command in driver.sent if isinstance(command, m.Say)]


def test_own_message_is_shown_once_as_the_servers_copy() -> None:
    driver = online()
    driver.say("hello")
    driver.settle()
    assert [(shown.message.text, shown.own) for shown in driver.all(events.MessageShown)] == [("hello", True)]
    assert [ack.seq for ack in driver.all(events.MessageAcked)] == [driver.server.fed]


def test_at_most_a_window_is_in_flight_and_acks_let_more_go() -> None:
    driver = online()
    for number in range(WINDOW + 5):
        driver.say(str(number))
    assert len(says(driver)) == WINDOW
    driver.to_server(5)
    driver.to_client()
    assert says(driver) == list(range(1, WINDOW + 6))


def test_a_throttled_client_sends_fewer_and_says_so_once() -> None:
    driver = online()
    driver.hear(m.Throttled(2.0))
    for number in range(WINDOW):
        driver.say(str(number))
    driver.hear(m.Throttled(2.0))
    assert not says(driver)
    driver.now += 2.0
    driver.take(driver.core.tick(driver.now))
    assert len(says(driver)) == THROTTLED_WINDOW
    assert len(driver.all(events.RateLimited)) == 1


def test_a_client_that_has_sent_nothing_is_not_told_of_sending() -> None:
    driver = online()
    driver.hear(m.Throttled(2.0))
    assert not driver.all(events.RateLimited)
    driver.say("mine")
    driver.hear(m.Throttled(2.0))
    assert len(driver.all(events.RateLimited)) == 1


def test_messages_typed_while_away_wait_and_beyond_the_limit_are_declined() -> None:
    driver = online()
    driver.cut()
    for number in range(KEPT_PENDING + 1):
        driver.say(str(number))
    assert len(driver.all(events.MessageWaiting)) == KEPT_PENDING
    assert driver.all(events.ActionRejected) == [events.ActionRejected(events.RejectReason.QUEUE_FULL)]
    driver.settle()
    assert len(driver.all(events.MessageAcked)) == KEPT_PENDING
    assert [text for _, text in driver.shown()] == [str(number) for number in range(KEPT_PENDING)]


def test_unacknowledged_messages_are_repeated_with_the_same_client_ids_before_new_ones() -> None:
    driver = online()
    driver.say("a")
    driver.say("b")
    driver.to_server(1)  # stored, but the ack is lost
    driver.cut()
    driver.say("c")
    driver.settle()
    assert says(driver) == [1, 2, 1, 2, 3]
    assert [text for _, text in driver.shown()] == ["a", "b", "c"]


def test_a_message_refused_for_now_gets_a_new_client_id() -> None:
    driver = online()
    driver.say("a")
    driver.hear(m.Refused(ErrorCode.DISK_FULL, "full", client_id=1, retry_after_s=5.0))
    assert driver.all(events.MessageWaiting)[0].code is ErrorCode.DISK_FULL
    assert driver.core.deadline() == driver.now + 5.0
    driver.now += 5.0
    driver.take(driver.core.tick(driver.now))
    assert says(driver) == [1, 2]


def test_a_message_refused_for_good_is_told_and_forgotten() -> None:
    driver = online()
    driver.say("a")
    driver.hear(m.Refused(ErrorCode.NOT_A_MEMBER, "no", client_id=1))
    assert driver.all(events.MessageRefused)[0].message.text == "a"
    assert driver.core.unsent == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("  \n ", events.RejectReason.TEXT_EMPTY),
        ("x" * (MAX_TEXT_CHARS + 1), events.RejectReason.TEXT_TOO_LONG),
    ],
)
def test_texts_no_server_would_take_are_declined_here(text: str, reason: events.RejectReason) -> None:
    driver = online()
    driver.say(text)
    assert [declined.reason for declined in driver.all(events.ActionRejected)] == [reason]
    assert not driver.sent


def test_a_room_one_is_not_in_is_declined() -> None:
    driver = online()
    driver.say("x", "elsewhere")
    assert driver.all(events.ActionRejected)[0].reason is events.RejectReason.NOT_IN_ROOM


def test_direct_messages_go_to_people_in_the_roster_and_others_are_looked_up() -> None:
    driver = online()
    driver.hear(m.Presence("lobby", 2, joined=[m.Person(5, "Bob B")]))
    driver.want(actions.SendDirect("bob_b", "psst"))
    assert driver.sent[-1] == m.Direct(1, 5, "psst")
    driver.want(actions.SendDirect("stranger", "hi"))
    assert isinstance(driver.sent[-1], m.Whois)
    driver.hear(m.Found(driver.sent[-1].ref, m.Person(8, "stranger")))
    assert driver.sent[-1] == m.Direct(2, 8, "hi")


def test_an_absent_person_is_refused_with_name_text_and_the_servers_words() -> None:
    driver = online()
    driver.want(actions.SendDirect("nobody", "hi"))
    assert isinstance(driver.sent[-1], m.Whois)
    driver.hear(m.Refused(ErrorCode.NO_SUCH_PERSON, "nobody has this name", driver.sent[-1].ref))
    [refused] = driver.all(events.MessageRefused)
    assert (refused.message.to, refused.message.text, refused.text) == ("nobody", "hi", "nobody has this name")
    assert sentence(refused, driver.core.current, 1) == "Nobody has this name. Not sent to nobody: hi"
    assert driver.core.unsent == ()
    assert not driver.all(events.RequestRefused)


def away(**options: object) -> Driver:
    driver = online(**options)
    driver.cut()
    driver.told.clear()
    driver.sent.clear()
    return driver


def _reach(driver: Driver, phase: ConnectionPhase) -> None:
    """Go on from a lost connection up to a phase of the next one."""
    if phase is ConnectionPhase.DIALLING:
        driver.core.tick(driver.core.deadline() or 0.0)
    elif phase is not ConnectionPhase.OFFLINE:
        driver.tick()
    if phase is ConnectionPhase.REJOINING:
        driver.to_server(1)
        driver.to_client(1)
    assert driver.core.phase is phase


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/nick you", "Will be done after reconnecting: /nick you"),
        ("/join #New", "Will be done after reconnecting: /join new"),
        ("/msg bob hi", "Will be done after reconnecting: /msg bob hi"),
        ("/msg p99 hi", "Will be done after reconnecting: /msg p99 hi"),
        ("/leave ops", "You left #ops"),
        ("/join ops", "Now talking in #ops"),
        ("/who", "You are offline. Try again when you are connected"),
        ("/rooms", "You are offline. Try again when you are connected"),
        ("/history", "You are offline. Try again when you are connected"),
        ("/ignore stranger", "You are offline. Try again when you are connected"),
        ("/nick a:b", "A name cannot contain ':'. Choose one without it. Not accepted: a:b"),
    ],
)
@pytest.mark.parametrize(
    "phase", [ConnectionPhase.OFFLINE, ConnectionPhase.DIALLING, ConnectionPhase.GREETING, ConnectionPhase.REJOINING]
)
def test_every_command_typed_while_away_is_answered_at_once(line: str, answer: str, phase: ConnectionPhase) -> None:
    driver = online(rooms=("ops",))
    driver.hear(m.Presence("lobby", 2, joined=[m.Person(5, "bob")]))
    driver.cut()
    _reach(driver, phase)
    driver.told.clear()
    intent = read(line, driver.core.current, ("bob",))
    assert isinstance(intent, actions.Action)
    driver.want(intent)
    assert [sentence(one, driver.core.current, driver.core.me.id) for one in driver.told] == [answer]


def test_a_room_joined_while_away_is_entered_and_looked_at_on_the_return() -> None:
    driver = away(rooms=("ops",))
    driver.want(actions.JoinRoom("new"))
    driver.want(actions.JoinRoom("newer"))
    assert driver.core.current == driver.core.room("ops")
    driver.settle()
    assert [entered.room for entered in driver.all(events.RoomJoined) if not entered.again] == ["new", "newer"]
    assert driver.core.current == driver.core.room("newer")
    driver.want(actions.SelectConversation(driver.core.room("ops")))
    driver.cut()
    driver.settle()
    assert driver.core.current == driver.core.room("ops")


def test_a_room_joined_and_left_again_while_away_is_not_entered() -> None:
    driver = away()
    driver.want(actions.JoinRoom("new"))
    driver.want(actions.LeaveRoom("new"))
    assert driver.all(events.RoomLeft) == [events.RoomLeft("new")]
    driver.settle()
    assert driver.server.rooms == {"lobby"}
    driver.hear(m.Refused(ErrorCode.NOT_A_MEMBER, "no", 10_000))  # the answer to a leave that was not needed
    assert not driver.all(events.RequestRefused)


def test_a_name_chosen_while_away_is_asked_for_once_back_and_a_refusal_keeps_the_old_one() -> None:
    driver = away()
    driver.want(actions.ChooseName("you"))
    assert driver.core.me.name == "me"
    driver.tick()
    driver.to_server(1)
    driver.to_client()
    hello, nick = driver.sent
    assert isinstance(hello, m.Hello)
    assert isinstance(nick, m.Nick)
    assert (hello.name, nick.name) == ("me", "you")
    driver.hear(m.Refused(ErrorCode.NAME_IN_USE, "taken", nick.ref))
    [refused] = driver.all(events.RenameRefused)
    assert sentence(refused, driver.core.current, 1) == 'The name "you" is taken. Choose another one'
    assert driver.core.me.name == "me"


def test_what_was_asked_before_a_loss_is_asked_again() -> None:
    driver = online(rooms=("ops",))
    driver.want(actions.JoinRoom("new"))
    driver.want(actions.ChooseName("you"))
    driver.want(actions.LeaveRoom("ops"))
    driver.cut()
    driver.sent.clear()
    driver.settle()
    assert driver.server.rooms == {"lobby", "new"}
    assert driver.core.current == driver.core.room("new")
    assert "you" in [command.name for command in driver.sent if isinstance(command, m.Nick)]


def test_direct_messages_survive_a_loss_before_the_name_was_found() -> None:
    driver = online()
    driver.want(actions.SendDirect("p99", "wait for me"))
    driver.cut()
    driver.settle()
    assert [shown.key for shown in driver.all(events.MessageShown)] == [PersonKey(99)]


def test_joining_looks_at_the_room_and_leaving_returns_to_the_lobby() -> None:
    driver = online()
    driver.want(actions.JoinRoom("#Ops"))
    driver.settle()
    assert driver.core.current == driver.core.room("ops")
    driver.want(actions.LeaveRoom("ops"))
    driver.settle()
    assert driver.core.current == driver.core.room("lobby")
    assert driver.all(events.RoomLeft) == [events.RoomLeft("ops")]
    driver.cut(restart=True)
    driver.settle()
    assert driver.server.rooms == {"lobby"}


def test_a_room_left_while_away_stays_left_where_membership_survived() -> None:
    driver = online(rooms=("ops",))
    driver.cut()
    driver.want(actions.LeaveRoom("ops"))
    driver.settle()
    assert driver.server.rooms == {"lobby"}


def test_a_room_whose_leave_could_not_be_stored_is_entered_again() -> None:
    driver = online(rooms=("ops",))
    driver.cut()
    driver.want(actions.LeaveRoom("ops"))
    driver.sent.clear()
    driver.tick()
    driver.to_server(1)
    driver.to_client()
    [leave] = [command for command in driver.sent if isinstance(command, m.Leave)]
    driver.sent.clear()
    driver.hear(m.Refused(ErrorCode.DISK_FULL, "full", leave.ref))
    assert [refused.code for refused in driver.all(events.RequestRefused)] == [ErrorCode.DISK_FULL]
    [join] = [command for command in driver.sent if isinstance(command, m.Join)]
    driver.hear(m.Joined("ops", 0, 1, [], join.ref))
    assert "ops" in driver.core.rooms


def test_a_refused_room_does_not_hold_up_the_rest() -> None:
    driver = Driver(rooms=("ops", "no"))
    driver.tick()
    driver.to_server(1)
    driver.to_client()
    join = driver.wire.pop(0)
    assert isinstance(join, m.Join)
    driver.hear(m.Refused(ErrorCode.ROOM_INVALID, "no", join.ref, room="no"))
    driver.hear(m.Joined("ops", 0, 1, [], join.ref))
    assert driver.core.phase.value == "online"
    assert driver.core.current == driver.core.room("lobby")


def test_presence_is_told_without_oneself_and_a_rename_once() -> None:
    driver = online(rooms=("ops",))
    me, ann = driver.core.me, m.Person(5, "ann")
    driver.hear(m.Presence("lobby", 2, joined=[me, ann]))
    driver.hear(m.Presence("lobby", 2, renamed=[m.Renaming(5, "ann", "anna")]))
    driver.hear(m.Presence("ops", 2, renamed=[m.Renaming(5, "ann", "anna")]))
    driver.hear(m.Presence("lobby", 1, left=[m.Person(5, "anna")]))
    assert driver.told == [
        events.MembersJoined("lobby", (ann,)),
        events.MemberRenamed(5, "ann", "anna"),
        events.MembersLeft("lobby", (m.Person(5, "anna"),)),
    ]


def test_nothing_of_a_room_is_shown_that_was_left_before_the_server_heard_of_it() -> None:
    driver = Driver(rooms=("ops",))
    driver.tick()
    driver.want(actions.LeaveRoom("ops"))
    driver.hear(m.Welcome(1, "server", 1, "me", 5, resumed=True))
    driver.hear(m.Joined("lobby", 5, 1, [driver.core.me]))
    driver.hear(m.Joined("ops", 5, 2, [driver.core.me]))
    driver.hear(m.Message(6, 5, 2, "ann", 0, "hi", "ops"))
    assert not driver.all(events.MessageShown)


def test_somebody_who_went_and_came_again_under_another_name_has_that_name() -> None:
    driver = online()
    driver.hear(m.Presence("lobby", 2, joined=[m.Person(5, "ann")]))
    driver.hear(m.Presence("lobby", 2, joined=[m.Person(5, "anna")]))
    assert driver.told[-1] == events.MemberRenamed(5, "ann", "anna")
    assert driver.core.rooms["lobby"].people[5].name == "anna"
    driver.hear(m.Presence("lobby", 2, joined=[m.Person(5, "ann")], renamed=[m.Renaming(5, "ann", "anna")]))
    assert len(driver.told) == 2, "our roster was fresher"


def test_a_rename_is_told_although_a_message_under_the_new_name_came_first() -> None:
    driver = online()
    driver.hear(m.Presence("lobby", 2, joined=[m.Person(5, "ann")]))
    driver.hear(m.Message(1, 0, 5, "anna", 0, "hi", "lobby"))
    driver.hear(m.Presence("lobby", 2, renamed=[m.Renaming(5, "ann", "anna")]))
    assert driver.all(events.MemberRenamed) == [events.MemberRenamed(5, "ann", "anna")]


def test_somebody_already_in_the_roster_does_not_come_again() -> None:
    driver = online()
    driver.hear(m.Presence("lobby", 1, joined=[driver.core.me]))
    ann = m.Person(5, "ann")
    driver.hear(m.Joined("ops", 0, 2, [driver.core.me, ann]))
    driver.told.clear()
    driver.hear(m.Presence("ops", 2, joined=[ann]))
    assert driver.told == []


def test_who_and_rooms_gather_their_pages() -> None:
    driver = online()
    driver.want(actions.AskWho("lobby"))
    first = driver.sent[-1]
    assert isinstance(first, m.Who)
    driver.hear(m.Roster(first.ref, "lobby", [m.Person(1, "a")], 2, more=True))
    second = driver.sent[-1]
    assert isinstance(second, m.Who)
    assert second.after == 1
    driver.hear(m.Roster(second.ref, "lobby", [m.Person(2, "b")], 2))
    assert [person.name for person in driver.all(events.RosterShown)[0].people] == ["a", "b"]
    driver.want(actions.AskRooms())
    asked = driver.sent[-1]
    assert isinstance(asked, m.Rooms)
    driver.hear(m.RoomsPage(asked.ref, [m.RoomCount("lobby", 2)]))
    assert driver.all(events.RoomsShown)[0].rooms == (m.RoomCount("lobby", 2),)


def test_nick_changes_the_name_also_for_the_next_hello() -> None:
    driver = online()
    driver.want(actions.ChooseName("other"))
    nick = driver.sent[-1]
    assert isinstance(nick, m.Nick)
    driver.hear(m.Named("other", nick.ref))
    assert driver.all(events.MemberRenamed) == [events.MemberRenamed(1, "me", "other", me=True)]
    driver.cut()
    driver.tick()
    assert isinstance(driver.sent[-1], m.Hello)
    assert driver.sent[-1].name == "other"


def test_ignored_people_are_not_shown_until_heard_again() -> None:
    driver = online()
    driver.server.batch([("lobby", "one")])
    driver.settle()
    driver.want(actions.IgnorePerson("p99"))
    driver.server.batch([("lobby", "two")])
    driver.settle()
    driver.want(actions.IgnorePerson("p99"))
    driver.server.batch([("lobby", "three")])
    driver.settle()
    assert [text for _, text in driver.shown()] == ["one", "three"]


def test_unread_counts_only_where_nobody_looks() -> None:
    driver = online(rooms=("ops",))
    driver.server.batch([("lobby", "a"), ("ops", "b")])
    driver.settle()
    unread = {key: conversation.unread for key, conversation in driver.core.conversations.items()}
    assert unread == {driver.core.room("lobby"): 1, driver.core.room("ops"): 0}
    driver.want(actions.SelectConversation(driver.core.room("lobby")))
    assert driver.core.conversations[driver.core.room("lobby")].unread == 0


@pytest.mark.parametrize(
    ("text", "named"), [("hey Me!", True), ("some", False), ("me: look", True), ("awesome me2", False)]
)
def test_ones_own_name_is_noticed_as_a_word(text: str, named: bool) -> None:
    driver = online()
    driver.server.batch([("lobby", text)])
    driver.settle()
    assert driver.all(events.MessageShown)[0].mentions_me is named


def test_earlier_messages_come_before_live_ones_even_if_those_arrive_first() -> None:
    driver = Driver(backfill_count=4)
    driver.server.batch([("lobby", f"old {number}") for number in range(6)])
    driver.tick()
    driver.to_server()
    driver.to_client()
    driver.server.batch([("lobby", "live")])
    driver.to_client()
    assert not driver.all(events.MessageShown)
    driver.settle()
    kinds = [
        type(ui_event) for ui_event in driver.told if isinstance(ui_event, events.HistoryLoaded | events.MessageShown)
    ]
    assert kinds == [events.HistoryLoaded, events.MessageShown]
    assert [message.text for message in driver.all(events.HistoryLoaded)[0].messages] == [
        f"old {n}" for n in range(2, 6)
    ]


def test_asked_history_is_shown_again_and_a_refusal_is_told() -> None:
    driver = online()
    driver.server.batch([("lobby", str(number)) for number in range(5)])
    driver.settle()
    driver.want(actions.AskHistory(driver.core.room("lobby"), 4))
    driver.settle()
    assert [message.text for message in driver.all(events.HistoryLoaded)[0].messages] == ["1", "2", "3", "4"]
    driver.want(actions.AskHistory(driver.core.room("lobby"), 4))
    asked = driver.wire.pop()
    assert isinstance(asked, m.History)
    driver.hear(m.Refused(ErrorCode.NOT_A_MEMBER, "no", asked.ref))
    assert driver.all(events.RequestRefused)
    assert len(driver.all(events.HistoryLoaded)) == 1, "a refusal is no empty history"


def test_the_users_reaction_to_a_message_no_longer_kept_is_told() -> None:
    server = ChangingServer()
    driver = Driver(server)
    driver.settle()
    server.batch([("lobby", "look")])
    driver.settle()
    target = server.log[0].seq
    driver.want(actions.ChangeMessage(driver.core.current, m.RevisionKind.REACT, target, emoji="+"))
    server.batch([("lobby", str(number)) for number in range(KEPT_MESSAGES)])  # on their way, and stored before it
    driver.to_client()
    driver.settle()
    [changed] = driver.all(events.MessageChanged)
    assert (changed.change.target, changed.change.sender_id, changed.message) == (target, driver.core.me.id, None)
    assert apply_change(driver.all(events.MessageShown)[0].message, changed.change).reactions == server.log[0].reactions


@pytest.mark.parametrize("cut", [True, False])
def test_history_that_is_collected_has_every_change_made_meanwhile(cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_changes, "KEPT_CHANGES", 2)  # 1,000 in a flood
    server = ChangingServer()
    server.batch([("lobby", str(number)) for number in range(9)])
    driver = Driver(server)
    driver.settle()
    driver.want(actions.AskHistory(driver.core.current, 6))
    driver.to_server()
    driver.to_client()  # the first page of two
    if cut:
        driver.cut()
    for message in reversed(server.log):
        server.change(message.seq, "react")
    driver.settle()
    [loaded] = driver.all(events.HistoryLoaded)
    assert list(loaded.messages) == server.log[-6:]
