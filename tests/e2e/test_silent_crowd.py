"""Thousands of connections that say nothing, or a piece of a hello: newcomers are in, and members notice nothing."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
from collections.abc import Iterator
from itertools import cycle

import pytest

from securechat.model import Ping, Pong
from tests.e2e.conftest import Connect
from tests.support.native import NativeClient
from tests.support.own_time import OwnTime
from tests.support.server import PATIENCE_S, ServerProcess

IN_S = 20.0
"""Until a newcomer is in, whatever the crowd: some 10 ms, and 3 to 7 s on a machine that is busy with more, as the
crowd's own work is then. Who is kept out is not in after a minute."""
PIECES = (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00", b"\x16\x03\x01\x00\x01\x01")
"""Nothing, one byte, the beginning of a ClientHello, and a record that is complete with a ClientHello that is not."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there all of 127/8 is loopback")


@contextlib.contextmanager
def _descriptors(wanted: int) -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the crowd needs {wanted} descriptors here and as many in the server; the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def _crowd(port: int, size: int, pieces: tuple[bytes, ...]) -> Iterator[None]:
    socks = []
    try:
        for number, piece in zip(range(size), cycle(pieces), strict=False):
            address = f"127.{1 + number // 65_025}.{number // 255 % 255}.{1 + number % 255 % 254}"
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (address, 0))
            socks.append(sock)
            if piece:
                sock.sendall(piece)
        yield
    finally:
        for sock in socks:
            sock.close()


def come_in(connect: Connect, server: ServerProcess, name: str, limit_s: float = IN_S) -> NativeClient:
    """Connect until the newcomer is in, as a client does, in so many seconds of the server's own.

    On a busy machine the newcomer itself may be too slow for ``handshake_timeout_s``, or be let go with the crowd.
    """
    taken = OwnTime(server.pid)
    newcomer = None
    while newcomer is None:
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            newcomer = connect(server, name)
        assert taken.seconds() < limit_s
    return newcomer


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (1_500, PIECES),
        pytest.param(1_500, PIECES[:1], marks=pytest.mark.slow),
        pytest.param(5_000, PIECES[:1], marks=pytest.mark.slow),
        pytest.param(5_000, PIECES[3:], marks=pytest.mark.slow),
        pytest.param(5_000, PIECES, marks=pytest.mark.slow),
    ],
)
def test_a_crowd_that_says_nothing_keeps_nobody_out(
    server: ServerProcess, connect: Connect, size: int, pieces: tuple[bytes, ...]
) -> None:
    member = connect(server, "member")
    with _descriptors(size + 500), _crowd(server.port, size, pieces):
        for number in range(5):
            come_in(connect, server, f"newcomer-{number}").close()
            taken = OwnTime(server.pid)
            member.send(Ping(number))
            member.wait_for(Pong, lambda pong, number=number: pong.n == number)  # type: ignore[misc]
            assert taken.seconds() < IN_S
        member.say_acked("noticed nothing")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_NOFILE")
def test_out_of_descriptors_the_silent_go_for_a_newcomer(server: ServerProcess, connect: Connect) -> None:
    import resource

    member = connect(server, "member")
    in_use = 200
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (in_use, in_use))
    with _crowd(server.port, 2 * in_use, PIECES):
        come_in(connect, server, "newcomer", 2 * IN_S).say_acked("in")
        member.say_acked("still here")
