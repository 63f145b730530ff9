"""Uploads and downloads over real TLS, as `curl`, h11 and `http.client` do them; and what they take from the others."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h11
import pytest

from securechat.limits import KIB, MIB, Limits
from securechat.server.web.connection import HttpConnection
from securechat.server.web.transfers import OUTBOX_BYTES, Download
from tests.support.secure_socket import secure_socket
from tests.support.toy_files import ToyUpload, toy_bytes
from tests.support.transfer_rig import TransferRig
from tools.bench.certs import make_certificates

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
SIZE = 25 * MIB
LIMITS = Limits()


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    make_certificates(folder)
    return folder


@pytest.fixture
def stepped(certs: Path) -> Iterator[TransferRig]:
    """A server whose passes the test runs."""
    rig = TransferRig(certs)
    yield rig
    rig.close()
    assert rig.failures == []


@pytest.fixture
def rig(stepped: TransferRig) -> TransferRig:
    """A server in a thread."""
    stepped.run_in_thread()
    return stepped


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(toy_bytes(0, 32 * KIB) * (SIZE // (32 * KIB)))
    return path


def curl(rig: TransferRig, *arguments: str | Path) -> tuple[int, str]:
    """Run curl; returns its exit status, and what it says: the status of the answer, and the bytes that it sent."""
    command = ["curl", "-sS", "--cacert", str(rig.certs / "ca.pem"), "-w", " %{http_code} %{size_upload}"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def refusing(rig: TransferRig, at: int) -> None:
    """Have uploads refused when so many bytes have come."""

    def make(request: Any) -> ToyUpload:
        upload = ToyUpload(request)
        upload.refuse_at = at
        return upload

    rig.files.make_upload = make


@needs_curl
@pytest.mark.parametrize("expect", ["100-continue", ""])
def test_curl_uploads(rig: TransferRig, big: Path, expect: str) -> None:
    assert curl(rig, "-H", f"Expect: {expect}", "-T", big, f"{rig.url}/files/a") == (0, f"{SIZE} bytes\n 201 {SIZE}")
    assert rig.files.upload.data == big.read_bytes()
    assert rig.files.upload.calls[-1] == "end"


@needs_curl
def test_curl_that_is_refused_has_sent_nothing(rig: TransferRig, big: Path) -> None:
    class Refusing(ToyUpload):
        def prepare(self, ready: Any, done: Any) -> None:
            self.done = done
            rig.loop.call_later(0.05, lambda: self.refuse(403))

    rig.files.make_upload = Refusing
    status, said = curl(rig, "-H", "Expect: 100-continue", "-T", big, f"{rig.url}/files/a")
    assert (status, said) == (0, "problem: refused\n 403 0")
    rig.files.most_bytes = 1_000
    status, said = curl(rig, "-H", "Expect: 100-continue", "-T", big, f"{rig.url}/files/a")
    assert (status, said.split()[-2:]) == (0, ["413", "0"])


@needs_curl
@pytest.mark.parametrize("at", [1, 100 * KIB, 12 * MIB])
@pytest.mark.parametrize("expect", ["100-continue", ""])
def test_curl_that_is_refused_half_way_reads_why(rig: TransferRig, big: Path, at: int, expect: str) -> None:
    refusing(rig, at)
    status, said = curl(rig, "-H", f"Expect: {expect}", "-T", big, f"{rig.url}/files/a")
    assert said.startswith("problem: refused\n 409 ")
    assert status == 0


@needs_curl
def test_curl_that_is_too_long_reads_why(rig: TransferRig, big: Path) -> None:
    rig.files.most_bytes = 1 * MIB
    status, said = curl(rig, "-H", "Expect:", "-T", big, f"{rig.url}/files/a")
    assert (status, said.split()[-2]) == (0, "413")


@pytest.mark.parametrize(
    ("at", "status"), [(1, 409), (12 * MIB, 409), (None, 411)], ids=["at once", "half way", "in chunks"]
)
def test_a_client_that_sends_everything_first_reads_why(
    rig: TransferRig, big: Path, at: int | None, status: int
) -> None:
    """As `http.client`, `requests` and browsers do: they look at the answer when the body is sent."""
    if at is not None:
        refusing(rig, at)
    context = ssl.create_default_context(cafile=rig.certs / "ca.pem")
    connection = http.client.HTTPSConnection("localhost", rig.port, context=context, timeout=60)
    with big.open("rb") as body:
        connection.request("PUT", "/files/a", body, {"Content-Length": str(SIZE)} if at is not None else {})
        answer = connection.getresponse()
    assert answer.status == status
    assert answer.read().startswith(b"problem: ")
    connection.close()
    if at is not None:
        assert at <= len(rig.files.upload.data) <= at + 64 * KIB


def test_h11_waits_to_be_told(rig: TransferRig) -> None:
    held: list[ToyUpload] = []

    class Held(ToyUpload):
        def prepare(self, ready: Any, done: Any) -> None:
            self.ready, self.done = ready, done
            held.append(self)

    rig.files.make_upload = Held
    context = ssl.create_default_context(cafile=rig.certs / "ca.pem")
    with secure_socket(context, ("127.0.0.1", rig.port)) as sock:
        client = h11.Connection(h11.CLIENT)
        for body in (b"x" * 100_000, b"y" * 10):
            headers = [("Host", "localhost"), ("Content-Length", str(len(body))), ("Expect", "100-continue")]
            sock.sendall(client.send(h11.Request(method="PUT", target="/files/a", headers=headers)) or b"")
            rig.wait_for(lambda: bool(held))
            rig.ask(held.pop().ready)
            assert isinstance(_event(client, sock), h11.InformationalResponse)
            sock.sendall(client.send(h11.Data(body)) or b"")
            client.send(h11.EndOfMessage())
            answer = _event(client, sock)
            assert isinstance(answer, h11.Response)
            assert answer.status_code == 201
            while not isinstance(_event(client, sock), h11.EndOfMessage):
                pass
            client.start_next_cycle()
            assert rig.files.upload.data == body


def _event(client: h11.Connection, sock: socket.socket) -> Any:
    while (event := client.next_event()) is h11.NEED_DATA:
        client.receive_data(sock.recv(65_536))
    return event


def test_h11_is_refused_after_no_byte(rig: TransferRig) -> None:
    context = ssl.create_default_context(cafile=rig.certs / "ca.pem")
    with secure_socket(context, ("127.0.0.1", rig.port)) as sock:
        client = h11.Connection(h11.CLIENT)
        headers = [("Host", "localhost"), ("Content-Length", str(SIZE + 1)), ("Expect", "100-continue")]
        sock.sendall(client.send(h11.Request(method="PUT", target="/files/a", headers=headers)) or b"")
        answer = _event(client, sock)
        assert isinstance(answer, h11.Response)
        assert answer.status_code == 413
    assert not rig.files.uploads


@needs_curl
def test_curl_downloads_and_goes_on(rig: TransferRig, tmp_path: Path) -> None:
    path, size = tmp_path / "a", 3 * MIB
    whole = toy_bytes(0, size)
    assert curl(rig, "-o", path, f"{rig.url}/files/{size}")[0] == 0
    assert path.read_bytes() == whole
    path.write_bytes(whole[: size // 3])
    assert curl(rig, "-C", "-", "-o", path, f"{rig.url}/files/{size}") == (0, " 206 0")
    assert path.read_bytes() == whole
    assert curl(rig, "-r", "-10", "-o", path, f"{rig.url}/files/{size}") == (0, " 206 0")
    assert path.read_bytes() == whole[-10:]
    assert curl(rig, "-r", "0-1,5-6", "-o", path, f"{rig.url}/files/{size}") == (0, " 200 0")
    assert path.read_bytes() == whole
    status, said = curl(rig, "-I", f"{rig.url}/files/{size}")
    assert (status, f"Content-Length: {size}" in said) == (0, True)
    assert all(source.closed == 1 for source in rig.files.sources)


@needs_curl
def test_curl_notices_that_the_end_is_missing(rig: TransferRig, tmp_path: Path) -> None:
    make = rig.files.make_source

    def failing(size: int) -> Any:
        source = make(size)
        source.fails_at = MIB
        return source

    rig.files.make_source = failing
    status, _ = curl(rig, "-o", tmp_path / "a", f"{rig.url}/files/{3 * MIB}")
    assert status == 18  # CURLE_PARTIAL_FILE
    came = (tmp_path / "a").read_bytes()
    assert came == toy_bytes(0, len(came))
    assert MIB - OUTBOX_BYTES < len(came) <= MIB


def test_a_client_that_leaves_half_way_abandons(rig: TransferRig) -> None:
    context = ssl.create_default_context(cafile=rig.certs / "ca.pem")
    sock = secure_socket(context, ("127.0.0.1", rig.port))
    sock.sendall(b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
    rig.wait_for(lambda: bool(rig.files.uploads) and rig.files.upload.data == b"abc")
    sock.close()
    rig.wait_for(lambda: rig.files.upload.calls[-1] == "abandon")


def test_what_is_not_taken_is_not_kept(rig: TransferRig, big: Path) -> None:
    """However much the client sends: one part, and what came with the head."""

    class Full(ToyUpload):
        takes = False

        def __init__(self, request: Any) -> None:
            super().__init__(request)
            self.takes = False

    rig.files.make_upload = Full
    context = ssl.create_default_context(cafile=rig.certs / "ca.pem")
    with secure_socket(context, ("127.0.0.1", rig.port)) as sock:
        sock.sendall(b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % SIZE)
        sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            sock.sendall(big.read_bytes())
        assert rig.ask(lambda: rig.loop.bytes_in) <= 65 * KIB
        assert rig.files.upload.calls == ["prepare", "take"]


# --- what they take from the others: counted in passes


class Stepped:
    """A client whose socket never blocks, between the passes of the server."""

    def __init__(self, rig: TransferRig, port: int, outgoing: bytes = b"") -> None:
        raw = socket.create_connection(("127.0.0.1", port))
        context = ssl.create_default_context(cafile=rig.certs / "ca.pem")
        self.sock = context.wrap_socket(raw, server_hostname="localhost", do_handshake_on_connect=False)
        self.sock.setblocking(False)
        self.outgoing = memoryview(outgoing)
        self.received = b""
        self.shaken = False

    def step(self) -> None:
        try:
            if not self.shaken:
                self.sock.do_handshake()
                self.shaken = True
            while self.outgoing:
                self.outgoing = self.outgoing[self.sock.send(self.outgoing[: 16 * KIB]) :]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            while self.shaken and (data := self.sock.recv(65_536)):
                self.received += data
        except ssl.SSLWantReadError:
            pass


@pytest.fixture
def clients() -> Iterator[list[Stepped]]:
    made: list[Stepped] = []
    yield made
    for client in made:
        client.sock.close()


def run(rig: TransferRig, clients: list[Stepped], until: Callable[[], bool], most: int = 20_000) -> int:
    """Run passes until something is so; returns how many it took."""
    for count in range(most):
        if until():
            return count
        for client in clients:
            client.step()
        rig.loop.run_pass(0.001)
    raise AssertionError("it never came true")


@pytest.mark.parametrize("kind", ["uploads", "downloads"])
@pytest.mark.parametrize("count", [8, 24])
def test_transfers_take_turns_and_a_session_does_not_wait(
    stepped: TransferRig, clients: list[Stepped], kind: str, count: int
) -> None:
    rig, size = stepped, 2 * MIB
    session = Stepped(rig, rig.echo_port)
    clients.append(session)
    run(rig, clients, lambda: session.shaken)
    request = b"GET /files/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % size
    if kind == "uploads":
        head = b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size
        request = head + toy_bytes(0, 32 * KIB) * (size // (32 * KIB))
    clients += [Stepped(rig, rig.port, request) for _ in range(count)]

    downloads: dict[HttpConnection, Download] = {}

    def moved() -> list[int]:
        if kind == "uploads":
            return [len(upload.data) for upload in rig.files.uploads]
        for connection in rig.connections:
            if connection._download is not None:
                downloads[connection] = connection._download
        return [download._written_bytes for download in downloads.values()]

    run(rig, clients, lambda: len(moved()) == count)
    slowest, answered, before, busy = 0, 0, moved(), 0
    while min(before) < size:
        session.outgoing = memoryview(b"?")
        session.received = b""
        for passes in range(1, 20):
            for client in clients:
                client.step()
            rig.loop.run_pass(0.001)
            now = moved()
            gained = [new - old for new, old in zip(now, before, strict=True)]
            before = now
            assert sum(gained) <= LIMITS.transfers_per_pass_bytes
            busy += sum(gained) > LIMITS.transfers_per_pass_bytes // 2
            session.step()
            if session.received:
                slowest = max(slowest, passes)
                answered += 1
                break
    assert slowest == 1, "read, answered and sent in the pass that it came in"
    assert answered > 50
    assert busy > 20, "they did move at full speed meanwhile"
    if count == 24:
        assert max(before) - min(before) <= 4 * LIMITS.transfer_turn_bytes, "no one is served before others"


def test_nothing_waits_for_nothing(stepped: TransferRig, clients: list[Stepped]) -> None:
    """Transfers that stand still cost no pass: a client that sends nothing, one that takes nothing, a full sink."""
    rig = stepped
    head = b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    clients.append(Stepped(rig, rig.port, head + b"x" * 1000))
    run(rig, clients, lambda: bool(rig.files.uploads) and len(rig.files.upload.data) == 1000)
    full = rig.files.make_upload

    def make(request: Any) -> ToyUpload:
        upload = full(request)
        upload.takes = False
        return upload

    rig.files.make_upload = make
    clients.append(Stepped(rig, rig.port, head + b"x" * 1000))
    run(rig, clients, lambda: len(rig.files.uploads) == 2 and bool(rig.files.upload.data))
    clients.append(Stepped(rig, rig.port, b"GET /files/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % (20 * MIB)))
    run(rig, clients, lambda: bool(rig.files.sources))
    reads = -1
    while reads != len(rig.files.source.reads):  # until the kernel has as much as it takes
        reads = len(rig.files.source.reads)
        for _ in range(50):
            rig.loop.run_pass(0)
    assert rig.loop._patience(None) not in (0, 0.0), "the loop waits for the selector"
    assert rig.files.source.closed == 0
