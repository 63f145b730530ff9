"""Advice is tried: what a sentence of check, backup, recover, restore or the start says to do, done, mends the fault.

Looked through: every ``fix`` of admin/health.py, every sentence of storage/sqlite/failures.py, loss.py and
storage/conditions.py, and those of admin/restore.py and admin/backup_archive.py. Tried elsewhere: damaged pages and
journals (test_admin_backup.py, test_warm.py, test_log_faults.py), a full disk (test_disk.py), a locked database
(test_locked_database.py). Not tried: ``mount``, ``timedatectl`` and a renewal of the CA, which change the machine.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from securechat.admin.restore import next_steps
from securechat.limits import Limits
from securechat.model import Draft, Search, SearchPage
from securechat.storage.sqlite.store import SqliteStore
from tests.e2e.test_locked_database import OtherProgram
from tests.support.admin import ADMIN, admin, refused
from tests.support.client import ROOT
from tests.support.native import NativeClient
from tests.support.server import ServerProcess

AS_USER = """
import os, sys
import securechat.admin.file_commands, securechat.admin.server_commands  # other users may not read this checkout
from securechat.cli.admin import main
os.setgroups([])
user = int(sys.argv.pop(1))
os.setresgid(user, user, user)
os.setresuid(user, user, user)
sys.exit(main())
"""
FOUR_HOURS_MS = 4 * 3_600_000
unprivileged = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can become other users"
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory of a stopped server, with a few messages."""
    store = SqliteStore(tmp_path / "data", Limits())
    store.open()
    store.apply([Draft(1, "ann", number, f"message {number}", "lobby") for number in range(1, 4)])
    store.close()
    return tmp_path / "data"


def findings(data: Path, certs: Path) -> list[dict[str, str]]:
    """The findings of check."""
    done = admin(data, "check", "--json", "--cert", str(certs / "server.pem"))
    assert done.returncode in {0, 4}, (done.stdout, done.stderr)
    return [row for row in map(json.loads, done.stdout.splitlines()) if "finding" in row]


def run_advice(fix: str) -> str:
    """Run a fix that is a command, as a shell would; commands of the product go to this checkout's."""
    fix = fix.replace("securechat-admin", shlex.join(ADMIN), 1)
    done = subprocess.run(["sh", "-c", fix], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 0, (fix, done.stdout, done.stderr)
    return done.stdout


def test_wrong_modes_and_a_left_behind_socket_are_mended_by_the_commands_of_check(data: Path, certs: Path) -> None:
    data.chmod(0o755)
    (data / "securechat.db").chmod(0o644)
    (data / "admin.sock").touch(0o600)
    found = findings(data, certs)
    assert sorted(row["finding"] for row in found) == ["permissions", "permissions", "socket"]
    for row in found:
        run_advice(row["fix"].partition("  (")[0])
    assert findings(data, certs) == []


def test_messages_from_the_future_are_said_in_the_log_and_mended_by_check(data: Path, certs: Path) -> None:
    ahead_ms = int(time.time() * 1000) + FOUR_HOURS_MS
    store = SqliteStore(data, Limits(), wall_ms=lambda: ahead_ms)
    store.open()
    store.apply([Draft(1, "ann", number, f"from the future {number}", "lobby") for number in range(4, 9)])
    store.close()
    damaged = apsw.Connection(str(data / "securechat.db"))
    damaged.execute("UPDATE messages SET text = 'changed by the disk' WHERE seq = 8")
    damaged.close()
    with ServerProcess(certs, data).start() as server:
        line = json.loads(server.wait_for_line("the newest message is from"))["text"]
        with NativeClient(server.port, server.ca) as bob:
            bob.hello("bob")
            bob.say_acked("said now")
            assert bob.history("lobby")[-1].sent_at_ms == ahead_ms, "times never decrease"
        assert "Stop it first" in refused(data, 1, "check", "--mend-times", "--yes")
        assert server.stop() == 0
    clock = next(row for row in findings(data, certs) if row["finding"] == "clock")
    command = clock["fix"].partition("stop the server, then: ")[2]
    assert command
    assert command in line, "the log and check give the same advice"
    assert "6 messages" in run_advice(f"{command} --yes")
    assert [row["finding"] for row in findings(data, certs)] == ["message"], "the damaged message stays damaged"
    with ServerProcess(certs, data).start() as server:
        with NativeClient(server.port, server.ca) as bob:
            bob.hello("bobby")
            bob.say_acked("said now, with its own time")
            messages = bob.history("lobby")
        assert [message.sent_at_ms for message in messages] == sorted(message.sent_at_ms for message in messages)
        assert messages[-1].sent_at_ms < ahead_ms - FOUR_HOURS_MS // 2
        assert [message.text for message in messages][3:7] == [f"from the future {number}" for number in range(4, 8)]
        assert not any("the newest message is from" in line for line in server.lines)
        assert server.stop() == 0


def test_a_locked_database_is_not_called_damaged(data: Path, certs: Path) -> None:
    other = OtherProgram(data / "securechat.db", "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT")
    (found,) = findings(data, certs)
    assert "locked by another program" in found["text"]
    assert found["fix"].startswith("close the program")
    assert "backup" not in found["fix"].partition(")")[2]
    other.let_go()  # as the sentence says
    assert findings(data, certs) == []


def test_a_key_elsewhere_is_named_with_key_as_the_sentence_says(data: Path, certs: Path, tmp_path: Path) -> None:
    pem = (certs / "server.pem").read_text(encoding="ascii")
    certificates, mark, key = pem.partition("-----BEGIN PRIVATE KEY-----")
    assert mark
    (tmp_path / "chain.pem").write_text(certificates, encoding="ascii")
    (tmp_path / "elsewhere.key").write_text(mark + key, encoding="ascii")
    (tmp_path / "elsewhere.key").chmod(0o600)
    named = ("--cert", str(tmp_path / "chain.pem"))
    elsewhere = ("--key", str(tmp_path / "elsewhere.key"))
    told = admin(data, "check", *named)
    assert (told.returncode, "or name it with --key" in told.stdout) == (4, True), told.stdout
    assert "No problems found" in admin(data, "check", *named, *elsewhere).stdout
    told = admin(data, "backup", str(tmp_path / "b.tar"), *named)
    assert (told.returncode, "or name it with --key" in told.stderr) == (5, True), told
    assert "server.key" in admin(data, "backup", str(tmp_path / "b.tar"), *named, *elsewhere).stdout
    with ServerProcess(certs, data).start() as server:  # the flags go before what the running server says
        told = admin(data, "check", "--key", str(tmp_path / "chain.pem"))
        assert (told.returncode, "holds no private key" in told.stdout) == (4, True), told.stdout
        assert "No problems found" in admin(data, "check", *elsewhere).stdout
        assert server.stop() == 0


@unprivileged
def test_another_user_is_told_to_be_the_right_one(data: Path, certs: Path) -> None:
    """The directory belongs to user 12345, and the tool runs as 54321, and then as 12345."""
    with tempfile.TemporaryDirectory() as place:  # tmp_path is closed to other users
        Path(place).chmod(0o755)
        _as_two_users(shutil.copytree(data, Path(place) / "data"), certs, Path(place))


def _as_two_users(data: Path, certs: Path, place: Path) -> None:
    for path in (data, *data.iterdir()):
        os.chown(path, 12345, 12345)
    certificate = place / "certs" / "server.pem"
    shutil.copytree(certs, certificate.parent)
    certificate.parent.chmod(0o755)

    def check_as(user: int) -> str:
        shutil.chown(certificate, user)
        command = [sys.executable, "-c", AS_USER, str(user), "check", "--data", str(data), "--cert", str(certificate)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
        return done.stdout + done.stderr

    told = check_as(54321)
    assert "run this as the user whom the data directory belongs to" in told
    assert "restore" not in told
    assert "No problems found" in check_as(12345)


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("unshare") is None, reason="needs unshare")
def test_a_read_only_mount_is_not_called_damaged(data: Path, certs: Path) -> None:
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77; shift; exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh", str(data)]

    def on_read_only(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*prefix, *command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)

    done = on_read_only(*ADMIN, "check", "--data", str(data), "--cert", str(certs / "server.pem"))
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("cannot mount here")
    assert "restore" not in done.stdout, done.stdout
    assert "read-only" in done.stdout
    server = [sys.executable, "-m", "securechat.cli.serve", "--port", "0", "--host", "127.0.0.1"]
    started = on_read_only(*server, "--cert", str(certs / "server.pem"), "--data", str(data))
    assert started.returncode == 4
    assert "read-only" in started.stderr.lower()
    assert findings(data, certs) == [], "mounted for writing, all is well"


# --- Backup and restore ---------------------------------------------------------------------------------------------


@pytest.fixture
def archive(data: Path, certs: Path, tmp_path: Path) -> Path:
    """A good backup of the data directory."""
    path = tmp_path / "good.tar"
    done = admin(data, "backup", str(path), "--cert", str(certs / "server.pem"))
    assert done.returncode == 0, done.stderr
    return path


def test_what_a_backup_is_refused_for_is_mended_as_the_sentence_says(data: Path, certs: Path, tmp_path: Path) -> None:
    """Each sentence of `backup` that a stopped server can get; too little space is in test_admin_backup.py."""
    without_key = tmp_path / "certs"
    without_key.mkdir()
    for name in ("server.pem", "ca.pem"):
        shutil.copy(certs / name, without_key)
    cert = ("--cert", str(without_key / "server.pem"))

    def expect(code: int, words: str, *arguments: str) -> None:
        done = admin(data, "backup", *arguments)
        assert (done.returncode, words in done.stderr) == (code, True), (words, done.stderr)
        assert not list(tmp_path.glob("**/*.part"))

    def works(*arguments: str) -> None:
        done = admin(data, "backup", *arguments)
        assert done.returncode == 0, done.stderr

    file = str(tmp_path / "new" / "b.tar")
    expect(5, "Make its directory first, or choose another FILE", file, *cert)
    works(str(tmp_path / "another.tar"), *cert)
    (tmp_path / "new").mkdir()
    works(file, *cert)
    expect(1, "Choose another name, or add --force to replace it", file, *cert)
    works(file, "--force", *cert)
    works(f"{file}2", *cert)
    expect(1, "Leave --with-ca-key out, or copy it there", f"{file}3", "--with-ca-key", *cert)
    works(f"{file}3", *cert)
    shutil.copy(certs / "ca.key", without_key)
    works(f"{file}4", "--with-ca-key", *cert)
    expect(5, "Name the server's certificate with --cert FILE", f"{file}5", "--cert", str(tmp_path / "none.pem"))
    works(f"{file}5", *cert)
    expect(2, "it is written to a file only. Name one", "-", *cert)
    elsewhere = admin(tmp_path / "nowhere", "backup", f"{file}6", *cert)
    assert (elsewhere.returncode, "--data" in elsewhere.stderr) == (5, True), elsewhere.stderr


def test_what_a_restore_is_refused_for_is_mended_as_the_sentence_says(
    data: Path, certs: Path, archive: Path, tmp_path: Path
) -> None:
    """Each sentence of `restore`; backups that are damaged in every way are in test_admin_backup.py."""
    new, new_certs = tmp_path / "new", tmp_path / "new-certs"

    def expect(words: str, code: int = 1, *, file: Path = archive, to: Path = new, to_certs: Path = new_certs) -> None:
        done = admin(to, "restore", str(file), "--certs", str(to_certs))
        assert (done.returncode, words in done.stderr) == (code, True), (words, done.stderr)

    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(archive.read_bytes()[:5000])
    expect("Use another one", file=damaged)
    expect("There is no file", 5, file=tmp_path / "none.tar")
    file = tmp_path / "a file"
    file.touch()
    expect("Choose another --data", to=file)
    expect("Choose another --certs", to_certs=file)
    expect("or choose another --certs", to_certs=certs)
    assert not new.exists()
    assert not new_certs.exists()
    with ServerProcess(certs, data).start() as server:
        expect("stop it, or choose another --data", to=data)
        assert server.stop() == 0
    expect("Move it away, or choose another --data", to=data)
    data.rename(tmp_path / "moved away")
    done = admin(data, "restore", str(archive), "--certs", str(new_certs))
    assert done.returncode == 0, done.stderr
    _start_as_told(done.stdout)


def _start_as_told(told: str) -> None:
    """Run the command under "Start it", on a free port, and look whether the messages are there."""
    command = shlex.split(told.partition("Start it:")[2])
    assert command[0] == "securechat-server"
    options = dict(zip(command[1::2], command[2::2], strict=True))
    with ServerProcess(Path(options["--cert"]).parent, Path(options["--data"])).start() as server:
        with NativeClient(server.port, server.ca) as bob:
            bob.hello("bob")
            assert [message.text for message in bob.history("lobby")] == [f"message {number}" for number in (1, 2, 3)]
        assert server.stop() == 0


def test_a_backup_without_a_certificate_says_how_to_make_one(data: Path, certs: Path, tmp_path: Path) -> None:
    assert "The backup contains no certificate" not in next_steps(data, certs, has_certificate=True)[0]
    told, makes_one = next_steps(tmp_path / "data", tmp_path / "new certs", has_certificate=False)
    assert "Make one" in told
    run_advice(makes_one.strip())
    with ServerProcess(tmp_path / "new certs", data).start() as server:
        assert server.stop() == 0


def test_a_damaged_database_is_replaced_as_check_says(data: Path, certs: Path, archive: Path, tmp_path: Path) -> None:
    content = bytearray((data / "securechat.db").read_bytes())
    content[4096:8192] = b"\xff" * 4096
    (data / "securechat.db").write_bytes(content)
    found = findings(data, certs)
    assert {row["finding"] for row in found} == {"database"}
    fix = found[0]["fix"]
    steps = ("stop the server", "move the data directory away", "restore the last good backup: ")
    assert [step in fix for step in steps] == [True] * 3
    data.rename(tmp_path / "moved away")
    usage = fix.partition(steps[-1])[2]
    for placeholder, value in (("FILE", archive), ("NEW-CERTS", tmp_path / "certs")):
        assert placeholder in usage, "the command is whole"
        usage = usage.replace(placeholder, shlex.quote(str(value)))
    _start_as_told(run_advice(usage))


def _wait_for_index(client: NativeClient, word: str) -> None:
    """Wait until a search finds a word: the index is written behind the message, and may be without it at a stop."""
    for ref in itertools.count(1):
        client.send(Search(ref, word))
        if client.wait_for(SearchPage, lambda page, ref=ref: page.ref == ref).hits:  # type: ignore[misc]
            return


@pytest.mark.parametrize("content", [b"", None])
def test_a_database_that_went_away_is_brought_back_or_left(data: Path, certs: Path, content: bytes | None) -> None:
    with ServerProcess(certs, data).start() as server:
        with NativeClient(server.port, server.ca) as ann:
            ann.hello("ann")
            ann.say_acked("indexed")
            _wait_for_index(ann, "indexed")
        assert server.stop() == 0
    kept = (data / "securechat.db").rename(data.parent / "kept.db")
    if content is not None:
        (data / "securechat.db").write_bytes(content)
    failed = ServerProcess(certs, data).start(wait=False)
    assert failed.wait() == 4
    assert "Bring it back, or" in failed.stderr
    assert "to begin anew without them, move search.db away" in failed.stderr
    shutil.copy(kept, data / "securechat.db")
    with ServerProcess(certs, data).start() as server:
        assert server.stop() == 0
    (data / "securechat.db").unlink()
    (data / "search.db").rename(data.parent / "search.db")
    with ServerProcess(certs, data).start() as server:
        assert server.stop() == 0


# --- A directory that cannot be written -----------------------------------------------------------------------------

SERVE_AS_USER = """
import os, sys
import securechat.cli.serve as serve  # other users may not read this checkout
import securechat.toml_file, encodings.ascii, encodings.idna, encodings.latin_1, uuid
user = int(sys.argv[1])
if user != os.getuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
sys.argv[1:5] = []
sys.exit(serve.main())
"""
USER = 12345


@pytest.fixture
def own(data: Path, certs: Path) -> Iterator[tuple[Path, Path, list[str]]]:
    """A data and a certificate directory of a user without rights, and the prefix that runs a server as that user."""
    user = USER if os.geteuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory() as place:  # tmp_path is closed to other users
        Path(place).chmod(0o755)
        for source, name in ((data, "data"), (certs, "certs")):
            shutil.copytree(source, Path(place) / name)
            for path in (Path(place) / name, *(Path(place) / name).iterdir()):
                os.chown(path, user, user)
        yield Path(place) / "data", Path(place) / "certs", [sys.executable, "-c", SERVE_AS_USER, str(user)]


def _set_modes(data: Path, directory: int, files: int) -> None:
    for path in data.iterdir():
        path.chmod(files)
    data.chmod(directory)


@pytest.mark.skipif(sys.platform == "win32", reason="modes as POSIX has them")
@pytest.mark.parametrize("files", [0o600, 0o400])
def test_a_directory_without_the_right_to_write_is_told_at_start_and_mended_as_told(
    own: tuple[Path, Path, list[str]], files: int
) -> None:
    data, certs, prefix = own
    _set_modes(data, 0o500, files)
    for flags, code in (([], 4), (["--check-config"], 2)):
        failed = ServerProcess(certs, data, *flags, prefix=prefix).start(wait=False)
        assert failed.wait() == code, (failed.lines, failed.stderr)
        command = failed.stderr.partition("let it write there: `")[2].partition("`")[0]
        assert command.startswith("chmod "), failed.stderr
        assert "read-only" not in failed.stderr.partition(command)[0], "no mount is in question"
    run_advice(command)
    _starts_with_all(certs, data, prefix)


@pytest.mark.skipif(sys.platform == "win32", reason="modes as POSIX has them")
def test_rights_that_are_taken_while_the_server_runs_lose_nothing(own: tuple[Path, Path, list[str]]) -> None:
    """What is open stays open (POSIX); the next start tells, and what it says mends it."""
    data, certs, prefix = own
    with ServerProcess(certs, data, prefix=prefix).start() as server, NativeClient(server.port, server.ca) as ann:
        ann.hello("ann")
        _set_modes(data, 0o500, 0o400)
        ann.say_acked("message 4")
        assert ann.history("lobby")[-1].text == "message 4"
        assert server.stop() == 0, server.lines
    failed = ServerProcess(certs, data, prefix=prefix).start(wait=False)
    assert failed.wait() == 4
    run_advice(failed.stderr.partition("let it write there: `")[2].partition("`")[0])
    _starts_with_all(certs, data, prefix, last=4)


def _starts_with_all(certs: Path, data: Path, prefix: list[str], last: int = 3) -> None:
    with ServerProcess(certs, data, prefix=prefix).start() as server, NativeClient(server.port, server.ca) as bob:
        bob.hello("bob")
        texts = [message.text for message in bob.history("lobby")]
        assert texts == [f"message {number}" for number in range(1, last + 1)]
        assert server.stop() == 0
