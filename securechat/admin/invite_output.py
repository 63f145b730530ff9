"""Invite links: the address in them, the link itself, and the window that its QR code needs."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.invite_link import InviteLink, format_link, format_web_link
from securechat.programs import DEFAULT_CERTS, certifying, shown_path
from securechat.server.banner import endpoint
from securechat.server.qr_code import qr_size
from securechat.text.api_examples import UNKNOWN_CA
from securechat.tls.hostnames import IPAddress, Names
from securechat.tls.local_addresses import is_public
from securechat.translation import _


def link_address(status: dict[str, Any], asked: str | None) -> tuple[str, int]:
    """Return the host and port for a link.

    Args:
        status: the server's answer to GetStatus.
        asked: ``--host``, if it was given.

    Raises:
        Failure: USAGE or REFUSED, with what to do.
    """
    if status["ca_fingerprint"] is None and not _needs_no_fingerprint(status):
        raise AdminFailure(
            AdminExit.REFUSED,
            _(
                "An invite link contains the CA's fingerprint, but the server's certificate file does not contain the "
                "CA. Add the CA certificate to the file and send the server SIGHUP"
            ),
        )
    listening = [_split(text) for text in status["listening"]]
    if asked is not None:
        return _asked(asked, listening)
    if (found := _reached_at(status, listening)) is not None:
        return found
    if all(_is_loopback(host) for host, _port in listening):
        example = "localhost" if "localhost" in status["certificate_names"] else listening[0][0]
        raise AdminFailure(
            AdminExit.REFUSED,
            _(
                "The server listens on this machine only (loopback), so the link works on this machine only. If that "
                "is intended, add --host {example}. Otherwise name the address at which others reach this server: "
                "--host HOST[:PORT]",
                example=example,
            ),
        )
    raise AdminFailure(
        AdminExit.REFUSED,
        _(
            "The server listens on no private address that its certificate names. Name the address at which others "
            "reach this server: --host HOST[:PORT]"
        ),
    )


def program_address(status: dict[str, Any], asked: str | None) -> tuple[str, int]:
    """Return the host and port for a line that a program uses: that of an invite, or else one of this machine.

    Args:
        status: the server's answer to GetStatus.
        asked: ``--host``, if it was given.

    Raises:
        Failure: USAGE, ``asked`` is no address.
    """
    listening = [_split(text) for text in status["listening"]]
    if asked is not None:
        return _asked(asked, listening)
    if (found := _reached_at(status, listening)) is not None:
        return found
    names = status["certificate_names"]
    host, port = listening[0] if listening else ("localhost", None)
    if host not in names:
        host = "localhost" if "localhost" in names or not names else names[0]
    return host, 8443 if port is None else port


def program_ca(status: dict[str, Any]) -> str:
    """Return the path of a file with the server's CA, quoted for a shell; empty where machines trust it anyway."""
    if status.get("public_certificate"):
        return ""
    path = Path(status["certificate"]).with_name(UNKNOWN_CA)
    return shown_path(path, DEFAULT_CERTS / UNKNOWN_CA) if path.exists() else UNKNOWN_CA


def unnamed(host: str, status: dict[str, Any]) -> str | None:
    """Return a warning when the certificate does not name ``host``; None when it does."""
    named = status["certificate_names"]
    ips = tuple(address for name in named if (address := _ip(name)) is not None)
    if Names(tuple(name for name in named if _ip(name) is None), ips).cover(host):
        return None
    named_too = certifying(Path(status["certificate"]), f"--name {host}")
    return _(
        "The server's certificate does not name {host}, so clients will refuse it. Run `{command}` and send the server "
        "SIGHUP",
        host=host,
        command=named_too,
    )


def make_links(host: str, port: int, made: dict[str, Any], status: dict[str, Any]) -> tuple[str, str | None]:
    """Return the link for the terminal, and the one for browsers, which the terminal takes too.

    Where the certificate is public, both are the same; without the web client there is no second one.

    Args:
        host: of the server.
        port: of the server.
        made: the invite, as the server made it.
        status: the server's answer to GetStatus.
    """
    link = InviteLink(host, port, made["token"], status["ca_fingerprint"], made["uses"] == 1)
    web = format_web_link(link) if status.get("web") else None
    if link.ca_fingerprint is None:
        assert web is not None, "see `link_address`"
        return web, web
    return format_link(link), web


def explained_at(host: str, port: int, status: dict[str, Any]) -> str | None:
    """Return the page that explains the browser's warning; None where there is no warning."""
    has_warning = status.get("web") and status["ca_fingerprint"] is not None and not status.get("public_certificate")
    return f"https://{endpoint(host, port)}/trust" if has_warning else None


def _needs_no_fingerprint(status: dict[str, Any]) -> bool:
    """Whether every machine's CAs verify the server; only the link for browsers can say that."""
    return bool(status.get("web") and status.get("public_certificate"))


def cut_off(link: str, window: os.terminal_size) -> str | None:
    """Return advice when the window is too small for the code; None when it is not."""
    columns, rows = qr_size(link)
    if columns <= window.columns and rows < window.lines:
        return None
    return _(
        "The QR code is cut off. To scan it, make this window {columns} columns wide and {rows} rows high.",
        columns=columns,
        rows=rows + 1,
    )


def _asked(asked: str, listening: Sequence[tuple[str, int | None]]) -> tuple[str, int]:
    """Return the address of ``--host``; without a port that of the first listener."""
    host, port = _split(asked)
    return host, port if port is not None else next((port for _host, port in listening if port is not None), 8443)


def _reached_at(status: dict[str, Any], listening: Sequence[tuple[str, int | None]]) -> tuple[str, int] | None:
    """Return a private address that the server listens on and its certificate names; None for none."""
    for host, port in listening:
        if (address := _ip(host)) is None:
            continue
        if address.is_unspecified:
            found = _first_private(status["certificate_names"], address.version)
        else:
            found = host if _is_inviting(address) and host in status["certificate_names"] else None
        if found is not None and port is not None:
            return found, port
    return None


def _split(text: str) -> tuple[str, int | None]:
    """``HOST``, ``HOST:PORT``, ``[IPv6]:PORT`` or a bare IPv6 address."""
    host, port = text, ""
    if text.startswith("["):
        host, _bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _colon, port = text.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536)):
        raise AdminFailure(AdminExit.USAGE, _("--host needs HOST or HOST:PORT, not {text}", text=repr(text)))
    return host, int(port) if port else None


def _ip(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _ip(host)
    return host == "localhost" if address is None else address.is_loopback


def _is_inviting(address: IPAddress) -> bool:
    return not (address.is_loopback or address.is_unspecified or address.is_link_local or is_public(address))


def _first_private(names: Sequence[str], version: int) -> str | None:
    """The first of the certificate's addresses that others on this network can use."""
    for name in names:
        address = _ip(name)
        if address is not None and address.version == version and _is_inviting(address):
            return name
    return None
