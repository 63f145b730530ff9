"""The text that a mouse marks in a pane: without what the wrap and the gutter have put into it.

A line of a message that takes several rows is one line again, so that a marked link or command can be pasted. Of rows
that are marked from their begin on, the gutter is left out where the row above is marked too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from securechat.client.ui.rows.styled_text import TextRow
from securechat.text.sanitize import width

MarkRange: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Column and row of the cell where the marking began, and of the one where it ends; both are marked."""


def marked_cells(mark: MarkRange | None, y: int, columns: int) -> tuple[int, int] | None:
    """Return the first marked cell of a row and the one behind the last; None where none is."""
    if mark is None or mark[0] == mark[1]:
        return None
    (from_x, from_y), (to_x, to_y) = sorted(mark, key=lambda cell: (cell[1], cell[0]))
    if not from_y <= y <= to_y:
        return None
    return (from_x if y == from_y else 0), (to_x + 1 if y == to_y else columns)


def marked_text(rows: Sequence[TextRow], mark: MarkRange | None, columns: int) -> str:
    """Return the text of the marked cells; empty where none are.

    Args:
        rows: of the pane.
        mark: where.
        columns: cells of the pane.
    """
    text = ""
    begun = False
    for y, row in enumerate(rows):
        cells = marked_cells(mark, y, columns)
        if cells is None:
            continue
        goes_on = begun and row.joins is not None
        skipped = row.indent if begun and (goes_on or row[: row.indent].isspace()) else 0
        part = _cells(row, *cells, skipped)
        between = (row.joins or "" if goes_on else "\n") if begun else ""
        text = f"{text}{between}{part}"
        begun = True
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _cells(row: TextRow, start: int, end: int, skipped: int) -> str:
    cells, text = 0, []
    for index, char in enumerate(row):
        if start <= cells < end and index >= skipped:
            text.append(char)
        cells += width(char)
    return "".join(text)
