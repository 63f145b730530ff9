"""The paths that programs ask, as a connection sees them: requests with bodies, and answers that come later.

`HttpConnection` speaks HTTP and knows no API; what stands behind ``/api/`` and ``/hooks/`` knows neither bytes nor
deadlines. Between them is this port. A request takes two steps, so that a refusal costs no upload:

1. `ProgramPaths.begin` judges it by its head alone, and refuses it with `HttpError`, or returns an `Exchange`.
2. `Exchange.receive` gets the whole body, which `ProgramPaths.most_body` bounds, and answers once, now or later.

A body that is too large to be kept goes another way: `begin` returns a `BodyExchange`, which judges further, and is
given the body in parts as it comes. An answer that is too large to be kept is a `FileAnswer`, which is read as the
client takes it. Both are paced by `securechat.server.web.turns.TransferTurns`.

An error on these paths is formed by `ProgramPaths.error_answer`, also where the connection itself has found it: a body
that came too slowly, say. What is refused at step 1 before its body has come ends the connection, so that the body is
never read as the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeGuard

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


class BodySource(Protocol):
    """The bytes of an answer, read in parts. It is closed once, whatever becomes of the connection."""

    def read(self, offset: int, most_bytes: int, done: Callable[[bytes | None], None]) -> None:
        """Read a part; never a second one before ``done`` was called.

        Args:
            offset: of its first byte; they are asked for one behind the other.
            most_bytes: at most limits.transfer_turn_bytes.
            done: to be called once, on the loop's thread, in this call or later: with 1 to ``most_bytes`` bytes, or
                with None where they cannot be read any more. What comes behind `close` is ignored.
        """

    def close(self) -> None:
        """Nothing more is read; a read may be under way."""


class FileAnswer(Struct, frozen=True):
    """An answer of known length that is read as the client takes it.

    The connection goes on behind it. A source that fails ends it before all bytes have come, so that the client
    notices. Of a HEAD the source is closed and never read.

    Attributes:
        head: status line and headers, as `securechat.wire.http.response_head` makes them; Content-Length is added.
        size_bytes: of the body.
        source: where it comes from; owned by the connection from here on. None, where there is nothing to read.
        offset: of its first byte in the source: of a range.
    """

    head: bytes
    size_bytes: int
    source: BodySource | None
    offset: int = 0


ProgramAnswer: TypeAlias = "Answering | StreamAnswer | FileAnswer"


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


class BodyExchange(Protocol):
    """One request whose body is not kept; what it is given is called in the order of the methods here.

    ``done`` answers it, once and at any time. The body that has not come by then is not taken: the client reads the
    answer, and the connection ends behind it. Behind ``done``, and behind `abandon`, nothing more is called.
    """

    @property
    def answer_s(self) -> float | None:
        """Seconds that ``done`` may take from `end` on, before the client is told 503; None: limits.api_answer_s."""

    def prepare(self, ready: Callable[[], None], done: Callable[[ProgramAnswer], None]) -> None:
        """Judge further; limits.api_answer_s bounds it.

        Args:
            ready: to be called once, on the loop's thread, in this call or later, when the body may come. Only then is
                it read, and `CONTINUE` sent.
            done: to be called once with the answer; before ``ready`` it refuses the request without its body.
        """

    def has_room(self, more: Callable[[], None]) -> bool:
        """Tell whether a part may be read: asked before each, so that a limit of all bodies bounds what is read.

        Args:
            more: to be called on the loop's thread when there is room, if this returns False; then this is asked again.
        """

    def take(self, data: bytes, more: Callable[[], None]) -> bool:
        """Take a part of the body, of 1 to some 24 KiB.

        Args:
            data: the bytes behind the last ones.
            more: to be called on the loop's thread when there is room, if this returns False.

        Returns:
            Whether more may come now; False: nothing further is read until ``more``.
        """

    def end(self) -> None:
        """The body has come whole; follows `take` at once, also where that has returned False."""

    def abandon(self) -> None:
        """The connection has ended, or a deadline has passed: ``done`` need not be called; what has come stays."""


def is_streamed(exchange: Exchange | BodyExchange) -> TypeGuard[BodyExchange]:
    """Whether the body of a request is not kept. Told by one name: ``isinstance`` with a Protocol looks at all."""
    return hasattr(exchange, "take")


class ProgramPaths(Protocol):
    """What stands behind one prefix, or behind all of them."""

    def prepare(self) -> None:
        """Do, in a thread, what a start need not wait for and the loop should not do at the first request."""

    def most_body(self, path: str, method: str) -> int:
        """Return how many bytes of body a request to this path may have.

        Args:
            path: of the request, nothing decoded.
            method: of the request; any token.

        Returns:
            0 with every method, where it is none of these paths; 1 or more with every method otherwise.
        """

    def expect_no_secret(self, request: Request) -> None:
        """Refuse a request with a token in its query, where browsers, proxies and logs keep it. Asked before all else.

        Raises:
            HttpError: 400.
        """

    def is_known(self, request: Request) -> bool:
        """Whether the token of a request, or the key in its path, is known to be good: those are paced by the hub.

        Asked for each request, so it looks at no log. A known request costs the rate of its address a twentieth of a
        page: a page of 50 pictures is 50 requests. Its connection is counted among those of programs, and gives way to
        no browser that only connects.
        """

    def begin(self, request: Request, address: str) -> Exchange | BodyExchange:
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

    def most_body(self, path: str, method: str) -> int:
        """See `ProgramPaths.most_body`."""
        paths = self._behind(path)
        return 0 if paths is None else paths.most_body(path, method)

    def expect_no_secret(self, request: Request) -> None:
        """See `ProgramPaths.expect_no_secret`."""
        self._at(request.path).expect_no_secret(request)

    def is_known(self, request: Request) -> bool:
        """See `ProgramPaths.is_known`."""
        return self._at(request.path).is_known(request)

    def begin(self, request: Request, address: str) -> Exchange | BodyExchange:
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
