"""The rooms that the user is in or wants to be in, and the people there.

The server gathers presence and never replays it: after a lost connection each room comes with a fresh roster instead.
A change of name arrives once per shared room and is told once.
"""

from __future__ import annotations

from msgspec.structs import replace

from securechat.client.core.events.connection import MemberRenamed, MembersJoined, MembersLeft, RoomJoined, UiEvent
from securechat.client.core.events.rooms import RoleShown, RoomSettingsChanged
from securechat.client.core.state import KnownPeople, RoomState
from securechat.model import Joined, Person, Presence, Renaming, RoleChanged, RoomRules, Roster
from securechat.text.names import LOBBY, name_key


class JoinedRooms:
    """Rooms and their people.

    Args:
        people: where every name seen is remembered.
        rooms: rooms to enter besides the lobby, as `names.check_room` returns them.
    """

    def __init__(self, people: KnownPeople, rooms: tuple[str, ...] = ()) -> None:
        self.rooms: dict[str, RoomState] = {}
        self.wanted: list[str] = []
        self.left_while_away: set[str] = set()
        self._people = people
        for room in rooms:
            self.want(room)

    def want(self, room: str) -> None:
        """Enter this room now and after every reconnect."""
        self.left_while_away.discard(room)
        if room != LOBBY and room not in self.wanted:
            self.wanted.append(room)

    def unwant(self, room: str) -> None:
        """Do not enter this room again."""
        if room in self.wanted:
            self.wanted.remove(room)

    def entered(self, event: Joined, *, elsewhere: bool = False) -> RoomJoined:
        """In a room, with a fresh roster; ``elsewhere`` when another device entered it."""
        again = event.room in self.rooms
        room = self.rooms.setdefault(event.room, RoomState(event.room))
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
        self.want(event.room)
        for person in event.members:
            self._people.see(person.id, person.name)
        rules = (event.topic, event.read_only, event.archived)
        return RoomJoined(event.room, tuple(event.members), event.total, again, elsewhere, *rules)

    def left(self, name: str) -> bool:
        """Out of a room; tell whether one was in it."""
        self.unwant(name)
        return self.rooms.pop(name, None) is not None

    def kept(self) -> set[str]:
        """The rooms that the server knows one to belong to, whatever the connection does: those with a role."""
        return {room.name for room in self.rooms.values() if room.role is not None}

    def rules(self, event: RoomRules) -> RoomSettingsChanged | None:
        """Take the rules of a room as they are now; return what to tell of it, if one is in it."""
        if event.was is not None and (moved := self.rooms.pop(event.was, None)) is not None:
            moved.name = event.room
            self.rooms[event.room] = moved
            self.wanted = [event.room if name == event.was else name for name in self.wanted]
        room = self.rooms.get(event.room)
        if room is None:
            return None
        before, room.rules = room.rules, replace(event, ref=0, was=None, by=None, role=None)
        return RoomSettingsChanged(event, before)

    def role(self, event: RoleChanged, me: int) -> RoleShown | None:
        """Take the role of a member, and whether the member may write; return what to tell of it, if one is in it."""
        self._people.see(event.person.id, event.person.name)
        room = self.rooms.get(event.room)
        if room is None:
            return None
        if event.person.id == me:
            room.role = event.role
        was_muted = event.person.id in room.muted
        if event.muted_s == 0:
            room.muted.discard(event.person.id)
        else:
            room.muted.add(event.person.id)
        is_me = event.person.id == me
        return RoleShown(event.room, event.person, event.role, event.muted_s, was_muted, is_me, event.by)

    def roster(self, page: Roster) -> None:
        """Remember the people of a roster page."""
        for person in page.members:
            self._people.see(person.id, person.name)

    def presence(self, event: Presence, me: int) -> list[UiEvent]:
        """Comings, goings and new names of others."""
        room = self.rooms.get(event.room)
        if room is None:
            return []
        told: list[UiEvent] = []
        # Presence is gathered: it may name a member whom our own, fresher roster already had, or never had.
        came = tuple(person for person in event.joined if person.id != me and person.id not in room.people)
        went = tuple(person for person in event.left if person.id != me and person.id in room.people)
        named = {renaming.id for renaming in event.renamed}
        renamed = [  # who went and came again in between, under another name, is one more
            Renaming(person.id, room.people[person.id].name, person.name)
            for person in event.joined
            if person.id in room.people and person.id not in named
        ]
        renamed += event.renamed
        was_counted = room.counted
        for person in came:
            self._people.see(person.id, person.name)
            if not was_counted:
                room.people[person.id] = person
        for person in went:
            room.people.pop(person.id, None)
        told.extend(
            MemberRenamed(renaming.id, renaming.old, renaming.new)
            for renaming in renamed
            if self._renamed(renaming) and renaming.id != me
        )
        room.total = event.total
        if came:
            told.append(MembersJoined(event.room, came))
        if went:
            told.append(MembersLeft(event.room, went))
        return told

    def _renamed(self, renaming: Renaming) -> bool:
        """Take a new name over into every room; tell whether it is news. A message may have shown it already."""
        shared = [room for room in self.rooms.values() if renaming.id in room.people]
        news = any(room.people[renaming.id].name != renaming.new for room in shared)
        for room in shared:
            room.people[renaming.id] = Person(renaming.id, renaming.new)
        return self._people.see(renaming.id, renaming.new) or news

    def find(self, name: str) -> Person | None:
        """Return who is in one of our rooms under this name or a look-alike of it."""
        key = name_key(name)
        members = (person for room in self.rooms.values() for person in room.people.values())
        return next((person for person in members if name_key(person.name) == key), None)
