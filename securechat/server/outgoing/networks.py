"""Judges the addresses that a webhook may be delivered to; pure.

Only addresses that the whole internet can reach are allowed, unless the setting ``webhook_networks`` names their
network: otherwise a webhook could make the server ask what stands behind its firewall (server-side request forgery;
OWASP API7:2023). The tables are those of IANA's special-purpose address registries (RFC 6890). They stand here because
``ipaddress.is_global`` changed between patch releases of Python (gh-113171), and because it counts addresses as global
that lead to others: an address that embeds an IPv4 address (mapped, translated, 6to4, Teredo) is judged by that one.

Networks that this machine itself is in are no better than private ones, although IPv6 gives them global addresses: the
caller passes them as ``own``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct

from securechat.translation import Sentence

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network


class AddressKind(StrEnum):
    """What an address is for. Values are words for the operator's log."""

    GLOBAL = "global"
    OWN = "own"
    """In a network that this machine is in."""
    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "shared"
    """Behind a carrier's NAT (RFC 6598)."""
    LINK_LOCAL = "link-local"
    MULTICAST = "multicast"
    DOCUMENTATION = "documentation"
    RESERVED = "reserved"

    @property
    def is_reachable(self) -> bool:
        """Whether a machine can have such an address, in whatever network."""
        return self not in (AddressKind.UNSPECIFIED, AddressKind.MULTICAST)


_IPV4: Final = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", AddressKind.UNSPECIFIED),  # RFC 791: Linux connects 0.0.0.0 to this machine
        ("10.0.0.0/8", AddressKind.PRIVATE),  # RFC 1918
        ("100.64.0.0/10", AddressKind.SHARED),
        ("127.0.0.0/8", AddressKind.LOOPBACK),
        ("169.254.0.0/16", AddressKind.LINK_LOCAL),  # RFC 3927; metadata services of clouds
        ("172.16.0.0/12", AddressKind.PRIVATE),
        (
            "192.0.0.0/24",
            AddressKind.RESERVED,
        ),  # RFC 6890; two anycast addresses of it are global, no receiver is there
        ("192.0.2.0/24", AddressKind.DOCUMENTATION),  # RFC 5737
        ("192.88.99.0/24", AddressKind.RESERVED),  # RFC 7526: relays of 6to4, deprecated
        ("192.168.0.0/16", AddressKind.PRIVATE),
        ("198.18.0.0/15", AddressKind.RESERVED),  # RFC 2544: benchmarks
        ("198.51.100.0/24", AddressKind.DOCUMENTATION),
        ("203.0.113.0/24", AddressKind.DOCUMENTATION),
        ("224.0.0.0/4", AddressKind.MULTICAST),
        ("240.0.0.0/4", AddressKind.RESERVED),  # RFC 1112, with the broadcast address
    )
)
_IPV6: Final = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", AddressKind.UNSPECIFIED),
        ("::1/128", AddressKind.LOOPBACK),
        ("2001::/23", AddressKind.RESERVED),  # RFC 2928: protocol assignments; its Teredo is judged before
        ("2001:db8::/32", AddressKind.DOCUMENTATION),  # RFC 3849
        ("3fff::/20", AddressKind.DOCUMENTATION),  # RFC 9637
        ("fc00::/7", AddressKind.PRIVATE),  # RFC 4193
        ("fe80::/10", AddressKind.LINK_LOCAL),
        ("fec0::/10", AddressKind.PRIVATE),  # RFC 3879: site-local, deprecated
        ("ff00::/8", AddressKind.MULTICAST),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291 section 2.4: IANA assigns global addresses from it alone
_TEREDO = IPv6Network("2001::/32")  # RFC 4380 section 4
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_EMBEDDING: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # RFC 4291 section 2.5.5.2: mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # RFC 2765 section 2.1: translated
    (IPv6Network("64:ff9b::/96"), 0),  # RFC 6052 section 2.1: NAT64
    (IPv6Network("2002::/16"), 80),  # RFC 3056 section 2: 6to4
)
"""Networks whose addresses have an IPv4 address in them, and the number of bits behind it."""
_NAMED_BY_IPV4: Final = (*(network for network, _behind_bits in _EMBEDDING), _TEREDO)
_NAT64_OCTETS: Final = {48: (6, 7, 9, 10), 56: (7, 9, 10, 11), 64: (9, 10, 11, 12), 96: (12, 13, 14, 15)}
"""Where a NAT64 prefix of so many bits has the IPv4 address (RFC 6052 section 2.2): octet 8 is always zero. Shorter
prefixes do not fit into 64:ff9b:1::/48."""
_MOST_NETWORKS = 100
_SHOWN_CHARS = 60


class Judgement(Struct, frozen=True):
    """What became of one address.

    Attributes:
        address: as resolved.
        kind: of the address, or of the one that it embeds.
        allowed: whether a delivery may go there.
        named: whether that is because the setting names its network; plain HTTP goes nowhere else.
    """

    address: IpAddress
    kind: AddressKind
    allowed: bool
    named: bool


class NetworkPolicy(Struct, frozen=True):
    """Where webhooks may be delivered.

    Attributes:
        named: the networks of the setting ``webhook_networks``.
        own: networks that this machine is in, such as `networks_around` returns.
    """

    named: tuple[IpNetwork, ...] = ()
    own: tuple[IpNetwork, ...] = ()

    def judge(self, address: IpAddress) -> Judgement:
        """Judge an address; a zone (``fe80::1%eth0``) makes no difference."""
        decisive = embedded_in(address, self.named)
        judged = [(self._kind(each), self._names(each)) for each in decisive]
        named = all(named for _kind, named in judged)
        refused = [kind for kind, named in judged if not named and kind is not AddressKind.GLOBAL]
        return Judgement(address, refused[0] if refused else judged[0][0], allowed=not refused, named=named)

    def _names(self, address: IpAddress) -> bool:
        # What a local NAT64 makes of an address is unknown here, so a network around all of them does not name it.
        return _is_in(address, self.named) and not _is_in(address, (_LOCAL_NAT64,))

    def _kind(self, address: IpAddress) -> AddressKind:
        kind = kind_of(address)
        return AddressKind.OWN if kind is AddressKind.GLOBAL and _is_in(address, self.own) else kind


def kind_of(address: IpAddress) -> AddressKind:
    """Return the kind of an address itself, whatever it embeds."""
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _IPV4 if address in network), AddressKind.GLOBAL)
    bare = _without_zone(address)
    if (kind := next((kind for network, kind in _IPV6 if bare in network), None)) is not None:
        return kind
    return AddressKind.GLOBAL if bare in _GLOBAL_UNICAST else AddressKind.RESERVED


def embedded_in(address: IpAddress, named: Sequence[IpNetwork] = ()) -> tuple[IpAddress, ...]:
    """Return the addresses that decide about one: those that it embeds, or itself.

    An address of a local NAT64 (64:ff9b:1::/48) does not tell where its IPv4 address stands; the length of the prefix
    does (RFC 6052 section 2.2). So only a named network tells, and the IPv4 address must be allowed besides.

    Args:
        address: with or without a zone.
        named: networks that the operator names.
    """
    if isinstance(address, IPv4Address):
        return (address,)
    bare = _without_zone(address)
    for network, behind_bits in _EMBEDDING:
        if bare in network:
            return (IPv4Address(int(bare) >> behind_bits & 0xFFFFFFFF),)
    if bare in _TEREDO and bare.teredo is not None:
        return bare.teredo  # the server, and the client behind its NAT
    if bare in _LOCAL_NAT64:
        prefixes = [each for each in named if each.prefixlen in _NAT64_OCTETS and each.version == 6 and bare in each]
        if found := [_translated(bare, each.prefixlen) for each in prefixes]:
            return tuple(found)
    return (bare,)


def _translated(address: IPv6Address, prefix_bits: int) -> IPv4Address:
    """Return the IPv4 address behind a NAT64 prefix."""
    packed = address.packed
    return IPv4Address(bytes(packed[at] for at in _NAT64_OCTETS[prefix_bits]))


def networks_around(addresses: Iterable[IpAddress]) -> tuple[IpNetwork, ...]:
    """Return the networks that a machine with these addresses is in, as far as the addresses tell.

    An IPv6 network has 64 bits (RFC 4291 section 2.5.4). Of an IPv4 address the length is unknown, so it stands alone:
    IPv4 networks around a machine are private ones, or the addresses next to it belong to others.
    """
    return tuple(
        dict.fromkeys(
            IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network((int(address), 64), strict=False)
            for address in addresses
        )
    )


def parse_networks(texts: Sequence[str]) -> tuple[IpNetwork, ...]:
    """Parse the networks of a setting: ``192.168.1.0/24``, or an address alone.

    Raises:
        ValueError: one of them is none; one phrase, beginning with "must", that describes a valid value.
    """
    if len(texts) > _MOST_NETWORKS:
        raise ValueError(Sentence("must be at most {most} networks", most=_MOST_NETWORKS))
    return tuple(dict.fromkeys(map(_network, texts)))


def _network(text: str) -> IpNetwork:
    bare = text.strip()
    try:
        network = ip_network(bare)
    except ValueError:
        raise _no_network(bare) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_LOCAL_NAT64) and network.prefixlen not in _NAT64_OCTETS:
        raise ValueError(
            Sentence(
                "must be networks, and the prefix of a NAT64 has 48, 56, 64 or 96 bits: {network}", network=str(network)
            )
        )
    if isinstance(network, IPv6Network) and any(map(network.subnet_of, _NAMED_BY_IPV4)):
        raise ValueError(
            Sentence(
                "must be networks, and {network} is judged by the IPv4 addresses in it; name their network",
                network=str(network),
            )
        )
    return network


def _no_network(text: str) -> ValueError:
    try:
        around = ip_network(text, strict=False)
    except ValueError:
        return ValueError(
            Sentence("must be networks such as 192.168.1.0/24, not {value}", value=repr(text[:_SHOWN_CHARS]))
        )
    return ValueError(
        Sentence(
            "must be networks, and {value} is an address within one: "
            "the network is {network}, the address alone {address}",
            value=text,
            network=str(around),
            address=str(ip_address(text.partition("/")[0])),
        )
    )


def _is_in(address: IpAddress, networks: Iterable[IpNetwork]) -> bool:
    """Whether one of the networks has the address; those of the other version never do."""
    return any(address in network for network in networks)


def _without_zone(address: IPv6Address) -> IPv6Address:
    return IPv6Address(int(address)) if address.scope_id is not None else address
