"""Names of keys, as the table of actions and the settings write them: `Ctrl+G`, `Alt+Left`, `PageUp`, `?`.

A name is modifiers in the order Ctrl, Alt, Shift, and a key: one printable character of ASCII, or a named key. With
Ctrl or Alt a letter is a capital, whether or not Shift is held: a terminal without kitty's protocol cannot tell. Alone
it is the character that is typed, so that `?` and `+` need no keyboard layout. The keys that others keep stand here:
those of the terminal's line discipline and of readline, which a composer has as everywhere, and those of browsers.
"""

from __future__ import annotations

NAMED_KEYS = (
    *("Enter", "Tab", "Escape", "Space", "Backspace", "Delete", "Insert"),
    *("Home", "End", "PageUp", "PageDown", "Up", "Down", "Left", "Right"),
    *(f"F{number}" for number in range(1, 13)),
)
_MODIFIERS = ("Ctrl", "Alt", "Shift")
_OTHER_NAMES = {
    "control": "Ctrl",
    "meta": "Alt",
    "option": "Alt",
    "return": "Enter",
    "esc": "Escape",
    "del": "Delete",
    "ins": "Insert",
    "pgup": "PageUp",
    "pgdn": "PageDown",
    "plus": "+",
    "question": "?",
}
_CANONICAL = {name.lower(): name for name in (*NAMED_KEYS, *_MODIFIERS)} | _OTHER_NAMES

KEPT_AT_TERMINALS = frozenset(
    {
        *(f"Ctrl+{letter}" for letter in "SQZ"),  # flow control and suspending (termios: IXON, VSUSP)
        *(f"Ctrl+{letter}" for letter in "IMH["),  # the same bytes as Tab, Enter, Backspace and Escape
        "Ctrl+B",  # the prefix key of tmux, and a character back
        *(f"Ctrl+{letter}" for letter in "AEFKNPRTUVWXY_"),  # readline, "Bindable Readline Commands"
        *(f"Alt+{key}" for key in (*"BCDFTUY", "Backspace")),  # readline, by words
        "Alt+[",
        "Alt+O",  # the beginnings of escape sequences (ECMA-48 CSI, SS3)
    }
)
"""No action has one, but `Ctrl+K` where it would delete nothing."""
KEPT_BY_BROWSERS = frozenset({*(f"Ctrl+{letter}" for letter in "FPWTN"), "Alt+D"})
"""Find, print, close, new tab, new window, address: no page takes them."""


class KeyNameError(ValueError):
    """A text is not the name of a key that a terminal can report."""


def key_name(text: str) -> str:
    """Return a key's name as this module writes it.

    Args:
        text: in any case; also `PgUp`, `Esc`, `Option+A`, `Plus`.

    Raises:
        KeyNameError: there is no such key, or terminals cannot report it.
    """
    *modifiers, key = _parts(text)
    names = [_CANONICAL.get(each.lower(), "") for each in modifiers]
    if len(set(names)) < len(names) or not set(names) <= set(_MODIFIERS):
        raise KeyNameError(text)
    if len(key) != 1:
        key = _CANONICAL.get(key.lower(), "")
    if not key or key in _MODIFIERS or not (key.isascii() and key.isprintable()) or key == " ":
        raise KeyNameError(text)
    if len(key) == 1:
        if "Shift" in names or ("Ctrl" in names and not (key.isalpha() or key in "[_")):
            raise KeyNameError(text)  # a shifted character has a name of its own; Ctrl has no code for others
        key = key.upper() if names else key
    return "+".join((*(each for each in _MODIFIERS if each in names), key))


def is_typed(key: str) -> bool:
    """Tell whether a key types a character, so that it is an action only where nothing is written."""
    return len(key) == 1 or key == "Space"


def needs_alt(key: str) -> bool:
    """Tell whether a key is held with Alt, which some keyboards and terminals lack."""
    return "Alt" in _parts(key)[:-1]


def page_key(key: str) -> str:
    """Return how the page's table writes a key: of KeyboardEvent.key, with `Mod` for Ctrl, or Cmd on a Mac.

    Args:
        key: as `key_name` returns it; here Shift may stand before a letter, since browsers tell them apart.
    """
    *modifiers, name = _parts(key)
    arrows = {"Up": "ArrowUp", "Down": "ArrowDown", "Left": "ArrowLeft", "Right": "ArrowRight"}
    name = arrows.get(name, name.lower() if modifiers and len(name) == 1 else name)
    return "+".join("Mod" if each == "Ctrl" else each for each in modifiers) + ("+" if modifiers else "") + name


def _parts(text: str) -> list[str]:
    """Split a name at its plus signs; the last character may be one itself."""
    head, tail = text[:-1], text[-1:]
    if tail == "+":
        return [*(part for part in head.removesuffix("+").split("+") if part), "+"] if head else ["+"]
    return text.split("+")
