"""`FileStore`: the files of one data directory, as blocking steps without a thread.

Every method belongs to one thread at a time. See `uploads`, `finished` and `recovery` for the rules of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from securechat.records.files import UploadState
from securechat.storage.files.file_system import FileSystem, LocalFileSystem
from securechat.storage.files.finished import FinishedFiles
from securechat.storage.files.layout import FileLayout
from securechat.storage.files.recovery import Recovery
from securechat.storage.files.steps import DiskSteps
from securechat.storage.files.uploads import SYNC_BYTES, UploadFiles


class FileStore:
    """The files of a data directory.

    Args:
        data: the data directory.
        system: the file system; that of this machine by default.
        on_trouble: told of an error that the operator should know, with what failed.
        sync_bytes: between two syncs of an upload; the same for every process that uses the directory.

    Attributes:
        layout: where the files are.
        finished: those that have their final names.
        uploads: those that have a sidecar.
    """

    def __init__(
        self,
        data: Path,
        system: FileSystem | None = None,
        on_trouble: Callable[[str, OSError], None] = lambda *_: None,
        sync_bytes: int = SYNC_BYTES,
    ) -> None:
        self._sync_bytes = sync_bytes
        self._system = system or LocalFileSystem()
        self._on_trouble = on_trouble
        self.layout = FileLayout(data)
        self.finished = FinishedFiles(self.layout, self._system)
        self.uploads = UploadFiles(self.layout, self._system, self.finished, sync_bytes, on_trouble)

    def load(self) -> DiskSteps[list[UploadState]]:
        """Take over what an earlier process left; see `FileDisk.load`."""
        with suppress(OSError):  # a restored directory may have none; without any folder there is nothing to lock
            self._system.close(self._system.open(self.layout.backup_lock, writing=True))
        recovery = Recovery(self.layout, self._system, self.finished, self._sync_bytes, self._on_trouble)
        uploads = yield from recovery.uploads()
        self.uploads.adopt(uploads)
        return uploads

    def unlink(self, file_ids: Sequence[str]) -> DiskSteps[tuple[str, ...]]:
        """Unlink files of messages that are gone; see `FileDisk.unlink`."""
        self.uploads.settle_all(file_ids)
        yield
        return (yield from self.finished.unlink(file_ids))

    def read(self, descriptor: int, offset: int, most_bytes: int) -> bytes | None:
        """Read from an open file; None when it cannot be read."""
        try:
            return self._system.read(descriptor, offset, most_bytes)
        except OSError:
            return None

    def close_file(self, descriptor: int) -> None:
        """Close a file that was opened for reading."""
        self._system.close(descriptor)
