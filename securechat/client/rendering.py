"""Messages and notices as rows of a terminal that nobody else's text can imitate (promise 6).

- A message begins with its time in the first column, a notice with ``-- ``; every further row of either, be it a
  newline in the text or a wrap at the edge of the screen, is indented under a mark that `text.visible` lets no text
  produce. So nothing a text contains ever stands in the first column.
- A name contains none of ``: # @ , ! /``. Hence ``#ops bob:`` and ``bob @ann:`` (to ann alone) cannot be names, and the
  first colon after the time ends the sender.
- We wrap ourselves, because a terminal's own wrap would put a row of the sender's choice into the first column.
"""

from __future__ import annotations

import datetime as dt
import json

from securechat.client import sentences
from securechat.client.state import Key, PersonKey
from securechat.model import Message
from securechat.text import CONTINUATION_MARK, one_line, visible, width

NOTICE_MARK = "-- "
_CONTINUED = f"      {CONTINUATION_MARK} "
_NARROWEST = 12
"""Cells left for text at least: below that a terminal is not one, and a row per character helps nobody."""


def message_rows(message: Message, columns: int, *, room: str | None = None) -> list[str]:
    """Return the rows of a message; ``room`` is named when it is not the one being looked at."""
    clock = local_time(message).strftime("%H:%M ")
    return _rows(clock, f"{sender(message, room)}: {visible(message.text)}", columns)


def notice_rows(sentence: str, columns: int) -> list[str]:
    """Return the rows of a notice; newlines in it are ours (the help text)."""
    return [row for line in sentence.split("\n") for row in _rows(NOTICE_MARK, line, columns)]


def sender(message: Message, room: str | None = None) -> str:
    """Return who speaks, where, and to whom."""
    name = one_line(message.name) or sentences.DELETED
    if message.to is not None:
        return f"{name} @{one_line(message.to_name or '') or sentences.DELETED}"
    return f"#{one_line(room)} {name}" if room else name


def announcement_rows(sentence: str, columns: int) -> list[str]:
    """Return the rows of an announcement: a newline in it begins no notice of its own."""
    return _rows(NOTICE_MARK, sentence, columns)


def tail_line(message: Message, *, room: str | None = None) -> str:
    """Return a message as one line."""
    return f"{sender(message, room)}: {one_line(message.text)}"


def json_line(message: Message) -> str:
    """Return a message as one line of JSON, ASCII only, so that it is harmless wherever it is shown."""
    at = dt.datetime.fromtimestamp(message.sent_at_ms / 1000, dt.UTC)
    fields = {
        "seq": message.seq,
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "room": message.room,
        "by": message.sender_id,
        "name": message.name,
        "text": message.text,
    }
    return json.dumps(fields)


def excerpt(text: str, cells: int = 60) -> str:
    """Return the beginning of a text on one line, for notices about it."""
    line = one_line(text)
    return line if len(line) <= cells else f"{line[:cells]}…"


def local_time(message: Message) -> dt.datetime:
    """Return when a message was sent, by this machine's time zone."""
    return local_time_of(message.sent_at_ms)


def local_time_of(at_ms: int) -> dt.datetime:
    """Return a time of the server's (milliseconds since the epoch, UTC) by this machine's time zone."""
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).astimezone()


def local_date(at_ms: int) -> str:
    """Return date and time of day, as lists show them."""
    return local_time_of(at_ms).strftime("%Y-%m-%d %H:%M")


def elsewhere(key: Key, current: Key, message: Message) -> str | None:
    """Return the room to name with a message, if it is not the one being looked at."""
    return None if key == current or isinstance(key, PersonKey) else message.room


def _rows(head: str, body: str, columns: int) -> list[str]:
    rows: list[str] = []
    for paragraph in body.split("\n"):
        for piece in _wrapped(paragraph, head if not rows else _CONTINUED, columns):
            rows.append((head if not rows else _CONTINUED) + piece)
    return rows


def _wrapped(text: str, first_head: str, columns: int) -> list[str]:
    """Cut into pieces that fit; at a space where there is one in the last third of the row."""
    # One cell stays free: terminals disagree about the width of some characters, and about the last column.
    room = max(_NARROWEST, columns - 1 - width(first_head))
    pieces: list[str] = []
    while text:
        cut = _fitting(text, room)
        if cut < len(text) and (space := text.rfind(" ", cut * 2 // 3, cut + 1)) > 0:
            pieces.append(text[:space])
            text = text[space + 1 :]
        else:
            pieces.append(text[:cut])
            text = text[cut:]
        room = max(_NARROWEST, columns - 1 - width(_CONTINUED))
    return pieces or [""]


def _fitting(text: str, cells: int) -> int:
    """How many characters fit, at least one."""
    if len(text) * 2 <= cells:
        return len(text)
    used = 0
    for index, char in enumerate(text):
        used += width(char)
        if used > cells:
            return max(1, index)
    return len(text)
