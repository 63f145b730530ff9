"""Real servers, real browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from securechat.tls.certificate_directory import ensure_server
from tests.support.browser import Visitor, chromium, spki_hash, visitors
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the certificates of every test server."""
    directory = tmp_path_factory.mktemp("web-certs")
    ensure_server(directory)
    return directory


@pytest.fixture(scope="session")
def browser(certs: Path) -> Iterator[Browser]:
    """A Chromium that accepts the test servers' key and no other."""
    with chromium(accepting(certs)) as started:
        yield started


@pytest.fixture(scope="session")
def desktop_browser(certs: Path) -> Iterator[Browser]:
    """The same with all that a desktop's has beside pages, for tests that are marked `desktop`."""
    with chromium(accepting(certs), whole=True) as started:
        yield started


def accepting(certs: Path) -> str:
    return f"--ignore-certificate-errors-spki-list={spki_hash(certs / 'server.pem')}"


@pytest.fixture
def server(certs: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with an empty log."""
    process = ServerProcess(certs, tmp_path / "data").start()
    yield process
    process.kill()


@pytest.fixture
def visit(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Callable[..., Visitor]]:
    """Makes browser profiles; at the end none of them may have complained."""
    is_desktop = request.node.get_closest_marker("desktop") is not None
    browser = request.getfixturevalue("desktop_browser" if is_desktop else "browser")
    with visitors(browser, f"https://localhost:{server.port}") as new:
        yield new
