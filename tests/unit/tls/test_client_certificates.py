"""A user's own certificate: which files are taken, what is said about the others, and what an account remembers."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from securechat.errors import TlsFailure, TlsProblem
from securechat.tls.client_certificates import (
    fingerprint_of_file,
    prove_key,
    proven_fingerprint,
    public_key_fingerprint,
    read_client_bundle,
)
from securechat.tls.contexts import client_context, handshake_in_memory, server_context
from securechat.tls.issuing import (
    Issuer,
    Leaf,
    certificate_pem,
    key_pem,
    new_authority,
    new_client_leaf,
    new_server_leaf,
)
from securechat.tls.pem_bundle import fingerprint

from .conftest import DAY, NAMES, NOW, ServerFile, date


@pytest.fixture
def own(authority: Issuer) -> Leaf:
    return new_client_leaf(authority, "ana", NOW)


@pytest.fixture
def path(tmp_path: Path, own: Leaf) -> Path:
    file = tmp_path / "client-ana.pem"
    file.write_bytes(own.to_pem())
    return file


class TestFingerprint:
    def test_of_a_handshake_and_of_the_file_are_the_same(self, path: Path, own: Leaf) -> None:
        shown = public_key_fingerprint(own.certificate.public_bytes(Encoding.DER))
        assert shown == fingerprint_of_file(path)
        assert shown.startswith("sha256:") and len(shown) == 71

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
    def test_openssl_counts_the_same_bytes(self, path: Path) -> None:
        pem = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-pubkey"], capture_output=True, check=True)
        key = ["openssl", "pkey", "-pubin", "-outform", "DER"]
        der = subprocess.run(key, input=pem.stdout, capture_output=True, check=True)
        assert fingerprint_of_file(path) == f"sha256:{hashlib.sha256(der.stdout).hexdigest()}"

    def test_hangs_on_the_key_and_not_on_the_name(self, path: Path, authority: Issuer) -> None:
        namesake = new_client_leaf(authority, "ana", NOW).certificate.public_bytes(Encoding.DER)
        assert public_key_fingerprint(namesake) != fingerprint_of_file(path)

    def test_the_key_is_not_needed(self, tmp_path: Path, own: Leaf, path: Path) -> None:
        public = tmp_path / "public.pem"
        public.write_bytes(certificate_pem(own.certificate))
        assert fingerprint_of_file(public) == fingerprint_of_file(path)

    @pytest.mark.parametrize("der", [b"", b"garbage", b"\x30\x82\x01\x00"])
    def test_what_is_no_certificate_is_refused(self, der: bytes) -> None:
        with pytest.raises(TlsFailure, match="The client certificate is damaged"):
            public_key_fingerprint(der)

    def test_a_file_without_one_is_refused(self, tmp_path: Path, own: Leaf) -> None:
        (tmp_path / "key.pem").write_bytes(key_pem(own.key))
        with pytest.raises(TlsFailure, match="holds no PEM certificate"):
            fingerprint_of_file(tmp_path / "key.pem")


AUTHORITY = "sha256:" + "ab" * 32
P256, P384, P521 = ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()


def spki_of(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def signed(key: Any, authority: str = AUTHORITY, sender_id: int = 7) -> tuple[str, str]:
    """A key and a proof, made by hand from what docs/protocol.md says."""
    said = b"securechat/1 certadd\x00" + authority.encode() + b"\x00" + str(sender_id).encode()
    match key:
        case ec.EllipticCurvePrivateKey():
            signature = key.sign(said, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPrivateKey():
            signature = key.sign(said, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey():
            signature = key.sign(said)
        case _:
            signature = b"x" * 64
    return b64encode(spki_of(key)).decode(), b64encode(signature).decode()


class TestProof:
    @pytest.mark.parametrize(
        "key",
        [
            ec.generate_private_key(P256),
            ec.generate_private_key(P384),
            ec.generate_private_key(P521),
            ed25519.Ed25519PrivateKey.generate(),
            rsa.generate_private_key(65537, 2048),
        ],
        ids=["P-256", "P-384", "P-521", "Ed25519", "RSA"],
    )
    def test_a_key_is_proved_to_one_server_for_one_account(self, key: Any) -> None:
        public, proof = signed(key)
        assert proven_fingerprint(public, proof, AUTHORITY, 7) == f"sha256:{hashlib.sha256(spki_of(key)).hexdigest()}"
        assert proven_fingerprint(public, proof, AUTHORITY, 8) is None
        assert proven_fingerprint(public, proof, "sha256:" + "cd" * 32, 7) is None
        other, _ = signed(ec.generate_private_key(P256))
        assert proven_fingerprint(other, proof, AUTHORITY, 7) is None

    @pytest.mark.parametrize(
        "key",
        [
            ec.generate_private_key(ec.SECP256K1()),
            rsa.generate_private_key(3, 2048),
            rsa.generate_private_key(65537, 1024),
            ed448.Ed448PrivateKey.generate(),
            x25519.X25519PrivateKey.generate(),
        ],
        ids=["curve", "exponent", "short", "Ed448", "X25519"],
    )
    def test_other_kinds_of_keys_prove_nothing(self, key: Any) -> None:
        assert proven_fingerprint(*signed(key), AUTHORITY, 7) is None

    @given(st.text("ABCDwxyz0189+/=", max_size=200), st.text("ABCDwxyz0189+/=", max_size=200))
    def test_nonsense_proves_nothing(self, key: str, proof: str) -> None:
        assert proven_fingerprint(key, proof, AUTHORITY, 7) is None

    @given(st.data())
    def test_a_damaged_key_or_proof_proves_nothing(self, data: st.DataObject) -> None:
        whole = [bytearray(b64decode(text)) for text in signed(ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32))]
        part = data.draw(st.sampled_from(whole))
        part[data.draw(st.integers(0, len(part) - 1))] ^= data.draw(st.integers(1, 255))
        key, proof = (b64encode(each).decode() for each in whole)
        assert proven_fingerprint(key, proof, AUTHORITY, 7) is None

    def test_a_key_written_in_another_way_is_not_another_key(self) -> None:
        key, proof = signed(rsa.generate_private_key(65537, 2048))
        longer = bytearray(b64decode(key)) + b"\0"
        assert proven_fingerprint(b64encode(longer).decode(), proof, AUTHORITY, 7) is None

    def test_a_file_proves_its_key_to_the_server_that_issued_it(
        self, path: Path, own: Leaf, authority: Issuer, tmp_path: Path
    ) -> None:
        bundle = read_client_bundle(path, NOW)
        der = authority.certificate.public_bytes(Encoding.DER)
        another = new_authority(NOW).certificate.public_bytes(Encoding.DER)
        made = prove_key(bundle, [another, der], 7)
        assert made.fingerprint == fingerprint_of_file(path)
        assert proven_fingerprint(made.key, made.proof, fingerprint(authority.certificate), 7) == made.fingerprint
        with pytest.raises(TlsFailure, match="was not issued by this server's CA"):
            prove_key(bundle, [another], 7)


def encrypted(issuer: Issuer) -> bytes:
    leaf = new_client_leaf(issuer, "ana", NOW)
    sealed = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    return certificate_pem(leaf.certificate) + sealed


def of_a_stranger(issuer: Issuer) -> bytes:
    ours, theirs = (new_client_leaf(issuer, "ana", NOW) for _ in range(2))
    return certificate_pem(ours.certificate) + key_pem(theirs.key)


GET_ONE = (
    "; ask the server's administrator for a certificate of your own "
    r"\(`securechat-admin certs --client NAME` makes one\)$"
)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda ca: b"", "holds no PEM certificate"),
        (encrypted, r"the private key is encrypted.*decrypt it with: openssl pkey -in OLD -out NEW$"),
        (of_a_stranger, r"the private key does not belong to the first certificate in client-ana\.pem$"),
        (
            lambda ca: certificate_pem(new_client_leaf(ca, "ana", NOW).certificate),
            r"holds no private key; put it in the same file or beside it as .*client-ana\.key$",
        ),
        (lambda ca: certificate_pem(ca.certificate) + key_pem(ca.key), f"is a CA certificate.*{GET_ONE}"),
        (lambda ca: new_server_leaf(ca, NAMES, NOW).to_pem(), f"is a certificate for servers, not for users{GET_ONE}"),
        (
            lambda ca: new_client_leaf(ca, "ana", NOW - 20 * DAY, 10 * DAY).to_pem(),
            rf"expired on {date(NOW - 10 * DAY)}{GET_ONE}",
        ),
        (lambda ca: new_client_leaf(ca, "ana", NOW + DAY).to_pem(), "valid only from .*; set the clock right$"),
    ],
)
def test_what_is_of_no_use_is_refused_with_a_reason(
    path: Path, authority: Issuer, ca_pem: str, make: Callable[[Issuer], bytes], sentence: str
) -> None:
    path.write_bytes(make(authority))
    with pytest.raises(TlsFailure, match=sentence) as caught:
        client_context(ca_pem, certificate=path)
    assert caught.value.problem is TlsProblem.BAD_FILE
    assert caught.value.detail.startswith(f"{path}: ")
    assert "\n" not in caught.value.detail


def test_a_missing_file_is_refused(tmp_path: Path, ca_pem: str) -> None:
    with pytest.raises(TlsFailure, match=r"nothing\.pem: cannot be read: No such file"):
        client_context(ca_pem, certificate=tmp_path / "nothing.pem")


def test_a_key_beside_the_certificate_will_do(path: Path, own: Leaf) -> None:
    path.write_bytes(certificate_pem(own.certificate))
    path.with_suffix(".key").write_bytes(key_pem(own.key))
    assert read_client_bundle(path, NOW).key_path == path.with_suffix(".key")


class TestServer:
    """What the server's context makes of them."""

    def test_knows_whom_its_own_authority_vouches_for(self, server_file: ServerFile, ca_pem: str, path: Path) -> None:
        client = client_context(ca_pem, certificate=path)
        end, _ = handshake_in_memory(server_context(server_file()), client, "localhost")
        shown = end.getpeercert(binary_form=True)
        assert shown is not None and public_key_fingerprint(shown) == fingerprint_of_file(path)

    def test_asks_and_does_not_insist(self, server_file: ServerFile, ca_pem: str) -> None:
        end, _ = handshake_in_memory(server_context(server_file()), client_context(ca_pem), "localhost")
        assert end.getpeercert(binary_form=True) is None

    @pytest.mark.parametrize("tls12", [False, True])
    def test_trusts_its_own_authority_and_no_other(self, server_file: ServerFile, tls12: bool) -> None:
        context = server_context(server_file(), tls12=tls12)
        assert context.verify_mode is ssl.CERT_OPTIONAL
        assert context.verify_flags & ssl.VERIFY_X509_STRICT
        assert len(context.get_ca_certs()) == 1

    def test_refuses_what_another_authority_issued(self, server_file: ServerFile, ca_pem: str, path: Path) -> None:
        path.write_bytes(new_client_leaf(new_authority(NOW), "ana", NOW).to_pem())
        client = client_context(ca_pem, certificate=path)
        with pytest.raises(ssl.SSLCertVerificationError, match=r"self.signed certificate in certificate chain"):
            handshake_in_memory(server_context(server_file()), client, "localhost")

    def test_does_not_ask_when_its_file_has_no_authority(self, tmp_path: Path, authority: Issuer) -> None:
        leaf = new_server_leaf(authority, NAMES, NOW)
        (tmp_path / "server.pem").write_bytes(certificate_pem(leaf.certificate) + key_pem(leaf.key))
        context = server_context(tmp_path / "server.pem")
        assert context.verify_mode is ssl.CERT_NONE
        assert not context.get_ca_certs()
