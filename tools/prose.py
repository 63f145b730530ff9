#!/usr/bin/env python3
"""Count indefinite persons in docstrings and comments, and modules that open with a question word.

    python tools/prose.py [FOLDER ...]

Prints a line per file that has any, the most first, and the rate per 1,000 words. ``tests/arch/test_prose.py`` holds
the folders that are done to one per 1,000 words.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PERSONS = re.compile(r"\b(?:(?:some|no|any|every)body|(?:some|any|every)one(?! of)|who(?:m|so)?ever)\b", re.IGNORECASE)
"""Words for a person that name none. Write the member, the sender, the connection, the operator instead."""
QUESTIONS = re.compile(r"(?:who|whose|whom|what|how|where|when|why|which|whether|if)\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z']+")
_CODE = re.compile(r"`[^`]*`|:\w+:|https?://\S+")


class Count(NamedTuple):
    """The prose of one file.

    Attributes:
        words: in its docstrings and comments, code in backticks left out.
        persons: indefinite ones among them.
        opens_with_question: whether its module docstring begins with a question word.
    """

    words: int
    persons: int
    opens_with_question: bool


def prose_of(source: str) -> Iterator[str]:
    """The docstrings (of modules, classes, functions and constants) and comments of a file."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not re.match(r"#\s*(?:noqa|fmt:|type:|pragma)", token.string):
            yield token.string.partition("noqa")[0]


def count(path: Path) -> Count:
    """Count the prose of a file."""
    source = path.read_text(encoding="utf-8")
    texts = [_CODE.sub(" ", text) for text in prose_of(source)]
    words = sum(len(_WORD.findall(text)) for text in texts)
    persons = sum(len(PERSONS.findall(text)) for text in texts)
    head = ast.get_docstring(ast.parse(source)) or ""
    return Count(words, persons, QUESTIONS.match(head) is not None)


def main(arguments: list[str]) -> int:
    """Print the counts; returns 0."""
    folders = [Path(argument) for argument in arguments] or [ROOT / "securechat"]
    rows = [(path, count(path)) for folder in folders for path in sorted(folder.rglob("*.py"))]
    for path, row in sorted(rows, key=lambda each: -each[1].persons):
        if row.persons or row.opens_with_question:
            print(
                f"{row.persons:4} of {row.words:5} words{'  opens with a question' * row.opens_with_question}  {path}"
            )
    words, persons = sum(row.words for _, row in rows), sum(row.persons for _, row in rows)
    heads = sum(row.opens_with_question for _, row in rows)
    rate = 1000 * persons / max(1, words)
    print(f"{persons} in {words} words: {rate:.1f} per 1,000; {heads} modules open with a question")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
