"""The results of parsing a line, other than actions: requests to the terminal, and errors."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from securechat.client.core import actions
from securechat.client.core.state import ConversationId
from securechat.client.ui.input.password_prompt import PasswordPurpose


class ShowHelp(Struct, frozen=True):
    """Show the commands, or a help page about some of them."""

    page: str = ""


class InputError(Struct, frozen=True):
    """The line is invalid; ``sentence`` gives the reason.

    Attributes:
        sentence: for the user.
        secret: whether the line asked for a password, so that the next lines may be some.
    """

    sentence: str
    secret: bool = False


class AskPassword(Struct, frozen=True):
    """Ask for passwords with hidden input; `PasswordPrompt` turns them into an action."""

    purpose: PasswordPurpose


class AddCertificateFile(Struct, frozen=True):
    """Add the certificate in this file; the terminal reads it and makes the action."""

    path: str


class BackToRoom(Struct, frozen=True):
    """Leave a dialogue for the room that was current before."""


class PrefillInput(Struct, frozen=True):
    """Put this line into the input line, for editing."""

    line: str


class SetLanguage(Struct, frozen=True):
    """Change the language to one that there is; empty: show the one in use, and the others."""

    code: str = ""


class HistoryRequest(Struct, frozen=True):
    """Show earlier messages; the time zone decides when a day begins.

    Attributes:
        target: a conversation, or what was typed for one: ``#room``, ``@name``, or a word that may be either.
        count: so many of the last ones, where ``date`` is empty.
        date: those from a day on.
    """

    target: ConversationId | str
    count: int = 0
    date: str = ""


class UploadRequest(Struct, frozen=True):
    """Send files of this machine in a message.

    Attributes:
        path: of the first one, as typed.
        rest: what stands behind it; see `securechat.client.ui.commands.files.further_files`.
        to: the name of the person it goes to; empty for the active conversation.
        as_file: pictures stay as they are.
    """

    path: str
    rest: str = ""
    to: str = ""
    as_file: bool = False


class SaveRequest(Struct, frozen=True):
    """Save files of a message.

    Attributes:
        number: of the message, as typed.
        place: of the one file among several, from 1 on; None for all.
        path: as typed, None for the usual place.
    """

    number: str
    place: int | None = None
    path: str | None = None


class TimeRequest(Struct, frozen=True):
    """Tell when a message was sent; ``number`` as typed."""

    number: str


class LinkVerb(Enum):
    """What is done with a link of a message."""

    OPEN = "/open"
    COPY = "/copy"
    PRINT = "/url"


class LinkRequest(Struct, frozen=True):
    """Open, copy or print links of a message.

    Attributes:
        verb: which of them.
        number: of the message, as typed.
        place: of the one link among several, from 1 on; None for none typed.
        whole_text: copy the text of the message instead.
    """

    verb: LinkVerb
    number: str
    place: int | None = None
    whole_text: bool = False


ParsedInput: TypeAlias = (
    actions.Action
    | ShowHelp
    | InputError
    | AskPassword
    | AddCertificateFile
    | PrefillInput
    | BackToRoom
    | HistoryRequest
    | SetLanguage
    | UploadRequest
    | SaveRequest
    | LinkRequest
    | TimeRequest
)
