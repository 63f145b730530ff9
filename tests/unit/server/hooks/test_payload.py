"""Bodies of webhooks are read as JSON, as a form or as text, and everything else is an invalid payload."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.server.hooks.answers import INVALID_PAYLOAD, HookError
from securechat.server.hooks.payload import FORM, HookPayload, parse

JSON = "application/json"


def expect_invalid(body: bytes, content_type: str = JSON) -> None:
    with pytest.raises(HookError) as caught:
        parse(body, content_type)
    assert caught.value.answer is INVALID_PAYLOAD
    assert str(caught.value) == "400 invalid_payload", "an error repeats nothing of the body"


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "Application/JSON;charset=x", "application/vnd.a+json"]
)
def test_json(content_type: str) -> None:
    assert parse(b'{"text": "h\\u00e9"}', content_type) == HookPayload({"text": "hé"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"null",
        b"[]",
        b'["text"]',
        b'"text"',
        b"1",
        b"{",
        b'{"text":"a"',
        b'{"text":"a"} {}',
        b'{"text":NaN}',
        b'{"text":' + b"9" * 10_000 + b"}",
        b'{"text":"\xff"}',
        b'{"text":"\xed\xa0\x80"}',  # a surrogate, as UTF-8 would have it
        b'{"text":"a\nb"}',
        b'{"text":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        '{"text":"a"}'.encode("utf-16"),
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_is_no_object_in_json(body: bytes) -> None:
    expect_invalid(body)


@pytest.mark.parametrize("number", ["1.50", "1e999", "-0.0"])
def test_a_number_with_a_fraction_stays_as_it_is_written(number: str) -> None:
    assert parse(f'{{"text":{number}}}'.encode(), "application/json").fields == {"text": number}


def test_the_last_of_two_fields_with_one_name_counts() -> None:
    assert parse(b'{"text":"a","text":"b"}', JSON).fields == {"text": "b"}


def test_a_byte_order_mark_is_no_part_of_the_body() -> None:
    assert parse(b'\xef\xbb\xbf{"text":"a"}', JSON).fields == {"text": "a"}
    assert parse(b"\xef\xbb\xbfa", "text/plain").text == "a"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"a\\ud83d", "a\ufffd"),
        (b"\\uDE00b", "\ufffdb"),
        (b"\\ud83d\\ud83d\\ude00", "\ufffd😀"),
        (b"\\ud83d\\ude00\\ude00", "😀\ufffd"),
        (b"\\ud83d \\ude00", "\ufffd \ufffd"),
        (b"\\\\ud83d\\ud83d", "\\ud83d\ufffd"),
    ],
)
def test_half_a_character_is_shown_as_missing(written: bytes, text: str) -> None:
    """An alert that was cut in the middle of an emoji is an alert."""
    assert parse(b'{"text":"' + written + b'"}', JSON).fields == {"text": text}


def test_whole_characters_stay() -> None:
    assert parse(b'{"text":"\\ud83d\\ude00 \\\\ud83d"}', JSON).fields == {"text": "😀 \\ud83d"}


def test_thousands_of_halves_are_no_text() -> None:
    expect_invalid(b'{"text":"' + b"\\ud83d" * 3_000 + b'"}')


@pytest.mark.parametrize("quoted", [quote, quote_plus])
def test_the_field_payload_of_a_form(quoted: object) -> None:
    assert callable(quoted)
    body = "token=1&payload=" + quoted('{"text": "a & b + c = 100 % é\\n\\\\"}') + "&x=payload=3"
    assert parse(body.encode(), FORM).fields == {"text": "a & b + c = 100 % é\n\\"}


def test_a_form_whose_backslashes_are_not_escaped() -> None:
    assert parse(b'payload={"text":"a\\nb \\u0041 \\\\x41"}', FORM).fields == {"text": "a\nb A \\x41"}


def test_a_form_whose_percent_signs_are_not_escaped() -> None:
    assert parse(b'payload={"text":"100% full%2c 5%"}', FORM).fields == {"text": "100% full, 5%"}


@pytest.mark.parametrize("body", [b"payload=", b"payload=%7B", b"a=1&payload=text", b"payload=%ff", b"payload=[]"])
def test_a_form_with_another_payload(body: bytes) -> None:
    expect_invalid(body, FORM)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_form_is_decoded_as_the_standard_library_does(text: str) -> None:
    wanted = {"text": text}
    assert parse(b"payload=" + quote_plus(_json(text)).encode(), FORM).fields == wanted
    assert parse(b"payload=" + quote(_json(text), safe="/!~*'()").encode(), FORM).fields == wanted


def _json(text: str) -> bytes:
    import msgspec

    return msgspec.json.encode({"text": text})


@pytest.mark.parametrize("content_type", [FORM, "", "application/octet-stream", "text/plain", "text/markdown"])
@pytest.mark.parametrize(
    "text", ["build failed & more", "xpayload=1", "100 %", "é 😀\n", "", "[1]", "{not json}", "a&b=c"]
)
def test_text(content_type: str, text: str) -> None:
    assert parse(text.encode(), content_type) == HookPayload(None, text)


@pytest.mark.parametrize("content_type", [FORM, "", "application/octet-stream", FORM + "; charset=UTF-8"])
def test_an_object_is_json_under_the_types_that_clients_send_unasked(content_type: str) -> None:
    """``curl -d '{"text": "a"}'`` claims to send a form."""
    assert parse(b' \n{"text": "a"}', content_type) == HookPayload({"text": "a"})


def test_text_that_is_said_to_be_text_stays_text() -> None:
    assert parse(b'{"text": "a"}', "text/plain").text == '{"text": "a"}'


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", 'text/plain;format=flowed; charset="UTF-8"'])
def test_text_in_utf_8(content_type: str) -> None:
    assert parse("é".encode(), content_type).text == "é"


@pytest.mark.parametrize("content_type", ["text/plain; charset=iso-8859-1", "text/plain; charset=utf-16"])
def test_text_in_another_encoding(content_type: str) -> None:
    expect_invalid(b"a", content_type)


@pytest.mark.parametrize("content_type", [FORM, "", "text/plain"])
def test_text_that_is_no_utf_8(content_type: str) -> None:
    expect_invalid(b"\xff\xfe", content_type)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=a", "image/png", "application/xml", "x", "/"])
def test_other_types(content_type: str) -> None:
    expect_invalid(b"a", content_type)


def test_the_name_that_a_sender_gives_itself() -> None:
    assert parse(b'{"username":"CI"}', JSON).username == "CI"
    assert parse(b"{}", JSON).username is None
    assert parse(b"a", "text/plain").username is None
