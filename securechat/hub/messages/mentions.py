"""Finds the mentions in a text: ``@name``, with names that may contain spaces.

A sender chooses the text and may choose it to cost the server time. So the search is bounded by its attempts, not by
its finds: it folds each word once (`names.word_key`), looks up at most _MOST_TRIES candidates at _MOST_POSITIONS
positions, and folds at most _MOST_FOLDED_CHARS. Ordinary texts stay far below these bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

from securechat.limits import MAX_NAME_CHARS, MAX_TEXT_CHARS
from securechat.text.names import MAX_KEY_CHARS, word_key

MOST_MENTIONS = 20
"""Mentions of one message; those behind them in the text are not counted."""
_MOST_WORDS = 4
"""Words of a name that is looked up: `user1 pc` has two. Every further word costs a look-up."""
_MOST_TRIES = 1_000
"""Candidates looked up for one text, at most 2.5 us each: enough for 200 times ``@`` with four words and a comma."""
_MOST_POSITIONS = 400
"""Positions in one text at which a name may begin: twice as many as a list of 200 names needs."""
_MOST_FOLDED_CHARS = 2 * MAX_TEXT_CHARS
"""Code points of words beyond ASCII, after folding, in one text. In no language do words grow to twice their length;
a few code points grow 18-fold (U+FDFA)."""
_AFTER_AT = re.compile(rf"(?<![\w@])@(\S[^\n@]{{0,{MAX_NAME_CHARS - 1}}})")
_WORD = re.compile(r"\S+")
_PUNCTUATION = ".,;:!?)]}>'\"…"


def mentioned(text: str, find: Callable[[str], int | None]) -> tuple[int, ...]:
    """Return the sender_ids that a text names, each once, in the order of the text.

    Args:
        text: the text of a message.
        find: returns the sender_id that has a name key, or None.
    """
    if "@" not in text:
        return ()
    found: dict[int, None] = {}
    search = _Search(find)
    for match in islice(_AFTER_AT.finditer(text), _MOST_POSITIONS):
        if (sender_id := search.longest(match.group(1))) is not None:
            found[sender_id] = None
            if len(found) >= MOST_MENTIONS:
                break
        if search.is_over:
            break
    return tuple(found)


class _Search:
    """The search of one text, with its work counted."""

    __slots__ = ("_find", "_folded", "_folded_chars", "_tries")

    def __init__(self, find: Callable[[str], int | None]) -> None:
        self._find = find
        self._folded: dict[str, str | None] = {}
        self._folded_chars = 0
        self._tries = 0

    @property
    def is_over(self) -> bool:
        """Whether the search has reached a bound."""
        return self._tries >= _MOST_TRIES or self._folded_chars >= _MOST_FOLDED_CHARS

    def longest(self, rest: str) -> int | None:
        """Return the sender with the longest name at the start of ``rest``, with or without punctuation at its end."""
        candidates: list[str] = []  # keys, the shortest name first; each without its punctuation before with it
        before = ""
        for word in _WORD.findall(rest)[:_MOST_WORDS]:
            bare = word.rstrip(_PUNCTUATION)
            if bare != word:
                self._add(candidates, before, bare)
            key = self._add(candidates, before, word)
            if key is None:
                break  # no name contains this word
            before = key
        for key in reversed(candidates):
            self._tries += 1
            if (sender_id := self._find(key)) is not None:
                return sender_id
        return None

    def _add(self, candidates: list[str], before: str, word: str) -> str | None:
        """Note the name that ends with a word as a candidate; returns its key, or None where no name has the word."""
        folded = self._key(word)
        if folded is None:
            return None
        key = f"{before} {folded}" if before and folded else before or folded
        if key and word:
            candidates.append(key)
        return key

    def _key(self, word: str) -> str | None:
        if word.isascii():
            return word_key(word)
        if word in self._folded:
            return self._folded[word]
        key = self._folded[word] = word_key(word)
        self._folded_chars += MAX_KEY_CHARS if key is None else len(key)
        return key
