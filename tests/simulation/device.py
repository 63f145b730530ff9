"""One client program: the real core and the real codec in a shell that does what `securechat.client.network` does.

Everything its user is told goes to the `Display` and to the person in front of it; everything on the wire goes by a
`WireChecker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore, CoreOutput
from securechat.client.core.credentials import Credentials
from securechat.client.core.events.account import TokenLost, TokenReceived
from securechat.client.core.state import ConnectionPhase, Visibility
from securechat.errors import ErrorCode, RemoteProtocolError
from securechat.model import (
    ChangePassword,
    Closing,
    Command,
    ConversationList,
    Done,
    Event,
    Grant,
    Hello,
    InviteTo,
    Joined,
    Moderate,
    Named,
    Quit,
    ReadElsewhere,
    Refused,
    RoomCommand,
    SearchPage,
    SetRoom,
    UnreadList,
    Welcome,
)
from securechat.testing.link import Connection, Death
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import name_key
from securechat.wire.native import NativeClientCodec
from tests.simulation.barred import BarredRequests
from tests.simulation.certificates import certificate
from tests.simulation.checkers.histories import Display
from tests.simulation.checkers.wire_checks import Stream, WireChecker
from tests.simulation.hush import Listener

if TYPE_CHECKING:
    from securechat.testing.clock import Deadline
    from tests.simulation.people import Person
    from tests.simulation.world import World

DIAL_S = 10.0
MOST_TICKS = 100
"""How often a program may wake up in one moment."""


class Device:
    """A program that is started, and started again.

    Attributes:
        core: of the present run of the program; None before the first.
        secret: the resume secret that the last hello carried.
        token: the login it would use at the next start.
        lives: what every run of the program showed.
        key: the number of the key whose certificate it shows; 0 for none.
        rng: its own dice.
        is_frozen: whether the system lets it do nothing at the moment.
    """

    def __init__(self, world: World, person: Person, name: str, address: str) -> None:
        self.is_frozen = False
        self.world = world
        self.person = person
        self.name = name
        self.address = address
        self.rng = world.chance.dice(name)
        self.secret = self.fresh_secret()
        self.key = 0
        self.tokens: dict[str, str] = {}
        self.core: ClientCore | None = None
        self.display = Display(name)
        self.lives: list[Display] = []
        self.heard: list[SearchPage | UnreadList | ConversationList | Refused] = []  # answers to what the exam asks
        self.reads_elsewhere = 0  # how often another device had read something: this one then asks what is unread
        self.connection: Link | None = None
        self.last_hello: Hello | None = None
        self.tries = 0  # passwords, since it was last in
        self._timer: Deadline | None = None
        self._ticked_at, self._ticks = 0.0, 0

    def twin(self) -> Device:
        """Return the same program, to be started a second time, on the same machine."""
        twin = Device(self.world, self.person, f"{self.name}'", self.address)
        twin.secret, twin.tokens, twin.key = self.secret, dict(self.tokens), self.key
        return twin

    def check_replaced(self) -> None:
        """The program was started a second time while it ran: it must have heard of it.

        Raises:
            HistoryBroken: it goes on beside the other one.
        """
        if self.is_quiet:
            raise HistoryBroken(f"{self.name} goes on, although the same secret is in by another program")

    def fresh_secret(self) -> str:
        """Return a resume secret that nobody has."""
        return f"{self.rng.getrandbits(128):032x}"

    @property
    def is_online(self) -> bool:
        return self.core is not None and self.core.phase is ConnectionPhase.ONLINE

    @property
    def is_over(self) -> bool:
        return self.core is None or self.core.phase is ConnectionPhase.ENDED

    @property
    def is_quiet(self) -> bool:
        """Online, with nothing unsent and nothing missing."""
        core = self.core
        if core is None or self.connection is None or self.connection.connection.dead:
            return False
        return self.is_online and not core.unsent and not core.catching_up

    @property
    def is_asking(self) -> bool:
        """Whether the program waits for the answer to a question, or has more of them to ask."""
        return self.core is not None and self.core.reading

    def start(self, *, invite: str = "") -> None:
        """Start the program."""
        world = self.world
        self.display = Display(f"{self.name}/{len(self.lives)}")
        self.lives.append(self.display)
        login = Credentials(
            self.secret,
            fresh_secret=self.fresh_secret,
            tokens=dict(self.tokens),
            password=self.person.password if self.person.is_account and self.rng.random() < 0.5 else "",
            invite=invite,
            certificate=bool(self.key),
        )
        self.core = ClientCore(
            secret=self.secret,
            jitter=self.rng.random,
            name=self.person.name,
            rooms=tuple(self.person.rooms),
            client="simulation",
            credentials=login,
            backfill_count=self.rng.choice((0, 0, 5)),
            visibility=self.rng.choice((Visibility.ALL, Visibility.ALL, Visibility.CURRENT, Visibility.NOBODY)),
            typing=self.rng.random() < 0.3,
        )
        world.clock.note(self.name, f"starts as {self.person.name!r}")
        self._rearm()

    def stop(self) -> None:
        """Kill the program: the system says goodbye to the server, after what was written or at once."""
        if self.core is not None:
            if self.connection is not None and self.rng.random() < 0.5:
                self.connection.end.close()
                self.connection = None
            self._drop(Death.RESET)
            self.core = None
            if self._timer is not None:
                self._timer.cancel()
            self.display.ended = True

    def want(self, intent: actions.Action) -> None:
        """The user wants something."""
        if self.core is None or self.core.phase is ConnectionPhase.ENDED:
            return
        self.world.clock.note(self.name, f"wants {intent!r}"[:160])
        output = self.core.act(intent, self.world.clock.now)
        for line in self.core.unsent:
            if line.number:
                self.display.lines.setdefault(line.number, None)
        self.apply(output)

    def is_welcome(self, event: Welcome) -> None:
        """The server lets the program in, for the first time or again; who was deleted meanwhile is somebody new."""
        before = self.display.me
        if before not in (0, event.sender_id) and before in self.world.storage.transcript.deleted:
            self.display = self.display.successor()
            self.lives.append(self.display)
        self.display.welcomed(event)

    # --- as runner.Runner

    def apply(self, output: CoreOutput) -> None:
        """Do what the core wants done."""
        core = self.core
        if self.connection is not None and output.commands:
            self.connection.send(output)
        for happening in output.ui_events:
            self._hear(happening)
        if self.core is not core:
            return
        if output.hang_up and self.connection is not None:
            self.connection.end.close()
            self.connection = None
        if output.dial:
            self._dial()
        self._rearm()

    def _hear(self, happening: events.UiEvent) -> None:
        if self.world.clock.tracing and not isinstance(happening, events.RoomJoined | events.MembersJoined):
            self.world.clock.note(self.name, f"is told {happening!r}"[:400])
        match happening:
            case TokenReceived(name, token):
                self.tokens = {name_key(name): token, name: token}
            case TokenLost():
                self.tokens = {}
            case _:
                pass
        self.display.tell(happening)
        self.person.hear(self, happening)

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.core is not None and (deadline := self.core.deadline()) is not None:
            self._timer = self.world.clock.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self.world.clock.now
        self._ticks = self._ticks + 1 if now == self._ticked_at else 0
        self._ticked_at = now
        if self._ticks > MOST_TICKS:
            raise HistoryBroken(f"{self.name} wakes up again and again, and has nothing to do")
        if self.core is not None:
            self.apply(self.core.tick(self.world.clock.now))

    def _dial(self) -> None:
        self._drop(Death.RESET)
        shown = certificate(self.key) if self.key else None
        connection = self.world.dial(self.address, self.person, shown)
        if connection is None:
            core = self.core
            self.world.clock.call_later(0.01, lambda: self._refused(core))
            return
        self.connection = link = Link(self, connection)
        self.world.faults.dialled(connection, self)
        self.world.clock.call_later(DIAL_S, lambda: self._dialled_in_vain(link))

    def _dialled_in_vain(self, link: Link) -> None:
        """As `securechat.net.connector`: a connection that is not made in time is none."""
        if not link.is_open and self.connection is link:
            self._drop(Death.RESET)
            if self.core is not None:
                self.apply(
                    self.core.disconnected(events.Disconnect(events.DisconnectReason.TIMEOUT), self.world.clock.now)
                )

    def _refused(self, core: ClientCore | None) -> None:
        if self.core is core and core is not None:
            self.lost(None, events.Disconnect(events.DisconnectReason.REFUSED))

    def lost(self, link: Link | None, loss: events.Disconnect) -> None:
        """No connection any more."""
        if self.core is not None and self.connection is link:
            self.connection = None
            if self in self.person.replaced and not self.is_over and not (link is not None and link.was_replaced):
                self.stop()  # by hand: coming back, it would take the place of the other one
                return
            self.apply(self.core.disconnected(loss, self.world.clock.now))

    def _drop(self, how: Death) -> None:
        if self.connection is not None:
            self.connection.end.abort()
            self.connection.connection.die(how)
            self.connection = None


class Link:
    """One connection of a device."""

    def __init__(self, device: Device, connection: Connection) -> None:
        self.device = device
        self.connection = connection
        self.end = connection.client
        self.codec = NativeClientCodec(device.world.pages.frame_bytes)
        self.checker: WireChecker | None = None
        self.hello: Hello | None = None
        self.slow = self.was_replaced = False
        self.is_open = self.is_welcomed = False
        self._listener = Listener(device.world.hush, device.name)
        self._barred: BarredRequests | None = None
        self._asked: dict[int, tuple[RoomCommand, float]] = {}
        self.end.start(self)

    def send(self, output: CoreOutput) -> None:
        """Write commands."""
        world = self.device.world
        for command in output.commands:
            if isinstance(command, Hello):
                self.hello = self.device.last_hello = command
                self.device.secret = command.secret
                stream = world.streams.setdefault(command.secret, Stream())
                transcript = world.storage.transcript
                self.checker = WireChecker(self.device.display.who, world.realtime, stream, transcript)
                world.law.hello_sent(self.device, command)
                world.temptation.somebody_comes(self.device.person)
            if isinstance(command, Quit):
                world.returning.quits(self.hello)
            self._remember(command)
            if self.checker is not None:
                self.checker.sent(command)
            world.records += 1
            if world.clock.tracing:
                world.clock.note(self.device.name, f"> {command!r} {getattr(command, 'name', '')}"[:400])
            self.end.write(NativeClientCodec.encode(command))

    def _remember(self, command: Command) -> None:
        if isinstance(command, ChangePassword):
            self.device.person.passwords_on_their_way.add((self, command.ref))
        if isinstance(command, SetRoom | InviteTo | Moderate | Grant):
            self._asked[command.ref] = (command, self.device.world.clock.now)

    def forget_asked(self) -> None:
        """Do not judge the answers to what was asked up to now."""
        self._asked.clear()

    def opened(self) -> None:
        """The handshake is over."""
        self.is_open = True
        core = self.device.core
        if core is not None and self.device.connection is self:
            self.device.apply(core.connected(self.device.world.clock.now))

    def data_received(self, data: bytes) -> None:
        """Bytes."""
        device = self.device
        self.codec.receive_data(data)
        self.read_on()
        self._listener.heard(data, device.person.ids)

    def read_on(self) -> None:
        """Take the events that have come, unless the program does nothing at the moment."""
        device = self.device
        try:
            while device.connection is self and not device.is_frozen and (event := self.codec.next_event()) is not None:
                self._event(event)
        except RemoteProtocolError as error:
            raise AssertionError(f"{device.name}: the server speaks nonsense: {error.detail}") from error

    def _event(self, event: Event) -> None:
        device, world = self.device, self.device.world
        world.records += 1
        if world.clock.tracing:
            world.clock.note(device.name, f"< {event!r}"[:400])
        if self._barred is not None and self._barred.takes(event):
            return
        if self.checker is not None:
            self.checker.received(event)
        match event:
            case Welcome():
                self._try_what_is_barred(event)
                device.person.ids.add(event.sender_id)
                device.is_welcome(event)
                world.law.welcomed(device, event, self.hello)
                world.returning.welcomed(event, self.hello)
                self.is_welcomed = True
            case Joined():
                device.display.joined(event)
            case SearchPage() | UnreadList() | ConversationList():
                device.heard.append(event)
            case Done(ref) if ref in self._asked:
                world.house.check_done(device.display.me, *self._asked.pop(ref))
            case ReadElsewhere():
                device.reads_elsewhere += 1
            case Named(name):
                world.returning.named(self.hello, name)
            case Closing() | Refused():
                self.was_replaced = event.code is ErrorCode.REPLACED
                world.law.judged(device, event, slow=self.slow)
                if isinstance(event, Refused) and self.hello is not None and not self.is_welcomed:
                    world.returning.refused(device, event, self.hello)
                if isinstance(event, Refused):
                    device.heard.append(event)
                if isinstance(event, Refused) and event.ref in self._asked:
                    asked, since = self._asked.pop(event.ref)
                    world.house.check_refused(device.display.me, asked, event.code, since)
            case _:
                pass
        assert device.core is not None
        device.apply(device.core.received(event, world.clock.now))

    def _try_what_is_barred(self, welcome: Welcome) -> None:
        if welcome.must_change:
            if welcome.token:  # by the password: is it as temporary for the next one, by the token?
                self.device.world.crossings.password_is_temporary(self.device)
            dice = self.device.world.chance.dice("barred", self.connection.server.peer)
            self._barred = BarredRequests(
                self.device.name, dice, welcome, lambda: bool(self.device.person.passwords_on_their_way)
            )
            for command in self._barred.commands:
                self.end.write(NativeClientCodec.encode(command))

    def closed(self, *, broken: bool) -> None:
        """The connection is over."""
        self.device.lost(self, events.Disconnect(events.DisconnectReason.CLOSED, "broken" if broken else "closed"))
