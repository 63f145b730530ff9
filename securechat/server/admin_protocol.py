"""The words of `securechat-admin`: what it may ask of a running server, one record a command.

A record is a JSON object with ``command`` and the fields below; docs/operations.md shows each at work. Nothing here
says what a command does. Texts are bounded, because they end up in tables and on screens.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from securechat.records.accounts import Role

SOCKET = "admin.sock"
"""In the data directory, beside the lock that makes its holder the only server there."""
MOST_CHARS = 500
"""Of a name, a reason and what an audit line says: a long sentence. An announcement has its own limit."""


class AdminRequest(Struct, frozen=True, tag_field="command", forbid_unknown_fields=True):
    """Any command; its tag is the name of the tool's own subcommand, written out: a class may get another name."""


class GetStatus(AdminRequest, frozen=True, tag="status"):
    """The server at a glance."""


class ListUsers(AdminRequest, frozen=True, tag="users"):
    """Everybody with an account, and the guests who are here."""


class ListRooms(AdminRequest, frozen=True, tag="rooms"):
    """Every room with a record, and every occupied one."""


class PruneRooms(AdminRequest, frozen=True, tag="prune-rooms"):
    """Remove rooms that nobody belongs to, with their messages; rows of those that were.

    Attributes:
        unused_days: only those without a message for so long.
        dry_run: rows of those that would be removed, and nothing else.
    """

    unused_days: float | None = None
    dry_run: bool = False


class ListSessions(AdminRequest, frozen=True, tag="sessions"):
    """Logins and connections, of one person or all."""

    name: str | None = None


class ListInvites(AdminRequest, frozen=True, tag="invites"):
    """Every invite."""


class ListBans(AdminRequest, frozen=True, tag="bans"):
    """Every ban in force."""


class ListMutes(AdminRequest, frozen=True, tag="mutes"):
    """Every mute in force."""


class CreateInvite(AdminRequest, frozen=True, tag="invite"):
    """Make an invite."""

    uses: int
    days: float
    room: str | None = None


class RevokeInvite(AdminRequest, frozen=True, tag="revoke"):
    """Take an invite back."""

    invite: int


class KickMember(AdminRequest, frozen=True, tag="kick"):
    """End somebody's connections."""

    name: str
    reason: str = ""


class AddBan(AdminRequest, frozen=True, tag="ban"):
    """Keep a name, an account, an address or a network out."""

    target: str
    reason: str = ""
    duration_s: float | None = None


class RemoveBan(AdminRequest, frozen=True, tag="unban"):
    """Lift a ban."""

    target: str


class AddMute(AdminRequest, frozen=True, tag="mute"):
    """Let somebody read but not write."""

    name: str
    reason: str = ""
    duration_s: float | None = None


class RemoveMute(AdminRequest, frozen=True, tag="unmute"):
    """Let somebody write again."""

    name: str


class EndSession(AdminRequest, frozen=True, tag="logout"):
    """End a login."""

    login: int


class ResetPassword(AdminRequest, frozen=True, tag="reset-password"):
    """Give an account a temporary password."""

    name: str


class SetAccountRole(AdminRequest, frozen=True, tag="role"):
    """Give an account a role."""

    name: str
    role: Role


class DeleteUser(AdminRequest, frozen=True, tag="delete-user"):
    """Delete an account."""

    name: str
    messages: Literal["keep", "remove"]


class SendAnnouncement(AdminRequest, frozen=True, tag="announce"):
    """Tell everybody who is here something."""

    text: str


class AddAuditNote(AdminRequest, frozen=True, tag="note"):
    """Write into the audit what the tool did by itself."""

    act: Literal["backup", "export"]
    target: str = ""
    detail: str = ""


class ShutDown(AdminRequest, frozen=True, tag="shutdown"):
    """Stop as with SIGTERM."""


AdminQuestion: TypeAlias = (
    GetStatus | ListUsers | ListRooms | PruneRooms | ListSessions | ListInvites | ListBans | ListMutes
)
PersonRequest: TypeAlias = KickMember | AddBan | RemoveBan | AddMute | RemoveMute
AccountRequest: TypeAlias = CreateInvite | RevokeInvite | EndSession | ResetPassword | SetAccountRole | DeleteUser
AdminCommand: TypeAlias = AdminQuestion | PersonRequest | AccountRequest | SendAnnouncement | AddAuditNote | ShutDown

_decoder = msgspec.json.Decoder(AdminCommand)


def decode(line: bytes) -> AdminCommand:
    """Read a command.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is none; the first says why.
    """
    command: AdminCommand = _decoder.decode(line)
    for field in ("name", "target", "reason", "detail", "room"):
        text = getattr(command, field, None)
        if isinstance(text, str) and len(text) > MOST_CHARS:
            raise msgspec.ValidationError(f"`{field}` has over {MOST_CHARS} characters")
    return command
