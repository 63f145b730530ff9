"""The remembered time is a hint: whatever is wrong with it, the server starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from securechat.hub.wall_clock import Doubt, WallClock
from securechat.server.clock_file import NAME, doubt_at_rest, doubt_sentence, read_time, write_time

AT_MS = 1_750_000_000_123


def test_a_time_is_remembered_for_its_owner_alone(tmp_path: Path) -> None:
    assert read_time(tmp_path) == 0
    for at_ms in (AT_MS, AT_MS + 1):
        write_time(tmp_path, at_ms)
        assert read_time(tmp_path) == at_ms
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    if sys.platform != "win32":
        assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"soon", b"-5", b"9" * 40, b"9" * 5000, b"\xff\xfe", b"1e9"])
def test_nonsense_is_no_time(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert read_time(tmp_path) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links as POSIX has them")
def test_what_is_in_its_place_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    assert read_time(tmp_path) == 0
    (tmp_path / "precious").write_text("precious")
    (tmp_path / f".{NAME}.tmp").symlink_to(tmp_path / "precious")
    write_time(tmp_path, AT_MS)
    assert read_time(tmp_path) == AT_MS
    assert (tmp_path / "precious").read_text() == "precious"


def test_where_nothing_can_be_written_nothing_fails(tmp_path: Path) -> None:
    write_time(tmp_path / "nowhere", AT_MS)


def test_a_stopped_servers_clock_is_doubted_as_its_start_would(tmp_path: Path) -> None:
    assert doubt_at_rest(tmp_path, AT_MS) is None
    write_time(tmp_path, AT_MS)
    for days, doubted in ((-10, True), (-2, False), (0, False), (2, False), (10, True)):
        now_ms = AT_MS + days * 86_400_000
        doubt = doubt_at_rest(tmp_path, now_ms)
        assert (doubt is not None) == doubted
        clock = WallClock(lambda now_ms=now_ms: now_ms, lambda: 0.0)
        clock.restore(AT_MS)
        assert doubt == clock.doubt()


def test_the_operator_is_told_both_times() -> None:
    sentence = doubt_sentence(Doubt(AT_MS, 2**60, 5.0))
    assert "the clock is wrong now, or it was ahead" in sentence
    assert "was off" not in sentence, "no server was off for minus so many days"
    assert "was off for so long, or the clock is wrong" in doubt_sentence(Doubt(AT_MS, AT_MS - 1, 5.0))
    assert "the clock says 2025-06-15 15:06 UTC" in sentence
    assert "a date outside the calendar" in sentence
