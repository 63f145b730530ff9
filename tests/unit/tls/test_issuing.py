from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from securechat.tls.contexts import client_context, handshake_in_memory, server_context
from securechat.tls.hostnames import Names
from securechat.tls.issuing import (
    BACKDATED,
    Issuer,
    certificate_pem,
    new_authority,
    new_client_leaf,
    new_server_leaf,
)

from .conftest import DAY, NAMES, NOW, ServerFile


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension[x509.ExtensionType]:
    return certificate.extensions.get_extension_for_class(kind)


def test_authority_extensions() -> None:
    ca = new_authority(NOW).certificate
    assert extension(ca, x509.BasicConstraints).critical
    assert extension(ca, x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=0)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign and usage.value.crl_sign and not usage.value.digital_signature
    assert not extension(ca, x509.SubjectKeyIdentifier).critical
    assert ca.not_valid_after_utc == NOW + 3650 * DAY
    assert ca.not_valid_before_utc == NOW - BACKDATED


def test_leaf_extensions(authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW).certificate
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and not usage.key_cert_sign
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    ours = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    theirs = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert theirs.key_identifier == ours.digest
    assert leaf.not_valid_after_utc == NOW + 90 * DAY
    assert leaf.not_valid_before_utc == NOW - BACKDATED


def test_leaf_never_outlives_its_authority() -> None:
    old = new_authority(NOW - 3600 * DAY, NAMES)
    leaf = new_server_leaf(old, NAMES, NOW).certificate
    assert leaf.not_valid_after_utc == old.certificate.not_valid_after_utc
    young = new_authority(NOW + BACKDATED)
    assert new_server_leaf(young, NAMES, NOW + BACKDATED).certificate.not_valid_before_utc == NOW


def test_a_leaf_needs_a_name(authority: Issuer) -> None:
    with pytest.raises(ValueError, match="at least one name"):
        new_server_leaf(authority, Names(), NOW)


def test_each_authority_has_its_own_name(authority: Issuer, other_authority: Issuer) -> None:
    assert authority.certificate.subject != other_authority.certificate.subject


@pytest.mark.parametrize("host", ["localhost", "chat.example", "127.0.0.1", "::1"])
def test_strict_handshake_for_every_name(server_file: ServerFile, ca_pem: str, host: str) -> None:
    client = client_context(ca_pem)
    assert client.verify_flags & ssl.VERIFY_X509_STRICT
    _, end = handshake_in_memory(server_context(server_file()), client, host)
    assert end.version() == "TLSv1.3"


def test_client_certificate_in_a_strict_handshake(tmp_path: Path, server_file: ServerFile, authority: Issuer) -> None:
    ca_pem = certificate_pem(authority.certificate).decode()
    path = tmp_path / "bot.pem"
    path.write_bytes(new_client_leaf(authority, "bot", NOW).to_pem())
    server, client = server_context(server_file()), client_context(ca_pem)
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_STRICT
    server.load_verify_locations(cadata=ca_pem)
    client.load_cert_chain(path)
    end, _ = handshake_in_memory(server, client, "localhost")
    assert end.getpeercert()["subject"] == ((("commonName", "bot"),),)  # type: ignore[index]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_accepts_it_strictly(tmp_path: Path, authority: Issuer, purpose: str) -> None:
    make = new_server_leaf(authority, NAMES, NOW) if purpose == "sslserver" else new_client_leaf(authority, "x", NOW)
    (tmp_path / "ca.pem").write_bytes(certificate_pem(authority.certificate))
    (tmp_path / "leaf.pem").write_bytes(make.to_pem())
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", "leaf.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "leaf.pem: OK"), done.stderr
