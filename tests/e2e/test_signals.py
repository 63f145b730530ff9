"""Signals that come early, and terminals that go: a server ends or reads its certificate again, and shows no traceback.

Looked through: SIGTERM, SIGINT and SIGHUP while the modules are imported, while the database is opened, and when the
server listens; a server under ``setsid``, one that was ``disown``ed; a closed terminal is in test_operation.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.test_locked_database import OtherProgram
from tests.support.client import ROOT
from tests.support.native import NativeClient
from tests.support.screen import Screen
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

pytestmark = [pytest.mark.cold, pytest.mark.skipif(sys.platform != "linux", reason="setsid and /proc")]

SIGNALLING = """
import importlib, os, sys
os.kill(os.getpid(), {number})
sys.path.remove({folder!r})
del sys.modules["msgspec"]
sys.modules["msgspec"] = importlib.import_module("msgspec")
"""
"""A module that is imported early; it sends the signal and then makes way for the real one."""
SETSID = ("setsid",)
"""Without a terminal, whatever runs the tests."""


def _start(certs: Path, data: Path, *, prefix: Sequence[str] = SETSID, imports: Path | None = None) -> ServerProcess:
    path = os.pathsep.join([str(imports), str(ROOT)] if imports is not None else [str(ROOT)])
    return ServerProcess(certs, data, prefix=prefix, env={"PYTHONPATH": path})


def _pid_of(data: Path) -> int:
    """The process that the lock file names; 0 for none."""
    text = (data / "securechat.lock").read_text(encoding="ascii") if (data / "securechat.lock").exists() else ""
    return int(text or 0)


def _signalling(folder: Path, number: int) -> Path:
    folder.mkdir()
    text = SIGNALLING.format(number=number, folder=str(folder))
    (folder / "msgspec.py").write_text(text, encoding="utf-8")
    return folder


def test_a_hangup_while_the_modules_are_imported_is_kept_and_reloads(certs: Path, tmp_path: Path) -> None:
    imports = _signalling(tmp_path / "imports", signal.SIGHUP)
    with _start(certs, tmp_path / "data", imports=imports).start() as server:
        assert "new certificate in use" in server.wait_for_event("notice")["text"]
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_while_the_modules_are_imported_is_one_without_a_word(certs: Path, tmp_path: Path, number: int) -> None:
    server = _start(certs, tmp_path / "data", imports=_signalling(tmp_path / "imports", number)).start(wait=False)
    assert server.wait() == -number
    assert (server.lines, server.stderr) == ([], "")


def _opening(certs: Path, data: Path) -> tuple[ServerProcess, OtherProgram]:
    """A server that waits for the database, which it opens."""
    with ServerProcess(certs, data).start() as before:
        assert before.stop() == 0
    (data / "securechat.lock").write_text("", encoding="ascii")
    other = OtherProgram(data / "securechat.db", "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT")
    server = _start(certs, data).start(wait=False)
    wait_until(lambda: _pid_of(data), "the server has the lock")
    return server, other


def test_a_hangup_while_the_database_is_opened_reloads(certs: Path, tmp_path: Path) -> None:
    server, other = _opening(certs, tmp_path / "data")
    server.signal(signal.SIGHUP)
    other.let_go()
    assert "new certificate in use" in server.wait_for_event("notice")["text"]
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, -signal.SIGTERM), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_an_end_while_the_database_is_opened_leaves_a_directory_that_starts(
    certs: Path, tmp_path: Path, number: int, code: int
) -> None:
    server, other = _opening(certs, tmp_path / "data")
    server.signal(number)
    assert server.wait() == code
    assert server.lines == []
    assert "Traceback" not in server.stderr
    other.let_go()
    with ServerProcess(certs, tmp_path / "data").start() as again:
        assert again.stop() == 0


def test_under_setsid_a_hangup_reloads_from_the_first_one_on(certs: Path, tmp_path: Path) -> None:
    with _start(certs, tmp_path / "data").start() as server, NativeClient(server.port, server.ca) as ann:
        ann.hello("ann")
        for count in (1, 2):
            server.signal(signal.SIGHUP)
            wait_until(lambda n=count: _reloads(server) == n, "it reloaded")
        ann.say_acked("still here")
        assert server.stop() == 0


def _reloads(server: ServerProcess) -> int:
    return sum(event["event"] == "notice" and "new certificate" in event["text"] for event in server.events())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="disown is bash's")
def test_a_disowned_server_outlives_its_window_and_is_reloaded_by_a_hangup(certs: Path, tmp_path: Path) -> None:
    """The window is closed as a user closes it; the server needs two looks, 5 s apart, to see that it is gone."""
    data, log = tmp_path / "data", tmp_path / "log"
    serve = (
        f"{sys.executable} -m securechat.cli.serve --cert {certs}/server.pem --host 127.0.0.1 --port 0 --data {data}"
    )
    with Screen(["bash", "--norc", "-i"], cwd=ROOT, columns=200) as window:
        window.line(f"{serve} >{log} 2>&1 & disown; echo st''arted")
        window.wait_for("started")
        wait_until(lambda: log.exists() and "is ready" in log.read_text(encoding="utf-8"), "the server is ready")
        window.close_window()
        window.process.wait(PATIENCE_S)
    pid = _pid_of(data)
    try:
        closed_at = os.times().elapsed
        wait_until(lambda: os.times().elapsed - closed_at > 11, "two looks at the terminal")
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: "new certificate in use" in log.read_text(encoding="utf-8"), "it reloaded")
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: "all acknowledged messages are stored" in log.read_text(encoding="utf-8"), "it ended")
        assert "Traceback" not in log.read_text(encoding="utf-8")
    finally:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
