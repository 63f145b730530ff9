"""What was edited away, deleted or refused is soon in no file of the data directory any more."""

import queue
import shutil

import apsw
import pytest

from securechat.limits import Limits
from securechat.model import Draft, Revision, RevisionKind
from securechat.records.accounts import EraseSender
from securechat.records.log import Appended
from securechat.records.rooms import PurgeExpired
from securechat.storage.group_commit import GroupCommitter
from securechat.storage.sqlite import senders
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import ApplyChanges, DiskFull
from securechat.storage.threaded_log import ThreadedLog
from securechat.testing.memory_store import MemoryStore
from tests.support.server import wait_until

EDIT, DELETE, REACT, _ = RevisionKind


def say(number, text, *, sender=1, room="lobby"):
    return Draft(sender, f"name{sender}x", number, text, room)


def revise(kind, number, target, text="", room="lobby"):
    return Revision(kind, 1, "name1x", number, target, room, text=text, sign="+")


def found(directory, *words):
    """Which of the words stand in any file."""
    content = b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())
    return {word for word in words if word.encode() in content}


SECRETS = {"edited-away", "edited-at-once", "deleted-text", "expired-text", "removed-text", "name2x", "mislaid"}
KEPT = {"final-text", "stays-here"}


def test_everything_that_is_gone_leaves_every_file_though_nothing_more_is_written(tmp_path):
    posted = queue.SimpleQueue()
    log = ThreadedLog(tmp_path, Limits(), posted.put, erase_within_s=0.4)
    log.start(lambda _: None, lambda error: pytest.fail(str(error)))
    outcomes = []

    def done(count):
        while len(outcomes) < count:
            posted.get(timeout=20)()

    texts = ["edited-away", "deleted-text", "stays-here", *["expired-text" + "e" * 9000] * 30]
    for number, text in enumerate(texts, 1):
        log.append(
            say(number, text + " " + "x" * (17 * number), room="old" if "expired" in text else "lobby"), outcomes.append
        )
    log.append(say(1, "removed-text", sender=2), outcomes.append)
    log.append(say(40, "mislaid" * 2000), outcomes.append)
    done(35)
    assert found(tmp_path, *SECRETS, *KEPT) == {*SECRETS, "stays-here"} - {"edited-at-once"}
    for revision in (
        revise(EDIT, 41, 1, "edited-at-once" * 500),
        revise(EDIT, 42, 1, "final-text"),
        revise(DELETE, 43, 2),
        revise(EDIT, 44, 35, "final-text"),
    ):
        log.revise(revision, outcomes.append)
    log.record((PurgeExpired("old", 1 << 60), EraseSender(2, remove=True, above=0)), outcomes.append)
    done(40)
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 39
    wait_until(lambda: not found(tmp_path, *SECRETS), "a file without what is gone")
    assert found(tmp_path, *KEPT) == KEPT
    log.close()
    assert found(tmp_path, *SECRETS, *KEPT) == KEPT


def test_a_batch_that_failed_leaves_nothing(tmp_path, monkeypatch):
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([say(1, "hello")])
    store.erase()

    def fail(*_):
        raise apsw.FullError("injected")

    monkeypatch.setattr(senders, "with_last_client_ids", fail)
    with pytest.raises(DiskFull):
        store.apply([*(say(n, "refused-text" + "x" * 12_000) for n in range(2, 600)), ApplyChanges(())])
    assert found(tmp_path, "refused-text"), "this proves nothing: no page reached the journal"
    assert store.erasing
    store.erase()
    assert (store.erasing, found(tmp_path, "refused-text", "hello")) == (False, {"hello"})
    store.close()


def test_a_reader_delays_it_and_a_kill_does_not_forget_it(tmp_path):
    store = SqliteStore(tmp_path / "data", Limits())
    store.open()
    store.apply([say(1, "edited-away")])
    store.erase()
    assert not store.erasing
    reader = apsw.Connection(str(tmp_path / "data" / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM messages").fetchall()
    store.apply([revise(EDIT, 2, 1, "new")])
    store.erase()
    assert store.erasing
    assert found(tmp_path / "data", "edited-away")
    (tmp_path / "killed").mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / "data" / (DATABASE + suffix), tmp_path / "killed")
    reader.close()
    store.erase()
    assert (store.erasing, found(tmp_path / "data", "edited-away")) == (False, set())
    store.close()

    again = SqliteStore(tmp_path / "killed", Limits())
    again.open()
    assert again.erasing, "what a killed process left in the journal stays there"
    again.erase()
    assert not found(tmp_path / "killed", "edited-away")
    again.close()


def test_reacting_erases_nothing(tmp_path):
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([say(1, "x")])
    store.erase()
    store.apply([say(2, "x"), revise(REACT, 3, 1)])
    assert not store.erasing
    store.close()


class Erasing(MemoryStore):
    """A store that counts how often it is asked to erase, and in vain at first."""

    def __init__(self):
        super().__init__()
        self.is_erasing, self.asked_at_s, self.vain, self.now_s = False, [], 2, 0.0

    @property
    def erasing(self):
        return self.is_erasing

    def erase(self):
        self.asked_at_s.append(self.now_s)
        self.is_erasing = len(self.asked_at_s) <= self.vain


def test_it_comes_at_half_time_whatever_happens_and_then_again_and_again():
    store = Erasing()
    committer = GroupCommitter(store, Limits(), lambda: 1 << 60, lambda: store.now_s)
    committer.tidy(idle=True)
    assert committer.erase_in_s() is None
    store.is_erasing = True
    committer.tidy(idle=False)
    assert committer.erase_in_s() == 30
    for now_s in (10.0, 29.9, 30.0, 30.5, 31.0, 32.0, 33.0):
        store.now_s = now_s
        committer.tidy(idle=False)
    assert store.asked_at_s == [30.0, 31.0, 32.0]
    assert committer.erase_in_s() is None
