"""What a typed line leads to, for every shell alike."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import page
from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.events.account import AccountAction
from securechat.client.ui.input.password_prompt import PasswordPrompt, PasswordPurpose
from securechat.client.ui.interaction import InputResult, Interaction
from securechat.client.ui.message_numbers import MessageNumbers
from securechat.errors import ErrorCode
from securechat.model import Message
from securechat.tls.contexts import ClientContext
from securechat.translation import use
from tests.support.core_driver import SECRET, Driver

PASSWORD = "correct horse battery"


def interaction(*, online: bool = True, can_hide: bool = True, default_name: str | None = None) -> Interaction:
    driver = Driver()
    if online:
        driver.settle()
    numbers = MessageNumbers()
    numbers.add(driver.core.current, 7, Message(7, 0, driver.core.me.id, "me", 0, "hullo", "lobby"))
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    return Interaction(driver.core, numbers, context, default_name=default_name, can_hide=can_hide)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("  ", InputResult()),
        ("/rooms", InputResult(actions.AskRooms())),
        ("/help", InputResult(notice=page(""))),
        ("/edit 7", InputResult(prefill="/edit 7 hullo")),
        ("/history 2026-99-99", InputResult(notice=catalogue.rooms.no_such_day("2026-99-99"), refused=True)),
    ],
)
def test_a_line_leads_to_an_action_a_notice_or_a_line_to_edit(line: str, result: InputResult) -> None:
    assert interaction().take(line) == result


@pytest.fixture
def _english_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", "")
    yield
    use("en")


@pytest.mark.usefixtures("_english_again")
def test_the_language_changes_from_the_next_line_on() -> None:
    one = interaction()
    assert one.take("/lang").notice == "Language: English (en)\nOthers: /lang id (Bahasa Indonesia)"
    assert one.take("/lang id") == InputResult(notice="Mulai sekarang: Bahasa Indonesia", language="id")
    assert one.take("/lang").notice == "Bahasa: Bahasa Indonesia (id)\nLainnya: /lang en (English)"
    unknown = one.take("/lang \x1bfr")
    assert unknown.refused
    assert unknown.notice.startswith("Tidak ada terjemahan bernama ")
    assert "\x1b" not in unknown.notice
    assert one.take("/lang en") == InputResult(notice="From now on: English", language="en")


@pytest.mark.usefixtures("_english_again")
def test_the_language_can_be_changed_where_a_name_is_asked_for() -> None:
    one = interaction(online=False)
    one.note(events.NameNeeded())
    assert one.take("/lang id").language == "id"
    assert one.asks_name
    assert one.take("lang").action == actions.ChooseName("lang")


@pytest.mark.usefixtures("_english_again")
def test_a_translation_that_cannot_be_read_is_told_and_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "id" / "LC_MESSAGES" / "securechat.mo"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"nothing")
    monkeypatch.setenv("SECURECHAT_LOCALE_DIR", str(tmp_path))
    result = interaction().take("/lang id")
    assert result.refused
    assert result.notice.endswith("English is used")
    assert not result.language


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


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("/history @ana", actions.ShowDirectHistory("ana", 20)),
        ('/history 5 "user1 pc"', actions.ShowDirectHistory("user1 pc", 5, surely=False)),
        ("/history ana", actions.ShowDirectHistory("ana", 20, surely=False)),
    ],
)
def test_a_history_may_be_of_direct_messages(line: str, action: actions.Action) -> None:
    assert interaction().take(line) == InputResult(action)


def test_a_room_that_the_user_is_in_goes_before_a_person_of_its_name() -> None:
    one = interaction()
    lobby, ops = one._core.room("lobby"), one._core.room("ops")
    assert one.take("/history 5 lobby") == InputResult(actions.AskHistory(lobby, 5))
    assert one.take("/history 5 #ops") == InputResult(actions.AskHistory(ops, 5))
    assert one.take("/history 5 @lobby") == InputResult(actions.ShowDirectHistory("lobby", 5))
    by_day = one.take("/history today lobby").action
    assert isinstance(by_day, actions.ShowHistory)
    assert by_day.target == lobby
    direct = one.take("/history today ana").action
    assert direct == actions.ShowDirectHistory("ana", 0, by_day.at_ms, surely=False)


@pytest.mark.parametrize("line", ["/history #a b", "/history @a:b", "/history 5 a:b", "/history today #"])
def test_what_can_be_no_room_and_no_name_is_refused(line: str) -> None:
    result = interaction().take(line)
    assert result.refused
    assert "Not accepted: " in result.notice


def test_what_is_no_filter_is_told_once_and_searched_for() -> None:
    one = interaction()
    first = one.take("/search to:ana printer form:budi")
    assert first.notice == catalogue.rooms.unknown_filters(["to", "form"])
    assert isinstance(first.action, actions.FindMessages)
    assert first.action.query == "to:ana printer form:budi"
    assert one.take("/search to:ana").notice == ""
    assert one.take("/search form:x on:y").notice == catalogue.rooms.unknown_filters(["on"])
    for at in range(100):
        one.take(f"/search {'abcdefghij'[at // 10]}{'abcdefghij'[at % 10]}:x")
    assert len(one._told_filters) == 20


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
    assert one.take("/register") == InputResult(notice=catalogue.accounts.TERMINAL_ONLY(), refused=True, secret=True)
    assert one.prompt is None


def test_an_empty_password_cancels_and_at_a_login_asks_for_another_name() -> None:
    one = interaction()
    one.take("/register")
    assert one.take("", hidden=True) == InputResult(notice=catalogue.accounts.CANCELLED())
    one.note(events.PasswordNeeded("me", False, ErrorCode.LOGIN_REQUIRED, ""))
    assert not one.can_cancel
    assert one.take("", hidden=True) == InputResult(notice=catalogue.accounts.CHOOSE_NAME())
    assert one.asks_name
    assert one.take("ann") == InputResult(actions.ChooseName("ann"))
    assert not one.asks_name


def test_what_is_typed_again_before_the_server_has_answered_stays_hidden() -> None:
    one = interaction(online=False)
    one.prompt = PasswordPrompt(PasswordPurpose.LOG_IN, "me")
    assert one.take(PASSWORD, hidden=True) == InputResult(actions.GivePassword(PASSWORD))
    assert one.hides_input
    assert one.take(PASSWORD, hidden=True) == InputResult(notice=catalogue.accounts.TYPED_TOO_SOON())
    assert one.take("exit", hidden=True) == InputResult(actions.LeaveChat())
    assert one.take(" /quit\n", hidden=True) == InputResult(actions.LeaveChat())
    one.note(events.BackOnline(1.0))
    assert not one.hides_input
    assert one.take(PASSWORD, hidden=True) == InputResult(notice=catalogue.accounts.WENT_NOWHERE())


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


# --- a question for a password that is not asked ----------------------------------------------------------------------


def as_account(one: Interaction) -> Interaction:
    one._core._context.credentials.account = True
    return one


@pytest.mark.parametrize(
    ("line", "account", "online", "why"),
    [
        ("/password", False, True, catalogue.accounts.HAS_NO_PASSWORD()),
        ("/register", True, True, catalogue.accounts.HAS_ACCOUNT()),
        (" /register", True, True, catalogue.accounts.HAS_ACCOUNT()),
        ("/register", False, False, catalogue.connection.declined(events.RejectReason.AWAY, "", "")),
        ("/password", True, False, catalogue.connection.declined(events.RejectReason.AWAY, "", "")),
        ("/password old new", True, True, catalogue.accounts.TYPED_IN_THE_OPEN()),
    ],
)
def test_a_password_is_asked_for_only_where_the_answer_can_be_yes(
    line: str, account: bool, online: bool, why: str
) -> None:
    one = interaction(online=online)
    if account:
        as_account(one)
    assert one.take(line) == InputResult(notice=why, refused=True, secret=True)
    assert one.prompt is None
    assert one.guarded


@pytest.mark.parametrize("command", ["/password", "/password old", "/passwort", "/passwort old", " /password"])
def test_what_was_typed_ahead_of_a_refused_question_is_no_message(command: str) -> None:
    """Old, new and once more: none is sent, whichever of the questions they were meant for."""
    one = interaction()
    one.take(command)
    for typed in (PASSWORD, PASSWORD + "2", PASSWORD + "2"):
        result = one.take(typed)
        assert result.action is None
        assert PASSWORD not in result.notice
        assert one.asks_held
        assert one.guarded
    assert one.take("no") == InputResult(notice=catalogue.accounts.HELD_DROPPED())
    assert one.take("hello") == InputResult(actions.SendMessage("hello", one._core.current))


def test_a_command_with_a_password_is_remembered_by_no_list_of_typed_lines() -> None:
    """What the arrow keys bring back is asked before the line is taken, so the flag stands from the refusal on."""
    one = interaction()
    assert not one.guarded
    one.take("/password")
    assert one.guarded
    one.take("held")
    assert one.guarded
    one.take("yes")
    assert not one.guarded


@pytest.mark.parametrize("answer", ["yes", " YES "])
def test_a_held_line_that_is_a_message_is_sent_on_request(answer: str) -> None:
    one = interaction()
    one.take("/password")
    assert one.take("never mind") == InputResult()
    assert one.take(answer) == InputResult(actions.SendMessage("never mind", one._core.current))
    assert not one.asks
    assert not one.guarded


def test_a_command_ends_the_holding() -> None:
    one = interaction()
    one.take("/password")
    assert one.take("/rooms") == InputResult(actions.AskRooms())
    assert one.take("hello").action is not None
    one.take("/password")
    one.take("held")
    assert one.take("/rooms") == InputResult(actions.AskRooms())
    assert not one.asks


def test_a_password_typed_again_after_the_servers_refusal_is_held() -> None:
    one = as_account(interaction())
    one.take("/password")
    for typed in (PASSWORD, PASSWORD + "2", PASSWORD + "2"):
        result = one.take(typed, hidden=True)
    assert isinstance(result.action, actions.SetPassword)
    one.note(events.RequestRefused(ErrorCode.LOGIN_FAILED, "Wrong password"))
    assert one.take(PASSWORD).action is None
    assert one.asks_held
    one.take("")
    one.note(events.AccountActionDone(AccountAction.CHANGE_PASSWORD))
    one.note(events.RequestRefused(ErrorCode.INVALID, "of something else"))
    assert one.take("hello").action is not None


def test_bytes_that_are_no_text_are_no_name_and_no_password() -> None:
    one = interaction(online=False)
    one.note(events.NameNeeded())
    assert one.take("caf\udce9").notice == catalogue.connection.NOT_TEXT()
    assert one.asks_name
    one.prompt = PasswordPrompt(PasswordPurpose.LOG_IN, "me")
    assert one.take("caf\udce9", hidden=True).notice == catalogue.connection.NOT_TEXT()
    assert one.prompt is not None


def test_what_is_typed_before_the_password_of_an_invite_is_asked_for_is_never_said() -> None:
    """The link is known, the question is on its way: a password typed ahead of it must not end up in the lobby."""
    driver = Driver(credentials=Credentials(SECRET, invite="x" * 22))
    one = Interaction(driver.core, MessageNumbers(), ClientContext(ssl.PROTOCOL_TLS_CLIENT), can_hide=True)
    assert one.hides_input
    assert one.take(PASSWORD, hidden=True) == InputResult(notice=catalogue.accounts.TYPED_TOO_SOON())
    one.note(events.NameNeeded())
    assert not one.hides_input, "a name is typed in the open"
    assert one.take("ana") == InputResult(actions.ChooseName("ana"))
    assert one.hides_input
    one.note(events.PasswordNeeded("ana", new=True, code=ErrorCode.PASSWORD_NEEDED, text=""))
    assert one.prompt is not None
    assert not Interaction(
        Driver().core, MessageNumbers(), ClientContext(ssl.PROTOCOL_TLS_CLIENT), can_hide=True
    ).hides_input, "a guest may write before the login"


@pytest.mark.parametrize(
    ("answer", "is_held"),
    [
        (events.AccountActionDone(AccountAction.CHANGE_PASSWORD), False),
        (events.AccountActionUnconfirmed(AccountAction.CHANGE_PASSWORD), True),
        (None, True),
    ],
)
def test_a_password_typed_again_before_the_server_has_answered_is_held(
    answer: events.UiEvent | None, is_held: bool
) -> None:
    """A server that is slow to answer looks like one that has not understood."""
    one = as_account(interaction())
    one.take("/password")
    for typed in (PASSWORD, PASSWORD + "2", PASSWORD + "2"):
        one.take(typed, hidden=True)
    if answer is not None:
        one.note(answer)
    assert (one.take(PASSWORD + "2").action is None) is is_held
    assert one.asks_held is is_held
