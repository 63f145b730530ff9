"""The kinds of pictures that are written anew, told apart by their first bytes. Knows no file and no library.

Four kinds, because phones, screenshots and browsers make no others that every browser shows: HEIC stays a file (iPhones
hand pages a JPEG), and so do AVIF, TIFF and whatever else Pillow can open.
"""

from __future__ import annotations

from enum import StrEnum

HEAD_BYTES = 32
"""Of a file, to tell its kind and, but for a JPEG, its size."""


class PictureKind(StrEnum):
    """A kind of picture. Its value is its media type."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    GIF = "image/gif"


def kind_of(head: bytes) -> PictureKind | None:
    """Return the kind of a file, by its first `HEAD_BYTES`; None: it is no picture that is written anew."""
    if head.startswith(b"\xff\xd8\xff"):
        return PictureKind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PictureKind.PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return PictureKind.GIF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return PictureKind.WEBP
    return None


def canvas_of(kind: PictureKind, head: bytes) -> tuple[int, int] | None:
    """Return width and height, pixels, as the first `HEAD_BYTES` of a picture say; None: they do not.

    A JPEG says it further behind. A WebP needs it, because Pillow allocates memory for its canvas when it opens it.
    """
    match kind:
        case PictureKind.PNG if head[12:16] == b"IHDR" and len(head) >= 24:
            return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        case PictureKind.GIF if len(head) >= 10:
            return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        case PictureKind.WEBP:
            return _webp_canvas(head)
        case _:
            return None


def _webp_canvas(head: bytes) -> tuple[int, int] | None:
    """By RFC 9649: section 2.5 (lossy), 3.4 (lossless), 2.7 (extended)."""
    match head[12:16]:
        case b"VP8 " if head[23:26] == b"\x9d\x01\x2a" and len(head) >= 30:
            return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
        case b"VP8L" if head[20:21] == b"\x2f" and len(head) >= 25:
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X" if len(head) >= 30:
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case _:
            return None
