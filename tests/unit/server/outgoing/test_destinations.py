from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.server.outgoing.destinations import (
    MOST_URL_CHARS,
    Destination,
    DestinationInvalid,
    parse_destination,
)
from securechat.server.outgoing.networks import NetworkPolicy

STRICT = NetworkPolicy()
LAN = NetworkPolicy((ip_network("192.168.1.0/24"), ip_network("fd00:1::/64")))


@pytest.mark.parametrize(
    ("url", "wanted", "authority"),
    [
        ("https://ci.example.org/chat", Destination(True, "ci.example.org", 443, "/chat"), "ci.example.org"),
        ("  https://ci.example.org/chat\n", Destination(True, "ci.example.org", 443, "/chat"), "ci.example.org"),
        ("HTTPS://CI.Example.ORG.:443", Destination(True, "ci.example.org", 443, "/"), "ci.example.org"),
        ("https://ci.example.org:/", Destination(True, "ci.example.org", 443, "/"), "ci.example.org"),
        ("https://ci:8443?k=v&x=%C3%A9", Destination(True, "ci", 8443, "/?k=v&x=%C3%A9"), "ci:8443"),
        ("https://ci//a/../b;c=1", Destination(True, "ci", 443, "//a/../b;c=1"), "ci"),
        ("https://bücher.example/", Destination(True, "xn--bcher-kva.example", 443, "/"), "xn--bcher-kva.example"),
        ("https://9.9.9.9/", Destination(True, "9.9.9.9", 443, "/"), "9.9.9.9"),
        ("https://[2620:FE::fe]:65535/", Destination(True, "2620:fe::fe", 65535, "/"), "[2620:fe::fe]:65535"),
        ("https://localhost/", Destination(True, "localhost", 443, "/"), "localhost"),
        ("https://0xg/", Destination(True, "0xg", 443, "/"), "0xg"),
        ("https://0x7f.example/", Destination(True, "0x7f.example", 443, "/"), "0x7f.example"),
        ("https://x7f/", Destination(True, "x7f", 443, "/"), "x7f"),
    ],
)
def test_a_url_is_parsed(url: str, wanted: Destination, authority: str) -> None:
    made = parse_destination(url, STRICT)
    assert made == wanted
    assert made.authority == authority
    assert parse_destination(made.url, STRICT) == made


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "begins with https://"),
        ("ci.example.org/chat", "begins with https://"),
        ("ftp://ci.example.org/", "begins with https://"),
        ("https:/ci.example.org/", "begins with https://"),
        ("javascript://ci/", "begins with https://"),
        ("http://ci.example.org/", "webhook_networks"),
        ("http://9.9.9.9/", "webhook_networks"),
        ("https://ana:pw@ci.example.org/", "user name or password"),
        ("https://ci.example.org@9.9.9.9/", "user name or password"),
        ("https://@ci.example.org/", "user name or password"),
        ("https://ci.example.org/#x", "must not have a #"),
        ("https://ci.example.org#", "must not have a #"),
        ("https://ci.example.org/a b", "%XX"),
        ("https://ci.example.org/é", "%XX"),
        ("https://ci.example.org/a\\b", "%XX"),
        ("https://ci.example.org/%zz", "%XX"),
        ("https://ci.example.org/a\r\nHost: x", "%XX"),
        ("https://ci.example.org/a\0", "%XX"),
        ("https:///chat", "needs the name"),
        ("https://:443/", "needs the name"),
        ("https://ci\\@example.org/", "user name or password"),
        ("https://ci\\.example.org/", "needs the name"),
        ("https://ci .example.org/", "needs the name"),
        ("https:// ci.example.org/", "needs the name"),
        ("https://ci%2eexample.org/", "needs the name"),
        ("https://*.example.org/", "needs the name"),
        ("https://2620:fe::fe/", "needs the name"),
        ("https://[2620:fe::fe/", "needs the name"),
        ("https://[::1%25lo]/", "zone"),
        ("https://[ci.example.org]/", "needs the name"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://0177.0.0.1/", "four decimal numbers"),
        ("https://127.0.0.01/", "four decimal numbers"),
        ("https://256.0.0.1/", "four decimal numbers"),
        ("https://9.9.9.9./", "four decimal numbers"),
        ("https://0x7f000001/", "four decimal numbers"),
        ("https://0X7F000001:8443/", "four decimal numbers"),
        ("https://0x7f.0.0.1/", "four decimal numbers"),
        ("https://127.0.0.0x1/", "four decimal numbers"),
        ("https://ci.example.0x7f./", "four decimal numbers"),
        ("https://0x/", "four decimal numbers"),
        ("https://０ｘ7f000001/", "four decimal numbers"),
        ("https://127。0。0。1/", "needs the name"),
        ("https://" + "a." * 127 + "org/", "needs the name"),
        ("https://ci.example.org:0/", "number from 1 to 65535"),
        ("https://ci.example.org:65536/", "number from 1 to 65535"),
        ("https://ci.example.org:-1/", "number from 1 to 65535"),
        ("https://ci.example.org:٣/", "number from 1 to 65535"),
        ("https://ci.example.org:443:443/", "needs the name"),
        ("https://ci.example.org/" + "a" * MOST_URL_CHARS, "at most 2000 characters"),
        ("https://127.0.0.1/", r"127\.0\.0\.1 is none \(loopback\)"),
        ("https://192.168.1.5/", r"private.*webhook_networks"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://[64:ff9b::7f00:1]/", "loopback"),
        ("https://[fe80::1]/", "link-local"),
        ("https://0.0.0.0/", r"0\.0\.0\.0 is no address that can be reached"),
        ("https://0.1.2.3/", "no address that can be reached"),
        ("https://224.0.0.1/", "no address that can be reached"),
        ("https://[::]/", ":: is no address that can be reached"),
        ("https://[ff02::1]/", "no address that can be reached"),
        ("https://[::ffff:0.0.0.0]/", "no address that can be reached"),
        ("https://255.255.255.255/", "reserved"),
    ],
)
def test_what_no_delivery_can_go_to_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(DestinationInvalid, match=why):
        parse_destination(url, STRICT)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.5/",
        "http://192.168.1.5:8000/",
        "http://[fd00:1::5]/",
        "http://ci.lan/",
        "https://192.168.1.5/",
    ],
)
def test_a_named_network_is_allowed_and_may_be_plain(url: str) -> None:
    assert parse_destination(url, LAN).url == (url if url.endswith("/") else f"{url}/")


@pytest.mark.parametrize("url", ["https://0.0.0.0/", "https://[::]/", "http://224.0.0.1/", "https://[ff02::1]/"])
def test_an_address_that_no_machine_has_is_refused_although_it_is_named(url: str) -> None:
    with pytest.raises(DestinationInvalid, match="no address that can be reached"):
        parse_destination(url, NetworkPolicy((ip_network("0.0.0.0/0"), ip_network("::/0"))))


@pytest.mark.parametrize("url", ["http://9.9.9.9/", "http://192.168.2.5/", "https://192.168.2.5/", "http://127.0.0.1/"])
def test_another_network_is_not(url: str) -> None:
    with pytest.raises(DestinationInvalid, match="webhook_networks"):
        parse_destination(url, LAN)


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example.org/SECRET",
        "https://ci.example.org/?k=SECRET",
        "https://ci.example.org/SECRET é",
        "https://10.0.0.1/SECRET",
        "http://10.0.0.1/SECRET",
        "https://a:SECRET@ci.example.org/",
        "https://ci.example.org:99999/SECRET",
        "https://ci.example.org/#SECRET",
        "https://ci_.-/SECRET",
    ],
)
def test_neither_a_repr_nor_a_reason_has_path_or_query(url: str) -> None:
    try:
        shown = repr(parse_destination(url, STRICT)) + parse_destination(url, STRICT).origin
    except DestinationInvalid as refused:
        shown = repr(refused)
    assert "SECRET" not in shown
    assert shown


HOSTILE = st.text(st.sampled_from("htps:/@[]#?%.0189afx \\\t\r\n\0é。٣-_*&=;+"), max_size=40)


@given(st.sampled_from(["https://", "http://", "HTTPS:", ""]), HOSTILE, st.sampled_from([STRICT, LAN]))
def test_every_text_is_parsed_or_refused_and_what_is_parsed_is_plain(
    scheme: str, rest: str, policy: NetworkPolicy
) -> None:
    try:
        made = parse_destination(scheme + rest, policy)
    except DestinationInvalid:
        return
    assert made.url.isascii()
    assert made.url.isprintable()
    assert not set(made.url) & set(" \\#@") - {"@"}
    assert "@" not in made.authority
    assert 1 <= made.port <= 65_535
    assert parse_destination(made.url, policy) == made, "it reads the same the second time"
    if made.address is None:
        with pytest.raises(OSError, match="illegal"):  # else the resolver would take it for an address
            socket.inet_aton(made.host)
