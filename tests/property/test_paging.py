"""Pages fit into frames, lose nothing where they are cut, and count with a bound that holds."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from securechat.hub.messages.paging import encoded_bound, history_page
from securechat.limits import MAX_FRAME_BYTES, PAGE_BYTES, PAGE_LIMITS
from securechat.model import Deleted, Edited, Message, Person, Reacted, Reaction
from securechat.records.queries import HistoryQuery, HistoryRows

IDS = st.sampled_from([1, 2**53 - 1])
TEXTS = st.text(st.sampled_from('a"\\\n\x00\x7fé\U0001f600'), max_size=40)
PEOPLE = st.none() | st.builds(Person, id=IDS, name=TEXTS)
MESSAGES = st.builds(
    Message, seq=IDS, prev=IDS, sender_id=IDS, name=TEXTS, sent_at_ms=IDS, text=TEXTS, room=TEXTS, to=IDS,
    to_name=TEXTS, reply=IDS, mentions=st.lists(IDS, max_size=3), edited=IDS, deleted=IDS,
    edited_by=PEOPLE, deleted_by=PEOPLE,
    reactions=st.lists(st.builds(Reaction, sign=TEXTS, by=st.lists(IDS, max_size=3)), max_size=3),
)  # fmt: skip
BASE = {"seq": IDS, "target": IDS, "sender_id": IDS, "name": TEXTS, "sent_at_ms": IDS, "room": TEXTS, "to": IDS}
CHANGES = st.one_of(
    st.builds(Edited, **BASE, text=st.none() | TEXTS, mentions=st.lists(IDS, max_size=3)),
    st.builds(Deleted, **BASE),
    st.builds(Reacted, **BASE, sign=TEXTS, on=st.booleans()),
)


@given(entry=MESSAGES | CHANGES)
def test_the_bound_holds(entry):
    assert len(msgspec.json.encode(entry)) <= encoded_bound(entry)


def message(seq, size):
    return Message(seq, 0, 1, "ann", 1, "x" * size, "lobby")


def edited(seq, size):
    return Edited(seq, 1, 1, "ann", 1, "lobby", text="x" * size)


LOGS = st.lists(st.tuples(st.booleans(), st.sampled_from([1, 300, 4_000, 16_000])), max_size=40)


@given(log=LOGS, more=st.booleans())
def test_pages_onwards_join_up(log, more):
    """Wherever a page ends, the next one begins: with ``through`` as its cursor a reader gets every entry once."""
    entries = [message(seq, size) if is_message else edited(seq, size) for seq, (is_message, size) in enumerate(log, 1)]
    got, after, still = [], 0, True
    while still:
        left = [entry for entry in entries if entry.seq > after]
        rows = HistoryRows(
            [entry for entry in left if type(entry) is Message], more, [e for e in left if type(e) is Edited]
        )
        page = history_page(7, HistoryQuery(up_to=50, limit=200, rooms=("lobby",), after=after), rows, PAGE_LIMITS)
        kept = sorted([*page.messages, *page.changes], key=lambda entry: entry.seq)
        assert sum(map(encoded_bound, kept)) <= PAGE_BYTES or len(kept) == 1
        assert len(msgspec.json.encode(page)) <= MAX_FRAME_BYTES
        got += kept
        assert page.through == (kept[-1].seq if page.more and kept else 50)
        still, after = page.more and bool(kept), page.through
    assert got == entries


@given(sizes=st.lists(st.sampled_from([1, 4_000, 16_000]), min_size=1, max_size=30), at=st.integers(0, 31))
def test_a_page_around_has_its_middle(sizes, at):
    messages = [message(seq, size) for seq, size in enumerate(sizes, 1)]
    query = HistoryQuery(up_to=50, limit=200, rooms=("lobby",), around=at)
    page = history_page(7, query, HistoryRows(messages, more=False), PAGE_LIMITS)
    seqs = [m.seq for m in page.messages]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else at > len(sizes)
    assert not messages[at - 1 : at] or at == 0 or at in seqs
    assert page.more == bool(messages and seqs and seqs[-1] < len(sizes))
    assert page.through == (seqs[-1] if page.more else 50)
    assert len(msgspec.json.encode(page)) <= MAX_FRAME_BYTES


def test_a_page_back_keeps_the_newest():
    rows = HistoryRows([message(seq, 16_000) for seq in range(1, 9)], more=False)
    page = history_page(7, HistoryQuery(up_to=50, limit=200, rooms=("lobby",)), rows, PAGE_LIMITS)
    assert ([m.seq for m in page.messages], page.through, page.more) == ([6, 7, 8], 50, True)
