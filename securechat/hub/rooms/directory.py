"""Every room with a record, in memory: its rules, who belongs to it, who may not enter it.

The registry of rooms, and as there (`directory`) nothing stands here before it is durable: `AccountDirectory.change`
applies what the log has taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from typing import assert_never

from securechat.hub.rooms.listing import RoomListing
from securechat.hub.rooms.permissions import RANK_OF_ROLE, Rank
from securechat.hub.wall_clock import WallClock
from securechat.records.accounts import Account, Role
from securechat.records.rooms import (
    DropMembership,
    DropRoom,
    DropRoomBan,
    Membership,
    PurgeExpired,
    PutMembership,
    PutReadMarker,
    PutRoom,
    PutRoomBan,
    RoomBan,
    RoomChange,
    RoomRecord,
    RoomRole,
    StoredRooms,
)
from securechat.text.names import LOBBY

MUTED_FOR_GOOD = -1
_LOOKS = 256
"""Rooms without members that one search for an unused one looks at: 0.2 ms of the loop."""


class RoomDirectory:
    """Rooms, memberships and bans from rooms.

    Args:
        accounts: every account, by sender_id.
        active_rooms: the occupied rooms, by name.
        clock: what expiry is judged by.

    Attributes:
        room_records: every room with a record, by name.
        listing: the rooms that anybody may be told of.
    """

    def __init__(self, accounts: dict[int, Account], active_rooms: Collection[str], clock: WallClock) -> None:
        self.room_records: dict[str, RoomRecord] = {}
        self.listing = RoomListing(active_rooms, self.room_records)
        self._accounts = accounts
        self._wall_ms = clock.now_ms
        self._names: dict[int, str] = {}
        self._members: dict[int, dict[int, Membership]] = {}  # by room_id, then sender_id
        self._rooms_of: dict[int, set[int]] = {}
        self._bans: dict[int, dict[int, RoomBan]] = {}
        self._without_members: set[int] = set()
        self._giving_way: dict[int, None] = {}  # those of them with no rule against it, the longest so first
        self._with_messages: set[int] = set()  # rooms that the log kept for what was said there, since `look_again`

    def restore(self, room_records: StoredRooms) -> None:
        """Take over what the log remembers."""
        for room_record in room_records.room_records:
            self.apply(PutRoom(room_record))
        for membership in room_records.memberships:
            self.apply(PutMembership(membership))
        for ban in room_records.bans:
            self.apply(PutRoomBan(ban))

    # --- Looking --------------------------------------------------------------------------------------------------

    def name_of(self, room_id: int) -> str | None:
        """Return what a room with a record is called now; None when the record is gone."""
        return self._names.get(room_id)

    def membership(self, room: str, sender_id: int) -> Membership | None:
        """Return how an account belongs to a room; None also for rooms without a record."""
        room_record = self.room_records.get(room)
        return None if room_record is None else self._members[room_record.room_id].get(sender_id)

    def belongs(self, room: str, sender_id: int) -> bool:
        """Tell whether an account belongs to a room; an invitation is not enough."""
        room_record = self.room_records.get(room)
        return room_record is not None and self.belongs_to(room_record, sender_id)

    def belongs_to(self, room_record: RoomRecord, sender_id: int) -> bool:
        """Tell the same of a room, whatever it is called by now."""
        membership = self._members[room_record.room_id].get(sender_id)
        return membership is not None and membership.role.belongs

    def memberships_of(self, sender_id: int) -> list[tuple[RoomRecord, Membership]]:
        """The rooms an account belongs to, by name, with what it is there; invitations left out."""
        found = []
        for room_id in self._rooms_of.get(sender_id, ()):
            membership = self._members[room_id][sender_id]
            if membership.role.belongs:
                found.append((self.room_records[self._names[room_id]], membership))
        return sorted(found, key=lambda each: each[0].name)

    def members_of(self, room_record: RoomRecord) -> list[Membership]:
        """Who belongs to a room, the longest-standing first; invitations left out."""
        rows = (row for row in self._members[room_record.room_id].values() if row.role.belongs)
        return sorted(rows, key=lambda row: (row.joined_at_ms, row.sender_id))

    def owners(self, room: str) -> int:
        """Count who owns a room."""
        room_record = self.room_records.get(room)
        rows = () if room_record is None else self._members[room_record.room_id].values()
        return sum(row.role is RoomRole.OWNER for row in rows)

    def rank(self, room: str, sender_id: int, *, present: bool = True) -> Rank:
        """How high somebody stands in a room; ``present`` tells whether they are in it."""
        account = self._accounts.get(sender_id)
        if account is not None and account.role is Role.ADMIN:
            return Rank.ADMIN
        membership = self.membership(room, sender_id)
        if membership is not None and membership.role is not RoomRole.FORMER:
            return RANK_OF_ROLE[membership.role]
        return Rank.MEMBER if present else Rank.NONE

    def role_word(self, room: str, sender_id: int) -> str | None:
        """The role of somebody in a room, as the wire says it; None for none."""
        membership = self.membership(room, sender_id)
        return membership.role.value if membership is not None and membership.role.belongs else None

    def count_invited(self, room_record: RoomRecord) -> int:
        """Count the invitations to a room that are open."""
        return sum(row.role is RoomRole.INVITED for row in self._members[room_record.room_id].values())

    def count_bans(self, room_record: RoomRecord) -> int:
        """Count the bans from a room, in force or not."""
        return len(self._bans[room_record.room_id])

    def bans_over(self, room_record: RoomRecord) -> list[int]:
        """Return who was banned from a room for a time that is over, by sender_id."""
        return [ban.sender_id for ban in self._bans[room_record.room_id].values() if not self.lasts(ban.until_ms)]

    def is_unused(self, room_record: RoomRecord, leaving: int | None = None) -> bool:
        """Tell whether a record keeps nothing: no member or invitation, no rule, and no mute or ban in force.

        What was said there is the log's to know.

        Args:
            room_record: which room.
            leaving: an account that counts as gone, unless it is muted.
        """
        rules = (
            room_record.topic,
            room_record.private,
            room_record.read_only,
            room_record.slow_s,
            room_record.retention_days,
            room_record.history_from_join,
            room_record.archived,
        )
        return not any(rules) and self._concerns_nobody(room_record, leaving)

    def may_give_way(self, room_record: RoomRecord) -> bool:
        """Tell whether a record may go to make space for another, if no message is left in its room.

        It is one that would be unused without its topic, slow mode, retention and read-only rule: in an empty room they
        protect nothing, and who enters it next owns it and may change them.
        """
        return not _is_closed(room_record) and self._concerns_nobody(room_record)

    def is_left(self, room_record: RoomRecord) -> bool:
        """Tell whether nobody belongs to a room, and nobody is invited to it; the lobby is everybody's."""
        rows = self._members[room_record.room_id].values()
        return room_record.name != LOBBY and all(row.role is RoomRole.FORMER for row in rows)

    def _concerns_nobody(self, room_record: RoomRecord, leaving: int | None = None) -> bool:
        """Tell whether a room has no member or invitation, and no mute or ban in force; ``leaving`` counts as gone."""
        if room_record.name == LOBBY:
            return False
        if any(self.lasts(ban.until_ms) for ban in self._bans[room_record.room_id].values()):
            return False
        rows = self._members[room_record.room_id].values()
        return all(not self.is_muted(row) and (row.role is RoomRole.FORMER or row.sender_id == leaving) for row in rows)

    def longest_unused(self, is_occupied: Callable[[str], bool]) -> RoomRecord | None:
        """Return a room whose record may give way; of several, one that has been without members for long.

        Either its record keeps nothing (`is_unused`), or it `may_give_way`, nobody is there, and it is not known to
        hold messages.
        """
        for room_id in list(islice(self._giving_way, _LOOKS)):
            room_record = self.room_records[self._names[room_id]]
            if self.is_unused(room_record) or (
                room_id not in self._with_messages
                and self.may_give_way(room_record)
                and not is_occupied(room_record.name)
            ):
                return room_record
            del self._giving_way[room_id]  # the next search looks at others
            self._giving_way[room_id] = None
        return None

    def kept_by_messages(self, room_id: int) -> None:
        """The log has kept a room with rules, because messages are in it: it is not asked again before `look_again`."""
        if room_id in self._names:
            self._with_messages.add(room_id)

    def look_again(self) -> None:
        """Retention may have emptied rooms since: to be called once a day."""
        self._with_messages.clear()

    def count_without_members(self) -> int:
        """Count the rooms with a record that nobody belongs to."""
        return len(self._without_members)

    def over(self, room_record: RoomRecord, invited_before_ms: int) -> list[RoomChange]:
        """Return what ends that has come to its end in a room: bans, mutes of who has left, old invitations."""
        room_id = room_record.room_id
        rows = [
            row
            for row in self._members[room_id].values()
            if (row.role is RoomRole.FORMER and not self.is_muted(row))
            or (row.role is RoomRole.INVITED and row.joined_at_ms < invited_before_ms and not self.is_muted(row))
        ]
        return [
            *(DropRoomBan(room_id, sender_id) for sender_id in self.bans_over(room_record)),
            *(DropMembership(room_id, row.sender_id) for row in rows),
        ]

    def is_muted(self, row: Membership) -> bool:
        """Tell whether a mute is in force."""
        return row.muted_until_ms == MUTED_FOR_GOOD or row.muted_until_ms > self._wall_ms()

    def lasts(self, until_ms: int | None) -> bool:
        """Tell whether something with this end is still in force."""
        return until_ms is None or until_ms > self._wall_ms()

    def ban(self, room: str, sender_id: int) -> RoomBan | None:
        """Return the ban that keeps somebody out of a room."""
        room_record = self.room_records.get(room)
        ban = None if room_record is None else self._bans[room_record.room_id].get(sender_id)
        return ban if ban is not None and self.lasts(ban.until_ms) else None

    def muted_s(self, room: str, sender_id: int) -> float | None:
        """For how long somebody may not write in a room: 0.0 for not at all muted, None for good."""
        membership = self.membership(room, sender_id)
        if membership is None or membership.muted_until_ms == 0:
            return 0.0
        if membership.muted_until_ms == MUTED_FOR_GOOD:
            return None
        return max(0.0, (membership.muted_until_ms - self._wall_ms()) / 1000)

    def is_visible(self, room: str, sender_id: int) -> bool:
        """Tell whether somebody may know that a room with a record exists."""
        room_record = self.room_records[room]
        membership = self.membership(room, sender_id)
        known = membership is not None and membership.role is not RoomRole.FORMER
        return not room_record.private or known or self._is_admin(sender_id)

    def _is_admin(self, sender_id: int) -> bool:
        account = self._accounts.get(sender_id)
        return account is not None and account.role is Role.ADMIN

    # --- Changing -------------------------------------------------------------------------------------------------

    def apply(self, change: RoomChange) -> None:
        """Keep a change that is durable."""
        match change:
            case PutRoom(row):
                old = self._names.get(row.room_id, "")
                self.room_records.pop(old, None)
                self.room_records[row.name] = row
                self._names[row.room_id] = row.name
                self.listing.update(old)
                self.listing.update(row.name)
                self._members.setdefault(row.room_id, {})
                self._bans.setdefault(row.room_id, {})
                self._count_members(row.room_id)
            case PutMembership(row):
                self._members[row.room_id][row.sender_id] = row
                self._rooms_of.setdefault(row.sender_id, set()).add(row.room_id)
                self._count_members(row.room_id)
            case DropMembership(room_id, sender_id):
                self._members[room_id].pop(sender_id, None)
                self._rooms_of.get(sender_id, set()).discard(room_id)
                self._count_members(room_id)
            case PutRoomBan(row):
                self._bans[row.room_id][row.sender_id] = row
            case DropRoomBan(room_id, sender_id):
                self._bans[room_id].pop(sender_id, None)
            case PutReadMarker() | PurgeExpired() | DropRoom():  # whether a room went is in the log's answer
                pass
            case _:
                assert_never(change)

    def dropped(self, room_id: int) -> None:
        """The log has forgotten the record of a room."""
        name = self._names.pop(room_id)
        del self.room_records[name]
        for sender_id in self._members.pop(room_id):
            self._rooms_of.get(sender_id, set()).discard(room_id)
        del self._bans[room_id]
        self._without_members.discard(room_id)
        self._giving_way.pop(room_id, None)
        self._with_messages.discard(room_id)
        self.listing.update(name)

    def _count_members(self, room_id: int) -> None:
        if any(row.role.belongs for row in self._members[room_id].values()):
            self._without_members.discard(room_id)
            self._giving_way.pop(room_id, None)
            return
        self._without_members.add(room_id)
        if _is_closed(self.room_records[self._names[room_id]]):
            self._giving_way.pop(room_id, None)
        else:
            self._giving_way.setdefault(room_id)

    def forget_account(self, sender_id: int) -> None:
        """An account is gone, and belongs nowhere any more."""
        for room_id in self._rooms_of.pop(sender_id, set()):
            self._members[room_id].pop(sender_id, None)
            self._count_members(room_id)
        for bans in self._bans.values():
            bans.pop(sender_id, None)


def _is_closed(room_record: RoomRecord) -> bool:
    """Whether a room's rules keep others from it, or from what was said: without its record it would be everybody's."""
    return room_record.private or room_record.archived or room_record.history_from_join
