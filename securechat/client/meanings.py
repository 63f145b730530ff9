"""What a typed line can mean besides an intent: something for whoever reads lines, or what is wrong with it."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from securechat.client import intents as want
from securechat.client.asking import Purpose
from securechat.client.state import Key


class Help(Struct, frozen=True):
    """Show the commands, or a page about some of them."""

    page: str = ""


class Problem(Struct, frozen=True):
    """The line makes no sense; the sentence says why."""

    sentence: str


class Secretly(Struct, frozen=True):
    """Ask for passwords where nobody can read them; `asking.Dialogue` makes an intent of them."""

    purpose: Purpose


class CertificateFile(Struct, frozen=True):
    """Add the certificate in this file; whoever can read files makes an intent of it."""

    path: str


class Prefill(Struct, frozen=True):
    """Put this line into the input line, to be changed there."""

    line: str


class Day(Struct, frozen=True):
    """Show a conversation from a day on; whoever knows the time zone makes an intent of it."""

    target: Key
    date: str


Meaning: TypeAlias = want.Intent | Help | Problem | Secretly | CertificateFile | Prefill | Day
