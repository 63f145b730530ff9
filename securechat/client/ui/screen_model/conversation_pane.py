"""The list of conversations on the screen: what the core and the server know of each, and the rows of the pane.

The server tells all rooms and dialogues after a login (`events.ConversationsShown`), the core what has come since. The
order is that of `ConversationListing`, for this screen and the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.catalogue.names import marked, named
from securechat.client.core import events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import Conversation, ConversationId, PersonKey
from securechat.client.ui.notifications import NotificationPolicy
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import cells
from securechat.client.ui.screen_model.conversation_list import ConversationEntry, ConversationListing
from securechat.client.ui.screen_model.overlay import cut, joined, styled
from securechat.client.ui.screen_model.panes import place
from securechat.client.ui.screen_model.view import ConversationTarget, ViewRow
from securechat.model import ConversationItem
from securechat.text.sanitize import one_line

MOST_COUNTED = 999
"""As the server counts (docs/protocol.md, `unreadlist`)."""
_CURRENT = "> "
_OTHER = "  "


class ScreenList:
    """The list of one screen.

    Args:
        core: knows the conversations.
        notification: knows which are muted.

    Attributes:
        reading: the conversation whose unread messages are all on the view that is drawn.
    """

    def __init__(self, core: ClientCore, notification: NotificationPolicy) -> None:
        self._core = core
        self._notification = notification
        self._list = ConversationListing()
        self._told: dict[ConversationId, ConversationItem] = {}
        self.reading: ConversationId | None = None
        self._passed: dict[ConversationId, int] = {}
        self._changed: dict[ConversationId, None] = {}
        self._fresh = False
        self._top = self._columns = 0

    # --- what is in it ------------------------------------------------------------------------------------------------

    def note(self, ui_event: UiEvent) -> None:
        """Take an event."""
        match ui_event:
            case events.ConversationsShown(items):
                for item in items:
                    if item.room is not None:
                        self._told[self._core.room(item.room)] = item
                    elif item.peer is not None:
                        self._told[PersonKey(item.peer.id)] = item
            case events.HistoryReset() | events.IdentityChanged():
                self._told.clear()
            case events.ReadOnOtherDevice(key, seq):
                self.saw(key, seq)
                return
            case events.MessageShown(key=key) | events.HistoryLoaded(key=key) | events.HistoryShown(key=key):
                self._changed[key] = None
                return
            case events.MembersJoined(people=people) | events.MembersLeft(people=people):
                self._changed |= dict.fromkeys(PersonKey(person.id) for person in people)  # whose names are known now
                return
            case (
                events.TypingChanged()
                | events.MessageWaiting()
                | events.MessageAcked()
                | events.MessageChanged()
                | events.RosterShown()
                | events.SearchShown()
                | events.NoticeShown()
            ):
                return
            case _:
                pass
        self._fresh = False

    def changed(self, *keys: ConversationId) -> None:
        """What is open, was read or notifies in these conversations is another now."""
        self._changed |= dict.fromkeys(keys)

    @property
    def unread(self) -> Sequence[tuple[ConversationId, int]]:
        """The conversations with unread messages, each with its last one."""
        return [(each.key, each.last) for each in self._shown if each.unread]

    def reads(self, key: ConversationId | None) -> None:
        """The user reads all of a conversation with the next view, or of none: nothing is unread there."""
        if key != self.reading:
            self.changed(*(each for each in (key, self.reading) if each is not None))
            self.reading = key

    def read(self, key: ConversationId) -> int:
        """Return up to where the user has read a conversation, as far as is known."""
        conversation, told = self._core.conversations.get(key), self._told.get(key)
        if conversation is not None:
            return conversation.read
        return told.read_seq if told is not None else 0

    def first_unread(self, key: ConversationId) -> int | None:
        """Return the first unread message of a conversation, where the server has told it and it is unread still."""
        told = self._told.get(key)
        return told.first_seq if told is not None and told.unread and told.first_seq > self.read(key) else None

    def saw(self, key: ConversationId, seq: int) -> None:
        """A conversation was read up to a message."""
        self._changed[key] = None
        if (told := self._told.get(key)) is not None and seq > told.read_seq:
            unread, mentions = (0, 0) if seq >= told.last_seq else (told.unread, told.mentions)
            self._told[key] = replace(told, read_seq=seq, unread=unread, mentions=mentions)

    @property
    def keys(self) -> Sequence[ConversationId]:
        """The conversations in the order shown."""
        return [each.key for each in self._shown]

    @property
    def columns(self) -> int:
        """Cells that the widest name takes, with its marks."""
        return self._columns if self._shown else 0

    @property
    def _shown(self) -> Sequence[ConversationEntry]:
        """The list, of which what has changed is made anew: with 10,000 rooms all of it takes some 50 ms."""
        if not self._fresh:
            self._fresh = True
            self._list.put(self._all())
            self._columns = 0
            self._columns = max((self._width(each) for each in self._list.shown), default=0)
        elif self._changed:
            entries = {key: self._entry(key) for key in self._changed}
            self._list.update(entries)
            there = (each for each in entries.values() if each is not None)
            self._columns = max((self._width(each) for each in there), default=self._columns)
        self._changed.clear()
        return self._list.shown

    def _width(self, each: ConversationEntry) -> int:
        """Return the cells of a name with its marks; as wide as one that was in the list so far."""
        return max(self._columns, cells(place(self._core, each.key)) + 8)

    def _all(self) -> Iterator[ConversationEntry]:
        core = self._core
        rooms: list[ConversationId] = [room.key for room in core.rooms.values()]
        people = [key for key in (*core.conversations, *self._told, core.current) if isinstance(key, PersonKey)]
        entries = (self._entry(key) for key in (*rooms, *dict.fromkeys(people)))
        return (each for each in entries if each is not None)

    def _entry(self, key: ConversationId) -> ConversationEntry | None:
        """Return what is known of a conversation; None for one that is not in the list."""
        core = self._core
        conversation, told = core.conversations.get(key), self._told.get(key)
        if isinstance(key, PersonKey):
            if conversation is None and told is None and key != core.current:
                return None
            counts = self._counts(conversation, told)
            if key.person_id in core.ignored and not counts[0] and key != core.current:
                return None  # all that was said there is hidden
            return ConversationEntry(key, core.name_of(key.person_id) or "", *counts)
        room = core.rooms.get(key.room)
        if room is None or room.key is not key:
            return None
        quiet = self._notification.is_quiet(key)
        return ConversationEntry(key, room.name, *self._counts(conversation, told), muted=quiet)

    def _counts(self, conversation: Conversation | None, told: ConversationItem | None) -> tuple[int, int, int]:
        """Return the last message of a conversation that is not of a hidden person, and what is unread in it."""
        last = told.last_seq if told is not None else 0
        if conversation is None:
            return (last, told.unread, told.mentions) if told is not None else (0, 0, 0)
        hidden = self._core.ignored
        seen = next((each.seq for each in reversed(conversation.messages) if each.sender_id not in hidden), 0)
        if conversation.key == self.reading:
            return max(last, seen), 0, 0
        return max(last, seen), conversation.unread, conversation.mentions

    # --- the selection ------------------------------------------------------------------------------------------------

    @property
    def selected(self) -> ConversationId | None:
        """Where the keyboard is in it; None where it is elsewhere."""
        return self._list.selected

    def enter(self) -> None:
        """The keyboard comes into the list."""
        if self._shown:
            self._list.enter(self._core.current)

    def leave(self) -> None:
        """The keyboard leaves it."""
        if self._list.selected is not None:
            self._list.leave()

    def move(self, step: int, *, edge: int = 0) -> None:
        """Move the selection, or take it to the first or last one."""
        self._list.select_step(edge * len(self._shown) if edge else step)

    def scroll(self, rows: int) -> None:
        """Move the part that is shown."""
        self._top = max(0, self._top + rows)

    def next_unread(self) -> ConversationId | None:
        """Return where to go next, so that one comes round to all, also where one left them unread."""
        if not self._shown:
            return None
        here = self._core.current
        self._passed.pop(here, None)
        if (entry := self._list.entry(here)) is not None and entry.unread:
            self._passed[here] = entry.last
        return self._list.next_unread(here, self._passed)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def rows(self, columns: int, rows: int) -> tuple[ViewRow, ...]:
        """Return the rows of the pane."""
        shown = self._shown
        selected = self._list.selected
        at = next((index for index, each in enumerate(shown) if each.key == selected), None)
        if at is not None:
            self._top = max(min(self._top, at), at - rows + 1)
        self._top = max(0, min(self._top, len(shown) - rows))
        return tuple(
            ViewRow(self._row(each, columns), ConversationTarget(each.key), selected=each.key == selected)
            for each in shown[self._top : self._top + rows]
        )

    def _row(self, each: ConversationEntry, columns: int) -> TextRow:
        mark = _CURRENT if each.key == self._core.current else _OTHER
        counts = self._marks(each)
        name = self._name(each, columns - cells(mark) - cells(counts))
        gap = " " * (columns - cells(mark) - cells(name) - cells(counts))
        return joined(mark, name, gap, counts)

    def _marks(self, each: ConversationEntry) -> TextRow:
        """Return the counts: for a room ``@mentions`` and unread, for a dialogue what is unread."""
        if each.is_muted:
            return styled(f" {_count(each.unread)}", TextStyle.DIM) if each.unread else TextRow.of("")
        parts = []
        if not each.direct and each.mentions:
            parts.append(styled(f" @{_count(each.mentions)}", TextStyle.MENTION))
        if each.unread and (each.direct or each.unread > each.mentions):
            parts.append(styled(f" {_count(each.unread)}", TextStyle.MENTION if each.direct else TextStyle.UNREAD))
        return joined(*parts)

    def _name(self, each: ConversationEntry, columns: int) -> TextRow:
        key = each.key
        if isinstance(key, PersonKey):
            name = marked(named(one_line(each.name), bot=self._core.is_bot(key.person_id)))
            shown = f"@{name or catalogue.rooms.UNKNOWN_MEMBER()}"
            style = TextSpan(0, len(shown), TextStyle.NAME, person=key.person_id)
            return cut(TextRow.of(shown, [style]), columns)
        shown = f"#{one_line(each.name)}"
        return cut(styled(shown, TextStyle.DIM) if each.is_muted else TextRow.of(shown), columns)


def _count(count: int) -> str:
    return str(count) if count < MOST_COUNTED else f"{MOST_COUNTED}+"
