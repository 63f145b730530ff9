"""Every refusal of the hub is told to senders of webhooks in Slack's words."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode
from securechat.server.hooks import answers
from securechat.server.hooks.answers import ANSWERS, NO_SERVICE, OK, HookAnswer, HookError, answer_to, answer_to_http
from securechat.text.refusals import REASONS

SLACK = {
    "invalid_payload": 400,
    "no_text": 400,
    "user_not_found": 400,
    "action_prohibited": 403,
    "no_service": 404,
    "channel_not_found": 404,
    "channel_is_archived": 410,
    "rate_limited": 429,
    "rollup_error": 500,
    "service_unavailable": 503,
}


def test_every_code_has_an_answer() -> None:
    assert set(ANSWERS) == set(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_an_answer_is_a_word_of_slack_with_its_status(code: ErrorCode) -> None:
    answer = ANSWERS[code]
    assert SLACK[answer.word] == answer.status
    assert (answer.retry_after_s is not None) == (answer.status in (429, 503)), "a time to wait, where waiting helps"


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        (ErrorCode.ARCHIVED, 410, "channel_is_archived"),
        (ErrorCode.TEXT_EMPTY, 400, "no_text"),
        (ErrorCode.SLOW_MODE, 429, "rate_limited"),
        (ErrorCode.QUOTA, 429, "rate_limited"),
        (ErrorCode.DISK_FULL, 503, "service_unavailable"),
        (ErrorCode.SHUTTING_DOWN, 503, "service_unavailable"),
        (ErrorCode.OVERLOADED, 503, "service_unavailable"),
        (ErrorCode.BANNED, 404, "no_service"),
        (ErrorCode.LOGIN_EXPIRED, 404, "no_service"),
        (ErrorCode.READ_ONLY, 403, "action_prohibited"),
        (ErrorCode.NOT_A_MEMBER, 404, "channel_not_found"),
    ],
)
def test_what_senders_act_on(code: ErrorCode, status: int, word: str) -> None:
    answer = answer_to(code)
    assert (answer.status, answer.word) == (status, word)


@pytest.mark.parametrize(
    ("status", "retry_after_s", "answer"),
    [
        (429, 0.3, HookAnswer(429, "rate_limited", 1)),
        (429, 7.2, HookAnswer(429, "rate_limited", 8)),
        (429, None, HookAnswer(429, "rate_limited", 60)),
        (503, 10.0, HookAnswer(503, "service_unavailable", 10)),
        (400, None, HookAnswer(400, "invalid_payload")),
        (403, None, HookAnswer(404, "no_service")),
        (405, None, HookAnswer(405, "invalid_payload")),
        (413, None, HookAnswer(413, "invalid_payload")),
    ],
)
def test_what_http_refuses_says_how_long_to_wait(status: int, retry_after_s: float | None, answer: HookAnswer) -> None:
    assert answer_to_http(status, retry_after_s) == answer


def test_a_room_that_is_hidden_is_answered_like_one_that_does_not_exist() -> None:
    assert answer_to(ErrorCode.NOT_A_MEMBER) == answer_to(ErrorCode.NO_SUCH_ROOM)


@pytest.mark.parametrize(("left_s", "told_s"), [(None, 60), (0.0, 1), (0.2, 1), (2.0, 2), (2.1, 3)])
def test_the_time_to_wait_is_whole_seconds_rounded_up(left_s: float | None, told_s: int) -> None:
    assert answer_to(ErrorCode.SLOW_MODE, retry_after_s=left_s).retry_after_s == told_s


def test_a_time_to_wait_is_not_told_where_waiting_does_not_help() -> None:
    assert answer_to(ErrorCode.ARCHIVED, retry_after_s=5.0).retry_after_s is None


def test_a_delivery_that_was_stored_once_is_ok_whatever_became_of_its_message() -> None:
    assert REASONS["key_of_changed_message"][0] is REASONS["key_of_another_message"][0] is ErrorCode.KEY_USED
    assert answer_to(ErrorCode.KEY_USED, reason="key_of_changed_message") == OK
    assert answer_to(ErrorCode.KEY_USED, reason="key_of_another_message").word == "invalid_payload"


def test_a_token_that_is_good_for_no_connection_is_no_webhook_s() -> None:
    assert REASONS["token_needs_scope"][0] is ErrorCode.NO_RIGHT
    assert answer_to(ErrorCode.NO_RIGHT, reason="token_needs_scope") == NO_SERVICE
    assert answer_to(ErrorCode.NO_RIGHT, reason="not_your_message").word == "action_prohibited"


def test_success_is_what_grafana_and_alertmanager_compare() -> None:
    assert (OK.status, OK.word.encode(), OK.headers) == (200, b"ok", (("Content-Type", "text/plain"),))


def test_headers_have_the_time_to_wait() -> None:
    assert dict(HookAnswer(429, "rate_limited", 7).headers) == {"Content-Type": "text/plain", "Retry-After": "7"}


def test_an_error_says_its_answer_and_nothing_else() -> None:
    error = HookError(answers.NO_SERVICE)
    assert str(error) == "404 no_service"
    assert error.answer is answers.NO_SERVICE
