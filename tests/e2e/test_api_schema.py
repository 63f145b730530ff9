"""`schemathesis` asks a real server everything that its description allows, and what it does not; offline.

What stays out: event streams, which have no end; uploads in parts, which tus describes; and a request that keeps to
the description and is refused all the same with 422. The rules of names, texts and searches are those of Unicode
profiles and of a query language, which JSON Schema has no words for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api import ApiClient, make_token
from tests.support.client import ROOT
from tests.support.server import ServerProcess

COMMAND = shutil.which("schemathesis", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "503"]
"""
SEED = 20261130
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(COMMAND is None, reason="schemathesis is not installed"),
]


def run(server: ServerProcess, token: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run it; its exit status is 0 where it has found nothing."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    assert COMMAND is not None
    flags = ["--tls-verify", str(server.ca), "-H", f"Authorization: Bearer {token}", "--no-color", "--seed", f"{SEED}"]
    flags += ["--max-examples", "3", "--exclude-path", "/events", *more]
    url = f"https://{server.host}:{server.port}/api/v1/openapi.json"
    return subprocess.run(
        [COMMAND, "--config-file", str(config), "run", *flags, url],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


UNHURRIED = """
import securechat.limits as limits
init = limits.Limits.__init__
def generous(self, **given):
    init(self, **{**given, "request_burst": 100_000.0, "request_rate": 100_000.0})
limits.Limits.__init__ = generous
"""
"""Answers requests as fast as they come. With 5 a second after the burst, nine tenths of the time would be waiting."""


def customized(certs: Path, folder: Path, program: str) -> ServerProcess:
    """Return a server whose interpreter runs something first, which takes a cold start."""
    (folder / "sitecustomize.py").write_text(program)
    path = f"{folder}{os.pathsep}{ROOT}"
    return ServerProcess(certs, folder / "data", "--rate-limit", "off", env={"PYTHONPATH": path})


@pytest.mark.cold
def test_the_description_is_kept(certs: Path, tmp_path: Path) -> None:
    with customized(certs, tmp_path, UNHURRIED).start() as server:
        token = make_token(server, "deploy", "post", "read", "files")
        with ApiClient(server, token) as api:
            api.say("one")
        done = run(server, token, tmp_path, "--phases", "examples,coverage,fuzzing")
        assert done.returncode == 0, done.stdout[-4_000:] + done.stderr
        with ApiClient(server, token) as api:
            api.say("still here")


PLANTED = """
import securechat.server.api.routes as routes
made = routes._made
def wrong(record, status=200):
    answer = made(record, status)
    if FAULT == "status" and status == 201:
        return made(record, 202)
    body = answer.body.replace(b'"more":false', b'"more":"no"') if FAULT == "field" else answer.body
    return routes.ApiAnswer(answer.status, answer.head, body)
routes._made = wrong
"""


@pytest.mark.cold
@pytest.mark.parametrize("fault", ["status", "field"])
def test_an_answer_that_is_not_described_is_found(certs: Path, tmp_path: Path, fault: str) -> None:
    with customized(certs, tmp_path, f"FAULT = {fault!r}\n{UNHURRIED}{PLANTED}").start() as server:
        token = make_token(server, "deploy")
        with ApiClient(server, token) as api:
            api.post("/rooms/lobby/messages", "one")
        flags = ("--phases", "examples,fuzzing", "--include-path", "/rooms/{room}/messages")
        done = run(server, token, tmp_path, *flags)
        assert done.returncode == 1, done.stdout[-4_000:] + done.stderr
        assert {"status": "Undocumented status code", "field": "violates schema"}[fault] in done.stdout
