"""The durable records about rooms: their rules, who belongs to them, and how far everybody has read.

As with people (`people`), the hub holds all of them in memory and decides by memory alone, and a change counts when the
log says that it is durable. Rooms that nobody with an account has entered have no record: they are public, without
rules, and nobody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


class RoomRole(StrEnum):
    """What an account may do in a room; see `rights`.

    INVITED may enter, and belongs to it only then. FORMER has left while muted: the mute must not end by that.
    """

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"
    INVITED = "invited"
    FORMER = "former"

    @property
    def belongs(self) -> bool:
        """Whether somebody with this role belongs to the room."""
        return self is not RoomRole.INVITED and self is not RoomRole.FORMER


class RoomRecord(Struct, frozen=True, gc=False):
    """The rules of a room.

    Attributes:
        room_id: its number, from the registry's serial; a new name does not change it.
        name: as in messages, without ``#``.
        topic: at most 300 code points.
        private: only those who belong to it see that it exists.
        read_only: only moderators write.
        slow_s: seconds between two messages of one member; 0 for none. Moderators are exempt.
        retention_days: messages older than this are deleted; 0 keeps them for ever.
        history_from_join: members read what was said since they joined, not before.
        archived: nobody writes any more, and it is not listed.
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
    """An account that belongs to a room, whether it is here or not, or is invited to it.

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
    """Somebody who may not enter a room: an account, or (``sender_id`` of a guest) as long as that secret is used."""

    room_id: int
    sender_id: int
    name: str
    reason: str
    made_by: str
    until_ms: int | None = None


class PutRoom(Struct, frozen=True, gc=False):
    """Keep a room's rules. When the name is another one, its conversation gets that name too.

    A new name that another conversation has, or ever had, is answered ROOM_INVALID, and nothing of the Record happens.
    """

    row: RoomRecord


class DropRoom(Struct, frozen=True, gc=False):
    """Forget a room's rules, with its memberships and its bans; `Committed.dropped` names the room if it went.

    Its messages stay, and so do their conversation and its names: whoever enters the room finds them. Where nothing was
    ever said, the conversation, its names and its read marks go, too. Never in one Record with a PutPlace.

    Attributes:
        room_id: which room.
        if_empty: only where no message is left; read marks, which are about nothing then, go as well.
    """

    room_id: int
    if_empty: bool = True


class PutMembership(Struct, frozen=True, gc=False):
    """Keep a membership, in place of the one with the same room and account."""

    row: Membership


class DropMembership(Struct, frozen=True, gc=False):
    """The account belongs to the room no more."""

    room_id: int
    sender_id: int


class PutRoomBan(Struct, frozen=True, gc=False):
    """Keep a ban from a room, in place of the one of the same sender."""

    row: RoomBan


class DropRoomBan(Struct, frozen=True, gc=False):
    """Lift a ban from a room."""

    room_id: int
    sender_id: int


class PutReadMarker(Struct, frozen=True, gc=False):
    """An account has read a room, or its dialogue with ``peer``, up to ``seq``. Never moves back."""

    sender_id: int
    seq: int
    room: str | None = None
    peer: int | None = None


class PurgeExpired(Struct, frozen=True, gc=False):
    """Delete the messages of a room that are older than ``before_ms``, the oldest first, at most ``most`` of them.

    With them go their changes, reactions and mentions. `Committed.count` tells how many went: with ``most`` ask again.
    """

    room: str
    before_ms: int
    most: int = 500


RoomChange: TypeAlias = (
    PutRoom | DropRoom | PutMembership | DropMembership | PutRoomBan | DropRoomBan | PutReadMarker | PurgeExpired
)


class StoredRooms(Struct, frozen=True, gc=False):
    """All records about rooms when the log opens (read marks stay in the log: see `MessageLog.unread`)."""

    room_records: Sequence[RoomRecord] = ()
    memberships: Sequence[Membership] = ()
    bans: Sequence[RoomBan] = ()
