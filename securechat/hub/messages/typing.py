"""Passes on that a member is typing, to a room or to the other side of a dialogue; nothing of it is kept."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.room import HubRoom
from securechat.model import Typing, TypingNow

_PRUNE_AT = 1024
"""Conversations in which members type; those whose last notice is too old to count are dropped at this number."""


class TypingNotices:
    """Broadcasts typing notices, at most one in typing_interval_s for each member and conversation.

    Args:
        context: members, rooms and mutes.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._directory = context.accounts
        self._limits = context.limits
        self._sent_at: dict[tuple[int, HubRoom | int], float] = {}  # by sender_id and conversation; monotonic seconds

    def answer(self, _: Peer, member: Member, command: Typing) -> None:
        """Broadcast one notice.

        A typing notice has no answer, so it is never refused. It is dropped where it makes no sense, where the member
        is muted, and in a room of more than presence_names members.

        Raises:
            Refusal: ROOM_INVALID.
        """
        if self._directory.mute_on(member.sender_id) is not None:
            return
        if command.room is not None:
            room = member.room_called(command.room)
            audience = self._room_audience(member, room) if room is not None else ()
            if room is not None and audience and self._is_due(member.sender_id, room):
                self._context.broadcaster.broadcast(audience, [TypingNow(member.person, room.name)])
        elif command.peer is not None:
            other = self._context.members.get(command.peer)
            audience = list(other.hearers(None)) if other is not None and other is not member else []
            if audience and self._is_due(member.sender_id, command.peer):
                self._context.broadcaster.broadcast(audience, [TypingNow(member.person, None)])

    def _room_audience(self, member: Member, room: HubRoom) -> Sequence[Peer]:
        if len(room.members) > self._limits.presence_names:  # to thousands, a notice costs as a message
            return ()
        if self._context.rooms.muted_s(room, member.sender_id) != 0:
            return ()
        return [peer for peer in room.audience() if peer not in member.peers]

    def _is_due(self, sender_id: int, conversation: HubRoom | int) -> bool:
        now, key = self._context.now, (sender_id, conversation)
        if now - self._sent_at.get(key, -1e9) < self._limits.typing_interval_s:
            return False
        if len(self._sent_at) >= _PRUNE_AT:
            since = now - self._limits.typing_interval_s
            self._sent_at = {each: at for each, at in self._sent_at.items() if at > since}
        self._sent_at[key] = now
        return True
