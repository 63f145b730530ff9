from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from securechat.tls.server_certificate import certificates_in


def message(*ders: bytes, context: bytes = b"") -> bytes:
    entries = b"".join(len(der).to_bytes(3, "big") + der + b"\0\0" for der in ders)
    body = bytes([len(context)]) + context + len(entries).to_bytes(3, "big") + entries
    return b"\x0b" + len(body).to_bytes(3, "big") + body


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=12), st.binary(max_size=255))
def test_finds_the_first_ten_certificates(ders: list[bytes], context: bytes) -> None:
    assert certificates_in(11, message(*ders, context=context)) == tuple(ders[:10])


@given(st.binary(max_size=60), st.integers(0, 255))
def test_anything_else_is_none_and_never_an_error(data: bytes, kind: int) -> None:
    found = certificates_in(kind, data)
    assert not found or (kind == 11 and all(one in data for one in found))


@given(st.binary(min_size=1, max_size=100), st.integers(1, 100))
def test_a_cut_message_is_no_certificate(der: bytes, cut: int) -> None:
    whole = message(der)
    assert certificates_in(11, whole[: len(whole) - 2 - min(cut, len(der))]) == ()
