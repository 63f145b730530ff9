"""The interfaces the hub needs: the message log and the hasher below it, the peers it talks to, the operator's log.

An implementation of `MessageLog` (SQLite, memory, later a cluster) calls back on the loop's thread only. The order of
those calls is part of its contract:

1. every ``done`` of a batch, then
2. ``on_commit`` with the fresh messages of that batch, in the order of their seq; with nothing where there are none.

So on one connection ``Acked`` comes before the sender's own copy of the message, in the same pass of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from securechat.errors import Refusal
from securechat.limits import PageLimits
from securechat.model import (
    Closing,
    Draft,
    Event,
    LogEntry,
    Revision,
    StoredFile,
)
from securechat.records.accounts import Change, Committed
from securechat.records.files import FileQuery, FileRow, FilesOnDisk, GoneFile, OwnFilesQuery, UploadState
from securechat.records.log import AppendOutcome, Identity, LogState, NotAppended
from securechat.records.queries import (
    ConversationQuery,
    ConversationRows,
    HistoryQuery,
    HistoryRows,
    RoomFigures,
    SearchQuery,
    SearchRows,
    UnreadQuery,
    UnreadRows,
)


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
        changes: Sequence[Change] = (),
    ) -> None:
        """Find or make, durably, the sender of this secret, and record that the sender holds the name now.

        With a full disk a sender that is known is found all the same, and answered with an Identity that is not
        ``stored``, if the changes only note the use of a login: the name is recorded when there is space, the use not.

        With ``account`` the secret is a device of that account (or its own first one): it speaks for the account from
        now on, and holds no name, because the account does. Answered INVALID when the secret speaks for another
        account already, and LOGIN_REQUIRED when it is an account's and none was named.

        ``changes`` are made along with it, in the same commit, or not at all when it is refused. They are about
        accounts, logins, invites and the audit; `NEW_SENDER` in a record of an account or a login is this sender.
        """

    def record(self, changes: Sequence[Change], done: Callable[[Committed | NotAppended], None]) -> None:
        """Make changes of accounts and rooms durable, all or none, in the order asked among all writes."""

    def rename(self, sender_id: int, name: str, key: str) -> None:
        """Record that the sender now holds this name instead; takes effect with the next commit."""

    def release(self, sender_id: int, *, reserved: bool) -> None:
        """Record that the sender is gone: the name stays reserved from now (a loss), or is free at once (a quit)."""

    def revise(self, revision: Revision, done: Callable[[AppendOutcome], None]) -> None:
        """Edit or delete a message, or react to it; like `append` in everything, retries and fan-out included.

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
        """Count the unread messages of a reader, on the reading thread."""

    def conversations(self, query: ConversationQuery, done: Callable[[ConversationRows | NotAppended], None]) -> None:
        """List the rooms and dialogues of a reader with their last messages, on the reading thread."""

    def room_figures(self, rooms: Sequence[str], done: Callable[[list[RoomFigures] | NotAppended], None]) -> None:
        """Count the messages of these rooms, by name; a room that never had one may be left out."""

    def file(self, query: FileQuery, done: Callable[[FileRow | NotAppended | None], None]) -> None:
        """Find one file and its message, on the reading thread; None where there is none, also of a deleted message.

        The room has its present name. Whether the asker may read it, and whether ``seq`` has been told, is for the hub.
        """

    def own_files(self, query: OwnFilesQuery, done: Callable[[list[FileRow] | NotAppended], None]) -> None:
        """List the files of a sender, the largest first, on the reading thread."""

    def gone_files(self, after: str, most: int, done: Callable[[list[GoneFile] | NotAppended], None]) -> None:
        """List files whose messages are gone, which are to be unlinked, on the reading thread.

        In the order of their ids, those behind ``after``, at most ``most``. Each is listed until a `DropGoneFiles` is
        recorded.
        """

    def stored_file_ids(self, after: str, most: int, done: Callable[[list[str] | NotAppended], None]) -> None:
        """List the ids of files of messages behind one of them, in their order, at most ``most``."""

    def close(self) -> None:
        """Commit what is queued (their ``done`` are called by the loop if it still runs), then close. Blocks."""


class OpenFile(Protocol):
    """A file that is open for reading. One that is unlinked meanwhile may be readable a while longer, or not."""

    @property
    def size_bytes(self) -> int:
        """Its length."""

    def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
        """Read from an offset; less than asked for only at the end. None: it cannot be read any more."""

    def close(self) -> None:
        """Close it. Idempotent; a reading under way is not answered any more."""


class FileDisk(Protocol):
    """The bytes of files, in the data directory. Every method is called on the loop's thread and returns at once.

    Every ``done`` is called on the loop's thread, later than the call; after `close` none is. What is asked for one
    upload is done in the order asked.

    What is refused, by reason: ``files_disk_full`` when there is no space, ``file_not_stored`` when something
    else failed, both with the upload as it was before; ``upload_unknown`` when the disk has it no more (it was
    discarded, or a failed sync took it), so that its sender begins anew.
    """

    @property
    def free_bytes(self) -> int:
        """Free space of the disk, at most a second old."""

    @property
    def total_bytes(self) -> int:
        """The size of the disk, at most a second old."""

    @property
    def is_busy(self) -> bool:
        """Whether so much waits that no upload should begin; what is under way is still taken."""

    def create(self, upload: UploadState) -> None:
        """Begin an upload durably. Where that fails, its first write begins it, and is refused if that fails again."""

    def write(self, file_id: str, offset: int, data: bytes, done: Callable[[Refusal | None], None]) -> None:
        """Append to an upload; ``offset`` is its length so far. After a refusal nothing of ``data`` is there."""

    def cut(self, file_id: str, offset: int, done: Callable[[Refusal | None], None]) -> None:
        """Take bytes off the end of an upload again: it is ``offset`` long then."""

    def note_unjudged(self, file_id: str, offset: int | None, done: Callable[[Refusal | None], None]) -> None:
        """Note durably that the bytes behind ``offset`` are not judged yet, and go at a start; None: all are."""

    def finish(self, upload: UploadState, done: Callable[[StoredFile | Refusal], None]) -> None:
        """End an upload: hash it, write a picture anew, and make all durable under the final name.

        Asked again it answers the same. Also refused with ``upload_not_whole`` when bytes are missing, and with
        ``picture_unreadable`` or ``pictures_busy``; the upload is then whole, and may be finished again, with
        ``as_file``.
        """

    def discard(self, file_id: str) -> None:
        """Give an upload up, finished or not, durably: nothing of it stays."""

    def settle(self, file_id: str) -> None:
        """The message of a finished upload is committed: from now on the log alone says that the file is there."""

    def unlink(self, file_ids: Sequence[str], done: Callable[[tuple[str, ...]], None]) -> None:
        """Unlink files with their smaller copies; ``done`` gets those that are off the disk for certain."""

    def open(self, file_id: str, size: int | None, done: Callable[[OpenFile | None], None]) -> None:
        """Open a file to read from, or its smaller copy of ``size`` pixels; None when it cannot be opened."""

    def load(self, done: Callable[[list[UploadState]], None]) -> None:
        """Read the uploads that an earlier process left, at the start; what belongs to none of them is swept."""

    def list_stored(self, prefix: str, done: Callable[[FilesOnDisk | None], None]) -> None:
        """List the finished files that have no upload any more, and whose ids begin with these two digits.

        None: the folder cannot be read.
        """

    def close(self) -> None:
        """End what runs, and drop what waits. Blocks."""


class PasswordCheck(Struct, frozen=True, gc=False):
    """The result of comparing a password.

    Attributes:
        match: whether it is the right password.
        stale: whether it was hashed with weaker parameters than today's, so that it should be hashed again.
    """

    match: bool
    stale: bool = False


class Hasher(Protocol):
    """Hashes passwords without stalling the loop. Every method is called on the loop's thread and returns at once.

    Answers come back on the loop's thread, in the order asked. A PHC string (Password Hashing Competition string
    format) carries algorithm, parameters, salt and hash.

    Every request that is taken is answered, but for those at the end of the process: one that cannot be carried out (no
    memory, no thread) with a Refusal, BUSY with retry_after_s, so that the caller releases what it holds for it.
    """

    def hash(self, password: str, done: Callable[[str | Refusal], None]) -> None:
        """Hash a new password; ``done`` gets the PHC string, or the refusal.

        Raises:
            Refusal: BUSY with retry_after_s; hash_queue passwords wait already.
        """

    def verify(self, phc: str | None, password: str, done: Callable[[PasswordCheck | Refusal], None]) -> None:
        """Compare a password with a PHC string; with None do work of the same cost and find no match.

        Raises:
            Refusal: BUSY, as `hash`.
        """


class Peer(Protocol):
    """One connection, as the hub sees it."""

    @property
    def address(self) -> str:
        """The key under which limits count it: `securechat.client_address.origin_of` its network address."""

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
        """The largest page for this peer, as its wire format has it."""

    @property
    def held_back(self) -> bool:
        """Whether its outbox is over the soft limit, so that pages must wait."""

    @property
    def queued_bytes(self) -> int:
        """Bytes that it has not taken yet."""

    def deliver(self, event: Event) -> None:
        """Encode an event for this peer alone and queue it."""

    def close(self, closing: Closing) -> None:
        """Send the last event, after everything queued, and end the connection."""

    def act_begun(self) -> None:
        """A durable act of this peer begins: hand over no later command until `act_over` was called as often."""

    def act_over(self) -> None:
        """A durable act of this peer is over; its answer is delivered in the same pass."""


class BroadcastPort(Protocol):
    """Sends the same events to many peers: encodes once per wire format, and shares the bytes where the format does."""

    def broadcast(self, peers: Sequence[Peer], events: Sequence[Event]) -> None:
        """Queue the same events, in order, for every peer."""


class OperatorEvent(StrEnum):
    """The events of the operator log. Values are stable words of its JSON form."""

    NAMED = "named"
    JOINED = "joined"
    LEFT = "left"
    RENAMED = "renamed"
    REFUSED = "refused"
    SAID = "said"


class OperatorLogPort(Protocol):
    """Writes events to the operator log. Must be quick and must not raise."""

    @property
    def hears_messages(self) -> bool:
        """Whether SAID is of interest; read once, because it happens with every message."""

    def happened(self, what: OperatorEvent, peer: Peer | None, name: str, detail: str, text: str = "") -> None:
        """Note one event.

        Args:
            what: the kind.
            peer: the connection it happened on, where there is one.
            name: the member's name, or the empty string before there is one.
            detail: room, other name or reason.
            text: message text; shown only if the operator asked for it.
        """


class Access(StrEnum):
    """The people who may log in: all, or accounts alone. Values are stable words of the configuration."""

    OPEN = "open"
    MEMBERS = "members"


class AuthenticationSettings(Struct, frozen=True):
    """The settings and sources that authentication needs and the hub may not make itself.

    Attributes:
        access: the people who may log in.
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
