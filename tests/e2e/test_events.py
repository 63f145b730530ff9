"""Event streams of the HTTP API on a real server over TLS, read with curl as people do, and cut as networks do."""

from __future__ import annotations

import json
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Connect
from tests.e2e.test_api import head
from tests.e2e.test_web_http import Wire
from tests.support.admin import admin
from tests.support.api import ApiClient, curl, curl_command, make_token
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

LINES = ("-H", "Accept: application/x-ndjson")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def serving(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("events") / "data"
    with ServerProcess(certs, data, "--rate-limit", "off").start() as process:
        yield process


@pytest.fixture
def token(serving: ServerProcess) -> str:
    return make_token(serving, f"deploy{time.monotonic_ns()}")


class Curl:
    """A running ``curl -N``, and the events that it has printed."""

    def __init__(self, server: ServerProcess, token: str, path: str, *flags: str) -> None:
        self.is_lines = LINES[1] in flags
        command = [*curl_command(server, token, path, "-N", *flags), "-w", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []
        self.raw = ""
        self._put: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        fields: dict[str, str] = {}
        for line in self.process.stdout:
            self.raw += line
            if self.is_lines:
                self.events.append(json.loads(line))
            elif line == "\n":
                if "data" in fields:
                    self.events.append({**fields, "data": json.loads(fields["data"])})
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    @property
    def texts(self) -> list[str]:
        return [event["data"]["text"] for event in self.of("message")]

    @property
    def last_id(self) -> str:
        return str([event["id"] for event in self.events if "id" in event][-1])

    def wait_for(self, kind: str) -> dict[str, Any]:
        wait_until(lambda: bool(self.of(kind)), f"the event {kind}")
        return self.of(kind)[-1]

    def wait_for_text(self, text: str) -> None:
        wait_until(lambda: text in self.texts, f"the message {text}")

    def end(self, by: signal.Signals | None = None) -> int:
        """Return curl's exit code; fails if it does not end by itself, or by the signal."""
        if by is not None:
            self.process.send_signal(by)
        code = self.process.wait(PATIENCE_S)
        self._thread.join(PATIENCE_S)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def __enter__(self) -> Curl:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.end()


@needs_curl
def test_curl_hears_what_people_say(serving: ServerProcess, token: str, connect: Connect) -> None:
    ana = connect(serving, "ana")
    with Curl(serving, token, "/events?rooms=lobby") as sse, Curl(serving, token, "/events", *LINES) as lines:
        for each in (sse, lines):
            each.wait_for("start")
        ana.say("good morning", "lobby")
        for each in (sse, lines):
            each.wait_for_text("good morning")
        assert sse.of("message") == lines.of("message")
        assert sse.end(signal.SIGTERM) != 0


@needs_curl
@pytest.mark.parametrize("flags", [(), LINES])
def test_curl_that_is_killed_goes_on_where_it_stopped(
    serving: ServerProcess, token: str, flags: tuple[str, ...]
) -> None:
    done = threading.Event()
    said: list[str] = []

    def talk() -> None:
        with ApiClient(serving, token) as api:
            while not done.is_set():
                text = f"{len(said)}"
                seq = api.say(text)
                said.append(text)
                if len(said) % 10 == 0:
                    api.ask("PATCH", f"/rooms/lobby/messages/{seq}", f"{text} edited")

    heard: list[int] = []
    texts: list[str] = []
    talking = threading.Thread(target=talk)
    with Curl(serving, token, "/events?rooms=lobby", *flags) as first:
        first.wait_for("start")
        last_id = first.last_id
    talking.start()
    try:
        for _ in range(6):
            with Curl(serving, token, "/events?rooms=lobby", *flags, "-H", f"Last-Event-ID: {last_id}") as running:
                wait_until(lambda running=running: len(running.texts) > 20, "messages")
                running.end(signal.SIGKILL)
            assert not running.of("reset")
            entries = [event for event in running.events if event["event"] in ("message", "edited")]
            heard += [event["data"]["seq"] for event in entries]
            texts += running.texts
            last_id = running.last_id
    finally:
        done.set()
        talking.join(PATIENCE_S)
    with Curl(serving, token, "/events?rooms=lobby", *flags, "-H", f"Last-Event-ID: {last_id}") as running:
        wait_until(lambda: len(texts) + len(running.texts) >= len(said), "the last message")
        texts += running.texts
        heard += [event["data"]["seq"] for event in running.events if event["event"] in ("message", "edited")]
    assert [text.partition(" ")[0] for text in texts] == said
    assert heard == sorted(set(heard))


@needs_curl
def test_a_ninth_stream_is_429(serving: ServerProcess, token: str) -> None:
    running = [Curl(serving, token, "/events") for _ in range(8)]
    try:
        for each in running:
            each.wait_for("start")
        answer = curl(serving, token, "/events")
        assert (answer.status, answer.json["code"]) == (429, "too_many_streams")
        running[0].end(signal.SIGKILL)
        wait_until(lambda: Probe(serving, token).is_open, "a place is free")
    finally:
        for each in running:
            each.__exit__()


class Probe:
    """Tries once whether a stream begins."""

    def __init__(self, server: ServerProcess, token: str) -> None:
        with Wire(server) as wire:
            wire.send(head(wire, token, target="/api/v1/events", method="GET"))
            data = wire.sock.recv(4096)
        self.is_open = data.startswith(b"HTTP/1.1 200 ")


@needs_curl
def test_a_token_that_is_removed_ends_its_stream(serving: ServerProcess) -> None:
    name = f"gone{time.monotonic_ns()}"
    made = admin(serving.data, "bot", "add", name, "--json")
    assert made.returncode == 0, made.stderr
    token = str(json.loads(made.stdout)["secret"])
    with Curl(serving, token, "/events?rooms=lobby") as running:
        running.wait_for("start")
        began = time.monotonic()
        done = admin(serving.data, "bot", "remove", name, "--yes")
        assert done.returncode == 0, done.stderr
        closing = running.wait_for("closing")
        assert running.end() == 0
        assert time.monotonic() - began < PATIENCE_S / 2
    assert closing["data"]["code"] in ("logged_out", "kicked"), closing
    assert curl(serving, token, "/events").status == 401


@needs_curl
def test_a_stop_is_told_and_a_restart_loses_nothing(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--limit", "api_alive_s=0.1").start() as server:
        token = make_token(server, "deploy")
        with Curl(server, token, "/events") as sse, Curl(server, token, "/events", *LINES) as lines:
            with ApiClient(server, token) as api:
                for each in (sse, lines):
                    each.wait_for("start")
                api.say("before")
            for each in (sse, lines):
                each.wait_for_text("before")
            wait_until(lambda: ": alive\n\n" in sse.raw and lines.of("alive") != [], "signs of life")
            assert server.stop() == 0
            for each in (sse, lines):
                assert each.wait_for("closing")["data"]["code"] == "shutting_down"
                assert each.end() == 0
                assert each.events[-1]["event"] == "closing"
            last_id = sse.last_id
        server.start()
        with ApiClient(server, token) as api:
            api.say("while it was away")
        with Curl(server, token, "/events", *LINES, "-H", f"Last-Event-ID: {last_id}") as lines:
            lines.wait_for_text("while it was away")
            assert lines.texts == ["while it was away"]
            lines.process.kill()
        server.kill()  # no last event: curl sees that the connection broke
        server.start()
        with Curl(server, token, "/events", "-H", "Last-Event-ID: 2@000000000000") as other:
            assert other.wait_for("reset")["data"]["reason"] == "other_log"


@needs_curl
def test_a_restored_log_is_another_one(certs: Path, tmp_path: Path) -> None:
    archive, data = tmp_path / "backup.tar", tmp_path / "data"
    with ServerProcess(certs, data).start() as server:
        token = make_token(server, "deploy")
        with ApiClient(server, token) as api:
            api.say("before the backup")
        assert admin(data, "backup", str(archive), "--cert", str(certs / "server.pem")).returncode == 0
        with Curl(server, token, "/events") as running:
            running.wait_for("start")
            last_id = running.last_id
        assert server.stop() == 0
    restored = tmp_path / "restored"
    done = admin(restored, "restore", str(archive), "--certs", str(tmp_path / "certs"))
    assert done.returncode == 0, done.stderr
    again = ServerProcess(certs, restored)
    with again.start() as server, Curl(server, token, "/events", "-H", f"Last-Event-ID: {last_id}") as running:
        assert running.wait_for("reset")["data"]["reason"] == "other_log"


def test_a_slow_reader_is_cut_and_no_one_waits(certs: Path, tmp_path: Path) -> None:
    limits = ("--limit", "outbox_hard_bytes=200000", "--limit", "outbox_soft_bytes=100000")
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off", *limits).start() as server:
        token = make_token(server, "deploy")
        with Wire(server) as wire, ApiClient(server, token) as api:
            wire.send(head(wire, token, target="/api/v1/events", method="GET"))
            assert wire.sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            took = []
            for number in range(400):
                began = time.monotonic()
                api.say(f"{number} " + "x" * 3_900)
                took.append(time.monotonic() - began)
            read = b""
            with suppress(OSError):
                while data := wire.sock.recv(65_536):
                    read += data
        assert b'"code":"slow_reader"' in read
        assert sorted(took)[len(took) // 2] < 0.05
        assert read.rstrip().splitlines()[-1].startswith(b"data: ")


def test_bad_questions_are_answered_before_a_stream_begins(serving: ServerProcess, token: str) -> None:
    with ApiClient(serving, token) as api:
        for path, headers, status, code in (
            ("/events?after=x", {}, 400, "bad_request"),
            ("/events?rooms=", {}, 400, "bad_request"),
            ("/events", {"Last_Event_ID": "?"}, 400, "bad_request"),
            ("/events?rooms=nowhere", {}, 404, "no_such_room"),
            ("/events?token=x", {}, 400, "token_in_query"),
        ):
            answer = api.get(path, **headers)
            assert (answer.status, answer.json["code"]) == (status, code), path
            assert answer.headers["content-type"] == "application/problem+json"
    with ApiClient(serving, "scb_" + "0" * 49) as api:
        assert api.get("/events").status == 401


def test_what_comes_behind_the_request_is_ignored(serving: ServerProcess, token: str) -> None:
    with Wire(serving) as wire, ApiClient(serving, token) as api:
        wire.send(head(wire, token, target="/api/v1/events", method="GET") + b"GET / HTTP/1.1\r\n\r\n")
        data = b""
        while b"event: start" not in data:
            data += wire.sock.recv(4096)
        wire.send(b"\x00\xff" * 100)
        api.say("still there")
        while b"still there" not in data:
            data += wire.sock.recv(4096)
        assert data.count(b"HTTP/1.1 ") == 1
        with suppress(OSError):
            for _ in range(10):
                wire.send(b"x" * 4_096)
        with suppress(OSError):
            while more := wire.sock.recv(4096):
                data += more
        assert b'"code":"frame_too_large"' in data


def test_no_token_and_no_cursor_is_in_what_the_server_writes(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        token = make_token(server, "deploy")
        assert Probe(server, token).is_open
        with ApiClient(server, token) as api:
            for path in ("/events?after=77123", "/events?rooms=hush-hush", "/events?after=secret-word"):
                with Wire(server) as wire:
                    wire.send(head(wire, token, target=f"/api/v1{path}", method="GET"))
                    wire.sock.recv(4096)
            assert api.get("/me").status == 200
        server.kill()
        written = "\n".join(server.lines) + server.stderr
        for word in (token[:12], "77123", "hush-hush", "secret-word", "/events"):
            assert word not in written
