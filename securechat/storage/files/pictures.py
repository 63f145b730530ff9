"""What the picture worker makes of a picture, as the disk keeps it, and how a file's first bytes tell a picture.

By its first bytes, never by its name: only the formats that browsers show and the worker reads, JPEG, PNG, WebP and
GIF. Everything else, HEIC, AVIF and SVG too, is a file. A file that pretends is refused by the worker: then it is a
picture that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from securechat.model import FileInfo, StoredFile
from securechat.records.files import UploadState
from securechat.text.file_types import media_type

HEAD_BYTES = 12
"""Of a file, enough to judge."""
_HEADS = (
    b"\xff\xd8\xff",  # JPEG: SOI and the first byte of a marker (ITU T.81, annex B)
    b"\x89PNG\r\n\x1a\n",  # PNG (W3C PNG, section 5.2)
    b"GIF87a",
    b"GIF89a",
)


class RewrittenPicture(Struct, frozen=True, gc=False):
    """A picture, written anew from its pixels.

    Attributes:
        data: the picture itself; None where the sent bytes stay, as of an animated one, and only previews were made.
        previews: smaller copies, by their longer side in pixels.
        type: its media type.
        width: of ``data``, pixels; 0 without it.
        height: likewise.
    """

    data: bytes | None
    previews: Mapping[int, bytes]
    type: str
    width: int
    height: int


def is_picture(head: bytes) -> bool:
    """Return whether a file that begins with these `HEAD_BYTES` bytes is a JPEG, PNG, WebP or GIF."""
    return head.startswith(_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")  # RFC 9649, section 2.4


def stored_file(upload: UploadState, size_bytes: int, sha256: bytes, picture: RewrittenPicture | None) -> StoredFile:
    """Return what an upload becomes.

    Args:
        upload: the upload.
        size_bytes: of what is kept.
        sha256: likewise.
        picture: what the worker made of it; None for every other file.
    """
    info = FileInfo(upload.file_id, upload.name, size_bytes, media_type(upload.name))
    if picture is None:
        return StoredFile(info, sha256)
    previews = sorted(picture.previews)
    info = replace(info, type=picture.type, width=picture.width, height=picture.height, previews=previews)
    return StoredFile(info, sha256, sum(map(len, picture.previews.values())))
