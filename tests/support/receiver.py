"""Receivers of webhooks on loopback: real sockets, real TLS by our CA, and behaviour of any kind."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from securechat.tls.contexts import WEB_ALPN, server_context
from securechat.tls.hostnames import parse_names
from securechat.tls.issuing import Issuer, certificate_pem, new_authority, new_server_leaf
from tests.support import patience

PATIENCE_S = patience.PATIENCE_S


class Authority:
    """A CA, and contexts of servers with certificates by it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._now = dt.datetime.now(dt.UTC)
        self.issuer: Issuer = new_authority(self._now)
        self.pem = certificate_pem(self.issuer.certificate).decode()

    def context(self, *names: str, tls12: bool = False) -> ssl.SSLContext:
        """Return a server's context for these names."""
        path = self._directory / f"{'_'.join(names).replace(':', '.')}.pem"
        path.write_bytes(new_server_leaf(self.issuer, parse_names(names), self._now).to_pem())
        return server_context(path, tls12=tls12, alpn=(WEB_ALPN,))


@dataclass
class Received:
    """A request that came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    server_name: str | None


@dataclass
class Answer:
    """What a receiver answers."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        """All of it."""
        headers = {"content-length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Why", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def json_answer(body: bytes, **headers: str) -> Answer:
    """Return an answer with JSON."""
    return Answer(200, body, {"content-type": "application/json", **headers})


class Receiver:
    """A server of `http.server` on loopback that takes requests and does with each what it is told.

    Args:
        behave: writes the answer; it gets the handler, with the request in `last`.
        context: for TLS; None for plain HTTP.
        port: 0 for a free one.
    """

    def __init__(self, behave: Callable[[Any], None], context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.received: SimpleQueue[Received] = SimpleQueue()
        self.count = 0
        self.over = threading.Event()
        """Set when the test is over, so that a receiver that hangs ends."""
        self.hung = threading.Event()
        """Set when a receiver has begun to hang."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                name = receiver.server_name
                receiver.count += 1
                receiver.received.put(Received(self.command, self.path, headers, body, name))
                self.close_connection = True
                with contextlib.suppress(OSError):
                    behave(self)

            def log_message(self, *_args: object) -> None:
                pass

        self.server_name: str | None = None
        if context is not None:

            def note(_connection: object, name: str | None, _context: object) -> None:
                self.server_name = name

            context.sni_callback = note
        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_args: None  # type: ignore[method-assign]
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def hang(self, _handler: object = None) -> None:
        """Hang until the test is over."""
        self.hung.set()
        self.over.wait(PATIENCE_S)

    def close(self) -> None:
        """End."""
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(PATIENCE_S)


def answering(answer: Answer | bytes) -> Callable[[Any], None]:
    """Return what writes an answer."""
    written = answer if isinstance(answer, bytes) else answer.bytes
    return lambda handler: handler.wfile.write(written)


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[socket.socket, int]]:
    """A listening socket whose connections the kernel accepts, and its port: no handshake, no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_S)
        yield listening, listening.getsockname()[1]


def closed_port() -> int:
    """Return a port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
