"""The window on one conversation: where it opens, what moves it, what it asks for, selects, and keeps."""

from __future__ import annotations

import pytest

from securechat.client.core import events
from securechat.client.core.events.messages import HistoryRange
from securechat.client.ui.window.message_window import MessageWindow
from securechat.client.ui.window.records import PageWanted, SelectEdge, UnsentState, WindowRowKind
from securechat.errors import ErrorCode
from securechat.model import Person, RevisionKind
from tests.support.window_log import ME, ROOM, WindowLog


def texts(one: WindowLog) -> list[str]:
    """The rows of the field without the heads of authors."""
    return [row for row in one.seen() if not row.startswith("<")]


def with_log(before: int, **options: int) -> WindowLog:
    one = WindowLog(before, **options)
    one.load()
    return one


# --- where it opens, and what it follows ------------------------------------------------------------------------------


def test_without_unread_messages_it_opens_at_the_end_and_follows() -> None:
    one = with_log(20)
    one.window.open(None)
    assert texts(one)[-1] == "old 19"
    one.say("new")
    assert texts(one)[-1] == "new"
    assert one.window.rows().following


def test_it_opens_at_the_line_of_the_unread_and_not_at_the_end() -> None:
    one = with_log(30, rows=8, core_keeps=30)
    one.window.open(11)
    assert one.seen()[1] == "----"
    assert "old 10" in texts(one)
    assert "old 29" not in texts(one)
    assert not one.window.following


def test_it_opens_at_the_end_where_all_of_the_unread_fit() -> None:
    one = with_log(30, rows=8)
    one.window.open(29)
    assert texts(one)[-4:] == ["old 27", "----", "old 28", "old 29"]
    assert one.window.following


def test_the_unread_that_are_not_kept_are_asked_for() -> None:
    one = WindowLog(30, core_keeps=4, rows=8)
    one.window.open(11)
    assert one.window.wanted() == PageWanted(after=10)
    assert one.window.rows().loading
    one.load()
    assert "----" in one.seen()
    assert "old 10" in texts(one)
    assert one.kept() == list(range(1, 21))


def test_what_is_read_and_not_kept_is_not_asked_for_to_show_the_unread() -> None:
    one = WindowLog(0, core_keeps=2)
    one.say("read")
    for text in ("a", "b"):
        one.say(text, apart=5)
    again = MessageWindow(ROOM, lambda: one.core, one.maker, 20, 6)
    again.open(2)
    assert not again.rows().loading
    assert [str(each.row) for each in again.rows().rows] == ["----", "<2>", "a", "b"]


def test_elsewhere_nothing_moves_and_what_comes_is_counted() -> None:
    one = with_log(20)
    one.window.scroll(-4)
    before = one.seen()
    one.say("a")
    one.say("b")
    one.say("mine", ME)
    assert one.seen() == before
    assert one.window.below == 2
    one.window.to_present()
    assert one.window.below == 0
    assert texts(one)[-1] == "mine"


def test_what_comes_into_the_field_is_not_counted_any_more() -> None:
    one = with_log(20)
    one.window.scroll(-2)
    one.say("a", 9)
    one.say("b", 9)
    assert one.window.below == 2
    one.window.scroll(4)
    assert texts(one)[-1] == "a"
    assert one.window.below == 1
    one.window.scroll(9)
    assert (one.window.below, one.window.following) == (0, True)


def test_what_is_gone_for_good_is_not_counted() -> None:
    one = with_log(20)
    one.window.scroll(-4)
    one.say("a", 2)
    one.say("b", 9)
    assert one.window.below == 2
    one.purge(22, sender=9)
    assert one.window.below == 1


def test_fewer_rows_than_the_field_stand_at_its_top() -> None:
    one = with_log(1)
    assert one.seen() == ["<2>", "old 0"]
    one.window.scroll(-3)
    assert one.window.following


# --- pages of history -------------------------------------------------------------------------------------------------


def test_the_whole_log_is_read_by_paging_up_and_down_again() -> None:
    one = WindowLog(200, core_keeps=10)
    seen: set[str] = set(texts(one))
    for pages in (-1, 1):
        for _ in range(150):
            one.load()
            assert len(one.kept()) <= one.most
            one.window.page(pages)
            seen.update(texts(one))
        assert one.kept()[0 if pages < 0 else -1] == (1 if pages < 0 else 200)
    assert seen == {f"old {number}" for number in range(200)}
    assert one.window.following


def test_nothing_is_asked_for_far_from_both_ends() -> None:
    one = WindowLog(200, core_keeps=40)
    one.window.scroll(-40)
    assert one.window.wanted() is None


def test_what_is_said_while_a_page_is_on_its_way_is_read_too() -> None:
    one = WindowLog(60, core_keeps=4)
    one.window.jump(20)
    one.load()
    while one.window.kept[-1].seq < 51:
        one.window.select_edge(SelectEdge.LAST)
        one.ask()
        one.answer()
    one.window.select_edge(SelectEdge.LAST)
    assert one.ask()
    one.say("meanwhile")
    one.answer()
    one.say("afterwards")
    one.load()
    one.window.to_present()
    assert one.kept() == list(range(one.kept()[0], 63))


def test_what_was_dropped_at_the_beginning_is_asked_for_again() -> None:
    one = WindowLog(10, core_keeps=10, most=20)
    for number in range(30):
        one.say(str(number))
    assert len(one.kept()) == 20
    one.window.select_edge(SelectEdge.FIRST)
    assert one.window.wanted() == PageWanted(before=one.kept()[0])


def test_a_page_that_was_refused_is_not_asked_for_again_before_the_reader_moves() -> None:
    one = WindowLog(60, core_keeps=4)
    assert one.ask()
    one.asked.clear()
    one.window.not_answered()
    assert one.window.wanted() is None
    one.window.scroll(-1)
    assert one.window.wanted() is not None


def test_a_page_of_which_nothing_is_shown_leads_on() -> None:
    one = WindowLog(60, core_keeps=4)
    page = one.window.wanted()
    assert page == PageWanted(before=57)
    one.window.asked(page)
    one.note(events.HistoryLoaded(ROOM, (), asked=True, more=True, first=47, before=57))
    assert one.window.wanted() == PageWanted(before=47)


def test_a_page_from_elsewhere_is_not_put_beside_what_is_kept() -> None:
    one = WindowLog(60, core_keeps=4)
    part = tuple(one.log[10:20])
    one.note(events.HistoryShown(ROOM, part, HistoryRange.SINCE, more=True, first=11, through=20))
    assert one.kept() == [57, 58, 59, 60]


def test_the_first_message_of_a_dialogue_has_everything_before_it() -> None:
    one = WindowLog(0)
    one.load()
    one.say("first")
    assert one.window.wanted() is None


def test_what_was_said_while_the_user_was_out_of_the_room_is_asked_for() -> None:
    one = with_log(10)
    one.note(events.RoomLeft("ops"))
    one._store("missed", 2)
    one.note(events.RoomJoined("ops", (), 1))
    one.say("after")
    one.load()
    assert texts(one)[-2:] == ["missed", "after"]


# --- what changes -----------------------------------------------------------------------------------------------------


def test_a_head_that_goes_moves_no_text() -> None:
    one = WindowLog(30, core_keeps=8, authors=1)
    one.window.select_edge(SelectEdge.FIRST)
    one.window.select(None)
    assert one.seen()[:2] == ["<2>", "old 22"]
    one.load()
    assert one.seen()[:2] == ["old 21", "old 22"]


def test_a_line_of_a_long_message_stays_when_its_head_goes() -> None:
    one = WindowLog(30, core_keeps=8, authors=1, columns=4)
    one.window.select_edge(SelectEdge.FIRST)
    one.window.select(None)
    one.window.scroll(2)
    before = one.seen()
    one.load()
    assert one.seen() == before


def test_a_long_message_that_becomes_short_stays_at_the_top_of_the_field() -> None:
    one = with_log(20)
    one.say("x" * 300, 9)
    for number in range(20):
        one.say(f"later {number}", 8)
    one.window.scroll(-24)
    assert one.window_rows()[0].seq == 21
    one.edit(21, "short")
    assert one.seen()[:2] == ["short", "<8>"]


def test_another_message_before_makes_another_head() -> None:
    one = WindowLog(0)
    one.say("a", 2)
    one.say("b", 3)
    one.say("c", 2)
    assert one.seen().count("<2>") == 2
    one.purge(2, sender=3)
    assert one.seen() == ["<2>", "a", "c"]


def test_the_selected_message_stays_when_one_above_it_grows() -> None:
    one = with_log(20)
    one.window.select(19)
    place = texts(one).index("old 18")
    height = one.seen().index("old 18")
    one.edit(18, "a text of so many words that it takes some rows")
    assert one.seen().index("old 18") == height
    assert place <= height


def test_a_deleted_message_stays_selected_and_a_purged_one_does_not() -> None:
    one = with_log(20)
    one.window.select(18)
    one.delete(18)
    assert one.window.selected == 18
    assert "gone" in texts(one)
    one.purge(18)
    assert one.window.selected is None
    assert texts(one)[0] == "old 18"


def test_a_quote_is_made_anew_when_what_it_quotes_changes() -> None:
    one = with_log(4)
    quoting = one.window.kept[-1]
    one.note(events.MessageShown(type(quoting)(9, 4, 2, "p2", 0, "an answer", "ops", reply=3), ROOM, own=False))
    one.seen()
    made = one.maker.made
    one.edit(3, "other words")
    one.seen()
    assert one.maker.made - made == 3  # the message, the one after it, and the one that quotes it


def test_another_log_begins_anew() -> None:
    one = with_log(20)
    one.window.select(18)
    one.window.mark_unread()
    one.log.clear()
    one.core.messages.clear()
    one.core.last = one.seq = 0
    one.note(events.HistoryReset())
    assert (one.seen(), one.kept(), one.window.selected, one.window.unread_from) == ([], [], None, None)
    one.say("first of the new log")
    assert texts(one) == ["first of the new log"]


def test_messages_of_a_hidden_person_go_and_come_back() -> None:
    one = with_log(20)
    one.note(events.IgnoreChanged(Person(3, "p3"), hidden=True))
    assert {message.sender_id for message in one.window.kept} == {2}
    one.note(events.IgnoreChanged(Person(3, "p3"), hidden=False))
    one.load()
    assert one.kept() == list(range(13, 21))


def test_they_come_back_where_the_reader_is() -> None:
    one = with_log(60, core_keeps=4)
    one.window.jump(20)
    one.load()
    one.note(events.IgnoreChanged(Person(3, "p3"), hidden=True))
    one.window.select(None)
    before = texts(one)[0]
    one.note(events.IgnoreChanged(Person(3, "p3"), hidden=False))
    one.load()
    assert before in texts(one)
    assert one.kept() == list(range(one.kept()[0], one.kept()[-1] + 1))


# --- the size of the field --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "rows"), [(5, 6), (40, 6), (20, 3), (20, 12), (7, 2)])
def test_a_resize_leaves_the_topmost_message_where_it_was(columns: int, rows: int) -> None:
    one = with_log(30)
    one.window.scroll(-10)
    top = one.window_rows()[0].seq
    one.window.resize(columns, rows)
    assert one.window_rows()[0].seq == top
    assert len(one.seen()) == rows


@pytest.mark.parametrize(("columns", "rows"), [(5, 6), (40, 6), (20, 12)])
def test_a_resize_leaves_the_selected_message_where_it_was(columns: int, rows: int) -> None:
    one = with_log(30)
    one.window.select(29)
    place = [each.seq for each in one.window_rows()].index(29)
    one.window.resize(columns, rows)
    assert [each.seq for each in one.window_rows()].index(29) == place


def test_a_field_that_becomes_lower_shows_the_selected_message_still() -> None:
    one = with_log(30)
    one.window.select(30)
    one.window.resize(20, 2)
    assert any(each.selected for each in one.window_rows())


def test_a_field_without_rows_shows_none() -> None:
    one = with_log(30)
    one.window.resize(0, 0)
    one.window.scroll(-1)
    one.window.select_step(1)
    assert one.seen() == []
    one.window.resize(20, 6)
    assert len(one.seen()) == 6


# --- the selected message ---------------------------------------------------------------------------------------------


def test_the_selection_begins_at_the_last_message_of_the_field_and_stays_in_it() -> None:
    one = with_log(30)
    one.window.select_step(-1)
    assert one.window.selected == 30
    for seq in range(29, 0, -1):
        one.load()
        one.window.select_step(-1)
        assert one.window.selected == seq
        assert any(each.selected for each in one.window_rows())
    one.window.select_step(-1)
    assert one.window.selected == 1
    one.window.select_edge(SelectEdge.LAST)
    assert one.window.selected == 30


def test_while_a_message_is_selected_nothing_is_followed() -> None:
    one = with_log(30)
    one.window.select_step(-1)
    one.say("new")
    assert "new" not in texts(one)
    assert one.window.below == 1
    one.window.select(None)
    one.window.scroll(5)
    assert one.window.following


def test_a_message_that_is_higher_than_the_field_shows_its_beginning() -> None:
    one = with_log(4)
    one.say("x" * 400, 9)
    one.window.select_step(-1)
    one.window.select(5)
    assert one.seen()[0] == "<9>"
    assert one.window.shown == []
    one.window.scroll(100)
    assert one.window.shown == [5]


def test_scrolling_takes_the_selection_along() -> None:
    one = with_log(30)
    one.window.select(30)
    one.window.page(-1)
    assert one.window.selected is not None
    assert one.window.selected < 30
    assert any(each.selected for each in one.window_rows())


# --- jumps ------------------------------------------------------------------------------------------------------------


def test_a_jump_shows_its_message_and_back_comes_back() -> None:
    one = WindowLog(100, core_keeps=4)
    one.load()
    one.window.scroll(-3)
    one.window.select(None)
    before = one.seen()
    one.window.jump(20)
    assert one.seen() == before
    one.load()
    assert one.window.selected == 20
    assert "old 19" in texts(one)
    one.window.jump(25)
    assert one.window.back()
    assert one.window.selected == 20
    assert one.window.back()
    one.load()
    assert one.seen() == before
    assert not one.window.back()


def test_a_jump_to_what_is_not_there_changes_nothing() -> None:
    one = WindowLog(100, core_keeps=4)
    before = one.seen()
    one.window.jump(20)
    one.log = [message for message in one.log if message.seq != 20]
    one.ask()
    one.answer()
    assert one.seen() == before
    assert not one.window.rows().loading
    assert not one.window.back()


def test_a_jump_to_a_time_shows_the_first_message_from_it_on() -> None:
    one = WindowLog(100, core_keeps=4)
    one.window.jump_to_time(19_500)
    one.load()
    assert one.window.selected == 20


# --- unread -----------------------------------------------------------------------------------------------------------


def test_the_line_is_put_above_the_selected_message_and_stays() -> None:
    one = with_log(20)
    one.window.select(18)
    assert one.window.mark_unread() == 18
    at = one.seen().index("----")
    assert one.window_rows()[at + 1].seq == 18
    one.say("new")
    one.window.select(None)
    one.window.to_present()
    assert one.window.unread_from == 18


def test_the_line_begins_anew_where_all_above_it_was_seen() -> None:
    one = with_log(20)
    one.window.open(15)
    one.window.begin_unread(21, read=14)
    assert one.window.unread_from == 15
    one.window.begin_unread(22, read=20)
    assert one.window.unread_from == 22


def test_seen_is_what_is_in_the_field_without_a_hole() -> None:
    one = with_log(30, rows=8, core_keeps=30)
    one.window.open(11)
    shown = one.window.shown
    assert shown[-1] < 30
    assert one.window.seen_through(10) == shown[-1]
    one.window.to_present()
    assert one.window.seen_through(10) == 10  # those between were not in the field
    assert one.window.seen_through(27) == 30
    assert one.window.seen_through(30) == 30


def test_what_is_not_kept_was_not_seen() -> None:
    one = WindowLog(30, core_keeps=2)
    assert one.window.seen_through(10) == 10
    assert one.window.seen_through(28) == 30


# --- the user's own messages ------------------------------------------------------------------------------------------


def pending(number: int, text: str = "mine") -> events.PendingMessage:
    return events.PendingMessage(number, ROOM, text)


def test_an_own_message_waits_is_stored_and_is_shown_once() -> None:
    one = with_log(4)
    one.window.unsent_are([pending(1)])
    assert texts(one)[-1] == "waiting: mine"
    one.note(events.MessageAcked(pending(1), 5))
    one.window.unsent_are([])
    assert texts(one)[-1] == "stored: mine"
    one.window.select(-1)
    one.say("mine", ME)
    assert texts(one)[-1] == "mine"
    assert "stored: mine" not in texts(one)
    assert one.window.selected == 5


def test_a_failed_message_stays_until_something_is_done_with_it() -> None:
    one = with_log(4)
    one.window.unsent_are([pending(1), pending(2)])
    one.note(events.MessageRefused(pending(1), ErrorCode.MUTED, "no"))
    one.window.unsent_are([pending(2)])
    assert [one.window.unsent.at(place).state for place in range(2)] == [UnsentState.FAILED, UnsentState.WAITING]
    one.say("new")
    assert texts(one)[-2:] == ["failed: mine", "waiting: mine"]
    assert one.window.discard(2) is None
    gone = one.window.discard(1)
    assert gone is not None
    assert gone.refusal is not None
    assert texts(one)[-1] == "waiting: mine"


def test_messages_that_are_given_up_are_kept_as_failed() -> None:
    one = with_log(4)
    one.window.unsent_are([pending(1)])
    one.note(events.MessagesLost((pending(1),)))
    one.window.unsent_are([])
    assert texts(one)[-1] == "failed: mine"


def test_unsent_messages_are_selected_like_others() -> None:
    one = with_log(4)
    one.window.unsent_are([pending(1)])
    one.window.select_edge(SelectEdge.LAST)
    assert one.window.selected == -1
    assert one.window.selected_unsent is not None
    assert one.window_rows()[-1].part is WindowRowKind.UNSENT
    one.window.select_step(-1)
    assert one.window.selected == 4


def test_a_change_that_waits_is_no_message() -> None:
    one = with_log(4)
    change = events.MessageChangeRequest(RevisionKind.DELETE, 3)
    one.window.unsent_are([events.PendingMessage(1, ROOM, "", change=change)])
    assert len(one.window.unsent) == 0


# --- members ----------------------------------------------------------------------------------------------------------


def test_who_came_and_went_between_two_messages_is_said_once() -> None:
    one = with_log(1)
    one.members("ana", 5, joined=True)
    one.members("budi", 6, joined=True)
    one.members("budi", 6, joined=False)
    one.members("citra", 7, joined=False)
    assert one.seen()[-1] == "+ana -citra 0"
    one.say("next")
    one.members("budi", 6, joined=True)
    assert [row for row in one.seen() if row.startswith("+")] == ["+ana -citra 0", "+budi - 0"]


def test_who_comes_and_goes_elsewhere_is_not_said() -> None:
    one = with_log(1)
    one.note(events.MembersJoined("dev", (Person(5, "ana"),)))
    assert one.seen() == ["<2>", "old 0"]


def test_of_many_who_come_some_are_named() -> None:
    one = with_log(1, columns=2000)
    for person in range(100):
        one.members(f"m{person}", person, joined=True)
    assert one.seen()[-1].endswith(" 50")


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_key_makes_the_rows_of_the_field_and_not_of_what_is_kept() -> None:
    one = WindowLog(2000, core_keeps=2000, most=2000, page=100, rows=40)
    one.seen()
    one.maker.made = 0
    one.window.page(-1)
    one.seen()
    assert one.maker.made <= 45
    one.maker.made = 0
    one.window.page(1)
    one.say("new")
    one.seen()
    assert one.maker.made <= 2
    one.maker.made = 0
    one.window.resize(30, 40)
    one.seen()
    assert one.maker.made <= 45
