"""Bytes of standard input are said as they stand, or refused with the number of their line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.client.pipe.input_lines import LONGEST_LINE_BYTES, InputLine, decode_line
from securechat.limits import MAX_TEXT_CHARS


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"hello", "hello"),
        (b"hello\r", "hello"),
        (b"hello\r\r", "hello\r"),
        (b"one\rtwo", "one\rtwo"),
        (b" \tx ", " \tx "),
        (b"a\x00b", "a\x00b"),
        ("one\u2028two\u2029three\x85four".encode(), "one\u2028two\u2029three\x85four"),
        ("middle \ufeff mark".encode(), "middle \ufeff mark"),
        (b"exit", "exit"),
        (b"/kick ana", "/kick ana"),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_a_text_stays_as_it_stands(number: int, raw: bytes, text: str) -> None:
    """Looked through: every way in which Python, Windows and editors end or begin a line or a file."""
    assert decode_line(number, raw) == InputLine(number, text)


def test_the_mark_of_utf_8_is_taken_off_the_file_and_off_nothing_else() -> None:
    assert decode_line(1, "\ufeffhello".encode()) == InputLine(1, "hello")
    assert decode_line(2, "\ufeffhello".encode()) == InputLine(2, "\ufeffhello")


@pytest.mark.parametrize("raw", [b"caf\xe9", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"ok \xff"])
def test_bytes_that_are_no_utf_8_are_refused_by_number(raw: bytes) -> None:
    line = decode_line(7, raw)
    assert line.text == ""
    assert line.problem.startswith("Line 7 was not sent, because it is not UTF-8 text: byte 0x")
    assert not line.fatal


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be", "utf-32-be"])
def test_utf_16_is_refused_as_a_whole(encoding: str) -> None:
    raw = "hello\nyou\n".encode(encoding)
    marked = raw if encoding in {"utf-16", "utf-32"} else "\ufeff".encode(encoding) + raw
    line = decode_line(1, marked.split(b"\n")[0])
    assert line.fatal
    assert "UTF-16" in line.problem


def test_a_line_too_long_is_refused_whatever_it_is() -> None:
    assert f"has {MAX_TEXT_CHARS + 1} characters" in decode_line(3, b"x" * (MAX_TEXT_CHARS + 1)).problem
    assert "Line 3 has" in decode_line(3, b"\xc3" * LONGEST_LINE_BYTES).problem


@given(raw=st.binary(max_size=60).filter(lambda raw: b"\n" not in raw))
def test_whatever_is_sent_is_what_stood_there(raw: bytes) -> None:
    line = decode_line(2, raw)
    assert bool(line.problem) or line.text.encode() == raw.removesuffix(b"\r")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_refused_as_a_whole(encoding: str) -> None:
    line = decode_line(1, "halo semua".encode(encoding))
    assert line.fatal
    assert "UTF-16" in line.problem
    assert not decode_line(2, b"a\0").fatal
