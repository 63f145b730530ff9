"""`--send --key`: what an account's script sends again is stored once, whatever happened in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from securechat.client.exit_codes import ClientExit
from tests.support.admin import row
from tests.support.client import ROOT, at, run_client
from tests.support.server import ServerProcess

PASSWORD = "a password for scripts"


def test_lines_that_are_sent_again_are_stored_once(server: ServerProcess, tmp_path: Path) -> None:
    memory = {**os.environ, "SECURECHAT_STATE": str(tmp_path / "state")}
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD)
    link = row(server, "invite", "--host", f"127.0.0.1:{server.port}")["link"]
    flags = ("--invite", "--name", "ci", "--password-file", str(password))
    done = run_client(*flags, stdin=f"{link}\nhello\n", env=memory)
    assert done.returncode == ClientExit.OK, done.stderr

    flags = (*at(server, "--name", "ci", "--send"), "--key", "build-42")
    for lines in ("failed: tests\n", "failed: tests\nlog: 42.txt\n"):  # the first run was cut off behind its first line
        done = run_client(*flags, stdin=lines, env=memory)
        assert (done.returncode, done.stdout) == (ClientExit.OK, ""), done.stderr
    server.kill()
    server.start()
    done = run_client(*flags, stdin="failed: tests\nlog: 42.txt\n", env=memory)
    assert done.returncode == ClientExit.OK, done.stderr
    tail = run_client(*at(server, "--tail", "--history", "3"), stop_after=3)
    assert tail.stdout.splitlines() == ["ci: hello", "ci: failed: tests", "ci: log: 42.txt"]

    done = run_client(*flags, stdin="passed\n", env=memory)
    assert done.returncode == ClientExit.MESSAGE_REFUSED
    assert "Line 1: " in done.stderr
    assert "Use a new key for each message" in done.stderr


def test_a_guest_is_told_that_its_key_would_be_of_no_use(server: ServerProcess) -> None:
    done = run_client(*at(server, "--name", "ci", "--send", "--key", "k"), stdin="one\ntwo\n")
    assert done.returncode == ClientExit.LOGIN_REFUSED
    assert "--key needs an account" in done.stderr
    assert run_client(*at(server, "--name", "ana", "--send"), stdin="hello\n").returncode == ClientExit.OK
    tail = run_client(*at(server, "--tail", "--history", "3"), stop_after=1)
    assert tail.stdout == "ana: hello\n", "nothing was sent before"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--key", "k"], "--key needs --send"),
        (["--send", "--key", "two words"], "a key has 1 to 100 letters"),
        (["--send", "--key", "x" * 101], "a key has 1 to 100 letters"),
        (["--send", "--key", ""], "--key"),
    ],
)
def test_a_key_that_cannot_be_one_is_told(flags: list[str], sentence: str) -> None:
    done = run_client("localhost:1", "--name", "ci", *flags, stdin="x\n")
    assert done.returncode == ClientExit.USAGE
    assert sentence in done.stderr


WITHOUT_KEYS = """
import securechat.hub.accounts.login_completion as login_completion
login_completion.FEATURES = tuple(word for word in login_completion.FEATURES if word != "keys")
"""


@pytest.mark.cold
def test_a_server_without_keys_is_sent_nothing_that_it_would_store_twice(certs: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_KEYS)
    older = ServerProcess(certs, tmp_path / "data", env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    with older.start():
        done = run_client(*at(older, "--name", "ci", "--send", "--key", "k"), stdin="one\n")
        assert done.returncode == ClientExit.MESSAGE_REFUSED
        assert "too old for --key" in done.stderr
        assert run_client(*at(older, "--name", "ana", "--send"), stdin="hello\n").returncode == ClientExit.OK
        tail = run_client(*at(older, "--tail", "--history", "3"), stop_after=1)
        assert tail.stdout == "ana: hello\n", "nothing was sent before"
