"""Words of the actions that a key or a command starts, by id, and of the places where keys hold."""

from __future__ import annotations

from collections.abc import Mapping

from securechat.translation import LazyText

ACTION_WORDS: Mapping[str, LazyText] = {
    "switch": LazyText("Go to a room or person"),
    "next_unread": LazyText("Go to the next unread conversation"),
    "back": LazyText("Go back to where you were"),
    "mentions": LazyText("Show who mentioned you"),
    "search": LazyText("Search"),
    "date": LazyText("Go to date"),
    "first_unread": LazyText("Go to the first unread message"),
    "read_all": LazyText("Mark everything as read"),
    "send": LazyText("Send"),
    "newline": LazyText("Start a new line"),
    "complete": LazyText("Complete a name, room, emoji or command"),
    "recall": LazyText("Edit your last message, or write one again"),
    "editor": LazyText("Write in your editor"),
    "upload": LazyText("Send a file"),
    "select": LazyText("Select a message"),
    "next": LazyText("Go to the next one"),
    "previous": LazyText("Go to the one before"),
    "first": LazyText("Go to the first one"),
    "last": LazyText("Go to the last one"),
    "choose": LazyText("Open it: go to the answered message, save a file, retry"),
    "reply": LazyText("Reply"),
    "edit": LazyText("Edit"),
    "delete": LazyText("Delete"),
    "react": LazyText("React"),
    "quote": LazyText("Quote"),
    "copy": LazyText("Copy text"),
    "open_link": LazyText("Open a link"),
    "unread_from_here": LazyText("Mark as unread from here"),
    "about": LazyText("Show all about it"),
    "page_up": LazyText("Scroll up"),
    "page_down": LazyText("Scroll down"),
    "present": LazyText("Go to the newest message"),
    "rooms": LazyText("Show or hide the rooms"),
    "members": LazyText("Show or hide the members"),
    "numbers": LazyText("Show or hide message numbers"),
    "bare": LazyText("Messages alone, to select and copy with the terminal"),
    "mouse": LazyText("Leave the mouse to the terminal, or take it back"),
    "redraw": LazyText("Draw the screen again"),
    "do_not_disturb": LazyText("Do not disturb, on or off"),
    "notify": LazyText("Choose what notifies here: all, mentions or none"),
    "help": LazyText("Keys and commands"),
    "palette": LazyText("Choose an action by its name"),
    "connection": LazyText("Show the connection"),
    "escape": LazyText("Close what is open"),
    "interrupt": LazyText("Copy the selection, empty the input line, or leave"),
    "leave": LazyText("Leave the chat"),
}

PLACE_WORDS: Mapping[str, LazyText] = {
    "anywhere": LazyText("Everywhere"),
    "composer": LazyText("While you write"),
    "composer_empty": LazyText("Where nothing is written"),
    "composer_end": LazyText("Behind the last character"),
    "composer_top": LazyText("In the first line of a text"),
    "message": LazyText("On a message"),
    "list": LazyText("In a list"),
    "overlay": LazyText("In a window"),
}
