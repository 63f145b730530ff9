"""Writes files whole or not at all, and keeps secrets unreadable to other users at every instant."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from securechat.errors import TlsFailure, TlsProblem
from securechat.files import open_regular
from securechat.tls.advice import ProblemSentence
from securechat.translation import Sentence, system_error

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644

_MAX_PEM_BYTES = 1024 * 1024
"""A long public chain is under 20 KiB; a larger file is the wrong one."""


def bad_file(path: Path, why: str, advice: str = "") -> TlsFailure:
    """Make the failure for a file that cannot be read, written or used.

    Args:
        path: the file.
        why: what is wrong with it, as it stands after a colon.
        advice: what to do about it.
    """
    # Translators: a file and what is wrong with it, such as "ca.pem: is no CA certificate"
    what = Sentence("{path}: {why}", path=path, why=why)
    return TlsFailure(TlsProblem.BAD_FILE, ProblemSentence(what, advice) if advice else what)


def os_reason(error: OSError) -> str:
    """The system's description of an error, without errno and path."""
    return system_error(error)


def read_pem(path: Path) -> bytes:
    """Read a PEM file.

    Raises:
        TlsFailure: BAD_FILE when it is missing, unreadable, not a regular file, or too large.
    """
    try:
        with open_regular(path) as file:
            data = file.read(_MAX_PEM_BYTES + 1)
    except OSError as error:
        raise bad_file(path, Sentence("cannot be read: {why}", why=system_error(error))) from error
    if len(data) > _MAX_PEM_BYTES:
        raise bad_file(path, Sentence("is over 1 MiB, which no certificate file is"))
    return data


def write_pem(path: Path, data: bytes, *, mode: int, replace: bool) -> None:
    """Write a file so that a reader, or a crash, leaves the old content or the new, never a part.

    Args:
        path: the file; its directory is created (0700) when missing.
        data: the whole content.
        mode: its permissions, whatever the umask.
        replace: whether an existing file may be replaced.

    Raises:
        TlsFailure: BAD_FILE when it cannot be written, or exists and ``replace`` is false.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(temporary, data, mode)
        try:
            _put_in_place(temporary, path, replace=replace)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except FileExistsError as error:
        if error.filename2 is None and path.parent.exists() and not path.parent.is_dir():
            raise bad_file(path.parent, Sentence("is no directory"), Sentence("name another one with --dir")) from error
        raise bad_file(path, Sentence("exists already and is not overwritten")) from error
    except OSError as error:
        raise bad_file(path, Sentence("cannot be written: {why}", why=system_error(error))) from error


def _write_new(path: Path, data: bytes, mode: int) -> None:
    # Created with the final mode, so a secret is never readable by others; O_EXCL follows no planted link.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if sys.platform != "win32":
                os.fchmod(descriptor, mode)  # the umask has removed bits of a public file
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _put_in_place(temporary: Path, path: Path, *, replace: bool) -> None:
    if not replace:
        # A hard link fails when the target exists, even against a second run that won the race.
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: check, then rename, and the race is a few microseconds
            if path.exists():
                raise FileExistsError(17, "exists", str(temporary), None, str(path)) from None
        else:
            return
    temporary.replace(path)


def _sync_directory(directory: Path) -> None:
    # Not on Windows: directories cannot be opened there, and NTFS journals the rename.
    if sys.platform != "win32":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
