"""Answers `securechat-admin` over a Unix socket that only the operator can open.

One JSON object per line comes in (``{"command": "kick", "name": "ann"}``); lines go out: any number of
``{"progress": 0.37}`` and ``{"row": {...}}``, then exactly one ``{"done": {...}}`` or ``{"error": {"code", "text",
"reason", "arguments"}}``: the text is English, and the tool makes its own sentence of reason and arguments. Keys are
only ever added. A user who can open the socket is trusted, and stands in the audit under the name that the kernel
reports.

The module only translates: `securechat.hub.admin.commands` carries the commands out. It never sends a hash. The token
of an invite, of a bot and a temporary password leave through this socket once and go nowhere else.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import msgspec
from msgspec import Struct

from securechat.errors import Refusal
from securechat.hub.accounts.bans import made_for
from securechat.hub.wall_clock import Doubt
from securechat.net.unix_socket import OUTBOX_BYTES, UnixLineConnection, UnixLineListener
from securechat.records.accounts import Account, Ban, BanKind, Committed, Invite, Login, Mute
from securechat.records.log import NotAppended
from securechat.server.admin_programs import AdminAnswers, carry_out
from securechat.server.admin_protocol import (
    AccountRequest,
    AddAuditNote,
    AddBan,
    AddMute,
    AdminCommand,
    AdminQuestion,
    BotRequest,
    CreateBot,
    CreateInvite,
    CreateOutgoing,
    DeleteBot,
    DeleteUser,
    EndSession,
    GetStatus,
    KickMember,
    ListBans,
    ListBots,
    ListInvites,
    ListMutes,
    ListRooms,
    ListSessions,
    ListTokens,
    ListUsers,
    PersonRequest,
    PruneRooms,
    RemoveBan,
    RemoveMute,
    ResetPassword,
    RevokeInvite,
    RevokeToken,
    RotateBot,
    SendAnnouncement,
    SetAccountRole,
    ShutDown,
    SwitchOn,
    decode,
)
from securechat.text.refusals import refusal_for
from securechat.translation import Sentence, english

if TYPE_CHECKING:
    from securechat.hub.admin.commands import AdminCommands, CreatedInvite, NewBan
    from securechat.hub.admin.rooms import RoomRow
    from securechat.net.loop import Loop
    from securechat.server.config.loading import ServerConfig
    from securechat.tls.contexts import ServerCertificate

_encode = msgspec.json.Encoder().encode


# --- Facts about the process ----------------------------------------------------------------------------------------


class ProcessInfo(Struct, frozen=True):
    """Facts about the server process, for ``status`` and for the acts of the tool itself.

    Attributes:
        listening: ``HOST:PORT`` of every listener.
        data: absolute path of the data directory.
        certificate: absolute path of the certificate file, and ``key`` of a key named apart from it.
        certificate_names: what the certificate is made out to.
        certificate_days: until it expires.
        ca_fingerprint: ``sha256:…``; None when the certificate file does not carry its CA.
        database_bytes: the database with its journal.
        free_bytes: free space beside it; under ``low_disk_bytes`` new messages are refused.
        search_trouble: why the search index cannot be kept now, in a sentence; None while it can.
        search_sentence: template and arguments of that sentence, for the tool to translate; see `Sentence.packed`.
        clock_doubt: the clock's time and the expected one while they disagree; None while the clock is believed.
        web: whether the server has a client for browsers.
        public_certificate: whether the CAs of this machine verify the certificate.
    """

    pid: int
    uptime_s: int
    listening: tuple[str, ...]
    data: str
    certificate: str
    key: str | None
    certificate_names: tuple[str, ...]
    certificate_days: float
    ca_fingerprint: str | None
    database_bytes: int
    free_bytes: int
    low_disk_bytes: int
    search_trouble: str | None
    search_sentence: dict[str, Any] | None
    clock_doubt: Doubt | None
    web: bool = False
    public_certificate: bool = False


def facts_of(
    config: ServerConfig,
    certificate: ServerCertificate,
    listening: Iterable[str],
    started_at: float,
    search_trouble: str | None,
    clock_doubt: Doubt | None,
) -> ProcessInfo:
    """Gather the facts.

    Args:
        config: of the server; ``cert`` is set.
        certificate: in use now.
        listening: ``HOST:PORT`` of every listener.
        started_at: monotonic seconds.
        search_trouble: see `ProcessInfo`.
        clock_doubt: see `ProcessInfo`.
    """
    names = certificate.names
    return ProcessInfo(
        pid=os.getpid(),
        uptime_s=int(time.monotonic() - started_at),
        listening=tuple(listening),
        data=str(config.data.absolute()),
        certificate=str(Path(config.cert).absolute()),
        key=str(config.key.absolute()) if config.key is not None else None,
        certificate_names=(*names.dns, *map(str, names.ips)),
        certificate_days=round(certificate.days_left(dt.datetime.now(dt.UTC)), 1),
        ca_fingerprint=certificate.ca_fingerprint,
        database_bytes=sum(path.stat().st_size for path in config.data.glob("securechat.db*")),
        free_bytes=shutil.disk_usage(config.data).free,
        low_disk_bytes=config.limits.low_disk_bytes,
        search_trouble=english(search_trouble) if search_trouble is not None else None,
        search_sentence=search_trouble.packed() if isinstance(search_trouble, Sentence) else None,
        clock_doubt=clock_doubt,
        web=config.web,
        public_certificate=certificate.is_public,
    )


# --- Answering ------------------------------------------------------------------------------------------------------


def error_line(refusal: Refusal) -> bytes:
    """Return the line that ends a command which did not succeed."""
    error: dict[str, Any] = {"code": refusal.code.value, "text": english(refusal.detail)}
    if refusal.reason:
        error |= {"reason": refusal.reason, "arguments": dict(refusal.arguments)}
    return _encode({"error": error}) + b"\n"


class AdminServer:
    """Answers the admin tools.

    Args:
        loop: the loop.
        path: the socket file; the caller holds the data directory's lock.
        admin_commands: carries the commands out.
        facts: returns the facts about the process, anew for every ``status``.
        stop: begin an orderly end, as SIGTERM does; called at most once.

    Raises:
        LocalUnavailable: there can be no such socket here; the server does without.
    """

    def __init__(
        self,
        loop: Loop,
        path: Path,
        admin_commands: AdminCommands,
        facts: Callable[[], ProcessInfo],
        stop: Callable[[], None],
    ) -> None:
        self.admin_commands = admin_commands
        self.facts = facts
        self._stop = stop
        self._stopping = False
        self._own = _own_user()
        self._listener = UnixLineListener(
            loop, path, self._connected, full=error_line(refusal_for("admin_socket_busy"))
        )

    def close(self) -> None:
        """End every connection and remove the socket. Call it last: its end is how ``shutdown`` sees it is over."""
        self._listener.close()

    def stop(self) -> None:
        """Begin the end, once."""
        if not self._stopping:
            self._stopping = True
            self._stop()

    def actor_of(self, uid: int | None) -> str:
        """Return the name of a user of this machine for the audit.

        Only the server's own user is looked up: looking up others may ask a network.
        """
        if uid is None:
            return "shell"
        if uid == 0:
            return "shell:root"
        return f"shell:{self._own[1]}" if uid == self._own[0] else f"shell:uid {uid}"

    def _connected(self, connection: UnixLineConnection) -> None:
        connection.start(_AdminSession(self, connection))


class _AdminSession:
    """The connection of one tool: one command at a time."""

    def __init__(self, admin_server: AdminServer, connection: UnixLineConnection) -> None:
        self._admin_server = admin_server
        self._admin_commands = admin_server.admin_commands
        self._connection = connection
        self._actor = admin_server.actor_of(connection.uid)

    # --- for the connection

    def line_received(self, line: bytes) -> None:
        """Carry out one command."""
        try:
            self._obey(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._error(refusal_for("admin_command_invalid", why=str(error)))
        except Refusal as refusal:
            self._error(refusal)

    def line_too_long(self) -> None:
        """Close the connection: the end of the line cannot be found any more."""
        self._connection.write(error_line(refusal_for("admin_line_too_long")))
        self._connection.close()

    def failed(self) -> None:
        """A command raised an exception: say so, and close."""
        self._connection.write(error_line(refusal_for("admin_internal")))
        self._connection.close()

    def connection_lost(self) -> None:
        """The tool is gone; its command under way is finished without an answer."""

    # --- answering

    def _done(self, answer: dict[str, Any]) -> None:
        self._connection.write(_encode({"done": answer}) + b"\n")
        self._connection.next_line()

    def _error(self, refusal: Refusal) -> None:
        self._connection.write(error_line(refusal))
        self._connection.next_line()

    def _rows(self, rows: Iterator[Any], public: Callable[[Any], Any] = lambda row: row) -> None:
        """Answer with rows that are made as the connection takes them, a few in each pass of the loop."""

        def lines() -> Iterator[bytes]:
            count = 0
            for row in rows:
                count += 1
                yield _encode({"row": public(row)}) + b"\n"
            yield _encode({"done": {"rows": count}}) + b"\n"

        self._connection.write_from(lines())
        self._connection.next_line()

    def _rows_or_error(self, answer: list[RoomRow] | NotAppended) -> None:
        if isinstance(answer, NotAppended):
            self._error(answer.refusal())
        else:
            self._rows(iter(answer))

    def _progress(self, share: float) -> None:
        if self._connection.backlog_bytes < OUTBOX_BYTES:  # a tool that does not read needs no progress
            self._connection.write(_encode({"progress": round(share, 3)}) + b"\n")

    def _then(self, public: Callable[[Any], dict[str, Any]]) -> Callable[[Any], None]:
        """Return the ``done`` of an act: it answers with the result as ``public`` shows it, or with the refusal."""

        def answered(outcome: object) -> None:
            if isinstance(outcome, NotAppended):
                self._error(outcome.refusal())
            else:
                self._done(public(outcome))

        return answered

    # --- carrying out

    def _obey(self, command: AdminCommand) -> None:
        match command:
            case KickMember() | AddBan() | RemoveBan() | AddMute() | RemoveMute():
                self._act_on_person(command)
            case CreateInvite() | RevokeInvite() | EndSession() | ResetPassword() | SetAccountRole() | DeleteUser():
                self._act_on_account(command)
            case CreateBot() | ListBots() | RotateBot() | DeleteBot() | ListTokens() | RevokeToken():
                self._act_on_programs(command)
            case CreateOutgoing() | SwitchOn():
                self._act_on_programs(command)
            case SendAnnouncement(text=text):
                self._admin_commands.announce(self._actor, text, self._then(lambda people: {"people": people}))
            case AddAuditNote(act=act, target=target, detail=detail):
                self._admin_commands.note(self._actor, act, target, detail, self._then(lambda _: {"act": act}))
            case ShutDown():
                self._admin_commands.note(self._actor, "shutdown", "", "", self._shut_down)
            case _:
                self._tell(command)

    def _act_on_programs(self, command: BotRequest) -> None:
        carry_out(command, self._admin_commands.programs, self._actor, AdminAnswers(self._rows, self._then))

    def _tell(self, question: AdminQuestion) -> None:
        admin_commands = self._admin_commands
        match question:
            case GetStatus():
                shown = msgspec.to_builtins(admin_commands.status())
                self._done(shown | msgspec.to_builtins(self._admin_server.facts()))
            case ListUsers():
                self._rows(admin_commands.users())
            case ListRooms():
                admin_commands.room_admin.rooms(self._rows_or_error)
            case PruneRooms(unused_days=days, dry_run=True):
                admin_commands.room_admin.prunable(days, self._rows_or_error)
            case PruneRooms(unused_days=days):
                admin_commands.room_admin.prune(self._actor, days, self._rows_or_error)
            case ListSessions(name=name):
                self._rows(admin_commands.sessions(name))
            case ListInvites():
                self._rows(admin_commands.invites(), _public_invite)
            case ListBans():
                self._rows(admin_commands.bans(), _public_ban)
            case ListMutes():
                self._rows(admin_commands.mutes())
            case _:
                assert_never(question)

    def _act_on_person(self, act: PersonRequest) -> None:
        admin_commands, actor, then = self._admin_commands, self._actor, self._then
        match act:
            case KickMember(name=name, reason=reason):
                admin_commands.kick(actor, name, reason, then(lambda closed: {"name": name, "connections": closed}))
            case AddBan(target=target, reason=reason, duration_s=duration_s, address=address):
                done = then(_made_ban)
                admin_commands.ban(actor, target, reason=reason, duration_s=duration_s, done=done, address=address)
            case RemoveBan(target=target):
                admin_commands.unban(actor, target, then(lambda bans: {"bans": [_public_ban(ban) for ban in bans]}))
            case AddMute(name=name, reason=reason, duration_s=duration_s):
                admin_commands.mute(actor, name, reason=reason, duration_s=duration_s, done=then(self._made_mute))
            case RemoveMute(name=name):
                admin_commands.unmute(actor, name, then(msgspec.to_builtins))
            case _:
                assert_never(act)

    def _made_mute(self, mute: Mute) -> dict[str, Any]:
        return {**msgspec.to_builtins(mute), "guest": self._admin_commands.is_guest(mute.sender_id)}

    def _act_on_account(self, act: AccountRequest) -> None:
        admin_commands, actor, then = self._admin_commands, self._actor, self._then
        match act:
            case CreateInvite(uses=uses, days=days, room=room):
                admin_commands.invite(actor, uses=uses, days=days, room=room, done=then(_made_invite))
            case RevokeInvite(invite=number):
                admin_commands.revoke(actor, number, then(_public_invite))
            case EndSession(login=number):
                admin_commands.end_session(actor, number, then(_public_login))
            case ResetPassword(name=name):
                admin_commands.reset_password(actor, name, then(lambda password: {"name": name, "password": password}))
            case SetAccountRole(name=name, role=role):
                admin_commands.role(actor, name, role, then(_public_account))
            case DeleteUser(name=name, messages=fate):
                remove = fate == "remove"
                done = then(lambda touched: {"name": name, "messages": touched, "removed": remove})
                admin_commands.delete_user(actor, name, remove=remove, progress=self._progress, done=done)
            case _:
                assert_never(act)

    def _shut_down(self, outcome: Committed | NotAppended) -> None:  # noqa: ARG002  (a full disk must not keep it up)
        self._done({"stopping": True})
        self._admin_server.stop()


def _public_invite(row: Invite) -> dict[str, Any]:
    return {
        "invite": row.invite_id,
        "uses": row.uses,
        "used_by": row.used_by,
        "room": row.room,
        "made_by": row.made_by,
        "made_at_ms": row.made_at_ms,
        "expires_at_ms": row.expires_at_ms,
        "revoked": row.revoked,
    }


def _made_invite(made: CreatedInvite) -> dict[str, Any]:
    return {**_public_invite(made.invite), "token": made.token}


def _public_ban(row: Ban) -> dict[str, Any]:
    target = row.shown
    if row.kind is BanKind.NETWORK:
        network = ip_network(row.target)
        target = str(network.network_address) if network.num_addresses == 1 else str(network)
    return {
        "ban": row.ban_id,
        "kind": row.kind.value,
        "target": target,
        "made_for": made_for(row),
        "reason": row.reason,
        "made_by": row.made_by,
        "made_at_ms": row.made_at_ms,
        "until_ms": row.until_ms,
    }


def _made_ban(made: NewBan) -> dict[str, Any]:
    further = [_public_ban(ban) for ban in made.further]
    return {**_public_ban(made.ban), "further": further, "addresses": made.addresses}


def _public_login(row: Login) -> dict[str, Any]:
    return {"login": row.login_id, "client": row.client, "address": row.address}


def _public_account(row: Account) -> dict[str, Any]:
    return {"name": row.name, "role": row.role.value}


if sys.platform == "win32":

    def _own_user() -> tuple[int, str]:
        return -1, ""  # there is no socket on Windows either

else:
    import pwd

    def _own_user() -> tuple[int, str]:
        """The number and name of the user this process runs as; asked once, at the start."""
        uid = os.getuid()
        try:
            return uid, pwd.getpwuid(uid).pw_name
        except KeyError:
            return uid, f"uid {uid}"
