"""Which codec a new connection speaks: ALPN decides (RFC 7301); this is the seam for the codecs to come.

For now ``securechat/1`` is required. Python cannot tell "offered nothing" from "offered only what we do not know":
both arrive here as None and are turned away with a sentence that a native client can read. When ``http/1.1`` and
``irc`` join on this port, they become further rows of the table, and the first bytes decide where ALPN did not.
"""

from __future__ import annotations

from collections.abc import Callable

from securechat.model import ALPN
from securechat.wire.codec import ServerCodec
from securechat.wire.native import NativeServerCodec

_CODECS: dict[str, Callable[[], ServerCodec]] = {ALPN: NativeServerCodec}

ALPN_OFFERS: tuple[str, ...] = tuple(_CODECS)
"""What the server selects from, most preferred first."""


def codec_for(alpn: str | None) -> ServerCodec | None:
    """Return a fresh codec for the protocol that ALPN selected, or None when the connection must be closed."""
    make = _CODECS.get(alpn) if alpn is not None else None
    return make() if make is not None else None
