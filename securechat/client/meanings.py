"""What a typed line can mean besides an intent: something for whoever reads lines, or what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from securechat.client import intents as want
from securechat.client.asking import Purpose
from securechat.client.state import Key


@dataclass(frozen=True, slots=True)
class Help:
    """Show the commands, or a page about some of them."""

    page: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """The line makes no sense; the sentence says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Secretly:
    """Ask for passwords where nobody can read them; `asking.Dialogue` makes an intent of them."""

    purpose: Purpose


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """Add the certificate in this file; whoever can read files makes an intent of it."""

    path: str


@dataclass(frozen=True, slots=True)
class Prefill:
    """Put this line into the input line, to be changed there."""

    line: str


@dataclass(frozen=True, slots=True)
class Day:
    """Show a conversation from a day on; whoever knows the time zone makes an intent of it."""

    target: Key
    date: str


Meaning: TypeAlias = want.Intent | Help | Problem | Secretly | CertificateFile | Prefill | Day
