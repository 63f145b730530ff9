"""One stream out of two: live messages and pulled pages become every message once, in the order of its conversation.

The rules (architecture.md, "Identity, order and resume"): all above ``live_from`` comes live, all up to it is pulled;
one History is in flight at a time; a message whose ``prev`` we never saw reveals a hole, which is pulled before it is
shown. A conversation's ``last`` decides what was seen already.

On one connection seqs only rise, over all conversations (docs/protocol.md): so wherever a connection dies, everything
up to the cursor was seen, and one log-wide cursor is enough to resume from.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from securechat.client.pull import Job, Pull, Recall
from securechat.client.state import Conversation, Key, RoomKey, key_of
from securechat.model import History, HistoryPage, Message


class Reader(Protocol):
    """Who is told what the feed yields."""

    def on_message(self, key: Key, message: Message, *, late: bool) -> None:
        """A message, once, in order; ``late`` when it was pulled."""

    def on_recalled(self, recall: Recall) -> None:
        """Earlier messages, complete."""

    def on_caught_up(self, missed: int) -> None:
        """Everything missed has been told."""


class Feed:
    """The conversations, the cursor, and what is being pulled."""

    def __init__(self, reader: Reader) -> None:
        self.me = 0
        self.cursor = 0
        self.conversations: dict[Key, Conversation] = {}
        self._reader = reader
        self._floor = 0
        self._rooms_above = 0
        self._jobs: deque[Job] = deque()
        self._in_flight: tuple[int, Job] | None = None
        self._resume: Pull | None = None
        self._missed = 0
        self._pulls: dict[Key, Pull] = {}
        self._started = False
        self._not_before = 0.0

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
        self._pulls.clear()
        self._jobs.clear()
        self._resume = None
        if self._floor < live_from:
            self.resume(live_from)

    def resume(self, live_from: int) -> None:
        """A new connection after a loss: pull what was missed, once `start` says that the rooms are entered again."""
        self._missed = 0
        self._resume = Pull(None, max(self._floor, self.cursor), live_from)
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

    @property
    def catching_up(self) -> bool:
        """Whether what was missed is still being pulled."""
        return self._resume is not None

    # --- rooms ----------------------------------------------------------------------------------------------------

    def entered(self, room: str, live_from: int, recall: int) -> None:
        """In a room: its first ``recall`` earlier messages come before anything live."""
        key = RoomKey(room)
        known = self.conversations.get(key)
        if known is not None and known.member:
            self._entered_again(known, live_from)
            return
        conversation = known or Conversation(key)
        self.conversations[key] = conversation
        conversation.member = True
        conversation.last = max(conversation.last, live_from)
        if recall > 0:
            self._jobs.append(Recall(key, recall, live_from + 1, asked=False))
            self._pull(conversation, live_from)

    def _entered_again(self, conversation: Conversation, live_from: int) -> None:
        if self._resume is not None:
            self._resume.extend(live_from)
        elif live_from > conversation.last:  # entered late, after what was missed elsewhere had been pulled
            self._pull(conversation, live_from)

    def left(self, room: str) -> None:
        """Out of a room: what is still being pulled of it is nobody's business any more."""
        key = RoomKey(room)
        if (conversation := self.conversations.get(key)) is not None:
            conversation.member = False
        self._pulls.pop(key, None)
        self._jobs = deque(job for job in self._jobs if job.key != key)
        self._settle()

    # --- messages -------------------------------------------------------------------------------------------------

    def live(self, message: Message) -> None:
        """Take a message the server pushed."""
        if self._resume is not None:
            self._resume.hold(message)
            return
        self._offer(message, late=False)
        self.cursor = max(self.cursor, message.seq)

    def recall(self, key: Key, count: int) -> None:
        """The user asks for the last ``count`` messages."""
        self._jobs.append(Recall(key, count, None, asked=True))

    def next_request(self, ref: int, now: float) -> History | None:
        """Return the next History to send, if one is due; remember it under ``ref``."""
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

    def page(self, page: HistoryPage) -> None:
        """Take an answer to History."""
        if self._in_flight is None or self._in_flight[0] != page.ref:
            return
        job = self._in_flight[1]
        self._in_flight = None
        for message in job.page(page):
            if job is self._resume:
                if message.room is None or message.seq > self._rooms_above:
                    self._offer(message, late=True)
            elif job.key is not None and job.key in self.conversations:
                self._show(self.conversations[job.key], message, late=True)
        if job is self._resume:
            self.cursor = max(self.cursor, page.through)
        self._settle()

    def refused(self, ref: int, retry_at: float | None) -> bool:
        """A History was refused: try again then, or with None not at all. Returns whether ``ref`` was ours."""
        if self._in_flight is None or self._in_flight[0] != ref:
            return False
        job = self._in_flight[1]
        self._in_flight = None
        if retry_at is None:
            job.abandon()
        else:
            self._not_before = retry_at
        self._settle()
        return True

    # --- inside ---------------------------------------------------------------------------------------------------

    def _offer(self, message: Message, *, late: bool) -> None:
        key = key_of(message, self.me)
        conversation = self.conversations.get(key)
        if conversation is None and message.room is not None:
            return  # of a room that was left while away: the server has not heard of it yet
        if conversation is None:
            # What a dialogue holds from before this process is nothing we missed; above that, prev reveals a hole.
            before = min(message.prev, self._floor)
            conversation = self.conversations[key] = Conversation(key, last=before)
        if (pull := self._pulls.get(key)) is not None:
            pull.hold(message)
        elif not conversation.member or message.seq <= conversation.last:
            return
        elif message.prev > conversation.last:
            self._pull(conversation, message.seq - 1)
            self._pulls[key].hold(message)
        else:
            self._show(conversation, message, late=late)

    def _show(self, conversation: Conversation, message: Message, *, late: bool) -> None:
        if message.seq <= conversation.last or not conversation.member:
            return
        conversation.last = message.seq
        conversation.messages.append(message)
        if self._resume is not None:
            self._missed += 1
        self._reader.on_message(conversation.key, message, late=late)

    def _pull(self, conversation: Conversation, target: int) -> None:
        if (pull := self._pulls.get(conversation.key)) is not None:
            pull.extend(target)
            return
        pull = self._pulls[conversation.key] = Pull(conversation.key, conversation.last, target)
        self._jobs.append(pull)

    def _settle(self) -> None:
        """Finish every job at the head that has nothing left to ask for."""
        while self._started and self._jobs and self._in_flight is None and self._jobs[0].finished:
            job = self._jobs.popleft()
            match job:
                case Recall():
                    self._finish_recall(job)
                case Pull(key=None):
                    self._finish_resume(job)
                case Pull():
                    self._finish_pull(job)

    def _finish_recall(self, job: Recall) -> None:
        conversation = self.conversations.get(job.key)
        if conversation is not None and not job.asked and not conversation.messages:
            conversation.messages.extend(job.messages)
        self._reader.on_recalled(job)

    def _finish_resume(self, job: Pull) -> None:
        for message in job.release():
            self._offer(message, late=True)
            self.cursor = max(self.cursor, message.seq)
        self.cursor = max(self.cursor, job.target)
        self._resume = None
        self._reader.on_caught_up(self._missed)

    def _finish_pull(self, job: Pull) -> None:
        if job.key is None or self._pulls.pop(job.key, None) is None:
            return
        conversation = self.conversations[job.key]
        held = job.release()
        for message in held:
            if message.seq <= job.target:
                self._show(conversation, message, late=False)
        conversation.last = max(conversation.last, job.target)  # whatever the log no longer has will not come
        for message in held:
            self._offer(message, late=False)
