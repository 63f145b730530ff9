"""Whatever is said, changed, deleted, loaded and pressed, the reader's row stays, and what is shown is the log."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.client.ui.window.records import SelectEdge, WindowRowKind
from securechat.model import Message
from tests.support.window_log import ME, PlainRows, WindowLog

TEXT = st.sampled_from(["x", "some words", "a text of more than one row, and then some more of it", ""])
NUMBER = st.integers(0, 60)
EVENT = st.one_of(
    st.tuples(st.just("say"), TEXT, st.integers(1, 3)),
    st.tuples(st.just("edit"), NUMBER, TEXT),
    st.tuples(st.just("delete"), NUMBER, st.just(0)),
    st.tuples(st.just("react"), NUMBER, st.sampled_from("+-")),
    st.tuples(st.just("members"), st.integers(5, 7), st.booleans()),
    st.tuples(st.just("put_away"), st.just(26), st.just(0)),
    st.tuples(st.sampled_from(["answer", "ask", "ask_and_answer", "send", "store_sent"]), st.just(0), st.just(0)),
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
QUIET = {"say", "edit", "delete", "react", "members", "ask", "send", "store_sent", "put_away"}


def play(one: WindowLog, what: str, how: object, more: object) -> None:
    window = one.window
    target = one.log[how % len(one.log)].seq if isinstance(how, int) and one.log else 0
    match what, how, more:
        case "say", str(text), int(by):
            one.say(text, by)
        case "send", _, _:
            one.send()
        case "store_sent", _, _:
            one.store_sent()
        case "edit", _, str(text):
            one.edit(target, text)
        case "delete", _, _:
            one.delete(target)
        case "react", _, str(sign):
            one.react(target, sign)
        case "purge", int(), sender if sender is None or isinstance(sender, int):
            one.purge(target // 2, sender)
        case "purge_of", int(sender), _:
            one.purge(one.seq, sender)
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
    check_texts(one, kept)
    own = [str(each.row).removeprefix("waiting: ") for each in rows if "own " in str(each.row)]
    assert len(set(own)) == len(own), "each own message stands there once"
    if one.window.following and kept and not one.window.rows().loading and rows[-1].part is WindowRowKind.UNSENT:
        assert str(rows[-1].row) == f"waiting: {one.waiting[-1].text}"[: one.columns]
    elif one.window.following and kept and not one.window.rows().loading:
        assert not one.waiting
        assert rows[-1].seq == one.log[-1].seq
        assert len(rows) == one.rows or rows[0].seq in (0, kept[0].seq)
    if one.window.selected is not None:
        assert any(each.selected for each in rows)


def check_texts(one: WindowLog, kept: list[Message]) -> None:
    """Each message that is shown has the rows of its present text, under a head where its author is another."""
    rows = one.window_rows()
    for before, message in zip([None, *kept], kept, strict=False):
        shown_rows = [str(each.row) for each in rows if each.part is WindowRowKind.MESSAGE and each.seq == message.seq]
        if shown_rows:
            whole = [str(row) for row in PlainRows().message_rows(message, before, one.columns)]
            assert any(whole[at : at + len(shown_rows)] == shown_rows for at in range(len(whole))), (whole, shown_rows)


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
        oldest = one.waiting[0].number if one.waiting else 0
        selected = one.window.selected
        play(one, what, how, more)
        check(one)
        if what == "store_sent" and oldest and selected == -oldest:
            assert one.window.selected == one.log[-1].seq, "it is selected as what it is now"
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


# --- a reader in the middle of a long conversation --------------------------------------------------------------------

READ = st.one_of(
    EVENT,
    EVENT,
    st.tuples(st.just("edit"), st.integers(20, 50), TEXT),
    st.tuples(st.just("delete"), st.integers(20, 50), st.just(0)),
    st.tuples(st.just("scroll"), st.integers(-4, 4), st.just(0)),
    st.tuples(st.just("resize"), st.sampled_from([9, 20, 33]), st.integers(3, 12)),
    st.tuples(st.just("resize"), st.just(0), st.integers(3, 12)),
    st.tuples(st.just("step"), st.integers(-3, 3), st.just(0)),
    st.tuples(st.just("deselect"), st.just(0), st.just(0)),
    st.tuples(st.just("purge_of"), st.sampled_from([2, 3]), st.just(0)),
)


def shown(one: WindowLog) -> list[tuple[object, ...]]:
    """The rows of the field, each with all that tells it from others."""
    return [(each.part, each.seq, each.number, str(each.row)) for each in one.window_rows()]


def check_scroll(one: WindowLog, rows: int, before: list[tuple[object, ...]]) -> None:
    """So many rows further the same rows follow each other, where neither end was reached."""
    after, kept = one.window_rows(), one.window.kept
    at_edge = after[0].seq == kept[0].seq or after[-1].seq in (0, kept[-1].seq)
    if not at_edge and abs(rows) < len(before) == one.rows:
        still = shown(one)
        assert (still[:-rows], before[rows:]) == (before[rows:], still[:-rows]) if rows > 0 else True
        assert (still[-rows:], before[:rows]) == (before[:rows], still[-rows:]) if rows < 0 else True


@settings(max_examples=120, deadline=None)
@given(st.integers(3, 25), st.sampled_from([12, 60]), st.lists(READ, min_size=8, max_size=20))
def test_a_reader_in_the_middle_stays_there(up: int, core_keeps: int, steps: list[tuple[str, object, object]]) -> None:
    one = WindowLog(60, core_keeps, most=30, page=12)
    news: list[int] = []
    one.load()
    one.window.scroll(-up - one.rows)
    one.load()
    for what, given_how, more in steps:
        how = one.columns if what == "resize" and not given_how else given_how
        was, still, before = reader(one), not one.window.following, shown(one)
        columns, selected = one.columns, one.window.selected
        changed = isinstance(how, int) and was and one.log[how % len(one.log)].seq == was[0]
        jumps = one.window.jumping or any(page.around or page.after for page, _ in one.asked)
        newest = one.log[-1].seq if one.log else 0
        play(one, what, how, more)
        check(one)
        if what == "say" and more != ME and still:
            news.append(one.log[-1].seq)
        last = max((each.seq for each in one.window_rows() if each.part is WindowRowKind.MESSAGE), default=0)
        known = {message.seq for message in one.log}
        news = [] if one.window.following else [seq for seq in news if seq > last]
        if what != "purge_of" and known.issuperset(news) and newest:
            assert one.window.rows().below == len(news), "the bar counts what is new below"
        if was is None or not still:
            continue
        seq, place, text = was
        rows = one.window_rows()
        where = [(each.seq, str(each.row)) for each in rows]
        if not rows or not one.window.kept:
            continue
        own_change = changed and what in {"edit", "delete", "react"}
        stays = seq in known and selected is None if what == "purge_of" else what in QUIET and not own_change
        starts = rows[0].seq <= one.window.kept[0].seq or rows[-1].seq in (0, one.window.kept[-1].seq)
        if what == "scroll" and isinstance(how, int) and selected is None:
            check_scroll(one, how, before)
        elif stays and not jumps:
            assert starts or where[place] == (seq, text), (what, before, where)
        elif what == "resize" and not starts and columns == one.columns:
            assert selected is not None or shown(one)[0] == before[0], (before, where)
            assert selected is None or any(each.selected for each in rows)
        elif what == "resize" and not starts:
            assert seq in {each.seq for each in rows[:3]} or selected is not None
            assert selected is None or any(each.selected for each in rows)
