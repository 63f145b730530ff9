"""Limits the names that a CA can certify (RFC 5280 section 4.2.1.10).

People install the server's CA in their phones for its web page, and a CA that is installed there could otherwise speak
for every host, their bank's too. So a new CA can certify private and local names and addresses, which mean other
machines in each network, and the names that its server had when it was made. The extension is critical: a program that
does not know it refuses the CA instead of ignoring the limits.

A permitted name covers all names below it. A machine whose name has one label, such as ``dev``, would so get a CA for
all of ``.dev``, which is a public domain; what is below such a name is excluded.

Tested with OpenSSL 3.0, Chromium 150, Firefox 140 and GnuTLS 3.7: they refuse a certificate outside the limits, also
where these stand in a root that was installed by hand. GnuTLS holds the common name against them, too, where a
certificate has no DNS name; a server's has ``localhost`` at least. The subject of a client's certificate is no host,
see `contexts`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509

from securechat.tls.hostnames import Names

PRIVATE_NETWORKS = (
    "10.0.0.0/8",  # RFC 1918
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",  # RFC 6598; Tailscale's
    "169.254.0.0/16",  # RFC 3927, link-local
    "127.0.0.0/8",
    "fc00::/7",  # RFC 4193, unique local
    "fe80::/10",  # RFC 4291, link-local
    "::1/128",
)
"""Addresses that mean another machine in each network."""
PRIVATE_DOMAINS = (
    "localhost",  # RFC 6761
    "local",  # RFC 6762, multicast DNS
    "lan",  # never delegated; the default of OpenWrt and others
    "internal",  # reserved by ICANN in 2024
    "home.arpa",  # RFC 8375
)
"""Domains that the public DNS does not have; each stands for all names that end in it."""

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NETWORKS: tuple[IPNetwork, ...] = tuple(ipaddress.ip_network(text) for text in PRIVATE_NETWORKS)


def constraints_for(names: Names) -> x509.NameConstraints:
    """Permit the private names and addresses, and these.

    Args:
        names: further ones; a DNS name of several labels stands for those that end in it, too.
    """
    public = _outside(PRIVATE_DOMAINS, _NETWORKS, names)
    permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in (*PRIVATE_DOMAINS, *public.dns)]
    permitted += [x509.IPAddress(network) for network in (*_NETWORKS, *map(ipaddress.ip_network, public.ips))]
    # The leading dot (below it, and not itself) is what all verifiers know, though RFC 5280 has it for URIs only.
    excluded = [x509.DNSName(f".{name}") for name in public.dns if "." not in name]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded or None)


def is_limited(authority: x509.Certificate) -> bool:
    """Whether a CA can certify only some DNS names and some addresses, and every program must know that."""
    found = _extension(authority)
    if found is None or not found.critical:
        return False
    kinds = {type(name) for name in found.value.permitted_subtrees or ()}
    return {x509.DNSName, x509.IPAddress} <= kinds


def names_outside(authority: x509.Certificate, names: Names) -> Names:
    """Those of the names that a CA cannot certify; none where it has no limits.

    Of what it excludes only DNS names are looked at: a CA made here excludes no addresses.
    """
    found = _extension(authority)
    if found is None:
        return Names()
    permitted = found.value.permitted_subtrees or ()
    domains = [name.value for name in permitted if isinstance(name, x509.DNSName)]
    networks = [name.value for name in permitted if isinstance(name, x509.IPAddress)]
    excluded = [name.value for name in found.value.excluded_subtrees or () if isinstance(name, x509.DNSName)]
    outside = _outside(domains, [one for one in networks if isinstance(one, IPNetwork)], names)
    free = _outside(excluded, (), names)
    # A kind of name that is not among the permitted ones is not limited (RFC 5280 section 6.1.4 g).
    return Names(
        tuple(name for name in names.dns if (domains and name in outside.dns) or name not in free.dns),
        outside.ips if networks else (),
    )


def _extension(authority: x509.Certificate) -> x509.Extension[x509.NameConstraints] | None:
    try:
        return authority.extensions.get_extension_for_class(x509.NameConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return None


def _outside(domains: Iterable[str], networks: Iterable[IPNetwork], names: Names) -> Names:
    """Those of the names that neither are nor end in one of the domains, and are in none of the networks."""
    endings = tuple(domains)
    among = tuple(networks)
    return Names(
        tuple(name for name in names.dns if not any(_is_in(name, domain) for domain in endings)),
        tuple(ip for ip in names.ips if not any(ip in network for network in among)),
    )


def _is_in(name: str, domain: str) -> bool:
    """Whether a name is a domain or below it; with a leading dot: whether it is below it."""
    lowered = domain.lower()
    return name == lowered or name.endswith(lowered if lowered.startswith(".") else f".{lowered}")
