"""Runs the client core on a thread with a real socket and clock.

The network has a thread of its own and the main thread is left to the user interface: Python delivers signals (Ctrl-C,
the terminal's SIGWINCH) to the main thread only, the line editor needs them there and restores the terminal when it
unwinds there, and Windows cannot select a terminal, so one loop for both is impossible. Core, loop and listeners run on
the network's thread; the main thread only posts. They share nothing, so they need no lock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Sequence

from msgspec import Struct

from securechat.client.core.actions import Action, LeaveChat
from securechat.client.core.client import ClientCore, CoreOutput
from securechat.client.core.events import UiEvent
from securechat.client.core.events.connection import Disconnect, DisconnectReason
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
from securechat.tls.hostnames import name_in_certificate
from securechat.wire.native import NativeClientCodec

LIMITS = Limits(
    outbox_hard_bytes=64 * MIB,
    outbox_soft_bytes=32 * MIB,
    outbox_soft_s=3600.0,
    lingering_close_s=1.0,
    drain_s=3.0,
)
"""A client's outbox holds only its own messages, bounded by the core; a throttling server must not count as slow."""
_ALERT = "ALERT"
"""OpenSSL's word in every alert that a peer has sent."""
FAREWELL_S = 2.0
"""Time to send the last bytes; longer than lingering_close_s, so that the transport ends first."""


class ServerTarget(Struct, frozen=True):
    """The server to connect to, how to verify it, and the recorder of successful logins (None for none).

    ``ca`` is the path of a file with its CA, quoted for a shell; None where that came from no file, and empty where
    this machine trusts it anyway. ``ca_pem`` is the CA itself, for connections that carry files; none is trusted where
    it is empty.
    """

    host: str
    port: int
    context: ClientContext
    state_recorder: StateRecorder | None = None
    ca: str | None = None
    ca_pem: str = ""


class NetworkThread:
    """Runs a core against a server.

    Args:
        core: the core, not yet started; from then on it belongs to the network's thread.
        server_target: the server.
        listener: receives UI events, in order, on the network's thread.
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
        """Start the thread; the core's first tick connects."""
        self._thread.start()

    def post(self, callback: Callable[[], None]) -> None:
        """Run a callable on the network's thread."""
        if not self._done.is_set():
            self._loop.post(callback)

    def act(self, action: Action) -> None:
        """Pass an action to the core, from any thread."""
        self.post(lambda: self.want(action))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the session is over; tell whether it is."""
        return self._done.wait(timeout_s)

    # --- on the network's thread

    def want(self, action: Action) -> None:
        """Pass an action to the core, on the network's thread."""
        if self.core.phase is ConnectionPhase.ENDED and isinstance(action, LeaveChat):
            self._loop.stop()  # only the last bytes were left, and the user does not wait for them
            return
        self.apply(self.core.act(action, self._loop.now))

    @property
    def tls_version(self) -> str:
        """TLS version of the present connection, such as ``TLSv1.3``; empty without one."""
        return (self._connection.transport.tls_version or "") if self._connection is not None else ""

    def keep_language(self, code: str) -> str:
        """Have the language remembered; returns why it is not, empty when it is or where nothing is remembered."""
        recorder = self.server_target.state_recorder
        return recorder.keep_language(code) if recorder is not None else ""

    def pause(self) -> bool:
        """Read nothing more from the present connection; tell whether there is one."""
        if self._connection is not None:
            self._connection.transport.pause_reading()
        return self._connection is not None

    def resume(self) -> None:
        """Read on."""
        if self._connection is not None:
            self._connection.transport.resume_reading()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back once on the network's thread."""
        return self._loop.call_later(delay_s, callback)

    @property
    def now(self) -> float:
        """Monotonic seconds of this pass."""
        return self._loop.now

    def apply(self, output: CoreOutput) -> None:
        """Carry out the core's output, in the order it promises."""
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
        except BaseException as error:  # noqa: BLE001 - passed to the main thread, which ends the process with it
            self.failure = error
        finally:
            self._release()
            self._done.set()
            self._listener(())

    def _release(self) -> None:
        """Close every descriptor: a program may go on without this session."""
        if self._attempt is not None:
            self._attempt.cancel()
        for transport in (self._closing, self._connection.transport if self._connection is not None else None):
            if transport is not None:
                transport.abort()
        with contextlib.suppress(Exception):  # the thread may have ended with a bug, which is told by `failure`
            self._loop.run_pass(0.0)
        self._loop.close()

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
        """Send the last bytes of a finished core, then stop. A user who does not wait gets only this pass's flush."""
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
            name_in_certificate(host),
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
        """Start the protocol after a verified handshake, if the server chose it."""
        try:
            check_protocol(connection.transport.alpn, self.server_target.host)
        except TlsFailure as failure:
            self.drop(connection, Disconnect(DisconnectReason.TLS, failure.detail, failure))
            return
        self.apply(self.core.connected(self._loop.now))

    def drop(self, connection: _Connection, loss: Disconnect) -> None:
        """Close this connection, which is no longer usable."""
        if self._connection is connection:
            self._hang_up()
            self.apply(self.core.disconnected(loss, self._loop.now))

    def lost(self, connection: _Connection, loss: Disconnect) -> None:
        """Report a closed transport to the core."""
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
    """One verified connection: bytes to events, commands to bytes (net.interfaces.TransportHandler)."""

    def __init__(self, network: NetworkThread, transport: Transport) -> None:
        self.transport = transport
        self._network = network
        self._codec = NativeClientCodec()

    def send(self, output: CoreOutput) -> None:
        """Write commands; the transport joins them at the end of the pass."""
        for command in output.commands:
            self.transport.write(self._codec.encode(command))

    def handshake_done(self) -> None:
        """The connection is verified."""
        self._network.opened(self)

    def data_received(self, data: bytes) -> None:
        """Decode the input and pass on every complete event."""
        self._codec.receive_data(data)
        try:
            while (event := self._codec.next_event()) is not None:
                self._network.apply(self._network.core.received(event, self._network.now))
        except RemoteProtocolError as error:
            self._network.drop(self, Disconnect(DisconnectReason.NONSENSE, error.detail))

    def backlog_started(self) -> None:
        """Ignore the event: the core bounds what is unacknowledged."""

    def backlog_over(self) -> None:
        """Ignore the event: the core bounds what is unacknowledged."""

    def outbox_overflow(self) -> None:
        """Only a bug can exceed LIMITS."""
        self.transport.abort()

    def failed(self) -> None:
        """Do nothing: this loop contains no exceptions, a bug ends the client with its traceback."""

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """Report the closed transport; only a timeout of the kernel counts as silence."""
        error = self.transport.error
        if isinstance(error, ssl.SSLError) and _ALERT in str(error).upper():
            # With TLS 1.3 a server checks the client's certificate after the client's own handshake is over (RFC 8446,
            # 4.4.2.4).
            self._network.lost(self, loss_of(error, self._network.server_target.host))
            return
        kind = DisconnectReason.SILENT if reason is CloseReason.TIMED_OUT else DisconnectReason.CLOSED
        self._network.lost(self, Disconnect(kind, detail))


_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}


def loss_of(error: Exception, host: str, chain: Sequence[bytes] = ()) -> Disconnect:
    """Return why a connection failed; ``chain`` are the server's certificates (DER, leaf first) if they were seen."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return Disconnect(DisconnectReason.HOST_NOT_FOUND, str(error))
    if isinstance(error, ConnectionRefusedError):
        return Disconnect(DisconnectReason.REFUSED)
    if isinstance(error, TimeoutError):
        return Disconnect(DisconnectReason.TIMEOUT)
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in _UNREACHABLE:
        return Disconnect(DisconnectReason.UNREACHABLE, str(error))
    if isinstance(error, ssl.SSLError | TlsFailure | ConnectionError):
        failure = explain(error, host, dt.datetime.now(dt.UTC), chain)
        return Disconnect(
            DisconnectReason.HUNG_UP if _hung_up(error) else DisconnectReason.TLS, failure.detail, failure
        )
    return Disconnect(DisconnectReason.UNREACHABLE, str(error))


def _hung_up(error: Exception) -> bool:
    """Whether the peer closed during the handshake; a server that denies an address does so, before any TLS."""
    cause = error.__cause__ if isinstance(error, TlsFailure) else error
    return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError)
