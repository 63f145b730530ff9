"""The server process of a simulation: `securechat.server.app` with the world exchanged, and everything else as it is.

Hub, sessions, codecs, fan-out, loop, timers, transports and outboxes are the real ones. The log is the real one, over
the memory store or over SQLite on a disk in memory. `kill` and `cut_power` end the process at this very moment.
"""

from __future__ import annotations

import random
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from securechat.errors import ErrorCode, LogError
from securechat.hub.hub import Hub
from securechat.hub.ports import Happening, LogState, Peer
from securechat.limits import Limits
from securechat.log.memory import MemoryStore
from securechat.log.search_index import SEARCH_INDEX
from securechat.log.sqlite import DATABASE, SqliteStore
from securechat.log.store import NoSpace
from securechat.model import Closing, Message
from securechat.names import LOBBY
from securechat.net.broadcast import write_all
from securechat.net.transport import Transport
from securechat.server.fanout import Fanout
from securechat.server.session import Session
from securechat.testing.clock import SimulatedClock
from securechat.testing.disk import disk_full, input_output
from securechat.testing.keys import plain_keys
from securechat.testing.link import Connection, Death
from securechat.testing.memory_disk import MemoryDisk
from securechat.testing.passes import SimulatedPasses
from securechat.testing.slow_log import SlowLog

if TYPE_CHECKING:
    from tests.simulation.law import Law

_SCRATCH = tempfile.TemporaryDirectory(prefix="simulation")
_number = count(1)
STRETCH = 32
"""Seqs that the index takes in at once: a run has some hundreds, and shall see what happens between two stretches."""


class Storage:
    """What survives the process: a store, and what may happen to it."""

    def __init__(self, limits: Limits, clock: SimulatedClock, rng: random.Random, *, sqlite: bool) -> None:
        self.full = False
        self.failing = ""  # "apply": the write fails; "applied": what was written is there, but nobody can be sure
        self.limits = limits
        self.clock = clock
        self.rng = rng
        self.disk: MemoryDisk | None = None
        self.memory = MemoryStore(limits, wall_ms=clock.wall_ms)
        self.memory.fault = self._fault
        if sqlite:
            self.disk = MemoryDisk(f"simulation{next(_number)}")
            self.directory = Path(_SCRATCH.name) / self.disk.name

    def store(self) -> MemoryStore | SqliteStore:
        if self.disk is None:
            return self.memory
        return SqliteStore(self.directory, self.limits, wall_ms=self.clock.wall_ms, vfs=self.disk.name, shared=False)

    def _fault(self, at: str) -> None:
        if self.full and at == "apply":
            raise NoSpace("simulated")
        if self.failing == at:
            self.failing = ""
            raise LogError("simulated")

    def free_bytes(self) -> int:
        return 1 << 62

    def fill(self, full: bool) -> None:
        self.full = full
        if self.disk is not None:
            self.disk.capacity_bytes = self.disk.used_bytes() + self.rng.choice((0, 5_000, 20_000)) if full else None

    def fail_once(self) -> None:
        """A write or a sync of the log fails; not one of the index, which is nobody's failure."""
        if self.disk is None:
            self.failing = self.rng.choice(("apply", "applied"))
        else:
            kind = self.rng.choice(("write", "sync"))
            self.disk.fail(kind, f"{DATABASE}-wal", error=input_output())  # type: ignore[arg-type]

    def fail_index(self) -> None:
        """Something fails below the search index alone, once or for a while: nobody may lose anything by it."""
        if self.disk is not None:
            kind = self.rng.choice(("create", "write", "sync", "truncate", "delete"))
            error = self.rng.choice((input_output(), disk_full))
            times, skip = self.rng.choice((1, 1, 20)), self.rng.choice((0, 0, 3, 10))
            suffix = self.rng.choice((SEARCH_INDEX, f"{SEARCH_INDEX}-wal"))
            self.disk.fail(kind, suffix, skip=skip, times=times, error=error)  # type: ignore[arg-type]

    def forgive(self) -> None:
        self.full, self.failing = False, ""
        if self.disk is not None:
            self.disk.forgive()

    def close(self) -> None:
        if self.disk is not None:
            self.disk.__exit__()


class Watch(Protocol):
    """What a world does with a server."""

    law: Law

    def after_pass(self) -> None: ...
    def owner_of(self, address: str) -> str: ...
    def said(self, peer: Peer, text: str) -> None: ...
    def server_stopped(self) -> None: ...


class SimulatedServer:
    """One process, from start to end.

    Attributes:
        sessions: its connections.
        alive: whether the process runs.
    """

    hears_messages = True

    def __init__(
        self, clock: SimulatedClock, rng: random.Random, storage: Storage, limits: Limits, watch: Watch, *, rates: bool
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.storage = storage
        self.limits = limits
        self.alive = True
        self.watch = watch
        self.sessions: dict[Session, tuple[Transport, Connection]] = {}
        self.passes = SimulatedPasses(clock, limits, watch.after_pass)
        self.loop = self.passes.loop
        self._tick_timer: Any = None
        self._tick_at = 0.0
        self._delivered_at = 0.0
        self._pending: deque[Callable[[], None]] = deque()
        self.canary_pass = self.loop.passes
        write_s, self._thread_s = rng.choice(((0.0005, 0.003), (0.002, 0.02), (0.01, 0.1))), (0.0001, 0.002)
        self.log = SlowLog(
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
        keys = plain_keys(lambda callback: self._later((0.005, 0.05), lambda: self.loop.post(callback)), clock.wall_ms,
                          seed=rng.getrandbits(32))  # fmt: skip
        self.hasher: Any = keys.hasher
        self.hub = Hub(self.log, Fanout(write_all), self, limits, keys=keys, alarm=self._alarm, rates=rates)
        self.steward = self.hub.steward

    def start(self) -> LogState:
        """Open the log and serve; raises LogError when the disk does not let it."""
        state = self.log.start(self.hub.on_commit, self._log_failed)
        self.hub.restore(state, self.clock.now, self.clock.wall_ms())
        self._sing()
        return state

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
        session = Session(self.hub, transport, self.loop, self.limits, self, f"{sock.peer[0]}:{sock.peer[1]}")
        self.sessions[session] = (transport, connection)
        transport.start(session)
        self.passes.wake()

    def connected(self, session: Session) -> None:
        """A session's handshake is done."""

    def disconnected(self, session: Session, name: str, reason: str, detail: str) -> None:
        """A session is over."""
        del self.sessions[session]
        if name and all(self.hub.name_of(other) != name for other in self.sessions):
            self.watch.law.lost(name)
        self.clock.note("server", f"{session.label} {name!r} is gone: {reason} {detail}")

    def happened(self, what: Happening, peer: Peer | None, name: str, detail: str, text: str = "") -> None:
        """The hub tells."""
        if what is Happening.SAID and peer is not None:
            self.watch.said(peer, text)
        elif what is Happening.NAMED and isinstance(peer, Session):
            if self.hub._seats[peer].member.account:  # whoever has the proof: the door's own tests see to that
                self.watch.law.expelled(name)
            else:
                self.watch.law.named(self.watch.owner_of(peer.link.address), name)
            self.clock.note("server", f"{peer.label} is {name!r} {detail}")
        elif what is Happening.RENAMED:
            self.watch.law.renamed(detail, name)
        elif what is Happening.LEFT and detail == LOBBY:
            self.watch.law.left(name)

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
        self.hub.tick(self.loop.now)

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
        self.clock.note("server", f"the log failed: {error}")
        for session, (transport, _) in list(self.sessions.items()):
            is_member = self.hub.is_member(session)
            session.close(Closing(ErrorCode.LOG_FAILED, "the server stops", retry_after_s=1.0))
            if not is_member:
                transport.abort()
        self.passes.wake()
        self.clock.call_later(self.limits.lingering_close_s, lambda: self.kill() if self.alive else None)

    def drain(self) -> None:
        """Stop in good order."""
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
        self.passes.wake()
        self.clock.call_later(0.5, lambda: self.kill(close=True) if self.alive else None)

    def kill(self, *, power: bool = False, close: bool = False) -> None:
        """End the process now: as kill -9 does, with the power, or (``close``) with its last line."""
        self.alive = False
        self.passes.stop()
        disk = self.storage.disk
        if close and self.log.failure is None:
            self.log.close()
        if disk is not None:
            disk.off = True
        self.log.abandon()
        if disk is not None:
            disk.off = False
            if power:
                disk.cut_power(self.rng if self.rng.random() < 0.7 else None)
        for _, connection in list(self.sessions.values()):
            connection.die(Death.SILENT if power else Death.RESET)
        self.watch.server_stopped()

    def rows(self) -> Sequence[Message]:
        """Everything the log holds."""
        store = self.log.store
        if isinstance(store, MemoryStore):
            return [message for _, message in sorted(store._talk.messages.items())]
        db = store._db
        found = db.execute(
            """SELECT seq, prev, sender_id, name, sent_at_ms, text, room, low, high, to_name
               FROM messages JOIN conversations USING (conversation) ORDER BY seq"""
        ).fetchall()
        return [
            Message(seq, prev, by, name, at, text, room, None if room else (high if by == low else low), to_name)
            for seq, prev, by, name, at, text, room, low, high, to_name in found
        ]
