"""What a name looks like: two names with the same skeleton cannot be told apart at a glance, whatever their script.

After the skeleton of UTS #39 (Unicode Security Mechanisms) section 4, with Unicode's own table of confusables, and with
four differences that names need:

* It is computed on `name_key`, so names that are the same have the same skeleton.
* ASCII stays what it is, and purely ASCII names are their own skeletons: ``modern`` and ``modem``, ``user1`` and
  ``userl`` are different people. No two letters or digits of ASCII are ever one.
* A letter counts for what either of its cases looks like, because a key has no case any more: the Cyrillic ``в`` is a
  ``b``, since its capital is a ``B``. Where the two look like different letters, the small one decides.
* A digit of another script that looks like ASCII's digit of the same value is that digit.

So it finds an ``аdmin`` with a Cyrillic ``а``, and does not find a capital Greek ``Ν`` that stands for an ``N``. A
skeleton is only ever compared, never shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from securechat.text.names import MAX_KEY_CHARS, name_key

_MARK = "\u200e"
"""The package wraps characters that are written from right to left in left-to-right marks."""
_DOTTED = re.compile("(?<=[ij])\u0307+")
"""A dot above what has one already: the ``i`` of a folded ``İ`` looks like any other."""


def skeleton(name: str) -> str:
    """Return what decides whether two names look alike.

    Args:
        name: a valid name, or its key.

    Returns:
        For an ASCII name its key, and for what is too long to be a name. The first other name in a process loads the
        table; see `preload`.
    """
    key = name_key(name)
    return key if len(key) > MAX_KEY_CHARS or key.isascii() else _skeleton(key)


@lru_cache(maxsize=4096)
def _skeleton(key: str) -> str:
    return _drawn(_folded(key), _table())


def preload() -> None:
    """Load the table now, where the time does not matter: about 50 ms, once in a process."""
    _table()


_LOOKS_OF_DIGITS = {0: ("o", "0"), 1: ("l", "1")}
"""What Unicode's table takes these digits for, and what we do."""
_MOST_ROUNDS = 8
"""Of following looks of looks; two are the most that happens."""


def _drawn(text: str, table: Mapping[int, str]) -> str:
    return _DOTTED.sub("", _folded(text.translate(table)))


def _folded(text: str) -> str:
    """Decomposed and without case. Either step can give the other something to do: a few rounds at most."""
    while (folded := unicodedata.normalize("NFKD", text.casefold())) != text:
        text = folded
    return text


@cache
def _table() -> dict[int, str]:
    """What each character is drawn as, for ``str.translate``; closed, so that drawing twice changes nothing."""
    # Not at the top: it reads nearly a megabyte of JSON, which a process that meets only ASCII names never needs.
    from confusable_homoglyphs.utils import load  # noqa: PLC0415

    looks = _prototypes(load("confusables.json"))  # its module `confusables` would keep all of it in memory
    faces: dict[str, list[str]] = {}  # of each letter a key can have: how it can be shown, the letter itself first
    for face in looks:
        for letter in {face, face.lower()}:
            if len(letter) == 1 and not letter.isascii() and _folded(letter) == letter:
                faces.setdefault(letter, []).insert(0 if face == letter else 1, face)
    drawn = {ord(letter): _looks_like(letter, [looks[face] for face in faces[letter]]) for letter in faces}
    # A separator is no letter, whatever looks like it: a name of such letters alone would have no skeleton left.
    table = {char: look for char, look in drawn.items() if not re.search(r"[\s_]", look)}
    return {char: _closed(look, table) for char, look in table.items()}


def _prototypes(data: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, str]:
    """What each single character beyond ASCII looks like.

    The data names, for every character or sequence, all it can be confused with, in both directions: groups in the form
    of a star, with Unicode's prototype in the middle.
    """
    groups = {_bare(one): [_bare(other["c"]) for other in others] for one, others in data.items()}
    # To Unicode an m is two letters, rn; to us it is itself, and rn with a stroke is an m with a stroke.
    return {one: _middle(one, groups).replace("rn", "m") for one in groups if len(one) == 1 and not one.isascii()}


def _bare(text: str) -> str:
    return text.replace(_MARK, "")


def _middle(one: str, groups: Mapping[str, Sequence[str]]) -> str:
    others = groups[one]
    if len(others) > 1:
        return one
    other = others[0]
    if len(groups[other]) > 1:
        return other
    # A star of two, and the data does not say which was the prototype: ASCII, else the sequence, else the first.
    return min(one, other, key=lambda text: (not text.isascii(), len(text) == 1, text))


def _looks_like(letter: str, looks: Sequence[str]) -> str:
    """What a letter of a key counts for: what its faces look like, the small one first, and ASCII before all."""
    taken_for, digit = _LOOKS_OF_DIGITS.get(unicodedata.decimal(letter, -1), ("", ""))
    if taken_for in (look.casefold() for look in looks):
        return digit
    # Before folding: the small beta looks like the German sharp s, which folds to two letters of ASCII.
    return _folded(next((look for look in looks if look.isascii()), looks[0]))


def _closed(look: str, table: Mapping[int, str]) -> str:
    for _ in range(_MOST_ROUNDS):
        again = _drawn(look, table)
        if again == look:
            break
        look = again
    return look
