"""The modes of the terminal that a screen turns on, the way back, and the questions that it asks.

Everything turned on is turned off in the reverse order, whatever the end; what a terminal does not know, it ignores.
Names and numbers of modes: xterm's ctlseqs; keys: https://sw.kovidgoyal.net/kitty/keyboard-protocol/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from securechat.client.tty.controls import harmless
from securechat.client.ui.themes import reported_color

ANSWER_S = 0.1
"""Time for the terminal to tell its background, after which it is taken to be dark."""
MOST_TITLE_CHARS = 100
"""Of the window's title."""

MOUSE_ON = "\x1b[?1000h\x1b[?1002h\x1b[?1006h"
"""Clicks and the wheel, motion while a button is down and none else, as decimal numbers."""
MOUSE_OFF = "\x1b[?1006l\x1b[?1002l\x1b[?1000l"
WRAP_ON, WRAP_OFF = "\x1b[?7h", "\x1b[?7l"
ASK_BACKGROUND = "\x1b]11;?\x1b\\"
ASK_SYNCHRONIZED = "\x1b[?2026$p"
"""DSR 5 of ECMA-48 and its answer: the terminal has read everything that was written before."""
ASK_NOTIFICATIONS = "\x1b]99;i=securechat:p=?;\x1b\\"

_ENTER = (
    "\x1b[22;2t",  # keep the window's title
    "\x1b[?1049h",  # the alternate screen
    "\x1b[?1004h",  # focus reports
    "\x1b[?2004h",  # marks around what is pasted
    "\x1b[>1u",  # kitty: Shift+Enter is a key of its own; not all keys as sequences, which a crash would leave behind
    WRAP_OFF,
)
_LEAVE = (
    "\x1b[?2026l",
    "\x1b[m\x1b]8;;\x1b\\",
    WRAP_ON,
    "\x1b[<1u",
    "\x1b[?2004l",
    "\x1b[?1004l",
    "\x1b[?1049l",
    "\x1b[?25h",
    "\x1b[23;2t",
)
_BACKGROUND = re.compile(r"\x1b\]11;([^\x07\x1b]*)(?:\x07|\x1b\\)")


def entering(environ: Mapping[str, str], *, mouse: bool) -> str:
    """Return what turns everything on; Apple's terminal would print a question, and tmux passes none on."""
    asks = "" if environ.get("TERM_PROGRAM") == "Apple_Terminal" else ASK_SYNCHRONIZED
    if asks and not environ.get("TMUX") and not environ.get("STY"):
        asks += ASK_NOTIFICATIONS
    return "".join((*_ENTER, MOUSE_ON if mouse else "", asks))


def leaving() -> str:
    """Return what turns everything off, and gives title and screen back as they were."""
    return "".join((MOUSE_OFF, *_LEAVE))


def title(text: str) -> str:
    """Return what sets the window's title."""
    return f"\x1b]2;{harmless(text)[:MOST_TITLE_CHARS]}\x1b\\"


def background_of(answer: str) -> int | None:
    """Return the background that an answer tells, as 0xRRGGBB; None if it tells none."""
    found = _BACKGROUND.fullmatch(answer)
    return reported_color(found[1]) if found is not None else None


def knows_synchronized(answer: str) -> bool:
    """Tell whether an answer says that mode 2026 is there (DECRPM: 1 and 2; 0 and 4 are no)."""
    return re.fullmatch(r"\x1b\[\?2026;[123]\$y", answer) is not None


def knows_notifications(answer: str) -> bool:
    """Tell whether an answer says that the terminal shows notifications of OSC 99."""
    return answer.startswith("\x1b]99;i=securechat:p=?;")
