"""What the hub needs from the world, as interfaces: the message log below it and the peers it talks to.

Whoever implements `MessageLog` (SQLite, memory, later a cluster) calls back on the loop's thread only. The order of
those calls is part of the promise:

1. every ``done`` of a batch, then
2. ``on_commit`` with the fresh messages of that batch, in the order of their seq; with nothing where there are none.

So on one connection ``Acked`` comes before the sender's own copy of the message, in the same pass of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias

from msgspec import Struct

from securechat.errors import ErrorCode, Refusal
from securechat.limits import PAGE_ROWS, PageLimits
from securechat.model import (
    Closing,
    Draft,
    Event,
    Hit,
    LogEntry,
    Message,
    MessageChange,
    Revision,
)
from securechat.records.accounts import Change, Committed, StoredAccounts
from securechat.records.rooms import StoredRooms

UNREAD_LOOKS = 2_000
"""Dialogues that one question about unread messages looks at: 3 ms of the reading thread where all of them have been
read, 9 for the first page of an account with 20,000. Counting in 200 with 999 each takes 80."""


class Appended(Struct, frozen=True, gc=False):
    """The draft is durable.

    Attributes:
        seq: its place in the log; for a retry, the place of the first copy.
        retry: whether an earlier copy was already there and nothing new was stored.
    """

    seq: int
    retry: bool = False


class NotAppended(Struct, frozen=True, gc=False):
    """It was not stored (DISK_FULL, OUT_OF_ORDER) or not read (BUSY, LOG_FAILED), and nothing else was damaged."""

    code: ErrorCode
    text: str
    retry_after_s: float | None = None


AppendOutcome: TypeAlias = Appended | NotAppended


class Identity(Struct, frozen=True, gc=False):
    """A sender as the log knows it, durable.

    Attributes:
        sender_id: for ever the same for the same secret; starts at 1. For a device of an account: the account's.
        last_client_id: the highest client_id stored for this stream; 0 for none.
        stream: the device: the number of this secret. A guest, and the device that registered, have only the one.
    """

    sender_id: int
    last_client_id: int
    stream: int


class Reservation(Struct, frozen=True, gc=False):
    """A name that was in use when the log was last closed or killed, or was lost shortly before."""

    name: str
    key: str
    secret_hash: bytes
    sender_id: int
    lost_at_ms: int


class LogState(Struct, frozen=True, gc=False):
    """What a log hands over when it opens.

    Attributes:
        last_seq: the highest committed seq; 0 for an empty log. It is the first ``fed_seq``.
        reservations: names still owed to their owners; a name whose owner was online when the process died counts
            as lost at the moment of opening.
        people: accounts and all that hangs on them.
        room_records: rooms with rules, and who belongs to them.
        last_at_ms: when the newest message or change was stored, UTC milliseconds; 0 for none.
    """

    last_seq: int
    reservations: Sequence[Reservation] = ()
    people: StoredAccounts = StoredAccounts()
    room_records: StoredRooms = StoredRooms()
    last_at_ms: int = 0


class HistoryQuery(Struct, frozen=True, gc=False):
    """Which committed messages to read.

    Attributes:
        rooms: rooms to read.
        floors: of some of them, only messages above this seq: (room, seq).
        dialogue: read the dialogue between these two senders.
        dialogues_of: read all dialogues of this sender.
        after: only messages with a higher seq; the oldest of them come first.
        before: only messages with a lower seq; without ``after`` the newest of them are chosen.
        up_to: never a message above this seq (the hub's fed_seq).
        limit: rows, at most limits.PAGE_ROWS.
        around: the page around this seq: half of the limit before it, the rest from it on.
        since_ms: the page that begins with the first message sent at or after this, UTC.
    """

    up_to: int
    limit: int
    rooms: tuple[str, ...] = ()
    dialogue: tuple[int, int] | None = None
    dialogues_of: int | None = None
    after: int | None = None
    before: int | None = None
    floors: tuple[tuple[str, int], ...] = ()
    around: int | None = None
    since_ms: int | None = None


class HistoryRows(Struct, frozen=True, gc=False):
    """The answer: messages by rising seq in their final state, and whether there is more in the direction asked for.

    ``changes`` are the entries of the same conversations in the span of seqs that the page covers (above ``after``, up
    to the last message or to the end): what a reader who has the messages before needs to bring them up to date. An
    edit that a later one has replaced comes without its text, which is gone.
    """

    messages: list[Message]
    more: bool
    changes: list[MessageChange] = []


class SearchQuery(Struct, frozen=True, gc=False):
    """Which messages to find; every part that is set must hold.

    Attributes:
        up_to: never a message above this seq (the hub's fed_seq).
        limit: hits at most.
        words: what the text must contain, each as a phrase; a last ``*`` finds words that begin so.
        rooms, floors, dialogues_of: where the searcher may look; as in HistoryQuery.
        dialogue: only in this dialogue.
        senders: only from these.
        before: only below this seq: the next page.
        before_ms, after_ms: sent before, or at or after, this time, UTC.
        has_link: only with a link.
    """

    up_to: int
    limit: int
    words: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    floors: tuple[tuple[str, int], ...] = ()
    dialogues_of: int | None = None
    dialogue: tuple[int, int] | None = None
    senders: tuple[int, ...] | None = None
    before: int | None = None
    before_ms: int | None = None
    after_ms: int | None = None
    has_link: bool = False


class SearchRows(Struct, frozen=True, gc=False):
    """The newest hits first, in their final state; never a deleted message.

    Attributes:
        hits: each with the spans of its text that matched, [start, end) in code points.
        more: whether there are older ones: ask again with ``before`` = the last seq.
        indexed_to: everything up to this seq has been looked at; below ``up_to`` while the index is being rebuilt.
    """

    hits: list[Hit]
    more: bool
    indexed_to: int


class Unread(Struct, frozen=True, gc=False):
    """How a reader stands in a room, or in the dialogue with ``peer``.

    Attributes:
        read_seq: read up to here.
        unread: messages of others above it; counted up to 999.
        mentions: those of them that name the reader.
        first_seq: the first of them; 0 for none.
    """

    read_seq: int
    unread: int
    mentions: int
    first_seq: int
    room: str | None = None
    peer: int | None = None


class UnreadQuery(Struct, frozen=True, gc=False):
    """Where to count what a reader has not read: in rooms, and in a stretch of their dialogues.

    Attributes:
        sender_id: the reader.
        rooms: each with the seq above which it counts.
        up_to: never a message above this seq (the hub's fed_seq).
        after: only dialogues with sender_ids above this; None for no dialogues.
        limit: dialogues in the answer, at most.
        looks: dialogues looked at, at most: most of them have been read, and finding that out is work too.
    """

    sender_id: int
    rooms: tuple[tuple[str, int], ...]
    up_to: int
    after: int | None = 0
    limit: int = PAGE_ROWS
    looks: int = UNREAD_LOOKS


class UnreadRows(Struct, frozen=True, gc=False):
    """Where something is unread: rooms in the order asked, then dialogues by sender_id.

    Attributes:
        rows: one for each.
        through: dialogues up to this sender_id have been looked at, and there may be more; None for all of them.
    """

    rows: list[Unread]
    through: int | None = None


class RoomFigures(Struct, frozen=True, gc=False):
    """How much was said in a room.

    Attributes:
        room: its name.
        messages: that it has now, counted up to 10,000.
        last_at_ms: when the last of them was sent, UTC; 0 for none.
    """

    room: str
    messages: int
    last_at_ms: int


class MessageLog(Protocol):
    """The durable log. Every method is called on the loop's thread and returns at once."""

    def start(
        self, on_commit: Callable[[Sequence[LogEntry]], None], on_failure: Callable[[Exception], None]
    ) -> LogState:
        """Open the log and begin.

        Args:
            on_commit: gets the fresh messages of every committed batch, in order; nothing where a batch has none.
            on_failure: called once, when the log can no longer keep its promise; nothing is acknowledged any more.

        Raises:
            LogLocked: another process has it open.
            LogSchemaTooNew: a newer securechat wrote it.
            LogError: it cannot be opened; the sentence says why and what to do.
        """

    def append(self, draft: Draft, done: Callable[[AppendOutcome], None]) -> None:
        """Store a draft; ``done`` says whether it is durable. After a failure of the log no ``done`` is called.

        One that is ``known_only`` and has no earlier copy is answered NOT_FOUND.

        Raises:
            LocalProtocolError: a text is no Unicode (lone surrogates), which every codec must have refused.
            Overloaded: the append queue is full; nothing was taken.
        """

    def identify(
        self,
        secret_hash: bytes,
        name: str,
        key: str,
        done: Callable[[Identity | NotAppended], None],
        account: int | None = None,
    ) -> None:
        """Find or make, durably, the sender of this secret, and record that the sender holds the name now.

        With ``account`` the secret is a device of that account (or its own first one): it speaks for the account from
        now on, and holds no name, because the account does. Answered INVALID when the secret speaks for somebody else
        already, and LOGIN_REQUIRED when it is an account's and none was named.
        """

    def record(self, changes: Sequence[Change], done: Callable[[Committed | NotAppended], None]) -> None:
        """Make changes about people durable, all or none, in the order asked among all writes."""

    def rename(self, sender_id: int, name: str, key: str) -> None:
        """Record that the sender now holds this name instead; takes effect with the next commit."""

    def release(self, sender_id: int, *, reserved: bool) -> None:
        """Record that the sender is gone: the name stays reserved from now (a loss), or is free at once (a quit)."""

    def revise(self, revision: Revision, done: Callable[[AppendOutcome], None]) -> None:
        """Edit or delete a message, or react to it; like `append` in everything, retries and the feed included.

        Also answered NOT_FOUND when there is no such message in that conversation or it was deleted, NO_RIGHT when its
        author is another and ``any_author`` is not set, and TOO_MANY for more reactions than a message may have.

        Raises:
            Overloaded: as `append`.
        """

    def history(self, query: HistoryQuery, done: Callable[[HistoryRows | NotAppended], None]) -> None:
        """Read committed messages on the reading thread."""

    def search(self, query: SearchQuery, done: Callable[[SearchRows | NotAppended], None]) -> None:
        """Find committed messages, on a thread of its own."""

    def unread(self, query: UnreadQuery, done: Callable[[UnreadRows | NotAppended], None]) -> None:
        """Count what a reader has not read, on the reading thread."""

    def room_figures(self, rooms: Sequence[str], done: Callable[[list[RoomFigures] | NotAppended], None]) -> None:
        """Tell how much was said in these rooms, by name; a room in which nothing ever was may be left out."""

    def close(self) -> None:
        """Commit what is queued (their ``done`` are called by the loop if it still runs), then close. Blocks."""


class PasswordCheck(Struct, frozen=True, gc=False):
    """What a hasher found.

    Attributes:
        match: whether the password is the one.
        stale: whether it was hashed with weaker parameters than today's, so that it should be hashed again.
    """

    match: bool
    stale: bool = False


class Hasher(Protocol):
    """Hashes passwords where it stalls nobody. Every method is called on the loop's thread and returns at once.

    Answers come back on the loop's thread, in the order asked. A PHC string (Password Hashing Competition string
    format) carries algorithm, parameters, salt and hash.

    Every request that is taken is answered, but for those at the end of the process: one that cannot be carried out (no
    memory, no thread) with a Refusal, BUSY with retry_after_s, so that the asker gives back what it holds for it.
    """

    def hash(self, password: str, done: Callable[[str | Refusal], None]) -> None:
        """Hash a new password; ``done`` gets the PHC string, or why there is none.

        Raises:
            Refusal: BUSY with retry_after_s; hash_queue passwords wait already.
        """

    def verify(self, phc: str | None, password: str, done: Callable[[PasswordCheck | Refusal], None]) -> None:
        """Compare a password with a PHC string; with None do work of the same cost and find no match.

        Raises:
            Refusal: BUSY, as `hash`.
        """


class Peer(Protocol):
    """One connection, as the hub sees it: somebody to tell things."""

    @property
    def address(self) -> str:
        """What it counts under, for limits: `securechat.client_address.origin_of` its network address."""

    @property
    def host(self) -> str:
        """Its whole network address, for bans and for the owner of a login to recognise."""

    @property
    def number(self) -> int:
        """Its place among all connections of this server, in the order in which they were made."""

    @property
    def certificate(self) -> str | None:
        """The fingerprint of the public key of the client certificate it presented, verified; None without one."""

    @property
    def page_limits(self) -> PageLimits:
        """How long a page for this peer may be, as its wire format has it."""

    @property
    def held_back(self) -> bool:
        """Whether its outbox is over the soft limit, so that pages must wait."""

    def deliver(self, event: Event) -> None:
        """Encode an event for this peer alone and queue it."""

    def close(self, closing: Closing) -> None:
        """Say the last words, after everything queued, and end the connection."""


class BroadcastPort(Protocol):
    """Tells many peers the same: encodes once per wire format, and shares the bytes where the format does."""

    def broadcast(self, peers: Sequence[Peer], events: Sequence[Event]) -> None:
        """Queue the same events, in order, for every peer."""


class OperatorEvent(StrEnum):
    """What the operator's log may want to know. Values are stable words of the JSON log."""

    NAMED = "named"
    JOINED = "joined"
    LEFT = "left"
    RENAMED = "renamed"
    REFUSED = "refused"
    SAID = "said"


class OperatorLogPort(Protocol):
    """Hears what happened, for the operator's log. Must be quick and must not raise."""

    @property
    def hears_messages(self) -> bool:
        """Whether SAID is of interest; asked once, because it would be told for every message."""

    def happened(self, what: OperatorEvent, peer: Peer | None, name: str, detail: str, text: str = "") -> None:
        """Note one event.

        Args:
            what: the kind.
            peer: the connection it happened on, where there is one.
            name: the person's name, or the empty string before there is one.
            detail: room, other name or reason.
            text: message text; shown only if the operator asked for it.
        """


class Access(StrEnum):
    """Who may come in. Values are stable words of the configuration."""

    OPEN = "open"
    MEMBERS = "members"


class AuthenticationSettings(Struct, frozen=True):
    """What the hub needs besides the log: who may come in, and everything it may not make itself.

    Attributes:
        access: who may come in.
        hasher: hashes passwords.
        token_bytes: that many random bytes, unguessable.
        wall_ms: UTC milliseconds.
        monotonic: seconds that no setting of the clock moves.
        proven: given a public key, a signature and a sender_id, returns the fingerprint of that key when the signature
            proves to this server that the sender has its private half; else None.
    """

    access: Access
    hasher: Hasher
    token_bytes: Callable[[int], bytes]
    wall_ms: Callable[[], int]
    monotonic: Callable[[], float]
    proven: Callable[[str, str, int], str | None]
