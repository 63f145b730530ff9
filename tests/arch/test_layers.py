"""The house: who may import whom, and that no file grows a second noun."""

from __future__ import annotations

import ast
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


def imports() -> dict[str, set[str]]:
    """The modules of the product that each imports, for types only too."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / "securechat").rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    found[name] |= {each.name for each in names} & modules.keys()
                case ast.ImportFrom(module=str() as module, names=names):
                    wanted = (f"{module}.{each.name}" for each in names)
                    found[name] |= {each if each in modules else module for each in wanted} & modules.keys()
        found[name].discard(name)
    return found


def test_no_modules_import_each_other_in_a_circle_not_even_for_types() -> None:
    left = imports()
    while leaves := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in leaves}
    # what is left is on a circle, or stands on one
    while roots := left.keys() - set().union(*left.values(), set()):
        left = {name: needs for name, needs in left.items() if name not in roots}
    assert sorted(left) == []
