from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from securechat.tls.server_certificate import certificate_in


def message(der: bytes, context: bytes = b"") -> bytes:
    entry = len(der).to_bytes(3, "big") + der + b"\0\0"
    body = bytes([len(context)]) + context + len(entry).to_bytes(3, "big") + entry
    return b"\x0b" + len(body).to_bytes(3, "big") + body


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=255))
def test_finds_the_first_certificate(der: bytes, context: bytes) -> None:
    assert certificate_in(11, message(der, context)) == der


@given(st.binary(max_size=60), st.integers(0, 255))
def test_anything_else_is_none_and_never_an_error(data: bytes, kind: int) -> None:
    found = certificate_in(kind, data)
    assert found is None or (kind == 11 and found in data)


@given(st.binary(min_size=1, max_size=100), st.integers(1, 100))
def test_a_cut_message_is_no_certificate(der: bytes, cut: int) -> None:
    whole = message(der)
    assert certificate_in(11, whole[: len(whole) - 2 - min(cut, len(der))]) is None
