"""Decodes standard input into lines: each is a text as it stands, or is refused with the reason.

Nothing is replaced: a line that is not UTF-8 is refused and the next one is read. Control characters, a lone CR and
U+2028 belong to the text and are sent as they are; readers see them as symbols (text/sanitize.py). Only three things
are taken off: the newline, one CR before it (files of Windows), and the UTF-8 byte order mark before the first line.
"""

from __future__ import annotations

import codecs

from msgspec import Struct

from securechat.client import catalogue
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS

LONGEST_LINE_BYTES = 8 * MAX_TEXT_BYTES
"""Bytes kept of a line without an end (``< /dev/zero``): far more than any text that the server accepts."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""UTF-32 LE begins with the same two bytes, and UTF-32 BE with two zeros before its mark."""
_UTF_32_BE = codecs.BOM_UTF32_BE


class InputLine(Struct, frozen=True):
    """One line of standard input.

    Attributes:
        number: counted from 1, blank lines included.
        text: the line without its end.
        problem: why it is not sent; empty where nothing is wrong.
        fatal: whether nothing after it can be read either.
    """

    number: int
    text: str
    problem: str = ""
    fatal: bool = False


def decode_line(number: int, raw: bytes) -> InputLine:
    """Decode one line.

    Args:
        number: counted from 1.
        raw: the line without its newline, at most `LONGEST_LINE_BYTES` and a read more.
    """
    if number == 1 and (raw.startswith(_UTF_16) or raw.startswith(_UTF_32_BE) or _is_utf_16(raw)):
        return InputLine(number, "", catalogue.connection.INPUT_NOT_UTF8(), fatal=True)
    raw = raw.removesuffix(b"\r")
    if number == 1:
        raw = raw.removeprefix(codecs.BOM_UTF8)
    if len(raw) >= LONGEST_LINE_BYTES:  # its end is not kept, and may be cut within a character
        return InputLine(number, "", catalogue.connection.input_line_too_long(number, len(raw), MAX_TEXT_CHARS))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return InputLine(
            number, "", catalogue.connection.input_line_not_text(number, raw[error.start], error.start + 1)
        )
    if len(text) > MAX_TEXT_CHARS:
        return InputLine(number, "", catalogue.connection.input_line_too_long(number, len(text), MAX_TEXT_CHARS))
    return InputLine(number, text)


def _is_utf_16(raw: bytes) -> bool:
    """Whether every other byte is zero: UTF-16 without its mark, at least for letters of Latin-1."""
    return len(raw) > 3 and (not any(raw[0::2]) or not any(raw[1::2]))
