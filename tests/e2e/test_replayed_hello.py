"""One recorded ClientHello from thousands of connections that are silent then, and replaced when they are closed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.model import Ping, Pong
from tests.e2e.conftest import Connect
from tests.e2e.test_silent_crowd import _descriptors, come_in
from tests.support.own_time import OwnTime
from tests.support.server import ServerProcess

PROGRAM = Path(__file__).parents[1] / "support" / "hello_replay.py"
MEMBER_S = 2.0
"""Until a member's ping is answered; a pass of the loop has 8 handshake steps of at most 0.8 ms."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there all of 127/8 is loopback")


@pytest.fixture
def server(certs: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that does not ask whether the member is there, who answers only when its turn comes."""
    with ServerProcess(certs, tmp_path / "data", "--limit", "idle_ping_s=3600").start() as process:
        yield process


REST = ((1_500, ("http/1.1",)), (5_000, ()), (5_000, ("http/1.1",)))


@contextlib.contextmanager
def _replay(port: int, size: int, *protocols: str) -> Iterator[None]:
    command = [sys.executable, str(PROGRAM), str(port), str(size), *protocols]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as crowd:
        assert crowd.stdout is not None
        try:
            assert crowd.stdout.readline() == b"sustained\n"
            yield
        finally:
            crowd.kill()


@pytest.mark.parametrize(
    ("size", "protocols"),
    [(1_500, ()), *(pytest.param(*each, marks=pytest.mark.slow) for each in REST)],
)
def test_a_replayed_hello_keeps_no_newcomer_out(
    server: ServerProcess, connect: Connect, size: int, protocols: tuple[str, ...]
) -> None:
    """Also one that claims to be a browser's."""
    member = connect(server, "member")
    with _descriptors(size + 500), _replay(server.port, size, *protocols):
        for number in range(8):
            come_in(connect, server, f"newcomer-{number}").close()
            taken = OwnTime(server.pid)
            member.send(Ping(number))
            member.wait_for(Pong, lambda pong, number=number: pong.n == number)  # type: ignore[misc]
            assert taken.seconds() < MEMBER_S
        member.say_acked("noticed nothing")
