"""The common parts of all steps of keeping files: long work is cut, and errors become answers.

A long piece of work is a generator that yields between two calls that block, so that a reader waits for one of them at
most; what it returns is its result.
"""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

from securechat.errors import Refusal
from securechat.storage.files.file_system import FileSystem
from securechat.storage.files.layout import new_name
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")
DiskSteps: TypeAlias = Generator[None, None, _T]
"""Work in steps; what it returns is its result."""

STEP_BYTES = 256 * 1024
"""Hashed or written in one step: below 1 ms of either."""
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class SyncFailed(Exception):  # names the condition, as the rest of the errors here
    """A sync failed: what was written before it may be lost, and a second sync would not tell.

    The kernel reports a lost page once, and then takes it for clean (fsyncgate, 2018).

    Args:
        error: the system's.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def run(steps: DiskSteps[_T]) -> _T:
    """Run all steps at once, where nothing else waits."""
    while True:
        try:
            next(steps)
        except StopIteration as stopped:
            return stopped.value  # type: ignore[no-any-return]  # a generator's result has no type here


def refusal_of(error: OSError) -> Refusal:
    """Return what a sender is told of a call that failed."""
    return refusal_for("files_disk_full" if error.errno in _NO_SPACE else "file_not_stored")


def sync_names(system: FileSystem, directory: Path) -> None:
    """Make the names of a directory durable.

    Raises:
        SyncFailed: they may not be.
    """
    try:
        system.sync_directory(directory)
    except OSError as error:
        raise SyncFailed(error) from error


def write_synced(system: FileSystem, path: Path, data: bytes) -> DiskSteps[None]:
    """Write a file as a whole and sync it; its name is not durable yet. After an error it may be there in part.

    Raises:
        OSError: as the system does.
    """
    descriptor = system.open(path, writing=True)
    try:
        system.truncate(descriptor, 0)
        for offset in range(0, len(data), STEP_BYTES):
            system.write(descriptor, offset, data[offset : offset + STEP_BYTES])
            yield
        system.sync(descriptor)
    finally:
        system.close(descriptor)


def replace_synced(system: FileSystem, path: Path, data: bytes) -> DiskSteps[None]:
    """Replace a file as a whole; the rename is not durable yet. After an error it is as it was.

    Raises:
        OSError: as the system does.
    """
    new = new_name(path)
    try:
        yield from write_synced(system, new, data)
        system.rename(new, path)
    except OSError:
        with suppress(OSError):
            system.unlink(new)
        raise


def read_whole(system: FileSystem, path: Path, most_bytes: int) -> bytes:
    """Return the content of a file of at most ``most_bytes``; of a longer one its beginning.

    Raises:
        OSError: as the system does.
    """
    descriptor = system.open(path, writing=False)
    try:
        return system.read(descriptor, 0, most_bytes)
    finally:
        system.close(descriptor)


def size_of(system: FileSystem, path: Path) -> int | None:
    """Return the length of a file, bytes; None when it is missing.

    Raises:
        OSError: as the system does.
    """
    try:
        descriptor = system.open(path, writing=False)
    except FileNotFoundError:
        return None
    try:
        return system.size(descriptor)
    finally:
        system.close(descriptor)


def unlink_if_there(system: FileSystem, path: Path) -> bool:
    """Take a name away; False when it is not there.

    Raises:
        OSError: as the system does.
    """
    try:
        system.unlink(path)
    except FileNotFoundError:
        return False
    return True


def names_if_there(system: FileSystem, path: Path) -> list[str]:
    """Return the names in a directory; none when it is missing.

    Raises:
        OSError: as the system does.
    """
    try:
        return system.names(path)
    except FileNotFoundError:
        return []
