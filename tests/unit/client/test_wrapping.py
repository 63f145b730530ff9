"""Rows are never wider than their field, whatever terminal draws them; links are whole where a row takes them."""

from __future__ import annotations

import random
import unicodedata

import pytest
import wcwidth

from securechat.client.ui.rows.links import links_in
from securechat.client.ui.rows.styled_text import TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import RowRange, cells, cut_to, fitting, row_ranges, styled_rows
from securechat.text.sanitize import is_hostile
from tests.support.steps import steps


def rows(text: str, columns: int, *, as_typed: bool = False) -> list[str]:
    whole = [(link.start, link.end) for link in links_in(text)]
    return [text[each.start : each.end] for each in row_ranges(text, 0, len(text), columns, whole, as_typed=as_typed)]


def test_every_code_point_counts_at_least_as_wide_as_any_table_has_it() -> None:
    for code in range(0x20, 0x20000):  # behind it everything counts two cells
        char = chr(code)
        if is_hostile(char):
            continue
        widest = max(wcwidth.wcwidth(char), 2 if unicodedata.east_asian_width(char) in "WF" else 1)
        assert cells(char) >= widest, hex(code)
    assert {cells(chr(code)) for code in range(0x20000, 0x30000, 7)} == {2}


@pytest.mark.parametrize(
    ("text", "widest"),
    [
        ("\u2764\ufe0f", 3),  # a heart, and the selector that makes it an emoji
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 8),  # a family, joined
        ("\U0001f44d\U0001f3fd", 4),  # a skin tone
        ("\U0001f1ee\U0001f1e9", 4),  # a flag
        ("1\ufe0f\u20e3", 3),  # a keycap
        ("\u0e17\u0e35\u0e48", 3),  # Thai, with a vowel and a tone above
        ("\u0915\u094d\u0937\u093f", 4),  # Devanagari, two letters and two marks
        ("\u65e5\u672c", 4),
        ("\u00a7\u00b1\u2192", 6),  # ambiguous
        ("\u00e9\u03b1\u044f", 3),  # letters that are ambiguous too
        ("ascii", 5),
    ],
)
def test_sequences_count_as_the_sum_of_what_they_are_made_of(text: str, widest: int) -> None:
    assert cells(text) == widest
    assert cells(text) >= wcwidth.wcswidth(text)


def test_rows_break_at_spaces() -> None:
    assert rows("one two three four", 9) == ["one two", "three", "four"]
    assert rows("exactly nine", 7) == ["exactly", "nine"]
    assert rows("", 9) == [""]
    assert rows("a  b", 2) == ["a ", "b"]


def test_long_words_are_cut_where_the_row_ends() -> None:
    assert rows("see abcdefghijklm now", 8) == ["see abcd", "efghijkl", "m now"]
    assert rows("日本語日本語", 5) == ["日本", "語日", "本語"]


def test_code_is_cut_at_the_edge_alone() -> None:
    assert rows("    return a or b", 10, as_typed=True) == ["    return", " a or b"]


def test_a_link_stays_whole_where_a_row_takes_it() -> None:
    url = "https://example.org/123456"
    assert rows(f"read this: {url}", len(url)) == ["read this:", url]
    assert rows(f"read ({url})", len(url)) == ["read (", url, ")"]
    assert rows(f"read ({url})", len(url) + 1) == ["read", f"({url}", ")"]
    assert rows(f"{url} {url}", len(url) + 5) == [url, url]


def test_a_longer_link_begins_a_row_and_fills_its_rows() -> None:
    url = "https://example.org/1234567890"
    assert rows(f"see {url} there", 12) == ["see ", url[:12], url[12:24], f"{url[24:]} there"]


def test_no_character_is_torn() -> None:
    family = "\U0001f468\u200d\U0001f469"
    assert rows(family * 3, 6) == [family] * 3
    accents = "e\u0301"
    assert rows(accents * 4, 5) == [accents * 2] * 2
    assert rows("a \u0301b", 2) == ["a", " \u0301", "b"]


def test_a_row_takes_at_least_one_character() -> None:
    assert rows("日本", 1) == ["日", "本"]
    assert fitting("日本", 0, 2, 1) == 1


def test_any_text_is_cut_into_all_of_itself() -> None:
    dice = random.Random(18)
    chars = "ab  \u0e35日é\u200d\U0001f468\u0301/:."
    for _ in range(1_000):
        text = "".join(dice.choice((*chars, "http://a.b/c ")) for _ in range(dice.randint(0, 60)))
        columns = dice.randint(2, 20)
        whole = [(link.start, link.end) for link in links_in(text)]
        ranges = row_ranges(text, 0, len(text), columns, whole)
        at = 0
        for each in ranges:
            assert text[at : each.start] in {"", " "}, ascii(text)
            assert cells(text[each.start : each.end]) <= columns, ascii(text)
            at = each.end
        assert text[at:] in {"", " "}, ascii(text)
        for start, end in whole:
            if end - start <= columns:
                assert any(each.start <= start and end <= each.end for each in ranges), ascii(text)


def test_spans_follow_their_text() -> None:
    text = "one https://a.example/b two"
    span = TextSpan(4, 23, TextStyle.LINK, link="https://a.example/b")
    ranges = [RowRange(0, 10), RowRange(10, 20), RowRange(20, 27)]
    made = styled_rows(text, ranges, [TextSpan(24, 27, TextStyle.NAME, person=7), span], ". ", "> ")
    assert made == ["> one https:", ". //a.exampl", ". e/b two"]
    assert [[row[each.start : each.end] for each in row.spans] for row in made] == [
        ["https:"], ["//a.exampl"], ["e/b", "two"],
    ]  # fmt: skip
    assert {each.link for row in made for each in row.spans if each.style is TextStyle.LINK} == {span.link}
    assert made[2].spans[1].person == 7


def test_a_list_cuts_with_an_ellipsis() -> None:
    assert cut_to("short", 5) == "short"
    assert cut_to("longer", 5) == "lon…"  # … is ambiguous: two cells in some terminals
    assert cells(cut_to("日本語日本語", 7)) <= 7


@pytest.mark.parametrize(
    "piece", ["a", " ", "a ", "é", " \u0301", "字", "\U0001f468\u200d", "http://a.b/ ", "("], ids=ascii
)
def test_hostile_texts_take_linear_time(piece: str) -> None:
    text = (piece * 10_240)[:10_240]
    whole = [(link.start, link.end) for link in links_in(text)]
    assert steps(lambda: row_ranges(text, 0, len(text), 20, whole)) < 60 * len(text)


def test_many_spans_on_many_rows_take_linear_time() -> None:
    text = "a" * 5_000
    ranges = [RowRange(at, at + 1) for at in range(5_000)]
    spans = [TextSpan(at, at + 2, TextStyle.LINK) for at in range(0, 5_000, 2)]
    assert steps(lambda: styled_rows(text, ranges, spans)) < 60 * len(text)
