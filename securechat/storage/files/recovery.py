"""Takes over the uploads that an earlier process left; see the table in docs/design/0014-files.md.

A sidecar with a `StoredFile` is the decision that every byte was durable: its file is given the final name, if the
crash came before that. Without one the upload goes on, from the length that is there; after another boot from the last
multiple of `uploads.SYNC_BYTES`, because what was not synced may be gone, or zeros. A part whose checksum was not
judged yet is cut off again (`UploadState.unjudged_from`). What has no sidecar was acknowledged to no one, and is swept,
as is a sidecar that is torn or foreign. What cannot be read now is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from securechat.files import NotRegular
from securechat.records.files import UploadState
from securechat.storage.files.boot import is_same_boot, note_boot
from securechat.storage.files.file_system import FileSystem
from securechat.storage.files.finished import FinishedFiles
from securechat.storage.files.layout import FileLayout, id_of, is_sidecar
from securechat.storage.files.sidecar import SIDECAR_BYTES, decode_sidecar, encode_sidecar
from securechat.storage.files.steps import (
    DiskSteps,
    SyncFailed,
    names_if_there,
    read_whole,
    replace_synced,
    size_of,
    unlink_if_there,
)


class Recovery:
    """One start.

    Args:
        layout: where the files are.
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

    def uploads(self) -> DiskSteps[list[UploadState]]:
        """Return the uploads that go on or are finished, with their offsets; everything else in their folder goes."""
        try:
            names = self._system.names(self._layout.incoming)
        except FileNotFoundError:  # no file was ever sent
            return []
        except OSError as error:
            self._on_trouble("the uploads cannot be read", error)
            return []
        trusts_all = is_same_boot(self._system, self._layout)
        uploads: dict[str, UploadState] = {}
        unread: set[str] = set()
        for file_id in sorted({each for name in names if is_sidecar(name) and (each := id_of(name)) is not None}):
            try:
                upload = self._read(file_id)
                if upload is not None:
                    uploads[file_id] = yield from self._recover(upload, trusts_all=trusts_all)
            except OSError as error:
                self._on_trouble("an upload cannot be read", error)
                unread.add(file_id)
            except SyncFailed as failed:
                self._on_trouble("an upload cannot be synced", failed.error)
                unread.add(file_id)
            yield
        for name in names_if_there(self._system, self._layout.incoming):
            if not self._belongs(name, uploads, unread):
                with suppress(OSError):
                    self._system.unlink(self._layout.incoming / name)
                yield
        if not unread:
            note_boot(self._system, self._layout)
        return list(uploads.values())

    def _read(self, file_id: str) -> UploadState | None:
        try:
            data = read_whole(self._system, self._layout.sidecar(file_id), SIDECAR_BYTES)
        except NotRegular:
            return None
        return decode_sidecar(file_id, data)

    def _recover(self, upload: UploadState, *, trusts_all: bool) -> DiskSteps[UploadState]:
        if upload.stored is not None:
            try:
                yield from self._finished.move_in(upload.stored)
            except FileNotFoundError:
                upload = yield from self._begin_anew(upload)
            else:
                return replace(upload, offset=upload.size_bytes)
        else:
            yield from self._finished.remove(upload.file_id)
        size_bytes = size_of(self._system, self._layout.upload(upload.file_id)) or 0
        offset = min(size_bytes, upload.size_bytes)
        if not trusts_all and offset:
            offset = (offset - 1) // self._sync_bytes * self._sync_bytes
        is_unjudged = upload.unjudged_from is not None
        if upload.unjudged_from is not None:
            offset = min(offset, upload.unjudged_from)
        if offset != size_bytes or is_unjudged:
            descriptor = self._system.open(self._layout.upload(upload.file_id), writing=True)
            try:
                self._system.truncate(descriptor, offset)
                if is_unjudged:  # also what an earlier process cut: its length must not vouch for other bytes later
                    self._sync(descriptor)
            finally:
                self._system.close(descriptor)
        return replace(upload, offset=offset)

    def _sync(self, descriptor: int) -> None:
        try:
            self._system.sync(descriptor)
        except OSError as error:
            raise SyncFailed(error) from error

    def _begin_anew(self, upload: UploadState) -> DiskSteps[UploadState]:
        """Go back behind a decision: the power took a name of the file before it was answered."""
        upload = replace(upload, stored=None, unreadable=False, unjudged_from=None)
        yield from replace_synced(self._system, self._layout.sidecar(upload.file_id), encode_sidecar(upload))
        yield from self._finished.remove(upload.file_id)
        unlink_if_there(self._system, self._layout.upload(upload.file_id))
        return upload

    def _belongs(self, name: str, uploads: dict[str, UploadState], unread: set[str]) -> bool:
        """Return whether a name in the folder of uploads stays."""
        file_id = id_of(name)
        if file_id is None or file_id in unread:
            return True
        upload = uploads.get(file_id)
        if upload is None:
            return False
        return is_sidecar(name) or (name == file_id and upload.stored is None)
