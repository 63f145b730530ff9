"""A world made from one seed: a server, people, hostile strangers, an administrator, faults, and what must hold.

A run has three parts. First everybody acts while things break. Then the faults stop, and within a bounded time all
that was said must be acknowledged and shown, completely and in order. In the end everybody leaves, and nothing may
be left in the server's tables. What a run does is drawn from the seed alone; `Options` take things away, so that a
failing run can be made smaller.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from securechat.client import intents as want
from securechat.errors import LogError
from securechat.hub.ports import Peer
from securechat.limits import Limits
from securechat.net.transport import _State
from securechat.testing.clock import SimulatedClock
from securechat.testing.histories import check_streams
from securechat.testing.link import Conduct, Connection, Death, Segments
from securechat.testing.log_checks import HistoryBroken
from securechat.testing.wire_checks import Realtime, Stream
from tests.simulation import idle
from tests.simulation.faults import FAULTS, Faults
from tests.simulation.hostile import Hostile
from tests.simulation.law import Law
from tests.simulation.people import Person
from tests.simulation.server import SimulatedServer, Storage
from tests.simulation.stewards import Administrator

CONVERGE_S = 240.0
"""Virtual time for everything to come to rest once nothing breaks: a silent server is noticed after 90 s, a reconnect
waits up to 10 s, a login that was slowed down up to 30 s, and lines go at 5 a second."""
FORGET_S = 150.0
"""Virtual time until the server has noticed that even those are gone who fell silent: 90 s for a ping, 10 s to drain,
a few until their absence is one."""
SQLITE_EVERY = 6
"""One seed in so many runs on SQLite over a disk in memory, the others on the memory store."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a seed makes, with parts of it taken away.

    Attributes:
        people: at most so many; None for what the seed says.
        hostile: at most so many.
        without: faults (`faults.FAULTS`) that do not happen, and "admin".
        active_s: for how long everybody acts, at most.
    """

    people: int | None = None
    hostile: int | None = None
    without: frozenset[str] = frozenset()
    active_s: float | None = None


class World:
    """One run.

    Args:
        seed: everything follows from it.
        options: what is left out.
        tracing: whether to keep a readable trace.

    Attributes:
        records: commands and events that crossed the wire of the honest.
    """

    def __init__(self, seed: int, options: Options | None = None, *, tracing: bool = False) -> None:
        self.seed = seed
        self.options = options or Options()
        self.rng = rng = random.Random(seed)
        self.clock = SimulatedClock(tracing=tracing)
        self.records = 0
        self.leaving = False
        self.calm = False
        self.realtime = Realtime()
        self.streams: dict[str, Stream] = {}
        self.invites: list[str] = []
        self.keep: list[object] = []
        self.flavour = self._flavour()
        self.limits = self._limits()
        self.storage = Storage(self.limits, self.clock, rng, sqlite=seed % SQLITE_EVERY == 0)
        self.connections: list[tuple[Connection, Person | None]] = []
        self.law = Law(self)
        self.server: SimulatedServer = self._new_server()
        long_winded = "stuffed" in self.flavour
        count = min(rng.choice((2, 3, 3, 4, 4, 5)), self.options.people or 99)
        self.people = [
            Person(self, number, talkative=rng.random() < 0.2, long_winded=long_winded) for number in range(count)
        ]
        hostile = rng.choice((0, 0, 1, 2))
        hostile = hostile if self.options.hostile is None else min(hostile, self.options.hostile)
        self.hostile = [Hostile(self, number) for number in range(hostile)]
        self.administrator = Administrator(self)
        self.faults = Faults(self)

    def _flavour(self) -> frozenset[str]:
        """Swarm testing: each run has only some of the faults, so that each gets the room to do its worst."""
        rng = self.rng
        some = {name for name in (*FAULTS, "admin", "rates") if rng.random() < 0.4}
        some |= {name for name in ("stuffed", "tiny") if rng.random() < 0.15}
        if "stuffed" in some:  # a reader stops while everybody writes much: nothing else may end its connection first
            some = {"stuffed", "slow"} | some & {"admin", "rates", "delay", "clock"}
        return frozenset(some) - self.options.without

    def _limits(self) -> Limits:
        rng = self.rng
        return Limits(
            outbox_hard_bytes=65_536,
            outbox_soft_bytes=24_576,
            outbox_soft_s=2.0,
            outboxes_total_bytes=150_000,
            append_queue=rng.choice((6, 64, 4096)),
            commit_messages=rng.choice((2, 16, 1024)),
            message_burst=20.0,
            message_rate=20.0,
            byte_burst=262_144,
            byte_rate=102_400,
            name_reservation_s=20.0,
            quiet_return_s=rng.choice((1.0, 4.0)),
            session_days=1.0,
            sessions_per_account=5,
            login_tries_per_connection=30,
            login_delay_max_s=5.0,
            wal_bytes=65_536,
            low_disk_bytes=1,
            hash_queue=4,
        )

    # --- what its parts use

    def fresh_secret(self) -> str:
        return f"{self.rng.getrandbits(128):032x}"

    def later(self, low_s: float, high_s: float, act: Callable[[], None]) -> None:
        """Let something be done after a while."""
        self.clock.call_later(self.rng.uniform(low_s, high_s), act)

    def dial(self, address: str, person: Person | None) -> Connection | None:
        """Connect somebody; None when nobody listens."""
        if not self.server.alive or self.server.log.failure is not None:
            return None
        rng = self.rng
        connection = Connection(
            self.clock, rng, self._conduct(), address, 20_000 + len(self.connections), "securechat/1"
        )
        self.connections.append((connection, person))
        self.server.accept(connection)
        return connection

    def _conduct(self) -> Conduct:
        rng = self.rng
        conduct = Conduct(segments=rng.choice((Segments.WHOLE, Segments.WHOLE, Segments.MIXED)))
        if self.calm:
            return conduct
        if "tiny" in self.flavour:
            conduct.segments = Segments.BYTES
            conduct.window_bytes = rng.choice((700, 4_000, 65_536))
        if "stuffed" in self.flavour:
            conduct.window_bytes = 4_000
        if "delay" in self.flavour:
            conduct.delay_s = rng.choice(((0.001, 0.05), (0.05, 0.4), (0.0, 0.8)))
        if "cut" in self.flavour and rng.random() < 0.5:
            limits = (rng.choice((100, 1_000, 8_000)), rng.choice((300, 3_000, 20_000)))
            conduct.dies_after_bytes = (rng.randrange(limits[0]), rng.randrange(limits[1]))
            conduct.death = rng.choice((Death.RESET, Death.TRUNCATED, Death.SILENT))
        return conduct

    # --- the server's watch

    def after_pass(self) -> None:
        """What holds all the time."""
        server = self.server
        self.law.check_seats()
        if server.log.waiting > self.limits.append_queue:
            raise HistoryBroken(f"{server.log.waiting} drafts wait for the log")
        if len(server.loop.backlogs):
            self._check_outboxes(server)
        if server.loop.passes % 8 == 0:  # what does not go away by itself can be seen a little later
            self._check_sessions(server)

    def _check_outboxes(self, server: SimulatedServer) -> None:
        total_bytes = 0
        for session, (transport, _) in server.sessions.items():
            if transport._backlog is not None and transport._state is _State.OPEN:
                total_bytes += transport.queued_bytes
                if transport.queued_bytes > self.limits.outbox_hard_bytes:
                    raise HistoryBroken(f"{session.label}: {transport.queued_bytes} bytes wait for one peer")
        if total_bytes > self.limits.outboxes_total_bytes:
            raise HistoryBroken(f"{total_bytes} bytes wait in all")

    def _check_sessions(self, server: SimulatedServer) -> None:
        for session in server.sessions:
            if not 0 <= session._drafts <= self.limits.unacknowledged_drafts:
                raise HistoryBroken(f"{session.label}: {session._drafts} drafts under way")
        for peer in server.hub._seats:
            if peer not in server.sessions:
                raise HistoryBroken("somebody is in by a connection that is gone")

    def said(self, peer: Peer, text: str) -> None:
        """The hub has taken a draft."""
        seat = self.server.hub._seats.get(peer)
        if seat is not None:
            self.law.said(seat.member.sender_id, text)

    def owner_of(self, address: str) -> str:
        """Say who sits at an address."""
        return self.people[int(address.rpartition(".")[2]) - 1].base if address.startswith("10.0.") else address

    def server_stopped(self) -> None:
        """The process is gone: an operator starts it again."""
        self.clock.note("world", "the server is down")
        self.law.stopped()
        self.later(0.05, 1.0, self.restart)

    def _new_server(self) -> SimulatedServer:
        server = SimulatedServer(self.clock, self.rng, self.storage, self.limits, self, rates="rates" in self.flavour)
        server.start()
        return server

    def restart(self) -> None:
        """Start another process over what the last one left."""
        if self.server.alive:
            return
        try:
            self.server = self._new_server()
        except LogError as error:
            self.clock.note("world", f"the server does not start: {error}")
            if self.storage.disk is not None:
                self.storage.disk.forgive()
                self.storage.full = False
            self.later(0.2, 1.0, self.restart)

    # --- a run

    def run(self) -> World:
        """Run from start to end.

        Raises:
            AssertionError: something that must hold did not.
        """
        try:
            self._act_while_things_break()
            self._come_to_rest()
            self._check_histories()
            self._leave()
        finally:
            self.server.passes.stop()
            self.storage.close()
        return self

    def _act_while_things_break(self) -> None:
        rng, clock = self.rng, self.clock
        is_stuffed = "stuffed" in self.flavour
        until = clock.now + min(6.0 if is_stuffed else rng.choice((1.5, 3.0, 5.0)), self.options.active_s or 99.0)
        if is_stuffed:
            self.later(1.0, 2.0, self.faults.stop_a_reader)
        for person in self.people:
            self.later(0.0, 1.0, lambda who=person: who.start(who.devices[0]))
            self._keep_doing(person.act, 0.2 if is_stuffed else rng.choice((0.1, 0.3, 0.6)), until)
        for hostile in self.hostile:
            self._keep_doing(hostile.act, 0.15, until)
        if "admin" in self.flavour:
            self._keep_doing(self.administrator.act, 0.3, until)
        self._keep_doing(self.faults.act, rng.choice((0.3, 1.0)), until)
        clock.run_until(until)

    def _keep_doing(self, act: Callable[[], None], every_s: float, until: float) -> None:
        def again() -> None:
            if self.clock.now < until:
                act()
                self.clock.call_later(self.rng.expovariate(1 / every_s), again)

        self.clock.call_later(self.rng.uniform(0.2, 1.0), again)

    def _come_to_rest(self) -> None:
        self.clock.note("world", "the faults stop")
        self.calm = True
        self.faults.stop()
        for hostile in self.hostile:
            hostile.leave()
        self.restart()
        self.administrator.pardon_all()
        for person in self.people:
            for device in person.devices:
                if device.is_over:
                    self.later(0.1, 2.0, lambda who=person, what=device: who.start(what))
        deadline = self.clock.now + CONVERGE_S
        while True:
            if not self.clock.run_until(deadline, self._is_quiet):
                raise HistoryBroken(f"not at rest after {CONVERGE_S:.0f} s: {self._who_is_not()}")
            # Those who are absent leave quietly, and presence is told: then look again.
            self.clock.run_until(self.clock.now + self.limits.quiet_return_s + 1.0)
            if self._is_quiet():
                return

    def _is_quiet(self) -> bool:
        attendance = self.server.hub._attendance
        if not self.server.alive or self.administrator.is_busy or attendance._absent or attendance._presence_due:
            return False
        return all(device.is_quiet for person in self.people for device in person.devices)

    def _who_is_not(self) -> str:
        return (
            ", ".join(
                f"{device.name} ({device.core.phase.value if device.core else 'not started'}, "
                f"{len(device.core.unsent) if device.core else 0} unsent)"
                for person in self.people
                for device in person.devices
                if not device.is_quiet
            )
            or "the server"
        )

    def _check_histories(self) -> None:
        rows = list(self.server.rows())
        self.clock.note("world", f"at rest with {len(rows)} messages")
        check_streams(self.streams.values(), rows)
        for person in self.people:
            for device in person.devices:
                for life in device.lives:
                    life.check(rows, converged=life is device.display)
                idle.check_roster(self.server, device)

    def _leave(self) -> None:
        self.leaving = True
        for person in self.people:
            for device in person.devices:
                device.want(want.Finish(1.0))
        self.clock.run_until(self.clock.now + FORGET_S)
        idle.check_empty(self.server)


def run_seed(seed: int, options: Options | None = None, *, tracing: bool = False) -> World:
    """Run one seed.

    Raises:
        AssertionError: it found something.
    """
    return World(seed, options, tracing=tracing).run()


def failure_of(seed: int, options: Options | None = None) -> str:
    """Run one seed; return what it found, in one line, or nothing."""
    try:
        run_seed(seed, options)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
        return describe(error)
    return ""


def describe(error: BaseException) -> str:
    """Say in one line what a run found."""
    text = str(error).split("\n", maxsplit=1)[0] or repr(error)
    if isinstance(error, HistoryBroken):
        return text
    frame: Any = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}" if frame else "?"
    return f"{type(error).__name__} at {where}: {text}"
