"""Makes the rows of a window's messages, and knows afterwards what each of them is: a quote, a file, text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from securechat.client import catalogue
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core.client import ClientCore
from securechat.client.core.state import ConnectionPhase, ConversationId
from securechat.client.ui.rows.message_rows import (
    BlockRow,
    PendingState,
    RowContext,
    comings_block,
    message_block,
    notice_block,
    pending_block,
    unread_row,
)
from securechat.client.ui.rows.picture_cells import PictureRoom
from securechat.client.ui.rows.styled_text import TextRow
from securechat.client.ui.window.records import MembersChanged, UnsentMessage, UnsentState
from securechat.model import Message, Person
from securechat.text.names import name_key

_KEPT_BLOCKS = 1_000
"""Messages of which it is known what each row is: more than a window keeps rows of."""


class RowOptions:
    """What the user has switched, for all windows.

    Attributes:
        show_numbers: whether each message has its number.
        pictures: the room for previews of pictures; None where none are shown.
    """

    def __init__(self, *, show_numbers: bool = False) -> None:
        self.show_numbers = show_numbers
        self.pictures: PictureRoom | None = None


class ScreenRowMaker:
    """Makes the rows of one conversation (window_records.RowMaker).

    Args:
        core: knows people, and whether the connection is there.
        key: the conversation.
        find: returns a message by its seq, as far as it is kept.
        options: of the user.
    """

    def __init__(
        self,
        core: ClientCore,
        key: ConversationId,
        find: Callable[[ConversationId, int], Message | None],
        options: RowOptions,
    ) -> None:
        self._core = core
        self._key = key
        self._find = find
        self._options = options
        self._blocks: dict[int, tuple[BlockRow, ...]] = {}

    def message_rows(self, message: Message, before: Message | None, columns: int) -> Sequence[TextRow]:
        """Return the rows of a message; none where its author is hidden."""
        if message.sender_id in self._core.ignored:
            return ()
        return self._kept(message.seq, message_block(message, before, self._context(columns)))

    def unsent_rows(self, unsent: UnsentMessage, before: Message | None, columns: int) -> Sequence[TextRow]:
        """Return the rows of an own message that is not in the conversation yet."""
        why = ""
        match unsent.state:
            case UnsentState.FAILED:
                state = PendingState.FAILED
                refusal = unsent.refusal
                why = catalogue.screen.MAYBE_STORED() if refusal is None else refusal_sentence(refusal)
            case UnsentState.WAITING if self._core.phase is not ConnectionPhase.ONLINE:
                state = PendingState.WAITING
            case _:
                state = PendingState.SENDING
        return self._kept(
            -unsent.message.number, pending_block(unsent.message, before, self._context(columns), state, why)
        )

    def unread_rows(self, columns: int) -> Sequence[TextRow]:
        """Return the line where the unread begin."""
        return (unread_row(columns).row,)

    def member_rows(self, members: MembersChanged, columns: int) -> Sequence[TextRow]:
        """Return what is said of those who came and went."""
        joined, left = ([Person(0, name) for name in names] for names in (members.joined, members.left))
        blocks = comings_block(joined, left, (), columns)
        if members.more:
            blocks = (*blocks, *notice_block(catalogue.screen.more_comings(members.more), columns))
        return tuple(block.row for block in blocks)

    def forget(self) -> None:
        """Nothing that was made is shown any more."""
        self._blocks.clear()

    def block_row(self, key: int, row: TextRow) -> BlockRow | None:
        """Return what a row is.

        Args:
            key: the seq of its message, or ``-number`` of an unsent one.
            row: as it came from here.
        """
        return next((block for block in self._blocks.get(key, ()) if block.row is row), None)

    def _kept(self, key: int, blocks: tuple[BlockRow, ...]) -> Sequence[TextRow]:
        self._blocks.pop(key, None)
        self._blocks[key] = blocks
        if len(self._blocks) > _KEPT_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        return tuple(block.row for block in blocks)

    def _context(self, columns: int) -> RowContext:
        me = self._core.me
        my_key = name_key(me.name) if me.name else ""
        return RowContext(
            columns,
            me,
            find=lambda seq: self._find(self._key, seq),
            is_bot=self._core.is_bot,
            names=frozenset({my_key}) if my_key else frozenset(),
            my_key=my_key,
            hidden=self._core.ignored,
            show_numbers=self._options.show_numbers,
            pictures=self._options.pictures,
        )
