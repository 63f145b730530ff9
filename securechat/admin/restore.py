"""Restores a backup into a data directory and a certificate directory, and overwrites nothing.

It also recovers a data directory whose journal is damaged, without the lost transactions, and mends the times of
messages from the future.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from securechat.admin.backup_archive import Manifest, is_file_member, unpack
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.health import FIRST_YEAR, LAST_YEAR
from securechat.admin.tables import shown_moment
from securechat.errors import LogError, LogLocked, LogSchemaTooNew
from securechat.programs import Program, command, on_data, shown_path
from securechat.server.admin_protocol import SOCKET
from securechat.server.clock_file import NAME as CLOCK
from securechat.storage.directory import LOCK, DirectoryLock, is_served
from securechat.storage.files.layout import FileLayout
from securechat.storage.sqlite.journal import LostFrames
from securechat.storage.sqlite.loss import accept_loss, extent, lost_end, missing_database
from securechat.storage.store import DatabaseBusy
from securechat.storage.tools.backup import DATABASE, LATEST_SCHEMA, Snapshot, renew_identity
from securechat.storage.tools.integrity import damage, last_message_at_ms
from securechat.storage.tools.message_times import mend_times
from securechat.storage.tools.stored_files import RecordedFile, recorded_files
from securechat.tls.certificate_directory import SERVER_FILE
from securechat.translation import _, system_error, translated

_LEFTOVERS = frozenset({LOCK, SOCKET, CLOCK})
"""Files that a stopped server leaves in a directory emptied by ``rm *.db*``; they do not make it a data directory."""


class RestoredBackup(Struct, frozen=True):
    """The result of `restore`.

    Attributes:
        manifest: of the backup.
        files: how many files of messages were restored whole.
        missing: those that messages show and the backup has not.
        damaged: those that are not what was stored; they are restored as they are.
        surplus: ids of those that no message shows; they are not restored.
    """

    manifest: Manifest
    files: int
    missing: list[RecordedFile]
    damaged: list[RecordedFile]
    surplus: list[str]


def restore(archive: Path, data: Path, certs: Path, progress: Callable[[float], None]) -> RestoredBackup:
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
        raise AdminFailure(
            AdminExit.IO, _("Cannot restore {file}: {why}. Nothing was left behind", file=archive, why=_why(error))
        ) from error


def _why(error: Exception) -> str:
    if not isinstance(error, OSError):
        return translated(error)
    reason = translated(system_error(error))
    return f"{error.filename}: {reason}" if error.filename else reason


def _restore(
    archive: Path, data: Path, certs: Path, made: list[Path], progress: Callable[[float], None]
) -> RestoredBackup:
    parts: dict[Path, Path] = {}

    def place(name: str) -> Path:
        is_data = name == DATABASE or is_file_member(name)
        final = (data if is_data else certs) / name
        if is_file_member(name):
            for folder in (final.parent.parent, final.parent):
                if not folder.exists():
                    made.append(folder)
                    folder.mkdir(mode=0o700)
        part = final.with_name(f"{final.name}.part")
        parts[part] = final
        made.extend((part, final))
        return part

    manifest = unpack(archive, place, lambda share: progress(share / 2))
    database = next(part for part in parts if parts[part].name == DATABASE)
    _check_database(archive, database, manifest, progress)
    restored = _check_files(database, manifest)
    renew_identity(database)
    surplus = set(restored.surplus)
    for part, final in parts.items():
        if final.name[:32] in surplus:
            part.unlink()
        else:
            part.rename(final)
    return restored


def _check_files(database: Path, manifest: Manifest) -> RestoredBackup:
    """Hold the files of a backup, whose bytes are those that were packed, against its database."""
    with Snapshot(database, alone=True) as snapshot:
        recorded = recorded_files(snapshot)
    layout = FileLayout(Path())
    members = manifest.file_members()
    missing, damaged = [], []
    for each in recorded:
        names = [layout.file(each.file_id, size).as_posix() for size in each.sizes]
        if any(name not in members for name in names):
            missing.append(each)
        elif members[names[0]].sha256 != each.sha256.hex() or each.file_id in manifest.damaged_files:
            damaged.append(each)
    shown = {each.file_id for each in recorded}
    ids = {Path(name).name[:32] for name in members}
    whole = len(recorded) - len(missing) - len(damaged)
    return RestoredBackup(manifest, whole, missing, damaged, sorted(ids - shown))


def _check_database(archive: Path, database: Path, manifest: Manifest, progress: Callable[[float], None]) -> None:
    if manifest.schema > LATEST_SCHEMA:
        raise AdminFailure(
            AdminExit.REFUSED,
            _(
                "The backup {file} is of the newer securechat {version}. Restore it with that version",
                file=archive,
                version=manifest.version,
            ),
        )
    try:
        with Snapshot(database, alone=True) as snapshot:
            wrong = damage(snapshot, lambda share: progress(0.5 + share / 2))
            if not wrong and snapshot.counts() != manifest.counts:
                wrong = [_("it does not match its manifest")]
    except LogSchemaTooNew as error:
        raise AdminFailure(AdminExit.REFUSED, f"{archive}: {translated(error)}") from error
    except LogError as error:
        wrong = [translated(error)]
    if wrong:
        raise AdminFailure(
            AdminExit.REFUSED,
            _("The database in {file} is damaged ({why}). Use another backup", file=archive, why=wrong[0]),
        )


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
        raise AdminFailure(AdminExit.IO, _("There is no data directory {data}. Name it with --data", data=data))
    try:
        with DirectoryLock(data / LOCK):
            missing = missing_database(database)
            if missing is not None:
                raise AdminFailure(AdminExit.REFUSED, translated(missing))
            lost = lost_end(database)
            if lost is None:
                return None
            journal = f"{database.name}-wal"
            confirm(
                _(
                    "The journal {journal} is damaged after page {page}: {lost} that were acknowledged cannot be read "
                    "and are lost. A copy of the journal is kept as {copy}.",
                    journal=journal,
                    page=lost.readable,
                    lost=extent(lost),
                    copy=copy_name,
                )
            )
            accept_loss(database, data / copy_name)
    except LogLocked as error:
        raise _running(data, error) from error
    except (LogError, OSError) as error:
        raise AdminFailure(AdminExit.IO, _("Cannot recover {data}: {why}", data=data, why=_why(error))) from error
    return RecoveredJournal(data / copy_name, lost)


def _running(data: Path, error: LogLocked) -> AdminFailure:
    stop = on_data(Program.ADMIN, data, "shutdown")
    if error.process is None:
        sentence = _("The server is running. Stop it first: `{command}`", command=stop)
    else:
        sentence = _(
            "The server (process {process}) is running. Stop it first: `{command}`", process=error.process, command=stop
        )
    return AdminFailure(AdminExit.REFUSED, sentence)


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
        raise AdminFailure(
            AdminExit.REFUSED, _("This machine's clock says {today:date}. Set it right first", today=now)
        )
    now_ms = int(now.timestamp() * 1000)
    try:
        with DirectoryLock(data / LOCK):
            with Snapshot(data / DATABASE) as snapshot:
                newest_ms = last_message_at_ms(snapshot)
            if newest_ms > now_ms:
                confirm(
                    _(
                        "The newest message is from {newest}, and by this machine's clock it is {now}. If that is "
                        "right, every later message gets the present time.",
                        newest=shown_moment(newest_ms),
                        now=shown_moment(now_ms),
                    )
                )
            return mend_times(data / DATABASE, now_ms)
    except LogLocked as error:
        raise _running(data, error) from error
    except (LogError, DatabaseBusy, OSError) as error:
        raise AdminFailure(
            AdminExit.IO, _("Cannot mend {data}: {why}. Nothing was changed", data=data, why=_why(error))
        ) from error


def _check_empty(directory: Path, flag: str) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise AdminFailure(
            AdminExit.REFUSED,
            _("Not a directory: {directory}. Choose another {flag}", directory=directory, flag=flag),
        )
    served = is_served(directory)
    if served is not None:
        raise AdminFailure(AdminExit.REFUSED, translated(served))
    present = sorted(path.name for path in directory.iterdir() if path.name not in _LEFTOVERS)
    if present:
        raise AdminFailure(
            AdminExit.REFUSED,
            _(
                "The directory {directory} is not empty ({name} is in it), and nothing is overwritten. Move it away, "
                "or choose another {flag}",
                directory=directory,
                name=present[0],
                flag=flag,
            ),
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
            _("The backup contains no certificate. Make one, and give every client its new fingerprint:"),
            f"    {command(Program.CERTIFICATES, f'--dir {shown_path(certs)}')}",
        ]
    start = on_data(Program.SERVER, data, f"--cert {shown_path(certs / SERVER_FILE)}")
    return [_("Start it:"), f"    {start}"]
