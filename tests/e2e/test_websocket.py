"""docs/protocol.md, section 16, as a program meets it that has a WebSocket library and nothing of ours."""

from __future__ import annotations

import json
import re
import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from tests.e2e.conftest import Connect
from tests.support.golden import web_vectors
from tests.support.server import PATIENCE_S, ServerProcess

pytestmark = pytest.mark.not_pseudo("its client is an example of the documentation")
Record: TypeAlias = dict[str, Any]
SECTION = (
    (Path(__file__).resolve().parent.parent.parent / "docs" / "protocol.md")
    .read_text(encoding="utf-8")
    .split("\n## 16. WebSocket\n")[1]
    .split("\n## ")[0]
)


class Client:
    """A client that knows the document and nothing else."""

    def __init__(self, server: ServerProcess, **options: Any) -> None:
        context = ssl.create_default_context(cafile=str(server.ca))
        context.set_alpn_protocols(["http/1.1"])
        chosen: dict[str, Any] = {"subprotocols": ["securechat.1"], "host": server.host} | options
        address = socket.create_connection((server.host, server.port), PATIENCE_S)
        address.settimeout(None)
        self._ends = ExitStack()
        self.socket: ClientConnection = self._ends.enter_context(
            open_socket(
                f"wss://{chosen.pop('host')}:{server.port}/ws",
                **{"ssl": context, "sock": address, "server_hostname": server.host} | chosen,
            )
        )
        self.secret = secrets.token_hex(16)

    def close(self) -> None:
        self._ends.close()

    def raw(self, data: bytes) -> None:
        """Send bytes past the library, which reads and answers in a thread of its own."""
        with self.socket.protocol_mutex, suppress(OSError):
            self.socket.socket.sendall(data)

    def send(self, **record: Any) -> None:
        self.socket.send(json.dumps(record))

    def enter(self, name: str) -> Record:
        self.send(t="hello", version=1, name=name, secret=self.secret)
        welcome = self.wait("welcome")
        self.wait("joined")
        return welcome

    def wait(self, *kinds: str) -> Record:
        """The next record of such a type; what else comes is passed over."""
        while True:
            record: Record = json.loads(self.socket.recv(timeout=PATIENCE_S, decode=True))
            if record["t"] in kinds:
                return record

    def end(self) -> tuple[int | None, str | None]:
        """Read to the end; returns number and reason of the server's Close."""
        with pytest.raises(ConnectionClosed):
            while True:
                self.socket.recv(timeout=PATIENCE_S)
        return self.socket.close_code, self.socket.close_reason


def masked(opcode: int, payload: bytes) -> bytes:
    return Frame(Opcode(opcode), payload).serialize(mask=True)


Open: TypeAlias = Callable[..., Client]


@pytest.fixture
def web(standing: ServerProcess) -> Iterator[Open]:
    """Makes clients: ``web("ana")``; without a name no hello is said."""
    clients: list[Client] = []

    def make(name: str | None = None, server: ServerProcess = standing, **options: Any) -> Client:
        clients.append(client := Client(server, **options))
        if name is not None:
            client.enter(name)
        return client

    yield make
    for client in clients:
        client.close()


def test_the_documented_client_works(standing: ServerProcess, tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    script = tmp_path / "web.py"
    script.write_text(source, encoding="utf-8")
    command = [sys.executable, "-W", "error", script, standing.host, str(standing.port), standing.ca, "documented"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True)
    *records, end = done.stdout.splitlines()
    kinds = [json.loads(line)["t"] for line in records]
    assert kinds[0] == "welcome"
    assert {"joined", "msg", "acked"} <= set(kinds)
    assert (kinds[-1], end) == ("closing", "1000 bye")


def test_a_conversation_with_a_native_member(standing: ServerProcess, web: Open, connect: Connect) -> None:
    ana, ben = web("web ana"), connect(standing, "native ben")
    ana.send(t="say", cid=1, room="lobby", text="from the page 🎉")
    assert ana.wait("acked")["cid"] == 1
    ben.say("from the terminal")
    texts = []
    while "from the terminal" not in texts:
        texts.append(ana.wait("msg")["text"])
    assert texts == ["from the page 🎉", "from the terminal"]
    ben.wait_for_text("from the page 🎉")


def test_a_ping_of_either_kind_is_answered(web: Open) -> None:
    client = web("pinger")
    assert client.socket.ping(b"1").wait(PATIENCE_S)
    client.send(t="ping", n=7)
    assert client.wait("pong")["n"] == 7


@pytest.mark.parametrize(
    ("sent", "code", "number"),
    [
        (b'{"t":"ping"}', "bad_frame", 1003),
        ("no JSON", "bad_frame", 1007),
        ('{"t":"say","cid":1,"room":"lobby","text":"x"}', "hello_expected", 1008),
        ('{"t":"ping"}' + " " * 4085, "frame_too_large", 1009),
        ('{"t":"quit"}', "bye", 1000),
    ],
)
def test_the_last_record_and_the_number_behind_it(web: Open, sent: Any, code: str, number: int) -> None:
    client = web()
    client.socket.send(sent)
    closing = client.wait("closing")
    assert closing["code"] == code
    assert client.end() == (number, code)


def test_a_second_connection_with_the_secret_takes_over(web: Open) -> None:
    first, second = web("twice"), web()
    second.secret = first.secret
    second.enter("twice")
    assert first.wait("closing")["code"] == "replaced"
    assert first.end() == (4101, "replaced")


def test_a_close_is_answered_and_the_name_is_kept(web: Open, connect: Connect, standing: ServerProcess) -> None:
    client = web("keeper")
    client.socket.close(4999, "see you")
    assert (client.socket.close_code, client.socket.close_reason) == (4999, "see you")
    other = web()
    other.send(t="hello", version=1, name="keeper", secret=other.secret)
    assert other.wait("refused")["code"] == "name_in_use"
    other.secret = client.secret
    assert other.enter("keeper")["resumed"]


def test_the_limit_is_65536_behind_the_hello(web: Open) -> None:
    client = web("long")
    client.socket.send('{"t":"ping","n":9}' + " " * (65_536 - 18))
    assert client.wait("pong")["n"] == 9
    client.socket.send('{"t":"ping","n":9}' + " " * (65_537 - 18))
    assert client.end() == (1009, "frame_too_large")


def test_a_stopping_server_says_1001(certs: Path, tmp_path: Path, web: Open) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        client = web("last", server)
        server.stop()
        assert client.wait("closing")["code"] == "shutting_down"
        assert client.end() == (1001, "shutting_down")


@pytest.mark.parametrize("step", [1 << 16, 7])
def test_broken_frames_get_a_sentence_and_a_number(standing: ServerProcess, web: Open, step: int) -> None:
    """Those of the golden vectors, of strangers, beside a member who notices nothing."""
    witness = web(f"witness {step}")
    for row in web_vectors("client", "closed"):
        if "after_hello" in row:
            continue
        broken = web()
        for at in range(0, len(row["bytes"]), step):
            broken.raw(row["bytes"][at : at + step])
        assert broken.wait("closing")["code"] == row["code"], row["name"]
        assert broken.end() == (row["close_code"], row["code"]), row["name"]
    assert witness.socket.ping().wait(PATIENCE_S)


def test_a_flood_of_frames_is_slowed_and_others_are_answered(web: Open) -> None:
    """Pings and empty fragments are requests: a client over the rate is not read."""
    flooder, witness = web("flooder", close_timeout=0.1), web("beside")
    flooder.raw(masked(9, b"") * 1000)
    flooder.wait("throttled")
    for n in range(20):
        witness.send(t="ping", n=n + 1)
        assert witness.wait("pong")["n"] == n + 1


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (421, {"host": "evil.example"}),
        (403, {"origin": "https://evil.example"}),
        (403, {"origin": "null"}),
        (400, {"subprotocols": ["chat"]}),
        (400, {"subprotocols": None}),
    ],
)
def test_a_handshake_that_is_refused(web: Open, status: int, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidStatus) as caught:
        web(**options)
    assert caught.value.response.status_code == status


def test_the_page_itself_and_a_program_without_alpn_come_in(web: Open, standing: ServerProcess) -> None:
    assert web("paged", origin=f"https://{standing.host}:{standing.port}").socket.subprotocol == "securechat.1"
    without = ssl.create_default_context(cafile=str(standing.ca))
    assert web("plain", ssl=without, subprotocols=["chat", "securechat.1"]).socket.subprotocol == "securechat.1"
