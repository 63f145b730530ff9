"""What an operator sees: warnings, signals, sentences."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from securechat.server.clock_file import NAME, read_time, write_time
from securechat.tls.certificate_directory import ensure_server
from tests.e2e.conftest import Connect
from tests.support.admin import admin, needs_socket, row, told
from tests.support.native import NativeClient
from tests.support.screen import Screen
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.cold


def test_a_certificate_with_under_30_days_is_warned_about(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    ensure_server(certs, now=dt.datetime.now(dt.UTC) - dt.timedelta(days=75))
    with ServerProcess(certs, tmp_path / "data").start() as server:
        warning = server.wait_for_event("warning")
        assert "expires in 15 days" in warning["text"]
        assert "securechat-admin certs" in warning["text"]


def test_a_clock_far_from_when_the_server_last_ran_is_warned_about_and_not_believed(
    certs: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with ServerProcess(certs, data).start():
        wait_until(lambda: read_time(data), "the time is remembered")
    assert abs(read_time(data) - time.time() * 1000) < PATIENCE_S * 1000
    write_time(data, 1_577_836_800_000)
    with ServerProcess(certs, data).start() as server:
        warning = server.wait_for_event("warning")
        assert "by the data directory it should be 2020-01-01 00:00 UTC" in warning["text"]
    assert read_time(data) == 1_577_836_800_000


@needs_socket
@pytest.mark.parametrize("ahead_days", [10, pytest.param(-10, marks=pytest.mark.slow)])
def test_check_and_status_tell_that_the_clock_is_doubted(certs: Path, tmp_path: Path, ahead_days: int) -> None:
    """Running and stopped, whichever of the two is ahead, and not a word where they agree."""
    data = tmp_path / "data"
    check = ("check", "--json", "--cert", str(certs / "server.pem"))

    def findings() -> list[str]:
        lines = [json.loads(line) for line in admin(data, *check).stdout.splitlines()]
        return [line["finding"] for line in lines if "text" in line]

    with ServerProcess(certs, data).start() as server:
        wait_until(lambda: read_time(data), "the time is remembered")
        assert row(server, "status")["clock_doubt"] is None
        assert "clock:" not in told(server, "status")
        server.stop()
    assert findings() == []
    expected_ms = int((time.time() - ahead_days * 86_400) * 1000)
    write_time(data, expected_ms)
    assert findings() == ["clock"]
    with ServerProcess(certs, data).start() as server:
        assert findings() == ["clock"]
        (data / NAME).unlink()
        assert findings() == ["clock"], "the server itself was asked"
        doubt = row(server, "status")["clock_doubt"]
        assert abs(doubt["expected_ms"] - expected_ms) < PATIENCE_S * 1000
        assert "clock:           the clock says" in told(server, "status")


def test_a_second_signal_stops_at_once(certs: Path, tmp_path: Path) -> None:
    """A drain that has to wait, for a client that reads nothing, can be cut short."""
    flags = ["--rate-limit", "off", "--limit", "drain_s=600", "--limit", "lingering_close_s=600"]
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        sleeper = NativeClient(server.port, server.ca, rcvbuf=4096)
        sleeper.hello("sleeper")
        with NativeClient(server.port, server.ca) as talker:
            talker.hello("talker")
            for _ in range(150):
                talker.say_acked("y" * 3500)
            server.signal(signal.SIGTERM)
            server.wait_for_event("stopping")
            server.signal(signal.SIGTERM)
            assert server.wait() == 130
        sleeper.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_flood_loses_no_ack(certs: Path, tmp_path: Path, number: int) -> None:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        with NativeClient(server.port, server.ca) as client:
            client.hello("flood")
            sent = [client.say(f"{n}") for n in range(60)]
            server.signal(number)
            client.read_to_end()
            acked = {event.client_id: event.seq for event in client.events if type(event).__name__ == "Acked"}
            assert server.wait() == 0
        server.start()
        with NativeClient(server.port, server.ca, secret=client.secret) as reader:
            reader.hello("flood")
            stored = {message.seq: message.text for message in reader.history("lobby")}
        assert all(stored[seq] == f"{sent.index(client_id)}" for client_id, seq in acked.items())
        assert len(stored) == len(acked)  # what was taken was acknowledged: a drain answers everything it took


def test_text_on_the_console_and_the_banner(certs: Path, tmp_path: Path, connect: Connect) -> None:
    with ServerProcess(certs, tmp_path / "data", json_log=False).start() as server:
        server.wait_for_line("is ready")
        pin = server.wait_for_line("--pin sha256:")
        assert "securechat-client --pin sha256:" in pin
        assert pin.endswith(f"localhost:{server.port}")
        connect(server, "ann")
        assert "127.0.0.1:" in server.wait_for_line('is "ann"')
        server.wait_for_line('joined        "ann" #lobby')


def test_the_servers_flags_can_be_environment_variables(certs: Path, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "SECURECHAT_CERT": str(certs / "server.pem"),
        "SECURECHAT_DATA": str(tmp_path / "data"),
        "SECURECHAT_HOST": "127.0.0.1",
        "SECURECHAT_PORT": "no",
    }
    command = [sys.executable, "-m", "securechat.cli.serve"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("securechat-server: SECURECHAT_PORT: must be a number")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
def test_closing_the_terminals_window_stops_the_server_and_a_hup_with_a_terminal_does_not(
    certs: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "securechat.cli.serve", "--cert", str(certs / "server.pem")]
    command += ["--host", "127.0.0.1", "--port", "0", "--data", str(tmp_path / "data")]
    with Screen(command, cwd=ROOT, columns=150) as window:
        window.wait_for("is ready")
        window.process.send_signal(signal.SIGHUP)
        window.wait_for("new certificate in use")
        window.close_window()
        assert window.process.wait(PATIENCE_S) == 0


def test_no_garbage_is_collected_before_the_server_listens(certs: Path, tmp_path: Path) -> None:
    script = """
import gc, runpy, sys
from unittest.mock import patch
from securechat.server.app import Server

def note(what):
    return lambda server: print(what, gc.isenabled())

sys.argv[0] = "securechat-server"
with patch.object(Server, "_announce", note("listens")), patch.object(Server, "_serve", note("serves")):
    runpy.run_module("securechat.cli.serve", run_name="__main__")
"""
    flags = ["--cert", certs / "server.pem", "--host", "127.0.0.1", "--port", "0", "--data", tmp_path / "data"]
    done = subprocess.run(
        [sys.executable, "-c", script, *flags], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert {"listens False", "serves True"} <= set(done.stdout.splitlines()), done.stderr
