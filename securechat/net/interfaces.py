"""The two parties a transport talks to: who speaks over it, and who counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from securechat.net.socket_options import CloseReason
    from securechat.net.transport import Transport


class TransportHandler(Protocol):
    """Whoever speaks over the connection. All calls come on the loop's thread."""

    def handshake_done(self) -> None:
        """The peer is verified as far as the context asks; writing and reading begin."""

    def data_received(self, data: bytes) -> None:
        """Plaintext, at most one record (and at most limits.read_bytes_per_pass) at once."""

    def backlog_started(self) -> None:
        """The socket refused bytes for the first time since the outbox was last empty."""

    def backlog_over(self) -> None:
        """The outbox is empty again after a backlog."""

    def outbox_overflow(self) -> None:
        """Too much waits, or for too long. Called once; answer with ``close_with(last_words, drop_backlog=True)``."""

    def failed(self) -> None:
        """Work for this connection raised; the error is reported already. Answer with ``close_with(last_words)``."""

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """The connection is closed. Exactly once, the last call."""


class TransportOwner(Protocol):
    """Whoever counts connections (the listener)."""

    def hello_heard(self, transport: Transport, *, complete: bool) -> None:
        """The handshake has read all that came and goes on; whether the whole ClientHello was in it."""

    def handshake_over(self, transport: Transport) -> None:
        """The handshake succeeded."""

    def closed(self, transport: Transport) -> None:
        """The descriptor is free; comes just before ``connection_lost``."""


class NullHandler:
    """The handler of a transport that has none yet, or none any more: it hears everything and says nothing."""

    def handshake_done(self) -> None:
        """Nobody minds."""

    def data_received(self, data: bytes) -> None:
        """Nobody listens."""

    def backlog_started(self) -> None:
        """Nobody waits."""

    def backlog_over(self) -> None:
        """Nobody has waited."""

    def outbox_overflow(self) -> None:
        """Nobody has a last word."""

    def failed(self) -> None:
        """Nobody has a last word."""

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """Nobody is told."""


NULL_HANDLER = NullHandler()
