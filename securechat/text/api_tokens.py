"""The form of API tokens: ``scb_``, 256 random bits in 43 digits of base 62, and 6 digits that check them.

The prefix lets scanners of published code find a token that leaked. The check digits tell a mistyped token from one
that was revoked, without a look into the tables.
"""

from __future__ import annotations

import hashlib
from typing import Final
from zlib import crc32

from securechat.limits import API_TOKEN_BYTES

PREFIX: Final = "scb_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_DIGITS = 43
_CHECK_DIGITS = 6


def api_token(random: bytes) -> str:
    """Return the token that these random bytes make.

    Args:
        random: API_TOKEN_BYTES of them.
    """
    assert len(random) == API_TOKEN_BYTES
    body = PREFIX + _base62(int.from_bytes(random), _RANDOM_DIGITS)
    return body + _check(body)


def is_api_token(text: str) -> bool:
    """Whether a text claims to be such a token; `is_well_formed` tells whether it can be one."""
    return text.startswith(PREFIX)


def is_well_formed(token: str) -> bool:
    """Whether the digits of a token fit together; a mistyped digit is always found."""
    body, check = token[:-_CHECK_DIGITS], token[-_CHECK_DIGITS:]
    return len(token) == len(PREFIX) + _RANDOM_DIGITS + _CHECK_DIGITS and is_api_token(token) and _check(body) == check


def hash_of_api_token(token: str) -> bytes:
    """Return what is stored of a token: its SHA-256; with 256 random bits it needs no salt."""
    return hashlib.sha256(token.encode()).digest()


def _check(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECK_DIGITS)


def _base62(number: int, digits: int) -> str:
    made = ""
    for _ in range(digits):
        number, digit = divmod(number, len(_DIGITS))
        made = _DIGITS[digit] + made
    return made
