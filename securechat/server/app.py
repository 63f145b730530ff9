"""The server process: certificate, log, hub, listeners and sessions, put together; from start to drain.

Order of a start: certificate, log (which takes the lock on the data directory), listeners, then readiness is told.
Order of an end: accept no more, read no more, let the log answer what it has, tell every client, flush, close the log.
A log that fails ends the process with its own exit code and no further acknowledgement (promise 5).
"""

from __future__ import annotations

import datetime as dt
import gc
import os
import secrets
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING

from securechat import __version__
from securechat.containment import FAN_OUT, HASHING, Failure, Vital, vital
from securechat.errors import ErrorCode, LocalProtocolError, LogError, Refusal, TlsFailure
from securechat.hub.accounts.authentication import LoginKind
from securechat.hub.context import HubContext
from securechat.hub.hub import Hub
from securechat.hub.interfaces import AuthenticationSettings
from securechat.hub.wall_clock import WallClock
from securechat.model import Closing
from securechat.net.broadcast import write_all
from securechat.net.connection_limits import ConnectionLimits, Denial
from securechat.net.descriptors import descriptor_limit
from securechat.net.listener import Listener, named_twice
from securechat.net.loop import Loop
from securechat.net.pending_connections import PendingConnections
from securechat.net.systemd import ServiceManager
from securechat.net.timers import Timer
from securechat.net.transport import Transport
from securechat.net.unix_socket import UnixSocketUnavailable
from securechat.programs import certifying
from securechat.server.addresses import advertised, cannot_listen, host_of, publicity
from securechat.server.admin_protocol import SOCKET
from securechat.server.admin_socket import AdminServer, ProcessInfo, facts_of
from securechat.server.banner import banner, endpoint, unnamed, web_host
from securechat.server.broadcaster import Broadcaster
from securechat.server.clock_file import doubt_sentence, read_time, since_boot_s, write_time
from securechat.server.config.loading import ServerConfig
from securechat.server.console import Console
from securechat.server.hangup import LOOK_S, TerminalWatcher, controlling_terminal, was_hung_up
from securechat.server.metrics.counters import EventCounters
from securechat.server.metrics.service import MetricsUnavailable, ServerMetrics
from securechat.server.operator_log import OperatorLog, other_ca
from securechat.server.password_hashing import Argon2Hasher
from securechat.server.qr_code import SIGNS as QR_SIGNS
from securechat.server.readiness import Readiness, ServerPhase
from securechat.server.session import Session
from securechat.server.web.server import WEB_CODECS, WebServer, redirect
from securechat.storage.sqlite.store import utc_ms
from securechat.storage.threaded_log import ThreadedLog
from securechat.text.confusables import preload
from securechat.text.counts import counted
from securechat.text.refusals import refusal_for
from securechat.tls.client_certificates import proven_fingerprint
from securechat.tls.contexts import WEB_ALPN, ServerCertificate
from securechat.tls.local_addresses import private_addresses
from securechat.translation import Sentence, sentence_of
from securechat.wire.negotiation import CODECS, CodecTable

if TYPE_CHECKING:
    from securechat.server.api.peers import ProgramPeers
    from securechat.server.files.service import ServerFiles
    from securechat.server.outgoing.service import OutgoingService
    from securechat.server.web.programs import ProgramPrefixes

_SWITCH_INTERVAL_S = 0.0005
"""GIL switch interval: a busy loop costs a commit 1.3 ms with it, 5.8 ms with Python's 5 ms (measured)."""
_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_CLOCK_LOOK_S = 60.0
"""Seconds between two looks at the clock: a jump is told within a minute, before many messages carry it."""
_TIDY_S = 600.0
"""Seconds after the start, so that the first housekeeping does not delay clients that reconnect."""
_RECONNECT_S = 1.0
"""Before a client connects again to a server that stops: a restart takes about that long."""
_CROWDED_S = 60.0
"""Before a browser connects again to a server that has too many connections of its address."""
_LAST_PASSES = 1_000
"""Of the loop after it has failed: a thousand clients need some fifty, a loop that fails at once gets no further."""
_DRAIN_LOOK_S = 0.01
"""Seconds between two looks whether a drain has got further."""


class ExitCode(IntEnum):
    """The exit codes of a server process; docs/operations.md explains each."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    CERTIFICATE = 3
    LOG = 4
    ADDRESS = 5
    OUTPUT = 6
    STOPPED_AT_ONCE = 130


class StartFailure(Exception):
    """The server cannot start; the sentence gives the reason and the remedy. It is for a person, and not logged."""

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Server:
    """One server.

    Args:
        config: its settings; ``config.cert`` must be set.
        console: receives a line per event.

    Raises:
        StartFailure: the certificate, the log or an address cannot be used.
    """

    def __init__(self, config: ServerConfig, console: Console) -> None:
        self._config = config
        self._console = console
        self._certificate = _load_certificate(config)
        self._loop = Loop(config.limits, on_error=self._failed, on_slow_pass=self._warn)
        self._operator_log = OperatorLog(console, show_messages=config.show_messages)
        self._counters = EventCounters()
        self._sessions: dict[Session, Transport] = {}
        self._listeners: list[Listener] = []
        self._exit_code = ExitCode.OK
        self._draining = False
        self._service = ServiceManager(os.environ)
        self._admin_server: AdminServer | None = None
        self._started_at = time.monotonic()
        self._terminal: TerminalWatcher | None = None
        self._tick_timer: Timer | None = None
        self._tick_at = self._remember_at = 0.0
        self._clock_doubted = False
        self._log = ThreadedLog(
            config.data,
            config.limits,
            self._post_for_log,
            at_pass_end=self._at_pass_end_for_log,
            wall_ms=WallClock(utc_ms, since_boot_s).now_ms,
            on_warning=self._warn,
            on_notice=lambda sentence: console.event("notice", sentence),
        )
        self._readiness = Readiness(self._log)
        self._files = self._take_files()
        self._hasher = Argon2Hasher(config.limits, self._loop.post, self._hashing_failed)
        context = HubContext(
            self._log,
            Broadcaster(write_all, self._left_out, self._loop.containment.contain),
            self._operator_log,
            config.limits,
            authentication=AuthenticationSettings(
                config.access, self._hasher, secrets.token_bytes, utc_ms, time.monotonic, self._proven
            ),
            alarm=self._alarm,
            server=f"securechat/{__version__}",
            rates=config.rates,
            containment=self._loop.containment,
            **({} if self._files is None else self._files.for_hub()),
        )
        self._hub = Hub(context)
        self._loop.on_pass = self._hub.begin_pass
        self._pending = PendingConnections(
            self._loop,
            ConnectionLimits(
                config.limits,
                descriptor_limit() - config.limits.reserved_descriptors,
                behind_proxy=bool(config.web_hosts),
            ),
            context_for=self._context_for,
            on_transport=self._accepted,
            web_alpn=WEB_ALPN if config.web else None,
            on_denied=self._denied,
        )
        self._metrics = ServerMetrics(
            config,
            self._loop,
            self._readiness,
            self._pending,
            context,
            self._log,
            self._hasher,
            self._certificate,
            self._counters,
            lambda: 0 if self._program_peers is None else len(self._program_peers.streams),
        )
        self._program_peers: ProgramPeers | None = None
        self._web = self._web_server() if config.web else None
        self._outgoing: OutgoingService | None = None

    def _web_server(self) -> WebServer:
        return WebServer(
            self._loop,
            self._pending,
            self._certificate,
            self._config.web_hosts,
            version=__version__,
            access=self._config.access.value,
            on_visit=self._visited,
            upgrade=self._upgraded,
            readiness=self._readiness,
            programs=self._program_paths(),
        )

    def _program_paths(self) -> ProgramPrefixes | None:
        """What stands behind the paths of programs; nothing of it is imported where there are none."""
        if not (self._config.api or self._config.webhooks or self._files is not None):
            return None
        from securechat.server.program_paths import ProgramServices, program_paths  # noqa: PLC0415

        self._program_peers, paths = program_paths(
            ProgramServices(self._config, self._hub, self._loop, self, self._metrics, self._counters, self._files)
        )
        return paths

    def _take_files(self) -> ServerFiles | None:
        if not (self._config.files and self._config.web):
            return None
        from securechat.server.files.service import ServerFiles  # noqa: PLC0415 - a server may take no files

        return ServerFiles(self._config, self._loop, self._console, self._warn)

    def _feed_outgoing(self) -> None:
        """Begin to deliver outgoing webhooks. Raises: StartFailure, the file of webhook_ca cannot be used."""
        from securechat.server.outgoing.service import OutgoingService  # noqa: PLC0415 - a server may have none

        log, counters = self._operator_log, self._counters
        try:
            self._outgoing = OutgoingService(self._config, self._hub.outgoing, self._loop, counters, log)
        except TlsFailure as failure:
            raise StartFailure(ExitCode.CERTIFICATE, Sentence("webhook_ca: {why}", why=failure.detail)) from failure

    # --- Running ----------------------------------------------------------------------------------------------------

    def run(self) -> ExitCode:
        """Serve until a signal or a failure; return the exit code.

        Raises:
            StartFailure: see the class.
        """
        try:
            state = self._log.start(
                vital(Vital.FAN_OUT, self._hub.on_commit), vital(Vital.LOG_FAILURE, self._log_failed)
            )
        except LogError as error:
            raise StartFailure(ExitCode.LOG, sentence_of(error)) from error
        try:
            self._hub.restore(state, self._loop.now, utc_ms(), read_time(self._config.data))
            self._install_signals()
            self._open_admin_socket()
            self._listen()
            self._serve_metrics()
            if self._config.webhooks:
                self._feed_outgoing()
            self._announce()
            self._answer_without_tls()
            self._look_at_certificate()
            self._look_at_clock()
            if self._files is not None and self._hub.files is not None:
                self._files.start(self._hub.files)
            self._loop.call_later(_TIDY_S, self._tidy)
            sys.setswitchinterval(_SWITCH_INTERVAL_S)
            gc.enable()
            gc.collect()
            gc.freeze()
            self._console.at_pass_end = self._loop.call_before_flush
            threading.Thread(target=self._prepare, name="prepares", daemon=True).start()
            self._readiness.phase = ServerPhase.SERVING
            self._service.ready(f"{counted(len(self._listeners), 'address')}, access {self._config.access}")
            self._serve()
        finally:
            self._console.at_pass_end = None
            self._accept_no_more()
            self._metrics.close()
            self._hasher.close()
            if self._outgoing is not None:
                self._outgoing.close()
            if self._exit_code is not ExitCode.LOG:
                self._close_log()
            if self._log.failure is not None and self._exit_code is not ExitCode.LOG:
                self._exit_code = ExitCode.LOG
                self._console.event("error", f"the message log failed while it was closed: {self._log.failure}")
            if self._files is not None:
                self._files.close()
            if self._admin_server is not None:
                self._admin_server.close()
        self._remember_time()
        self._console.event("stopped", "all acknowledged messages are stored" if self._clean else "after a failure")
        return self._exit_code

    def _prepare(self) -> None:
        """Do, in a thread, what a start need not wait for."""
        if self._web is not None:
            self._web.prepare()
        self._metrics.prepare()
        preload()

    @property
    def _clean(self) -> bool:
        return self._exit_code is ExitCode.OK

    def _serve(self) -> None:
        """Run the loop. When vital work fails, tell the clients as far as possible, and return."""
        try:
            self._loop.run()
        except Exception as error:  # noqa: BLE001  (of every kind, clients must be told)
            if self._exit_code is ExitCode.OK:
                self._exit_code = ExitCode.INTERNAL
            self._service.stopping()
            self._operator_log.stops_after(error)
            self._say_last_words()

    def _say_last_words(self) -> None:
        """Close every connection with a sentence. The loop has failed: it runs for that alone, and may fail again."""
        self._accept_no_more()
        for session, transport in list(self._sessions.items()):
            with suppress(Exception):
                self._close_session(session, transport, refusal_for("internal_stopping", retry_after_s=_RECONNECT_S))
        if self._program_peers is not None:
            with suppress(Exception):
                refusal = refusal_for("internal_stopping", retry_after_s=_RECONNECT_S)
                self._program_peers.close(Closing.of(refusal))
        deadline = time.monotonic() + self._config.limits.lingering_close_s
        for _ in range(_LAST_PASSES):
            if not self._sessions or time.monotonic() >= deadline:
                break
            with suppress(Exception):
                self._loop.run_pass(0.1)

    def _close_log(self) -> None:
        try:
            self._log.close()
        except Exception as error:
            if self._exit_code is not ExitCode.INTERNAL:
                raise
            self._operator_log.failed(Failure("close", "the log", error), self._loop.now)  # what stopped us, once more

    def _post_for_log(self, callback: Callable[[], None]) -> None:
        self._loop.post(vital(Vital.LOG, callback))

    def _at_pass_end_for_log(self, callback: Callable[[], None]) -> None:
        self._loop.call_before_flush(vital(Vital.LOG, callback))

    def _accept_no_more(self) -> None:
        self._readiness.phase = ServerPhase.STOPPING
        for listener in self._listeners:
            listener.close()
        self._pending.close()
        if self._web is not None:
            self._web.close()

    def _listen(self) -> None:
        hosts = self._config.hosts or tuple(str(address) for address in private_addresses())
        port = self._config.port
        if (twice := named_twice(hosts)) is not None:
            raise StartFailure(ExitCode.ADDRESS, Sentence("cannot listen: {why}", why=twice))
        for host in hosts:
            try:
                listener = Listener(self._loop, host, port, self._pending)
            except OSError as error:
                raise StartFailure(ExitCode.ADDRESS, cannot_listen(host, port, error)) from error
            self._listeners.append(listener)
            port = listener.port  # with port 0 the first one chooses for all
            self._console.event(
                "listening", f"on {endpoint(host, listener.port)}", address=endpoint(host, listener.port)
            )
            if (warning := publicity(host)) is not None:
                self._warn(warning)

    def _serve_metrics(self) -> None:
        """Listen for scrapers, where the operator wants that."""
        try:
            address = self._metrics.listen()
        except MetricsUnavailable as error:
            raise StartFailure(ExitCode.ADDRESS, sentence_of(error)) from error
        if address is not None:
            self._console.event("metrics", f"on http://{address}/metrics", address=address)

    def _open_admin_socket(self) -> None:
        """Open the operator's socket; a server without one serves all the same."""
        try:
            self._admin_server = AdminServer(
                self._loop, self._config.data / SOCKET, self._hub.admin_commands, self._facts, self._stop_in_order
            )
        except UnixSocketUnavailable as reason:
            self._warn(f"securechat-admin cannot reach this server: {reason}")

    def _facts(self) -> ProcessInfo:
        addresses = (endpoint(str(listener.address[0]), listener.port) for listener in self._listeners)
        return facts_of(
            self._config,
            self._certificate,
            addresses,
            self._started_at,
            self._log.index_trouble,
            self._hub.clock.doubt(),
        )

    def _announce(self) -> None:
        addresses = [
            (host, listener.port) for listener in self._listeners for host in advertised(host_of(listener.address))
        ]
        certificate = self._certificate
        self._console.block(
            banner(
                __version__,
                addresses,
                certificate.ca_fingerprint,
                certificate.names,
                is_public=certificate.is_public,
                web=self._web is not None,
                draws=self._console.draws(QR_SIGNS),
            )
        )
        made_here = self._config.cert if certificate.made_here else None
        for warning in (*certificate.doubts, unnamed(addresses, certificate.names, made_here=made_here)):
            if warning is not None:
                self._warn(warning)
        if not self._config.rates:
            self._console.event("notice", "message rates are off (--rate-limit off)")

    def _answer_without_tls(self) -> None:
        """Lead browsers that come without TLS to the address that other machines use, else to the first name."""
        if self._web is None:
            return
        port = self._listeners[0].port
        addresses = [(host, port) for listener in self._listeners for host in advertised(host_of(listener.address))]
        self._pending.plain_answers.text = redirect(web_host(addresses, self._certificate.names), port)

    def _proven(self, key: str, proof: str, sender_id: int) -> str | None:
        """See `AuthenticationSettings.proven`.

        A server whose file does not carry its CA asks for no certificates.
        """
        authority = self._certificate.ca_fingerprint
        return None if authority is None else proven_fingerprint(key, proof, authority, sender_id)

    def _context_for(self, offers: tuple[str, ...] | None) -> ssl.SSLContext:
        if self._web is not None and offers is not None and WEB_ALPN in offers:
            return self._certificate.web_context
        return self._certificate.context

    def _accepted(self, transport: Transport, offers: tuple[str, ...] | None) -> None:
        web = self._web
        if web is not None and offers is not None and WEB_ALPN in offers:
            transport.start(web.accepted(transport))
        elif web is not None and offers is None:
            transport.start(web.undecided(transport, self._session_for))
        else:
            transport.start(self._session_for(transport))

    def _session_for(self, transport: Transport, codecs: CodecTable = CODECS) -> Session:
        label = endpoint(str(transport.peer[0]), int(transport.peer[1]))
        session = Session(self._hub, transport, self._loop, self._config.limits, self, label, codecs)
        self._sessions[session] = transport
        return session

    def _upgraded(self, transport: Transport, left: bytes) -> Session:
        """A browser's connection becomes a session, which may be told at once that there are too many."""
        denial = self._pending.web_upgraded(transport)
        session = self._session_for(transport, WEB_CODECS)
        transport.hand_over(session)
        session.handshake_done()
        if denial is not None:
            self._denied(transport.address, denial)
            session.close(Closing.of(refusal_for("too_many_connections", retry_after_s=_CROWDED_S)))
        elif left:
            session.data_received(left)
        return session

    def _denied(self, address: str, denial: Denial) -> None:
        self._counters.denied_connection(denial)
        self._operator_log.denied(address, denial, self._loop.now)

    def _visited(self, origin: str, label: str) -> None:
        self._operator_log.visited(origin, label, self._loop.now)

    def connected(self, session: Session) -> None:
        """A session's TLS handshake is done."""
        self._operator_log.connected(session)

    def disconnected(self, session: Session, name: str, reason: str, detail: str) -> None:
        """A session is over."""
        del self._sessions[session]
        self._counters.disconnected(reason)
        self._operator_log.disconnected(session, name, reason, detail)

    def logged_in(self, kind: LoginKind) -> None:
        """A hello was accepted."""
        self._counters.logged_in(kind)

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        """A request was refused."""
        self._counters.refused(code, login)

    def stream_closed(self, code: ErrorCode) -> None:
        """An event stream was closed with a last event."""
        self._counters.stream_closed(code)

    def _alarm(self, when: float) -> None:
        """The hub wants to be called at ``when``."""
        if self._tick_timer is None or when < self._tick_at:
            if self._tick_timer is not None:
                self._tick_timer.cancel()
            self._tick_at = when
            self._tick_timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._tick_timer = None
        self._hub.tick()

    def _tidy(self) -> None:
        """Remove expired records once a day, and a while after the start, while the clock is not doubted."""
        held_back = self._hub.clock.doubt() is not None
        self._loop.call_later(_HOUR_S if held_back else _DAY_S, self._tidy)  # first: should it fail, it is tried again
        self._hub.tidy()

    def _look_at_clock(self) -> None:
        """Store the time once an hour, or warn the operator when the clock is doubted."""
        doubt = self._hub.clock.doubt()
        if self._loop.now >= self._remember_at:
            self._remember_at = self._loop.now + _HOUR_S
            self._remember_time()
        if doubt is None:
            if self._clock_doubted:
                self._console.event("notice", "the clock agrees with the data directory again")
        elif not self._clock_doubted:
            self._warn(doubt_sentence(doubt))
        self._clock_doubted = doubt is not None
        self._loop.call_later(_CLOCK_LOOK_S, self._look_at_clock)

    def _remember_time(self) -> None:
        if self._hub.clock.doubt() is None:
            write_time(self._config.data, utc_ms())

    # --- Signals ----------------------------------------------------------------------------------------------------

    def _install_signals(self) -> None:
        signal.set_wakeup_fd(self._loop.wakeup_fileno(), warn_on_full_buffer=False)
        for name in ("SIGINT", "SIGTERM"):
            signal.signal(getattr(signal, name), lambda *_: self._asked_to_stop())
        if sys.platform != "win32":
            self._terminal = controlling_terminal()
            self._look_at_terminal(self._terminal)
            signal.signal(signal.SIGHUP, lambda *_: self._loop.post(self._hung_up))
            if was_hung_up():
                self._loop.post(self._hung_up)

    def _asked_to_stop(self) -> None:
        if self._draining:
            os._exit(ExitCode.STOPPED_AT_ONCE)
        self._draining = True
        self._loop.post(vital(Vital.STOPPING, self._drain))

    def _stop_in_order(self) -> None:
        if not self._draining:
            self._asked_to_stop()

    def _hung_up(self) -> None:
        """Handle SIGHUP: stop with the terminal of this process, or read the certificate again."""
        if self._terminal is not None and self._terminal.was_closed:
            self._stop_in_order()
        else:
            self._reload()

    def _look_at_terminal(self, terminal: TerminalWatcher) -> None:
        terminal.look()
        if terminal.watched:
            self._loop.call_later(LOOK_S, lambda: self._look_at_terminal(terminal))

    def _reload(self) -> None:
        self._service.reloading()
        before = self._certificate.ca_fingerprint
        try:
            self._certificate.reload()
        except TlsFailure as failure:
            self._console.event("error", f"the certificate was NOT renewed, the old one stays in use: {failure.detail}")
            self._service.ready("the certificate was not renewed, the old one stays in use")
            return
        if self._web is not None:
            self._web.renewed()
            self._answer_without_tls()
        self._service.ready("a new certificate is in use")
        self._console.event("notice", f"new certificate in use, valid until {self._certificate.not_after:%Y-%m-%d}")
        for doubt in self._certificate.doubts:
            self._warn(doubt)
        if (now := self._certificate.ca_fingerprint) != before:
            self._warn(other_ca(before, now))
        self._look_at_certificate(repeat=False)

    def _look_at_certificate(self, *, repeat: bool = True) -> None:
        now = dt.datetime.now(dt.UTC)
        days = self._certificate.days_left(now)
        if self._certificate.is_late(now):
            when = f"expires in {counted(round(days), 'day')}" if days > 0 else "has expired"
            self._warn(
                f"the certificate {when} ({self._certificate.not_after:%Y-%m-%d}); {self._certificate.renewal} and send"
                " this process SIGHUP"
            )
        if repeat:
            self._loop.call_later(_DAY_S, self._look_at_certificate)

    # --- The end ----------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Stop accepting and reading; drafts that the log has are still answered."""
        self._service.stopping()
        self._console.event(
            "stopping", f"disconnecting {counted(len(self._sessions), 'client')}; a second signal stops at once"
        )
        self._accept_no_more()
        if self._outgoing is not None:
            self._outgoing.stop()
        for session in self._sessions:
            session.stop_taking()
        self._wait_for_log(self._loop.now + self._config.limits.drain_s / 2)

    def _wait_for_log(self, deadline: float) -> None:
        if self._hub.unsettled and self._loop.now < deadline:
            self._loop.call_later(_DRAIN_LOOK_S, vital(Vital.STOPPING, lambda: self._wait_for_log(deadline)))
            return
        self._close_sessions(refusal_for("shutting_down", retry_after_s=_RECONNECT_S))
        self._wait_for_clients(self._loop.now + self._config.limits.drain_s / 2)

    def _close_sessions(self, refusal: Refusal) -> None:
        if self._program_peers is not None:
            self._program_peers.close(Closing.of(refusal))
        for session, transport in list(self._sessions.items()):
            try:
                self._close_session(session, transport, refusal)
            except Exception as error:  # noqa: BLE001  (the other clients must be told all the same)
                self._loop.containment.contain(transport, error)

    def _close_session(self, session: Session, transport: Transport, refusal: Refusal) -> None:
        is_member = self._hub.is_member(session)  # asked before: a closed session is none
        session.close(Closing.of(refusal))
        if not is_member:
            transport.abort()

    def _wait_for_clients(self, deadline: float) -> None:
        is_answering = self._web is not None and self._web.is_answering
        if not (self._sessions or is_answering) or self._loop.now >= deadline:
            for transport in list(self._sessions.values()):
                transport.abort()
            if self._web is not None:
                self._web.cut()
            self._metrics.close()  # last: until here a probe is told that the server stops
            self._loop.stop()
            return
        self._loop.call_later(_DRAIN_LOOK_S, vital(Vital.STOPPING, lambda: self._wait_for_clients(deadline)))

    def _log_failed(self, error: Exception) -> None:
        """The log cannot keep its promise: tell all clients and stop (promise 5)."""
        if self._exit_code is ExitCode.LOG:
            return
        self._exit_code = ExitCode.LOG
        self._console.event(
            "error",
            f"the message log failed and the server stops, as no message may be acknowledged and then lost: {error}",
        )
        self._accept_no_more()
        self._close_sessions(refusal_for("log_failed", retry_after_s=_RECONNECT_S))
        self._wait_for_clients(self._loop.now + self._config.limits.lingering_close_s)

    def _failed(self, failure: Failure) -> None:
        """An exception cost one connection, or work that the server can do without."""
        self._operator_log.failed(failure, self._loop.now)

    def _hashing_failed(self, error: Exception) -> None:
        self._loop.containment.report(HASHING, "the password hasher", error)

    def _left_out(self, error: LocalProtocolError) -> None:
        self._loop.containment.report(FAN_OUT, "an event that fits into no frame", error)

    def _warn(self, sentence: str) -> None:
        self._console.event("warning", sentence)


def _load_certificate(config: ServerConfig) -> ServerCertificate:
    try:
        return ServerCertificate(config.cert, config.key, tls12=config.tls12, alpn=CODECS.alpn_offers)
    except TlsFailure as failure:
        sentence: str = failure.detail
        makes_one = certifying(config.cert)
        if ";" not in sentence and makes_one not in sentence:
            sentence = Sentence(
                "{problem}; the server needs the server.pem that `{certs}` writes", problem=sentence, certs=makes_one
            )
        raise StartFailure(ExitCode.CERTIFICATE, sentence) from failure
