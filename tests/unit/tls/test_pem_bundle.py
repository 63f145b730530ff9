from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from securechat.errors import TlsFailure, TlsProblem
from securechat.tls.issuing import Issuer, certificate_pem, key_pem, new_server_leaf
from securechat.tls.pem_bundle import find_root, fingerprint, is_authority, issued_by, read_bundle

from .conftest import DAY, NAMES, NOW, ServerFile


def refusal(path: Path, key: Path | None = None) -> str:
    with pytest.raises(TlsFailure) as caught:
        read_bundle(path, key)
    assert caught.value.problem is TlsProblem.BAD_FILE
    assert "\n" not in caught.value.detail
    return caught.value.detail


def test_reads_what_was_written(server_file: ServerFile, authority: Issuer) -> None:
    bundle = read_bundle(server_file())
    assert bundle.names == NAMES
    assert bundle.authority == authority.certificate
    assert bundle.path == bundle.key_path
    assert (bundle.not_after - NOW).days == 90


def test_key_beside_and_key_named(tmp_path: Path, authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW)
    cert, beside, named = tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "other"
    cert.write_bytes(certificate_pem(leaf.certificate))
    assert "holds no private key" in refusal(cert)
    named.write_bytes(key_pem(leaf.key))
    assert read_bundle(cert, named).key_path == named
    beside.write_bytes(key_pem(leaf.key))
    bundle = read_bundle(cert)
    assert bundle.key_path == beside
    assert bundle.authority is None


def test_missing_and_directory(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.pem") == f"{tmp_path / 'no.pem'}: cannot be read: No such file or directory"
    assert "cannot be read" in refusal(tmp_path)


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "zero"
    path.write_bytes(bytes(1024 * 1024 + 1))
    assert "over 1 MiB" in refusal(path)


def test_no_certificate(tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(b"hello\xff")
    assert "holds no PEM certificate" in refusal(path)


@pytest.mark.parametrize("label", [b"CERTIFICATE", b"PRIVATE KEY"])
def test_damage_anywhere_is_a_sentence(server_file: ServerFile, label: bytes) -> None:
    path = server_file()
    good = path.read_bytes()
    start = good.index(b"-----BEGIN " + label) + len(label) + 16
    path.write_bytes(good[:start] + b"AAAA" + good[start + 4 :])
    assert "damaged" in refusal(path)
    path.write_bytes(good[: good.index(b"-----END " + label)])
    assert refusal(path)


def test_every_cut_is_a_sentence(server_file: ServerFile) -> None:
    """A half-written or half-copied file, at any line."""
    path = server_file()
    lines = path.read_bytes().splitlines(keepends=True)
    for count in range(len(lines)):
        path.write_bytes(b"".join(lines[:count]))
        assert refusal(path)


def test_foreign_key(tmp_path: Path, server_file: ServerFile, other_authority: Issuer) -> None:
    key = tmp_path / "foreign.key"
    key.write_bytes(key_pem(other_authority.key))
    assert "does not belong to the first certificate" in refusal(server_file(), key)


def test_encrypted_key(tmp_path: Path, authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW)
    sealed = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    path = tmp_path / "server.pem"
    path.write_bytes(certificate_pem(leaf.certificate) + sealed)
    assert "is encrypted" in refusal(path)


def test_authority_and_issuing(authority: Issuer, other_authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW).certificate
    assert is_authority(authority.certificate)
    assert not is_authority(leaf)
    assert issued_by(leaf, authority.certificate)
    assert not issued_by(leaf, other_authority.certificate)
    assert find_root(leaf, (other_authority.certificate, authority.certificate)) == authority.certificate
    assert find_root(leaf, (other_authority.certificate,)) is None
    assert find_root(leaf, (leaf, leaf)) is None


def certify(subject: Issuer, by: Issuer, *, may_sign: bool) -> x509.Certificate:
    """A certificate of ``by`` over the name and key of ``subject``, which says that it is a CA."""
    usage = dict.fromkeys(
        ("digital_signature", "crl_sign", "content_commitment", "key_encipherment", "data_encipherment"), False
    ) | dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False)
    return (
        x509.CertificateBuilder()
        .subject_name(subject.certificate.subject)
        .issuer_name(by.certificate.subject)
        .public_key(subject.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=may_sign, **usage), critical=True)
        .sign(by.key, hashes.SHA256())
    )


def test_a_ca_that_may_not_sign_is_none(authority: Issuer) -> None:
    assert is_authority(certify(authority, authority, may_sign=True))
    assert not is_authority(certify(authority, authority, may_sign=False))


def test_root_behind_an_intermediate(authority: Issuer, other_authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW).certificate
    between = certify(authority, other_authority, may_sign=True)
    assert find_root(leaf, (between, other_authority.certificate)) == other_authority.certificate
    assert find_root(leaf, (between,)) is None


def test_cas_that_certify_each_other_hold_nobody_up(authority: Issuer, other_authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW).certificate
    ring = (
        certify(authority, other_authority, may_sign=True),
        certify(other_authority, authority, may_sign=True),
    )
    assert find_root(leaf, ring) is None


def test_fingerprint_is_of_the_der(authority: Issuer) -> None:
    der = ssl.PEM_cert_to_DER_cert(certificate_pem(authority.certificate).decode())
    assert fingerprint(authority.certificate) == f"sha256:{hashlib.sha256(der).hexdigest()}"
