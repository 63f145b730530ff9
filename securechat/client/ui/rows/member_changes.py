"""The comings and goings between the messages of a room, condensed: each person once, by what became of them."""

from __future__ import annotations

from collections.abc import Iterable

from securechat.client.ui.window.records import MembersChanged
from securechat.model import Person

_MOST_GAPS = 200
"""Gaps between messages of which it is kept; the oldest are dropped."""
_MOST_PEOPLE = 50
"""Of one gap by name; those who come and go after them are counted."""


class MemberChanges:
    """Who came and went in one room, by the seq of the message before."""

    def __init__(self) -> None:
        self._gaps: dict[int, dict[int, tuple[str, bool, bool]]] = {}
        self._more: dict[int, set[int]] = {}
        self._made: dict[int, MembersChanged | None] = {}

    def joined(self, seq: int, people: Iterable[Person]) -> None:
        """People came after the message ``seq``; 0 for before the first one."""
        self._note(seq, people, there=True)

    def left(self, seq: int, people: Iterable[Person]) -> None:
        """People went."""
        self._note(seq, people, there=False)

    def after(self, seq: int) -> MembersChanged | None:
        """Return what became of those who came or went right after the message ``seq``; None for no change."""
        if seq not in self._gaps:
            return None
        if seq not in self._made:
            self._made[seq] = self._condensed(seq)
        return self._made[seq]

    def forget_below(self, seq: int) -> None:
        """Drop what was before a message."""
        for gap in [gap for gap in self._gaps if gap < seq]:
            self._drop(gap)

    def _condensed(self, seq: int) -> MembersChanged | None:
        people = self._gaps[seq].values()
        joined = tuple(name for name, first, last in people if first and last)
        left = tuple(name for name, first, last in people if not first and not last)
        more = len(self._more.get(seq, ()))
        return MembersChanged(joined, left, more) if joined or left or more else None

    def _note(self, seq: int, people: Iterable[Person], *, there: bool) -> None:
        gap = self._gaps.setdefault(seq, {})
        for person in people:
            known = gap.get(person.id)
            if known is None and len(gap) >= _MOST_PEOPLE:
                more = self._more.setdefault(seq, set())
                if len(more) < _MOST_GAPS * _MOST_PEOPLE:
                    more.add(person.id)
                continue
            gap[person.id] = (person.name, known[1] if known else there, there)
        self._made.pop(seq, None)
        if len(self._gaps) > _MOST_GAPS:
            self._drop(next(iter(self._gaps)))

    def _drop(self, gap: int) -> None:
        for table in (self._gaps, self._more, self._made):
            table.pop(gap, None)
