"""What a search found, as a page that fits into a frame."""

from __future__ import annotations

from securechat.hub.paging import encoded_bound
from securechat.hub.ports import SearchQuery, SearchRows
from securechat.limits import PAGE_BYTES
from securechat.model import Hit, SearchPage

_MARK_BYTES = 14
"""``[1234,1234],`` and two to spare."""


def hits_of(ref: int, query: SearchQuery, rows: SearchRows) -> SearchPage:
    """Cut hits to a page, the newest first.

    Args:
        ref: the request.
        query: what was asked of the log.
        rows: what the log answered.
    """
    kept: list[Hit] = []
    size = 0
    for hit in rows.hits:
        size += encoded_bound(hit.message) + _MARK_BYTES * (len(hit.marks) + 2)
        if kept and size > PAGE_BYTES:
            break
        kept.append(hit)
    more = rows.more or len(kept) < len(rows.hits)
    indexed = rows.indexed_to if rows.indexed_to < query.up_to else None
    return SearchPage(ref=ref, hits=kept, more=more, indexed=indexed)
