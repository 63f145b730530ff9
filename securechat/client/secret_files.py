"""Reads the user's secret files: a password file, or a client certificate to add.

A password file that other users can read is refused, as ssh refuses such keys. A password may also come from a pipe,
such as a shell makes for ``--password-file <(pass show chat)``. Nothing read here is shown.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import ssl
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from select import select

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.errors import ConfigError, TlsFailure
from securechat.files import open_regular
from securechat.tls.client_certificates import prove_key, read_client_bundle
from securechat.translation import system_error

_MOST_BYTES = 4096
"""Bytes read of a password file: several times the longest password."""
_PIPE_S = 60.0
"""Time for the program at the other end to write the password: it may have to ask its user for another one first."""
_LABEL_CHARS = 64
"""model.AddCertificate"""


def read_password_file(path: Path, told: Callable[[str, str], str] = catalogue.accounts.password_file) -> str:
    """Return the password, the first line of a file.

    Args:
        path: the file.
        told: makes the message from the path and what is wrong with the file.

    Raises:
        ConfigError: it cannot be read, is open to others, or is empty; ``reason`` is the message.
    """
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # --password-file <(pass show chat)
            line = _from_pipe(path)
        else:
            with open_regular(path) as file:
                if _is_open_to_others(os.fstat(file.fileno())):
                    raise _unusable(path, told, catalogue.accounts.file_open_to_others(str(path)))
                line = file.read(_MOST_BYTES)
        line = line.split(b"\n")[0].rstrip(b"\r")
        if len(line) >= _MOST_BYTES:
            raise _unusable(path, told, catalogue.accounts.FILE_TOO_LONG())
    except OSError as error:
        raise _unusable(path, told, system_error(error)) from None
    try:
        password = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unusable(path, told, catalogue.accounts.FILE_NO_TEXT()) from None
    if not password:
        raise _unusable(path, told, catalogue.accounts.FILE_EMPTY())
    return password


def _is_open_to_others(status: os.stat_result) -> bool:
    return sys.platform != "win32" and bool(status.st_mode & 0o077)


def _from_pipe(path: Path) -> bytes:
    """Read from a pipe until it is closed, or nothing arrives for too long.

    Raises:
        OSError: nothing was written in time; it cannot be opened.
    """
    data = b""
    deadline = time.monotonic() + _PIPE_S
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        while b"\n" not in data and len(data) < _MOST_BYTES:
            ready, _, _ = select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(errno.ETIMEDOUT, catalogue.accounts.PIPE_SILENT(), str(path))
            if not (more := os.read(descriptor, _MOST_BYTES - len(data))):
                break
            data += more
    finally:
        os.close(descriptor)
    return data


def _unusable(path: Path, told: Callable[[str, str], str], why: str) -> ConfigError:
    return ConfigError(path, "--password-file", told(str(path), why))


def certificate_to_add(typed: str, context: ssl.SSLContext, sender_id: int) -> actions.AddLoginCertificate | str:
    """Return the action for ``/cert add FILE``, or the error message about the file.

    Args:
        typed: the file: a client certificate with its private key, in it or beside it.
        context: of the connection, which trusts the server's CA.
        sender_id: of the account to add it to.
    """
    path = Path(typed.strip("\"'"))
    try:
        path = path.expanduser()
        bundle = read_client_bundle(path, dt.datetime.now(dt.UTC))
        proof = prove_key(bundle, context.get_ca_certs(binary_form=True), sender_id)
    except TlsFailure as failure:
        return catalogue.accounts.certificate_file(failure.detail)
    except RuntimeError:
        return catalogue.accounts.certificate_file(catalogue.accounts.no_home(typed))
    return actions.AddLoginCertificate(proof.fingerprint, path.name[:_LABEL_CHARS], proof.key, proof.proof)
