"""The calls by which files are kept, behind an interface: a test can fail each of them, or cut the power before it.

`LocalFileSystem` makes them on the real disk; `securechat.testing.lossy_files` has a double that loses what was not
synced. No call retries, and none decides what an error means: they raise the system's OSError.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol

from securechat.files import open_own_file, read_regular

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Linux: another one after each start of the machine (random(4))."""
_BOOT_ID_BYTES = 64


class FileSystem(Protocol):
    """What keeping files asks of a file system. Every call blocks, and raises OSError as the system does."""

    def boot_id(self) -> str:
        """Return a word that is another one after a power cut; empty where the system has none."""

    def make_directory(self, path: Path) -> bool:
        """Make a directory for its owner alone; False when it is there already."""

    def open(self, path: Path, *, writing: bool) -> int:
        """Open a regular file and return its descriptor; for writing it is made if missing. No link is followed."""

    def size(self, descriptor: int) -> int:
        """Return the length of an open file, bytes."""

    def write(self, descriptor: int, offset: int, data: bytes) -> None:
        """Write all of ``data`` at an offset. After an error a part of it may be there."""

    def read(self, descriptor: int, offset: int, most_bytes: int) -> bytes:
        """Read at an offset; less than asked for at the end alone."""

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut an open file to a length."""

    def sync(self, descriptor: int) -> None:
        """Make the content and the length of an open file durable."""

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of a file that has it."""

    def unlink(self, path: Path) -> None:
        """Take a name away."""

    def sync_directory(self, path: Path) -> None:
        """Make the names of a directory durable."""

    def names(self, path: Path) -> list[str]:
        """Return the names in a directory."""


class LocalFileSystem:
    """The `FileSystem` of this machine."""

    def boot_id(self) -> str:
        """Return the kernel's; see `FileSystem.boot_id`."""
        try:
            return read_regular(_BOOT_ID, _BOOT_ID_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def make_directory(self, path: Path) -> bool:
        """Make a directory; see `FileSystem.make_directory`. An existing one keeps the operator's mode."""
        if path.is_dir():
            return False
        path.mkdir(mode=0o700)
        return True

    def open(self, path: Path, *, writing: bool) -> int:
        """Open a file with mode 0600; see `FileSystem.open`."""
        return open_own_file(path, os.O_RDWR | os.O_CREAT if writing else os.O_RDONLY)

    def size(self, descriptor: int) -> int:
        """Return the length; see `FileSystem.size`."""
        return os.fstat(descriptor).st_size

    def write(self, descriptor: int, offset: int, data: bytes) -> None:
        """Write at an offset; see `FileSystem.write`."""
        rest = memoryview(data)
        while rest:
            written = _write_at(descriptor, rest, offset)
            offset += written
            rest = rest[written:]

    def read(self, descriptor: int, offset: int, most_bytes: int) -> bytes:
        """Read at an offset; see `FileSystem.read`."""
        parts: list[bytes] = []
        while most_bytes and (part := _read_at(descriptor, most_bytes, offset)):
            parts.append(part)
            offset += len(part)
            most_bytes -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut to a length; see `FileSystem.truncate`."""
        os.ftruncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        """Sync a file; see `FileSystem.sync`. The length is synced too, times alone are not (fdatasync(2))."""
        if sys.platform == "linux":
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close; see `FileSystem.close`."""
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Rename; see `FileSystem.rename`."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Unlink; see `FileSystem.unlink`."""
        path.unlink()

    def sync_directory(self, path: Path) -> None:
        """Sync the names; see `FileSystem.sync_directory`. NTFS journals names, and Windows opens no directory."""
        if sys.platform != "win32":
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def names(self, path: Path) -> list[str]:
        """List a directory; see `FileSystem.names`."""
        return os.listdir(path)  # noqa: PTH208  # names are what is wanted, not paths


if sys.platform == "win32":

    def _write_at(descriptor: int, data: memoryview, offset: int) -> int:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)

    def _read_at(descriptor: int, most_bytes: int, offset: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, most_bytes)

else:

    def _write_at(descriptor: int, data: memoryview, offset: int) -> int:
        return os.pwrite(descriptor, data, offset)

    def _read_at(descriptor: int, most_bytes: int, offset: int) -> bytes:
        return os.pread(descriptor, most_bytes, offset)
