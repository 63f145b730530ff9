"""`check` about certificates of other CAs: what it finds and advises is theirs.

Looked through: the advice for expiry, the CA's expiry and its absence; modes of a key that is a link or readable by a
group; certificates that live for six days; what clients would refuse.
"""

from __future__ import annotations

import datetime as dt
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from securechat.admin.health import HealthFinding, HealthSubject, _certificate
from securechat.tls.certificate_directory import ensure_server
from securechat.tls.issuing import certificate_pem, key_pem

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def issue(name: str, key: Key, issuer: str, issuer_key: Key, days: int, *, is_ca: bool) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    if is_ca:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, SHA256())


def foreign(folder: Path, *, days: int = 5, ca_days: int = 300, with_ca: bool = True) -> tuple[Path, Path]:
    """A certificate of another CA as certbot keeps it: links to a chain and to a key with mode 0640."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = issue("Another CA", ca_key, "Another CA", ca_key, ca_days, is_ca=True)
    leaf = issue("chat", key, "Another CA", ca_key, days, is_ca=False)
    (folder / "archive").mkdir()
    (folder / "archive" / "chain1.pem").write_bytes(certificate_pem(leaf) + (certificate_pem(ca) if with_ca else b""))
    (folder / "archive" / "key1.pem").write_bytes(key_pem(key))
    (folder / "archive" / "key1.pem").chmod(0o640)
    for link, target in (("fullchain.pem", "chain1.pem"), ("privkey.pem", "key1.pem")):
        (folder / link).symlink_to(folder / "archive" / target)
    return folder / "fullchain.pem", folder / "privkey.pem"


def findings(certificate: Path, key: Path | None, now: dt.datetime = NOW) -> list[HealthFinding]:
    subject = HealthSubject(data=certificate.parent, certificate=certificate, key=key, low_disk_bytes=0, now=now)
    return list(_certificate(subject))


@pytest.mark.skipif(os.name == "nt", reason="links and modes as POSIX has them")
class TestForeign:
    def test_a_short_lived_one_behind_links_is_good(self, tmp_path: Path) -> None:
        assert findings(*foreign(tmp_path)) == []

    def test_a_key_that_all_can_read(self, tmp_path: Path) -> None:
        certificate, key = foreign(tmp_path)
        key.chmod(0o644)
        assert [each.word for each in findings(certificate, key)] == ["permissions"]
        subprocess.run(shlex.split(findings(certificate, key)[0].fix), check=True)
        assert findings(certificate, key) == []

    def test_its_end(self, tmp_path: Path) -> None:
        certificate, key = foreign(tmp_path)
        for days in (4.5, 5.5):
            late = findings(certificate, key, NOW + days * DAY)
            assert [each.word for each in late] == ["certificate"]
            assert late[0].fix == "renew it with what made it (its CA is Another CA), then send the server SIGHUP"

    def test_the_end_of_its_ca(self, tmp_path: Path) -> None:
        told = findings(*foreign(tmp_path, ca_days=20))
        assert [each.fix for each in told] == ["have a new CA made, and give its fingerprint to all users"]

    def test_without_its_ca(self, tmp_path: Path) -> None:
        certificate, key = foreign(tmp_path, with_ca=False)
        texts = [each.text for each in findings(certificate, key)]
        assert len(texts) == 2
        assert "holds no certificate of its issuer, Another CA" in texts[0]
        assert "does not contain its CA certificate" in texts[1]


def test_our_own_is_renewed_by_our_command(tmp_path: Path) -> None:
    ensure_server(tmp_path, now=NOW - 75 * DAY)
    told = findings(tmp_path / "server.pem", None)
    assert [each.fix for each in told] == [
        f"renew it with `securechat-admin certs --dir {tmp_path}`, then send the server SIGHUP"
    ]
    if os.name == "posix":
        (tmp_path / "server.pem").chmod(0o640)
        assert "permissions" in [each.word for each in findings(tmp_path / "server.pem", None)]
