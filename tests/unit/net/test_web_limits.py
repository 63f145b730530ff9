"""Browsers are counted apart: none is punished for its manners, and a client gets no further by claiming to be one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.limits import Limits
from securechat.net.connection_limits import ConnectionKind, ConnectionLimits, Denial

REAL, PRIVATE = "8.8.8.8", "192.168.1.2"
LIMITS = Limits()
WEB, NATIVE, UNKNOWN = ConnectionKind.WEB, ConnectionKind.NATIVE, ConnectionKind.UNKNOWN


@pytest.fixture
def door() -> ConnectionLimits:
    return ConnectionLimits(LIMITS, 100_000)


def browse(door: ConnectionLimits, address: str, now: float, *, warned: bool = False) -> None:
    """One connection of a browser comes in; ``warned``: and ends in its handshake."""
    assert door.arrived(address, now) is None
    assert door.web_begun(address, now) is None
    door.handshake_begun()
    if warned:
        door.closed(address, now, hello_done=False, kind=WEB)
    else:
        door.handshake_over(address, WEB)


def leave(door: ConnectionLimits, address: str, now: float, kind: ConnectionKind = WEB) -> None:
    door.closed(address, now, hello_done=kind is WEB, handshake_done=True, kind=kind)


@pytest.mark.parametrize("minutes", [(0, 2, 4, 6, 8), (0, 0, 0, 0, 0), (0, 9, 9, 9, 9)])
def test_thirty_phones_behind_one_address_load_five_pages_and_all_get_in(
    door: ConnectionLimits, minutes: tuple[int, ...]
) -> None:
    """With a connection opened ahead for each, six for the page, a warning the first time, and a WebSocket."""
    open_websockets = 0
    for load, minute in enumerate(minutes):
        now = 60.0 * minute
        for _ in range(30):
            assert door.arrived(REAL, now) is None
        for _ in range(30):
            for number in range(6):
                browse(door, REAL, now, warned=load == 0 and number == 0)
            if open_websockets == 30:  # the page before it goes
                door.closed(REAL, now, hello_done=True, handshake_done=True, kind=ConnectionKind.WEBSOCKET)
                open_websockets -= 1
            assert door.web_upgraded(REAL, now) is None
            open_websockets += 1
        for _ in range(30):
            door.closed(REAL, now, hello_done=True, handshake_begun=False, kind=UNKNOWN)
            for _ in range(4 if load == 0 else 5):
                leave(door, REAL, now)
    assert (open_websockets, door.half_open) == (30, 0)
    assert door.opened(REAL, 600) is None, "and a terminal"


def test_no_end_of_a_browsers_connection_is_a_failed_hello(door: ConnectionLimits) -> None:
    for _ in range(200):
        browse(door, REAL, 0, warned=True)
        browse(door, REAL, 0)
        leave(door, REAL, 0)
        assert door.arrived(REAL, 0) is None
        door.closed(REAL, 0, hello_done=True, handshake_begun=False, kind=UNKNOWN)
    assert door.opened(REAL, 0) is None
    door.closed(REAL, 0, hello_done=True, handshake_begun=False)
    assert (door.connections, door.half_open) == (0, 0)


def test_who_claims_to_be_a_browser_has_half_a_second_of_handshakes_and_then_two_a_second(
    door: ConnectionLimits,
) -> None:
    for _ in range(1_000):
        browse(door, REAL, 0, warned=True)
    assert door.arrived(REAL, 0) is None
    assert door.web_begun(REAL, 0) is Denial.WEB_RATE
    assert door.web_begun(REAL, 0.4) is Denial.WEB_RATE
    assert door.web_begun(REAL, 0.5) is None
    browse(door, "8.8.4.4", 0)
    done = 0
    for second in range(1, 61):
        while door.web_begun(REAL, second, NATIVE) is None:
            done += 1
            leave(door, REAL, second)
    assert done in (118, 119, 120)


def test_the_caps_of_an_address(door: ConnectionLimits) -> None:
    for address, silent, web, websockets in ((REAL, 256, 256, 64), (PRIVATE, 1_024, 1_024, 256)):
        for _ in range(silent):
            assert door.arrived(address, 0) is None
        assert door.arrived(address, 0) is Denial.ADDRESS_FULL
        for _ in range(web):
            assert door.web_begun(address, 0) is None
        assert door.arrived(address, 0) is None, "a place among the silent is free for each"
        assert door.web_begun(address, 0) is Denial.ADDRESS_FULL
        for _ in range(websockets):
            assert door.web_upgraded(address, 0) is None
        assert door.web_upgraded(address, 0) is Denial.ADDRESS_FULL
        assert door.native_begun(address, 0) is None, "terminals have caps of their own"


def test_a_limit_of_terminals_changes_none_of_browsers() -> None:
    door = ConnectionLimits(Limits(connections_per_address=256), 100_000)
    for _ in range(256):
        browse(door, PRIVATE, 0)
        assert door.web_upgraded(PRIVATE, 0) is None
    assert door.web_upgraded(PRIVATE, 0) is Denial.ADDRESS_FULL


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_behind_a_proxy_loopback_is_a_private_address_to_browsers_alone(address: str) -> None:
    door = ConnectionLimits(LIMITS, 100_000, behind_proxy=True)
    for _ in range(2_000):
        assert door.arrived(address, 0) is None
        assert door.native_begun(address, 0) is None
    for _ in range(1_024):
        browse(door, address, 0)
    assert door.arrived(address, 0) is None
    assert door.web_begun(address, 0) is Denial.ADDRESS_FULL
    for _ in range(256):
        assert door.web_upgraded(address, 0) is None
    assert door.web_upgraded(address, 0) is Denial.ADDRESS_FULL
    for _ in range(2_000):
        door.handshake_begun()
        door.handshake_over(address)
        leave(door, address, 0, NATIVE)
    for kind, count in ((UNKNOWN, 1), (ConnectionKind.WEBSOCKET, 256), (WEB, 768)):
        for _ in range(count):
            leave(door, address, 0, kind)
    assert door.connections == 0
    assert door.web_begun(address, 700) is None, "what terminals did is no failure, and no count is left behind"
    assert door.web_upgraded(address, 700) is None


def test_an_upgrade_is_no_way_around_the_rule_for_failed_hellos(door: ConnectionLimits) -> None:
    for _ in range(32):
        browse(door, REAL, 0)
        assert door.web_upgraded(REAL, 0) is None
        door.closed(REAL, 0, hello_done=False, handshake_done=True, kind=ConnectionKind.WEBSOCKET)
    browse(door, REAL, 1)
    assert door.web_upgraded(REAL, 1) is Denial.FAILED_HELLOS
    assert door.arrived(REAL, 1) is None
    assert door.native_begun(REAL, 1) is Denial.FAILED_HELLOS
    assert door.web_upgraded(REAL, 600.5) is None


def test_native_rules_hold_where_browsers_are_served(door: ConnectionLimits) -> None:
    for _ in range(8):
        assert door.arrived(REAL, 0) is None
        assert door.native_begun(REAL, 0) is None
    assert door.arrived(REAL, 0) is None
    assert door.native_begun(REAL, 0) is Denial.HALF_OPEN
    for _ in range(8):
        door.handshake_begun()
        door.handshake_over(REAL)
    for _ in range(8):
        assert door.native_begun(REAL, 0) is None
        door.handshake_begun()
        door.handshake_over(REAL)
        assert door.arrived(REAL, 0) is None
    assert door.native_begun(REAL, 0) is Denial.ADDRESS_FULL


def test_one_that_shows_http_after_a_native_handshake_changes_its_kind(door: ConnectionLimits) -> None:
    for _ in range(16):
        assert door.opened(REAL, 0) is None
        door.handshake_begun()
        door.handshake_over(REAL)
        assert door.web_begun(REAL, 0, NATIVE) is None
    assert door.opened(REAL, 0) is None
    door.closed(REAL, 0, hello_done=True, handshake_begun=False)
    for _ in range(16):
        leave(door, REAL, 0)
    assert (door.connections, door.half_open) == (0, 0)


def test_spent_tokens_are_remembered_until_they_are_back(
    door: ConnectionLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    browse(door, REAL, 0)
    leave(door, REAL, 499)
    assert door.remembered == 1
    browse(door, REAL, 500)
    leave(door, REAL, 1_100)
    assert door.remembered == 0
    monkeypatch.setattr("securechat.net.connection_limits.MAX_RECORDS", 100)
    for number in range(1_000):
        browse(door, f"9.9.{number // 250}.{number % 250}", number)
        leave(door, f"9.9.{number // 250}.{number % 250}", number)
    assert door.remembered <= 100


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_is_exempt_here_too(door: ConnectionLimits, address: str) -> None:
    """A proxy on this machine speaks for all people behind it."""
    for _ in range(3_000):
        browse(door, address, 0)
    for _ in range(500):
        assert door.web_upgraded(address, 0) is None
    assert door.remembered == 0


def test_a_full_server_admits_nothing_unknown() -> None:
    door = ConnectionLimits(LIMITS, 1)
    assert door.room == 1
    assert door.arrived(REAL, 0) is None
    assert door.arrived("8.8.4.4", 0) is Denial.SERVER_FULL


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "open", "native", "web", "shake", "http", "upgrade", "close"]),
        st.integers(0, 5),
        st.sampled_from([REAL, PRIVATE, "127.0.0.1", "2a00:1450:4001:81b::1"]),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_the_order_all_counts_are_zero_in_the_end(steps: list[tuple[str, int, str]]) -> None:
    small = Limits(
        connections_per_address=3, half_open_per_address=2, web_connections_per_address=3, web_connection_burst=9,
        websockets_per_address=2, failed_hellos_per_address=3,
    )  # fmt: skip
    door = ConnectionLimits(small, 12)
    alive: list[tuple[str, ConnectionKind, str]] = []  # address, kind, and "waits", "shakes" or "open"

    def close(one: tuple[str, ConnectionKind, str], now: float) -> None:
        address, kind, state = one
        door.closed(
            address, now, hello_done=False, handshake_done=state == "open", handshake_begun=state != "waits", kind=kind
        )

    for now, (step, number, address) in enumerate(steps):
        if step in ("arrive", "open"):
            came = door.arrived(address, now) if step == "arrive" else door.opened(address, now)
            if came is None:
                alive.append((address, UNKNOWN if step == "arrive" else NATIVE, "waits"))
            continue
        if not alive:
            continue
        one = alive.pop(number % len(alive))
        match (step, *one):
            case ("native", where, ConnectionKind.UNKNOWN, _) if door.native_begun(where, now) is None:
                one = (where, NATIVE, "waits")
            case ("web", where, ConnectionKind.UNKNOWN, _) if door.web_begun(where, now) is None:
                one = (where, WEB, "waits")
            case ("shake", where, (ConnectionKind.NATIVE | ConnectionKind.WEB) as kind, "waits"):
                door.handshake_begun()
                one = (where, kind, "shakes")
            case ("shake", where, kind, "shakes"):
                door.handshake_over(where, kind)
                one = (where, kind, "open")
            case ("http", where, ConnectionKind.NATIVE, "open") if door.web_begun(where, now, NATIVE) is None:
                one = (where, WEB, "open")
            case ("upgrade", where, ConnectionKind.WEB, "open") if door.web_upgraded(where, now) is None:
                one = (where, ConnectionKind.WEBSOCKET, "open")
            case ("close", *_):
                close(one, now)
                continue
        alive.append(one)
        assert door.connections == len(alive)
        assert door.half_open == sum(state == "shakes" for _, _, state in alive)
    for one in alive:
        close(one, 0)
    assert (door.connections, door.half_open) == (0, 0)
    for record in door._records.values():
        assert (record.unknown, record.opened, record.half_open, record.web, record.websockets) == (0, 0, 0, 0, 0)
