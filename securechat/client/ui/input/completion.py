"""Completes what is typed: commands and their arguments, names, rooms, emoji. For the screen and the line mode alike.

Pure: `complete` takes the text, the insertion point and the words that there are, and returns candidates. It never
decides that one is taken: the shells do that at Tab, and at Enter only where the user has entered the list. Files
behind /upload are not here, because looking for them is I/O.

It costs one pass over the words of one kind, with `str` methods alone: 10,000 names take some milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from securechat.client.catalogue.help_commands import COMMAND_PAGES
from securechat.client.catalogue.help_layout import HelpRow
from securechat.client.catalogue.help_pages import ACCOUNT, HELP, MESSAGES, PAGES, ROOMS
from securechat.client.ui.commands.parser import COMMANDS
from securechat.limits import MAX_NAME_CHARS, MAX_ROOM_CHARS
from securechat.text.sanitize import is_hostile
from securechat.translation import LazyText

MOST_SHOWN = 8
"""Candidates of one completion: more are found by typing on."""
_EMOJI_AT_LEAST = 2
"""Characters behind a colon: after one, every text with a time or a smiley in it would show a list."""
_LONGEST_EMOJI = 40
"""Characters of a name of an emoji that are typed; most have fewer than 30."""
_NAME = re.compile(rf"(?<![\w@])@([^\s@][^\n@]{{0,{MAX_NAME_CHARS - 1}}}|)\Z")
_ROOM = re.compile(rf"(?<![\w#])#([^\s#@:,!/]{{0,{MAX_ROOM_CHARS}}})\Z")
_EMOJI = re.compile(rf"(?<![\w:]):([^\W\d][\w+-]{{{_EMOJI_AT_LEAST - 1},{_LONGEST_EMOJI}}})\Z")
_ON_OFF = ("on", "off")


class CompletionItem(Struct, frozen=True):
    """What Tab may take.

    Attributes:
        insert: replaces the text from `Completion.start` to `Completion.end`.
        word: what the list shows for it, safe to print.
        meaning: beside it, in the language of the user; empty for none.
        arguments: what follows a command, likewise.
    """

    insert: str
    word: str
    meaning: str = ""
    arguments: str = ""


class Completion(Struct, frozen=True):
    """The candidates for a text.

    Attributes:
        text: the text they are for; a shell takes none of them for another text.
        start: the first character that one replaces.
        end: the first one behind these: the insertion point.
        candidates: the best first, at most MOST_SHOWN, at least one.
    """

    text: str
    start: int
    end: int
    candidates: tuple[CompletionItem, ...]

    def taken(self, index: int = 0) -> tuple[str, int]:
        """Return the text with a candidate in it, and the insertion point behind that."""
        insert = self.candidates[index].insert
        behind = self.text[self.end :]
        if insert.endswith(" ") and behind.startswith(" "):
            insert = insert[:-1]
        return self.text[: self.start] + insert + behind, self.start + len(insert)


class CommandWords(Struct, frozen=True):
    """A command, as the help pages have it in the language in use; ``arguments`` and ``meaning`` may be empty."""

    word: str
    arguments: str = ""
    meaning: str = ""


class KnownWords(Struct, frozen=True):
    """The words that there are.

    Attributes:
        commands: see `command_words`.
        names: of people, as the server writes them: those in the room first.
        rooms: names without ``#``.
        emoji: each emoji, with the words that find it: its name, and behind a tab others.
        languages: codes of those that there are.
    """

    commands: Sequence[CommandWords] = ()
    names: Sequence[str] = ()
    rooms: Sequence[str] = ()
    emoji: Mapping[str, str] = field(default_factory=dict)
    languages: Sequence[str] = ()


_Find = Callable[[str, KnownWords], Iterable[CompletionItem]]


def complete(text: str, cursor: int, known: KnownWords) -> Completion | None:
    """Return what may stand where the user types; None where nothing is known.

    Args:
        text: all that is typed.
        cursor: characters before the insertion point.
        known: the words that there are.
    """
    before = text[: max(0, cursor)]
    begun, find = _begun(before)
    if find is None:
        return None
    candidates = tuple(find(begun, known))
    return Completion(text, len(before) - len(begun), len(before), candidates) if candidates else None


def command_words() -> tuple[CommandWords, ...]:
    """Return every command with what the help pages say of it, in the language in use."""
    rows: dict[str, HelpRow] = {}
    for row in (*HELP, *MESSAGES, *ROOMS, *ACCOUNT, *(row for page in COMMAND_PAGES.values() for row in page)):
        command = _in_english(row.usage).replace(",", " ").split()[:1]
        if command and command[0] in COMMANDS:
            rows.setdefault(command[0], row)
    return tuple(_words(command, rows.get(command)) for command in COMMANDS)


def emoji_words(groups: Sequence[str]) -> dict[str, str]:
    """Return each emoji with its words, from the groups of a file of names (tools/emoji_names.py)."""
    lines = (line.partition(" ") for group in groups for line in group.split("\n"))
    return {emoji: words for emoji, _, words in lines if emoji and words}


def _words(command: str, row: HelpRow | None) -> CommandWords:
    if row is None:
        return CommandWords(command)
    _, _, arguments = str(row.usage).partition(command)
    return CommandWords(command, arguments.lstrip(",").strip(), str(row.text))


def _in_english(usage: str | LazyText) -> str:
    return usage if isinstance(usage, str) else usage.msgid


# --- what is begun ----------------------------------------------------------------------------------------------------


def _begun(before: str) -> tuple[str, _Find | None]:
    """Return the part that a candidate replaces, and what finds candidates for it."""
    if before.startswith("/") and not before.startswith("//") and "\n" not in before:
        word, blank, rest = before.partition(" ")
        if not blank:
            return word, _commands
        begun, find = _argument(word.casefold(), rest)
        if find is not None:
            return begun, find
    if (found := _EMOJI.search(before)) is not None:
        return found[0], _emoji
    if (found := _ROOM.search(before)) is not None:
        return found[0], _rooms_with_mark
    if (found := _NAME.search(before)) is not None:
        return found[0], _mentions
    return "", None


_OF_NAMES = frozenset(
    {"/msg", "/dm", "/ignore", "/whois", "/invite", "/kick", "/ban", "/unban", "/mute", "/unmute", "/role"}
)
_OF_ROOMS = frozenset({"/join", "/leave", "/part", "/who", "/names"})
_FIRST_WORDS: Mapping[str, tuple[str, ...]] = {
    "/typing": _ON_OFF,
    "/room": ("set",),
    "/sessions": ("end",),
    "/cert": ("add", "remove"),
    "/bot": ("add", "rotate", "remove"),
    "/hook": ("add", "rotate", "remove"),
    "/token": ("add", "rotate", "remove"),
    "/mouse": _ON_OFF,
    "/disturb": _ON_OFF,
    "/notify": ("all", "mentions", "none"),
}
_ROLES = ("owner", "moderator", "member")
_ROOM_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "private": _ON_OFF,
    "read-only": _ON_OFF,
    "slow": ("10s", "off"),
    "retention": ("30d", "off"),
    "history": ("joined", "all"),
    "archived": _ON_OFF,
    "name": (),
    "topic": (),
}


def _argument(command: str, rest: str) -> tuple[str, _Find | None]:  # noqa: PLR0911 - one row a kind
    """Return the argument that is begun behind a command, and what finds it; None where only text may follow."""
    rest = rest.lstrip(" ")
    complete_words = rest.split(" ")[:-1]
    begun = rest.rpartition(" ")[2]
    if command in _OF_ROOMS and not complete_words:
        return rest, _rooms
    if command == "/history" and not complete_words:
        return rest, _rooms_with_mark if rest.startswith("#") else _nothing if not rest.startswith(
            "@"
        ) else _names_with_at
    if command == "/help" and not complete_words:
        return rest, _help_pages
    if command in {"/lang", "/language", "/bahasa"} and not complete_words:
        return rest, lambda begun, known: _plain(begun, known.languages)
    if command == "/role" and complete_words and begun not in complete_words:
        roles = list(_plain(begun, _ROLES))
        if roles:
            return begun, lambda _, __: roles
    if command in _OF_NAMES:
        quoted_and_done = rest.startswith('"') and '"' in rest[1:]
        return rest, None if quoted_and_done else _quoted_names
    words = _FIRST_WORDS.get(command, ())
    if command == "/room" and complete_words[:1] == ["set"]:
        words = tuple(_ROOM_SETTINGS) if len(complete_words) == 1 else ()
        if len(complete_words) == 2:
            words = _ROOM_SETTINGS.get(complete_words[1], ())
    elif complete_words:
        words = ()
    return begun, (lambda begun, _: _plain(begun, words)) if words else None


# --- what is found ----------------------------------------------------------------------------------------------------


def _folded(text: str) -> str:
    return text.casefold().replace("_", " ")


def _matching(begun: str, words: Iterable[str]) -> list[str]:
    """Return the words that begin so, then those in which a later word does, at most MOST_SHOWN; none is hostile."""
    key = _folded(begun)
    inner_key = f" {key}"
    first: list[str] = []
    later: list[str] = []
    for word in words:
        folded = _folded(word)
        if folded.startswith(key):
            if not is_hostile(word):
                first.append(word)
                if len(first) == MOST_SHOWN:
                    return first
        elif len(later) < MOST_SHOWN and inner_key in folded and not is_hostile(word):
            later.append(word)
    return [*first, *later][:MOST_SHOWN]


def _commands(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    words = {each.word: each for each in known.commands}
    for word in _matching(begun, words):
        each = words[word]
        yield CompletionItem(f"{word} ", word, each.meaning, each.arguments)


def _plain(begun: str, words: Iterable[str]) -> Iterator[CompletionItem]:
    return (CompletionItem(f"{word} ", word) for word in _matching(begun, words))


def _nothing(_: str, __: KnownWords) -> Iterator[CompletionItem]:
    return iter(())


def _help_pages(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    meanings = {each.word.removeprefix("/"): each.meaning for each in known.commands}
    pages = dict.fromkeys(page.removeprefix("/") for page in PAGES if page)
    for page in _matching(begun.removeprefix("/"), pages):
        yield CompletionItem(f"{page} ", page, meanings.get(page, ""))


def _mentions(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    return (CompletionItem(f"@{name} ", f"@{name}") for name in _matching(begun[1:], known.names))


def _names_with_at(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    return (CompletionItem(f"@{name}", f"@{name}") for name in _matching(begun[1:], known.names))


def _quoted_names(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    """Return names as an argument: one with a blank stands in quotes, which a text may follow."""
    for name in _matching(begun.removeprefix('"'), known.names):
        yield CompletionItem(f'"{name}" ' if " " in name else f"{name} ", name)


def _rooms(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    return (CompletionItem(f"{room} ", f"#{room}") for room in _matching(begun.removeprefix("#"), known.rooms))


def _rooms_with_mark(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    return (CompletionItem(f"#{room} ", f"#{room}") for room in _matching(begun[1:], known.rooms))


def _emoji(begun: str, known: KnownWords) -> Iterator[CompletionItem]:
    """Return emoji one of whose words begins so; those whose name does stand first."""
    key = begun[1:].casefold().replace("_", " ").replace("-", " ")
    inner_key = f" {key}"
    first: list[CompletionItem] = []
    later: list[CompletionItem] = []
    for emoji, words in known.emoji.items():
        folded = words.replace("\t", " ").replace("-", " ").casefold()
        into = first if folded.startswith(key) else later if inner_key in folded else None
        if into is not None and len(into) < MOST_SHOWN:
            into.append(CompletionItem(emoji, emoji, words.partition("\t")[0]))
        if len(first) == MOST_SHOWN:
            break
    return iter([*first, *later][:MOST_SHOWN])
