"""Decides whether the chat opens a screen, or the line mode: by what the user wants, and what the terminal can do."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import TextIO

LEAST_COLUMNS, LEAST_ROWS = 40, 10
"""Of a terminal for a screen; smaller ones get the line mode. A screen that becomes smaller later says so."""
_WITHOUT_ESCAPES = frozenset({"", "dumb", "unknown"})
"""Values of TERM of terminals that can do nothing but print; without TERM nothing is known."""


def is_one_terminal(*streams: TextIO | None) -> bool:
    """Tell whether all streams are the same terminal."""
    if not all(stream is not None and stream.isatty() for stream in streams):
        return False
    return sys.platform == "win32" or len({os.fstat(stream.fileno()).st_rdev for stream in streams if stream}) == 1


def terminal_can(environ: Mapping[str, str], columns: int, rows: int) -> bool:
    """Tell whether a terminal can show a screen.

    Args:
        environ: TERM of it.
        columns: of the terminal; 0 where it does not tell.
        rows: likewise.
    """
    if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        return False
    return sys.platform == "win32" or _has_sequences(environ.get("TERM", ""))


def _has_sequences(term: str) -> bool:
    """Whether the terminal has the sequences of ECMA-48 for the cursor's position; one that is not known is taken to.

    A terminal's entry may be missing on the machine that one has logged in to, as that of kitty often is.
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
    return (curses.tigetstr("cup") or b"").startswith(b"\x1b[")
