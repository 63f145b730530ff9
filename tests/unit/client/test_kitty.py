"""Pictures by kitty's protocol: the exact bytes, their bounds, and PNGs that a hostile server would send."""

from __future__ import annotations

import os
import re
import struct
import zlib
from base64 import b64decode, b64encode

import pytest

from securechat.client.tty.kitty import kitty_picture
from securechat.client.tty.png import MOST_BYTES, png_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def head(width: int = 2, height: int = 2, depth: int = 8, kind: int = 3, rest: bytes = bytes(3)) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBB", width, height, depth, kind) + rest)


def pixels(width: int = 2, height: int = 2) -> bytes:
    return zlib.compress(bytes(height * (1 + width)))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks)


PALETTE = chunk(b"PLTE", bytes(3 * 256))


BODY, END = chunk(b"IDAT", pixels()), chunk(b"IEND")


def picture(width: int, height: int) -> bytes:
    return png(head(width, height), PALETTE, chunk(b"IDAT", pixels(width, height)), chunk(b"IEND"))


SMALL = picture(2, 2)


def test_the_bytes_of_a_small_picture() -> None:
    data = b64encode(SMALL).decode()
    assert kitty_picture(SMALL, 80, 24) == f"        \x1b_Ga=T,f=100,q=2,c=1,r=1,m=0;{data}\x1b\\"


def test_a_large_one_goes_in_pieces_and_nothing_else_stands_in_them() -> None:
    rows = b"".join(b"\0" + os.urandom(240) for _ in range(240))
    data = png(head(240, 240), PALETTE, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND"))
    shown = kitty_picture(data, 80, 24)
    assert shown is not None
    parts = re.findall(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", shown)
    assert "        " + "".join(f"\x1b_G{keys};{text}\x1b\\" for keys, text in parts) == shown
    assert [keys for keys, _ in parts] == ["a=T,f=100,q=2,c=30,r=15,m=1", *["m=1"] * (len(parts) - 2), "m=0"]
    assert max(len(text) for _, text in parts) == 4096
    assert b64decode("".join(text for _, text in parts)) == data


@pytest.mark.parametrize(
    ("size", "terminal", "ratio", "cells"),
    [
        ((240, 180), (80, 24), 2.0, (30, 12)),
        ((240, 180), (20, 24), 2.0, (11, 5)),
        ((180, 240), (80, 10), 2.0, (11, 7)),
        ((240, 1), (80, 24), 2.0, (30, 1)),
        ((1, 240), (80, 24), 2.0, (1, 15)),
        ((240, 120), (80, 24), 1.5, (30, 10)),
        ((240, 240), (80, 24), 0.001, (15, 15)),  # a terminal may tell anything
        ((240, 240), (80, 24), 1e9, (30, 8)),
        ((240, 240), (9, 24), 2.0, None),
        ((240, 240), (80, 3), 2.0, None),
    ],
)
def test_it_fits_into_the_terminal(
    size: tuple[int, int], terminal: tuple[int, int], ratio: float, cells: tuple[int, int] | None
) -> None:
    shown = kitty_picture(picture(*size), *terminal, ratio)
    found = re.search(r"c=([0-9]+),r=([0-9]+)", shown or "")
    assert (None if found is None else (int(found[1]), int(found[2]))) == cells


@pytest.mark.parametrize("more", [[], [chunk(b"tRNS", bytes(1))], [chunk(b"tRNS", bytes(256))]])
def test_pictures_that_are_shown(more: list[bytes]) -> None:
    half = len(pixels()) // 2
    parts = [chunk(b"IDAT", each) for each in (pixels()[:half], pixels()[half:])]
    assert png_size(png(head(), PALETTE, *more, *parts, END)) == (2, 2)


HOSTILE = {
    "empty": b"",
    "no PNG": b"GIF89a" + SMALL,
    "a PNG behind something": b"\x1b[2J" + SMALL,
    "the signature alone": SIGNATURE,
    "the head alone": png(head()),
    "no pixels": png(head(), PALETTE, END),
    "no end": png(head(), PALETTE, BODY),
    "cut off": SMALL[:-1],
    "bytes behind the end": SMALL + b"\0",
    "a chunk behind the end": SMALL + chunk(b"IDAT", pixels()),
    "two heads": png(head(), PALETTE, head(200, 200), BODY, END),
    "the head is not first": png(PALETTE, BODY, head(), END),
    "a text": png(head(), PALETTE, chunk(b"tEXt", b"Comment\0\x1b]52;c;AAAA\x07"), BODY, END),
    "an animation": png(head(), PALETTE, chunk(b"acTL", bytes(8)), BODY, END),
    "a profile": png(head(), PALETTE, chunk(b"iCCP", b"x\0\0"), BODY, END),
    "a palette behind the pixels": png(head(), PALETTE, BODY, chunk(b"PLTE", bytes(3)), END),
    "pixels that are apart": png(head(), PALETTE, BODY, chunk(b"PLTE", bytes(3)), chunk(b"IDAT"), END),
    "a wrong checksum": SMALL[:-1] + b"\0",
    "a length beyond the end": png(head(), PALETTE, struct.pack(">I", 2**31) + b"IDAT", END),
    "a short head": png(chunk(b"IHDR", bytes(12)), BODY, END),
    "no width": png(head(0, 2), PALETTE, chunk(b"IDAT", zlib.compress(b"")), END),
    "too wide": picture(241, 1),
    "too high": picture(1, 241),
    "huge": png(head(2**31 - 1, 2**31 - 1), PALETTE, BODY, END),
    "16 bits": png(head(depth=16), PALETTE, BODY, END),
    "no colour type": png(head(kind=5), PALETTE, BODY, END),
    "interlaced": png(head(rest=b"\0\0\1"), PALETTE, BODY, END),
    "another compression": png(head(rest=b"\1\0\0"), PALETTE, BODY, END),
    "fewer pixels than it says": png(head(3, 3), PALETTE, BODY, END),
    "more pixels than it says": png(head(1, 1), PALETTE, BODY, END),
    "a bomb": png(head(), PALETTE, chunk(b"IDAT", zlib.compress(bytes(50_000_000))), END),
    "no stream": png(head(), PALETTE, chunk(b"IDAT", b"pixels"), END),
    "a stream that does not end": png(head(), PALETTE, chunk(b"IDAT", pixels()[:-1]), END),
    "something behind the stream": png(head(), PALETTE, chunk(b"IDAT", pixels() + b"\x1b_G"), END),
    "no palette": png(head(), BODY, END),
    "an empty palette": png(head(), chunk(b"PLTE"), BODY, END),
    "a palette of broken colours": png(head(), chunk(b"PLTE", bytes(4)), BODY, END),
    "257 colours": png(head(), chunk(b"PLTE", bytes(3 * 257)), BODY, END),
    "more see-through colours than colours": png(head(), chunk(b"PLTE", bytes(3)), chunk(b"tRNS", bytes(2)), BODY, END),
    "no such filter": png(head(), PALETTE, chunk(b"IDAT", zlib.compress(bytes(3) + b"\5" + bytes(2))), END),
    **{f"colour type {kind}": png(head(kind=kind), PALETTE, BODY, END) for kind in (0, 2, 4, 6)},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_something_else_is_not_shown(name: str) -> None:
    assert png_size(HOSTILE[name]) is None
    assert kitty_picture(HOSTILE[name], 80, 24) is None


def test_a_file_of_too_many_bytes_is_not_looked_at() -> None:
    data = png(head(), PALETTE, BODY, *[chunk(b"IDAT")] * (MOST_BYTES // 12), END)
    assert len(data) > MOST_BYTES
    assert png_size(data) == (2, 2)
    assert kitty_picture(data, 80, 24) is None
