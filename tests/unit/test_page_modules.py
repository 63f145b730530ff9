"""Runs the unit tests of the web client's modules (tests/web_unit), which deno executes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DENO = Path(sys.executable).with_name("deno.exe" if os.name == "nt" else "deno")
FILES = sorted((ROOT / "tests" / "web_unit").glob("*.test.js"))


@pytest.mark.skipif(not DENO.exists(), reason="no deno for this machine")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_modules_pass_their_tests(path: Path) -> None:
    command = [str(DENO), "test", "--quiet", "--no-remote", "--allow-read", "--config", "tools/deno.json", str(path)]
    environment = {**os.environ, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
