"""Formats messages and notices as terminal rows that no message text can imitate (promise 6).

- A message begins with its time in the first column, a notice with ``-- ``; every further row of either, after a
  newline in the text or a wrap at the edge of the screen, is indented under a mark that `sanitize.visible` removes from
  every text. So no text ever appears in the first column.
- A name contains none of ``: # @ , ! /``. Hence ``#ops bob:`` and ``bob @ann:`` (to ann alone) cannot be names, and the
  first colon after the time ends the sender.
- Rows are wrapped here, because the terminal's own wrap would put text of the sender's choice into the first column.
- ``[bot]`` behind a name is the mark of a bot. A person's name that looks like that stands in quotes
  (``catalogue/names.py``), so a sender that ends in a bracket outside of quotes is a bot.
- The number of a message, in brackets, always stands before the name; a quote of the answered message has its own row
  above, under a mark that begins no other row.
- A file of a message has its own row below, under a mark that begins no other row.
- Lines of code between two rows of three backquotes are cut at the edge of the screen only.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.catalogue.names import marked, named
from securechat.client.core.state import ConversationId, PersonKey
from securechat.client.ui.message_numbers import file_number
from securechat.client.ui.rows.links import MarkKind, visible_marks
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import fitting
from securechat.model import Deleted, Edited, FileInfo, Hit, Message, MessageChange, Person, Purged, Reacted
from securechat.text.file_lines import BEGINNING, file_line, without_file_lines
from securechat.text.local_time import begin_of_day_ms, local
from securechat.text.sanitize import CONTINUATION_MARK, one_line, visible, width
from securechat.text.search_query import Calendar

NOTICE_MARK = "-- "
CONTINUED = f"      {CONTINUATION_MARK} "
_QUOTE_MARK = "      > "
FILE_MARK = "      + "
_FENCE = "```"
_SNIPPET = 160
"""Characters shown of a search result: two rows of 80 columns."""
_BEFORE_HIT = 40
"""Characters of them before the first match."""
_NARROWEST = 12
"""The fewest cells for text: a narrower terminal is unusable, and a row per character would not help."""
BotLookup: TypeAlias = Callable[[int], bool]
"""Tells of a sender_id whether it is known to be a bot's; only some records of the server say it themselves."""
_LIKE_A_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")


def no_bots(_: int) -> bool:
    """Know no bots but those that a record names as such."""
    return False


def shown_name(person: Person, is_bot: BotLookup = no_bots) -> str:
    """Return the name of a person, safe to show, for a sentence of the catalogue."""
    return named(one_line(person.name), bot=person.bot or is_bot(person.id))


def message_rows(
    message: Message,
    columns: int,
    *,
    room: str | None = None,
    number: int | None = None,
    is_bot: BotLookup = no_bots,
    me: Person | None = None,
) -> list[TextRow]:
    """Return the rows of a message.

    Args:
        message: the message.
        columns: of the terminal.
        room: named when it is not the active one.
        number: that stands beside it.
        is_bot: see `BotLookup`.
        me: the user, whose name stands out.
    """
    clock = f"{catalogue.days.clock(local_time(message))} "
    mark = _numbered(message, number, is_bot)
    who, spans = _sender_with_spans(message, room, is_bot, me, len(mark))
    if message.deleted is not None:
        return wrapped_rows(clock, f"{mark}{who}", columns, [*_dim(mark), *spans])
    text = own_text(message)
    if not text:
        return wrapped_rows(clock, f"{mark}{who}:", columns, [*_dim(mark), *spans])
    head = f"{mark}{who}: "
    said, marked_spans = text_with_spans(text, me if me is None or message.sender_id != me.id else None)
    return wrapped_rows(clock, f"{head}{said}", columns, [*_dim(mark), *spans, *_moved(marked_spans, len(head))])


def text_with_spans(text: str, me: Person | None = None) -> tuple[str, list[TextSpan]]:
    """Return a text of a person as it is shown, with its links, code, and mentions of the user.

    Args:
        text: as it was sent.
        me: whose name is looked for; None for none.
    """
    shown, marks = visible_marks(text)
    spans = [
        TextSpan(mark.start, mark.end, TextStyle.LINK, link=mark.value)
        if mark.kind is MarkKind.LINK
        else TextSpan(mark.inner_start, mark.inner_end, TextStyle.CODE)
        for mark in marks
        if mark.kind in {MarkKind.LINK, MarkKind.CODE, MarkKind.BLOCK}
    ]
    if me is not None and me.name:
        name = re.compile(rf"(?<!\w)@?{re.escape(visible(me.name))}(?!\w)", re.IGNORECASE)
        spans += [TextSpan(found.start(), found.end(), TextStyle.MENTION) for found in name.finditer(shown)]
    return shown, spans


def _moved(spans: Sequence[TextSpan], by: int) -> list[TextSpan]:
    return [replace(span, start=span.start + by, end=span.end + by) for span in spans]


def head_with_spans(
    message: Message, room: str | None, is_bot: BotLookup, me: Person | None
) -> tuple[str, list[TextSpan], str]:
    """Return the sender as `sender` does, its spans, and whether the message is edited or deleted, in a word."""
    return *_sender_with_spans(message, room, is_bot, me, 0), _change_mark(message, is_bot)


def _sender_with_spans(
    message: Message, room: str | None, is_bot: BotLookup, me: Person | None, at: int
) -> tuple[str, list[TextSpan]]:
    """Return the sender as `sender` does, with the spans of it in a row where it begins ``at`` a character."""
    who = sender(message, room, is_bot)
    name = _author(message, is_bot) or catalogue.names.DELETED()
    style = TextStyle.OWN_NAME if me is not None and message.sender_id == me.id else TextStyle.NAME
    if message.to is not None:
        direct = TextSpan(at + len(name) + 1, at + len(who), TextStyle.DIRECT)
        return who, [TextSpan(at, at + len(name), style, message.sender_id), direct]
    start = at + len(who) - len(name)
    place = [TextSpan(at, start, TextStyle.DIM)] if start > at else []
    return who, [*place, TextSpan(start, at + len(who), style, message.sender_id)]


def own_text(message: Message) -> str:
    """Return the text of a message without the lines that name its files, where those are shown by themselves."""
    return without_file_lines(message.text, [(file.name, file.size) for file in message.files])


def file_text(file: FileInfo) -> str:
    """Describe a file of a message, on one line, safe to show."""
    return catalogue.files.file_line(one_line(file.name), file.size, file.width, file.height)


def file_rows(file: FileInfo, number: str, columns: int, marks: Sequence[tuple[int, int]] = ()) -> list[TextRow]:
    """Return the rows of a file, below those of its message; ``number`` as of `file_number`, ``marks`` of its name."""
    mark = f"{catalogue.rooms.number(number)} " if number else ""
    text = file_text(file)
    name_at = len(mark) + text.find(one_line(file.name))
    found = [TextSpan(name_at + start, name_at + end, TextStyle.FOUND) for start, end in marks]
    return wrapped_rows(FILE_MARK, f"{mark}{text}", columns, [*_dim(mark), *found])


def quote_row(
    message: Message | None, number: int, columns: int, *, hidden: bool = False, is_bot: BotLookup = no_bots
) -> TextRow:
    """Return the row above an answer: the quoted message, as far as it is known, on one line."""
    mark = catalogue.rooms.number(number)
    if hidden or message is None:
        said = f"{mark} {catalogue.rooms.HIDDEN() if hidden else catalogue.rooms.EARLIER()}"
    elif message.deleted is not None:
        said = f"{catalogue.rooms.number(number, _change_mark(message, is_bot))} {_author(message, is_bot)}"
    else:
        if message.edited_by is not None:
            mark = catalogue.rooms.number(number, _change_mark(message, is_bot))
        said = f"{mark} {_author(message, is_bot)}: {_on_one_line(message, columns)}"
    room = max(_NARROWEST, columns - 2 - width(_QUOTE_MARK))
    cut = _fitting(said, room)
    whole = _QUOTE_MARK + (said if cut >= len(said) else f"{said[:cut]}…")
    return TextRow.of(whole, [TextSpan(0, len(whole), TextStyle.QUOTE)])


def _on_one_line(message: Message, columns: int) -> str:
    """Return the text and the files of a message, as much of it as may fit."""
    text = own_text(message)
    parts = [one_line(text[:columns])] if text else []
    return " + ".join([*parts, *map(file_text, message.files)])


def hit_rows(hit: Hit, columns: int, is_bot: BotLookup = no_bots, me: Person | None = None) -> list[TextRow]:
    """Return the rows of a search result: time, room, sender, and the text around the match, on one line; its files.

    Args:
        hit: the result.
        columns: of the terminal.
        is_bot: see `BotLookup`.
        me: see `message_rows`.
    """
    message = hit.message
    mark = _numbered(message, message.seq, is_bot)
    who, who_spans = _sender_with_spans(message, message.room, is_bot, me, len(mark))
    head = f"{mark}{who}: "
    said = own_text(message)
    text, marks = _snippet(said, [(start, end) for start, end in hit.marks if end <= len(said)])
    spans = [TextSpan(len(head) + start, len(head) + end, TextStyle.FOUND) for start, end in marks]
    rows = wrapped_rows(
        f"{local_date(message.sent_at_ms)} ", (head + text).rstrip(), columns, [*_dim(mark), *who_spans, *spans]
    )
    at = len(said) + bool(said)
    for file in message.files:
        line = file_line(file.name, file.size)
        rows += file_rows(file, file_number(message, file), columns, _marks_of_name(file, line, at, hit.marks))
        at += len(line) + 1
    return rows


def _marks_of_name(file: FileInfo, line: str, at: int, marks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the marks of a file's name, where its row shows it as the text has it.

    Args:
        file: the file.
        line: of it in the text.
        at: where that begins.
        marks: of the text.
    """
    start = at + line.find(file.name, len(BEGINNING))
    if one_line(file.name) != file.name or start < at:
        return []
    end = start + len(file.name)
    return [(left - start, right - start) for left, right in marks if start <= left < right <= end]


def _numbered(message: Message, number: int | None, is_bot: BotLookup) -> str:
    """Return the number of a message and its edited mark, to stand before the name, where no name or text can."""
    mark = _change_mark(message, is_bot)
    if number is None:
        return f"[{mark}] " if mark else ""
    return f"{catalogue.rooms.number(number, mark)} "


def _change_mark(message: Message, is_bot: BotLookup) -> str:
    """Return whether a message is edited or deleted, and who did it where it was not its author."""
    if message.deleted is not None:
        by = message.deleted_by
        return catalogue.rooms.deleted_mark(None if by is None else shown_name(by, is_bot))
    if message.edited is not None:
        by = message.edited_by
        return catalogue.rooms.edited_mark(None if by is None else shown_name(by, is_bot))
    return ""


def _dim(mark: str) -> list[TextSpan]:
    return [TextSpan(0, len(mark), TextStyle.DIM)] if mark else []


def _snippet(text: str, marks: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """Cut a text around its match, and sanitise it; returns the spans of the match in the result."""
    first = marks[0][0] if marks else 0
    start = max(0, first - _BEFORE_HIT) if len(text) > _SNIPPET else 0
    end = min(len(text), start + _SNIPPET)
    shown, at, spans = "…" if start else "", start, []
    for left, right in marks:
        if at <= left < right <= end:
            shown += one_line(text[at:left])
            piece = one_line(text[left:right])
            spans.append((len(shown), len(shown) + len(piece)))
            shown, at = shown + piece, right
    shown += one_line(text[at:end]) + ("…" if end < len(text) else "")
    # Parts that are safe alone may form too long a stack of marks together: then show the text without styled spans.
    whole = visible(shown)
    return (shown, spans) if whole == shown else (whole, [])


def notice_rows(sentence: str, columns: int, style: TextStyle = TextStyle.NOTICE) -> list[TextRow]:
    """Return the rows of a notice, or an error; newlines in it come from this program (the help text)."""
    lines = sentence.split("\n")
    return [row for line in lines for row in wrapped_rows(NOTICE_MARK, line, columns, _whole(line, style), style)]


def _author(message: Message, is_bot: BotLookup) -> str:
    return marked(named(one_line(message.name), bot=message.bot or is_bot(message.sender_id)))


def sender(message: Message, room: str | None = None, is_bot: BotLookup = no_bots) -> str:
    """Return the sender of a message, with its room or recipient."""
    name = _author(message, is_bot) or catalogue.names.DELETED()
    if message.to is not None:
        to = marked(named(one_line(message.to_name or ""), bot=is_bot(message.to)))
        return f"{name} @{to or catalogue.names.DELETED()}"
    return f"#{one_line(room)} {name}" if room else name


def announcement_rows(sentence: str, columns: int, spans: Sequence[TextSpan] = ()) -> list[TextRow]:
    """Return the rows of a notice that contains foreign text: a newline in it does not begin a new notice.

    Args:
        sentence: safe to show.
        columns: of the terminal.
        spans: of the foreign text.
    """
    notice = TextStyle.NOTICE
    return wrapped_rows(NOTICE_MARK, sentence, columns, [*_whole(sentence, notice), *spans], notice)


def _whole(text: str, style: TextStyle) -> list[TextSpan]:
    return [TextSpan(0, len(text), style)]


def tail_line(message: Message, *, room: str | None = None, is_bot: BotLookup = no_bots) -> str:
    """Return a message as one line. No name contains a slash or comma, so none can imitate the mark of a change.

    An edit by its author has no mark; one by another member has, because the text is not the author's.
    """
    mark = ""
    by = message.edited_by if message.deleted is None else message.deleted_by
    if message.deleted is not None or by is not None:
        mark = f"/{_change_mark(message, is_bot)}{' ' if by is None else ', '}"
    who = sender(message, room, is_bot)
    if message.deleted is not None:
        return f"{mark}{who}"
    return f"{mark}{who}: {one_line(message.text)}" if message.text else f"{mark}{who}:"


def change_line(change: MessageChange, *, room: str | None = None, is_bot: BotLookup = no_bots) -> str | None:
    """Return a change of a message as one line; None for reactions, which are too many for a line each."""
    who = marked(named(one_line(change.name), bot=is_bot(change.sender_id)))
    who = f"#{one_line(room)} {who}" if room else who
    match change:
        case Edited(text=str(text)):
            return f"/{catalogue.rooms.edited_mark(None)} {who}: {one_line(text)}"
        case Deleted():
            return f"/{catalogue.rooms.deleted_mark(None)} {who}"
        case _:
            return None


def json_line(message: Message, is_bot: BotLookup = no_bots) -> str:
    """Return a message as one line of JSON, ASCII only, so that any terminal can show it safely."""
    fields = _json_fields(message, bot=message.bot or is_bot(message.sender_id))
    fields["text"] = message.text
    for name in ("reply", "mentions", "edited", "deleted"):
        if value := getattr(message, name):
            fields[name] = value
    for name in ("edited_by", "deleted_by"):
        if (by := getattr(message, name)) is not None:
            fields[name] = {"id": by.id, "name": by.name, **_bot_field(bot=by.bot or is_bot(by.id))}
    if message.files:
        fields["files"] = [_json_file(file) for file in message.files]
    if message.reactions:
        fields["reactions"] = [{"sign": reaction.sign, "by": reaction.by} for reaction in message.reactions]
    return json.dumps(fields)


def _json_file(file: FileInfo) -> dict[str, str | int]:
    size = {"width": file.width, "height": file.height} if file.is_picture else {}
    return {"id": file.id, "name": file.name, "size": file.size, "type": file.type, **size}


_CHANGE_WORDS: dict[type[MessageChange], str] = {Edited: "edited", Deleted: "deleted", Reacted: "reacted"}
"""The words of the JSON output, which stay when a class is renamed."""


def change_json(change: MessageChange, is_bot: BotLookup = no_bots) -> str:
    """Return a change of a message as one line of JSON: the kind of change, and the ``seq`` of the message."""
    fields = _json_fields(change, bot=is_bot(change.sender_id))
    fields["change"] = _CHANGE_WORDS[type(change)]
    fields["target"] = change.target
    match change:
        case Edited(text=text, mentions=mentions):
            fields["text"] = text
            if mentions:
                fields["mentions"] = mentions
        case Reacted(sign=sign, on=on):
            fields["sign"], fields["on"] = sign, on
    return json.dumps(fields)


def purged_json(purged: Purged) -> str:
    """Return as one line of JSON that messages are gone for good: those up to a seq, of a room or by a sender."""
    return json.dumps({"change": "purged", "through": purged.through, "room": purged.room, "by": purged.sender_id})


def _json_fields(entry: Message | MessageChange, *, bot: bool) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(entry.sent_at_ms / 1000, dt.UTC)
    return {
        "seq": entry.seq,
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "room": entry.room,
        "by": entry.sender_id,
        "name": entry.name,
        **_bot_field(bot=bot),
    }


def _bot_field(*, bot: bool) -> dict[str, bool]:
    """Return the field that a program's records have and a person's do not."""
    return {"bot": True} if bot else {}


def safe_sign(sign: str) -> str:
    """Return the emoji of a reaction without space, comma, colon and slash, which would end it in a row."""
    return "".join("_" if char.isspace() or char in ",:/" else char for char in one_line(sign))


def today() -> dt.date:
    """Return the present day in this machine's time zone."""
    return local(dt.datetime.now(dt.UTC)).date()


def is_day(text: str) -> bool:
    """Tell whether a text is meant as a day for `day_at_ms`, which may not exist."""
    if _LIKE_A_DATE.fullmatch(text) is not None:
        return True
    return text.casefold() in {*catalogue.days.relative_days(), *catalogue.days.weekdays()}


def day_at_ms(date: str) -> int | None:
    """Return when a day begins in this machine's time zone; None when it is not a day.

    Args:
        date: such as 2026-11-20; today or yesterday; or a day of the week, for the last one before today. The names
            of days are those of English and of the language in use.
    """
    try:
        day = _named_day(date.casefold()) or dt.date.fromisoformat(date)
        return max(0, begin_of_day_ms(day.year, day.month, day.day))
    except ValueError:
        return None


def _named_day(word: str) -> dt.date | None:
    if (days_ago := catalogue.days.relative_days().get(word)) is not None:
        return today() - dt.timedelta(days=days_ago)
    if (weekday := catalogue.days.weekdays().get(word)) is not None:
        return today() - dt.timedelta(days=(today().weekday() - weekday - 1) % 7 + 1)
    return None


def local_days() -> Calendar:
    """Return the calendar of this machine's time zone, for searches.

    Raises:
        ValueError: the clock is outside the calendar of this platform.
    """
    this_day = today()
    yesterday = this_day - dt.timedelta(days=1)
    return Calendar(
        begin_of_day_ms(this_day.year, this_day.month, this_day.day),
        begin_of_day_ms(yesterday.year, yesterday.month, yesterday.day),
        begin_of_day_ms,
    )


def excerpt(text: str, cells: int = 60) -> str:
    """Return the beginning of a text on one line, for notices about it."""
    line = one_line(text)
    return line if len(line) <= cells else f"{line[:cells]}…"


def local_time(message: Message) -> dt.datetime:
    """Return when a message was sent, in this machine's time zone."""
    return local_time_of(message.sent_at_ms)


def local_time_of(at_ms: int) -> dt.datetime:
    """Convert a server time (milliseconds since the epoch, UTC) to this machine's time zone."""
    return local(dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC))


def local_date(at_ms: int) -> str:
    """Format date and time of day, for lists; the date is one that can be typed back."""
    moment = local_time_of(at_ms)
    return f"{moment:%Y-%m-%d} {catalogue.days.clock(moment)}"


def local_day(at_ms: int) -> str:
    """Format a day."""
    return local_time_of(at_ms).strftime("%Y-%m-%d")


def elsewhere(key: ConversationId, current: ConversationId, message: Message) -> str | None:
    """Return the room to name with a message, if it is not the active one."""
    return None if key == current or isinstance(key, PersonKey) else message.room


def wrapped_rows(
    head: str,
    body: str,
    columns: int,
    spans: Sequence[TextSpan] = (),
    head_style: TextStyle = TextStyle.DIM,
    continued: str = CONTINUED,
) -> list[TextRow]:
    """Wrap a body under its head.

    Args:
        head: before the first row.
        body: safe to show.
        columns: of the terminal.
        spans: of the body.
        head_style: of the head, and of the mark of each further row.
        continued: that mark.
    """
    rows: list[TextRow] = []
    at, in_code = 0, False
    for paragraph in body.split("\n"):
        said = paragraph if rows else paragraph.partition(": ")[2]  # after the sender
        in_code ^= said.strip().startswith(_FENCE)
        first = head if not rows else continued
        links = [(span.start - at, span.end - at) for span in spans if span.style is TextStyle.LINK]
        for start, piece in _wrapped(paragraph, first, columns, links, continued, as_typed=in_code):
            before = head if not rows else continued
            shifted = _shifted(spans, at + start, len(piece), len(before))
            rows.append(TextRow.of(before + piece, [TextSpan(0, len(before.rstrip()), head_style), *shifted]))
        at += len(paragraph) + 1
    return rows


def _shifted(spans: Sequence[TextSpan], start: int, length: int, by: int) -> list[TextSpan]:
    """Return the parts of the spans that are in a piece, relative to the start of its row."""
    clipped = ((max(span.start, start), min(span.end, start + length), span) for span in spans)
    return [
        replace(span, start=left - start + by, end=right - start + by) for left, right, span in clipped if left < right
    ]


def _wrapped(
    text: str, first_head: str, columns: int, links: Sequence[tuple[int, int]], continued: str, *, as_typed: bool
) -> list[tuple[int, str]]:
    """Cut into pieces that fit.

    Unless ``as_typed``, before a link that a row of its own takes whole, or at a space, if there is one in the last
    third of the row.
    """
    # One cell stays free: terminals disagree about the width of some characters, and about the last column.
    room = max(_NARROWEST, columns - 1 - width(first_head))
    pieces: list[tuple[int, str]] = []
    at = 0
    while at < len(text):
        cut = _fitting(text[at:], room)
        space = -1
        if not as_typed and at + cut < len(text):
            space = text.rfind(" ", at + cut * 2 // 3, at + cut + 1)
            whole = _cut_link(links, at, at + cut)
            if whole is not None and width(text[slice(*whole)]) <= max(_NARROWEST, columns - 1 - width(continued)):
                space = whole[0] - 1 if text[whole[0] - 1] == " " else -1
                cut = whole[0] - at
        if space > at:
            pieces.append((at, text[at:space]))
            at = space + 1
        else:
            pieces.append((at, text[at : at + cut]))
            at += cut
        room = max(_NARROWEST, columns - 1 - width(continued))
    return pieces or [(0, "")]


def _cut_link(links: Sequence[tuple[int, int]], at: int, end: int) -> tuple[int, int] | None:
    """Return the link that a row from ``at`` to ``end`` would cut, where it does not begin with it."""
    return next((link for link in links if at < link[0] < end < link[1]), None)


def _fitting(text: str, cells: int) -> int:
    """Return how many characters fit, at least one."""
    if len(text) * 2 <= cells:
        return len(text)
    return fitting(text, 0, len(text), cells)  # as the widest terminal draws it: its own wrap would begin a row
