"""Pictures on their way through the real workers and the real disk, and what each outcome is to a sender."""

from __future__ import annotations

import errno
import hashlib
import io
import queue

import pytest

from securechat.pictures.answers import UnreadableReason
from securechat.pictures.records import PictureNotWritten, PicturesBusy, UnreadablePicture
from securechat.pictures.workers import PictureWorkers
from securechat.records.files import UploadState
from securechat.server.files.disk import ThreadedFileDisk
from securechat.server.files.pictures import WorkerPictures

ID = "ab" * 16


class Canned:
    def __init__(self, outcome):
        self.outcome = outcome

    def rewrite(self, source, into, done, *, owner):
        done(self.outcome)


@pytest.mark.parametrize(
    ("outcome", "reason", "troubles"),
    [
        (UnreadablePicture(UnreadableReason.DAMAGED), "picture_unreadable", 0),
        (PicturesBusy(), "pictures_busy", 0),
        (PictureNotWritten(OSError(errno.ENOSPC, "no space")), "files_disk_full", 1),
        (PictureNotWritten(OSError(errno.EIO, "broken")), "file_not_stored", 1),
        (PictureNotWritten(MemoryError()), "file_not_stored", 1),
    ],
)
def test_each_outcome_is_a_refusal(tmp_path, outcome, reason, troubles):
    answers, told = [], []
    WorkerPictures(Canned(outcome), told.append).rewrite(tmp_path, tmp_path, answers.append, owner=1)
    assert [each.reason for each in answers] == [reason]
    assert len(told) == troubles


@pytest.fixture
def send(tmp_path):
    posted, workers = queue.SimpleQueue(), PictureWorkers(50_000_000, (320, 1600), 4)
    disk = ThreadedFileDisk(tmp_path, posted.put, pictures=WorkerPictures(workers))

    def send_file(data, name):
        state, answers = UploadState(ID, "key", 7, name, len(data), False, 1, 2), []
        disk.create(state)
        disk.write(ID, 0, data, answers.append)
        disk.finish(state, answers.append)
        while len(answers) < 2:
            posted.get(timeout=30)()
        assert answers[0] is None
        return answers[1]

    yield send_file
    disk.close()
    workers.close()


def image_bytes(kind, size=(2000, 1000), **settings):
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new("RGB", size, (10, 20, 30)).save(out, kind, **settings)
    return out.getvalue()


def files_in(path):
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_a_photo_goes_through_the_worker(send, tmp_path):
    stored = send(image_bytes("JPEG", comment=b"at home"), "photo.jpg")
    info, folder = stored.info, tmp_path / "files"
    assert (info.type, info.width, info.height, info.previews) == ("image/jpeg", 2000, 1000, [320, 1600])
    assert files_in(folder) == [
        f"ab/{ID}", f"ab/{ID}.1600", f"ab/{ID}.320", "backup.lock", "boot", f"incoming/{ID}.json"
    ]  # fmt: skip
    data = (folder / "ab" / ID).read_bytes()
    assert (len(data), hashlib.sha256(data).digest()) == (info.size, stored.sha256)
    assert b"at home" not in data
    copies = [(folder / "ab" / f"{ID}.{side}").stat() for side in info.previews]
    assert stored.previews_bytes == sum(each.st_size for each in copies)
    assert all(each.st_mode & 0o777 == 0o600 for each in (*copies, (folder / "ab" / ID).stat()))


def test_what_moves_keeps_its_bytes_and_has_still_previews(send, tmp_path):
    image = pytest.importorskip("PIL.Image")
    frames = [image.new("RGB", (500, 400), (shade, 0, 0)) for shade in (0, 200)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    stored = send(out.getvalue(), "dance.gif")
    assert not stored.info.is_picture
    assert (stored.info.type, stored.info.previews) == ("image/gif", [320, 1600])
    assert (tmp_path / "files" / "ab" / ID).read_bytes() == out.getvalue()
    assert stored.sha256 == hashlib.sha256(out.getvalue()).digest()


def test_a_torn_picture_is_unreadable_and_leaves_no_copy(send, tmp_path):
    refusal = send(image_bytes("PNG")[:300], "photo.png")
    assert refusal.reason == "picture_unreadable"
    assert not [name for name in files_in(tmp_path / "files") if "picture" in name or name.startswith("ab/")]
