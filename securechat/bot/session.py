"""One bot's session behind both clients: the client core on the network's thread, asked from any other thread.

Everything here but `Session`'s public methods runs on the network's thread. A caller gets a future for each request,
and every future is settled, at the latest when the session ends. What is heard waits in one queue; while more than
`MOST_WAITING` entries wait, the connection is not read, so that a slow handler costs no memory: the log has the rest.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeAlias

from securechat import __version__, model
from securechat.bot.records import BotError, Refused, StartupFailed, Stopped
from securechat.client import outcome
from securechat.client.connection_plan import ConnectionPlan
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConnectionPhase, ConversationId, EarlierRun, PersonKey, Visibility
from securechat.client.network import NetworkThread
from securechat.errors import Refusal
from securechat.text.names import check_room

MOST_WAITING = 1_000
"""Entries that wait to be taken before the connection is not read any more; some 16 MB with the longest texts."""
_HEARD = (
    events.MessageShown, events.MessageChanged, events.MessagesPurged, events.HistoryReset, events.RoomLeft,
    events.ConnectionLost, events.BackOnline,
)  # fmt: skip
Heard: TypeAlias = (
    events.MessageShown
    | events.MessageChanged
    | events.MessagesPurged
    | events.HistoryReset
    | events.RoomLeft
    | events.ConnectionLost
    | events.BackOnline
)


class Session:
    """A session.

    Args:
        plan: the server, how to verify it, and who the bot is.
        known: where an earlier run ended; None to begin with what is said from now on.

    Attributes:
        core: read on the network's thread, or where a single number is wanted.
        closed: whether the program has closed it.
    """

    def __init__(self, plan: ConnectionPlan, known: EarlierRun | None) -> None:
        self._target = plan.server_target
        self.core = ClientCore(
            secret=plan.secret,
            jitter=random.random,
            name=plan.name,
            client=f"securechat.bot {__version__}",
            credentials=plan.credentials,
            visibility=Visibility.NOBODY,
            known=known,
        )
        self.network = NetworkThread(self.core, plan.server_target, self._heard)
        self._lock = threading.Lock()
        self._open: set[Future[Any]] = set()
        self._end: BotError | None = None
        self._started: Future[model.Person] = Future()
        self._waiting: deque[Heard] = deque()
        self._taker: Future[Heard] | None = None
        self._numbers = 0
        self._questions: dict[int, tuple[Future[model.Event], actions.AskServer | None]] = {}
        self._unasked: list[actions.AskServer] = []
        self._sent: dict[int, Future[int]] = {}
        self._joins: dict[str, list[Future[None]]] = {}
        self._rejection: Refused | None = None
        self._paused = False
        self.closed = False

    # --- from any thread ----------------------------------------------------------------------------------------------

    def start(self) -> Future[model.Person]:
        """Connect and log in; the result is the bot itself. Raises StartupFailed."""
        self._open.add(self._started)
        self.network.start()
        return self._started

    def take(self) -> Future[Heard]:
        """Return the next thing heard, in order; one taker at a time."""
        return self._run(self._take)

    def join(self, room: str) -> Future[None]:
        """Enter a room, at once or after the reconnect."""
        return self._run(lambda future: self._join(room, future))

    def send(self, target: str | int, text: str, reply: int | None = None, key: str | None = None) -> Future[int]:
        """Send a message to a room, by name, or to a person, by number; the result is its seq, when it is durable."""
        return self._run(lambda future: self._send(actions.SendMessage(text, self._key(target), reply, key), future))

    def change(
        self, target: str | int, seq: int, kind: model.RevisionKind, text: str = "", emoji: str = ""
    ) -> Future[int]:
        """Change a message; the result is the seq of the change, when it is durable."""
        return self._run(
            lambda future: self._send(actions.ChangeMessage(self._key(target), kind, seq, text, emoji), future)
        )

    def ask(self, make: Callable[[int], model.Command]) -> Future[model.Event]:
        """Ask the server; asked again after a lost connection."""
        return self._run(lambda future: self._ask(make, future))

    def ask_log(self, make: Callable[[int], model.History | model.Search]) -> Future[model.Event]:
        """Ask for a page of the log, one question after the other."""
        return self._run(lambda future: self._ask_log(make, future))

    @property
    def waiting(self) -> int:
        """How many entries wait to be taken."""
        return len(self._waiting)

    def close(self, patience_s: float = 3.0) -> None:
        """Say goodbye, and wait until the network's thread has ended."""
        self.closed = True
        self.network.act(actions.LeaveChat(patience_s))
        if self._started in self._open or self.network.wait(0.0):
            return
        if not self.network.wait(patience_s + 5.0):
            self.network.act(actions.LeaveChat(0.0))
            self.network.wait(5.0)

    def _run(self, do: Callable[[Future[Any]], None]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._end is not None:
                future.set_exception(self._end)
                return future
            self._open.add(future)

        def on_network() -> None:
            if future.cancelled():
                self._forget(future)
                return
            try:
                do(future)
            except BotError as error:
                self._fail(future, error)
            except Refusal as refusal:  # of a name, before the server was asked
                self._fail(future, Refused(refusal.code.value, refusal.detail, refusal.arguments))

        self.network.post(on_network)
        return future

    # --- on the network's thread --------------------------------------------------------------------------------------

    def _settle(self, future: Future[Any], result: Any) -> bool:
        """Give a caller its result; tell whether it still wants it."""
        self._forget(future)
        try:
            future.set_result(result)
        except InvalidStateError:  # it was cancelled
            return False
        return True

    def _fail(self, future: Future[Any], error: BotError) -> None:
        self._forget(future)
        with contextlib.suppress(InvalidStateError):
            future.set_exception(error)

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._open.discard(future)

    def _key(self, target: str | int) -> ConversationId:
        return PersonKey(target) if isinstance(target, int) else self.core.room(check_room(target))

    def _take(self, future: Future[Heard]) -> None:
        if self._waiting:
            if self._settle(future, self._waiting[0]):
                self._waiting.popleft()
            self._pace()
        else:
            self._taker = future

    def _pace(self) -> None:
        if len(self._waiting) > MOST_WAITING and not self._paused:
            self._paused = self.network.pause()
        elif self._paused and len(self._waiting) <= MOST_WAITING // 2:
            self._paused = False
            self.network.resume()

    def _join(self, room: str, future: Future[None]) -> None:
        name = self.core.room(check_room(room)).room
        if self.core.phase is ConnectionPhase.ONLINE and name in self.core.rooms:
            self._settle(future, None)
            return
        self._joins.setdefault(name, []).append(future)
        if len(self._joins[name]) == 1:
            self._act(actions.JoinRoom(name))

    def _send(self, action: actions.SendMessage | actions.ChangeMessage, future: Future[int]) -> None:
        before = {message.number for message in self.core.unsent}
        self._act(action)
        (number,) = {message.number for message in self.core.unsent} - before
        self._sent[number] = future

    def _ask(self, make: Callable[[int], model.Command], future: Future[model.Event]) -> None:
        self._numbers += 1
        question = actions.AskServer(self._numbers, make)
        self._questions[self._numbers] = future, question
        self._unasked.append(question)
        self._ask_again()

    def _ask_log(self, make: Callable[[int], model.History | model.Search], future: Future[model.Event]) -> None:
        self._numbers += 1
        self._questions[self._numbers] = future, None
        self._act(actions.AskLog(self._numbers, make))

    def _ask_again(self) -> None:
        while self._unasked and self.core.phase is ConnectionPhase.ONLINE:
            self.network.want(self._unasked.pop(0))

    def _act(self, action: actions.Action) -> None:
        """Give an action to the core.

        Raises:
            Refused: the core rejects it.
        """
        self._rejection = None
        self.network.want(action)
        if self._rejection is not None:
            raise self._rejection

    def _heard(self, ui_events: Sequence[UiEvent]) -> None:
        for event in ui_events:
            if isinstance(event, _HEARD):
                self._hear(event)
            self._note(event)
        if not ui_events and self.network.wait(0.0):  # the thread has ended
            self._over(Stopped("The session is over."))
        self._ask_again()
        self._pace()

    def _hear(self, event: Heard) -> None:
        if isinstance(event, events.MessageShown) and self._is_old(event.message):
            return
        taker, self._taker = self._taker, None
        if taker is None or not self._settle(taker, event):
            self._waiting.append(event)

    def _is_old(self, message: model.Message) -> bool:
        """Whether a message was said before the first run, such as a direct one that waited."""
        return not self.core.goes_on and message.seq <= self.core.began_at

    def _note(self, event: UiEvent) -> None:  # noqa: C901, PLR0912 - one flat match
        match event:
            case events.LoggedIn(me=me):
                self._settle(self._started, me)
            case events.NameNeeded():
                self._over(StartupFailed("A bot needs a name: set SECURECHAT_NAME, or give name=."))
            case events.NameRefused(name, _, text):
                self._over(StartupFailed(f"The name {name} was refused: {text}."))
            case events.PasswordNeeded(text=text):
                self._over(StartupFailed(f"The login was refused: {text}. Give a file with the password."))
            case events.PasswordTemporary(name):
                self._over(
                    StartupFailed(f"The password of {name} is a temporary one. Log in with securechat-client once.")
                )
            case events.MessageAcked(message, seq):
                if (future := self._sent.pop(message.number, None)) is not None:
                    self._settle(future, seq)
            case events.MessageRefused(message, code, text, _, arguments):
                if (future := self._sent.pop(message.number, None)) is not None:
                    self._fail(future, Refused(code.value, text, arguments))
            case events.MessagesLost(messages):
                for message in messages:
                    if (future := self._sent.pop(message.number, None)) is not None:
                        self._fail(future, Stopped("The session ended before the server had stored the message."))
            case events.RoomJoined(room) | events.RoomSelected(room):
                for waiting in self._joins.pop(room, []):
                    self._settle(waiting, None)
            case events.RequestRefused(code, text, room, _, arguments) if room in self._joins:
                for waiting in self._joins.pop(room, []):
                    self._fail(waiting, Refused(code.value, text, arguments))
            case events.ActionRejected(reason, subject, detail):
                self._rejection = Refused(reason.value, detail or f"{reason.value.replace('_', ' ')}: {subject}")
            case events.QuestionAnswered(number, answer):
                self._answered(number, answer)
            case events.ClientEnded():
                self._ended(event)
            case _:
                pass

    def _answered(self, number: int, answer: model.Event | None) -> None:
        if number not in self._questions:
            return
        future, question = self._questions[number]
        if answer is None and question is not None:
            self._unasked.append(question)  # the connection was lost: asked again on the next one
            return
        del self._questions[number]
        if isinstance(answer, model.Refused):
            self._fail(future, Refused(answer.code.value, answer.text, answer.arguments, answer.retry_after_s))
        else:
            self._settle(future, answer)

    def _ended(self, event: events.ClientEnded) -> None:
        _, why = outcome.of_end(event, self._target.host, self._target.port)
        self._over(StartupFailed(why) if self._started in self._open else Stopped(why or "The session is over."))

    def _over(self, error: BotError) -> None:
        """End: every request that is open fails, and each later one."""
        with self._lock:
            if self._end is None:
                self._end = error
            still_open = list(self._open)
        for future in still_open:
            self._fail(future, self._end)
        if self.core.phase is not ConnectionPhase.ENDED:
            self.network.want(actions.LeaveChat(0.0))
