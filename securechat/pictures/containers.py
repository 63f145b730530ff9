"""The parts of a written picture's file, and which of them carry nothing but pixels. Knows no library.

It is the last look at what was written, before it leaves the process: a version of the library that begins to write
something of its own (a comment, a date) is found by it, and the picture is refused. Only parts that are known pass.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator

from securechat.pictures.kinds import PictureKind

_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_KNOWN = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xDA})
"""Frames, Huffman and quantization tables, restart interval, scan (ITU T.81, table B.1)."""
_JPEG_JFIF = re.compile(rb"JFIF\0.{7}\0\0", re.DOTALL)
"""Without a thumbnail."""
_JPEG_ADOBE = re.compile(rb"Adobe.{7}", re.DOTALL)
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_ICC = b"ICC_PROFILE\0\x01\x01"
"""In one segment: the kept profiles are small."""
_PNG_KNOWN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_WEBP_KNOWN = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH"})
_WEBP_FLAGS = 0x30
"""Of VP8X: a profile, transparency. Not: animation, EXIF, XMP."""
_GIF_GRAPHIC_CONTROL = 0xF9


def foreign_parts(kind: PictureKind, data: bytes, profiles: Collection[bytes] = ()) -> list[str]:
    """Return what a written file has beside pixels; empty: nothing.

    Args:
        kind: of the file.
        data: all of it.
        profiles: the colour profiles that may be in it, whole.
    """
    walk = {PictureKind.JPEG: _jpeg, PictureKind.PNG: _png, PictureKind.WEBP: _webp, PictureKind.GIF: _gif}[kind]
    try:
        return list(walk(data, profiles))
    except (IndexError, ValueError, zlib.error):
        return ["it ends too early"]


def _jpeg(data: bytes, profiles: Collection[bytes]) -> Iterator[str]:
    if data[:2] != b"\xff\xd8":
        yield "no start"
    at = 2
    while True:
        if data[at] != 0xFF:
            yield f"bytes between segments at {at}"
            return
        marker = data[at + 1]
        at += 2
        if marker == 0xD9:
            if at != len(data):
                yield f"{len(data) - at} bytes behind the end"
            return
        if marker in _JPEG_STANDALONE:
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        content = data[at + 2 : at + size]
        at += size
        if not _is_known_segment(marker, content, profiles):
            yield f"segment {marker:#04x}"
        if marker == 0xDA:
            found = _JPEG_MARKER.search(data, at)
            if found is None:
                yield "no end"
                return
            at = found.start()


def _is_known_segment(marker: int, content: bytes, profiles: Collection[bytes]) -> bool:
    match marker:
        case 0xE0:
            return _JPEG_JFIF.fullmatch(content) is not None
        case 0xEE:
            return _JPEG_ADOBE.fullmatch(content) is not None
        case 0xE2:
            return content.startswith(_ICC) and content[len(_ICC) :] in profiles
        case _:
            return marker in _JPEG_KNOWN


def _png(data: bytes, profiles: Collection[bytes]) -> Iterator[str]:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        yield "no start"
    at = 8
    while True:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + size]
        at += 12 + size
        if at > len(data):
            yield "no end"
            return
        if name == b"iCCP":
            profile = zlib.decompressobj().decompress(content.partition(b"\0\0")[2], 64 * 1024)
            if profile not in profiles:
                yield "chunk iCCP"
        elif name not in _PNG_KNOWN:
            yield f"chunk {name!r}"
        if name == b"IEND":
            if at != len(data):
                yield f"{len(data) - at} bytes behind the end"
            return


def _webp(data: bytes, profiles: Collection[bytes]) -> Iterator[str]:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        yield "no start"
    if (behind := len(data) - 8 - int.from_bytes(data[4:8], "little")) != 0:
        yield f"{behind} bytes behind the end"
    at = 12
    while at < len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        content = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
        if name == b"ICCP":
            if content not in profiles:
                yield "chunk ICCP"
        elif name not in _WEBP_KNOWN or (name == b"VP8X" and content[0] & ~_WEBP_FLAGS):
            yield f"chunk {name!r}"
    if at != len(data):
        yield "no end"


def _gif(data: bytes, _profiles: Collection[bytes]) -> Iterator[str]:
    if data[:6] not in (b"GIF87a", b"GIF89a"):
        yield "no start"
    at = 13 + _gif_table_bytes(data[10])
    pictures = 0
    while True:
        match data[at]:
            case 0x3B:
                if at + 1 != len(data):
                    yield f"{len(data) - at - 1} bytes behind the end"
                return
            case 0x21:
                if data[at + 1] != _GIF_GRAPHIC_CONTROL or data[at + 2] != 4 or data[at + 7] != 0:
                    yield f"extension {data[at + 1]:#04x}"
                at = _gif_blocks_end(data, at + 2)
            case 0x2C:
                pictures += 1
                if pictures > 1:
                    yield "a second picture"
                at = _gif_blocks_end(data, at + 11 + _gif_table_bytes(data[at + 9]))
            case other:
                yield f"block {other:#04x}"
                return


def _gif_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_blocks_end(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1
