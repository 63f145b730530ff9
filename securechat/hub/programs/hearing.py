"""Limits what a connection that came by an API token hears to what the token may read.

One without the scope ``read`` hears no room and no dialogue, one for some rooms hears those. So a token that only posts
is worth nothing to a reader.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from securechat.hub.rooms.room import HubRoom
from securechat.records.accounts import ApiToken, Scope


def room_number(room: HubRoom) -> int | None:
    """Return what a token knows a room by: the number of its record, and 0 for the lobby; None for a room without."""
    if room.is_lobby:
        return 0
    return room.record.room_id if room.record is not None else None


def covers(token: ApiToken, room: HubRoom) -> bool:
    """Tell whether a token is good for a room."""
    return not token.rooms or room_number(room) in token.rooms


def hears(token: ApiToken, room: HubRoom | None) -> bool:
    """Tell whether a connection by this token gets what is said in a room, or (None) in dialogues."""
    if Scope.READ not in token.scopes:
        return False
    return not token.rooms if room is None else covers(token, room)


def narrowed(token: ApiToken, rooms: Iterable[int]) -> ApiToken:
    """Return a token as one connection by it is treated that asked for some rooms alone: it hears no dialogue either.

    Args:
        token: as stored, which stays as it is.
        rooms: by their numbers; those that the token is not good for are left out.
    """
    kept = tuple(number for number in rooms if not token.rooms or number in token.rooms)
    if not kept:  # no rooms would mean all of them
        return replace(token, scopes=tuple(scope for scope in token.scopes if scope is not Scope.READ))
    return replace(token, rooms=kept)
