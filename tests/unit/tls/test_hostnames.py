from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.tls.hostnames import Names, parse_name, parse_names


@pytest.mark.parametrize(
    ("text", "dns"),
    [
        ("Chat.Example.ORG.", "chat.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("DESKTOP_7", "desktop_7"),
        (" localhost ", "localhost"),
    ],
)
def test_dns_names(text: str, dns: str) -> None:
    assert parse_name(text) == Names(dns=(dns,))


@pytest.mark.parametrize("text", ["192.168.1.7", "fd00::7", "[fd00::7]"])
def test_addresses(text: str) -> None:
    assert parse_name(text) == Names(ips=(ipaddress.ip_address(text.strip("[]")),))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("*.example.org", "wildcards are not issued"),
        ("", "is no DNS name"),
        ("a..b", "is no DNS name"),
        ("-a", "is no DNS name"),
        ("a-", "is no DNS name"),
        ("a b", "is no DNS name"),
        ("a\n", "a"),
        ("x" * 64, "is no DNS name"),
        (".".join(["x" * 60] * 5), "is no DNS name"),
        ("192.168.1.256", "looks like an IP address but is none"),
        ("192.168.1.7/24", "is no DNS name"),
        ("fe80::1%eth0", "cannot carry the scope"),
        ("0.0.0.0", "not the address of one machine"),
        ("ff02::1", "not the address of one machine"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    if text == "a\n":  # white space around is forgiven, and must not survive
        assert parse_name(text).dns == ("a",)
        return
    with pytest.raises(ValueError, match=reason):
        parse_name(text)


@given(st.text(max_size=80))
def test_any_text_gives_one_clean_name_or_a_value_error(text: str) -> None:
    try:
        names = parse_name(text)
    except ValueError:
        return
    assert len(names) == 1
    assert all(name.isascii() and name.isprintable() and name == name.lower() for name in names.dns)
    assert parse_name(str(names)) == names


def test_union_keeps_order_and_difference_tells_what_is_lacking() -> None:
    ours, theirs = parse_names(["b", "a", "10.0.0.1"]), parse_names(["a", "c", "10.0.0.1", "10.0.0.2"])
    assert (ours | theirs) == parse_names(["b", "a", "c", "10.0.0.1", "10.0.0.2"])
    assert (theirs - ours) == parse_names(["c", "10.0.0.2"])
    assert not (ours - ours)
    assert str(theirs - ours) == "c, 10.0.0.2"
