"""What browsers do to a server, over real sockets from an address that is not loopback: none of it is punished."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from securechat.limits import Limits
from securechat.tls.local_addresses import private_addresses
from tests.support.native import NativeClient
from tests.support.secure_socket import secure_socket
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

PHONES, LOADS, CONNECTIONS = 30, 5, 6
DEFAULTS = Limits()
AS_PUBLIC = {  # this machine's address is a private one; each of these has the value for public ones
    name: getattr(DEFAULTS, name.replace("private_", ""))
    for name in (
        "connections_per_private_address",
        "web_connections_per_private_address",
        "websockets_per_private_address",
    )
}


def _own_address() -> str | None:
    addresses = [ip for ip in private_addresses() if not ip.is_loopback and ip.version == 4]
    return str(addresses[0]) if addresses else None


@pytest.fixture
def server(certs: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    address = _own_address()
    if address is None:
        pytest.skip("this machine has no IPv4 address but loopback, which no cap per address holds for")
    limits = [f"--limit={name}={value:g}" for name, value in (AS_PUBLIC | {"web_request_rate": 10_000.0}).items()]
    with ServerProcess(certs, tmp_path / "data", *limits, host=address).start() as process:
        yield process


class Phone:
    """One phone: it shows a warning first, loads the page again and again, and is rude each time."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._context = ssl.create_default_context(cafile=str(server.ca))
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self._warns = ssl.create_default_context()
        self._warns.set_alpn_protocols(["h2", "http/1.1"])
        self._member: ssl.SSLSocket | None = None

    def warned(self) -> None:
        """The certificate is unknown: an alert ends the handshake, twice."""
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError):
                secure_socket(self._warns, (self._server.host, self._server.port))

    def load(self) -> None:
        """Load the page and open its WebSocket; the one of the page before ends without a word."""
        ahead = [self._plain() for _ in range(2)]
        socks = [self._secure() for _ in range(CONNECTIONS)]
        assert self._get(socks[0], "/").startswith(b"HTTP/1.1 200 ")
        self.leave()
        key = base64.b64encode(os.urandom(16)).decode()
        came = self._get(
            socks[1],
            "/ws",
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Protocol: securechat.1\r\n",
        )
        assert came.startswith(b"HTTP/1.1 101 "), came
        self._member = socks.pop(1)
        for sock in [*ahead, *socks]:
            sock.close()  # without close_notify

    def leave(self) -> None:
        if self._member is not None:
            self._member.close()

    def _plain(self) -> socket.socket:
        return socket.create_connection((self._server.host, self._server.port), PATIENCE_S)

    def _secure(self) -> ssl.SSLSocket:
        made = secure_socket(self._context, (self._server.host, self._server.port))
        assert made.selected_alpn_protocol() == "http/1.1"
        return made

    def _get(self, sock: ssl.SSLSocket, path: str, headers: str = "") -> bytes:
        host = f"{self._server.host}:{self._server.port}"
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        return sock.recv(65_536)


@pytest.mark.slow
def test_thirty_phones_behind_one_address_get_in(server: ServerProcess) -> None:
    phones = [Phone(server) for _ in range(PHONES)]
    with ThreadPoolExecutor(PHONES) as pool:
        list(pool.map(Phone.warned, phones))
        for _ in range(LOADS):
            list(pool.map(Phone.load, phones))
    with NativeClient(server.port, server.ca, host=server.host) as terminal:
        terminal.hello("terminal")
    for phone in phones:
        phone.leave()
    told = [event for event in server.events() if event["event"] in ("error", "refused")]
    assert told == []


def test_a_browser_that_comes_without_tls_is_led_to_https(server: ServerProcess) -> None:
    for _ in range(40):
        with socket.create_connection((server.host, server.port), PATIENCE_S) as sock:
            sock.sendall(b"GET /secret?token=1 HTTP/1.1\r\nHost: evil.example\r\nCookie: x\r\n\r\n")
            came = b"".join(iter(lambda sock=sock: sock.recv(4096), b""))  # type: ignore[misc]
        assert came.startswith(b"HTTP/1.1 3"), came
        assert b"\r\nLocation: https://" in came and f":{server.port}/\r\n".encode() in came
        assert b"secret" not in came and b"evil" not in came and b"Cookie" not in came
    with NativeClient(server.port, server.ca, host=server.host) as terminal:
        terminal.hello("terminal")
    assert [event for event in server.events() if event["event"] in ("error", "refused")] == []


@pytest.mark.parametrize(
    "begin", [b"HEAD / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n"]
)
def test_nothing_else_gets_a_word_without_tls(server: ServerProcess, begin: bytes) -> None:
    with socket.create_connection((server.host, server.port), PATIENCE_S) as sock:
        sock.sendall(begin)
        came = b""
        with contextlib.suppress(ConnectionError):
            came = b"".join(iter(lambda: sock.recv(4096), b""))
    assert came[:1] in (b"", b"\x15"), "at most an alert of TLS"


def test_who_claims_to_be_a_browser_and_speaks_the_native_protocol_gets_nowhere(server: ServerProcess) -> None:
    """Sixteen terminals are the cap of an address; a seventeenth that claims to be a browser is no member."""
    terminals = []
    for number in range(DEFAULTS.connections_per_address):
        terminals.append(NativeClient(server.port, server.ca, host=server.host))
        terminals[-1].hello(f"t{number}")
    context = ssl.create_default_context(cafile=str(server.ca))
    context.set_alpn_protocols(["http/1.1", "securechat/1"])
    with secure_socket(context, (server.host, server.port)) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
        body = b'{"t":"hello","version":1,"name":"cheat","secret":"' + b"0" * 32 + b'"}'
        sock.sendall(len(body).to_bytes(4) + body)
        came = b""
        with contextlib.suppress(ConnectionError):
            came = b"".join(iter(lambda: sock.recv(4096), b""))
    assert came == b"" or came.startswith(b"HTTP/1.1 4"), came
    for terminal in terminals:
        terminal.close()


@pytest.mark.parametrize("protocols", [[], ["securechat/1"]])
def test_who_looks_at_the_certificate_and_closes_owes_no_hello(server: ServerProcess, protocols: list[str]) -> None:
    """As one who learns a CA by its pin, or a program that watches certificates."""
    context = ssl.create_default_context(cafile=str(server.ca))
    if protocols:
        context.set_alpn_protocols(protocols)
    for _ in range(DEFAULTS.failed_hellos_per_address + 8):
        with secure_socket(context, (server.host, server.port)) as sock:
            sock.unwrap()
    with NativeClient(server.port, server.ca, host=server.host) as terminal:
        terminal.hello("terminal")


@pytest.mark.parametrize("begin", [b"", b"G"])
def test_a_piece_of_nothing_is_a_failed_hello_as_before(server: ServerProcess, begin: bytes) -> None:
    """A handshake without a protocol and one byte, or half a handshake: the native rule holds."""
    context = ssl.create_default_context(cafile=str(server.ca))
    for _ in range(DEFAULTS.failed_hellos_per_address):
        if not begin:
            with socket.create_connection((server.host, server.port), PATIENCE_S) as plain:
                plain.sendall(b"\x16\x03\x01\x02\x00\x01")
            continue
        with secure_socket(context, (server.host, server.port)) as sock:
            sock.sendall(begin)
            sock.unwrap()
    wait_until(lambda: _is_turned_away(server), "the address is shut out")
    server.wait_for_event("refused", reason="failed_hellos")


def _is_turned_away(server: ServerProcess) -> bool:
    try:
        NativeClient(server.port, server.ca, host=server.host).close()
    except OSError:
        return True
    return False
