"""The facts that the page is told of its server: the type ServerFacts of `securechat/web/core/types.js`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct


class ServerFacts(Struct, frozen=True):
    """The facts.

    Attributes:
        version: of the program.
        ca: fingerprint of the CA, 64 hexadecimal digits; None for a certificate that comes without its CA.
        limited: whether the CA has name constraints.
        access: "open" or "members".
        files: names to addresses, of files that the page's modules fetch.
    """

    version: str
    ca: str | None
    limited: bool
    access: str
    files: Mapping[str, str] = {}


def facts_block(facts: ServerFacts) -> bytes:
    """Return the facts as JSON that can stand inside an element ``script``.

    An HTML parser ends it at ``</script`` and changes its rules at ``<!--`` (WHATWG HTML, 13.2.5.4): no ``<`` is left.
    """
    return msgspec.json.encode(facts).replace(b"<", b"\\u003c")
