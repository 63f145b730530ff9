"""Finds what to colour in a block of code, by the lexers of pygments, within bounds.

Lexers are regular expressions, and a hostile text makes many of them slow: some take quadratic time in blank lines, in
openings of comments that never close, or in one long line. The work runs on the thread that everything of the client
waits for, so a block is bounded in lines, in the length of a line, in characters and in tokens; what is beyond is code
without colours. `tools/bench/code_highlighting.py` makes hostile blocks at these bounds for every lexer here, out of
pieces of their languages, and prints the worst, in the thread's own time: the bounds keep it at about 10 ms. A language
whose lexer takes more with the bounds of all has fewer characters.

Pygments is imported with the first block whose language is named and known.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

from securechat.client.ui.rows.styled_text import TextSpan, TextStyle

MAX_LINES = 200
MAX_BYTES = 16_384
"""Of a block, as UTF-8: more than a message holds."""
MAX_CHARS = 2_500
"""Looked at in a block, from its beginning: 60 to 80 lines as people write them."""
FEWER_CHARS = {
    "cpp": 1_200, "css": 1_000, "go": 1_000, "ini": 600, "java": 550, "javascript": 900, "make": 1_000, "perl": 850,
    "php": 1_000, "ruby": 1_000, "typescript": 850,
}  # fmt: skip
"""Of languages whose lexers take quadratic time."""
MAX_LINE_CHARS = 200
"""A longer line is no code that a person reads; the block then has no colours."""
MAX_BLANKS = 60
"""In a row, newlines included; the lexers of C take cubic time in them. The block then has no colours."""
MAX_TOKENS = 1_000
"""Looked at in a block; a token of the slowest lexer here takes 8 µs."""

_BLANKS = re.compile(rf"\s{{{MAX_BLANKS + 1}}}")
LEXERS = frozenset((
    "bash", "c", "cpp", "css", "diff", "docker", "go", "html", "ini", "java", "javascript", "json", "kotlin",
    "lua", "make", "perl", "php", "powershell", "python", "ruby", "rust", "sql", "swift", "toml", "typescript", "xml",
    "yaml",
))  # fmt: skip
"""The names of lexers of pygments. That of C# is left out: it takes cubic time in short lines, 20 ms for 200."""
_ALSO = {
    "c++": "cpp", "cc": "cpp", "cfg": "ini", "conf": "ini", "dockerfile": "docker",
    "golang": "go", "h": "c", "htm": "html", "js": "javascript", "jsx": "javascript", "kt": "kotlin",
    "makefile": "make", "patch": "diff", "pl": "perl", "ps1": "powershell", "py": "python", "python3": "python",
    "rb": "ruby", "rs": "rust", "sh": "bash", "shell": "bash", "svg": "xml", "ts": "typescript", "tsx": "typescript",
    "yml": "yaml", "zsh": "bash",
}  # fmt: skip
"""Other words for them."""
LANGUAGES = LEXERS.union(_ALSO)
"""The words that may stand behind three backquotes."""
_STYLES = (
    (("Comment",), TextStyle.COMMENT),
    (("Keyword",), TextStyle.KEYWORD),
    (("Operator", "Word"), TextStyle.KEYWORD),
    (("Name", "Tag"), TextStyle.KEYWORD),
    (("Literal", "String"), TextStyle.STRING),
    (("Literal", "Number"), TextStyle.NUMBER),
    (("Generic", "Inserted"), TextStyle.STRING),
    (("Generic", "Deleted"), TextStyle.KEYWORD),
    (("Generic", "Subheading"), TextStyle.COMMENT),
)
"""The beginnings of pygments' token types, and what they are here."""


@lru_cache(maxsize=256)
def code_spans(code: str, language: str = "") -> tuple[TextSpan, ...]:
    """Return the spans of a block of code: TextStyle.CODE for all of it, and others for what its language has.

    Args:
        code: the lines between the backquotes, as `visible` returned them.
        language: the word behind the first three backquotes.
    """
    whole = TextSpan(0, len(code), TextStyle.CODE)
    name = language.strip().lower()
    name = _ALSO.get(name, name)
    if name not in LEXERS or not _is_bounded(code):
        return (whole,)
    spans = [whole]
    try:
        for start, end, style in _styled(_tokens(name)(code[: most_chars(name)])):
            if spans[-1].style is style and spans[-1].end == start:
                spans[-1] = TextSpan(spans[-1].start, end, style)
            else:
                spans.append(TextSpan(start, end, style))
    except Exception:  # noqa: BLE001 - a fault of a lexer costs the colours alone
        return (whole,)
    return tuple(spans)


def most_chars(language: str) -> int:
    """Return the most characters of a block of this language that are looked at."""
    return FEWER_CHARS.get(language, MAX_CHARS)


def _is_bounded(code: str) -> bool:
    lines = code.split("\n", MAX_LINES)
    return (
        len(lines) <= MAX_LINES
        and max(map(len, lines)) <= MAX_LINE_CHARS
        and _BLANKS.search(code) is None
        and len(code.encode("utf-8", "replace")) <= MAX_BYTES
    )


def _styled(tokens: Iterator[tuple[int, tuple[str, ...], str]]) -> Iterator[tuple[int, int, TextStyle]]:
    for (start, kind, value), _ in zip(tokens, range(MAX_TOKENS), strict=False):
        style = _style(kind)
        if style is not None and value:
            yield start, start + len(value), style


@lru_cache(maxsize=512)
def _style(kind: tuple[str, ...]) -> TextStyle | None:
    return next((style for beginning, style in _STYLES if kind[: len(beginning)] == beginning), None)


@cache  # as many as there are languages
def _tokens(name: str) -> Callable[[str], Iterator[tuple[int, tuple[str, ...], str]]]:
    """Return what yields place, type and text of each token of a code; it changes no character of the code."""
    options: dict[str, Any] = {"startinline": True} if name == "php" else {}
    lexer: Any = importlib.import_module("pygments.lexers").get_lexer_by_name(name, **options)
    tokens: Callable[[str], Iterator[tuple[int, tuple[str, ...], str]]] = lexer.get_tokens_unprocessed
    return tokens
