"""A certificate of a public CA: ``--cert fullchain.pem --key privkey.pem``, a chain of three without its root."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from securechat.errors import TlsFailure
from securechat.tls.contexts import SYSTEM_CAS, ServerCertificate, client_context, handshake_in_memory
from securechat.tls.issuing import certificate_pem, key_pem
from tests.support.admin import row, rows
from tests.support.client import run_client
from tests.support.secrecy import keep_secret
from tests.support.server import ServerProcess

NOW = dt.datetime.now(dt.UTC)


class PublicCa(NamedTuple):
    """What an ACME client leaves in a folder, and where the machines' CAs are."""

    fullchain: Path
    key: Path
    roots: Path


class _Signer(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _issue(
    name: str, signer: _Signer | None, *, path_length: int | None = None, names: tuple[str, ...] = ()
) -> _Signer:
    """A certificate as public CAs make them; without names a CA's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(NOW + dt.timedelta(days=89))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=bool(names), key_cert_sign=not names, crl_sign=not names, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if signer is not None:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
        )
    if names:
        alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    return _Signer(builder.sign((signer or _Signer(None, key)).key, hashes.SHA256()), key)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> PublicCa:
    folder = tmp_path_factory.mktemp("live")
    root = _issue("Public Root X1", None)
    between = _issue("Public E7", root, path_length=0)
    leaf = _issue("chat.example.org", between, names=("chat.example.org", "localhost"))
    made = PublicCa(folder / "fullchain.pem", folder / "privkey.pem", folder / "roots.pem")
    made.fullchain.write_bytes(certificate_pem(leaf.certificate) + certificate_pem(between.certificate))
    made.key.write_bytes(key_pem(leaf.key))
    made.key.chmod(0o600)
    made.roots.write_bytes(certificate_pem(root.certificate))
    return made


@pytest.fixture(autouse=True)
def _system_cas(monkeypatch: pytest.MonkeyPatch, public: PublicCa) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(public.roots))
    monkeypatch.setenv("SSL_CERT_DIR", str(public.roots.parent / "none"))


def test_the_server_knows_that_it_is_public(public: PublicCa) -> None:
    certificate = ServerCertificate(public.fullchain, public.key)
    assert certificate.is_public
    assert certificate.ca_fingerprint is None, "links carry no fingerprint"
    assert not certificate.ca_is_limited and not certificate.made_here
    assert certificate.doubts == ()
    for context in (certificate.context, certificate.web_context):
        assert context.verify_mode is ssl.CERT_NONE, "no certificate of a person can be verified"
        for host in ("chat.example.org", "localhost", "127.0.0.1"):
            _, end = handshake_in_memory(context, client_context(SYSTEM_CAS), host)
            assert end.version() == "TLSv1.3"
    certificate.reload()
    assert certificate.is_public


def test_where_the_root_is_unknown_it_is_not_public(public: PublicCa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(public.roots.parent / "none"))
    certificate = ServerCertificate(public.fullchain, public.key)
    assert (certificate.is_public, certificate.ca_fingerprint) == (False, None)


def test_the_leaf_alone_is_not_enough_for_a_client(public: PublicCa, tmp_path: Path) -> None:
    alone = tmp_path / "cert.pem"
    alone.write_bytes(
        public.fullchain.read_bytes().split(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n"
    )
    certificate = ServerCertificate(alone, public.key)
    assert not certificate.is_public
    assert "use the file with the chain" in certificate.doubts[0]
    beside = tmp_path / "fullchain.pem"
    beside.write_bytes(public.fullchain.read_bytes())
    with pytest.raises(TlsFailure, match="holds the certificate without its chain"):
        ServerCertificate(alone, public.key)


@pytest.mark.cold  # a warm process has read the environment's CAs already
def test_clients_verify_it_by_their_systems_cas_and_links_carry_no_fingerprint(
    public: PublicCa, tmp_path: Path
) -> None:
    environment = {"SSL_CERT_FILE": str(public.roots), "SSL_CERT_DIR": str(tmp_path / "none")}
    flags = ("--cert", str(public.fullchain), "--key", str(public.key))
    with ServerProcess(public.fullchain.parent, tmp_path / "data", *flags, env=environment).start() as server:
        assert "sha256:" not in "\n".join(server.lines)
        where = ("--ca", "system", f"localhost:{server.port}", "--name", "ana", "--send")
        done = run_client(*where, stdin="hello\n", env={**os.environ, **environment})
        assert (done.returncode, done.stderr) == (0, ""), done
        unknown = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "none"), "SSL_CERT_DIR": str(tmp_path / "none")}
        assert run_client(*where, stdin="hello\n", env=unknown).returncode != 0
        for event in server.events():
            assert event["event"] != "error"


@pytest.mark.cold  # as above
@pytest.mark.slow
def test_an_invite_without_a_fingerprint_is_verified_by_the_systems_cas(public: PublicCa, tmp_path: Path) -> None:
    environment = {"SSL_CERT_FILE": str(public.roots), "SSL_CERT_DIR": str(tmp_path / "none")}
    unknown = {name: str(tmp_path / "none") for name in environment}
    password = tmp_path / "password"
    password.write_text("three words enough\n", encoding="utf-8")
    password.chmod(0o600)
    flags = ("--cert", str(public.fullchain), "--key", str(public.key))
    with ServerProcess(public.fullchain.parent, tmp_path / "data", *flags, env=environment).start() as server:
        made = row(server, "invite", "--host", f"localhost:{server.port}")
        keep_secret(made["token"])
        assert made["link"] == made["web"] == f"https://localhost:{server.port}/#join-once/{made['token']}"
        joining = ("--invite", "--name", "ana", "--password-file", str(password), "--send")
        typed = f"{made['link']}\nit is me\n"
        state = {"SECURECHAT_STATE": str(tmp_path / "state")}
        stranger = run_client(*joining, stdin=typed, env={**os.environ, **state, **unknown})
        assert stranger.returncode != 0
        done = run_client(*joining, stdin=typed, env={**os.environ, **state, **environment})
        assert (done.returncode, done.stdout) == (0, ""), done
        assert [each["used_by"] for each in rows(server, "invites")] == [["ana"]]
