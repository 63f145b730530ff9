"""Names of members inside sentences: marked so that no name can change what a sentence says.

A name may consist of several words (``user1 pc``), and so of words of a sentence. Such a name stands in double quotes,
as it does in commands (``/msg "user1 pc" hello``); a quote that belongs to the name is doubled. Names in a list need no
quotes, because no name contains a comma.
"""

from __future__ import annotations

from securechat.text.confusables import is_like_word, skeleton
from securechat.translation import LazyText, Sentence, pgettext, translated

DELETED = LazyText("/deleted account/")
"""The author of messages of a deleted account; no name contains a slash."""


def quoted(name: str) -> str:
    """Return a name as a part of a sentence."""
    if not name:
        return DELETED()
    if " " in name or '"' in name or _is_like_you(skeleton(name)):
        return '"{}"'.format(name.replace('"', '""'))
    return name


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
