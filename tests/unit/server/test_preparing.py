"""What programs ask for first costs the loop no import: `ProgramPaths.prepare` has done them in a thread."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from securechat.server.web.programs import ProgramPrefixes
from securechat.server.web.server import WebServer
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


def test_the_start_prepares_them_in_its_thread() -> None:
    paths, posted = FakePaths(), []
    site = SimpleNamespace(packed_files=dict, use=posted.append)
    loop = SimpleNamespace(post=lambda callback: callback())
    WebServer.prepare(cast("WebServer", SimpleNamespace(programs=paths, site=site, _loop=loop)))
    assert paths.is_prepared
    assert posted == [{}]


def test_the_description_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    api = ApiRig()
    api.paths.prepare()
    monkeypatch.setattr("securechat.server.api.openapi.description", None)
    answers: list[object] = []
    head = Request("GET", "/api/v1/openapi.json", Authority("a", 443), None, (), 0)
    api.paths.begin(head, "127.0.0.1").receive(b"", answers.append)
    assert len(answers) == 1
