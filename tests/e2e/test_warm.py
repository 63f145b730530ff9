"""A program that starts warm is given what it is given when it starts from nothing, and ends as it does then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import warm
from tests.support.screen import Screen
from tests.support.server import PATIENCE_S, wait_until

pytestmark = pytest.mark.skipif(not warm.POSSIBLE, reason="warm starts are Linux only")
PROBE = [sys.executable, "-m", "tests.support.probe"]


@pytest.fixture(params=["cold", "warm"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways, one after the other."""
    _go(request.param, monkeypatch)
    return str(request.param)


def _go(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "cold", way == "cold")
    monkeypatch.setattr(warm, "_TOGETHER", {**warm._TOGETHER, "tests.support.probe": ()})


def _learned(path: Path) -> dict[str, Any]:
    learned: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return learned


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"TZ": "Asia/Jakarta", "SOMETHING": "ä"},
        {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": ""},
        {"PYTHONUNBUFFERED": "1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["nothing", "variables", "utf-8", "unbuffered", "locale"],
)
def test_what_a_program_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]) -> None:
    file = tmp_path / "facts.json"
    known = []
    for way in ("cold", "warm"):
        _go(way, monkeypatch)
        command = [*PROBE, str(file), "exit", "7"]
        assert warm.is_warm(command) is (way == "warm")
        done = warm.run(command, text="one\ntwo\n", timeout=PATIENCE_S, cwd=warm.ROOT, env={**os.environ, **more})
        assert (done.returncode, done.stdout, done.stderr) == (7, "said\n", "told\n")
        known.append(_learned(file))
    cold, warmed = known
    assert warmed.pop("chance") != cold.pop("chance")
    assert warmed == cold
    assert cold["input"] == "one\ntwo\n"
    assert len(cold["descriptors"]) == 4  # the streams, and the list of them


def test_what_a_program_at_a_terminal_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "facts.json"
    known = []
    for way in ("cold", "warm"):
        _go(way, monkeypatch)
        with Screen([*PROBE, str(file), "wait"], cwd=warm.ROOT) as screen:
            wait_until(file.exists, "the facts")
            screen.wait_for("told")
            screen.close_window()
            assert screen.process.wait(PATIENCE_S) == -signal.SIGHUP
        known.append(_learned(file))
    cold, warmed = known
    assert warmed.pop("chance") != cold.pop("chance")
    assert warmed == cold
    assert cold["leads"]


@pytest.mark.parametrize(("how", "code"), [("raise", 1), ("kill", -signal.SIGKILL)])
def test_every_end_is_known(tmp_path: Path, start: str, how: str, code: int) -> None:
    command = [*PROBE, str(tmp_path / "facts.json"), how]
    done = warm.run(command, text="", timeout=PATIENCE_S, cwd=warm.ROOT)
    assert done.returncode == code
    assert ("RuntimeError: as told" in done.stderr) is (how == "raise")


def test_an_end_waits_for_threads_and_runs_what_was_left_for_it(tmp_path: Path, start: str) -> None:
    command = [*PROBE, str(tmp_path / "facts.json"), "leave", "5"]
    done = warm.run(command, text="", timeout=PATIENCE_S, cwd=warm.ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (5, "said\nlate last\n", "told\n")


def test_what_does_not_end_is_killed(tmp_path: Path, start: str) -> None:
    file = tmp_path / "facts.json"
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run([*PROBE, str(file), "wait"], text="", timeout=0.5, cwd=warm.ROOT)


def test_two_starts_are_two_processes_with_other_chances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _go("warm", monkeypatch)
    files = [tmp_path / "one", tmp_path / "two"]
    processes = [warm.WarmProcess([*PROBE, str(file), "wait"], cwd=warm.ROOT) for file in files]
    wait_until(lambda: all(file.exists() for file in files), "the facts")
    assert len({_learned(file)["chance"] for file in files}) == 2
    for process in processes:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE_S) == -signal.SIGTERM
        assert process.poll() == -signal.SIGTERM
        process.kill()  # nobody, by now
        process.stdout.close()
        process.stderr.close()
    assert processes[0].pid != processes[1].pid
