"""Writes previews anew for the terminal, one after the other, in a process for each.

The bytes come from a server, and a terminal is to get none of them: what it shows is decoded and made anew by
`preview_worker`, which has no environment, little memory and time, and a deadline. Its answer is judged before it goes
on, because a picture may have taken it over.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path

from msgspec import Struct

from securechat.client.files.preview_worker import MOST_SIDE
from securechat.client.tty import sixel
from securechat.client.tty.png import MOST_BYTES, png_size
from securechat.client.tty.screen_pictures import EncodedPicture

DEADLINE_S = 10.0
"""Of the clock: a preview takes 0.1 s, and ten times that on a machine that does much else."""
MOST_WAITING = 40
"""Previews: twice what a high screen shows. The oldest ones are given up."""
_ROOT = Path(__file__).resolve().parents[3]
_MOST_ANSWER_BYTES = sixel.MOST_CHARS + 1000


class PictureProtocol(Enum):
    """How a terminal shows pictures."""

    KITTY = "kitty"
    SIXEL = "sixel"


class PreviewSize(Struct, frozen=True):
    """What a preview is made for.

    Attributes:
        protocol: of the terminal.
        columns: of the preview.
        rows: likewise.
        cell: width and height of a cell of the terminal, pixels.
    """

    protocol: PictureProtocol
    columns: int
    rows: int
    cell: tuple[int, int]


_Done = Callable[[EncodedPicture | None], None]


class _Job(Struct, frozen=True):
    data: bytes
    size: PreviewSize
    done: _Done


def preview_command(size: PreviewSize) -> list[str]:
    """Return the command of the worker."""
    worker = Path(__file__).with_name("preview_worker.py")
    numbers = map(str, (size.columns, size.rows, *size.cell))
    # -I: no variable and no folder of a user has a say; -S: nor has any .pth file.
    return [sys.executable, "-I", "-S", str(worker), str(_ROOT), size.protocol.value, *numbers]


class PreviewEncoder:
    """Runs the workers, on a thread of its own.

    Args:
        post: runs a callable where ``done`` is to be called.
        command: of the worker.
        deadline_s: for each.
    """

    def __init__(
        self,
        post: Callable[[Callable[[], None]], None],
        command: Callable[[PreviewSize], Sequence[str]] = preview_command,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._post = post
        self._command = command
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._works = False

    def encode(self, data: bytes, size: PreviewSize, done: _Done) -> None:
        """Make a preview of a PNG of the server; ``done`` with None where it is none, or the worker fails."""
        with self._lock:
            self._jobs.append(_Job(data, size, done))
            if len(self._jobs) > MOST_WAITING:
                given_up = self._jobs.popleft()
                self._post(lambda: given_up.done(None))
            if self._works:
                return
            self._works = True
        threading.Thread(target=self._work, name="previews", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._works = False
                    return
                job = self._jobs.popleft()
            try:
                picture = self._encoded(job)
            except Exception:  # noqa: BLE001 - no memory, no process: a picture is not shown, and the chat goes on
                picture = None
            self._post(lambda job=job, picture=picture: job.done(picture))  # type: ignore[misc]

    def _encoded(self, job: _Job) -> EncodedPicture | None:
        if len(job.data) > MOST_BYTES:
            return None
        with tempfile.TemporaryFile() as file:
            file.write(job.data)
            file.seek(0)
            answer = self._answer(job.size, file.fileno())
        return None if answer is None else judged(answer, job.size)

    def _answer(self, size: PreviewSize, descriptor: int) -> bytes | None:
        environment = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # Windows needs it
        process = subprocess.Popen(  # noqa: S603  (our own command)
            self._command(size),
            stdin=descriptor,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            cwd=os.path.abspath(os.sep),  # noqa: PTH100  (of the drive)
            close_fds=True,
            process_group=None if sys.platform == "win32" else 0,  # Ctrl-C is not meant for it
        )
        watch = threading.Timer(self._deadline_s, _kill, (process,))
        watch.daemon = True
        watch.start()
        answer = b""
        try:
            assert process.stdout is not None
            while len(answer) <= _MOST_ANSWER_BYTES and (piece := process.stdout.read(_MOST_ANSWER_BYTES)):
                answer += piece
        finally:
            watch.cancel()
            if len(answer) > _MOST_ANSWER_BYTES:
                _kill(process)
            assert process.stdout is not None
            process.stdout.close()
            status = self._status(process)
        return answer if status == 0 else None

    def _status(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(self._deadline_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            return process.wait()


def judged(answer: bytes, size: PreviewSize) -> EncodedPicture | None:
    """Return what a worker has made; None where it is anything else than that."""
    if size.protocol is PictureProtocol.SIXEL:
        strips = answer.decode("ascii", "replace").split("\n")
        width, height = size.columns * size.cell[0], size.rows * size.cell[1]
        return EncodedPicture(width, height, strips=tuple(strips)) if sixel.are_strips(strips, size.rows) else None
    made = png_size(answer, MOST_SIDE) if len(answer) <= MOST_BYTES else None
    return None if made is None else EncodedPicture(*made, png=answer)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that has not been waited for, and all that it has started."""
    if process.returncode is not None:
        return
    if sys.platform != "win32":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
