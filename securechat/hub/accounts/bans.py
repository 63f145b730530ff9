"""Finds bans by what they keep out, in a time that does not grow with their number: every hello asks three times.

The index does not know the time: its owner says which bans still last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import TypeVar

from securechat.records.accounts import Ban, BanKind
from securechat.text.confusables import skeleton

_K = TypeVar("_K")


def made_for(ban: Ban) -> str | None:
    """Return the user whose address is banned along with the name; None for a ban on what was named itself."""
    if ban.kind is not BanKind.NETWORK:
        return None
    try:
        ip_network(ban.shown.strip("[]"), strict=False)
    except ValueError:
        return ban.shown
    return None


class BanIndex:
    """The bans of a server.

    Args:
        lasts: tells whether something that ends at ``until_ms`` is still in force.

    Attributes:
        rows: by number.
    """

    def __init__(self, lasts: Callable[[int | None], bool]) -> None:
        self.rows: dict[int, Ban] = {}
        self._lasts = lasts
        self._by_target: dict[tuple[BanKind, str], dict[int, Ban]] = {}
        self._by_prefix: dict[tuple[int, int], dict[int, dict[int, Ban]]] = {}
        """By IP version and bits that are free, then by the bits that are not: at most 33 and 129 look-ups."""

    def put(self, ban: Ban) -> None:
        """Add a ban, or replace the one with its number."""
        self.drop(ban.ban_id)
        self.rows[ban.ban_id] = ban
        self._by_target.setdefault((ban.kind, ban.target), {})[ban.ban_id] = ban
        if ban.kind is BanKind.NETWORK:
            width, prefix = _prefix(ban.target)
            self._by_prefix.setdefault(width, {}).setdefault(prefix, {})[ban.ban_id] = ban

    def drop(self, ban_id: int) -> None:
        """Forget a ban, if there is one with this number."""
        ban = self.rows.pop(ban_id, None)
        if ban is None:
            return
        _remove(self._by_target, (ban.kind, ban.target), ban_id)
        if ban.kind is BanKind.NETWORK:
            width, prefix = _prefix(ban.target)
            _remove(self._by_prefix[width], prefix, ban_id)
            if not self._by_prefix[width]:
                del self._by_prefix[width]

    def of(self, kind: BanKind, target: str) -> list[Ban]:
        """Return the bans with exactly this target, in force or not."""
        return list(self._by_target.get((kind, target), {}).values())

    def on_host(self, host: str) -> Ban | None:
        """Return the ban that keeps this network address out."""
        if not self._by_prefix:
            return None
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return None  # no network address: a test's peer
        address = getattr(address, "ipv4_mapped", None) or address
        version, number = address.version, int(address)
        for (of_version, free_bits), networks in self._by_prefix.items():
            found = networks.get(number >> free_bits, {}) if of_version == version else {}
            if (ban := self._first(found.values())) is not None:
                return ban
        return None

    def on_name(self, name: str) -> Ban | None:
        """Return the ban on a guest's name, or on what looks like it."""
        return self._first(self.of(BanKind.NAME, skeleton(name))) if self.rows else None

    def on_sender(self, sender_id: int) -> Ban | None:
        """Return the ban on an account, or on the guest that the sender is or was."""
        if not self.rows:
            return None
        return self._first([*self.of(BanKind.ACCOUNT, str(sender_id)), *self.of(BanKind.GUEST, str(sender_id))])

    def _first(self, bans: Iterable[Ban]) -> Ban | None:
        return next((ban for ban in bans if self._lasts(ban.until_ms)), None)


def _prefix(target: str) -> tuple[tuple[int, int], int]:
    network = ip_network(target)
    free_bits = network.max_prefixlen - network.prefixlen
    return (network.version, free_bits), int(network.network_address) >> free_bits


def _remove(table: dict[_K, dict[int, Ban]], key: _K, ban_id: int) -> None:
    del table[key][ban_id]
    if not table[key]:
        del table[key]
