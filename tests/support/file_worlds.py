"""A log, uploads and their deletion over a file system that loses power: what was promised, and whether it is kept."""

from __future__ import annotations

import hashlib
import random
from copy import copy
from pathlib import Path

from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.model import StoredFile
from securechat.records.files import UploadState
from securechat.storage.files.layout import PREFIXES, is_sidecar
from securechat.storage.files.pictures import RewrittenPicture
from securechat.storage.files.steps import run
from securechat.storage.files.store import FileStore
from securechat.testing.lossy_files import LossyFileSystem

ROOT = Path("/memory")
SYNC_BYTES = 1024
"""Small, so that an upload of some KiB has several syncs."""
SIDES = (320, 1600)


def bytes_of(seed: int, size_bytes: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def state_of(number: int, data: bytes, name: str = "notes.txt", *, as_file: bool = False) -> UploadState:
    file_id = f"{number:032x}"
    return UploadState(file_id, f"key{number}", 7, name, len(data), as_file, 1, 2)


class FileWorld:
    """One process after the other over what the last one left.

    The log is durable at once: promise 1 has tests of its own.
    """

    def __init__(self) -> None:
        self.system = LossyFileSystem(ROOT)
        self.sent: dict[str, bytes] = {}  # what each sender has
        self.kept: dict[str, int] = {}  # bytes of each upload that no cut so far may have taken
        self.finished: dict[str, StoredFile] = {}  # acknowledged, by the answer to the last byte
        self.given_up: set[str] = set()  # a discard was asked for; it is over when the next thing is asked
        self.discarded: set[str] = set()
        self.rows: dict[str, StoredFile] = {}  # the log: messages with files
        self.gone: set[str] = set()  # the log: of messages that are deleted, and not unlinked yet
        self.dropped: set[str] = set()  # the log was told that they are off the disk
        self.contents: dict[str, dict[int | None, bytes]] = {}
        self.begin()

    def begin(self) -> None:
        """A process."""
        self.store = FileStore(ROOT, self.system, sync_bytes=SYNC_BYTES)

    def after(self, system: LossyFileSystem) -> FileWorld:
        """The same promises over what is left of the disk."""
        other = copy(self)
        for name in ("sent", "kept", "finished", "given_up", "discarded", "rows", "gone", "dropped", "contents"):
            setattr(other, name, getattr(self, name).copy())
        other.system = system
        if system.boot_id() != self.system.boot_id():
            other.kept = {file_id: durable_bytes(length) for file_id, length in self.kept.items()}
        return other

    # --- What a server does ---------------------------------------------------------------------------------------

    def create(self, state: UploadState, data: bytes) -> None:
        self.sent[state.file_id] = data
        run(self.store.uploads.create(state))

    def write(self, state: UploadState, start: int, end: int, piece: int = 700) -> None:
        data = self.sent[state.file_id]
        while start < end:
            until = min(end, start + piece)
            run(self.store.uploads.write(state.file_id, start, data[start:until]))
            self.kept[state.file_id] = start = until

    def finish(self, state: UploadState, *, rewritten: bool = False, still: bool = True) -> StoredFile:
        self.kept.pop(state.file_id, None)  # within its end the power may take its only name
        picture = self.rewrite(state, still=still) if rewritten else None
        if picture is None:
            self.contents[state.file_id] = {None: self.sent[state.file_id]}
        stored = run(self.store.uploads.finish(state, picture))
        self.finished[state.file_id] = stored
        return stored

    def rewrite(self, state: UploadState, *, still: bool = True) -> RewrittenPicture:
        """The picture worker: it writes, and syncs nothing."""
        copies = {size: bytes_of(hash((state.file_id, size)), 900) for size in (None, *SIDES)}
        for size, data in copies.items():
            if size is None and not still:
                continue
            descriptor = self.system.open(self.store.layout.picture(state.file_id, size), writing=True)
            self.system.write(descriptor, 0, data)
            self.system.close(descriptor)
        sha256 = hashlib.sha256(copies[None]).digest()
        if not still:
            copies[None] = self.sent[state.file_id]
        self.contents[state.file_id] = copies
        previews = tuple((side, len(copies[side])) for side in SIDES)
        return RewrittenPicture("image/jpeg", 40, 30, len(copies[None]), sha256, previews, still)

    def commit(self, state: UploadState) -> None:
        self.rows[state.file_id] = self.finished[state.file_id]

    def settle(self, state: UploadState) -> None:
        self.store.uploads.settle(state.file_id)

    def discard(self, state: UploadState) -> None:
        self.given_up.add(state.file_id)
        run(self.store.uploads.discard(state.file_id))
        self.discarded.add(state.file_id)

    def delete(self, state: UploadState) -> None:
        """The message is deleted, and its file is unlinked."""
        del self.rows[state.file_id]
        self.gone.add(state.file_id)
        self.unlink_gone()

    def unlink_gone(self) -> None:
        off = set(run(self.store.unlink(sorted(self.gone))))
        self.gone -= off
        self.dropped |= off

    # --- A start --------------------------------------------------------------------------------------------------

    def start(self) -> dict[str, UploadState]:
        """Load the uploads and sweep, as the table in the design document says."""
        self.begin()
        uploads = {each.file_id: each for each in run(self.store.load())}
        for file_id in [each for each in uploads if each in self.rows or each in self.gone]:
            self.store.uploads.settle(file_id)
            del uploads[file_id]
        for prefix in self._folders():
            listing = self.store.finished.in_folder(prefix)
            assert listing is not None
            orphans = [each for each in (*listing.whole, *listing.remains) if each not in self.rows]
            if orphans:
                run(self.store.unlink(orphans))
        self.unlink_gone()
        return uploads

    # --- What was promised ----------------------------------------------------------------------------------------

    def check(self, uploads: dict[str, UploadState]) -> None:
        """Every acknowledged file is whole, nothing else has a final name, and nothing belongs to no one."""
        layout = self.store.layout
        for file_id, stored in self.rows.items():
            self._check_whole(file_id, stored)
        for file_id, stored in self.finished.items():
            if file_id not in self.rows and file_id not in self.gone | self.dropped | self.given_up:
                assert file_id in uploads, "a finished upload was acknowledged, and is lost"
                assert uploads[file_id].stored == stored, "a finished upload was acknowledged, and is lost"
                self._check_whole(file_id, stored)
        final = {name for prefix in self._folders() for name in self._names(layout.directory / prefix)}
        allowed: set[str] = set()
        for file_id, stored in self.rows.items():
            allowed |= names_of(file_id, stored)
        for file_id, upload in uploads.items():
            assert file_id not in self.discarded | self.dropped, "what was removed has come back"
            if upload.stored is not None:
                allowed |= names_of(file_id, upload.stored)
                self._check_whole(file_id, upload.stored)
            else:
                here = self.system.content(layout.upload(file_id)) or b""
                assert len(here) == upload.offset
                assert upload.offset >= self.kept.get(file_id, 0), "an upload has lost synced bytes"
                assert here == self.sent[file_id][: upload.offset], "an upload goes on behind damaged bytes"
        assert final == allowed, "a file has a final name that is in no record, or is missing"
        incoming = self._names(layout.incoming)
        unfinished = {file_id for file_id, upload in uploads.items() if upload.stored is None}
        assert {name for name in incoming if is_sidecar(name)} == {f"{file_id}.json" for file_id in uploads}
        assert {name for name in incoming if not is_sidecar(name)} <= unfinished, "an orphan among the uploads"

    def go_on(self, uploads: dict[str, UploadState]) -> None:
        """Each sender sends the rest, from the offset that the server names."""
        for file_id, upload in uploads.items():
            if upload.stored is not None:
                continue
            self.write(upload, upload.offset, upload.size_bytes)
            stored = self.finish(upload)
            assert stored.sha256 == hashlib.sha256(self.sent[file_id]).digest()
            uploads[file_id] = replace(upload, stored=stored)

    def _folders(self) -> list[str]:
        return [each for each in self._names(self.store.layout.directory) if each in PREFIXES]

    def _names(self, path: Path) -> list[str]:
        try:
            return self.system.names(path)
        except FileNotFoundError:
            return []

    def _check_whole(self, file_id: str, stored: StoredFile) -> None:
        main = self.system.content(self.store.layout.file(file_id))
        assert main is not None, "an acknowledged file is missing"
        assert hashlib.sha256(main).digest() == stored.sha256, "an acknowledged file is damaged"
        for side in stored.info.previews:
            assert self.system.content(self.store.layout.file(file_id, side)) == self.contents[file_id][side]


def durable_bytes(length: int) -> int:
    """Return how much of an upload of some length is there after a power cut that took everything unsynced.

    What is left then ends at a multiple, and a length vouches for what is before the last multiple before its end.
    """
    return max(0, (length - 1) // SYNC_BYTES - 1) * SYNC_BYTES


def names_of(file_id: str, stored: StoredFile) -> set[str]:
    return {file_id, *(f"{file_id}.{side}" for side in stored.info.previews)}


def refused(call: object) -> str:
    """Return the reason of the refusal that some steps end with."""
    try:
        run(call)
    except Refusal as refusal:
        return refusal.reason
    raise AssertionError("it was not refused")
