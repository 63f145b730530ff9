"""The longest legal value of each argument that a refusal takes, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from securechat.limits import MAX_NAME_CHARS, MAX_ROOM_CHARS
from securechat.text.refusals import REASONS
from securechat.translation.formatting import fields

FREE_TEXT_CHARS = 500
"""Of a reason that a moderator or an administrator writes (`securechat.model.rooms.Reason`)."""
_WIDEST = "\U00010331"
"""A letter of four bytes."""
_NUMBER = 2**31
_NAME = _WIDEST * MAX_NAME_CHARS

LONGEST: Mapping[str, str | int] = {
    "by": _NAME,
    "certificate": _NUMBER,
    "character": _WIDEST,
    "code_point": "U+10FFFF",
    "count": _NUMBER,
    "example": "before:2026-11-20",
    "filter": "before",
    "invite": _NUMBER,
    "least": _NUMBER,
    "left": 10 * 365 * 86_400,
    "most": _NUMBER,
    "most_bytes": _NUMBER,
    "name": _NAME,
    "person": _NAME,
    "room": _WIDEST * MAX_ROOM_CHARS,
    "other": _WIDEST * MAX_ROOM_CHARS,
    "scope": "metrics",
    "session": _NUMBER,
    "size": 2**32 - 1,
    "token": _NUMBER,
    "used": _NUMBER,
    "version": _NUMBER,
    "why": "\x01" * FREE_TEXT_CHARS,
}
"""A number stands for an argument that is one. Durations are in seconds."""
FREE_TEXT = frozenset({"why"})
"""Arguments that a person wrote, or the decoder: their own limits bound them."""


def longest_arguments(reason: str) -> dict[str, str | int]:
    """Return legal arguments of a reason, each as long as it may be."""
    return {name: LONGEST[name] for name in fields(REASONS[reason][1])}
