"""`MemoryFiles`: a `FileDisk` without a disk and without threads, for the tests of the hub and the simulation.

All work is done in posted callbacks, in order, so the caller that runs them decides how fast the disk is. `abandon`
simulates a crash: what waits is never done, and a new `MemoryFiles` over the same `MemoryFileContents` goes on. What
the real disk may lose with the power is not simulated here: `securechat.testing.lossy_files` does that, below the real
layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.limits import MIB
from securechat.model import StoredFile
from securechat.pictures.kinds import HEAD_BYTES, kind_of
from securechat.records.files import FilesOnDisk, UploadState
from securechat.storage.files.pictures import (
    RewrittenPicture,
    stored_file,
    stored_moving,
    stored_picture,
)
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")


class MemoryPicture(Struct, frozen=True):
    """What a picture is written anew as.

    Attributes:
        data: the picture; None of one that moves: its sent bytes stay.
        previews: smaller copies, by their longer side in pixels.
        type: its media type.
        width: pixels.
        height: likewise.
    """

    data: bytes | None
    previews: dict[int, bytes]
    type: str = "image/jpeg"
    width: int = 4
    height: int = 3

    def record(self) -> RewrittenPicture:
        """Return what the disk knows of it."""
        data = self.data or b""
        previews = tuple((side, len(copy)) for side, copy in sorted(self.previews.items()))
        sha256 = hashlib.sha256(data).digest()
        is_still = self.data is not None
        return RewrittenPicture(self.type, self.width, self.height, len(data), sha256, previews, is_still)


class MemoryFileContents:
    """What is on the disk; several `MemoryFiles` may use it, one after the other.

    Attributes:
        uploads: by id, those that have a sidecar.
        incoming: their bytes, until they are finished.
        stored: the finished files by id; of each its bytes by the size of the copy, None for the file itself.
    """

    def __init__(self) -> None:
        self.uploads: dict[str, UploadState] = {}
        self.incoming: dict[str, bytearray] = {}
        self.stored: dict[str, dict[int | None, bytes]] = {}

    def used_bytes(self) -> int:
        """Return the bytes of all files."""
        growing = sum(map(len, self.incoming.values()))
        return growing + sum(len(data) for copies in self.stored.values() for data in copies.values())


class MemoryFiles:
    """A `securechat.hub.interfaces.FileDisk`.

    Args:
        post: runs a callable later, in order; never at once.
        contents: what is on the disk.
        rewrite: writes a picture anew, given its bytes and name; None: pictures are files.

    Attributes:
        contents: what is on the disk.
        total_bytes: the size of the disk; writes beyond it are refused.
        fails: the next writes and finishes are refused with ``file_not_stored``, as many.
        loses: the next finishes fail in their sync, as many: the upload is gone.
        stuck: ids that cannot be unlinked now.
    """

    def __init__(
        self,
        post: Callable[[Callable[[], None]], None],
        contents: MemoryFileContents | None = None,
        rewrite: Callable[[bytes, str], MemoryPicture | Refusal] | None = None,
    ) -> None:
        self.contents = contents or MemoryFileContents()
        self.total_bytes = 64 * 1024 * MIB
        self.fails = 0
        self.loses = 0
        self.stuck: set[str] = set()
        self._rewrite = rewrite
        self._post_later = post
        self._ended = False

    @property
    def is_busy(self) -> bool:
        """Never: nothing waits here."""
        return False

    @property
    def free_bytes(self) -> int:
        """Free space; see `FileDisk.free_bytes`."""
        return self.total_bytes - self.contents.used_bytes()

    def create(self, upload: UploadState) -> None:
        """Begin an upload; see `FileDisk.create`."""
        self._post(partial(self._create, upload))

    def write(self, file_id: str, offset: int, data: bytes, done: Callable[[Refusal | None], None]) -> None:
        """Append to an upload; see `FileDisk.write`."""
        self._answer(partial(self._write, file_id, offset, data), done)

    def cut(self, file_id: str, offset: int, done: Callable[[Refusal | None], None]) -> None:
        """Take bytes off the end; see `FileDisk.cut`."""
        self._answer(partial(self._cut, file_id, offset), done)

    def note_unjudged(self, file_id: str, offset: int | None, done: Callable[[Refusal | None], None]) -> None:
        """Note which bytes are not judged yet; see `FileDisk.note_unjudged`."""
        self._answer(partial(self._note_unjudged, file_id, offset), done)

    def finish(self, upload: UploadState, done: Callable[[StoredFile | Refusal], None]) -> None:
        """End an upload; see `FileDisk.finish`."""
        self._answer(partial(self._finish, upload), done)

    def discard(self, file_id: str) -> None:
        """Give an upload up; see `FileDisk.discard`."""
        self._post(partial(self._discard, file_id))

    def settle(self, file_id: str) -> None:
        """Drop the sidecar; see `FileDisk.settle`."""
        self._post(lambda: self.contents.uploads.pop(file_id, None))

    def unlink(self, file_ids: Sequence[str], done: Callable[[tuple[str, ...]], None]) -> None:
        """Unlink files; see `FileDisk.unlink`. Those in `stuck` stay."""
        self._post(lambda: done(self._unlink(file_ids)))

    def open(self, file_id: str, size: int | None, done: Callable[[MemoryOpenFile | None], None]) -> None:
        """Open a file; see `FileDisk.open`."""
        self._post(lambda: done(self._open(file_id, size)))

    def load(self, done: Callable[[list[UploadState]], None]) -> None:
        """Read the sidecars; see `FileDisk.load`."""
        self._post(lambda: done(self._load()))

    def list_stored(self, prefix: str, done: Callable[[FilesOnDisk | None], None]) -> None:
        """List the files without an upload; see `FileDisk.list_stored`."""
        self._post(lambda: done(self._list_stored(prefix)))

    def close(self) -> None:
        """Drop what waits; see `FileDisk.close`."""
        self._ended = True

    def abandon(self) -> None:
        """Stop as a killed process does: what waits is never done."""
        self._ended = True

    def _post(self, work: Callable[[], object]) -> None:
        def run() -> None:
            if not self._ended:
                work()

        self._post_later(run)

    def _answer(self, work: Callable[[], _T], done: Callable[[_T | Refusal], None]) -> None:
        def answer() -> None:
            try:
                found: _T | Refusal = work()
            except Refusal as refusal:
                found = refusal
            done(found)

        self._post(answer)

    # --- Each runs in a callback of its own -----------------------------------------------------------------------

    def _create(self, upload: UploadState) -> None:
        self.contents.uploads[upload.file_id] = replace(upload, offset=0)
        self.contents.incoming[upload.file_id] = bytearray()

    def _write(self, file_id: str, offset: int, data: bytes) -> None:
        growing = self.contents.incoming.get(file_id)
        if growing is None:
            raise refusal_for("upload_unknown")
        self._expect_success()
        if offset != len(growing):
            raise refusal_for("file_not_stored")
        if self.free_bytes < len(data):
            raise refusal_for("files_disk_full")
        growing.extend(data)

    def _cut(self, file_id: str, offset: int) -> None:
        growing = self.contents.incoming.get(file_id)
        if growing is None:
            raise refusal_for("upload_unknown")
        self._expect_success()
        del growing[offset:]

    def _note_unjudged(self, file_id: str, offset: int | None) -> None:
        kept = self.contents.uploads.get(file_id)
        if kept is None:
            raise refusal_for("upload_unknown")
        self._expect_success()
        self.contents.uploads[file_id] = replace(kept, unjudged_from=offset)

    def _finish(self, upload: UploadState) -> StoredFile:
        kept = self.contents.uploads.get(upload.file_id)
        if kept is None:
            raise refusal_for("upload_unknown")
        if kept.stored is not None:
            return kept.stored
        data = bytes(self.contents.incoming[upload.file_id])
        if len(data) != upload.size_bytes:
            raise refusal_for("upload_not_whole")
        self._expect_success()
        if self.loses:
            self.loses -= 1
            self._discard(upload.file_id)
            raise refusal_for("upload_unknown")
        picture = self._rewritten(upload, data)
        remaining, stored = data, stored_file(upload, len(data), hashlib.sha256(data).digest())
        if picture is not None and picture.data is not None:
            remaining, stored = picture.data, stored_picture(upload, picture.record())
        elif picture is not None:
            stored = stored_moving(stored, picture.record())
        del self.contents.incoming[upload.file_id]
        copies: dict[int | None, bytes] = {None: remaining}
        self.contents.stored[upload.file_id] = copies
        if picture is not None:
            copies.update(picture.previews.items())
        self.contents.uploads[upload.file_id] = replace(upload, stored=stored, unreadable=False)
        return stored

    def _rewritten(self, upload: UploadState, data: bytes) -> MemoryPicture | None:
        if self._rewrite is None or upload.as_file or kind_of(data[:HEAD_BYTES]) is None:
            return None
        found = self._rewrite(data, upload.name)
        if isinstance(found, Refusal):
            if found.reason == "picture_unreadable":
                self.contents.uploads[upload.file_id] = replace(upload, unreadable=True)
            raise found
        return found

    def _expect_success(self) -> None:
        if self.fails:
            self.fails -= 1
            raise refusal_for("file_not_stored")

    def _discard(self, file_id: str) -> None:
        self.contents.uploads.pop(file_id, None)
        self.contents.incoming.pop(file_id, None)
        self.contents.stored.pop(file_id, None)

    def _unlink(self, file_ids: Sequence[str]) -> tuple[str, ...]:
        gone = tuple(file_id for file_id in file_ids if file_id not in self.stuck)
        for file_id in gone:
            self._discard(file_id)
        return gone

    def _open(self, file_id: str, size: int | None) -> MemoryOpenFile | None:
        data = self.contents.stored.get(file_id, {}).get(size)
        return None if data is None else MemoryOpenFile(data, self._post)

    def _load(self) -> list[UploadState]:
        uploads = self.contents.uploads
        for file_id in [each for each in self.contents.incoming if each not in uploads]:
            del self.contents.incoming[file_id]
        for file_id, upload in uploads.items():
            if upload.stored is None and upload.unjudged_from is not None:
                del self.contents.incoming[file_id][upload.unjudged_from :]
        return [
            replace(upload, offset=upload.size_bytes if upload.stored else len(self.contents.incoming[file_id]))
            for file_id, upload in sorted(uploads.items())
        ]

    def _list_stored(self, prefix: str) -> FilesOnDisk:
        contents = self.contents
        found = sorted(each for each in contents.stored if each.startswith(prefix))
        whole = tuple(each for each in found if each not in contents.uploads)
        return FilesOnDisk(whole, unsettled=tuple(each for each in found if each in contents.uploads))


class MemoryOpenFile:
    """A `securechat.hub.interfaces.OpenFile`."""

    def __init__(self, data: bytes, post: Callable[[Callable[[], object]], None]) -> None:
        self.size_bytes = len(data)
        self.is_closed = False
        self._data = data
        self._post = post

    def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
        """Read from an offset; see `OpenFile.read`."""
        found = self._data[offset : offset + most_bytes]

        def answer() -> None:
            if not self.is_closed:
                done(found)

        self._post(answer)

    def close(self) -> None:
        """Close it; see `OpenFile.close`."""
        self.is_closed = True
