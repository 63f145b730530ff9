"""A terminal that tells all that a hostile text could change: title, modes, cursor, charsets, margins, cells.

pyte leaves out the rest of a text behind a character without width that is no combining mark, such as a joiner; here
only that character is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyte

from tests.support.screen import Screen

_PIECES = re.compile("[ -~]+|.", re.DOTALL)


class Emulator(pyte.HistoryScreen):
    """pyte's terminal, with that mended."""

    def draw(self, data: str) -> None:
        for piece in _PIECES.findall(data):
            super().draw(piece)


class TerminalUnderTest(Screen):
    """A program on a terminal."""

    def __init__(self, command: Sequence[str], *, columns: int = 80, rows: int = 24, **options: Any) -> None:
        super().__init__(command, columns=columns, rows=rows, **options)
        self._emulator = Emulator(columns, rows, history=20_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._emulator)

    @property
    def emulator(self) -> pyte.HistoryScreen:
        return self._emulator

    def state(self) -> dict[str, object]:
        """Return all but the cells and the place of the cursor."""
        emulator = self._emulator
        return {
            "title": emulator.title,
            "icon": emulator.icon_name,
            "modes": frozenset(emulator.mode),
            "hidden": emulator.cursor.hidden,
            "margins": emulator.margins,
            "charset": (emulator.charset, emulator.g0_charset, emulator.g1_charset),
            "tabs": frozenset(emulator.tabstops),
            "kept": len(emulator.savepoints),
        }

    def cells(self, column: int, row: int, columns: int, rows: int) -> list[str]:
        """Return the rows of a field as text; the second half of a wide sign is nothing."""
        buffer = self._emulator.buffer
        return ["".join(buffer[y][x].data for x in range(column, column + columns)) for y in range(row, row + rows)]

    def wait_for_output(self, sentinel: bytes, start: int = 0) -> None:
        """Wait until some bytes were written; cheaper than to look at the screen each time."""
        seen = start

        def is_there() -> bool:
            nonlocal seen
            found = self.output.find(sentinel, max(start, seen - len(sentinel)))
            seen = len(self.output)
            return found >= 0

        self.wait_until(is_there, repr(sentinel))


def is_shown_safely(text: str) -> bool:
    """Tell whether a text of cells holds nothing that a terminal would take as more than a sign."""
    return not re.search(
        "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]", text
    )
