"""Client certificates for simulated people: a handful of keys that are the same in every run.

A private key is a number here, so the fingerprint of its public half, which is all that the server knows of it, is the
same in every process; the signature beside it is not, and nobody looks at it.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from securechat.tls.client_keys import public_key_fingerprint

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
_MORNING = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


@cache
def certificate(number: int) -> bytes:
    """Return the DER of a certificate for the key with this number, from 1."""
    key = ec.derive_private_key(number, ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(_MORNING)
        .not_valid_after(_MORNING + dt.timedelta(days=90))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.DER)


@cache
def fingerprint(number: int) -> str:
    """Return what the server knows that key by."""
    return public_key_fingerprint(certificate(number))
