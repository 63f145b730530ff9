"""The table of actions: keys that others keep, one action a key and place, and what `[keys]` may change."""

from __future__ import annotations

from collections import Counter

import pytest

from securechat.client.catalogue.ui_actions import ACTION_WORDS, PLACE_WORDS
from securechat.client.ui.input.key_names import (
    KEPT_AT_TERMINALS,
    KEPT_BY_BROWSERS,
    KeyNameError,
    is_typed,
    key_name,
    needs_alt,
    page_key,
)
from securechat.client.ui.input.ui_actions import (
    ACTION_OF,
    ACTIONS,
    COMPOSER_PLACES,
    PALETTE,
    KeyboardFocus,
    KeyFault,
    KeyTable,
    KeyTableError,
    UiAction,
)
from tests.support.deno import needs_deno
from tools import keys_table, web_keys

PROMISED = {
    ("switch", KeyboardFocus.ANYWHERE): ("Ctrl+G", "Alt+K"),
    ("switch", KeyboardFocus.COMPOSER_END): ("Ctrl+K",),
    ("next_unread", KeyboardFocus.ANYWHERE): ("Alt+A",),
    ("back", KeyboardFocus.ANYWHERE): ("Alt+Left",),
    ("mentions", KeyboardFocus.ANYWHERE): ("Alt+M",),
    ("search", KeyboardFocus.ANYWHERE): ("Alt+S",),
    ("date", KeyboardFocus.ANYWHERE): ("Alt+G",),
    ("send", KeyboardFocus.COMPOSER): ("Enter",),
    ("newline", KeyboardFocus.COMPOSER): ("Shift+Enter", "Ctrl+J", "Alt+Enter"),
    ("select", KeyboardFocus.ANYWHERE): ("Ctrl+Up",),
    ("select", KeyboardFocus.COMPOSER_TOP): ("Up",),
    ("next", KeyboardFocus.MESSAGE): ("j", "Down"),
    ("previous", KeyboardFocus.MESSAGE): ("k", "Up"),
    ("first", KeyboardFocus.MESSAGE): ("Home",),
    ("last", KeyboardFocus.MESSAGE): ("End",),
    ("reply", KeyboardFocus.MESSAGE): ("r",),
    ("edit", KeyboardFocus.MESSAGE): ("e",),
    ("delete", KeyboardFocus.MESSAGE): ("d", "Delete"),
    ("react", KeyboardFocus.MESSAGE): ("+",),
    ("quote", KeyboardFocus.MESSAGE): (">",),
    ("copy", KeyboardFocus.MESSAGE): ("y",),
    ("open_link", KeyboardFocus.MESSAGE): ("o",),
    ("unread_from_here", KeyboardFocus.MESSAGE): ("u",),
    ("about", KeyboardFocus.MESSAGE): ("i",),
    ("page_up", KeyboardFocus.ANYWHERE): ("PageUp",),
    ("page_down", KeyboardFocus.ANYWHERE): ("PageDown",),
    ("present", KeyboardFocus.ANYWHERE): ("Ctrl+End",),
    ("rooms", KeyboardFocus.ANYWHERE): ("Alt+1",),
    ("members", KeyboardFocus.ANYWHERE): ("Alt+2",),
    ("bare", KeyboardFocus.ANYWHERE): ("Alt+L",),
    ("numbers", KeyboardFocus.ANYWHERE): ("Alt+N",),
    ("mouse", KeyboardFocus.ANYWHERE): ("F6",),
    ("redraw", KeyboardFocus.ANYWHERE): ("Ctrl+L",),
    ("help", KeyboardFocus.ANYWHERE): ("F1",),
    ("help", KeyboardFocus.COMPOSER_EMPTY): ("?",),
    ("palette", KeyboardFocus.ANYWHERE): ("Alt+P",),
    ("connection", KeyboardFocus.ANYWHERE): ("F2",),
    ("leave", KeyboardFocus.COMPOSER_EMPTY): ("Ctrl+D",),
    ("editor", KeyboardFocus.COMPOSER): ("Ctrl+O",),
}
"""The keys that the client promises: they do not change by accident."""


def all_keys(action: UiAction) -> list[str]:
    return [*action.keys, *(key for _place, key in action.also)]


def test_the_promised_keys_hold() -> None:
    table = KeyTable()
    held = {(action.id, place): keys for place in KeyboardFocus for action, keys in table.placed(place)}
    assert {what: held.get(what) for what in PROMISED} == PROMISED


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_an_action_has_words_and_a_key_or_a_command(action: UiAction) -> None:
    assert action.words()
    assert all_keys(action) or action.command
    assert not action.command or action.command.startswith("/")
    assert [key_name(key) for key in all_keys(action)] == all_keys(action)


def test_ids_are_unique_and_every_word_is_used() -> None:
    assert len(ACTION_OF) == len(ACTIONS)
    assert set(ACTION_WORDS) == set(ACTION_OF)
    assert set(PLACE_WORDS) == {place.value for place in KeyboardFocus}
    assert all(place.words() for place in KeyboardFocus)
    words = Counter(action.words() for action in ACTIONS)
    assert max(words.values()) == 1, "the palette could not tell them apart"
    commands = Counter(action.command for action in ACTIONS if action.command)
    assert max(commands.values()) == 1


def only_with_alt(action: UiAction) -> bool:
    """Whether every key of an action needs Alt."""
    keys = (*action.keys, *(key for _place, key in action.also))
    return bool(keys) and all(needs_alt(key) for key in keys)


def test_what_needs_alt_has_a_command_and_is_in_the_palette() -> None:
    by_alt = [action for action in ACTIONS if only_with_alt(action)]
    assert {"next_unread", "palette", "bare"} <= {action.id for action in by_alt}
    assert all(action.command and action in PALETTE for action in by_alt)


def test_no_two_actions_have_one_key_in_one_place() -> None:
    """Nor does a key of one place hide one that holds anywhere."""
    held: dict[tuple[KeyboardFocus, str], str] = {}
    for action in ACTIONS:
        for place, key in [*((action.place, key) for key in action.keys), *action.also]:
            assert held.setdefault((place, key), action.id) == action.id, (place, key)
    anywhere = {key for place, key in held if place is KeyboardFocus.ANYWHERE}
    assert not anywhere & {key for place, key in held if place is not KeyboardFocus.ANYWHERE}


def test_no_action_has_a_key_that_others_keep() -> None:
    kept = {(action.id, place, key) for action in ACTIONS for place, key in action.also if key in KEPT_AT_TERMINALS}
    assert kept == {("switch", KeyboardFocus.COMPOSER_END, "Ctrl+K")}
    assert not KEPT_AT_TERMINALS & {key for action in ACTIONS for key in action.keys}
    assert {"Ctrl+S", "Ctrl+Q", "Ctrl+Z", "Ctrl+B", "Ctrl+I", "Ctrl+M"} <= KEPT_AT_TERMINALS
    assert {"Ctrl+A", "Ctrl+E", "Ctrl+K", "Ctrl+U", "Ctrl+W", "Ctrl+Y"} <= KEPT_AT_TERMINALS
    assert not KEPT_BY_BROWSERS & {key for action in ACTIONS for key in action.page_keys}


def test_a_character_is_an_action_only_where_nothing_is_typed() -> None:
    writing = {KeyboardFocus.ANYWHERE, KeyboardFocus.COMPOSER, KeyboardFocus.COMPOSER_END, KeyboardFocus.COMPOSER_TOP}
    writing.add(KeyboardFocus.OVERLAY)  # has fields to write in
    table = KeyTable()
    for place in writing:
        assert not [key for _action, keys in table.placed(place) for key in keys if is_typed(key)], place


def test_no_two_actions_have_one_key_in_the_page() -> None:
    by_place: dict[tuple[bool, str], str] = {}
    for action in ACTIONS:
        for key in action.page_keys:
            where = (action.place is KeyboardFocus.MESSAGE, key)
            if action.place in {KeyboardFocus.COMPOSER, KeyboardFocus.COMPOSER_EMPTY}:
                continue  # the composer's own: Enter, Tab, Up
            assert by_place.setdefault(where, action.id) == action.id, key


def test_a_key_is_found_from_the_narrowest_place_outwards() -> None:
    table = KeyTable()

    def found(key: str, *places: KeyboardFocus) -> str:
        action = table.action(key, *places)
        return action.id if action is not None else ""

    assert found("Up", KeyboardFocus.COMPOSER_EMPTY, KeyboardFocus.COMPOSER_END) == "recall"
    assert found("Up", KeyboardFocus.COMPOSER_TOP) == "select"
    assert found("Up", KeyboardFocus.COMPOSER) == ""
    assert found("Ctrl+K", KeyboardFocus.COMPOSER_END) == "switch"
    assert found("Ctrl+K", KeyboardFocus.COMPOSER) == "", "it deletes"
    assert found("?", KeyboardFocus.COMPOSER_EMPTY) == "help"
    assert found("?", KeyboardFocus.COMPOSER) == "", "it is typed"
    assert found("r", KeyboardFocus.MESSAGE) == "reply"
    assert found("r", KeyboardFocus.LIST) == ""
    assert all(found("Enter", place) == "send" for place in COMPOSER_PLACES)
    assert all(found("Alt+A", place) == "next_unread" for place in KeyboardFocus)


def test_remapped_keys_replace_those_of_the_table() -> None:
    table = KeyTable({"next_unread": ("alt+n", "F7"), "numbers": (), "help": ("F1",), "switch": ("Ctrl+k", "Alt+k")})
    assert table.action("Alt+A", KeyboardFocus.LIST) is None
    assert table.action("Alt+N", KeyboardFocus.LIST) is ACTION_OF["next_unread"]
    assert table.keys("next_unread") == ("Alt+N", "F7")
    assert table.keys("numbers") == ()
    assert table.action("?", KeyboardFocus.COMPOSER_EMPTY) is None
    assert table.action("Ctrl+K", KeyboardFocus.COMPOSER) is None
    assert table.action("Ctrl+K", KeyboardFocus.COMPOSER_END) is ACTION_OF["switch"]


def test_two_actions_can_exchange_their_keys() -> None:
    table = KeyTable({"reply": ("e",), "edit": ("r",)})
    assert table.action("e", KeyboardFocus.MESSAGE) is ACTION_OF["reply"]
    assert table.action("r", KeyboardFocus.MESSAGE) is ACTION_OF["edit"]


def test_a_character_stays_where_nothing_is_typed() -> None:
    table = KeyTable({"help": ("h",), "next": ("n",)})
    assert table.action("h", KeyboardFocus.COMPOSER_EMPTY) is ACTION_OF["help"]
    assert table.action("h", KeyboardFocus.COMPOSER) is None
    assert table.action("n", KeyboardFocus.OVERLAY) is None
    assert table.action("n", KeyboardFocus.LIST) is ACTION_OF["next"]


@pytest.mark.parametrize(
    ("action_id", "key", "fault", "other"),
    [
        ("flying", "F3", KeyFault.UNKNOWN_ACTION, ""),
        ("switch", "Ctrl+Enter+x", KeyFault.UNKNOWN_KEY, ""),
        ("switch", "Ctrl+S", KeyFault.KEPT, ""),
        ("switch", "control+w", KeyFault.KEPT, ""),
        ("send", "Ctrl+K", KeyFault.KEPT, ""),
        ("switch", "g", KeyFault.TYPED, ""),
        ("send", "Space", KeyFault.TYPED, ""),
        ("switch", "Alt+A", KeyFault.TAKEN, "next_unread"),
        ("reply", "e", KeyFault.TAKEN, "edit"),
        ("reply", "Alt+A", KeyFault.TAKEN, "next_unread"),
        ("search", "Down", KeyFault.TAKEN, "next"),
    ],
)
def test_an_unusable_key_is_refused(action_id: str, key: str, fault: KeyFault, other: str) -> None:
    with pytest.raises(KeyTableError) as caught:
        KeyTable({action_id: (key,)})
    assert (caught.value.fault, caught.value.action_id, caught.value.other_id) == (fault, action_id, other)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ctrl+g", "Ctrl+G"),
        ("Shift+Alt+left", "Alt+Shift+Left"),
        ("PGUP", "PageUp"),
        ("esc", "Escape"),
        ("Option+1", "Alt+1"),
        ("+", "+"),
        ("Alt++", "Alt++"),
        ("plus", "+"),
        ("j", "j"),
        ("J", "J"),
        ("f12", "F12"),
    ],
)
def test_a_key_has_one_name(typed: str, name: str) -> None:
    assert key_name(typed) == name
    assert key_name(name) == name


@pytest.mark.parametrize(
    "typed", ["", " ", "Ctrl", "Ctrl+", "Hyper+A", "Ctrl+Ctrl+A", "ab", "é", "Ctrl+1", "Shift+a", "F13", "\x1b", "A+B"]
)
def test_what_is_no_key_is_refused(typed: str) -> None:
    with pytest.raises(KeyNameError):
        key_name(typed)


def test_the_page_names_keys_as_browsers_do() -> None:
    names = ["Ctrl+K", "Ctrl+Shift+F", "Alt+Left", "Ctrl+Up", "PageUp", "+", ">", "j", "Alt+1", "?"]
    pages = ["Mod+k", "Mod+Shift+f", "Alt+ArrowLeft", "Mod+ArrowUp", "PageUp", "+", ">", "j", "Alt+1", "?"]
    assert [page_key(name) for name in names] == pages


def test_the_page_of_keys_is_up_to_date() -> None:
    assert keys_table.PAGE.read_text(encoding="utf-8") == keys_table.page(), "run: python tools/keys_table.py"


def test_the_page_of_keys_has_those_of_the_terminal_and_of_the_web_page() -> None:
    rows = keys_table.page().splitlines()
    assert "| Leave the mouse to the terminal, or take it back | `F6` |  | `/mouse` | `mouse` |" in rows
    assert "| Go to a room or person | `Ctrl+G`, `Alt+K` | `Ctrl+K` | `/switch` | `switch` |" in rows


@needs_deno
def test_the_keys_of_the_page_are_those_of_the_table() -> None:
    assert web_keys.PAGE_KEYS.read_text(encoding="utf-8") == web_keys.text(), "run: python tools/web_keys.py"
