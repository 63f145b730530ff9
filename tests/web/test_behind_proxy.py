"""The page through a proxy under a name of its own, as docs/web.md says: nothing but `--web-host` is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.tls.certificate_directory import ensure_server
from securechat.tls.hostnames import parse_names
from tests.support.browser import LAPTOP, Visitor, chromium, spki_hash
from tests.support.server import ServerProcess
from tests.support.tls_relay import TlsRelay

HOST = "chat.example.org"


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """The proxy's certificate and key; its CA is another one than the server's."""
    ensure_server(tmp_path, parse_names([HOST]))
    return tmp_path / "server.pem"


@pytest.fixture
def visitor(pem: Path, certs: Path, tmp_path: Path) -> Iterator[Visitor]:
    flags = (f"--ignore-certificate-errors-spki-list={spki_hash(pem)}", f"--host-resolver-rules=MAP {HOST} 127.0.0.1")
    with (
        ServerProcess(certs, tmp_path / "data", "--web-host", HOST).start() as server,
        chromium(*flags) as browser,
    ):
        relay = TlsRelay(pem, server)
        visitor = Visitor(browser, f"https://{HOST}:{relay.port}", locale="en-GB", **LAPTOP)
        yield visitor
        visitor.close()
        relay.close()
        visitor.expect_clean()


def test_a_person_behind_a_proxy_can_chat(visitor: Visitor) -> None:
    page = visitor.open()
    page.get_by_label("Name").fill("ana")
    page.get_by_role("button", name="Join").click()
    page.get_by_role("textbox", name="Message #lobby").fill("behind the proxy")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("behind the proxy", exact=True).wait_for()
