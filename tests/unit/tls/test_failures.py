"""Each way a handshake can fail, made to fail for real, and the sentence for it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from securechat.errors import TlsFailure, TlsProblem
from securechat.tls.chain_rules import common_name
from securechat.tls.contexts import ClientContext, client_context, handshake_in_memory, server_context
from securechat.tls.failures import check_protocol, explain, printable
from securechat.tls.hostnames import Names, parse_names
from securechat.tls.issuing import (
    BACKDATED,
    Issuer,
    certificate_pem,
    key_pem,
    new_authority,
    new_client_leaf,
    new_server_leaf,
)

from .conftest import DAY, NAMES, NOW, ServerFile, moment


def failure(server: ssl.SSLContext, client: ClientContext, host: str = "localhost") -> TlsFailure:
    with pytest.raises(ssl.SSLError) as caught:
        handshake_in_memory(server, client, host)
    told = explain(caught.value, host, NOW, client.seen)
    assert "\n" not in told.detail
    return told


def served(server_file: ServerFile, **options: object) -> ssl.SSLContext:
    return server_context(server_file(**options), now=NOW - 3650 * DAY)


def test_wrong_ca(server_file: ServerFile, other_authority: Issuer) -> None:
    client = client_context(certificate_pem(other_authority.certificate).decode())
    told = failure(served(server_file), client)
    assert told.problem is TlsProblem.WRONG_CA
    assert told.detail.startswith("The certificate of localhost was not issued by the CA you trust (self")


def test_wrong_ca_without_the_ca_in_the_chain(tmp_path: Path, other_authority: Issuer, authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW)
    path = tmp_path / "server.pem"
    path.write_bytes(certificate_pem(leaf.certificate) + key_pem(leaf.key))
    client = client_context(certificate_pem(other_authority.certificate).decode())
    told = failure(server_context(path), client)
    assert told.problem is TlsProblem.CHAIN_INCOMPLETE
    assert told.detail == (
        f"The certificates that localhost shows end at {common_name(authority.certificate.subject)}, which you do not"
        " trust"
    )


@pytest.mark.parametrize("host", ["other.example", "127.0.0.9"])
def test_host_mismatch_names_what_there_is(server_file: ServerFile, ca_pem: str, host: str) -> None:
    told = failure(served(server_file), client_context(ca_pem), host)
    assert told.problem is TlsProblem.HOST_MISMATCH
    assert told.detail == (
        f"The certificate is not made out to {host}; it names localhost, chat.example, 127.0.0.1, ::1"
    )


def test_host_mismatch_with_many_names(server_file: ServerFile, ca_pem: str) -> None:
    names = parse_names([f"h{number}" for number in range(9)])
    told = failure(served(server_file, names=names), client_context(ca_pem))
    assert told.detail.endswith("it names h0, h1, h2, h3, h4 and 4 more")


def test_host_mismatch_cannot_paint_the_terminal(server_file: ServerFile, ca_pem: str) -> None:
    evil = Names(("\x1b]0;owned\x07", "a\nlocalhost: trusted"))
    told = failure(served(server_file, names=evil), client_context(ca_pem))
    assert told.problem is TlsProblem.HOST_MISMATCH
    assert told.detail.endswith("it names ?]0;owned?, a?localhost: trusted")


def test_host_mismatch_without_the_certificate(server_file: ServerFile, ca_pem: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake_in_memory(served(server_file), client_context(ca_pem), "other.example")
    for unknown in ((), (b"",), (b"garbage",)):
        told = explain(caught.value, "other.example", NOW, unknown)
        assert told.detail == "The certificate is not made out to other.example"


def test_expired(server_file: ServerFile, ca_pem: str) -> None:
    ca = new_authority(NOW - 200 * DAY)
    told = failure(
        served(server_file, issuer=ca, now=NOW - 100 * DAY),
        client_context(certificate_pem(ca.certificate).decode()),
    )
    assert told.problem is TlsProblem.EXPIRED
    assert told.detail == (
        f"The certificate of localhost expired on {moment(NOW - 10 * DAY)} UTC;"
        f" the clock of this machine says {moment(NOW)} UTC"
    )


def test_expired_ca(server_file: ServerFile) -> None:
    """Another program's leaf may outlive its CA; ours never does, so the certificate seen is a stand-in."""
    dead = new_authority(NOW - 3660 * DAY)
    alive = new_server_leaf(new_authority(NOW), NAMES, NOW).certificate.public_bytes(Encoding.DER)
    error = expired_error(server_file, dead)
    told = explain(error, "localhost", NOW, (alive,))
    assert told.problem is TlsProblem.EXPIRED
    assert told.detail.startswith("The CA that issued the certificate of localhost has expired; the clock")
    told = explain(error, "localhost", NOW)
    assert told.detail.startswith("The certificate of localhost, or its CA, has expired; the clock")


def expired_error(server_file: ServerFile, ca: Issuer) -> ssl.SSLError:
    client = client_context(certificate_pem(ca.certificate).decode())
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake_in_memory(served(server_file, issuer=ca, now=NOW - 3655 * DAY), client, "localhost")
    return caught.value


def test_not_yet_valid_tells_both_clocks(server_file: ServerFile, ca_pem: str) -> None:
    told = failure(served(server_file, now=NOW + 5 * DAY), client_context(ca_pem))
    assert told.problem is TlsProblem.NOT_YET_VALID
    begins = NOW + 5 * DAY - BACKDATED
    assert told.detail == (
        f"The certificate of localhost is valid from {moment(begins)} UTC on,"
        f" but the clock of this machine says {moment(NOW)} UTC"
    )


def test_wrong_purpose_is_a_rule_broken(tmp_path: Path, authority: Issuer, ca_pem: str) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(new_client_leaf(authority, "bot", NOW).to_pem())
    told = failure(server_context(path), client_context(ca_pem))
    assert told.problem is TlsProblem.UNUSABLE
    assert "breaks a rule for certificates" in told.detail


def test_no_server_certificate(ca_pem: str) -> None:
    """OpenSSL without a certificate answers as if it had no TLS 1.3; others send handshake_failure."""
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    told = over_sockets(lambda end: wrap_quietly(bare, end), ca_pem)
    assert told.detail == "localhost offers no TLS 1.3: it is too old, or has no certificate to show"
    told = over_sockets(alert(40), ca_pem)
    assert told.problem is TlsProblem.NO_CERTIFICATE
    assert told.detail == "localhost has no certificate to show, or none that this client can check"


def test_no_common_protocol_alert(ca_pem: str) -> None:
    """Servers in other languages refuse with alert 120 (RFC 7301) where Python's carries on."""
    told = over_sockets(alert(120), ca_pem)
    assert told.problem is TlsProblem.NO_COMMON_PROTOCOL


def test_client_certificate_wanted(server_file: ServerFile, ca_pem: str) -> None:
    server = served(server_file)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=ca_pem)
    told = over_sockets(lambda end: wrap_quietly(server, end), ca_pem, read=True)
    assert told.problem is TlsProblem.NO_CERTIFICATE
    assert told.detail == "localhost asks for a certificate of your own, and none was sent; name its file with --cert"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (42, "it is damaged, or not valid yet; check this machine's clock, or "),
        (43, "it is not for users (a server's, for one); "),
        (44, "it was revoked; "),
        (45, "it has expired; "),
        (46, "it is damaged, or not valid yet; check this machine's clock, or "),
        (48, "the server's CA did not issue it; "),
    ],
)
def test_a_refused_client_certificate(ca_pem: str, number: int, words: str) -> None:
    """The alerts of RFC 8446 section 6.2 that only a certificate of the reader's own can bring."""
    told = over_sockets(alert(number), ca_pem)
    assert told.problem is TlsProblem.OTHER
    assert told.detail == (
        f"localhost refused your own certificate (--cert): {words}ask the server's administrator for a new one"
        " (`securechat-admin certs --client NAME`), or connect without --cert"
    )


def test_old_tls_only(server_file: ServerFile, ca_pem: str) -> None:
    server = server_context(server_file(), tls12=True)
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    told = over_sockets(lambda end: wrap_quietly(server, end), ca_pem)
    assert told.problem is TlsProblem.OTHER
    assert told.detail == "localhost offers no TLS 1.3: it is too old, or has no certificate to show"


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ESMTP\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", bytes(64)],
)
def test_not_tls(ca_pem: str, greeting: bytes) -> None:
    told = over_sockets(says(greeting), ca_pem)
    assert told.problem is TlsProblem.NOT_TLS
    assert told.detail == "localhost does not speak TLS on this port"


def test_hangs_up(ca_pem: str) -> None:
    told = over_sockets(lambda end: end.recv(65536), ca_pem)
    assert told.problem is TlsProblem.OTHER
    assert told.detail.startswith("localhost hung up during the TLS handshake")
    assert explain(ConnectionResetError(), "localhost", NOW).detail == told.detail


def test_says_nothing_in_time(ca_pem: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError) as caught:
            client_context(ca_pem).wrap_socket(ours, server_hostname="localhost")
    assert explain(caught.value, "localhost", NOW).detail == "localhost did not finish the TLS handshake in time"


def test_check_protocol() -> None:
    check_protocol("securechat/1", "h")
    with pytest.raises(TlsFailure, match="h speaks TLS, but not the protocol of securechat") as caught:
        check_protocol(None, "h")
    assert caught.value.problem is TlsProblem.NO_COMMON_PROTOCOL


def test_a_failure_stays_what_it_is_and_strangers_become_other() -> None:
    known = TlsFailure(TlsProblem.WRONG_PIN, "x")
    assert explain(known, "h", NOW) is known
    told = explain(ValueError("odd\x1b[2J"), "h\x07", NOW)
    assert told.problem is TlsProblem.OTHER
    assert told.detail == "The TLS handshake with h? failed: odd?[2J"


@given(st.text())
def test_printable_is(text: str) -> None:
    shown = printable(text)
    assert shown.isascii() and (shown.isprintable() or not shown)
    assert len(shown) <= 103


def says(data: bytes) -> Callable[[socket.socket], None]:
    """A server that sends ``data`` whatever it hears. It reads, so that closing does not take the data back."""

    def serve(end: socket.socket) -> None:
        end.recv(65536)
        end.sendall(data)

    return serve


def alert(number: int) -> Callable[[socket.socket], None]:
    """A server that answers with a fatal alert in a plain record (RFC 8446 sections 5.1 and 6)."""
    return says(bytes([21, 3, 3, 0, 2, 2, number]))


def wrap_quietly(context: ssl.SSLContext, end: socket.socket) -> None:
    try:
        context.wrap_socket(end, server_side=True).close()
    except OSError:
        end.close()


def over_sockets(server: Callable[[socket.socket], object], ca_pem: str, *, read: bool = False) -> TlsFailure:
    """What our client makes of whatever ``server`` does with its end of the connection."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    theirs.settimeout(20)

    def serve() -> None:
        with theirs:
            server(theirs)
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    client = client_context(ca_pem)
    try:
        with ours, pytest.raises(OSError) as caught:
            tls = client.wrap_socket(ours, server_hostname="localhost", suppress_ragged_eofs=False)
            with tls:
                # TLS 1.3 lets the client finish before the server has judged its certificate.
                assert read
                tls.recv(1)
    finally:
        thread.join()
    return explain(caught.value, "localhost", NOW, client.seen)
