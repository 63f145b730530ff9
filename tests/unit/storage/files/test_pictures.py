"""Pictures are told by their first bytes."""

import pytest

from securechat.storage.files.pictures import HEAD_BYTES, is_picture


@pytest.mark.parametrize(
    "head", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "]
)
def test_what_the_worker_reads_is_a_picture(head):
    assert is_picture(head[:HEAD_BYTES])


@pytest.mark.parametrize(
    "head",
    [b"", b"\xff\xd8", b"\x89PNG", b"GIF88a", b"RIFF\0\0\0\0WAVE", b"RIFF", b"<svg xmlns=", b"\0\0\0\x18ftypheic",
     b"\0\0\0\x1cftypavif", b"BM", b"II*\0", b"%PDF-1.7", b"PK\x03\x04", b" \xff\xd8\xff"],
)  # fmt: skip
def test_everything_else_is_a_file(head):
    assert not is_picture(head[:HEAD_BYTES])
