"""Backups of files: made in a loop while clients of every kind send and delete; and one of before there were files."""

from __future__ import annotations

import json
import lzma
import random
import shutil
import sys
import tarfile
from pathlib import Path

import apsw
import pytest

from securechat.storage.sqlite.store import DATABASE
from tests.support.admin import admin, needs_socket, row
from tests.support.api import ApiClient, make_token
from tests.support.file_load import FLAGS, Load, look
from tests.support.native import NativeClient
from tests.support.promised_files import Promised, check_numbers
from tests.support.server import ServerProcess, wait_until

BEFORE_FILES = Path(__file__).parents[1] / "fixtures" / "before_files" / "backup.tar.xz"
"""Made by the version before files while it ran: archive of format 1, database of format 9; ann said three lines, and
deleted a fourth one."""
OLD_FORMAT = 9


@needs_socket
@pytest.mark.skipif(sys.platform == "win32" or shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("rounds", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_each_backup_during_uploads_and_deletions_is_whole(certs: Path, tmp_path: Path, rounds: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    (tmp_path / "sent").mkdir()
    again, archive, files, missed = tmp_path / "again", tmp_path / "backup.tar", [], 0
    with ServerProcess(certs, tmp_path / "data", *FLAGS).start() as server:
        load = Load(server, tmp_path / "sent", seed)
        load.introduce()
        load.start()
        try:
            for number in range(rounds):
                goal = load.happened + 2
                wait_until(lambda goal=goal: load.problem or load.happened >= goal, "the load gets on")  # type: ignore[misc]
                load.check_health()
                before, _ = load.snapshot()
                deleted = load.acked["delete"]
                made = row(server, "backup", str(archive), "--force")
                after, possible = load.snapshot()
                missed += load.acked["delete"] > deleted
                assert unlike_in(archive) == []
                shutil.rmtree(again, ignore_errors=True)
                shutil.rmtree(tmp_path / "again-certs", ignore_errors=True)
                done = admin(again, "restore", str(archive), "--certs", str(tmp_path / "again-certs"))
                assert done.returncode == 0, done.stderr
                checked = admin(again, "check", "--cert", str(tmp_path / "again-certs" / "server.pem"), "--json")
                assert checked.stdout == '{"findings": 0}\n', checked.stdout
                ever = before | possible | load.deleted
                files.append(look(again, tmp_path / f"look{number}", before & after, ever))
                assert made["files"] is True
        finally:
            load.enough.set()
        load.finish()
        assert files[-1] > files[0], "nothing was sent meanwhile: no load"
        assert load.acked["delete"], "nothing was deleted meanwhile"
    print(f"{rounds} backups, {missed} with a deletion beside them; files in each: {files}")
    restored = Promised()
    restored.whole = texts_with_digests(again)
    with ServerProcess(tmp_path / "again-certs", again, *FLAGS).start() as second:
        shown = restored.check(second, load.token)
        assert len(shown) == files[-1]
        restored.check_disk(second, shown, set())
        check_numbers(second, shown)


def unlike_in(archive: Path) -> list[str]:
    """The ids of files that were not packed as they were stored."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("manifest.json")
        assert member is not None
        found = json.load(member)
    return [*found["missing_files"], *found["damaged_files"]]


def texts_with_digests(data: Path) -> dict[str, str | None]:
    with apsw.Connection(str(data / DATABASE)) as log:
        rows = log.execute("SELECT text, sha256 FROM files JOIN messages USING (seq)").fetchall()
    return {text.partition("\n")[0]: digest.hex() for text, digest in rows}


@pytest.fixture
def before_files(certs: Path, tmp_path: Path) -> ServerProcess:
    """The server of before there were files, restored; with another certificate, because its own is over by now."""
    archive, data = tmp_path / "backup.tar", tmp_path / "data"
    archive.write_bytes(lzma.decompress(BEFORE_FILES.read_bytes()))
    done = admin(data, "restore", str(archive), "--certs", str(tmp_path / "old-certs"))
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    with apsw.Connection(str(data / DATABASE)) as log:
        assert log.pragma("user_version") == OLD_FORMAT
    return ServerProcess(certs, data, "--rate-limit", "off")


@needs_socket
def test_a_backup_and_a_database_of_before_files_take_files(before_files: ServerProcess, tmp_path: Path) -> None:
    cert = str(before_files.certs / "server.pem")
    with before_files.start() as server:
        token = make_token(server, "deploy", "post", "read", "files")
        with NativeClient(server.port, server.ca) as guest, ApiClient(server, token) as api:
            guest.hello("guest")
            texts = [(message.text, message.deleted is not None) for message in guest.history("lobby")]
            assert texts == [("line 0 of before files", False), ("line 2 of before files", False), ("", True)]
            sent = api.ask("PUT", "/rooms/lobby/files/a.txt?text=with+a+file", b"as it is")
            assert sent.status == 201, sent
            (file,) = guest.wait_for_text("with a file\n[file: a.txt, 8 B]").files
            assert api.get(f"/files/{file.id}").body == b"as it is"
        made = row(server, "backup", str(tmp_path / "new.tar"))
        assert made["files"] is True
        assert server.stop() == 0
    assert admin(before_files.data, "check", "--cert", cert, "--json").stdout == '{"findings": 0}\n'
