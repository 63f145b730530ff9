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

from securechat.client.core.actions import Action, LeaveChat
from securechat.client.core.client import ClientCore, CoreOutput
from securechat.client.core.events.connection import Disconnect, DisconnectReason, UiEvent
from securechat.client.core.state import ConnectionPhase
from securechat.client.local_store import StateRecorder
from securechat.errors import RemoteProtocolError, TlsFailure
from securechat.limits import MIB, Limits
from securechat.net.connector import OutgoingConnection, connect
from securechat.net.loop import Loop
from securechat.net.socket_options import CloseReason
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


class ServerTarget(Struct, frozen=True):
    """Where to connect, what verified means there, and who remembers what goes well (nobody when None)."""

    host: str
    port: int
    context: ClientContext
    state_recorder: StateRecorder | None = None


class NetworkThread:
    """Runs a core against a server.

    Args:
        core: the core, not yet started; afterwards it belongs to the network's thread.
        server_target: the server.
        listener: told what happened, in order, on the network's thread.
    """

    def __init__(
        self, core: ClientCore, server_target: ServerTarget, listener: Callable[[Sequence[UiEvent]], None]
    ) -> None:
        self.core = core
        self.server_target = server_target
        self.failure: BaseException | None = None
        self._listener = listener
        self._loop = Loop(LIMITS)
        self._attempt: OutgoingConnection | None = None
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

    def act(self, action: Action) -> None:
        """Tell the core what the user wants."""
        self.post(lambda: self.want(action))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is over; tell whether it is."""
        return self._done.wait(timeout_s)

    # --- on the network's thread

    def want(self, action: Action) -> None:
        """Tell the core what the user wants, now."""
        if self.core.phase is ConnectionPhase.ENDED and isinstance(action, LeaveChat):
            self._loop.stop()  # only the farewell was left, and the user will not wait for it
            return
        self.apply(self.core.act(action, self._loop.now))

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back once on this thread."""
        return self._loop.call_later(delay_s, callback)

    @property
    def now(self) -> float:
        """Monotonic seconds of this pass."""
        return self._loop.now

    def apply(self, output: CoreOutput) -> None:
        """Do what the core wants done, in the order it promises."""
        if self._connection is not None:
            self._connection.send(output)
        if output.ui_events:
            self._listener((*output.ui_events, *self._keep(output.ui_events)))
        if output.hang_up:
            self._hang_up()
        if output.dial:
            self._dial()
        self._rearm()

    def _keep(self, ui_events: Sequence[UiEvent]) -> list[UiEvent]:
        if self.server_target.state_recorder is None:
            return []
        complaints = (self.server_target.state_recorder.note(ui_event) for ui_event in ui_events)
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
        if self.core.phase is ConnectionPhase.ENDED:
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
        host = self.server_target.host
        self._attempt = connect(
            self._loop,
            host,
            self.server_target.port,
            self.server_target.context,
            host,
            self._connected,
            self._not_connected,
        )

    def _connected(self, transport: Transport) -> _Connection:
        self._attempt = None
        self._connection = _Connection(self, transport)
        return self._connection

    def _not_connected(self, error: Exception) -> None:
        self._attempt = None
        self.apply(
            self.core.disconnected(
                loss_of(error, self.server_target.host, self.server_target.context.seen), self._loop.now
            )
        )

    def opened(self, connection: _Connection) -> None:
        """The handshake is over and verified; the protocol must be ours before a byte is said."""
        try:
            check_protocol(connection.transport.alpn, self.server_target.host)
        except TlsFailure as failure:
            self.drop(connection, Disconnect(DisconnectReason.TLS, failure.detail, failure))
            return
        self.apply(self.core.connected(self._loop.now))

    def drop(self, connection: _Connection, loss: Disconnect) -> None:
        """This connection is of no more use."""
        if self._connection is connection:
            self._hang_up()
            self.apply(self.core.disconnected(loss, self._loop.now))

    def lost(self, connection: _Connection, loss: Disconnect) -> None:
        """The transport is closed."""
        if self._closing is connection.transport:
            self._closing = None
            if self.core.phase is ConnectionPhase.ENDED:
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

    def __init__(self, network: NetworkThread, transport: Transport) -> None:
        self.transport = transport
        self._network = network
        self._codec = NativeClientCodec()

    def send(self, output: CoreOutput) -> None:
        """Write commands; the transport joins them at the end of the pass."""
        for command in output.commands:
            self.transport.write(self._codec.encode(command))

    def handshake_done(self) -> None:
        """Verified."""
        self._network.opened(self)

    def data_received(self, data: bytes) -> None:
        """Decode and hand on every complete event."""
        self._codec.receive_data(data)
        try:
            while (event := self._codec.next_event()) is not None:
                self._network.apply(self._network.core.received(event, self._network.now))
        except RemoteProtocolError as error:
            self._network.drop(self, Disconnect(DisconnectReason.NONSENSE, error.detail))

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
            self._network.lost(self, loss_of(error, self._network.server_target.host))
            return
        kind = DisconnectReason.SILENT if reason is CloseReason.TIMED_OUT else DisconnectReason.CLOSED
        self._network.lost(self, Disconnect(kind, detail))


_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}


def loss_of(error: Exception, host: str, certificate: bytes | None = None) -> Disconnect:
    """Return why a connection was not made; ``certificate`` is the server's leaf (DER) where it was seen."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return Disconnect(DisconnectReason.HOST_NOT_FOUND, str(error))
    if isinstance(error, ConnectionRefusedError):
        return Disconnect(DisconnectReason.REFUSED)
    if isinstance(error, TimeoutError):
        return Disconnect(DisconnectReason.TIMEOUT)
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in _UNREACHABLE:
        return Disconnect(DisconnectReason.UNREACHABLE, str(error))
    if isinstance(error, ssl.SSLError | TlsFailure | ConnectionError):
        failure = explain(error, host, dt.datetime.now(dt.UTC), certificate)
        return Disconnect(
            DisconnectReason.HUNG_UP if _hung_up(error) else DisconnectReason.TLS, failure.detail, failure
        )
    return Disconnect(DisconnectReason.UNREACHABLE, str(error))


def _hung_up(error: Exception) -> bool:
    """Whether the peer went away in the middle; a server turns an address away like this, before any TLS."""
    cause = error.__cause__ if isinstance(error, TlsFailure) else error
    return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError)
