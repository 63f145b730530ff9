"""The key of a delivery, from the headers by which senders tell a repetition from a new event.

The log stores a message with a key once (protocol.md, section 7), so a redelivery is one message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

MAX_KEY_CHARS = 128
"""Of `securechat.model.base.MessageKey`."""
KEY_HEADERS = (b"idempotency-key", b"webhook-id", b"x-gitea-delivery", b"x-github-delivery")
"""In the order in which they are looked for: draft-ietf-httpapi-idempotency-key-header-07, Standard Webhooks, Gitea and
Forgejo, GitHub. Gitea sends the last two with the same value."""

_VISIBLE = re.compile(rb"[!-~]+")


def delivery_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key of a delivery, with the header's name before the value, so that two kinds never meet.

    Args:
        headers: names in lower case, and values, as `securechat.wire.http.Request` has them.

    Returns:
        At most 128 visible ASCII characters: a value that is longer or has others stands there as its SHA-256, behind a
        name of its own. None where no header has a value.
    """
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in KEY_HEADERS and (stripped := value.strip()):
            values.setdefault(name, []).append(stripped)
    for name in KEY_HEADERS:
        if name in values:
            return _key(name.decode(), b", ".join(values[name]))  # as one list (RFC 9110, section 5.3)
    return None


def _key(name: str, value: bytes) -> str:
    if _VISIBLE.fullmatch(value) and len(name) + 1 + len(value) <= MAX_KEY_CHARS:
        return f"{name}:{value.decode()}"
    return f"{name}.sha256:{hashlib.sha256(value).hexdigest()}"
