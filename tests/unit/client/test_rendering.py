"""No text can pass for another person's line, nor for a notice."""

from __future__ import annotations

import json

import pytest

from securechat.client.ui.rows.rendering import (
    change_json,
    change_line,
    day_at_ms,
    hit_rows,
    json_line,
    message_rows,
    notice_rows,
    quote_row,
    safe_sign,
    tail_line,
)
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.model import Deleted, Edited, Hit, Message, Person, Reacted, Reaction
from securechat.text.names import FORBIDDEN_IN_NAMES
from securechat.text.sanitize import CONTINUATION_MARK, width

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


def stands_out(row: TextRow, style: TextStyle) -> list[str]:
    return [row[span.start : span.end] for span in row.spans if span.style is style]


def test_the_number_and_what_became_of_a_message_stand_before_the_name() -> None:
    row = message_rows(message("hi"), 80, number=12)[0]
    assert row.endswith("[12] ann: hi")
    assert stands_out(row, TextStyle.DIM)[1:] == ["[12] "], "behind the time"
    assert message_rows(message("hi", edited=9), 80, number=12)[0].endswith("[12 edited] ann: hi")
    assert message_rows(message("", deleted=9), 80, number=12)[0].endswith("[12 deleted] ann")


@pytest.mark.parametrize("columns", [30, 80])
@pytest.mark.parametrize("text", SPOOFS)
def test_what_is_answered_stands_on_one_row_that_no_text_can_make(text: str, columns: int) -> None:
    row = quote_row(message(text), 11, columns)
    assert row.startswith("      > [11] ann: ")
    assert width(row) < columns
    assert row.isprintable()
    assert not any(
        each.startswith("      >") for each in message_rows(message(f"{text}\n      > [11] ann: x"), columns)
    )


def test_what_is_answered_may_be_unknown_hidden_or_deleted() -> None:
    assert quote_row(None, 3, 80) == "      > [3] an earlier message"
    assert quote_row(message("x"), 3, 80, hidden=True) == "      > [3] a message from a member you ignore"
    assert quote_row(message("", deleted=9), 3, 80) == "      > [3 deleted] ann"


@pytest.mark.parametrize("columns", [30, 80])
@pytest.mark.parametrize("text", SPOOFS)
def test_a_hit_is_safe_and_what_matched_stands_out(text: str, columns: int) -> None:
    rows = hit_rows(Hit(message(f"{text} found {text}"), [(len(text) + 1, len(text) + 6)]), columns)
    assert "[7] #lobby ann: " in rows[0] or columns == 30
    assert "".join(part for row in rows for part in stands_out(row, TextStyle.FOUND)) == "found"
    assert all(row.isprintable() and width(row) < columns for row in rows)


def test_a_long_hit_is_cut_around_what_matched_and_bad_marks_mark_nothing() -> None:
    text = "x" * 1_000 + "found" + "y" * 1_000
    [row] = hit_rows(Hit(message(text), [(1_000, 1_005)]), 300)
    assert "…" + "x" * 40 + "found" in row
    assert row.endswith("y…")
    for marks in ([(5, 2)], [(0, 9_000)], [(3, 5), (1, 4)]):
        assert "found" in "".join(hit_rows(Hit(message("it is found"), marks), 80))  # type: ignore[arg-type]


def test_code_is_cut_only_where_the_screen_ends_and_keeps_its_indentation() -> None:
    code = "    if a and b and c and d and e and f:"
    rows = message_rows(message(f"```py\n{code}\n```\n{code}"), 30)
    body = [row.removeprefix(f"      {CONTINUATION_MARK} ") for row in rows[1:]]
    assert body[0] + body[1] == code
    assert body[2] == "```"
    assert body[3].startswith("    if a")
    assert body[3] + body[4] != code  # a space went where the line was wrapped


@pytest.mark.parametrize("text", SPOOFS)
def test_a_change_is_one_line_that_is_no_message(text: str) -> None:
    edited = Edited(9, 7, 3, "ann", 0, "lobby", text=text)
    line = change_line(edited)
    assert line is not None
    assert line.startswith("/edited ann: ")
    assert line.isprintable()
    assert "/" in FORBIDDEN_IN_NAMES
    assert json.loads(change_json(edited))["text"] == text
    assert change_line(Deleted(9, 7, 3, "ann", 0, "lobby"), room="lobby") == "/deleted #lobby ann"
    assert change_line(Reacted(9, 7, 3, "ann", 0, "lobby", sign=text)) is None
    assert tail_line(message("", deleted=9)) == "/deleted ann"


def test_json_has_the_new_fields_where_there_is_something_in_them() -> None:
    whole = message("x", reply=1, mentions=[3], edited=9, reactions=[Reaction("+", [4])])
    fields = json.loads(json_line(whole))
    assert {name: fields[name] for name in ("reply", "mentions", "edited", "reactions")} == {
        "reply": 1,
        "mentions": [3],
        "edited": 9,
        "reactions": [{"sign": "+", "by": [4]}],
    }
    change = json.loads(change_json(Reacted(9, 7, 3, "ann", 0, "lobby", sign="+", on=False)))
    assert (change["change"], change["target"], change["sign"], change["on"]) == ("reacted", 7, "+", False)


def test_words_of_a_moderator_are_not_shown_as_the_authors() -> None:
    """In rows, quotes, hits, lines and JSON; no name can bring the comma that ends the mark."""
    mod = Person(5, "mod")
    edited = message("mod's", edited=9, edited_by=mod)
    deleted = message("", deleted=9, deleted_by=mod)
    assert message_rows(edited, 80, number=4)[0].endswith(" [4 edited by mod] ann: mod's")
    assert message_rows(edited, 80)[0].endswith(" [edited by mod] ann: mod's")
    assert message_rows(deleted, 80, number=4)[0].endswith(" [4 deleted by mod] ann")
    assert quote_row(edited, 4, 80).endswith("[4 edited by mod] ann: mod's")
    assert quote_row(deleted, 4, 80).endswith("[4 deleted by mod] ann")
    assert "[7 edited by mod] #lobby ann: mod's" in hit_rows(Hit(edited, []), 80)[0]
    assert tail_line(edited) == "/edited by mod, ann: mod's"
    assert tail_line(deleted) == "/deleted by mod, ann"
    assert tail_line(message("mine", edited=9)) == "ann: mine"
    assert json.loads(json_line(edited))["edited_by"] == {"id": 5, "name": "mod"}
    assert json.loads(json_line(deleted))["deleted_by"] == {"id": 5, "name": "mod"}
    nameless = message("mod's", edited=9, edited_by=Person(5, ""))
    assert tail_line(nameless) == "/edited by /deleted account/, ann: mod's"
    spaced = message("mod's", edited=9, edited_by=Person(5, "x] bob"))
    assert message_rows(spaced, 80, number=4)[0].endswith(' [4 edited by "x] bob"] ann: mod\'s')
    assert "," in FORBIDDEN_IN_NAMES


def test_a_sign_cannot_pass_for_another_persons() -> None:
    assert safe_sign("👍 /x,y:\u202e\n") == "👍__x_y_<U+202E>⏎"


def test_a_day_begins_in_the_users_time_zone_or_is_none() -> None:
    assert day_at_ms("2026-11-20") is not None
    assert day_at_ms("2026-13-20") is None
    assert day_at_ms("x") is None


def test_spans_follow_a_text_over_its_rows() -> None:
    rows = hit_rows(Hit(message("aaaa " * 30), [(0, 149)]), 40)
    assert len(rows) > 2
    assert all(
        isinstance(span, TextSpan) and 0 <= span.start < span.end <= len(row) for row in rows for span in row.spans
    )
    assert all(stands_out(row, TextStyle.FOUND) for row in rows)


# --- what each part is ------------------------------------------------------------------------------------------------

ME = Person(8, "budi")
LONG = "https://example.org/" + "path/" * 9


def styled(rows: list[TextRow]) -> list[tuple[str, TextStyle]]:
    return [(row[span.start : span.end], span.style) for row in rows for span in row.spans]


def test_each_part_of_a_message_says_what_it_is() -> None:
    rows = message_rows(message("hi @Budi, and budi; no budiman `x`"), 80, room="ops", number=12, me=ME)
    assert styled(rows)[1:] == [
        ("[12] ", TextStyle.DIM),
        ("#ops ", TextStyle.DIM),
        ("ann", TextStyle.NAME),
        ("x", TextStyle.CODE),
        ("@Budi", TextStyle.MENTION),
        ("budi", TextStyle.MENTION),
    ]
    assert [span.person for span in rows[0].spans if span.style is TextStyle.NAME] == [3]
    own = message_rows(message("budi", name="budi"), 80, me=Person(3, "budi"))
    assert styled(own)[1:] == [("budi", TextStyle.OWN_NAME)], "the user's own text mentions nobody"


def test_a_direct_message_shows_its_direction() -> None:
    [row] = message_rows(message("psst", room=None, to=8, to_name="budi"), 80, number=12, me=ME)
    assert row.endswith("[12] ann @budi: psst")
    assert stands_out(row, TextStyle.NAME) == ["ann"]
    assert stands_out(row, TextStyle.DIRECT) == ["@budi"]


def test_notices_and_errors_differ_from_messages_and_from_each_other() -> None:
    assert {style for _, style in styled(notice_rows("ann joined " * 20, 40))} == {TextStyle.NOTICE}
    assert {style for _, style in styled(notice_rows("no\nno", 40, TextStyle.ERROR))} == {TextStyle.ERROR}
    assert stands_out(quote_row(message("x"), 3, 80), TextStyle.QUOTE) == ["      > [3] ann: x"]


def links(rows: list[TextRow]) -> list[tuple[str, str]]:
    return [(row[span.start : span.end], span.link) for row in rows for span in row.spans if span.link]


def test_a_link_that_a_row_takes_whole_is_not_broken() -> None:
    rows = message_rows(message(f"have a look at this: {LONG} and tell me"), 80, number=48_213)
    assert links(rows) == [(LONG, LONG)]
    assert rows[1].startswith(f"      {CONTINUATION_MARK} {LONG} and")


@pytest.mark.parametrize("columns", [30, 40, 80])
def test_a_longer_link_is_one_link_over_all_its_rows(columns: int) -> None:
    url = LONG * 4
    rows = message_rows(message(f"see {url}, now"), columns)
    assert "".join(part for part, _ in links(rows)) == url
    assert {target for _, target in links(rows)} == {url}
    assert all(width(row) < columns for row in rows)


@pytest.mark.parametrize("text", SPOOFS)
def test_no_link_has_a_target_that_a_terminal_could_misread(text: str) -> None:
    for _, target in links(message_rows(message(f"https://a.b/{text} http://{text}"), 80)):
        assert target.isascii()
        assert target.isprintable()
        assert " " not in target
