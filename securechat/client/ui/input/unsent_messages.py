"""The user's own messages that are not in the conversation yet: waiting, stored, or failed and kept.

The core has those that wait (`ClientCore.unsent`). One that is stored stays until it is shown as a message, so that it
is always to be seen; one that failed stays until the user sends it again, edits it or discards it.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.core import events
from securechat.client.core.state import ConversationId
from securechat.client.ui.window.records import UnsentMessage, UnsentState

_MOST_FAILED = 200
"""Failed messages kept: more than a person sends before looking, 800,000 characters; the oldest are dropped."""


class UnsentMessages:
    """Those of one conversation, in the order typed."""

    def __init__(self, target: ConversationId) -> None:
        self._target = target
        self._items: dict[int, UnsentMessage] = {}
        self._order: list[int] = []
        self._stored: dict[int, int] = {}  # seq to number

    def __len__(self) -> int:
        return len(self._order)

    def at(self, index: int) -> UnsentMessage:
        """Return one by its place."""
        return self._items[self._order[index]]

    def find(self, number: int) -> UnsentMessage | None:
        """Return one by its number."""
        return self._items.get(number)

    def place(self, number: int) -> int | None:
        """Return the place of one."""
        return self._order.index(number) if number in self._items else None

    def number_of(self, seq: int) -> int | None:
        """Return the number of the one that is stored under a seq."""
        return self._stored.get(seq)

    def are(self, unsent: Sequence[events.PendingMessage]) -> None:
        """Take all that wait."""
        waiting = {each.number: each for each in unsent if self._is_here(each)}
        kept = {
            number: item
            for number, item in self._items.items()
            if item.state is not UnsentState.WAITING and number not in waiting
        }
        for number, each in waiting.items():
            known = self._items.get(number)
            same = known is not None and known.message == each and known.state is UnsentState.WAITING
            kept[number] = known if same and known is not None else UnsentMessage(each, UnsentState.WAITING)
        self._put(kept)

    def note(self, event: events.MessageAcked | events.MessageRefused | events.MessagesLost) -> None:
        """Take what has become of one."""
        match event:
            case events.MessageAcked(message, seq) if self._is_here(message) and message.number in self._items:
                self._stored[seq] = message.number
                self._put(self._items | {message.number: UnsentMessage(message, UnsentState.STORED)})
            case events.MessageRefused(message) if self._is_here(message):
                self._put(self._items | {message.number: UnsentMessage(message, UnsentState.FAILED, event)})
            case events.MessagesLost(messages):
                lost = {
                    each.number: UnsentMessage(each, UnsentState.FAILED) for each in messages if self._is_here(each)
                }
                self._put(self._items | lost)

    def shown(self, seq: int) -> None:
        """A message is in the conversation."""
        if (number := self._stored.pop(seq, None)) is not None:
            self._drop(number)

    def discard(self, number: int) -> UnsentMessage | None:
        """Drop a failed one, and return it."""
        item = self._items.get(number)
        if item is None or item.state is not UnsentState.FAILED:
            return None
        self._drop(number)
        return item

    def forget(self) -> None:
        """The log is another one: what was stored is not shown any more."""
        self._stored.clear()
        self._put({number: item for number, item in self._items.items() if item.state is not UnsentState.STORED})

    def _is_here(self, message: events.PendingMessage) -> bool:
        return message.target == self._target and message.change is None and message.number > 0

    def _drop(self, number: int) -> None:
        self._put({each: item for each, item in self._items.items() if each != number})

    def _put(self, items: dict[int, UnsentMessage]) -> None:
        failed = [number for number, item in sorted(items.items()) if item.state is UnsentState.FAILED]
        for number in failed[:-_MOST_FAILED]:
            del items[number]
        self._items, self._order = items, sorted(items)
