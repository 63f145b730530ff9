"""The field for text: a buffer drawn over some rows, with readline's keys, for messages, filters and fields of forms.

It decides nothing about its text: Enter is the shell's, and so are history and completion.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from securechat.client.ui.input.edit_buffer import EditBuffer
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import cells, cut_to
from securechat.text.sanitize import width

TAB = "    "
"""As `text.sanitize.visible` shows one."""
_INDENT = 2
"""Cells before the second and later rows."""

_KEYS: dict[str, Callable[[EditBuffer], None]] = {
    "left": lambda buffer: buffer.move(buffer.left()),
    "right": lambda buffer: buffer.move(buffer.right()),
    "home": lambda buffer: buffer.move(buffer.line_begin()),
    "end": lambda buffer: buffer.move(buffer.line_end()),
    "alt+b": lambda buffer: buffer.move(buffer.word_left()),
    "alt+f": lambda buffer: buffer.move(buffer.word_right()),
    "backspace": lambda buffer: buffer.delete(buffer.left()),
    "delete": lambda buffer: buffer.delete(buffer.right()),
    "ctrl+k": lambda buffer: buffer.cut(buffer.line_end() if buffer.cursor < buffer.line_end() else buffer.right()),
    "ctrl+u": lambda buffer: buffer.cut(buffer.line_begin()),
    "ctrl+w": lambda buffer: buffer.cut(buffer.blank_left()),
    "alt+d": lambda buffer: buffer.cut(buffer.word_right()),
    "alt+backspace": lambda buffer: buffer.cut(buffer.word_left()),
    "ctrl+y": EditBuffer.put_back,
    "ctrl+t": EditBuffer.transpose,
    "ctrl+underscore": EditBuffer.undo,
    "alt+underscore": EditBuffer.redo,
}
_SAME = {
    "ctrl+b": "left",
    "ctrl+f": "right",
    "ctrl+a": "home",
    "ctrl+e": "end",
    "ctrl+left": "alt+b",
    "ctrl+right": "alt+f",
    "ctrl+h": "backspace",
    "ctrl+d": "delete",
    "shift+backspace": "backspace",
    "ctrl+delete": "alt+d",
    "ctrl+slash": "ctrl+underscore",
    "alt+shift+underscore": "alt+underscore",
}


class FieldRow(Struct, frozen=True):
    """A row of the field: characters ``start`` to ``end`` of the text, from the cell ``column`` on."""

    start: int
    end: int
    column: int


class EditField:
    """A text field.

    Args:
        lines: whether the text may have several; otherwise newlines become spaces.

    Attributes:
        buffer: the text.
        prompt: before it.
        placeholder: shown while it is empty.
    """

    def __init__(self, *, lines: bool = True) -> None:
        self.buffer = EditBuffer()
        self.prompt = TextRow.of("")
        self.placeholder = TextRow.of("")
        self._lines = lines
        self._top = 0
        self._goal: int | None = None
        self._cut: tuple[str, int, int] | None = None
        self._rows: list[FieldRow] = []

    def key(self, key: str, character: str | None, columns: int) -> bool:
        """Edit by a key; tell whether it did."""
        if key in {"up", "down"}:
            return self._vertically(-1 if key == "up" else 1, columns)
        self._goal = None
        edit = _KEYS.get(_SAME.get(key, key))
        if edit is not None:
            edit(self.buffer)
        elif character is not None and character.isprintable() and not key.startswith(("ctrl+", "alt+")):
            self.insert(character)
        else:
            return False
        return True

    def insert(self, text: str) -> int:
        """Insert a text; returns how many characters found no place."""
        if not self._lines or self.buffer.hidden:
            text = " ".join(text.splitlines())
        return self.buffer.insert(text)

    def _vertically(self, step: int, columns: int) -> bool:
        """Move a row up or down; False at the first or last row."""
        rows = self.rows(columns)
        column, row = self._place(rows)
        if not 0 <= row + step < len(rows):
            return False
        self._goal = column if self._goal is None else self._goal
        self.buffer.move(self._at(rows[row + step], self._goal))
        return True

    # --- rows and cells

    def rows(self, columns: int) -> list[FieldRow]:
        """Cut the text into rows: at newlines, between words where that is possible, and within them where not."""
        text, first = self.buffer.text, min(cells(self.prompt), max(0, columns - 8))
        if self.buffer.hidden:
            return [FieldRow(0, 0, first)]
        if not self._lines:
            return [self._seen_part(text, first, columns)]
        if self._cut != (made_for := (text, first, columns)):
            self._cut, self._rows = made_for, self._cut_rows(text, first, columns)
        return self._rows

    def _seen_part(self, text: str, first: int, columns: int) -> FieldRow:
        """Return the part of one long line that ends at the insertion point, or is the begin of it."""
        start = end = self.buffer.cursor
        left = columns - first - 1  # the last cell is the cursor's
        while start > 0 and left >= _cells(text[start - 1]):
            start -= 1
            left -= _cells(text[start])
        while end < len(text) and (left := left - _cells(text[end])) >= 0:
            end += 1
        return FieldRow(start, end, first)

    @staticmethod
    def _cut_rows(text: str, first: int, columns: int) -> list[FieldRow]:
        rows: list[FieldRow] = []
        begin, column, blank, used = 0, first, -1, first
        for at, char in enumerate(text):
            if char == "\n":
                rows.append(FieldRow(begin, at, column))
                begin, column, blank, used = at + 1, _INDENT, -1, _INDENT
                continue
            used += _cells(char)
            while used >= columns and at > begin:  # the last cell is the cursor's
                cut = blank + 1 if blank >= begin else at
                rows.append(FieldRow(begin, cut, column))
                begin, column, blank = cut, _INDENT, -1
                used = _INDENT + sum(map(_cells, text[begin : at + 1]))
            if char == " ":
                blank = at
        return [*rows, FieldRow(begin, len(text), column)]

    def drawn(self, columns: int, height: int) -> list[TextRow]:
        """Return the rows that are shown: those around the insertion point, where not all fit."""
        rows = self.rows(columns)
        _, row = self._place(rows)
        self._top = max(0, min(self._top, row, len(rows) - height), row - height + 1)
        shown = []
        for number, part in enumerate(rows[self._top : self._top + height], self._top):
            before, spans = _fitting(self.prompt, part.column) if number == 0 else (" " * part.column, [])
            text = self.buffer.text[part.start : part.end].replace("\t", TAB)
            if self.buffer.hidden:
                text = ""
            elif not self.buffer.text and self.placeholder:
                text = cut_to(self.placeholder, max(1, columns - part.column))
                spans.append(TextSpan(len(before), len(before) + len(text), TextStyle.DIM))
            shown.append(TextRow.of(f"{before}{text}", spans))
        return shown

    def cursor(self, columns: int) -> tuple[int, int]:
        """Return column and row of the insertion point, among the rows that `drawn` returned last."""
        column, row = self._place(self.rows(columns))
        return min(column, columns - 1), row - self._top

    def click(self, column: int, row: int, columns: int) -> None:
        """Put the insertion point where a click was."""
        rows = self.rows(columns)
        self.buffer.move(self._at(rows[max(0, min(row + self._top, len(rows) - 1))], column))

    def _place(self, rows: list[FieldRow]) -> tuple[int, int]:
        at = self.buffer.cursor
        number = max((index for index, row in enumerate(rows) if row.start <= at), default=0)
        row = rows[number]
        return row.column + sum(map(_usual_cells, self.buffer.text[row.start : min(at, row.end)])), number

    def _at(self, row: FieldRow, column: int) -> int:
        at, used = row.start, row.column
        ends_row = row.end if row.end == len(self.buffer.text) or self.buffer.text[row.end] == "\n" else row.end - 1
        while at < ends_row and used + _usual_cells(self.buffer.text[at]) <= column:
            used += _usual_cells(self.buffer.text[at])
            at += 1
        return at


def _fitting(prompt: TextRow, columns: int) -> tuple[str, list[TextSpan]]:
    """Return as much of a prompt as has a place, and its spans."""
    text = str(prompt)
    while cells(text) > columns:
        text = text[:-1]
    spans = [replace(span, end=min(span.end, len(text))) for span in prompt.spans if span.start < len(text)]
    return text + " " * (columns - cells(text)), spans


@lru_cache(maxsize=4096)
def _cells(char: str) -> int:
    return len(TAB) if char == "\t" else cells(char)


@lru_cache(maxsize=4096)
def _usual_cells(char: str) -> int:
    """What most terminals take: the cursor and a click are where these draw a character."""
    return len(TAB) if char == "\t" else width(char)
