"""Previews are made in a process: the real one, and ones that hang, die, lie, or answer without end."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.client.files.preview_process import (
    PictureProtocol,
    PreviewEncoder,
    PreviewSize,
    judged,
    preview_command,
)
from securechat.client.tty.png import IndexedPicture, encoded, png_size
from securechat.client.tty.screen_pictures import EncodedPicture
from securechat.client.tty.sixel import MOST_CHARS
from tests.support.server import wait_until

PICTURE = encoded(IndexedPicture(200, 100, bytes(range(30)), b"", bytes(each % 10 for each in range(20_000))))
KITTY = PreviewSize(PictureProtocol.KITTY, 25, 7, (8, 16))
SIXEL = PreviewSize(PictureProtocol.SIXEL, 25, 7, (8, 16))


def made(data: bytes, size: PreviewSize, program: str | None = None, deadline_s: float = 30.0) -> EncodedPicture | None:
    """What comes of a picture; ``program`` is Python that stands in for the worker."""
    posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    found: list[EncodedPicture | None] = []
    command = preview_command if program is None else lambda _: [sys.executable, "-I", "-S", "-c", program]
    PreviewEncoder(posted.put, command, deadline_s).encode(data, size, found.append)
    posted.get(timeout=60)()
    return found[0]


def test_a_preview_for_kitty_has_the_aspect_of_its_cells() -> None:
    picture = made(PICTURE, KITTY)
    assert picture is not None
    assert (picture.width, picture.height) == png_size(picture.png, 512) == (200, 112)
    assert PICTURE not in picture.png


def test_a_preview_in_sixels_has_an_image_for_each_row() -> None:
    picture = made(PICTURE, SIXEL)
    assert picture is not None
    assert len(picture.strips) == 7
    assert all(strip.startswith('\x1bP0;1;0q"1;1;200;16#') for strip in picture.strips)


@pytest.mark.parametrize("data", [b"", b"GIF89a", PICTURE[:-1], PICTURE + b"\0", b"\x1b[2J" + PICTURE, bytes(70_000)])
def test_what_is_no_such_picture_is_not_shown(data: bytes) -> None:
    assert made(data, KITTY) is None


SHOWS = "import sys, os; data = sys.stdin.buffer.read(); os.write(1, data)"


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.kill(os.getpid(), 9)",
        "raise SystemExit(3)",
        f"{SHOWS}; raise SystemExit(3)",
        "print('text')",
        "import os; os.write(1, b'\\x1b]52;c;eA==\\x07')",
        f"{SHOWS}; os.write(1, b'\\x1b[2J')",
        "import os\nwhile True: os.write(1, bytes(65536))",
        "import os; os.close(1); os.close(0)",
    ],
)
def test_a_worker_that_fails_or_lies_shows_nothing(program: str) -> None:
    assert made(PICTURE, KITTY, program) is None
    assert made(PICTURE, SIXEL, program) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("closes", ["", "os.close(1);"])
def test_a_worker_that_hangs_is_ended_with_what_it_has_started(tmp_path: Path, closes: str) -> None:
    pid = tmp_path / "pid"
    program = (
        "import os, time\nif os.fork():\n time.sleep(1000)\n"
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n{closes}time.sleep(1000)"
    )
    assert made(PICTURE, KITTY, program, deadline_s=2.0) is None
    child = int(pid.read_text(encoding="utf-8"))
    wait_until(lambda: not is_running(child), "ended")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] not in {"Z", "X"}


def test_one_after_the_other_in_order() -> None:
    posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    found: list[int] = []
    encoder = PreviewEncoder(posted.put, lambda _: [sys.executable, "-I", "-S", "-c", SHOWS])
    for number in range(5):
        encoder.encode(PICTURE, KITTY, lambda _, number=number: found.append(number))  # type: ignore[misc]
    for _ in range(5):
        posted.get(timeout=60)()
    assert found == list(range(5))


def test_an_answer_is_judged() -> None:
    assert judged(PICTURE, KITTY) == EncodedPicture(200, 100, PICTURE)
    assert judged(PICTURE, SIXEL) is None
    assert judged(b"\x1bP0;1;0q\x1b\\" * 7, SIXEL) is None
    assert judged(os.urandom(MOST_CHARS), SIXEL) is None
