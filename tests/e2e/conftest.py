"""Fixtures of the end-to-end tests: one certificate authority a session, one server a test or a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.tls.certificate_directory import ensure_server
from tests.support import warm
from tests.support.client import CLIENT, ROOT
from tests.support.native import NativeClient
from tests.support.screen import Screen
from tests.support.server import ServerProcess

Connect = Callable[..., NativeClient]


@pytest.fixture(autouse=True)
def _cold_where_it_matters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("cold") is not None:
        monkeypatch.setattr(warm, "cold", True)


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ca.pem and server.pem for this machine."""
    directory = tmp_path_factory.mktemp("certs")
    ensure_server(directory)
    return directory


@pytest.fixture
def server(certs: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """A running server on 127.0.0.1."""
    with ServerProcess(certs, tmp_path / "data").start() as process:
        yield process


@pytest.fixture(scope="module")
def standing(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests of a module that leave it as it was."""
    with ServerProcess(certs, tmp_path_factory.mktemp("standing") / "data").start() as process:
        yield process


@pytest.fixture
def connect(certs: Path) -> Iterator[Connect]:
    """Makes native clients of a server: ``connect(server, "alice")``; without a name no hello is said."""
    clients: list[NativeClient] = []

    def make(server: ServerProcess, name: str | None = None, **options: object) -> NativeClient:
        client = NativeClient(server.port, certs / "ca.pem", host=server.host, **options)  # type: ignore[arg-type]
        clients.append(client)
        if name is not None:
            client.hello(name)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def screen(server: ServerProcess) -> Iterator[Callable[..., Screen]]:
    """Opens real clients on pseudo-terminals: ``screen("--name", "ann")``."""
    opened: list[Screen] = []

    def make(*flags: str, **options: object) -> Screen:
        where = ["--ca", str(server.ca), f"127.0.0.1:{server.port}"]
        opened.append(Screen([*CLIENT, *where, *flags], cwd=ROOT, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for one in opened:
        one.__exit__()
