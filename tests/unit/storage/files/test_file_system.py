"""The calls on the real disk, the names in it, and the lock between a backup and the unlinking of files."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from securechat.storage.files.backup_lock import BackupRuns, holding_files, unlinking
from securechat.storage.files.file_system import LocalFileSystem
from securechat.storage.files.layout import FileLayout, id_of, is_sidecar, is_whole_file
from securechat.storage.files.steps import run
from securechat.storage.files.store import FileStore

ID = "ab" * 16


def test_a_short_write_goes_on_and_a_short_read_too(tmp_path, monkeypatch):
    system, module = LocalFileSystem(), sys.modules[LocalFileSystem.__module__]
    write, read = module._write_at, module._read_at
    monkeypatch.setattr(module, "_write_at", lambda fd, data, offset: write(fd, data[:3], offset))
    monkeypatch.setattr(module, "_read_at", lambda fd, most, offset: read(fd, min(most, 2), offset))
    descriptor = system.open(tmp_path / "x", writing=True)
    system.write(descriptor, 2, b"0123456789")
    assert system.size(descriptor) == 12
    assert system.read(descriptor, 2, 9) == b"012345678"
    assert system.read(descriptor, 10, 100) == b"89"
    assert system.read(descriptor, 12, 100) == b""
    system.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says it so")
def test_a_sync_reaches_the_system(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(("file", stat.S_ISREG(os.fstat(fd).st_mode))))
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(("folder", stat.S_ISDIR(os.fstat(fd).st_mode))))
    system = LocalFileSystem()
    descriptor = system.open(tmp_path / "x", writing=True)
    system.sync(descriptor)
    system.sync_directory(tmp_path)
    system.close(descriptor)
    assert synced == [("file", True), ("folder", True)]
    assert re.fullmatch(r"[0-9a-f-]{36}", system.boot_id())


CHILD = """
import os, sys
from pathlib import Path
from securechat.records.files import UploadState
from securechat.storage.files.steps import run
from securechat.storage.files.store import FileStore

store = FileStore(Path(sys.argv[1]), sync_bytes=4096)
for number in range(5):
    state = UploadState(f"{number:032x}", "key", 1, "x", 10_000, False, 1, 2)
    run(store.uploads.create(state))
    run(store.uploads.write(state.file_id, 0, b"x" * 10_000))
    run(store.uploads.finish(state, None))
    os.write(1, b"DONE %d\\n" % number)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_every_sync_before_an_upload_is_answered(tmp_path):
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-y", "-qq", "-e", "trace=pwrite64,write,fsync,fdatasync,rename,mkdir", "-o", trace,
         sys.executable, "-c", CHILD, tmp_path],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr and "ermitted" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    answered, unsynced, moved = 0, set(), set()
    for line in trace.read_text().splitlines():
        if str(tmp_path) not in line and '"DONE ' not in line:
            continue  # the interpreter's own
        if found := re.search(r"pwrite64\(\d+<([^>]*)>", line):
            unsynced.add(found[1])
        elif found := re.search(r"f(?:data)?sync\(\d+<([^>]*)>", line):
            unsynced.discard(found[1])
            moved.discard(found[1])
        elif found := re.search(r'rename\("([^"]*)", "([^"]*)"\)', line):
            assert found[1] not in unsynced, "a file gets its name before it is synced"
            moved |= {str(Path(found[1]).parent), str(Path(found[2]).parent)}
        elif found := re.search(r'mkdir\("([^"]*)"', line):
            moved.add(str(Path(found[1]).parent))
        elif '"DONE ' in line:
            answered += 1
            assert not {each for each in unsynced if "/files/" in each and not each.endswith("boot.new")}, line
            assert not moved, "a name was not synced"
    assert answered == 5


def test_names_and_what_they_belong_to():
    layout = FileLayout(Path("data"))
    assert layout.file(ID).as_posix() == f"data/files/ab/{ID}"
    assert layout.file(ID, 320).as_posix() == f"data/files/ab/{ID}.320"
    ours = [
        layout.upload(ID),
        layout.sidecar(ID),
        layout.picture(ID, None),
        layout.picture(ID, 320),
        layout.file(ID, 1600),
    ]
    assert {id_of(path.name) for path in ours} == {ID}
    assert [is_sidecar(path.name) for path in ours] == [False, True, False, False, False]
    assert [is_whole_file(path.name) for path in ours] == [True, False, False, False, False]
    for name in ("", "boot", ID[:-1], ID.upper(), f"{ID}.json.new.x", f"{ID}.", f"{ID}\n", f"x{ID}", "link.key"):
        assert id_of(name) is None, name


def test_nothing_is_unlinked_while_a_backup_runs(tmp_path):
    layout = FileLayout(tmp_path)
    with unlinking(layout):  # no folder yet
        pass
    with holding_files(layout):  # nor a lock
        pass
    layout.directory.mkdir()
    with unlinking(layout):
        pass
    with holding_files(layout), holding_files(layout), pytest.raises(BackupRuns), unlinking(layout):  # two backups
        pytest.fail("it was not held")
    with unlinking(layout):
        pass


def test_a_lock_that_is_a_link_holds_nothing_up_but_the_unlinking(tmp_path):
    layout = FileLayout(tmp_path)
    layout.folder(ID).mkdir(parents=True)
    layout.file(ID).write_bytes(b"x")
    layout.backup_lock.symlink_to(tmp_path / "elsewhere")
    assert run(FileStore(tmp_path).unlink([ID])) == ()
    assert layout.file(ID).exists()
    assert not (tmp_path / "elsewhere").exists()
    layout.backup_lock.unlink()
    assert run(FileStore(tmp_path).unlink([ID])) == (ID,)


def test_a_folder_of_files_may_be_a_link_to_another_disk(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "files").symlink_to(tmp_path / "other")
    layout = FileLayout(tmp_path)
    layout.folder(ID).mkdir()
    layout.file(ID).write_bytes(b"x")
    store = FileStore(tmp_path)
    assert run(store.load()) == []
    assert store.finished.in_folder("ab").whole == (ID,)
    assert run(store.unlink([ID])) == (ID,)
    assert not (tmp_path / "other" / "ab" / ID).exists()
