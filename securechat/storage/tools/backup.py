"""Reads a data directory's database at one instant, from outside its server, and copies it.

`Snapshot` is one read-only connection in one read transaction. It sees every message acknowledged before it was opened
and none of a later commit, however long it lasts and however busy the server is; it needs neither the server nor its
lock.

The copy is made with SQLite's backup API, some pages at a time under that one transaction. Measured on 200 MiB beside
32 rows a commit, 150 commits a second: 0.40 to 0.55 s and 0.1 s to sync, against 0.6 to 0.75 s for VACUUM INTO, which
reports no progress; the journal grew from 27 to 31 MB (VACUUM INTO: 38). Under either the median commit took 2.0 ms
instead of 1.7, and the slowest one 50 to 110 ms, because the disk was busy with the copy.

The server cannot restart its journal while a snapshot is open, so hold one no longer than a copy takes.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import apsw

from securechat.errors import LogError, LogSchemaTooNew
from securechat.records.accounts import AuditEntry
from securechat.storage.sqlite.audit import read_audit
from securechat.storage.sqlite.loss import DatabaseUnreadable, Unreadable, unreadable
from securechat.storage.sqlite.migrations import APPLICATION_ID, MIGRATIONS, renew_log_id
from securechat.storage.sqlite.store import DATABASE
from securechat.translation import Sentence, system_error

LATEST_SCHEMA = len(MIGRATIONS)
"""The schema version that this program writes, and the newest it can read."""
_BUSY_MS = 2_000
"""Longest wait for a server that is just recovering its journal."""
_STEP_PAGES = 2_048
"""8 MiB between two checks of the clock and of Ctrl-C."""
_COUNTED = (
    "messages", "changes", "conversations", "places", "memberships", "senders", "accounts", "invites", "bans", "audit",
)  # fmt: skip


class Snapshot:
    """The database of a data directory (or any copy of one) at one instant.

    Args:
        database: the file.
        alone: no other process has it open, as with a new copy: then nothing is written beside it either.

    Attributes:
        schema: its version, at most LATEST_SCHEMA.

    Raises:
        LogError: there is no database, it cannot be read, or it belongs to another program.
        LogSchemaTooNew: a newer securechat wrote it.
    """

    def __init__(self, database: Path, *, alone: bool = False) -> None:
        if not _is_file(database):
            raise DatabaseUnreadable(
                Unreadable.ABSENT,
                Sentence(
                    "there is no message log in {directory}: name its directory with --data", directory=database.parent
                ),
            )
        self.database = database
        self._connection: apsw.Connection | None = None
        try:
            self._connection = _open(database, alone=alone)
            self.schema = self._number("PRAGMA user_version")
            self._check_kind()
        except apsw.Error as error:
            self.close()
            raise unreadable(database, error) from error
        except BaseException:
            self.close()
            raise

    @property
    def connection(self) -> apsw.Connection:
        """The read-only connection, inside its transaction."""
        assert self._connection is not None, "the snapshot is closed"
        return self._connection

    def counts(self) -> dict[str, int]:
        """The number of rows in each table, and the last seq, to compare a copy with its original.

        Raises:
            LogError: the database cannot be read.
        """
        try:
            present = {row[0] for row in self.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            tables = [table for table in _COUNTED if table in present]
            counts = {table: self._number(f"SELECT count(*) FROM {table}") for table in tables}  # noqa: S608
            return counts | {"last_seq": self._number("SELECT ifnull(max(seq), 0) FROM messages")}
        except apsw.Error as error:
            raise unreadable(self.database, error) from error

    @property
    def bytes(self) -> int:
        """The size of a copy."""
        return self._number("PRAGMA page_count") * self._number("PRAGMA page_size")

    def audit(self, last: int) -> list[AuditEntry]:
        """The last entries of the audit, oldest first.

        Raises:
            LogError: the database cannot be read.
        """
        if self.schema < 2:
            return []  # an older schema without an audit
        try:
            return read_audit(self.connection, last)
        except apsw.Error as error:
            raise unreadable(self.database, error) from error

    def copy_to(self, target: Path, progress: Callable[[float], None]) -> None:
        """Write the whole database, as of this instant, into a new file (0600). It is not synced.

        Args:
            target: must not exist; the caller removes the remains after an error.
            progress: called with the completed share, from 0 to 1.

        Raises:
            OSError: the file cannot be made.
            LogError: the database cannot be read, or the copy cannot be written (no space, most likely).
        """
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        copy = apsw.Connection(str(target))
        try:
            copy.pragma("journal_mode", "OFF")  # a copy that fails is deleted
            copy.pragma("synchronous", "OFF")
            with copy.backup("main", self.connection, "main") as backup:
                while not backup.done:
                    backup.step(_STEP_PAGES)
                    progress(1 - backup.remaining / max(1, backup.page_count))
        except apsw.FullError as error:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        except apsw.Error as error:
            raise LogError(
                Sentence("the message log cannot be copied to {file}: {why}", file=target, why=error)
            ) from error
        finally:
            copy.close()

    def renew(self) -> None:
        """Move on to the present, so that the server can restart its journal."""
        self.connection.execute("COMMIT")
        _begin(self.connection)

    def close(self) -> None:
        """Close the snapshot. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_kind(self) -> None:
        if self._number("PRAGMA application_id") != APPLICATION_ID:
            raise LogError(Sentence("{file} is no message log of securechat: name another --data", file=self.database))
        if self.schema > LATEST_SCHEMA:
            raise LogSchemaTooNew(
                Sentence(
                    "the message log was written by a newer securechat (schema {schema}, this one knows {latest}): use "
                    "that version's securechat-admin",
                    schema=self.schema,
                    latest=LATEST_SCHEMA,
                )
            )

    def _number(self, sql: str) -> int:
        ((value,),) = self.connection.execute(sql).fetchall()
        assert isinstance(value, int)
        return value


def renew_identity(database: Path) -> None:
    """Make a restored log another one: its numbers do not continue those given after the backup.

    Args:
        database: no other process has it open.

    Raises:
        LogError: it cannot be written.
    """
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.pragma("synchronous", "FULL")
        renew_log_id(connection)
    except apsw.Error as error:
        raise LogError(Sentence("the message log {file} cannot be written: {why}", file=database, why=error)) from error
    finally:
        connection.close()


def _is_file(database: Path) -> bool:
    """Whether the file is there.

    Raises:
        DatabaseUnreadable: its directory is closed to this user.
    """
    try:
        return stat.S_ISREG(database.stat().st_mode)
    except PermissionError as error:
        raise DatabaseUnreadable(
            Unreadable.DENIED,
            Sentence(
                "{file} cannot be opened ({why}): run this as the user whom the data directory belongs to",
                file=database,
                why=system_error(error),
            ),
        ) from error
    except OSError:
        return False


def _open(database: Path, *, alone: bool) -> apsw.Connection:
    """A read-only connection that has begun to read."""
    name = f"{database.absolute().as_uri()}?immutable=1" if alone else str(database)
    connection = apsw.Connection(name, flags=apsw.SQLITE_OPEN_READONLY | (apsw.SQLITE_OPEN_URI if alone else 0))
    try:
        connection.set_busy_timeout(_BUSY_MS)
        _begin(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: apsw.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # only a read starts the transaction


__all__ = ["DATABASE", "LATEST_SCHEMA", "DatabaseUnreadable", "Snapshot", "Unreadable", "renew_identity"]
