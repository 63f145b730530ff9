"""Nothing hostile reaches a terminal: every class of code point that could, one by one."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from securechat.text.sanitize import CONTINUATION_MARK, NEWLINE_MARK, is_hostile, one_line, visible, width

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
KEPT_FORMAT = frozenset("\u200c\u200d") | {  # joiners of scripts and emoji; signs that enclose the digits after them
    *map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)))
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]52;c;aGk=\x07", "␛[2J␛]52;c;aGk=␇"),
        ("a\rb", "a␍b"),
        ("a\x00b\x7fc", "a␀b␡c"),
        ("a\tb", "a    b"),
        ("\x9b31mred", "<U+009B>31mred"),
        ("\u202egnp.exe", "<U+202E>gnp.exe"),
        ("a\u2028b\u2029c", "a<U+2028>b<U+2029>c"),
        ("a\u200bb\ufeffc", "a<U+200B>b<U+FEFF>c"),
        ("\U000e0041", "<U+E0041>"),
        ("\ud800", "<U+D800>"),
        (f"{CONTINUATION_MARK} ana: hi", "<U+2506> ana: hi"),
        ("a\nb", "a\nb"),
    ],
)
def test_hostile_is_shown_as_a_symbol(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert is_hostile(text)


@pytest.mark.parametrize(
    "text", ["", "hello", "selamat pagi ☕", "日本語", "عربى", "ที่นี่", "👩‍💻 ❤️ 🇮🇩", "e\u0301", "می‌خواهم", "हिन्दी"]
)
def test_languages_are_left_alone(text: str) -> None:
    assert visible(text) is text
    assert one_line(text) == text
    assert not is_hostile(text)


def test_every_code_point_that_controls_or_vanishes_is_replaced() -> None:
    """Categories from the Unicode Character Database, so that a new Unicode version is noticed."""
    escaped = []
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        dangerous = unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in KEPT_FORMAT
        if dangerous and char != "\n" and char in visible(char):
            escaped.append(f"U+{code:04X}")
    assert escaped == []


def test_bidi_controls_are_all_replaced() -> None:
    assert not set(visible(BIDI)) & set(BIDI)


@pytest.mark.parametrize("mark", ["\u0301", "\u0e49", "\u20dd", "\u0f39", "\u064b"])
def test_a_pile_of_marks_is_cut_in_any_script(mark: str) -> None:
    assert visible("a" + mark * 100 + "b") == "a" + mark * 8 + "b"
    assert visible("a" + mark * 8) == "a" + mark * 8


def test_joiners_do_not_hide_a_pile() -> None:
    assert visible("a" + ("\u0301" * 4 + "\u200d") * 50).count("\u0301") == 8


def test_one_line_is_one_line_and_its_mark_cannot_be_typed() -> None:
    assert one_line("a\nb") == f"a{NEWLINE_MARK}b"
    assert one_line(f"a{NEWLINE_MARK}b") == "a<U+23CE>b"
    assert "\n" not in one_line("\n\r\n\x0b\x0c\x85\u2028\u2029")
    assert one_line("\x0b\x0c\x85\u2028\u2029").splitlines() == [one_line("\x0b\x0c\x85\u2028\u2029")]


@pytest.mark.parametrize(
    ("text", "cells"), [("", 0), ("ana", 3), ("日本", 4), ("e\u0301", 1), ("ที่", 1), ("a\u200db", 2), ("Ａ", 2)]
)
def test_width(text: str, cells: int) -> None:
    assert width(text) == cells
