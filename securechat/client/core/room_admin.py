"""Settings, invitations, roles and moderation of rooms.

Each action is one request and one answer. The server alone knows the permissions, and its refusal names the missing
one. People are given by name; a name that is in none of the user's rooms is looked up first.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from securechat.client.core import actions, events
from securechat.client.core.actions import ModerationVerb
from securechat.client.core.context import CoreContext
from securechat.client.core.joined_rooms import JoinedRooms
from securechat.client.core.pending import PendingModeration, PendingNameLookup, PendingRoomInfo
from securechat.model import AskRoom, Grant, InviteTo, Moderate, Person, RoomRules, Whois


class RoomAdmin:
    """The requests about rooms.

    Args:
        context: shared state.
        membership: the members of the user's rooms, by name.
    """

    def __init__(self, context: CoreContext, membership: JoinedRooms) -> None:
        self._context = context
        self._membership = membership

    def request(self, action: actions.RoomAction) -> None:
        """Ask the server."""
        if not self._context.require_online():
            return
        match action:
            case actions.AskRoomSettings(room, topic_only):
                self._context.send(AskRoom(self._context.requests.ask(PendingRoomInfo(topic_only)), room))
            case actions.ChangeRoomSettings(command):
                self._context.send(replace(command, ref=self._context.requests.ask(PendingModeration(None, None))))
            case actions.ModerateMember():
                if (person := self._membership.find(action.name)) is not None:
                    self._moderate(action, person)
                else:
                    self._context.send(Whois(self._context.requests.ask(PendingNameLookup(action)), action.name))
            case _:
                assert_never(action)

    def found(self, request: PendingNameLookup, person: Person) -> None:
        """Go on with the person whose name was looked up."""
        self._moderate(request.action, person)

    def done(self, request: PendingModeration, *, guest: bool) -> None:
        """Show that the server has done it; it announces changed settings itself, to every member."""
        if request.action is not None and request.person is not None:
            self._context.show(events.ModerationDone(request.action, request.person, guest))

    def settings(self, event: RoomRules) -> None:
        """Take the answer to AskRoom."""
        request = self._context.requests.take(event.ref)
        if isinstance(request, PendingRoomInfo):
            self._context.show(events.RoomSettingsShown(event, request.topic_only))

    def unanswered(self) -> None:
        """Show that the connection broke before the answer."""
        self._context.show(events.ModerationUnconfirmed())

    def _moderate(self, action: actions.ModerateMember, person: Person) -> None:
        ref = self._context.requests.ask(PendingModeration(action, person))
        match action.verb:
            case ModerationVerb.INVITE:
                self._context.send(InviteTo(ref, action.room, person.id))
            case ModerationVerb.ROLE:
                self._context.send(Grant(ref, action.room, person.id, action.role))
            case ModerationVerb.KICK:
                self._context.send(Moderate(ref, action.room, person.id, "kick", None, action.reason))
            case ModerationVerb.BAN:
                self._context.send(Moderate(ref, action.room, person.id, "ban", action.seconds, action.reason))
            case ModerationVerb.UNBAN:
                self._context.send(Moderate(ref, action.room, person.id, "unban"))
            case ModerationVerb.MUTE:
                self._context.send(Moderate(ref, action.room, person.id, "mute", action.seconds, action.reason))
            case ModerationVerb.UNMUTE:
                self._context.send(Moderate(ref, action.room, person.id, "unmute"))
            case _:
                assert_never(action.verb)
