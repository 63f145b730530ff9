"""Names of members inside sentences: marked so that no name can change what a sentence says.

A name may consist of several words (``user1 pc``), and so of words of a sentence. Such a name stands in double quotes,
as it does in commands (``/msg "user1 pc" hello``); a quote that belongs to the name is doubled. Names in a list need no
quotes, because no name contains a comma.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.text.confusables import is_like_word, skeleton

DELETED = "/deleted account/"
"""The author of messages of a deleted account; no name contains a slash."""


def quoted(name: str) -> str:
    """Return a name as a part of a sentence."""
    if not name:
        return DELETED
    if " " in name or '"' in name or is_like_word(skeleton(name), "you"):
        return '"{}"'.format(name.replace('"', '""'))
    return name


def listed(names: Sequence[str]) -> str:
    """Return names as the subject of a sentence: ``ana, budi and "user1 pc"``."""
    *first, last = (quoted(name) for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def capital(text: str) -> str:
    """Return a sentence that another module made, with a capital letter unless it begins with a name."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0] in _FIRST_WORDS else text


_FIRST_WORDS = frozenset(
    ("a", "an", "it", "its", "no", "nobody", "nothing", "only", "that", "the", "there", "this", "you", "your")
)
