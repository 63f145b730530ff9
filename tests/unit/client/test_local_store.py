"""What a machine remembers: for whom, readable by whom, and what becomes of it when files or disks misbehave."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import sys
from pathlib import Path

import pytest

from securechat.client import local_store as keeping
from securechat.client.core import events
from securechat.client.local_store import LocalStore, StateRecorder, authority_of, open_local_store
from securechat.model import Person
from securechat.tls.certificate_directory import ensure_server
from tests.support.secrecy import keep_secret

TOKEN = keep_secret("c0d1e2f30415263748596a7b8c9dae0f")
OTHER_TOKEN = keep_secret("c1d2e3f40516273849506a7b8c9daebf")
HERE = ("chat.example", 8443)
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    found = []
    for name in ("one", "two"):
        directory = tmp_path_factory.mktemp(name)
        ensure_server(directory)
        found.append((directory / "ca.pem").read_text())
    return found[0], found[1]


@pytest.fixture
def ca(authorities: tuple[str, str]) -> str:
    return authorities[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "securechat-state"


@pytest.fixture
def memory(folder: Path) -> LocalStore:
    return LocalStore(folder)


def files(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.rglob(f"{kind}-*.json"))


def test_nothing_is_remembered_before_anything_was_kept(memory: LocalStore, ca: str, folder: Path) -> None:
    assert memory.last() is None
    assert memory.server(*HERE) is None
    assert memory.tokens(*HERE, ca) == {}
    assert memory.forget_server(*HERE) is None
    assert not folder.exists()
    assert memory.troubles == []


def test_the_server_used_last_comes_back_with_its_ca_and_name(memory: LocalStore, ca: str, folder: Path) -> None:
    memory.keep_server("Elsewhere", 1, ca, "bob")
    memory.keep_server(*HERE, ca, "ann")
    known = LocalStore(folder).last()
    assert known is not None
    assert (known.host, known.port, known.ca_pem, known.name) == (*HERE, ca, "ann")
    memory.keep_server("elsewhere", 1, ca, "bea")
    known = memory.last()
    assert known is not None
    assert (known.host, known.name) == ("elsewhere", "bea")
    assert len(files(folder, "server")) == 2


def test_a_login_belongs_to_one_ca_host_and_port(memory: LocalStore, authorities: tuple[str, str]) -> None:
    ca, other = authorities
    memory.keep_login(*HERE, ca, "Ann", TOKEN)
    assert memory.tokens("CHAT.example", 8443, ca) == {"Ann": TOKEN}
    assert memory.tokens(*HERE, other) == {}
    assert memory.tokens(HERE[0], 8444, ca) == {}
    assert memory.tokens(*HERE, ca + other) == {}, "whoever holds the other key could answer"


def test_two_names_have_a_login_each_and_a_new_one_replaces_the_old(memory: LocalStore, ca: str) -> None:
    memory.keep_login(*HERE, ca, "ann", TOKEN)
    memory.keep_login(*HERE, ca, "bob", TOKEN)
    memory.keep_login(*HERE, ca, "ANN", OTHER_TOKEN)
    assert memory.tokens(*HERE, ca) == {"ANN": OTHER_TOKEN, "bob": TOKEN}
    memory.forget_login(*HERE, ca, "Ann")
    assert memory.tokens(*HERE, ca) == {"bob": TOKEN}
    memory.forget_login(*HERE, ca, "Ann")


def test_a_server_that_gives_a_new_name_each_time_fills_no_folder_and_takes_no_other_login(
    memory: LocalStore, ca: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_MOST_LOGINS", 3)
    memory.keep_login("elsewhere", 1, ca, "ann", TOKEN)
    for number in range(6):
        memory.keep_login(*HERE, ca, f"ann{number}", TOKEN)
    assert len(files(folder, "login")) == 4
    assert "ann5" in memory.tokens(*HERE, ca)
    assert memory.tokens("elsewhere", 1, ca) == {"ann": TOKEN}


def test_what_a_killed_client_left_half_written_is_removed_after_a_day(
    memory: LocalStore, ca: str, folder: Path
) -> None:
    memory.keep_server(*HERE, ca, "ann")
    (old,) = {path.parent / ".0123.tmp" for path in folder.rglob("server-*")}
    new = old.with_name(".4567.tmp")
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (1, 1))
    memory.keep_server(*HERE, ca, "bob")
    assert (old.exists(), new.exists()) == (False, True)


def test_forgetting_a_server_forgets_its_logins_and_no_others(memory: LocalStore, ca: str) -> None:
    memory.keep_server(*HERE, ca, "ann")
    memory.keep_login(*HERE, ca, "ann", TOKEN)
    memory.keep_login("elsewhere", 1, ca, "ann", TOKEN)
    assert memory.forget_server(*HERE) == ("ann",)
    assert memory.last() is None
    assert memory.tokens("elsewhere", 1, ca) == {"ann": TOKEN}


@posix
def test_only_the_user_can_read_any_of_it_whatever_the_umask_says(memory: LocalStore, ca: str, folder: Path) -> None:
    before = os.umask(0)
    try:
        memory.keep_login(*HERE, ca, "ann", TOKEN)
        memory.keep_server(*HERE, ca, "ann")
    finally:
        os.umask(before)
    (inner,) = folder.iterdir()
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in inner.iterdir()} == {0o600}
    inner.chmod(0o755)
    memory.keep_server(*HERE, ca, "ann")
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"host": 1}', b'{"host": "h", "port": 1, "ca_pem": "no certificate"}'],
)
def test_a_damaged_file_is_set_aside_with_a_sentence(memory: LocalStore, ca: str, folder: Path, content: bytes) -> None:
    memory.keep_server(*HERE, ca, "ann")
    memory.keep_login(*HERE, ca, "ann", TOKEN)
    for path in (*files(folder, "server"), *files(folder, "login")):
        path.write_bytes(content)
    assert memory.last() is None
    assert memory.tokens(*HERE, ca) == {}
    assert len(memory.troubles) == 2
    assert all("was renamed to" in trouble for trouble in memory.troubles)
    assert not files(folder, "server")
    assert not files(folder, "login")
    memory.keep_server(*HERE, ca, "ann")
    assert memory.last() is not None


def test_a_token_that_is_none_is_never_sent(memory: LocalStore, ca: str, folder: Path) -> None:
    memory.keep_login(*HERE, ca, "ann", TOKEN)
    (path,) = files(folder, "login")
    path.write_text(json.dumps({**json.loads(path.read_text()), "token": "x"}))
    assert memory.tokens(*HERE, ca) == {}
    assert memory.troubles


@posix
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_a_sentence(memory: LocalStore, ca: str, folder: Path) -> None:
    memory.keep_server(*HERE, ca, "ann")
    (path,) = files(folder, "server")
    path.chmod(0)
    assert memory.last() is None
    assert "cannot be read" in memory.troubles[0]


@posix
@pytest.mark.parametrize("trap", ["fifo", "link"])
def test_what_is_no_file_is_neither_waited_for_nor_followed(
    memory: LocalStore, ca: str, folder: Path, trap: str
) -> None:
    memory.keep_server(*HERE, ca, "ann")
    (path,) = files(folder, "server")
    path.rename(folder / "elsewhere")
    os.mkfifo(path) if trap == "fifo" else path.symlink_to(folder / "elsewhere")
    assert memory.last() is None
    assert "cannot be read" in memory.troubles[0]
    assert "not a regular file" in memory.troubles[0]


def test_a_folder_that_is_none_is_a_sentence_to_read_and_one_to_write(tmp_path: Path, ca: str) -> None:
    (tmp_path / "securechat-state").mkdir()
    (tmp_path / "securechat-state" / "v1").write_text("in the way")
    memory = LocalStore(tmp_path / "securechat-state")
    assert memory.last() is None
    assert "cannot be read" in memory.troubles[0]
    keeping = StateRecorder(memory, *HERE, ca, as_last=True)
    complaint = keeping.note(events.TokenReceived("ann", TOKEN))
    assert isinstance(complaint, events.StateNotSaved)
    assert complaint.folder == str(tmp_path / "securechat-state" / "v1")
    assert keeping.note(events.TokenReceived("ann", TOKEN)) is None, "told once"


def test_a_half_written_file_of_a_crash_is_nobodys_entry(memory: LocalStore, ca: str, folder: Path) -> None:
    memory.keep_server(*HERE, ca, "ann")
    (folder / "v1" / ".0123456789abcdef.tmp").write_text('{"host": "ev')
    assert memory.last() is not None
    assert memory.troubles == []


def _keep_many(folder: Path, ca: str, who: int, count: int) -> None:
    memory = LocalStore(folder)
    for number in range(count):
        memory.keep_login(*HERE, ca, f"user {who} {number}", TOKEN)
        memory.keep_server(*HERE, ca, f"user {who}")


def test_clients_that_write_at_once_undo_nothing_of_each_other(folder: Path, ca: str) -> None:
    context = multiprocessing.get_context("spawn")
    crowd = [context.Process(target=_keep_many, args=(folder, ca, who, 12)) for who in range(4)]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(60)
        assert process.exitcode == 0
    memory = LocalStore(folder)
    assert len(memory.tokens(*HERE, ca)) == 48
    assert memory.last() is not None
    assert memory.troubles == []
    assert not list(folder.rglob("*.tmp"))


def test_a_person_is_remembered_and_a_script_only_logged_in(memory: LocalStore, ca: str) -> None:
    for as_last in (False, True):
        keeping = StateRecorder(memory, *HERE, ca, as_last=as_last)
        keeping.note(events.LoggedIn("server", Person(7, "ann")))
        keeping.note(events.TokenReceived("ann", TOKEN))
        assert (memory.last() is not None) == as_last
        assert memory.tokens(*HERE, ca) == {"ann": TOKEN}
    keeping.note(events.MemberRenamed(7, "ann", "anna", me=True))
    keeping.note(events.MemberRenamed(8, "bob", "bo"))
    known = memory.last()
    assert known is not None
    assert known.name == "anna"
    keeping.note(events.TokenLost("Ann"))
    assert memory.tokens(*HERE, ca) == {}


def test_the_folder_is_the_users_another_or_none(tmp_path: Path, ca: str) -> None:
    assert open_local_store({"SECURECHAT_STATE": ""}) is None
    memory = open_local_store({"SECURECHAT_STATE": str(tmp_path / "securechat-state")})
    assert memory is not None
    memory.keep_server(*HERE, ca, "ann")
    assert files(tmp_path, "server")
    assert open_local_store({}) is not None


def test_the_key_of_one_ca_is_its_fingerprint_and_of_several_their_own(authorities: tuple[str, str]) -> None:
    one, two = authorities
    assert len({authority_of(one), authority_of(two), authority_of(one + two)}) == 3
    assert authority_of(one + two) == authority_of(two + one)
    with pytest.raises(ValueError, match="PEM"):
        authority_of("nothing")


def test_whether_one_tells_of_writing_is_remembered(tmp_path: Path) -> None:
    assert LocalStore(tmp_path).typing()
    LocalStore(tmp_path).keep_typing(on=False)
    assert not LocalStore(tmp_path).typing()
    LocalStore(tmp_path).keep_typing(on=True)
    assert LocalStore(tmp_path).typing()


def test_a_language_and_typing_are_remembered_beside_each_other(tmp_path: Path, ca: str) -> None:
    assert LocalStore(tmp_path / "state").language() == ""
    assert not (tmp_path / "state").exists(), "asking makes nothing"
    LocalStore(tmp_path).keep_language("id")
    LocalStore(tmp_path).keep_typing(on=False)
    assert (LocalStore(tmp_path).language(), LocalStore(tmp_path).typing()) == ("id", False)
    assert StateRecorder(LocalStore(tmp_path), *HERE, ca, as_last=False).keep_language("en") == ""
    assert (LocalStore(tmp_path).language(), LocalStore(tmp_path).typing()) == ("en", False)


def test_preferences_without_a_language_are_read(tmp_path: Path) -> None:
    LocalStore(tmp_path).keep_language("id")
    (path,) = (tmp_path / "v1").glob("habits-*.json")
    path.write_text('{"typing": false}')
    store = LocalStore(tmp_path)
    assert (store.language(), store.typing(), store.troubles) == ("", False, [])


def test_why_a_language_is_not_remembered(tmp_path: Path, ca: str) -> None:
    (tmp_path / "v1").write_text("in the way")
    recorder = StateRecorder(LocalStore(tmp_path), *HERE, ca, as_last=True)
    assert recorder.keep_language("id")
