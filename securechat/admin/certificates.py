"""`certs`: makes or renews the CA, the server's certificate and the certificates of users.

``tools/gen_certs.py`` is the same for a checkout in which nothing is installed. The certificates themselves are made by
`securechat.tls.certificate_directory`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from securechat.programs import DEFAULT_CERTS, Program, command
from securechat.text.sanitize import width
from securechat.tls.certificate_directory import (
    CA_FILE,
    CA_KEY_FILE,
    SERVER_FILE,
    Ensured,
    ensure_server,
    issue_client,
    load_authority,
)
from securechat.tls.client_certificates import fingerprint_of_file
from securechat.tls.hostnames import parse_names
from securechat.tls.pem_bundle import Bundle, fingerprint
from securechat.translation import Sentence, _, pgettext, translated

if TYPE_CHECKING:
    from securechat.admin.context import CommandContext
    from securechat.admin.exit_codes import AdminExit


def certs(context: CommandContext) -> AdminExit:
    """Run the command of ``securechat-admin``.

    Raises:
        AdminFailure: REFUSED, with the reason and its remedy.
    """
    from securechat.admin.exit_codes import AdminExit, AdminFailure  # noqa: PLC0415 - see the type checker's imports
    from securechat.errors import Refusal, TlsFailure  # noqa: PLC0415

    options = context.options
    if options.dir is None:
        # A certificate of another CA has no place for ours beside it.
        cert = context.config.cert
        options.dir = cert.parent if cert.name == SERVER_FILE else DEFAULT_CERTS
    try:
        record, lines = make(options, None if options.client is not None else _running(context))
    except Refusal as refusal:
        raise AdminFailure(AdminExit.REFUSED, refusal.sentence) from refusal
    except (TlsFailure, ValueError) as error:
        raise AdminFailure(AdminExit.REFUSED, translated(error)) from error
    context.output.record(record, lines)
    return AdminExit.OK


class RunningServer(NamedTuple):
    """What the server on the data directory runs with.

    Attributes:
        pid: its process.
        certificate: the file it has read.
        days: until the certificate in use expires.
        ca_fingerprint: of the certificate in use.
    """

    pid: int
    certificate: Path
    days: float
    ca_fingerprint: str | None

    def uses(self, bundle: Bundle, ca_fingerprint: str) -> bool:
        """Tell whether it has read the file since it was written; by the dates, to a tenth of a day."""
        days = (bundle.not_after - dt.datetime.now(dt.UTC)) / dt.timedelta(days=1)
        return self.ca_fingerprint == ca_fingerprint and abs(self.days - days) < _SAME_DAYS


_SAME_DAYS = 0.2


def _running(context: CommandContext) -> RunningServer | None:
    from securechat.admin.exit_codes import AdminFailure  # noqa: PLC0415
    from securechat.server.admin_protocol import GetStatus  # noqa: PLC0415

    try:
        facts = context.ask(GetStatus()).done
    except AdminFailure:
        return None
    return RunningServer(facts["pid"], Path(facts["certificate"]), facts["certificate_days"], facts["ca_fingerprint"])


def make(options: argparse.Namespace, running: RunningServer | None = None) -> tuple[dict[str, Any], list[str]]:
    """Make what the options of ``certificate_options`` ask for; returns it as a record, and as lines to print.

    ``running`` is the server whose certificate it may be: then the lines say how it takes the new one.

    Raises:
        ValueError: options that exclude each other, or a name that cannot be used.
        TlsFailure: BAD_FILE; see ``certificate_directory``.
        Refusal: a user's name breaks a rule.
    """
    if options.client is not None:
        return _make_client(options)
    if options.days is not None:
        raise ValueError(Sentence("--days is for client certificates. Use it with --client NAME"))
    return _make_server(options, running)


def _make_server(options: argparse.Namespace, running: RunningServer | None) -> tuple[dict[str, Any], list[str]]:
    """Make the CA if there is none (or ``--new-ca``), then ``server.pem``."""
    extra = parse_names(options.name)
    done = ensure_server(
        options.dir,
        extra,
        always=not options.if_needed,
        keep_names=not options.forget_names,
        force=options.force,
        new_ca=options.new_ca,
    )
    lines = _server_lines(done, options.dir, running=running)
    if options.new_ca:
        lines += ["", _("The CA is new. Clients refuse this server until they have the new ca.pem or pin")]
    return _record(done.bundle.path, done.bundle.not_after, done.ca_fingerprint) | {
        "names": [*done.bundle.names.dns, *map(str, done.bundle.names.ips)],
        "new_ca": done.new_ca,
        "reasons": list(done.reasons),
    }, lines


def _server_lines(done: Ensured, directory: Path, *, running: RunningServer | None) -> list[str]:
    """Tell the files written, the names and fingerprint, and the next commands."""
    lines = []
    if done.new_ca:
        lines += [
            _("Wrote {path}: the CA certificate, for every client", path=directory / CA_FILE),
            _("Wrote {path}: the CA's private key. Keep it secret", path=directory / CA_KEY_FILE),
        ]
    if done.reasons:
        lines += [
            _("Wrote {path}: the server's certificate and private key. Keep it on the server", path=done.bundle.path)
        ]
    else:
        lines += [_("The certificate {path} is still valid. Nothing was written", path=done.bundle.path)]
    if done.left_out:
        lines += [
            _(
                "Left out, because this CA cannot certify them: {names}. A new CA can (--new-ca), and every client must"
                " then get the new ca.pem or pin",
                names=str(done.left_out),
            )
        ]
    chat = command(Program.CLIENT, f"--ca {shlex.quote(str(directory / CA_FILE))}")
    return [
        *lines,
        "",
        *_facts(
            (pgettext("of a certificate", "names"), str(done.bundle.names)),
            (
                pgettext("of a certificate", "valid"),
                _("until {end:date} (renew by running this again)", end=done.bundle.not_after),
            ),
            ("CA", done.ca_fingerprint),
        ),
        "",
        _next_step(done, running),
        _("Then: {command}", command=chat),
    ]


def _facts(*facts: tuple[str, str]) -> list[str]:
    """Lay lines out in two columns, the first of at least eight cells."""
    column = max(8, *(width(label) + 1 for label, _shown in facts))
    return [f"  {label}{' ' * (column - width(label))} {shown}" for label, shown in facts]


def _next_step(done: Ensured, running: RunningServer | None) -> str:
    """Return what makes the certificate count."""
    serve = command(Program.SERVER, f"--cert {shlex.quote(str(done.bundle.path))}")
    if running is None:
        return _("Next: {command}", command=serve)
    if not _is_same_file(running.certificate, done.bundle.path):
        return _(
            "Next: stop the running server (process {pid}), which uses {path}, and start {command}",
            pid=running.pid,
            path=running.certificate,
            command=serve,
        )
    if not done.reasons and running.uses(done.bundle, done.ca_fingerprint):
        return _("Next: nothing. The running server (process {pid}) uses this certificate", pid=running.pid)
    return _(
        "Next: kill -HUP {pid}  (the running server takes the certificate for new connections, and ends none)",
        pid=running.pid,
    )


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _make_client(options: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Make ``client-NAME.pem`` under the present CA."""
    from securechat.text.names import check_name  # noqa: PLC0415 - a server's certificate needs nothing but cryptography
    from securechat.tls.issuing import CLIENT_LIFETIME  # noqa: PLC0415

    name = check_name(options.client)
    issuer = load_authority(options.dir)
    if issuer is None:
        raise ValueError(
            Sentence(
                "The file {path} is missing. Make the CA first by running this without --client",
                path=options.dir / CA_FILE,
            )
        )
    lifetime = CLIENT_LIFETIME if options.days is None else dt.timedelta(days=options.days)
    bundle = issue_client(options.dir, issuer, name, lifetime=lifetime, force=options.force)
    shown = f'"{name}"' if " " in name else name
    chat = command(Program.CLIENT, f"--cert {shlex.quote(str(bundle.path))} --name {shown}")
    record = _record(bundle.path, bundle.not_after, fingerprint(issuer.certificate))
    return record | {"client": name, "key": fingerprint_of_file(bundle.path)}, [
        _("Wrote {path}: certificate and private key, for {name} only", path=bundle.path, name=shown),
        "",
        *_facts(
            (pgettext("of a certificate", "valid"), _("until {end:date}", end=bundle.not_after)),
            ("CA", fingerprint(issuer.certificate)),
            (pgettext("of a certificate", "key"), fingerprint_of_file(bundle.path)),
        ),
        "",
        _("Next: give {file} to {name} privately, with {ca}", file=bundle.path.name, name=shown, ca=CA_FILE),
        _("Then: {command}", command=chat),
        " " * width(_("Then: {command}", command=""))
        + _("log in once with the password and type /cert add. After that the certificate logs in"),
    ]


def _record(path: Path, not_after: dt.datetime, ca_fingerprint: str) -> dict[str, Any]:
    return {"file": str(path.absolute()), "not_after": not_after.isoformat(), "ca_fingerprint": ca_fingerprint}
