"""One who fuzzes over WebSocket: the same records and nonsense, in messages, fragments and pings.

A peer writes and reads native frames, and so does what judges it (`tests.fuzz.expectation`). `WebSocketWire` stands
between them and the connection and translates both ways, byte by byte: a length becomes a header as soon as it is
known, because that is where the server judges it.
"""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.utils import apply_mask

from securechat.errors import ErrorCode
from securechat.limits import MAX_FRAME_BYTES
from securechat.wire.frames import HEADER_BYTES
from securechat.wire.websocket import CLOSE_CODES
from tests.fuzz.expectation import State as Progress
from tests.fuzz.peers import Peer

_REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: securechat.1\r\n\r\n"
)
_UNREADABLE = b"\xff\xff\xff\xff"
"""A native header that no server sends: what cannot be read here cannot be read there."""


def header(first: int, size: int, mask: bytes) -> bytes:
    """The header of a client's frame, in the shortest form."""
    if size < 126:
        return bytes((first, 0x80 | size)) + mask
    if size < 65_536:
        return bytes((first, 0xFE)) + size.to_bytes(2, "big") + mask
    return bytes((first, 0xFF)) + size.to_bytes(8, "big") + mask


class WebSocketWire:
    """Takes the place of a connection's socket.

    Args:
        sock: behind the TLS handshake.
        dice: for fragments, pings and broken frames.
        is_member: whether fragments and pings are requests like others; those of a stranger are counted.

    Attributes:
        close_frame: the server's Close.
    """

    def __init__(self, sock: ssl.SSLSocket, dice: random.Random, is_member: Callable[[], bool]) -> None:
        self.sock, self._dice, self._is_member = sock, dice, is_member
        self.close_frame: Close | None = None
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
        self._native = b""  # of a header
        self._plan: list[int] = []  # sizes of the fragments that are to come
        self._left = self._at = 0  # bytes of this fragment to come, and those that went
        self._mask = bytes(4)
        self._out = b""
        sock.sendall(_REQUEST)
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(65_536)
            if not data:
                raise ConnectionError("closed before the upgrade")
            head += data
        head, _, left = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"no upgrade: {head[:80]!r}")
        self._protocol.receive_data(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    # --- up

    def send(self, data: bytes) -> int:
        """Take native bytes: all, unless what was taken before has not gone; then as a socket that is full."""
        self.push()
        self._translate(data)
        return len(data)

    def push(self) -> None:
        """Send what was taken.

        Raises:
            OSError: the connection takes nothing now (SSLWantWriteError), or is over.
        """
        while self._out:
            self._out = self._out[self.sock.send(self._out) :]

    def end(self) -> None:
        """Say Close, once what was begun is complete or not."""
        self._out += header(0x88, 2, bytes(4)) + (1001).to_bytes(2, "big")

    def _translate(self, data: bytes) -> None:
        while data:
            if self._left:
                part, data = data[: self._left], data[self._left :]
                turn = self._at % 4
                self._out += apply_mask(part, self._mask[turn:] + self._mask[:turn])
                self._at += len(part)
                self._left -= len(part)
                self._go_on()
            else:
                missing = HEADER_BYTES - len(self._native)
                self._native, data = self._native + data[:missing], data[missing:]
                if len(self._native) == HEADER_BYTES:
                    size, self._native = int.from_bytes(self._native, "big"), b""
                    self._begin(size)

    def _begin(self, size: int) -> None:
        """Write the header of a message."""
        dice = self._dice
        if not size:
            self._out += dice.choice(_broken())
            return
        self._plan = []
        if size <= MAX_FRAME_BYTES and self._is_member():
            if dice.random() < 0.05:
                self._out += header(dice.choice((0x89, 0x8A)), 3, bytes(4)) + b"fuz"
            if dice.random() < 0.1:
                cuts = sorted(dice.randint(0, size) for _ in range(dice.randint(1, 5)))
                self._plan = [end - start for start, end in zip(cuts, [*cuts[1:], size], strict=True)]
                self._fragment(0x01, cuts[0])
                self._go_on()
                return
        self._fragment(0x81, size)

    def _go_on(self) -> None:
        """Write the header of the next fragment when this one is complete."""
        while not self._left and self._plan:
            size = self._plan.pop(0)
            self._fragment(0x00 if self._plan else 0x80, size)

    def _fragment(self, first: int, size: int) -> None:
        self._mask = self._dice.randbytes(4)
        self._left, self._at = size, 0
        self._out += header(first, size, self._mask)

    # --- down

    def recv(self, size: int) -> bytes:
        """Return native bytes.

        Raises:
            OSError: there are none now (SSLWantReadError), or the connection is over.
        """
        data = self.sock.recv(size)
        if not data:
            return b""
        protocol, native = self._protocol, b""
        protocol.receive_data(data)
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.CLOSE:
                self.close_frame = Close.parse(frame.data)
            elif frame.opcode is Opcode.TEXT and frame.fin:
                native += len(frame.data).to_bytes(HEADER_BYTES, "big") + bytes(frame.data)
            elif frame.opcode is not Opcode.PONG:
                native += _UNREADABLE
        if protocol.parser_exc is not None:
            native += _UNREADABLE
        if not native:
            raise ssl.SSLWantReadError
        return native


def _broken() -> list[bytes]:
    """Frames that end the connection, each for a reason of its own."""
    ping = b'{"t":"ping"}'
    return [
        header(0x81, 0, bytes(4)),
        bytes((0x81, len(ping))) + ping,
        header(0xC1, len(ping), bytes(4)) + ping,
        header(0x83, len(ping), bytes(4)) + ping,
        header(0x82, len(ping), bytes(4)) + ping,
        header(0x80, len(ping), bytes(4)) + ping,
        header(0x09, 0, bytes(4)),
        header(0x89, 126, bytes(4)),
        header(0x88, 2, bytes(4)) + (1005).to_bytes(2, "big"),
        header(0x01, 3, bytes(4)) + b'"\xff"',
        b"\x81\xfe\x00\x7d" + bytes(4),
    ]


class WebPeer(Peer):
    """One who fuzzes over WebSocket; see `Peer`."""

    def _opened(self, sock: ssl.SSLSocket) -> ssl.SSLSocket:
        self.wire = WebSocketWire(sock, self.dice, lambda: self.expectation.state is Progress.MEMBER)
        self.figures["WebSockets"] += 1
        return cast("ssl.SSLSocket", self.wire)

    def vanish(self) -> None:
        """Break the connection, sometimes with a Close and without waiting for the answer."""
        if self.dice.random() < 0.5:
            self.wire.end()
            self.flush()
        super().vanish()

    def flush(self) -> None:
        """Send what waits, and what the wire has taken of it."""
        super().flush()
        if self.sock is not None:
            with suppress(OSError):
                self.wire.push()

    def _shut(self) -> None:
        socket.socket.shutdown(self.wire.sock, socket.SHUT_WR)

    def _ended(self, how: str) -> None:
        """Hold the server's Close against its last record."""
        closing, close = self.expectation.closing, self.wire.close_frame
        if closing is not None:
            wanted = {CLOSE_CODES[closing.code]} | (
                {1002, 1003, 1008} if closing.code is ErrorCode.BAD_FRAME else set()
            )
            if close is None or close.code not in wanted or close.reason != closing.code:
                self._complain(f"behind {closing.code} came {close}")
            else:
                self.figures[f"close frame: {close.code}"] += 1
                self.figures["WebSockets ended for what they sent"] += close.code in (1002, 1007)
        super()._ended(how)
