"""The client without a socket, clock, thread or randomness: events and intents in, commands and happenings out.

Every input takes ``now`` (monotonic seconds) and returns an `CoreOutput`: commands to send in order, happenings to show
in order, and whether to dial or to hang up. `ClientCore.deadline` says when `tick` is wanted at the latest. A line
client, a full screen and the simulation drive the same core.

It promises its part of promise 2: every message is shown once, in its conversation's order, and every line is kept
until acknowledged, whatever the connection does in between. It refuses to know bytes, TLS and sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from msgspec import Struct

from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.events.connection import Disconnect, DisconnectReason, RejectReason, UiEvent
from securechat.client.core.events.rooms import TypingChanged
from securechat.client.core.greeting import ASKING, FENCE, Greeting
from securechat.client.core.state import ConnectionPhase, Visibility
from securechat.client.core.timing import ANSWER_S, ReconnectBackoff, retry_at
from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    CertificateList,
    Closing,
    Command,
    Deleted,
    Done,
    Edited,
    Event,
    Found,
    HistoryPage,
    Invited,
    Joined,
    Left,
    LoginList,
    Message,
    Named,
    Notice,
    Ping,
    Pong,
    Presence,
    Quit,
    Reacted,
    ReadElsewhere,
    Refused,
    Registered,
    RoleChanged,
    RoomRules,
    RoomsPage,
    Roster,
    SearchPage,
    Throttled,
    TypingNow,
    UnreadList,
    Welcome,
)

_FOR_GOOD = frozenset(
    {
        ErrorCode.REPLACED,
        ErrorCode.UNSUPPORTED_VERSION,
        ErrorCode.BAD_FRAME,
        ErrorCode.FRAME_TOO_LARGE,
        ErrorCode.HELLO_EXPECTED,
        ErrorCode.BANNED,
        ErrorCode.KICKED,
        ErrorCode.LOGGED_OUT,
        ErrorCode.BYE,
    }
)
"""Last words after which coming back would only repeat them, or go against somebody's will."""
GOODBYE_S = 1.0
"""For the answer to our Quit: a healthy server answers within a pass of its loop."""


class CoreOutput(Struct, frozen=True):
    """What one input leads to. Commands go out before hanging up."""

    commands: tuple[Command, ...] = ()
    ui_events: tuple[UiEvent, ...] = ()
    dial: bool = False
    hang_up: bool = False


class ClientCore(Greeting):
    """One user's session, over as many connections as it takes.

    Args:
        secret: the resume secret, 32 lower-case hex digits, made for the CA in use.
        jitter: returns a number in [0, 1).
        name: the name to ask for; None asks the user once connected.
        rooms: rooms to enter besides the lobby, as typed.
        recall: how many earlier messages to show of the room looked at, when it is entered for the first time.
        client: program and version, for the server's log.
        login: what proves who we are; without one, only ``secret`` does.
        attention: which messages somebody sees.
        typing: whether notices of writing are sent and shown.

    Attributes:
        hurried: whether the user, leaving, wanted to leave again: then even the farewell is too long.
    """

    def __init__(
        self,
        *,
        secret: str,
        jitter: Callable[[], float],
        name: str | None = None,
        rooms: tuple[str, ...] = (),
        recall: int = 0,
        client: str = "",
        login: Credentials | None = None,
        attention: Visibility = Visibility.NOBODY,
        typing: bool = False,
    ) -> None:
        super().__init__(name, rooms, recall, attention, client, login or Credentials(secret), typing=typing)
        self._backoff = ReconnectBackoff(jitter)
        self._last_words: Closing | None = None
        self._leave_by: float | None = None
        self._said_quit = False
        self.hurried = False
        self._dial = self._hang_up = False

    # --- what a screen reads --------------------------------------------------------------------------------------

    @property
    def leaving(self) -> bool:
        """Whether the user wants to go."""
        return self._leave_by is not None

    @property
    def away(self) -> bool:
        """Whether there was a connection and is none."""
        return self._lost_at is not None

    def deadline(self) -> float | None:
        """Return when `tick` is wanted at the latest."""
        due = [self._dial_at, self._greet_at, self._answer_by, self._leave_by, self.timeline.deadline]
        due.append(self._typing_state.deadline)
        if self._liveness is not None:
            due.append(self._liveness.deadline)
        if self.phase is ConnectionPhase.ONLINE:
            due.append(self._paused_until or self._send_queue.deadline)
        if self.phase is ConnectionPhase.ONLINE and self._login.account:
            due.append(self._read_markers.deadline())
        return (
            min((when for when in due if when is not None), default=None)
            if self.phase is not ConnectionPhase.ENDED
            else None
        )

    # --- inputs ---------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> CoreOutput:
        """A verified connection is there."""
        self._last_words = None
        if self._named:
            self._greet(now)
        else:
            self.phase = ConnectionPhase.NAMING
            self._tell(events.NameNeeded())
        return self._result(now)

    def disconnected(self, loss: Disconnect, now: float) -> CoreOutput:
        """The connection ended, or could not be made."""
        if self.phase is not ConnectionPhase.ENDED:
            self._lose(loss, now)
        return self._result(now)

    def received(self, event: Event, now: float) -> CoreOutput:
        """The server said something."""
        if self.phase not in {ConnectionPhase.ENDED, ConnectionPhase.OFFLINE, ConnectionPhase.DIALLING}:
            if self._liveness is not None:
                self._liveness.heard(now)
            self._handle(event, now)
        return self._result(now)

    def act(self, action: actions.Action, now: float) -> CoreOutput:
        """The user wants something."""
        if self.phase is not ConnectionPhase.ENDED:
            if self.leaving and not isinstance(action, actions.LeaveChat):
                self._decline(RejectReason.LEAVING)
            else:
                self._wish(action, now)
        return self._result(now)

    def tick(self, now: float) -> CoreOutput:
        """Time has passed."""
        if self.phase is ConnectionPhase.ENDED:
            return CoreOutput()
        if self._leave_by is not None and now >= self._leave_by:
            self._go(now)
        elif self._dial_at is not None and now >= self._dial_at:
            self._dial_at = None
            self.phase = ConnectionPhase.DIALLING
            self._dial = True
        elif self._greet_at is not None and now >= self._greet_at:
            self._greet(now)
        elif self._overdue(now):
            self._hang_up = True
            self._lose(Disconnect(DisconnectReason.SILENT), now)
        elif self._liveness is not None and (ping := self._liveness.check(now)) is not None:
            self._commands.append(ping)
        return self._result(now)

    # --- the connection's life ------------------------------------------------------------------------------------

    def _lose(self, loss: Disconnect, now: float) -> None:
        was, words = self.phase, self._last_words
        self._liveness = self._answer_by = self._last_words = None
        self._keep_wishes()
        self.timeline.lost()
        self.phase = ConnectionPhase.OFFLINE
        code, text = (words.code, words.text) if words is not None else (None, "")
        held_until, self._greet_at = self._greet_at, None
        if self._said_quit:
            self._end(events.ClientEnded(events.EndReason.QUIT))
        elif self._account.logged_out:
            self._end(events.ClientEnded(events.EndReason.LOGGED_OUT))
        elif code in _FOR_GOOD:
            self._end(events.ClientEnded(events.EndReason.CLOSED, code=code, text=text))
        elif self._waits_for_a_person:
            self._dial_at = None  # dial again when it is given: the server does not wait for a person for ever
            if was not in ASKING:
                self._end(events.ClientEnded(events.EndReason.UNREACHABLE, loss, code, text))
        elif held_until is not None:
            self._dial_at = max(held_until, now + (words.retry_after_s or 0.0 if words is not None else 0.0))
        elif self._welcomed_at is None:
            self._end(events.ClientEnded(events.EndReason.UNREACHABLE, loss, code, text))
        else:
            self._retry_later(loss, words, now)

    def _retry_later(self, loss: Disconnect, words: Closing | None, now: float) -> None:
        if self._lost_at is None:
            self._lost_at = now
            self._tell(events.ConnectionLost(loss, *((words.code, words.text) if words is not None else (None, ""))))
            if self._welcomed_at is not None:
                explained = words is not None and words.code is not ErrorCode.INTERNAL
                self._backoff.ended(now - self._welcomed_at, explained=explained)
        delay_s = self._backoff.next_delay_s((words.retry_after_s or 0.0) if words is not None else 0.0)
        self._dial_at = now + delay_s
        self._tell(events.Reconnecting(delay_s, self._backoff.attempt, loss))

    def _overdue(self, now: float) -> bool:
        unanswered = self._answer_by is not None and now >= self._answer_by
        return unanswered or (self._liveness is not None and self._liveness.dead(now))

    def _end(self, ended: events.ClientEnded) -> None:
        if self.unsent:
            self._tell(events.MessagesLost(self.unsent))
        self.phase = ConnectionPhase.ENDED
        self._hang_up = True
        self._tell(ended)

    # --- leaving --------------------------------------------------------------------------------------------------

    def _finish(self, patience_s: float, now: float) -> None:
        if self.leaving:
            self.hurried = True
            self._go(now)
            return
        self._leave_by = now + patience_s
        if self.unsent and patience_s > 0:
            self._tell(events.LeavingChat(self.unsent))
        self._leave_when_done(now)

    def _leave_when_done(self, now: float) -> None:
        if not self.leaving or self._said_quit or self.phase is ConnectionPhase.ENDED:
            return
        if not self.unsent and not self.timeline.catching_up:
            self._say_goodbye(now)

    def _say_goodbye(self, now: float) -> None:
        if self.phase in {ConnectionPhase.OFFLINE, ConnectionPhase.DIALLING, *ASKING}:
            self._end(events.ClientEnded(events.EndReason.QUIT))
            return
        self._said_quit = True
        self._commands.append(Quit())
        self._leave_by = now + GOODBYE_S

    def _go(self, now: float) -> None:  # noqa: ARG002 - symmetrical with the other endings
        if (
            self.phase in {ConnectionPhase.GREETING, ConnectionPhase.REJOINING, ConnectionPhase.ONLINE}
            and not self._said_quit
        ):
            self._said_quit = True
            self._commands.append(Quit())
        self._end(events.ClientEnded(events.EndReason.QUIT))

    # --- intents --------------------------------------------------------------------------------------------------

    def _wish(self, action: actions.Action, now: float) -> None:
        match action:
            case actions.ChooseName(name):
                self._choose_name(name, now)
            case actions.GivePassword(password):
                self._give_password(password, now)
            case actions.SendMessage(text, target, reply):
                self._typing_state.said()
                self._speak(target, text, reply=reply)
            case actions.SendDirect(name, text):
                self._typing_state.said()
                self._whisper(name, text)
            case actions.JoinRoom(room):
                self._enter(room)
            case actions.LeaveRoom(room):
                self._depart(room)
            case actions.SelectConversation(target):
                self._look_at(target)
            case actions.AskWho() | actions.AskRooms() | actions.AskHistory():
                self._ask(action)
            case actions.IgnorePerson(name):
                self._ignore(name)
            case actions.LeaveChat(patience_s):
                self._finish(patience_s, now)
            case (
                actions.RegisterAccount()
                | actions.SetPassword()
                | actions.AskLogins()
                | actions.EndLogin()
                | actions.AskCertificates()
                | actions.AddLoginCertificate()
                | actions.RemoveLoginCertificate()
            ):
                self._about_account(action)
            case _:
                self._converse(action, now)

    # --- events ---------------------------------------------------------------------------------------------------

    def _handle(self, event: Event, now: float) -> None:  # noqa: C901, PLR0912, PLR0915 - one flat match
        match event:
            case Welcome():
                self._welcomed(event, now)
            case Joined():
                self._joined(event)
            case Left():
                self._left(event)
            case Named(name, ref):
                self._requests.close(ref)
                self._renamed(name)
            case Done() if self._done(event):
                pass
            case Registered() | Done() | LoginList() | CertificateList():
                self._account.answered(event, self.me)
                self._end_when_logged_out()
            case ReadElsewhere():
                self._read_elsewhere(event)
            case Notice(text, sent_at_ms):
                self._tell(events.AnnouncementShown(text, sent_at_ms))
            case Message():
                self.people.see(event.sender_id, event.name)
                self.timeline.live(event)
            case Edited() | Deleted() | Reacted():
                self.timeline.live(event)
            case RoomRules():
                self._rules(event)
            case RoleChanged():
                self._role(event)
            case Invited():
                self._invited(event)
            case TypingNow():
                self._typing(event, now)
            case Acked(client_id, seq):
                self._acked(client_id, seq)
            case Refused():
                self._refused(event, now)
            case Throttled(retry_after_s):
                self._throttled(retry_after_s, now)
            case HistoryPage() | SearchPage() | UnreadList():
                self.timeline.answered(event)
            case Roster() | RoomsPage() | Found():
                self._answered(event)
            case Presence():
                self._told.extend(self.membership.presence(event, self.me.id))
            case Closing():
                self._closing(event)
            case Ping(n):
                self._commands.append(Pong(n))
            case Pong(n):
                if n == FENCE:
                    self._confirm()
            case _:
                assert_never(event)

    def _closing(self, event: Closing) -> None:
        self._last_words = event
        if event.code is ErrorCode.LOGGED_OUT:
            self._account.logged_out = self._account.logging_out
            self._account.forget(self.me.name)

    def _throttled(self, retry_after_s: float, now: float) -> None:
        self._paused_until = max(self._paused_until, now + retry_after_s)
        if self._answer_by is not None:
            self._answer_by = max(self._answer_by, now + retry_after_s + ANSWER_S)
        if self._liveness is not None:
            self._liveness.excuse(now, retry_after_s)
        if self._send_queue.slow_down():
            self._tell(events.RateLimited(retry_after_s))

    def _refused(self, event: Refused, now: float) -> None:
        if self.phase is ConnectionPhase.GREETING:
            self._hello_refused(event, now)
        elif event.client_id is not None:
            self._line_refused(event.client_id, event, now)
        elif not self._reading_refused(event, retry_at(event, now), now):
            self._request_refused(event)

    # --- the end of every input -----------------------------------------------------------------------------------

    def _result(self, now: float) -> CoreOutput:
        if self.phase is ConnectionPhase.ONLINE:
            self._send_what_may_go(now)
            if self._login.account and (read := self._read_markers.due(now)) is not None:
                self._commands.append(read)
        if self._typing_state.expire(now):
            self._tell(TypingChanged())
        self._leave_when_done(now)
        output = CoreOutput(tuple(self._commands), tuple(self._told), self._dial, self._hang_up)
        self._commands, self._told = [], []
        self._dial = self._hang_up = False
        return output
