"""What programs ask for first costs the loop no import: `ProgramPaths.prepare` has done them in a thread."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from securechat.containment import Containment
from securechat.limits import Limits
from securechat.server.web.programs import ProgramPrefixes
from securechat.server.web.server import WebServer
from securechat.tls.hostnames import parse_names
from securechat.wire.http import Authority, Request
from tests.support.api_rig import ApiRig
from tests.unit.server.web.test_programs import FakePaths

ROOT = Path(__file__).parents[3]
SETTING = """
import sys
from securechat.records.accounts import AccountKind
from securechat.server.api.peers import ProgramPeers
from securechat.server.hooks.paths import HookPaths
from securechat.server.web.programs import ProgramPrefixes
from securechat.wire.http import Authority, Request
from tests.support.api_rig import ApiRig

api = ApiRig()
made = []
api.hub.admin_commands.programs.add_bot(
    "root", "grafana", kind=AccountKind.HOOK, rooms=["lobby"], scopes=[], days=None, done=made.append
)
api.settle()
hooks = HookPaths(api.hub, api.rig.limits, ProgramPeers(api.hub, api, api.rig.limits, api), lambda word, ignored: None)
paths = ProgramPrefixes({"/api/": api.paths, "/hooks/": hooks})
PREPARE
before = set(sys.modules)
answers = []
BODY = b'{"text": "*up*", "attachments": [{"title": "disk", "text": "full"}], "username": "disk watch"}'
for method, path, body in (("GET", "/api/v1/openapi.json", b""), ("POST", f"/hooks/{made[0].token}", BODY)):
    head = Request(method, path, Authority("a", 443), None, ((b"content-type", b"application/json"),), len(body))
    paths.begin(head, "127.0.0.1").receive(body, answers.append)
    api.settle()
print(len(answers), *sorted(name for name in set(sys.modules) - before if name.startswith("securechat")))
"""


def asked(prepare: str) -> list[str]:
    """Return the number of answers, and the modules that the first requests of a process have imported."""
    script = SETTING.replace("PREPARE", prepare)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_first_requests_import_nothing() -> None:
    assert asked("paths.prepare()") == ["2"]


def test_without_preparing_they_would() -> None:
    """The test above can fail."""
    answers, *imported = asked("")
    assert answers == "2"
    assert "securechat.server.api.openapi" in imported
    assert "securechat.server.hooks.rendering" in imported


def test_every_prefix_is_prepared() -> None:
    behind = {"/api/": FakePaths(), "/hooks/": FakePaths()}
    ProgramPrefixes(behind).prepare()
    assert all(paths.is_prepared for paths in behind.values())


class FakeLoop:
    """Keeps what is posted to it."""

    limits = Limits()
    containment = Containment(lambda failure: None)

    def __init__(self) -> None:
        self.posted: list[Callable[[], None]] = []

    def post(self, callback: Callable[[], None]) -> None:
        self.posted.append(callback)


def web_server(loop: FakeLoop, certificate: object, programs: FakePaths | None = None) -> WebServer:
    unused = cast("Any", None)
    return WebServer(
        cast("Any", loop), unused, cast("Any", certificate), (), version="1", access="open", on_visit=unused,
        upgrade=unused, readiness=unused, programs=programs,
    )  # fmt: skip


def certificate_of(ca_der: bytes | None) -> SimpleNamespace:
    return SimpleNamespace(names=parse_names(["chat.example"]), ca_fingerprint=None, ca_is_limited=False, ca_der=ca_der)


def answer(web: WebServer, path: str, *headers: tuple[bytes, bytes]) -> bytes:
    return web.site.answer(Request("GET", path, Authority("a", 443), None, headers), date="", closes=False)


def test_the_start_prepares_them_in_its_thread() -> None:
    paths, loop = FakePaths(), FakeLoop()
    web_server(loop, certificate_of(None), paths).prepare()
    assert paths.is_prepared
    assert len(loop.posted) == 1


def test_a_page_is_served_before_the_thread_has_prepared_it() -> None:
    gzip = (b"accept-encoding", b"gzip")
    loop = FakeLoop()
    web = web_server(loop, certificate_of(b"ca"))
    path = web.site.address("style.css")
    early = answer(web, path, gzip)
    assert early.startswith(b"HTTP/1.1 200 ")
    assert b"content-encoding: gzip" in early.lower()
    assert answer(web, "/ca.crt").endswith(b"ca")
    web.prepare()
    loop.posted.pop()()
    assert answer(web, path, gzip) == early


def test_a_certificate_renewed_while_the_thread_prepares_is_told() -> None:
    loop, certificate = FakeLoop(), certificate_of(b"older")
    web = web_server(loop, certificate)
    web.prepare()
    certificate.ca_der = b"newer"
    web.renewed()
    loop.posted.pop()()
    assert answer(web, "/ca.crt").endswith(b"newer")
    certificate.ca_der = b"newest"
    web.renewed()
    assert answer(web, "/ca.crt").endswith(b"newest")


def test_the_description_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    api = ApiRig()
    api.paths.prepare()
    monkeypatch.setattr("securechat.server.api.openapi.description", None)
    answers: list[object] = []
    head = Request("GET", "/api/v1/openapi.json", Authority("a", 443), None, (), 0)
    api.paths.begin(head, "127.0.0.1").receive(b"", answers.append)
    assert len(answers) == 1
