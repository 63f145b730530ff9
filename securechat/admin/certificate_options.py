"""The options of `certs`, which ``tools/gen_certs.py`` has too."""

from __future__ import annotations

import argparse
from pathlib import Path

from securechat.admin.argument_types import filled
from securechat.translation import LazyText, _

ABOUT = LazyText("make a CA and a server certificate for this machine, or renew the certificate under the same CA")
_CLIENT_DAYS = 365
"""As securechat.tls.issuing.CLIENT_LIFETIME, which every start of securechat-admin would have to import X.509 for."""


def add_options(parser: argparse.ArgumentParser, directory: Path | None, shown: str) -> None:
    """Add every option.

    Args:
        parser: where to.
        directory: the default of ``--dir``.
        shown: the default in the help.
    """
    add = parser.add_argument
    add(
        "--name",
        action="append",
        default=[],
        metavar=_("NAME"),
        type=filled,
        help=_("a further DNS name or IP address of the server; can be repeated; kept at renewals"),
    )
    add("--forget-names", action="store_true", help=_("drop earlier names that are not repeated now"))
    where = _("where the files are (default: {folder})", folder=shown)
    add("--dir", type=certificate_folder, default=directory, metavar=_("DIR"), help=where)
    add("--client", metavar=_("NAME"), type=filled, help=_("make client-NAME.pem instead, for the user NAME"))
    add(
        "--days",
        type=whole_days,
        metavar="N",
        help=_(
            "how many days a client certificate is valid (default: {days}; never longer than the CA)", days=_CLIENT_DAYS
        ),
    )
    add("--if-needed", action="store_true", help=_("renew only what is old or lacks a name"))
    add("--new-ca", action="store_true", help=_("replace the CA: every client must then get the new ca.pem or pin"))
    add("--force", action="store_true", help=_("replace a client certificate, or a server.pem of another CA"))


def certificate_folder(text: str) -> Path:
    """Return a directory; an empty text would be the working directory, where no key should land by mistake."""
    if not text:
        raise argparse.ArgumentTypeError(_("the directory has no name; leave --dir out for the usual one"))
    return Path(text)


def whole_days(text: str) -> int:
    """Return the days a certificate is valid; more than a century is a typing error."""
    days = int(text) if text.isdecimal() else 0
    if not 1 <= days <= 36_500:
        raise argparse.ArgumentTypeError(_("not a number of days from 1 to 36500: {text}", text=repr(text)))
    return days
