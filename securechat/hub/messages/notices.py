"""What is told and never kept: that somebody is writing, and what another device has read."""

from __future__ import annotations

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.membership import others
from securechat.model import Read, ReadElsewhere, Typing, TypingNow
from securechat.records.accounts import Committed
from securechat.records.log import NotAppended
from securechat.records.rooms import PutReadMarker
from securechat.text.names import check_room

_PRUNE_AT = 1024
"""Places somebody writes in; old ones are dropped when there are so many."""


class TypingAndReadMarkers:
    """Passes notices on.

    Args:
        context: who is here, and how far accounts have read.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._broadcaster = context.broadcaster
        self._directory = context.accounts
        self._limits = context.limits
        self._members = context.members
        self._told_at: dict[tuple[int, str | int], float] = {}

    def typing(self, _: Peer, member: Member, command: Typing) -> None:
        """Tell the room, or the other person, at most once in typing_interval_s.

        What makes no sense is told nobody, and neither is what happens in a room of more than presence_names members.
        """
        room_record: str | int | None = command.peer
        audience: list[Peer] = []
        if self._directory.mute_on(member.sender_id) is not None:
            return
        if command.room is not None:
            room_record = member.room_meant(check_room(command.room))
            room = member.rooms.get(room_record)
            if room is None:
                return
            if len(room.members) > self._limits.presence_names:  # a notice to thousands costs what a message does
                return
            if self._directory.room_directory.muted_s(room_record, member.sender_id) != 0:
                return
            audience = [peer for peer in room.audience() if peer not in member.peers]
        elif command.peer is not None and (other := self._members.get(command.peer)) is not None:
            audience = list(other.peers) if other is not member else []
        if room_record is None or not audience or not self._is_due((member.sender_id, room_record)):
            return
        self._broadcaster.broadcast(
            audience, [TypingNow(member.person, room_record if isinstance(room_record, str) else None)]
        )

    def read(self, peer: Peer, member: Member, command: Read) -> None:
        """Keep how far an account has read, and tell its other devices."""
        seq = min(command.seq, self._context.fed_seq)
        room = member.room_meant(check_room(command.room)) if command.room is not None else None
        if (room is None) == (command.peer is None) or (room is not None and room not in member.rooms):
            return
        if rest := others(member, peer):
            self._broadcaster.broadcast(rest, [ReadElsewhere(seq, room, command.peer)])
        if member.account:
            change = PutReadMarker(member.sender_id, seq, room, command.peer)
            self._directory.in_turn(("read", member.sender_id), lambda: ((change,), _ignore))

    def _is_due(self, room_record: tuple[int, str | int]) -> bool:
        now = self._context.now
        if now - self._told_at.get(room_record, -1e9) < self._limits.typing_interval_s:
            return False
        if len(self._told_at) >= _PRUNE_AT:
            since = now - self._limits.typing_interval_s
            self._told_at = {each: at for each, at in self._told_at.items() if at > since}
        self._told_at[room_record] = now
        return True


def _ignore(_: Committed | NotAppended) -> None:
    """Nobody waits for it."""
