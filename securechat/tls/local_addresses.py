"""Finds this machine's names and addresses, without asking any service and without hanging.

With the standard library alone no way works everywhere, so several are combined: the kernel's own lists on Linux, the
resolver's answer for the host name (complete on Windows), and the source address that the routing table would choose
(the main one on macOS). The resolver may ask a dead DNS server, so it runs on a thread and gets one second.

Omitted on purpose: IPv6 link-local addresses, which mean nothing without a scope that neither a certificate nor most
address bars can carry, and the temporary addresses of RFC 8981, which are short-lived.
"""

from __future__ import annotations

import array
import ipaddress
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from securechat.tls.hostnames import IPAddress, Names, parse_name

_RESOLVER_PATIENCE_S = 1.0
"""A local answer takes milliseconds; a dead DNS server takes 5 s a try (resolv.conf(5)), for an optional name."""

_LOOPBACKS: tuple[IPAddress, ...] = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))

# A list of its own, because ``ipaddress.is_private`` changed between patch releases of Python (gh-113171).
# 100.64.0.0/10 (RFC 6598) is absent: on a mobile line other customers of the carrier share it.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",  # RFC 1122 loopback
        "::1/128",
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # RFC 3927 link-local: two machines and a cable
        "fe80::/10",  # RFC 4291
        "fc00::/7",  # RFC 4193 unique local
        "192.0.2.0/24",  # RFC 5737 and 3849 documentation ranges: routed nowhere, popular in laboratories
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
    )
)

# Targets for routing questions; a UDP connect sends nothing. One target per range that may have its own route.
_ROUTE_TARGETS = ("203.0.113.1", "10.255.255.254", "172.31.255.254", "192.168.255.254", "2001:db8::1", "fd00::1")


def is_public(ip: IPAddress) -> bool:
    """Whether hosts outside one's own network may reach a server bound to this address.

    The unspecified addresses ``0.0.0.0`` and ``::`` count as public, since they include all.
    """
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return not any(ip in network for network in _PRIVATE)


def local_names() -> Names:
    """All names and addresses of this machine, for its certificate.

    Returns:
        ``localhost``, the host name, its mDNS form and its full form where known; both loopbacks, then every
        address of this machine except the ephemeral ones. Takes at most about a second.
    """
    host = socket.gethostname()
    resolved = _Resolver(host).answer(_RESOLVER_PATIENCE_S)
    short = host.partition(".")[0]
    # RFC 6762: the name that other machines on the LAN see without any DNS.
    candidates = ["localhost", host, f"{short}.local", *resolved.names]
    names = Names(ips=_LOOPBACKS)
    for candidate in candidates:
        names |= _lenient(candidate)
    return names | Names(ips=tuple(_usable([*_interface_addresses(), *resolved.addresses])))


def private_addresses() -> list[IPAddress]:
    """The addresses a server binds by default: loopback and private ones.

    Returns:
        The loopbacks this machine has, then private addresses in a stable order; never a public one.
    """
    resolved = _Resolver(socket.gethostname()).answer(_RESOLVER_PATIENCE_S)
    present = _usable([*_LOOPBACKS, *_interface_addresses(), *resolved.addresses])
    return [ip for ip in present if not is_public(ip) and _bindable(ip)]


def own_addresses() -> list[IPAddress]:
    """Return the addresses of this machine's interfaces, without asking a resolver."""
    return _usable(_interface_addresses())


def _lenient(text: str) -> Names:
    """Parse a host name as far as a certificate can contain it; machines may have invalid names."""
    try:
        return parse_name(text)
    except ValueError:
        return Names()


def _usable(addresses: Iterable[IPAddress]) -> list[IPAddress]:
    return [
        ip
        for ip in dict.fromkeys(addresses)
        if not (ip.is_unspecified or ip.is_multicast or (ip.version == 6 and ip.is_link_local))
    ]


def _bindable(ip: IPAddress) -> bool:
    """Whether the address can be bound now: a stale hosts file or a kernel without IPv6 must not stop the server."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True


class _Resolver:
    """The resolver's answer for the host name, asked on a thread that may be abandoned."""

    def __init__(self, host: str) -> None:
        self.names: tuple[str, ...] = ()
        self.addresses: tuple[IPAddress, ...] = ()
        self._host = host
        self._thread = threading.Thread(target=self._ask, name="own-host-name", daemon=True)

    def answer(self, patience_s: float) -> _Resolver:
        """Ask, and return what has arrived after ``patience_s``."""
        self._thread.start()
        self._thread.join(patience_s)
        return self

    def _ask(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, None, type=socket.SOCK_DGRAM, flags=socket.AI_CANONNAME)
        except (OSError, UnicodeError):
            return
        texts = [str(info[4][0]) for info in found]
        self.addresses = tuple(ipaddress.ip_address(text) for text in texts if "%" not in text)
        # "localhost" as canonical name only means that the hosts file lists it first.
        self.names = tuple(info[3] for info in found if info[3] and "localhost" not in info[3])


def _interface_addresses() -> Iterator[IPAddress]:
    if sys.platform == "linux":
        yield from _linux_ipv4()
        yield from _linux_ipv6()
    yield from _routed_addresses()


def _routed_addresses() -> Iterator[IPAddress]:
    """The source address the kernel would use towards each target; nothing is sent."""
    for target in _ROUTE_TARGETS:
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))  # the discard port, RFC 863
                yield ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
        except OSError:
            continue


if sys.platform == "linux":
    import fcntl

    _SIOCGIFCONF = 0x8912  # linux/sockios.h
    _MAX_INTERFACES = 256
    # struct ifreq: 16 bytes of name, then a union whose largest member is 24 bytes with 64-bit pointers, else 16.
    _IFREQ_BYTES = 40 if sys.maxsize > 2**32 else 32

    def _linux_ipv4() -> Iterator[IPAddress]:
        """Ask netdevice(7): SIOCGIFCONF fills an array of struct ifreq with every IPv4 address of the machine."""
        room = array.array("B", bytes(_MAX_INTERFACES * _IFREQ_BYTES))
        request = struct.pack("iP", len(room), room.buffer_info()[0])
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                answer = fcntl.ioctl(probe, _SIOCGIFCONF, request)
        except OSError:
            return
        used_bytes = struct.unpack("iP", answer)[0]
        for at in range(0, used_bytes, _IFREQ_BYTES):
            # name[16], then sockaddr_in: family (2), port (2), address (4).
            yield ipaddress.IPv4Address(room[at + 20 : at + 24].tobytes())

    def _linux_ipv6(table: Path = Path("/proc/net/if_inet6")) -> Iterator[IPAddress]:
        """Read the kernel's table: address, interface index, prefix length, scope, flags, name; all hexadecimal."""
        try:
            lines = table.read_text().splitlines()
        except OSError:
            return
        # linux/if_addr.h: temporary 0x01, duplicate 0x08, deprecated 0x20, tentative 0x40.
        ephemeral = 0x01 | 0x08 | 0x20 | 0x40
        for fields in (line.split() for line in lines):
            if len(fields) == 6 and not int(fields[4], 16) & ephemeral:
                yield ipaddress.IPv6Address(bytes.fromhex(fields[0]))
