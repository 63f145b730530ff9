"""The local time zone, for what is shown and for days that are named; UTC where the machine's zone cannot be used."""

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


def begin_of_day_ms(year: int, month: int, day: int) -> int:
    """Return when a day begins in the zone of `local`, in UTC milliseconds.

    That is its first midnight where it has two, and the end of the gap where it has none.

    Raises:
        ValueError: there is no such day, or it is outside the calendar of this platform.
    """
    midnight = datetime(year, month, day)  # noqa: DTZ001 - local; a naive time's timestamp() knows about gaps
    in_utc = midnight.replace(tzinfo=UTC)
    try:
        in_utc.astimezone()
    except (ValueError, OverflowError, OSError):
        midnight = in_utc  # as `local` shows it
    try:
        return int(midnight.timestamp() * 1000)
    except (OverflowError, OSError) as error:  # which one it is for distant years differs by platform
        raise ValueError(str(error)) from error
