"""The longest legal value of each argument that a refusal takes, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from securechat.text.refusals import REASONS, fields

FREE_TEXT_CHARS = 500
"""Of a reason that a moderator or an administrator writes (`securechat.model.rooms.Reason`)."""
_WIDEST = "\U00010331"
"""A letter of four bytes."""
_NUMBER = 2**31

LONGEST: Mapping[str, str | int] = {
    "character": _WIDEST,
    "code_point": "U+10FFFF",
    "example": 'from:ana or from:"user1 pc"',
    "filter": "before",
    "by": _WIDEST * 32,
    "least": _NUMBER,
    "left": _NUMBER,
    "most": _NUMBER,
    "most_bytes": _NUMBER,
    "name": _WIDEST * 32,
    "person": _WIDEST * 32,
    "room": _WIDEST * 64,
    "size": 2**32 - 1,
    "why": "\x01" * FREE_TEXT_CHARS,
}
"""A number stands for an argument that is one. Durations are in seconds."""
FREE_TEXT = frozenset({"why"})
"""Arguments that a person wrote, or the decoder: their own limits bound them."""


def longest_arguments(reason: str) -> dict[str, str | int]:
    """Return legal arguments of a reason, each as long as it may be."""
    return {name: LONGEST[name] for name in fields(REASONS[reason][1])}
