from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest

if sys.platform != "linux":
    pytest.skip("looks at the processes of Linux", allow_module_level=True)
pytest.importorskip("PIL", reason="pictures are written anew where Pillow is installed")

from securechat.limits import PREVIEW_SIDES
from securechat.pictures import workers
from securechat.pictures.answers import UnreadableReason
from securechat.pictures.records import (
    Picture,
    PictureNotWritten,
    PictureOutcome,
    PicturesBusy,
    UnreadablePicture,
)
from securechat.pictures.workers import PictureWorkers, available
from tests.support import pictures

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 60.0
HANGS = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]


class Outcomes:
    """Takes outcomes from the threads of the workers."""

    def __init__(self) -> None:
        self._queue: Queue[tuple[str, PictureOutcome, str]] = Queue()

    def of(self, name: str) -> Callable[[PictureOutcome], None]:
        return lambda outcome: self._queue.put((name, outcome, threading.current_thread().name))

    def next(self) -> tuple[str, PictureOutcome, str]:
        return self._queue.get(timeout=WAIT_S)

    @property
    def is_empty(self) -> bool:
        return self._queue.empty()


def source(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_pictures_are_written_in_their_order_on_a_thread(tmp_path: Path) -> None:
    some, outcomes = PictureWorkers(50_000_000, PREVIEW_SIDES, 32, at_once=1), Outcomes()
    datas = {"a": pictures.jpeg_with_all(6), "b": b"not one", "c": pictures.png_with_all(3)}
    for name, data in datas.items():
        some.rewrite(source(tmp_path, name, data), tmp_path / f"{name}.new", outcomes.of(name))
    found = [outcomes.next() for _ in datas]
    some.close()
    assert [name for name, _outcome, _thread in found] == ["a", "b", "c"]
    assert {thread for _name, _outcome, thread in found} == {"pictures"}
    first, second, third = (outcome for _name, outcome, _thread in found)
    assert isinstance(first, Picture)
    assert isinstance(third, Picture)
    assert second == UnreadablePicture(UnreadableReason.NOT_A_PICTURE)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a",
        "a.new",
        "a.new.320",
        "b",
        "c",
        "c.new",
        "c.new.320",
    ]


@pytest.mark.parametrize("at_once", [1, 2])
def test_so_many_wait_and_the_next_is_busy(at_once: int, tmp_path: Path) -> None:
    some, outcomes = PictureWorkers(1, PREVIEW_SIDES, 3, at_once=at_once, command=HANGS), Outcomes()
    path = source(tmp_path, "a", b"")
    for index in range(3 + at_once):
        some.rewrite(path, tmp_path / f"{index}", outcomes.of(str(index)))
    assert outcomes.is_empty
    assert some.waiting == 3 + at_once
    some.rewrite(path, tmp_path / "last", outcomes.of("last"))
    assert outcomes.next() == ("last", PicturesBusy(), threading.current_thread().name)
    some.close()
    found = [outcomes.next() for _ in range(3 + at_once)]
    assert {outcome for _name, outcome, _thread in found} == {PicturesBusy()}
    assert outcomes.is_empty


def test_owners_take_turns(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.buffer.read(); sys.exit(3)"]
    some, outcomes = PictureWorkers(1, PREVIEW_SIDES, 32, at_once=1, command=command), Outcomes()
    begun, path = threading.Event(), source(tmp_path, "a", b"")
    some.rewrite(path, tmp_path / "0", lambda _: begun.wait(WAIT_S), owner=1)  # the one thread waits there
    while some._begun < 1 and some._waiting:
        pass
    for name, owner in (("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3), ("b2", 2)):
        some.rewrite(path, tmp_path / name, outcomes.of(name), owner=owner)
    begun.set()
    assert [outcomes.next()[0] for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    some.close()


def test_whose_wait_the_most_makes_way_for_others(tmp_path: Path) -> None:
    some, outcomes = PictureWorkers(1, PREVIEW_SIDES, 3, at_once=1, command=HANGS), Outcomes()
    path = source(tmp_path, "a", b"")
    some.rewrite(path, tmp_path / "0", lambda _: None, owner=1)
    while some._begun < 1:
        pass
    for index in range(1, 4):
        some.rewrite(path, tmp_path / f"{index}", outcomes.of(f"a{index}"), owner=1)
    refused = []
    for index, owner in enumerate((2, 3, 2, 1)):
        some.rewrite(path, tmp_path / f"{index}", outcomes.of(f"{owner}.{index}"), owner=owner)
        refused.append(outcomes.next()[0])
    assert refused == ["a3", "a2", "2.2", "1.3"], "a third owner has one place, too, and keeps it"
    assert some.waiting == 4
    some.close()


def test_a_process_that_was_ended_from_outside_is_tried_once_more(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    ends = f"import os, signal; open({str(mark)!r}, 'a').write('x'); os.kill(os.getpid(), signal.SIGKILL)"
    command = [sys.executable, "-I", "-S", "-c", ends]
    some, outcomes = PictureWorkers(1, PREVIEW_SIDES, 3, at_once=1, command=command), Outcomes()
    some.rewrite(source(tmp_path, "a", b""), tmp_path / "b", outcomes.of("a"))
    outcome = outcomes.next()[1]
    some.close()
    assert isinstance(outcome, PictureNotWritten)
    assert "SIGKILL" in str(outcome.error)
    assert mark.read_text() == "xx"


def children() -> set[str]:
    return {each for task in Path("/proc/self/task").iterdir() for each in (task / "children").read_text().split()}


def open_descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    before, descriptors, threads = children(), open_descriptors(), threading.active_count()
    some, outcomes = PictureWorkers(1, PREVIEW_SIDES, 3, at_once=2, command=HANGS), Outcomes()
    path = source(tmp_path, "a", b"")
    for name in "ab":
        some.rewrite(path, tmp_path / name, outcomes.of(name))
    while len(children() - before) < 2:
        pass
    some.close()
    assert (children(), open_descriptors(), threading.active_count()) == (before, descriptors, threads)
    assert {outcomes.next()[1] for _ in "ab"} == {PicturesBusy()}
    some.rewrite(path, tmp_path / "c", outcomes.of("c"))
    assert outcomes.next()[1] == PicturesBusy()
    some.close()


def test_many_pictures_leave_nothing_behind(tmp_path: Path) -> None:
    before, descriptors = children(), open_descriptors()
    some, outcomes = PictureWorkers(50_000_000, PREVIEW_SIDES, 40, at_once=2), Outcomes()
    good, bad = source(tmp_path, "good", pictures.jpeg_with_all()), source(tmp_path, "bad", b"\xff\xd8\xff")
    for index in range(20):
        some.rewrite(bad if index % 3 else good, tmp_path / f"{index}.new", outcomes.of(str(index)))
    kinds = [type(outcomes.next()[1]) for _ in range(20)]
    some.close()
    assert (kinds.count(Picture), kinds.count(UnreadablePicture)) == (7, 13)
    assert (children(), open_descriptors()) == (before, descriptors)


def test_a_disk_that_fails_is_told_and_the_next_picture_is_written(tmp_path: Path) -> None:
    some, outcomes = PictureWorkers(50_000_000, PREVIEW_SIDES, 3, at_once=1), Outcomes()
    path = source(tmp_path, "a", pictures.jpeg_with_all())
    some.rewrite(path, tmp_path / "no folder" / "a", outcomes.of("a"))
    some.rewrite(tmp_path / "missing", tmp_path / "b", outcomes.of("b"))
    some.rewrite(path, tmp_path / "c", outcomes.of("c"))
    found = [outcomes.next()[1] for _ in "abc"]
    some.close()
    assert [type(each) for each in found] == [PictureNotWritten, PictureNotWritten, Picture]
    assert isinstance(found[0], PictureNotWritten)
    assert isinstance(found[0].error, FileNotFoundError)


def test_without_pillow_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert available()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not available()
    some, outcomes = PictureWorkers(50_000_000, PREVIEW_SIDES, 3, at_once=1), Outcomes()
    some.rewrite(source(tmp_path, "a", b""), tmp_path / "b", outcomes.of("a"))
    assert isinstance(outcomes.next()[1], PictureNotWritten)
    some.close()


def test_two_at_once_from_four_cores_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, at_once in {1: 1, 3: 1, 4: 2, 64: 2}.items():
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, cores=cores: set(range(cores)))
        assert workers.at_once_by_cores() == at_once


def test_a_server_that_starts_imports_nothing_for_pictures() -> None:
    program = (
        "import sys\n"
        "from securechat.pictures.workers import PictureWorkers, available\n"
        "some = PictureWorkers(50_000_000, (320, 1600), 32)\n"
        "available()\n"
        "print([each for each in ('PIL', 'subprocess', 'securechat.pictures.process') if each in sys.modules])\n"
        "import threading; print(threading.active_count())\n"
        "some.close()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n1\n"
