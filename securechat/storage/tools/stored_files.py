"""The files of messages, from outside their server: what a snapshot says of them, and whether the disk has them.

They are read as the database has them, row by row; `integrity` says which rows are damaged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

import apsw
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from securechat.files import open_regular
from securechat.records.files import UploadState
from securechat.storage.files.file_system import LocalFileSystem
from securechat.storage.files.finished import FinishedFiles
from securechat.storage.files.layout import PREFIXES, FileLayout, id_of, is_sidecar
from securechat.storage.files.sidecar import SIDECAR_BYTES, decode_sidecar
from securechat.storage.files.steps import read_whole
from securechat.storage.sqlite.loss import unreadable
from securechat.storage.tools.backup import Snapshot

_SINCE = 10
"""The schema version that added files."""
_CHUNK_BYTES = 1 << 20
_FILES = "SELECT file_id, seq, name, size_bytes, sha256, previews, kept_bytes FROM files ORDER BY file_id"
_KNOWN = """
SELECT 1 FROM files WHERE file_id = :file_id UNION ALL SELECT 2 FROM gone_files WHERE file_id = :file_id LIMIT 1
"""
_BY_SENDER = """
SELECT u.sender_id, ifnull(a.name, s.name), u.files, u.kept_bytes, u.gone_bytes FROM (
    SELECT sender_id, sum(files) AS files, sum(kept_bytes) AS kept_bytes, sum(gone_bytes) AS gone_bytes
    FROM (
        SELECT sender_id, count(*) AS files, sum(kept_bytes) AS kept_bytes, 0 AS gone_bytes
        FROM files GROUP BY sender_id
        UNION ALL SELECT sender_id, 0, 0, sum(kept_bytes) FROM gone_files GROUP BY sender_id
        UNION ALL SELECT value, 0, 0, 0 FROM json_each(:uploaders))
    GROUP BY sender_id) AS u
LEFT JOIN senders AS s USING (sender_id) LEFT JOIN accounts AS a USING (sender_id)
ORDER BY u.kept_bytes + u.gone_bytes DESC, u.sender_id
"""
_BY_ROOM = """
SELECT c.room, count(*), sum(f.kept_bytes) FROM files AS f
JOIN messages AS m USING (seq) JOIN conversations AS c USING (conversation)
GROUP BY c.room ORDER BY sum(f.kept_bytes) DESC, c.room
"""
_sides = msgspec.json.Decoder(list[int]).decode


class RecordedFile(Struct, frozen=True, gc=False):
    """A file that a message shows.

    Attributes:
        file_id: the file.
        seq: its message.
        name: as it is shown.
        size_bytes: of the file.
        sha256: likewise.
        previews: the longer sides of its smaller copies, pixels.
        kept_bytes: with them.
    """

    file_id: str
    seq: int
    name: str
    size_bytes: int
    sha256: bytes
    previews: list[int]
    kept_bytes: int

    @property
    def sizes(self) -> list[int | None]:
        """The file itself (None), and its smaller copies."""
        return [None, *self.previews]


class SenderFiles(Struct, frozen=True, gc=False):
    """What one sender keeps.

    Attributes:
        sender_id: the sender.
        name: its account's, or the one that it had last.
        files: how many its messages show.
        kept_bytes: of them, with smaller copies.
        gone_bytes: of those that are deleted and not unlinked yet.
        uploads: how many no message has, finished or not.
        uploads_bytes: of them, as they count against the quota.
    """

    sender_id: int
    name: str | None
    files: int
    kept_bytes: int
    gone_bytes: int
    uploads: int = 0
    uploads_bytes: int = 0


class RoomFiles(Struct, frozen=True, gc=False):
    """What one room keeps; None stands for all dialogues together."""

    room: str | None
    files: int
    kept_bytes: int


class FileState(Enum):
    """What the disk has of a file that a message shows."""

    WHOLE = "whole"
    MISSING = "missing"
    DAMAGED = "damaged"


class FileComparison(Struct, frozen=True):
    """The disk, held against the database.

    Attributes:
        looked_at: files that messages show.
        missing: those of which the file or a smaller copy is not there.
        damaged: those that have another size or SHA-256, or cannot be read.
        surplus: ids of files that no message shows.
    """

    looked_at: int
    missing: list[RecordedFile]
    damaged: list[RecordedFile]
    surplus: list[str]


def recorded_files(snapshot: Snapshot) -> list[RecordedFile]:
    """Return the files that messages show, by id.

    Raises:
        LogError: the database cannot be read.
    """
    rows = _ask(snapshot, _FILES)
    return [
        RecordedFile(file_id, seq, name, size_bytes, sha256, _sides_of(previews), kept_bytes)
        for file_id, seq, name, size_bytes, sha256, previews, kept_bytes in rows
    ]


def files_by_sender(snapshot: Snapshot, layout: FileLayout) -> list[SenderFiles]:
    """Return what each sender keeps, the most first; with the uploads that no message has, from their sidecars.

    Raises:
        LogError: the database cannot be read.
    """
    uploads: dict[int, list[int]] = {}
    for upload in _uploads(layout):
        if upload.stored is None or _known(snapshot, upload.file_id) is None:
            counted = upload.size_bytes if upload.stored is None else upload.stored.kept_bytes
            uploads.setdefault(upload.sender_id, []).append(counted)
    asked = {"uploaders": msgspec.json.encode(list(uploads)).decode()}
    rows = [SenderFiles(*row) for row in _ask(snapshot, _BY_SENDER, asked)]
    return [
        replace(row, uploads=len(sizes), uploads_bytes=sum(sizes)) if (sizes := uploads.get(row.sender_id)) else row
        for row in rows
    ]


def _uploads(layout: FileLayout) -> Iterator[UploadState]:
    """The uploads that have a sidecar; those that end meanwhile, or cannot be read, are left out."""
    system = LocalFileSystem()
    try:
        names = system.names(layout.incoming)
    except OSError:
        return
    for name in names:
        file_id = id_of(name)
        if file_id is not None and is_sidecar(name):
            with suppress(OSError):
                upload = decode_sidecar(file_id, read_whole(system, layout.sidecar(file_id), SIDECAR_BYTES))
                if upload is not None:
                    yield upload


def files_by_room(snapshot: Snapshot) -> list[RoomFiles]:
    """Return what each room keeps, the most first.

    Raises:
        LogError: the database cannot be read.
    """
    return [RoomFiles(*row) for row in _ask(snapshot, _BY_ROOM)]


def compare_files(snapshot: Snapshot, layout: FileLayout, progress: Callable[[float], None]) -> FileComparison:
    """Read every file that messages show, and look for others.

    The server may run: what is missing is asked for again at the end, because its message may be deleted meanwhile,
    and so is what no message showed at the beginning.

    Args:
        snapshot: is renewed on the way.
        layout: of the data directory.
        progress: told the share that is done, from 0 to 1.

    Raises:
        LogError: the database cannot be read.
    """
    recorded = recorded_files(snapshot)
    found: dict[FileState, list[RecordedFile]] = {state: [] for state in FileState}
    total = max(1, sum(each.size_bytes for each in recorded))
    done = 0
    for each in recorded:
        found[file_state(layout, each)].append(each)
        done += each.size_bytes
        progress(min(0.99, done / total))
        snapshot.renew()
    known = {each.file_id for each in recorded}
    others = [file_id for file_id in _on_disk(layout) if file_id not in known]
    snapshot.renew()
    missing = [each for each in found[FileState.MISSING] if _known(snapshot, each.file_id) == 1]
    still = set(_on_disk(layout)) if others else set()
    surplus = [file_id for file_id in others if file_id in still and _known(snapshot, file_id) is None]
    progress(1.0)
    return FileComparison(len(recorded), missing, found[FileState.DAMAGED], surplus)


def file_state(layout: FileLayout, recorded: RecordedFile) -> FileState:
    """Return what the disk has of a file."""
    try:
        for side in recorded.previews:
            open_regular(layout.file(recorded.file_id, side)).close()
        with open_regular(layout.file(recorded.file_id)) as file:
            sha256 = hashlib.file_digest(file, "sha256")
    except FileNotFoundError:
        return FileState.MISSING
    except OSError:
        return FileState.DAMAGED
    return FileState.WHOLE if sha256.digest() == recorded.sha256 else FileState.DAMAGED


def copy_file(layout: FileLayout, file_id: str, expected: bytes, target: Path) -> bool:
    """Copy a file under a new name, and hold it against its SHA-256; False, and no copy, when it is not whole.

    Raises:
        OSError: the copy cannot be written.
    """
    try:
        source = open_regular(layout.file(file_id))
    except OSError:
        return False
    sha256 = hashlib.sha256()
    with source, target.open("xb") as copy:
        while chunk := source.read(_CHUNK_BYTES):
            sha256.update(chunk)
            copy.write(chunk)
    if sha256.digest() == expected:
        return True
    target.unlink()
    return False


def _on_disk(layout: FileLayout) -> list[str]:
    """Return the ids of finished files that have no upload."""
    finished = FinishedFiles(layout, LocalFileSystem())
    found: list[str] = []
    for prefix in PREFIXES:
        listing = finished.in_folder(prefix)
        if listing is not None:
            found += [*listing.whole, *listing.remains]
    return found


def _known(snapshot: Snapshot, file_id: str) -> int | None:
    """Return 1 for a file of a message, 2 for one that is to be unlinked."""
    rows = _ask(snapshot, _KNOWN, {"file_id": file_id})
    return None if not rows else int(rows[0][0])


def _ask(snapshot: Snapshot, question: str, bindings: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    if snapshot.schema < _SINCE:
        return []
    try:
        return snapshot.connection.execute(question, bindings or {}).fetchall()
    except apsw.Error as error:
        raise unreadable(snapshot.database, error) from error


def _sides_of(value: object) -> list[int]:
    """Return the previews of a row; none of a damaged one."""
    try:
        return _sides(value) if isinstance(value, str) else []
    except msgspec.DecodeError:
        return []
