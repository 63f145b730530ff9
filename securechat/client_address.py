"""The key under which limits count a client's address: an IPv4 address, or an IPv6 /64.

Connections, rates and quotas are counted under this key. A subscriber has a whole IPv6 /64.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def origin_of(address: str) -> str:
    """Return the key under which an address is counted.

    Args:
        address: as the socket reports it; a scope (``%eth0``) is ignored, an IPv4-mapped IPv6 address is its IPv4
            address.

    Returns:
        The IPv4 address, ``::1`` for IPv6 loopback, the /64 otherwise; the text itself when it is no address.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        if not ip.is_loopback:
            return str(ipaddress.IPv6Network((ip, 64), strict=False))
    return str(ip)


def is_loopback(origin: str) -> bool:
    """Tell whether a key is this machine's loopback, to which no per-address limit applies."""
    return origin.startswith("127.") or origin == "::1"


@lru_cache(maxsize=4096)
def is_private(origin: str) -> bool:
    """Tell whether a key is a private, unique-local or link-local network, which a whole classroom may share."""
    try:
        network = ipaddress.ip_network(origin)
    except ValueError:
        return False
    return network.is_private or network.is_link_local
