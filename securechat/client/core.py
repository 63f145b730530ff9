"""The client without a socket, clock, thread or randomness: events and intents in, commands and happenings out.

Every input takes ``now`` (monotonic seconds) and returns an `Output`: commands to send in order, happenings to show
in order, and whether to dial or to hang up. `ClientCore.deadline` says when `tick` is wanted at the latest. A line
client, a full screen and the simulation drive the same core.

It promises its part of promise 2: every message is shown once, in its conversation's order, and every line is kept
until acknowledged, whatever the connection does in between. It refuses to know bytes, TLS and sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client.happenings import Happening, Impossible, Loss, LossKind, Wish
from securechat.client.patience import ANSWER_S, STABLE_S, Backoff, Silence
from securechat.client.requests import Entering
from securechat.client.state import Phase
from securechat.client.talk import Talk, pair, retry_at
from securechat.errors import ErrorCode, Refusal
from securechat.model import (
    PROTOCOL_VERSION,
    Acked,
    Closing,
    Command,
    Event,
    Found,
    Hello,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Named,
    Person,
    Ping,
    Pong,
    Presence,
    Quit,
    Refused,
    RoomsPage,
    Roster,
    Throttled,
    Welcome,
)
from securechat.names import LOBBY, check_name

_FOR_GOOD = frozenset(
    {
        ErrorCode.REPLACED,
        ErrorCode.UNSUPPORTED_VERSION,
        ErrorCode.BAD_FRAME,
        ErrorCode.FRAME_TOO_LARGE,
        ErrorCode.HELLO_EXPECTED,
        ErrorCode.BYE,
    }
)
"""Last words after which coming back would only repeat them."""
_NAME_CODES = frozenset({ErrorCode.NAME_IN_USE, ErrorCode.NAME_INVALID, ErrorCode.NAME_RESERVED})
GOODBYE_S = 1.0
"""For the answer to our Quit: a healthy server answers within a pass of its loop."""


@dataclass(frozen=True, slots=True)
class Output:
    """What one input leads to. Commands go out before hanging up."""

    commands: tuple[Command, ...] = ()
    happenings: tuple[Happening, ...] = ()
    dial: bool = False
    hang_up: bool = False


class ClientCore(Talk):
    """One user's session, over as many connections as it takes.

    Args:
        secret: the resume secret, 32 lower-case hex digits, made for the CA in use.
        jitter: returns a number in [0, 1).
        name: the name to ask for; None asks the user once connected.
        rooms: rooms to enter besides the lobby, as typed.
        recall: how many earlier messages to show of the room looked at, when it is entered for the first time.
        client: program and version, for the server's log.

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
    ) -> None:
        super().__init__(name or "", rooms, recall)
        self._secret = secret
        self._client = client
        self._named = name is not None
        self._backoff = Backoff(jitter)
        self._silence: Silence | None = None
        self._dial_at: float | None = 0.0
        self._welcomed_at: float | None = None
        self._lost_at: float | None = None
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
        due = [self._dial_at, self._answer_by, self._leave_by, self.feed.deadline]
        if self._silence is not None:
            due.append(self._silence.deadline)
        if self.phase is Phase.ONLINE and self._paused_until:
            due.append(self._paused_until)
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
        elif self._overdue(now):
            self._hang_up = True
            self._lose(Loss(LossKind.SILENT), now)
        elif self._silence is not None and (ping := self._silence.check(now)) is not None:
            self._commands.append(ping)
        return self._result(now)

    # --- the connection's life ------------------------------------------------------------------------------------

    def _greet(self, now: float) -> None:
        self.phase = Phase.GREETING
        self._answer_by = now + ANSWER_S
        self._silence = Silence(now)
        self._commands.append(Hello(PROTOCOL_VERSION, self.me.name, self._secret, self._client))

    def _welcomed(self, event: Welcome, now: float) -> None:
        first = self._welcomed_at is None
        if not first and (event.sender_id != self.me.id or event.live_from < self.feed.cursor):
            self._tell(told.HistoryReset())
            self.people.forget()
            self.feed.begin(event.live_from)
        elif first:
            self.feed.begin(event.live_from)
        else:
            self.feed.resume(event.live_from)
        self.me = Person(event.sender_id, event.name)
        self.feed.me = event.sender_id
        self.people.see(*pair(self.me))
        self._outgoing.start_above(event.last_client_id)
        self._welcomed_at = now
        self.phase = Phase.REJOINING
        self._answer_by = now + ANSWER_S
        if first:
            self._tell(told.Greeted(event.server, self.me))
        else:
            self._tell(told.BackOnline(now - (self._lost_at if self._lost_at is not None else now)))
        self._lost_at = None
        self._awaiting = {LOBBY}
        for room in sorted(self.membership.left_while_away):
            self._commands.append(Leave(self._requests.ref(), room))
        self.membership.left_while_away.clear()
        self._rejoin()

    def _rejoin(self) -> None:
        rooms = list(self.membership.wanted)
        self._awaiting.update(rooms)
        for start in range(0, len(rooms), 100):  # Join takes at most 100 (model.py)
            some = rooms[start : start + 100]
            self._commands.append(Join(self._requests.ask(Entering(set(some), again=True)), some))

    def _lose(self, loss: Loss, now: float) -> None:
        was, words = self.phase, self._last_words
        self._silence = self._answer_by = self._last_words = None
        self._keep_wishes()
        self.feed.lost()
        self.phase = Phase.OFFLINE
        code, text = (words.code, words.text) if words is not None else (None, "")
        if self._said_quit:
            self._end(told.Ended(told.EndCause.QUIT))
        elif code in _FOR_GOOD:
            self._end(told.Ended(told.EndCause.CLOSED, code=code, text=text))
        elif not self._named:
            self._dial_at = None  # dial again when there is a name: the server does not wait for one for ever
            if was is not Phase.NAMING:
                self._end(told.Ended(told.EndCause.UNREACHABLE, loss, code, text))
        elif self._welcomed_at is None:
            self._end(told.Ended(told.EndCause.UNREACHABLE, loss, code, text))
        else:
            self._retry_later(loss, words, now)

    def _retry_later(self, loss: Loss, words: Closing | None, now: float) -> None:
        if self._lost_at is None:
            self._lost_at = now
            self._tell(told.ConnectionLost(loss, *((words.code, words.text) if words is not None else (None, ""))))
            if self._welcomed_at is not None and now - self._welcomed_at >= STABLE_S:
                self._backoff.reset()
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
        if self.phase in {Phase.OFFLINE, Phase.DIALLING, Phase.NAMING}:
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
            case want.Speak(text, target):
                self._speak(target, text)
            case want.Whisper(name, text):
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
            case _:
                assert_never(intent)

    def _choose_name(self, name: str, now: float) -> None:
        try:
            name = check_name(name)
        except Refusal as refusal:
            self._decline(Impossible.NAME_INVALID, name, refusal.detail)
            return
        if self._named and self.phase is Phase.ONLINE:
            self._rename(name)
        elif self._named:
            self._rename_to = name  # asked for once back: a refusal then costs nobody the name they have
            self._tell(told.Postponed(Wish.NAME, name))
        else:
            self.me = Person(self.me.id, name)
            self._named = True
            if self.phase is Phase.NAMING:
                self._greet(now)
            else:
                self._dial_at = now

    # --- events ---------------------------------------------------------------------------------------------------

    def _handle(self, event: Event, now: float) -> None:  # noqa: C901, PLR0912 - one flat match
        match event:
            case Welcome():
                self._welcomed(event, now)
            case Joined():
                self._joined(event)
            case Left(room, ref):
                self._requests.close(ref)
                self._out_of(room)
            case Named(name, ref):
                self._requests.close(ref)
                self._renamed(name)
            case Message():
                self.people.see(event.sender_id, event.name)
                self.feed.live(event)
            case Acked(client_id, seq):
                if (line := self._outgoing.finish(client_id)) is not None:
                    self._tell(told.LineAcked(line, seq))
            case Refused():
                self._refused(event, now)
            case Throttled(retry_after_s):
                self._throttled(retry_after_s, now)
            case HistoryPage():
                self.feed.page(event)
            case Roster() | RoomsPage() | Found():
                self._answered(event)
            case Presence():
                self._told.extend(self.membership.presence(event, self.me.id))
            case Closing():
                self._last_words = event
            case Ping(n):
                self._commands.append(Pong(n))
            case Pong():
                pass
            case _:
                assert_never(event)

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
            self._hello_refused(event)
        elif event.client_id is not None:
            self._line_refused(event.client_id, event, now)
        elif event.ref is not None and self.feed.refused(event.ref, retry_at(event, now)):
            if retry_at(event, now) is None:
                self._tell(told.RequestRefused(event.code, event.text, event.room))
        else:
            self._request_refused(event)

    def _hello_refused(self, event: Refused) -> None:
        if event.code in _NAME_CODES:
            self.phase = Phase.NAMING
            self._named = False
            self._answer_by = self._silence = None
            self._tell(told.NameRefused(self.me.name, event.code, event.text))
        else:
            version = event.code is ErrorCode.UNSUPPORTED_VERSION
            cause = told.EndCause.VERSION if version else told.EndCause.CLOSED
            self._end(told.Ended(cause, code=event.code, text=event.text))

    # --- the end of every input -----------------------------------------------------------------------------------

    def _result(self, now: float) -> Output:
        if self.phase is Phase.ONLINE:
            self._send_what_may_go(now)
        self._leave_when_done(now)
        output = Output(tuple(self._commands), tuple(self._told), self._dial, self._hang_up)
        self._commands, self._told = [], []
        self._dial = self._hang_up = False
        return output
