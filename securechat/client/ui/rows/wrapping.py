"""Cuts text into rows that are never wider than their field, whatever terminal draws them.

Terminals disagree about the width of many characters: of emoji joined to one, of variation selectors, of the vowels of
Thai and Devanagari, of what Unicode calls ambiguous. A row that a terminal draws wider than was counted reaches into
another field, and leaves remains when it changes. So every code point counts as wide as any terminal draws it, and
never less than one cell. A row may therefore end early, and that is all.

One exception: letters of the Latin, Greek and Cyrillic alphabets are ambiguous too (UAX #11), and count one cell. Only
terminals that are set to double them need more, where a row of Russian would else be half as long for all others.

Rows break at spaces. A word longer than a row is cut, and so is a line of code, both without tearing a character. What
must stay whole, such as a link, is cut only where a whole row does not take it. All of it takes time in proportion to
the text, whatever the text is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from securechat.client.ui.rows.styled_text import TextRow, TextSpan
from securechat.text.clusters import cut_before, is_attached
from securechat.text.sanitize import width

NARROWEST = 2
"""The fewest cells of a row: a wide character takes two."""

_LETTERS_END = 0x530
"""The first code point behind the Latin, Greek and Cyrillic blocks whose letters are ambiguous."""
_SYMBOLS = range(0x2190, 0x2C00)
"""Arrows to symbols: each of these blocks has some that a variation selector makes an emoji, or that a font widens."""
_IDEOGRAPHIC = range(0x2E80, 0xA4D0)
"""The blocks of East Asian scripts: some tables have all of them wide, hexagrams too."""
JOINER = "\u200d"
"""Makes some terminals (tmux 3.3) join the next cell with the one that it stands in."""
_ALSO_WIDE = frozenset("\u00a9\u00ae\u203c\u2049\u2122\u2139\u2e3a\u2e3b\ufdfd")
"""Text or emoji by choice of the terminal (emoji-variation-sequences.txt); dashes and a ligature of several ems."""
_UNKNOWN = {"Cn", "Co"}


class RowRange(Struct, frozen=True):
    """The part of a text that makes a row: from ``start`` up to ``end``."""

    start: int
    end: int


@lru_cache(maxsize=4096)
def _char_cells(char: str) -> int:
    code = ord(char)
    category = unicodedata.category(char)
    east_asian = unicodedata.east_asian_width(char)
    if east_asian in "WF" or code in _IDEOGRAPHIC:
        return 2
    if category in {"Mn", "Me", "Cf"}:
        return 1  # nothing, or a cell where the terminal cannot put it on the one before
    if code > 0xFFFF or code in _SYMBOLS or category in _UNKNOWN or char in _ALSO_WIDE:
        return 2  # emoji, those of a later Unicode, flags, and what no two terminals agree on
    if east_asian == "A":
        return 1 if code < _LETTERS_END and category.startswith("L") else 2
    return 1


def cells(text: str) -> int:
    """Return the most terminal cells that a text takes, of printable characters only."""
    return len(text) if text.isascii() else sum(map(_char_cells, text))


def without_loose_begin(text: str) -> str:
    """Leave out what takes no cell of its own: a terminal adds it to the cell before, which may be another field's."""
    return next((text[at:] for at, char in enumerate(text) if width(char)), "")


def fitting(text: str, start: int, end: int, columns: int) -> int:
    """Return the end of what fits from ``start`` on: at least one character, and not beyond ``end``."""
    most = min(end, start + columns)
    if text[start:most].isascii():
        return max(most, min(end, start + 1))
    used = 0
    for index in range(start, most):
        used += _char_cells(text[index])
        if used > columns:
            return max(index, start + 1)
    return most


def cut_to(text: str, columns: int) -> str:
    """Return the beginning of a text that fits, with ``…`` where it goes on; for lists and heads, never for links."""
    if fitting(text, 0, len(text), columns) >= len(text):
        return text
    end = fitting(text, 0, len(text), max(1, columns - _char_cells("…")))
    return f"{text[: cut_before(text, end) or end]}…"


def row_ranges(
    text: str, start: int, end: int, columns: int, whole: Sequence[tuple[int, int]] = (), *, as_typed: bool = False
) -> list[RowRange]:
    """Cut one line of a text into rows; the space where a row breaks belongs to none.

    Args:
        text: what `visible` returned.
        start: of the line.
        end: of the line; there is no newline before it.
        columns: the cells of a row, at least NARROWEST.
        whole: parts of the text, [start, end) from left to right, that are cut only where a whole row is too short.
        as_typed: whether rows are cut at the edge alone: for code.

    Returns:
        At least one range; an empty line has an empty one.
    """
    columns = max(columns, NARROWEST)
    ranges: list[RowRange] = []
    parts = iter(whole)
    part = next(parts, None)
    at = start
    while True:
        cut = fitting(text, at, end, columns)
        if cut >= end:
            ranges.append(RowRange(at, end))
            return ranges
        while part is not None and part[1] <= cut:
            part = next(parts, None)
        torn = part if part is not None and part[0] < cut and not as_typed else None
        stop = at if as_typed else _break(text, at, cut, end, columns, torn)
        if stop > at:
            ranges.append(RowRange(at, stop))
            at = stop + 1 if text[stop] == " " else stop
        else:
            stop = cut_before(text, cut)
            stop = stop if stop > at else cut
            ranges.append(RowRange(at, stop))
            at = stop
        if at >= end:
            return ranges


def _break(text: str, at: int, cut: int, end: int, columns: int, torn: tuple[int, int] | None) -> int:
    """Return where a row that ends at ``cut`` breaks better: at a space, or before ``torn``; ``at`` for nowhere."""
    space = text.rfind(" ", at + 1, min(cut + 1, end))
    while space > at and is_attached(text[space + 1 : space + 2] or " "):  # a mark that stands on the space
        space = text.rfind(" ", at + 1, space)
    if torn is not None:
        if space > at and cells(text[space + 1 : min(torn[1], space + 2 + columns)]) <= columns:
            return space  # what precedes the link in its word, such as a bracket, goes with it
        return torn[0]
    if space <= at:
        return at
    word_end = text.find(" ", space + 1, space + 2 + columns)
    word_end = min(space + 2 + columns, end) if word_end < 0 else word_end
    fits = fitting(text, space + 1, word_end, columns) >= word_end
    return space if fits or cut == space else at


def styled_rows(
    text: str, ranges: Iterable[RowRange], spans: Iterable[TextSpan], before: str = "", first: str | None = None
) -> list[TextRow]:
    """Make rows of the ranges of a text, with the parts of the spans that fall into them.

    Args:
        text: see `row_ranges`.
        ranges: from left to right.
        spans: of the text.
        before: what each row begins with.
        first: what the first row begins with instead.
    """
    waiting = sorted(spans, key=lambda span: span.start)
    begun = 0
    active: list[TextSpan] = []
    rows = []
    head = before if first is None else first
    end: int | None = None
    for each in ranges:
        taken = sum(1 for _ in _begun(waiting, begun, each.end))
        active = [span for span in [*active, *waiting[begun : begun + taken]] if span.end > each.start]
        begun += taken
        by = len(head) - each.start
        clipped = (
            replace(span, start=max(span.start, each.start) + by, end=min(span.end, each.end) + by) for span in active
        )
        kept = [span for span in clipped if span.start < span.end]
        between = None if end is None else text[end : each.start]
        joins = None if between is None or "\n" in between else between
        rows.append(TextRow.of(head + text[each.start : each.end], kept, len(head), joins))
        head, end = before, each.end
    return rows


def _begun(spans: Sequence[TextSpan], index: int, end: int) -> Iterable[TextSpan]:
    for span in islice(spans, index, None):
        if span.start >= end:
            return
        yield span
