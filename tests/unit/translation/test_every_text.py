"""Every text of both catalogues, formatted as the programs do it: with hostile arguments, and with 0, 1 and 2."""

from __future__ import annotations

import argparse
import datetime as dt
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from babel.messages import Message

from securechat.text.sanitize import visible
from securechat.translation import LANGUAGES, _, ngettext, nsentence, pgettext, translated, use
from securechat.translation.formatting import FORMATS, format_text
from tests.support.locales import translations_tool

tool = translations_tool()
LANGUAGE_CODES = tuple(LANGUAGES)
ARGPARSE = "argparse"
"""Where texts come from that have argparse's fields, of ``%``."""
FIELD = re.compile(r"(?<!\{)\{([a-z_0-9]+)(?::([a-z]+))?\}")

HOSTILE = [
    "{x}", "{count}", "{0}", "{}", "{", "}", "{{}}", "{0.__class__.__init__.__globals__}", "{x!r:>99}",
    "%s", "%(x)s", "%n", "$x", "\\N{DEL}", "'; --", "<b>&amp;", "\u0634\u062e\u0635", "a" * 300, "漢字 👩‍👩‍👧", "",
    visible("\x1b[31m\x07\u202e\u2066"),
]  # fmt: skip
MOMENT = dt.datetime(2026, 11, 9, 6, 3, tzinfo=dt.UTC)
OF_FORMAT: dict[str, Any] = {
    "clock": MOMENT, "date": MOMENT, "moment": MOMENT, "weekday": MOMENT,
    "duration": 61, "number": 1234.5, "shortduration": 7_500, "size": 1536,
}  # fmt: skip
"""A value for each format that is not made of a person's words."""


@pytest.fixture(autouse=True)
def _english_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", "")
    yield
    use("en")


@cache
def texts() -> list[Message]:
    return [each for each in tool.entries(tool.read("en")) if (ARGPARSE, None) not in each.locations]


def arguments(form: str, hostile: str) -> dict[str, Any]:
    """An argument for each field: a hostile text, or what the field's format takes."""
    found = {}
    for name, spec in FIELD.findall(form):
        found[name] = [hostile, hostile] if spec == "list" else OF_FORMAT.get(spec, hostile)
    return found


def shown(message: Message, count: int, given: dict[str, Any]) -> str:
    """The text as a program shows it."""
    if isinstance(message.id, tuple):
        return ngettext(*message.id, count, **{**given, "count": count})
    if message.context:
        return pgettext(message.context, message.id, **given)
    return _(message.id, **given)


def pattern(form: str, given: dict[str, Any]) -> re.Pattern[str]:
    """What a text becomes: its own words around the arguments, those of a plain field as they are."""
    parts, end = [], 0
    for field in FIELD.finditer(form):
        parts.append(re.escape(form[end : field.start()].replace("{{", "{").replace("}}", "}")))
        value, spec = given[field[1]], field[2]
        hostile = value[0] if spec == "list" else value
        parts.append(
            f"{re.escape(hostile)}.+{re.escape(hostile)}" if spec == "list" else ".+" if spec else re.escape(str(value))
        )
        end = field.end()
    parts.append(re.escape(form[end:].replace("{{", "{").replace("}}", "}")))
    return re.compile("".join(parts), re.DOTALL)


def translation(message: Message, language: str, count: int) -> str:
    """The text of the catalogue; the English one where it is not translated."""
    forms = tool.forms(_CATALOGUES[language].get(message.id, message.context).string)
    if not all(forms):
        forms, language = tool.forms(message.id), "en"
    return str(forms[0 if language == "id" or count == 1 else -1])


_CATALOGUES = {language: tool.read(language) for language in LANGUAGE_CODES}


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_hostile_arguments_are_shown_as_they_are(language: str, hostile: str) -> None:
    assert use(language) == ""
    for message in texts():
        form = translation(message, language, 2)
        given = arguments("".join(tool.forms(message.id)), hostile)
        given = {**given, "count": 2} if isinstance(message.id, tuple) else given
        found = shown(message, 2, given)
        assert pattern(form, given).fullmatch(found), (form, found)


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@pytest.mark.parametrize("hostile", ["{x}", "%s", "\u0634"])
def test_hostile_arguments_in_an_error_are_shown_as_they_are(language: str, hostile: str) -> None:
    """A `Sentence` is made in English before it is translated, so it is formatted twice from its template."""
    assert use(language) == ""
    for message in texts():
        if not isinstance(message.id, tuple):
            continue
        given = arguments("".join(message.id), hostile)
        given.pop("count", None)
        found = translated(nsentence(*message.id, 2, **given))
        assert pattern(translation(message, language, 2), {**given, "count": 2}).fullmatch(found), (message.id, found)


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_plural_text_has_a_form_for_each_number(language: str, count: int) -> None:
    assert use(language) == ""
    for message in texts():
        if isinstance(message.id, tuple):
            given = {**arguments("".join(message.id), "ana"), "count": count}
            found = shown(message, count, given)
            assert found == format_text(translation(message, language, count), given, _formats(language), ngettext), (
                found
            )
            assert str(count) in found or "count" not in dict(FIELD.findall(translation(message, language, count)))


def _formats(language: str) -> Any:
    from securechat.translation.cldr import FORMATS_OF

    return FORMATS_OF[language]


def test_there_are_texts_and_each_format_has_a_value() -> None:
    assert len(texts()) > 20
    assert any(isinstance(message.id, tuple) for message in texts())
    assert OF_FORMAT.keys() | {"list"} == FORMATS


def test_a_text_that_would_format_its_argument_again_is_found() -> None:
    given = {"name": "{x}"}
    assert pattern("Hi {name}!", given).fullmatch("Hi {x}!")
    assert not pattern("Hi {name}!", given).fullmatch("Hi y!")


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_argparse_finds_its_words(language: str) -> None:
    """It formats with ``%``: every text has the fields of its English."""
    assert use(language) == ""
    values = dict.fromkeys(("prog", "message", "argument_name", "value", "choices", "type", "option", "matches"), "x")
    for text in tool.ARGPARSE_TEXTS:
        string = vars(argparse)["_"](text)
        assert string
        if "%(" in text:
            assert string % values
        elif "%" in text:
            assert string % "x"
