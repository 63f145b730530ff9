"""The HTTP API on a real server over TLS: with curl as people use it, and with what no program should send."""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from securechat.model import Message
from tests.e2e.conftest import Connect
from tests.e2e.test_web_http import Wire
from tests.support.api import ApiClient, curl, curl_command, make_token
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

POST = "/rooms/lobby/messages"
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
QUICK = ("--limit", "api_body_s=1")


@pytest.fixture(scope="module")
def serving(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("api") / "data"
    with ServerProcess(certs, data, *QUICK, "--rate-limit", "off").start() as process:
        yield process


@pytest.fixture(scope="module")
def token(serving: ServerProcess) -> str:
    return make_token(serving, "deploy")


@pytest.fixture
def api(serving: ServerProcess, token: str) -> Iterator[ApiClient]:
    client = ApiClient(serving, token)
    yield client
    client.close()


def test_one_curl_posts(serving: ServerProcess, token: str, connect: Connect) -> None:
    ana = connect(serving, "ana")
    answer = curl(serving, token, POST, "-d", "build failed")
    assert answer.status == 201
    message = ana.wait_for_text("build failed")
    assert (message.seq, message.name) == (answer.json["seq"], "deploy")
    answer = curl(serving, token, POST, "--data-binary", "@-", stdin="from\na pipe\n")
    assert answer.status == 201
    assert ana.wait_for_text("from\na pipe").seq == answer.json["seq"]
    record = json.dumps({"text": "an answer", "reply_to": message.seq})
    assert curl(serving, token, POST, "-H", "Content-Type: application/json", "-d", record).status == 201
    assert ana.wait_for_text("an answer").reply == message.seq


def test_what_curl_sends_again_is_one_message(serving: ServerProcess, token: str) -> None:
    flags = ("-d", "once", "-H", "Idempotency-Key: build-42")
    first, second = curl(serving, token, POST, *flags), curl(serving, token, POST, *flags)
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert curl(serving, token, POST, "-d", "other", "-H", "Idempotency-Key: build-42").json["code"] == "key_used"


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
def test_curl_with_retry_comes_through_a_restart(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        token = make_token(server, "deploy")
        server.kill()
        flags = ("--retry", "60", "--retry-delay", "1", "--retry-connrefused", "-H", "Idempotency-Key: k", "-d", "x")
        command = curl_command(server, token, POST, *flags)
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        server.start()
        out, err = waiting.communicate(timeout=PATIENCE_S)
        assert waiting.returncode == 0, err
        assert out.endswith("\n201")
        api = ApiClient(server, token)
        assert [message["text"] for message in api.get(POST).json["messages"]] == ["x"]
        api.close()


@needs_curl
def test_curl_that_is_killed_in_the_middle_costs_nothing(serving: ServerProcess, token: str, api: ApiClient) -> None:
    command = curl_command(serving, token, POST, "-X", "POST", "-T", "-", "-H", "Expect:", "--limit-rate", "1")
    command += ["-H", "Transfer-Encoding:", "-H", "Content-Length: 20000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdin is not None
        running.stdin.write(b"half of it")
        running.stdin.flush()
        seq = api.say("while it uploads")
        running.send_signal(signal.SIGKILL)
    page = api.get(f"{POST}?after={seq - 1}").json
    assert [message["text"] for message in page["messages"]] == ["while it uploads"]


@needs_curl
def test_a_refusal_costs_no_upload(serving: ServerProcess, token: str) -> None:
    large = ["-H", "Expect: 100-continue", "--data-binary", "@-"]
    done = subprocess.run(
        [*curl_command(serving, token, POST, *large), "-v"],
        input="x" * 100_000,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("\n413")
    assert "100 Continue" not in done.stderr
    done = subprocess.run(
        [*curl_command(serving, "f" * 32, POST, *large), "-v"],
        input="x" * 30_000,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("\n401")
    assert "100 Continue" not in done.stderr
    done = subprocess.run(
        [*curl_command(serving, token, POST, *large), "-v"],
        input="x" * 3_000,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("\n201"), done.stdout
    assert "100 Continue" in done.stderr


def problem(wire: Wire) -> tuple[int, str]:
    answer = wire.answer()
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status, json.loads(answer.body)["code"]


def head(wire: Wire, token: str, *lines: str, target: str = f"/api/v1{POST}", method: str = "POST") -> bytes:
    all_lines = (f"{method} {target} HTTP/1.1", f"Host: {wire.host}", f"Authorization: Bearer {token}", *lines, "", "")
    return "\r\n".join(all_lines).encode()


@pytest.mark.parametrize(
    ("lines", "body", "status", "code"),
    [
        (("Content-Length: 65537",), b"x", 413, "body_too_large"),
        (("Content-Length: 99999999999",), b"x" * 1000, 413, "body_too_large"),
        (("Transfer-Encoding: chunked",), b"1\r\nx\r\n0\r\n\r\n", 411, "length_required"),
        (("Transfer-Encoding: chunked", "Content-Length: 3"), b"1\r\nx\r\n0\r\n\r\n", 400, "bad_request"),
        (("Content-Length: 3", "Content-Length: 3"), b"abc", 400, "bad_request"),
        (("Content-Length: -1",), b"", 400, "bad_request"),
        (
            ("Content-Length: 5", "Content-Encoding: gzip"),
            gzip.compress(b"x" * 1_000_000, mtime=0)[:5],
            415,
            "media_type",
        ),
        (("Content-Length: 3", "Expect: tea"), b"", 417, "expectation"),
    ],
)
def test_a_hostile_head_is_refused_and_nothing_behind_it_is_read(
    serving: ServerProcess, token: str, lines: tuple[str, ...], body: bytes, status: int, code: str
) -> None:
    with Wire(serving) as wire:
        wire.send(head(wire, token, *lines) + body + head(wire, token, "Content-Length: 9") + b"smuggled!")
        assert problem(wire) == (status, code)
        assert b"HTTP/1.1" not in wire.rest()
    api = ApiClient(serving, token)
    assert "smuggled!" not in [message["text"] for message in api.get(f"{POST}?limit=200").json["messages"]]
    api.close()


@pytest.mark.parametrize(
    ("target", "line", "expected"),
    [
        (f"/api/v1{POST}?limit={'1' * 9_000}", "A: a", (414, "address_too_long")),
        (f"/api/v1{POST}", f"A: {'a' * 9_000}", (431, "headers_too_long")),
    ],
    ids=["address", "headers"],
)
def test_a_head_that_is_too_long_is_refused_with_a_problem(
    serving: ServerProcess, token: str, target: str, line: str, expected: tuple[int, str]
) -> None:
    with Wire(serving) as wire:
        wire.send(head(wire, token, line, target=target))
        assert problem(wire) == expected


def test_a_slow_body_is_ended_and_delays_no_one(serving: ServerProcess, token: str, api: ApiClient) -> None:
    with Wire(serving) as wire:
        wire.send(head(wire, token, "Content-Length: 100"))
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.1):
                try:
                    wire.send(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            api.say("meanwhile")
            assert problem(wire) == (408, "too_slow")
        finally:
            stop.set()
            thread.join()


def test_a_body_that_looks_like_a_request_is_a_text(serving: ServerProcess, token: str, api: ApiClient) -> None:
    with Wire(serving) as wire:
        text = head(wire, "", "Content-Length: 3", method="DELETE") + b"abc"
        wire.send(head(wire, token, f"Content-Length: {len(text)}") + text + head(wire, token, method="GET"))
        first, second = wire.answer(), wire.answer()
    assert (first.status, second.status) == (201, 200)
    assert json.loads(second.body)["messages"][-1]["text"] == text.decode()


def test_another_page_may_not_ask(serving: ServerProcess, token: str) -> None:
    answer = curl(serving, token, "/me", "-H", "Origin: https://evil.example")
    assert (answer.status, answer.json["code"]) == (403, "foreign_origin")
    preflight = curl(serving, token, "/me", "-X", "OPTIONS", "-H", "Origin: https://evil.example", "-i")
    assert preflight.status == 403
    assert b"access-control" not in preflight.body.lower()
    assert b"set-cookie" not in preflight.body.lower()
    answer = curl(serving, token, "/me", "-H", "Host: evil.example")
    assert (answer.status, answer.json["code"]) == (421, "wrong_host")


def test_no_token_is_in_what_the_server_writes(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--show-messages").start() as server:
        token = make_token(server, "deploy")
        wrong = "e0" * 16
        for flags in ((), ("-d", "hello"), ("-X", "BREW"), ("-H", "Origin: https://a.example")):
            curl(server, token, POST, *flags)
            curl(server, wrong, POST, *flags)
        curl(server, None, f"{POST}?token={token}")
        for given in (token, wrong):
            curl(server, f"{given} {given}", POST)
            for part in (given, given[:12]):
                for path in (f"/rooms/{part}/messages", f"/people/{part}/messages", f"/{part}", f"/rooms/x/{part}"):
                    curl(server, token, path, "-d", "a token in the address by mistake")
                    curl(server, token, path)
        server.kill()
        assert any("hello" in line for line in server.lines)
        written = ("\n".join(server.lines) + server.stderr).lower()
        assert token[:12].lower() not in written
        assert wrong[:12] not in written


def test_a_stop_answers_posts_that_are_under_way(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        tokens = [make_token(server, f"bot{number}") for number in range(2)]
        acknowledged: list[int] = []
        failures: list[str] = []
        begun = threading.Barrier(5)

        def post(number: int) -> None:
            with ApiClient(server, tokens[number % 2]) as api, suppress(OSError, http.client.HTTPException):
                begun.wait()
                while (answer := api.post(POST, f"{number}")).status == 201:
                    acknowledged.append(answer.json["seq"])
                failures.append(repr(answer))

        threads = [threading.Thread(target=post, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        wait_until(lambda: len(acknowledged) > 50, "posts are acknowledged")
        server.stop()
        for thread in threads:
            thread.join(PATIENCE_S)
        server.start()
        api = ApiClient(server, tokens[0])
        stored: set[int] = set()
        after = 0
        while True:
            page = api.get(f"{POST}?after={after}&limit=200").json
            stored |= {message["seq"] for message in page["messages"]}
            after = page["through"]
            if not page["more"]:
                break
        api.close()
        assert set(acknowledged) <= stored
        assert len(set(acknowledged)) == len(acknowledged)
        assert [failure for failure in failures if "shutting_down" not in failure] == []


def test_kill_9_loses_no_post_that_was_acknowledged(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        token = make_token(server, "deploy")
        done: dict[str, int] = {}

        def post_all() -> None:
            number = 0
            while number < 300:
                # where the server is gone for a moment, the same key comes again
                with ApiClient(server, token) as api, suppress(OSError, http.client.HTTPException):
                    while number < 300:
                        answer = api.post(POST, f"{number}", Idempotency_Key=f"key-{number}")
                        assert answer.status in (201, 503), answer
                        if answer.status == 201:
                            done[f"{number}"] = answer.json["seq"]
                            number += 1

        thread = threading.Thread(target=post_all)
        thread.start()
        for count in (60, 120, 180):
            wait_until(lambda count=count: len(done) >= count, "posts are acknowledged")
            server.kill()
            server.start()
        thread.join(PATIENCE_S)
        api = ApiClient(server, token)
        found: list[Any] = []
        while True:
            page = api.get(f"{POST}?after={found[-1]['seq'] if found else 0}&limit=200").json
            found += page["messages"]
            if not page["more"]:
                break
        api.close()
        assert {message["text"]: message["seq"] for message in found} == done
        assert len(found) == 300


def test_a_full_disk_is_507_and_reading_goes_on(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        token = make_token(server, "deploy")
        with ApiClient(server, token) as api:
            api.say("before")
        assert server.stop() == 0
        server.flags = ("--limit", f"low_disk_bytes={10**15}")
        server.start()
        with ApiClient(server, token) as api:
            refused = api.post(POST, "more")
            assert (refused.status, refused.json["code"]) == (507, "disk_full")
            assert [message["text"] for message in api.get(POST).json["messages"]] == ["before"]


def test_the_api_can_be_turned_off(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--api", "off").start() as server, Wire(server) as wire:
        wire.get("/api/v1/openapi.json")
        answer = wire.answer()
        assert (answer.status, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
        wire.get("/api/v1/me", "Content-Length: 0\r\n", method="POST")
        assert wire.answer().status == 405


def test_unused_connections_give_way_to_other_programs(certs: Path, tmp_path: Path) -> None:
    limits = ("--limit", "api_connections=20", "--limit", "web_keep_alive_s=600")
    with ServerProcess(certs, tmp_path / "data", *limits).start() as server, ExitStack() as ends:
        idle, ana = make_token(server, "idle"), make_token(server, "ana")
        wires = [ends.enter_context(Wire(server)) for _ in range(21)]
        for wire in wires:
            wire.send(head(wire, idle, target="/api/v1/me", method="GET"))
            assert wire.sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        with ApiClient(server, ana) as api:
            assert [api.get("/me").status for _ in range(3)] == [200] * 3
            assert wires[1].sock.recv(4096) == b"", "the longest unused one of a token that was known"
            wires[2].send(head(wires[2], idle, target="/api/v1/me", method="GET"))
            assert wires[2].sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_connections_in_use_give_way_to_none(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--limit", "api_connections=3").start() as server, ExitStack() as ends:
        token = make_token(server, "ana")
        for _ in range(3):
            wire = ends.enter_context(Wire(server))
            wire.send(head(wire, token, target="/api/v1/events", method="GET"))
            assert wire.sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        with ApiClient(server, token) as api:
            refused = api.get("/me")
            assert (refused.status, refused.headers["retry-after"]) == (503, "10")


def test_a_client_without_alpn_posts_too(serving: ServerProcess, token: str) -> None:
    with Wire(serving, alpn=None) as wire:
        wire.send(head(wire, token, "Content-Length: 2") + b"hi")
        assert wire.answer().status == 201


def test_members_and_programs_meet(serving: ServerProcess, token: str, api: ApiClient, connect: Connect) -> None:
    ana = connect(serving, "annie")
    found = api.get("/people/annie").json
    assert not found["absent"]
    assert api.post("/people/annie/messages", "for you").status == 201
    assert ana.wait_for(Message, lambda message: message.text == "for you").to == found["id"]
    assert "deploy" in [member["name"] for member in api.get("/rooms/lobby/members").json["members"]]


def test_problems_look_as_promised(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        token = make_token(server, "deploy")
        api, stranger, nobody = ApiClient(server, token), ApiClient(server, "0" * 32), ApiClient(server, None)
        seq = api.say("x", Idempotency_Key="k")
        cases = {
            "no token": nobody.get("/me"),
            "a token that is none": stranger.get("/me"),
            "a token in the query": nobody.get("/me?token=0"),
            "no such path": api.get("/nothing"),
            "another method": api.ask("PUT", "/me"),
            "no such room": api.post("/rooms/nowhere/messages", "x"),
            "no room's name": api.get("/rooms/two%20words/messages"),
            "no such person": api.post("/people/nobody/messages", "x"),
            "no such message": api.get(f"{POST}/{seq + 1}"),
            "no text": api.post(POST, ""),
            "too long a text": api.post(POST, "x" * 5_000),
            "too long a body": api.post(POST, "x" * 70_000),
            "no JSON": api.ask("POST", POST, "{", Content_Type="application/json"),
            "another field": api.post_json(POST, {"text": "x", "channel": "y"}),
            "half a character": api.ask("POST", POST, '{"text":"\\ud83d"}', Content_Type="application/json"),
            "no UTF-8": api.ask("POST", POST, b"\xff"),
            "gzip": api.ask("POST", POST, gzip.compress(b"x"), Content_Encoding="gzip"),
            "a key of another message": api.post(POST, "y", Idempotency_Key="k"),
            "a parameter that is none": api.get(f"{POST}?limit=1000"),
            "a search that is none": api.get("/search?q=has:x"),
        }
        assert {answer.headers["content-type"] for answer in cases.values()} == {"application/problem+json"}
        lines = [json.dumps({"case": case, **answer.json}, ensure_ascii=False) for case, answer in cases.items()]
        for client in (api, stranger, nobody):
            client.close()
        assert lines == (GOLDEN / "problems_v1.jsonl").read_text(encoding="utf-8").splitlines()
