"""Behaviour 8: garbage, lies, half of everything, silence: the offender alone is closed, and hears why where it can."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.errors import ErrorCode
from securechat.model import Acked, Hello, Message, Ping, Pong, Refused, Say
from securechat.wire.frames import frame
from tests.e2e.conftest import Connect
from tests.support.native import NativeClient
from tests.support.secure_socket import secure_socket
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

SHORT = ("--limit", "handshake_timeout_s=1", "--limit", "hello_timeout_s=1.5", "--limit", "web_headers_s=1")
"""Deadlines that a test can wait for; the condition is the server's reaction, never the clock."""


@pytest.fixture
def strict_server(certs: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(certs, tmp_path / "data", *SHORT).start() as process:
        yield process


@pytest.fixture
def witness(strict_server: ServerProcess, connect: Connect) -> Iterator[Callable[[], None]]:
    """An honest member; calling it shows that the server serves it as if nothing had happened."""
    member = connect(strict_server, "witness")

    def still_served() -> None:
        acked = member.say_acked("still here")
        member.wait_for(Message, lambda message: message.seq == acked.seq)

    yield still_served
    still_served()


def test_8_garbage_is_closed_with_bad_frame(strict_server: ServerProcess, connect: Connect, witness: object) -> None:
    client = connect(strict_server)
    client.send_raw(frame(b"\x00\xff this is not JSON"))
    assert client.last_words().code is ErrorCode.BAD_FRAME
    strict_server.wait_for_event("disconnected", reason="bad_frame")


def test_8_a_4_gib_length_is_refused_from_the_header_alone(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    client = connect(strict_server, "liar")
    client.send_raw(struct.pack(">I", 0xFFFFFFFF))
    assert client.last_words().code is ErrorCode.FRAME_TOO_LARGE
    stranger = connect(strict_server)
    stranger.send_raw(struct.pack(">I", 4 * 1024 + 1))  # allowed after the hello, not before
    assert stranger.last_words().code is ErrorCode.FRAME_TOO_LARGE


def test_8_the_last_words_are_heard_although_the_client_was_still_sending(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    client = connect(strict_server)
    client.send_raw(struct.pack(">I", 0) + b"x" * 50_000)  # unread input must not turn the close into a reset
    assert client.last_words().code is ErrorCode.BAD_FRAME


def test_8_half_a_hello_of_tls_is_closed_at_its_deadline(strict_server: ServerProcess, witness: object) -> None:
    with socket.create_connection(("127.0.0.1", strict_server.port)) as raw:
        raw.sendall(b"\x16\x03\x01")
        raw.settimeout(PATIENCE_S)
        assert raw.recv(100) == b""
    strict_server.wait_for_event("refused", reason="silent")


def test_8_half_a_handshake_is_closed_at_its_deadline(strict_server: ServerProcess, witness: object) -> None:
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    with socket.create_connection(("127.0.0.1", strict_server.port)) as raw:
        raw.sendall(outgoing.read())
        raw.settimeout(PATIENCE_S)
        while raw.recv(10_000):
            pass
    strict_server.wait_for_event("disconnected", reason="handshake_timeout")


def test_8_half_a_frame_is_closed_at_the_hello_deadline(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    client = connect(strict_server)
    client.send_raw(struct.pack(">I", 100) + b'{"t":"hel')
    assert client.last_words().code is ErrorCode.HELLO_TIMEOUT


def test_8_saying_nothing_is_closed_at_the_hello_deadline(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    assert connect(strict_server).last_words().code is ErrorCode.HELLO_TIMEOUT


def test_8_nothing_but_tcp_is_closed(strict_server: ServerProcess, witness: object) -> None:
    with socket.create_connection(("127.0.0.1", strict_server.port)) as raw:
        raw.settimeout(PATIENCE_S)
        assert raw.recv(1) == b""


def test_8_plain_http_gets_no_echo_and_is_closed(strict_server: ServerProcess, witness: object) -> None:
    with socket.create_connection(("127.0.0.1", strict_server.port)) as raw:
        raw.sendall(b"GET /secret-path HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.settimeout(PATIENCE_S)
        answer = b""
        while data := raw.recv(1000):
            answer += data
    assert b"secret-path" not in answer


@pytest.mark.parametrize("alpn", [None, "h2"])
def test_8_tls_without_our_protocol_is_told_so(strict_server: ServerProcess, witness: object, alpn: str | None) -> None:
    context = ssl.create_default_context(cafile=str(strict_server.ca))
    if alpn:
        context.set_alpn_protocols([alpn])
    with secure_socket(context, ("127.0.0.1", strict_server.port)) as tls:
        answer = b""
        while data := tls.recv(1000):
            answer += data
    assert b"securechat/1" in answer


@pytest.mark.parametrize(
    "body", [b'{"t":"say","cid":1,"room":"lobby","text":"x"}', b'{"t":"join","ref":1,"rooms":["a"]}']
)
def test_8_a_client_that_does_not_begin_with_hello_is_closed(
    strict_server: ServerProcess, connect: Connect, witness: object, body: bytes
) -> None:
    client = connect(strict_server)
    client.send_raw(frame(body))
    assert client.last_words().code is ErrorCode.HELLO_EXPECTED


def test_8_a_stranger_cannot_flood_with_pings(strict_server: ServerProcess, connect: Connect, witness: object) -> None:
    client = connect(strict_server)
    client.send(*[Ping(n) for n in range(100)])
    assert client.last_words().code is ErrorCode.HELLO_EXPECTED
    assert len([event for event in client.events if isinstance(event, Pong)]) < 100


def test_8_an_unknown_type_is_refused_politely_and_unknown_fields_are_ignored(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    client = connect(strict_server, "newer")
    client.send_raw(frame(b'{"t":"teleport","ref":9,"to":"moon"}'))
    refused = client.wait_for(Refused)
    assert (refused.code, refused.ref) == (ErrorCode.UNKNOWN_TYPE, 9)
    client.send_raw(frame(b'{"t":"say","cid":1,"room":"lobby","text":"hi","sparkle":true}'))
    client.wait_for(Acked)


def test_8_a_wrong_version_is_told_which_one_is_spoken(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    client = connect(strict_server)
    client.send(Hello(version=2, name="future", secret=client.secret))
    closing = client.last_words()
    assert closing.code is ErrorCode.UNSUPPORTED_VERSION
    assert "version 1" in closing.text


def test_8_too_long_and_empty_texts_are_refused_and_cost_nobody_anything(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    client = connect(strict_server, "talker")
    for text, code in (("x" * 4001, ErrorCode.TEXT_TOO_LONG), (" \n", ErrorCode.TEXT_EMPTY)):
        client_id = client.say(text)
        assert client.wait_for(Refused, lambda r, c=client_id: r.client_id == c).code is code
    client.say_acked("𝄞" * 4000)


@pytest.mark.cold  # what a warm program has of its own is not all that is counted as its memory
@pytest.mark.slow
def test_8_a_client_that_never_reads_is_closed_alone_and_memory_stays_bounded(
    certs: Path, tmp_path: Path, connect: Connect
) -> None:
    flags = ["--rate-limit", "off", "--limit", "outbox_hard_bytes=400000", "--limit", "outbox_soft_bytes=200000"]
    flags += ["--limit", "lingering_close_s=30", "--limit", "drain_s=30"]  # so that it can hear the last words
    flags += ["--web", "off"]  # what the page needs is loaded after the start, and is not what is measured here
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        sleeper = NativeClient(server.port, server.ca, rcvbuf=4096)
        sleeper.hello("sleeper")
        talker, listener = connect(server, "talker"), connect(server, "listener")
        before = _rss_kib(server)
        sent = 600  # 2.1 MB: the outbox and both kernels' buffers hold about 0.8 MB
        for _ in range(sent):
            talker.say_acked("y" * 3500)
            listener.pump(0)
        final = talker.say_acked("after")
        listener.wait_for(Message, lambda message: message.seq == final.seq)
        assert len(listener.messages()) == sent + 1  # the others noticed nothing
        assert _rss_kib(server) - before < 20_000
        closing = sleeper.last_words()
        assert closing.code is ErrorCode.SLOW_READER
        assert closing.resume_after is not None
        seen = [message.seq for message in sleeper.messages()]
        back = NativeClient(server.port, server.ca, secret=sleeper.secret)
        back.hello("sleeper")
        missed = [message.seq for message in back.history(after=seen[-1])]
        assert seen + missed == [message.seq for message in listener.messages()]
        back.close()


def test_8_three_hundred_half_handshakes_do_not_keep_a_good_client_out(
    strict_server: ServerProcess, connect: Connect, witness: object
) -> None:
    raws = [socket.create_connection(("127.0.0.1", strict_server.port)) for _ in range(300)]
    try:
        for raw in raws:
            raw.sendall(b"\x16\x03\x01")
        connect(strict_server, "good").say_acked("made it")
        for raw in raws:
            raw.settimeout(PATIENCE_S)
            assert raw.recv(10) == b""
    finally:
        for raw in raws:
            raw.close()


def test_8_a_pipelining_sender_is_held_at_its_unacknowledged_drafts_and_loses_nothing(
    certs: Path, tmp_path: Path, connect: Connect
) -> None:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        client = connect(server, "fast")
        client.send(*[Say(client_id, "lobby", f"{client_id}") for client_id in range(1, 1001)])
        client.wait_for(Acked, lambda acked: acked.client_id == 1000)
        client.wait_for_text("1000")
        assert [message.text for message in client.messages()] == [str(n) for n in range(1, 1001)]


def _rss_kib(server: ServerProcess) -> int:
    status = Path(f"/proc/{server.pid}/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    return int(wait_until(lambda: status.read_text().split("VmRSS:")[1].split()[0], "VmRSS"))
