"""Ways to run the operator's tool against a server under test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import warm
from tests.support.client import PATIENCE_S, ROOT
from tests.support.secrecy import expect_clean_command
from tests.support.server import ServerProcess

ADMIN = [sys.executable, "-m", "securechat.cli.admin"]

needs_socket = pytest.mark.skipif(sys.platform == "win32", reason="no unix-domain sockets in Python on Windows")


def admin(data: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal."""
    command = [*ADMIN, *words, "--data", str(data)]
    expect_clean_command(command)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SECURECHAT_")}
    env = {**env, "PYTHONUTF8": "1", "TZ": "UTC"}
    return warm.run(command, text=stdin, timeout=4 * PATIENCE_S, cwd=ROOT, env=env)


def told(server: ServerProcess, *words: str) -> str:
    """What a command that succeeds prints."""
    done = admin(server.data, *words)
    assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def rows(server: ServerProcess, *words: str) -> list[dict[str, Any]]:
    """The same with --json: one object a line, in printable ASCII."""
    text = told(server, *words, "--json")
    assert all(line.isascii() and line.isprintable() for line in text.splitlines()), text
    return [json.loads(line) for line in text.splitlines()]


def row(server: ServerProcess, *words: str) -> dict[str, Any]:
    """The one object that a command with --json prints."""
    (only,) = rows(server, *words)
    return only


def refused(data: Path, code: int, *words: str) -> str:
    """What a command that fails with this exit code says; with --json the same, as an object."""
    done = admin(data, *words)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    as_json = admin(data, *words, "--json")
    assert as_json.returncode == code
    assert json.loads(as_json.stdout)["error"]["text"]
    return done.stderr
