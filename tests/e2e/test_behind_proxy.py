"""Browsers through a proxy, as docs/web.md describes one: page and WebSocket, and what the server makes of Host."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect as open_socket

from securechat.tls.certificate_directory import ensure_server
from securechat.tls.hostnames import parse_names
from tests.e2e.conftest import Connect
from tests.support.secure_socket import secure_socket
from tests.support.server import PATIENCE_S, ServerProcess
from tests.support.tls_relay import TlsRelay

HOST = "chat.example.org"
pytestmark = pytest.mark.not_pseudo("its client is an example of the documentation")


class Proxied:
    """A server, the proxy before it, and how a browser reaches that."""

    def __init__(self, server: ServerProcess, relay: TlsRelay, ca: Path) -> None:
        self.server, self.origin = server, f"https://{HOST}:{relay.port}"
        self._port = relay.port
        self.context = ssl.create_default_context(cafile=str(ca))
        self.context.set_alpn_protocols(["http/1.1"])

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), PATIENCE_S)

    def get(self, host: str, **headers: str) -> http.client.HTTPResponse:
        with secure_socket(self.context, ("127.0.0.1", self._port), server_hostname=HOST) as sock:
            client = http.client.HTTPConnection(HOST)
            client.sock = sock
            client.request("GET", "/", headers={"Host": host, **headers})
            answer = client.getresponse()
            answer.read()
            return answer


@pytest.fixture
def proxied(certs: Path, tmp_path: Path) -> Iterator[Proxied]:
    ensure_server(tmp_path, parse_names([HOST]))
    with ServerProcess(certs, tmp_path / "data", "--web-host", HOST).start() as server:
        relay = TlsRelay(tmp_path / "server.pem", server)
        yield Proxied(server, relay, tmp_path / "ca.pem")
        relay.close()


def test_the_page_is_answered_under_the_proxys_name_alone(proxied: Proxied) -> None:
    port = proxied.origin.rpartition(":")[2]
    for host in (HOST, f"{HOST}:{port}"):
        assert proxied.get(host, Origin=f"https://{host}").status == 200
    assert proxied.get("other.example.org").status == 421
    assert proxied.get(HOST, Origin="https://other.example.org").status == 403


def test_nobody_can_claim_another_address(proxied: Proxied) -> None:
    assert proxied.get(HOST, **{"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9"}).status == 200
    assert str(proxied.server.wait_for_event("visited")["address"]).startswith("127.0.0.1:")


def test_a_websocket_through_the_proxy_is_a_member(proxied: Proxied, connect: Connect) -> None:
    native = connect(proxied.server, "bob")
    with (
        proxied.connection() as sock,
        open_socket(
            f"{proxied.origin.replace('https', 'wss')}/ws",
            sock=sock,
            ssl=proxied.context,
            server_hostname=HOST,
            origin=proxied.origin,  # type: ignore[arg-type]
            subprotocols=["securechat.1"],  # type: ignore[list-item]
        ) as web,
    ):
        web.send(json.dumps({"t": "hello", "version": 1, "name": "ana", "secret": "0" * 32}))
        while json.loads(web.recv(PATIENCE_S))["t"] != "joined":
            pass
        web.send(json.dumps({"t": "say", "cid": 1, "room": "lobby", "text": "through the proxy"}))
        native.wait_for_text("through the proxy")
