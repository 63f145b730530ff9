"""Event streams of programs beside native members: server CPU per delivery in two rooms of the same size, by turns.

    python -m tools.bench.streams [--readers 1000] [--messages 200] [--turns 4]

A closed loop with one sender in each room, who has 1 or 64 messages in flight: the next ones are sent when every reader
has the last ones. Streams hear the one room, native members are in the other; all are connected all the time, and the
rooms take turns. Rates are off, as in every case.
"""

from __future__ import annotations

import argparse
import os
import selectors
import ssl
import statistics
import tempfile
from pathlib import Path

from securechat.model import Acked, AddToken, Join, Joined, Register, Registered, Say, TokenMade, Welcome
from tools.bench.certs import SERVER_NAME, client_context, make_certificates
from tools.bench.logins import PASSWORD, Client
from tools.bench.posts import Poster
from tools.bench.process import GENERATOR_CORE, Server, pin, running

_TEXT = "x" * 64
_MARK = b'"t":"msg"'
"""Once in every message, whatever stands around it."""
_STREAMS_A_TOKEN = 8
_TOKENS_AN_ACCOUNT = 16


class Speaker:
    """An account that says messages in its room."""

    def __init__(self, context: ssl.SSLContext, address: tuple[str, int], name: str, room: str) -> None:
        self._client = Client(context, address)
        self._client.hello(name)
        self._client.wait_for(Welcome)
        self._client.send(Register(1, PASSWORD))
        self._client.wait_for(Registered)
        self._client.send(Join(2, [room]))
        self._client.wait_for(Joined)
        self._room = room
        self._number = 0

    def say(self, count: int) -> None:
        """Say so many messages at once, and wait until they are acknowledged."""
        for _ in range(count):
            self._number += 1
            self._client.send(Say(self._number, self._room, _TEXT))
        left = count
        while left:
            left -= sum(isinstance(event, Acked) for event in self._client.read())


class Readers:
    """The readers of one room."""

    def __init__(self) -> None:
        self._ready = selectors.DefaultSelector()
        self.count = 0

    def add(self, sock: ssl.SSLSocket) -> None:
        sock.setblocking(False)
        self._ready.register(sock, selectors.EVENT_READ, sock)
        self.count += 1

    def hear(self, deliveries: int) -> None:
        """Read until so many messages have come, over all readers together."""
        while deliveries > 0:
            for key, _ in self._ready.select(30.0):
                deliveries -= _read(key.data).count(_MARK)
        if deliveries < 0:
            raise RuntimeError(f"{-deliveries} deliveries too many")

    def drain(self, quiet_s: float = 0.5) -> None:
        """Read what else has come, such as who has joined."""
        while found := self._ready.select(quiet_s):
            for key, _ in found:
                _read(key.data)


def _read(sock: ssl.SSLSocket) -> bytes:
    """What has come: a message is in one TLS record, as the server sends what it joins in records of 16 KiB."""
    data = b""
    try:
        while True:
            more = sock.recv(65536)
            if not more:
                raise ConnectionError("the server has closed")
            data += more
    except ssl.SSLWantReadError:
        return data


def streams(server: Server, context: ssl.SSLContext, web: ssl.SSLContext, room: str, count: int) -> Readers:
    """Open event streams of a room, eight a token."""
    readers = Readers()
    tokens: list[str] = []
    while len(tokens) * _STREAMS_A_TOKEN < count:
        client = Client(context, server.address)
        client.hello(f"program{len(tokens)}")
        client.wait_for(Welcome)
        client.send(Register(1, PASSWORD))
        client.wait_for(Registered)
        for number in range(_TOKENS_AN_ACCOUNT):
            client.send(AddToken(number + 2, "bench", ["read"]))
            made = client.wait_for(TokenMade)
            assert isinstance(made, TokenMade)
            tokens.append(made.token)
        client.sock.close()
    for number in range(count):
        lines = (
            f"GET /api/v1/events?rooms={room} HTTP/1.1",
            f"Host: {SERVER_NAME}",
            f"Authorization: Bearer {tokens[number // _STREAMS_A_TOKEN]}",
            "",
            "",
        )
        sock = Poster(web, server.address, "").sock
        sock.sendall("\r\n".join(lines).encode())
        answer = b""
        while b"event: start" not in answer:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError(f"refused: {answer[:300]!r}")
            answer += data
        readers.add(sock)
    return readers


def members(server: Server, context: ssl.SSLContext, room: str, count: int) -> Readers:
    """Connect native members, who are in a room."""
    readers = Readers()
    for number in range(count):
        client = Client(context, server.address)
        client.hello(f"member{number}")
        client.wait_for(Welcome)
        client.send(Join(1, [room]))
        client.wait_for(Joined)
        readers.add(client.sock)
    return readers


def measure(server: Server, speaker: Speaker, readers: Readers, window: int, messages: int) -> float:
    """Return server CPU per delivery in microseconds."""
    rounds = max(1, messages // window)
    before = server.cpu_s()
    for _ in range(rounds):
        speaker.say(window)
        readers.hear(window * readers.count)
    return (server.cpu_s() - before) / (rounds * window * readers.count) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--readers", type=int, default=1_000, help="of each kind (default 1000)")
    parser.add_argument("--messages", type=int, default=200, help="of each turn with one in flight (default 200)")
    parser.add_argument("--turns", type=int, default=4, help="of each kind (default 4)")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    os.environ |= {
        "SECURECHAT_LIMIT_REQUEST_RATE": "1000000",
        "SECURECHAT_LIMIT_REQUEST_BURST": "1000000",
        "SECURECHAT_LIMIT_IDLE_PING_S": "3600",
        "SECURECHAT_LIMIT_API_CONNECTIONS": str(options.readers + 10),
    }
    with tempfile.TemporaryDirectory() as scratch:
        certs, data = Path(scratch) / "certs", Path(scratch) / "data"
        certs.mkdir()
        make_certificates(certs)
        with running("securechat", certs, data) as server:
            context, web = client_context(certs / "ca.pem"), client_context(certs / "ca.pem", "http/1.1")
            speakers = [Speaker(context, server.address, f"speaker{room}", room) for room in ("s", "n")]
            kinds = [
                streams(server, context, web, "s", options.readers),
                members(server, context, "n", options.readers),
            ]
            for window in (1, 64):
                took: list[list[float]] = [[], []]
                for _ in range(options.turns):
                    for number, readers in enumerate(kinds):
                        for each in kinds:
                            each.drain()
                        count = options.messages * (1 if window == 1 else 16)
                        took[number].append(measure(server, speakers[number], readers, window, count))
                stream_us, native_us = (statistics.median(each) for each in took)
                print(
                    f"{options.readers} readers, {window} in flight: event streams {stream_us:.2f} us a delivery, "
                    f"native members {native_us:.2f}, ratio {stream_us / native_us:.2f}"
                )


if __name__ == "__main__":
    main()
