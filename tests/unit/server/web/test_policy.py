"""The rules that browsers are told."""

from __future__ import annotations

import pytest

from securechat.limits import Limits
from securechat.net.plain_answers import MOST_ANSWER_BYTES
from securechat.server.web.policy import SECURITY_HEADERS, Hosts
from securechat.server.web.rates import MOST_WAIT_S, RequestRates
from securechat.server.web.server import redirect
from securechat.tls.contexts import WEB_ALPN
from securechat.tls.hostnames import Names, parse_names
from securechat.wire.http import HTTP_ALPN, Authority, HttpError, Request


def test_both_halves_mean_the_same_protocol() -> None:
    assert WEB_ALPN == HTTP_ALPN


def request_to(host: str) -> Request:
    return Request("GET", "/", Authority(host, 443), None, ())


def test_the_policy_is_the_one_that_was_decided() -> None:
    assert dict(SECURITY_HEADERS)["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker"
    )


@pytest.mark.parametrize("host", ["a.example", "b.example", "192.0.2.1", "fd00::1", "x.c.example", "xn--4ca.example"])
def test_hosts_are_those_of_the_certificate_and_of_the_setting(host: str) -> None:
    names = Names(("a.example", "*.c.example"), parse_names(["192.0.2.1"]).ips)
    Hosts(names, ("b.example", "fd00:0::1", "Ä.example")).expect_ours(request_to(host))


@pytest.mark.parametrize("host", ["b.example", "a", "x.a.example", "y.x.c.example", "192.0.2.2", "localhost"])
def test_other_hosts_are_not(host: str) -> None:
    with pytest.raises(HttpError) as caught:
        Hosts(Names(("a.example", "*.c.example"))).expect_ours(request_to(host))
    assert caught.value.status == 421


@pytest.mark.parametrize(("host", "address"), [("a.example", "a.example"), ("fd00::1", "[fd00::1]")])
def test_without_tls_there_is_one_answer(host: str, address: str) -> None:
    answer = redirect(host, 8443)
    assert answer.startswith(b"HTTP/1.1 307 Temporary Redirect\r\n")
    assert f"\r\nLocation: https://{address}:8443/\r\n".encode() in answer
    assert b"\r\nConnection: close\r\n" in answer
    assert b"Strict-Transport-Security" not in answer
    for header in ("X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "Cache-Control: no-store"):
        assert f"\r\n{header}\r\n".encode() in answer
    assert len(redirect("a" * 253, 65_535)) <= MOST_ANSWER_BYTES


def test_loopback_has_no_rate_and_a_private_address_a_larger_one() -> None:
    limits = Limits()
    rates = RequestRates(limits)
    assert all(rates.take("127.0.0.1", 1, 0.0) == 0 for _ in range(10_000))
    assert sum(rates.take("192.168.1.7", 1, 0.0) == 0 for _ in range(2_000)) == limits.web_request_burst * 16
    assert sum(rates.take("9.9.9.9", 1, 0.0) == 0 for _ in range(2_000)) == limits.web_request_burst


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_behind_a_proxy_loopback_is_a_private_address(address: str) -> None:
    limits = Limits()
    rates = RequestRates(limits, behind_proxy=True)
    assert sum(rates.take(address, 1, 0.0) == 0 for _ in range(2_000)) == limits.web_request_burst * 16


def test_a_request_that_is_refused_costs_nothing() -> None:
    rates = RequestRates(Limits())
    waits = [rates.take("9.9.9.9", 1, 0.0) for _ in range(1_000)]
    assert max(waits) < MOST_WAIT_S + 0.1
    assert rates.take("9.9.9.9", 1, 9.0) == 0


def test_addresses_that_are_quiet_again_are_forgotten() -> None:
    rates = RequestRates(Limits())
    for number in range(10_000):
        rates.take(f"9.{number // 256}.{number % 256}.1", 1, float(number))
    assert len(rates._buckets) < 2_000
