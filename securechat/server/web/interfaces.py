"""The interfaces of a connection that speaks HTTP: its transport, and all that connections share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from securechat.server.session import Link

if TYPE_CHECKING:
    from securechat.limits import Limits
    from securechat.net.interfaces import TransportHandler
    from securechat.server.session import Scheduler
    from securechat.server.web.probes import Probes
    from securechat.server.web.programs import ProgramPaths
    from securechat.server.web.site import Answering
    from securechat.server.web.transfers import TransferLink
    from securechat.server.web.turns import RequestTurns, TransferTurns
    from securechat.wire.http import Request


ConnectionT_contra = TypeVar("ConnectionT_contra", contravariant=True)
"""`securechat.server.web.connection.HttpConnection`, which imports this module."""


class WebLink(Link, Protocol):
    """The part of its transport that a connection uses."""

    @property
    def label(self) -> str:
        """Address and port, for the operator."""

    def abort(self) -> None:
        """Close at once."""


class DeferredAnswer(Protocol):
    """An answer that another thread makes."""

    def await_made(self, done: Callable[[Answering], None]) -> None:
        """Have ``done`` called once with the answer, on the loop's thread, now or later."""


class AnsweringSite(Protocol):
    """What is served."""

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes | DeferredAnswer:
        """Return the answer to a request; see `securechat.wire.http.response`."""

    def is_file(self, path: str) -> bool:
        """Whether a request for this path costs FILE_COST only."""


class ServedHosts(Protocol):
    """The hosts that are answered."""

    def expect_ours(self, request: Request) -> None:
        """Check a request's Host and Origin.

        Raises:
            HttpError: 421 or 403.
        """


class Rates(Protocol):
    """The rate of requests."""

    def take(self, origin: str, cost: float, now: float) -> float:
        """Count a request; see `RequestRates.take`."""


class WebContext(Protocol[ConnectionT_contra]):
    """What all connections share; see `securechat.server.web.server`."""

    @property
    def limits(self) -> Limits:
        """The limits of this server."""

    @property
    def scheduler(self) -> Scheduler:
        """Timers and the time of this pass."""

    @property
    def hosts(self) -> ServedHosts:
        """The hosts that are answered for now."""

    @property
    def site(self) -> AnsweringSite:
        """What is served."""

    @property
    def probes(self) -> Probes:
        """The paths that are answered under any host."""

    @property
    def socket_path(self) -> str | None:
        """Where a WebSocket is opened; None: nowhere."""

    @property
    def programs(self) -> ProgramPaths | None:
        """What programs ask; None: they are not served."""

    @property
    def turns(self) -> RequestTurns:
        """The turns of a pass."""

    @property
    def body_turns(self) -> RequestTurns:
        """Those of bodies, which are larger than heads: small requests do not wait behind them."""

    @property
    def transfers(self) -> TransferTurns:
        """Those of uploads and downloads."""

    @property
    def rates(self) -> Rates:
        """The rates of addresses."""

    def visited(self, connection: ConnectionT_contra) -> None:
        """A page was loaded."""

    def upgraded(self, connection: ConnectionT_contra, left: bytes) -> TransportHandler:
        """Have a session go on with a connection, behind the answer; this one is over.

        Args:
            connection: which one.
            left: what has come behind the request.
        """

    def is_program(self, connection: ConnectionT_contra) -> bool:
        """Count a connection as a program's, used now; False where there are as many as may be."""

    def transfer_link(self, connection: ConnectionT_contra) -> TransferLink:
        """Return the transport of a connection with a request to programs."""

    def closed(self, connection: ConnectionT_contra) -> None:
        """The descriptor is free."""
