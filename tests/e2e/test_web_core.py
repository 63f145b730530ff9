"""The page's core over a real WebSocket and a verified connection, while the server is killed under it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.deno import DENO, needs_deno
from tests.support.server import PATIENCE_S, ServerProcess

PROGRAM = Path(__file__).with_name("web_core.js")
pytestmark = [
    needs_deno,
    pytest.mark.not_pseudo("the core says nothing to people"),
]


def test_two_pages_lose_nothing_when_the_server_is_killed(server: ServerProcess) -> None:
    command = [
        str(DENO), "run", "--quiet", "--no-remote", "--no-check", "--cert", str(server.ca), "--allow-net", str(PROGRAM),
        f"wss://{server.host}:{server.port}/ws",
    ]  # fmt: skip
    environment = {**os.environ, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    pages = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    with pages:
        assert pages.stdin is not None
        assert pages.stdout is not None
        try:
            for word, act in (("kill the server", server.kill), ("start the server", server.start)):
                assert pages.stdout.readline().strip() == word, pages.communicate()[1]
                act()
                pages.stdin.write("go\n")
                pages.stdin.flush()
            out, errors = pages.communicate(timeout=6 * PATIENCE_S)
        finally:
            pages.kill()
    assert out.strip() == "done", errors
    assert pages.returncode == 0
