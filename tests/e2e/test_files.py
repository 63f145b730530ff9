"""Files over the real server: `curl -T`, tus, links, deletion, kill -9 between the steps, and ``--files off``."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from securechat.limits import Limits
from securechat.model import (
    Acked,
    AddUpload,
    AskFiles,
    AskLinks,
    Direct,
    FileLinks,
    FileList,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Left,
    Logout,
    Message,
    Moderate,
    Refused,
    Register,
    Registered,
    Say,
    UploadAdded,
    Welcome,
)
from tests.support.api import ApiAnswerRead, ApiClient, make_token
from tests.support.native import NativeClient
from tests.support.secure_socket import secure_socket
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

CURL = shutil.which("curl")
TUS = {"Tus_Resumable": "1.0.0"}
BODY = secrets.token_bytes(700_000)
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")


@pytest.fixture
def server(certs: Path, tmp_path: Path) -> ServerProcess:
    return ServerProcess(certs, tmp_path / "data", "--rate-limit", "off")


def uploader(server: ServerProcess, name: str = "deploy") -> str:
    return make_token(server, name, "post", "read", "files")


def part(api: ApiClient, path: str, offset: int, body: bytes, **headers: str) -> ApiAnswerRead:
    typed = {"Content_Type": "application/offset+octet-stream", "Upload_Offset": str(offset)}
    return api.ask("PATCH", path.removeprefix("/api/v1"), body, **TUS, **typed, **headers)


def offset_of(api: ApiClient, path: str) -> int:
    answer = api.ask("HEAD", path.removeprefix("/api/v1"), **TUS)
    assert answer.status == 200, answer
    return int(answer.headers["upload-offset"])


def created(api: ApiClient, size: int) -> tuple[str, str]:
    """Create an upload; return its id and its path."""
    answer = api.ask("POST", "/uploads", **TUS, Upload_Length=str(size), Upload_Metadata="filename bG9nLmJpbg==")
    assert answer.status == 201, answer
    return answer.json["id"], answer.headers["location"]


def uploaded(api: ApiClient, body: bytes = BODY) -> str:
    file_id, path = created(api, len(body))
    assert part(api, path, 0, body).headers["upload-offset"] == str(len(body))
    return file_id


def on_disk(server: ServerProcess) -> dict[str, bytes]:
    """The finished files, by name."""
    found = {}
    for path in (server.data / "files").glob("??/*"):
        with suppress(FileNotFoundError):  # unlinked meanwhile
            found[path.name] = path.read_bytes()
    return found


def member(server: ServerProcess, name: str) -> NativeClient:
    client = NativeClient(server.port, server.ca, host=server.host)
    client.hello(name)
    return client


def link_of(client: NativeClient, file_id: str) -> str:
    client.send(AskLinks(90, [file_id]))
    return client.wait_for(FileLinks, lambda linked: linked.links[0].id == file_id).links[0].path


# --- curl -------------------------------------------------------------------------------------------------------------


def curl(server: ServerProcess, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CURL is not None
    command = [CURL, "-sS", "-w", "\n%{http_code} %{size_upload}", "--cacert", str(server.ca), "--max-time", "60"]
    command += ["-H", f"Authorization: Bearer {token}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_curl
def test_a_file_is_a_message_by_curl_and_refused_after_no_byte(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(BODY)
    with (tmp_path / "huge.bin").open("wb") as huge:
        huge.truncate(30 * 1024 * 1024)
    with server.start():
        token = uploader(server)
        base = f"https://{server.host}:{server.port}/api/v1/rooms/lobby/files"
        with member(server, "ana") as ana:
            done = curl(server, token, "-T", str(tmp_path / "report.pdf"), f"{base}/report.pdf?text=nightly")
            assert done.stdout.splitlines()[-1] == f"201 {len(BODY)}", done
            message = ana.wait_for(Message)
            assert message.text == "nightly\n[file: report.pdf, 684 KiB]"
            assert on_disk(server) == {message.files[0].id: BODY}
            refused = curl(server, token, "-H", "Expect: 100-continue", "-T", str(tmp_path / "huge.bin"), f"{base}/x")
            assert refused.stdout.splitlines()[-1] == "413 0", refused
            again = curl(server, token, "-T", str(tmp_path / "report.pdf"), f"{base}/report.pdf?text=ping")
            assert again.stdout.splitlines()[-1] == f"201 {len(BODY)}"
        read = subprocess.run(
            [CURL or "", "-sS", "--cacert", str(server.ca), "-H", f"Authorization: Bearer {token}",
             f"https://{server.host}:{server.port}/api/v1/files/{message.files[0].id}"],
            capture_output=True, check=True,
        )  # fmt: skip
        assert read.stdout == BODY


# --- tus, and what a page does ----------------------------------------------------------------------------------------


def test_an_upload_in_parts_is_sent_read_and_unlinked(server: ServerProcess) -> None:
    with server.start():
        token = uploader(server)
        with ApiClient(server, token) as api, ApiClient(server, None) as page, member(server, "ana") as ana:
            file_id, path = created(api, len(BODY))
            assert part(page, path, 0, BODY[:300_000]).status == 204
            assert part(page, path, 100, b"x").status == 409
            assert offset_of(page, path) == 300_000
            assert part(page, path, 300_000, BODY[300_000:]).status == 204
            posted = api.post_json("/rooms/lobby/messages", {"text": "", "files": [file_id]})
            assert posted.status == 201, posted
            message = ana.wait_for(Message)
            link = link_of(ana, file_id)
            got = page.ask_path("GET", f"{link}/log.bin")
            assert (got.status, got.body) == (200, BODY)
            assert got.headers["content-disposition"] == 'attachment; filename="log.bin"'
            ranged = page.ask_path("GET", link, Range="bytes=699990-")
            assert (ranged.status, ranged.body) == (206, BODY[-10:])
            assert api.ask("DELETE", f"/rooms/lobby/messages/{message.seq}").status == 200
            assert page.ask_path("GET", link).status == 404, "at once"
            wait_until(lambda: on_disk(server) == {}, "the file is unlinked")


def test_a_member_sends_what_its_connection_began(server: ServerProcess) -> None:
    with server.start(), member(server, "ana") as ana, member(server, "bob") as bob, ApiClient(server, None) as page:
        ana.send(AddUpload(5, "photo of us.txt", 5))
        added = ana.wait_for(UploadAdded)
        assert part(page, added.path, 0, b"hello").status == 204
        ana.send(Direct(1, bob.wait_for(Welcome).sender_id, "", files=[added.id]))
        ana.wait_for(Acked)
        message = bob.wait_for(Message)
        assert page.ask_path("GET", link_of(bob, message.files[0].id)).body == b"hello"
        with member(server, "eve") as eve:
            assert page.ask_path("GET", link_of(eve, message.files[0].id)).status == 404
        ana.send(AskFiles(6))
        listed = ana.wait_for(FileList)
        assert [(own.file.name, own.to, listed.used) for own in listed.files] == [
            ("photo of us.txt", bob.wait_for(Welcome).sender_id, 5)
        ]


def test_a_kicked_and_a_logged_out_session_get_404_for_each_link(server: ServerProcess) -> None:
    with server.start(), ApiClient(server, None) as page:
        token = uploader(server)
        ana = NativeClient(server.port, server.ca, host=server.host)
        ana.hello("ana")
        ana.send(Register(1, "eight-chars-or-more"))
        login = ana.wait_for(Registered)
        ana.send(Join(2, ["ops"]))
        ana.wait_for(Joined, lambda joined: joined.room == "ops")
        bob = member(server, "bob")
        bob.send(Join(2, ["ops"]))
        bob.wait_for(Joined, lambda joined: joined.room == "ops")
        with ApiClient(server, token) as api:
            assert api.ask("PUT", "/rooms/ops/files/a.txt", b"secret").status == 201
        file_id = bob.wait_for(Message).files[0].id
        link, own = link_of(bob, file_id), link_of(ana, file_id)
        assert page.ask_path("GET", link).body == page.ask_path("GET", own).body == b"secret"
        ana.send(Moderate(3, "ops", bob.wait_for(Welcome).sender_id, "kick"))
        bob.wait_for(Left)
        assert page.ask_path("GET", link).status == 404
        ana.send(Logout(4))
        ana.read_to_end()
        assert page.ask_path("GET", own).status == 404
        back = NativeClient(server.port, server.ca, host=server.host)
        back.send(Hello(1, "ana", back.secret, password="eight-chars-or-more"))
        back.wait_for(Welcome)
        assert page.ask_path("GET", own).status == 404, "another login"
        assert page.ask_path("GET", link_of(back, file_id)).body == b"secret"
        assert login.token
        for client in (bob, back):
            client.close()


# --- kill -9 ----------------------------------------------------------------------------------------------------------


def test_kill_9_between_the_steps_loses_nothing_that_was_acknowledged(certs: Path, tmp_path: Path) -> None:
    data, digest = tmp_path / "data", hashlib.sha256(BODY).hexdigest()

    def started() -> ServerProcess:
        return ServerProcess(certs, data, "--rate-limit", "off").start()

    first = started()
    token = uploader(first)
    with ApiClient(first, token) as api:
        half_id, half = created(api, len(BODY))
        assert part(api, half, 0, BODY[:400_000]).status == 204
        ready = uploaded(api)
        said = api.post_json("/rooms/lobby/messages", {"text": "one", "files": [uploaded(api)]}).json["seq"]
        doomed = api.post_json("/rooms/lobby/messages", {"text": "two", "files": [uploaded(api)]}).json["seq"]
        assert api.ask("DELETE", f"/rooms/lobby/messages/{doomed}").status == 200
        first.kill()
    second = started()
    with ApiClient(second, token) as api:
        kept = api.get(f"/rooms/lobby/messages/{said}").json["files"][0]["id"]
        assert hashlib.sha256(api.get(f"/files/{kept}").body).hexdigest() == digest
        offset = offset_of(api, half)
        assert 0 <= offset <= 400_000
        assert part(api, half, offset, BODY[offset:]).status == 204
        second.kill()
    third = started()
    with ApiClient(third, token) as api:
        answers: list[ApiAnswerRead] = []

        def is_answered() -> bool:
            """After its start the server takes up what it was at work on."""
            answers.append(api.post_json("/rooms/lobby/messages", {"text": "", "files": [half_id, ready]}))
            return answers[-1].json.get("code") != "file_not_ready"

        wait_until(is_answered, "files that are ready")
        posted = answers[-1]
        assert posted.status == 201, posted
        third.kill()
    with started() as fourth, ApiClient(fourth, token) as api:
        files = api.get(f"/rooms/lobby/messages/{posted.json['seq']}").json["files"]
        assert [file["id"] for file in files] == [half_id, ready]
        again = api.post_json("/rooms/lobby/messages", {"text": "", "files": [half_id]})
        assert again.status == 404, "used before the server was killed"
        wait_until(lambda: set(on_disk(fourth)) == {kept, half_id, ready}, "what no message shows is gone")
        assert all(hashlib.sha256(body).hexdigest() == digest for body in on_disk(fourth).values())
        wait_until(lambda: not list((data / "files" / "incoming").iterdir()), "no upload is left")


def test_kill_9_within_a_put_or_an_unjudged_part_leaves_nothing_of_it(certs: Path, tmp_path: Path) -> None:
    """The one ends with its process; of the other only what was judged stays."""
    incoming = tmp_path / "data" / "files" / "incoming"

    def started() -> ServerProcess:
        return ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start()

    def begin(server: ServerProcess, head: str, body: bytes) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=server.ca)
        raw = socket.create_connection((server.host, server.port), timeout=PATIENCE_S)
        connection = context.wrap_socket(raw, server_hostname=server.host)
        connection.sendall(head.replace("\n", "\r\n").encode() + body)
        return connection

    def arrived(count: int) -> Callable[[], bool]:
        return lambda: sorted(each.stat().st_size for each in incoming.iterdir() if "." not in each.name) == [count] * 2

    first = started()
    token = uploader(first)
    with ApiClient(first, token) as api, ExitStack() as connections:
        _, path = created(api, len(BODY))
        digest = b64encode(hashlib.sha256(BODY[:1000]).digest()).decode()
        assert part(api, path, 0, BODY[:1000], Upload_Checksum=f"sha256 {digest}").status == 204
        bearer = f"Host: {first.host}\nAuthorization: Bearer {token}\nContent-Length: {len(BODY)}\n\n"
        connections.enter_context(begin(first, f"PUT /api/v1/rooms/lobby/files/a HTTP/1.1\n{bearer}", BODY[:50_000]))
        head = (
            f"PATCH {path} HTTP/1.1\nHost: {first.host}\nTus-Resumable: 1.0.0\nUpload-Offset: 1000\n"
            "Content-Type: application/offset+octet-stream\n"
            f"Upload-Checksum: sha256 {digest}\nContent-Length: {len(BODY) - 1000}\n\n"
        )
        connections.enter_context(begin(first, head, BODY[1000:50_000]))
        wait_until(arrived(50_000), "both have come in part")
        first.kill()
    with started() as second, ApiClient(second, token) as api:
        wait_until(lambda: len(api.get("/files").json["uploads"]) == 1, "the PUT has ended with its process")
        listed = api.get("/files").json
        assert (listed["uploads"][0]["offset"], listed["used"]) == (1000, len(BODY))
        assert offset_of(api, path) == 1000
        wait_until(lambda: len(list(incoming.iterdir())) == 2, "nothing of the PUT is on the disk")
        assert part(api, path, 1000, BODY[1000:]).status == 204


# --- off --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [("--files", "off"), ("--web", "off")])
def test_a_server_without_files_has_nothing_of_them(certs: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server, member(server, "ana") as ana:
        assert "files" not in ana.wait_for(Welcome).features
        ana.send(AddUpload(5, "a", 1))
        assert ana.wait_for(Refused).reason == "files_off"
        ana.send(Say(1, "lobby", "x", files=["f" * 32]))
        assert ana.wait_for(Refused, lambda refused: refused.client_id == 1).reason == "files_off"
        if flags[0] == "--files":
            with ApiClient(server, None) as page:
                assert page.ask_path("GET", "/files/" + "f" * 32 + "/x").status == 404
                assert page.ask("OPTIONS", "/uploads").status == 404
        assert not (server.data / "files").exists()


def test_a_page_has_files_on_a_server_without_an_api(certs: Path, tmp_path: Path) -> None:
    flags = ("--api", "off", "--webhooks", "off")
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server, member(server, "ana") as ana:
        ana.send(AddUpload(5, "a.txt", 5))
        added = ana.wait_for(UploadAdded)
        with ApiClient(server, None) as page:
            assert part(page, added.path, 0, b"hello").status == 204
            ana.send(Say(1, "lobby", "", files=[added.id]))
            ana.wait_for(Message)
            assert page.ask_path("GET", link_of(ana, added.id)).body == b"hello"
            assert page.ask("POST", "/uploads", **TUS, Upload_Length="3").status == 404


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_a_server_that_has_no_file_has_no_folder_and_no_thread_for_them(server: ServerProcess) -> None:
    with server.start(), member(server, "ana") as ana:
        ana.say("hello")
        ana.wait_for_text("hello")
        names = {path.read_text().strip() for path in Path(f"/proc/{server.pid}/task").glob("*/comm")}
        assert "files" not in names
        assert not (server.data / "files").exists()


def test_an_acknowledged_file_that_is_missing_is_told_at_the_start(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        token = uploader(server)
        with ApiClient(server, token) as api:
            assert api.ask("PUT", "/rooms/lobby/files/a", b"x").status == 201
        (name,) = on_disk(server)
        (tmp_path / "data" / "files" / name[:2] / name).unlink()
        (tmp_path / "data" / "files" / "ee").mkdir(exist_ok=True)
        (tmp_path / "data" / "files" / "ee" / ("e" * 32)).write_bytes(b"orphan")
        server.signal(signal.SIGTERM)
        server.wait()
    with ServerProcess(certs, tmp_path / "data").start() as server:
        assert name in server.wait_for_event("error")["text"]
        wait_until(lambda: "e" * 32 not in on_disk(server), "the orphan is swept")


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
def test_downloads_that_are_not_read_leave_descriptors_to_the_others(certs: Path, tmp_path: Path) -> None:
    """Each has a socket, which is counted against RLIMIT_NOFILE, and the file, which is not."""
    most = 160
    command = ("prlimit", f"--nofile={most}:{most}")
    server = ServerProcess(certs, tmp_path / "data", "--rate-limit", "off", prefix=command)
    with server.start(), ExitStack() as sockets:
        token = uploader(server)
        api = ApiClient(server, token)
        sockets.callback(api.close)
        assert api.ask("PUT", "/rooms/lobby/files/big.bin", bytes(4_000_000)).status == 201
        with member(server, "ana") as ana:
            ana.send(History(80, "lobby"))
            (file,) = ana.wait_for(HistoryPage).messages[-1].files
            context = ssl.create_default_context(cafile=str(server.ca))
            head = f"GET {link_of(ana, file.id)} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n\r\n".encode()
            for _ in range(most // 2 - 15):
                with suppress(OSError):  # it may be refused
                    sock = secure_socket(context, (server.host, server.port), receive_buffer=4096)
                    sockets.enter_context(sock)
                    sock.sendall(head)
                    sock.recv(12)
            assert len(list(Path(f"/proc/{server.pid}/fd").iterdir())) <= most - Limits().reserved_descriptors
            answer = api.ask("PUT", "/rooms/lobby/files/small.bin", b"a file")
            assert answer.status == 201, answer


def part_without_answer(server: ServerProcess, path: str, body: bytes) -> ssl.SSLSocket:
    """Send a whole upload on a connection of its own."""
    context = ssl.create_default_context(cafile=str(server.ca))
    sock = secure_socket(context, (server.host, server.port))
    head = (
        f"PATCH {path} HTTP/1.1",
        f"Host: {server.host}:{server.port}",
        "Tus-Resumable: 1.0.0",
        "Upload-Offset: 0",
        "Content-Type: application/offset+octet-stream",
        f"Content-Length: {len(body)}",
    )
    sock.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return sock


def is_answered(sock: ssl.SSLSocket) -> bool:
    """Tell whether the answer has come by now."""
    sock.setblocking(False)
    try:
        return bool(sock.recv(1))
    except ssl.SSLWantReadError:
        return False
