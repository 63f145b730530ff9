"""Connects the client: resolves the name, tries each address, and verifies the transport.

``getaddrinfo`` blocks and cannot be cancelled, so it runs on a short-lived daemon thread that only posts its answer.
Addresses are tried one after another, each with its own deadline: ``localhost`` may resolve to ``::1`` first while the
server listens on 127.0.0.1. A TLS failure ends the attempt: trying further addresses would give an attacker more
chances to present a certificate that verifies.

The handler is made only when the handshake is over, so it never sees a failed connection.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from securechat.net.interfaces import NullHandler, TransportHandler
from securechat.net.loop import EVENT_WRITE, Loop
from securechat.net.socket_options import CloseReason
from securechat.net.timers import Timer
from securechat.net.transport import Transport

CONNECT_TIMEOUT_S = 5.0
"""Seconds one address may take to answer: three SYNs of Linux (at 0, 1 and 3 s)."""

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
_IN_PROGRESS = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)})


class OutgoingConnection(NullHandler):
    """One attempt under way; made by :func:`connect`."""

    def __init__(
        self,
        loop: Loop,
        context: ssl.SSLContext,
        server_hostname: str,
        make_handler: Callable[[Transport], TransportHandler],
        on_failure: Callable[[Exception], None],
        timeout_s: float,
    ) -> None:
        self._loop = loop
        self._context = context
        self._server_hostname = server_hostname
        self._make_handler = make_handler
        self._on_failure = on_failure
        self._timeout_s = timeout_s
        self._over = False  # succeeded, failed or cancelled: no further callback
        self._addresses: list[_Address] = []
        self._sock: socket.socket | None = None
        self._peer: tuple[Any, ...] = ()
        self._timer: Timer | None = None
        self._transport: Transport | None = None
        self._last_error: Exception = OSError(errno.EADDRNOTAVAIL, "the name has no address")

    def cancel(self) -> None:
        """Cancel silently. Idempotent; harmless after success or failure."""
        if not self._over:
            self._over = True
            self._drop_socket()
            if self._transport is not None:
                self._transport.abort()

    # --- names

    def resolve(self, host: str, port: int) -> None:
        """Look ``host`` up on a thread of its own."""

        def look_up() -> None:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as exc:  # UnicodeError: a label that IDNA cannot encode
                error = exc
                self._loop.post(lambda: self._fail(error))
            else:
                self._loop.post(lambda: self._resolved(found))

        threading.Thread(target=look_up, name="resolver", daemon=True).start()

    def _resolved(self, found: list[Any]) -> None:
        self._addresses = list(found)
        self._try_next()

    # --- addresses

    def _try_next(self) -> None:
        """Connect to the next address; after the last one, report its error."""
        while not self._over:
            if not self._addresses:
                self._fail(self._last_error)
                return
            family, kind, proto, _, self._peer = self._addresses.pop(0)
            try:
                sock = socket.socket(family, kind, proto)
            except OSError as exc:
                self._last_error = exc
                continue
            sock.setblocking(False)
            number = sock.connect_ex(self._peer)
            if number in _IN_PROGRESS:
                self._sock = sock
                self._loop.watch(sock, 0, EVENT_WRITE, self)
                self._timer = self._loop.call_later(self._timeout_s, self._address_late)
                return
            sock.close()
            self._last_error = OSError(number, os.strerror(number))

    def _address_late(self) -> None:
        self._drop_socket()
        self._last_error = TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        self._try_next()

    def _drop_socket(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._loop.watch(self._sock, EVENT_WRITE, 0, self)
            self._sock.close()
            self._sock = None

    # --- for the loop

    def ready(self, events: int) -> None:  # noqa: ARG002  (the Watcher's signature; only writability is watched)
        """The TCP connection is established, or has failed."""
        sock = self._sock
        if sock is None:
            return
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._drop_socket()
            self._last_error = OSError(number, os.strerror(number))
            self._try_next()
            return
        self._loop.watch(sock, EVENT_WRITE, 0, self)
        self._sock = None
        assert self._timer is not None
        self._timer.cancel()
        try:
            transport = Transport(self._loop, sock, self._peer, self._context, server_hostname=self._server_hostname)
        except (OSError, ValueError) as exc:
            self._fail(exc)
            return
        self._transport = transport
        transport.start(self)

    @property
    def label(self) -> str:
        """The address connected to."""
        return f"the connection to {self._server_hostname}"

    def fail(self) -> None:
        """End the attempt: a callback raised an exception."""
        self.cancel()

    # --- for the transport, until the handshake is over

    def handshake_done(self) -> None:
        """Verified: hand the transport over to the real handler."""
        transport = self._transport
        if self._over or transport is None:
            return
        self._over = True
        handler = self._make_handler(transport)
        transport.hand_over(handler)
        handler.handshake_done()

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """Report the failed handshake; the exception itself says more than ``detail``."""
        transport = self._transport
        error = transport.error if transport is not None else None
        if error is None:
            error = TimeoutError(detail) if reason is CloseReason.HANDSHAKE_TIMEOUT else ConnectionError(detail)
        self._fail(error)

    def _fail(self, exc: Exception) -> None:
        if not self._over:
            self._over = True
            self._on_failure(exc)


def connect(
    loop: Loop,
    host: str,
    port: int,
    context: ssl.SSLContext,
    server_hostname: str,
    make_handler: Callable[[Transport], TransportHandler],
    on_failure: Callable[[Exception], None],
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> OutgoingConnection:
    """Connect and verify; exactly one of the two callbacks follows, on the loop's thread, unless cancelled.

    Args:
        loop: the loop.
        host: a name or an address.
        port: the TCP port.
        context: a client context; it decides what verified means.
        server_hostname: the name the certificate must bear.
        make_handler: called with the transport when the handshake is over; ``handshake_done`` of what it returns is
            called next.
        on_failure: called with the exception as it was raised (``socket.gaierror``, ``OSError``,
            ``ssl.SSLCertVerificationError``...).
        timeout_s: seconds for each address; the handshake has limits.handshake_timeout_s on top.

    Returns:
        The attempt, which can be cancelled.
    """
    attempt = OutgoingConnection(loop, context, server_hostname, make_handler, on_failure, timeout_s)
    attempt.resolve(host, port)
    return attempt
