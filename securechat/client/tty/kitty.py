"""Pictures in a terminal, by kitty's graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/).

The bytes are a server's, which may be hostile, and the terminal decodes them. So what is not exactly the small PNG that
a server makes for terminals is not shown (png.py). Nothing that a peer chose stands in the escape sequence but base64.
The terminal is told to answer nothing (``q=2``): an answer would arrive as typed text.
"""

from __future__ import annotations

import re
from base64 import b64encode

from securechat.client.tty.png import MOST_BYTES, png_size
from securechat.client.ui.rows.picture_cells import picture_cells

ASK = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
"""Asks whether the terminal has the protocol, as its page says; a terminal that has it answers with OK."""
ABORT = "\x1b_Gq=2,m=0;\x1b\\"
"""Ends a transmission early: what has come is no picture, and the terminal drops it."""
_CHUNK_CHARS = 4096
"""Of base64 in one escape sequence: the most that the protocol allows."""
_INDENT = " " * 8
"""As wide as the mark of a file's row: a picture never covers the first column, where a notice begins."""


def kitty_picture(data: bytes, columns: int, rows: int, cell_ratio: float = 2.0) -> str | None:
    """Return what shows a picture at the cursor, which is at the begin of a row, and leaves it in the picture's last.

    Args:
        data: a PNG.
        columns: of the terminal.
        rows: of the terminal.
        cell_ratio: height of a cell by its width.

    Returns:
        None: it is not a picture that is shown, or the terminal is too small.
    """
    size = png_size(data) if len(data) <= MOST_BYTES else None
    cells = None if size is None else picture_cells(*size, columns - len(_INDENT) - 1, rows - 3, cell_ratio)
    if cells is None:
        return None
    return _INDENT + "".join(_sequences(f"a=T,f=100,q=2,c={cells[0]},r={cells[1]}", data))


# --- on the screen ----------------------------------------------------------------------------------------------------


def knows_pictures(answer: str) -> bool:
    """Tell whether an answer says that the terminal has the protocol."""
    return re.fullmatch(r"\x1b_Gi=31;OK\x1b\\", answer) is not None


def transmitting(number: int, data: bytes) -> list[str]:
    """Return the sequences that give a PNG to the terminal under a number, and show nothing."""
    return _sequences(f"a=t,f=100,q=2,i={number}", data)


def placing(number: int, placement: int, cells: tuple[int, int], source: tuple[int, int, int]) -> str:
    """Return what shows a part of a picture from the cursor on, and leaves the cursor where it is.

    Args:
        number: of the picture.
        placement: its number, which replaces an earlier one of the same number.
        cells: columns and rows.
        source: the first row of pixels, the width of the picture and how many rows, pixels.
    """
    columns, rows = cells
    top, width, height = source
    return f"\x1b_Ga=p,q=2,C=1,i={number},p={placement},c={columns},r={rows},x=0,y={top},w={width},h={height}\x1b\\"


def removing(number: int, placement: int) -> str:
    """Return what removes a placement; the terminal keeps the picture."""
    return f"\x1b_Ga=d,q=2,d=i,i={number},p={placement}\x1b\\"


def deleting(number: int) -> str:
    """Return what deletes a picture with all of its placements."""
    return f"\x1b_Ga=d,q=2,d=I,i={number}\x1b\\"


def _sequences(keys: str, data: bytes) -> list[str]:
    text = b64encode(data).decode()
    parts = [text[at : at + _CHUNK_CHARS] for at in range(0, len(text), _CHUNK_CHARS)]
    last = len(parts) - 1
    return [
        f"\x1b_G{f'{keys},' if not index else ''}m={int(index < last)};{part}\x1b\\" for index, part in enumerate(parts)
    ]
