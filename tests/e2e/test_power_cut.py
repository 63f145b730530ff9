"""Promise 1 on a disk that loses power: whatever was acknowledged is there, whatever the disk made of the rest.

The real store runs over a recording disk; every acknowledgement is noted with the disk's position at that moment.
Then the power goes, some hundred times at random places: the files are rebuilt as a disk may leave them, and plain
SQLite opens them. The same with synchronous=NORMAL must lose messages, or the test would not notice anything.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from bisect import bisect_right
from collections import Counter, deque
from pathlib import Path

import apsw
import pytest

from securechat.limits import Limits
from securechat.model import Draft, Message
from securechat.records.accounts import AuditEntry, WriteAudit
from securechat.records.log import Appended
from securechat.storage.sqlite.audit import read_audit
from securechat.storage.sqlite.loss import damaged_journal, missing_database
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.testing.disk import CrashStates, RecordingDisk
from securechat.testing.inline_log import InlineLog
from securechat.testing.log_checks import Ack, HistoryBroken, check_history

SEED = int(os.environ.get("SECURECHAT_SEED", "20240229"))
CUTS = 300


class Load:
    """Some minutes of a small server: batches of all sizes, retries, checkpoints, a close and a restart."""

    def __init__(self, directory: Path, disk: RecordingDisk, synchronous: str, rng: random.Random) -> None:
        self.acks: list[tuple[int, Ack]] = []  # with the position of the disk when the sender was told
        self.recorded: list[tuple[int, str]] = []  # the same, of records about people
        self._directory, self._disk, self._synchronous, self._rng = directory, disk, synchronous, rng
        self._posted: deque = deque()
        self._numbers = dict.fromkeys(range(1, 6), 0)
        for _ in range(3):
            self._live_once()

    def _live_once(self) -> None:
        # A journal of 256 KiB, and checkpoints from 16 KiB on: many of them fall between the cuts.
        limits = Limits(wal_bytes=256 * 1024, commit_messages=32)
        store = SqliteStore(self._directory, limits, vfs=self._disk.name)
        log = InlineLog(store, limits, self._posted.append)
        log.start(lambda _: None, lambda error: pytest.fail(str(error)))
        store._db.pragma("synchronous", self._synchronous)
        for _ in range(60):
            self._note(log)  # first: what is last is moved to the database, synced, before anybody is told
            for _ in range(self._rng.choice((1, 1, 2, 5, 20, 40))):
                self._say(log)
            self._run()
        log.close()
        self._run()

    def _say(self, log: InlineLog) -> None:
        sender = self._rng.randint(1, 5)
        if self._rng.random() > 0.1 or not self._numbers[sender]:
            self._numbers[sender] += 1
        number = self._numbers[sender]
        text = f"{sender}/{number} " + "x" * (number * 7919 % 900)
        draft = Draft(sender, f"person {sender}", number, text, ("lobby", "ops")[number % 2])
        log.append(draft, lambda outcome: self._told(draft, outcome))

    def _note(self, log: InlineLog) -> None:
        word = f"{len(self.recorded)}"
        entries = [AuditEntry(1, "ann", "ban", word, half) for half in ("first half", "second half")]
        log.record([*map(WriteAudit, entries)], lambda outcome: self.recorded.append((len(self._disk.events), word)))

    def _told(self, draft: Draft, outcome: object) -> None:
        assert isinstance(outcome, Appended), outcome
        self.acks.append((len(self._disk.events), Ack(draft.sender_id, draft.client_id, outcome.seq, draft.text)))

    def _run(self) -> None:
        while self._posted:
            self._posted.popleft()()


def read_plainly(directory: Path) -> tuple[list[Message], list[str]]:
    """Open what the power cut left as any SQLite would, check it, and read all messages, and the audit's words."""
    lost = missing_database(directory / DATABASE)
    connection = apsw.Connection(str(directory / DATABASE))
    try:
        lost = lost or damaged_journal(connection, directory / DATABASE)
        if lost is not None:
            raise HistoryBroken(f"a false alarm: {lost}")
        connection.pragma("synchronous", "OFF")  # it is thrown away afterwards: closing it need not wait for a disk
        assert connection.pragma("integrity_check") == "ok"
        if not connection.table_exists("main", "messages"):
            return [], []
        rows = connection.execute(
            """SELECT seq, prev, sender_id, name, sent_at_ms, text, room
               FROM messages JOIN conversations USING (conversation) ORDER BY seq"""
        ).fetchall()
        audited = connection.table_exists("main", "audit")  # power may go between two migrations
        words = [entry.target for entry in read_audit(connection, 10_000)] if audited else []
        return [Message(*row) for row in rows], words
    finally:
        connection.close()


def check_records(recorded: list[str], words: list[str]) -> None:
    """Every record that was acknowledged is there; each is there whole or not at all."""
    if missing := set(recorded) - set(words):
        raise HistoryBroken(f"records were acknowledged and are not there: {missing}")
    assert set(Counter(words).values()) <= {2}, "half a record is there"


def cut_power(load: Load, disk: RecordingDisk, directory: Path, rng: random.Random) -> list[str]:
    """Cut the power CUTS times; return what the checker had to say."""
    states = CrashStates(disk.events)
    positions = [position for position, _ in load.acks]
    losses = []
    # Half of the cuts right after an acknowledgement, where it hurts most.
    cuts = [rng.randrange(len(disk.events) + 1) for _ in range(CUTS // 2)] + rng.choices(positions, k=CUTS // 2)
    for number, position in enumerate(sorted(cuts)):
        states.advance(position)
        after = directory / f"cut{number}"
        after.mkdir()
        states.rebuild(after, None if number % 3 == 0 else rng)
        acks = [ack for _, ack in load.acks[: bisect_right(positions, position)]]
        try:
            rows, words = read_plainly(after)
            check_history(acks, rows)
            check_records([word for at, word in load.recorded if at <= position], words)
        except HistoryBroken as broken:
            losses.append(f"position {position}: {broken}")
        shutil.rmtree(after)
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_power_cuts(synchronous, tmp_path):
    print(f"\nseed {SEED} (SECURECHAT_SEED)")
    rng = random.Random(SEED)
    with RecordingDisk(f"power-cut-{synchronous}") as disk:
        load = Load(tmp_path / "data", disk, synchronous, rng)
        losses = cut_power(load, disk, tmp_path, rng)
    print(f"{synchronous}: {len(losses)} of {CUTS} power cuts lost something ({len(load.acks)} acks)")
    if synchronous == "FULL":
        assert losses == []
    else:
        assert len(losses) > CUTS // 10, "without a sync before the ack the checker must see losses"


CHILD = """
import os, queue, sys
from pathlib import Path
from securechat.limits import Limits
from securechat.storage.threaded_log import ThreadedLog
from securechat.model import Draft

posted = queue.SimpleQueue()
log = ThreadedLog(Path(sys.argv[1]), Limits(), posted.put)
log.start(lambda batch: None, lambda error: os._exit(3))
for number in range(1, 21):
    acked = []
    log.append(Draft(1, "ann", number, "hello", "lobby"), acked.append)
    while not acked:
        posted.get()()
    os.write(1, b"ACK %d\\n" % number)
log.close()
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_a_sync_before_every_ack(tmp_path):
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-y", "-qq", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o", trace, sys.executable, "-c",
         CHILD, tmp_path / "data"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr and "ermitted" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    unsynced, since_ack, acks, directory_syncs = 0, 0, 0, 0
    for line in trace.read_text().splitlines():
        if "securechat.db-wal>" in line and "pwrite64(" in line:
            unsynced += 1
            since_ack += 1
        elif re.search(r"f(data)?sync\(\d+<[^>]*securechat.db-wal>", line):
            unsynced = 0
        elif re.search(r"f(data)?sync\(\d+<[^>]*/data>", line):
            directory_syncs += 1
        elif "write(1<" in line and '"ACK ' in line:
            assert since_ack, f"ack {acks + 1} without a write"
            assert not unsynced, f"ack {acks + 1} came before the sync"
            assert directory_syncs >= 2, "the journals' names were not synced: the crash model counts on it"
            since_ack, acks = 0, acks + 1
    assert acks == 20
