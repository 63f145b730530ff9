"""`check`: finds problems of a server's disk, certificate, clock, database and files, each with its fix.

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

from securechat.admin.tables import shown_moment
from securechat.errors import LogError, LogSchemaTooNew, TlsFailure
from securechat.hub.wall_clock import Doubt
from securechat.programs import Program, certifying, on_data, restoring, shown_path
from securechat.server.admin_protocol import SOCKET
from securechat.server.clock_file import doubt_sentence
from securechat.storage.directory import LOCK, is_served
from securechat.storage.files.layout import FileLayout
from securechat.storage.sqlite.loss import find_loss
from securechat.storage.tools.backup import DATABASE, DatabaseUnreadable, Snapshot, Unreadable
from securechat.storage.tools.integrity import damage, damaged_messages, last_message_at_ms, webhooks_off
from securechat.storage.tools.stored_files import compare_files
from securechat.text.sanitize import one_line
from securechat.tls.chain_rules import doubts, is_late, made_here, renewal, require_usable
from securechat.tls.contexts import is_public_file
from securechat.tls.pem_bundle import Bundle, read_bundle
from securechat.translation import LazyText, _, ngettext, translated

_WARN_DAYS = 30
"""Days before the end of the CA; each client needs a visit before it."""
_PATIENCE_WITH_CLOCKS_S = 300.0
"""A message from up to five minutes ahead is a clock that was set right since: Kerberos allows as much (RFC 4120)."""
FIRST_YEAR, LAST_YEAR = 2025, 2100
"""Before this program was written, and later than any of its certificates: an empty battery or a typing error."""
_IS_UNIX = sys.platform != "win32"
"""Windows has no such modes, and Python no such sockets there."""
_SET_CLOCK = "sudo timedatectl set-ntp true"
_ONE_MESSAGE = LazyText(
    "check the disk, which will fail again; the author can edit or delete the message, or you restore the last good "
    "backup"
)
_ONE_FILE = LazyText(
    "check the disk, which will fail again; the author can delete the message, or you take the file from the last good "
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
        text = _("This machine's clock says {today:date}, which is impossible", today=now)
        yield HealthFinding("clock", text, _SET_CLOCK)
    elif doubt is not None:
        fix = _(
            "compare `date` with a watch. If it is wrong: {command}. If it is right, do nothing: the server accepts it "
            "after running for a day",
            command=_SET_CLOCK,
        )
        yield HealthFinding("clock", translated(doubt_sentence(doubt)), fix)


def _disk(subject: HealthSubject) -> Iterator[HealthFinding]:
    free_bytes = shutil.disk_usage(subject.data).free
    if free_bytes < subject.low_disk_bytes:
        search = f"du -xh {shlex.quote(str(subject.data.absolute().parent))} | sort -h"
        yield HealthFinding(
            "disk",
            _(
                "Only {free:size} are free for {data}. Under {low:size} (low_disk_bytes) new messages are refused",
                free=free_bytes,
                data=subject.data,
                low=subject.low_disk_bytes,
            ),
            _("free some space; to find it: {command}", command=search),
        )


_TOO_OPEN_DATA = LazyText("The data directory {path} has mode {mode}, so other users of this machine may access it")
_TOO_OPEN_DATABASE = LazyText("The database {path} has mode {mode}, so other users of this machine may access it")
_TOO_OPEN_LOCK = LazyText("The lock file {path} has mode {mode}, so other users of this machine may access it")
_TOO_OPEN_SOCKET = LazyText(
    "The administration socket {path} has mode {mode}, so other users of this machine may access it"
)
_TOO_OPEN_KEY = LazyText("The private key {path} has mode {mode}, so other users of this machine may access it")


def _permissions(subject: HealthSubject) -> Iterator[HealthFinding]:
    yield from _too_open(subject.data, 0o700, _TOO_OPEN_DATA)
    for path in sorted(subject.data.glob(f"{DATABASE}*")):
        # With its journals, which get its mode whenever they are made: reading it just now may have made some.
        yield from _too_open(path, 0o600, _TOO_OPEN_DATABASE, also="*" if path.name == DATABASE else "")
    yield from _too_open(subject.data / LOCK, 0o600, _TOO_OPEN_LOCK)
    yield from _too_open(subject.data / SOCKET, 0o600, _TOO_OPEN_SOCKET)


def _too_open(path: Path, mode: int, sentence: LazyText, *, also: str = "") -> Iterator[HealthFinding]:
    try:
        found = stat.S_IMODE(path.lstat().st_mode)
    except OSError:
        return
    if found & ~mode & 0o777 and _IS_UNIX:
        text = sentence(path=path, mode=f"{found:04o}")
        yield HealthFinding("permissions", text, f"chmod {mode:o} {shown_path(path)}{also}")


def _socket(data: Path) -> Iterator[HealthFinding]:
    running, path = is_served(data) is not None, data / SOCKET
    if not os.access(data, os.X_OK):
        return  # this user may not look, as the database will tell
    if running and not path.exists() and _IS_UNIX:
        text = _("A server is running, but its socket {path} is missing, so this tool cannot reach it", path=path)
        yield HealthFinding("socket", text, _("restart the server; its log says why the socket could not be made"))
    if not running and path.exists():
        text = _("The socket {path} was left behind by a killed server", path=path)
        remove = f"rm {shown_path(path)}"
        fix = _("{command}  (or start the server, which replaces it)", command=remove)
        yield HealthFinding("socket", text, fix)


def _certificate(subject: HealthSubject) -> Iterator[HealthFinding]:
    try:
        bundle = read_bundle(subject.certificate, subject.key)
    except TlsFailure as failure:
        yield HealthFinding(
            "certificate",
            translated(failure.detail),
            _("name the right file with --cert, or make one: {command}", command=certifying(subject.certificate)),
        )
        return
    # The key of another program may be readable by a group (ssl-cert), and may be a link, as certbot makes one.
    mode = 0o600 if made_here(bundle.leaf) else 0o640
    yield from _too_open(bundle.key_path.resolve(), mode, _TOO_OPEN_KEY)
    yield from _dates(bundle, subject.now)
    yield from _verifiable(bundle, subject.now)


def _dates(bundle: Bundle, now: dt.datetime) -> Iterator[HealthFinding]:
    renew = _("{renew}, then send the server SIGHUP", renew=renewal(bundle))
    days = (bundle.not_after - now) / dt.timedelta(days=1)
    if bundle.not_before > now:
        text = _(
            "The certificate is valid from {begin:moment} UTC on, and it is {now:moment}",
            begin=bundle.not_before,
            now=now,
        )
        fix = _("set the clock ({command}), or renew: {renew}", command=_SET_CLOCK, renew=renew)
        yield HealthFinding("certificate", text, fix)
    if days <= 0:
        text = _("The certificate has expired ({end:date})", end=bundle.not_after)
        yield HealthFinding("certificate", text, renew)
    elif is_late(bundle, now):
        yield HealthFinding(
            "certificate",
            ngettext(
                "The certificate expires in {count} day ({end:date})",
                "The certificate expires in {count} days ({end:date})",
                round(days),
                end=bundle.not_after,
            ),
            renew,
        )


def _verifiable(bundle: Bundle, now: dt.datetime) -> Iterator[HealthFinding]:
    """Find why clients may be unable to verify the certificate; its dates are another finding."""
    try:
        if bundle.not_before <= now < bundle.not_after:
            require_usable(bundle, now)
    except TlsFailure as failure:
        text, _semicolon, fix = translated(failure.detail).partition("; ")
        yield HealthFinding("certificate", text, fix or _("use another certificate"))
        return
    authority = bundle.authority
    if authority is None and is_public_file(bundle):
        return
    for doubt in doubts(bundle):
        text, _semicolon, fix = translated(doubt).partition("; ")
        yield HealthFinding("certificate", text, fix or _("have the certificate issued anew"))
    if authority is None:
        text = _(
            "The file {path} does not contain its CA certificate, so pins and invite links cannot be used",
            path=bundle.path,
        )
        fix = _("add the CA certificate to the end of the file, then send the server SIGHUP")
        yield HealthFinding("certificate", text, fix)
    elif _days_left(authority, now) < _WARN_DAYS:
        text = _("The CA expires on {end:date}; every client needs a new one", end=authority.not_valid_after_utc)
        if made_here(bundle.leaf):
            anew = certifying(bundle.path, "--new-ca")
            fix = _("{command}, and give its fingerprint to all users", command=anew)
        else:
            fix = _("have a new CA made, and give its fingerprint to all users")
        yield HealthFinding("certificate", text, fix)


def _days_left(certificate: x509.Certificate, now: dt.datetime) -> float:
    return (certificate.not_valid_after_utc - now) / dt.timedelta(days=1)


def _database(subject: HealthSubject, progress: Callable[[float], None]) -> Iterator[HealthFinding]:
    database = subject.data / DATABASE
    try:
        lost = find_loss(database) if is_served(subject.data) is None else None
        if lost is not None:
            yield HealthFinding("lost", translated(lost), _("see above; the server does not start before that"))
            return
        with Snapshot(database) as snapshot:
            yield from _future(subject.data, last_message_at_ms(snapshot), subject.now)
            yield from _webhooks(subject.data, webhooks_off(snapshot))
            share_of_files = 0.5 if FileLayout(subject.data).directory.exists() else 0.0

            def progress_of_database(share: float) -> None:
                progress((1 - share_of_files) * share)

            wrong = damage(snapshot, lambda share: progress_of_database(0.7 * share))
            for sentence in wrong:
                yield HealthFinding("database", sentence, _from_backup(subject.data))
            if not wrong:
                for sentence in damaged_messages(snapshot, lambda share: progress_of_database(0.7 + 0.3 * share)):
                    yield HealthFinding("message", sentence, _ONE_MESSAGE())
                yield from _files(subject.data, snapshot, lambda share: progress(1 - share_of_files * (1 - share)))
    except LogSchemaTooNew as error:
        yield HealthFinding("database", translated(error), _READABLE[Unreadable.NEWER]())
    except DatabaseUnreadable as error:
        yield HealthFinding("database", translated(error), _READABLE[error.cause]())
    except LogError as error:
        yield HealthFinding("database", translated(error), _from_backup(subject.data))


_MOST_FILES = 20
"""Files that are named one by one, of each kind; beyond that, further ones add no information."""


def _files(data: Path, snapshot: Snapshot, progress: Callable[[float], None]) -> Iterator[HealthFinding]:
    layout = FileLayout(data)
    found = compare_files(snapshot, layout, progress)
    for each in found.missing[:_MOST_FILES]:
        text = _(
            "File {file} of message {message} is missing on the disk ({id})",
            file=one_line(each.name),
            message=each.seq,
            id=each.file_id,
        )
        yield HealthFinding("file", text, _ONE_FILE())
    for each in found.damaged[:_MOST_FILES]:
        text = _(
            "File {file} of message {message} is not what was stored ({path})",
            file=one_line(each.name),
            message=each.seq,
            path=layout.file(each.file_id),
        )
        yield HealthFinding("file", text, _ONE_FILE())
    for file_id in found.surplus[:_MOST_FILES]:
        text = _("The file {path} belongs to no message", path=layout.file(file_id))
        yield HealthFinding("file", text, _("nothing: the server removes it within a day, or at its next start"))
    rest = sum(max(0, len(each) - _MOST_FILES) for each in (found.missing, found.damaged, found.surplus))
    if rest:
        text = ngettext("{count:number} more file", "{count:number} more files", rest)
        yield HealthFinding("file", text, _("see above"))


_HOOKS_OFF = {
    "gone": LazyText("The outgoing webhook {name} is off: its receiver answered 410"),
    "failing": LazyText("The outgoing webhook {name} is off: every delivery of a day has failed"),
    "room_gone": LazyText("The outgoing webhook {name} is off: its room was deleted"),
}


def _webhooks(data: Path, found: list[tuple[str, str]]) -> Iterator[HealthFinding]:
    for name, why in found:
        quoted = shlex.quote(name)
        remove = on_data(Program.ADMIN, data, f"hook remove {quoted}")
        fix = _(
            "mend the receiver, then: {command}. Or remove the webhook: {remove}",
            command=on_data(Program.ADMIN, data, f"hook on {quoted}"),
            remove=remove,
        )
        text = _HOOKS_OFF.get(why, LazyText("The outgoing webhook {name} is off"))(name=name)
        yield HealthFinding("webhook", text, remove if why == "room_gone" else fix)


_READABLE = {
    Unreadable.DENIED: LazyText(
        "run this as the user whom the data directory belongs to (sudo -u USER …); if its file system is mounted "
        "read-only, mount it for writing. The messages are untouched"
    ),
    Unreadable.LOCKED: LazyText(
        "close the program that holds the database (a database browser, the sqlite3 shell, a backup tool), then check "
        "again"
    ),
    Unreadable.ABSENT: LazyText(
        "name the server's data directory with --data, or start the server once, which makes the database"
    ),
    Unreadable.NEWER: LazyText("use the securechat-admin of that newer version"),
}


def _from_backup(data: Path) -> str:
    restore = restoring(data)
    return _(
        "stop the server, move the data directory away, and restore the last good backup: {command}", command=restore
    )


def _future(data: Path, last_at_ms: int, now: dt.datetime) -> Iterator[HealthFinding]:
    ahead_s = last_at_ms / 1000 - now.timestamp()
    if ahead_s > _PATIENCE_WITH_CLOCKS_S:
        mending = on_data(Program.ADMIN, data, "check --mend-times")
        yield HealthFinding(
            "clock",
            _(
                "The newest message is from {newest}, {ahead:shortduration} ahead of this machine's clock, which is "
                "slow now or was fast then. New messages get that time until the clock has passed it",
                newest=shown_moment(last_at_ms),
                ahead=ahead_s,
            ),
            _(
                "compare `date` with a watch. If it is wrong: {command}. If it is right, stop the server, then: {mend}",
                command=_SET_CLOCK,
                mend=mending,
            ),
        )
