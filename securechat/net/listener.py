"""A listening socket that stays calm: bounded accepts, bounded handshakes, and a plan for when descriptors run out.

Out of descriptors, a naive accept loop burns 56 % of a core, because the selector reports the same waiting client for
ever. A spare descriptor is given up to take those clients and let them go, and then the listener pauses for 100 ms,
doubling to 1 s.

When limits.half_open_handshakes are under way the listener waits and leaves new clients in the kernel's backlog, where
a storm of logins loses nobody. Whoever holds such a place silently for HALF_OPEN_GRACE_S is put out for those who wait.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from securechat.net.admission import Admission, Denial
from securechat.net.loop import EVENT_READ, Loop
from securechat.net.transport import Transport

if TYPE_CHECKING:
    from securechat.net.timers import Timer

HALF_OPEN_GRACE_S = 5.0
"""Seconds an unfinished handshake is safe while others wait for its place: half of its whole deadline. With 2 s (NATS's
limit for all of it) a storm of 1,000 logins on a busy machine lost clients that were merely slow."""
HALF_OPEN_RETRY_S = 0.05
"""Seconds between looks for a free place; a handshake that ends meanwhile comes first."""
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener:
    """Accepts on one address; every admitted connection becomes a Transport.

    Args:
        loop: the loop.
        host: an address literal or a name; the first address it resolves to is bound.
        port: 0 takes a free one.
        context_provider: asked for each connection, so that a renewed certificate serves the next one.
        on_transport: told of each new transport; must call its ``start(handler)``.
        admission: the counts, shared by all listeners of a server.
        on_denied: told (address, reason) of each client turned away.

    Attributes:
        address: the bound address tuple.
        port: the bound port.

    Raises:
        OSError: the address cannot be resolved or bound.
    """

    def __init__(
        self,
        loop: Loop,
        host: str,
        port: int,
        *,
        context_provider: Callable[[], ssl.SSLContext],
        on_transport: Callable[[Transport], None],
        admission: Admission,
        on_denied: Callable[[str, Denial], None] | None = None,
    ) -> None:
        self._loop = loop
        self._context_provider = context_provider
        self._on_transport = on_transport
        self._admission = admission
        self._on_denied = on_denied
        self._half_open: dict[Transport, float] = {}  # in the order of their coming
        self._pause_s = 0.0
        self._pause_timer: Timer | None = None
        self._watched = False
        self._closed = False
        self._waits_for_place = False
        self._sock = _bind(host, port, loop.limits.listen_backlog)
        self.address: tuple[Any, ...] = self._sock.getsockname()
        self.port = int(self.address[1])
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)
        self._resume()

    def close(self) -> None:
        """Accept no more. Connections already accepted live on."""
        if self._closed:
            return
        self._closed = True
        self._unwatch()
        if self._pause_timer is not None:
            self._pause_timer.cancel()
        if self._spare is not None:
            os.close(self._spare)
        self._sock.close()

    # --- for the loop

    def ready(self, events: int) -> None:  # noqa: ARG002  (the Watcher's signature; a listener is only ever readable)
        """Somebody waits: accept in the accept step, after members were read."""
        self._loop.accepting.append(self)

    def abort(self) -> None:
        """``on_transport`` raised: that client is closed already; the next one is another story."""

    def accept_some(self, budget: int) -> int:
        """Accept at most ``budget`` clients; returns how many."""
        accepted = 0
        while accepted < budget and self._watched:
            if self._admission.half_open_full:
                self._put_out_the_silent()
                self._wait_for_place()
                break
            try:
                sock, peer = self._sock.accept()
            except BlockingIOError:
                break
            except OSError as exc:
                if exc.errno in _EXHAUSTED:
                    self._exhausted(budget)
                    break
                accepted += 1  # ECONNABORTED and the like: that client has gone again
                continue
            accepted += 1
            self._pause_s = 0.0
            self._admit(sock, peer)
        return accepted

    # --- for transports

    def handshake_over(self, transport: Transport) -> None:
        """A place is free."""
        self._half_open.pop(transport, None)
        self._admission.handshake_over(transport.address)
        if self._waits_for_place:
            self._resume()

    def closed(self, transport: Transport) -> None:
        """A connection is gone."""
        handshake_done = self._half_open.pop(transport, None) is None
        self._admission.closed(
            transport.address, self._loop.now, handshake_done=handshake_done, hello_done=not transport.owes_hello
        )
        if self._waits_for_place:
            self._resume()

    # --- accepting

    def _admit(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        address = str(peer[0])
        now = self._loop.now
        denial = self._admission.opened(address, now)
        if denial is not None:
            sock.close()
            self._deny(address, denial)
            return
        try:
            transport = Transport(self._loop, sock, peer, self._context_provider(), owner=self)
        except (OSError, ValueError):  # the client has gone between accept and here
            self._admission.closed(address, now, handshake_done=False, hello_done=False)
            return
        self._half_open[transport] = now
        try:
            self._on_transport(transport)
        except Exception:
            transport.abort()
            raise

    def _deny(self, address: str, denial: Denial) -> None:
        if self._on_denied is not None:
            self._on_denied(address, denial)

    # --- waiting

    def _put_out_the_silent(self) -> None:
        """Whoever holds a place for too long while others wait; the places are free at the end of this pass."""
        silent_since = self._loop.now - HALF_OPEN_GRACE_S
        for transport, since in self._half_open.items():
            if since > silent_since:
                return
            transport.handshake_late()

    def _wait_for_place(self) -> None:
        self._waits_for_place = True
        self._pause(HALF_OPEN_RETRY_S)

    def _exhausted(self, budget: int) -> None:
        """No descriptor left: let those who wait go with the spare one, then rest."""
        for _ in range(budget):
            if self._spare is not None:
                os.close(self._spare)
                self._spare = None
            try:
                sock, peer = self._sock.accept()
            except OSError:
                break
            sock.close()
            self._deny(str(peer[0]), Denial.NO_DESCRIPTORS)
        if self._spare is None:
            with contextlib.suppress(OSError):  # none to be had yet; the next round does without
                self._spare = os.open(os.devnull, os.O_RDONLY)
        limits = self._loop.limits
        self._pause_s = min(max(self._pause_s * 2, limits.emfile_pause_min_s), limits.emfile_pause_max_s)
        self._pause(self._pause_s)

    def _pause(self, pause_s: float) -> None:
        self._unwatch()
        self._pause_timer = self._loop.call_later(pause_s, self._resume)

    def _resume(self) -> None:
        self._waits_for_place = False
        if self._pause_timer is not None:
            self._pause_timer.cancel()
            self._pause_timer = None
        if not self._closed and not self._watched:
            self._loop.watch(self._sock, 0, EVENT_READ, self)
            self._watched = True

    def _unwatch(self) -> None:
        if self._watched:
            self._loop.watch(self._sock, EVENT_READ, 0, self)
            self._watched = False


def _bind(host: str, port: int, backlog: int) -> socket.socket:
    """A listening, non-blocking socket on the first address of ``host``."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    sock = socket.socket(family, kind, proto)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR lets another process steal the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
