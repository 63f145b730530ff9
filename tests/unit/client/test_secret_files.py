"""A password from a file, and a certificate to add from one."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from securechat.client.core import actions
from securechat.client.secret_files import certificate_to_add, read_password_file
from securechat.errors import ConfigError
from securechat.tls.certificate_directory import ensure_server, issue_client, load_authority
from securechat.tls.client_certificates import fingerprint_of_file, proven_fingerprint
from securechat.tls.contexts import ServerCertificate, client_context
from securechat.tls.trust import load_ca_file
from tests.support.secrecy import PASSWORD


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "my.password"
    path.touch(0o600)
    return path


@pytest.mark.parametrize("around", ["{}", "{}\n", "{}\r\n", "{}\nmore\n", "\ufeff{}\n"])
def test_the_first_line_is_the_password(path: Path, around: str) -> None:
    path.write_text(around.format(PASSWORD), encoding="utf-8", newline="")
    assert read_password_file(path) == PASSWORD


def test_spaces_belong_to_it(path: Path) -> None:
    path.write_text(f" {PASSWORD} \n")
    assert read_password_file(path) == f" {PASSWORD} "


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    path.write_text(PASSWORD)
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        read_password_file(path)
    assert f"chmod 600 {path}" in caught.value.reason
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(("content", "why"), [(b"", "empty"), (b"\nx", "empty"), (b"\xff\xfe\n", "UTF-8")])
def test_a_file_without_a_password_is_refused(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_password_file(path)
    assert why in caught.value.reason


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_password_file(tmp_path / "nowhere")
    assert "No such file" in caught.value.reason


# --- A certificate to add ---------------------------------------------------------------------------------------------


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    """A server's folder, with ann's certificate in it."""
    ensure_server(tmp_path)
    issuer = load_authority(tmp_path)
    assert issuer is not None
    issue_client(tmp_path, issuer, "ann")
    return tmp_path


def context(certs: Path) -> ssl.SSLContext:
    return client_context(load_ca_file(certs / "ca.pem"))


@pytest.mark.parametrize("typed", ["{}", '"{}"', "'{}'"])
def test_a_certificate_is_added_with_the_proof_of_its_key_and_labelled_by_its_file(certs: Path, typed: str) -> None:
    path = certs / "client-ann.pem"
    intent = certificate_to_add(typed.format(path), context(certs), 7)
    assert isinstance(intent, actions.AddLoginCertificate)
    assert (intent.fingerprint, intent.label) == (fingerprint_of_file(path), "client-ann.pem")
    authority = ServerCertificate(certs / "server.pem").ca_fingerprint
    assert authority is not None and intent.key is not None and intent.proof is not None
    assert proven_fingerprint(intent.key, intent.proof, authority, 7) == intent.fingerprint
    assert proven_fingerprint(intent.key, intent.proof, authority, 8) is None


def split(path: Path) -> tuple[bytes, bytes]:
    whole = path.read_bytes()
    at = whole.index(b"-----BEGIN PRIVATE KEY")
    end = whole.index(b"-----END PRIVATE KEY-----") + 26
    return whole[:at] + whole[end:], whole[at:end]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("nowhere", "No such file"),
        ("no key", "holds no private key; put it in the same file or beside it as"),
        ("sealed", "the private key is encrypted"),
        ("another key", "does not belong to the first certificate"),
        ("server's", "is a certificate for servers, not for users"),
        ("another CA", "was not issued by this server's CA"),
    ],
)
def test_a_file_that_adds_nothing_is_a_sentence(certs: Path, tmp_path: Path, damage: str, said: str) -> None:
    path, trusted = certs / "client-ann.pem", context(certs)
    public, key = split(path)
    match damage:
        case "nowhere":
            path.unlink()
        case "no key":
            path.write_bytes(public)
        case "sealed":
            secret = load_pem_private_key(key, None)
            sealed = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
            path.write_bytes(public + sealed)
        case "another key":
            path.write_bytes(public + split(certs / "server.pem")[1])
        case "server's":
            path = certs / "server.pem"
        case "another CA":
            ensure_server(tmp_path / "other")
            trusted = context(tmp_path / "other")
    answer = certificate_to_add(str(path), trusted, 7)
    assert isinstance(answer, str)
    assert answer.startswith("No certificate was added. ")
    assert said in answer


def test_a_key_beside_the_certificate_proves_it(certs: Path) -> None:
    path = certs / "client-ann.pem"
    public, key = split(path)
    path.write_bytes(public)
    path.with_suffix(".key").write_bytes(key)
    assert isinstance(certificate_to_add(str(path), context(certs), 7), actions.AddLoginCertificate)
