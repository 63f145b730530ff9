"""The banner of a server that is ready: its addresses, a command to paste, and a QR code for phones, in a frame.

A command or address stands here only with a host that the certificate names, because clients refuse any other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from securechat.programs import Program, certifying, command
from securechat.server.qr_code import qr_lines
from securechat.text.sanitize import width
from securechat.tls.hostnames import Names
from securechat.translation import _

_RULE = "─" * 78
_MOST = 4
"""Commands shown for other machines; more addresses are those of containers."""

Address = tuple[str, int]

_LOCALHOST = frozenset({"127.0.0.1", "::1"})
"""What localhost means; a server on another loopback address is not reached by this name (RFC 6761 section 6.3)."""


def banner(
    version: str,
    addresses: Sequence[Address],
    fingerprint: str | None,
    names: Names,
    *,
    is_public: bool = False,
    web: bool = False,
    draws: bool = False,
) -> list[str]:
    """Return the lines, in the language of the operator.

    Args:
        version: of the program.
        addresses: host and port of every listener.
        fingerprint: ``sha256:…`` of the CA; None when the certificate file does not carry it.
        names: of the certificate.
        is_public: whether the CAs of this machine verify the certificate.
        web: whether the server has a client for browsers.
        draws: whether a QR code can be shown.
    """
    chat = command(Program.CLIENT, _trust(fingerprint, is_public=is_public))
    lines = [_RULE, " " + _("securechat {version} is ready. Stop it with Ctrl-C.", version=version), ""]
    facts = [(_("listening on"), "  ".join(endpoint(*pair) for pair in addresses))]
    if fingerprint:
        facts += [(_("CA fingerprint"), fingerprint)]
    lines += _labelled(facts)
    if local := _for_this_machine(addresses, names):
        lines += ["", " " + _("To chat from this machine:"), "", f"   {chat} {_quoted(endpoint(*local))}"]
    if others := _for_others(addresses, names):
        lines += ["", " " + _("To chat from another machine on this network:"), ""]
        lines += [f"   {chat} {_quoted(endpoint(*pair))}" for pair in others[:_MOST]]
    if not local and not others and all(_is_loopback(host) for host, _port in addresses):
        lines += ["", " " + _("Clients refuse these addresses: the certificate names only {names}", names=names)]
    elif not local and not others:
        lines += ["", " " + _("To chat, use a name of the certificate: {names}", names=names)]
    if web:
        lines += _for_browsers(local, others, draws=draws)
    return [*lines, _RULE]


def _for_browsers(local: Address | None, others: Sequence[Address], *, draws: bool) -> list[str]:
    """Return the addresses for browsers. A zone cannot stand in one (RFC 6874 was withdrawn by RFC 9844)."""
    shared = [f"https://{endpoint(*pair)}" for pair in others if "%" not in pair[0]]
    if not shared:
        if local is None or "%" in local[0]:
            return []
        return ["", " " + _("In a browser on this machine:"), "", f"   https://{endpoint(*local)}"]
    lines = ["", " " + _("In a browser, on a phone too:"), "", *(f"   {address}" for address in shared[:_MOST])]
    if draws:
        lines += ["", " " + _("Scan this with the phone's camera, not inside another app:"), ""]
        lines += [f"   {line}" for line in qr_lines(shared[0])]
    return lines


def _labelled(facts: Sequence[tuple[str, str]]) -> list[str]:
    """Return labels with their values in one column."""
    column = max(width(label) for label, _value in facts)
    return [f" {label}{' ' * (column - width(label))}  {value}" for label, value in facts]


def unnamed(addresses: Sequence[Address], names: Names, *, made_here: Path | None) -> str | None:
    """Return the warning about addresses that others cannot use, because the certificate names none; None otherwise.

    It goes to the log, so it is English.

    Args:
        addresses: host and port of every listener.
        names: of the certificate.
        made_here: the certificate's file, where the program's own CA issued it.
    """
    others = [host for host, _port in addresses if not _is_loopback(host)]
    if not others or _for_others(addresses, names):
        return None
    host = others[0].partition("%")[0]
    add = f"run `{certifying(made_here, f'--name {host}')}`" if made_here else f"have its CA add {host}"
    return (
        f"clients refuse this server at {host}, because the certificate does not name it. It names {names}: use --host"
        f" with one of these, or {add} and send this process SIGHUP"
    )


def web_host(addresses: Sequence[Address], names: Names) -> str:
    """Return the host of the address that browsers are led to: what other machines use, else the first name.

    Args:
        addresses: host and port of every listener.
        names: of the certificate.
    """
    if others := [host for host, _port in _for_others(addresses, names) if "%" not in host]:
        return others[0]
    return next((name for name in names.dns if "*" not in name), str(next(iter(names.ips), "localhost")))


def endpoint(host: str, port: int) -> str:
    """Return ``host:port`` as clients take it, with brackets around an IPv6 address (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _trust(fingerprint: str | None, *, is_public: bool) -> str:
    if is_public:
        return "--ca system"
    return f"--pin {fingerprint}" if fingerprint else "--ca CA.pem"


def _for_this_machine(addresses: Sequence[Address], names: Names) -> Address | None:
    local = [pair for pair in addresses if _is_loopback(pair[0])]
    usual = [("localhost", port) for host, port in local if host in _LOCALHOST]
    return next((pair for pair in (*usual, *local) if names.cover(pair[0])), None)


def _for_others(addresses: Sequence[Address], names: Names) -> list[Address]:
    """The addresses that the certificate names; if there is none, its DNS names, which may lead here.

    None where every listener is on loopback, which no other machine reaches.
    """
    others = [pair for pair in addresses if not _is_loopback(pair[0])]
    named = [pair for pair in others if names.cover(pair[0])]
    if named or not others:
        return named
    return [(name, others[0][1]) for name in names.dns if _is_reachable_name(name)]


def _is_reachable_name(name: str) -> bool:
    return "*" not in name and "." in name and not name.endswith((".localhost", ".localdomain"))


def _quoted(text: str) -> str:
    """In quotes where a shell would take the brackets of an IPv6 address for a pattern (zsh does)."""
    return f"'{text}'" if "[" in text else text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
