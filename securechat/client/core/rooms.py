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
from securechat.client.core.pending import PendingJoin, PendingLeave, PendingPerson, PendingRoomList, PendingRoster
from securechat.client.core.state import RoomKey
from securechat.errors import ErrorCode, Refusal
from securechat.model import (
    Found,
    Join,
    Joined,
    Leave,
    Left,
    Ping,
    Presence,
    Purged,
    Refused,
    RoleChanged,
    RoomRules,
    RoomsPage,
    Roster,
    Who,
    Whois,
)
from securechat.model import Rooms as AskRoomList
from securechat.text.names import LOBBY, check_name, check_room

FENCE = 0
"""Of the ping whose answer comes behind the rooms an account belongs to; timing.Liveness counts from 1."""
_NOT_THERE = frozenset({ErrorCode.NOT_A_MEMBER, ErrorCode.NO_SUCH_ROOM, ErrorCode.ROOM_INVALID})
"""Refusals of a leave that was not needed."""
JOIN_ROOMS = 100
"""Rooms that one Join takes (model.py)."""


class RoomActions:
    """The rooms of one user.

    Args:
        context: shared state.
        membership: rooms, wanted or joined.
        conversations: where the messages of the rooms are.
        backfill_count: earlier messages to show of the current room, when it is entered for the first time.

    Attributes:
        awaited: names of rooms to be entered or refused before anything else is sent.
    """

    def __init__(
        self, context: CoreContext, membership: JoinedRooms, conversations: Conversations, backfill_count: int
    ) -> None:
        self.awaited: set[str] = set()
        self._context = context
        self._membership = membership
        self._names = context.rooms
        self._conversations = conversations
        self._backfill_count = backfill_count
        self._select_once_in: RoomKey | None = None
        self._unconfirmed: list[RoomKey] = []
        self._confirmed = True
        self._kept: list[str] = []  # those that the server has told since the login, to be shown together
        self._waiting: list[str] = []
        self._doubted: RoomKey | None = None  # the server asked whether the user is sure to leave it

    # --- the user's actions -------------------------------------------------------------------------------------------

    def join(self, name: str) -> None:
        """Join a room and select it."""
        if (room := self._checked(name)) is None:
            return
        if room in self._membership.rooms:
            self._conversations.select(room)
            self._context.show(events.RoomSelected(room.room))
        elif self._context.online:
            self._send_join([room.room])
        else:
            self._join_later(room)
            self._context.show(events.ActionDeferred(DeferredKind.JOIN, room.room))

    def leave(self, name: str, *, sure: bool = False) -> None:
        """Leave a room; ``sure``, or asked again, also as the only member of a private one, which is lost then."""
        if (room := self._checked(name)) is None:
            return
        sure = sure or room is self._doubted
        self._doubted = None
        if room.room == LOBBY:
            self._context.reject(RejectReason.LOBBY_STAYS)
        elif room not in self._membership.wanted:
            self._context.reject(RejectReason.NOT_IN_ROOM, room.room)
        elif self._context.online:
            self._send_leave(PendingLeave(room, sure=sure))
        else:
            self._leave_later(room)

    def ask_roster(self, name: str) -> None:
        """Ask who is in a room."""
        if self._context.require_online() and (room := self._checked(name)) is not None:
            self._context.send(Who(self._context.requests.ask(PendingRoster(room)), room.room))

    def ask_person(self, name: str) -> None:
        """Ask who has a name."""
        if not self._context.require_online():
            return
        try:
            wanted = check_name(name)
        except Refusal as refusal:
            self._context.reject(RejectReason.NAME_INVALID, name, refusal.sentence)
            return
        self._context.send(Whois(self._context.requests.ask(PendingPerson(wanted)), wanted))

    def person_found(self, event: Found) -> None:
        """Show which person has the name."""
        person = event.person
        shared = [room.name for room in self._membership.rooms.values() if person.id in room.people]
        ignored = person.id in self._context.ignored
        self._context.show(events.PersonShown(person, event.absent, tuple(sorted(shared)), ignored))

    def ask_list(self) -> None:
        """Ask which rooms there are."""
        if self._context.require_online():
            self._context.send(AskRoomList(self._context.requests.ask(PendingRoomList())))

    def _checked(self, name: str) -> RoomKey | None:
        try:
            return self._names.named(check_room(name))
        except Refusal as refusal:
            self._context.reject(RejectReason.ROOM_INVALID, name, refusal.sentence)
            return None

    # --- what the server says of the user -----------------------------------------------------------------------------

    def joined(self, event: Joined) -> None:
        """The user is in a room: as asked, joined again, joined on another device, or told after a welcome."""
        room = self._names.joined(event.room)
        if event.ref == 0 and self._is_leaving(room):
            return  # sent before the server received the Leave
        self._unconfirmed = [each for each in self._unconfirmed if each is not room]
        is_known = room.room == LOBBY or room in self._membership.wanted
        untold = event.ref == 0 and not is_known
        shown = self._membership.entered(
            event, elsewhere=untold and self._confirmed, kept=untold and not self._confirmed
        )
        if shown.told_later:
            self._kept.append(event.room)
        request = self._context.requests.get(event.ref)
        selects = isinstance(request, PendingJoin) and (not request.again or room is self._select_once_in)
        backfill_count = self._backfill_count if selects or room is self._context.current else 0
        was_in = event.ref == 0
        self._conversations.timeline.entered(room, event.live_from, backfill_count, was_in=was_in)
        if event.purged:
            self._conversations.timeline.purged(Purged(event.purged, room=event.room))
        self._context.show(shown)
        if selects:
            self._conversations.select(room)
        if isinstance(request, PendingJoin):
            self._answered(event.ref, request, event.room)
        self.awaited.discard(event.room)

    def join_refused(self, event: Refused, request: PendingJoin) -> None:
        """Some or all rooms of a Join cannot be entered."""
        names = [event.room] if event.room in request.rooms else sorted(request.rooms)
        for name in names:
            if event.ref is not None:
                self._answered(event.ref, request, name)
            self.awaited.discard(name)
            self._out_of(self._names.named(name))

    def left(self, event: Left) -> None:
        """The user is out of a room: as asked, on another device, or taken out by a moderator."""
        self._context.requests.take(event.ref)
        room, elsewhere = self._names.meant(event.room), event.ref == 0 and event.code is None
        told = RoomLeft(
            room.room, elsewhere, event.text, reason=event.reason, arguments=event.arguments, owner=event.owner
        )
        self._out_of(room, told)

    def confirm(self) -> None:
        """The server has told every room of an account: show them, and leave those that it has not told."""
        if self._kept:
            self._context.show(events.RoomsKept(tuple(sorted(self._kept))))
            self._kept.clear()
        missing, self._unconfirmed, self._confirmed = self._unconfirmed, [], True
        for room in sorted(missing, key=_name):
            self._out_of(room, RoomLeft(room.room, missing=True))

    def _answered(self, ref: int, request: PendingJoin, name: str) -> None:
        request.rooms.discard(name)
        if not request.rooms:
            self._context.requests.take(ref)

    def _is_leaving(self, room: RoomKey) -> bool:
        pending = self._context.requests.unanswered
        return any(isinstance(request, PendingLeave) and request.room is room for request in pending)

    def _out_of(self, room: RoomKey, told: RoomLeft | None = None) -> None:
        self._conversations.timeline.left(room)
        if self._membership.left(room):
            self._context.show(told or RoomLeft(room.room))
        if self._context.current is room:
            self._conversations.select(self._names.named(LOBBY))

    # --- what the server says of rooms and others ---------------------------------------------------------------------

    def presence(self, event: Presence) -> None:
        """Members came, went or changed their names."""
        for ui_event in self._membership.presence(event, self._context.me.id):
            self._context.show(ui_event)

    def settings_changed(self, event: RoomRules) -> None:
        """A room has other settings, perhaps another name."""
        if event.was is not None:
            gone = self._names.rename(event.was, event.room)
            room = self._names.named(event.room)
            self._conversations.timeline.renamed(room, event.was, gone)
            if gone is not None:
                self._replaced(gone, room)
        if (changed := self._membership.rules(event)) is not None:
            self._context.show(changed)

    def _replaced(self, gone: RoomKey, room: RoomKey) -> None:
        """Another room has taken the name of ``gone``, which the user left or wanted to join."""
        self._membership.left(gone)
        if self._context.current is gone:
            self._context.current = room

    def role_changed(self, event: RoleChanged) -> None:
        """A member has another role, or may write or not."""
        if (shown := self._membership.role(event, self._context.me.id)) is not None:
            self._context.show(shown)

    def roster(self, event: Roster) -> None:
        """Take a page of a roster; ask for the next one, or show all."""
        requests = self._context.requests
        if not isinstance(request := requests.take(event.ref), PendingRoster):
            return  # the answer to a question of an earlier connection
        request.people.extend(event.members)
        self._membership.roster(event)
        if event.more and event.members:
            self._context.send(Who(requests.ask(request), request.room.room, event.members[-1].id))
        else:
            self._context.show(events.RosterShown(request.room.room, tuple(request.people), event.total))

    def room_list(self, event: RoomsPage) -> None:
        """Take a page of the list of rooms; ask for the next one, or show all."""
        requests = self._context.requests
        if not isinstance(request := requests.take(event.ref), PendingRoomList):
            return  # the answer to a question of an earlier connection
        request.rooms.extend(event.rooms)
        if event.more and event.rooms:
            self._context.send(AskRoomList(requests.ask(request), event.rooms[-1].room))
        else:
            self._context.show(events.RoomsShown(tuple(request.rooms)))

    # --- the connection -----------------------------------------------------------------------------------------------

    def join_again(self, *, keeps_rooms: bool, wait: bool = False) -> None:
        """After a welcome, leave the rooms left while offline and join the wanted ones.

        Args:
            keeps_rooms: whether the server tells itself which rooms the account still belongs to.
            wait: send nothing for now: `join_waiting` does.
        """
        membership = self._membership
        kept = membership.kept() if keeps_rooms else []
        self._unconfirmed = [room for room in kept if room.room != LOBBY and room not in membership.left_while_away]
        self._confirmed = not self._context.credentials.account
        self._kept.clear()
        if not self._confirmed:
            self._context.send(Ping(FENCE))
        names = [room.room for room in membership.wanted if room not in kept]
        self.awaited = {LOBBY, *names}
        self._waiting = names
        if not wait:
            self.join_waiting()

    def join_waiting(self) -> None:
        """Send what `join_again` has to send."""
        membership, names = self._membership, self._waiting
        for room in sorted(membership.left_while_away, key=_name):
            self._send_leave(PendingLeave(room, quiet=True))
        for start in range(0, len(names), JOIN_ROOMS):
            self._send_join(names[start : start + JOIN_ROOMS], again=True)
        membership.left_while_away.clear()
        self._waiting = []

    def resume(self) -> None:
        """Every room is entered or refused."""
        self._select_once_in = None

    def join_unanswered(self, request: PendingJoin) -> None:
        """Join on the next connection; rooms joined again are wanted anyway."""
        if not request.again:
            for name in sorted(request.rooms):
                self._join_later(self._names.named(name))

    def leave_unanswered(self, request: PendingLeave) -> None:
        """Leave on the next connection."""
        if request.quiet or request.room in self._membership.wanted:
            self._leave_later(request.room)

    def _send_join(self, names: list[str], *, again: bool = False) -> None:
        self._context.send(Join(self._context.requests.ask(PendingJoin(set(names), again)), names))

    def _send_leave(self, request: PendingLeave) -> None:
        self._context.send(Leave(self._context.requests.ask(request), request.room.room, request.sure))

    def leave_refused(self, event: Refused, request: PendingLeave) -> None:
        """A room was not left; the only member of a private one is asked, and is sure when it leaves again."""
        if event.code is ErrorCode.LAST_MEMBER:
            self._doubted = request.room
        if request.quiet and event.code in _NOT_THERE:
            return
        if request.quiet:  # left while offline, and still the user's: the server's disk is full, say
            self._send_join([request.room.room], again=True)
        self._context.show(events.RequestRefused.of(event))

    def _join_later(self, room: RoomKey) -> None:
        self._membership.want(room)
        self._select_once_in = room

    def _leave_later(self, room: RoomKey) -> None:
        """Leave a room, also one that was only wanted: a server without the user in it refuses, without effect."""
        if room not in self._membership.left_while_away:
            self._membership.left_while_away.append(room)
        if room not in self._membership.rooms:
            self._context.show(RoomLeft(room.room))
        self._out_of(room)


def _name(room: RoomKey) -> str:
    return room.room
