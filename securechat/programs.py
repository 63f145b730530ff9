"""The commands that a sentence tells a person to type, as they work for the person who reads it.

``tools/dev.py`` installs the programs into a virtual environment of the checkout, which is on no PATH; it says so in
SECURECHAT_BANNER, and every command goes through it then. Everywhere else the programs are on the PATH.
"""

from __future__ import annotations

import argparse
import os
import shlex
from enum import Enum
from pathlib import Path

from securechat import __version__
from securechat.translation import LANGUAGES, _, given, translated

VARIABLE = "SECURECHAT_BANNER"
FROM_CHECKOUT = "dev"
"""The variable's value in everything that tools/dev.py starts."""


DEFAULT_DATA = Path("securechat-data")
"""The data directory where none is named, in the working directory."""


DEFAULT_CERTS = Path("certs")
"""The folder in which certificates are made where none is named, in the working directory."""


class Program(Enum):
    """What people run: the command on a PATH, and the subcommand of tools/dev.py."""

    SERVER = ("securechat-server", "serve")
    CLIENT = ("securechat-client", "chat")
    ADMIN = ("securechat-admin", "admin")
    CERTIFICATES = ("securechat-admin certs", "certs")


def command(program: Program, arguments: str = "") -> str:
    """Return a command to type.

    Args:
        program: what to run.
        arguments: what stands behind it, quoted for a shell.
    """
    installed, subcommand = program.value
    shown = f"python3 {_script('dev.py')} {subcommand}" if os.environ.get(VARIABLE) == FROM_CHECKOUT else installed
    return f"{shown} {arguments}" if arguments else shown


def on_data(program: Program, data: Path, subcommand: str = "", more: str = "") -> str:
    """Return a command about a data directory, which reaches it from every folder.

    Args:
        program: what to run.
        data: the directory; absolute in the command, unless it is the default one of the present folder.
        subcommand: of securechat-admin, with its arguments.
        more: options behind the directory, quoted for a shell.
    """
    return command(program, " ".join(filter(None, (subcommand, "--data", shown_path(data, DEFAULT_DATA), more))))


def restoring(data: Path) -> str:
    """Return the command that restores a backup into a data directory, with placeholders."""
    return on_data(Program.ADMIN, data, "restore FILE", "--certs NEW-CERTS")


def certifying(certificate: Path, more: str = "") -> str:
    """Return the command that makes a certificate in the folder of the one that is meant.

    Args:
        certificate: the file, as the reader named it.
        more: further options, quoted for a shell.
    """
    folder = "" if certificate.parent == DEFAULT_CERTS else f"--dir {shlex.quote(str(certificate.parent))}"
    return command(Program.CERTIFICATES, " ".join(filter(None, (folder, more))))


def shown_path(path: Path, default: Path | None = None) -> str:
    """Return a path as a shell takes it in every folder: absolute, but for the default one of the present folder."""
    try:
        whole, usual = path.absolute(), default.absolute() if default is not None else None
    except OSError:  # the working directory was deleted
        return shlex.quote(str(path))
    return shlex.quote(str(default if whole == usual else whole))


def version(program: Program) -> str:
    """Return what ``--version`` prints: the program's name and version, as ``securechat-server 1.2.3``."""
    return f"{program.value[0]} {__version__}"


def add_language_flag(parser: argparse.ArgumentParser, default: object = None) -> None:
    """Give a program the flag ``--lang``, which `translation.chosen` reads before the command line is parsed."""
    languages = ", ".join(f"{code} ({name})" for code, name in LANGUAGES.items())
    shown = _("the language of what is printed: {languages} (that of the system)", languages=languages)
    parser.add_argument("--lang", metavar=_("CODE"), type=_language, default=default, help=shown)


def _language(text: str) -> str:
    try:
        return given(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(translated(error)) from None


def _script(name: str) -> str:
    """Return the path of a script of the checkout: whole, where the working directory is another."""
    root = Path(__file__).resolve().parent.parent
    relative = f"tools/{name}"
    try:
        return relative if Path.cwd() == root else shlex.quote(str(root / relative))
    except OSError:  # the working directory was deleted
        return shlex.quote(str(root / relative))
