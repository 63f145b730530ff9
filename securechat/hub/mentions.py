"""Whom a text names: ``@name``, with names that may contain spaces."""

from __future__ import annotations

import re
from collections.abc import Callable

from securechat.limits import MAX_NAME_CHARS
from securechat.names import name_key

MOST_MENTIONS = 20
"""Of one message; the rest is not counted."""
_MOST_WORDS = 4
"""Of a name that is looked for: `user1 pc` has two; every further word costs a look-up."""
_AFTER_AT = re.compile(rf"(?<![\w@])@(\S[^\n@]{{0,{MAX_NAME_CHARS - 1}}})")
_END_OF_WORD = re.compile(r"(?<=\S)(?=\s|$)")
_PUNCTUATION = ".,;:!?)]}>'\"…"


def mentioned(text: str, find: Callable[[str], int | None]) -> tuple[int, ...]:
    """Return the sender_ids that a text names, each once, in the order of the text.

    Args:
        text: what somebody says.
        find: tells the sender_id that has a name key, if anybody has.
    """
    if "@" not in text:
        return ()
    found: dict[int, None] = {}
    for match in _AFTER_AT.finditer(text):
        if (sender_id := _longest(match.group(1), find)) is not None:
            found[sender_id] = None
            if len(found) >= MOST_MENTIONS:
                break
    return tuple(found)


def _longest(rest: str, find: Callable[[str], int | None]) -> int | None:
    ends = [match.end() for match in _END_OF_WORD.finditer(rest)][:_MOST_WORDS]
    for end in reversed(ends):
        whole = rest[:end]
        for candidate in dict.fromkeys((whole, whole.rstrip(_PUNCTUATION))):
            if candidate and (sender_id := find(name_key(candidate))) is not None:
                return sender_id
    return None
