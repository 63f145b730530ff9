"""The web on this server: the site, its rules and its connections."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from securechat.server.web.connection import SOCKET_PATH, HttpConnection
from securechat.server.web.facts import ServerFacts
from securechat.server.web.first_bytes import FirstBytes
from securechat.server.web.policy import Hosts
from securechat.server.web.probes import Probes
from securechat.server.web.rates import RequestRates
from securechat.server.web.site import Answering, InLanguages, Site, resource
from securechat.server.web.trust import (
    CA_PATH,
    CA_TYPE,
    PAGE_PATH,
    PAGE_TYPE,
    PEM_PATH,
    PEM_TYPE,
    PROFILE_PATH,
    PROFILE_TYPE,
    STYLESHEET,
    TrustFacts,
    profile,
    trust_page,
)
from securechat.server.web.turns import RequestTurns, TransferTurns
from securechat.wire import http, websocket
from securechat.wire.http import HTTP_ALPN, response, response_head
from securechat.wire.negotiation import CodecTable, SpokenProtocol
from securechat.wire.websocket import WebSocketServerCodec

if TYPE_CHECKING:
    from securechat.net.interfaces import TransportHandler
    from securechat.net.loop import Loop
    from securechat.net.pending_connections import PendingConnections
    from securechat.net.transport import Transport
    from securechat.server.readiness import Readiness
    from securechat.server.web.programs import ProgramPaths
    from securechat.tls.contexts import ServerCertificate

WEB_CODECS = CodecTable([SpokenProtocol(HTTP_ALPN, WebSocketServerCodec, lambda _first: True)])
"""What an upgraded connection speaks, whatever ALPN has selected."""


class WebServer:
    """What all connections that speak HTTP share.

    Args:
        loop: the loop.
        counts: counts connections that speak HTTP.
        certificate: whose names are this server's hosts; `renewed` when it is another one.
        hosts: more names or addresses; with any, loopback has a rate of requests, as a proxy may stand there.
        version: of the program.
        access: "open" or "members".
        on_visit: told of each page that is loaded: what counts as the address, and address and port.
        upgrade: makes an upgraded connection a session's, which gets the bytes that came behind the request.
        readiness: what `/readyz` tells.
        programs: what stands behind the paths of programs; None: they are not served.

    Raises:
        ValueError: one of the hosts is no name and no address.
    """

    def __init__(
        self,
        loop: Loop,
        counts: PendingConnections,
        certificate: ServerCertificate,
        hosts: Iterable[str],
        *,
        version: str,
        access: str,
        on_visit: Callable[[str, str], None],
        upgrade: Callable[[Transport, bytes], TransportHandler],
        readiness: Readiness,
        programs: ProgramPaths | None = None,
    ) -> None:
        self.scheduler = self._loop = loop
        self.limits = loop.limits
        self.turns = RequestTurns(loop, loop.containment)
        self.body_turns = RequestTurns(loop, loop.containment)
        self.transfers = TransferTurns(loop, loop.containment, loop.limits)
        self._counts = counts
        self._certificate = certificate
        self._more_hosts = tuple(hosts)
        self.rates = RequestRates(loop.limits, behind_proxy=bool(self._more_hosts))
        self._version, self._access = version, access
        self._on_visit = on_visit
        self._upgrade = upgrade
        self._connections: dict[HttpConnection, Transport] = {}
        self._undecided: dict[FirstBytes, None] = {}
        self._of_programs: dict[HttpConnection, None] = {}
        self.programs = programs
        self.hosts = Hosts(certificate.names, self._more_hosts)
        self.probes = Probes(readiness)
        self.socket_path = SOCKET_PATH
        self._site: Site | None = None

    @property
    def site(self) -> Site:
        """The files and pages. A request that comes before `prepare` is done has them read."""
        if self._site is None:
            self._site = self._told(Site(self._facts()))
        return self._site

    def prepare(self) -> None:
        """Do what a start need not wait for, in a thread."""
        http.load_library()
        websocket.load_library()
        if self.programs is not None:
            self.programs.prepare()
        site = Site(self._facts())
        self._loop.post(lambda: self._use(site))

    def _use(self, site: Site) -> None:
        """Take the site that `prepare` has made. The certificate may have been renewed meanwhile."""
        self._site = self._told(site)

    def _told(self, site: Site) -> Site:
        """Tell a site what comes from the certificate."""
        site.tell(self._facts(), self._trust(site))
        return site

    def renewed(self) -> None:
        """The certificate is another one: its names and its CA are too, perhaps."""
        self.hosts = Hosts(self._certificate.names, self._more_hosts)
        if self._site is not None:
            self._told(self._site)

    def accepted(self, transport: Transport) -> HttpConnection:
        """Return the handler of a connection that speaks HTTP."""
        connection = HttpConnection(transport, self)
        self._connections[connection] = transport
        return connection

    def undecided(self, transport: Transport, other: Callable[[Transport], TransportHandler]) -> FirstBytes:
        """Return the handler of a connection whose first bytes will tell its protocol; ``other``: if not HTTP."""
        wait_s = self.limits.web_headers_s
        handler = FirstBytes(
            transport, self.scheduler, wait_s, web=self._speaks_http, other=other, on_over=self._decided
        )
        self._undecided[handler] = None
        return handler

    def _speaks_http(self, transport: Transport) -> HttpConnection:
        connection = self.accepted(transport)
        if self._counts.web_begun(transport) is not None:
            connection.close()
        return connection

    def _decided(self, handler: FirstBytes) -> None:
        self._undecided.pop(handler, None)

    def close(self) -> None:
        """Close every connection: the server stops."""
        connections: list[HttpConnection | FirstBytes] = [*self._connections, *self._undecided]
        for connection in connections:
            connection.close()

    def cut(self) -> None:
        """End every connection that was still answered: the time of a stop is over."""
        for connection in list(self._connections):
            connection.cut()

    @property
    def is_answering(self) -> bool:
        """Whether a program waits for the answer to a request that has come whole, or for the rest of it."""
        return any(connection.is_answering for connection in self._connections)

    # --- for connections

    def visited(self, connection: HttpConnection) -> None:
        """A page was loaded."""
        self._on_visit(connection.origin, connection.label)

    def upgraded(self, connection: HttpConnection, left: bytes) -> TransportHandler:
        """Have a session go on with a connection."""
        return self._upgrade(self._connections.pop(connection), left)

    def is_program(self, connection: HttpConnection) -> bool:
        """Count a connection as a program's: it is none of the browsers', of which the oldest gives way.

        Where there are as many as may be, the one that has been without a request for the longest gives way. So one
        token cannot keep out the programs of others with connections that it does not use.
        """
        if connection in self._of_programs:
            del self._of_programs[connection]
        else:
            if len(self._of_programs) >= self.limits.api_connections and not self._give_way():
                return False
            self._counts.web_stays(self._connections[connection])
        self._of_programs[connection] = None  # at the end: the latest that was used
        return True

    def _give_way(self) -> bool:
        unused = next((each for each in self._of_programs if each.is_idle), None)
        if unused is None:
            return False
        del self._of_programs[unused]
        unused.close()
        return True

    def transfer_link(self, connection: HttpConnection) -> Transport:
        """Return the transport of a connection."""
        return self._connections[connection]

    def closed(self, connection: HttpConnection) -> None:
        """The descriptor of a connection is free."""
        self._connections.pop(connection, None)
        self._of_programs.pop(connection, None)

    def _facts(self) -> ServerFacts:
        fingerprint = self._certificate.ca_fingerprint
        return ServerFacts(
            version=self._version,
            ca=fingerprint.removeprefix("sha256:") if fingerprint else None,
            limited=self._certificate.ca_is_limited,
            access=self._access,
        )

    def _trust(self, site: Site) -> dict[str, Answering]:
        """The CA as files, and the page about it; nothing where the certificate comes without its CA."""
        authority = self._certificate.ca_der
        if authority is None:
            return {}
        facts = TrustFacts(authority, self._certificate.ca_is_limited, site.address(STYLESHEET))
        return {
            PAGE_PATH: InLanguages(lambda language: trust_page(facts, language), PAGE_TYPE),
            PROFILE_PATH: InLanguages(lambda language: profile(facts, language), PROFILE_TYPE),
            CA_PATH: resource(authority, CA_TYPE, pack=False),
            PEM_PATH: resource(ssl.DER_cert_to_PEM_cert(authority).encode(), PEM_TYPE, pack=False),
        }


def redirect(host: str, port: int) -> bytes:
    """Return the answer to a request without TLS: the way to the address with it.

    Of SECURITY_HEADERS it has the short ones. The others, which tell a page what it may do, do not fit into
    MOST_ANSWER_BYTES with a long name: this is plain text, and no page, and who could make one of it on the way can
    take any header away.

    Args:
        host: a name, or an address, an IPv6 one without brackets.
        port: of this server.
    """
    where = f"[{host}]" if ":" in host else host
    body = f"This server speaks HTTPS: open https://{where}:{port}/\n".encode()
    head = response_head(
        307,
        (
            ("Location", f"https://{where}:{port}/"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ),
    )
    return response(head, body, closes=True)
