"""What a request says: tokens, paths, queries, bodies and keys; and what none of them may be."""

from __future__ import annotations

import time
from hashlib import sha256

import pytest

from securechat.limits import KIB
from securechat.server.api.problems import ProblemError, RefusedError
from securechat.server.api.requests import (
    edited_text_of,
    expect_no_secret,
    is_json,
    key_of,
    message_of,
    number,
    parameters,
    segment,
    token_of,
)
from securechat.wire.http import Authority, HttpError, Request


def request(target: str = "/api/v1/x", **headers: str | bytes) -> Request:
    lines = tuple(
        (name.replace("_", "-").lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers.items()
    )
    return Request("POST", target, Authority("a", 443), None, lines)


# --- tokens


@pytest.mark.parametrize(
    "value",
    ["Bearer abc", "bearer abc", "BEARER   abc", "Bearer scb_AZaz09-._~+/=", "Bearer " + "a" * 200],
)
def test_a_token_is_bearers(value: str) -> None:
    assert token_of(request(Authorization=value)) == value.split()[1]


@pytest.mark.parametrize(
    "value",
    ["", "abc", "Bearer", "Bearer ", "Bearer a b", "Basic abc", "Bearer a,b", "Bearer \xe4", "Bearer " + "a" * 201],
)
def test_everything_else_is_none(value: str) -> None:
    with pytest.raises(ProblemError) as caught:
        token_of(request(Authorization=value.encode("iso-8859-1")))
    assert (caught.value.status, caught.value.code) == (401, "token_missing")
    with pytest.raises(ProblemError):
        token_of(request())


def test_two_tokens_are_no_token() -> None:
    twice = Request("GET", "/", Authority("a", 443), None, ((b"authorization", b"Bearer a"),) * 2)
    with pytest.raises(ProblemError) as caught:
        token_of(twice)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "query",
    ["token=a", "x=1&token=a", "Token=a", "access_token=a", "key=a", "tok%65n=a", "token", "a=1;token=b", "+token=a"],
)
def test_a_token_in_the_query_is_refused(query: str) -> None:
    with pytest.raises(ProblemError) as caught:
        expect_no_secret(request(f"/api/v1/x?{query}"))
    assert (caught.value.status, caught.value.code) == (400, "token_in_query")


@pytest.mark.parametrize("target", ["/x", "/x?", "/x?q=token", "/x?tokens=1", "/token=1", "/x?q=a%26token=b"])
def test_other_queries_are_not(target: str) -> None:
    expect_no_secret(request(target))


# --- paths and queries


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("ops", "ops"),
        ("caf%C3%A9", "café"),
        ("%23ops", "#ops"),
        ("a+b", "a+b"),
        ("%2523ops", "%23ops"),  # escaped twice is escaped once behind it
        ("a%2Fb", "a/b"),
        ("%F0%9F%91%8D", "👍"),
        ("%00", "\0"),
    ],
)
def test_a_part_of_a_path_is_decoded_once(raw: str, text: str) -> None:
    assert segment(raw) == text


@pytest.mark.parametrize("raw", ["%", "%1", "%GG", "a%", "%FF", "%C3", "%ED%A0%80", "%%20"])
def test_a_broken_escape_is_refused(raw: str) -> None:
    with pytest.raises(ProblemError) as caught:
        segment(raw)
    assert caught.value.status == 400


def test_parameters_are_those_that_are_known_once() -> None:
    known = {"q", "limit"}
    assert parameters(request("/x?q=a+b%2B&limit=3"), known) == {"q": "a b+", "limit": "3"}
    assert parameters(request("/x"), known) == {}
    assert parameters(request("/x?q"), known) == {"q": ""}
    for query in ("q=1&q=2", "z=1", "q=%FF", "=1", "&"):
        with pytest.raises(ProblemError) as caught:
            parameters(request(f"/x?{query}"), known)
        assert caught.value.status == 400


def test_an_unknown_parameter_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ProblemError, match=r"There are: limit, q$"):
        parameters(request("/x?Q=1"), {"q", "limit"})
    with pytest.raises(ProblemError, match="takes no query"):
        parameters(request("/x?q=1"), ())


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("7", 7), (str(2**53 - 1), 2**53 - 1), (str(2**53), None), ("9" * 16, None), ("9" * 5_000, None)]
    + [(text, None) for text in ("", "-1", "+1", "01", "1.0", "1e3", "٣", "1_000", " 1", "1\n")],
)
def test_numbers_are_plain(text: str, value: int | None) -> None:
    assert number(text) == value


# --- bodies


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json;charset=UTF8", True),
        ("application/x-www-form-urlencoded", False),
        ("text/plain; charset=us-ascii", False),
        ("application/jsonp", False),
        ("text/json", False),
        ("multipart/form-data; boundary=x", False),
    ],
)
def test_only_one_type_is_json(content_type: str, expected: bool) -> None:
    assert is_json(request(Content_Type=content_type)) is expected
    assert is_json(request()) is False


@pytest.mark.parametrize(
    "content_type", ["text/plain; charset=iso-8859-1", "application/json; charset=utf-16", "x", ""]
)
def test_a_type_that_is_none_or_not_utf8_is_refused(content_type: str) -> None:
    with pytest.raises(ProblemError) as caught:
        is_json(request(Content_Type=content_type))
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"hello", "hello"),
        (b"a\nb\n", "a\nb"),
        (b"a\r\n", "a"),
        (b"a\n\n", "a\n"),
        (b'{"text":"x"}', '{"text":"x"}'),
        ("é👍".encode(), "é👍"),
        (b"", ""),
        (b"a=b&c=d", "a=b&c=d"),
    ],
)
def test_a_body_that_is_no_json_is_the_text(body: bytes, text: str) -> None:
    assert message_of(body, as_json=False).text == text
    assert edited_text_of(body, as_json=False) == text


def test_json_has_a_text_an_answer_and_a_key() -> None:
    message = message_of(b'{"text":"a","reply_to":7,"key":"k"}', as_json=True)
    assert (message.text, message.reply_to, message.key) == ("a", 7, "k")
    assert message_of(b' {"text":"\\"\\"\\"\\""} ', as_json=True).text == '""""'


DEEP = b"[" * 10_000 + b"]" * 10_000


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b"", 400, "not_json", id="empty"),
        pytest.param(b"{", 400, "not_json", id="cut"),
        pytest.param(b'{"text":"a"} x', 400, "not_json", id="more behind it"),
        pytest.param(b'{"text":NaN}', 400, "not_json", id="NaN"),
        pytest.param(b'{"text":"a","reply_to":Infinity}', 400, "not_json", id="Infinity"),
        pytest.param(b'{"text":"\xff"}', 400, "not_json", id="no UTF-8"),
        pytest.param(b'{"text":"\xed\xa0\x80"}', 400, "not_json", id="a surrogate in UTF-8"),
        pytest.param(b'{"text":"\\ud83d"}', 422, "invalid", id="half an emoji"),
        pytest.param(b'{"text":"\\ude00\\ud83d"}', 422, "invalid", id="an emoji the wrong way round"),
        pytest.param(b'{"text":"a","text":"b"}', 400, "not_json", id="a field twice"),
        pytest.param(b'{"text":"a","t\\u0065xt":"b"}', 400, "not_json", id="a field twice, escaped"),
        pytest.param(b'{"text":"a","key":"k","key":"l"}', 400, "not_json", id="a key twice"),
        pytest.param(b'{"text":"a","x":' + DEEP + b"}", 400, "not_json", id="deep, unknown"),
        pytest.param(b'{"text":' + DEEP + b"}", 400, "not_json", id="deep"),
        pytest.param(DEEP, 400, "not_json", id="nothing but depth"),
        pytest.param(b"[" * 10_000, 400, "not_json", id="depth without an end"),
        pytest.param(b'{"text":1}', 422, "body_invalid", id="a number"),
        pytest.param(b'{"text":null}', 422, "body_invalid", id="null"),
        pytest.param(b"{}", 422, "body_invalid", id="no text"),
        pytest.param(b"[]", 422, "body_invalid", id="a list"),
        pytest.param(b'"a"', 422, "body_invalid", id="a string"),
        pytest.param(b'{"text":"a","reply":3}', 422, "body_invalid", id="an unknown field"),
        pytest.param(b'{"text":"a","reply_to":-1}', 422, "body_invalid", id="a negative number"),
        pytest.param(b'{"text":"a","reply_to":9007199254740992}', 422, "body_invalid", id="a large number"),
        pytest.param(b'{"text":"a","reply_to":1e999}', 422, "body_invalid", id="a number beyond all"),
        pytest.param(b'{"text":"%b"}' % (b"a" * 4_001), 422, "text_too_long", id="too long"),
    ],
)
def test_hostile_json_has_a_clear_answer(body: bytes, status: int, code: str) -> None:
    with pytest.raises(HttpError) as caught:
        message_of(body, as_json=True)
    error = caught.value
    assert error.status == status
    if isinstance(error, RefusedError):
        assert error.refusal.code.value == code
    else:
        assert isinstance(error, ProblemError)
        assert error.code == code


def test_a_text_that_is_no_utf8_is_refused() -> None:
    for body in (b"\xff", b"\xed\xa0\x80", "é".encode("iso-8859-1")):
        with pytest.raises(ProblemError) as caught:
            message_of(body, as_json=False)
        assert (caught.value.status, caught.value.code) == (400, "not_utf8")


# --- keys


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b"build-42", "build-42"),
        (b'"build-42"', "build-42"),
        (b'"', '"'),
        (b"x" * 128, "x" * 128),
        (b"x" * 129, sha256(b"x" * 129).hexdigest()),
        (b"two words", sha256(b"two words").hexdigest()),
        ("é".encode(), sha256("é".encode()).hexdigest()),
    ],
)
def test_a_key_is_the_messages_or_its_hash(value: bytes, key: str) -> None:
    assert key_of(request(Idempotency_Key=value)) == key
    assert key_of(request()) is None


@pytest.mark.parametrize("value", [b"", b" ", b'""'])
def test_an_empty_key_is_none(value: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        key_of(request(Idempotency_Key=value))
    assert caught.value.status == 400


@pytest.mark.parametrize("begin", [b'{"text":1,"x":[', b'{"text":"\\ud800","x":['], ids=["type", "half a character"])
def test_large_numbers_in_a_body_are_not_computed(begin: bytes) -> None:
    body = begin + b",".join([b"1e308"] * 10_900) + b"]}"
    assert 65_000 < len(body) <= 64 * KIB

    def cost_ms() -> float:
        began = time.thread_time()
        with pytest.raises(HttpError):
            message_of(body, as_json=True)
        return (time.thread_time() - began) * 1000

    assert min(cost_ms() for _ in range(5)) < 25  # 180 where msgspec reads them
