"""Signs deliveries as Standard Webhooks 1.0.0 asks, and makes and parses the secrets for it.

A secret is ``whsec_`` and 24 to 64 random bytes in base64. The signature is HMAC-SHA256 over ``id.timestamp.body``, so
the id must not contain a full stop: otherwise two different deliveries could be signed alike. While a secret is being
rotated a delivery carries a signature by each of the two.

Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Signature scheme".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final

from securechat.translation import Sentence

PREFIX: Final = "whsec_"
_ASYMMETRIC_PREFIXES = ("whsk_", "whpk_")
LEAST_BYTES: Final = 24
MOST_BYTES: Final = 64
NEW_BYTES: Final = 32
"""Of a new secret: as many as HMAC-SHA256 gives out (RFC 2104, section 3)."""
MOST_SECRETS: Final = 2
"""Valid at a time: the new one and the one that it replaces."""
MOST_ID_CHARS: Final = 128
_ID = re.compile(r"[!-\-/-~]+")  # visible ASCII without the full stop
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class SecretInvalid(ValueError):
    """A text is no secret of Standard Webhooks. The sentence says why, and repeats nothing of the text."""


class WebhookSecret:
    """A secret that signs deliveries. Its repr shows nothing of it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Take the random bytes.

        Raises:
            SecretInvalid: they are fewer than 24 or more than 64.
        """
        if not LEAST_BYTES <= len(key) <= MOST_BYTES:
            raise SecretInvalid(
                Sentence(
                    "A webhook's secret has {least} to {most} bytes behind {prefix}, and this one has {count}",
                    least=LEAST_BYTES,
                    most=MOST_BYTES,
                    prefix=PREFIX,
                    count=len(key),
                )
            )
        self._key = key

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WebhookSecret) and hmac.compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def revealed(self) -> str:
        """The secret as a receiver is given it: ``whsec_`` and base64."""
        return PREFIX + base64.b64encode(self._key).decode("ascii")

    def signature(self, delivery_id: str, timestamp_s: int, body: bytes) -> str:
        """Return ``v1,`` and the signature of a delivery in base64; arguments as in `signed_headers`."""
        signed = b"%s.%d.%s" % (delivery_id.encode("ascii"), timestamp_s, body)
        return "v1," + base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode("ascii")


def new_secret(token_bytes: Callable[[int], bytes]) -> WebhookSecret:
    """Make a secret.

    Args:
        token_bytes: returns so many random bytes, fit for cryptography.
    """
    return WebhookSecret(token_bytes(NEW_BYTES))


def parse_secret(text: str) -> WebhookSecret:
    """Parse a secret as a person pastes it; spaces around it and missing padding are forgiven.

    Raises:
        SecretInvalid: it has another beginning, is no base64, or has fewer than 24 or more than 64 bytes.
    """
    bare = text.strip()
    if bare.startswith(_ASYMMETRIC_PREFIXES):
        raise SecretInvalid(
            Sentence(
                "This is a key for asymmetric signatures, which are not supported; "
                "a webhook's secret begins with {prefix}",
                prefix=PREFIX,
            )
        )
    if not bare.startswith(PREFIX):
        raise SecretInvalid(Sentence("A webhook's secret begins with {prefix}", prefix=PREFIX))
    encoded = bare.removeprefix(PREFIX)
    if not _BASE64.fullmatch(encoded):
        raise SecretInvalid(
            Sentence("Behind {prefix}, a webhook's secret has letters, digits, + and / alone (base64)", prefix=PREFIX)
        )
    digits = encoded.rstrip("=")
    try:
        key = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        raise SecretInvalid(
            Sentence("The webhook's secret is cut off: its base64 ends in the middle of a byte")
        ) from None
    return WebhookSecret(key)


def signed_headers(delivery_id: str, timestamp_s: int, body: bytes, secrets: Sequence[WebhookSecret]) -> dict[str, str]:
    """Return the three headers of Standard Webhooks for one attempt.

    Args:
        delivery_id: the same for every attempt of one delivery; visible ASCII without a full stop, 1 to 128 characters.
        timestamp_s: when this attempt is made, seconds since the epoch, UTC.
        body: exactly the bytes that are sent.
        secrets: one, or while rotating the new one and then the old one.

    Raises:
        ValueError: the id has another form, the time is before the epoch, or there is no secret or more than two.
    """
    if len(delivery_id) > MOST_ID_CHARS or not _ID.fullmatch(delivery_id):
        raise ValueError("a delivery's id must be 1 to 128 visible ASCII characters other than the full stop")
    if timestamp_s < 0:
        raise ValueError("a delivery's time must not be before the epoch")
    if not 1 <= len(secrets) <= MOST_SECRETS:
        raise ValueError("a delivery must be signed with one secret, or with two while rotating")
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(each.signature(delivery_id, timestamp_s, body) for each in secrets),
    }
