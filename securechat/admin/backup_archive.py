"""A backup: one tar file with database, files, certificates, and a manifest that lets every byte be checked.

Made beside its final name as ``.part``, synced, renamed: a backup is whole or not there. The database in it is one
instant of a server that may be running, and the files are those that its messages show: none is unlinked while they
are packed (`securechat.storage.files.backup_lock`). Reading one trusts nothing in it: only the members below are taken,
by their exact names, as plain files, into names of our own choosing; so a hostile tar file can write nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from securechat import __version__
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.files import open_regular
from securechat.storage.files.backup_lock import holding_files
from securechat.storage.files.layout import FileLayout
from securechat.storage.tools.backup import DATABASE, Snapshot
from securechat.storage.tools.stored_files import FileState, RecordedFile, recorded_files
from securechat.tls.certificate_directory import CA_FILE, CA_KEY_FILE, SERVER_FILE
from securechat.translation import N_, _, system_error, translated, verbatim

MANIFEST = "manifest.json"
KEY_FILE = "server.key"
PEM_FILES = (SERVER_FILE, KEY_FILE, CA_FILE, CA_KEY_FILE)
FORMAT = 2
_FORMATS = (1, 2)
"""Those that can be restored; the first has no files."""

_CHUNK_BYTES = 1 << 20
_SYNC_BYTES = 16 << 20
"""Synced in pieces of this size: one sync of it all at the end would hold up the server's own for as long."""
_MOST_PEM_BYTES = 1 << 20
_MOST_MANIFEST_BYTES = 64 << 20
"""It names each file of messages in some 130 bytes."""
_FILE_MEMBER = re.compile(r"files/([0-9a-f]{2})/\1[0-9a-f]{30}(?:\.[1-9][0-9]{0,4})?", re.ASCII)


class ArchiveMember(Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Manifest(Struct, frozen=True):
    """The contents of a backup; its last member.

    Attributes:
        format: of the archive.
        version: of the securechat that made it.
        schema: of the database.
        made_at: when, ISO 8601.
        counts: rows of tables of the database.
        members: everything else in it, by name.
        files: whether the files of messages are in it; None in a backup of a version without files.
        missing_files: ids of those that messages show and that were not on the disk.
        damaged_files: ids of those that were not what was stored; they are in it as they are.
    """

    format: int
    version: str
    schema: int
    made_at: str
    counts: dict[str, int]
    members: dict[str, ArchiveMember]
    files: bool | None = None
    missing_files: list[str] = []
    damaged_files: list[str] = []

    def file_members(self) -> dict[str, ArchiveMember]:
        """The files of messages and their smaller copies."""
        return {name: member for name, member in self.members.items() if is_file_member(name)}


def is_file_member(name: str) -> bool:
    """Return whether a member is a file of a message, or a smaller copy of one."""
    return _FILE_MEMBER.fullmatch(name) is not None


class CertificateFiles(Struct, frozen=True):
    """The files to take along, by their name in the backup."""

    files: dict[str, Path]
    authority: bytes | None = None
    """The CA certificate, where it stands in the server's file only."""


# --- Making one -----------------------------------------------------------------------------------------------------


def make_backup(
    target: Path,
    data: Path,
    certificates: CertificateFiles,
    *,
    force: bool,
    progress: Callable[[float], None],
    with_files: bool = True,
) -> Manifest:
    """Write a backup.

    Args:
        target: the tar file; its directory also holds a copy of the database for a while.
        data: the data directory.
        certificates: see there.
        force: replace ``target``.
        progress: told the share that is done, from 0 to 1.
        with_files: pack the files that the messages show, too.

    Raises:
        Failure: it exists, there is no space, or something cannot be read or written. Nothing is left behind.
        LogError: the database cannot be read.
    """
    if target.exists() and not force:
        raise AdminFailure(
            AdminExit.REFUSED,
            _("The file {file} exists. Choose another name, or add --force to replace it", file=target),
        )
    part, copy = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.db.part")
    try:
        for leftover in (part, copy):  # of a run that was killed
            leftover.unlink(missing_ok=True)
        with contextlib.ExitStack() as stack:
            layout = FileLayout(data)
            if with_files:  # before the database is read: what it shows stays on the disk from then on
                stack.enter_context(holding(layout))
            with Snapshot(data / DATABASE) as snapshot:
                recorded = recorded_files(snapshot) if with_files else []
                _check_space(target, 2 * snapshot.bytes, sum(each.kept_bytes for each in recorded))
                schema, counts = snapshot.schema, snapshot.counts()
                snapshot.copy_to(copy, lambda share: progress(share / 2))
            file = stack.enter_context(_private(part))
            manifest = _Packing(file, lambda share: progress(0.5 + share / 2)).pack(
                copy,
                layout,
                recorded,
                certificates,
                Manifest(FORMAT, __version__, schema, "", counts, {}, with_files),
            )
        copy.unlink()
        part.replace(target)
        _sync_directory(target.parent)
    except OSError as error:
        raise AdminFailure(AdminExit.IO, _unwritten(target, error)) from error
    finally:
        for rest in (part, copy, copy.with_name(f"{copy.name}-journal")):
            with contextlib.suppress(OSError):
                rest.unlink(missing_ok=True)
    return manifest


def _unwritten(target: Path, error: OSError) -> str:
    problem = _("Cannot write {file}: {why}. Nothing was left behind", file=target, why=system_error(error))
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            remedy = _("Make its directory first, or choose another FILE")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            remedy = _("Choose a FILE in a directory that this user may write to")
        case errno.ENOSPC | errno.EFBIG:
            remedy = _("Free some space, or write to another disk")
        case _other:
            return problem
    return f"{problem}. {remedy}"


@contextlib.contextmanager
def holding(layout: FileLayout) -> Iterator[None]:
    """Keep the files of messages on the disk; see `holding_files`.

    Raises:
        Failure: the lock's file cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(holding_files(layout))
        except OSError as error:
            raise AdminFailure(
                AdminExit.IO,
                _(
                    "Cannot hold the files in {directory}: {why}. Run this as the user whom the data directory belongs "
                    "to, or leave the files out",
                    directory=layout.directory,
                    why=system_error(error),
                ),
            ) from error
        yield


def _check_space(target: Path, database_bytes: int, files_bytes: int) -> None:
    needed_bytes = database_bytes + files_bytes
    free_bytes = shutil.disk_usage(target.absolute().parent).free
    if free_bytes < needed_bytes:
        raise AdminFailure(
            AdminExit.IO,
            _(
                "Not enough space for {file}: {needed:size} are needed for a while (twice the database, and the "
                "files), {free:size} are free. Free some space, or write to another disk",
                file=target,
                needed=needed_bytes,
                free=free_bytes,
            ),
        )


@contextlib.contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    """A new file (0600), synced at the end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


class _Packing:
    """The making of one tar file.

    Args:
        file: it.
        progress: told the share that is done, from 0 to 1.
    """

    def __init__(self, file: IO[bytes], progress: Callable[[float], None]) -> None:
        self._file = file
        self._progress = progress
        self._members: dict[str, ArchiveMember] = {}
        self._now = datetime.now(UTC)
        self._done_bytes = self._total_bytes = 0

    def pack(
        self,
        database: Path,
        layout: FileLayout,
        recorded: Sequence[RecordedFile],
        certificates: CertificateFiles,
        manifest: Manifest,
    ) -> Manifest:
        """Pack everything; the manifest is completed and comes last."""
        missing: list[str] = []
        damaged: list[str] = []
        self._total_bytes = database.stat().st_size + sum(each.kept_bytes for each in recorded)
        with tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            with database.open("rb") as source:
                self._add(tar, DATABASE, source, database.stat().st_size)
            for name, content in _pem_contents(certificates):
                self._add(tar, name, io.BytesIO(content), len(content))
            for each in recorded:
                match self._add_file(tar, layout, each):
                    case FileState.MISSING:
                        missing.append(each.file_id)
                    case FileState.DAMAGED:
                        damaged.append(each.file_id)
                    case FileState.WHOLE:
                        pass
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep one record for each until the end
            manifest = replace(
                manifest,
                made_at=self._now.isoformat(timespec="seconds"),
                members=dict(self._members),
                missing_files=missing,
                damaged_files=damaged,
            )
            content = json.dumps(msgspec.to_builtins(manifest), indent=2).encode()
            self._add(tar, MANIFEST, io.BytesIO(content), len(content))
        return manifest

    def _add_file(self, tar: tarfile.TarFile, layout: FileLayout, recorded: RecordedFile) -> FileState:
        """Pack a file with its smaller copies, as they are."""
        state = FileState.WHOLE
        for size in recorded.sizes:
            path = layout.file(recorded.file_id, size)
            try:
                source = open_regular(path)
            except OSError:
                state = FileState.MISSING
                continue
            with source:
                name = f"files/{path.parent.name}/{path.name}"
                padded = _Padded(source)
                self._add(tar, name, padded, os.fstat(source.fileno()).st_size)
            is_other = size is None and self._members[name].sha256 != recorded.sha256.hex()
            if state is FileState.WHOLE and (padded.failed or is_other):
                state = FileState.DAMAGED
        return state

    def _add(self, tar: tarfile.TarFile, name: str, source: _Readable, size_bytes: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size_bytes, 0o600, int(self._now.timestamp())
        before = self._done_bytes
        watched = _Watched(source, lambda read_bytes: self._tell(before + read_bytes), self._file)
        tar.addfile(info, watched)
        self._members[name] = ArchiveMember(size_bytes, watched.sha256.hexdigest())
        self._done_bytes += size_bytes

    def _tell(self, done_bytes: int) -> None:
        self._progress(min(1.0, done_bytes / max(1, self._total_bytes)))


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes:
        """As files do."""


class _Padded:
    """A file of the length that was told, whatever the disk makes of it: zeros stand for what cannot be read."""

    def __init__(self, source: IO[bytes]) -> None:
        self.failed = False
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        """As files do; never less than asked for."""
        try:
            data = self._source.read(size)
        except OSError:
            data = b""
        if len(data) < size:
            self.failed = True
        return data.ljust(size, b"\0")


def _pem_contents(certificates: CertificateFiles) -> Iterator[tuple[str, bytes]]:
    for name, path in certificates.files.items():
        yield name, path.read_bytes()
    if certificates.authority is not None and CA_FILE not in certificates.files:
        yield CA_FILE, certificates.authority


class _Watched:
    """A file that is hashed and synced as it is read into a tar."""

    def __init__(self, source: _Readable, progress: Callable[[int], None], sink: IO[bytes]) -> None:
        self.sha256 = hashlib.sha256()
        self._source, self._progress, self._sink = source, progress, sink
        self._read_bytes = self._synced_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """As files do."""
        data = self._source.read(size)
        self.sha256.update(data)
        self._read_bytes += len(data)
        if self._read_bytes - self._synced_bytes >= _SYNC_BYTES:
            self._synced_bytes = self._read_bytes
            self._sink.flush()
            os.fsync(self._sink.fileno())
            self._progress(self._read_bytes)
        return data


# --- Reading one ----------------------------------------------------------------------------------------------------


def unpack(archive: Path, place: Callable[[str], Path | None], progress: Callable[[float], None]) -> Manifest:
    """Take a backup apart, and check that every byte is what was packed.

    Args:
        archive: the tar file.
        place: where a member goes; None leaves it out. The file must not exist; it is made 0600.
        progress: told the share that is done, from 0 to 1.

    Raises:
        Failure: it is no backup, a damaged one, or of a newer version; or a file cannot be written.
    """
    found: dict[str, ArchiveMember] = {}
    content = b""
    try:
        size_bytes = max(1, archive.stat().st_size)
        with tarfile.open(archive, mode="r:") as tar:
            for info in tar:
                is_seen = info.name in found or bool(content and info.name == MANIFEST)
                _check_member(archive, info, is_seen=is_seen)
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep one record for each until the end
                source = tar.extractfile(info)
                assert source is not None  # a plain file always has one
                if info.name == MANIFEST:
                    content = source.read(_MOST_MANIFEST_BYTES)
                else:
                    found[info.name] = _take(source, place(info.name))
                progress((info.offset_data + info.size) / size_bytes)
    except (tarfile.TarError, EOFError) as error:
        raise _no_backup(archive, translated(verbatim(str(error)))) from error
    except OSError as error:
        raise AdminFailure(
            AdminExit.IO, _("Cannot unpack {file}: {why}", file=archive, why=system_error(error))
        ) from error
    return _check_manifest(archive, content, found)


_TAR_REASONS = (
    N_("bad checksum"),
    N_("empty file"),
    N_("empty header"),
    N_("end of file header"),
    N_("invalid header"),
    N_("truncated header"),
    N_("unexpected end of data"),
)
"""What the standard library finds wrong with a tar file."""


def _check_member(archive: Path, info: tarfile.TarInfo, *, is_seen: bool) -> None:
    most = {MANIFEST: _MOST_MANIFEST_BYTES, DATABASE: sys.maxsize, **dict.fromkeys(PEM_FILES, _MOST_PEM_BYTES)}
    if is_file_member(info.name):
        most[info.name] = sys.maxsize
    if info.name not in most or is_seen or not info.isreg() or info.size > most[info.name]:
        raise _no_backup(archive, _("it contains a file that no backup contains"))


def _take(source: IO[bytes], target: Path | None) -> ArchiveMember:
    sha256, size_bytes = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_private(target)) if target is not None else None
        while data := source.read(_CHUNK_BYTES):
            sha256.update(data)
            size_bytes += len(data)
            if file is not None:
                file.write(data)
    return ArchiveMember(size_bytes, sha256.hexdigest())


def _check_manifest(archive: Path, content: bytes, found: dict[str, ArchiveMember]) -> Manifest:
    try:
        told: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        if told.get("format") not in _FORMATS:
            raise AdminFailure(
                AdminExit.REFUSED,
                _("The backup {file} was made by a newer securechat. Restore it with that version", file=archive),
            )
        manifest = msgspec.convert(told, Manifest)
    except msgspec.DecodeError as error:
        raise _no_backup(archive, _("its manifest is missing or damaged")) from error
    if manifest.members.keys() != found.keys() or DATABASE not in found:
        raise _no_backup(archive, _("it does not contain the files that its manifest names"))
    changed = [name for name, member in found.items() if manifest.members[name] != member]
    if changed:
        raise _no_backup(archive, _("changed since it was made: {names}", names=", ".join(changed)))
    return manifest


def _no_backup(archive: Path, why: str) -> AdminFailure:
    return AdminFailure(
        AdminExit.REFUSED,
        _(
            "The file {file} is not a securechat backup, or it is damaged ({why}). Use another one",
            file=archive,
            why=why,
        ),
    )


def _sync_directory(path: Path) -> None:
    """Make the new name durable. Windows can open no directory, and needs not: NTFS journals its names."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
