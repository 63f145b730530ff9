"""Previews decoded and written anew, against Pillow; and what is padded or scaled."""

from __future__ import annotations

import io
import os
import struct
import zlib

import pytest
from PIL import Image

from securechat.client.tty.png import IndexedPicture, decoded, encoded, fitted, padded, png_size
from securechat.client.tty.sixel import MOST_CHARS, are_strips, knows_sixels, sixel_strips

FOUR = IndexedPicture(2, 2, bytes(range(12)), b"", b"\0\1\2\3")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def indexed(width: int, height: int) -> bytes:
    """A picture of 64 colours, as Pillow writes it."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").quantize(64).save(out, "PNG")
    return out.getvalue()


def filtered(width: int, rows: list[bytes]) -> bytes:
    """A PNG with rows that have their filters already, and 256 grey colours."""
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    palette = bytes(each for level in range(256) for each in (level,) * 3)
    parts = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in parts)


@pytest.mark.parametrize("kind", range(5))
def test_each_filter_is_undone_as_pillow_does(kind: int) -> None:
    data = filtered(7, [bytes([kind]) + os.urandom(7) for _ in range(5)])
    picture = decoded(data)
    assert picture is not None
    assert picture.pixels == Image.open(io.BytesIO(data)).tobytes()


def test_what_is_written_anew_has_the_same_pixels() -> None:
    data = indexed(120, 80)
    picture = decoded(data)
    assert picture is not None
    again = encoded(picture)
    assert png_size(again) == (120, 80)
    one, other = (Image.open(io.BytesIO(each)).convert("RGB").tobytes() for each in (data, again))
    assert one == other


def test_a_colour_that_there_is_not_is_the_last_one() -> None:
    picture = decoded(encoded(FOUR._replace(palette=bytes(6))))
    assert picture is not None
    assert picture.pixels == b"\0\1\1\1"


@pytest.mark.parametrize("aspect", [0.25, 1.0, 4.0])
def test_padding_keeps_the_pixels_and_is_see_through(aspect: float) -> None:
    wide = padded(FOUR, aspect, 512)
    assert wide.width / wide.height == aspect
    image = Image.open(io.BytesIO(encoded(wide))).convert("RGBA")
    assert image.crop((0, 0, 2, 2)).tobytes() == Image.open(io.BytesIO(encoded(FOUR))).convert("RGBA").tobytes()
    clear = sum(image.getpixel((x, y))[3] == 0 for x in range(wide.width) for y in range(wide.height))  # type: ignore[index]
    assert clear == wide.width * wide.height - 4


def test_a_full_palette_gives_up_one_colour_for_what_is_see_through() -> None:
    palette = bytes(each for level in range(256) for each in (level,) * 3)
    wide = padded(IndexedPicture(256, 1, palette, b"", bytes(range(256))), 128.0, 512)
    image = Image.open(io.BytesIO(encoded(wide))).convert("RGBA")
    assert [image.getpixel((x, 0))[0] for x in (0, 100, 254, 255)] == [0, 100, 254, 254]  # type: ignore[index]
    assert image.getpixel((0, 1))[3] == 0  # type: ignore[index]


def test_scaling_keeps_the_aspect() -> None:
    picture = decoded(indexed(120, 80))
    assert picture is not None
    large = fitted(picture, 300, 160)
    assert (large.width, large.height) == (300, 160)
    image = Image.open(io.BytesIO(encoded(large))).convert("RGBA")
    assert image.getpixel((239, 159))[3] == 255  # type: ignore[index]
    assert image.getpixel((240, 0))[3] == 0  # type: ignore[index]


# --- sixels -----------------------------------------------------------------------------------------------------------


def test_the_bytes_of_a_small_sixel_image() -> None:
    picture = IndexedPicture(3, 2, b"\xff\0\0\0\xff\0\0\0\0", b"\xff\xff\0", b"\0\0\1\2\1\1")
    assert sixel_strips(picture, 1) == ['\x1bP0;1;0q"1;1;3;2#0;2;100;0;0#1;2;0;100;0#0@@$#1?AB\x1b\\']


def test_a_row_of_cells_is_an_image_of_its_own() -> None:
    picture = IndexedPicture(10, 40, bytes(3), b"", bytes(400))
    strips = sixel_strips(picture, 2)
    assert strips == ['\x1bP0;1;0q"1;1;10;20#0;2;0;0;0#0!10~-#0!10~-#0!10~-#0!10B\x1b\\'] * 2
    assert are_strips(strips, 2)


def test_noise_gets_fewer_colours_until_it_fits() -> None:
    palette = os.urandom(768)
    strips = sixel_strips(IndexedPicture(300, 300, palette, b"", os.urandom(300 * 300)), 15)
    assert len(strips) == 15
    assert MOST_CHARS // 4 < sum(map(len, strips)) <= MOST_CHARS
    assert sixel_strips(IndexedPicture(900, 900, palette, b"", os.urandom(900 * 900)), 15) == []


@pytest.mark.parametrize(
    "strip",
    ["", "text", "\x1bPq\x1b\\", '\x1bP0;1;0q"1;1;9;9#0~\x1b]52;c;eA==\x07\x1b\\', '\x1bP0;1;0q"1;1;9;9 ~\x1b\\',
     '\x1bP0;1;0q"1;1;9;9~\x1b\\\x1b[2J', '\x1bP0;1;0q"1;1;9;9~\x07', '\x1bP0;1;0q"1;1;9;9~\x1b\\\n'],
)  # fmt: skip
def test_what_is_no_sixel_image_is_not_taken(strip: str) -> None:
    assert not are_strips([strip], 1)


def test_the_attributes_of_a_device_name_sixels() -> None:
    assert knows_sixels("\x1b[?62;4;22c")
    assert knows_sixels("\x1b[?65;1;4c")
    assert not knows_sixels("\x1b[?4c")
    assert not knows_sixels("\x1b[?62;14;22c")
    assert not knows_sixels("\x1b[?62;4;22u")
