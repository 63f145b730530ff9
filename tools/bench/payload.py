"""The 64 characters that every message of a run carries, so that what arrives can be told apart and timed.

``~`` sender (4 hex digits), number of that sender (8), monotonic nanoseconds (16), filler. The filler starts at a
letter that depends on sender and number, so that a mixed-up or cut text is noticed.
"""

from __future__ import annotations

from typing import NamedTuple

TEXT_CHARS = 64
_HEAD = 1 + 4 + 8 + 16
_ALPHABET = "abcdefghijklmnopqrstuvwxyz" * 4
_FILLERS = [_ALPHABET[start : start + TEXT_CHARS - _HEAD] for start in range(26)]


class Payload(NamedTuple):
    """What a text says: which message of which sender, and when it was meant to be sent."""

    sender: int
    number: int
    stamp_ns: int


def make_text(sender: int, number: int, stamp_ns: int) -> str:
    return f"~{sender:04x}{number:08x}{stamp_ns:016x}{_FILLERS[(sender + number) % 26]}"


def parse_text(text: str) -> Payload | None:
    """Read a text; None when it is not exactly what `make_text` makes."""
    if len(text) != TEXT_CHARS or text[0] != "~":
        return None
    try:
        found = Payload(int(text[1:5], 16), int(text[5:13], 16), int(text[13:_HEAD], 16))
    except ValueError:
        return None
    return found if text[_HEAD:] == _FILLERS[(found.sender + found.number) % 26] else None
