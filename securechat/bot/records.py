"""Messages, their changes, other events and refusals, as a program sees them.

They are the library's own and not the records of the wire, which may change with the protocol: fields are only added.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

# --- errors -----------------------------------------------------------------------------------------------------------


class BotError(Exception):
    """Base of all errors of the library."""


class StartupFailed(BotError):
    """There is no connection, or no login: the sentence says what to do."""


class Stopped(BotError):
    """The session is over: it was closed, or the server ended it for good; the sentence says why."""


class CursorNotKept(BotError):
    """The bot's cursor cannot be written to disk; without it, a message could be handled twice."""


class Refused(BotError):
    """The server, or this library by the server's rules, refuses a request. Nothing was stored or changed.

    Attributes:
        code: a word of the table in docs/protocol.md, section 9, by which a program decides; `queue_full`, `leaving`,
            `file_unusable` (one of this machine) and `transfer_failed` are this library's own.
        text: one sentence for a person, in English.
        arguments: what the sentence was made from.
        retry_after_s: seconds after which the same may succeed, where that is known.
    """

    code: str
    text: str
    arguments: dict[str, str | int]
    retry_after_s: float | None

    def __init__(
        self, code: str, text: str, arguments: Mapping[str, str | int] | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.arguments = dict(arguments or {})
        self.retry_after_s = retry_after_s


# --- people and messages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """A member of the server.

    Attributes:
        id: the number, which stays when the name changes.
        name: the name at that time.
    """

    id: int
    name: str


class Sent(int):
    """The seq of a message that the bot has sent, which `edit`, `delete` and `react` take as well.

    Attributes:
        target: where it stands: the name of a room, or the number of a person.
    """

    target: str | int

    def __new__(cls, seq: int, target: str | int) -> Self:
        """Return the number, with where its message stands."""
        made = super().__new__(cls, seq)
        made.target = target
        return made


@dataclass(frozen=True, kw_only=True)
class HeardFile:
    """A file of a message.

    Attributes:
        id: its number, random.
        name: as it is shown: a stranger's text, and not a path. `save` makes one that is safe on any disk.
        size: bytes.
        type: a media type by the ending of the name, or of a picture that the server wrote: no promise about the bytes.
        width: of a picture that the server wrote, pixels; 0 for every other file.
        height: likewise.
    """

    id: str
    name: str
    size: int
    type: str = "application/octet-stream"
    width: int = 0
    height: int = 0


@dataclass(frozen=True, kw_only=True)
class HeardMessage:
    """A message, as it was when it was heard.

    Attributes:
        seq: its number in the server's log: rising, never used twice.
        room: the room, without ``#``; None for a direct message.
        sender: who sent it, with the name at that time.
        to: the number of the other side of a direct message; None in a room.
        text: what it says; may have any character that a person can type. Empty where it only brings files.
        sent_at: when the server stored it, UTC.
        reply_to: the seq of the message that it answers.
        mentions: the numbers of the people that it mentions.
        mentions_me: whether the bot is one of them.
        own: whether the bot sent it.
        bot: whether a bot sent it.
        again: whether it was handed out before, to a run that ended while it handled it.
        files: its files.
    """

    seq: int
    room: str | None
    sender: Person
    to: int | None
    text: str
    sent_at: dt.datetime
    reply_to: int | None = None
    mentions: tuple[int, ...] = ()
    mentions_me: bool = False
    own: bool = False
    bot: bool = False
    again: bool = False
    files: tuple[HeardFile, ...] = ()

    @property
    def target(self) -> str | int:
        """Where the message stands: the name of a room, or the number of the other person."""
        if self.room is not None:
            return self.room
        return self.to if self.own and self.to is not None else self.sender.id


# --- what else happens ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edited:
    """The text of a message is another one. ``text`` is None where a later edit or a deletion has replaced it."""

    seq: int
    message: int
    room: str | None
    by: Person
    text: str | None


@dataclass(frozen=True)
class Deleted:
    """A message was deleted."""

    seq: int
    message: int
    room: str | None
    by: Person


@dataclass(frozen=True)
class Reacted:
    """A reaction was added to a message or, with ``on`` false, taken away."""

    seq: int
    message: int
    room: str | None
    by: Person
    emoji: str
    on: bool


@dataclass(frozen=True)
class Gap:
    """Messages that the bot will not hear: they were deleted for good while it was away, or the log is another one.

    Attributes:
        room: the room that they were in; None for any room.
        through: those up to this seq are gone; None for a log that begins anew.
    """

    room: str | None
    through: int | None


@dataclass(frozen=True)
class LeftRoom:
    """The bot is no longer in a room; ``text`` says why, where it did not leave by itself."""

    room: str
    text: str


@dataclass(frozen=True)
class Disconnected:
    """The connection is lost; the library connects again, and nothing is missed."""

    text: str


@dataclass(frozen=True)
class Reconnected:
    """The connection is back, and what was said meanwhile follows."""
