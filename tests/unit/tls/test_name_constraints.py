"""A CA that people install in their phones can certify this network and this server, and no bank."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.errors import TlsFailure
from securechat.tls import certificate_directory
from securechat.tls.certificate_directory import create_authority, ensure_server, issue_server, load_authority
from securechat.tls.contexts import ServerCertificate, client_context, handshake_in_memory, server_context
from securechat.tls.hostnames import Names, parse_names
from securechat.tls.issuing import (
    Issuer,
    certificate_pem,
    key_pem,
    new_authority,
    new_client_leaf,
    new_server_leaf,
)
from securechat.tls.name_constraints import PRIVATE_NETWORKS, constraints_for, is_limited, names_outside
from securechat.tls.private_files import PUBLIC_MODE, SECRET_MODE, write_pem

from .conftest import DAY, NOW

GIVEN = parse_names(["chat.example.org", "8.8.8.8", "2a00:1450::1", "192.168.1.7", "den.local", "workstation"])
INSIDE = [
    "localhost", "a.localhost", "den.local", "x.lan", "x.y.internal", "x.home.arpa", "chat.example.org",
    "sub.chat.example.org", "workstation",
    "10.1.2.3", "172.31.0.1", "192.168.255.255", "100.101.102.103", "169.254.7.7", "127.3.2.1", "8.8.8.8",
    "::1", "fe80::1", "fd12:3456::1", "2a00:1450::1",
]  # fmt: skip
OUTSIDE = [
    "bank.example", "example.org", "xchat.example.org", "sub.workstation", "a.b.workstation",
    "notlocal", "local.example.com", "workstation2",
    "1.1.1.1", "11.0.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1", "8.8.8.9", "::2", "2a00:1450::2", "ff02::1:1",
]  # fmt: skip


@pytest.fixture(scope="module")
def limited() -> Issuer:
    return new_authority(NOW, GIVEN)


def named(*names: str) -> Names:
    """Without the checks of ``parse_name``."""
    made = Names()
    for name in names:
        try:
            made |= Names(ips=(ipaddress.ip_address(name),))
        except ValueError:
            made |= Names(dns=(name,))
    return made


def pem(issuer: Issuer) -> str:
    return certificate_pem(issuer.certificate).decode()


def test_the_extension_is_critical_and_short(limited: Issuer) -> None:
    found = limited.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    assert [name.value for name in found.value.excluded_subtrees or ()] == [".workstation"]
    names = [str(name.value) for name in found.value.permitted_subtrees or ()]
    assert names[:5] == ["localhost", "local", "lan", "internal", "home.arpa"]
    assert names[5:7] == ["chat.example.org", "workstation"], "those that are private anyway are not repeated"
    assert names[-2:] == ["8.8.8.8/32", "2a00:1450::1/128"]
    assert len(constraints_for(Names()).permitted_subtrees or ()) == 5 + 9
    assert constraints_for(Names()).excluded_subtrees is None


def test_inside_and_outside(limited: Issuer) -> None:
    both = named(*INSIDE, *OUTSIDE)
    assert names_outside(limited.certificate, both) == named(*OUTSIDE)


def test_a_machine_called_as_a_public_domain_gets_no_ca_for_it(tmp_path: Path) -> None:
    issuer = new_authority(NOW, named("dev"))
    assert names_outside(issuer.certificate, named("dev", "web.dev", "a.web.dev")) == named("web.dev", "a.web.dev")
    _shake(tmp_path, issuer, "dev", partial=False)
    with pytest.raises(ssl.SSLCertVerificationError, match="excluded subtree violation"):
        _shake(tmp_path, issuer, "web.dev", partial=False)


def test_a_ca_without_limits_has_none(tmp_path: Path) -> None:
    older = new_authority(NOW, names=None)
    assert not is_limited(older.certificate)
    assert not names_outside(older.certificate, named(*OUTSIDE))
    path = tmp_path / "server.pem"
    path.write_bytes(new_server_leaf(older, named("localhost", "bank.example"), NOW).to_pem())
    certificate = ServerCertificate(path)
    assert not certificate.ca_is_limited
    handshake_in_memory(certificate.context, client_context(pem(older)), "bank.example")


@pytest.mark.parametrize(
    ("permitted", "critical"),
    [
        ([x509.DNSName("local")], True),
        ([x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))], True),
        ([x509.DNSName("local"), x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))], False),
        (None, True),
    ],
)
def test_half_a_limit_is_none(permitted: list[x509.GeneralName] | None, critical: bool) -> None:
    """The other kind of name would be free, or a program may ignore it."""
    excluded = [x509.DNSName("example")] if permitted is None else None
    older = new_authority(NOW, names=None)
    made = (
        x509.CertificateBuilder()
        .subject_name(older.certificate.subject)
        .issuer_name(older.certificate.subject)
        .public_key(older.key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.NameConstraints(permitted, excluded), critical=critical)
        .sign(older.key, hashes.SHA256())
    )
    assert not is_limited(made)
    limits_names = permitted is None or isinstance(permitted[0], x509.DNSName)
    assert bool(names_outside(made, named("bank.example"))) == limits_names


def test_the_server_tells_it(tmp_path: Path, limited: Issuer) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(new_server_leaf(limited, named("localhost"), NOW).to_pem())
    assert ServerCertificate(path).ca_is_limited
    leaf = new_server_leaf(limited, named("localhost"), NOW)
    path.write_bytes(certificate_pem(leaf.certificate) + key_pem(leaf.key))
    assert not ServerCertificate(path).ca_is_limited, "without the CA in the file nothing is known"


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("name", INSIDE)
def test_openssl_takes_what_is_inside(tmp_path: Path, limited: Issuer, name: str, partial: bool) -> None:
    _shake(tmp_path, limited, name, partial=partial)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("name", OUTSIDE)
def test_openssl_refuses_what_is_outside(tmp_path: Path, limited: Issuer, name: str, partial: bool) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(permitted|excluded) subtree violation"):
        _shake(tmp_path, limited, name, partial=partial)


def _shake(tmp_path: Path, issuer: Issuer, name: str, *, partial: bool) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(new_server_leaf(issuer, named(name), NOW).to_pem())
    client = client_context(pem(issuer))
    assert client.verify_flags & ssl.VERIFY_X509_STRICT
    if partial:
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for tls12 in (False, True):
        handshake_in_memory(server_context(path, tls12=tls12), client, name)


LABELS = [
    "localhost",
    "local",
    "lan",
    "home",
    "arpa",
    "internal",
    "workstation",
    "chat",
    "example",
    "org",
    "x",
    "notlocal",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leaves")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=4).map(".".join)
    | st.ip_addresses().map(str)
    | st.sampled_from([*PRIVATE_NETWORKS, "8.8.8.8/31"]).map(lambda text: str(ipaddress.ip_network(text)[-1]))
)
def test_what_is_foretold_is_what_openssl_says(folder: Path, limited: Issuer, name: str) -> None:
    try:
        _shake(folder, limited, name, partial=False)
    except ssl.SSLCertVerificationError as error:
        assert "subtree violation" in error.verify_message
        assert names_outside(limited.certificate, named(name))
    else:
        assert not names_outside(limited.certificate, named(name))


def test_one_name_outside_is_enough(tmp_path: Path, limited: Issuer) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(new_server_leaf(limited, named("localhost", "bank.example"), NOW).to_pem())
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake_in_memory(server_context(path), client_context(pem(limited)), "localhost")
    with pytest.raises(TlsFailure, match="every client would refuse the certificate: permitted subtree violation"):
        ServerCertificate(path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
@pytest.mark.parametrize(("name", "verified"), [("den.local", True), ("8.8.8.8", True), ("bank.example", False)])
def test_the_openssl_program_agrees(tmp_path: Path, limited: Issuer, name: str, verified: bool) -> None:
    (tmp_path / "ca.pem").write_text(pem(limited))
    (tmp_path / "leaf.pem").write_bytes(new_server_leaf(limited, named(name), NOW).to_pem())
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "leaf.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == verified, done.stderr
    assert ("permitted subtree violation" in done.stderr) != verified


@pytest.mark.parametrize(
    "person", ["ana", "ana.example.com", "bank.example", "*.example.com", "ana@example.com", "Ana B."]
)
@pytest.mark.parametrize("tls12", [False, True])
def test_a_persons_certificate_is_no_hosts(tmp_path: Path, limited: Issuer, person: str, tls12: bool) -> None:
    """OpenSSL takes a common name that looks like a host's for one, where no DNS name stands beside it."""
    (tmp_path / "server.pem").write_bytes(new_server_leaf(limited, named("localhost"), NOW).to_pem())
    (tmp_path / "client.pem").write_bytes(new_client_leaf(limited, person, NOW).to_pem())
    server = ServerCertificate(tmp_path / "server.pem", tls12=tls12).context
    client = client_context(pem(limited), certificate=tmp_path / "client.pem")
    if tls12:
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_2
    ours, _ = handshake_in_memory(server, client, "localhost")
    shown = ours.getpeercert()
    assert shown is not None
    assert shown["subject"] == ((("commonName", person),),)


def test_without_care_a_persons_certificate_would_be_refused(tmp_path: Path, limited: Issuer) -> None:
    """The reason for the flag in ``contexts``: this test tells when it is no longer needed."""
    (tmp_path / "server.pem").write_bytes(new_server_leaf(limited, named("localhost"), NOW).to_pem())
    (tmp_path / "client.pem").write_bytes(new_client_leaf(limited, "ana.example.com", NOW).to_pem())
    server = server_context(tmp_path / "server.pem")
    server.hostname_checks_common_name = True
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake_in_memory(server, client_context(pem(limited), certificate=tmp_path / "client.pem"), "localhost")


class TestDirectory:
    @pytest.fixture(autouse=True)
    def machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.is_called("workstation", "192.168.1.7", "2a00:1450::1")

    def is_called(self, *names: str) -> None:
        """The machine's names and addresses from now on."""
        self.monkeypatch.setattr(certificate_directory, "local_names", lambda: named("localhost", *names))

    def test_a_new_ca_can_certify_what_its_server_is_called(self, tmp_path: Path) -> None:
        done = ensure_server(tmp_path, named("chat.example.org"), now=NOW)
        assert (done.new_ca, done.left_out) == (True, Names())
        certificate = ServerCertificate(tmp_path / "server.pem", now=NOW)
        assert certificate.ca_is_limited
        issuer = load_authority(tmp_path, now=NOW)
        assert issuer is not None
        assert not names_outside(issuer.certificate, done.bundle.names | named("10.9.9.9", "other.lan"))
        assert names_outside(issuer.certificate, named("bank.example", "1.1.1.1")) == named("bank.example", "1.1.1.1")
        assert (
            ensure_server(tmp_path, named("chat.example.org"), now=NOW, always=True).bundle.names == done.bundle.names
        )

    def test_a_name_that_is_asked_for_later_needs_a_new_ca(self, tmp_path: Path) -> None:
        ensure_server(tmp_path, named("chat.example.org"), now=NOW)
        before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
        with pytest.raises(TlsFailure) as caught:
            ensure_server(tmp_path, named("other.example.org", "10.9.9.9"), now=NOW)
        assert caught.value.detail == (
            f"{tmp_path / 'ca.pem'}: this CA can certify private names and addresses, and the names it was made with,"
            " but not other.example.org; --new-ca makes a new CA, and every client must then get the new ca.pem or pin"
        )
        assert before == {one.name: one.read_bytes() for one in tmp_path.iterdir()}
        done = ensure_server(tmp_path, named("other.example.org"), now=NOW, new_ca=True)
        assert done.new_ca
        assert {"other.example.org", "chat.example.org"} <= set(done.bundle.names.dns), "earlier names are kept"
        ServerCertificate(tmp_path / "server.pem", now=NOW)

    def test_a_private_name_can_be_added_at_any_time(self, tmp_path: Path) -> None:
        ensure_server(tmp_path, now=NOW)
        done = ensure_server(tmp_path, named("den.local", "10.9.9.9"), now=NOW)
        assert not done.new_ca
        assert "den.local" in done.bundle.names.dns
        ServerCertificate(tmp_path / "server.pem", now=NOW)

    def test_a_new_name_of_the_machine_is_left_out_and_stops_no_renewal(self, tmp_path: Path) -> None:
        first = ensure_server(tmp_path, now=NOW)
        self.is_called("renamed", "192.168.9.9", "2a00:1450::2")
        second = ensure_server(tmp_path, now=NOW)
        assert second.left_out == named("renamed", "2a00:1450::2")
        assert second.reasons == ("it does not name 192.168.9.9",)
        assert second.ca_fingerprint == first.ca_fingerprint
        third = ensure_server(tmp_path, now=NOW)
        assert (third.reasons, third.left_out) == ((), second.left_out), "it is not renewed again and again for it"
        (tmp_path / "ca.key").unlink()
        (tmp_path / "ca.pem").unlink()
        assert ensure_server(tmp_path, now=NOW).left_out == second.left_out, "a server that has only its own file"

    def test_a_machines_name_that_is_asked_for_is_refused_too(self, tmp_path: Path) -> None:
        ensure_server(tmp_path, now=NOW)
        self.is_called("renamed")
        with pytest.raises(TlsFailure, match="but not renamed; --new-ca"):
            ensure_server(tmp_path, named("renamed"), now=NOW)

    def test_forgotten_names_are_not_in_a_new_ca(self, tmp_path: Path) -> None:
        ensure_server(tmp_path, named("chat.example.org"), now=NOW)
        ensure_server(tmp_path, now=NOW, new_ca=True, keep_names=False)
        issuer = load_authority(tmp_path, now=NOW)
        assert issuer is not None
        assert names_outside(issuer.certificate, named("chat.example.org"))

    def test_an_older_ca_goes_on_with_any_name(self, tmp_path: Path) -> None:
        older = new_authority(NOW, names=None)
        write_pem(tmp_path / "ca.key", key_pem(older.key), mode=SECRET_MODE, replace=False)
        write_pem(tmp_path / "ca.pem", certificate_pem(older.certificate), mode=PUBLIC_MODE, replace=False)
        ensure_server(tmp_path, now=NOW)
        done = ensure_server(tmp_path, named("anything.example"), now=NOW)
        assert (done.new_ca, done.left_out) == (False, Names())
        assert not ServerCertificate(tmp_path / "server.pem", now=NOW).ca_is_limited

    def test_names_of_a_foreign_certificate_are_left_out(self, tmp_path: Path) -> None:
        ensure_server(tmp_path, now=NOW)
        foreign = new_server_leaf(new_authority(NOW, names=None), named("localhost", "bank.example"), NOW)
        (tmp_path / "server.pem").write_bytes(foreign.to_pem())
        done = ensure_server(tmp_path, now=NOW, force=True)
        assert done.left_out == named("bank.example")
        assert "bank.example" not in done.bundle.names.dns

    def test_more_names_than_a_certificate_can_hold(self, tmp_path: Path) -> None:
        many = Names(tuple(f"host{number}.example" for number in range(150)))
        done = ensure_server(tmp_path, many, now=NOW)
        assert len(done.bundle.names) <= 100
        ServerCertificate(tmp_path / "server.pem", now=NOW)

    def test_a_ca_made_alone_is_limited(self, tmp_path: Path) -> None:
        issuer = create_authority(tmp_path, named("chat.example.org"), now=NOW)
        assert is_limited(issuer.certificate)
        with pytest.raises(TlsFailure, match=r"but not bank\.example"):
            issue_server(tmp_path, issuer, named("localhost", "bank.example"), now=NOW)
        assert not (tmp_path / "server.pem").exists()
        issue_server(tmp_path, issuer, named("chat.example.org"), now=NOW + dt.timedelta(hours=1))
