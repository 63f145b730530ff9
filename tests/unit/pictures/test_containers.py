from __future__ import annotations

import struct
import zlib

import pytest

pytest.importorskip("PIL", reason="the pictures of these tests are made by Pillow")

from hypothesis import given
from hypothesis import strategies as st

from securechat.pictures.containers import foreign_parts
from securechat.pictures.kinds import PictureKind
from tests.support import pictures

PLAIN = {kind: pictures.encoded(pictures.upright("P" if kind == "GIF" else "RGB"), kind) for kind in pictures.WITH_ALL}
SECRET = pictures.SECRET


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_picture_has_nothing_foreign(kind: str) -> None:
    assert foreign_parts(PictureKind[kind], PLAIN[kind]) == []


@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_behind_the_end_is_found(kind: str) -> None:
    assert foreign_parts(PictureKind[kind], PLAIN[kind] + b"\0")
    assert foreign_parts(PictureKind[kind], PLAIN[kind] + pictures.a_zip())


@pytest.mark.parametrize("kind", PLAIN)
def test_a_picture_that_is_cut_off_is_not_passed(kind: str) -> None:
    for size in range(0, len(PLAIN[kind]), 7):
        assert foreign_parts(PictureKind[kind], PLAIN[kind][:size]), size


@pytest.mark.parametrize("kind", PLAIN)
def test_a_picture_of_another_kind_is_not_passed(kind: str) -> None:
    for other in PictureKind:
        assert bool(foreign_parts(other, PLAIN[kind])) == (other.name != kind)


@pytest.mark.parametrize("marker", [*range(0xE0, 0xF0), 0xFE, 0xF7])
def test_each_segment_of_a_jpeg_is_found(marker: int) -> None:
    data = PLAIN["JPEG"]
    assert foreign_parts(PictureKind.JPEG, data[:2] + pictures.segment(marker, SECRET) + data[2:])


def test_segments_between_scans_and_thumbnails_are_found() -> None:
    data = PLAIN["JPEG"]
    assert foreign_parts(PictureKind.JPEG, data[:-2] + pictures.segment(0xFE, SECRET) + data[-2:])
    thumbnail = pictures.segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1" + b"abc")
    assert foreign_parts(PictureKind.JPEG, data[:2] + thumbnail + data[20:])
    assert foreign_parts(PictureKind.JPEG, data[:2] + b"junk" + data[2:])


@pytest.mark.parametrize(
    "name", [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"eXIf", b"pHYs", b"caBX", b"prVt", b"acTL", b"fcTL"]
)
def test_each_chunk_of_a_png_is_found(name: bytes) -> None:
    data = PLAIN["PNG"]
    for at in (33, len(data) - 12):
        assert foreign_parts(PictureKind.PNG, data[:at] + pictures.chunk(name, SECRET) + data[at:])


@pytest.mark.parametrize("name", [b"EXIF", b"XMP ", b"ANIM", b"ANMF", b"SECR"])
def test_each_chunk_of_a_webp_is_found(name: bytes) -> None:
    data = PLAIN["WEBP"]
    more = name + struct.pack("<I", 4) + b"abcd"
    assert foreign_parts(PictureKind.WEBP, b"RIFF" + struct.pack("<I", len(data) - 8 + len(more)) + data[8:] + more)


BLOCKS = [
    b"!\xfe\1x\0",
    b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0",
    b"!\x01\x0c" + bytes(12) + b"\1x\0",
    b"!\xf9\4\0\0\0\0\1x\0",
    b"?",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_of_a_gif_is_found(block: bytes) -> None:
    assert foreign_parts(PictureKind.GIF, PLAIN["GIF"][:-1] + block + b";")


def test_only_profiles_that_are_known_pass() -> None:
    profile = b"a profile"
    for kind in ("JPEG", "PNG", "WEBP"):
        data = pictures.encoded(pictures.upright(), kind, icc_profile=profile)
        assert foreign_parts(PictureKind[kind], data)
        assert foreign_parts(PictureKind[kind], data, [profile + b"?"])
        assert foreign_parts(PictureKind[kind], data, [profile]) == []


def test_a_profile_that_unpacks_without_end_is_not_unpacked() -> None:
    data = PLAIN["PNG"]
    bomb = pictures.chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(20_000_000)))
    assert foreign_parts(PictureKind.PNG, data[:33] + bomb + data[33:]) == ["chunk iCCP"]


@given(st.sampled_from([*PLAIN]), st.data())
def test_any_bytes_are_walked_to_an_end(kind: str, data: st.DataObject) -> None:
    changed = bytearray(PLAIN[kind])
    for at in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=5)):
        changed[at] = data.draw(st.integers(0, 255))
    foreign_parts(PictureKind[kind], bytes(changed))
