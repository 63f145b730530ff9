"""One request of a program, between the connection that it came on and the peer of its token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.server.api.peer import ProgramPeer, ProgramRequest, RefusalAnswer, Steps
from securechat.server.api.problems import refused_as_problem

if TYPE_CHECKING:
    from securechat.server.web.programs import ProgramAnswer


class ProgramExchange:
    """Carries one request out through the peer of its token; implements `securechat.server.web.programs.Exchange`.

    Args:
        peer: has counted the request with `ProgramPeer.enter`; it leaves when it has its answer or is abandoned.
        address: the network address that it came from.
        steps: return what it does with its body.
        refused: forms the answer to a refusal.
    """

    def __init__(
        self,
        peer: ProgramPeer,
        address: str,
        steps: Callable[[bytes], Steps],
        refused: RefusalAnswer = refused_as_problem,
    ) -> None:
        self._peer = peer
        self._address = address
        self._steps = steps
        self._refused = refused
        self._request: ProgramRequest | None = None
        self._is_over = False

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:
        """See `Exchange.receive`."""

        def answered(made: ProgramAnswer) -> None:
            self._leave()
            done(made)

        self._request = self._peer.carry_out(
            self._address, lambda: self._steps(body), answered, self._refused, body_bytes=len(body)
        )

    def abandon(self) -> None:
        """See `Exchange.abandon`."""
        if self._request is not None:
            self._request.abandon()
        self._leave()

    def _leave(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._peer.leave()
