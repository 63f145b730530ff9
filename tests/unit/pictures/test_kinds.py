from __future__ import annotations

import pytest

pytest.importorskip("PIL", reason="the pictures of these tests are made by Pillow")

from hypothesis import given
from hypothesis import strategies as st

from securechat.pictures.kinds import HEAD_BYTES, PictureKind, canvas_of, kind_of
from tests.support import pictures


@pytest.mark.parametrize("kind", [*pictures.WITH_ALL])
def test_a_picture_is_told_by_its_first_bytes(kind: str) -> None:
    data = pictures.WITH_ALL[kind]()
    assert kind_of(data[:HEAD_BYTES]) is PictureKind[kind]
    assert canvas_of(PictureKind[kind], data[:HEAD_BYTES]) == (None if kind == "JPEG" else pictures.SIZE)


@pytest.mark.parametrize("lossless", [False, True])
def test_the_canvas_of_a_simple_webp_is_read(lossless: bool) -> None:
    data = pictures.encoded(pictures.upright(), "WEBP", lossless=lossless)
    assert data[12:16] == (b"VP8L" if lossless else b"VP8 ")
    assert canvas_of(PictureKind.WEBP, data[:HEAD_BYTES]) == pictures.SIZE


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_have_a_kind_or_none(head: bytes) -> None:
    kind_of(head)
    for kind in PictureKind:
        canvas_of(kind, head)


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPVP8X"])
@given(st.binary(max_size=HEAD_BYTES))
def test_a_short_head_has_no_canvas_or_a_whole_one(start: bytes, rest: bytes) -> None:
    head = (start + rest)[:HEAD_BYTES]
    kind = kind_of(head)
    assert kind is not None
    canvas = canvas_of(kind, head)
    assert canvas is None or min(canvas) >= 0


@pytest.mark.parametrize(
    "head", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "]
)
def test_what_the_worker_reads_is_a_picture(head):
    assert kind_of(head[:HEAD_BYTES])


@pytest.mark.parametrize(
    "head",
    [b"", b"\xff\xd8", b"\x89PNG", b"GIF88a", b"RIFF\0\0\0\0WAVE", b"RIFF", b"<svg xmlns=", b"\0\0\0\x18ftypheic",
     b"\0\0\0\x1cftypavif", b"BM", b"II*\0", b"%PDF-1.7", b"PK\x03\x04", b" \xff\xd8\xff"],
)  # fmt: skip
def test_everything_else_is_a_file(head):
    assert not kind_of(head[:HEAD_BYTES])
