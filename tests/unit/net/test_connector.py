"""The client's way to a verified transport, and every way it can fail."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from securechat.net import connector
from securechat.net.connector import OutgoingConnection, connect
from securechat.net.transport import Transport

from .conftest import Bench, Recorder
from .test_listener import Door


class Guest:
    """What a connect() led to."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.recorder: Recorder | None = None
        self.failures: list[Exception] = []

    def make(self, transport: Transport) -> Recorder:
        self.bench.transports.append(transport)
        self.recorder = Recorder(transport)
        return self.recorder

    def connect(
        self, port: int, *, host: str = "127.0.0.1", name: str = "localhost", context: ssl.SSLContext | None = None
    ) -> OutgoingConnection:
        return connect(self.bench.loop, host, port, context or self.bench.client, name, self.make, self.failures.append)


@pytest.fixture
def door(bench: Bench) -> Iterator[Door]:
    made = Door(bench)
    yield made
    made.listener.close()


@pytest.fixture
def guest(bench: Bench) -> Guest:
    return Guest(bench)


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_both_ends_are_the_same_class_and_talk(door: Door, guest: Guest) -> None:
    guest.connect(door.listener.port)
    door.bench.until(lambda: guest.recorder is not None and bool(door.recorders))
    client, server = guest.recorder, door.recorders[0]
    assert client is not None
    assert client.events == ["handshake"]
    assert client.transport.alpn == "securechat/1"
    client.transport.write(b"question")
    server.on_data = lambda data: server.transport.write(b"answer")
    door.bench.until(lambda: client.data == [b"answer"])
    assert server.data == [b"question"]
    client.transport.close_with(b"bye")
    door.bench.until(lambda: client.lost is not None and server.lost is not None)
    assert server.data[-1] == b"bye"
    assert guest.failures == []


def test_a_certificate_from_elsewhere_arrives_as_the_exception_it_is(door: Door, guest: Guest) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    guest.connect(door.listener.port, context=stranger)
    door.bench.until(lambda: bool(guest.failures))
    assert isinstance(guest.failures[0], ssl.SSLCertVerificationError)
    assert guest.recorder is None, "no handler ever meets an unverified connection"


def test_a_certificate_for_another_name(door: Door, guest: Guest) -> None:
    guest.connect(door.listener.port, name="elsewhere.example")
    door.bench.until(lambda: bool(guest.failures))
    failure = guest.failures[0]
    assert isinstance(failure, ssl.SSLCertVerificationError)
    assert "elsewhere.example" in failure.verify_message


def test_nobody_listens(bench: Bench, guest: Guest) -> None:
    guest.connect(_closed_port())
    bench.until(lambda: bool(guest.failures))
    assert isinstance(guest.failures[0], ConnectionRefusedError)


def test_a_name_that_cannot_be_found(bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(connector.socket, "getaddrinfo", unknown)
    guest.connect(1, host="nowhere.invalid")
    bench.until(lambda: bool(guest.failures))
    assert isinstance(guest.failures[0], socket.gaierror)


def test_the_next_address_is_tried(door: Door, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    answers = [(*tcp, ("127.0.0.1", _closed_port())), (*tcp, door.listener.address)]
    monkeypatch.setattr(connector.socket, "getaddrinfo", lambda *_, **__: answers)
    guest.connect(0)
    door.bench.until(lambda: guest.recorder is not None)
    assert guest.failures == []


def test_an_address_that_never_answers_has_its_time(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "_IN_PROGRESS", range(1 << 16))  # even a refusal looks like waiting...
    monkeypatch.setattr(OutgoingConnection, "ready", lambda self, events: None)  # ...and nothing is ever heard
    attempt = guest.connect(_closed_port())
    bench.until(lambda: attempt._sock is not None)
    assert guest.failures == []
    bench.clock.now += connector.CONNECT_TIMEOUT_S + 0.1
    bench.until(lambda: bool(guest.failures))
    assert isinstance(guest.failures[0], TimeoutError)


def test_a_server_that_is_silent_in_the_handshake(bench: Bench, guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        attempt = guest.connect(listening.getsockname()[1])
        bench.until(lambda: attempt._transport is not None)
        bench.clock.now += bench.limits.handshake_timeout_s + 0.1
        bench.until(lambda: bool(guest.failures))
    assert isinstance(guest.failures[0], TimeoutError)


def test_a_server_that_hangs_up_in_the_handshake(bench: Bench, guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        guest.connect(listening.getsockname()[1])
        accepted: list[socket.socket] = []
        thread = threading.Thread(target=lambda: accepted.append(listening.accept()[0]))
        thread.start()
        bench.until(lambda: bool(accepted))
        thread.join()
        accepted[0].close()
        bench.until(lambda: bool(guest.failures))
    assert isinstance(guest.failures[0], OSError)


@pytest.mark.parametrize("moment", ["resolving", "connecting", "handshaking"])
def test_cancelling_is_silent(bench: Bench, guest: Guest, moment: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        attempt = guest.connect(listening.getsockname()[1])
        if moment == "connecting":
            bench.until(lambda: attempt._sock is not None or attempt._transport is not None)
        elif moment == "handshaking":
            bench.until(lambda: attempt._transport is not None)
        attempt.cancel()
        attempt.cancel()
        resolved = threading.Event()
        threading.Timer(0.02, resolved.set).start()
        bench.until(resolved.is_set)
    assert guest.failures == []
    assert guest.recorder is None
    assert len(bench.loop._selector.get_map()) == 1
