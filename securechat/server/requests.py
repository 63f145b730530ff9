"""The words of `securechat-admin`: what it may ask of a running server, one record a command.

A record is a JSON object with ``command`` and the fields below; docs/operations.md shows each at work. Nothing here
says what a command does. Texts are bounded, because they end up in tables and on screens.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from securechat.hub.people import Role

SOCKET = "admin.sock"
"""In the data directory, beside the lock that makes its holder the only server there."""
MOST_CHARS = 500
"""Of a name, a reason and what an audit line says: a long sentence. An announcement has its own limit."""


class Request(Struct, frozen=True, tag_field="command", forbid_unknown_fields=True):
    """Any command; its tag is the name of the tool's own subcommand, written out: a class may get another name."""


class Status(Request, frozen=True, tag="status"):
    """The server at a glance."""


class Users(Request, frozen=True, tag="users"):
    """Everybody with an account, and the guests who are here."""


class Rooms(Request, frozen=True, tag="rooms"):
    """Every room with a record, and every occupied one."""


class PruneRooms(Request, frozen=True, tag="prune-rooms"):
    """Remove rooms that nobody belongs to, with their messages; rows of those that were.

    Attributes:
        unused_days: only those without a message for so long.
        dry_run: rows of those that would be removed, and nothing else.
    """

    unused_days: float | None = None
    dry_run: bool = False


class Sessions(Request, frozen=True, tag="sessions"):
    """Logins and connections, of one person or all."""

    name: str | None = None


class Invites(Request, frozen=True, tag="invites"):
    """Every invite."""


class Bans(Request, frozen=True, tag="bans"):
    """Every ban in force."""


class Mutes(Request, frozen=True, tag="mutes"):
    """Every mute in force."""


class MakeInvite(Request, frozen=True, tag="invite"):
    """Make an invite."""

    uses: int
    days: float
    room: str | None = None


class Revoke(Request, frozen=True, tag="revoke"):
    """Take an invite back."""

    invite: int


class Kick(Request, frozen=True, tag="kick"):
    """End somebody's connections."""

    name: str
    reason: str = ""


class MakeBan(Request, frozen=True, tag="ban"):
    """Keep a name, an account, an address or a network out."""

    target: str
    reason: str = ""
    duration_s: float | None = None


class Unban(Request, frozen=True, tag="unban"):
    """Lift a ban."""

    target: str


class MakeMute(Request, frozen=True, tag="mute"):
    """Let somebody read but not write."""

    name: str
    reason: str = ""
    duration_s: float | None = None


class Unmute(Request, frozen=True, tag="unmute"):
    """Let somebody write again."""

    name: str


class Logout(Request, frozen=True, tag="logout"):
    """End a login."""

    login: int


class ResetPassword(Request, frozen=True, tag="reset-password"):
    """Give an account a temporary password."""

    name: str


class SetRole(Request, frozen=True, tag="role"):
    """Give an account a role."""

    name: str
    role: Role


class DeleteUser(Request, frozen=True, tag="delete-user"):
    """Delete an account."""

    name: str
    messages: Literal["keep", "remove"]


class Announce(Request, frozen=True, tag="announce"):
    """Tell everybody who is here something."""

    text: str


class Note(Request, frozen=True, tag="note"):
    """Write into the audit what the tool did by itself."""

    act: Literal["backup", "export"]
    target: str = ""
    detail: str = ""


class Shutdown(Request, frozen=True, tag="shutdown"):
    """Stop as with SIGTERM."""


Question: TypeAlias = Status | Users | Rooms | PruneRooms | Sessions | Invites | Bans | Mutes
PersonAct: TypeAlias = Kick | MakeBan | Unban | MakeMute | Unmute
AccountAct: TypeAlias = MakeInvite | Revoke | Logout | ResetPassword | SetRole | DeleteUser
Command: TypeAlias = Question | PersonAct | AccountAct | Announce | Note | Shutdown

_decoder = msgspec.json.Decoder(Command)


def decode(line: bytes) -> Command:
    """Read a command.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is none; the first says why.
    """
    command: Command = _decoder.decode(line)
    for field in ("name", "target", "reason", "detail", "room"):
        text = getattr(command, field, None)
        if isinstance(text, str) and len(text) > MOST_CHARS:
            raise msgspec.ValidationError(f"`{field}` has over {MOST_CHARS} characters")
    return command
