"""The answers of a log, and the state that it hands over when it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self, TypeAlias

from msgspec import Struct, field

from securechat.errors import ErrorCode, Refusal
from securechat.records.accounts import StoredAccounts
from securechat.records.files import StoredFiles
from securechat.records.rooms import StoredRooms


class Appended(Struct, frozen=True, gc=False):
    """The draft is durable.

    Attributes:
        seq: its place in the log; for a retry, the place of the first copy.
        retry: whether an earlier copy was already there and nothing new was stored.
    """

    seq: int
    retry: bool = False


class NotAppended(Struct, frozen=True, gc=False):
    """It was not stored (DISK_FULL, OUT_OF_ORDER) or not read (BUSY, LOG_FAILED), and nothing else was damaged.

    Attributes:
        code: the reason, from the table of codes.
        text: the sentence for people.
        retry_after_s: seconds after which the same may succeed, where that is known.
        reason: the key of the sentence in `securechat.text.refusals`.
        arguments: what the sentence was made from.
    """

    code: ErrorCode
    text: str
    retry_after_s: float | None = None
    reason: str = ""
    arguments: Mapping[str, str | int] = field(default_factory=dict)

    @classmethod
    def of(cls, refusal: Refusal) -> Self:
        """Return the answer that says the same as a refusal."""
        return cls(refusal.code, refusal.detail, refusal.retry_after_s, refusal.reason, dict(refusal.arguments))

    def refusal(self) -> Refusal:
        """Return the refusal that says the same."""
        return Refusal(self.code, self.text, self.retry_after_s, reason=self.reason, arguments=self.arguments)


AppendOutcome: TypeAlias = Appended | NotAppended


class Identity(Struct, frozen=True, gc=False):
    """A sender as the log knows it; the sender itself is durable.

    Attributes:
        sender_id: for ever the same for the same secret; starts at 1. For a device of an account: the account's.
        last_client_id: the highest client_id stored for this stream; 0 for none.
        stream: the device: the number of this secret. A guest, and the device that registered, have only the one.
        stored: whether what was asked along with it is durable; not while the disk is full, when a known sender still
            gets in, to read.
    """

    sender_id: int
    last_client_id: int
    stream: int
    stored: bool = True


class Reservation(Struct, frozen=True, gc=False):
    """A name that was in use when the log was last closed or killed, or was lost shortly before."""

    name: str
    key: str
    secret_hash: bytes
    sender_id: int
    lost_at_ms: int


class LogState(Struct, frozen=True, gc=False):
    """The state that a log hands over when it opens.

    Attributes:
        last_seq: the highest committed seq; 0 for an empty log. It is the first ``fed_seq``.
        reservations: names still owed to their owners; a name whose owner was online when the process died counts
            as lost at the moment of opening.
        people: accounts and all that hangs on them.
        room_records: rooms with rules, and who belongs to them.
        last_at_ms: when the newest message or change was stored, UTC milliseconds; 0 for none.
        log_id: tells this log from every other, also from the one that a restored backup was made of: 12 lower-case hex
            digits.
        files: what each sender keeps.
    """

    last_seq: int
    reservations: Sequence[Reservation] = ()
    people: StoredAccounts = StoredAccounts()
    room_records: StoredRooms = StoredRooms()
    last_at_ms: int = 0
    log_id: str = ""
    files: StoredFiles = StoredFiles()
