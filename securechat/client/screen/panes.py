"""The panes: rectangles of rows, drawn as they are given, that tell where the mouse was.

No pane wraps, measures or decides. Its rows are strips of its own width, whatever the toolkit would count; the place of
a pane is a `PaneField`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from securechat.client.screen.strips import strip_of
from securechat.client.screen.toolkit import ChopsUpdate, LayoutUpdate, Region, Segment, Strip, Style, Widget, events
from securechat.client.tty.controls import harmless
from securechat.client.tty.frames import CLEAR
from securechat.client.tty.modes import WRAP_OFF, WRAP_ON
from securechat.client.ui.rows.marked_text import MarkRange, marked_cells, marked_text
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.screen_model.layout import PaneField
from securechat.client.ui.screen_model.view import ViewRow
from securechat.client.ui.themes import Theme
from securechat.text.sanitize import width

WHEEL_ROWS = 3
"""Rows of one step of the wheel, as terminals scroll."""


_RowKey: TypeAlias = tuple[TextRow, tuple[TextSpan, ...], bool]


class Pane(Widget):
    """A rectangle of rows.

    Args:
        name: of the pane, for tests.
        clicked: told the row of a click, and its cell.
        scrolled: told the rows of a turn of the wheel, down.
        dragged: told the text that was marked; None where dragging marks nothing.
        over: whether it lies over the others.
    """

    DEFAULT_CSS = """
    Pane { position: absolute; display: none; }
    Pane.over { layer: over; }
    """

    def __init__(
        self,
        name: str,
        *,
        clicked: Callable[[ViewRow | None, int, int], None] | None = None,
        scrolled: Callable[[int], None] | None = None,
        dragged: Callable[[str], None] | None = None,
        over: bool = False,
    ) -> None:
        super().__init__(id=name, classes="over" if over else None)
        self.rows: tuple[ViewRow, ...] = ()
        self._clicked, self._scrolled, self._dragged = clicked, scrolled, dragged
        self._field: PaneField | None = None
        self._theme: Theme | None = None
        self._strips: list[Strip] = []
        self._made: dict[_RowKey, Strip] = {}
        self._keys: list[_RowKey] = []
        self._mark: MarkRange | None = None
        self._copied = (
            ""  # by the last drag, until the next key: Ctrl+C copies it again, though a notice moved the rows
        )

    def show(self, field: PaneField | None, rows: Sequence[ViewRow], theme: Theme, *, at_bottom: bool = False) -> None:
        """Draw rows.

        Args:
            field: where; None hides the pane.
            rows: from the top.
            theme: what they look like.
            at_bottom: whether rows that do not fill the field stand at its lower edge.
        """
        if field is None or not field.columns or not field.rows:
            self._field, self.rows, self._mark = None, (), None
            self.display = False
            return
        blank = (EMPTY,) * (field.rows - len(rows))
        rows = (*blank, *rows) if at_bottom else (*rows, *blank)
        changed = field != self._field or theme is not self._theme
        if changed:
            self._made = {}
            self._place(field)
        self.rows = rows[: field.rows]
        keys = [(each.row, each.row.spans, each.selected) for each in self.rows]
        if changed or keys != self._keys:
            self._mark = None
            made = {}
            for key in keys:
                made[key] = self._made.get(key) or strip_of(key[0], theme, field.columns, selected=key[2])
            different = [y for y, key in enumerate(keys) if changed or key != self._keys[y]]
            self._made, self._keys, self._theme, self._strips = made, keys, theme, [made[key] for key in keys]
            self.refresh(*(Region(0, y, field.columns, 1) for y in different))

    def _place(self, field: PaneField) -> None:
        self._field = field
        self.styles.offset = (field.column, field.row)
        self.styles.width, self.styles.height = field.columns, field.rows
        self.display = True

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the strips of some rows: what Textual asks for."""
        lines = self._strips[crop.y : crop.bottom]
        lines = [self._marked(line, y) for y, line in enumerate(lines, crop.y)]
        blank = Strip([Segment(" " * crop.width)], crop.width)
        lines += [blank] * (crop.height - len(lines))
        whole = self._field is None or (crop.x == 0 and crop.width >= self._field.columns)
        return lines if whole else [line.crop(crop.x, crop.right) for line in lines]

    # --- the mouse

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        self._scroll(event, -WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        self._scroll(event, WHEEL_ROWS)

    def _scroll(self, event: events.MouseEvent, rows: int) -> None:
        event.stop()
        if self._scrolled is not None:
            self._scrolled(rows)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin a click or a drag."""
        event.stop()
        if event.button == 1:
            self.unmark()
            self._mark = ((event.x, event.y), (event.x, event.y))
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Mark cells of this pane while a button is down."""
        if self._mark is None or not event.button or self._dragged is None or self._field is None:
            return
        end = (max(0, min(event.x, self._field.columns - 1)), max(0, min(event.y, self._field.rows - 1)))
        if end != self._mark[1]:
            self._mark = (self._mark[0], end)
            self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End a drag, or click."""
        event.stop()
        self.release_mouse()
        mark = self._mark
        if mark is None:
            return
        if mark[0] != mark[1] and self._dragged is not None:
            self._copied = self.marked_text
            self._dragged(self._copied)
            return
        self._mark = None
        if self._clicked is not None and mark[0] == (event.x, event.y):
            self._clicked(self.rows[event.y] if 0 <= event.y < len(self.rows) else None, event.x, event.y)

    @property
    def marked_text(self) -> str:
        """The text of the marked cells, or of those that a drag has copied just now; empty for neither."""
        return self._copied or marked_text(
            [each.row for each in self.rows], self._mark, self._field.columns if self._field else 0
        )

    def unmark(self) -> None:
        """Mark nothing."""
        self._copied = ""
        if self._mark is not None:
            self._mark = None
            self.refresh()

    def _marked(self, line: Strip, y: int) -> Strip:
        cells = marked_cells(self._mark, y, line.cell_length)
        if cells is None:
            return line
        before, marked, after = line.crop(0, cells[0]), line.crop(*cells), line.crop(cells[1])
        return Strip([*before, *marked.apply_style(Style(reverse=True)), *after], line.cell_length)


EMPTY = ViewRow(TextRow.of(""))


def bare_text(rows: Sequence[TextRow]) -> str:
    """Return what shows rows one below the other, which the terminal wraps: its own selection has them whole."""
    lines = "\r\n".join(harmless(row) for row in rows)
    return f"{CLEAR}\x1b[H{WRAP_ON}{lines}{WRAP_OFF}"


def link_at(row: TextRow, column: int) -> tuple[str, int]:
    """Return the target of the link at a cell of a row, and whose name is there; empty and 0 for none."""
    cells = 0
    for part in row.segments():
        cells += width(part.text)
        if column < cells:
            return part.link, part.person
    return "", 0


def changed_parts(update: ChopsUpdate | LayoutUpdate) -> list[tuple[int, int, Strip]]:
    """Return row, column and strip of each part of a row that an update holds."""
    if isinstance(update, LayoutUpdate):
        found = []
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                found.append((y, x, strip))
                x += strip.cell_length
        return found
    return [
        (y, x, strip)
        for y, first, last in update.spans
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False)
        if strip is not None and x < last and end > first
    ]


def drawn_line(text: str) -> ViewRow:
    """Return a row of a line between panes."""
    return ViewRow(TextRow.of(text, (TextSpan(0, len(text), TextStyle.DIM),)))
