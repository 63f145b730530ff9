"""A man in the middle of a real client and a real server: he records, or answers himself, as planned."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.server import PATIENCE_S


@dataclass
class Taken:
    """What one connection gave away.

    Attributes:
        forged: whether the man in the middle answered it himself.
        up: bytes of the client as they went over the wire.
        down: bytes of the server.
        plain: what the client said inside TLS, which only a forger can read.
        handshake: whether the client completed a handshake with the forger.
    """

    forged: bool
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)
    plain: bytearray = field(default_factory=bytearray)
    handshake: bool = False


class Interceptor:
    """Listens on 127.0.0.1.

    Args:
        target: port of the real server.
        forged: a server.pem of his own.
        plan: what to do with the first connections, True to answer himself; the last word holds for all later ones.
    """

    def __init__(self, target: int, forged: Path | None = None, plan: Sequence[bool] = (False,)) -> None:
        self.taken: list[Taken] = []
        self._target = target
        self._plan = plan
        self._context: ssl.SSLContext | None = None
        if forged is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(forged)
            self._context.set_alpn_protocols(["securechat/1"])
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def __enter__(self) -> Interceptor:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(PATIENCE_S)
            forged = self._plan[min(len(self.taken), len(self._plan) - 1)]
            self.taken.append(Taken(forged))
            thread = threading.Thread(target=self._forge if forged else self._relay, args=(client, self.taken[-1]))
            self._threads.append(thread)
            thread.start()

    def _forge(self, client: socket.socket, taken: Taken) -> None:
        assert self._context is not None
        with client, contextlib.suppress(OSError):  # a client that does not trust us says so and goes
            tls = self._context.wrap_socket(client, server_side=True)
            taken.handshake = True
            with tls:
                while data := tls.recv(65_536):
                    taken.plain += data

    def _relay(self, client: socket.socket, taken: Taken) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target), PATIENCE_S) as server:
            back = threading.Thread(target=_copy, args=(server, client, taken.down))
            back.start()
            _copy(client, server, taken.up)
            back.join(PATIENCE_S)


def _copy(source: socket.socket, sink: socket.socket, record: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            record += data
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
