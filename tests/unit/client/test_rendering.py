"""No text can pass for another person's line, nor for a notice."""

from __future__ import annotations

import json

import pytest

from securechat.client.rendering import json_line, message_rows, notice_rows, tail_line
from securechat.model import Message
from securechat.names import FORBIDDEN_IN_NAMES
from securechat.text import CONTINUATION_MARK, width

SPOOFS = [
    "hi\n12:34 bob: I agree",
    "hi\r12:34 bob: I agree",
    "hi" + " " * 100 + "12:34 bob: I agree",
    "hi\n-- connection lost",
    "\x1b[2K\x1b[1G12:34 bob: hi",
    "a\u202e\u2066dcba",
    "x\u2028-- left: bob",
    f"x\n{CONTINUATION_MARK} y",
    "界" * 200,
    "\x9b2J",
]


def message(text: str, name: str = "ann", **more: object) -> Message:
    return Message(7, 0, 3, name, 0, text, **{"room": "lobby", **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("columns", [30, 80])
@pytest.mark.parametrize("text", SPOOFS)
def test_only_the_first_row_of_a_message_starts_in_the_first_column(text: str, columns: int) -> None:
    rows = message_rows(message(text), columns)
    assert " ann: " in rows[0]
    assert all(row.startswith(f"      {CONTINUATION_MARK} ") for row in rows[1:])
    assert all(row.count(CONTINUATION_MARK) <= 1 for row in rows)
    assert all(width(row) < columns for row in rows)
    assert not any(char in "".join(rows) for char in "\x1b\r\n\x9b\u202e\u2028")


@pytest.mark.parametrize("text", SPOOFS)
def test_a_tail_line_is_one_line(text: str) -> None:
    line = tail_line(message(text))
    assert line.startswith("ann: ")
    assert line.isprintable()


@pytest.mark.parametrize("text", SPOOFS)
def test_a_json_line_is_ascii_and_comes_back(text: str) -> None:
    line = json_line(message(text))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {
        "seq": 7,
        "at": "1970-01-01T00:00:00.000Z",
        "room": "lobby",
        "by": 3,
        "name": "ann",
        "text": text,
    }


def test_rooms_and_dialogues_are_marked_by_what_no_name_can_contain() -> None:
    assert "#" in FORBIDDEN_IN_NAMES
    assert "@" in FORBIDDEN_IN_NAMES
    assert "#ops ann: x" in message_rows(message("x", room="ops"), 80, room="ops")[0]
    assert "ann @bob: x" in message_rows(message("x", room=None, to=5, to_name="bob"), 80)[0]


def test_what_a_deleted_account_left_behind_is_signed_by_what_no_name_can_be() -> None:
    assert tail_line(message("hello", name="")) == "/deleted account/: hello"
    assert tail_line(message("hello", to=5, to_name="")) == "ann @/deleted account/: hello"
    assert "/" in FORBIDDEN_IN_NAMES


def test_notices_begin_with_what_no_message_begins_with() -> None:
    rows = notice_rows("a long notice " * 10, 40)
    assert rows[0].startswith("-- ")
    assert all(row.startswith(f"      {CONTINUATION_MARK} ") for row in rows[1:])


def test_every_character_of_a_long_text_is_shown() -> None:
    text = "x" * 4000
    assert "".join(message_rows(message(text), 30)).count("x") == 4000
