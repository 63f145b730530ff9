"""The frame on the terminal, the frame that is wanted, and a thread that makes the one into the other.

A frame is never queued: `TerminalPainter` keeps the newest text of each part of a row, and gives out what differs from
what was written, the rows of the composer first, a few KiB at a time, at the link's pace (pacing.py). A terminal that
reads slowly gets fewer frames, and one that reads nothing holds nothing up but the thread that writes. Where nothing
differs, nothing is written.

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
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from securechat.client.tty.pacing import PIECE_CHARS, STATE_ANSWERS, OutputPacing
from securechat.client.tty.screen_pictures import EncodedPicture, KittyPictures, SixelPictures
from securechat.client.ui.rows.picture_cells import PictureArea
from securechat.model import FileId

MOST_CONTROLS = 100
"""Sequences that wait to be written, such as bells: more than a person would notice."""
STOP_S = 1.0
"""Time for a terminal to take the last sequences."""
ANSWERS_S = 0.5
"""Time for answers at the end: more than the round trip of a slow link."""
CLEAR = "\x1b[m\x1b[2J"
_UNKNOWN = (-1, -1)
"""Where the cursor is after another program, and whether it shows."""
_ASCII = str.maketrans("│─┆⏎…·", "|-|<.-")
_SYNC_BEGINS, _SYNC_ENDS = "\x1b[?2026h", "\x1b[?2026l"


class RowPart(Struct, frozen=True, gc=False):
    """Cells of a row, from ``column`` on; ``drawn`` draws them, beginning with the style of the empty ones."""

    column: int
    columns: int
    drawn: str
    ground: str


class TerminalPainter:
    """The screen as it is wanted, and as it was written. Any thread may call it.

    Attributes:
        synchronized: whether the terminal has said that it knows mode 2026.
        waits: whether the last `take` left rows for which it was not time.
        took_rows: whether it took others than urgent ones.
        pictures: what stands over the rows; None where the terminal shows none.
    """

    def __init__(self) -> None:
        self.synchronized = self.waits = self.took_rows = False
        self.pictures: KittyPictures | SixelPictures | None = None
        self._lock = threading.Lock()
        self._wanted: dict[int, dict[int, RowPart]] = {}
        self._written: dict[int, dict[int, RowPart]] = {}
        self._urgent: range = range(0)
        self._cursor: tuple[int, int] | None = None
        self._cursor_written: tuple[int, int] | None = _UNKNOWN
        self._clear = self._erase = ""
        self._held = False
        self._columns = 0
        self._rows: int | None = None
        self._bare: str | None = None
        self._bare_written: str | None = None
        self._frame = 0

    def show(
        self,
        rows: Mapping[int, Mapping[int, RowPart]],
        cursor: tuple[int, int] | None,
        columns: int,
        urgent: range,
        pictures: tuple[Sequence[PictureArea], int] | None = None,
    ) -> None:
        """Have rows shown that differ; a row keeps the parts that are not named, unless the new ones cover them.

        Args:
            rows: parts by row and column.
            cursor: column and row; None hides it.
            columns: of the terminal.
            urgent: rows that are written first.
            pictures: what is shown over the rows, as far as it is given and stands above a row; None for what was
                shown before.
        """
        with self._lock:
            if rows:
                self._frame = 0  # what is wanted is that frame no more
            if self.pictures is not None and pictures is not None:
                self.pictures.want(*pictures)
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

    def give_picture(self, area: PictureArea, picture: EncodedPicture) -> None:
        """Take the picture of an area that is shown, or is with the next frame."""
        with self._lock:
            if self.pictures is not None:
                self.pictures.give(area, picture)

    def forget_pictures(self, file_ids: Iterable[FileId]) -> None:
        """Have pictures of deleted messages removed, from the terminal too."""
        with self._lock:
            if self.pictures is not None:
                self.pictures.forget(file_ids)

    def erase_pictures(self) -> str:
        """Return what deletes all pictures from the terminal, which then count as deleted."""
        with self._lock:
            self._erase_pictures()
            erase, self._erase = self._erase, ""
            return erase

    def _erase_pictures(self) -> None:
        if self.pictures is not None:
            self._erase += self.pictures.erase()

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
            self._erase_pictures()
            if rows is not None:
                self._rows, self._frame = rows, 0
                self._wanted.clear()

    def _forget(self, clear: str) -> None:
        self._written.clear()
        self._cursor_written, self._bare_written, self._clear = _UNKNOWN, None, clear

    def take(self, most_chars: int = PIECE_CHARS) -> str:
        """Return what is to be written next, which then counts as written; empty when nothing is.

        Args:
            most_chars: after which no further row is taken; 0 takes all urgent ones and no other.
        """
        with self._lock:
            self.waits = self.took_rows = False
            if self._held or (self._bare is not None and self._bare == self._bare_written):
                return ""
            if self._bare is not None:
                self._erase_pictures()
                erase, self._erase = self._erase, ""
                self._bare_written, self._clear = self._bare, ""
                return erase + self._bare
            if self._bare_written is not None:
                self._forget(CLEAR)
            drawn = [text for text in (self._erase, self._clear, self._gone_pictures()) if text]
            self._clear = self._erase = ""
            left, rows = most_chars, 0
            for number in self._differing():
                if number not in self._urgent:
                    if most_chars == 0:
                        self.waits = True
                        break
                    self.took_rows = True
                text = self._row(number)
                drawn.append(text)
                rows += 1
                left -= len(text)
                if left <= 0 < most_chars:
                    break
            if left > 0 and self.pictures is not None and (text := self.pictures.take_next()):
                drawn.append(text)
                rows += 1
                self.took_rows = True
            elif most_chars == 0 and self.pictures is not None:
                self.waits = True
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

    def _gone_pictures(self) -> str:
        """Return what removes pictures of another frame, before a row of this one is written."""
        if self.pictures is None:
            return ""
        text, rows = self.pictures.take_gone()
        for row in rows:
            self._written.pop(row, None)
        return text

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
                if self.pictures is not None:
                    self.pictures.note_written(number, column, part.columns)
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
    frame of which one wants to know, the terminal is asked for its state (pacing.py): the answer comes when all
    before the question was read. One such question is on its way at a time. A terminal that has never answered one is
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
        self._changed, self._answered = threading.Event(), threading.Event()
        self._pace = OutputPacing()
        self._stopping = False
        self._gone = False
        self._shown = shown
        self.writes_since: float | None = None  # when the write began that has not ended, monotonic seconds
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def send(self, sequence: str) -> None:
        """Have a sequence written before the next frame."""
        self._controls.append(sequence)
        self._changed.set()

    def answered(self, answer: str) -> bool:
        """Take an answer of the terminal; tell whether it is one about the pace."""
        if answer not in STATE_ANSWERS:
            return False
        if frame := self._pace.answered(time.monotonic()):
            self._shown(frame)
        self._answered.set()
        self._changed.set()  # a further frame may wait to be asked about
        return True

    def await_answers(self, timeout_s: float = ANSWERS_S) -> None:
        """Write no further frame, and wait for the terminal's answers: none of them must reach the shell."""
        self._painter.hold(on=True)
        deadline = time.monotonic() + timeout_s
        while (now := time.monotonic()) < deadline and self._pace.expects_answer(now):
            self._answered.wait(deadline - now)
            self._answered.clear()

    def wake(self) -> None:
        """Tell that the painter has something."""
        self._changed.set()

    def stop(self, last: str, timeout_s: float = STOP_S) -> bool:
        """Write the last sequences and no further frame; tell whether the terminal took them in time."""
        self._painter.hold(on=True)
        self._controls.append(last)
        self._stopping = True
        self._changed.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._gone

    def _run(self) -> None:
        wait_s = None
        while True:
            self._changed.wait(wait_s)
            self._changed.clear()
            while text := self._next():
                text = text if self._is_unicode else text.translate(_ASCII)
                self._write(text.encode(self._encoding, errors="replace"))
            self._ask_about_frame()
            wait_s = self._pace.waits_s(time.monotonic()) if self._painter.waits else None
            if self._stopping and not self._controls:
                return

    def _ask_about_frame(self) -> None:
        """Ask whether the terminal shows the frame that was written, or believe it of one that does not answer."""
        now = time.monotonic()
        if self._gone or self._pace.awaits_frame(now) or not (frame := self._painter.written()):
            return
        self._write(self._pace.ask(now, 0, frame).encode("ascii"))
        if not self._pace.answers and not self._gone:
            self._shown(frame)

    def _next(self) -> str:
        with contextlib.suppress(IndexError):
            return self._controls.popleft()
        now = time.monotonic()
        text = self._painter.take(0 if self._pace.waits_s(now) else self._pace.piece_chars)
        if not self._painter.took_rows:
            return text
        asks_frame = self._pace.answers and not self._pace.awaits_frame(now)
        return text + self._pace.ask(now, len(text), self._painter.written() if asks_frame else 0)

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
