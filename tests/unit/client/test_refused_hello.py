"""What the client does when it is refused or sent away, for every code: it gives up only where nothing else helps.

Looked through: every code of `ErrorCode`, as a refusal of the hello with and without a time, and as the reason of a
closing, before and after the first welcome; the names that are kept; and each place of the server that names a time.
"""

from __future__ import annotations

import pytest

from securechat import model as m
from securechat.client import catalogue
from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.refused_hello import FINAL_CLOSINGS, HELLO_OUTCOMES, HelloOutcome
from securechat.client.core.state import ConnectionPhase
from securechat.client.core.timing import LONGEST_DELAY_S, RETRY_S
from securechat.errors import ErrorCode
from securechat.text.refusals import REASONS, refusal_for
from tests.support.core_driver import SECRET, Driver

ASKS = {HelloOutcome.ANOTHER_NAME, HelloOutcome.PASSWORD, HelloOutcome.NEW_PASSWORD}


def refused(code: ErrorCode, retry_after_s: float | None = None) -> m.Refused:
    return m.Refused(code, "because", retry_after_s=retry_after_s)


def greeting(**options: object) -> Driver:
    """Has said hello, to a server that will not answer it by itself."""
    driver = Driver(**options)
    driver.tick()
    driver.wire.clear()
    return driver


def online() -> Driver:
    driver = Driver()
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE
    return driver


def returning() -> Driver:
    """Was in, has lost the connection and said hello again."""
    driver = online()
    driver.cut()
    driver.tick()
    driver.wire.clear()
    assert driver.core.phase is ConnectionPhase.GREETING
    return driver


def test_every_code_has_a_decision() -> None:
    assert set(HELLO_OUTCOMES) == set(ErrorCode)


@pytest.mark.parametrize("make", [greeting, returning])
@pytest.mark.parametrize("code", ErrorCode)
def test_a_refused_hello_is_waited_for_asked_about_or_the_end(code: ErrorCode, make) -> None:
    driver = make()
    driver.hear(refused(code))
    outcome = HELLO_OUTCOMES[code]
    assert bool(driver.all(events.ClientEnded)) == (outcome is HelloOutcome.OVER)
    assert bool(driver.all(events.NameRefused) + driver.all(events.PasswordNeeded)) == (outcome in ASKS)
    assert bool(driver.all(events.LoginDelayed)) == (outcome is HelloOutcome.LATER)


@pytest.mark.parametrize("code", [*ErrorCode])
def test_a_server_that_names_a_time_gets_the_same_hello_again_then(code: ErrorCode) -> None:
    driver = greeting()
    driver.hear(refused(code, 7.0))
    if HELLO_OUTCOMES[code] in ASKS and code is not ErrorCode.NAME_IN_USE:
        return
    if code in FINAL_CLOSINGS:
        assert driver.all(events.ClientEnded)
        return
    assert driver.core.deadline() == driver.now + 7.0
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE
    assert len([one for one in driver.sent if isinstance(one, m.Hello)]) == 2


@pytest.mark.parametrize("code", ErrorCode)
def test_a_closed_connection_is_made_again_unless_the_client_is_not_wanted(code: ErrorCode) -> None:
    driver = online()
    driver.hear(m.Closing(code, "because"))
    driver.cut()
    assert bool(driver.all(events.ClientEnded)) == (code in FINAL_CLOSINGS)
    if code not in FINAL_CLOSINGS:
        driver.settle()
        assert driver.core.phase is ConnectionPhase.ONLINE


@pytest.mark.parametrize("make", [greeting, returning])
def test_one_who_tries_too_often_on_a_connection_goes_on_with_a_new_one(make) -> None:
    driver = make()
    driver.hear(refused(ErrorCode.LOGIN_FAILED))
    driver.want(actions.GivePassword("the right one"))
    driver.hear(m.Closing(ErrorCode.HELLO_EXPECTED, "too many tries"))
    driver.cut()
    assert not driver.all(events.ClientEnded)
    assert driver.core.deadline() == driver.now + RETRY_S
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE


def test_a_code_of_a_newer_server_ends_with_its_sentence_and_one_with_a_time_is_waited_for() -> None:
    assert ErrorCode("account_asleep") is ErrorCode.UNKNOWN
    driver = returning()
    driver.hear(refused(ErrorCode("account_asleep")))
    assert driver.all(events.ClientEnded)[0].text == "because"


def test_a_full_disk_is_waited_for_with_pauses_that_grow_whatever_breaks_meanwhile() -> None:
    driver = returning()
    pauses = []
    for _ in range(8):
        driver.hear(refused(ErrorCode.DISK_FULL))
        pauses.append((driver.core.deadline() or 0.0) - driver.now)
        if len(pauses) % 2:
            driver.cut()
        while driver.core.phase is not ConnectionPhase.GREETING or not driver.wire:
            driver.tick()
        driver.wire.clear()
    assert pauses[0] == RETRY_S
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_DELAY_S
    assert len(driver.all(events.LoginDelayed)) == 1, "once is enough"
    assert not driver.all(events.ClientEnded)


def test_a_server_that_is_gone_while_the_login_waits_is_dialled_again() -> None:
    driver = greeting()
    driver.hear(refused(ErrorCode.DISK_FULL, 5.0))
    driver.cut()
    driver.now = driver.core.deadline() or 0.0
    assert driver.core.tick(driver.now).dial
    driver.take(driver.core.disconnected(events.Disconnect(events.DisconnectReason.REFUSED), driver.now))
    assert not driver.all(events.ClientEnded)
    driver.settle()
    assert driver.core.phase is ConnectionPhase.ONLINE


def test_a_server_that_closes_the_first_connection_and_names_a_time_is_dialled_again() -> None:
    driver = greeting()
    driver.hear(m.Closing(ErrorCode.SHUTTING_DOWN, "restart", None, 2.0))
    driver.cut()
    assert not driver.all(events.ClientEnded)
    assert (driver.core.deadline() or 0.0) >= driver.now + 2.0


# --- a name that is kept ----------------------------------------------------------------------------------------------


def kept(retry_after_s: float = 95.0) -> m.Refused:
    return m.Refused.of(refusal_for("name_kept", left=95, retry_after_s=retry_after_s))


def test_a_name_that_is_kept_is_waited_for_and_the_user_is_told_until_when() -> None:
    driver = greeting()
    driver.hear(kept())
    assert driver.all(events.NameKept) == [events.NameKept("me", 95.0)]
    assert catalogue.connection.name_kept("ana", 95.0, can_choose=True) == (
        "ana is kept for another 95 s after a lost connection. Trying again, /nick NAME takes another"
    )
    due = driver.now + 95.0
    driver.hear(m.Closing(ErrorCode.HELLO_TIMEOUT, "too slow"))
    driver.cut()
    assert driver.core.deadline() == due
    driver.settle()
    assert driver.core.me.name == "me"


@pytest.mark.parametrize("gone", [False, True])
def test_another_name_is_taken_at_once(gone: bool) -> None:
    driver = greeting()
    driver.hear(kept())
    if gone:
        driver.cut()
    driver.want(actions.ChooseName("you"))
    driver.now += 0.1
    driver.settle()
    assert driver.core.me.name == "you"
    assert driver.now < 150.0, "it did not wait"


def test_a_name_that_is_in_use_after_all_is_asked_about() -> None:
    driver = greeting()
    driver.hear(kept(1.0))
    driver.tick()
    driver.hear(refused(ErrorCode.NAME_IN_USE))
    assert driver.all(events.NameRefused)


def test_a_login_that_waits_says_why() -> None:
    said = {catalogue.accounts.login_held(5.0, code) for code in (ErrorCode.DISK_FULL, ErrorCode.BUSY, ErrorCode.QUOTA)}
    assert len(said) == 3
    assert any("disk is full" in each for each in said)


def test_no_reason_that_the_server_can_give_is_left_out() -> None:
    assert {code for code, _ in REASONS.values()} <= set(HELLO_OUTCOMES)
    assert Credentials(SECRET).refused(refused(ErrorCode.DISK_FULL)) is HelloOutcome.LATER
