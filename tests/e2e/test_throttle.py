"""Behaviour 15: throttled clients cost the loop nothing while they wait, and lose nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from securechat.model import Acked, Say, Throttled
from tests.support.native import NativeClient
from tests.support.server import ServerProcess, wait_until

CLIENTS = 100
MESSAGES = 10


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processor time of a thread is read from /proc")
def test_15_a_hundred_throttled_clients_with_pending_input_cost_under_2_percent(certs: Path, tmp_path: Path) -> None:
    flags = ["--limit", "message_burst=2", "--limit", "message_rate=1", "--limit", "address_factor=1000"]
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        clients = [NativeClient(server.port, server.ca) for _ in range(CLIENTS)]
        try:
            for number, client in enumerate(clients):
                client.hello(f"guest {number}")
                client.join(f"room{number}")
            for number, client in enumerate(clients):  # far over the rate, and all of it decrypted at once
                client.send(*[Say(n, f"room{number}", f"{number}/{n}") for n in range(1, MESSAGES + 1)])
            for client in clients:
                client.wait_for(Throttled)
            used_s, passed_s = _measure(server)
            print(f"the loop used {used_s / passed_s:.2%} of a core")
            for number, client in enumerate(clients):
                client.wait_for(Acked, lambda acked: acked.client_id == MESSAGES, 60)
                client.wait_for_text(f"{number}/{MESSAGES}")
                texts = [message.text for message in client.messages()]
                assert texts == [f"{number}/{n}" for n in range(1, MESSAGES + 1)]
                assert len([event for event in client.events if isinstance(event, Throttled)]) == 1
            assert used_s / passed_s < 0.02
        finally:
            for client in clients:
                client.close()


def _measure(server: ServerProcess) -> tuple[float, float]:
    """Processor time of the server's main thread over the next two seconds of the system's own clock."""
    begin = os.times().elapsed
    before = _loop_cpu_s(server.pid)
    wait_until(lambda: os.times().elapsed - begin >= 2.0, "two seconds")
    return _loop_cpu_s(server.pid) - before, os.times().elapsed - begin


def _loop_cpu_s(pid: int) -> float:
    run_ns = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]
    return int(run_ns) / 1e9
