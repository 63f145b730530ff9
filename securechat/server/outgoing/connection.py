"""Connections to receivers: sockets to judged addresses, and urllib3's connection pools over them.

The module imports urllib3, which takes some 70 ms, so it is imported on a worker's thread at the first delivery.

Every operation on a socket gets the time that is left of the attempt: urllib3's own timeouts begin anew with each byte.
Answers are read by http.client, which takes 102 and 103 for answers, and forgets the status when the headers behind it
are malformed; `_Response` mends both. urllib3 logs requests with their path and query, which are secrets, so its
loggers are silent in this process.
"""

from __future__ import annotations

import io
import logging
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from ipaddress import IPv4Address
from typing import Any, Final, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from securechat.server.outgoing.attempt import Attempt, AttemptPhase
from securechat.server.outgoing.destinations import Destination
from securechat.server.outgoing.networks import IpAddress

logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)

MOST_TRIED: Final = 4
"""Addresses of a name that are tried, one after the other: each gets its share of the time that is left."""
_MOST_INTERIM: Final = 20
"""Interim answers (1xx) that are skipped; servers send one or two. Their bytes count as those of the answer."""
_SWITCHING_PROTOCOLS: Final = 101
"""The one status of 1xx that is final (RFC 9110 section 15.2.2)."""


def connected(addresses: Sequence[IpAddress], port: int, attempt: Attempt) -> tuple[socket.socket, IpAddress]:
    """Connect to the first address that takes the connection; nothing is sent.

    Args:
        addresses: those that the policy allows, at least one, in the order of preference. The first MOST_TRIED are
            tried, and no others: more would each get less than a second.
        port: TCP port.
        attempt: limits the time.

    Returns:
        The socket, and its address.

    Raises:
        OSError: none takes it; the error of the last one tried.
        AttemptAborted: the attempt was aborted.
    """
    tried = addresses[:MOST_TRIED]
    attempt.phase = AttemptPhase.CONNECTING
    for left, address in zip(range(len(tried), 0, -1), tried, strict=True):
        made = socket.socket(socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6)
        try:
            with interruptible(made, attempt):
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.settimeout(attempt.left_s() / left)
                made.connect((str(address), port))
        except OSError as error:
            made.close()
            attempt.expect_wanted()
            attempt.fault = error
        except BaseException:
            made.close()
            raise
        else:
            attempt.fault = None
            return made, address
    raise attempt.fault or OSError


@contextmanager
def interruptible(made: socket.socket, attempt: Attempt) -> Iterator[None]:
    """Let an abort shut a socket down, also while TLS has its descriptor."""
    with made.dup() as handle:

        def shut_down() -> None:
            with suppress(OSError):  # the receiver has ended it
                handle.shutdown(socket.SHUT_RDWR)

        attempt.interrupt_by(shut_down)
        try:
            yield
        finally:
            attempt.end_interrupt()


def pool_over(
    made: socket.socket, address: IpAddress, destination: Destination, attempt: Attempt, context: ssl.SSLContext | None
) -> HTTPConnectionPool:
    """Return a pool whose one connection uses a connected socket.

    The pool's host is the judged address, so that even a connection that urllib3 made by itself would lead there. The
    certificate must be for the destination's host. ``assert_hostname`` is left out on purpose: with it urllib3 turns
    the check in OpenSSL off, for every user of the context, and compares by itself.

    Args:
        made: the socket.
        address: its address.
        destination: for the port and the host's name.
        attempt: limits the time.
        context: for https; None for plain http.
    """
    host = str(address)
    if context is None:
        return _PlainPool(host, destination.port, retries=False, made=made, attempt=attempt)
    return _SecurePool(
        host,
        destination.port,
        retries=False,
        ssl_context=context,
        server_hostname=destination.host,
        made=made,
        attempt=attempt,
    )


class _Response(HTTPResponse):
    """An answer. `begin` skips interim ones, and notes on the attempt whether the status line says 2xx."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._attempt = cast("_TimedSocket", sock).attempt

    def begin(self) -> None:
        for _ in range(_MOST_INTERIM + 1):
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first call
            self.version = self.status = 0
            try:
                super().begin()
            except BaseException:
                self.close()  # it would keep the descriptor
                raise
            finally:
                self._attempt.accepted = bool(self.version) and 200 <= self.status < 300  # a version: it is HTTP/1
            if not 100 <= self.status < 200 or self.status == _SWITCHING_PROTOCOLS:
                return
        self.close()
        raise HTTPException("too many interim answers")


class _PlainConnection(HTTPConnection):
    response_class = _Response

    def __init__(self, *args: Any, made: socket.socket, attempt: Attempt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made = made
        self._attempt = attempt

    def _new_conn(self) -> socket.socket:
        return self._made

    def connect(self) -> None:
        super().connect()
        _begin_exchange(self, self._attempt)


class _SecureConnection(HTTPSConnection):
    response_class = _Response

    def __init__(self, *args: Any, made: socket.socket, attempt: Attempt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made = made
        self._attempt = attempt

    def _new_conn(self) -> socket.socket:
        self._attempt.phase = AttemptPhase.HANDSHAKE
        self._made.settimeout(self._attempt.left_s())  # for the whole handshake
        return self._made

    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:
            self._attempt.fault = error
            raise
        _begin_exchange(self, self._attempt)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _begin_exchange(connection: HTTPConnection, attempt: Attempt) -> None:
    attempt.phase = AttemptPhase.EXCHANGE
    connection.sock = cast("socket.socket", _TimedSocket(connection.sock, attempt))


class _TimedSocket:
    """What http.client and urllib3 use of a socket; each operation gets the time that is left."""

    def __init__(self, made: socket.socket, attempt: Attempt) -> None:
        self._made = made
        self.attempt = attempt

    def sendall(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            with _noting(self.attempt):
                self._made.settimeout(self.attempt.left_s())
                left = left[self._made.send(left) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._made, self.attempt))

    def settimeout(self, _timeout_s: float | None) -> None:
        """Ignore urllib3's timeouts: the attempt has its own."""

    def fileno(self) -> int:
        return self._made.fileno()

    def close(self) -> None:
        self._made.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, made: socket.socket, attempt: Attempt) -> None:
        super().__init__()
        self._made = made
        self._raw = made.makefile(
            "rb", buffering=0
        )  # keeps the descriptor open after http.client has closed the socket
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        with _noting(self._attempt):
            self._made.settimeout(self._attempt.left_s())
            count = self._raw.readinto(buffer)
        self._attempt.received(count or 0)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


@contextmanager
def _noting(attempt: Attempt) -> Iterator[None]:
    """Note the error of a socket before urllib3 makes another of it; one that an abort caused is an abort."""
    try:
        yield
    except OSError as error:
        attempt.expect_wanted()
        attempt.fault = error
        raise
