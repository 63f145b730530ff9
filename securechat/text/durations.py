"""Durations such as ``90s`` or ``2h``, parsed and formatted, and times formatted for the operator.

What is shown is in the language of the person; what is logged is in English. A time has the form of ISO 8601 in every
language: it stands in columns, is compared with the operator's log, and is typed back.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from securechat.text.local_time import local
from securechat.translation import Sentence, pgettext
from securechat.translation.formatting import format_text

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WRITTEN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``10m``.

    Raises:
        ValueError: not a duration; its `Sentence` shows valid ones.
    """
    written = text.strip()
    found = _WRITTEN.fullmatch(written.lower())
    if found is None and written.isascii() and written.isdigit():
        raise ValueError(Sentence("{number} of what? write a number and a unit: 90s, 10m, 2h, 7d, 4w", number=written))
    if found is None:
        raise ValueError(
            Sentence("{text} is no duration: write a number and a unit: 90s, 10m, 2h, 7d, 4w", text=repr(text))
        )
    seconds = float(found[1]) * _UNITS_S[found[2]]
    if seconds <= 0:
        raise ValueError(
            Sentence("{text} is no time at all: write a number and a unit: 90s, 10m, 2h, 7d, 4w", text=repr(text))
        )
    return seconds


def logged_duration(seconds: float) -> str:
    """Return a duration in its two largest units, ``2 h 5 min``, in English: for what is logged and stored."""
    return format_text("{time:shortduration}", {"time": seconds})


def shown_time(at_ms: int) -> str:
    """Return a UTC time in milliseconds in the local time zone, for a person; ``never`` for 0."""
    # Translators: when something was last seen or used, in a table
    return logged_time(at_ms) if at_ms else pgettext("of a time", "never")


def logged_time(at_ms: int) -> str:
    """Return a UTC time in milliseconds in the local time zone, for what is logged and stored; ``never`` for 0."""
    if not at_ms:
        return "never"
    try:
        return f"{local(datetime.fromtimestamp(at_ms / 1000, UTC)):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"  # outside the calendar's range, from a damaged database
