"""The time of day beside messages, the day above them, and the names of days that a person types.

A date itself stays in the order of ISO 8601 in every language, because it is typed back: /history 2026-11-20.
"""

from __future__ import annotations

import datetime as dt
import re

from securechat.translation import _, language, pgettext
from securechat.translation.cldr import ENGLISH, FORMATS_OF
from securechat.translation.formatting import format_clock


def clock(moment: dt.datetime) -> str:
    """Return a local time of day, five cells wide: ``06:13``, in Indonesian ``06.13``."""
    return format_clock(moment, FORMATS_OF.get(language(), ENGLISH))


def separator(moment: dt.date) -> str:
    """Return the day that stands above its first message: ``Friday, 20 Nov 2026``."""
    return _("{moment:weekday}, {moment:date}", moment=moment)


def relative_days() -> dict[str, int]:
    """Return the names of today and yesterday in English and the user's language, with how many days ago each was."""
    today, yesterday = _today_and_yesterday()
    return {"today": 0, "yesterday": 1, today: 0, yesterday: 1}


def _today_and_yesterday() -> tuple[str, str]:
    # Translators: typed after /history, so without a blank: a hyphen in its place. Lower case.
    return pgettext("a day that is typed", "today"), pgettext("a day that is typed", "yesterday")


def weekdays() -> dict[str, int]:
    """Return the names of the days of the week in English and the user's language, lower case; Monday is 0."""
    shown = FORMATS_OF.get(language(), ENGLISH).weekdays
    return {name.casefold(): index for names in (ENGLISH.weekdays, shown) for index, name in enumerate(names)}


def joined_name(typed: str) -> str:
    """Return a typed text with the hyphen of a day's name that it begins with: ``hari ini 50`` is ``hari-ini 50``."""
    for name in relative_days():
        words = name.replace("-", " ")
        if typed.casefold() == words or typed.casefold().startswith(f"{words} "):
            return name + typed[len(words) :]
    return typed


def search_in_english(query: str) -> str:
    """Return a search with the English names of days in its filters, which the server knows: ``after:yesterday``."""
    names = dict(zip(_today_and_yesterday(), ("today", "yesterday"), strict=True))
    days = "|".join(map(re.escape, names))
    return re.sub(
        rf"(?<!\S)((?:before|after):)({days})(?!\S)",
        lambda found: found[1] + names[found[2].casefold()],
        query,
        flags=re.IGNORECASE,
    )
