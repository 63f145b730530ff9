"""What the service manager hears, over a real datagram socket; and that nothing it does can hurt."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("systemd and its sockets are Linux", allow_module_level=True)

from securechat.net import systemd as service
from securechat.net.systemd import ServiceManager

_PATIENCE_S = 30.0


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, ServiceManager]]:
    """A socket as systemd has it, and what the server knows of it."""
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("the abstract namespace is Linux")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(_PATIENCE_S)
        name = str(tmp_path / "n") if request.param == "path" else f"@securechat-test-{tmp_path}"
        systemd.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        yield systemd, ServiceManager({"NOTIFY_SOCKET": name})


def _heard(systemd: socket.socket) -> dict[str, str]:
    lines = systemd.recv(4096).decode().split("\n")
    return dict(line.split("=", 1) for line in lines)


def test_a_life_is_told_in_datagrams(manager: tuple[socket.socket, ServiceManager]) -> None:
    systemd, server = manager
    server.ready("listening on 127.0.0.1:8443")
    assert _heard(systemd) == {"READY": "1", "STATUS": "listening on 127.0.0.1:8443"}
    before_us = time.monotonic_ns() // 1000
    server.reloading()
    reloading = _heard(systemd)
    assert reloading["RELOADING"] == "1"
    assert before_us <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    server.stopping()
    assert _heard(systemd)["STOPPING"] == "1"


def test_a_status_stays_one_line(manager: tuple[socket.socket, ServiceManager]) -> None:
    systemd, server = manager
    server.ready("first\nSTOPPING=1\x1b[2J")
    heard = _heard(systemd)
    assert set(heard) == {"READY", "STATUS"}
    assert heard["STATUS"].isprintable()


@pytest.mark.parametrize(
    "name",
    ["", "relative", "vsock:2:1234", "@", "/", "/nobody/listens/here", "/" + "x" * 300, "@" + "x" * 300, "/nul\0byte"],
)
def test_a_manager_that_is_not_there_hurts_nobody(name: str) -> None:
    server = ServiceManager({"NOTIFY_SOCKET": name} if name else {})
    server.ready("fine")
    server.reloading()
    server.stopping()


def test_a_manager_that_reads_nothing_holds_nobody_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_PATIENCE_S", 0.01)
    path = str(tmp_path / "n")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
    ):
        systemd.bind(path)
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                other.sendto(b"x", path)
        begin = time.monotonic()
        ServiceManager({"NOTIFY_SOCKET": path}).ready("fine")
        assert time.monotonic() - begin < _PATIENCE_S
