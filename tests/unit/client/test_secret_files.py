"""A password from a file, and a certificate to add from one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from securechat.client import intents as want
from securechat.client.secret_files import certificate_to_add, read_password_file
from securechat.errors import ConfigError
from securechat.tls.certificates import ensure_server
from securechat.tls.client_keys import fingerprint_of_file
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
    assert "no such file" in caught.value.reason


@pytest.mark.parametrize("typed", ["{}", '"{}"', "'{}'"])
def test_a_certificate_is_added_by_its_key_and_labelled_by_its_file(tmp_path: Path, typed: str) -> None:
    ensure_server(tmp_path)
    path = tmp_path / "server.pem"
    intent = certificate_to_add(typed.format(path))
    assert intent == want.AddCertificate(fingerprint_of_file(path), "server.pem")


def test_a_file_without_a_certificate_is_a_sentence(tmp_path: Path) -> None:
    said = certificate_to_add(str(tmp_path / "nowhere.pem"))
    assert isinstance(said, str)
    assert said.startswith("no certificate was added: ")
