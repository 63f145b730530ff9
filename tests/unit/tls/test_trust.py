from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

import securechat
from securechat.errors import ConfigError, TlsFailure, TlsProblem
from securechat.tls.contexts import client_context, handshake_in_memory, server_context
from securechat.tls.issuing import Issuer, certificate_pem, key_pem, new_server_leaf
from securechat.tls.pem_bundle import fingerprint
from securechat.tls.trust import (
    learn_ca,
    learn_ca_from,
    load_ca_file,
    parse_pin,
    pinned_authority,
    shown_fingerprint,
)

from .conftest import NAMES, NOW, ServerFile


@given(st.binary(min_size=32, max_size=32), st.booleans(), st.booleans())
def test_pin_round_trip(digest: bytes, upper: bool, colons: bool) -> None:
    text = digest.hex(":") if colons else digest.hex()
    assert parse_pin(f"sha256:{text.upper() if upper else text}") == digest
    assert parse_pin(f" SHA256:{text}\n") == digest


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", "sha256:00", "0" * 64, f"sha1:{'0' * 40}", f"sha256:{'0' * 63}g", f"sha256:{'0' * 66}",
     f"sha256::{'0' * 64}", f"sha256:{'00:' * 32}", f"sha256:{'٠' * 64}"],
)  # fmt: skip
def test_bad_pin(text: str) -> None:
    with pytest.raises(ConfigError, match="A pin is sha256: and 64 hexadecimal digits"):
        parse_pin(text)


class TestCaFile:
    def refusal(self, path: Path) -> str:
        with pytest.raises(TlsFailure) as caught:
            load_ca_file(path)
        assert caught.value.problem is TlsProblem.BAD_FILE
        return caught.value.detail

    def test_one_and_two(self, tmp_path: Path, ca_pem: str, other_authority: Issuer) -> None:
        path = tmp_path / "ca.pem"
        path.write_text(f"a comment\n{ca_pem}")
        assert load_ca_file(path) == ca_pem
        both = ca_pem + certificate_pem(other_authority.certificate).decode()
        path.write_text(both)
        assert load_ca_file(path) == both
        assert len(client_context(both).get_ca_certs()) == 2

    def test_missing(self, tmp_path: Path) -> None:
        assert self.refusal(tmp_path / "ca.pem").endswith("ca.pem: cannot be read: No such file or directory")

    def test_secret_given_away(self, server_file: ServerFile) -> None:
        assert "holds a private key, which must never leave the server" in self.refusal(server_file())

    def test_leaf_only(self, tmp_path: Path, authority: Issuer) -> None:
        path = tmp_path / "leaf.pem"
        path.write_bytes(certificate_pem(new_server_leaf(authority, NAMES, NOW).certificate))
        assert "none of a CA" in self.refusal(path)

    def test_garbage(self, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        path.write_bytes(b"garbage")
        assert "holds no PEM certificate" in self.refusal(path)


class Served:
    """A TLS server that accepts connections and remembers every byte of application data."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.received: list[bytes] = []
        self.ended: list[str] = []
        self.alpn: list[str | None] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(20)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with self._context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as tls:
                self.alpn.append(tls.selected_alpn_protocol())
                while data := tls.recv(100):
                    self.received.append(data)
                self.ended.append("close_notify")
        except OSError as error:
            self.ended.append(type(error).__name__)

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        # shutdown wakes a blocked accept; close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def served(server_file: ServerFile) -> Iterator[Served]:
    with Served(server_context(server_file())) as server:
        yield server


def pin_of(issuer: Issuer) -> bytes:
    return parse_pin(fingerprint(issuer.certificate))


class TestLearnCa:
    def test_learns_and_then_verifies(self, served: Served, authority: Issuer, ca_pem: str) -> None:
        learned = learn_ca("127.0.0.1", served.port, pin_of(authority), 20)
        assert learned == ca_pem
        with socket.create_connection(("127.0.0.1", served.port), 20) as connection:
            client_context(learned).wrap_socket(connection, server_hostname="localhost").close()

    def test_sends_no_byte_of_its_own(self, server_file: ServerFile, authority: Issuer) -> None:
        with Served(server_context(server_file())) as server:
            learn_ca("127.0.0.1", server.port, pin_of(authority), 20)
        assert server.received == []
        assert server.ended == ["close_notify"]
        assert server.alpn == ["securechat/1"]

    def test_a_fingerprint_to_compare_is_that_of_the_ca(self, served: Served, authority: Issuer) -> None:
        assert shown_fingerprint("127.0.0.1", served.port, 20) == fingerprint(authority.certificate)

    def test_wrong_pin_shows_what_was_seen(self, served: Served, authority: Issuer) -> None:
        with pytest.raises(TlsFailure) as caught:
            learn_ca("127.0.0.1", served.port, bytes(32), 20)
        assert caught.value.problem is TlsProblem.WRONG_PIN
        assert caught.value.detail == (
            f"The CA of 127.0.0.1 is {fingerprint(authority.certificate)}, not the pinned one"
        )

    def test_no_tls(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            with pytest.raises(TlsFailure) as caught:
                learn_ca_from(ours, "h.example", bytes(32), 20)
        assert caught.value.problem is TlsProblem.NOT_TLS

    def test_silence_ends(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, pytest.raises(TlsFailure, match="did not finish the TLS handshake in time"):
            learn_ca_from(ours, "h.example", bytes(32), 0.01)

    def test_impossible_host_name(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, ours, pytest.raises(TlsFailure, match=r"^\.example cannot be a host name$"):
            learn_ca_from(ours, ".example", bytes(32), 20)

    def test_refused_connection_stays_an_os_error(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            learn_ca("127.0.0.1", port, bytes(32), 20)


class TestPinnedAuthority:
    """The judgement alone, on chains no honest server sends."""

    def refusal(self, chain: list[bytes], pin: bytes) -> TlsFailure:
        with pytest.raises(TlsFailure) as caught:
            pinned_authority(chain, pin, "h")
        return caught.value

    @staticmethod
    def der(issuer: Issuer) -> bytes:
        return issuer.certificate.public_bytes(Encoding.DER)

    @pytest.fixture
    def leaf(self, authority: Issuer) -> bytes:
        return new_server_leaf(authority, NAMES, NOW).certificate.public_bytes(Encoding.DER)

    def test_good(self, leaf: bytes, authority: Issuer) -> None:
        assert pinned_authority([leaf, self.der(authority)], pin_of(authority), "h") == authority.certificate

    def test_order_does_not_matter(self, leaf: bytes, authority: Issuer, other_authority: Issuer) -> None:
        chain = [leaf, self.der(other_authority), self.der(authority)]
        assert pinned_authority(chain, pin_of(authority), "h") == authority.certificate

    def test_pinned_ca_shown_but_not_the_issuer(self, authority: Issuer, other_authority: Issuer) -> None:
        """An attacker shows his own leaf beside our CA, which is public."""
        evil = new_server_leaf(other_authority, NAMES, NOW).certificate.public_bytes(Encoding.DER)
        told = self.refusal([evil, self.der(authority)], pin_of(authority))
        assert told.problem is TlsProblem.WRONG_PIN
        assert told.detail.startswith("h shows a certificate with this pin, but it is not the CA")
        told = self.refusal([evil, self.der(authority), self.der(other_authority)], pin_of(authority))
        assert told.problem is TlsProblem.WRONG_PIN

    def test_pin_of_the_leaf(self, leaf: bytes, authority: Issuer) -> None:
        told = self.refusal([leaf, self.der(authority)], hashlib.sha256(leaf).digest())
        assert told.problem is TlsProblem.PIN_NOT_OF_CA
        assert told.detail.startswith("The pin is that of the certificate of h itself, which changes at every ren")

    def test_ca_left_out(self, leaf: bytes, authority: Issuer) -> None:
        told = self.refusal([leaf], pin_of(authority))
        assert told.problem is TlsProblem.PIN_NOT_OF_CA
        assert told.detail == "h does not show its CA, so the pin cannot be checked"

    def test_nothing_and_garbage(self, leaf: bytes) -> None:
        assert self.refusal([], bytes(32)).problem is TlsProblem.NO_CERTIFICATE
        assert self.refusal([leaf, b"garbage"], bytes(32)).problem is TlsProblem.OTHER

    def test_a_long_chain_is_not_walked(self, leaf: bytes, authority: Issuer) -> None:
        told = self.refusal([leaf] * 10 + [self.der(authority)], pin_of(authority))
        assert told.problem is TlsProblem.PIN_NOT_OF_CA


def test_a_man_in_the_middle_gains_nothing(tmp_path: Path, authority: Issuer, other_authority: Issuer) -> None:
    """He shows the real chain to the probe, but cannot hold the key in the verified handshake."""
    learned = certificate_pem(authority.certificate).decode()
    path = tmp_path / "evil.pem"
    evil = new_server_leaf(other_authority, NAMES, NOW)
    path.write_bytes(certificate_pem(evil.certificate) + learned.encode() + key_pem(evil.key))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake_in_memory(server_context(path), client_context(learned), "localhost")


def test_nothing_else_switches_verification_off() -> None:
    """One context may: the probe that reads a chain."""
    package = Path(securechat.__file__).parent
    found = {
        (path.relative_to(package).as_posix(), line.strip().partition("  #")[0])
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"CERT_NONE|CERT_OPTIONAL|_create_unverified_context|_create_stdlib_context", line)
    }
    assert found == {
        ("tls/trust.py", "context.verify_mode = ssl.CERT_NONE"),
        # A server may serve clients without a certificate; one that is shown is verified.
        ("tls/contexts.py", "context.verify_mode = ssl.CERT_OPTIONAL"),
        # A stand-in for simulations, which encrypts nothing.
        ("testing/link.py", "self.verify_mode = ssl.CERT_OPTIONAL"),
        # Asks, and sets nothing.
        ("net/tls_handshake.py", "verified = sock.context.verify_mode is not ssl.CERT_NONE"),
    }
