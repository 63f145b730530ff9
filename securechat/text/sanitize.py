"""Makes text from other users safe to show in a terminal, a log or a line.

One rule (promise 6): a code point that could move the cursor, switch colours, reorder the line or be invisible is shown
as a visible symbol. Combining marks, joiners inside emoji and every script stay unchanged: languages need them. The
categories come from the Unicode Character Database; the bidi controls from UAX #9, table of explicit formatting
characters; C0 and C1 from ECMA-48.
"""

from __future__ import annotations

import re
import unicodedata

CONTINUATION_MARK = "┆"
"""Begins every continuation line of a message. `visible` replaces it in texts, so no text can produce it."""

NEWLINE_MARK = "⏎"
"""Replaces a newline where a message must stay on one line. `one_line` replaces it in texts as well."""

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
_TAGS = "\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
_HOSTILE = re.compile(
    f"[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\u2028\u2029\ud800-\udfff{_BIDI}{_INVISIBLE}{_TAGS}{CONTINUATION_MARK}]"
)
_BLANK = re.compile("[\\s\u200c\u200d\u2800\U00013430-\U00013442\U0001d159]")
"""What has a category of something visible, or none of its own, and shows nothing: spaces; the joiners; Braille without
a dot; Egyptian format controls and blanks; the musical null notehead. What else is invisible is in _HOSTILE."""
_MAX_MARKS = 8
"""Combining marks kept on one base character (Unicode's Stream-Safe format, UAX #15, allows 30; 8 are enough)."""
_MARKS = frozenset({"Mn", "Me"})
"""Categories of marks that take no cell of their own and stack on the character before them, in any script."""
_ZERO_WIDTH = _MARKS | {"Cf"}


def visible(text: str) -> str:
    """Return ``text`` with every hostile code point shown as a symbol; newlines stay.

    C0 controls become their pictures (U+2400 block), a tab four spaces, everything else ``<U+XXXX>``. Beyond eight
    combining marks in a row the rest is cut, because a stack of them covers the lines above.

    Args:
        text: anything a peer sent.

    Returns:
        Text that is safe to print; unchanged (the same object) when there was nothing to replace.
    """
    if text.isascii() and text.isprintable():
        return text
    safe = _HOSTILE.sub(_symbol, text)
    return safe if len(safe) <= _MAX_MARKS else _without_piles(safe)


def one_line(text: str) -> str:
    """Return ``text`` safe and on one line: newlines become ``⏎``, and a typed ``⏎`` becomes ``<U+23CE>``."""
    return visible(text).replace(NEWLINE_MARK, "<U+23CE>").replace("\n", NEWLINE_MARK)


def is_hostile(text: str) -> bool:
    """Tell whether `visible` would have to replace anything, newlines included."""
    return "\n" in text or visible(text) != text


def without_hostile(text: str) -> str:
    """Return ``text`` without what `visible` would show as a symbol; newlines stay, and so do piles of marks."""
    return _HOSTILE.sub("", text)


def is_blank(text: str) -> bool:
    """Tell whether nothing in ``text`` shows by itself: it has spaces, joiners, marks and variation selectors alone.

    A mark without a character to stand on draws on a neighbour, or on nothing. Code points without a category count as
    visible, because emoji of a later Unicode are among them.
    """
    left = _BLANK.sub("", without_hostile(text))
    return all(unicodedata.category(char).startswith("M") for char in left)


def _symbol(found: re.Match[str]) -> str:
    char = found[0]
    code = ord(char)
    if char == "\t":
        return "    "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"<U+{code:04X}>"


def _without_piles(text: str) -> str:
    """Cut marks beyond _MAX_MARKS in a row; format characters in between, such as joiners, do not restart the count."""
    kept = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category in _MARKS:
            marks += 1
            if marks > _MAX_MARKS:
                continue
        elif category != "Cf":
            marks = 0
        kept.append(char)
    return text if len(kept) == len(text) else "".join(kept)


def width(text: str) -> int:
    """Terminal cells that ``text`` takes, by East Asian Width (UAX #11); combining marks and joiners take none."""
    cells = 0
    for char in text:
        if unicodedata.category(char) in _ZERO_WIDTH:
            continue
        cells += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return cells
