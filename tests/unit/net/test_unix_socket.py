"""Lines over a unix-domain socket: who may open it, what a peer may cost, and what happens to an old file."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("no unix-domain sockets in Python on Windows", allow_module_level=True)

from securechat.containment import Failure
from securechat.limits import Limits
from securechat.net import unix_socket
from securechat.net.loop import Loop
from securechat.net.unix_socket import (
    UnixLineConnection,
    UnixLineListener,
    UnixSocketUnavailable,
    connect_unix,
)
from tests.unit.net.conftest import PATIENCE_S, Clock


class Echo:
    """Says every line back; tests replace ``on_line`` to be slower."""

    def __init__(self, connection: UnixLineConnection) -> None:
        self.connection = connection
        self.lines: list[bytes] = []
        self.lost = 0
        self.on_line: Callable[[bytes], None] = self.echo
        connection.start(self)

    def echo(self, line: bytes) -> None:
        self.connection.write(line + b"\n")
        self.connection.next_line()

    def line_received(self, line: bytes) -> None:
        self.lines.append(line)
        self.on_line(line)

    def line_too_long(self) -> None:
        self.connection.write(b"too long\n")
        self.connection.close()

    def failed(self) -> None:
        self.connection.write(b"sorry\n")
        self.connection.close()

    def connection_lost(self) -> None:
        self.lost += 1


class Bench:
    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.loop = Loop(Limits(), clock=self.clock)
        self.path = directory / "admin.sock"
        self.echoes: list[Echo] = []
        try:
            self.listener = UnixLineListener(self.loop, self.path, self.connected, full=b"full\n")
        except UnixSocketUnavailable:
            self.loop.close()
            raise
        self.clients: list[socket.socket] = []

    def connected(self, connection: UnixLineConnection) -> None:
        self.echoes.append(Echo(connection))

    def client(self) -> socket.socket:
        sock = connect_unix(self.path, PATIENCE_S)
        sock.setblocking(False)
        self.clients.append(sock)
        return sock

    def met(self) -> tuple[socket.socket, Echo]:
        before = len(self.echoes)
        sock = self.client()
        self.until(lambda: len(self.echoes) > before)
        return sock, self.echoes[-1]

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(20_000):
            if condition():
                return
            self.loop.run_pass(0.001)
        raise AssertionError("the condition never came true")

    def read(self, sock: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
        """Read until ``enough``, or the end."""
        got = bytearray()

        def more() -> bool:
            try:
                data = sock.recv(1 << 20)
            except BlockingIOError:
                return False
            got.extend(data)
            return not data or enough(bytes(got))

        self.until(more)
        return bytes(got)

    def close(self) -> None:
        self.listener.close()
        self.loop.close()
        for client in self.clients:
            client.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_lines_go_in_and_out_whole_and_in_pieces(bench: Bench) -> None:
    sock, echo = bench.met()
    sock.send(b"one\ntw")
    assert bench.read(sock, lambda got: b"\n" in got) == b"one\n"
    sock.send(b"o\nthree\n")
    assert bench.read(sock, lambda got: got.count(b"\n") == 2) == b"two\nthree\n"
    assert echo.lines == [b"one", b"two", b"three"]
    sock.close()
    bench.until(lambda: echo.lost)
    assert echo.lost == 1


def test_a_flood_of_empty_lines_is_no_recursion(bench: Bench) -> None:
    sock, echo = bench.met()
    sock.send(b"\n" * 20_000)
    assert len(bench.read(sock, lambda got: len(got) == 20_000)) == 20_000
    assert len(echo.lines) == 20_000


def test_the_next_line_waits_until_it_is_asked_for(bench: Bench) -> None:
    sock, echo = bench.met()
    echo.on_line = lambda line: None
    sock.send(b"one\ntwo\n")
    bench.until(lambda: echo.lines)
    bench.loop.run_pass(0)
    assert echo.lines == [b"one"]
    echo.connection.next_line()
    assert echo.lines == [b"one", b"two"]


def test_a_peer_that_says_no_more_still_gets_its_answer(bench: Bench) -> None:
    sock, echo = bench.met()
    echo.on_line = lambda line: None
    sock.send(b"one\n")
    sock.shutdown(socket.SHUT_WR)
    bench.until(lambda: echo.lines)
    for _ in range(5):
        bench.loop.run_pass(0)
    assert not echo.lost
    echo.echo(b"answer")
    assert bench.read(sock, lambda _: False) == b"answer\n"
    assert echo.lost == 1


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_line_that_is_too_long_ends_the_connection_with_a_word(bench: Bench, ending: bytes) -> None:
    sock, _ = bench.met()
    data = memoryview(b"x" * (unix_socket.LINE_BYTES + 1) + ending)

    def sent() -> bool:
        nonlocal data
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return not data

    bench.until(sent)
    assert bench.read(sock, lambda _: False) == b"too long\n"


def test_the_longest_line_is_taken(bench: Bench) -> None:
    sock, _ = bench.met()
    line = b"x" * unix_socket.LINE_BYTES
    sock.setblocking(True)
    sock.settimeout(PATIENCE_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * unix_socket.LINE_BYTES)
    sock.sendall(line + b"\n")
    sock.setblocking(False)
    assert bench.read(sock, lambda got: got.endswith(b"\n")) == line + b"\n"


def test_a_long_answer_is_pulled_only_as_the_peer_takes_it(bench: Bench) -> None:
    sock, echo = bench.met()
    pulled = 0

    def answer() -> Iterator[bytes]:
        nonlocal pulled
        for _ in range(20_000):
            pulled += 1
            yield b"x" * 999 + b"\n"

    def on_line(line: bytes) -> None:
        echo.connection.write_from(answer())
        echo.connection.next_line()

    echo.on_line = on_line
    sock.send(b"go\n")
    bench.until(lambda: pulled)
    for _ in range(50):
        bench.loop.run_pass(0)
    assert pulled < 2_000  # what two kernel buffers and the outbox hold
    assert len(bench.read(sock, lambda got: len(got) == 20_000_000)) == 20_000_000


def test_an_answer_is_pulled_a_few_lines_a_pass(bench: Bench) -> None:
    """What makes the lines of a long answer takes time, and others are served between two stretches of it."""
    sock, echo = bench.met()
    pulled = 0

    def answer() -> Iterator[bytes]:
        nonlocal pulled
        for _ in range(1_000):
            pulled += 1
            yield b"x\n"

    def on_line(line: bytes) -> None:
        echo.connection.write_from(answer())
        echo.connection.next_line()

    echo.on_line = on_line
    sock.send(b"go\n")
    most = before = 0
    while pulled < 1_000:
        bench.loop.run_pass(0.1)
        most, before = max(most, pulled - before), pulled
    assert most <= unix_socket.LINES_PER_PASS
    assert len(bench.read(sock, lambda got: len(got) == 2_000)) == 2_000


def test_who_takes_nothing_is_put_out_and_another_is_served_meanwhile(bench: Bench) -> None:
    _, stalled = bench.met()
    stalled.connection.write_from(iter(lambda: b"x" * 1000, b""))
    for _ in range(100):  # until the kernel's buffers are full
        stalled.connection.write(b"x")
        bench.loop.run_pass(0)
    other, _ = bench.met()
    other.send(b"hello\n")
    assert bench.read(other, lambda got: b"\n" in got) == b"hello\n"
    assert not stalled.lost
    bench.clock.now += unix_socket.STALL_S - 1
    stalled.connection.write(b"progress changes nothing\n")
    bench.loop.run_pass(0)
    bench.clock.now += 2
    bench.until(lambda: stalled.lost)


def test_who_says_nothing_or_drips_is_put_out(bench: Bench) -> None:
    sock, echo = bench.met()
    bench.clock.now += unix_socket.IDLE_S - 1
    sock.send(b"a")
    bench.loop.run_pass(0)
    bench.clock.now += 2
    bench.until(lambda: echo.lost)


def test_who_waits_for_an_answer_is_not_put_out(bench: Bench) -> None:
    sock, echo = bench.met()
    echo.on_line = lambda line: None
    sock.send(b"a long one\n")
    bench.until(lambda: echo.lines)
    bench.clock.now += 10 * unix_socket.IDLE_S
    bench.loop.run_pass(0)
    echo.echo(b"done")
    assert bench.read(sock, lambda got: b"\n" in got) == b"done\n"


def test_one_too_many_is_told_so(bench: Bench) -> None:
    met = [bench.met() for _ in range(unix_socket.CONNECTIONS)]
    late = bench.client()
    assert bench.read(late, lambda _: False) == b"full\n"
    met[0][0].close()
    bench.until(lambda: met[0][1].lost)
    bench.met()


def test_the_socket_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        bench = Bench(tmp_path)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(bench.path.lstat().st_mode) == 0o600
    bench.close()
    assert not bench.path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_the_kernel_says_who_connected(bench: Bench) -> None:
    assert bench.met()[1].connection.uid == os.getuid()


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "admin.sock"))
    left.close()
    bench = Bench(tmp_path)
    bench.met()
    bench.close()


def test_the_socket_of_a_living_server_is_not(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(UnixSocketUnavailable, match="another server listens"):
        Bench(tmp_path)
    bench.met()


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "admin.sock").write_text("mine")
    with pytest.raises(UnixSocketUnavailable, match="in the way"):
        Bench(tmp_path)
    assert (tmp_path / "admin.sock").read_text() == "mine"


def test_closing_does_not_remove_what_another_server_put_there(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.path.unlink()
    second = Bench(tmp_path)
    first.close()
    second.met()
    second.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no way around the length")
def test_a_path_that_is_too_long_is_reached_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    bench = Bench(deep)
    sock, _ = bench.met()
    sock.send(b"hello\n")
    assert bench.read(sock, lambda got: b"\n" in got) == b"hello\n"
    bench.close()
    assert not bench.path.exists()


def test_where_there_is_no_way_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(UnixSocketUnavailable, match="shorter path"):
        patch.setattr(unix_socket.sys, "platform", "darwin")
        connect_unix(tmp_path / ("d" * 200) / "admin.sock", 1.0)


def test_an_error_of_a_handler_costs_its_connection_alone(tmp_path: Path) -> None:
    errors: list[Failure] = []
    bench = Bench(tmp_path)
    bench.loop.containment._on_failure = errors.append
    sock, echo = bench.met()

    def fail(line: bytes) -> None:
        raise ValueError("a bug")

    echo.on_line = fail
    sock.send(b"x\n")
    bench.until(lambda: echo.lost)
    assert [failure.kind for failure in errors] == ["read"]
    assert "operator's tool" in errors[0].owner
    assert bench.read(sock, lambda got: b"\n" in got) == b"sorry\n"
    other, _ = bench.met()
    other.send(b"hello\n")
    assert bench.read(other, lambda got: b"\n" in got) == b"hello\n"
    bench.close()
