"""Deeds about the own account, and what the account's other devices do, as the core tells them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from securechat import model as m
from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.events.account import AccountAction
from securechat.client.core.state import ConnectionPhase, PersonKey, Visibility
from securechat.client.core.timing import READ_MARKER_S, READ_MARKERS_APART_S
from securechat.client.exit_codes import ClientExit
from securechat.client.outcome import of_end
from securechat.client.ui.rows.describe import sentence
from securechat.errors import ErrorCode
from tests.support.core_driver import SECRET, Driver
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD, keep_secret

TOKEN = keep_secret("e1f2031425364758697a8b9cadbecfd0")
ME = m.Person(7, "me")
BOB = m.Person(9, "bob")


def inside(*, account: bool = True, visibility: Visibility = Visibility.ALL, seen: int | None = None) -> Driver:
    tokens = {"me": TOKEN} if account else {}
    one = Driver(credentials=Credentials(SECRET, tokens=tokens), visibility=visibility)
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=account, seen_seq=seen))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    assert one.core.phase is ConnectionPhase.ONLINE
    if account:
        one.hear(m.Pong(0))
        if isinstance(asked := one.sent[-1], m.AskUnread):
            one.hear(m.UnreadList(asked.ref))
    if seen is None:
        one.sent.clear()
        one.told.clear()
    return one


def message(seq: int, text: str, by: m.Person = BOB, *, prev: int = 0, direct: bool = False) -> m.Message:
    if direct:
        return m.Message(seq, prev, by.id, by.name, 0, text, to=ME.id if by is BOB else BOB.id, to_name="x")
    return m.Message(seq, prev, by.id, by.name, 0, text, room="lobby")


def ref(one: Driver) -> int:
    """The number of the last question."""
    return next(command.ref for command in reversed(one.sent) if hasattr(command, "ref"))


def said(one: Driver) -> list[str]:
    sentences = (sentence(happening, one.core.current, ME.id) for happening in one.told)
    return [each for each in sentences if each]


# --- deeds ------------------------------------------------------------------------------------------------------------


def test_registering_makes_the_next_hello_prove_itself() -> None:
    one = inside(account=False)
    one.want(actions.RegisterAccount(PASSWORD))
    assert one.sent == [m.Register(ref(one), PASSWORD)]
    one.hear(m.Registered(ref(one), "me", TOKEN))
    assert one.all(events.TokenReceived) == [events.TokenReceived("me", TOKEN)]
    assert said(one) == ["Registered as me. You stay logged in on this machine"]
    assert one.core.account
    one.cut()
    one.tick()
    assert one.sent[-1] == m.Hello(1, "me", SECRET, "", token=TOKEN)


@pytest.mark.parametrize(
    ("intent", "command", "deed", "number"),
    [
        (actions.SetPassword("old", "new"), m.ChangePassword(1, "old", "new"), AccountAction.CHANGE_PASSWORD, None),
        (actions.EndLogin(4), m.Logout(1, 4), AccountAction.END_LOGIN, 4),
        (
            actions.AddLoginCertificate(None, "laptop"),
            m.AddCertificate(1, None, "laptop"),
            AccountAction.ADD_CERTIFICATE,
            None,
        ),
        (
            actions.AddLoginCertificate("sha256:" + "0" * 64, "laptop", "a2V5", "cHJvb2Y="),
            m.AddCertificate(1, "sha256:" + "0" * 64, "laptop", "a2V5", "cHJvb2Y="),
            AccountAction.ADD_CERTIFICATE,
            None,
        ),
        (actions.RemoveLoginCertificate(3), m.RemoveCertificate(1, 3), AccountAction.REMOVE_CERTIFICATE, 3),
    ],
)
def test_a_deed_is_asked_for_and_told_when_it_is_done(
    intent: actions.AccountRequestAction, command: m.AccountCommand, deed: AccountAction, number: int | None
) -> None:
    one = inside()
    one.want(intent)
    assert one.sent == [replace(command, ref=ref(one))]
    one.hear(m.Done(ref(one)))
    assert one.all(events.AccountActionDone) == [events.AccountActionDone(deed, number)]
    assert said(one)


def test_a_refused_deed_is_told_in_the_servers_words() -> None:
    one = inside()
    one.want(actions.EndLogin(4))
    one.hear(m.Refused(ErrorCode.NOT_FOUND, "you have no login with this number", ref=ref(one)))
    assert said(one) == ["You have no login with this number"]


def test_the_lists_say_where_and_what() -> None:
    one = inside()
    one.want(actions.AskLogins())
    logins = [m.LoginInfo(3, "phone/1", "10.0.0.2", 0, 0, online=True), m.LoginInfo(4, "x\x1b", "::1", 0, 0)]
    one.hear(m.LoginList(ref(one), [*logins, m.LoginInfo(5, "me/1", "::1", 0, 0, online=True, current=True)]))
    rows = said(one)[0].splitlines()
    assert rows[0].startswith("3  phone/1, from 10.0.0.2, since 19")
    assert rows[0].endswith("online")
    assert "last used" in rows[1]
    assert "\x1b" not in rows[1]
    assert rows[2].endswith("this session")
    one.told.clear()
    one.want(actions.AskCertificates())
    one.hear(m.CertificateList(ref(one), [m.CertificateInfo(6, "sha256:aa", "card", 0)], "sha256:bb"))
    rows = said(one)[0].splitlines()
    assert rows[0].startswith("6  card, added 19")
    assert rows[1].endswith(": sha256:bb")


def test_while_away_nothing_can_be_done_and_a_deed_under_way_is_told_never_repeated() -> None:
    one = inside()
    one.want(actions.SetPassword(PASSWORD, OTHER_PASSWORD))
    old = ref(one)
    one.want(actions.AskLogins())
    one.cut()
    assert one.all(events.AccountActionUnconfirmed) == [events.AccountActionUnconfirmed(AccountAction.CHANGE_PASSWORD)]
    one.want(actions.AskLogins())
    assert one.all(events.ActionRejected)[0].reason is events.RejectReason.AWAY
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    assert len([command for command in one.sent if isinstance(command, m.ChangePassword)]) == 1
    one.hear(m.Done(old))
    assert not one.all(events.AccountActionDone)


@pytest.mark.parametrize("answered", [True, False])
def test_logging_out_forgets_the_token_and_ends(answered: bool) -> None:
    one = inside()
    one.want(actions.EndLogin())
    assert one.sent == [m.Logout(ref(one))]
    one.hear(m.Done(ref(one)) if answered else m.Closing(ErrorCode.LOGGED_OUT, "ended"))
    one.cut()
    assert one.all(events.TokenLost) == [events.TokenLost("me")]
    (ended,) = one.all(events.ClientEnded)
    assert of_end(ended, "host", 1) == (ClientExit.OK, "Logged out. This machine has forgotten the login")


# --- other devices ----------------------------------------------------------------------------------------------------


def test_rooms_of_another_device_are_adopted_and_left_with_a_line_each() -> None:
    one = inside()
    one.hear(m.Joined("ops", 12, 2, [ME, BOB]))
    assert said(one) == ["You are also in #ops. Also there: bob"]
    assert one.core.current == one.core.room("lobby")
    one.hear(m.Message(13, 0, BOB.id, "bob", 0, "over here", room="ops"))
    assert one.shown() == [(13, "over here")]
    one.cut()
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 13, account=True))
    assert [command.rooms for command in one.sent if isinstance(command, m.Join)] == [["ops"]]
    one.told.clear()
    one.hear(m.Left("ops", 0))
    assert said(one) == ["You left #ops on another device"]
    assert "ops" not in one.core.rooms


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, []),
        (2, ["You are also in #r0 and #r1"]),
        (5, ["You are also in #r0, #r1, #r2, #r3 and #r4"]),
        (6, ["You are also in #r0, #r1, #r2, #r3, #r4 and 1 more room"]),
        (98, ["You are also in #r0, #r1, #r10, #r11, #r12 and 93 more rooms"]),
    ],
)
def test_the_rooms_of_an_account_are_told_in_one_sentence_after_a_login(count: int, told: list[str]) -> None:
    one = Driver(credentials=Credentials(SECRET, tokens={"me": TOKEN}))
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    for number in range(count):
        one.hear(m.Joined(f"r{number}", 10, 1, [ME], role="member"))
    assert not [each for each in said(one) if "#r" in each]
    one.hear(m.Pong(0))
    assert [each for each in said(one) if "#r" in each] == told
    one.hear(m.Joined("later", 11, 1, [ME], role="member"))
    assert said(one)[-1] == "You are also in #later"


def test_a_room_joined_elsewhere_while_away_is_told_when_the_connection_is_back() -> None:
    one = inside()
    one.hear(m.Joined("ops", 12, 1, [ME], role="member"))
    one.cut()
    one.told.clear()
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 13, account=True))
    one.hear(m.Joined("lobby", 13, 1, [ME]))
    one.hear(m.Joined("lab", 13, 1, [ME], role="member"))
    one.hear(m.Joined("ops", 13, 1, [ME], role="member"))
    one.hear(m.Pong(0))
    assert [each for each in said(one) if "also" in each] == ["You are also in #lab"]


def test_a_room_left_while_away_is_not_adopted_from_what_the_server_still_believes() -> None:
    one = inside()
    one.hear(m.Joined("ops", 12, 1, [ME]))
    one.cut()
    one.want(actions.LeaveRoom("ops"))
    one.told.clear()
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 13, account=True))
    one.hear(m.Joined("lobby", 13, 1, [ME]))
    one.hear(m.Joined("ops", 13, 1, [ME]))
    (leave,) = [command for command in one.sent if isinstance(command, m.Leave)]
    assert "ops" not in one.core.rooms
    one.hear(m.Left("ops", leave.ref))
    assert "ops" not in one.core.wanted_rooms
    assert not any("#ops" in each for each in said(one))


def test_what_was_typed_elsewhere_is_shown_as_ones_own() -> None:
    one = inside()
    one.say("typed here")
    one.hear(m.Acked(1, 11))
    one.hear(message(11, "typed here", ME))
    one.hear(message(12, "typed there", ME, prev=11))
    assert [(shown.own, shown.elsewhere) for shown in one.all(events.MessageShown)] == [(True, False), (True, True)]


def test_a_message_to_somebody_absent_says_once_that_it_waits() -> None:
    one = inside()
    for text in ("one", "two"):
        one.want(actions.SendDirect("bob", text))
        one.hear(m.Found(ref(one), BOB, absent=True))
    assert [command.text for command in one.sent if isinstance(command, m.Direct)] == ["one", "two"]
    assert said(one) == ["bob is offline. Your message will be delivered later"]


def test_an_announcement_is_told() -> None:
    one = inside()
    one.hear(m.Notice("down at\nnine", 0))
    (text,) = said(one)
    assert text.startswith("Announcement from the server, ")
    assert "\n" not in text


def test_a_notice_for_this_user_alone_is_no_announcement_and_is_safe_to_show() -> None:
    one = inside()
    arguments: dict[str, str | int] = {"left": 600, "why": "spam\x1b[2J\nAnnouncement"}
    one.hear(m.Notice("x", 0, "muted_by_administrator_for_because", arguments))
    one.hear(m.Notice("From a later server", 0, "stars_not_right"))
    first, second = said(one)
    assert first.startswith("You were muted by an administrator for 10 minutes: spam")
    assert first.isprintable()
    assert second == "From a later server"


# --- what was missed --------------------------------------------------------------------------------------------------


def test_dialogues_of_the_time_without_a_device_are_shown_as_missed_and_rooms_are_not() -> None:
    one = inside(seen=4)
    (ask,) = [command for command in one.sent if isinstance(command, m.History)]
    assert (ask.after, ask.room, ask.peer) == (4, None, None)
    one.hear(message(11, "live", direct=True, prev=8))
    missed = [message(5, "in the room"), message(6, "psst", direct=True, prev=2)]
    one.hear(m.HistoryPage(ask.ref, missed, 6, more=True))
    (_, again) = [command for command in one.sent if isinstance(command, m.History)]
    assert again.after == 6
    one.hear(m.HistoryPage(again.ref, [message(8, "hello?", direct=True, prev=6)], 10))
    assert one.shown() == [(6, "psst"), (8, "hello?"), (11, "live")]
    assert one.all(events.CaughtUp) == [events.CaughtUp(3)]
    assert not [command for command in one.sent if isinstance(command, m.History) and command.peer is not None]


def test_what_was_missed_is_pulled_again_when_the_connection_breaks_over_it() -> None:
    one = inside(seen=4)
    (ask,) = [command for command in one.sent if isinstance(command, m.History)]
    one.hear(m.HistoryPage(ask.ref, [message(6, "psst", direct=True, prev=2)], 6, more=True))
    one.cut()
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True, seen_seq=10))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    assert one.sent[-1] == m.History(ref(one), after=6)
    one.hear(m.HistoryPage(ref(one), [message(7, "room"), message(8, "hello?", direct=True, prev=6)], 10))
    assert one.shown() == [(6, "psst"), (8, "hello?")]


def test_a_hole_in_a_dialogue_older_than_this_process_is_pulled_from_where_it_began() -> None:
    one = inside()
    one.hear(message(15, "later", direct=True, prev=12))
    assert one.sent == [m.History(ref(one), peer=BOB.id, after=10, before=15)]


# --- reading ----------------------------------------------------------------------------------------------------------


def reads(one: Driver) -> list[m.Read]:
    return [command for command in one.sent if isinstance(command, m.Read)]


def test_what_was_read_is_told_at_most_once_a_second_and_only_forward() -> None:
    one = inside()
    one.hear(message(11, "a"))
    one.hear(message(12, "b", prev=11))
    one.hear(message(13, "c", prev=12))
    assert reads(one) == [m.Read(11, room="lobby")]
    assert one.core.deadline() == one.now + READ_MARKER_S
    one.tick()
    assert reads(one) == [m.Read(11, room="lobby"), m.Read(13, room="lobby")]
    one.hear(m.ReadElsewhere(20, room="lobby"))
    one.hear(message(14, "d", prev=13))
    one.now += 10
    one.take(one.core.tick(one.now))
    assert len(reads(one)) == 2


def test_many_busy_conversations_do_not_add_up_to_a_flood() -> None:
    one = inside()
    one.hear(message(11, "a"))
    one.hear(message(12, "b", direct=True))
    assert reads(one) == [m.Read(11, room="lobby")]
    assert one.core.deadline() == one.now + READ_MARKERS_APART_S
    one.tick()
    assert reads(one)[1:] == [m.Read(12, peer=BOB.id)]


@pytest.mark.parametrize(("account", "visibility"), [(False, Visibility.ALL), (True, Visibility.NOBODY)])
def test_neither_a_guest_nor_a_script_reads_for_others(account: bool, visibility: Visibility) -> None:
    one = inside(account=account, visibility=visibility)
    one.hear(message(11, "a"))
    assert not reads(one)


def test_a_screen_with_one_conversation_has_read_what_it_looks_at() -> None:
    one = inside(visibility=Visibility.CURRENT)
    one.hear(message(11, "a", direct=True))
    assert not reads(one)
    one.want(actions.SelectConversation(PersonKey(BOB.id)))
    assert reads(one) == [m.Read(11, peer=BOB.id)]


def test_what_another_device_has_read_is_unread_no_more() -> None:
    one = inside(visibility=Visibility.CURRENT)
    for seq, prev in ((11, 0), (12, 11), (13, 12)):
        one.hear(message(seq, "x", direct=True, prev=prev))
    conversation = one.core.conversations[PersonKey(BOB.id)]
    assert conversation.unread == 3
    one.hear(m.ReadElsewhere(12, peer=BOB.id))
    assert conversation.unread == 1
    one.hear(m.ReadElsewhere(13, peer=BOB.id))
    assert conversation.unread == 0


# --- a temporary password ---------------------------------------------------------------------------------------------


def held(*, password: str = "") -> Driver:
    """An account whose password an administrator has set."""
    credentials = Credentials(SECRET, tokens={"me": TOKEN})
    if password:
        credentials.give_password(password)
    one = Driver(credentials=credentials)
    one.tick()
    one.want(actions.SendMessage("typed early", one.core.room("lobby")))
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True, must_change=True))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    one.hear(m.Pong(0))
    return one


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_a_temporary_password_is_changed_before_anything_else_is_sent(password: str) -> None:
    one = held(password=password)
    assert one.all(events.PasswordTemporary) == [events.PasswordTemporary("me", knows_old=bool(password))]
    assert {type(command) for command in one.sent} == {m.Hello, m.Ping}
    assert one.core.phase is ConnectionPhase.REJOINING
    one.want(actions.SetPassword("" if password else PASSWORD, OTHER_PASSWORD))
    assert one.sent[-1] == m.ChangePassword(ref(one), PASSWORD, OTHER_PASSWORD)
    one.hear(m.Refused(ErrorCode.BUSY, "wait", ref(one)))
    assert one.all(events.PasswordTemporary)[-1] == events.PasswordTemporary("me", knows_old=bool(password))
    one.want(actions.SetPassword("" if password else PASSWORD, OTHER_PASSWORD))
    one.hear(m.Done(ref(one)))
    assert one.core.phase is ConnectionPhase.ONLINE
    assert [command.text for command in one.sent if isinstance(command, m.Say)] == ["typed early"]


def test_a_temporary_password_is_asked_for_again_after_a_lost_connection() -> None:
    one = held(password=PASSWORD)
    one.cut()
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True, must_change=True, resumed=True))
    assert one.all(events.PasswordTemporary)[-1] == events.PasswordTemporary("me", knows_old=False)
    one.want(actions.SetPassword(PASSWORD, OTHER_PASSWORD))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    one.hear(m.Refused(ErrorCode.LOGIN_FAILED, "wrong", ref(one)))
    assert len(one.all(events.PasswordTemporary)) == 3


# --- the last member --------------------------------------------------------------------------------------------------


def test_the_only_member_of_a_private_room_leaves_when_it_says_so_again() -> None:
    one = inside()
    one.hear(m.Joined("den", 10, 1, [ME]))
    one.want(actions.LeaveRoom("den"))
    assert one.sent[-1] == m.Leave(ref(one), "den")
    one.hear(m.Refused(ErrorCode.LAST_MEMBER, "x", ref(one), reason="last_member_leaving", arguments={"room": "den"}))
    assert said(one)[-1].endswith("Without you it has no owner and is lost to all. /leave again leaves it")
    one.want(actions.LeaveRoom("den"))
    assert one.sent[-1] == m.Leave(ref(one), "den", sure=True)
    one.hear(m.Left("den", ref(one), owner=BOB))
    assert "bob is its owner now" in said(one)[-1]


def test_an_answer_about_one_room_is_none_about_another() -> None:
    one = inside()
    one.hear(m.Joined("den", 10, 1, [ME]))
    one.hear(m.Joined("lab", 10, 1, [ME]))
    one.want(actions.LeaveRoom("den"))
    one.hear(m.Refused(ErrorCode.LAST_MEMBER, "x", ref(one), reason="last_member_leaving", arguments={"room": "den"}))
    one.want(actions.LeaveRoom("lab"))
    one.want(actions.LeaveRoom("den"))
    assert [command.sure for command in one.sent if isinstance(command, m.Leave)] == [False, False, False]
    one.want(actions.LeaveRoom("den", sure=True))
    assert one.sent[-1].sure


def test_a_room_left_offline_by_its_only_member_is_kept_and_asked_about() -> None:
    one = inside()
    one.hear(m.Joined("den", 10, 1, [ME]))
    one.cut()
    one.want(actions.LeaveRoom("den"))
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True, resumed=True))
    (leave,) = (command for command in one.sent if isinstance(command, m.Leave))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    one.hear(m.Refused(ErrorCode.LAST_MEMBER, "x", leave.ref, reason="last_member_leaving", arguments={"room": "den"}))
    assert isinstance(one.sent[-1], m.Join)
    assert one.sent[-1].rooms == ["den"]
