"""No sentence for a person stands outside the catalogue: literals that look like one are in a call that translates.

A heuristic over the source of what speaks to people: three words in a row. Docstrings, regular expressions, asserts,
log records and raised programming errors are none. The pseudo-locale (tests/support/pseudo.py) finds what is said
when a program runs; this finds what no test makes it say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.locales import translations_tool

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    "securechat/client", "securechat/admin", "securechat/cli", "securechat/tls", "securechat/server/config",
    "securechat/server/banner.py", "securechat/server/web/trust.py",
    "securechat/text/refusals.py", "securechat/text/file_refusals.py",
    "securechat/text/program_refusals.py", "securechat/programs.py",
    "securechat/files.py", "securechat/toml_file.py",
    "tools/dev.py", "tools/gen_certs.py",
)  # fmt: skip
TRANSLATING = frozenset({*translations_tool().KEYWORDS, "chosen_plural"})
NO_SENTENCES = frozenset(
    {"compile", "sub", "match", "fullmatch", "search", "split", "AssertionError", "NotImplementedError"}
)
"""Calls whose texts no person reads: regular expressions, and errors of the programmer."""
LOGGING = frozenset({"debug", "info", "warning", "exception", "critical", "log"})
THREE_WORDS = re.compile(r"(?<![\w/-])[A-Za-z][a-z'’]+,? [a-z'’]+,? [a-z'’]+(?![\w/-])")

ALLOWED: dict[str, tuple[str, ...]] = {
    # tomllib's own messages, which are looked up to be replaced
    "securechat/toml_file.py": (
        "Cannot overwrite a value", "Expected '=' after a key in a key/value pair",
        "Expected ']' at the end of a table declaration", "Expected newline or end of document after a statement",
        "Invalid initial character for a key part", "Unescaped '\\' in a string",
    ),
    # a comment of a configuration file, for programs and people of every language
    "securechat/server/config/report.py": (
        "# What securechat-server would run with, and where each value comes from.",
    ),
    # a warning of the log
    "securechat/server/banner.py": (
        (
            "clients refuse this server at {}, because the certificate does not name it. It names {}: use --host with "
            "one of these, or {} and send this process SIGHUP"
        ),
    ),
    # reasons of a renewal, for programs: they stand in JSON alone
    "securechat/tls/certificate_directory.py": (
        "it is valid only from {} UTC on", "it expired on {}", "it expires in {}", "it does not name {}",
        "there was none", "it was not issued by {}, so clients that have {} refuse it", "it was asked for",
    ),
    "securechat/tls/issuing.py": ("a server certificate needs at least one name",),  # an error of the programmer
    # a program for another Python, a command, and what is said where no catalogue can be read
    "tools/dev.py": (
        "import sys, encodings; assert sys.prefix != sys.base_prefix; print('%d.%d' % sys.version_info[:2])",
        "{}apt install python{}-venv", "dev: The translation {} cannot be read. English is used",
        "securechat needs Python 3.11 or newer, but this is {version}. Run it with {newer} instead of python3",
        "securechat needs Python 3.11 or newer, but this is {}",
    ),
}  # fmt: skip
"""By file: literals that look like sentences and are none, or are said where nothing can be translated."""


def modules() -> list[Path]:
    paths = [ROOT / place for place in PLACES]
    return sorted(file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path]))


def untranslated(source: str) -> Iterator[tuple[int, str]]:
    """Return the line and text of each literal that looks like a sentence and is not translated."""
    tree = ast.parse(source)
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        elif isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and _is_passed(node.func)):
            passed.update(id(each) for each in ast.walk(node) if _is_text(each))
    for node in ast.walk(tree):
        if id(node) not in passed and _is_text(node) and THREE_WORDS.search(text := _text_of(node)):
            passed.update(id(each) for each in ast.walk(node))
            yield node.lineno, text  # type: ignore[attr-defined]


def _is_passed(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in LOGGING | NO_SENTENCES
    return isinstance(function, ast.Name) and function.id in TRANSLATING | NO_SENTENCES


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(each) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sentence_comes_from_the_catalogue(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    allowed = ALLOWED.get(name, ())
    found = {line: text for line, text in untranslated(path.read_text(encoding="utf-8")) if text not in allowed}
    assert found == {}


def test_what_is_allowed_is_still_there() -> None:
    gone = [
        (name, text)
        for name, texts in ALLOWED.items()
        for text in texts
        if text not in {found for _line, found in untranslated((ROOT / name).read_text(encoding="utf-8"))}
    ]
    assert gone == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('say("You have left the room")', 1),
        ('say(f"{name} has joined the room")', 1),
        ('X = {"a": "Nothing was written here"}', 1),
        ('say(f"{a} and {b}: {c}")', 0),
        ('say(_("You have left the room"))', 0),
        ('X = LazyText("You have " "left the room")', 0),
        ('raise E(Sentence("You have left {room}", room=room))', 0),
        ('"""You have left the room."""', 0),
        ('def f():\n    """You have left the room."""', 0),
        ('log.info("a b c d the room", extra={})', 0),
        ('re.compile("one two three four")', 0),
        ('X = "--lang CODE"', 0),
    ],
)
def test_a_sentence_is_told_from_other_literals(source: str, count: int) -> None:
    assert len(list(untranslated(source))) == count
