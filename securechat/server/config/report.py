"""The output of ``--print-config`` and ``--check-config``.

The printed settings are TOML: saved to a file and named with ``--config`` they give the same settings, wherever that
file is, because every path is absolute. A comment after each value names its source. It is a file, which is kept,
compared and passed on, so it is the same in every language of its readers: English. What is checked is told in theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from securechat.server.config.loading import ParsedSettings, SettingError, SettingOrigin, SettingValue
from securechat.server.config.settings import LIMITS, LIMITS_TABLE, SETTINGS, Setting
from securechat.text.sanitize import one_line
from securechat.toml_file import toml_value
from securechat.translation import Sentence, _, english, ngettext, nsentence

_HEADING = "# What securechat-server would run with, and where each value comes from."


def printed(reading: ParsedSettings) -> str:
    """Return every setting and limit as TOML, one a line.

    Args:
        reading: without problems.
    """
    lines = [_HEADING, *_aligned(SETTINGS, reading), "", f"[{LIMITS_TABLE}]", *_aligned(LIMITS, reading)]
    return "\n".join(lines) + "\n"


def checked(problems: Sequence[SettingError]) -> list[str]:
    """Return the problems, one line each, and a summary last; empty if there are none.

    Args:
        problems: errors and warnings, in the order of the output.
    """
    told = {_told(problem): problem.is_warning for problem in problems}
    return [*told, _verdict(list(told.values()).count(False), list(told.values()).count(True))] if told else []


def _told(problem: SettingError) -> str:
    if problem.is_warning:
        return one_line(_("warning: {sentence}", sentence=problem.sentence))
    return one_line(_("error: {sentence}", sentence=problem.sentence))


def _verdict(errors: int, warnings: int) -> str:
    found = []
    if errors:
        found.append(ngettext("{count} error", "{count} errors", errors))
    if warnings:
        found.append(ngettext("{count} warning", "{count} warnings", warnings))
    if errors:
        return _("{found:list}: the server would not start", found=found)
    return _("{found:list}: the server would start", found=found)


def first_sentence(problems: Sequence[SettingError]) -> Sentence:
    """Return the message of a failed start: the first problem, and how to see the others.

    Args:
        problems: at least one.
    """
    first, *others = problems
    if not others:
        return first.sentence
    return nsentence(
        "{problem} ({count} further problem: --check-config lists all)",
        "{problem} ({count} further problems: --check-config lists all)",
        len(others),
        problem=first.sentence,
    )


def _aligned(settings: Sequence[Setting], reading: ParsedSettings) -> Iterator[str]:
    rows = [(f"{each.name} = {toml_value(_absolute(reading.given[each.name]))}", each) for each in settings]
    column = min(60, max(len(row) for row, _setting in rows)) + 2
    for row, setting in rows:
        yield f"{row:<{column}}# {one_line(_described(reading.given[setting.name].origin, setting))}"


def _absolute(given: SettingValue) -> object:
    return given.value.absolute() if isinstance(given.value, Path) else given.value


def _described(origin: SettingOrigin, setting: Setting) -> str:
    if not origin.place:
        return f"default: {english(setting.unset)}" if setting.unset else "default"
    if origin.line is not None:
        return f"{origin.place} line {origin.line}"
    return f"flag {origin.place}" if origin.place.startswith("--") else origin.place
