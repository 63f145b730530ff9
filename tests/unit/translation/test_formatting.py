"""Arguments in sentences: what a language decides, and that an argument is never a template."""

from __future__ import annotations

import datetime as dt

import pytest

from securechat.translation.cldr import ENGLISH, FORMATS_OF
from securechat.translation.formatting import FORMATS, fields, format_text

INDONESIAN = FORMATS_OF["id"]
MOMENT = dt.datetime(2026, 11, 9, 6, 3, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("field", "value", "in_english", "in_indonesian"),
    [
        ("date", MOMENT, "9 Nov 2026", "9 Nov 2026"),
        ("date", dt.date(2026, 8, 17), "17 Aug 2026", "17 Agu 2026"),
        ("clock", MOMENT, "06:03", "06.03"),
        ("moment", MOMENT, "9 Nov 2026, 06:03", "9 Nov 2026 06.03"),
        ("weekday", MOMENT, "Monday", "Senin"),
        ("number", 1234567, "1,234,567", "1.234.567"),
        ("number", 0.5, "0.5", "0,5"),
        ("number", 3.0, "3", "3"),
        ("size", 0, "0 B", "0 B"),
        ("size", 1023, "1,023 B", "1.023 B"),
        ("size", 1536, "1.5 KiB", "1,5 KiB"),
        ("size", 20 * 1024 * 1024, "20 MiB", "20 MiB"),
        ("size", 5 * 1024**5, "5,120 TiB", "5.120 TiB"),
        ("list", [], "", ""),
        ("list", ["ana"], "ana", "ana"),
        ("list", ["ana", "budi"], "ana and budi", "ana dan budi"),
        ("list", ["ana", "budi", "{0}"], "ana, budi and {0}", "ana, budi, dan {0}"),
        ("duration", 0, "1 second", "1 second"),
        ("duration", 61, "2 minutes", "2 minutes"),
        ("duration", 86_400, "1 day", "1 day"),
        ("shortduration", 0.2, "0 s", "0 s"),
        ("shortduration", 7_500, "2 h 5 min", "2 h 5 min"),
        ("shortduration", 90_000, "1 d 1 h", "1 d 1 h"),
        ("shortduration", 86_460, "1 d", "1 d"),
    ],
)
def test_each_format_in_each_language(field: str, value: object, in_english: str, in_indonesian: str) -> None:
    assert format_text(f"{{it:{field}}}", {"it": value}, ENGLISH) == in_english
    assert format_text(f"{{it:{field}}}", {"it": value}, INDONESIAN) == in_indonesian


def test_every_format_is_tried_above() -> None:
    tried = {mark.args[1][index][0] for mark in _marks() for index in range(len(mark.args[1]))}
    assert tried == FORMATS


def _marks() -> list[pytest.Mark]:
    return list(test_each_format_in_each_language.pytestmark)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "hostile", ["{x}", "{0}", "{name}", "%s", "%(x)s", "{", "}", "{{}}", "{name.__class__}", "\\N{DEL}"]
)
def test_an_argument_is_never_a_template(hostile: str) -> None:
    assert format_text("{name} joined", {"name": hostile}) == f"{hostile} joined"
    assert format_text("{names:list}", {"names": [hostile, "b"]}) == f"{hostile} and b"


def test_a_brace_is_written_twice() -> None:
    assert format_text("write {{x}}", {}) == "write {x}"


def test_units_are_asked_for() -> None:
    def unit(one: str, several: str, count: int) -> str:
        return {"{count} hours": "{count} jam", "{count} h": "{count} j", "{count} min": "{count} mnt"}[several]

    assert format_text("{left:duration}", {"left": 7_200}, INDONESIAN, unit) == "2 jam"
    assert format_text("{left:shortduration}", {"left": 7_260}, INDONESIAN, unit) == "2 j 1 mnt"


@pytest.mark.parametrize("template", ["{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:>10}", "{a", "a}", "{a:nosuch}"])
def test_a_template_has_plain_fields_alone(template: str) -> None:
    with pytest.raises(ValueError):
        format_text(template, {"a": "x", "0": "y"})


def test_the_fields_of_a_template() -> None:
    assert fields("{a} and {b:duration}, {{c}}") == {"a", "b"}
