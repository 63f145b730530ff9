"""Files that the version before the great renaming wrote go on working: a backup, a client's memory, a configuration.

`tests/fixtures/before_renaming` was made by that version: ann made an account with an invite, said two lines, and the
server was backed up while it ran.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
from pathlib import Path

import apsw
import pytest

from securechat.server.config.loading import read
from securechat.tls.certificate_directory import ensure_server
from tests.support.admin import admin
from tests.support.client import run_client
from tests.support.server import ServerProcess

FIXTURES = Path(__file__).parents[1] / "fixtures" / "before_renaming"
PORT_THEN = "28443"


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    """The server of then, restored; its login and its certificate, which are over by now, are made to last."""
    archive, data, certs = tmp_path / "backup.tar", tmp_path / "data", tmp_path / "certs"
    archive.write_bytes(lzma.decompress((FIXTURES / "backup.tar.xz").read_bytes()))
    done = admin(data, "restore", str(archive), "--certs", str(certs))
    assert done.returncode == 0, done.stderr
    ensure_server(certs, always=True)
    with apsw.Connection(str(data / "securechat.db")) as connection:
        connection.execute("UPDATE logins SET expires_at_ms = 9007199254740991")
    return ServerProcess(certs, data)


def test_a_backup_and_a_clients_memory_of_before_work_together(server: ServerProcess, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(FIXTURES / "state", state)
    with server.start():
        for path in state.rglob("*.json"):
            path.write_text(path.read_text(encoding="utf-8").replace(PORT_THEN, str(server.port)), encoding="utf-8")
            path.chmod(0o600)
        environment = {**os.environ, "SECURECHAT_STATE": str(state)}
        sent = run_client("--send", "--room", "ops", stdin="a line of today\n", env=environment)
        assert sent.returncode == 0, sent.stderr
        assert "as ann" in sent.stderr
        assert server.stop() == 0
    checked = admin(server.data, "check", "--cert", str(server.certs / "server.pem"))
    assert checked.returncode == 0, checked.stdout
    with apsw.Connection(str(server.data / "securechat.db"), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        texts = [text for (text,) in connection.execute("SELECT text FROM messages ORDER BY seq")]
        senders = connection.execute("SELECT count(DISTINCT sender_id) FROM messages").get
    assert texts == ["hello from before", "and one more", "a line of today"]
    assert senders == 1, "it is the same person, by the login that the client remembers"


def test_a_configuration_of_before_is_read_without_a_word() -> None:
    reading = read(["--config", str(FIXTURES / "securechat.toml")], {})
    assert reading.warnings == ()
    assert {name for name, given in reading.given.items() if given.origin.place}


def test_the_memory_of_before_has_the_words_that_are_read_now() -> None:
    """A field that got another name would be taken for missing, and the login for none."""
    for path in (FIXTURES / "state").rglob("*.json"):
        assert {"host", "port"} <= json.loads(path.read_text(encoding="utf-8")).keys()
