"""The thin shell around the core: sockets, clock and thread of one client.

The network has a thread of its own and the main thread is left to the user: Python delivers signals (Ctrl-C, the
terminal's SIGWINCH) to the main thread only, the line editor needs them there and restores the terminal when it
unwinds there, and Windows can select no terminal, so one loop for both is impossible. Core, loop and everything that
is told live on the network's thread; the main thread only posts. Nothing is shared, so nothing is locked.
"""

from __future__ import annotations

import datetime as dt
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Sequence

from msgspec import Struct

from securechat.client.core import ClientCore, Output
from securechat.client.happenings import Happening, Loss, LossKind
from securechat.client.intents import Finish, Intent
from securechat.client.keeping import Keeping
from securechat.client.state import Phase
from securechat.errors import RemoteProtocolError, TlsFailure
from securechat.limits import MIB, Limits
from securechat.net.connector import Connecting, connect
from securechat.net.loop import Loop
from securechat.net.sockets import CloseReason
from securechat.net.timers import Timer
from securechat.net.transport import Transport
from securechat.tls.contexts import ClientContext
from securechat.tls.failures import check_protocol, explain
from securechat.wire.native import NativeClientCodec

LIMITS = Limits(
    outbox_hard_bytes=64 * MIB,
    outbox_soft_bytes=32 * MIB,
    outbox_soft_s=3600.0,
    lingering_close_s=1.0,
    drain_s=3.0,
)
"""A client's outbox holds its own lines, bounded by the core; a server that throttles must not look like a slow one."""
_ALERT = "ALERT"
"""In OpenSSL's words for every alert that a peer has sent."""
FAREWELL_S = 2.0
"""For the last bytes after the end: longer than lingering_close_s, so that it decides."""


class Endpoint(Struct, frozen=True):
    """Where to connect, what verified means there, and who remembers what goes well (nobody when None)."""

    host: str
    port: int
    context: ClientContext
    keeping: Keeping | None = None


class Runner:
    """Runs a core against a server.

    Args:
        core: the core, not yet started; afterwards it belongs to the network's thread.
        endpoint: the server.
        listener: told what happened, in order, on the network's thread.
    """

    def __init__(self, core: ClientCore, endpoint: Endpoint, listener: Callable[[Sequence[Happening]], None]) -> None:
        self.core = core
        self.endpoint = endpoint
        self.failure: BaseException | None = None
        self._listener = listener
        self._loop = Loop(LIMITS)
        self._attempt: Connecting | None = None
        self._connection: _Connection | None = None
        self._closing: Transport | None = None
        self._timer: Timer | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    # --- from any thread

    def start(self) -> None:
        """Begin; the core's first tick dials."""
        self._thread.start()

    def post(self, callback: Callable[[], None]) -> None:
        """Run something on the network's thread."""
        if not self._done.is_set():
            self._loop.post(callback)

    def intend(self, intent: Intent) -> None:
        """Tell the core what the user wants."""
        self.post(lambda: self.want(intent))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is over; tell whether it is."""
        return self._done.wait(timeout_s)

    # --- on the network's thread

    def want(self, intent: Intent) -> None:
        """Tell the core what the user wants, now."""
        if self.core.phase is Phase.ENDED and isinstance(intent, Finish):
            self._loop.stop()  # only the farewell was left, and the user will not wait for it
            return
        self.apply(self.core.intend(intent, self._loop.now))

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back once on this thread."""
        return self._loop.call_later(delay_s, callback)

    @property
    def now(self) -> float:
        """Monotonic seconds of this pass."""
        return self._loop.now

    def apply(self, output: Output) -> None:
        """Do what the core wants done, in the order it promises."""
        if self._connection is not None:
            self._connection.send(output)
        if output.happenings:
            self._listener((*output.happenings, *self._keep(output.happenings)))
        if output.hang_up:
            self._hang_up()
        if output.dial:
            self._dial()
        self._rearm()

    def _keep(self, happenings: Sequence[Happening]) -> list[Happening]:
        if self.endpoint.keeping is None:
            return []
        complaints = (self.endpoint.keeping.note(happening) for happening in happenings)
        return [complaint for complaint in complaints if complaint is not None]

    def _run(self) -> None:
        try:
            self._rearm()
            self._loop.run()
        except BaseException as error:  # noqa: BLE001 - told to the main thread, which ends the process with it
            self.failure = error
        finally:
            self._done.set()
            self._listener(())

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.core.phase is Phase.ENDED:
            self._farewell()
        elif (deadline := self.core.deadline()) is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.apply(self.core.tick(self._loop.now))

    def _farewell(self) -> None:
        """The core is done: let the last bytes out, then stop. For somebody in a hurry this pass's flush is enough."""
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None
        if self._closing is None or self.core.hurried:
            self._loop.stop()
        else:
            self._loop.call_later(FAREWELL_S, self._loop.stop)

    # --- the connection

    def _dial(self) -> None:
        host = self.endpoint.host
        self._attempt = connect(
            self._loop, host, self.endpoint.port, self.endpoint.context, host, self._connected, self._not_connected
        )

    def _connected(self, transport: Transport) -> _Connection:
        self._attempt = None
        self._connection = _Connection(self, transport)
        return self._connection

    def _not_connected(self, error: Exception) -> None:
        self._attempt = None
        self.apply(
            self.core.disconnected(loss_of(error, self.endpoint.host, self.endpoint.context.seen), self._loop.now)
        )

    def opened(self, connection: _Connection) -> None:
        """The handshake is over and verified; the protocol must be ours before a byte is said."""
        try:
            check_protocol(connection.transport.alpn, self.endpoint.host)
        except TlsFailure as failure:
            self.drop(connection, Loss(LossKind.TLS, failure.detail, failure))
            return
        self.apply(self.core.connected(self._loop.now))

    def drop(self, connection: _Connection, loss: Loss) -> None:
        """This connection is of no more use."""
        if self._connection is connection:
            self._hang_up()
            self.apply(self.core.disconnected(loss, self._loop.now))

    def lost(self, connection: _Connection, loss: Loss) -> None:
        """The transport is closed."""
        if self._closing is connection.transport:
            self._closing = None
            if self.core.phase is Phase.ENDED:
                self._loop.stop()
        if self._connection is connection:
            self._connection = None
            self.apply(self.core.disconnected(loss, self._loop.now))

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._closing = self._connection.transport
            self._connection = None
            self._closing.close_with()


class _Connection:
    """One verified connection: bytes to events, commands to bytes (net.handler.TransportHandler)."""

    def __init__(self, runner: Runner, transport: Transport) -> None:
        self.transport = transport
        self._runner = runner
        self._codec = NativeClientCodec()

    def send(self, output: Output) -> None:
        """Write commands; the transport joins them at the end of the pass."""
        for command in output.commands:
            self.transport.write(self._codec.encode(command))

    def handshake_done(self) -> None:
        """Verified."""
        self._runner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Decode and hand on every complete event."""
        self._codec.receive_data(data)
        try:
            while (event := self._codec.next_event()) is not None:
                self._runner.apply(self._runner.core.received(event, self._runner.now))
        except RemoteProtocolError as error:
            self._runner.drop(self, Loss(LossKind.NONSENSE, error.detail))

    def backlog_started(self) -> None:
        """The core bounds what is in flight."""

    def backlog_over(self) -> None:
        """The core bounds what is in flight."""

    def outbox_overflow(self) -> None:
        """Beyond LIMITS only by a mistake of ours."""
        self.transport.abort()

    def failed(self) -> None:
        """Never called: this loop contains nothing, a bug ends the client with its traceback."""

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """The transport is closed; only a kernel that gave up counts as silence."""
        error = self.transport.error
        if isinstance(error, ssl.SSLError) and _ALERT in str(error).upper():
            # With TLS 1.3 a server judges our certificate when the handshake is over for us (RFC 8446, 4.4.2.4).
            self._runner.lost(self, loss_of(error, self._runner.endpoint.host))
            return
        kind = LossKind.SILENT if reason is CloseReason.TIMED_OUT else LossKind.CLOSED
        self._runner.lost(self, Loss(kind, detail))


_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}


def loss_of(error: Exception, host: str, certificate: bytes | None = None) -> Loss:
    """Return why a connection was not made; ``certificate`` is the server's leaf (DER) where it was seen."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return Loss(LossKind.HOST_NOT_FOUND, str(error))
    if isinstance(error, ConnectionRefusedError):
        return Loss(LossKind.REFUSED)
    if isinstance(error, TimeoutError):
        return Loss(LossKind.TIMEOUT)
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in _UNREACHABLE:
        return Loss(LossKind.UNREACHABLE, str(error))
    if isinstance(error, ssl.SSLError | TlsFailure | ConnectionError):
        failure = explain(error, host, dt.datetime.now(dt.UTC), certificate)
        return Loss(LossKind.HUNG_UP if _hung_up(error) else LossKind.TLS, failure.detail, failure)
    return Loss(LossKind.UNREACHABLE, str(error))


def _hung_up(error: Exception) -> bool:
    """Whether the peer went away in the middle; a server turns an address away like this, before any TLS."""
    cause = error.__cause__ if isinstance(error, TlsFailure) else error
    return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError)
