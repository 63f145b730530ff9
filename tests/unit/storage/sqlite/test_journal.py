"""A damaged journal is told from one that a power cut or a full disk left: never a false alarm, rarely a missed one."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import apsw
import pytest

from securechat.errors import LogError
from securechat.limits import Limits
from securechat.model import Draft
from securechat.storage.sqlite.journal import FRAME_HEADER_BYTES, WAL_HEADER_BYTES, lost_frames
from securechat.storage.sqlite.loss import accept_loss, find_loss
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.testing.disk import RecordingDisk
from securechat.testing.memory_disk import MemoryDisk

FRAME_BYTES = FRAME_HEADER_BYTES + 4096
WAL = f"{DATABASE}-wal"


def killed_store(directory: Path, batches: int = 8) -> SqliteStore:
    """A store whose process was killed: everything acknowledged is in the journal."""
    store = SqliteStore(directory, Limits())
    store.open()
    for number in range(1, batches + 1):
        store.apply([Draft(1, "ann", number, f"text {number} " + "x" * 3000, "lobby")])
    store.close(failed=True)
    return store


def flip(path: Path, at: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(bytes(content))


def readable_messages(database: Path) -> int:
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute("SELECT count(*) FROM messages").fetchall()[0][0]
    finally:
        connection.close()


def commits(wal: Path) -> list[int]:
    """The numbers of the commit frames."""
    content = wal.read_bytes()
    starts = range(WAL_HEADER_BYTES, len(content), FRAME_BYTES)
    return [number for number, at in enumerate(starts, 1) if any(content[at + 4 : at + 8])]


def test_a_flipped_bit_stops_the_start_wherever_it_is_but_in_the_last_transaction(tmp_path: Path) -> None:
    killed_store(tmp_path / "data")
    content = (tmp_path / "data" / WAL).read_bytes()
    last_transaction = WAL_HEADER_BYTES + commits(tmp_path / "data" / WAL)[-2] * FRAME_BYTES
    rng = random.Random(5)
    places = [rng.randrange(len(content)) for _ in range(25)]
    frame = WAL_HEADER_BYTES + (commits(tmp_path / "data" / WAL)[-3] - 1) * FRAME_BYTES
    places += range(frame + 8, frame + FRAME_HEADER_BYTES)  # salts and checksum of a commit frame
    places += range(WAL_HEADER_BYTES)
    missed = []
    for place in places:
        shutil.copytree(tmp_path / "data", tmp_path / "damaged", ignore=shutil.ignore_patterns("*-shm"))
        flip(tmp_path / "damaged" / WAL, place, rng.randrange(8))
        found = find_loss(tmp_path / "damaged" / DATABASE)
        if found is None and place < last_transaction:
            missed.append(place)
        if found is None and place >= last_transaction:
            assert readable_messages(tmp_path / "damaged" / DATABASE) >= 7
        shutil.rmtree(tmp_path / "damaged")
    assert missed == []


def test_a_server_does_not_start_on_a_damaged_journal_until_the_loss_is_accepted(tmp_path: Path) -> None:
    killed_store(tmp_path)
    third = commits(tmp_path / WAL)[-6]
    flip(tmp_path / WAL, WAL_HEADER_BYTES + third * FRAME_BYTES - 1)
    before = (tmp_path / WAL).read_bytes()
    store = SqliteStore(tmp_path, Limits())
    for _ in range(2):
        with pytest.raises(
            LogError, match=r"is damaged after page \d+: at least 5 transactions .*admin recover --data /"
        ):
            store.open()
        assert (tmp_path / WAL).read_bytes() == before, "the evidence stays"
    accept_loss(tmp_path / DATABASE, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == before
    assert find_loss(tmp_path / DATABASE) is None
    assert store.open().last_seq == 2
    store.close()


def test_an_unfinished_transaction_is_no_damage(tmp_path: Path) -> None:
    killed_store(tmp_path / "data")
    wal = tmp_path / "data" / WAL
    content = wal.read_bytes()
    before = commits(wal)[-2]
    rng = random.Random(6)
    for _ in range(30):  # of the last transaction only some sectors reached the disk, in whatever order
        shutil.copytree(tmp_path / "data", tmp_path / "cut", ignore=shutil.ignore_patterns("*-shm"))
        torn = bytearray(content)
        for at in range(WAL_HEADER_BYTES + before * FRAME_BYTES, len(content), 512):
            if rng.random() < 0.3:
                torn[at : at + 512] = bytes(len(torn[at : at + 512]))
        (tmp_path / "cut" / WAL).write_bytes(torn[: rng.choice((len(torn), len(torn) - 700))])
        assert find_loss(tmp_path / "cut" / DATABASE) is None
        shutil.rmtree(tmp_path / "cut")


def test_unfinished_transactions_that_others_overwrote_are_no_damage(tmp_path: Path) -> None:
    """Power cut after power cut without a checkpoint: the same generation of the journal goes on every time."""
    killed_store(tmp_path)
    rng = random.Random(8)
    for _ in range(25):
        before = commits(tmp_path / WAL)[-2]
        torn = bytearray((tmp_path / WAL).read_bytes())
        for at in range(WAL_HEADER_BYTES + before * FRAME_BYTES, len(torn), 512):
            if rng.random() < 0.1:
                torn[at : at + 512] = bytes(len(torn[at : at + 512]))
        (tmp_path / WAL).write_bytes(torn)
        (tmp_path / f"{DATABASE}-shm").unlink()
        assert find_loss(tmp_path / DATABASE) is None
        connection = apsw.Connection(str(tmp_path / DATABASE))
        connection.wal_autocheckpoint(0)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        for _ in range(rng.choice((1, 1, 2, 4))):
            row = "(1, 'x', 'x', hex(zeroblob(2000)), '')"
            rows = ",".join([row] * rng.choice((1, 2, 6)))
            connection.execute(f"INSERT INTO audit (at_ms, actor, act, target, detail) VALUES {rows}")
        connection.close()


def test_what_full_disks_and_earlier_generations_leave_is_no_damage(tmp_path: Path) -> None:
    """Rolled back transactions of all sizes, with commit frames written, cache spills, and checkpoints between."""
    rng = random.Random(7)
    with RecordingDisk("no-alarm") as disk:
        connection = apsw.Connection(str(tmp_path / DATABASE), vfs=disk.name)
        connection.pragma("journal_mode", "WAL")
        connection.pragma("synchronous", "FULL")
        connection.wal_autocheckpoint(0)
        connection.pragma("cache_size", 10)  # pages: a larger transaction writes into the journal before its end
        connection.execute("CREATE TABLE t (x)")
        failed = looked = 0
        for _ in range(100):
            rows = rng.choice((1, 1, 3, 30))
            fault = disk.fail("write", "-wal", skip=rng.randrange(4 * rows)) if rng.random() < 0.5 else None
            try:
                connection.execute("BEGIN")
                connection.executemany("INSERT INTO t VALUES (?)", [("x" * 3000,)] * rows)
                connection.execute("COMMIT")
            except apsw.FullError:
                failed += 1
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if fault is not None:
                fault.hits = fault.times
            if rng.random() < 0.05:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            for name in (DATABASE, WAL):
                shutil.copy(tmp_path / name, tmp_path / f"copy-{name}")
            copy = tmp_path / f"copy-{DATABASE}"
            (tmp_path / f"copy-{DATABASE}-shm").unlink(missing_ok=True)
            assert find_loss(copy) is None
            looked += 1
        connection.close()
    assert failed > 20
    assert looked == 100


def test_commit_frames_that_fill_a_sector_are_no_damage(tmp_path: Path) -> None:
    """On a disk that may tear what was synced before, SQLite writes a commit frame once more, to the sector's end."""
    with MemoryDisk("padded") as disk:
        connection = apsw.Connection("/nowhere/any.db", vfs=disk.name)
        connection.pragma("locking_mode", "EXCLUSIVE")
        connection.pragma("journal_mode", "WAL")
        connection.wal_autocheckpoint(0)
        connection.execute("CREATE TABLE t (x)")
        for _ in range(4):
            connection.execute("INSERT INTO t VALUES (?), (?), (?)", ("x" * 3000,) * 3)
        files = disk.contents()
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close()
    (tmp_path / DATABASE).write_bytes(files["any.db"])
    (tmp_path / WAL).write_bytes(files["any.db-wal"])
    ends = commits(tmp_path / WAL)
    assert ends[-1] == ends[-2] + 1, "the last commit frame is there twice"
    before = next(number for number in reversed(ends) if number + 1 not in ends and number < ends[-2])
    flip(tmp_path / WAL, WAL_HEADER_BYTES + before * FRAME_BYTES + 100)  # in the first frame of the last transaction
    assert find_loss(tmp_path / DATABASE) is None
    flip(tmp_path / WAL, WAL_HEADER_BYTES + 100)
    assert find_loss(tmp_path / DATABASE) is not None


def test_what_is_no_journal_is_no_damage(tmp_path: Path) -> None:
    assert lost_frames(tmp_path / WAL, 0) is None
    for content in (b"", b"x" * 31, b"rubbish " * 20_000, bytes(100_000)):
        (tmp_path / WAL).write_bytes(content)
        assert lost_frames(tmp_path / WAL, 0) is None
