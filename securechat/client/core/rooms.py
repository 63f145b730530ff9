"""Joins and leaves rooms, follows their rosters and settings, and joins them again after a lost connection.

The rooms that an account belongs to are told by the server after each welcome (Joined with ref 0); the others are
joined again by the client. Until each of them is entered or refused, nothing else is sent.
"""

from __future__ import annotations

from securechat.client.core import events
from securechat.client.core.context import CoreContext
from securechat.client.core.conversations import Conversations
from securechat.client.core.events.requests import DeferredKind, RejectReason
from securechat.client.core.events.rooms import RoomLeft
from securechat.client.core.joined_rooms import JoinedRooms
from securechat.client.core.pending import PendingJoin, PendingLeave, PendingRoomList, PendingRoster
from securechat.client.core.state import RoomKey
from securechat.errors import Refusal
from securechat.model import (
    Join,
    Joined,
    Leave,
    Left,
    Ping,
    Presence,
    Refused,
    RoleChanged,
    RoomRules,
    RoomsPage,
    Roster,
    Who,
)
from securechat.model import Rooms as AskRoomList
from securechat.text.names import LOBBY, check_room

FENCE = 0
"""Of the ping whose answer comes behind the rooms an account belongs to; timing.Liveness counts from 1."""
JOIN_ROOMS = 100
"""Rooms that one Join takes (model.py)."""


class RoomActions:
    """The rooms of one user.

    Args:
        context: shared state.
        membership: rooms, wanted or joined.
        conversations: where the messages of the rooms are.
        recall: earlier messages to show of the current room, when it is entered for the first time.

    Attributes:
        awaited: rooms to be entered or refused before anything else is sent.
    """

    def __init__(
        self, context: CoreContext, membership: JoinedRooms, conversations: Conversations, recall: int
    ) -> None:
        self.awaited: set[str] = set()
        self._context = context
        self._membership = membership
        self._conversations = conversations
        self._recall = recall
        self._select_once_in: str | None = None
        self._unconfirmed: set[str] = set()
        self._confirmed = True

    # --- the user's actions -------------------------------------------------------------------------------------------

    def join(self, name: str) -> None:
        """Join a room and select it."""
        if (room := self._checked(name)) is None:
            return
        if room in self._membership.rooms:
            self._conversations.select(RoomKey(room))
            self._context.tell(events.RoomSelected(room))
        elif self._context.online:
            self._send_join([room], PendingJoin({room}))
        else:
            self._join_later(room)
            self._context.tell(events.ActionDeferred(DeferredKind.ENTER, room))

    def leave(self, name: str) -> None:
        """Leave a room."""
        if (room := self._checked(name)) is None:
            return
        if room == LOBBY:
            self._context.reject(RejectReason.LOBBY_STAYS)
        elif room not in self._membership.wanted:
            self._context.reject(RejectReason.NOT_IN_ROOM, room)
        elif self._context.online:
            self._send_leave(PendingLeave(room))
        else:
            self._leave_later(room)

    def ask_roster(self, name: str) -> None:
        """Ask who is in a room."""
        if self._context.require_online() and (room := self._checked(name)) is not None:
            self._context.send(Who(self._context.requests.ask(PendingRoster(room)), room))

    def ask_list(self) -> None:
        """Ask which rooms there are."""
        if self._context.require_online():
            self._context.send(AskRoomList(self._context.requests.ask(PendingRoomList())))

    def _checked(self, name: str) -> str | None:
        try:
            return check_room(name)
        except Refusal as refusal:
            self._context.reject(RejectReason.ROOM_INVALID, name, refusal.detail)
            return None

    # --- what the server says of ourselves ----------------------------------------------------------------------------

    def joined(self, event: Joined) -> None:
        """In a room: asked for, entered again, entered on another device, or told after a welcome."""
        if event.ref == 0 and self._is_leaving(event.room):
            return  # the server tells what it knew before it heard of our leaving
        self._unconfirmed.discard(event.room)
        elsewhere = event.ref == 0 and self._confirmed and event.room not in {LOBBY, *self._membership.wanted}
        shown = self._membership.entered(event, elsewhere=elsewhere)
        request = self._context.requests.get(event.ref)
        key = RoomKey(event.room)
        selects = isinstance(request, PendingJoin) and (not request.again or event.room == self._select_once_in)
        recall = self._recall if selects or key == self._context.current else 0
        self._conversations.timeline.entered(event.room, event.live_from, recall)
        self._context.tell(shown)
        if selects:
            self._conversations.select(key)
        if isinstance(request, PendingJoin):
            self._answered(event.ref, request, event.room)
        self.awaited.discard(event.room)

    def join_refused(self, event: Refused, request: PendingJoin) -> None:
        """Some or all rooms of a Join cannot be entered."""
        rooms = {event.room} if event.room in request.rooms else set(request.rooms)
        for room in rooms:
            if event.ref is not None:
                self._answered(event.ref, request, room)
            self.awaited.discard(room)
            self._out_of(RoomLeft(room))

    def left(self, event: Left) -> None:
        """Out of a room: asked for, on another device, or by a moderator."""
        self._context.requests.take(event.ref)
        elsewhere = event.ref == 0 and event.code is None
        self._out_of(RoomLeft(event.room, elsewhere, event.text, reason=event.reason, arguments=event.arguments))

    def confirm(self) -> None:
        """Leave the rooms that the server has not told of an account: it does not belong to them any more."""
        missing, self._unconfirmed, self._confirmed = self._unconfirmed, set(), True
        for room in sorted(missing):
            self._out_of(RoomLeft(room, missing=True))

    def _answered(self, ref: int, request: PendingJoin, room: str) -> None:
        request.rooms.discard(room)
        if not request.rooms:
            self._context.requests.take(ref)

    def _is_leaving(self, room: str) -> bool:
        pending = self._context.requests.unanswered
        return any(isinstance(request, PendingLeave) and request.room == room for request in pending)

    def _out_of(self, left: RoomLeft) -> None:
        self._conversations.timeline.left(left.room)
        if self._membership.left(left.room):
            self._context.tell(left)
        if self._context.current == RoomKey(left.room):
            self._conversations.select(RoomKey(LOBBY))

    # --- what the server says of rooms and others ---------------------------------------------------------------------

    def presence(self, event: Presence) -> None:
        """Members came, went or changed their names."""
        for ui_event in self._membership.presence(event, self._context.me.id):
            self._context.tell(ui_event)

    def settings_changed(self, event: RoomRules) -> None:
        """A room has other settings, perhaps another name."""
        if event.was is not None:
            old, new = RoomKey(event.was), RoomKey(event.room)
            self._conversations.timeline.renamed(event.was, event.room)
            self._conversations.read_markers.renamed(old, new)
            if self._context.current == old:
                self._context.current = new
        if (changed := self._membership.rules(event)) is not None:
            self._context.tell(changed)

    def role_changed(self, event: RoleChanged) -> None:
        """A member has another role, or may write or not."""
        if (shown := self._membership.role(event, self._context.me.id)) is not None:
            self._context.tell(shown)

    def roster(self, event: Roster) -> None:
        """Take a page of a roster; ask for the next one, or show all."""
        requests = self._context.requests
        if not isinstance(request := requests.take(event.ref), PendingRoster):
            return  # the answer to a question of an earlier connection
        request.people.extend(event.members)
        self._membership.roster(event)
        if event.more and event.members:
            self._context.send(Who(requests.ask(request), request.room, event.members[-1].id))
        else:
            self._context.tell(events.RosterShown(event.room, tuple(request.people), event.total))

    def room_list(self, event: RoomsPage) -> None:
        """Take a page of the list of rooms; ask for the next one, or show all."""
        requests = self._context.requests
        if not isinstance(request := requests.take(event.ref), PendingRoomList):
            return  # the answer to a question of an earlier connection
        request.rooms.extend(event.rooms)
        if event.more and event.rooms:
            self._context.send(AskRoomList(requests.ask(request), event.rooms[-1].room))
        else:
            self._context.tell(events.RoomsShown(tuple(request.rooms)))

    # --- the connection -----------------------------------------------------------------------------------------------

    def join_again(self, *, keeps_rooms: bool) -> None:
        """After a welcome, leave what was left while away and join what is wanted.

        Args:
            keeps_rooms: whether the server says itself which of our rooms the account still belongs to.
        """
        membership = self._membership
        for room in sorted(membership.left_while_away):
            self._send_leave(PendingLeave(room, quiet=True))
        kept = membership.kept() if keeps_rooms else set()
        self._unconfirmed = kept - {LOBBY} - membership.left_while_away
        self._confirmed = not self._context.credentials.account
        if not self._confirmed:
            self._context.send(Ping(FENCE))
        rooms = [room for room in membership.wanted if room not in kept]
        self.awaited = {LOBBY, *rooms}
        for start in range(0, len(rooms), JOIN_ROOMS):
            some = rooms[start : start + JOIN_ROOMS]
            self._send_join(some, PendingJoin(set(some), again=True))
        membership.left_while_away.clear()

    def resume(self) -> None:
        """Every room is entered or refused."""
        self._select_once_in = None

    def join_unanswered(self, request: PendingJoin) -> None:
        """Join on the next connection; what was joined again is wanted anyway."""
        if not request.again:
            for room in request.rooms:
                self._join_later(room)

    def leave_unanswered(self, request: PendingLeave) -> None:
        """Leave on the next connection."""
        if request.quiet or request.room in self._membership.wanted:
            self._leave_later(request.room)

    def _send_join(self, rooms: list[str], request: PendingJoin) -> None:
        self._context.send(Join(self._context.requests.ask(request), rooms))

    def _send_leave(self, request: PendingLeave) -> None:
        self._context.send(Leave(self._context.requests.ask(request), request.room))

    def _join_later(self, room: str) -> None:
        self._membership.want(room)
        self._select_once_in = room

    def _leave_later(self, room: str) -> None:
        """Leave a room, also one that was only wanted: a server that never had us in it refuses without effect."""
        self._membership.left_while_away.add(room)
        if room not in self._membership.rooms:
            self._context.tell(RoomLeft(room))
        self._out_of(RoomLeft(room))
