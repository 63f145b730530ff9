"""`check`: finds problems of a server's files, disk, certificate, clock and database, each with its fix.

It changes nothing, and works with and without a running server; the certificate in use is asked of a running one. A
finding has a stable word for scripts.
"""

from __future__ import annotations

import datetime as dt
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from msgspec import Struct

from securechat.errors import LogError, LogSchemaTooNew, TlsFailure
from securechat.hub.wall_clock import Doubt
from securechat.programs import Program, command
from securechat.server.admin_protocol import SOCKET
from securechat.server.clock_file import doubt_sentence
from securechat.storage.directory import LOCK, is_served
from securechat.storage.sqlite.loss import find_loss
from securechat.storage.tools.backup import DATABASE, DatabaseUnreadable, Snapshot, Unreadable
from securechat.storage.tools.integrity import damage, damaged_messages, last_message_at_ms
from securechat.text.counts import counted
from securechat.text.durations import shown_duration, shown_time
from securechat.tls.chain_rules import doubts, is_late, made_here, renewal, require_usable
from securechat.tls.contexts import is_public_file
from securechat.tls.pem_bundle import Bundle, read_bundle

_WARN_DAYS = 30
"""Days before the end of the CA; each client needs a visit before it."""
_PATIENCE_WITH_CLOCKS_S = 300.0
"""A message from up to five minutes ahead is a clock that was set right since: Kerberos allows as much (RFC 4120)."""
FIRST_YEAR, LAST_YEAR = 2025, 2100
"""Before this program was written, and later than any of its certificates: an empty battery or a typing error."""
_IS_UNIX = sys.platform != "win32"
"""Windows has no such modes, and Python no such sockets there."""
_SET_CLOCK = "sudo timedatectl set-ntp true"
_ONE_MESSAGE = (
    "check the disk, which will fail again; the author can edit or delete the message, or you restore the last good "
    "backup"
)


class HealthFinding(Struct, frozen=True):
    """One problem.

    Attributes:
        word: a stable word for scripts.
        text: describes the problem.
        fix: says how to solve it; a command to copy where there is one.
    """

    word: str
    text: str
    fix: str


class HealthSubject(Struct, frozen=True, kw_only=True):
    """The server to check.

    Attributes:
        data: the data directory.
        certificate: the server's certificate file, and ``key`` of a key apart from it.
        low_disk_bytes: free space that the server wants.
        now: the time, in UTC.
        clock_doubt: the clock is far from when the server last ran; None when it is not.
    """

    data: Path
    certificate: Path
    key: Path | None
    low_disk_bytes: int
    now: dt.datetime
    clock_doubt: Doubt | None = None


def examine(subject: HealthSubject, progress: Callable[[float], None]) -> list[HealthFinding]:
    """Return all findings; the slow part, the database, comes last.

    Raises:
        OSError: the data directory cannot be looked into.
    """
    return [
        *_clock(subject),
        *_disk(subject),
        *_permissions(subject),
        *_socket(subject.data),
        *_certificate(subject),
        *_database(subject, progress),
    ]


def _clock(subject: HealthSubject) -> Iterator[HealthFinding]:
    now, doubt = subject.now, subject.clock_doubt
    if not FIRST_YEAR <= now.year <= LAST_YEAR:
        yield HealthFinding("clock", f"This machine's clock says {now:%Y-%m-%d}, which is impossible", _SET_CLOCK)
    elif doubt is not None:
        fix = (
            f"compare `date` with a watch. If it is wrong: {_SET_CLOCK}. If it is right, do nothing: the server "
            "accepts it after running for a day"
        )
        yield HealthFinding("clock", doubt_sentence(doubt), fix)


def _disk(subject: HealthSubject) -> Iterator[HealthFinding]:
    free_bytes = shutil.disk_usage(subject.data).free
    if free_bytes < subject.low_disk_bytes:
        yield HealthFinding(
            "disk",
            f"Only {free_bytes >> 20} MiB are free for {subject.data}. Under {subject.low_disk_bytes >> 20} MiB "
            "(low_disk_bytes) new messages are refused",
            f"free some space; to find it: du -xh {shlex.quote(str(subject.data.absolute().parent))} | sort -h",
        )


def _permissions(subject: HealthSubject) -> Iterator[HealthFinding]:
    yield from _too_open(subject.data, 0o700, "The data directory")
    for path in sorted(subject.data.glob(f"{DATABASE}*")):
        # With its journals, which get its mode whenever they are made: reading it just now may have made some.
        yield from _too_open(path, 0o600, "The database", also="*" if path.name == DATABASE else "")
    yield from _too_open(subject.data / LOCK, 0o600, "The lock file")
    yield from _too_open(subject.data / SOCKET, 0o600, "The administration socket")


def _too_open(path: Path, mode: int, what: str, *, also: str = "") -> Iterator[HealthFinding]:
    try:
        found = stat.S_IMODE(path.lstat().st_mode)
    except OSError:
        return
    if found & ~mode & 0o777 and _IS_UNIX:
        text = f"{what} {path} has mode {found:04o}, so other users of this machine may access it"
        yield HealthFinding("permissions", text, f"chmod {mode:o} {shlex.quote(str(path))}{also}")


def _socket(data: Path) -> Iterator[HealthFinding]:
    running, path = is_served(data) is not None, data / SOCKET
    if not os.access(data, os.X_OK):
        return  # this user may not look, as the database will tell
    if running and not path.exists() and _IS_UNIX:
        text = f"A server is running, but its socket {path} is missing, so this tool cannot reach it"
        yield HealthFinding("socket", text, "restart the server; its log says why the socket could not be made")
    if not running and path.exists():
        text = f"The socket {path} was left behind by a killed server"
        yield HealthFinding("socket", text, f"rm {shlex.quote(str(path))}  (or start the server, which replaces it)")


def _certificate(subject: HealthSubject) -> Iterator[HealthFinding]:
    try:
        bundle = read_bundle(subject.certificate, subject.key)
    except TlsFailure as failure:
        yield HealthFinding(
            "certificate",
            failure.detail,
            f"name the right file with --cert, or make one: {command(Program.CERTIFICATES)}",
        )
        return
    # The key of another program may be readable by a group (ssl-cert), and may be a link, as certbot makes one.
    mode = 0o600 if made_here(bundle.leaf) else 0o640
    yield from _too_open(bundle.key_path.resolve(), mode, "The private key")
    yield from _dates(bundle, subject.now)
    yield from _verifiable(bundle, subject.now)


def _dates(bundle: Bundle, now: dt.datetime) -> Iterator[HealthFinding]:
    renew = f"{renewal(bundle)}, then send the server SIGHUP"
    days = (bundle.not_after - now) / dt.timedelta(days=1)
    if bundle.not_before > now:
        text = (
            f"The certificate is valid from {bundle.not_before:%Y-%m-%d %H:%M} UTC on, and it is {now:%Y-%m-%d %H:%M}"
        )
        yield HealthFinding("certificate", text, f"set the clock ({_SET_CLOCK}), or renew: {renew}")
    if days <= 0:
        yield HealthFinding("certificate", f"The certificate has expired ({bundle.not_after:%Y-%m-%d})", renew)
    elif is_late(bundle, now):
        yield HealthFinding(
            "certificate",
            f"The certificate expires in {counted(round(days), 'day')} ({bundle.not_after:%Y-%m-%d})",
            renew,
        )


def _verifiable(bundle: Bundle, now: dt.datetime) -> Iterator[HealthFinding]:
    """Find why clients may be unable to verify the certificate; its dates are another finding."""
    try:
        if bundle.not_before <= now < bundle.not_after:
            require_usable(bundle, now)
    except TlsFailure as failure:
        text, _, fix = failure.detail.partition("; ")
        yield HealthFinding("certificate", text, fix or "use another certificate")
        return
    authority = bundle.authority
    if authority is None and is_public_file(bundle):
        return
    for doubt in doubts(bundle):
        yield (
            HealthFinding("certificate", *doubt.split("; ", 1))
            if "; " in doubt
            else HealthFinding("certificate", doubt, "have the certificate issued anew")
        )
    if authority is None:
        text = f"The file {bundle.path} does not contain its CA certificate, so pins and invite links cannot be used"
        yield HealthFinding(
            "certificate", text, "add the CA certificate to the end of the file, then send the server SIGHUP"
        )
    elif _days_left(authority, now) < _WARN_DAYS:
        text = f"The CA expires on {authority.not_valid_after_utc:%Y-%m-%d}; every client needs a new one"
        anew = command(Program.CERTIFICATES, "--new-ca") if made_here(bundle.leaf) else "have a new CA made"
        yield HealthFinding("certificate", text, f"{anew}, and give its fingerprint to all users")


def _days_left(certificate: x509.Certificate, now: dt.datetime) -> float:
    return (certificate.not_valid_after_utc - now) / dt.timedelta(days=1)


def _database(subject: HealthSubject, progress: Callable[[float], None]) -> Iterator[HealthFinding]:
    database = subject.data / DATABASE
    try:
        lost = find_loss(database) if is_served(subject.data) is None else None
        if lost is not None:
            yield HealthFinding("lost", lost, "see above; the server does not start before that")
            return
        with Snapshot(database) as snapshot:
            yield from _future(subject.data, last_message_at_ms(snapshot), subject.now)
            wrong = damage(snapshot, lambda share: progress(0.7 * share))
            for sentence in wrong:
                yield HealthFinding("database", sentence, _from_backup(subject.data))
            if not wrong:
                for sentence in damaged_messages(snapshot, lambda share: progress(0.7 + 0.3 * share)):
                    yield HealthFinding("message", sentence, _ONE_MESSAGE)
    except LogSchemaTooNew as error:
        yield HealthFinding("database", str(error), _READABLE[Unreadable.NEWER])
    except DatabaseUnreadable as error:
        yield HealthFinding("database", str(error), _READABLE[error.cause])
    except LogError as error:
        yield HealthFinding("database", str(error), _from_backup(subject.data))


_READABLE = {
    Unreadable.DENIED: (
        "run this as the user whom the data directory belongs to (sudo -u USER …); if its file system is mounted "
        "read-only, mount it for writing. The messages are untouched"
    ),
    Unreadable.LOCKED: (
        "close the program that holds the database (a database browser, the sqlite3 shell, a backup tool), then check "
        "again"
    ),
    Unreadable.ABSENT: (
        "name the server's data directory with --data, or start the server once, which makes the database"
    ),
    Unreadable.NEWER: "use the securechat-admin of that newer version",
}


def _from_backup(data: Path) -> str:
    restore = command(Program.ADMIN, f"restore FILE --data {shlex.quote(str(data))} --certs NEW-CERTS")
    return f"stop the server, move the data directory away, and restore the last good backup: {restore}"


def _future(data: Path, last_at_ms: int, now: dt.datetime) -> Iterator[HealthFinding]:
    ahead_s = last_at_ms / 1000 - now.timestamp()
    if ahead_s > _PATIENCE_WITH_CLOCKS_S:
        yield HealthFinding(
            "clock",
            f"The newest message is from {shown_time(last_at_ms)}, {shown_duration(ahead_s)} ahead of this machine's "
            "clock, which is slow now or was fast then. New messages get that time until the clock has passed it",
            f"compare `date` with a watch. If it is wrong: {_SET_CLOCK}. If it is right, stop the server, then: "
            f"{command(Program.ADMIN, f'check --mend-times --data {shlex.quote(str(data))}')}",
        )
