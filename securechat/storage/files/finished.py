"""Finished files on the disk: how they get their final names, are read, listed and unlinked.

A file that is unlinked stays readable to those that have it open. While a backup runs none is unlinked: its database
shows files of messages that were deleted since, and they must be there (`backup_lock`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from securechat.model import StoredFile
from securechat.records.files import FilesOnDisk
from securechat.storage.files.backup_lock import BackupRuns, unlinking
from securechat.storage.files.file_system import FileSystem
from securechat.storage.files.layout import FileLayout, id_of, is_sidecar, is_whole_file
from securechat.storage.files.steps import (
    DiskSteps,
    SyncFailed,
    names_if_there,
    size_of,
    sync_names,
    unlink_if_there,
)


class FinishedFiles:
    """The finished files of one data directory.

    Args:
        layout: where they are.
        system: the file system.
    """

    def __init__(self, layout: FileLayout, system: FileSystem) -> None:
        self._layout = layout
        self._system = system
        self._durable: set[Path] = set()

    def make_folder(self, file_id: str) -> None:
        """Make the folder of a finished file, durably.

        One that is there may be of a process that was killed before it was synced: so each is synced once a process.

        Raises:
            OSError: as the system does.
            SyncFailed: its name may not be durable.
        """
        folder = self._layout.folder(file_id)
        if folder not in self._durable:
            self._system.make_directory(folder)
            sync_names(self._system, self._layout.directory)
            self._durable.add(folder)

    def move_in(self, stored: StoredFile) -> DiskSteps[None]:
        """Give a file whose bytes and sidecar are durable its final name, durably; may be repeated after a crash.

        The folder of the final name is synced before that of the old one: of two names that the power takes apart the
        final one comes first. The sent bytes of a picture that was written anew go.

        Raises:
            FileNotFoundError: a part of it has neither its old nor its final name.
            OSError: as the system does; what is moved is moved.
            SyncFailed: a name may not be durable.
        """
        layout, info = self._layout, stored.info
        self.make_folder(info.id)
        sources = [layout.picture(info.id, None) if info.is_picture else layout.upload(info.id)]
        sources += [layout.picture(info.id, size) for size in info.previews]
        for source, size in zip(sources, (None, *info.previews), strict=True):
            target = layout.file(info.id, size)
            try:
                self._system.rename(source, target)
            except FileNotFoundError:
                if size_of(self._system, target) is None:
                    raise
            yield
        if info.is_picture:
            unlink_if_there(self._system, layout.upload(info.id))
        sync_names(self._system, layout.folder(info.id))
        yield
        sync_names(self._system, layout.incoming)

    def open(self, file_id: str, size: int | None) -> tuple[int, int] | None:
        """Return a descriptor of a file, or of its smaller copy, and its length; None when it cannot be opened."""
        try:
            descriptor = self._system.open(self._layout.file(file_id, size), writing=False)
        except OSError:
            return None
        try:
            return descriptor, self._system.size(descriptor)
        except OSError:
            self._system.close(descriptor)
            return None

    def in_folder(self, prefix: str) -> FilesOnDisk | None:
        """Return the files whose ids begin with two digits, those that have a sidecar apart; None: unreadable.

        The sidecars are listed last. A file whose message is committed between the two lists is left out then, and one
        that is left out is neither missing nor swept.
        """
        try:
            names = names_if_there(self._system, self._layout.directory / prefix)
            sidecars = {id_of(each) for each in names_if_there(self._system, self._layout.incoming) if is_sidecar(each)}
        except OSError:
            return None
        there = {file_id for name in names if (file_id := id_of(name)) is not None}
        ids, files = there - sidecars, {name for name in names if is_whole_file(name)}
        whole = ids & files
        return FilesOnDisk(tuple(sorted(whole)), tuple(sorted(ids - whole)), tuple(sorted(files & sidecars)))

    def unlink(self, file_ids: Sequence[str]) -> DiskSteps[tuple[str, ...]]:
        """Unlink files with their smaller copies; returns those that are off the disk, durably.

        The rest (a call was refused, or a backup runs) may be asked for again later.
        """
        gone: list[str] = []
        try:
            with unlinking(self._layout):
                for folder, ids in _by_folder(file_ids):
                    gone += yield from self._unlink_in(folder, ids)
        except BackupRuns:
            pass
        return tuple(gone)

    def remove(self, file_id: str) -> DiskSteps[bool]:
        """Unlink a file that no message shows, whether or not a backup runs; False when it is not gone for certain."""
        return bool((yield from self._unlink_in(file_id[:2], [file_id])))

    def _unlink_in(self, prefix: str, file_ids: Sequence[str]) -> DiskSteps[list[str]]:
        folder = self._layout.directory / prefix
        try:
            names = names_if_there(self._system, folder)
        except OSError:
            return []
        gone, unlinked = set(file_ids), False
        for name in names:
            file_id = id_of(name)
            if file_id not in gone:
                continue
            try:
                unlinked = unlink_if_there(self._system, folder / name) or unlinked
            except OSError:
                gone.discard(file_id)
            yield
        if unlinked:
            try:
                sync_names(self._system, folder)
            except SyncFailed:
                return []
        return [each for each in file_ids if each in gone]


def _by_folder(file_ids: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    folders: dict[str, list[str]] = {}
    for file_id in file_ids:
        folders.setdefault(file_id[:2], []).append(file_id)
    yield from folders.items()
