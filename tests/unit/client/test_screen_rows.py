"""Rows of the screen's list: what each part of a message is, and what a click on it means."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from securechat.client.core.events.messages import MessageChangeRequest, PendingMessage
from securechat.client.core.state import RoomKey
from securechat.client.ui.rows.message_rows import (
    GROUP_MS,
    BlockRow,
    PendingState,
    RowContext,
    RowKind,
    begins_group,
    comings_block,
    day_row,
    message_block,
    notice_block,
    pending_block,
    unread_row,
)
from securechat.client.ui.rows.styled_text import TextStyle
from securechat.client.ui.rows.wrapping import cells
from securechat.model import FileInfo, Message, Person, Reaction, RevisionKind
from securechat.translation import use

ME = Person(1, "Cici")
AT = int(dt.datetime(2026, 11, 20, 6, 13).timestamp() * 1000)  # noqa: DTZ001 - as the rows: local
ANA = 7


def message(
    text: str = "hello", *, seq: int = 10, by: int = ANA, name: str = "Ana", after: int = 0, **fields: Any
) -> Message:
    return Message(seq, 0, by, name, AT + after, text, room="ops", **fields)


def context(columns: int = 50, *messages: Message, **fields: Any) -> RowContext:
    kept = {each.seq: each for each in messages}
    return RowContext(columns, ME, kept.get, names={"cici", "ana", "ana maria"}, my_key="cici", **fields)


def shown(rows: tuple[BlockRow, ...]) -> list[str]:
    return [each.row.rstrip() for each in rows]


def within(of: Message, columns: int = 50, before: Message | None = None, **fields: Any) -> list[str]:
    """Return the rows of a message that is not the first of its day."""
    return shown(message_block(of, before or message(seq=1, by=99), context(columns, **fields)))


def styles(row: BlockRow) -> list[tuple[TextStyle, str]]:
    return [(span.style, row.row[span.start : span.end]) for span in row.row.spans]


def test_messages_are_grouped_under_their_author() -> None:
    first, second = message("one"), message("two\nlines", seq=11, after=60_000)
    assert within(first) == ["06:13 Ana", "      one"]
    assert within(second, before=first) == ["  :14 two", "      lines"]


def test_a_group_ends_as_in_the_page() -> None:
    first = message()
    assert not begins_group(message(after=GROUP_MS), first)
    assert begins_group(message(after=GROUP_MS + 1), first)
    assert begins_group(message(by=8), first)
    assert begins_group(message(name="Anna"), first)
    assert begins_group(message(reply=3), first)
    assert begins_group(message(deleted=12), first)
    assert begins_group(message(), message(deleted=12))
    assert begins_group(message(after=86_400_000), message(after=86_400_000 - 23 * 3_600_000))
    assert begins_group(first, None)
    assert message_block(message(), first, context(), head=True)[0].kind is RowKind.HEAD


def test_a_day_and_the_unread_begin_with_a_line() -> None:
    rows = message_block(message(), None, context(40), unread=True)
    assert shown(rows) == [
        "---- Friday, 20 Nov 2026 ---------------",
        "---- New -------------------------------",
        "06:13 Ana",
        "      hello",
    ]
    assert [each.kind for each in rows] == [RowKind.DAY, RowKind.UNREAD, RowKind.HEAD, RowKind.TEXT]
    assert [each.seq for each in rows] == [0, 0, 10, 10]
    assert styles(rows[0])[0][0] is TextStyle.DAY
    assert styles(rows[1])[0][0] is TextStyle.UNREAD
    again = message_block(message(seq=11, after=1), message(), context(40), unread=True)
    assert [each.kind for each in again] == [RowKind.UNREAD, RowKind.HEAD, RowKind.TEXT]


def test_a_name_has_the_colour_of_its_person() -> None:
    head = message_block(message(), message(by=99), context())[0]
    assert (head.row.spans[1].style, head.row.spans[1].person) == (TextStyle.NAME, ANA)
    own = message_block(message(by=1, name="Cici"), message(by=99), context())[0]
    assert own.row.spans[1].style is TextStyle.OWN_NAME


def test_a_bot_has_its_mark_and_a_name_like_it_is_quoted() -> None:
    assert within(message(bot=True))[0] == "06:13 Ana [bot]"
    assert within(message(), is_bot=lambda person: person == ANA)[0] == "06:13 Ana [bot]"
    assert within(message(name="Ana [bot]"))[0] == '06:13 "Ana [bot]"'
    long = within(message(name="A" * 32, bot=True), columns=30)[0]
    assert long.endswith("… [bot]")
    assert cells(long) <= 30


def test_authors_of_deleted_accounts_and_empty_names() -> None:
    assert within(message(name=""))[0] == "06:13 /deleted account/"


def test_numbers_are_shown_on_demand() -> None:
    first, second = message("one\ntwo", seq=48213), message("three @cici", seq=48214, after=60_000, mentions=[1])
    numbered = {"show_numbers": True}
    assert within(first, **numbered) == ["06:13 48213 Ana", "            one", "            two"]
    assert within(second, before=first, **numbered) == ["  :14 48214@three @cici"]


def test_the_answered_message_stands_above_a_reply() -> None:
    asked = message("why\nnot?", seq=3, by=8, name="Budi")
    reply = message("because", reply=3)
    rows = message_block(reply, message(by=99), context(50, asked))
    assert shown(rows) == ["06:13 Ana", "    > Budi: why⏎not?", "      because"]
    assert (rows[1].kind, rows[1].quoted, rows[1].seq) == (RowKind.QUOTE, 3, 10)
    assert (TextStyle.NAME, "Budi") in styles(rows[1])
    assert within(reply)[1] == "    > an earlier message"
    ignored = message_block(reply, message(by=99), context(50, asked, hidden={8}))
    assert shown(ignored)[1] == "    > a message from a member you ignore"
    gone = message("", seq=3, by=8, name="Budi", deleted=4)
    assert shown(message_block(reply, message(by=99), context(50, gone)))[1] == "    > Budi [deleted]"


def test_a_quote_takes_one_row_and_cuts_no_link() -> None:
    url = "https://example.org/" + "x" * 100
    for text in ("long " * 100, f"look {url} end", url):
        rows = message_block(message(reply=3), message(by=99), context(40, message(text, seq=3, name="Budi")))
        assert [each.kind for each in rows].count(RowKind.QUOTE) == 1
        assert rows[1].row.endswith("…")
        assert cells(rows[1].row) <= 40
        assert "http" not in rows[1].row
    files = [FileInfo("a" * 32, "plan.pdf", 2048)]
    rows = message_block(message(reply=3), message(by=99), context(70, message("", seq=3, files=files)))
    assert shown(rows)[1] == "    > Ana: plan.pdf, 2 KiB, application/octet-stream"


def test_edited_and_deleted_messages_say_so_in_a_row_of_their_own() -> None:
    assert within(message(edited=12)) == ["06:13 Ana", "      hello", "    ~ edited"]
    by = Person(3, "Budi Santoso")
    assert within(message(edited=12, edited_by=by))[-1] == '    ~ edited by "Budi Santoso"'
    assert within(message("", deleted=12)) == ["06:13 Ana", "    ~ deleted"]
    assert within(message("", deleted=12, deleted_by=by)) == ["06:13 Ana", '    ~ deleted by "Budi Santoso"']


def test_reactions_are_counted_and_own_ones_stand_in_brackets() -> None:
    reactions = [Reaction("👍", [1, 2]), Reaction("🎉", [3]), Reaction("[x] 9", [3])]
    rows = message_block(message(reactions=reactions), message(by=99), context())
    assert shown(rows)[-1] == "    * [👍 2]  🎉 1  _x__9 1"
    assert [text for style, text in styles(rows[-1]) if style is TextStyle.REACTION] == ["[👍 2]", "🎉 1", "_x__9 1"]


def test_a_mention_of_the_user_is_marked() -> None:
    text = "hi @Cici and @ana maria"
    rows = message_block(message(text, mentions=[1]), message(by=99), context())
    assert shown(rows)[-1] == f"    @ {text}"
    assert [each for each in styles(rows[-1]) if each[0] is TextStyle.MENTION] == [(TextStyle.MENTION, "@Cici")]
    own = message_block(message(text, by=1, mentions=[1]), message(by=99), context())
    assert shown(own)[-1] == f"      {text}"
    assert styles(own[-1]) == []


def test_links_are_spans_over_all_their_rows() -> None:
    url = "https://example.org/" + "x" * 40
    rows = message_block(message(f"see {url} now"), message(by=99), context(40))
    links = [(span.link, each.row[span.start : span.end]) for each in rows for span in each.row.spans if span.link]
    assert {link for link, _ in links} == {url}
    assert "".join(text for _, text in links) == url
    assert len(links) == 2


def test_a_link_says_what_it_opens_where_that_is_not_what_stands_there() -> None:
    text = "x https://bank.example@evil.example/ y https://a.example z"
    assert within(message(text), columns=90)[-1] == (
        "      x https://bank.example@evil.example/ [evil.example] y https://a.example z"
    )
    row = message_block(message(text), message(by=99), context(90))[-1]
    assert [each for each in styles(row) if each[0] is not TextStyle.DIM] == [
        (TextStyle.LINK, "https://bank.example@evil.example/"),
        (TextStyle.LINK, "https://a.example"),
    ]


def test_code_blocks_have_a_sign_and_colours() -> None:
    rows = message_block(message("so:\n```py\nreturn 1\n\n@cici\n```\n`x` too"), message(by=99), context())
    assert shown(rows)[1:] == ["      so:", "    | return 1", "    |", "    | @cici", "      `x` too"]
    assert [each.kind for each in rows[1:]] == [RowKind.TEXT, *[RowKind.CODE] * 3, RowKind.TEXT]
    assert (TextStyle.KEYWORD, "return") in styles(rows[2])
    assert (TextStyle.CODE, "`x`") in styles(rows[5])
    cut = within(message(f"```\n{'a b ' * 12}\n```"), columns=26)
    assert cut[1:] == ["    | " + "a b a b a b a b a b", "    | " + "a b a b a b a b a b", "    | a b a b"]


def test_files_are_rows_with_name_size_and_type() -> None:
    pdf = FileInfo("a" * 32, "report.pdf", 1258291, "application/pdf")
    jpg = FileInfo("b" * 32, "p.jpg", 12582, "image/jpeg", 800, 600)
    rows = message_block(message("", files=[pdf, jpg]), message(by=99), context())
    assert shown(rows)[1:] == [
        "    + 1. report.pdf, 1.2 MiB, application/pdf",
        "    + 2. p.jpg, 12 KiB, picture 800 × 600",
    ]
    assert [(each.kind, each.file_id) for each in rows[1:]] == [(RowKind.FILE, pdf.id), (RowKind.FILE, jpg.id)]
    said = message("look\n[file: report.pdf, 1.2 MiB]", files=[pdf])
    assert within(said)[1:] == ["      look", "    + report.pdf, 1.2 MiB, application/pdf"]


@pytest.mark.parametrize(
    ("state", "why", "said"),
    [
        (PendingState.SENDING, "", "Sending…"),
        (PendingState.WAITING, "", "Waiting for the connection"),
        (PendingState.FAILED, "You are muted", "Not sent: You are muted. Send it again, edit, copy or discard it"),
        (PendingState.FAILED, "", "Not sent. Send it again, edit, copy or discard it"),
    ],
)
def test_own_messages_that_are_not_stored_say_how_far_they_are(state: PendingState, why: str, said: str) -> None:
    pending = PendingMessage(4, RoomKey("ops"), "hello")
    rows = pending_block(pending, message(), context(90), state, why)
    assert shown(rows) == ["--:-- Cici", "      hello", f"    ! {said}"]
    assert {(each.pending, each.seq) for each in rows} == {(4, 0)}
    error = TextStyle.ERROR in dict(styles(rows[-1]))
    assert error == (state is PendingState.FAILED)
    assert shown(pending_block(pending, message(by=1), context(90), state, why))[0] == "      hello"


def test_changes_that_are_not_stored_say_what_they_are() -> None:
    pending = PendingMessage(4, RoomKey("ops"), "better", change=MessageChangeRequest(RevisionKind.EDIT, 3))
    before = message(by=1)
    assert shown(pending_block(pending, before, context(), PendingState.WAITING)) == [
        "      better",
        "    ! Edit: Waiting for the connection",
    ]
    deletion = replace(pending, text="", change=MessageChangeRequest(RevisionKind.DELETE, 3))
    assert shown(pending_block(deletion, before, context(), PendingState.SENDING)) == ["    ! Deletion: Sending…"]
    reaction = replace(pending, text="", change=MessageChangeRequest(RevisionKind.REACT, 3, "👍"))
    assert shown(pending_block(reaction, before, context(), PendingState.SENDING)) == ["    ! Reaction 👍: Sending…"]


def test_comings_and_goings_are_one_notice() -> None:
    people = [Person(each, f"user{each}") for each in range(5)]
    assert shown(comings_block(people[:1], (), (), 60)) == ["-- user0 joined"]
    assert shown(comings_block(people[:4], people[4:], (), 60)) == [
        "-- user0, user1, user2 and user3 joined / user4 left"
    ]
    rows = comings_block(people, [Person(9, "Bob B", bot=True)], [("a", "b")], 60)
    assert " ".join(each.lstrip("- ") for each in shown(rows)) == (
        'user0, user1, user2 and 2 others joined / "Bob B" [bot] left / a is now known as b'
    )
    assert comings_block((), (), (), 60) == ()
    assert shown(comings_block((), (), [(str(each), "x") for each in range(5)], 200))[0].endswith(
        " / 2 others have other names"
    )


def test_notices_look_like_no_message() -> None:
    rows = notice_block("The server stops at 18:00 for an hour.\nPlease log out", 30)
    assert shown(rows) == ["-- The server stops at 18:00", "-  for an hour.", "-  Please log out"]
    assert {each.kind for each in rows} == {RowKind.NOTICE}
    assert TextStyle.ERROR in dict(styles(notice_block("no", 30, TextStyle.ERROR)[0]))


def test_separators_are_as_wide_as_the_field() -> None:
    assert cells(unread_row(33).row) == 33
    assert cells(day_row(dt.date(2026, 11, 20), 80).row) == 80


def test_indonesian_rows() -> None:
    use("id")
    try:
        rows = message_block(message(edited=12), None, context(40), unread=True)
        assert shown(rows) == [
            "---- Jumat, 20 Nov 2026 ----------------",
            "---- Baru ------------------------------",
            "06.13 Ana",
            "      hello",
            "    ~ disunting",
        ]
        assert shown(message_block(message(seq=11, after=60_000), message(), context(40)))[0] == "  .14 hello"
    finally:
        use("en")
