"""Decides whether the chat opens a screen, or the line mode: by what the user wants, and what the terminal can do."""

from __future__ import annotations

import codecs
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from securechat.client.catalogue import screen_shell as words

LEAST_COLUMNS, LEAST_ROWS = 40, 10
"""Of a terminal for a screen; smaller ones get the line mode. A screen that becomes smaller later says so."""
_WITHOUT_ESCAPES = frozenset({"", "dumb", "unknown"})
"""Values of TERM of terminals that can do nothing but print; without TERM nothing is known."""
_HAS_DRIVER: bool = sys.platform != "win32"
"""Whether `screen.terminal_driver` runs here."""


def why_no_screen(environ: Mapping[str, str], *, reader: bool = False) -> str:
    """Return why stdin, stdout and stderr can show no screen; empty where they can.

    Args:
        environ: TERM of the terminal.
        reader: whether rows for screen readers are wanted, which are those of the line mode.
    """
    if reader:
        return words.READER_HAS_LINES()
    if not _HAS_DRIVER:
        return words.NOT_ON_WINDOWS()
    if not is_one_terminal(sys.stdin, sys.stdout, sys.stderr):  # the screen paints where the others are read
        return words.NOT_ONE_TERMINAL()
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        columns, rows = 0, 0
    if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        return words.too_small(LEAST_COLUMNS, LEAST_ROWS)
    term = environ.get("TERM", "")
    return "" if has_sequences(term) else words.not_a_screen(term)


def why_not_all_signs(output: TextIO | None) -> Sequence[str]:
    """Return a sentence where a terminal's encoding, which the locale chooses, has not all characters."""
    encoding = getattr(output, "encoding", None) or "utf-8"
    return [] if codecs.lookup(encoding).name.startswith("utf") else [words.not_unicode(encoding)]


def is_one_terminal(*streams: TextIO | None) -> bool:
    """Tell whether all streams are the same terminal."""
    if not all(stream is not None and stream.isatty() for stream in streams):
        return False
    return sys.platform == "win32" or len({os.fstat(stream.fileno()).st_rdev for stream in streams if stream}) == 1


def has_sequences(term: str) -> bool:
    """Tell whether a terminal has ECMA-48's sequence for the cursor's position, and an alternate screen.

    One that terminfo does not know is taken to: its entry may be missing on the machine that one has logged in to, as
    that of kitty often is.

    Args:
        term: the value of TERM.
    """
    if term in _WITHOUT_ESCAPES:
        return False
    if importlib.util.find_spec("_curses") is None:
        return True
    import curses  # noqa: PLC0415 - no other program needs it, and not every Python has it

    try:
        curses.setupterm(term, 1)
    except curses.error:
        return True
    return (curses.tigetstr("cup") or b"").startswith(b"\x1b[") and bool(curses.tigetstr("smcup"))
