"""Every room that the hub knows, found by its name or by the number of its record.

A name is resolved here once, where a command comes in or where the log's feed does; behind that the hub holds the
`HubRoom`. As for accounts, nothing durable is changed here before it is durable in the log: `AccountDirectory.change`
applies what the log has taken.

A room without a record and without members lasts as long as anything holds it, such as a change that waits for its
turn; then its name means nothing again.
"""

from __future__ import annotations

from itertools import islice
from typing import assert_never
from weakref import WeakValueDictionary

from securechat.hub.members import Member
from securechat.hub.rooms.listing import RoomListing
from securechat.hub.rooms.permissions import RANK_OF_ROLE, Permission, Rank, has_permission
from securechat.hub.rooms.room import HubRoom
from securechat.hub.wall_clock import WallClock
from securechat.records.accounts import Account, Role
from securechat.records.rooms import (
    KEPT_PURGED_NAMES,
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
from securechat.text.confusables import is_like_word, room_skeleton
from securechat.text.names import LOBBY, check_room
from securechat.text.refusals import refusal_for

MUTED_FOR_GOOD = -1
_LOOKS = 256
"""Rooms without members that one search for an unused one looks at: 0.2 ms of the loop."""


class RoomDirectory:
    """Rooms, memberships and bans from rooms.

    Args:
        accounts: every account, by sender_id.
        bots_of: the bots of each account that has made some.
        clock: what expiry is judged by.

    Attributes:
        lobby: the room that every member is in.
        recorded: every room with a record, by the record's room_id.
        occupied: every room with members who are present; kept by `PresenceTracker`.
        listing: the rooms that every member may be told of.
        being_made: rooms whose first record is on its way to the log.
        administrators: the accounts that stand above every role; kept by `AccountDirectory`.
        narrowed: rooms that an account may have lost, or (None) all outside it; `MakersRights` takes their bots out.
        mute_reasons: the reasons of mutes in rooms since the start, by room_id and sender_id; they are not stored.
    """

    def __init__(self, accounts: dict[int, Account], bots_of: dict[int, set[int]], clock: WallClock) -> None:
        self._bots_of = bots_of
        self.narrowed: list[tuple[HubRoom, int | None]] = []
        self._by_name: WeakValueDictionary[str, HubRoom] = WeakValueDictionary()
        self._by_look: WeakValueDictionary[str, HubRoom] = WeakValueDictionary()  # names beyond ASCII, by skeleton
        self._purged: dict[str, int] = {}  # of rooms without a record, by name: see `StoredRooms`
        self.being_made: set[HubRoom] = set()
        self.lobby = self.named_or_new(LOBBY)
        self.recorded: dict[int, HubRoom] = {}
        self.occupied: set[HubRoom] = set()
        self.listing = RoomListing(self._by_name)
        self._accounts = accounts
        self._wall_ms = clock.now_ms
        self.administrators: set[int] = set()
        self.mute_reasons: dict[tuple[int, int], str] = {}  # by room_id and sender_id
        self._rooms_of: dict[int, dict[HubRoom, None]] = {}  # by sender_id
        self._without_members: set[int] = set()  # by room_id, as are the next two
        self._giving_way: dict[int, None] = {}  # those of them with no rule against it, the longest so first
        self._with_messages: set[int] = set()  # rooms that the log kept for what was said there, since `look_again`

    def restore(self, stored: StoredRooms) -> None:
        """Take over what the log remembers."""
        for room_record in stored.room_records:
            self.apply(PutRoom(room_record))
        for membership in stored.memberships:
            self.apply(PutMembership(membership))
        for ban in stored.bans:
            self.apply(PutRoomBan(ban))
        self.narrowed.clear()  # no one is here yet, and each login asks `is_open_to_maker`
        for room_id, seq in stored.purged:
            self.recorded[room_id].purged_seq = seq
        for name, seq in stored.purged_names:
            self._keep_purged(name, seq)
            if (room := self.named(name)) is not None:  # the lobby is here already
                room.purged_seq = seq

    # --- Finding --------------------------------------------------------------------------------------------------

    def named(self, name: str) -> HubRoom | None:
        """Return the room that has this name now."""
        return self._by_name.get(name)

    def named_or_new(self, name: str) -> HubRoom:
        """Return the room that has this name now; one without a record if there is none yet."""
        room = self._by_name.get(name)
        if room is None:
            room = self._by_name[name] = HubRoom(name)
            room.purged_seq = self._purged.get(name, 0)
        return room

    def note_purged(self, room: HubRoom, through: int) -> None:
        """No message of a room up to this seq is left; known for as long as its name is, with a record or without."""
        room.purged_seq = max(room.purged_seq, through)
        if room.record is None:
            self._keep_purged(room.name, room.purged_seq)

    def _keep_purged(self, name: str, seq: int) -> None:
        if seq:
            self._purged.pop(name, None)
            self._purged[name] = seq
            if len(self._purged) > KEPT_PURGED_NAMES:
                del self._purged[next(iter(self._purged))]

    def count_present(self, name: str) -> int:
        """Count the members in the room that has this name now."""
        room = self._by_name.get(name)
        return len(room.members) if room is not None else 0

    def expect_distinct(self, room: HubRoom, name: str, sender_id: int) -> None:
        """Require that a name which comes into use looks like no other room's.

        Args:
            room: the room that comes into being, or gets another name.
            name: its name from now on.
            sender_id: the member who asks; a room that it may not know of is not named.

        Raises:
            Refusal: ROOM_INVALID.
        """
        other = self.look_alike(name, room)
        if other is not None:
            if sender_id in other.members or self.is_visible(other, sender_id):
                raise refusal_for("room_looks_like", room=name, other=other.name)
            raise refusal_for("room_looks_like_another", room=name)
        if self._by_look.get(room_skeleton(name)) is not room:
            self._index_look(self._by_name.get(name, room), name)

    def look_alike(self, name: str, room: HubRoom | None = None) -> HubRoom | None:
        """Return a room in use whose name looks like this one, and is another name than this one.

        ASCII names are their own skeletons and are found by name, so only the others are indexed, one for each
        skeleton: of several rooms that look the same, as an older database may hold them, one is enough to find.

        Args:
            name: as `names.check_room` returns it.
            room: not this one, which is to get the name.
        """
        looks = room_skeleton(name)
        if is_like_word(looks, LOBBY):
            return self.lobby if name != LOBBY else None
        for other in (self._by_name.get(looks), self._by_look.get(looks)):
            if other is not None and other is not room and other.name != name and self._is_in_use(other, looks):
                return other
        return None

    def _is_in_use(self, room: HubRoom, looks: str) -> bool:
        """Tell whether a room that is found by a skeleton has not got another name since, and is more than a name."""
        is_used = room.record is not None or room.members or room.is_renaming or room in self.being_made
        return bool(is_used) and room_skeleton(room.name) == looks

    def _index_look(self, room: HubRoom, name: str) -> None:
        if not name.isascii():
            self._by_look[room_skeleton(name)] = room

    def entered(self, member: Member, raw: str) -> HubRoom:
        """Return the room of this name that a member is in.

        Raises:
            Refusal: ROOM_INVALID for what can be no room's name, NOT_A_MEMBER.
        """
        room = member.room_called(raw)
        if room is None:
            raise refusal_for("not_in_room", room=check_room(raw))
        return room

    def seen(self, member: Member, raw: str) -> HubRoom:
        """Return the room of this name that a member is in, or may know of.

        Raises:
            Refusal: ROOM_INVALID for what can be no room's name, NO_SUCH_ROOM.
        """
        room = member.room_called(raw) or self.named(check_room(raw))
        if room is None:
            raise refusal_for("no_such_room")
        self.require_seen(member, room)
        return room

    def require_seen(self, member: Member, room: HubRoom) -> None:
        """Require that a member is in a room, or may know of it.

        Raises:
            Refusal: NO_SUCH_ROOM, also for a private room that is there.
        """
        if room not in member.rooms and (room.record is None or not self.is_visible(room, member.sender_id)):
            raise refusal_for("no_such_room")

    def memberships_of(self, sender_id: int) -> list[tuple[HubRoom, Membership]]:
        """Return the rooms an account belongs to, by name, with its membership; invitations left out."""
        found = [(room, room.memberships[sender_id]) for room in self._rooms_of.get(sender_id, ())]
        return sorted((each for each in found if each[1].role.belongs), key=lambda each: each[0].name)

    def count_memberships(self, sender_id: int) -> int:
        """Return how many rooms an account belongs to; invitations do not count."""
        return sum(room.memberships[sender_id].role.belongs for room in self._rooms_of.get(sender_id, ()))

    # --- Judging --------------------------------------------------------------------------------------------------

    def rank(self, room: HubRoom, sender_id: int, *, present: bool = True) -> Rank:
        """Return the rank of a sender in a room; ``present`` tells whether the sender is in it.

        That of a bot is never above that of the account that made it.
        """
        account = self._accounts.get(sender_id)
        if account is not None and account.role is Role.ADMIN:
            return Rank.ADMIN
        if account is not None and account.made_by:
            own, makers = (self._own_rank(room, each, present) for each in (sender_id, account.made_by))
            administers = self._is_admin(account.made_by)
            return own if administers or own.value <= makers.value else makers
        return self._own_rank(room, sender_id, present)

    def _own_rank(self, room: HubRoom, sender_id: int, present: bool) -> Rank:
        membership = room.memberships.get(sender_id)
        if membership is not None and membership.role is not RoomRole.FORMER:
            return RANK_OF_ROLE[membership.role]
        return Rank.MEMBER if present else Rank.NONE

    def may(self, room: HubRoom, sender_id: int, permission: Permission) -> bool:
        """Tell whether a sender who is in a room has a permission there."""
        return has_permission(self.rank(room, sender_id), permission)

    def as_high(self, room: HubRoom, rank: Rank) -> frozenset[int]:
        """Return the accounts that stand as high in a room as this rank, or higher."""
        here = (row.sender_id for row in room.memberships.values() if RANK_OF_ROLE[row.role].value >= rank.value)
        bound = (each for each in here if not self._maker_of(each) or self.rank(room, each).value >= rank.value)
        return frozenset(self.administrators).union(bound)

    def is_visible(self, room: HubRoom, sender_id: int) -> bool:
        """Tell whether a sender may know that a room exists; a bot, whether its maker may too."""
        membership = room.memberships.get(sender_id)
        known = membership is not None and membership.role is not RoomRole.FORMER
        if room.record is None or not room.record.private:
            return True
        maker = self._maker_of(sender_id)
        return (known or self._is_admin(sender_id)) and (not maker or self.is_visible(room, maker))

    def is_open_to_maker(self, room: HubRoom, sender_id: int) -> bool:
        """Tell whether the maker of a bot may enter a room; True for all senders without one."""
        maker = self._maker_of(sender_id)
        return not maker or (self.is_visible(room, maker) and self.ban(room, maker) is None)

    def _maker_of(self, sender_id: int) -> int:
        """Return the account that made a bot; 0 for none."""
        account = self._accounts.get(sender_id)
        return 0 if account is None else account.made_by

    def _is_admin(self, sender_id: int) -> bool:
        account = self._accounts.get(sender_id)
        return account is not None and account.role is Role.ADMIN

    def ban(self, room: HubRoom, sender_id: int) -> RoomBan | None:
        """Return the ban that keeps a sender out of a room; a bot's maker's keeps out the bot, too."""
        ban = room.bans.get(sender_id)
        if (ban is None or not self.lasts(ban.until_ms)) and room.bans:
            ban = room.bans.get(self._maker_of(sender_id))
        return ban if ban is not None and self.lasts(ban.until_ms) else None

    def bans_over(self, room: HubRoom) -> list[int]:
        """Return the senders whose ban from a room is over."""
        return [ban.sender_id for ban in room.bans.values() if not self.lasts(ban.until_ms)]

    def muted_s(self, room: HubRoom, sender_id: int) -> float | None:
        """Return the seconds for which a sender may not write in a room: 0.0 for not muted, None for good.

        A mute of a bot's maker counts for the bot.
        """
        own_s = self._own_mute_s(room, sender_id)
        if own_s is None or not (maker := self._maker_of(sender_id)):
            return own_s
        makers_s = self._own_mute_s(room, maker)
        return None if makers_s is None else max(own_s, makers_s)

    def _own_mute_s(self, room: HubRoom, sender_id: int) -> float | None:
        membership = room.memberships.get(sender_id)
        if membership is None or membership.muted_until_ms == 0:
            return 0.0
        if membership.muted_until_ms == MUTED_FOR_GOOD:
            return None
        return max(0.0, (membership.muted_until_ms - self._wall_ms()) / 1000)

    def mute_reason(self, room: HubRoom, sender_id: int) -> str:
        """Return the reason of a mute in a room; empty where none was given, or the server has started anew since."""
        return self.mute_reasons.get((room.record.room_id, sender_id), "") if room.record is not None else ""

    def is_muted(self, row: Membership) -> bool:
        """Tell whether a mute is in force."""
        return row.muted_until_ms == MUTED_FOR_GOOD or row.muted_until_ms > self._wall_ms()

    def lasts(self, until_ms: int | None) -> bool:
        """Tell whether something with this end is still in force."""
        return until_ms is None or until_ms > self._wall_ms()

    # --- Rooms without members ------------------------------------------------------------------------------------

    def is_unused(self, room: HubRoom, leaving: int | None = None) -> bool:
        """Tell whether a record keeps nothing: no member or invitation, no rule, and no mute or ban in force.

        Only the log knows whether messages are left.

        Args:
            room: which room.
            leaving: an account that counts as gone, unless it is muted.
        """
        record = room.record
        if record is None:
            return True
        rules = (
            record.topic, record.private, record.read_only, record.slow_s, record.retention_days,
            record.history_from_join, record.archived,
        )  # fmt: skip
        return not any(rules) and self._concerns_no_account(room, leaving)

    def may_give_way(self, room: HubRoom) -> bool:
        """Tell whether a record may go to make space for another, if no message is left in its room.

        It is one that would be unused without its topic, slow mode, retention and read-only rule: in an empty room they
        protect nothing, and the next account that enters it owns it and may change them.
        """
        return not _is_closed(room.record) and self._concerns_no_account(room)

    def _concerns_no_account(self, room: HubRoom, leaving: int | None = None) -> bool:
        """Tell whether a room has no member or invitation, and no mute or ban in force; ``leaving`` counts as gone."""
        if room.is_lobby:
            return False
        if any(self.lasts(ban.until_ms) for ban in room.bans.values()):
            return False
        rows = room.memberships.values()
        return all(not self.is_muted(row) and (row.role is RoomRole.FORMER or row.sender_id == leaving) for row in rows)

    def longest_unused(self) -> HubRoom | None:
        """Return a room whose record may give way; of several, one that has been without members for long.

        Either its record keeps nothing (`is_unused`), or it `may_give_way`, is empty, and is not known to hold
        messages.
        """
        for room_id in list(islice(self._giving_way, _LOOKS)):
            room = self.recorded[room_id]
            if self.is_unused(room) or (
                room_id not in self._with_messages and self.may_give_way(room) and not room.members
            ):
                return room
            del self._giving_way[room_id]  # the next search looks at others
            self._giving_way[room_id] = None
        return None

    def kept_by_messages(self, room_id: int) -> None:
        """The log has kept a room with rules, because messages are in it: it is not asked again before `look_again`."""
        if room_id in self.recorded:
            self._with_messages.add(room_id)

    def look_again(self) -> None:
        """Retention may have emptied rooms since: to be called once a day."""
        self._with_messages.clear()

    def count_without_members(self) -> int:
        """Count the rooms with a record that no account belongs to."""
        return len(self._without_members)

    def over(self, room: HubRoom, invited_before_ms: int) -> list[RoomChange]:
        """Return the changes that end what is over in a room: bans, mutes of former members, old invitations."""
        if room.record is None:
            return []
        room_id = room.record.room_id
        rows = [
            row
            for row in room.memberships.values()
            if (row.role is RoomRole.FORMER and not self.is_muted(row))
            or (row.role is RoomRole.INVITED and row.joined_at_ms < invited_before_ms and not self.is_muted(row))
        ]
        return [
            *(DropRoomBan(room_id, sender_id) for sender_id in self.bans_over(room)),
            *(DropMembership(room_id, row.sender_id) for row in rows),
        ]

    # --- Changing -------------------------------------------------------------------------------------------------

    def apply(self, change: RoomChange) -> None:
        """Keep a change that is durable."""
        match change:
            case PutRoom(row):
                self._put(row)
            case PutMembership(row):
                room = self.recorded[row.room_id]
                room.memberships[row.sender_id] = row
                self._narrows(room, row.sender_id)
                self._rooms_of.setdefault(row.sender_id, {})[room] = None
                self._count_members(room, row.room_id)
            case DropMembership(room_id, sender_id):
                room = self.recorded[room_id]
                room.memberships.pop(sender_id, None)
                self._narrows(room, sender_id)
                self.mute_reasons.pop((room_id, sender_id), None)
                self._rooms_of.get(sender_id, {}).pop(room, None)
                self._count_members(room, room_id)
            case PutRoomBan(row):
                self.recorded[row.room_id].bans[row.sender_id] = row
                self._narrows(self.recorded[row.room_id], row.sender_id)
            case DropRoomBan(room_id, sender_id):
                self.recorded[room_id].bans.pop(sender_id, None)
            case PutReadMarker() | PurgeExpired() | DropRoom():  # whether a room went is in the log's answer
                pass
            case _:
                assert_never(change)

    def _narrows(self, room: HubRoom, sender_id: int) -> None:
        if sender_id in self._bots_of:
            self.narrowed.append((room, sender_id))

    def _put(self, row: RoomRecord) -> None:
        room = self.recorded.get(row.room_id)
        if room is None:
            room = self.recorded[row.room_id] = self.named_or_new(row.name)
        if (old := room.name) != row.name:
            del self._by_name[old]
            self._by_name[row.name] = room  # a room without a record that had this name is found by no name from now on
            room.renamed(row.name)
            self.listing.update(old)
        room.record = row
        if row.private and self._bots_of:
            self.narrowed.append((room, None))
        self._purged.pop(row.name, None)
        self._index_look(room, row.name)
        self.listing.update(row.name)
        self._count_members(room, row.room_id)

    def dropped(self, room_id: int) -> None:
        """The log has forgotten the record of a room."""
        room = self.recorded.pop(room_id)
        for sender_id in room.memberships:
            self._rooms_of.get(sender_id, {}).pop(room, None)
            self.mute_reasons.pop((room_id, sender_id), None)
        room.dropped()
        self._keep_purged(room.name, room.purged_seq)
        self._without_members.discard(room_id)
        self._giving_way.pop(room_id, None)
        self._with_messages.discard(room_id)
        self.listing.update(room.name)

    def _count_members(self, room: HubRoom, room_id: int) -> None:
        if any(row.role.belongs for row in room.memberships.values()):
            self._without_members.discard(room_id)
            self._giving_way.pop(room_id, None)
            return
        self._without_members.add(room_id)
        if _is_closed(room.record):
            self._giving_way.pop(room_id, None)
        else:
            self._giving_way.setdefault(room_id)

    def forget_account(self, sender_id: int) -> None:
        """An account is gone, and belongs nowhere any more."""
        for room in self._rooms_of.pop(sender_id, {}):
            room.memberships.pop(sender_id, None)
            if room.record is not None:
                self._count_members(room, room.record.room_id)
                self.mute_reasons.pop((room.record.room_id, sender_id), None)
        for room in self.recorded.values():
            room.bans.pop(sender_id, None)


def _is_closed(record: RoomRecord | None) -> bool:
    """Tell whether a room's rules keep others from it, or from what was said: without its record it would be open."""
    return record is not None and (record.private or record.archived or record.history_from_join)
