"""One stream out of two: live messages and pulled pages become every message once, in the order of its conversation.

The rules (architecture.md, "Identity, order and resume"): all above ``live_from`` comes live, all up to it is pulled;
one History is in flight at a time; a message whose ``prev`` we never saw reveals a hole, which is pulled before it is
shown. A conversation's ``last`` decides what was seen already, ``changed`` which changes were: these have no chain.

On one connection seqs only rise, over all conversations (docs/protocol.md): so wherever a connection dies, everything
up to the cursor was seen, and one log-wide cursor is enough to resume from.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from msgspec.structs import replace

from securechat.client.core.gap_fill import Backfill, GapFill, ReadAnswer, ReadCommand, ReadJob, SingleQuery
from securechat.client.core.message_changes import PendingChanges, apply_change
from securechat.client.core.state import Conversation, ConversationId, KnownRooms, RoomKey
from securechat.model import HistoryPage, LogEntry, Message, MessageChange


class TimelineListener(Protocol):
    """Who is told what the feed yields."""

    def on_message(self, key: ConversationId, message: Message, *, late: bool) -> None:
        """A message, once, in order; ``late`` when it was pulled."""

    def on_change(self, key: ConversationId, change: MessageChange, message: Message | None, *, late: bool) -> None:
        """A change, once; ``message`` is what became of it, None where the message is not kept."""

    def on_recalled(self, recall: Backfill) -> None:
        """Earlier messages, complete."""

    def on_caught_up(self, missed: int) -> None:
        """Everything missed has been told."""


class Timeline:
    """The conversations, the cursor, and what is being pulled."""

    def __init__(self, reader: TimelineListener, rooms: KnownRooms) -> None:
        self.me = 0
        self.cursor = 0
        self.conversations: dict[ConversationId, Conversation] = {}
        self._reader = reader
        self._rooms = rooms
        self._floor = 0
        self._rooms_above = 0
        self._jobs: deque[ReadJob] = deque()
        self._in_flight: tuple[int, ReadJob] | None = None
        self._resume: GapFill | None = None
        self._missed = 0
        self._pulls: dict[ConversationId, GapFill] = {}
        self._started = False
        self._not_before = 0.0
        self._pending_changes = PendingChanges()

    # --- the connection's life ------------------------------------------------------------------------------------

    def begin(self, live_from: int, seen: int | None = None) -> None:
        """A first connection, or a server with another log: nothing in a room before now was missed.

        Args:
            live_from: everything above comes live.
            seen: of an account: dialogues above it were missed, because no device of it was here.
        """
        self.cursor = self._floor = live_from if seen is None else min(seen, live_from)
        self._rooms_above = live_from
        self.conversations.clear()
        self._pending_changes.clear()
        self._pulls.clear()
        self._jobs.clear()
        self._resume = None
        if self._floor < live_from:
            self.resume(live_from)

    def resume(self, live_from: int) -> None:
        """A new connection after a loss: pull what was missed, once `start` says that the rooms are entered again."""
        self._missed = 0
        self._resume = GapFill(None, max(self._floor, self.cursor), live_from)
        self._jobs.appendleft(self._resume)

    def start(self) -> None:
        """Every room is entered: History now speaks of everything one belongs to."""
        self._started = True
        self._settle()

    def lost(self) -> None:
        """The connection is gone. What a resume held back will be pulled again; the other jobs begin anew."""
        self._in_flight = None
        self._started = False
        self._not_before = 0.0
        if self._resume is not None:
            self._jobs.remove(self._resume)
            self._resume = None
        for job in self._jobs:
            if isinstance(job, Backfill):
                job.begin_anew()

    @property
    def catching_up(self) -> bool:
        """Whether what was missed is still being pulled."""
        return self._resume is not None

    @property
    def reading(self) -> bool:
        """Whether a question waits or is under way."""
        return bool(self._jobs) or self._in_flight is not None

    # --- rooms ----------------------------------------------------------------------------------------------------

    def entered(self, key: RoomKey, live_from: int, recall: int) -> None:
        """In a room: its first ``recall`` earlier messages come before anything live."""
        known = self.conversations.get(key)
        if known is not None and known.member:
            self._entered_again(known, live_from)
            return
        conversation = known or Conversation(key)
        self.conversations[key] = conversation
        conversation.member = True
        conversation.messages.clear()  # nobody told us what became of them while we were not there
        conversation.last = max(conversation.last, live_from)
        conversation.changed = live_from
        if recall > 0:
            self._jobs.append(Backfill(key, recall, live_from + 1, asked=False))
            self._pull(conversation, live_from)

    def _entered_again(self, conversation: Conversation, live_from: int) -> None:
        if self._resume is not None:
            self._resume.extend(live_from)
        elif live_from > conversation.last:  # entered late, after what was missed elsewhere had been pulled
            self._pull(conversation, live_from)

    def left(self, key: RoomKey) -> None:
        """Out of a room: what is still being pulled of it is nobody's business any more."""
        if (conversation := self.conversations.get(key)) is not None:
            conversation.member = False
        self._pending_changes.forget(key)
        self._pulls.pop(key, None)
        self._jobs = deque(job for job in self._jobs if job.key != key)
        self._settle()

    def renamed(self, key: RoomKey, gone: RoomKey | None) -> None:
        """A room has another name, which the kept messages say too; forget the room that had this name before."""
        if gone is not None:
            self.left(gone)
            self.conversations.pop(gone, None)
        if (conversation := self.conversations.get(key)) is not None:
            named = [replace(message, room=key.room) for message in conversation.messages]
            conversation.messages.clear()
            conversation.messages.extend(named)

    # --- messages -------------------------------------------------------------------------------------------------

    def live(self, entry: LogEntry) -> None:
        """Take a message, or a change of one, that the server pushed."""
        if self._resume is not None:
            self._resume.hold(entry)
            return
        self._offer(entry, late=False)
        self.cursor = max(self.cursor, entry.seq)

    def find(self, key: ConversationId, seq: int) -> Message | None:
        """Return a message that is kept."""
        conversation = self.conversations.get(key)
        return None if conversation is None else conversation.find(seq)

    def current(self, key: ConversationId, message: Message) -> Message:
        """Return a message that was read, as it is by all that is known: a page may be older than what came live."""
        return self.find(key, message.seq) or self._pending_changes.applied(message)

    def recall(self, key: ConversationId, count: int) -> None:
        """The user asks for the last ``count`` messages."""
        self._jobs.append(Backfill(key, count, None, asked=True))

    def ask(self, question: SingleQuery) -> None:
        """Ask in turn."""
        self._jobs.append(question)

    def next_request(self, ref: int, now: float) -> ReadCommand | None:
        """Return the next question to send, if one is due; remember it under ``ref``."""
        if not self._started or self._in_flight is not None or not self._jobs or now < self._not_before:
            return None
        job = self._jobs[0]
        self._not_before = 0.0
        request = job.request(ref)
        if request is not None:
            self._in_flight = (ref, job)
        return request

    @property
    def deadline(self) -> float | None:
        """When a postponed request is due; None when nothing is postponed."""
        return self._not_before if self._jobs and self._not_before and self._in_flight is None else None

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
        """A question was refused: try again then, or with None not at all. Returns it, if ``ref`` was ours.

        Args:
            ref: of the question.
            retry_at: monotonic seconds.
            failed_at: now, where the server has failed to answer: what was missed is asked for again all the same.
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
        if isinstance(key, RoomKey) and entry.room != key.room:
            entry = replace(entry, room=key.room)
        conversation = self.conversations.get(key)
        if conversation is None and entry.room is not None:
            return  # of a room that was left while away: the server has not heard of it yet
        if conversation is None:
            # What a dialogue holds from before this process is nothing we missed; above that, prev reveals a hole.
            before = min(entry.prev, self._floor) if isinstance(entry, Message) else self._floor
            conversation = self.conversations[key] = Conversation(key, last=before)
        if (pull := self._pulls.get(key)) is not None:
            pull.hold(entry)
        elif isinstance(entry, Message) and conversation.member and entry.prev > conversation.last:
            self._pull(conversation, entry.seq - 1)
            self._pulls[key].hold(entry)
        else:
            self._take(conversation, entry, late=late)

    def _take(self, conversation: Conversation, entry: LogEntry, *, late: bool) -> None:
        if not conversation.member:
            return
        if isinstance(entry, Message):
            self._show(conversation, entry, late=late)
        elif entry.seq > conversation.changed:
            conversation.changed = entry.seq
            self._change(conversation, entry, late=late)

    def _show(self, conversation: Conversation, message: Message, *, late: bool) -> None:
        if message.seq <= conversation.last:
            return
        conversation.last = message.seq
        conversation.messages.append(message)
        if self._resume is not None:
            self._missed += 1
        self._reader.on_message(conversation.key, message, late=late)

    def _change(self, conversation: Conversation, change: MessageChange, *, late: bool) -> None:
        before = conversation.find(change.target)
        if before is None:
            self._pending_changes.keep(conversation.key, change)
            for job in self._jobs:
                if isinstance(job, Backfill):
                    job.change(change)
            self._reader.on_change(conversation.key, change, None, late=late)
        elif (after := apply_change(before, change)) is not before:
            conversation.put(after)
            self._reader.on_change(conversation.key, change, after, late=late)

    def _pull(self, conversation: Conversation, target: int) -> None:
        if (pull := self._pulls.get(conversation.key)) is not None:
            pull.extend(target)
            return
        pull = self._pulls[conversation.key] = GapFill(conversation.key, conversation.last, target)
        self._jobs.append(pull)

    def _settle(self) -> None:
        """Finish every job at the head that has nothing left to ask for."""
        while self._started and self._jobs and self._in_flight is None and self._jobs[0].finished:
            job = self._jobs.popleft()
            match job:
                case Backfill():
                    self._finish_recall(job)
                case GapFill(key=None):
                    self._finish_resume(job)
                case GapFill():
                    self._finish_pull(job)
                case SingleQuery():
                    pass

    def _finish_recall(self, job: Backfill) -> None:
        conversation = self.conversations.get(job.key)
        job.messages = [self.current(job.key, message) for message in job.messages]
        if conversation is not None and not job.asked and not conversation.messages:
            conversation.messages.extend(job.messages)
        self._reader.on_recalled(job)

    def _finish_resume(self, job: GapFill) -> None:
        for entry in job.release():
            self._offer(entry, late=True)
            self.cursor = max(self.cursor, entry.seq)
        self.cursor = max(self.cursor, job.target)
        self._resume = None
        self._reader.on_caught_up(self._missed)

    def _finish_pull(self, job: GapFill) -> None:
        if job.key is None or self._pulls.pop(job.key, None) is None:
            return
        conversation = self.conversations[job.key]
        held = job.release()
        for entry in held:
            if entry.seq <= job.target:
                self._take(conversation, entry, late=False)
        conversation.last = max(conversation.last, job.target)  # whatever the log no longer has will not come
        for entry in held:
            self._offer(entry, late=False)
