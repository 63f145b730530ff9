"""Bodies that are not kept: an upload is read, and a download written, no faster than the other side takes it.

Both take turns (`securechat.server.web.turns.TransferTurns`). An upload's transport is paused all the time: it is read
in its turns alone, and has the selector watch when a turn has found nothing. So what one connection reads in a pass is
bounded before it is read, and no record waits decrypted where the selector does not see it. Each part that is handed on
is a job of the disk's thread, and each report of the selector a pass of the loop. So the system gathers what a client
sends, in the buffer of its socket, and reports it when it makes a part: nothing waits in this process for that. The end
of a body is read as it comes.

A download has a part of what was read sent in each turn. Its source is read for several turns at once, because each
read is a hop to the disk's thread and back: as much as OUTBOX_BYTES has room for. So what was read and what the client
has not taken yet are no more than that together.

`HttpConnection` owns both, sends the heads and the errors, and runs the deadline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from securechat.limits import KIB
from securechat.net.outbox import TLS_RECORD_BYTES

if TYPE_CHECKING:
    from securechat.limits import Limits
    from securechat.server.session import Scheduler
    from securechat.server.web.programs import BodyExchange, FileAnswer
    from securechat.server.web.turns import TransferTurns
    from securechat.wire.http import HttpServerCodec

OUTBOX_BYTES = 64 * KIB
"""Of a download that are read or queued at most; a quarter of what makes a slow reader. A part that is queued keeps all
of its read in memory, so that up to 112 KiB are."""
PARTS_PER_BUFFER = 4
"""A part has so much of what may wait for the disk: the client sends the next ones while it is written."""
GATHER_S = 1.0
"""What has come is read after this, however little it is: so much at most is lost with a connection or the process."""
READ_COST_BYTES = 512
"""What a read costs at least, of a turn: as `securechat.net.transport` counts records."""


class TransferLink(Protocol):
    """The part of its transport that a transfer uses."""

    @property
    def queued_bytes(self) -> int:
        """Bytes the socket has not accepted yet."""

    def write(self, data: bytes | memoryview) -> None:
        """Queue bytes."""

    def read_paused(self, most_bytes: int) -> bytes:
        """Read now; see `securechat.net.transport.Transport.read_paused`."""

    def await_readable(self, callback: Callable[[], None], least_bytes: int = 1) -> None:
        """Have ``callback`` called when there is so much to read; see `securechat.net.transport.Transport`."""

    def linger_for(self, unread_bytes: int) -> None:
        """Discard what the client is still sending, when it is closed, so that it reads its answer."""


class TransferContext(Protocol):
    """What all transfers share: a part of `securechat.server.web.connection.WebContext`."""

    @property
    def limits(self) -> Limits:
        """The limits of this server."""

    @property
    def scheduler(self) -> Scheduler:
        """The time of this pass."""

    @property
    def transfers(self) -> TransferTurns:
        """The turns."""


class Upload:
    """The body of one request, from its client to a `BodyExchange`.

    Args:
        owner: the connection, which has paused its transport.
        link: the transport.
        codec: has read the head, and perhaps a part of the body with it.
        exchange: takes the body. It may answer at any time; then the connection calls `close`.
        web: the turns, the limits and the time.
        on_end: called when the body has come whole, before the exchange is told.

    Attributes:
        has_begun: whether the body is read.
        owner: as given.
    """

    __slots__ = (
        "_codec", "_exchange", "_gathers", "_has_said_more", "_is_held", "_is_over", "_is_queued", "_link", "_on_end",
        "_part_bytes", "_starved_at", "_turns", "_web", "has_begun", "owner",
    )  # fmt: skip

    def __init__(
        self,
        owner: object,
        link: TransferLink,
        codec: HttpServerCodec,
        exchange: BodyExchange,
        web: TransferContext,
        on_end: Callable[[], None],
    ) -> None:
        self.owner = owner
        self._link = link
        self._codec = codec
        self._exchange = exchange
        self._web = web
        self._turns = web.transfers
        self._on_end = on_end
        limits = web.limits
        buffer_bytes = min(limits.upload_buffer_bytes, limits.upload_buffers_bytes)
        self._part_bytes = max(limits.transfer_turn_bytes, buffer_bytes // PARTS_PER_BUFFER)
        self.has_begun = False
        self._is_over = False
        self._is_queued = False
        self._is_held = False  # the exchange takes nothing for now
        self._has_said_more = False  # the exchange, meanwhile
        self._starved_at: float | None = None  # since then nothing was read of the client, which might have been
        self._gathers = False  # what has come since may wait: it is no whole part

    def begin(self) -> None:
        """Read the body, beginning with what came behind the head."""
        self.has_begun = True
        if not self._codec.unread_bytes or self._has_room():
            self._give(self._codec.take_body())
        self._want()

    def close(self) -> None:
        """Read nothing more: the request is answered."""
        self._is_over = True

    def abandon(self) -> None:
        """The connection ends, or a deadline has passed."""
        self._is_over = True
        self._exchange.abandon()

    @property
    def answer_s(self) -> float:
        """Seconds that the answer may take behind the end of the body."""
        wanted_s = self._exchange.answer_s
        return self._web.limits.api_answer_s if wanted_s is None else wanted_s

    @property
    def patience_s(self) -> float:
        """Seconds until `look` is to be called; 0 or less: the client is late, it has sent nothing for too long.

        The time in which it is not read does not count.
        """
        stall_s = self._web.limits.upload_stall_s
        if self._starved_at is None or self._gathers or self._is_queued or self._is_held:
            return min(GATHER_S, stall_s / 2)
        return self._starved_at + stall_s - self._web.scheduler.now

    def look(self) -> None:
        """Read what has come, although it is no whole part."""
        if self._gathers:
            self._want()

    def take_turn(self) -> None:
        """See `Transfer.take_turn`. A whole part is read, if it has come and the pass has bytes left."""
        self._is_queued = False
        if self._is_over or self._is_held or not self._has_room():
            return
        left_bytes = min(self._part_bytes, self._turns.left_bytes)
        parts = [self._codec.take_body()]  # came with the head, while there was no room
        left_bytes -= len(parts[0])
        self._turns.charge(len(parts[0]))
        data = b""
        while left_bytes > 0 and self._codec.unread_bytes and not self._is_over:
            data = self._link.read_paused(min(left_bytes, self._codec.unread_bytes))
            cost_bytes = max(len(data), READ_COST_BYTES)
            self._turns.charge(cost_bytes)
            if not data:
                break
            left_bytes -= cost_bytes
            parts.append(self._codec.take_body(data))
        part = b"".join(parts)
        if part:
            self._starved_at = None
        if not self._is_over:  # else the connection was lost as it was read
            self._give(part)
        if data or left_bytes <= 0:
            self._want()
        else:
            self._await_data()

    def _await_data(self) -> None:
        """The client has sent nothing more yet. One that sends is read when a part has come; the end of a body at once.

        A record may have been read from the socket in part: the selector does not see that.
        """
        if self._is_over or self._is_held:
            return
        has_moved = self._starved_at is None
        if has_moved:
            self._starved_at = self._web.scheduler.now
        self._gathers = has_moved and self._codec.unread_bytes >= self._part_bytes + TLS_RECORD_BYTES
        self._link.await_readable(self._want, self._part_bytes if self._gathers else 1)

    def _has_room(self) -> bool:
        """Whether the exchange takes a turn's bytes now; else it is held until there is room."""
        self._has_said_more = False
        if self._exchange.has_room(self._more):
            return True
        self._is_held = not self._has_said_more
        self._want()
        return False

    def _give(self, data: bytes) -> None:
        if data:
            self._has_said_more = False
            takes_more = self._exchange.take(data, self._more)
            self._is_held = not (takes_more or self._has_said_more)
        if not (self._is_over or self._codec.unread_bytes):
            self._is_over = True
            self._on_end()
            self._exchange.end()

    def _more(self) -> None:
        """The exchange has room again; or has it already, while it takes."""
        self._has_said_more = True
        if self._is_held:
            self._is_held = False
            self._want()

    def _want(self) -> None:
        if not (self._is_over or self._is_held or self._is_queued):
            self._is_queued = True
            self._gathers = False
            self._turns.wait(self)


class Download:
    """The body of one answer, from its source to the client; the head is queued already.

    Args:
        owner: the connection.
        link: the transport.
        answer: with a source, which is closed here, and at least one byte.
        web: the turns, the limits and the time.
        on_over: called once, unless `close` comes first: with True when the client has everything, or the socket as
            much as is left; with False when the source has failed.

    Attributes:
        owner: as given.
    """

    __slots__ = (
        "_asked_bytes", "_first_bytes", "_is_behind", "_is_over", "_is_queued", "_link", "_moved_at", "_offset",
        "_on_over", "_parts", "_source", "_taken_bytes", "_turn_bytes", "_turns", "_unread_bytes", "_web",
        "_written_bytes", "owner",
    )  # fmt: skip

    def __init__(
        self,
        owner: object,
        link: TransferLink,
        answer: FileAnswer,
        web: TransferContext,
        on_over: Callable[[bool], None],
    ) -> None:
        assert answer.source is not None
        self.owner = owner
        self._link = link
        self._source = answer.source
        self._offset = answer.offset
        self._unread_bytes = answer.size_bytes
        self._parts: deque[bytes | memoryview] = deque()  # what was read, a turn each
        self._web = web
        self._turns = web.transfers
        self._turn_bytes = web.limits.transfer_turn_bytes
        self._on_over = on_over
        self._asked_bytes = 0  # of the source: it is reading
        self._first_bytes = 0  # of these, in the turn that has asked
        self._is_behind = False  # the client has not taken what it was sent
        self._is_over = False
        self._is_queued = False
        self._written_bytes = 0
        self._taken_bytes = 0  # as of the last look
        self._moved_at = web.scheduler.now

    def begin(self, *, is_behind: bool) -> None:
        """Send; ``is_behind``: when the client has taken what it was sent before."""
        self._is_behind = is_behind
        self._want()

    def close(self) -> None:
        """The connection ends, or everything is sent: the source is closed, once."""
        if not self._is_over:
            self._is_over = True
            self._parts.clear()
            self._source.close()

    def backlog_started(self) -> None:
        """The client does not read as fast as it is sent."""
        self._is_behind = True

    def backlog_over(self) -> None:
        """The client has read everything."""
        self._is_behind = False
        if self._parts or self._unread_bytes:
            self._want()
        elif not self._is_over:
            self._end(has_all=True)

    def is_stalled(self) -> bool:
        """Whether nothing was taken for limits.upload_stall_s, as far as the looks at it tell."""
        now = self._web.scheduler.now
        taken_bytes = self._written_bytes - self._link.queued_bytes
        if taken_bytes != self._taken_bytes:
            self._taken_bytes = taken_bytes
            self._moved_at = now
        return now - self._moved_at >= self._web.limits.upload_stall_s

    def take_turn(self) -> None:
        """See `Transfer.take_turn`."""
        self._is_queued = False
        if self._is_over:
            return
        if self._parts:
            part = self._parts.popleft()
            self._turns.charge(len(part))
            self._send(part)
        else:
            self._ask()

    def _ask(self) -> None:
        """Have as much read as the outbox has room for, in whole turns; else go on when it is empty."""
        turn_bytes = self._turn_bytes
        queued_bytes = self._link.queued_bytes
        most_bytes = max(OUTBOX_BYTES // turn_bytes, 1) * turn_bytes - queued_bytes
        first_bytes = turn_bytes
        if self._written_bytes:
            most_bytes -= most_bytes % turn_bytes
        else:  # the head makes up one record with the first part
            first_bytes -= min(queued_bytes, turn_bytes - 1)
        most_bytes = min(most_bytes, self._unread_bytes)
        if most_bytes > 0:
            self._asked_bytes = most_bytes
            self._first_bytes = first_bytes
            self._turns.charge(max(min(first_bytes, most_bytes), READ_COST_BYTES))  # for one byte there is a read, too
            self._source.read(self._offset, most_bytes, self._read)
        elif not self._is_behind:  # else `backlog_over` goes on
            self._is_queued = True
            self._turns.wait_for_flush(self)

    def _read(self, data: bytes | None) -> None:
        """Send the first part of what the source has read, which is paid for; the next have turns of their own."""
        if self._is_over:
            return
        if not data or len(data) > self._asked_bytes:
            self._end(has_all=False)
            return
        size_bytes, first_bytes, turn_bytes = len(data), self._first_bytes, self._turn_bytes
        self._asked_bytes = 0
        self._offset += size_bytes
        self._unread_bytes -= size_bytes
        if size_bytes <= first_bytes:
            self._send(data)
            return
        view = memoryview(data)
        self._parts.extend(view[start : start + turn_bytes] for start in range(first_bytes, size_bytes, turn_bytes))
        self._send(view[:first_bytes])

    def _send(self, part: bytes | memoryview) -> None:
        self._link.write(part)
        self._written_bytes += len(part)
        if self._parts or self._unread_bytes:
            self._want()
        elif not self._is_behind:  # else when it has taken what waits: the end of a connection has less patience
            self._end(has_all=True)

    def _want(self) -> None:
        if not (self._is_over or self._is_queued or self._asked_bytes):
            self._is_queued = True
            self._turns.wait(self)

    def _end(self, *, has_all: bool) -> None:
        self.close()
        self._on_over(has_all)
