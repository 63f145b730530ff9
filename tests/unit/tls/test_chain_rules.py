"""Certificates that other programs make, by real ``openssl`` commands, against the server's start and its clients.

Looked through: every way a chain is built or cut (a CA without keyUsage or basicConstraints, a self-signed leaf, a leaf
alone, with fullchain.pem beside it, an intermediate CA with and without the root), dates, keys (RSA 1024, curves that
TLS 1.3 lacks, Ed25519), signatures by SHA-1, names (common name alone, wildcard, IP entries, an address as a DNS name),
the system's CAs, and pins of anything but the root. Each certificate that the server takes is also tried by a client.
"""

from __future__ import annotations

import datetime as dt
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from securechat.errors import TlsFailure, TlsProblem
from securechat.tls.chain_rules import is_late, made_here
from securechat.tls.contexts import (
    SYSTEM_CAS,
    ServerCertificate,
    client_context,
    handshake_in_memory,
    server_context,
)
from securechat.tls.failures import explain
from securechat.tls.hostnames import Names, name_in_certificate, parse_names
from securechat.tls.pem_bundle import parse_certificates, read_bundle
from securechat.tls.trust import load_ca_file, pinned_authority, shown_authority

from .conftest import NOW, ServerFile

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")

P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
SIGNS = ("keyUsage=critical,keyCertSign,cRLSign", "basicConstraints=critical,CA:TRUE")
SAN = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Maker:
    """Makes certificates with openssl, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr

    def root(self, name: str, *extensions: str, key: tuple[str, ...] = P256) -> None:
        more = [word for each in extensions for word in ("-addext", each)]
        self.run("req", "-x509", "-newkey", *key, "-nodes", "-days", "100", "-subj", f"/CN={name}",
                 "-keyout", f"{name}.key", "-out", f"{name}.crt", *more)  # fmt: skip

    def issue(
        self,
        name: str,
        issuer: str,
        *extensions: str,
        key: tuple[str, ...] = P256,
        digest: str = "-sha256",
        days: int = 30,
    ) -> None:
        self.run("req", "-newkey", *key, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                 "-out", f"{name}.csr")  # fmt: skip
        text = "\n".join(("authorityKeyIdentifier=keyid", "subjectKeyIdentifier=hash", *extensions))
        (self.folder / f"{name}.ext").write_text(text)
        self.run("x509", "-req", digest, "-in", f"{name}.csr", "-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key",
                 "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip

    def file(self, *certificates: str, name: str = "chain.pem") -> Path:
        """A file of certificates, with the key of the first at its end."""
        path = self.folder / name
        blocks = [(self.folder / f"{one}.crt").read_bytes() for one in certificates]
        path.write_bytes(b"".join([*blocks, (self.folder / f"{certificates[0]}.key").read_bytes()]))
        return path


@pytest.fixture(scope="module")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    maker = Maker(tmp_path_factory.mktemp("openssl"))
    maker.root("Root", "keyUsage=critical,keyCertSign,cRLSign")
    maker.root("Plain")
    maker.issue("Between", "Root", *SIGNS)
    maker.issue("good", "Root", SAN)
    maker.issue("below", "Between", SAN)
    maker.issue("plain", "Plain", SAN)
    return maker


def refused(path: Path, now: dt.datetime | None = None) -> str:
    with pytest.raises(TlsFailure) as caught:
        ServerCertificate(path, now=now)
    assert caught.value.problem is TlsProblem.BAD_FILE and "\n" not in caught.value.detail
    assert "intercepted" not in caught.value.detail
    return caught.value.detail


def connect(path: Path, ca_pem: str, host: str = "localhost") -> TlsFailure | None:
    client = client_context(ca_pem)
    try:
        handshake_in_memory(server_context(path), client, host)
    except ssl.SSLError as error:
        return explain(error, host, dt.datetime.now(dt.UTC), client.seen)
    return None


def test_a_ca_without_key_usage_is_named_at_the_start_and_to_the_client(openssl: Maker) -> None:
    told = refused(openssl.file("plain", "Plain"))
    assert "the CA certificate in it (Plain) is refused by every client: it has no keyUsage with keyCertSign" in told
    assert "-addext keyUsage=critical,keyCertSign,cRLSign" in told
    with pytest.raises(TlsFailure, match="holds a CA certificate that cannot be used: it has no keyUsage"):
        load_ca_file(openssl.folder / "Plain.crt")


def test_the_remedy_for_it_works(openssl: Maker) -> None:
    """``Root`` is made by the command that the sentence tells."""
    path = openssl.file("good", "Root")
    assert ServerCertificate(path).ca_fingerprint is not None
    assert connect(path, load_ca_file(openssl.folder / "Root.crt")) is None


def test_a_self_signed_certificate(openssl: Maker) -> None:
    openssl.root("self", SAN)
    assert "is self-signed, and clients verify a server by a CA" in refused(openssl.file("self"))


def test_a_leaf_without_its_chain(openssl: Maker) -> None:
    alone = openssl.file("below", name="cert.pem")
    certificate = ServerCertificate(alone)
    assert len(certificate.doubts) == 1 and "its issuer, Between" in certificate.doubts[0]
    told = connect(alone, load_ca_file(openssl.folder / "Root.crt"))
    assert told is not None and told.problem is TlsProblem.CHAIN_INCOMPLETE
    assert told.detail == "The certificates that localhost shows end at Between, which you do not trust"

    full = openssl.file("below", "Between", name="fullchain.pem")
    try:
        assert refused(alone).endswith(f"use {full}")
        assert ServerCertificate(full).doubts == ()
        assert connect(full, load_ca_file(openssl.folder / "Root.crt")) is None
    finally:
        full.unlink()


def test_another_ca_is_called_another_ca(openssl: Maker) -> None:
    openssl.root("Other", "keyUsage=critical,keyCertSign,cRLSign")
    told = connect(openssl.file("good", "Root"), load_ca_file(openssl.folder / "Other.crt"))
    assert told is not None and told.problem is TlsProblem.WRONG_CA


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (("rsa:1024",), "has an RSA key of 1024 bits, and clients want 2048"),
        (("ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "has a key on the curve secp256k1"),
        (("rsa:2048",), ""),
        (("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), ""),
        (("ed25519",), ""),
    ],
)
def test_keys(openssl: Maker, key: tuple[str, ...], words: str) -> None:
    openssl.issue("keyed", "Root", SAN, key=key)
    path = openssl.file("keyed", "Root")
    if words:
        assert words in refused(path)
    else:
        ServerCertificate(path)
        assert connect(path, load_ca_file(openssl.folder / "Root.crt")) is None


@pytest.mark.parametrize("digest", ["-sha1", "-md5"])
def test_weak_signatures(openssl: Maker, digest: str) -> None:
    openssl.root("Rsa", SIGNS[0], key=("rsa:2048",))  # OpenSSL makes no ECDSA signature with MD5
    openssl.issue("weak", "Rsa", SAN, digest=digest)
    assert f"is signed with {digest[1:].upper()}, which clients refuse" in refused(openssl.file("weak", "Rsa"))


def test_dates(openssl: Maker) -> None:
    path = openssl.file("good", "Root")
    later, earlier = NOW + dt.timedelta(days=40), NOW - dt.timedelta(days=2)
    assert "the certificate expired on" in refused(path, later)
    assert "renew it with what made it (its CA is Root)" in refused(path, later)
    assert "is valid only from" in refused(path, earlier)


def test_wrong_key(openssl: Maker) -> None:
    path = openssl.folder / "mixed.pem"
    path.write_bytes((openssl.folder / "good.crt").read_bytes() + (openssl.folder / "plain.key").read_bytes())
    assert "does not belong to the first certificate" in refused(path)


def test_names(openssl: Maker) -> None:
    openssl.issue("cn-only", "Root")
    assert "has no subjectAltName" in refused(openssl.file("cn-only", "Root"))

    openssl.issue("wild", "Root", "subjectAltName=DNS:*.example.org,IP:10.0.0.5,IP:fe80::1,DNS:192.0.2.7")
    path, ca_pem = openssl.file("wild", "Root"), load_ca_file(openssl.folder / "Root.crt")
    certificate = ServerCertificate(path)
    assert len(certificate.doubts) == 1 and "names the address 192.0.2.7 as a DNS name" in certificate.doubts[0]
    for host in ("chat.example.org", "10.0.0.5", "fe80::1%eth0", "example.org", "a.b.example.org", "192.0.2.7", "::1"):
        told = connect(path, ca_pem, name_in_certificate(host))
        assert (told is None) is certificate.names.cover(host), host
        assert told is None or told.problem is TlsProblem.HOST_MISMATCH
    told = connect(path, ca_pem, "192.0.2.7")
    assert told is not None and "DNS:192.0.2.7" in told.detail


@pytest.mark.parametrize(
    ("extension", "holds"),
    [
        ("subjectAltName=URI:https://chat.example.org/", "holds a URI;"),
        ("subjectAltName=email:ana@example.org", "holds an e-mail address;"),
        ("subjectAltName=URI:x:y,email:ana@example.org,RID:1.2.3", "holds a URI, an e-mail address, a registered ID;"),
        ("subjectAltName=otherName:1.3.6.1.5.5.7.8.5;UTF8:chat", "holds a name of another kind;"),
        ("subjectAltName=DNS:192.0.2.7", "holds an address as a DNS name;"),
        ("2.5.29.17=DER:30:02:82:00", "holds an empty DNS name;"),
        ("2.5.29.17=DER:30:00", "holds nothing;"),
    ],
)
def test_a_certificate_that_names_no_host(openssl: Maker, extension: str, holds: str) -> None:
    """Looked through: every kind of GeneralName (RFC 5280 section 4.2.1.6); a common name alone is in `test_names`."""
    openssl.issue("nowhere", "Root", extension)
    told = refused(openssl.file("nowhere", "Root"))
    assert "the certificate names no host" in told
    assert holds in told
    _, _, advice = told.partition("make it anew with -addext ")
    openssl.issue("somewhere", "Root", advice.partition(",")[0])
    path = openssl.file("somewhere", "Root", name="somewhere.pem")
    assert connect(path, load_ca_file(openssl.folder / "Root.crt"), "chat.example.org") is None


def test_a_certificate_for_clients(openssl: Maker) -> None:
    openssl.issue("user", "Root", SAN, "extendedKeyUsage=clientAuth")
    assert "is not for servers" in refused(openssl.file("user", "Root"))


def test_the_systems_cas(openssl: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    path = openssl.file("below", "Between")
    assert not ServerCertificate(path).is_public
    monkeypatch.setenv("SSL_CERT_FILE", str(openssl.folder / "Root.crt"))
    assert ServerCertificate(path).is_public
    assert connect(path, SYSTEM_CAS) is None
    alone = openssl.file("good", name="alone.pem")
    assert ServerCertificate(alone).doubts == (), "its issuer is a CA of the system"
    told = connect(path, SYSTEM_CAS, "other.example")
    assert told is not None and told.problem is TlsProblem.HOST_MISMATCH


def test_a_machine_without_cas(openssl: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(openssl.folder / "nothing"))
    monkeypatch.setenv("SSL_CERT_DIR", str(openssl.folder / "nowhere"))
    with pytest.raises(TlsFailure, match="This machine has no CAs of its own"):
        client_context(SYSTEM_CAS)
    assert not ServerCertificate(openssl.file("good", "Root")).is_public


def test_pins_of_anything_but_the_root(openssl: Maker) -> None:
    content = openssl.file("below", "Between", "Root").read_bytes()
    leaf, between, root = parse_certificates(Path("x"), content)
    chain = [one.public_bytes(Encoding.DER) for one in (leaf, between, root)]
    assert pinned_authority(chain, pin(root), "h") == root
    for shown, pinned, words in (
        (chain, between, "The pin is that of an intermediate CA, which clients do not pin; its root CA is sha256:"),
        (chain[:2], between, "the server does not show its root CA"),
        (chain, leaf, "The pin is that of the certificate of h itself"),
        (chain[:2], root, "h does not show its CA, so the pin cannot be checked"),
    ):
        with pytest.raises(TlsFailure) as caught:
            pinned_authority(shown, pin(pinned), "h")
        assert caught.value.problem is TlsProblem.PIN_NOT_OF_CA
        assert words in caught.value.detail
    plain = parse_certificates(Path("x"), openssl.file("plain", "Plain").read_bytes())
    with pytest.raises(TlsFailure) as caught:
        pinned_authority([one.public_bytes(Encoding.DER) for one in plain], pin(plain[1]), "h")
    assert caught.value.problem is TlsProblem.UNUSABLE
    assert "has the pin, but cannot be used: it has no keyUsage" in caught.value.detail


def test_the_ca_to_compare_is_the_root_alone(openssl: Maker) -> None:
    leaf, between, root = parse_certificates(Path("x"), openssl.file("below", "Between", "Root").read_bytes())
    chain = [one.public_bytes(Encoding.DER) for one in (leaf, between, root)]
    assert shown_authority(chain, "h") == root
    plain = parse_certificates(Path("x"), openssl.file("plain", "Plain").read_bytes())
    for shown, problem in (
        (chain[:2], TlsProblem.PIN_NOT_OF_CA),
        (chain[:1], TlsProblem.PIN_NOT_OF_CA),
        ([one.public_bytes(Encoding.DER) for one in plain], TlsProblem.UNUSABLE),
        ([], TlsProblem.NO_CERTIFICATE),
        ([b"nonsense"], TlsProblem.OTHER),
    ):
        with pytest.raises(TlsFailure) as caught:
            shown_authority(shown, "h")
        assert caught.value.problem is problem


def pin(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(SHA256())


def test_a_short_lived_certificate_is_not_late_all_its_life(openssl: Maker, server_file: ServerFile) -> None:
    openssl.issue("six", "Root", SAN, days=6)
    six = read_bundle(openssl.file("six", "Root"))
    assert not made_here(six.leaf) and made_here(read_bundle(server_file()).leaf)
    assert not is_late(six, six.not_after - dt.timedelta(days=3))
    assert is_late(six, six.not_after - dt.timedelta(hours=20))


@pytest.mark.parametrize("host", ["LOCALHOST", "localhost.", "127.0.0.1", "::1", "::1%lo"])
def test_names_cover(host: str) -> None:
    assert parse_names(["localhost", "127.0.0.1", "::1"]).cover(host)
    assert not Names(("*.org",)).cover(host)
