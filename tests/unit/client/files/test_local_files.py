"""Files of this machine: which are sent, and where those of strangers are written."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.client.files import saving
from securechat.client.files.https import TransferError
from securechat.client.files.saving import LocalTarget, local_target
from securechat.client.files.sources import LocalFile, local_files, opened
from securechat.limits import MAX_FILE_NAME_BYTES, MAX_MESSAGE_FILES
from securechat.text.sanitize import is_hostile


def saved(place: LocalTarget, data: bytes = b"x") -> Path:
    with saving.unfinished(place) as (file, path):
        file.write(data)
        return saving.finish(file, path, place)


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_file_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my photo.jpg").write_bytes(b"12345")
    assert local_files(["~/my photo.jpg"]) == (LocalFile(tmp_path / "my photo.jpg", "my photo.jpg", 5),)


@pytest.mark.parametrize("typed", ["missing", "", "~nobody-is-called-so/a", "a\0b"])
def test_what_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TransferError, match=r"no such file|cannot be sent"):
        local_files([typed])


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero")):
        with pytest.raises(TransferError, match="cannot be sent"):
            local_files([str(path)])


def test_an_empty_file_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(TransferError, match="empty"):
        local_files([str(tmp_path / "a")])


def test_more_files_than_a_message_can_have_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert len(local_files([str(tmp_path / "a")] * MAX_MESSAGE_FILES)) == MAX_MESSAGE_FILES
    with pytest.raises(TransferError, match="at most 10 files"):
        local_files([str(tmp_path / "a")] * (MAX_MESSAGE_FILES + 1))


def test_a_name_that_is_no_text_is_sent_as_what_can_be_shown(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9\x1b[2J.txt"
    Path(os.fsdecode(path)).write_bytes(b"1")
    (file,) = local_files([os.fsdecode(path)])
    assert file.name.encode() == b"caf[2J.txt"


def test_a_log_that_grows_is_sent_as_long_as_it_was_and_one_that_shrank_is_not(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"12345")
    (file,) = local_files([str(path)])
    path.write_bytes(b"1234567")
    with opened(file) as source:
        assert source.read(file.size) == b"12345"
    path.write_bytes(b"1234")
    with pytest.raises(TransferError, match="changed"):
        opened(file)
    path.unlink()
    with pytest.raises(TransferError, match="cannot be read any more"):
        opened(file)


@pytest.mark.parametrize(
    ("kind", "moves"), [("JPEG", False), *((kind, moves) for kind in ("PNG", "GIF", "WEBP") for moves in (False, True))]
)
def test_a_picture_that_is_written_anew_is_told_from_one_that_stays_as_it_is(
    tmp_path: Path, kind: str, moves: bool
) -> None:
    """What is said before sending depends on it."""
    pytest.importorskip("PIL")
    from tests.support.pictures import encoded, moving, upright

    path = tmp_path / "picture.bin"
    path.write_bytes(moving(kind) if moves else encoded(upright(), kind))
    (file,) = local_files([str(path)])
    assert (file.picture, file.telling) == (not moves, moves)


@pytest.mark.parametrize("name", ["film.MOV", "scan.pdf", "IMG_1.HEIC"])
def test_other_files_that_have_place_or_author_in_them_are_known_by_their_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"123")
    (file,) = local_files([str(tmp_path / name)])
    assert (file.picture, file.telling) == (False, True)


@pytest.mark.parametrize("size", [1, 5, 13, 14, 20, 100, 500])
def test_a_gif_that_breaks_off_is_no_trouble(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.gif").write_bytes((b"GIF89a\1\0\1\0\xf7\0\0" + b"," * 1_000)[:size])
    (file,) = local_files([str(tmp_path / "a.gif")])
    assert file.size == size


# --- saving -----------------------------------------------------------------------------------------------------------


def test_files_go_to_the_downloads_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "home" / "Downloads"
    monkeypatch.setattr(platformdirs, "user_downloads_path", lambda: folder)
    assert saved(local_target(None, "a.txt")) == folder / "a.txt"


def test_a_folder_or_a_name_may_be_given(tmp_path: Path) -> None:
    assert local_target(str(tmp_path), "a.txt") == LocalTarget(tmp_path, "a.txt")
    assert local_target(str(tmp_path / "b.txt"), "a.txt") == LocalTarget(tmp_path, "b.txt")
    for typed, alone in ((tmp_path / "b.txt", False), (f"{tmp_path}/no/", True), (tmp_path / "no" / "b.txt", True)):
        with pytest.raises(TransferError, match="no such folder"):
            local_target(typed, "a.txt", alone=alone)


def test_a_name_in_a_folder_that_is_not_there_is_refused_by_the_name_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(TransferError) as refused:
        local_target(tmp_path / "no" / "b.txt", "a.txt")
    assert str(refused.value).endswith(f": {tmp_path / 'no'}")


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"mine")
    (tmp_path / "a.tar (1).gz").symlink_to(tmp_path / "elsewhere")
    assert saved(LocalTarget(tmp_path, "a.tar.gz")) == tmp_path / "a.tar (2).gz"
    assert (tmp_path / "a.tar.gz").read_bytes() == b"mine"
    assert not (tmp_path / "elsewhere").exists()


def test_a_disk_without_links_keeps_the_promise_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(saving.os, "link", no_links)
    (tmp_path / "a").write_bytes(b"mine")
    assert saved(LocalTarget(tmp_path, "a"), b"theirs") == tmp_path / "a (1)"
    assert (tmp_path / "a").read_bytes() == b"mine"
    assert (tmp_path / "a (1)").read_bytes() == b"theirs"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "a (1)"]


def test_a_saved_file_is_its_users_alone_and_not_executable(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert saved(LocalTarget(tmp_path, "run.sh")).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="Cannot save in"):
        saved(LocalTarget(tmp_path / "gone", "a"))


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["../../etc/passwd", "..", ".", "", "/etc/passwd", "C:\\boot.ini", "con", "NUL.txt", ".bashrc", "-rf", "a/../b",
         "photo\u202egpj.exe", "x\x00y", "\x1b[2J", "a" * 400, "ä" * 200 + ".tar.gz", "name.", "name ", "~", "$HOME"]
    ),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(name=HOSTILE, times=st.integers(1, 3))
def test_no_name_of_a_stranger_leaves_the_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str, times: int
) -> None:
    folder = tmp_path_factory.mktemp("saved")
    paths = [saved(local_target(str(folder), name)) for _ in range(times)]
    assert len(set(paths)) == times
    for path in paths:
        assert path.parent == folder
        assert path.resolve().parent == folder.resolve()
        assert not path.name.startswith((".", "-"))
        assert not is_hostile(path.name)
        assert len(path.name.encode()) <= MAX_FILE_NAME_BYTES
    assert {each.name for each in folder.iterdir()} == {path.name for path in paths}
