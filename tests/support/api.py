"""Programs of the HTTP API in tests: an account with a token, requests over TLS, and the real curl."""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import ssl
import subprocess
from typing import Any
from urllib.parse import quote

import pytest

from securechat.model import AddToken, Hello, TokenMade, TokenScope, Welcome
from tests.support.admin import row
from tests.support.native import NativeClient
from tests.support.server import PATIENCE_S, ServerProcess


def make_token(server: ServerProcess, name: str, *scopes: TokenScope) -> str:
    """Make an account, and return an API token of it that posts and reads, or has other scopes."""
    link = row(server, "invite", "--host", f"{server.host}:{server.port}")["link"]
    invite = next(part for part in link.split("/") if len(part) == 32)
    with NativeClient(server.port, server.ca, host=server.host) as client:
        hello = Hello(1, name, client.secret, password=secrets.token_hex(8), invite=invite)
        client.send(hello)
        client.wait_for(Welcome)
        client.send(AddToken(2, "api", list(scopes) or ["post", "read"]))
        return client.wait_for(TokenMade).token


class ApiAnswerRead:
    """An answer: status, headers with small names, body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"{self.status} {self.body!r}"


class ApiClient:
    """A kept connection of one program.

    Args:
        server: which one.
        token: of every request; None for none.
    """

    def __init__(self, server: ServerProcess, token: str | None) -> None:
        context = ssl.create_default_context(cafile=str(server.ca))
        self._connection = http.client.HTTPSConnection(server.host, server.port, context=context, timeout=PATIENCE_S)
        self._token = token

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> ApiAnswerRead:
        """Ask below ``/api/v1``; ``_`` in the name of a header is ``-``."""
        return self._asked(method, f"/api/v1{path}", body, headers)

    def _asked(self, method: str, path: str, body: bytes | str | None, headers: dict[str, str]) -> ApiAnswerRead:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._token is not None:
            named.setdefault("Authorization", f"Bearer {self._token}")
        if isinstance(body, str):
            body = body.encode()
        self._connection.request(method, path, body, named)
        with self._connection.getresponse() as answer:
            found = {name.lower(): value for name, value in answer.getheaders()}
            return ApiAnswerRead(answer.status, found, answer.read())

    def ask_path(self, method: str, path: str, **headers: str) -> ApiAnswerRead:
        """Ask elsewhere on this server."""
        return self._asked(method, path, None, headers)

    def get(self, path: str, **headers: str) -> ApiAnswerRead:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: bytes | str, **headers: str) -> ApiAnswerRead:
        return self.ask("POST", path, body, **headers)

    def post_json(self, path: str, record: object, **headers: str) -> ApiAnswerRead:
        return self.ask("POST", path, json.dumps(record), Content_Type="application/json", **headers)

    def say(self, text: str, room: str = "lobby", **headers: str) -> int:
        """Post a message; fails on a refusal. Returns its seq."""
        answer = self.post(f"/rooms/{quote(room, safe='')}/messages", text, **headers)
        assert answer.status == 201, answer
        return int(answer.json["seq"])

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def curl(server: ServerProcess, token: str | None, path: str, *flags: str, stdin: str | None = None) -> ApiAnswerRead:
    """Run curl as a user would; fails if it does. Skips the test where there is none."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    done = subprocess.run(
        curl_command(server, token, path, *flags),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return ApiAnswerRead(int(status), {}, body.encode())


def curl_command(server: ServerProcess, token: str | None, path: str, *flags: str) -> list[str]:
    """The command line of `curl`."""
    authorization = [] if token is None else ["-H", f"Authorization: Bearer {token}"]
    url = f"https://{server.host}:{server.port}/api/v1{path}"
    return ["curl", "-sS", "--cacert", str(server.ca), *authorization, "-w", r"\n%{http_code}", *flags, url]
