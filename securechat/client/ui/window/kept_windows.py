"""The windows of the conversations that were opened: at most `MOST_WINDOWS`, rebuilt from what the core keeps.

One with messages that failed is never dropped: they are nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from securechat.client.core import events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConversationId
from securechat.client.ui.window.message_window import MessageWindow
from securechat.client.ui.window.records import UnsentState
from securechat.client.ui.window.row_maker import ScreenRowMaker

MOST_WINDOWS = 50
"""Windows kept."""
MOST_PUT_AWAY = 500
"""Messages of a window that is not open: as many as the core keeps at the end of each (`core.state.KEPT_MESSAGES`), and
no rows. A window that is open takes 4 MB with 2,000 messages of 100 characters and its rows; 50 of them took 200 MB."""


class ScreenWindows:
    """The windows, the one opened last at the end.

    Args:
        core: keeps the messages.
        row_maker: makes the rows of a conversation.
    """

    def __init__(self, core: ClientCore, row_maker: Callable[[ConversationId], ScreenRowMaker]) -> None:
        self._core = core
        self._new_row_maker = row_maker
        self._row_makers: dict[ConversationId, ScreenRowMaker] = {}
        self._windows: dict[ConversationId, MessageWindow] = {}
        self._columns, self._rows = 80, 20

    def __contains__(self, key: object) -> bool:
        return key in self._windows

    def __iter__(self) -> Iterator[MessageWindow]:
        return iter(tuple(self._windows.values()))

    def __len__(self) -> int:
        return len(self._windows)

    def of(self, key: ConversationId) -> MessageWindow:
        """Return the window of a conversation, a new one where it has none."""
        window = self._windows.pop(key, None)
        if window is None:
            window = MessageWindow(
                key,
                lambda: self._core.conversations.get(key),
                self.row_maker(key),
                self._columns,
                self._rows,
                self._core.ignored,
            )
            window.unsent_are(self._core.unsent)
        self._windows[key] = window
        if len(self._windows) > MOST_WINDOWS:
            self._drop_one()
        return window

    def put_away(self, key: ConversationId) -> None:
        """A conversation is left: of what was read back in it, a part is kept."""
        if (window := self._windows.get(key)) is not None:
            window.put_away(MOST_PUT_AWAY)
            self._row_makers[key].forget()

    def row_maker(self, key: ConversationId) -> ScreenRowMaker:
        """Return what makes the rows of a conversation."""
        if (maker := self._row_makers.get(key)) is None:
            maker = self._row_makers[key] = self._new_row_maker(key)
        return maker

    def resize(self, key: ConversationId, columns: int, rows: int) -> MessageWindow:
        """Return the window of a conversation in a field of this size."""
        self._columns, self._rows = columns, rows
        window = self.of(key)
        window.resize(columns, rows)
        return window

    def note(self, ui_event: UiEvent) -> None:
        """Give an event to the windows that it is about."""
        match ui_event:
            case (
                events.MessageShown(key=key)
                | events.MessageChanged(key=key)
                | events.HistoryLoaded(key=key)
                | events.HistoryShown(key=key)
            ):
                if (window := self._windows.get(key)) is not None:
                    window.note(ui_event)
            case events.MessageWaiting(message) | events.MessageAcked(message):
                if (window := self._windows.get(message.target)) is not None:
                    window.unsent_are(self._core.unsent)
                    window.note(ui_event)
            case events.MessageRefused(message):
                self.of(message.target).note(ui_event)
            case events.MessagesLost(messages):
                for target in dict.fromkeys(message.target for message in messages):
                    self.of(target).note(ui_event)
            case _:
                for window in self:
                    window.note(ui_event)

    def refresh(self) -> None:
        """Make all rows anew."""
        for window in self:
            window.refresh()

    def failed(self) -> int:
        """Count the messages that failed."""
        return sum(
            window.unsent.at(index).state is UnsentState.FAILED
            for window in self._windows.values()
            for index in range(len(window.unsent))
        )

    def _drop_one(self) -> None:
        """Drop the window that was opened longest ago and has nothing that is only there."""
        for key, window in self._windows.items():
            if not len(window.unsent) and key != self._core.current:
                del self._windows[key], self._row_makers[key]
                return
