"""Parses a typed search into words, phrases and filters.

    deploy* "two words" from:"user1 pc" in:#ops after:2026-11 has:link

Everything that is not a filter is searched as text, ``https://example.org`` and ``std::move`` included: a word with a
colon is a filter only if one of the five filter names stands before the colon. All parts must match; of several
``from:`` or several ``in:`` one is enough. Days are those of the caller: a client has the user's, the server UTC.

It resolves no names and checks no permissions.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from typing import NamedTuple

from securechat.errors import Refusal
from securechat.text.refusals import refusal_for
from securechat.text.tokenizer import words_of

MAX_WORDS = 20
"""Words and phrases of one search; each costs an index look-up."""
MAX_FILTERS = 20
"""Filters of one search."""

FILTERS = ("from", "in", "before", "after", "has")
"""The names of the filters."""

_DAY_MS = 86_400_000
_PART = re.compile(
    r"""(?:(?P<key>from|in|before|after|has):)?      # a filter,
        (?:"(?P<quoted>[^"]*)(?:"|$)(?P<star>\*)?    # then a phrase, perhaps without its end, perhaps a beginning
        |(?P<plain>(?:[^\s"]|(?<=[^\s:])")+))?       # or a word; a quotation mark inside of it is its own""",
    re.VERBOSE | re.IGNORECASE,
)
_LIKE_A_FILTER = re.compile(r"([a-zA-Z]{2,10}):(?=$|[^\W\d_]|[@#]|\d{4}-)")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


class Calendar(NamedTuple):
    """The calendar that a search is read with.

    Attributes:
        today_ms, yesterday_ms: when these days began, milliseconds since the epoch, UTC.
        begin_ms: returns when a day (year, month, day) begins, likewise; raises ValueError for what is no day.
    """

    today_ms: int
    yesterday_ms: int
    begin_ms: Callable[[int, int, int], int]


def utc_days(now_ms: int) -> Calendar:
    """Return the calendar of UTC at a time, milliseconds since the epoch."""
    today_ms = now_ms - now_ms % _DAY_MS
    return Calendar(today_ms, today_ms - _DAY_MS, _utc_begin_ms)


def _utc_begin_ms(year: int, month: int, day: int) -> int:
    if year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]:
        return 1000 * calendar.timegm((year, month, day, 0, 0, 0))
    raise ValueError((year, month, day))


class ParsedSearch(NamedTuple):
    """A parsed search.

    Attributes:
        words: as `SearchQuery.words`: each a phrase; a last ``*`` matches any word with this prefix.
        senders: names, as typed.
        rooms: names, as typed; a leading ``#`` may be there.
        before_ms, after_ms: sent before, or at or after, milliseconds since the epoch.
        has_link: only with a link.
    """

    words: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    before_ms: int | None = None
    after_ms: int | None = None
    has_link: bool = False


def parse(text: str, days: Calendar) -> ParsedSearch:
    """Parse a typed search.

    Args:
        text: the search as typed.
        days: tells when a day begins.

    Raises:
        Refusal: QUERY_INVALID with a sentence that tells what to change.
    """
    words: list[str] = []
    filters: dict[str, list[str]] = {name: [] for name in FILTERS}
    for part in _parts(text):
        if part.key:
            filters[part.key].append(part.value)
        elif words_of(part.value):
            if part.excludes:  # elsewhere it leaves out the word: finding it instead would be the opposite
                raise refusal_for("search_cannot_exclude")
            words.append(part.value)
    if len(words) > MAX_WORDS:
        raise refusal_for("search_too_many_words", most=MAX_WORDS)
    count = sum(map(len, filters.values()))
    if count > MAX_FILTERS:
        raise refusal_for("search_too_many_filters", most=MAX_FILTERS)
    if not words and not count:
        raise refusal_for("search_empty")
    for key, values in filters.items():
        if not all(values):
            raise _empty(key)
    for value in filters["has"]:
        if value.lower() not in {"link", "links"}:
            raise refusal_for("search_has_unknown")
    return ParsedSearch(
        tuple(words),
        tuple(filters["from"]),
        tuple(filters["in"]),
        min((_instant_ms(day, days) for day in filters["before"]), default=None),
        max((_instant_ms(day, days) for day in filters["after"]), default=None),
        bool(filters["has"]),
    )


_EXAMPLES = {
    "in": "in:#ops",
    "before": "before:2026-11-20",
    "after": "after:2026-11",
    "has": "has:link",
}


def _empty(key: str) -> Refusal:
    if key == "from":
        return refusal_for("search_sender_empty")
    return refusal_for("search_filter_empty", filter=key, example=_EXAMPLES[key])


def unknown_filters(text: str) -> list[str]:
    """Return the names before a colon that look like filters and are none, each once: ``to`` of ``to:ana``.

    Neither ``https://example.org``, ``std::move`` nor ``localhost:8443`` has one: a name, a date or nothing follows.
    """
    plain = (part.value for part in _parts(text) if not part.key and not part.quoted)
    found = (match[1].lower() for value in plain if (match := _LIKE_A_FILTER.match(value)) is not None)
    return list(dict.fromkeys(found))


class _Part(NamedTuple):
    """A part of a search.

    Attributes:
        key: its filter, or the empty string.
        value: without quotation marks.
        excludes: whether it is written like one to leave out: ``-word``, ``-"two words"``, ``-from:ana``. Neither
            ``--flag`` nor ``-5`` is.
        quoted: whether it stood in quotation marks.
    """

    key: str
    value: str
    excludes: bool
    quoted: bool


def _parts(text: str) -> list[_Part]:
    """The parts of a search."""
    parts = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _PART.match(text, at)
        if found is None or found.end() == at:  # a lone quotation mark, or the like
            at += 1
            continue
        key = (found["key"] or "").lower()
        quoted, plain = found["quoted"], found["plain"] or ""
        value = plain if quoted is None else quoted.strip() + ("" if key else found["star"] or "")
        excludes = quoted is None and plain[:1] == "-" and (plain[1:2].isalpha() or plain[1:2] == '"')
        value = value.removeprefix("@") if key == "from" else value
        parts.append(_Part(key, value, excludes, quoted is not None))
        at = found.end()
    return parts


def _instant_ms(value: str, days: Calendar) -> int:
    """The time at which a day, a month or a year begins."""
    match value.lower():
        case "today":
            return max(0, days.today_ms)
        case "yesterday":
            return max(0, days.yesterday_ms)
    found = _DATE.fullmatch(value)
    if found is None:
        raise refusal_for("search_date_invalid")
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return max(0, days.begin_ms(year, month, day))
    except ValueError:
        raise refusal_for("search_date_invalid") from None
