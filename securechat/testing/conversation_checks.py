"""The conformance suite of `MessageLog` for conversations: changes, mentions and read markers.

The third part of the suite in `log_checks`, over the same `Implementation`: run every function of
`CONVERSATION_CHECKS`. `CopyReader` keeps messages as a client does; three of them, which learn the same log in
different ways, must end up with the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from securechat.errors import ErrorCode, LocalProtocolError, Overloaded
from securechat.limits import MAX_REACTIONS, Limits
from securechat.model import (
    Deleted,
    Edited,
    LogEntry,
    Message,
    MessageChange,
    Person,
    Reacted,
    Reaction,
    Revision,
    RevisionKind,
)
from securechat.records.accounts import EraseSender
from securechat.records.log import Appended, NotAppended
from securechat.records.queries import ConversationQuery, HistoryQuery, HistoryRows
from securechat.records.rooms import PurgeExpired
from securechat.testing.log_checks import MORNING_MS, Implementation, Rig

EDIT, DELETE, REACT, UNREACT = RevisionKind
_ALL = HistoryQuery(up_to=2**53, limit=200)
_HOUR_MS = 3_600_000


class CopyReader:
    """Keeps messages as a client does, and applies changes to them, from the feed or from pages.

    A message comes in its final state, and names the last change that it shows: those up to there may come after it,
    and are left out. An edit that has been replaced comes without its text; so the older of two edits never counts.

    Attributes:
        messages: by seq.
    """

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}

    def take(self, entries: Iterable[LogEntry]) -> None:
        """Learn entries, in the order of their seq."""
        for entry in entries:
            if isinstance(entry, Message):
                self.messages[entry.seq] = entry
            elif entry.target in self.messages:
                self.messages[entry.target] = _changed(self.messages[entry.target], entry)

    @property
    def contents(self) -> list[Message]:
        """The messages, in order."""
        return [message for _, message in sorted(self.messages.items())]


def _changed(message: Message, change: MessageChange) -> Message:
    if change.seq <= (message.changed or 0):
        return message
    message = replace(message, changed=change.seq)
    editor = None if change.sender_id == message.sender_id else Person(change.sender_id, change.name)
    match change:
        case Edited(seq=seq):
            if change.text is None:  # replaced, by an edit or deletion that is still to come
                return replace(message, edited=seq, edited_by=editor)
            return replace(message, edited=seq, edited_by=editor, text=change.text, mentions=change.mentions)
        case Deleted(seq=seq):
            return replace(message, deleted=seq, deleted_by=editor, text="", mentions=[], reactions=[], files=[])
        case Reacted():
            signs = {reaction.sign: list(reaction.by) for reaction in message.reactions}
            by = signs.setdefault(change.sign, [])
            if change.on != (change.sender_id in by):
                (by.append if change.on else by.remove)(change.sender_id)
            return replace(message, reactions=[Reaction(sign, who) for sign, who in signs.items() if who])


def revision(kind: RevisionKind, client_id: int, target: int, **more: Any) -> Revision:
    """A revision in the lobby by person 1, unless it says otherwise."""
    sender_id = more.pop("sender_id", 1)
    if "to" not in more:
        more.setdefault("room", "lobby")
    return Revision(kind, sender_id, f"person {sender_id}", client_id, target, **more)


def codes(outcomes: Sequence[object]) -> list[object]:
    """Seqs of what was stored, and the codes of what was refused."""
    return [outcome.code if isinstance(outcome, NotAppended) else getattr(outcome, "seq", None) for outcome in outcomes]


def page(rig: Rig, after: int | None = None, **more: Any) -> HistoryRows:
    """A page of the lobby, or of what ``more`` asks for."""
    return rig.history(replace(_ALL, **({"rooms": ("lobby",), "after": after} | more)))


def _pull(rig: Rig, after: int, limit: int, **more: Any) -> list[list[LogEntry]]:
    """Every page from a cursor on, each in the order of seq."""
    pages: list[list[LogEntry]] = []
    while True:
        rows = page(rig, after, limit=limit, **more)
        entries: list[LogEntry] = [*rows.messages, *rows.changes]
        pages.append(sorted(entries, key=lambda entry: entry.seq))
        assert len(rows.messages) <= limit, "more messages than asked for"
        assert len(rows.changes) <= 4 * limit, "more changes than a page may have"
        if not rows.more:
            return pages
        assert pages[-1], "an empty page that promises more"
        assert pages[-1][0].seq > after, "a page goes back"
        after = pages[-1][-1].seq


# --- Messages that change -----------------------------------------------------------------------------------------


def check_replies_and_mentions_are_kept(implementation: Implementation) -> None:
    """Both survive as they are; a reply to what is not in the same place is no reply, and the message is stored."""
    rig = Rig(implementation)
    first, elsewhere, privately = rig.seqs(rig.draft(1), rig.draft(2, room="ops"), rig.draft(3, to=2))
    drafts = [
        replace(rig.draft(4), reply=first, mentions=(2, 3, 2)),
        replace(rig.draft(5), reply=first + 3),  # of this very batch
        replace(rig.draft(6), reply=elsewhere),
        replace(rig.draft(7), reply=privately),
        replace(rig.draft(8), reply=999),
        replace(rig.draft(1, sender_id=2, to=1), reply=privately),
    ]
    seqs = rig.seqs(*drafts)
    rig.until(lambda: len(rig.feed) == 9)
    assert [m.reply for m in rig.feed[3:]] == [first, first + 3, None, None, None, privately]
    assert rig.feed[3].mentions == [2, 3, 2]
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        read = page(rig, rooms=("lobby", "ops"), dialogues_of=1).messages
        assert read == rig.feed, "history differs from the feed"
    assert rig.append(*drafts) == [Appended(seq, retry=True) for seq in seqs]
    rig.close()


def check_changes_are_entries_of_the_log(implementation: Implementation) -> None:
    """Each revision gets a seq among messages and comes through the feed; the message shows the result, for ever."""
    rig = Rig(implementation)
    rig.now_ms += 5
    first, second = rig.seqs(rig.draft(1, "first"), rig.draft(1, "second", sender_id=2, to=1))
    outcomes = rig.append(
        revision(EDIT, 2, first, text="a\0b", mentions=(3, 4)),
        revision(REACT, 2, second, sender_id=2, to=1, sign="+1"),
        rig.draft(3, "third"),
        revision(REACT, 4, second, to=2, sign="ℹ"),
        revision(REACT, 5, second, to=2, sign="+1"),
        revision(UNREACT, 6, second, to=2, sign="none"),
        revision(DELETE, 7, first + 4),
    )
    assert codes(outcomes) == [3, 4, 5, 6, 7, 8, 9]
    rig.until(lambda: len(rig.entries) == 9)
    at_ms, one = MORNING_MS + 5, (1, "person 1", MORNING_MS + 5)
    assert rig.entries[2:] == [
        Edited(3, first, *one, "lobby", text="a\0b", mentions=[3, 4]),
        Reacted(4, second, 2, "person 2", at_ms, to=1, sign="+1"),
        Message(5, first, 1, "person 1", at_ms, "third", "lobby"),
        Reacted(6, second, *one, to=2, sign="ℹ"),
        Reacted(7, second, *one, to=2, sign="+1"),
        Reacted(8, second, *one, to=2, sign="none", on=False),
        Deleted(9, 5, *one, "lobby"),
    ]
    final = [
        Message(1, 0, 1, "person 1", at_ms, "a\0b", "lobby", mentions=[3, 4], edited=3, changed=3),
        Message(2, 0, 2, "person 2", at_ms, "second", None, 1, "person 1",
                reactions=[Reaction("+1", [2, 1]), Reaction("ℹ", [1])], changed=8),
        Message(5, 1, 1, "person 1", at_ms, "", "lobby", deleted=9, changed=9),
    ]  # fmt: skip
    changes = [entry for entry in rig.entries if not isinstance(entry, Message)]
    for kill in (None, False, True):
        if kill is not None:
            assert rig.restart(kill=kill).last_seq == 9, "the log forgot that its end is a change"
        assert page(rig, 0, dialogues_of=1) == HistoryRows(final, False, changes)
        assert page(rig, dialogues_of=1) == HistoryRows(final, more=False), "who reads back needs no changes"
    rig.now_ms += 1000
    rig.seqs(revision(REACT, 8, first, sign="+"))
    rig.now_ms -= 3000
    rig.restart()
    (seq,) = rig.seqs(rig.draft(9))
    assert rig.everything()[-1].sent_at_ms == at_ms + 1000, "time went back behind a change"
    assert (seq, rig.everything()[-1].prev) == (11, 5), "a prev leads to a change"
    rig.close()


def check_revisions_are_refused(implementation: Implementation) -> None:
    """Not there, not yours, too many: nothing is stored, and the same number may be tried again."""
    rig = Rig(implementation)
    mine, theirs, gone = rig.seqs(rig.draft(1), rig.draft(1, sender_id=2), rig.draft(2))
    dialogue, change = rig.seqs(rig.draft(3, to=2), revision(DELETE, 4, gone))
    for target in (0, change, 99, gone, dialogue):
        for kind in RevisionKind:
            (outcome,) = rig.append(revision(kind, 5, target, sign="x", any_author=True))
            assert codes([outcome]) == [ErrorCode.NOT_FOUND], f"{kind} of {target}: {outcome}"
    elsewhere = [
        revision(EDIT, 5, mine, room="ops"),
        revision(EDIT, 5, mine, to=2),
        revision(EDIT, 5, dialogue, to=3),
        revision(REACT, 5, dialogue, sender_id=3, to=1),
    ]
    assert codes(rig.append(*elsewhere)) == [ErrorCode.NOT_FOUND] * 4
    assert codes(rig.append(revision(EDIT, 5, theirs), revision(DELETE, 5, theirs))) == [ErrorCode.NO_RIGHT] * 2
    assert [m.edited for m in rig.everything()] == [None] * 3
    feed = len(rig.entries)
    assert rig.seqs(revision(DELETE, 5, theirs, any_author=True)) == [change + 1], "a refusal took a number"
    assert codes(rig.append(revision(REACT, 4, mine))) == [change], "not known as a retry"
    assert codes(rig.append(rig.draft(9), revision(REACT, 8, mine))) == [change + 2, ErrorCode.OUT_OF_ORDER]
    rig.until(lambda: len(rig.entries) == feed + 2)
    rig.close()


def check_reactions_have_an_end(implementation: Implementation) -> None:
    """At most MAX_REACTIONS under a message; one that is there already is fine, and one taken away makes room."""
    rig = Rig(implementation)
    (seq,) = rig.seqs(rig.draft(1))
    full = [revision(REACT, 2 + n, seq, sign=str(n % 7), sender_id=10 + n) for n in range(MAX_REACTIONS)]
    rig.seqs(*full)
    rig.restart()
    outcomes = rig.append(
        revision(REACT, 2, seq, sign="new"),
        revision(REACT, 999, seq, sign="0", sender_id=10),
        revision(UNREACT, 1000, seq, sign="0", sender_id=10),
        revision(REACT, 2, seq, sign="new"),
        revision(REACT, 3, seq, sign="newer"),
    )
    top = seq + MAX_REACTIONS
    assert codes(outcomes) == [ErrorCode.TOO_MANY, top + 1, top + 2, top + 3, ErrorCode.TOO_MANY]
    (message,) = rig.everything()
    assert sum(len(reaction.by) for reaction in message.reactions) == MAX_REACTIONS
    assert [reaction.sign for reaction in message.reactions] == [*map(str, range(7)), "new"]
    assert message.reactions[0].by[0] == 17, "the order of people is not that of their reactions"
    (last,) = rig.seqs(revision(REACT, 1001, seq, sign="6", sender_id=16))
    assert rig.everything() == [replace(message, changed=last)], "a reaction that is there already changed something"
    rig.close()


def check_revisions_are_like_drafts(implementation: Implementation) -> None:
    """One queue, one numbering with retries over restarts; no Unicode, no entry."""
    rig = Rig(implementation, Limits(append_queue=2))
    (seq,) = rig.seqs(rig.draft(1))
    edit, react = revision(EDIT, 2, seq, text="new", stream=7), revision(REACT, 2, seq, sign="+")
    first, twin = rig.append(edit, edit)
    assert [first, twin] == [Appended(seq + 1), Appended(seq + 1, retry=True)]
    rig.seqs(react)
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        again = rig.append(edit, react)
        assert again == [Appended(seq + 1, retry=True), Appended(seq + 2, retry=True)]
        assert codes(rig.append(replace(edit, client_id=1))) == [ErrorCode.OUT_OF_ORDER]
    assert len(page(rig, 0).changes) == 2, "a retry was stored"
    for bad in (replace(edit, text="\ud800"), replace(react, sign="\ud800"), replace(edit, name="\udfff")):
        try:
            rig.log.revise(bad, lambda _: None)
        except LocalProtocolError:
            continue
        raise AssertionError("a lone surrogate was taken")
    outcomes: list[object] = []
    rig.log.revise(revision(REACT, 3, seq, sign="a"), outcomes.append)
    rig.log.append(rig.draft(4), outcomes.append)
    try:
        rig.log.revise(revision(REACT, 5, seq, sign="b"), outcomes.append)
    except Overloaded:
        rig.until(lambda: len(outcomes) == 2)
    else:
        raise AssertionError("revisions have a queue of their own, without an end")
    rig.close()


def check_a_replaced_text_is_told_no_more(implementation: Implementation) -> None:
    """Of several edits only the last has a text, and none after a deletion, which also takes reactions and mentions."""
    rig = Rig(implementation)
    (seq,) = rig.seqs(replace(rig.draft(1, "one"), mentions=(2,)))
    rig.seqs(revision(EDIT, 2, seq, text="two", mentions=(3,)), revision(EDIT, 3, seq, text="three", mentions=(4,)))
    rig.seqs(revision(REACT, 4, seq, sign="+"))
    changes = page(rig, 0).changes
    assert [(c.text, c.mentions) for c in changes if isinstance(c, Edited)] == [(None, []), ("three", [4])]
    assert [len(rig.unread(who, ("lobby", 0))[0:1]) for who in (2, 3, 4)] == [1, 1, 1]
    assert [rig.unread(who, ("lobby", 0))[0].mentions for who in (2, 3, 4)] == [0, 0, 1]
    rig.seqs(revision(DELETE, 5, seq))
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        rows = page(rig, 0)
        assert [type(c) for c in rows.changes] == [Edited, Edited, Reacted, Deleted]
        assert all(c.text is None and not c.mentions for c in rows.changes if isinstance(c, Edited))
        message = rows.messages[0]
        assert (message.text, message.mentions, message.reactions, message.deleted) == ("", [], [], seq + 4)
        assert rig.unread(4, ("lobby", 0)) == [], "a deleted message is unread"
    rig.close()


# --- Reading ------------------------------------------------------------------------------------------------------


def _busy_talk(rig: Rig) -> None:
    """Some two hundred entries in a room, elsewhere and in dialogues: most messages change more than once."""
    rig.seqs(*(rig.draft(n, room="lobby" if n % 3 else "ops") for n in range(1, 31)), rig.draft(31, to=2))
    revisions: list[Revision] = []
    for n in range(32, 200):
        target = 1 + n * 7 % 30
        kind = (EDIT, REACT, REACT, UNREACT, REACT, DELETE if n % 5 == 0 else EDIT)[n % 6]
        room = "lobby" if target % 3 else "ops"
        revisions.append(revision(kind, n, target, room=room, text=f"text {n}", sign="abc"[n % 5 % 3]))
        if n == 120:
            rig.append(*revisions, *(rig.draft(n, sender_id=3, room="lobby") for n in range(1, 9)))
            revisions = []
    rig.append(*revisions, rig.draft(200, to=2))


def check_every_reader_ends_up_with_the_same(implementation: Implementation) -> None:
    """A reader of the feed, one of pages from any cursor, and one that comes late end up with the same messages."""
    rig = Rig(implementation)
    _busy_talk(rig)
    rig.restart()
    live = CopyReader()
    live.take(rig.entries)
    assert len({m.deleted is None for m in live.contents}) == 2, "this proves nothing"
    everywhere: dict[str, Any] = {"rooms": ("lobby", "ops"), "dialogues_of": 1}
    late = CopyReader()
    late.take(page(rig, **everywhere).messages)
    assert late.contents == live.contents, "who comes late sees something else"
    for cursor in (0, 1, 30, 31, 45, 46, 100, 150, len(rig.entries)):
        for limit in (1, 3, 200):
            reader = CopyReader()
            reader.take(entry for entry in rig.entries if entry.seq <= cursor)
            for span in _pull(rig, cursor, limit, **everywhere):
                reader.take(span)
            assert reader.contents == live.contents, f"who was away since {cursor} sees something else"
    rig.close()


def check_a_page_forward_is_a_span(implementation: Implementation) -> None:
    """Between two cursors come all messages and changes of the places asked for, each once, and no others."""
    rig = Rig(implementation)
    _busy_talk(rig)
    for rooms, limit in ((("lobby",), 2), (("ops", "lobby"), 5), (("ops",), 1)):
        expected = [entry.seq for entry in rig.entries if entry.room in rooms]
        pages = _pull(rig, 0, limit, rooms=rooms)
        assert [entry.seq for span in pages for entry in span] == expected
    (few,) = (page(rig, 0, limit=1),)
    assert few.messages[0].seq == 1
    assert few.changes == [], "the span ends with the last message"
    crowded = page(rig, 31, limit=2)
    assert (len(crowded.changes), crowded.messages, crowded.more) == (8, [], True), "a page of changes has an end"
    top = rig.entries[99].seq
    assert all(c.seq <= top for c in page(rig, 0, up_to=top).changes), "a change above up_to was told"
    assert page(rig, 40, before=60).changes == [c for c in page(rig, 40).changes if c.seq < 60]
    rig.close()


def check_floors_hide_what_is_below(implementation: Implementation) -> None:
    """Above its floor a room is read as always; of what is below neither messages nor changes are told."""
    rig = Rig(implementation)
    old, other, new = rig.seqs(rig.draft(1), rig.draft(2, room="ops"), rig.draft(3))
    rig.seqs(revision(EDIT, 4, old, text="hidden"), revision(EDIT, 5, new, text="seen"))
    floors = (("lobby", other), ("ops", 0), ("nowhere", 9))
    for after in (0, None):
        rows = page(rig, after, rooms=("lobby", "ops"), floors=floors)
        assert [m.seq for m in rows.messages] == [other, new]
        assert [c.target for c in rows.changes] == ([new] if after == 0 else [])
    assert page(rig, rooms=("lobby",), floors=(("lobby", new), ("lobby", 0))).messages == []
    assert [m.seq for m in page(rig, around=old, floors=floors).messages] == [new]
    rig.close()


def check_who_changed_a_message_is_told_unless_it_was_its_author(implementation: Implementation) -> None:
    """What a moderator wrote or took away is not told as the author's: live, in history and in every kind of page."""
    rig = Rig(implementation)
    own, others, gone, both = rig.seqs(*(rig.draft(n) for n in (1, 2, 3, 4)))
    mod = Person(9, "person 9")
    rig.seqs(
        revision(EDIT, 5, own, text="mine"),
        revision(EDIT, 1, others, sender_id=9, any_author=True, text="not mine"),
        revision(DELETE, 2, gone, sender_id=9, any_author=True),
        revision(EDIT, 3, both, sender_id=9, any_author=True, text="not mine"),
        revision(EDIT, 6, both, text="mine again"),
    )
    for rows in (page(rig), page(rig, 0), page(rig, around=own), page(rig, since_ms=MORNING_MS)):
        assert [(m.edited_by, m.deleted_by) for m in rows.messages] == [
            (None, None), (mod, None), (None, mod), (None, None)
        ]  # fmt: skip
    for seq, changed in ((own, (None, None)), (others, (mod, None)), (gone, (None, mod))):
        (listed,) = rig.conversations(ConversationQuery(1, (("lobby", 0),), seq, after=None)).rows
        assert listed.last is not None
        assert (listed.last.edited_by, listed.last.deleted_by) == changed, "a list of conversations tells it too"
    rig.record(EraseSender(9, remove=True, above=0))
    assert [(m.edited_by, m.deleted_by) for m in page(rig).messages][1:3] == [
        (Person(9, ""), None), (None, Person(9, ""))
    ], "the words of a deleted account passed for the author's"  # fmt: skip
    rig.close()


def check_pages_around_and_since(implementation: Implementation) -> None:
    """Half of a page before a seq and the rest from it on; and the page that begins at a time."""
    rig = Rig(implementation)
    for n in range(1, 41):
        rig.now_ms += 1000
        rig.seqs(rig.draft(n, room="ops" if n % 4 == 0 else "lobby"))
    lobby = [n for n in range(1, 41) if n % 4]

    def seqs(limit: int, **more: Any) -> tuple[list[int], bool]:
        rows = page(rig, limit=limit, **more)
        return [message.seq for message in rows.messages], rows.more

    for at in (0, 1, 7, 8, 20, 39, 40, 41, 99):
        for limit in (1, 2, 5, 200):
            before, rest = [n for n in lobby if n < at], [n for n in lobby if n >= at]
            half = limit // 2
            expected = (before[len(before) - min(half, len(before)) :] + rest[: limit - half], len(rest) > limit - half)
            assert seqs(limit, around=at) == expected, f"around {at}, {limit}"
    assert seqs(4, around=10, up_to=10) == ([7, 9, 10], False)
    for at_ms in (-5, 0, 1000, 7999, 8000, 8001, 20_500, 40_000, 40_001, 99_999):
        rest = [n for n in lobby if n * 1000 >= at_ms]
        assert seqs(3, since_ms=MORNING_MS + at_ms) == (rest[:3], len(rest) > 3), f"since {at_ms}"
    assert seqs(9, since_ms=MORNING_MS + 8000, up_to=10) == ([9, 10], False)
    assert seqs(9, since_ms=MORNING_MS, up_to=0) == ([], False)
    rig.record(PurgeExpired("lobby", MORNING_MS + 9_500))
    assert seqs(2, since_ms=MORNING_MS) == ([10, 11], True), "the search lost itself among what is deleted"
    rig.close()


CONVERSATION_CHECKS: tuple[Callable[[Implementation], None], ...] = (
    check_replies_and_mentions_are_kept,
    check_changes_are_entries_of_the_log,
    check_revisions_are_refused,
    check_reactions_have_an_end,
    check_revisions_are_like_drafts,
    check_a_replaced_text_is_told_no_more,
    check_every_reader_ends_up_with_the_same,
    check_a_page_forward_is_a_span,
    check_floors_hide_what_is_below,
    check_who_changed_a_message_is_told_unless_it_was_its_author,
    check_pages_around_and_since,
)
"""Every promise about conversations, one function each."""
