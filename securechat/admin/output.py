"""Prints tables and sentences, or JSON, and nothing hostile in either.

Every text that came from the server or a database goes through `one_line` before it is printed as text. JSON is for
programs, so it keeps texts as they are, but in printable ASCII alone: an escape character in a name is spelled out.
With ``--json`` the language in use is English (`securechat.cli.admin`), so sentences in it are stable. Progress goes to
standard error, and only where that is a terminal.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from securechat.text.sanitize import one_line, width
from securechat.translation import LazyText, translated

_PROGRESS_AFTER_S = 1.0
"""Shorter work shows no progress."""
_PROGRESS_EVERY_S = 0.1


class TableOutput:
    """Prints results, notices and progress.

    Args:
        json_lines: one JSON object a line instead of text.
        out: for results; standard output by default.
        errors: for progress, warnings and failures; standard error by default.
    """

    def __init__(self, *, json_lines: bool, out: TextIO | None = None, errors: TextIO | None = None) -> None:
        self.json_lines = json_lines
        self._out = out or sys.stdout
        self._errors = errors or sys.stderr
        for stream in (self._out, self._errors):
            if isinstance(stream, io.TextIOWrapper):  # a name this terminal cannot spell must not cost the answer
                stream.reconfigure(errors="backslashreplace")
        self._began_at = time.monotonic()
        self._told_at = 0.0
        self._bar_shown = False

    @property
    def is_terminal(self) -> bool:
        """Whether results go to a terminal."""
        return self._out.isatty()

    def draws(self, signs: str) -> bool:
        """Whether results can hold these signs."""
        try:
            signs.encode(self._out.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    # --- results

    def record(self, record: dict[str, Any], sentences: Iterable[str]) -> None:
        """Print one result: as JSON, or as sentences, one a line."""
        self._clear_bar()
        if self.json_lines:
            self._print(as_json(record))
        else:
            for sentence in sentences:
                self._print(one_line(sentence))

    def table(
        self,
        rows: Sequence[dict[str, Any]],
        heads: Sequence[str | LazyText],
        cells: Sequence[Sequence[str]],
        none: str,
    ) -> None:
        """Print rows: as JSON one a line, or as a table; ``none`` stands in for no rows."""
        self._clear_bar()
        if self.json_lines:
            for row in rows:
                self._print(as_json(row))
        elif not cells:
            self._print(none)
        else:
            for line in aligned(
                [[str(head) for head in heads], *[[one_line(cell) for cell in line] for line in cells]]
            ):
                self._print(line)

    def block(self, lines: Iterable[str]) -> None:
        """Print lines of this program, such as a QR code; nothing with ``--json``."""
        if not self.json_lines:
            for line in lines:
                self._print(line)

    # --- beside the results

    def notice(self, sentence: str) -> None:
        """Print a warning or a question."""
        self._clear_bar()
        self._tell(sentence)

    def failure(self, sentence: str, word: str) -> None:
        """Print the error that ends the command."""
        self._clear_bar()
        if self.json_lines:
            self._print(as_json({"error": {"code": word, "text": translated(sentence)}}))
        else:
            self._tell(sentence)

    def _tell(self, sentence: str) -> None:
        with contextlib.suppress(OSError):  # standard error is full: the exit code says it alone
            print(f"securechat-admin: {one_line(translated(sentence))}", file=self._errors)

    def progress(self, what: str, share: float) -> None:
        """Show the progress of long work."""
        now = time.monotonic()
        late = now - self._began_at >= _PROGRESS_AFTER_S and now - self._told_at >= _PROGRESS_EVERY_S
        if late and self._errors.isatty():
            self._told_at = now
            self._bar_shown = True
            self._errors.write(f"\r\x1b[K{one_line(what)}: {share:.0%}")
            self._errors.flush()

    def _clear_bar(self) -> None:
        if self._bar_shown:
            self._bar_shown = False
            self._errors.write("\r\x1b[K")
            self._errors.flush()

    def _print(self, line: str) -> None:
        print(line, file=self._out)


def as_json(value: Any) -> str:
    """Return JSON in printable ASCII, whatever the texts hold."""
    return json.dumps(value, ensure_ascii=True)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return rows with columns two spaces apart, by terminal cells."""
    widths = [max(width(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
