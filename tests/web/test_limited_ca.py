"""A browser in which the server's CA is installed takes its server, and refuses what the CA may not certify."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import queue
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.tls.hostnames import parse_names
from securechat.tls.issuing import Issuer, certificate_pem, new_authority, new_server_leaf
from tests.support import nss_database
from tests.support.browser import CHROMIUM, chromium
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only there Chromium reads an NSS database"
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"
)
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

NOW = dt.datetime.now(dt.UTC)
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nConnection: close\r\n\r\nCAME-IN!"


def show(home: Path, address: str) -> str:
    """What a Chromium of this home directory shows at an address, or its error; every name leads to this machine."""
    from playwright.sync_api import Error

    with chromium("--host-resolver-rules=MAP * 127.0.0.1", env={**os.environ, "HOME": str(home)}) as browser:
        page = browser.new_page()
        try:
            page.goto(address)
        except Error as error:
            return str(error)
        return page.content()


@contextlib.contextmanager
def serving(issuer: Issuer, name: str, folder: Path) -> Iterator[tuple[int, queue.Queue[bool]]]:
    """A server with a certificate for one name; yields its port, and whether each connection brought a request."""
    came: queue.Queue[bool] = queue.Queue()
    path = folder / "leaf.pem"
    path.write_bytes(new_server_leaf(issuer, parse_names([name]), NOW).to_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def answer(listening: socket.socket) -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with plain, context.wrap_socket(plain, server_side=True) as tls:
                    came.put(bool(tls.recv(4096)))
                    tls.sendall(PAGE)
            except OSError:
                came.put(False)

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=answer, args=(listening,))
    thread.start()
    try:
        yield listening.getsockname()[1], came
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@needs_chromium
def test_the_page_comes_without_a_warning_where_the_ca_is_installed(certs: Path, tmp_path: Path) -> None:
    nss_database.trust(tmp_path / ".pki" / "nssdb", certs / "ca.pem")
    with ServerProcess(certs, tmp_path / "data").start() as server:
        for host in ("localhost", "127.0.0.1"):
            assert "securechat" in show(tmp_path, f"https://{host}:{server.port}/").lower(), host
        assert "ERR_CERT_AUTHORITY_INVALID" in show(tmp_path / "other", f"https://localhost:{server.port}/")


@needs_chromium
@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("chat.example.org", True),
        ("bank.example", False),
        ("1.1.1.1", False),
        *(
            pytest.param(name, accepted, marks=pytest.mark.slow)  # each starts a browser
            for name, accepted in (
                ("sub.chat.example.org", True),
                ("den.local", True),
                ("192.168.1.7", True),
                ("example.org", False),
                ("dev", True),
                ("web.dev", False),
            )
        ),
    ],
)
def test_chromium_keeps_to_the_limits(tmp_path: Path, name: str, accepted: bool) -> None:
    issuer = new_authority(NOW, parse_names(["chat.example.org", "dev"]))
    (tmp_path / "ca.pem").write_bytes(certificate_pem(issuer.certificate))
    nss_database.trust(tmp_path / ".pki" / "nssdb", tmp_path / "ca.pem")
    with serving(issuer, name, tmp_path) as (port, _came):
        shown = show(tmp_path, f"https://{name}:{port}/")
    if accepted:
        assert "CAME-IN!" in shown, re.findall(r"ERR_\w+", shown)
    else:
        assert "ERR_CERT_INVALID" in shown


@pytest.mark.skipif(FIREFOX is None, reason="no Firefox on this machine (Debian: apt install firefox-esr)")
@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("chat.example.org", True),
        ("bank.example", False),
        pytest.param("den.local", True, marks=pytest.mark.slow),
        pytest.param("dev", True, marks=pytest.mark.slow),
        pytest.param("web.dev", False, marks=pytest.mark.slow),
    ],
)
def test_firefox_keeps_to_the_limits(tmp_path: Path, name: str, accepted: bool) -> None:
    assert FIREFOX is not None
    issuer = new_authority(NOW, parse_names(["chat.example.org", "dev"]))
    (tmp_path / "ca.pem").write_bytes(certificate_pem(issuer.certificate))
    profile = tmp_path / "profile"
    nss_database.trust(profile, tmp_path / "ca.pem")
    (profile / "user.js").write_text(f'user_pref("network.dns.localDomains", "{name}");\n')
    with serving(issuer, name, tmp_path) as (port, came):
        command = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--screenshot",
                   str(tmp_path / "shot.png"), f"https://{name}:{port}/"]  # fmt: skip
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env={**os.environ, "HOME": str(tmp_path)}, **quiet) as firefox:
            try:
                while came.get(timeout=60) != accepted:
                    assert accepted, "a request came"  # a connection that it opened ahead brings none
            finally:
                firefox.kill()
