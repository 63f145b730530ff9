"""The client's language: changed while it runs, and remembered."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.client.exit_codes import ClientExit
from securechat.client.local_store import LocalStore
from tests.support.client import at, run_client
from tests.support.screen import Screen
from tests.support.server import ServerProcess

pytestmark = pytest.mark.not_pseudo("chooses the languages itself")

Open = Callable[..., Screen]
needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")


@needs_terminal
@pytest.mark.parametrize("terminal", ["xterm-256color", "dumb"])
def test_a_language_is_changed_while_chatting_and_remembered(screen: Open, tmp_path: Path, terminal: str) -> None:
    state = tmp_path / "state"
    env = {"SECURECHAT_STATE": str(state), "TERM": terminal}
    ann = screen("--name", "ann", env=env)
    ann.wait_for("#lobby")
    ann.line("/lang fr")
    ann.wait_for("There is no translation called fr")
    ann.line("/lang")
    ann.wait_for("-- Language: English (en)")
    ann.wait_for("-- Others: /lang id (Bahasa Indonesia)")
    ann.line("/lang id")
    ann.wait_for("-- Mulai sekarang: Bahasa Indonesia")
    ann.line("/lang fr")
    ann.wait_for("Tidak ada terjemahan bernama fr")
    ann.line("exit")
    assert ann.wait_for_exit() == ClientExit.OK
    assert LocalStore(state).language() == "id"

    again = screen("--name", "ann", env=env)
    again.wait_for("#lobby")
    again.line("/lang")
    again.wait_for("-- Bahasa: Bahasa Indonesia (id)")
    again.line("/lang en")
    again.wait_for("-- From now on: English")


@needs_terminal
def test_a_language_is_changed_where_a_name_is_asked_for(screen: Open) -> None:
    ann = screen(env={"TERM": "dumb"})
    ann.wait_for("Name:")
    ann.line("/lang id")
    ann.wait_for("-- Mulai sekarang: Bahasa Indonesia")
    ann.line("ann")
    ann.wait_for("#lobby")


def helped(*flags: str, **env: str) -> str:
    """What --help prints."""
    done = run_client(*flags, "--help", env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_flag_variable_and_memory_in_this_order(server: ServerProcess, tmp_path: Path) -> None:
    state = tmp_path / "state"
    memory = {"SECURECHAT_STATE": str(state)}
    assert helped(**memory).startswith("usage: ")
    assert not state.exists(), "looking for a language makes nothing"
    done = run_client(
        *at(server, "--name", "bot", "--commands"), stdin="/lang id\nhalo\n", env={**os.environ, **memory}
    )
    assert done.returncode == 0, done.stderr
    assert "-- Mulai sekarang: Bahasa Indonesia\n" in done.stderr
    assert helped(**memory).startswith("pemakaian: ")
    assert helped(**memory, SECURECHAT_LANG="en").startswith("usage: ")
    assert helped("--lang=id", **memory, SECURECHAT_LANG="en").startswith("pemakaian: ")


def test_what_is_wrong_with_a_language_is_told_once(tmp_path: Path) -> None:
    LocalStore(tmp_path).keep_language("id")
    memory = {**os.environ, "SECURECHAT_STATE": str(tmp_path)}
    done = run_client("--help", env={**memory, "SECURECHAT_LANG": "fr"})
    assert done.stderr.count("There is no translation called fr") == 1
    assert done.stdout.startswith("usage: ")
    (path,) = (tmp_path / "v1").glob("habits-*.json")
    path.write_text("{")
    done = run_client("--forget", env=memory)
    assert path.with_suffix(".damaged").exists()
    assert "Traceback" not in done.stderr


def test_lines_of_a_pipe_are_no_commands(server: ServerProcess, tmp_path: Path) -> None:
    memory = {**os.environ, "SECURECHAT_STATE": str(tmp_path)}
    done = run_client(*at(server, "--name", "bot", "--send"), stdin="/lang id\n", env=memory)
    assert (done.returncode, done.stderr) == (0, "")
    assert LocalStore(tmp_path).language() == ""


def test_a_language_that_cannot_be_remembered_is_used_and_told(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "v1").write_text("in the way")
    memory = {**os.environ, "SECURECHAT_STATE": str(tmp_path)}
    done = run_client(*at(server, "--name", "bot", "--commands"), stdin="/lang id\n", env=memory)
    assert "-- Mulai sekarang: Bahasa Indonesia\n-- Bahasamu tidak bisa disimpan. " in done.stderr
