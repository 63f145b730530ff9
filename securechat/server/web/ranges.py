"""Judges the part of a file that a GET or HEAD is answered with (RFC 9110, sections 13 and 14); pure.

One range is answered, because that is what goes on with a download and what a player asks for. Several are answered
with the whole, as RFC 9110 (section 14.2) lets a server do: many small ranges of a large file cost more than it.
"""

from __future__ import annotations

import re

from msgspec import Struct

from securechat.wire.http import Headers, Request

_RANGE = re.compile(rb"([0-9]*)-([0-9]*)")
_MOST_DIGITS = 18
"""Of a number that is looked at; larger ones are behind the end of every file."""
_WHOLE = ("Accept-Ranges", "bytes")


class Selection(Struct, frozen=True):
    """What a request is answered with.

    Attributes:
        status: 200, 206, 304 or 416.
        offset: of the first byte, in the file.
        size_bytes: of the body; of 304 and 416, which have none of the file, 0.
        headers: that this status needs.
    """

    status: int
    offset: int = 0
    size_bytes: int = 0
    headers: Headers = ()


def select(request: Request, size_bytes: int, etag: str) -> Selection:
    """Judge Range, If-Range and If-None-Match.

    A range that is not valid is ignored (section 14.2), and so is each one of an empty file, which has no byte to name
    in Content-Range. A HEAD has no range.

    Args:
        request: GET or HEAD.
        size_bytes: of the file.
        etag: of the file, in its quotation marks; a strong one, in lower case.
    """
    if _is_known(request, etag):
        return Selection(304)
    whole = Selection(200, size_bytes=size_bytes, headers=(_WHOLE,))
    if request.method != "GET" or not size_bytes or not _is_same(request, etag):
        return whole
    wanted = _only_range(request)
    if wanted is None:
        return whole
    first, last = wanted
    if first is None:  # the last bytes
        suffix_bytes = min(last or 0, size_bytes)
        first, last = size_bytes - suffix_bytes, size_bytes - 1
    elif last is None or last >= size_bytes:
        last = size_bytes - 1
    if first >= size_bytes:
        return Selection(416, headers=(("Content-Range", f"bytes */{size_bytes}"),))
    named = ("Content-Range", f"bytes {first}-{last}/{size_bytes}")
    return Selection(206, first, last - first + 1, (_WHOLE, named))


def _is_known(request: Request, etag: str) -> bool:
    """Whether the client has the file already (section 13.1.2): compared weakly."""
    words = request.words(b"if-none-match")
    return "*" in words or any(word.removeprefix("w/") == etag for word in words)


def _is_same(request: Request, etag: str) -> bool:
    """Whether the file is the one that the range was meant of (section 13.1.5): compared strongly; no date is."""
    values = request.values(b"if-range")
    return not values or values == [etag.encode()]


def _only_range(request: Request) -> tuple[int | None, int | None] | None:
    """Return the first and the last position of the one range that is asked for; None where there is not one.

    Without a first position the last one is the number of the last bytes.
    """
    values = request.values(b"range")
    if len(values) != 1:
        return None
    unit, _, ranges = values[0].partition(b"=")
    if unit.lower() != b"bytes":
        return None
    named = [part for each in ranges.split(b",") if (part := each.strip(b" \t"))]
    if len(named) != 1 or (found := _RANGE.fullmatch(named[0])) is None or found[0] == b"-":
        return None
    first, last = (_number(digits) if digits else None for digits in found.groups())
    if first is not None and last is not None and last < first:
        return None
    return first, last


def _number(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
