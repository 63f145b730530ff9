from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from securechat.server.outgoing.networks import (
    AddressKind,
    NetworkPolicy,
    embedded_in,
    kind_of,
    networks_around,
    parse_networks,
)

STRICT = NetworkPolicy()
KIND = AddressKind

TABLE = [
    # IPv4
    ("9.9.9.9", KIND.GLOBAL),
    ("0.0.0.0", KIND.UNSPECIFIED),
    ("0.1.2.3", KIND.UNSPECIFIED),
    ("1.0.0.0", KIND.GLOBAL),
    ("9.255.255.255", KIND.GLOBAL),
    ("10.0.0.0", KIND.PRIVATE),
    ("10.255.255.255", KIND.PRIVATE),
    ("11.0.0.0", KIND.GLOBAL),
    ("100.63.255.255", KIND.GLOBAL),
    ("100.64.0.0", KIND.SHARED),
    ("100.127.255.255", KIND.SHARED),
    ("100.128.0.0", KIND.GLOBAL),
    ("127.0.0.1", KIND.LOOPBACK),
    ("127.255.255.254", KIND.LOOPBACK),
    ("169.254.169.254", KIND.LINK_LOCAL),
    ("172.15.255.255", KIND.GLOBAL),
    ("172.16.0.1", KIND.PRIVATE),
    ("172.31.255.255", KIND.PRIVATE),
    ("172.32.0.0", KIND.GLOBAL),
    ("192.0.0.170", KIND.RESERVED),
    ("192.0.2.1", KIND.DOCUMENTATION),
    ("192.88.99.1", KIND.RESERVED),
    ("192.168.0.1", KIND.PRIVATE),
    ("198.17.255.255", KIND.GLOBAL),
    ("198.18.0.1", KIND.RESERVED),
    ("198.19.255.255", KIND.RESERVED),
    ("198.51.100.1", KIND.DOCUMENTATION),
    ("203.0.113.1", KIND.DOCUMENTATION),
    ("223.255.255.255", KIND.GLOBAL),
    ("224.0.0.1", KIND.MULTICAST),
    ("239.255.255.255", KIND.MULTICAST),
    ("240.0.0.1", KIND.RESERVED),
    ("255.255.255.255", KIND.RESERVED),
    # IPv6
    ("2620:fe::fe", KIND.GLOBAL),
    ("2a00::1", KIND.GLOBAL),
    ("2003::1", KIND.GLOBAL),
    ("::", KIND.UNSPECIFIED),
    ("::1", KIND.LOOPBACK),
    ("::2", KIND.RESERVED),
    ("::127.0.0.1", KIND.RESERVED),  # IPv4-compatible, deprecated (RFC 4291 section 2.5.5.1); ipaddress: global
    ("::9.9.9.9", KIND.RESERVED),
    ("100::1", KIND.RESERVED),  # RFC 6666: discard
    ("1fff::1", KIND.RESERVED),
    ("4000::1", KIND.RESERVED),
    ("5f00::1", KIND.RESERVED),  # RFC 9602: segment routing
    ("2001:1::1", KIND.RESERVED),
    ("2001:20::1", KIND.RESERVED),  # ORCHIDv2: no address at all
    ("2001:1ff::1", KIND.RESERVED),
    ("2001:200::1", KIND.GLOBAL),
    ("2001:db8::1", KIND.DOCUMENTATION),
    ("3fff::1", KIND.DOCUMENTATION),
    ("3fff:1000::1", KIND.GLOBAL),
    ("fc00::1", KIND.PRIVATE),
    ("fd00::1", KIND.PRIVATE),
    ("fe80::1", KIND.LINK_LOCAL),
    ("fe80::1%eth0", KIND.LINK_LOCAL),
    ("2620:fe::fe%eth0", KIND.GLOBAL),
    ("fec0::1", KIND.PRIVATE),
    ("ff02::1", KIND.MULTICAST),
    ("ff0e::1", KIND.MULTICAST),
    # IPv6 with an IPv4 address in it
    ("::ffff:9.9.9.9", KIND.GLOBAL),
    ("::ffff:127.0.0.1", KIND.LOOPBACK),
    ("::ffff:10.0.0.1", KIND.PRIVATE),
    ("::ffff:100.64.0.1", KIND.SHARED),
    ("::ffff:0.0.0.0", KIND.UNSPECIFIED),
    ("::ffff:0:127.0.0.1", KIND.LOOPBACK),  # translated; ipaddress: global
    ("::ffff:0:9.9.9.9", KIND.GLOBAL),
    ("64:ff9b::9.9.9.9", KIND.GLOBAL),
    ("64:ff9b::7f00:1", KIND.LOOPBACK),  # ipaddress: global
    ("64:ff9b::10.0.0.1", KIND.PRIVATE),
    ("64:ff9b::169.254.169.254", KIND.LINK_LOCAL),
    ("64:ff9b::1:7f00:1", KIND.RESERVED),  # outside the /96
    ("64:ff9b:1::9.9.9.9", KIND.RESERVED),  # a local NAT64, whose prefix is not known
    ("64:ff9b:1::7f00:1", KIND.RESERVED),
    ("2002:909:909::1", KIND.GLOBAL),  # 6to4 of 9.9.9.9
    ("2002:7f00:1::1", KIND.LOOPBACK),
    ("2002:a00:1::1", KIND.PRIVATE),
    ("2002:6440:1::1", KIND.SHARED),
    ("2001:0:909:909:0:0:f6f6:f6f6", KIND.GLOBAL),  # Teredo: server 9.9.9.9, client 9.9.9.9
    ("2001:0:909:909:0:0:80ff:fffe", KIND.LOOPBACK),  # client 127.0.0.1
    ("2001:0:7f00:1:0:0:f6f6:f6f6", KIND.LOOPBACK),  # server 127.0.0.1
]


@pytest.mark.parametrize(("address", "kind"), TABLE, ids=str)
def test_an_address_is_judged_by_what_it_leads_to(address: str, kind: AddressKind) -> None:
    judged = STRICT.judge(ip_address(address))
    assert (judged.kind, judged.allowed, judged.named) == (kind, kind is KIND.GLOBAL, False)


NAMED = [
    (("10.0.0.0/8",), "10.1.2.3", True),
    (("10.0.0.0/8",), "11.1.2.3", False),
    (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
    (("10.0.0.0/8",), "64:ff9b::10.1.2.3", True),
    (("10.0.0.0/8",), "2002:a01:203::1", True),
    (("10.0.0.0/8",), "::10.1.2.3", False),
    (("127.0.0.0/8", "::1"), "127.0.0.1", True),
    (("127.0.0.0/8", "::1"), "::1", True),
    (("127.0.0.0/8",), "::1", False),
    (("100.64.0.0/10",), "100.64.0.1", True),
    (("fd00::/8",), "fd00::1", True),
    (("fe80::/10",), "fe80::1%eth0", True),
    (("::/0",), "fd00::1", True),
    (("::/0",), "::ffff:10.0.0.1", False),
    (("::/0",), "64:ff9b::7f00:1", False),
    (("::/0",), "2002:7f00:1::1", False),
    (("::/0",), "64:ff9b:1::7f00:1", False),
    (("0.0.0.0/0",), "::ffff:10.0.0.1", True),
    (("0.0.0.0/0",), "2001:0:909:909:0:0:80ff:fffe", True),
    (("127.0.0.0/8",), "2001:0:909:909:0:0:80ff:fffe", False),  # plain HTTP may not go by the Teredo server
    # RFC 6052 section 2.4 has the places of the IPv4 address 192.0.2.33 for each length
    (("64:ff9b:1::/96",), "64:ff9b:1::9.9.9.9", False),
    (("64:ff9b:1::/96", "10.0.0.0/8"), "64:ff9b:1::10.0.0.1", True),
    (("64:ff9b:1::/96",), "64:ff9b:1:1::9.9.9.9", False),
    (("64:ff9b:1::/48", "192.0.2.0/24"), "64:ff9b:1:c000:2:2100::", True),
    (("64:ff9b:1:100::/56", "192.0.2.0/24"), "64:ff9b:1:1c0:0:221::", True),
    (("64:ff9b:1:1::/64", "192.0.2.0/24"), "64:ff9b:1:1:c0:2:2100::", True),
    (("64:ff9b:1::/96", "192.0.2.0/24"), "64:ff9b:1::192.0.2.33", True),
]


@pytest.mark.parametrize(("named", "address", "wanted"), NAMED)
def test_a_named_network_counts_for_the_address_that_decides(
    named: tuple[str, ...], address: str, wanted: bool
) -> None:
    assert NetworkPolicy(parse_networks(named)).judge(ip_address(address)).named is wanted


def test_a_named_local_nat64_leads_to_global_addresses_and_to_no_other() -> None:
    policy = NetworkPolicy(parse_networks(["64:ff9b:1::/96"]))
    assert policy.judge(ip_address("64:ff9b:1::9.9.9.9")).allowed
    judged = policy.judge(ip_address("64:ff9b:1::127.0.0.1"))
    assert (judged.allowed, judged.kind) == (False, KIND.LOOPBACK)


def test_a_network_around_this_machine_is_none_of_the_internet() -> None:
    own = networks_around([ip_address("2a00:1:2:3::5"), ip_address("9.9.9.9")])
    policy = NetworkPolicy(own=own)
    for address, allowed in (
        ("2a00:1:2:3::99", False),
        ("2a00:1:2:4::5", True),
        ("9.9.9.9", False),
        ("::ffff:9.9.9.9", False),
        ("9.9.9.10", True),
    ):
        judged = policy.judge(ip_address(address))
        assert (judged.allowed, judged.kind) == (allowed, KIND.GLOBAL if allowed else KIND.OWN), address
    named = NetworkPolicy(parse_networks(["2a00:1:2:3::/64"]), own)
    assert named.judge(ip_address("2a00:1:2:3::99")).named


addresses = st.one_of(
    st.ip_addresses(),
    st.builds(IPv4Address, st.integers(0, 2**32 - 1)),
    # Around what is special, where uniform ones never fall.
    st.builds(
        lambda head, tail: IPv6Address(int(IPv6Address(head)) | tail),
        st.sampled_from(["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "2001::", "2002::", "fe80::"]),
        st.integers(0, 2**80 - 1) | st.integers(0, 2**32 - 1),
    ),
)


@given(addresses)
def test_what_is_allowed_is_global_for_the_standard_library_too(address: IPv4Address | IPv6Address) -> None:
    judged = STRICT.judge(address)
    assert not judged.named
    assert judged.allowed == (judged.kind is KIND.GLOBAL)
    if judged.allowed:
        for each in embedded_in(address):
            assert each.is_global or each in ip_network("192.88.99.0/24")
            assert not (each.is_private or each.is_loopback or each.is_multicast or each.is_link_local)
            assert not (each.is_reserved or each.is_unspecified)


@given(st.ip_addresses(v=4))
def test_every_way_to_embed_an_address_is_judged_as_the_address(address: IPv4Address) -> None:
    number = int(address)
    ways = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x20010000 << 96 | 0x09090909 << 64 | (number ^ 0xFFFFFFFF)),
    ]
    for policy in (STRICT, NetworkPolicy(parse_networks(["10.0.0.0/8", "224.0.0.0/3", "9.9.9.9"]))):
        plain = policy.judge(address)
        assert {policy.judge(way).allowed for way in ways} == {plain.allowed}


@given(addresses, st.lists(addresses, max_size=3))
def test_a_name_of_a_network_only_adds(
    address: IPv4Address | IPv6Address, others: list[IPv4Address | IPv6Address]
) -> None:
    policy = NetworkPolicy(tuple(ip_network(int(each)) if each.version == 6 else ip_network(each) for each in others))
    if STRICT.judge(address).allowed:
        assert policy.judge(address).allowed
    elif policy.judge(address).allowed:
        assert any(each in network for each in embedded_in(address, policy.named) for network in policy.named)


@given(addresses)
def test_a_zone_makes_no_difference(address: IPv4Address | IPv6Address) -> None:
    assume(address.version == 6)
    with_zone = ip_address(f"{address}%eth0")
    assert STRICT.judge(with_zone).kind is STRICT.judge(address).kind
    assert kind_of(with_zone) is kind_of(address)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([], ()),
        ([" 192.168.1.0/24 "], ("192.168.1.0/24",)),
        (["192.168.1.7"], ("192.168.1.7/32",)),
        (["fd00::/8", "::1", "fd00::/8"], ("fd00::/8", "::1/128")),
        (["192.168.1.0/255.255.255.0"], ("192.168.1.0/24",)),
        (["64:ff9b:1::/96"], ("64:ff9b:1::/96",)),
    ],
)
def test_networks_are_parsed(texts: list[str], wanted: tuple[str, ...]) -> None:
    assert parse_networks(texts) == tuple(map(ipaddress.ip_network, wanted))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be networks such as 192.168.1.0/24"),
        ("lan", "must be networks such as"),
        ("192.168.1.0/33", "must be networks such as"),
        ("192.168.1", "must be networks such as"),
        ("x" * 1_000, r"not 'x{60}'$"),
        ("192.168.1.7/24", r"the network is 192\.168\.1\.0/24, the address alone 192\.168\.1\.7"),
        ("::ffff:10.0.0.0/104", "judged by the IPv4 addresses in it"),
        ("64:ff9b::/96", "judged by the IPv4 addresses in it"),
        ("2002::/16", "judged by the IPv4 addresses in it"),
        ("2001::/32", "judged by the IPv4 addresses in it"),
        ("64:ff9b:1::/52", "48, 56, 64 or 96 bits"),
    ],
)
def test_what_names_no_network_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_networks([text])


def test_networks_are_bounded() -> None:
    with pytest.raises(ValueError, match="at most 100"):
        parse_networks([f"10.0.{index}.0/24" for index in range(101)])
