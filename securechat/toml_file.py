"""Reads a TOML 1.0 configuration file into keys with their values and line numbers, and writes single values.

The values are those of `tomllib`, and a broken file is refused with its line. This module does not know the valid keys.

``tomllib`` reports no lines. But a statement of TOML ends with the first line at which it can be parsed by itself: an
open string or list cannot be. So statements are parsed one by one, and each begins at the line of its keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from securechat.files import read_regular
from securechat.translation import Sentence, system_error

_MOST_BYTES = 1024 * 1024
"""Size limit; a file with every setting is under 10 KiB."""
_MAY_END = re.compile(r"""[]}]|\"{3}|'{3}""")
"""In the last line of each statement of several lines: only a list and a text can have them."""
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_TWICE = Sentence("this key or table stands there twice: delete one")
_HINTS = {
    "Unescaped": Sentence("write paths with a backslash in single quotes"),
    "Cannot overwrite": _TWICE,
    "Cannot declare": _TWICE,
    "Invalid value": Sentence("texts stand in quotes, true and false are in small letters"),
}
_PROBLEMS = {
    "Cannot overwrite a value": Sentence("cannot overwrite a value"),
    "Expected '=' after a key in a key/value pair": Sentence("expected '=' after a key in a key/value pair"),
    "Expected ']' at the end of a table declaration": Sentence("expected ']' at the end of a table declaration"),
    "Expected newline or end of document after a statement": Sentence(
        "expected newline or end of document after a statement"
    ),
    "Invalid initial character for a key part": Sentence("invalid initial character for a key part"),
    "Invalid statement": Sentence("invalid statement"),
    "Invalid value": Sentence("invalid value"),
    "Unclosed array": Sentence("unclosed array"),
    "Unescaped '\\' in a string": Sentence("unescaped '\\' in a string"),
    "Unterminated string": Sentence("unterminated string"),
}
"""The usual messages of `tomllib`, as texts; the others are shown as they are, in English."""


class TomlEntry(Struct, frozen=True):
    """One value in the file.

    Attributes:
        table: its table; empty for the top of the file.
        key: its name.
        value: as returned by `tomllib`.
        line: the first line of its statement, from 1.
    """

    table: str
    key: str
    value: object
    line: int


class TomlError(Exception):
    """The file cannot be read.

    Args:
        reason: the problem and its remedy.
        line: its line, from 1; None for the file as a whole.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def read_file(path: Path, tables: Collection[str]) -> list[TomlEntry]:
    """Read every value of a file, in order.

    Args:
        path: the file; UTF-8, with or without a byte order mark.
        tables: the tables to look into; any other one is a single entry whose value is a dict.

    Raises:
        TomlError: it cannot be opened, or is not TOML.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise TomlError(
            Sentence(
                "{path} cannot be read: {why}; name a file that this user may read", path=path, why=system_error(error)
            )
        ) from error
    try:
        text = content.decode("utf-8-sig")  # Windows' editors write a byte order mark
    except UnicodeDecodeError as error:
        raise TomlError(
            Sentence("is not UTF-8 text; save the file as UTF-8"), content.count(b"\n", 0, error.start) + 1
        ) from error
    return parse(text.replace("\r\n", "\n"), tables)


def parse(text: str, tables: Collection[str]) -> list[TomlEntry]:
    """Read every value of a TOML text; see `read_file`.

    Raises:
        TomlError: it is not TOML; the error has a line.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise TomlError(Sentence("is nested too deeply; a configuration has one level of tables")) from None
    except ValueError as error:
        raise _syntax_error(str(error), text) from None
    lines = dict(_lines(text))
    entries: list[TomlEntry] = []
    for key, value in document.items():
        if key in tables and isinstance(value, dict):
            entries += [TomlEntry(key, each, inner, lines[key, each]) for each, inner in value.items()]
        else:
            entries.append(TomlEntry("", key, value, lines[(key,)]))
    return entries


def toml_value(value: object) -> str:
    """Format the value of a setting as TOML; None, which TOML lacks, as the empty text that means the same."""
    match value:
        case None:
            return '""'
        case bool():
            return str(value).lower()
        case Path() | str():
            return _quoted(str(value))
        case tuple():
            return f"[{', '.join(_quoted(each) for each in value)}]"
        case _:
            return repr(value)


def _syntax_error(message: str, text: str) -> TomlError:
    found = _WHERE.search(message)
    line = text.rstrip("\n").count("\n") + 1
    if found is not None and found["line"] is not None:
        line = int(found["line"])
    reason = _WHERE.sub("", message)
    problem = _PROBLEMS.get(reason, f"{reason[:1].lower()}{reason[1:]}")
    hint = next((hint for begin, hint in _HINTS.items() if reason.startswith(begin)), Sentence("correct this line"))
    return TomlError(Sentence("is not valid TOML: {problem}; {advice}", problem=problem, advice=hint), line)


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """The line of every key, and of every key of a table: its first occurrence."""
    seen: set[tuple[str, ...]] = set()
    header: tuple[str, ...] = ()
    for number, statement in _statements(text):
        content = tomllib.loads(statement)
        if statement.lstrip(" \t").startswith("["):
            header = _header(content)
            paths = [header[:2]]
        else:
            paths = [(*header, *path)[:2] for path in _paths(content)]
        for path in paths:
            for part in (path[:1], path):
                if part and part not in seen:
                    seen.add(part)
                    yield part, number


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Every statement with the number of its first line. The text as a whole must be valid."""
    pending: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        pending.append(line)
        if len(pending) > 1 and not _MAY_END.search(line):
            continue
        statement = "\n".join(pending)
        try:
            tomllib.loads(statement)
        except ValueError:
            continue  # a string or list continues on the next line
        yield number - len(pending) + 1, statement
        pending.clear()


def _header(content: Mapping[str, object]) -> tuple[str, ...]:
    """Return ``[a.b]`` and ``[[a.b]]`` as ``("a", "b")``."""
    path: list[str] = []
    inner: object = content
    while isinstance(inner, dict) and inner:
        key, inner = next(iter(inner.items()))
        path.append(key)
        if isinstance(inner, list):
            inner = inner[-1]
    return tuple(path)


def _paths(content: Mapping[str, object]) -> Iterator[tuple[str, ...]]:
    """The path of a statement's key, and, if its value is a table, those of the keys in it."""
    for key, value in content.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, inner) for inner in value)


def _quoted(text: str) -> str:
    """Format a TOML basic string. Half a surrogate pair of a file name, which TOML cannot contain, becomes U+FFFD."""
    shown = "".join(_escaped(char) for char in text)
    return f'"{shown}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return "\\uFFFD" if "\ud800" <= char <= "\udfff" else f"\\U{ord(char):08X}"
