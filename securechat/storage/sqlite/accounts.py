"""The account tables: put, drop and load records, one row each.

A run of records of one kind is one statement: deleting a thousand devices takes a few steps (`store` explains why steps
matter). The hub gives records their meaning; here each is a row with a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any

import apsw
import msgspec
from msgspec.structs import astuple, replace

from securechat.records.accounts import (
    Account,
    AccountKind,
    AccountRow,
    ApiToken,
    AuditEntry,
    Ban,
    BanKind,
    Certificate,
    Invite,
    Login,
    Mute,
    OutgoingWebhook,
    Role,
    Scope,
    StoredAccounts,
)
from securechat.storage.sqlite.purge import removed_senders

_CHUNK_ROWS = 256
"""Rows per INSERT: 9 columns of them are 2,304 of SQLite's 32,766 parameters."""

_TABLES: dict[type[AccountRow], tuple[str, tuple[str, ...]]] = {
    Account: (
        "accounts",
        (
            "sender_id", "name", "name_key", "role", "password", "must_change", "made_at_ms", "seen_at_ms", "seen_seq",
            "kind", "made_by",
        ),
    ),
    Login: (
        "logins",
        (
            "login_id", "sender_id", "token_hash", "client", "address", "made_at_ms", "used_at_ms", "expires_at_ms",
        ),
    ),
    ApiToken: (
        "api_tokens",
        (
            "token_id", "sender_id", "name", "token_hash", "scopes", "rooms", "made_at_ms", "expires_at_ms",
            "used_at_ms", "address",
        ),
    ),
    OutgoingWebhook: (
        "outgoing_webhooks",
        (
            "sender_id", "hook_id", "room_id", "url", "trigger", "bots", "secret", "old_secret", "old_until_ms",
            "cursor", "failures", "failing_since_ms", "next_ms", "off", "off_at_ms",
        ),
    ),
    Certificate: ("certificates", ("certificate_id", "sender_id", "fingerprint", "label", "added_at_ms")),
    Invite: (
        "invites",
        (
            "invite_id", "token_hash", "uses", "made_by", "made_at_ms", "expires_at_ms", "room", "used_by", "revoked",
        ),
    ),
    Ban: ("bans", ("ban_id", "kind", "target", "shown", "reason", "made_by", "made_at_ms", "until_ms")),
    Mute: ("mutes", ("sender_id", "name", "reason", "made_by", "made_at_ms", "until_ms")),
}  # fmt: skip
"""The table of each kind of record: its columns are the record's fields, in order, and the first is its number."""

_SERIAL = """
SELECT max(deleted, ifnull((SELECT max(login_id) FROM logins), 0), ifnull((SELECT max(ban_id) FROM bans), 0),
           ifnull((SELECT max(certificate_id) FROM certificates), 0), ifnull((SELECT max(invite_id) FROM invites), 0),
           ifnull((SELECT max(token_id) FROM api_tokens), 0), ifnull((SELECT max(room_id) FROM places), 0))
FROM serials
"""
_NUMBERS = "(SELECT value FROM json_each(?1))"
_STOP_HOLDING = f"UPDATE senders SET holds_name = 0 WHERE holds_name = 1 AND sender_id IN {_NUMBERS}"  # noqa: S608
_WITH_ACCOUNT = tuple(
    f"DELETE FROM {what} IN {_NUMBERS}"  # noqa: S608  # our own words
    for what in (
        "logins WHERE sender_id",
        "api_tokens WHERE sender_id",
        "outgoing_webhooks WHERE sender_id",
        "certificates WHERE sender_id",
        "mutes WHERE sender_id",
        "bans WHERE kind = 'account' AND CAST(target AS INTEGER)",
        "memberships WHERE sender_id",
        "room_bans WHERE sender_id",
        "reads WHERE sender_id",
        "senders WHERE account",
        "senders WHERE sender_id",
    )
)


def put(connection: apsw.Connection, rows: Sequence[AccountRow]) -> None:
    """Store these records, all of one kind, each in place of the one with its number; the last duplicate wins."""
    kind = type(rows[0])
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        connection.execute(_upsert_sql(kind, len(part)), tuple(chain.from_iterable(map(_columns, part))))
    if kind is Account:
        connection.execute(_STOP_HOLDING, (_array(row.sender_id for row in rows if isinstance(row, Account)),))


def drop(connection: apsw.Connection, kind: type[AccountRow], numbers: Sequence[int]) -> None:
    """Delete the records of this kind with these numbers, and with an account all records that belong to it."""
    asked = _array(numbers)
    table, (number, *_) = _TABLES[kind]
    connection.execute(f"DELETE FROM {table} WHERE {number} IN {_NUMBERS}", (asked,))  # noqa: S608  # our own words
    if kind is Account:
        for statement in _WITH_ACCOUNT:
            connection.execute(statement, (asked,))


def note(connection: apsw.Connection, entries: Sequence[AuditEntry]) -> None:
    """Add entries to the audit, in order."""
    for start in range(0, len(entries), _CHUNK_ROWS):
        part = entries[start : start + _CHUNK_ROWS]
        connection.execute(_note_sql(len(part)), tuple(chain.from_iterable(map(astuple, part))))


def load(connection: apsw.Connection) -> StoredAccounts:
    """Load all records, each kind by number."""
    ((serial,),) = connection.execute(_SERIAL).fetchall()
    assert isinstance(serial, int)
    return StoredAccounts(
        accounts=tuple(_account(*row) for row in _rows(connection, Account)),
        logins=tuple(Login(*row) for row in _rows(connection, Login)),
        tokens=tuple(_token(*row) for row in _rows(connection, ApiToken)),
        outgoing=tuple(_outgoing(*row) for row in _rows(connection, OutgoingWebhook)),
        certificates=tuple(Certificate(*row) for row in _rows(connection, Certificate)),
        invites=tuple(_invite(*row) for row in _rows(connection, Invite)),
        bans=tuple(Ban(ban_id, BanKind(kind), *row) for ban_id, kind, *row in _rows(connection, Ban)),
        mutes=tuple(Mute(*row) for row in _rows(connection, Mute)),
        serial=serial,
        removed=removed_senders(connection),
    )


def _rows(connection: apsw.Connection, kind: type[AccountRow]) -> list[tuple[Any, ...]]:
    table, columns = _TABLES[kind]
    return connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1").fetchall()  # noqa: S608


def _invite(*columns: Any) -> Invite:
    *others, used_by, revoked = columns
    made = Invite(*others)
    return replace(made, used_by=msgspec.json.decode(used_by, type=tuple[str, ...]), revoked=bool(revoked))


def _account(*columns: Any) -> Account:
    made = Account(*columns)
    return replace(made, role=Role(made.role), must_change=bool(made.must_change), kind=AccountKind(made.kind))


def _token(*columns: Any) -> ApiToken:
    made = ApiToken(*columns)
    scopes = msgspec.json.decode(columns[4], type=tuple[Scope, ...])
    return replace(made, scopes=scopes, rooms=msgspec.json.decode(columns[5], type=tuple[int, ...]))


def _outgoing(*columns: Any) -> OutgoingWebhook:
    made = OutgoingWebhook(*columns)
    return replace(made, bots=bool(made.bots))


def _columns(row: AccountRow) -> tuple[Any, ...]:
    """Convert a record to column values."""
    if isinstance(row, Invite):
        return (*astuple(row)[:-2], msgspec.json.encode(row.used_by).decode(), row.revoked)
    if isinstance(row, ApiToken):
        scopes, rooms = msgspec.json.encode(row.scopes).decode(), msgspec.json.encode(row.rooms).decode()
        return astuple(replace(row, scopes=scopes, rooms=rooms))
    return astuple(row)


def _array(numbers: Iterable[int]) -> str:
    return msgspec.json.encode(list(numbers)).decode()


@cache
def _upsert_sql(kind: type[AccountRow], rows: int) -> str:
    table, columns = _TABLES[kind]
    number, *others = columns
    values = ",".join(["(" + ",".join("?" * len(columns)) + ")"] * rows)
    changed = ", ".join(f"{column} = excluded.{column}" for column in others)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} "  # noqa: S608  # our own words
        f"ON CONFLICT ({number}) DO UPDATE SET {changed}"
    )


@cache
def _note_sql(rows: int) -> str:
    values = ",".join(["(?, ?, ?, ?, ?)"] * rows)
    return f"INSERT INTO audit (at_ms, actor, act, target, detail) VALUES {values}"  # noqa: S608
