"""The operator's console: one line per event, as text or JSON, without hostile characters.

Text from outside goes through `one_line` first, so no line can carry a control character or look like two. A thread of
its own writes the lines: a paused terminal, or a pipe without a reader, may block that thread but never the loop. The
queue is bounded; lines that do not fit are counted, and the count is reported.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from securechat.text.counts import counted
from securechat.text.local_time import local
from securechat.text.sanitize import one_line

QUEUE_LINES = 10_000
"""Lines that wait for a slow console; about 2 MiB. A storm of 1,000 logins makes 3,000."""
REST_S = 0.02
"""Seconds after a write in which the thread takes no lines. The first line of a quiet server is written at once, and a
storm of logins wakes the thread 50 times a second, not once a pass: waking it was a seventh of the loop's work."""


class Console:
    """Writes event lines.

    Args:
        stream: receives the lines; standard output by default.
        json: one JSON object a line instead of text.
        clock: the wall clock, seconds since the epoch; lines show it in the local time zone.

    Attributes:
        at_pass_end: runs a callable once, at the end of the loop's pass. Once it is set, the lines of a pass are handed
            to the writing thread together.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        json: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream if stream is not None else sys.stdout
        if isinstance(self._stream, io.TextIOWrapper):  # a name that the console cannot spell must not cost a line
            self._stream.reconfigure(errors="backslashreplace")
        self._json = json
        self._clock = clock
        self._second = -1
        self._stamp = ""  # of that second: to format one takes longer than the rest of a line
        self.at_pass_end: Callable[[Callable[[], None]], None] | None = None
        self._gathered: list[str] = []  # of this pass
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._ready = threading.Condition()
        self._is_waiting = False  # for lines: the thread must be woken for the next one
        self._closed = False
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def event(self, event: str, sentence: str, **fields: object) -> None:
        """Write one event.

        Args:
            event: a stable word.
            sentence: for people, in the text form.
            fields: for programs, in the JSON form; None is left out.
        """
        now_s = self._clock()
        if self._json:
            now = local(datetime.fromtimestamp(now_s, UTC))
            record: dict[str, object] = {"at": now.isoformat(timespec="milliseconds"), "event": event}
            record.update({key: _plain(value) for key, value in fields.items() if value is not None})
            if event in {"warning", "error", "notice"}:
                record["text"] = one_line(sentence)
            self._put(msgspec.json.encode(record).decode())
        else:
            if self._second != (second := int(now_s)):
                self._second = second
                self._stamp = f"{local(datetime.fromtimestamp(second, UTC)):%Y-%m-%d %H:%M:%S}"
            self._put(f"{self._stamp}  {event:<12}  {one_line(sentence)}")

    def block(self, lines: list[str]) -> None:
        """Write lines as they are, such as the banner; nothing in JSON form, which is for programs."""
        if not self._json:
            self._put("\n".join(lines))

    def draws(self, signs: str) -> bool:
        """Tell whether a block reaches a terminal that can show these signs."""
        if self._json or not self._stream.isatty():
            return False
        try:
            signs.encode(self._stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def close(self, patience_s: float = 1.0) -> None:
        """Write the queued lines, for at most ``patience_s`` seconds."""
        self.at_pass_end = None
        self._hand_over()
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join(patience_s)

    def _put(self, line: str) -> None:
        self._gathered.append(line)
        if self.at_pass_end is None:
            self._hand_over()
        elif len(self._gathered) == 1:
            self.at_pass_end(self._hand_over)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        with self._ready:
            room = max(0, QUEUE_LINES - len(self._lines))
            self._lines.extend(gathered[:room])
            self._dropped += len(gathered[room:])
            if self._is_waiting and self._lines:
                self._is_waiting = False
                self._ready.notify()

    def _run(self) -> None:
        while True:
            with self._ready:
                self._is_waiting = not (self._lines or self._closed)
                self._ready.wait_for(lambda: self._lines or self._closed)
                lines = list(self._lines)
                self._lines.clear()
                dropped, self._dropped = self._dropped, 0
                closed = self._closed
            if dropped:
                lines.append(f"({_were(dropped)} dropped: the console is too slow)")
            if lines:
                self._write("\n".join(lines) + "\n")
            if closed and not lines:
                return
            with self._ready:
                self._ready.wait_for(lambda: self._closed, REST_S)

    def _write(self, text: str) -> None:
        """Write text; a console that is gone or full must not stop the server, and is reported once."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError) as error:
            if not self._failed:
                self._failed = True
                why = error.strerror if isinstance(error, OSError) else error
                with contextlib.suppress(OSError, ValueError, AttributeError):  # the same terminal, or none
                    sys.stderr.write(f"securechat-server: The log lines cannot be written: {why}. The server runs on\n")
                    sys.stderr.flush()


def _were(lines: int) -> str:
    return f"{counted(lines, 'line')} {'was' if lines == 1 else 'were'}"


def _plain(value: object) -> object:
    return one_line(value) if isinstance(value, str) else value
