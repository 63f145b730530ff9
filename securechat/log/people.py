"""Writes about people and rooms, in the order asked, in as few statements as that order allows.

Neighbours of one kind are one statement, across the records they came in: a thousand logins at once are a handful of
steps, and so are a thousand accounts that were seen. Nothing here knows what a batch is, or a message but by its seq.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

import apsw

from securechat.hub.people import Change, Drop, ForgetGuests, Note, Put, Recorded, Scrub, TrimAudit
from securechat.hub.places import (
    DropMembership,
    DropPlace,
    DropRoomBan,
    Expire,
    PutMembership,
    PutPlace,
    PutRead,
    PutRoomBan,
)
from securechat.log import audit, erasure, places, records, senders
from securechat.log.store import Identify, Outcome, Record, Release, Rename, Write
from securechat.model import Draft, Revision

_Locate: TypeAlias = Callable[[PutRead], int | None]
Person: TypeAlias = Identify | Rename | Release | Record
_Step: TypeAlias = Identify | Rename | Release | Change


def people_of(writes: Sequence[Write]) -> list[Person]:
    """The writes that are not about messages, in order."""
    return [write for write in writes if not isinstance(write, Draft | Revision)]


def write(
    connection: apsw.Connection, writes: Sequence[Person], now_ms: int, last_seq: int, locate: _Locate
) -> Iterator[Outcome]:
    """Write it all down; return the outcomes, an identity's last_client_id still to be filled in.

    Args:
        connection: in a transaction.
        writes: in the order asked.
        now_ms: UTC.
        last_seq: the highest seq there is in the tables.
        locate: the number of the conversation that was read; asked once about each PutRead, in order.

    Raises:
        NameTaken: a PutPlace came upon another room's name; what was written before it must be rolled back.
    """
    outcomes: list[Outcome] = [Recorded() if type(write) is Record else None for write in writes]
    steps = [(at, step) for at, write in enumerate(writes) for step in _steps(write)]
    for _, grouped in groupby(steps, key=_sort):
        run = list(grouped)
        told = _carry_out(connection, [step for _, step in run], now_ms, last_seq, locate)
        for (at, _), outcome in zip(run, told, strict=False):  # most steps have nothing to tell
            before = outcomes[at]
            if isinstance(before, Recorded) and isinstance(outcome, Recorded):
                outcome = Recorded(  # noqa: PLW2901
                    before.count + outcome.count, outcome.through, before.dropped + outcome.dropped
                )
            outcomes[at] = outcome
    return iter(outcomes)


def _steps(write: Person) -> Sequence[_Step]:
    return write.changes if isinstance(write, Record) else (write,)


def _sort(step: tuple[int, _Step]) -> tuple[type, type | None]:
    """Neighbours of the same sort go together."""
    match step[1]:
        case Put(row):
            return Put, type(row)
        case Drop(kind):
            return Drop, kind
        case other:
            return type(other), None


def _carry_out(  # noqa: PLR0911 - one flat match
    connection: apsw.Connection, run: Sequence[_Step], now_ms: int, last_seq: int, locate: _Locate
) -> Sequence[Outcome]:
    """Write a run of one sort; return what there is to tell of each step, or nothing."""
    match run[0]:
        case Identify():
            return _let_in(connection, [step for step in run if isinstance(step, Identify)], now_ms)
        case Rename():
            senders.rename(connection, [step for step in run if isinstance(step, Rename)])
        case Release():
            senders.release(connection, [step for step in run if isinstance(step, Release)], now_ms)
        case Put():
            records.put(connection, [step.row for step in run if isinstance(step, Put)])
        case Drop(kind):
            records.drop(connection, kind, [step.number for step in run if isinstance(step, Drop)])
        case Note():
            records.note(connection, [step.entry for step in run if isinstance(step, Note)])
        case Scrub():
            return [erasure.scrub(connection, step, last_seq) for step in run if isinstance(step, Scrub)]
        case ForgetGuests():
            return [erasure.forget(connection, step) for step in run if isinstance(step, ForgetGuests)]
        case Expire():
            return [erasure.expire(connection, step, last_seq) for step in run if isinstance(step, Expire)]
        case TrimAudit():
            return [audit.trim(connection, step) for step in run if isinstance(step, TrimAudit)]
        case DropPlace():
            return [places.drop_place(connection, step) for step in run if isinstance(step, DropPlace)]
        case _:
            _furnish(connection, run, locate)
    return ()


def _furnish(connection: apsw.Connection, run: Sequence[_Step], locate: _Locate) -> None:
    """Write a run of one sort that is about rooms."""
    match run[0]:
        case PutPlace():
            for step in run:
                if isinstance(step, PutPlace):
                    places.put_place(connection, step.row)
        case PutMembership():
            places.put_memberships(connection, [step.row for step in run if isinstance(step, PutMembership)])
        case DropMembership():
            pairs = [(step.room_id, step.sender_id) for step in run if isinstance(step, DropMembership)]
            places.drop(connection, "memberships", pairs)
        case PutRoomBan():
            places.put_bans(connection, [step.row for step in run if isinstance(step, PutRoomBan)])
        case DropRoomBan():
            pairs = [(step.room_id, step.sender_id) for step in run if isinstance(step, DropRoomBan)]
            places.drop(connection, "room_bans", pairs)
        case PutRead():
            places.mark_read(connection, [step for step in run if isinstance(step, PutRead)], locate)
        case _:
            raise AssertionError(f"nobody writes {type(run[0]).__name__}")


def _let_in(connection: apsw.Connection, run: Sequence[Identify], now_ms: int) -> list[Outcome]:
    """Identify a run, anew from where a secret comes back for another account."""
    outcomes: list[Outcome] = []
    accounts: dict[bytes, int | None] = {}
    start = 0
    for at, who in enumerate(run):
        if accounts.setdefault(who.secret_hash, who.account) != who.account:
            outcomes += senders.come(connection, run[start:at], now_ms)
            accounts, start = {who.secret_hash: who.account}, at
    return [*outcomes, *senders.come(connection, run[start:], now_ms)]
