"""What is told and never kept: that somebody is writing, and what another device has read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from securechat.hub.floor import others
from securechat.hub.member import Member
from securechat.hub.people import Recorded
from securechat.hub.places import PutRead
from securechat.hub.ports import NotAppended, Outlet, Peer
from securechat.hub.registry import Registry
from securechat.limits import Limits
from securechat.model import Read, ReadElsewhere, Typing, TypingNow
from securechat.names import check_room

_PRUNE_AT = 1024
"""Places somebody writes in; old ones are dropped when there are so many."""


class Notices:
    """Passes notices on.

    Args:
        outlet: tells many the same.
        registry: keeps how far accounts have read.
        limits: typing_interval_s, presence_names.
        members: who is here, by sender_id.
        fed_seq: the last seq fanned out.
    """

    def __init__(
        self,
        outlet: Outlet,
        registry: Registry,
        limits: Limits,
        members: Mapping[int, Member],
        fed_seq: Callable[[], int],
    ) -> None:
        self._outlet = outlet
        self._registry = registry
        self._limits = limits
        self._members = members
        self._fed_seq = fed_seq
        self._told_at: dict[tuple[int, str | int], float] = {}

    def typing(self, member: Member, command: Typing, now: float) -> None:
        """Tell the room, or the other person, at most once in typing_interval_s.

        What makes no sense is told nobody, and neither is what happens in a room of more than presence_names members.
        """
        place: str | int | None = command.peer
        audience: list[Peer] = []
        if self._registry.mute_on(member.sender_id) is not None:
            return
        if command.room is not None:
            place = member.room_meant(check_room(command.room))
            room = member.rooms.get(place)
            if room is None:
                return
            if len(room.members) > self._limits.presence_names:  # a notice to thousands costs what a message does
                return
            if self._registry.rulebook.muted_s(place, member.sender_id) != 0:
                return
            audience = [peer for peer in room.audience() if peer not in member.peers]
        elif command.peer is not None and (other := self._members.get(command.peer)) is not None:
            audience = list(other.peers) if other is not member else []
        if place is None or not audience or not self._is_due((member.sender_id, place), now):
            return
        self._outlet.broadcast(audience, [TypingNow(member.person, place if isinstance(place, str) else None)])

    def read(self, peer: Peer, member: Member, command: Read) -> None:
        """Keep how far an account has read, and tell its other devices."""
        seq = min(command.seq, self._fed_seq())
        room = member.room_meant(check_room(command.room)) if command.room is not None else None
        if (room is None) == (command.peer is None) or (room is not None and room not in member.rooms):
            return
        if rest := others(member, peer):
            self._outlet.broadcast(rest, [ReadElsewhere(seq, room, command.peer)])
        if member.account:
            change = PutRead(member.sender_id, seq, room, command.peer)
            self._registry.in_turn(("read", member.sender_id), lambda: ((change,), _ignore))

    def _is_due(self, place: tuple[int, str | int], now: float) -> bool:
        if now - self._told_at.get(place, -1e9) < self._limits.typing_interval_s:
            return False
        if len(self._told_at) >= _PRUNE_AT:
            since = now - self._limits.typing_interval_s
            self._told_at = {each: at for each, at in self._told_at.items() if at > since}
        self._told_at[place] = now
        return True


def _ignore(_: Recorded | NotAppended) -> None:
    """Nobody waits for it."""
