"""Find the texts in the JavaScript of the page: calls of the functions of ``securechat/web/ui/i18n.js``.

Babel's extractor passes over a call inside another call's arguments, and over what stands in a template literal inside
another. This splits a module into tokens (ECMA-262 section 12) as far as literals need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

KEYWORDS = {"_": 1, "ngettext": 2, "pgettext": 2, "ownRefusal": 2}
"""The functions that translate, with how many of their arguments are literals. `ownRefusal` takes a reason and the text
that `refusalText` translates: the core says nothing itself."""
COMMENT_TAG = "Translators:"

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_WORD = re.compile(r"[\w$#]+")
_BEFORE_REGEX = frozenset(
    {*("await", "case", "delete", "do", "else", "in", "new"), *("of", "return", "throw", "typeof", "void", "yield")}
)
"""Words behind which a slash begins a regular expression; behind any other word it divides."""
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r?\n)|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


@dataclass(frozen=True)
class Call:
    """A call of a function that translates.

    Args:
        line: of the source.
        function: its name.
        literals: the arguments that must be literals; None where one is none.
        comment: to the translators; empty where there is none.
    """

    line: int
    function: str
    literals: tuple[str, ...] | None
    comment: str

    @property
    def context(self) -> str | None:
        """The context of the text."""
        return self.literals[0] if self.function == "pgettext" and self.literals else None

    @property
    def message(self) -> str | tuple[str, ...]:
        """The text, or its forms."""
        assert self.literals is not None
        return self.literals if self.function == "ngettext" else self.literals[-1]


@dataclass(frozen=True)
class Literal:
    """A string, or the fixed parts of a template literal with ``{}`` between them, that no function translates."""

    line: int
    text: str


@dataclass(frozen=True)
class _Token:
    kind: str  # "comment", "string", "template", "word", "regex" or "sign"
    text: str
    line: int


def calls(source: str) -> Iterator[Call]:
    """Return the calls in a module."""
    return (found for found in _scanned(source, 1) if isinstance(found, Call))


def literals(source: str) -> Iterator[Literal]:
    """Return the literals in a module that are no texts of calls."""
    return (found for found in _scanned(source, 1) if isinstance(found, Literal))


def written_calls(source: str) -> int:
    """Count the calls with a plain pattern: as many as `calls` finds, or it was led astray."""
    code = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", source, flags=re.DOTALL | re.MULTILINE)
    return len(re.findall(rf"(?<![\w$.])(?<!function )(?:{'|'.join(KEYWORDS)})\(", code))


def _scanned(source: str, line: int) -> Iterator[Call | Literal]:
    comment, comment_line = "", 0
    code: list[_Token] = []
    comments: dict[int, str] = {}
    for token in _tokens(source, line):
        if token.kind != "comment":
            code.append(token)
            continue
        words = " ".join(token.text.strip("/* ").split())
        if words.startswith(COMMENT_TAG):
            comment = words.removeprefix(COMMENT_TAG).strip()
        elif comment and token.line == comment_line + 1:
            comment = f"{comment} {words}"
        else:
            comment = ""
        comment_line = token.line + token.text.count("\n")
        comments[comment_line] = comment
    taken: set[int] = set()
    for index, token in enumerate(code):
        if _is_call(code, index):
            found, used = _arguments(code, index + 2, KEYWORDS[token.text])
            taken |= used
            yield Call(token.line, token.text, found, comments.pop(token.line - 1, "") or comments.pop(token.line, ""))
        elif token.kind == "string" and index not in taken:
            yield Literal(token.line, _unquoted(token.text))
        elif token.kind == "template" and index not in taken:
            fixed = []
            for part, at, is_code in _parts(token):
                if is_code:
                    yield from _scanned(part, at)
                else:
                    fixed.append(part)
            yield Literal(token.line, "{}".join(fixed))


def _tokens(source: str, line: int) -> Iterator[_Token]:
    at, previous = 0, _Token("sign", "", line)
    while at < len(source):
        char = source[at]
        if char.isspace():
            line += char == "\n"
            at += 1
            continue
        if found := _COMMENT.match(source, at):
            token = _Token("comment", found[0], line)
        elif found := _STRING.match(source, at):
            token = _Token("string", found[0], line)
        elif char == "`":
            token = _Token("template", source[at : _end_of_template(source, at)], line)
        elif found := _WORD.match(source, at):
            token = _Token("word", found[0], line)
        elif char == "/" and _may_begin_regex(previous) and (found := _REGEX.match(source, at)):
            token = _Token("regex", found[0], line)
        else:
            token = _Token("sign", char, line)
        yield token
        at += len(token.text)
        line += token.text.count("\n")
        previous = previous if token.kind == "comment" else token


def _may_begin_regex(previous: _Token) -> bool:
    if previous.kind == "word":
        return previous.text in _BEFORE_REGEX
    return previous.kind == "sign" and previous.text not in (")", "]", "}")


def _end_of_template(source: str, start: int) -> int:
    at = start + 1
    while at < len(source) and source[at] != "`":
        if source.startswith("${", at):
            at = _end_of_code(source, at + 2) + 1
        else:
            at += 2 if source[at] == "\\" else 1
    return at + 1


def _end_of_code(source: str, start: int) -> int:
    """Return where the brace stands that ends the expression in a template literal."""
    depth, at = 0, start
    while at < len(source):
        if source[at] == "`":
            at = _end_of_template(source, at)
        elif found := _STRING.match(source, at) or _COMMENT.match(source, at):
            at = found.end()
        elif source[at] == "}" and depth == 0:
            break
        else:
            depth += {"{": 1, "}": -1}.get(source[at], 0)
            at += 1
    return at


def _parts(token: _Token) -> Iterator[tuple[str, int, bool]]:
    """Return what a template literal consists of: the part, its line, and whether it is an expression."""
    text, at, begun = token.text[1:-1], 0, 0
    while at < len(text):
        if text.startswith("${", at):
            end = _end_of_code(text, at + 2)
            yield _unescaped(text[begun:at]), token.line, False
            yield text[at + 2 : end], token.line + text[:at].count("\n"), True
            at = begun = end + 1
        else:
            at += 2 if text[at] == "\\" else 1
    yield _unescaped(text[begun:]), token.line, False


def _is_call(code: list[_Token], index: int) -> bool:
    token = code[index]
    if token.kind != "word" or token.text not in KEYWORDS or index + 1 >= len(code) or code[index + 1].text != "(":
        return False
    return index == 0 or code[index - 1].text not in ("function", ".")


def _arguments(code: list[_Token], index: int, count: int) -> tuple[tuple[str, ...] | None, set[int]]:
    """Return the first arguments of a call, each a string or several joined by ``+``, and which tokens they are."""
    found: list[str] = []
    used: set[int] = set()
    parts: list[str] = []
    while len(found) < count and index < len(code):
        token = code[index]
        if token.kind == "string" or (token.kind == "template" and "${" not in token.text):
            parts.append(_unquoted(token.text))
            used.add(index)
        elif token.text in (",", ")") and parts:
            found.append("".join(parts))
            parts = []
            if token.text == ")":
                break
        elif not (token.text == "+" and parts):
            break
        index += 1
    return (tuple(found), used) if len(found) == count else (None, set())


def _unquoted(text: str) -> str:
    return _unescaped(text[1:-1])


def _unescaped(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        digits = found[1] or found[2] or found[3]
        if digits:
            return chr(int(digits, 16))
        return "" if found[4] else _ESCAPED.get(found[5], found[5])

    return _ESCAPE.sub(character, text)
