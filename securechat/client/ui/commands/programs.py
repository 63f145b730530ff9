"""Commands about programs: bots, incoming webhooks of the active room, and the user's own tokens.

Behind the name of what is made stand its options: rooms (``#ops``), days (``30``), scopes of a token (``read``). A name
that ends like an option stands in quotes.
"""

from __future__ import annotations

import re
from typing import cast, get_args

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.core import actions
from securechat.client.ui.commands.leading_name import QUOTES, split_name
from securechat.client.ui.commands.results import InputError, ParsedInput
from securechat.model import TokenScope

WORDS = ("/bot", "/hook", "/token")
_DAYS = re.compile(r"([0-9]{1,9})d?")
_MOST_DAYS = 3_650
_MOST_ROOMS = 10
_LONGEST_NAME = 256
_LONGEST_TOKEN_NAME = 64
"""What the records allow (model.AddBot, model.AddToken)."""
_FILES = "--files"
_WITH_FILES: tuple[TokenScope, ...] = ("post", "read", "files")
"""The scopes of a bot behind whose name it stands; a word such as ``post`` may belong to the name."""
_SCOPES = frozenset(get_args(TokenScope))


class _Typed(Struct):
    """A name with its options, as typed."""

    name: str
    rooms: tuple[str, ...] = ()
    scopes: tuple[TokenScope, ...] = ()
    days: int | None = None


def about_programs(word: str, rest: str, here: str) -> ParsedInput | None:
    """Parse a command about programs; None when it is another command.

    Args:
        word: the command, in lower case.
        rest: the text after it.
        here: the active room.
    """
    if word not in WORDS:
        return None
    verb, _, typed = rest.partition(" ")
    verb, typed = verb.casefold(), typed.strip()
    match word:
        case "/bot":
            parsed = _bot(verb, typed)
        case "/hook":
            parsed = _hook(verb, typed, here)
        case _:
            parsed = _token(verb, typed)
    return parsed or InputError(usage(word))


def _bot(verb: str, typed: str) -> ParsedInput | None:
    match verb:
        case "" | "list" if not typed:
            return actions.ShowBots()
        case "add":
            words = typed.split()
            files = _FILES in words
            made = _typed(" ".join(word for word in words if word != _FILES) if files else typed)
            if not isinstance(made, _Typed):
                return made
            return actions.MakeBot(made.name, rooms=made.rooms, scopes=_WITH_FILES if files else (), days=made.days)
        case "rotate" | "remove" if name := _unquoted(typed):
            return actions.ReplaceBotToken(name) if verb == "rotate" else actions.EndBot(name)
        case _:
            return None


def _hook(verb: str, typed: str, here: str) -> ParsedInput | None:
    if verb.startswith("#"):
        verb, typed = "list", verb
    if verb in {"", "list"}:
        room = typed or here
        return actions.ShowBots(room.removeprefix("#")) if " " not in room else None
    made = _typed(typed)
    if not isinstance(made, _Typed):
        return made
    if len(made.rooms) > 1:
        return None
    room = made.rooms[0] if made.rooms else here
    match verb:
        case "add":
            return actions.MakeBot(made.name, hook=True, rooms=(room,), days=made.days)
        case "rotate" | "remove" if made.days is None:
            return actions.ReplaceBotToken(made.name, room) if verb == "rotate" else actions.EndBot(made.name, room)
        case _:
            return None


def _token(verb: str, typed: str) -> ParsedInput | None:  # noqa: PLR0911 - one row a command
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 16 else None
    match verb:
        case "" | "list" if not typed:
            return actions.ShowTokens()
        case "add":
            made = _typed(typed, has_scopes=True)
            if not isinstance(made, _Typed):
                return made
            if len(made.name) > _LONGEST_TOKEN_NAME:
                return InputError(catalogue.programs.NAME_TOO_LONG(most=_LONGEST_TOKEN_NAME))
            return actions.MakeToken(made.name, made.scopes, made.rooms, made.days)
        case "rotate" if number is not None:
            return actions.ReplaceToken(number)
        case "remove" if number is not None:
            return actions.EndToken(number)
        case _:
            return None


def _typed(text: str, *, has_scopes: bool = False) -> _Typed | InputError | None:
    """Take a name and its options apart; None where there is no name, or an option is none."""
    if text[:1] in QUOTES:
        split = split_name("", text, ())
        if not isinstance(split, tuple):
            return None
        name, words, rest = split[0], [], split[1].split()
    else:
        name, words, rest = "", text.split(), []
        while len(words) > 1 and _is_option(words[-1], has_scopes=has_scopes):
            rest.insert(0, words.pop())
    made = _Typed(name or " ".join(words))
    for word in rest:
        if not _is_option(word, has_scopes=has_scopes):
            return None
        if word.startswith("#"):
            made.rooms += (word.removeprefix("#"),)
        elif (scopes := _scopes_of(word)) is not None:
            made.scopes += scopes
        elif made.days is not None:
            return None
        else:
            made.days = int(word.removesuffix("d"))
    if made.days is not None and not 1 <= made.days <= _MOST_DAYS:
        return InputError(catalogue.programs.DAYS_OUT(most=_MOST_DAYS))
    if len(made.rooms) > _MOST_ROOMS:
        return InputError(catalogue.programs.TOO_MANY_ROOMS(most=_MOST_ROOMS))
    return made if made.name and len(made.name) <= _LONGEST_NAME else None


def _is_option(word: str, *, has_scopes: bool) -> bool:
    is_scope = has_scopes and _scopes_of(word) is not None
    return is_scope or _DAYS.fullmatch(word) is not None or (len(word) > 1 and word.startswith("#"))


def _scopes_of(word: str) -> tuple[TokenScope, ...] | None:
    """Return the scopes in a word, with commas between them or one behind it; None for another word."""
    parts = word.casefold().removesuffix(",").split(",")
    return cast("tuple[TokenScope, ...]", tuple(parts)) if _SCOPES.issuperset(parts) else None


def _unquoted(typed: str) -> str:
    made = split_name("", typed, ()) if typed[:1] in QUOTES else None
    return made[0] if isinstance(made, tuple) and not made[1] else typed
