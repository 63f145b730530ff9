"""A redelivery has the key of the delivery, and no other event has it."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.model.base import MessageKey
from securechat.server.hooks.delivery_key import KEY_HEADERS, delivery_key

UUID = b"7d7d4b0c-6a0b-4d51-9a5a-0c8f6a3f1d11"


@pytest.mark.parametrize("name", KEY_HEADERS)
def test_each_header_gives_a_key_of_its_own(name: bytes) -> None:
    assert delivery_key([(b"host", b"a"), (name, UUID)]) == f"{name.decode()}:{UUID.decode()}"


def test_the_first_kind_counts_wherever_it_stands() -> None:
    headers = [(name, name + b"1") for name in KEY_HEADERS]
    assert delivery_key(headers) == delivery_key(headers[::-1]) == "idempotency-key:idempotency-key1"
    assert delivery_key(headers[2:]) == "x-gitea-delivery:x-gitea-delivery1"


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"a")], [(b"webhook-id", b"")], [(b"webhook-id", b" \t")]])
def test_without_a_value_there_is_no_key(headers: list[tuple[bytes, bytes]]) -> None:
    assert delivery_key(headers) is None


def test_an_empty_header_leaves_the_next_one() -> None:
    assert delivery_key([(b"idempotency-key", b""), (b"webhook-id", b"1")]) == "webhook-id:1"


@pytest.mark.parametrize("value", [b"a" * 500, b"two words", "é".encode(), b"\xff"])
def test_what_is_no_key_becomes_its_hash(value: bytes) -> None:
    assert delivery_key([(b"webhook-id", value)]) == f"webhook-id.sha256:{hashlib.sha256(value).hexdigest()}"


def test_a_hash_is_not_the_key_of_the_value_that_looks_like_it() -> None:
    value = b"a" * 500
    hashed = hashlib.sha256(value).hexdigest().encode()
    assert delivery_key([(b"webhook-id", value)]) != delivery_key([(b"webhook-id", hashed)])


def test_the_longest_value_that_stands_for_itself() -> None:
    most = 128 - len("webhook-id:")
    assert delivery_key([(b"webhook-id", b"a" * most)]) == "webhook-id:" + "a" * most
    key = delivery_key([(b"webhook-id", b"a" * (most + 1))])
    assert key is not None
    assert "sha256" in key


def test_two_headers_of_one_name_are_one_value() -> None:
    twice = delivery_key([(b"webhook-id", b"a"), (b"webhook-id", b"b")])
    assert twice == delivery_key([(b"webhook-id", b"a, b")]) != delivery_key([(b"webhook-id", b"a")])


HEADERS = st.lists(st.tuples(st.sampled_from((*KEY_HEADERS, b"host")), st.binary(max_size=200)), max_size=5)


@given(HEADERS)
def test_a_key_is_one_that_the_hub_takes(headers: list[tuple[bytes, bytes]]) -> None:
    if (key := delivery_key(headers)) is not None:
        assert msgspec.convert(key, MessageKey) == key


@given(st.binary(min_size=1, max_size=200), st.binary(min_size=1, max_size=200))
def test_two_values_have_two_keys(one: bytes, other: bytes) -> None:
    first, second = (delivery_key([(b"idempotency-key", value)]) for value in (one, other))
    assert (first == second) == (one.strip() == other.strip())
