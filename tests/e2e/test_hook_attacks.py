"""Webhooks on a real server over TLS: what senders compare, what comes twice, what is cut, what is never written."""

from __future__ import annotations

import contextlib
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Connect
from tests.e2e.test_web_http import Answer, Wire
from tests.support.admin import needs_socket, row, told
from tests.support.api import ApiClient, make_token
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

pytestmark = needs_socket

OK = (200, "text/plain; charset=utf-8", b"ok")


@pytest.fixture(scope="module")
def serving(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("hooks") / "data"
    flags = ("--rate-limit", "off", "--limit", "api_failed_tokens=10000")
    with ServerProcess(certs, data, *flags).start() as process:
        yield process


@pytest.fixture(scope="module")
def hook(serving: ServerProcess) -> str:
    return make_hook(serving, "grafana")


@pytest.fixture(scope="module")
def reader(serving: ServerProcess) -> str:
    return make_token(serving, "reader")


def make_hook(server: ServerProcess, name: str) -> str:
    """Make a webhook of the lobby; returns its token."""
    return str(row(server, "hook", "add", "lobby", name)["secret"])


def post(wire: Wire, target: str, body: bytes, *lines: str) -> Answer:
    wire.send(written(wire, target, body, *lines))
    return wire.answer()


def written(wire: Wire, target: str, body: bytes, *lines: str) -> bytes:
    head = (f"POST {target} HTTP/1.1", f"Host: {wire.host}", f"Content-Length: {len(body)}", *lines, "", "")
    return "\r\n".join(head).encode() + body


def compared(answer: Answer) -> tuple[int, str, bytes]:
    return answer.status, answer.headers["content-type"], answer.body


def texts(server: ServerProcess, token: str) -> list[str]:
    """All texts of the lobby, in order."""
    found: list[str] = []
    after = 0
    with ApiClient(server, token) as api:
        while True:
            page = api.get(f"/rooms/lobby/messages?after={after}&limit=200").json
            found += [message["text"] for message in page["messages"]]
            after = page["through"]
            if not page["more"]:
                return found


@pytest.mark.parametrize("header", ["Idempotency-Key", "webhook-id", "X-Gitea-Delivery", "X-GitHub-Delivery"])
def test_a_redelivery_is_one_message_also_beside_the_first(
    serving: ServerProcess, hook: str, reader: str, header: str
) -> None:
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(serving)) for _ in range(10)]
        for wire in wires:
            wire.send(written(wire, f"/hooks/{hook}", f"by {header}".encode(), f"{header}: 1"))
        assert {compared(wire.answer()) for wire in wires} == {OK}
    assert texts(serving, reader).count(f"by {header}") == 1


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/hooks/{token}?x=y", 200),
        ("/hooks/{token}?token=x", 400),
        ("/hooks/{token}/", 404),
        ("/hooks//{token}", 404),
        ("/hooks/x/../{token}", 404),
        ("/hooks/%73{rest}", 404),
        ("/hooks/", 404),
        ("/hooks/{token}#x", 404),
    ],
)
def test_an_address_is_taken_as_it_is_written(serving: ServerProcess, hook: str, target: str, status: int) -> None:
    with Wire(serving) as wire:
        answer = post(wire, target.format(token=hook, rest=hook[1:]), b"x")
        assert answer.status == status
        assert compared(post(wire, f"/hooks/{hook}", b"the connection goes on")) == OK


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "BREW"])
def test_another_method_is_told_which_one_is_taken(serving: ServerProcess, hook: str, method: str) -> None:
    with Wire(serving) as wire:
        wire.get(f"/hooks/{hook}", method=method)
        answer = wire.answer(is_head=method == "HEAD")
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert compared(post(wire, f"/hooks/{hook}", b"the connection goes on")) == OK


def test_posts_that_do_not_wait_for_each_other_keep_their_order(serving: ServerProcess, hook: str, reader: str) -> None:
    sent = [f"in order {number}" for number in range(40)]
    with Wire(serving) as wire:
        wire.send(b"".join(written(wire, f"/hooks/{hook}", text.encode()) for text in sent))
        assert [compared(wire.answer()) for _ in sent] == [OK] * 40
    assert [text for text in texts(serving, reader) if text.startswith("in order")] == sent


def test_a_cut_body_is_no_message_and_a_whole_one_of_a_killed_sender_is(
    serving: ServerProcess, hook: str, reader: str
) -> None:
    for _ in range(20):
        with Wire(serving) as wire:
            wire.send(written(wire, f"/hooks/{hook}", b"never whole")[:-1])
        with Wire(serving) as wire:
            wire.send(written(wire, f"/hooks/{hook}", b"whole"))
    wait_until(lambda: texts(serving, reader).count("whole") == 20, "all whole ones are stored")
    assert "never whol" not in texts(serving, reader)


def test_a_webhook_that_is_removed_in_the_middle(serving: ServerProcess, reader: str) -> None:
    token = make_hook(serving, "shortlived")
    stored: list[str] = []
    last: list[tuple[int, bytes]] = []

    def send(number: int) -> None:
        with Wire(serving) as wire:
            for count in range(100_000):
                answer = post(wire, f"/hooks/{token}", f"{number} {count} short".encode())
                if answer.status != 200:
                    last.append((answer.status, answer.body))
                    return
                stored.append(f"{number} {count} short")

    with Wire(serving) as held:
        begun = written(held, f"/hooks/{token}", b"too late")
        held.send(begun[:-1])
        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(stored) > 20, "posts are acknowledged")
        told(serving, "hook", "remove", "shortlived", "--yes")
        for thread in threads:
            thread.join(PATIENCE_S)
        held.send(begun[-1:])
        assert held.answer().status == 404
    assert set(last) == {(404, b"no_service")}
    found = [text for text in texts(serving, reader) if text.endswith((" short", "too late"))]
    assert sorted(found) == sorted(stored)


def test_kill_9_stores_every_delivery_once(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        hook, reader = make_hook(server, "grafana"), make_token(server, "reader")
        done = 0

        def send_all() -> None:
            nonlocal done
            while done < 200:
                with contextlib.suppress(OSError, EOFError), Wire(server) as wire:
                    while done < 200:
                        answer = post(wire, f"/hooks/{hook}", f"{done}".encode(), f"webhook-id: {done}")
                        assert answer.status in (200, 503), answer
                        done += answer.status == 200

        thread = threading.Thread(target=send_all)
        thread.start()
        for count in (40, 80, 120):
            wait_until(lambda count=count: done >= count, "posts are acknowledged")
            server.kill()
            server.start()
        wait_until(lambda: done >= 160, "posts are acknowledged")
        server.stop()
        server.start()
        thread.join(PATIENCE_S)
        assert texts(server, reader) == [f"{number}" for number in range(200)]


def test_a_full_disk_is_told_as_what_passes_by_itself(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        hook, reader = make_hook(server, "grafana"), make_token(server, "reader")
        with Wire(server) as wire:
            assert compared(post(wire, f"/hooks/{hook}", b"before", "webhook-id: 1")) == OK
        assert server.stop() == 0
        server.flags = ("--limit", f"low_disk_bytes={10**15}")
        server.start()
        with Wire(server) as wire:
            answer = post(wire, f"/hooks/{hook}", b"more")
            assert (answer.status, answer.body) == (503, b"service_unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert compared(post(wire, f"/hooks/{hook}", b"before", "webhook-id: 1")) == OK, "it is stored"
        assert texts(server, reader) == ["before"]


def test_no_part_of_an_address_is_in_what_the_server_writes(certs: Path, tmp_path: Path, connect: Connect) -> None:
    flags = ("--show-messages", "--metrics", "127.0.0.1:0", "--limit", "api_failed_tokens=10000")
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        hook = make_hook(server, "grafana")
        connect(server, "ana")
        for token in (hook, hook[:-1], hook.lower(), hook[:20], "by-mistake"):
            for target in (
                f"/hooks/{token}",
                f"/hooks/{token}?q={token}",
                f"/hooks//{token}",
                f"/x/{token}",
                f"/api/{token}",
            ):
                for lines in ((), ("Origin: https://other.example",), ("Content-Encoding: gzip",), ("Expect: tea",)):
                    with Wire(server) as wire:
                        post(wire, target, b"hello", *lines)
            with Wire(server) as wire:
                wire.send(f"POST /hooks/{token} HTTP/1.1\r\nHost: {wire.host}\r\nBroken {token}\r\n\r\n".encode())
                assert wire.answer().status == 400
        where = server.wait_for_event("metrics")["address"]
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=PATIENCE_S) as answer:
            metrics = answer.read().decode()
        assert 'securechat_hook_posts_total{outcome="ok"}' in metrics
        server.kill()
        assert any("hello" in line for line in server.lines)
        written_down = ("\n".join(server.lines) + server.stderr + metrics).lower()
        assert hook[:20].lower() not in written_down
        assert "by-mistake" not in written_down


@pytest.mark.parametrize(
    ("flags", "hooks", "api"),
    [(("--webhooks", "off"), 404, 401), (("--api", "off"), 405, 404), (("--web", "off"), 0, 0)],
)
def test_what_is_turned_off_is_not_there(
    certs: Path, tmp_path: Path, flags: tuple[str, ...], hooks: int, api: int
) -> None:
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        for path, status in (("/hooks/x", hooks), ("/api/v1/me", api)):
            with Wire(server) as wire:
                wire.get(path)
                if status:
                    assert wire.answer().status == status
                else:
                    assert not wire.rest().startswith(b"HTTP/1.1 ")
