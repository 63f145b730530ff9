"""Removes data in bounded steps: senders' names or messages, expired messages, and unused guests.

Each step is bounded twice, by the rows it examines and by the rows it changes, because all other messages wait for its
commit. The caller goes on with ``above=through`` until ``through`` is None.

Deleted data is overwritten with zeros in the database (PRAGMA secure_delete); the journal holds old pages until it is
truncated (`SqliteStore.erase`), and a backup keeps what it has.

A message is deleted with its changes, reactions and mentions, and no entry of the log stands for that. The answer names
the seq up to which nothing is left, which the hub tells to clients; for those that are away, removed senders are noted.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from securechat.records.accounts import KEPT_REMOVALS, Committed, EraseSender, PurgeGuests, PurgeMessageKeys
from securechat.records.rooms import PurgeExpired
from securechat.storage.sqlite.checksums import SET_CHECKSUMS, decode_rows, names_part
from securechat.storage.store import EXPIRE_CHANGES, FORGET_LOOKS, SCRUB_ROWS

_IS_OWN = "sender_id = :person"
# In a dialogue, a message not by this sender is to this sender; one by and to the same sender is both.
_IS_TO = """(to_name <> '' AND (SELECT (:person IN (low, high)) AND (sender_id <> :person OR low = high)
             FROM conversations AS c WHERE c.conversation = messages.conversation))"""
_IS_NAMED = f"(({_IS_OWN} AND name <> '') OR {_IS_TO})"
_WITHIN = "seq > :above AND seq <= :below"

_STOP_BEFORE = """
SELECT seq FROM messages WHERE {within} AND {concerned} ORDER BY seq LIMIT 1 OFFSET :rows
"""
_STOP_BEFORE_NAMED = _STOP_BEFORE.format(within=_WITHIN, concerned=_IS_NAMED)
_STOP_BEFORE_REMOVED = _STOP_BEFORE.format(within=_WITHIN, concerned=f"({_IS_OWN} OR {_IS_TO})")
_NAMES = f"""
SELECT CAST(json_group_array(json_array(seq, iif({_IS_OWN}, name, ''), iif({_IS_TO}, to_name, ''), checksum)) AS BLOB)
FROM messages WHERE {_WITHIN} AND {_IS_NAMED}
"""  # noqa: S608  # contains only the constants above
_UNNAME = f"""
UPDATE messages SET name = iif({_IS_OWN}, '', name), to_name = iif({_IS_TO}, '', to_name)
WHERE seq IN (SELECT value ->> 0 FROM json_each(:named))
"""  # noqa: S608
_OWN = f"SELECT json_group_array(seq) FROM messages WHERE {_WITHIN} AND {_IS_OWN}"  # noqa: S608
_UNNAME_CHANGES = f"UPDATE changes SET name = '' WHERE {_WITHIN} AND {_IS_OWN} AND name <> ''"  # noqa: S608
_TAKE_BACK = f"""
DELETE FROM reactions WHERE sender_id = :person AND (target, sign) IN (
    SELECT target, sign FROM changes WHERE {_WITHIN} AND {_IS_OWN} AND kind = 'react')
"""  # noqa: S608
_REMOVE_REACTING = f"DELETE FROM changes WHERE {_WITHIN} AND {_IS_OWN} AND kind IN ('react', 'unreact')"  # noqa: S608

_THESE = "(SELECT value FROM json_each(?1))"
_REMOVE = tuple(
    f"DELETE FROM {what} IN {_THESE}"  # noqa: S608
    for what in ("changes WHERE target", "reactions WHERE target", "messages WHERE seq")
)
# A mention is found through its sender_id, which the message stores.
_UNMENTION = f"""
DELETE FROM mentions WHERE (person, conversation, seq) IN (
    SELECT who.value, conversation, seq FROM messages AS m, json_each(m.mentions) AS who WHERE m.seq IN {_THESE})
"""  # noqa: S608

# sent_at_ms never falls by seq, so a search in falling powers of two finds where a time begins (a seq has 53 bits).
FIRST_AT = """
WITH RECURSIVE search (earlier, step) AS (
    SELECT 0, 1 << 52
    UNION ALL
    SELECT iif(earlier + step < :below AND
               (SELECT sent_at_ms < :at_ms FROM messages WHERE seq >= earlier + step ORDER BY seq LIMIT 1),
               earlier + step, earlier), step >> 1
    FROM search WHERE step > 0
)
SELECT earlier + 1 FROM search WHERE step = 0
"""
"""The seq from which (and below ``below``) every message was sent at or after ``at_ms``."""
_OLDEST = """
SELECT json_group_array(seq) FROM (
    SELECT seq FROM messages WHERE conversation = (SELECT conversation FROM conversations WHERE room = :room)
    AND seq < :below ORDER BY seq LIMIT :most)
"""
_FINAL = f"""(SELECT edited FROM messages WHERE seq IN {_THESE} AND edited IS NOT NULL
    UNION ALL SELECT deleted FROM messages WHERE seq IN {_THESE} AND deleted IS NOT NULL)"""  # noqa: S608
# They go with their message: without them, words of a moderator would be read as the author's.
_EXPIRE_CHANGES = f"""
DELETE FROM changes WHERE seq IN (
    SELECT seq FROM changes WHERE target IN {_THESE} AND seq NOT IN {_FINAL} ORDER BY target, seq LIMIT ?2)
"""  # noqa: S608
_UNCHANGED = f"""
SELECT json_group_array(value) FROM (
    SELECT value FROM json_each(?1) WHERE value NOT IN (
        SELECT target FROM changes WHERE target IN {_THESE} AND seq NOT IN {_FINAL}))
"""  # noqa: S608

PURGED_TO = """ifnull((SELECT prev FROM messages AS m WHERE m.conversation = c.conversation ORDER BY seq LIMIT 1),
    deleted_seq)"""
"""The seq up to which no message of a conversation ``c`` is left: the one before its oldest message; 0 for none."""
_PURGED_TO = f"SELECT {PURGED_TO} FROM conversations AS c WHERE room = ?"  # noqa: S608
_NOTE_REMOVED = "INSERT OR REPLACE INTO removed_senders (sender_id, through) VALUES (?, ?)"
_FORGET_REMOVED = """
DELETE FROM removed_senders WHERE sender_id IN (
    SELECT sender_id FROM removed_senders ORDER BY through DESC, sender_id DESC LIMIT -1 OFFSET ?)
"""
_REMOVED = "SELECT sender_id, through FROM removed_senders ORDER BY through, sender_id"

_decoder = msgspec.json.Decoder(list[tuple[int, str, str, int | None]])

_LOOKS = "SELECT count(*), max(sender_id) FROM (SELECT sender_id FROM senders WHERE sender_id > ? LIMIT ?)"
_TRACELESS = """
SELECT json_group_array(sender_id) FROM (
    SELECT sender_id FROM senders AS s
    WHERE sender_id > :above AND sender_id <= :below
      AND iif(account IS NULL, lost_at_ms, ifnull(lost_at_ms, 0)) < :before_ms
      AND sender_id NOT IN (SELECT value FROM json_each(:online))
      AND sender_id NOT IN (SELECT sender_id FROM accounts)
      AND sender_id NOT IN (SELECT sender_id FROM mutes)
      AND CAST(sender_id AS TEXT) NOT IN (SELECT target FROM bans WHERE kind = 'guest')
      AND sender_id NOT IN (SELECT sender_id FROM room_bans)
      AND NOT EXISTS (SELECT 1 FROM drafts WHERE stream = s.sender_id)
      AND NOT EXISTS (SELECT 1 FROM conversations WHERE low = s.sender_id)
      AND NOT EXISTS (SELECT 1 FROM conversations WHERE high = s.sender_id)
    ORDER BY sender_id LIMIT :most)
"""
_FORGET_KEYS = """
DELETE FROM message_keys WHERE seq IN (
    SELECT seq FROM (SELECT seq, sent_at_ms FROM message_keys ORDER BY seq LIMIT :most) WHERE sent_at_ms < :before_ms)
"""
_FORGET = "DELETE FROM senders WHERE sender_id IN (SELECT value FROM json_each(?))"


def erase_sender(connection: apsw.Connection, asked: EraseSender, last_seq: int) -> Committed:
    """Do one step of erasing a sender; see `EraseSender`.

    With ``remove``, messages of others to this sender still stay, without its name; its reactions are deleted, and its
    other changes stay, without a name.

    Args:
        connection: in a transaction, with every message up to ``last_seq`` in its table.
        asked: the step.
        last_seq: the end of the log.
    """
    below = min(asked.above + asked.seqs, last_seq)
    stretch = {"person": asked.sender_id, "above": asked.above, "below": below}
    stop_before = _STOP_BEFORE_REMOVED if asked.remove else _STOP_BEFORE_NAMED
    for (seq,) in connection.execute(stop_before, stretch | {"rows": SCRUB_ROWS}).fetchall():
        assert isinstance(seq, int)
        stretch["below"] = below = seq - 1
    count = 0
    if asked.remove:
        own = _answer(connection, _OWN, stretch)
        count = _remove(connection, own)
        connection.execute(_TAKE_BACK, stretch)
        connection.execute(_REMOVE_REACTING, stretch)
    count += _unname(connection, stretch)
    connection.execute(_UNNAME_CHANGES, stretch)
    if below < last_seq:
        return Committed(count, below)
    if not asked.remove:
        return Committed(count)
    connection.execute(_NOTE_REMOVED, (asked.sender_id, last_seq))
    connection.execute(_FORGET_REMOVED, (KEPT_REMOVALS,))
    return Committed(count, purged=last_seq)


def removed_senders(connection: apsw.Connection) -> tuple[tuple[int, int], ...]:
    """Load the senders whose messages were removed; see `StoredAccounts.removed`."""
    rows: list[Any] = connection.execute(_REMOVED).fetchall()
    return tuple((sender_id, through) for sender_id, through in rows)


def _unname(connection: apsw.Connection, stretch: dict[str, Any]) -> int:
    """Erase a sender's names from messages and from their checksums; return the number of messages."""
    ((answer,),) = connection.execute(_NAMES, stretch).fetchall()
    assert isinstance(answer, bytes)
    named = [
        (seq, None if checksum is None else checksum ^ names_part(own, to))
        for seq, own, to, checksum in decode_rows(_decoder, answer)
    ]
    if named:
        pairs = msgspec.json.encode(named).decode()
        connection.execute(_UNNAME, {"person": stretch["person"], "named": pairs})
        connection.execute(SET_CHECKSUMS, (pairs,))
    return len(named)


def expire(connection: apsw.Connection, asked: PurgeExpired, last_seq: int) -> Committed:
    """Delete a room's oldest messages; see `PurgeExpired`.

    At most EXPIRE_CHANGES changes are deleted: a message with more stays until a later step has deleted the rest.

    Args:
        connection: in a transaction, with every message up to ``last_seq`` in its table.
        asked: the room, and the time limit.
        last_seq: the end of the log.
    """
    ((below,),) = connection.execute(FIRST_AT, {"below": last_seq + 1, "at_ms": asked.before_ms}).fetchall()
    oldest = _answer(connection, _OLDEST, {"room": asked.room, "below": below, "most": asked.most})
    connection.execute(_EXPIRE_CHANGES, (oldest, EXPIRE_CHANGES))
    count = _remove(connection, _answer(connection, _UNCHANGED, (oldest,)))
    rows: list[Any] = connection.execute(_PURGED_TO, (asked.room,)).fetchall()
    return Committed(count, purged=rows[0][0] if rows else 0)


def _remove(connection: apsw.Connection, seqs: str) -> int:
    """Delete messages (a JSON array of their numbers) and what depends on them; return how many there were."""
    connection.execute(_UNMENTION, (seqs,))
    for statement in _REMOVE:
        connection.execute(statement, (seqs,))
    return connection.changes()


def _answer(connection: apsw.Connection, question: str, about: Any) -> str:
    ((answer,),) = connection.execute(question, about).fetchall()
    assert isinstance(answer, str)
    return answer


def forget(connection: apsw.Connection, asked: PurgeGuests) -> Committed:
    """Do one step of deleting guests; see `PurgeGuests`. The muted and banned stay, because their mute or ban must."""
    ((looks, below),) = connection.execute(_LOOKS, (asked.above, FORGET_LOOKS)).fetchall()
    if not isinstance(below, int):  # no sender is left
        return Committed()
    ((answer,),) = connection.execute(
        _TRACELESS,
        {
            "above": asked.above,
            "below": below,
            "before_ms": asked.before_ms,
            "most": asked.most,
            "online": msgspec.json.encode(asked.online).decode(),
        },
    ).fetchall()
    assert isinstance(answer, str)
    connection.execute(_FORGET, (answer,))
    found = msgspec.json.decode(answer, type=list[int])
    if found and len(found) == asked.most:
        return Committed(len(found), found[-1])
    return Committed(len(found), below if looks == FORGET_LOOKS else None)


def forget_keys(connection: apsw.Connection, asked: PurgeMessageKeys) -> Committed:
    """Do one step of forgetting keys; see `PurgeMessageKeys`."""
    connection.execute(_FORGET_KEYS, {"most": asked.most, "before_ms": asked.before_ms})
    return Committed(connection.changes())
