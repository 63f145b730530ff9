"""The addresses that a server listens on: what they mean to others, and why one cannot be used."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

from securechat.server.banner import endpoint
from securechat.tls.local_addresses import is_public, local_names
from securechat.translation import Sentence, system_error


def publicity(host: str) -> str | None:
    """Return the warning about listening on a public address; None for a private one."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None  # a name: the hosts file or DNS decides about its address
    if ip.is_unspecified:
        return (
            f"{host} means all addresses of this machine, public ones too: if it has one, the whole internet can reach "
            "this server and join it. Without --host the server listens on loopback and private addresses only"
        )
    if is_public(ip):
        return (
            f"{host} is a public address: the whole internet can reach this server and join it, without an account "
            "too. Use --host with a private address if you do not want that"
        )
    return None


def host_of(address: tuple[Any, ...]) -> str:
    """The address of a socket as text; a link-local one with its zone, without which it leads nowhere (RFC 4007)."""
    host = str(address[0])
    if len(address) < 4 or not address[3] or "%" in host:
        return host
    try:
        return f"{host}%{socket.if_indextoname(address[3])}"
    except OSError:  # the interface is gone
        return host


def advertised(host: str) -> list[str]:
    """The addresses behind one that was bound: all of this machine's for an unspecified one (RFC 4291, 2.5.2)."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return [host]
    if not ip.is_unspecified:
        return [host]
    return [str(address) for address in local_names().ips if address.version == ip.version]


_CANNOT_LISTEN = {
    errno.EADDRINUSE: Sentence("another program uses it (a server already running?); stop it or use --port"),
    errno.EADDRNOTAVAIL: Sentence("this machine does not have that address; use --host with one it has"),
    errno.EACCES: Sentence("ports below 1024 need privileges; use --port with a higher one"),
}


def cannot_listen(host: str, port: int, error: OSError) -> Sentence:
    """Return why a server cannot listen there, and what to do."""
    if isinstance(error, socket.gaierror):  # first, because its numbers are not errno's
        why: str = Sentence("this name means no address here; use --host with an address")
    else:
        why = _CANNOT_LISTEN.get(error.errno or 0) or system_error(error)
    return Sentence("cannot listen on {where}: {why}", where=endpoint(host, port), why=why)
