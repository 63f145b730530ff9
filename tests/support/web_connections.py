"""Connections over fake links, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable

import h11

from securechat.containment import Containment, Failure
from securechat.limits import Limits
from securechat.net.interfaces import NULL_HANDLER, TransportHandler
from securechat.net.socket_options import CloseReason
from securechat.server.readiness import Readiness, ServerPhase
from securechat.server.web.connection import SOCKET_PATH, HttpConnection
from securechat.server.web.facts import ServerFacts
from securechat.server.web.interfaces import AnsweringSite
from securechat.server.web.policy import Hosts
from securechat.server.web.probes import Probes
from securechat.server.web.programs import ProgramPaths
from securechat.server.web.rates import RequestRates
from securechat.server.web.site import Site
from securechat.server.web.turns import RequestTurns, TransferTurns
from securechat.tls.hostnames import parse_names

FACTS = ServerFacts("1.0", "ab" * 32, False, "open")
TREE = {
    "index.html": b"<link href='/w/HASH/style.css'><!-- modulepreload --><!-- facts -->",
    "style.css": b"a { color: red }\n" * 50,
    "shell/main.js": b'import { b } from "../core/b.js";\nb();\n',
    "core/b.js": b"export function b(){}\n",
    "sw.js": b"worker();",
}


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback = when, callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLink:
    """A transport whose socket takes everything at once, unless ``blocked``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.label = f"{address}:5"
        self.owes_hello = True
        self.paused = self.closed = self.aborted = self.blocked = False
        self.queued_bytes = 0
        self.sent = b""
        self.writes: list[int] = []  # the bytes of each
        self.incoming = bytearray()  # arrived while paused, and not read yet
        self.unread_bytes = 0  # to be discarded behind the end
        self.on_readable: Callable[[], None] | None = None
        self.least_bytes = 1  # that it waits for
        self.handler: TransportHandler = NULL_HANDLER

    def write(self, data: bytes | memoryview) -> None:
        assert not self.closed, "written after the last words"
        self.sent += data
        self.writes.append(len(data))
        if self.blocked:
            self.queued_bytes += len(data)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        self.on_readable = None
        if self.incoming:
            data = bytes(self.incoming)
            self.incoming.clear()
            self.handler.data_received(data)

    def arrive(self, data: bytes) -> None:
        """Have bytes come while delivery is paused: they wait to be read."""
        self.incoming += data
        if len(self.incoming) < self.least_bytes:
            return
        on_readable, self.on_readable = self.on_readable, None
        if on_readable is not None:
            on_readable()

    def read_paused(self, most_bytes: int) -> bytes:
        assert self.paused, "read while bytes are delivered"
        data = bytes(self.incoming[:most_bytes])
        del self.incoming[: len(data)]
        return data

    def await_readable(self, callback: Callable[[], None], least_bytes: int = 1) -> None:
        assert self.paused, "waited for while bytes are delivered"
        assert not self.incoming, "waited for what is here: the selector does not see it"
        self.on_readable = callback
        self.least_bytes = least_bytes

    def linger_for(self, unread_bytes: int) -> None:
        self.unread_bytes = unread_bytes

    def taken(self, most_bytes: int | None = None) -> None:
        """Have the socket take some of what is queued, or all, as one that was full."""
        self.queued_bytes -= self.queued_bytes if most_bytes is None else min(most_bytes, self.queued_bytes)
        if not self.queued_bytes:
            self.handler.backlog_over()

    def close_with(self, last_words: bytes = b"", drop_backlog: bool = False) -> None:
        if not self.closed:
            self.sent += last_words
            self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def fail(self) -> None:
        self.handler.failed()


class HealthyLog:
    """A log that works, until a test says otherwise."""

    failure: Exception | None = None
    disk_full = False
    commit_age_s = 0.0


class Web:
    """What connections share, and the loop."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.now = 1000.0
        self.timers: list[FakeTimer] = []
        self.failures: list[Failure] = []
        self.containment = Containment(self.failures.append)
        self.turns = RequestTurns(self, self.containment)
        self.body_turns = RequestTurns(self, self.containment)
        self.transfers = TransferTurns(self, self.containment, self.limits)
        self.rates = RequestRates(self.limits)
        self.hosts = Hosts(parse_names(["chat.example", "192.0.2.9"]))
        self.site: AnsweringSite = Site(FACTS, tree=TREE)
        self.log = HealthyLog()
        self.readiness = Readiness(self.log)
        self.readiness.phase = ServerPhase.SERVING
        self.probes = Probes(self.readiness)
        self.socket_path: str | None = SOCKET_PATH
        self.programs: ProgramPaths | None = None
        self.most_programs = 1_000
        self.of_programs: set[HttpConnection] = set()
        self.links: dict[HttpConnection, FakeLink] = {}
        self.visits: list[str] = []
        self.upgrades: list[bytes] = []
        self.session: TransportHandler = NULL_HANDLER

    @property
    def scheduler(self) -> Web:
        return self

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(self.now + delay_s, callback)
        self.timers.append(timer)
        return timer

    def run(self, seconds: float = 0.0) -> None:
        """Fire what is due within so many seconds, each in a pass of its own."""
        until = self.now + seconds
        while due := [timer for timer in self.timers if timer.when <= until]:
            timer = min(due, key=lambda each: each.when)
            self.timers.remove(timer)
            self.now = max(self.now + 1e-6, timer.when)
            if not timer.cancelled:
                timer.callback()
        self.now = max(self.now, until)

    def visited(self, connection: HttpConnection) -> None:
        self.visits.append(connection.label)

    def upgraded(self, connection: HttpConnection, left: bytes) -> TransportHandler:
        self.upgrades.append(left)
        return self.session

    def is_program(self, connection: HttpConnection) -> bool:
        if connection not in self.of_programs and len(self.of_programs) >= self.most_programs:
            return False
        self.of_programs.add(connection)
        return True

    def transfer_link(self, connection: HttpConnection) -> FakeLink:
        return self.links[connection]

    def closed(self, connection: HttpConnection) -> None:
        pass

    def connect(self, address: str = "9.9.9.9") -> Browser:
        self.now += 0.001
        link = FakeLink(address)
        connection = HttpConnection(link, self)
        link.handler = connection
        self.links[connection] = link
        connection.handshake_done()
        return Browser(self, link, connection)


class Answer:
    """One answer, as h11 reads it."""

    def __init__(self, response: h11.Response, body: bytes) -> None:
        self.status = response.status_code
        self.headers = {name.decode(): value.decode() for name, value in response.headers}
        self.body = body


class Browser:
    """The other end of a connection."""

    def __init__(self, web: Web, link: FakeLink, connection: HttpConnection) -> None:
        self.web, self.link, self.connection = web, link, connection

    def send(self, data: bytes) -> None:
        self.web.now += 0.001
        self.connection.data_received(data)

    def upload(self, data: bytes) -> None:
        """Have more of a body come, which is read in turns."""
        self.web.now += 0.001
        self.link.arrive(data)

    def get(self, path: str, *headers: str, method: str = "GET", host: str = "chat.example") -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
        self.send("\r\n".join(lines).encode("iso-8859-1"))

    def answers(self, method: str = "GET") -> list[Answer]:
        """Read all that was sent, by h11, which complains where it is not HTTP; and forget it."""
        found: list[Answer] = []
        client = h11.Connection(h11.CLIENT)
        client.receive_data(self.link.sent)
        self.link.sent = b""
        if self.link.closed:
            client.receive_data(b"")
        while client.trailing_data[0]:
            client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
            client.send(h11.EndOfMessage())
            response = client.next_event()
            assert isinstance(response, h11.Response)
            body = b""
            while isinstance(event := client.next_event(), h11.Data):
                body += event.data
            assert isinstance(event, h11.EndOfMessage)
            found.append(Answer(response, body))
            if client.their_state is h11.MUST_CLOSE:
                assert not client.trailing_data[0]
                break
            client.start_next_cycle()
        return found

    def answer(self, method: str = "GET") -> Answer:
        (only,) = self.answers(method)
        return only

    def lost(self) -> None:
        self.connection.connection_lost(CloseReason.PEER_CLOSED, "")
