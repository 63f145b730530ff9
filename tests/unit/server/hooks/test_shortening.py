"""A text that is too long is cut at a line, and says what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.server.hooks.shortening import shortened

BYTES = 10_000


def test_a_text_that_fits_stays() -> None:
    assert shortened("a" * 100, 100, BYTES) == "a" * 100


def test_it_is_cut_at_a_line() -> None:
    text = "\n".join(["a" * 19] * 100)  # 1,999 code points
    assert shortened(text, 200, BYTES) == "\n".join(["a" * 19] * 8) + "\n(1,840 more characters)"


def test_a_long_line_is_cut_at_a_space() -> None:
    text = "short\n" + "word " * 1_000
    short = shortened(text, 200, BYTES)
    shown, _, note = short.rpartition("\n")
    assert shown.startswith("short\nword ")
    assert shown.endswith("word")
    assert note == f"({len(text) - len(shown):,} more characters)"


def test_a_long_word_is_cut_within() -> None:
    short = shortened("a" * 1_000, 200, BYTES)
    shown, _, note = short.partition("\n")
    assert 150 < len(shown) <= 200
    assert note == f"({1_000 - len(shown)} more characters)"


@pytest.mark.parametrize("cluster", ["e\u0301", "👨\u200d👩\u200d👧", "👍🏽", "❤\ufe0f"])
@pytest.mark.parametrize("before", range(4))
def test_no_character_is_cut_in_two(cluster: str, before: int) -> None:
    shown = shortened("a" * before + cluster * 300, 200, BYTES).partition("\n")[0]
    rest = shown[before:]
    assert rest == cluster * (len(rest) // len(cluster))


def test_a_pile_of_marks_is_cut_anywhere() -> None:
    assert len(shortened("a" + "\u0301" * 1_000, 200, BYTES)) <= 200


def test_bytes_count_as_well() -> None:
    short = shortened("€" * 190, 200, 300)
    assert len(short.encode()) <= 300
    assert short.endswith(f"({190 - short.count('€')} more characters)")


def test_what_was_left_out_before_is_counted() -> None:
    assert shortened("a", 100, BYTES, 1_234) == "a\n(1,234 more characters)"
    assert shortened("a", 100, BYTES, 1_234, whole=False) == "a\n(more than 1,234 more characters)"
    assert shortened("a", 100, BYTES, whole=False) == "a\n(more)"
    assert shortened("", 100, BYTES, 5) == "(5 more characters)"


def test_blanks_at_line_ends_and_empty_lines() -> None:
    assert shortened("a  \n\n\n\nb\t\n\nc\n\n", 100, BYTES) == "a\n\nb\n\nc"


@given(
    st.text(max_size=400) | st.text(st.sampled_from("a \n€\u0301👍🏽\u200d"), max_size=400),
    st.integers(100, 300),
    st.integers(100, 700),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_the_result_is_within_the_limits(text: str, chars: int, size: int, missing: int, whole: bool) -> None:
    text = text.encode(errors="ignore").decode()
    short = shortened(text, chars, size, missing, whole=whole)
    assert len(short) <= chars
    assert len(short.encode()) <= size
