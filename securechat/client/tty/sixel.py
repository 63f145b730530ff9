"""Pictures in a terminal as sixels (DEC STD 070, chapter 14; VT330/VT340 programmer reference, volume 2, chapter 14).

A picture is one sixel image for each of its rows of cells, so that any of them can be drawn without the others: a
terminal has no part of an image, and erases what of it a text is written over. Numbers and the signs of sixels alone
stand in them. Standard library alone, because a process of its own makes them (client/files/preview_worker.py).
"""

from __future__ import annotations

import re
from itertools import groupby

from securechat.client.tty.png import IndexedPicture

MOST_CHARS = 256 * 1024
"""Of a picture: half a second on a link of 4 Mbit/s."""
_BAND = 6
"""Pixels of a column in one sign."""
_LEVELS = (256, 6, 4, 3, 2)
"""Steps of a colour's parts, tried one after the other until a picture is small enough."""
_OPAQUE = 128
"""The least alpha of what is drawn."""
_STRIP = re.compile(r'\x1bP0;1;0q"1;1;[0-9]{1,4};[0-9]{1,3}[#0-9;!?-~$-]*\x1b\\')
_MOST_STRIPS = 100


def sixel_strips(picture: IndexedPicture, rows: int) -> list[str]:
    """Return a sixel image for each row of cells; none where it takes too much.

    Args:
        picture: as many pixels high as the rows are.
        rows: of cells.
    """
    for levels in _LEVELS:
        reduced = _reduced(picture, levels)
        strips = [_strip(reduced, row, rows) for row in range(rows)]
        if sum(map(len, strips)) <= MOST_CHARS:
            return strips
    return []


def are_strips(strips: list[str], rows: int) -> bool:
    """Tell whether these are sixel images as `sixel_strips` makes them, and nothing else."""
    fits = len(strips) == rows <= _MOST_STRIPS and sum(map(len, strips)) <= MOST_CHARS
    return fits and all(_STRIP.fullmatch(each) is not None for each in strips)


def knows_sixels(answer: str) -> bool:
    """Tell whether an answer to the question for the device's attributes names sixels (4)."""
    found = re.fullmatch(r"\x1b\[\?([0-9;]{1,60})c", answer)
    return found is not None and "4" in found[1].split(";")[1:]


def _reduced(picture: IndexedPicture, levels: int) -> IndexedPicture:
    """Return a picture of fewer colours: each of their parts has one of so many steps."""
    if levels == _LEVELS[0]:
        return picture
    step = levels - 1
    palette = bytes(round(each * step / 255) * 255 // step for each in picture.palette)
    alpha = picture.alpha.ljust(len(palette) // 3, b"\xff")
    first: dict[tuple[bytes, bool], int] = {}
    table = bytearray(range(256))
    for index in range(len(palette) // 3):
        color = (palette[3 * index : 3 * index + 3], alpha[index] >= _OPAQUE)
        table[index] = first.setdefault(color, index)
    return picture._replace(palette=palette, pixels=picture.pixels.translate(bytes(table)))


def _strip(picture: IndexedPicture, row: int, rows: int) -> str:
    start, end = row * picture.height // rows, (row + 1) * picture.height // rows
    clear = {index for index, alpha in enumerate(picture.alpha) if alpha < _OPAQUE}
    bands, named = [], set()
    for top in range(start, end, _BAND):
        width = picture.width
        lines = [picture.pixels[y * width : (y + 1) * width] for y in range(top, min(top + _BAND, end))]
        drawn = []
        for color in sorted(set().union(*lines) - clear):
            named.add(color)
            drawn.append(f"#{color}{_line(lines, color)}")
        bands.append("$".join(drawn))
    colors = "".join(f"#{each};2;{_percent(picture.palette[3 * each : 3 * each + 3])}" for each in sorted(named))
    return f'\x1bP0;1;0q"1;1;{picture.width};{end - start}{colors}{"-".join(bands)}\x1b\\'


def _line(lines: list[bytes], color: int) -> str:
    """Return the signs of one colour, six pixels of a column each, the same ones counted."""
    value = bytearray(len(lines[0]))
    for bit, line in enumerate(lines):
        at = line.find(color)
        while at >= 0:
            value[at] |= 1 << bit
            at = line.find(color, at + 1)
    text = []
    for each, same in groupby(value.rstrip(b"\0")):
        count = sum(1 for _ in same)
        sign = chr(63 + each)
        text.append(f"!{count}{sign}" if count > 3 else sign * count)
    return "".join(text)


def _percent(color: bytes) -> str:
    return ";".join(str(round(each * 100 / 255)) for each in color)
