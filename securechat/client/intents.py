"""What a user can want, as frozen records: how a terminal or a full screen tells the core anything."""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class GivePassword:
    """The answer to PasswordNeeded."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Register:
    """Make the name that one has as a guest one's own."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Another password for the account."""

    old: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskLogins:
    """Where is the account logged in?"""


@dataclass(frozen=True, slots=True)
class EndLogin:
    """End a login of the account, by number; without one this login, and the client with it."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class AskCertificates:
    """Which client certificates log in to the account?"""


@dataclass(frozen=True, slots=True)
class AddCertificate:
    """Let a client certificate log in: the one with this fingerprint, or the one that was shown."""

    fingerprint: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class RemoveCertificate:
    """Let a certificate log in no longer, by number."""

    number: int


AccountIntent: TypeAlias = (
    Register | ChangePassword | AskLogins | EndLogin | AskCertificates | AddCertificate | RemoveCertificate
)
Intent: TypeAlias = (
    ChooseName
    | GivePassword
    | Speak
    | Whisper
    | Enter
    | Depart
    | LookAt
    | AskWho
    | AskRooms
    | AskHistory
    | Ignore
    | AccountIntent
    | Finish
)
