"""The interfaces between the loop, the transports, their handlers and their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from securechat.containment import Owner

if TYPE_CHECKING:
    from securechat.net.socket_options import CloseReason


class LoopConnection(Owner, Protocol):
    """A connection as the loop runs it: one method per step of a pass."""

    def ready_again(self) -> None:
        """Read the rest that the last pass left."""

    def step_handshake(self) -> None:
        """Run one step of the TLS handshake."""

    def flush(self) -> None:
        """Send what is queued."""

    def overflow(self) -> None:
        """Close, because too much is queued."""

    def finish(self) -> None:
        """Close the descriptor; the last call."""


TransportT_contra = TypeVar("TransportT_contra", bound=LoopConnection, contravariant=True)


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


class TransportOwner(Protocol[TransportT_contra]):
    """The owner of transports, which counts them (the listener's `PendingConnections`)."""

    def hello_heard(self, transport: TransportT_contra, *, complete: bool) -> None:
        """The handshake has processed all input and goes on; ``complete``: the whole ClientHello has arrived."""

    def handshake_over(self, transport: TransportT_contra) -> None:
        """The handshake succeeded."""

    def closed(self, transport: TransportT_contra) -> None:
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
