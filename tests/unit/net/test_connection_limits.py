"""Who may come in."""

from __future__ import annotations

import pytest

from securechat.limits import Limits
from securechat.net import connection_limits
from securechat.net.connection_limits import ConnectionLimits, Denial

REAL = "8.8.8.8"  # the addresses reserved for documentation count as private


def _open(door: ConnectionLimits, address: str, times: int, *, done: bool = True) -> None:
    for _ in range(times):
        assert door.opened(address, 0) is None
        if done:
            door.handshake_over(address)


@pytest.fixture
def door() -> ConnectionLimits:
    return ConnectionLimits(Limits(), 10_000)


def test_a_public_address_has_its_cap(door: ConnectionLimits) -> None:
    _open(door, REAL, 16)
    assert door.opened(REAL, 0) is Denial.ADDRESS_FULL
    assert door.opened("8.8.4.4", 0) is None
    door.closed(REAL, 0, handshake_done=True, hello_done=True)
    assert door.opened(REAL, 0) is None


def test_an_ipv6_subscriber_is_one_address(door: ConnectionLimits) -> None:
    for host in range(16):
        _open(door, f"2a00:1450:4001:81b::{host:x}", 1)
    assert door.opened("2a00:1450:4001:81b:ffff::1", 0) is Denial.ADDRESS_FULL
    assert door.opened("2a00:1450:4001:81c::1", 0) is None


@pytest.mark.parametrize("address", ["192.168.1.2", "10.0.0.1", "fd12::1", "fe80::1%eth0", "169.254.3.4"])
def test_a_private_address_has_the_larger_cap(door: ConnectionLimits, address: str) -> None:
    _open(door, address, 256)
    assert door.opened(address, 0) is Denial.ADDRESS_FULL


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_exempt(door: ConnectionLimits, address: str) -> None:
    _open(door, address, 1_000, done=False)
    for _ in range(100):
        door.closed(address, 0, handshake_done=False, hello_done=False)
    assert door.opened(address, 0) is None
    assert door.remembered == 0


def test_an_ipv4_mapped_address_is_the_ipv4_address(door: ConnectionLimits) -> None:
    _open(door, REAL, 16)
    assert door.opened(f"::ffff:{REAL}", 0) is Denial.ADDRESS_FULL


def test_half_open_handshakes_have_their_cap(door: ConnectionLimits) -> None:
    _open(door, REAL, 8, done=False)
    assert door.opened(REAL, 0) is Denial.HALF_OPEN
    door.handshake_over(REAL)
    assert door.opened(REAL, 0) is None
    door.closed(REAL, 0, handshake_done=False, hello_done=False)
    assert door.opened(REAL, 0) is None


def test_failed_hellos_shut_the_door_for_a_while(door: ConnectionLimits) -> None:
    for moment in range(32):
        assert door.opened(REAL, moment) is None
        door.closed(REAL, moment, handshake_done=False, hello_done=False)
    assert door.opened(REAL, 40) is Denial.FAILED_HELLOS
    assert door.opened(REAL, 600.5) is None, "the oldest failure has left the window"


def test_good_hellos_do_not_count(door: ConnectionLimits) -> None:
    for moment in range(100):
        assert door.opened(REAL, moment) is None
        door.handshake_over(REAL)
        door.closed(REAL, moment, handshake_done=True, hello_done=True)
    assert door.remembered == 0


def test_the_server_can_be_full() -> None:
    door = ConnectionLimits(Limits(), 2)
    _open(door, "127.0.0.1", 2)
    assert door.opened("127.0.0.1", 0) is Denial.SERVER_FULL


def test_half_open_full_counts_everybody() -> None:
    door = ConnectionLimits(Limits(half_open_handshakes=2), 100)
    _open(door, "127.0.0.1", 2, done=False)
    assert not door.half_open_full, "who has sent nothing has no place"
    door.handshake_begun()
    door.handshake_begun()
    assert door.half_open_full
    door.handshake_over("127.0.0.1")
    assert not door.half_open_full


def test_memory_is_bounded_and_open_ones_are_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_RECORDS", 100)
    door = ConnectionLimits(Limits(), 10_000)
    _open(door, REAL, 16)
    for number in range(1_000):
        address = f"9.9.{number // 250}.{number % 250}"
        assert door.opened(address, number) is None
        door.closed(address, number, handshake_done=False, hello_done=False)
    assert door.remembered <= 100
    assert door.opened(REAL, 0) is Denial.ADDRESS_FULL
