from __future__ import annotations

import gzip
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from securechat.model import Message
from securechat.server.outgoing.attempt import MOST_ANSWER_BYTES, Attempt, AttemptPhase
from securechat.server.outgoing.connection import MOST_TRIED, connected
from securechat.server.outgoing.destinations import Destination
from securechat.server.outgoing.networks import NetworkPolicy, parse_networks
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Gone, Outcome, ReplyProblem
from securechat.server.outgoing.payload import payload_of
from securechat.server.outgoing.resolver import MOST_LOOKUPS, Resolver
from securechat.server.outgoing.sender import OutgoingRequest, OutgoingSettings, WebhookSender
from securechat.server.outgoing.signature import WebhookSecret
from tests.support.receiver import (
    PATIENCE_S,
    Answer,
    Authority,
    Receiver,
    answering,
    closed_port,
    json_answer,
    silent_server,
)

from .conftest import Start

SECRET, OLD_SECRET = WebhookSecret(bytes(range(32))), WebhookSecret(bytes(range(1, 25)))
LOOPBACK = NetworkPolicy(parse_networks(["127.0.0.0/8"]))
BODY = payload_of(Message(41, 40, 7, "Ana", 1_796_000_000_123, "!deploy", room="ops"), bot=False)
NAME = "ci.lan"
PATH = "/services/TOKEN-IN-PATH?k=TOKEN-IN-QUERY"
SHORT_S = 1.0
"""The limit of attempts that reach it; connecting and the handshake take some 5 ms of it."""


def resolving(*addresses: str) -> Resolver:
    """A resolver that knows one name."""
    asked: list[str] = []

    def lookup(host: str, _port: None, **_options: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        if host != NAME:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in addresses]

    return Resolver(lookup)


def sender(authority: Authority, *addresses: str, policy: NetworkPolicy = LOOPBACK) -> WebhookSender:
    return WebhookSender(OutgoingSettings(policy, authority.pem), resolving(*addresses or ("127.0.0.1",)))


def request(port: int, host: str = NAME, *, encrypted: bool = True) -> OutgoingRequest:
    return OutgoingRequest(Destination(encrypted, host, port, PATH), "msg_1", BODY, (SECRET, OLD_SECRET))


def sent(sender_: WebhookSender, asked: OutgoingRequest, limit_s: float = PATIENCE_S) -> Outcome:
    outcome = sender_.send(asked, Attempt(limit_s=limit_s))
    assert "TOKEN-IN" not in repr((outcome, asked))
    return outcome


@pytest.fixture
def secure(authority: Authority, start: Start) -> Callable[[Callable[[Any], None] | str], Receiver]:
    return lambda behave: start(behave, authority.context(NAME))


Secure = Callable[[Callable[[Any], None] | str], Receiver]


# --- What a receiver gets


@pytest.mark.parametrize("encrypted", [True, False], ids=["https", "http"])
def test_a_receiver_gets_a_signed_message(authority: Authority, start: Start, encrypted: bool) -> None:
    receiver = start(answering(Answer()), authority.context(NAME) if encrypted else None)
    assert sent(sender(authority), request(receiver.port, encrypted=encrypted)) == Delivered()
    got = receiver.received.get(timeout=PATIENCE_S)
    assert (got.method, got.target, got.body) == ("POST", PATH, BODY)
    assert got.server_name == (NAME if encrypted else None)
    assert got.headers["host"] == f"{NAME}:{receiver.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["accept-encoding"] == "identity"
    assert got.headers["user-agent"].startswith("securechat/")
    assert got.headers["webhook-id"] == "msg_1"
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < PATIENCE_S
    for secret in (SECRET, OLD_SECRET):
        verified = Webhook(secret.revealed()).verify(got.body, got.headers)
        assert verified["data"]["text"] == "!deploy"
    assert set(got.headers) == {
        "host", "content-length", "user-agent", "content-type", "accept", "accept-encoding", "connection",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip


def test_a_receiver_with_an_address_for_a_name_is_verified_by_it(authority: Authority, start: Start) -> None:
    receiver = start(answering(Answer()), authority.context("127.0.0.1"))
    assert sent(sender(authority), request(receiver.port, "127.0.0.1")) == Delivered()
    assert receiver.received.get(timeout=PATIENCE_S).server_name is None, "no address is a server name (RFC 6066)"


def test_a_receiver_that_speaks_tls12_alone_is_reached(authority: Authority, start: Start) -> None:
    context = authority.context(NAME, tls12=True)
    context.maximum_version = context.minimum_version
    receiver = start(answering(Answer()), context)
    assert sent(sender(authority), request(receiver.port)) == Delivered()


# --- What it answers


GZIP = {"content-encoding": "gzip"}
REPLIES: list[tuple[Answer, Delivered]] = [
    (json_answer(b'{"text": "done"}'), Delivered("done")),
    (json_answer('{"text": "größe 😀\\n\\u0000"}'.encode()), Delivered("größe 😀\n\x00")),
    (Answer(201, b'{"text":"x","more":[1]}', {"content-type": "Application/JSON; charset=utf-8"}), Delivered("x")),
    (json_answer(b"{}"), Delivered()),
    (json_answer(b'{"text": null}'), Delivered()),
    (json_answer(b'{"text": " \\n"}'), Delivered()),
    (Answer(204), Delivered()),
    (Answer(200, b"ok", {"content-type": "text/plain"}), Delivered()),
    (Answer(200, b'{"text": "done"}', {"content-type": "text/json"}), Delivered()),
    (Answer(200, b'{"text": "done"}'), Delivered()),
    (json_answer(b""), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(b"[]"), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(b'{"text": 1}'), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(b'{"text": "a'), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(b'{"text": "\xff"}'), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(b'{"text": "\\ud800"}'), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(b'{"text": NaN}'), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(b'{"a":' + b"[" * 60_000 + b"}"), Delivered(problem=ReplyProblem.INVALID)),
    (json_answer(json.dumps({"text": "x" * 16_000}).encode()), Delivered("x" * 16_000)),
    (json_answer(json.dumps({"text": "x" * 16_001}).encode()), Delivered(problem=ReplyProblem.TOO_LONG)),
    (json_answer(b'{"text":"x"}' + b" " * (MOST_ANSWER_BYTES - 12)), Delivered("x")),
    (json_answer(b'{"text":"x"}' + b" " * (MOST_ANSWER_BYTES - 11)), Delivered(problem=ReplyProblem.TOO_LONG)),
    (json_answer(gzip.compress(b'{"text":"x"}', mtime=0), **GZIP), Delivered(problem=ReplyProblem.ENCODED)),
    (json_answer(gzip.compress(bytes(50_000_000), mtime=0), **GZIP), Delivered(problem=ReplyProblem.ENCODED)),
    (json_answer(b'{"text":"x"}', **{"content-length": "13"}), Delivered(problem=ReplyProblem.CUT)),
    (Answer(410), Gone()),  # type: ignore[list-item]
]  # fmt: skip


@pytest.mark.parametrize(("answer", "wanted"), REPLIES, ids=lambda each: repr(each)[:60])
def test_an_answer_becomes_an_outcome(authority: Authority, secure: Secure, answer: Answer, wanted: Outcome) -> None:
    receiver = secure(answering(answer))
    assert sent(sender(authority), request(receiver.port)) == wanted


CUT = Delivered(problem=ReplyProblem.CUT)


def chunked(*pieces: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (chunked(b'{"text":', b'"x"}'), Delivered("x")),
        (chunked(b'{"text":', b'"x"}')[:-9], CUT),
        (chunked(b'{"text":"x"}', *[b" "] * MOST_ANSWER_BYTES), Delivered(problem=ReplyProblem.TOO_LONG)),
        (b'HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{"text":"x"}', Delivered("x")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + Answer().bytes, Delivered()),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, Failed),
        (b"HTTP/1.1 102 Processing\r\n\r\n" + Answer().bytes, Delivered()),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 3 + json_answer(b'{"text":"x"}').bytes, Delivered("x")),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000, DeliveryProblem.MALFORMED),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 21 + Answer().bytes, DeliveryProblem.MALFORMED),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", DeliveryProblem.CUT),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + Answer(503).bytes, DeliveryProblem.STATUS),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + Answer().bytes, DeliveryProblem.STATUS),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", CUT),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", CUT),
        (b"HTTP/1.1 200 OK\r\n" + (b"x: " + b"y" * 60_000 + b"\r\n") * 50, Delivered(problem=ReplyProblem.TOO_LONG)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello", CUT),
        (b"HTTP/1.1 200 OK\r\n", Delivered()),  # as if an empty line had come
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, CUT),
        (b"HTTP/1.1 500 Why\r\nx: " + b"y" * 100_000, DeliveryProblem.MALFORMED),
        (b"HTTP/2.0 200 OK\r\n\r\n", DeliveryProblem.MALFORMED),
        (chunked()[:-5] + b"-5\r\nhello\r\n0\r\n\r\n", CUT),
        (chunked()[:-5] + b"five\r\nhello\r\n0\r\n\r\n", CUT),
        (b"SSH-2.0-OpenSSH\r\n", DeliveryProblem.MALFORMED),
        (b"HTTP/1.1 abc\r\n\r\n", DeliveryProblem.MALFORMED),
        (b"\0" * 1_000, DeliveryProblem.MALFORMED),
        (b"", DeliveryProblem.CUT),
        (b"HTTP/1.1 2", DeliveryProblem.MALFORMED),
    ],
    ids=lambda each: repr(each)[:60],
)
def test_whatever_is_answered_has_an_outcome(authority: Authority, secure: Secure, written: bytes, wanted: Any) -> None:
    outcome = sent(sender(authority), request(secure(answering(written)).port))
    if isinstance(wanted, DeliveryProblem):
        assert isinstance(outcome, Failed)
        assert outcome.problem is wanted
    elif wanted is Failed:
        assert isinstance(outcome, Failed)
    else:
        assert outcome == wanted


@pytest.mark.parametrize(
    ("status", "header", "retry_after_s"),
    [
        (400, "", None),
        (404, "", None),
        (429, "120", 120.0),
        (429, "0", 0.0),
        (503, " 7 ", 7.0),
        (503, "-5", None),
        (503, "soon", None),
        (503, "1e9", None),
        (503, "9" * 400, 604_800.0),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", 604_800.0),
        (503, "Fri, 99 Dec 9999 23:59:59 GMT", None),
        (500, "60", 60.0),
        (101, "", None),
    ],
)
def test_another_status_is_a_failure(
    authority: Authority, secure: Secure, status: int, header: str, retry_after_s: float | None
) -> None:
    receiver = secure(answering(Answer(status, b"no", {"retry-after": header} if header else {})))
    outcome = sent(sender(authority), request(receiver.port))
    wanted = Failed(DeliveryProblem.STATUS, f"the receiver answered {status}", status, retry_after_s)
    assert outcome == wanted


def test_retry_after_as_a_date_counts_from_now(authority: Authority, secure: Secure) -> None:
    receiver = secure(answering(Answer(503, b"", {"retry-after": "Thu, 01 Jan 1970 00:10:00 GMT"})))
    made = WebhookSender(OutgoingSettings(LOOPBACK, authority.pem), resolving("127.0.0.1"), wall_s=lambda: 540.0)
    outcome = sent(made, request(receiver.port))
    assert isinstance(outcome, Failed)
    assert outcome.retry_after_s == 60.0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(authority: Authority, secure: Secure, status: int) -> None:
    other = secure(answering(Answer()))
    receiver = secure(answering(Answer(status, b"", {"location": f"https://{NAME}:{other.port}/"})))
    outcome = sent(sender(authority), request(receiver.port))
    assert isinstance(outcome, Failed)
    assert (outcome.problem, outcome.status) == (DeliveryProblem.REDIRECT, status)
    assert (receiver.count, other.count) == (1, 0)


# --- How long it takes


def trickling(receiver_over: list[Receiver], written: bytes) -> Callable[[Any], None]:
    """Write a byte every 20 ms, until the test is over."""

    def behave(handler: Any) -> None:
        for byte in written:
            handler.wfile.write(bytes([byte]))
            if receiver_over[0].over.wait(0.02):
                return

    return behave


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (b"HTTP/1.1 500 Why\r\nx: " + b"y" * 10_000, Failed(DeliveryProblem.TIMEOUT, "no answer in time")),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000, Delivered(problem=ReplyProblem.LATE)),
        (b"HTTP/1.1 103 Hints\r\n\r\n" * 1_000, Failed(DeliveryProblem.TIMEOUT, "no answer in time")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, Failed(DeliveryProblem.TIMEOUT, "no answer in time")),
    ],
    ids=["headers", "headers of a delivery", "early hints", "interim answers"],
)
def test_a_byte_now_and_then_does_not_make_an_attempt_longer(
    authority: Authority, secure: Secure, written: bytes, wanted: Outcome
) -> None:
    receivers: list[Receiver] = []
    receivers.append(secure(trickling(receivers, written)))
    began = time.monotonic()
    assert sent(sender(authority), request(receivers[0].port), SHORT_S) == wanted
    assert SHORT_S <= time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("encrypted", [True, False], ids=["https", "http"])
def test_a_body_that_trickles_makes_no_reply(authority: Authority, start: Start, encrypted: bool) -> None:
    receivers: list[Receiver] = []
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n"

    def behave(handler: Any) -> None:
        handler.wfile.write(head)
        trickling(receivers, b'{"text": "' + b"x" * 60_000)(handler)

    receivers.append(start(behave, authority.context(NAME) if encrypted else None))
    outcome = sent(sender(authority), request(receivers[0].port, encrypted=encrypted), SHORT_S)
    assert outcome == Delivered(problem=ReplyProblem.LATE)


def test_a_receiver_that_hangs_is_given_up(authority: Authority, secure: Secure) -> None:
    receiver = secure("hang")
    outcome = sent(sender(authority), request(receiver.port), SHORT_S)
    assert outcome == Failed(DeliveryProblem.TIMEOUT, "no answer in time")


def test_a_receiver_that_never_shakes_hands_is_given_up(authority: Authority) -> None:
    with silent_server() as (_listening, port):
        outcome = sent(sender(authority), request(port), SHORT_S)
    assert outcome == Failed(DeliveryProblem.TIMEOUT, "no encrypted connection in time")


def test_a_receiver_that_reads_nothing_is_given_up(authority: Authority) -> None:
    """A plain one, whose kernel takes some bytes of the body and no more."""
    with silent_server() as (_listening, port):
        asked = request(port, encrypted=False)
        long = OutgoingRequest(asked.destination, asked.delivery_id, bytes(64_000_000), asked.secrets)
        assert sent(sender(authority), long, SHORT_S) == Failed(DeliveryProblem.TIMEOUT, "no answer in time")


def test_a_resolver_that_hangs_is_given_up_and_bounded(authority: Authority) -> None:
    over = threading.Event()

    def lookup(*_args: Any, **_options: Any) -> list[tuple[Any, ...]]:
        over.wait(PATIENCE_S)
        return []

    made = WebhookSender(OutgoingSettings(LOOPBACK, authority.pem), Resolver(lookup))
    try:
        for _ in range(MOST_LOOKUPS):
            outcome = sent(made, request(1), 0.05)
            assert outcome == Failed(DeliveryProblem.NO_ADDRESS, "the name was not resolved in time")
        began = time.monotonic()
        outcome = sent(made, request(1))
        assert outcome == Failed(
            DeliveryProblem.NO_ADDRESS, f"the resolver does not answer: {MOST_LOOKUPS} lookups wait for it"
        )
        assert time.monotonic() - began < PATIENCE_S / 2
    finally:
        over.set()


@pytest.mark.parametrize("phase", [AttemptPhase.HANDSHAKE, AttemptPhase.EXCHANGE])
def test_nothing_is_sent_when_the_time_is_over(
    authority: Authority, start: Start, monkeypatch: pytest.MonkeyPatch, phase: AttemptPhase
) -> None:
    """Each step looks at the time by itself, whatever the steps before have left the socket."""
    written: list[int] = []
    send = socket.socket.send

    def noting(self: socket.socket, data: Any) -> int:
        written.append(len(data))
        return send(self, data)

    monkeypatch.setattr(socket.socket, "send", noting)
    encrypted = phase is AttemptPhase.HANDSHAKE
    receiver = start(answering(Answer()), authority.context(NAME) if encrypted else None)
    attempt = Attempt(clock=lambda: 2 * PATIENCE_S if attempt.phase is phase else 0.0, limit_s=PATIENCE_S)
    outcome = sender(authority).send(request(receiver.port, encrypted=encrypted), attempt)
    detail = "no encrypted connection in time" if encrypted else "no answer in time"
    assert outcome == Failed(DeliveryProblem.TIMEOUT, detail)
    assert written == []


# --- Where it goes


@pytest.mark.parametrize(
    ("addresses", "policy", "kind"),
    [
        (("127.0.0.1",), NetworkPolicy(), "loopback"),
        (("::ffff:127.0.0.1",), NetworkPolicy(), "loopback"),
        (("10.0.0.1", "127.0.0.1"), NetworkPolicy(parse_networks(["192.168.0.0/16"])), "private"),
        (("64:ff9b::7f00:1",), NetworkPolicy(), "loopback"),
    ],
)
def test_no_connection_to_an_address_that_is_not_allowed(
    authority: Authority, secure: Secure, addresses: tuple[str, ...], policy: NetworkPolicy, kind: str
) -> None:
    receiver = secure(answering(Answer()))
    outcome = sent(sender(authority, *addresses, policy=policy), request(receiver.port))
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.FORBIDDEN
    assert str(ip_address(addresses[0])) in outcome.detail
    assert kind in outcome.detail
    assert "webhook_networks" in outcome.detail
    assert receiver.count == 0


def test_a_destination_is_doubted_by_its_addresses_and_not_connected_to(authority: Authority) -> None:
    def doubt(*addresses: str, host: str = NAME, encrypted: bool = True, policy: NetworkPolicy = LOOPBACK) -> str:
        made = Destination(encrypted, host, closed_port(), PATH)
        said = sender(authority, *addresses, policy=policy).doubt(made, Attempt(limit_s=PATIENCE_S))
        assert "TOKEN-IN" not in said
        return said

    assert doubt("127.0.0.1") == doubt("8.8.8.8") == doubt("10.0.0.1", "127.0.0.1") == ""
    said = doubt("192.168.1.7", policy=NetworkPolicy())
    assert said.startswith("its address 192.168.1.7 is not one of the internet (private), and webhook_networks")
    assert "http:// is for networks that webhook_networks names" in doubt("8.8.8.8", encrypted=False)
    assert doubt(host="nowhere.lan") == "the name has no address"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1"])
def test_an_address_that_no_machine_has_is_said_to_be_none(authority: Authority, address: str) -> None:
    """Some filters of names answer 0.0.0.0 for those that they block."""
    assert sent(sender(authority, address), request(1)) == Failed(
        DeliveryProblem.FORBIDDEN, f"its address {address} is none that can be reached"
    )


def test_each_delivery_judges_anew(authority: Authority, secure: Secure) -> None:
    """A name that led to an allowed address may lead elsewhere a moment later (DNS rebinding)."""
    receiver = secure(answering(Answer()))
    found = iter(["127.0.0.1", "10.0.0.1"])
    resolver = Resolver(lambda *_args, **_options: [(0, 0, 0, "", (next(found), 0))])
    made = WebhookSender(OutgoingSettings(LOOPBACK, authority.pem), resolver)
    assert sent(made, request(receiver.port)) == Delivered()
    outcome = sent(made, request(receiver.port))
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.FORBIDDEN
    assert receiver.count == 1


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that connections were asked of."""
    tried: list[str] = []
    connect = socket.socket.connect

    def noting(self: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noting)
    return tried


def test_of_several_addresses_only_allowed_ones_are_tried(
    authority: Authority, secure: Secure, tried: list[str]
) -> None:
    receiver = secure(answering(Answer()))
    made = sender(authority, "10.0.0.1", "127.0.0.9", "169.254.169.254", "127.0.0.1")
    assert sent(made, request(receiver.port)) == Delivered()
    assert tried == ["127.0.0.9", "127.0.0.1"], "nothing listens at the first one that is allowed"


def test_of_many_addresses_the_first_that_are_allowed_are_tried(authority: Authority, tried: list[str]) -> None:
    allowed = [f"127.0.0.{number}" for number in range(9, 9 + MOST_TRIED + 1)]
    refused = [f"10.0.0.{number}" for number in range(1, MOST_TRIED + 2)]
    outcome = sent(sender(authority, *refused, *allowed), request(closed_port()))
    assert outcome == Failed(DeliveryProblem.UNREACHABLE, "Connection refused")
    assert tried == allowed[:MOST_TRIED]


def test_plain_http_goes_to_named_networks_alone(authority: Authority) -> None:
    outcome = sent(sender(authority, "9.9.9.9"), request(80, encrypted=False))
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.FORBIDDEN
    assert "http://" in outcome.detail


def test_no_proxy_of_the_environment_is_used(
    authority: Authority, secure: Secure, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = start(answering(Answer(502)))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert sent(sender(authority), request(secure(answering(Answer())).port)) == Delivered()
    assert proxy.count == 0


def test_a_name_without_an_address(authority: Authority) -> None:
    assert sent(sender(authority), request(1, "gone.lan")) == Failed(
        DeliveryProblem.NO_ADDRESS, "the name has no address"
    )


def test_an_ipv6_address_is_reached() -> None:
    attempt = Attempt(limit_s=PATIENCE_S)
    attempt.begin()
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:
        made, address = connected([ip_address("::1")], listening.getsockname()[1], attempt)
        with made:
            assert (str(address), made.getpeername()[0]) == ("::1", "::1")


def test_a_port_where_nothing_listens(authority: Authority) -> None:
    assert sent(sender(authority), request(closed_port())) == Failed(DeliveryProblem.UNREACHABLE, "Connection refused")


# --- Verification


def test_a_certificate_for_another_name_is_refused(authority: Authority, start: Start) -> None:
    receiver = start(answering(Answer()), authority.context("other.lan", "127.0.0.1"))
    outcome = sent(sender(authority), request(receiver.port))
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.UNVERIFIED
    assert NAME in outcome.detail
    assert receiver.count == 0


def test_a_certificate_of_another_ca_is_refused(authority: Authority, start: Start, tmp_path: Any) -> None:
    receiver = start(answering(Answer()), Authority(tmp_path).context(NAME))
    outcome = sent(sender(authority), request(receiver.port))
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.UNVERIFIED
    assert receiver.count == 0


def test_the_check_of_the_name_stays_on(authority: Authority, secure: Secure) -> None:
    """With ``assert_hostname`` urllib3 turns it off in the context."""
    made = sender(authority)
    assert sent(made, request(secure(answering(Answer())).port)) == Delivered()
    assert made._context is not None
    assert made._context.check_hostname


def test_a_receiver_without_tls_is_refused(authority: Authority, start: Start) -> None:
    outcome = sent(sender(authority), request(start(answering(Answer())).port))
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.TLS


# --- Secrets, and what it costs


def test_nothing_is_logged(authority: Authority, secure: Secure, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs path and query of each request, and warns of headers that it cannot read."""
    caplog.set_level(logging.DEBUG)
    for answer in (Answer().bytes, b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", b"HTTP/1.1 500 no\r\n\r\n", b""):
        sent(sender(authority), request(secure(answering(answer)).port))
    assert caplog.text == ""


def test_urllib3_is_imported_at_the_first_delivery() -> None:
    program = (
        "import sys, securechat.server.outgoing.worker, securechat.server.outgoing.payload\n"
        "print([name for name in sys.modules if 'urllib3' in name or name == 'http.client'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert done.stdout == "[]\n"
