"""Metrics and probes of a real server: scraped over real sockets while people talk, and under attack."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from securechat.model import Hello, Refused
from securechat.net.plain_transport import MOST_CONNECTIONS
from securechat.server.metrics.catalogue import METRICS, PROCESS_METRICS
from tests.support.admin import row, rows
from tests.support.native import NativeClient
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

METRICS_ON = ("--metrics", "127.0.0.1:0")


class Scrape:
    """One text, parsed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[tuple[object, ...], float] = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def sum(self, name: str) -> float:
        return sum(value for (found, *_), value in self.values.items() if found == name)

    def __call__(self, name: str, **labels: str) -> float:
        return self.values[name, *sorted(labels.items())]


def address_of(server: ServerProcess) -> tuple[str, int]:
    host, _, port = server.wait_for_event("metrics")["address"].rpartition(":")
    return host, int(port)


def ask(server: ServerProcess, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address_of(server), timeout=PATIENCE_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        assert answer.getheader("Cache-Control") == "no-store"
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def scrape(server: ServerProcess) -> Scrape:
    status, text = ask(server, "/metrics")
    assert status == 200
    return Scrape(text)


@contextmanager
def running(certs: Path, data: Path, *flags: str) -> Iterator[ServerProcess]:
    with ServerProcess(certs, data, *METRICS_ON, *flags).start() as server:
        yield server


def test_a_scrape_tells_what_people_do(certs: Path, tmp_path: Path) -> None:
    with running(certs, tmp_path / "data") as server, ExitStack() as stack:
        ann, bob = (stack.enter_context(NativeClient(server.port, server.ca)) for _ in range(2))
        ann.hello("ann")
        bob.hello("bob")
        ann.join("garden")
        for number in range(5):
            ann.say_acked(f"message {number}")
        ann.say("")
        ann.wait_for(Refused)
        stranger = stack.enter_context(NativeClient(server.port, server.ca))
        stranger.send(Hello(version=1, name="bob", secret=stranger.secret))
        stranger.wait_for(Refused)

        def settled() -> Scrape | None:
            seen = scrape(server)
            # The index is counted a moment after the server listens.
            return seen if seen.values.get(("securechat_search_index_lag",)) == 0 else None

        seen = wait_until(settled, "the index has everything")
        assert seen("securechat_ready") == 1
        assert seen("securechat_members") == 2
        assert seen("securechat_connections", kind="native") == 3
        assert seen("securechat_connections", kind="metrics") == 1
        assert seen("securechat_rooms", state="occupied") == 2
        assert seen("securechat_entries_stored_total", kind="message") == 5
        assert seen("securechat_logins_total", kind="guest") == 2
        assert seen("securechat_refusals_total", code="text_empty") == 1
        assert seen("securechat_login_failures_total", code="name_in_use") == 1
        assert seen("securechat_commit_duration_seconds_count") >= 5
        assert seen("securechat_loop_pass_duration_seconds_count") > seen("securechat_commit_duration_seconds_count")
        assert seen("securechat_disk_free_bytes") > seen("securechat_disk_reserve_bytes")
        assert seen("securechat_sent_bytes_total") > seen("securechat_received_bytes_total") > 0
        bob.close()
        wait_until(lambda: scrape(server).sum("securechat_connections_closed_total") == 1, "bob has gone")
        assert scrape(server)("securechat_members") == 1
        assert server.stop() == 0


def test_every_metric_of_the_list_is_there_and_no_other(certs: Path, tmp_path: Path) -> None:
    with running(certs, tmp_path / "data") as server:
        text = _whole(server)
        typed = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
        listed = [*METRICS, *(PROCESS_METRICS if sys.platform == "linux" else ())]
        assert sorted(typed) == sorted((metric.name, metric.kind.value) for metric in listed)
        assert len(re.findall(r"^# HELP \S+ \S", text, re.MULTILINE)) == len(listed)


def _whole(server: ServerProcess) -> str:
    def found() -> str | None:
        text = scrape(server).text
        return text if "securechat_search_index_lag" in text else None

    text: str = wait_until(found, "a text with the lag of the index")
    return text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian package prometheus) is not installed")
def test_prometheus_finds_nothing_wrong_with_the_text(certs: Path, tmp_path: Path) -> None:
    with running(certs, tmp_path / "data") as server:
        text = _whole(server)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


NAMES = ["zqann", 'zq"} 1', "zq\\n", "zq{le=", "Zqωmega", "zq 日本", "zq#room"]


def test_no_name_of_a_person_or_a_room_and_no_address_is_in_it(certs: Path, tmp_path: Path) -> None:
    with running(certs, tmp_path / "data", "--show-messages") as server, ExitStack() as stack:
        for number, name in enumerate(NAMES):
            client = stack.enter_context(NativeClient(server.port, server.ca))
            client.send(Hello(version=1, name=name, secret=client.secret, client="zqclient"))
            answer = client.wait_for(object, lambda event: True)  # type: ignore[type-var]
            if isinstance(answer, Refused):
                client.hello(f"zq{number}")
            client.join(f"zqroom{number}")
            client.say_acked("zqtext", f"zqroom{number}")
            client.say("zqtext", 'zq"} 1')  # refused, with a name in it
            client.wait_for(Refused)
        text = _whole(server)
        assert "zq" not in text.lower()
        assert "127.0.0.1" not in text
        assert str(tmp_path) not in text
        labels = set(re.findall(r'="([^"]*)"', text))
        assert not {label for label in labels if "#" in label or "/" in label or "@" in label}
        assert Scrape(text)("securechat_members") == len(NAMES)


def test_probes_answer_on_both_ports_and_by_address(certs: Path, tmp_path: Path) -> None:
    with running(certs, tmp_path / "data") as server:
        assert ask(server, "/healthz") == (200, "ok\n")
        assert ask(server, "/readyz") == (200, "ready\n")
        assert ask(server, "/readyz", "HEAD") == (200, "")
        context = ssl.create_default_context(cafile=str(server.ca))
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=PATIENCE_S)
        for path, body in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
            connection.request("GET", path, headers={"Host": "10.9.8.7"})
            answer = connection.getresponse()
            assert (answer.status, answer.read().decode()) == (200, body)
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 401, "metrics are not for all"
        connection.close()


def test_a_full_disk_is_not_ready_without_any_traffic(certs: Path, tmp_path: Path) -> None:
    free_bytes = shutil.disk_usage(tmp_path).free
    with running(certs, tmp_path / "data", "--limit", f"low_disk_bytes={2 * free_bytes}") as server:
        _, text = wait_until(
            lambda: answer if (answer := ask(server, "/readyz"))[0] == 503 else None, "the disk is noticed"
        )
        assert text == "not ready: the disk is full, and new messages are refused\n"
        assert ask(server, "/healthz")[0] == 200
        assert scrape(server)("securechat_disk_full") == 1
        assert scrape(server)("securechat_ready") == 0


def test_a_server_that_stops_says_so_until_the_last_client_is_gone(certs: Path, tmp_path: Path) -> None:
    patience = ("--limit", "lingering_close_s=15", "--limit", "drain_s=40")
    with running(certs, tmp_path / "data", *patience) as server, NativeClient(server.port, server.ca) as ann:
        ann.hello("ann")
        server.signal(signal.SIGTERM)
        _, text = wait_until(
            lambda: answer if (answer := ask(server, "/readyz"))[0] == 503 else None, "the server stops"
        )
        assert text == "not ready: the server is stopping\n"
        assert scrape(server)("securechat_ready") == 0
        ann.close()
        assert server.wait() == 0


GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 10_000,
    b"GET /" + b"a" * 20_000,
    b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000,
    b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET /metrics HTTP/1.1\nHost: localhost\n\n",
)


def test_bad_input_on_the_listener_is_refused_and_members_notice_nothing(certs: Path, tmp_path: Path) -> None:
    quick = ("--limit", "web_headers_s=0.5", "--limit", "web_keep_alive_s=0.5")
    with running(certs, tmp_path / "data", *quick, "--rate-limit", "off") as server, ExitStack() as stack:
        ann, bob = (stack.enter_context(NativeClient(server.port, server.ca)) for _ in range(2))
        ann.hello("ann")
        bob.hello("bob")
        where = address_of(server)
        deaf = stack.enter_context(socket.create_connection(where, PATIENCE_S))
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)  # and reads nothing
        slow = stack.enter_context(socket.create_connection(where, PATIENCE_S))
        slow.sendall(b"GET /met")
        for number, data in enumerate(GARBAGE):
            with socket.create_connection(where, PATIENCE_S) as sock:
                sock.sendall(data)
                answer = _read_to_end(sock)
            assert re.match(rb"HTTP/1.1 4\d\d ", answer), (data[:20], answer[:80])
            ann.say_acked(f"beside {number}")
            bob.wait_for_text(f"beside {number}")
        assert _read_to_end(slow).startswith(b"HTTP/1.1 408 ")
        crowd = [stack.enter_context(socket.create_connection(where, PATIENCE_S)) for _ in range(3 * MOST_CONNECTIONS)]
        ann.say_acked("beside a crowd")
        bob.wait_for_text("beside a crowd")
        assert wait_until(lambda: sum(_is_closed(sock) for sock in crowd) >= MOST_CONNECTIONS, "the oldest make room")
        assert scrape(server)("securechat_connections", kind="metrics") <= MOST_CONNECTIONS
        assert server.stop() == 0
        assert not [event for event in server.events() if event["event"] == "error"]


def _read_to_end(sock: socket.socket) -> bytes:
    came = b""
    try:
        while data := sock.recv(65_536):
            came += data
    except ConnectionResetError:
        pass
    return came


def _is_closed(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return not sock.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True


# --- By token, on the server's port -----------------------------------------------------------------------------------


def by_token(server: ServerProcess, token: str | None, *flags: str, path: str = "/metrics") -> tuple[int, str, str]:
    """Ask with curl, as the printed line does: status, content type, body."""
    url = f"https://{server.host}:{server.port}{path}"
    authorization = [] if token is None else ["-H", f"Authorization: Bearer {token}"]
    shown = r"\n%{http_code}\n%{content_type}"
    command = ["curl", "-sS", "--cacert", str(server.ca), *authorization, "-w", shown, *flags, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    body, status, content_type = done.stdout.rsplit("\n", 2)
    return int(status), content_type, body


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
def test_a_token_with_the_scope_reads_the_same_metrics(certs: Path, tmp_path: Path) -> None:
    started_s = time.time()
    with ServerProcess(certs, tmp_path / "data").start() as server, NativeClient(server.port, server.ca) as ann:
        ready_s = time.time()
        ann.hello("ann")
        ann.say_acked("hello")
        where = ("--host", f"{server.host}:{server.port}")
        made = row(server, "bot", "add", "prometheus", "--scope", "metrics", *where)
        assert made["example"].endswith("/metrics")
        token = made["secret"]
        status, content_type, text = by_token(server, token)
        assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
        seen = Scrape(text)
        assert seen("securechat_members") == 1, "the scraper is no member"
        assert seen("securechat_connections", kind="metrics") == 0
        assert seen("securechat_entries_stored_total", kind="message") == 1
        assert seen("securechat_logins_total", kind="guest") == 1, "counted before the first scrape"
        assert seen("securechat_loop_pass_duration_seconds_count") > seen("securechat_commit_duration_seconds_count")
        assert started_s < seen("securechat_start_timestamp_seconds") < ready_s
        listed = [*METRICS, *(PROCESS_METRICS if sys.platform == "linux" else ())]
        found = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)) | {"securechat_search_index_lag"}
        assert found == {metric.name for metric in listed}
        status, content_type, body = by_token(server, token, "--head")
        assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert "# TYPE" not in body
        (used,) = rows(server, "bot")[0]["tokens"]
        assert used["used_at_ms"] is not None
        assert not used["online"]
        assert server.stop() == 0
        assert not [event for event in server.events() if event["event"] == "error"]
        assert token not in str(server.events())


@needs_curl
def test_all_others_are_refused_as_by_the_api(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        where = ("--host", f"{server.host}:{server.port}")
        deploy, prometheus = (
            row(server, "bot", "add", name, "--scope", scope, *where)["secret"]
            for name, scope in (("deploy", "post"), ("prometheus", "metrics"))
        )
        # Else curl writes on while it is refused, and may find the connection closed before it reads why.
        judged_first = ("-H", "Expect: 100-continue", "--expect100-timeout", str(PATIENCE_S))
        refused = [
            (by_token(server, None), 401, "token_missing"),
            (by_token(server, f"{prometheus[:-1]}{'a' if prometheus[-1] != 'a' else 'b'}"), 401, "token_invalid"),
            (by_token(server, deploy), 403, "no_right"),
            (by_token(server, prometheus, path="/api/v1/rooms"), 403, "no_right"),
            (by_token(server, prometheus, "-X", "GET", "-d", "x"), 413, "body_too_large"),
            (by_token(server, prometheus, "-d", "x" * 100_000, *judged_first), 413, "body_too_large"),
            (by_token(server, prometheus, "-X", "DELETE"), 405, "method_not_allowed"),
            (by_token(server, None, path=f"/metrics?token={prometheus}"), 400, "token_in_query"),
            (by_token(server, prometheus, "-H", "Origin: https://evil.example"), 403, "foreign_origin"),
        ]
        for (status, content_type, body), wanted, code in refused:
            document = json.loads(body)
            assert (status, content_type, document["code"]) == (wanted, "application/problem+json", code)
        assert by_token(server, prometheus, path="/metrics/")[0] == 404
        status, _, body = by_token(server, None, "-d", "x", path=f"/hooks/{prometheus}")
        assert (status, body) == (404, "no_service")
        assert by_token(server, prometheus)[0] == 200
        row(server, "bot", "remove", "prometheus", "--yes")
        assert by_token(server, prometheus)[0] == 401
        assert server.stop() == 0
        assert prometheus not in str(server.events())


@needs_curl
@pytest.mark.parametrize("flags", [("--api", "off"), ("--api", "off", "--webhooks", "off")])
def test_without_the_api_nothing_is_there(certs: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    with running(certs, tmp_path / "data", *flags) as server:
        made = row(server, "bot", "add", "p", "--scope", "metrics", "--host", f"{server.host}:{server.port}")
        assert by_token(server, made["secret"])[0] == 404
        assert scrape(server)("securechat_ready") == 1, "the listener does not depend on it"


@needs_curl
def test_both_ways_have_one_text(certs: Path, tmp_path: Path) -> None:
    with running(certs, tmp_path / "data") as server:
        made = row(server, "bot", "add", "p", "--scope", "metrics", "--host", f"{server.host}:{server.port}")
        _, _, text = by_token(server, made["secret"])
        found = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
        assert found == set(re.findall(r"^# TYPE (\S+) ", scrape(server).text, re.MULTILINE))


@pytest.mark.cold
def test_a_server_without_metrics_imports_nothing_for_them() -> None:
    program = (
        "import sys, securechat.cli.serve, securechat.server.app\n"
        "ours = ('metrics.server', 'metrics.scraper', 'metrics.snapshot')\n"
        "print([name for name in sys.modules if 'prometheus' in name or name.endswith(ours)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
