"""``--check-config`` against what a start can fail by: it finds each, or says that it did not try.

Looked through: every StartFailure of server/app.py and cli/serve.py, every LogError on the way of `SqliteStore.open`
(storage/sqlite/store.py, loss.py, migrations.py, storage/directory.py), every OSError of net/listener.py, and every
UnixSocketUnavailable. Errors of single settings are in tests/unit/server/config, ports that need privileges in
test_preflight.py there, and a disk that is full in test_disk.py: such a start fails only where no byte is left.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import apsw
import pytest

from securechat.net.unix_socket import connect_unix
from securechat.server.app import ExitCode
from securechat.server.config.loading import read
from securechat.server.config.preflight import machine_problems
from securechat.tls.certificate_directory import ensure_server
from tests.e2e.test_locked_database import OtherProgram
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, FIFOs and sockets as Unix has them")

Flags = list[str]
Fault = Callable[[Path, Path], AbstractContextManager[Flags]]
"""Makes a fault of a certificate directory and a data directory, for a while; returns the flags that meet it."""


def _expired(certs: Path, _data: Path) -> AbstractContextManager[Flags]:
    ensure_server(certs / "old", now=dt.datetime.now(dt.UTC) - dt.timedelta(days=100))
    return nullcontext(["--cert", str(certs / "old" / "server.pem")])


def _not_yet_valid(certs: Path, _data: Path) -> AbstractContextManager[Flags]:
    ensure_server(certs / "new", now=dt.datetime.now(dt.UTC) + dt.timedelta(days=2))
    return nullcontext(["--cert", str(certs / "new" / "server.pem")])


def _another_key(certs: Path, _data: Path) -> AbstractContextManager[Flags]:
    ensure_server(certs / "other")
    return nullcontext(["--key", str(certs / "other" / "server.pem")])


def _no_certificate(certs: Path, _data: Path) -> AbstractContextManager[Flags]:
    return nullcontext(["--cert", str(certs / "none.pem")])


def _a_file(_certs: Path, data: Path) -> AbstractContextManager[Flags]:
    data.write_text("", encoding="utf-8")
    return nullcontext([])


def _a_long_path(_certs: Path, data: Path) -> AbstractContextManager[Flags]:
    left = 505 - len("/securechat.db") - len(os.fsencode(data)) - 1
    parts = ["d" * 100] * (left // 101)
    return nullcontext(["--data", str(data.joinpath(*parts, "e" * (left - 101 * len(parts))))])


def _a_long_name(_certs: Path, data: Path) -> AbstractContextManager[Flags]:
    return nullcontext(["--data", str(data / ("d" * 300))])


def _in_the_way(name: str, make: Callable[[Path], object]) -> Fault:
    def fault(_certs: Path, data: Path) -> AbstractContextManager[Flags]:
        data.mkdir()
        make(data / name)
        return nullcontext([])

    return fault


def _without_its_database(_certs: Path, data: Path) -> AbstractContextManager[Flags]:
    data.mkdir()
    (data / "search.db").write_bytes(b"an index, or something like it")
    return nullcontext([])


@contextmanager
def _with_a_database(certs: Path, data: Path, *statements: str) -> Iterator[Flags]:
    with ServerProcess(certs, data).start() as server:
        assert server.stop() == 0
    connection = apsw.Connection(str(data / "securechat.db"))
    for statement in statements:
        connection.execute(statement)
    connection.close()
    yield []


def _of_a_newer_version(certs: Path, data: Path) -> AbstractContextManager[Flags]:
    return _with_a_database(certs, data, "PRAGMA user_version = 9999")


@contextmanager
def _locked(certs: Path, data: Path) -> Iterator[Flags]:
    with _with_a_database(certs, data):
        other = OtherProgram(data / "securechat.db", "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT")
        yield []
        other.let_go()


@contextmanager
def _served(certs: Path, data: Path) -> Iterator[Flags]:
    with ServerProcess(certs, data).start() as server:
        yield ["--port", str(server.port)]
        assert server.stop() == 0


@contextmanager
def _port_in_use(_certs: Path, _data: Path) -> Iterator[Flags]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield ["--port", str(other.getsockname()[1])]


@contextmanager
def _metrics_in_use(_certs: Path, _data: Path) -> Iterator[Flags]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield ["--metrics", f"127.0.0.1:{other.getsockname()[1]}"]


def _flags(*flags: str) -> Fault:
    return lambda _certs, _data: nullcontext(list(flags))


ERROR, NOTE = "error", "note"
FAULTS: dict[str, tuple[Fault, ExitCode, str, str, str]] = {
    # the fault, the exit code of the start, its words, how --check-config calls it, and its words
    "no certificate": (_no_certificate, ExitCode.CERTIFICATE, "there is no cert", ERROR, "there is no cert"),
    "an expired certificate": (_expired, ExitCode.CERTIFICATE, "expired on", ERROR, "expired on"),
    "a certificate from the future": (_not_yet_valid, ExitCode.CERTIFICATE, "valid only", ERROR, "valid only"),
    "another key": (_another_key, ExitCode.CERTIFICATE, "does not belong", ERROR, "does not belong"),
    "a file as data directory": (_a_file, ExitCode.LOG, "File exists", ERROR, "is no directory"),
    "a long path": (_a_long_path, ExitCode.LOG, "is too long", ERROR, "choose a shorter one with --data"),
    "a long name": (_a_long_name, ExitCode.LOG, "is too long", ERROR, "choose a shorter one with --data"),
    "a link for a database": (_in_the_way("securechat.db", lambda path: path.symlink_to(path.with_name("x"))),
                              ExitCode.LOG, "a symbolic link", ERROR, "a symbolic link"),
    "a directory for a database": (_in_the_way("securechat.db", Path.mkdir),
                                   ExitCode.LOG, "it is a directory", ERROR, "it is a directory"),
    "a directory for a journal": (_in_the_way("securechat.db-wal", Path.mkdir),
                                  ExitCode.LOG, "it is a directory", ERROR, "it is a directory"),
    "a pipe for a lock": (_in_the_way("securechat.lock", os.mkfifo), ExitCode.LOG, "a pipe", ERROR, "it is a pipe"),
    "a database that went away": (_without_its_database, ExitCode.LOG, "is missing, but", ERROR, "is missing, but"),
    "no database": (_in_the_way("securechat.db", lambda path: path.write_text("x" * 9999)),
                    ExitCode.LOG, "not a database. Name another directory with --data", NOTE, "was not opened"),
    "a newer database": (_of_a_newer_version, ExitCode.LOG, "newer securechat", NOTE, "was not opened"),
    "a locked database": (_locked, ExitCode.LOG, "locked by another program", NOTE, "locked by no program"),
    "a server that runs": (_served, ExitCode.LOG, "already uses", NOTE, "were not tried"),
    "a port in use": (_port_in_use, ExitCode.ADDRESS, "another program uses it", NOTE, "is in use now"),
    "an address of another machine": (_flags("--host", "192.0.2.77"), ExitCode.ADDRESS, "does not have that address",
                                      ERROR, "does not have the address"),
    "a name of no machine": (_flags("--host", "no such host"), ExitCode.ADDRESS, "means no address here",
                             ERROR, "means no address here"),
    "metrics where another program listens": (_metrics_in_use, ExitCode.ADDRESS, "another program uses it",
                                              NOTE, "for metrics is in use now"),
    "an address twice": (_flags("--host", "127.0.0.1"), ExitCode.ADDRESS, "name only one", ERROR, "name only one"),
    "an address that is covered": (_flags("--host", "0.0.0.0"), ExitCode.ADDRESS, "covers the other",
                                   ERROR, "covers the other"),
}  # fmt: skip
if sys.platform == "linux":  # file systems of the kernel, which look writable to root and take nothing
    FAULTS |= {
        "a directory in /proc": (_flags("--data", "/proc/x"), ExitCode.LOG, "cannot make the data", ERROR, "/proc"),
        "directories in /sys": (_flags("--data", "/sys/x/y"), ExitCode.LOG, "cannot make the data", ERROR, "/sys"),
        "/proc itself": (_flags("--data", "/proc"), ExitCode.LOG, "cannot make the lock file", ERROR, "/proc"),
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_check_config_finds_what_a_start_fails_by_or_says_that_it_did_not_try(fault: str, tmp_path: Path) -> None:
    make, code, start_words, level, words = FAULTS[fault]
    certs, data = tmp_path / "certs", tmp_path / "data"
    ensure_server(certs)
    with make(certs, data) as flags:
        before = _content(data)
        checked = ServerProcess(certs, data, *flags, "--check-config").start(wait=False)
        assert checked.wait() == (ExitCode.USAGE if level == ERROR else ExitCode.OK), checked.stderr
        lines = [line.removeprefix("securechat-server: ") for line in checked.stderr.splitlines()]
        assert any(line.startswith(f"{level}: ") and words in line for line in lines), checked.stderr
        assert fault == "a server that runs" or _content(data) == before, "a check makes nothing"
        started = ServerProcess(certs, data, *flags).start(wait=False)
        assert started.wait() == code, (started.lines, started.stderr)
        assert start_words in started.stderr


def _content(data: Path) -> list[str]:
    return sorted(str(path) for path in data.rglob("*")) if data.is_dir() else []


def test_what_stands_in_the_way_of_the_admin_socket_is_a_warning_of_both(tmp_path: Path) -> None:
    certs, data = tmp_path / "certs", tmp_path / "data"
    ensure_server(certs)
    data.mkdir()
    path = data / "admin.sock"
    path.mkdir()
    with socket.socket(socket.AF_UNIX) as other:
        for reason in ("is in the way and is no socket: move it elsewhere", "another server listens on"):
            checked = ServerProcess(certs, data, "--check-config").start(wait=False)
            assert checked.wait() == 0
            assert f"warning: --data: securechat-admin will not reach this server: {path} {reason}" in (
                checked.stderr.replace(f"{reason} {path}", f"{path} {reason}")
            )
            with ServerProcess(certs, data).start() as server:
                assert reason in server.wait_for_event("warning")["text"]
                assert server.stop() == 0
            if path.is_dir():  # as the first sentence says; then the second one's fault
                path.rmdir()
                other.bind(str(path))
                other.listen()
    ServerProcess(certs, data, "--check-config").start(wait=False).wait()
    with ServerProcess(certs, data).start() as server:
        connect_unix(path, 1).close()
        assert server.stop() == 0


def test_a_good_start_has_neither_errors_nor_notes(tmp_path: Path) -> None:
    certs, data = tmp_path / "certs", tmp_path / "data"
    ensure_server(certs)
    checked = ServerProcess(certs, data, "--check-config").start(wait=False)
    assert (checked.wait(), checked.stderr) == (0, "")
    assert checked.lines == ["securechat-server: the configuration is good"]


def test_little_space_and_few_descriptors_are_warnings(certs: Path, tmp_path: Path) -> None:
    free_bytes = shutil.disk_usage(tmp_path).free
    flags = ["--cert", str(certs / "server.pem"), "--data", str(tmp_path), "--host", "127.0.0.1"]
    more = ["--limit", f"low_disk_bytes={free_bytes * 2}", "--limit", f"reserved_descriptors={1 << 30}"]
    found = list(machine_problems(read([*flags, *more], {})))
    assert [(each.key, each.is_warning) for each in found] == [("data", True), ("reserved_descriptors", True)]
    assert "new messages are refused; free some space" in found[0].reason
    assert "no client could connect" in found[1].reason
