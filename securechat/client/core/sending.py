"""Sends messages and changes: checks and queues them, looks up their person, repeats those refused for now.

The queue itself, its window and the numbers of the protocol are in send_queue.py.
"""

from __future__ import annotations

from securechat.client.core import actions, events
from securechat.client.core.context import CoreContext
from securechat.client.core.conversations import Conversations
from securechat.client.core.events.messages import MessageChangeRequest, PendingMessage
from securechat.client.core.events.requests import DeferredKind, RejectReason
from securechat.client.core.joined_rooms import JoinedRooms
from securechat.client.core.pending import PendingDirect
from securechat.client.core.send_queue import SendQueue, command_of
from securechat.client.core.state import ConversationId, PersonKey, RoomKey
from securechat.client.core.timing import retry_at
from securechat.errors import ErrorCode
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS
from securechat.model import Found, Refused, RevisionKind, Whois
from securechat.text.names import LOBBY


class Sending:
    """Messages on their way to the server.

    Args:
        context: shared state.
        membership: the rooms that can be written to, and their members.
        conversations: told which messages this client sent.
    """

    def __init__(self, context: CoreContext, membership: JoinedRooms, conversations: Conversations) -> None:
        self._context = context
        self._membership = membership
        self._conversations = conversations
        self._queue = SendQueue()
        self._unsent_directs: list[PendingDirect] = []  # their person is to be looked up once online
        self._told_absent: set[int] = set()
        self._paused_until = 0.0

    @property
    def unsent(self) -> tuple[PendingMessage, ...]:
        """Messages not yet acknowledged, in the order typed."""
        directs = (*self._unsent_directs, *self._context.requests.directs)
        return (*self._queue.messages, *(_without_person(direct) for direct in directs))

    @property
    def full(self) -> bool:
        """Whether no further message can be taken now."""
        return self._queue.full

    @property
    def deadline(self) -> float | None:
        """When `send_due` has something to do; None as long as an answer has to come before."""
        return self._paused_until or self._queue.deadline

    # --- the user's actions -------------------------------------------------------------------------------------------

    def send(
        self,
        target: ConversationId,
        text: str,
        to: str = "",
        reply: int | None = None,
        key: str | None = None,
        files: tuple[actions.PendingFile, ...] = (),
    ) -> None:
        """Send a message; ``to`` the name by which its person was meant, ``key`` what a program calls it."""
        if self._is_sendable(text, with_files=bool(files)):
            self._add(target, text, to, reply, key=key, files=files)

    def send_direct(self, name: str, text: str, files: tuple[actions.PendingFile, ...] = ()) -> None:
        """Send a message to a person by name; a name in none of the user's rooms is looked up."""
        if (person := self._membership.find(name)) is not None:
            self.send(PersonKey(person.id), text, name, files=files)
        elif self._is_sendable(text, with_files=bool(files)):
            # A name seen before is no answer: names change hands, and messages belong to people.
            request = PendingDirect(name, text, files)
            if self._context.online:
                self._look_up(request)
            else:
                self.look_up_later(request)
                self._context.show(events.ActionDeferred(DeferredKind.DIRECT, name, text))

    def change(self, action: actions.ChangeMessage) -> None:
        """Edit or delete a message, or react to it."""
        if self.full:
            self._context.reject(RejectReason.QUEUE_FULL)
        elif action.kind is not RevisionKind.EDIT or self._is_sendable(action.text, with_files=True):  # perhaps it has
            request = MessageChangeRequest(action.kind, action.seq, action.emoji)
            self._add(action.target, action.text, change=request)

    def _add(
        self,
        target: ConversationId,
        text: str,
        to: str = "",
        reply: int | None = None,
        change: MessageChangeRequest | None = None,
        key: str | None = None,
        files: tuple[actions.PendingFile, ...] = (),
    ) -> None:
        context = self._context
        if isinstance(target, RoomKey) and target.room != LOBBY and target not in self._membership.wanted:
            context.reject(RejectReason.NOT_IN_ROOM, target.room)
            return
        message = self._queue.add(target, text, to, reply=reply, change=change, key=key, files=files)
        if not context.online:
            deferred = events.ActionDeferred(DeferredKind.DIRECT, to, text)
            context.show(deferred if to else events.MessageWaiting(message))
        elif self._queue.queues(message):
            context.show(events.MessageWaiting(message, ErrorCode.SLOW_MODE))

    def _is_sendable(self, text: str, *, with_files: bool = False) -> bool:
        if not text.strip() and not with_files:
            self._context.reject(RejectReason.TEXT_EMPTY)
        elif len(text) > MAX_TEXT_CHARS or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
            self._context.reject(RejectReason.TEXT_TOO_LONG, str(len(text)))
        elif self.full:
            self._context.reject(RejectReason.QUEUE_FULL)
        else:
            return True
        return False

    # --- people who are looked up -------------------------------------------------------------------------------------

    def _look_up(self, request: PendingDirect) -> None:
        self._context.send(Whois(self._context.requests.ask(request), request.name))

    def look_up_later(self, request: PendingDirect) -> None:
        """Keep a message whose person is to be looked up on the next connection."""
        self._unsent_directs.append(request)

    def found(self, request: PendingDirect, event: Found) -> None:
        """Send the message to the person found; an absence is shown once, until the person is connected again."""
        person = event.person
        self.send(PersonKey(person.id), request.text, person.name, files=request.files)
        if not event.absent:
            self._told_absent.discard(person.id)
        elif person.id not in self._told_absent:
            self._told_absent.add(person.id)
            self._context.show(events.WillBeDeliveredLater(person))

    def not_found(self, request: PendingDirect, event: Refused) -> None:
        """Show that the person of a message could not be looked up."""
        self._context.show(_message_refused(_without_person(request), event))

    # --- what the server says -----------------------------------------------------------------------------------------

    def acked(self, client_id: int, seq: int) -> None:
        """Forget a message that the server has stored."""
        if (message := self._queue.finish(client_id)) is not None:
            self._conversations.acked_here(seq)
            self._context.show(events.MessageAcked(message, seq))

    def refused(self, client_id: int, event: Refused) -> None:
        """Repeat a message later where the server only has no time for it now; otherwise forget it."""
        context = self._context
        if (again_at := retry_at(event, context.now)) is None:
            if (message := self._queue.finish(client_id)) is not None:
                context.show(_message_refused(message, event))
        elif (message := self._queue.again(client_id)) is not None:
            if event.code is ErrorCode.SLOW_MODE:
                self._queue.slow_mode(message.target, again_at)
            elif event.code is not ErrorCode.OUT_OF_ORDER:
                self._paused_until = max(self._paused_until, again_at)
            context.show(events.MessageWaiting(message, event.code))

    def throttled(self, retry_after_s: float) -> None:
        """Send nothing while the server does not read, and less at a time afterwards."""
        self._paused_until = max(self._paused_until, self._context.now + retry_after_s)
        if self._queue.slow_down():
            self._context.show(events.RateLimited(retry_after_s))

    # --- the connection -----------------------------------------------------------------------------------------------

    def welcomed(self, last_client_id: int) -> None:
        """Number messages above what the log already holds of this sender."""
        self._queue.start_above(last_client_id)

    def abandon_in_flight(self) -> None:
        """Give up messages that another sender has in flight: they may be stored, and would be stored twice."""
        if lost := self._queue.abandon():
            self._context.show(events.MessagesLost(lost))

    def abandon_numbered(self) -> None:
        """Give up what names a person or a message by number: in another log the number is of another one."""
        if lost := self._queue.abandon_numbered():
            self._context.show(events.MessagesLost(lost))

    def resume(self) -> None:
        """Repeat the messages that an earlier connection left without an answer."""
        self._paused_until = 0.0
        for client_id, message in self._queue.in_flight():
            self._context.send(command_of(client_id, message))
        directs, self._unsent_directs = self._unsent_directs, []
        for direct in directs:
            self._look_up(direct)

    def send_due(self) -> None:
        """Send the messages that may go now."""
        if self._context.now >= self._paused_until:
            self._paused_until = 0.0
            while (taken := self._queue.take(self._context.now)) is not None:
                self._context.send(command_of(*taken))


def _without_person(direct: PendingDirect) -> PendingMessage:
    """Return a message whose person is not known yet."""
    return PendingMessage(0, PersonKey(0), direct.text, direct.name, files=direct.files)


def _message_refused(message: PendingMessage, event: Refused) -> events.MessageRefused:
    return events.MessageRefused(message, event.code, event.text, event.reason, event.arguments)
