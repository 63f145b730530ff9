"""Pages that fit into a frame: how many rows of an answer go out at once.

The hub knows no bytes, so it counts with an upper bound of what JSON needs; a property test holds the bound against
the native codec.

A page that goes forward is a span of the log: messages and what changed older ones, in one order of seq. Wherever it
is cut, everything up to there is in it and nothing from beyond, so ``through`` is the seq of its last entry, of either
kind. A page that goes back holds messages alone: whoever reads those for the first time needs no changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain

from securechat.hub.ports import HistoryQuery, HistoryRows
from securechat.limits import PAGE_BYTES
from securechat.model import Edited, HistoryPage, LogEntry, Message, Reacted

_ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f]')
_ROW_BYTES = 300
"""Field names, numbers of up to 16 digits and punctuation of one message, all present: 274 bytes, rounded up."""
_ID_BYTES = 17
"""A sender_id in a list, with its comma."""
_REACTION_BYTES = 24
"""A sign's field names, brackets and quotes."""


def encoded_bound(entry: LogEntry) -> int:
    """Return at least as many bytes as the entry takes in JSON (RFC 8259: an escape takes at most six)."""
    size = _ROW_BYTES + _text_bytes(entry.name) + _text_bytes(entry.room)
    if isinstance(entry, Message):
        size += _text_bytes(entry.text) + _text_bytes(entry.to_name) + _ID_BYTES * len(entry.mentions)
        for reaction in entry.reactions:
            size += _REACTION_BYTES + _text_bytes(reaction.sign) + _ID_BYTES * len(reaction.by)
    elif isinstance(entry, Edited):
        size += _text_bytes(entry.text) + _ID_BYTES * len(entry.mentions)
    elif isinstance(entry, Reacted):
        size += _text_bytes(entry.sign)
    return size


def _text_bytes(text: str | None) -> int:
    return len(text.encode()) + 5 * len(_ESCAPED.findall(text)) if text else 0


def page_of(ref: int, query: HistoryQuery, rows: HistoryRows) -> HistoryPage:
    """Cut rows to a page: the oldest first where the query goes forward, the newest where it goes back.

    Around a seq, what comes before it gets half of the bytes, and what is left goes to the seq and what follows;
    ``more`` and ``through`` are about what follows.

    Args:
        ref: the request.
        query: what was asked of the log.
        rows: what the log answered.
    """
    end = query.up_to if query.before is None else min(query.up_to, query.before - 1)
    if query.after is None and query.since_ms is None and query.around is None:
        kept = _fitting(reversed(rows.messages), PAGE_BYTES, at_least=1)[::-1]
        more = rows.more or len(kept) < len(rows.messages)
        return HistoryPage(ref, [entry for entry in kept if isinstance(entry, Message)], max(end, 0), more)
    around = query.around or 0
    before = _fitting((m for m in reversed(rows.messages) if m.seq < around), PAGE_BYTES // 2, at_least=0)
    room_bytes = PAGE_BYTES - sum(map(encoded_bound, before))
    onwards = [entry for entry in chain(rows.messages, rows.changes) if entry.seq >= around]
    kept = _fitting(sorted(onwards, key=lambda entry: entry.seq), room_bytes, at_least=1)
    more = rows.more or len(kept) < len(onwards)
    entries = before[::-1] + kept
    return HistoryPage(
        ref=ref,
        messages=[entry for entry in entries if isinstance(entry, Message)],
        through=kept[-1].seq if more and kept else max(end, 0),
        more=more,
        changes=[entry for entry in entries if not isinstance(entry, Message)],
    )


def _fitting(entries: Iterable[LogEntry], room_bytes: int, *, at_least: int) -> list[LogEntry]:
    """The first entries that fit, and ``at_least`` so many whether they do or not."""
    kept: list[LogEntry] = []
    size = 0
    for entry in entries:
        size += encoded_bound(entry)
        if len(kept) >= at_least and size > room_bytes:
            break
        kept.append(entry)
    return kept
