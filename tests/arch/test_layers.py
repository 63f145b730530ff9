"""The house: who may import whom, and that no file grows a second noun."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_LINES = 700


def lint_imports(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-cache", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_no_wall_is_broken() -> None:
    done = lint_imports()
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_a_broken_wall_is_noticed(tmp_path: Path) -> None:
    """The contract can fail: errors stands below wire, so a contract that says the opposite must be broken."""
    contract = tmp_path / "contract.ini"
    contract.write_text(
        "[importlinter]\nroot_package = securechat\n\n"
        "[importlinter:contract:1]\nname = upside down\ntype = layers\n"
        "layers =\n    securechat.errors\n    securechat.wire\n",
        encoding="utf-8",
    )
    assert lint_imports("--config", str(contract)).returncode == 1


@pytest.mark.parametrize("folder", ["securechat", "tools"])
def test_a_file_is_one_noun(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long, f"look for the second noun in {long}"


def test_every_package_says_what_it_refuses_to_know() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "securechat").rglob("*.py")
        if not path.read_text(encoding="utf-8").lstrip().startswith('"""')
    ]
    assert not silent, f"no module docstring in {silent}"
