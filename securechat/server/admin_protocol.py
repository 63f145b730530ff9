"""The commands of `securechat-admin` to a running server, one record each.

A record is a JSON object with ``command`` and the fields below; docs/operations.md shows each at work. The hub
carries them out (`securechat.hub.admin`). Texts are bounded, because they end up in tables and on screens.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from securechat.model import BotKind, TokenScope
from securechat.records.accounts import Role

SOCKET = "admin.sock"
"""In the data directory, beside the lock that makes its holder the only server there."""
MOST_CHARS = 500
"""Code points of a name, of a reason and of an audit line: a long sentence. An announcement has its own limit."""


class AdminRequest(Struct, frozen=True, tag_field="command", forbid_unknown_fields=True):
    """Any command; its tag is the name of the tool's subcommand, written out, because a class may be renamed."""


class GetStatus(AdminRequest, frozen=True, tag="status"):
    """Report the state of the server."""


class ListUsers(AdminRequest, frozen=True, tag="users"):
    """List all accounts, and the guests who are online."""


class ListRooms(AdminRequest, frozen=True, tag="rooms"):
    """List every room with a record, and every occupied one."""


class PruneRooms(AdminRequest, frozen=True, tag="prune-rooms"):
    """Remove rooms without members, with their messages; answers with rows of those that were removed.

    Attributes:
        unused_days: only those without a message for so long.
        dry_run: answer with rows of those that would be removed, and remove nothing.
    """

    unused_days: float | None = None
    dry_run: bool = False


class ListSessions(AdminRequest, frozen=True, tag="sessions"):
    """List logins and connections, of one person or of all."""

    name: str | None = None


class ListInvites(AdminRequest, frozen=True, tag="invites"):
    """List all invites."""


class ListBans(AdminRequest, frozen=True, tag="bans"):
    """List all bans in force."""


class ListMutes(AdminRequest, frozen=True, tag="mutes"):
    """List all mutes in force."""


class CreateInvite(AdminRequest, frozen=True, tag="invite"):
    """Make an invite."""

    uses: int
    days: float
    room: str | None = None


class RevokeInvite(AdminRequest, frozen=True, tag="revoke"):
    """Revoke an invite."""

    invite: int


class KickMember(AdminRequest, frozen=True, tag="kick"):
    """End all connections of a member."""

    name: str
    reason: str = ""


class AddBan(AdminRequest, frozen=True, tag="ban"):
    """Keep a name, an account, an address or a network out."""

    target: str
    reason: str = ""
    duration_s: float | None = None
    address: bool = False


class RemoveBan(AdminRequest, frozen=True, tag="unban"):
    """Lift a ban."""

    target: str


class AddMute(AdminRequest, frozen=True, tag="mute"):
    """Let a person read but not write."""

    name: str
    reason: str = ""
    duration_s: float | None = None


class RemoveMute(AdminRequest, frozen=True, tag="unmute"):
    """Let a muted person write again."""

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
    """Send a notice to all members who are online."""

    text: str


class AddAuditNote(AdminRequest, frozen=True, tag="note"):
    """Write an act of the tool itself into the audit."""

    act: Literal["backup", "export"]
    target: str = ""
    detail: str = ""


class ShutDown(AdminRequest, frozen=True, tag="shutdown"):
    """Stop the server, as SIGTERM does."""


class CreateBot(AdminRequest, frozen=True, tag="bot-add"):
    """Make a bot, or an incoming webhook of one room, with its first token, which is in the answer and nowhere else.

    Attributes:
        name: of the bot.
        kind: ``hook`` for a webhook.
        rooms: it belongs to these, and its token is good for them alone.
        scopes: of the token of a bot; a webhook has its own.
        days: until the token expires; None for never.
    """

    name: str
    kind: BotKind = "bot"
    rooms: list[str] = []
    scopes: list[TokenScope] = []
    days: int | None = None


class ListBots(AdminRequest, frozen=True, tag="bots"):
    """List the bots and webhooks of the server, or those of a room."""

    room: str | None = None


class RotateBot(AdminRequest, frozen=True, tag="bot-rotate"):
    """Make another token like the latest of a bot or webhook; the old one ends a day later."""

    name: str


class DeleteBot(AdminRequest, frozen=True, tag="bot-remove"):
    """Remove a bot or webhook: its tokens and connections end, its messages stay."""

    name: str


class CreateOutgoing(AdminRequest, frozen=True, tag="hook-out"):
    """Make an outgoing webhook of a room; its secret is in the answer and nowhere else.

    Attributes:
        room: whose messages it delivers.
        url: of the receiver.
        trigger: ``all``, ``mention``, or a command such as ``!deploy``.
        name: of its account, which posts the replies.
        bots: whether messages of bots and incoming webhooks count.
    """

    room: str
    url: str
    trigger: str
    name: str
    bots: bool = False

    def __repr__(self) -> str:  # the URL is often a secret
        return f"CreateOutgoing({self.room!r}, {self.name!r})"


class SwitchOn(AdminRequest, frozen=True, tag="hook-on"):
    """Switch an outgoing webhook on again."""

    name: str


class ListTokens(AdminRequest, frozen=True, tag="tokens"):
    """List the API tokens of an account, or those of all bots and webhooks."""

    name: str | None = None


class RevokeToken(AdminRequest, frozen=True, tag="token-remove"):
    """End an API token and its connections."""

    token: int


AdminQuestion: TypeAlias = (
    GetStatus | ListUsers | ListRooms | PruneRooms | ListSessions | ListInvites | ListBans | ListMutes
)
PersonRequest: TypeAlias = KickMember | AddBan | RemoveBan | AddMute | RemoveMute
AccountRequest: TypeAlias = CreateInvite | RevokeInvite | EndSession | ResetPassword | SetAccountRole | DeleteUser
BotRequest: TypeAlias = (
    CreateBot | ListBots | RotateBot | DeleteBot | CreateOutgoing | SwitchOn | ListTokens | RevokeToken
)
AdminCommand: TypeAlias = (
    AdminQuestion | PersonRequest | AccountRequest | BotRequest | SendAnnouncement | AddAuditNote | ShutDown
)

_decoder = msgspec.json.Decoder(AdminCommand)


def decode(line: bytes) -> AdminCommand:
    """Read a command.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: the line is no command; the first says why.
    """
    command: AdminCommand = _decoder.decode(line)
    for field in ("name", "target", "reason", "detail", "room"):
        text = getattr(command, field, None)
        if isinstance(text, str) and len(text) > MOST_CHARS:
            raise msgspec.ValidationError(f"`{field}` has over {MOST_CHARS} characters")
    return command
