"""The lines that name the files of a message in its text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.text.clusters import cut_after, cut_before
from securechat.text.file_lines import (
    MAX_LINE_NAME_CHARS,
    file_line,
    shortened,
    size_words,
    with_file_lines,
    without_file_lines,
)
from securechat.text.file_names import clean_name

VECTORS = json.loads((Path(__file__).parents[2] / "golden" / "file_lines.json").read_text(encoding="utf-8"))
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
FLAG = "\U0001f1ee\U0001f1e9"
TRICKY = st.text(st.sampled_from("a.]\n,[ \u0301\u200d\U0001f1ee\U0001f1e9\U0001f44d\U0001f3fd\u4e2d"), max_size=150)
NAMES = st.text(max_size=150).map(clean_name) | TRICKY.map(clean_name)
FILES = st.lists(st.tuples(NAMES, st.integers(0, 2**53 - 1)), max_size=10)
TEXTS = st.text(max_size=20) | st.tuples(TRICKY, FILES).map(lambda pair: with_file_lines(*pair))


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_golden(vector: dict[str, object]) -> None:
    text, lines_text = str(vector["text"]), str(vector["lines_text"])
    files = [(name, size) for name, size in vector["files"]]  # type: ignore[attr-defined]
    assert with_file_lines(text, files) == lines_text
    assert without_file_lines(lines_text, files) == text


@given(TEXTS, FILES)
def test_lines_are_taken_out_as_they_were_put_in(text: str, files: list[tuple[str, int]]) -> None:
    assert without_file_lines(with_file_lines(text, files), files) == text


@given(NAMES, st.integers(0, 2**53 - 1))
def test_a_line_is_one_short_line(name: str, size_bytes: int) -> None:
    line = file_line(name, size_bytes)
    assert "\n" not in line
    assert len(line) <= MAX_LINE_NAME_CHARS + len("[file: , 8388608.0 GiB]")


def test_other_files_lines_stay() -> None:
    assert without_file_lines("look\n[file: a.txt, 5 B]", [("b.txt", 5)]) == "look\n[file: a.txt, 5 B]"
    assert without_file_lines("look\n[file: a.txt, 5 B]", [("a.txt", 6)]) == "look\n[file: a.txt, 5 B]"
    assert without_file_lines("look [file: a.txt, 5 B]", [("a.txt", 5)]) == "look [file: a.txt, 5 B]"


def test_a_long_name_keeps_its_ending() -> None:
    short = shortened("a" * 100 + ".tar.gz")
    assert short.endswith("a.tar.gz")
    assert len(short) == MAX_LINE_NAME_CHARS


@pytest.mark.parametrize(
    "whole", ["e\u0301", FAMILY, "\U0001f44d\U0001f3fd", FLAG, "\u2764\ufe0f", "\u0e17\u0e35\u0e48"]
)
@pytest.mark.parametrize("before", range(30, 80))
def test_a_cut_tears_no_character(whole: str, before: int) -> None:
    short = shortened("x" * before + whole + "y" * 60)
    first, last = short.split("\N{HORIZONTAL ELLIPSIS}")
    assert first.strip("xy") in ("", whole)
    assert last.strip("xy") in ("", whole)


def test_flags_in_a_row_are_cut_between_two() -> None:
    row = "a" + FLAG * 8
    assert [cut_before(row, at) for at in (3, 4, 5, 6)] == [3, 3, 5, 5]
    assert [cut_after(row, at) for at in (3, 4, 5, 6)] == [3, 5, 5, 7]


def test_what_never_ends_is_torn() -> None:
    joined = "a\u200d" * 60
    assert cut_before(joined, 50) == 50
    assert cut_after(joined, 50) == 50


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (2560, "3 KiB"),
        (1024 * 1024 - 513, "1023 KiB"),
        (1024 * 1024 - 512, "1.0 MiB"),
        (1_310_720, "1.3 MiB"),
        (25 * 1024 * 1024, "25.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (3 * 1024**3, "3.0 GiB"),
    ],
)
def test_sizes(size_bytes: int, words: str) -> None:
    assert size_words(size_bytes) == words
