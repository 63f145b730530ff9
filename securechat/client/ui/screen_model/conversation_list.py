"""The rooms and dialogues of the user in their order, with what is unread in each: the same order as on the page.

Those with mentions come first, then those with unread messages, then the rest; each by its last message, the newest
first; those without one behind, by name. In a dialogue every unread message is for the user, as a mention is in a room.
A muted room stands with the rest, whatever is unread in it. The cases are in tests/golden/conversation_order.json, for
this and for the page (`sorted` in web/ui/conversation.js).

While the keyboard's selection is in the list, nothing moves: what is new then stands behind, until it leaves.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType

from msgspec import Struct

from securechat.client.core.state import ConversationId, PersonKey
from securechat.text.names import name_key

MOST_FOUND = 50
"""Matches that are returned: more than a list on the screen shows."""
_MOST_TYPED = 100
"""Characters of what is searched for; names are shorter (limits.py)."""
_FEW = 100
"""Changed conversations that are put in their places one by one; of more, all are sorted."""


class ListRank(IntEnum):
    """The groups of the list, in their order."""

    MENTIONS = 0
    UNREAD = 1
    REST = 2


class ConversationEntry(Struct, frozen=True):
    """A room or a dialogue.

    Attributes:
        key: which.
        name: of the room without ``#``, or of the other person; as the server wrote it.
        last: the seq of its last message; 0 for none.
        unread: messages of others that the user has not seen; 999 is that many or more.
        mentions: those of them that mention the user.
        muted: the user wants no notification of it; rooms alone.
        typing: whether another person is typing there now.
    """

    key: ConversationId
    name: str
    last: int = 0
    unread: int = 0
    mentions: int = 0
    muted: bool = False
    typing: bool = False

    @property
    def direct(self) -> bool:
        """Whether it is a dialogue."""
        return isinstance(self.key, PersonKey)

    @property
    def loud(self) -> int:
        """The unread messages that are for the user."""
        return 0 if self.is_muted else self.unread if self.direct else self.mentions

    @property
    def is_muted(self) -> bool:
        """Whether it is muted: a dialogue never is."""
        return self.muted and not self.direct

    @property
    def rank(self) -> ListRank:
        """The group it stands in."""
        if self.loud:
            return ListRank.MENTIONS
        return ListRank.UNREAD if self.unread and not self.is_muted else ListRank.REST


class ListCounts(Struct, frozen=True):
    """What is unread in all: in conversations that are not muted, for the user among that, and in muted rooms."""

    unread: int = 0
    loud: int = 0
    muted: int = 0


def ordered(conversations: Iterable[ConversationEntry]) -> list[ConversationEntry]:
    """Return conversations in the order of the list."""
    return sorted(conversations, key=_order)


def _order(one: ConversationEntry) -> tuple[int, int, str, str, int]:
    number = one.key.person_id if isinstance(one.key, PersonKey) else 0
    return one.rank, -one.last, name_key(one.name), one.name, number


class ConversationListing:
    """The list."""

    def __init__(self) -> None:
        self._items: dict[ConversationId, ConversationEntry] = {}
        self._shown: list[ConversationEntry] = []
        self._selected: ConversationId | None = None

    # --- what is in it ------------------------------------------------------------------------------------------------

    def put(self, conversations: Iterable[ConversationEntry]) -> None:
        """Take all conversations as they are now."""
        was, self._items = self._items, {each.key: each for each in conversations}
        changed = [each.key for each in self._items.values() if was.get(each.key) != each]
        self._place_anew([*changed, *(key for key in was if key not in self._items)])

    def update(self, changed: Mapping[ConversationId, ConversationEntry | None]) -> None:
        """Take some conversations as they are now; None for one that is gone."""
        differing = [key for key, each in changed.items() if self._items.get(key) != each]
        for key in differing:
            if (each := changed[key]) is None:
                del self._items[key]
            else:
                self._items[key] = each
        self._place_anew(differing)

    def _place_anew(self, keys: Sequence[ConversationId]) -> None:
        """Put the conversations that have changed in their places."""
        if not keys:
            return
        if self._selected is not None:
            kept = [self._items[each.key] for each in self._shown if each.key in self._items]
            known = {each.key for each in kept}
            self._shown = [*kept, *ordered(each for each in self._items.values() if each.key not in known)]
            if self._selected not in self._items:
                self.leave()
        elif len(keys) > _FEW:
            self._shown = ordered(self._items.values())
        else:
            moved = set(keys)
            self._shown = [each for each in self._shown if each.key not in moved]
            for key in keys:
                if (entry := self._items.get(key)) is not None:
                    insort(self._shown, entry, key=_order)

    @property
    def shown(self) -> Sequence[ConversationEntry]:
        """The conversations in the order in which they are shown now."""
        return self._shown

    @property
    def counts(self) -> ListCounts:
        """What is unread in all."""
        unread = sum(each.unread for each in self._items.values() if not each.is_muted)
        muted = sum(each.unread for each in self._items.values() if each.is_muted)
        return ListCounts(unread, sum(each.loud for each in self._items.values()), muted)

    # --- the keyboard's selection -------------------------------------------------------------------------------------

    @property
    def selected(self) -> ConversationId | None:
        """Where the keyboard's selection is; None where it is not in the list."""
        return self._selected

    def enter(self, current: ConversationId | None) -> None:
        """The keyboard's selection comes into the list, at the current conversation: its order waits from now on."""
        if self._shown:
            known = any(each.key == current for each in self._shown)
            self._selected = current if known and current is not None else self._shown[0].key

    def select_step(self, step: int) -> None:
        """Move the selection by so many rows, as far as there are any."""
        at = self._place(self._selected)
        if at is not None:
            self._selected = self._shown[min(max(at + step, 0), len(self._shown) - 1)].key

    def leave(self) -> None:
        """The selection leaves the list, which takes its order again."""
        self._selected = None
        self._shown = ordered(self._items.values())

    # --- going elsewhere ----------------------------------------------------------------------------------------------

    def next_unread(
        self, current: ConversationId | None, passed: Mapping[ConversationId, int] = MappingProxyType({})
    ) -> ConversationId | None:
        """Return where to go next: mentions first, then unread, by last message; None where nothing is unread.

        The current conversation is left out, so that one is not held in it by what was not seen. Muted rooms are too.

        Args:
            current: where the user is.
            passed: where the user was so and left it unread, the one left longest ago first, each with its last message
                of then: without a later one they come last.
        """
        waiting = [each for each in self._items.values() if each.rank is not ListRank.REST and each.key != current]
        if fresh := [each for each in waiting if passed.get(each.key, -1) < each.last]:
            return min(fresh, key=_order).key
        there = {each.key for each in waiting}
        return next((key for key in passed if key in there), None)

    def entry(self, key: ConversationId) -> ConversationEntry | None:
        """Return a conversation as it is now."""
        return self._items.get(key)

    def find(self, typed: str, current: ConversationId | None = None) -> Sequence[ConversationEntry]:
        """Return the conversations whose names match what was typed, the best first; without text, in their order.

        The current one stands last among its equals: one wants to go elsewhere.
        """
        sign, wanted = typed[:1], name_key(typed.strip()[:_MOST_TYPED].lstrip("#@"))
        rooms_only, people_only = sign == "#", sign == "@"
        scored = []
        for place, each in enumerate(ordered(self._items.values())):
            if (rooms_only and each.direct) or (people_only and not each.direct):
                continue
            if (score := match_score(wanted, name_key(each.name))) is not None:
                scored.append(((-score, each.key == current, place), each))
        return [each for _, each in heapq.nsmallest(MOST_FOUND, scored, key=_score_of)]

    def _place(self, key: ConversationId | None) -> int | None:
        return next((at for at, each in enumerate(self._shown) if each.key == key), None)


def match_score(wanted: str, name: str) -> int | None:
    """Return how well a name matches what was typed; None where its letters are not all there in their order.

    The whole name is best, then its beginning, the beginning of a word in it, a part of it, and single letters, of
    which those at the beginnings of words and those side by side count more (as in zulip-terminal and gomuks).
    """
    if not wanted:
        return 0
    if wanted == name:
        return 1_000
    at = name.find(wanted)
    if at == 0:
        return 900 - min(99, len(name) - len(wanted))
    if at > 0:
        begins = any(_begins_word(name, place) for place in _places(name, wanted))
        return (700 if begins else 500) - min(99, len(name) - len(wanted))
    score, last = 200, -2
    for letter in wanted:
        place = name.find(letter, max(0, last + 1))
        if place < 0:
            return None
        score += 8 if place == last + 1 else 4 if _begins_word(name, place) else -min(4, place - last)
        last = place
    return max(1, min(499, score))


def _places(name: str, wanted: str) -> Iterable[int]:
    at = name.find(wanted)
    while at >= 0:
        yield at
        at = name.find(wanted, at + 1)


def _begins_word(name: str, place: int) -> bool:
    return place == 0 or not name[place - 1].isalnum()


def _score_of(scored: tuple[tuple[int, bool, int], ConversationEntry]) -> tuple[int, bool, int]:
    return scored[0]
