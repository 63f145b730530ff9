"""Promise 5 with the real threads and a disk that misbehaves: no space is survived, anything else is the end."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from securechat.errors import ErrorCode, LogError
from securechat.limits import KIB, Limits
from securechat.records.log import Appended, Identity, NotAppended
from securechat.records.queries import HistoryQuery
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.threaded_log import ThreadedLog
from securechat.testing.disk import RecordingDisk, input_output
from securechat.testing.log_checks import Ack, Rig, check_history


class OnDisk:
    """A threaded log over a VFS, or over the operating system's."""

    def __init__(self, directory, vfs=None):
        self.directory, self.vfs = directory, vfs

    def open(self, post, limits, wall_ms):
        store = SqliteStore(self.directory, limits, wall_ms=wall_ms, vfs=self.vfs)
        return ThreadedLog(self.directory, limits, post, store=store)

    def kill(self, log):
        log.close()


@pytest.fixture
def disk(request):
    with RecordingDisk(request.node.name) as disk:
        yield disk


def refused(outcomes):
    return [isinstance(o, NotAppended) and o.code is ErrorCode.DISK_FULL for o in outcomes]


def acks_of(drafts, outcomes):
    told = zip(drafts, outcomes, strict=True)
    return [Ack(d.sender_id, d.client_id, o.seq, d.text) for d, o in told if isinstance(o, Appended)]


def test_a_full_disk_refuses_and_recovers(disk, tmp_path):
    rig = Rig(OnDisk(tmp_path / "data", disk.name))
    me = rig.identify(1).sender_id
    drafts = [rig.draft(n, f"{n} " + "x" * 3000, sender_id=me) for n in range(1, 251)]
    disk.capacity_bytes = disk.used_bytes() + 400 * KIB  # of which the first checkpoint takes some for the database
    outcomes = []
    for draft in drafts[:150]:  # 400 KiB hold no more than 136 of them, whenever the checkpoints come
        outcomes += rig.append(draft)
    assert 5 < sum(isinstance(o, Appended) for o in outcomes) < 137
    assert refused(outcomes)[-1]
    # Readers read, retries are answered, people come and go or are told why not; nobody is left without a word.
    stored = len(acks_of(drafts, outcomes + [None] * 100))
    assert len(rig.everything()) == stored
    assert rig.append(drafts[0]) == [Appended(outcomes[0].seq, retry=True)]
    answers = []
    rig.log.identify(b"z" * 32, "z", "z", answers.append)
    rig.log.release(me, reserved=True)  # has no answer, and must not be forgotten
    rig.until(lambda: bool(answers))
    assert isinstance(answers[0], Identity) or answers[0].code is ErrorCode.DISK_FULL
    disk.capacity_bytes = None
    outcomes += rig.append(*drafts[150:])
    assert not any(refused(outcomes[150:]))
    assert rig.failures == []
    rig.now_ms += 1000
    state = rig.restart()
    assert [r.lost_at_ms for r in state.reservations if r.sender_id == me] == [rig.now_ms - 1000]
    check_history(acks_of(drafts, outcomes), rig.everything())
    rig.close()


@pytest.mark.parametrize(
    ("kind", "suffix", "code"),
    [
        ("sync", "-wal", apsw.SQLITE_IOERR_FSYNC),
        ("write", "-wal", apsw.SQLITE_IOERR_WRITE),
    ],
)
def test_a_failed_commit_stops_the_log_for_ever(disk, tmp_path, kind, suffix, code):
    rig = Rig(OnDisk(tmp_path / "data", disk.name))
    drafts = [rig.draft(n) for n in range(1, 30)]
    outcomes = rig.append(*drafts[:10])
    fault = disk.fail(kind, suffix, error=input_output(code))  # once: afterwards the disk is as good as new
    for draft in drafts[10:20]:
        rig.log.append(draft, outcomes.append)
    rig.until(lambda: bool(rig.failures))
    assert fault.hits == 1
    (failure,) = rig.failures
    assert isinstance(failure, LogError)
    assert "nothing more is acknowledged" in str(failure)
    events = len(disk.events)
    for draft in drafts[20:]:
        rig.log.append(draft, outcomes.append)
    answers = []
    rig.log.history(HistoryQuery(up_to=99, limit=9, rooms=("lobby",)), answers.append)
    rig.until(lambda: bool(answers))
    assert answers[0].code is ErrorCode.LOG_FAILED
    rig.close()
    assert len(disk.events) == events, "a broken log wrote on"
    assert len(outcomes) == 10, "something was acknowledged after the failure"
    assert rig.failures == [failure], "on_failure is called once"
    rig.start()
    check_history(acks_of(drafts[:10], outcomes), rig.everything())
    rig.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no open file")
@pytest.mark.parametrize("first", ["read", "write"])
def test_a_directory_that_went_away_is_named_whatever_meets_it_first(tmp_path, first):
    """SQLite calls the first read of a connection an input/output error then (SQLITE_IOERR_FSTAT)."""
    rig = Rig(OnDisk(tmp_path / "data"))
    rig.append(rig.draft(1))
    (tmp_path / "data").rename(tmp_path / "away")
    outcomes = []
    if first == "read":
        rig.log.history(HistoryQuery(up_to=9, limit=9, rooms=("lobby",)), outcomes.append)
    else:
        rig.log.append(rig.draft(2), outcomes.append)
    rig.until(lambda: bool(rig.failures))
    (failure,) = rig.failures
    assert re.search(r"is gone .*nothing more is acknowledged\. Bring the data directory back", str(failure))
    assert not any(isinstance(outcome, Appended) for outcome in outcomes)
    rig.log.close()


@pytest.mark.parametrize("suffix", [".db", "-wal"])
def test_a_failed_checkpoint_sync_stops_the_log(disk, tmp_path, suffix):
    rig = Rig(OnDisk(tmp_path / "data", disk.name), Limits(wal_bytes=64 * KIB))
    # The journal's own sync at a checkpoint is the second after a commit's: fail every one but the commit's.
    fault = disk.fail("sync", suffix, skip=0 if suffix == ".db" else 1, error=input_output(apsw.SQLITE_IOERR_FSYNC))
    rig.log.append(rig.draft(1, "x" * 4000), lambda _: None)
    rig.until(lambda: bool(rig.failures))
    assert fault.hits == 1
    rig.close()


def test_no_space_from_a_sync_is_a_failed_sync(disk, tmp_path):
    rig = Rig(OnDisk(tmp_path / "data", disk.name))
    outcomes = []
    disk.fail("sync", "-wal", error=input_output(apsw.SQLITE_IOERR_FSYNC))
    rig.log.append(rig.draft(1), outcomes.append)
    rig.until(lambda: bool(rig.failures))
    rig.close()
    assert outcomes == []


def test_corruption_met_by_a_reader_stops_the_log(tmp_path):
    rig = Rig(OnDisk(tmp_path / "data"))
    rig.seqs(*(rig.draft(n, "x" * 3000) for n in range(1, 100)))
    rig.close()
    database = tmp_path / "data" / "securechat.db"
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 2))
    # Opening may meet the damage, or the first reader does; never may it pass for an answer.
    try:
        rig.start()
    except LogError:
        return
    answers = []
    rig.log.history(HistoryQuery(up_to=2**53, limit=200, rooms=("lobby",)), answers.append)
    rig.until(lambda: bool(answers and rig.failures))
    assert answers[0].code is ErrorCode.LOG_FAILED
    rig.close()


SMALL_DISK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_log_faults import play_on_a_small_disk
play_on_a_small_disk(Path(sys.argv[1]))
"""


def play_on_a_small_disk(directory):
    """What the test below does inside its own mounts."""
    rig = Rig(OnDisk(directory / "data"), Limits(low_disk_bytes=1, commit_messages=64))
    drafts = [rig.draft(n, f"{n} " + "x" * 3000) for n in range(1, 601)]
    outcomes = rig.append(*drafts)
    assert any(refused(outcomes)), "600 messages of 3 KB fitted into 1 MiB"
    assert not all(refused(outcomes))
    assert rig.failures == []
    for _ in range(2):
        check_history(acks_of(drafts, outcomes), rig.everything())
        rig.restart()
    rig.close()
    print("played")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_a_really_full_disk(tmp_path):
    """A real file system of 1 MiB, in a mount namespace of its own: it is gone with the process, come what may."""
    script = 'mount -t tmpfs -o size=1m tmpfs "$1" || exit 77; exec "$2" -c "$3" "$1" "$4"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    done = subprocess.run(
        [*command, str(tmp_path), sys.executable, SMALL_DISK, str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
    assert (done.returncode, done.stdout) == (0, "played\n"), done.stderr


def play_below_a_file_size_limit(directory):
    """Messages until the journal reaches a limit that the system sets for files (ulimit -f)."""
    import resource

    told = []
    rig = Rig(OnDisk(directory / "data"), Limits(low_disk_bytes=1, commit_messages=64))
    rig.log._committer.conditions._report = lambda sentence, _began: told.append(sentence)
    drafts = [rig.draft(n, f"{n} " + "x" * 3000) for n in range(1, 301)]
    outcomes = rig.append(*drafts[:100])
    resource.setrlimit(resource.RLIMIT_FSIZE, (600 * KIB, resource.RLIM_INFINITY))
    outcomes += rig.append(*drafts[100:])
    assert any(refused(outcomes)), "300 messages of 3 KB fitted into 600 KiB"
    assert rig.failures == []
    assert any("the disk is full" in sentence for sentence in told), told
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    check_history(acks_of(drafts, outcomes), rig.everything())
    rig.restart()
    check_history(acks_of(drafts, outcomes), rig.everything())
    rig.close()
    print("played")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_file_size_limit_is_a_full_disk(tmp_path):
    """As a quota is: SQLite calls both an input/output error of a write, with the errno beside it."""
    script = SMALL_DISK.replace("play_on_a_small_disk", "play_below_a_file_size_limit")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "played\n"), done.stderr
