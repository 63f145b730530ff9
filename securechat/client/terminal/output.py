"""Writes text above the prompt, which is removed before and drawn again after.

prompt_toolkit's own StdoutProxy hands every text to the event loop of the prompt that is up. If that loop ends first,
the text is lost: a user who pressed Enter at that moment never saw a message. It also lets the terminal echo while it
writes, which would show a password being typed. Here a text stays queued until it is written, the rest is written when
the prompt has ended, and the terminal's mode is unchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from enum import Enum
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.styles import DEFAULT_ATTRS

from securechat.client.ui.styled_text import TextRow, TextStyle

REDRAW_S = 0.02
"""Seconds between two redraws of the prompt: too short to see, and a bound on redraws when much text comes."""


_LOOKS = {
    TextStyle.DIM: DEFAULT_ATTRS._replace(dim=True),
    TextStyle.FOUND: DEFAULT_ATTRS._replace(bold=True, underline=True),
}


class _Sequences(str):
    """Escape sequences of our own: they are written as they are, those in any other text are not."""

    __slots__ = ()


class _Prompt(Enum):
    DOWN = "down"
    STARTING = "starting"
    UP = "up"


class PromptOutput:
    """Writes above a prompt, from any thread, in the order of the calls.

    Args:
        app: the prompt's application, used for every prompt.
    """

    def __init__(self, app: Application[Any]) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._pending: list[tuple[str, TextStyle | None]] = []
        self._prompt = _Prompt.DOWN
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._drawn_at = float("-inf")

    def write_rows(self, rows: Sequence[TextRow], *, bell: bool = False) -> None:
        """Write rows with their styled spans."""
        pieces = [piece for row in rows for piece in (*_pieces(row), ("\n", None))]
        self._write([*pieces, ("\a", None)] if bell else pieces)

    def write_picture(self, rows: Sequence[TextRow], sequences: str) -> None:
        """Write rows, and below them a picture as escape sequences; see `securechat.client.terminal.kitty`."""
        pieces = [piece for row in rows for piece in (*_pieces(row), ("\n", None))]
        self._write([*pieces, (_Sequences(sequences), None), ("\n", None)])

    def write(self, text: str) -> None:
        """Write whole lines, now or as soon as the prompt allows."""
        self._write([(text, None)])

    def _write(self, pieces: Sequence[tuple[str, TextStyle | None]]) -> None:
        with self._lock:
            self._pending += pieces
            if self._prompt is _Prompt.DOWN:
                self._flush()
            elif self._prompt is _Prompt.UP:
                self._schedule()

    def prompt_begins(self) -> None:
        """Note that a prompt is about to be shown."""
        with self._lock:
            self._prompt = _Prompt.STARTING

    def prompt_is_up(self) -> None:
        """Note that the prompt is up; called in its event loop."""
        with self._lock:
            self._prompt = _Prompt.UP
            self._loop = asyncio.get_running_loop()
            if self._pending:
                self._schedule()

    def prompt_has_ended(self) -> None:
        """Note that the prompt and its event loop have ended."""
        with self._lock:
            self._prompt = _Prompt.DOWN
            self._loop = None
            self._scheduled = False
            self._flush()

    def _schedule(self) -> None:
        if self._loop is not None and not self._scheduled:
            with contextlib.suppress(RuntimeError):  # the loop has just ended: prompt_has_ended follows
                self._loop.call_soon_threadsafe(self._draw_in_time)
                self._scheduled = True

    def _draw_in_time(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, self._drawn_at + REDRAW_S - loop.time()), self._draw)

    def _draw(self) -> None:
        self._drawn_at = asyncio.get_running_loop().time()
        with self._lock:
            self._scheduled = False
            if self._app.is_running:
                self._app.renderer.erase()
                self._flush()
                self._app.invalidate()
            else:  # the prompt has erased itself already
                self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        pieces, self._pending = self._pending, []
        with contextlib.suppress(OSError):  # the terminal is gone; SIGHUP ends the process
            output = self._app.output
            output.enable_autowrap()
            for text, style in pieces:
                if style is not None:
                    output.set_attributes(_LOOKS[style], output.get_default_color_depth())
                if isinstance(text, _Sequences):
                    output.write_raw(text)
                else:
                    output.write(text)
                if style is not None:
                    output.reset_attributes()
            output.flush()


def _pieces(row: TextRow) -> list[tuple[str, TextStyle | None]]:
    """Split a row where its style changes; of several styles the last one counts."""
    return [(segment.text, segment.styles[-1] if segment.styles else None) for segment in row.segments()]
