"""A world made from one seed: a server, people, hostile strangers, an administrator, faults, and what must hold.

A run has three parts. First everybody acts while things break. Then the faults stop, and within a bounded time all
that was said must be acknowledged and shown, completely, in order and as it is now. In the end everybody leaves, and
nothing may be left in the server's tables. What a run does is drawn from the seed alone; `Options` take things away,
so that a failing run can be made smaller.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from securechat.client.core import actions
from securechat.errors import LogError
from securechat.limits import MAX_NAME_CHARS
from securechat.model import ALPN as NATIVE_ALPN
from securechat.testing.clock import SimulatedClock
from securechat.testing.link import Conduct, Connection, Death, Segments
from securechat.testing.log_checks import HistoryBroken
from tests.simulation import deeds, idle
from tests.simulation.chance import Chance
from tests.simulation.checkers.histories import check_streams
from tests.simulation.checkers.wire_checks import Realtime, Stream
from tests.simulation.crossings import Crossings
from tests.simulation.crowd import Prober, Visitor
from tests.simulation.exam import Exam
from tests.simulation.faults import Faults
from tests.simulation.file_faults import FileFaults
from tests.simulation.file_law import FileLaw
from tests.simulation.filer import Filer
from tests.simulation.flavour import (
    EVENTS,
    FILES,
    HTTP,
    OUTGOING,
    PROGRAM,
    SETTLED,
    TOKENS,
    WEB,
    Options,
    bugs_of,
    flavour_of,
    limits_of,
    pages_of,
    program_of,
    sizes_of,
    small,
    tokens_of,
    with_files,
)
from tests.simulation.hostile import Hostile
from tests.simulation.hosts import Hosts
from tests.simulation.house import House
from tests.simulation.hush import Hush
from tests.simulation.law import Law
from tests.simulation.makers import Makers, TokenProgram
from tests.simulation.people import Person
from tests.simulation.poster import Poster
from tests.simulation.program import Program
from tests.simulation.reader import Reader
from tests.simulation.receiver import Receiver
from tests.simulation.returning import Returning
from tests.simulation.reviser import RevisingPoster
from tests.simulation.robot import Robot
from tests.simulation.schedule import Schedule
from tests.simulation.server import SimulatedServer
from tests.simulation.stewards import Administrator
from tests.simulation.storage import Storage
from tests.simulation.stream_law import StreamLaw
from tests.simulation.temptation import Temptation
from tests.simulation.texts import long_name
from tests.simulation.token_law import TokenLaw
from tests.simulation.work import folding_counted

if TYPE_CHECKING:
    import random

    from securechat.hub.interfaces import Peer
    from tests.simulation.device import Device

CONVERGE_S = 360.0
"""Virtual time for everything to come to rest once nothing breaks: a silent server is noticed after 90 s, a reconnect
waits up to 10 s, a login that was slowed down up to 30 s, lines go at 5 a second, and a hundred of them in
slow mode (3 s) take 300 s."""
FORGET_S = 150.0
"""Virtual time until the server has noticed that even those are gone who fell silent: 90 s for a ping, 10 s to drain,
a few until their absence is one."""
TIDY_S = 5.0
"""For the daily round, with commits of up to 0.1 s."""
SETTLE_S = 1.5
"""For everybody to come, to register and to enter a room."""
COMING_S = 0.5
"""Until those who start their programs are there."""
ACTS = (5, 10, 15, 25)
"""How often people act in a run, all together, if nothing keeps them: most runs are short, some have time for what
takes many steps."""
TOKEN_OVERLAP_S = 0.7
"""So that a rotated token ends within a run."""
TOKEN_PROGRAMS = 3
POSTERS = 2
READERS = 3
FILERS = 4
FILES_OVERLAP_S = 2.5
"""For these runs, whose logs are busy: a rotation is stored before the old token ends."""
SENDING_S = 6.0
"""For how long all actors act at least where files are sent."""
MOST_FAILED = 1_000
"""So that tokens which are over are judged each time."""
MAKING_S = 4.0
"""For how long everybody acts at least where there are bots to be made."""
CROWDED_S = 2.5
"""For how long everybody acts at least where there is a crowd."""
SQLITE_EVERY = 8
"""One seed in so many runs on SQLite over a disk in memory, the others on the memory store."""


class World:
    """One run.

    Args:
        seed: everything follows from it.
        options: what is left out.
        tracing: whether to keep a readable trace.

    Attributes:
        pages: how long answers may be.
        records: commands and events that crossed the wire of the honest.
        browsers: devices so far that were browsers.
        places: in how many rooms people are to begin with; rules are for those who are together.
        unexpected: what the server's loop has contained, and nobody had planned.
        unaware: connections that the power cut, which is noticed when the server is there again.
    """

    def __init__(self, seed: int, options: Options | None = None, *, tracing: bool = False) -> None:
        self.seed = seed
        self.options = options = options or Options()
        self.chance = Chance(seed)
        self.clock = SimulatedClock(tracing=tracing)
        self.schedule = Schedule(self.clock, self.chance, options.only)
        self.records = 0
        self.leaving = False
        self.unexpected: Exception | None = None
        self.calm = False
        self.realtime = Realtime()
        self.streams: dict[str, Stream] = {}
        self.invites: list[str] = []
        self.keep: list[object] = []
        self.browsers = 0
        self.rng = rng = self.chance.dice("world")
        self.flavour = flavour_of(rng, options.without)
        self.deeds = deeds.of(self.flavour, rng)
        self.limits = limits_of(rng)
        sizes = self.chance.dice("sizes")
        self.flavour |= sizes_of(sizes, self.flavour, options.without)
        self.flavour |= bugs_of(self.chance.dice("bugs"), self.flavour, options.without)
        self.flavour |= program_of(self.chance.dice("programs"), self.flavour, options.without)
        self.flavour |= tokens_of(self.chance.dice("tokens"), self.flavour, options.without)
        if options.web and "certificates" not in self.flavour:
            self.flavour |= {WEB}
        if (options.http or options.events or options.outgoing or options.files) and "stuffed" not in self.flavour:
            self.flavour |= {HTTP, TOKENS, SETTLED}
            if options.events:
                self.flavour |= {EVENTS}
            if options.outgoing:  # the clock is left alone: a webhook waits for a time of day
                self.flavour = (self.flavour | {OUTGOING}) - {"clock", "upkeep"}
            if options.files:
                self.flavour |= {FILES}
        self.pages = pages_of(sizes, self.flavour)
        if "small" in self.flavour:
            self.limits = small(self.limits, sizes)
        if TOKENS in self.flavour:
            self.limits = replace(self.limits, token_overlap_s=TOKEN_OVERLAP_S)
        if HTTP in self.flavour:
            idle_s = self.chance.dice("http").choice((0.5, 60.0))
            self.limits = replace(self.limits, api_idle_s=idle_s, api_failed_tokens=MOST_FAILED)
        if EVENTS in self.flavour:
            dice = self.chance.dice("events")
            if dice.random() < 0.4:
                self.flavour |= {"upkeep"}  # days pass, and what is old is forgotten
            self.limits = replace(self.limits, api_alive_s=dice.choice((0.5, 3.0)), api_streams=dice.choice((2, 8)))
        if FILES in self.flavour:
            dice = self.chance.dice("files")
            if dice.random() < 0.4:
                self.flavour |= {"upkeep"}
            self.limits = replace(with_files(self.limits, dice), token_overlap_s=FILES_OVERLAP_S)
        self._long_names = "small" in self.flavour and sizes.random() < 0.5
        self.room_records = 1 if "rules" in self.flavour else 2
        self.storage = Storage(
            self.limits, self.pages, self.clock, self.chance.dice("disk"), sqlite=seed % SQLITE_EVERY == 0
        )
        self.unaware: list[Connection] = []
        self.connections: list[tuple[Connection, Person | None]] = []
        self.law = Law(self)
        self.token_law = TokenLaw(self)
        self.stream_law = StreamLaw(self)
        self.file_law = FileLaw(self)
        self.storage.transcript.on_files = self.file_law.committed
        self.receiver = Receiver(self)
        self.makers = Makers(self)
        self.returning = Returning(self)
        self.hush = Hush()
        self.temptation = Temptation(self)
        self.crossings = Crossings(self)
        self.house = House(self)
        self._servers = 0
        self.server: SimulatedServer = self._new_server()
        long_winded = "stuffed" in self.flavour
        count = min(rng.choice((2, 2, 2, 3, 3)), options.people or 99)
        self.people = [
            Person(self, number, talkative=rng.random() < 0.2, long_winded=long_winded) for number in range(count)
        ]
        hostile = rng.choice((0, 0, 0, 1, 2))
        hostile = hostile if options.hostile is None else min(hostile, options.hostile)
        self.hostile = [Hostile(self, number) for number in range(hostile)]
        self.crowd: list[Visitor] = []
        self.prober = Prober(self)
        self.programs: list[Program | TokenProgram | Poster] = [Program(self)] if PROGRAM in self.flavour else []
        if TOKENS in self.flavour and HTTP not in self.flavour:
            self.programs += [TokenProgram(self, number) for number in range(TOKEN_PROGRAMS)]
        if HTTP in self.flavour:
            poster = RevisingPoster if EVENTS in self.flavour else Poster
            self.programs += [poster(self, number) for number in range(POSTERS)]
        self.filers = [Filer(self, number) for number in range(FILERS)] if FILES in self.flavour else []
        self.file_faults = FileFaults(self)
        self.readers = [Reader(self, number) for number in range(READERS)] if EVENTS in self.flavour else []
        self.hosts = Hosts(self)
        self.robots = [Robot(self)] if options.bot and "stuffed" not in self.flavour else []
        if "crowd" in self.flavour:
            self.crowd += [Visitor(self, number) for number in range(sizes.choice((2, 3)))]
        self.administrator = Administrator(self)
        self.faults = Faults(self)

    # --- what its parts use

    def styled(self, name: str) -> str:
        """Return a name as people have them in this world: in some, all are as long as can be."""
        return long_name(name, MAX_NAME_CHARS) if self._long_names else name

    def dial(
        self,
        address: str,
        person: Person | None,
        certificate: bytes | None = None,
        *,
        good: bool = False,
        alpn: str = NATIVE_ALPN,
    ) -> Connection | None:
        """Connect somebody, on a line that nothing happens to if it is a good one; None when nobody listens."""
        if not self.server.alive or self.server.log.failure is not None:
            return None
        number = len(self.connections)
        dice = self.chance.dice("line", address, number)
        conduct = Conduct() if good else self._conduct(dice)
        connection = Connection(self.clock, dice, conduct, address, 20_000 + number, alpn, certificate)
        if not good:
            self.connections.append((connection, person))
        self.server.accept(connection)
        return connection

    def _conduct(self, rng: random.Random) -> Conduct:
        conduct = Conduct(segments=Segments.MIXED if rng.random() < 0.2 else Segments.WHOLE)
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

    def provoke(self, device: Device) -> None:
        """Let somebody say something who may not."""
        if not device.is_over and device.core is not None:
            deeds.talk.talk(device.person, device)

    # --- the server's watch

    def after_pass(self) -> None:
        """What holds all the time."""
        if self.unexpected is not None:
            raise self.unexpected
        server = self.server
        self.law.check_seats()
        if TOKENS in self.flavour:
            self.token_law.check_connections()
        if EVENTS in self.flavour:
            self.stream_law.check_connections()
        if server.log.waiting > self.limits.append_queue:
            raise HistoryBroken(f"{server.log.waiting} drafts wait for the log")
        if len(server.loop.backlogs):
            idle.check_outboxes(server, self.limits)
        if server.loop.passes % 8 == 0:  # what does not go away by itself can be seen a little later
            idle.check_sessions(server, self.limits)
            idle.check_names(server)

    def said(self, peer: Peer, text: str) -> None:
        """The hub has taken a draft."""
        seat = self.server.hub._connections.get(peer)
        if seat is not None:
            self.law.said(seat.member.sender_id, text)

    def owner_of(self, address: str) -> str:
        """Say who sits at an address."""
        return self.people[int(address.rpartition(".")[2]) - 1].base if address.startswith("10.0.") else address

    def server_stopped(self) -> None:
        """The process is gone: an operator starts it again."""
        self.clock.note("world", "the server is down")
        self.law.stopped()
        self._restart_later(0.05)

    def _new_server(self) -> SimulatedServer:
        self._servers += 1
        server = SimulatedServer(self, self.chance.dice("server", self._servers))
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
            self.storage.forgive()
            self._restart_later(0.2)
            return
        for connection in self.unaware:
            self.clock.call_later(self.rng.uniform(0.0, 1.0), connection.find_out)
        self.unaware.clear()

    def _restart_later(self, least_s: float) -> None:
        self.clock.call_later(self.rng.uniform(least_s, 1.0), self.restart)

    # --- a run

    def run(self) -> World:
        """Run from start to end.

        Raises:
            AssertionError: something that must hold did not.
        """
        try:
            with folding_counted(lambda: self.server.work):
                self._act_while_things_break()
                self._come_to_rest()
                self._check_histories()
                for program in (*self.programs, *self.readers, *self.robots, *self.filers, self.receiver):
                    program.check()
                if FILES in self.flavour:
                    self.file_law.check_end()
                if "small" in self.flavour:
                    self._check_rooms()
                self._leave()
        finally:
            self.server.passes.stop()
            if self.server.alive:  # or what is left of it writes to the disk whenever the garbage is collected
                self.storage.kill(self.server.log.abandon, power=False)
            self.storage.close()
        return self

    def _act_while_things_break(self) -> None:
        rng, clock, keep_doing = self.rng, self.clock, self.schedule.keep_doing
        is_stuffed = "stuffed" in self.flavour
        for person in self.people:
            clock.call_later(rng.uniform(0.0, 0.3), lambda who=person: who.start(who.devices[0]))
        if "settled" in self.flavour:
            self._settle()
        every_s = 0.2 if is_stuffed else rng.choice((0.1, 0.2, 0.4))
        active_s = 6.0 if is_stuffed else COMING_S + rng.choice(ACTS) * every_s / len(self.people)
        active_s = max(active_s, CROWDED_S) if self.crowd else active_s
        active_s = max(active_s, MAKING_S) if TOKENS in self.flavour else active_s
        active_s = max(active_s, SENDING_S) if FILES in self.flavour else active_s
        until = clock.now + min(active_s, self.options.active_s or 99.0)
        if is_stuffed:
            clock.call_later(rng.uniform(1.0, 2.0), self.faults.stop_a_reader)
        for person in self.people:
            keep_doing(person.base, person.act, every_s, until)
        for hostile in self.hostile:
            keep_doing(hostile.base, hostile.act, 0.15, until)
        for visitor in self.crowd:
            keep_doing(visitor.base, visitor.act, 0.1, until)
        if TOKENS in self.flavour:
            keep_doing(self.makers.base, self.makers.act, 0.08, until)
        for program in self.programs:
            keep_doing(program.base, program.act, program.every_s, until)
        for reader in self.readers:
            keep_doing(reader.base, reader.act, reader.every_s, until)
        if OUTGOING in self.flavour:
            keep_doing(self.receiver.base, self.receiver.act, self.receiver.every_s, until)
        for filer in self.filers:
            keep_doing(filer.base, filer.act, filer.every_s, until)
        if self.filers:
            keep_doing(self.file_faults.base, self.file_faults.act, self.file_faults.every_s, until)
        if self.readers or self.filers:
            keep_doing(self.hosts.base, self.hosts.act, self.hosts.every_s, until)
        for robot in self.robots:
            keep_doing(robot.base, robot.act, 0.05, until)
        if self.crowd:
            keep_doing(self.prober.base, self.prober.act, 0.2, until)
        if "admin" in self.flavour:
            keep_doing("administrator", self.administrator.act, 0.3, until)
        if "upkeep" in self.flavour:
            keep_doing("upkeep", self._keep_up, 0.4, until)
        self.crossings.begin(until - clock.now)
        keep_doing("faults", self.faults.act, rng.choice((0.4, 1.2)), until)
        clock.run_until(until)

    def _settle(self) -> None:
        """Let everybody come before anything breaks; from then on their lines are no better than others."""
        self.calm = True
        self.clock.run_until(self.clock.now + SETTLE_S)
        self.calm = False
        for connection, _ in self.connections:
            connection.conduct = self._conduct(self.chance.dice("line", connection.server.peer))

    def _keep_up(self, dice: random.Random) -> None:
        """What a server that runs for days does: now and then days pass, and what is over is tidied up."""
        if dice.random() < 0.3:
            self.law.wall_moves()
            self.clock.move_wall(100_000.0)
            self.token_law.wall_moved()
            for person in self.people:
                person.lost_logins = True
        self._tidy_up()

    def _tidy_up(self) -> None:
        if self.server.alive and self.server.log.failure is None:
            self.law.tidied()
            self.server.tidy()

    def _come_to_rest(self) -> None:
        self.clock.note("world", "the faults stop")
        self.calm = True
        self.faults.stop()
        for stranger in (*self.hostile, *self.crowd, *self.programs, self.prober):
            stranger.leave()
        for program in (*self.robots, *self.readers, *self.filers):
            program.begin_to_rest()
        if OUTGOING in self.flavour:
            self.receiver.begin_to_rest()
        self.restart()
        self.administrator.pardon_all()
        for person in self.people:
            for device in person.devices:
                if device.is_over:
                    person.later(0.1, 2.0, lambda who=person, what=device: who.start(what))
        deadline = self.clock.now + CONVERGE_S
        while True:
            if not self.clock.run_until(deadline, self._is_quiet):
                raise HistoryBroken(f"not at rest after {CONVERGE_S:.0f} s: {self._who_is_not()}")
            # Those who are absent leave quietly, and presence is told: then look again.
            self.clock.run_until(self.clock.now + self.limits.quiet_return_s + 1.0)
            if self._is_quiet():
                return

    def _is_quiet(self) -> bool:
        attendance = self.server.hub._presence
        if not self.server.alive or self.administrator.is_busy or attendance._absent or attendance._presence_due:
            return False
        if not all(program.is_quiet for program in (*self.robots, *self.readers, *self.filers, self.receiver)):
            return False
        if FILES in self.flavour and not self.file_law.is_tidy:
            return False
        devices = [device for person in self.people for device in person.devices]
        if (self.readers or self.filers) and any(device.is_asking for device in devices):
            return False  # hosts are kept to the rates of requests, and so are the pages that they ask for
        return all(device.is_quiet for device in devices)

    def _who_is_not(self) -> str:
        return (
            ", ".join(
                f"{device.name} ({device.core.phase.value if device.core else 'not started'}, "
                f"{len(device.core.unsent) if device.core else 0} unsent)"
                for person in self.people
                for device in person.devices
                if not device.is_quiet
            )
            or ", ".join(reader.base for reader in self.readers if not reader.is_quiet)
            or ", ".join(filer.base for filer in self.filers if not filer.is_quiet)
            or ("the server" if self.receiver.is_quiet else "the outgoing webhooks")
        )

    def _check_histories(self) -> None:
        found = self.storage.stored()
        transcript = self.storage.transcript
        rows, gone = found.messages, transcript.is_gone
        self.clock.note("world", f"at rest with {len(rows)} messages")
        transcript.check_end(found)
        said = [row for row in rows if row.sender_id not in self.receiver.hooks]  # those tell the same twice
        check_streams(self.streams.values(), said, found.changes, gone)
        self.law.check_rows(rows)
        self.house.check_owners()
        exam = Exam(self, rows)
        for person in self.people:
            for device in (*person.replaced, *person.devices):
                for life in device.lives:
                    life.check(
                        rows,
                        converged=life is device.display and device in person.devices,
                        gone=gone,
                        taken_back=transcript.taken_back,
                        reads_above=lambda room, who: self.house.hears_above(room, who)[1],
                    )
                exam.keep(device)
                if device in person.devices:
                    idle.check_roster(self.server, device)
                else:
                    device.check_replaced()
            exam.count(asked := self.rng.choice(person.devices))
            exam.list_conversations(asked)
        exam.search(self.rng.choice(self.rng.choice(self.people).devices))

    def _check_rooms(self) -> None:
        """What nobody uses is gone, after the daily round at the latest."""
        self._tidy_up()
        self.clock.run_until(self.clock.now + TIDY_S)
        self.house.check_used({row.room for row in self.storage.stored().messages if row.room is not None})

    def _leave(self) -> None:
        self.leaving = True
        for program in (*self.robots, *self.readers):
            program.leave()
        for filer in self.filers:
            filer.leave_all()
        for person in self.people:
            for device in (*person.devices, *person.replaced):
                device.want(actions.LeaveChat(1.0))
        self.clock.run_until(self.clock.now + FORGET_S)
        idle.check_empty(self.server)
        self.stream_law.check_over(self.server)


def failure_of(seed: int, options: Options | None = None) -> str:
    """Run one seed; return what it found, in one line, or nothing."""
    return found_by(World(seed, options))


def found_by(world: World) -> str:
    """Run a world; return what it found, in one line, or nothing."""
    try:
        world.run()
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
