"""The records that go into a message window and come out of it: row makers, rows with their place, pages to ask for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from securechat.client.core import actions, events
from securechat.client.core.events.messages import HistoryRange
from securechat.client.core.state import ConversationId
from securechat.client.ui.rows.styled_text import TextRow
from securechat.model import Message


class UnsentState(Enum):
    """What has become of a message that the user sends."""

    WAITING = "waiting"  # the server has not acknowledged it
    STORED = "stored"  # it is durable, and its turn in the conversation has not come
    FAILED = "failed"  # it is not sent again by itself


class UnsentMessage(Struct, frozen=True):
    """A message of the user that is not in the conversation yet.

    Attributes:
        message: what is sent.
        state: what has become of it.
        refusal: why it failed; None where the client gave it up, and the server may have stored it.
    """

    message: events.PendingMessage
    state: UnsentState
    refusal: events.MessageRefused | None = None


class MembersChanged(Struct, frozen=True):
    """Who came and went between two messages, each named once by what became of it: who did both is left out.

    Attributes:
        joined: names, as the server wrote them.
        left: likewise.
        more: how many others.
    """

    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    more: int = 0


class RowMaker(Protocol):
    """Makes the rows of a window; none is wider than ``columns``. A message may have none: its author is hidden."""

    def message_rows(self, message: Message, before: Message | None, columns: int) -> Sequence[TextRow]:
        """Return the rows of a message, with a day separator and a head where ``before`` wants them."""

    def unsent_rows(self, unsent: UnsentMessage, before: Message | None, columns: int) -> Sequence[TextRow]:
        """Return the rows of a message that is not in the conversation yet; ``before`` is the last one that is."""

    def unread_rows(self, columns: int) -> Sequence[TextRow]:
        """Return the line where the unread begin."""

    def member_rows(self, members: MembersChanged, columns: int) -> Sequence[TextRow]:
        """Return what is said of those who came and went."""


class WindowRowKind(Enum):
    """The parts of a window."""

    UNREAD = "unread"
    MESSAGE = "message"
    UNSENT = "unsent"
    MEMBERS = "members"


class WindowRow(Struct, frozen=True, gc=False):
    """A row of a window.

    Attributes:
        row: what it says.
        part: what it belongs to.
        seq: of its message; of the one above it for WindowRowKind.MEMBERS; 0 for none.
        number: of the pending message, for WindowRowKind.UNSENT.
        selected: whether its message is the selected one.
    """

    row: TextRow
    part: WindowRowKind
    seq: int = 0
    number: int = 0
    selected: bool = False


class WindowRows(Struct, frozen=True):
    """The rows of a window, from the top; fewer than the field has where there are no more.

    Attributes:
        rows: at most as many as the field has.
        below: messages that came since the reader left the end, and that stand below; 999 is that many or more.
        following: whether the end is shown, and what comes is followed.
        loading: whether a page of history is asked for, or has to be.
    """

    rows: tuple[WindowRow, ...]
    below: int
    following: bool
    loading: bool


class PageWanted(Struct, frozen=True):
    """A page of history to ask for: exactly one of these, or none of them for the newest messages.

    Attributes:
        before: older ones than this seq.
        after: newer ones.
        around: this one, and those around it.
        at_ms: those from this time on, milliseconds since the epoch, UTC.
    """

    before: int | None = None
    after: int | None = None
    around: int | None = None
    at_ms: int | None = None

    def is_answered_by(self, event: events.HistoryShown) -> bool:
        """Tell whether a part of history is this page."""
        is_around = event.history_range is HistoryRange.AROUND
        if self.around is not None:
            return is_around and event.first <= self.around <= event.through
        if self.at_ms is not None:
            return self.at_ms == event.since_ms
        return self.after is not None and not is_around and event.since_ms is None and event.first == self.after + 1

    def action(self, target: ConversationId, count: int) -> actions.AskHistory | actions.ShowHistory:
        """Return the action that asks for it; ``count`` messages where the core lets one say so."""
        if self.around is None and self.at_ms is None and self.after is None:
            return actions.AskHistory(target, count, self.before)
        return actions.ShowHistory(target, self.around, self.at_ms, self.after)


class WindowAnchor(Struct, frozen=True, gc=False):
    """A place in a window: a row of a message, and where on the screen it stands.

    Attributes:
        key: the seq; 0 for what is above the first message, and ``-number`` of an unsent one.
        row: of the message's own rows; negative above them, where the unread line is, and beyond them below.
        top: the row of the field that it has.
        own_rows: how many the message had.
        before: the seq of the message before it.
    """

    key: int
    row: int = 0
    top: int = 0
    own_rows: int = 0
    before: int = 0


class WindowLocation(Struct, frozen=True):
    """Where a reader was: see `MessageWindow.place`."""

    anchor: WindowAnchor | None
    selected: int | None = None


class SelectEdge(Enum):
    """The ends of what is kept."""

    FIRST = "first"
    LAST = "last"
