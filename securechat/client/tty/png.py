"""The small PNGs that a server makes for terminals: judged, decoded, written anew. Standard library alone.

The bytes are a server's, which may be hostile. What is not exactly such a PNG is none: every chunk is known and whole,
nothing stands behind the end, and the pixels have as many bytes as the head says (PNG, third edition).
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from securechat.pictures.answers import TERMINAL_SIDE

MOST_BYTES = 64 * 1024
"""Of a picture: 240 x 240 pixels of one byte take 57 KiB, where nothing of them can be compressed."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED = 3
"""The colour type of pixels that are indices of a palette, a byte each (11.2.1)."""
_MOST_FILTER = 4
"""The last type of filter of a row (9.2)."""
_COLORS = 256


class IndexedPicture(NamedTuple):
    """A decoded picture.

    Attributes:
        width: pixels.
        height: likewise.
        palette: red, green and blue of each colour, a byte each.
        alpha: of the first colours, from 0 (see-through) to 255; those behind are 255.
        pixels: a byte for each, row by row: the index of its colour.
    """

    width: int
    height: int
    palette: bytes
    alpha: bytes
    pixels: bytes


def png_size(data: bytes, most_side: int = TERMINAL_SIDE) -> tuple[int, int] | None:
    """Return width and height of a PNG as the server writes it, of at most so many pixels a side; or None.

    With a palette of up to 256 colours, not interlaced; chunks IHDR, PLTE, tRNS, IDAT and IEND in this order (5.6), and
    nothing behind.
    """
    picture = _parsed(data, most_side)
    return None if picture is None else (picture.width, picture.height)


def decoded(data: bytes) -> IndexedPicture | None:
    """Return a PNG for which `png_size` has a size, decoded; None for any other one."""
    parsed = _parsed(data, TERMINAL_SIDE)
    if parsed is None:
        return None
    pixels = _unfiltered(parsed.pixels, parsed.width)
    most = len(parsed.palette) // 3 - 1
    if max(pixels) > most:  # a colour that there is not
        pixels = bytes(min(each, most) for each in pixels)
    return parsed._replace(pixels=pixels)


def encoded(picture: IndexedPicture) -> bytes:
    """Return a picture as a PNG."""
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, _INDEXED, 0, 0, 0)
    width = picture.width
    rows = b"".join(b"\0" + picture.pixels[at : at + width] for at in range(0, len(picture.pixels), width))
    parts = [(b"IHDR", head), (b"PLTE", picture.palette)]
    parts += [(b"tRNS", picture.alpha)] if picture.alpha else []
    parts += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def fitted(picture: IndexedPicture, width: int, height: int) -> IndexedPicture:
    """Return a picture scaled into so many pixels, from the upper left on, its aspect kept; the rest is see-through."""
    scale = min(width / picture.width, height / picture.height)
    wide = max(1, min(width, round(picture.width * scale)))
    high = max(1, min(height, round(picture.height * scale)))
    return _on_canvas(picture, wide, high, width, height)


def padded(picture: IndexedPicture, aspect: float, most_side: int) -> IndexedPicture:
    """Return a picture with see-through pixels at the right or below, so that its width by its height is ``aspect``."""
    width = min(most_side, max(picture.width, round(picture.height * aspect)))
    height = min(most_side, max(picture.height, round(picture.width / aspect)))
    return _on_canvas(picture, picture.width, picture.height, width, height)


def _on_canvas(picture: IndexedPicture, wide: int, high: int, width: int, height: int) -> IndexedPicture:
    columns = [x * picture.width // wide for x in range(wide)]
    clear, picture = _with_clear(picture) if (wide, high) != (width, height) else (0, picture)
    rest, rows = bytes([clear]) * (width - wide), []
    for y in range(high):
        start = y * picture.height // high * picture.width
        row = picture.pixels[start : start + picture.width]
        rows.append((row if wide == picture.width else bytes(row[x] for x in columns)) + rest)
    rows.append(bytes([clear]) * (width * (height - high)))
    return IndexedPicture(width, height, picture.palette, picture.alpha, b"".join(rows))


def _with_clear(picture: IndexedPicture) -> tuple[int, IndexedPicture]:
    """Return the index of a colour that is see-through, and the picture with it; the last colour may be given up."""
    if 0 in picture.alpha:
        return picture.alpha.index(0), picture
    count = len(picture.palette) // 3
    if count == _COLORS:
        count -= 1
        last, others = picture.palette[-3:], picture.palette[:-3]
        near = min(range(count), key=lambda at: sum(abs(others[3 * at + each] - last[each]) for each in range(3)))
        picture = picture._replace(palette=others, pixels=picture.pixels.replace(bytes([count]), bytes([near])))
    alpha = picture.alpha[:count].ljust(count, b"\xff") + b"\0"
    return count, picture._replace(palette=picture.palette + bytes(3), alpha=alpha)


def _parsed(data: bytes, most_side: int) -> IndexedPicture | None:
    """Return a PNG as `png_size` wants it, its pixels with the filters of their rows; else None."""
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
    if not (1 <= width <= most_side and 1 <= height <= most_side and depth == 8 and kind == _INDEXED) or any(methods):
        return None
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    pixels = _unpacked(packed, height, 1 + width)
    alpha = chunks[2][1] if rest[1:] else b""
    return None if pixels is None else IndexedPicture(width, height, chunks[1][1], alpha, pixels)


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


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def _unpacked(packed: bytes, rows: int, row_bytes: int) -> bytes | None:
    unpacking = zlib.decompressobj()
    try:
        pixels = unpacking.decompress(packed, rows * row_bytes + 1)
    except zlib.error:
        return None
    is_whole = len(pixels) == rows * row_bytes and unpacking.eof and not unpacking.unused_data
    return pixels if is_whole and max(pixels[::row_bytes]) <= _MOST_FILTER else None


def _unfiltered(filtered: bytes, width: int) -> bytes:
    """Return pixels of a byte each without the filters of their rows (9.2)."""
    out, above = bytearray(), bytearray(width)
    for at in range(0, len(filtered), width + 1):
        kind, row = filtered[at], bytearray(filtered[at + 1 : at + 1 + width])
        if kind == 2:
            row = bytearray((each + up) & 255 for each, up in zip(row, above, strict=True))
        elif kind:
            left = upper_left = 0
            for x, up in enumerate(above):
                by = left if kind == 1 else (left + up) // 2 if kind == 3 else _paeth(left, up, upper_left)
                left = row[x] = (row[x] + by) & 255
                upper_left = up
        out += row
        above = row
    return bytes(out)


def _paeth(left: int, up: int, upper_left: int) -> int:
    """Return the neighbour that is nearest to what they foretell (9.4)."""
    guess = left + up - upper_left
    by_left, by_up, by_upper_left = abs(guess - left), abs(guess - up), abs(guess - upper_left)
    if by_left <= by_up and by_left <= by_upper_left:
        return left
    return up if by_up <= by_upper_left else upper_left
