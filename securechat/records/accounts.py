"""The durable records about people: accounts, logins, certificates, invites, bans, mutes; and what changes them.

The hub keeps all of them in memory (`directory`) and decides by memory alone; the log keeps them durably. A change is
shown to nobody, and counts for nothing, before the log says that it is durable. A `Put` carries the whole record as
it shall be, so a store needs no rules of its own: it replaces a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from securechat.records.rooms import RoomChange


class Role(StrEnum):
    """What an account may do on this server."""

    MEMBER = "member"
    ADMIN = "admin"


class Account(Struct, frozen=True, gc=False):
    """A name that needs proof.

    Attributes:
        sender_id: who it is in every message; the identity that registered.
        name: as shown; ``key`` decides uniqueness (names.name_key).
        role: what it may do.
        password: a PHC string; None when only certificates log in.
        must_change: the password was set by an administrator.
        made_at_ms: when it was registered, milliseconds since the epoch, UTC.
        seen_at_ms: when its last connection ended, or began.
        seen_seq: everything up to this seq has been sent to one of its devices.
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


class Certificate(Struct, frozen=True, gc=False):
    """A client certificate that logs in, by the SHA-256 of its public key (``sha256:`` and hex)."""

    certificate_id: int
    sender_id: int
    fingerprint: str
    label: str
    added_at_ms: int


class Invite(Struct, frozen=True, gc=False):
    """An invite: whoever has its token may register, ``uses`` times until ``expires_at_ms``."""

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
    """What a ban is about."""

    NAME = "name"
    ACCOUNT = "account"
    NETWORK = "network"


class Ban(Struct, frozen=True, gc=False):
    """Somebody who may not come in.

    Attributes:
        ban_id: its number.
        kind: what ``target`` is.
        target: a name key, a sender_id in decimal, or a network in CIDR notation (one address is a /32 or /128).
        shown: the target as the administrator wrote it.
        reason: told to the banned; may be empty.
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
    """Somebody who may read but not write, until ``until_ms`` (None: for ever)."""

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


AccountRow: TypeAlias = Account | Login | Certificate | Invite | Ban | Mute


class Put(Struct, frozen=True, gc=False):
    """Keep this record, in place of the one with its number.

    An Account also stops the guest's reservation of its name: ``holds_name`` of its sender becomes 0.
    """

    row: AccountRow


class Drop(Struct, frozen=True, gc=False):
    """Forget the record of this kind and number (sender_id for Account and Mute).

    With an Account go its logins, certificates, mute and account bans, and the senders that were its devices or
    itself: their secrets mean nothing any more. Its messages stay; see `EraseSender`.
    """

    kind: type[AccountRow]
    number: int


class WriteAudit(Struct, frozen=True, gc=False):
    """Write into the audit."""

    entry: AuditEntry


class EraseSender(Struct, frozen=True, gc=False):
    """Take a sender out of the messages, a stretch of the log at a time.

    Its messages above ``above`` lose their name (it becomes empty, as does ``to_name`` where it was the one written
    to), or, with ``remove``, are deleted. At most ``seqs`` seqs are looked at, so that no commit waits long.
    """

    sender_id: int
    remove: bool
    above: int
    seqs: int = 20_000


class PurgeGuests(Struct, frozen=True, gc=False):
    """Forget guests unseen since ``before_ms`` who never wrote and were never written to.

    Devices of accounts that were not let in since then and never wrote go, too, unless they are among the ``online``
    streams: the same secret simply makes a new device.

    At most ``most`` of them, looking at senders above ``above`` only, and at a bounded number of those: ask again
    with `Committed.through`.
    """

    before_ms: int
    most: int = 1_000
    above: int = 0
    online: tuple[int, ...] = ()


class TrimAudit(Struct, frozen=True, gc=False):
    """Forget audit entries: all that are older than ``before_ms``, and the oldest of what accounts did to themselves.

    Of the latter the latest ``own_most`` stay, so that an account that gets a new name again and again pushes out
    nothing that an administrator did. At most ``most`` entries go: with as many in `Committed.count`, ask again.
    """

    before_ms: int
    own_most: int
    most: int = 1_000


OWN_ACTS = ("register", "rename", "password", "cert add", "cert remove")
"""What accounts do to themselves, as the audit calls it; and ``logout``, where actor and target are the same."""


Change: TypeAlias = Put | Drop | WriteAudit | EraseSender | PurgeGuests | TrimAudit | RoomChange


class Committed(Struct, frozen=True, gc=False):
    """The changes are durable, all of them.

    Attributes:
        count: messages scrubbed or expired, guests or audit entries forgotten.
        through: of a Scrub: the seq up to which it has looked; None when that is the end of the log. Of a
            ForgetGuests: the same, of senders.
        dropped: rooms whose `DropRoom` took effect.
    """

    count: int = 0
    through: int | None = None
    dropped: tuple[int, ...] = ()


class StoredAccounts(Struct, frozen=True, gc=False):
    """All records when the log opens.

    Attributes:
        serial: the highest number ever given to a login, certificate, invite or ban; they share one count, and none
            is given twice.
    """

    accounts: Sequence[Account] = ()
    logins: Sequence[Login] = ()
    certificates: Sequence[Certificate] = ()
    invites: Sequence[Invite] = ()
    bans: Sequence[Ban] = ()
    mutes: Sequence[Mute] = ()
    serial: int = 0

    def last_at_ms(self) -> int:
        """Return the latest time that stands in any of them for something done; 0 for none."""
        times = [max(row.made_at_ms, row.seen_at_ms) for row in self.accounts]
        times += [max(row.made_at_ms, row.used_at_ms) for row in self.logins]
        times += [row.added_at_ms for row in self.certificates]
        times += [row.made_at_ms for rows in (self.invites, self.bans, self.mutes) for row in rows]
        return max(times, default=0)
