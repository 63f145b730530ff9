"""Splits and folds texts into words for search; the same rules for every store and index.

- Letters, digits and their marks form words; everything else separates them. ``user_name`` is two words, so a phrase.
- Case, accents and width do not count: ``cafe`` is ``Café``, ``dang`` is ``đằng``. The points of Arabic and Hebrew do
  not count either; the vowel signs of Indic scripts do, because they work like letters.
- In scripts written without spaces (Han, kana, Hangul with its particles, Thai, Lao, Khmer, Burmese) every character is
  a word of its own, and so are symbols such as emoji: a phrase of them works as a substring search.
- No stemming, in no language: ``ajar*`` finds ``ajar`` and ``ajaran``, not ``belajar``.

`folded` writes a text so that it splits into its words at everything but ASCII letters, ASCII digits and non-ASCII
characters; an index needs no other tokenizer. Nothing here knows an index, a log or a query language.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias

VERSION = f"2/{unicodedata.unidata_version}"
"""Changes whenever a text may fold to something else: an index made by another version must be made anew."""

_Word: TypeAlias = tuple[str, int, int]  # folded, and the span it comes from

_DROPPED = re.compile(
    "[\u00ad\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\U000e0000-\U000e01ef]"
)
"""Characters that are ignored: accents, points, tatweel, joiners, direction marks, variation selectors."""
_ALONE = (
    "\u0e00-\u0eff", "\u1000-\u109f", "\u1100-\u11ff", "\u1780-\u17ff", "\u2e80-\u2fdf", "\u3005-\u3007",
    "\u3021-\u3035", "\u3040-\u30ff", "\u3105-\u318f", "\u31a0-\u31bf", "\u31f0-\u31ff", "\u3400-\u4dbf",
    "\u4e00-\u9fff", "\ua960-\ua97f", "\uaa60-\uaa7f", "\uac00-\ud7ff", "\uf900-\ufaff", "\U0001aff0-\U0001b16f",
    "\U00020000-\U0003ffff",
)  # fmt: skip
"""Scripts without spaces, and Hangul. Not a regular expression: ranges as wide as these take `re` 6 ms at every
start."""
_PLAIN = str.maketrans({
    "đ": "d", "ð": "d", "ø": "o", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th",
})  # fmt: skip
"""Letters with a stroke, and ligatures, which Unicode does not decompose and users type without."""
_JOINING = re.compile("[\u1160-\u11ff]")
"""Jamo that join the one before them into a syllable."""
_LINK = re.compile(r"\bhttps?://[^\s/]", re.IGNORECASE)
_MOST_FOLDED = 16_384
"""Code points whose folding is cached: 3 MiB; no text in one language has so many."""
MOST_MARKS = 200
"""Spans told of one message: more than a screen can show, and no more work and bytes than a page is worth."""
_MOST_PILED = 30
"""Marks in a row that are put in order together: more than any language needs (UAX #15-D3, Stream-Safe Text Format)."""
_LIKE_MARKS = "\u0f73\u0f75\u0f81"
"""The only letters by class that come apart into nothing but marks (Tibetan vowel signs)."""
_JOINER = "\u034f"
"""The combining grapheme joiner, at which putting in order ends (UAX #15-D4); no word is told apart by it."""
_WORD = re.compile(r"[^\x00-/:-@\[-`{-\x7f]+")
"""ASCII letters, ASCII digits and non-ASCII characters, as a negated class: that compiles fastest."""


class _Folding(dict[int, str]):
    """A table for str.translate that fills itself: one code point, folded, with spaces between words.

    Remote users choose the texts, and all code points would take 200 MiB: at _MOST_FOLDED it is cleared.
    """

    def __missing__(self, code: int) -> str:
        if len(self) >= _MOST_FOLDED:
            self.clear()
        folded = self[code] = _fold(chr(code))
        return folded


def _fold(char: str) -> str:
    plain = unicodedata.normalize("NFKD", char.casefold()).casefold().translate(_PLAIN)
    return "".join(_apart(part) for part in unicodedata.normalize("NFC", _DROPPED.sub("", plain)))


def _apart(char: str) -> str:
    kind = unicodedata.category(char)
    if kind[0] in "LNM":
        return f" {char} " if any(span[0] <= char <= span[-1] for span in _ALONE) else char
    return f" {char} " if kind in {"So", "Sc"} and not char.isascii() else " "


_FOLDING = _Folding()


def folded(text: str) -> str:
    """Return ``text`` in the index's form: its words, folded, with any ASCII separators between them."""
    if text.isascii():
        return text.lower()
    return _composed(text).translate(_FOLDING)


def _composed(text: str) -> str:
    """Return a text in NFC, at a cost that grows with its length alone.

    Python puts the marks behind a letter in order by insertion: 4,000 of them take 25 ms, in which no other thread
    runs. So a pile of marks is cut into stretches (UAX #15-D4).
    """
    if unicodedata.is_normalized("NFC", text):
        return text
    parts = []
    piled = 0
    for char in text:
        piled = piled + 1 if unicodedata.combining(char) or char in _LIKE_MARKS else 0
        if piled > _MOST_PILED:
            parts.append(_JOINER)
            piled = 1
        parts.append(char)
    return unicodedata.normalize("NFC", text if len(parts) == len(text) else "".join(parts))


def words_of(text: str) -> list[str]:
    """The words of a text, folded, in order."""
    return _WORD.findall(folded(text))


def has_link(text: str) -> bool:
    """Whether a text contains a web address with its scheme, which clients show as a link."""
    return "://" in text and _LINK.search(text) is not None


def phrase_of(word: str) -> tuple[list[str], bool]:
    """Return the words that must follow each other for a searched ``word``, and whether the last is a prefix.

    A ``*`` at the end marks a prefix; after a character that is a word of its own it has no effect. An empty list means
    that there is nothing to search for.
    """
    words = words_of(word)
    return words, bool(words) and word.endswith("*") and not _is_alone(words[-1])


def marks(text: str, searched: Sequence[str]) -> list[tuple[int, int]] | None:
    """Find all of ``searched`` in a text, each a phrase as `phrase_of` reads it.

    Returns:
        The spans [start, end) in code points, rising and disjoint, the first MOST_MARKS; None when a word is missing.
    """
    plain, span_in = _located(text)
    words = [(word[0], *word.span()) for word in _WORD.finditer(plain)]
    found: list[tuple[int, int]] = []
    for phrase, goes_on in map(phrase_of, searched):
        spans = _occurrences(words, phrase, goes_on=goes_on)
        if phrase and not spans:
            return None
        found += spans
    return _joined([span_in(start, end) for start, end in found])[:MOST_MARKS]


def _occurrences(words: Sequence[_Word], phrase: Sequence[str], *, goes_on: bool) -> list[tuple[int, int]]:
    if not phrase:
        return []
    *firsts, last = phrase
    if not firsts:
        return [(start, end) for word, start, end in words if (word.startswith(last) if goes_on else word == last)]
    found: list[tuple[int, int]] = []
    for at in range(len(words) - len(firsts)):
        word, _, end = words[at + len(firsts)]
        is_last = word.startswith(last) if goes_on else word == last
        if is_last and all(words[at + n][0] == first for n, first in enumerate(firsts)):
            found.append((words[at][1], end))
    return found


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _located(text: str) -> tuple[str, Callable[[int, int], tuple[int, int]]]:
    """The folded form of a text, and a function from a span in it to the span in the text.

    An ignored accent or joiner belongs to the word before it. Few words of a text are asked for, so that only their
    spans are looked up.
    """
    if text.isascii():
        return text.lower(), lambda start, end: (start, end)
    spans: list[tuple[int, int]] | None = None
    if unicodedata.is_normalized("NFC", text):
        pieces = [_FOLDING[ord(char)] for char in text]
    else:
        located = list(_pieces(text))
        pieces, spans = [piece for piece, _, _ in located], [(start, end) for _, start, end in located]
    ends = list(accumulate(map(len, pieces)))  # of each piece, in what the pieces make together

    def span_in(start: int, end: int) -> tuple[int, int]:
        first = bisect_right(ends, start)
        last = bisect_right(ends, ends[bisect_left(ends, end)]) - 1
        return (first, last + 1) if spans is None else (spans[first][0], spans[last][1])

    return "".join(pieces), span_in


def _pieces(text: str) -> Iterator[_Word]:
    """The folded form of each character of a text; characters that Unicode composes into one are folded together."""
    at = 0
    while at < len(text):
        start, at = at, at + 1
        while at < len(text) and (unicodedata.category(text[at])[0] == "M" or _JOINING.match(text[at])):
            at += 1
        cluster = text[start:at]
        if len(cluster) == 1 or unicodedata.is_normalized("NFC", cluster):
            yield from ((_FOLDING[ord(char)], start + n, start + n + 1) for n, char in enumerate(cluster))
        else:
            yield _composed(cluster).translate(_FOLDING), start, at


def _is_alone(word: str) -> bool:
    return len(word) == 1 and _FOLDING[ord(word)].startswith(" ")
