"""A real TLS peer without threads: a raw socket and an SSLObject, stepped between the passes of the loop under test."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from securechat.containment import Failure
from securechat.limits import Limits
from securechat.net.loop import Loop
from securechat.net.transport import CloseReason, Transport

PATIENCE_S = 30.0  # real seconds before a condition counts as never true


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """A handler that writes everything down; tests replace its methods to answer."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.events: list[str] = []
        self.data: list[bytes] = []
        self.lost: tuple[CloseReason, str] | None = None
        self.on_data: Callable[[bytes], None] = lambda data: None
        self.on_overflow: Callable[[], None] = lambda: None
        self.on_failed: Callable[[], None] = lambda: None

    def handshake_done(self) -> None:
        self.events.append("handshake")

    def data_received(self, data: bytes) -> None:
        assert self.lost is None
        self.data.append(data)
        self.on_data(data)

    def backlog_started(self) -> None:
        self.events.append("backlog")

    def backlog_over(self) -> None:
        self.events.append("over")

    def outbox_overflow(self) -> None:
        self.events.append("overflow")
        self.on_overflow()

    def failed(self) -> None:
        self.events.append("failed")
        self.on_failed()

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        assert self.lost is None, "connection_lost twice"
        self.events.append("lost")
        self.lost = (reason, detail)


class Peer:
    """The other side; ``step`` moves bytes between TLS and the socket, never blocking."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        sock.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.unsent = b""
        self.shaken = False
        self.received = b""
        self.end: str | None = None  # "close_notify", "fin", "reset" or the TLS error
        self.reading = True

    def send(self, data: bytes) -> None:
        """One TLS record per 16 KiB."""
        self.tls.write(data)
        self.pull()

    def pull(self) -> None:
        self.unsent += self.outgoing.read()

    def close_notify(self) -> None:
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.pull()

    def step(self, at_most: int = 1 << 30) -> None:
        if not self.shaken and self.end is None:
            try:
                self.tls.do_handshake()
                self.shaken = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as exc:
                self.end = exc.reason or "error"
            self.pull()
        if self.unsent:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                sent = self.sock.send(self.unsent[:at_most])
                self.unsent = self.unsent[sent:]
        if self.reading:
            self.read()

    def read(self) -> None:
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except ConnectionError:
            self.end = self.end or "reset"
            return
        if data:
            self.incoming.write(data)
        elif self.end is None and not self.shaken:
            self.end = "fin"
        if self.shaken and self.end is None:
            self.decrypt(fin=not data)

    def decrypt(self, *, fin: bool) -> None:
        try:
            while True:
                got = self.tls.read(1 << 16)
                if not got:
                    self.end = "close_notify"
                    return
                self.received += got
        except ssl.SSLWantReadError:
            if fin:
                self.end = "fin"
        except ssl.SSLZeroReturnError:
            self.end = "close_notify"
        except ssl.SSLError as exc:
            self.end = exc.reason or "error"


class Bench:
    """One loop under a fake clock, with as many connections as a test wants."""

    def __init__(self, limits: Limits, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.limits, self.server, self.client = limits, server, client
        self.clock = Clock()
        self.failures: list[Failure] = []
        self.loop = Loop(limits, clock=self.clock)
        self.transports: list[Transport] = []
        self.peers: list[Peer] = []

    def contain(self) -> None:
        """From now on failures are listed, and cost their owner; before, they end the test."""
        self.loop.containment._on_failure = self.failures.append

    def connection(self, *, client_context: ssl.SSLContext | None = None) -> tuple[Recorder, Peer]:
        """A server-side transport, started, and its peer; no handshake step is made yet."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            theirs = socket.socket()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            theirs.connect(listening.getsockname())
            theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ours, address = listening.accept()
        transport = Transport(self.loop, ours, address, self.server)
        recorder = Recorder(transport)
        transport.start(recorder)
        peer = Peer(theirs, client_context or self.client)
        self.transports.append(transport)
        self.peers.append(peer)
        return recorder, peer

    def connected(self) -> tuple[Recorder, Peer]:
        """The same with the handshake done, and all reading ahead caught up."""
        recorder, peer = self.connection()
        self.until(lambda: peer.shaken and recorder.transport.is_open)
        self.until(lambda: not peer.unsent)
        return recorder, peer

    def step(self) -> None:
        for peer in self.peers:
            peer.step()
        self.loop.run_pass(0.001)

    def until(self, condition: Callable[[], bool]) -> None:
        """Step both sides until ``condition`` holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            self.step()

    def passes_until(self, condition: Callable[[], bool]) -> None:
        """Only passes of the loop; the peers do nothing."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            self.loop.run_pass(0.001)

    def close(self) -> None:
        for transport in self.transports:
            transport.abort()
        self.loop.run_pass(0)
        self.loop.close()
        for peer in self.peers:
            peer.sock.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away certificate for localhost that is its own CA, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "throw-away")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(built.public_bytes(pem) + secret)
    return path


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["securechat/1"])
    return context


@pytest.fixture
def client_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate)
    context.set_alpn_protocols(["securechat/1"])
    return context


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def bench(limits: Limits, server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> Iterator[Bench]:
    made = Bench(limits, server_context, client_context)
    yield made
    made.close()
