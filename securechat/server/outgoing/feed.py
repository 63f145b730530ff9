"""Feeds each outgoing webhook the messages of its room from the log, one delivery after the other.

A webhook has a cursor in its record: every message up to it is delivered, or not for this webhook. It is idle when all
that was committed has been looked at; a message that may be for it wakes it. Then it reads its room from the log, above
the cursor, a page at a time, and hands the first message that it wants to the worker. What the receiver answers is
posted as a reply, with the id of the delivery as its key; then the cursor moves, in one write with the state of the
retries. So after a crash at any point the delivery is made again, under the same id, and its reply stands once. A
message that was deleted meanwhile is skipped. A gap that retention has made is passed over, and the operator is told.

For messages that are not for a webhook nothing is written: the cursor follows with the next delivery, when the server
stops, and when it is LAZY_ENTRIES behind. After a crash these are read once more, and again left alone. When one of
them is edited, the cursor is written at once: its new text may be what the webhook waits for, but an edit delivers
nothing.

One read of the log is under way for all webhooks together, with a pause of READ_PAUSE_S after each, so that one that
was off for a month delays members' own reads by one page at most. A webhook reads when there is a thread for the
delivery (`turns`), so that nothing is delivered that was deleted while it waited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from securechat.errors import ErrorCode
from securechat.hub.programs.outgoing import ROOM_GONE
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS
from securechat.records.accounts import OutgoingWebhook
from securechat.records.log import NotAppended
from securechat.records.queries import HistoryRows
from securechat.server.hooks.shortening import shortened
from securechat.server.outgoing.destinations import Destination, DestinationInvalid, parse_destination
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Gone, Outcome
from securechat.server.outgoing.payload import delivery_id, payload_of
from securechat.server.outgoing.schedule import OffReason, Plan, RetryState, SwitchedOff, longest_pause_s, planned
from securechat.server.outgoing.sender import OutgoingRequest
from securechat.server.outgoing.signature import parse_secret
from securechat.server.outgoing.turns import SLOW_S, DeliveryTurns
from securechat.text.refusals import refusal_for
from securechat.translation import english, sentence_of

if TYPE_CHECKING:
    from securechat.containment import Containment
    from securechat.hub.programs.outgoing import OutgoingWebhooks, RoomPage
    from securechat.model import Message
    from securechat.server.outgoing.networks import NetworkPolicy
    from securechat.server.session import Cancellable

LAZY_ENTRIES: Final = 1_000
READ_PAUSE_S: Final = 0.005
AGAIN_S: Final = 5.0
"""Before something that the server itself could not do (a full queue, a full disk) is tried again."""
_FAULT_AGAIN_S: Final = 60.0
_HELD_AGAIN_S: Final = 60.0
"""Before it is asked again whether a webhook may read: bans end without an entry in the log."""
_MOST_WAIT_S: Final = 3_600.0
"""A longer wait looks at the wall clock in between, which may have been set."""
_PASSING: Final = frozenset(
    {ErrorCode.BUSY, ErrorCode.DISK_FULL, ErrorCode.OVERLOADED, ErrorCode.INTERNAL, ErrorCode.LOG_FAILED}
)
"""Refusals after which the same may succeed."""
_OFF_TEXTS: Final = {
    OffReason.GONE: "This webhook is off: the receiver answered 410, so it wants no more deliveries. An administrator "
    "can switch it on again",
    OffReason.FAILING: "This webhook is off: every delivery of a day has failed. No message is lost: an administrator "
    "can switch it on again, and it goes on where it stopped",
}
REPLY_REFUSED = "reply_refused"


class FeedScheduler(Protocol):
    """The part of the loop that a feed uses."""

    @property
    def now(self) -> float:
        """The time of this pass, monotonic seconds."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Cancellable:
        """Call back once."""


class FeedWorker(Protocol):
    """See `OutgoingWorker`."""

    def deliver(self, hook_id: int, request: OutgoingRequest, done: Callable[[Outcome], None]) -> bool:
        """Make an attempt."""

    def forget(self, hook_id: int) -> None:
        """End it."""

    def close(self) -> None:
        """End all."""


class FeedObserver(Protocol):
    """Is told of deliveries, for the metrics and the operator."""

    def outgoing_delivered(self, outcome: str) -> None:
        """An attempt has this outcome: ``delivered``, ``gone``, a `DeliveryProblem`; or a reply was refused."""

    def outgoing_failed(self, name: str, problem: str, detail: str) -> None:
        """An attempt has failed: a `DeliveryProblem`, and a clause for the operator, without path and query."""

    def outgoing_off(self, name: str, why: str) -> None:
        """A webhook was switched off."""

    def outgoing_reply_lost(self, name: str, why: str) -> None:
        """The receiver's answer became no message: the word of a refusal, or a `ReplyProblem`."""

    def outgoing_gap(self, name: str, through: int) -> None:
        """Retention has deleted messages that a webhook had not looked at, up to this seq."""


class _State(Enum):
    IDLE = auto()
    READING = auto()
    """Or waiting for a thread, and for its turn to read."""
    DELIVERING = auto()
    """Or answering, or noting the outcome."""
    WAITING = auto()
    """For the time of the next attempt."""
    HELD = auto()
    """Off, or out of its room."""


class _Feed:
    """One webhook."""

    __slots__ = ("after", "is_dirty", "owner", "page", "problem", "sender_id", "state", "timer")

    def __init__(self, owner: OutgoingFeed, sender_id: int, after: int) -> None:
        self.owner = owner
        self.sender_id = sender_id
        self.after = after  # looked at up to here; while it is idle, up to all that was committed
        self.state = _State.HELD
        self.is_dirty = False  # a message has come since the read began
        self.page: RoomPage | None = None  # that is being read
        self.problem = ""  # why the last attempt has failed
        self.timer: Cancellable | None = None

    @property
    def label(self) -> str:
        """For the operator's log; see `securechat.containment.Owner`."""
        return f"outgoing webhook {self.sender_id}"

    def fail(self) -> None:
        """Work for it raised: look again in a while; see `securechat.containment.Owner`."""
        self.owner.failed(self)


def _no_doubt(_destination: Destination, done: Callable[[str], None]) -> None:
    done("")


class OutgoingFeed:
    """The feeds of all webhooks; implements `securechat.hub.programs.outgoing.OutgoingPort`.

    Args:
        webhooks: those of the hub.
        worker: delivers.
        scheduler: timers.
        containment: each webhook owns the work for it.
        observer: is told of outcomes.
        policy: where deliveries may go.
        plan: see `schedule.planned`.
        doubt: looks a destination up and tells, later, why nothing could go there now; empty if something could.
    """

    def __init__(
        self,
        webhooks: OutgoingWebhooks,
        worker: FeedWorker,
        scheduler: FeedScheduler,
        containment: Containment,
        observer: FeedObserver,
        policy: NetworkPolicy,
        plan: Callable[[RetryState, Outcome, int], Plan] = planned,
        doubt: Callable[[Destination, Callable[[str], None]], None] = _no_doubt,
    ) -> None:
        self._webhooks = webhooks
        self._worker = worker
        self._scheduler = scheduler
        self._containment = containment
        self._observer = observer
        self._policy = policy
        self._plan = plan
        self._doubt = doubt
        self._feeds: dict[int, _Feed] = {}
        self._turns = DeliveryTurns()
        self._is_reading = False
        self._is_pumping = False
        self._stopped = False

    def start(self) -> None:
        """Go on from the cursors; to be called once, when the hub has its state."""
        self._webhooks.port = self
        for row in self._webhooks.rows():
            self.changed(row.sender_id)

    def stop(self) -> None:
        """Deliver nothing more, and note how far each webhook has come; an attempt under way is made again later."""
        if self._stopped:
            return
        self._stopped = True
        self._webhooks.port = None
        for feed in self._feeds.values():
            self._cancel(feed)
            self._worker.forget(feed.sender_id)
            self._note_cursor(feed, self._webhooks.fed_seq if feed.state is _State.IDLE else feed.after)

    # --- For the hub ----------------------------------------------------------------------------------------------

    def judge(self, url: str) -> None:
        """See `OutgoingPort.judge`. Raises: Refusal."""
        try:
            parse_destination(url, self._policy)
        except DestinationInvalid as error:
            raise refusal_for("webhook_url_invalid", why=english(str(error))) from None

    def doubt(self, url: str, done: Callable[[str], None]) -> None:
        """See `OutgoingPort.doubt`."""
        self._doubt(parse_destination(url, self._policy), lambda why: done(english(why)))

    def changed(self, sender_id: int) -> None:
        """See `OutgoingPort.changed`."""
        row, feed = self._webhooks.row(sender_id), self._feeds.get(sender_id)
        if row is None:
            if feed is not None:
                self._vanished(feed)
            return
        if feed is None:
            feed = self._feeds[sender_id] = _Feed(self, sender_id, row.cursor)
            self._turns.judge(sender_id, is_slow=row.failures > 0)
            self._run(feed, lambda: self._go(feed))
        elif feed.state is not _State.DELIVERING and (
            feed.state in (_State.HELD, _State.WAITING) or self._webhooks.room_of(row) is None
        ):
            self._run(feed, lambda: self._go(feed))

    def look_again(self) -> None:
        """See `OutgoingPort.look_again`."""
        for feed in [feed for feed in self._feeds.values() if feed.state is _State.HELD]:
            row = self._webhooks.row(feed.sender_id)
            if row is not None and not row.off and self._webhooks.is_allowed(row):
                self._run(feed, partial(self._go, feed))

    def behind(self, sender_id: int) -> int:
        """See `OutgoingPort.behind`."""
        feed = self._feeds.get(sender_id)
        return 0 if feed is None or feed.state is _State.IDLE else max(0, self._webhooks.fed_seq - feed.after)

    def problem(self, sender_id: int) -> str:
        """See `OutgoingPort.problem`."""
        feed = self._feeds.get(sender_id)
        return "" if feed is None else feed.problem

    def posted(self, sender_id: int, *, wanted: bool, before: int) -> None:
        """See `OutgoingPort.posted`."""
        feed = self._feeds.get(sender_id)
        if feed is None:
            return
        feed.is_dirty = True
        if feed.state is _State.IDLE:
            feed.after = max(feed.after, before if wanted else self._webhooks.fed_seq)
        if feed.state is _State.IDLE and not wanted:
            self._note_lazily(feed)
        elif feed.state in (_State.IDLE, _State.HELD):
            self._run(feed, lambda: self._go(feed))

    def edited(self, sender_id: int, seqs: Sequence[int]) -> None:
        """See `OutgoingPort.edited`. What was looked at must not be looked at again with another text."""
        feed, row = self._feeds.get(sender_id), self._webhooks.row(sender_id)
        if feed is None or row is None:
            return
        through = self._webhooks.fed_seq if feed.state is _State.IDLE else feed.after
        if any(row.cursor < seq <= through for seq in seqs):
            self._note_cursor(feed, through)

    def failed(self, feed: _Feed) -> None:
        """Work for a webhook raised an exception: look again in a while."""
        self._end_step(feed)
        self._later(feed, _FAULT_AGAIN_S, lambda: self._go(feed))

    # --- One step after the other ---------------------------------------------------------------------------------

    def _go(self, feed: _Feed, *, is_due: bool = False) -> None:
        """Begin with what is due: nothing, waiting, or reading.

        Args:
            feed: the webhook.
            is_due: its pause is over by the clock of the loop, whatever the wall clock says.
        """
        if self._stopped:
            return
        row = self._webhooks.row(feed.sender_id)
        if row is None:
            self._vanished(feed)
            return
        self._end_step(feed)
        feed.after = max(feed.after, row.cursor)
        wait_s = 0.0 if is_due else (row.next_ms - self._webhooks.now_ms()) / 1000
        if not row.off and self._webhooks.room_of(row) is None:
            self._switch_off(feed, ROOM_GONE)
        elif row.off:
            feed.state = _State.HELD
        elif not self._webhooks.is_allowed(row):
            self._later(feed, _HELD_AGAIN_S, lambda: self._go(feed), _State.HELD)
        elif 0 < wait_s <= longest_pause_s(row.failures):  # one that is longer: the clock has been put back
            self._later(feed, min(wait_s, _MOST_WAIT_S), lambda: self._go(feed, is_due=wait_s <= _MOST_WAIT_S))
        else:
            feed.state = _State.READING
            self._turns.wait(feed.sender_id)
            self._pump()

    def _pump(self) -> None:
        """Begin the next read, if none is under way and there is a thread for what it finds."""
        if self._is_pumping:  # a read that could not begin has ended its turn
            return
        self._is_pumping = True
        try:
            while not self._is_reading and not self._stopped and (number := self._turns.next()) is not None:
                feed = self._feeds[number]
                self._run(feed, partial(self._ask, feed))
        finally:
            self._is_pumping = False

    def _end_turn(self, feed: _Feed) -> None:
        """Another webhook may have its thread."""
        if self._turns.end(feed.sender_id):
            self._pump()

    def _ask(self, feed: _Feed) -> None:
        row = self._webhooks.row(feed.sender_id)
        if row is None or not self._webhooks.is_allowed(row):
            self._go(feed)
            return
        feed.is_dirty = False
        feed.page = page = self._webhooks.page(row, feed.after)

        def done(rows: HistoryRows | NotAppended) -> None:
            self._scheduler.call_later(READ_PAUSE_S, self._next_read)
            # the log sees a new name before the hub hears of it: what was read may be another room's
            page.room.when_named(lambda: self._run(feed, lambda: self._read(feed, page, rows)))

        self._is_reading = True
        try:
            self._webhooks.read(page, done)
        except BaseException:
            self._is_reading = False  # of the others, too
            raise

    def _next_read(self) -> None:
        self._is_reading = False
        self._pump()

    def _read(self, feed: _Feed, page: RoomPage, rows: HistoryRows | NotAppended) -> None:
        if self._stopped or feed.page is not page:
            return
        feed.page = None
        row = self._webhooks.row(feed.sender_id)
        if isinstance(rows, NotAppended):
            self._later(feed, AGAIN_S, lambda: self._go(feed))
            return
        answer = None if row is None or not self._webhooks.is_allowed(row) else self._webhooks.found(row, page, rows)
        if row is None or answer is None:  # gone, out of its room, or the room has had another name: look again
            self._go(feed)
            return
        if answer.purged > feed.after:
            self._observer.outgoing_gap(self._webhooks.name_of(feed.sender_id), answer.purged)
            feed.after = answer.purged
            self._note_cursor(feed, answer.purged)
        if answer.message is not None:
            self._deliver(feed, row, answer.message)
            return
        feed.after = answer.through
        if answer.more or feed.is_dirty:
            self._go(feed)
            return
        self._end_turn(feed)
        if row.failures:  # the message whose deliveries have failed is gone
            self._advance(feed, answer.through)
        else:
            feed.state = _State.IDLE
            self._note_lazily(feed)

    def _deliver(self, feed: _Feed, row: OutgoingWebhook, message: Message) -> None:
        feed.state = _State.DELIVERING
        feed.after = max(feed.after, message.seq - 1)
        try:
            destination = parse_destination(row.url, self._policy)
        except DestinationInvalid as error:  # its network was named when it was made, and is not any more
            self._answered(feed, message, Failed(DeliveryProblem.FORBIDDEN, sentence_of(error)))
            return
        secrets = [row.secret]
        if row.old_secret and row.old_until_ms > self._webhooks.now_ms():
            secrets.append(row.old_secret)
        request = OutgoingRequest(
            destination,
            delivery_id(row.hook_id, message),
            payload_of(message, bot=message.bot),
            tuple(map(parse_secret, secrets)),
        )

        began = self._scheduler.now

        def done(outcome: Outcome) -> None:
            is_slow = isinstance(outcome, Failed) or self._scheduler.now - began > SLOW_S
            self._turns.judge(feed.sender_id, is_slow=is_slow)
            self._run(feed, lambda: self._answered(feed, message, outcome))

        if not self._worker.deliver(feed.sender_id, request, done):
            self._later(feed, AGAIN_S, lambda: self._go(feed))

    def _answered(self, feed: _Feed, message: Message, outcome: Outcome) -> None:
        """Go on with the outcome of an attempt."""
        self._end_turn(feed)
        if self._stopped:
            return
        row = self._webhooks.row(feed.sender_id)
        if row is None:
            self._vanished(feed)
            return
        match outcome:
            case Delivered(reply, problem):
                self._observer.outgoing_delivered("delivered")
                if problem is not None:
                    self._lose_reply(feed, problem.value)
                if reply is None:
                    self._advance(feed, message.seq)
                else:
                    self._reply(feed, message, reply)
                return
            case Failed(problem, detail):
                feed.problem = english(detail) or problem.value
                self._observer.outgoing_delivered(problem.value)
                self._observer.outgoing_failed(self._webhooks.name_of(feed.sender_id), problem.value, feed.problem)
            case Gone():
                self._observer.outgoing_delivered("gone")
        state = RetryState(row.failures, row.failing_since_ms, row.next_ms)
        match self._plan(state, outcome, self._webhooks.now_ms()):
            case SwitchedOff(reason):
                self._tell_off(feed, reason)
            case RetryState(failures, since_ms, next_ms):
                self._note(
                    feed,
                    lambda now: replace(now, failures=failures, failing_since_ms=since_ms, next_ms=next_ms),
                    lambda: self._go(feed),
                )

    def _reply(self, feed: _Feed, message: Message, text: str) -> None:
        """Post a reply; one that is longer than a message may be is cut, with a note of what is missing."""
        row = self._webhooks.row(feed.sender_id)
        if row is None:
            self._vanished(feed)
            return

        def done(answer: NotAppended | float) -> None:
            if not isinstance(answer, NotAppended):
                self._advance(feed, message.seq, answer)
            elif answer.code in _PASSING:
                self._later(feed, AGAIN_S, lambda: self._reply(feed, message, text), _State.DELIVERING)
            else:
                self._lose_reply(feed, answer.code.value)
                self._advance(feed, message.seq)

        if len(text) > MAX_TEXT_CHARS:
            text = shortened(text, MAX_TEXT_CHARS, MAX_TEXT_BYTES)
        self._webhooks.say(row, text, delivery_id(row.hook_id, message), message.seq, done)

    def _lose_reply(self, feed: _Feed, why: str) -> None:
        self._observer.outgoing_delivered(REPLY_REFUSED)
        self._observer.outgoing_reply_lost(self._webhooks.name_of(feed.sender_id), why)

    def _advance(self, feed: _Feed, seq: int, pause_s: float = 0.0) -> None:
        """All up to here is done with: move the cursor, and look for the next message after a pause."""

        def edit(row: OutgoingWebhook) -> OutgoingWebhook:
            return replace(row, cursor=max(row.cursor, seq), failures=0, failing_since_ms=0, next_ms=0)

        def go_on() -> None:
            if pause_s:
                self._later(feed, pause_s, lambda: self._go(feed), _State.DELIVERING)
            else:
                self._go(feed)

        feed.after, feed.problem = max(feed.after, seq), ""
        self._note(feed, edit, go_on)

    def _tell_off(self, feed: _Feed, reason: OffReason) -> None:
        """Tell the room first, by a key: after a crash in between it is told once."""
        row = self._webhooks.row(feed.sender_id)
        if row is None:
            self._vanished(feed)
            return

        def done(answer: NotAppended | float) -> None:
            if isinstance(answer, NotAppended) and answer.code in _PASSING:
                self._later(feed, AGAIN_S, lambda: self._tell_off(feed, reason), _State.DELIVERING)
            else:
                self._switch_off(feed, reason.value)

        # the time of the last such end is another one for each of them, and the same after a crash
        self._webhooks.say(row, _OFF_TEXTS[reason], f"off {row.hook_id} {row.off_at_ms}", None, done)

    def _switch_off(self, feed: _Feed, why: str) -> None:
        now_ms = self._webhooks.now_ms()
        self._observer.outgoing_off(self._webhooks.name_of(feed.sender_id), why)
        self._note(feed, lambda now: replace(now, off=why, off_at_ms=now_ms), lambda: self._go(feed))

    # --- Writing --------------------------------------------------------------------------------------------------

    def _note(self, feed: _Feed, edit: Callable[[OutgoingWebhook], OutgoingWebhook], then: Callable[[], None]) -> None:
        """Write the record of a webhook, again and again while the disk is full, and go on."""
        feed.state = _State.DELIVERING

        def done(answer: object) -> None:
            if self._stopped or self._feeds.get(feed.sender_id) is not feed:
                return
            if not isinstance(answer, NotAppended):
                self._run(feed, then)
            elif self._webhooks.row(feed.sender_id) is None:
                self._vanished(feed)
            else:
                self._later(feed, AGAIN_S, lambda: self._note(feed, edit, then), _State.DELIVERING)

        self._webhooks.note(feed.sender_id, edit, done)

    def _note_lazily(self, feed: _Feed) -> None:
        row = self._webhooks.row(feed.sender_id)
        if row is not None and self._webhooks.fed_seq - row.cursor >= LAZY_ENTRIES:
            self._note_cursor(feed, self._webhooks.fed_seq)

    def _note_cursor(self, feed: _Feed, seq: int) -> None:
        """Note that all up to here has been looked at; a refusal makes a later read longer, and no more."""
        row = self._webhooks.row(feed.sender_id)
        if row is not None and row.cursor < seq:
            self._webhooks.note(
                feed.sender_id, lambda now: replace(now, cursor=max(now.cursor, seq)), lambda _answer: None
            )

    # --- Timers and ends ------------------------------------------------------------------------------------------

    def _run(self, feed: _Feed, step: Callable[[], None]) -> None:
        if self._feeds.get(feed.sender_id) is feed:
            self._containment.run(feed, step)

    def _later(self, feed: _Feed, delay_s: float, step: Callable[[], None], state: _State = _State.WAITING) -> None:
        if self._stopped:
            return
        self._cancel(feed)
        self._end_turn(feed)
        feed.state = state
        feed.timer = self._scheduler.call_later(delay_s, lambda: self._run(feed, step))

    def _cancel(self, feed: _Feed) -> None:
        if feed.timer is not None:
            feed.timer.cancel()
            feed.timer = None

    def _end_step(self, feed: _Feed) -> None:
        """End what is under way for a webhook: its timer, its read, its delivery."""
        self._cancel(feed)
        feed.page = None
        self._worker.forget(feed.sender_id)
        self._end_turn(feed)

    def _vanished(self, feed: _Feed) -> None:
        """A webhook is gone, and what is under way is ended; or it is going, which a full disk may still prevent."""
        self._end_step(feed)
        if self._webhooks.is_there(feed.sender_id):
            self._later(feed, AGAIN_S, lambda: self._go(feed))
        elif self._feeds.get(feed.sender_id) is feed:
            del self._feeds[feed.sender_id]
            self._turns.forget(feed.sender_id)
