"""What addresses count under."""

from __future__ import annotations

import pytest

from securechat.client_address import is_loopback, origin_of


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("127.8.9.1", "127.8.9.1"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_ipv6_subscriber_is_one_origin(address: str, origin: str) -> None:
    assert origin_of(address) == origin
    assert is_loopback(origin) is (origin in {"::1", "127.8.9.1"})
