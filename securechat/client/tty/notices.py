"""Notifies through the terminal: OSC 99, 777 or 9 by what the terminal says that it is, else the bell.

Sequences: https://sw.kovidgoyal.net/kitty/desktop-notifications/ (99), rxvt-unicode and VTE (777), iTerm2
(9). tmux and screen pass none of them on, and pass on the bell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from securechat.client.tty.controls import harmless

BELL = "\a"
MOST_CHARS = 200
"""Of a notification."""
_INSIDE = ("TMUX", "STY")
_OSC_777 = re.compile(r"foot|rxvt|ghostty")
_OSC_9 = frozenset({"iTerm.app", "WezTerm", "ghostty", "vscode"})


class NoticeSequence(Enum):
    """What a terminal understands."""

    OSC_99 = "99"
    OSC_777 = "777"
    OSC_9 = "9"
    NONE = "none"


def known_sequence(environ: Mapping[str, str], *, answered_99: bool) -> NoticeSequence:
    """Return what a terminal understands, by its answer and its name."""
    if any(environ.get(name) for name in _INSIDE):
        return NoticeSequence.NONE
    if answered_99:
        return NoticeSequence.OSC_99
    if environ.get("TERM_PROGRAM") in _OSC_9:
        return NoticeSequence.OSC_9
    return NoticeSequence.OSC_777 if _OSC_777.search(environ.get("TERM", "")) else NoticeSequence.NONE


def notifying(text: str, sequence: NoticeSequence, *, rings: bool) -> str:
    """Return what notifies; the bell, or nothing, where the terminal knows no notification."""
    text = harmless(text)[:MOST_CHARS]
    match sequence:
        case NoticeSequence.OSC_99:
            return f"\x1b]99;i=securechat:d=1;{text}\x1b\\"
        case NoticeSequence.OSC_777:
            return f"\x1b]777;notify;securechat;{text.replace(';', ',')}\x1b\\"
        case NoticeSequence.OSC_9:
            return f"\x1b]9;{text}\x1b\\"
        case NoticeSequence.NONE:
            return BELL if rings else ""
