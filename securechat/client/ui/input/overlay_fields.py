"""Overlays over the panes: lists with a filter, pages, questions and forms, as rows, and the text typed into them.

The items and what they mean are the network thread's; the shell owns the text of a filter and of a form's fields, as it
owns the composer's.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from securechat.client.ui.input.edit_field import EditField
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import cells, row_ranges
from securechat.client.ui.screen_model.layout import PaneField, ScreenLayout
from securechat.client.ui.screen_model.overlay import cut, joined, styled, wrapped
from securechat.client.ui.screen_model.view import FormField, OverlayKind, OverlayView, ViewRow

MARGIN = 2
"""Cells left and right of an overlay."""
LABEL_COLUMNS = 16
"""Of the labels of a form, where they are short enough: the values begin below each other."""

ANSWER_COLUMNS = 12
"""Cells that a question leaves for its answer."""
_NARROWEST_SENTENCE = 8
"""Cells in which a sentence is wrapped, and not cut."""


class OverlayInput:
    """The text fields of the overlay that is shown.

    Attributes:
        view: the overlay; None where there is none.
        field: the field of a form that has the keyboard.
    """

    def __init__(self) -> None:
        self.view: OverlayView | None = None
        self.field = 0
        self._composers: list[EditField] = []
        self._revision = -1
        self._cursor: tuple[int, int] | None = None

    def show(self, view: OverlayView | None) -> None:
        """Take over what the overlay's fields are to hold: a new overlay's, or one whose revision has risen."""
        old, self.view = self.view, view
        if view is None:
            self._composers, self._revision, self.field = [], -1, 0  # what was typed may be a password
            return
        is_new = old is None or old.kind is not view.kind or len(self._composers) != self._count(view)
        if is_new or view.revision != self._revision:
            texts = [each.value for each in view.fields] if view.kind is OverlayKind.FORM else [view.filter]
            kept = {} if is_new or old is None else self.values
            self._composers = [EditField(lines=False) for _ in range(self._count(view))]
            for number, (composer, text) in enumerate(zip(self._composers, texts, strict=False)):
                form_field = view.fields[number] if view.fields else None
                composer.buffer.hidden = form_field is not None and form_field.hidden
                composer.buffer.replace(text or (kept.get(form_field.name, "") if form_field is not None else ""))
            self._revision = view.revision
            refused = next((number for number, each in enumerate(view.fields) if each.refusal), None)
            self.field = refused if refused is not None else 0 if is_new else min(self.field, len(texts) - 1)

    @staticmethod
    def _count(view: OverlayView) -> int:
        return len(view.fields) if view.kind is OverlayKind.FORM else int(bool(view.prompt))

    @property
    def composer(self) -> EditField | None:
        """The text field that has the keyboard; None where nothing can be typed."""
        return self._composers[self.field] if self.field < len(self._composers) else None

    @property
    def filter(self) -> str:
        """The text of the filter."""
        return self._composers[0].buffer.text if self._composers else ""

    @property
    def values(self) -> dict[str, str]:
        """What stands in the fields of a form, by name."""
        fields: Sequence[FormField] = self.view.fields if self.view is not None else ()
        return {field.name: each.buffer.text for field, each in zip(fields, self._composers, strict=False)}

    def is_at_last_field(self) -> bool:
        """Whether Enter answers the form, rather than going on to the next field."""
        return self.field >= len(self._composers) - 1

    def step(self, by: int) -> None:
        """Go to another field of a form."""
        if self._composers:
            self.field = (self.field + by) % len(self._composers)

    @property
    def chooses(self) -> bool:
        """Whether the field that has the keyboard takes only some values."""
        fields = self.view.fields if self.view is not None else ()
        return self.field < len(fields) and bool(fields[self.field].choices)

    def choose(self, by: int) -> bool:
        """Put the next value into a field that takes only some; tell whether it is such a field."""
        fields = self.view.fields if self.view is not None else ()
        if self.field >= len(fields) or not (choices := fields[self.field].choices):
            return False
        buffer = self._composers[self.field].buffer
        at = choices.index(buffer.text) if buffer.text in choices else -1
        buffer.replace(choices[(at + by) % len(choices)])
        return True

    def drawn(self, columns: int, height: int) -> tuple[list[ViewRow], tuple[int, int]]:
        """Return the rows, and where the terminal's cursor is among them."""
        view = self.view
        if view is None:
            return [], (0, 0)
        self._cursor = None
        inner = max(1, columns - 2 * MARGIN)
        rows = [ViewRow(row) for row in (styled(view.title, TextStyle.KEY), *view.above)]
        if view.kind is OverlayKind.FORM:
            for number, field in enumerate(view.fields):
                rows += self._form_rows(number, field, inner, len(rows))
        elif self._composers:
            rows.append(self._text_row(0, view.prompt, inner, len(rows)))
        footer = [ViewRow(view.footer)] if view.footer else []
        rows += view.items[: max(0, height - len(rows) - len(footer))]
        if self._cursor is None:
            selected = next((number for number, row in enumerate(rows) if row.selected), None)
            self._cursor = None if selected is None else (0, selected)
        rows += [ViewRow(TextRow.of(""))] * (height - len(rows) - len(footer))
        column, row = self._cursor or (0, 0)
        shown = [replace(row, row=joined(" " * MARGIN, row.row)) for row in (*rows, *footer)]
        return shown[:height], (column + MARGIN, row)

    def _form_rows(self, number: int, field: FormField, columns: int, at: int) -> list[ViewRow]:
        label = TextRow.of(f"{field.label}{' ' * (LABEL_COLUMNS - cells(field.label))} ", field.label.spans)
        rows = [self._text_row(number, label, columns, at)]
        said = field.refusal or (field.hint if number == self.field else "")
        style = TextStyle.ERROR if field.refusal else TextStyle.DIM
        indent = " " * min(LABEL_COLUMNS + 1, columns // 4)
        parts = row_ranges(said, 0, len(said), columns - len(indent)) if said else ()
        return [*rows, *(ViewRow(joined(indent, styled(said[part.start : part.end], style))) for part in parts)]

    def _text_row(self, number: int, prompt: TextRow, columns: int, at: int) -> ViewRow:
        composer = self._composers[number]
        composer.prompt = prompt
        row = composer.drawn(columns, 1)[0]
        if number == self.field:
            self._cursor = (composer.cursor(columns)[0], at)
        return ViewRow(row)


def overlay_field(layout: ScreenLayout) -> PaneField | None:
    """Return where an overlay lies: over everything but the status and the footer."""
    below = layout.status or layout.footer
    rows = below.row if below is not None else layout.rows
    return PaneField(0, 0, layout.columns, rows) if layout.columns and rows and not layout.too_small else None


def completion_rows(columns: int, words: Sequence[tuple[str, str, str]], chosen: int | None) -> list[ViewRow]:
    """Return the rows of a completion: word, arguments and meaning, the words below each other.

    Args:
        columns: of the field.
        words: word, arguments and meaning, each safe to print.
        chosen: the row that the keyboard is on; None while the list was not entered.
    """
    rows, first = [], max((cells(f"{word} {arguments}") for word, arguments, _ in words), default=0)
    for number, (word, arguments, meaning) in enumerate(words):
        head = f"{word} {arguments}".rstrip()
        gap = " " * (min(first, columns // 2) - cells(head))
        row = joined(" ", styled(word, TextStyle.KEY), head[len(word) :], gap, "  ", styled(meaning, TextStyle.DIM))
        rows.append(ViewRow(cut(row, columns), selected=number == chosen))
    return rows


def question_rows(prompt: TextRow, columns: int) -> list[TextRow]:
    """Return a prompt as rows: of a question that leaves no place to answer, the begin stands above."""
    if len(prompt) <= columns // 2 or len(prompt) <= columns - ANSWER_COLUMNS:
        return [prompt]
    *rows, last = wrapped(prompt, max(ANSWER_COLUMNS, columns - ANSWER_COLUMNS))
    return [*rows, last if last.endswith(" ") else joined(last, " ")]


def alone_rows(sentence: TextRow, columns: int) -> list[TextRow]:
    """Return the sentence of a screen that is too small, wrapped where words have a place."""
    return wrapped(sentence, columns) if columns >= _NARROWEST_SENTENCE else [sentence]


def with_counter(rows: Sequence[TextRow], counter: TextRow, columns: int) -> list[TextRow]:
    """Return the rows of the composer, and the one above it as the last, with what is left of the limit.

    It stands at the right end of the composer's last row, or of the row above the composer where that one is full.
    """
    *composer, above = rows
    at = -2 if composer and cells(composer[-1]) + cells(counter) < columns else -1
    if not counter or not composer:
        return [*rows]
    row = cut(rows[at], max(1, columns - cells(counter) - 1))
    text = f"{row}{' ' * (columns - cells(row) - cells(counter))}{counter}"
    counted = TextRow.of(text, (*row.spans, TextSpan(len(text) - len(counter), len(text), TextStyle.DIM)))
    return [*composer[:-1], counted, above] if at == -2 else [*composer, counted]
