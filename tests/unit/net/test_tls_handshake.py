"""Certificates of clients over real sockets: whom the listener's handshake lets in, and what each side then knows."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from securechat.errors import TlsFailure
from securechat.limits import Limits
from securechat.net.connection_limits import ConnectionLimits
from securechat.net.connector import connect
from securechat.net.listener import Listener
from securechat.net.pending_connections import PendingConnections
from securechat.net.transport import CloseReason, Transport
from securechat.tls.client_certificates import fingerprint_of_file, public_key_fingerprint
from securechat.tls.contexts import ServerCertificate, client_context
from securechat.tls.failures import explain
from securechat.tls.hostnames import parse_names
from securechat.tls.issuing import (
    Issuer,
    certificate_pem,
    new_authority,
    new_client_leaf,
    new_server_leaf,
)
from securechat.tls.pem_bundle import read_bundle

from .conftest import Bench, Recorder

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)


@dataclass
class House:
    """A CA, its server, and certificates for visitors."""

    directory: Path
    issuer: Issuer
    serving: ServerCertificate

    def trusting(self) -> ssl.SSLContext:
        """A client's context without a certificate of its own."""
        return client_context(certificate_pem(self.issuer.certificate).decode())

    def visitor(self, issuer: Issuer | None = None, *, age_days: int = 0) -> Path:
        """A client's file, issued ``age_days`` ago and valid for ten days."""
        leaf = new_client_leaf(issuer or self.issuer, "ana", NOW - age_days * DAY, 10 * DAY)
        path = self.directory / "client-ana.pem"
        path.write_bytes(leaf.to_pem())
        return path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    issuer = new_authority(NOW - 100 * DAY)
    directory = tmp_path_factory.mktemp("house")
    server = directory / "server.pem"
    server.write_bytes(new_server_leaf(issuer, parse_names(["localhost"]), NOW).to_pem())
    return House(directory, issuer, ServerCertificate(server))


@pytest.fixture
def bench(house: House) -> Iterator[Bench]:
    made = Bench(Limits(), house.serving.context, house.trusting())
    yield made
    made.close()


def showing(house: House, path: Path) -> ssl.SSLContext:
    """As ``client_context(certificate=path)``, without its look at the file: what a careless client would do."""
    context = house.trusting()
    context.load_cert_chain(path)
    return context


def test_a_visitor_with_a_certificate_is_known_by_its_key(bench: Bench, house: House) -> None:
    path = house.visitor()
    ca = certificate_pem(house.issuer.certificate).decode()
    recorder, peer = bench.connection(client_context=client_context(ca, certificate=path))
    assert recorder.transport.peer_certificate is None
    bench.until(lambda: recorder.transport.is_open and peer.shaken)
    shown = recorder.transport.peer_certificate
    assert shown == read_bundle(path).leaf.public_bytes(Encoding.DER)
    assert public_key_fingerprint(shown) == fingerprint_of_file(path)
    assert recorder.transport.alpn == "securechat/1"


def test_a_visitor_without_one_is_served_as_ever(bench: Bench) -> None:
    recorder, peer = bench.connected()
    assert recorder.transport.peer_certificate is None
    peer.send(b"hello")
    bench.until(lambda: recorder.data == [b"hello"])


def stranger(house: House) -> Path:
    return house.visitor(new_authority(NOW))


def expired(house: House) -> Path:
    return house.visitor(age_days=50)


def servers_own(house: House) -> Path:
    return house.directory / "server.pem"


@pytest.mark.parametrize(
    ("show", "alert"), [(stranger, "UNKNOWN_CA"), (expired, "CERTIFICATE_EXPIRED"), (servers_own, "UNSUPPORTED")]
)
def test_a_bad_certificate_ends_the_handshake(
    bench: Bench, house: House, show: Callable[[House], Path], alert: str
) -> None:
    """In TLS 1.3 the client is done first (RFC 8446 figure 1): it learns of the refusal when it reads."""
    recorder, peer = bench.connection(client_context=showing(house, show(house)))
    bench.until(lambda: peer.end is not None)
    peer.sock.close()
    bench.passes_until(lambda: recorder.lost is not None)
    assert recorder.events == ["lost"], "no handler ever met it"
    assert recorder.lost is not None and recorder.lost[0] is CloseReason.TLS_ERROR
    assert recorder.transport.peer_certificate is None
    assert peer.shaken, "it believed itself connected"
    assert peer.end is not None and alert in peer.end


@pytest.mark.parametrize(
    ("show", "words"),
    [
        (stranger, "the server's CA did not issue it"),
        (expired, "it has expired"),
        (servers_own, "it is not for users"),
    ],
)
def test_our_own_client_explains_the_refusal(
    bench: Bench, house: House, show: Callable[[House], Path], words: str
) -> None:
    """Both ends are transports here: what ours keeps in ``error`` is what a user's sentence is made from."""
    guests: list[Recorder] = []

    def came(transport: Transport, offers: object) -> None:
        bench.transports.append(transport)
        transport.start(Recorder(transport))

    def connected(transport: Transport) -> Recorder:
        bench.transports.append(transport)
        guests.append(Recorder(transport))
        return guests[0]

    pending = PendingConnections(
        bench.loop,
        ConnectionLimits(bench.limits, 10),
        context_for=lambda _offers: house.serving.context,
        on_transport=came,
    )
    listener = Listener(bench.loop, "127.0.0.1", 0, pending)
    failures: list[Exception] = []
    context = showing(house, show(house))
    connect(bench.loop, "127.0.0.1", listener.port, context, "localhost", connected, failures.append)
    bench.passes_until(lambda: bool(failures) or (bool(guests) and guests[0].lost is not None))
    listener.close()
    assert not failures
    assert guests[0].events == ["handshake", "lost"]
    error = guests[0].transport.error
    assert error is not None
    told = explain(error, "chat.example", NOW)
    assert isinstance(told, TlsFailure)
    assert words in told.detail
    assert "--cert" in told.detail


def test_a_reloaded_server_asks_as_before(house: House, bench: Bench) -> None:
    house.serving.reload()
    bench.server = house.serving.context
    recorder, _ = bench.connection(client_context=showing(house, house.visitor()))
    bench.until(lambda: recorder.transport.is_open)
    assert recorder.transport.peer_certificate is not None


def test_a_context_that_verifies_nobody_names_nobody(
    certificate: Path, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """A certificate that nobody has verified is no certificate."""
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    made = Bench(Limits(), server_context, client_context)

    def came(transport: Transport, offers: object) -> None:
        made.transports.append(transport)
        transport.start(Recorder(transport))

    pending = PendingConnections(
        made.loop, ConnectionLimits(made.limits, 10), context_for=lambda _offers: server_context, on_transport=came
    )
    listening = Listener(made.loop, "127.0.0.1", 0, pending)
    guests: list[Transport] = []

    def connected(transport: Transport) -> Recorder:
        guests.append(transport)
        made.transports.append(transport)
        return Recorder(transport)

    connect(made.loop, "127.0.0.1", listening.port, client_context, "localhost", connected, lambda error: None)
    made.passes_until(lambda: bool(guests))
    assert guests[0].peer_certificate is None
    listening.close()
    made.close()
