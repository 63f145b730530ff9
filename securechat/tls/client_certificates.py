"""Client certificates: reading their files, the fingerprint of their key, and proofs of the key.

An account is bound to the public key and never to the subject: the text in a certificate is chosen by its maker, a CA
may sign the same name twice, and a renewed certificate for the same key belongs to the same user. This module decides
nothing about trust: the handshake has verified the certificate.

Adding a key to an account needs a proof of the private key: a handshake, or a signature (`prove_key`). The signed
statement names the server's CA and the account, so it proves nothing to another server or for another account, and
begins with words that no other protocol signs.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from msgspec import Struct

from securechat.errors import TlsFailure, TlsProblem
from securechat.programs import Program, command
from securechat.tls.pem_bundle import (
    DAMAGED,
    Bundle,
    fingerprint,
    is_authority,
    issued_by,
    parse_certificates,
    with_key,
)
from securechat.tls.private_files import bad_file, read_pem
from securechat.translation import Sentence

_FOR_CLIENTS = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_CONTEXT = b"securechat/1 certadd"
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_RSA_BITS = range(2048, 4096 + 1)
_RSA_EXPONENT = 65537
"""The only exponent accepted; another would let a client choose how long a signature takes to verify."""
_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)


class KeyProof(Struct, frozen=True):
    """Proof of a private key: ``key`` is its SubjectPublicKeyInfo, ``proof`` a signature by it, in base64."""

    fingerprint: str
    key: str
    proof: str


def public_key_fingerprint(der: bytes) -> str:
    """Return the fingerprint of a certificate's key.

    Args:
        der: a certificate, such as ``Transport.peer_certificate``.

    Returns:
        ``sha256:`` and the hexadecimal SHA-256 of its SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7), as in
        RFC 7469 and in what ``openssl x509 -pubkey`` shows.

    Raises:
        TlsFailure: OTHER when the bytes are no certificate that can be read.
    """
    try:
        return _of(x509.load_der_x509_certificate(der))
    except DAMAGED as error:
        raise TlsFailure(TlsProblem.OTHER, Sentence("The client certificate is damaged")) from error


def fingerprint_of_file(path: Path) -> str:
    """Return the fingerprint of the first certificate in a PEM file; the private key is not needed.

    Raises:
        TlsFailure: BAD_FILE with one sentence: missing, unreadable, or no certificate in it.
    """
    return _of(parse_certificates(path, read_pem(path))[0])


def prove_key(bundle: Bundle, authorities: Iterable[bytes], sender_id: int) -> KeyProof:
    """Prove to a server the possession of a client certificate's key, for an account.

    Args:
        bundle: the certificate with its key.
        authorities: DER of the CAs that the connection trusts; the one that issued the certificate is the server's.
        sender_id: the account.

    Raises:
        TlsFailure: BAD_FILE; none of these has issued the certificate, or its key cannot sign a proof.
    """
    known = [x509.load_der_x509_certificate(der) for der in authorities]
    issuer = next((one for one in known if issued_by(bundle.leaf, one)), None)
    if issuer is None:
        raise bad_file(
            bundle.path, Sentence("was not issued by this server's CA, so it can never log in here"), _get_one()
        )
    signed = statement(fingerprint(issuer), sender_id)
    match bundle.key:
        case ec.EllipticCurvePrivateKey():
            signature = bundle.key.sign(signed, ec.ECDSA(SHA256()))
        case rsa.RSAPrivateKey():
            signature = bundle.key.sign(signed, _PSS, SHA256())
        case ed25519.Ed25519PrivateKey():
            signature = bundle.key.sign(signed)
        case _:
            raise bad_file(bundle.path, Sentence("has a key of a kind that cannot be added"), _get_one())
    spki = bundle.leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyProof(_of(bundle.leaf), base64.b64encode(spki).decode(), base64.b64encode(signature).decode())


def proven_fingerprint(key: str, proof: str, authority: str, sender_id: int) -> str | None:
    """Return the fingerprint of a public key if the proof is valid for this CA and account; else None.

    Args:
        key: as in `KeyProof`; P-256, P-384, P-521, Ed25519, or RSA of 2,048 to 4,096 bits.
        proof: as in `KeyProof`: ECDSA or RSASSA-PSS with SHA-256 (salt of 32 bytes), or Ed25519.
        authority: ``sha256:`` and the fingerprint of the server's CA.
        sender_id: the account.
    """
    try:
        spki, signature = (base64.b64decode(text, validate=True) for text in (key, proof))
        public = load_der_public_key(spki)
        if public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
            return None  # another encoding of the same key would have another fingerprint
        if not _has_signed(public, signature, statement(authority, sender_id)):
            return None
    except (InvalidSignature, binascii.Error, *DAMAGED):
        return None
    return f"sha256:{sha256(spki).hexdigest()}"


def _has_signed(public: object, signature: bytes, statement: bytes) -> bool:
    """Verify a signature by a key of a supported kind; False for another kind.

    Raises:
        InvalidSignature: it is not by this key.
    """
    match public:
        case ec.EllipticCurvePublicKey() if public.curve.name in _CURVES:
            public.verify(signature, statement, ec.ECDSA(SHA256()))
        case rsa.RSAPublicKey() if public.key_size in _RSA_BITS and public.public_numbers().e == _RSA_EXPONENT:
            public.verify(signature, statement, _PSS, SHA256())
        case ed25519.Ed25519PublicKey():
            public.verify(signature, statement)
        case _:
            return False
    return True


def statement(authority: str, sender_id: int) -> bytes:
    """Return the statement that is signed to prove a key to the server of this CA, for this account."""
    return b"\0".join((_CONTEXT, authority.encode("ascii"), str(sender_id).encode("ascii")))


def read_client_bundle(path: Path, now: dt.datetime) -> Bundle:
    """Read the file of the client's ``--cert``: a certificate for clients, with its key.

    Args:
        path: PEM with the user's certificate first; the key is in it too, or beside it as ``.key``.
        now: UTC, aware.

    Raises:
        TlsFailure: BAD_FILE with one sentence: missing, unreadable, damaged; a CA's or a server's certificate; expired
            or not yet valid; no key, one that needs a passphrase, or one of another certificate.
    """
    content = read_pem(path)
    certificates = parse_certificates(path, content)
    leaf = certificates[0]
    if is_authority(leaf):
        raise bad_file(path, Sentence("is a CA certificate, not one of a person"), _get_one())
    if not _is_for_clients(leaf):
        raise bad_file(path, Sentence("is a certificate for servers, not for users"), _get_one())
    if leaf.not_valid_after_utc <= now:
        raise bad_file(
            path, Sentence("the certificate expired on {day:date}", day=leaf.not_valid_after_utc), _get_one()
        )
    if leaf.not_valid_before_utc > now:
        raise bad_file(
            path,
            Sentence(
                "the certificate is valid only from {begin:moment} UTC, and this machine's clock says {now:moment} UTC",
                begin=leaf.not_valid_before_utc,
                now=now,
            ),
            Sentence("set the clock right"),
        )
    return with_key(path, content, certificates, None, has_key_flag=False)


def _get_one() -> Sentence:
    return Sentence(
        "ask the server's administrator for a certificate of your own (`{command} --client NAME` makes one)",
        command=command(Program.CERTIFICATES),
    )


def _is_for_clients(leaf: x509.Certificate) -> bool:
    """Whether clients may use the certificate; without an extendedKeyUsage they may (RFC 5280 section 4.2.1.12)."""
    try:
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not _FOR_CLIENTS.isdisjoint(purposes)


def _of(certificate: x509.Certificate) -> str:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{sha256(key).hexdigest()}"
