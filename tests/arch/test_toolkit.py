"""The toolkit of the screen: who loads it, who names it, and that no text of ours goes through its markup."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCREEN = ROOT / "securechat" / "client" / "screen"
TOOLKIT = SCREEN / "toolkit.py"
MARKUP = {"from_markup", "markup", "render_markup", "from_text", "Content", "Text"}
"""What parses markup in Textual 8 and rich, and what is drawn with it."""


@pytest.mark.parametrize(
    "modules",
    [
        "securechat.cli.serve, securechat.server.app",
        "securechat.cli.chat, securechat.client.pipe.chat, securechat.client.pipe.pipes, securechat.client.pipe.files",
        "securechat.cli.chat, securechat.client.terminal.app",
        "securechat.cli.admin, securechat.bot",
    ],
    ids=["server", "pipes", "line mode", "others"],
)
def test_nothing_but_a_screen_loads_the_toolkit(modules: str) -> None:
    loaded = "sorted(each for each in sys.modules if each.split('.')[0] in ('textual', 'rich'))"
    program = f"import {modules}, sys; print({loaded})"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ended.stdout, ended.returncode) == ("[]\n", 0), ended.stderr


def names(path: Path) -> Iterator[tuple[int, str]]:
    """Every name that a module uses, and every keyword argument of it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.value.lineno, node.arg
        elif isinstance(node, ast.alias):
            yield node.lineno, node.name.rpartition(".")[2]


@pytest.mark.parametrize("path", sorted(SCREEN.glob("*.py")), ids=lambda path: path.name)
def test_no_parser_of_markup_is_reachable(path: Path) -> None:
    assert [(line, name) for line, name in names(path) if name in MARKUP] == []


def test_the_search_for_markup_finds_it(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("from rich.text import Text\nText.from_markup(x)\nStatic(x, markup=True)\n", encoding="utf-8")
    assert {name for _, name in names(path)} & MARKUP == {"Text", "from_markup", "markup"}


def test_no_text_goes_to_a_widget_but_as_rows() -> None:
    """No widget of the toolkit that takes a text is used: panes draw strips."""
    imported = [
        alias.name
        for node in ast.walk(ast.parse(TOOLKIT.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert not {"Static", "Label", "RichLog", "Log", "Markdown", "Input", "TextArea", "OptionList"} & set(imported)


def test_the_screen_is_small() -> None:
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in SCREEN.glob("*.py"))
    assert lines <= 2000
