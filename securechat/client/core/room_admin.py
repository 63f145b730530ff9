"""What one does to a room and to people in it: rules, invitations, roles, and keeping order.

Every wish is one request and one answer; the server alone knows who may, and its refusal says which right is missing.
People are meant by name: whoever is in no room of ours is looked up first. Knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from msgspec.structs import replace

from securechat.client.core import actions, events
from securechat.client.core.actions import ModerationVerb
from securechat.client.core.events.connection import UiEvent
from securechat.client.core.pending import (
    PendingModeration,
    PendingNameLookup,
    PendingRequests,
    PendingRoomInfo,
)
from securechat.model import AskRoom, Command, Grant, InviteTo, Moderate, Person, RoomRules, Whois


class RoomAdmin:
    """The requests about rooms.

    Args:
        requests: numbers the questions.
        send: takes a command.
        tell: takes a happening.
        find: returns who has a name in our rooms.
    """

    def __init__(
        self,
        requests: PendingRequests,
        send: Callable[[Command], None],
        tell: Callable[[UiEvent], None],
        find: Callable[[str], Person | None],
    ) -> None:
        self._requests = requests
        self._send = send
        self._tell = tell
        self._find = find

    def wish(self, action: actions.RoomAction) -> None:
        """Ask the server; there is a connection."""
        match action:
            case actions.AskRoomSettings(room, topic_only):
                self._send(AskRoom(self._requests.ask(PendingRoomInfo(topic_only)), room))
            case actions.ChangeRoomSettings(command):
                self._send(replace(command, ref=self._requests.ask(PendingModeration(None, None))))
            case actions.ModerateMember():
                if (person := self._find(action.name)) is not None:
                    self._give(action, person)
                else:
                    self._send(Whois(self._requests.ask(PendingNameLookup(action)), action.name))
            case _:
                assert_never(action)

    def found(self, request: PendingNameLookup, person: Person) -> None:
        """The person of an order is known now."""
        self._give(request.order, person)

    def done(self, request: PendingModeration) -> None:
        """The server did it; of changed rules it tells everybody, us included."""
        if request.order is not None and request.person is not None:
            self._tell(events.ModerationDone(request.order, request.person))

    def shown(self, request: PendingRoomInfo, rules: RoomRules) -> None:
        """The answer to AskRules."""
        self._tell(events.RoomSettingsShown(rules, request.topic_only))

    def unanswered(self) -> None:
        """The connection is gone, and the answer with it."""
        self._tell(events.ModerationUnconfirmed())

    def _give(self, order: actions.ModerateMember, person: Person) -> None:
        ref = self._requests.ask(PendingModeration(order, person))
        match order.verb:
            case ModerationVerb.INVITE:
                self._send(InviteTo(ref, order.room, person.id))
            case ModerationVerb.ROLE:
                self._send(Grant(ref, order.room, person.id, order.role))
            case ModerationVerb.KICK:
                self._send(Moderate(ref, order.room, person.id, "kick", None, order.reason))
            case ModerationVerb.BAN:
                self._send(Moderate(ref, order.room, person.id, "ban", order.seconds, order.reason))
            case ModerationVerb.UNBAN:
                self._send(Moderate(ref, order.room, person.id, "unban"))
            case ModerationVerb.MUTE:
                self._send(Moderate(ref, order.room, person.id, "mute", order.seconds, order.reason))
            case ModerationVerb.UNMUTE:
                self._send(Moderate(ref, order.room, person.id, "unmute"))
            case _:
                assert_never(order.verb)
