#!/usr/bin/env python3
"""Make or renew the certificates in ``certs/``: ``securechat-admin certs`` for a checkout."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a checkout works without being installed

from securechat.translation import _, chosen, translated, use  # noqa: E402


def speak() -> None:
    """Choose the language of the person, before anything is installed that could do it."""
    language, _problem = chosen(sys.argv[1:])
    use(language)


def run_in_venv(missing: str) -> int:
    """Run this again with the Python of the checkout's ``.venv``; returns its exit code.

    Args:
        missing: the module that this Python lacks.
    """
    venv = ROOT / ".venv"
    python = venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"
    if Path(sys.prefix).resolve() != venv.resolve() and python.exists():
        environment = {**os.environ, "SECURECHAT_BANNER": "dev"}  # its programs are on no PATH
        try:
            return subprocess.run([str(python), *sys.argv], env=environment, check=False).returncode
        except OSError:
            pass  # dev.py repairs it
    instead = shlex.join(["python3", "tools/dev.py", "certs", *sys.argv[1:]])
    speak()
    sentence = _(
        "{module} is not installed for this Python. Run `{command}`, which installs it", module=missing, command=instead
    )
    print(f"gen_certs: {sentence}", file=sys.stderr)
    return 1


try:
    from securechat.admin.certificate_options import add_options
    from securechat.admin.certificates import make
    from securechat.cli.process import run
    from securechat.errors import Refusal, TlsFailure
    from securechat.programs import Program, add_language_flag, command, version
    from securechat.translation import translated
except ModuleNotFoundError as error:
    if __name__ != "__main__" or error.name is None or error.name.partition(".")[0] == "securechat":
        raise
    sys.exit(run_in_venv(error.name))

CERTS = ROOT / "certs"


def main(argv: list[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    return run(lambda: certificates(argv), "gen_certs", argv, failed=1, output_failed=1, interrupted=130)


def certificates(argv: list[str] | None) -> int:
    """Make what the command line asks for."""
    options = build_parser().parse_args(argv)
    with contextlib.suppress(OSError):  # the working directory was deleted: paths stay whole
        if options.dir is CERTS and CERTS.is_relative_to(Path.cwd()):  # one that was typed is printed as it was
            options.dir = CERTS.relative_to(Path.cwd())  # what is printed is short enough to be typed
    try:
        _record, lines = make(options)
    except Refusal as refusal:
        print(f"gen_certs: {translated(refusal.sentence)}", file=sys.stderr)
        return 1
    except (TlsFailure, ValueError) as error:
        print(f"gen_certs: {translated(error)}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Every flag."""
    from_dev = os.environ.get("SECURECHAT_BANNER") == "dev"
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog=command(Program.CERTIFICATES) if from_dev else "python3 tools/gen_certs.py",
        description=_(
            "Make a CA and a server certificate for this machine, or renew the certificate under the same CA."
        ),
    )
    parser.add_argument(
        "--version", action="version", version=version(Program.CERTIFICATES), help=_("print the version, and end")
    )
    add_language_flag(parser)
    add_options(parser, CERTS, "certs/")
    return parser


if __name__ == "__main__":
    sys.exit(main())
