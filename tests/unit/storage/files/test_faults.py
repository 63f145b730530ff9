"""Calls that fail while files are kept: each is a clear answer to one sender, and nothing half done stays."""

import errno
import random

import pytest
from msgspec.structs import replace

from securechat.storage.files.sidecar import encode_sidecar
from securechat.storage.files.steps import run
from tests.support.file_worlds import FileWorld, bytes_of, refused, state_of

DATA = bytes_of(1, 5000)
STATE = state_of(1, DATA)
ID = STATE.file_id
OTHER = state_of(2, DATA)


@pytest.fixture
def world():
    return FileWorld()


@pytest.fixture
def sent(world):
    """A world with an upload that is whole."""
    world.create(STATE, DATA)
    world.write(STATE, 0, len(DATA))
    return world


def finish_and_check(world):
    stored = world.finish(STATE)
    assert stored.info.size == len(DATA)
    world.check(world.start())


def test_a_full_disk_takes_nothing_of_a_write_and_the_upload_goes_on_later(world):
    world.create(STATE, DATA)
    world.write(STATE, 0, 700)
    world.system.capacity_bytes = 1500
    uploads = world.store.uploads
    assert refused(uploads.write(ID, 700, DATA[700:2000])) == "files_disk_full"
    assert world.system.content(world.store.layout.upload(ID)) == DATA[:700]
    assert refused(uploads.write(ID, 2000, DATA[2000:3000])) == "file_not_stored"  # what was sent behind it
    world.system.capacity_bytes = None
    world.write(STATE, 700, len(DATA))
    finish_and_check(world)


def test_what_cannot_be_cut_off_again_is_written_over(world):
    world.create(STATE, DATA)
    world.system.capacity_bytes = 1500
    world.system.fail("truncate", ID)
    assert refused(world.store.uploads.write(ID, 0, DATA)) == "files_disk_full"
    assert world.system.content(world.store.layout.upload(ID)) != b""
    world.system.capacity_bytes = None
    world.write(STATE, 0, len(DATA), piece=4999)
    finish_and_check(world)


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EROFS, errno.EFBIG])
def test_a_write_that_fails_in_another_way(world, code):
    world.create(STATE, DATA)
    world.system.fail("write", ID, code=code)
    assert refused(world.store.uploads.write(ID, 0, DATA)) == "file_not_stored"
    world.write(STATE, 0, len(DATA))
    finish_and_check(world)


def test_a_failed_sync_costs_one_upload_and_no_other(world):
    trouble = []
    world.store.uploads._on_trouble = lambda what, error: trouble.append((what, error.errno))
    world.create(STATE, DATA)
    world.create(OTHER, DATA)
    fault = world.system.fail("sync", ID)
    world.write(STATE, 0, 1024)
    assert refused(world.store.uploads.write(ID, 1024, DATA[1024:2000])) == "upload_unknown"
    assert fault.hits == 1
    assert refused(world.store.uploads.write(ID, 1024, DATA[1024:2000])) == "upload_unknown"
    assert refused(world.store.uploads.finish(STATE, None)) == "upload_unknown"
    assert trouble == [("an upload could not be written", errno.EIO)]
    world.write(OTHER, 0, len(DATA))
    world.finish(OTHER)
    uploads = world.start()
    assert list(uploads) == [OTHER.file_id]
    world.check(uploads)


@pytest.mark.parametrize(
    ("call", "word", "reason"),
    [
        ("sync", ID, "upload_unknown"),  # its last bytes
        ("make_directory", "00", "file_not_stored"),
        ("sync_directory", "files", "upload_unknown"),
        ("create", "json.new", "file_not_stored"),
        ("write", "json.new", "file_not_stored"),
        ("sync", "json.new", "file_not_stored"),
        ("rename", "json.new", "file_not_stored"),
        ("sync_directory", "incoming", "upload_unknown"),
        ("rename", ID, "file_not_stored"),
        ("sync_directory", "00", "upload_unknown"),
        ("read", ID, None),
    ],
)
def test_each_call_of_the_end_that_fails(sent, call, word, reason):
    if reason is None:  # after a restart the file is read to hash it
        sent.start()
    fault = sent.system.fail(call, word, code=errno.EACCES, skip=1 if (call, word) == ("rename", ID) else 0)
    if reason is None:
        assert refused(sent.store.uploads.finish(STATE, None)) == "file_not_stored"
    else:
        assert refused(sent.store.uploads.finish(STATE, None)) == reason
    assert fault.hits == 1
    if reason == "upload_unknown":
        uploads = sent.start()
        assert uploads == {}
        sent.check(uploads)
    else:
        finish_and_check(sent)  # again, once the folder may be written


def test_an_upload_that_cannot_be_begun_says_so_with_its_first_write(world):
    world.system.fail("make_directory", "files", code=errno.EACCES, times=2)
    world.create(STATE, DATA)
    assert refused(world.store.uploads.write(ID, 0, DATA)) == "file_not_stored"
    assert refused(world.store.uploads.finish(STATE, None)) == "file_not_stored"


@pytest.mark.parametrize("has_checksum", [False, True])
def test_an_upload_that_could_not_be_begun_is_taken_when_there_is_space(world, has_checksum):
    """Its sender has its address, is told to try later, and does."""
    world.create(OTHER, DATA)
    world.system.capacity_bytes = world.system.used_bytes()
    world.create(STATE, DATA)
    uploads = world.store.uploads
    for _ in range(2):
        assert refused(uploads.write(ID, 0, DATA[:10])) == "files_disk_full"
        assert refused(uploads.note_unjudged(ID, 0)) == "files_disk_full"
    world.system.capacity_bytes = None
    if has_checksum:
        run(uploads.note_unjudged(ID, 0))
    world.write(STATE, 0, 2000)
    assert world.start()[ID].offset == (0 if has_checksum else 2000)
    world.write(STATE, 0 if has_checksum else 2000, len(DATA))
    finish_and_check(world)


def test_an_upload_whose_beginning_cannot_be_synced_begins_anew(world):
    world.create(OTHER, DATA)
    world.system.fail("sync_directory", "incoming")
    world.create(STATE, DATA)
    assert refused(world.store.uploads.write(ID, 0, DATA)) == "upload_unknown"
    assert list(world.start()) == [OTHER.file_id]


def test_an_unlink_that_is_refused_is_tried_again(sent):
    stored = sent.finish(STATE, rewritten=True)
    sent.commit(STATE)
    sent.settle(STATE)
    fault = sent.system.fail("unlink", f"{ID}.320", code=errno.EACCES)
    sent.delete(STATE)
    assert fault.hits == 1
    assert sent.gone == {ID}
    sent.unlink_gone()
    assert sent.gone == set()
    sent.check(sent.start())
    assert stored.info.previews == [320, 1600]


def test_the_folder_whose_names_cannot_be_synced_is_not_off_the_disk(sent):
    sent.finish(STATE)
    sent.commit(STATE)
    sent.settle(STATE)
    sent.system.fail("sync_directory", "00")
    sent.delete(STATE)
    assert sent.gone == {ID}


def test_bytes_that_were_taken_off_again_do_not_come_back(world):
    wrong = bytes_of(9, 5000)
    world.create(STATE, DATA)
    world.write(STATE, 0, 700)
    run(world.store.uploads.write(ID, 700, wrong[700:3000]))  # across two syncs
    run(world.store.uploads.cut(ID, 700))
    for seed in range(20):
        after = world.after(world.system.cut(random.Random(seed)))
        after.check(after.start())
    world.write(STATE, 700, len(DATA))
    finish_and_check(world)
    assert refused(world.store.uploads.cut(ID, 0)) == "file_not_stored"  # it is finished


def test_a_cut_that_fails_leaves_the_upload_as_it_was(sent):
    sent.system.fail("truncate", ID)
    assert refused(sent.store.uploads.cut(ID, 100)) == "file_not_stored"
    assert refused(sent.store.uploads.cut(ID, 5001)) == "file_not_stored"
    finish_and_check(sent)


def test_misuse_is_refused(world):
    uploads = world.store.uploads
    assert refused(uploads.write(ID, 0, b"x")) == "upload_unknown"
    world.create(STATE, DATA)
    assert refused(uploads.write(ID, 1, b"x")) == "file_not_stored"
    assert refused(uploads.write(ID, 0, DATA + b"x")) == "file_not_stored"
    assert refused(uploads.finish(STATE, None)) == "upload_not_whole"
    world.write(STATE, 0, len(DATA))
    first = world.finish(STATE)
    assert run(uploads.finish(STATE, None)) == first
    assert refused(uploads.write(ID, len(DATA), b"")) == "file_not_stored"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"\xff\xfe", b"[" * 5000, b'{"file_id":"x"}', b"0" * 20_000,
        encode_sidecar(OTHER), encode_sidecar(replace(STATE, size_bytes=-1)),
    ],
)  # fmt: skip
def test_a_torn_or_foreign_sidecar_is_swept_with_its_upload(sent, content):
    sent.system.put(sent.store.layout.sidecar(ID), content)
    uploads = sent.start()
    assert uploads == {}
    sent.check(uploads)


def test_a_sidecar_that_cannot_be_read_now_is_left_alone(sent):
    sent.system.fail("open", f"{ID}.json", times=1)
    assert sent.start() == {}
    assert sent.start()[ID].offset == len(DATA)


def test_a_restored_directory_gets_its_lock_at_the_start(world):
    lock = world.store.layout.backup_lock
    world.start()
    assert world.system.content(lock) is None  # nothing is made before the first file
    world.system.make_directory(world.store.layout.directory)
    world.start()
    assert world.system.content(lock) == b""


def test_names_that_are_not_ours_stay(sent):
    sent.finish(STATE)
    layout = sent.store.layout
    for path in (layout.incoming / "README", layout.directory / "00" / "notes.txt"):
        sent.system.put(path, b"mine")
    sent.start()
    assert sent.system.content(layout.incoming / "README") == b"mine"
    assert sent.system.content(layout.directory / "00" / "notes.txt") == b"mine"


def test_no_descriptor_is_left_open(world):
    states = [state_of(number, DATA) for number in range(1, 40)]
    for state in states:
        world.create(state, DATA)
        world.write(state, 0, 1000)
    assert world.system.descriptors() <= 16
    for state in states:
        world.write(state, 1000, len(DATA))
        world.finish(state)
    assert world.system.descriptors() == 0
    for state in states[:10]:
        world.discard(state)
    assert world.system.descriptors() == 0
