"""Pictures in a terminal, by kitty's graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/).

The bytes are a server's, which may be hostile, and the terminal decodes them. So what is not exactly the small PNG that
a server makes for terminals is not shown: every chunk is known and whole, nothing stands behind the end, and the pixels
have as many bytes as the head says. Nothing that a peer chose stands in the escape sequence but base64. The terminal is
told to answer nothing (``q=2``): an answer would arrive as typed text.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from math import ceil

from securechat.limits import KIB
from securechat.pictures.answers import TERMINAL_SIDE

MOST_BYTES = 64 * KIB
"""Of a picture: 240 x 240 pixels of one byte take 57 KiB, where nothing of them can be compressed."""
_CHUNK_CHARS = 4096
"""Of base64 in one escape sequence: the most that the protocol allows."""
_CELL_PIXELS = 8
"""Of the picture to a column: a terminal of high resolution gets it larger, and not tiny."""
_INDENT = " " * 8
"""As wide as the mark of a file's row: a picture never covers the first column, where a notice begins."""
_MOST_ROWS = TERMINAL_SIDE // (2 * _CELL_PIXELS)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED = 3
"""The colour type of pixels that are indices of a palette, a byte each (PNG, third edition, 11.2.1)."""
_MOST_FILTER = 4
"""The last type of filter of a row (9.2)."""


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
    if size is None:
        return None
    width, height = (each / _CELL_PIXELS for each in size)
    height /= min(4.0, max(1.0, cell_ratio))
    free_columns, free_rows = columns - len(_INDENT) - 1, min(_MOST_ROWS, rows - 3)
    if free_columns < 1 or free_rows < 1:
        return None
    scale = min(1.0, free_columns / width, free_rows / height)
    wide, high = (max(1, min(ceil(each * scale), free)) for each, free in ((width, free_columns), (height, free_rows)))
    return _INDENT + _sequences(f"a=T,f=100,q=2,c={wide},r={high}", data)


def _sequences(keys: str, data: bytes) -> str:
    text = b64encode(data).decode()
    parts = [text[at : at + _CHUNK_CHARS] for at in range(0, len(text), _CHUNK_CHARS)]
    last = len(parts) - 1
    return "".join(
        f"\x1b_G{f'{keys},' if not index else ''}m={int(index < last)};{part}\x1b\\" for index, part in enumerate(parts)
    )


def png_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG of at most `TERMINAL_SIDE` pixels as the server writes it; or None.

    With a palette of up to 256 colours, not interlaced; chunks IHDR, PLTE, tRNS, IDAT and IEND in this order (PNG,
    third edition, 5.6), and nothing behind.
    """
    try:
        chunks = _chunks(data)
    except (struct.error, ValueError):
        return None
    names = [name for name, _ in chunks]
    rest = [name for name in names[1:-1] if name != b"IDAT"]
    pixels_at = 1 + len(rest)
    ordered = [b"IHDR", *rest, *[b"IDAT"] * (len(names) - len(rest) - 2), b"IEND"]
    if names != ordered or len(names) <= pixels_at + 1 or rest not in ([b"PLTE"], [b"PLTE", b"tRNS"]):
        return None
    colours, rest_of_three = divmod(len(chunks[1][1]), 3)
    if rest_of_three or not 1 <= colours <= 256 or (rest[1:] and len(chunks[2][1]) > colours):
        return None
    if len(chunks[0][1]) != 13:
        return None
    width, height, depth, kind, *methods = struct.unpack(">IIBBBBB", chunks[0][1])
    if not (1 <= width <= TERMINAL_SIDE and 1 <= height <= TERMINAL_SIDE and depth == 8 and kind == _INDEXED):
        return None
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    return (width, height) if not any(methods) and _unpacks_to(packed, height, 1 + width) else None


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a file that is nothing but chunks.

    Raises:
        ValueError: it is none.
        struct.error: it ends too early.
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError
    chunks, at = [], len(_SIGNATURE)
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + size)
        if zlib.crc32(name + content) != checksum:
            raise ValueError
        chunks.append((name, content))
        at += 12 + size
    return chunks


def _unpacks_to(packed: bytes, rows: int, row_bytes: int) -> bool:
    unpacking = zlib.decompressobj()
    try:
        pixels = unpacking.decompress(packed, rows * row_bytes + 1)
    except zlib.error:
        return False
    is_whole = len(pixels) == rows * row_bytes and unpacking.eof and not unpacking.unused_data
    return is_whole and max(pixels[::row_bytes]) <= _MOST_FILTER
