"""Who we are, and how the core proves it: every refusal of a hello, and what a person must do about it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from securechat import model as m
from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.state import ConnectionPhase, PersonKey
from securechat.client.exit_codes import ClientExit
from securechat.client.outcome import of_end
from securechat.errors import ErrorCode
from tests.support.core_driver import SECRET, Driver
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD, keep_secret

TOKEN = keep_secret("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
INVITE = keep_secret("9a7b5c3d1e0f2a4b6c8d0e1f3a5b7c9d")
ME = m.Person(7, "me")


def secret_maker() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):032x}"


def driver(name: str | None = "me", **proofs: object) -> Driver:
    """A core that has dialled; what it hears is up to the test."""
    login = Credentials(SECRET, fresh_secret=secret_maker(), **proofs)  # type: ignore[arg-type]
    one = Driver(name=name, credentials=login)
    one.tick()
    return one


def refused(code: ErrorCode, retry_after_s: float | None = None) -> m.Refused:
    return m.Refused(code, "because", retry_after_s=retry_after_s)


def welcome(name: str = "me", *, account: bool = True, token: str = "", **more: object) -> m.Welcome:
    fields = {"sender_id": ME.id, "live_from": 10, **more}
    return m.Welcome(1, "server", name=name, account=account, token=token, **fields)  # type: ignore[arg-type]


def let_in(one: Driver, event: m.Welcome) -> None:
    one.hear(event)
    one.hear(m.Joined("lobby", event.live_from, 1, [m.Person(event.sender_id, event.name)]))
    assert one.core.phase is ConnectionPhase.ONLINE


def hellos(one: Driver) -> list[m.Hello]:
    return [command for command in one.sent if isinstance(command, m.Hello)]


def last_hello(one: Driver) -> m.Hello:
    assert isinstance(one.sent[-1], m.Hello)
    return one.sent[-1]


# --- proofs -----------------------------------------------------------------------------------------------------------


def test_a_name_that_is_somebodys_asks_for_its_password_on_the_same_connection() -> None:
    one = driver()
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    assert one.core.phase is ConnectionPhase.PROVING
    assert one.all(events.PasswordNeeded) == [
        events.PasswordNeeded("me", new=False, code=ErrorCode.LOGIN_REQUIRED, text="because")
    ]
    assert one.core.deadline() is None
    one.want(actions.GivePassword(PASSWORD))
    assert last_hello(one).password == PASSWORD
    let_in(one, welcome(token=TOKEN))
    assert one.all(events.TokenReceived) == [events.TokenReceived("me", TOKEN)]
    assert one.all(events.LoggedIn)[0].account
    assert not one.hung_up


def test_instead_of_a_password_another_name_can_be_chosen() -> None:
    one = driver()
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.want(actions.ChooseName("you"))
    assert last_hello(one).name == "you"
    assert last_hello(one).password is None
    let_in(one, welcome("you", account=False))
    assert not one.core.account


def test_a_wrong_password_is_asked_for_again_and_never_sent_twice() -> None:
    one = driver()
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.want(actions.GivePassword(PASSWORD))
    one.hear(refused(ErrorCode.LOGIN_FAILED))
    assert one.all(events.PasswordNeeded)[-1].code is ErrorCode.LOGIN_FAILED
    one.want(actions.GivePassword(OTHER_PASSWORD))
    assert [hello.password for hello in hellos(one)] == [None, PASSWORD, OTHER_PASSWORD]


def test_a_password_nobody_asked_for_is_dropped() -> None:
    one = driver()
    let_in(one, welcome(account=False))
    one.want(actions.GivePassword(PASSWORD))
    assert len(hellos(one)) == 1


def test_a_kept_token_is_the_proof_of_its_own_name_only() -> None:
    one = driver(name=None, tokens={"Me": TOKEN})
    one.want(actions.ChooseName("you"))
    assert last_hello(one).token is None
    one.hear(refused(ErrorCode.NAME_IN_USE))
    one.want(actions.ChooseName("me"))
    assert last_hello(one).token == TOKEN


def test_an_expired_token_is_forgotten_and_the_password_asked_for() -> None:
    one = driver(tokens={"me": TOKEN})
    one.hear(refused(ErrorCode.LOGIN_EXPIRED))
    assert one.all(events.TokenLost) == [events.TokenLost("me")]
    one.want(actions.GivePassword(PASSWORD))
    assert (last_hello(one).token, last_hello(one).password) == (None, PASSWORD)


def test_a_password_from_a_file_is_used_once_when_one_is_asked_for() -> None:
    one = driver(password=PASSWORD)
    assert last_hello(one).password is None
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    assert last_hello(one).password == PASSWORD
    assert not one.all(events.PasswordNeeded)
    one.hear(refused(ErrorCode.LOGIN_FAILED))
    assert one.all(events.PasswordNeeded)


def test_a_certificate_that_belongs_to_no_account_asks_for_the_password() -> None:
    one = driver(certificate=True)
    one.hear(refused(ErrorCode.CERTIFICATE_UNKNOWN))
    one.want(actions.GivePassword(PASSWORD))
    let_in(one, welcome(token=TOKEN))


def test_an_account_that_was_renamed_elsewhere_moves_its_token() -> None:
    one = driver(tokens={"me": TOKEN})
    let_in(one, welcome("myself"))
    assert one.core.me.name == "myself"
    assert one.all(events.TokenLost) == [events.TokenLost("me")]
    assert one.all(events.TokenReceived) == [events.TokenReceived("myself", TOKEN)]
    one.hear(m.Named("I", 0))
    assert one.all(events.TokenReceived)[-1] == events.TokenReceived("I", TOKEN)


# --- waiting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "retry_s", "waits_s"),
    [(ErrorCode.LOGIN_SLOWED, 8.0, 8.0), (ErrorCode.BUSY, 2.5, 2.5), (ErrorCode.BUSY, None, 1.0)],
)
def test_the_same_hello_is_repeated_by_itself_on_the_same_connection(
    code: ErrorCode, retry_s: float | None, waits_s: float
) -> None:
    one = driver(password=PASSWORD)
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.hear(refused(code, retry_s))
    assert one.all(events.LoginDelayed) == [events.LoginDelayed(waits_s, code)]
    assert one.core.deadline() == one.now + waits_s
    one.tick()
    assert hellos(one)[-1] == hellos(one)[-2]
    assert not one.hung_up
    let_in(one, welcome(token=TOKEN))


def test_a_server_that_hangs_up_on_the_wait_is_dialled_again_when_it_is_over() -> None:
    one = driver(password=PASSWORD)
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.hear(refused(ErrorCode.LOGIN_SLOWED, 20.0))
    due = one.now + 20.0
    one.hear(m.Closing(ErrorCode.HELLO_TIMEOUT, "too slow"))
    one.cut()
    assert not one.all(events.ClientEnded)
    assert one.core.deadline() == due
    one.tick()
    assert last_hello(one).password == PASSWORD


def test_a_server_that_does_not_wait_for_a_person_is_dialled_again_when_the_password_is_given() -> None:
    one = driver()
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.hear(m.Closing(ErrorCode.HELLO_TIMEOUT, "too slow"))
    one.cut()
    assert one.core.deadline() is None
    assert not one.all(events.ClientEnded)
    one.want(actions.GivePassword(PASSWORD))
    one.tick()
    assert last_hello(one).password == PASSWORD


# --- reconnects -------------------------------------------------------------------------------------------------------


def logged_in(**more: object) -> Driver:
    one = driver(tokens={"me": TOKEN})
    let_in(one, welcome(**more))  # type: ignore[arg-type]
    return one


def test_a_reconnect_of_an_account_uses_the_token_and_the_same_secret() -> None:
    one = logged_in()
    one.cut()
    one.tick()
    first, second = hellos(one)
    assert second == first
    assert second.token == TOKEN


def test_a_token_that_ends_while_away_asks_for_the_password_and_keeps_what_was_typed() -> None:
    one = logged_in()
    one.cut()
    one.say("typed while away")
    one.tick()
    one.hear(refused(ErrorCode.LOGIN_EXPIRED))
    assert one.core.unsent
    one.want(actions.GivePassword(PASSWORD))
    assert last_hello(one).secret == SECRET, "the same account on the same device"
    let_in(one, welcome(token="1" * 32))
    assert m.Say(1, "lobby", "typed while away") in one.sent
    assert not one.all(events.HistoryReset)


def test_a_guest_who_logs_in_takes_a_fresh_secret_and_is_told_which_lines_may_be_lost() -> None:
    one = driver()
    let_in(one, welcome(account=False))
    one.say("under way")
    one.cut()
    one.say("kept")
    one.tick()
    assert last_hello(one).secret == SECRET
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.want(actions.GivePassword(PASSWORD))
    assert last_hello(one).secret == SECRET, "it might be our own registration, whose answer was lost"
    one.hear(refused(ErrorCode.INVALID))
    assert last_hello(one).secret != SECRET
    assert last_hello(one).password == PASSWORD
    let_in(one, welcome(token=TOKEN, sender_id=8))
    assert [line.text for line in one.all(events.MessagesLost)[0].messages] == ["under way"]
    assert one.all(events.IdentityChanged) == [events.IdentityChanged(m.Person(8, "me"))]
    assert [command.text for command in one.sent if isinstance(command, m.Say)][-1] == "kept"
    assert not one.all(events.HistoryReset)


def test_another_log_is_noticed_although_the_login_ends_with_the_old_one() -> None:
    one = driver()
    let_in(one, welcome(account=False, live_from=40))
    one.want(actions.ShowDirectHistory("ann", 10, select=True))
    one.hear(m.Found(next(each.ref for each in one.sent if isinstance(each, m.Whois)), m.Person(5, "ann")))
    one.cut()
    one.want(actions.SendMessage("for ann alone", PersonKey(5)))
    one.tick()
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.want(actions.GivePassword(PASSWORD))
    one.hear(refused(ErrorCode.INVALID))
    one.sent.clear()
    let_in(one, welcome(token=TOKEN, sender_id=2, live_from=3))
    assert one.all(events.HistoryReset)
    assert [line.text for each in one.all(events.MessagesLost) for line in each.messages] == ["for ann alone"]
    assert one.core.current == one.core.room("lobby")
    assert not any(isinstance(command, m.Direct) for command in one.sent)


def test_lines_are_not_sent_as_another_device_after_a_registration_whose_answer_was_lost() -> None:
    one = driver()
    let_in(one, welcome(account=False))
    one.want(actions.RegisterAccount(PASSWORD))
    one.say("under way")
    one.cut()
    one.tick()
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    one.want(actions.GivePassword(PASSWORD))
    assert last_hello(one).secret == SECRET
    let_in(one, welcome(token=TOKEN, last_client_id=1))
    assert one.sent[-1] == m.Say(1, "lobby", "under way")
    assert not one.all(events.MessagesLost)


def test_lines_under_way_are_given_up_with_the_secret_even_if_the_account_is_the_same() -> None:
    one = logged_in()
    one.say("under way")
    one.cut()
    one.tick()
    one.hear(refused(ErrorCode.INVALID))
    let_in(one, welcome(token=TOKEN))
    assert [line.text for line in one.all(events.MessagesLost)[0].messages] == ["under way"]
    assert len([command for command in one.sent if isinstance(command, m.Say)]) == 1


def test_an_account_that_comes_back_as_a_guest_takes_a_fresh_secret() -> None:
    one = logged_in()
    one.cut()
    one.tick()
    one.hear(refused(ErrorCode.LOGIN_EXPIRED))
    one.want(actions.ChooseName("visitor"))
    assert last_hello(one).secret != SECRET
    assert last_hello(one).token is None


def test_a_certificates_account_comes_back_with_the_secret_it_had() -> None:
    one = driver(certificate=True)
    let_in(one, welcome())
    one.cut()
    one.tick()
    assert last_hello(one).secret == SECRET


def test_a_secret_that_was_somebody_elses_after_all_is_exchanged_once() -> None:
    one = logged_in()
    one.cut()
    one.tick()
    one.hear(refused(ErrorCode.INVALID))
    assert last_hello(one).secret != SECRET
    one.hear(refused(ErrorCode.INVALID))
    assert one.all(events.ClientEnded)


# --- invites ----------------------------------------------------------------------------------------------------------


def test_an_invite_asks_for_a_new_password_and_goes_along_with_it() -> None:
    one = driver(invite=INVITE)
    assert (last_hello(one).invite, last_hello(one).password) == (INVITE, None)
    one.hear(refused(ErrorCode.PASSWORD_NEEDED))
    assert one.all(events.PasswordNeeded)[0].new
    one.want(actions.GivePassword("short"))
    one.hear(refused(ErrorCode.PASSWORD_INVALID))
    assert one.all(events.PasswordNeeded)[1].text == "because"
    one.want(actions.GivePassword(PASSWORD))
    assert (last_hello(one).invite, last_hello(one).password) == (INVITE, PASSWORD)
    let_in(one, welcome(token=TOKEN))
    one.cut()
    one.tick()
    assert (last_hello(one).invite, last_hello(one).token) == (None, TOKEN)


def test_an_invite_used_with_an_accounts_secret_is_used_again_with_a_fresh_one() -> None:
    one = driver(invite=INVITE)
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    assert last_hello(one).secret != SECRET
    assert last_hello(one).invite == INVITE
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))
    assert one.all(events.NameRefused), "now it can only be the name"


def test_an_invite_outlives_a_name_that_is_taken_and_so_does_the_password() -> None:
    one = driver(invite=INVITE)
    one.hear(refused(ErrorCode.NAME_IN_USE))
    one.want(actions.ChooseName("you"))
    one.hear(refused(ErrorCode.PASSWORD_NEEDED))
    one.want(actions.GivePassword(PASSWORD))
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))  # is it the secret?
    one.hear(refused(ErrorCode.LOGIN_REQUIRED))  # it is the name
    assert one.core.phase is ConnectionPhase.NAMING
    one.want(actions.ChooseName("me2"))
    assert (last_hello(one).name, last_hello(one).invite, last_hello(one).password) == ("me2", INVITE, PASSWORD)


@pytest.mark.parametrize(
    "code",
    [ErrorCode.INVITE_UNKNOWN, ErrorCode.INVITE_USED, ErrorCode.INVITE_EXPIRED, ErrorCode.INVITE_REVOKED],
)
def test_an_invite_that_is_not_good_ends_with_its_sentence_and_code(code: ErrorCode) -> None:
    one = driver(invite=INVITE)
    one.hear(refused(code))
    exit_code, sentence = of_end(one.all(events.ClientEnded)[0], "host", 1)
    assert exit_code is ClientExit.INVITE_REFUSED
    assert "because" in (sentence or "")


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [ErrorCode.BANNED, ErrorCode.KICKED, ErrorCode.LOGGED_OUT])
def test_whoever_was_sent_away_does_not_come_back_by_itself(code: ErrorCode) -> None:
    one = logged_in()
    one.hear(m.Closing(code, "because"))
    one.cut()
    exit_code, sentence = of_end(one.all(events.ClientEnded)[0], "host", 1)
    assert exit_code is ClientExit.REMOVED
    assert "because" in (sentence or "")
    assert bool(one.all(events.TokenLost)) == (code is ErrorCode.LOGGED_OUT)


def test_nothing_that_is_secret_shows_in_a_repr() -> None:
    shown = repr(
        [
            actions.GivePassword(PASSWORD),
            actions.RegisterAccount(PASSWORD),
            actions.SetPassword(PASSWORD, OTHER_PASSWORD),
            events.TokenReceived("me", TOKEN),
            Credentials(SECRET, tokens={"me": TOKEN}, password=PASSWORD, invite=INVITE),
            m.Hello(1, "me", SECRET, "", PASSWORD, TOKEN, INVITE),
        ]
    )
    assert not any(secret in shown for secret in (PASSWORD, OTHER_PASSWORD, TOKEN, INVITE, SECRET))
