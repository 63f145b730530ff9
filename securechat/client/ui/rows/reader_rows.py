"""Rows for screen readers and braille displays (--reader): each begins with what it is, and is read from left to right.

A message begins with its author: ``ana, 48213: hello``, in another room ``ana #ops, 48213: hello``, to one person
``ana @budi, 48213: hello``, and a reply names the number that it answers. No name contains a comma, colon, ``#`` or
``@`` (text/names.py), so none imitates another's row. Every other row begins with a sign that no name contains: a
notice with ``!``, a continued row with a comma, a file with a slash. So no text begins a row here either, and there is
no column to be seen, no box drawing, no time and no quote; /time and /around give these when they are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.ui.rows.rendering import (
    CONTINUED,
    FILE_MARK,
    NOTICE_MARK,
    BotLookup,
    head_with_spans,
    no_bots,
    own_text,
    text_with_spans,
    wrapped_rows,
)
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.model import Message, Person
from securechat.text.sanitize import one_line

SPOKEN_NOTICE, SPOKEN_CONTINUED, SPOKEN_FILE = "! ", ", ", "/ "
_SPOKEN = {NOTICE_MARK: SPOKEN_NOTICE, CONTINUED: SPOKEN_CONTINUED, FILE_MARK: SPOKEN_FILE}


def spoken(rows: Sequence[TextRow]) -> list[TextRow]:
    """Return rows of notices and files with the marks of this module."""
    return [_spoken(row) for row in rows]


def _spoken(row: TextRow) -> TextRow:
    for mark, instead in _SPOKEN.items():
        if row.startswith(mark):
            by = len(instead) - len(mark)
            spans = [_moved(span, by) for span in row.spans if span.end > len(mark)]
            return TextRow.of(instead + row[len(mark) :], spans)
    return row


def _moved(span: TextSpan, by: int) -> TextSpan:
    return replace(span, start=max(0, span.start + by), end=span.end + by)


def reader_rows(
    message: Message,
    columns: int,
    *,
    room: str | None = None,
    is_bot: BotLookup = no_bots,
    me: Person | None = None,
    when: str = "",
) -> list[TextRow]:
    """Return the rows of a message.

    Args:
        message: the message.
        columns: of the terminal.
        room: named when it is not the active one.
        is_bot: see `BotLookup`.
        me: the user, whose name stands out.
        when: date and time, where they are wanted.
    """
    who, spans, mark = head_with_spans(message, None, is_bot, me)
    if room is not None and message.to is None:
        spans.append(TextSpan(len(who) + 1, len(who) + 2 + len(one_line(room)), TextStyle.DIM))
        who = f"{who} #{one_line(room)}"
    parts = [str(message.seq), *([mark] if mark else []), *([when] if when else [])]
    if message.reply is not None and message.deleted is None:
        parts.append(catalogue.rooms.reply_to(message.reply))
    head = f"{', '.join((who, *parts))}: "
    text = "" if message.deleted is not None else own_text(message)
    said, marked = text_with_spans(text, me if me is None or message.sender_id != me.id else None)
    moved = [_moved(span, len(head)) for span in marked]
    return wrapped_rows("", (head + said).rstrip(), columns, [*spans, *moved], continued=SPOKEN_CONTINUED)
