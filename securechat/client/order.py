"""What one does to a room and to people in it: rules, invitations, roles, and keeping order.

Every wish is one request and one answer; the server alone knows who may, and its refusal says which right is missing.
People are meant by name: whoever is in no room of ours is looked up first. Knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from msgspec.structs import replace

from securechat.client import intents as want
from securechat.client import tidings
from securechat.client.happenings import Happening
from securechat.client.intents import Verb
from securechat.client.requests import Consulting, Ordering, Requests, Seeking
from securechat.model import (
    AskRoom,
    Command,
    Grant,
    InviteTo,
    Moderate,
    Person,
    RoomRules,
    Whois,
)


class Orders:
    """The requests about rooms.

    Args:
        requests: numbers the questions.
        send: takes a command.
        tell: takes a happening.
        find: returns who has a name in our rooms.
    """

    def __init__(
        self,
        requests: Requests,
        send: Callable[[Command], None],
        tell: Callable[[Happening], None],
        find: Callable[[str], Person | None],
    ) -> None:
        self._requests = requests
        self._send = send
        self._tell = tell
        self._find = find

    def wish(self, intent: want.RoomIntent) -> None:
        """Ask the server; there is a connection."""
        match intent:
            case want.AskRules(room, topic_only):
                self._send(AskRoom(self._requests.ask(Consulting(topic_only)), room))
            case want.ChangeRules(command):
                self._send(replace(command, ref=self._requests.ask(Ordering(None, None))))
            case want.Order():
                if (person := self._find(intent.name)) is not None:
                    self._give(intent, person)
                else:
                    self._send(Whois(self._requests.ask(Seeking(intent)), intent.name))
            case _:
                assert_never(intent)

    def found(self, request: Seeking, person: Person) -> None:
        """The person of an order is known now."""
        self._give(request.order, person)

    def done(self, request: Ordering) -> None:
        """The server did it; of changed rules it tells everybody, us included."""
        if request.order is not None and request.person is not None:
            self._tell(tidings.OrderDone(request.order, request.person))

    def shown(self, request: Consulting, rules: RoomRules) -> None:
        """The answer to AskRules."""
        self._tell(tidings.RulesShown(rules, request.topic_only))

    def unanswered(self) -> None:
        """The connection is gone, and the answer with it."""
        self._tell(tidings.OrderUnanswered())

    def _give(self, order: want.Order, person: Person) -> None:
        ref = self._requests.ask(Ordering(order, person))
        match order.verb:
            case Verb.INVITE:
                self._send(InviteTo(ref, order.room, person.id))
            case Verb.ROLE:
                self._send(Grant(ref, order.room, person.id, order.role))
            case Verb.KICK:
                self._send(Moderate(ref, order.room, person.id, "kick", None, order.reason))
            case Verb.BAN:
                self._send(Moderate(ref, order.room, person.id, "ban", order.seconds, order.reason))
            case Verb.UNBAN:
                self._send(Moderate(ref, order.room, person.id, "unban"))
            case Verb.MUTE:
                self._send(Moderate(ref, order.room, person.id, "mute", order.seconds, order.reason))
            case Verb.UNMUTE:
                self._send(Moderate(ref, order.room, person.id, "unmute"))
            case _:
                assert_never(order.verb)
