"""A list over the panes: items, a filter, a selection. What choosing an item leads to is a record of the item.

The switcher, the palette, links, search hits, the help and answers to commands are all such lists; a question is one
with two items. The filter keeps items that have the typed letters in this order, and puts the likeliest first
(`conversation_list.match_score`); it is one pass over the items for each letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.core.state import ConversationId
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import cells, cut_to, row_ranges, styled_rows
from securechat.client.ui.screen_model.conversation_list import match_score
from securechat.client.ui.screen_model.view import ItemTarget, OverlayKind, OverlayView, ViewRow
from securechat.translation import LazyText

_NO_ROW = TextRow.of("")
_INDENT = "  "


class ChooseConversation(Struct, frozen=True):
    """Go to a conversation."""

    key: ConversationId


class ChooseMessage(Struct, frozen=True):
    """Go to a message."""

    key: ConversationId
    seq: int


class ChooseAction(Struct, frozen=True):
    """Run an action of the table; ``argument`` as behind its command."""

    action_id: str
    argument: str = ""


class ChooseLine(Struct, frozen=True):
    """Put a command into the composer, or with ``sends`` run it."""

    line: str
    sends: bool = False


class ChooseLink(Struct, frozen=True):
    """Open a link."""

    link: str


class ChooseEmoji(Struct, frozen=True):
    """React to a message with an emoji."""

    key: ConversationId
    seq: int
    emoji: str


class ChooseDelete(Struct, frozen=True):
    """Delete a message, as the user has confirmed."""

    key: ConversationId
    seq: int


class ChooseLogin(Struct, frozen=True):
    """Ask whether a login is to be ended.

    Attributes:
        number: of the login.
        line: that describes it, safe to print.
        current: whether it is this one.
    """

    number: int
    line: str
    current: bool = False


class ChooseCopy(Struct, frozen=True):
    """Copy a text."""

    text: str


class ChooseNothing(Struct, frozen=True):
    """Close the list."""


OverlayChoice: TypeAlias = (
    ChooseConversation
    | ChooseMessage
    | ChooseAction
    | ChooseLine
    | ChooseLink
    | ChooseEmoji
    | ChooseDelete
    | ChooseLogin
    | ChooseCopy
    | ChooseNothing
)


_ENTER_WORDS: Mapping[type[OverlayChoice], LazyText] = {
    ChooseConversation: catalogue.screen.ENTER_GO,
    ChooseMessage: catalogue.screen.ENTER_GO_MESSAGE,
    ChooseAction: catalogue.screen.ENTER_DO,
    ChooseLink: catalogue.screen.ENTER_OPEN,
    ChooseEmoji: catalogue.screen.ENTER_REACT,
    ChooseDelete: catalogue.screen.ENTER_DELETE,
    ChooseLogin: catalogue.screen.ENTER_END,
    ChooseCopy: catalogue.screen.ENTER_COPY,
    ChooseNothing: catalogue.screen.ENTER_LEAVE,
}


class PromptPurpose(Enum):
    """What the line of a list is for, other than a filter."""

    SEARCH = "search"
    DAY = "day"


_PROMPT_WORDS = {
    PromptPurpose.SEARCH: catalogue.screen.ENTER_SEARCH,
    PromptPurpose.DAY: catalogue.screen.ENTER_DAY,
}


class OverlayItem(Struct, frozen=True):
    """An item of a list.

    Attributes:
        row: what it shows, safe to print; cut where it is wider than the list.
        words: what the filter looks through, in small letters.
        choice: what Enter leads to; None for a row that is only read.
    """

    row: TextRow
    words: str = ""
    choice: OverlayChoice | None = None


def item(row: TextRow | str, choice: OverlayChoice | None = None, words: str = "") -> OverlayItem:
    """Make an item that is found by what it shows, and by further words."""
    shown = row if isinstance(row, TextRow) else TextRow.of(row)
    return OverlayItem(shown, f"{shown} {words}".casefold(), choice)


class ScreenOverlay:
    """A list that is open.

    Args:
        kind: what it is.
        title: above it.
        items: all of them, in their order.
        prompt: of the line with the filter; empty for a list without one.
        above: rows above the items.
        footer: keys.
        query: a filter to begin with.
        purpose: what the line is for, where Enter takes the line and no item.

    Attributes:
        kind, purpose: as given.
        revision: see screen_view.
    """

    def __init__(
        self,
        kind: OverlayKind,
        title: str,
        items: Sequence[OverlayItem],
        *,
        prompt: str = "",
        above: Sequence[TextRow] = (),
        footer: TextRow = _NO_ROW,
        query: str = "",
        purpose: PromptPurpose | None = None,
    ) -> None:
        self.kind = kind
        self.purpose = purpose
        self.revision = 1
        self._title = TextRow.of(title)
        self._items = tuple(items)
        self._chooses = any(each.choice is not None for each in items)
        self._last_top = 0
        self._prompt = TextRow.of(prompt)
        self._above = tuple(above)
        self._footer = footer
        self._query = query
        self._found = self._matching(query)
        self._selected = self._first_choice()
        self._top = 0

    @property
    def filters(self) -> bool:
        """Whether letters are typed into a filter."""
        return bool(self._prompt)

    @property
    def query(self) -> str:
        """What is typed into its line."""
        return self._query

    def replace(self, items: Sequence[OverlayItem]) -> None:
        """Show other items; the selection stays on its place in the list."""
        self._items = tuple(items)
        self._chooses = any(each.choice is not None for each in items)
        self._found = self._matching(self._query)
        self._selected = min(self._selected, max(0, len(self._found) - 1))

    def extend(self, items: Sequence[OverlayItem]) -> None:
        """Show further items below the others; the first of them that can be chosen is selected, and in sight."""
        chose = self._chooses
        self._items = (*self._items, *items)
        self._chooses = any(each.choice is not None for each in self._items)
        self._found = self._matching(self._query)
        if not chose:
            self._selected = self._first_choice()

    def type(self, text: str) -> None:
        """Take another filter."""
        self._query = text
        self._found = self._matching(text)
        self._selected, self._top = self._first_choice(), 0

    def move(self, step: int, *, edge: int = 0, page_rows: int = 0) -> None:
        """Move the selection.

        Args:
            step: items down, or pages where ``page_rows`` is not 0.
            edge: to the first (-1) or the last (1) instead.
            page_rows: rows of a page.
        """
        last = len(self._found) - 1 if self._chooses else self._last_top
        if edge:
            self._selected = 0 if edge < 0 else last
        else:
            self._selected += step * (page_rows or 1)
        self._selected = max(0, min(self._selected, last))

    def select(self, target: ItemTarget) -> bool:
        """Select the item of a clicked row; tell whether it is there still."""
        was = (target.revision, target.filter)
        if was != (self.revision, self._query) or not 0 <= target.index < len(self._found):
            return False
        self._selected = target.index
        return True

    @property
    def enter_words(self) -> str:
        """What Enter does now; empty where it does nothing that Esc does not do."""
        if self.purpose is not None:
            return str(_PROMPT_WORDS[self.purpose]()) if self._query.strip() else ""
        choice = self.chosen
        if isinstance(choice, ChooseLine):
            return catalogue.screen.ENTER_RUN() if choice.sends else catalogue.screen.ENTER_WRITE()
        return str(_ENTER_WORDS[type(choice)]()) if choice is not None else ""

    @property
    def chooses(self) -> bool:
        """Whether any of its items can be chosen; else it is a page that is read."""
        return self._chooses

    @property
    def chosen(self) -> OverlayChoice | None:
        """What Enter leads to."""
        return self._found[self._selected].choice if 0 <= self._selected < len(self._found) else None

    def view(self, columns: int, rows: int) -> OverlayView:
        """Return the part that is to be seen.

        Args:
            columns: of the list.
            rows: of the list, without title, filter and footer.
        """
        above = tuple(cut(row, columns) for row in self._above[: max(0, rows - 1)])
        height = max(0, rows - len(above))
        self._last_top = max(0, len(self._found) - height)
        if self._chooses:
            self._top = max(0, min(self._top, self._selected, self._last_top))
            self._top = max(self._top, self._selected - height + 1)
        else:  # a page: what moves is the page
            self._top = self._selected = min(self._selected, self._last_top)
        shown = self._found[self._top : self._top + height]
        items = tuple(
            ViewRow(
                cut(each.row, columns),
                ItemTarget(self._top + index, self.revision, self._query) if each.choice is not None else None,
                selected=self._chooses and self._top + index == self._selected,
            )
            for index, each in enumerate(shown)
        )
        return OverlayView(
            self.kind,
            self._title,
            items,
            prompt=self._prompt,
            revision=self.revision,
            filter=self._query if self.filters else "",
            above=above,
            footer=self._footer,
            total=len(self._found),
        )

    def _first_choice(self) -> int:
        return next((index for index, each in enumerate(self._found) if each.choice is not None), 0)

    def _matching(self, query: str) -> tuple[OverlayItem, ...]:
        key = query.strip().casefold()
        if not key:
            return self._items
        scores = ((each, match_score(key, _words(key, each.words))) for each in self._items)
        found = [(-score, index, each) for index, (each, score) in enumerate(scores) if score is not None]
        return tuple(each for _, _, each in sorted(found, key=_order))


def _words(key: str, words: str) -> str:
    """Return what a filter looks through: the mark of rooms and people counts only where it is typed."""
    return words if key[:1] in {"#", "@"} else words.lstrip("#@")


def _order(found: tuple[int, int, OverlayItem]) -> tuple[int, int]:
    return found[:2]


def cut(row: TextRow, columns: int) -> TextRow:
    """Return a row that fits, with ``…`` where something is left out; never for a link of a message."""
    text = cut_to(row, columns)
    if len(text) == len(row) and text == row:
        return row
    end = len(text) - 1
    spans = [replace(span, end=min(span.end, end)) for span in row.spans if span.start < end]
    return TextRow.of(text, spans)


def wrapped(row: TextRow, columns: int) -> list[TextRow]:
    """Return a row as several where it does not fit; the further ones are indented."""
    if not row or cells(row) <= columns:
        return [row]
    first, *more = row_ranges(row, 0, len(row), columns)
    rest = row_ranges(row, more[0].start, len(row), columns - len(_INDENT)) if more else []
    return [*styled_rows(row, [first], row.spans), *styled_rows(row, rest, row.spans, _INDENT)]


def styled(text: str, style: TextStyle) -> TextRow:
    """Return a row in one style."""
    return TextRow.of(text, [TextSpan(0, len(text), style)] if text else [])


def joined(*parts: TextRow | str) -> TextRow:
    """Return one row of several parts."""
    spans: list[TextSpan] = []
    text = ""
    for part in parts:
        at = len(text)
        if isinstance(part, TextRow):
            spans += [replace(span, start=span.start + at, end=span.end + at) for span in part.spans]
        text += part
    return TextRow.of(text, spans)
