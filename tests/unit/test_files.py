"""Whatever a path leads to, reading it ends at once and in a sentence; so it does for each reader of such a path."""

from __future__ import annotations

import datetime as dt
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.client import secret_files
from securechat.client.secret_files import certificate_to_add, read_password_file
from securechat.errors import ConfigError, TlsFailure
from securechat.files import open_regular, read_regular
from securechat.tls.certificate_directory import ensure_server
from securechat.tls.client_certificates import fingerprint_of_file, read_client_bundle
from securechat.tls.contexts import ServerCertificate
from securechat.tls.pem_bundle import read_bundle
from securechat.tls.trust import load_ca_file
from securechat.toml_file import TomlError, read_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, devices and links as POSIX has them")
PATIENCE_S = 60.0


def pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def directory(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path)


def sock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    path.chmod(0o600)


def nothing(path: Path) -> None:
    pass


ODD: dict[Callable[[Path], None], str] = {
    pipe: "it is a pipe",
    device: "it is a device",
    directory: "is a directory",
    loop: "symbolic links",
    sock: "it is a socket",
    nothing: "no such file",
}
READERS: dict[str, Callable[[Path], object]] = {
    "server": read_bundle,
    "server's key": lambda path: read_bundle(_server(path), path),
    "CA": load_ca_file,
    "certificate": lambda path: read_client_bundle(path, dt.datetime.now(dt.UTC)),
    "fingerprint": fingerprint_of_file,
    "configuration": lambda path: read_file(path, ()),
    "password": read_password_file,
    "certificate to add": lambda path: _raised(certificate_to_add(str(path), ssl.create_default_context(), 1)),
}


def _server(path: Path) -> Path:
    ensure_server(path.parent / "certs")
    return path.parent / "certs" / "server.pem"


def _raised(answer: object) -> None:
    if isinstance(answer, str):
        raise ValueError(answer)


def in_time(read: Callable[[Path], object], path: Path) -> str:
    """What a reader says about a path, which it must say without waiting."""
    said: list[str] = []

    def run() -> None:
        try:
            read(path)
        except (TlsFailure, ConfigError, TomlError, OSError, ValueError) as error:
            said.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it waits"
    (sentence,) = said
    return sentence


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
def test_nothing_but_a_file_is_read_and_nothing_waits(
    tmp_path: Path, odd: Callable[[Path], None], reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_files, "_PIPE_S", 0.05)
    path = tmp_path / "odd.pem"
    odd(path)
    sentence = in_time(READERS[reader], path).lower()
    assert "nothing was written" in sentence if (odd, reader) == (pipe, "password") else ODD[odd] in sentence
    assert str(path).lower() in sentence


@pytest.mark.parametrize("reader", READERS)
def test_what_is_far_too_large_is_not_read(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "huge.pem"
    huge(path)
    in_time(READERS[reader], path)


def test_a_reload_from_a_pipe_leaves_the_certificate_as_it_is(tmp_path: Path) -> None:
    ensure_server(tmp_path)
    path = tmp_path / "server.pem"
    certificate = ServerCertificate(path)
    context = certificate.context
    path.unlink()
    pipe(path)
    sentence = in_time(lambda _: certificate.reload(), path)
    assert "it is a pipe" in sentence
    assert certificate.context is context


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert read_regular(tmp_path / "link", 7) == b"content"
    with pytest.raises(OSError, match="larger than 0 KiB"):
        read_regular(tmp_path / "link", 6)


def test_what_is_replaced_between_two_looks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, status = tmp_path / "x", Path.stat
    path.write_bytes(b"content")

    def look(one: Path) -> os.stat_result:
        seen = status(one)
        one.unlink()
        pipe(one)
        return seen

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0

    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", look)
        with pytest.raises(OSError, match="it is a pipe"):
            open_regular(path)
    assert descriptors() == before


def test_a_password_may_come_from_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    pipe(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"a good password\nand more",), daemon=True)
    writer.start()
    assert read_password_file(path) == "a good password"
    writer.join(PATIENCE_S)
