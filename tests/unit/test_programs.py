"""A command that a sentence names exists, on a PATH or in tools/dev.py."""

from __future__ import annotations

import ast
import re
import tomllib
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat import __version__
from securechat.admin.parser import make_parser
from securechat.cli import chat
from securechat.programs import DEFAULT_DATA, Program, command, on_data, restoring, shown_path
from securechat.server.config import flags

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


@pytest.mark.parametrize("parser", [chat._parser, flags.parser, make_parser], ids=["client", "server", "admin"])
def test_a_version_is_told_with_the_name_of_its_program(
    parser: Callable[[], ArgumentParser], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--version"])
    name, number = capsys.readouterr().out.split()
    assert name in {"securechat-client", "securechat-server", "securechat-admin"}
    assert number == __version__


def test_a_command_about_a_data_directory_works_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert on_data(Program.ADMIN, Path("a b"), "check") == f"securechat-admin check --data '{tmp_path}/a b'"
    for data in (DEFAULT_DATA, tmp_path / DEFAULT_DATA):
        assert on_data(Program.SERVER, data) == "securechat-server --data securechat-data"
    assert restoring(tmp_path) == f"securechat-admin restore FILE --data {tmp_path} --certs NEW-CERTS"


def test_a_path_is_shown_as_a_shell_takes_it_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(Path("d h")) == f"'{tmp_path}/d h'"
    assert shown_path(tmp_path) == str(tmp_path)


def test_what_is_named_exists() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    dev = (ROOT / "tools" / "dev.py").read_text(encoding="utf-8")
    for program in Program:
        installed, subcommand = program.value
        assert installed.split()[0] in scripts
        assert f'"{subcommand}": {subcommand}' in dev


def sentences_in(path: Path) -> Iterator[str]:
    """The texts of a module without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_no_sentence_spells_a_command_by_itself() -> None:
    """`command` does: a program may be on no PATH, and a script needs a Python that can run it."""
    package = ROOT / "securechat"
    subcommands = next(action.choices for action in make_parser()._actions if isinstance(action.choices, dict))
    spelled = re.compile(rf"securechat-\w+ +(?:--\w|(?:{'|'.join(subcommands)})\b)|tools/\w+\.py")
    # settings.py only names the file; trust.py is read on machines where this program is not.
    allowed = {package / "programs.py", package / "server" / "config" / "settings.py"}
    allowed.add(package / "server" / "web" / "trust.py")
    files = set(package.rglob("*.py")) - allowed - set((package / "client").rglob("*.py"))
    wrong = [f"{path.name}: {text}" for path in files for text in sentences_in(path) if spelled.search(text)]
    assert wrong == []
