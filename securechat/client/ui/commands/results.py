"""What a typed line can mean besides an intent: something for whoever reads lines, or what is wrong with it."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from securechat.client.core import actions
from securechat.client.core.state import ConversationId
from securechat.client.ui.password_prompt import PasswordPurpose


class ShowHelp(Struct, frozen=True):
    """Show the commands, or a page about some of them."""

    page: str = ""


class InputError(Struct, frozen=True):
    """The line makes no sense; the sentence says why."""

    sentence: str


class AskPassword(Struct, frozen=True):
    """Ask for passwords where nobody can read them; `asking.Dialogue` makes an intent of them."""

    purpose: PasswordPurpose


class AddCertificateFile(Struct, frozen=True):
    """Add the certificate in this file; whoever can read files makes an intent of it."""

    path: str


class PrefillInput(Struct, frozen=True):
    """Put this line into the input line, to be changed there."""

    line: str


class HistoryFromDate(Struct, frozen=True):
    """Show a conversation from a day on; whoever knows the time zone makes an intent of it."""

    target: ConversationId
    date: str


ParsedInput: TypeAlias = (
    actions.Action | ShowHelp | InputError | AskPassword | AddCertificateFile | PrefillInput | HistoryFromDate
)
