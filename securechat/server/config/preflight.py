"""Checks for ``--check-config`` that certificate, data directory and addresses are usable.

The checks change and serve nothing, leave nothing behind, and do not disturb a running server: a port in use is no
problem, because usually that server itself uses it. `untried` tells of what they leave out.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from securechat.errors import TlsFailure
from securechat.files import NotRegular, expect_own_file
from securechat.net.descriptors import descriptor_limit
from securechat.net.listener import bind, named_twice
from securechat.net.unix_socket import why_unusable
from securechat.programs import Program, certifying, command, on_data
from securechat.server.admin_protocol import SOCKET
from securechat.server.config.loading import ParsedSettings, SettingError, SettingValue
from securechat.server.config.settings import endpoint_of
from securechat.storage.directory import LOCK, READ_ONLY, SQLITE_SUFFIXES, is_served, too_long, why_denied
from securechat.storage.search.index import SEARCH_INDEX
from securechat.storage.sqlite.loss import missing_database
from securechat.storage.sqlite.store import DATABASE
from securechat.text.local_time import local
from securechat.tls.certificate_directory import SERVER_FILE
from securechat.tls.contexts import ServerCertificate
from securechat.tls.local_addresses import private_addresses
from securechat.translation import Sentence, nsentence, system_error

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT}) if sys.platform != "win32" else frozenset({errno.ENOSPC})
_FIRST_FREE_PORT = 1024
"""Below it ports need privileges on Unix (ip_unprivileged_port_start)."""


def missing_certificate(path: Path) -> Sentence | None:
    """Return a hint when there is no certificate at all; None when there is something to read."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.name != SERVER_FILE:
            return Sentence(
                "there is no certificate: {path} does not exist; make {made} with `{certs}` and name that with --cert, "
                "or name yours",
                path=path,
                made=path.with_name(SERVER_FILE),
                certs=certifying(path),
            )
        return Sentence(
            "there is no certificate: {path} does not exist; make one with `{certs}`, or name yours with --cert",
            path=path,
            certs=certifying(path),
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
        yield from _data_problems(reading.given["data"], reading.given["low_disk_bytes"])
    if not wrong & {"host", "port"}:
        yield from _address_problems(reading.given["host"], reading.given["port"])
    if "metrics" not in wrong:
        yield from _metrics_problems(reading.given["metrics"])
    if not wrong & {"metrics", "host", "port"}:
        yield from _same_endpoint(reading.given["metrics"], reading.given["host"], reading.given["port"])
    if "reserved_descriptors" not in wrong:
        yield from _descriptor_problems(reading.given["reserved_descriptors"])


def untried(reading: ParsedSettings) -> Iterator[Sentence]:
    """Tell what a start may fail by that was not tried, one sentence each.

    Args:
        reading: settings without errors.
    """
    data: Path = reading.given["data"].value
    holder = is_served(data)
    database = data / DATABASE
    if holder is not None:
        yield Sentence("{server}. Its port, its socket and its files were not tried", server=holder)
        return
    if database.exists():
        check = on_data(Program.ADMIN, data, "check")
        yield Sentence(
            "the database {database} was not opened: `{check}` tells whether it is whole, and locked by no program",
            database=database,
            check=check,
        )
    port: int = reading.given["port"].value
    for host in _hosts(reading.given["host"]):
        error = _bind_error(host, port)
        if error is not None and error.errno == errno.EADDRINUSE and not isinstance(error, socket.gaierror):
            yield Sentence(
                "port {port} of {host} is in use now. The server cannot start before that program has ended; if it is "
                "not an earlier server that you replace, choose another --port",
                port=port,
                host=host,
            )
    metrics: str = reading.given["metrics"].value
    if (error := _metrics_error(metrics)) is not None and error.errno == errno.EADDRINUSE:
        yield Sentence(
            "the address {address} for metrics is in use now. The server cannot start before that program has ended; "
            "else choose another --metrics",
            address=metrics,
        )


def _certificate_problems(given: Mapping[str, SettingValue]) -> Iterator[SettingError]:
    cert, key = given["cert"], given["key"]
    if (missing := missing_certificate(cert.value)) is not None:
        yield SettingError(cert.origin, "cert", missing)
        return
    try:
        certificate = ServerCertificate(cert.value, key.value, tls12=given["tls12"].value)
    except TlsFailure as failure:
        reason: str = failure.detail
        if ";" not in reason:
            reason = Sentence("{problem}; mend that, or name another certificate and key", problem=reason)
        yield SettingError(cert.origin, "cert", reason)
        return
    now = dt.datetime.now(dt.UTC)
    if certificate.is_late(now):
        reason = nsentence(
            "the certificate expires in {count} day ({on:date}); {renewal}",
            "the certificate expires in {count} days ({on:date}); {renewal}",
            round(certificate.days_left(now)),
            on=local(certificate.not_after),
            renewal=certificate.renewal,
        )
        yield SettingError(cert.origin, "cert", reason, is_warning=True)
    for doubt in certificate.doubts:
        yield SettingError(cert.origin, "cert", doubt, is_warning=True)


def _data_problems(data: SettingValue, low_disk: SettingValue) -> Iterator[SettingError]:
    path: Path = data.value
    if (reason := too_long(path)) is not None:
        yield SettingError(data.origin, "data", reason)
        return
    existing = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    if not existing.is_dir():
        obstacle = Sentence("{path} is no directory; name one, or a place where one can be made", path=existing)
        yield SettingError(data.origin, "data", obstacle)
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        yield SettingError(data.origin, "data", _not_writable(path, existing))
    elif (error := _making_error(path, existing)) is not None:
        yield SettingError(data.origin, "data", _takes_nothing(path, existing, error))
        return
    elif existing == path:
        yield from _file_problems(data)
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < low_disk.value:
        scarcity = Sentence(
            "{free} MiB are free on the disk of {path}, and under {least} MiB (low_disk_bytes) new messages are "
            "refused; free some space",
            free=free_bytes >> 20,
            path=existing,
            least=low_disk.value >> 20,
        )
        yield SettingError(data.origin, "data", scarcity, is_warning=True)


def _making_error(path: Path, existing: Path) -> OSError | None:
    """Make a file as a start does, where need be in a new directory, for an instant: /proc and /sys take none.

    A full disk is no error: a start may get on with what is there, and the free space has a warning of its own.
    """
    try:
        if existing == path:
            tempfile.TemporaryFile(dir=path).close()
        else:
            with tempfile.TemporaryDirectory(prefix=".securechat-check-", dir=existing) as made:
                tempfile.TemporaryFile(dir=made).close()
    except OSError as error:
        return None if error.errno in _FULL else error
    return None


def _takes_nothing(path: Path, existing: Path, error: OSError) -> Sentence:
    why = system_error(error)
    if existing == path:
        return Sentence(
            "no file can be made in {path}: {why}; name another directory with --data", path=existing, why=why
        )
    return Sentence(
        "no directory with files can be made in {path}: {why}; name another place with --data", path=existing, why=why
    )


def _not_writable(path: Path, existing: Path) -> Sentence:
    if existing == path or _is_read_only(existing):
        return Sentence("this user may not write to {path}. {remedy}", path=existing, remedy=_remedy(existing))
    return Sentence(
        "this user may not make {path} in {parent}; make it for this user, or name another directory",
        path=path,
        parent=existing,
    )


def _remedy(directory: Path) -> Sentence:
    """Return the remedy for a directory that cannot be written; the two causes need different ones."""
    return READ_ONLY if _is_read_only(directory) else why_denied(directory)


if sys.platform == "win32":

    def _is_read_only(_directory: Path) -> bool:
        return False

else:

    def _is_read_only(directory: Path) -> bool:
        return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)


def _file_problems(data: SettingValue) -> Iterator[SettingError]:
    """Look at the files in a data directory, by their names, kinds and modes; their content is not read."""
    path: Path = data.value
    if (lost := missing_database(path / DATABASE)) is not None:
        yield SettingError(data.origin, "data", lost)
    for name in (LOCK, DATABASE, *(f"{DATABASE}{suffix}" for suffix in SQLITE_SUFFIXES)):
        try:
            expect_own_file(path / name)
        except NotRegular as error:
            yield SettingError(data.origin, "data", error.sentence)
            continue
        if os.path.lexists(path / name) and not os.access(path / name, os.R_OK | os.W_OK):
            reason = Sentence(
                "this user may not read and write {path}. {remedy}", path=path / name, remedy=_remedy(path)
            )
            yield SettingError(data.origin, "data", reason)
    try:
        expect_own_file(path / SEARCH_INDEX)
    except NotRegular as error:
        reason = Sentence("searches will not work: {why}", why=error.sentence)
        yield SettingError(data.origin, "data", reason, is_warning=True)
    if is_served(path) is None and (obstacle := why_unusable(path / SOCKET)) is not None:
        reason = Sentence("{admin} will not reach this server: {why}", admin=command(Program.ADMIN), why=obstacle)
        yield SettingError(data.origin, "data", reason, is_warning=True)


def _hosts(hosts: SettingValue) -> Sequence[str]:
    return hosts.value or tuple(str(address) for address in private_addresses())


def _address_problems(hosts: SettingValue, port: SettingValue) -> Iterator[SettingError]:
    for host in _hosts(hosts):
        error = _bind_error(host, port.value)
        if error is None:
            continue
        if isinstance(error, socket.gaierror):  # first, because its numbers are not errno's
            reason = Sentence("{host} means no address here; name an address of this machine", host=repr(host))
            yield SettingError(hosts.origin, "host", reason)
        elif error.errno == errno.EADDRINUSE:
            continue  # `untried` tells
        elif error.errno == errno.EACCES:
            reason = Sentence(
                "ports below {port} need privileges; choose a higher one, or see docs/operations.md",
                port=_FIRST_FREE_PORT,
            )
            yield SettingError(port.origin, "port", reason)
            return
        elif error.errno == errno.EADDRNOTAVAIL:
            reason = Sentence("this machine does not have the address {host}; name one it has", host=host)
            yield SettingError(hosts.origin, "host", reason)
        else:
            reason = Sentence("cannot listen on {host}: {why}; name another one", host=host, why=system_error(error))
            yield SettingError(hosts.origin, "host", reason)
    if (twice := named_twice(hosts.value)) is not None:
        yield SettingError(hosts.origin, "host", twice)


def _metrics_problems(metrics: SettingValue) -> Iterator[SettingError]:
    error = _metrics_error(metrics.value)
    if error is not None and error.errno != errno.EADDRINUSE:
        reason = Sentence(
            "metrics cannot be served on {where}: {why}; choose another address or port",
            where=metrics.value,
            why=system_error(error),
        )
        yield SettingError(metrics.origin, "metrics", reason)


def _same_endpoint(metrics: SettingValue, hosts: SettingValue, port: SettingValue) -> Iterator[SettingError]:
    """Find that metrics and chat want the same address and port: each could listen there, but not both."""
    host, metrics_port = endpoint_of(metrics.value)
    if host is None or not metrics_port or metrics_port != port.value:
        return
    if named_twice((*_hosts(hosts), host)) is not None:
        reason = Sentence("the chat listens on {where} too; choose another port for metrics", where=metrics.value)
        yield SettingError(metrics.origin, "metrics", reason)


def _metrics_error(address: str) -> OSError | None:
    host, port = endpoint_of(address)
    return None if host is None or port is None else _bind_error(host, port)


def _bind_error(host: str, port: int) -> OSError | None:
    """Bind as a listener does, without listening, for an instant."""
    try:
        bind(host, port).close()
    except UnicodeError:
        return socket.gaierror(socket.EAI_NONAME, Sentence("{host} is no name", host=host))
    except OSError as error:
        return error
    return None


def _descriptor_problems(reserved: SettingValue) -> Iterator[SettingError]:
    limit = descriptor_limit()
    if limit <= reserved.value:
        reason = nsentence(
            "this process may open {count} file (ulimit -n), and {reserved} are kept in reserve, so no client could "
            "connect; allow at least {least}, better 1024",
            "this process may open {count} files (ulimit -n), and {reserved} of them are kept in reserve, so no client "
            "could connect; allow at least {least}, better 1024",
            limit,
            reserved=reserved.value,
            least=reserved.value + 1,
        )
        yield SettingError(reserved.origin, "reserved_descriptors", reason, is_warning=True)
