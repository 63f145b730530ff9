"""The driver between Textual and a terminal of Unix: reads it, writes it, and gives it back as it was.

Textual's own driver paints to stderr, ends with the first byte that is not UTF-8, types what it does not understand
into the widget that has the focus, and waits for a terminal that reads slowly. Nothing that Textual writes by itself
reaches the terminal: frames come from the painter, sequences from terminal_modes.py and the application.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from securechat.client.screen.toolkit import Driver, Message, PastedText, Size, XTermParser, events
from securechat.client.tty import modes as terminal_modes
from securechat.client.tty.frames import CLEAR, TerminalPainter, TerminalWriter
from securechat.client.ui.input.terminal_input import InputDecoder, InputKind, TerminalInput
from securechat.client.ui.input.terminal_text import TerminalText

assert sys.platform != "win32"
import termios  # noqa: E402 - Unix alone has them
import tty  # noqa: E402

READ_BYTES = 65_536
BURST_CHARS = 1024
"""Typed characters that come at once and are a paste: of a terminal that does not mark one."""
FALLBACK_SIZE = (80, 24)


class TerminalDriver(Driver):
    """The terminal of a `ScreenApp`, which has the painter and hears of answers and of the end.

    Args:
        app: has ``painter``, ``takes_mouse``, ``note_answer``, ``note_shown``, ``answers`` and ``note_hangup``.
    """

    def __init__(
        self, app: Any, *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._painter: TerminalPainter = app.painter
        self._takes_mouse: Callable[[], bool] = app.takes_mouse
        self._shown: Callable[[int], None] = app.note_shown
        self._answered: Callable[[str], None] = app.note_answer
        self._undecoded: Callable[[], None] = app.answers.undecoded
        self._hung_up: Callable[[], None] = app.note_hangup
        self._input, self._output = sys.__stdin__.fileno(), sys.__stdout__.fileno()  # type: ignore[union-attr]
        self._encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
        self._writer: TerminalWriter | None = None
        self._reader: threading.Thread | None = None
        self._stop_reading = (-1, -1)
        self._attributes: list[Any] | None = None
        self._decoder = InputDecoder()
        self._keys = XTermParser()

    @property
    def can_suspend(self) -> bool:
        """Whether another program can have the terminal meanwhile."""
        return True

    def write(self, data: str) -> None:
        """Discard what Textual writes by itself."""

    def send(self, sequence: str) -> None:
        """Write a sequence of ours."""
        if self._writer is not None:
            self._writer.send(sequence)

    def show_frame(self) -> None:
        """Write what the painter has."""
        if self._writer is not None:
            self._writer.wake()

    @property
    def waits_s(self) -> float:
        """For how long the terminal has taken nothing of what is being written, seconds."""
        began = self._writer.writes_since if self._writer is not None else None
        return 0.0 if began is None else time.monotonic() - began

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            size = os.get_terminal_size(self._output)
        except OSError:
            return FALLBACK_SIZE
        return size.columns, size.lines

    def start_application_mode(self) -> None:
        """Take the terminal."""
        with contextlib.suppress(termios.error):
            self._attributes = termios.tcgetattr(self._input)
        self._set_raw()
        self._writer = TerminalWriter(self._output, self._painter, self._encoding, self._shown)
        self._writer.send(terminal_modes.entering(os.environ, mouse=self._takes_mouse()))
        self._painter.paint_anew(CLEAR)
        self._painter.hold(on=False)
        self._writer.start()
        self._decoder = InputDecoder()
        self._decoder.expects_answer = True  # to what is asked with the modes
        self._stop_reading = os.pipe()
        self._reader = threading.Thread(
            target=self._read, args=(self._stop_reading[0],), name="terminal-input", daemon=True
        )
        self._reader.start()
        self.send_size()

    def _set_raw(self) -> None:
        with contextlib.suppress(termios.error):
            tty.setraw(self._input, termios.TCSANOW)

    def take_again(self) -> None:
        """Take a terminal of which another program may have changed the modes."""
        self._set_raw()
        self.send(terminal_modes.leaving() + terminal_modes.entering(os.environ, mouse=self._takes_mouse()))
        self.send_size()

    def send_size(self) -> None:
        """Tell the application the size."""
        size = Size(*self.size)
        self.send_message(events.Resize(size, size))

    def disable_input(self) -> None:
        """Read nothing more, and discard what has come: the rest of a paste must not reach the shell."""
        if self._reader is None:
            return
        if self._writer is not None:
            self._writer.await_answers()
        os.close(self._stop_reading[1])
        self._reader.join()
        os.close(self._stop_reading[0])
        self._reader = None

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        self.disable_input()
        if self._writer is not None:
            self._painter.hold(on=True)
            if not self._writer.stop(self._painter.erase_pictures() + terminal_modes.leaving()):
                with contextlib.suppress(termios.error):
                    termios.tcflush(self._output, termios.TCOFLUSH)  # it reads nothing: let it have the modes at least
                self._writer.stop("")
            self._writer = None
        with contextlib.suppress(termios.error):
            termios.tcflush(self._input, termios.TCIFLUSH)
            if self._attributes is not None:
                termios.tcsetattr(self._input, termios.TCSANOW, self._attributes)

    # --- the reading thread

    def _read(self, stop: int) -> None:
        text = TerminalText(self._encoding)
        decoder = self._decoder
        while True:
            deadline = decoder.deadline
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._input, stop], [], [], wait_s)
            if stop in ready:
                return
            data = b""
            if ready:
                try:
                    data = os.read(self._input, READ_BYTES)
                except BlockingIOError:
                    continue
                except OSError:  # the terminal is gone; SIGHUP ends the session
                    data = b""
                if not data:
                    self._app.call_later(self._hung_up)
                    return
            now = time.monotonic()
            for part in (*decoder.tick(now), *(decoder.feed(text.decode(data), now) if data else ())):
                for message in self.messages(part):
                    self.process_message(message)
            if data and text.undecoded:
                self._app.call_later(self._undecoded)

    def messages(self, part: TerminalInput) -> Iterable[Message]:
        """Return what Textual calls a part of the input; empty for what it is not to know."""
        match part.kind:
            case InputKind.PASTE:
                yield PastedText(part.text, part.chars)
            case InputKind.TEXT if len(part.text) >= BURST_CHARS:
                yield PastedText(part.text, len(part.text))
            case InputKind.TEXT:
                for character in part.text:
                    yield from self._key_events(character)
            case InputKind.KEY:
                yield from self._key_events(part.text)
            case InputKind.MOUSE:
                event = self._keys.parse_mouse_code(part.text)
                columns, rows = self.size
                if isinstance(event, events.MouseEvent) and event.x < columns and event.y < rows:
                    yield event
            case InputKind.FOCUS:
                yield events.AppFocus() if part.text == "\x1b[I" else events.AppBlur()
            case InputKind.ANSWER if self._writer is None or not self._writer.answered(part.text):
                self._app.call_later(self._answered, part.text)

    def _key_events(self, sequence: str) -> Iterable[events.Key]:
        if len(sequence) == 2 and sequence[0] == "\x1b":  # Alt, as a terminal without kitty's keys sends it
            for event in self._key_events(sequence[1]):
                name = event.key
                yield events.Key(
                    f"alt+shift+{name.lower()}" if len(name) == 1 and name.isupper() else f"alt+{name}", None
                )
            return
        yield from self._keys._sequence_to_key_events(sequence)
