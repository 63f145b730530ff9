"""What a ClientHello offers by ALPN: as OpenSSL understands it, in whatever records it comes, and nothing else."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.net.client_hello import (
    MOST_EXTENSIONS,
    MOST_PROTOCOLS,
    MOST_RECORD_BYTES,
    ClientHelloProgress,
    offered_protocols,
)

from .test_client_hello import in_records

GREASE = 0x5A5A  # RFC 8701
BROWSERS = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "hellos").glob("*.bin")}
"""What browsers send first: one record, with GREASE, a post-quantum share and encrypted client hello."""


def openssl_hello(*protocols: str, server_hostname: str | None = "localhost") -> bytes:
    """The records that OpenSSL sends first."""
    context = ssl.create_default_context()
    context.check_hostname = server_hostname is not None
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_hostname)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def vector(length_bytes: int, content: bytes) -> bytes:
    """A vector of the presentation language (RFC 8446, section 3.4)."""
    return len(content).to_bytes(length_bytes) + content


def extension(kind: int, content: bytes = b"") -> bytes:
    return kind.to_bytes(2) + vector(2, content)


def alpn(*names: bytes) -> bytes:
    return extension(16, vector(2, b"".join(vector(1, name) for name in names)))


def message(*extensions: bytes, session_id: bytes = bytes(32), suites: int = 16) -> bytes:
    """A ClientHello of these extensions, none of which has to make sense."""
    body = (
        b"\x03\x03"
        + bytes(32)
        + vector(1, session_id)
        + vector(2, bytes(2 * suites))
        + vector(1, b"\x00")
        + vector(2, b"".join(extensions))
    )
    return b"\x01" + vector(3, body)


def offered(hello: bytes) -> tuple[str, ...] | None:
    return offered_protocols(in_records(hello, MOST_RECORD_BYTES))


@pytest.mark.parametrize("protocols", [(), ("http/1.1",), ("h2", "http/1.1"), ("securechat/1",)])
@pytest.mark.parametrize("server_hostname", [None, "localhost", "a" * 60 + ".example"])
def test_it_is_what_openssl_offers(protocols: tuple[str, ...], server_hostname: str | None) -> None:
    hello = openssl_hello(*protocols, server_hostname=server_hostname)
    assert offered_protocols(hello) == (protocols or None)
    assert offered_protocols(hello + b"early data") == (protocols or None)


@pytest.mark.parametrize("browser", BROWSERS)
def test_browsers_offer_http(browser: str) -> None:
    hello = BROWSERS[browser]
    assert len(hello) > 1_460, "more than a segment"
    assert offered_protocols(hello) == ("h2", "http/1.1")
    assert ClientHelloProgress().missing_bytes(hello) == 0
    assert offered_protocols(hello[:-1]) is None
    for body_bytes in (100, 1_000, 1_455):
        assert offered_protocols(in_records(hello[5:], body_bytes)) == ("h2", "http/1.1")


@pytest.mark.parametrize("body_bytes", [16, 17, 100, 259, 516, 517])
def test_records_make_no_difference(body_bytes: int) -> None:
    assert offered_protocols(in_records(openssl_hello("h2", "http/1.1")[5:], body_bytes)) == ("h2", "http/1.1")


def test_a_hello_in_a_heap_of_records_offers_nothing() -> None:
    """A bound on the work: nothing that serves people cuts its hello into single bytes."""
    hello = message(alpn(b"http/1.1"))
    assert offered_protocols(in_records(hello, -(-len(hello) // MOST_EXTENSIONS))) == ("http/1.1",)
    assert offered_protocols(in_records(hello, 1)) is None


def test_no_cut_of_a_hello_offers_anything() -> None:
    hello = openssl_hello("http/1.1")
    assert {offered_protocols(hello[:size]) for size in range(len(hello))} == {None}


def test_a_complete_hello_is_the_same_to_both_readers() -> None:
    data = in_records(message(alpn(b"http/1.1")), 100)
    for size in range(1, len(data) + 1):
        assert (offered_protocols(data[:size]) is None) == (ClientHelloProgress().missing_bytes(data[:size]) > 0)


def test_grease_is_a_name_like_others() -> None:
    hello = message(extension(GREASE), alpn(b"\x5a\x5a", b"h2", b"http/1.1"), extension(GREASE, b"\x00"))
    assert offered(hello) == ("ZZ", "h2", "http/1.1")


def test_names_of_other_bytes_are_never_taken_for_another() -> None:
    assert offered(message(alpn(b"http/1.1\x00", b"\xff\xfe"))) == ("http/1.1\x00", "\xff\xfe")


def test_the_first_of_two_extensions_counts_and_openssl_ends_the_handshake() -> None:
    """As OpenSSL sees it (RFC 8446, section 4.2): nothing is served by either meaning."""
    assert offered(message(alpn(b"http/1.1"), alpn(b"securechat/1"))) == ("http/1.1",)


@pytest.mark.parametrize(
    "broken",
    [
        extension(16),
        extension(16, b"\x00"),
        extension(16, vector(2, b"")),
        extension(16, vector(2, vector(1, b""))),
        extension(16, vector(2, vector(1, b"h2") + vector(1, b""))),
        extension(16, vector(2, b"\x09http/1.1")),
        extension(16, vector(2, vector(1, b"http/1.1")) + b"\x00"),
        extension(16, b"\x00\xff" + vector(1, b"http/1.1")),
        b"\x00\x10\xff\xff" + vector(2, vector(1, b"http/1.1")),
        b"\x00\x10\x00",
    ],
)
def test_a_broken_list_offers_nothing(broken: bytes) -> None:
    assert offered(message(broken)) is None


def test_a_hello_as_large_as_can_be_is_read() -> None:
    spare = MOST_RECORD_BYTES - len(message(extension(GREASE), alpn(b"http/1.1")))
    hello = message(extension(GREASE, bytes(spare)), alpn(b"http/1.1"))
    assert len(hello) == MOST_RECORD_BYTES
    assert offered(hello) == ("http/1.1",)


def test_thousands_of_names_and_extensions_cost_little() -> None:
    assert offered(message(alpn(*[b"x"] * 5_000, b"http/1.1"))) == ("x",) * MOST_PROTOCOLS
    assert offered(message(*[extension(GREASE)] * 2_000, alpn(b"http/1.1"))) is None


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda body: in_records(b"\x01" + vector(3, body), 64)))
def test_whatever_comes_is_no_error(data: bytes) -> None:
    offered_protocols(data)


HELLOS = [
    *BROWSERS.values(),
    openssl_hello("h2", "http/1.1"),
    in_records(message(alpn(b"http/1.1"), extension(GREASE)), 40),
]


@given(
    st.sampled_from(HELLOS),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 2_000),
    st.binary(max_size=8),
)
def test_a_hello_with_changed_bytes_is_no_error(
    hello: bytes, changes: list[tuple[int, int]], cut: int, inserted: bytes
) -> None:
    changed = bytearray(hello)
    for at, value in changes:
        changed[at % len(changed)] = value
    changed[cut % len(changed) : cut % len(changed)] = inserted
    for names in (offered_protocols(bytes(changed)), offered_protocols(bytes(changed[:cut]))):
        assert names is None or (0 < len(names) <= MOST_PROTOCOLS and all(names))


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=MOST_PROTOCOLS), st.integers(30, 400), st.integers(0, 32))
def test_names_come_back_as_they_went(names: list[bytes], body_bytes: int, id_bytes: int) -> None:
    hello = message(extension(0, b"\x00"), alpn(*names), session_id=bytes(id_bytes))
    assert offered_protocols(in_records(hello, body_bytes)) == (tuple(n.decode("latin-1") for n in names) or None)
