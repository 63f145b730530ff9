"""Chooses the codec of a new connection: by ALPN (RFC 7301), and by the first bytes where ALPN selected nothing.

`CodecTable` holds a row for each protocol. Python cannot tell a client that offered nothing by ALPN from one that
offered only unknown protocols: both arrive as None. Of those, only protocols with a test of first bytes are served, so
``securechat/1``, which has none, requires ALPN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from securechat.model import ALPN
from securechat.text.refusals import protocol_error
from securechat.wire.codec import ServerCodec
from securechat.wire.native import NativeServerCodec

FIRST_BYTES = 32
"""Bytes after which a protocol must be known: the longest method of HTTP and the first command of IRC take ten."""


class SpokenProtocol(Struct, frozen=True):
    """A row of the table.

    Attributes:
        alpn: the word of the protocol.
        make: a fresh codec.
        begins: whether a connection that begins with these bytes speaks the protocol; None when more are needed.
            Without the test, the protocol must be selected by ALPN.
    """

    alpn: str
    make: Callable[[], ServerCodec]
    begins: Callable[[bytes], bool | None] | None = None


def begins_with(*words: bytes) -> Callable[[bytes], bool | None]:
    """Return a test of first bytes: one of the words, in upper or lower case (IRC, RFC 2812, knows no difference)."""

    def test(first: bytes) -> bool | None:
        upper = first.upper()
        if upper.startswith(words):
            return True
        return None if any(word.startswith(upper) for word in words) else False

    return test


class CodecTable:
    """The protocols of a port.

    Args:
        rows: most preferred first.

    Attributes:
        alpn_offers: what the server selects from.
    """

    def __init__(self, rows: Sequence[SpokenProtocol]) -> None:
        self._by_alpn = {row.alpn: row for row in rows}
        self._by_bytes = [row for row in rows if row.begins is not None]
        self.alpn_offers = tuple(self._by_alpn)

    def choose(self, alpn: str | None, first: bytes = b"") -> ServerCodec | None:
        """Return a fresh codec, or None when the first bytes must be waited for.

        Args:
            alpn: what ALPN selected.
            first: what has arrived so far.

        Raises:
            RemoteProtocolError: no protocol of the table; the sentence repeats nothing of the peer.
        """
        if alpn is not None and (row := self._by_alpn.get(alpn)) is not None:
            return row.make()
        undecided = False
        if alpn is None:
            for row in self._by_bytes:
                assert row.begins is not None
                verdict = row.begins(first)
                if verdict:
                    return row.make()
                undecided = undecided or verdict is None
        if undecided and len(first) < FIRST_BYTES:
            return None
        raise protocol_error("protocol_unknown")


CODECS = CodecTable([SpokenProtocol(ALPN, NativeServerCodec)])
"""The protocols of this server."""
