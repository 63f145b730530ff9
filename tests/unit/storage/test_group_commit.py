"""What becomes of a batch when the disk is low, full, or back again."""

from securechat.errors import ErrorCode
from securechat.limits import Limits
from securechat.model import Draft
from securechat.records.accounts import AuditEntry, Committed, WriteAudit
from securechat.records.log import Appended, Identity
from securechat.storage.conditions import SILENT_S, DiskCondition
from securechat.storage.group_commit import (
    FUTURE_MS,
    IDLE_LOOK_EVERY_S,
    LOOK_EVERY_S,
    LOW_FACTOR,
    GroupCommitter,
)
from securechat.storage.store import (
    DISK_FULL,
    NO_ENTRY,
    NOT_RECORDED,
    ApplyChanges,
    DiskFull,
    IdentifySender,
    ReleaseName,
    RenameSender,
)
from securechat.testing.memory_store import MemoryStore

LIMITS = Limits(low_disk_bytes=1_000_000)


def say(number):
    return Draft(1, "ann", number, "x", "lobby")


class Bench:
    def __init__(self):
        self.free_bytes, self.now_s, self.looks = 10_000_000, 0.0, 0
        self.full = 0  # how many applies find no space
        self.store = MemoryStore(LIMITS, wall_ms=lambda: 7)
        self.store.fault = self.fault
        self.told = []
        self.committer = GroupCommitter(
            self.store, LIMITS, self.look, lambda: self.now_s, report=lambda *said: self.told.append(said)
        )

    def look(self):
        self.looks += 1
        return self.free_bytes

    def fault(self, when):
        if when == "apply" and self.full:
            self.full -= 1
            raise DiskFull

    def commit(self, *writes):
        return [outcome for _, outcome in self.committer.commit([(write, print) for write in writes]).answers]


def test_low_space_refuses_fresh_drafts_up_front_and_only_those():
    bench = Bench()
    assert bench.commit(say(1)) == [Appended(1)]
    bench.free_bytes, bench.now_s = 999_999, LOOK_EVERY_S
    assert bench.commit(say(1), say(2), IdentifySender(b"s", "a", "a")) == [
        Appended(1, retry=True), DISK_FULL, Identity(1, 1, 1),
    ]  # fmt: skip
    bench.free_bytes, bench.now_s = 1_000_000, 2 * LOOK_EVERY_S
    assert bench.commit(say(2)) == [Appended(2)]


def test_free_space_is_asked_for_once_a_second():
    bench = Bench()
    for tenth in range(21):
        bench.now_s = tenth / 10
        bench.commit(say(tenth + 1))
    assert bench.looks == 3


def test_a_batch_without_space_is_tried_again_without_its_drafts():
    bench = Bench()
    bench.full = 1
    assert bench.commit(say(1), IdentifySender(b"s", "a", "a")) == [DISK_FULL, Identity(1, 0, 1)]
    assert bench.commit(say(1)) == [Appended(1)]


def test_names_changed_without_any_space_are_owed_in_order():
    bench = Bench()
    bench.commit(IdentifySender(b"s", "ann", "ann"), IdentifySender(b"t", "bob", "bob"), say(1))
    bench.full = 2
    outcomes = bench.commit(
        say(1), say(2), IdentifySender(b"u", "c", "c"), RenameSender(1, "anna", "anna"), ReleaseName(2, reserved=True)
    )
    assert outcomes == [Appended(1, retry=True), DISK_FULL, NO_ENTRY, None, None]
    bench.full = 2
    bench.commit(RenameSender(1, "annie", "annie"))
    bench.committer.settle()
    state = bench.store.open()
    assert [(r.name, r.lost_at_ms) for r in state.reservations] == [("annie", 7), ("bob", 7)]


def test_what_was_owed_comes_before_a_new_login():
    bench = Bench()
    bench.commit(IdentifySender(b"s", "ann", "ann"))
    bench.full = 2
    bench.commit(ReleaseName(1, reserved=False))
    bench.commit(IdentifySender(b"s", "ann", "ann"))
    assert [r.name for r in bench.store.open().reservations] == ["ann"], "an old release undid a new login"


def test_a_record_without_any_space_is_refused_and_never_owed():
    bench = Bench()
    bench.full = 2
    record = ApplyChanges((WriteAudit(AuditEntry(1, "ann", "ban", "bob")),))
    assert bench.commit(record) == [NOT_RECORDED]
    bench.commit(say(1))
    assert bench.store.audit(9) == []
    bench.full = 1
    assert bench.commit(say(2), record) == [DISK_FULL, Committed()]
    assert len(bench.store.audit(9)) == 1


def test_every_done_comes_before_the_feed_which_may_have_nothing_new():
    bench, said = Bench(), []
    entries = [(say(n), lambda outcome: said.append(outcome.seq)) for n in (1, 2)]
    bench.committer.commit(entries).deliver(lambda batch: said.append([m.seq for m in batch]))
    assert said == [1, 2, [1, 2]]
    bench.committer.commit(entries).deliver(lambda batch: said.append([m.seq for m in batch]))
    assert said == [1, 2, [1, 2], 1, 2, []]  # retries: what holds until a batch is told ends here all the same


def test_the_refusal_says_what_to_do():
    assert DISK_FULL.code is ErrorCode.DISK_FULL
    assert "again" in DISK_FULL.text


def test_a_flood_of_long_drafts_is_looked_after_more_often_than_once_a_second():
    looks = []

    def free_bytes():
        looks.append(100_000_000 if len(looks) < 2 else 0)
        return looks[-1]

    store = MemoryStore()
    store.open()
    committer = GroupCommitter(
        store, Limits(low_disk_bytes=1_000_000), free_bytes, lambda: 5.0
    )  # the clock stands still
    outcomes = []
    for number in range(1, 40):
        committer.commit([(Draft(1, "n", number, "x" * 4000, room="r"), outcomes.append)]).deliver(lambda _: None)
    assert 3 <= len(looks) < 10
    assert outcomes[0] == Appended(1)
    assert outcomes[-1] is DISK_FULL


def test_messages_from_the_future_are_told_until_the_clock_has_passed_them():
    told, now_ms = [], 1_000_000_000_000
    store = MemoryStore(LIMITS)
    committer = GroupCommitter(
        store, LIMITS, lambda: 10_000_000, lambda: 0.0, report=lambda *said: told.append(said), wall_ms=lambda: now_ms
    )
    type(store).newest_at_ms, kept = 1_000_000_000_000 + 2 * FUTURE_MS, type(store).newest_at_ms
    try:
        committer.look_at_times()
        committer.look_at_times()
        assert [began for _, began in told] == [True]
        assert "10 min" in told[0][0]
        assert "check --mend-times" in told[0][0]
        now_ms += FUTURE_MS  # within the patience, and still behind
        committer.look_at_times()
        assert len(told) == 1
        now_ms += FUTURE_MS
        committer.look_at_times()
        assert [began for _, began in told] == [True, False]
    finally:
        type(store).newest_at_ms = kept


def test_a_commit_tells_of_messages_from_the_future_once_a_second():
    told, now_ms, now_s = [], 2_000_000_000_000, 0.0
    store = MemoryStore(LIMITS, wall_ms=lambda: now_ms)
    committer = GroupCommitter(
        store,
        LIMITS,
        lambda: 10_000_000,
        lambda: now_s,
        report=lambda *said: told.append(said),
        wall_ms=lambda: now_ms,
    )
    committer.commit([(say(1), None)])
    now_ms -= 2 * FUTURE_MS  # the clock was ahead, and is set right
    committer.commit([(say(2), None)])
    assert told == []
    now_s += LOOK_EVERY_S
    committer.commit([(say(3), None)])
    committer.commit([(say(4), None)])
    assert [began for _, began in told] == [True]
    now_ms, now_s = now_ms + 2 * FUTURE_MS, now_s + LOOK_EVERY_S
    committer.commit([(say(5), None)])
    assert [began for _, began in told] == [True, False]


def test_a_disk_that_runs_low_is_told_before_it_is_full_and_when_it_has_space_again():
    bench = Bench()
    bench.free_bytes = LOW_FACTOR * LIMITS.low_disk_bytes - 1
    assert bench.commit(say(1)) == [Appended(1)]
    assert [began for _, began in bench.told] == [True]
    assert "running low" in bench.told[0][0]
    bench.free_bytes, bench.now_s = LIMITS.low_disk_bytes - 1, LOOK_EVERY_S
    bench.commit(say(2))
    assert [began for _, began in bench.told] == [True, True]
    assert "is full" in bench.told[1][0]
    bench.free_bytes, bench.now_s = 10_000_000, 2 * LOOK_EVERY_S
    bench.commit(say(3))
    assert bench.told[2:] == [("the disk has space again; messages are stored", False)]
    bench.now_s += SILENT_S
    bench.commit(say(4))
    assert bench.told[3:] == [("the disk has enough space again", False)]


def test_the_disk_is_looked_at_while_nothing_is_written():
    bench = Bench()
    committer = bench.committer
    committer.look_at_disk()
    assert committer.look_in_s() == IDLE_LOOK_EVERY_S
    bench.free_bytes, bench.now_s = 0, IDLE_LOOK_EVERY_S
    assert committer.look_in_s() == 0
    committer.look_at_disk()
    assert committer.conditions.holds(DiskCondition.FULL)
    assert committer.look_in_s() == LOOK_EVERY_S, "a full disk is looked at more often, as its end is waited for"
    bench.free_bytes, bench.now_s = 10_000_000, bench.now_s + LOOK_EVERY_S
    committer.look_at_disk()
    assert not committer.conditions.holds(DiskCondition.FULL)


def test_a_disk_with_space_that_took_no_write_counts_as_full_until_long_after():
    bench = Bench()
    bench.full = 1
    assert bench.commit(say(1)) == [DISK_FULL]
    bench.now_s = SILENT_S - 1
    bench.committer.look_at_disk()
    assert bench.committer.conditions.holds(DiskCondition.FULL)
    bench.now_s = SILENT_S
    bench.committer.look_at_disk()
    assert not bench.committer.conditions.holds(DiskCondition.FULL)
