"""Names of members inside sentences: marked so that no name can change what a sentence says.

A name may consist of several words (``user1 pc``), and so of words of a sentence. Such a name stands in double quotes,
as it does in commands (``/msg "user1 pc" hello``); a quote that belongs to the name is doubled. Names in a list need no
quotes, because no name contains a comma.

Behind the name of a bot stands ``[bot]``. Names may contain brackets, so a person's name that looks as if it had this
mark stands in quotes everywhere, and the mark of a bot is always outside of them.
"""

from __future__ import annotations

import re

from securechat.text.confusables import is_like_word, skeleton
from securechat.translation import LazyText, Sentence, pgettext, translated

DELETED = LazyText("/deleted account/")
"""The author of messages of a deleted account; no name contains a slash."""

BOT_MARK = "[bot]"
_LIKE_MARK = re.compile(r"[^\w\s]\s*b[o0]t\s*[^\w\s]")
"""In a skeleton: the word between brackets of any kind, or what may pass for them."""


class BotName(str):
    """The name of a bot or webhook, safe to show. Only `quoted` and `marked` show it, with the mark behind it."""

    __slots__ = ()


def named(name: str, *, bot: bool) -> str:
    """Return a name that is safe to show, for `quoted` and `marked`."""
    return BotName(name) if bot and name else name


def quoted(name: str) -> str:
    """Return a name as a part of a sentence."""
    if not name:
        return DELETED()
    looks = skeleton(name)
    if " " in name or '"' in name or _is_like_you(looks) or _LIKE_MARK.search(looks):
        return _with_mark(name, _in_quotes(name))
    return _with_mark(name, name)


def marked(name: str) -> str:
    """Return a name that stands before a colon or in a list: without quotes, unless it looks as if it had the mark."""
    return _with_mark(name, _in_quotes(name) if _LIKE_MARK.search(skeleton(name)) else name)


def _in_quotes(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _with_mark(name: str, shown: str) -> str:
    return f"{shown} {BOT_MARK}" if isinstance(name, BotName) else shown


def _is_like_you(looks: str) -> bool:
    # Translators: the user as the subject of your sentences, lower case: "kamu". A member with that name gets quotes.
    return is_like_word(looks, "you") or is_like_word(looks, pgettext("the user in a sentence", "you"))


def in_turn(*sentences: str) -> str:
    """Return whole sentences, one after the other, without a full stop at the end."""
    return ". ".join(sentences)


def capital(text: str) -> str:
    """Return a sentence that another module made, for a person: with a capital letter, unless it begins with a name.

    Args:
        text: a `Sentence`, whose template says whether it begins with a name or a path; or one that a server made.
    """
    shown = translated(text)
    if text.begins_with_argument if isinstance(text, Sentence) else shown.split(" ", 1)[0] not in _FIRST_WORDS:
        return shown
    return shown[:1].upper() + shown[1:]


_FIRST_WORDS = frozenset(
    ("a", "an", "it", "its", "no", "nobody", "nothing", "only", "that", "the", "there", "this", "you", "your")
)
"""The English words in small letters that a server's sentence may begin with."""
