"""The part of a conversation that a window keeps: messages without a hole between them, by seq, at most so many.

Everything that the user may see from `first` through `through` is here. A page of history joins it where it overlaps or
touches that range, and is not taken otherwise, so there is never a seam. What is too much is dropped at the end that is
farther from the reader, and is asked for again when the reader comes back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from msgspec import Struct

from securechat.client.core.message_changes import apply_change
from securechat.model import Message, MessageChange, Purged

MOST_KEPT = 2_000
"""Messages that a window keeps (issue 18): some 60 screens of 40 rows; 16 MB if every one had the longest text."""


class MessageRange(Struct, frozen=True):
    """Messages of a conversation with nothing left out.

    Attributes:
        messages: oldest first.
        first: nothing is left out from this seq on; 0 for all that there is.
        through: nor up to this one.
        at_end: nothing came after them when they were read.
    """

    messages: Sequence[Message]
    first: int
    through: int
    at_end: bool = False


class KeptMessages:
    """The messages kept.

    Args:
        most: so many at most.

    Attributes:
        messages: oldest first.
        first: nothing is left out from this seq on.
        through: nor up to this one.
        latest: the highest seq known in the conversation.
        at_end: what is said next is put behind them.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self.messages: list[Message] = []
        self.first = 1
        self.through = 0
        self.latest = 0
        self.at_end = True
        self._most = most

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def at_start(self) -> bool:
        """Whether nothing is before them."""
        return self.first == 0 or (bool(self.messages) and self.messages[0].prev == 0)

    @property
    def last(self) -> int:
        """The seq of the last one; 0 for none."""
        return self.messages[-1].seq if self.messages else 0

    def index(self, seq: int) -> int:
        """Return the place of a message, or of the first one behind it."""
        return bisect_left(self.messages, seq, key=_seq)

    def find(self, seq: int) -> Message | None:
        """Return a message that is kept."""
        index = self.index(seq)
        return self.messages[index] if index < len(self.messages) and self.messages[index].seq == seq else None

    def joins(self, read: int, index: int) -> bool:
        """Tell whether nothing that follows the seq ``read`` is left out before the message with an index."""
        first_unread = self.index(read + 1)
        if index > first_unread:
            return False
        return first_unread > 0 or self.first <= read + 1 or self.messages[first_unread].prev <= read

    # --- what comes ---------------------------------------------------------------------------------------------------

    def start_with(self, page: MessageRange) -> None:
        """Keep these messages and no others."""
        self.messages = list(page.messages)
        self.first, self.through = page.first, page.through
        self.at_end = page.through >= self.latest and (page.at_end or self.latest > 0)
        self.latest = max(self.latest, page.through)

    def clear(self) -> None:
        """The log is another one: its seqs begin anew."""
        self.latest = 0
        self.start_with(MessageRange((), 1, 0, at_end=True))

    def append(self, message: Message) -> bool:
        """Take a message that was just said; tell whether it is kept."""
        known = message.seq <= self.through
        self.latest = max(self.latest, message.seq)
        if known or not self.at_end:
            return False
        if not self.messages and not self.through:
            self.first = message.seq  # what was before is not known
        self.messages.append(message)
        self.through = message.seq
        return True

    def join(self, page: MessageRange) -> bool:
        """Take a page of history; tell whether it touches what is kept."""
        if page.first > self.through + 1 or page.through < self.first - 1:
            return False
        for message in page.messages:
            self._renew(message)
        extends = page.through >= self.through
        older = [message for message in page.messages if message.seq < self.first]
        newer = [message for message in page.messages if message.seq > self.through]
        self.messages[:0] = older
        self.messages += newer
        self.first, self.through = min(self.first, page.first), max(self.through, page.through)
        if extends and not self.at_end:
            self.at_end = page.at_end and self.through >= self.latest
        return True

    def _renew(self, message: Message) -> None:
        """Take the later state of a message of which two copies are there."""
        known = self.find(message.seq)
        if known is not None and (message.changed or 0) > (known.changed or 0):
            self.messages[self.index(message.seq)] = message

    def cut_off(self) -> None:
        """What is said next is not told any more: it has to be asked for."""
        self.at_end = False

    # --- what changes -------------------------------------------------------------------------------------------------

    def change(self, change: MessageChange, after: Message | None) -> bool:
        """Take a change of a message; ``after`` is the result where the core knows it. Tell whether it is kept."""
        before = self.find(change.target)
        if before is None:
            return False
        self.messages[self.index(change.target)] = after or apply_change(before, change)
        return True

    def purge(self, purged: Purged) -> bool:
        """Drop what is gone for good; tell whether anything was."""
        sender = purged.sender_id
        return self.drop(lambda each: each.seq <= purged.through and sender in (None, each.sender_id))

    def drop(self, is_gone: Callable[[Message], bool]) -> bool:
        """Drop some messages; tell whether there were any."""
        left = [message for message in self.messages if not is_gone(message)]
        changed = len(left) < len(self.messages)
        self.messages = left
        return changed

    def trim(self, reader: int) -> None:
        """Drop what is too much, at the end that is farther from the message with the index ``reader``."""
        excess = len(self.messages) - self._most
        if excess <= 0:
            return
        if reader < len(self.messages) - reader:
            del self.messages[-excess:]
            self.through = self.messages[-1].seq
            self.at_end = False
        else:
            del self.messages[:excess]
            self.first = self.messages[0].seq

    def keep_near(self, reader: int, most: int) -> None:
        """Keep so many messages around the one with the index ``reader``."""
        begin = max(0, min(reader - most // 2, len(self.messages) - most))
        if begin:
            del self.messages[:begin]
            self.first = self.messages[0].seq
        if len(self.messages) > most:
            del self.messages[most:]
            self.through = self.messages[-1].seq
            self.at_end = False


def _seq(message: Message) -> int:
    return message.seq
