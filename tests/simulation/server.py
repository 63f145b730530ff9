"""The server process of a simulation: `securechat.server.app` with the world exchanged, and everything else as it is.

Hub, sessions, codecs, fan-out, loop, timers, transports and outboxes are the real ones. The log is the real one, over
the memory store or over SQLite on a disk in memory. `kill` and `cut_power` end the process at this very moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.hub.context import HubContext
from securechat.hub.hub import Hub
from securechat.hub.interfaces import OperatorEvent, Peer
from securechat.model import ALPN, FILES_FEATURE, Closing
from securechat.net.broadcast import write_all
from securechat.net.transport import Transport
from securechat.records.log import LogState
from securechat.server.session import Session
from securechat.testing.keys import plain_keys
from securechat.testing.link import Connection, Death
from securechat.testing.loop_passes import SimulatedPasses
from securechat.text.names import LOBBY
from securechat.wire.http import HTTP_ALPN
from securechat.wire.native import NativeServerCodec
from securechat.wire.negotiation import CodecTable, SpokenProtocol
from tests.simulation.file_disk import SimulatedFileDisk
from tests.simulation.flavour import FILES, HTTP, OUTGOING
from tests.simulation.http_side import HttpSide
from tests.simulation.receiver import SimulatedWorker
from tests.simulation.watch import Watch, WatchedLog, WatchedOutlet, WatchedSession
from tests.simulation.work import CountedFormat, Work

if TYPE_CHECKING:
    import random

    from tests.simulation.world import World


STRETCH = 32
"""Seqs that the index takes in at once: a run has some hundreds, and shall see what happens between two stretches."""


_LINK_SECRET = bytes(32)
COMPARED_S = (0.2, 3.0)
"""After the start, until disk and log are compared."""
INJECTED = 0.1
"""How many answers to questions raise, where there are bugs."""


class Injected(Exception):  # nobody's error
    """What a completion raises that no code expected."""


class SimulatedServer:
    """One process, from start to end.

    Attributes:
        sessions: its connections.
        alive: whether the process runs.
        failed_at: when its log failed.
        draining: whether it stops in good order, and takes no commands any more.
        work: what its loop has computed.
        format: how its events look.
    """

    hears_messages = True

    def __init__(self, world: World, rng: random.Random) -> None:
        clock, limits = world.clock, world.limits
        self.clock = clock
        self.rng = rng
        self.storage = storage = world.storage
        self.limits = limits
        self.alive = True
        self.failed_at = float("inf")
        self.draining = False
        self.unowned: dict[str, float] = {}  # names in use by nobody who is here, and since when
        self.world = world
        self.watch = watch = Watch(world)
        self.sessions: dict[WatchedSession, tuple[Transport, Connection]] = {}
        self.http: HttpSide | None = None
        self.work = work = Work()
        self.format = CountedFormat(world.pages, work)
        self._codecs = CodecTable([SpokenProtocol(ALPN, lambda: NativeServerCodec(self.format))])
        self.passes = SimulatedPasses(clock, limits, world.after_pass, work.pass_is_over, self._on_error())
        self.loop = self.passes.loop
        self._tick_timer: Any = None
        self._tick_at = 0.0
        self._delivered_at = 0.0
        self._pending: deque[Callable[[], None]] = deque()
        self.canary_pass = self.loop.passes
        write_s, self._thread_s = rng.choice(((0.0005, 0.003), (0.002, 0.02), (0.01, 0.1))), (0.0001, 0.002)
        self.log = WatchedLog(
            storage.store(),
            limits,
            write_later=lambda callback: self._later(write_s, callback),
            read_later=lambda callback: self._later((0.0005, 0.02), callback),
            deliver=self._deliver,
            free_bytes=storage.free_bytes,
            clock=clock.monotonic,
            call_at=self._call_at,
            stretch=STRETCH,
        )
        watch.loop = self.loop
        self.log.watch = watch
        keys = plain_keys(lambda callback: self._later((0.005, 0.05), lambda: self.loop.post(callback)), clock.wall_ms,
                          seed=rng.getrandbits(32))  # fmt: skip
        self.hasher: Any = keys.hasher
        outlet = WatchedOutlet(watch, write_all)
        rates = "rates" in world.flavour
        self.disk = SimulatedFileDisk(self) if FILES in world.flavour else None
        files: dict[str, Any] = {}
        if self.disk is not None:
            files = {"file_disk": self.disk, "link_secret": lambda: _LINK_SECRET, "file_features": (FILES_FEATURE,)}
        context = HubContext(
            self.log,
            outlet,
            self,
            limits,
            authentication=keys,
            alarm=self._alarm,
            rates=rates,
            pages=world.pages,
            containment=self.loop.containment,
            **files,
        )
        self.hub = Hub(context)
        self.loop.on_pass = self.hub.begin_pass
        self._let_answers_fail()
        work.measure(self.hub)
        self.admin_commands = self.hub.admin_commands
        self.worker = SimulatedWorker(self) if OUTGOING in world.flavour else None
        if HTTP in world.flavour:
            self.http = HttpSide(self)

    # --- bugs, in worlds that have some

    def _on_error(self) -> Callable[[Any], None] | None:
        return self._contained if "bug" in self.world.flavour else None

    def _contained(self, failure: Any) -> None:
        """What a piece of work raised has cost its connection: it must have been meant to."""
        if isinstance(failure.error, Injected):
            self.clock.note("server", f"a bug: {failure}")
        elif self.world.unexpected is None:
            self.world.unexpected = failure.error

    def _let_answers_fail(self) -> None:
        """Let completions of questions raise, now and then."""
        if "bug" not in self.world.flavour:
            return
        log_reads, dice = self.hub._log_reads, self.world.chance.dice("bugs", self.rng.random())
        is_answered = log_reads._is_answered

        def fails(peer: Peer, ref: int, answer: object) -> bool:
            if not self.world.calm and dice.random() < INJECTED:
                raise Injected
            return is_answered(peer, ref, answer)

        log_reads._is_answered = fails  # type: ignore[method-assign]

    def start(self) -> LogState:
        """Open the log and serve; raises LogError when the disk does not let it."""
        state = self.log.start(self.hub.on_commit, self._log_failed)
        now_ms = self.clock.wall_ms()
        self.hub.restore(state, self.clock.now, now_ms, now_ms)  # a clock that is moved here is believed: days pass so
        if self.worker is not None:
            self.worker.feed.start()
        if self.hub.files is not None:
            self._later(COMPARED_S, self._compare)
        self._sing()
        return state

    def _compare(self) -> None:
        """What the process does soon after its start, and once a day."""
        files = self.hub.files
        if self.log.failure is None and files is not None and files.uploads.is_loaded and not files.uploads.is_empty:
            files.compare(lambda found: self.world.file_law.compared(found) if self.alive else None)
            self.passes.wake()

    # --- threads and disks

    def _later(self, span_s: tuple[float, float], callback: Callable[[], None]) -> None:
        low, high = span_s
        self.clock.call_later(low + (high - low) * self.rng.random(), lambda: callback() if self.alive else None)

    def _call_at(self, when: float, callback: Callable[[], None]) -> None:
        self.clock.call_at(when, lambda: callback() if self.alive else None)

    def _deliver(self, callback: Callable[[], None]) -> None:
        """From a thread to the loop, in order."""
        low, high = self._thread_s
        when = self._delivered_at = max(self._delivered_at, self.clock.now + low + (high - low) * self.rng.random())
        self.clock.call_at(when, lambda: self.loop.post(callback) if self.alive else None)

    # --- connections

    def accept(self, connection: Connection) -> None:
        """A client has connected."""
        sock: Any = connection.server
        sock.on_change = self.passes.wake
        transport = Transport(self.loop, sock, sock.peer, sock)
        if self.http is not None and sock.selected_alpn_protocol() == HTTP_ALPN:
            self.http.accept(transport, connection)
            self.passes.wake()
            return
        label = f"{sock.peer[0]}:{sock.peer[1]}"
        session = WatchedSession(self.watch, self.hub, transport, self.loop, self.limits, self, label, self._codecs)
        self.sessions[session] = (transport, connection)
        transport.start(session)
        self.passes.wake()

    def connected(self, session: Session) -> None:
        """A session's handshake is done."""

    def disconnected(self, session: Session, name: str, reason: str, detail: str) -> None:
        """A session is over."""
        del self.sessions[session]
        if name and all(self.hub.name_of(other) != name for other in self.sessions):
            self.world.law.lost(name)
        self.clock.note("server", f"{session.label} {name!r} is gone: {reason} {detail}")

    def logged_in(self, kind: LoginKind) -> None:
        """A hello was accepted."""

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        """A request was refused."""

    def stream_closed(self, code: ErrorCode) -> None:
        """An event stream was ended."""

    def happened(self, what: OperatorEvent, peer: Peer | None, name: str, detail: str, text: str = "") -> None:
        """The hub tells."""
        if what is OperatorEvent.SAID and peer is not None:
            self.world.said(peer, text)
        elif what is OperatorEvent.NAMED and isinstance(peer, Session):
            self.world.file_law.logins[peer.link.address] += 1
            if self.hub._connections[peer].member.account:  # whoever has the proof: the door's own tests see to that
                self.world.law.expelled(name)
            else:
                self.world.law.named(self.world.owner_of(peer.link.address), name)
            self.clock.note("server", f"{peer.label} is {name!r} {detail}")
        elif what is OperatorEvent.RENAMED:
            self.world.law.renamed(detail, name)
        elif what is OperatorEvent.LEFT and detail == LOBBY:
            self.world.law.left(name)

    # --- timers, as in server/app.py

    def _alarm(self, when: float) -> None:
        if self._tick_timer is None or when < self._tick_at:
            if self._tick_timer is not None:
                self._tick_timer.cancel()
            self._tick_at = when
            self._tick_timer = self.loop.call_at(when, self._tick)
            self.passes.wake()

    def _tick(self) -> None:
        self._tick_timer = None
        self.hub.tick()

    def _sing(self) -> None:
        """A canary: a timer made in a pass that would fire in the same pass could hold the loop for ever."""
        left = 3

        def sing() -> None:
            nonlocal left
            assert self.loop.passes != self.canary_pass, "a timer fired in the pass in which it was made"
            self.canary_pass = self.loop.passes
            left -= 1
            if left:
                self.loop.call_later(0.0, sing)

        self.canary_pass = self.loop.passes
        self.loop.call_later(0.0, sing)
        self.passes.wake()

    # --- the end

    def _log_failed(self, error: Exception) -> None:
        assert self.world.storage.may_fail, f"the log failed, and no write or sync had: {error}"
        self.clock.note("server", f"the log failed: {error}")
        self.failed_at = self.clock.now
        for session, (transport, _) in list(self.sessions.items()):
            is_member = self.hub.is_member(session)
            session.close(Closing(ErrorCode.LOG_FAILED, "the server stops", retry_after_s=1.0))
            if not is_member:
                transport.abort()
        if self.http is not None:
            self.http.close(ErrorCode.LOG_FAILED)
        self.passes.wake()
        self.clock.call_later(self.limits.lingering_close_s, lambda: self.kill() if self.alive else None)

    def drain(self) -> None:
        """Stop in good order."""
        self.draining = True
        if self.worker is not None:
            self.worker.feed.stop()
        for session in self.sessions:
            session.stop_taking()
        self._wait_for_log(self.clock.now + 2.0)

    def _wait_for_log(self, deadline: float) -> None:
        if not self.alive:
            return
        if self.hub.unsettled and self.clock.now < deadline:
            self.clock.call_later(0.01, lambda: self._wait_for_log(deadline))
            return
        for session in list(self.sessions):
            session.close(Closing(ErrorCode.SHUTTING_DOWN, "the server is shutting down", retry_after_s=1.0))
        if self.http is not None:
            self.http.close(ErrorCode.SHUTTING_DOWN)
        self.passes.wake()
        self.clock.call_later(0.5, lambda: self.kill(close=True) if self.alive else None)

    def tidy(self) -> None:
        """What the process does once a day."""
        if self.alive and self.log.failure is None:
            self.hub.tidy()
            self.passes.wake()

    def kill(self, *, power: bool = False, close: bool = False) -> None:
        """End the process now: as kill -9 does, with the power, or (``close``) with its last line."""
        self.alive = False
        if self.worker is not None:
            self.worker.close()
        self.passes.stop()
        if close and self.log.failure is None:
            self.log.close()
        if self.disk is not None:
            self.disk.stop()
        self.storage.kill(self.log.abandon, power=power)
        how = Death.SILENT if power else Death.RESET
        lines = [connection for _, connection in self.sessions.values()]
        for connection in lines:
            connection.die(how)
        lines += self.http.die(how) if self.http is not None else []
        if power:
            self.world.unaware += lines
            self.world.file_law.power_cut()
        self.world.server_stopped()
