"""Connections between accept and finished handshake: who speaks overtakes who is silent.

A connection that has not sent a whole ClientHello is a bare socket in the selector: no TLS, no session, none of the
places for handshakes. When its ClientHello is complete, as far as the lengths in its headers say (`missing_bytes`), it
waits for a place, first come first served. A handshake that OpenSSL has begun without a whole ClientHello all the same
gives its place up as soon as others wait; after HALF_OPEN_GRACE_S every other one does.

Bounds: limits.silent_connections without a handshake, all together, and limits.half_open_handshakes with one. For a
newcomer over the first bound, or without a descriptor left, the oldest silent one goes. Only where there is none (so
many have spoken and wait) does the listener leave newcomers in the kernel's backlog, where a storm of logins loses
nobody.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from securechat.net.connection_limits import ConnectionLimits, Denial
from securechat.net.loop import EVENT_READ, Loop
from securechat.net.socket_options import label_of_peer
from securechat.net.transport import Transport

if TYPE_CHECKING:
    from securechat.net.timers import Timer

HALF_OPEN_GRACE_S = 5.0
"""Seconds a handshake whose ClientHello has come is safe while others wait for its place: half of its whole deadline.
With 2 s (NATS's limit for all of it) a storm of 1,000 logins on a busy machine lost clients that were merely slow."""
HALF_OPEN_RETRY_S = 0.05
"""Seconds between looks for a free place; a handshake that ends meanwhile comes first."""


PEEK_BYTES = 32_768
"""Looked at of a ClientHello that has not come whole. A usual one has 250 to 2,000 bytes."""
_HEADER_BYTES = 5  # of a record (RFC 8446, section 5.1)
_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
_MOST_RECORD_BYTES = 2**14


class Arrival:
    """A connection that has not begun its handshake.

    Attributes:
        sock: a connected TCP socket, not blocking.
        peer: its address tuple.
        since: when it came, or when it began to wait for a place; monotonic seconds.
    """

    __slots__ = ("_pending", "peer", "since", "sock")

    def __init__(self, pending: PendingConnections, sock: socket.socket, peer: tuple[Any, ...], since: float) -> None:
        self._pending = pending
        self.sock = sock
        self.peer = peer
        self.since = since

    def has_hello(self) -> bool:
        """Look whether the ClientHello is complete; if not, have the selector wait until it can be.

        Raises:
            BlockingIOError: it has sent nothing.
            OSError: it is gone.
        """
        data = self.sock.recv(PEEK_BYTES, socket.MSG_PEEK)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "ended without a word")
        missing = missing_bytes(data)
        return not missing or len(data) == PEEK_BYTES or not _wake_at(self.sock, len(data) + missing)

    @property
    def address(self) -> str:
        """Without the port."""
        return str(self.peer[0])

    # --- for the loop

    def ready(self, events: int) -> None:  # noqa: ARG002  (the Watcher's signature; it is only ever readable)
        """The first bytes are there, or the end."""
        self._pending.heard(self)

    @property
    def label(self) -> str:
        """Address and port."""
        return label_of_peer(self.peer)

    def fail(self) -> None:
        """It cannot be served."""
        self._pending.drop(self)


def missing_bytes(data: bytes) -> int:
    """How many bytes must at least follow before a connection's ClientHello is complete.

    Reads nothing but lengths: of the records (RFC 8446, section 5.1), and of the handshake message in them, which may
    be spread over several (section 4).

    Args:
        data: what has come, from the beginning.

    Returns:
        0 when it is complete, is none, or breaks the rules: OpenSSL has an answer to that.
    """
    at = got = 0
    wanted = 4  # of the message: its type and length, until these are known
    message = b""  # the first four bytes
    while True:
        header = data[at : at + _HEADER_BYTES]
        if header and header[0] != _HANDSHAKE_RECORD:
            return 0
        if len(header) < _HEADER_BYTES:
            return _HEADER_BYTES - len(header) + wanted - got
        body_bytes = int.from_bytes(header[3:])
        if not 0 < body_bytes <= _MOST_RECORD_BYTES:
            return 0
        at += _HEADER_BYTES
        piece = data[at : at + body_bytes]
        at += len(piece)
        got += len(piece)
        if len(message) < 4:
            message = (message + piece)[:4]
            if len(message) == 4:
                wanted += int.from_bytes(message[1:])
        if (message and message[0] != _CLIENT_HELLO) or wanted > _MOST_RECORD_BYTES:
            return 0
        left_bytes = body_bytes - len(piece)
        if left_bytes:
            after = wanted - got - left_bytes  # to come in records behind this one
            return left_bytes + (_HEADER_BYTES + after if after > 0 else 0)
        if got >= wanted:
            return 0


def _wake_at(sock: socket.socket, size_bytes: int) -> bool:
    """Have the selector report a socket from so many bytes on (SO_RCVLOWAT, socket(7)); false where it cannot."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)
    except OSError:  # Windows
        return False
    return True


class PendingConnections:
    """The pending connections of one server, from all of its listeners.

    Args:
        loop: the loop.
        admission: counts them.
        context_provider: asked for each handshake, so that a renewed certificate serves the next one.
        on_transport: told of each new transport; must call its ``start(handler)``.
        on_denied: told (address, reason) of each client turned away.
    """

    def __init__(
        self,
        loop: Loop,
        admission: ConnectionLimits,
        *,
        context_provider: Callable[[], ssl.SSLContext],
        on_transport: Callable[[Transport], None],
        on_denied: Callable[[str, Denial], None] | None = None,
    ) -> None:
        self._loop = loop
        self._connection_limits = admission
        self._context_provider = context_provider
        self._on_transport = on_transport
        self._on_denied = on_denied
        self._silent: dict[Arrival, None] = {}  # each of these in the order of their coming
        self._waiting: dict[Arrival, None] = {}
        self._begun: dict[Transport, float] = {}  # all that have a place, and since when
        self._unheard: dict[Transport, None] = {}  # of these: OpenSSL has read what came, and wants more of the hello
        self._wants_turn = False
        self._deadline: Timer | None = None
        self._retry: Timer | None = None

    @property
    def full(self) -> bool:
        """Whether a newcomer must wait in the kernel: everybody who could go for it has spoken."""
        return not self._silent and len(self._waiting) >= self._loop.limits.silent_connections

    def __len__(self) -> int:
        """Connections that have not begun their handshake."""
        return len(self._silent) + len(self._waiting)

    def take(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        """Admit a client that was just accepted, or turn it away."""
        now = self._loop.now
        address = str(peer[0])
        denial = self._connection_limits.opened(address, now)
        if denial is Denial.SERVER_FULL and self.put_out_silent(1):
            denial = self._connection_limits.opened(address, now)
        if denial is not None:
            sock.close()
            self.deny(address, denial)
            return
        sock.setblocking(False)
        arrival = Arrival(self, sock, peer, now)
        self._silent[arrival] = None
        self._loop.watch(sock, 0, EVENT_READ, arrival)
        if len(self) > self._loop.limits.silent_connections:
            self.put_out_silent(1)
        if self._deadline is None:
            self._deadline = self._loop.call_later(self._loop.limits.handshake_timeout_s, self._look_at_deadlines)

    def put_out_silent(self, most: int) -> int:
        """Close the ``most`` oldest of those that have sent no ClientHello; returns how many there were."""
        put_out = 0
        while self._silent and put_out < most:
            arrival = next(iter(self._silent))
            self.heard(arrival)  # it may have spoken since the last select
            if arrival in self._silent:
                self.drop(arrival, Denial.SILENT)
                put_out += 1
        return put_out

    def drop(self, arrival: Arrival, denial: Denial | None = None) -> None:
        """Close a connection that has not begun its handshake. Harmless for any other."""
        if arrival in self._silent:
            del self._silent[arrival]
            self._loop.watch(arrival.sock, EVENT_READ, 0, arrival)
        elif arrival in self._waiting:
            del self._waiting[arrival]
        else:
            return
        with contextlib.suppress(OSError):  # a plain close with unread input resets the connection
            arrival.sock.recv(_MOST_RECORD_BYTES)
        arrival.sock.close()
        self._connection_limits.closed(arrival.address, self._loop.now, hello_done=False, handshake_begun=False)
        if denial is not None:
            self.deny(arrival.address, denial)

    def deny(self, address: str, denial: Denial) -> None:
        """Tell that a client was turned away."""
        if self._on_denied is not None:
            self._on_denied(address, denial)

    def close(self) -> None:
        """Let go of all that have not begun their handshake."""
        for timer in (self._deadline, self._retry):
            if timer is not None:
                timer.cancel()
        for arrival in [*self._silent, *self._waiting]:
            self.drop(arrival)

    # --- for arrivals

    def heard(self, arrival: Arrival) -> None:
        """It has sent what the selector waited for, or ended."""
        if arrival not in self._silent:  # put out earlier in this pass
            return
        try:
            if not arrival.has_hello():
                return
        except BlockingIOError:
            return
        except OSError:
            self.drop(arrival, Denial.SILENT)
            return
        del self._silent[arrival]
        # What it has sent stays in the kernel until it has a place: the selector would report it all the time.
        self._loop.watch(arrival.sock, EVENT_READ, 0, arrival)
        arrival.since = self._loop.now
        self._waiting[arrival] = None
        self._ask_for_turn()

    # --- for the loop

    def ready(self, events: int) -> None:
        """Never called: no socket is registered for this one."""

    def accept_some(self, budget: int) -> int:
        """Begin at most ``budget`` handshakes. That is apart from the accepting itself, so none of it is used up."""
        self._wants_turn = False
        while self._waiting and budget > 0 and not self._connection_limits.half_open_full:
            budget -= 1
            self._begin(next(iter(self._waiting)))
        if self._waiting:
            if not self._connection_limits.half_open_full:
                self._ask_for_turn()
            elif not self._put_out_begun() and self._retry is None:
                self._retry = self._loop.call_later(HALF_OPEN_RETRY_S, self._try_again)
        return 0

    @property
    def label(self) -> str:
        """The owner of what is no connection's yet."""
        return "new connections"

    def fail(self) -> None:
        """``on_transport`` raised: that client is closed already; the next one is another story."""
        self._wants_turn = False
        self._ask_for_turn()

    # --- for transports

    def hello_heard(self, transport: Transport, *, complete: bool) -> None:
        """A handshake has read all that came."""
        if complete:
            self._unheard.pop(transport, None)
        elif transport in self._begun:
            self._unheard[transport] = None

    def handshake_over(self, transport: Transport) -> None:
        """A place is free."""
        self._forget(transport)
        self._connection_limits.handshake_over(transport.address)

    def closed(self, transport: Transport) -> None:
        """A connection is gone."""
        self._connection_limits.closed(
            transport.address,
            self._loop.now,
            handshake_done=not self._forget(transport),
            hello_done=not transport.owes_hello,
        )

    # --- places

    def _begin(self, arrival: Arrival) -> None:
        """Give a connection its place."""
        del self._waiting[arrival]
        try:
            _wake_at(arrival.sock, 1)
            transport = Transport(self._loop, arrival.sock, arrival.peer, self._context_provider(), owner=self)
        except (OSError, ValueError):  # the client has gone meanwhile
            self._connection_limits.closed(arrival.address, self._loop.now, hello_done=False, handshake_begun=False)
            return
        self._connection_limits.handshake_begun()
        self._begun[transport] = self._loop.now
        try:
            self._on_transport(transport)
        except Exception:
            transport.abort()
            raise

    def _forget(self, transport: Transport) -> bool:
        """Take a place back; returns whether there was one."""
        self._unheard.pop(transport, None)
        had_place = self._begun.pop(transport, None) is not None
        if had_place and self._waiting:
            self._ask_for_turn()
        return had_place

    def _put_out_begun(self) -> bool:
        """End the handshakes that must go for those who wait; the places are free at the end of this pass."""
        late = list(islice(self._unheard, len(self._waiting)))
        since = self._loop.now - HALF_OPEN_GRACE_S
        for transport, begun_at in self._begun.items():
            if begun_at > since:
                break
            late.append(transport)
        for transport in late:
            transport.handshake_late()
        return bool(late)

    def _ask_for_turn(self) -> None:
        if not self._wants_turn:
            self._wants_turn = True
            self._loop.accepting.insert(0, self)

    def _try_again(self) -> None:
        self._retry = None
        if self._waiting:
            self._ask_for_turn()

    # --- deadlines

    def _look_at_deadlines(self) -> None:
        """Let go of those who have had limits.handshake_timeout_s, and come again for the next one."""
        self._deadline = None
        timeout_s = self._loop.limits.handshake_timeout_s
        due = []
        for arrivals, denial in ((self._silent, Denial.SILENT), (self._waiting, Denial.NO_PLACE)):
            for arrival in list(arrivals):
                if arrival.since + timeout_s > self._loop.now:
                    due.append(arrival.since + timeout_s)
                    break
                self.drop(arrival, denial)
        if due:
            self._deadline = self._loop.call_at(min(due), self._look_at_deadlines)
