"""Makes connections: dials, says hello, takes the welcome, dials again after a loss, leaves.

The contents of a hello, and the consequences of a refusal, are in credentials.py; the delays in timing.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from securechat.client.core import events
from securechat.client.core.account import AccountActions
from securechat.client.core.context import CoreContext
from securechat.client.core.conversations import Conversations
from securechat.client.core.events.connection import Disconnect, DisconnectReason
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.files import FileRequests
from securechat.client.core.pending import (
    PendingAccountAction,
    PendingDirect,
    PendingFileRequest,
    PendingHistory,
    PendingJoin,
    PendingLeave,
    PendingModeration,
    PendingNameLookup,
    PendingProgramAction,
    PendingQuestion,
    PendingRename,
)
from securechat.client.core.programs import ProgramActions
from securechat.client.core.queries import Queries
from securechat.client.core.refused_hello import FINAL_CLOSINGS, HelloOutcome
from securechat.client.core.room_admin import RoomAdmin
from securechat.client.core.rooms import RoomActions
from securechat.client.core.sending import Sending
from securechat.client.core.state import ConnectionPhase, Visibility
from securechat.client.core.timing import ANSWER_S, RETRY_S, Liveness, ReconnectBackoff, repeat_delay_s
from securechat.client.core.typing import TypingState
from securechat.errors import ErrorCode, Refusal
from securechat.model import Closing, Person, Quit, Refused, Welcome
from securechat.text.names import check_name

ASKING = frozenset({ConnectionPhase.NAMING, ConnectionPhase.PROVING})
"""Connected, and the user must answer first."""
GOODBYE_S = 1.0
"""For the answer to Quit: a healthy server answers within a pass of its loop."""
_GREETED = frozenset({ConnectionPhase.GREETING, ConnectionPhase.REJOINING, ConnectionPhase.ONLINE})
"""The hello is sent: a Quit makes sense."""
_UNCONNECTED = frozenset({ConnectionPhase.ENDED, ConnectionPhase.OFFLINE, ConnectionPhase.DIALLING})


class Connecting:
    """The connections of one client, one after the other.

    Args:
        context: shared state.
        account: has the name and the login of a welcome.
        programs: shows requests without an answer.
        conversations: begin or go on with a welcome.
        sending: its messages must be acknowledged before leaving.
        rooms: joined again after a welcome.
        room_admin: shows requests that were not answered.
        queries: ask after a welcome what is unread.
        typing: begins anew with a welcome.
        files: its questions are asked again after a loss.
        jitter: returns a number in [0, 1).
        client: program and version, for the server's log.

    Attributes:
        hurried: whether the user asked a second time to leave: then the client does not wait for the answer to Quit.
    """

    def __init__(
        self,
        context: CoreContext,
        account: AccountActions,
        programs: ProgramActions,
        conversations: Conversations,
        sending: Sending,
        rooms: RoomActions,
        room_admin: RoomAdmin,
        queries: Queries,
        typing: TypingState,
        files: FileRequests,
        *,
        jitter: Callable[[], float],
        client: str,
    ) -> None:
        self.hurried = False
        self._context = context
        self._account = account
        self._programs = programs
        self._conversations = conversations
        self._sending = sending
        self._rooms = rooms
        self._room_admin = room_admin
        self._queries = queries
        self._typing = typing
        self._files = files
        self._client = client
        self._backoff = ReconnectBackoff(jitter)
        self._liveness: Liveness | None = None
        self._named = bool(context.me.name)
        self._closing: Closing | None = None
        self._dial_at: float | None = 0.0
        self._hello_at: float | None = None
        self._answer_by: float | None = None
        self._leave_by: float | None = None
        self._asks_unread = False
        self._welcomed_at: float | None = None
        self._lost_at: float | None = None
        self._said_quit = False
        self._waits_for_name = False  # which is kept; the user may choose another one meanwhile
        self._hellos_refused = 0  # on this connection
        self._delays = 0  # refusals since the last welcome after which the client has waited
        self._delayed_by: ErrorCode | None = None

    @property
    def leaving(self) -> bool:
        """Whether the user wants to go."""
        return self._leave_by is not None

    @property
    def away(self) -> bool:
        """Whether there was a connection and is none."""
        return self._lost_at is not None

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        liveness = self._liveness.deadline if self._liveness is not None else None
        times = (self._dial_at, self._hello_at, self._answer_by, self._leave_by, liveness)
        return min((time for time in times if time is not None), default=None)

    def tick(self) -> None:
        """Do what is due now."""
        context, now = self._context, self._context.now
        if self._leave_by is not None and now >= self._leave_by:
            self._leave_now()
        elif self._dial_at is not None and now >= self._dial_at:
            self._dial_at = None
            context.phase = ConnectionPhase.DIALLING
            context.dial = True
        elif self._hello_at is not None and now >= self._hello_at:
            self._say_hello()
        elif self._is_overdue():
            context.hang_up = True
            self.lost(Disconnect(DisconnectReason.SILENT))
        elif self._liveness is not None and (ping := self._liveness.check(now)) is not None:
            context.send(ping)

    def heard(self) -> bool:
        """An event has arrived; returns whether to handle it: not after the end of its connection."""
        if self._context.phase in _UNCONNECTED:
            return False
        if self._liveness is not None:
            self._liveness.heard(self._context.now)
        return True

    def throttled(self, retry_after_s: float) -> None:
        """Expect no answers while the server does not read."""
        now = self._context.now
        if self._answer_by is not None:
            self._answer_by = max(self._answer_by, now + retry_after_s + ANSWER_S)
        if self._liveness is not None:
            self._liveness.excuse(now, retry_after_s)

    def _is_overdue(self) -> bool:
        now = self._context.now
        unanswered = self._answer_by is not None and now >= self._answer_by
        return unanswered or (self._liveness is not None and self._liveness.dead(now))

    # --- the hello ----------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Say hello on a verified connection, once there is a name."""
        self._closing = None
        self._hellos_refused = 0
        if self._named:
            self._say_hello()
        else:
            self._context.phase = ConnectionPhase.NAMING
            self._context.show(events.NameNeeded())

    def choose_name(self, name: str) -> None:
        """Say hello with this name, or change the name."""
        context = self._context
        try:
            name = check_name(name)
        except Refusal as refusal:
            context.reject(RejectReason.NAME_INVALID, name, refusal.sentence)
            return
        if self._named and context.online:
            self._account.rename(name)
        elif self._named and context.credentials.wanted is None and not self._waits_for_name:
            self._account.rename_later(name)
        else:
            context.me = Person(context.me.id, name)
            self._named = True
            context.credentials.choose_name()
            self._say_hello_or_dial()

    def give_password(self, password: str) -> None:
        """Say hello with this password, if one is wanted."""
        if self._context.credentials.wanted is not None:
            self._context.credentials.give_password(password)
            self._say_hello_or_dial()

    def hello_refused(self, event: Refused) -> None:
        """Take the refusal of a hello."""
        context = self._context
        self._hellos_refused += 1
        if event.code is ErrorCode.LOGIN_EXPIRED:
            self._account.forget_login()
        self._answer_by = None
        match outcome := context.credentials.refused(event):
            case HelloOutcome.ANOTHER_NAME:
                context.phase = ConnectionPhase.NAMING
                self._named = False
                self._liveness = None
                context.show(events.NameRefused(context.me.name, event.code, event.text, event.reason, event.arguments))
            case HelloOutcome.PASSWORD | HelloOutcome.NEW_PASSWORD:
                context.phase = ConnectionPhase.PROVING
                self._liveness = None
                is_new = outcome is HelloOutcome.NEW_PASSWORD
                context.show(
                    events.PasswordNeeded(
                        context.me.name, is_new, event.code, event.text, event.reason, event.arguments
                    )
                )
            case HelloOutcome.AGAIN:
                self._say_hello()
            case HelloOutcome.NAME_KEPT:
                context.phase = ConnectionPhase.NAMING
                self._waits_for_name = True
                delay_s = self._hello_later(event)
                context.show(events.NameKept(context.me.name, delay_s))
            case HelloOutcome.LATER:
                delay_s = self._hello_later(event)
                if event.code is not self._delayed_by or event.code is ErrorCode.LOGIN_SLOWED:
                    self._delayed_by = event.code
                    context.show(events.LoginDelayed(delay_s, event.code))
            case HelloOutcome.OVER:
                is_version = event.code is ErrorCode.UNSUPPORTED_VERSION
                self.end(_ended(events.EndReason.VERSION if is_version else events.EndReason.CLOSED, None, event))
            case _:
                assert_never(outcome)

    def _hello_later(self, event: Refused) -> float:
        """Say the same hello after a pause; return its seconds."""
        delay_s = event.retry_after_s if event.retry_after_s is not None else repeat_delay_s(self._delays)
        self._delays += 1
        self._hello_at = self._context.now + delay_s
        self._liveness = None  # no server waits for long; a dead one is noticed by the next hello
        return delay_s

    def _say_hello(self) -> None:
        context = self._context
        self._waits_for_name = False
        context.phase = ConnectionPhase.GREETING
        self._hello_at = None
        self._answer_by = context.now + ANSWER_S
        self._liveness = Liveness(context.now)
        context.send(context.credentials.hello(context.me.name, self._client))

    def _say_hello_or_dial(self) -> None:
        if self._context.phase in ASKING:
            self._say_hello()
        else:
            self._dial_at = self._context.now

    # --- the welcome --------------------------------------------------------------------------------------------------

    def welcomed(self, event: Welcome) -> None:
        """Take over name and log position from a welcome, and join the rooms."""
        context = self._context
        first, sender_before = self._welcomed_at is None, context.me.id
        context.features = event.features
        context.limits = event.limits
        self._account.welcomed(event)
        exchanged = context.credentials.take_identity_change() and not first
        another = exchanged and event.sender_id != sender_before
        if exchanged:
            self._sending.abandon_in_flight()
        resumed = self._conversations.welcomed(event, first=first, another=another)
        if self._conversations.in_another_log:
            self._sending.abandon_numbered()
        context.me = Person(event.sender_id, event.name)
        context.see(context.me)
        self._sending.welcomed(event.last_client_id)
        self._welcomed_at = context.now
        self._delays, self._delayed_by = 0, None
        context.phase = ConnectionPhase.REJOINING
        self._answer_by = context.now + ANSWER_S
        self._show_welcome(event, first=first, another=another)
        self._lost_at = None
        self._typing.forget()
        self._asks_unread = event.account and not resumed
        context.must_change = event.must_change
        self._rooms.join_again(keeps_rooms=event.account and resumed, wait=event.must_change)
        if event.must_change:
            self._answer_by = None
            context.show(events.PasswordTemporary(event.name, knows_old=bool(context.credentials.temporary)))
            return
        self._ask_unread()

    def password_changed(self) -> None:
        """Go on as after a welcome, where the server took nothing but another password until now."""
        context = self._context
        if not context.must_change:
            return
        context.must_change = False
        context.credentials.temporary = ""
        self._answer_by = context.now + ANSWER_S
        self._rooms.join_waiting()
        self._ask_unread()
        self.go_online()

    def ask_password(self, code: ErrorCode) -> None:
        """Ask again for a password in place of the temporary one, after a refusal."""
        context = self._context
        if context.must_change:
            if code is ErrorCode.LOGIN_FAILED:
                context.credentials.temporary = ""
            context.show(events.PasswordTemporary(context.me.name, knows_old=bool(context.credentials.temporary)))

    def _ask_unread(self) -> None:
        if self._asks_unread and self._conversations.visibility is not Visibility.NOBODY:
            self._conversations.read_markers.wait()
            self._queries.ask_unread()

    def go_online(self) -> None:
        """Once every room is joined or refused, send what waits and read what was missed."""
        context = self._context
        if context.phase is not ConnectionPhase.REJOINING or self._rooms.awaited or context.must_change:
            return
        self._context.phase = ConnectionPhase.ONLINE
        self._answer_by = None
        self._rooms.resume()
        self._account.resume()
        self._sending.resume()
        self._conversations.timeline.start()

    def _show_welcome(self, event: Welcome, *, first: bool, another: bool) -> None:
        context = self._context
        if event.token:
            context.show(events.TokenReceived(event.name, event.token))
        if first:
            context.show(events.LoggedIn(event.server, context.me, event.account, event.admin, event.must_change))
        else:
            away_s = context.now - self._lost_at if self._lost_at is not None else 0.0
            context.show(events.BackOnline(away_s))
        if another:
            context.show(events.IdentityChanged(context.me))

    # --- the loss -----------------------------------------------------------------------------------------------------

    def closing(self, event: Closing) -> None:
        """Remember why the server closes the connection."""
        self._closing = event
        self._account.closing(event)

    def lost(self, loss: Disconnect) -> None:
        """The connection ended or could not be made: dial again, wait for the user, or end."""
        context = self._context
        phase, closing, hello_at = context.phase, self._closing, self._hello_at
        tried_often = closing is not None and closing.code is ErrorCode.HELLO_EXPECTED and self._hellos_refused > 0
        self._liveness = self._answer_by = self._closing = self._hello_at = None
        self._keep_unanswered()
        self._conversations.timeline.lost()
        context.rooms.forget_former_names()
        context.phase = ConnectionPhase.OFFLINE
        context.must_change = False
        if self._said_quit:
            self.end(events.ClientEnded(events.EndReason.QUIT))
        elif self._account.logged_out:
            self.end(events.ClientEnded(events.EndReason.LOGGED_OUT))
        elif closing is not None and closing.code in FINAL_CLOSINGS and not tried_often:
            self.end(_ended(events.EndReason.CLOSED, None, closing))
        elif not self._named or context.credentials.wanted is not None:
            self._dial_at = None  # dial again when it is given: no server waits that long
            if phase not in ASKING:
                self.end(_ended(events.EndReason.UNREACHABLE, loss, closing))
        elif tried_often:  # a server takes a few hellos on one connection: the next one has a connection of its own
            self._dial_at = context.now + RETRY_S
        elif hello_at is not None:
            self._dial_at = max(hello_at, context.now + _retry_after_s(closing))
        elif self._welcomed_at is None and not (self._delays or self.away or _retry_after_s(closing)):
            self.end(_ended(events.EndReason.UNREACHABLE, loss, closing))
        else:
            self._dial_later(loss, closing)

    def _dial_later(self, loss: Disconnect, closing: Closing | None) -> None:
        context = self._context
        if self._lost_at is None:
            self._lost_at = context.now
            context.show(_connection_lost(loss, closing))
            if self._welcomed_at is not None:
                explained = closing is not None and closing.code is not ErrorCode.INTERNAL
                self._backoff.ended(context.now - self._welcomed_at, explained=explained)
        delay_s = self._backoff.next_delay_s(_retry_after_s(closing))
        self._dial_at = context.now + delay_s
        context.show(events.Reconnecting(delay_s, self._backoff.attempt, loss))

    def _keep_unanswered(self) -> None:
        """Have each component ask again on the next connection, or show that an answer will not come."""
        requests = self._context.requests
        for request in requests.unanswered:
            match request:
                case PendingDirect():
                    self._sending.look_up_later(request)
                case PendingRename():
                    self._account.rename_unanswered(request)
                case PendingJoin():
                    self._rooms.join_unanswered(request)
                case PendingLeave():
                    self._rooms.leave_unanswered(request)
                case PendingAccountAction():
                    self._account.unanswered(request)
                case PendingProgramAction():
                    self._programs.unanswered(request)
                case PendingModeration() | PendingNameLookup():
                    self._room_admin.unanswered()
                case PendingHistory():
                    self._context.reject(RejectReason.AWAY)
                case PendingFileRequest():
                    self._files.unanswered(request)
                case PendingQuestion(number):
                    self._context.show(events.QuestionAnswered(number, None))
        requests.clear()

    # --- leaving ------------------------------------------------------------------------------------------------------

    def leave(self, patience_s: float) -> None:
        """Leave once everything is acknowledged, and when asked again at once."""
        if self.leaving:
            self.hurried = True
            self._leave_now()
            return
        self._leave_by = self._context.now + patience_s
        if (unsent := self._sending.unsent) and patience_s > 0:
            self._context.show(events.LeavingChat(unsent))
        self.leave_when_done()

    def leave_when_done(self) -> None:
        """Say goodbye if the user wants to leave and nothing waits any more."""
        context = self._context
        if not self.leaving or self._said_quit or context.phase is ConnectionPhase.ENDED:
            return
        if self._sending.unsent or self._conversations.timeline.catching_up:
            return
        if context.phase in _GREETED:
            self._say_quit()
            self._leave_by = context.now + GOODBYE_S
        else:
            self.end(events.ClientEnded(events.EndReason.QUIT))

    def end(self, ended: events.ClientEnded) -> None:
        """Nothing follows."""
        context = self._context
        if unsent := self._sending.unsent:
            context.show(events.MessagesLost(unsent))
        context.phase = ConnectionPhase.ENDED
        context.hang_up = True
        context.show(ended)

    def _leave_now(self) -> None:
        if self._context.phase in _GREETED and not self._said_quit:
            self._say_quit()
        self.end(events.ClientEnded(events.EndReason.QUIT))

    def _say_quit(self) -> None:
        self._said_quit = True
        self._context.send(Quit())


def _ended(cause: events.EndReason, loss: Disconnect | None, last: Refused | Closing | None) -> events.ClientEnded:
    """Return the end with the server's last words, if it had any."""
    if last is None:
        return events.ClientEnded(cause, loss)
    return events.ClientEnded(cause, loss, last.code, last.text, last.reason, last.arguments)


def _connection_lost(loss: Disconnect, closing: Closing | None) -> events.ConnectionLost:
    if closing is None:
        return events.ConnectionLost(loss)
    return events.ConnectionLost(loss, closing.code, closing.text, closing.reason, closing.arguments)


def _retry_after_s(closing: Closing | None) -> float:
    return (closing.retry_after_s or 0.0) if closing is not None else 0.0
