"""Pages that fit into a frame: how many rows of an answer go out at once.

The hub knows no bytes, so it counts with an upper bound of what JSON needs; a property test holds the bound against
the native codec.
"""

from __future__ import annotations

import re

from securechat.hub.ports import HistoryQuery, HistoryRows
from securechat.limits import PAGE_BYTES
from securechat.model import HistoryPage, Message

_ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f]')
_ROW_BYTES = 220
"""Field names, numbers of up to 16 digits and punctuation of one message, all present: 188 bytes, rounded up."""


def encoded_bound(message: Message) -> int:
    """Return at least as many bytes as the message takes in JSON (RFC 8259: an escape takes at most six)."""
    size = _ROW_BYTES
    for text in (message.text, message.name, message.room, message.to_name):
        if text:
            size += len(text.encode()) + 5 * len(_ESCAPED.findall(text))
    return size


def page_of(ref: int, query: HistoryQuery, rows: HistoryRows) -> HistoryPage:
    """Cut rows to a page: the oldest first where the query goes forward, the newest where it goes back.

    Args:
        ref: the request.
        query: what was asked of the log.
        rows: what the log answered.
    """
    forward = query.after is not None
    kept: list[Message] = []
    size = 0
    for message in rows.messages if forward else reversed(rows.messages):
        size += encoded_bound(message)
        if kept and size > PAGE_BYTES:
            break
        kept.append(message)
    if not forward:
        kept.reverse()
    more = rows.more or len(kept) < len(rows.messages)
    end = query.up_to if query.before is None else min(query.up_to, query.before - 1)
    through = kept[-1].seq if forward and more and kept else max(end, 0)
    return HistoryPage(ref=ref, messages=kept, through=through, more=more)
