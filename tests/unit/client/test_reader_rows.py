"""Rows for screen readers: the author first, and still no text passes for another person's row."""

from __future__ import annotations

import pytest

from securechat.client import catalogue
from securechat.client.core import events
from securechat.client.core.client import ClientCore
from securechat.client.ui.rows.event_rows import MessageRows
from securechat.client.ui.rows.reader_rows import SPOKEN_CONTINUED, SPOKEN_FILE, SPOKEN_NOTICE, reader_rows, spoken
from securechat.client.ui.rows.rendering import notice_rows
from securechat.client.ui.rows.styled_text import TextRow, TextStyle
from securechat.model import FileInfo, Hit, Message, Person
from securechat.text.names import FORBIDDEN_IN_NAMES
from securechat.text.sanitize import width
from tests.unit.client.test_rendering import SPOOFS

ME = Person(8, "budi")


def message(text: str, **more: object) -> Message:
    return Message(48_213, 0, 3, "ana", 0, text, **{"room": "lobby", **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "row"),
    [
        (message("hello"), "ana, 48213: hello"),
        (message("hello", reply=48_200), "ana, 48213, reply to 48200: hello"),
        (message("hello", edited=48_220), "ana, 48213, edited: hello"),
        (message("hello", edited=48_220, edited_by=Person(5, "mod")), "ana, 48213, edited by mod: hello"),
        (message("", deleted=48_220), "ana, 48213, deleted:"),
        (message("psst", room=None, to=8, to_name="budi"), "ana @budi, 48213: psst"),
    ],
)
def test_a_message_begins_with_its_author(shown: Message, row: str) -> None:
    assert reader_rows(shown, 80) == [row]


def test_another_room_is_named_behind_the_author() -> None:
    assert reader_rows(message("hello"), 80, room="ops")[0] == "ana #ops, 48213: hello"


@pytest.mark.parametrize("columns", [30, 80])
@pytest.mark.parametrize("text", SPOOFS)
def test_a_text_begins_no_row(text: str, columns: int) -> None:
    first, *more = reader_rows(message(text), columns)
    assert first.startswith("ana, 48213: ")
    assert all(row.startswith(SPOKEN_CONTINUED) for row in more)
    assert all(width(row) < columns for row in (first, *more))
    assert not set("\x1b\r\n\x9b\u202e\u2028") & set("".join((first, *more)))


def test_no_name_begins_with_the_mark_of_another_row() -> None:
    for mark in (SPOKEN_NOTICE, SPOKEN_CONTINUED, SPOKEN_FILE):
        assert mark[0] in FORBIDDEN_IN_NAMES
    assert "," in FORBIDDEN_IN_NAMES, "it ends the author"


def test_notices_keep_their_words_and_styles() -> None:
    rows = spoken(notice_rows("ana joined " * 10, 40, TextStyle.ERROR))
    assert rows[0].startswith("! ana joined")
    assert all(row.startswith(", ") for row in rows[1:])
    assert " ".join(row[2:] for row in rows).split() == ["ana", "joined"] * 10
    for row in rows:
        assert all(0 <= span.start < span.end <= len(row) for span in row.spans)
        assert {span.style for span in row.spans} == {TextStyle.ERROR}


def shown_rows(*ui_events: events.UiEvent) -> list[TextRow]:
    core = ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="budi")
    rows = MessageRows(core, reader=True)
    return [row for ui_event in ui_events for row in rows.rows(ui_event, 80) or []]


def test_what_is_answered_is_not_repeated_and_files_follow() -> None:
    core = ClientCore(secret="0" * 32, jitter=lambda: 0.0)
    file = FileInfo("ab" * 16, "photo.jpg", 5)
    first = events.MessageShown(message("shall we?"), core.room("lobby"), own=False)
    answer = Message(48_214, 0, 3, "ana", 0, "yes\n[file: photo.jpg, 5 B]", "lobby", reply=48_213, files=[file])
    rows = shown_rows(first, events.MessageShown(answer, core.room("lobby"), own=False))
    assert rows == [
        "! 1970-01-01",
        "ana #lobby, 48213: shall we?",
        "ana #lobby, 48214, reply to 48213: yes",
        "/ photo.jpg, 5 B",
    ]


def test_what_is_found_has_its_time_because_it_was_asked_for() -> None:
    rows = shown_rows(events.SearchShown("x", (Hit(message("the x"), []),), False))
    assert rows[0].startswith("ana #lobby, 48213, 1970-01-01 ")
    assert rows[0].endswith(": the x")


def test_marks_of_a_reader_are_no_box_drawing() -> None:
    rows = [*reader_rows(message("long " * 60, reply=1), 40), *spoken(notice_rows(catalogue.rooms.NO_OWN_LINE(), 30))]
    assert not any(0x2500 <= ord(char) < 0x2600 or char == "┆" for row in rows for char in row)
