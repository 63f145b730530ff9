"""Writes changes of accounts and rooms in the order asked, in as few statements as possible.

Adjacent changes of one kind become one statement, also across `ApplyChanges`: a thousand logins at once take a few
steps, and so do a thousand accounts to be marked as seen. This module knows no batches, and of a message only its seq.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

import apsw

from securechat.records.accounts import (
    Account,
    Change,
    Committed,
    Drop,
    EraseSender,
    PurgeGuests,
    PurgeMessageKeys,
    Put,
    TrimAudit,
    WriteAudit,
    with_sender,
)
from securechat.records.files import DropGoneFiles, PurgeFiles
from securechat.records.log import Identity, NotAppended
from securechat.records.rooms import (
    DropMembership,
    DropRoom,
    DropRoomBan,
    PurgeExpired,
    PutMembership,
    PutReadMarker,
    PutRoom,
    PutRoomBan,
)
from securechat.storage.sqlite import accounts as records
from securechat.storage.sqlite import audit, files, purge, rooms, senders
from securechat.storage.store import (
    MESSAGE_WRITES,
    ApplyChanges,
    IdentifySender,
    ReleaseName,
    RenameSender,
    StoreWrite,
    WriteOutcome,
)

_Locate: TypeAlias = Callable[[PutReadMarker], int | None]
AccountChange: TypeAlias = IdentifySender | RenameSender | ReleaseName | ApplyChanges
_Step: TypeAlias = IdentifySender | RenameSender | ReleaseName | Change


def people_of(writes: Sequence[StoreWrite]) -> list[AccountChange]:
    """The writes that are not about messages, in order."""
    return [write for write in writes if not isinstance(write, MESSAGE_WRITES)]


def write(
    connection: apsw.Connection, writes: Sequence[AccountChange], now_ms: int, last_seq: int, locate: _Locate
) -> Iterator[WriteOutcome]:
    """Write everything; return the outcomes, except for an identity's last_client_id, which the caller fills in.

    Args:
        connection: in a transaction.
        writes: in the order asked.
        now_ms: UTC.
        last_seq: the highest seq in the tables.
        locate: returns the number of a conversation; called once for each PutReadMarker, in order.

    Raises:
        RoomNameTaken: a PutRoom has another room's name; the caller must roll back what was written before it.
    """
    outcomes: list[WriteOutcome] = [Committed() if type(write) is ApplyChanges else None for write in writes]
    for _, grouped in groupby(_steps(writes), key=_sort):
        run = [allowed for at, step in grouped if (allowed := _allowed(at, step, outcomes[at])) is not None]
        if not run:
            continue
        told = _carry_out(connection, [step for _, step in run], now_ms, last_seq, locate)
        for (at, _), outcome in zip(run, told, strict=False):  # most steps have no outcome
            before = outcomes[at]
            if isinstance(before, Committed) and isinstance(outcome, Committed):
                outcome = Committed(  # noqa: PLW2901
                    before.count + outcome.count,
                    outcome.through,
                    before.dropped + outcome.dropped,
                    max(before.purged, outcome.purged),
                )
            outcomes[at] = outcome
    return iter(outcomes)


def _steps(writes: Sequence[AccountChange]) -> Iterator[tuple[int, _Step]]:
    """Every step with the place of its write.

    Adjacent identities come before the changes that are made along with them, up to one that changes an account, on
    which the verdict about the next one depends.
    """
    along: list[tuple[int, Change]] = []
    is_last = False
    for at, write in enumerate(writes):
        if is_last or type(write) is not IdentifySender:
            yield from along
            along, is_last = [], False
        if isinstance(write, ApplyChanges):
            yield from ((at, change) for change in write.changes)
        else:
            yield at, write
            if isinstance(write, IdentifySender):
                along += [(at, change) for change in write.changes]
                is_last = any(map(_changes_account, write.changes))
    yield from along


def _changes_account(change: Change) -> bool:
    match change:
        case Put(row):
            return isinstance(row, Account)
        case Drop(kind):
            return kind is Account
        case _:
            return False


def _allowed(at: int, step: _Step, outcome: WriteOutcome) -> tuple[int, _Step] | None:
    """Return the step as it is to be written; None if the identity that it comes along with is refused."""
    match outcome:
        case NotAppended():
            return None
        case Identity() if isinstance(step, Put):
            (step,) = with_sender((step,), outcome.sender_id)
    return at, step


def _sort(step: tuple[int, _Step]) -> tuple[type, type | None]:
    """The sort of a step; adjacent steps of one sort are written together."""
    match step[1]:
        case Put(row):
            return Put, type(row)
        case Drop(kind):
            return Drop, kind
        case other:
            return type(other), None


def _carry_out(
    connection: apsw.Connection, run: Sequence[_Step], now_ms: int, last_seq: int, locate: _Locate
) -> Sequence[WriteOutcome]:
    """Write a run of one sort; return an outcome for each step, or nothing."""
    match run[0]:
        case IdentifySender():
            return _let_in(connection, [step for step in run if isinstance(step, IdentifySender)], now_ms)
        case RenameSender():
            senders.rename(connection, [step for step in run if isinstance(step, RenameSender)])
        case ReleaseName():
            senders.release(connection, [step for step in run if isinstance(step, ReleaseName)], now_ms)
        case Put():
            records.put(connection, [step.row for step in run if isinstance(step, Put)])
        case Drop(kind):
            records.drop(connection, kind, [step.number for step in run if isinstance(step, Drop)])
        case WriteAudit():
            records.note(connection, [step.entry for step in run if isinstance(step, WriteAudit)])
        case EraseSender() | PurgeExpired() | PurgeGuests() | PurgeMessageKeys() | TrimAudit():
            return [_purge(connection, step, last_seq) for step in run]
        case PurgeFiles():
            return [files.purge_files(connection, step, last_seq) for step in run if isinstance(step, PurgeFiles)]
        case DropGoneFiles():
            return [files.drop_gone(connection, step) for step in run if isinstance(step, DropGoneFiles)]
        case DropRoom():
            return [rooms.drop_place(connection, step) for step in run if isinstance(step, DropRoom)]
        case _:
            _furnish(connection, run, locate)
    return ()


def _purge(connection: apsw.Connection, step: _Step, last_seq: int) -> Committed:
    """Delete what is over."""
    match step:
        case EraseSender():
            return purge.erase_sender(connection, step, last_seq)
        case PurgeExpired():
            return purge.expire(connection, step, last_seq)
        case PurgeGuests():
            return purge.forget(connection, step)
        case PurgeMessageKeys():
            return purge.forget_keys(connection, step)
        case TrimAudit():
            return audit.trim(connection, step)
        case _:
            raise AssertionError(f"{type(step).__name__} deletes nothing")


def _furnish(connection: apsw.Connection, run: Sequence[_Step], locate: _Locate) -> None:
    """Write a run of one sort of room changes."""
    match run[0]:
        case PutRoom():
            for step in run:
                if isinstance(step, PutRoom):
                    rooms.put_room(connection, step.row)
        case PutMembership():
            rooms.put_memberships(connection, [step.row for step in run if isinstance(step, PutMembership)])
        case DropMembership():
            pairs = [(step.room_id, step.sender_id) for step in run if isinstance(step, DropMembership)]
            rooms.drop(connection, "memberships", pairs)
        case PutRoomBan():
            rooms.put_bans(connection, [step.row for step in run if isinstance(step, PutRoomBan)])
        case DropRoomBan():
            pairs = [(step.room_id, step.sender_id) for step in run if isinstance(step, DropRoomBan)]
            rooms.drop(connection, "room_bans", pairs)
        case PutReadMarker():
            rooms.mark_read(connection, [step for step in run if isinstance(step, PutReadMarker)], locate)
        case _:
            raise AssertionError(f"no writer for {type(run[0]).__name__}")


def _let_in(connection: apsw.Connection, run: Sequence[IdentifySender], now_ms: int) -> list[WriteOutcome]:
    """Identify the senders of a run, splitting it where a secret occurs again for another account."""
    outcomes: list[WriteOutcome] = []
    accounts: dict[bytes, int | None] = {}
    start = 0
    for at, who in enumerate(run):
        if accounts.setdefault(who.secret_hash, who.account) != who.account:
            outcomes += senders.come(connection, run[start:at], now_ms)
            accounts, start = {who.secret_hash: who.account}, at
    return [*outcomes, *senders.come(connection, run[start:], now_ms)]
