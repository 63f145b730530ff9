"""The double of the files' disk answers later, in order, and forgets nothing but what waited at a crash."""

from collections import deque

import pytest

from securechat.errors import Refusal
from securechat.model import StoredFile
from securechat.records.files import UploadState
from securechat.testing.memory_files import MemoryFiles, MemoryPicture
from securechat.text.refusals import refusal_for

ID = "ab" * 16


@pytest.fixture
def posted():
    return deque()


def run(posted):
    while posted:
        posted.popleft()()


def upload(size_bytes, name="notes.txt", *, as_file=False):
    return UploadState(ID, "key", 7, name, size_bytes, as_file, 1, 2)


def finished(files, posted, state, data):
    answers = []
    files.create(state)
    files.write(ID, 0, data, answers.append)
    files.finish(state, answers.append)
    assert answers == []
    run(posted)
    return answers


def test_an_upload_becomes_a_file(posted):
    files = MemoryFiles(posted.append)
    refused, stored = finished(files, posted, upload(5), b"hello")
    assert refused is None
    assert isinstance(stored, StoredFile)
    assert (stored.info.name, stored.info.size, stored.info.type) == ("notes.txt", 5, "text/plain")
    listed, opened, read = [], [], []
    files.list_stored("ab", listed.append)
    files.settle(ID)
    files.list_stored("ab", listed.append)
    files.open(ID, None, opened.append)
    files.open(ID, 320, opened.append)
    run(posted)
    assert [each.whole for each in listed] == [(), (ID,)]
    assert opened[1] is None
    opened[0].read(1, 3, read.append)
    run(posted)
    assert read == [b"ell"]
    gone = []
    files.unlink([ID], gone.append)
    run(posted)
    assert gone == [(ID,)]
    assert files.contents.used_bytes() == 0


def test_refusals(posted):
    files = MemoryFiles(posted.append)
    answers = []
    files.write(ID, 0, b"x", answers.append)
    files.create(upload(5))
    files.write(ID, 1, b"x", answers.append)
    files.finish(upload(5), answers.append)
    run(posted)
    files.total_bytes = 3
    files.write(ID, 0, b"hello", answers.append)
    run(posted)
    files.loses, files.total_bytes = 1, 100
    files.write(ID, 0, b"hello", answers.append)
    files.finish(upload(5), answers.append)
    run(posted)
    reasons = [answer and answer.reason for answer in answers]
    assert reasons == [
        "upload_unknown", "file_not_stored", "upload_not_whole", "files_disk_full", None, "upload_unknown"
    ]  # fmt: skip
    assert files.contents.uploads == {}


def test_a_picture_is_written_anew_and_an_unreadable_one_stays_whole(posted):
    def rewrite(data, name):
        if b"bad" in data:
            return refusal_for("picture_unreadable")
        return MemoryPicture(b"new", {320: b"small"})

    files = MemoryFiles(posted.append, rewrite=rewrite)
    _, stored = finished(files, posted, upload(9, "a.png"), b"GIF89a123")
    assert stored.info.is_picture
    assert stored.kept_bytes == 8
    assert files.contents.stored[ID] == {None: b"new", 320: b"small"}
    files.discard(ID)
    _, refusal = finished(files, posted, upload(9, "a.png"), b"GIF89abad")
    assert isinstance(refusal, Refusal)
    loaded = []
    files.load(loaded.append)
    run(posted)
    assert [(each.offset, each.unreadable) for each in loaded[0]] == [(9, True)]
    answers = []
    files.finish(upload(9, "a.png", as_file=True), answers.append)
    run(posted)
    assert not answers[0].info.is_picture


def test_after_a_crash_another_goes_on_where_this_one_was(posted):
    files = MemoryFiles(posted.append)
    files.create(upload(5))
    files.write(ID, 0, b"he", lambda _: None)
    run(posted)
    files.write(ID, 2, b"llo", lambda _: pytest.fail("answered after the crash"))
    files.abandon()
    run(posted)
    again, loaded = MemoryFiles(posted.append, files.contents), []
    again.load(loaded.append)
    run(posted)
    assert [each.offset for each in loaded[0]] == [2]
