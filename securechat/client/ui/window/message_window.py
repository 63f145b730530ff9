"""The messages of one conversation, and the rows of them that fit the field of the screen.

There is no total height. An anchor says which row of which message stands at which row of the field: the selected
message where it is to be seen, else the topmost one. Whatever happens elsewhere, that row does not move. Without an
anchor the window follows: its last row is the end of the conversation.

What it shows is what it keeps (`kept_messages`), and that is what the log has. Pages are wanted near both ends:
`wanted` says which, the caller asks the core for it and says `asked`; the answer comes by `note`, like all else.

Rows come from a `RowMaker`, once per message and width. Every operation makes at most the rows of the field and a few
more; a pass over what is kept is made only where something was deleted for good or a page has come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Sequence

from msgspec.structs import replace

from securechat.client.core import events
from securechat.client.core.events import UiEvent
from securechat.client.core.events.messages import HistoryRange
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.state import Conversation, ConversationId, RoomKey
from securechat.client.ui.input.unsent_messages import UnsentMessages
from securechat.client.ui.rows.member_changes import MemberChanges
from securechat.client.ui.window.blocks import WindowBlocks
from securechat.client.ui.window.kept_messages import MOST_KEPT, KeptMessages, MessageRange
from securechat.client.ui.window.records import (
    PageWanted,
    RowMaker,
    SelectEdge,
    UnsentMessage,
    WindowAnchor,
    WindowLocation,
    WindowRows,
)
from securechat.model import Message

PAGE = 100
"""Messages of a page: two to three screens of 40 rows, one answer of the server (`limits.PAGE_ROWS`)."""
MOST_BELOW = 999
"""New messages below are counted up to this, as the server counts unread ones (docs/protocol.md, `unreadlist`)."""
_MOST_PLACES = 50
"""Places to come back to."""


class MessageWindow:
    """The window on one conversation.

    Args:
        target: the conversation.
        conversation: returns what the core keeps of it; None before its first message.
        row_maker: makes the rows.
        columns: width of the field.
        rows: its height.
        hidden: sender_ids whose messages the user does not want.
        most: messages kept.
        page: messages of a page of history.

    Attributes:
        selected: the seq of the selected message, ``-number`` of an unsent one; None for none.
    """

    def __init__(
        self,
        target: ConversationId,
        conversation: Callable[[], Conversation | None],
        row_maker: RowMaker,
        columns: int,
        rows: int,
        hidden: Container[int] = (),
        *,
        most: int = MOST_KEPT,
        page: int = PAGE,
    ) -> None:
        self.target = target
        self.selected: int | None = None
        self._conversation = conversation
        self._rows = max(0, rows)
        self._hidden = hidden
        self._page = page
        self._kept = KeptMessages(most)
        self._unsent = UnsentMessages(target)
        self._at = WindowBlocks(self._kept, self._unsent, row_maker, max(1, columns))
        self._anchor: WindowAnchor | None = None
        self._news: list[int] = []
        self._places: list[WindowLocation] = []
        self._goal: PageWanted | None = None
        self._selects_goal = False
        self._goal_place: WindowLocation | None = None
        self._reloads = False
        self._asked: PageWanted | None = None
        self._failed: PageWanted | None = None
        self._seed()

    # --- what is to be seen -------------------------------------------------------------------------------------------

    @property
    def unread_from(self) -> int | None:
        """The seq above whose message the line of the unread stands: as of the last `open`, or as put since."""
        return self._at.unread_from

    @property
    def following(self) -> bool:
        """Whether the end is shown, and what comes is followed."""
        return self._anchor is None

    @property
    def jumping(self) -> bool:
        """Whether the reader is to be taken elsewhere, as soon as the messages there have come."""
        return self._goal is not None and not self._reloads

    @property
    def below(self) -> int:
        """Messages that came since the reader left the end, and that stand below the field."""
        return self._below(self._frame())

    @property
    def kept(self) -> Sequence[Message]:
        """The messages kept, oldest first."""
        return self._kept.messages

    @property
    def shown(self) -> Sequence[int]:
        """The messages of which the end is in the field, by seq; one higher than the field is shown then too."""
        return [
            self._at.key(index)
            for index, row in self._frame()
            if 0 < index <= len(self._kept) and row == len(self._at.block(index).own) - 1
        ]

    def rows(self) -> WindowRows:
        """Return the rows of the field."""
        frame = self._frame()
        below = self._below(frame)
        loading = self._asked is not None or self._goal is not None
        return WindowRows(
            tuple(self._at.window_row(*at, self.selected) for at in frame), below, self.following, loading
        )

    def find(self, seq: int) -> Message | None:
        """Return a message that is kept."""
        return self._kept.find(seq)

    @property
    def unsent(self) -> UnsentMessages:
        """The user's own messages that are not in the conversation yet."""
        return self._unsent

    def seen_through(self, read: int) -> int:
        """Return up to where the user has seen everything, who had seen everything up to ``read`` before.

        What stands between ``read`` and the top of the field was not seen; then it is ``read`` still.
        """
        if not (shown := self.shown) or shown[-1] <= read:
            return read
        top = next(index for index, _ in self._frame() if index > 0) - 1
        return shown[-1] if self._kept.joins(read, top) else read

    # --- what happens -------------------------------------------------------------------------------------------------

    def note(self, ui_event: UiEvent) -> None:  # noqa: C901, PLR0912 - one flat match
        """Take an event of the core; those of other conversations change nothing."""
        match ui_event:
            case events.MessageShown(message, key, own) if key == self.target:
                self._shown(message, own=own)
                if self._anchor is None or self._anchor.key > 0:
                    return  # it stands behind the anchor, and moves nothing
            case events.MessageChanged(change, key, message) if key == self.target:
                if self._kept.change(change, message):
                    self._at.forget_quotes(change.target, change.target)
            case events.MessagesPurged(purged, key) if key is None or key == self.target:
                if self._kept.purge(purged):
                    self._at.forget()
                    known = self._kept
                    self._news = [seq for seq in self._news if known.find(seq) or seq > known.through]
            case events.HistoryLoaded(key=key) if key == self.target:
                self._loaded(ui_event)
            case events.HistoryShown(key=key) if key == self.target:
                self._part_shown(ui_event)
            case events.HistoryReset():
                self._reset()
            case events.IgnoreChanged(person, hidden):
                self._at.forget()
                if not hidden:
                    self._reload()
                else:
                    self._kept.drop(lambda message: message.sender_id == person.id)
            case events.MembersJoined(room, people) if self._is_room(room) and self._kept.at_end:
                self._at.members.joined(self._kept.last, people)
            case events.MembersLeft(room, people) if self._is_room(room) and self._kept.at_end:
                self._at.members.left(self._kept.last, people)
            case events.RoomLeft(room) if self._is_room(room):
                self._kept.cut_off()
            case events.MessageAcked() | events.MessageRefused() | events.MessagesLost():
                self._unsent.note(ui_event)
            case events.MemberRenamed():
                self._at.forget()
            case events.ActionRejected(RejectReason.NOT_THERE) if self._asked and self._asked.around is not None:
                self._asked = self._goal = None
                del self._places[len(self._places) - self._selects_goal :]
            case events.RoomJoined(room) if self._is_room(room):
                self._failed = None
            case _:
                return
        self._settle()

    def unsent_are(self, unsent: Sequence[events.PendingMessage]) -> None:
        """Take `ClientCore.unsent`."""
        self._unsent.are(unsent)
        self._settle()

    def put_away(self, most: int) -> None:
        """The conversation is left: keep so many messages where the reader was, and no rows."""
        self._kept.keep_near(self._reader_index(), most)
        self._at.forget()

    def discard(self, number: int) -> UnsentMessage | None:
        """Drop a failed message of the user; returns it, to be sent again, edited or copied."""
        gone = self._unsent.discard(number)
        if gone is not None and self.selected == -number:
            self.selected = None
        self._settle()
        return gone

    def refresh(self) -> None:
        """Make all rows anew: another language, other settings."""
        self._at.forget()
        self._settle()

    def resize(self, columns: int, rows: int) -> None:
        """Take another size of the field: the selected or topmost message stays where it was."""
        columns, rows = max(1, columns), max(0, rows)
        if self._anchor is not None:
            self._pin()
        old, before = self._anchor, self._at.columns
        self._at.columns, self._rows = columns, rows
        if old is None:
            return
        index = self._at.index(old.key)
        if columns != before and index is not None:
            own = len(self._at.block(index).own)
            row = old.row
            if row >= old.own_rows:
                row += own - old.own_rows
            elif row > 0:
                row = row * own // old.own_rows
            old = replace(old, row=row, own_rows=own)
        self._anchor = replace(old, top=min(old.top, max(0, rows - 1)))
        if self.selected is not None and not self._is_visible(self.selected):
            self._show_selected()

    # --- where the reader is ------------------------------------------------------------------------------------------

    def open(self, unread_from: int | None) -> None:
        """Enter the conversation: at the line where the unread begin (`Conversation.read` + 1), else at the end."""
        self._at.unread_from = unread_from
        self.selected = None
        self._places.clear()
        self._news.clear()
        self.to_present()
        if unread_from is not None:
            self.to_unread()

    def to_present(self) -> None:
        """Go to the end, and follow it."""
        self.selected = self._goal = self._failed = None
        if not self._kept.at_end:
            self._seed()
        self._anchor = None
        self._news.clear()

    def to_unread(self) -> None:
        """Go to the line where the unread begin; nothing moves where it is in the field."""
        if self.unread_from is None:
            return
        if not self._at.has_unread_line() and (not self._kept.at_end or self._kept.first > self.unread_from):
            self._go_to(PageWanted(after=self.unread_from - 1), selects=False)
            return
        index = self._kept.index(self.unread_from) + 1
        if index <= len(self._kept) and not any(at == (index, 0) for at in self._frame()):
            self._anchor_at(index, 0, self._rows // 4)
            self._fill()

    def scroll(self, rows: int) -> None:
        """Move the field down by so many rows, or up."""
        self._failed = None
        frame = self._frame()
        if not frame or rows == 0:
            return
        if rows > 0:
            moves = list(self._at.down(*frame[-1], rows + 1))[1:]
            steps = [*frame, *moves]
            top = steps[len(moves)]
        else:
            moves = list(self._at.up(*frame[0], -rows))
            top = moves[-1] if moves else frame[0]
        self._anchor_at(*top, 0)
        self._fill()
        if self.selected is not None and not self._is_visible(self.selected):
            self._select_in_field(first=rows > 0)

    def page(self, pages: int) -> None:
        """Move by so many fields, of which one row stays."""
        self.scroll(pages * max(1, self._rows - 1))

    def place(self) -> WindowLocation:
        """Return where the reader is."""
        return WindowLocation(self._anchor, self.selected)

    def go(self, place: WindowLocation) -> None:
        """Go where the reader was."""
        if place.anchor is None:
            self.to_present()
            return
        key = place.anchor.key
        if self._at.index(key) is None and self._core_keeps(key):
            self._seed()
        if self._at.index(key) is not None:
            top = min(place.anchor.top, max(0, self._rows - 1))
            self._goal, self._anchor, self.selected = None, replace(place.anchor, top=top), place.selected
            self._settle()
            self._fill()
            if self.selected is not None and not self._is_visible(self.selected):
                self._show_selected()
        elif key > 0:
            self._go_to(PageWanted(around=key), selects=False)
            self._goal_place = place

    def jump(self, seq: int) -> None:
        """Go to a message and select it; `back` comes back."""
        self._remember()
        self._failed = None
        if self._kept.find(seq) is None and self._core_keeps(seq):
            self._seed()
        if self._kept.find(seq) is None:
            self._go_to(PageWanted(around=seq), selects=True)
        else:
            self._goal = None
            self._select_at(seq)

    def jump_to_time(self, at_ms: int) -> None:
        """Go to the first message from a time on, milliseconds since the epoch, UTC; `back` comes back."""
        self._remember()
        self._go_to(PageWanted(at_ms=at_ms), selects=True)

    def _remember(self) -> None:
        self._places = [*self._places[1 - _MOST_PLACES :], self.place()]

    def back(self) -> bool:
        """Go where the reader was before the last jump; tell whether there was one."""
        if not self._places:
            return False
        self.go(self._places.pop())
        return True

    # --- the selected message -----------------------------------------------------------------------------------------

    @property
    def selected_unsent(self) -> UnsentMessage | None:
        """The selected message, where it is not in the conversation yet."""
        return None if self.selected is None else self._unsent.find(-self.selected)

    def select(self, key: int | None) -> None:
        """Select a message that is kept, by seq, or by ``-number`` an unsent one; None to select none."""
        if key is None:
            self.selected = None
            if self._anchor is not None:
                self._pin()
                self._follow_at_end()
        elif self._at.index(key) is not None:
            self.selected = key
            self._show_selected()

    def select_step(self, step: int) -> None:
        """Select the next message but so many; without a selection, the last one in the field."""
        self._failed = None
        if self.selected is None or (index := self._at.index(self.selected)) is None:
            self._select_in_field(first=False)
            return
        way = 1 if step > 0 else -1
        for _ in range(abs(step)):
            following = index + way
            while 0 < following < self._at.count and not self._at.block(following).own:
                following += way
            if not 0 < following < self._at.count:
                break
            index = following
        self.select(self._at.key(index))

    def select_edge(self, edge: SelectEdge) -> None:
        """Select the first message kept, or the last."""
        indexes = range(1, self._at.count) if edge is SelectEdge.FIRST else range(self._at.count - 1, 0, -1)
        index = next((index for index in indexes if self._at.block(index).own), None)
        if index is not None:
            self.select(self._at.key(index))

    def mark_unread(self) -> int | None:
        """Put the unread line above the selected message, or the topmost one; returns its seq."""
        index = None if self.selected is None else self._at.index(self.selected)
        if index is None:
            index = next((index for index, row in self._frame() if index > 0 and row >= 0), None)
        if index is None or not 0 < index <= len(self._kept):
            return None
        seq = self._at.unread_from = self._at.key(index)
        anchor = self._anchor
        if anchor is not None and anchor.key == seq and anchor.row == anchor.top == 0 and self._rows > 1:
            self._anchor = replace(anchor, row=-1)  # the line is seen too
        return seq

    def begin_unread(self, seq: int, read: int) -> None:
        """A message came that the user does not see: the line stands above it, unless it has unseen ones already."""
        if self.unread_from is None or self.unread_from <= read:
            self._at.unread_from = seq

    # --- pages of history ---------------------------------------------------------------------------------------------

    def wanted(self) -> PageWanted | None:
        """Return the page to ask for now; None for none. Say `asked` when it is."""
        if self._asked is not None:
            return None
        page = self._goal or self._next_page()
        return None if page == self._failed else page

    def asked(self, page: PageWanted) -> None:
        """The page was asked for."""
        self._asked = page

    def not_answered(self) -> None:
        """There will be no answer: the server refused. It is asked for again after the next movement of the reader."""
        self._failed, self._asked, self._goal = self._asked, None, None

    def _next_page(self) -> PageWanted | None:
        kept = self._kept
        if not kept.messages:
            if not kept.at_end:
                return PageWanted(after=kept.through) if kept.through else PageWanted()
            return None if kept.at_start else PageWanted(before=kept.first if kept.through else None)
        near = self._page // 2
        if self._anchor is None:
            top = bottom = self._at.count - 1
            frame = self._frame() if len(kept) < near + self._rows else ()
            top = frame[0][0] if frame else top
        else:
            frame = self._frame()
            top, bottom = (frame[0][0], frame[-1][0]) if frame else (1, 1)
        if not kept.at_start and top < near:
            return PageWanted(before=kept.first)
        if not kept.at_end and len(kept) - bottom < near:
            return PageWanted(after=kept.through)
        return None

    def _go_to(self, goal: PageWanted, *, selects: bool) -> None:
        self._goal, self._selects_goal, self._goal_place = goal, selects, None
        self._reloads, self._asked, self._failed = False, None, None

    def _reload(self) -> None:
        """Read what is kept again: messages may have been left out."""
        self._asked = None
        if self._anchor is None or self._anchor.key <= 0:
            self._seed()
            return
        self._goal, self._selects_goal, self._reloads = PageWanted(around=self._anchor.key), False, True

    def _loaded(self, event: events.HistoryLoaded) -> None:
        last = event.messages[-1].seq if event.messages else 0
        through = max(last, self._kept.latest) if event.before is None else event.before - 1
        page = MessageRange(event.messages, event.first, through, at_end=event.before is None)
        if event.asked and self._asked == PageWanted(before=event.before):
            self._asked = None
        if not self._kept.join(page) and not self._kept.messages:
            self._kept.start_with(page)
        self._page_has_come(page)

    def _part_shown(self, event: events.HistoryShown) -> None:
        asked, goal = self._asked, self._goal
        at_end = event.history_range is not HistoryRange.AROUND and event.since_ms is None and not event.more
        page = MessageRange(event.messages, event.first, event.through, at_end=at_end)
        if asked is not None and asked.is_answered_by(event):
            self._asked = None
        if goal is not None and goal.is_answered_by(event):
            self._goal = None
            if event.messages and (self._reloads or not self._kept.join(page)):
                self._kept.start_with(page)
                self._at.members.forget_below(page.first)
            if event.messages and not self._reloads:
                seq = event.messages[0].seq if goal.around is None else goal.around
                self._arrive(seq)
        else:
            self._kept.join(page)
        self._page_has_come(page)

    def _arrive(self, seq: int) -> None:
        """A jump has come to its message, or to what is next to it."""
        if self._goal_place is not None and self._kept.find(seq) is not None:
            self.go(self._goal_place)
            return
        if self._selects_goal and self._kept.find(seq) is not None:
            self._select_at(seq)
            return
        self.selected = None
        index = min(self._kept.index(seq) + 1, len(self._kept))
        self._anchor_at(index, 0, self._rows // 4)
        self._fill()

    def _page_has_come(self, page: MessageRange) -> None:
        self._settle()
        frame = self._frame()
        middle = len(self._kept) if self.following or not frame else (frame[0][0] + frame[-1][0]) // 2
        self._kept.trim(middle)
        self._at.forget_quotes(page.first, page.through)

    # --- inside: events -----------------------------------------------------------------------------------------------

    def _seed(self) -> None:
        """Keep what the core keeps: the end of the conversation."""
        conversation = self._conversation()
        self._goal = self._asked = None
        if conversation is None:
            self._kept.start_with(MessageRange((), 1, 0, at_end=True))
            return
        shown = [message for message in conversation.messages if message.sender_id not in self._hidden]
        first = conversation.messages[0].seq if conversation.messages else conversation.last + 1
        self._kept.start_with(MessageRange(shown, first, conversation.last, at_end=True))
        self._kept.trim(len(shown))

    def _reset(self) -> None:
        self._kept.clear()
        self._at.members = MemberChanges()
        self._unsent.forget()
        self._at.forget()
        self._news.clear()
        self._places.clear()
        self._at.unread_from = self.selected = self._anchor = self._failed = None
        self._seed()

    def _shown(self, message: Message, *, own: bool) -> None:
        number = self._unsent.number_of(message.seq)
        self._unsent.shown(message.seq)
        if message.seq <= self._kept.latest:
            return
        if self._kept.append(message):
            self._kept.trim(self._reader_index())
            if number is not None:
                self._is_now(-number, message.seq)
        if self._anchor is not None and not own and len(self._news) < MOST_BELOW:
            self._news.append(message.seq)

    def _is_now(self, key: int, seq: int) -> None:
        """An unsent message has come to its turn in the conversation."""
        if self._anchor is not None and self._anchor.key == key:
            self._anchor = replace(self._anchor, key=seq)
        if self.selected == key:
            self.selected = seq
            self._settle()
            self._show_selected()

    def _is_room(self, name: str) -> bool:
        return isinstance(self.target, RoomKey) and self.target.room == name

    def _core_keeps(self, seq: int) -> bool:
        conversation = self._conversation()
        return conversation is not None and conversation.find(seq) is not None

    # --- inside: rows -------------------------------------------------------------------------------------------------

    def _frame(self) -> list[tuple[int, int]]:
        """The rows of the field from the top, each as the index of its block and its row in it."""
        if self._anchor is None:
            end = self._at.count - 1
            return list(self._at.up(end, self._at.block(end).end, self._rows))[::-1]
        index, row = self._at.located(self._at.index(self._anchor.key) or 0, self._anchor.row)
        above = list(self._at.up(index, row, self._anchor.top))[::-1]
        return above + list(self._at.down(index, row, self._rows - len(above)))

    def _below(self, frame: Sequence[tuple[int, int]]) -> int:
        """Count the new messages below the field; those in it are not new any more."""
        if self._news and frame:
            last = max(
                (self._at.key(index) for index, row in frame if index <= len(self._kept) and row >= 0), default=0
            )
            del self._news[: bisect_right(self._news, last)]
        return len(self._news)

    # --- inside: the anchor -------------------------------------------------------------------------------------------

    def _reader_index(self) -> int:
        """The index of the reader's message among those kept."""
        if self._anchor is None:
            return len(self._kept)
        index = self._at.index(self._anchor.key)
        return len(self._kept) if index is None else min(index, len(self._kept))

    def _anchor_at(self, index: int, row: int, top: int) -> None:
        """Hold a row of a block at a row of the field, as far as there are rows above it."""
        index, row = self._at.located(index, row)
        above = sum(1 for _ in self._at.up(index, row, top))
        before = self._at.message_before(index) if index > 0 else None
        own = len(self._at.block(index).own)
        self._anchor = WindowAnchor(self._at.key(index), row, above, own, before.seq if before is not None else 0)

    def _settle(self) -> None:
        """Hold the anchor's row where it is, after a change of what is kept."""
        if self.selected is not None and self._at.index(self.selected) is None:
            self.selected = None
        anchor = self._anchor
        if anchor is None:
            return
        index = self._at.index(anchor.key)
        if index is None:
            near = self._kept.index(anchor.key) + 1 if anchor.key > 0 else self._at.count - 1
            self._anchor_at(min(near, self._at.count - 1), 0, anchor.top)
        else:
            self._anchor_at(index, self._row_now(index, anchor), anchor.top)
            now = self._anchor
            if self.selected is not None and now is not None and (now.key != anchor.key or now.row < 0):
                self._pin() if self._is_visible(self.selected) else self._show_selected()

    def _row_now(self, index: int, anchor: WindowAnchor) -> int:
        """Return the place of the anchor's row in its block, whose rows may be others now."""
        before = self._at.message_before(index) if index > 0 else None
        grown = len(self._at.block(index).own) - anchor.own_rows
        head_differs = anchor.before != (before.seq if before is not None else 0)
        if head_differs or anchor.row >= anchor.own_rows:
            return anchor.row + grown  # the rows that differ are above it: the text stays
        return min(anchor.row, max(0, anchor.own_rows + grown - 1))

    def _pin(self) -> None:
        """Hold the selected message, where it is in the field, else the topmost one."""
        frame = self._frame()
        if not frame:
            return
        place = 0
        if self.selected is not None:
            selected = self._at.index(self.selected)
            place = next((at for at, (index, row) in enumerate(frame) if index == selected and row >= 0), 0)
        self._anchor_at(*frame[place], place)

    def _fill(self) -> None:
        """Leave no row empty at the bottom while there are messages above."""
        if self._anchor is None:
            return
        frame = self._frame()
        missing = self._rows - len(frame)
        if missing > 0 and frame and (above := list(self._at.up(*frame[0], missing))):
            self._anchor_at(*above[-1], 0)
        self._pin()
        self._follow_at_end()

    def _follow_at_end(self) -> None:
        """Follow the end where it is in the field and nothing is selected."""
        frame = self._frame()
        if frame and self.selected is None and self._kept.at_end and len(list(self._at.down(*frame[-1], 2))) == 1:
            self._anchor = None
            self._news.clear()

    def _is_visible(self, key: int) -> bool:
        index = self._at.index(key)
        own = 0 if index is None else len(self._at.block(index).own)
        return any(at == index and 0 <= row < own for at, row in self._frame())

    def _show_selected(self) -> None:
        """Move the field as little as it takes to see the selected message whole, or its beginning."""
        index = None if self.selected is None else self._at.index(self.selected)
        if index is None or not self._rows:
            return
        frame = self._frame()
        own = len(self._at.block(index).own)
        rows = [place for place, (at, row) in enumerate(frame) if at == index and 0 <= row < own]
        if len(rows) < own or not rows:
            last_in_field = frame[-1] if frame else (0, 0)
            if own > self._rows or not frame or (index, 0) < frame[0]:
                self._anchor_at(index, 0, 0)
            elif (index, own - 1) > last_in_field:
                self._anchor_at(index, max(0, own - 1), self._rows - 1)
        if self._anchor is not None:
            self._fill()
        self._pin()

    def _select_at(self, seq: int) -> None:
        """Select a message that is kept, and show it with some of what is before it."""
        self.selected = seq
        if self._anchor is not None and self._at.index(self._anchor.key) is None:
            self._anchor = None
        index = self._kept.index(seq) + 1
        if not any(at == (index, 0) for at in self._frame()):
            self._anchor_at(index, 0, self._rows // 3)
        self._fill()
        self._show_selected()

    def _select_in_field(self, *, first: bool) -> None:
        """Select the first message that is in the field, or the last one."""
        frame = self._frame()
        seen = [index for index, row in frame if index > 0 and 0 <= row < len(self._at.block(index).own)]
        seen = seen or [index for index, _ in frame if index > 0 and self._at.block(index).own]
        self.select(self._at.key(seen[0 if first else -1]) if seen else None)
