"""Checks for ``--check-config`` that certificate, data directory and addresses are usable.

The checks create, change and serve nothing, and do not disturb a running server: a port in use is no problem, because
usually that server itself uses it.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from securechat.errors import TlsFailure
from securechat.programs import Program, command
from securechat.server.config.loading import ParsedSettings, SettingError, SettingValue
from securechat.storage.sqlite.loss import missing_database
from securechat.storage.sqlite.store import DATABASE
from securechat.text.counts import counted
from securechat.tls.contexts import ServerCertificate

_FIRST_FREE_PORT = 1024
"""Below it ports need privileges on Unix (ip_unprivileged_port_start)."""


def missing_certificate(path: Path) -> str | None:
    """Return a hint when there is no certificate at all; None when there is something to read."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return (
            f"there is no certificate: {path} does not exist; make one with `{command(Program.CERTIFICATES)}`, "
            "or name yours with --cert"
        )
    except OSError:
        return None  # reading it reports the reason
    return None


def machine_problems(reading: ParsedSettings) -> Iterator[SettingError]:
    """Check what a start needs, with the permissions of the present user.

    Args:
        reading: settings that already have a problem are not checked.
    """
    wrong = {problem.key for problem in reading.problems}
    if not wrong & {"cert", "key"}:
        yield from _certificate_problems(reading.given)
    if "data" not in wrong:
        yield from _data_problems(reading.given["data"])
    if not wrong & {"host", "port"}:
        yield from _address_problems(reading.given["host"], reading.given["port"])


def _certificate_problems(given: Mapping[str, SettingValue]) -> Iterator[SettingError]:
    cert, key = given["cert"], given["key"]
    if (missing := missing_certificate(cert.value)) is not None:
        yield SettingError(cert.origin, "cert", missing)
        return
    try:
        certificate = ServerCertificate(cert.value, key.value, tls12=given["tls12"].value)
    except TlsFailure as failure:
        advice = "" if ";" in failure.detail else "; mend that, or name another certificate and key"
        yield SettingError(cert.origin, "cert", f"{failure.detail}{advice}")
        return
    now = dt.datetime.now(dt.UTC)
    if certificate.is_late(now):
        left = counted(round(certificate.days_left(now)), "day")
        reason = f"the certificate expires in {left} ({certificate.not_after:%Y-%m-%d}); {certificate.renewal}"
        yield SettingError(cert.origin, "cert", reason, is_warning=True)
    for doubt in certificate.doubts:
        yield SettingError(cert.origin, "cert", doubt, is_warning=True)


def _data_problems(data: SettingValue) -> Iterator[SettingError]:
    path: Path = data.value
    existing = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    if not existing.is_dir():
        yield SettingError(
            data.origin, "data", f"{existing} is no directory; name one, or a place where one can be made"
        )
    elif not os.access(existing, os.W_OK | os.X_OK):
        what = "write to" if existing == path else f"make {path} in"
        reason = f"this user may not {what} {existing}; change its owner, or name another directory"
        yield SettingError(data.origin, "data", reason)
    elif existing == path and (lost := missing_database(path / DATABASE)) is not None:
        yield SettingError(data.origin, "data", lost)


def _address_problems(hosts: SettingValue, port: SettingValue) -> Iterator[SettingError]:
    for host in hosts.value or ("127.0.0.1",):
        error = _bind_error(host, port.value)
        if error is None:
            continue
        if isinstance(error, socket.gaierror):  # first, because its numbers are not errno's
            yield SettingError(hosts.origin, "host", f"{host!r} means no address here; name an address of this machine")
        elif error.errno == errno.EADDRINUSE:
            continue
        elif error.errno == errno.EACCES:
            reason = f"ports below {_FIRST_FREE_PORT} need privileges; choose a higher one, or see docs/operations.md"
            yield SettingError(port.origin, "port", reason)
            return
        elif error.errno == errno.EADDRNOTAVAIL:
            yield SettingError(hosts.origin, "host", f"this machine does not have the address {host}; name one it has")
        else:
            yield SettingError(
                hosts.origin, "host", f"cannot listen on {host}: {error.strerror or error}; name another one"
            )


def _bind_error(host: str, port: int) -> OSError | None:
    """Bind without listening, for an instant; an unprivileged port is replaced by any free one."""
    tried = port if 0 < port < _FIRST_FREE_PORT else 0
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, tried, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except UnicodeError:
        return socket.gaierror(f"{host} is no name")
    except OSError as error:
        return error
    return None
