"""Invite links: the address in them, the link itself, and its QR code."""

from __future__ import annotations

import io
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.invite_link import InviteLink, format_link
from securechat.programs import certifying
from securechat.server.banner import endpoint
from securechat.tls.hostnames import IPAddress, Names
from securechat.tls.local_addresses import is_public
from securechat.translation import _

if TYPE_CHECKING:
    import segno

_BORDER = 2
QR_SIGNS = " ▀▄█"
_BLACK_ON_WHITE, _PLAIN = "\x1b[97;40m", "\x1b[0m"
"""segno draws the light modules; on a white terminal they would be dark without this (ECMA-48, SGR 97 and 40)."""


def link_address(status: dict[str, Any], asked: str | None) -> tuple[str, int]:
    """Return the host and port for a link.

    Args:
        status: the server's answer to GetStatus.
        asked: ``--host``, if it was given.

    Raises:
        Failure: USAGE or REFUSED, with what to do.
    """
    if status["ca_fingerprint"] is None:
        raise AdminFailure(
            AdminExit.REFUSED,
            _(
                "An invite link contains the CA's fingerprint, but the server's certificate file does not contain the "
                "CA. Add the CA certificate to the file and send the server SIGHUP"
            ),
        )
    listening = [_split(text) for text in status["listening"]]
    if asked is not None:
        host, port = _split(asked)
        return host, port if port is not None else next((port for _host, port in listening if port is not None), 8443)
    for host, port in listening:
        if (address := _ip(host)) is None:
            continue
        if address.is_unspecified:
            found = _first_private(status["certificate_names"], address.version)
        else:
            found = host if _is_inviting(address) and host in status["certificate_names"] else None
        if found is not None and port is not None:
            return found, port
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


def make_link(host: str, port: int, made: dict[str, Any], ca_fingerprint: str) -> str:
    """Return the link as one line."""
    return format_link(InviteLink(host, port, made["token"], ca_fingerprint, made["uses"] == 1))


def qr_lines(link: str) -> list[str]:
    """Return the link as a QR code of half blocks, for a terminal."""
    drawn = io.StringIO()
    _code(link).terminal(out=drawn, border=_BORDER, compact=True)
    return [f"{_BLACK_ON_WHITE}{line}{_PLAIN}" for line in drawn.getvalue().splitlines()]


def cut_off(link: str, window: os.terminal_size) -> str | None:
    """Return advice when the window is too small for the code; None when it is not."""
    columns, modules = _code(link).symbol_size(border=_BORDER)
    rows = (modules + 1) // 2
    if columns <= window.columns and rows < window.lines:
        return None
    return _(
        "The QR code is cut off. To scan it, make this window {columns} columns wide and {rows} rows high.",
        columns=columns,
        rows=rows + 1,
    )


def _code(link: str) -> segno.QRCode:
    import segno  # noqa: PLC0415 - 50 ms of a start, which only a terminal that shows a code needs

    return segno.make_qr(link, error="l")


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


def shown_address(host: str, port: int) -> str:
    """Return the address as text."""
    return endpoint(host, port)
