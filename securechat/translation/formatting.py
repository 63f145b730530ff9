"""Puts arguments into a sentence: ``{name}``, or with a format that the language decides, such as ``{until:date}``.

A field is a plain name and, after a colon, one of `FORMATS`. An argument is never a template: what stands in braces
in a name or a message stays as it is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from string import Formatter
from typing import Any, TypeAlias

from securechat.translation.cldr import ENGLISH
from securechat.translation.locale_formats import LocaleFormats

Lookup: TypeAlias = Callable[[str, str, int], str]
"""Translates a unit: its text for one, for several, and how many there are."""


def _unit(seconds: int, one: str, several: str) -> tuple[int, str, str]:
    return seconds, one, several  # the extraction looks for calls of this function


_UNITS_S = (
    _unit(86_400, "{count} day", "{count} days"),
    _unit(3_600, "{count} hour", "{count} hours"),
    _unit(60, "{count} minute", "{count} minutes"),
    _unit(1, "{count} second", "{count} seconds"),
)
_SHORT_UNITS_S = (
    _unit(86_400, "{count} d", "{count} d"),
    _unit(3_600, "{count} h", "{count} h"),
    _unit(60, "{count} min", "{count} min"),
    _unit(1, "{count} s", "{count} s"),
)
_SIZES = ("KiB", "MiB", "GiB", "TiB")


def format_text(
    template: str, arguments: Mapping[str, object], formats: LocaleFormats = ENGLISH, unit: Lookup | None = None
) -> str:
    """Return a template with its arguments.

    Args:
        template: the text, with fields in braces.
        arguments: by name; more than the template names are allowed.
        formats: those of the language.
        unit: translates the units of durations; English where None.

    Raises:
        KeyError: an argument is missing.
        TypeError: an argument does not have the type of its format.
        ValueError: the template is not well-formed, or names a format that does not exist.
    """
    if "{" not in template and "}" not in template:
        return template
    parts = []
    for literal, name, spec in _fields(template):
        parts.append(literal)
        if name is not None:
            value = arguments[name]
            parts.append(_FORMATTERS[spec](value, formats, unit) if spec else str(value))
    return "".join(parts)


def fields(template: str) -> frozenset[str]:
    """Return the names of the arguments that a template takes.

    Raises:
        ValueError: it is not well-formed.
    """
    return frozenset(name for _literal, name, _spec in _fields(template) if name is not None)


def leading_field(template: str) -> str:
    """Return the name of the argument that a template begins with; empty where it begins with a word."""
    found = _LEADING_FIELD.match(template)
    return found[1] if found else ""


@lru_cache(maxsize=4096)
def _fields(template: str) -> tuple[tuple[str, str | None, str], ...]:
    parsed = []
    for literal, name, spec, conversion in Formatter().parse(template):
        if name is not None and (not name.isidentifier() or conversion or (spec and spec not in _FORMATTERS)):
            raise ValueError(f"a field must be {{name}} or {{name:format}}: {template!r}")
        parsed.append((literal, name, spec or ""))
    return tuple(parsed)


# --- The formats ------------------------------------------------------------------------------------------------------


def format_date(day: dt.date, formats: LocaleFormats) -> str:
    """Return a day: ``29 Nov 2026``."""
    values = {
        "EEEE": formats.weekdays[day.weekday()],
        "MMMM": formats.months[day.month - 1],
        "MMM": formats.short_months[day.month - 1],
        "dd": f"{day.day:02}",
        "d": str(day.day),
        "y": str(day.year),
    }
    return _LETTERS.sub(lambda letters: values[letters[0]], formats.date)


def format_weekday(day: dt.date, formats: LocaleFormats) -> str:
    """Return the name of the day of the week: ``Sunday``."""
    return formats.weekdays[day.weekday()]


def format_clock(moment: dt.datetime, formats: LocaleFormats) -> str:
    """Return the time of day: ``06:13``."""
    return f"{moment:%H}{formats.clock_separator}{moment:%M}"


def format_moment(moment: dt.datetime, formats: LocaleFormats) -> str:
    """Return day and time: ``29 Nov 2026, 06:13``."""
    return f"{format_date(moment, formats)}{formats.date_time_separator}{format_clock(moment, formats)}"


def format_number(number: float, formats: LocaleFormats) -> str:
    """Return a number with at most three decimals, in groups of three digits: ``1,234.5``."""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:,.3f}".rstrip("0").rstrip(".")
    return shown.translate({ord(","): formats.group, ord("."): formats.decimal})


def format_size(count: float, formats: LocaleFormats) -> str:
    """Return a number of bytes in binary units: ``1.5 MiB``."""
    unit = "B"
    for larger in _SIZES:
        if count < 1024:
            break
        count, unit = count / 1024, larger
    return f"{format_number(round(count, 1) if unit != 'B' and count < 10 else round(count), formats)} {unit}"


def format_list(items: Sequence[object], formats: LocaleFormats) -> str:
    """Return texts as an enumeration: ``ana, budi and cici``."""
    *first, last = map(str, items) if items else ("",)
    if len(first) == 1:
        return f"{first[0]}{formats.list_pair}{last}"
    return f"{formats.list_middle.join(first)}{formats.list_end}{last}" if first else last


def format_duration(seconds: float, unit: Lookup | None) -> str:
    """Return a duration in its largest unit, rounded up: ``5 minutes``."""
    for unit_s, one, several in _UNITS_S:
        if seconds >= unit_s or unit_s == 1:
            return _counted(max(1, -int(-seconds // unit_s)), one, several, unit)
    raise AssertionError


def format_short_duration(seconds: float, unit: Lookup | None) -> str:
    """Return a duration in its two largest units: ``2 h 5 min``."""
    left = round(seconds)
    if left < 1:
        return _counted(0, *_SHORT_UNITS_S[-1][1:], unit)
    parts = []
    for unit_s, one, several in _SHORT_UNITS_S:
        count, left = divmod(left, unit_s)
        if count:
            parts.append(_counted(count, one, several, unit))
        elif parts:
            break
    return " ".join(parts[:2])


def _counted(count: int, one: str, several: str, unit: Lookup | None) -> str:
    template = unit(one, several, count) if unit else one if count == 1 else several
    return format_text(template, {"count": count})


_LEADING_FIELD = re.compile(r"\{(\w+)[:}]")
_LETTERS = re.compile("E{4}|M{3,4}|d{1,2}|y")  # of Unicode's date patterns (UTS #35), those that `cldr` has

_FORMATTERS: Mapping[str, Callable[[Any, LocaleFormats, Lookup | None], str]] = {
    "clock": lambda value, formats, _unit: format_clock(value, formats),
    "date": lambda value, formats, _unit: format_date(value, formats),
    "duration": lambda value, _formats, unit: format_duration(value, unit),
    "list": lambda value, formats, _unit: format_list(value, formats),
    "moment": lambda value, formats, _unit: format_moment(value, formats),
    "number": lambda value, formats, _unit: format_number(value, formats),
    "shortduration": lambda value, _formats, unit: format_short_duration(value, unit),
    "size": lambda value, formats, _unit: format_size(value, formats),
    "weekday": lambda value, formats, _unit: format_weekday(value, formats),
}

FORMATS = frozenset(_FORMATTERS)
"""What may stand behind the colon of a field."""
