"""Says why the search index cannot be kept: the server to its log, in English, and the operator's tool to a person."""

from __future__ import annotations

from securechat.translation import Sentence

RETRY_S = 10.0
"""After a full disk, or after an index that was damaged again right after it was rebuilt."""
SEARCH_STOPPED = Sentence(
    "searching stopped after an internal error and stays off until the next start; messages are not affected"
)


def cannot_write(why: str) -> Sentence:
    """Return the sentence about an index that cannot be written now.

    Args:
        why: what SQLite or the system said.
    """
    return Sentence(
        "the search index cannot be written ({why}): searches miss newer messages or are refused. The server tries "
        "again every {retry:shortduration}; messages are not affected",
        why=why,
        retry=int(RETRY_S),
    )
