"""Questions to the log: what was missed (`GapFill`), earlier messages (`Backfill`), and one page (`SingleQuery`).

A gap fill holds back what arrives live in its scope until it has caught up, so that every conversation is shown in
order. What it holds is bounded: beyond the bound it drops the newest entries and reads them later, because the log has
all of them. Changes are held and released among the messages, in the order of seq.

The server answers one such question of a connection at a time, so they wait in one queue (timeline.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from securechat.client.core.actions import AskHistory
from securechat.client.core.message_changes import apply_change
from securechat.client.core.state import ConversationId, PersonKey, RoomKey
from securechat.limits import PAGE_ROWS
from securechat.model import (
    AskConversations,
    AskUnread,
    ConversationList,
    History,
    HistoryPage,
    LogEntry,
    Message,
    MessageChange,
    Refused,
    Search,
    SearchPage,
    UnreadList,
)

ReadCommand: TypeAlias = History | Search | AskUnread | AskConversations
ReadAnswer: TypeAlias = HistoryPage | SearchPage | UnreadList | ConversationList

MOST_DELAY_S = 30.0
"""Longest delay before a question is repeated that the server failed to answer; the first is 1 s, each later one twice
as long."""
TOLD_FAILURES = 3
"""Failures in a row after which the user is told; the first ones pass by themselves."""
HELD_MESSAGES = 1_000
"""Live entries held back during a gap fill: five pages; 16 MB if every one had the longest text."""


class GapFill:
    """Reads forward from ``after`` through ``target``, in one conversation, or without a key in all of the user's.

    Attributes:
        failures: times in a row that the server has failed to answer.
    """

    def __init__(self, key: ConversationId | None, after: int, target: int) -> None:
        self.key = key
        self.after = after
        self.target = target
        self.failures = 0
        self._held: dict[int, LogEntry] = {}
        self._exhausted = False

    def failed(self) -> float:
        """Count a failure of the server's own; returns the seconds until the next try.

        A gap is never given up for that: the cursor would pass it, and the messages would be lost for this user.
        """
        self.failures += 1
        return min(MOST_DELAY_S, 2.0 ** (self.failures - 1))

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to ask for."""
        return self._exhausted or self.after >= self.target

    def extend(self, target: int) -> None:
        """Read on through ``target``."""
        self.target = max(self.target, target)

    def hold(self, entry: LogEntry) -> None:
        """Hold a live entry back, or drop it and read it later."""
        if entry.seq <= self.after or entry.seq in self._held:
            return
        if len(self._held) >= HELD_MESSAGES:
            self.extend(entry.seq)
        else:
            self._held[entry.seq] = entry

    def renamed(self, was: str, name: str, *, replaces: bool) -> None:
        """Write the new name of a room into what is held back: another room may get the old one before it is shown.

        Args:
            was: the old name.
            name: the new one.
            replaces: whether another room had the new name until now: what is held back of that one is dropped.
        """
        for seq, entry in list(self._held.items()):
            if entry.room == was:
                self._held[seq] = replace(entry, room=name)
            elif entry.room == name and replaces:
                del self._held[seq]

    def request(self, ref: int) -> History | None:
        """Return the next question; None when nothing is missing."""
        if self.finished:
            return None
        match self.key:
            case None:
                return History(ref, after=self.after)
            case RoomKey(room):
                return History(ref, room=room, after=self.after, before=self.target + 1)
            case PersonKey(person_id):
                return History(ref, peer=person_id, after=self.after, before=self.target + 1)

    def page(self, page: HistoryPage) -> list[LogEntry]:
        """Take a page; returns the entries that may be shown now, in order."""
        self.failures = 0
        through = max([page.through, self.after, *(message.seq for message in page.messages)])
        # Only a page that leads nowhere ends it early: "no more" may have been true before the target was extended.
        self._exhausted = through == self.after
        self.after = through
        ready: dict[int, LogEntry] = {seq: self._held.pop(seq) for seq in list(self._held) if seq <= through}
        ready.update((change.seq, change) for change in page.changes)
        ready.update((message.seq, message) for message in page.messages)  # in its final state, a held one is not
        return [ready[seq] for seq in sorted(ready)]

    def abandon(self) -> None:
        """The server will not answer: only what is held is left to show."""
        self._exhausted = True

    def release(self) -> list[LogEntry]:
        """Return everything held back, in order; the gap fill is over."""
        held = [self._held[seq] for seq in sorted(self._held)]
        self._held.clear()
        return held


class Backfill:
    """Collects the newest ``count`` messages of a conversation before ``before``, over pages.

    Attributes:
        asked: whether the user asked for them.
        before: they are the last ones before this seq; None for the last ones of all.
        messages: collected so far, oldest first.
        abandoned: whether the server has refused to answer.
    """

    def __init__(self, key: ConversationId, count: int, before: int | None, *, asked: bool) -> None:
        self.key = key
        self.asked = asked
        self.abandoned = False
        self.messages: list[Message]
        self._count = count
        self.before = before
        self.begin_anew()

    def begin_anew(self) -> None:
        """Collect from the beginning: what was collected on a lost connection may have changed since."""
        self.messages = []
        self._before = self.before
        self._exhausted = self._count <= 0

    def change(self, change: MessageChange) -> None:
        """Apply a change to what is collected."""
        index = bisect_left(self.messages, change.target, key=_seq)
        if index < len(self.messages) and self.messages[index].seq == change.target:
            self.messages[index] = apply_change(self.messages[index], change)

    def purge(self, is_purged: Callable[[ConversationId, Message], bool]) -> None:
        """Drop what is collected and was purged since."""
        self.messages = [message for message in self.messages if not is_purged(self.key, message)]

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to ask for."""
        return self._exhausted or len(self.messages) >= self._count

    @property
    def first(self) -> int:
        """Every message from this seq on, below `before`, is collected; 0 for all of them."""
        return 0 if self._exhausted and not self.abandoned else (self._before or 0)

    @property
    def next_page(self) -> AskHistory | None:
        """What asks for as many messages again, before these; None where there are none."""
        return None if self._exhausted or not self.messages else AskHistory(self.key, self._count, self._before)

    def request(self, ref: int) -> History | None:
        """Return the next question; None when it is complete."""
        if self.finished:
            return None
        rows = min(self._count - len(self.messages), PAGE_ROWS)
        if isinstance(self.key, RoomKey):
            return History(ref, room=self.key.room, before=self._before, limit=rows)
        return History(ref, peer=self.key.person_id, before=self._before, limit=rows)

    def page(self, page: HistoryPage) -> list[LogEntry]:
        """Take a page; nothing is shown before all messages are there."""
        fresh = [message for message in page.messages if self._before is None or message.seq < self._before]
        self._exhausted = not page.more or not fresh
        if fresh:
            self.messages[:0] = sorted(fresh, key=_seq)
            self._before = self.messages[0].seq
        return []

    def abandon(self) -> None:
        """The server will not answer: what is collected is shown."""
        self.abandoned = self._exhausted = True


class SingleQuery:
    """A question with one page as its answer: a part of history, a search, unread messages, conversations.

    Args:
        key: the conversation it is about, if it is about one.
        ask: makes the question from a ref.
        answered: takes the answer.
        refused: called instead when there will be none; without it, the caller shows the refusal to the user.
    """

    def __init__(
        self,
        key: ConversationId | None,
        ask: Callable[[int], ReadCommand],
        answered: Callable[[ReadAnswer], None],
        refused: Callable[[Refused], None] | None = None,
    ) -> None:
        self.key = key
        self.request = ask
        self.answered = answered
        self.refused = refused
        self.finished = False

    def abandon(self) -> None:
        """The server will not answer."""
        self.finished = True


ReadJob: TypeAlias = GapFill | Backfill | SingleQuery


def _seq(message: Message) -> int:
    return message.seq
