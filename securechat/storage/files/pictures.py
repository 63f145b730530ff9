"""The outcome of writing a picture anew, as the disk keeps it.

What a picture is, its first bytes tell (`securechat.pictures.kinds`), whatever its name says. A file that pretends is
refused by the worker: then it is a picture that cannot be read.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from securechat.model import FileInfo, StoredFile
from securechat.records.files import UploadState
from securechat.text.file_types import media_type


class RewrittenPicture(Struct, frozen=True, gc=False):
    """A picture that was written anew from its pixels, beside what was sent (`FileLayout.picture`), and not synced.

    Attributes:
        type: its media type.
        width: pixels.
        height: likewise.
        size_bytes: of the picture.
        sha256: likewise.
        previews: the longer side and the bytes of each smaller copy, the smallest first.
        is_still: false of one that moves: only its smaller copies were written, and the sent bytes stay.
    """

    type: str
    width: int
    height: int
    size_bytes: int
    sha256: bytes
    previews: tuple[tuple[int, int], ...] = ()
    is_still: bool = True


def stored_file(upload: UploadState, size_bytes: int, sha256: bytes) -> StoredFile:
    """Return what an upload becomes whose bytes stay as they came."""
    return StoredFile(FileInfo(upload.file_id, upload.name, size_bytes, media_type(upload.name)), sha256)


def stored_picture(upload: UploadState, picture: RewrittenPicture) -> StoredFile:
    """Return what an upload becomes that was written anew."""
    info = FileInfo(
        upload.file_id, upload.name, picture.size_bytes, picture.type, picture.width, picture.height, _sides(picture)
    )
    return StoredFile(info, picture.sha256, _previews_bytes(picture))


def stored_moving(kept: StoredFile, picture: RewrittenPicture) -> StoredFile:
    """Return what an upload becomes that moves: a file as it came, which is a download, with smaller still copies."""
    info = replace(kept.info, type=picture.type, previews=_sides(picture))
    return StoredFile(info, kept.sha256, _previews_bytes(picture))


def _sides(picture: RewrittenPicture) -> list[int]:
    return [side for side, _ in picture.previews]


def _previews_bytes(picture: RewrittenPicture) -> int:
    return sum(size_bytes for _, size_bytes in picture.previews)
