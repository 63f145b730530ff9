"""The listener for metrics: ``/metrics``, ``/healthz`` and ``/readyz`` over plain HTTP, for this machine alone.

It stays open while the server drains, so that a probe sees the end and its reason. Connections are those of
`securechat.server.web.connection` on transports without TLS: the same deadlines, bounds and errors as for browsers.
All requests together have one rate, because everything here comes from one machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from securechat.errors import LocalProtocolError
from securechat.hub.rate_limits import TokenBucket
from securechat.net.listener import Listener
from securechat.net.plain_transport import PlainConnections, PlainTransport
from securechat.server.banner import endpoint
from securechat.server.metrics import CONTENT_TYPE, METRICS_PATH
from securechat.server.web.connection import HttpConnection
from securechat.server.web.interfaces import DeferredAnswer
from securechat.server.web.policy import SECURITY_HEADERS
from securechat.server.web.probes import Probes
from securechat.server.web.rates import MOST_WAIT_S
from securechat.server.web.site import Answering, Resource, sentence
from securechat.server.web.turns import RequestTurns, TransferTurns
from securechat.wire import http
from securechat.wire.http import HttpError, Request, response_head

if TYPE_CHECKING:
    from securechat.net.interfaces import TransportHandler
    from securechat.net.loop import Loop
    from securechat.server.readiness import Readiness
    from securechat.server.web.transfers import TransferLink

_KEEP_ALIVE_S = 75.0
"""Longer than the minute between two scrapes at most: a connection that ends just then costs a scrape."""
_BACKLOG = 16
"""Connections that wait in the kernel: more would only keep a probe waiting behind a program that connects for ever."""
_REQUEST_BURST = 40.0
_REQUEST_RATE = 10.0
"""Requests and requests per second, all together: two scrapers and two probes ask some two a second."""


class MetricsSource(Protocol):
    """Makes the text."""

    def scrape(self, done: Callable[[bytes | None], None]) -> None:
        """Have ``done`` called on the loop's thread with the text; None: it could not be made."""


class MetricsServer:
    """Serves metrics on one address.

    Args:
        loop: the loop.
        host: a loopback address, or localhost.
        port: 0 for a free one.
        readiness: what probes are told.
        scraper: makes the text.

    Attributes:
        address: ``HOST:PORT``, as bound.
        connections: those that are open.

    Raises:
        OSError: the address cannot be bound.
    """

    def __init__(self, loop: Loop, host: str, port: int, readiness: Readiness, scraper: MetricsSource) -> None:
        self.scheduler = loop
        self.limits = replace(loop.limits, web_keep_alive_s=_KEEP_ALIVE_S)
        self.turns = RequestTurns(loop, loop.containment)
        self.body_turns = self.turns  # no request here has a body
        self.transfers = TransferTurns(loop, loop.containment, loop.limits)  # nor an answer that is not kept whole
        self.hosts = LocalHosts()
        self.rates = RequestRate(_REQUEST_BURST, _REQUEST_RATE)
        self.probes = Probes(readiness)
        self.site = MetricsSite(scraper)
        self.socket_path = None
        self.programs = None
        self.connections = PlainConnections(loop, self._accepted)
        self._listener = Listener(loop, host, port, self.connections, backlog=_BACKLOG)
        self.address = endpoint(host, self._listener.port)

    def prepare(self) -> None:
        """Do what a start need not wait for, in a thread."""
        http.load_library()

    def close(self) -> None:
        """Accept nothing more, and close every connection. Idempotent."""
        self._listener.close()
        self.connections.close()

    def _accepted(self, transport: PlainTransport) -> None:
        transport.start(HttpConnection(transport, self))

    # --- for connections

    def visited(self, connection: HttpConnection) -> None:
        """Nothing is told of requests here."""

    def upgraded(self, connection: HttpConnection, left: bytes) -> TransportHandler:  # noqa: ARG002  (as there)
        """Never called: there is no `socket_path`."""
        raise LocalProtocolError("nothing is upgraded here")

    def is_program(self, connection: HttpConnection) -> bool:  # noqa: ARG002  (as there)
        """Never called: there are no `programs`."""
        raise LocalProtocolError("no program is served here")

    def transfer_link(self, connection: HttpConnection) -> TransferLink:  # noqa: ARG002  (as there)
        """Never called, as `is_program`."""
        raise LocalProtocolError("no program is served here")

    def closed(self, connection: HttpConnection) -> None:
        """The descriptor of a connection is free."""


class LocalHosts:
    """Answers for addresses and for ``localhost``.

    A page in a browser on this machine asks by its own name, which its owner can make lead here (DNS rebinding).
    """

    def expect_ours(self, request: Request) -> None:
        """Check a request's Host and Origin.

        Raises:
            HttpError: 421 or 403.
        """
        host = request.host.host
        if host != "localhost":
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise HttpError(421, "Ask for metrics by an address, or by localhost.") from None
        if request.origin is not None:
            raise HttpError(403, "A page may not ask for metrics.")


class RequestRate:
    """One rate for all requests.

    Args:
        burst: requests.
        rate: requests per second after them.
    """

    def __init__(self, burst: float, rate: float) -> None:
        self._bucket = TokenBucket(burst, rate)

    def take(self, origin: str, cost: float, now: float) -> float:  # noqa: ARG002  (all come from one machine)
        """Count a request; see `securechat.server.web.rates.RequestRates.take`."""
        self._bucket.take(cost, now)
        wait_s = self._bucket.wait_for(0.0, now)
        if wait_s > MOST_WAIT_S:
            self._bucket.give_back(cost)
        return wait_s


class MetricsSite:
    """What is served beside the probes.

    Args:
        scraper: makes the text.
    """

    def __init__(self, scraper: MetricsSource) -> None:
        self._nothing = sentence(404, "Here are /metrics, /healthz and /readyz.")
        self._failed = sentence(500, "The metrics could not be made; the server's log says why.")
        self._headers = (("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store"), *SECURITY_HEADERS)
        self._scraper = scraper

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes | DeferredAnswer:
        """Return the answer to a request: the text, when it is made, or 404."""
        if request.path == METRICS_PATH:
            return self
        return self._nothing.answer(request, date=date, closes=closes)

    def is_file(self, path: str) -> bool:  # noqa: ARG002  (the site's signature)
        """Every request costs the same."""
        return False

    def await_made(self, done: Callable[[Answering], None]) -> None:
        """See `DeferredAnswer.await_made`."""
        self._scraper.scrape(lambda text: done(self._made(text)))

    def _made(self, text: bytes | None) -> Answering:
        if text is None:
            return self._failed
        return Resource(response_head(200, self._headers), text, None, b"", "", b"")
