"""What a bot has handled, and how that is kept on disk."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.bot import CursorNotKept, StartupFailed
from securechat.bot.cursor import Cursor, CursorFile, CursorFolder, Progress


def test_in_order_the_cursor_is_the_last_entry_that_ended() -> None:
    progress = Progress(Cursor(10))
    progress.begins(11)
    assert progress.cursor == Cursor(10, at=11)
    progress.ended(11, through=11)
    assert progress.cursor == Cursor(11)


def test_what_an_earlier_run_was_handling_comes_again_and_stays_marked_until_it_ended() -> None:
    progress = Progress(Cursor(10, at=12))
    assert progress.is_again(12)
    assert not progress.is_again(11)
    assert not progress.is_done(12)
    progress.ended(11, through=11)
    assert progress.cursor == Cursor(11, at=12)
    progress.ended(12, through=12)
    assert progress.cursor == Cursor(12)


def test_above_a_gap_the_cursor_waits_and_names_what_was_handled() -> None:
    """7 of one room was handled while 3 of another is still being read from the log."""
    progress = Progress(Cursor(2))
    progress.ended(7, through=2)
    assert progress.cursor == Cursor(2, above=(7,))
    again = Progress(progress.cursor)  # killed here
    assert again.is_done(7)
    assert not again.is_done(3)
    again.ended(3, through=8)
    assert again.cursor == Cursor(8)


def test_another_log_has_other_numbers() -> None:
    progress = Progress(Cursor(100, at=101, above=(104,)))
    progress.restart(5)
    assert progress.cursor == Cursor(5)
    assert not progress.is_again(101)
    assert not progress.is_done(6)


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_whatever_the_order_nothing_is_done_before_it_ended(order: list[int], killed_after: int) -> None:
    progress = Progress(Cursor(0))
    handled: set[int] = set()
    for seq in order[:killed_after]:
        handled.add(seq)
        missing = min(set(range(1, 10)) - handled)
        progress.ended(seq, through=missing - 1)
    again = Progress(progress.cursor)
    assert {seq for seq in range(1, 9) if again.is_done(seq)} == handled


def test_a_cursor_is_on_disk_before_the_name_is_and_the_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "bot.json"
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    file = CursorFile(path)
    file.write(Cursor(1, at=2))
    if sys.platform == "linux":
        assert steps == ["file", "rename", "directory"]
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    steps.clear()
    file.write(Cursor(1, at=2))
    assert steps == [], "the same cursor is written once"


def test_a_full_disk_leaves_the_old_cursor_and_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bot.json"
    file = CursorFile(path)
    file.write(Cursor(1))
    content = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CursorNotKept, match=r"bot\.json cannot be kept: No space"):
            file.write(Cursor(2))
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    file.write(Cursor(2))
    assert path.read_bytes() != content


def test_each_account_at_a_server_has_its_cursor(tmp_path: Path) -> None:
    folder = CursorFolder(tmp_path, "Chat.Lan", 8443)
    for number in (3, 12):
        file = folder.file(number)
        assert file is not None
        file.write(Cursor(number * 10, above=(number * 10 + 5,)))
    other = CursorFolder(tmp_path, "chat.lan", 8444).file(3)
    assert other is not None
    other.write(Cursor(999))
    assert CursorFolder(tmp_path, "chat.lan", 8443).read() == {
        3: Cursor(30, above=(35,)),
        12: Cursor(120, above=(125,)),
    }


def test_without_a_state_directory_nothing_is_kept() -> None:
    folder = CursorFolder(None, "chat.lan", 8443)
    assert folder.read() == {}
    assert folder.file(3) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"done": "9"}', b'{"done": 1, "above": [null]}', b"\xff", b'{"at": 3}']
)
def test_a_damaged_cursor_stops_the_start_and_is_named(tmp_path: Path, content: bytes) -> None:
    """To begin with what is said from now on would lose messages without a word."""
    folder = CursorFolder(tmp_path, "chat.lan", 8443)
    file = folder.file(3)
    assert file is not None
    file.write(Cursor(1))
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    with pytest.raises(StartupFailed, match=f"{path.name} is damaged. Delete it"):
        folder.read()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    folder = CursorFolder(tmp_path, "chat.lan", 8443)
    file = folder.file(3)
    assert file is not None
    file.write(Cursor(1))
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartupFailed, match="cannot be read: it is a symbolic link"):
        folder.read()
