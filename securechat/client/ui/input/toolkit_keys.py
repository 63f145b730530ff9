"""Names of keys, from the toolkit's words to those of the table of actions (client/ui/input/key_names.py)."""

from __future__ import annotations

_NAMES = {"pageup": "PageUp", "pagedown": "PageDown", "\r": "Enter"}
_CHARACTERS = {
    "plus": "+",
    "minus": "-",
    "underscore": "_",
    "left_square_bracket": "[",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "question_mark": "?",
    "slash": "/",
    "full_stop": ".",
    "comma": ",",
    "equals_sign": "=",
    "at": "@",
}


def named_key(key: str, character: str | None) -> str:
    """Return the name of a key as the table of actions writes it.

    Args:
        key: as the toolkit names it.
        character: what it types; None for nothing.
    """
    *modifiers, name = key.split("+") if key != "+" else ["+"]
    if not modifiers and character is not None and len(character) == 1 and character.isprintable() and character != " ":
        return character
    name = _CHARACTERS.get(name, name)
    if len(name) == 1:
        name = name.upper()
        modifiers = [each for each in modifiers if each != "shift"]
    else:
        name = _NAMES.get(name, name.capitalize())
    return "+".join((*(each.capitalize() for each in ("ctrl", "alt", "shift") if each in modifiers), name))
