"""Uploads on the disk: bytes are appended, and at the end they become a finished file, durably.

Before a byte beyond a multiple of `SYNC_BYTES` is written, everything before it is synced, and so is the name of the
file, once. So a sync never takes longer than one of that much, and the length of a file that a power cut left tells how
much of it is durable: all up to the last multiple before its end (`recovery` cuts the rest away).

The end of an upload has one moment that decides: when its sidecar, which then has the `StoredFile`, is replaced and
synced. Before it every byte of the file and of its smaller copies is synced; after it they are given their final
names, which a start after a crash does as well (`FinishedFiles.move_in`). Only then is the upload answered.

A failed sync costs one upload, and the server goes on, unlike with the log: nothing of an upload was acknowledged to
be durable before its end, so it is discarded, and its sender is told to begin anew. Where a call fails without a sync,
for want of space for instance, what it has written is cut off again, and the sender may go on later.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.model import StoredFile
from securechat.pictures.kinds import HEAD_BYTES, kind_of
from securechat.records.files import UploadState
from securechat.storage.files.boot import note_boot
from securechat.storage.files.file_system import FileSystem
from securechat.storage.files.finished import FinishedFiles
from securechat.storage.files.layout import FileLayout, new_name
from securechat.storage.files.pictures import (
    RewrittenPicture,
    stored_file,
    stored_moving,
    stored_picture,
)
from securechat.storage.files.sidecar import encode_sidecar
from securechat.storage.files.steps import (
    STEP_BYTES,
    DiskSteps,
    SyncFailed,
    refusal_of,
    replace_synced,
    sync_names,
    unlink_if_there,
)
from securechat.text.refusals import refusal_for

SYNC_BYTES = 4 * 1024 * 1024
"""A commit of the log beside a sync of 5 MiB took 2 ms, 5.6 ms at p99; 0.25 ms alone."""
OPEN_UPLOADS = 16
"""Descriptors kept between two writes: those of the uploads that were written last."""


class _Upload:
    """An upload that this process knows.

    Attributes:
        state: as its sidecar has it.
        length: bytes that are there.
        synced: of them, those that are durable.
        hasher: of the first ``hashed`` bytes.
        hashed: less than ``length`` after a restart: then the file is read again at its end.
        is_named: whether the name of its file is durable; after a restart that is not known.
        is_moved: whether its file has the final name.
        refusal: why it could not be begun; each write tries again.
    """

    __slots__ = ("hashed", "hasher", "is_moved", "is_named", "length", "refusal", "state", "synced")

    def __init__(self, state: UploadState) -> None:
        self.state = state
        self.length = state.offset
        self.synced = 0
        self.hasher = hashlib.sha256()
        self.hashed = 0
        self.is_named = False
        self.is_moved = state.stored is not None
        self.refusal: Refusal | None = None


class UploadFiles:
    """The uploads of one data directory.

    Args:
        layout: where they are.
        system: the file system.
        finished: the finished files.
        sync_bytes: between two syncs of an upload.
        on_trouble: told of an error that the operator should know, with what failed.
    """

    def __init__(
        self,
        layout: FileLayout,
        system: FileSystem,
        finished: FinishedFiles,
        sync_bytes: int,
        on_trouble: Callable[[str, OSError], None] = lambda *_: None,
    ) -> None:
        self._layout = layout
        self._system = system
        self._finished = finished
        self._sync_bytes = sync_bytes
        self._on_trouble = on_trouble
        self._uploads: dict[str, _Upload] = {}
        self._has_folders = False
        self._descriptors: OrderedDict[str, int] = OrderedDict()

    def adopt(self, uploads: Sequence[UploadState]) -> None:
        """Go on with uploads that an earlier process left; the part before their last multiple is durable."""
        for state in uploads:
            self._uploads[state.file_id] = _Upload(state)

    # --- The way of an upload -------------------------------------------------------------------------------------

    def create(self, state: UploadState) -> DiskSteps[None]:
        """Begin an upload durably; see `FileDisk.create`. What failed is tried again with the first bytes."""
        upload = self._uploads[state.file_id] = _Upload(replace(state, offset=0))
        with suppress(Refusal):
            yield from self._begin(upload)

    def write(self, file_id: str, offset: int, data: bytes) -> DiskSteps[None]:
        """Append to an upload; see `FileDisk.write`.

        Raises:
            Refusal: nothing of ``data`` is there.
        """
        upload = yield from self._begun(file_id)
        end = offset + len(data)
        if upload.state.stored is not None or offset != upload.length or end > upload.state.size_bytes:
            raise refusal_for("file_not_stored")
        with self._judged(upload, "an upload could not be written"):
            try:
                for at, until in _pieces(offset, end, self._sync_bytes):
                    if at % self._sync_bytes == 0 and at > upload.synced:
                        self._sync(upload)
                        upload.synced = at
                        yield
                        yield from self._sync_name(upload)
                    self._system.write(self._descriptor(file_id), at, data[at - offset : until - offset])
            except OSError:
                self._cut_back(upload)
                raise
        upload.length = end
        if upload.hashed == offset:
            upload.hasher.update(data)
            upload.hashed = end

    def cut(self, file_id: str, offset: int) -> DiskSteps[None]:
        """Take bytes off the end, durably; see `FileDisk.cut`.

        Durably, because others may come in their place: the length that a power cut leaves must not vouch for these.

        Raises:
            Refusal: the upload is as it was.
        """
        upload = self._expect(file_id)
        if upload.state.stored is not None or not 0 <= offset <= upload.length:
            raise refusal_for("file_not_stored")
        with self._judged(upload, "an upload could not be cut"):
            self._system.truncate(self._descriptor(file_id), offset)
            upload.length = offset
            upload.synced = min(upload.synced, offset)
            if upload.hashed > offset:  # what it has hashed is gone: the file is read again at its end
                upload.hasher, upload.hashed = hashlib.sha256(), 0
            yield
            self._sync(upload)

    def note_unjudged(self, file_id: str, offset: int | None) -> DiskSteps[None]:
        """Note in the sidecar, durably, which bytes are not judged yet; see `FileDisk.note_unjudged`.

        Raises:
            Refusal: the sidecar is as it was.
        """
        upload = yield from self._begun(file_id)
        if upload.state.stored is not None:
            raise refusal_for("file_not_stored")
        state = replace(upload.state, unjudged_from=offset)
        with self._judged(upload, "an upload could not be noted as unjudged"):
            yield from replace_synced(self._system, self._layout.sidecar(file_id), encode_sidecar(state))
            upload.state = state
            yield
            sync_names(self._system, self._layout.incoming)

    def is_picture(self, file_id: str) -> bool:
        """Return whether a whole upload begins as a picture that the server writes anew.

        Raises:
            Refusal: it is not whole, not known, or cannot be read.
        """
        upload = self._expect_whole(file_id)
        if upload.state.stored is not None:
            return False
        with self._judged(upload, "an upload could not be read"):
            return kind_of(self._system.read(self._descriptor(file_id), 0, HEAD_BYTES)) is not None

    def finish(self, state: UploadState, picture: RewrittenPicture | None) -> DiskSteps[StoredFile]:
        """End a whole upload; see `FileDisk.finish`.

        Args:
            state: the upload, as its sender wants it now.
            picture: what is kept of it instead, where it is a picture that was written anew.

        Raises:
            Refusal: nothing has the final name; or it has, and the next attempt answers so.
        """
        stored = None
        try:
            upload = self._expect_whole(state.file_id)
            with self._judged(upload, "an upload could not be finished"):
                stored = upload.state.stored or (yield from self._decide(upload, state, picture))
        finally:
            if stored is None:  # the copies of a picture belong to this attempt
                self._unlink_copies(state.file_id, _copies(picture))
        with self._judged(upload, "an upload could not be finished"):
            if not upload.is_moved:
                yield from self._finished.move_in(stored)
                upload.is_moved = True
        return stored

    def mark_unreadable(self, file_id: str) -> DiskSteps[None]:
        """Note in the sidecar that an upload is a picture that cannot be read; a note that is lost is made again."""
        upload = self._uploads.get(file_id)
        if upload is None or upload.state.stored is not None:
            return
        upload.state = replace(upload.state, unreadable=True, unjudged_from=None)
        with suppress(OSError):
            yield from replace_synced(self._system, self._layout.sidecar(file_id), encode_sidecar(upload.state))

    def discard(self, file_id: str) -> DiskSteps[None]:
        """Give an upload up; see `FileDisk.discard`.

        The sidecar goes first, durably: what a crash leaves of the rest belongs to no upload, and is swept.
        """
        upload = self._uploads.pop(file_id, None)
        self._close(file_id)
        layout = self._layout
        stored = None if upload is None else upload.state.stored
        sizes = [] if stored is None else stored.info.previews
        try:
            if unlink_if_there(self._system, layout.sidecar(file_id)):
                sync_names(self._system, layout.incoming)
        except OSError as error:
            self._on_trouble("an upload could not be removed", error)
        except SyncFailed as failed:
            self._on_trouble("an upload could not be removed", failed.error)
        yield
        for path in (layout.upload(file_id), new_name(layout.sidecar(file_id))):
            with suppress(OSError):  # swept at the next start
                unlink_if_there(self._system, path)
        self._unlink_copies(file_id, (None, *sizes))
        yield
        if upload is None or stored is not None:
            yield from self._finished.remove(file_id)

    def settle(self, file_id: str) -> None:
        """Drop the sidecar; see `FileDisk.settle`. One that is still there at the next start goes then."""
        self._uploads.pop(file_id, None)
        self._close(file_id)
        try:
            unlink_if_there(self._system, self._layout.sidecar(file_id))
        except OSError as error:
            self._on_trouble("the sidecar of an upload could not be removed", error)

    def settle_all(self, file_ids: Sequence[str]) -> None:
        """Drop the sidecars of files that are unlinked next, durably: none comes back as an upload."""
        for file_id in file_ids:
            self.settle(file_id)
        with suppress(OSError):
            self._system.sync_directory(self._layout.incoming)

    def close(self) -> None:
        """Close all descriptors; uploads go on with the next process."""
        for file_id in tuple(self._descriptors):
            self._close(file_id)

    # --- The beginning of an upload -------------------------------------------------------------------------------

    def _begin(self, upload: _Upload) -> DiskSteps[None]:
        """Write the sidecar of a new upload, durably.

        Raises:
            Refusal: the upload has none; after a failed sync it is discarded.
        """
        try:
            with self._judged(upload, "an upload could not be begun"):
                self._make_folders()
                yield
                sidecar = self._layout.sidecar(upload.state.file_id)
                yield from replace_synced(self._system, sidecar, encode_sidecar(upload.state))
                yield
                sync_names(self._system, self._layout.incoming)
        except Refusal as refusal:
            upload.refusal = refusal
            raise
        upload.refusal = None

    def _begun(self, file_id: str) -> DiskSteps[_Upload]:
        """Return an upload that has a sidecar.

        Its address was told before the disk had it. So where that failed it is begun now: there may be space again,
        and a sender who is told to try later must not be refused until the upload is over.

        Raises:
            Refusal: it is not known, or still cannot be begun.
        """
        upload = self._uploads.get(file_id)
        if upload is not None and upload.refusal is not None:
            yield from self._begin(upload)
        return self._expect(file_id)

    # --- The end of an upload -------------------------------------------------------------------------------------

    def _decide(self, upload: _Upload, state: UploadState, picture: RewrittenPicture | None) -> DiskSteps[StoredFile]:
        """Make all bytes durable, and then the sidecar that says what the upload has become."""
        file_id = state.file_id
        if picture is None:
            stored = stored_file(state, upload.length, (yield from self._make_durable(upload)))
        elif picture.is_still:
            stored = stored_picture(state, picture)
        else:
            stored = stored_moving(stored_file(state, upload.length, (yield from self._make_durable(upload))), picture)
        self._close(file_id)
        decided = replace(state, offset=upload.length, stored=stored, unreadable=False, unjudged_from=None)
        yield from self._sync_copies(file_id, picture)
        self._finished.make_folder(file_id)
        yield
        yield from replace_synced(self._system, self._layout.sidecar(file_id), encode_sidecar(decided))
        upload.state, upload.is_moved = decided, False
        yield
        sync_names(self._system, self._layout.incoming)
        yield
        return stored

    def _sync_copies(self, file_id: str, picture: RewrittenPicture | None) -> DiskSteps[None]:
        """Sync what the picture worker wrote."""
        for size in _copies(picture):
            descriptor = self._system.open(self._layout.picture(file_id, size), writing=True)
            try:
                self._system.sync(descriptor)
            finally:
                self._system.close(descriptor)
            yield

    def _unlink_copies(self, file_id: str, sizes: Iterable[int | None]) -> None:
        for size in sizes:
            with suppress(OSError):  # swept at the next start
                unlink_if_there(self._system, self._layout.picture(file_id, size))

    def _make_durable(self, upload: _Upload) -> DiskSteps[bytes]:
        """Sync the bytes that are kept as they came, and return their SHA-256."""
        descriptor = self._descriptor(upload.state.file_id)
        if self._system.size(descriptor) != upload.length:  # what could not be cut off when a write failed
            self._system.truncate(descriptor, upload.length)
        if upload.hashed != upload.length:
            upload.hasher = hashlib.sha256()
            for offset in range(0, upload.length, STEP_BYTES):
                most_bytes = min(STEP_BYTES, upload.length - offset)
                upload.hasher.update(self._system.read(descriptor, offset, most_bytes))
                yield
            upload.hashed = upload.length
        self._sync(upload)
        yield
        return upload.hasher.digest()

    # --- Errors ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _judged(self, upload: _Upload, what: str) -> Iterator[None]:
        """Turn an error into the answer; after a failed sync the upload is discarded."""
        try:
            yield
        except OSError as error:
            raise self._refuse(what, error) from error
        except SyncFailed as failed:
            self._on_trouble(what, failed.error)
            for _ in self.discard(upload.state.file_id):
                pass
            raise refusal_for("upload_unknown") from failed

    def _refuse(self, what: str, error: OSError) -> Refusal:
        self._on_trouble(what, error)
        return refusal_of(error)

    def _sync(self, upload: _Upload) -> None:
        try:
            self._system.sync(self._descriptor(upload.state.file_id))
        except OSError as error:
            raise SyncFailed(error) from error

    def _sync_name(self, upload: _Upload) -> DiskSteps[None]:
        """Make the name of a file durable once: without it a power cut takes bytes that are synced."""
        if not upload.is_named:
            sync_names(self._system, self._layout.incoming)
            upload.is_named = True
            yield

    def _cut_back(self, upload: _Upload) -> None:
        """Cut off what a failed write has written; what stays is written over by the next one."""
        upload.synced = min(upload.synced, upload.length)
        with suppress(OSError):
            self._system.truncate(self._descriptor(upload.state.file_id), upload.length)

    def _expect(self, file_id: str) -> _Upload:
        upload = self._uploads.get(file_id)
        if upload is None:
            raise refusal_for("upload_unknown")
        if upload.refusal is not None:
            raise upload.refusal
        return upload

    def _expect_whole(self, file_id: str) -> _Upload:
        upload = self._expect(file_id)
        if upload.state.stored is None and upload.length != upload.state.size_bytes:
            raise refusal_for("upload_not_whole")
        return upload

    # --- Descriptors ----------------------------------------------------------------------------------------------

    def _make_folders(self) -> None:
        """Make the folder of uploads, and sync it once a process: an earlier one may have been killed before that."""
        if self._has_folders:
            return
        layout = self._layout
        self._system.make_directory(layout.directory)
        sync_names(self._system, layout.directory.parent)
        if self._system.make_directory(layout.incoming):
            note_boot(self._system, layout)
        self._system.close(self._system.open(layout.backup_lock, writing=True))
        sync_names(self._system, layout.directory)
        self._has_folders = True

    def _descriptor(self, file_id: str) -> int:
        descriptor = self._descriptors.get(file_id)
        if descriptor is None:
            if len(self._descriptors) >= OPEN_UPLOADS:
                self._close(next(iter(self._descriptors)))
            descriptor = self._descriptors[file_id] = self._system.open(self._layout.upload(file_id), writing=True)
        self._descriptors.move_to_end(file_id)
        return descriptor

    def _close(self, file_id: str) -> None:
        descriptor = self._descriptors.pop(file_id, None)
        if descriptor is not None:
            with suppress(OSError):
                self._system.close(descriptor)


def _copies(picture: RewrittenPicture | None) -> list[int | None]:
    """Return what the picture worker wrote, by the size of the copy; None is the picture itself."""
    if picture is None:
        return []
    return [*([None] if picture.is_still else []), *(side for side, _ in picture.previews)]


def _pieces(start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    """Cut a range at the multiples of a step."""
    while start < end:
        until = min(end, (start // step + 1) * step)
        yield start, until
        start = until
