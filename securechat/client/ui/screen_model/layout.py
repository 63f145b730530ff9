"""Divides the screen into the fields of its panes, by the size of the terminal and by what the user has folded.

The messages' field is always the rightmost one: a terminal that draws a character narrower than it was counted leaves
remains at the end of a row, and there the shell erases to the edge (docs/design/0015-terminal.md). Below `ONE_PANE`
columns one pane is shown at a time. A terminal smaller than `SMALLEST` shows one sentence, and one of no size nothing.

Cells are counted from 0 at the upper left. Every size is an answer: no number here raises an exception.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

ONE_PANE = 70
"""Columns below which there is one pane: a list of 20 would leave fewer than 50 for a message."""
SMALLEST = (20, 6)
"""Columns and rows below which the screen says only that it is too small: one row for each of header, messages,
activity, composer, status and footer."""
FRAME_ROWS = SMALLEST[1] - 1
"""Rows that are not the messages', with one row typed."""
NARROWEST_LIST, WIDEST_LIST = 20, 28
"""Columns of the list of conversations: a name of 16 characters with its mark and a count, and no more than needed."""
_MEMBERS_AT_LEAST = 4
"""Rows below which the members are not worth the place they take from the conversations."""
_SEPARATOR = 1


class ScreenPane(Enum):
    """The panes."""

    CONVERSATIONS = "conversations"
    MEMBERS = "members"
    MESSAGES = "messages"


class PaneField(Struct, frozen=True):
    """A rectangle of cells.

    Attributes:
        column: of its left edge.
        row: of its upper edge.
        columns: its width.
        rows: its height.
    """

    column: int
    row: int
    columns: int
    rows: int

    def holds(self, column: int, row: int) -> bool:
        """Tell whether a cell is in it."""
        return self.column <= column < self.column + self.columns and self.row <= row < self.row + self.rows


class ScreenLayout(Struct, frozen=True):
    """The fields of a screen; None for one that is not shown.

    Attributes:
        columns, rows: of the terminal.
        too_small: whether nothing fits but a sentence, in the field ``messages``, if that has cells at all.
        one_pane: whether one pane is shown at a time.
        header: one row above the messages: room and topic.
        conversations: the list.
        members: below it.
        messages: the rightmost field.
        activity: one row below the messages: new messages below, and who is typing.
        above: rows above the composer: what is replied to or edited, or the question that is asked.
        composer: what is typed.
        status: one row: the connection.
        footer: the last row: keys.
    """

    columns: int
    rows: int
    too_small: bool = False
    one_pane: bool = False
    header: PaneField | None = None
    conversations: PaneField | None = None
    members: PaneField | None = None
    messages: PaneField | None = None
    activity: PaneField | None = None
    above: PaneField | None = None
    composer: PaneField | None = None
    status: PaneField | None = None
    footer: PaneField | None = None


class WantedPanes(Struct, frozen=True):
    """What the user wants to see.

    Attributes:
        conversations: whether the list is unfolded.
        members: whether the members are.
        pane: the one that is shown where there is one pane.
        list_columns: the cells that the widest name in the list takes, with its marks.
        composer_rows: rows that the typed text takes.
        above_rows: rows of a question, or of what is replied to.
    """

    conversations: bool = True
    members: bool = True
    pane: ScreenPane = ScreenPane.MESSAGES
    list_columns: int = NARROWEST_LIST
    composer_rows: int = 1
    above_rows: int = 0


def layout(columns: int, rows: int, wanted: WantedPanes) -> ScreenLayout:
    """Divide the screen.

    Args:
        columns: of the terminal; 0 while it does not tell.
        rows: likewise.
        wanted: what the user has unfolded, and what the composer needs.
    """
    if columns < SMALLEST[0] or rows < SMALLEST[1]:
        whole = PaneField(0, 0, columns, rows) if columns > 0 and rows > 0 else None
        return ScreenLayout(max(0, columns), max(0, rows), too_small=True, one_pane=True, messages=whole)
    one_pane = columns < ONE_PANE
    left = 0 if one_pane or not (wanted.conversations or wanted.members) else _list_columns(columns, wanted)
    at = left + _SEPARATOR if left else 0
    composer = min(max(1, wanted.composer_rows), max(1, min(rows // 3, rows - SMALLEST[1] + 1)))
    above = min(max(0, wanted.above_rows), max(0, rows - composer - 6))
    # From below: footer, status, composer, what stands above it, activity; then the header, and messages between.
    footer = rows - 1
    status = footer - 1
    typed = status - composer
    activity = typed - above - 1
    if one_pane and wanted.pane is not ScreenPane.MESSAGES:
        lists = PaneField(0, 1, columns, activity - 1)
        is_members = wanted.pane is ScreenPane.MEMBERS
        conversations, members = (None, lists) if is_members else (lists, None)
        messages = None
    else:
        conversations, members = _lists(left, footer - 1, wanted) if left else (None, None)
        messages = PaneField(at, 1, columns - at, activity - 1)
    wide = columns - at
    return ScreenLayout(
        columns,
        rows,
        one_pane=one_pane,
        header=PaneField(at, 0, wide, 1),
        conversations=conversations,
        members=members,
        messages=messages,
        activity=PaneField(at, activity, wide, 1),
        above=PaneField(at, activity + 1, wide, above) if above else None,
        composer=PaneField(at, typed, wide, composer),
        status=PaneField(0, status, columns, 1),
        footer=PaneField(0, footer, columns, 1),
    )


def _list_columns(columns: int, wanted: WantedPanes) -> int:
    """Return the width of the list: what its names need, and never more than a third of the screen."""
    return max(NARROWEST_LIST, min(wanted.list_columns, WIDEST_LIST, columns // 3))


def _lists(columns: int, rows: int, wanted: WantedPanes) -> tuple[PaneField | None, PaneField | None]:
    """Divide the left side: two thirds for the conversations, and a row between them and the members."""
    if not wanted.members:
        return PaneField(0, 0, columns, rows), None
    if not wanted.conversations:
        return None, PaneField(0, 0, columns, rows)
    members = rows // 3
    if members < _MEMBERS_AT_LEAST:
        return PaneField(0, 0, columns, rows), None
    above = rows - members - 1
    return PaneField(0, 0, columns, above), PaneField(0, above + 1, columns, members)
