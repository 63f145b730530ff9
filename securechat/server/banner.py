"""The banner of a server that is ready: its addresses, and a command to paste, in a framed few lines."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from securechat.programs import Program, command

_RULE = "─" * 78


def banner(version: str, addresses: Sequence[tuple[str, int]], fingerprint: str | None) -> list[str]:
    """Return the lines.

    Args:
        version: of the program.
        addresses: host and port of every listener.
        fingerprint: ``sha256:…`` of the CA; None when the certificate file does not carry it.
    """
    local = [pair for pair in addresses if _is_loopback(pair[0])]
    others = [pair for pair in addresses if not _is_loopback(pair[0])]
    trust = f"--pin {fingerprint}" if fingerprint else "--ca certs/ca.pem"
    chat = command(Program.CLIENT, trust)
    lines = [_RULE, f" securechat {version} is ready. Stop it with Ctrl-C.", ""]
    lines += [f" listening on    {'  '.join(endpoint(*pair) for pair in addresses)}"]
    if fingerprint:
        lines += [f" CA fingerprint  {fingerprint}"]
    if local:
        lines += ["", " To chat from this machine:", "", f"   {chat} {endpoint('localhost', local[0][1])}"]
    if others:
        lines += ["", " To chat from another machine on this network:", ""]
        lines += [f"   {chat} {_quoted(endpoint(*pair))}" for pair in others[:4]]
    return [*lines, _RULE]


def endpoint(host: str, port: int) -> str:
    """Return ``host:port`` as clients take it, with brackets around an IPv6 address (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _quoted(text: str) -> str:
    """In quotes where a shell would take the brackets of an IPv6 address for a pattern (zsh does)."""
    return f"'{text}'" if "[" in text else text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
