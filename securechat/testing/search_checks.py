"""The conformance suite of `MessageLog` for search, over the same implementations as `log_checks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from securechat.model import Hit, Message, Revision, RevisionKind
from securechat.records.accounts import EraseSender
from securechat.records.log import NotAppended
from securechat.records.queries import SearchQuery, SearchRows
from securechat.records.rooms import PurgeExpired, PutRoom, RoomRecord
from securechat.testing.log_checks import MORNING_MS, Implementation, Rig
from securechat.text.tokenizer import has_link, marks

END = 2**53


def search(rig: Rig, query: SearchQuery) -> SearchRows:
    """Search, insist on success, and ask again while the index is being made."""
    last_seq = max([entry.seq for entry in rig.entries], default=0)
    while True:
        answers: list[SearchRows | NotAppended] = []
        rig.log.search(query, answers.append)
        rig.until(lambda answers=answers: bool(answers))  # type: ignore[misc]
        assert isinstance(answers[0], SearchRows), f"not searched: {answers[0]}"
        if answers[0].indexed_to >= min(query.up_to, last_seq):
            return answers[0]


def naive_search(rows: Sequence[Message], query: SearchQuery) -> tuple[list[Hit], bool]:
    """Answer a search by looking at every row, once per condition: the meaning of `SearchQuery`."""
    found = [row for row in rows if row.deleted is None and row.seq <= query.up_to]
    if query.dialogue is not None:
        found = [row for row in found if row.to is not None and {row.sender_id, row.to} == set(query.dialogue)]
    else:
        found = [
            row
            for row in found
            if (row.room in query.rooms and all(row.seq > seq for room, seq in query.floors if room == row.room))
            or (row.room is None and query.dialogues_of in (row.sender_id, row.to))
        ]
    if query.senders is not None:
        found = [row for row in found if row.sender_id in query.senders]
    if query.before is not None:
        found = [row for row in found if row.seq < query.before]
    if query.before_ms is not None:
        found = [row for row in found if row.sent_at_ms < query.before_ms]
    if query.after_ms is not None:
        found = [row for row in found if row.sent_at_ms >= query.after_ms]
    if query.has_link:
        found = [row for row in found if has_link(row.text)]
    marked = [(row, marks(row.text, query.words)) for row in reversed(found)]
    hits = [Hit(row, spans) for row, spans in marked if spans is not None]
    return hits[: query.limit], len(hits) > query.limit


TEXTS = (
    "Deploy the server tomorrow, please",
    "the deployment went fine https://example.org/log?id=7",
    "Le café est fermé; cafe\u0301 déjà vu",
    "Đường phố Hà Nội rất đẹp, tiếng Việt",
    "Pelajaran ini untuk belajar, ajaran lama",
    "我们明天开会，地点在东京都",
    "東京都に住んでいますがテストです",
    "회의는 내일이에요 안녕하세요",
    "ประชุมพรุ่งนี้ ไม่เป็นไร",
    "हिन्दी में लिखो",
    "ship it 🎉 get_user_id(self)",
    "a b a\0c 'quoted\" AND (x OR y) NEAR -z ^w col:v *",
    "\ue000c1 \ue000s1 \ue000l private",
)
FINDS: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...] = (
    (("deploy",), (1,)),
    (("deploy*",), (1, 2)),
    (("DEPLOY*", "the"), (1, 2)),
    (("the server",), (1,)),
    (("server the",), ()),
    (("cafe",), (3,)),
    (("CAFÉ", "deja"), (3,)),
    (("duong pho",), (4,)),
    (("viet",), (4,)),
    (("ajar*",), (5,)),
    (("ajar",), ()),
    (("会",), (6,)),
    (("明天开",), (6,)),
    (("東京",), (7,)),
    (("东京",), (6,)),
    (("テスト",), (7,)),
    (("か",), ()),
    (("안녕",), (8,)),
    (("내일",), (8,)),
    (("พรุ่งนี้",), (9,)),
    (("เป็น",), (9,)),
    (("हिन्दी",), (10,)),
    (("🎉",), (11,)),
    (("get_user",), (11,)),
    (("example.org",), (2,)),
    (("https://example.org",), (2,)),
    (('"', "quoted"), (12,)),
    (("a b*", "c"), (12,)),
    (("AND (x OR y) NEAR",), (12,)),
    (("col:v", "^w", "-z"), (12,)),
    (("private",), (13,)),
    (("\ue000c1",), (13,)),  # a word of that text, and not the sign of every message here
    (("nothing",), ()),
    ((), tuple(range(1, 14))),
)
"""Words, and which of the texts above have them all."""


def check_words_are_found_in_every_script(implementation: Implementation) -> None:
    """Accents, prefixes, phrases, scripts without spaces, signs; and no text is an expression of FTS5."""
    rig = Rig(implementation)
    rig.seqs(*(rig.draft(n, text) for n, text in enumerate(TEXTS, 1)))
    for words, expected in FINDS:
        rows = search(rig, SearchQuery(END, 50, words, rooms=("lobby",)))
        assert [hit.message.seq for hit in rows.hits] == list(reversed(expected)), f"{words} finds something else"
        assert [(hit.message.text, hit.marks) for hit in rows.hits] == [
            (TEXTS[n - 1], marks(TEXTS[n - 1], words)) for n in reversed(expected)
        ]
    rig.close()


def check_a_search_finds_what_was_acknowledged_before(implementation: Implementation) -> None:
    """Also right after the acknowledgement, after a restart and after a crash, which may have taken the index along."""
    rig = Rig(implementation)
    for turn in range(1, 6):
        rig.seqs(rig.draft(turn, f"needle number {turn}"))
        rows = search(rig, SearchQuery(END, 50, ("needle",), rooms=("lobby",)))
        assert len(rows.hits) == turn
        assert rows.indexed_to >= turn
        if turn in {2, 4}:
            rig.restart(kill=turn == 4)
    rig.close()


def check_only_what_the_searcher_may_read_is_found(implementation: Implementation) -> None:
    """Rooms above their floors, own dialogues, one dialogue; never above up_to."""
    rig = Rig(implementation)
    rig.seqs(
        rig.draft(1, "secret"),
        rig.draft(2, "secret", room="ops"),
        rig.draft(3, "secret", room=None, to=2),
        rig.draft(4, "secret", sender_id=3, room=None, to=2),
        rig.draft(5, "secret", sender_id=2, room=None, to=2),
        rig.draft(6, "secret", sender_id=2, room="ops"),
        rig.draft(7, "secret"),
    )

    def seqs(up_to: int = END, **where: object) -> list[int]:
        rows = search(rig, SearchQuery(up_to, 50, ("secret",), **where))  # type: ignore[arg-type]
        return [hit.message.seq for hit in rows.hits]

    assert seqs() == []
    assert seqs(rooms=("nowhere",)) == []
    assert seqs(rooms=("ops",)) == [6, 2]
    assert seqs(rooms=("ops", "lobby"), floors=(("ops", 2),)) == [7, 6, 1]
    assert seqs(rooms=("ops", "lobby"), floors=(("ops", 9), ("lobby", 1))) == [7]
    assert seqs(rooms=("lobby",), dialogues_of=1) == [7, 3, 1]
    assert seqs(dialogues_of=2) == [5, 4, 3]
    assert seqs(dialogue=(2, 1)) == [3]
    assert seqs(dialogue=(2, 2)) == [5]
    assert seqs(rooms=("lobby",), dialogues_of=1, dialogue=(1, 2)) == [3]
    assert seqs(up_to=6, rooms=("lobby", "ops")) == [6, 2, 1]
    assert seqs(up_to=0, rooms=("lobby", "ops")) == []
    rig.close()


def check_filters_narrow_a_search_down(implementation: Implementation) -> None:
    """Senders, links, times, and nothing but those; the newest first, in pages that meet."""
    rig = Rig(implementation)
    for n in range(1, 31):
        rig.now_ms = MORNING_MS + 1000 * n
        rig.seqs(rig.draft(n, f"see https://example.org/{n}" if n % 5 == 0 else f"see {n}", sender_id=1 + n % 2))
    rooms = ("lobby",)
    for query in (
        SearchQuery(END, 50, rooms=rooms, senders=(1,)),
        SearchQuery(END, 50, rooms=rooms, senders=(1, 2, 99)),
        SearchQuery(END, 50, rooms=rooms, senders=()),
        SearchQuery(END, 50, rooms=rooms, has_link=True, senders=(2,)),
        SearchQuery(END, 50, ("see",), rooms=rooms, has_link=True),
        SearchQuery(END, 50, rooms=rooms, before_ms=MORNING_MS + 10_000),
        SearchQuery(END, 50, rooms=rooms, after_ms=MORNING_MS + 25_000),
        SearchQuery(END, 50, ("see",), rooms=rooms, after_ms=MORNING_MS + 9_001, before_ms=MORNING_MS + 12_000),
        SearchQuery(END, 50, rooms=rooms, after_ms=MORNING_MS + 99_000),
        SearchQuery(END, 50, rooms=rooms, before_ms=0),
        SearchQuery(END, 5, ("see",), rooms=rooms, before=20),
    ):
        rows = search(rig, query)
        assert (rows.hits, rows.more) == naive_search(rig.feed, query), f"{query} is answered wrongly"
    found: list[int] = []
    more, before = True, None
    while more:
        rows = search(rig, SearchQuery(END, 7, ("see",), rooms=rooms, before=before))
        found += [hit.message.seq for hit in rows.hits]
        more, before = rows.more, found[-1]
    assert found == list(range(30, 0, -1)), "the pages do not meet"
    rig.close()


def check_changes_change_what_is_found(implementation: Implementation) -> None:
    """Edits, deletions, removals, expiry and a room's new name, at once and after a restart."""
    rig = Rig(implementation)
    rig.record(PutRoom(RoomRecord(1, "ops")))
    old, gone, mine = rig.seqs(
        rig.draft(1, "apple pie", room="ops"), rig.draft(2, "apple cake", room="ops"), rig.draft(3, "apple tea")
    )
    (theirs,) = rig.seqs(rig.draft(1, "apple jam", sender_id=2))

    def found(word: str, *rooms: str) -> list[int]:
        return [hit.message.seq for hit in search(rig, SearchQuery(END, 50, (word,), rooms=rooms)).hits]

    assert found("apple", "ops", "lobby") == [theirs, mine, gone, old]
    edit = Revision(RevisionKind.EDIT, 1, "person 1", 4, old, room="ops", text="pear pie https://example.org")
    rig.seqs(edit, Revision(RevisionKind.DELETE, 1, "person 1", 5, gone, room="ops"))
    rig.record(PutRoom(RoomRecord(1, "kitchen")))
    rig.record(EraseSender(1, remove=True, above=0))
    for kill in (False, True, None):
        assert found("apple", "ops", "kitchen", "lobby") == [theirs]
        assert found("pear", "ops") == []
        assert found("pear", "kitchen") == []
        if kill is not None:
            rig.restart(kill=kill)
    rig.now_ms += 10_000
    rig.seqs(rig.draft(2, "apple wine", sender_id=2))
    rig.record(PurgeExpired("lobby", MORNING_MS + 5_000))
    assert [hit.message.text for hit in search(rig, SearchQuery(END, 9, ("apple",), rooms=("lobby",))).hits] == [
        "apple wine"
    ]
    rig.close()


def check_an_edit_is_found_by_its_new_text_alone(implementation: Implementation) -> None:
    """An edited message is found at its old place, in its final state, and under the room's new name alone."""
    rig = Rig(implementation)
    rig.record(PutRoom(RoomRecord(1, "ops")))
    (seq,) = rig.seqs(rig.draft(1, "apple pie", room="ops"))
    rig.seqs(Revision(RevisionKind.EDIT, 1, "person 1", 2, seq, room="ops", text="pear https://example.org"))
    rig.seqs(Revision(RevisionKind.REACT, 2, "person 2", 1, seq, room="ops", sign="👍"))
    rig.record(PutRoom(RoomRecord(1, "kitchen")))
    for _ in range(2):
        assert search(rig, SearchQuery(END, 9, ("apple",), rooms=("ops", "kitchen"))).hits == []
        assert search(rig, SearchQuery(END, 9, ("pear",), rooms=("ops",))).hits == []
        (hit,) = search(rig, SearchQuery(END, 9, ("pear",), rooms=("kitchen",), has_link=True)).hits
        assert (hit.message.seq, hit.message.edited, hit.message.room) == (seq, seq + 1, "kitchen")
        assert [(reaction.sign, reaction.by) for reaction in hit.message.reactions] == [("👍", [2])]
        assert hit.marks == [(0, 4)]
        rig.restart()
    rig.close()


SEARCH_CHECKS: tuple[Callable[[Implementation], None], ...] = (
    check_words_are_found_in_every_script,
    check_a_search_finds_what_was_acknowledged_before,
    check_only_what_the_searcher_may_read_is_found,
    check_filters_narrow_a_search_down,
    check_changes_change_what_is_found,
    check_an_edit_is_found_by_its_new_text_alone,
)
"""Every promise about searching, one function each."""
