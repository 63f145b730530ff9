"""A connection whose client offers no protocol in its TLS handshake: its first bytes tell whether it speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securechat.net.interfaces import TransportHandler
    from securechat.net.socket_options import CloseReason
    from securechat.net.transport import Transport
    from securechat.server.session import Cancellable, Scheduler

_HTTP_BEGINS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")
"""None begins a native connection: as a length these words would be over a gigabyte."""


class FirstBytes:
    """The handler until the protocol is known.

    Args:
        transport: the connection.
        scheduler: of the loop.
        wait_s: for the first bytes; then it is no HTTP.
        web: makes the handler of HTTP.
        other: makes the handler of everything else.
        on_over: told when it is one of both, or closed.
    """

    __slots__ = (
        "_data", "_handshaking", "_next", "_on_over", "_other", "_scheduler", "_timer", "_transport", "_wait_s", "_web",
    )  # fmt: skip

    def __init__(
        self,
        transport: Transport,
        scheduler: Scheduler,
        wait_s: float,
        *,
        web: Callable[[Transport], TransportHandler],
        other: Callable[[Transport], TransportHandler],
        on_over: Callable[[FirstBytes], None],
    ) -> None:
        self._transport = transport
        self._scheduler = scheduler
        self._wait_s = wait_s
        self._web = web
        self._other = other
        self._on_over = on_over
        self._data = b""
        self._handshaking = True
        self._next: TransportHandler | None = None
        self._timer: Cancellable | None = None

    def handshake_done(self) -> None:
        """Wait for the first bytes. Who closes without any owes no hello: see `Session`."""
        self._handshaking = False
        self._transport.owes_hello = False
        self._timer = self._scheduler.call_later(self._wait_s, self._late)

    def data_received(self, data: bytes) -> None:
        """Take bytes until they tell the protocol."""
        if self._next is not None:  # the transport notices a new handler only at its next read
            self._next.data_received(data)
            return
        self._data += data
        self._transport.owes_hello = True
        if self._data.startswith(_HTTP_BEGINS):
            self._choose(self._web)
        elif not any(word.startswith(self._data) for word in _HTTP_BEGINS):
            self._choose(self._other)

    def _choose(self, make: Callable[[Transport], TransportHandler]) -> None:
        self._over()
        self._next = handler = make(self._transport)
        self._transport.hand_over(handler)
        handler.handshake_done()
        if self._data:
            handler.data_received(self._data)

    def _late(self) -> None:
        self._choose(self._other)

    def _over(self) -> None:
        self._on_over(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Close: the server stops."""
        self._over()
        self._transport.close_with()

    def backlog_started(self) -> None:
        """Nothing is written yet."""

    def backlog_over(self) -> None:
        """Nothing is written yet."""

    def outbox_overflow(self) -> None:
        """Nothing is written yet."""

    def failed(self) -> None:
        """No protocol is known to say it in."""
        self._transport.close_with()

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """The connection is closed; a handshake that failed is told as any other client's."""
        if self._handshaking:
            self._other(self._transport).connection_lost(reason, detail)
        self._over()

    @property
    def label(self) -> str:
        """Address and port."""
        return self._transport.label

    def fail(self) -> None:
        """Close after work for this client raised; see `securechat.containment.Owner`."""
        self._transport.fail()
