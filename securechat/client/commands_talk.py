"""What the commands about messages mean: answering, mending, reacting, searching, and what was not read.

A message is named by the number beside it; without one, by being the last own line of the conversation.
"""

from __future__ import annotations

import re

from securechat.client import intents as want
from securechat.client import sentences
from securechat.client import sentences_talk as talk
from securechat.client.amending import has_reacted
from securechat.client.meanings import Day, Meaning, Prefill, Problem
from securechat.client.numbers import Numbered, Numbers
from securechat.client.sentences_help import usage
from securechat.client.state import Key, RoomKey
from securechat.limits import MAX_SIGN_CHARS
from securechat.model import RevisionKind
from securechat.text import visible

WORDS = ("/reply", "/edit", "/delete", "/react", "/search", "/more", "/unread", "/jump", "/around", "/typing")
HISTORY_DEFAULT = 20
"""Messages of /history without a number: most of a screen of 24 rows."""
HISTORY_MOST = 10_000
"""Messages of /history at most: 50 pages, a few MB."""
_NUMBER = re.compile(r"\[?([0-9]{1,9})\]?(?:\s|$)")
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\s+(\S+))?$")
_LONGEST_QUERY = 500
"""Characters a Search can carry (model.Search)."""


def about_messages(word: str, rest: str, current: Key, numbers: Numbers, me: int) -> Meaning | None:  # noqa: C901, PLR0911, PLR0912 - one row a command
    """Understand a command about messages; None when it is none.

    Args:
        word: the command, in lower case.
        rest: what stands behind it.
        current: the conversation looked at.
        numbers: which number stands beside which message.
        me: one's own sender_id.
    """
    match word:
        case "/reply":
            return _reply(rest, numbers)
        case "/edit":
            return _edit(rest, current, numbers, me)
        case "/delete":
            return _delete(rest, current, numbers, me)
        case "/react":
            return _react(rest, numbers, me)
        case "/search" if rest and len(rest) <= _LONGEST_QUERY:
            return want.Search(rest)
        case "/search" | "/more" if not rest:
            return want.SearchOn()
        case "/unread" if not rest:
            return want.ListUnread()
        case "/unread" if _is_number(rest):
            return want.ShowUnread(int(rest))
        case "/jump" if not rest:
            return want.ShowUnread()
        case "/around":
            return _around(rest, numbers)
        case "/history":
            return _history(rest, current)
        case "/typing" if rest in {"", "on", "off"}:
            return want.SwitchTyping({"": None, "on": True, "off": False}[rest])
        case _ if word in WORDS:
            return Problem(usage(word))
        case _:
            return None


def _reply(rest: str, numbers: Numbers) -> Meaning:
    named, text = _named(rest, numbers)
    if isinstance(named, Numbered) and text:
        return want.Speak(text, named.key, reply=named.seq)
    return named if isinstance(named, Problem) else Problem(usage("/reply"))


def _edit(rest: str, current: Key, numbers: Numbers, me: int) -> Meaning:
    named, text = _named(rest, numbers)
    if named is None:
        named, text = numbers.last_own(current, me) or Problem(talk.NO_OWN_LINE), rest
        if not rest:
            return _prefill(named)
    if isinstance(named, Problem):
        return named
    return want.Revise(named.key, RevisionKind.EDIT, named.seq, text) if text else _prefill(named)


def _prefill(named: Numbered | Problem) -> Meaning:
    if isinstance(named, Problem):
        return named
    message = named.message
    if message is None or message.deleted is not None or visible(message.text) != message.text:
        gone = message is not None and message.deleted is not None
        return Problem(talk.not_editable(named.number, deleted=gone))  # an input line shows what is in it as it is
    return Prefill(f"/edit {named.number} {message.text}")


def _delete(rest: str, current: Key, numbers: Numbers, me: int) -> Meaning:
    named, text = _named(rest, numbers)
    if named is None and not rest:
        named = numbers.last_own(current, me) or Problem(talk.NO_OWN_LINE)
    if isinstance(named, Problem):
        return named
    if named is None or text:
        return Problem(usage("/delete"))
    return want.Revise(named.key, RevisionKind.DELETE, named.seq)


def _react(rest: str, numbers: Numbers, me: int) -> Meaning:
    named, sign = _named(rest, numbers)
    if isinstance(named, Problem):
        return named
    sign = sign.strip()
    away = len(sign) > 1 and sign.startswith("-")
    sign = sign[1:] if away else sign
    if named is None or not sign or len(sign) > MAX_SIGN_CHARS:
        return Problem(usage("/react"))
    away = away or (named.message is not None and has_reacted(named.message, sign, me))
    return want.Revise(named.key, RevisionKind.UNREACT if away else RevisionKind.REACT, named.seq, sign=sign)


def _around(rest: str, numbers: Numbers) -> Meaning:
    named, text = _named(rest, numbers)
    if isinstance(named, Numbered) and not text:
        return want.Jump(named.key, around=named.seq)
    return named if isinstance(named, Problem) else Problem(usage("/around"))


def _history(rest: str, current: Key) -> Meaning:
    if not rest:
        return want.AskHistory(current, HISTORY_DEFAULT)
    if (day := _DAY.match(rest)) is not None:
        return Day(RoomKey(day[2].removeprefix("#").lower()) if day[2] else current, day[1])
    if _is_number(rest) and 0 < int(rest[:9]) <= HISTORY_MOST:
        return want.AskHistory(current, int(rest))
    return Problem(sentences.history_count(rest, 1, HISTORY_MOST))


def _named(rest: str, numbers: Numbers) -> tuple[Numbered | Problem | None, str]:
    """Split off the number of a message; None when what follows does not begin with a number."""
    if (found := _NUMBER.match(rest)) is None:
        return None, rest
    named = numbers.find(int(found[1]))
    return named or Problem(talk.no_such_number(found[1])), rest[found.end() :]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
