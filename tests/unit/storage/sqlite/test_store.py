"""The store beneath the logs: rollback, checkpoints, bounds, and equality with the model."""

import random

import apsw
import pytest
from msgspec.structs import replace

from securechat.errors import LogError
from securechat.limits import KIB, Limits
from securechat.model import Draft
from securechat.records.accounts import (
    NEW_SENDER,
    Account,
    AuditEntry,
    Ban,
    BanKind,
    Certificate,
    Committed,
    Drop,
    EraseSender,
    Invite,
    Login,
    Mute,
    PurgeGuests,
    Put,
    Role,
    StoredAccounts,
    TrimAudit,
    WriteAudit,
)  # fmt: skip
from securechat.records.log import Appended, Identity
from securechat.records.queries import HistoryQuery
from securechat.storage.sqlite import message_writer
from securechat.storage.sqlite import store as sqlite
from securechat.storage.sqlite.history import HistoryReader
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import (
    DISK_FULL,
    NO_ENTRY,
    NOT_RECORDED,
    OUT_OF_ORDER,
    ApplyChanges,
    DiskFull,
    IdentifySender,
    QueryTooExpensive,
    ReleaseName,
    RenameSender,
)  # fmt: skip
from securechat.testing.disk import RecordingDisk, input_output
from securechat.testing.memory_store import MemoryStore


@pytest.fixture
def disk(request):
    with RecordingDisk(request.node.name) as disk:
        yield disk


def say(number, text="x", sender=1, room="lobby"):
    return Draft(sender, "ann", number, text, room)


RECORD = ApplyChanges(
    (
        Put(Mute(2, "bob", "", "ann", 1)),
        EraseSender(1, remove=False, above=0),
        WriteAudit(AuditEntry(1, "ann", "ban", "bob")),
    )
)


def test_a_batch_without_space_leaves_no_trace_in_memory_or_file(disk, tmp_path):
    store = SqliteStore(tmp_path, Limits(), vfs=disk.name)
    store.open()
    store.apply([say(1)])
    disk.fail("write", "-wal", skip=1)
    with pytest.raises(DiskFull):
        store.apply([say(2), say(1, room="new", sender=2), IdentifySender(b"s" * 32, "bob", "bob"), RECORD])
    # The same numbers again: fresh, with the seqs and chains as if nothing had been.
    applied = store.apply([say(2), say(1, room="new", sender=2)])
    assert applied.outcomes == [Appended(2), Appended(3)]
    assert [m.prev for m in applied.fresh] == [1, 0]
    assert store.apply([IdentifySender(b"s" * 32, "bob", "bob")]).outcomes == [Identity(1, 2, 1)]
    assert (store.audit(1), store.read(HistoryQuery(up_to=9, limit=9, rooms=("lobby",))).messages[0].name) == (
        [],
        "ann",
    )
    store.close()
    assert store.open().people == StoredAccounts(), "half a record was kept"
    store.close()


def test_any_other_failure_is_a_log_error(disk, tmp_path):
    store = SqliteStore(tmp_path, Limits(), vfs=disk.name)
    store.open()
    disk.fail("write", "-wal", error=input_output())
    with pytest.raises(LogError, match="nothing more is acknowledged"):
        store.apply([say(1)])
    store.close(failed=True)


def test_answer_knows_retries_and_refuses_the_rest(tmp_path):
    for store in (SqliteStore(tmp_path, Limits()), MemoryStore()):
        store.open()
        store.apply([say(3)])
        writes = [
            say(3),
            say(2),
            say(4),
            IdentifySender(b"s", "a", "a"),
            RenameSender(1, "b", "b"),
            ReleaseName(1, reserved=True),
        ]
        assert store.answer([*writes, RECORD]).outcomes == [
            Appended(1, retry=True), OUT_OF_ORDER, DISK_FULL, NO_ENTRY, None, None, NOT_RECORDED,
        ]  # fmt: skip
        assert store.audit(9) == []
        assert store.apply([say(4), RECORD], refuse_fresh=True).outcomes == [DISK_FULL, Committed(1)]
        assert store.audit(9) == [AuditEntry(1, "ann", "ban", "bob")], "no ban on a full disk"
        assert store.apply([say(4)]).outcomes == [Appended(2)]
        store.close()


def test_what_is_removed_leaves_no_bytes_in_the_database(tmp_path):
    store = SqliteStore(tmp_path, Limits(wal_bytes=64 * KIB))
    store.open()
    store.apply([say(n, f"very private {n} " + "x" * 100, sender=1 + n % 2) for n in range(1, 400)])
    store.apply([ApplyChanges((Put(Login(1, 1, b"token hash " * 3, "", "", 1, 2, 3)),))])
    store.tidy(idle=True)
    assert b"very private 7 " in (tmp_path / sqlite.DATABASE).read_bytes()
    store.apply([ApplyChanges((EraseSender(2, remove=True, above=0), Drop(Login, 1)))])
    store.close()
    content = (tmp_path / sqlite.DATABASE).read_bytes()
    assert b"very private 7 " not in content
    assert b"token hash" not in content
    assert b"very private 8 " in content


def test_forgetting_between_batches_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(message_writer, "REMEMBERED", 3)
    rng = random.Random(7)
    store, model = SqliteStore(tmp_path, Limits(), wall_ms=lambda: 5), MemoryStore(wall_ms=lambda: 5)
    store.open()
    model.open()
    for _ in range(60):
        batch = [say(rng.randint(1, 60), sender=rng.randint(1, 20), room=f"r{rng.randint(1, 20)}") for _ in range(6)]
        ours, theirs = store.apply(batch), model.apply(batch)
        assert (ours.outcomes, ours.fresh) == (theirs.outcomes, theirs.fresh)
        assert len(store._log._last_client_ids) <= 3 + 6
        assert len(store._log._conversations) <= 3 + 6
    store.close()


@pytest.mark.parametrize("seed", range(6))
def test_the_store_and_the_model_agree(tmp_path, seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    now = [1_000_000]
    limits = Limits(name_reservation_s=10)
    store, model = (SqliteStore(tmp_path, limits, wall_ms=lambda: now[0]), MemoryStore(limits, wall_ms=lambda: now[0]))
    assert replace(store.open(), log_id="") == replace(model.open(), log_id="")
    for each in (store, model):  # an account is always some sender's
        each.apply([IdentifySender(bytes([who]) * 32, "x", "x") for who in range(1, 7)])
    for _ in range(60):
        now[0] += rng.choice((0, 0, 1, 4000, -3000))
        batch = [any_write(rng, now[0]) for _ in range(rng.choice((1, 3, 40)))]
        refuse = rng.random() < 0.1
        ours, theirs = store.apply(batch, refuse_fresh=refuse), model.apply(batch, refuse_fresh=refuse)
        assert ours.fresh == theirs.fresh
        assert ours.outcomes == theirs.outcomes
        if rng.random() < 0.1:
            store.close()
            model.close()
            ours, theirs = store.open(), model.open()
            assert ours.last_seq == theirs.last_seq
            assert list(ours.reservations) == list(theirs.reservations)
            assert ours.people == theirs.people
        query = HistoryQuery(up_to=2**53, limit=200, rooms=("lobby", "ops"), dialogues_of=rng.randint(1, 6))
        assert store.read(query) == model.read(query)
        assert store.audit(7) == model.audit(7)
    store.close()


def any_write(rng, now_ms):
    who = rng.randint(1, 6)
    name = rng.choice(("ann", "Bob", "Ωmega"))
    match rng.randint(-4, 12):
        case -4 | -3 | -2 | -1 | 0:
            account = rng.choice((None, None, rng.randint(1, 6)))
            changes = tuple(any_change_along(rng, now_ms) for _ in range(rng.choice((0, 0, 1, 3))))
            return IdentifySender(bytes([who]) * 32, name, name.casefold(), account, changes)
        case 10 | 11:
            return ApplyChanges(tuple(any_change(rng, now_ms) for _ in range(rng.choice((0, 1, 1, 3)))))
        case 12:
            return Draft(who, name, rng.randint(1, 90), "hi", "lobby", stream=rng.randint(0, 9))
        case 1:
            return RenameSender(who, name, name.casefold())
        case 2:
            return ReleaseName(who, reserved=rng.random() < 0.5)
        case 3 | 4:
            return Draft(who, name, rng.randint(1, 90), "hi", to=rng.randint(1, 6), to_name="x")
        case _:
            return say(rng.randint(1, 90), sender=who, room=rng.choice(("lobby", "ops")))


def any_row(rng):
    number, who = rng.randint(1, 12), rng.randint(1, 6)
    rows = (
        Account(
            who, "Ann", "ann", rng.choice(list(Role)), rng.choice((None, "$argon2id$")), rng.random() < 0.5, 1, 2, 3
        ),
        Login(number, who, bytes([number]) * 32, "client\0\n", "192.0.2.1", 1, 2, 3),
        Certificate(number, who, "sha256:00", "l", 5),
        Invite(number, b"\0" * 32, 3, "ann", 1, 2, rng.choice((None, "ops")), ("ann", "'; --")[:who], who > 3),
        Ban(number, rng.choice(list(BanKind)), str(who), "Shown", "", "ann", 1, rng.choice((None, 7))),
        Mute(who, "ann", "\u202e", "bob", 1, rng.choice((None, 7))),
    )
    return rng.choice(rows)


def any_change(rng, now_ms):
    who = rng.randint(1, 6)
    match rng.randint(0, 10):
        case 0:
            return EraseSender(who, remove=rng.random() < 0.3, above=rng.randint(0, 40), seqs=rng.randint(1, 30))
        case 1:
            return PurgeGuests(now_ms - rng.randint(-1, 2000), most=rng.randint(1, 3), above=rng.randint(0, 3))
        case 2:
            return WriteAudit(
                AuditEntry(now_ms, "ann", rng.choice(("ban", "rename", "logout")), rng.choice(("ann", "bob")))
            )
        case 10:
            return TrimAudit(now_ms - rng.randint(-1, 2000), rng.randint(0, 5), most=rng.randint(1, 4))
        case 3 | 4:
            return Drop(type(row := any_row(rng)), row_number(row))
        case _:
            return Put(any_row(rng))


def any_change_along(rng, now_ms):
    """What may be changed along with an identity."""
    while True:
        row = any_row(rng)
        if isinstance(row, Account | Login):
            row = replace(row, sender_id=rng.choice((NEW_SENDER, row.sender_id)))
        if isinstance(row, Account | Login | Invite):
            drop = Drop(type(row), row_number(row))
            return rng.choice((Put(row), Put(row), drop, WriteAudit(AuditEntry(now_ms, "ann", "register", "ann"))))


def row_number(row):
    return getattr(row, row.__struct_fields__[0])


def test_checkpoints_come_when_idle_or_large(disk, tmp_path):
    """The limit does not depend on the size of the schema, which goes to the database file when the first store closes.

    Below, the first four messages write 52 KiB to the journal, and the ninety others 1.8 MiB.
    """
    making = SqliteStore(tmp_path, Limits(), vfs=disk.name)
    making.open()
    making.close()
    store = SqliteStore(tmp_path, Limits(wal_bytes=256 * KIB), vfs=disk.name)
    store.open()

    def has_checkpointed(*, idle):
        before = len(disk.events)
        store.tidy(idle=idle)
        return any(event.name.endswith(".db") and event.kind == "write" for event in disk.events[before:])

    store.apply([say(1)])
    assert not has_checkpointed(idle=False)
    store.apply([say(2, "x" * 4000), say(3, "x" * 4000), say(4, "x" * 4000)])
    assert not has_checkpointed(idle=False), "busy, and far from wal_bytes"
    assert has_checkpointed(idle=True)
    assert not has_checkpointed(idle=True), "nothing new to move"
    for n in range(5, 95):
        store.apply([say(n, "x" * 4000)])
    assert has_checkpointed(idle=False)
    store.close()


def test_the_journal_does_not_grow_for_ever(tmp_path):
    store = SqliteStore(tmp_path, Limits(wal_bytes=64 * KIB))
    store.open()
    for n in range(1, 200):
        store.apply([say(n, "x" * 4000)])
        store.tidy(idle=False)
    wal_bytes = (tmp_path / "securechat.db-wal").stat().st_size
    assert wal_bytes < 128 * KIB
    store.close()


def test_a_reader_that_stays_long_costs_few_batches_a_wait_and_the_journal_recovers(tmp_path):
    store = SqliteStore(tmp_path, Limits(wal_bytes=64 * KIB))
    store.open()
    store.apply([say(1)])
    waits = []
    reader = apsw.Connection(str(tmp_path / "securechat.db"), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN; SELECT count(*) FROM messages").fetchall()
    for n in range(2, 200):
        store.apply([say(n, "x" * 4000)])
        waits.append(store._wal_bytes >= store._patient_at_bytes)
        store.tidy(idle=False)
    assert 0 < sum(waits) <= len(waits) / 4 + 1, "a wait for each wal_bytes written, not for each batch"
    reader.close()
    for n in range(200, 240):
        store.apply([say(n, "x" * 4000)])
        store.tidy(idle=False)
    assert store._wal_bytes < 2 * 64 * KIB
    store.close()


def test_a_query_that_costs_too_much_is_stopped_and_the_next_is_answered(tmp_path):
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([Draft(1, "ann", n, "x", to=n, to_name="x") for n in range(1, 400)])
    reader = HistoryReader(store._reading, steps=1000)
    with pytest.raises(QueryTooExpensive):
        reader.read(HistoryQuery(up_to=999, limit=200, dialogues_of=1))
    assert len(reader.read(HistoryQuery(up_to=999, limit=1, dialogue=(1, 5))).messages) == 1
    store.close()
