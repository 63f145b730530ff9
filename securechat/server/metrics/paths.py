"""``/metrics`` on the server's own port, for programs that have a token with the scope ``metrics``.

The same text as on the listener of its own (`securechat.server.metrics.server`), from another machine and over TLS.
Each request is judged by the hub (`securechat.hub.programs.metrics_access`), and none makes a connection there. Errors
are those of the API. Nothing that makes the text is imported before the first request that is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.errors import Refusal
from securechat.hub.accounts.authentication import LoginKind
from securechat.server.api.answers import ApiAnswer, answer
from securechat.server.api.problems import STATUSES, ProblemError, RefusedError, error_answer
from securechat.server.api.requests import expect_no_secret, token_of
from securechat.server.metrics import CONTENT_TYPE, METRICS_PATH
from securechat.wire.http import METHODS, HttpError, Request

__all__ = ["METRICS_PATH", "MetricsPaths"]

if TYPE_CHECKING:
    from securechat.hub.programs.metrics_access import MetricsAccess
    from securechat.server.api.peer import PeerObserver
    from securechat.server.api.peers import ProgramPeers
    from securechat.server.metrics.server import MetricsSource
    from securechat.server.web.programs import Exchange, ProgramAnswer

_MOST_BODY = 1
"""No request here has a body; 0 would say that the path is no program's."""


class MetricsPaths:
    """The metrics by token; implements `securechat.server.web.programs.ProgramPaths`.

    Args:
        access: judges tokens.
        peers: of all tokens; they count those that are none.
        observer: is told of refusals.
        scraper: makes the text.
    """

    def __init__(
        self,
        access: MetricsAccess,
        peers: ProgramPeers,
        observer: PeerObserver,
        scraper: MetricsSource,
    ) -> None:
        self._access = access
        self._peers = peers
        self._observer = observer
        self._scraper = scraper

    def prepare(self) -> None:
        """See `ProgramPaths.prepare`: most servers have no scraper, and the first scrape has a thread of its own."""

    def most_body(self, path: str, method: str) -> int:  # noqa: ARG002  (there is one path)
        """See `ProgramPaths.most_body`."""
        return _MOST_BODY

    def expect_no_secret(self, request: Request) -> None:
        """See `ProgramPaths.expect_no_secret`."""
        expect_no_secret(request)

    def is_known(self, request: Request) -> bool:
        """See `ProgramPaths.is_known`."""
        try:
            return self._access.is_reader(token_of(request))
        except HttpError:
            return False

    def begin(self, request: Request, address: str) -> Exchange:
        """Judge a request by its head.

        Raises:
            HttpError: it is refused.
        """
        if request.method not in METHODS:
            raise HttpError(405, "Metrics are read with GET.", [("Allow", ", ".join(METHODS))])
        if request.body_bytes:
            raise ProblemError(413, "body_too_large", "This request has no body")
        try:
            wait_s = self._access.take(token_of(request), address)
        except Refusal as refusal:
            if STATUSES[refusal.code] == 401:
                self._peers.note_none(address)
            self._observer.refused(refusal.code, LoginKind.API_TOKEN)
            raise RefusedError(refusal) from None
        if wait_s:
            raise ProblemError(
                429, "rate", "The rate of this token is exceeded. Wait before the next request", retry_after_s=wait_s
            )
        return _Scrape(self._scraper)

    def error_answer(self, error: HttpError) -> ApiAnswer:
        """See `ProgramPaths.error_answer`."""
        return error_answer(error)


class _Scrape:
    """One request for the text; implements `securechat.server.web.programs.Exchange`."""

    def __init__(self, scraper: MetricsSource) -> None:
        self._scraper = scraper
        self._is_over = False

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:  # noqa: ARG002  (there is none)
        """See `Exchange.receive`."""

        def made(text: bytes | None) -> None:
            if not self._is_over:
                done(_answer(text))

        self._scraper.scrape(made)

    def abandon(self) -> None:
        """See `Exchange.abandon`."""
        self._is_over = True


def _answer(text: bytes | None) -> ApiAnswer:
    if text is None:
        failed = "The metrics could not be made; the server's log says why"
        return error_answer(ProblemError(500, "internal", failed))
    return answer(200, text, CONTENT_TYPE)
