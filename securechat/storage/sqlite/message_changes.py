"""Messages under change: loaded together, changed in memory, and stored as rows.

An edit overwrites its message's text, a deletion empties it: with secure_delete no page keeps the old text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any

import apsw
import msgspec

from securechat.model import (
    Deleted,
    Edited,
    Message,
    MessageChange,
    Reacted,
    Revision,
    RevisionKind,
)
from securechat.storage.sqlite.checksums import (
    decode_rows,
    mentions_sql,
    more_part,
    names_part,
    numbers_part,
    text_part,
)
from securechat.storage.store import ConversationKey, MessageState

_CHUNK_ROWS = 256

_LOAD = f"""
SELECT CAST(json_group_array(json_array(
    m.seq, c.conversation, c.room, c.low, c.high, m.sender_id, m.edited, m.deleted,
    m.prev, m.name, m.to_name, m.sent_at_ms, m.reply, {mentions_sql("m.mentions")},
    json((SELECT json_group_array(json_array(sign, sender_id, since, seq))
          FROM reactions WHERE target = m.seq)),
    json((SELECT json_group_array(json_array(name, size_bytes))
          FROM (SELECT * FROM files WHERE seq = m.seq ORDER BY place))))) AS BLOB)
FROM json_each(?1) CROSS JOIN messages AS m ON m.seq = value JOIN conversations AS c USING (conversation)
"""  # noqa: S608  # our own words
_UPDATE = """
UPDATE messages SET text = column2, mentions = column3, edited = column4, deleted = column5, checksum = column6
FROM (VALUES {rows}) WHERE messages.seq = column1
"""
_UNMENTION = "DELETE FROM mentions WHERE (person, conversation, seq) IN (VALUES {rows})"
_MENTION = "INSERT OR IGNORE INTO mentions (person, conversation, seq) VALUES {rows}"
_UNREACT = "DELETE FROM reactions WHERE (target, sign, sender_id) IN (VALUES {rows})"
_REACT = "INSERT INTO reactions (target, sign, sender_id, since, seq) VALUES {rows}"

_Row = tuple[
    int, int, str | None, int | None, int | None, int, int | None, int | None, int, str,
    str | None, int, int | None, list[int] | None, list[tuple[str, int, int, int]], list[tuple[str, int]],
]  # fmt: skip
_rows = msgspec.json.Decoder(list[_Row])


class PendingMessageChange(MessageState, gc=False):
    """A message, and its changes within this chunk of a batch.

    Attributes:
        seq: its number.
        conversation: the number of its room or dialogue.
        mentions: whom it mentions now.
        edited: the seq of the last edit.
        deletion: the seq of the deletion.
        reply: the seq of the message it answers.
        numbers, names: these parts of its checksum.
        text: the new text; None while it is unchanged.
        was_mentions, was_reactions: the state in the tables. A reaction has two seqs: when the emoji was first used on
        this message, and when this member used it.
    """

    seq: int
    conversation: int
    mentions: list[int]
    edited: int | None
    deletion: int | None
    reply: int | None
    numbers: int
    names: int
    was_mentions: list[int]
    was_reactions: dict[tuple[str, int], tuple[int, int]]
    text: str | None = None

    def revise(self, revision: Revision, seq: int, at_ms: int) -> MessageChange:
        """Apply an allowed change; return its entry for the log."""
        base = (seq, self.seq, revision.sender_id, revision.name, at_ms, revision.room, revision.to)
        match revision.kind:
            case RevisionKind.EDIT:
                self.text, self.edited, self.mentions = revision.text, seq, list(revision.mentions)
                return Edited(*base, revision.text, list(revision.mentions))
            case RevisionKind.DELETE:
                self.text, self.deletion, self.deleted, self.mentions, self.files = "", seq, True, [], []
                self.reactions.clear()
                return Deleted(*base)
            case RevisionKind.REACT:
                since = min(
                    (since for (sign, _), (since, _) in self.reactions.items() if sign == revision.sign), default=seq
                )
                self.reactions.setdefault((revision.sign, revision.sender_id), (since, seq))
                return Reacted(*base, revision.sign)
            case RevisionKind.UNREACT:
                self.reactions.pop((revision.sign, revision.sender_id), None)
                return Reacted(*base, revision.sign, False)


def load(connection: apsw.Connection, seqs: Sequence[int]) -> dict[int, PendingMessageChange]:
    """Load the messages with these numbers, as far as they exist."""
    numbers = msgspec.json.encode(sorted(set(seqs))).decode()
    ((answer,),) = connection.execute(_LOAD, (numbers,)).fetchall()
    assert isinstance(answer, bytes)
    found: dict[int, PendingMessageChange] = {}
    for (seq, conversation, room, low, high, author, edited, deleted,
         prev, name, to_name, at_ms, reply, mentions, signs, files) in decode_rows(_rows, answer):  # fmt: skip
        if room is not None:
            place: ConversationKey = room
        else:
            assert low is not None
            assert high is not None
            place = (low, high)
        reactions = {(sign, sender_id): (since, at) for sign, sender_id, since, at in signs}
        found[seq] = PendingMessageChange(
            place, author, deleted is not None, reactions, files, seq, conversation, mentions or [], edited, deleted,
            reply, numbers_part(seq, conversation, prev, author, at_ms), names_part(name, to_name),
            mentions or [], dict(reactions),
        )  # fmt: skip
    return found


def born(message: Message, place: ConversationKey, conversation: int) -> PendingMessageChange:
    """A message of this very chunk."""
    seq, author, mentions = message.seq, message.sender_id, message.mentions
    files = [(file.name, file.size) for file in message.files]
    return PendingMessageChange(
        place, author, False, {}, files, seq, conversation, mentions, None, None,
        message.reply, numbers_part(seq, conversation, message.prev, author, message.sent_at_ms),
        names_part(message.name, message.to_name), mentions, {},
    )  # fmt: skip


def store(connection: apsw.Connection, revised: Iterable[PendingMessageChange]) -> None:
    """Store the changes; the messages of the chunk are in their table already."""
    changed = [target for target in revised if target.text is not None or target.reactions != target.was_reactions]
    if not changed:
        return
    texts = [target for target in changed if target.text is not None]
    _execute(
        connection,
        _UPDATE,
        [(t.seq, t.text, array_or_null(t.mentions), t.edited, t.deletion, _checksum(t)) for t in texts],
    )
    _execute(connection, _UNMENTION, [(who, t.conversation, t.seq) for t in texts for who in t.was_mentions])
    _execute(
        connection, _MENTION, [row for t in texts for row in mention_rows(t.author, t.conversation, t.seq, t.mentions)]
    )
    reactions = [(t.seq, t.was_reactions.items() - t.reactions.items()) for t in changed]
    _execute(connection, _UNREACT, [(seq, sign, who) for seq, gone in reactions for (sign, who), _ in gone])
    reactions = [(t.seq, t.reactions.items() - t.was_reactions.items()) for t in changed]
    _execute(connection, _REACT, [(seq, sign, who, *since) for seq, new in reactions for (sign, who), since in new])


def _checksum(target: PendingMessageChange) -> int:
    """The checksum of a message with a new text."""
    more = more_part(target.reply, target.mentions, target.edited, target.deletion)
    return text_part(target.text or "", target.numbers) ^ target.names ^ more


def mention_rows(author: int, conversation: int, seq: int, mentions: Sequence[int]) -> list[tuple[int, int, int]]:
    """The rows of a message's mentions: each mentioned member but its author, once."""
    return [(person, conversation, seq) for person in dict.fromkeys(mentions) if person != author]


def array_or_null(numbers: Sequence[int]) -> str | None:
    """A JSON array for a column; NULL for an empty one, as in nearly all messages."""
    return msgspec.json.encode(numbers).decode() if numbers else None


def _execute(connection: apsw.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement over all rows, in one step per chunk."""
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        connection.execute(_with_rows(sql, len(part[0]), len(part)), tuple(chain.from_iterable(part)))


@cache
def _with_rows(sql: str, columns: int, rows: int) -> str:
    return sql.format(rows=",".join(["(" + ",".join("?" * columns) + ")"] * rows))
