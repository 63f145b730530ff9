"""Errors as documents: every code has a status, and a document says what a program needs."""

from __future__ import annotations

import json

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.server.api.problems import (
    HTTP_CODES,
    STATUSES,
    ProblemError,
    RefusedError,
    error_answer,
    refusal_answer,
)
from securechat.text.refusals import REASONS, refusal_for
from securechat.wire.http import HttpError

ALLOWED = {400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 507}
"""413: FRAME_TOO_LARGE, which no request of the API meets."""


def test_every_code_has_a_status() -> None:
    assert set(STATUSES) == set(ErrorCode)
    assert set(STATUSES.values()) <= ALLOWED


def test_the_codes_of_http_are_none_of_the_hubs_with_another_status() -> None:
    shared = {word: status for status, word in HTTP_CODES.items() if word in {code.value for code in ErrorCode}}
    assert shared == {"internal": STATUSES[ErrorCode.INTERNAL]}
    assert len(set(HTTP_CODES.values())) == len(HTTP_CODES)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_refusal_is_a_document(code: ErrorCode) -> None:
    made = refusal_answer(Refusal(code, "A sentence"))
    document = json.loads(made.body)
    assert document["type"] == f"urn:securechat:error:{code.value}"
    assert (document["code"], document["status"]) == (code.value, STATUSES[code])
    assert made.head.startswith(f"HTTP/1.1 {STATUSES[code]} ".encode())
    assert b"\r\nContent-Type: application/problem+json\r\n" in made.head
    assert (b"\r\nWWW-Authenticate: Bearer\r\n" in made.head) is (made.status == 401)


def test_a_document_has_the_arguments_and_the_wait() -> None:
    made = refusal_answer(refusal_for("slow_mode", room="ops", left=3, retry_after_s=2.25))
    assert json.loads(made.body) == {
        "type": "urn:securechat:error:slow_mode",
        "code": "slow_mode",
        "status": 429,
        "detail": "#ops is in slow mode. Wait 3 seconds before your next message",
        "reason": "slow_mode",
        "args": {"room": "ops", "left": 3},
        "retry_after_s": 2.25,
    }
    assert b"\r\nRetry-After: 3\r\n" in made.head


def test_what_http_refuses_has_a_code_too() -> None:
    made = error_answer(HttpError(429, "Too many.", [("Retry-After", "7")]))
    document = json.loads(made.body)
    assert (document["code"], document["retry_after_s"], document["detail"]) == ("too_many_requests", 7, "Too many")
    assert made.head.count(b"Retry-After: 7\r\n") == 1
    made = error_answer(HttpError(405, "No.", [("Allow", "GET")]))
    assert b"\r\nAllow: GET\r\n" in made.head
    assert json.loads(made.body)["code"] == "method_not_allowed"
    for status, word in HTTP_CODES.items():
        assert json.loads(error_answer(HttpError(status, "No")).body)["code"] == word


def test_what_the_api_refuses_has_its_own() -> None:
    made = error_answer(ProblemError(400, "not_json", "No", args={"parameter": "limit"}))
    assert json.loads(made.body)["code"] == "not_json"
    assert json.loads(made.body)["args"] == {"parameter": "limit"}
    assert error_answer(RefusedError(refusal_for("text_empty"))).status == 422


def test_a_refusal_of_every_reason_can_be_told() -> None:
    for code, _ in REASONS.values():
        assert STATUSES[code] >= 400
