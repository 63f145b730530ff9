"""The paths that programs ask, as a connection sees them: requests with bodies, and answers that come later.

`HttpConnection` speaks HTTP and knows no API; what stands behind ``/api/`` and ``/hooks/`` knows neither bytes nor
deadlines. Between them is this port. A request takes two steps, so that a refusal costs no upload:

1. `ProgramPaths.begin` judges it by its head alone, and refuses it with `HttpError`, or returns an `Exchange`.
2. `Exchange.receive` gets the whole body, which `ProgramPaths.most_body` bounds, and answers once, now or later.

An error on these paths is formed by `ProgramPaths.error_answer`, also where the connection itself has found it: a body
that came too slowly, say. What is refused at step 1 before its body has come ends the connection, so that the body is
never read as the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import Struct

from securechat.wire.http import HttpError, Request

if TYPE_CHECKING:
    from securechat.net.interfaces import TransportHandler
    from securechat.server.session import Link
    from securechat.server.web.site import Answering


class StreamAnswer(Struct, frozen=True):
    """An answer without an end: event streams.

    Attributes:
        head: status line and headers, as `securechat.wire.http.response_head` makes them. The connection ends with the
            stream.
        open: is given the link behind the head; returns the handler that the connection passes everything on to, from
            what the client still sends to its end. It is told ``handshake_done`` first.
    """

    head: bytes
    open: Callable[[Link], TransportHandler]


ProgramAnswer: TypeAlias = "Answering | StreamAnswer"


class Exchange(Protocol):
    """One request that was not refused by its head."""

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:
        """Carry the request out.

        Args:
            body: whole; empty where there is none.
            done: to be called once with the answer, on the loop's thread, in this call or later.
        """

    def abandon(self) -> None:
        """The connection has ended, or the deadline has passed: ``done`` need not be called any more."""


class ProgramPaths(Protocol):
    """What stands behind one prefix, or behind all of them."""

    def prepare(self) -> None:
        """Do, in a thread, what a start need not wait for and the loop should not do at the first request."""

    def most_body(self, path: str) -> int:
        """Return how many bytes of body a request to this path may have; 0: it is none of these paths."""

    def expect_no_secret(self, request: Request) -> None:
        """Refuse a request with a token in its query, where browsers, proxies and logs keep it. Asked before all else.

        Raises:
            HttpError: 400.
        """

    def is_known(self, request: Request) -> bool:
        """Whether the token of a request was found to be good a short while ago: those are paced by the hub."""

    def begin(self, request: Request, address: str) -> Exchange:
        """Judge a request by its head.

        Args:
            request: its host and its origin are this server's.
            address: the network address that it came from.

        Raises:
            HttpError: it is refused; `error_answer` forms the answer.
        """

    def error_answer(self, error: HttpError) -> Answering:
        """Return the answer to a request that was refused, as programs read it."""


class ProgramPrefixes:
    """The paths of programs by their first segment; implements `ProgramPaths` over those of each.

    Args:
        prefixes: ``/api/``, ``/hooks/`` and the one path ``/metrics``, as far as they are served, with what stands
            behind them.
    """

    def __init__(self, prefixes: Mapping[str, ProgramPaths]) -> None:
        self._prefixes = dict(prefixes)

    def prepare(self) -> None:
        """See `ProgramPaths.prepare`."""
        for paths in self._prefixes.values():
            paths.prepare()

    def _behind(self, path: str) -> ProgramPaths | None:
        end = path.find("/", 1) + 1
        return self._prefixes.get(path[:end] if end else path)

    def most_body(self, path: str) -> int:
        """See `ProgramPaths.most_body`."""
        paths = self._behind(path)
        return 0 if paths is None else paths.most_body(path)

    def expect_no_secret(self, request: Request) -> None:
        """See `ProgramPaths.expect_no_secret`."""
        self._at(request.path).expect_no_secret(request)

    def is_known(self, request: Request) -> bool:
        """See `ProgramPaths.is_known`."""
        return self._at(request.path).is_known(request)

    def begin(self, request: Request, address: str) -> Exchange:
        """See `ProgramPaths.begin`."""
        return self._at(request.path).begin(request, address)

    def error_answer(self, error: HttpError) -> Answering:
        """See `ProgramPaths.error_answer`; only for errors with a path of these."""
        assert error.path is not None
        return self._at(error.path).error_answer(error)

    def _at(self, path: str) -> ProgramPaths:
        """What stands behind a path for which `most_body` was not 0."""
        paths = self._behind(path)
        assert paths is not None
        return paths
