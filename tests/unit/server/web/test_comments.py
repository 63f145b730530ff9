"""What a browser is sent is the source without comments and indentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from securechat.server.web.comments import _REMARK, _TYPE, without_comments

PAGE = Path(__file__).resolve().parents[4] / "securechat" / "web"
SOURCES = sorted([*PAGE.rglob("*.js"), *PAGE.rglob("*.css")])
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\\n]|\\.)*`' + r"|'(?:[^'\\\n]|\\.)*'")
_CLASS = re.compile(r"\[\^?[^\]\n]*\]")
"""A class of characters in a regular expression, which may have a quotation mark."""


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("// a\nb // c\n", "\nb\n"),
        ("/** a */\nb\n", "\nb\n"),
        ("/**\n * a\n */\nb", "\n\n\nb"),
        ("  /* a */ b", "/* a */ b"),
        ("a /* b */\n", "a /* b */\n"),
        ("a {\n  b: c;\n}\n", "a {\nb: c;\n}\n"),
        ("  const a = /** @type {B} */ (c); // d", "const a = (c);"),
        ("f((/** @type {A} */ a, /** @type {B<C>} */ b) => a);", "f((a, b) => a);"),
        ('f("a // b"); // c', 'f("a // b");'),
        ('f("a // b");', 'f("a // b");'),
        ('a = "https://b";', 'a = "https://b";'),
        ("", ""),
    ],
)
def test_comments_and_indentation_are_left_out(source: str, sent: str) -> None:
    assert without_comments(source) == sent


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_keep_to_what_is_understood(path: Path) -> None:
    """No template literal has several lines, what is left out stands in no string, and the rest has no half comment."""
    source = path.read_text()
    sent = without_comments(source)
    assert sent.count("\n") == source.count("\n")
    code = re.sub(r"//.*$|/\*.*?\*/", "", sent, flags=re.MULTILINE)
    assert "*/" not in re.sub(r"(['\"`/]).*?\*/", "", code), "a comment begins in the middle of a line"
    if path.suffix != ".js":
        return
    in_comment = False
    for line in source.split("\n"):
        words = line.strip()
        if in_comment or words.startswith(("/*", "//")):
            in_comment = (in_comment or words.startswith("/*")) and "*/" not in words
            if not words.startswith("/** @") or words.endswith("*/"):
                continue
        for found in (*_TYPE.finditer(words), *_REMARK.finditer(words)):
            before = _CLASS.sub("", _STRING.sub("", _TYPE.sub("", words[: found.start()])))
            assert not re.search("[\"'`]", before), f"a comment in a string: {line}"
        rest = _CLASS.sub("", _STRING.sub("", _REMARK.sub("", _TYPE.sub("", words))))
        assert "`" not in rest, f"a template literal of several lines: {line}"
