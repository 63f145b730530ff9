"""Tracks how far the user has read each conversation, and when to tell the server, for the account's other devices.

The server is told at most once a second of each conversation and twice a second in all; markers only move forward.
Times are monotonic seconds.

A Read covers all older messages, so those left unread before this login must be shown first: where there is such a gap,
only messages shown from its beginning on count. Until the server has told the gaps, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from securechat.client.core.state import ConversationId, RoomKey
from securechat.client.core.timing import READ_MARKER_S, READ_MARKERS_APART_S
from securechat.model import Read


class ReadMarkers:
    """How far the user has read, and how far the server knows it."""

    def __init__(self) -> None:
        self._read: dict[ConversationId, int] = {}
        self._known: dict[ConversationId, int] = {}
        self._told_at: dict[ConversationId, float] = {}
        self._next_at = 0.0
        self._begun: dict[ConversationId, int] = {}
        self._gaps: dict[ConversationId, int] = {}
        self._into_gaps: dict[ConversationId, int] = {}
        self._reported: dict[ConversationId, int] = {}
        self._waits = False

    # --- what was seen ------------------------------------------------------------------------------------------------

    def saw(self, key: ConversationId, seq: int) -> None:
        """The user has seen a conversation up to ``seq``, beginning with the ``seq`` of the first call."""
        self._begun.setdefault(key, seq)
        if seq > self._known.get(key, 0):
            self._read[key] = max(seq, self._read.get(key, 0))

    def saw_from(self, key: ConversationId, first: int, last: int, *, to_the_end: bool) -> None:
        """The user has seen everything from ``first`` to ``last``, and ``to_the_end`` what follows it."""
        gap = self._gaps.get(key)
        if gap is not None and first <= gap:
            if to_the_end:
                self._close(key)
            elif last >= gap:
                self._gaps[key] = last + 1
                self._into_gaps[key] = last
        if to_the_end:
            self._begun[key] = min(first, self._begun.get(key, first))
            self.saw(key, last)

    def report(self, key: ConversationId, seq: int) -> None:
        """The user interface says that the user has seen everything up to ``seq``, a gap included."""
        self._close(key)
        self._begun[key] = 0
        self._reported[key] = max(seq, self._reported.get(key, 0))
        self.saw(key, seq)

    def withdraw(self, key: ConversationId, seq: int) -> None:
        """The user wants everything above ``seq`` to be unread again: it is not told, unless it was told already."""
        self._reported[key] = min(seq, self._reported.get(key, seq))
        if self._read.get(key, 0) > seq:
            del self._read[key]
            self.saw(key, seq)

    def reported(self, key: ConversationId) -> int:
        """Return up to where the user interface has said that the user has seen everything; 0 where it has not."""
        return self._reported.get(key, 0)

    def elsewhere(self, key: ConversationId, seq: int) -> bool:
        """Another device has read up to ``seq``; returns whether the server must be asked what is left of a gap."""
        self._known[key] = max(seq, self._known.get(key, 0))
        if self._read.get(key, 0) <= self._known[key]:
            self._read.pop(key, None)
        return key in self._gaps and seq >= self._gaps[key]

    # --- what was not -------------------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Send nothing until the server has told the gaps."""
        self._waits = True

    @property
    def waits(self) -> bool:
        """Whether the server has yet to tell them."""
        return self._waits

    def gaps_are(self, first_unread: Mapping[ConversationId, int]) -> None:
        """Take the gaps: the first unread seq of each conversation that has one."""
        self._waits = False
        self._gaps = {key: first for key, first in first_unread.items() if self.is_unseen(key, first)}
        self._into_gaps = {key: seq for key, seq in self._into_gaps.items() if key in self._gaps}

    def no_gaps_known(self) -> None:
        """The server does not tell the gaps."""
        self.gaps_are({})

    def is_unseen(self, key: ConversationId, first: int) -> bool:
        """Return whether messages from this seq on were not shown here."""
        return first < self._begun.get(key, 2**53)

    # --- telling ------------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when something is due; None when nothing is."""
        return min((self._due_at(key) for key in self._tellable()), default=None)

    def due(self, now: float) -> Read | None:
        """Return the Read to send now, if one is due; the longest waiting first."""
        tellable = self._tellable()
        key = min(tellable, key=self._due_at, default=None)
        if key is None or now < self._due_at(key):
            return None
        seq = self._known[key] = tellable[key]
        (self._into_gaps if key in self._gaps else self._read).pop(key)
        self._told_at[key] = now
        self._next_at = now + READ_MARKERS_APART_S
        return Read(seq, room=key.room) if isinstance(key, RoomKey) else Read(seq, peer=key.person_id)

    def forget(self) -> None:
        """Forget all: the user is another one, or the log is."""
        for table in (self._read, self._known, self._begun, self._gaps, self._into_gaps, self._reported):
            table.clear()
        self._waits = False

    def _tellable(self) -> dict[ConversationId, int]:
        if self._waits:
            return {}
        return {key: seq for key, seq in self._read.items() if key not in self._gaps} | self._into_gaps

    def _close(self, key: ConversationId) -> None:
        self._gaps.pop(key, None)
        self._into_gaps.pop(key, None)

    def _due_at(self, key: ConversationId) -> float:
        return max(self._next_at, self._told_at[key] + READ_MARKER_S if key in self._told_at else 0.0)
