from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from securechat.server.outgoing.attempt import Attempt, AttemptAborted
from securechat.server.outgoing.resolver import MOST_LOOKUPS, NoAddress, Resolver
from tests.support.receiver import PATIENCE_S


def begun() -> Attempt:
    attempt = Attempt(limit_s=PATIENCE_S)
    attempt.begin()
    return attempt


def finding(*addresses: str) -> Callable[..., list[tuple[Any, ...]]]:
    return lambda *_args, **_options: [(0, 0, 0, "", (address, 0)) for address in addresses]


def failing(error: Exception) -> Callable[..., list[tuple[Any, ...]]]:
    def lookup(*_args: Any, **_options: Any) -> list[tuple[Any, ...]]:
        raise error

    return lookup


def test_addresses_come_in_the_systems_order_and_once() -> None:
    found = Resolver(finding("fe80::1%eth0", "9.9.9.9", "fe80::1%eth0", "2620:fe::fe")).addresses("ci", begun())
    assert found == tuple(map(ip_address, ("fe80::1%eth0", "9.9.9.9", "2620:fe::fe")))


def test_addresses_are_bounded() -> None:
    assert len(Resolver(finding(*(f"9.9.9.{index}" for index in range(200)))).addresses("ci", begun())) == 16


def test_the_systems_resolver_knows_this_machine() -> None:
    assert all(each.is_loopback for each in Resolver().addresses("localhost", begun()))


@pytest.mark.parametrize(
    "lookup",
    [
        failing(socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
        failing(OSError("no server")),
        failing(UnicodeError("label too long")),
        finding(),
    ],
    ids=["no such name", "no server", "no name", "no address"],
)
def test_without_an_address_it_says_so_and_takes_further_names(lookup: Callable[..., list[tuple[Any, ...]]]) -> None:
    resolver = Resolver(lookup)
    for _ in range(2 * MOST_LOOKUPS):
        with pytest.raises(NoAddress, match="the name has no address"):
            resolver.addresses("ci", begun())


def test_an_abort_ends_the_wait() -> None:
    over = threading.Event()
    attempt = begun()

    def lookup(*_args: Any, **_options: Any) -> list[tuple[Any, ...]]:
        attempt.abort()
        over.wait(PATIENCE_S)
        return []

    try:
        with pytest.raises(AttemptAborted):
            Resolver(lookup).addresses("ci", attempt)
    finally:
        over.set()


def test_an_abort_that_comes_with_the_addresses_is_an_abort() -> None:
    attempt = begun()

    def lookup(*_args: Any, **_options: Any) -> list[tuple[Any, ...]]:
        attempt.abort()
        return finding("9.9.9.9")()

    with pytest.raises(AttemptAborted):
        Resolver(lookup).addresses("ci", attempt)


def test_a_lookup_that_could_not_begin_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(finding("9.9.9.9"))

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        for _ in range(2 * MOST_LOOKUPS):
            with pytest.raises(RuntimeError):
                resolver.addresses("ci", begun())
    assert resolver.addresses("ci", begun()) == (ip_address("9.9.9.9"),)
