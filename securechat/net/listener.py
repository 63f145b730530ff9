"""A listening socket with bounded accepts and a plan for exhausted descriptors.

Without descriptors, a naive accept loop burns 56 % of a core, because the selector reports the same waiting client
again and again. Here the oldest connection that has sent nothing is closed first. If there is none, a spare descriptor
is given up to accept those clients and close them, and then the listener pauses for 100 ms, doubling to 1 s.

Accepted sockets go to :mod:`securechat.net.pending_connections`, which holds connections before the end of their
handshake and closes some when it is full. If all of those have sent something and wait, new clients stay in the
kernel's backlog.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from securechat.net.connection_limits import Denial
from securechat.net.loop import EVENT_READ, Loop
from securechat.net.pending_connections import HALF_OPEN_RETRY_S
from securechat.translation import Sentence

if TYPE_CHECKING:
    from securechat.net.timers import Timer

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class AcceptedSockets(Protocol):
    """Where accepted sockets go."""

    @property
    def full(self) -> bool:
        """Whether clients must wait in the kernel for now."""

    def take(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        """Take over a client that was just accepted, or turn it away."""

    def make_room(self) -> bool:
        """Close a connection at once, so that its descriptor is free; returns whether there was one to close."""

    def deny(self, address: str, denial: Denial) -> None:
        """Tell that a client was turned away."""


class Listener:
    """Accepts connections on one address.

    Args:
        loop: the loop.
        host: an address literal or a name; the first address it resolves to is bound.
        port: 0 for a free one.
        pending: receives accepted sockets; shared by all listeners of a server.
        backlog: connections that wait in the kernel; None for listen_backlog.

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
        pending: AcceptedSockets,
        *,
        backlog: int | None = None,
    ) -> None:
        self._loop = loop
        self._pending = pending
        self._pause_s = 0.0
        self._pause_timer: Timer | None = None
        self._watched = False
        self._closed = False
        self._sock = bind(host, port)
        try:
            self._sock.listen(loop.limits.listen_backlog if backlog is None else backlog)
        except BaseException:
            self._sock.close()
            raise
        self.address: tuple[Any, ...] = self._sock.getsockname()
        self.port = int(self.address[1])
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)
        self._resume()

    def close(self) -> None:
        """Stop accepting. Connections already accepted stay open."""
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
        """A client waits: accept in the accept step, after the reads of members."""
        self._loop.accepting.append(self)

    @property
    def label(self) -> str:
        """The address it listens on."""
        return f"the listener on port {self.port}"

    def fail(self) -> None:
        """Nothing to end: a client that could not be accepted does not affect the next one."""

    def accept_some(self, budget: int) -> int:
        """Accept at most ``budget`` clients; returns how many."""
        accepted = 0
        while accepted < budget and self._watched:
            if self._pending.full:
                self._pause(HALF_OPEN_RETRY_S)
                break
            try:
                sock, peer = self._sock.accept()
            except BlockingIOError:
                break
            except OSError as exc:
                if exc.errno in _EXHAUSTED and not self._pending.make_room():
                    self._exhausted(budget)
                    break
                accepted += 1  # a silent one was closed for it; or ECONNABORTED and the like: it has closed itself
                continue
            accepted += 1
            self._pause_s = 0.0
            self._pending.take(sock, peer)
        return accepted

    # --- waiting

    def _exhausted(self, budget: int) -> None:
        """Without descriptors: use the spare one to accept and close the waiting clients, then pause."""
        for _ in range(budget):
            if self._spare is not None:
                os.close(self._spare)
                self._spare = None
            try:
                sock, peer = self._sock.accept()
            except OSError:
                break
            sock.close()
            self._pending.deny(str(peer[0]), Denial.NO_DESCRIPTORS)
        if self._spare is None:
            with contextlib.suppress(OSError):  # none available yet; the next round works without
                self._spare = os.open(os.devnull, os.O_RDONLY)
        limits = self._loop.limits
        self._pause_s = min(max(self._pause_s * 2, limits.emfile_pause_min_s), limits.emfile_pause_max_s)
        self._pause(self._pause_s)

    def _pause(self, pause_s: float) -> None:
        self._unwatch()
        self._pause_timer = self._loop.call_later(pause_s, self._resume)

    def _resume(self) -> None:
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


def named_twice(hosts: Sequence[str]) -> str | None:
    """Return why a server cannot listen on all of these, though on each of them: one covers another.

    ``0.0.0.0`` and ``::`` cover every address of their kind; two names can mean one address.
    """
    seen: list[tuple[str, socket.AddressFamily, tuple[Any, ...]]] = []
    for host in hosts:
        try:
            family, _, _, _, address = _first_address(host, 0)
        except (OSError, UnicodeError):
            continue  # binding it reports the reason
        for other, other_family, other_address in seen:
            same = address == other_address or {address[0], other_address[0]} & {"0.0.0.0", "::"}  # noqa: S104
            if family == other_family and same:
                return Sentence(
                    "{host} and {other} mean the same address, or one covers the other; name only one of them",
                    host=host,
                    other=other,
                )
        seen.append((host, family, address))
    return None


def bind(host: str, port: int) -> socket.socket:
    """Make a non-blocking socket on the first address of ``host``, ready to listen.

    Raises:
        OSError: the address cannot be resolved or bound.
        UnicodeError: the name is none that can be resolved.
    """
    family, kind, proto, _, address = _first_address(host, port)
    sock = socket.socket(family, kind, proto)
    try:
        if sys.platform == "win32":
            # On Windows SO_REUSEADDR lets another process steal the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _first_address(host: str, port: int) -> tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
