"""Admits or denies connections by counts per address.

Pure policy: no socket, no clock (``now`` is an argument), so that every rule is tested in microseconds. Addresses are
counted as an IPv4 address or an IPv6 /64, because one subscriber has a whole /64. Private, unique-local and link-local
addresses get the larger caps: a classroom may share one of them. Loopback is exempt from all caps per address.

Memory is bounded: a record exists while a connection is open or a failed hello is remembered, and at most MAX_RECORDS
of them exist.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import TYPE_CHECKING

from securechat.client_address import is_loopback, origin_of

if TYPE_CHECKING:
    from securechat.limits import Limits

MAX_RECORDS = 65_536
"""Addresses remembered; about 20 MiB. A flood from more addresses displaces old failures, never open connections."""


class Denial(StrEnum):
    """The reasons to deny a connection. Values are stable words for logs and metrics."""

    SERVER_FULL = "server_full"
    ADDRESS_FULL = "address_full"
    HALF_OPEN = "half_open"
    SILENT = "silent"
    NO_PLACE = "no_place"
    FAILED_HELLOS = "failed_hellos"
    NO_DESCRIPTORS = "no_descriptors"  # reported by the listener: the system has none left


class _Record:
    __slots__ = ("failed_at", "half_open", "opened")

    def __init__(self) -> None:
        self.opened = 0
        self.half_open = 0
        self.failed_at: list[float] = []


class ConnectionLimits:
    """Counts the connections of one server.

    Args:
        limits: the caps.
        max_connections: all connections, RLIMIT_NOFILE less limits.reserved_descriptors.

    Attributes:
        connections: admitted and not closed.
        half_open: those of them whose handshake is under way. The count per address includes those that have not begun
            one.
    """

    def __init__(self, limits: Limits, max_connections: int) -> None:
        self._limits = limits
        self._max_connections = max_connections
        self._records: dict[str, _Record] = {}
        self._private_factor = max(1, limits.connections_per_private_address // limits.connections_per_address)
        self.connections = 0
        self.half_open = 0

    @property
    def half_open_full(self) -> bool:
        """Whether the most handshakes are under way: further ones must wait."""
        return self.half_open >= self._limits.half_open_handshakes

    @property
    def full(self) -> bool:
        """Whether as many connections are open as may be."""
        return self.connections >= self._max_connections

    @property
    def remembered(self) -> int:
        """The number of addresses with a record."""
        return len(self._records)

    def opened(self, address: str, now: float) -> Denial | None:
        """Admit and count a connection from ``address``, or say why not."""
        if self.full:
            return Denial.SERVER_FULL
        key, factor = self._classify(address)
        if factor:
            record = self._records.get(key)
            if record is None:
                self._make_room(now)
                record = self._records[key] = _Record()
            denial = self._judge(record, factor, now)
            if denial is not None:
                return denial
            record.opened += 1
            record.half_open += 1
        self.connections += 1
        return None

    def handshake_begun(self) -> None:
        """Count a handshake: an admitted connection has sent its first bytes."""
        self.half_open += 1

    def handshake_over(self, address: str) -> None:
        """A handshake from ``address`` succeeded."""
        self.half_open -= 1
        record = self._records.get(self._classify(address)[0])
        if record is not None:
            record.half_open -= 1

    def closed(
        self, address: str, now: float, *, hello_done: bool, handshake_done: bool = False, handshake_begun: bool = True
    ) -> None:
        """Count an admitted connection as closed; without a hello it counts as failed."""
        self.connections -= 1
        if handshake_begun and not handshake_done:
            self.half_open -= 1
        key, factor = self._classify(address)
        record = self._records.get(key)
        if record is None:
            return
        record.opened -= 1
        if not handshake_done:
            record.half_open -= 1
        if not hello_done:
            record.failed_at = [*record.failed_at, now][-self._limits.failed_hellos_per_address * factor :]
        if not record.opened and not self._recent(record, now):
            del self._records[key]

    def _judge(self, record: _Record, factor: int, now: float) -> Denial | None:
        limits = self._limits
        cap = limits.connections_per_address if factor == 1 else limits.connections_per_private_address
        if record.opened >= cap:
            return Denial.ADDRESS_FULL
        if record.half_open >= limits.half_open_per_address * factor:
            return Denial.HALF_OPEN
        if len(record.failed_at) >= limits.failed_hellos_per_address * factor:
            # The oldest of the last N failures: if it is in the window, there were N within the window.
            return Denial.FAILED_HELLOS if now - record.failed_at[0] < limits.failed_hellos_window_s else None
        return None

    def _recent(self, record: _Record, now: float) -> bool:
        return bool(record.failed_at) and now - record.failed_at[-1] < self._limits.failed_hellos_window_s

    def _classify(self, address: str) -> tuple[str, int]:
        """The key to count under, and the factor on the caps: 0 for loopback."""
        key = origin_of(address)
        if is_loopback(key):
            return key, 0
        try:
            ip = ipaddress.ip_network(key).network_address
        except ValueError:
            return key, 1
        return key, self._private_factor if ip.is_private or ip.is_link_local else 1

    def _make_room(self, now: float) -> None:
        """Before adding a record: drop the expired ones, then the oldest idle ones, a tenth at a time."""
        if len(self._records) < MAX_RECORDS:
            return
        idle = [key for key, record in self._records.items() if not record.opened]
        expired = [key for key in idle if not self._recent(self._records[key], now)]
        for key in expired or idle[: MAX_RECORDS // 10]:
            del self._records[key]
