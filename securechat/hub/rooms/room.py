"""A room known to the hub: its record if it has one, its memberships, its present members, and the audience.

Behind the edge of the hub everything holds this object and reads its name when an event or a change is made, so a new
name is one assignment. A room without a record has no other identity than its name, and cannot be renamed.

Presence is gathered: what happens within presence_interval_s is told in one event, as the net difference for each
member. The lists are set changes, not a sequence: a client that was greeted in between knows a part of them already,
and a member who came and went may be named as gone to clients that never saw them come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from securechat.hub.interfaces import Peer
from securechat.model import Person, Renaming
from securechat.records.rooms import Membership, RoomBan, RoomRecord, RoomRole
from securechat.text.names import LOBBY

_MOST_PEOPLE = 256
"""People listed from one change to the next: greetings show 200, and a list of thousands costs each newcomer a copy."""


class RoomMember(Protocol):
    """A member as its rooms know it; see `Member`."""

    sender_id: int
    name: str
    peers: list[Peer]
    rooms: dict[HubRoom, int]

    @property
    def person(self) -> Person:
        """This member as others see it."""

    def hearers(self, room: HubRoom | None) -> list[Peer]:
        """Its connections that get what is said in a room."""

    def note_room_renamed(self, room: HubRoom, old: str) -> None:
        """A room of the member has another name than ``old``."""


class PresenceChanges(NamedTuple):
    """The net difference between two times in a room."""

    joined: Collection[Person]
    left: Collection[Person]
    renamed: Collection[Renaming]


class HubRoom:
    """One room, for as long as it has a record or members, or anything else holds it.

    Args:
        name: as stored, without ``#``.

    Attributes:
        name: its present name; changed by `renamed` alone.
        record: its settings; None for a room that no account has entered.
        memberships: of accounts, by sender_id: invitations, and mutes of accounts that have left, among them.
        bans: by sender_id, in force or not.
        members: the present members, by sender_id.
        is_renaming: whether a new name is on its way to the log, from this room or to it. Nothing may be said in it.
        renames: how often another name was given to it, or its own name to another room. What the log has read by its
            name is of this room if none of them came in between, and none is under way.
        opened_from: the address whose share it counts against while it is occupied; None for none.
        purged_seq: no message up to this seq is left; kept by `RoomDirectory`.
    """

    __slots__ = (
        "__weakref__",
        "_audience",
        "_greeted_as",
        "_joined",
        "_left",
        "_people",
        "_renamed",
        "_told_as",
        "_unsettled",
        "bans",
        "is_renaming",
        "members",
        "memberships",
        "name",
        "opened_from",
        "purged_seq",
        "record",
        "renames",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.record: RoomRecord | None = None
        self.memberships: dict[int, Membership] = {}
        self.bans: dict[int, RoomBan] = {}
        self.members: dict[int, RoomMember] = {}
        self.is_renaming = False
        self.renames = 0
        self.opened_from: str | None = None
        self.purged_seq = 0
        self._audience: tuple[Peer, ...] | None = None
        self._people: list[Person] | None = None
        self._joined: dict[int, Person] = {}
        self._left: dict[int, Person] = {}
        self._renamed: dict[int, Renaming] = {}
        self._told_as: dict[int, str] = {}  # names of those who have another since, as the last presence left them
        self._greeted_as: dict[int, str] = {}  # names that greetings have told since
        self._unsettled: list[Callable[[], object]] = []  # they wait for the end of a renaming

    @property
    def is_lobby(self) -> bool:
        """Whether this is the room that every member is in, without a membership."""
        return self.name == LOBBY

    def renamed(self, name: str) -> None:
        """Take a new name; the members who are present may use the old one for a while."""
        old, self.name = self.name, name
        self.renames += 1
        for member in self.members.values():
            member.note_room_renamed(self, old)

    def when_named(self, callback: Callable[[], object]) -> None:
        """Call back when no new name is on its way to the log: now, or when the log has answered."""
        if self.is_renaming:
            self._unsettled.append(callback)
        else:
            callback()

    def renaming_over(self) -> None:
        """The log has answered: the room has the new name, or keeps its own."""
        self.is_renaming = False
        waiting, self._unsettled = self._unsettled, []
        for callback in waiting:
            callback()

    # --- Memberships ----------------------------------------------------------------------------------------------

    def belongs(self, sender_id: int) -> bool:
        """Tell whether an account belongs to the room; an invitation is not enough."""
        membership = self.memberships.get(sender_id)
        return membership is not None and membership.role.belongs

    def role_word(self, sender_id: int) -> str | None:
        """Return the role of an account as the wire says it; None for one that does not belong to the room."""
        membership = self.memberships.get(sender_id)
        return membership.role.value if membership is not None and membership.role.belongs else None

    def seniority(self) -> list[Membership]:
        """Return the memberships of accounts that belong to the room, the longest-standing first."""
        rows = (row for row in self.memberships.values() if row.role.belongs)
        return sorted(rows, key=lambda row: (row.joined_at_ms, row.sender_id))

    def count_owners(self) -> int:
        """Count the owners."""
        return sum(row.role is RoomRole.OWNER for row in self.memberships.values())

    def count_invited(self) -> int:
        """Count the open invitations."""
        return sum(row.role is RoomRole.INVITED for row in self.memberships.values())

    def is_left(self) -> bool:
        """Tell whether no account belongs to the room or is invited to it; the lobby is never left."""
        return not self.is_lobby and all(row.role is RoomRole.FORMER for row in self.memberships.values())

    def dropped(self) -> None:
        """Forget the record, which the log has deleted, and all that hangs on it. Members who are present stay."""
        self.record = None
        self.memberships.clear()
        self.bans.clear()

    # --- Presence -------------------------------------------------------------------------------------------------

    def audience(self) -> tuple[Peer, ...]:
        """Return the connections that hear this room; made once between changes, because every message needs it."""
        if self._audience is None:
            self._audience = tuple(peer for member in self.members.values() for peer in member.hearers(self))
        return self._audience

    def people(self) -> list[Person]:
        """Return all present members, for a greeting; made once between changes. Not to be changed by the caller."""
        for sender_id, renaming in self._renamed.items():
            if renaming.new != self._told_as[sender_id]:
                self._greeted_as[sender_id] = renaming.new
        if self._people is None:
            self._people = [member.person for member in self.members.values()]
        return self._people

    def audience_changed(self) -> None:
        """Forget the cached audience: a member or one of its connections came or went."""
        self._audience = None

    def add(self, member: RoomMember) -> None:
        """Let a member in and note it for the next presence."""
        self.members[member.sender_id] = member
        self._audience = None
        people = self._people  # greetings hold this list, so the next one is another
        self._people = [*people, member.person] if people is not None and len(people) < _MOST_PEOPLE else None
        self._left.pop(member.sender_id, None)
        self._joined[member.sender_id] = member.person

    def remove(self, member: RoomMember) -> None:
        """Let a member out, at once; the others are told by `note_left`, after its last message."""
        del self.members[member.sender_id]
        self._audience = self._people = None
        if not self.members:  # the next one who enters is greeted with all there is to know
            self._forget_gathered()

    def note_left(self, person: Person) -> None:
        """Note a departure for the next presence, unless the person is back by now."""
        if person.id not in self.members:
            self._joined.pop(person.id, None)
            self._renamed.pop(person.id, None)
            self._told_as.pop(person.id, None)
            self._greeted_as.pop(person.id, None)
            self._left[person.id] = person

    def note_renamed(self, member: RoomMember, old: str) -> None:
        """Note a member's new name for the next presence; also of one who has just come, for clients greeted since."""
        self._people = None
        sender_id, new = member.sender_id, member.name
        was = self._told_as.setdefault(sender_id, old)
        if was == new:  # nothing to tell, unless a greeting has named the name in between
            was = self._greeted_as.get(sender_id, new)
        self._renamed.pop(sender_id, None)
        if was != new:
            self._renamed[sender_id] = Renaming(sender_id, was, new)

    def take_presence(self) -> PresenceChanges | None:
        """Return what happened since the last call, or None if it cancelled out."""
        joined, left, renamed = self._joined, self._left, self._renamed
        self._forget_gathered()
        if not (joined or left or renamed):
            return None
        return PresenceChanges(joined.values(), left.values(), renamed.values())

    def _forget_gathered(self) -> None:
        self._joined, self._left, self._renamed = {}, {}, {}
        self._told_as, self._greeted_as = {}, {}
