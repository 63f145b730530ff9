"""The commands of `securechat-admin` about files of messages, from the command line."""

import json

import pytest

from tests.support.admin import admin
from tests.support.file_data import FileData

NOTES, PHOTO = "ab" * 16, "ac" * 16


@pytest.mark.cold
def test_the_commands_without_a_server(certs, tmp_path):
    data = tmp_path / "data"
    with FileData(data) as world:
        world.send(NOTES, b"notes", "notes.txt")
        world.send(PHOTO, b"pixels" * 1000, "photo.png", "ops", previews={320: b"few", 1600: b"more"})
        world.upload("ef" * 16, bytes(2048))
    pem = str(certs / "server.pem")
    done = admin(data, "files")
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()][1] == ["(1)", "2", "5.9", "KiB", "1:", "2", "KiB"]
    rooms = [json.loads(line) for line in admin(data, "files", "--rooms", "--json").stdout.splitlines()]
    assert [(row["room"], row["files"], row["kept_bytes"]) for row in rooms] == [("ops", 1, 6007), ("lobby", 1, 5)]
    made = admin(data, "backup", str(tmp_path / "b.tar"), "--cert", pem)
    assert made.returncode == 0, made.stderr
    assert "2 files of messages are in it" in made.stdout
    bare = admin(data, "backup", str(tmp_path / "bare.tar"), "--without-files", "--cert", pem, "--json")
    assert json.loads(bare.stdout)["files"] is False
    again = admin(tmp_path / "again", "restore", str(tmp_path / "b.tar"), "--certs", str(tmp_path / "again-certs"))
    assert again.returncode == 0, again.stderr
    assert "2 files of messages were restored, each with its SHA-256" in again.stdout
    (tmp_path / "again" / "files" / "ab" / NOTES).write_bytes(b"nites")
    checked = admin(tmp_path / "again", "check", "--cert", pem)
    assert checked.returncode == 4, checked.stdout + checked.stderr
    assert "file: File notes.txt of message 1 is not what was stored" in checked.stdout
    exported = admin(data, "export", "ops", "--to", str(tmp_path / "ops.jsonl"), "--files", str(tmp_path / "ops"))
    assert exported.returncode == 0, exported.stderr
    [line] = (tmp_path / "ops.jsonl").read_text().splitlines()
    path = json.loads(line)["files"][0]["path"]
    assert (tmp_path / "ops" / path).read_bytes() == b"pixels" * 1000
    assert "Copied 1 file to" in exported.stdout
    streamed = admin(data, "export", "lobby", "--files", str(tmp_path / "lobby"))
    assert json.loads(streamed.stdout)["files"][0]["path"] == "1-0/notes.txt"
    assert "Copied 1 file to" in streamed.stderr
