"""The interfaces a transport calls: the handler of its connection, and its owner, which counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from securechat.net.socket_options import CloseReason
    from securechat.net.transport import Transport


class TransportHandler(Protocol):
    """The handler of a connection, such as a session. All calls come on the loop's thread."""

    def handshake_done(self) -> None:
        """The peer is verified as the context demands; writing and reading begin."""

    def data_received(self, data: bytes) -> None:
        """Plaintext, at most one record (and at most limits.read_bytes_per_pass) at once."""

    def backlog_started(self) -> None:
        """The socket refused bytes for the first time since the outbox was last empty."""

    def backlog_over(self) -> None:
        """The outbox is empty again after a backlog."""

    def outbox_overflow(self) -> None:
        """The outbox is over a limit. Called once; answer with ``close_with(last_words, drop_backlog=True)``."""

    def failed(self) -> None:
        """Work for this connection raised an exception, already reported. Answer with ``close_with(last_words)``."""

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """The connection is closed. Called exactly once, last."""


class TransportOwner(Protocol):
    """The owner of transports, which counts them (the listener's `PendingConnections`)."""

    def hello_heard(self, transport: Transport, *, complete: bool) -> None:
        """The handshake has processed all input and goes on; ``complete``: the whole ClientHello has arrived."""

    def handshake_over(self, transport: Transport) -> None:
        """The handshake succeeded."""

    def closed(self, transport: Transport) -> None:
        """The descriptor is free; called just before ``connection_lost``."""


class NullHandler:
    """A handler that ignores every event, used before a handler is set and after the connection is closed."""

    def handshake_done(self) -> None:
        """Ignore the event."""

    def data_received(self, data: bytes) -> None:
        """Ignore the event."""

    def backlog_started(self) -> None:
        """Ignore the event."""

    def backlog_over(self) -> None:
        """Ignore the event."""

    def outbox_overflow(self) -> None:
        """Ignore the event."""

    def failed(self) -> None:
        """Ignore the event."""

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """Ignore the event."""


NULL_HANDLER = NullHandler()
