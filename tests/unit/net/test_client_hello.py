"""How much of a ClientHello is missing: never more than there is, and the same in whatever pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.net.client_hello import MOST_RECORD_BYTES, ClientHelloProgress


def missing_bytes(data: bytes) -> int:
    """What a single look says."""
    return ClientHelloProgress().missing_bytes(data)


def in_records(message: bytes, body_bytes: int) -> bytes:
    """A handshake message in records of that size."""
    pieces = [message[at : at + body_bytes] for at in range(0, len(message), body_bytes)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)


MESSAGE = b"\x01\x00\x01\x00" + bytes(256)


@pytest.mark.parametrize("body_bytes", [1, 2, 3, 4, 5, 100, 259, 260, 300])
def test_a_hello_misses_bytes_until_its_last_one_and_never_more_than_there_are(body_bytes: int) -> None:
    data = in_records(MESSAGE, body_bytes)
    for size in range(1, len(data)):
        assert 0 < missing_bytes(data[:size]) <= len(data) - size
    assert missing_bytes(data) == 0
    assert missing_bytes(data + b"more") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"GET / HTTP/1.1",
        b"\x15\x03\x01\x00\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x04\x02",
        b"\x16\x03\x01\x00\x04\x01\x00\x40\x00",
        b"\x16\x03\x01\x00\x01\x01\x17",
    ],
)
def test_what_is_no_client_hello_is_left_to_openssl(data: bytes) -> None:
    assert missing_bytes(data) == 0


@given(st.binary(min_size=1, max_size=64).map(lambda tail: b"\x16\x03\x01" + tail) | st.binary(min_size=1))
def test_whatever_comes_it_misses_little_and_never_less_than_nothing(data: bytes) -> None:
    assert 0 <= missing_bytes(data) <= 2**14 + 10


@given(
    st.one_of(
        st.binary(min_size=1, max_size=64).map(lambda tail: b"\x16\x03\x01" + tail),
        st.lists(st.binary(min_size=1, max_size=9), max_size=9).map(
            lambda bodies: b"".join(b"\x16\x03\x01" + len(body).to_bytes(2) + body for body in bodies)
        ),
        st.integers(1, 300).map(lambda body_bytes: in_records(MESSAGE, body_bytes)),
    ),
    st.lists(st.integers(1, 64), max_size=64),
)
def test_looks_on_the_way_change_nothing(data: bytes, steps: list[int]) -> None:
    progress, size = ClientHelloProgress(), 0
    for step in steps:
        size = min(size + step, len(data))
        assert progress.missing_bytes(data[:size]) == missing_bytes(data[:size])


class _Measured(bytes):
    """Bytes that count how many of them were read."""

    read = 0

    def __getitem__(self, where: slice) -> bytes:  # type: ignore[override]
        piece = bytes.__getitem__(self, where)
        _Measured.read += len(piece)
        return piece


def test_records_of_one_byte_are_read_once() -> None:
    data = in_records(b"\x01\x00\x13\x88" + bytes(5_000), 1)
    progress, _Measured.read = ClientHelloProgress(), 0
    for size in range(1, len(data), 6):
        assert progress.missing_bytes(_Measured(data[:size])) > 0
    assert _Measured.read < 3 * len(data)


def test_a_message_longer_than_any_client_hello_is_left_to_openssl() -> None:
    assert missing_bytes(b"\x16\x03\x01\x00\x04\x01" + MOST_RECORD_BYTES.to_bytes(3)) == 0
