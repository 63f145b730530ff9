"""A command that a sentence names exists, on a PATH or in tools/dev.py."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from securechat.programs import Program, command

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("program", Program)
def test_a_command_goes_through_dev_py_where_that_started_the_program(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECURECHAT_BANNER", raising=False)
    installed, subcommand = program.value
    assert command(program, "--x y") == f"{installed} --x y"
    monkeypatch.setenv("SECURECHAT_BANNER", "dev")
    assert command(program) == f"python3 tools/dev.py {subcommand}"


def test_what_is_named_exists() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    dev = (ROOT / "tools" / "dev.py").read_text(encoding="utf-8")
    for program in Program:
        installed, subcommand = program.value
        assert installed in scripts or (ROOT / installed.split()[-1]).is_file()
        assert f'"{subcommand}": {subcommand}' in dev
