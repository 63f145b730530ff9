"""Reads PEM files: the leaf, its chain and its key, and checks that they belong together.

Reads the files of ``certificate_directory`` and those of other CAs (leaf and chain in one file, key in the same file or
beside it as ``NAME.key``). Decides nothing about trust.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import re
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct

from securechat.programs import certifying
from securechat.tls.hostnames import Names
from securechat.tls.private_files import bad_file, read_pem
from securechat.translation import Sentence

_KEY_BLOCK = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.*?-----END (?:[A-Z]+ )?PRIVATE KEY-----", re.DOTALL)
DAMAGED = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""The errors of cryptography for bytes that are no certificate."""


class Bundle(Struct, frozen=True):
    """A certificate with its chain and key.

    Args:
        path: the file it came from.
        key_path: the file of its key; usually the same.
        leaf: the server's or client's own certificate.
        chain: the certificates sent after the leaf, in the file's order.
        key: the leaf's private key.
    """

    path: Path
    key_path: Path
    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes

    @property
    def not_before(self) -> dt.datetime:
        """The start of the leaf's validity, UTC."""
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> dt.datetime:
        """The end of the leaf's validity, UTC."""
        return self.leaf.not_valid_after_utc

    @property
    def names(self) -> Names:
        """The names in the leaf."""
        return certificate_names(self.leaf)

    @property
    def authority(self) -> x509.Certificate | None:
        """The self-signed CA in the file that the leaf's chain ends in, if present: the CA that a pin means."""
        return find_root(self.leaf, self.chain)


def read_bundle(path: Path, key_path: Path | None = None) -> Bundle:
    """Read a server's certificate with its key.

    Args:
        path: PEM with the leaf first, then its chain; the key may be in it too.
        key_path: the key's file; by default ``path`` itself, or else the file beside it that ends in ``.key``.

    Raises:
        TlsFailure: BAD_FILE with one sentence: missing, unreadable, corrupt, no certificate, no key, a key that
            needs a passphrase, a key of another certificate, or a CA certificate instead of a leaf.
    """
    content = read_pem(path)
    leaf, *chain = parse_certificates(path, content)
    if is_authority(leaf):  # refused before its key is loaded into a server
        raise bad_file(
            path,
            Sentence("is a CA certificate, which no client accepts as a server's"),
            Sentence("use {name}", name="server.pem"),
        )
    return with_key(path, content, [leaf, *chain], key_path)


def with_key(
    path: Path,
    content: bytes,
    certificates: list[x509.Certificate],
    key_path: Path | None,
    *,
    has_key_flag: bool = True,
) -> Bundle:
    """Find the key of a certificate: in ``key_path``, in the same file, or in the ``.key`` beside it.

    Args:
        path: the certificate's file.
        content: that file's content.
        certificates: parsed from it, the leaf first.
        key_path: see ``read_bundle``.
        has_key_flag: whether a ``--key`` can name it.

    Raises:
        TlsFailure: BAD_FILE: no key, one that needs a passphrase, or one of another certificate.
    """
    beside = path.with_suffix(".key")
    if key_path is None:
        key_path = path if _KEY_BLOCK.search(content) or not beside.is_file() else beside
    leaf, *chain = certificates
    missing = _where_to_put_it(beside if key_path == path != beside else None, has_key_flag=has_key_flag)
    key = parse_key(key_path, content if key_path == path else read_pem(key_path), missing=missing)
    if not key_matches(leaf, key):
        raise bad_file(
            key_path, Sentence("the private key does not belong to the first certificate in {name}", name=path.name)
        )
    return Bundle(path, key_path, leaf, tuple(chain), key)


def _where_to_put_it(beside: Path | None, *, has_key_flag: bool) -> Sentence:
    """Tell where a missing key is looked for."""
    if beside is None and has_key_flag:
        return Sentence("put it in the same file, or name it with --key")
    if beside is None:
        return Sentence("put it in the same file")
    if has_key_flag:
        return Sentence("put it in the same file or beside it as {beside}, or name it with --key", beside=beside)
    return Sentence("put it in the same file or beside it as {beside}", beside=beside)


def _make_new(path: Path) -> Sentence:
    return Sentence("make a new one with `{command}`", command=certifying(path))


def parse_certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    """Parse all certificates in a PEM text, at least one.

    Raises:
        TlsFailure: BAD_FILE, naming ``path``.
    """
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise bad_file(path, Sentence("holds no PEM certificate (a block that begins with BEGIN CERTIFICATE)"))
    try:
        certificates = x509.load_pem_x509_certificates(content)
        for certificate in certificates:
            # cryptography parses these on first use; a corrupt one must be found here and not in a handshake.
            certificate.public_key()
            list(certificate.extensions)
    except DAMAGED as error:
        raise bad_file(path, Sentence("holds a damaged certificate"), _make_new(path)) from error
    return certificates


def parse_key(path: Path, content: bytes, *, missing: str) -> PrivateKeyTypes:
    """The first private key in a PEM text.

    Args:
        path: for sentences.
        content: the text.
        missing: what to do when there is no key.

    Raises:
        TlsFailure: BAD_FILE, naming ``path``: none, encrypted, or damaged.
    """
    block = _KEY_BLOCK.search(content)
    if block is None:
        if b"PRIVATE KEY-----" in content:
            raise bad_file(path, Sentence("holds a damaged private key"), _make_new(path))
        raise bad_file(path, Sentence("holds no private key"), missing)
    try:
        return load_pem_private_key(block.group(), password=None)
    except TypeError as error:  # raised by cryptography when the key needs a passphrase
        raise bad_file(
            path,
            Sentence(
                "the private key is encrypted, and what connects or restarts by itself cannot ask for a passphrase"
            ),
            Sentence("decrypt it with: openssl pkey -in OLD -out NEW"),
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise bad_file(path, Sentence("holds a damaged private key"), _make_new(path)) from error


def key_matches(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    """Whether the certificate is for this key."""
    ours = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    theirs = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return ours == theirs


def certificate_names(certificate: x509.Certificate) -> Names:
    """The DNS names and addresses in subjectAltName; empty when there are none.

    They are unchecked: a certificate from elsewhere may contain anything.
    """
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return Names()
    return Names(
        tuple(san.get_values_for_type(x509.DNSName)),
        # cryptography also returns networks here, which only name constraints may hold (RFC 5280 section 4.2.1.10).
        tuple(
            ip
            for ip in san.get_values_for_type(x509.IPAddress)
            if isinstance(ip, ipaddress.IPv4Address | ipaddress.IPv6Address)
        ),
    )


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates, by basicConstraints and keyUsage (RFC 5280 section 6.1.4 k and n)."""
    extensions = certificate.extensions
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and usage.key_cert_sign


@lru_cache(maxsize=32)
def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether ``issuer``'s key signed ``certificate`` under its name.

    Remembered, because the checks of one file ask some twenty times about three signatures, a quarter of a millisecond
    each.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def find_root(leaf: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> x509.Certificate | None:
    """Find the self-signed CA in ``chain`` that signatures lead to from ``leaf``, whatever the order of the chain."""
    current, left = leaf, list(chain)
    while left:
        signer = next((one for one in left if is_authority(one) and issued_by(current, one)), None)
        if signer is None:
            return None
        if issued_by(signer, signer):
            return signer
        left.remove(signer)  # so that CAs which certify each other cannot cause an endless loop
        current = signer
    return None


def fingerprint(certificate: x509.Certificate) -> str:
    """``sha256:`` and the hexadecimal SHA-256 of the certificate's DER, as for ``--pin``."""
    return f"sha256:{hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()}"
