"""The scopes of API tokens: one table of the scope that each command needs."""

from __future__ import annotations

from typing import Final

from securechat.hub.members import Member, MemberConnection
from securechat.hub.programs.hearing import covers
from securechat.model import (
    AddUpload,
    AskConversations,
    AskFiles,
    AskLinks,
    AskPeople,
    AskRoom,
    AskUnread,
    Command,
    Delete,
    Direct,
    Edit,
    History,
    Join,
    Leave,
    Ping,
    Pong,
    Quit,
    React,
    Read,
    RemoveUpload,
    Rooms,
    Say,
    Search,
    Typing,
    Who,
    Whois,
)
from securechat.records.accounts import ApiToken, Scope
from securechat.text.names import check_room
from securechat.text.refusals import refusal_for

_POST: Final = frozenset({Scope.POST})
_READ: Final = frozenset({Scope.READ})
_EITHER: Final = frozenset({Scope.POST, Scope.READ})
_FILES: Final = frozenset({Scope.FILES})

_CONNECTS: Final = frozenset({Scope.POST, Scope.READ, Scope.FILES, Scope.HOOK})
"""A token with none of these is of no use on a connection: it would only be a presence that knows who is here."""

NEEDED: Final[dict[type[Command], frozenset[Scope]]] = {
    Say: frozenset({Scope.POST, Scope.HOOK}),
    Direct: _POST,
    Edit: _POST,
    Delete: _POST,
    React: _POST,
    Typing: _POST,
    Join: frozenset({Scope.POST, Scope.READ, Scope.FILES, Scope.HOOK}),
    Leave: _POST,
    Whois: _EITHER,
    AskPeople: _EITHER,
    Rooms: _EITHER,
    Who: _READ,
    History: _READ,
    Search: _READ,
    AskRoom: _READ,
    AskUnread: _READ,
    AskConversations: _READ,
    Read: _READ,
    AddUpload: _FILES,
    AskFiles: _FILES,
    RemoveUpload: _FILES,
    AskLinks: _READ,
}
"""The scopes of which a command needs one. A command that is not here needs a password or a certificate, but for those
that only keep a connection."""
_NAMED: Final = {_READ: Scope.READ, _FILES: Scope.FILES}
"""The scope that a refusal names; ``post`` for every other."""
_ALWAYS: Final = frozenset({Ping, Pong, Quit})
_WITHOUT_ROOM: Final = (Whois, AskPeople, Rooms, Join, AddUpload, RemoveUpload, AskLinks)
"""Commands about no room, which a token for some rooms may use; and Join, judged by `RoomMembership` when it is known
which room has the name. A link is judged when it is followed."""


def expect_connecting(token: ApiToken) -> None:
    """Require that a token is good for a connection to the hub at all.

    Raises:
        Refusal: NO_RIGHT.
    """
    if _CONNECTS.isdisjoint(token.scopes):
        raise refusal_for("token_needs_scope", scope=Scope.READ.value)


def expect_allowed(connection: MemberConnection, token: ApiToken, command: Command) -> None:
    """Require that a token is good for a command.

    Raises:
        Refusal: NO_RIGHT, which names the scope that is missing; NOT_A_MEMBER of a room that it is not good for, as
            of one that is not there.
    """
    kind = type(command)
    if kind in _ALWAYS:
        return
    needed = NEEDED.get(kind)
    if needed is None:
        raise refusal_for("token_cannot")
    if not needed.intersection(token.scopes):
        raise refusal_for("token_needs_scope", scope=_NAMED.get(needed, Scope.POST).value)
    if isinstance(command, Say | Direct) and command.files and Scope.FILES not in token.scopes:
        raise refusal_for("token_needs_scope", scope=Scope.FILES.value)
    if token.rooms and kind not in _WITHOUT_ROOM:
        _expect_room(connection.member, token, command)


def _expect_room(member: Member, token: ApiToken, command: Command) -> None:
    # History and Search of no conversation are of all that may be read: of these rooms (`MessageVisibility`). So a
    # program that comes back asks as any client does for what it has missed.
    raw = getattr(command, "room", None)
    if raw is not None:
        expect_covered(member, token, raw)
    elif not isinstance(command, Search) and not (isinstance(command, History) and command.peer is None):
        raise refusal_for("token_for_rooms_only")


def expect_covered(member: Member, token: ApiToken, *raw_rooms: str) -> None:
    """Require that a token is good for rooms, as its member's clients call them.

    Raises:
        Refusal: NOT_A_MEMBER, in the same words where the member is not in such a room; ROOM_INVALID.
    """
    for raw in raw_rooms:
        room = member.room_called(raw)
        if room is None or not covers(token, room):
            raise refusal_for("not_in_room", room=check_room(raw))
