"""The HTTP of programs in a simulated process: its connections, API, webhooks and peers of tokens are the real ones.

`securechat.server.web.server.WebServer` is left out with its pages, certificates and counts of connections: what stands
behind the paths of programs asks for none of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from securechat import __version__
from securechat.errors import ErrorCode
from securechat.model import Closing
from securechat.net.transport import Transport
from securechat.server.api import paths as api
from securechat.server.api.files import FilePaths
from securechat.server.api.peers import ProgramPeers
from securechat.server.files import paths as links
from securechat.server.hooks import paths as hooks
from securechat.server.readiness import Readiness
from securechat.server.web.connection import HttpConnection
from securechat.server.web.probes import Probes
from securechat.server.web.programs import ProgramPrefixes
from securechat.server.web.rates import RequestRates
from securechat.server.web.turns import RequestTurns, TransferTurns
from securechat.testing.link import Connection, Death
from tests.simulation.flavour import EVENTS
from tests.simulation.stream_law import WatchedStreams

if TYPE_CHECKING:
    from tests.simulation.server import SimulatedServer


class HttpSide:
    """What all HTTP connections of one process share; a `WebContext`.

    Args:
        server: the process.

    Attributes:
        peers: of tokens.
        connections: those that are open.
    """

    def __init__(self, server: SimulatedServer) -> None:
        loop, limits = server.loop, server.limits
        self.scheduler = self._loop = loop
        self.limits = limits
        self.turns = RequestTurns(loop, loop.containment)
        self.body_turns = RequestTurns(loop, loop.containment)
        self.transfers = TransferTurns(loop, loop.containment, limits)
        self._transports: dict[HttpConnection, Transport] = {}
        self.rates = RequestRates(limits)
        readable: Any = server.log
        self.probes = Probes(Readiness(readable))
        self.socket_path = None
        self.site: Any = None  # no path but those of programs is asked for
        self.hosts: Any = self
        self.peers = ProgramPeers(server.hub, loop, limits, server)
        if EVENTS in server.world.flavour:
            dice = server.world.chance.dice("stream pages", server.rng.random())
            pages = replace(server.world.pages, page_rows=dice.choice((2, 3, 200)))
            law, held = server.world.stream_law, dice.choice((0, 1, 32))
            self.peers.streams = WatchedStreams(law, self.peers.streams, pages, held)
        behind: Any = api.ApiPaths(self.peers, limits, __version__, has_files=server.hub.files is not None)
        prefixes: dict[str, Any] = {
            hooks.PREFIX: hooks.HookPaths(server.hub, limits, self.peers, lambda _word, _ignored: None)
        }
        if (files := server.hub.files) is not None:
            prefixes[links.PREFIX] = links.FileLinkPaths(files, self.peers.note_none)
            behind = FilePaths(files, self.peers, limits, behind)
        self.programs = ProgramPrefixes({api.PREFIX: behind, **prefixes})
        self.connections: dict[HttpConnection, Connection] = {}

    def accept(self, transport: Transport, connection: Connection) -> None:
        """Take a connection."""
        handler = HttpConnection(transport, self)
        self.connections[handler] = connection
        self._transports[handler] = transport
        transport.start(handler)

    def close(self, code: ErrorCode) -> None:
        """The process stops: requests that wait are answered, as far as the log has answered."""
        for handler in list(self.connections):
            handler.close()
        self.peers.close(Closing(code, "the server stops", retry_after_s=1.0))

    def die(self, how: Death) -> list[Connection]:
        """The process is gone; returns its connections."""
        dead = list(self.connections.values())
        for connection in dead:
            connection.die(how)
        return dead

    # --- for connections

    def expect_ours(self, request: Any) -> None:
        """Every host is this one."""

    def visited(self, connection: HttpConnection) -> None:
        """There is no page."""

    def upgraded(self, connection: HttpConnection, left: bytes) -> Any:
        """There is no WebSocket."""
        raise AssertionError("nothing is upgraded here")

    def is_program(self, connection: HttpConnection) -> bool:
        """As many as there are."""
        return True

    def transfer_link(self, connection: HttpConnection) -> Transport:
        """The transport of a connection."""
        return self._transports[connection]

    def closed(self, connection: HttpConnection) -> None:
        """A connection is over."""
        self.connections.pop(connection, None)
        self._transports.pop(connection, None)
