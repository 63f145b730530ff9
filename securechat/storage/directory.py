"""The data directory: private to its owner, and locked by one server at a time.

The kernel releases the lock when its holder dies, however it dies. Only the kernel's lock counts, not the file: a file
left behind by ``kill -9`` or a power cut locks nothing, and there is no stale lock to clean up. The file is never
deleted: deleting it would let two processes lock two different files of one name.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from securechat.errors import LogError, LogLocked
from securechat.files import expect_own_file, open_own_file
from securechat.programs import shown_path
from securechat.translation import Sentence, sentence_of, system_error

LOCK = "securechat.lock"
SQLITE_SUFFIXES = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite keeps beside a database."""
LONGEST_NAME = "securechat.db-journal"
"""The longest name of a file that SQLite may open in a data directory."""
PATH_BYTES = 512
"""Bytes of the longest path that SQLite opens (MAX_PATHNAME of os_unix.c), with the suffix of a journal."""
PART_BYTES = 255
"""Bytes of the longest name of a directory, of nearly every file system (NAME_MAX of limits.h)."""

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 20  # beyond the text, because Windows hides locked bytes from readers

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


READ_ONLY = Sentence(
    "Its file system is mounted read-only; mount it for writing, or name another directory with --data"
)
"""What to do about a directory of such a file system."""


def with_remedy(problem: Sentence, directory: Path, error: OSError) -> Sentence:
    """Return a problem of a directory that cannot be written, with what to do about it where that is known."""
    if error.errno == errno.EROFS:
        return Sentence("{problem}. {remedy}", problem=problem, remedy=READ_ONLY)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Sentence("{problem}. {remedy}", problem=problem, remedy=why_denied(directory))
    return problem


def why_denied(directory: Path) -> Sentence:
    """Return what to do where this user may not write in a data directory: to be its owner, or to change the mode."""
    if _is_owner(directory):
        chmod = f"chmod -R u+rwX {shown_path(directory)}"
        return Sentence("Its owner may let it write there: `{command}`", command=chmod)
    return Sentence(
        "Run the server as the user whom the directory and the files in it belong to, or name another with --data"
    )


def _is_owner(directory: Path) -> bool:
    try:
        return sys.platform != "win32" and directory.stat().st_uid == os.geteuid()
    except OSError:
        return False


class DirectoryLock:
    """Holds a data directory for this process until released.

    Args:
        path: the lock file; made if missing.

    Raises:
        LogLocked: another process, or another log of this one, holds it.
        LogError: the file cannot be made or locked.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = open_own_file(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            problem = Sentence("cannot make the lock file {path}: {why}", path=path, why=system_error(error))
            raise LogError(with_remedy(problem, path.parent, error)) from error
        try:
            _lock(self._descriptor)
        except (BlockingIOError, PermissionError):
            holder = self._read_holder()
            os.close(self._descriptor)
            raise LogLocked(_already_used(path.parent, holder), holder) from None
        except OSError as error:
            os.close(self._descriptor)
            raise LogError(
                Sentence("cannot lock {path}: {why}; a local file system is needed", path=path, why=system_error(error))
            ) from error
        try:
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, b"%d\n" % os.getpid())
        except OSError as error:  # a full disk, or `ulimit -f`
            os.close(self._descriptor)
            raise LogError(
                Sentence(
                    "cannot write the lock file {path}: {why}; make space for it", path=path, why=system_error(error)
                )
            ) from error

    def _read_holder(self) -> int | None:
        """Return the process that holds the lock, for the sentence; the number is a courtesy and may be missing."""
        try:
            text = os.read(self._descriptor, 32).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if text.isdigit() else None

    def release(self) -> None:
        """Release the lock. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _already_used(directory: Path, holder: int | None) -> Sentence:
    if holder is None:
        return Sentence(
            "another securechat server already uses {directory}: stop it, or choose another --data", directory=directory
        )
    return Sentence(
        "another securechat server (process {process}) already uses {directory}: stop it, or choose another --data",
        process=holder,
        directory=directory,
    )


class OpenFiles:
    """Notices when an open file of the log is deleted or replaced, by its inode.

    An open file that was deleted or replaced accepts writes and syncs without an error, and its content is lost with
    the process. The check costs 2 µs a file (measured), at every commit: little beside its sync, which takes 100 µs on
    the fastest disks.

    Args:
        paths: files that must stay in place; those missing now are not checked.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._inodes = {str(path): inode for path in paths if (inode := _inode(str(path))) is not None}

    def expect_in_place(self) -> None:
        """Check that every file is still the one that was opened.

        Raises:
            LogError: a file was deleted, replaced or moved, or its file system is no longer mounted.
        """
        for path, inode in self._inodes.items():
            found = _inode(path)
            if found != inode:
                what = "is gone" if found is None else "was replaced by another file"
                raise LogError(
                    f"{path} {what} while the server ran (deleted, moved, or its disk unmounted): what is written now "
                    "would be lost, so nothing more is acknowledged. Bring the data directory back, then start again"
                )


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # a Path would double the cost, at every commit
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_served(data: Path) -> str | None:
    """Return a sentence about the server that holds this data directory; None when no server does.

    Takes the lock for an instant; a server that starts in that instant reports that another one runs.
    """
    if not os.path.lexists(data / LOCK):  # false, too, where this user may not look
        return None
    try:
        DirectoryLock(data / LOCK).release()
    except LogLocked as error:
        return sentence_of(error)
    except LogError:
        pass  # not ours to open: using the directory reports the reason
    return None


def too_long(path: Path) -> str | None:
    """Return why a data directory's path is too long, in a sentence; None when it is not."""
    longest = os.path.realpath(path / LONGEST_NAME)  # SQLite follows links, too
    size_bytes = len(os.fsencode(longest))
    if size_bytes <= PATH_BYTES and all(len(os.fsencode(part)) <= PART_BYTES for part in path.parts):
        return None
    return Sentence(
        "the path of the data directory is too long: with {name} it has {size} bytes, and the database takes {most}, "
        "{most_of_part} for each part: choose a shorter one with --data",
        name=LONGEST_NAME,
        size=size_bytes,
        most=PATH_BYTES,
        most_of_part=PART_BYTES,
    )


def make_directory(path: Path) -> None:
    """Create the data directory for its owner alone, durably. An existing one keeps the operator's mode.

    Raises:
        LogError: it cannot be made, or its path is too long.
    """
    if (reason := too_long(path)) is not None:
        raise LogError(reason)
    if path.is_dir():
        return
    try:
        path.mkdir(parents=True)
        path.chmod(0o700)  # mkdir's mode is reduced by the umask
        _sync_directory(path.parent)
    except OSError as error:
        raise LogError(
            Sentence(
                "cannot make the data directory {path}: {why}; choose another one with --data",
                path=path,
                why=system_error(error),
            )
        ) from error


def make_private(path: Path) -> None:
    """Set the database file's mode to 0600, whatever the umask; SQLite gives its journals the same mode.

    Raises:
        OSError: the file, or one with the name of a SQLite journal, is a link, a FIFO or the like.
    """
    for suffix in SQLITE_SUFFIXES:
        expect_own_file(path.with_name(path.name + suffix))
    descriptor = open_own_file(path, os.O_RDWR | os.O_CREAT)
    try:
        if sys.platform != "win32":
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _sync_directory(path: Path) -> None:
    """Make a new name durable. Windows cannot open directories, and needs no sync: NTFS journals its names."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
