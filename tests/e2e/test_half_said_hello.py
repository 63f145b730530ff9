"""A connection that begins a ClientHello and ends, or sends urgent data, costs the loop nothing while it is there."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from securechat.model import Ping, Pong
from tests.e2e.conftest import Connect
from tests.support.native import NativeClient
from tests.support.server import ServerProcess

ROUNDS = 4
BUSY_S = 0.3
"""Of a second and more; a loop that spins takes all of it."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _busy_s(server: ServerProcess, member: NativeClient) -> float:
    """Processor seconds over one second in which a member pings now and then."""
    before, end = _cpu_s(server.pid), time.monotonic() + 1.0
    number = 0
    while time.monotonic() < end:
        member.pump((end - time.monotonic()) / ROUNDS)
        number += 1
        member.send(Ping(number))
        member.wait_for(Pong, lambda pong, number=number: pong.n == number)  # type: ignore[misc]
        if number > 2 * ROUNDS:
            break
    return _cpu_s(server.pid) - before


@pytest.mark.parametrize("how", ["end", "urgent"])
def test_a_half_said_hello_does_not_spin(standing: ServerProcess, connect: Connect, how: str) -> None:
    member = connect(standing, f"member-{how}")
    socks = [socket.create_connection(("127.0.0.1", standing.port)) for _ in range(20)]
    for sock in socks:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        if how == "urgent":
            sock.send(b"X", socket.MSG_OOB)
            sock.sendall(bytes(1_200))
        else:
            sock.shutdown(socket.SHUT_WR)
    assert _busy_s(standing, member) < BUSY_S
    for sock in socks:
        sock.close()
