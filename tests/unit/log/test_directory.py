"""The data directory is private, and one server's at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from securechat.errors import LogError, LogLocked
from securechat.limits import Limits
from securechat.log.directory import DirectoryLock
from securechat.log.sqlite import DATABASE, SqliteStore
from securechat.model import Draft

HOLD = """
import sys
from pathlib import Path
from securechat.log.directory import DirectoryLock
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
