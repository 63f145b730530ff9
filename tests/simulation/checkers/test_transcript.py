"""A transcript has nothing to say about a log that does what it should, and something about every one that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from securechat.limits import Limits
from securechat.model import Draft, Edited, Message, Reaction, Revision, RevisionKind
from securechat.records.accounts import Account, Drop, EraseSender, Put
from securechat.records.log import Appended, NotAppended
from securechat.records.rooms import PurgeExpired, PutReadMarker, PutRoom, RoomRecord
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import NO_MESSAGE, ApplyChanges, CommitResult, StoreWrite
from securechat.testing.log_checks import HistoryBroken
from securechat.testing.memory_store import MemoryStore
from tests.simulation.checkers.stored import stored
from tests.simulation.checkers.transcript import Transcript
from tests.simulation.checkers.watched_store import WatchedStore
from tests.unit.storage.test_model import Chance, note_places

EDIT, DELETE, REACT, UNREACT = RevisionKind
NOW_MS = 1_700_000_000_000


class Bench:
    """A memory store under watch, with whatever is done to it behind the watcher's back."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self.memory = MemoryStore(Limits(), wall_ms=lambda: NOW_MS)
        self.store = WatchedStore(self.memory, self.transcript)
        self.store.open()

    def do(self, *writes: StoreWrite) -> CommitResult:
        return self.store.apply(writes)

    @property
    def messages(self) -> dict[int, Message]:
        return self.memory._talk.messages


@pytest.fixture
def bench() -> Bench:
    """Two messages in the lobby, the first edited; one in a dialogue, with a reaction; and something read."""
    bench = Bench()
    bench.do(
        draft(1, "one"),
        draft(2, "two"),
        draft(3, "three", room=None, to=2, to_name="bob"),
        revision(EDIT, 4, 1, text="mended"),
        revision(REACT, 5, 3, room=None, to=2, sign="+"),
        ApplyChanges((PutRoom(RoomRecord(9, "lobby")), PutReadMarker(1, 2, "lobby"))),
    )
    return bench


def draft(client_id: int, text: str, **more: Any) -> Draft:
    return Draft(1, "ann", client_id, text, **({"room": "lobby"} | more))


def revision(kind: RevisionKind, client_id: int, target: int, **more: Any) -> Revision:
    return Revision(kind, more.pop("sender_id", 1), "ann", client_id, target, **({"room": "lobby"} | more))


# --- Nothing to complain of -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_it_agrees_with_a_good_log(tmp_path: Path, kind: str, seed: int) -> None:
    chance, limits, transcript = Chance(seed), Limits(), Transcript()
    memory = MemoryStore(limits, wall_ms=lambda: chance.now_ms)
    places: dict[int, Any] = {}

    def opened() -> WatchedStore:
        sqlite = SqliteStore(tmp_path / "log", limits, wall_ms=lambda: chance.now_ms)
        store = WatchedStore(memory if kind == "memory" else sqlite, transcript)
        store.open()
        return store

    store = opened()
    for turn in range(120):
        chance.now_ms += chance.rng.choice((0, 10, 500))
        applied = store.apply([chance.write(places) for _ in range(chance.rng.randint(1, 6))])
        note_places(places, applied.fresh)
        chance.last_seq = transcript.last_seq
        if turn % 40 == 39:
            store.close(failed=chance.rng.random() < 0.5)
            store = opened()
    transcript.check_end(stored(store.store))
    assert len(transcript.said) > 50
    store.close()


def test_what_was_committed_unseen_is_learned_when_the_log_is_opened(bench: Bench) -> None:
    bench.memory.apply(
        [draft(6, "nobody was told"), revision(EDIT, 7, 2, text="in vain"), revision(EDIT, 8, 2, text="so")]
    )
    bench.store.open()
    bench.transcript.check_copy(bench.messages[6])
    bench.transcript.check_copy(bench.messages[2])
    assert bench.do(draft(9, "and on it goes")).outcomes == [Appended(9)]


def test_what_may_vanish_may_vanish(bench: Bench) -> None:
    bench.do(
        ApplyChanges((PurgeExpired("lobby", NOW_MS + 1),)), ApplyChanges((EraseSender(1, True, 0), Drop(Account, 1)))
    )
    bench.store.open()
    bench.transcript.check_end(stored(bench.memory))
    assert not bench.messages


# --- Complaints -------------------------------------------------------------------------------------------------------


def lose_a_message(bench: Bench) -> None:
    del bench.messages[2]


def lose_a_change(bench: Bench) -> None:
    bench.memory._talk.changes.pop()


def make_up_a_message(bench: Bench) -> None:
    bench.messages[5] = replace(bench.messages[2], seq=5)


def change_a_text(bench: Bench) -> None:
    bench.messages[2] = replace(bench.messages[2], text="never said")


def undo_an_edit(bench: Bench) -> None:
    bench.messages[1] = replace(bench.messages[1], text="one", edited=None)


def lose_a_reaction(bench: Bench) -> None:
    bench.messages[3] = replace(bench.messages[3], reactions=[])


def take_a_name_away(bench: Bench) -> None:
    bench.messages[2] = replace(bench.messages[2], name="")


def move_to_another_room(bench: Bench) -> None:
    bench.messages[2] = replace(bench.messages[2], room="ops")


def forget_a_retry(bench: Bench) -> None:
    del bench.memory._talk.seqs[1, 2]


def forget_what_was_read(bench: Bench) -> None:
    bench.memory._talk._reads.clear()


TAMPERINGS = [
    lose_a_message, lose_a_change, make_up_a_message, change_a_text, undo_an_edit, lose_a_reaction, take_a_name_away,
    move_to_another_room, forget_a_retry, forget_what_was_read,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_it_complains_when_the_log_opens_with_something_else(bench: Bench, tamper: Callable[[Bench], None]) -> None:
    bench.store.open()
    tamper(bench)
    with pytest.raises(HistoryBroken):
        bench.store.open()


def lies() -> Iterator[tuple[str, list[StoreWrite], Callable[[CommitResult], CommitResult]]]:
    """What a log is asked, and how its answer is falsified."""
    say = [draft(6, "six")]
    yield "another text", say, lambda a: fresh(a, text="sex")
    yield "another seq", say, lambda a: CommitResult([Appended(9)], a.fresh)
    yield "a seq again", say, lambda a: CommitResult([Appended(5)], [replace(a.fresh[0], seq=5)])
    yield "a gap in the chain", say, lambda a: fresh(a, prev=1)
    yield "another room", say, lambda a: fresh(a, room="ops")
    yield "another author", say, lambda a: fresh(a, sender_id=2)
    yield "time that goes back", say, lambda a: fresh(a, sent_at_ms=NOW_MS - 1)
    yield "an answer to nothing", say, lambda a: fresh(a, reply=2)
    yield "an entry too many", say, lambda a: CommitResult(a.outcomes, [*a.fresh, replace(a.fresh[0], seq=7)])
    yield "a retry that was none", say, lambda a: CommitResult([Appended(2, retry=True)], [])
    yield "a retry stored again", [draft(2, "two")], lambda _: CommitResult([Appended(6)], [made(6, "two")])
    edit = [revision(EDIT, 6, 2, text="edited")]
    yield "another change", edit, lambda a: fresh(a, text="changed")
    yield "a change of another message", edit, lambda a: fresh(a, target=1)
    yield "there, and not found", edit, lambda _: CommitResult([NO_MESSAGE], [])
    theirs = [revision(EDIT, 6, 2, text="edited", sender_id=2)]
    yield (
        "somebody else's",
        theirs,
        lambda _: CommitResult([Appended(6)], [Edited(6, 2, 2, "ann", NOW_MS, "lobby", text="edited")]),
    )
    react = [revision(REACT, 6, 2, sign="+")]
    yield "the contrary", react, lambda a: fresh(a, on=False)


def fresh(applied: CommitResult, **changes: Any) -> CommitResult:
    return CommitResult(applied.outcomes, [replace(applied.fresh[0], **changes)])


def made(seq: int, text: str) -> Message:
    return Message(seq, 2, 1, "ann", NOW_MS, text, "lobby")


@pytest.mark.parametrize(("writes", "falsify"), [pytest.param(*rest, id=name) for name, *rest in lies()])
def test_it_complains_about_a_commit_that_is_not_what_was_asked(
    bench: Bench, writes: list[StoreWrite], falsify: Callable[[CommitResult], CommitResult]
) -> None:
    applied = bench.memory.apply(writes)
    with pytest.raises(HistoryBroken):
        bench.transcript.applied(writes, falsify(applied))


def test_what_is_refused_for_a_reason_that_holds_is_refused(bench: Bench) -> None:
    for asked in (revision(EDIT, 6, 77), revision(EDIT, 6, 2, sender_id=2), revision(DELETE, 6, 2, room="ops")):
        (outcome,) = bench.do(asked).outcomes
        assert isinstance(outcome, NotAppended)


def test_a_copy_must_be_a_state_and_none_from_before_an_acknowledgement(bench: Bench) -> None:
    transcript, now = bench.transcript, bench.messages[1]
    before = replace(now, text="one", edited=None, changed=None)
    transcript.check_copy(now, floor_seq=4)
    transcript.check_copy(before, floor_seq=3)
    with pytest.raises(HistoryBroken):
        transcript.check_copy(before, floor_seq=4)
    for wrong in (replace(now, text="else"), replace(now, seq=9), replace(now, reactions=[Reaction("+", [1])])):
        with pytest.raises(HistoryBroken):
            transcript.check_copy(wrong)


def test_a_room_is_the_same_under_every_name_it_had(bench: Bench) -> None:
    bench.do(ApplyChanges((Put(Account(1, "ann", "ann")), PutRoom(RoomRecord(9, "hall")))))
    transcript = bench.transcript
    transcript.check_copy(replace(bench.messages[2], room="lobby"))
    transcript.check_copy(replace(bench.messages[2], room="hall"))
    with pytest.raises(HistoryBroken):
        transcript.check_copy(replace(bench.messages[2], room="ops"))
    assert transcript.read_marks_of(1) == {"hall": 2}
