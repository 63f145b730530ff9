"""A lock between a backup and the unlinking of files: while a backup runs, none is unlinked.

A backup copies the database first, and then the files that this copy shows. Between the two a message may be deleted;
its file is unreadable at once, and is unlinked when the backup is over. The lock is the kernel's (flock): it ends with
the process that holds it, however that ends. The server makes the file, so that it can open it whatever user a backup
runs as.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from securechat.files import open_own_file
from securechat.storage.files.layout import FileLayout

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool, waiting: bool) -> None:  # noqa: ARG001  # Windows has no shared one here
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if waiting else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool, waiting: bool) -> None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind if waiting else kind | fcntl.LOCK_NB)


class BackupRuns(Exception):  # names the condition
    """Nothing may be unlinked now."""


@contextmanager
def unlinking(layout: FileLayout) -> Iterator[None]:
    """Hold the lock while files are unlinked.

    Raises:
        BackupRuns: a backup holds it, or it cannot be made.
    """
    try:
        descriptor = open_own_file(layout.backup_lock, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:  # there is no folder, and no file in it
        yield
        return
    except OSError as error:
        raise BackupRuns from error
    try:
        try:
            _lock(descriptor, shared=False, waiting=False)
        except OSError as error:
            raise BackupRuns from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def holding_files(layout: FileLayout) -> Iterator[None]:
    """Keep every file on the disk while a backup runs; waits for the unlinking of a batch, some milliseconds.

    Several backups may run at a time. Without the lock's file no server keeps files here, and nothing is held.

    Raises:
        OSError: the lock's file cannot be opened.
    """
    try:
        descriptor = open_own_file(layout.backup_lock, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        _lock(descriptor, shared=True, waiting=True)
        yield
    finally:
        os.close(descriptor)
