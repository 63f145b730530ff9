"""The senders table: the owner of each secret, its account, and the names it holds.

A run of writes of one kind is one statement over a JSON array, so a thousand logins at once take a few steps (`store`
explains why steps matter). Only the last write of each sender in a run is used, because an UPDATE that meets a row
twice would take either.

An account's name is not held here: neither its own sender nor its devices ever hold one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw
import msgspec
from msgspec.structs import replace

from securechat.records.log import Identity, NotAppended, Reservation
from securechat.storage.store import (
    NO_ENTRY,
    IdentifySender,
    ReleaseName,
    RenameSender,
    WriteOutcome,
    judge_secret,
    logins_used,
)

# Two statements, because an upsert uses up a number of an AUTOINCREMENT key each time it finds the row.
_ENROL = """
INSERT INTO senders (secret_hash, name, name_key, holds_name, account, lost_at_ms)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, (value ->> 3) IS NULL, value ->> 3,
       iif((value ->> 3) IS NULL, NULL, ?2) FROM json_each(?1)
"""
_RETURN = """
UPDATE senders SET name = value ->> 1, name_key = value ->> 2, holds_name = (value ->> 3) IS NULL,
    lost_at_ms = iif((value ->> 3) IS NULL, NULL, ?2)
FROM json_each(?1) WHERE sender_id = value ->> 0
"""
_RENAME = """
UPDATE senders SET name = value ->> 1, name_key = value ->> 2 FROM json_each(?1) WHERE sender_id = value ->> 0
"""
_RELEASE = """
UPDATE senders SET lost_at_ms = ?2,
    holds_name = (value ->> 1) AND account IS NULL AND sender_id NOT IN (SELECT sender_id FROM accounts)
FROM json_each(?1) WHERE sender_id = value ->> 0
"""
_OWNERS = """
SELECT json_group_array(json_array(lower(hex(secret_hash)), sender_id, account,
           CASE WHEN sender_id IN (SELECT sender_id FROM accounts) THEN json('true') ELSE json('false') END))
FROM senders WHERE secret_hash IN (SELECT unhex(value) FROM json_each(?1))
"""
_EXISTING = """
SELECT json_group_array(sender_id) FROM accounts WHERE sender_id IN (SELECT value FROM json_each(?1))
"""
_KNOWN_LOGINS = """
SELECT json_group_array(number) FROM
    (SELECT login_id AS number FROM logins UNION ALL SELECT token_id FROM api_tokens)
WHERE number IN (SELECT value FROM json_each(?1))
"""
_LAST_CLIENT_IDS = """
SELECT json_group_array(json_array(value, ifnull((SELECT max(client_id) FROM drafts WHERE stream = value), 0)))
FROM json_each(?1)
"""

_Owner = tuple[str, int, int | None, bool]  # secret, sender_id, account of this device, is itself an account
_encode = msgspec.json.Encoder().encode
_decode_owners = msgspec.json.Decoder(list[_Owner]).decode
_decode_pairs = msgspec.json.Decoder(list[tuple[int, int]]).decode
_decode_numbers = msgspec.json.Decoder(list[int]).decode


def come(connection: apsw.Connection, run: Sequence[IdentifySender], now_ms: int) -> list[Identity | NotAppended]:
    """Find or create the senders of a run, if their secrets allow it; see `with_last_client_ids` for last_client_id.

    A secret may occur more than once, but each time for the same account: the last name wins. A device of an account is
    never marked as lost: its time is that of its last login, and decides when it may be deleted.
    """
    came = {who.secret_hash: who for who in run}
    owners = _owners(connection, came)
    named = {who.account for who in run if who.account is not None}
    existing = set(_decode_numbers(_ask(connection, _EXISTING, named))) if named else set()
    verdicts: dict[bytes, NotAppended] = {}
    for secret_hash, who in came.items():
        _, stream, speaks_for, is_account = owners.get(secret_hash, ("", None, None, False))
        verdict = judge_secret(who.account, stream, speaks_for, is_account=is_account, exists=who.account in existing)
        if verdict is not None:
            verdicts[secret_hash] = verdict
    welcome = [who for who in came.values() if who.secret_hash not in verdicts]
    returned = [
        (owners[who.secret_hash][1], who.name, who.key, who.account) for who in welcome if who.secret_hash in owners
    ]
    fresh = [who for who in welcome if who.secret_hash not in owners]
    if returned:
        connection.execute(_RETURN, (_array(returned), now_ms))
    if fresh:
        rows = [(who.secret_hash.hex(), who.name, who.key, who.account) for who in fresh]
        connection.execute(_ENROL, (_array(rows), now_ms))
        owners |= _owners(connection, [who.secret_hash for who in fresh])
    return [verdicts.get(who.secret_hash) or _identity(owners[who.secret_hash], who.account) for who in run]


def _identity(owner: _Owner, account: int | None) -> Identity:
    return Identity(owner[1] if account is None else account, 0, owner[1])


def find(connection: apsw.Connection, who: IdentifySender) -> Identity | NotAppended:
    """Find a sender without writing; see `Store.answer`. Its last_client_id is missing, as in `come`."""
    owner = _owners(connection, [who.secret_hash]).get(who.secret_hash)
    used = logins_used(who.changes)
    if owner is None or used is None or len(_decode_numbers(_ask(connection, _KNOWN_LOGINS, used))) < len(used):
        return NO_ENTRY
    _, stream, speaks_for, is_account = owner
    exists = who.account is not None and bool(_decode_numbers(_ask(connection, _EXISTING, [who.account])))
    verdict = judge_secret(who.account, stream, speaks_for, is_account=is_account, exists=exists)
    return verdict or replace(_identity(owner, who.account), stored=False)


def rename(connection: apsw.Connection, run: Sequence[RenameSender]) -> None:
    """Store new names."""
    connection.execute(_RENAME, (_array({who.sender_id: (who.sender_id, who.name, who.key) for who in run}.values()),))


def release(connection: apsw.Connection, run: Sequence[ReleaseName], now_ms: int) -> None:
    """Store that senders have left."""
    gone = {who.sender_id: (who.sender_id, int(who.reserved)) for who in run}
    connection.execute(_RELEASE, (_array(gone.values()), now_ms))


def with_last_client_ids(connection: apsw.Connection, outcomes: Sequence[WriteOutcome]) -> list[WriteOutcome]:
    """Add the last client_id of its stream to every identity among the outcomes."""
    streams = {outcome.stream for outcome in outcomes if type(outcome) is Identity}
    if not streams:
        return list(outcomes)
    last = dict(_decode_pairs(_ask(connection, _LAST_CLIENT_IDS, streams)))
    return [
        replace(outcome, last_client_id=last[outcome.stream]) if type(outcome) is Identity else outcome
        for outcome in outcomes
    ]


def _owners(connection: apsw.Connection, secret_hashes: Iterable[bytes]) -> dict[bytes, _Owner]:
    """Look up the owners of these secrets."""
    found = _decode_owners(_ask(connection, _OWNERS, [secret.hex() for secret in secret_hashes]))
    return {bytes.fromhex(owner[0]): owner for owner in found}


def _ask(connection: apsw.Connection, question: str, about: Iterable[object]) -> str:
    """Query about many values at once, in one JSON array, with one JSON array as the answer."""
    ((answer,),) = connection.execute(question, (_array(about),)).fetchall()
    assert isinstance(answer, str)
    return answer


def _array(rows: Iterable[object]) -> str:
    return _encode(list(rows)).decode()


def open_reservations(connection: apsw.Connection, now_ms: int, oldest_ms: int) -> list[Reservation]:
    """Load the reserved names when the log opens.

    A sender that was online when the last process ended counts as lost now, and so does one lost in the future (the
    wall clock was set back). Names lost up to ``oldest_ms`` are free.
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
