"""One TLS connection on the loop: reads, queued writes, and a graceful close.

Two pitfalls of ``SSLSocket`` are handled here only. The selector does not see bytes that OpenSSL has already decrypted,
so a transport that stopped reading with some left goes on the loop's ready-again list: at its pass budget, and on
resume. And a refused write must be repeated with the same bytes first: :mod:`securechat.net.outbox` keeps them.

Reading: one record a wake-up; up to the end of the input only for peers that sent more than one record last time. The
read that ends in "would block" costs an exception (about 0.4 us a delivery in rooms of ten), and saves thirty times as
much when a sender pipelines. One wake-up in PROBE_EVERY checks whether pipelining has begun. Writing: `Transport.write`
only queues; the flush step at the end of the pass joins and sends, one record a send. Only a refused write registers
for writability.

:mod:`securechat.net.tls_handshake` runs the handshake, :mod:`securechat.net.slow_readers` judges backlogs, and
:mod:`securechat.net.graceful_close` closes (flush, close_notify, FIN, read and discard, close).
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from securechat.net.graceful_close import GracefulClose
from securechat.net.interfaces import NULL_HANDLER, TransportHandler, TransportOwner
from securechat.net.loop import EVENT_READ, EVENT_WRITE
from securechat.net.outbox import TLS_RECORD_BYTES, Outbox
from securechat.net.slow_readers import SendBacklog
from securechat.net.socket_options import CloseReason, begin_tls, label_of_peer, reason_of
from securechat.net.socket_options import ConnectionState as _State
from securechat.net.tls_handshake import Handshake, TlsParameters

if TYPE_CHECKING:
    from securechat.net.loop import Loop

__all__ = ["CloseReason", "Transport", "TransportHandler", "TransportOwner"]

_JOINED_CHUNKS = 64  # more are longer than a record, as a rule, and need not be counted for that
_RECORD_COST_BYTES = 512  # least cost in the pass budget: 60,000 records of one byte held the loop for 380 ms
WAITS_FOR_BYTES = sys.platform == "linux"
"""SO_RCVLOWAT (socket(7)): Linux reports fewer when the window is full or memory is short (tcp_epollin_ready)."""
PROBE_EVERY = 8
"""Wake-ups between two probes for a second record: 1/8 of a failed read (about 2 us) is below the noise."""


class Transport:
    """One connection.

    Args:
        loop: the loop whose thread runs it.
        sock: a connected TCP socket; taken over, also when the constructor raises.
        peer: its address tuple.
        context: the TLS settings.
        server_hostname: the name to verify. Given on the client side, and only there.
        owner: told when the handshake is over and when the descriptor is free.

    Attributes:
        alpn: the protocol that ALPN selected, after the handshake; None when none was.
        tls_version: such as ``"TLSv1.3"``, after the handshake.
        peer_certificate: DER of the peer's verified certificate, after the handshake; None when it showed none.
        error: the exception that ended the connection, where there was one.
        owes_hello: whether a close now counts as a failed hello; set by the handler. A peer that connects, sends
            nothing and closes in good order (to learn a CA by its pin) owes nothing.

    Raises:
        OSError, ValueError: the socket is already dead, or TLS cannot be started with these arguments.
    """

    __slots__ = (
        "_again_pass", "_append", "_backlog", "_blocked", "_bulk", "_detail", "_dirty", "_graceful_close", "_handler",
        "_handshake", "_interest", "_least_bytes", "_loop", "_on_readable", "_outbox", "_owner", "_probe",
        "_read_wants_write", "_reading", "_reason", "_sendable", "_sock", "_state", "_unread_bytes",
        "_write_wants_read", "_writing", "address", "alpn", "error", "owes_hello", "peer", "peer_certificate",
        "tls_version",
    )  # fmt: skip

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        peer: tuple[Any, ...],
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        owner: TransportOwner[Transport] | None = None,
    ) -> None:
        self._sock = begin_tls(sock, context, server_hostname, loop.limits)
        self.peer = peer
        self.address = str(peer[0]) if peer else ""
        self.alpn: str | None = None
        self.tls_version: str | None = None
        self.peer_certificate: bytes | None = None
        self.error: Exception | None = None
        self.owes_hello = True
        self._loop = loop
        self._owner = owner
        self._handler: TransportHandler = NULL_HANDLER
        self._state = _State.NEW
        self._outbox = Outbox()
        self._append = self._outbox.append
        self._writing = True  # write() still queues
        self._dirty = False
        self._reading = True
        self._on_readable: Callable[[], None] | None = None  # while paused: what waits for input
        self._least_bytes = 1  # below this the selector does not report the socket
        self._unread_bytes = 0  # that the peer may still send when this side closes
        self._interest = 0  # the events registered with the selector; 0: not registered
        self._again_pass = 0  # the pass that added this to the ready-again list; 0: not on it
        self._bulk = False
        self._probe = 0
        self._sendable = False  # the handshake is over and the socket has refused nothing
        self._blocked = False  # the socket refused our bytes
        self._backlog: SendBacklog | None = None  # since the socket refused our bytes, until the outbox is empty
        self._read_wants_write = False
        self._write_wants_read = False
        self._handshake: Handshake[Transport] | None = None  # while it is under way
        self._graceful_close: GracefulClose | None = None  # since this side closes
        self._reason = CloseReason.LOCAL
        self._detail = ""

    # --- for the handler

    @property
    def queued_bytes(self) -> int:
        """Bytes that the socket has not accepted yet."""
        return self._outbox.size_bytes

    @property
    def is_open(self) -> bool:
        """Whether the handshake is done and neither side has begun to close."""
        return self._state is _State.OPEN

    def start(self, handler: TransportHandler) -> None:
        """Begin the handshake, under limits.handshake_timeout_s."""
        self._handler = handler
        self._state = _State.HANDSHAKING
        self._handshake = Handshake(self._loop, self._sock, self, self.handshake_late, self._owner)
        self._watch()
        if not self._sock.server_side:  # the client speaks first
            self._handshake.queue()

    def hand_over(self, handler: TransportHandler) -> None:
        """Replace the handler."""
        self._handler = handler

    def write(self, data: bytes | memoryview) -> None:
        """Queue whole frames for the flush at the end of this pass. Ignored once closing has begun."""
        if self._writing:
            self._append(data)
            if not self._dirty:
                self._dirty = True
                self._loop.dirty.append(self)

    def pause_reading(self) -> None:
        """Stop delivering immediately, even within this pass."""
        # The registration stays until the selector reports the socket: a short pause then costs no system call.
        if self._state is _State.OPEN:
            self._reading = False
            self._again_pass = 0

    def resume_reading(self) -> None:
        """Deliver again, beginning with already decrypted bytes."""
        if self._state is _State.OPEN and not self._reading:
            self._reading = True
            self._on_readable = None
            self._report_from(1)
            self._watch()
            self._again_pass = self._loop.passes
            self._loop.again.appendleft(self)

    def read_paused(self, most_bytes: int) -> bytes:
        """Read now, while delivery is paused: for a handler that shares turns with others.

        Args:
            most_bytes: one record is read at most.

        Returns:
            What was read; empty where reading would block, and where the connection is closing.
        """
        if self._state is not _State.OPEN or self._read_wants_write:
            return b""
        try:
            data = self._sock.recv(min(most_bytes, TLS_RECORD_BYTES))
        except ssl.SSLWantReadError:
            return b""
        except OSError as exc:
            self._read_refused(exc)
            return b""
        if not data:
            self._peer_says_bye()
            return b""
        self._loop.reads += 1
        self._loop.bytes_in += len(data)
        return data

    def await_readable(self, callback: Callable[[], None], least_bytes: int = 1) -> None:
        """Have ``callback`` called once, while delivery is paused, when there may be something to read.

        To be called when `read_paused` has returned nothing: only then are no decrypted bytes left, which the selector
        does not see.

        Args:
            callback: called for the end of the connection, too.
            least_bytes: of TLS records; fewer are reported where the system cannot wait for so many, or keep them.
        """
        if self._state is _State.OPEN and not self._reading:
            self._on_readable = callback
            self._report_from(least_bytes)
            self._watch()

    def _report_from(self, least_bytes: int) -> None:
        if least_bytes != self._least_bytes and WAITS_FOR_BYTES:
            self._least_bytes = least_bytes
            with suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least_bytes)

    def linger_for(self, unread_bytes: int) -> None:
        """Have the next `close_with` discard so many bytes more of what the peer is sending, so that it reads on.

        They must come within limits.upload_stall_s, and without a break of limits.lingering_close_s.
        """
        self._unread_bytes = unread_bytes

    def close_with(self, last_words: bytes = b"", drop_backlog: bool = False) -> None:
        """Send ``last_words`` after all queued bytes, and close so that the peer receives them. Never blocks.

        Ends after limits.lingering_close_s without progress, after limits.drain_s in all. ``data_received`` is not
        called any more; ``connection_lost`` follows when the descriptor is free.

        Args:
            last_words: whole frames.
            drop_backlog: drop queued chunks that are not partly sent, so that the last words come next.
        """
        if self._state in (_State.NEW, _State.HANDSHAKING):
            self._end(CloseReason.LOCAL, "closed before the handshake was over")
        elif self._state is _State.OPEN:
            if drop_backlog:
                self._outbox.clear_unsent()
            if last_words:
                self.write(last_words)
            self._begin_close(CloseReason.LOCAL, "closed by this side")

    def abort(self) -> None:
        """Close at once, losing unsent bytes."""
        self._end(CloseReason.LOCAL, "aborted")

    @property
    def label(self) -> str:
        """The peer's address and port."""
        return label_of_peer(self.peer)

    def fail(self) -> None:
        """Let the handler close with last words, if it can: work for this connection raised an exception."""
        state = self._state
        try:
            if state is _State.OPEN:
                self._handler.failed()
        finally:
            if self._state is state:  # close even if the handler did not
                self._end(CloseReason.INTERNAL, "an internal error of this program")

    # --- for the loop

    def ready(self, events: int) -> None:
        """Handle events that the selector reports for the socket."""
        if self._handshake is not None:
            self._handshake.queue()
            return
        if events & EVENT_WRITE:
            if self._read_wants_write:
                self._read_wants_write = False
                self._watch()
                self._read()
            self._unblock()
        if events & EVENT_READ:
            if self._write_wants_read:
                self._write_wants_read = False
                self._unblock()
            self._read()

    def ready_again(self) -> None:
        """Take this transport's turn on the ready-again list, unless the selector or a pause came first."""
        if 0 < self._again_pass < self._loop.passes:
            self._read()

    def step_handshake(self) -> None:
        """Run the handshake as far as the received bytes allow."""
        if self._handshake is None:  # it ended meanwhile
            return
        self._read_wants_write = False
        try:
            agreement = self._handshake.step()
        except ssl.SSLWantReadError:
            self._watch()
        except (OSError, ValueError) as exc:
            self._read_refused(exc)
        else:
            self._handshake_over(agreement)

    @property
    def handshake_queued(self) -> bool:
        """Whether bytes of the peer's handshake wait for their turn."""
        return self._handshake is not None and self._handshake.queued

    def handshake_late(self) -> None:
        """End the handshake at its deadline."""
        if self._state is _State.HANDSHAKING:
            self._end(CloseReason.HANDSHAKE_TIMEOUT, "the TLS handshake took too long")

    def flush(self) -> None:
        """Send queued bytes, at most limits.write_bytes_per_pass.

        A broadcast calls this once a member. So what nearly every call meets stands first: a few whole chunks, one
        record at most, that the socket takes whole. It uses the outbox's own list: 0.4 us instead of 0.55 (measured).
        """
        self._dirty = False
        if not self._sendable:
            self._measure()  # nothing can be sent: only count the added bytes
            return
        outbox = self._outbox
        chunks = outbox.chunks
        count = len(chunks)
        if not 0 < count <= _JOINED_CHUNKS or not self._writing or self._backlog is not None or outbox.in_flight:
            self._flush_pieces(outbox)
            return
        if (len(chunks[0]) if count == 1 else sum(map(len, chunks))) > TLS_RECORD_BYTES:
            self._flush_pieces(outbox)
            return
        piece = chunks[0] if count == 1 else b"".join(chunks)
        try:
            sent_bytes = self._sock.send(piece)
        except OSError as exc:
            outbox.take(TLS_RECORD_BYTES)  # the same bytes, which must be repeated
            self._write_refused(exc)
            return
        loop = self._loop
        loop.writes += 1
        loop.bytes_out += sent_bytes
        if sent_bytes == len(piece):
            outbox.sent_whole()
        else:
            outbox.take(TLS_RECORD_BYTES)
            outbox.accepted(sent_bytes)
            self._flushed()

    def _flush_pieces(self, outbox: Outbox) -> None:
        """Send queued bytes piece by piece."""
        loop = self._loop
        left_bytes = loop.limits.write_bytes_per_pass
        more = True
        try:
            while left_bytes > 0 and (piece := outbox.take(TLS_RECORD_BYTES)):
                sent_bytes = self._sock.send(piece)
                loop.writes += 1
                loop.bytes_out += sent_bytes
                more = outbox.accepted(sent_bytes)
                if not more:
                    break
                left_bytes -= sent_bytes
        except OSError as exc:
            self._write_refused(exc)
            return
        if more or self._backlog or not self._writing:
            self._flushed()

    def _flushed(self) -> None:
        """Handle the state after a flush that the socket did not refuse."""
        if self._outbox:
            self._mark_dirty()  # the budget is spent, but the socket would take more
            self._measure()
        elif self._backlog is not None:
            self._backlog_over()
        graceful_close = self._graceful_close
        if graceful_close is not None and self._state is _State.CLOSING and not self._outbox:
            if graceful_close.close_notify():
                self._linger(graceful_close)
            else:
                self._block()

    def overflow(self) -> None:
        """Report the outbox as too large to the handler, once."""
        if self._state is not _State.OPEN:
            return
        self._handler.outbox_overflow()
        if self._state is _State.OPEN:  # close even if the handler did not
            self._end(CloseReason.SLOW_READER, "the peer does not read what it is sent")

    def finish(self) -> None:
        """Close the descriptor and report it, at the end of the pass."""
        self._sock.close()
        if self._owner is not None:
            self._owner.closed(self)
        handler, self._handler = self._handler, NULL_HANDLER
        handler.connection_lost(self._reason, self._detail)

    # --- handshake

    def _handshake_over(self, agreement: TlsParameters) -> None:
        self._forget_handshake()
        self._state = _State.OPEN
        self._sendable = True
        if self._outbox:
            self._mark_dirty()
        self.alpn, self.tls_version, self.peer_certificate = agreement
        self._watch()
        if self._owner is not None:
            self._owner.handshake_over(self)
        self._handler.handshake_done()

    def _forget_handshake(self) -> None:
        if self._handshake is not None:
            self._handshake.over()
            self._handshake = None

    # --- reading

    def _read(self) -> None:
        self._again_pass = 0
        if self._state is not _State.OPEN:
            self._discard()
        elif self._reading:
            self._receive()
        elif (on_readable := self._on_readable) is not None:
            self._on_readable = None  # the registration stays, as after a pause: it may wait again in this pass
            on_readable()
        else:
            self._watch()  # paused: now the registration goes

    def _receive(self) -> None:
        """Deliver until reading would block, the budget is spent, or the handler pauses."""
        loop = self._loop
        deliver = self._handler.data_received
        receive = self._sock.recv
        left_bytes = loop.limits.read_bytes_per_pass
        at_once = min(TLS_RECORD_BYTES, left_bytes)
        to_the_end = self._bulk or self._probe <= 0
        records = 0
        while True:
            try:
                data = receive(at_once)
            except ssl.SSLWantReadError:
                break
            except OSError as exc:
                self._read_refused(exc)
                return
            if not data:
                self._peer_says_bye()
                return
            records += 1
            loop.reads += 1
            loop.bytes_in += len(data)
            deliver(data)
            if not self._reading or self._state is not _State.OPEN:  # the handler paused or closed
                return
            # Less than was asked for: the record is complete, and OpenSSL reads no further than one record.
            if len(data) < at_once and not to_the_end:
                break
            left_bytes -= max(len(data), _RECORD_COST_BYTES)
            if left_bytes <= 0:
                self._again_pass = loop.passes
                loop.again.append(self)
                return
        if to_the_end:
            self._bulk = records > 1
            self._probe = PROBE_EVERY
        else:
            self._probe -= 1

    def _read_refused(self, exc: Exception) -> None:
        if isinstance(exc, ssl.SSLWantWriteError):
            self._read_wants_write = True
            self._watch()
        else:
            self._fail(exc)

    def _peer_says_bye(self) -> None:
        """Handle the peer's close_notify: it sends no more, but still reads."""
        self._begin_close(CloseReason.PEER_CLOSED, "closed by the peer", peer_closed=True)

    def _discard(self) -> None:
        """While closing: discard the peer's input within the bounds of the graceful close."""
        if self._state is _State.CLOSED or self._graceful_close is None or not self._graceful_close.discard():
            return
        if self._state is _State.LINGERING:
            self._end()
        else:
            self._reading = False
            self._watch()

    # --- writing

    def _mark_dirty(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._loop.dirty.append(self)

    def _write_refused(self, exc: OSError) -> None:
        if isinstance(exc, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
            self._write_wants_read = isinstance(exc, ssl.SSLWantReadError)
            self._block()
        else:
            self._fail(exc)

    def _block(self) -> None:
        """Note that the socket is full."""
        self._blocked = True
        self._sendable = False
        self._watch()
        if self._backlog is None:
            loop = self._loop
            self._backlog = SendBacklog(loop.backlogs, loop.limits, loop.call_later, self, self._mark_dirty)
            if self._state is _State.OPEN:
                self._handler.backlog_started()
        self._measure()

    def _unblock(self) -> None:
        if self._blocked:
            self._blocked = False
            self._sendable = True
            if self._graceful_close is not None:
                self._graceful_close.progressed()
            self._mark_dirty()  # registration ends when the outbox is empty: usually the next write fills it again

    def _backlog_over(self) -> None:
        self._forget_backlog()
        self._watch()
        if self._state is _State.OPEN:
            self._handler.backlog_over()

    def _forget_backlog(self) -> None:
        if self._backlog is not None:
            self._backlog.over()
            self._backlog = None

    def _measure(self) -> None:
        if self._backlog is not None and self._backlog.measure(self._outbox.size_bytes):
            self.overflow()

    # --- closing

    def _begin_close(self, reason: CloseReason, detail: str, *, peer_closed: bool = False) -> None:
        self._reason, self._detail = reason, detail
        self._state = _State.CLOSING
        self._writing = False
        self._reading = not peer_closed
        self._on_readable = None
        self._report_from(1)
        self._watch()
        self._graceful_close = GracefulClose(
            self._loop, self._sock, self._end, peer_closed=peer_closed, unread_bytes=self._unread_bytes
        )
        self._mark_dirty()

    def _linger(self, graceful_close: GracefulClose) -> None:
        """Send FIN, then read and discard further input."""
        if not graceful_close.fin():
            self._end()
            return
        self._state = _State.LINGERING
        self._writing = self._sendable = self._blocked = self._read_wants_write = self._write_wants_read = False
        self._on_readable = None
        self._reading = True
        self._forget_backlog()
        self._watch()

    def _fail(self, exc: Exception) -> None:
        """Handle a broken socket or a TLS error. After a TLS error linger, for the peer to receive OpenSSL's alert."""
        self.error = exc
        reason = reason_of(exc, handshaking=self._state is _State.HANDSHAKING)
        self._forget_handshake()
        if self._state is _State.CLOSING:
            self._end()
        elif reason is CloseReason.TLS_ERROR:
            self._reason, self._detail = reason, str(exc)
            self._graceful_close = GracefulClose(self._loop, self._sock, self._end)
            self._linger(self._graceful_close)
        else:
            self._end(reason, str(exc))

    def _end(self, reason: CloseReason | None = None, detail: str = "") -> None:
        """Stop everything; the descriptor is closed at the end of the pass. Default reason: that of the close."""
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        if reason is not None:
            self._reason, self._detail = reason, detail
        self._writing = self._reading = self._sendable = self._blocked = False
        self._read_wants_write = self._write_wants_read = False
        self._on_readable = None
        self._watch()
        self._forget_backlog()
        self._forget_handshake()
        if self._graceful_close is not None:
            self._graceful_close.over()
        self._loop.closing.append(self)

    def _watch(self) -> None:
        """Update the selector's interest to the events that are needed."""
        wanted = 0
        wants_input = self._reading or self._on_readable is not None
        if (wants_input and not self._read_wants_write) or self._write_wants_read:
            wanted = EVENT_READ
        if (self._blocked and not self._write_wants_read) or self._read_wants_write:
            wanted |= EVENT_WRITE
        if wanted != self._interest:
            self._loop.watch(self._sock, self._interest, wanted, self)
            self._interest = wanted
