"""Faults of the connections of programs that are not mended yet; each test fails."""

from __future__ import annotations

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
