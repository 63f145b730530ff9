"""The interface of a store: applies batches of writes synchronously and answers queries.

A `Store` knows no threads, queues or callbacks. `SqliteStore` and `MemoryStore` implement it, so both behave the same
below either shell (`ThreadedLog` with threads, `InlineLog` without).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import SecurechatError
from securechat.limits import PageLimits
from securechat.model import Draft, LogEntry, Revision, RevisionKind
from securechat.records.accounts import (
    KEY_DAYS,
    ApiToken,
    AuditEntry,
    Change,
    Committed,
    Drop,
    EraseSender,
    Login,
    PurgeGuests,
    PurgeMessageKeys,
    Put,
)
from securechat.records.files import DropGoneFiles, FileQuery, FileRow, GoneFile, OwnFilesQuery, PurgeFiles
from securechat.records.log import Appended, AppendOutcome, Identity, LogState, NotAppended
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
from securechat.records.rooms import DropRoom, PurgeExpired, PutRoom
from securechat.text.file_lines import with_file_lines, without_file_lines
from securechat.text.refusals import refusal_for

if TYPE_CHECKING:
    import apsw


class IndexLocation(Struct, frozen=True):
    """The location of a search index, and how to read its log.

    Attributes:
        index: the index's file.
        reading: opens a connection to the log; with ``shared`` a separate one.
        vfs: the name of an apsw VFS; None for the operating system.
        shared: as for `SearchIndex`.
    """

    index: Path
    reading: Callable[[], AbstractContextManager[apsw.Connection]]
    vfs: str | None
    shared: bool


class IdentifySender(Struct, frozen=True, gc=False):
    """Find or create the sender of a secret, which holds this name from now on; see `MessageLog.identify`.

    Unless that is refused, ``changes`` are applied too: records of accounts, logins and invites, and audit entries.
    """

    secret_hash: bytes
    name: str
    key: str
    account: int | None = None
    changes: tuple[Change, ...] = ()


class RenameSender(Struct, frozen=True, gc=False):
    """Replace the name that the sender holds."""

    sender_id: int
    name: str
    key: str


class ReleaseName(Struct, frozen=True, gc=False):
    """The sender has left; ``reserved`` keeps the name for it for a while."""

    sender_id: int
    reserved: bool


class ApplyChanges(Struct, frozen=True, gc=False):
    """Apply changes of accounts and rooms, all or none."""

    changes: tuple[Change, ...]


class StoredKey(NamedTuple):
    """What a store has of a key.

    Attributes:
        seq: of the message that has it.
        conversation: the number of the message's conversation.
        content: see `content_hash`; None when the text has changed or is gone.
        sent_at_ms: when the message was stored, UTC.
    """

    seq: int
    conversation: int
    content: bytes | None
    sent_at_ms: int


class MessageState(Struct, gc=False):
    """The part of a message's state that decides whether a change is allowed.

    Attributes:
        place: the room, or the two sender_ids of a dialogue, the smaller first.
        author: the sender_id of its author.
        deleted: whether it was deleted.
        reactions: by emoji and sender_id; the values belong to the store.
        files: the name and size of each of its files, in order.
    """

    place: ConversationKey
    author: int
    deleted: bool
    reactions: dict[tuple[str, int], tuple[int, int]]
    files: list[tuple[str, int]]


ConversationKey: TypeAlias = str | tuple[int, int]
StoreWrite: TypeAlias = Draft | Revision | IdentifySender | RenameSender | ReleaseName | ApplyChanges
WriteOutcome: TypeAlias = AppendOutcome | Identity | Committed | None


class CommitResult(Struct, gc=False):
    """A batch after its transaction: one outcome per write, and the fresh entries by rising seq."""

    outcomes: list[WriteOutcome]
    fresh: list[LogEntry]


class DiskFull(SecurechatError):
    """The disk is full and the transaction was rolled back whole: nothing was stored, nothing is damaged."""


class DatabaseBusy(SecurechatError):
    """Another process holds the database's lock: nothing was read or written, and the same call may be made again."""


class QueryTooExpensive(SecurechatError):
    """A query was stopped because it cost more than one query may."""


DISK_RETRY_S = 5.0
"""Before what found no space is tried again: free space is looked at once a second, and is rarely there soon."""
DISK_FULL = NotAppended.of(refusal_for("message_not_stored", retry_after_s=DISK_RETRY_S))
OUT_OF_ORDER = NotAppended.of(refusal_for("draft_out_of_order"))
NO_ENTRY = NotAppended.of(refusal_for("login_not_stored", retry_after_s=DISK_RETRY_S))
NOT_RECORDED = NotAppended.of(refusal_for("change_not_stored"))
NEEDS_LOGIN = NotAppended.of(refusal_for("secret_needs_login"))
ACCOUNT_GONE = NotAppended.of(refusal_for("account_gone"))
ANOTHERS_SECRET = NotAppended.of(refusal_for("secret_of_another"))
NOT_KNOWN = NotAppended.of(refusal_for("draft_unknown"))
NO_MESSAGE = NotAppended.of(refusal_for("no_such_message"))
NOT_YOURS = NotAppended.of(refusal_for("not_your_message"))
NOT_BELOW = NotAppended.of(refusal_for("author_not_below"))
FILE_USED = NotAppended.of(refusal_for("upload_used"))
NAME_TAKEN = NotAppended.of(refusal_for("room_name_in_log"))

KEY_OF_ANOTHER = NotAppended.of(refusal_for("key_of_another_message"))
KEY_OF_CHANGED = NotAppended.of(refusal_for("key_of_changed_message"))
_DAY_MS = 86_400_000

ERASE_WITHIN_S = 60.0
"""Time limit for removing edited or deleted text from every file, unless a reader outside the server (a backup) holds
the journal for longer."""
ROOM_MESSAGES_MOST = 10_000
"""The largest message count of a room."""
CHANGES_PER_MESSAGE = 4
"""A page of n messages holds at most this many times n changes."""
EXPIRE_CHANGES = 10_000
"""Changes that one `PurgeExpired` deletes at most: a message with more of them is deleted by a later one."""
SCRUB_ROWS = 1_000
"""Messages that one `EraseSender` changes at most, however many seqs it examines: all messages wait for its commit.
Measured over a million short messages, with 2,000: 5 ms to examine 20,000 seqs, 22 ms at worst; with 20,000 it was 33
ms. For texts of 4,000 characters, a page each, it took 45 ms to examine and 100 to delete 2,000."""
FORGET_LOOKS = 20_000
"""Senders that one `PurgeGuests` examines at most."""


def judge(client_id: int, last_client_id: int, stored_seq: int | None) -> AppendOutcome | None:
    """The rule of retries: the answer to a draft from its stream's state, or None when it is fresh.

    Args:
        client_id: the draft's number in its stream.
        last_client_id: the highest number in the stream; 0 for none.
        stored_seq: the seq of the stream's copy with this number; None when there is none.
    """
    if client_id > last_client_id:
        return None
    return OUT_OF_ORDER if stored_seq is None else Appended(stored_seq, retry=True)


def judge_key(stored: StoredKey | None, draft: Draft, conversation: int | None, now_ms: int) -> AppendOutcome | None:
    """The rule of keys: the answer to a draft with a key, or None when its sender has not used it for KEY_DAYS.

    Acknowledged is only what the log has: once a message's text was changed or is gone, nothing tells whether another
    one with its key says the same, and so it is refused.

    Args:
        stored: the message with this key.
        draft: has the key.
        conversation: the number of the draft's conversation; None where there is none yet.
        now_ms: UTC.
    """
    if stored is None or stored.sent_at_ms < now_ms - KEY_DAYS * _DAY_MS:
        return None
    if stored.content is None and stored.conversation == conversation:
        return KEY_OF_CHANGED
    if stored.content != content_hash(draft) or stored.conversation != conversation:
        return KEY_OF_ANOTHER
    return Appended(stored.seq, retry=True)


def key_hash(key: str) -> bytes:
    """What is stored of a key: 16 bytes, however long it is."""
    return sha256(key.encode()).digest()[:16]


def content_hash(draft: Draft) -> bytes:
    """What tells two messages with one key apart, besides the conversation: the text as it was typed, and the reply.

    A retry sends its files again, as others: neither their ids nor the lines that name them are a part of it.
    """
    text = without_file_lines(draft.text, [(stored.info.name, stored.info.size) for stored in draft.files])
    return sha256(f"{draft.reply or 0} {text}".encode()).digest()[:16]


def with_lines(revision: Revision, target: MessageState | None) -> Revision:
    """Return a change as it is stored: the new text of a message with files ends with their lines, once."""
    if target is None or not target.files or revision.kind is not RevisionKind.EDIT:
        return revision
    text = without_file_lines(revision.text, target.files)  # a client that does not know files edits the lines too
    return replace(revision, text=with_file_lines(text, target.files))


def judge_revision(revision: Revision, target: MessageState | None, pages: PageLimits) -> NotAppended | None:
    """The rule of changes: the refusal of a fresh change, or None when it may be stored.

    A refusal stores nothing, so the same client_id may be tried again as long as no later one is stored.

    Args:
        revision: the change, as `with_lines` leaves it.
        target: the message to change, with all earlier changes applied; None when there is none.
        pages: the most reactions that one message may have, and the longest text: the hub knows no files of it.
    """
    if target is None or target.deleted or target.place != place_of(revision.room, revision.sender_id, revision.to):
        return NO_MESSAGE
    match revision.kind:
        case RevisionKind.EDIT:
            return _judge_author(revision, target.author) or _judge_text(revision, target, pages.text_chars)
        case RevisionKind.DELETE:
            return _judge_author(revision, target.author)
        case RevisionKind.REACT:
            is_new = (revision.sign, revision.sender_id) not in target.reactions
            if is_new and len(target.reactions) >= pages.reactions:
                return NotAppended.of(refusal_for("too_many_reactions", most=pages.reactions))
            return None
        case RevisionKind.UNREACT:
            return None


def _judge_author(revision: Revision, author: int) -> NotAppended | None:
    if author == revision.sender_id:
        return None
    if not revision.any_author:
        return NOT_YOURS
    return NOT_BELOW if author in revision.spared else None


def _judge_text(revision: Revision, target: MessageState, most_chars: int) -> NotAppended | None:
    if not revision.text:  # with the lines of files none is empty
        return NotAppended.of(refusal_for("text_empty"))
    if not target.files or len(revision.text) <= most_chars:
        return None
    return NotAppended.of(refusal_for("text_too_long", most=most_chars))


def place_of(room: str | None, sender_id: int, to: int | None) -> ConversationKey:
    """The conversation: a room, or the two sender_ids of a dialogue in either direction."""
    if to is None:
        assert room is not None
        return room
    return (sender_id, to) if sender_id <= to else (to, sender_id)


def judge_secret(
    account: int | None, stream: int | None, speaks_for: int | None, *, is_account: bool, exists: bool
) -> NotAppended | None:
    """The rule of secrets: the refusal of an `IdentifySender`, or None when it may proceed.

    Args:
        account: the account that the secret shall log in to; None for a guest.
        stream: the sender that owns the secret; None for a new one.
        speaks_for: the account that the stream is a device of.
        is_account: whether the stream itself has registered.
        exists: whether the account exists.
    """
    if account is None:
        return NEEDS_LOGIN if is_account or speaks_for is not None else None
    if not exists:
        return ACCOUNT_GONE
    return None if stream is None or account in (stream, speaks_for) else ANOTHERS_SECRET


def logins_used(changes: Sequence[Change]) -> list[int] | None:
    """The numbers of the logins and tokens that these changes put, if they do nothing else; None if they do.

    Where such a login is stored already, the change notes only its use, which may be lost.
    """
    used = [
        change.row.login_id if isinstance(change.row, Login) else change.row.token_id
        for change in changes
        if isinstance(change, Put) and isinstance(change.row, Login | ApiToken)
    ]
    return used if len(used) == len(changes) else None


def looks_at_messages(write: StoreWrite) -> bool:
    """Whether the order between this write and drafts makes a difference."""
    return type(write) is ApplyChanges and any(isinstance(change, _LOOKING) for change in write.changes)


MESSAGE_WRITES: Final = (Draft, Revision)
"""Types of the writes that are about messages. A tuple, as ``Draft | Revision`` is made anew each time, which takes
longer than to ask; each message is asked about four times."""


def erases(write: StoreWrite) -> bool:
    """Whether this write may remove text, which must then be erased from the journal too.

    A `PurgeFiles` removes none: the lines that name the files stay.
    """
    if type(write) is Draft:
        return False
    if type(write) is Revision:
        return write.kind in {RevisionKind.EDIT, RevisionKind.DELETE}
    return isinstance(write, ApplyChanges | IdentifySender) and any(
        isinstance(change, EraseSender | PurgeExpired | Drop) for change in write.changes
    )


def removes(write: StoreWrite) -> bool:
    """Whether this write may remove messages without an entry in the log."""
    return type(write) is ApplyChanges and any(
        isinstance(change, EraseSender | PurgeExpired) for change in write.changes
    )


_LOOKING = (
    EraseSender, PurgeGuests, PurgeExpired, PurgeMessageKeys, PutRoom, DropRoom, DropGoneFiles, PurgeFiles,
)  # fmt: skip


class Store(Protocol):
    """Durable messages and senders, driven by one caller at a time; `read` may run beside `apply`."""

    def open(self) -> LogState:
        """Open, recover and migrate.

        Raises:
            LogLocked, LogSchemaTooNew, LogError: as `MessageLog.start`.
        """

    def apply(self, writes: Sequence[StoreWrite], *, refuse_fresh: bool = False) -> CommitResult:
        """Make a batch durable in one transaction.

        Args:
            writes: in the order asked.
            refuse_fresh: refuse new drafts with DISK_FULL; retries are answered, and logins and changes are stored: a
                ban must be possible on a full disk.

        Raises:
            DiskFull: nothing was stored, and the store is as before.
            DatabaseBusy: the same, because another process holds the database.
            LogError: the outcome of the batch is unknown; the store must not be written again.
        """

    def answer(self, writes: Sequence[StoreWrite]) -> CommitResult:
        """Answer without storing: retries get their seq, all else DISK_FULL (None for writes without an answer).

        A sender that is known gets its `Identity`, not stored, unless the changes along with it must be durable: all
        but the use of logins that are stored.
        """

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Read committed messages.

        Raises:
            QueryTooExpensive: the query was stopped.
            DatabaseBusy: another process holds the database.
            LogError: the store cannot be read.
        """

    def unread(self, query: UnreadQuery) -> UnreadRows:
        """Count a reader's unread messages. Raises as `read`."""

    def conversations(self, query: ConversationQuery) -> ConversationRows:
        """List a reader's rooms and dialogues with their last messages. Raises as `read`."""

    def room_figures(self, rooms: Sequence[str]) -> list[RoomFigures]:
        """Count the messages of these rooms; see `MessageLog.room_figures`. Raises as `read`."""

    def file(self, query: FileQuery) -> FileRow | None:
        """Find one file and its message; see `MessageLog.file`. Raises as `read`."""

    def own_files(self, query: OwnFilesQuery) -> list[FileRow]:
        """List a sender's files; see `MessageLog.own_files`. Raises as `read`."""

    def gone_files(self, after: str, most: int) -> list[GoneFile]:
        """List files that are to be unlinked; see `MessageLog.gone_files`. Raises as `read`."""

    def stored_file_ids(self, after: str, most: int) -> list[str]:
        """List the ids of files; see `MessageLog.stored_file_ids`. Raises as `read`."""

    def search(self, query: SearchQuery) -> SearchRows:
        """Find committed messages; without an index, by reading the whole log. Raises as `read`."""

    @property
    def search_site(self) -> IndexLocation | None:
        """The location for an index; None if there can be none.

        The `IndexMaintainer` that keeps it is closed before the store.
        """

    def audit(self, last: int) -> list[AuditEntry]:
        """Read the last entries of the audit, oldest first. Raises LogError."""

    def tidy(self, *, idle: bool) -> None:
        """Checkpoint the journal, if it is time. Raises DiskFull and LogError as `apply`."""

    @property
    def held_bytes(self) -> int:
        """Size of a journal that another process's reading keeps from being emptied; 0 while none does."""

    @property
    def newest_at_ms(self) -> int:
        """Time of the newest entry, UTC milliseconds, which no later entry goes below; 0 for none."""

    @property
    def erasing(self) -> bool:
        """Whether edited or deleted text may still be in a file."""

    def erase(self) -> None:
        """Erase that text from every file; a reader can prevent it, then ``erasing`` stays true. Raises as `tidy`."""

    @property
    def fills_checksums(self) -> bool:
        """Whether `tidy` has checksums to add, and must be called while nothing is written."""

    def expect_in_place(self) -> None:
        """Check that no open file was deleted or replaced; callable from any thread. Raises LogError."""

    def take_damaged(self) -> list[int]:
        """Return the seqs of damaged messages that `read` met since the last call; call it on the thread of `read`."""

    def close(self, *, failed: bool = False) -> None:
        """Close; after a failure, without writing anything."""
