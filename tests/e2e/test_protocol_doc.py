"""docs/protocol.md is true: its client works against a real server, and survives the server's death."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from securechat.model import Command, Event
from tests.e2e.conftest import Connect
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

pytestmark = pytest.mark.not_pseudo("its client is an example of the documentation")
DOC = Path(__file__).resolve().parent.parent.parent / "docs" / "protocol.md"


class Mini:
    """A run of the documented client."""

    def __init__(self, script: Path, server: ServerProcess, ca: Path, name: str, *state: Path) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                str(script),
                server.host,
                str(server.port),
                str(ca),
                name,
                *map(str, state),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def type(self, *lines: str) -> None:
        assert self.process.stdin
        self.process.stdin.writelines(f"{line}\n" for line in lines)
        self.process.stdin.flush()

    def finish(self) -> int:
        assert self.process.stdin
        if not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(PATIENCE_S)
        self._thread.join(PATIENCE_S)
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.finish()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The appendix, extracted."""
    appendix = DOC.read_text(encoding="utf-8").split("\n## Appendix: a client\n")[1]
    found = re.findall(r"^```python\n(.*?)^```$", appendix, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    path = tmp_path / "mini.py"
    path.write_text(found[0], encoding="utf-8")
    return path


@pytest.fixture
def mini(script: Path) -> Iterator[Callable[..., Mini]]:
    started: list[Mini] = []

    def start(server: ServerProcess, ca: Path, name: str, *state: Path) -> Mini:
        started.append(Mini(script, server, ca, name, *state))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def test_the_documented_client_says_and_hears(
    server: ServerProcess, mini: Callable[..., Mini], connect: Connect
) -> None:
    ana, budi = mini(server, server.ca, "ana"), mini(server, server.ca, "budi")
    for name in ("ana", "budi"):
        wait_until(lambda name=name: any(f'"{name}"' in line for line in server.lines), f"{name} is in")
    ana.type("selamat pagi", "\x1b[2J")
    wait_until(lambda: len(ana.lines) == len(budi.lines) == 2, "both hear two lines")
    assert budi.lines == ["1 ana: selamat pagi", "2 ana: <U+001B>[2J"]
    assert ana.finish() == 0
    assert ana.lines == budi.lines
    assert budi.finish() == 0


def test_the_documented_client_survives_the_servers_death(server: ServerProcess, mini: Callable[..., Mini]) -> None:
    ana, budi = mini(server, server.ca, "ana"), mini(server, server.ca, "budi")
    for name in ("ana", "budi"):
        wait_until(lambda name=name: any(f'"{name}"' in line for line in server.lines), f"{name} is in")
    ana.type("before")
    wait_until(lambda: budi.lines and ana.lines, "both hear it")
    server.kill()
    ana.type("while it was dead")
    server.start()
    wait_until(lambda: len(budi.lines) == 2, "budi hears what was typed while the server was dead")
    assert budi.lines == ["1 ana: before", "2 ana: while it was dead"]
    wait_until(lambda: ana.lines == budi.lines, "ana hears the same")
    assert ana.finish() == 0


def test_the_documented_client_goes_on_where_its_last_run_was_killed(
    server: ServerProcess, mini: Callable[..., Mini], tmp_path: Path
) -> None:
    """A second run with the same state is the same sender, shows what it has missed, once, and edits its own line."""
    ana = mini(server, server.ca, "ana", tmp_path / "ana.json")
    ana.type("first")
    wait_until(lambda: ana.lines == ["1 ana: first"], "ana hears herself")
    budi = mini(server, server.ca, "budi")
    wait_until(lambda: any('"budi"' in line for line in server.lines), "budi is in")
    ana.kill()
    budi.type("while you were away")
    wait_until(lambda: len(budi.lines) == 1, "it is said")
    again = mini(server, server.ca, "ana", tmp_path / "ana.json")
    again.type("/edit third")
    wait_until(lambda: len(budi.lines) == len(again.lines) == 2, "both hear of the edit")
    assert budi.lines == ["2 budi: while you were away", "1 ana now says: third"]
    assert again.finish() == 0
    assert again.lines == ["2 budi: while you were away", "1 ana now says: third"]


def test_the_documented_client_verifies(server: ServerProcess, mini: Callable[..., Mini], tmp_path: Path) -> None:
    from securechat.tls.certificate_directory import ensure_server

    ensure_server(tmp_path / "other")
    ana = mini(server, tmp_path / "other" / "ca.pem", "ana")
    assert ana.finish() == 1
    assert ana.lines[0].startswith("not verified: ")


def test_the_worked_reconnect_is_in_the_language_of_the_protocol() -> None:
    """Every line of section 8 decodes as what it says it is."""
    section = DOC.read_text(encoding="utf-8").split("## 8. A reconnect")[1].split("## 9.")[0]
    lines = re.findall(r"^([<>]) (\{.*\})$", section, re.MULTILINE)
    assert len(lines) == 11
    for direction, body in lines:
        record = msgspec.json.decode(body, type=Command if direction == ">" else Event)
        assert json.loads(msgspec.json.encode(record)) == json.loads(body), "defaults are left out, nothing is made up"
