"""Backups, restores, checks and exports of the files of messages, while others upload and delete."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tarfile
import threading
from pathlib import Path

import pytest

from securechat.admin import backup_archive, exporting, file_commands, health, restore
from securechat.admin.backup_archive import CertificateFiles, is_file_member, make_backup
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.model import FileInfo, StoredFile
from securechat.records.accounts import EraseSender
from securechat.records.files import UploadState
from securechat.storage.files.layout import FileLayout
from securechat.storage.files.sidecar import encode_sidecar
from securechat.storage.files.steps import run
from securechat.storage.store import ApplyChanges
from securechat.storage.tools.backup import DATABASE, Snapshot
from securechat.storage.tools.stored_files import (
    FileComparison,
    RecordedFile,
    compare_files,
    files_by_room,
    files_by_sender,
    recorded_files,
)
from tests.support.file_data import FileData

NOTES, PHOTO, LATE = "ab" * 16, "ac" * 16, "cd" * 16


def quiet(share: float) -> None:
    assert 0 <= share <= 1


@pytest.fixture
def world(tmp_path):
    with FileData(tmp_path / "data") as made:
        made.send(NOTES, b"notes", "notes.txt")
        made.send(PHOTO, b"pixels" * 1000, "photo.png", "ops", previews={320: b"few", 1600: b"more"})
        yield made


def pack(world, archive, **settings):
    return make_backup(archive, world.data, CertificateFiles({}), force=True, progress=quiet, **settings)


def unpack(archive, to):
    shutil.rmtree(to, ignore_errors=True)
    return restore.restore(archive, to / "data", to / "certs", quiet)


def compare(data) -> FileComparison:
    with Snapshot(data / DATABASE) as snapshot:
        return compare_files(snapshot, FileLayout(data), quiet)


def names_in(data):
    return sorted(str(each.relative_to(data / "files")) for each in (data / "files").glob("??/*"))


def test_a_backup_has_the_files_that_its_messages_show(world, tmp_path):
    world.send(LATE, b"deleted")
    world.delete(LATE)
    world.upload("ef" * 16, b"not sent yet")
    made = pack(world, tmp_path / "b.tar")
    assert (made.files, made.missing_files, made.damaged_files) == (True, [], [])
    names = [f"files/ab/{NOTES}", f"files/ac/{PHOTO}", f"files/ac/{PHOTO}.1600", f"files/ac/{PHOTO}.320"]
    assert sorted(made.file_members()) == names
    restored = unpack(tmp_path / "b.tar", tmp_path / "again")
    assert (restored.files, restored.missing, restored.damaged, restored.surplus) == (2, [], [], [])
    data = tmp_path / "again" / "data"
    assert names_in(data) == [each.removeprefix("files/") for each in names]
    found = compare(data)
    assert (found.looked_at, found.missing, found.damaged, found.surplus) == (2, [], [], [])
    if os.name == "posix":
        assert (data / "files" / "ab").stat().st_mode & 0o777 == 0o700
        assert (data / "files" / "ab" / NOTES).stat().st_mode & 0o777 == 0o600


def test_without_files_the_archive_says_so(world, tmp_path):
    made = pack(world, tmp_path / "b.tar", with_files=False)
    assert (made.files, made.file_members()) == (False, {})
    restored = unpack(tmp_path / "b.tar", tmp_path / "again")
    assert [each.name for each in restored.missing] == ["notes.txt", "photo.png"]
    sentences = file_commands._restored_files(restored)
    assert sentences == ["The backup was made without files: 2 files that messages show are missing"]
    assert file_commands._files_in(made) == "The files of messages are not in it."


def test_what_is_missing_or_damaged_is_named_and_the_rest_is_packed(world, tmp_path):
    world.send(LATE, b"whole")
    layout = world.files.layout
    layout.file(NOTES).unlink()
    layout.file(PHOTO).write_bytes(b"other pixels")
    made = pack(world, tmp_path / "b.tar")
    assert (made.missing_files, made.damaged_files) == ([NOTES], [PHOTO])
    restored = unpack(tmp_path / "b.tar", tmp_path / "again")
    assert restored.files == 1
    assert file_commands._restored_files(restored) == [
        "1 file of messages was restored, with its SHA-256",
        "Missing in the backup: notes.txt (1)",
        "Damaged when the backup was made: photo.png (2)",
    ]
    found = compare(tmp_path / "again" / "data")
    assert [each.file_id for each in found.missing] == [NOTES]
    assert [each.file_id for each in found.damaged] == [PHOTO]


def test_a_missing_preview_is_a_missing_file(world, tmp_path):
    world.files.layout.file(PHOTO, 320).unlink()
    assert [each.file_id for each in compare(world.data).missing] == [PHOTO]
    assert pack(world, tmp_path / "b.tar").missing_files == [PHOTO]


def test_a_file_that_cannot_be_read_to_its_end_does_not_end_the_backup(world, tmp_path, monkeypatch):
    class Broken:
        def __init__(self, path):
            self.file = path.open("rb")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def fileno(self):
            return self.file.fileno()

        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    opened = backup_archive.open_regular
    monkeypatch.setattr(
        backup_archive, "open_regular", lambda path: Broken(path) if path.name == NOTES else opened(path)
    )
    made = pack(world, tmp_path / "b.tar")
    assert made.damaged_files == [NOTES]
    restored = unpack(tmp_path / "b.tar", tmp_path / "again")
    assert [each.file_id for each in restored.damaged] == [NOTES]
    assert (tmp_path / "again" / "data" / "files" / "ab" / NOTES).read_bytes() == bytes(5)


def test_what_no_message_shows_is_not_restored(world, tmp_path, monkeypatch):
    world.upload(LATE, b"not sent")
    extra = RecordedFile(LATE, 9, "x", 8, hashlib.sha256(b"not sent").digest(), [], 8)
    monkeypatch.setattr(backup_archive, "recorded_files", lambda snapshot: [*recorded_files(snapshot), extra])
    pack(world, tmp_path / "b.tar")
    restored = unpack(tmp_path / "b.tar", tmp_path / "again")
    assert restored.surplus == [LATE]
    assert not (tmp_path / "again" / "data" / "files" / "cd" / LATE).exists()
    assert "no message shows them: " + LATE in file_commands._restored_files(restored)[-1]


@pytest.mark.parametrize(
    "name",
    [
        f"files/{NOTES}", f"files/ab/../{NOTES}", f"files/ab/{NOTES}.json", f"files/ab/{LATE}", f"files/ab/{NOTES}.0",
        f"/files/ab/{NOTES}", f"files/ab/{NOTES}\n", f"files/ab/{NOTES}.320/x", "files/incoming/x", "files/link.key",
    ],
)  # fmt: skip
def test_other_names_are_no_files(name):
    assert not is_file_member(name)


def test_a_changed_file_in_an_archive_is_refused(world, tmp_path):
    archive = tmp_path / "b.tar"
    pack(world, archive)
    content = archive.read_bytes()
    assert content.count(b"notes\0") == 1
    archive.write_bytes(content.replace(b"notes\0", b"stone\0"))
    with pytest.raises(AdminFailure, match="changed since it was made") as caught:
        unpack(archive, tmp_path / "again")
    assert caught.value.code is AdminExit.REFUSED
    assert not (tmp_path / "again").exists()


# --- While people upload and delete -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_held", [True, False])
def test_nothing_that_a_backup_shows_is_unlinked_under_it(world, tmp_path, monkeypatch, is_held):
    if not is_held:  # what the lock is good for
        monkeypatch.setattr(backup_archive, "holding_files", lambda _: contextlib.nullcontext())
    unlinked = []

    def progress(share):
        if not unlinked:  # the database is read
            world.delete(NOTES)
            unlinked.append(world.unlink_gone())

    archive = tmp_path / "b.tar"
    made = make_backup(archive, world.data, CertificateFiles({}), force=True, progress=progress)
    assert unlinked == ([()] if is_held else [(NOTES,)])
    assert made.missing_files == ([] if is_held else [NOTES])
    assert unpack(archive, tmp_path / "again").files == (2 if is_held else 1)
    assert world.unlink_gone() == ((NOTES,) if is_held else ())
    assert compare(world.data).surplus == []


def test_backups_in_a_loop_during_uploads_and_deletions(tmp_path):
    over, began, failures = threading.Event(), threading.Event(), []
    counts = {"sent": 0, "deleted": 0, "unlinked": 0}

    def live():
        try:
            with FileData(tmp_path / "data") as world:
                while not over.is_set():
                    file_id = hashlib.md5(b"%d" % counts["sent"], usedforsecurity=False).hexdigest()
                    data = file_id.encode() * (1 + counts["sent"] % 50)
                    previews = {320: data[:30]} if counts["sent"] % 3 == 0 else None
                    world.send(file_id, data, previews=previews)
                    counts["sent"] += 1
                    if len(world.sent) > 20:
                        world.delete(next(iter(world.sent)))
                        counts["deleted"] += 1
                    if counts["sent"] % 5 == 0:
                        counts["unlinked"] += len(world.unlink_gone())
                    if counts["sent"] > 30:
                        began.set()
                while world.unlink_gone():
                    pass
        except BaseException as error:
            failures.append(error)
            began.set()
            raise

    thread = threading.Thread(target=live)
    thread.start()
    try:
        assert began.wait(60)
        seen = []
        for number in range(8):
            archive = tmp_path / f"{number}.tar"
            made = make_backup(archive, tmp_path / "data", CertificateFiles({}), force=False, progress=quiet)
            seen.append((counts["sent"], counts["deleted"], counts["unlinked"]))
            assert (made.missing_files, made.damaged_files) == ([], [])
            restored = unpack(archive, tmp_path / "again")
            assert restored.files >= 20
            assert (restored.missing, restored.damaged, restored.surplus) == ([], [], [])
            found = compare(tmp_path / "again" / "data")
            assert (found.missing, found.damaged, found.surplus) == ([], [], [])
            assert compare(tmp_path / "data").missing == []  # of the living one
    finally:
        over.set()
        thread.join(60)
    assert failures == []
    for first, last in zip(seen[0], seen[-1], strict=True):
        assert last > first, "nothing was uploaded, deleted or unlinked meanwhile"
    found = compare(tmp_path / "data")
    assert (found.missing, found.damaged, found.surplus) == ([], [], [])


# --- Check, export, figures -------------------------------------------------------------------------------------------


def test_check_names_what_is_missing_damaged_and_surplus(world):
    layout = world.files.layout
    layout.file(NOTES).write_bytes(b"nites")
    layout.file(PHOTO).unlink()
    layout.folder(LATE).mkdir()
    layout.file(LATE).write_bytes(b"whose?")
    with Snapshot(world.data / DATABASE) as snapshot:
        findings = list(health._files(world.data, snapshot, quiet))
    assert {each.word for each in findings} == {"file"}
    assert [each.text for each in findings] == [
        f"File photo.png of message 2 is missing on the disk ({PHOTO})",
        f"File notes.txt of message 1 is not what was stored ({layout.file(NOTES)})",
        f"The file {layout.file(LATE)} belongs to no message",
    ]
    assert all("move the data directory away" not in each.fix for each in findings)  # newer messages would be lost


def test_check_gives_the_same_advice_once():
    found = [health.HealthFinding("file", f"File {name}", "check the disk") for name in "abc"]
    found.insert(1, health.HealthFinding("certificate", "It has expired", "renew"))
    assert file_commands._finding_lines(found) == [
        ["file: File a", "    fix: check the disk"],
        ["certificate: It has expired", "    fix: renew"],
        ["file: File b"],
        ["file: File c", "    fix: check the disk"],
    ]


def test_check_takes_what_happens_meanwhile_for_no_fault(world):
    """A file goes and another comes between the snapshot and the look at the disk."""
    with Snapshot(world.data / DATABASE) as snapshot:
        world.delete(NOTES)
        world.unlink_gone()
        world.send(LATE, b"new")
        world.delete(PHOTO)  # to be unlinked
        assert [each.file_id for each in recorded_files(snapshot)] == [NOTES, PHOTO]
        found = compare_files(snapshot, world.files.layout, quiet)
    assert (found.looked_at, found.missing, found.damaged, found.surplus) == (2, [], [], [])


def test_export_copies_the_files_beside_the_lines(world, tmp_path):
    world.send(LATE, b"gone", "../../CON", "ops")
    world.files.layout.file(LATE).unlink()
    rows = [
        {"seq": 1, "files": [{"id": NOTES, "name": "a/../notes?.txt", "sha256": hashlib.sha256(b"notes").hexdigest()}]},
        {"seq": 2},
        {"seq": 3, "files": [{"id": LATE, "name": "x", "sha256": hashlib.sha256(b"gone").hexdigest()}]},
        {"seq": 4, "files": [{"id": NOTES, "name": "y", "sha256": hashlib.sha256(b"other").hexdigest()}]},
    ]
    target, copied = exporting._new_directory(tmp_path / "out"), exporting._Copied()
    written = list(exporting._with_files(json.loads(json.dumps(rows)), world.data, target, copied))
    assert [file["path"] for row in written for file in row.get("files", ())] == ["1-0/notes_.txt", None, None]
    assert (target / "1-0" / "notes_.txt").read_bytes() == b"notes"
    assert sorted(each.name for each in target.iterdir()) == ["1-0"]
    assert (copied.files, copied.missing) == (1, ["x (3)", "y (4)"])
    with pytest.raises(AdminFailure, match="exists"):
        exporting._new_directory(target)


def test_figures_by_person_and_room(world):
    world.send(LATE, b"x" * 10, room="ops")
    world.delete(NOTES)
    with Snapshot(world.data / DATABASE) as snapshot:
        [ann] = files_by_sender(snapshot, FileLayout(world.data))
        rooms = [(each.room, each.files, each.kept_bytes) for each in files_by_room(snapshot)]
    assert (ann.files, ann.kept_bytes, ann.gone_bytes) == (2, 6000 + 7 + 10, 5)
    assert rooms == [("ops", 2, 6017)]


def test_figures_have_the_uploads_that_no_message_has(world):
    """Also of senders who keep nothing else; a sidecar that is left of a message's file counts no more."""
    world.upload("ef" * 16, b"finished, not sent")
    for sender_id, file_id in ((1, "e1" * 16), (7, "e2" * 16)):
        run(world.files.uploads.create(UploadState(file_id, "key", sender_id, "half.iso", 1000, False, 1, 2)))
        run(world.files.uploads.write(file_id, 0, b"some"))
    layout = world.files.layout
    settled = UploadState(
        NOTES, "key", 1, "notes.txt", 5, False, 1, 2, 5, StoredFile(FileInfo(NOTES, "n", 5), bytes(32))
    )
    layout.sidecar(NOTES).write_bytes(encode_sidecar(settled))
    layout.sidecar("e3" * 16).write_bytes(b"torn")
    with Snapshot(world.data / DATABASE) as snapshot:
        rows = files_by_sender(snapshot, layout)
    assert [(row.sender_id, row.files, row.uploads, row.uploads_bytes) for row in rows] == [
        (1, 2, 2, 1000 + len(b"finished, not sent")),
        (7, 0, 1, 1000),
    ]


def test_files_of_an_account_that_is_gone_still_count_and_for_no_other(world):
    """Its messages stay without a name, and so do its files, under the number that no account gets again."""
    with Snapshot(world.data / DATABASE) as snapshot:
        [before] = files_by_sender(snapshot, FileLayout(world.data))
    world.log.apply([ApplyChanges((EraseSender(before.sender_id, False, 0),))])
    with Snapshot(world.data / DATABASE) as snapshot:
        [after] = files_by_sender(snapshot, FileLayout(world.data))
    assert (after.sender_id, after.files, after.kept_bytes) == (before.sender_id, before.files, before.kept_bytes)


def test_the_archive_is_a_plain_tar_file(world, tmp_path):
    pack(world, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
        assert names[0] == DATABASE
        assert names[-1] == "manifest.json"
        assert tar.extractfile(f"files/ab/{NOTES}").read() == b"notes"
        assert all(each.mode == 0o600 for each in tar)
    assert not list(Path(tmp_path).glob("*.part"))
