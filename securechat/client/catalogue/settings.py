"""Sentences about the client's settings: what each does, and what is wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from securechat.translation import LazyText, Sentence, _, nsentence

SETTING_WORDS: Mapping[str, LazyText] = {
    "plain": LazyText("lines instead of the full screen, as for screen readers and slow links"),
    "theme": LazyText(
        "colours; terminal uses the 16 colours of the terminal itself, and so does auto in lines; "
        "on the screen auto is dark or light, as the background of the terminal"
    ),
    "color": LazyText("whether there are colours; auto follows NO_COLOR and what the terminal can"),
    "mouse": LazyText("whether the full screen uses the mouse; F6 changes it while it runs"),
    "notifications": LazyText("how a mention or a direct message is told: bell, or what the terminal has for it"),
    "notification_text": LazyText("whether a notification holds the text of the message"),
    "do_not_disturb": LazyText("no bell and no notification"),
    "pictures": LazyText(
        "small pictures in the chat: kitty in terminals that have its protocol (kitty, Ghostty, WezTerm, Konsole); "
        "sixel, on the full screen alone, in others (foot, xterm -ti vt340, mlterm)"
    ),
    "reader": LazyText("sentences for a screen reader: author first, nothing said twice, times on request"),
    "numbers": LazyText("whether the full screen shows the numbers of messages"),
    "members": LazyText("whether the full screen shows the members"),
    "lang": LazyText("the language"),
    "editor": LazyText("the program that writes long messages"),
    "notify": LazyText("what is told of one room or person: all, mentions or none"),
    "keys": LazyText("keys of actions; docs/keys.md lists them"),
}

UNSET_WORDS: Mapping[str, LazyText] = {
    "lang": LazyText("that of the system"),
    "editor": LazyText("that of VISUAL or EDITOR"),
}
"""What the empty default of a setting means."""

CLI_CONFIG = LazyText("read settings from this TOML file (client.toml in the user's configuration folder)")
CLI_PRINT_CONFIG = LazyText("print every setting and where it comes from, and end")
CLI_TABLE = LazyText("NAME=VALUE")
CLI_PROGRAM = LazyText("PROGRAM")
CONFIG_EPILOG = LazyText(
    "Settings of the terminal are variables too, --theme dark is SECURECHAT_THEME=dark, and keys of a TOML file. "
    "A flag wins over its variable, a variable over the file. docs/client.toml explains each."
)
NO_FILE = LazyText("none")
HEADING = LazyText(
    "Settings of securechat-client, in TOML (https://toml.io). A flag wins over its environment variable, a variable "
    "over this file, the file over the default."
)
REFERENCE_HEADING = LazyText(
    "Copy the lines that you change to client.toml in the folder that securechat-client --print-config names, without "
    "the # before them; or name another file with --config or SECURECHAT_CLIENT_CONFIG. What stands here is what "
    "holds without the line. A line that cannot be used is told at the start, and its default holds."
)
FROM_DEFAULT = LazyText("default")


def file_is(path: str) -> str:
    """Tell which file is read, in a comment of the settings."""
    return _("The file: {path}.", path=path)


def given_by(flag: str, variable: str) -> str:
    """Tell a setting's flag and variable."""
    return _("Flag {flag}, variable {variable}.", flag=flag, variable=variable)


def unset(meaning: str) -> str:
    """Tell what the empty default of a setting means."""
    return _("Without a value: {meaning}.", meaning=meaning)


def from_line(path: str, line: int) -> str:
    """Tell where a value comes from."""
    return _("{path}, line {line}", path=path, line=line)


def at_place(place: str, problem: str) -> Sentence:
    """Tell what is wrong, and where."""
    return Sentence("{place}: {problem}", place=place, problem=problem)


def not_used(problem: str, others: int) -> Sentence:
    """Tell the first problem of the file, and that the client starts all the same."""
    if not others:
        return Sentence("{problem}. The default is used", problem=problem)
    return nsentence(
        "{problem}. Defaults are used there, and in {count} other line",
        "{problem}. Defaults are used there, and in {count} other lines",
        others,
        problem=problem,
    )


def unknown_setting(name: str, meant: str) -> Sentence:
    """Refuse a key of the file."""
    if meant:
        return Sentence("there is no setting {name}; {meant} is one", name=name, meant=meant)
    return Sentence("there is no setting {name}", name=name)


def not_one_of(name: str, words: Sequence[str], value: str) -> Sentence:
    """Refuse a value that is none of the words."""
    either = reduce(lambda first, second: Sentence("{first} or {second}", first=first, second=second), words)
    return Sentence("{name} is {words}, and not {value}", name=name, words=either, value=value)


def not_a_text(name: str) -> Sentence:
    """Refuse a value that is no text."""
    return Sentence("{name} is a text in quotes", name=name)


def not_a_table(name: str) -> Sentence:
    """Refuse a value that is no table."""
    return Sentence("{name} is a table: write [{name}], and its lines below it", name=name)


def not_an_assignment(text: str) -> Sentence:
    """Refuse a flag or variable for a table."""
    return Sentence("{text} lacks an equals sign: write NAME=VALUE", text=text)


def unknown_action(action_id: str, meant: str) -> Sentence:
    """Refuse an id in `[keys]`."""
    if meant:
        return Sentence("there is no action {name}; {meant} is one", name=action_id, meant=meant)
    return Sentence("there is no action {name}; docs/keys.md lists them", name=action_id)


def not_keys(action_id: str) -> Sentence:
    """Refuse what is no list of keys."""
    return Sentence('the keys of {name} are a list of texts: ["F7", "Alt+N"]', name=action_id)


def unknown_key(key: str) -> Sentence:
    """Refuse a key that there is not."""
    return Sentence("{key} is no key that a terminal reports", key=key)


def kept_key(key: str) -> Sentence:
    """Refuse a key of the terminal."""
    return Sentence("{key} is kept by the terminal or by line editing", key=key)


def typed_key(key: str, action_id: str) -> Sentence:
    """Refuse a character as the key of an action that holds where one writes."""
    return Sentence("{key} types a character where {name} holds", key=key, name=action_id)


def taken_key(key: str, other_id: str) -> Sentence:
    """Refuse a key of another action."""
    return Sentence("{key} is a key of {name}", key=key, name=other_id)
