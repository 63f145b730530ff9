"""Client certificates for simulated people: a handful of keys that are the same in every run.

A private key is a number here, and Ed25519 signs the same thing in the same way every time: certificates, fingerprints
and proofs are the same bytes in every process.
"""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from securechat.testing.keys import AUTHORITY
from securechat.tls.client_certificates import KeyProof, public_key_fingerprint, statement

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
_MORNING = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


@cache
def certificate(number: int) -> bytes:
    """Return the DER of a certificate for the key with this number, from 1."""
    key = _private(number)
    made = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(_MORNING)
        .not_valid_after(_MORNING + dt.timedelta(days=90))
        .sign(key, None)
    )
    return made.public_bytes(Encoding.DER)


@cache
def fingerprint(number: int) -> str:
    """Return what the server knows that key by."""
    return public_key_fingerprint(certificate(number))


@cache
def proof(number: int, sender_id: int) -> KeyProof:
    """Return what proves to the simulated server that an account has the key with this number."""
    key = _private(number)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signature = key.sign(statement(AUTHORITY, sender_id))
    return KeyProof(fingerprint(number), b64encode(public).decode(), b64encode(signature).decode())


def _private(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32))
