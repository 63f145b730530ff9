"""A backup: one tar file with the database, the certificates, and a manifest that lets every byte be checked.

Made beside its final name as ``.part``, synced, renamed: a backup is whole or not there. The database in it is one
instant of a server that may be running. Reading one trusts nothing in it: only the members below are taken, by their
exact names, as plain files, into names of our own choosing; so a hostile tar file can write nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from securechat import __version__
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.storage.tools.backup import DATABASE, Snapshot
from securechat.tls.certificate_directory import CA_FILE, CA_KEY_FILE, SERVER_FILE
from securechat.translation import N_, _, system_error, translated, verbatim

MANIFEST = "manifest.json"
KEY_FILE = "server.key"
PEM_FILES = (SERVER_FILE, KEY_FILE, CA_FILE, CA_KEY_FILE)
FORMAT = 1

_CHUNK_BYTES = 1 << 20
_SYNC_BYTES = 16 << 20
"""Synced in pieces of this size: one sync of it all at the end would hold up the server's own for as long."""
_MOST_PEM_BYTES = 1 << 20
_MOST_MANIFEST_BYTES = 1 << 16


class ArchiveMember(Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Manifest(Struct, frozen=True):
    """The contents of a backup; its last member."""

    format: int
    version: str
    schema: int
    made_at: str
    counts: dict[str, int]
    members: dict[str, ArchiveMember]


class CertificateFiles(Struct, frozen=True):
    """The files to take along, by their name in the backup."""

    files: dict[str, Path]
    authority: bytes | None = None
    """The CA certificate, where it stands in the server's file only."""


# --- Making one -----------------------------------------------------------------------------------------------------


def make_backup(
    target: Path, data: Path, certificates: CertificateFiles, *, force: bool, progress: Callable[[float], None]
) -> Manifest:
    """Write a backup.

    Args:
        target: the tar file; its directory also holds a copy of the database for a while.
        data: the data directory.
        certificates: see there.
        force: replace ``target``.
        progress: told the share that is done, from 0 to 1.

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
        with Snapshot(data / DATABASE) as snapshot:
            _check_space(target, 2 * snapshot.bytes)
            schema, counts = snapshot.schema, snapshot.counts()
            snapshot.copy_to(copy, lambda share: progress(share / 2))
        with _private(part) as file:
            manifest = _pack(file, copy, certificates, schema, counts, lambda share: progress(0.5 + share / 2))
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


def _check_space(target: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(target.absolute().parent).free
    if free_bytes < needed_bytes:
        raise AdminFailure(
            AdminExit.IO,
            _(
                "Not enough space for {file}: {needed:size} are needed temporarily (twice the database), {free:size} "
                "are free. Free some space, or write to another disk",
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


def _pack(
    file: IO[bytes],
    database: Path,
    certificates: CertificateFiles,
    schema: int,
    counts: dict[str, int],
    progress: Callable[[float], None],
) -> Manifest:
    now = datetime.now(UTC)
    members: dict[str, ArchiveMember] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(
            name: str, source: IO[bytes], size_bytes: int, tell: Callable[[float], None] = lambda _share: None
        ) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = size_bytes, 0o600, int(now.timestamp())
            watched = _Watched(source, size_bytes, tell, file)
            tar.addfile(info, watched)
            members[name] = ArchiveMember(size_bytes, watched.sha256.hexdigest())

        with database.open("rb") as source:
            add(DATABASE, source, database.stat().st_size, progress)
        for name, content in _pem_contents(certificates):
            add(name, io.BytesIO(content), len(content))
        manifest = Manifest(FORMAT, __version__, schema, now.isoformat(timespec="seconds"), counts, dict(members))
        content = json.dumps(msgspec.to_builtins(manifest), indent=2).encode()
        add(MANIFEST, io.BytesIO(content), len(content))
    return manifest


def _pem_contents(certificates: CertificateFiles) -> Iterator[tuple[str, bytes]]:
    for name, path in certificates.files.items():
        yield name, path.read_bytes()
    if certificates.authority is not None and CA_FILE not in certificates.files:
        yield CA_FILE, certificates.authority


class _Watched:
    """A file that is hashed and synced as it is read into a tar."""

    def __init__(self, source: IO[bytes], size_bytes: int, progress: Callable[[float], None], sink: IO[bytes]) -> None:
        self.sha256 = hashlib.sha256()
        self._source, self._size_bytes, self._progress, self._sink = source, size_bytes, progress, sink
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
            self._progress(self._read_bytes / self._size_bytes)
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
                _check_member(archive, info, {*found, *([MANIFEST] if content else [])})
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


def _check_member(archive: Path, info: tarfile.TarInfo, seen: set[str]) -> None:
    most = {MANIFEST: _MOST_MANIFEST_BYTES, DATABASE: sys.maxsize, **dict.fromkeys(PEM_FILES, _MOST_PEM_BYTES)}
    if info.name not in most or info.name in seen or not info.isreg() or info.size > most[info.name]:
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
        if told.get("format") != FORMAT:
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
