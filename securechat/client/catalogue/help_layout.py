"""Lays out a page of /help: what is typed on the left, what it does beside it, both measured in the user's language.

A row whose usage is wider than the column puts its text after two spaces. A text that does not fit continues under its
beginning, and a note, which has no usage, begins at the edge. A test holds every page to 80 columns and 24 rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from securechat.text.sanitize import width
from securechat.translation import LazyText

PAGE_CELLS = 76
"""Of 80 columns, without the mark of a notice and the cell that stays free at the edge."""
_WIDEST_COLUMN = 25
"""A usage of more cells stands outside of the column, which would else leave too few cells for the texts."""
_GAP = 2
_INDENT = "    "


class HelpRow(NamedTuple):
    """A row of a page.

    Args:
        usage: what is typed: a `LazyText` where it has a word to translate; empty for a note.
        text: what it does, likewise.
        indented: whether it belongs to the row above.
    """

    usage: str | LazyText
    text: str | LazyText
    indented: bool = False


def page_text(rows: Sequence[HelpRow]) -> str:
    """Return a page in the language in use."""
    widths = (width(_typed(row)) for row in rows)
    column = max((each for each in widths if each <= _WIDEST_COLUMN), default=0)
    return "\n".join(line for row in rows for line in _lines(row, column))


def _typed(row: HelpRow) -> str:
    return f"{_INDENT if row.indented else ''}{row.usage}"


def _lines(row: HelpRow, column: int) -> Iterator[str]:
    usage = _typed(row)
    margin = column + _GAP if usage else 0
    line = usage + " " * max(_GAP, margin - width(usage)) if usage else ""
    begun = False
    for word in str(row.text).split(" "):
        if begun and width(line) + 1 + width(word) > PAGE_CELLS:
            yield line
            line, begun = " " * margin, False
        line += f" {word}" if begun else word
        begun = True
    yield line.rstrip()
