"""Times as HTTP writes them (RFC 9110, section 5.6.7): in English, whatever the locale is, which strftime asks."""

from __future__ import annotations

import time
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date() -> str:
    """Return the present time."""
    return http_date(int(time.time()))


@lru_cache(maxsize=4)
def http_date(second: int) -> str:
    """Return a time, in seconds since the epoch."""
    at = time.gmtime(second)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
