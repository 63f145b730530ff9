"""One connection: joins its transport, its codec and its member, which do not know each other.

Bytes come from the transport and go through the codec; each command goes to the hub; what the hub delivers is encoded
and queued. How a peer says hello and what its protocol sends by itself are the codec's: see `securechat.wire.codec`.

Between the two stands *pacing*: a session that must not be read right now keeps what is already decrypted in its codec
(at most what one read brought and one frame), takes its transport out of the selector, and goes on later. It is not
read while

* a hello is being answered, so that a client may send its first requests without waiting for the Welcome,
* the hub says it is over a rate,
* a durable act that it asked for is under way, so that its commands are carried out in the order sent,
* it has `unacknowledged_drafts` drafts unanswered, or the log's queue is full.

A session knows deadlines only through its scheduler, and reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from securechat.client_address import origin_of
from securechat.errors import ErrorCode, LocalProtocolError, Overloaded, RemoteProtocolError
from securechat.hub.accounts.authentication import LoginKind, login_kind
from securechat.model import (
    Acked,
    Closing,
    Command,
    Delete,
    Direct,
    Edit,
    Event,
    Hello,
    Join,
    Named,
    Ping,
    React,
    Refused,
    Say,
    Throttled,
    Welcome,
)
from securechat.net.socket_options import CloseReason
from securechat.text.refusals import refusal_for
from securechat.tls.client_certificates import public_key_fingerprint
from securechat.wire.codec import HANDLED, FrameRefused, Handled, ServerCodec, WireFormat
from securechat.wire.native import NATIVE
from securechat.wire.negotiation import CODECS, CodecTable

if TYPE_CHECKING:
    from securechat.hub.hub import Hub
    from securechat.limits import Limits, PageLimits

_DRAFTS = frozenset({Say, Direct, Edit, Delete, React})
"""Commands that the log answers; they count against ``unacknowledged_drafts`` until it has."""
_FRAMES_PER_PASS = 256
"""Frames of one peer handled in one pass, about 5 ms of work: 64 KiB may hold 13,000 frames of five bytes."""
_HELLO_LOOK_AGAIN_S = 5.0
"""Between two looks at a hello that is still being answered when its time is over: a lock on the database, say."""
_ROOMS_PER_PASS = 10
"""Rooms of one Join entered in one pass, some 2 ms of work: names are judged, and up to 200 people told of in each."""
_OVERLOAD_PAUSE_S = 0.5
"""Reading pause of a sender whose draft found the append queue full: 4,096 drafts take 0.1 to 0.3 s to commit."""
_STRETCH_S = 1.0
"""After a pause for a rate, another one that begins within this time belongs to the same stretch of throttling: what a
peer wrote in one burst comes in several reads, and each may be over the rate again."""
_LONG_PAUSE_S = 5.0
"""A pause longer than this is told within a stretch, too, if it is longer than what was told: peers wait that long."""
_INTERNAL_RETRY_S = 1.0
"""Before a peer whose request met a bug connects again."""
_numbers = count(1)


def next_number() -> int:
    """Return the number of a new peer; see `Peer.number`."""
    return next(_numbers)


class Cancellable(Protocol):
    """A timer that has been set."""

    def cancel(self) -> None:
        """Do not call back any more."""


class Scheduler(Protocol):
    """The part of the loop that a session uses."""

    @property
    def now(self) -> float:
        """Monotonic seconds at the start of this pass."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Cancellable:
        """Call back once."""


class Link(Protocol):
    """The part of its transport that a session uses."""

    address: str
    alpn: str | None
    peer_certificate: bytes | None
    owes_hello: bool

    @property
    def queued_bytes(self) -> int:
        """Bytes the socket has not accepted yet."""

    def write(self, data: bytes) -> None:
        """Queue whole frames."""

    def pause_reading(self) -> None:
        """Deliver nothing more."""

    def resume_reading(self) -> None:
        """Deliver again."""

    def close_with(self, last_words: bytes = b"", drop_backlog: bool = False) -> None:
        """Say the last words, then close so that they are heard."""

    def fail(self) -> None:
        """Work for this connection raised: have its handler say so, and close."""


class SessionObserver(Protocol):
    """Notified of connections and of what they are refused, for the operator log and the metrics."""

    def connected(self, session: Session) -> None:
        """The TLS handshake is done."""

    def disconnected(self, session: Session, name: str, reason: str, detail: str) -> None:
        """The connection is closed.

        Args:
            session: which one.
            name: the member's; empty if the hello was never accepted.
            reason: a stable word: a CloseReason, or the ErrorCode of our last words.
            detail: the technical reason, where there is one.
        """

    def logged_in(self, kind: LoginKind) -> None:
        """A hello was accepted."""

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        """A request was refused; ``login``: it was a hello of this kind."""


class Session:
    """One connection to the hub.

    Args:
        hub: where commands go.
        link: the transport.
        scheduler: timers and the time of this pass.
        limits: pacing and deadlines.
        observer: notified of the connection.
        label: ``address:port``, for the operator's log.
        codecs: the protocols of this port.

    Attributes:
        format: how events look here.
        link: the transport; the fan-out writes to it directly.
        number: its place among all connections; see `Peer.number`.
    """

    hears = True

    __slots__ = (
        "_acts", "_certificate", "_closing_code", "_codec", "_codecs", "_drafts", "_ended", "_first_bytes", "_greeting",
        "_heard_at", "_held", "_hello_timer", "_hub", "_idle_timer", "_limits", "_login", "_name", "_observer",
        "_origin", "_over_rate", "_paused", "_pinged", "_pumping", "_resume_after", "_resume_timer", "_scheduler",
        "_stretch_until", "_told_s", "_yielded", "format", "label", "link", "number", "write",
    )  # fmt: skip

    def __init__(
        self,
        hub: Hub,
        link: Link,
        scheduler: Scheduler,
        limits: Limits,
        observer: SessionObserver,
        label: str,
        codecs: CodecTable = CODECS,
    ) -> None:
        self.format: WireFormat = NATIVE
        self.label = label
        self.link = link
        self.number = next_number()
        self.write = link.write
        self._hub = hub
        self._scheduler = scheduler
        self._limits = limits
        self._observer = observer
        self._login: LoginKind | None = None  # of the hello that is being answered
        self._certificate: str | None = None
        self._codec: ServerCodec | None = None  # while no protocol is known
        self._first_bytes = b""  # until then
        self._codecs = codecs
        self._closing_code: ErrorCode | None = None
        self._ended = False  # nothing may be taken from this peer any more
        self._drafts = 0
        self._name = ""
        self._origin = origin_of(link.address)
        self._greeting = False
        self._held: Command | None = None
        self._acts = 0  # durable acts under way
        self._over_rate = False
        self._stretch_until = 0.0  # until then a pause belongs to a stretch of throttling that was told
        self._told_s = 0.0  # the longest pause told in it
        self._paused = False
        self._pumping = False
        self._yielded = False
        self._pinged = False
        self._resume_after = 0
        self._heard_at = scheduler.now
        self._resume_timer: Cancellable | None = None
        self._idle_timer: Cancellable | None = None
        self._hello_timer: Cancellable | None = scheduler.call_later(limits.hello_timeout_s, self._hello_late)

    # --- The transport's side ---------------------------------------------------------------------------------------

    def handshake_done(self) -> None:
        """The TLS handshake is done: choose the codec."""
        self._observer.connected(self)
        self._heard_at = self._scheduler.now
        if self.link.peer_certificate is not None:
            self._certificate = public_key_fingerprint(self.link.peer_certificate)
        if self._choose_codec() is not None or not self._ended:
            self.link.owes_hello = False

    def _choose_codec(self) -> ServerCodec | None:
        """Choose the codec by ALPN or by the first bytes; None if more bytes are needed, or no protocol fits."""
        try:
            codec = self._codecs.choose(self.link.alpn, self._first_bytes)
        except RemoteProtocolError as error:
            self.close(Closing.of(error))
            return None
        if codec is not None:
            self._codec = codec
            self.format = codec.format
            self._idle_timer = self._scheduler.call_later(self._limits.idle_ping_s, self._look_alive)
        return codec

    def data_received(self, data: bytes) -> None:
        """Take decrypted bytes and hand complete commands to the hub."""
        codec = self._codec
        if codec is None or self._ended:
            if self._ended:
                return
            self._first_bytes += data
            self.link.owes_hello = True
            if (codec := self._choose_codec()) is None:
                return
            data, self._first_bytes = self._first_bytes, b""
        self._heard_at = self._scheduler.now
        self._pinged = False
        if self._hello_timer is not None:
            self.link.owes_hello = True
        codec.receive_data(data)
        wait_s = self._hub.charge_bytes(self, len(data))
        self._pump(codec)
        if wait_s:
            self._throttle(wait_s)

    def backlog_started(self) -> None:
        """The peer is behind from here on: remember the seq, as a hint for resuming."""
        self._resume_after = self._hub.fed_seq

    def backlog_over(self) -> None:
        """The peer has caught up."""

    def outbox_overflow(self) -> None:
        """The peer reads too slowly: close the connection, with a hint for resuming."""
        self._ended = True
        closing = Closing.of(refusal_for("slow_reader"), resume_after=self._resume_after)
        self._closing_code = closing.code
        self._hub.lost(self)
        self.link.close_with(self._last_words(closing), drop_backlog=True)

    def failed(self) -> None:
        """Work for this connection raised and is left half done: close it, and the peer may connect again."""
        self.close(Closing.of(refusal_for("internal", retry_after_s=_INTERNAL_RETRY_S)))

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """The transport is closed."""
        self._ended = True
        for timer in (self._hello_timer, self._idle_timer, self._resume_timer):
            if timer is not None:
                timer.cancel()
        try:
            self._hub.lost(self)
        finally:  # also when the hub raises: the connection is gone
            if self._closing_code is not None:
                self._observer.disconnected(self, self._name, self._closing_code.value, "")
            else:
                self._observer.disconnected(self, self._name, reason.value, detail)

    def fail(self) -> None:
        """Close after work for this peer raised; see `securechat.containment.Owner`."""
        self.link.fail()

    # --- The hub's side ---------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The network address or prefix that the peer counts under: see `securechat.client_address`."""
        return self._origin

    @property
    def host(self) -> str:
        """The peer's whole network address."""
        return self.link.address

    @property
    def certificate(self) -> str | None:
        """The fingerprint of the client certificate that the peer presented; see `Peer.certificate`."""
        return self._certificate

    @property
    def page_limits(self) -> PageLimits:
        """The longest page for this peer; see `WireFormat.page_limits`."""
        return self.format.page_limits

    @property
    def held_back(self) -> bool:
        """Whether pages must wait until the peer has read more."""
        return self.link.queued_bytes > self._limits.outbox_soft_bytes // 2

    @property
    def queued_bytes(self) -> int:
        """Bytes that the peer has not taken yet."""
        return self.link.queued_bytes

    def deliver(self, event: Event) -> None:
        """Encode an event for this peer alone and queue it; answers to its requests let it go on.

        Raises:
            LocalProtocolError: the event does not fit into a frame and answers no request.
        """
        try:
            self.tell(event)
        except LocalProtocolError as error:  # a bug, which costs this one answer
            event = self._instead_of(event, error)
            self.tell(event)
        if type(event) is Refused:
            self._observer.refused(event.code, self._login if self._greeting else None)
        if type(event) is Acked or (type(event) is Refused and event.client_id is not None):
            self._drafts -= 1
            if self._held is not None:
                self._unpause()
        elif type(event) is Welcome or type(event) is Refused:
            if self._greeting:
                self._greeted(event)
            if type(event) is Welcome:
                self._name = event.name
        elif type(event) is Named:
            self._name = event.name

    def tell(self, event: Event) -> None:
        """Queue the event as the codec encodes it for this peer, and the codec's own bytes.

        Raises:
            LocalProtocolError: the event does not fit into a frame.
        """
        codec = self._codec
        assert codec is not None
        if encoded := codec.encode(event):
            self.write(encoded)
        if own := codec.data_to_send():
            self.write(own)
        if codec.wants_close and not self._ended:
            self._end_with_codec()

    def _instead_of(self, event: Event, error: LocalProtocolError) -> Refused:
        ref = getattr(event, "ref", None)
        if not ref:
            raise error
        refusal = refusal_for("answer_too_long")
        self._hub.note_refused(self, f"{refusal}: {type(event).__name__}, {error}")
        return Refused.of(refusal, ref=ref)

    def stop_taking(self) -> None:
        """Take no more commands: the server is about to stop. Acknowledgements are still sent."""
        self._ended = True
        self.link.pause_reading()

    def close(self, closing: Closing) -> None:
        """Say the last words, after everything queued, and end the connection.

        The hub loses the peer now, not when the transport has ended: that may take as long as the peer reads slowly.
        """
        self._ended = True
        if self._closing_code is None:
            self._closing_code = closing.code
            self.link.close_with(self._last_words(closing))
            self._hub.lost(self)

    def act_begun(self) -> None:
        """Hand over no later command until `act_over` was called as often; see `Peer.act_begun`."""
        self._acts += 1

    def act_over(self) -> None:
        """Go on behind the answer, in the next pass: the hub may be at work for this peer."""
        self._acts -= 1
        if self._paused and not self._acts and not self._ended:
            self._scheduler.call_later(0.0, self._unpause)

    def _last_words(self, closing: Closing) -> bytes:
        """Encode the last event in the peer's protocol; in the native one while none is chosen."""
        codec = self._codec
        if codec is None:
            return NATIVE.encode(closing)
        own = codec.data_to_send()
        return own if codec.wants_close else own + codec.close(closing)

    def _end_with_codec(self) -> None:
        """Close behind the queued bytes: the protocol is over. Not at once, as the hub may be at work for this peer."""
        self._ended = True
        self.link.pause_reading()
        self._scheduler.call_later(0.0, self._codec_ended)

    def _codec_ended(self) -> None:
        self.link.close_with()
        self._hub.lost(self)

    # --- From bytes to the hub --------------------------------------------------------------------------------------

    def _pump(self, codec: ServerCodec) -> None:  # noqa: C901, PLR0912 - a call more for each command costs time
        """Hand over commands until no complete one is left, or pacing forbids the next."""
        if self._pumping or self._paused:
            return
        self._pumping = True
        try:
            frames = 0
            command: Command | Handled | None
            while not (self._greeting or self._over_rate or self._ended):
                frames += 1
                if frames > _FRAMES_PER_PASS:
                    self._yield()
                    break
                command = self._held
                if command is None:
                    try:
                        command = codec.next_command()
                    except FrameRefused as refusal:
                        self._refuse_frame(codec, refusal)
                        continue
                    if own := codec.data_to_send():
                        self.write(own)
                    if command is None:
                        break
                    if command is HANDLED:
                        self._charge_request()
                        continue
                if not self._take(command):
                    break
        except RemoteProtocolError as error:
            self.close(Closing.of(error))
        finally:
            self._pumping = False
        if self._ended:
            return
        if codec.wants_close:
            self._end_with_codec()
        elif self._greeting or self._over_rate or self._yielded or self._acts or self._held is not None:
            self._paused = True
            self.link.pause_reading()

    def _yield(self) -> None:
        """Go on in the next pass, so that other sessions get their turn in this one."""
        self._yielded = True
        self._scheduler.call_later(0.0, self._our_turn)

    def _our_turn(self) -> None:
        self._yielded = False
        self._unpause()

    def _take(self, command: Command) -> bool:
        """Give one command to the hub; return False when the next one must wait."""
        if type(command) in _DRAFTS:
            return self._take_draft(command)
        self._held = None
        if self._hello_timer is not None and isinstance(command, Hello):
            self._greeting = True
            self._login = login_kind(command, self._certificate)
        if isinstance(command, Join) and len(command.rooms) > _ROOMS_PER_PASS:
            rooms = list(dict.fromkeys(command.rooms))  # a room that is named twice gets one answer
            self._held = replace(command, rooms=rooms[_ROOMS_PER_PASS:]) if rooms[_ROOMS_PER_PASS:] else None
            command = replace(command, rooms=rooms[:_ROOMS_PER_PASS])
        if wait_s := self._hub.handle(self, command):
            self._throttle(wait_s)
        if self._held is not None:
            self._yield()
            return False
        return not self._acts

    def _take_draft(self, command: Command) -> bool:
        """Give a draft to the hub, unless too many are unanswered or the log is full."""
        if self._drafts >= self._limits.unacknowledged_drafts:
            self._held = command
            return False
        self._drafts += 1
        self._held = None
        try:
            wait_s = self._hub.handle(self, command)
        except Overloaded:
            self._drafts -= 1
            self._held = command
            self._throttle(_OVERLOAD_PAUSE_S)
            return False
        if wait_s:
            self._throttle(wait_s)
        return True

    def _refuse_frame(self, codec: ServerCodec, refusal: FrameRefused) -> None:
        if own := codec.data_to_send():
            self.write(own)
        self.tell(Refused.of(refusal, ref=refusal.ref, client_id=refusal.client_id))
        self._observer.refused(refusal.code, None)
        self._charge_request()

    def _charge_request(self) -> None:
        if wait_s := self._hub.charge_request(self):
            self._throttle(wait_s)

    def _greeted(self, event: Welcome | Refused) -> None:
        self._greeting = False
        assert self._codec is not None
        if isinstance(event, Welcome):
            if self._login is not None:
                self._observer.logged_in(self._login)
            self._codec.hello_accepted()
            self.link.owes_hello = False
            if self._hello_timer is not None:
                self._hello_timer.cancel()
                self._hello_timer = None
        else:
            self._codec.hello_refused()
            if event.retry_after_s is not None and self._hello_timer is not None:  # the peer must wait: extend its time
                self._hello_timer.cancel()
                self._hello_timer = self._scheduler.call_later(
                    event.retry_after_s + self._limits.hello_timeout_s, self._hello_late
                )
        if self._paused:
            self._scheduler.call_later(0.0, self._unpause)

    # --- Pacing -----------------------------------------------------------------------------------------------------

    def _throttle(self, wait_s: float) -> None:
        """Over a rate: stop reading for a while, and tell the peer once in each stretch of such pauses."""
        if self._ended:
            return
        now = self._scheduler.now
        if now >= self._stretch_until or wait_s > max(self._told_s, _LONG_PAUSE_S):
            self._told_s = wait_s
            self.tell(Throttled(round(wait_s, 3)))
        self._stretch_until = max(self._stretch_until, now + wait_s + _STRETCH_S)
        self._over_rate = True
        if self._resume_timer is not None:
            self._resume_timer.cancel()
        self._resume_timer = self._scheduler.call_later(wait_s, self._rate_over)
        if not self._pumping and not self._paused:
            self._paused = True
            self.link.pause_reading()

    def _rate_over(self) -> None:
        self._resume_timer = None
        self._over_rate = False
        self._unpause()

    def _unpause(self) -> None:
        if self._paused and not (self._ended or self._greeting or self._over_rate or self._yielded or self._acts):
            self._paused = False
            assert self._codec is not None
            self._pump(self._codec)
            if not self._paused:
                self._heard_at = self._scheduler.now  # until now this side did not read
                self.link.resume_reading()

    # --- Deadlines --------------------------------------------------------------------------------------------------

    def _hello_late(self) -> None:
        if self._greeting:  # the peer has said it in time, and waits for the log or for its password's turn
            self._hello_timer = self._scheduler.call_later(_HELLO_LOOK_AGAIN_S, self._hello_late)
            return
        self._hello_timer = None
        self.link.owes_hello = True
        self.close(Closing.of(refusal_for("hello_timeout")))

    def _look_alive(self) -> None:
        """Ping a silent peer; close the connection of one that does not answer."""
        limits = self._limits
        silent_s = self._scheduler.now - self._heard_at
        if self._paused:  # this side does not read
            silent_s = 0.0
        if self._pinged and silent_s >= limits.idle_ping_s + limits.ping_timeout_s:
            self.close(Closing.of(refusal_for("ping_timeout")))
            return
        wait_s = limits.idle_ping_s - silent_s
        if wait_s <= 0:
            if not self._pinged:
                self._pinged = True
                self.tell(Ping())
            wait_s = limits.idle_ping_s + limits.ping_timeout_s - silent_s
        self._idle_timer = self._scheduler.call_later(max(wait_s, 0.05), self._look_alive)
