"""The table of actions: what a person can do with a key or a command, in the terminal client and in the page.

The help, the palette, the footer, docs/keys.md (`tools/keys_table.py`) and the page's keys (`tools/web_keys.py`) are
made from it. An action has a command where all its keys need Alt, which some keyboards lack.

`UiAction.place` is where its keys hold; `UiAction.also` has keys that hold in another place, such as `?`, which is
typed into a text and is help where there is none. An id of the settings' `[keys]` is an action's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct

from securechat.client.catalogue.ui_actions import ACTION_WORDS, PLACE_WORDS
from securechat.client.ui.input.key_names import (
    KEPT_AT_TERMINALS,
    KeyNameError,
    is_typed,
    key_name,
)
from securechat.translation import LazyText


class KeyboardFocus(Enum):
    """Where the keyboard is."""

    ANYWHERE = "anywhere"
    COMPOSER = "composer"
    COMPOSER_EMPTY = "composer_empty"
    COMPOSER_END = "composer_end"
    """Nothing stands behind the cursor; in an empty composer too."""
    COMPOSER_TOP = "composer_top"
    """The cursor is in the first line of a text that is not empty."""
    MESSAGE = "message"
    """A message is selected."""
    LIST = "list"
    """Rooms, dialogues or members."""
    OVERLAY = "overlay"

    @property
    def words(self) -> LazyText:
        """How a person reads it."""
        return PLACE_WORDS[self.value]


COMPOSER_PLACES = (KeyboardFocus.COMPOSER_EMPTY, KeyboardFocus.COMPOSER_END, KeyboardFocus.COMPOSER_TOP)
"""Parts of COMPOSER: its keys hold in them too."""
_WITHOUT_TYPING = frozenset({KeyboardFocus.COMPOSER_EMPTY, KeyboardFocus.MESSAGE, KeyboardFocus.LIST})


class UiAction(Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes:
        id: its name in code and settings.
        command: as it is typed; empty for none. A blank at its end: an argument follows.
        keys: at a terminal, as `key_names` writes them, the usual one first.
        page_keys: in the page, likewise.
        place: where the keys hold.
        also: keys at a terminal that hold elsewhere.
    """

    id: str
    command: str = ""
    keys: tuple[str, ...] = ()
    page_keys: tuple[str, ...] = ()
    place: KeyboardFocus = KeyboardFocus.ANYWHERE
    also: tuple[tuple[KeyboardFocus, str], ...] = ()

    @property
    def words(self) -> LazyText:
        """What it does, for a menu; a call gives it in the language in use."""
        return ACTION_WORDS[self.id]


def _moving(key: str, letter: str = "") -> tuple[tuple[KeyboardFocus, str], ...]:
    """The keys of a movement in lists and overlays, where it is the same as among messages."""
    letters = ((KeyboardFocus.LIST, letter),) if letter else ()
    return ((KeyboardFocus.LIST, key), *letters, (KeyboardFocus.OVERLAY, key))


_ANY, _MESSAGE, _COMPOSER = KeyboardFocus.ANYWHERE, KeyboardFocus.MESSAGE, KeyboardFocus.COMPOSER
_EMPTY, _LIST = KeyboardFocus.COMPOSER_EMPTY, KeyboardFocus.LIST

ACTIONS: tuple[UiAction, ...] = (
    UiAction(
        id="switch",
        command="/switch",
        keys=("Ctrl+G", "Alt+K"),
        page_keys=("Ctrl+K",),
        also=((KeyboardFocus.COMPOSER_END, "Ctrl+K"),),
    ),
    UiAction(id="next_unread", command="/next", keys=("Alt+A",), page_keys=("Alt+A", "Alt+Shift+Down")),
    UiAction(id="back", command="/back", keys=("Alt+Left",), page_keys=("Alt+Left",)),
    UiAction(id="mentions", command="/mentions", keys=("Alt+M",), page_keys=("Alt+M",)),
    UiAction(id="search", command="/search ", keys=("Alt+S",), page_keys=("Ctrl+Shift+F",)),
    UiAction(id="date", command="/history ", keys=("Alt+G",), page_keys=("Alt+G",)),
    UiAction(id="first_unread", command="/jump"),
    UiAction(id="read_all", command="/read", page_keys=("Shift+Escape",)),
    UiAction(id="send", keys=("Enter",), page_keys=("Enter",), place=_COMPOSER),
    UiAction(id="newline", keys=("Shift+Enter", "Ctrl+J", "Alt+Enter"), page_keys=("Shift+Enter",), place=_COMPOSER),
    UiAction(id="complete", keys=("Tab",), page_keys=("Tab",), place=_COMPOSER),
    UiAction(id="recall", keys=("Up",), page_keys=("Up",), place=_EMPTY),
    UiAction(id="editor", command="/editor", keys=("Ctrl+O",), place=_COMPOSER),
    UiAction(id="upload", command="/upload "),
    UiAction(
        id="select",
        command="/select",
        keys=("Ctrl+Up",),
        page_keys=("Ctrl+Up",),
        also=((KeyboardFocus.COMPOSER_TOP, "Up"),),
    ),
    UiAction(id="previous", keys=("k", "Up"), page_keys=("k", "Up"), place=_MESSAGE, also=_moving("Up", "k")),
    UiAction(id="next", keys=("j", "Down"), page_keys=("j", "Down"), place=_MESSAGE, also=_moving("Down", "j")),
    UiAction(id="first", keys=("Home",), page_keys=("Home",), place=_MESSAGE, also=_moving("Home")),
    UiAction(id="last", keys=("End",), page_keys=("End",), place=_MESSAGE, also=_moving("End")),
    UiAction(id="choose", keys=("Enter",), place=_MESSAGE, also=_moving("Enter")),
    UiAction(id="reply", command="/reply ", keys=("r",), page_keys=("r",), place=_MESSAGE),
    UiAction(id="edit", command="/edit ", keys=("e",), page_keys=("e",), place=_MESSAGE),
    UiAction(id="delete", command="/delete ", keys=("d", "Delete"), page_keys=("d", "Delete"), place=_MESSAGE),
    UiAction(id="react", command="/react ", keys=("+",), page_keys=("+",), place=_MESSAGE),
    UiAction(id="quote", command="/quote ", keys=(">",), page_keys=(">",), place=_MESSAGE),
    UiAction(id="copy", command="/copy ", keys=("y",), page_keys=("y", "Ctrl+C"), place=_MESSAGE),
    UiAction(id="open_link", command="/open ", keys=("o",), page_keys=("o",), place=_MESSAGE),
    UiAction(id="unread_from_here", command="/mark ", keys=("u",), place=_MESSAGE),
    UiAction(id="about", command="/about ", keys=("i",), page_keys=("i",), place=_MESSAGE),
    UiAction(id="page_up", keys=("PageUp",), page_keys=("PageUp",)),
    UiAction(id="page_down", keys=("PageDown",), page_keys=("PageDown",)),
    UiAction(id="present", keys=("Ctrl+End",), page_keys=("Ctrl+End",)),
    UiAction(id="rooms", command="/sidebar", keys=("Alt+1",), page_keys=("Alt+1",)),
    UiAction(id="members", command="/members", keys=("Alt+2",), page_keys=("Alt+2",)),
    UiAction(id="numbers", command="/numbers", keys=("Alt+N",)),
    UiAction(id="bare", command="/bare", keys=("Alt+L",)),
    UiAction(id="mouse", command="/mouse", keys=("F6",)),
    UiAction(id="redraw", keys=("Ctrl+L",)),
    UiAction(id="notify", command="/notify "),
    UiAction(id="do_not_disturb", command="/dnd"),
    UiAction(id="notices", command="/notices"),
    UiAction(
        id="help", command="/help", keys=("F1",), page_keys=("?",), also=((_EMPTY, "?"), (_MESSAGE, "?"), (_LIST, "?"))
    ),
    UiAction(id="palette", command="/palette", keys=("Alt+P",), page_keys=("Alt+P",)),
    UiAction(id="connection", command="/connection", keys=("F2",)),
    UiAction(id="escape", keys=("Escape",), page_keys=("Escape",)),
    UiAction(id="interrupt", keys=("Ctrl+C",)),
    UiAction(id="leave", command="/quit", keys=("Ctrl+D",), place=_EMPTY),
)
"""In the order of the help."""

ACTION_OF: Mapping[str, UiAction] = MappingProxyType({action.id: action for action in ACTIONS})
PALETTE: tuple[UiAction, ...] = tuple(action for action in ACTIONS if action.command)
"""What the palette offers: all that can be named."""


class KeyFault(Enum):
    """Why `[keys]` cannot be used."""

    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_KEY = "unknown_key"
    KEPT = "kept"
    """The terminal or readline keeps the key."""
    TYPED = "typed"
    """The key types a character where the action holds."""
    TAKEN = "taken"
    """Another action has the key in the same place."""


class KeyTableError(ValueError):
    """A key cannot be given to an action.

    Args:
        fault: the rule that it breaks.
        action_id: whose keys were to be changed.
        key: the key; empty for UNKNOWN_ACTION.
        other_id: who has it, for TAKEN.
    """

    def __init__(self, fault: KeyFault, action_id: str, key: str = "", other_id: str = "") -> None:
        super().__init__(fault, action_id, key, other_id)
        self.fault = fault
        self.action_id = action_id
        self.key = key
        self.other_id = other_id


class KeyTable:
    """The action of a key, in each place.

    Args:
        remapped: keys by id of an action, which replace all keys of the table; none at all leave the command alone.

    Raises:
        KeyTableError: an id or key is unknown, kept, or in use.
    """

    def __init__(self, remapped: Mapping[str, tuple[str, ...]] = MappingProxyType({})) -> None:
        for action_id in remapped:
            if action_id not in ACTION_OF:
                raise KeyTableError(KeyFault.UNKNOWN_ACTION, action_id)
        self._actions: dict[tuple[KeyboardFocus, str], UiAction] = {}
        self._keys: dict[str, tuple[str, ...]] = {}
        for action in sorted(ACTIONS, key=lambda each: each.id in remapped):  # those of the table first: they are TAKEN
            if action.id in remapped:
                self._add(action, _placed(action, remapped[action.id]))
            else:
                self._add(action, [*((action.place, key) for key in action.keys), *action.also])

    def _add(self, action: UiAction, placed: list[tuple[KeyboardFocus, str]]) -> None:
        for place, key in placed:
            taken = self._taken(place, key)
            if taken is not None and taken is not action:
                raise KeyTableError(KeyFault.TAKEN, action.id, key, taken.id)
            self._actions[place, key] = action
        self._keys[action.id] = tuple(dict.fromkeys(key for _place, key in placed))

    def _taken(self, place: KeyboardFocus, key: str) -> UiAction | None:
        """Return the action that has a key where it would hold; a part of the composer may differ from the whole."""
        places = KeyboardFocus if place is KeyboardFocus.ANYWHERE else (place, KeyboardFocus.ANYWHERE)
        return next((found for each in places if (found := self._actions.get((each, key))) is not None), None)

    def action(self, key: str, *places: KeyboardFocus) -> UiAction | None:
        """Return what a key does.

        Args:
            key: as `key_names` writes it.
            places: where the keyboard is, the narrowest first; COMPOSER behind its parts, and ANYWHERE, go without
                saying.
        """
        writing = (KeyboardFocus.COMPOSER,) if set(places) & set(COMPOSER_PLACES) else ()
        within = (*places, *writing, KeyboardFocus.ANYWHERE)
        return next((found for place in within if (found := self._actions.get((place, key))) is not None), None)

    def keys(self, action_id: str) -> tuple[str, ...]:
        """Return the keys of an action in every place, the usual one first."""
        return self._keys[action_id]

    def placed(self, place: KeyboardFocus) -> list[tuple[UiAction, tuple[str, ...]]]:
        """Return the actions of one place with their keys there, in the order of the table."""
        found: dict[str, list[str]] = {}
        for (where, key), action in self._actions.items():
            if where is place:
                found.setdefault(action.id, []).append(key)
        return [(action, tuple(found[action.id])) for action in ACTIONS if action.id in found]


def _placed(action: UiAction, keys: tuple[str, ...]) -> list[tuple[KeyboardFocus, str]]:
    """Return where each given key holds: a character where nothing is typed, any other one in all places."""
    places = dict.fromkeys((action.place, *(place for place, _key in action.also)))
    placed = []
    for given in keys:
        try:
            key = key_name(given)
        except KeyNameError:
            raise KeyTableError(KeyFault.UNKNOWN_KEY, action.id, given) from None
        fitting = [place for place in places if place in _WITHOUT_TYPING] if is_typed(key) else list(places)
        if key in KEPT_AT_TERMINALS:
            fitting = [place for place in places if place is KeyboardFocus.COMPOSER_END and key == "Ctrl+K"]
            if not fitting:
                raise KeyTableError(KeyFault.KEPT, action.id, key)
        if not fitting:
            raise KeyTableError(KeyFault.TYPED, action.id, key)
        if KeyboardFocus.ANYWHERE in fitting:
            fitting = [KeyboardFocus.ANYWHERE]
        placed += [(place, key) for place in fitting]
    return placed
