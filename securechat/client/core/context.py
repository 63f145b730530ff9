"""The state that the components of the client core share, and the commands and UI events of the current input.

Each component reads and changes what it needs here and calls the others by name; none of them inherits from another.
The facade (client.py) sets `now` before each input and takes the collected commands and UI events after it.
"""

from __future__ import annotations

from collections.abc import Mapping

from securechat.client.core.credentials import Credentials
from securechat.client.core.events import UiEvent
from securechat.client.core.events.requests import ActionRejected, RejectReason
from securechat.client.core.pending import PendingRequests
from securechat.client.core.state import ConnectionPhase, ConversationId, KnownPeople, KnownRooms
from securechat.model import Command, Person


class CoreContext:
    """Shared state of one client core.

    Args:
        me: the user, as far as known: id 0 before the first welcome, and an empty name before one is chosen.
        room: the name of the room that the user looks at first.
        credentials: prove who the user is.

    Attributes:
        now: monotonic seconds of the current input.
        phase: state of the connection.
        must_change: whether the server takes nothing but another password: the user's is temporary.
        features: the words of the last welcome; see `model.FEATURES`.
        limits: its numbers; see `model.WELCOME_LIMITS`.
        me: id and name of the user.
        current: the conversation that the user looks at.
        ignored: sender_ids whose messages are hidden.
        people: names seen.
        rooms: resolves the names of rooms.
        requests: without an answer yet.
        credentials: as given.
        commands: to send, in order.
        ui_events: to show, in order.
        dial: whether to open a connection.
        hang_up: whether to close the connection, after the commands.
    """

    def __init__(self, me: Person, room: str, credentials: Credentials) -> None:
        self.now = 0.0
        self.phase = ConnectionPhase.OFFLINE
        self.must_change = False
        self.features: tuple[str, ...] = ()
        self.limits: Mapping[str, float] = {}
        self.me = me
        self.rooms = KnownRooms()
        self.current: ConversationId = self.rooms.named(room)
        self.ignored: set[int] = set()
        self.people = KnownPeople()
        self.requests = PendingRequests()
        self.credentials = credentials
        self.commands: list[Command] = []
        self.ui_events: list[UiEvent] = []
        self.dial = self.hang_up = False

    @property
    def online(self) -> bool:
        """Whether commands can go out now."""
        return self.phase is ConnectionPhase.ONLINE

    def send(self, command: Command) -> None:
        """Send a command."""
        self.commands.append(command)

    def show(self, ui_event: UiEvent) -> None:
        """Show an event to the user."""
        self.ui_events.append(ui_event)

    def reject(self, reason: RejectReason, subject: str = "", detail: str = "") -> None:
        """Tell the user that an action cannot be done."""
        self.show(ActionRejected(reason, subject, detail))

    def require_online(self) -> bool:
        """Return `online`; tell the user when it is false."""
        if not self.online:
            self.reject(RejectReason.AWAY)
        return self.online

    def see(self, person: Person) -> None:
        """Remember a name."""
        self.people.see(person.id, person.name, bot=person.bot)
