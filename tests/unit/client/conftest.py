"""A real server for the tests that look at the client from outside, and ways to start the client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.tls.certificates import ensure_server
from tests.support.screen import Screen
from tests.support.server import ServerProcess

CLIENT = [sys.executable, "-m", "securechat.cli.chat"]
ROOT = Path(__file__).parents[3]
PATIENCE_S = 30.0


@pytest.fixture(scope="session")
def client_certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("client-certs")
    ensure_server(directory)
    return directory


@pytest.fixture
def chat_server(client_certs: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(client_certs, tmp_path / "data").start() as process:
        yield process


@pytest.fixture
def screen(chat_server: ServerProcess) -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def make(*flags: str, **options: object) -> Screen:
        where = ["--ca", str(chat_server.ca), f"127.0.0.1:{chat_server.port}"]
        opened.append(Screen([*CLIENT, *where, *flags], cwd=ROOT, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for one in opened:
        one.__exit__()


def run_client(*flags: str, stdin: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLIENT, *flags],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=ROOT,
        env=env,
        check=False,
    )
