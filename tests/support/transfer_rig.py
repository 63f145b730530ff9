"""A server of `ToyFiles` over real TLS, and beside it one that echoes: in passes that the test runs, or in a thread."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from securechat.containment import Failure
from securechat.limits import Limits
from securechat.net.connection_limits import Denial
from securechat.net.interfaces import NullHandler, TransportHandler
from securechat.net.listener import Listener
from securechat.net.loop import Loop
from securechat.net.transport import Transport
from securechat.server.readiness import Readiness
from securechat.server.web.connection import HttpConnection
from securechat.server.web.probes import Probes
from securechat.server.web.programs import ProgramPrefixes
from securechat.server.web.rates import RequestRates
from securechat.server.web.turns import RequestTurns, TransferTurns
from tests.support import patience
from tests.support.toy_files import ToyFiles

PATIENCE_S = patience.PATIENCE_S
_T = TypeVar("_T")


class _Accepting:
    """Makes a transport of each client."""

    def __init__(self, rig: TransferRig, handler: Callable[[Transport], TransportHandler]) -> None:
        self._rig = rig
        self._handler = handler
        self.full = False

    def take(self, sock: socket.socket, peer: tuple[Any, ...]) -> None:
        transport = Transport(self._rig.loop, sock, peer, self._rig.context)
        self._rig.transports.append(transport)
        transport.start(self._handler(transport))

    def make_room(self) -> bool:
        return False

    def deny(self, address: str, denial: Denial) -> None:
        pass


class Echo(NullHandler):
    """Stands for a session."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class TransferRig:
    """The server; a `WebContext`.

    Args:
        certs: a folder with ``ca.pem`` and ``server.pem`` (`tools.bench.certs.make_certificates`).
        limits: those of the server by default.

    Attributes:
        failures: what work has raised.
        port, echo_port: on 127.0.0.1.
    """

    def __init__(self, certs: Path, limits: Limits | None = None) -> None:
        self.certs = certs
        self.limits = limits or Limits()
        self.failures: list[Failure] = []
        self.loop = Loop(self.limits, on_error=self.failures.append)
        self.scheduler = self.loop
        self.turns = RequestTurns(self.loop, self.loop.containment)
        self.body_turns = RequestTurns(self.loop, self.loop.containment)
        self.transfers = TransferTurns(self.loop, self.loop.containment, self.limits)
        self.rates = RequestRates(self.limits)
        readable: Any = None
        self.probes = Probes(Readiness(readable))
        self.socket_path = None
        self.site: Any = None
        self.hosts: Any = self
        self.files = ToyFiles()
        self.programs = ProgramPrefixes({"/files/": self.files})
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certs / "server.pem")
        self.transports: list[Transport] = []
        self.connections: dict[HttpConnection, Transport] = {}
        listeners = [Listener(self.loop, "127.0.0.1", 0, _Accepting(self, made)) for made in (self._http, Echo)]
        self._listeners = listeners
        self.port, self.echo_port = (listener.port for listener in listeners)
        self._thread: threading.Thread | None = None

    def _http(self, transport: Transport) -> HttpConnection:
        connection = HttpConnection(transport, self)
        self.connections[connection] = transport
        return connection

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    # --- in a thread

    def run_in_thread(self) -> None:
        self._thread = threading.Thread(target=self.loop.run)
        self._thread.start()

    def ask(self, question: Callable[[], _T]) -> _T:
        """Call on the loop's thread."""
        answers: list[_T] = []
        answered = threading.Event()

        def call() -> None:
            answers.append(question())
            answered.set()

        self.loop.post(call)
        assert answered.wait(PATIENCE_S)
        return answers[0]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, as seen at the end of a pass."""
        came = threading.Event()

        def look() -> None:
            if condition():
                came.set()
            else:
                self.loop.call_later(0.002, look)

        self.loop.post(look)
        assert came.wait(PATIENCE_S), "the condition never came true"

    def close(self) -> None:
        if self._thread is not None:
            self.loop.stop()
            self._thread.join(PATIENCE_S)
        for listener in self._listeners:
            listener.close()
        for transport in self.transports:
            transport.abort()
        self.loop.run_pass(0)
        self.loop.close()

    # --- for connections

    def expect_ours(self, request: Any) -> None:
        pass

    def visited(self, connection: HttpConnection) -> None:
        pass

    def upgraded(self, connection: HttpConnection, left: bytes) -> Any:
        raise AssertionError("nothing is upgraded here")

    def is_program(self, connection: HttpConnection) -> bool:
        return True

    def transfer_link(self, connection: HttpConnection) -> Transport:
        return self.connections[connection]

    def closed(self, connection: HttpConnection) -> None:
        self.connections.pop(connection, None)
