"""The receiving halves of a connection: enter, count, scan or decode; each costs more than the one before.

* `Doorway` speaks the hello and joins; every connection begins here, and a WebSocket with the answer to its upgrade.
* `Counter` adds up bytes: for those who only receive. Only messages may reach it, anything else falsifies the sum.
* `Scanner` goes from header to header and tells messages from acknowledgements: for senders.
* `Decoder` decodes every frame: checks content, order, exactly once and the ``prev`` chain, and takes the latency.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from typing import TYPE_CHECKING, Protocol

import msgspec

from securechat.model import Command, Event, Hello, Join, Joined, Message, Ping, Pong, Welcome
from securechat.wire.frames import HEADER_BYTES
from tools.bench.link import WebLink, body_at, plain
from tools.bench.payload import parse_text

if TYPE_CHECKING:
    from collections import deque

    from tools.bench.link import Link
    from tools.bench.room import Room, Sender

_LOBBY = "lobby"
_TYPE_AT = len('{"t":"')
_MESSAGE, _ACKED, _P = ord("m"), ord("a"), ord("p")
_events = msgspec.json.Decoder(Event)


class Ear(Protocol):
    """Hears what `link.fill` left in `link.plain`."""

    def hear(self, size: int) -> None:
        """Take the first ``size`` bytes of `plain`."""


class Doorway:
    """Says hello, enters the room, and takes what comes until measuring begins.

    Args:
        link: the connection.
        name: the wanted name; also the source of the secret.
        room: where to go; the lobby needs no request.
    """

    def __init__(self, link: Link, name: str, room: str) -> None:
        self.inside = False
        self.refusal = ""
        self.heard_bytes = 0
        self._link = link
        self._name = name
        self._room = room
        self._secret = ""
        self._rest = b""
        self._upgraded = not isinstance(link, WebLink)

    def knock(self, secret: str) -> None:
        self._secret = secret
        if self._upgraded:
            self._say(Hello(1, self._name, secret, "bench"))
        else:
            self._link.open()

    def hear(self, size: int) -> None:
        self.heard_bytes += size
        data = self._rest + plain[:size]
        if not self._upgraded:
            head, separator, behind = data.partition(b"\r\n\r\n")
            if not separator:
                self._rest = bytes(data)
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                raise ConnectionError(f"no upgrade: {bytes(head[:40])!r}")
            self._upgraded, data = True, behind
            self.knock(self._secret)
        start, end = 0, len(data)
        while start + HEADER_BYTES <= end:
            body, after = body_at(data, start)
            if after > end:
                break
            self._heard(_events.decode(data[body:after]))
            start = after
        self._rest = bytes(data[start:])

    def _heard(self, event: Event) -> None:
        match event:
            case Welcome() if self._room != _LOBBY:
                self._say(Join(1, [self._room]))
            case Joined():
                self.inside = self.inside or event.room == self._room
            case Ping():
                self._say(Pong(event.n))
            case _ if type(event).__name__ in {"Refused", "Closing", "Throttled"}:
                self.refusal = self.refusal or str(event)

    def _say(self, command: Command) -> None:
        self._link.say(command)
        self._link.flush()


class Counter:
    """Counts bytes."""

    __slots__ = ("_heard_bytes", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._heard_bytes = 0

    def hear(self, size: int) -> None:
        before = self._heard_bytes
        self._heard_bytes = after = before + size
        self._room.advanced(before, after)


class Scanner:
    """Counts the bytes of messages, and acknowledgements.

    Args:
        link: for answers to pings.
        room: told of the progress.
        sender: whose acknowledgements these are, if it speaks.
        freed: gets the sender when an acknowledgement opened its window.
        faults: what went wrong, by kind.
    """

    def __init__(self, link: Link, room: Room, sender: Sender | None, freed: deque[Sender], faults: Tally[str]) -> None:
        self._link = link
        self._room = room
        self._sender = sender
        self._freed = freed
        self._faults = faults
        self._heard_bytes = 0
        self._rest = b""

    def hear(self, size: int) -> None:
        data = self._rest + plain[:size]
        start, end, messages_bytes, acks = 0, len(data), 0, 0
        while start + HEADER_BYTES <= end:
            body, after = body_at(data, start)
            if after > end:
                break
            kind = data[body + _TYPE_AT]
            if kind == _MESSAGE:
                messages_bytes += after - start
                self._message(data, start, body, after)
            elif kind == _ACKED:
                acks += 1
            else:
                self._other(data[body:after])
            start = after
        self._rest = bytes(data[start:])
        if acks:
            self._acknowledged(acks)
        if messages_bytes:
            before = self._heard_bytes
            self._heard_bytes = before + messages_bytes
            self._room.advanced(before, self._heard_bytes)

    def _message(self, data: bytes | bytearray, start: int, body: int, end: int) -> None:
        """A message frame came; only a `Decoder` looks into it."""

    def _acknowledged(self, count: int) -> None:
        sender = self._sender
        if sender is None:
            self._faults["ack for nobody"] += count
            return
        sender.acknowledged(count)
        if sender.paced_by_acks:
            sender.done += count
            self._freed.append(sender)

    def _other(self, body: bytes | bytearray) -> None:
        event = _events.decode(body)
        if isinstance(event, Ping):
            self._link.say(Pong(event.n))
            self._link.flush()
        elif body[_TYPE_AT] != _P:  # presence and pong are harmless
            self._faults[str(event)[:120]] += 1


class Decoder(Scanner):
    """Decodes and checks everything.

    Args:
        link: as for `Scanner`.
        room: as for `Scanner`.
        sender: as for `Scanner`.
        freed: as for `Scanner`.
        faults: as for `Scanner`.
        senders: all senders by the index in their payloads.
        reference: whether this one notes the messages for the room.
        latencies_ns: gets one entry a message.
    """

    def __init__(
        self,
        link: Link,
        room: Room,
        sender: Sender | None,
        freed: deque[Sender],
        faults: Tally[str],
        *,
        senders: list[Sender],
        reference: bool,
        latencies_ns: list[int],
    ) -> None:
        super().__init__(link, room, sender, freed, faults)
        self._senders = senders
        self._reference = reference
        self._latencies_ns = latencies_ns
        self._expected: dict[int, int] = {}
        self._last_seq = 0
        self._now_ns = 0

    def hear(self, size: int) -> None:
        self._now_ns = time.monotonic_ns()
        super().hear(size)

    def _message(self, data: bytes | bytearray, start: int, body: int, end: int) -> None:
        message = _events.decode(data[body:end])
        assert isinstance(message, Message)
        payload = parse_text(message.text)
        if payload is None or message.room != self._room.name:
            self._faults["altered or stray message"] += 1
            return
        if payload.number != self._expected.get(payload.sender, 0):
            self._faults["out of order, missing or repeated"] += 1
        self._expected[payload.sender] = payload.number + 1
        if (self._last_seq and message.prev != self._last_seq) or message.seq <= message.prev:
            self._faults["broken prev chain"] += 1
        self._last_seq = message.seq
        self._latencies_ns.append(self._now_ns - payload.stamp_ns)
        if self._reference:
            self._room.noted(end - start, self._senders[payload.sender])
