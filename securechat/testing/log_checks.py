"""The conformance suite of `MessageLog`.

Write an `Implementation` for your log and run every function of `LOG_CHECKS`, and of the other files' lists, over it::

    CHECKS = LOG_CHECKS + PEOPLE_CHECKS + CONVERSATION_CHECKS + ROOM_CHECKS + SEARCH_CHECKS + FILE_CHECKS


    @pytest.mark.parametrize("check", CHECKS)
    def test_my_log(check):
        check(MyImplementation())

A check opens the log as often as it needs (each time over the same data), plays the loop itself, waits for
conditions and never for time, and raises AssertionError with a sentence when a promise is broken.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from securechat.errors import ErrorCode, Overloaded
from securechat.hub.interfaces import MessageLog
from securechat.limits import Limits
from securechat.model import Draft, LogEntry, Message, Revision, RevisionKind
from securechat.records.accounts import KEY_DAYS, Change, Committed, PurgeMessageKeys
from securechat.records.log import Appended, AppendOutcome, Identity, LogState, NotAppended
from securechat.records.queries import (
    ConversationQuery,
    ConversationRows,
    HistoryQuery,
    HistoryRows,
    Unread,
    UnreadQuery,
    UnreadRows,
)
from securechat.records.rooms import PurgeExpired
from securechat.testing.acks import Ack, HistoryBroken, check_history

__all__ = [
    "LOG_CHECKS", "MORNING_MS", "PATIENCE_S", "Ack", "HistoryBroken", "Implementation", "Rig", "check_history",
    "naive_history",
]  # fmt: skip

PATIENCE_S = 20.0
"""The longest wait of a check for something that must happen: far beyond any honest disk."""
MORNING_MS = 1_700_000_000_000
"""The start of the checks' wall clock: any time will do."""


def naive_history(rows: Sequence[Message], query: HistoryQuery) -> HistoryRows:
    """Answer a query by looking at every row: the meaning of `HistoryQuery`, to hold clever code against."""

    def is_asked_for(row: Message) -> bool:
        if row.room is not None:
            return row.room in query.rooms
        people = {row.sender_id, row.to}
        return (query.dialogue is not None and people == set(query.dialogue)) or query.dialogues_of in people

    found = [row for row in rows if is_asked_for(row) and row.seq <= query.up_to]
    if query.after is not None:
        found = [row for row in found if row.seq > query.after]
    if query.before is not None:
        found = [row for row in found if row.seq < query.before]
    page = found[: query.limit] if query.after is not None else found[-query.limit :]
    return HistoryRows(page, len(found) > query.limit)


class Implementation(Protocol):
    """Makes logs for the suite. One object stands for one data directory, which outlives the processes on it."""

    def open(
        self, post: Callable[[Callable[[], None]], None], limits: Limits, wall_ms: Callable[[], int]
    ) -> MessageLog:
        """Make a log over the data; the suite starts it."""

    def kill(self, log: MessageLog) -> None:
        """End the log as ``kill -9`` would, as far as the data can tell, once all its work is done."""


class Rig:
    """A log under test, with the loop, clock and hub played by the suite.

    Attributes:
        events: what the log said, in order: ("done", outcome) and ("commit", messages).
        entries: everything that came through on_commit.
        feed: the messages among it.
        now_ms: the wall clock.
    """

    def __init__(self, implementation: Implementation, limits: Limits | None = None) -> None:
        self.implementation = implementation
        self.limits = limits or Limits()
        self.now_ms = MORNING_MS
        self.events: list[tuple[str, Any]] = []
        self.entries: list[LogEntry] = []
        self.feed: list[Message] = []
        self.failures: list[Exception] = []
        self.state = self.start()

    def start(self) -> LogState:
        """Open the log, again or for the first time."""
        self._posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.log = self.implementation.open(self._posted.put, self.limits, lambda: self.now_ms)
        self.state = self.log.start(self._on_commit, self.failures.append)
        return self.state

    def _on_commit(self, batch: Sequence[LogEntry]) -> None:
        self.events.append(("commit", list(batch)))
        self.entries.extend(batch)
        self.feed.extend(entry for entry in batch if isinstance(entry, Message))

    def until(self, condition: Callable[[], bool]) -> None:
        """Run what the log posted until the condition holds."""
        while not condition():
            try:
                self._posted.get(timeout=PATIENCE_S)()
            except queue.Empty:
                raise AssertionError("the log owes an answer and does not give it") from None

    def close(self) -> None:
        """Close, and run what closing posted."""
        self.log.close()
        with suppress(queue.Empty):
            while True:
                self._posted.get_nowait()()

    def restart(self, *, kill: bool = False) -> LogState:
        """Close, or kill, and open again."""
        if kill:
            self.implementation.kill(self.log)
        else:
            self.close()
        return self.start()

    def draft(
        self,
        client_id: int,
        text: str = "",
        *,
        sender_id: int = 1,
        room: str | None = "lobby",
        to: int | None = None,
        stream: int = 0,
    ) -> Draft:
        """A draft with a name and text made from its numbers."""
        text = text or f"{sender_id}/{client_id}"
        name = f"person {sender_id}"
        if to is not None:
            return Draft(sender_id, name, client_id, text, to=to, to_name=f"person {to}", stream=stream)
        return Draft(sender_id, name, client_id, text, room=room, stream=stream)

    def append(self, *writes: Draft | Revision) -> list[AppendOutcome]:
        """Append drafts and revisions all at once; return the outcomes, in order."""
        outcomes: dict[int, AppendOutcome] = {}
        for number, write in enumerate(writes):
            done: Callable[[AppendOutcome], None] = partial(self._done, outcomes, number)
            if isinstance(write, Draft):
                self.log.append(write, done)
            else:
                self.log.revise(write, done)
        self.until(lambda: len(outcomes) == len(writes))
        return [outcomes[number] for number in range(len(writes))]

    def _done(self, outcomes: dict[int, AppendOutcome], number: int, outcome: AppendOutcome) -> None:
        assert number not in outcomes, "done was called twice"
        outcomes[number] = outcome
        self.events.append(("done", outcome))

    def seqs(self, *writes: Draft | Revision) -> list[int]:
        """Append, and insist on success."""
        outcomes = self.append(*writes)
        assert all(isinstance(outcome, Appended) for outcome in outcomes), f"not appended: {outcomes}"
        return [outcome.seq for outcome in outcomes if isinstance(outcome, Appended)]

    def come(
        self, who: int, name: str | None = None, account: int | None = None, changes: Sequence[Change] = ()
    ) -> Identity | NotAppended:
        """Present the secret of person or device ``who``, whose hash is made from the number; return the answer."""
        answers: list[Identity | NotAppended] = []
        name = name or f"person {who}"
        self.log.identify(bytes([who]) * 32, name, name, answers.append, account, changes)
        self.until(lambda: bool(answers))
        return answers[0]

    def identify(self, who: int, name: str | None = None, account: int | None = None) -> Identity:
        """Present a secret, and insist on being let in."""
        answer = self.come(who, name, account)
        assert isinstance(answer, Identity), f"not identified: {answer}"
        return answer

    def record(self, *changes: Change) -> Committed:
        """Make changes, all in one record, and insist on success."""
        answers: list[Committed | NotAppended] = []
        self.log.record(changes, answers.append)
        self.until(lambda: bool(answers))
        assert isinstance(answers[0], Committed), f"not recorded: {answers[0]}"
        return answers[0]

    def history(self, query: HistoryQuery) -> HistoryRows:
        """Read, and insist on success."""
        answers: list[HistoryRows | NotAppended] = []
        self.log.history(query, answers.append)
        self.until(lambda: bool(answers))
        assert isinstance(answers[0], HistoryRows), f"not read: {answers[0]}"
        return answers[0]

    def unread(self, sender_id: int, *rooms: tuple[str, int], up_to: int = 2**53) -> list[Unread]:
        """Count all unread messages of a reader, and insist on success."""
        rows = self.unread_rows(UnreadQuery(sender_id, rooms, up_to))
        assert rows.through is None, f"this is not all: {rows}"
        return rows.rows

    def unread_rows(self, query: UnreadQuery) -> UnreadRows:
        """Count unread messages of a reader, and insist on success."""
        answers: list[UnreadRows | NotAppended] = []
        self.log.unread(query, answers.append)
        self.until(lambda: bool(answers))
        assert isinstance(answers[0], UnreadRows), f"not counted: {answers[0]}"
        return answers[0]

    def conversations(self, query: ConversationQuery) -> ConversationRows:
        """List conversations of a reader, and insist on success."""
        answers: list[ConversationRows | NotAppended] = []
        self.log.conversations(query, answers.append)
        self.until(lambda: bool(answers))
        assert isinstance(answers[0], ConversationRows), f"not listed: {answers[0]}"
        return answers[0]

    def everything(self, *rooms: str) -> list[Message]:
        """Every message of the rooms (the lobby by default), page by page."""
        rows: list[Message] = []
        while True:
            after = rows[-1].seq if rows else 0
            page = self.history(HistoryQuery(up_to=2**53, limit=200, rooms=rooms or ("lobby",), after=after))
            rows += page.messages
            if not page.more:
                return rows


# --- The checks ---------------------------------------------------------------------------------------------------


def check_done_comes_before_the_feed(implementation: Implementation) -> None:
    """Every draft is acknowledged before the on_commit that contains it, and the feed is in order."""
    rig = Rig(implementation)
    seqs = rig.seqs(*(rig.draft(n) for n in range(1, 601)))
    rig.until(lambda: len(rig.feed) == len(seqs))
    assert seqs == sorted(set(seqs)), "acknowledged seqs do not rise in the order of appending"
    assert [message.seq for message in rig.feed] == seqs, "the feed is not what was acknowledged"
    acked: set[int] = set()
    for kind, what in rig.events:
        if kind == "done":
            acked.add(what.seq)
        else:
            assert {message.seq for message in what} <= acked, "the feed came before its acks"
            acked -= {message.seq for message in what}
    assert not acked
    rig.close()


def check_messages_are_as_sent(implementation: Implementation) -> None:
    """Text survives whole, whatever is in it, in the feed and in history."""
    rig = Rig(implementation)
    texts = [
        "a\0b", "\0", "\x1b[31m", "line\nline\r\n", "\u202etxt", "\U0001f600" * 4000, "'\"\\;--", "\u2028\ufffe", " ",
    ]  # fmt: skip
    rig.seqs(*(rig.draft(n, text) for n, text in enumerate(texts, 1)))
    rig.until(lambda: len(rig.feed) == len(texts))
    assert [message.text for message in rig.feed] == texts
    assert rig.everything() == rig.feed, "history differs from the feed"
    rig.restart()
    assert rig.everything() == rig.feed, "history differs from the feed after a restart"
    rig.close()


def check_chains_have_no_break(implementation: Implementation) -> None:
    """``prev`` is the message before it in the same room or dialogue, over restarts too."""
    rig = Rig(implementation)
    for turn in range(3):
        n = turn * 2 + 1
        drafts = [
            *(rig.draft(n, sender_id=who, room=room) for who, room in ((1, "lobby"), (2, "ops"), (3, "lobby"))),
            rig.draft(n + 1, "to two", sender_id=1, to=2),
            rig.draft(n + 1, "to one", sender_id=2, to=1),
            rig.draft(n + 1, "to myself", sender_id=3, to=3),
        ]
        last_seq = max(rig.seqs(*drafts))
        rig.until(lambda last_seq=last_seq: rig.feed[-1:] != [] and rig.feed[-1].seq == last_seq)  # type: ignore[misc]
        assert rig.restart(kill=turn == 1).last_seq == last_seq, "the log forgot where it ends"
    check_history([], rig.feed, unique_texts=False)
    query = HistoryQuery(up_to=2**53, limit=200, rooms=("lobby", "ops"), dialogues_of=1, dialogue=(3, 3))
    assert rig.history(query).messages == rig.feed, "history differs from the feed"
    rig.close()


def check_retries_get_the_first_seq(implementation: Implementation) -> None:
    """A repeated draft stores nothing and gets the first seq: in one batch, later, after a restart, after a kill."""
    rig = Rig(implementation)
    first, twin = rig.append(rig.draft(1), rig.draft(1))
    assert isinstance(first, Appended)
    assert not first.retry
    assert twin == Appended(first.seq, retry=True), f"a twin in the same batch got {twin}"
    rig.seqs(rig.draft(2), rig.draft(5))
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        (again,) = rig.append(rig.draft(1))
        assert again == Appended(first.seq, retry=True), f"a retry got {again}"
    assert len(rig.everything()) == 3, "a retry was stored"
    rig.close()


def check_what_is_known_only_is_never_stored(implementation: Implementation) -> None:
    """It is answered as the retry of an earlier copy, or as not found; the disk has no part in it."""
    rig = Rig(implementation)
    first, third = rig.seqs(rig.draft(1), rig.draft(3))
    for restart in (False, True):
        if restart:
            rig.restart()
        probes = [replace(rig.draft(number, "nobody looks at this"), known_only=True) for number in (1, 2, 3, 4)]
        outcomes = rig.append(*probes)
        assert outcomes[0] == Appended(first, retry=True)
        assert outcomes[2] == Appended(third, retry=True)
        codes = [outcome.code for outcome in outcomes if isinstance(outcome, NotAppended)]
        assert codes == [ErrorCode.OUT_OF_ORDER, ErrorCode.NOT_FOUND]
    assert len(rig.everything()) == 2, "it was stored"
    assert rig.append(rig.draft(4)) == [Appended(third + 1)], "it took a number"
    rig.close()


def check_a_key_is_one_message(implementation: Implementation) -> None:
    """A sender's key stands for the message that had it first, on each device and with each number."""
    rig = Rig(implementation)
    first, twin = rig.append(_keyed(rig, 2), _keyed(rig, 3, stream=7))
    assert isinstance(first, Appended)
    assert twin == Appended(first.seq, retry=True), f"a twin in the same batch got {twin}"
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        low, known = _keyed(rig, 1), _keyed(rig, 4, known_only=True)
        same = rig.append(_keyed(rig, 3), _keyed(rig, 1, stream=9), known, low)
        assert same == [Appended(first.seq, retry=True)] * 4, f"the same key got {same}"
        others = _keyed(rig, 5, "another"), _keyed(rig, 6, room="den"), _keyed(rig, 7, reply=1)
        hidden = _keyed(rig, 8, "another", known_only=True), _keyed(rig, 9, room="den", known_only=True)
        codes = [outcome.code for outcome in rig.append(*others, *hidden) if isinstance(outcome, NotAppended)]
        assert codes == [ErrorCode.KEY_USED] * 5, f"the key of another message got {codes}"
    assert len(rig.everything()) == 1, "a message with a known key was stored"
    rig.seqs(replace(rig.draft(1, "alert", sender_id=2), key="k"), rig.draft(10, "alert"))
    assert len(rig.everything()) == 3, "the key of another sender, and no key"
    rig.close()


def check_only_what_is_stored_is_acknowledged_by_its_key(implementation: Implementation) -> None:
    """Once a message was changed, or is gone, nothing tells whether another one with its key says the same."""
    rig = Rig(implementation)
    edit = Revision(RevisionKind.EDIT, 1, "p1", 2, 1, room="lobby", text="over")
    rig.seqs(_keyed(rig, 1))
    for again in (False, True):
        if again:
            rig.restart()
        outcomes = rig.append(
            *([] if again else [edit]), _keyed(rig, 3), _keyed(rig, 4, "over"), _keyed(rig, 5, room="x")
        )
        codes = [outcome.code for outcome in outcomes if isinstance(outcome, NotAppended)]
        assert codes == [ErrorCode.KEY_USED] * 3, f"the key of a changed message got {outcomes}"
    (gone,) = rig.seqs(replace(_keyed(rig, 6), key="gone"))
    rig.record(PurgeExpired("lobby", rig.now_ms + 1))
    (outcome,) = rig.append(replace(_keyed(rig, 7), key="gone"))
    assert isinstance(outcome, NotAppended), f"message {gone} is gone, and was acknowledged"
    rig.close()


def check_a_key_ends_after_thirty_days(implementation: Implementation) -> None:
    """By its age alone, whether it was purged or not; sending it again does not prolong its time."""
    rig = Rig(implementation)
    first, other = rig.seqs(_keyed(rig, 1), replace(_keyed(rig, 2), key="other"))
    rig.now_ms += KEY_DAYS * 86_400_000
    assert rig.append(_keyed(rig, 3)) == [Appended(first, retry=True)]
    rig.now_ms += 1
    fresh, twin = rig.append(_keyed(rig, 4, "another"), _keyed(rig, 5, "another"))
    assert fresh == Appended(other + 1), f"a key that is over got {fresh}"
    assert twin == Appended(other + 1, retry=True)
    assert rig.record(PurgeMessageKeys(MORNING_MS, most=9)) == Committed(0)
    assert rig.record(PurgeMessageKeys(rig.now_ms, most=9)) == Committed(1), "the other one: the first gave way"
    assert rig.record(PurgeMessageKeys(rig.now_ms + 1, most=9)) == Committed(1)
    rig.close()


def _keyed(rig: Rig, number: int, text: str = "alert", **fields: Any) -> Draft:
    return replace(rig.draft(number, text), key="k", **fields)


def check_old_numbers_are_out_of_order(implementation: Implementation) -> None:
    """A number below the stream's highest that was never stored is refused, and other senders are not concerned."""
    rig = Rig(implementation)
    rig.seqs(rig.draft(3))
    for restart in (False, True):
        if restart:
            rig.restart()
        (outcome,) = rig.append(rig.draft(2))
        assert isinstance(outcome, NotAppended)
        assert outcome.code is ErrorCode.OUT_OF_ORDER
    rig.seqs(rig.draft(2, sender_id=2), rig.draft(4))
    assert [message.text for message in rig.everything()] == ["1/3", "2/2", "1/4"]
    rig.close()


def check_same_secret_is_same_sender(implementation: Implementation) -> None:
    """An identity is stable over names and restarts, and knows its last client_id."""
    rig = Rig(implementation)
    one, two = rig.identify(1), rig.identify(2)
    assert one.sender_id >= 1
    assert one.sender_id != two.sender_id
    assert one.last_client_id == 0
    rig.seqs(rig.draft(7, sender_id=one.sender_id))
    for kill in (False, True):
        rig.restart(kill=kill)
        assert rig.identify(1, "another name") == Identity(one.sender_id, 7, one.sender_id)
        assert rig.identify(2) == two
    assert rig.identify(3).sender_id not in {one.sender_id, two.sender_id}
    rig.close()


def check_names_stay_reserved(implementation: Implementation) -> None:
    """Lost names are owed for name_reservation_s, over restarts; a quit frees at once; a kill is a loss at opening."""
    rig = Rig(implementation)
    lost, gone, online = (rig.identify(who).sender_id for who in (1, 2, 3))
    rig.log.release(lost, reserved=True)
    rig.log.release(gone, reserved=False)
    rig.log.rename(online, "new name", "new key")
    rig.identify(4)  # an answer: everything before it is durable
    rig.now_ms += 50_000
    state = rig.restart(kill=True)
    held = {r.sender_id: r for r in state.reservations}
    assert gone not in held, "a quit left its name reserved"
    assert held[lost].lost_at_ms == MORNING_MS
    assert (held[lost].name, held[lost].secret_hash) == ("person 1", bytes([1]) * 32)
    assert (held[online].name, held[online].key) == ("new name", "new key")
    assert held[online].lost_at_ms == MORNING_MS + 50_000, "who was online at a kill is lost at the opening"
    rig.now_ms += 80_000
    held = {r.sender_id: r for r in rig.restart(kill=True).reservations}
    assert lost not in held, "a reservation outlived its time"
    assert held[online].lost_at_ms == MORNING_MS + 50_000, "the loss was not recorded at the first opening"
    rig.identify(3, "new name")
    rig.now_ms += 500_000
    held = {r.sender_id: r for r in rig.restart(kill=True).reservations}
    assert list(held) == [online], "who came back is online, and so lost only now"
    rig.close()


def check_history_stops_at_up_to(implementation: Implementation) -> None:
    """Never a message above ``up_to``; pages join up in both directions; ``more`` tells the truth."""
    rig = Rig(implementation)
    rig.seqs(*(rig.draft(n, room="ab"[n % 2]) for n in range(1, 41)))
    rig.until(lambda: len(rig.feed) == 40)
    top = rig.feed[29].seq
    for limit in (1, 7, 30, 200):
        up: list[Message] = []
        down: list[Message] = []
        for rows, forward in ((up, True), (down, False)):
            more = True
            while more:
                edge = (rows[-1 if forward else 0].seq) if rows else None
                query = HistoryQuery(
                    up_to=top, limit=limit, rooms=("a", "b"), after=(edge or 0) if forward else None,
                    before=None if forward else edge,
                )  # fmt: skip
                page = rig.history(query)
                assert page == naive_history(rig.feed, query)
                rows[len(rows) if forward else 0 : len(rows) if forward else 0] = page.messages
                more = page.more
        assert up == down == rig.feed[:30], "pages do not join up"
    assert rig.history(HistoryQuery(up_to=top, limit=5, rooms=("nowhere",))) == HistoryRows([], more=False)
    assert rig.history(HistoryQuery(up_to=top, limit=5)) == HistoryRows([], more=False)
    rig.close()


def check_overload_refuses_drafts_only(implementation: Implementation) -> None:
    """A full append queue raises Overloaded; people still come and go; afterwards there is room again."""
    rig = Rig(implementation, Limits(append_queue=4))
    outcomes: list[AppendOutcome] = []
    for n in range(1, 5):
        rig.log.append(rig.draft(n), outcomes.append)
    try:
        rig.log.append(rig.draft(5), outcomes.append)
    except Overloaded:
        pass
    else:
        raise AssertionError("the append queue has no end")
    rig.log.release(rig.identify(1).sender_id, reserved=True)
    rig.until(lambda: len(outcomes) == 4)
    rig.seqs(rig.draft(5))
    rig.close()


def check_time_never_goes_back(implementation: Implementation) -> None:
    """``sent_at_ms`` follows the wall clock but never decreases by seq, over restarts too."""
    rig = Rig(implementation)
    for n, step_ms in enumerate((0, 1000, -5000, 0, 9000), 1):
        rig.now_ms += step_ms
        rig.seqs(rig.draft(n))
        if n == 3:
            rig.restart()
    stamps = [message.sent_at_ms - MORNING_MS for message in rig.everything()]
    assert stamps == [0, 1000, 1000, 1000, 5000], stamps
    rig.close()


def check_close_commits_what_is_queued(implementation: Implementation) -> None:
    """Drafts appended before close are stored afterwards, and closing twice does no harm."""
    rig = Rig(implementation)
    outcomes: list[AppendOutcome] = []
    for n in range(1, 601):
        rig.log.append(rig.draft(n), outcomes.append)
    rig.close()
    rig.log.close()
    assert len(outcomes) == len(rig.feed) == 600
    rig.start()
    assert len(rig.everything()) == 600
    rig.close()


LOG_CHECKS: tuple[Callable[[Implementation], None], ...] = (
    check_done_comes_before_the_feed,
    check_messages_are_as_sent,
    check_chains_have_no_break,
    check_retries_get_the_first_seq,
    check_what_is_known_only_is_never_stored,
    check_a_key_is_one_message,
    check_only_what_is_stored_is_acknowledged_by_its_key,
    check_a_key_ends_after_thirty_days,
    check_old_numbers_are_out_of_order,
    check_same_secret_is_same_sender,
    check_names_stay_reserved,
    check_history_stops_at_up_to,
    check_overload_refuses_drafts_only,
    check_time_never_goes_back,
    check_close_commits_what_is_queued,
)
"""Every promise of the port, one function each."""
