"""What a typed line means: an intent, something for the terminal itself, or a sentence about what is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from securechat.client import intents as want
from securechat.client import sentences
from securechat.client import sentences_accounts as accounts
from securechat.client import sentences_talk as talk
from securechat.client.asking import Purpose
from securechat.client.commands_rooms import WORDS as ROOM_WORDS
from securechat.client.commands_rooms import about_rooms
from securechat.client.commands_talk import WORDS as TALK_WORDS
from securechat.client.commands_talk import about_messages
from securechat.client.meanings import CertificateFile, Help, Meaning, Problem, Secretly
from securechat.client.numbers import Numbers
from securechat.client.sentences_help import PAGES, usage
from securechat.client.state import Key, RoomKey
from securechat.names import LOBBY, longest_known_name

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes that are no UTF-8 (surrogateescape, PEP 383): no codec takes them back."""


_SECRET = {"/register": Purpose.REGISTER, "/password": Purpose.CHANGE}
COMMANDS = (
    *("/help", "/who", "/join", "/leave", "/rooms", "/msg", "/history", "/nick", "/ignore", "/quit", "/exit"),
    *(*_SECRET, "/sessions", "/logout", "/cert"),
    *(*TALK_WORDS, *ROOM_WORDS),
)


def encodable(raw: str) -> str:
    """Return what a user gave us with U+FFFD for whatever was no text: every input goes through here first."""
    return _LONE_SURROGATES.sub("\ufffd", raw)


def read(line: str, current: Key, known: Iterable[str], numbers: Numbers | None = None, me: int = 0) -> Meaning:
    """Understand a line.

    Args:
        line: as typed or pasted; may contain newlines.
        current: the conversation being looked at.
        known: names that may be meant.
        numbers: which number stands beside which message.
        me: one's own sender_id.
    """
    line = encodable(line).rstrip()  # a paste brings the newlines behind it along
    if line.strip().casefold() == "exit":
        return want.Finish()
    if line.startswith("//"):
        return want.Speak(line[1:], current)
    if not line.startswith("/"):
        return want.Speak(line, current)
    word, rest = _split(line)
    here = current.room if isinstance(current, RoomKey) else LOBBY
    return (
        about_messages(word.casefold(), rest, current, numbers or Numbers(), me)
        or about_rooms(word.casefold(), rest, here, known)
        or _command(word, rest, here, known)
    )


def holds_secret(line: str) -> bool:
    """Tell whether somebody typed a password behind a command, well spelt or not: nothing may remember such a line."""
    word, rest = _split(line)
    return bool(rest) and word.startswith("/") and _nearest(word.casefold()) in _SECRET


def _split(text: str) -> tuple[str, str]:
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0].strip() if rest else ""


def _nearest(word: str) -> str | None:
    return next(iter(difflib.get_close_matches(word, COMMANDS, n=1)), None)


def _command(typed: str, rest: str, here: str, known: Iterable[str]) -> Meaning:  # noqa: PLR0911 - one row a command
    match word := typed.casefold():
        case "/help":
            return Help(rest.casefold()) if rest.casefold() in PAGES else Problem(talk.NO_SUCH_HELP)
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
        case "/msg" | "/ignore":
            return _to_somebody(word, rest, known)
        case "/join" | "/nick":
            return Problem(usage(word))
        case _:
            return _about_account(word, rest) or Problem(sentences.unknown_command(typed, _nearest(word)))


def _about_account(word: str, rest: str) -> Meaning | None:  # noqa: PLR0911 - one row a command
    verb, argument = _split(rest)
    number = int(argument) if argument.isascii() and argument.isdigit() and len(argument) < 16 else None
    match word, verb.casefold():
        case "/register" | "/password", _:
            return Problem(accounts.TYPED_IN_THE_OPEN) if rest else Secretly(_SECRET[word])
        case "/logout", "":
            return want.EndLogin()
        case "/sessions", "" | "list" if not argument:
            return want.AskLogins()
        case "/sessions", "end" if number is not None:
            return want.EndLogin(number)
        case "/cert", "" | "list" if not argument:
            return want.AskCertificates()
        case "/cert", "add":
            return CertificateFile(argument) if argument else want.AddCertificate()
        case "/cert", "remove" if number is not None:
            return want.RemoveCertificate(number)
        case "/sessions" | "/cert" | "/logout", _:
            return Problem(usage(word))
        case _:
            return None


def _to_somebody(word: str, rest: str, known: Iterable[str]) -> Meaning:
    split = longest_known_name(rest, known)
    if split is None or (word == "/msg" and not split[1]):
        return Problem(usage(word))
    name, text = split
    return want.Whisper(name, text) if word == "/msg" else want.Ignore(name if not text else rest)
