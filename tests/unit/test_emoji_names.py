"""The names of emoji that the page searches: small enough, the same emoji in each language, and made by the tool."""

from __future__ import annotations

import gzip
import json

import pytest

pytest.importorskip("emoji", reason="PyPI's emoji is not installed here")
from tools.emoji_names import LANGUAGES, file_of, made

MOST_BYTES = 27 * 1024
"""Of a file, compressed; a page fetches one when its user looks for an emoji."""


def signs(language: str) -> list[list[str]]:
    groups = json.loads(file_of(language).read_text(encoding="utf-8"))
    return [[line.split(" ", 1)[0] for line in group.split("\n")] for group in groups]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_is_small_and_each_emoji_has_a_name(language: str) -> None:
    content = file_of(language).read_bytes()
    assert len(gzip.compress(content)) <= MOST_BYTES
    for group in json.loads(content):
        for line in group.split("\n"):
            sign, name = line.split(" ", 1)
            assert sign and name.split("\t")[0].strip(), line


def test_all_languages_have_the_same_emoji() -> None:
    first, *others = (signs(language) for language in LANGUAGES)
    assert len(first) == 7
    assert sum(map(len, first)) > 1_800
    assert all(other == first for other in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tool_makes_what_stands_there(language: str) -> None:
    """A newer release of the package may add emoji and name them otherwise; then: python tools/emoji_names.py."""
    fresh = json.loads(made(language))
    stored = json.loads(file_of(language).read_text(encoding="utf-8"))
    for new, old in zip(fresh, stored, strict=True):
        known = {line.split(" ", 1)[0] for line in new.split("\n")}
        assert {line.split(" ", 1)[0] for line in old.split("\n")} <= known
