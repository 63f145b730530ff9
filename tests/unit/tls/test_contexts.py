from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from securechat.errors import TlsFailure, TlsProblem
from securechat.tls import contexts
from securechat.tls.contexts import (
    ServerCertificate,
    client_context,
    handshake_in_memory,
    receiver_context,
    server_context,
)
from securechat.tls.issuing import Issuer, certificate_pem, key_pem, new_client_leaf, new_server_leaf
from securechat.tls.pem_bundle import Bundle, fingerprint, read_bundle

from .conftest import DAY, NAMES, NOW, ServerFile


def test_alpn_is_selected(server_file: ServerFile, ca_pem: str) -> None:
    server = server_context(server_file(), alpn=("securechat/1", "irc"))
    for offered, selected in ((("irc",), "irc"), (("securechat/1",), "securechat/1"), (("h2",), None)):
        ours, theirs = handshake_in_memory(server, client_context(ca_pem, alpn=offered), "localhost")
        assert ours.selected_alpn_protocol() == theirs.selected_alpn_protocol() == selected


def old_client(ca_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca_pem)
    return context


def test_tls12_only_when_asked(server_file: ServerFile, ca_pem: str) -> None:
    path = server_file()
    with pytest.raises(ssl.SSLError):
        handshake_in_memory(server_context(path), old_client(ca_pem), "localhost")
    server = server_context(path, tls12=True)
    _, end = handshake_in_memory(server, old_client(ca_pem), "localhost")
    assert end.version() == "TLSv1.2"
    _, end = handshake_in_memory(server, client_context(ca_pem), "localhost")
    assert end.version() == "TLSv1.3", "our client needs no TLS 1.2 to talk to such a server"


@pytest.mark.parametrize("cut", ["to the server", "to the client"])
def test_no_tickets_and_truncation_shows(server_file: ServerFile, ca_pem: str, cut: str) -> None:
    server, client = server_context(server_file()), client_context(ca_pem)
    assert server.num_tickets == 0
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for end in (theirs, ours, theirs, ours):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert to_client.pending == 0, "no ticket waits for the client"
    bio, end = (to_server, ours) if cut == "to the server" else (to_client, theirs)
    bio.write_eof()  # FIN without close_notify
    with pytest.raises(ssl.SSLEOFError):
        end.read(1)


def test_client_context_has_no_way_around(ca_pem: str) -> None:
    context = client_context(ca_pem)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert len(context.get_ca_certs()) == 1, "exactly the given CA and none of the system's"


def test_unusable_ca_text() -> None:
    with pytest.raises(TlsFailure) as caught:
        client_context("nonsense")
    assert caught.value.problem is TlsProblem.BAD_FILE


def test_expired_certificate_is_not_served(server_file: ServerFile) -> None:
    path = server_file(now=NOW - 91 * DAY)
    with pytest.raises(TlsFailure, match=r"the certificate expired on .*; renew it with `securechat-admin certs --dir"):
        server_context(path)
    server_context(path, now=NOW - 2 * DAY)


def test_encrypted_key_never_asks(tmp_path: Path, authority: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when the file changes between our look at it and OpenSSL's."""
    leaf = new_server_leaf(authority, NAMES, NOW)
    path = tmp_path / "server.pem"
    path.write_bytes(leaf.to_pem())
    bundle = read_bundle(path)
    sealed = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    path.write_bytes(certificate_pem(leaf.certificate) + sealed)
    with pytest.raises(TlsFailure, match="is encrypted"):
        server_context(path)

    def stale(_cert: Path, _key: Path | None = None) -> Bundle:
        return bundle

    monkeypatch.setattr(contexts, "read_bundle", stale)
    with pytest.raises(TlsFailure, match=r"OpenSSL refuses this certificate or key: the private key is encrypted$"):
        server_context(path)


class TestServerCertificate:
    def test_facts(self, server_file: ServerFile, authority: Issuer) -> None:
        current = ServerCertificate(server_file())
        assert current.names == NAMES
        assert current.ca_fingerprint == fingerprint(authority.certificate)
        assert current.not_after == NOW + 90 * DAY
        assert current.days_left(NOW) == 90
        assert current.days_left(NOW + 91 * DAY) == -1

    def test_reload_swaps(self, server_file: ServerFile, ca_pem: str) -> None:
        current = ServerCertificate(server_file())
        before, web_before = current.context, current.web_context
        server_file(now=NOW - DAY)
        current.reload()
        assert current.context is not before
        assert current.web_context is not web_before
        assert current.days_left(NOW) == 89
        _, end = handshake_in_memory(current.context, client_context(ca_pem), "localhost")
        assert end.getpeercert(binary_form=True) == current._bundle.leaf.public_bytes(Encoding.DER)
        _, end = handshake_in_memory(current.web_context, client_context(ca_pem), "localhost")
        assert end.getpeercert(binary_form=True) == current._bundle.leaf.public_bytes(Encoding.DER)

    def test_browsers_are_asked_for_nothing(
        self, server_file: ServerFile, tmp_path: Path, authority: Issuer, ca_pem: str
    ) -> None:
        current = ServerCertificate(server_file())
        own = tmp_path / "client-bot.pem"
        own.write_bytes(new_client_leaf(authority, "bot", NOW).to_pem())
        client = client_context(ca_pem, alpn=("h2", "http/1.1"), certificate=own)
        ours, theirs = handshake_in_memory(current.web_context, client, "localhost")
        assert ours.selected_alpn_protocol() == theirs.selected_alpn_protocol() == "http/1.1"
        assert current.web_context.verify_mode is ssl.CERT_NONE
        assert ours.getpeercert(binary_form=True) is None
        ours, _ = handshake_in_memory(current.context, client, "localhost")
        assert ours.getpeercert(binary_form=True) is not None, "a native connection is asked"

    def test_a_web_context_is_as_strict_as_the_other(self, server_file: ServerFile, ca_pem: str) -> None:
        current, lenient = ServerCertificate(server_file()), ServerCertificate(server_file(), tls12=True)
        for one in (current.context, current.web_context):
            with pytest.raises(ssl.SSLError):
                handshake_in_memory(one, old_client(ca_pem), "localhost")
        ours, _ = handshake_in_memory(lenient.web_context, old_client(ca_pem), "localhost")
        assert ours.version() == "TLSv1.2"
        for name in ("minimum_version", "options", "num_tickets"):
            assert getattr(current.context, name) == getattr(current.web_context, name)
        assert current.context.get_ciphers() == current.web_context.get_ciphers()

    @pytest.mark.parametrize("damage", ["missing", "garbage", "foreign key", "expired", "not yet valid"])
    def test_a_broken_renewal_changes_nothing(
        self, server_file: ServerFile, other_authority: Issuer, ca_pem: str, damage: str
    ) -> None:
        path = server_file()
        current = ServerCertificate(path)
        before, web_before, until = current.context, current.web_context, current.not_after
        match damage:
            case "missing":
                path.unlink()
            case "garbage":
                path.write_bytes(b"garbage")
            case "foreign key":
                path.write_bytes(
                    certificate_pem(read_bundle(path).leaf) + key_pem(new_server_leaf(other_authority, NAMES, NOW).key)
                )
            case "expired":
                server_file(now=NOW - 91 * DAY)
            case _:
                server_file(now=NOW + 5 * DAY)
        with pytest.raises(TlsFailure) as caught:
            current.reload()
        assert caught.value.problem is TlsProblem.BAD_FILE
        assert "\n" not in caught.value.detail
        assert (current.context, current.web_context) == (before, web_before)
        assert current.not_after == until
        handshake_in_memory(current.context, client_context(ca_pem), "localhost")

    def test_a_chain_that_breaks_the_strict_rules_is_found_at_home(self, tmp_path: Path, authority: Issuer) -> None:
        """A leaf for clients only: Python would load it, and every client would refuse it."""
        path = tmp_path / "server.pem"
        path.write_bytes(new_client_leaf(authority, "bot", NOW).to_pem())
        with pytest.raises(TlsFailure, match="the certificate has no subjectAltName"):
            ServerCertificate(path)

    def test_without_a_ca_in_the_file(self, tmp_path: Path, authority: Issuer) -> None:
        leaf = new_server_leaf(authority, NAMES, NOW)
        path = tmp_path / "server.pem"
        path.write_bytes(certificate_pem(leaf.certificate) + key_pem(leaf.key))
        assert ServerCertificate(path).ca_fingerprint is None

    def test_file_replaced_while_it_is_read(self, server_file: ServerFile, monkeypatch: pytest.MonkeyPatch) -> None:
        bundle = read_bundle(server_file())
        path = server_file()  # another leaf
        monkeypatch.setattr(contexts, "read_bundle", lambda *_paths: bundle)
        with pytest.raises(TlsFailure, match="changed while it was read"):
            ServerCertificate(path)


@pytest.mark.parametrize("tls12", [True, False])
def test_a_receiver_is_verified_by_a_ca_that_is_given(server_file: ServerFile, ca_pem: str, tls12: bool) -> None:
    server = server_context(server_file(), tls12=tls12, alpn=("http/1.1",))
    if tls12:
        server.maximum_version = ssl.TLSVersion.TLSv1_2
    context = receiver_context(ca_pem)
    _, end = handshake_in_memory(server, context, "localhost")
    assert (end.version(), end.selected_alpn_protocol()) == ("TLSv1.2" if tls12 else "TLSv1.3", "http/1.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake_in_memory(server, context, "other.example")
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert not context.hostname_checks_common_name


def test_a_receiver_is_verified_by_this_machines_cas(
    server_file: ServerFile, ca_pem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text(ca_pem)
    (tmp_path / "empty").mkdir()
    server = server_context(server_file())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    handshake_in_memory(server, receiver_context(), "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(TlsFailure, match="This machine has no CAs of its own"):
        receiver_context()
    handshake_in_memory(server, receiver_context(ca_pem), "localhost")
    with pytest.raises(TlsFailure, match="cannot be used by OpenSSL"):
        receiver_context("no certificate")
