"""The rank that each act in a room needs: one table. A rank may do all that a lower one may.

Administrators of the server stand above every role, in every room they can see. In rooms without a record there are no
roles, so only administrators may do more than talk.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from securechat.records.rooms import RoomRole
from securechat.text.refusals import refusal_for


class Rank(Enum):
    """The standing of a sender in a room, the lowest first."""

    NONE = 0
    MEMBER = 1
    MODERATOR = 2
    OWNER = 3
    ADMIN = 4


class Permission(Enum):
    """An act that needs more than being in the room."""

    WRITE_READ_ONLY = "write in a read-only room"
    SKIP_SLOW_MODE = "write without a pause in slow mode"
    REVISE_OTHERS = "change messages of others"
    TOPIC = "change the topic"
    INVITE = "invite"
    MODERATE = "kick, ban or mute"
    SET = "change the settings"
    GRANT = "give roles"
    HOOKS = "add and see webhooks"


_NEEDED = {
    Permission.WRITE_READ_ONLY: Rank.MODERATOR,
    Permission.SKIP_SLOW_MODE: Rank.MODERATOR,
    Permission.REVISE_OTHERS: Rank.MODERATOR,
    Permission.TOPIC: Rank.MODERATOR,
    Permission.INVITE: Rank.MODERATOR,
    Permission.MODERATE: Rank.MODERATOR,
    Permission.SET: Rank.OWNER,
    Permission.GRANT: Rank.OWNER,
    Permission.HOOKS: Rank.MODERATOR,
}
RANK_OF_ROLE = {
    RoomRole.OWNER: Rank.OWNER,
    RoomRole.MODERATOR: Rank.MODERATOR,
    RoomRole.MEMBER: Rank.MEMBER,
    RoomRole.INVITED: Rank.NONE,
    RoomRole.FORMER: Rank.NONE,
}


def has_permission(rank: Rank, permission: Permission) -> bool:
    """Tell whether this rank has the permission."""
    return rank.value >= _NEEDED[permission].value


def require(rank: Rank, permission: Permission, room: str) -> None:
    """Require that a rank has a permission.

    Raises:
        Refusal: NO_RIGHT, which names the permission that is missing and the roles that have it.
    """
    if has_permission(rank, permission):
        return
    match permission:
        case Permission.TOPIC:
            raise refusal_for("topic_needs_moderator", room=room)
        case Permission.INVITE:
            raise refusal_for("invitation_needs_moderator", room=room)
        case Permission.MODERATE:
            raise refusal_for("moderation_needs_moderator", room=room)
        case Permission.SET:
            raise refusal_for("settings_need_owner", room=room)
        case Permission.HOOKS:
            raise refusal_for("hook_needs_moderator", room=room)
        case Permission.GRANT:
            raise refusal_for("roles_need_owner", room=room)
        case Permission.WRITE_READ_ONLY | Permission.SKIP_SLOW_MODE | Permission.REVISE_OTHERS:
            raise AssertionError(f"{permission} is asked with has_permission")
        case _:
            assert_never(permission)


def require_above(rank: Rank, other: Rank, room: str) -> None:
    """Require that a rank is above another one, on which it acts.

    Raises:
        Refusal: NO_RIGHT.
    """
    if rank.value > other.value:
        return
    if other is Rank.ADMIN:
        raise refusal_for("moderation_of_admin")
    if rank is Rank.OWNER:
        raise refusal_for("moderation_of_owner", room=room)
    raise refusal_for("rank_not_above", room=room)
