from __future__ import annotations

import ipaddress
import socket
import sys
import threading
from pathlib import Path

import pytest

from securechat.tls import local_addresses


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.5",
        "::1",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.0.1",
        "169.254.1.1",
        "fd12::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ],
)
def test_private(text: str) -> None:
    assert not local_addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "172.32.0.1", "100.64.0.1", "2a00::1", "0.0.0.0", "::", "::ffff:8.8.8.8"])
def test_public(text: str) -> None:
    assert local_addresses.is_public(ipaddress.ip_address(text))


def test_the_machine_has_its_own_names() -> None:
    names = local_addresses.local_names()
    assert names.dns[0] == "localhost"
    assert {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")} <= set(names.ips)
    assert not any(ip.version == 6 and ip.is_link_local for ip in names.ips)


def test_private_addresses_can_be_bound_and_are_private() -> None:
    found = local_addresses.private_addresses()
    assert ipaddress.ip_address("127.0.0.1") in found
    for ip in found:
        assert not local_addresses.is_public(ip)
        with socket.socket(socket.AF_INET if ip.version == 4 else socket.AF_INET6) as probe:
            probe.bind((str(ip), 0))


def test_an_unusable_host_name_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "my funny machine")
    assert "localhost" in local_addresses.local_names().dns
    assert not any(" " in name for name in local_addresses.local_names().dns)


def test_a_resolver_that_never_answers_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def stuck(*_args: object, **_options: object) -> list[object]:
        released.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    monkeypatch.setattr(local_addresses, "_RESOLVER_PATIENCE_S", 0.01)
    try:
        assert "localhost" in local_addresses.local_names().dns
    finally:
        released.set()


def test_a_public_address_of_the_resolver_is_named_but_not_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_DGRAM, 0, "vm.example.org", ("8.8.8.8", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answer)
    names = local_addresses.local_names()
    assert ipaddress.ip_address("8.8.8.8") in names.ips
    assert "vm.example.org" in names.dns
    assert ipaddress.ip_address("8.8.8.8") not in local_addresses.private_addresses()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the Linux kernel's table")
def test_temporary_addresses_are_skipped(tmp_path: Path) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(
        "fd000000000000000000000000000002 04 40 00 80     eth0\nfd000000000000000000000000000003 04 40 00 01     eth0\n"
    )
    assert list(local_addresses._linux_ipv6(table)) == [ipaddress.ip_address("fd00::2")]
    assert list(local_addresses._linux_ipv6(tmp_path / "absent")) == []
