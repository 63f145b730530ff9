"""Skeletons of names: two names with the same skeleton look alike, whatever their script.

The algorithm is the skeleton of UTS #39 (Unicode Security Mechanisms), section 4, with Unicode's own table of
confusables, and with four differences that names need:

* It is computed on `name_key`, so equal names have the same skeleton.
* ASCII stays unchanged, and purely ASCII names are their own skeletons: ``modern`` and ``modem``, ``user1`` and
  ``userl`` are different names. No two ASCII letters or digits are ever merged.
* A letter counts as what either of its cases looks like, because keys are case-folded: the Cyrillic ``в`` is a
  ``b``, since its capital is a ``B``. Where the two look like different letters, the lower case decides.
* A digit of another script that looks like ASCII's digit of the same value is that digit.

So it finds an ``аdmin`` with a Cyrillic ``а``, and does not find a capital Greek ``Ν`` in place of an ``N``. A skeleton
is only compared, never shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from securechat.text.names import MAX_KEY_CHARS, RESERVED_KEYS, name_key

_MARK = "\u200e"
"""The package wraps characters that are written from right to left in left-to-right marks."""
_DOTTED = re.compile("(?<=[ij])\u0307+")
"""A dot above a letter that has one already: the ``i`` of a folded ``İ`` looks like any other."""
_ASCII_LIKE = (("0", "o"), ("1", "l"), ("rn", "m"))
"""What looks alike within ASCII too (UTS #39, confusables.txt); merged only beside words that no member may imitate."""


def skeleton(name: str) -> str:
    """Return the skeleton of a name, which is equal for names that look alike.

    Args:
        name: a valid name, or its key.

    Returns:
        For an ASCII name, and for a text too long to be a name, its key. The first other name in a process loads the
        table; see `preload`.
    """
    key = name_key(name)
    return key if len(key) > MAX_KEY_CHARS or key.isascii() else _skeleton(key)


def room_skeleton(room: str) -> str:
    """Return the skeleton of a room's name, in which an underscore is no space, unlike in names of members.

    Args:
        room: as `names.check_room` returns it.
    """
    return room if room.isascii() else _skeleton(room)


def is_like_reserved(name: str) -> bool:
    """Tell whether a member's name is or looks like one that is reserved for the server."""
    return _merged(skeleton(name)) in RESERVED_KEYS


def is_like_word(looks: str, word: str) -> bool:
    """Tell whether a skeleton looks like a word of the product, ``0`` for ``o`` and ``rn`` for ``m`` included."""
    return _merged(looks) == word


def _merged(looks: str) -> str:
    for one, other in _ASCII_LIKE:
        looks = looks.replace(one, other)
    return looks


@lru_cache(maxsize=4096)
def _skeleton(key: str) -> str:
    return _drawn(_folded(key), _table())


def preload() -> None:
    """Load the table, about 50 ms once in a process, at a time when the delay does not matter."""
    _table()


_LOOKS_OF_DIGITS = {0: ("o", "0"), 1: ("l", "1")}
"""These digits look like letters in Unicode's table; here they stay digits."""
_MOST_ROUNDS = 8
"""Rounds of replacing a character by its lookalike's lookalike; two are the most that occur."""


def _drawn(text: str, table: Mapping[int, str]) -> str:
    return _DOTTED.sub("", _folded(text.translate(table)))


def _folded(text: str) -> str:
    """Decompose and case-fold. Either step can enable the other again: a few rounds at most."""
    while (folded := unicodedata.normalize("NFKD", text.casefold())) != text:
        text = folded
    return text


@cache
def _table() -> dict[int, str]:
    """Map each character to its lookalike, for ``str.translate``; closed, so that a second pass changes nothing."""
    # Imported here: it reads nearly a megabyte of JSON, which a process that meets only ASCII names never needs.
    from confusable_homoglyphs.utils import load  # noqa: PLC0415

    looks = _prototypes(load("confusables.json"))  # its module `confusables` would keep all of it in memory
    faces: dict[str, list[str]] = {}  # of each letter a key can have: how it can be shown, the letter itself first
    for face in looks:
        for letter in {face, face.lower()}:
            if len(letter) == 1 and not letter.isascii() and _folded(letter) == letter:
                faces.setdefault(letter, []).insert(0 if face == letter else 1, face)
    drawn = {ord(letter): _looks_like(letter, [looks[face] for face in faces[letter]]) for letter in faces}
    # A separator has no lookalike letter: otherwise a name of such letters alone would have an empty skeleton.
    table = {char: look for char, look in drawn.items() if not re.search(r"[\s_]", look)}
    return {char: _closed(look, table) for char, look in table.items()}


def _prototypes(data: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, str]:
    """Map each single character beyond ASCII to its lookalike.

    The data lists, for every character or sequence, all its lookalikes, in both directions: star-shaped groups with
    Unicode's prototype in the middle.
    """
    groups = {_bare(one): [_bare(other["c"]) for other in others] for one, others in data.items()}
    # In Unicode's table an m looks like two letters, rn; here it stays itself, and rn with a stroke is an m with a
    # stroke.
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
    # A star of two does not show which was the prototype: prefer ASCII, then the sequence, then the first.
    return min(one, other, key=lambda text: (not text.isascii(), len(text) == 1, text))


def _looks_like(letter: str, looks: Sequence[str]) -> str:
    """Choose one of a letter's lookalikes: ASCII before all, then the lower case's."""
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
