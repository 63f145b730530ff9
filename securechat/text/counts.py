"""Numbers with their nouns: ``1 guest``, ``2 guests``, ``1 person``, ``3 people``.

In English, for the operator's log and the audit; what a person reads takes `securechat.translation.ngettext`.
"""

from __future__ import annotations

_IRREGULAR = {"person": "people"}
_HISSING = ("s", "x", "ch", "sh")
_VOWELS = "aeiou"


def counted(number: float, noun: str) -> str:
    """Return a count with its noun.

    Args:
        number: how many.
        noun: for one of them; words may stand before it: ``open invite``.
    """
    shown = number if isinstance(number, int) else f"{number:g}"
    return f"{shown} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the noun for several; the last word of it changes."""
    *before, last = noun.split(" ")
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith("y") and last[-2] not in _VOWELS:
        last = f"{last[:-1]}ies"
    else:
        last += "es" if last.endswith(_HISSING) else "s"
    return " ".join([*before, last])
