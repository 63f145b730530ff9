"""The frame on the terminal, the frame that is wanted, and a thread that makes the one into the other.

A frame is never queued: `TerminalPainter` keeps the newest text of each part of a row, and gives out what differs from
what was written, the rows of the composer first, a few KiB at a time. A terminal that reads slowly gets fewer frames,
and one that reads nothing holds nothing up but the thread that writes. Where nothing differs, nothing is written.

Each part of a row begins with its position and an erase of its cells, and has no padding: where a terminal draws a
character narrower than it was counted, nothing old remains behind it.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from codecs import lookup
from collections import deque
from collections.abc import Callable, Mapping

from msgspec import Struct

from securechat.client.tty.modes import ASK_STATUS

PIECE_CHARS = 4096
"""Written at once, so that what is typed does not wait for a page: 130 ms on a link of 256 kbit/s."""
MOST_CONTROLS = 100
"""Sequences that wait to be written, such as bells: more than a person would notice."""
STOP_S = 1.0
"""Time for a terminal to take the last sequences."""
MOST_UNANSWERED = 3
"""Questions that a terminal leaves without an answer, after which it is asked no more."""
LAST_ANSWER_S = 0.25
"""Time for the last answer when the terminal is given back: one that comes later is typed into the shell."""
ASK_AGAIN_S = 10.0
"""Time for an answer, after which it is taken to be lost."""
CLEAR = "\x1b[m\x1b[2J"
_UNKNOWN = (-1, -1)
"""Where the cursor is after another program, and whether it shows."""
_ASCII = str.maketrans("│─┆⏎…·", "|-|<.-")
_SYNC_BEGINS, _SYNC_ENDS = "\x1b[?2026h", "\x1b[?2026l"


class RowPart(Struct, frozen=True):
    """Cells of a row, from ``column`` on; ``drawn`` draws them, beginning with the style of the empty ones."""

    column: int
    columns: int
    drawn: str
    ground: str


class TerminalPainter:
    """The screen as it is wanted, and as it was written. Any thread may call it.

    Attributes:
        synchronized: whether the terminal has said that it knows mode 2026.
    """

    def __init__(self) -> None:
        self.synchronized = False
        self._lock = threading.Lock()
        self._wanted: dict[int, dict[int, RowPart]] = {}
        self._written: dict[int, dict[int, RowPart]] = {}
        self._urgent: range = range(0)
        self._cursor: tuple[int, int] | None = None
        self._cursor_written: tuple[int, int] | None = _UNKNOWN
        self._clear = ""
        self._held = False
        self._columns = 0
        self._rows: int | None = None
        self._bare: str | None = None
        self._bare_written: str | None = None
        self._frame = 0

    def show(
        self, rows: Mapping[int, Mapping[int, RowPart]], cursor: tuple[int, int] | None, columns: int, urgent: range
    ) -> None:
        """Have rows shown that differ; a row keeps the parts that are not named, unless the new ones cover them.

        Args:
            rows: parts by row and column.
            cursor: column and row; None hides it.
            columns: of the terminal.
            urgent: rows that are written first.
        """
        with self._lock:
            if rows:
                self._frame = 0  # what is wanted is that frame no more
            for number, parts in rows.items():
                kept = {} if sum(part.columns for part in parts.values()) >= columns else self._wanted.get(number, {})
                self._wanted[number] = {
                    **{at: part for at, part in kept.items() if not _covered(part, parts)},
                    **parts,
                }
            self._cursor, self._columns, self._urgent = cursor, columns, urgent

    def show_bare(self, text: str | None) -> None:
        """Have a text shown instead of all rows, from the upper left; None for the rows again."""
        with self._lock:
            if text != self._bare:
                self._frame = 0
            self._bare = text

    def is_frame(self, frame: int) -> None:
        """What is wanted now is this frame with all its rows; `written` tells when the last of them was given out."""
        with self._lock:
            self._frame = frame

    def written(self) -> int:
        """Return the frame of which nothing is left to be written, once; 0 for none."""
        with self._lock:
            left = self._differing() if self._bare is None else self._bare != self._bare_written
            if self._held or left or self._clear or (self._bare is None and self._bare_written is not None):
                return 0
            frame, self._frame = self._frame, 0
            return frame

    def hold(self, *, on: bool) -> None:
        """Write nothing, or write on."""
        with self._lock:
            self._held = on

    def paint_anew(self, clear: str = "", *, rows: int | None = None) -> None:
        """Take for granted that nothing is on the terminal.

        Args:
            clear: written before everything else.
            rows: of the terminal, where it has another size: what is wanted is forgotten.
        """
        with self._lock:
            self._forget(clear)
            if rows is not None:
                self._rows, self._frame = rows, 0
                self._wanted.clear()

    def _forget(self, clear: str) -> None:
        self._written.clear()
        self._cursor_written, self._bare_written, self._clear = _UNKNOWN, None, clear

    def take(self, most_chars: int = PIECE_CHARS) -> str:
        """Return what is to be written next, which then counts as written; empty when nothing is."""
        with self._lock:
            if self._held or (self._bare is not None and self._bare == self._bare_written):
                return ""
            if self._bare is not None:
                self._bare_written, self._clear = self._bare, ""
                return self._bare
            if self._bare_written is not None:
                self._forget(CLEAR)
            drawn = [self._clear] if self._clear else []
            self._clear = ""
            left, rows = most_chars, 0
            for number in self._differing():
                text = self._row(number)
                drawn.append(text)
                rows += 1
                left -= len(text)
                if left <= 0:
                    break
            if not drawn and self._cursor == self._cursor_written:
                return ""
            hides = rows > 0 and not self.synchronized
            known, self._cursor_written = self._cursor_written, self._cursor
            if self._cursor is None:
                place = "\x1b[?25l"
            else:
                column, row = self._cursor
                place = f"\x1b[{row + 1};{column + 1}H" + ("\x1b[?25h" if hides or known in {None, _UNKNOWN} else "")
            text = "".join(("\x1b[?25l" if hides else "", *drawn, place))
            return f"{_SYNC_BEGINS}{text}{_SYNC_ENDS}" if self.synchronized and rows else text

    def _differing(self) -> list[int]:
        # A frame of the former size may still come: a row below the last one would be drawn over the last one.
        wanted = self._wanted.items()
        below = self._rows
        differing = [row for row, parts in wanted if (below is None or row < below) and self._written.get(row) != parts]
        return sorted(differing, key=lambda number: (number not in self._urgent, number))

    def _row(self, number: int) -> str:
        parts, written = self._wanted[number], self._written.get(number, {})
        self._written[number] = parts
        anew = parts.keys() != written.keys()
        drawn = []
        for column in sorted(parts):
            part = parts[column]
            if anew or part != written[column]:
                ends_row = column + part.columns >= self._columns
                erase = "\x1b[K" if ends_row else f"\x1b[{part.columns}X"
                drawn.append(f"\x1b[{number + 1};{column + 1}H{part.ground}{erase}{part.drawn}")
        return "".join(drawn)


def _covered(part: RowPart, parts: Mapping[int, RowPart]) -> bool:
    return any(
        part.column < other.column + other.columns and other.column < part.column + part.columns
        for other in parts.values()
    )


class TerminalWriter:
    """A thread that writes to a terminal: first sequences, in order, then what the painter gives.

    What the kernel has taken is not on the screen yet: a pseudo-terminal holds some 20 KiB, a link more. So behind a
    frame of which one wants to know, the terminal is asked for its status (ECMA-48, DSR 5): the answer comes when all
    before the question was read. One question is on its way at a time. A terminal that has never answered one is
    believed to show what was written.

    Args:
        fileno: of the terminal.
        painter: gives the frames.
        encoding: of the terminal; where it lacks a character, lines are drawn in ASCII, and others are ``?``.
        shown: told of a frame (`TerminalPainter.is_frame`) that is on the terminal, from this thread or another.
    """

    def __init__(
        self,
        fileno: int,
        painter: TerminalPainter,
        encoding: str = "utf-8",
        shown: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._encoding = encoding
        self._is_unicode = lookup(encoding).name.startswith("utf")
        self._fileno = fileno
        self._painter = painter
        self._controls: deque[str] = deque(maxlen=MOST_CONTROLS)
        self._changed = threading.Event()
        self._stopping = False
        self._gone = False
        self._shown = shown
        self._asked = self._unanswered = 0
        self._asked_at = 0.0
        self._answered = threading.Event()
        self._answered.set()
        self._answers = False
        self.writes_since: float | None = None  # when the write began that has not ended, monotonic seconds
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def send(self, sequence: str) -> None:
        """Have a sequence written before the next frame."""
        self._controls.append(sequence)
        self._changed.set()

    def wake(self) -> None:
        """Tell that the painter has something."""
        self._changed.set()

    def answered(self) -> None:
        """The terminal has answered `ASK_STATUS`."""
        frame, self._asked = self._asked, 0
        self._answers, self._unanswered = True, 0
        self._answered.set()
        if frame:
            self._shown(frame)
        self._changed.set()  # a further frame may wait to be asked about

    def wait_for_answer(self, timeout_s: float = LAST_ANSWER_S) -> bool:
        """Write no further frame and ask nothing more; tell whether the last question was answered in time."""
        self._painter.hold(on=True)
        return self._answered.wait(timeout_s)

    def stop(self, last: str, timeout_s: float = STOP_S) -> bool:
        """Write the last sequences and no further frame; tell whether the terminal took them in time."""
        self._painter.hold(on=True)
        self._controls.append(last)
        self._stopping = True
        self._changed.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._gone

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            while text := self._next():
                text = text if self._is_unicode else text.translate(_ASCII)
                self._write(text.encode(self._encoding, errors="replace"))
            self._ask_about_frame()
            if self._stopping and not self._controls:
                return

    def _ask_about_frame(self) -> None:
        """Ask whether the terminal shows the frame that was written, or believe it of one that does not answer."""
        now = time.monotonic()
        waits = self._asked and now < self._asked_at + ASK_AGAIN_S
        if waits or self._gone or not (frame := self._painter.written()):
            return
        if self._answers:
            self._asked, self._asked_at = frame, now
            self._answered.clear()
        elif self._unanswered < MOST_UNANSWERED:
            self._unanswered += 1
        if self._answers or self._unanswered < MOST_UNANSWERED:
            self._write(ASK_STATUS.encode("ascii"))
        if not self._answers and not self._gone:
            self._shown(frame)

    def _next(self) -> str:
        with contextlib.suppress(IndexError):
            return self._controls.popleft()
        return self._painter.take()

    def _write(self, data: bytes) -> None:
        while data and not self._gone:
            self.writes_since = time.monotonic()
            try:
                data = data[os.write(self._fileno, data) :]
            except BlockingIOError:  # a parent has made the terminal non-blocking
                select.select([], [self._fileno], [])
            except OSError:  # the terminal is gone; SIGHUP ends the session
                self._gone = True
        self.writes_since = None
