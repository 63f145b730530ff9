"""The client without a socket, clock, thread or randomness: events and intents in, commands and happenings out.

Every input takes ``now`` (monotonic seconds) and returns an `Output`: commands to send in order, happenings to show
in order, and whether to dial or to hang up. `ClientCore.deadline` says when `tick` is wanted at the latest. A line
client, a full screen and the simulation drive the same core.

It promises its part of promise 2: every message is shown once, in its conversation's order, and every line is kept
until acknowledged, whatever the connection does in between. It refuses to know bytes, TLS and sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from msgspec import Struct

from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client.greeting import ASKING, FENCE, Greeting
from securechat.client.happenings import Happening, Impossible, Loss, LossKind
from securechat.client.login import Login
from securechat.client.patience import ANSWER_S, Backoff, retry_at
from securechat.client.state import Attention, Phase
from securechat.client.tidings import WritersChanged
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


class Output(Struct, frozen=True):
    """What one input leads to. Commands go out before hanging up."""

    commands: tuple[Command, ...] = ()
    happenings: tuple[Happening, ...] = ()
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
        login: Login | None = None,
        attention: Attention = Attention.NOBODY,
        typing: bool = False,
    ) -> None:
        super().__init__(name, rooms, recall, attention, client, login or Login(secret), typing=typing)
        self._backoff = Backoff(jitter)
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
        due = [self._dial_at, self._greet_at, self._answer_by, self._leave_by, self.feed.deadline]
        due.append(self._writing.deadline)
        if self._silence is not None:
            due.append(self._silence.deadline)
        if self.phase is Phase.ONLINE:
            due.append(self._paused_until or self._outgoing.deadline)
        if self.phase is Phase.ONLINE and self._login.account:
            due.append(self._reading.deadline())
        return min((when for when in due if when is not None), default=None) if self.phase is not Phase.ENDED else None

    # --- inputs ---------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> Output:
        """A verified connection is there."""
        self._last_words = None
        if self._named:
            self._greet(now)
        else:
            self.phase = Phase.NAMING
            self._tell(told.NameNeeded())
        return self._result(now)

    def disconnected(self, loss: Loss, now: float) -> Output:
        """The connection ended, or could not be made."""
        if self.phase is not Phase.ENDED:
            self._lose(loss, now)
        return self._result(now)

    def received(self, event: Event, now: float) -> Output:
        """The server said something."""
        if self.phase not in {Phase.ENDED, Phase.OFFLINE, Phase.DIALLING}:
            if self._silence is not None:
                self._silence.heard(now)
            self._handle(event, now)
        return self._result(now)

    def intend(self, intent: want.Intent, now: float) -> Output:
        """The user wants something."""
        if self.phase is not Phase.ENDED:
            if self.leaving and not isinstance(intent, want.Finish):
                self._decline(Impossible.LEAVING)
            else:
                self._wish(intent, now)
        return self._result(now)

    def tick(self, now: float) -> Output:
        """Time has passed."""
        if self.phase is Phase.ENDED:
            return Output()
        if self._leave_by is not None and now >= self._leave_by:
            self._go(now)
        elif self._dial_at is not None and now >= self._dial_at:
            self._dial_at = None
            self.phase = Phase.DIALLING
            self._dial = True
        elif self._greet_at is not None and now >= self._greet_at:
            self._greet(now)
        elif self._overdue(now):
            self._hang_up = True
            self._lose(Loss(LossKind.SILENT), now)
        elif self._silence is not None and (ping := self._silence.check(now)) is not None:
            self._commands.append(ping)
        return self._result(now)

    # --- the connection's life ------------------------------------------------------------------------------------

    def _lose(self, loss: Loss, now: float) -> None:
        was, words = self.phase, self._last_words
        self._silence = self._answer_by = self._last_words = None
        self._keep_wishes()
        self.feed.lost()
        self.phase = Phase.OFFLINE
        code, text = (words.code, words.text) if words is not None else (None, "")
        held_until, self._greet_at = self._greet_at, None
        if self._said_quit:
            self._end(told.Ended(told.EndCause.QUIT))
        elif self._account.logged_out:
            self._end(told.Ended(told.EndCause.LOGGED_OUT))
        elif code in _FOR_GOOD:
            self._end(told.Ended(told.EndCause.CLOSED, code=code, text=text))
        elif self._waits_for_a_person:
            self._dial_at = None  # dial again when it is given: the server does not wait for a person for ever
            if was not in ASKING:
                self._end(told.Ended(told.EndCause.UNREACHABLE, loss, code, text))
        elif held_until is not None:
            self._dial_at = max(held_until, now + (words.retry_after_s or 0.0 if words is not None else 0.0))
        elif self._welcomed_at is None:
            self._end(told.Ended(told.EndCause.UNREACHABLE, loss, code, text))
        else:
            self._retry_later(loss, words, now)

    def _retry_later(self, loss: Loss, words: Closing | None, now: float) -> None:
        if self._lost_at is None:
            self._lost_at = now
            self._tell(told.ConnectionLost(loss, *((words.code, words.text) if words is not None else (None, ""))))
            if self._welcomed_at is not None:
                explained = words is not None and words.code is not ErrorCode.INTERNAL
                self._backoff.ended(now - self._welcomed_at, explained=explained)
        delay_s = self._backoff.next_delay_s((words.retry_after_s or 0.0) if words is not None else 0.0)
        self._dial_at = now + delay_s
        self._tell(told.Reconnecting(delay_s, self._backoff.attempt, loss))

    def _overdue(self, now: float) -> bool:
        unanswered = self._answer_by is not None and now >= self._answer_by
        return unanswered or (self._silence is not None and self._silence.dead(now))

    def _end(self, ended: told.Ended) -> None:
        if self.unsent:
            self._tell(told.LinesLost(self.unsent))
        self.phase = Phase.ENDED
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
            self._tell(told.Leaving(self.unsent))
        self._leave_when_done(now)

    def _leave_when_done(self, now: float) -> None:
        if not self.leaving or self._said_quit or self.phase is Phase.ENDED:
            return
        if not self.unsent and not self.feed.catching_up:
            self._say_goodbye(now)

    def _say_goodbye(self, now: float) -> None:
        if self.phase in {Phase.OFFLINE, Phase.DIALLING, *ASKING}:
            self._end(told.Ended(told.EndCause.QUIT))
            return
        self._said_quit = True
        self._commands.append(Quit())
        self._leave_by = now + GOODBYE_S

    def _go(self, now: float) -> None:  # noqa: ARG002 - symmetrical with the other endings
        if self.phase in {Phase.GREETING, Phase.REJOINING, Phase.ONLINE} and not self._said_quit:
            self._said_quit = True
            self._commands.append(Quit())
        self._end(told.Ended(told.EndCause.QUIT))

    # --- intents --------------------------------------------------------------------------------------------------

    def _wish(self, intent: want.Intent, now: float) -> None:
        match intent:
            case want.ChooseName(name):
                self._choose_name(name, now)
            case want.GivePassword(password):
                self._give_password(password, now)
            case want.Speak(text, target, reply):
                self._writing.said()
                self._speak(target, text, reply=reply)
            case want.Whisper(name, text):
                self._writing.said()
                self._whisper(name, text)
            case want.Enter(room):
                self._enter(room)
            case want.Depart(room):
                self._depart(room)
            case want.LookAt(target):
                self._look_at(target)
            case want.AskWho() | want.AskRooms() | want.AskHistory():
                self._ask(intent)
            case want.Ignore(name):
                self._ignore(name)
            case want.Finish(patience_s):
                self._finish(patience_s, now)
            case (
                want.Register()
                | want.ChangePassword()
                | want.AskLogins()
                | want.EndLogin()
                | want.AskCertificates()
                | want.AddCertificate()
                | want.RemoveCertificate()
            ):
                self._about_account(intent)
            case _:
                self._converse(intent, now)

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
                self._tell(told.Announced(text, sent_at_ms))
            case Message():
                self.people.see(event.sender_id, event.name)
                self.feed.live(event)
            case Edited() | Deleted() | Reacted():
                self.feed.live(event)
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
                self.feed.answered(event)
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
        if self._silence is not None:
            self._silence.excuse(now, retry_after_s)
        if self._outgoing.slow_down():
            self._tell(told.SlowedDown(retry_after_s))

    def _refused(self, event: Refused, now: float) -> None:
        if self.phase is Phase.GREETING:
            self._hello_refused(event, now)
        elif event.client_id is not None:
            self._line_refused(event.client_id, event, now)
        elif not self._reading_refused(event, retry_at(event, now), now):
            self._request_refused(event)

    # --- the end of every input -----------------------------------------------------------------------------------

    def _result(self, now: float) -> Output:
        if self.phase is Phase.ONLINE:
            self._send_what_may_go(now)
            if self._login.account and (read := self._reading.due(now)) is not None:
                self._commands.append(read)
        if self._writing.expire(now):
            self._tell(WritersChanged())
        self._leave_when_done(now)
        output = Output(tuple(self._commands), tuple(self._told), self._dial, self._hang_up)
        self._commands, self._told = [], []
        self._dial = self._hang_up = False
        return output
