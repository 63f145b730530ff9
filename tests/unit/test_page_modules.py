"""Runs the unit tests of the web client's modules (tests/web_unit) by deno; tools/dev.py has it check their types."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.deno import DENO, needs_deno

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests" / "web_unit").glob("*.test.js"))


@needs_deno
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_modules_pass_their_tests(path: Path) -> None:
    options = ["--quiet", "--no-check", "--no-remote", "--allow-read", "--config", "tools/deno.json"]
    command = [str(DENO), "test", *options, str(path)]
    environment = {**os.environ, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
