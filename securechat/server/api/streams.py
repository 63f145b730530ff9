"""Event streams of programs: one request, and then everything its token hears, as it is said.

A stream is a peer of the hub with a login of its own, so that broadcasts reach it as they reach every session: encoded
once for all streams of a format, written to the transport by reference, and cut when it is not read.

The seam between what is read from the log and what comes live follows from two rules (docs/protocol.md, section 7): a
page without ``more`` ends at the last seq that was fanned out when it was asked for, and all above that comes live.
While it reads, a stream is of a format that does not share (`HELD`), so that live events are told to it. It holds back
those that come while a page is under way. Behind the last page they follow, and the stream is live; before another page
the entries of the log among them are dropped, because that one has them. So are those above MOST_HELD, and then there
is one more page. What is purged is not told afterwards.

Between pages it waits for the rates of its token, and for a reader that is behind.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from securechat import __version__
from securechat.client_address import origin_of
from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import LoginKind
from securechat.limits import PAGE_LIMITS
from securechat.model import (
    PROTOCOL_VERSION,
    AskRoom,
    Closing,
    Command,
    Deleted,
    Edited,
    Event,
    Hello,
    History,
    HistoryPage,
    Join,
    LogEntry,
    Message,
    Purged,
    Reacted,
    Refused,
    RoomRules,
    Welcome,
)
from securechat.net.socket_options import CloseReason
from securechat.server.api.answers import RULES
from securechat.server.api.problems import ProblemError
from securechat.server.session import next_number
from securechat.server.web.programs import StreamAnswer
from securechat.text.names import LOBBY, check_room
from securechat.text.refusals import refusal_for
from securechat.wire.event_stream import (
    HELD,
    EventCursor,
    EventStreamFormat,
    JsonLines,
    ResetReason,
    ServerSentEvents,
    cursor_of,
)
from securechat.wire.http import Request, response_head

if TYPE_CHECKING:
    from securechat.hub.hub import Hub
    from securechat.limits import Limits, PageLimits
    from securechat.server.api.peer import PeerObserver
    from securechat.server.session import Cancellable, Link, Scheduler
    from securechat.wire.codec import WireFormat

MOST_ROOMS = 20
"""That a stream may name; each costs one or two requests of the token's rate, which has a burst of 20."""
MOST_HELD = 32
"""Live events that are held back while a page is read: 0.5 MB, if every one had the longest text. All of them are
written at once, and a stream that is 1 MiB behind is cut."""
MOST_IGNORED_BYTES = 8_192
"""Of what a program sends behind its request; then the stream ends, because no program has a reason to."""
_LOOK_AGAIN_S = 0.5
"""Between two looks at a reader that is behind."""
_MOST_FAILURES = 8
"""Pages in a row that the log did not give: the waits between them are two minutes in all."""
_MOST_DELAY_S = 30.0
_NAME = "program"
_ENTRIES = frozenset({Message, Edited, Deleted, Reacted})


class StreamRequest(Struct, frozen=True):
    """A request for a stream.

    Attributes:
        token: in clear, for the Hello alone.
        address: the network address that it came from.
        rooms: names as they came; empty for all that the token hears.
        cursor: behind which it begins; None for now.
        as_lines: whether it is JSON lines.
    """

    token: str
    address: str
    rooms: tuple[str, ...]
    cursor: EventCursor | None
    as_lines: bool


def stream_request(token: str, address: str, request: Request, query: Mapping[str, str]) -> StreamRequest:
    """Read a request for a stream.

    Raises:
        ProblemError: 400, the cursor or the rooms make no sense.
    """
    return StreamRequest(token, address, _rooms(query), _cursor(request, query), _wants_lines(request))


def _rooms(query: Mapping[str, str]) -> tuple[str, ...]:
    text = query.get("rooms")
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(names):
        raise ProblemError(
            400, "bad_request", "The parameter rooms has names with commas between them", args={"parameter": "rooms"}
        )
    if len(names) > MOST_ROOMS:
        raise ProblemError(
            400,
            "bad_request",
            f"The parameter rooms has at most {MOST_ROOMS} names. Leave it out for all rooms",
            args={"parameter": "rooms", "most": MOST_ROOMS},
        )
    return names


def _cursor(request: Request, query: Mapping[str, str]) -> EventCursor | None:
    """The cursor of the header, which a reader that connects again has from the last event; else of the query."""
    values = request.values(b"last-event-id")
    if len(values) > 1:
        raise ProblemError(400, "bad_request", "The request has two headers Last-Event-ID")
    where, text = ("Last-Event-ID", values[0].decode("iso-8859-1").strip()) if values else ("after", query.get("after"))
    if text is None:
        return None
    cursor = cursor_of(text)
    if cursor is None:
        raise ProblemError(
            400,
            "bad_request",
            f"{where} is the id of an event, such as 4711@0123456789ab, or the seq of a message",
            args={"parameter": where},
        )
    return cursor


def _wants_lines(request: Request) -> bool:
    """Whether Accept wants JSON lines more than the other type."""
    known = (JsonLines.content_type, ServerSentEvents.content_type)
    return next((word for word in request.weighted(b"accept") if word in known), "") == JsonLines.content_type


class EventStreams:
    """The event streams of one server.

    Args:
        hub: the hub; its log is known when the first stream begins.
        scheduler: timers and the time of this pass.
        limits: how many streams a token may have, and how often they show a sign of life.
        observer: is told of logins and refusals, and of streams that were cut.

    Attributes:
        peer_type: what a stream is made as; a simulation sets it, for smaller pages.
    """

    def __init__(self, hub: Hub, scheduler: Scheduler, limits: Limits, observer: PeerObserver) -> None:
        self.hub = hub
        self.scheduler = scheduler
        self.limits = limits
        self.observer = observer
        self.peer_type = StreamPeer
        self._formats: dict[bool, EventStreamFormat] = {}
        self._by_token: dict[bytes, dict[int, StreamPeer]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_token.values()))

    def close(self, closing: Closing) -> None:
        """End every stream with these last words: the server stops."""
        for slots in list(self._by_token.values()):
            for stream in list(slots.values()):
                stream.close(closing)

    def expect_free(self, token: str) -> None:
        """Require that a token may have one more stream.

        Raises:
            ProblemError: 429.
        """
        most = self.limits.api_streams
        if len(self._by_token.get(_key(token), ())) >= most:
            raise ProblemError(
                429,
                "too_many_streams",
                f"This token has {most} event streams, the most. End one of them",
                retry_after_s=self.limits.api_alive_s,
                args={"most": most},
            )

    def steps(self, request: StreamRequest) -> Generator[Command, Any, StreamAnswer]:
        """Enter the rooms of a stream, where the program may, and answer with the stream.

        Raises:
            Refusal: a room is not there, or not for this token; the token may not read.
            ProblemError: 429.
        """
        rooms: dict[int, str] = {}
        entered: list[str] = []
        for raw in request.rooms:
            rules: RoomRules = yield AskRoom(0, raw)
            if not rules.room_id and rules.room != LOBBY:  # guests alone have opened it
                raise refusal_for("no_such_room")
            if rules.role in (None, "admin") and rules.room != LOBBY:
                entered.append(raw)
            rooms[rules.room_id] = check_room(raw)
        if not rooms:
            yield from self._expect_reading()
        self.expect_free(request.token)
        for raw in entered:  # when nothing else is refused: who is refused a stream has not become a member
            yield Join(0, [raw])
        return StreamAnswer(self._head(request), lambda link: self._opened(request, rooms, link))

    def _expect_reading(self) -> Generator[Command, Any, None]:
        """Require that the token may read, by a question that every such token may ask."""
        try:
            yield AskRoom(0, LOBBY)
        except Refusal as refusal:
            if refusal.code is not ErrorCode.NOT_A_MEMBER:  # it is for other rooms
                raise

    def _head(self, request: StreamRequest) -> bytes:
        headers = (
            ("Content-Type", self.format_of(as_lines=request.as_lines).content_type),
            *RULES,
            ("X-Accel-Buffering", "no"),  # nginx would gather events
        )
        return response_head(200, headers)

    def format_of(self, *, as_lines: bool) -> EventStreamFormat:
        """Return a format: one for all streams of its kind, by which broadcasts know what to share."""
        if as_lines not in self._formats:
            kind = JsonLines if as_lines else ServerSentEvents
            self._formats[as_lines] = kind(self.hub.context.log_id)
        return self._formats[as_lines]

    def _opened(self, request: StreamRequest, rooms: Mapping[int, str], link: Link) -> StreamPeer:
        key = _key(request.token)
        slots = self._by_token.setdefault(key, {})
        slot = next(number for number in range(len(slots) + 1) if number not in slots)

        def over(ended: StreamPeer) -> None:
            if slots.get(slot) is ended:
                del slots[slot]
            if not slots and self._by_token.get(key) is slots:
                del self._by_token[key]

        stream = slots[slot] = self.peer_type(self, request, slot, rooms, link, over)
        return stream


class StreamPeer:
    """One event stream, between the hub and its connection.

    Implements `securechat.hub.interfaces.Peer` and `securechat.net.interfaces.TransportHandler`; the fan-out uses it as
    a session.

    Args:
        streams: what all streams share.
        request: what was asked for.
        slot: its place among those of its token: one device of the account for each.
        rooms: by their numbers, with their names; none for all that the token hears.
        link: the transport, behind the head.
        on_over: called once, when the stream ends.

    Attributes:
        format: `HELD` while it reads history.
        link: as given.
        most_held: live entries that are held back at most.
    """

    is_program = True  # for the operator's log
    certificate: str | None = None
    most_held = MOST_HELD

    def __init__(
        self,
        streams: EventStreams,
        request: StreamRequest,
        slot: int,
        rooms: Mapping[int, str],
        link: Link,
        on_over: Callable[[StreamPeer], None],
    ) -> None:
        self.format: WireFormat = HELD
        self.link = link
        self.host, self.address = request.address, origin_of(request.address)
        self.number = next_number()
        self._hub, self._scheduler, self._limits = streams.hub, streams.scheduler, streams.limits
        self._observer = streams.observer
        self._events = streams.format_of(as_lines=request.as_lines)
        self._rooms = dict(rooms)
        self._on_over = on_over
        secret = sha256(b"securechat events %d " % slot + request.token.encode()).hexdigest()[:32]
        client = f"securechat-events/{__version__}"
        self._hello: Hello | None = Hello(PROTOCOL_VERSION, _NAME, secret, client, token=request.token)
        self._asked_for = request.cursor
        self._cursor = 0  # everything up to here was sent
        self._is_welcome = False
        self._is_over = False
        self._is_reading = False  # a page is under way
        self._held: list[Event] = []  # live ones since it was asked for
        self._has_dropped = False  # entries of them
        self._failures = 0
        self._last_ref = 0
        self._free_at = 0.0
        self._ignored_bytes = 0
        self._read_timer: Cancellable | None = None
        self._alive_timer: Cancellable | None = None

    # --- the transport's side

    def handshake_done(self) -> None:
        """The head is queued: log in, in the next pass, because the hub is still at work on the answer before it."""
        self._alive_timer = self._scheduler.call_later(self._limits.api_alive_s, self._show_life)
        self._scheduler.call_later(0.0, self._log_in)

    def _log_in(self) -> None:
        hello, self._hello = self._hello, None
        if hello is not None and not self._is_over:
            self._hub.handle(self, hello)

    def data_received(self, data: bytes) -> None:
        """Ignore what a program sends behind its request; keep none of it."""
        self._ignored_bytes += len(data)
        if self._ignored_bytes > MOST_IGNORED_BYTES:
            self.close(Closing.of(refusal_for("frame_too_large", size=self._ignored_bytes, most=MOST_IGNORED_BYTES)))

    def backlog_started(self) -> None:
        """The reader is behind; `held_back` tells when that matters."""

    def backlog_over(self) -> None:
        """The reader has caught up: the next page need not wait any longer."""
        if self._read_timer is not None:
            self._read_soon()

    def outbox_overflow(self) -> None:
        """The reader is too slow: cut it, as a session does."""
        self._end(Closing.of(refusal_for("slow_reader")), drop_backlog=True)

    def failed(self) -> None:
        """Work for this stream raised, and is left half done."""
        self._end(Closing.of(refusal_for("internal", retry_after_s=1.0)))

    def connection_lost(self, reason: CloseReason, detail: str) -> None:  # noqa: ARG002  (nothing is told of it)
        """The transport is closed."""
        self._let_go()

    # --- the hub's side

    @property
    def label(self) -> str:
        """For the operator's log."""
        return f"{self.host} (events)"

    @property
    def page_limits(self) -> PageLimits:
        """As for every frame."""
        return PAGE_LIMITS

    @property
    def queued_bytes(self) -> int:
        """Bytes that the reader has not taken yet."""
        return self.link.queued_bytes

    @property
    def held_back(self) -> bool:
        """Whether pages must wait until the reader has read more."""
        return self.link.queued_bytes > self._limits.outbox_soft_bytes // 2

    def deliver(self, event: Event) -> None:
        """Take an event for this stream alone."""
        if self._is_over:
            return
        if isinstance(event, Welcome):
            self._welcomed(event)
        elif isinstance(event, HistoryPage):
            self._page(event)
        elif isinstance(event, Refused):
            self._refused(event)
        else:
            self.tell(event)

    def tell(self, event: Event) -> None:
        """Take an event of a broadcast while the stream shares none, or of its own."""
        if self._is_over:
            return
        if self.format is HELD and isinstance(event, Purged):
            self._held = [each for each in self._held if not _is_gone(each, event)]
            if event.room is not None and event.through > self._cursor:
                self.link.write(self._events.reset(self._cursor, ResetReason.RETENTION))
        if self._is_reading:
            self._hold(event)
        elif self.format is not HELD or type(event) not in _ENTRIES:  # an entry is in the next page
            self._write([event])

    def close(self, closing: Closing) -> None:
        """The hub, or the server, ends the stream: say why."""
        self._end(closing)

    def fail(self) -> None:
        """Work for this peer raised; see `securechat.containment.Owner`."""
        self.link.fail()

    def act_begun(self) -> None:
        """A stream begins no acts."""

    def act_over(self) -> None:
        """See `act_begun`."""

    # --- the beginning

    def _welcomed(self, event: Welcome) -> None:
        """Begin: now, or with what was said behind the cursor."""
        self._is_welcome = True
        self._observer.logged_in(LoginKind.API_TOKEN)
        if self._rooms:  # at once: the next broadcast is written without asking
            self._hub.hear_only(self, self._rooms)
        cursor, live_from = self._asked_for, event.live_from
        if cursor is None:
            self._begin_now(self._events.start(live_from), live_from)
        elif cursor.log_id not in ("", self._hub.context.log_id):
            self._begin_now(self._events.reset(live_from, ResetReason.OTHER_LOG), live_from)
        elif cursor.seq > live_from:
            self._begin_now(self._events.reset(live_from, ResetReason.AHEAD), live_from)
        else:
            self._cursor = cursor.seq
            self.link.write(self._events.start(cursor.seq))
            self._read_soon()  # when the hub has entered every room

    def _begin_now(self, first: bytes, live_from: int) -> None:
        self._cursor = live_from
        self.link.write(first)
        self.format = self._events

    # --- history

    def _read_soon(self) -> None:
        """Ask for the next page when the rate allows it, and not within the hub's work for this stream."""
        self._read_after(max(0.0, self._free_at - self._scheduler.now))

    def _read_after(self, delay_s: float) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
        self._read_timer = self._scheduler.call_later(delay_s, self._read)

    def _read(self) -> None:
        """Ask for the next page, unless the reader is behind."""
        self._read_timer = None
        if self._is_over or self._is_reading:
            return
        if self._asked_for is not None:
            self._asked_for = None
            if self._hub.is_purged_above(self, self._cursor):
                self.link.write(self._events.reset(self._cursor, ResetReason.RETENTION))
        if self.held_back:
            self._read_after(_LOOK_AGAIN_S)
            return
        self._has_dropped = False
        self._is_reading = True
        self._last_ref += 1
        wait_s = self._hub.handle(self, History(self._last_ref, after=self._cursor))
        self._free_at = max(self._free_at, self._scheduler.now + wait_s)

    def _hold(self, event: Event) -> None:
        """Hold a live event back, while a page is read."""
        if not self._events.encode(event):
            return
        if len(self._held) < self.most_held:
            self._held.append(event)
            return
        self._write_others()
        self._has_dropped = True
        if type(event) not in _ENTRIES:
            self._write([event])

    def _write_others(self) -> None:
        """Send what was held back and is in no page, and drop the entries, which are in the next one."""
        held, self._held = self._held, []
        self._write([event for event in held if type(event) not in _ENTRIES])

    def _page(self, page: HistoryPage) -> None:
        """Send a page, messages and changes in the order of seq; behind the last one, go live."""
        self._is_reading = False
        self._failures = 0
        entries: list[LogEntry] = sorted([*page.messages, *page.changes], key=_seq)
        self._write(entries)
        self._cursor = max(self._cursor, page.through)
        if page.more or self._has_dropped:
            self._write_others()
            self._read_soon()
            return
        held, self._held = self._held, []
        self._write([each for each in held if not isinstance(each, LogEntry) or each.seq > self._cursor])
        self.format = self._events

    def _write(self, events: Sequence[Event]) -> None:
        if encoded := b"".join(map(self._events.encode, events)):
            self.link.write(encoded)

    def _refused(self, event: Refused) -> None:
        """The hub refuses the hello, and the stream ends; or a page, which is asked for again.

        It may also tell that a room cannot be entered, which is then none of those that are heard.
        """
        if self._is_welcome and (not self._is_reading or event.ref != self._last_ref):
            return
        self._observer.refused(event.code, None if self._is_welcome else LoginKind.API_TOKEN)
        if not self._is_welcome or self._failures >= _MOST_FAILURES:
            self._end(Closing.of(event.refusal()))
            return
        self._is_reading = False
        self._write_others()
        self._failures += 1
        delay_s = event.retry_after_s or min(_MOST_DELAY_S, 2.0 ** (self._failures - 1))
        self._read_after(max(delay_s, self._free_at - self._scheduler.now))

    # --- life and end

    def _show_life(self) -> None:
        """Show a sign of life, unless there is nothing left to hear."""
        if self._is_welcome and not self._hub.hears_any(self):
            self._end(Closing.of(refusal_for("no_room_left")))
            return
        self._alive_timer = self._scheduler.call_later(self._limits.api_alive_s, self._show_life)
        self.link.write(self._events.alive())

    def _end(self, closing: Closing, *, drop_backlog: bool = False) -> None:
        """Say the last event and close; the hub loses the peer now, not when the transport has ended."""
        if self._is_over:
            return
        self._observer.stream_closed(closing.code)
        self.link.close_with(self._events.encode(closing), drop_backlog)
        self._let_go()

    def _let_go(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        for timer in (self._read_timer, self._alive_timer):
            if timer is not None:
                timer.cancel()
        self._held.clear()
        self._on_over(self)
        self._hub.lost(self)


def _is_gone(event: Event, purged: Purged) -> bool:
    """Whether an event has a text that was deleted for good."""
    if not isinstance(event, Message | Edited) or event.seq > purged.through:
        return False
    return event.sender_id == purged.sender_id if purged.room is None else event.room == purged.room


def _seq(entry: LogEntry) -> int:
    return entry.seq


def _key(token: str) -> bytes:
    return sha256(token.encode()).digest()
