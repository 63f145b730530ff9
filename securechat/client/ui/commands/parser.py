"""Parses a typed line into an action, a request to the terminal, or an error message."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import PAGES, usage
from securechat.client.core import actions
from securechat.client.core.state import ConversationId, RoomKey
from securechat.client.ui.commands.files import WORDS as FILE_WORDS
from securechat.client.ui.commands.files import about_files
from securechat.client.ui.commands.leading_name import split_name
from securechat.client.ui.commands.links import WORDS as LINK_WORDS
from securechat.client.ui.commands.links import about_links
from securechat.client.ui.commands.messages import WORDS as TALK_WORDS
from securechat.client.ui.commands.messages import about_messages
from securechat.client.ui.commands.programs import WORDS as PROGRAM_WORDS
from securechat.client.ui.commands.programs import about_programs
from securechat.client.ui.commands.results import (
    AddCertificateFile,
    AskPassword,
    BackToRoom,
    InputError,
    ParsedInput,
    SetLanguage,
    ShowHelp,
)
from securechat.client.ui.commands.rooms import WORDS as ROOM_WORDS
from securechat.client.ui.commands.rooms import about_rooms
from securechat.client.ui.input.password_prompt import PasswordPurpose
from securechat.client.ui.message_numbers import MessageNumbers
from securechat.client.ui.rows.rendering import excerpt
from securechat.text.names import LOBBY
from securechat.translation import given, translated

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
"""Python's result for bytes that are not UTF-8 (surrogateescape, PEP 383), which no codec can encode."""


_ALIASES = {
    "/part": "/leave",
    "/names": "/who",
    "/list": "/rooms",
    "/dm": "/msg",
    "/language": "/lang",
    "/bahasa": "/lang",
    "/webhook": "/hook",
}
"""Commands of IRC and Slack that mean the same as ours, and what a person types who looks for the own language."""
_SUSPECTED, _SUGGESTED = 0.6, 0.78
"""Similarity (`difflib`) of an unknown command to a known one: from the first on a password may stand behind it; from
the second on it is a typing error (``/serch``, ``/jion``), and the known one is suggested, but not /room for /foo."""
_SECRET = {"/register": PasswordPurpose.REGISTER, "/password": PasswordPurpose.CHANGE}
COMMANDS = (
    *(
        "/help",
        "/who",
        "/join",
        "/leave",
        "/rooms",
        "/msg",
        "/history",
        "/nick",
        "/ignore",
        "/whois",
        "/lang",
        "/quit",
        "/exit",
    ),
    *(*_SECRET, "/sessions", "/logout", "/cert"),
    *(*TALK_WORDS, *ROOM_WORDS, *PROGRAM_WORDS, *FILE_WORDS, *LINK_WORDS),
)


DIALOGUE_LINES = 10
"""Messages shown of a dialogue that one goes into: half of a screen."""

_SLASHES = ("/", "\uff0f")
"""The second is what an input method for Chinese or Japanese makes of the key."""

_FILLERS = "\u2800\u3164\u115f\u1160\uffa0"
"""Braille without a dot and the fillers of Hangul: no blanks to Unicode, and nothing shows them."""


def encodable(raw: str) -> str:
    """Return a name given with a flag, with U+FFFD in place of invalid text."""
    return _LONE_SURROGATES.sub("\ufffd", raw)


def is_text(line: str) -> bool:
    """Tell whether a typed line is valid text: nothing else is sent, and nothing is replaced in it."""
    return _LONE_SURROGATES.search(line) is None


def read(
    line: str, current: ConversationId, known: Iterable[str], numbers: MessageNumbers | None = None, me: int = 0
) -> ParsedInput:
    """Parse a line.

    Args:
        line: as typed or pasted; may contain newlines.
        current: the active conversation.
        known: names that the line may mention.
        numbers: the messages that can be named.
        me: the user's own sender_id.
    """
    if not is_text(line):
        return InputError(catalogue.connection.NOT_TEXT(), secret=holds_secret(line))
    line = line.rstrip()  # a paste includes trailing newlines
    if line.strip().casefold() == "exit":
        return actions.LeaveChat()
    if line.startswith("//"):
        return actions.SendMessage(line[1:], current)
    if not line.startswith("/"):
        bare = _from_first_visible(line)
        if not bare.startswith(_SLASHES) or bare.startswith("//"):
            return actions.SendMessage(line, current)
        if not _is_about_secret(_split(f"/{bare[1:]}")[0]):
            return InputError(catalogue.connection.BLANK_BEFORE_COMMAND())
        line = f"/{bare[1:]}"
    word, rest = _split(line)
    word = _ALIASES.get(word.casefold(), word)
    here = current.room if isinstance(current, RoomKey) else LOBBY
    return (
        (None if isinstance(current, RoomKey) else _in_dialogue(word.casefold(), rest))
        or about_messages(word.casefold(), rest, current, numbers or MessageNumbers(), me)
        or about_rooms(word.casefold(), rest, here, known)
        or about_programs(word.casefold(), rest, here)
        or about_files(word.casefold(), rest, known)
        or about_links(word.casefold(), rest)
        or _command(word, rest, here, known)
    )


def _in_dialogue(word: str, rest: str) -> ParsedInput | None:
    """Parse what means another thing in a dialogue, which is no room; None for what is the same there."""
    if word in {"/join", "/leave"} and not rest:
        return BackToRoom()
    needs_room = word in ROOM_WORDS or (word == "/who" and not rest) or (word == "/hook" and "#" not in rest)
    return InputError(catalogue.rooms.NO_ROOM_HERE()) if needs_room else None


def as_typed(text: str) -> str:
    """Return what is typed to say a text: one that begins with a slash has another one before it."""
    return f"/{text}" if text.startswith("/") else text


def may_be_command(line: str) -> bool:
    """Tell whether a line may be meant as a command, also one that stands behind blanks."""
    return _from_first_visible(line).startswith(_SLASHES)


def holds_secret(line: str) -> bool:
    """Tell whether a line has a password after a command, even a misspelt one: such a line must not be remembered."""
    bare = _from_first_visible(line)
    word, rest = _split(f"/{bare[1:]}" if bare.startswith(_SLASHES) else bare)
    return bool(rest) and word.startswith("/") and _is_about_secret(word)


def _is_about_secret(word: str) -> bool:
    """Tell whether a command asks for a password, also where it is misspelt."""
    return _nearest(word.casefold(), _SUSPECTED) in _SECRET


def _from_first_visible(line: str) -> str:
    """Return a line without the blanks, controls and invisible characters that it begins with."""
    shown = (at for at, char in enumerate(line) if char not in _FILLERS and unicodedata.category(char)[0] not in "ZC")
    return line[next(shown, len(line)) :]


def _split(text: str) -> tuple[str, str]:
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0].strip() if rest else ""


def _nearest(word: str, similarity: float) -> str | None:
    return next(iter(difflib.get_close_matches(word, COMMANDS, n=1, cutoff=similarity)), None)


def _meant(word: str) -> str | None:
    nearest = _nearest(word, _SUGGESTED)
    return nearest if nearest is not None and abs(len(nearest) - len(word)) <= 1 else None


def _command(typed: str, rest: str, here: str, known: Iterable[str]) -> ParsedInput:  # noqa: C901, PLR0911, PLR0912 - one row a command
    match word := typed.casefold():
        case "/help":
            return _help(rest.casefold())
        case "/quit" | "/exit":
            return actions.LeaveChat()
        case "/who":
            return actions.AskWho(rest or here)
        case "/lang":
            return _language(rest)
        case "/rooms":
            return actions.AskRooms()
        case "/leave":
            words = rest.split()
            name = " ".join(word for word in words if word != "--yes")
            return actions.LeaveRoom(name or here, sure="--yes" in words)
        case "/join" if rest:
            return actions.JoinRoom(rest)
        case "/nick" if rest:
            return actions.ChooseName(rest.strip('"'))
        case "/me":
            return InputError(catalogue.connection.NO_ME())
        case "/msg":
            return _to_member(rest, known)
        case "/ignore" if rest:
            return actions.IgnorePerson(rest.strip('"'))
        case "/whois" if rest:
            return actions.AskPerson(rest.removeprefix("@").strip('"'))
        case "/join" | "/nick" | "/ignore" | "/whois":
            return InputError(usage(word))
        case _:
            why = catalogue.connection.unknown_command(typed, _meant(word))
            return _about_account(word, rest) or InputError(why, secret=_is_about_secret(word))


def _language(wanted: str) -> ParsedInput:
    try:
        return SetLanguage(given(excerpt(wanted, 20)) if wanted else "")
    except ValueError as error:
        return InputError(translated(error))


def _help(about: str) -> ParsedInput:
    """Show a page; a command is meant with and without its slash."""
    word = about if about in PAGES else f"/{about.removeprefix('/')}"
    word = _ALIASES.get(word, word)
    return ShowHelp(word) if word in PAGES else InputError(catalogue.rooms.no_such_help(about, COMMANDS))


def _about_account(word: str, rest: str) -> ParsedInput | None:  # noqa: PLR0911 - one row a command
    verb, argument = _split(rest)
    number = int(argument) if argument.isascii() and argument.isdigit() and len(argument) < 16 else None
    match word, verb.casefold():
        case "/register" | "/password", _:
            typed_openly = InputError(catalogue.accounts.TYPED_IN_THE_OPEN(), secret=True)
            return typed_openly if rest else AskPassword(_SECRET[word])
        case "/logout", "":
            return actions.EndLogin()
        case "/sessions", "" | "list" if not argument:
            return actions.AskLogins()
        case "/sessions", "end" if number is not None:
            return actions.EndLogin(number)
        case "/cert", "" | "list" if not argument:
            return actions.AskCertificates()
        case "/cert", "add":
            return AddCertificateFile(argument) if argument else actions.AddLoginCertificate()
        case "/cert", "remove" if number is not None:
            return actions.RemoveLoginCertificate(number)
        case "/sessions" | "/cert" | "/logout", _:
            return InputError(usage(word))
        case _:
            return None


def _to_member(rest: str, known: Iterable[str]) -> ParsedInput:
    """Send a direct message, or go into the dialogue; without a name, list the dialogues."""
    if not rest:
        return actions.ListConversations()
    match split_name("/msg", rest, known):
        case InputError() as ambiguous:
            return ambiguous
        case (name, text) if text:
            return actions.SendDirect(name, text)
        case (name, _):
            return actions.ShowDirectHistory(name, DIALOGUE_LINES, select=True)
        case _:
            return InputError(usage("/msg"))
