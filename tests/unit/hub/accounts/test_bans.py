"""`BanIndex` finds what a look at every ban would find."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network

from securechat.hub.accounts.bans import BanIndex
from securechat.records.accounts import Ban, BanKind
from securechat.text.confusables import skeleton

NETWORKS = (
    "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "10.1.2.3/32", "::/0", "2001:db8::/32",
    "2001:db8::/64", "2001:db8::1/128", "fe80::/10",
)  # fmt: skip
HOSTS = ("10.1.2.3", "10.1.2.4", "10.1.3.4", "10.9.9.9", "11.1.1.1", "::ffff:10.1.2.3", "2001:db8::1", "2001:db8:1::1",
         "2001:db9::1", "fe80::1%eth0", "not an address", "")  # fmt: skip


def made(number: int, kind: BanKind, target: str, until_ms: int | None = None) -> Ban:
    return Ban(number, kind, target, target, "", "root", 0, until_ms)


def keeps_out(ban: Ban, host: str) -> bool:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address) in ip_network(ban.target)


def test_networks_are_found_as_a_look_at_each_would_find_them() -> None:
    chance = random.Random(3)
    index = BanIndex(lambda until_ms: until_ms != 0)
    held: dict[int, Ban] = {}
    for _ in range(2_000):
        number = chance.randrange(6)
        if chance.random() < 0.5:
            held[number] = made(number, BanKind.NETWORK, chance.choice(NETWORKS), chance.choice((None, 0)))
            index.put(held[number])
        else:
            held.pop(number, None)
            index.drop(number)
        assert index.rows == held
        for host in HOSTS:
            wanted = {ban.ban_id for ban in held.values() if ban.until_ms is None and keeps_out(ban, host)}
            found = index.on_host(host)
            assert (found is None) == (not wanted)
            assert found is None or found.ban_id in wanted


def test_names_and_accounts_are_found_by_what_they_look_like_and_by_number() -> None:
    index = BanIndex(lambda until_ms: until_ms is None)
    index.put(made(1, BanKind.NAME, skeleton("troll")))
    index.put(made(2, BanKind.ACCOUNT, "7", until_ms=0))
    index.put(made(3, BanKind.ACCOUNT, "7"))
    assert index.on_name("Troll") == index.on_name("trоll") == index.rows[1]
    assert index.on_name("ann") is None
    assert index.on_sender(7) == index.rows[3], "the first is over"
    assert [ban.ban_id for ban in index.of(BanKind.ACCOUNT, "7")] == [2, 3]
    for number in (1, 2, 3, 3):
        index.drop(number)
    assert index.rows == {}
    assert index.on_name("troll") is index.on_sender(7) is None
