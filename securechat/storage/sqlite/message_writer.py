"""Writes drafts and changes of messages: numbers them, checks them in order, and inserts them in few statements.

One `MessageWriter` serves one open database. Within a chunk of a batch it is ahead of the tables: earlier drafts and
changes are in memory, are checked there, and reach the tables at the end of the chunk. `store` explains why statements
are few; a hundred reactions to one message take five of them.

Between batches it keeps only a cache: the last client_id of a stream, and the number and last seq of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any
from zlib import crc32

import apsw
import msgspec

from securechat.limits import PageLimits
from securechat.model import Draft, LogEntry, Message, Revision
from securechat.records.log import Appended, AppendOutcome, NotAppended
from securechat.records.rooms import PutReadMarker
from securechat.storage.sqlite import file_rows, files, message_changes
from securechat.storage.sqlite.checksums import more_part, names_part, time_part
from securechat.storage.sqlite.message_changes import PendingMessageChange
from securechat.storage.store import (
    DISK_FULL,
    FILE_USED,
    NO_MESSAGE,
    NOT_KNOWN,
    OUT_OF_ORDER,
    ApplyChanges,
    ConversationKey,
    StoredKey,
    StoreWrite,
    WriteOutcome,
    content_hash,
    judge,
    judge_key,
    judge_revision,
    key_hash,
    place_of,
    with_lines,
)

REMEMBERED = 32_768
"""Entries in each cache: last numbers of streams and of conversations, and names; some 5 MiB each. A full cache is
cleared."""
_CHUNK_ROWS = 256
"""Rows per INSERT: 11 columns of them are 2,816 of SQLite's 32,766 parameters."""

_LAST_SEQ = """
SELECT max(ifnull((SELECT max(seq) FROM messages), 0),
           ifnull((SELECT max(seq) FROM changes), 0),
           ifnull((SELECT max(deleted_seq) FROM conversations WHERE deleted_seq > 0), 0),
           (SELECT deleted_change FROM serials)),
       max(ifnull((SELECT sent_at_ms FROM messages ORDER BY seq DESC LIMIT 1), 0),
           ifnull((SELECT sent_at_ms FROM changes ORDER BY seq DESC LIMIT 1), 0))
"""
_CONVERSATION = """
SELECT conversation, max(deleted_seq, ifnull(
    (SELECT max(seq) FROM messages AS m WHERE m.conversation = c.conversation), 0))
FROM conversations AS c WHERE conversation = ifnull(
    (SELECT conversation FROM conversations WHERE room = ?1),
    (SELECT conversation FROM conversations WHERE low = ?2 AND high = ?3))
"""
_LAST_CLIENT_ID = "SELECT ifnull(max(client_id), 0) FROM drafts WHERE stream = ?"
_STORED_KEY = """
SELECT seq, conversation, content_hash, sent_at_ms FROM message_keys WHERE sender_id = ? AND key_hash = ?
"""
_STORED_SEQ = "SELECT seq FROM drafts WHERE stream = ? AND client_id = ?"
_TABLES = {
    "messages": (
        "seq", "conversation", "prev", "sender_id", "name", "sent_at_ms", "text", "checksum", "to_name", "reply",
        "mentions",
    ),
    "drafts": ("stream", "client_id", "seq"),
    "changes": ("seq", "conversation", "kind", "target", "sender_id", "name", "sent_at_ms", "sign"),
    "mentions": ("person", "conversation", "seq"),
    "message_keys": ("seq", "sender_id", "key_hash", "conversation", "content_hash", "sent_at_ms"),
    "files": file_rows.COLUMNS,
}  # fmt: skip
"""The tables, and their columns; a message without a reply, mentions or edits omits the last three: an unbound column
costs nothing."""
_PLAIN = 8
_FILE_ID = file_rows.COLUMNS.index("file_id")


class MessageWriter:
    """Writes messages and their changes.

    Args:
        connection: the writing connection.
        pages: limits the reactions of a message, and its text.

    Attributes:
        last_seq: the highest number given to an entry.
        last_sent_at_ms: when the newest entry was stored.
        fresh: the entries of this batch, by seq without a gap.
    """

    def __init__(self, connection: apsw.Connection, pages: PageLimits) -> None:
        self._pages = pages
        self._connection = connection
        self._last_client_ids: dict[int, int] = {}
        self._conversations: dict[ConversationKey, list[int]] = {}  # number and last seq
        self._name_parts: dict[str, int] = {}  # parts of checksums
        self.last_seq = 0
        self.load()

    def load(self) -> None:
        """Load the last numbers from the tables, deleted rows included; clear the caches."""
        self._last_client_ids.clear()
        self._conversations.clear()
        ((self.last_seq, self.last_sent_at_ms),) = self._execute(_LAST_SEQ)
        self.begin(0, refuse_fresh=False)

    def begin(self, now_ms: int, *, refuse_fresh: bool) -> None:
        """Begin a batch, in a transaction. Full caches are cleared here, and never within a batch."""
        if len(self._last_client_ids) > REMEMBERED:
            self._last_client_ids.clear()
        if len(self._conversations) > REMEMBERED:
            self._conversations.clear()
        if len(self._name_parts) > REMEMBERED:
            self._name_parts.clear()
        self._refuse_fresh = refuse_fresh
        self._at_ms = max(now_ms, self.last_sent_at_ms)
        self._time_part = time_part(self._at_ms)
        self.fresh: list[LogEntry] = []
        self._first_seq = self._known_seq = self.last_seq + 1
        self._seqs: dict[tuple[int, int], int] = {}  # by (stream, client_id), for retries within the batch
        self._keys: dict[tuple[int, bytes], StoredKey] = {}  # by (sender_id, hash), of this chunk
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _TABLES}
        self._targets: dict[int, PendingMessageChange] = {}

    def commit(self) -> None:
        """Note that the batch is in the tables, with its time."""
        if self.fresh:
            self.last_sent_at_ms = self._at_ms

    def write(self, stretch: Sequence[StoreWrite], read_marks: list[int | None]) -> list[WriteOutcome]:
        """Write the drafts and changes of a chunk; the outcomes of other writes are left None.

        Args:
            stretch: writes in the order asked.
            read_marks: gets, for every PutReadMarker, in order, the number of its conversation, or None.
        """
        self._known_seq = self.last_seq + 1
        about = [
            number
            for write in stretch
            if (number := write.reply if type(write) is Draft else write.target if type(write) is Revision else None)
        ]
        self._targets = message_changes.load(self._connection, about) if about else {}
        outcomes: list[WriteOutcome] = []
        for write in stretch:
            if type(write) is Draft:
                outcomes.append(self._take(write))
            elif type(write) is Revision:
                outcomes.append(self._revise(write))
            else:
                outcomes.append(None)
                if type(write) is ApplyChanges:
                    read_marks += [self.locate(change) for change in write.changes if type(change) is PutReadMarker]
        self._flush()
        return outcomes

    def locate(self, read: PutReadMarker) -> int | None:
        """Return the number of the conversation of a read marker; None when there is none."""
        place = place_of(read.room, read.sender_id, read.peer)
        known = self._conversations.get(place)
        if known is None and (found := self._find(place)):
            known = self._conversations[place] = found
        return known[0] if known else None

    def forget_conversations(self) -> None:
        """Clear the cache of conversations, because one of them may have a new name."""
        self._conversations.clear()

    def answer(self, write: Draft | Revision, now_ms: int) -> AppendOutcome:
        """Answer without storing: a retry gets its seq, everything else DISK_FULL."""
        stream = write.stream or write.sender_id
        known_only = type(write) is Draft and write.known_only
        judged = self._judge(stream, write.client_id, self._last_stored(stream))
        if type(write) is Draft and write.key is not None:
            judged = self._judge_with_key(write, write.key, judged, max(now_ms, self.last_sent_at_ms))
        return judged or (NOT_KNOWN if known_only else DISK_FULL)

    # --- One write ------------------------------------------------------------------------------------------------

    def _take(self, draft: Draft) -> AppendOutcome:
        """Give a fresh draft the next seq, or answer a retry with the first copy's outcome."""
        sender_id, client_id = draft.sender_id, draft.client_id
        stream = draft.stream or sender_id
        last = self._last_client_ids.get(stream)
        if last is None:
            last = self._last_client_ids[stream] = self._last_stored(stream)
        key, known = draft.key, None
        if client_id <= last:
            known = self._judge(stream, client_id, last)
        if key is not None:
            known = self._judge_with_key(draft, key, known, self._at_ms)
        if known is not None:
            return known
        if (draft.files or draft.known_only or self._refuse_fresh) and (refused := self._refusal(draft)) is not None:
            return refused
        to = draft.to
        place = draft.room if to is None else (sender_id, to) if sender_id <= to else (to, sender_id)
        assert place is not None
        conversation = self._conversations.get(place)
        if conversation is None:
            conversation = self._conversations[place] = self._open_conversation(place)
        seq = self._next_seq(stream, client_id)
        prev, conversation[1] = conversation[1], seq
        at_ms, name, text = self._at_ms, draft.name, draft.text
        number = conversation[0]
        name_part = self._name_parts.get(name)
        if name_part is None:
            name_part = self._name_parts[name] = crc32(name.encode())
        checksum = crc32(text.encode(), self._time_part ^ seq ^ prev ^ sender_id ^ number) ^ name_part
        row: tuple[Any, ...] = (seq, number, prev, sender_id, name, at_ms, text, checksum)
        if to is not None:
            row = (*row[:-1], checksum ^ names_part("", draft.to_name), draft.to_name)
        message = Message(seq, prev, sender_id, name, at_ms, text, draft.room, to, draft.to_name, bot=draft.bot)
        if key is not None:
            self._note_key(draft, key, seq, number)
        if draft.reply is not None or draft.mentions or draft.files:
            row, message = self._with_more(draft, place, row, message)
        self._rows["messages"].append(row)
        self.fresh.append(message)
        return Appended(seq)

    def _judge_with_key(
        self, draft: Draft, key: str, judged: AppendOutcome | None, now_ms: int
    ) -> AppendOutcome | None:
        """Return the answer by the client_id or, where that knows no copy, by the key; None for a fresh draft."""
        if judged is not None and judged != OUT_OF_ORDER:
            return judged
        known = self._judge_key(draft, key, now_ms)
        return known if judged is None or type(known) is Appended else judged

    def _judge_key(self, draft: Draft, key: str, now_ms: int) -> AppendOutcome | None:
        """Return the answer to a draft with a key that its sender has used; None for a fresh key."""
        hashed = key_hash(key)
        stored = self._keys.get((draft.sender_id, hashed))
        if stored is None:
            rows = self._execute(_STORED_KEY, (draft.sender_id, hashed))
            stored = StoredKey(*rows[0]) if rows else None
        if stored is None:
            return None
        target = self._targets.get(stored.seq)
        if target is not None and target.text is not None:  # edited or deleted in this chunk
            stored = stored._replace(content=None)
        place = place_of(draft.room, draft.sender_id, draft.to)
        conversation = self._conversations.get(place) or self._find(place)
        return judge_key(stored, draft, conversation[0] if conversation else None, now_ms)

    def _note_key(self, draft: Draft, key: str, seq: int, conversation: int) -> None:
        """Have the message's key written with it."""
        stored = self._keys[draft.sender_id, key_hash(key)] = StoredKey(
            seq, conversation, content_hash(draft), self._at_ms
        )
        self._rows["message_keys"].append(
            (seq, draft.sender_id, key_hash(key), conversation, stored.content, self._at_ms)
        )

    def _with_more(
        self, draft: Draft, place: ConversationKey, row: tuple[Any, ...], message: Message
    ) -> tuple[tuple[Any, ...], Message]:
        """Add what few messages have: files, mentions, and the message it answers, if that exists."""
        seq, conversation = message.seq, row[1]
        answered = self._target(draft.reply)
        reply = draft.reply if answered is not None and answered.place == place else None
        mentions = list(draft.mentions)
        self._rows["mentions"] += message_changes.mention_rows(draft.sender_id, conversation, seq, mentions)
        self._rows["files"] += file_rows.rows_of(draft, seq)
        message = msgspec.structs.replace(
            message, reply=reply, mentions=mentions, files=[stored.info for stored in draft.files]
        )
        checksum = row[_PLAIN - 1] ^ more_part(reply, mentions, None, None)
        return (*row[: _PLAIN - 1], checksum, message.to_name, reply, message_changes.array_or_null(mentions)), message

    def _refusal(self, draft: Draft) -> NotAppended | None:
        """Return why a fresh draft is not stored; None if it is."""
        if draft.known_only:
            return NOT_KNOWN
        if self._refuse_fresh:
            return DISK_FULL
        return FILE_USED if self._is_file_used(draft) else None

    def _is_file_used(self, draft: Draft) -> bool:
        """Whether a file of a draft is another message's: the hub gives each once, and a fault there stays its own."""
        asked = [stored.info.id for stored in draft.files]
        of_chunk = {row[_FILE_ID] for row in self._rows["files"]}
        is_double = len({*asked}) < len(asked) or not of_chunk.isdisjoint(asked)
        return is_double or files.is_stored(self._connection, asked)

    def _revise(self, revision: Revision) -> AppendOutcome:
        """Give a fresh change the next seq, if it is allowed."""
        stream = revision.stream or revision.sender_id
        last = self._last_client_ids.get(stream)
        if last is None:
            last = self._last_client_ids[stream] = self._last_stored(stream)
        outcome = self._judge(stream, revision.client_id, last)
        if outcome is not None or self._refuse_fresh:
            return outcome or DISK_FULL
        target = self._target(revision.target)
        revision = with_lines(revision, target)
        refused = judge_revision(revision, target, self._pages)
        if refused is not None or target is None:
            return refused or NO_MESSAGE
        seq = self._next_seq(stream, revision.client_id)
        self._rows["changes"].append(
            (
                seq, target.conversation, revision.kind.value, revision.target, revision.sender_id, revision.name,
                self._at_ms, revision.sign,
            )
        )  # fmt: skip
        self.fresh.append(target.revise(revision, seq, self._at_ms))
        return Appended(seq)

    def _next_seq(self, stream: int, client_id: int) -> int:
        self.last_seq = seq = self.last_seq + 1
        self._last_client_ids[stream] = client_id
        self._seqs[stream, client_id] = seq
        self._rows["drafts"].append((stream, client_id, seq))
        return seq

    def _judge(self, stream: int, client_id: int, last: int) -> AppendOutcome | None:
        if client_id > last:
            return None
        stored_seq = self._seqs.get((stream, client_id))
        if stored_seq is None:
            rows = self._execute(_STORED_SEQ, (stream, client_id))
            stored_seq = rows[0][0] if rows else None
        return judge(client_id, last, stored_seq)

    def _target(self, seq: int | None) -> PendingMessageChange | None:
        """The message with this number, with all earlier changes applied."""
        if seq is None:
            return None
        target = self._targets.get(seq)
        at = seq - self._first_seq  # a draft may name its own number, which does not exist yet
        if target is None and self._known_seq <= seq and at < len(self.fresh):
            message = self.fresh[at]
            if type(message) is Message:
                place = place_of(message.room, message.sender_id, message.to)
                target = self._targets[seq] = message_changes.born(message, place, self._conversations[place][0])
        return target

    # --- The tables -----------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Insert the rows gathered in this chunk."""
        for table, rows in self._rows.items():
            if rows:
                self._insert(table, rows)
                rows.clear()
        message_changes.store(self._connection, self._targets.values())
        self._targets = {}
        self._keys.clear()

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert all rows, in one step per group of _CHUNK_ROWS."""
        for start in range(0, len(rows), _CHUNK_ROWS):
            part = rows[start : start + _CHUNK_ROWS]
            width = max(map(len, part))
            if table == "messages" and width > _PLAIN:
                part = [row if len(row) == width else (*row, *(None,) * (width - len(row))) for row in part]
            self._execute(_insert_sql(table, width, len(part)), tuple(chain.from_iterable(part)))

    def _open_conversation(self, place: ConversationKey) -> list[int]:
        """Find or create the conversation; return its number and its last seq."""
        if found := self._find(place):
            return found
        self._execute("INSERT INTO conversations (room, low, high) VALUES (?, ?, ?)", _columns(place))
        return [self._connection.last_insert_rowid(), 0]

    def _find(self, place: ConversationKey) -> list[int] | None:
        found = self._execute(_CONVERSATION, _columns(place))
        return list(found[0]) if found else None

    def _last_stored(self, stream: int) -> int:
        ((last,),) = self._execute(_LAST_CLIENT_ID, (stream,))
        assert isinstance(last, int)
        return last

    def _execute(self, sql: str, bindings: Iterable[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, tuple(bindings)).fetchall()


def _columns(place: ConversationKey) -> tuple[str | None, int | None, int | None]:
    return (place, None, None) if isinstance(place, str) else (None, *place)


@cache
def _insert_sql(table: str, columns: int, rows: int) -> str:
    row = "(" + ",".join("?" * columns) + ")"
    names = ", ".join(_TABLES[table][:columns])
    verb = "INSERT OR REPLACE" if table == "message_keys" else "INSERT"  # a key that is over gives way
    return f"{verb} INTO {table} ({names}) VALUES {','.join([row] * rows)}"  # constants only
