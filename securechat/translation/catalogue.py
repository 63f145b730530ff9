"""Looks texts up in the catalogue of the language in use (GNU gettext's .mo files, read by the standard library).

The language belongs to the process: a program chooses it once at its start, and a client again with ``/lang``. A
catalogue that cannot be read, a text that it lacks, and a translation that does not fit its arguments give English,
because a person is better served by an English sentence than by none.
"""

from __future__ import annotations

import contextlib
import errno
import gettext as gnu_gettext
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from securechat.translation.cldr import ENGLISH, FORMATS_OF
from securechat.translation.formatting import fields, format_text, leading_field
from securechat.translation.locale_formats import LocaleFormats

DOMAIN: Final = "securechat"
DIRECTORY_VARIABLE: Final = "SECURECHAT_LOCALE_DIR"
"""Names another folder of catalogues, so that a translation can be tried before it is installed."""


_MOST_BYTES = 16 * 1024 * 1024
"""The largest catalogue that is read; ours has 200 KB."""
_PERCENT_FIELD = re.compile(r"%(?:\(\w+\))?\S?")
"""A field of Python's %-formatting, which argparse also does with our help texts; or a lone percent sign."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, of bidirectional text too."""


class _Current:
    """The language in use."""

    language: str = "en"
    translations: gnu_gettext.NullTranslations = gnu_gettext.NullTranslations()
    formats: LocaleFormats = ENGLISH


_current = _Current()


def locale_directory() -> Path:
    """Return the folder of the catalogues."""
    other = os.environ.get(DIRECTORY_VARIABLE)
    return Path(other) if other else Path(__file__).resolve().parent.parent / "locale"


def use(wanted: str) -> str:
    """Make a language the one in use.

    Args:
        wanted: its code, such as ``id``; see `languages.chosen`.

    Returns:
        Why its catalogue cannot be used, in English, which is in use then; empty when it can.
    """
    problem = ""
    translations = gnu_gettext.NullTranslations()
    if wanted != "en":
        path = locale_directory() / wanted / "LC_MESSAGES" / f"{DOMAIN}.mo"
        try:
            translations = _read(path)
        except Exception as error:  # noqa: BLE001 - a file of any origin may hold anything
            reason = getattr(error, "strerror", None) or "it is damaged"
            problem = f"The translation {path} cannot be used: {reason}. English is used"
            wanted = "en"
    _current.translations = translations
    _current.language = wanted
    _current.formats = FORMATS_OF.get(wanted, ENGLISH)
    _translate_argparse()
    return problem


def _read(path: Path) -> gnu_gettext.GNUTranslations:
    """Read a catalogue.

    Raises:
        OSError: it is no file, too large, or cannot be read.
        Exception: it is damaged; the standard library raises what it met.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for its writer
        raise OSError(errno.EINVAL, "it is no file")
    if facts.st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, "it is too large")
    with path.open("rb") as file:
        return gnu_gettext.GNUTranslations(file)


def language() -> str:
    """Return the code of the language in use."""
    return _current.language


def _translate_argparse() -> None:
    """Have argparse, where it is imported, look its own words up here, and take English where they do not fit."""
    if (module := sys.modules.get("argparse")) is not None:
        vars(module).update(_=_of_argparse, ngettext=_plural_of_argparse)


def _of_argparse(text: str) -> str:
    return _fitting(lambda: _current.translations.gettext(text), text)


def _plural_of_argparse(one: str, several: str, count: int) -> str:
    text = one if count == 1 else several
    return _fitting(lambda: _current.translations.ngettext(one, several, count), text)


def _fitting(look_up: Callable[[], str], text: str) -> str:
    """Return a translation that is usable; else the text."""
    try:
        translation = look_up()
    except Exception:  # noqa: BLE001 - a plural rule is an expression of any origin
        return text
    return translation if _is_usable(translation, text) else text


# --- Translating at once ----------------------------------------------------------------------------------------------


def _(msgid: str, /, **arguments: object) -> str:
    """Translate a text and put its arguments in; fields are described in `formatting`.

    Raises:
        KeyError: the English text takes an argument that is missing.
    """
    return _formatted(lambda: _current.translations.gettext(msgid), msgid, arguments)


def pgettext(context: str, msgid: str, /, **arguments: object) -> str:
    """Translate a text that means different things in different places.

    Args:
        context: which of them; a part of the key, never shown.
        msgid: the text.
        arguments: those of the text.
    """
    return _formatted(lambda: _current.translations.pgettext(context, msgid), msgid, arguments)


def ngettext(one: str, several: str, count: int, /, **arguments: object) -> str:
    """Translate a text with a number in it, which its fields have as ``{count}``."""
    text = one if count == 1 else several
    return _formatted(lambda: _current.translations.ngettext(one, several, count), text, {"count": count, **arguments})


def _formatted(look_up: Callable[[], str], text: str, arguments: Mapping[str, object]) -> str:
    """Format the translation of a text; the English text where it has none, or one that does not fit."""
    if _current.language != "en":
        try:
            translation = look_up()
            if translation is not text and _is_usable(translation, text):
                shown = {name: translated(each) if isinstance(each, str) else each for name, each in arguments.items()}
                return format_text(translation, shown, _current.formats, _unit)
        except Exception:  # noqa: BLE001, S110 - nothing in a catalogue ends a program; tools/translations.py finds it
            pass
    return format_text(text, arguments)


def _is_usable(translation: str, text: str) -> bool:
    """Whether a translation says something, and has the control characters and the percent fields of its text alone."""
    if "%" in translation + text and sorted(_PERCENT_FIELD.findall(translation)) != sorted(
        _PERCENT_FIELD.findall(text)
    ):
        return False
    return bool(translation) and (
        translation.isprintable() or set(_CONTROL.findall(translation)) <= set(_CONTROL.findall(text))
    )


def _unit(one: str, several: str, count: int) -> str:
    """Return the translation of a unit.

    Raises:
        LookupError: there is none that is usable: the whole sentence is English then.
        ValueError: it is not well-formed.
    """
    text = one if count == 1 else several
    translation = _current.translations.ngettext(one, several, count)
    if translation is text or fields(translation) != {"count"} or not _is_usable(translation, text):
        raise LookupError(text)
    return translation


def formatted(template: str, /, **arguments: object) -> str:
    """Return fields without words, such as ``{left:shortduration}``, as the language in use writes them."""
    if _current.language != "en":
        try:
            return format_text(template, arguments, _current.formats, _unit)
        except Exception:  # noqa: BLE001, S110 - as in `_formatted`
            pass
    return format_text(template, arguments)


def N_(msgid: str) -> str:  # noqa: N802 - the name that gettext's tools know
    """Mark a text for the catalogue and return it as it is: for a table whose user translates or stays in English."""
    return msgid


def translator(wanted: str) -> Callable[..., str]:
    """Return a function that translates as `_` does, into a language that another person reads than the process's.

    Args:
        wanted: its code. Without a usable catalogue the function gives English.
    """
    translations = gnu_gettext.NullTranslations()
    if wanted != "en":
        with contextlib.suppress(Exception):  # a file of any origin may hold anything
            translations = _read(locale_directory() / wanted / "LC_MESSAGES" / f"{DOMAIN}.mo")

    def translate(msgid: str, /, **arguments: object) -> str:
        translation = _fitting(lambda: translations.gettext(msgid), msgid)
        with contextlib.suppress(Exception):
            return format_text(translation, arguments, FORMATS_OF.get(wanted, ENGLISH))
        return format_text(msgid, arguments)

    return translate


# --- Translating later ------------------------------------------------------------------------------------------------


class LazyText:
    """A constant text that is translated each time it is used: call it with its arguments.

    Args:
        msgid: the text.
    """

    __slots__ = ("msgid",)

    def __init__(self, msgid: str) -> None:
        self.msgid = msgid

    def __call__(self, /, **arguments: object) -> str:
        """Return the text in the language in use."""
        return _(self.msgid, **arguments)

    def __str__(self) -> str:
        return _(self.msgid)

    def __repr__(self) -> str:
        return f"LazyText({self.msgid!r})"

    def english(self, /, **arguments: object) -> str:
        """Return the text in English, for logs and programs."""
        return format_text(self.msgid, arguments)


class Sentence(str):
    """The text of an error: a str in English that knows its template, so that `translated` can show it to a person.

    An argument that is a `Sentence` itself is translated with it.

    Args:
        template: the text.
        arguments: those of the text.
    """

    __slots__ = ("_arguments", "_count", "_several", "_template")

    _template: str
    _several: str
    _count: int | None
    _arguments: Mapping[str, object]

    def __new__(cls, template: str, /, **arguments: object) -> Sentence:
        """Format the English text."""
        made = super().__new__(cls, format_text(template, arguments))
        made._template, made._several, made._count, made._arguments = template, "", None, arguments
        return made

    @classmethod
    def of(cls, template: str, arguments: Mapping[str, object]) -> Sentence:
        """Return the sentence of a template from a table, where `N_` marks it for the catalogue."""
        return cls(template, **arguments)

    def packed(self) -> dict[str, Any]:
        """Return template and arguments for another program on this machine, which translates them; see `unpacked`."""
        arguments = {
            name: each.packed() if isinstance(each, Sentence) else each if isinstance(each, int | float) else str(each)
            for name, each in self._arguments.items()
        }
        return {"text": self._template, "arguments": arguments}

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> Sentence:
        """Return what was packed.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is nothing of the kind.
        """
        arguments = {
            name: cls.unpacked(each) if isinstance(each, dict) else each for name, each in packed["arguments"].items()
        }
        return cls(packed["text"], **arguments)

    @property
    def translation(self) -> str:
        """The text in the language in use."""
        if self._count is None:
            return _(self._template, **self._arguments)
        return ngettext(self._template, self._several, self._count, **self._arguments)

    @property
    def begins_with_argument(self) -> bool:
        """Whether the translation begins with an argument, such as a name or a path, whose first letter is its own."""
        try:
            template = _current.translations.gettext(self._template)
            if self._count is not None:
                template = _current.translations.ngettext(self._template, self._several, self._count)
        except Exception:  # noqa: BLE001 - as in `_fitting`
            template = self._template
        argument = self._arguments.get(leading_field(template))
        return argument.begins_with_argument if isinstance(argument, Sentence) else argument is not None


def verbatim(text: str) -> Sentence:
    """Return a text of another program, such as SQLite: translated where the catalogue has it, and never a template."""
    return Sentence.of(text.replace("{", "{{").replace("}", "}}"), {})


def nsentence(one: str, several: str, count: int, /, **arguments: object) -> Sentence:
    """Return the `Sentence` for a number, which its fields have as ``{count}``."""
    made = Sentence(one if count == 1 else several, count=count, **arguments)
    made._template, made._several, made._count, made._arguments = one, several, count, arguments
    return made


def translated(text: str | BaseException) -> str:
    """Return a text for a person: in the language in use where it is a `Sentence` or an error made with one."""
    text = sentence_of(text) if isinstance(text, BaseException) else text
    return text.translation if isinstance(text, Sentence) else text


def sentence_of(error: BaseException) -> str:
    """Return the text of an error as it was made, to be put into another one: a `Sentence` where it is one."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, Sentence) and str(first) == str(error) else str(error)


def english(text: str) -> str:
    """Return a text for a log: plain English, of a `Sentence` too."""
    return str.__str__(text)
