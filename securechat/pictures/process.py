"""One process for one picture: starts it, takes its answer into files, and ends it, whatever it does.

The process is treated as hostile, because a picture may have taken it over. It has a descriptor of the picture that
reads and a pipe that writes, no environment, and a deadline. Its answer is judged number by number before a byte of it
is stored, and no picture is decoded here. It is over when this is: killed with all that it has started, and waited for.

The picture comes as a descriptor and not through a second pipe, because then no thread has to feed it, and the file is
not held in memory.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from securechat.files import open_own_file
from securechat.pictures.answers import (
    HEAD_BYTES,
    ROW_BYTES,
    AnswerInvalid,
    AnswerRules,
    AnswerStart,
    UnreadableReason,
    WrittenPicture,
    decode_head,
    decode_rows,
)
from securechat.pictures.kinds import HEAD_BYTES as KIND_BYTES
from securechat.pictures.kinds import PictureKind, kind_of
from securechat.pictures.records import Picture, Preview, UnreadablePicture

if sys.platform != "win32":
    import select

DEADLINE_S = 30.0
"""Of the clock. Of the processor it has 10 s (`worker`), so this is for one that does nothing, or that is not let."""
_END_S = 1.0
"""For a process that has answered to end by itself."""
_PIECE_BYTES = 64 * 1024
_ROOT = Path(__file__).resolve().parents[2]
# By the kernel for want of memory, and by a stop of the service, which ends all of its processes. A decoder that fails
# ends by others, and the limit of the processor's time by SIGXCPU.
_FROM_OUTSIDE = frozenset(
    getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)
_NOT_BEGUN = 70  # `worker.NOT_BEGUN`, which is not imported: the worker runs elsewhere
_OWN_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class _DeadlineMissed(Exception):
    """The process has not answered in time."""


class _AnswerCutOff(AnswerInvalid):
    """The pipe was closed within the answer."""


class WorkerEnded(OSError):
    """The system or an operator has ended the process, or it could not begin: nothing is known about the picture."""


def worker_command(most_pixels: int, sides: Sequence[int]) -> list[str]:
    """Return the command of the worker.

    Raises:
        FileNotFoundError: Pillow is not installed.
    """
    found = importlib.util.find_spec("PIL")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("Pillow is not installed")
    pillow = Path(found.submodule_search_locations[0]).parent
    worker = Path(__file__).with_name("worker.py")
    # -I: no variable and no folder of a user has a say; -S: nor has any .pth file.
    return [sys.executable, "-I", "-S", str(worker), str(_ROOT), str(pillow), str(most_pixels), *map(str, sides)]


def preview_path(into: Path, side: int) -> Path:
    """Return where the preview of a side is written, beside the picture."""
    return into.with_name(f"{into.name}.{side}")


class WorkerProcess:
    """Runs the worker for one picture.

    Args:
        command: of the worker.
        rules: for its answer.
        deadline_s: for all of it.
    """

    def __init__(self, command: Sequence[str], rules: AnswerRules, deadline_s: float = DEADLINE_S) -> None:
        self._command = command
        self._rules = rules
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def run(self, source: Path, into: Path) -> Picture | UnreadablePicture:
        """Write the picture ``source`` anew into ``into`` and `preview_path`; blocks until the process is over.

        Raises:
            WorkerEnded: the process was ended from outside (for want of memory, say), or could not begin.
            OSError: the picture cannot be opened, the process not started, or a file not written.
        """
        written: list[Path] = []
        try:
            outcome = self._run(source, into, written)
        except BaseException:
            _remove(written)
            raise
        if isinstance(outcome, UnreadablePicture):
            _remove(written)
        return outcome

    def kill(self) -> None:
        """End the process, from any thread; one that has not begun ends at once."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                _kill(self._process)

    def _run(self, source: Path, into: Path, written: list[Path]) -> Picture | UnreadablePicture:
        deadline = time.monotonic() + self._deadline_s
        descriptor = open_own_file(source, os.O_RDONLY)
        try:
            process = self._start(descriptor)
        finally:
            os.close(descriptor)
        watch = threading.Timer(self._deadline_s, self.kill)
        if sys.platform == "win32":  # a pipe cannot be waited for there; the end of the process closes it
            watch.start()
        is_final = False
        try:
            assert process.stdout is not None
            outcome = _take(_AnswerPipe(process.stdout.fileno(), deadline), self._rules, into, written)
            is_final = isinstance(outcome, UnreadablePicture)
        except _AnswerCutOff as error:
            outcome = UnreadablePicture(UnreadableReason.BAD_ANSWER, str(error))
        except AnswerInvalid as error:
            outcome, is_final = UnreadablePicture(UnreadableReason.BAD_ANSWER, str(error)), True
        except _DeadlineMissed:
            outcome = UnreadablePicture(UnreadableReason.TOO_SLOW, f"no answer after {self._deadline_s:g} s")
            is_final = True
        finally:
            watch.cancel()
            status = self._end(process)
        return outcome if is_final or status == 0 else _ended_with(status)

    def _start(self, descriptor: int) -> subprocess.Popen[bytes]:
        environment: dict[str, str] = {}
        if sys.platform == "win32" and "SYSTEMROOT" in os.environ:  # without it no Python starts there
            environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
        with self._lock:
            if self._killed:
                raise OSError("the workers are closed")
            self._process = subprocess.Popen(  # noqa: S603  (our own command)
                self._command,
                stdin=descriptor,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=environment,
                cwd=os.path.abspath(os.sep),  # noqa: PTH100  (of the drive)
                close_fds=True,
                # Ctrl-C at the server's terminal is not meant for it. A session of its own would be a share of the
                # processor of its own, too, within which alone its niceness counts (sched(7), autogroup).
                process_group=None if sys.platform == "win32" else 0,
            )
            return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Return how the process ended: its exit code, or a signal as a negative number."""
        assert process.stdout is not None
        process.stdout.close()
        has_ended = _has_ended(process)
        with self._lock:
            _kill(process)
            status = process.wait()
        return status if has_ended else 0  # it has answered, or is late: the signal is ours


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Give a process a moment to end by itself. On Linux it is not waited for yet, so that its number is its own."""
    until, pause_s = time.monotonic() + _END_S, 0.0005
    while not _has_exited(process):
        if time.monotonic() >= until:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)
    return True


def _has_exited(process: subprocess.Popen[bytes]) -> bool:
    if sys.platform == "linux":
        has_exited = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    else:
        has_exited = process.poll() is not None
    return has_exited


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that has not been waited for, and all that it has started."""
    if process.returncode is not None:
        return
    if sys.platform == "linux":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _ended_with(status: int) -> UnreadablePicture:
    """Return what a process that ended without a whole answer tells of its picture.

    A picture that has taken the process over can end it by any of these; it gains one further try.

    Raises:
        WorkerEnded: nothing.
    """
    if status == _NOT_BEGUN:
        raise WorkerEnded("the process could not begin")
    if -status in _FROM_OUTSIDE:
        raise WorkerEnded(f"the process was ended by {signal.Signals(-status).name}, perhaps for want of memory")
    if sys.platform != "win32" and -status == signal.SIGXCPU:
        return UnreadablePicture(UnreadableReason.TOO_SLOW, "it has used up its time of the processor")
    return UnreadablePicture(UnreadableReason.CRASHED, f"the process ended with {status}")


class _AnswerPipe:
    """The pipe of a process, read until a deadline, whatever holds its other end."""

    def __init__(self, descriptor: int, deadline: float) -> None:
        self._descriptor = descriptor
        self._deadline = deadline

    def read(self, most_bytes: int) -> bytes:
        """Return what has come; empty: it is at its end."""
        if sys.platform != "win32":
            poll = select.poll()  # select() takes no descriptor above 1,023
            poll.register(self._descriptor, select.POLLIN)
            if not poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000):
                raise _DeadlineMissed
        return os.read(self._descriptor, most_bytes)

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        """Yield exactly so many bytes."""
        while size_bytes:
            piece = self.read(min(size_bytes, _PIECE_BYTES))
            if not piece:
                raise _AnswerCutOff(f"it ends {size_bytes} bytes too early")
            size_bytes -= len(piece)
            yield piece

    def exactly(self, size_bytes: int) -> bytes:
        """Return exactly so many bytes."""
        return b"".join(self.pieces(size_bytes))


def _take(pipe: _AnswerPipe, rules: AnswerRules, into: Path, written: list[Path]) -> Picture | UnreadablePicture:
    head = decode_head(pipe.exactly(HEAD_BYTES), rules.most_rows)
    if head.reason is not None:
        detail = pipe.exactly(head.detail_bytes).decode("ascii", "replace")
        outcome: Picture | UnreadablePicture = UnreadablePicture(head.reason, _printable(detail))
    else:
        outcome = _take_pictures(pipe, head, rules, into, written)
    if pipe.read(1):
        raise AnswerInvalid("it has bytes behind its end")
    return outcome


def _take_pictures(
    pipe: _AnswerPipe, head: AnswerStart, rules: AnswerRules, into: Path, written: list[Path]
) -> Picture:
    (width, height), rows = decode_rows(pipe.exactly(head.rows * ROW_BYTES), head, rules)
    kind, size_bytes, digest = PictureKind.GIF, 0, b""
    previews = []
    for row in rows:
        path = preview_path(into, row.side) if row.side else into
        written.append(path)
        sha256 = _take_file(pipe, row, path)
        if row.side:
            previews.append(Preview(row.side, row.width, row.height, row.size_bytes))
        else:
            kind, size_bytes, digest = row.kind, row.size_bytes, sha256
    return Picture(kind.value, width, height, size_bytes, digest, tuple(previews), head.previews_only)


def _take_file(pipe: _AnswerPipe, row: WrittenPicture, path: Path) -> bytes:
    """Write one file; returns its SHA-256."""
    sha256 = hashlib.sha256()
    with os.fdopen(open_own_file(path, _OWN_WRITE), "wb", buffering=0) as file:
        first = pipe.exactly(min(row.size_bytes, KIND_BYTES))
        if kind_of(first) is not row.kind:
            raise AnswerInvalid("a picture is not of the kind that was said")
        for piece in chain((first,), pipe.pieces(row.size_bytes - len(first))):
            _write(file.fileno(), piece)
            sha256.update(piece)
    return sha256.digest()


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() and each.isascii() else "?" for each in text)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
