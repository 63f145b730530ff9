"""The page over HTTP on a real server: what browsers get, what attackers get, and what members notice of it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from securechat.model import Message
from tests.e2e.conftest import Connect
from tests.support.secure_socket import secure_socket
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

QUICK = ("--limit", "web_headers_s=1", "--limit", "web_keep_alive_s=1")
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: securechat.1\r\n"
)


class Answer:
    """What came back: status, headers with small names, body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class Wire:
    """A TLS connection on which a test says what it likes."""

    def __init__(self, server: ServerProcess, alpn: str | None = "http/1.1") -> None:
        context = ssl.create_default_context(cafile=str(server.ca))
        if alpn is not None:
            context.set_alpn_protocols([alpn])
        self.sock = secure_socket(context, (server.host, server.port), suppress_ragged_eofs=False)
        self.host = f"{server.host}:{server.port}"
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, path: str = "/", headers: str = "", method: str = "GET") -> None:
        self.send(f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n".encode())

    def answer(self, *, is_head: bool = False) -> Answer:
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
        length = 0 if is_head else int(headers.get("content-length", 0))
        while len(self._buffer) < length:
            self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(int(line.split()[1]), headers, body)

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        with contextlib.suppress(ConnectionError, ssl.SSLError, EOFError):
            while True:
                self._receive()
        return self._buffer

    def frame(self) -> bytes:
        """The payload of the next unmasked frame."""
        while len(self._buffer) < 2:
            self._receive()
        size, begin = self._buffer[1], 2
        if size == 126:
            size, begin = int.from_bytes(self._buffer[2:4]), 4
        while len(self._buffer) < begin + size:
            self._receive()
        payload, self._buffer = self._buffer[begin : begin + size], self._buffer[begin + size :]
        return payload

    def _receive(self) -> None:
        if not (data := self.sock.recv(65_536)):
            raise EOFError
        self._buffer += data

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def masked(text: str) -> bytes:
    payload = text.encode()
    mask = os.urandom(4)
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
    return b"\x81" + size + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def hello(name: str) -> bytes:
    return masked(json.dumps({"t": "hello", "version": 1, "name": name, "secret": os.urandom(16).hex()}))


def opened(server: ServerProcess, headers: str = "") -> Wire:
    wire = Wire(server)
    wire.get("/ws", UPGRADE + headers)
    assert wire.answer().status == 101
    return wire


@pytest.fixture(scope="module")
def quick(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(certs, tmp_path_factory.mktemp("quick") / "data", *QUICK).start() as process:
        yield process


# --- what browsers get ------------------------------------------------------------------------------------------------


def test_a_page_its_files_and_a_session_come_from_one_port(standing: ServerProcess, connect: Connect) -> None:
    native = connect(standing, "native")
    with Wire(standing) as wire:
        wire.get("/")
        page = wire.answer()
        assert page.status == 200
        facts = json.loads(re.findall(rb'id="facts">(.*?)</script>', page.body)[0])
        assert facts["ca"] == sha256(ssl.PEM_cert_to_DER_cert(standing.ca.read_text())).hexdigest()
        files = [path.decode() for path in re.findall(rb'(?:href|src)="(/w/[^"]+)"', page.body)]
        for path in files:
            wire.get(path, "Accept-Encoding: gzip\r\n")
            answer = wire.answer()
            if answer.status == 200:
                assert "immutable" in answer.headers["cache-control"]
        wire.get("/", f"If-None-Match: {page.headers['etag']}\r\n")
        assert wire.answer().status == 304
    with opened(standing, f"Origin: https://{standing.host}:{standing.port}\r\n") as wire:
        wire.send(hello("browser"))
        assert json.loads(wire.frame())["t"] == "welcome"
        native.say_acked("hello browser")
        while (event := json.loads(wire.frame()))["t"] != "msg":
            pass
        assert event["text"] == "hello browser"
        wire.send(masked(json.dumps({"t": "say", "cid": 1, "room": "lobby", "text": "hello native"})))
        native.wait_for(Message, lambda message: message.text == "hello native")


def test_gzip_comes_when_the_files_are_compressed(standing: ServerProcess) -> None:
    def packed() -> bool:
        with Wire(standing) as wire:
            wire.get("/")
            path = re.findall(rb'"(/w/[^"]+main\.js)"', wire.answer().body)[0].decode()
            wire.get(path, "Accept-Encoding: gzip\r\n")
            return wire.answer().headers.get("content-encoding") == "gzip"

    wait_until(packed, "a compressed file")


def test_the_ca_and_the_page_about_it_are_there(standing: ServerProcess) -> None:
    with Wire(standing) as wire:
        for path, kind in (
            ("/trust", "text/html; charset=utf-8"),
            ("/trust?lang=id", "text/html; charset=utf-8"),
            ("/ca.crt", "application/x-x509-ca-cert"),
            ("/ca.pem", "application/pem-certificate-chain"),
            ("/ca.mobileconfig", "application/x-apple-aspen-config"),
        ):
            wire.get(path, "Accept-Language: id-ID,id;q=0.9,en;q=0.8\r\n")
            answer = wire.answer()
            assert (answer.status, answer.headers["content-type"]) == (200, kind)
            if path not in ("/ca.crt", "/ca.pem"):
                assert answer.headers["content-language"] == "id"
        wire.get("/ca.crt")
        pem = ssl.DER_cert_to_PEM_cert(wire.answer().body)
        assert pem.strip() in standing.ca.read_text()
        wire.get("/ca.pem")
        assert wire.answer().body.decode() == pem


def test_a_visit_is_one_line_and_a_rude_browser_none(server: ServerProcess) -> None:
    for _ in range(6):  # opened ahead
        Wire(server).sock.close()
    with Wire(server) as wire:
        for path in ("/", "/sw.js", "/nothing"):
            wire.get(path)
            wire.answer()
    with pytest.raises(ssl.SSLCertVerificationError):  # ended by a warning page
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        secure_socket(context, (server.host, server.port))
    with opened(server) as wire:
        wire.send(hello("ann"))
        wire.frame()
    server.wait_for_event("disconnected")
    events = [event["event"] for event in server.events() if "the loop was busy" not in event.get("text", "")]
    assert events == ["listening", "visited", "connected", "named", "joined", "disconnected"]


def test_without_tls_there_is_the_way_to_tls(standing: ServerProcess) -> None:
    with socket.create_connection((standing.host, standing.port)) as raw:
        raw.sendall(b"GET /secret HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        raw.settimeout(PATIENCE_S)
        answer = b""
        while data := raw.recv(1000):
            answer += data
    assert answer.startswith(b"HTTP/1.1 307 Temporary Redirect\r\n")
    assert re.search(rb"\r\nLocation: https://[^/\r]+:%d/\r\n" % standing.port, answer)
    assert b"secret" not in answer
    assert b"evil" not in answer


def test_a_client_without_alpn_is_known_by_its_first_bytes(standing: ServerProcess) -> None:
    with Wire(standing, alpn=None) as wire:
        for byte in b"GET":
            wire.send(bytes([byte]))
        wire.send(f" / HTTP/1.1\r\nHost: {wire.host}\r\n\r\n".encode())
        assert wire.answer().status == 200
        wire.get("/nothing", method="HEAD")
        assert wire.answer(is_head=True).status == 404
    with Wire(standing, alpn=None) as wire:
        wire.get("/ws", UPGRADE)
        assert wire.answer().status == 101
        wire.send(hello("no-alpn"))
        assert json.loads(wire.frame())["t"] == "welcome"
    for data in (b"BREW / HTTP/1.1\r\n", b"\0\0\0\x05hello", b"get /"):
        with Wire(standing, alpn=None) as wire:
            wire.send(data)
            assert b"securechat/1" in wire.rest()


def test_browsers_are_not_asked_for_a_certificate(standing: ServerProcess) -> None:
    context = ssl.create_default_context(cafile=str(standing.ca))
    context.set_alpn_protocols(["h2", "http/1.1"])
    asked: list[int] = []
    context._msg_callback = lambda _sock, _way, _version, _content, kind, _data: asked.append(int(kind))  # type: ignore[attr-defined]
    with secure_socket(context, (standing.host, standing.port)) as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"
    assert 11 in asked  # Certificate
    assert 13 not in asked  # CertificateRequest


@pytest.mark.parametrize("flags", [("--web", "off"), ()], ids=["flag", "variable"])
def test_without_the_web_there_is_none(certs: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    env = {} if flags else {"SECURECHAT_WEB": "off"}
    with ServerProcess(certs, tmp_path / "data", *flags, env=env).start() as server:
        for alpn in ("http/1.1", None):
            with Wire(server, alpn=alpn) as wire:
                wire.get("/")
                assert b"securechat/1" in wire.rest()
        with socket.create_connection((server.host, server.port)) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            raw.settimeout(PATIENCE_S)
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP" not in raw.recv(1000)


def test_more_hosts_can_be_named(certs: Path, tmp_path: Path) -> None:
    flags = ("--web-host", "chat.example.org", "--web-host", "2001:db8::1")
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server, Wire(server) as wire:
        for host in ("chat.example.org", "Chat.Example.Org.:443", "[2001:DB8:0::1]:8443", "localhost"):
            wire.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\n\r\n".encode())
            assert wire.answer().status == 200
        wire.send(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
        assert wire.answer().status == 421


def test_a_renewed_certificate_changes_what_the_page_is_told(certs: Path, tmp_path: Path) -> None:
    from securechat.tls.certificate_directory import ensure_server

    with ServerProcess(certs, tmp_path / "data").start() as server:
        here = tmp_path / "certs"
        ensure_server(here)
        before = (certs / "server.pem").read_bytes()
        try:
            (certs / "server.pem").write_bytes((here / "server.pem").read_bytes())
            server.signal(signal.SIGHUP)
            server.wait_for_line("new certificate in use")
        finally:
            (certs / "server.pem").write_bytes(before)
        server.certs = here
        with Wire(server) as wire:
            wire.get("/ca.crt")
            assert ssl.DER_cert_to_PEM_cert(wire.answer().body).strip() in (here / "ca.pem").read_text()


def test_a_server_that_stops_closes_pages_at_once_and_tells_members(server: ServerProcess) -> None:
    with Wire(server) as idle, opened(server) as member:
        idle.get("/")
        idle.answer()
        member.send(hello("ann"))
        assert json.loads(member.frame())["t"] == "welcome"
        server.signal(signal.SIGTERM)
        assert idle.rest() == b""
        while (event := json.loads(member.frame()))["t"] != "closing":
            pass
        assert event["code"] == "shutting_down"
        assert member.frame()[:2] == (1001).to_bytes(2)
        assert server.wait() == 0


# --- what attackers get -----------------------------------------------------------------------------------------------


@pytest.fixture
def unmoved(quick: ServerProcess, connect: Connect) -> Iterator[None]:
    """A member who is served as if nothing had happened, by a server that complains of nothing."""
    member = connect(quick)
    member.hello(f"witness-{time.monotonic_ns()}")
    yield
    acked = member.say_acked("still here")
    member.wait_for(Message, lambda message: message.seq == acked.seq)
    assert not [event for event in quick.events() if event["event"] == "error"]


def after(server: ServerProcess, data: bytes) -> bytes:
    """Everything that a server says to these bytes, until it ends the connection."""
    with Wire(server) as wire:
        wire.send(data)
        return wire.rest()


HOST = "Host: 127.0.0.1\r\n"
ATTACKS: dict[str, tuple[str, list[int]]] = {
    "pipelining": (f"GET / HTTP/1.1\r\n{HOST}\r\n" * 5 + "nonsense\r\n\r\n", [200] * 5 + [400]),
    "pipelining behind an error": (f"GET /%00 HTTP/1.1\r\n{HOST}\r\nGET / HTTP/1.0\r\n\r\n", [404, 505]),
    "behind a close": (f"GET / HTTP/1.1\r\n{HOST}Connection: close\r\n\r\nGET / HTTP/1.1\r\n{HOST}\r\n", [200]),
    "TE and CL": (
        f"GET / HTTP/1.1\r\n{HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n",
        [400],
    ),
    "a body that is a request": (
        f"GET / HTTP/1.1\r\n{HOST}Content-Length: 40\r\n\r\nGET /2 HTTP/1.1\r\n{HOST}\r\n",
        [413],
    ),
    "an obscured TE": (f"GET / HTTP/1.1\r\n{HOST}Transfer-Encoding:\x0bchunked\r\n\r\n", [400]),
    "a folded TE": (f"GET / HTTP/1.1\r\n{HOST}Transfer-Encoding:\r\n chunked\r\n\r\n", [400]),
    "a bare CR": (f"GET / HTTP/1.1\r\n{HOST}A: \rContent-Length: 4\r\n\r\n", [400]),
    "an upgrade with a body": (f"GET /ws HTTP/1.1\r\n{HOST}{UPGRADE}Content-Length: 2\r\n\r\nab", [413]),
    "an absolute target": (f"GET https://127.0.0.1/ HTTP/1.1\r\n{HOST}\r\n", [400]),
    "another scheme": (f"GET file:///etc/passwd HTTP/1.1\r\n{HOST}\r\n", [400]),
    "CONNECT": (f"CONNECT 127.0.0.1:22 HTTP/1.1\r\n{HOST}\r\n", [405]),
    "1.0": ("GET / HTTP/1.0\r\n\r\n", [505]),
    "0.9": ("GET /\r\n\r\n", [400]),
    "HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505]),
    "a way out of the folder": (
        "".join(
            f"GET {path} HTTP/1.1\r\n{HOST}\r\n"
            for path in (
                "/../app.py",
                "/..%2fapp.py",
                "/w/..",
                "/etc/passwd",
                "//",
                "/\\..\\app.py",
                "/w/%2e%2e/",
                "/~",
            )
        )
        + "x\n",
        [404] * 8 + [400],
    ),
    "a header flood": (f"GET / HTTP/1.1\r\n{HOST}" + "A: b\r\n" * 200 + "\r\n", [431]),
    "a long header": (f"GET / HTTP/1.1\r\n{HOST}A: " + "a" * 50_000, [431]),
    "a long target": ("GET /" + "a" * 50_000, [414]),
    "another host": ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", [421]),
    "another origin": (f"GET /ws HTTP/1.1\r\n{HOST}{UPGRADE}Origin: https://evil.example\r\n\r\n", [403]),
    "no origin at all": (f"GET /ws HTTP/1.1\r\n{HOST}{UPGRADE}Origin: null\r\n\r\n", [403]),
    "a native hello": ('\0\0\0\x20{"t":"hello","version":1}', [400]),
    "a TLS hello inside": ("\x16\x03\x01\x02\x00\x01", [400]),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.usefixtures("unmoved")
def test_an_attack_is_an_error_and_an_end(quick: ServerProcess, name: str) -> None:
    data, statuses = ATTACKS[name]
    answer = after(quick, data.encode("iso-8859-1"))
    assert [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", answer)] == statuses
    assert b"evil" not in answer
    assert b"etc/passwd" not in answer
    if statuses[-1] != 200:
        assert answer.endswith(b".\n")


@pytest.mark.usefixtures("unmoved")
def test_slow_headers_end(quick: ServerProcess) -> None:
    with Wire(quick) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHos")
        assert wire.answer().status == 408
        assert wire.rest() == b""


@pytest.mark.usefixtures("unmoved")
def test_silence_ends_without_a_word(quick: ServerProcess) -> None:
    with Wire(quick) as wire:
        assert wire.rest() == b""


@pytest.mark.usefixtures("unmoved")
def test_a_hundred_requests_are_enough_for_a_connection(quick: ServerProcess) -> None:
    with Wire(quick) as wire:
        for _ in range(100):
            wire.get("/nothing")
            answer = wire.answer()
        assert answer.headers["connection"] == "close"
        assert wire.rest() == b""


@pytest.mark.usefixtures("unmoved")
def test_bytes_behind_an_upgrade_are_frames(quick: ServerProcess) -> None:
    with Wire(quick) as wire:
        request = f"GET /ws HTTP/1.1\r\nHost: {wire.host}\r\n{UPGRADE}\r\n".encode()
        wire.send(request + hello(f"early-{time.monotonic_ns()}"))
        answer = wire.answer()
        assert answer.status == 101
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert json.loads(wire.frame())["t"] == "welcome"
    with Wire(quick) as wire:
        wire.send(f"GET /ws HTTP/1.1\r\nHost: {wire.host}\r\n{UPGRADE}\r\nGET / HTTP/1.1\r\n\r\n".encode())
        assert wire.answer().status == 101
        assert b"HTTP" not in wire.rest()


@pytest.mark.usefixtures("unmoved")
def test_a_client_that_never_reads_costs_little(quick: ServerProcess) -> None:
    """It asks for the page again and again: one answer at a time waits for it, and it is cut."""
    request = f"GET / HTTP/1.1\r\nHost: {quick.host}\r\n\r\n".encode()
    with Wire(quick) as wire, pytest.raises(OSError):
        for _ in range(100_000):
            wire.send(request * 10)


@pytest.mark.usefixtures("unmoved")
def test_many_connections_that_say_half_a_request_are_let_go(quick: ServerProcess) -> None:
    wires: list[Wire] = []
    try:
        for _ in range(200):
            wires.append(Wire(quick))
            wires[-1].send(b"GET / HTTP/1.1\r\nA: " + base64.b64encode(os.urandom(3_000)))
        for wire in wires:
            assert wire.answer().status == 408
    finally:
        for wire in wires:
            wire.sock.close()


def test_one_websocket_too_many_reads_why(certs: Path, tmp_path: Path) -> None:
    """Loopback has no caps, so the server listens on an address of this machine that is none."""
    addresses = [each for each in _own_addresses() if not each.startswith("127.")]
    if not addresses:
        pytest.skip("this machine has no address but loopback")
    limits = ("websockets_per_address=1", "websockets_per_private_address=1")
    flags = [word for limit in limits for word in ("--limit", limit)]
    with (
        ServerProcess(certs, tmp_path / "data", *flags, host=addresses[0]).start() as server,
        opened(server) as first,
        opened(server) as second,
    ):
        closing = json.loads(second.frame())
        assert (closing["t"], closing["code"]) == ("closing", "too_many_connections")
        assert second.frame()[:2] == (1013).to_bytes(2)
        assert second.rest() == b""
        first.send(hello("ann"))
        assert json.loads(first.frame())["t"] == "welcome"


def test_behind_a_proxy_on_this_machine_browsers_have_limits_and_terminals_none(
    certs: Path, tmp_path: Path, connect: Connect
) -> None:
    limits = ("websockets_per_private_address=1", "web_request_burst=1", "web_request_rate=0.01")
    limits += ("connections_per_address=1", "connections_per_private_address=2")
    flags = ["--web-host", "chat.example.org", *(word for limit in limits for word in ("--limit", limit))]
    with (
        ServerProcess(certs, tmp_path / "data", *flags).start() as server,
        opened(server) as first,
        opened(server) as second,
        Wire(server) as page,
    ):
        assert json.loads(second.frame())["code"] == "too_many_connections"
        assert server.wait_for_event("refused", reason="address_full")["address"] == "127.0.0.1"
        page.get()
        answer = page.answer()
        assert (answer.status, "retry-after" in answer.headers) == (429, True)
        for name in ("ann", "bob", "cid"):
            connect(server, name)
        first.send(hello("dan"))
        assert json.loads(first.frame())["t"] == "welcome"


def _own_addresses() -> list[str]:
    from securechat.tls.local_addresses import private_addresses

    return [str(address) for address in private_addresses() if address.version == 4]
