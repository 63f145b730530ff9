"""Answers that are mutations of good ones: each has an outcome, and what begins with 2xx is a delivery."""

from __future__ import annotations

import random
import re
import socket
from ipaddress import ip_address

import pytest

from securechat.server.outgoing import connection
from securechat.server.outgoing.attempt import Attempt
from securechat.server.outgoing.destinations import Destination
from securechat.server.outgoing.networks import IpAddress, NetworkPolicy, parse_networks
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Gone, Outcome
from securechat.server.outgoing.sender import OutgoingRequest, OutgoingSettings, WebhookSender
from securechat.server.outgoing.signature import WebhookSecret
from tests.support.receiver import PATIENCE_S, Answer, json_answer

ADDRESS = ip_address("127.0.0.1")
REQUEST = OutgoingRequest(Destination(False, str(ADDRESS), 80, "/"), "msg_1", b"{}", (WebhookSecret(bytes(24)),))
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
GOOD = [
    json_answer(b'{"text": "done"}').bytes,
    Answer(204).bytes,
    Answer(410).bytes,
    Answer(302, b"", {"location": "https://example.org/"}).bytes,
    Answer(503, b"no", {"retry-after": "Thu, 01 Jan 1970 00:10:00 GMT"}).bytes,
    CHUNKED + b'8;x="y"\r\n{"text":\r\n9\r\n "done"}\r\n0\r\ntrailer: t\r\n\r\n',
    *(CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n" for size in (b"5", b"5 ; x", b"+5", b"0_5")),
    b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + json_answer(b"{}").bytes,
    b'HTTP/1.0 200 OK\r\ncontent-type: application/json; charset="utf-8"\r\n\r\n{"text": "\\u00e9"}',
    json_answer(b'{"text": "x"}', connection="keep-alive", **{"keep-alive": "timeout=5"}).bytes,
]
TOKENS = [
    b"-", b"-5", b"0x5", b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"\xff", b"\xc3\xa9", b"HTTP/1.1 200 OK\r\n",
    b"HTTP/2 200\r\n", b"HTTP/1.1 101 x\r\n\r\n", b"HTTP/1.1 199 x\r\n\r\n", b"content-length: -1\r\n",
    b"content-length: 5, 6\r\n", b"content-length: " + b"9" * 5_000 + b"\r\n", b"content-encoding: gzip\r\n", b"f" * 70,
    b"transfer-encoding: gzip, chunked\r\n", b"transfer-encoding: chunked\r\n", b"content-type: application/json\r\n",
    b"retry-after: Thu, 01 Jan 0000 00:00:00 +9999\r\n", b"x" * 70_000, b"x: y\r\n" * 101, b"[" * 2_000, b"1" * 5_000,
    b"content-type: multipart/mixed; boundary=x\r\n", b"location: https://[::\r\n", b"set-cookie: a=b\r\n", b"1e999999",
    b"=?utf-8?b?//?=",
]  # fmt: skip
ACCEPTED = re.compile(rb"HTTP/1\.[01] 2[0-9]{2} [a-zA-Z]{0,200}\r\n")


def outcome_of(written: bytes, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Make an attempt over a pair of sockets, whose other end has written this and ended."""
    near, far = socket.socketpair()

    def connected(_addresses: object, _port: int, _attempt: Attempt) -> tuple[socket.socket, IpAddress]:
        return near, ADDRESS

    monkeypatch.setattr(connection, "connected", connected)
    with far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
        far.settimeout(PATIENCE_S)
        far.sendall(written[:150_000])  # which the socket holds: no other thread reads
        far.shutdown(socket.SHUT_WR)
        settings = OutgoingSettings(NetworkPolicy(parse_networks([str(ADDRESS)])))
        return WebhookSender(settings).send(REQUEST, Attempt(limit_s=PATIENCE_S))


def mutated(source: random.Random) -> bytes:
    written = bytearray(source.choice(GOOD))
    lines = [found.start() for found in re.finditer(rb"(?<=\n)|\Z", written)]
    for _ in range(source.choice((1, 1, 1, 2, 3, 6))):
        at = min(source.choice((source.randrange(len(written) + 1), source.choice(lines))), len(written))
        size = source.choice((0, 0, 1, 1, 2, 5, 20))
        match source.randrange(4):
            case 0:
                written[at : at + size] = source.choice(TOKENS)
            case 1:
                written[at : at + size] = bytes(source.randrange(256) for _ in range(size))
            case 2:
                written[at:at] = written[at : at + size] * source.randrange(1, 4)
            case _:
                del written[at : at + source.choice((1, 2, len(written)))]
    return bytes(written)


@pytest.mark.parametrize("seed", range(4))
def test_every_answer_has_an_outcome_and_what_begins_with_2xx_is_a_delivery(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(seed)
    for number in range(250):
        written = mutated(source)
        outcome = outcome_of(written, monkeypatch)
        assert isinstance(outcome, Delivered | Failed | Gone), (number, written)
        if isinstance(outcome, Failed):
            assert outcome.problem is not DeliveryProblem.INTERNAL
            assert outcome.detail
        if ACCEPTED.match(written):
            assert isinstance(outcome, Delivered), (number, written[:200])
