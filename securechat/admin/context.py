"""The context of a command: the settings, the options and the output."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from securechat.admin.connection import AdminConnection, AdminReply
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.output import TableOutput
from securechat.server.admin_protocol import AdminCommand
from securechat.server.config.loading import ServerConfig, SettingValue, read
from securechat.server.config.report import first_sentence
from securechat.translation import _, is_yes, translated

_LANGUAGE = "lang"
"""The setting that this tool can do without: a wrong one is a warning, and English."""

CommandFunction = Callable[["CommandContext"], AdminExit]


class CommandContext(Struct, frozen=True):
    """One run of the tool.

    Attributes:
        config: the server's settings as read on this machine: data directory, certificate and limits.
        options: the parsed command line.
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
        """Ask for a yes.

        Args:
            question: says what is lost, in whole sentences.

        Raises:
            Failure: REFUSED when the answer is not yes, USAGE without a terminal.
        """
        if self.options.yes:
            return
        if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise AdminFailure(
                AdminExit.USAGE,
                _("{question} There is no terminal to ask on. To do it, add --yes", question=question),
            )
        self.output.notice(question)
        sys.stderr.write(_("Type yes to continue:") + " ")
        sys.stderr.flush()
        if not is_yes(sys.stdin.readline()):
            raise AdminFailure(AdminExit.REFUSED, _("Nothing was done"), "not_confirmed")


def settings(
    options: argparse.Namespace, environ: Mapping[str, str] | None = None, warn: Callable[[str], None] | None = None
) -> ServerConfig:
    """Return the server's settings, as the server itself would read them.

    Args:
        options: the parsed command line.
        environ: the environment; the process's where None.
        warn: told of a language that does not exist, which keeps the server from starting and this tool from nothing.

    Raises:
        Failure: USAGE, one of them is wrong.
    """
    flags = [word for name in ("config", "data", "cert", "key") if (value := getattr(options, name, None)) is not None
             for word in (f"--{name}={value}",)]  # fmt: skip
    reading = read(flags, os.environ if environ is None else environ)
    wrong = tuple(problem for problem in reading.problems if problem.key != _LANGUAGE)
    if wrong:
        raise AdminFailure(AdminExit.USAGE, translated(first_sentence(wrong)))
    if not reading.problems:
        return reading.config()
    if warn is not None:
        for problem in reading.problems:
            warn(_("warning: {sentence}", sentence=problem.sentence))
    origin = reading.given[_LANGUAGE].origin
    return replace(reading, problems=(), given={**reading.given, _LANGUAGE: SettingValue("en", origin)}).config()


def shell(path: Path) -> str:
    """Return a path quoted for a shell."""
    return shlex.quote(str(path))
