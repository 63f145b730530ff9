"""The files' thread: jobs in order, reads first, every answer on the loop's thread, and none after its end."""

import errno
import hashlib
import queue
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from securechat.records.files import UploadState
from securechat.server.files.disk import MOST_DESCRIPTORS, READS_AT_ONCE, ThreadedFileDisk
from securechat.storage.files.file_system import LocalFileSystem
from securechat.storage.files.pictures import RewrittenPicture
from securechat.storage.files.store import FileStore
from securechat.text.refusals import refusal_for

ID = "ab" * 16


class Loop:
    """Runs posted callbacks on the test's thread."""

    def __init__(self):
        self.posted = queue.SimpleQueue()

    def post(self, callback):
        self.posted.put(callback)

    def until(self, condition):
        while not condition():
            self.posted.get(timeout=20)()

    def settle(self, disk):
        """Wait until all that was asked is done."""
        self.answers(disk, lambda done: disk.unlink([], done))

    def answers(self, disk, *calls):
        """Call each with a ``done``, and return all answers."""
        found = []
        for call in calls:
            call(found.append)
        self.until(lambda: len(found) == len(calls))
        return found


class GatedSystem(LocalFileSystem):
    """Stops before the calls of a name until it may go on."""

    def __init__(self):
        self.gates = {}
        self.stopped = threading.Semaphore(0)
        self.calls = []
        self.reading = set()  # descriptors

    def open(self, path, *, writing):
        descriptor = super().open(path, writing=writing)
        if not writing:
            self.reading.add(descriptor)
        return descriptor

    def close(self, descriptor):
        self.reading.discard(descriptor)
        super().close(descriptor)

    def gate(self, call):
        self.gates[call] = threading.Event()
        return self.gates[call]

    def _pass(self, call):
        self.calls.append(call)
        gate = self.gates.get(call)
        if gate is not None:
            self.stopped.release()
            assert gate.wait(20)

    def sync(self, descriptor):
        self._pass("sync")
        super().sync(descriptor)

    def write(self, descriptor, offset, data):
        self._pass("write")
        super().write(descriptor, offset, data)

    def read(self, descriptor, offset, most_bytes):
        self._pass("read")
        return super().read(descriptor, offset, most_bytes)


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def system():
    return GatedSystem()


@pytest.fixture
def make(loop, system, tmp_path):
    made = []

    def make_disk(**settings):
        disk = ThreadedFileDisk(tmp_path, loop.post, store=FileStore(tmp_path, system, sync_bytes=4096), **settings)
        made.append(disk)
        return disk

    yield make_disk
    for gate in system.gates.values():
        gate.set()
    for disk in made:
        disk.close()


def state_of(data, name="notes.txt", *, file_id=ID, as_file=False):
    return UploadState(file_id, "key", 7, name, len(data), as_file, 1, 2)


def send(loop, disk, data, **settings):
    state = state_of(data, **settings)
    disk.create(state)
    return loop.answers(
        disk, lambda done: disk.write(state.file_id, 0, data, done), lambda done: disk.finish(state, done)
    )[1]


def test_a_file_is_sent_read_and_unlinked(loop, make, tmp_path):
    disk = make()
    data = bytes(range(256)) * 100
    stored = send(loop, disk, data)
    assert stored.sha256 == hashlib.sha256(data).digest()
    path = tmp_path / "files" / "ab" / ID
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700
    [file] = loop.answers(disk, lambda done: disk.open(ID, None, done))
    disk.settle(ID)
    [listing] = loop.answers(disk, lambda done: disk.list_stored("ab", done))
    assert listing.whole == (ID,)
    [gone] = loop.answers(disk, lambda done: disk.unlink([ID], done))
    assert gone == (ID,)
    assert not path.exists()
    assert file.size_bytes == len(data)
    parts = loop.answers(disk, lambda done: file.read(25_000, 9999, done), lambda done: file.read(0, 10, done))
    assert parts == [data[25_000:], data[:10]]  # open files outlive the unlinking
    file.close()
    assert loop.answers(disk, lambda done: disk.open(ID, None, done)) == [None]
    assert disk.waiting == 0


def test_an_upload_goes_on_in_the_next_process(loop, make):
    disk, data = make(), b"x" * 10_000
    state = state_of(data)
    disk.create(state)
    loop.answers(disk, lambda done: disk.write(ID, 0, data[:5000], done))
    disk.close()
    disk = make()
    [uploads] = loop.answers(disk, disk.load)
    assert [(each.file_id, each.key) for each in uploads] == [(ID, "key")]
    offset = uploads[0].offset  # where the system names no boot, what was not synced is not trusted
    assert offset in (4096, 5000)
    answers = loop.answers(
        disk, lambda done: disk.write(ID, offset, data[offset:], done), lambda done: disk.finish(uploads[0], done)
    )
    assert answers[1].sha256 == hashlib.sha256(data).digest()


def test_many_open_files_have_few_descriptors(loop, make, system, tmp_path):
    """A download that its client does not take holds a socket, and no descriptor beside it."""
    disk = make()
    data = bytes(range(256)) * 10
    send(loop, disk, data)
    path = tmp_path / "files" / "ab" / ID
    files = loop.answers(disk, *[partial(disk.open, ID, None)] * (3 * MOST_DESCRIPTORS))
    for offset in range(0, len(data), 1000):
        for file in files:
            assert loop.answers(disk, partial(file.read, offset, 1000)) == [data[offset : offset + 1000]]
    assert len(system.reading) == MOST_DESCRIPTORS
    with path.open("ab") as damaged:
        damaged.write(b"x")
    assert loop.answers(disk, partial(files[0].read, 0, 10)) == [None], "it has become another one"
    loop.answers(disk, lambda done: disk.unlink([ID], done))
    assert loop.answers(disk, partial(files[1].read, 0, 10)) == [None]
    assert loop.answers(disk, partial(files[-1].read, 0, 10)) == [data[:10]]
    for file in files:
        file.close()
    loop.settle(disk)
    assert not system.reading


def test_reads_go_before_what_writes(loop, make, system):
    disk = make()
    send(loop, disk, b"one")
    [file] = loop.answers(disk, lambda done: disk.open(ID, None, done))
    other = state_of(b"y" * 9000, file_id="cd" * 16)
    disk.create(other)
    loop.settle(disk)
    gate = system.gate("write")
    order = []
    disk.write(other.file_id, 0, b"y" * 9000, lambda _: order.append("write"))
    system.stopped.acquire()
    disk.finish(other, lambda _: order.append("finish"))
    file.read(0, 3, order.append)
    system.gates.clear()
    gate.set()
    loop.until(lambda: len(order) == 3)
    assert order == [b"one", "write", "finish"]


def test_many_reads_do_not_keep_writes_waiting(loop, make, system):
    disk = make()
    send(loop, disk, b"one")
    [file] = loop.answers(disk, lambda done: disk.open(ID, None, done))
    gate = system.gate("read")
    order = []
    file.read(0, 3, order.append)
    system.stopped.acquire()
    disk.create(state_of(b"", file_id="cd" * 16))
    disk.unlink([], lambda _: order.append("unlinked"))
    for _ in range(READS_AT_ONCE * 20):
        file.read(0, 3, order.append)
    system.gates.clear()
    gate.set()
    loop.until(lambda: len(order) == READS_AT_ONCE * 20 + 2)
    at = order.index("unlinked")
    assert READS_AT_ONCE < at < READS_AT_ONCE * 20


def test_a_full_queue_refuses_writes(loop, make, system):
    disk = make(most_waiting=3)
    state = state_of(b"abc")
    disk.create(state)
    gate = system.gate("sync")
    answers = []
    for number in range(3):
        disk.write(ID, number, b"abc"[number : number + 1], answers.append)
    loop.until(lambda: answers)
    assert [each.reason for each in answers] == ["uploads_of_server_used_up"]
    assert answers[0].retry_after_s
    gate.set()
    loop.until(lambda: len(answers) == 3)
    assert answers[1:] == [None, None]


def test_close_ends_what_runs_and_drops_what_waits(loop, make, system, tmp_path):
    disk = make()
    state = state_of(b"abc")
    disk.create(state)
    loop.answers(disk, lambda done: disk.write(ID, 0, b"abc", done))
    gate = system.gate("sync")
    answers = []
    disk.finish(state, answers.append)
    system.stopped.acquire()
    disk.discard(ID)
    closer = threading.Thread(target=disk.close)
    closer.start()
    while not disk._closed:
        pass
    gate.set()
    closer.join(20)
    assert not closer.is_alive()
    while not loop.posted.empty():
        loop.posted.get()()
    assert answers == []
    assert (tmp_path / "files" / "ab" / ID).read_bytes() == b"abc"
    disk.unlink([ID], answers.append)
    disk.close()
    assert answers == []
    assert loop.posted.empty()


def test_a_disk_that_hangs_holds_up_no_stop(loop, system, tmp_path):
    troubles, hangs, under_way = [], threading.Event(), threading.Event()

    def hang(_prefix):
        under_way.set()
        hangs.wait()

    disk = ThreadedFileDisk(tmp_path, loop.post, on_trouble=troubles.append, close_s=0.01)
    disk._store.finished.in_folder = hang
    disk.list_stored("ab", lambda _: None)
    thread = disk._thread
    assert under_way.wait(20)
    disk.close()
    assert [each.startswith("the disk has not answered for 0.01 s at the stop") for each in troubles] == [True]
    hangs.set()
    thread.join(20)
    assert not thread.is_alive()
    assert loop.posted.empty()


def test_trouble_is_told_once_a_minute(loop, make, system, tmp_path):
    troubles, clock = [], [0.0]
    disk = ThreadedFileDisk(tmp_path, loop.post, on_trouble=troubles.append, clock=lambda: clock[0])
    try:
        (tmp_path / "files").write_text("no folder")
        for number, now in enumerate((0.0, 30.0, 70.0)):
            clock[0] = now
            disk.create(state_of(b"abc", file_id=f"{number:032x}"))
            [refusal] = loop.answers(disk, lambda done, number=number: disk.write(f"{number:032x}", 0, b"abc", done))
            assert refusal.reason == "file_not_stored"
        assert len(troubles) == 2
        assert "an upload could not be begun" in troubles[0]
        assert str(tmp_path / "files") in troubles[0]
    finally:
        disk.close()


def test_a_bug_is_one_refusal_and_the_thread_goes_on(loop, make):
    errors = []
    disk = make(on_error=errors.append)
    disk._store.finished.in_folder = None
    assert loop.answers(disk, lambda done: disk.list_stored("ab", done)) == [None]
    assert isinstance(errors[0], TypeError)
    assert send(loop, disk, b"abc").info.size == 3


def test_space_is_asked_for_once_a_second(loop, make, tmp_path, monkeypatch):
    clock, asked = [0.0], []

    class Usage:
        free, total = 5, 9

    monkeypatch.setattr("shutil.disk_usage", lambda path: asked.append(path) or Usage)
    disk = make(clock=lambda: clock[0])
    assert (disk.free_bytes, disk.total_bytes) == (5, 9)
    assert asked == [tmp_path]
    clock[0] = 1.1
    assert disk.free_bytes == 5
    assert len(asked) == 2


def test_files_that_are_not_read_hold_no_descriptors(loop, make, tmp_path):
    """One that was read longest ago is opened again when it is read; one that is unlinked then cannot be read."""
    disk = make()
    data = bytes(range(256)) * 10
    send(loop, disk, data)
    disk.settle(ID)
    files = loop.answers(disk, *[lambda done: disk.open(ID, None, done)] * (3 * MOST_DESCRIPTORS))

    def open_now():
        links = [*Path("/proc/self/fd").iterdir()]
        return sum(link.is_symlink() and link.readlink().name.startswith(ID) for link in links)

    if sys.platform == "linux":
        assert open_now() == MOST_DESCRIPTORS
    reads = [lambda done, file=file: file.read(100, 50, done) for file in files]
    assert loop.answers(disk, *reads) == [data[100:150]] * len(files)
    loop.answers(disk, lambda done: disk.unlink([ID], done))
    assert loop.answers(disk, *reads) == [None] * 2 * MOST_DESCRIPTORS + [data[100:150]] * MOST_DESCRIPTORS
    for file in files:
        file.close()
    loop.settle(disk)
    if sys.platform == "linux":
        assert open_now() == 0


class FakePictures:
    """Writes on a thread of its own, as the worker does; a picture with "bad" in it cannot be read."""

    def __init__(self):
        self.waits = threading.Event()
        self.waits.set()
        self.threads = []

    def rewrite(self, source, into, done, *, owner):
        def work():
            self.waits.wait(20)
            if b"bad" in source.read_bytes():
                done(refusal_for("picture_unreadable"))
                return
            into.write_bytes(b"pixels")
            Path(f"{into}.320").write_bytes(b"few")
            sha256 = hashlib.sha256(b"pixels").digest()
            done(RewrittenPicture("image/png", 4, 3, 6, sha256, ((320, 3),)))

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()


PNG = b"\x89PNG\r\n\x1a\n with its place in it"


def files_in(path):
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_a_picture_is_written_anew_and_its_sent_bytes_go(loop, make, tmp_path):
    disk = make(pictures=FakePictures())
    stored = send(loop, disk, PNG, name="a.txt")
    assert (stored.info.type, stored.info.width, stored.info.height, stored.info.size) == ("image/png", 4, 3, 6)
    assert (stored.info.previews, stored.previews_bytes) == ([320], 3)
    assert files_in(tmp_path / "files") == ["ab/" + ID, f"ab/{ID}.320", "backup.lock", "boot", f"incoming/{ID}.json"]
    assert b"place" not in b"".join(each.read_bytes() for each in (tmp_path / "files").rglob("*") if each.is_file())


def test_a_picture_for_which_there_is_no_thread_ends_and_may_come_again(loop, make):
    """Else its upload would be at work for ever: neither sent, nor removed, nor given up."""
    pictures = FakePictures()
    rewrite = pictures.rewrite

    def fails(*_, **__):
        raise RuntimeError("can't start new thread")

    pictures.rewrite = fails
    disk = make(pictures=pictures)
    assert send(loop, disk, PNG).reason == "file_not_stored"
    pictures.rewrite = rewrite
    [stored] = loop.answers(disk, lambda done: disk.finish(state_of(PNG), done))
    assert stored.info.width == 4


def test_a_picture_that_cannot_be_read_stays_whole_and_may_be_kept_as_a_file(loop, make, tmp_path):
    disk = make(pictures=FakePictures())
    refusal = send(loop, disk, PNG + b"bad")
    assert refusal.reason == "picture_unreadable"
    loop.settle(disk)
    disk.close()
    disk = make(pictures=FakePictures())
    [uploads] = loop.answers(disk, disk.load)
    assert uploads[0].unreadable
    if not uploads[0].offset:  # no boot is named here
        return
    [stored] = loop.answers(disk, lambda done: disk.finish(replace(uploads[0], as_file=True), done))
    assert not stored.info.is_picture
    assert (tmp_path / "files" / "ab" / ID).read_bytes() == PNG + b"bad"


@pytest.mark.parametrize("settings", [{"as_file": True}, {"name": "a.png"}])
def test_what_is_no_picture_or_wanted_as_a_file_is_not_written_anew(loop, make, settings):
    disk = make(pictures=FakePictures())
    data = PNG if "as_file" in settings else b"<svg>"
    assert not send(loop, disk, data, **settings).info.is_picture
    disk.discard(ID)
    loop.settle(disk)
    assert not send(loop, make(), PNG).info.is_picture  # nothing is installed that could


def test_an_upload_discarded_while_its_picture_is_written_leaves_nothing(loop, make, tmp_path):
    pictures = FakePictures()
    pictures.waits.clear()
    disk = make(pictures=pictures)
    state = state_of(PNG)
    disk.create(state)
    answers = []
    disk.write(ID, 0, PNG, answers.append)
    disk.finish(state, answers.append)
    loop.until(lambda: pictures.threads)
    disk.discard(ID)
    loop.settle(disk)
    # The worker has the picture open; here it reads it by name.
    (tmp_path / "files" / "incoming" / ID).write_bytes(PNG)
    pictures.waits.set()
    loop.until(lambda: len(answers) == 2)
    assert answers[1].reason == "upload_unknown"
    assert files_in(tmp_path / "files" / "incoming") == [ID]  # the test's own


def test_no_link_is_followed(loop, make, tmp_path):
    disk = make()
    send(loop, disk, b"abc")
    disk.settle(ID)
    (tmp_path / "secret").write_bytes(b"secret")
    path = tmp_path / "files" / "ab" / ID
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    assert loop.answers(disk, lambda done: disk.open(ID, None, done)) == [None]
    (tmp_path / "files" / "incoming" / ("cd" * 16)).symlink_to(tmp_path / "secret")
    disk.create(state_of(b"abc", file_id="cd" * 16))
    [refusal] = loop.answers(disk, lambda done: disk.write("cd" * 16, 0, b"abc", done))
    assert refusal.reason == "file_not_stored"
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_folder_made_read_only_is_a_clear_refusal(loop, make, tmp_path, system):
    disk = make()
    state = state_of(b"abc")
    disk.create(state)
    loop.answers(disk, lambda done: disk.write(ID, 0, b"abc", done))
    make_directory = system.make_directory

    def refuse(path):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    system.make_directory = refuse
    [refusal] = loop.answers(disk, lambda done: disk.finish(state, done))
    assert refusal.reason == "file_not_stored"
    system.make_directory = make_directory
    [stored] = loop.answers(disk, lambda done: disk.finish(state, done))
    assert stored.info.size == 3
