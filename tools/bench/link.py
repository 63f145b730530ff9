"""One TLS connection of the generator: a non-blocking socket and two memory BIOs.

Why BIOs: one ``recv`` takes everything the kernel has, whatever the number of records, and a burst of records leaves
in one ``send``; an ``SSLSocket`` needs two calls to receive a record and one to send each. Input goes through two
buffers that all links share, so a receiver that only counts costs no allocation.

A link frames what it says. `body_at` reads frames of both kinds, so receivers need not know which they get: a native
frame is shorter than 2^24 bytes, so its first byte is 0, and that of a WebSocket's text is 0x81.
"""

from __future__ import annotations

import socket
import ssl

from securechat.model import Command
from securechat.wire.frames import HEADER_BYTES
from securechat.wire.native import NativeClientCodec

RAW_BYTES = 256 * 1024
_RECORD_BYTES = 16 * 1024
_raw = bytearray(RAW_BYTES)
_raw_view = memoryview(_raw)
plain = bytearray(RAW_BYTES + _RECORD_BYTES)
"""What the last `Link.fill` decrypted. Decrypted bytes are fewer than received ones, so it always fits."""
_plain_view = memoryview(plain)
_TEXT = 0x81_00_00_00


def body_at(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Return where the body of the frame at ``start`` begins and ends; four bytes of it must be there."""
    size = int.from_bytes(data[start : start + HEADER_BYTES], "big")
    body = start + HEADER_BYTES
    if size < _TEXT:
        return body, body + size
    if (size := size >> 16 & 0x7F) < 126:
        return start + 2, start + 2 + size
    return body, body + int.from_bytes(data[start + 2 : body], "big")


class Link:
    """A client's end of one connection.

    Args:
        context: verifies the server.
        address: where to connect; the connection is under way when the constructor returns.
        server_name: what the certificate must say.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "_unsent", "handshaken", "sock")

    def __init__(self, context: ssl.SSLContext, address: tuple[str, int], server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._unsent = b""
        self.handshaken = False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex(address)

    def step_handshake(self) -> bool:
        """Go on with the handshake as far as the input allows; returns whether it is complete.

        Raises:
            OSError: the connection failed, or the server could not be verified (ssl.SSLError).
        """
        try:
            received = self.sock.recv_into(_raw)
            if not received:
                raise ConnectionError("closed during the handshake")
            self._incoming.write(_raw_view[:received])
        except BlockingIOError:
            pass
        try:
            self._tls.do_handshake()
            self.handshaken = True
        except ssl.SSLWantReadError:
            pass
        self.flush()
        return self.handshaken

    def fill(self) -> int:
        """Receive and decrypt into `plain`; returns how many bytes it holds now.

        Raises:
            OSError: the connection is over.
        """
        try:
            received = self.sock.recv_into(_raw)
        except BlockingIOError:
            received = -1
        if received == 0:
            raise ConnectionError("closed by the server")
        if received > 0:
            self._incoming.write(_raw_view[:received])
        size = 0
        incoming, read = self._incoming, self._tls.read
        try:
            while incoming.pending:
                size += read(_RECORD_BYTES, _plain_view[size:])  # type: ignore[operator]
        except ssl.SSLWantReadError:  # the rest is part of a record
            pass
        return size

    def open(self) -> None:
        """Begin, behind the TLS handshake."""

    def say(self, command: Command) -> None:
        """Queue a command as one frame."""
        self.queue(NativeClientCodec.encode(command))

    def queue(self, data: bytes) -> None:
        """Encrypt ``data`` as one record; it leaves with the next `flush`."""
        self._tls.write(data)

    def flush(self) -> bool:
        """Send what is queued; returns whether all of it went.

        Raises:
            OSError: the connection is over.
        """
        data = self._unsent + self._outgoing.read() if self._unsent else self._outgoing.read()
        if not data:
            return True
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        self._unsent = data[sent:]
        return not self._unsent

    def close(self) -> None:
        """End the connection without a word."""
        self.sock.close()


class WebLink(Link):
    """A client's end of one WebSocket. Its mask is zero: the server's work is the same, and the generator's is less."""

    __slots__ = ()

    def open(self) -> None:
        """Ask for the upgrade; nothing may be said before the answer."""
        self.queue(_UPGRADE)
        self.flush()

    def say(self, command: Command) -> None:
        """Queue a command as one masked text."""
        body = NativeClientCodec.encode(command)[HEADER_BYTES:]
        size = len(body)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.queue(b"\x81" + length + bytes(4) + body)


_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: securechat.1\r\n\r\n"
)
