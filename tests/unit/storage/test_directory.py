"""The data directory is private, and one server's at a time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from securechat.errors import LogError, LogLocked
from securechat.limits import Limits
from securechat.model import Draft
from securechat.storage.directory import DirectoryLock
from securechat.storage.search.index import SEARCH_INDEX, SearchIndex
from securechat.storage.search.log_reader import IndexLogReader
from securechat.storage.sqlite.store import DATABASE, SqliteStore

HOLD = """
import sys
from pathlib import Path
from securechat.storage.directory import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_told_who_has_it(tmp_path):
    with DirectoryLock(tmp_path / "lock"), pytest.raises(LogLocked, match=rf"process {os.getpid()}\b.*--data"):
        DirectoryLock(tmp_path / "lock")
    DirectoryLock(tmp_path / "lock").release()


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(LogLocked, match=f"process {child.pid}"):
            DirectoryLock(path)
        child.kill()
        child.wait()
    DirectoryLock(path).release()


def test_a_store_that_cannot_open_gives_the_lock_back(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"this is no database, and long enough to be taken for one" * 20)
    for _ in range(2):
        with pytest.raises(LogError, match="cannot open") as caught:
            SqliteStore(tmp_path, Limits()).open()
        assert not isinstance(caught.value, LogLocked)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
@pytest.mark.parametrize("umask", [0, 0o777])
def test_files_are_private_whatever_the_umask(tmp_path, umask):
    store = SqliteStore(tmp_path / "data", Limits())
    before = os.umask(umask)
    try:
        store.open()
        store.apply([Draft(1, "ann", 1, "x", "lobby")])
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "data").iterdir()}
    finally:
        os.umask(before)
        store.close()
    assert {DATABASE, DATABASE + "-wal"} <= set(modes)
    assert oct((tmp_path / "data").stat().st_mode & 0o777) == "0o700"
    modes.pop("securechat.lock")  # holds nothing but a number
    assert set(modes.values()) == {"0o600"}, modes


def test_a_directory_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot make the data directory"):
        SqliteStore(Path(tmp_path / "file" / "data"), Limits()).open()


# --- What is in the way, and what goes away ---------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs, and links need a privilege")
@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "directory"])
@pytest.mark.parametrize("name", ["securechat.lock", DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"])
def test_anything_but_a_file_is_refused_and_not_followed(tmp_path, name, kind):
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir(mode=0o700)
    if kind == "fifo":
        os.mkfifo(data / name)
    elif kind == "directory":
        (data / name).mkdir()
    else:
        (data / name).symlink_to(elsewhere)
        if kind == "link":
            elsewhere.write_text("precious")
    with pytest.raises(LogError, match=rf"{name}.*(symbolic link|pipe|directory), not a regular file; move it away"):
        SqliteStore(data, Limits()).open()
    assert elsewhere.exists() is (kind == "link")
    if kind == "link":
        assert elsewhere.read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file")
@pytest.mark.parametrize("loss", ["directory", "replaced", "database", "journal", "lock"])
def test_nothing_is_acknowledged_after_the_files_went_away(tmp_path, loss):
    data = tmp_path / "data"
    store = SqliteStore(data, Limits())
    store.open()
    store.apply([Draft(1, "ann", 1, "x", "lobby")])
    if loss == "directory":
        shutil.rmtree(data)
    elif loss == "replaced":
        shutil.copytree(data, tmp_path / "copy")
        data.rename(tmp_path / "old")
        (tmp_path / "copy").rename(data)
    else:
        (data / {"database": DATABASE, "journal": f"{DATABASE}-wal", "lock": "securechat.lock"}[loss]).unlink()
    with pytest.raises(LogError, match=r"(is gone|was replaced).*nothing more is acknowledged"):
        store.apply([Draft(1, "ann", 2, "x", "lobby")])
    with pytest.raises(LogError, match="nothing more is acknowledged"):
        store.answer([Draft(1, "ann", 1, "x", "lobby")])
    store.close(failed=True)


@pytest.mark.parametrize("emptied", [True, False])
def test_an_index_without_its_database_is_no_new_server(tmp_path, emptied):
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([Draft(1, "ann", number, "x", "lobby") for number in range(1, 8)])
    index = SearchIndex(tmp_path / SEARCH_INDEX, IndexLogReader(store._db))
    index.open()
    index.step()
    index.close()
    store.close()
    (tmp_path / DATABASE).write_bytes(b"") if emptied else (tmp_path / DATABASE).unlink()
    state = "is empty" if emptied else "is missing"
    for _ in range(2):
        with pytest.raises(
            LogError, match=rf"{state}, but search.db is the index of a log with 7 entries.*restore FILE --data /"
        ):
            store.open()
    (tmp_path / SEARCH_INDEX).rename(tmp_path / "moved away")
    assert store.open().last_seq == 0
    store.close()


def test_a_journal_without_its_database_is_no_new_server(tmp_path):
    store = SqliteStore(tmp_path, Limits())
    store.open()
    store.apply([Draft(1, "ann", 1, "x", "lobby")])
    store.close(failed=True)
    (tmp_path / DATABASE).write_bytes(b"")
    with pytest.raises(LogError, match=rf"is empty, but its journal {DATABASE}-wal holds messages"):
        store.open()
    assert (tmp_path / f"{DATABASE}-wal").stat().st_size > 4096


def test_an_index_of_nothing_keeps_no_server_from_starting(tmp_path):
    store = SqliteStore(tmp_path, Limits())
    store.open()
    index = SearchIndex(tmp_path / SEARCH_INDEX, IndexLogReader(store._db))
    index.open()
    index.close()
    store.close()
    (tmp_path / DATABASE).unlink()
    store.open()
    store.close()
