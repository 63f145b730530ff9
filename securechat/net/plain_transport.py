"""Connections without TLS, for this machine's own programs: few, and never a client's.

A transport here has the shape of :mod:`securechat.net.transport`, so that the same handlers run on it. It is simpler:
nothing is decrypted ahead of the selector, one read a wake-up is enough, and the selector reports the rest again. Its
handler sends one bounded answer at a time, so a peer that does not read holds that much memory, and its handler's
deadlines end it.

`PlainConnections` admits MOST_CONNECTIONS at once, where the oldest makes room for a newcomer, and MOST_PER_SECOND:
a program of this machine that connects again and again waits in the kernel, and takes nothing from a server's clients.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from securechat.net.graceful_close import GracefulClose
from securechat.net.interfaces import NULL_HANDLER, TransportHandler
from securechat.net.loop import EVENT_READ, EVENT_WRITE
from securechat.net.outbox import Outbox
from securechat.net.socket_options import CloseReason, ConnectionState, label_of_peer, reason_of, set_options

if TYPE_CHECKING:
    from securechat.net.connection_limits import Denial
    from securechat.net.loop import Loop

MOST_CONNECTIONS = 8
"""At once: two scrapers and two that probe, each with a connection that it keeps and one that it is closing."""
MOST_PER_SECOND = 20
"""Connections accepted in a second; at 0.1 ms each 2 ms of it."""
_READ_BYTES = 16 * 1024
_OPEN, _CLOSING, _LINGERING, _CLOSED = (
    ConnectionState.OPEN, ConnectionState.CLOSING, ConnectionState.LINGERING, ConnectionState.CLOSED,
)  # fmt: skip


class PlainTransport:
    """One connection without TLS.

    Args:
        loop: runs it, on its thread.
        sock: a connected TCP socket; taken over, also when this raises.
        peer: its address tuple.
        on_closed: told when the descriptor is free.

    Attributes:
        address: of the peer, without the port.

    Raises:
        OSError: the socket is already dead.
    """

    __slots__ = (
        "_behind", "_blocked", "_detail", "_dirty", "_graceful_close", "_handler", "_interest", "_loop", "_on_closed",
        "_outbox", "_peer", "_reading", "_reason", "_sock", "_state",
        "address", "alpn", "owes_hello", "peer_certificate",
    )  # fmt: skip

    def __init__(
        self, loop: Loop, sock: socket.socket, peer: tuple[Any, ...], on_closed: Callable[[PlainTransport], None]
    ) -> None:
        try:
            set_options(sock, loop.limits)
        except OSError:
            sock.close()
            raise
        self._loop = loop
        self._sock = sock
        self._peer = peer
        self._on_closed = on_closed
        self.address = str(peer[0])
        self.alpn: str | None = None
        self.peer_certificate: bytes | None = None
        self.owes_hello = False
        self._handler: TransportHandler = NULL_HANDLER
        self._outbox = Outbox()
        self._state = _OPEN
        self._reading = True
        self._interest = 0
        self._dirty = False
        self._blocked = False  # the socket refused bytes
        self._behind = False  # since then, until the outbox is empty
        self._graceful_close: GracefulClose | None = None  # since this side closes
        self._reason, self._detail = CloseReason.LOCAL, ""

    # --- for the handler

    @property
    def queued_bytes(self) -> int:
        """Bytes that the socket has not accepted yet."""
        return self._outbox.size_bytes

    @property
    def label(self) -> str:
        """The peer's address and port."""
        return label_of_peer(self._peer)

    def start(self, handler: TransportHandler) -> None:
        """Begin to read."""
        self._handler = handler
        self._watch()
        handler.handshake_done()

    def write(self, data: bytes) -> None:
        """Queue bytes for the flush at the end of this pass. Ignored once closing has begun."""
        if self._state is _OPEN:
            self._outbox.append(data)
            self._mark_dirty()

    def pause_reading(self) -> None:
        """Stop delivering."""
        if self._state is _OPEN:
            self._reading = False
            self._watch()

    def resume_reading(self) -> None:
        """Deliver again."""
        if self._state is _OPEN:
            self._reading = True
            self._watch()

    def close_with(self, last_words: bytes = b"", drop_backlog: bool = False) -> None:
        """Send ``last_words`` after all queued bytes, and close so that the peer receives them; see `Transport`."""
        if self._state is _OPEN:
            if drop_backlog:
                self._outbox.clear_unsent()
            if last_words:
                self.write(last_words)
            self._begin_close(CloseReason.LOCAL)

    def abort(self) -> None:
        """Close at once, losing unsent bytes."""
        self._end(CloseReason.LOCAL)

    def fail(self) -> None:
        """Let the handler close with last words, if it can: work for this connection raised an exception."""
        state = self._state
        try:
            if state is _OPEN:
                self._handler.failed()
        finally:
            if self._state is state:  # close even if the handler did not
                self._end(CloseReason.INTERNAL)

    # --- for the loop

    def ready(self, events: int) -> None:
        """Handle events that the selector reports for the socket."""
        if events & EVENT_WRITE and self._blocked:
            self._blocked = False
            if self._graceful_close is not None:
                self._graceful_close.progressed()
            self._mark_dirty()
            self._watch()
        if events & EVENT_READ:
            self._read()

    def ready_again(self) -> None:
        """Never on the loop's list: the selector reports what a read has left."""

    def step_handshake(self) -> None:
        """Never called: there is no handshake."""

    def overflow(self) -> None:
        """Never called: its backlog is not counted, as it is one answer."""

    def flush(self) -> None:
        """Send queued bytes, at most limits.write_bytes_per_pass."""
        self._dirty = False
        if self._blocked or self._state in (_LINGERING, _CLOSED):
            return
        left_bytes = self._loop.limits.write_bytes_per_pass
        try:
            while left_bytes > 0 and (piece := self._outbox.take()):
                sent_bytes = self._sock.send(piece)
                self._outbox.accepted(sent_bytes)
                left_bytes -= sent_bytes
        except BlockingIOError:
            self._block()
            return
        except OSError as error:
            self._end(reason_of(error, handshaking=False), str(error))
            return
        if self._outbox:
            self._mark_dirty()
        elif self._state is _CLOSING:
            self._linger()
        elif self._behind:
            self._behind = False
            self._handler.backlog_over()

    def finish(self) -> None:
        """Close the descriptor and report it, at the end of the pass."""
        self._sock.close()
        self._on_closed(self)
        handler, self._handler = self._handler, NULL_HANDLER
        handler.connection_lost(self._reason, self._detail)

    # --- steps

    def _read(self) -> None:
        if self._graceful_close is not None:
            if self._state is not _CLOSED and self._graceful_close.discard():
                self._discarded()
            return
        if not self._reading:  # paused in this pass, after the selector was asked
            return
        try:
            data = self._sock.recv(min(_READ_BYTES, self._loop.limits.read_bytes_per_pass))
        except BlockingIOError:
            return
        except OSError as error:
            self._end(reason_of(error, handshaking=False), str(error))
            return
        if data:
            self._handler.data_received(data)
        else:
            self._begin_close(CloseReason.PEER_CLOSED, peer_closed=True)

    def _discarded(self) -> None:
        """Nothing more is read: the peer has ended its side, or has sent too much."""
        if self._state is _LINGERING:
            self._end()
        else:
            self._reading = False
            self._watch()

    def _mark_dirty(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._loop.dirty.append(self)

    def _block(self) -> None:
        self._blocked = True
        self._watch()
        if not self._behind and self._state is _OPEN:
            self._behind = True
            self._handler.backlog_started()

    def _begin_close(self, reason: CloseReason, *, peer_closed: bool = False) -> None:
        self._reason = reason
        self._state = _CLOSING
        self._reading = not peer_closed
        self._graceful_close = GracefulClose(self._loop, self._sock, self._end, peer_closed=peer_closed)
        self._watch()
        self._mark_dirty()

    def _linger(self) -> None:
        """Send FIN, then read and discard further input."""
        assert self._graceful_close is not None
        if not self._graceful_close.fin():
            self._end()
            return
        self._state = _LINGERING
        self._reading = True
        self._watch()

    def _end(self, reason: CloseReason | None = None, detail: str = "") -> None:
        """Stop everything; the descriptor is closed at the end of the pass. Default reason: that of the close."""
        if self._state is _CLOSED:
            return
        self._state = _CLOSED
        if reason is not None:
            self._reason, self._detail = reason, detail
        self._reading = self._blocked = False
        self._watch()
        if self._graceful_close is not None:
            self._graceful_close.over()
        self._loop.closing.append(self)

    def _watch(self) -> None:
        wanted = (EVENT_READ if self._reading else 0) | (EVENT_WRITE if self._blocked else 0)
        if wanted != self._interest:
            self._loop.watch(self._sock, self._interest, wanted, self)
            self._interest = wanted


class PlainConnections:
    """Admits connections without TLS; where a `Listener` leaves them.

    Args:
        loop: the loop.
        on_transport: told of each new transport; must call its ``start(handler)``.
    """

    def __init__(self, loop: Loop, on_transport: Callable[[PlainTransport], None]) -> None:
        self._loop = loop
        self._on_transport = on_transport
        self._open: dict[PlainTransport, None] = {}  # in the order of their coming
        self._second = 0
        self._in_second = 0  # accepted

    def __len__(self) -> int:
        """Connections that are open, or being closed so that their peer hears the last words."""
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether clients must wait in the kernel: as many as may have come in this second."""
        return self._second == int(self._loop.now) and self._in_second >= MOST_PER_SECOND

    def take(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        """Admit a client; the oldest goes for it if there are too many."""
        if self._second != (second := int(self._loop.now)):
            self._second, self._in_second = second, 0
        self._in_second += 1
        if len(self._open) >= MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.abort()
        try:
            transport = PlainTransport(self._loop, sock, peer, self._closed)
        except OSError:  # it has gone meanwhile
            return
        self._open[transport] = None
        try:
            self._on_transport(transport)
        except Exception:
            transport.abort()
            raise

    def make_room(self) -> bool:
        """Free no descriptor: those here are few, and closed at the end of a pass only."""
        return False

    def deny(self, address: str, denial: Denial) -> None:
        """Say nothing: the server's own listeners tell the operator that it has no descriptors left."""

    def close(self) -> None:
        """Close all of them."""
        for transport in list(self._open):
            transport.abort()

    def _closed(self, transport: PlainTransport) -> None:
        self._open.pop(transport, None)
