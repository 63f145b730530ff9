"""An empty value on a command line is an unset variable of a script: a mistake that is said, and never a default.

Looked through: every option and argument that takes a value, of each program and each command, as the parsers list
them. ``--reason ""`` is none, as without it. An empty variable of the environment counts as unset, and so does an empty
path in the configuration file (docs/securechat.toml).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.admin.exit_codes import AdminExit
from securechat.admin.parser import make_parser
from securechat.cli.chat import _parser as client_parser
from securechat.client.exit_codes import ClientExit
from securechat.server.app import ExitCode
from securechat.server.config.flags import parser as server_parser
from tests.support import warm
from tests.support.client import PATIENCE_S, ROOT

SERVE, ADMIN, CHAT = "securechat.cli.serve", "securechat.cli.admin", "securechat.cli.chat"
CODES = {SERVE: ExitCode.USAGE, ADMIN: AdminExit.USAGE, CHAT: ClientExit.USAGE}
MAY_BE_EMPTY = {"--reason"}
VALUES = {"number": "1", "last": "1"}
"""For what stands before the empty one and is no free text."""

Line = tuple[str, list[str], str]
"""A module, its arguments, and the name of the empty one."""


def _of_parser(module: str, parser: argparse.ArgumentParser, before: list[str]) -> Iterator[Line]:
    positionals = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from _of_parser(module, below, [*before, word])
        elif action.option_strings:
            if action.nargs != 0 and not MAY_BE_EMPTY & set(action.option_strings):
                name = action.option_strings[-1]
                yield module, [*before, f"{name}="], name
        else:
            name = str(action.metavar or action.dest)
            yield module, [*before, *positionals, ""], name
            positionals.append(str(next(iter(action.choices), "")) if action.choices else VALUES.get(action.dest, "x"))


def _lines() -> list[Line]:
    parsers = {SERVE: server_parser(), ADMIN: make_parser(), CHAT: client_parser()}
    return [line for module, parser in parsers.items() for line in _of_parser(module, parser, [])]


def test_the_parsers_are_looked_through() -> None:
    named = {(module, name) for module, _, name in _lines()}
    assert len(_lines()) > 100
    for expected in ((SERVE, "--config"), (SERVE, "--host"), (SERVE, "--key"), (ADMIN, "--data"), (ADMIN, "--config"),
                     (ADMIN, "--key"), (ADMIN, "FILE"), (ADMIN, "--to"), (ADMIN, "NAME"), (CHAT, "--ca"),
                     (CHAT, "--pin"), (CHAT, "--name"), (CHAT, "HOST[:PORT]")):  # fmt: skip
        assert expected in named


@pytest.mark.parametrize(
    ("module", "arguments", "name"), _lines(), ids=lambda value: " ".join(value) if isinstance(value, list) else None
)
def test_an_empty_value_is_said(module: str, arguments: list[str], name: str, tmp_path: Path) -> None:
    done = warm.run([sys.executable, "-m", module, *arguments], text="", timeout=PATIENCE_S, cwd=tmp_path)
    assert done.returncode == CODES[module], done
    assert name in done.stderr, done.stderr
    assert any(word in done.stderr for word in ("empty", "''", "has no name", "NAME=VALUE")), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "127.0.0.1,", "127.0.0.1, ,::1"])
def test_a_list_of_addresses_with_an_empty_one(value: str, tmp_path: Path) -> None:
    """With one address less, or all of the machine's, the server would be reached from elsewhere than was wanted."""
    command = [sys.executable, "-m", SERVE, "--host", value, "--print-config"]
    done = warm.run(command, text="", timeout=PATIENCE_S, cwd=ROOT)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "--host: must be addresses, and one of them is empty; leave --host out for loopback" in done.stderr
