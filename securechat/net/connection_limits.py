"""Admits or denies connections by counts per address.

Pure policy: no socket, no clock (``now`` is an argument), so that every rule is tested in microseconds. Addresses are
counted as an IPv4 address or an IPv6 /64, because one subscriber has a whole /64. Private, unique-local and link-local
addresses get the larger caps: a classroom may share one of them. Loopback is exempt from all caps per address, but for
browsers behind a proxy: there it is one private address, and only to WEB connections and WEBSOCKETs.

A server that serves browsers does not know what an accepted connection is until its ClientHello has come: it is UNKNOWN
until then, and NATIVE or WEB after it. Browsers open connections ahead and never use them, six for a page, and end
handshakes when they show a warning; so those that are WEB are counted apart, with caps that thirty phones behind one
address do not reach, and none is a failed hello. What holds back an attacker who claims to be a browser:

- A WEB connection speaks HTTP and nothing else. It becomes a member's by `web_upgraded` alone, under caps of its own
  and under the rule for failed hellos; from then on a failed hello counts.
- Each one takes a token of its address: limits.web_connection_burst of them, then limits.web_connection_rate a second.
  A handshake costs 0.5 ms, so an address takes half a second of work at once, and then a thousandth of the time.
- That rate, too, bounds the places for handshakes that it holds: 2 a second for 10 s are 20. Known weakness: with its
  burst one address can hold many more of them for some seconds, as two private ones can without claiming anything.
- An address has limits.web_connections_per_address of them at once, and the oldest goes when there are
  limits.web_connections in all.

Memory is bounded: a record exists while a connection is open, or while a failed hello or spent tokens are remembered,
and at most MAX_RECORDS of them exist.
"""

from __future__ import annotations

import ipaddress
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

from securechat.client_address import is_loopback, origin_of

if TYPE_CHECKING:
    from securechat.limits import Limits

MAX_RECORDS = 65_536
"""Addresses remembered; about 26 MiB. A flood from more addresses displaces old failures, never open connections."""


class Denial(StrEnum):
    """The reasons to deny a connection. Values are stable words for logs and metrics."""

    SERVER_FULL = "server_full"
    ADDRESS_FULL = "address_full"
    HALF_OPEN = "half_open"
    SILENT = "silent"
    NO_PLACE = "no_place"
    FAILED_HELLOS = "failed_hellos"
    WEB_RATE = "web_rate"
    NO_DESCRIPTORS = "no_descriptors"  # reported by the listener: the system has none left


class ConnectionKind(Enum):
    """What an admitted connection is counted as."""

    UNKNOWN = "unknown"  # its ClientHello has not come
    NATIVE = "native"
    WEB = "web"  # speaks HTTP, or has offered to
    WEBSOCKET = "websocket"  # was WEB, and is a member's now


class _Record:
    __slots__ = ("failed_at", "half_open", "opened", "unknown", "web", "web_at", "web_tokens", "websockets")

    def __init__(self) -> None:
        self.unknown = self.web = self.websockets = 0
        self.opened = 0  # native
        self.half_open = 0  # of these
        self.failed_at: list[float] = []
        self.web_tokens = 0.0  # at web_at
        self.web_at: float | None = None  # None: all of them are there

    @property
    def in_use(self) -> bool:
        return bool(self.opened or self.unknown or self.web or self.websockets)


class _Caps(NamedTuple):
    """What one address may have."""

    native: int
    half_open: int
    failed_hellos: int
    web: int
    web_burst: float
    web_rate: float
    websockets: int


def _caps(limits: Limits, *, private: bool) -> _Caps:
    factor = web_factor = 1
    if private:
        factor = max(1, limits.connections_per_private_address // limits.connections_per_address)
        web_factor = max(1, limits.web_connections_per_private_address // limits.web_connections_per_address)
    return _Caps(
        native=limits.connections_per_private_address if private else limits.connections_per_address,
        half_open=limits.half_open_per_address * factor,
        failed_hellos=limits.failed_hellos_per_address * factor,
        web=limits.web_connections_per_private_address if private else limits.web_connections_per_address,
        web_burst=limits.web_connection_burst * web_factor,
        web_rate=limits.web_connection_rate * web_factor,
        websockets=limits.websockets_per_private_address if private else limits.websockets_per_address,
    )


class ConnectionLimits:
    """Counts the connections of one server.

    Args:
        limits: the caps.
        max_connections: all connections, RLIMIT_NOFILE less limits.reserved_descriptors.
        behind_proxy: whether browsers that come from loopback may be anybody.

    Attributes:
        connections: admitted and not closed.
        half_open: those of them whose handshake is under way. The count per address includes those that have not begun
            one.
    """

    def __init__(self, limits: Limits, max_connections: int, *, behind_proxy: bool = False) -> None:
        self._limits = limits
        self._max_connections = max_connections
        self._behind_proxy = behind_proxy
        self._records: dict[str, _Record] = {}
        self._public, self._private = _caps(limits, private=False), _caps(limits, private=True)
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
    def room(self) -> int:
        """How many more connections may be open."""
        return self._max_connections - self.connections

    @property
    def remembered(self) -> int:
        """The number of addresses with a record."""
        return len(self._records)

    def opened(self, address: str, now: float) -> Denial | None:
        """Admit and count a native connection from ``address``, or say why not."""
        if self.full:
            return Denial.SERVER_FULL
        denial = self._native(address, now)
        if denial is None:
            self.connections += 1
        return denial

    def arrived(self, address: str, now: float) -> Denial | None:
        """Admit and count a connection from ``address`` of which nothing is known yet, or say why not."""
        if self.full:
            return Denial.SERVER_FULL
        key, caps = self._classify(address, ConnectionKind.UNKNOWN)
        if caps is not None:
            record = self._record(key, now)
            if record.unknown >= caps.web:
                return Denial.ADDRESS_FULL
            record.unknown += 1
        self.connections += 1
        return None

    def native_begun(self, address: str, now: float) -> Denial | None:
        """An UNKNOWN connection turns out to be native: count it as `opened` does, or say why not.

        Where it may not, it stays what it was, and is to be closed.
        """
        denial = self._native(address, now)
        if denial is None:
            self._leave(address, ConnectionKind.UNKNOWN)
        return denial

    def web_begun(self, address: str, now: float, was: ConnectionKind = ConnectionKind.UNKNOWN) -> Denial | None:
        """A connection turns out to speak HTTP: count it apart, or say why not.

        Where it may not, it stays what it was, and is to be closed.

        Args:
            address: its own.
            now: monotonic seconds.
            was: UNKNOWN, or NATIVE: the handshake of one that offered nothing is over, and then HTTP comes.
        """
        key, caps = self._classify(address, ConnectionKind.WEB)
        if caps is None:
            return None
        record = self._record(key, now)
        if record.web >= caps.web:
            return Denial.ADDRESS_FULL
        tokens = _tokens(record, caps, now)
        if tokens < 1:
            return Denial.WEB_RATE
        record.web_tokens, record.web_at = tokens - 1, now
        record.web += 1
        self._leave(address, was)
        return None

    def web_upgraded(self, address: str, now: float) -> Denial | None:
        """A WEB connection is to become a member's: count it as a WEBSOCKET, or say why not.

        Where it may not, it stays what it was.
        """
        key, caps = self._classify(address, ConnectionKind.WEBSOCKET)
        if caps is None:
            return None
        record = self._record(key, now)
        if record.websockets >= caps.websockets:
            return Denial.ADDRESS_FULL
        if self._has_failed(record, caps, now):
            return Denial.FAILED_HELLOS
        record.websockets += 1
        self._leave(address, ConnectionKind.WEB)
        return None

    def handshake_begun(self) -> None:
        """Count a handshake: an admitted connection has sent its first bytes."""
        self.half_open += 1

    def handshake_over(self, address: str, kind: ConnectionKind = ConnectionKind.NATIVE) -> None:
        """A handshake from ``address`` succeeded."""
        self.half_open -= 1
        record = self._counted(address, kind)
        if record is not None and kind is ConnectionKind.NATIVE:
            record.half_open -= 1

    def closed(
        self,
        address: str,
        now: float,
        *,
        hello_done: bool,
        handshake_done: bool = False,
        handshake_begun: bool = True,
        kind: ConnectionKind = ConnectionKind.NATIVE,
    ) -> None:
        """Count an admitted connection as closed; without a hello it counts as failed, unless it is WEB."""
        self.connections -= 1
        if handshake_begun and not handshake_done:
            self.half_open -= 1
        key, caps = self._classify(address, kind)
        record = self._records.get(key)
        if record is None or caps is None:
            return
        self._leave(address, kind)
        if kind is ConnectionKind.NATIVE and not handshake_done:
            record.half_open -= 1
        if not hello_done and kind is not ConnectionKind.WEB:
            record.failed_at = [*record.failed_at, now][-caps.failed_hellos :]
        if not record.in_use and not self._remembers(record, now):
            del self._records[key]

    def _native(self, address: str, now: float) -> Denial | None:
        key, caps = self._classify(address, ConnectionKind.NATIVE)
        if caps is None:
            return None
        record = self._record(key, now)
        denial = self._judge(record, caps, now)
        if denial is None:
            record.opened += 1
            record.half_open += 1
        return denial

    def _record(self, key: str, now: float) -> _Record:
        record = self._records.get(key)
        if record is None:
            self._make_room(now)
            record = self._records[key] = _Record()
        return record

    def _counted(self, address: str, kind: ConnectionKind) -> _Record | None:
        """The record in which a connection is counted."""
        key, caps = self._classify(address, kind)
        return None if caps is None else self._records.get(key)

    def _leave(self, address: str, kind: ConnectionKind) -> None:
        """Count one less of a kind."""
        record = self._counted(address, kind)
        if record is None:
            return
        match kind:
            case ConnectionKind.UNKNOWN:
                record.unknown -= 1
            case ConnectionKind.NATIVE:
                record.opened -= 1
            case ConnectionKind.WEB:
                record.web -= 1
            case ConnectionKind.WEBSOCKET:
                record.websockets -= 1

    def _judge(self, record: _Record, caps: _Caps, now: float) -> Denial | None:
        if record.opened >= caps.native:
            return Denial.ADDRESS_FULL
        if record.half_open >= caps.half_open:
            return Denial.HALF_OPEN
        return Denial.FAILED_HELLOS if self._has_failed(record, caps, now) else None

    def _has_failed(self, record: _Record, caps: _Caps, now: float) -> bool:
        """Whether too many hellos failed lately."""
        if len(record.failed_at) < caps.failed_hellos:
            return False
        # The oldest of the last N failures: if it is in the window, there were N within the window.
        return now - record.failed_at[0] < self._limits.failed_hellos_window_s

    def _remembers(self, record: _Record, now: float) -> bool:
        """Whether it holds what a new record would not: failed hellos that count, or spent tokens."""
        limits = self._limits
        if record.failed_at and now - record.failed_at[-1] < limits.failed_hellos_window_s:
            return True
        # A private address has tokens in proportion, so all of them come back in the same time.
        refill_s = limits.web_connection_burst / limits.web_connection_rate
        return record.web_at is not None and now - record.web_at < refill_s

    def _classify(self, address: str, kind: ConnectionKind) -> tuple[str, _Caps | None]:
        """The key to count under, and the caps: None where nothing is counted."""
        key = origin_of(address)
        if is_loopback(key):
            is_shared = self._behind_proxy and kind in {ConnectionKind.WEB, ConnectionKind.WEBSOCKET}
            return key, self._private if is_shared else None
        try:
            ip = ipaddress.ip_network(key).network_address
        except ValueError:
            return key, self._public
        return key, self._private if ip.is_private or ip.is_link_local else self._public

    def _make_room(self, now: float) -> None:
        """Before adding a record: drop the expired ones, then the oldest idle ones, a tenth at a time."""
        if len(self._records) < MAX_RECORDS:
            return
        idle = [key for key, record in self._records.items() if not record.in_use]
        expired = [key for key in idle if not self._remembers(self._records[key], now)]
        for key in expired or idle[: MAX_RECORDS // 10]:
            del self._records[key]


def _tokens(record: _Record, caps: _Caps, now: float) -> float:
    """How many WEB connections an address may open now."""
    if record.web_at is None:
        return caps.web_burst
    return min(caps.web_burst, record.web_tokens + (now - record.web_at) * caps.web_rate)
