"""Rows of the line mode are not wider than the terminal, whatever terminal it is."""

from __future__ import annotations

import pytest

from securechat.client.ui.rows.rendering import announcement_rows, message_rows
from securechat.client.ui.rows.wrapping import cells
from securechat.model import Message


@pytest.mark.parametrize(
    "sign", ["☰", "\U0001f1ee", "䷀", "\U0001d360", "\u0600a", "©", "漢", "\u0e01\u0e33", "\U000f0000", "x"]
)
@pytest.mark.parametrize("columns", [40, 80])
def test_what_some_terminals_draw_wide_is_counted_wide(sign: str, columns: int) -> None:
    """A row that a terminal wraps by itself would begin another row with a text of the sender's choice."""
    text = sign * 200
    message = Message(7, 0, 2, "bob", 0, text, "lobby")
    for row in [*message_rows(message, columns, number=7), *announcement_rows(text, columns)]:
        assert cells(row.replace("┆", "|")) < columns
