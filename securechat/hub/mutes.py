"""Mutes: one table of their effect on each command, for a mute on the whole server and for one in a room.

A muted member reads, and does nothing that others see: no text, no name, no reaction, no act that carries a reason or a
name. Commands that only its own devices see (logins, certificates, read markers) stay allowed, and so do Leave and
Quit.

A mute on the server counts everywhere, whatever the rank. A mute in a room counts there alone, for what is done in that
room; it says nothing about the name, which is the same in every room.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final, NamedTuple

from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.rooms.room import HubRoom
from securechat.model import (
    AddBot,
    AddCertificate,
    AddToken,
    AddUpload,
    AskBots,
    AskConversations,
    AskFiles,
    AskLinks,
    AskPeople,
    AskRoom,
    AskTokens,
    AskUnread,
    Certificates,
    ChangePassword,
    Command,
    Delete,
    Direct,
    Edit,
    Grant,
    Hello,
    History,
    InviteTo,
    Join,
    Leave,
    Logins,
    Logout,
    Moderate,
    Nick,
    Ping,
    Pong,
    Quit,
    React,
    Read,
    Register,
    RemoveBot,
    RemoveCertificate,
    RemoveToken,
    RemoveUpload,
    Rooms,
    RotateToken,
    Say,
    Search,
    SetRoom,
    Typing,
    Who,
    Whois,
)
from securechat.text.refusals import refusal_for


class WhileMuted(Enum):
    """The effect of a mute on a command."""

    ALLOWED = "nothing"
    REFUSED = "it is refused: MUTED, and for how long"
    UNHEARD = "it is dropped: it has no answer, so it is not refused either"
    NOTHING_NEW = "only a room that exists already: the name of a new one would be shown to all"


class Effect(NamedTuple):
    """The effect of each kind of mute on a command."""

    on_server: WhileMuted
    in_room: WhileMuted


_FREE = Effect(WhileMuted.ALLOWED, WhileMuted.ALLOWED)
_VISIBLE = Effect(WhileMuted.REFUSED, WhileMuted.REFUSED)

EFFECTS: Final[dict[type[Command], Effect]] = {
    Say: _VISIBLE,
    Direct: Effect(WhileMuted.REFUSED, WhileMuted.ALLOWED),  # is in no room
    Edit: _VISIBLE,
    Delete: _VISIBLE,
    React: _VISIBLE,
    Typing: Effect(WhileMuted.UNHEARD, WhileMuted.UNHEARD),
    SetRoom: _VISIBLE,
    InviteTo: _VISIBLE,
    Moderate: _VISIBLE,
    Grant: _VISIBLE,
    Nick: Effect(WhileMuted.REFUSED, WhileMuted.ALLOWED),
    Join: Effect(WhileMuted.NOTHING_NEW, WhileMuted.ALLOWED),
    Hello: _FREE,
    Leave: _FREE,
    Quit: _FREE,
    History: _FREE,
    Search: _FREE,
    Who: _FREE,
    Whois: _FREE,
    AskPeople: _FREE,
    Rooms: _FREE,
    AskRoom: _FREE,
    AskUnread: _FREE,
    AskConversations: _FREE,
    Read: _FREE,
    Register: _FREE,
    ChangePassword: _FREE,
    Logins: _FREE,
    Logout: _FREE,
    Certificates: _FREE,
    AddCertificate: _FREE,
    RemoveCertificate: _FREE,
    AddBot: Effect(WhileMuted.REFUSED, WhileMuted.ALLOWED),
    AddToken: _FREE,
    AskBots: _FREE,
    AskTokens: _FREE,
    RemoveBot: _FREE,
    RemoveToken: _FREE,
    RotateToken: _FREE,
    AddUpload: Effect(WhileMuted.REFUSED, WhileMuted.ALLOWED),  # it may be for another room
    AskFiles: _FREE,
    RemoveUpload: _FREE,
    AskLinks: _FREE,
    Ping: _FREE,
    Pong: _FREE,
}


def expect_unmuted(directory: AccountDirectory, sender_id: int) -> None:
    """Require that a member is not muted on the server.

    Raises:
        Refusal: MUTED on the server; the sentence says for how long.
    """
    mute = directory.mute_on(sender_id)
    if mute is None:
        return
    if mute.until_ms is None:
        raise refusal_for("muted_because", why=mute.reason) if mute.reason else refusal_for("muted")
    left_s = math.ceil(max(0, mute.until_ms - directory.wall_ms()) / 1000)
    if mute.reason:
        raise refusal_for("muted_for_because", left=left_s, why=mute.reason, retry_after_s=left_s)
    raise refusal_for("muted_for", left=left_s, retry_after_s=left_s)


def expect_unmuted_in(directory: AccountDirectory, room: HubRoom, sender_id: int) -> None:
    """Require that a member is not muted in a room.

    Raises:
        Refusal: MUTED in this room; the sentence says for how long.
    """
    left_s = directory.room_directory.muted_s(room, sender_id)
    why = directory.room_directory.mute_reason(room, sender_id) if left_s != 0 else ""
    if left_s is None:
        if why:
            raise refusal_for("muted_in_room_because", room=room.name, why=why)
        raise refusal_for("muted_in_room", room=room.name)
    if left_s > 0:
        left = math.ceil(left_s)
        if why:
            raise refusal_for("muted_in_room_for_because", room=room.name, left=left, why=why, retry_after_s=left)
        raise refusal_for("muted_in_room_for", room=room.name, left=left, retry_after_s=left)


def muted_anywhere_s(directory: AccountDirectory, room: HubRoom | None, sender_id: int) -> float | None:
    """Return the seconds for which a member may not write: the longer of a mute on the server and one in the room.

    Args:
        directory: accounts, rooms and mutes.
        room: where; None for a dialogue, in which a mute on the server alone counts.
        sender_id: who.

    Returns:
        0.0 for a member who may write, None for a mute without end.
    """
    here_s = directory.room_directory.muted_s(room, sender_id) if room is not None else 0.0
    mute = directory.mute_on(sender_id)
    if mute is None:
        return here_s
    if mute.until_ms is None or here_s is None:
        return None
    return max(here_s, (mute.until_ms - directory.wall_ms()) / 1000)
