"""Lists rooms for an administrator, and removes unused ones.

A room is unused when it has no members and no invited accounts, and none is in it. Its messages go with it. Each
removal is written into the audit in the same commit, and judged anew when the room's turn comes: a member who enters it
at that moment keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from securechat.hub.context import HubContext
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, ReadRoomFigures, Turn, Workflow
from securechat.records.accounts import Change, Committed, WriteAudit
from securechat.records.log import NotAppended
from securechat.records.queries import RoomFigures
from securechat.records.rooms import DropRoom, PurgeExpired, RoomRole
from securechat.text.counts import counted
from securechat.text.refusals import refusal_for

_AT_ONCE = 20
"""Rooms that one question to the log is about: 25 ms of its reading thread when each has 10,000 messages."""
_IN_VAIN = 20
"""Steps that delete no message before the room is left as it is: each takes 10,000 changes of one message along."""
_EXPIRE_AT_ONCE = 500
_DAY_MS = 86_400_000
_MOST_DAYS = 3650


class RoomRow(Struct, frozen=True, gc=False):
    """The lobby, a room with a record, or one that is occupied.

    Attributes:
        room: its name.
        total: the number of members in it now.
        members: the number of accounts that belong to it.
        owners: the names of its owners.
        messages: the number of its messages, counted up to 10,000.
        last_at_ms: when the last of them was sent; 0 for none.
        made_at_ms: when it got its record; 0 for none.
        kind: ``guests`` without a record, ``archived``, ``private`` or ``public``.
        prunable: whether it is unused.
    """

    room: str
    total: int
    members: int = 0
    owners: tuple[str, ...] = ()
    messages: int = 0
    last_at_ms: int = 0
    made_at_ms: int = 0
    kind: str = "guests"
    prunable: bool = False


Rows = Callable[[list[RoomRow] | NotAppended], None]


class RoomReports:
    """Lists and removes rooms.

    Args:
        context: the rooms, and the log.
    """

    def __init__(self, context: HubContext) -> None:
        self._directory = context.accounts
        self._room_directory = context.rooms
        self._workflows = context.workflows

    def rooms(self, done: Rows) -> None:
        """Tell the lobby, every room with a record and every occupied one."""
        rooms = {self._room_directory.lobby, *self._room_directory.recorded.values(), *self._room_directory.occupied}

        def act() -> Workflow[list[RoomRow]]:
            return [row for _, row in (yield from self._look_at(rooms))]

        self._workflows.report(act(), done)

    def prunable(self, unused_days: float | None, done: Rows) -> None:
        """Tell which rooms `prune` would remove. Raises as `prune`."""
        before_ms = self._before_ms(unused_days)

        def act() -> Workflow[list[RoomRow]]:
            return [row for _, row in (yield from self._prunable(before_ms))]

        self._workflows.report(act(), done)

    def prune(self, actor: str, unused_days: float | None, done: Rows) -> None:
        """Remove every unused room, with its messages; tell which were removed, with how many messages.

        Args:
            actor: for the audit.
            unused_days: only rooms without a message for so long, not made and not left to rules since; None for all.
            done: told the removed ones, when they are, or why that ended early.

        Raises:
            Refusal: INVALID for a number that makes no sense.
        """
        before_ms = self._before_ms(unused_days)

        def act() -> Workflow[list[RoomRow]]:
            removed: list[RoomRow] = []
            for room, row in (yield from self._prunable(before_ms)):
                note = self._directory.note(actor, "prune", row.room, counted(row.messages, "message"))
                messages = yield from self._remove(room, before_ms, note)
                if messages is not None:
                    removed.append(replace(row, messages=messages))
            return removed

        self._workflows.report(act(), done)

    def _before_ms(self, unused_days: float | None) -> int:
        if unused_days is not None and not 0 < unused_days <= _MOST_DAYS:
            raise refusal_for("days_out_of_range", most=_MOST_DAYS)
        return self._directory.wall_ms() + 1 - int((unused_days or 0) * _DAY_MS)

    def _prunable(self, before_ms: int) -> Workflow[list[tuple[HubRoom, RoomRow]]]:
        rooms = yield from self._look_at(
            room for room in self._room_directory.recorded.values() if self._is_prunable(room)
        )
        return [(room, row) for room, row in rooms if row.prunable and max(row.last_at_ms, row.made_at_ms) < before_ms]

    def _remove(self, room: HubRoom, before_ms: int, note: WriteAudit) -> Workflow[int | None]:
        """Remove a room's messages, some at a time, and the room when none is left.

        Returns:
            How many messages it had; None if it is kept, because it is used again.
        """
        count = in_vain = 0
        while True:
            with (yield Turn(room)):
                room_record = room.record
                if room_record is None or room_record.made_at_ms >= before_ms or not self._is_prunable(room):
                    yield Commit(())  # there may be thousands: the loop serves others in between
                    return None
                changes: list[Change] = [
                    PurgeExpired(room.name, before_ms, _EXPIRE_AT_ONCE),
                    DropRoom(room_record.room_id),
                ]
                if not count and not in_vain:
                    changes.append(note)
                committed: Committed = yield Commit(changes)
            count += committed.count
            self._room_directory.note_purged(room, committed.purged)
            if committed.dropped:
                return count
            if not committed.count and in_vain == _IN_VAIN:
                return None  # a message was sent there since
            in_vain = 0 if committed.count else in_vain + 1

    def _is_prunable(self, room: HubRoom) -> bool:
        return not room.members and room.is_left()

    def _look_at(self, rooms: Iterable[HubRoom]) -> Workflow[list[tuple[HubRoom, RoomRow]]]:
        """Ask the log about rooms, some at a time; return a row for each. They are not sorted: see `reports`."""
        rooms = list(rooms)
        rows: list[tuple[HubRoom, RoomRow]] = []
        for at in range(0, len(rooms), _AT_ONCE):
            named = {room.name: room for room in rooms[at : at + _AT_ONCE]}
            answer: list[RoomFigures] = yield ReadRoomFigures(list(named))
            figures = {each.room: each for each in answer}
            rows += [(room, self._row(room, figures.get(name))) for name, room in named.items()]
        return rows

    def _row(self, room: HubRoom, figures: RoomFigures | None) -> RoomRow:
        row, room_record = RoomRow(room.name, len(room.members)), room.record
        if figures is not None:
            row = replace(row, messages=figures.messages, last_at_ms=figures.last_at_ms)
        if room_record is None:
            return row
        members, accounts = room.seniority(), self._directory.accounts
        owners = [each.sender_id for each in members if each.role is RoomRole.OWNER]
        return replace(
            row,
            members=len(members),
            owners=tuple(accounts[who].name for who in owners if who in accounts),
            made_at_ms=room_record.made_at_ms,
            kind="archived" if room_record.archived else "private" if room_record.private else "public",
            prunable=self._is_prunable(room),
        )
