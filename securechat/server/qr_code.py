"""QR codes for a terminal, of half blocks: two modules of the code a character."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import segno

_BORDER = 2
SIGNS = " ▀▄█"
_BLACK_ON_WHITE, _PLAIN = "\x1b[97;40m", "\x1b[0m"
"""segno draws the light modules; on a white terminal they would be dark without this (ECMA-48, SGR 97 and 40)."""


def qr_lines(text: str) -> list[str]:
    """Return the lines that draw a code."""
    drawn = io.StringIO()
    _code(text).terminal(out=drawn, border=_BORDER, compact=True)
    return [f"{_BLACK_ON_WHITE}{line}{_PLAIN}" for line in drawn.getvalue().splitlines()]


def qr_size(text: str) -> tuple[int, int]:
    """Return the columns and rows that a code takes."""
    columns, modules = _code(text).symbol_size(border=_BORDER)
    return int(columns), int(modules + 1) // 2


def _code(text: str) -> segno.QRCode:
    import segno  # noqa: PLC0415 - 50 ms of a start, which only a terminal that shows a code needs

    return segno.make_qr(text, error="l")
