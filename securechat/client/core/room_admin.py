"""What a member does to a room and to people in it: settings, invitations, roles, moderation.

Each action is one request and one answer; the server alone knows who may, and its refusal says which right is missing.
People are meant by name: a name that no room of ours has is looked up first.
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
        membership: people in our rooms, by name.
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
        self._moderate(request.order, person)

    def done(self, request: PendingModeration) -> None:
        """Tell that the server did it; changed settings it tells every member itself, us included."""
        if request.order is not None and request.person is not None:
            self._context.tell(events.ModerationDone(request.order, request.person))

    def settings(self, event: RoomRules) -> None:
        """Take the answer to AskRoom."""
        request = self._context.requests.take(event.ref)
        if isinstance(request, PendingRoomInfo):
            self._context.tell(events.RoomSettingsShown(event, request.topic_only))

    def unanswered(self) -> None:
        """Tell that the connection broke before the answer."""
        self._context.tell(events.ModerationUnconfirmed())

    def _moderate(self, order: actions.ModerateMember, person: Person) -> None:
        ref = self._context.requests.ask(PendingModeration(order, person))
        match order.verb:
            case ModerationVerb.INVITE:
                self._context.send(InviteTo(ref, order.room, person.id))
            case ModerationVerb.ROLE:
                self._context.send(Grant(ref, order.room, person.id, order.role))
            case ModerationVerb.KICK:
                self._context.send(Moderate(ref, order.room, person.id, "kick", None, order.reason))
            case ModerationVerb.BAN:
                self._context.send(Moderate(ref, order.room, person.id, "ban", order.seconds, order.reason))
            case ModerationVerb.UNBAN:
                self._context.send(Moderate(ref, order.room, person.id, "unban"))
            case ModerationVerb.MUTE:
                self._context.send(Moderate(ref, order.room, person.id, "mute", order.seconds, order.reason))
            case ModerationVerb.UNMUTE:
                self._context.send(Moderate(ref, order.room, person.id, "unmute"))
            case _:
                assert_never(order.verb)
