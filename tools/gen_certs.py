#!/usr/bin/env python3
"""Make or renew the certificates in ``certs/``. All the logic is in ``securechat.tls.certificate_directory``."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a checkout works without being installed


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
    print(f"gen_certs: {missing} is not installed for this Python. Run `{instead}`, which installs it", file=sys.stderr)
    return 1


try:
    from securechat import __version__
    from securechat.cli.process import run
    from securechat.errors import Refusal, TlsFailure
    from securechat.programs import Program, command
    from securechat.tls.certificate_directory import (
        CA_FILE,
        CA_KEY_FILE,
        Ensured,
        create_authority,
        ensure_server,
        issue_client,
        load_authority,
    )
    from securechat.tls.client_certificates import fingerprint_of_file
    from securechat.tls.hostnames import parse_names
    from securechat.tls.issuing import CLIENT_LIFETIME
    from securechat.tls.pem_bundle import fingerprint
except ModuleNotFoundError as error:
    if __name__ != "__main__" or error.name is None or error.name.partition(".")[0] == "securechat":
        raise
    sys.exit(run_in_venv(error.name))

CERTS = ROOT / "certs"


def main(argv: list[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    return run(lambda: make(argv), "gen_certs", failed=1, output_failed=1, interrupted=130)


def make(argv: list[str] | None) -> int:
    """Make what the command line asks for."""
    options = build_parser().parse_args(argv)
    with contextlib.suppress(OSError):  # the working directory was deleted: paths stay whole
        if options.dir.is_relative_to(Path.cwd()):
            options.dir = options.dir.relative_to(Path.cwd())  # what is printed is short enough to be typed
    try:
        if options.client is not None:
            make_client(options)
        elif options.days is not None:
            raise ValueError("--days is for client certificates. Use it with --client NAME")
        else:
            make_server(options)
    except Refusal as refusal:
        print(f"gen_certs: {refusal.detail}", file=sys.stderr)
        return 1
    except (TlsFailure, ValueError) as error:
        print(f"gen_certs: {error}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Every flag."""
    parser = argparse.ArgumentParser(
        prog=command(Program.CERTIFICATES),
        description="Make a CA and a server certificate for this machine, or renew the certificate under the same CA.",
    )
    parser.add_argument("--version", action="version", version=__version__, help="print the version, and end")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="a further DNS name or IP address of the server; can be repeated; kept at renewals",
    )
    parser.add_argument("--forget-names", action="store_true", help="drop earlier names that are not repeated now")
    parser.add_argument(
        "--dir", type=directory, default=CERTS, metavar="DIR", help="where the files are (default: certs/)"
    )
    parser.add_argument("--client", metavar="NAME", help="make client-NAME.pem instead, for the user NAME")
    parser.add_argument(
        "--days",
        type=whole_days,
        metavar="N",
        help=f"how long a client certificate is valid (default: {CLIENT_LIFETIME.days}; never longer than the CA)",
    )
    parser.add_argument("--if-needed", action="store_true", help="renew only what is old or lacks a name")
    parser.add_argument(
        "--new-ca", action="store_true", help="replace the CA: every client must then get the new ca.pem or pin"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a client certificate, or a server.pem of another CA"
    )
    return parser


def directory(text: str) -> Path:
    """Return a directory; an empty text would be the working directory, where no key should land by mistake."""
    if not text:
        raise argparse.ArgumentTypeError("the directory has no name; leave --dir out for certs/")
    return Path(text)


def whole_days(text: str) -> int:
    """Return the days a certificate is valid; more than a century is a typing error."""
    days = int(text) if text.isdecimal() else 0
    if not 1 <= days <= 36_500:
        raise argparse.ArgumentTypeError(f"not a number of days from 1 to 36500: {text!r}")
    return days


def make_server(options: argparse.Namespace) -> None:
    """Make the CA if there is none (or ``--new-ca``), then ``server.pem``."""
    extra = parse_names(options.name)
    if options.new_ca:
        create_authority(options.dir, replace=True)
    done = ensure_server(
        options.dir,
        extra,
        always=options.new_ca or not options.if_needed,
        keep_names=not options.forget_names,
        force=options.force or options.new_ca,
    )
    report(done, options.dir, new_ca=done.new_ca or options.new_ca)
    if options.new_ca:
        print("\nThe CA is new. Clients refuse this server until they have the new ca.pem or pin")


def report(done: Ensured, directory: Path, *, new_ca: bool) -> None:
    """Print the files written, the names and fingerprint, and the next commands."""
    if new_ca:
        print(f"Wrote {directory / CA_FILE}: the CA certificate, for every client")
        print(f"Wrote {directory / CA_KEY_FILE}: the CA's private key. Keep it secret")
    if done.reasons:
        print(f"Wrote {done.bundle.path}: the server's certificate and private key. Keep it on the server")
    else:
        print(f"The certificate {done.bundle.path} is still valid. Nothing was written")
    print(f"\n  names    {done.bundle.names}")
    print(f"  valid    until {done.bundle.not_after:%Y-%m-%d} (renew by running this again)")
    print(f"  CA       {done.ca_fingerprint}")
    serve, chat = f"--cert {done.bundle.path}", f"--ca {directory / CA_FILE}"
    print(f"\nNext: {command(Program.SERVER, serve)}")
    print(f"Then: {command(Program.CLIENT, chat)}")


def make_client(options: argparse.Namespace) -> None:
    """Make ``client-NAME.pem`` under the present CA."""
    from securechat.text.names import check_name  # noqa: PLC0415 - a server's certificate needs nothing but cryptography

    name = check_name(options.client)
    issuer = load_authority(options.dir)
    if issuer is None:
        raise ValueError(
            f"The file {options.dir / CA_FILE} is missing. Make the CA first by running this without --client"
        )
    lifetime = CLIENT_LIFETIME if options.days is None else dt.timedelta(days=options.days)
    bundle = issue_client(options.dir, issuer, name, lifetime=lifetime, force=options.force)
    shown = f'"{name}"' if " " in name else name
    print(f"Wrote {bundle.path}: certificate and private key, for {shown} only")
    print(f"\n  valid    until {bundle.not_after:%Y-%m-%d}")
    print(f"  CA       {fingerprint(issuer.certificate)}")
    print(f"  key      {fingerprint_of_file(bundle.path)}")
    print(f"\nNext: give {bundle.path.name} to {shown} privately, with {CA_FILE}")
    print(f"Then: {command(Program.CLIENT, f'--cert {bundle.path} --name {shown}')}")
    print("      log in once with the password and type /cert add. After that the certificate logs in")


if __name__ == "__main__":
    sys.exit(main())
