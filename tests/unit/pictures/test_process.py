"""The process of a picture: one that does as it should, and one that a picture has taken over."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("looks at the processes of Linux", allow_module_level=True)
pytest.importorskip("PIL", reason="pictures are written anew where Pillow is installed")

from securechat.limits import PREVIEW_SIDES
from securechat.pictures.answers import (
    AnswerRules,
    UnreadableReason,
    WrittenPicture,
    encode_unreadable,
    encode_written,
)
from securechat.pictures.kinds import PictureKind
from securechat.pictures.process import WorkerEnded, WorkerProcess, preview_path, worker_command
from securechat.pictures.records import Picture, Preview, UnreadablePicture
from securechat.pictures.worker import NOT_BEGUN
from tests.support import pictures

RULES = AnswerRules(50_000_000, PREVIEW_SIDES)
JPEG = pictures.encoded(pictures.upright(), "JPEG")
WEBP = pictures.encoded(pictures.upright(size=(320, 198)), "WEBP")
ANSWER = (
    encode_written(
        [
            WrittenPicture(PictureKind.JPEG, 0, 420, 260, len(JPEG)),
            WrittenPicture(PictureKind.WEBP, 320, 320, 198, len(WEBP)),
        ],
        420,
        260,
        previews_only=False,
    )
    + JPEG
    + WEBP
)


def children() -> set[int]:
    """The processes that this one has started and not waited for, zombies too."""
    return {int(each) for task in Path("/proc/self/task").iterdir() for each in (task / "children").read_text().split()}


def open_descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.fixture(autouse=True)
def _nothing_is_left() -> object:
    before, descriptors, threads = children(), open_descriptors(), threading.active_count()
    yield
    assert children() == before
    assert open_descriptors() == descriptors
    assert threading.active_count() == threads


def fake(program: str) -> list[str]:
    """A worker that runs a program, in which ``say(bytes)`` writes an answer and ANSWER is a good one."""
    head = f"import os, sys, time, signal\nsay = lambda data: os.write(1, data)\nANSWER = {ANSWER!r}\n"
    return [sys.executable, "-I", "-S", "-c", head + program]


def run(command: list[str], folder: Path, data: bytes = b"", deadline_s: float = 20.0) -> Picture | UnreadablePicture:
    source, into = folder / "source", folder / "into"
    source.write_bytes(data)
    outcome = WorkerProcess(command, RULES, deadline_s).run(source, into)
    written = {path.name for path in folder.iterdir()} - {"source"}
    if isinstance(outcome, Picture):
        expected = {f"into.{each.side}" for each in outcome.previews} | (set() if outcome.previews_only else {"into"})
        assert written == expected
    else:
        assert written == set()
        assert outcome.detail.isprintable() and outcome.detail.isascii() and len(outcome.detail) <= 200
    return outcome


def test_a_picture_is_written_into_files(tmp_path: Path) -> None:
    command = worker_command(50_000_000, PREVIEW_SIDES)
    outcome = run(command, tmp_path, pictures.jpeg_with_all(6))
    assert isinstance(outcome, Picture)
    written = (tmp_path / "into").read_bytes()
    assert outcome[:5] == ("image/jpeg", 420, 260, len(written), hashlib.sha256(written).digest())
    assert outcome.previews == (Preview(320, 320, 198, preview_path(tmp_path / "into", 320).stat().st_size),)
    for path in (tmp_path / "into", tmp_path / "into.320"):
        assert path.stat().st_mode & 0o777 == 0o600
        pictures.assert_upright(pictures.quarters(path.read_bytes()))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_every_kind_is_written_in_a_process_that_may_open_nothing(kind: str, tmp_path: Path) -> None:
    outcome = run(worker_command(50_000_000, PREVIEW_SIDES), tmp_path, pictures.WITH_ALL[kind](8))
    assert isinstance(outcome, Picture)
    assert outcome.type == PictureKind[kind].value


def test_of_a_moving_picture_there_are_previews_alone(tmp_path: Path) -> None:
    outcome = run(worker_command(50_000_000, PREVIEW_SIDES), tmp_path, pictures.moving("GIF"))
    assert isinstance(outcome, Picture)
    assert outcome.previews_only
    assert (outcome.width, outcome.height, outcome.size_bytes, outcome.sha256) == (420, 260, 0, b"")
    assert [each.side for each in outcome.previews] == [320, 1600]


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    outcome = run(worker_command(50_000_000, PREVIEW_SIDES), tmp_path, b"%PDF-1.7")
    assert outcome == UnreadablePicture(UnreadableReason.NOT_A_PICTURE)


def test_a_fake_answers_as_the_worker_does(tmp_path: Path) -> None:
    outcome = run(fake("say(ANSWER)"), tmp_path)
    assert isinstance(outcome, Picture)
    assert (tmp_path / "into").read_bytes() == JPEG
    assert (tmp_path / "into.320").read_bytes() == WEBP


def test_an_answer_may_come_byte_by_byte(tmp_path: Path) -> None:
    assert isinstance(run(fake("for at in range(len(ANSWER)): say(ANSWER[at:at+1])"), tmp_path), Picture)


BAD = UnreadableReason.BAD_ANSWER
ESCAPES = encode_unreadable(UnreadableReason.DAMAGED, "\x1b[2J\n")
HOSTILE = {
    "says nothing": ("", BAD),
    "closes its pipe": ("os.close(1); time.sleep(60)", BAD),
    "closes it early": ("say(ANSWER[:500]); os.close(1); time.sleep(60)", BAD),
    "garbage": ("say(os.urandom(5000))", BAD),
    "garbage without end": ("while True: say(os.urandom(65536))", BAD),
    "too much": ("say(ANSWER + b'x')", BAD),
    "too much, without end": ("say(ANSWER)\nwhile True: say(bytes(65536))", BAD),
    "a length that lies": ("say(ANSWER[:-1])", BAD),
    "a picture of another kind": ("say(ANSWER.replace(b'RIFF', b'<svg'))", BAD),
    "a script for a picture": ("say(ANSWER.replace(b'\\xff\\xd8\\xff', b'<sc'))", BAD),
    "another size": ("say(ANSWER.replace((420).to_bytes(4, 'big'), bytes(4)))", BAD),
    "fails": ("sys.exit(3)", UnreadableReason.CRASHED),
    "fails late": ("say(ANSWER)\nos._exit(1)", UnreadableReason.CRASHED),
    "dies": ("os.kill(os.getpid(), signal.SIGSEGV)", UnreadableReason.CRASHED),
    "dies in the middle": ("say(ANSWER[:300]); os.kill(os.getpid(), signal.SIGABRT)", UnreadableReason.CRASHED),
    "dies of its time": ("os.kill(os.getpid(), signal.SIGXCPU)", UnreadableReason.TOO_SLOW),
    "a reason with escapes": (f"say({ESCAPES!r})", UnreadableReason.DAMAGED),
}  # fmt: skip


@pytest.mark.parametrize(("program", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_process_costs_its_picture_alone(program: str, reason: UnreadableReason, tmp_path: Path) -> None:
    outcome = run(fake(program), tmp_path)
    assert isinstance(outcome, UnreadablePicture)
    assert outcome.reason is reason


SLOW = {
    "hangs": "time.sleep(60)",
    "hangs in the middle": "say(ANSWER[:300]); time.sleep(60)",
    "hangs at the end": "say(ANSWER); time.sleep(60)",
    "ignores signals": "[signal.signal(each, signal.SIG_IGN) for each in (1, 2, 15)]; time.sleep(60)",
    "stops itself": "os.kill(os.getpid(), signal.SIGSTOP)",
    "trickles": "\nfor at in range(len(ANSWER)): say(ANSWER[at:at+1]); time.sleep(0.05)",
    "leaves a child with the pipe": "\nif os.fork() == 0: time.sleep(60)",
}


@pytest.mark.parametrize("program", SLOW.values(), ids=SLOW.keys())
def test_a_process_that_hangs_is_ended(program: str, tmp_path: Path) -> None:
    began = time.monotonic()
    outcome = run(fake(program), tmp_path, deadline_s=0.6)
    assert isinstance(outcome, UnreadablePicture)
    assert outcome.reason is UnreadableReason.TOO_SLOW
    assert time.monotonic() - began < 15


def test_what_the_process_has_started_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = (
        f"\nif os.fork() == 0:\n  open({str(note)!r}, 'w').write(str(os.getpid()))\n  os.close(1)\n  time.sleep(60)"
    )
    wait = f"\nwhile not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): time.sleep(0.01)"
    source = tmp_path / "source"
    source.write_bytes(b"")
    WorkerProcess(fake(program + wait), RULES).run(source, tmp_path / "into")
    grandchild = Path("/proc") / note.read_text()
    until = time.monotonic() + 10
    while grandchild.exists() and "Z" not in grandchild.joinpath("stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < until
        time.sleep(0.01)


LOOKS = """
found = {
    "environment": dict(os.environ),
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:3] + [str(len(os.listdir("/proc/self/fd")))],
    "folder": os.getcwd(),
    "group": os.getpgrp() == os.getpid(),
    "session": os.getsid(0),
}
try:
    os.write(0, b"x")
except OSError as error:
    found["write"] = error.errno
say(repr(found).encode())
"""


def test_the_process_has_nothing_but_the_picture_and_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    inheritable = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    try:
        found = eval(_said(LOOKS, tmp_path))
    finally:
        os.close(inheritable)
    assert not {name for name in found["environment"] if name != "LC_CTYPE"}  # which Python sets itself
    assert found["descriptors"] == ["0", "1", "2", "4"]  # and the one of the list itself
    assert (found["folder"], found["group"], found["write"]) == ("/", True, 9)
    assert found["session"] == os.getsid(0), "niceness counts within a session"


def _said(program: str, folder: Path) -> str:
    """What a worker writes, which is no answer: read by our own pipe in the place of the file it is written to."""
    from securechat.pictures import process

    said = bytearray()
    real = process.os.read

    def listen(descriptor: int, most: int) -> bytes:
        said.extend(real(descriptor, 1_000_000))
        return b""

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(process.os, "read", listen)
        source = folder / "source"
        source.write_bytes(b"")
        worker = WorkerProcess(fake(program), RULES)
        worker.run(source, folder / "into")
    return said.decode()


def test_the_worker_gives_up_what_it_does_not_need() -> None:
    """Asked in a process of its own, as limits cannot be taken back."""
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})
import os, resource
from securechat.pictures import worker
worker._give_up_resources(); worker._give_up_files_and_processes()
limits = ("AS", "CPU", "CORE", "FSIZE", "NOFILE", "NPROC")
print([resource.getrlimit(getattr(resource, "RLIMIT_" + each)) for each in limits], os.nice(0))
try:
    open("/dev/null")
except OSError as error:
    print(error.errno)
"""
    import subprocess

    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    limits = [(512 * 1024 * 1024,) * 2, (10, 11), (0, 0), (0, 0), (3, 3), (0, 0)]
    nice = os.nice(0) + 10
    assert done.stdout == f"{limits} {min(nice, 19)}\n24\n"


def test_a_picture_that_takes_too_much_time_of_the_processor_is_told(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    program = (
        f"sys.path.insert(0, {str(root)!r})\n"
        "from securechat.pictures import worker\n"
        "worker.MOST_CPU_S = 1\n"
        "worker._give_up_resources()\n"
        "while True: pass"
    )
    outcome = run(fake(program), tmp_path, deadline_s=120)
    assert outcome == UnreadablePicture(UnreadableReason.TOO_SLOW, "it has used up its time of the processor")


def test_a_file_that_cannot_be_written_is_no_fault_of_the_picture(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(pictures.jpeg_with_all())
    (tmp_path / "into.320").mkdir()
    with pytest.raises(OSError):
        WorkerProcess(fake("say(ANSWER)"), RULES).run(tmp_path / "source", tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(JPEG)
    (tmp_path / "source").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        WorkerProcess(fake("say(ANSWER)"), RULES).run(tmp_path / "source", tmp_path / "into")
    (tmp_path / "into").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "source").unlink()
    (tmp_path / "source").write_bytes(JPEG)
    with pytest.raises(OSError):
        WorkerProcess(fake("say(ANSWER)"), RULES).run(tmp_path / "source", tmp_path / "into")
    assert (tmp_path / "elsewhere").read_bytes() == JPEG


def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(JPEG)
    with pytest.raises(OSError):
        WorkerProcess(["/does/not/exist"], RULES).run(tmp_path / "source", tmp_path / "into")


def test_a_process_that_is_killed_before_it_begins_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(JPEG)
    worker = WorkerProcess(fake("say(ANSWER)"), RULES)
    worker.kill()
    with pytest.raises(OSError):
        worker.run(tmp_path / "source", tmp_path / "into")


def test_a_signal_is_told_by_its_number(tmp_path: Path) -> None:
    outcome = run(fake("os.kill(os.getpid(), signal.SIGBUS)"), tmp_path)
    assert outcome == UnreadablePicture(UnreadableReason.CRASHED, f"the process ended with -{int(signal.SIGBUS)}")


def test_a_process_that_others_kill_tells_nothing_of_the_picture(tmp_path: Path) -> None:
    """Else its sender is asked to send the photo with its place; the same picture is read a moment later."""
    (tmp_path / "source").write_bytes(JPEG)
    worker = WorkerProcess(fake("say(ANSWER[:300]); time.sleep(60)"), RULES)

    def kill() -> None:
        while worker._process is None:
            time.sleep(0.01)
        os.kill(worker._process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(OSError):
            worker.run(tmp_path / "source", tmp_path / "into")
    finally:
        killer.join()


@pytest.mark.parametrize(
    "program",
    [f"os.kill(os.getpid(), signal.{name})" for name in ("SIGKILL", "SIGTERM", "SIGHUP")]
    + ["signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGINT)", f"sys.exit({NOT_BEGUN})"],
)
def test_what_ends_a_process_from_outside_is_no_fault_of_the_picture(program: str, tmp_path: Path) -> None:
    """A stop of the service ends all of its processes with SIGTERM, perhaps this one first."""
    with pytest.raises(WorkerEnded):
        run(fake(f"say(ANSWER[:300]); {program}"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["source"], "something was written"


def test_a_worker_that_cannot_load_pillow_is_no_fault_of_the_picture(tmp_path: Path) -> None:
    command = worker_command(RULES.most_pixels, RULES.sides)
    (tmp_path / "PIL").mkdir()
    (tmp_path / "PIL" / "__init__.py").write_text("raise ImportError('an update is under way')")
    with pytest.raises(WorkerEnded):
        run([tmp_path if each == command[5] else each for each in command], tmp_path)
