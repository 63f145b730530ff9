"""What a browser is sent is the source without comments and indentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from securechat.server.web.comments import _BLANKS, _REMARK, _TYPE, without_blanks, without_comments

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


def test_blanks_that_code_does_not_need_are_left_out() -> None:
    assert without_blanks("if (a) {\nconst b = { c };\n}") == "if(a){\nconst b={c};\n}"
    assert without_blanks("a === b || c >= d") == "a===b||c >= d"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".js"], ids=lambda path: path.name)
def test_no_text_of_a_module_has_blanks_that_are_left_out(path: Path) -> None:
    """Within ``${}`` of a template they may go; in texts and regular expressions they would change what is said."""
    sent = without_comments(path.read_text())
    texts = [_without_code(text) for text in _STRING.findall(sent)]
    texts += re.findall(r"(?<=[(,=:!&|?{} ])/(?![/* ])(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/", sent)
    for text in texts:
        assert not any(blank in text for blank, _ in _BLANKS), f"a blank of this text is not sent: {text}"


def _without_code(text: str) -> str:
    """Return a template literal without what stands in ``${}``; one may be cut there by another one in it."""
    if text[0] == "`":
        text = re.sub(r"\$\{[^}]*`$", "`", re.sub(r"^`[^{]*\}", "`", text))
    while text[0] == "`" and (rest := re.sub(r"\$?\{[^{}]*\}", "", text)) != text:
        text = rest
    return text
