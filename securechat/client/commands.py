"""What a typed line means: an intent, something for the terminal itself, or a sentence about what is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from securechat.client import intents as want
from securechat.client import sentences
from securechat.client.state import Key, RoomKey
from securechat.names import LOBBY, longest_known_name

HISTORY_DEFAULT = 20
"""Messages of /history without a number: most of a screen of 24 rows."""
HISTORY_MOST = 10_000
"""Messages of /history at most: 50 pages, a few MB."""
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes that are no UTF-8 (surrogateescape, PEP 383): no codec takes them back."""


@dataclass(frozen=True, slots=True)
class Help:
    """Show the commands."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The line makes no sense; the sentence says why."""

    sentence: str


Meaning: TypeAlias = want.Intent | Help | Problem

COMMANDS = ("/help", "/who", "/join", "/leave", "/rooms", "/msg", "/history", "/nick", "/ignore", "/quit", "/exit")


def encodable(raw: str) -> str:
    """Return what a user gave us with U+FFFD for whatever was no text: every input goes through here first."""
    return _LONE_SURROGATES.sub("\ufffd", raw)


def read(line: str, current: Key, known: Iterable[str]) -> Meaning:
    """Understand a line.

    Args:
        line: as typed or pasted; may contain newlines.
        current: the conversation being looked at.
        known: names that may be meant.
    """
    line = encodable(line).rstrip()  # a paste brings the newlines behind it along
    if line.strip().casefold() == "exit":
        return want.Finish()
    if line.startswith("//"):
        return want.Speak(line[1:], current)
    if not line.startswith("/"):
        return want.Speak(line, current)
    word, _, rest = line.partition(" ")
    return _command(word.strip(), rest.strip(), current, known)


def _command(typed: str, rest: str, current: Key, known: Iterable[str]) -> Meaning:  # noqa: PLR0911 - one row a command
    here = current.room if isinstance(current, RoomKey) else LOBBY
    match word := typed.casefold():
        case "/help":
            return Help()
        case "/quit" | "/exit":
            return want.Finish()
        case "/who":
            return want.AskWho(rest or here)
        case "/rooms":
            return want.AskRooms()
        case "/leave":
            return want.Depart(rest or here)
        case "/join" if rest:
            return want.Enter(rest)
        case "/nick" if rest:
            return want.ChooseName(rest.strip('"'))
        case "/history":
            return _history(rest, current)
        case "/msg" | "/ignore":
            return _to_somebody(word, rest, known)
        case "/join" | "/nick":
            return Problem(sentences.usage(word))
        case _:
            nearest = difflib.get_close_matches(word, COMMANDS, n=1)
            return Problem(sentences.unknown_command(typed, nearest[0] if nearest else None))


def _history(rest: str, current: Key) -> Meaning:
    if not rest:
        return want.AskHistory(current, HISTORY_DEFAULT)
    if rest.isascii() and rest.isdigit() and 0 < int(rest[:9]) <= HISTORY_MOST:
        return want.AskHistory(current, int(rest))
    return Problem(sentences.history_count(rest, 1, HISTORY_MOST))


def _to_somebody(word: str, rest: str, known: Iterable[str]) -> Meaning:
    split = longest_known_name(rest, known)
    if split is None or (word == "/msg" and not split[1]):
        return Problem(sentences.usage(word))
    name, text = split
    return want.Whisper(name, text) if word == "/msg" else want.Ignore(name if not text else rest)
