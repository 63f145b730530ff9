"""What a typed line leads to, for every shell alike."""

from __future__ import annotations

import ssl

import pytest

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import PAGES
from securechat.client.core import actions, events
from securechat.client.ui.interaction import InputResult, Interaction
from securechat.client.ui.line_numbers import LineNumbers
from securechat.client.ui.password_prompt import PasswordPrompt, PasswordPurpose
from securechat.errors import ErrorCode
from securechat.model import Message
from securechat.tls.contexts import ClientContext
from tests.support.core_driver import Driver

PASSWORD = "correct horse battery"


def interaction(*, online: bool = True, can_hide: bool = True, default_name: str | None = None) -> Interaction:
    driver = Driver()
    if online:
        driver.settle()
    numbers = LineNumbers()
    numbers.give(driver.core.current, 7, Message(7, 0, driver.core.me.id, "me", 0, "hullo", "lobby"))
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    return Interaction(driver.core, numbers, context, default_name=default_name, can_hide=can_hide)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("  ", InputResult()),
        ("/rooms", InputResult(actions.AskRooms())),
        ("/help", InputResult(notice=PAGES[""])),
        ("/edit 1", InputResult(prefill="/edit 1 hullo")),
        ("/history 2026-99-99", InputResult(notice=catalogue.rooms.no_such_day("2026-99-99"))),
    ],
)
def test_a_line_leads_to_an_action_a_notice_or_a_line_to_edit(line: str, result: InputResult) -> None:
    assert interaction().take(line) == result


def test_a_text_is_sent_where_the_user_looks() -> None:
    one = interaction()
    assert one.take("hello") == InputResult(actions.SendMessage("hello", one._core.current))


def test_a_day_and_a_file_are_looked_up() -> None:
    one = interaction()
    day = one.take("/history 2026-01-02").action
    assert isinstance(day, actions.ShowHistory)
    assert day.at_ms is not None
    missing = one.take("/cert add /nowhere/\x1bx.pem")
    assert missing.action is None
    assert "nowhere" in missing.notice
    assert "\x1b" not in missing.notice


def test_passwords_are_asked_for_one_after_the_other_where_nothing_shows() -> None:
    one = interaction()
    assert one.take("/register") == InputResult()
    assert one.hides_input
    assert one.can_cancel
    assert one.take(PASSWORD + "\n", hidden=True) == InputResult()
    assert one.take("another one", hidden=True).notice
    assert one.take(PASSWORD, hidden=True) == InputResult()
    assert one.take(PASSWORD, hidden=True) == InputResult(actions.RegisterAccount(PASSWORD))
    assert not one.hides_input


def test_passwords_are_not_asked_for_where_they_would_show() -> None:
    one = interaction(can_hide=False)
    assert one.take("/register") == InputResult(notice=catalogue.accounts.TERMINAL_ONLY)
    assert one.prompt is None


def test_an_empty_password_cancels_and_at_a_login_asks_for_another_name() -> None:
    one = interaction()
    one.take("/password")
    assert one.take("", hidden=True) == InputResult(notice=catalogue.accounts.CANCELLED)
    one.note(events.PasswordNeeded("me", False, ErrorCode.LOGIN_REQUIRED, ""))
    assert not one.can_cancel
    assert one.take("", hidden=True) == InputResult(notice=catalogue.accounts.CHOOSE_NAME)
    assert one.asks_name
    assert one.take("ann") == InputResult(actions.ChooseName("ann"))
    assert not one.asks_name


def test_what_is_typed_again_before_the_server_has_answered_stays_hidden() -> None:
    one = interaction(online=False)
    one.prompt = PasswordPrompt(PasswordPurpose.LOG_IN, "me")
    assert one.take(PASSWORD, hidden=True) == InputResult(actions.GivePassword(PASSWORD))
    assert one.hides_input
    assert one.take(PASSWORD, hidden=True) == InputResult(notice=catalogue.accounts.TYPED_TOO_SOON)
    one.note(events.BackOnline(1.0))
    assert not one.hides_input
    assert one.take(PASSWORD, hidden=True) == InputResult(notice=catalogue.accounts.WENT_NOWHERE)


@pytest.mark.parametrize(
    ("line", "action"),
    [
        (" ann ", actions.ChooseName("ann")),
        ("/nick ann", actions.ChooseName("ann")),
        ("", actions.ChooseName("root")),
        ("exit", actions.LeaveChat()),
        ("/quit", actions.LeaveChat()),
    ],
)
def test_a_name_is_asked_for_until_one_is_given(line: str, action: actions.Action) -> None:
    one = interaction(online=False, default_name="root")
    one.note(events.ActionRejected(events.RejectReason.NAME_INVALID))
    assert one.take(line) == InputResult(action)


def test_a_name_that_cannot_be_taken_later_is_not_asked_for_again() -> None:
    one = interaction()
    one.note(events.ActionRejected(events.RejectReason.NAME_INVALID))
    assert not one.asks_name
    one.note(events.NameNeeded())
    one.give_up()
    assert not one.asks_name
