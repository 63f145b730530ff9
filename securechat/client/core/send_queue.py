"""Messages on their way out: kept until the server has acknowledged them, sent in order, repeated after a loss.

The rules come from the protocol: a sender's client_ids rise strictly; a retry after a lost connection keeps its
client_id, so that nothing is stored twice; a message that was refused for now gets a new one, because the server
accepts no client_id below one that it has seen.
"""

from __future__ import annotations

from bisect import insort
from typing import assert_never

from securechat.client.core.actions import PendingFile
from securechat.client.core.events.messages import MessageChangeRequest, PendingMessage
from securechat.client.core.state import ConversationId, RoomKey
from securechat.model import Delete, Direct, Edit, React, RevisionKind, Say

KEPT_PENDING = 500
"""Messages kept unacknowledged, for a user who types while offline; beyond that they are rejected (limits.md)."""
WINDOW = 64
"""Messages in flight on one connection: the server's own limit, unacknowledged_drafts."""
THROTTLED_WINDOW = 8
"""In flight once the server has throttled: at 5 messages a second a request then waits 2 s behind them, not 13."""
WINDOW_CHARS = 16_000
"""Characters in flight before no further message is added: at the server's byte rate (10 KiB/s) 2 to 6 s of waiting."""


class SendQueue:
    """The messages not yet acknowledged."""

    def __init__(self) -> None:
        self._numbers = 0
        self._last_client_id = 0
        self._waiting: list[PendingMessage] = []
        self._in_flight: dict[int, PendingMessage] = {}
        self._throttled = False
        self._told_slow = False
        self._slow_until: dict[ConversationId, float] = {}

    @property
    def full(self) -> bool:
        """Whether no message can be taken."""
        return len(self._waiting) + len(self._in_flight) >= KEPT_PENDING

    @property
    def empty(self) -> bool:
        """Whether everything is acknowledged."""
        return not self._in_flight and not self._waiting

    @property
    def messages(self) -> tuple[PendingMessage, ...]:
        """Every message not yet acknowledged, in the order typed."""
        return tuple(sorted([*self._in_flight.values(), *self._waiting], key=_number))

    @property
    def throttled(self) -> bool:
        """Whether the server has throttled and not everything is sent yet."""
        return self._throttled

    def add(
        self,
        target: ConversationId,
        text: str,
        to: str = "",
        *,
        reply: int | None = None,
        change: MessageChangeRequest | None = None,
        key: str | None = None,
        files: tuple[PendingFile, ...] = (),
    ) -> PendingMessage:
        """Take a message; the caller has looked at `full`."""
        self._numbers += 1
        message = PendingMessage(self._numbers, target, text, to, reply, change, key, files)
        self._waiting.append(message)
        return message

    def start_above(self, last_client_id: int) -> None:
        """Continue above what the log already holds of this sender."""
        self._last_client_id = max(self._last_client_id, last_client_id)

    def slow_down(self) -> bool:
        """Send fewer at a time until everything is sent; tell whether this is news to a user with messages."""
        news = not self._told_slow and not self.empty
        self._throttled = True
        self._told_slow = self._told_slow or news
        return news

    def take(self, now: float) -> tuple[int, PendingMessage] | None:
        """Return the next message to send, with a new client_id; None when nothing may go or enough is in flight."""
        if not self._waiting or self._is_full:
            return None
        message = self._waiting[0] if not self._slow_until else self._first_not_slow(now)
        if message is None:
            return None
        self._waiting.remove(message)
        self._last_client_id += 1
        self._in_flight[self._last_client_id] = message
        return self._last_client_id, message

    def slow_mode(self, target: ConversationId, until: float) -> None:
        """From now on this room takes one message at a time, and none before ``until``."""
        self._slow_until[target] = until

    def queues(self, message: PendingMessage) -> bool:
        """Return whether a message waits behind others that slow mode holds back."""
        others = (other for other in self._waiting if other is not message)
        return message.target in self._slow_until and any(other.target == message.target for other in others)

    @property
    def deadline(self) -> float | None:
        """When a message that waits for its room may go; None as long as an answer has to come before."""
        if not self._slow_until or self._is_full:
            return None
        waiting = {message.target for message in self._waiting}
        under_way = {message.target for message in self._in_flight.values()}
        held = (until for target, until in self._slow_until.items() if target in waiting - under_way)
        return min(held, default=None)

    def _first_not_slow(self, now: float) -> PendingMessage | None:
        under_way = {message.target for message in self._in_flight.values()}
        held = {target for target, until in self._slow_until.items() if until > now or target in under_way}
        return next((message for message in self._waiting if message.target not in held), None)

    @property
    def _is_full(self) -> bool:
        window = THROTTLED_WINDOW if self._throttled else WINDOW
        return len(self._in_flight) >= window or self._in_flight_chars >= WINDOW_CHARS

    @property
    def _in_flight_chars(self) -> int:
        return sum(len(message.text) for message in self._in_flight.values())

    def in_flight(self) -> tuple[tuple[int, PendingMessage], ...]:
        """Return the messages that a new connection must repeat first, in order, with the same client_ids."""
        return tuple(self._in_flight.items())

    def finish(self, client_id: int) -> PendingMessage | None:
        """Forget a message that was acknowledged or refused for good; None when it was not in flight."""
        message = self._in_flight.pop(client_id, None)
        if self.empty:
            self._throttled = self._told_slow = False
            self._slow_until.clear()
        return message

    def abandon(self) -> tuple[PendingMessage, ...]:
        """Forget the messages in flight: they are another sender's, and their answers will not come."""
        messages = tuple(self._in_flight.values())
        self._in_flight.clear()
        return messages

    def abandon_numbered(self) -> tuple[PendingMessage, ...]:
        """Forget what names a person or a message by number: direct messages, replies and changes."""
        messages = tuple(each for each in self.messages if _is_numbered(each))
        self._in_flight = {number: each for number, each in self._in_flight.items() if not _is_numbered(each)}
        self._waiting = [each for each in self._waiting if not _is_numbered(each)]
        return messages

    def again(self, client_id: int) -> PendingMessage | None:
        """Put a message that was refused for now back where it stood; it will get a new client_id."""
        if (message := self._in_flight.pop(client_id, None)) is not None:
            insort(self._waiting, message, key=_number)
        return message


def command_of(client_id: int, message: PendingMessage) -> Say | Direct | Edit | Delete | React:
    """Return what to send for a message."""
    target = message.target
    room, to = (target.room, None) if isinstance(target, RoomKey) else (None, target.person_id)
    if message.change is None:
        files = [file.id for file in message.files]
        if room is not None:
            return Say(client_id, room, message.text, message.reply, message.key, files=files)
        return Direct(client_id, to or 0, message.text, message.reply, message.key, files)
    seq, emoji = message.change.seq, message.change.emoji
    match message.change.kind:
        case RevisionKind.EDIT:
            return Edit(client_id, seq, message.text, room, to)
        case RevisionKind.DELETE:
            return Delete(client_id, seq, room, to)
        case RevisionKind.REACT:
            return React(client_id, seq, emoji, room, to)
        case RevisionKind.UNREACT:
            return React(client_id, seq, emoji, room, to, on=False)
        case _:
            assert_never(message.change.kind)


def _is_numbered(message: PendingMessage) -> bool:
    return not isinstance(message.target, RoomKey) or message.reply is not None or message.change is not None


def _number(message: PendingMessage) -> int:
    return message.number
