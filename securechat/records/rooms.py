"""The durable records of rooms: their rules, their members, and how far each account has read.

As with accounts (`records.accounts`), the hub holds all of them in memory and decides from memory alone, and a change
counts once the log reports it as durable. A room that no account has entered has no record: it is public and has
neither rules nor owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


class RoomRole(StrEnum):
    """The role of an account in a room; see `permissions`.

    INVITED may enter, and becomes a member only then. FORMER has left while muted: leaving must not end the mute.
    """

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"
    INVITED = "invited"
    FORMER = "former"

    @property
    def belongs(self) -> bool:
        """Whether an account with this role is a member of the room."""
        return self is not RoomRole.INVITED and self is not RoomRole.FORMER


class RoomRecord(Struct, frozen=True, gc=False):
    """The rules of a room.

    Attributes:
        room_id: its number, from the accounts' serial; a new name does not change it.
        name: as in messages, without ``#``.
        topic: at most 300 code points.
        private: only its members see that it exists.
        read_only: only moderators write.
        slow_s: seconds between two messages of one member; 0 for none. Moderators are exempt.
        retention_days: messages older than this are deleted; 0 keeps them for ever.
        history_from_join: members read what was said since they joined, not before.
        archived: no member can write any more, and it is not listed.
        made_at_ms: when it got its record, or later its last member left it to its rules: since then it may be unused;
            milliseconds since the epoch, UTC.
    """

    room_id: int
    name: str
    topic: str = ""
    private: bool = False
    read_only: bool = False
    slow_s: int = 0
    retention_days: int = 0
    history_from_join: bool = False
    archived: bool = False
    made_at_ms: int = 0


class Membership(Struct, frozen=True, gc=False):
    """The membership of an account in a room, online or not, or its invitation.

    Attributes:
        room_id: which room.
        sender_id: which account.
        role: what it may do there.
        joined_at_ms: since when, UTC.
        joined_seq: the last seq fanned out when it joined: with ``history_from_join`` it reads only above.
        muted_until_ms: may not write there until then; 0 for not muted, -1 for good.
    """

    room_id: int
    sender_id: int
    role: RoomRole = RoomRole.MEMBER
    joined_at_ms: int = 0
    joined_seq: int = 0
    muted_until_ms: int = 0


class RoomBan(Struct, frozen=True, gc=False):
    """A ban from a room: of an account, or of a guest (``sender_id``) for as long as that secret is used."""

    room_id: int
    sender_id: int
    name: str
    reason: str
    made_by: str
    until_ms: int | None = None


class PutRoom(Struct, frozen=True, gc=False):
    """Store a room's rules. A changed name renames its conversation too.

    A name that another conversation has, or ever had, is refused with ROOM_INVALID; then no change of the record
    applies.
    """

    row: RoomRecord


class DropRoom(Struct, frozen=True, gc=False):
    """Delete a room's rules, memberships and bans; `Committed.dropped` names the room if the change took effect.

    Its messages stay, and so do their conversation and its names: a member who enters the room finds them. If the room
    never had a message, its conversation, names and read marks are deleted too. Never in one `ApplyChanges` with a
    PutRoom.

    Attributes:
        room_id: which room.
        if_empty: only if no message is left; the read marks are deleted as well.
    """

    room_id: int
    if_empty: bool = True


class PutMembership(Struct, frozen=True, gc=False):
    """Store a membership, in place of the one with the same room and account."""

    row: Membership


class DropMembership(Struct, frozen=True, gc=False):
    """Delete a membership."""

    room_id: int
    sender_id: int


class PutRoomBan(Struct, frozen=True, gc=False):
    """Store a ban from a room, in place of the one of the same sender."""

    row: RoomBan


class DropRoomBan(Struct, frozen=True, gc=False):
    """Lift a ban from a room."""

    room_id: int
    sender_id: int


class PutReadMarker(Struct, frozen=True, gc=False):
    """An account has read a room, or its dialogue with ``peer``, up to ``seq``. It never moves back."""

    sender_id: int
    seq: int
    room: str | None = None
    peer: int | None = None


class PurgeExpired(Struct, frozen=True, gc=False):
    """Delete the messages of a room that are older than ``before_ms``, the oldest first, at most ``most`` of them.

    Their changes, reactions and mentions are deleted too. If `Committed.count` reaches ``most``, call again.
    """

    room: str
    before_ms: int
    most: int = 500


RoomChange: TypeAlias = (
    PutRoom | DropRoom | PutMembership | DropMembership | PutRoomBan | DropRoomBan | PutReadMarker | PurgeExpired
)


KEPT_PURGED_NAMES = 10_000
"""Rooms without a record whose bound of purged messages is remembered, by name: 2 MiB with the longest names."""


class StoredRooms(Struct, frozen=True, gc=False):
    """All records about rooms when the log opens (read marks stay in the log: see `MessageLog.unread`).

    Attributes:
        purged: by room_id, the seq up to which no message of the room is left, where messages were deleted.
        purged_names: likewise of rooms without a record, by name; the latest KEPT_PURGED_NAMES, by seq and name.
    """

    room_records: Sequence[RoomRecord] = ()
    memberships: Sequence[Membership] = ()
    bans: Sequence[RoomBan] = ()
    purged: Sequence[tuple[int, int]] = ()
    purged_names: Sequence[tuple[str, int]] = ()
