"""No text of a peer imitates a row of the screen (promise 6), leaves its field, or brings a control character."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.client.core.events.messages import PendingMessage
from securechat.client.core.state import RoomKey
from securechat.client.ui.rows.message_rows import (
    NARROWEST_FIELD,
    BlockRow,
    PendingState,
    RowContext,
    RowKind,
    comings_block,
    message_block,
    notice_block,
    pending_block,
)
from securechat.client.ui.rows.wrapping import cells
from securechat.model import FileInfo, Message, Person, Reaction
from securechat.text.sanitize import visible

PIECES = (
    "\n06:13 Ana", "\n      > Ana: hi", "\n---- New ----", "\n-- notice", "\n-  more", "\n    ~ deleted", "\n  :14 ",
    "```py\n", "\n```\n", "    | x", "https://a.b/" + "x" * 50, "https://user@evil.example/", "http://б.example/",
    "\x1b]0;t\x07", "\x1b[2J", "\x9b31m", "\r", "\t", "\u202e", "\u200b", "\u0301" * 9, "\u0e35\u0e49", "日本語",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "\U0001f1ee\U0001f1e9", "┆", "⏎", " " * 30, "@cici ",
    "a" * 90, "\u3164", "\u0915\u094d\u0937", "[48213]", "\U000e0041", "\n",
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=12).map("".join)
NAMES = st.one_of(st.sampled_from((*PIECES, "Ana", "-- Ana", "06:14 Ana", "x [bot]", "日" * 32)), st.text(max_size=32))
GUTTERS = {
    RowKind.HEAD: r"(\d\d:\d\d|--:--) (NUMBER)?",
    RowKind.QUOTE: r"    > |  .... NUMBER",
    RowKind.TEXT: r"      |    @ |  :\d\d[ @]NUMBER?",
    RowKind.CODE: r"    \| ",
    RowKind.FILE: r"    \+ ",
    RowKind.CHANGED: r"    ~ ",
    RowKind.REACTIONS: r"    \* ",
    RowKind.STATE: r"    ! ",
}
ME = Person(1, "cici")


@st.composite
def messages(draw: st.DrawFn, seq: int) -> Message:
    people = st.builds(Person, st.integers(1, 5), NAMES)
    fields: dict[str, Any] = {
        "reply": draw(st.sampled_from((None, 1))),
        "mentions": draw(st.sampled_from(([], [1]))),
        "edited": draw(st.sampled_from((None, 9))),
        "edited_by": draw(st.none() | people),
        "bot": draw(st.booleans()),
        "reactions": draw(st.lists(st.builds(Reaction, TEXTS, st.just([1, 2])), max_size=3)),
        "files": draw(st.lists(st.builds(FileInfo, st.just("a" * 32), NAMES, st.just(9), NAMES), max_size=2)),
    }
    if draw(st.integers(0, 9)) == 0:
        fields = {"deleted": 9, "deleted_by": draw(st.none() | people)}
    text = "" if "deleted" in fields else draw(TEXTS)
    at = 1_780_000_000_000 + draw(st.integers(0, 400_000))
    return Message(seq, 0, draw(st.integers(1, 3)), draw(NAMES), at, text, room="x", **fields)


def check(rows: tuple[BlockRow, ...], columns: int, number: str) -> None:
    for each in rows:
        row = str(each.row)
        assert "\n" not in row
        assert visible(row) == row
        assert cells(row) <= columns, row
        assert all(0 <= span.start < span.end <= len(row) for span in each.row.spans)
        for span in each.row.spans:
            assert span.link.isascii()
            assert not span.link or (span.link.isprintable() and span.link.startswith(("http://", "https://")))
        match each.kind:
            case RowKind.DAY | RowKind.UNREAD:
                assert row.startswith("---- ")
            case RowKind.NOTICE:
                assert row.startswith(("-- ", "-  "))
            case _:
                assert_gutter(row, each.kind, number)


def assert_gutter(row: str, kind: RowKind, number: str) -> None:
    """Check the cells before the text: only a head has its first cell, and its time is no one's text."""
    if not number:
        gutter = row[:6]
        assert re.fullmatch(
            GUTTERS[kind].replace("NUMBER?", "").replace("(NUMBER)?", "").replace("NUMBER", "x"), gutter
        )
    else:
        gutter = row[: 6 + len(number) + 1]
        first = rf"(\d\d:\d\d|  :\d\d|     ) {number}[ @>|+~*!]"
        further = rf" {{{5 + len(number)}}}[ @>|+~*!] "
        assert re.fullmatch(rf"{first}|{further}", gutter), gutter
    assert (row[0] != " ") == (kind is RowKind.HEAD)


@settings(max_examples=60, deadline=None)
@given(
    messages(7), st.none() | messages(6), messages(1), st.integers(NARROWEST_FIELD, 90), st.booleans(), st.booleans()
)
def test_rows_of_messages(
    message: Message, before: Message | None, quoted: Message, columns: int, numbers: bool, unread: bool
) -> None:
    context = RowContext(columns, ME, {1: quoted}.get, names={"cici"}, my_key="cici", show_numbers=numbers, hidden={3})
    rows = message_block(message, before, context, unread=unread)
    check(rows, columns, str(message.seq) if numbers else "")
    heads = [each for each in rows if each.kind is RowKind.HEAD]
    assert len(heads) <= 1
    assert all(each.seq == 7 for each in rows if each.kind not in {RowKind.DAY, RowKind.UNREAD})


@settings(max_examples=25, deadline=None)
@given(TEXTS, NAMES, st.integers(NARROWEST_FIELD, 90), st.sampled_from(PendingState))
def test_rows_of_what_is_not_stored(text: str, name: str, columns: int, state: PendingState) -> None:
    context = RowContext(columns, Person(1, name))
    check(pending_block(PendingMessage(3, RoomKey("x"), text), None, context, state, visible(name)), columns, "")


@settings(max_examples=25, deadline=None)
@given(TEXTS, st.lists(NAMES, max_size=5), st.integers(NARROWEST_FIELD, 90))
def test_rows_of_notices(text: str, names: list[str], columns: int) -> None:
    check(notice_block(text, columns), columns, "")
    people = [Person(index, name) for index, name in enumerate(names, 1)]
    check(comings_block(people, people, [(text[:32], name) for name in names], columns), columns, "")
