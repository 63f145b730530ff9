"""Those who mean no good: garbage, floods, replays, guesses, and readers that do not read. Nobody else may feel it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.errors import RemoteProtocolError
from securechat.model import (
    AskRoom,
    AskUnread,
    Command,
    Delete,
    Direct,
    Edit,
    Event,
    Grant,
    Hello,
    History,
    InviteTo,
    Join,
    Message,
    Moderate,
    Nick,
    Ping,
    React,
    Read,
    Say,
    Search,
    SetRoom,
    Typing,
    Welcome,
)
from securechat.testing.link import Connection
from securechat.wire.frames import frame
from securechat.wire.native import NativeClientCodec
from tests.simulation.hush import Listener

if TYPE_CHECKING:
    import random

    from tests.simulation.world import World

_NONSENSE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff" + b"x" * 50,
    b"\x00\x00\x20\x00" + b"{" * 100,
    frame(b"[]"),
    frame(b'{"t":"hello"}'),
    frame(b'{"t":"nonsense","ref":3}'),
    frame(b"\xff\xfe\xfd"),
    frame(b'{"t":"say","cid":1,"room":"lobby","text":"\\ud800"}'),
    frame(b"[" * 3_000),
    frame(b'{"t":"ping","n":1e400}'),
)


class Hostile:
    """One attacker, connection after connection.

    Args:
        world: the victim.
        number: which one; it has an address of its own.
    """

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.address = f"10.66.0.{number + 1}"
        self.name = self.base = f"mallory{number}"
        self.rng = world.chance.dice(self.base)
        self.secret = f"{self.rng.getrandbits(128):032x}"
        self._connection: Connection | None = None
        self._inside = False
        self._me = 0
        self._count = 0
        self._sent = b""

    def act(self, dice: random.Random) -> None:
        """Do the next bad thing."""
        self.rng = dice
        connection = self._connection
        if connection is None or connection.dead:
            self._connection = self.world.dial(self.address, None)
            if self._connection is not None:
                self._inside = False
                self._connection.client.start(_Line(self, self._connection))
            return
        rng = self.rng
        what = rng.random()
        if what < 0.15:
            self._write(rng.choice(_NONSENSE))
        elif what < 0.2:
            self._write(rng.randbytes(rng.randint(1, 200)))
        elif what < 0.25:
            self._write(self._sent[-300:])  # a replay, mostly from the middle of a frame
        elif what < 0.3:
            connection.client.pause()
        elif what < 0.35:
            connection.die()
        elif self._inside:
            self._say(*(self._bad_command() for _ in range(rng.choice((1, 5, 40)))))
        else:
            self._say(self._bad_hello())

    def begin(self) -> None:
        """A connection is there."""
        self._say(self._bad_hello())

    def leave(self) -> None:
        """Enough."""
        if self._connection is not None:
            self._connection.die()
            self._connection = None

    def _bad_hello(self) -> Hello:
        rng = self.rng
        victim = rng.choice(self.world.people)
        guess = f"{rng.getrandbits(128):032x}"
        match rng.choice((0, 1, 2, 2, 2, 3, 4, 5)):
            case 0:
                return Hello(1, victim.name, self.secret, token=guess)
            case 1:
                return Hello(1, victim.name, self.secret, password="password123")
            case 2:
                return Hello(1, victim.name, guess)
            case 3:
                return Hello(1, self.name, self.secret, invite=guess)
            case 4:
                return Hello(rng.choice((0, 2)), self.name, self.secret)
            case _:
                return Hello(1, self.name, self.secret)

    def _bad_command(self) -> Command:
        rng = self.rng
        self._count += 1
        text, seq = f"{self.name}:{self._count}", rng.randrange(60)
        commands: tuple[Command, ...] = (
            Say(self._count, "lobby", text + "z" * rng.choice((0, 0, 900))),
            Say(max(1, self._count - rng.randrange(5)), "lobby", text),
            Say(self._count, "den", text),
            Direct(self._count, rng.randrange(9), text),
            History(self._count, room="den"),
            History(self._count, after=0),
            History(self._count, peer=rng.randrange(9)),
            Join(self._count, ["a b", "#", "ops"]),
            Nick(self._count, rng.choice(self.world.people).name),
            Hello(1, self.name, self.secret),
            Ping(self._count),
            Edit(self._count, seq, text, "ops"),
            Edit(self._count, seq, text, to=rng.randrange(9)),
            Delete(self._count, seq, "lobby"),
            React(self._count, seq, rng.choice(("x", "\u202e", "👍" * 16)), "lobby"),
            Search(self._count, rng.choice(("tea", "from:ann", "in:ops tea", '"', "a* b* c*"))),
            AskUnread(self._count),
            SetRoom(self._count, "ops", private=True),
            AskRoom(self._count, "ops"),
            Moderate(self._count, "ops", rng.randrange(9), rng.choice(("kick", "ban", "mute"))),
            Grant(self._count, "ops", self._me, "owner"),
            InviteTo(self._count, "ops", rng.randrange(9)),
            Read(1 << 40, "lobby"),
            Typing("ops"),
        )
        return rng.choice(commands)

    def _say(self, *commands: Command) -> None:
        self._write(b"".join(NativeClientCodec.encode(command) for command in commands))

    def _write(self, data: bytes) -> None:
        self.world.clock.note(self.name, f"> {data[:80]!r}")
        self._sent = (self._sent + data)[-2_000:]
        if self._connection is not None:
            self._connection.client.write(data)

    def hear(self, event: Event) -> None:
        """What the server thinks of it."""
        if self.world.clock.tracing:
            self.world.clock.note(self.name, f"< {event!r}"[:200])
        self.world.records += 1
        if isinstance(event, Welcome):
            self._inside = True
            self._me = event.sender_id

    def lost(self, connection: Connection) -> None:
        """Thrown out."""
        if self._connection is connection:
            self._connection = None


class _Line:
    """One connection of an attacker."""

    def __init__(self, owner: Hostile, connection: Connection) -> None:
        self._owner = owner
        self._connection = connection
        self._listener = Listener(owner.world.hush, owner.name)
        self._me = 0
        self._codec = NativeClientCodec(owner.world.pages.frame_bytes)

    def opened(self) -> None:
        """The handshake is over."""
        self._owner.begin()

    def data_received(self, data: bytes) -> None:
        """What the server says must make sense, whoever hears it."""
        self._codec.receive_data(data)
        try:
            while (event := self._codec.next_event()) is not None:
                match event:
                    case Welcome(sender_id=me):
                        self._me = me
                    case Message(room=None):
                        assert self._me in (event.sender_id, event.to), "a stranger hears others whisper"
                    case _:
                        pass
                self._owner.hear(event)
        except RemoteProtocolError as error:
            raise AssertionError(f"the server speaks nonsense: {error.detail}") from error
        self._listener.heard(data, {self._me} if self._me else set())

    def closed(self, *, broken: bool) -> None:
        """The connection is over."""
        self._owner.lost(self._connection)
