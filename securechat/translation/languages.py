"""Chooses the language of a person: what was asked for, what was remembered, or what the system says."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from securechat.translation.catalogue import Sentence, locale_directory

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "id": "Bahasa Indonesia"}
"""The languages that there are, each in its own words."""

VARIABLE: Final = "SECURECHAT_LANG"
FLAG: Final = "--lang"
_LONGEST_CODE = 8
"""Letters of a language in BCP 47; a longer name could be one that the file system refuses."""
_SHOWN_CHARS = 40
"""Characters shown of what is no language."""
_OLD_CODES = {"in": "id"}  # ISO 639 before 1989; Java and old Androids still say it


def given(value: str) -> str:
    """Return the code of a language that was asked for: ``id``, ``id_ID.UTF-8`` or ``ID`` are ``id``.

    Raises:
        ValueError: there is no such translation; the sentence lists those that there are.
    """
    code = _code(value)
    if not value.strip():
        raise ValueError(Sentence("The name of the language is empty. Languages: {known}", known=_known()))
    if not _exists(code):
        raise ValueError(
            Sentence(
                "There is no translation called {value}. Languages: {known}",
                value="".join(map(_printable, value[:_SHOWN_CHARS])),
                known=_known(),
            )
        )
    return code


def chosen(
    arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None, configured: str | None = None
) -> tuple[str, str]:
    """Return the code of the language to use, and what is wrong with the one that was asked for.

    In this order: the flag ``--lang``, SECURECHAT_LANG, what a configuration file or ``/lang`` said, the system's. A
    system's language without a translation gives English, without a word.

    Args:
        arguments: of the command line, before they are parsed: the help is in that language too.
        environment: the process's, where None.
        configured: what was configured or remembered.
    """
    environment = os.environ if environment is None else environment
    flag = flag_value(arguments, FLAG)
    for asked in (flag, environment.get(VARIABLE), configured):
        if asked:
            try:
                return given(asked), ""
            except ValueError as error:
                return "en", "" if asked == flag else str(error)  # the parser of the flags refuses its value itself
    return system_language(environment), ""


def system_language(environment: Mapping[str, str]) -> str:
    """Return the first language of the system that has a translation, in the order of GNU gettext; else English."""
    names = [environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    first = next((name for name in names if name), None)
    if first is None:
        return _windows_language()
    if _code(first) in ("c", "posix"):
        return "en"
    wanted = [*filter(None, environment.get("LANGUAGE", "").split(":")), first]
    return next((code for code in map(_code, wanted) if _exists(code)), "en")


def flag_value(arguments: Sequence[str], flag: str) -> str | None:
    """Return the value of the last such flag, before ``--``; for what is needed before the command line is parsed."""
    found = None
    for index, each in enumerate(arguments):
        if each == "--":
            break
        name, equals, value = each.partition("=")
        if name == flag:
            found = value if equals else "".join(arguments[index + 1 : index + 2])
    return found


def _code(value: str) -> str:
    code = value.strip().partition(".")[0].partition("@")[0].replace("-", "_").partition("_")[0].lower()
    return _OLD_CODES.get(code, code)


def _exists(code: str) -> bool:
    if code in LANGUAGES:
        return True
    try:
        return code.isalnum() and len(code) <= _LONGEST_CODE and (locale_directory() / code).is_dir()
    except OSError:  # a folder that this user may not read
        return False


def _printable(char: str) -> str:
    return char if char.isprintable() else ascii(char)[1:-1]


def _known() -> str:
    return ", ".join(f"{code} ({name})" for code, name in LANGUAGES.items())


def _windows_language() -> str:
    code = ""
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - on Windows alone
        import locale  # noqa: PLC0415

        code = _code(locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "en"))
    return code if code in LANGUAGES else "en"
