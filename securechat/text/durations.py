"""Durations such as ``90s`` or ``2h``, parsed and formatted, and times formatted for the operator."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from securechat.text.local_time import local

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WRITTEN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])", re.ASCII)
_EXAMPLES = "write a number and a unit: 90s, 10m, 2h, 7d, 4w"


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``10m``.

    Raises:
        ValueError: not a duration; the message shows valid ones.
    """
    found = _WRITTEN.fullmatch(text.strip().lower())
    if found is None:
        unitless = text.strip().isascii() and text.strip().isdigit()
        reason = f"{text.strip()} of what? " if unitless else f"{text!r} is no duration: "
        raise ValueError(f"{reason}{_EXAMPLES}")
    seconds = float(found[1]) * _UNITS_S[found[2]]
    if seconds <= 0:
        raise ValueError(f"{text!r} is no time at all: {_EXAMPLES}")
    return seconds


def shown_duration(seconds: float) -> str:
    """Format a duration in its two largest units: ``2 h 5 min``."""
    left = round(seconds)
    if left < 1:
        return "0 s"
    parts = []
    for unit_s, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, unit_s)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2])


def shown_time(at_ms: int) -> str:
    """Format a UTC time in milliseconds in the local time zone; ``never`` for 0."""
    if not at_ms:
        return "never"
    try:
        return f"{local(datetime.fromtimestamp(at_ms / 1000, UTC)):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"  # outside the calendar's range, from a damaged database
