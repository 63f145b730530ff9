"""The durable records of accounts: accounts, logins, tokens, certificates, invites, bans, mutes; and their changes.

The hub keeps all of them in memory (`AccountDirectory`) and decides from memory alone; the log stores them durably. A
change is neither shown nor applied before the log reports it as durable. A `Put` carries the whole record as it shall
be, so a store needs no rules of its own: it replaces a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from securechat.records.files import FileChange
from securechat.records.rooms import RoomChange


class Role(StrEnum):
    """The role of an account on this server."""

    MEMBER = "member"
    ADMIN = "admin"


class AccountKind(StrEnum):
    """The kinds of account: a person's has a password or certificates; a bot and an incoming webhook have tokens."""

    PERSON = "person"
    BOT = "bot"
    HOOK = "hook"


class Account(Struct, frozen=True, gc=False):
    """A registered account, whose name needs proof.

    Attributes:
        sender_id: its identity in every message: that of the guest who registered.
        name: as shown; ``key`` decides uniqueness (names.name_key).
        role: what it may do.
        password: a PHC string; None when only certificates log in.
        must_change: the password was set by an administrator.
        made_at_ms: when it was registered, milliseconds since the epoch, UTC.
        seen_at_ms: when its last connection ended, or began.
        seen_seq: everything up to this seq has been sent to one of its devices.
        kind: a person, a bot or an incoming webhook; it never changes.
        made_by: of a bot or webhook: the sender_id of the account that made it; 0 for an administrator at the socket.
    """

    sender_id: int
    name: str
    key: str
    role: Role = Role.MEMBER
    password: str | None = None
    must_change: bool = False
    made_at_ms: int = 0
    seen_at_ms: int = 0
    seen_seq: int = 0
    kind: AccountKind = AccountKind.PERSON
    made_by: int = 0

    def __repr__(self) -> str:  # a PHC string is not for logs
        return f"Account({self.sender_id}, {self.name!r})"


class Login(Struct, frozen=True, gc=False):
    """A device that stays logged in: the token it holds, as SHA-256, and what its owner recognises it by."""

    login_id: int
    sender_id: int
    token_hash: bytes
    client: str
    address: str
    made_at_ms: int
    used_at_ms: int
    expires_at_ms: int

    def __repr__(self) -> str:
        return f"Login({self.login_id}, {self.sender_id})"


class Scope(StrEnum):
    """What an API token is good for."""

    POST = "post"
    READ = "read"
    FILES = "files"
    """To send files, and to see and delete its own."""
    METRICS = "metrics"
    HOOK = "hook"
    """To post into its one room by the address of an incoming webhook, and for nothing else."""


class ApiToken(Struct, frozen=True, gc=False):
    """A token with which a program acts for an account.

    Attributes:
        token_id: its number.
        sender_id: the account: a bot's, a webhook's, or the person's who made the token.
        name: what its owner recognises it by.
        token_hash: SHA-256 of the token.
        scopes: what it is good for.
        rooms: the room_ids of the only rooms it is good for; empty for all that the account may enter.
        made_at_ms: when it was made, milliseconds since the epoch, UTC.
        expires_at_ms: when it stops; None for never.
        used_at_ms: when it was used last, to the minute; 0 for never.
        address: the network address that used it last.
    """

    token_id: int
    sender_id: int
    name: str
    token_hash: bytes
    scopes: tuple[Scope, ...]
    rooms: tuple[int, ...] = ()
    made_at_ms: int = 0
    expires_at_ms: int | None = None
    used_at_ms: int = 0
    address: str = ""

    def __repr__(self) -> str:
        return f"ApiToken({self.token_id}, {self.sender_id})"


class OutgoingWebhook(Struct, frozen=True, gc=False):
    """What an outgoing webhook delivers, where to, and how far it has come. Its account is one of the kind HOOK.

    Attributes:
        sender_id: its account.
        hook_id: random, and the same for ever; the ids of its deliveries are made from it.
        room_id: the room whose messages it delivers; 0 for the lobby.
        url: of the receiver; a secret.
        trigger: ``all``, ``mention``, or the command that a message begins with, such as ``!deploy``.
        bots: whether messages of bots and incoming webhooks count.
        secret: signs deliveries (``whsec_``, in clear, because a signature is made from it).
        old_secret: signs them too while the receiver changes to the new one; empty for none.
        old_until_ms: until then, milliseconds since the epoch, UTC.
        cursor: every message up to this seq is delivered, or not for it.
        failures: attempts that have failed since the last success.
        failing_since_ms: when the first of them failed; 0 for none.
        next_ms: the earliest time of the next attempt; 0 for at once.
        off: why it is switched off; empty while it is on.
        off_at_ms: since when; of one that is on again, when it was switched off last.
    """

    sender_id: int
    hook_id: str
    room_id: int
    url: str
    trigger: str
    bots: bool
    secret: str
    old_secret: str = ""
    old_until_ms: int = 0
    cursor: int = 0
    failures: int = 0
    failing_since_ms: int = 0
    next_ms: int = 0
    off: str = ""
    off_at_ms: int = 0

    def __repr__(self) -> str:  # neither the URL nor a secret is for logs
        return f"OutgoingWebhook({self.sender_id})"

    @property
    def origin(self) -> str:
        """Scheme, host and port of the URL, which are no secret."""
        return "/".join(self.url.split("/", 3)[:3]).partition("?")[0]


class Certificate(Struct, frozen=True, gc=False):
    """A client certificate that logs in, by the SHA-256 of its public key (``sha256:`` and hex)."""

    certificate_id: int
    sender_id: int
    fingerprint: str
    label: str
    added_at_ms: int


class Invite(Struct, frozen=True, gc=False):
    """An invite: its token allows ``uses`` registrations until ``expires_at_ms``."""

    invite_id: int
    token_hash: bytes
    uses: int
    made_by: str
    made_at_ms: int
    expires_at_ms: int
    room: str | None = None
    used_by: tuple[str, ...] = ()
    revoked: bool = False

    def __repr__(self) -> str:
        return f"Invite({self.invite_id})"


class BanKind(StrEnum):
    """The kinds of ban."""

    NAME = "name"
    GUEST = "guest"
    ACCOUNT = "account"
    NETWORK = "network"


class Ban(Struct, frozen=True, gc=False):
    """A ban from the server.

    Attributes:
        ban_id: its number.
        kind: what ``target`` is.
        target: a name key, the sender_id of an account or of a guest's secret in decimal, or a network in CIDR notation
            (one address is a /32 or /128).
        shown: the target as the administrator wrote it.
        reason: shown to the banned member; may be empty.
        made_by: who banned.
        made_at_ms: when.
        until_ms: the end; None for ever.
    """

    ban_id: int
    kind: BanKind
    target: str
    shown: str
    reason: str
    made_by: str
    made_at_ms: int
    until_ms: int | None = None


class Mute(Struct, frozen=True, gc=False):
    """A member who may read but not write, until ``until_ms`` (None: without end)."""

    sender_id: int
    name: str
    reason: str
    made_by: str
    made_at_ms: int
    until_ms: int | None = None


class AuditEntry(Struct, frozen=True, gc=False):
    """One administrative act, or one of an account about itself. Never holds a secret."""

    at_ms: int
    actor: str
    act: str
    target: str = ""
    detail: str = ""


AccountRow: TypeAlias = Account | Login | ApiToken | OutgoingWebhook | Certificate | Invite | Ban | Mute


class Put(Struct, frozen=True, gc=False):
    """Store this record, in place of the one with its number.

    An Account also ends the reservation of its name by a guest: ``holds_name`` of its sender becomes 0.
    """

    row: AccountRow


class Drop(Struct, frozen=True, gc=False):
    """Delete the record of this kind and number (sender_id for Account, OutgoingWebhook and Mute).

    With an Account go its logins, tokens, outgoing webhook, certificates, mute and account bans, and the senders that
    were its devices or itself: their secrets are no longer valid. Its messages stay; see `EraseSender`.
    """

    kind: type[AccountRow]
    number: int


class WriteAudit(Struct, frozen=True, gc=False):
    """Add an entry to the audit."""

    entry: AuditEntry


KEPT_REMOVALS = 500
"""Removed senders that are remembered, to tell clients that were away: 25 kB on the way to one of them."""


class EraseSender(Struct, frozen=True, gc=False):
    """Remove a sender from the messages, a chunk of the log at a time.

    Its messages above ``above`` lose their name (it becomes empty, as does ``to_name`` where the sender was the
    recipient), or, with ``remove``, are deleted. At most ``seqs`` seqs are examined, so that the commit stays short.
    """

    sender_id: int
    remove: bool
    above: int
    seqs: int = 20_000


class PurgeGuests(Struct, frozen=True, gc=False):
    """Delete guests unseen since ``before_ms`` who never sent and never received a message.

    Devices of accounts that have not logged in since then and never sent a message are deleted too, unless they are
    among the ``online`` streams: the same secret simply creates a new device.

    Deletes at most ``most``, among a bounded number of senders above ``above``; call again with `Committed.through`.
    """

    before_ms: int
    most: int = 1_000
    above: int = 0
    online: tuple[int, ...] = ()


class TrimAudit(Struct, frozen=True, gc=False):
    """Delete audit entries: all older than ``before_ms``, and the oldest of those that accounts made about themselves.

    Of the latter the latest ``own_most`` stay, so that an account that changes its name again and again pushes out no
    entry of an administrator. At most ``most`` entries are deleted; if `Committed.count` reaches that, call again.
    """

    before_ms: int
    own_most: int
    most: int = 1_000


KEY_DAYS = 30
"""Days for which the key of a message is known; a message with the same key is a new one after that."""


class PurgeMessageKeys(Struct, frozen=True, gc=False):
    """Forget the keys of messages that were stored before ``before_ms``, the oldest first.

    At most ``most`` are deleted; if `Committed.count` reaches that, call again.
    """

    before_ms: int
    most: int = 1_000


OWN_ACTS = (
    "register", "rename", "password", "cert add", "cert remove", "token add", "token rotate", "token remove",
    "bot add", "bot rotate", "hook add", "hook rotate",
)  # fmt: skip
"""The acts of accounts on themselves and their programs, as the audit names them; and ``logout``, where actor and
target are the same."""


Change: TypeAlias = (
    Put | Drop | WriteAudit | EraseSender | PurgeGuests | PurgeMessageKeys | TrimAudit | RoomChange | FileChange
)


NEW_SENDER = 0
"""Stands for the sender that a log identifies, in changes that are made along with that; see `with_sender`."""


_OF_SENDER = (Account, Login, ApiToken, OutgoingWebhook)


def with_sender(changes: Sequence[Change], sender_id: int) -> tuple[Change, ...]:
    """Return changes in which this sender stands for `NEW_SENDER`."""
    return tuple(
        Put(replace(change.row, sender_id=sender_id))
        if isinstance(change, Put) and isinstance(change.row, _OF_SENDER) and change.row.sender_id == NEW_SENDER
        else change
        for change in changes
    )


class Committed(Struct, frozen=True, gc=False):
    """All of the changes are durable.

    Attributes:
        count: messages erased or expired, guests, audit entries, keys or files deleted.
        through: of an EraseSender: the seq up to which it has looked; None at the end of the log. Of a PurgeGuests: the
            same, of senders.
        dropped: rooms whose `DropRoom` took effect.
        purged: of a PurgeExpired: no message of the room up to this seq is left. Of the last EraseSender with
            ``remove``: none of the sender.
    """

    count: int = 0
    through: int | None = None
    dropped: tuple[int, ...] = ()
    purged: int = 0


class StoredAccounts(Struct, frozen=True, gc=False):
    """All records when the log opens.

    Attributes:
        serial: the highest number ever given to a login, token, certificate, invite or ban; they share one count, and
            none is given twice.
        removed: senders whose messages were removed, and the seq up to which; the latest KEPT_REMOVALS, oldest first.
    """

    accounts: Sequence[Account] = ()
    logins: Sequence[Login] = ()
    certificates: Sequence[Certificate] = ()
    invites: Sequence[Invite] = ()
    bans: Sequence[Ban] = ()
    mutes: Sequence[Mute] = ()
    tokens: Sequence[ApiToken] = ()
    outgoing: Sequence[OutgoingWebhook] = ()
    serial: int = 0
    removed: Sequence[tuple[int, int]] = ()

    def last_at_ms(self) -> int:
        """Return the latest time of any recorded act; 0 for none."""
        times = [max(row.made_at_ms, row.seen_at_ms) for row in self.accounts]
        times += [max(row.made_at_ms, row.used_at_ms) for row in self.logins]
        times += [max(row.made_at_ms, row.used_at_ms) for row in self.tokens]
        times += [row.added_at_ms for row in self.certificates]
        times += [row.made_at_ms for rows in (self.invites, self.bans, self.mutes) for row in rows]
        return max(times, default=0)
