"""A bot: the real library, `AsyncClient` over `BotSession` and the client core, in a shell without threads.

It answers every message of the lobby, twice now and then, and is killed at any moment: while it waits, while it handles
a message, between its answers, and before an answer is acknowledged. Only the cursor on its disk outlives it. So every
message must be handled, once, in order, and again only where a run ended while it handled it; and no answer may be
stored twice.

It is a guest with one secret, the same sender each time, as `program.py` is; an account's place in the log is kept in
the same way, and tested with real processes (tests/e2e/test_bot.py).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from securechat.bot import AsyncClient, AsyncMessage, BotError, Refused
from securechat.bot.cursor import Cursor, Progress
from securechat.bot.session import BotSession
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore, CoreOutput
from securechat.client.core.credentials import Credentials
from securechat.client.core.state import ConnectionPhase
from securechat.errors import RemoteProtocolError
from securechat.testing.link import Connection, Death
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from securechat.wire.native import NativeClientCodec
from tests.simulation.hush import Listener

if TYPE_CHECKING:
    import random

    from securechat.testing.clock import Deadline
    from tests.simulation.world import World

_T = TypeVar("_T")
BEAT_S = 0.05
"""Between two steps of its handler once the faults have stopped."""
MOST_WAITING = 4
"""So few that they are held back in many runs."""


class Robot:
    """The bot, over all its runs.

    Attributes:
        cursor: what is on its disk.
        agains: how often a message came again.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.base = "robot"
        self.rng = world.chance.dice(self.base)
        self.secret = f"{self.rng.getrandbits(128):032x}"
        self.cursor: Cursor | None = None
        self.agains = 0
        self.me = 0
        self._begins_at: int | None = None
        self._run: Run | None = None
        self._leaves = self._is_unwanted = False
        self._handled: list[int] = []
        self._in_lobby: list[int] = []
        self._at = 0  # the message that the run before may have been handling
        self._answered: dict[tuple[int, int], int] = {}  # the seq of each answer that was told

    # --- what it does

    def act(self, dice: random.Random) -> None:
        """Start, go a step, or be killed."""
        if self._run is None:
            self._start()
        elif dice.random() < 0.12:
            self.kill()
        else:
            for _ in range(dice.choice((1, 1, 2, 5))):
                self.step()

    def _start(self) -> None:
        self._run = Run(self)
        self._run.begin()

    def step(self) -> None:
        """Let the program go on, if what it waits for is there; one that has ended is started again later."""
        run = self._run
        if run is not None and not run.step():
            self._is_unwanted = self._is_unwanted or run.is_unwanted
            self.kill()

    def kill(self) -> None:
        """Nothing but the cursor is left."""
        if self._run is not None:
            self.world.clock.note(self.base, "is killed")
            run, self._run = self._run, None
            run.kill()

    def begin_to_rest(self) -> None:
        """The faults stop: it goes on by itself until it has handled everything."""
        self.world.clock.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        if self._leaves:
            return
        if self._run is None and not self._is_unwanted:
            self._start()
        self.step()
        self.world.clock.call_later(BEAT_S, self._beat)

    @property
    def is_quiet(self) -> bool:
        """Whether it has nothing left to do."""
        return self._is_unwanted or (self._run is not None and self._run.is_quiet)

    def leave(self) -> None:
        """Enough."""
        self._leaves = True
        self.kill()

    # --- what it is told

    def begins(self, me: int, cursor: Cursor) -> None:
        """A run is logged in."""
        if self.me not in (0, me):
            raise HistoryBroken(f"the bot is {me} now, and was {self.me}")
        self.me = me
        self._at = cursor.at
        if self._begins_at is None:
            self._begins_at = cursor.done

    def hears(self, message: AsyncMessage) -> None:
        """A message is handed out.

        Raises:
            HistoryBroken: it was handed out before, or is said to come again and does not.
        """
        if message.own:
            raise HistoryBroken(f"the bot was handed its own message {message.seq}")
        if self._begins_at is not None and message.seq <= self._begins_at:
            raise HistoryBroken(f"the bot was handed {message.seq}, said before it first came")
        seqs = self._handled
        if message.again and message.seq != self._at:
            raise HistoryBroken(f"{message.seq} is said to come again, and the bot was handling {self._at}")
        if message.seq in seqs and not (message.again and message.seq == seqs[-1]):
            raise HistoryBroken(f"the bot was handed {message.seq} twice")
        if message.room == LOBBY and message.seq < max(self._in_lobby, default=0):
            raise HistoryBroken(f"the bot was handed {message.seq} after {max(self._in_lobby)}")
        self._handled.append(message.seq)
        self.agains += message.again
        if message.room == LOBBY:
            self._in_lobby.append(message.seq)

    def write(self, cursor: Cursor) -> None:
        """Keep the cursor, as `CursorFile` does."""
        self.cursor = cursor

    @property
    def handled(self) -> int:
        """How many messages it was handed."""
        return len(self._handled)

    def answered(self, message: AsyncMessage, number: int, seq: int) -> None:
        """An answer is durable, the library says.

        Raises:
            HistoryBroken: it is another one than before.
        """
        if self._answered.setdefault((message.seq, number), seq) != seq:
            raise HistoryBroken(f"answer {number} to {message.seq} is {self._answered[message.seq, number]}, and {seq}")

    def check(self) -> None:
        """Each message was handled, and each answer is stored once.

        Raises:
            HistoryBroken: it is not so.
        """
        if self._begins_at is None:
            return
        stored: dict[str, list[int]] = {}
        transcript, handled = self.world.storage.transcript, set(self._handled)
        for seq, said in transcript.said.items():
            first = said.states[0][1]
            if first.sender_id == self.me:
                stored.setdefault(first.text, []).append(seq)
            elif self._must_hear(seq) and seq not in handled:
                raise HistoryBroken(f"the bot was never handed {seq}")
        for text, seqs in stored.items():
            if len(seqs) > 1:
                raise HistoryBroken(f"the bot's {text!r} was stored as {seqs}")
        for (seq, number), answer in self._answered.items():
            if stored.get(f"answer {seq}.{number}", [answer]) != [answer]:
                raise HistoryBroken(f"answer {number} to {seq} was acknowledged as {answer}, and is not")

    def _must_hear(self, seq: int) -> bool:
        said = self.world.storage.transcript.said[seq]
        assert self._begins_at is not None
        if said.states[0][1].room != LOBBY or seq <= self._begins_at or self._is_unwanted:
            return False
        return not said.may_be_gone and seq > self.world.house.hears_above(LOBBY, self.me)[1]


class RobotClient(AsyncClient):
    """The library's client, waiting by hand."""

    def __init__(self, robot: Robot, session: BotSession) -> None:
        super().__init__(name="robot")
        self.robot = robot
        self._session = session

    async def begin(self) -> None:
        """As `AsyncClient.__aenter__`; the guest's place is kept, too."""
        self._me = await self._wait(self._live.start())
        cursor = self._live.begins_at()
        self.robot.begins(self._me.id, cursor)
        self._progress = Progress(cursor)
        self._cursor = self.robot  # type: ignore[assignment]  # which keeps what is written
        self._keep()

    async def _aside(self, do: Callable[..., _T], *arguments: Any) -> _T:
        await _Moment()
        result = do(*arguments)
        await _Moment()
        return result

    async def _wait(self, future: Future[_T]) -> _T:
        while not future.done():
            await _Moment()
        return future.result()


class _Moment:
    """Lets the world go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Run:
    """One run of the program: what `securechat.client.network` does for it, without a thread (session.BotNetwork)."""

    failure: BaseException | None = None

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.world = world = robot.world
        self.core = core = ClientCore(
            secret=robot.secret,
            jitter=robot.rng.random,
            name=world.styled("robot"),
            client="securechat.bot",
            credentials=Credentials(robot.secret),
            known={robot.me: robot.cursor.done} if robot.cursor is not None else {},
        )
        self.session = BotSession(core, "server", 1, MOST_WAITING)
        self.session.cursors = {robot.me: robot.cursor} if robot.cursor is not None else {}
        self.session.network = self
        self.is_unwanted = False
        self._client = RobotClient(robot, self.session)
        self._program: Coroutine[Any, Any, None] = self._answer()
        self._line: RobotLine | None = None
        self._timer: Deadline | None = None
        self._is_dead = self._is_handling = False

    # --- the program

    async def _answer(self) -> None:
        chat, robot = self._client, self.robot
        await chat.begin()
        async for message in chat.messages(bots=True):
            self._is_handling = True
            robot.hears(message)
            await _Moment()
            for number in range(1, 1 + (message.seq % 3)):
                try:
                    seq = await message.reply(f"answer {message.seq}.{number}")
                except Refused:
                    break  # muted, or the message was deleted: the next run may be luckier
                if seq is not None:
                    robot.answered(message, number, int(seq))
                await _Moment()
            self._is_handling = False

    def begin(self) -> None:
        """Start the program."""
        self.step()

    def step(self) -> bool:
        """Let the program go on until it waits; tell whether it still runs."""
        try:
            self._program.send(None)
        except StopIteration:
            return False
        except BotError as error:
            self.world.clock.note(self.robot.base, f"ends: {error}")
            return False
        return True

    @property
    def is_quiet(self) -> bool:
        """Online, and with nothing left to handle."""
        core = self.core
        if self._line is None or self._line.connection.dead or core.phase is not ConnectionPhase.ONLINE:
            return False
        return not (self._is_handling or core.unsent or core.catching_up or core.reading or self.session.waiting)

    def kill(self) -> None:
        """End it at once."""
        self._is_dead = True
        self._program.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._line is not None:
            self._line.drop()
            self._line = None

    # --- as client.network.NetworkThread

    def start(self) -> None:
        """The core's first tick connects."""
        self._rearm()

    def post(self, callback: Callable[[], None]) -> None:
        """There is no other thread."""
        if not self._is_dead:
            callback()

    def act(self, action: actions.Action) -> None:
        """The same."""
        self.want(action)

    def want(self, action: actions.Action) -> None:
        """Pass an action to the core."""
        self.apply(self.core.act(action, self.now))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it is over."""
        return self.core.phase is ConnectionPhase.ENDED

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> object:
        """Call back, if the run still goes on."""
        return self.world.clock.call_later(delay_s, lambda: self.post(callback))

    @property
    def now(self) -> float:
        return self.world.clock.now

    def apply(self, output: CoreOutput) -> None:
        """Do what the core wants done."""
        if self._line is not None:
            self._line.send(output)
        if output.ui_events:
            self._hear(output.ui_events)
        if output.hang_up and self._line is not None:
            self._line.connection.client.close()
            self._line = None
        if output.dial and not self._is_dead:
            self._dial()
        self._rearm()

    def _hear(self, ui_events: Sequence[events.UiEvent]) -> None:
        for each in ui_events:
            if self.world.clock.tracing and not isinstance(each, events.RoomJoined | events.MembersJoined):
                self.world.clock.note(self.robot.base, f"is told {each!r}"[:400])
            if isinstance(each, events.ClientEnded | events.NameRefused):
                self.is_unwanted = isinstance(each, events.NameRefused) or each.code is not None
        self.session.heard(ui_events)

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_dead and (deadline := self.core.deadline()) is not None:
            self._timer = self.world.clock.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.apply(self.core.tick(self.now))

    def _dial(self) -> None:
        if self._line is not None:
            self._line.drop()
            self._line = None
        connection = self.world.dial("10.77.0.2", None)
        if connection is None:
            self.call_later(0.01, lambda: self.lost(None, events.DisconnectReason.REFUSED))
            return
        self._line = line = RobotLine(self, connection)
        self.call_later(10.0, lambda: None if line.is_open else self.lost(line, events.DisconnectReason.TIMEOUT))

    def lost(self, line: RobotLine | None, reason: events.DisconnectReason) -> None:
        """No connection any more."""
        if self._line is line and not self._is_dead:
            if line is not None:
                line.drop()
            self._line = None
            self.apply(self.core.disconnected(events.Disconnect(reason), self.now))


class RobotLine:
    """One connection of it."""

    def __init__(self, run: Run, connection: Connection) -> None:
        self.connection = connection
        self.is_open = False
        self._run = run
        self._codec = NativeClientCodec(run.world.pages.frame_bytes)
        self._listener = Listener(run.world.hush, run.robot.base)
        connection.client.start(self)

    def send(self, output: CoreOutput) -> None:
        """Write commands."""
        for command in output.commands:
            self._run.world.records += 1
            if self._run.world.clock.tracing:
                self._run.world.clock.note(self._run.robot.base, f"> {command!r}"[:400])
            self.connection.client.write(NativeClientCodec.encode(command))

    def opened(self) -> None:
        """The handshake is over."""
        self.is_open = True
        if self._run._line is self:
            self._run.apply(self._run.core.connected(self._run.now))

    def data_received(self, data: bytes) -> None:
        """What the server says."""
        self._codec.receive_data(data)
        try:
            while self._run._line is self and (event := self._codec.next_event()) is not None:
                self._run.world.records += 1
                if self._run.world.clock.tracing:
                    self._run.world.clock.note(self._run.robot.base, f"< {event!r}"[:400])
                self._run.apply(self._run.core.received(event, self._run.now))
        except RemoteProtocolError as error:
            raise HistoryBroken(f"the bot is sent nonsense: {error.detail}") from error
        self._listener.heard(data, {self._run.robot.me} if self._run.robot.me else set())

    def closed(self, *, broken: bool) -> None:
        """The connection is over."""
        self._run.lost(self, events.DisconnectReason.CLOSED)

    def drop(self) -> None:
        """The program is gone."""
        self.connection.client.abort()
        self.connection.die(Death.RESET)
