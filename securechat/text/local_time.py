"""The local time zone, for everything that is shown; UTC where the machine's zone cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime


def local(moment: datetime) -> datetime:
    """Convert a moment to the local time zone.

    An odd TZ gives an offset of a day or more, or a name that is not text; Python refuses both. The time is then UTC.

    Args:
        moment: with a time zone.
    """
    try:
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):
        return moment.astimezone(UTC)
