"""The rows of a window as one sequence: of messages, unsent ones, the unread line, and who came and went between.

A row is named by the index of its block and its place in it. Block 0 is what is above the first message, the messages
follow, and behind the last of them the unsent ones. Row 0 is the first own row of a message; the unread line above it
is row -1, and who came and went after it stands behind its last row. Rows are made once per message and width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from securechat.client.ui.input.unsent_messages import UnsentMessages
from securechat.client.ui.rows.member_changes import MemberChanges
from securechat.client.ui.rows.styled_text import TextRow
from securechat.client.ui.window.kept_messages import KeptMessages
from securechat.client.ui.window.records import RowMaker, UnsentMessage, WindowRow, WindowRowKind
from securechat.model import Message

_KEPT_BLOCKS = 600
"""Messages with rows kept for one width: more than 15 screens of 40 rows."""


class RowBlock(Struct, frozen=True):
    """The rows of a message: the unread line above it, its own, and who came and went after it."""

    above: Sequence[TextRow]
    own: Sequence[TextRow]
    below: Sequence[TextRow]

    @property
    def end(self) -> int:
        """The row behind the last one; the first own one is 0."""
        return len(self.own) + len(self.below)


class _CachedRows(Struct, frozen=True):
    of: Message | UnsentMessage
    before: Message | None
    columns: int
    rows: Sequence[TextRow]


class WindowBlocks:
    """The blocks of a window.

    Args:
        kept: the messages.
        unsent: the user's own that are not in the conversation yet; they are there where the end is kept.
        row_maker: makes the rows.
        columns: width of the field.

    Attributes:
        members: who came and went.
        unread_from: the line of the unread stands above the first message from this seq on; None for no line.
    """

    def __init__(self, kept: KeptMessages, unsent: UnsentMessages, row_maker: RowMaker, columns: int) -> None:
        self.members = MemberChanges()
        self.unread_from: int | None = None
        self.columns = columns
        self._kept = kept
        self._unsent = unsent
        self._maker = row_maker
        self._cache: dict[int, _CachedRows] = {}

    # --- what is where ------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return 1 + len(self._kept) + (len(self._unsent) if self._kept.at_end else 0)

    def key(self, index: int) -> int:
        """Return the seq of a block's message, ``-number`` of an unsent one, 0 above the first."""
        if index == 0:
            return 0
        if index <= len(self._kept):
            return self._kept.messages[index - 1].seq
        return -self._unsent.at(index - 1 - len(self._kept)).message.number

    def index(self, key: int) -> int | None:
        """Return the block with a key; None where it is not kept."""
        if key == 0:
            return 0
        if key > 0:
            return None if self._kept.find(key) is None else self._kept.index(key) + 1
        place = self._unsent.place(-key) if self._kept.at_end else None
        return None if place is None else place + 1 + len(self._kept)

    def message_before(self, index: int) -> Message | None:
        """Return the message before a block, if one is kept."""
        index = min(index - 2, len(self._kept) - 1)
        return self._kept.messages[index] if index >= 0 else None

    def block(self, index: int) -> RowBlock:
        """Return the rows of a block."""
        if index == 0:
            below = self._member_rows(0) if not self._kept.messages or self._kept.at_start else ()
            return RowBlock((), (), below)
        own = self._own_rows(index)
        if index > len(self._kept):
            return RowBlock((), own, ())
        above = self._maker.unread_rows(self.columns) if self._is_first_unread(index) else ()
        return RowBlock(above, own, self._member_rows(self.key(index)))

    def _own_rows(self, index: int) -> Sequence[TextRow]:
        key, before = self.key(index), self.message_before(index)
        of = self._kept.messages[index - 1] if key > 0 else self._unsent.at(index - 1 - len(self._kept))
        cached = self._cache.get(key)
        if cached is None or cached.of is not of or cached.before is not before or cached.columns != self.columns:
            if isinstance(of, Message):
                rows = self._maker.message_rows(of, before, self.columns)
            else:
                rows = self._maker.unsent_rows(of, before, self.columns)
            self._cache.pop(key, None)
            cached = self._cache[key] = _CachedRows(of, before, self.columns, rows)
            if len(self._cache) > _KEPT_BLOCKS:
                del self._cache[next(iter(self._cache))]
        return cached.rows

    def _member_rows(self, seq: int) -> Sequence[TextRow]:
        changed = self.members.after(seq)
        return () if changed is None else self._maker.member_rows(changed, self.columns)

    def _is_first_unread(self, index: int) -> bool:
        if self.unread_from is None or self.key(index) < self.unread_from:
            return False
        if index > 1:
            return self.key(index - 1) < self.unread_from
        first = self._kept.messages[0]
        return min(self._kept.first, first.prev + 1) <= self.unread_from or first.seq == self.unread_from

    def has_unread_line(self) -> bool:
        """Whether the line of the unread is among the rows."""
        if self.unread_from is None:
            return False
        index = self._kept.index(self.unread_from) + 1
        return index <= len(self._kept) and self._is_first_unread(index)

    def forget(self) -> None:
        """Make all rows anew."""
        self._cache.clear()

    def forget_quotes(self, first: int, through: int) -> None:
        """Make the rows of messages anew that quote one of these."""
        for key, each in list(self._cache.items()):
            if isinstance(each.of, Message) and each.of.reply is not None and first <= each.of.reply <= through:
                del self._cache[key]

    # --- rows ---------------------------------------------------------------------------------------------------------

    def located(self, index: int, row: int) -> tuple[int, int]:
        """Return the row so far from the first own row of a block, in other blocks too; the nearest one there is."""
        block = self.block(index)
        while row < -len(block.above):
            row += len(block.above)
            index -= 1
            if index < 0:
                return next(self.down(0, 0, 1), (0, 0))
            block = self.block(index)
            row += block.end
        while row >= block.end:
            row -= block.end
            index += 1
            if index >= self.count:
                return next(self.up(index - 1, block.end, 1), (0, 0))
            block = self.block(index)
            row -= len(block.above)
        return index, row

    def up(self, index: int, row: int, count: int) -> Iterator[tuple[int, int]]:
        """The rows above one, upwards."""
        block = self.block(index)
        while count > 0:
            row -= 1
            if row < -len(block.above):
                index -= 1
                if index < 0:
                    return
                block = self.block(index)
                row = block.end
                continue
            yield index, row
            count -= 1

    def down(self, index: int, row: int, count: int) -> Iterator[tuple[int, int]]:
        """The rows from one on, downwards."""
        block = self.block(index)
        while count > 0:
            if row >= block.end:
                index += 1
                if index >= self.count:
                    return
                block = self.block(index)
                row = -len(block.above)
                continue
            yield index, row
            row += 1
            count -= 1

    def window_row(self, index: int, row: int, selected: int | None) -> WindowRow:
        """Return a row with its place; ``selected`` is the key of the selected block."""
        block, key = self.block(index), self.key(index)
        if row < 0:
            return WindowRow(block.above[row], WindowRowKind.UNREAD, key)
        if row >= len(block.own):
            return WindowRow(block.below[row - len(block.own)], WindowRowKind.MEMBERS, key)
        is_selected = key == selected
        if key < 0:
            return WindowRow(block.own[row], WindowRowKind.UNSENT, 0, -key, is_selected)
        return WindowRow(block.own[row], WindowRowKind.MESSAGE, key, 0, is_selected)
