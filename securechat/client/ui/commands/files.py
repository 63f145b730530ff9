"""Commands about files: upload, save, and the list of one's own.

A path with blanks stands in quotes, or has a backslash before each blank, as terminals paste the path of a file that is
dropped on them. The first word is a path. Further words are paths as long as they begin like one (``/``, ``./``,
``../``, ``~/``), or have a dot or a slash and are files that there are (``b.pdf``, ``docs/b``); a word that looks like
the name of a file and is none is asked about, and not sent as text. So no plain word of a text is taken for a file that
happens to have its name. What stands behind ``--`` is text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable

from msgspec import Struct

from securechat.client.catalogue.help_pages import usage
from securechat.client.core import actions
from securechat.client.ui.commands.leading_name import QUOTES, split_name
from securechat.client.ui.commands.results import InputError, ParsedInput, SaveRequest, UploadRequest

WORDS = ("/upload", "/save", "/files")
AS_FILE = "--as-file"
TEXT_FOLLOWS = "--"
_NUMBER = re.compile(r"\[?([0-9]{1,15})(?:\.([0-9]{1,2}))?\]?(?:\s+|$)")
_QUOTES = {**QUOTES, "'": "'"}
_HAS_ENDING = re.compile(r"[^/\\@:]*\w\.[A-Za-z][A-Za-z0-9]{1,4}")
_BEGINS = ("/", "./", "../", "~/")
_BEGINS_ON_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\.{1,2}[\\/]|~[\\/]|\\\\")
_HAS_ESCAPES = sys.platform != "win32"
"""Where a backslash is no separator of paths."""


def about_files(word: str, rest: str, known: Iterable[str]) -> ParsedInput | None:
    """Parse a command about files; None when it is another command.

    Args:
        word: the command, in lower case.
        rest: the text after it.
        known: names that the line may mention.
    """
    match word:
        case "/upload":
            return _upload(rest, known) or InputError(usage(word))
        case "/save":
            return _save(rest) or InputError(usage(word))
        case "/files":
            return InputError(usage(word)) if rest else actions.ShowFiles()
        case _:
            return None


def _upload(rest: str, known: Iterable[str]) -> ParsedInput | None:
    as_file = rest.split(maxsplit=1)[:1] == [AS_FILE]
    if as_file:
        rest = rest[len(AS_FILE) :].strip()
    to = ""
    if rest.startswith("@"):
        match split_name("/upload", rest[1:], known):
            case InputError() as ambiguous:
                return ambiguous
            case (to, rest):
                pass
            case None:
                return None
    if (first := split_path(rest)) is None:
        return None
    path, rest = first
    return UploadRequest(path, rest, to, as_file)


class FurtherFiles(Struct, frozen=True):
    """What stands behind the first path of /upload.

    Attributes:
        paths: further ones.
        text: behind them.
        odd: a word that looks like the name of a file and is none, where the text begins with it.
    """

    paths: tuple[str, ...] = ()
    text: str = ""
    odd: str = ""


def further_files(rest: str, is_file: Callable[[str], bool]) -> FurtherFiles:
    """Split what stands behind the first path of /upload into further paths and the text.

    Args:
        rest: behind the first path.
        is_file: tells whether there is a file.
    """
    paths: list[str] = []
    while (word := split_path(rest)) is not None:
        path, behind = word
        if rest.startswith(TEXT_FOLLOWS) and path == TEXT_FOLLOWS:
            return FurtherFiles(tuple(paths), behind)
        if not is_path(rest) and not (may_be_file(path) and is_file(path)):
            if _HAS_ENDING.fullmatch(path) is not None:
                return FurtherFiles(tuple(paths), rest, path)
            break
        paths.append(path)
        rest = behind
    return FurtherFiles(tuple(paths), rest)


def _save(rest: str) -> ParsedInput | None:
    if (found := _NUMBER.match(rest)) is None:
        return None
    typed = rest[found.end() :].strip()
    place = int(found[2]) if found[2] else None
    if not typed:
        return SaveRequest(found[1], place)
    whole = split_path(typed)
    if whole is None or whole[1]:  # a path to the end of the line needs no quotes
        return SaveRequest(found[1], place, typed)
    return SaveRequest(found[1], place, whole[0])


def may_be_file(word: str) -> bool:
    """Tell whether a further word is taken for a file where there is one: no plain word of a text is."""
    return "." in word or "/" in word or (not _HAS_ESCAPES and "\\" in word)


def is_path(text: str) -> bool:
    """Tell whether a text begins as a path does, in quotes or without."""
    bare = text[1:] if text[:1] in _QUOTES and text else text
    return bare.startswith(_BEGINS) or (not _HAS_ESCAPES and _BEGINS_ON_WINDOWS.match(bare) is not None)


def split_path(text: str) -> tuple[str, str] | None:
    """Split a path off a text, without its quotes and escapes; None without one, or with a quote that does not end."""
    if not text:
        return None
    if text[0] in _QUOTES:
        path, closing, more = text[1:].partition(_QUOTES[text[0]])
        ends = bool(closing) and bool(path) and (not more or more[0].isspace())
        return (path, more.strip()) if ends else None
    path, at = "", 0
    while at < len(text) and not text[at].isspace():
        if text[at] == "\\" and _HAS_ESCAPES and at + 1 < len(text):
            at += 1
        path += text[at]
        at += 1
    return path, text[at:].strip()
