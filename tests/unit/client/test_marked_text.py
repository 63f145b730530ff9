"""Marked text: lines are whole again, and no gutter is taken along."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from securechat.client.ui.rows.marked_text import marked_cells, marked_text
from securechat.client.ui.rows.message_rows import RowContext, message_block
from securechat.client.ui.rows.styled_text import TextRow
from securechat.model import Message, Person

COLUMNS = 30
LINK = "https://example.org/a/rather/long/path/that/fills/more/than/a/row?with=query"


def rows_of(text: str, columns: int = COLUMNS) -> list[TextRow]:
    message = Message(1, 0, 99, "ana", 0, text, room="ops")
    return [block.row for block in message_block(message, None, RowContext(columns, Person(1, "me")))]


def all_marked(text: str, columns: int = COLUMNS) -> str:
    """What is marked from the first character of the text to the end of the last row."""
    rows = rows_of(text, columns)
    first = next(index for index, row in enumerate(rows) if row.indent)
    return marked_text(rows, ((6, first), (columns - 1, len(rows) - 1)), columns)


def test_a_link_over_several_rows_is_one() -> None:
    assert len(rows_of(LINK)) > 4
    assert all_marked(LINK) == LINK


def test_words_have_their_blanks_and_lines_their_ends() -> None:
    text = "one two three four five six seven eight nine ten\nand a second line of some length, too\n\nend"
    assert all_marked(text) == text


def test_code_is_copied_without_its_sign() -> None:
    assert all_marked("see\n```\nif x:\n    y = 1234567890123456789012345\n```").endswith(
        "    y = 1234567890123456789012345"
    )


@given(st.text("ab c\n", min_size=1, max_size=200).filter(str.strip), st.integers(20, 60))
def test_a_wrapped_text_comes_back_whole(text: str, columns: int) -> None:
    lines = [line.rstrip() for line in text.split("\n")]
    assert all_marked(text, columns) == "\n".join(lines).strip("\n")


def test_marking_begins_and_ends_within_rows_in_both_directions() -> None:
    rows = [TextRow.of("hello"), TextRow.of("wörld")]
    for mark in (((2, 0), (1, 1)), ((1, 1), (2, 0))):
        assert marked_text(rows, mark, 10) == "llo\nwö"
    assert marked_text(rows, ((2, 0), (2, 0)), 10) == ""
    assert marked_text(rows, None, 10) == ""
    assert marked_cells(((2, 0), (1, 2)), 1, 10) == (0, 10)


def test_heads_and_separators_are_lines_of_their_own() -> None:
    rows = rows_of("hi there")
    text = marked_text(rows, ((0, 0), (COLUMNS - 1, len(rows) - 1)), COLUMNS)
    assert text.split("\n")[-2:] == [
        "00:00 ana",
        "hi there",
    ]
