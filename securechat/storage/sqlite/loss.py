"""Detects that a data directory has lost acknowledged messages, before a log is opened on it.

A server that starts on an empty database, or on a journal whose end cannot be read, would silently reuse the numbers of
lost messages. Each error message here names the finding and the ways to go on, which the operator must choose.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import Enum
from pathlib import Path

import apsw

from securechat.errors import LogError
from securechat.files import expect_own_file, open_own_file
from securechat.programs import Program, on_data, restoring
from securechat.storage.search.index import SEARCH_INDEX
from securechat.storage.sqlite.failures import FailureKind, is_denied, kind_of, reason_of
from securechat.storage.sqlite.journal import FRAME_HEADER_BYTES, WAL_HEADER_BYTES, LostFrames, lost_frames
from securechat.translation import Sentence, nsentence


def missing_database(database: Path) -> str | None:
    """Return an error message when a database that must have existed is missing; None when all is well.

    Args:
        database: the file; its journal and the search index beside it may show that one existed.
    """
    if _size(database) or os.path.islink(database):  # noqa: PTH114  # false, too, where this user may not look
        return None
    is_empty = os.path.lexists(database)
    journal = database.with_name(f"{database.name}-wal")
    if _size(journal) > WAL_HEADER_BYTES + FRAME_HEADER_BYTES:
        return _went_away(_without_messages_of_journal(database, journal, is_empty=is_empty), journal)
    index = database.with_name(SEARCH_INDEX)
    indexed = _indexed(index)
    if indexed is not None:
        return _went_away(_without_indexed_log(database, index, indexed, is_empty=is_empty), index)
    return None


def _without_messages_of_journal(database: Path, journal: Path, *, is_empty: bool) -> Sentence:
    if is_empty:
        return Sentence(
            "{database} is empty, but its journal {journal} holds messages", database=database, journal=journal.name
        )
    return Sentence(
        "{database} is missing, but its journal {journal} holds messages", database=database, journal=journal.name
    )


def _without_indexed_log(database: Path, index: Path, indexed: Sentence, *, is_empty: bool) -> Sentence:
    if is_empty:
        return Sentence(
            "{database} is empty, but {index} is the index of {log}", database=database, index=index.name, log=indexed
        )
    return Sentence(
        "{database} is missing, but {index} is the index of {log}", database=database, index=index.name, log=indexed
    )


def _went_away(finding: Sentence, witness: Path) -> Sentence:
    """Return what a finding about a database means, and the ways to go on."""
    return Sentence(
        "{finding}: the database was deleted, moved or truncated. Bring it back, or restore the last good backup "
        "({restore}); to begin anew without them, move {file} away",
        finding=finding,
        restore=restoring(witness.parent),
        file=witness.name,
    )


def damaged_journal(connection: apsw.Connection, database: Path) -> str | None:
    """Return an error message when acknowledged transactions in the journal cannot be read; None when all is well.

    Args:
        connection: to the database; it must be the only one, without an open transaction that has written.
        database: the file.

    Raises:
        apsw.Error: the database cannot be read.
        OSError: the journal cannot be read.
    """
    lost, journal = _lost(connection, database), f"{database}-wal"
    if lost is None:
        return None
    return Sentence(
        "{journal} is damaged after page {page}: {extent} that were acknowledged cannot be read. Look after the disk, "
        "and restore the last good backup ({restore}); to go on without what is lost: {recover}",
        journal=journal,
        page=lost.readable,
        extent=extent(lost),
        restore=restoring(database.parent),
        recover=on_data(Program.ADMIN, database.parent, "recover"),
    )


def lost_end(database: Path) -> LostFrames | None:
    """Return what of the journal was acknowledged and cannot be read; None when all is well.

    Args:
        database: the file, which no server has open.

    Raises:
        LogError: it cannot be looked at.
    """
    if not os.path.lexists(database):
        return None
    with _reading(database) as connection:
        return _lost(connection, database)


def _lost(connection: apsw.Connection, database: Path) -> LostFrames | None:
    journal = database.with_name(f"{database.name}-wal")
    if _size(journal) <= WAL_HEADER_BYTES:
        return None
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # the first read of the journal
    readable, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    return lost_frames(journal, max(0, readable))


def extent(lost: LostFrames) -> Sentence:
    """The size of the loss, in words: ``at least 2 transactions (5 pages)``."""
    return nsentence(
        "at least {count} transaction ({pages})",
        "at least {count} transactions ({pages})",
        lost.transactions,
        pages=nsentence("{count} page", "{count} pages", lost.lost),
    )


def find_loss(database: Path) -> str | None:
    """Return the first error message of this module about a database that no server has open; None when all is well.

    Raises:
        LogError: the database cannot be checked.
    """
    missing = missing_database(database)
    if missing is not None or not os.path.lexists(database):
        return missing
    with _reading(database) as connection:
        return damaged_journal(connection, database)


class Unreadable(Enum):
    """The cause why a database that may well be whole cannot be read."""

    DENIED = "denied"
    LOCKED = "locked"
    ABSENT = "absent"
    NEWER = "newer"


class DatabaseUnreadable(LogError):
    """A database cannot be read here or now, which says nothing about damage.

    Attributes:
        cause: what prevents it.
    """

    def __init__(self, cause: Unreadable, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


def unreadable(database: Path, error: apsw.Error | OSError) -> LogError:
    """Return the sentence about a database that cannot be read, with what to do about its cause."""
    if is_denied(error):
        return DatabaseUnreadable(
            Unreadable.DENIED,
            Sentence(
                "{database} cannot be opened ({why}): run this as the user whom the data directory belongs to, and "
                "look whether its file system is mounted read-only",
                database=database,
                why=reason_of(error),
            ),
        )
    if isinstance(error, apsw.Error) and kind_of(error) is FailureKind.WAIT:
        return DatabaseUnreadable(
            Unreadable.LOCKED,
            Sentence(
                "{database} is locked by another program ({why}): close it there, or try again later",
                database=database,
                why=reason_of(error),
            ),
        )
    return LogError(
        Sentence(
            "{database} cannot be read ({why}): the file or the disk is damaged; restore the last good backup",
            database=database,
            why=reason_of(error),
        )
    )


@contextmanager
def _reading(database: Path) -> Iterator[apsw.Connection]:
    try:
        with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            yield connection
    except (apsw.Error, OSError) as error:
        raise unreadable(database, error) from error


def accept_loss(database: Path, copy: Path) -> None:
    """Keep the readable part of a damaged journal and discard the rest; the caller holds the directory's lock.

    Args:
        database: the file.
        copy: a new file (0600) for a copy of the journal as it is.

    Raises:
        OSError: the copy cannot be made; nothing is changed.
        LogError: the journal cannot be moved into the database.
    """
    journal = database.with_name(f"{database.name}-wal")
    source = open_own_file(journal, os.O_RDONLY)
    with (
        os.fdopen(source, "rb") as old,
        os.fdopen(open_own_file(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as new,
    ):
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())
    try:
        with closing(apsw.Connection(str(database))) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.Error as error:
        raise LogError(
            Sentence("{database} cannot take what its journal holds: {why}", database=database, why=reason_of(error))
        ) from error


def _size(path: Path) -> int:
    """Bytes of a regular file; 0 where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _indexed(index: Path) -> Sentence | None:
    """The seq up to which a search index has read the log, in words; None for none."""
    if not _size(index):
        return None
    try:
        for suffix in ("", "-wal", "-shm"):
            expect_own_file(index.with_name(index.name + suffix))
        with closing(apsw.Connection(str(index), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            ((indexed_to,),) = connection.execute("SELECT indexed_to FROM progress").fetchall()
    except (apsw.Error, OSError, ValueError):
        return Sentence("a log (the index itself cannot be read)")
    return nsentence("a log with {count} entry", "a log with {count} entries", int(indexed_to)) if indexed_to else None


def expect_no_loss(sentence: str | None) -> None:
    """Raise an error message of this module, if there is one.

    Raises:
        LogError: with this message.
    """
    if sentence is not None:
        raise LogError(sentence)
