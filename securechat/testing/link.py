"""A network in memory: connections whose bytes come in pieces, late, slowly, or not at all.

A connection is two pipes. Each keeps the order of its bytes, as TCP does; nothing is kept of the order between
connections. What may go wrong is written in a `Conduct` and drawn from one generator: where the bytes are cut into
segments, how long each takes, how much the receiver's side holds before the sender is refused, and after how many
bytes the connection dies, and how (`Death`).

The server's end looks like an `ssl.SSLSocket` to `securechat.net.transport.Transport`, so the real transport runs on
it: handshake, records, short and refused writes, close_notify, lingering. The client's end calls back.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from securechat.net.loop import EVENT_READ, EVENT_WRITE

if TYPE_CHECKING:
    import random

    from securechat.testing.clock import SimulatedClock


class Death(Enum):
    """The ways in which a connection ends without being closed."""

    RESET = "reset"
    TRUNCATED = "truncated"  # FIN without close_notify
    SILENT = "silent"  # no packet arrives any more, and neither side is told


class Segments(Enum):
    """The ways in which a pipe cuts a write."""

    WHOLE = "whole"
    MIXED = "mixed"
    BYTES = "bytes"  # at the worst place: one byte at a time, for the first of every write


class Conduct(Struct):
    """The behaviour of one connection.

    Attributes:
        delay_s: the least and the most that a segment takes.
        segments: how writes are cut.
        window_bytes: what one direction holds, on its way and unread, before a send is refused.
        dies_after_bytes: delivered to the server, and to the client; None for never.
        death: how it dies.
    """

    delay_s: tuple[float, float] = (0.0005, 0.01)
    segments: Segments = Segments.WHOLE
    window_bytes: int = 65_536
    dies_after_bytes: tuple[int | None, int | None] = (None, None)
    death: Death = Death.RESET


_MOST_SINGLE_BYTES = 8
"""Segments of one byte at the head of a write, then the rest in larger ones: every header is cut everywhere, and a
page of 54 KiB is not 54,000 events."""


class _Pipe:
    """One direction."""

    def __init__(self, connection: Connection, dies_after_bytes: int | None) -> None:
        self.buffer = bytearray()
        self.shaken = self.ended = self.broken = False
        self.on_arrival: Callable[[], None] = _nothing
        self.on_room: Callable[[], None] = _nothing
        self._connection = connection
        self._under_way = 0
        self._last_s = 0.0
        self._left_bytes = dies_after_bytes
        self._held: list[tuple[bytes, str]] = []  # segments that arrived while the line stood still

    def room(self) -> int:
        """Bytes that a send would take."""
        return self._connection.conduct.window_bytes - self._under_way - len(self.buffer)

    def send(self, data: bytes | memoryview) -> int:
        """Take what fits; returns how much that is."""
        size = min(len(data), self.room())
        if size <= 0 or self.broken:
            return 0
        taken = bytes(data[:size])
        self._under_way += size
        for segment in _cut(taken, self._connection.conduct.segments, self._connection.rng):
            self._post(segment, "")
        return size

    def mark(self, word: str) -> None:
        """Send something that is no data: "shaken", "ended" (close_notify) or "broken"."""
        self._post(b"", word)

    def take(self, most: int) -> bytes:
        """Read; the sender has room again."""
        data = bytes(self.buffer[:most])
        del self.buffer[:most]
        if data:
            self.on_room()
        return data

    def _post(self, segment: bytes, word: str) -> None:
        connection = self._connection
        low, high = connection.conduct.delay_s
        when = max(connection.clock.now + low + (high - low) * connection.rng.random(), self._last_s)
        self._last_s = when
        connection.clock.call_at(when, lambda: self._arrive(segment, word))

    def _arrive(self, segment: bytes, word: str) -> None:
        connection = self._connection
        if connection.dead or self.broken:
            return
        if connection.held:
            self._held.append((segment, word))
            return
        self._under_way -= len(segment)
        if self._left_bytes is not None:
            dies = len(segment) >= self._left_bytes
            segment = segment[: self._left_bytes]
            self._left_bytes -= len(segment)
            if dies:
                self.buffer += segment
                connection.die()
                self.on_arrival()  # what came before a silence is heard as well
                return
        self.buffer += segment
        if word:
            setattr(self, word, True)
        self.on_arrival()

    def let_go(self) -> None:
        """The line moves again."""
        held, self._held = self._held, []
        for segment, word in held:
            self._arrive(segment, word)

    def end_without_notice(self, word: str) -> None:
        """The connection died; what is on its way is lost."""
        if word:
            setattr(self, word, True)
            self.on_arrival()
            self.on_room()


def _nothing() -> None:
    """The handler of an end that is not connected yet."""


def _cut(data: bytes, how: Segments, rng: random.Random) -> Iterator[bytes]:
    if how is Segments.WHOLE or len(data) < 2:
        yield data
        return
    at = 0
    if how is Segments.BYTES:
        singles = min(len(data), _MOST_SINGLE_BYTES)
        for at in range(singles):
            yield data[at : at + 1]
        at = singles
    while at < len(data):
        size = rng.randint(1, max(1, len(data) - at))
        yield data[at : at + size]
        at += size


class Connection:
    """A connection and its two ends.

    Args:
        clock: when things arrive.
        rng: draws delays and segments.
        conduct: how it behaves.
        address: the client's, as the server sees it.
        port: likewise.
        alpn: the protocol that was agreed on.
        certificate: DER of the certificate that the client shows, and owns the key of.

    Attributes:
        server: the server's end.
        client: the client's end.
        conduct: how it behaves; may be changed on the way.
        dead: whether nothing arrives any more.
        held: whether the line stands still: what is sent waits.
    """

    def __init__(
        self,
        clock: SimulatedClock,
        rng: random.Random,
        conduct: Conduct,
        address: str,
        port: int,
        alpn: str | None,
        certificate: bytes | None = None,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.conduct = conduct
        self.dead = False
        self.held = False
        upward, downward = (_Pipe(self, limit) for limit in conduct.dies_after_bytes)
        self.server = SimulatedSocket(upward, downward, (address, port), alpn, certificate)
        self.client = ClientEnd(self, downward, upward)
        self._pipes = (upward, downward)

    def die(self, how: Death | None = None) -> None:
        """Break in this moment: what is on its way is lost."""
        if self.dead:
            return
        self.dead = True
        how = how or self.conduct.death
        word = {Death.RESET: "broken", Death.TRUNCATED: "broken", Death.SILENT: ""}[how]
        for pipe in self._pipes:
            pipe.end_without_notice(word)

    def find_out(self) -> None:
        """The machine at the server's end is up again: it answers what it knows nothing of with a reset."""
        self._pipes[1].end_without_notice("broken")

    def hold(self, held: bool) -> None:  # the line's one switch
        """Let the line stand still, or move again."""
        self.held = held
        if not held:
            for pipe in self._pipes:
                pipe.let_go()


class SimulatedSocket:
    """The server's end, with as much of `ssl.SSLSocket` as a transport uses.

    Attributes:
        on_change: called when readiness may have changed; the owner of the selector sets it.
    """

    family = -1  # no address family: no TCP options
    server_side = True

    def __init__(
        self, incoming: _Pipe, outgoing: _Pipe, peer: tuple[str, int], alpn: str | None, certificate: bytes | None
    ) -> None:
        self.on_change: Callable[[], None] = _nothing
        self.context = self
        self.verify_mode = ssl.CERT_OPTIONAL
        self._certificate = certificate
        self.peer = peer
        self._in = incoming
        self._out = outgoing
        self._alpn = alpn
        self._closed = False
        self._is_short_of_room = False
        incoming.on_arrival = self._changed
        outgoing.on_room = self._has_room

    def _changed(self) -> None:
        if not self._closed:
            self.on_change()

    def _has_room(self) -> None:
        if self._is_short_of_room or self._out.broken:  # else no write waits
            self._is_short_of_room = False
            self._changed()

    # --- for the selector

    def readiness(self, events: int) -> int:
        """Return those of the events that are ready: a recv, or a send, would not block."""
        mask, pipe = 0, self._in
        if events & EVENT_READ and (pipe.buffer or pipe.ended or pipe.broken or (pipe.shaken and not self._shaken)):
            mask = EVENT_READ
        if events & EVENT_WRITE and (self._out.broken or self._out.room() > 0):
            mask |= EVENT_WRITE
        return mask

    # --- for begin_tls and the handshake

    _shaken = False

    def setblocking(self, _: bool) -> None:  # socket's own signature
        """It never blocks."""

    def setsockopt(self, *_: Any) -> None:
        """It has no options."""

    def getpeername(self) -> tuple[str, int]:
        """Return the address of the other end."""
        return self.peer

    def wrap_socket(self, _: Any, **__: Any) -> SimulatedSocket:
        """Return itself: the simulation has no TLS, so the socket is its own context."""
        return self

    def do_handshake(self) -> None:
        """Finish if the peer has got as far."""
        if self._in.broken:
            raise ConnectionResetError(104, "reset")
        if not self._in.shaken:
            raise ssl.SSLWantReadError
        self._shaken = True
        self._out.mark("shaken")

    def selected_alpn_protocol(self) -> str | None:
        """Return the protocol that the peer offered, if the server knows it."""
        return self._alpn

    def version(self) -> str:
        """Return the current version of TLS."""
        return "TLSv1.3"

    def getpeercert(self, **_: Any) -> bytes | None:
        """Return the certificate that the client has shown."""
        return self._certificate

    # --- bytes

    def recv(self, most: int) -> bytes:
        """Read up to ``most`` bytes."""
        pipe = self._in
        if pipe.buffer:
            return pipe.take(most)
        if pipe.broken:
            raise ConnectionResetError(104, "reset")
        if pipe.ended:
            return b""
        raise ssl.SSLWantReadError

    def send(self, data: bytes | memoryview) -> int:
        """Write what there is room for."""
        if self._out.broken:
            raise ConnectionResetError(104, "reset")
        sent = self._out.send(data)
        self._is_short_of_room = sent < len(data)
        if sent:
            return sent
        raise ssl.SSLWantWriteError

    def unwrap(self) -> None:
        """Say close_notify."""
        self._out.mark("ended")
        if not self._in.ended:
            raise ssl.SSLWantReadError

    def shutdown(self, _: int) -> None:
        """The close_notify has said it."""
        if self._out.broken:
            raise OSError(107, "not connected")

    def close(self) -> None:
        """Be gone; a peer that heard no close_notify is reset."""
        if not self._closed:
            self._closed = True
            self._out.mark("broken")


class ClientHandler(Protocol):
    """The handler at the client's end."""

    def opened(self) -> None:
        """The handshake is over."""

    def data_received(self, data: bytes) -> None:
        """Bytes, as they came."""

    def closed(self, *, broken: bool) -> None:
        """The connection is over; the last call."""


class ClientEnd:
    """The client's end: sends without bound, hears by callbacks, and may read slowly or not at all.

    Attributes:
        read_bytes: how much is read at once; None for all there is.
        read_every_s: how long a slow reader rests between two reads.
    """

    def __init__(self, connection: Connection, incoming: _Pipe, outgoing: _Pipe) -> None:
        self.connection = connection
        self.read_bytes: int | None = None
        self.read_every_s = 0.0
        self._handler: ClientHandler | None = None
        self._in = incoming
        self._out = outgoing
        self._unsent = bytearray()
        self._reading = True
        self._resting = False
        self._open = self._closing = False
        incoming.on_arrival = self._arrived
        outgoing.on_room = self._pump

    def start(self, handler: ClientHandler) -> None:
        """Begin the handshake."""
        self._handler = handler
        self._out.mark("shaken")

    def write(self, data: bytes) -> None:
        """Send, as the window allows."""
        if self._handler is not None and not self._closing:
            self._unsent += data
            self._pump()

    def close(self) -> None:
        """Send what waits, then close_notify; nothing is heard any more."""
        if self._handler is not None:
            self._handler = None
            self._closing = True
            self._pump()
            self.connection.clock.call_later(2.0, self.abort)

    def abort(self) -> None:
        """Be gone at once."""
        self._handler = None
        self.connection.die(Death.RESET)

    def lose_unread(self) -> None:
        """Forget what has arrived and was not read, as a reset does; and read on."""
        self._in.buffer.clear()
        self.resume()

    def pause(self) -> None:
        """Read nothing."""
        self._reading = False

    def resume(self) -> None:
        """Read again."""
        self._reading = True
        self._arrived()

    def _pump(self) -> None:
        if self._unsent and not self._out.broken:
            sent = self._out.send(bytes(self._unsent[: self._out.room()])) if self._out.room() > 0 else 0
            del self._unsent[:sent]
        if self._closing and not self._unsent:
            self._closing = False
            self._out.mark("ended")

    def _arrived(self) -> None:
        handler, pipe = self._handler, self._in
        if handler is None:
            pipe.take(len(pipe.buffer))  # lingering: read and thrown away
            return
        if not self._reading or self._resting:
            return
        if pipe.shaken and not self._open:
            self._open = True
            handler.opened()
        if self._handler is handler and pipe.buffer:
            self._rest()
            handler.data_received(pipe.take(self.read_bytes or len(pipe.buffer)))
        if self._handler is handler and (pipe.ended or pipe.broken) and not (pipe.buffer and self._resting):
            self._handler = None
            handler.closed(broken=pipe.broken)

    def _rest(self) -> None:
        if self.read_every_s > 0:
            self._resting = True
            self.connection.clock.call_later(self.read_every_s, self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._arrived()
