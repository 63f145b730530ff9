"""Posts over the HTTP API: one kept connection, many of them, and one connection a post; beside a native member's.

    python -m tools.bench.posts [--posts 2000] [--connections 50] [--fresh 200]

A closed loop: each connection sends its next post when the last one is acknowledged. Two tokens share the connections,
because one may have 32 requests in flight. Rates are off, as in every case.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import ssl
import statistics
import tempfile
import time
from pathlib import Path

from securechat.model import Acked, AddToken, Register, Registered, Say, TokenMade, Welcome
from tools.bench.certs import SERVER_NAME, client_context, make_certificates
from tools.bench.logins import PASSWORD, Client, percentile
from tools.bench.process import GENERATOR_CORE, Server, pin, running

_BODY = b"x" * 64
"""As long as the messages of the other cases."""


def request(token: str) -> bytes:
    """A post as a program writes it."""
    lines = (
        "POST /api/v1/rooms/lobby/messages HTTP/1.1",
        f"Host: {SERVER_NAME}",
        f"Authorization: Bearer {token}",
        "User-Agent: bench/1",
        "Accept: */*",
        f"Content-Length: {len(_BODY)}",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + _BODY


class Poster:
    """One connection of a program."""

    def __init__(self, context: ssl.SSLContext, address: tuple[str, int], token: str) -> None:
        raw = socket.create_connection(address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(raw, server_hostname=SERVER_NAME)
        self._request = request(token)
        self._sent_at = 0.0

    def send(self) -> None:
        self._sent_at = time.perf_counter()
        self.sock.sendall(self._request)

    def read(self) -> float:
        """Read the answer; returns the milliseconds that it took."""
        answer = b""
        while b'{"seq":' not in answer:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the server has closed")
            answer += data
        if not answer.startswith(b"HTTP/1.1 201 "):
            raise ConnectionError(f"refused: {answer[:200]!r}")
        return (time.perf_counter() - self._sent_at) * 1000


def token_of(context: ssl.SSLContext, address: tuple[str, int], name: str) -> str:
    """Make an account, and return an API token of it that posts."""
    client = Client(context, address)
    client.hello(name)
    client.wait_for(Welcome)
    client.send(Register(1, PASSWORD))
    client.wait_for(Registered)
    client.send(AddToken(2, "bench", ["post"]))
    made = client.wait_for(TokenMade)
    assert isinstance(made, TokenMade)
    client.sock.close()
    return made.token


def one_by_one(poster: Poster, count: int) -> list[float]:
    """Post one message after the other; returns the milliseconds of each."""
    took = []
    for _ in range(count):
        poster.send()
        took.append(poster.read())
    return took


def natively(context: ssl.SSLContext, address: tuple[str, int], count: int) -> list[float]:
    """Say as many messages over ``securechat/1``; returns the milliseconds of each acknowledgement."""
    client = Client(context, address)
    client.hello("native")
    client.wait_for(Welcome)
    took = []
    for number in range(1, count + 1):
        began = time.perf_counter()
        client.send(Say(number, "lobby", _BODY.decode()))
        client.wait_for(Acked)
        took.append((time.perf_counter() - began) * 1000)
    client.sock.close()
    return took


def all_at_once(posters: list[Poster], count: int) -> float:
    """Post so many messages over all connections at once; returns the seconds it took."""
    ready = selectors.DefaultSelector()
    began = time.perf_counter()
    left, open_posts = count - len(posters), len(posters)
    for poster in posters:
        ready.register(poster.sock, selectors.EVENT_READ, poster)
        poster.send()
    while open_posts:
        for key, _ in ready.select():
            key.data.read()
            if left > 0:
                left -= 1
                key.data.send()
            else:
                open_posts -= 1
    return time.perf_counter() - began


def handshakes(context: ssl.SSLContext, address: tuple[str, int], count: int) -> list[float]:
    """Connect so many times, and ask for nothing: what a fresh connection costs at least. Milliseconds of each."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        with (
            socket.create_connection(address) as raw,
            context.wrap_socket(raw, server_hostname=SERVER_NAME, do_handshake_on_connect=True),
        ):
            took.append((time.perf_counter() - began) * 1000)
    return took


def report(what: str, server: Server, began_cpu_s: float, took: list[float]) -> None:
    cpu_us = (server.cpu_s() - began_cpu_s) / len(took) * 1e6
    p50, p99 = statistics.median(took), percentile(took, 0.99)
    print(f"{what}: {len(took)}  server CPU {cpu_us:.0f} us each  p50 {p50:.2f} ms  p99 {p99:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--posts", type=int, default=2_000, help="of each kind (default 2000)")
    parser.add_argument("--connections", type=int, default=50, help="at once (default 50)")
    parser.add_argument("--fresh", type=int, default=200, help="posts over a connection of their own (default 200)")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    os.environ |= {"SECURECHAT_LIMIT_REQUEST_RATE": "1000000", "SECURECHAT_LIMIT_REQUEST_BURST": "1000000"}
    with tempfile.TemporaryDirectory() as scratch:
        certs, data = Path(scratch) / "certs", Path(scratch) / "data"
        certs.mkdir()
        make_certificates(certs)
        with running("securechat", certs, data) as server:
            context, web = client_context(certs / "ca.pem"), client_context(certs / "ca.pem", "http/1.1")
            tokens = [token_of(context, server.address, name) for name in ("one", "two")]
            poster = Poster(web, server.address, tokens[0])
            one_by_one(poster, 100)
            before = server.cpu_s()
            report("posts over a kept connection", server, before, one_by_one(poster, options.posts))
            before = server.cpu_s()
            report("native messages", server, before, natively(context, server.address, options.posts))
            posters = [Poster(web, server.address, tokens[n % 2]) for n in range(options.connections)]
            before, count = server.cpu_s(), options.posts * 5
            took_s = all_at_once(posters, count)
            cpu_us = (server.cpu_s() - before) / count * 1e6
            rate = count / took_s
            print(f"over {options.connections} connections: {rate:.0f} a second  server CPU {cpu_us:.0f} us each")
            before = server.cpu_s()
            took = []
            for _ in range(options.fresh):
                began = time.perf_counter()
                fresh = Poster(web, server.address, tokens[0])
                one_by_one(fresh, 1)
                took.append((time.perf_counter() - began) * 1000)
                fresh.sock.close()
            report("posts over connections of their own", server, before, took)
            before = server.cpu_s()
            report("handshakes alone", server, before, handshakes(web, server.address, options.fresh))


if __name__ == "__main__":
    main()
