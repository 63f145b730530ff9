"""Guests who keep to every rate and ask for what costs most, and somebody beside them who only wants to be answered.

A stranger chooses names, texts and what is asked for, so all of that is at its limits here: rooms by the handful,
mentions without end, names that grow when they are folded, texts that take six bytes a character, pages around the
largest messages, and for each account a dialogue with everybody who ever came by. Nobody else may feel it: the prober
next to them gets its pongs in time, whatever is going on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from securechat.errors import RemoteProtocolError
from securechat.limits import MAX_NAME_CHARS, MAX_ROOM_CHARS
from securechat.model import (
    AskConversations,
    Command,
    Direct,
    Event,
    Hello,
    History,
    Join,
    Leave,
    Message,
    Nick,
    Ping,
    Pong,
    Quit,
    React,
    Refused,
    Rooms,
    Say,
    Search,
    Welcome,
    Who,
    Whois,
)
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from securechat.wire.native import NativeClientCodec
from tests.simulation.hush import Listener
from tests.simulation.texts import filled, long_name

if TYPE_CHECKING:
    import random

    from securechat.testing.link import Connection
    from tests.simulation.world import World

PONG_S = 0.5
"""Virtual time for an answer to a ping on a good line: two passes at their longest (`work.LONGEST_PASS_MS`), and the
way."""
_ROOMS = tuple(long_name(f"room{number}", MAX_ROOM_CHARS) for number in range(4))
_MORE_ROOMS = tuple(long_name(f"room{number}", MAX_ROOM_CHARS) for number in range(4, 7))
_LISTS = 0.2
"""How often a visitor looks at all its conversations instead."""
_TOURS = 0.15
"""And how often at the list of rooms, after it has entered as many as it may: more than a page has."""
_GROWING = "\ufdfa"
"""Folded, it is 18 code points."""
_SIGNS = ("👍", "🎉", "👨‍👩‍👧‍👦", "+1", "\U00020000" * 16)


class Line:
    """One connection of a guest.

    Args:
        owner: whose.
        connection: the line.
    """

    def __init__(self, owner: Guest, connection: Connection) -> None:
        self.connection = connection
        self.me = 0
        self._owner = owner
        self._listener = Listener(owner.world.hush, owner.base)
        self._codec = NativeClientCodec(owner.world.pages.frame_bytes)
        connection.client.start(self)

    def opened(self) -> None:
        """The handshake is over."""
        self._owner.begin()

    def send(self, *commands: Command) -> None:
        """Write commands."""
        if commands and not self.connection.dead:
            self.connection.client.write(b"".join(NativeClientCodec.encode(command) for command in commands))

    def data_received(self, data: bytes) -> None:
        """What the server says must make sense, and fit."""
        self._codec.receive_data(data)
        try:
            while (event := self._codec.next_event()) is not None:
                self._owner.world.records += 1
                if isinstance(event, Welcome):
                    self.me = event.sender_id
                self._owner.hear_on(self, event)
        except RemoteProtocolError as error:
            raise HistoryBroken(f"{self._owner.base} is sent nonsense: {error.detail}") from error
        self._listener.heard(data, {self.me} if self.me else set())

    def closed(self, *, broken: bool) -> None:
        """The connection is over."""
        self._owner.lost(self)


class Guest:
    """Somebody without an account.

    Args:
        world: where.
        base: what its dice are called.
        address: where it comes from.
    """

    def __init__(self, world: World, base: str, address: str) -> None:
        self.world = world
        self.base = base
        self.rng = world.chance.dice(base)
        self.line: Line | None = None
        self._address = address
        self._came = 0

    @property
    def is_inside(self) -> bool:
        """Whether it was welcomed."""
        return self.line is not None and self.line.me > 0

    def come(self, *, good: bool) -> None:
        """Connect, as somebody who was never here; on a line that nothing happens to, if it is a good one."""
        connection = self.world.dial(self._address, None, good=good)
        if connection is not None:
            self._came += 1
            self.line = Line(self, connection)

    def begin(self) -> None:
        """A connection is there."""
        if self.line is not None:
            name = long_name(f"{self.base}{self._came}", MAX_NAME_CHARS)
            self.line.send(Hello(1, name, f"{self.rng.getrandbits(128):032x}"))

    def hear_on(self, line: Line, event: Event) -> None:
        """Take what the server says on a connection, which may be an older one than the present."""
        self.hear(event)

    def hear(self, event: Event) -> None:
        """Take what the server says."""

    def lost(self, line: Line) -> None:
        """The connection is over."""
        if self.line is line:
            self.line = None

    def leave(self) -> None:
        """Enough."""
        if self.line is not None:
            self.line.connection.die()
            self.line = None


class Visitor(Guest):
    """One of the crowd."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, f"crowd{number}", f"10.88.0.{number + 1}")
        self._count = self._texts = 0
        self._seqs: deque[int] = deque([1], maxlen=20)

    def act(self, dice: random.Random) -> None:
        """Come by, ask for much, or go."""
        self.rng = dice
        if self.line is None or self.line.connection.dead:
            self.come(good=False)
        elif self.is_inside:
            kinds = (self._say_much, self._mention, self._look, self._look, self._enter, self._name, self._goodbye)
            commands = dice.choice(kinds)()
            self.world.clock.note(self.base, f"> {len(commands)} times {type(commands[0]).__name__}")
            self.line.send(*commands)

    def hear(self, event: Event) -> None:
        """Whoever comes by writes to every account, so that each has many dialogues."""
        match event:
            case Welcome():
                self._count = 0
                accounts = sorted({who for each in self.world.people if each.is_account for who in each.ids})
                if self.line is not None:
                    self.line.send(*(self._direct(event.sender_id, who) for who in accounts[:4]))
            case Message(seq=seq, room=room) if room == LOBBY:
                self._seqs.append(seq)
            case _:
                pass

    def _direct(self, me: int, who: int) -> Direct:
        return Direct(self._next(), who, filled(f"psst{me}-{who}; tea", "\x01", self.world.pages.text_chars))

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _text(self, filler: str) -> str:
        self._texts += 1
        return filled(f"{self.base}:{self._texts}", filler, self.world.pages.text_chars)

    # --- what costs

    def _say_much(self) -> Sequence[Command]:
        sign = self.rng.choice(_SIGNS)
        texts = [self._text(self.rng.choice(("\x01", '"', "\U00020000", "a\u0301"))) for _ in range(3)]
        return [
            *(Say(self._next(), LOBBY, text) for text in texts),
            *(React(self._next(), seq, sign, LOBBY) for seq in list(self._seqs)[-2:]),
        ]

    def _mention(self) -> Sequence[Command]:
        pieces = ("@a,", "@a b c d ", "@é b. ", "@" + _GROWING * (MAX_NAME_CHARS - 1) + " ", "@ann, ")
        return [Say(self._next(), LOBBY, self._text(self.rng.choice(pieces))) for _ in range(3)]

    def _look(self) -> Sequence[Command]:
        ref = self._next()
        commands: tuple[Command, ...] = (
            *(History(ref, room=LOBBY, around=seq) for seq in list(self._seqs)[-3:]),
            History(ref, after=0),
            History(ref, room=LOBBY),
            Search(ref, "tea"),
            Who(ref, LOBBY),
            Rooms(ref),
        )
        chosen, instead = self.rng.choice(commands), self.rng.random()
        if instead < _TOURS:
            return [Join(ref, [*_ROOMS, *_MORE_ROOMS]), Rooms(self._next())]
        return [AskConversations(ref) if instead < _TOURS + _LISTS else chosen]

    def _enter(self) -> Sequence[Command]:
        rooms = self.rng.sample(_ROOMS, 3)
        return [Join(self._next(), rooms), *(Leave(self._next(), room) for room in rooms[:2])]

    def _name(self) -> Sequence[Command]:
        strange = ("\U00020000" * 32, "a\u0301" * 64, _GROWING * 128, "é" * 33, "\x01" * 32)
        asked = [Whois(self._next(), self.rng.choice(strange)) for _ in range(4)]
        return [*asked, Nick(self._next(), long_name(f"{self.base}{self._came}n{self._count}", MAX_NAME_CHARS))]

    def _goodbye(self) -> Sequence[Command]:
        return [Quit()]


class Prober(Guest):
    """Somebody who does nothing but ask whether the server is there."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "prober", "10.99.0.1")
        self._count = 0
        self._answered = 0

    def act(self, dice: random.Random) -> None:
        """Ask."""
        if self.line is None or self.line.connection.dead:
            self.come(good=True)
        elif self.is_inside:
            self._count += 1
            line, number, server = self.line, self._count, self.world.server
            line.send(Ping(number))
            self.world.clock.call_later(PONG_S, lambda: self._check(line, number, server))

    def hear(self, event: Event) -> None:
        """Remember what was answered; a hello that is refused is said again."""
        match event:
            case Pong(n) if n is not None:
                self._answered = max(self._answered, n)
            case Refused():
                self.leave()
            case _:
                pass

    def _check(self, line: Line, number: int, server: object) -> None:
        world = self.world
        is_there = world.server is server and world.server.alive and not world.server.draining
        if is_there and line is self.line and not line.connection.dead and self._answered < number:
            raise HistoryBroken(f"a ping was not answered within {PONG_S} s")
