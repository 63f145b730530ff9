"""Backup under load, restored and served again; and what `restore` and `check` refuse to believe."""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.model import Acked, Hello, Register, Registered, Search, SearchPage, Welcome
from securechat.tls.certificate_directory import ensure_server
from tests.e2e.conftest import Connect
from tests.support.admin import admin, needs_socket, refused, row, told
from tests.support.native import NativeClient
from tests.support.secrecy import PASSWORD, keep_secret
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def filled(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a server that was stopped: an account, two rooms and some messages."""
    data = tmp_path_factory.mktemp("filled") / "data"
    with ServerProcess(certs, data, "--rate-limit", "off").start() as server:
        with NativeClient(server.port, server.ca) as ann:
            ann.hello("ann")
            ann.send(Register(ref=77, password=PASSWORD))
            keep_secret(ann.wait_for(Registered).token)
            ann.join("lab")
            for number in range(50):
                ann.say_acked(f"message {number}", "lab" if number % 2 else "lobby")
        server.stop()
    return data


@pytest.fixture
def full(certs: Path, filled: Path, tmp_path: Path) -> ServerProcess:
    """A stopped server of its own with this data."""
    shutil.copytree(filled, tmp_path / "data")
    return ServerProcess(certs, tmp_path / "data", "--rate-limit", "off")


@pytest.fixture(scope="module")
def packed(certs: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of it."""
    archive = tmp_path_factory.mktemp("packed") / "backup.tar"
    told(ServerProcess(certs, filled), "backup", str(archive), "--cert", str(certs / "server.pem"))
    return archive.read_bytes()


class Flood:
    """Somebody who writes all the time, in a thread; what was acknowledged is counted."""

    def __init__(self, server: ServerProcess) -> None:
        self.client = NativeClient(server.port, server.ca)
        self.client.hello("flood")
        self.acked = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._over.is_set():
            sent = [self.client.say(f"flood {number}") for number in range(self.acked, self.acked + 16)]
            self.client.wait_for(Acked, lambda acked, last=sent[-1]: acked.client_id == last)  # type: ignore[misc]
            self.client.events.clear()
            self.acked += 16

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        self.client.close()


@needs_socket
def test_a_backup_made_under_load_is_a_server_again(certs: Path, tmp_path: Path, connect: Connect) -> None:
    archive = tmp_path / "backup.tar"
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        ann = connect(server, "ann")
        ann.send(Register(ref=77, password=PASSWORD))
        keep_secret(ann.wait_for(Registered).token)
        ann.join("lab")
        ann.say_acked("kept", "lab")
        pin = row(server, "status")["ca_fingerprint"]
        flood = Flood(server)
        try:
            rounds = []
            for _ in range(3):
                before = flood.acked
                made = row(server, "backup", str(archive), "--force")
                rounds.append((before, made["counts"]["messages"], flood.acked))
        finally:
            flood.end()
    for before, stored, after in rounds:
        assert before + 1 <= stored <= after + 17  # with ann's, and a burst under way
    assert rounds[-1][2] > rounds[0][0], "nothing was acknowledged meanwhile: no load"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "data"]

    done = admin(tmp_path / "again", "restore", str(archive), "--certs", str(tmp_path / "again-certs"))
    assert done.returncode == 0, done.stderr
    assert "securechat-server --cert" in done.stdout
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "again" / "securechat.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "again-certs" / "server.pem").stat().st_mode) == 0o600

    with ServerProcess(tmp_path / "again-certs", tmp_path / "again", "--rate-limit", "off").start() as server:
        assert row(server, "status")["ca_fingerprint"] == pin
        with NativeClient(server.port, certs / "ca.pem") as again:  # a client that trusts the old CA
            again.send(Hello(version=1, name="ann", secret=again.secret, client="test/1", password=PASSWORD))
            keep_secret(again.wait_for(Welcome).token)
            again.join("lab")
            assert [message.text for message in again.history("lab")] == ["kept"]
            texts = [message.text for message in again.history("lobby")]
            assert texts == [f"flood {number}" for number in range(rounds[-1][1] - 1)]
        assert admin(server.data, "check", "--json").stdout == '{"findings": 0}\n'


@pytest.mark.cold
def test_without_a_server_backup_and_audit_work_as_well(full: ServerProcess, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    printed = told(full, "backup", str(archive), "--cert", str(full.certs / "server.pem"), "--with-ca-key")
    assert "50 messages, 1 account," in printed
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["securechat.db", "server.pem", "ca.pem", "ca.key", "manifest.json"]
    assert "Choose another name" in refused(
        full.data, 1, "backup", str(archive), "--cert", str(full.certs / "server.pem")
    )
    assert "register" in told(full, "audit")
    assert "--data" in refused(tmp_path / "nowhere", 5, "audit")


def test_restore_overwrites_nothing_and_no_running_server(full: ServerProcess, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    told(full, "backup", str(archive), "--cert", str(full.certs / "server.pem"))
    certs = str(tmp_path / "c")
    assert "not empty" in refused(full.data, 1, "restore", str(archive), "--certs", certs)
    assert "not empty" in refused(tmp_path / "d", 1, "restore", str(archive), "--certs", str(full.certs))
    full.start()
    assert "already uses" in refused(full.data, 1, "restore", str(archive), "--certs", certs)
    full.kill()
    assert "no file" in refused(tmp_path / "d", 5, "restore", str(tmp_path / "none.tar"), "--certs", certs)
    assert not (tmp_path / "d").exists()
    assert not (tmp_path / "c").exists()


def _spoil_byte(members: dict[str, bytes]) -> None:
    database = bytearray(members["securechat.db"])
    database[len(database) // 2] ^= 1
    members["securechat.db"] = bytes(database)


def _escape(members: dict[str, bytes]) -> None:
    members["../escaped"] = b"x"


def _absolute(members: dict[str, bytes]) -> None:
    members["/tmp/securechat-escaped"] = b"x"


def _lose_the_manifest(members: dict[str, bytes]) -> None:
    del members["manifest.json"]


def _lose_the_database(members: dict[str, bytes]) -> None:
    del members["securechat.db"]


def _come_from_the_future(members: dict[str, bytes]) -> None:
    members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | {"format": 3}).encode()


@pytest.mark.parametrize(
    "spoil", [_spoil_byte, _escape, _absolute, _lose_the_manifest, _lose_the_database, _come_from_the_future]
)
def test_a_backup_that_is_not_what_was_packed_is_refused(
    packed: bytes, tmp_path: Path, spoil: Callable[[dict[str, bytes]], None]
) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    spoil(members)
    archive = tmp_path / "backup.tar"
    with tarfile.open(archive, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    sentence = refused(tmp_path / "d" / "deep", 1, "restore", str(archive), "--certs", str(tmp_path / "c"))
    assert "Use another one" in sentence or "newer" in sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar"]


def test_links_and_cut_off_files_are_refused(packed: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    for length in (0, 100, 1_000, len(packed) // 2):
        archive.write_bytes(packed[:length])
        refused(tmp_path / "d", 1, "restore", str(archive), "--certs", str(tmp_path / "c"))
    with tarfile.open(archive, "w") as tar:
        link = tarfile.TarInfo("securechat.db")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    refused(tmp_path / "d", 1, "restore", str(archive), "--certs", str(tmp_path / "c"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar"]


@pytest.mark.cold
def test_check_finds_what_is_wrong_and_says_what_mends_it(full: ServerProcess, tmp_path: Path) -> None:
    ensure_server(tmp_path / "own")
    cert = tmp_path / "own" / "server.pem"
    words = ["check", "--cert", str(cert)]
    assert "No problems found" in told(full, *words)
    full.data.chmod(0o755)
    (full.data / "securechat.db").chmod(0o644)
    cert.chmod(0o644)
    full.start()
    full.kill()
    done = admin(full.data, *words, "--json")
    assert done.returncode == 4, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[-1] == {"findings": len(found) - 1}
    words_found = [finding["finding"] for finding in found[:-1]]
    assert words_found.count("permissions") >= 2  # the directory, the key; the server mends its own file at a start
    assert "socket" in words_found or not (full.data / "admin.sock").exists()
    fixes = [finding["fix"] for finding in found[:-1]]
    assert f"chmod 700 {full.data}" in fixes
    assert f"chmod 600 {cert}" in fixes
    assert "fix:" in admin(full.data, *words).stdout


def test_check_finds_a_damaged_database(full: ServerProcess) -> None:
    database = full.data / "securechat.db"
    content = bytearray(database.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 + 100 : page * 4096 + 200] = b"\xff" * 100
    database.write_bytes(bytes(content))
    done = admin(full.data, "check", "--cert", str(full.certs / "server.pem"))
    assert done.returncode == 4
    assert "database: " in done.stdout
    assert "restore" in done.stdout


def test_check_and_the_server_say_that_the_database_is_gone(full: ServerProcess) -> None:
    with full.start(), NativeClient(full.port, full.ca) as ann:
        ann.hello("guest")
        ann.send(Search(7, "message"))
        ann.wait_for(SearchPage)  # for which the index was made
        full.stop()
    database = full.data / "securechat.db"
    database.rename(full.data.parent / "elsewhere")
    check = ["check", "--cert", str(full.certs / "server.pem")]
    for state in ("missing", "empty"):
        done = admin(full.data, *check)
        assert done.returncode == 4
        assert f"lost: {database} is {state}, but search.db is the index of a log with" in done.stdout
        full.start(wait=False)
        assert full.wait() == 4
        assert f"is {state}, but search.db" in full.stderr
        database.touch()


def test_a_damaged_journal_stops_the_start_until_recover_was_told_to_go_on(full: ServerProcess) -> None:
    with full.start(), NativeClient(full.port, full.ca) as ann:
        ann.hello("guest")
        for number in range(8):
            ann.say_acked(f"after the start {number}")
        full.kill()
    journal = full.data / "securechat.db-wal"
    content = bytearray(journal.read_bytes())
    content[32 + 24 + 2000] ^= 4  # in the first page
    journal.write_bytes(bytes(content))
    assert "is damaged after page 0" in admin(full.data, "check", "--cert", str(full.certs / "server.pem")).stdout
    full.start(wait=False)
    assert full.wait() == 4
    assert f"securechat-admin recover --data {full.data}" in full.stderr
    question = refused(full.data, 2, "recover")
    lost = re.search(r"at least \d+ transactions \(\d+ pages\)", question)
    assert lost is not None and question.index(lost[0]) < question.index("add --yes")
    done = told(full, "recover", "--yes")
    assert f"Lost: {lost[0]}" in done
    assert "A copy of the whole journal" in done
    (copy,) = full.data.glob("securechat.db-wal.damaged-*")
    assert copy.read_bytes() == bytes(content)
    assert "Nothing was changed" in told(full, "recover")
    with full.start(), NativeClient(full.port, full.ca) as ann:
        ann.hello("guest")
        running = refused(full.data, 1, "recover", "--yes")
        assert f"The server (process {full.pid}) is running. Stop it first" in running


# --- In Bahasa Indonesia ----------------------------------------------------------------------------------------------


@pytest.mark.not_pseudo("chooses the language itself")
@pytest.mark.parametrize(
    ("cut", "english", "indonesian"),
    [
        (lambda packed: packed[:3000], "unexpected end of data", "isinya terputus"),
        (lambda packed: b"\xaa" * 8000, "invalid header", "header tidak sah"),
        (lambda packed: packed[:100], "truncated header", "header terpotong"),
        (lambda packed: b"", "empty file", "file kosong"),
    ],
)
def test_why_a_file_is_no_backup_is_told_in_the_users_language(
    packed: bytes,
    tmp_path: Path,
    cut: Callable[[bytes], bytes],
    english: str,
    indonesian: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = tmp_path / "backup.tar"
    archive.write_bytes(cut(packed))
    words = ("restore", str(archive), "--certs", str(tmp_path / "certs"))
    for language, why in (("en", english), ("id", indonesian)):
        monkeypatch.setenv("LC_ALL", language)
        assert f"({why})" in admin(tmp_path / "new", *words).stderr


@needs_socket
@pytest.mark.not_pseudo("chooses the language itself")
def test_a_database_that_cannot_be_read_to_its_end_is_told_in_the_users_language(
    full: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = full.data / "securechat.db"
    with database.open("r+b") as file:  # all pages but the first ones
        file.seek(4 * 4096)
        file.write(b"\xaa" * (database.stat().st_size - 4 * 4096))
    for language, why in (("en", "database disk image is malformed"), ("id", "isi database rusak")):
        monkeypatch.setenv("LC_ALL", language)
        assert why in admin(full.data, "check").stdout


@needs_socket
@pytest.mark.not_pseudo("chooses the language itself")
def test_why_searching_does_not_work_is_told_in_the_users_language(
    certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "search.db").mkdir(parents=True)
    (tmp_path / "data").chmod(0o700)
    with ServerProcess(certs, tmp_path / "data").start() as server:
        server.wait_for_line("the search index cannot be written")
        monkeypatch.setenv("LC_ALL", "en")
        english = row(server, "status")["search_trouble"]
        assert "it is a directory, not a regular file; move it away): searches miss" in english
        assert re.search(rf"^search: +{re.escape(english)}$", told(server, "status"), re.MULTILINE)
        monkeypatch.setenv("LC_ALL", "id")
        assert row(server, "status")["search_trouble"] == english
        (line,) = [line for line in told(server, "status").splitlines() if line.startswith("pencarian:")]
        assert "indeks pencarian tidak bisa ditulis" in line
        for word in ("cannot", "directory", "regular", "search index", "again"):
            assert word not in line
