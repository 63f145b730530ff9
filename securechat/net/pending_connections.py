"""Connections between accept and finished handshake: speaking ones come before silent ones, new before old.

A connection that has not sent a whole ClientHello is a bare socket in the selector: no TLS, no session, none of the
places for handshakes. When its ClientHello is complete, as far as the lengths in its headers say
(:mod:`securechat.net.client_hello`), it waits for a place. One that wakes the selector and brings nothing new (its end
after half a hello, urgent data) is not waited for any longer: no option of a socket keeps the selector quiet then. With
a place free OpenSSL takes what there is; otherwise the connection is closed.

A ClientHello can be recorded and sent thousands of times, and nothing tells it from a client's. Two rules keep such a
crowd from keeping clients out:

- The newest waiting connection gets the next place. First come first served, a newcomer waits behind the whole crowd.
  One place in OLDEST_FRESH_EVERY goes to the oldest that has waited for less than FRESH_S: what the crowd replaces is
  newer than a newcomer, and left one in twenty below it for seconds.
- A handshake gives its place up when the peer has not answered for a time (`_grace_s`), the longest unanswered first,
  and no more of them than keep places coming free evenly: limits.half_open_handshakes per grace, 256 a second at most.
  That is the bound on what a crowd costs the loop, a fifth of it. A handshake that OpenSSL has begun without a whole
  ClientHello gives its place up as soon as others wait.

A waiting connection whose peer is still there is kept for as long as there is room. Closed after a while, a crowd would
come again at once, and be newer than the client that came meanwhile. Known weakness: a client that comes in the very
second in which a crowd arrives is one of the crowd, and comes in with its next attempt.

Where browsers are served (``web_alpn``), a complete ClientHello also tells whether the connection is one of theirs, and
`connection_limits` counts those apart. A browser's connections are never missed for long: it opens another when it
needs one. So the oldest of them goes when there are too many, or when the server has no room for others.

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
import sys
from collections import deque
from collections.abc import Callable
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

from securechat.net.client_hello import MOST_RECORD_BYTES, ClientHelloProgress, offered_protocols
from securechat.net.connection_limits import ConnectionKind, ConnectionLimits, Denial
from securechat.net.loop import EVENT_READ, Loop
from securechat.net.plain_answers import PlainAnswers
from securechat.net.socket_options import label_of_peer
from securechat.net.transport import Transport

if TYPE_CHECKING:
    from securechat.net.timers import Timer

HALF_OPEN_GRACE_S = 5.0
"""Seconds a peer may take to answer while others wait for its place: half of the handshake's whole deadline. With 2 s
(NATS's limit for all of it) a storm of 1,000 logins on a busy machine lost clients that were merely slow."""
SHORT_GRACE_S = 1.0
"""The same while handshakes do not succeed fast enough for those who wait. A live client answers within a round trip,
0.3 s on a slow mobile network."""
FRESH_S = 1.0
"""Seconds of waiting after which only the newest first counts; with the handshake itself a newcomer is in in 2 s."""
OLDEST_FRESH_EVERY = 4
"""Places of which one goes to the oldest fresh connection."""
HALF_OPEN_RETRY_S = 0.025
"""Seconds between looks for a free place, six at SHORT_GRACE_S; a handshake that ends meanwhile comes first."""
PEEK_BYTES = 32_768
"""Looked at of a ClientHello that has not come whole."""
LOOKS_PER_PASS = 256
"""At 15 us each 4 ms: thousands of connections that have sent a piece complete it in one instant if they like."""
MOST_LOOKS = 64
"""At one connection: a hello in one piece takes one, in two two; of 16 KiB in records of one byte some 55. Many small
segments fill the receive window, and the kernel then reports each one; a look at thousands takes 0.1 ms."""
PIECE_S = 0.02
"""Until the next look at a piece of a hello where the selector cannot wait for the rest (Windows): a browser's hello is
two segments long, which leave it together. One that brings no more in this time is OpenSSL's."""
_SUCCESS_WINDOW_S = 2.0  # over which finished handshakes are counted
_TCP_ESTABLISHED = 1  # Linux, include/net/tcp_states.h: no end has come from the peer


class HelloProgress(Enum):
    """What a connection has sent of its ClientHello."""

    COMPLETE = "complete"  # or it is OpenSSL's to judge
    PART = "part"  # more than at the look before; the selector reports it when it can be complete
    PIECE = "piece"  # the same where the selector cannot be told so, and would report it all the time
    PLAIN = "plain"  # it is no TLS, but a request of HTTP that is answered
    STALLED = "stalled"  # no more than at the look before, or little after many looks


class Arrival:
    """A connection that has not begun its handshake.

    Attributes:
        sock: a connected TCP socket, not blocking.
        peer: its address tuple.
        kind: what it is counted as.
        since: when it came, or when it began to wait for a place; monotonic seconds.
        watched: whether the selector reports it.
    """

    __slots__ = ("_hello", "_looks", "_pending", "_seen_bytes", "kind", "peer", "since", "sock", "watched")

    def __init__(
        self,
        pending: PendingConnections,
        sock: socket.socket,
        peer: tuple[Any, ...],
        since: float,
        kind: ConnectionKind,
    ) -> None:
        self._pending = pending
        self._hello = ClientHelloProgress()
        self._seen_bytes = self._looks = 0
        self.sock = sock
        self.peer = peer
        self.since = since
        self.kind = kind
        self.watched = False

    def look(self) -> HelloProgress:
        """See how much of the ClientHello has come; if a part, have the selector wait until it can be complete.

        Raises:
            OSError: it is gone.
        """
        try:
            data = self.sock.recv(PEEK_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return HelloProgress.STALLED
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "ended without a word")
        missing = self._pending.plain_answers.missing_bytes(data)
        if missing == 0:
            return HelloProgress.PLAIN
        if missing is None:
            missing = self._hello.missing_bytes(data)
        if not missing or len(data) == PEEK_BYTES:
            return HelloProgress.COMPLETE
        seen_bytes, self._seen_bytes = self._seen_bytes, len(data)
        self._looks += 1
        if len(data) <= seen_bytes or self._looks > MOST_LOOKS:
            return HelloProgress.STALLED
        return HelloProgress.PART if _wake_at(self.sock, len(data) + missing) else HelloProgress.PIECE

    def offers(self) -> tuple[str, ...] | None:
        """The protocols that its ClientHello offers, which has come; see `offered_protocols`.

        Read again from the kernel when it is needed: thousands may wait, and a hello can offer 5,000 names.
        """
        try:
            return offered_protocols(self.sock.recv(PEEK_BYTES, socket.MSG_PEEK))
        except OSError:
            return None

    @property
    def unheard(self) -> bool:
        """Whether no look has seen a byte of it."""
        return not self._seen_bytes

    @property
    def address(self) -> str:
        """Without the port."""
        return str(self.peer[0])

    # --- for the loop

    def ready(self, events: int) -> None:  # noqa: ARG002  (the Watcher's signature; it is only ever readable)
        """More bytes are there, or the end, or urgent data, which a look does not see."""
        self._pending.heard(self, woken=True)

    @property
    def label(self) -> str:
        """Address and port."""
        return label_of_peer(self.peer)

    def fail(self) -> None:
        """It cannot be served."""
        self._pending.drop(self)


def _wake_at(sock: socket.socket, size_bytes: int) -> bool:
    """Have the selector report a socket from so many bytes on (SO_RCVLOWAT, socket(7)); false where it cannot."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)
    except OSError:  # Windows
        return False
    return True


def _still_connected(sock: socket.socket) -> bool:
    """Tell whether the peer has not ended the connection (TCP_INFO, tcp(7)); false where that cannot be known."""
    if sys.platform == "linux":
        try:
            return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_ESTABLISHED
        except OSError:
            return False
    else:
        return False


class PendingConnections:
    """The pending connections of one server, from all of its listeners.

    Args:
        loop: the loop.
        admission: counts them.
        context_for: asked for each handshake, so that a renewed certificate serves the next one, with the protocols
            that the client offers by ALPN; see `offered_protocols`.
        on_transport: told of each new transport, and of what it offers; must call its ``start(handler)``.
        plain_answer: sent to a client that begins with ``GET `` instead of TLS; see `plain_answers`. None: such a
            client is closed, as any other that does not speak TLS.
        web_alpn: the name by which a browser's connection is known. None: there are none, and each connection is
            counted as a native one from its first byte.
        on_denied: told (address, reason) of each client turned away.
    """

    def __init__(
        self,
        loop: Loop,
        admission: ConnectionLimits,
        *,
        context_for: Callable[[tuple[str, ...] | None], ssl.SSLContext],
        on_transport: Callable[[Transport, tuple[str, ...] | None], None],
        plain_answer: bytes | None = None,
        web_alpn: str | None = None,
        on_denied: Callable[[str, Denial], None] | None = None,
    ) -> None:
        self._loop = loop
        self._connection_limits = admission
        self._context_for = context_for
        self._on_transport = on_transport
        self._web_alpn = web_alpn
        self._on_denied = on_denied
        self.plain_answers = PlainAnswers(loop, plain_answer, self._answered)
        self._silent: dict[Arrival, None] = {}  # each of these in the order of their coming
        self._fresh: dict[Arrival, None] = {}  # waiting for a place for less than FRESH_S
        self._stale: dict[Arrival, None] = {}  # and for longer
        self._looks: deque[tuple[float, Arrival]] = deque()  # when to look whether one that waits is still there
        self._begun: dict[Transport, float] = {}  # all that have a place, and since when the peer owes an answer
        self._unheard: dict[Transport, None] = {}  # of these: OpenSSL has read what came, and wants more of the hello
        self._kinds: dict[Transport, ConnectionKind] = {}  # of those that are not native
        self._web: dict[Transport, None] = {}  # the WEB ones in the order of their handshakes, less those that must go
        self._successes: deque[float] = deque()  # when handshakes succeeded, over _SUCCESS_WINDOW_S
        self._put_out_at = 0.0  # until when the places that came free are accounted for
        self._looks_in_pass = (0, 0)  # which pass, and how many
        self._turns = 0
        self._wants_turn = False
        self._deadline: Timer | None = None
        self._retry: Timer | None = None

    @property
    def full(self) -> bool:
        """Whether a newcomer must wait in the kernel: there is no silent one to go for it, and others wait already."""
        if self._silent or not self._waiting:
            return False
        return self._waiting >= self._loop.limits.silent_connections or self._connection_limits.full

    def __len__(self) -> int:
        """Connections that have not begun their handshake."""
        return len(self._silent) + self._waiting

    def counts(self) -> dict[str, int]:
        """Return how many connections there are, by what they are; "pending": their handshake is not over."""
        kinds = list(self._kinds.values())
        begun_web = sum(self._kind_of(transport) is ConnectionKind.WEB for transport in self._begun)
        web, websockets = kinds.count(ConnectionKind.WEB) - begun_web, kinds.count(ConnectionKind.WEBSOCKET)
        pending = len(self) + len(self.plain_answers) + len(self._begun)
        native = self._connection_limits.connections - pending - web - websockets
        return {"native": native, "web": web, "websocket": websockets, "pending": pending}

    @property
    def _waiting(self) -> int:
        """How many have sent a ClientHello and wait for a place."""
        return len(self._fresh) + len(self._stale)

    def take(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        """Admit a client that was just accepted, or turn it away."""
        now = self._loop.now
        address = str(peer[0])
        denial = self._admit(address)
        if denial is Denial.SERVER_FULL and self.make_room():
            denial = self._admit(address)
        if denial is not None:
            sock.close()
            self.deny(address, denial)
            return
        sock.setblocking(False)
        kind = ConnectionKind.NATIVE if self._web_alpn is None else ConnectionKind.UNKNOWN
        arrival = Arrival(self, sock, peer, now, kind)
        self._silent[arrival] = None
        self._watch(arrival)
        if len(self) > self._loop.limits.silent_connections:
            self.put_out_silent(1)
        one_pass = self._loop.limits.accepts_per_pass  # what an aborted one holds is free at the end of the pass
        if self._connection_limits.room < one_pass and len(self._silent) <= one_pass:
            self._put_out_web()
        self._look_by(now + self._loop.limits.handshake_timeout_s)

    def _admit(self, address: str) -> Denial | None:
        if self._web_alpn is None:
            return self._connection_limits.opened(address, self._loop.now)
        return self._connection_limits.arrived(address, self._loop.now)

    def make_room(self) -> bool:
        """Close a connection for a newcomer, and tell whether there was one that could go.

        One that was answered without TLS goes first, as it waits for nothing; then the oldest silent one.
        """
        return self.plain_answers.end_oldest() or self.put_out_silent(1) > 0

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
            self._unwatch(arrival)
        elif arrival in self._fresh:
            del self._fresh[arrival]
        elif arrival in self._stale:
            del self._stale[arrival]
        else:
            return
        with contextlib.suppress(OSError):  # a plain close with unread input resets the connection
            arrival.sock.recv(MOST_RECORD_BYTES)
        arrival.sock.close()
        self._count_out(arrival)
        if denial is not None:
            self.deny(arrival.address, denial)

    def _count_out(self, arrival: Arrival) -> None:
        """One is closed before its handshake. A browser opens connections ahead, which end without a word."""
        ahead = arrival.kind is ConnectionKind.UNKNOWN and arrival.unheard
        self._connection_limits.closed(
            arrival.address, self._loop.now, hello_done=ahead, handshake_begun=False, kind=arrival.kind
        )

    def deny(self, address: str, denial: Denial) -> None:
        """Tell that a client was turned away."""
        if self._on_denied is not None:
            self._on_denied(address, denial)

    def close(self) -> None:
        """Let go of all that have not begun their handshake."""
        for timer in (self._deadline, self._retry):
            if timer is not None:
                timer.cancel()
        self.plain_answers.close()
        for arrival in [*self._silent, *self._fresh, *self._stale]:
            self.drop(arrival)

    # --- for arrivals

    def heard(self, arrival: Arrival, *, woken: bool = False) -> None:
        """It may have sent something, or ended; ``woken`` when the selector says so."""
        if arrival not in self._silent:  # put out earlier in this pass
            return
        if woken and not self._may_look():  # the selector reports it again
            return
        try:
            hello = arrival.look()
        except OSError:
            self.drop(arrival, self._denial_of(arrival))
            return
        if hello is HelloProgress.PART or (hello is HelloProgress.STALLED and not woken):
            return
        if hello is HelloProgress.PIECE:
            self._unwatch(arrival)
            self._loop.call_later(PIECE_S, lambda: self._watch(arrival))
            return
        if (denial := self._judge(arrival, hello)) is not None:
            self.drop(arrival, denial)
        elif hello is HelloProgress.PLAIN:
            self._watch(arrival)
            _wake_at(arrival.sock, 1)
            del self._silent[arrival]
            self.plain_answers.answer(arrival.sock, arrival.peer)
        else:
            self._await_place(arrival)

    def _await_place(self, arrival: Arrival) -> None:
        """It has sent its hello. That stays in the kernel until there is a place, so the selector must not watch it."""
        del self._silent[arrival]
        self._unwatch(arrival)
        arrival.since = self._loop.now
        self._fresh[arrival] = None
        look_at = self._loop.now + self._loop.limits.handshake_timeout_s
        self._looks.append((look_at, arrival))
        self._look_by(look_at)
        self._ask_for_turn()

    def _watch(self, arrival: Arrival) -> None:
        """Have the selector report one that is silent; harmless for any other."""
        if arrival in self._silent and not arrival.watched:
            arrival.watched = True
            self._loop.watch(arrival.sock, 0, EVENT_READ, arrival)

    def _unwatch(self, arrival: Arrival) -> None:
        if arrival.watched:
            arrival.watched = False
            self._loop.watch(arrival.sock, EVENT_READ, 0, arrival)

    def _judge(self, arrival: Arrival, hello: HelloProgress) -> Denial | None:
        """Count a connection that has spoken as what it is, or say why it may not go on."""
        if hello is HelloProgress.STALLED and (self._waiting or self._connection_limits.half_open_full):
            return Denial.SILENT  # with a place free OpenSSL gets it: a kernel short of memory wakes early
        if hello is HelloProgress.PLAIN or arrival.kind is not ConnectionKind.UNKNOWN:
            return None
        limits, now = self._connection_limits, self._loop.now
        if self._web_alpn in (arrival.offers() or ()):
            kind, denial = ConnectionKind.WEB, limits.web_begun(arrival.address, now)
        else:
            kind, denial = ConnectionKind.NATIVE, limits.native_begun(arrival.address, now)
        if denial is None:
            arrival.kind = kind
        return denial

    def _denial_of(self, arrival: Arrival) -> Denial | None:
        """The reason to tell when a silent one ends; none where it may be a browser's that was opened ahead."""
        return None if arrival.kind is ConnectionKind.UNKNOWN and arrival.unheard else Denial.SILENT

    def _answered(self, address: str) -> None:
        """A connection that was answered without TLS is gone. It has done what a browser does, and failed nothing."""
        kind = ConnectionKind.NATIVE if self._web_alpn is None else ConnectionKind.UNKNOWN
        self._connection_limits.closed(address, self._loop.now, hello_done=True, handshake_begun=False, kind=kind)

    def _may_look(self) -> bool:
        """Whether this pass still has time for a look."""
        if self._looks_in_pass[0] != self._loop.passes:
            self._looks_in_pass = (self._loop.passes, 0)
        number, count = self._looks_in_pass
        self._looks_in_pass = (number, count + 1)
        return count < LOOKS_PER_PASS

    # --- for the loop

    def ready(self, events: int) -> None:
        """Never called: no socket is registered for this one."""

    def accept_some(self, budget: int) -> int:
        """Begin at most ``budget`` handshakes. That is apart from the accepting itself, so none of it is used up."""
        self._wants_turn = False
        while self._waiting and budget > 0 and not self._connection_limits.half_open_full:
            budget -= 1
            self._begin(self._next())
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
            if self._begun.pop(transport, None) is not None:  # the server's answer has just left
                self._begun[transport] = self._loop.now
        elif transport in self._begun:
            self._unheard[transport] = None

    def handshake_over(self, transport: Transport) -> None:
        """A place is free."""
        self._successes.append(self._loop.now)
        self._forget_successes()
        self._forget(transport)
        self._connection_limits.handshake_over(transport.address, self._kind_of(transport))

    def closed(self, transport: Transport) -> None:
        """A connection is gone."""
        self._connection_limits.closed(
            transport.address,
            self._loop.now,
            handshake_done=not self._forget(transport),
            hello_done=not transport.owes_hello,
            kind=self._kind_of(transport),
        )
        self._kinds.pop(transport, None)
        self._web.pop(transport, None)

    # --- browsers

    def web_begun(self, transport: Transport) -> Denial | None:
        """A connection speaks HTTP: count it as a browser's, or say why not; then it is to be closed.

        Does nothing to one that is one already: it offered the protocol.

        Args:
            transport: is open.
        """
        if transport in self._kinds or not transport.is_open:
            return None
        denial = self._connection_limits.web_begun(transport.address, self._loop.now, ConnectionKind.NATIVE)
        if denial is None:
            self._count_as_web(transport)
        return denial

    def web_stays(self, transport: Transport) -> None:
        """A browser's connection does not give way to younger ones any more: it is a program's.

        It is counted for its address as before.
        """
        self._web.pop(transport, None)

    def web_upgraded(self, transport: Transport) -> Denial | None:
        """A browser's connection is to become a member's: count it among those, or say why not.

        From then on it counts as a failed hello when it ends without one (``owes_hello``).

        Args:
            transport: is open, and counted as a browser's.
        """
        if self._kind_of(transport) is not ConnectionKind.WEB or not transport.is_open:
            return None
        denial = self._connection_limits.web_upgraded(transport.address, self._loop.now)
        if denial is None:
            self._kinds[transport] = ConnectionKind.WEBSOCKET
            self._web.pop(transport, None)
        return denial

    def _kind_of(self, transport: Transport) -> ConnectionKind:
        return self._kinds.get(transport, ConnectionKind.NATIVE)

    def _count_as_web(self, transport: Transport) -> None:
        self._kinds[transport] = ConnectionKind.WEB
        self._web[transport] = None
        if len(self._web) > self._loop.limits.web_connections:
            self._put_out_web()

    def _put_out_web(self) -> None:
        """Close the oldest connection of a browser; its descriptor is free at the end of this pass."""
        oldest = next(iter(self._web), None)
        if oldest is not None:
            del self._web[oldest]
            oldest.abort()

    # --- places

    def _next(self) -> Arrival:
        """Take the one whose turn it is: mostly the newest, at times the oldest of the fresh."""
        fresh, stale_since = self._fresh, self._loop.now - FRESH_S
        while fresh and (oldest := next(iter(fresh))).since <= stale_since:
            del fresh[oldest]
            self._stale[oldest] = None
        self._turns += 1
        if not fresh:
            return self._stale.popitem()[0]
        if self._turns % OLDEST_FRESH_EVERY:
            return fresh.popitem()[0]
        oldest = next(iter(fresh))
        del fresh[oldest]
        return oldest

    def _begin(self, arrival: Arrival) -> None:
        """Give a connection its place."""
        offers = arrival.offers()
        context = self._context_for(offers)
        try:
            _wake_at(arrival.sock, 1)
            transport = Transport(self._loop, arrival.sock, arrival.peer, context, owner=self)
        except (OSError, ValueError):  # the client has gone meanwhile
            self._count_out(arrival)
            return
        self._connection_limits.handshake_begun()
        self._begun[transport] = self._loop.now
        if arrival.kind is ConnectionKind.WEB:
            self._count_as_web(transport)
        try:
            self._on_transport(transport, offers)
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
        late = list(islice(self._unheard, self._waiting))
        now, limits, grace_s = self._loop.now, self._loop.limits, self._grace_s()
        interval_s = grace_s / limits.half_open_handshakes
        # Places that came due unnoticed are not made up for: a pass has no more than it would begin.
        self._put_out_at = max(self._put_out_at, now - limits.accepts_per_pass * interval_s)
        room = min(int((now - self._put_out_at) / interval_s), self._waiting - len(late))
        for transport, since in islice(self._begun.items(), max(0, room)):
            if since > now - grace_s:
                break
            if transport.handshake_queued:  # the answer is here, and waits for its turn
                continue
            late.append(transport)
            self._put_out_at += interval_s
        for transport in late:
            transport.handshake_late()
        return bool(late)

    def _grace_s(self) -> float:
        """How long a peer may take to answer: long while those who wait will be in before a handshake's deadline."""
        self._forget_successes()
        in_time = len(self._successes) / _SUCCESS_WINDOW_S * self._loop.limits.handshake_timeout_s
        return HALF_OPEN_GRACE_S if in_time >= self._waiting else SHORT_GRACE_S

    def _forget_successes(self) -> None:
        while self._successes and self._successes[0] < self._loop.now - _SUCCESS_WINDOW_S:
            self._successes.popleft()

    def _ask_for_turn(self) -> None:
        if not self._wants_turn:
            self._wants_turn = True
            self._loop.accepting.insert(0, self)

    def _try_again(self) -> None:
        self._retry = None
        if self._waiting:
            self._ask_for_turn()

    # --- deadlines

    def _look_by(self, when: float) -> None:
        """Have `_look_at_deadlines` called; all deadlines are the same time away, so the first one set comes first."""
        if self._deadline is None:
            self._deadline = self._loop.call_at(when, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        """Let go of the silent that have had limits.handshake_timeout_s, and of the waiting whose peer has left."""
        self._deadline = None
        now, timeout_s = self._loop.now, self._loop.limits.handshake_timeout_s
        due = []
        for arrival in list(self._silent):
            if arrival.since + timeout_s > now:
                due.append(arrival.since + timeout_s)
                break
            self.drop(arrival, self._denial_of(arrival))
        looks = self._looks
        for _ in range(min(len(looks), LOOKS_PER_PASS)):
            look_at, arrival = looks[0]
            if look_at > now:
                break
            looks.popleft()
            if arrival not in self._fresh and arrival not in self._stale:
                continue
            if _still_connected(arrival.sock):
                looks.append((now + timeout_s, arrival))
            else:
                self.drop(arrival, Denial.NO_PLACE)
        if looks:
            due.append(looks[0][0])
        if due:
            self._look_by(min(due))
