"""Makes the rows of the screen's list of messages, which no message text can imitate (promise 6).

The first cells of a row, its gutter, say what the row is, and no text of a peer ever stands there:

- ``06:13 Ana`` begins a group of messages of one author, with the time in the first cell; ``--:-- Ana`` one that the
  server has not stored.
- Blanks are followed by text, from the cell behind the gutter on. The first row of a further message of the group has
  its minutes in the gutter: ``  :14``.
- Blanks alone: a row that is kept free for the preview of a picture, below the row of its file.
- Blanks and a sign before the text: ``>`` the message that is answered, ``|`` a line of code, ``+`` a file, ``~`` that
  the message was edited or deleted, ``*`` its reactions, ``!`` the state of an own one, ``@`` a mention of the user.
- ``-- `` begins a notice, and ``-  `` its further rows. ``---- `` is a separator: a day, or where the unread begin.

All of these are ASCII, because each terminal has them, one cell wide. With the numbers of messages shown, the gutter is
wider by the number, so that nothing but the number stands there. Names stand behind the time, where no text does, and
contain no colon, so a quoted line (``> Ana: text``) ends its name at the first one. What is said by a colour is said by
one of these signs too.

Rows are made anew when a message, the message before it, or the width changes; the caller keeps them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Sequence
from enum import Enum

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.catalogue.names import BOT_MARK, marked, named
from securechat.client.core.events.messages import MessageChangeRequest, PendingMessage
from securechat.client.ui.rows.code_highlighting import code_spans
from securechat.client.ui.rows.links import MarkKind, TextMark, links_in, visible_marks
from securechat.client.ui.rows.picture_cells import PictureRoom, PictureRow
from securechat.client.ui.rows.rendering import BotLookup, local_time_of, no_bots, own_text, safe_sign
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import RowRange, cells, cut_to, fitting, row_ranges, styled_rows
from securechat.model import FileInfo, Message, Person, RevisionKind
from securechat.pictures.answers import TERMINAL_SIDE
from securechat.text.sanitize import one_line, visible

GROUP_MS = 5 * 60_000
"""Messages of one author that follow each other so soon stand under one name, as in the page."""
NARROWEST_FIELD = 20
"""The fewest cells of a row: in a narrower field there is no room for time, number and text."""
_CLOCK = 6
"""Cells of the time of day and the blank behind it."""
_NOT_STORED = "--:--"
_NO_NAMES: frozenset[str] = frozenset()
_NO_PEOPLE: frozenset[int] = frozenset()


class RowKind(Enum):
    """What a row is, and so what a click or Enter on it means."""

    DAY = "day"
    UNREAD = "unread"
    HEAD = "head"
    QUOTE = "quote"  # goes to the message `quoted`
    TEXT = "text"
    CODE = "code"
    FILE = "file"  # saves or opens `file_id`
    PICTURE = "picture"  # likewise; kept free for a part of its preview
    CHANGED = "changed"  # edited or deleted
    REACTIONS = "reactions"
    STATE = "state"  # of an own message that is not stored
    NOTICE = "notice"


class BlockRow(Struct, frozen=True):
    """A row of the list of messages, and what it is. Links and people are spans of the row.

    Attributes:
        row: what is drawn.
        kind: what it is.
        seq: of its message; 0 for a row of none.
        quoted: the seq of the answered message, for RowKind.QUOTE.
        file_id: for RowKind.FILE and PICTURE.
        pending: the number of the message that is not stored (`PendingMessage.number`); 0 for others.
        picture: for RowKind.PICTURE.
    """

    row: TextRow
    kind: RowKind
    seq: int = 0
    quoted: int = 0
    file_id: str = ""
    pending: int = 0
    picture: PictureRow | None = None


class PendingState(Enum):
    """How far an own message is that the server has not stored."""

    SENDING = "sending"
    WAITING = "waiting"  # for the connection
    FAILED = "failed"


def _unknown(_: int) -> Message | None:
    return None


class RowContext(Struct, frozen=True):
    """What the rows of a conversation depend on besides the message.

    Attributes:
        columns: cells of the field.
        me: the user.
        find: a message of the conversation by its seq, as far as it is kept.
        is_bot: see `rendering.BotLookup`.
        names: the keys of the names that may be mentioned, the user's own among them.
        my_key: the key of the user's name.
        hidden: the people whose messages the user does not want to see.
        show_numbers: whether each message has its number.
        pictures: the room for previews; None where none are shown.
    """

    columns: int
    me: Person
    find: Callable[[int], Message | None] = _unknown
    is_bot: BotLookup = no_bots
    names: Container[str] = _NO_NAMES
    my_key: str = ""
    hidden: Container[int] = _NO_PEOPLE
    show_numbers: bool = False
    pictures: PictureRoom | None = None


# --- rows between messages --------------------------------------------------------------------------------------------


def unread_row(columns: int) -> BlockRow:
    """Return the line above the first unread message."""
    return BlockRow(_separator(catalogue.message_blocks.NEW(), columns, TextStyle.UNREAD), RowKind.UNREAD)


def day_row(day: dt.date, columns: int) -> BlockRow:
    """Return the line above the first message of a day."""
    return BlockRow(_separator(catalogue.days.separator(day), columns, TextStyle.DAY), RowKind.DAY)


def notice_block(sentence: str, columns: int, style: TextStyle = TextStyle.NOTICE) -> tuple[BlockRow, ...]:
    """Return the rows of a notice: what the client or the server says.

    Args:
        sentence: of the catalogue; foreign text in it is safe to show already, and its newlines begin no new notice.
        columns: cells of the field.
        style: TextStyle.NOTICE or ERROR.
    """
    sentence = visible(sentence)
    first, further = "-- ", "-  "
    ranges = _lines(sentence, 0, len(sentence), _room(columns, len(first)))
    rows = styled_rows(sentence, ranges, [TextSpan(0, len(sentence), style)], further, first)
    return tuple(BlockRow(_with_gutter(row, len(first)), RowKind.NOTICE) for row in rows)


def comings_block(
    joined: Sequence[Person],
    left: Sequence[Person],
    renamed: Sequence[tuple[str, str]],
    columns: int,
    is_bot: BotLookup = no_bots,
) -> tuple[BlockRow, ...]:
    """Return one notice for all who came, left, or have another name since the message above.

    Args:
        joined: each person once; who came and left again is the caller's to leave out.
        left: likewise.
        renamed: the old name and the new one of each.
        columns: cells of the field.
        is_bot: see `rendering.BotLookup`.
    """
    came, went = (
        [named(one_line(each.name), bot=each.bot or is_bot(each.id)) for each in who] for who in (joined, left)
    )
    names = [(one_line(old), one_line(new)) for old, new in renamed]
    said = catalogue.message_blocks.comings(came, went, names)
    return notice_block(said, columns) if said else ()


def _separator(label: str, columns: int, style: TextStyle) -> TextRow:
    columns = max(columns, NARROWEST_FIELD)
    text = f"---- {cut_to(visible(label), columns - 6)} "
    text += "-" * (columns - cells(text))
    return TextRow.of(text, [TextSpan(0, len(text), style)])


# --- messages ---------------------------------------------------------------------------------------------------------


def begins_day(message: Message, before: Message | None) -> bool:
    """Tell whether a message is the first of its day in the list."""
    return before is None or _day(before.sent_at_ms) != _day(message.sent_at_ms)


def begins_group(message: Message, before: Message | None) -> bool:
    """Tell whether a message names its author, as the page decides it."""
    return (
        before is None
        or before.sender_id != message.sender_id
        or before.name != message.name
        or message.reply is not None
        or message.sent_at_ms - before.sent_at_ms > GROUP_MS
        or before.deleted is not None
        or message.deleted is not None
        or begins_day(message, before)
    )


def message_block(
    message: Message, before: Message | None, context: RowContext, *, unread: bool = False, head: bool = False
) -> tuple[BlockRow, ...]:
    """Return the rows of a message, never wider than the field (which has at least NARROWEST_FIELD cells).

    Args:
        message: as it is now.
        before: the one above it in the list, None for none.
        context: what else they depend on.
        unread: whether the unread begin here.
        head: whether the author is named in any case, because something else stands between.
    """
    rows: list[BlockRow] = []
    if begins_day(message, before):
        rows.append(day_row(_day(message.sent_at_ms), context.columns))
    if unread:
        rows.append(unread_row(context.columns))
    head = head or unread or begins_group(message, before)
    writer = _BlockWriter(context, message.seq, number=str(message.seq) if context.show_numbers else "")
    clock = catalogue.days.clock(local_time_of(message.sent_at_ms))
    if head:
        bot = message.bot or context.is_bot(message.sender_id)
        writer.head(clock, message.name, message.sender_id, bot=bot)
    if message.deleted is not None:
        by = message.deleted_by
        writer.changed(catalogue.rooms.deleted_mark(None if by is None else _shown_person(by, context)))
        return (*rows, *writer.rows)
    if message.reply is not None:
        writer.quote(message.reply)
    mentioned = context.me.id in message.mentions and message.sender_id != context.me.id
    writer.text(own_text(message), "" if head else clock, mentioned=mentioned)
    for index, file in enumerate(message.files, 1):
        writer.file(file, index if len(message.files) > 1 else 0)
    if message.edited is not None:
        by = message.edited_by
        writer.changed(catalogue.rooms.edited_mark(None if by is None else _shown_person(by, context)))
    writer.reactions([(each.sign, len(each.by), context.me.id in each.by) for each in message.reactions])
    return (*rows, *writer.rows)


def pending_block(
    pending: PendingMessage, before: Message | None, context: RowContext, state: PendingState, why: str = ""
) -> tuple[BlockRow, ...]:
    """Return the rows of an own message, or of a change of one, that the server has not stored.

    Args:
        pending: the message.
        before: the one above it in the list, stored or not made of one; None names the author.
        context: what else they depend on.
        state: how far it is.
        why: the sentence of a refusal, for PendingState.FAILED.
    """
    writer = _BlockWriter(context, 0, pending=pending.number)
    if before is None or before.sender_id != context.me.id or before.deleted is not None:
        writer.head(_NOT_STORED, context.me.name, context.me.id, bot=context.me.bot)
    if pending.reply is not None:
        writer.quote(pending.reply)
    change = pending.change
    if change is None or change.kind is RevisionKind.EDIT:
        writer.text(pending.text, "", mentioned=False)
    for index, file in enumerate(pending.files, 1):
        writer.pending_file(file.name, index if len(pending.files) > 1 else 0)
    said = _state_words(state, why)
    if change is not None:
        said = _of_change(change, said)
    writer.state(said, TextStyle.ERROR if state is PendingState.FAILED else TextStyle.DIM)
    return tuple(writer.rows)


def _state_words(state: PendingState, why: str) -> str:
    match state:
        case PendingState.SENDING:
            return catalogue.message_blocks.SENDING()
        case PendingState.WAITING:
            return catalogue.message_blocks.WAITING()
        case PendingState.FAILED:
            return catalogue.message_blocks.failed(why)


def _of_change(change: MessageChangeRequest, state: str) -> str:
    match change.kind:
        case RevisionKind.EDIT:
            return catalogue.message_blocks.editing(state)
        case RevisionKind.DELETE:
            return catalogue.message_blocks.deleting(state)
        case _:
            return catalogue.message_blocks.reacting(_sign(change.emoji), state)


class _BlockWriter:
    """Collects the rows of one message.

    Args:
        context: of the conversation.
        seq: of the message.
        number: shown in the gutter of the first row; empty for none.
        pending: see `BlockRow`.
    """

    def __init__(self, context: RowContext, seq: int, *, number: str = "", pending: int = 0) -> None:
        self.rows: list[BlockRow] = []
        self._context = context
        self._seq = seq
        self._pending = pending
        self._number = f"{number} " if number else ""
        self._numbered = False
        self._gutter = _CLOCK + len(self._number)
        self._room = _room(context.columns, self._gutter)

    def head(self, clock: str, name: str, person: int, *, bot: bool) -> None:
        """Add the row with time and author."""
        shown = _name_cut(name, self._room, bot=bot)
        style = TextStyle.OWN_NAME if person == self._context.me.id else TextStyle.NAME
        gutter = self._sign("", clock)
        at = len(gutter)
        spans = [TextSpan(0, at, TextStyle.DIM), TextSpan(at, at + len(shown), style, person)]
        self._add(TextRow.of(gutter + shown, spans), RowKind.HEAD)

    def quote(self, seq: int) -> None:
        """Add the row with the answered message."""
        message = self._context.find(seq)
        gutter = self._sign(">")
        if message is None or message.sender_id in self._context.hidden:
            said = (catalogue.rooms.EARLIER if message is None else catalogue.rooms.HIDDEN)()
            row = TextRow.of(gutter + said)
            return self._add(_cut_row(row, self._gutter + self._room, gutter), RowKind.QUOTE, quoted=seq)
        bot = message.bot or self._context.is_bot(message.sender_id)
        name = _name_cut(message.name, self._room // 2, bot=bot)
        if message.deleted is not None:
            said = f" [{catalogue.rooms.deleted_mark(None)}]"
        else:
            parts = [one_line(own_text(message)), *(_file_text(file) for file in message.files)]
            said = f": {' + '.join(part for part in parts if part)}"
        at = len(gutter)
        spans = [TextSpan(at, at + len(name), TextStyle.NAME, message.sender_id)]
        row = TextRow.of(gutter + name + said, spans)
        return self._add(_cut_row(row, self._gutter + self._room, gutter), RowKind.QUOTE, quoted=seq)

    def text(self, text: str, clock: str, *, mentioned: bool) -> None:
        """Add the rows of a text; none for an empty one."""
        if not text:
            return
        shown, marks = _with_hosts(*visible_marks(text, self._context.names))
        spans = _mark_spans(marks, self._context.my_key if mentioned else "")
        sign = "@" if mentioned else ""
        at = 0
        for block in [mark for mark in marks if mark.kind is MarkKind.BLOCK]:
            if block.start > at:
                self._plain(shown, at, block.start - 1, marks, spans, clock, sign)
                clock = sign = ""
            self._code(shown[block.inner_start : block.inner_end], block.value)
            at = block.end + 1
        if at < len(shown):
            self._plain(shown, at, len(shown), marks, spans, clock, sign)

    def _plain(
        self, text: str, start: int, end: int, marks: list[TextMark], spans: list[TextSpan], clock: str, sign: str
    ) -> None:
        inside = [mark for mark in marks if mark.kind is MarkKind.LINK and start <= mark.start < end]
        ranges = _lines(text, start, end, self._room, [(mark.start, mark.end) for mark in inside])
        rest = [span for span in spans if start <= span.start < end]
        first = self._sign(sign, _minutes(clock))
        for row in styled_rows(text, ranges, rest, " " * self._gutter, first):
            self._add(_with_gutter(row, self._gutter), RowKind.TEXT)

    def _code(self, code: str, language: str) -> None:
        ranges = _lines(code, 0, len(code), self._room, as_typed=True)
        first, further = self._sign("|"), self._sign("|", further=True)
        for row in styled_rows(code, ranges, code_spans(code, language), further, first):
            self._add(_with_gutter(row, self._gutter), RowKind.CODE)

    def file(self, file: FileInfo, index: int) -> None:
        """Add the rows of a file and of its preview; ``index`` counts those of the message, 0 for the only one."""
        self._wrapped(
            "+", f"{_place(index)}{_file_text(file)}", RowKind.FILE, TextStyle.LINK, file.id, len(_place(index))
        )
        pictures = self._context.pictures
        if pictures is None or TERMINAL_SIDE not in file.previews:
            return
        if (cells_of := pictures.cells(file.width, file.height, self._room)) is not None:
            columns, rows = cells_of
            for at in range(rows):
                part = PictureRow(file.id, self._gutter, columns, rows, at)
                row = TextRow.of("")
                self.rows.append(BlockRow(row, RowKind.PICTURE, self._seq, 0, file.id, self._pending, part))

    def pending_file(self, name: str, index: int) -> None:
        """Add the rows of a file of a message that is not stored."""
        self._wrapped("+", f"{_place(index)}{one_line(name)}", RowKind.FILE, None)

    def changed(self, mark: str) -> None:
        """Add the row that says that the message was edited or deleted."""
        self._wrapped("~", mark, RowKind.CHANGED, TextStyle.EDITED)

    def reactions(self, reactions: Sequence[tuple[str, int, bool]]) -> None:
        """Add the rows of the reactions: emoji, how many, and in brackets where the user is one of them."""
        text, whole, spans = "", [], []
        for sign, count, mine in reactions:
            shown = f"{_sign(sign)} {count}"
            shown = f"[{shown}]" if mine else shown
            text += "  " if text else ""
            whole.append((len(text), len(text) + len(shown)))
            spans.append(TextSpan(len(text), len(text) + len(shown), TextStyle.REACTION))
            text += shown
        if text:
            ranges = row_ranges(text, 0, len(text), self._room, whole)
            first, further = self._sign("*"), self._sign("*", further=True)
            for row in styled_rows(text, ranges, spans, further, first):
                self._add(_with_gutter(row, self._gutter), RowKind.REACTIONS)

    def state(self, said: str, style: TextStyle) -> None:
        """Add the rows that say how far an own message is."""
        self._wrapped("!", said, RowKind.STATE, style)

    def _wrapped(
        self, sign: str, text: str, kind: RowKind, style: TextStyle | None, file_id: str = "", skip: int = 0
    ) -> None:
        text = one_line(text)
        ranges = row_ranges(text, 0, len(text), self._room)
        spans = [] if style is None else [TextSpan(skip, len(text), style)]
        first, further = self._sign(sign), self._sign(sign, further=True)
        for row in styled_rows(text, ranges, spans, further, first):
            self._add(_with_gutter(row, self._gutter), kind, file_id=file_id)

    def _sign(self, sign: str, clock: str = "", *, further: bool = False) -> str:
        """Return a gutter: the time or a blank, the number in the first row of the message, and a sign."""
        number = "" if self._numbered or further else self._number
        self._numbered = self._numbered or not further
        gutter = f"{clock:{_CLOCK}}{number}".ljust(self._gutter)
        if not sign:
            return gutter
        place = len(gutter) - 2 if not clock and not number else len(gutter) - 1
        return f"{gutter[:place]}{sign}{gutter[place + 1 :]}"

    def _add(self, row: TextRow, kind: RowKind, *, quoted: int = 0, file_id: str = "") -> None:
        self.rows.append(BlockRow(row, kind, self._seq, quoted, file_id, self._pending))


# --- parts of rows ----------------------------------------------------------------------------------------------------


def _room(columns: int, gutter: int) -> int:
    return max(columns, NARROWEST_FIELD) - gutter


def _day(at_ms: int) -> dt.date:
    return local_time_of(at_ms).date()


def _minutes(clock: str) -> str:
    """Return the minutes of a time of day for the gutter, behind blanks: ``  :14``."""
    return f"  {clock[2:]}" if clock else ""


def _place(index: int) -> str:
    return f"{index}. " if index else ""


def _sign(sign: str) -> str:
    """Return the emoji of a reaction without what stands around one."""
    return safe_sign(sign).replace("[", "_").replace("]", "_")


def _shown_person(person: Person, context: RowContext) -> str:
    return named(one_line(person.name), bot=person.bot or context.is_bot(person.id))


def _name_cut(name: str, room: int, *, bot: bool) -> str:
    """Return a name that fits, with the mark of a bot, which is never cut."""
    shown = marked(one_line(name)) or catalogue.names.DELETED()
    if not bot or not name:
        return cut_to(shown, room)
    return f"{cut_to(shown, room - len(BOT_MARK) - 1)} {BOT_MARK}"


def _file_text(file: FileInfo) -> str:
    name = one_line(file.name)
    if file.is_picture:
        return catalogue.files.file_line(name, file.size, file.width, file.height)
    return catalogue.message_blocks.file_line(name, file.size, one_line(file.type))


def _with_gutter(row: TextRow, gutter: int) -> TextRow:
    """Return a row with its gutter dim, unless that is blank."""
    if row[:gutter].isspace():
        return row
    return TextRow.of(str(row), [TextSpan(0, gutter, TextStyle.DIM), *row.spans], row.indent, row.joins)


def _lines(
    text: str, start: int, end: int, room: int, whole: Sequence[tuple[int, int]] = (), *, as_typed: bool = False
) -> list[RowRange]:
    """Return the ranges of all lines of a text."""
    ranges: list[RowRange] = []
    index = 0
    while True:
        line_end = text.find("\n", start, end)
        line_end = end if line_end < 0 else line_end
        first = index
        while index < len(whole) and whole[index][0] < line_end:
            index += 1
        ranges += row_ranges(text, start, line_end, room, whole[first:index], as_typed=as_typed)
        if line_end >= end:
            return ranges
        start = line_end + 1


def _cut_row(row: TextRow, columns: int, gutter: str) -> TextRow:
    """Return a row on which all is a quote, cut where it is too long, but never within a link."""
    text = str(row)
    if fitting(text, 0, len(text), columns) < len(text):
        end = fitting(text, 0, len(text), columns - cells("…"))
        # Only what begins before the cut can be torn by it: the longest link, and what precedes the cut.
        torn = next((link.start for link in links_in(text[: end + 4_096]) if link.start < end < link.end), end)
        text = f"{text[:torn]}…"
    spans = [span for span in row.spans if span.end <= len(text)]
    return TextRow.of(
        text, [TextSpan(0, len(gutter), TextStyle.DIM), *spans, TextSpan(len(gutter), len(text), TextStyle.QUOTE)]
    )


def _with_hosts(text: str, marks: list[TextMark]) -> tuple[str, list[TextMark]]:
    """Put the host that a link opens behind it, where it shows another one."""
    if not any(mark.host for mark in marks):
        return text, marks
    pieces, moved, at, by = [], [], 0, 0
    for mark in marks:
        start, end = mark.start + by, mark.end + by
        moved.append(TextMark(mark.kind, start, end, mark.inner_start + by, mark.inner_end + by, mark.value, mark.host))
        if mark.host:
            pieces += [text[at : mark.end], f" [{mark.host}]"]
            by += len(pieces[-1])
            at = mark.end
    return "".join([*pieces, text[at:]]), moved


def _mark_spans(marks: Sequence[TextMark], my_key: str) -> list[TextSpan]:
    spans = []
    for mark in marks:
        match mark.kind:
            case MarkKind.LINK:
                spans.append(TextSpan(mark.start, mark.end, TextStyle.LINK, link=mark.value))
                if mark.host:
                    spans.append(TextSpan(mark.end + 1, mark.end + 3 + len(mark.host), TextStyle.DIM))
            case MarkKind.CODE:
                spans.append(TextSpan(mark.start, mark.end, TextStyle.CODE))
            case MarkKind.MENTION if my_key and mark.value == my_key:
                spans.append(TextSpan(mark.start, mark.end, TextStyle.MENTION))
    return spans
