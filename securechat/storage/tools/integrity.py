"""Checks a database: SQLite's own check of every page, and the consistency rules of its tables.

Reads everything, so it takes seconds per million messages; nothing is changed, and a server may run meanwhile. A
finding is a sentence about the problem in the language in use, without advice: that is the same for all of them, and
left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apsw
import msgspec

from securechat.storage.sqlite.checksums import checksum_of, decode_rows, mentions_sql
from securechat.storage.sqlite.failures import reason_of
from securechat.storage.sqlite.file_rows import FILES_OF_MESSAGE, whole_files
from securechat.storage.tools.backup import Snapshot
from securechat.translation import LazyText, _

_MOST = 20
"""Findings reported of each kind; further ones would add no information."""
_MESSAGES_AT_ONCE = 100_000
"""Messages checked under one transaction, some 0.4 s: a busy server must be able to restart its journal."""
_STEPS_PER_LOOK = 500_000
"""Steps of SQLite's virtual machine between two progress reports; some 15 ms."""
_STEPS_PER_MESSAGE = 160
"""Steps of all checks together; counted on a million messages in 200 rooms and 100,000 changes (5 to 13 s)."""

# Of the messages from ?1 to ?2. Deleted ones leave gaps, so prev may lie after the message before it, never before it.
_NOWHERE = """
SELECT seq FROM messages
WHERE seq BETWEEN ?1 AND ?2 AND conversation NOT IN (SELECT conversation FROM conversations) LIMIT ?3
"""
_BROKEN_CHAIN = """
SELECT seq, prev, before FROM
    (SELECT seq, prev, ifnull((SELECT seq FROM messages AS m WHERE m.conversation = n.conversation AND m.seq < n.seq
                               ORDER BY seq DESC LIMIT 1), 0) AS before
     FROM messages AS n WHERE seq BETWEEN ?1 AND ?2)
WHERE prev < before LIMIT ?3
"""
_BACK_IN_TIME = """
SELECT seq, before FROM
    (SELECT seq, sent_at_ms, lag(seq) OVER w AS before, lag(sent_at_ms) OVER w AS earlier_ms
     FROM messages WHERE seq BETWEEN ?1 - 1 AND ?2 WINDOW w AS (ORDER BY seq))
WHERE sent_at_ms < earlier_ms LIMIT ?3
"""
_OF_MESSAGES = (
    (LazyText("message {first} belongs to a room or dialogue that is not recorded"), _NOWHERE),
    (LazyText("message {first} points back to {second}, but {third} stands between them"), _BROKEN_CHAIN),
    (LazyText("message {first} is older than message {second}, which comes before it"), _BACK_IN_TIME),
)
"""The meaning of a row of the answer, and the query."""

_ROWS_AT_ONCE = 5_000
_ROWS = f"""
SELECT CAST(json_group_array(json_array(seq, conversation, prev, sender_id, name, to_name, sent_at_ms, text, reply,
    {mentions_sql("mentions")}, edited, deleted, checksum)) AS BLOB), max(seq), count(*)
FROM (SELECT * FROM messages WHERE seq > ? ORDER BY seq LIMIT ?)
"""  # noqa: S608  # our own words
_CHECKSUMS_SINCE = 4
"""The schema version that added checksums."""
_NOT_AS_STORED = LazyText("message {first} is not what was stored: readers are told that it is damaged")
_FILES_SINCE = 10
"""The schema version that added files."""
_FILE_ROWS = f"""
SELECT seq, CAST({FILES_OF_MESSAGE} AS BLOB)
FROM (SELECT DISTINCT seq FROM files WHERE seq > ? ORDER BY seq LIMIT ?) AS messages
"""  # noqa: S608  # our own words
_FILE_NOT_AS_STORED = LazyText("a file of message {first} is not what was stored: readers do not see it")

_NOBODY = "SELECT sender_id FROM accounts WHERE sender_id NOT IN (SELECT sender_id FROM senders) LIMIT ?"
_OWNERLESS = "SELECT {0}_id, sender_id FROM {0}s WHERE sender_id NOT IN (SELECT sender_id FROM accounts) LIMIT ?"
_OF_PEOPLE = (
    (LazyText("account {first} is not among the senders, so its own messages are not its own"), _NOBODY),
    (LazyText("login {first} belongs to account {second}, which does not exist"), _OWNERLESS.format("login")),
    (
        LazyText("client certificate {first} belongs to account {second}, which does not exist"),
        _OWNERLESS.format("certificate"),
    ),
)
"""The same; from schema 2 on."""

_CHANGED_NOTHING = """
SELECT n.seq, target FROM changes AS n
WHERE NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.seq = target AND m.conversation = n.conversation) LIMIT ?
"""
_TWICE = "SELECT seq FROM changes WHERE seq IN (SELECT seq FROM messages) LIMIT ?"
# The change may be missing: with very many, expiry deletes a message's changes first (`purge.expire`).
_NOT_BY = "SELECT m.seq, m.{0} FROM messages AS m JOIN changes AS n ON n.seq = m.{0} WHERE target <> m.seq LIMIT ?"
_NOT_EMPTY = "SELECT seq FROM messages WHERE deleted IS NOT NULL AND (text <> '' OR mentions IS NOT NULL) LIMIT ?"
_REACTED_TO_NOTHING = """
SELECT target, sender_id FROM reactions
WHERE NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.seq = target AND deleted IS NULL) LIMIT ?
"""
_MENTIONED_NOWHERE = """
SELECT n.seq, person FROM mentions AS n WHERE NOT EXISTS (
    SELECT 1 FROM messages AS m, json_each(m.mentions) WHERE m.seq = n.seq AND m.conversation = n.conversation
    AND value = person) LIMIT ?
"""
_NAMELESS = "SELECT room_id, name FROM places WHERE name NOT IN (SELECT ifnull(room, '') FROM conversations) LIMIT ?"
_OF_TALK = (
    (LazyText("change {first} is about message {second}, which is not there"), _CHANGED_NOTHING),
    (LazyText("number {first} belongs to a message and to a change"), _TWICE),
    (LazyText("message {first} was edited by change {second}, which is of another message"), _NOT_BY.format("edited")),
    (
        LazyText("message {first} was deleted by change {second}, which is of another message"),
        _NOT_BY.format("deleted"),
    ),
    (LazyText("message {first} was deleted and is not empty"), _NOT_EMPTY),
    (LazyText("message {first} has a reaction of sender {second}, and is not there"), _REACTED_TO_NOTHING),
    (LazyText("message {first} is said to name sender {second}, and does not"), _MENTIONED_NOWHERE),
    (LazyText("room {first} (#{second}) has rules but no conversation"), _NAMELESS),
)
"""The same; from schema 3 on."""

_KEY_OF_OTHERS = """
SELECT k.seq, k.sender_id FROM message_keys AS k JOIN messages AS m USING (seq)
WHERE m.sender_id <> k.sender_id OR m.conversation <> k.conversation LIMIT ?
"""
_KEY_OF_NOTHING = "SELECT seq, sender_id FROM message_keys WHERE seq > (SELECT ifnull(max(seq), 0) FROM drafts) LIMIT ?"
_OF_KEYS = (
    (LazyText("a key of sender {second} leads to message {first}, which is not its own"), _KEY_OF_OTHERS),
    (LazyText("a key of sender {second} leads to message {first}, which was never stored"), _KEY_OF_NOTHING),
)
"""The same; from schema 6 on."""


_OF_PROGRAMS = (
    (
        LazyText("API token {first} belongs to account {second}, which does not exist"),
        "SELECT token_id, sender_id FROM api_tokens WHERE sender_id NOT IN (SELECT sender_id FROM accounts) LIMIT ?",
    ),
    (
        LazyText("account {first} is a bot's or a webhook's, and its messages are shown as a person's"),
        "SELECT sender_id FROM accounts WHERE kind <> 'person' AND sender_id NOT IN bot_senders LIMIT ?",
    ),
)
"""The same; from schema 7 on."""


_OF_NO_MESSAGE = """
SELECT f.file_id, f.seq FROM files AS f
WHERE NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.seq = f.seq AND deleted IS NULL) LIMIT ?
"""
_OF_FILES = (
    (LazyText("file {first} belongs to message {second}, which is not there or was deleted"), _OF_NO_MESSAGE),
    (
        LazyText("file {first} of message {second} is counted for another sender"),
        "SELECT file_id, seq FROM files AS f JOIN messages AS m USING (seq) WHERE f.sender_id <> m.sender_id LIMIT ?",
    ),
    (
        LazyText("the files of message {first} are not numbered from 0 on"),
        "SELECT seq FROM files GROUP BY seq HAVING min(place) <> 0 OR max(place) <> count(*) - 1 LIMIT ?",
    ),
    (
        LazyText("file {first} of message {second} has an id that no file has"),
        "SELECT file_id, seq FROM files WHERE length(file_id) <> 32 OR file_id GLOB '*[^0-9a-f]*' LIMIT ?",
    ),
    (
        LazyText("file {first} belongs to message {second}, and is to be deleted as well"),
        "SELECT file_id, seq FROM files WHERE file_id IN (SELECT file_id FROM gone_files) LIMIT ?",
    ),
)
"""The same; from schema 10 on."""


_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def damaged_messages(snapshot: Snapshot, progress: Callable[[float], None]) -> list[str]:
    """Return a sentence for each damaged message or file, _MOST of them; readers are told, or do not see the file.

    Separate from `damage`, because such a database is consistent, and a backup of it can be restored.

    Args:
        snapshot: a database without `damage`.
        progress: called with the completed share, from 0 to 1.
    """
    if snapshot.schema < _CHECKSUMS_SINCE:
        return []
    found: list[str] = []
    connection = snapshot.connection
    try:
        last_seq = _last_seq(connection)
        above = 0
        while len(found) < _MOST:
            ((answer, through, count),) = connection.execute(_ROWS, (above, _ROWS_AT_ONCE)).fetchall()
            assert isinstance(answer, bytes)
            for *columns, checksum in decode_rows(_any, answer):
                if checksum is not None and checksum != checksum_of(*columns):
                    found.append(_NOT_AS_STORED(first=columns[0]))
            if count != _ROWS_AT_ONCE:
                break
            assert isinstance(through, int)
            above = through
            progress(min(0.99, above / max(1, last_seq)))
            snapshot.renew()
        found += _damaged_files(snapshot)
    except apsw.Error as error:
        found.append(_("the database cannot be read to its end: {why}", why=reason_of(error)))
    progress(1.0)
    return found[:_MOST]


def _damaged_files(snapshot: Snapshot) -> Iterator[str]:
    above = 0
    while snapshot.schema >= _FILES_SINCE:
        snapshot.renew()
        messages: list[Any] = snapshot.connection.execute(_FILE_ROWS, (above, _ROWS_AT_ONCE)).fetchall()
        for seq, answer in messages:
            rows = decode_rows(_any, answer)
            if len(whole_files(seq, rows)) < len(rows):
                yield _FILE_NOT_AS_STORED(first=seq)
        if len(messages) < _ROWS_AT_ONCE:
            return
        above = messages[-1][0]


def damage(snapshot: Snapshot, progress: Callable[[float], None]) -> list[str]:
    """Return the inconsistencies, one sentence each; empty when the database is whole.

    Args:
        snapshot: the database.
        progress: called with the completed share, from 0 to 1; an estimate.
    """
    found: list[str] = []
    connection = snapshot.connection
    try:
        _watch(connection, progress)
        found += _structure(connection)
        if not found:  # in a damaged file the rules would only repeat the finding
            found += _broken_rules(snapshot)
    except apsw.Error as error:
        found.append(_("the database cannot be read to its end: {why}", why=reason_of(error)))
    finally:
        connection.set_progress_handler(None)
    progress(1.0)
    return found


def _broken_rules(snapshot: Snapshot) -> Iterator[str]:
    connection = snapshot.connection
    for schema, rules in ((2, _OF_PEOPLE), (3, _OF_TALK), (6, _OF_KEYS), (7, _OF_PROGRAMS), (_FILES_SINCE, _OF_FILES)):
        for sentence, question in rules if snapshot.schema >= schema else ():
            snapshot.renew()
            yield from [_finding(sentence, row) for row in connection.execute(question, (_MOST,))]
    last_seq = _last_seq(connection)
    for first in range(1, last_seq + 1, _MESSAGES_AT_ONCE):
        snapshot.renew()
        for sentence, question in _OF_MESSAGES:
            stretch = (first, first + _MESSAGES_AT_ONCE - 1, _MOST)
            yield from [_finding(sentence, row) for row in connection.execute(question, stretch)]


def _finding(sentence: LazyText, row: tuple[Any, ...]) -> str:
    return sentence(**dict(zip(("first", "second", "third"), row, strict=False)))


def last_message_at_ms(snapshot: Snapshot) -> int:
    """Return the time of the newest message, UTC milliseconds; 0 for none, or if the file is too damaged to read it."""
    try:
        rows = snapshot.connection.execute("SELECT sent_at_ms FROM messages ORDER BY seq DESC LIMIT 1").fetchall()
    except apsw.Error:
        return 0
    at_ms = rows[0][0] if rows else 0
    return at_ms if isinstance(at_ms, int) else 0


def webhooks_off(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the outgoing webhooks that are off: name and reason; none from an older or a damaged file."""
    sql = "SELECT name, off FROM outgoing_webhooks JOIN accounts USING (sender_id) WHERE off <> '' ORDER BY sender_id"
    try:
        rows = snapshot.connection.execute(sql).fetchall()
    except apsw.Error:
        return []
    return [(str(name), str(off)) for name, off in rows]


def _last_seq(connection: apsw.Connection) -> int:
    ((last_seq,),) = connection.execute("SELECT ifnull(max(seq), 0) FROM messages").fetchall()
    assert isinstance(last_seq, int)
    return last_seq


def _structure(connection: apsw.Connection) -> list[str]:
    rows = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
    return [] if rows == ["ok"] else [_("the database is damaged: {what}", what=row) for row in rows]


def _watch(connection: apsw.Connection, progress: Callable[[float], None]) -> None:
    """Report progress by counting steps of SQLite's virtual machine, about the same number per message in every log."""
    last_seq = _last_seq(connection)
    expected = max(1, last_seq * _STEPS_PER_MESSAGE // _STEPS_PER_LOOK)
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        progress(min(0.99, looks / expected))
        return False

    connection.set_progress_handler(look, _STEPS_PER_LOOK)
