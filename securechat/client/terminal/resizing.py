"""Removes all of the prompt when the window changes its size.

A terminal that becomes narrower either cuts each row (xterm, the Linux console) or wraps it anew (tmux, kitty, VTE,
Windows Terminal). Where it wraps, the rows of the prompt before the cursor are more than prompt_toolkit has drawn; it
then removes too few, and parts of the prompt stay above it. So, where rows were wider than the window is now, the
terminal is asked where its cursor is (CPR, ECMA-48, 8.3.14): the column tells whether it has wrapped the cursor's row.
A terminal that does not answer in time is taken for one that cuts, as before: to remove too many rows would take
messages away.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Point
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

ANSWER_S = 0.15
"""Time for the answer: terminals take milliseconds, a slow line a round trip. Meanwhile the old prompt is seen."""
_ANSWER = re.compile(r"\x1b\[([0-9]{1,4});([0-9]{1,4})R")


def rows_above(widths: list[int], x: int, column: int, columns: int) -> int | None:
    """Return how many rows are above the cursor's one, from the first row of the prompt on; None where they are cut.

    Args:
        widths: cells of the drawn rows before the cursor's.
        x: the cursor's column as it was drawn, from 0.
        column: where the terminal says that it is now.
        columns: of the window now.
    """
    if x >= columns and (x - column) % columns:
        return None
    return sum(max(1, -(-width // columns)) for width in widths) + (x - column) // columns


class PromptResizing:
    """Handles changes of the size for one application.

    Args:
        app: the prompt's, used for every prompt.

    Attributes:
        bindings: take the terminal's answer, also a late one, which no other part of the program wants.
        waiting: whether the answer is awaited, and nothing may be drawn.
    """

    def __init__(self, app: Application[Any]) -> None:
        self.waiting = False
        self._app = app
        self._resize: Callable[[], None] = app._on_resize
        self._timer: asyncio.TimerHandle | None = None
        self._wraps = False
        self.bindings = KeyBindings()
        self.bindings.add(Keys.CPRResponse, save_before=lambda _: False)(self._answered)
        app._on_resize = self._resized  # type: ignore[method-assign]

    def _resized(self) -> None:
        if self.waiting:
            return
        columns = self._app.output.get_size().columns
        x, widths = self._drawn()
        if x < columns and all(width <= columns for width in widths):
            self._resize()
            return
        self.waiting = True
        self._timer = asyncio.get_running_loop().call_later(ANSWER_S, self._finish)
        with contextlib.suppress(OSError):  # the terminal is gone
            self._app.output.ask_for_cpr()

    def _drawn(self) -> tuple[int, list[int]]:
        """Return the cursor's column, and the widths of the rows before its own, as they were drawn."""
        renderer = self._app.renderer
        cursor, screen = renderer._cursor_pos, renderer._last_screen
        if screen is None:
            return 0, []
        rows = (screen.data_buffer[y] for y in range(cursor.y))
        return cursor.x, [max((x + 1 for x, char in row.items() if char.char.strip()), default=0) for row in rows]

    def _answered(self, event: KeyPressEvent) -> None:
        answer = _ANSWER.fullmatch(event.data)
        if answer is None or not self.waiting:
            return
        columns, column = self._app.output.get_size().columns, int(answer[2]) - 1
        x, widths = self._drawn()
        above = rows_above(widths, x, column, columns)
        if x >= columns:
            self._wraps = above is not None
        if above is not None and (x >= columns or self._wraps):
            self._app.renderer._cursor_pos = Point(x=column, y=above)
        self._finish()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.waiting = None, False
        if self._app.is_running:
            self._resize()
