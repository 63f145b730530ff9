"""What of the prompt is above the cursor when a window has become narrower."""

from __future__ import annotations

import pytest

from securechat.client.terminal.resizing import rows_above


@pytest.mark.parametrize(
    ("widths", "x", "column", "columns", "above"),
    [
        ([], 75, 25, 50, 1),  # wrapped once
        ([], 75, 15, 30, 2),
        ([], 75, 29, 30, None),  # cut: the cursor is at the edge
        ([], 50, 0, 50, 1),  # the row is full, and the cursor in the next one
        ([], 50, 49, 50, None),  # or it waits at the edge
        ([80], 20, 20, 40, 2),  # a row before it is two now
        ([80, 80], 45, 5, 40, 5),
        ([0], 3, 3, 40, 1),  # an empty row is one
    ],
)
def test_rows_above_the_cursor(widths: list[int], x: int, column: int, columns: int, above: int | None) -> None:
    assert rows_above(widths, x, column, columns) == above
