#!/usr/bin/env python3
"""Write ``securechat/translation/cldr.py`` from the CLDR data of Babel; a test notices when it is stale."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from babel import Locale

ROOT = Path(__file__).resolve().parent.parent
MODULE = ROOT / "securechat" / "translation" / "cldr.py"
LOCALES = {"en": "en_GB", "id": "id"}
"""Which of CLDR's locales a language takes its formats from: British English has the 24-hour clock that all others of
this product show, and no comma before the last item of a list."""

HEAD = '''"""Dates, times, numbers and lists of each language. Made by tools/cldr_formats.py from CLDR; do not edit."""

from __future__ import annotations

from collections.abc import Mapping

from securechat.translation.locale_formats import LocaleFormats

FORMATS_OF: Mapping[str, LocaleFormats] = {
'''


def between(pattern: str) -> str:
    """Return what stands between the two items of a pattern."""
    found = re.fullmatch(r"\{0\}(.*)\{1\}", pattern)
    assert found, pattern
    return found[1]


def formats(name: str) -> dict[str, Any]:
    """Return the fields of one locale's `LocaleFormats`."""
    locale = Locale.parse(name)
    symbols: Any = locale.number_symbols
    symbols = symbols.get("latn", symbols)
    clock = re.fullmatch(r"HH(\W)mm", locale.time_formats["short"].pattern)
    assert clock, name
    lists: Any = locale.list_patterns["standard"]
    glue = re.fullmatch(r"\{1\}(.*)\{0\}", str(locale.datetime_formats["medium"]).replace("'", ""))
    assert glue, name
    return {
        "date": locale.date_formats["medium"].pattern,
        "date_time_separator": glue[1],
        "clock_separator": clock[1],
        "decimal": symbols["decimal"],
        "group": symbols["group"],
        "list_pair": between(lists["2"]),
        "list_middle": between(lists["middle"]),
        "list_end": between(lists["end"]),
        "months": tuple(locale.months["format"]["wide"][month] for month in range(1, 13)),
        "short_months": tuple(locale.months["format"]["abbreviated"][month] for month in range(1, 13)),
        "weekdays": tuple(locale.days["format"]["wide"][day] for day in range(7)),
    }


def literal(value: str | tuple[str, ...]) -> str:
    """Return a value as the formatter of the project writes it."""
    if isinstance(value, str):
        return f'"{value}"'
    body = "".join(f'            "{each}",\n' for each in value)
    return f"(\n{body}        )"


def module() -> str:
    """Return the text of the module."""
    parts = [HEAD]
    for language, name in LOCALES.items():
        parts.append(f'    "{language}": LocaleFormats(\n')
        parts += [f"        {field}={literal(value)},\n" for field, value in formats(name).items()]
        parts.append("    ),\n")
    parts.append('}\n\nENGLISH = FORMATS_OF["en"]\n')
    return "".join(parts)


if __name__ == "__main__":
    MODULE.write_text(module(), encoding="utf-8")
    sys.exit(0)
