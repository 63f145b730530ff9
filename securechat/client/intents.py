"""What a user can want, as frozen records: how a terminal or a full screen tells the core anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from securechat.client.state import Key


@dataclass(frozen=True, slots=True)
class ChooseName:
    """Use this name: the answer to NameNeeded and NameRefused; later the same as a change of name."""

    name: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say something where one is: in a room, or to a person known by id."""

    text: str
    target: Key


@dataclass(frozen=True, slots=True)
class Whisper:
    """Say something to one person, by name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Join a room and look at it."""

    room: str


@dataclass(frozen=True, slots=True)
class Depart:
    """Leave a room."""

    room: str


@dataclass(frozen=True, slots=True)
class LookAt:
    """Make a conversation the current one: its unread count falls to zero."""

    target: Key


@dataclass(frozen=True, slots=True)
class AskWho:
    """Who is in a room?"""

    room: str


@dataclass(frozen=True, slots=True)
class AskRooms:
    """Which rooms are there?"""


@dataclass(frozen=True, slots=True)
class AskHistory:
    """The last ``count`` messages of a conversation."""

    target: Key
    count: int


@dataclass(frozen=True, slots=True)
class Ignore:
    """Hide what this person says, or show it again. Nobody is told."""

    name: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Leave: wait for acknowledgements up to ``patience_s``, then go. A second one goes at once."""

    patience_s: float = 3.0


Intent: TypeAlias = (
    ChooseName | Speak | Whisper | Enter | Depart | LookAt | AskWho | AskRooms | AskHistory | Ignore | Finish
)
