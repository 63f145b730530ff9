"""What a screen says was seen is read, and nothing else: Visibility.REPORTED."""

from __future__ import annotations

from securechat import model as m
from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.state import Conversation, PersonKey, Visibility
from tests.support.core_driver import SECRET, Driver

ME, BOB = m.Person(1, "me"), m.Person(5, "bob")


def logged_in() -> Driver:
    """An account in the lobby, whose server has not told yet what is unread."""
    one = Driver(credentials=Credentials(SECRET, tokens={"me": "0" * 32}), visibility=Visibility.REPORTED)
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True))
    one.hear(m.Joined("lobby", 10, 1, [ME], role="member"))
    return one


def inside(*items: m.UnreadItem) -> Driver:
    one = logged_in()
    tell_unread(one, *items)
    one.sent.clear()
    return one


def tell_unread(one: Driver, *items: m.UnreadItem) -> None:
    asked = next(command.ref for command in reversed(one.sent) if isinstance(command, m.AskUnread))
    one.hear(m.UnreadList(asked, list(items)))


def said(seq: int, text: str = "x", *, prev: int | None = None, by: m.Person = BOB) -> m.Message:
    return m.Message(seq, seq - 1 if prev is None else prev, by.id, by.name, 0, text, "lobby")


def lobby(one: Driver) -> Conversation:
    return one.core.conversations[one.core.room("lobby")]


def reads(one: Driver) -> list[m.Read]:
    one.now += 2
    one.take(one.core.tick(one.now))
    return [command for command in one.sent if isinstance(command, m.Read)]


def test_the_current_conversation_counts_until_it_is_seen() -> None:
    one = inside()
    for seq in (11, 12, 13):
        one.hear(said(seq, "hello me" if seq == 12 else "x"))
    one.want(actions.SelectConversation(one.core.room("lobby")))
    assert (lobby(one).unread, lobby(one).mentions, lobby(one).read) == (3, 1, 10)
    assert reads(one) == []
    one.want(actions.MarkSeen(one.core.room("lobby"), 12))
    assert (lobby(one).unread, lobby(one).mentions, lobby(one).read) == (1, 0, 12)
    assert reads(one) == [m.Read(12, room="lobby")]


def test_own_messages_are_never_unread() -> None:
    one = inside()
    one.hear(said(11, by=ME))
    assert lobby(one).unread == 0


def test_less_than_was_seen_changes_nothing() -> None:
    one = inside()
    for seq in (11, 12):
        one.hear(said(seq))
    one.want(actions.MarkSeen(one.core.room("lobby"), 12))
    one.want(actions.MarkSeen(one.core.room("lobby"), 11))
    assert (lobby(one).unread, lobby(one).read) == (0, 12)
    assert reads(one) == [m.Read(12, room="lobby")]


def test_unread_from_before_the_login_is_read_as_far_as_it_was_seen() -> None:
    one = inside(m.UnreadItem(3, 5, 0, 4, room="lobby"))
    assert (lobby(one).unread, lobby(one).read) == (5, 3)
    one.want(actions.MarkSeen(one.core.room("lobby"), 7))
    assert reads(one) == [m.Read(7, room="lobby")]
    assert lobby(one).read == 7


def test_all_of_it_is_seen_with_the_newest_message() -> None:
    one = inside(m.UnreadItem(3, 5, 2, 4, room="lobby"))
    one.want(actions.MarkSeen(one.core.room("lobby"), 10))
    assert (lobby(one).unread, lobby(one).mentions) == (0, 0)


def test_nothing_is_known_to_be_unread_before_the_server_has_told_it() -> None:
    one = logged_in()
    assert not one.core.unread_known
    tell_unread(one)
    assert one.core.unread_known


def test_what_was_seen_meanwhile_is_not_unread_again_by_an_older_answer() -> None:
    one = inside()
    for seq in (11, 12, 13):
        one.hear(said(seq))
    one.want(actions.MarkSeen(one.core.room("lobby"), 12))
    one.want(actions.ListUnread())
    tell_unread(one, m.UnreadItem(10, 3, 0, 11, room="lobby"))
    assert (lobby(one).unread, lobby(one).read) == (1, 12)


def test_marking_unread_is_local_and_withdraws_what_was_not_told() -> None:
    one = inside()
    for seq in (11, 12, 13):
        one.hear(said(seq))
    target = one.core.room("lobby")
    one.want(actions.MarkSeen(target, 11))
    assert reads(one) == [m.Read(11, room="lobby")]
    one.want(actions.MarkSeen(target, 12))
    one.want(actions.MarkSeen(target, 13))
    one.want(actions.MarkUnread(target, 12))
    assert (lobby(one).unread, lobby(one).read) == (2, 11)
    assert all(read.seq <= 12 for read in reads(one))
    one.want(actions.MarkSeen(target, 13))
    assert lobby(one).unread == 0
    assert reads(one)[-1] == m.Read(13, room="lobby")


def test_what_another_device_has_read_is_read() -> None:
    one = inside()
    for seq in (11, 12):
        one.hear(said(seq))
    one.hear(m.ReadElsewhere(11, room="lobby"))
    assert (lobby(one).unread, lobby(one).read) == (1, 11)


def test_a_dialogue_counts_from_what_was_before_its_first_message() -> None:
    one = inside()
    one.hear(m.Message(11, 4, BOB.id, BOB.name, 0, "x", to=ME.id))
    dialogue = one.core.conversations[PersonKey(BOB.id)]
    assert (dialogue.unread, dialogue.read) == (1, 4)
    one.want(actions.MarkSeen(PersonKey(BOB.id), 11))
    assert dialogue.unread == 0
    assert reads(one) == [m.Read(11, peer=BOB.id)]


def history_ref(one: Driver) -> int:
    return next(command.ref for command in reversed(one.sent) if isinstance(command, m.History))


def test_a_page_says_what_it_covers_though_an_ignored_person_wrote_all_of_it() -> None:
    one = inside()
    one.hear(said(11))
    one.want(actions.IgnorePerson("bob"))
    target = one.core.room("lobby")
    one.want(actions.AskHistory(target, 2, 9))
    one.hear(m.HistoryPage(history_ref(one), [said(7), said(8)], 8, more=True))
    assert one.all(events.HistoryLoaded)[-1] == events.HistoryLoaded(target, (), True, True, 7, 9)
    one.want(actions.ShowHistory(target, after=3))
    one.hear(m.HistoryPage(history_ref(one), [said(4), said(5)], 5, more=True))
    shown = one.all(events.HistoryShown)[-1]
    assert (shown.messages, shown.first, shown.through, shown.more) == ((), 4, 5, True)
    one.want(actions.ShowHistory(target, after=9))
    one.hear(m.HistoryPage(history_ref(one), [], 11))
    shown = one.all(events.HistoryShown)[-1]
    assert (shown.first, shown.through, shown.more) == (10, 11, False)
