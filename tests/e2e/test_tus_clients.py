"""Clients of tus that others wrote send files to this server."""

from __future__ import annotations

import io
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import ApiClient, make_token
from tests.support.server import ServerProcess

tusclient: Any = pytest.importorskip("tusclient.client", reason="tuspy is not installed")


@pytest.fixture
def trusted(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca))  # tuspy has no option for it
    return server


@pytest.fixture
def server(certs: Path, tmp_path: Path) -> Any:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        yield server


@pytest.mark.parametrize("checksum", [False, True])
def test_tuspy_sends_a_file_and_goes_on_after_a_break(trusted: ServerProcess, checksum: bool) -> None:
    server, body = trusted, secrets.token_bytes(300_000)
    token = make_token(server, "deploy", "post", "read", "files")
    url = f"https://{server.host}:{server.port}/api/v1/uploads"
    mine = tusclient.TusClient(url, headers={"Authorization": f"Bearer {token}"})
    options = {"chunk_size": 100_000, "metadata": {"filename": "log.bin"}, "upload_checksum": checksum}
    uploader = mine.uploader(file_stream=io.BytesIO(body), **options)
    uploader.upload_chunk()
    assert uploader.offset == 100_000
    again = mine.uploader(file_stream=io.BytesIO(body), url=uploader.url, **options)
    assert again.offset == 100_000
    again.upload()
    file_id = uploader.url.split("/")[-2]
    with ApiClient(server, token) as api:
        posted = api.post_json("/rooms/lobby/messages", {"text": "", "files": [file_id]})
        assert posted.status == 201, posted
        assert api.get(f"/files/{file_id}").body == body
