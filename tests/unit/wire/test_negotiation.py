"""The table of protocols: ALPN first, then the first bytes, and nothing of an unknown peer is repeated."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode, RemoteProtocolError
from securechat.model import ALPN
from securechat.wire.native import NativeServerCodec
from securechat.wire.negotiation import CODECS, FIRST_BYTES, CodecTable, SpokenProtocol, begins_with


class Irc(NativeServerCodec):
    pass


class Http(NativeServerCodec):
    pass


TABLE = CodecTable(
    [
        SpokenProtocol(ALPN, NativeServerCodec),
        SpokenProtocol("http/1.1", Http, begins_with(b"GET ", b"POST ")),
        SpokenProtocol("irc", Irc, begins_with(b"NICK ", b"USER ", b"GLOB ")),
    ]
)


def test_alpn_chooses_the_codec() -> None:
    assert CODECS.alpn_offers == (ALPN,)
    assert type(CODECS.choose(ALPN)) is NativeServerCodec
    assert CODECS.choose(ALPN) is not CODECS.choose(ALPN)
    assert TABLE.alpn_offers == (ALPN, "http/1.1", "irc")
    assert type(TABLE.choose("irc", b"GET / HTTP/1.1")) is Irc, "what ALPN selected counts"


@pytest.mark.parametrize("alpn", [None, "h2"])
def test_without_tests_of_first_bytes_alpn_is_required(alpn: str | None) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        CODECS.choose(alpn)
    assert caught.value.code is ErrorCode.BAD_FRAME
    assert "securechat/1" in caught.value.detail


@pytest.mark.parametrize(("first", "codec"), [(b"GET / HTTP/1.1\r\n", Http), (b"nick ana\r\n", Irc), (b"USER ", Irc)])
def test_the_first_bytes_decide_where_alpn_did_not(first: bytes, codec: type) -> None:
    assert type(TABLE.choose(None, first)) is codec


def test_first_bytes_may_come_one_by_one() -> None:
    assert [TABLE.choose(None, b"GET "[:length]) for length in range(4)] == [None] * 4
    assert TABLE.choose(None, b"NIC") is None


@pytest.mark.parametrize("first", [b"\x00\x00\x00\x05{", b"GETAWAY", b"\x16\x03\x01", b"x"])
def test_unknown_first_bytes_are_turned_away_without_an_echo(first: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        TABLE.choose(None, first)
    assert "GETAWAY" not in caught.value.detail


def test_a_test_that_never_decides_is_given_up() -> None:
    table = CodecTable([SpokenProtocol("slow", Irc, lambda _: None)])
    assert table.choose(None, b"x" * (FIRST_BYTES - 1)) is None
    with pytest.raises(RemoteProtocolError):
        table.choose(None, b"x" * FIRST_BYTES)


def test_native_bytes_without_alpn_are_no_reason_to_speak_native() -> None:
    with pytest.raises(RemoteProtocolError):
        TABLE.choose(None, b'\x00\x00\x00\x0f{"t":"hello"}')
