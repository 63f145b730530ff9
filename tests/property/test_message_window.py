"""Whatever is said, changed, deleted, loaded and pressed, the reader's row stays, and what is shown is the log."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.client.ui.window.records import SelectEdge, WindowRowKind
from tests.support.window_log import WindowLog

TEXT = st.sampled_from(["x", "some words", "a text of more than one row, and then some more of it", ""])
NUMBER = st.integers(0, 60)
EVENT = st.one_of(
    st.tuples(st.just("say"), TEXT, st.integers(1, 3)),
    st.tuples(st.just("edit"), NUMBER, TEXT),
    st.tuples(st.just("delete"), NUMBER, st.just(0)),
    st.tuples(st.just("react"), NUMBER, st.sampled_from("+-")),
    st.tuples(st.just("members"), st.integers(5, 7), st.booleans()),
    st.tuples(st.just("put_away"), st.just(26), st.just(0)),
    st.tuples(st.sampled_from(["answer", "ask", "ask_and_answer"]), st.just(0), st.just(0)),
)
PURGE = st.tuples(st.just("purge"), NUMBER, st.sampled_from([None, 2, 3]))
KEY = st.one_of(
    st.tuples(st.just("scroll"), st.integers(-12, 12), st.just(0)),
    st.tuples(st.just("page"), st.sampled_from([-1, 1]), st.just(0)),
    st.tuples(st.just("step"), st.integers(-3, 3), st.just(0)),
    st.tuples(st.just("edge"), st.sampled_from(list(SelectEdge)), st.just(0)),
    st.tuples(st.just("jump"), NUMBER, st.just(0)),
    st.tuples(st.just("time"), NUMBER, st.just(0)),
    st.tuples(st.just("back"), st.just(0), st.just(0)),
    st.tuples(st.just("deselect"), st.just(0), st.just(0)),
    st.tuples(st.just("present"), st.just(0), st.just(0)),
    st.tuples(st.just("open"), NUMBER, st.just(0)),
    st.tuples(st.just("unread"), st.just(0), st.just(0)),
    st.tuples(st.just("load"), st.just(0), st.just(0)),
)
RESIZE = st.tuples(st.just("resize"), st.integers(1, 30), st.integers(1, 12))
UP = st.tuples(st.just("page"), st.just(-1), st.just(0))
STEPS = st.lists(st.one_of(EVENT, EVENT, UP, KEY, RESIZE, PURGE), min_size=20, max_size=40)
QUIET = {"say", "edit", "delete", "react", "members", "ask", "put_away"}


def play(one: WindowLog, what: str, how: object, more: object) -> None:
    window = one.window
    target = one.log[how % len(one.log)].seq if isinstance(how, int) and one.log else 0
    match what, how, more:
        case "say", str(text), int(by):
            one.say(text, by)
        case "edit", _, str(text):
            one.edit(target, text)
        case "delete", _, _:
            one.delete(target)
        case "react", _, str(sign):
            one.react(target, sign)
        case "purge", int(), sender if sender is None or isinstance(sender, int):
            one.purge(target // 2, sender)
        case "members", int(person), bool(joined):
            one.members(f"m{person}", person, joined=joined)
        case "answer", _, _:
            one.answer()
        case "ask", _, _:
            one.ask()
        case "ask_and_answer", _, _:
            one.ask()
            one.answer()
        case "load", _, _:
            one.load()
        case "scroll", int(rows), _:
            window.scroll(rows)
        case "page", int(pages), _:
            window.page(pages)
        case "step", int(step), _:
            window.select_step(step)
        case "edge", SelectEdge() as edge, _:
            window.select_edge(edge)
        case "jump", _, _:
            window.jump(target)
        case "time", int(number), _:
            window.jump_to_time(number * 1000)
        case "back", _, _:
            window.back()
        case "deselect", _, _:
            window.select(None)
        case "present", _, _:
            window.to_present()
        case "open", _, _:
            window.open(target or None)
        case "unread", _, _:
            window.mark_unread()
        case "put_away", int(most), _:
            window.put_away(most)
        case "resize", int(columns), int(rows):
            one.columns, one.rows = columns, rows
            window.resize(columns, rows)
        case _:
            raise AssertionError(what)


def reader(one: WindowLog) -> tuple[int, int, str] | None:
    """The row that the reader looks at: message, row of the field, and text."""
    rows = one.window_rows()
    selected = one.window.selected
    for place, each in enumerate(rows):
        if each.part is WindowRowKind.MESSAGE and not each.row.startswith("<") and selected in (None, each.seq):
            return each.seq, place, str(each.row)
    return None


def check(one: WindowLog) -> None:
    rows = one.window_rows()
    assert len(rows) <= one.rows
    assert all(len(each.row) <= one.columns for each in rows)
    kept = list(one.window.kept)
    assert len(kept) <= one.most
    assert kept == [message for message in one.log if kept and kept[0].seq <= message.seq <= kept[-1].seq]
    shown = list(dict.fromkeys(each.seq for each in rows if each.part is WindowRowKind.MESSAGE))
    if shown:
        assert shown == [message.seq for message in kept if shown[0] <= message.seq <= shown[-1]]
    if one.window.following and kept and not one.window.rows().loading:
        assert rows[-1].seq == one.log[-1].seq
        assert len(rows) == one.rows or rows[0].seq in (0, kept[0].seq)
    if one.window.selected is not None:
        assert any(each.selected for each in rows)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([0, 4, 20, 60]), st.sampled_from([1, 4, 12]), st.integers(1, 2), STEPS)
def test_the_readers_row_does_not_move_and_what_is_shown_is_the_log(
    before: int, core_keeps: int, authors: int, steps: list[tuple[str, object, object]]
) -> None:
    one = WindowLog(before, core_keeps, most=30, page=6, authors=authors)
    for what, how, more in steps:
        was, still = reader(one), not one.window.following
        jumps = any(page.around or page.at_ms or page.after for page, _ in one.asked) or one.window.jumping
        changed = isinstance(how, int) and one.log and was and one.log[how % len(one.log)].seq == was[0]
        play(one, what, how, more)
        check(one)
        if was is None or not still or changed:
            continue
        if what in QUIET or (what in {"answer", "ask_and_answer"} and not jumps):
            seq, place, text = was
            rows = one.window_rows()
            starts = rows[0].seq <= one.window.kept[0].seq  # what stood above it is not there any more
            assert starts or (rows[place].seq, str(rows[place].row)) == (seq, text), what
            assert (seq, text) in [(each.seq, str(each.row)) for each in rows], what
        if what == "resize" and one.window.selected is None and was[1] < one.rows:
            assert was[0] in {each.seq for each in one.window_rows()[:2]}
