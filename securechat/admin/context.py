"""What every command is given: where the server's data is, what was typed, and where answers go."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from securechat.admin.connection import AdminConnection, AdminReply
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.output import TableOutput
from securechat.server.admin_protocol import AdminCommand
from securechat.server.config.loading import ServerConfig, read
from securechat.server.config.report import first_sentence

CommandFunction = Callable[["CommandContext"], AdminExit]


class CommandContext(Struct, frozen=True):
    """One run of the tool.

    Attributes:
        config: the server's settings as far as this machine tells: its data directory, certificate and limits.
        options: what was typed.
        output: where to print.
    """

    config: ServerConfig
    options: argparse.Namespace
    output: TableOutput

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.config.data

    def ask(self, command: AdminCommand, what: str = "") -> AdminReply:
        """Ask the running server, showing progress as ``what``.

        Raises:
            Failure: see `AdminConnection`.
        """
        with AdminConnection(self.data) as line:
            return line.ask(command, lambda share: self.output.progress(what, share))

    def confirm(self, question: str) -> None:
        """Have a person say yes.

        Args:
            question: what is lost, in whole sentences.

        Raises:
            Failure: REFUSED by the person, or USAGE where there is none to ask.
        """
        if self.options.yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise AdminFailure(AdminExit.USAGE, f"{question} There is no terminal to ask on: to do it, add --yes")
        self.output.notice(question)
        sys.stderr.write("Type yes to go on: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() != "yes":
            raise AdminFailure(AdminExit.REFUSED, "nothing was done", "not_confirmed")


def settings(options: argparse.Namespace, environ: Mapping[str, str] | None = None) -> ServerConfig:
    """The server's settings, as the server itself would read them.

    Raises:
        Failure: USAGE, one of them is wrong.
    """
    flags = [word for name in ("config", "data", "cert") if (value := getattr(options, name, None)) is not None
             for word in (f"--{name}={value}",)]  # fmt: skip
    reading = read(flags, os.environ if environ is None else environ)
    if reading.problems:
        raise AdminFailure(AdminExit.USAGE, first_sentence(reading.problems))
    return reading.config()


def shell(path: Path) -> str:
    """A path as a shell takes it."""
    return shlex.quote(str(path))
