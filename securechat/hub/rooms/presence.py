"""Who is in which room, and when the others are told.

A coming or going changes the audience at once and is told later, gathered (see `room`). A member whose connection was
lost stays for quiet_return_s as if nothing had happened; only then it leaves. A departure is told after the last
message of the one who left: while the log still has drafts of that member, the notice waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from securechat.client_address import is_loopback
from securechat.errors import ErrorCode, Refusal
from securechat.hub.environment import HubEnvironment
from securechat.hub.interfaces import OperatorEvent
from securechat.hub.members import Member
from securechat.hub.rooms.active_room import ActiveRoom
from securechat.hub.rooms.listing import RoomListing

_T = TypeVar("_T")

_FORMER_NAMES = 100
"""Of the rooms that a member is in, the latest: for what was under way when they got another."""
_DEPARTURES_PER_TICK = 16
"""Members let go at once: each may leave 100 rooms at about 4 µs, and the loop should not stand for 10 ms."""

_TOLD_PER_TICK = 2_000
"""Connections that are told of comings and goings at once, some 2 ms: whoever logs in may belong to 100 rooms."""


class PresenceTracker:
    """The rooms of one server and everybody in them.

    Args:
        environment: the time of this pass, limits, pages, the broadcaster, the operator's log and the alarm.
        active_rooms: the occupied rooms, by name; kept here.
        listing: the rooms that anybody may be told of.

    Attributes:
        rooms: the occupied rooms, by name.
    """

    def __init__(self, environment: HubEnvironment, active_rooms: dict[str, ActiveRoom], listing: RoomListing) -> None:
        self.rooms = active_rooms
        self._environment = environment
        self._listing = listing
        self._pages = environment.pages
        self._broadcaster = environment.broadcaster
        self._operator_log = environment.operator_log
        self._limits = environment.limits
        self._alarm = environment.alarm
        self._opened: dict[str, int] = {}  # rooms without a record that are occupied, by who opened them
        self._presence_due: dict[str, float] = {}  # in the order in which they become due
        self._absent: dict[int, tuple[float, Member]] = {}  # in the order in which they were lost

    def enter(self, member: Member, name: str, *, recorded: bool = False) -> ActiveRoom:
        """Let a member into a room, making the room if need be; entering twice changes nothing.

        A room that is ``recorded`` (it has a record, or is the lobby) can always be entered: records are bounded
        elsewhere, and guests who open rooms must not keep members out of theirs.

        Raises:
            Refusal: TOO_MANY_ROOMS, of this member or in all.
        """
        if (room := member.rooms.get(name)) is not None:
            return room
        if len(member.rooms) >= self._limits.rooms_per_member:
            raise Refusal(
                ErrorCode.TOO_MANY_ROOMS, f"you are in {len(member.rooms)} rooms, which is the most; leave one first"
            )
        room = self.rooms.get(name)
        if room is None:
            address = None if recorded else self._opening_address(member)
            room = self.rooms[name] = ActiveRoom(name)
            if address is not None:
                room.opened_from = address
                self._opened[address] = self._opened.get(address, 0) + 1
            self._listing.update(name)
        room.add(member)
        member.rooms[name] = room
        member.was_called.pop(name, None)  # from here on the name means this room, also when it is left again
        self._operator_log.happened(OperatorEvent.JOINED, member.peers[0] if member.peers else None, member.name, name)
        self._presence_soon(room)
        return room

    def leave(self, member: Member, room: ActiveRoom) -> None:
        """Take a member out of a room."""
        del member.rooms[room.name]
        member.was_called = {old: each for old, each in member.was_called.items() if each is not room}
        room.remove(member)
        if not room.members:
            del self.rooms[room.name]
            self._listing.update(room.name)
            self._presence_due.pop(room.name, None)
            self._forget_opening(room)
        self._operator_log.happened(OperatorEvent.LEFT, None, member.name, room.name)
        if member.unsettled:
            member.departures.append(room)
        else:
            self._note_left(member, room)

    def _opening_address(self, member: Member) -> str | None:
        """Whose share a new room without a record counts against.

        Raises:
            Refusal: TOO_MANY_ROOMS.
        """
        if len(self.rooms) >= self._limits.rooms_total:
            raise Refusal(ErrorCode.TOO_MANY_ROOMS, "the server has no room for another room; join one of /rooms")
        address = member.peers[0].address if member.peers else None
        if address is None or is_loopback(address):
            return None
        if self._opened.get(address, 0) >= self._limits.rooms_opened_per_address:
            raise Refusal(
                ErrorCode.TOO_MANY_ROOMS,
                "your network has opened as many rooms as allowed at once; leave one first, or join one of /rooms",
            )
        return address

    def _forget_opening(self, room: ActiveRoom) -> None:
        if (address := room.opened_from) is not None:
            self._opened[address] -= 1
            if not self._opened[address]:
                del self._opened[address]

    def rename_room(self, old: str, new: str) -> None:
        """A room has another name; who is in it stays in it."""
        room = self.rooms.pop(old, None)
        if room is None:
            return
        room.name = new
        self.rooms[new] = room
        self._listing.update(old)
        self._listing.update(new)
        if (due := self._presence_due.pop(old, None)) is not None:
            self._presence_due[new] = due
        for member in room.members.values():
            member.rooms[new] = member.rooms.pop(old)
            member.was_called.pop(new, None)
            member.was_called[old] = room
            if len(member.was_called) > _FORMER_NAMES:
                del member.was_called[next(iter(member.was_called))]
            if old in member.entered_seq:
                member.entered_seq[new] = member.entered_seq.pop(old)

    def settled(self, member: Member) -> None:
        """The log has answered every draft of the member: what waited for that can be told."""
        for room in member.departures:
            self._note_left(member, room)
        member.departures.clear()

    def audience_changed(self, member: Member) -> None:
        """A connection of the member came or went."""
        for room in member.rooms.values():
            room.audience_changed()

    def absent(self, member: Member) -> None:
        """The member's last connection was lost; it leaves when it does not come back."""
        until = self._environment.now + self._limits.quiet_return_s
        self._absent[member.sender_id] = (until, member)
        self._alarm(until)

    def returned(self, member: Member) -> None:
        """The member is back before anybody noticed."""
        self._absent.pop(member.sender_id, None)

    def gone(self, member: Member) -> None:
        """The member is gone for good: out of every room."""
        self._absent.pop(member.sender_id, None)
        for room in list(member.rooms.values()):
            self.leave(member, room)

    def renamed(self, member: Member, old: str) -> None:
        """The member has a new name."""
        self._operator_log.happened(OperatorEvent.RENAMED, None, member.name, old)
        for room in member.rooms.values():
            room.note_renamed(member, old)
            self._presence_soon(room)

    def next_deadline(self) -> float | None:
        """When `take_overdue` or `tell` has something to do, in monotonic seconds; None for nothing."""
        presence = _first(self._presence_due.values())
        absence = _first(self._absent.values())
        if absence is None:
            return presence
        return absence[0] if presence is None else min(presence, absence[0])

    def take_overdue(self) -> list[Member]:
        """Return those who did not come back in time, a few at once; the caller lets them go and ticks again."""
        overdue: list[Member] = []
        now = self._environment.now
        for until, member in self._absent.values():
            if until > now or len(overdue) >= _DEPARTURES_PER_TICK:
                break
            overdue.append(member)
        return overdue

    def tell(self) -> None:
        """Tell the rooms whose presence is due, a few at once; the caller ticks again for the rest."""
        told = 0
        while self._presence_due and told < _TOLD_PER_TICK:
            name, at = next(iter(self._presence_due.items()))
            if at > self._environment.now:
                break
            del self._presence_due[name]
            room = self.rooms[name]
            if (presence := room.take_presence(self._limits)) is not None:
                self._broadcaster.broadcast(room.audience(), [presence])
                told += len(room.audience())

    def _note_left(self, member: Member, room: ActiveRoom) -> None:
        if self.rooms.get(room.name) is room:
            room.note_left(member.person)
            self._presence_soon(room)

    def _presence_soon(self, room: ActiveRoom) -> None:
        if room.name not in self._presence_due:
            due = self._presence_due[room.name] = self._environment.now + self._limits.presence_interval_s
            self._alarm(due)


def _first(values: Iterable[_T]) -> _T | None:
    return next(iter(values), None)
