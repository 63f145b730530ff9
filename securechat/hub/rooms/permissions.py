"""Who may do what in a room: one table. Whoever may do something may do all that needs less.

Administrators of the server stand above every role, in every room they can see. In rooms without a record nobody has a
role, so only they have rights beyond talking.
"""

from __future__ import annotations

from enum import Enum

from securechat.errors import ErrorCode, Refusal
from securechat.records.rooms import RoomRole


class Rank(Enum):
    """How high somebody stands in a room."""

    NONE = 0
    MEMBER = 1
    MODERATOR = 2
    OWNER = 3
    ADMIN = 4


class Permission(Enum):
    """What needs more than being there, how it is said, and the rank it takes."""

    WRITE_READ_ONLY = ("write in a read-only room", Rank.MODERATOR)
    SKIP_SLOW_MODE = ("write without a pause in slow mode", Rank.MODERATOR)
    REVISE_OTHERS = ("change what others wrote", Rank.MODERATOR)
    TOPIC = ("change the topic", Rank.MODERATOR)
    INVITE = ("invite others", Rank.MODERATOR)
    MODERATE = ("kick, ban or mute", Rank.MODERATOR)
    SET = ("change the rules", Rank.OWNER)
    GRANT = ("give roles", Rank.OWNER)


RANK_OF_ROLE = {
    RoomRole.OWNER: Rank.OWNER,
    RoomRole.MODERATOR: Rank.MODERATOR,
    RoomRole.MEMBER: Rank.MEMBER,
    RoomRole.INVITED: Rank.NONE,
    RoomRole.FORMER: Rank.NONE,
}
_NAMES = {Rank.MODERATOR: "moderators and owners", Rank.OWNER: "owners"}
_YOURS = {Rank.NONE: "not a member", Rank.MEMBER: "a member", Rank.MODERATOR: "a moderator", Rank.OWNER: "an owner"}


def has_permission(rank: Rank, right: Permission) -> bool:
    """Tell whether this rank has the right."""
    return rank.value >= right.value[1].value


def require(rank: Rank, right: Permission, room: str) -> None:
    """Let somebody of this rank go on.

    Raises:
        Refusal: NO_RIGHT, which names the right that is missing and who has it.
    """
    if not has_permission(rank, right):
        act, needed = right.value
        raise Refusal(ErrorCode.NO_RIGHT, f"only {_NAMES[needed]} of #{room} may {act}; you are {_YOURS[rank]} there")


def require_above(rank: Rank, other: Rank, room: str) -> None:
    """Let somebody act on another of this room.

    Raises:
        Refusal: NO_RIGHT, the other stands as high or higher.
    """
    if rank.value <= other.value:
        raise Refusal(ErrorCode.NO_RIGHT, f"that person stands as high as you in #{room}; ask an owner")
