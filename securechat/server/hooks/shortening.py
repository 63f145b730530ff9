"""Cuts a text that is too long for a message, at a line, and says how much is missing."""

from __future__ import annotations

import re
import unicodedata

_BLANK_LINES = re.compile(r"\n{3,}")
_NOTE_CHARS = len("\n(more than 1,234,567 more characters)")
_MOST_STEPS = 16
"""Code points that a cut goes back to leave no half of a character: an emoji of a family has seven."""
_JOINERS = "\u200c\u200d"


def shortened(text: str, most_chars: int, most_bytes: int, missing: int = 0, *, whole: bool = True) -> str:
    """Return ``text`` within the limits, with a last line about what is missing, if anything is.

    The cut is at a line end, at a space where the last line would leave half of the place unused, and within a word
    only where that has no space.

    Args:
        text: of any length.
        most_chars: code points of the result, at least 100.
        most_bytes: bytes of the result in UTF-8.
        missing: code points of what is missing behind the text already.
        whole: whether ``missing`` counts all that is missing there.
    """
    if whole and not missing and _fits(text, most_chars, most_bytes):
        return _tidy(text)
    place = text[: most_chars - _NOTE_CHARS].encode()[: most_bytes - _NOTE_CHARS].decode(errors="ignore")
    kept = text if len(place) == len(text) else place[: _end(text, len(place))]
    missing += len(text) - len(kept)
    if whole and not missing:
        return _tidy(kept)
    note = _note(missing, whole=whole)
    shown = _tidy(kept)
    return f"{shown}\n{note}" if shown else note


def _note(missing: int, *, whole: bool) -> str:
    if whole:
        return f"({missing:,} more characters)"
    return f"(more than {missing:,} more characters)" if missing else "(more)"


def _fits(text: str, most_chars: int, most_bytes: int) -> bool:
    return len(text) <= most_chars and (text.isascii() or len(text.encode()) <= most_bytes)


def _end(text: str, room: int) -> int:
    """Return the number of code points to keep, at most ``room``, which is less than the text has."""
    for between in ("\n", " "):
        end = text.rfind(between, room // 2, room + 1)
        if end > 0:
            return end
    end = room
    for _ in range(_MOST_STEPS):
        if end <= 1 or not (_joins(text[end]) or text[end - 1] in _JOINERS):
            return end
        end -= 1
    return room


def _joins(char: str) -> bool:
    """Tell whether a character belongs to the one before it: marks, joiners, variation selectors, skin tones."""
    return char in _JOINERS or unicodedata.category(char)[0] == "M" or "\U0001f3fb" <= char <= "\U0001f3ff"


def _tidy(text: str) -> str:
    """Return a text without blanks at the ends of its lines, and without more than one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip("\n")
