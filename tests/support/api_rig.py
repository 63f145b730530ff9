"""The API over a hub in memory: requests as heads and bodies, answers as documents; the test decides when."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.limits import Limits
from securechat.model import AddToken, Register, Registered, TokenMade
from securechat.net.interfaces import TransportHandler
from securechat.net.socket_options import CloseReason
from securechat.server.api.answers import ApiAnswer
from securechat.server.api.paths import ApiPaths
from securechat.server.api.peers import ProgramPeers
from securechat.server.api.streams import StreamPeer
from securechat.server.broadcaster import Broadcaster
from securechat.server.web.programs import ProgramAnswer, StreamAnswer
from securechat.wire.http import Authority, HttpError, Request
from tests.support.hub_rig import FakePeer, HubRig


class ApiReply:
    """The answer to one request, once it has come."""

    def __init__(self, abandon: Callable[[], None] = lambda: None) -> None:
        self.made: ApiAnswer | None = None
        self.abandon = abandon

    def done(self, made: ProgramAnswer) -> None:
        assert self.made is None, "answered twice"
        assert isinstance(made, ApiAnswer)
        self.made = made

    @property
    def status(self) -> int:
        assert self.made is not None, "no answer yet"
        return self.made.status

    @property
    def json(self) -> Any:
        assert self.made is not None, "no answer yet"
        return json.loads(self.made.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


class StreamLink:
    """The connection of an event stream.

    Attributes:
        sent: everything behind the head.
        queued_bytes: that the reader has not taken, as the test says.
    """

    alpn: str | None = None
    peer_certificate: bytes | None = None
    owes_hello = False

    def __init__(self, address: str) -> None:
        self.address = address
        self.sent = b""
        self.queued_bytes = 0
        self.closed = self.dropped = False
        self.handler: TransportHandler | None = None

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after the last event"
        self.sent += data

    def close_with(self, last_words: bytes = b"", drop_backlog: bool = False) -> None:
        self.write(last_words)
        self.closed, self.dropped = True, drop_backlog

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def fail(self) -> None:
        assert self.handler is not None
        self.handler.failed()


def write_each(links: list[StreamLink], data: bytes) -> None:
    for link in links:
        if not link.closed:
            link.write(data)


class OpenStream:
    """An event stream in JSON lines.

    Attributes:
        peer: at the hub.
        link: its connection.
    """

    def __init__(self, answer: StreamAnswer, address: str) -> None:
        self.link = StreamLink(address)
        self.head = answer.head
        handler = answer.open(self.link)
        assert isinstance(handler, StreamPeer)
        self.peer = self.link.handler = handler
        handler.handshake_done()

    @property
    def events(self) -> list[Any]:
        """Everything but signs of life."""
        lines = [json.loads(line) for line in self.link.sent.splitlines()]
        return [line for line in lines if line != {"event": "alive"}]

    @property
    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events]

    @property
    def texts(self) -> list[str]:
        return [event["data"]["text"] for event in self.events if event["event"] == "message"]

    @property
    def seqs(self) -> list[int]:
        """Of messages and changes."""
        return [event["data"]["seq"] for event in self.events if "seq" in event["data"]]

    @property
    def last_id(self) -> str:
        return str([event["id"] for event in self.events if "id" in event][-1])

    def lose(self) -> None:
        self.peer.connection_lost(CloseReason.RESET, "")


class _Timer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback, self.cancelled = when, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class ApiRig:
    """The API, and everything around it.

    Args:
        limits: of hub and API.
        rates: whether message and byte rates apply.

    Attributes:
        login_tokens: of the accounts of `token`, by their API tokens: with one, the account's owner logs in.
    """

    def __init__(self, limits: Limits | None = None, *, rates: bool = False, **options: Any) -> None:
        self.rig = HubRig(limits, rates=rates, **options)
        self.hub = self.rig.hub
        self.rig.broadcast = self._broadcast  # type: ignore[method-assign]
        self._timers: list[_Timer] = []
        self.refusals: list[tuple[ErrorCode, LoginKind | None]] = []
        self.logins: list[LoginKind] = []
        self.closed_streams: list[ErrorCode] = []
        self._broadcaster = Broadcaster(write_each)
        self.login_tokens: dict[str, str] = {}
        peers = ProgramPeers(self.hub, self, self.rig.limits, self)
        self.paths = ApiPaths(peers, self.rig.limits, "1.0", has_files=bool(options.get("files")))

    # --- ports of the API

    @property
    def now(self) -> float:
        return self.rig.now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(self.now + delay_s, callback)
        self._timers.append(timer)
        return timer

    def logged_in(self, kind: LoginKind) -> None:
        self.logins.append(kind)

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        self.refusals.append((code, login))

    def stream_closed(self, code: ErrorCode) -> None:
        self.closed_streams.append(code)

    def _broadcast(self, peers: Any, events: Any) -> None:
        for peer in peers:
            if isinstance(peer, FakePeer):
                for event in events:
                    peer.deliver(event)
        self._broadcaster.broadcast([peer for peer in peers if not isinstance(peer, FakePeer)], events)

    # --- what a test does

    def token(self, name: str) -> str:
        """Make an account, and return an API token of it that posts and reads."""
        peer = self.rig.member(name)
        self.rig.do(peer, Register(1, secrets.token_hex(8)))
        self.rig.do(peer, AddToken(2, "api", ["post", "read"]))
        token = peer.last(TokenMade).token
        self.login_tokens[token] = peer.last(Registered).token
        self.hub.lost(peer)
        return token

    def head(self, method: str, path: str, token: str | None, body: bytes = b"", **headers: str) -> Request:
        lines = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        if token is not None:
            lines.append((b"authorization", f"Bearer {token}".encode()))
        return Request(method, f"/api/v1{path}", Authority("a", 443), None, tuple(lines), len(body))

    def ask(
        self,
        method: str,
        path: str,
        token: str | None,
        body: bytes | str = b"",
        *,
        address: str = "127.0.0.1",
        settle: bool = True,
        **headers: str,
    ) -> ApiReply:
        """Ask, as a connection does."""
        body = body.encode() if isinstance(body, str) else body
        request = self.head(method, path, token, body, **headers)
        try:
            self.paths.expect_no_secret(request)
            exchange = self.paths.begin(request, address)
        except HttpError as error:
            reply = ApiReply()
            reply.done(self.paths.error_answer(error))
            return reply
        reply = ApiReply(exchange.abandon)
        exchange.receive(body, reply.done)
        if settle:
            self.settle()
        return reply

    def stream(
        self, token: str, query: str = "", *, address: str = "127.0.0.1", settle: bool = True, **headers: str
    ) -> OpenStream:
        """Open an event stream in JSON lines."""
        headers = {"Accept": "application/x-ndjson", **headers}
        exchange = self.paths.begin(self.head("GET", f"/events{query}", token, **headers), address)
        made: list[ProgramAnswer] = []
        exchange.receive(b"", made.append)
        self.settle()
        (answer,) = made
        assert isinstance(answer, StreamAnswer), answer
        opened = OpenStream(answer, address)
        if settle:
            self.settle()
        return opened

    def get(self, path: str, token: str | None, **options: Any) -> ApiReply:
        return self.ask("GET", path, token, **options)

    def post(self, path: str, token: str | None, body: bytes | str, **options: Any) -> ApiReply:
        return self.ask("POST", path, token, body, **options)

    def post_json(self, path: str, token: str | None, record: object, **options: Any) -> ApiReply:
        return self.ask("POST", path, token, json.dumps(record), Content_Type="application/json", **options)

    def settle(self) -> None:
        """Run what the log has to do, and what is due by now, until nothing is left."""
        self.rig.settle()
        while due := [timer for timer in self._timers if timer.when <= self.now]:
            for timer in due:
                self._timers.remove(timer)
                if not timer.cancelled:
                    timer.callback()
            self.rig.settle()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in which every timer is due at its time."""
        end = self.now + seconds
        while due := [timer for timer in self._timers if timer.when <= end]:
            timer = min(due, key=lambda each: each.when)
            self._timers.remove(timer)
            self.rig.pass_time(max(0.0, timer.when - self.now))
            if not timer.cancelled:
                timer.callback()
            self.settle()
        self.rig.pass_time(end - self.now)
