"""Taking people out: their names or messages out of the log, and guests who left no trace out of the senders.

Each step is bounded twice, by what it looks at and by what it changes, because everybody's messages wait for its
commit. Whoever asks goes on with ``above=through`` until ``through`` is None.

What is deleted is overwritten with zeros in the database (PRAGMA secure_delete); the journal holds old pages until
it begins anew, and a backup holds what it held.
"""

from __future__ import annotations

import apsw
import msgspec

from securechat.hub.people import ForgetGuests, Recorded, Scrub
from securechat.log.store import FORGET_LOOKS, SCRUB_ROWS

_IS_OWN = "sender_id = :person"
# A dialogue's message that is not by this person is to this person; one by and to the same person is both.
_IS_TO = """(to_name <> '' AND (SELECT (:person IN (low, high)) AND (sender_id <> :person OR low = high)
             FROM conversations AS c WHERE c.conversation = messages.conversation))"""
_IS_NAMED = f"(({_IS_OWN} AND name <> '') OR {_IS_TO})"
_WITHIN = "seq > :above AND seq <= :below"

_STOP_BEFORE = """
SELECT seq FROM messages WHERE {within} AND {concerned} ORDER BY seq LIMIT 1 OFFSET :rows
"""
_STOP_BEFORE_NAMED = _STOP_BEFORE.format(within=_WITHIN, concerned=_IS_NAMED)
_STOP_BEFORE_REMOVED = _STOP_BEFORE.format(within=_WITHIN, concerned=f"({_IS_OWN} OR {_IS_TO})")
_UNNAME = f"""
UPDATE messages SET name = iif({_IS_OWN}, '', name), to_name = iif({_IS_TO}, '', to_name)
WHERE {_WITHIN} AND {_IS_NAMED}
"""  # noqa: S608  # only the words above are put in
_REMOVE = f"DELETE FROM messages WHERE {_WITHIN} AND {_IS_OWN}"  # noqa: S608

_LOOKS = "SELECT count(*), max(sender_id) FROM (SELECT sender_id FROM senders WHERE sender_id > ? LIMIT ?)"
_TRACELESS = """
SELECT json_group_array(sender_id) FROM (
    SELECT sender_id FROM senders AS s
    WHERE sender_id > :above AND sender_id <= :below
      AND holds_name = 0 AND account IS NULL AND lost_at_ms < :before_ms
      AND sender_id NOT IN (SELECT sender_id FROM accounts)
      AND sender_id NOT IN (SELECT sender_id FROM mutes)
      AND NOT EXISTS (SELECT 1 FROM drafts WHERE stream = s.sender_id)
      AND NOT EXISTS (SELECT 1 FROM conversations WHERE low = s.sender_id)
      AND NOT EXISTS (SELECT 1 FROM conversations WHERE high = s.sender_id)
    ORDER BY sender_id LIMIT :most)
"""
_FORGET = "DELETE FROM senders WHERE sender_id IN (SELECT value FROM json_each(?))"


def scrub(connection: apsw.Connection, asked: Scrub, last_seq: int) -> Recorded:
    """Do one step of a scrub; see `Scrub`.

    With ``remove`` too, messages of others to this person stay, and lose its name.

    Args:
        connection: in a transaction, with every message up to ``last_seq`` in its table.
        asked: which step.
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
        connection.execute(_REMOVE, stretch)
        count = connection.changes()
    connection.execute(_UNNAME, stretch)
    return Recorded(count + connection.changes(), None if below >= last_seq else below)


def forget(connection: apsw.Connection, asked: ForgetGuests) -> Recorded:
    """Do one step of forgetting guests; see `ForgetGuests`. The muted are kept, or they would be muted no more."""
    ((looks, below),) = connection.execute(_LOOKS, (asked.above, FORGET_LOOKS)).fetchall()
    if not isinstance(below, int):  # nobody is left to look at
        return Recorded()
    ((answer,),) = connection.execute(
        _TRACELESS, {"above": asked.above, "below": below, "before_ms": asked.before_ms, "most": asked.most}
    ).fetchall()
    assert isinstance(answer, str)
    connection.execute(_FORGET, (answer,))
    found = msgspec.json.decode(answer, type=list[int])
    if found and len(found) == asked.most:
        return Recorded(len(found), found[-1])
    return Recorded(len(found), below if looks == FORGET_LOOKS else None)
