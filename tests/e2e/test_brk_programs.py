"""Faults of the connections of programs that are not mended yet; each test fails."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

from tests.e2e.test_api import head
from tests.e2e.test_web_http import Wire
from tests.support.admin import needs_socket, row
from tests.support.api import ApiClient, make_token
from tests.support.server import ServerProcess

pytestmark = needs_socket


def test_brk_one_token_does_not_take_the_places_of_all_programs(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--limit", "api_connections=20").start() as server:
        mallory, ana = make_token(server, "mallory"), make_token(server, "ana")
        wires = [Wire(server) for _ in range(21)]
        try:
            for wire in wires:
                wire.send(head(wire, mallory, target="/api/v1/me", method="GET"))
                wire.sock.recv(4096)
            with ApiClient(server, ana) as api:
                assert [api.get("/me").status for _ in range(2)] == [200, 200]
            scraper = row(server, "bot", "add", "prometheus", "--scope", "metrics")["secret"]
            with Wire(server) as wire:
                wire.send(head(wire, scraper, target="/metrics", method="GET"))
                assert wire.sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        finally:
            for wire in wires:
                wire.__exit__()


def test_brk_a_type_of_quality_0_is_not_wanted(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server, Wire(server) as wire:
        accept = b"Accept: application/x-ndjson;q=0, text/event-stream\r\n\r\n"
        wire.send(head(wire, make_token(server, "ana"), target="/api/v1/events", method="GET")[:-2] + accept)
        answer = wire.sock.recv(4096)
        assert b"Content-Type: text/event-stream\r\n" in answer


def test_brk_a_stream_that_is_behind_catches_up_with_a_busy_room(certs: Path, tmp_path: Path) -> None:
    """Its pages cost requests of 48 KiB; what the room says in a second is more than one of them here.

    By default it is 5 pages a second, shared by the 8 streams of a token: 30 KiB/s for each.
    """
    rates = ("--rate-limit", "off", "--limit", "request_rate=1", "--limit", "request_burst=2")
    with ServerProcess(certs, tmp_path / "data", *rates).start() as server:
        ana, reader = make_token(server, "ana"), make_token(server, "reader")
        with ApiClient(server, ana) as api, Wire(server) as wire:
            for number in range(60):
                api.say(f"{number:04} " + "x" * 3_900)
            wire.send(head(wire, reader, target="/api/v1/events?after=0", method="GET"))
            heard, number = b"", 60
            until = time.monotonic() + 12
            while time.monotonic() < until:
                api.say(f"{number:04} " + "x" * 3_900)
                number += 1
                wire.sock.settimeout(0.04)
                with suppress(TimeoutError):
                    heard = (heard + wire.sock.recv(1_000_000))[-1_000_000:]
            last = max(int(found) for found in re.findall(rb'"text":"(\d{4}) ', heard))
            assert number - last < 20, f"{number - last} of {number} messages behind after 12 s"
