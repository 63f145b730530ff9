"""Behaviour 13 with the real server: a full disk refuses and recovers, a failed sync stops everything."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from securechat.errors import ErrorCode
from securechat.model import Acked, Closing, Refused
from securechat.storage.sqlite.migrations import MIGRATIONS
from tests.support.native import NativeClient
from tests.support.server import ServerProcess

LINUX = sys.platform == "linux"
SMALL = 'mount -t tmpfs -o size=24m tmpfs "$1" && head -c 10m /dev/zero > "$1/ballast" && shift && exec "$@"'


def _can_mount(tmp_path: Path) -> bool:
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    return LINUX and shutil.which("unshare") is not None and subprocess.run(probe, check=False).returncode == 0


def test_13_a_full_disk_refuses_new_messages_keeps_readers_reading_and_recovers(certs: Path, tmp_path: Path) -> None:
    """A real file system of 24 MiB, in a mount namespace of its own, filled and emptied while people talk."""
    data = tmp_path / "data"
    data.mkdir()
    if not _can_mount(data):
        pytest.skip("needs the right to mount a small file system (root on Linux, with unshare)")
    flags = ["--rate-limit", "off", "--limit", f"low_disk_bytes={6 << 20}", "--limit", "request_rate=10000"]
    server = ServerProcess(certs, data, *flags, prefix=["unshare", "--mount", "sh", "-c", SMALL, "sh", str(data)])
    with server.start(), NativeClient(server.port, server.ca) as ann, NativeClient(server.port, server.ca) as bob:
        ann.hello("ann")
        stored, refused = 0, None
        while refused is None:
            ann.events.clear()
            client_id = ann.say(f"{stored} " + "x" * 3900)
            answer = ann.wait_for(Acked | Refused, lambda event, n=client_id: event.client_id == n)  # type: ignore[arg-type]
            if isinstance(answer, Refused):
                refused = answer
            else:
                stored += 1
            assert stored < 4000, "24 MiB hold everything"
        assert refused.code is ErrorCode.DISK_FULL
        assert "Free some" in server.wait_for_line("the disk is full")
        bob.hello("bob")  # people still come, and read everything
        assert len(bob.history("lobby")) == stored
        with NativeClient(server.port, server.ca) as carol:
            carol.hello("carol")
        ballast = Path(f"/proc/{server.pid}/root{data}/ballast")
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                pass
        with NativeClient(server.port, server.ca, secret=carol.secret) as back:  # no byte is left, and she reads on
            back.hello("carol")
            assert len(back.history("lobby")) == stored
        ballast.unlink()
        for _ in range(3000):  # free space is looked at once a second
            ann.events.clear()
            client_id = ann.say("there is room again")
            answer = ann.wait_for(Acked | Refused, lambda event, n=client_id: event.client_id == n)  # type: ignore[arg-type]
            if isinstance(answer, Acked):
                break
        assert bob.wait_for_text("there is room again").seq == answer.seq
        assert len(bob.history("lobby")) == stored + 1
        server.wait_for_line("the disk has space again")
        assert server.stop() == 0
        told = [line for line in server.lines if "the disk is full" in line]
        assert len(told) == 1, told


@pytest.mark.skipif(
    not LINUX or shutil.which("strace") is None, reason="strace, which breaks the sync, is not installed"
)
def test_13_a_failed_sync_stops_acknowledging_says_so_and_exits_non_zero(certs: Path, tmp_path: Path) -> None:
    inject = f"inject=fdatasync:error=EIO:when={len(MIGRATIONS) + 7}+"  # behind a start with its migrations
    prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", inject]
    server = ServerProcess(certs, tmp_path / "data", "--rate-limit", "off", prefix=prefix)
    probe = subprocess.run([*prefix, "true"], check=False, capture_output=True)
    if probe.returncode != 0:
        pytest.skip(f"strace cannot trace here: {probe.stderr.decode().strip()}")
    with server.start(), NativeClient(server.port, server.ca) as ann:
        ann.hello("ann")
        for number in range(100):
            client_id = ann.say(f"message {number}")
            answer = ann.wait_for(Acked | Closing, lambda e, n=client_id: isinstance(e, Closing) or e.client_id == n)  # type: ignore[arg-type]
            if isinstance(answer, Closing):
                break
        assert ann.last_words().code is ErrorCode.LOG_FAILED
        acked = [event for event in ann.events if isinstance(event, Acked)]
        assert server.wait() == 4
        assert any("the message log failed" in line for line in server.lines)
    again = ServerProcess(certs, tmp_path / "data").start()
    with again, NativeClient(again.port, again.ca, secret=ann.secret) as reader:
        reader.hello("ann")
        stored = {message.seq: message.text for message in reader.history("lobby")}
    assert acked
    assert all(stored[ack.seq] == f"message {ack.client_id - 1}" for ack in acked)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file")
@pytest.mark.parametrize("loss", ["deleted", "replaced"])
def test_nothing_is_acknowledged_when_the_data_directory_has_gone_away(certs: Path, tmp_path: Path, loss: str) -> None:
    data = tmp_path / "data"
    with ServerProcess(certs, data, "--rate-limit", "off").start() as server:
        with NativeClient(server.port, server.ca) as ann:
            ann.hello("ann")
            ann.say_acked("stored")
            data.rename(tmp_path / "away")
            if loss == "replaced":
                shutil.copytree(tmp_path / "away", data, ignore=shutil.ignore_patterns("admin.sock"))
            client_id = ann.say("never acknowledged")
            assert ann.last_words().code is ErrorCode.LOG_FAILED
            assert client_id not in [event.client_id for event in ann.events if isinstance(event, Acked)]
        assert server.wait() == 4
        line = server.wait_for_line("the message log failed")
        assert "nothing more is acknowledged. Bring the data directory back" in line
