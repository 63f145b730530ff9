"""The time at which a server was last sure of its clock, kept beside the log, so that a restart can judge the clock.

The log's own times would do where something is stored every day, and where no message was stored while the clock was
wrong. This file is written every hour, and only while the clock is believed (`hub.wall_clock`). It is a hint: one that
is missing, damaged or cannot be written costs nothing but that judgement.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
import time
from pathlib import Path

from securechat.files import read_regular
from securechat.hub.wall_clock import DOUBT_MS, HOLD_S, Doubt
from securechat.translation import Sentence

NAME = "clock"
_MOST_BYTES = 64
_LATEST_MS = 2**53


def since_boot_s() -> float:
    """Return monotonic seconds that go on while the machine sleeps, where the system counts them (Linux)."""
    if sys.platform == "linux":
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
    else:
        seconds = time.monotonic()
    return seconds


def read_time(data: Path) -> int:
    """Return the time that a data directory remembers, UTC milliseconds; 0 for none."""
    try:
        at_ms = int(read_regular(data / NAME, _MOST_BYTES))
    except (OSError, ValueError):
        return 0
    return at_ms if 0 < at_ms < _LATEST_MS else 0


def write_time(data: Path, at_ms: int) -> None:
    """Remember a time; not synced, because an older one does as well."""
    temporary = data / f".{NAME}.tmp"
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)  # follows no link
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="ascii") as file:
            file.write(f"{at_ms}\n")
        temporary.replace(data / NAME)


def doubt_at_rest(data: Path, now_ms: int) -> Doubt | None:
    """Return what a server would doubt if it started now; None when it would believe the clock.

    Args:
        data: the data directory; no server runs on it.
        now_ms: what the machine's clock says, UTC.
    """
    last_ms = read_time(data)
    return Doubt(now_ms, last_ms, HOLD_S) if last_ms and abs(now_ms - last_ms) > DOUBT_MS else None


def doubt_sentence(doubt: Doubt) -> Sentence:
    """Return the warning for the operator about a clock that is far off."""
    clock, expected = (_day(at_ms) for at_ms in (doubt.clock_ms, doubt.expected_ms))
    if doubt.clock_ms < doubt.expected_ms:
        return Sentence(
            "the clock says {clock}, but by the data directory it should be {expected}: the clock is wrong now, or it "
            "was ahead when the server last ran. Until the clock has stayed so for a day, nothing is deleted for its "
            "age and no login ends; if it is wrong, set it right before then",
            clock=clock,
            expected=expected,
        )
    return Sentence(
        "the clock says {clock}, but by the data directory it should be {expected}: the server was off for so long, or "
        "the clock is wrong. Until the clock has stayed so for a day, nothing is deleted for its age and no login "
        "ends; if it is wrong, set it right before then",
        clock=clock,
        expected=expected,
    )


def _day(at_ms: int) -> str:
    """Return a time as `date -u` can be compared with it, the same in every language."""
    try:
        return f"{dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return Sentence("a date outside the calendar")
