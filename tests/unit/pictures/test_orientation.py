from __future__ import annotations

import struct

import pytest

pytest.importorskip("PIL", reason="the pictures of these tests are made by Pillow")

from hypothesis import given
from hypothesis import strategies as st

from securechat.pictures.orientation import UPRIGHT, orientation_of
from tests.support import pictures


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("marker", [b"", b"Exif\0\0"])
def test_the_orientation_is_found(orientation: int, order: str, marker: bytes) -> None:
    assert orientation_of(marker + pictures.tiff(orientation, order)) == orientation


def directory(*entries: bytes, start: int = 8, count: int | None = None) -> bytes:
    return b"II*\0" + struct.pack("<IH", start, len(entries) if count is None else count) + b"".join(entries)


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"XX*\0" + bytes(40),
        directory(),
        directory(entry(0x112, 3, 1, 6), start=4_000_000_000),  # points outside
        directory(entry(0x112, 3, 1, 6), start=0),  # points at itself
        directory(entry(0x112, 3, 1, 0)),
        directory(entry(0x112, 3, 1, 9)),
        directory(entry(0x112, 4, 1, 6)),  # of another type
        directory(entry(0x112, 3, 2, 6)),  # two of them
        directory(entry(0x112, 3, 1, 6)[:9]),  # cut off
        directory(count=65_535) + entry(0x100, 3, 1, 6) * 600 + entry(0x112, 3, 1, 6),  # behind all that is looked at
    ],
)
def test_what_cannot_be_read_is_upright(exif: bytes) -> None:
    assert orientation_of(exif) == UPRIGHT


def test_a_directory_that_says_too_much_is_read_as_far_as_it_goes() -> None:
    assert orientation_of(directory(entry(0x112, 3, 1, 8), count=65_535)) == 8


@given(st.sampled_from([b"II*\0", b"MM\0*", b""]), st.binary(max_size=80))
def test_any_bytes_have_an_orientation(head: bytes, rest: bytes) -> None:
    assert 1 <= orientation_of(head + rest) <= 8
