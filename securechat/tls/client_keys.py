"""A user's own certificate: the file it is in, and the fingerprint by which an account knows it.

By the public key and never by the subject: the text in a certificate is whatever its maker wrote, a CA may sign the
same name twice, and a renewed certificate for the same key is still the same person's. Decides nothing about trust: the
handshake has verified the certificate, or the file's owner vouches for it.
"""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from securechat.errors import TlsFailure, TlsProblem
from securechat.tls.bundle import DAMAGED, Bundle, is_authority, parse_certificates, with_key
from securechat.tls.pem_files import bad_file, read_pem

_FOR_CLIENTS = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_GET_ONE = "ask whoever runs the server for a certificate of your own (tools/gen_certs.py --client NAME makes one)"


def public_key_fingerprint(der: bytes) -> str:
    """The fingerprint of a certificate's key.

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
        raise TlsFailure(TlsProblem.OTHER, "the client certificate is damaged") from error


def fingerprint_of_file(path: Path) -> str:
    """The fingerprint of the first certificate in a PEM file; no key is needed, so the public half will do.

    Raises:
        TlsFailure: BAD_FILE with one sentence: missing, unreadable, or no certificate in it.
    """
    return _of(parse_certificates(path, read_pem(path))[0])


def read_client_bundle(path: Path, now: dt.datetime) -> Bundle:
    """Read what ``--cert`` of the client names: a certificate for clients, with its key.

    Args:
        path: PEM with the user's certificate first; the key stands in it too, or beside it as ``.key``.
        now: UTC, aware.

    Raises:
        TlsFailure: BAD_FILE with one sentence: missing, unreadable, damaged; a CA's or a server's certificate; out of
            its time; no key, one that needs a passphrase, or one of another certificate.
    """
    content = read_pem(path)
    certificates = parse_certificates(path, content)
    leaf = certificates[0]
    if is_authority(leaf):
        raise bad_file(path, f"is a CA certificate, which is nobody's own; {_GET_ONE}")
    if not _is_for_clients(leaf):
        raise bad_file(path, f"is a certificate for servers, not for users; {_GET_ONE}")
    if leaf.not_valid_after_utc <= now:
        raise bad_file(path, f"the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}; {_GET_ONE}")
    if leaf.not_valid_before_utc > now:
        raise bad_file(
            path,
            f"the certificate is valid only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, and this machine's"
            f" clock says {now:%Y-%m-%d %H:%M} UTC; set the clock right",
        )
    return with_key(path, content, certificates, None, missing="put it in the same file or beside it as .key")


def _is_for_clients(leaf: x509.Certificate) -> bool:
    """Without an extendedKeyUsage a certificate is for everything (RFC 5280 section 4.2.1.12)."""
    try:
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not _FOR_CLIENTS.isdisjoint(purposes)


def _of(certificate: x509.Certificate) -> str:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{sha256(key).hexdigest()}"
