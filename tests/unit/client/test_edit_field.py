"""The field for text: readline's keys, rows, the insertion point's cell, undo, and hidden text that is kept nowhere."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from securechat.client.ui.input.edit_buffer import MOST_CHARS, typable
from securechat.client.ui.input.edit_field import EditField
from securechat.client.ui.rows.styled_text import TextRow
from securechat.text.sanitize import width


def field(text: str = "", cursor: int | None = None, *, lines: bool = True) -> EditField:
    made = EditField(lines=lines)
    made.buffer.replace(text, cursor=cursor)
    return made


def press(made: EditField, *keys: str, columns: int = 40) -> tuple[str, int]:
    for key in keys:
        made.key(key, key if len(key) == 1 else None, columns)
    return made.buffer.text, made.buffer.cursor


@pytest.mark.parametrize(
    ("text", "cursor", "key", "wanted"),
    [
        ("one two", 7, "ctrl+a", ("one two", 0)),
        ("one two", 0, "ctrl+e", ("one two", 7)),
        ("a\nbc\nd", 3, "ctrl+a", ("a\nbc\nd", 2)),
        ("a\nbc\nd", 3, "ctrl+e", ("a\nbc\nd", 4)),
        ("one two", 3, "ctrl+k", ("one", 3)),
        ("a\nb", 1, "ctrl+k", ("ab", 1)),
        ("one two", 4, "ctrl+u", ("two", 0)),
        ("one two-x ", 10, "ctrl+w", ("one ", 4)),
        ("one two-x", 9, "alt+backspace", ("one two-", 8)),
        ("one two", 0, "alt+d", (" two", 0)),
        ("one two", 3, "alt+f", ("one two", 7)),
        ("one two", 7, "alt+b", ("one two", 4)),
        ("one", 1, "ctrl+d", ("oe", 1)),
        ("one", 1, "ctrl+h", ("ne", 0)),
        ("ab", 2, "ctrl+t", ("ba", 2)),
        ("abc", 1, "ctrl+t", ("bac", 2)),
        ("a", 1, "ctrl+t", ("a", 1)),
        ("x👩‍👩‍👧", 6, "backspace", ("x", 1)),
        ("e\u0301!", 0, "right", ("e\u0301!", 2)),
        ("👍🏽!", 2, "left", ("👍🏽!", 0)),
    ],
)
def test_readlines_keys(text: str, cursor: int, key: str, wanted: tuple[str, int]) -> None:
    assert press(field(text, cursor), key) == wanted


def test_what_was_cut_comes_back_and_cuts_in_a_row_are_one() -> None:
    made = field("one two three")
    assert press(made, "ctrl+w", "ctrl+w") == ("one ", 4)
    assert press(made, "ctrl+y") == ("one two three", 13)
    assert press(made, "ctrl+a", "alt+d", "alt+d", "ctrl+e", "ctrl+y") == (" threeone two", 13)


def test_undo_takes_back_words_and_cuts_and_redo_brings_them_again() -> None:
    made = field()
    press(made, *"one two")
    assert press(made, "ctrl+underscore") == ("one", 3)
    press(made, *"x")
    made.buffer.clear()
    assert made.buffer.text == ""
    made.buffer.undo()
    assert made.buffer.text.startswith("one")
    made.buffer.redo()
    assert made.buffer.text == ""


def test_up_and_down_keep_the_column_and_stop_at_the_edge() -> None:
    made = field("first line\nx\nthird line")
    assert made.key("up", None, 40)
    assert made.buffer.cursor == 12
    assert made.key("up", None, 40)
    assert made.buffer.cursor == len("first line")
    assert not made.key("up", None, 40)


def test_hidden_text_is_shown_nowhere_and_kept_nowhere() -> None:
    made = field()
    made.buffer.hidden = True
    press(made, *"secret")
    assert made.buffer.text == "secret"
    assert all("secret" not in row for row in made.drawn(40, 3))
    assert made.cursor(40) == (0, 0)
    press(made, "ctrl+u")
    made.buffer.hidden = False
    made.buffer.put_back()
    made.buffer.undo()
    made.buffer.redo()
    assert made.buffer.text == ""


def test_controls_are_not_typed_and_newlines_of_all_kinds_are() -> None:
    assert typable("a\x00b\x1b[31mc\r\nd\re\tf\u202e") == "ab[31mc\nd\ne\tf"


def test_more_than_fits_is_counted() -> None:
    made = field("x" * (MOST_CHARS - 3))
    assert made.insert("12345") == 2
    assert made.buffer.text.endswith("123")
    assert made.insert("6") == 1


def test_one_line_takes_no_newline() -> None:
    made = field(lines=False)
    made.insert("a\nb\r\nc")
    assert made.buffer.text == "a b c"


@pytest.mark.parametrize("columns", [10, 11, 23, 40, 120])
def test_rows_hold_the_text_once_and_fit_and_the_cursor_is_where_the_next_character_goes(columns: int) -> None:
    chance = random.Random(columns)
    for _ in range(150):
        made = field("".join(chance.choices("abc  \n\tfé漢👍", k=chance.randrange(80))))
        made.prompt = TextRow.of("#ops > ")
        rows = made.rows(columns)
        covered = [(row.start, row.end) for row in rows]
        assert covered[0][0] == 0
        assert covered[-1][1] == len(made.buffer.text)
        for (_, end), (start, _) in pairwise(covered):
            assert start == end or (start == end + 1 and made.buffer.text[end] == "\n")
        drawn = made.drawn(columns, 100)
        assert max(map(width, drawn)) <= columns
        made.buffer.move(chance.randrange(len(made.buffer.text) + 1))
        x, y = made.cursor(columns)
        made.drawn(columns, 100)
        assert 0 <= x < columns
        assert 0 <= y < len(rows)


def test_one_long_line_shows_the_part_around_the_insertion_point() -> None:
    made = field("0123456789" * 5, lines=False)
    made.prompt = TextRow.of("> ")
    assert made.drawn(20, 1) == ["> 34567890123456789"]
    assert made.cursor(20) == (19, 0)
    press(made, "home", columns=20)
    assert made.drawn(20, 1) == ["> 01234567890123456"]
    assert made.cursor(20) == (2, 0)


def test_a_click_puts_the_insertion_point_there() -> None:
    made = field("one two three four five")
    made.prompt = TextRow.of("> ")
    made.drawn(14, 3)
    made.click(6, 0, 14)
    assert made.buffer.cursor == 4
    made.click(99, 1, 14)
    assert made.cursor(14)[1] == 1


def test_the_rows_around_the_insertion_point_are_shown() -> None:
    made = field("\n".join(map(str, range(20))))
    assert made.drawn(20, 3)[-1].strip() == "19"
    made.buffer.move(0)
    assert made.drawn(20, 3)[0] == "0"
    assert made.cursor(20) == (0, 0)
