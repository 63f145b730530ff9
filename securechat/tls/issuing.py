"""Issues X.509 certificates: one kind of CA, one of server leaf, one of client leaf. No files, no clock.

The extensions are exactly those required by ``openssl verify -x509_strict`` and ``ssl.VERIFY_X509_STRICT`` (the default
from Python 3.13). Older Pythons accept certificates without them, so mistakes show late:

* CA: critical basicConstraints with path length 0, critical keyUsage (certSign, crlSign), subjectKeyIdentifier;
  critical nameConstraints, which are ours (`name_constraints`).
* Leaf: basicConstraints CA:FALSE, keyUsage digitalSignature, extendedKeyUsage, subjectAltName, and both key
  identifiers; the subject is not empty, because with an empty one the subjectAltName would have to be critical.

Source: RFC 5280 section 4.2. Keys are P-256: every TLS 1.3 library has it (RFC 8446 section 9.1), and Mozilla's
"modern" profile asks for it.
"""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from securechat.tls.hostnames import Names
from securechat.tls.name_constraints import constraints_for

CA_NAME = "securechat CA "
"""The beginning of the name of every CA made here, by which certificates of other CAs are told apart."""
CA_LIFETIME = dt.timedelta(days=3650)
"""Ten years: replacing a CA means a visit to every client."""
LEAF_LIFETIME = dt.timedelta(days=90)
"""As Let's Encrypt: short enough that renewal is practised, and renewal here is one command or automatic."""
CLIENT_LIFETIME = dt.timedelta(days=365)
"""A year: a renewal means a new key, which its user must add to the account again; a lost one is removed there."""
BACKDATED = dt.timedelta(minutes=5)
"""A client whose clock is this much behind still accepts a new certificate."""

_NO_NAMES = Names()


class Issuer(Struct, frozen=True):
    """A CA that can sign: its certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Leaf(Struct, frozen=True):
    """A certificate for one end of a connection, with its private key and its issuer's certificate."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    issuer: x509.Certificate

    def to_pem(self) -> bytes:
        """Leaf, CA certificate and private key in one file; the leaf comes first (RFC 8446 section 4.4.2)."""
        return certificate_pem(self.certificate) + certificate_pem(self.issuer) + key_pem(self.key)


def new_authority(now: dt.datetime, names: Names | None = _NO_NAMES) -> Issuer:
    """Create a self-signed CA.

    Args:
        now: UTC, aware.
        names: those that it can certify besides private ones; see `constraints_for`. None: it can certify every name,
            as the CAs of earlier versions can.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Every CA has its own name, so that a client that trusts an old and a new one picks the right issuer.
    subject = _named(f"{CA_NAME}{identifier.digest.hex()[:8]}")
    builder = (
        _unsigned(subject, subject, key.public_key(), now - BACKDATED, now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    if names is not None:
        builder = builder.add_extension(constraints_for(names), critical=True)
    return Issuer(builder.sign(key, hashes.SHA256()), key)


def new_server_leaf(issuer: Issuer, names: Names, now: dt.datetime) -> Leaf:
    """Issue a server certificate for ``names``, valid for 90 days or as long as its CA, whichever is shorter.

    Args:
        issuer: a CA that is valid at ``now``.
        names: at least one.
        now: UTC, aware.

    Raises:
        ValueError: no names.
    """
    if not names:
        raise ValueError("a server certificate needs at least one name")
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names.dns]
    alternatives += [x509.IPAddress(ip) for ip in names.ips]
    return _new_leaf(
        issuer,
        _named("securechat server"),
        now,
        [
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName(alternatives),
        ],
        LEAF_LIFETIME,
    )


def new_client_leaf(issuer: Issuer, name: str, now: dt.datetime, lifetime: dt.timedelta = CLIENT_LIFETIME) -> Leaf:
    """Issue a client certificate with the common name ``name``, for display: an account knows it by its key.

    Args:
        issuer: a CA that is valid at ``now``.
        name: 1 to 64 characters (ub-common-name, RFC 5280 appendix A.1).
        now: UTC, aware.
        lifetime: from ``now`` on; limited by the CA's.

    Raises:
        ValueError: the name is empty or too long.
    """
    return _new_leaf(issuer, _named(name), now, [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])], lifetime)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """PEM text (RFC 7468)."""
    return certificate.public_bytes(Encoding.PEM)


def key_pem(key: PrivateKeyTypes) -> bytes:
    """PKCS #8 PEM text, not encrypted: a server must start unattended."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _new_leaf(
    issuer: Issuer, subject: x509.Name, now: dt.datetime, purpose: list[x509.ExtensionType], lifetime: dt.timedelta
) -> Leaf:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer.certificate
    # RFC 5280 does not require nesting, but a chain is only as valid as its CA: do not promise more.
    not_before = max(now - BACKDATED, signer.not_valid_before_utc)
    not_after = min(now + lifetime, signer.not_valid_after_utc)
    builder = (
        _unsigned(subject, signer.subject, key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_identifier(signer), critical=False)
    )
    for extension in purpose:
        builder = builder.add_extension(extension, critical=False)
    return Leaf(builder.sign(issuer.key, hashes.SHA256()), key, signer)


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    not_before: dt.datetime,
    not_after: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_identifier(signer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
