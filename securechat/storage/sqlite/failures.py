"""Judges SQLite's errors: wait for another program, degrade on a full disk, refuse one query, or stop.

Promise 5 decides: a write or sync that failed may have been carried out or not, and the kernel may report it once
only, so the log stops. Three kinds of error say for certain that nothing was written, and cost less:

- BUSY: another process holds a lock, and SQLite gave up before it wrote. The batch waits.
- FULL: no space for a write, which was rolled back; also a quota (EDQUOT) and a file-size limit (EFBIG), which
  SQLite reports as an input/output error of a write, with the errno beside it. No space at a sync stays a failed sync.
- INTERRUPT: this program stopped its own query, which cost too much.

Sources: https://sqlite.org/rescode.html; os_unix.c (`sqliteErrorFromPosixError`, `seekAndWrite`) of SQLite 3.46.
"""

from __future__ import annotations

import errno
from enum import Enum
from pathlib import Path

import apsw

from securechat.errors import LogError, SecurechatError
from securechat.files import NotRegular
from securechat.programs import restoring
from securechat.storage.directory import why_denied
from securechat.storage.store import DatabaseBusy, DiskFull, QueryTooExpensive
from securechat.translation import Sentence, sentence_of, system_error


class FailureKind(Enum):
    """The consequence of an error for the log."""

    WAIT = "wait"
    DEGRADE = "degrade"
    REFUSE = "refuse"
    STOP = "stop"


KINDS: dict[int, FailureKind] = {
    apsw.SQLITE_ERROR: FailureKind.STOP,  # a statement that does not fit the tables
    apsw.SQLITE_INTERNAL: FailureKind.STOP,
    apsw.SQLITE_PERM: FailureKind.STOP,  # EPERM from a lock
    apsw.SQLITE_ABORT: FailureKind.STOP,
    apsw.SQLITE_BUSY: FailureKind.WAIT,  # also EACCES, EAGAIN, EBUSY, EINTR, ENOLCK and ETIMEDOUT from a lock
    apsw.SQLITE_LOCKED: FailureKind.STOP,  # a conflict inside this process, which waiting does not end
    apsw.SQLITE_NOMEM: FailureKind.STOP,
    apsw.SQLITE_READONLY: FailureKind.STOP,  # the file was moved, or its permissions changed
    apsw.SQLITE_INTERRUPT: FailureKind.REFUSE,
    apsw.SQLITE_IOERR: FailureKind.STOP,  # but see NO_SPACE
    apsw.SQLITE_CORRUPT: FailureKind.STOP,
    apsw.SQLITE_NOTFOUND: FailureKind.STOP,
    apsw.SQLITE_FULL: FailureKind.DEGRADE,
    apsw.SQLITE_CANTOPEN: FailureKind.STOP,
    apsw.SQLITE_PROTOCOL: FailureKind.WAIT,  # lost the race for the journal's lock for ten seconds (walTryBeginRead)
    apsw.SQLITE_EMPTY: FailureKind.STOP,
    apsw.SQLITE_SCHEMA: FailureKind.STOP,  # another program changed the tables
    apsw.SQLITE_TOOBIG: FailureKind.STOP,
    apsw.SQLITE_CONSTRAINT: FailureKind.STOP,
    apsw.SQLITE_MISMATCH: FailureKind.STOP,
    apsw.SQLITE_MISUSE: FailureKind.STOP,
    apsw.SQLITE_NOLFS: FailureKind.STOP,
    apsw.SQLITE_AUTH: FailureKind.STOP,
    apsw.SQLITE_FORMAT: FailureKind.STOP,
    apsw.SQLITE_RANGE: FailureKind.STOP,
    apsw.SQLITE_NOTADB: FailureKind.STOP,
}
"""Every primary result code that is an error. Extended codes follow their primary one, except those of EXTENDED."""
EXTENDED: dict[int, FailureKind] = {
    apsw.SQLITE_BUSY_SNAPSHOT: FailureKind.STOP,  # a transaction that read before it wrote, which ours never do
}
NO_SPACE = frozenset({errno.EDQUOT, errno.EFBIG, errno.ENOSPC} if hasattr(errno, "EDQUOT") else {errno.EFBIG})
"""An errno of a failed write (SQLITE_IOERR_WRITE) that means no space. After a sync it means nothing of the kind."""


def kind_of(error: apsw.Error, system_errno: int = 0) -> FailureKind:
    """Judge an error.

    Args:
        error: as apsw raised it.
        system_errno: errno of the connection's last failed system call; counts for a failed write only.
    """
    primary = getattr(error, "result", None)
    code = getattr(error, "extendedresult", primary)
    if not isinstance(primary, int):
        primary = next((code for kind, code in _CLASSES if isinstance(error, kind)), None)
    if code == apsw.SQLITE_IOERR_WRITE and system_errno in NO_SPACE:
        return FailureKind.DEGRADE
    if isinstance(code, int) and code in EXTENDED:
        return EXTENDED[code]
    return FailureKind.STOP if primary is None else KINDS.get(primary & 0xFF, FailureKind.STOP)


_CLASSES: tuple[tuple[type[apsw.Error], int], ...] = (
    (apsw.BusyError, apsw.SQLITE_BUSY),
    (apsw.FullError, apsw.SQLITE_FULL),
    (apsw.InterruptError, apsw.SQLITE_INTERRUPT),
)
"""For an error that a VFS written in Python raised, which carries no code."""


def failure_of(error: apsw.Error, system_errno: int = 0) -> SecurechatError:
    """Return the error of the store's interface: DatabaseBusy, DiskFull, QueryTooExpensive or LogError.

    Args:
        error: as apsw raised it; for a write, its transaction is rolled back.
        system_errno: as for `kind_of`.
    """
    match kind_of(error, system_errno):
        case FailureKind.WAIT:
            return DatabaseBusy(str(error))
        case FailureKind.DEGRADE:
            return DiskFull(str(error))
        case FailureKind.REFUSE:
            return QueryTooExpensive(str(error))
        case FailureKind.STOP:
            return stopping_failure(error)


def stopping_failure(error: apsw.Error) -> LogError:
    """Return the error that stops a served log, with what the operator must do; a failed read stops it, too."""
    told = f"{error} (SQLite {error.extendedresult})" if hasattr(error, "extendedresult") else str(error)
    return LogError(
        Sentence(
            "the message log failed: {error}; nothing more is acknowledged. Check the disk, then restart", error=told
        )
    )


def reading_failure(error: apsw.Error) -> SecurechatError:
    """Return the error of a log that cannot be read beside its writer: DatabaseBusy or LogError."""
    return _busy(error) or stopping_failure(error)


def offline_failure(error: apsw.Error) -> SecurechatError:
    """Return the error of a log of a stopped server that cannot be read or written: DatabaseBusy or LogError."""
    return _busy(error) or LogError(Sentence("the message log cannot be read: {why}", why=reason_of(error)))


def _busy(error: apsw.Error) -> DatabaseBusy | None:
    if kind_of(error) is not FailureKind.WAIT:
        return None
    return DatabaseBusy(Sentence("another program holds the message log ({why})", why=reason_of(error)))


def opening_failure(directory: object, error: Exception) -> LogError:
    """Return the sentence about a log that cannot be opened, with what to do about its cause."""
    return LogError(_opening_sentence(directory, error, reason_of(error)))


def _opening_sentence(directory: object, error: Exception, why: str) -> Sentence:
    if isinstance(error, apsw.Error) and kind_of(error) is FailureKind.WAIT:
        return Sentence(
            "the message log in {directory} is locked by another program ({why}): close it there (a database browser, "
            "the sqlite3 shell, a backup tool), then start again",
            directory=directory,
            why=why,
        )
    if is_denied(error):
        return Sentence(
            "cannot open the message log in {directory}: {why}. {remedy}. If that is so already, look whether its file "
            "system is mounted read-only",
            directory=directory,
            why=why,
            remedy=why_denied(Path(str(directory))),
        )
    if isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno in NO_SPACE | {errno.ENOSPC}):
        return Sentence(
            "cannot open the message log in {directory}: {why}. Free some space on that disk, then start again",
            directory=directory,
            why=why,
        )
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return Sentence(
            "cannot open the message log in {directory}: {why}. Name another directory with --data; or, if this is the "
            "right one, look after the disk, move the directory away, and restore the last good backup ({restore})",
            directory=directory,
            why=why,
            restore=restoring(Path(str(directory))),
        )
    return Sentence("cannot open the message log in {directory}: {why}", directory=directory, why=why)


_MESSAGES = {
    str(text): text
    for text in (
        Sentence("attempt to write a readonly database"),
        Sentence("database disk image is malformed"),
        Sentence("database is locked"),
        Sentence("database or disk is full"),
        Sentence("disk I/O error"),
        Sentence("file is not a database"),
        Sentence("unable to open database file"),
    )
}
"""The usual messages of SQLite (`sqlite3_errstr`), as texts."""


def reason_of(error: Exception) -> str:
    """Return why a database cannot be used, as a part of a sentence that names it."""
    if isinstance(error, NotRegular):
        return error.sentence
    if isinstance(error, OSError):
        return system_error(error)
    return _MESSAGES.get(str(error)) or sentence_of(error)


def is_denied(error: Exception) -> bool:
    """Whether an error comes from permissions or a read-only mount, and says nothing about the disk."""
    if isinstance(error, apsw.CantOpenError | apsw.PermissionsError | apsw.ReadOnlyError):
        return True
    return isinstance(error, OSError) and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
