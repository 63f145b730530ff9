"""The size of a terminal's cells in pixels, by what the terminal tells of its window.

Questions and answers: xterm's ctlseqs, CSI 14 t and 16 t.
"""

from __future__ import annotations

import contextlib
import re
import struct
import sys

ASK = "\x1b[16t\x1b[14t"
"""Asks for the size of a cell, and of the window's text."""
USUAL = (8, 16)
"""Where a terminal does not tell."""
MOST_SIDE = 200
"""Of a cell; a terminal that tells more is not believed."""
_CELL = re.compile(r"\x1b\[6;([0-9]{1,5});([0-9]{1,5})t")
_TEXT = re.compile(r"\x1b\[4;([0-9]{1,5});([0-9]{1,5})t")
_WINDOW = struct.Struct("HHHH")


def told_cell(answer: str, columns: int, rows: int) -> tuple[int, int] | None:
    """Return width and height of a cell by an answer; None where it tells nothing that can be.

    Args:
        answer: of the terminal.
        columns: of the terminal.
        rows: likewise.
    """
    if (found := _CELL.fullmatch(answer)) is not None:
        return _likely(int(found[2]), int(found[1]))
    if (found := _TEXT.fullmatch(answer)) is not None and columns > 0 and rows > 0:
        return _likely(int(found[2]) // columns, int(found[1]) // rows)
    return None


def window_pixels(fileno: int) -> tuple[int, int, int, int] | None:
    """Return columns, rows, width and height in pixels by TIOCGWINSZ; None where one of them is not told."""
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - Unix alone has them
        import termios  # noqa: PLC0415

        with contextlib.suppress(OSError, ValueError):
            told = fcntl.ioctl(fileno, termios.TIOCGWINSZ, bytes(_WINDOW.size))
            rows, columns, width, height = _WINDOW.unpack(told)
            if rows and columns and width and height:
                return columns, rows, width, height
    return None


def window_cell(fileno: int) -> tuple[int, int] | None:
    """Return width and height of a cell by TIOCGWINSZ; None where it is not told."""
    if (told := window_pixels(fileno)) is None:
        return None
    columns, rows, width, height = told
    return _likely(width // columns, height // rows)


def _likely(width: int, height: int) -> tuple[int, int] | None:
    return (width, height) if 1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE else None
