"""The row of a file: what it is written from, how it is read with its message, and its checksum.

The checksum covers every column and the number of the message, so that a damaged row is never shown as a file of this
message: the message is shown without it, and reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgspec

from securechat.model import Draft, FileInfo, StoredFile

COLUMNS = (
    "seq", "place", "file_id", "sender_id", "name", "size_bytes", "sha256", "type", "width", "height", "previews",
    "kept_bytes", "checksum",
)  # fmt: skip
FILES_OF_MESSAGE = """(SELECT json_group_array(json_array(place, file_id, f.sender_id, f.name, size_bytes, hex(sha256),
        type, width, height, previews, kept_bytes, f.checksum))
    FROM (SELECT * FROM files WHERE seq = messages.seq ORDER BY place) AS f HAVING count(*) > 0)"""
"""The files of ``messages``, in order, in the form that `whole_files` reads; NULL where there are none."""

FileColumns = list[Any]
"""A row as it is read: any type may stand anywhere where the disk is damaged, which the checksum tells."""

_encode = msgspec.json.Encoder().encode
_sides = msgspec.json.Decoder(list[int]).decode


def rows_of(draft: Draft, seq: int) -> list[tuple[Any, ...]]:
    """Return the rows of a message's files, in the order of COLUMNS."""
    rows = []
    for place, stored in enumerate(draft.files):
        info = stored.info
        previews = _encode(info.previews).decode()
        columns = (
            place, info.id, draft.sender_id, info.name, info.size, stored.sha256.hex().upper(), info.type, info.width,
            info.height, previews, stored.kept_bytes,
        )  # fmt: skip
        checksum = file_checksum(seq, columns)
        rows.append((seq, *columns[:5], stored.sha256, *columns[6:], checksum))
    return rows


def file_checksum(seq: int, columns: Sequence[Any]) -> int:
    """Return the checksum of a row by its columns from ``place`` to ``kept_bytes``; the SHA-256 is in hexadecimal."""
    return crc32(_encode((seq, *columns)))


def whole_files(seq: int, rows: Sequence[FileColumns]) -> list[StoredFile]:
    """Return the files of a message whose rows are not damaged, in order."""
    return [_file_of(*row[:-1]) for row in rows if row[-1] == file_checksum(seq, row[:-1])]


def _file_of(
    _place: int, file_id: str, _sender_id: int, name: str, size_bytes: int, sha256: str, media_type: str,
    width: int, height: int, previews: str, kept_bytes: int,
) -> StoredFile:  # fmt: skip
    info = FileInfo(file_id, name, size_bytes, media_type, width, height, _sides(previews))
    return StoredFile(info, bytes.fromhex(sha256), kept_bytes - size_bytes)
