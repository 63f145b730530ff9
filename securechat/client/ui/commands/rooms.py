"""Commands about rooms and their members. All apply to the active room."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.core import actions
from securechat.client.core.actions import ModerationVerb
from securechat.client.ui.commands.leading_name import split_name
from securechat.client.ui.commands.results import InputError, ParsedInput
from securechat.model import RoleName, SetRoom

_VERBS = {
    "/invite": ModerationVerb.INVITE,
    "/kick": ModerationVerb.KICK,
    "/ban": ModerationVerb.BAN,
    "/unban": ModerationVerb.UNBAN,
    "/mute": ModerationVerb.MUTE,
    "/unmute": ModerationVerb.UNMUTE,
}
WORDS = ("/topic", "/room", "/role", *_VERBS)
_SPAN = re.compile(r"([0-9]{1,8})([smhdw])(?:\s+|$)")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOST_S = 31_536_000
"""The longest ban or mute with an end (model.Moderate): a year."""
_MOST_SLOW_S = 86_400
_MOST_DAYS = 36_500
_LONGEST_NAME = 256
_LONGEST_TOPIC = 1_200
_LONGEST_REASON = 300
"""The most characters that the records allow (model.Whois, model.SetRoom, model.Moderate)."""
_SWITCHES = {"on": True, "off": False}
_EXAMPLES = {
    "private": "on",
    "read-only": "on",
    "slow": "10s",
    "retention": "30d",
    "history": "joined",
    "archived": "on",
    "name": "demo",
    "topic": "Demo",
}
"""A value of each setting, in words of every language."""
_SPELLINGS = {"readonly": "read-only", "slowmode": "slow", "slow-mode": "slow", "archive": "archived"}


def about_rooms(word: str, rest: str, here: str, known: Iterable[str]) -> ParsedInput | None:  # noqa: PLR0911 - one row a command
    """Parse a command about a room; None when it is another command.

    Args:
        word: the command, in lower case.
        rest: the text after it.
        here: the active room.
        known: names that the line may mention.
    """
    match word:
        case "/topic" if not rest:
            return actions.AskRoomSettings(here, topic_only=True)
        case "/topic" if len(rest) > _LONGEST_TOPIC:
            return InputError(catalogue.rooms.TOPIC_TOO_LONG(most=_LONGEST_TOPIC))
        case "/topic":
            return actions.ChangeRoomSettings(SetRoom(0, here, topic="" if rest == '""' else rest))
        case "/room" if not rest:
            return actions.AskRoomSettings(here)
        case "/room":
            return _setting(here, rest)
        case "/role":
            return _role(here, rest)
        case _ if word in _VERBS:
            return _order(here, word, rest, known)
        case _:
            return InputError(usage(word)) if word in WORDS else None


def seconds_of(text: str) -> int | None:
    """Return the seconds of a duration such as `10m`; None when it is not a duration."""
    found = _SPAN.fullmatch(text)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def _setting(here: str, rest: str) -> ParsedInput:
    verb, _, typed = rest.partition(" ")
    key, _, value = typed.strip().partition(" ")
    if verb.casefold() != "set":
        return InputError(_without_set(here, verb, rest[len(verb) :].strip()))
    if not key:
        return InputError(usage("/room"))
    key, value = key.casefold(), value.strip()
    key = _SPELLINGS.get(key, key)
    if key not in catalogue.rooms.SETTINGS:
        return InputError(catalogue.rooms.unknown_setting(key))
    command = _command_of(here, key, value)
    if command is None:
        return InputError(catalogue.rooms.wrong_setting(key, value))
    return actions.ChangeRoomSettings(command)


def _without_set(here: str, verb: str, value: str) -> str:
    """Say how a setting is changed, where what was typed has no ``set``."""
    key = verb.casefold()
    key = _SPELLINGS.get(key, key)
    if key not in _EXAMPLES:
        return catalogue.rooms.settings_need_set(usage("/room"), "slow", _EXAMPLES["slow"])
    good = value if _command_of(here, key, value) is not None else _EXAMPLES[key]
    return catalogue.rooms.set_left_out(key, good)


def _command_of(here: str, key: str, value: str) -> SetRoom | None:  # noqa: PLR0911 - one row a setting
    word = value.casefold()
    switch = _SWITCHES.get(word)
    seconds = 0 if word == "off" else seconds_of(word)
    match key:
        case "private" if switch is not None:
            return SetRoom(0, here, private=switch)
        case "read-only" if switch is not None:
            return SetRoom(0, here, read_only=switch)
        case "archived" if switch is not None:
            return SetRoom(0, here, archived=switch)
        case "slow" if seconds is not None and seconds <= _MOST_SLOW_S:
            return SetRoom(0, here, slow_s=seconds)
        case "retention" if seconds is not None and seconds % 86_400 == 0 and seconds // 86_400 <= _MOST_DAYS:
            return SetRoom(0, here, retention_days=seconds // 86_400)
        case "history" if word in {"joined", "all"}:
            return SetRoom(0, here, history="joined" if word == "joined" else "all")
        case "name" if 0 < len(value) <= _LONGEST_NAME:
            return SetRoom(0, here, name=value)
        case "topic" if 0 < len(value) <= _LONGEST_TOPIC:
            return SetRoom(0, here, topic=value)
        case _:
            return None


def _role(here: str, rest: str) -> ParsedInput:
    name, _, typed = rest.rpartition(" ")
    name = name.strip().strip('"')
    for role in get_args(RoleName):
        if name and typed.casefold() == role:
            return actions.ModerateMember(here, ModerationVerb.ROLE, name, role=role)
    return InputError(usage("/role"))


def _order(here: str, word: str, rest: str, known: Iterable[str]) -> ParsedInput:
    verb = _VERBS[word]
    if verb in {ModerationVerb.INVITE, ModerationVerb.UNBAN, ModerationVerb.UNMUTE}:
        name, more = rest.strip('"'), ""
    else:
        split = split_name(word, rest, known) or ("", "")
        if isinstance(split, InputError):
            return split
        name, more = split
    seconds = None
    if verb in {ModerationVerb.BAN, ModerationVerb.MUTE} and (found := _SPAN.match(more)) is not None:
        seconds, more = int(found[1]) * _UNITS[found[2]], more[found.end() :]
    elif verb in {ModerationVerb.BAN, ModerationVerb.MUTE} and more[:1].isdecimal():
        return InputError(catalogue.rooms.no_duration(more.split(maxsplit=1)[0]))  # not one without end
    if not name or len(name) > _LONGEST_NAME:
        return InputError(usage(word))
    if len(more) > _LONGEST_REASON:
        return InputError(catalogue.rooms.REASON_TOO_LONG(most=_LONGEST_REASON))
    if seconds is not None and not 0 < seconds <= _MOST_S:
        return InputError(catalogue.rooms.duration_too_long(_MOST_S))
    return actions.ModerateMember(here, verb, name, seconds, more)
