"""Finds where a text may be cut without tearing a character: a letter keeps its marks, an emoji what is joined to it.

A part of the rules of UAX #29, by general categories alone: marks, joiners, skin tones, flags of two letters. The page
has the same rules, so that both cut alike.
"""

from __future__ import annotations

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"
_MOST_BACK = 16
"""Code points by which a cut gives way at most: a family of four with skin tones is 11. What is longer is torn."""


def cut_before(text: str, at: int) -> int:
    """Return the last place that tears nothing, at or a little before ``at``."""
    place = at
    while 0 < place < len(text) and at - place <= _MOST_BACK and _is_joined(text, place):
        place -= 1
    return place if at - place <= _MOST_BACK else at


def cut_after(text: str, at: int) -> int:
    """Return the first place that tears nothing, at or a little behind ``at``."""
    place = at
    while 0 < place < len(text) and place - at <= _MOST_BACK and _is_joined(text, place):
        place += 1
    return place if place - at <= _MOST_BACK else at


def is_attached(character: str) -> bool:
    """Tell whether a character belongs to the one before it, whatever that is."""
    return (
        character == ZERO_WIDTH_JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or unicodedata.category(character).startswith("M")
    )


def _is_joined(text: str, at: int) -> bool:
    if is_attached(text[at]) or text[at - 1] == ZERO_WIDTH_JOINER:
        return True
    letters = 0  # of flags, before the cut
    while letters < at and _is_flag_letter(text[at - 1 - letters]):
        letters += 1
    return letters % 2 == 1 and _is_flag_letter(text[at])


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
