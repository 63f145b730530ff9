"""Restores a backup into a data directory and a certificate directory, and overwrites nothing.

It also recovers a data directory whose journal is damaged, without the lost transactions, and mends the times of
messages from the future.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shlex
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from securechat.admin.backup_archive import Manifest, unpack
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.health import FIRST_YEAR, LAST_YEAR
from securechat.errors import LogError, LogLocked, LogSchemaTooNew
from securechat.programs import Program, command
from securechat.server.admin_protocol import SOCKET
from securechat.server.clock_file import NAME as CLOCK
from securechat.storage.directory import LOCK, DirectoryLock, is_served
from securechat.storage.sqlite.journal import LostFrames
from securechat.storage.sqlite.loss import accept_loss, extent, lost_end, missing_database
from securechat.storage.store import DatabaseBusy
from securechat.storage.tools.backup import DATABASE, LATEST_SCHEMA, Snapshot
from securechat.storage.tools.integrity import damage, last_message_at_ms
from securechat.storage.tools.message_times import mend_times
from securechat.text.durations import shown_time
from securechat.tls.certificate_directory import SERVER_FILE

_LEFTOVERS = frozenset({LOCK, SOCKET, CLOCK})
"""Files that a stopped server leaves in a directory emptied by ``rm *.db*``; they do not make it a data directory."""


def restore(archive: Path, data: Path, certs: Path, progress: Callable[[float], None]) -> Manifest:
    """Unpack a backup into two directories, checked to the last byte before it gets its final names.

    Raises:
        Failure: a directory is not empty, a server runs there, the backup is damaged or too new, or a file cannot be
            written. Nothing is left behind.
    """
    made: list[Path] = []
    try:
        for directory, flag in ((data, "--data"), (certs, "--certs")):
            _check_empty(directory, flag)
        for directory in (data, certs):
            _make(directory, made)
        if not (data / LOCK).exists():
            made.append(data / LOCK)
        with DirectoryLock(data / LOCK):  # no server can start here meanwhile
            return _restore(archive, data, certs, made, progress)
    except (AdminFailure, KeyboardInterrupt):
        _remove(made)
        raise
    except (LogError, OSError) as error:
        _remove(made)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AdminFailure(AdminExit.IO, f"Cannot restore {archive}: {reason}. Nothing was left behind") from error


def _restore(archive: Path, data: Path, certs: Path, made: list[Path], progress: Callable[[float], None]) -> Manifest:
    parts: dict[Path, Path] = {}

    def place(name: str) -> Path:
        final = (data if name == DATABASE else certs) / name
        part = final.with_name(f"{name}.part")
        parts[part] = final
        made.extend((part, final))
        return part

    manifest = unpack(archive, place, lambda share: progress(share / 2))
    _check_database(archive, next(part for part in parts if parts[part].name == DATABASE), manifest, progress)
    for part, final in parts.items():
        part.rename(final)
    return manifest


def _check_database(archive: Path, database: Path, manifest: Manifest, progress: Callable[[float], None]) -> None:
    if manifest.schema > LATEST_SCHEMA:
        raise AdminFailure(
            AdminExit.REFUSED,
            f"The backup {archive} is of the newer securechat {manifest.version}. Restore it with that version",
        )
    try:
        with Snapshot(database, alone=True) as snapshot:
            wrong = damage(snapshot, lambda share: progress(0.5 + share / 2))
            if not wrong and snapshot.counts() != manifest.counts:
                wrong = ["it does not match its manifest"]
    except LogSchemaTooNew as error:
        raise AdminFailure(AdminExit.REFUSED, f"{archive}: {error}") from error
    except LogError as error:
        wrong = [str(error)]
    if wrong:
        raise AdminFailure(AdminExit.REFUSED, f"The database in {archive} is damaged ({wrong[0]}). Use another backup")


class RecoveredJournal(Struct, frozen=True):
    """The result of `recover`.

    Attributes:
        copy: of the journal as it was.
        lost: the transactions that cannot be read.
    """

    copy: Path
    lost: LostFrames


def recover(data: Path, copy_name: str, confirm: Callable[[str], None]) -> RecoveredJournal | None:
    """Drop the damaged end of a journal, of which a copy is kept.

    Args:
        data: the data directory.
        copy_name: of the copy, in the data directory.
        confirm: called with a question before anything is changed; raises to stop.

    Returns:
        The result; None when the journal is not damaged, and nothing was changed.

    Raises:
        Failure: a server runs there, or a file cannot be read or written.
    """
    database = data / DATABASE
    if not data.is_dir():
        raise AdminFailure(AdminExit.IO, f"There is no data directory {data}. Name it with --data")
    try:
        with DirectoryLock(data / LOCK):
            missing = missing_database(database)
            if missing is not None:
                raise AdminFailure(AdminExit.REFUSED, missing)
            lost = lost_end(database)
            if lost is None:
                return None
            confirm(
                f"The journal {database.name}-wal is damaged after page {lost.readable}: {extent(lost)} that were "
                f"acknowledged cannot be read and are lost. A copy of the journal is kept as {copy_name}."
            )
            accept_loss(database, data / copy_name)
    except LogLocked as error:
        raise _running(data, error) from error
    except (LogError, OSError) as error:
        raise AdminFailure(AdminExit.IO, f"Cannot recover {data}: {error}") from error
    return RecoveredJournal(data / copy_name, lost)


def _running(data: Path, error: LogLocked) -> AdminFailure:
    process = f" (process {error.process})" if error.process is not None else ""
    stop = command(Program.ADMIN, f"shutdown --data {shlex.quote(str(data))}")
    return AdminFailure(AdminExit.REFUSED, f"The server{process} is running. Stop it first: `{stop}`")


def mend(data: Path, now: dt.datetime, confirm: Callable[[str], None]) -> int:
    """Give the messages from the future the present time; return how many there were.

    Args:
        data: the data directory.
        now: the present, which must be right.
        confirm: called with a question before anything is changed; raises to stop.

    Raises:
        Failure: a server runs there, the clock is impossible, or the database cannot be read or written.
    """
    if not FIRST_YEAR <= now.year <= LAST_YEAR:
        raise AdminFailure(AdminExit.REFUSED, f"This machine's clock says {now:%Y-%m-%d}. Set it right first")
    now_ms = int(now.timestamp() * 1000)
    try:
        with DirectoryLock(data / LOCK):
            with Snapshot(data / DATABASE) as snapshot:
                newest_ms = last_message_at_ms(snapshot)
            if newest_ms > now_ms:
                confirm(
                    f"The newest message is from {shown_time(newest_ms)}, and by this machine's clock it is "
                    f"{shown_time(now_ms)}. If that is right, every later message gets the present time."
                )
            return mend_times(data / DATABASE, now_ms)
    except LogLocked as error:
        raise _running(data, error) from error
    except (LogError, DatabaseBusy, OSError) as error:
        raise AdminFailure(AdminExit.IO, f"Cannot mend {data}: {error}. Nothing was changed") from error


def _check_empty(directory: Path, flag: str) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise AdminFailure(AdminExit.REFUSED, f"Not a directory: {directory}. Choose another {flag}")
    served = is_served(directory)
    if served is not None:
        raise AdminFailure(AdminExit.REFUSED, served)
    present = sorted(path.name for path in directory.iterdir() if path.name not in _LEFTOVERS)
    if present:
        raise AdminFailure(
            AdminExit.REFUSED,
            f"The directory {directory} is not empty ({present[0]} is in it), and nothing is overwritten. "
            f"Move it away, or choose another {flag}",
        )


def _make(directory: Path, made: list[Path]) -> None:
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    made.extend(missing)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if missing:
        directory.chmod(0o700)  # mkdir's mode would pass through the umask


def _remove(made: list[Path]) -> None:
    """Undo: first the files, then the new directories."""
    for path in sorted(set(made), key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


def next_steps(data: Path, certs: Path, *, has_certificate: bool) -> list[str]:
    """Return what to do after a restore."""
    if not has_certificate:
        return [
            "The backup contains no certificate. Make one, and give every client its new fingerprint:",
            f"    {command(Program.CERTIFICATES, f'--dir {shlex.quote(str(certs))}')}",
        ]
    arguments = f"--cert {shlex.quote(str(certs / SERVER_FILE))} --data {shlex.quote(str(data))}"
    return ["Start it:", f"    {command(Program.SERVER, arguments)}"]
