"""What a browser is sent is the source without the lines that are comment alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from securechat.server.web.comments import without_comments

PAGE = Path(__file__).resolve().parents[4] / "securechat" / "web"
SOURCES = sorted([*PAGE.rglob("*.js"), *PAGE.rglob("*.css")])


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("// a\nb // c\n", "\nb // c\n"),
        ("/** a */\nb\n", "\nb\n"),
        ("/**\n * a\n */\nb", "\n\n\nb"),
        ("  /* a */ b", "  /* a */ b"),
        ("a /* b */\n", "a /* b */\n"),
        ("", ""),
    ],
)
def test_whole_lines_of_comment_are_left_out(source: str, sent: str) -> None:
    assert without_comments(source) == sent


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_keep_to_what_is_understood(path: Path) -> None:
    """A line that is left out stands in no template literal, and the rest has no half comment."""
    source = path.read_text()
    sent = without_comments(source)
    assert sent.count("\n") == source.count("\n")
    code = re.sub(r"//.*$|/\*.*?\*/", "", sent, flags=re.MULTILINE)
    assert "*/" not in re.sub(r"(['\"`/]).*?\*/", "", code), "a comment begins in the middle of a line"
    if path.suffix == ".js":
        is_open = False
        for before, after in zip(source.split("\n"), sent.split("\n"), strict=True):
            assert before == after or not is_open, f"a comment in a template literal: {before}"
            literal = re.sub(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]', "", after)
            is_open ^= len(re.findall(r"(?<!\\)`", literal)) % 2 == 1
        assert not is_open
