"""Members enter and leave rooms, and the others in a room are told, gathered.

A coming or going changes the audience at once and is told later (see `HubRoom`). A member whose connection was lost
stays for quiet_return_s as if nothing had happened; only then it leaves. A departure is told after the last message of
the member who left: while the log still has drafts of that member, the notice waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from securechat.client_address import is_loopback
from securechat.hub.environment import HubEnvironment
from securechat.hub.interfaces import OperatorEvent
from securechat.hub.members import Member
from securechat.hub.messages import paging
from securechat.hub.rooms.directory import RoomDirectory
from securechat.hub.rooms.room import HubRoom
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")

_DEPARTURES_PER_TICK = 16
"""Members let go at once: each may leave 100 rooms at about 4 µs, and the loop should not stand for 10 ms."""

_TOLD_PER_TICK = 2_000
"""Connections that are told of comings and goings at once, some 2 ms: a login may enter 100 rooms."""


class PresenceTracker:
    """The members in the rooms of one server.

    Args:
        environment: the time of this pass, limits, pages, the broadcaster, the operator's log and the alarm.
        rooms: every room; `RoomDirectory.occupied` is kept here.
    """

    def __init__(self, environment: HubEnvironment, rooms: RoomDirectory) -> None:
        self._rooms = rooms
        self._environment = environment
        self._broadcaster = environment.broadcaster
        self._operator_log = environment.operator_log
        self._limits = environment.limits
        self._alarm = environment.alarm
        self._opened: dict[str, int] = {}  # rooms without a record that are occupied, by the address that opened them
        self._presence_due: dict[HubRoom, float] = {}  # in the order in which they become due
        self._absent: dict[int, tuple[float, Member]] = {}  # in the order in which they were lost

    def enter(self, member: Member, room: HubRoom, seq: int) -> None:
        """Let a member into a room; entering twice changes nothing.

        A room with a record, or the lobby, can always be entered: records are bounded elsewhere, and guests who open
        rooms must not keep members out of theirs.

        Args:
            member: who enters.
            room: which room.
            seq: the last seq fanned out.

        Raises:
            Refusal: TOO_MANY_ROOMS, of this member or in all.
        """
        if room in member.rooms:
            return
        if len(member.rooms) >= self._limits.rooms_per_member:
            raise refusal_for("rooms_of_member_used_up", count=len(member.rooms))
        if is_opened := not room.members:
            self._open(member, room)
        room.add(member)
        member.note_entered(room, seq)
        if is_opened:
            self._rooms.listing.update(room.name)
        peer = member.peers[0] if member.peers else None
        self._operator_log.happened(OperatorEvent.JOINED, peer, member.name, room.name)
        self._presence_soon(room)

    def leave(self, member: Member, room: HubRoom) -> None:
        """Take a member out of a room."""
        member.note_left(room)
        room.remove(member)
        if not room.members:
            self._close(room)
        self._operator_log.happened(OperatorEvent.LEFT, None, member.name, room.name)
        if member.unsettled:
            member.departures.append(room)
        else:
            self._note_left(member, room)

    def _open(self, member: Member, room: HubRoom) -> None:
        """The first member enters a room. Raises as `enter`."""
        if room.record is None and not room.is_lobby and (address := self._opening_address(member)) is not None:
            room.opened_from = address
            self._opened[address] = self._opened.get(address, 0) + 1
        self._rooms.occupied.add(room)

    def _close(self, room: HubRoom) -> None:
        """The last member has left a room."""
        self._rooms.occupied.discard(room)
        self._rooms.listing.update(room.name)
        self._presence_due.pop(room, None)
        address, room.opened_from = room.opened_from, None
        if address is not None:
            self._opened[address] -= 1
            if not self._opened[address]:
                del self._opened[address]

    def _opening_address(self, member: Member) -> str | None:
        """Return the address whose share a new room without a record counts against; None for none.

        Raises:
            Refusal: TOO_MANY_ROOMS.
        """
        if len(self._rooms.occupied) >= self._limits.rooms_total:
            raise refusal_for("rooms_open_used_up")
        address = member.peers[0].address if member.peers else None
        if address is None or is_loopback(address):
            return None
        if self._opened.get(address, 0) >= self._limits.rooms_opened_per_address:
            raise refusal_for("rooms_opened_by_network")
        return address

    def settled(self, member: Member) -> None:
        """The log has answered every draft of the member: what waited for that can be told."""
        for room in member.departures:
            self._note_left(member, room)
        member.departures.clear()

    def audience_changed(self, member: Member) -> None:
        """A connection of the member came or went."""
        for room in member.rooms:
            room.audience_changed()

    @property
    def absences(self) -> int:
        """How many members are absent."""
        return len(self._absent)

    def absent(self, member: Member) -> None:
        """The member's last connection was lost; it leaves when it does not come back."""
        until = self._environment.now + self._limits.quiet_return_s
        self._absent[member.sender_id] = (until, member)
        self._alarm(until)

    def returned(self, member: Member) -> None:
        """The member is back before the others were told."""
        self._absent.pop(member.sender_id, None)

    def gone(self, member: Member) -> None:
        """The member is gone for good: out of every room."""
        self._absent.pop(member.sender_id, None)
        for room in list(member.rooms):
            self.leave(member, room)

    def renamed(self, member: Member, old: str) -> None:
        """The member has a new name."""
        self._operator_log.happened(OperatorEvent.RENAMED, None, member.name, old)
        for room in member.rooms:
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
        """Return members who did not come back in time, a few at once; the caller lets them go and ticks again."""
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
            room, at = next(iter(self._presence_due.items()))
            if at > self._environment.now:
                break
            del self._presence_due[room]
            if (changes := room.take_presence()) is not None:
                audience = room.audience()
                most = self._limits.presence_names
                self._broadcaster.broadcast(
                    audience, [paging.presence(room.name, len(room.members), changes, most, audience)]
                )
                told += len(audience)

    def _note_left(self, member: Member, room: HubRoom) -> None:
        if room.members:
            room.note_left(member.person)
            self._presence_soon(room)

    def _presence_soon(self, room: HubRoom) -> None:
        if room not in self._presence_due:
            due = self._presence_due[room] = self._environment.now + self._limits.presence_interval_s
            self._alarm(due)


def _first(values: Iterable[_T]) -> _T | None:
    return next(iter(values), None)
