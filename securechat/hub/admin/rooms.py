"""Rooms as an administrator sees them: which there are, how much they are used, and which may go.

A room may be removed by hand when nobody belongs to it, nobody is in it and nobody is invited to it; its messages go
with it. Each removal is written into the audit in the same step, and judged anew when the room's turn comes: whoever
enters it at that moment keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.directory import AccountDirectory, Turn
from securechat.hub.context import HubContext
from securechat.hub.rooms.room import HubRoom
from securechat.records.accounts import Change, Committed
from securechat.records.log import NotAppended
from securechat.records.queries import RoomFigures
from securechat.records.rooms import DropRoom, PurgeExpired, RoomRole
from securechat.text.counts import counted

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
        total: how many are in it now.
        members: how many belong to it.
        owners: whose it is.
        messages: how many it has, counted up to 10,000.
        last_at_ms: when the last of them was sent; 0 for none.
        made_at_ms: when it got its record; 0 for none.
        kind: ``guests`` without a record, ``archived``, ``private`` or ``public``.
        prunable: whether nobody belongs to it, is in it, or is invited.
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
    """Looks at rooms, and removes those that nobody uses.

    Args:
        context: rooms with a record, which are occupied, and the log.
    """

    def __init__(self, context: HubContext) -> None:
        self._directory = context.accounts
        self._room_directory = context.rooms
        self._log = context.log

    def rooms(self, done: Rows) -> None:
        """Tell the lobby, every room with a record and every occupied one, by name."""
        rooms = {self._room_directory.lobby, *self._room_directory.recorded.values(), *self._room_directory.occupied}
        self._gather(_by_name(rooms), [], done)

    def prunable(self, unused_days: float | None, done: Rows) -> None:
        """Tell which rooms `prune` would remove, by name. Raises as `prune`."""
        before_ms = self._before_ms(unused_days)
        rooms = _by_name(room for room in self._room_directory.recorded.values() if self._is_prunable(room))

        def gathered(rows: list[RoomRow] | NotAppended) -> None:
            if isinstance(rows, list):
                rows = [row for row in rows if row.prunable and max(row.last_at_ms, row.made_at_ms) < before_ms]
            done(rows)

        self._gather(rooms, [], gathered)

    def prune(self, actor: str, unused_days: float | None, done: Rows) -> None:
        """Remove every room that nobody uses, with its messages; tell which were removed, with how many messages.

        Args:
            actor: for the audit.
            unused_days: only rooms without a message for so long, not made and not left to rules since; None for all.
            done: told the removed ones, when they are, or why that ended early.

        Raises:
            Refusal: INVALID for a number that makes no sense.
        """
        before_ms = self._before_ms(unused_days)

        def found(rows: list[RoomRow] | NotAppended) -> None:
            if isinstance(rows, NotAppended):
                done(rows)
            else:
                _Pruning(self._directory, self._is_prunable, actor, before_ms, rows, done).begin()

        self.prunable(unused_days, found)

    def _before_ms(self, unused_days: float | None) -> int:
        if unused_days is not None and not 0 < unused_days <= _MOST_DAYS:
            raise Refusal(ErrorCode.INVALID, f"name a number of days up to {_MOST_DAYS}")
        return self._directory.wall_ms() + 1 - int((unused_days or 0) * _DAY_MS)

    def _is_prunable(self, room: HubRoom) -> bool:
        return not room.members and room.is_left()

    def _gather(self, rooms: list[HubRoom], rows: list[RoomRow], done: Rows) -> None:
        """Ask the log about some rooms, and about the rest when it has answered."""
        if not rooms:
            done(rows)
            return
        some = rooms[:_AT_ONCE]
        names = [room.name for room in some]

        def answered(answer: list[RoomFigures] | NotAppended) -> None:
            if isinstance(answer, NotAppended):
                done(answer)
                return
            figures = {each.room: each for each in answer}
            rows.extend(self._row(room, figures.get(name)) for room, name in zip(some, names, strict=True))
            self._gather(rooms[_AT_ONCE:], rows, done)

        self._log.room_figures(names, answered)

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


def _by_name(rooms: Iterable[HubRoom]) -> list[HubRoom]:
    return sorted(rooms, key=lambda room: room.name)


class _Pruning:
    """One removal of many rooms, a room after the other."""

    def __init__(
        self,
        directory: AccountDirectory,
        is_prunable: Callable[[HubRoom], bool],
        actor: str,
        before_ms: int,
        rows: list[RoomRow],
        done: Rows,
    ) -> None:
        self._directory = directory
        self._is_prunable = is_prunable
        self._actor = actor
        self._before_ms = before_ms
        self._rows = rows
        self._done = done
        self._removed: list[RoomRow] = []

    def begin(self) -> None:
        """Remove the first room, and so on."""
        self._next(0)

    def _next(self, at: int) -> None:
        if at == len(self._rows):
            self._done(self._removed)
        else:
            self._step(at, 0, 0)

    def _step(self, at: int, count: int, in_vain: int) -> None:
        """Remove some of a room's messages, and the room when none is left."""
        row = self._rows[at]
        room = self._directory.room_directory.named_or_new(row.room)

        def job() -> Turn:
            room_record = room.record
            is_new = room_record is not None and room_record.made_at_ms >= self._before_ms
            if room_record is None or is_new or not self._is_prunable(room):
                self._directory.change((), lambda _: self._next(at + 1))  # not at once: there may be thousands
                return None
            changes: list[Change] = [
                PurgeExpired(room.name, self._before_ms, _EXPIRE_AT_ONCE),
                DropRoom(room_record.room_id),
            ]
            if not count and not in_vain:
                changes.append(self._directory.note(self._actor, "prune", row.room, counted(row.messages, "message")))
            return changes, recorded

        def recorded(answer: Committed | NotAppended) -> None:
            if isinstance(answer, NotAppended):
                self._done(answer)
            elif answer.dropped:
                self._removed.append(replace(row, messages=count + answer.count))
                self._next(at + 1)
            elif answer.count or in_vain < _IN_VAIN:
                self._step(at, count + answer.count, 0 if answer.count else in_vain + 1)
            else:
                self._next(at + 1)  # something was said there since

        self._directory.in_turn(room, job)
