"""The rooms that the user is in or wants to be in, and their members.

The server gathers presence and never replays it: after a lost connection each room comes with a fresh roster instead.
A change of name arrives once per shared room and is shown once.
"""

from __future__ import annotations

from msgspec.structs import replace

from securechat.client.core.arrivals import ArrivalTracker
from securechat.client.core.context import CoreContext
from securechat.client.core.events import UiEvent
from securechat.client.core.events.rooms import (
    MemberRenamed,
    MembersJoined,
    MembersLeft,
    RoleShown,
    RoomJoined,
    RoomSettingsChanged,
)
from securechat.client.core.state import RoomKey, RoomState
from securechat.model import Joined, Person, Presence, Renaming, RoleChanged, RoomRules, Roster
from securechat.text.names import LOBBY, name_key


class JoinedRooms:
    """The user's rooms and their members.

    Args:
        context: where names of rooms and people are known.
        rooms: rooms to join besides the lobby, as `names.check_room` returns them.

    Attributes:
        rooms: those that the user is in.
        wanted: those besides the lobby that are joined after each welcome.
        left_while_away: those that the server is still to be told of.
    """

    def __init__(self, context: CoreContext, rooms: tuple[str, ...] = ()) -> None:
        self.rooms: dict[RoomKey, RoomState] = {}
        self.wanted: list[RoomKey] = []
        self.left_while_away: list[RoomKey] = []
        self._context = context
        self._came = ArrivalTracker()
        self._went = ArrivalTracker()
        self._names = context.rooms
        self._people = context.people
        for room in rooms:
            self.want(self._names.named(room))

    def want(self, room: RoomKey) -> None:
        """Join this room now and after every reconnect."""
        if room in self.left_while_away:
            self.left_while_away.remove(room)
        if room.room != LOBBY and room not in self.wanted:
            self.wanted.append(room)

    def unwant(self, room: RoomKey) -> None:
        """Do not enter this room again."""
        if room in self.wanted:
            self.wanted.remove(room)

    def entered(self, event: Joined, *, elsewhere: bool = False, kept: bool = False) -> RoomJoined:
        """Take a Joined with its fresh roster.

        Args:
            event: what the server tells.
            elsewhere: whether another device joined the room.
            kept: whether the server tells after a login which rooms the account is in.
        """
        key = self._names.named(event.room)
        again = key in self.rooms
        room = self.rooms.setdefault(key, RoomState(key))
        room.replace(event.members, event.total)
        room.role = event.role
        room.rules = replace(
            room.rules,
            room=event.room,
            topic=event.topic,
            private=event.private,
            read_only=event.read_only,
            archived=event.archived,
        )
        self.want(key)
        for person in event.members:
            self._context.see(person)
        rules = (event.topic, event.read_only, event.archived, event.made, event.role == "owner")
        return RoomJoined(
            event.room, tuple(event.members), event.total, again, elsewhere, *rules, told_later=kept and not again
        )

    def left(self, room: RoomKey) -> bool:
        """Forget a room; tell whether the user was in it."""
        self.unwant(room)
        return self.rooms.pop(room, None) is not None

    def kept(self) -> list[RoomKey]:
        """Return the rooms that the account belongs to, whatever the connection does: those with a role."""
        return [key for key, room in self.rooms.items() if room.role is not None]

    def rules(self, event: RoomRules) -> RoomSettingsChanged | None:
        """Take the settings of a room; return what to show, if the user is in it."""
        room = self.rooms.get(self._names.meant(event.room))
        if room is None:
            return None
        before, room.rules = room.rules, replace(event, ref=0, was=None, by=None, role=None)
        return RoomSettingsChanged(event, before)

    def role(self, event: RoleChanged, me: int) -> RoleShown | None:
        """Take a member's role and mute; return what to show, if the user is in the room."""
        self._context.see(event.person)
        room = self.rooms.get(self._names.meant(event.room))
        if room is None:
            return None
        is_me = event.person.id == me
        # A mute is told when it begins, and not again to those who join later: where the role stays, a mute has ended.
        was_muted = event.person.id in room.muted or (is_me and event.role == room.role)
        if is_me:
            room.role = event.role
        if event.muted_s == 0:
            room.muted.discard(event.person.id)
        else:
            room.muted.add(event.person.id)
        return RoleShown(room.name, event.person, event.role, event.muted_s, was_muted, is_me, event.by, event.reason)

    def roster(self, page: Roster) -> None:
        """Remember the people of a roster page."""
        for person in page.members:
            self._context.see(person)

    def presence(self, event: Presence, me: int) -> list[UiEvent]:
        """Take joins, leaves and new names of others; return what to show."""
        room = self.rooms.get(self._names.meant(event.room))
        if room is None:
            return []
        told: list[UiEvent] = []
        # Presence is gathered: it may name a member that the fresher roster had already, or never had.
        came = tuple(person for person in event.joined if person.id != me and person.id not in room.people)
        went = tuple(person for person in event.left if person.id != me and person.id in room.people)
        named = {renaming.id for renaming in event.renamed}
        renamed = [  # a member who left and joined again in between, under another name, is one more
            Renaming(person.id, room.people[person.id].name, person.name)
            for person in event.joined
            if person.id in room.people and person.id not in named
        ]
        renamed += event.renamed
        was_counted = room.counted
        for person in came:
            self._context.see(person)
            if not was_counted:
                room.people[person.id] = person
        for person in went:
            room.people.pop(person.id, None)
        told.extend(
            MemberRenamed(renaming.id, renaming.old, renaming.new, bot=self._people.is_bot(renaming.id))
            for renaming in renamed
            if self._renamed(renaming) and renaming.id != me
        )
        room.total = event.total
        in_lobby = room.name == LOBBY
        self._came.forget(went)
        self._went.forget(came)
        if came := self._came.news(came, self._context.now, in_lobby=in_lobby):
            told.append(MembersJoined(room.name, came))
        news = self._went.news(went, self._context.now, in_lobby=in_lobby)
        if went := went if in_lobby else news:  # leaving the server says more than leaving a room before
            told.append(MembersLeft(room.name, went))
        return told

    def _renamed(self, renaming: Renaming) -> bool:
        """Take a new name over into every room; tell whether it is news: a message may have shown it already."""
        shared = [room for room in self.rooms.values() if renaming.id in room.people]
        news = any(room.people[renaming.id].name != renaming.new for room in shared)
        for room in shared:
            room.people[renaming.id] = replace(room.people[renaming.id], name=renaming.new)
        return self._people.see(renaming.id, renaming.new) or news

    def find(self, name: str) -> Person | None:
        """Return the member of the user's rooms with this name or a look-alike of it."""
        key = name_key(name)
        members = (person for room in self.rooms.values() for person in room.people.values())
        return next((person for person in members if name_key(person.name) == key), None)
