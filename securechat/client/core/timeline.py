"""Merges live messages and pages of history: each message once, in the order of its conversation.

The rules (architecture.md, "Identity, order and resume"): all above ``live_from`` comes live, all up to it is read
from the log; one question is in flight at a time; a message whose ``prev`` was not seen reveals a gap, which is filled
before the message is shown. A conversation's ``last`` tells which messages were seen; its ``changed`` which changes,
because changes name no predecessor.

On one connection seqs only rise, over all conversations (docs/protocol.md). Wherever a connection breaks, everything up
to the cursor was seen, so one cursor for the whole log is enough to resume from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from securechat.client.core.gap_fill import Backfill, GapFill, ReadAnswer, ReadCommand, ReadJob, SingleQuery
from securechat.client.core.message_changes import PendingChanges, apply_change
from securechat.client.core.state import Conversation, ConversationId, KnownRooms, RoomKey
from securechat.model import HistoryPage, LogEntry, Message, MessageChange, Purged

KEPT_REMOVED = 1_000
"""Removed senders that are remembered, for pages that were read before; twice as many as a server tells at once."""


class TimelineListener(Protocol):
    """Receives what the timeline yields."""

    def on_message(self, key: ConversationId, message: Message, *, late: bool) -> None:
        """Show a message, once and in order; ``late`` when it was read from the log."""

    def on_change(self, key: ConversationId, change: MessageChange, message: Message | None, *, late: bool) -> None:
        """Show a change, once; ``message`` is the result, None where the message is not kept."""

    def on_purged(
        self, purged: Purged, key: ConversationId | None, removed: Sequence[Message], *, unseen: bool
    ) -> None:
        """Show no longer what is gone for good: in the room ``key``, or of a sender; ``removed`` was kept until now.

        ``unseen`` tells that some of it may never have been shown.
        """

    def on_backfilled(self, backfill: Backfill) -> None:
        """Show earlier messages; all of them are there."""

    def on_caught_up(self, missed: int) -> None:
        """Everything missed has been shown."""


class Timeline:
    """The conversations, the cursor, and the questions to the log.

    Args:
        listener: receives messages and changes.
        rooms: resolves the names in them.

    Attributes:
        me: the user's sender_id.
        cursor: every entry up to this seq was seen.
        began_at: everything above was said since the first connection, or since the log is another one.
        conversations: by key.
    """

    def __init__(self, listener: TimelineListener, rooms: KnownRooms) -> None:
        self.me = 0
        self.cursor = 0
        self.began_at = 0
        self.conversations: dict[ConversationId, Conversation] = {}
        self._listener = listener
        self._rooms = rooms
        self._floor = 0
        self._rooms_above = 0
        self._known_from: int | None = None
        self._holds_back = False
        self._jobs: deque[ReadJob] = deque()
        self._in_flight: tuple[int, ReadJob] | None = None
        self._resume: GapFill | None = None
        self._missed = 0
        self._gap_fills: dict[ConversationId, GapFill] = {}
        self._started = False
        self._not_before = 0.0
        self._pending_changes = PendingChanges()
        self._removed: dict[int, int] = {}  # senders, and the seq up to which nothing of them is left

    # --- the connection's life ------------------------------------------------------------------------------------

    def begin(self, live_from: int, seen: int | None = None, known_to: int | None = None) -> None:
        """Begin on a first connection, or with another log: nothing in a room before now was missed.

        Args:
            live_from: everything above comes live.
            seen: of an account: direct messages above it were missed, because no device of it was connected.
            known_to: an earlier run has seen everything up to here, so messages above it were missed in rooms too.
        """
        self.began_at = live_from
        self._known_from = known_to
        if known_to is not None:
            seen = known_to
        self.cursor = self._floor = live_from if seen is None else min(seen, live_from)
        self._rooms_above = live_from if known_to is None else self.cursor
        self.conversations.clear()
        self._pending_changes.clear()
        self._removed.clear()
        self._gap_fills.clear()
        self._jobs.clear()
        self._resume = None
        if self._floor < live_from:
            self.resume(live_from)
        elif self._holds_back:
            self.hold_back()

    def resume(self, live_from: int) -> None:
        """Read what was missed up to ``live_from``, once `start` tells that the rooms are joined again."""
        self._missed = 0
        self._resume = GapFill(None, max(self._floor, self.cursor), live_from)
        self._jobs.appendleft(self._resume)

    def start(self) -> None:
        """Every room is joined: History now covers all conversations of the user."""
        self._started = True
        self._settle()

    def lost(self) -> None:
        """The connection is lost. What a resume held back will be read again; the other jobs begin anew."""
        self._in_flight = None
        self._started = False
        self._not_before = 0.0
        if self._resume is not None:
            self._jobs.remove(self._resume)
            self._resume = None
        for job in self._jobs:
            if isinstance(job, Backfill):
                job.begin_anew()

    def hold_back(self) -> None:
        """Read no more of what was missed, and hold back what comes live, until `go_on`.

        What comes live is kept as during a resume: beyond HELD_MESSAGES it is read from the log later.
        """
        self._holds_back = True
        if self._resume is None:
            self._missed = 0
            self._resume = GapFill(None, self.cursor, self.cursor)
            self._jobs.appendleft(self._resume)

    def go_on(self) -> None:
        """Show what was held back, and read on."""
        self._holds_back = False
        self._settle()

    @property
    def catching_up(self) -> bool:
        """Whether what was missed is still being read."""
        return self._resume is not None and not self._holds_back

    @property
    def complete_through(self) -> int:
        """Every entry up to this seq was shown, in all conversations; with gaps being filled it is below `cursor`."""
        return min([self.cursor, *(gap_fill.after for gap_fill in self._gap_fills.values())])

    @property
    def reading(self) -> bool:
        """Whether a question waits or is under way."""
        return bool(self._jobs) or self._in_flight is not None

    # --- rooms ----------------------------------------------------------------------------------------------------

    def entered(self, key: RoomKey, live_from: int, backfill_count: int, *, was_in: bool = False) -> None:
        """Begin or go on with a room; the last ``backfill_count`` earlier messages come before anything live.

        Args:
            key: the room.
            live_from: everything above comes live.
            backfill_count: how many earlier messages to read.
            was_in: whether the account was in it before this run: then an earlier run may have seen a part of it.
        """
        known = self.conversations.get(key)
        if known is not None and known.member:
            self._entered_again(known, live_from)
            return
        conversation = known or Conversation(key)
        self.conversations[key] = conversation
        conversation.member = True
        conversation.messages.clear()  # their changes were not delivered meanwhile
        seen = live_from if self._known_from is None or not was_in or known is not None else self._known_from
        conversation.last = max(conversation.last, seen)
        conversation.changed = seen
        if known is None:
            conversation.read = conversation.last
        if backfill_count > 0:
            self._jobs.append(Backfill(key, backfill_count, live_from + 1, asked=False))
            self._fill_gap(conversation, live_from)

    def _entered_again(self, conversation: Conversation, live_from: int) -> None:
        if self._resume is not None:
            self._resume.extend(live_from)
        elif live_from > conversation.last:  # joined after what was missed elsewhere had been read
            self._fill_gap(conversation, live_from)

    def left(self, key: RoomKey) -> None:
        """Drop the questions about a room that the user is no longer in."""
        if (conversation := self.conversations.get(key)) is not None:
            conversation.member = False
        self._pending_changes.forget(key)
        self._gap_fills.pop(key, None)
        self._jobs = deque(job for job in self._jobs if job.key != key)
        self._settle()

    def renamed(self, key: RoomKey, was: str, gone: RoomKey | None) -> None:
        """Write the new name of a room into its messages; forget ``gone``, which had this name before."""
        for gap_fill in (*([self._resume] if self._resume is not None else []), *self._gap_fills.values()):
            gap_fill.renamed(was, key.room, replaces=gone is not None)
        if gone is not None:
            self.left(gone)
            self.conversations.pop(gone, None)
        if (conversation := self.conversations.get(key)) is not None:
            named = [replace(message, room=key.room) for message in conversation.messages]
            conversation.messages.clear()
            conversation.messages.extend(named)

    # --- messages -------------------------------------------------------------------------------------------------

    def live(self, entry: LogEntry) -> None:
        """Take a message, or a change of one, that the server has pushed."""
        if self._resume is not None:
            self._resume.hold(entry)
            return
        self._offer(entry, late=False)
        self.cursor = max(self.cursor, entry.seq)

    def purged(self, purged: Purged) -> None:
        """Drop messages that are gone for good, and any copy that is still on its way."""
        key: RoomKey | None = None
        seen = self.cursor
        if purged.sender_id is not None:
            if purged.through <= self._removed.get(purged.sender_id, 0):
                return
            self._removed.pop(purged.sender_id, None)
            self._removed[purged.sender_id] = purged.through
            if len(self._removed) > KEPT_REMOVED:
                del self._removed[next(iter(self._removed))]
            concerned = list(self.conversations.values())
        elif purged.room is not None:
            key = self._rooms.meant(purged.room)
            conversation = self.conversations.get(key)
            if conversation is None or purged.through <= conversation.purged:
                return
            conversation.purged = purged.through
            seen = max(seen, conversation.last)
            concerned = [conversation]
        else:
            return  # of a newer server, about something else
        for job in self._jobs:
            if isinstance(job, Backfill):
                job.purge(self.is_purged)
        self._pending_changes.purge(purged, key)
        removed = [message for conversation in concerned for message in self._drop_purged(conversation)]
        self._listener.on_purged(purged, key, removed, unseen=purged.through > seen)

    def is_purged(self, key: ConversationId, message: Message) -> bool:
        """Tell whether a message is known to be gone for good."""
        conversation = self.conversations.get(key)
        through = 0 if conversation is None else conversation.purged
        return message.seq <= max(through, self._removed.get(message.sender_id, 0))

    def _is_of_purged(self, conversation: Conversation, change: MessageChange) -> bool:
        """Tell whether a change is of a message that is gone; whose a message was that is not here, is not known."""
        return change.target <= max(conversation.purged, self._removed.get(change.sender_id, 0))

    def _drop_purged(self, conversation: Conversation) -> list[Message]:
        removed = [message for message in conversation.messages if self.is_purged(conversation.key, message)]
        if removed:
            kept = [message for message in conversation.messages if not self.is_purged(conversation.key, message)]
            conversation.messages.clear()
            conversation.messages.extend(kept)
        return removed

    def find(self, key: ConversationId, seq: int) -> Message | None:
        """Return a message that is kept."""
        conversation = self.conversations.get(key)
        return None if conversation is None else conversation.find(seq)

    def current(self, key: ConversationId, message: Message) -> Message:
        """Return a message of a page with all known changes: the page may be older than what came live."""
        return self.find(key, message.seq) or self._pending_changes.applied(message)

    def backfill(self, key: ConversationId, count: int, before: int | None = None) -> None:
        """Ask for the last ``count`` messages, or for the last before the seq ``before``."""
        self._jobs.append(Backfill(key, count, before, asked=True))

    def ask(self, question: SingleQuery) -> None:
        """Ask a question when its turn comes."""
        self._jobs.append(question)

    def next_request(self, ref: int, now: float) -> ReadCommand | None:
        """Return the next question to send, if one is due; ``ref`` becomes its number."""
        if not self._started or self._in_flight is not None or now < self._not_before:
            return None
        job = self._next_job
        if job is None:
            return None
        self._not_before = 0.0
        request = job.request(ref)
        if request is not None:
            self._in_flight = (ref, job)
        return request

    @property
    def deadline(self) -> float | None:
        """When a postponed request is due; None when nothing is postponed."""
        return self._not_before if self._next_job and self._not_before and self._in_flight is None else None

    def answered(self, answer: ReadAnswer) -> None:
        """Take the answer to the question in flight."""
        if self._in_flight is None or self._in_flight[0] != answer.ref:
            return
        job = self._in_flight[1]
        self._in_flight = None
        if isinstance(job, SingleQuery):
            job.finished = True
            job.answered(answer)
        elif isinstance(answer, HistoryPage):
            self._page(job, answer)
        self._settle()

    def _page(self, job: GapFill | Backfill, page: HistoryPage) -> None:
        for entry in job.page(page):
            if job is self._resume:
                if entry.room is None or entry.seq > self._rooms_above:
                    self._offer(entry, late=True)
            elif job.key is not None and job.key in self.conversations:
                self._take(self.conversations[job.key], entry, late=True)
        if job is self._resume:
            self.cursor = max(self.cursor, page.through)

    def refused(self, ref: int, retry_at: float | None, failed_at: float | None = None) -> ReadJob | None:
        """Repeat a refused question later, or drop it. Returns it, if ``ref`` was its number.

        Args:
            ref: of the question.
            retry_at: monotonic seconds; None to drop it.
            failed_at: now, where the server has failed to answer: a gap fill is repeated all the same.
        """
        if self._in_flight is None or self._in_flight[0] != ref:
            return None
        job = self._in_flight[1]
        self._in_flight = None
        if retry_at is None and failed_at is not None and isinstance(job, GapFill):
            retry_at = failed_at + job.failed()
        if retry_at is None:
            job.abandon()
        else:
            self._not_before = retry_at
        self._settle()
        return job

    # --- inside ---------------------------------------------------------------------------------------------------

    def _offer(self, entry: LogEntry, *, late: bool) -> None:
        key = self._rooms.conversation_of(entry, self.me)
        conversation = self.conversations.get(key)
        if conversation is None and entry.room is not None:
            return  # of a room that was left while offline: the server does not know of that yet
        if conversation is None:
            # Direct messages from before this process were not missed; above them, prev reveals a gap.
            before = min(entry.prev, self._floor) if isinstance(entry, Message) else self._floor
            conversation = self.conversations[key] = Conversation(key, last=before, read=before)
        if (gap_fill := self._gap_fills.get(key)) is not None:
            gap_fill.hold(entry)
        elif isinstance(entry, Message) and conversation.member and entry.prev > conversation.last:
            self._fill_gap(conversation, entry.seq - 1)
            self._gap_fills[key].hold(entry)
        else:
            self._take(conversation, entry, late=late)

    def _take(self, conversation: Conversation, entry: LogEntry, *, late: bool) -> None:
        if not conversation.member:
            return
        if isinstance(conversation.key, RoomKey) and entry.room != conversation.key.room:
            entry = replace(entry, room=conversation.key.room)  # it was on its way while the room was renamed
        if isinstance(entry, Message):
            self._show(conversation, entry, late=late)
        elif entry.seq > conversation.changed:
            conversation.changed = entry.seq
            self._change(conversation, entry, late=late)

    def _show(self, conversation: Conversation, message: Message, *, late: bool) -> None:
        if message.seq <= conversation.last:
            return
        conversation.last = message.seq
        if self.is_purged(conversation.key, message):
            return  # the page was read before
        conversation.messages.append(message)
        if self._resume is not None:
            self._missed += 1
        self._listener.on_message(conversation.key, message, late=late)

    def _change(self, conversation: Conversation, change: MessageChange, *, late: bool) -> None:
        for job in self._jobs:
            if isinstance(job, Backfill):  # its pages may be older, and a message may be dropped before it is shown
                job.change(change)
        before = conversation.find(change.target)
        if before is None and self._is_of_purged(conversation, change):
            return  # the page was read before
        if before is None:
            self._pending_changes.keep(conversation.key, change)
            self._listener.on_change(conversation.key, change, None, late=late)
        elif (after := apply_change(before, change)) is not before:
            conversation.put(after)
            self._listener.on_change(conversation.key, change, after, late=late)

    def _fill_gap(self, conversation: Conversation, target: int) -> None:
        if (gap_fill := self._gap_fills.get(conversation.key)) is not None:
            gap_fill.extend(target)
            return
        gap_fill = self._gap_fills[conversation.key] = GapFill(conversation.key, conversation.last, target)
        self._jobs.append(gap_fill)

    @property
    def _next_job(self) -> ReadJob | None:
        """The job whose turn it is: while entries are held back, a question of the user."""
        if not self._holds_back:
            return self._jobs[0] if self._jobs else None
        return next((job for job in self._jobs if not isinstance(job, GapFill)), None)

    def _settle(self) -> None:
        """Finish every job whose turn it is and that has nothing left to ask for."""
        while self._started and self._in_flight is None and (job := self._next_job) is not None and job.finished:
            self._jobs.remove(job)
            match job:
                case Backfill():
                    self._finish_backfill(job)
                case GapFill(key=None):
                    self._finish_resume(job)
                case GapFill():
                    self._finish_gap_fill(job)
                case SingleQuery():
                    pass

    def _finish_backfill(self, job: Backfill) -> None:
        conversation = self.conversations.get(job.key)
        job.purge(self.is_purged)
        job.messages = [self.current(job.key, message) for message in job.messages]
        if conversation is not None and not job.asked and not conversation.messages:
            conversation.messages.extend(job.messages)
        self._listener.on_backfilled(job)

    def _finish_resume(self, job: GapFill) -> None:
        for entry in job.release():
            self._offer(entry, late=True)
            self.cursor = max(self.cursor, entry.seq)
        self.cursor = max(self.cursor, job.target)
        self._resume = None
        self._known_from = None  # a room that is told from now on was joined since
        self._listener.on_caught_up(self._missed)

    def _finish_gap_fill(self, job: GapFill) -> None:
        if job.key is None or self._gap_fills.pop(job.key, None) is None:
            return
        conversation = self.conversations[job.key]
        held = job.release()
        for entry in held:
            if entry.seq <= job.target:
                self._take(conversation, entry, late=False)
        conversation.last = max(conversation.last, job.target)  # what the log no longer has will not come
        for entry in held:
            self._offer(entry, late=False)
