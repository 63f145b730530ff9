"""What --check-config asks the machine."""

from __future__ import annotations

import datetime as dt
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.server.config.loading import SettingError, read
from securechat.server.config.preflight import machine_problems, missing_certificate
from securechat.tls.certificate_directory import ensure_server


@pytest.fixture(scope="module")
def cert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that can be used."""
    directory = tmp_path_factory.mktemp("certs")
    ensure_server(directory)
    return directory / "server.pem"


@pytest.fixture
def usable(cert: Path, tmp_path: Path) -> list[str]:
    """Flags with which nothing is wrong."""
    return ["--cert", str(cert), "--data", str(tmp_path / "data"), "--host", "127.0.0.1"]


def found(*flags: str) -> list[SettingError]:
    """What is found with these flags."""
    return list(machine_problems(read(flags, {})))


def test_nothing_is_wrong_and_nothing_is_made(usable: list[str], tmp_path: Path) -> None:
    assert found(*usable) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "/server.pem with `securechat-admin certs --dir /"), (b"", "holds no PEM certificate"), ("dir", "")],
)
def test_a_certificate_that_cannot_be_used(
    usable: list[str], tmp_path: Path, content: bytes | str | None, words: str
) -> None:
    path = tmp_path / "x.pem"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    [problem] = found(*usable, "--cert", str(path))
    assert (problem.key, str(problem.origin), problem.is_warning) == ("cert", "--cert", False)
    assert str(path) in problem.reason
    assert words in problem.reason


def test_a_missing_certificate_is_made_where_the_start_looks_for_it(
    usable: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a checkout that has served has the certificate that is missing here
    [problem] = found(*usable, "--cert", str(tmp_path / "n x" / "server.pem"))
    assert f"make one with `securechat-admin certs --dir '{tmp_path}/n x'`" in problem.reason
    assert "make one with `securechat-admin certs`, or" in str(missing_certificate(Path("certs/server.pem")))


def test_a_certificate_that_ends_soon_is_a_warning(usable: list[str], tmp_path: Path) -> None:
    ensure_server(tmp_path / "old", now=dt.datetime.now(dt.UTC) - dt.timedelta(days=75))
    [problem] = found(*usable, "--cert", str(tmp_path / "old" / "server.pem"))
    assert problem.is_warning
    assert "expires in 15 days" in problem.reason


def test_a_data_directory_that_is_a_file(usable: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        [problem] = found(*usable, "--data", str(path))
        assert (problem.key, str(problem.origin)) == ("data", "--data")
        assert "is no directory" in problem.reason


def test_a_database_that_went_away(usable: list[str], tmp_path: Path) -> None:
    (tmp_path / "search.db").write_bytes(b"an index, or something like it")
    [problem] = found(*usable, "--data", str(tmp_path))
    assert f"{tmp_path / 'securechat.db'} is missing, but search.db is the index of a log" in problem.reason


def test_a_data_directory_that_is_somebody_elses(
    usable: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may do everything, so modes prove nothing
    [problem] = found(*usable)
    assert f"may not make {tmp_path / 'data'} in {tmp_path};" in problem.reason
    [problem] = found(*usable, "--data", str(tmp_path))
    assert (
        f"may not write to {tmp_path}. Its owner may let it write there: `chmod -R u+rwX {tmp_path}`" in problem.reason
    )


def test_addresses_this_machine_does_not_have(usable: list[str]) -> None:
    problems = found(*usable, "--host", "192.0.2.77", "--host", "no such host", "--host", "x" * 300)
    assert [problem.key for problem in problems] == ["host"] * 3
    assert "does not have the address 192.0.2.77" in problems[0].reason
    assert "'no such host' means no address here" in problems[1].reason


def test_a_port_in_use_is_no_problem(usable: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as running:
        assert found(*usable, "--port", str(running.getsockname()[1])) == []


class _NoPrivileges(socket.socket):
    def bind(self, address: object, /) -> None:
        raise PermissionError(13, "Permission denied")


class _InUse(socket.socket):
    def bind(self, address: object, /) -> None:
        raise OSError(errno.EADDRINUSE, "in use")


@pytest.fixture
def privileged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A port may not be bound, whoever runs the tests."""
    monkeypatch.setattr(socket, "socket", _NoPrivileges)
    yield


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such ports")
@pytest.mark.usefixtures("privileged")
def test_a_port_that_needs_privileges_is_told_once(usable: list[str]) -> None:
    [problem] = found(*usable, "--host", "::1", "--port", "443")
    assert (problem.key, str(problem.origin)) == ("port", "--port")
    assert "need privileges" in problem.reason


def test_a_low_port_in_use_is_no_problem(usable: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", _InUse)
    assert found(*usable, "--port", "443") == []


def test_what_is_wrong_already_is_not_tried(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("cert = 1\ndata = 2\nport = 3.5\n", encoding="utf-8")
    assert found("--config", str(file)) == []


@pytest.mark.parametrize(("host", "metrics"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_metrics_where_the_chat_listens_are_told(usable: list[str], host: str, metrics: str) -> None:
    [problem] = found(*usable[:-2], "--host", host, "--port", "28443", "--metrics", f"{metrics}:28443")
    assert (problem.key, problem.is_warning) == ("metrics", False)
    assert "the chat listens on" in problem.reason
    assert found(*usable[:-2], "--host", host, "--port", "28443", "--metrics", f"{metrics}:28444") == []
