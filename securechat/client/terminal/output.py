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
import zlib
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from msgspec.structs import replace
from prompt_toolkit.application import Application
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.styles import ANSI_COLOR_NAMES, DEFAULT_ATTRS, Attrs

from securechat.client.link_opening import is_link_target
from securechat.client.ui.rows.styled_text import TextRow, TextSegment, TextStyle
from securechat.client.ui.themes import ColorDepth as ThemeColorDepth
from securechat.client.ui.themes import Look, Theme, color_of_index

REDRAW_S = 0.02
"""Seconds between two redraws of the prompt: too short to see, and a bound on redraws when much text comes."""


_DEPTHS = {
    ThemeColorDepth.TRUE: ColorDepth.DEPTH_24_BIT,
    ThemeColorDepth.INDEXED: ColorDepth.DEPTH_8_BIT,
    ThemeColorDepth.ANSI: ColorDepth.DEPTH_4_BIT,
    ThemeColorDepth.NONE: ColorDepth.DEPTH_1_BIT,
}
_LINK_END = "\x1b]8;;\x1b\\"
"""OSC 8 (https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda): no link from here on."""


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
        theme: colours and attributes.
        has_links: whether the terminal takes links of OSC 8.
        waits: tells whether the prompt must not be drawn now.
    """

    def __init__(
        self, app: Application[Any], theme: Theme, *, has_links: bool = True, waits: Callable[[], bool] = lambda: False
    ) -> None:
        self._app = app
        self._theme = theme
        self._has_links = has_links
        self._waits = waits
        self._lock = threading.Lock()
        self._pending: list[TextSegment | _Sequences] = []
        self._prompt = _Prompt.DOWN
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._drawn_at = float("-inf")

    def write_rows(self, rows: Sequence[TextRow], *, bell: bool = False) -> None:
        """Write rows with their styled spans."""
        pieces = _pieces(rows)
        self._write([*pieces, TextSegment("\a")] if bell else pieces)

    def write_picture(self, rows: Sequence[TextRow], sequences: str) -> None:
        """Write rows, and below them a picture as escape sequences; see `securechat.client.tty.kitty`."""
        self._write([*_pieces(rows), _Sequences(sequences), TextSegment("\n")])

    def write_sequences(self, sequences: str) -> None:
        """Write escape sequences of our own that show nothing, such as what copies a text."""
        self._write([_Sequences(sequences)])

    def write(self, text: str) -> None:
        """Write whole lines, now or as soon as the prompt allows."""
        self._write([TextSegment(text)])

    def _write(self, pieces: Sequence[TextSegment | _Sequences]) -> None:
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
        if self._waits() and self._app.is_running:
            asyncio.get_running_loop().call_later(REDRAW_S, self._draw)
            return
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
            for piece in pieces:
                if isinstance(piece, _Sequences):
                    output.write_raw(piece)
                else:
                    self._write_segment(output, piece)
            output.flush()

    def _write_segment(self, output: Output, segment: TextSegment) -> None:
        look = self._theme.look(segment.styles, segment.person)
        if TextStyle.OWN_NAME in segment.styles:  # there are no sides here: one's own lines differ by the name alone
            look = replace(look, underline=True)
        link = segment.link if self._has_links and is_link_target(segment.link) else ""
        if look != Look():
            output.set_attributes(attributes(look, self._theme.depth), _DEPTHS[self._theme.depth])
        if link:
            # One id over all rows of a link: the terminal shows it as one.
            output.write_raw(f"\x1b]8;id=sc{zlib.crc32(link.encode()):08x};{link}\x1b\\")
        output.write(segment.text)
        if link:
            output.write_raw(_LINK_END)
        if look != Look():
            output.reset_attributes()


def _pieces(rows: Sequence[TextRow]) -> list[TextSegment | _Sequences]:
    return [segment for row in rows for segment in (*row.segments(), TextSegment("\n"))]


def attributes(look: Look, depth: ThemeColorDepth) -> Attrs:
    """Return a look as prompt_toolkit writes it."""
    return DEFAULT_ATTRS._replace(
        color=_color(look.foreground, depth),
        bgcolor=_color(look.background, depth),
        bold=look.bold,
        dim=look.dim,
        italic=look.italic,
        underline=look.underline,
        reverse=look.reverse,
    )


def _color(color: int | None, depth: ThemeColorDepth) -> str:
    """Return the name of a colour; empty is the terminal's own."""
    if color is None:
        return ""
    if depth is ThemeColorDepth.ANSI:
        return ANSI_COLOR_NAMES[1 + color]  # the first one is the terminal's own
    return f"{color_of_index(color) if depth is ThemeColorDepth.INDEXED else color:06x}"
