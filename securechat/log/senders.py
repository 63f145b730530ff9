"""The senders table: who owns which secret, and which names are held.

A run of writes of one kind is one statement over a JSON array, so a thousand logins at once cost a few steps (why
steps matter stands in `sqlite`). Of each sender only the last word of a run goes in: an UPDATE that meets a row twice
would take either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import apsw
import msgspec

from securechat.hub.ports import Identity, Reservation
from securechat.log.store import Identify, Release, Rename
from securechat.model import Draft

Person = Identify | Rename | Release

# Two statements, because an upsert burns a number of an AUTOINCREMENT key each time it finds the row.
_ENROL = """
INSERT INTO senders (secret_hash, name, name_key, holds_name, lost_at_ms)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, 1, NULL FROM json_each(?1)
WHERE unhex(value ->> 0) NOT IN (SELECT secret_hash FROM senders)
"""
_RETURN = """
UPDATE senders SET name = value ->> 1, name_key = value ->> 2, holds_name = 1, lost_at_ms = NULL
FROM json_each(?1) WHERE secret_hash = unhex(value ->> 0)
"""
_RENAME = """
UPDATE senders SET name = value ->> 1, name_key = value ->> 2 FROM json_each(?1) WHERE sender_id = value ->> 0
"""
_RELEASE = """
UPDATE senders SET holds_name = value ->> 1, lost_at_ms = ?2 FROM json_each(?1) WHERE sender_id = value ->> 0
"""
_IDENTITIES = """
SELECT json_group_array(json_array(lower(hex(secret_hash)), sender_id,
           ifnull((SELECT max(client_id) FROM drafts WHERE stream = sender_id), 0)))
FROM senders WHERE secret_hash IN (SELECT unhex(value) FROM json_each(?1))
"""

_encode = msgspec.json.Encoder().encode
_decode_identities = msgspec.json.Decoder(list[tuple[str, int, int]]).decode


def people_of(writes: Sequence[Draft | Person]) -> list[Person]:
    """The writes that are about people, in order."""
    return [write for write in writes if not isinstance(write, Draft)]


def record(connection: apsw.Connection, people: Sequence[Person], now_ms: int) -> None:
    """Write down who came, changed names and left, in order."""
    for kind, run in groupby(people, key=type):
        if kind is Identify:
            came = {p.secret_hash: (p.secret_hash.hex(), p.name, p.key) for p in run if isinstance(p, Identify)}
            connection.execute(_ENROL, (_array(came.values()),))
            connection.execute(_RETURN, (_array(came.values()),))
        elif kind is Rename:
            renamed = {p.sender_id: (p.sender_id, p.name, p.key) for p in run if isinstance(p, Rename)}
            connection.execute(_RENAME, (_array(renamed.values()),))
        else:
            gone = {p.sender_id: (p.sender_id, int(p.reserved)) for p in run if isinstance(p, Release)}
            connection.execute(_RELEASE, (_array(gone.values()), now_ms))


def _array(rows: Iterable[tuple[object, ...]]) -> str:
    return _encode(list(rows)).decode()


def identities(connection: apsw.Connection, secret_hashes: Sequence[bytes]) -> dict[bytes, Identity]:
    """Look up who owns these secrets, and the last client_id of each."""
    if not secret_hashes:
        return {}
    asked = _encode([secret.hex() for secret in secret_hashes]).decode()
    ((answer,),) = connection.execute(_IDENTITIES, (asked,)).fetchall()
    assert isinstance(answer, str)
    return {bytes.fromhex(secret): Identity(sender, last) for secret, sender, last in _decode_identities(answer)}


def open_reservations(connection: apsw.Connection, now_ms: int, oldest_ms: int) -> list[Reservation]:
    """Take stock when the log opens.

    Whoever was online when the last process ended counts as lost now, and so does who was lost in the future (the
    wall clock was set back). What was lost up to ``oldest_ms`` is free.
    """
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "UPDATE senders SET lost_at_ms = ?1 WHERE holds_name = 1 AND (lost_at_ms IS NULL OR lost_at_ms > ?1)", (now_ms,)
    )
    connection.execute("UPDATE senders SET holds_name = 0 WHERE holds_name = 1 AND lost_at_ms <= ?", (oldest_ms,))
    connection.execute("COMMIT")
    held = connection.execute(
        "SELECT name, name_key, secret_hash, sender_id, lost_at_ms FROM senders WHERE holds_name = 1 ORDER BY sender_id"
    )
    return [Reservation(*row) for row in held]
