"""Clients of every kind that send files and delete them, all the time, as a load; and what they were told.

`curl -T`, tus over plain HTTP, `securechat-client --send --file` and the bot library. A server may end at any moment
and come again: then they go on, and send again what was not acknowledged.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import random
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw

from securechat.bot import Client
from securechat.client.exit_codes import ClientExit
from securechat.limits import KIB, MIB
from securechat.model import AddToken, Hello, TokenMade, TokenScope, Welcome
from securechat.storage.sqlite.store import DATABASE
from tests.support.admin import row
from tests.support.api import ApiClient, curl_command
from tests.support.client import CLIENT, ROOT, at
from tests.support.file_double import png
from tests.support.native import NativeClient
from tests.support.promised_files import Promised
from tests.support.secrecy import PASSWORD, keep_secret
from tests.support.server import PATIENCE_S, ServerProcess

FLAGS = ("--rate-limit", "off", "--limit", "uploads_per_person=500", "--limit", "files_per_guest_bytes=250000000")
"""Of the server: an upload by `curl -T` that a kill cuts off counts until its time is over."""
TUS = {"Tus_Resumable": "1.0.0"}
NEVER_IN = {ClientExit.CONNECTION_REFUSED, ClientExit.CONNECTION_LOST, ClientExit.TLS_OTHER, ClientExit.TIMEOUT}
"""The server was down at the first attempt of a client: it was never let in, and ends."""
SCOPES: tuple[TokenScope, ...] = ("post", "read", "files")
ROOM = "lobby"
SIZES = (1, 30 * KIB, 300 * KIB, 1 * MIB, 5 * MIB)
"""Of files, bytes."""


_NEVER_LET_IN = frozenset(
    {ClientExit.CONNECTION_REFUSED, ClientExit.TLS_OTHER, ClientExit.CONNECTION_LOST, ClientExit.TIMEOUT}
)


class Load:
    """Senders of every kind, and what they were told.

    Attributes:
        promised: of all of them.
        acked: what was acknowledged, by kind: ``curl``, ``tus``, ``client``, ``bot``, ``part``, ``delete``.
        again: what had to be sent again, by kind.
        deleted: texts of messages whose deletion was acknowledged.
    """

    def __init__(self, server: ServerProcess, directory: Path, seed: int) -> None:
        self.server = server
        self.promised = Promised()
        self.acked = Counter[str]()
        self.again = Counter[str]()
        self.deleted: set[str] = set()
        self.enough = threading.Event()
        self.problem: BaseException | None = None
        self.token = ""
        self._directory = directory
        self._lock = threading.Lock()
        self._bot_is_in = threading.Event()
        self._seed = seed
        self._numbers = itertools.count(1)
        senders = (self._by_curl, self._by_tus, self._by_client, self._by_bot)
        self._threads = [threading.Thread(target=self._go_on, args=(each,)) for each in senders]

    def introduce(self) -> None:
        """Make the account of the programs."""
        link = row(self.server, "invite", "--host", f"{self.server.host}:{self.server.port}")["link"]
        invite = next(part for part in link.split("/") if len(part) == 32)
        with NativeClient(self.server.port, self.server.ca) as client:
            client.send(Hello(1, "deploy", client.secret, password=PASSWORD, invite=invite))
            keep_secret(client.wait_for(Welcome).token)
            client.send(AddToken(2, "api", list(SCOPES)))
            self.token = client.wait_for(TokenMade).token

    def start(self) -> None:
        """Let all senders begin; the bot first, because one that cannot connect at its start ends."""
        for thread in reversed(self._threads):
            thread.start()
            assert self._bot_is_in.wait(PATIENCE_S)

    def finish(self) -> None:
        """Let all senders have what they are at acknowledged."""
        self.enough.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_S)
            assert not thread.is_alive(), f"a sender does not end: {thread}"
        self.check_health()

    def check_health(self) -> None:
        if self.problem is not None:
            raise self.problem

    @property
    def happened(self) -> int:
        return sum(self.acked.values())

    def _go_on(self, sender: Callable[[random.Random], None]) -> None:
        rng = random.Random(f"{self._seed}/{sender.__name__}")
        try:
            while not self.enough.is_set():
                sender(rng)
        except BaseException as error:  # noqa: BLE001  (the test reports it)
            self.problem = error
            self.enough.set()

    # --- what is told

    def _file(self, rng: random.Random, kind: str) -> tuple[str, Path, str | None]:
        """A file to send, with the text of its message, and its SHA-256 where it stays as it is."""
        number = next(self._numbers)
        path = self._directory / f"{kind} {number}.bin"
        is_picture = rng.random() < 0.2
        size = rng.choice(SIZES) + rng.randrange(999)
        body = png(rng.randrange(330, 500), 300) if is_picture else rng.randbytes(size)
        path.write_bytes(body)
        text, digest = f"{kind} {number}", None if is_picture else sha256(body).hexdigest()
        with self._lock:
            self.promised.doubtful[text] = digest
        return text, path, digest

    def _acked(self, kind: str, text: str) -> None:
        with self._lock:
            self.promised.whole[text] = self.promised.doubtful.pop(text)
            self.acked[kind] += 1

    def _deleting(self, text: str) -> None:
        with self._lock:
            self.promised.doubtful[text] = self.promised.whole.pop(text)

    def _deleted(self, text: str) -> None:
        with self._lock:
            del self.promised.doubtful[text]
            self.deleted.add(text)
            self.acked["delete"] += 1

    def snapshot(self) -> tuple[set[str], set[str]]:
        """The texts that are acknowledged, and those that may be there."""
        with self._lock:
            return set(self.promised.whole), set(self.promised.whole) | set(self.promised.doubtful)

    # --- who sends

    def _keep_trying(self, kind: str, attempt: Callable[[], Any]) -> Any:
        while True:
            self.check_health()
            try:
                made = attempt()
            except (OSError, http.client.HTTPException):
                made = None
            if made is not None:
                return made
            self.again[kind] += 1
            threading.Event().wait(0.02)  # refused while the server is down; the loop is the condition

    def _by_curl(self, rng: random.Random) -> None:
        text, path, _ = self._file(rng, "curl")
        key = text.replace(" ", "-")
        query = f"/rooms/{ROOM}/files/{key}.bin?text={text.replace(' ', '+')}"

        def put() -> int | None:
            command = curl_command(self.server, self.token, query, "-T", str(path), "-H", f"Idempotency-Key: {key}")
            done = subprocess.run(command, capture_output=True, check=False, timeout=2 * PATIENCE_S)
            if done.returncode:
                return None
            _, _, status = done.stdout.rpartition(b"\n")
            assert status in {b"201", b"503"}, done.stdout
            return None if status == b"503" else 1

        self._keep_trying("curl", put)
        self._acked("curl", text)
        path.unlink()

    def _by_tus(self, rng: random.Random) -> None:
        text, path, _ = self._file(rng, "tus")
        body, key, file_id = path.read_bytes(), text.replace(" ", "-"), ""
        while not file_id:
            made, place = self._keep_trying("tus", lambda: self._create(path.name, len(body)))
            if self._send_parts(rng, place, body):
                file_id = made

        def post() -> int | None:
            with ApiClient(self.server, self.token) as api:
                record = {"text": text, "files": [file_id]}
                posted = api.post_json(f"/rooms/{ROOM}/messages", record, Idempotency_Key=key)
                assert posted.status in {201, 409, 503}, posted
                return int(posted.json["seq"]) if posted.status == 201 else None

        seq = self._keep_trying("tus", post)
        self._acked("tus", text)
        path.unlink()
        if rng.random() < 0.6:
            self._deleting(text)

            def delete() -> int | None:
                with ApiClient(self.server, self.token) as api:
                    deleted = api.ask("DELETE", f"/rooms/{ROOM}/messages/{seq}")
                    assert deleted.status in {200, 404, 503}, deleted
                    return None if deleted.status == 503 else 1

            self._keep_trying("delete", delete)
            self._deleted(text)

    def _create(self, name: str, size: int) -> tuple[str, str] | None:
        metadata = f"filename {base64.b64encode(name.encode()).decode()}"
        with ApiClient(self.server, self.token) as api:
            made = api.ask("POST", "/uploads", **TUS, Upload_Length=str(size), Upload_Metadata=metadata)
            assert made.status in {201, 503}, made
            if made.status == 503:
                return None
            return made.json["id"], made.headers["location"].removeprefix("/api/v1")

    def _send_parts(self, rng: random.Random, place: str, body: bytes) -> bool:
        """Send all parts; False when the server has nothing of this upload, and has never taken a byte of it."""
        has_part = False

        def send() -> str | None:
            nonlocal has_part
            with ApiClient(self.server, None) as page:
                while True:
                    here = page.ask("HEAD", place, **TUS)
                    if here.status == 503:
                        return None
                    if here.status == 404 and not has_part:
                        return "gone"
                    assert here.status == 200, f"{here} for an upload of which a part was acknowledged"
                    offset = int(here.headers["upload-offset"])
                    part = body[offset : offset + rng.randrange(1, 2 * MIB)]
                    kind = "application/offset+octet-stream"
                    sent = page.ask("PATCH", place, part, **TUS, Upload_Offset=str(offset), Content_Type=kind)
                    if sent.status != 204:
                        assert sent.status in {409, 423, 503}, sent  # the connection before is not over for the server
                        return None
                    has_part = True
                    self.acked["part"] += 1
                    if int(sent.headers["upload-offset"]) == len(body):
                        return "whole"

        return bool(self._keep_trying("tus", send) == "whole")

    def _by_client(self, rng: random.Random) -> None:
        text, path, _ = self._file(rng, "client")
        flags = at(self.server, "--name", text.replace(" ", ""), "--room", ROOM, "--send", "--file", str(path), text)
        done = subprocess.run([*CLIENT, *flags], cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
        if done.returncode in _NEVER_LET_IN:  # a client that no server has let in yet may end
            self.again["client"] += 1
            return
        assert done.returncode == ClientExit.OK, done
        self._acked("client", text)
        path.unlink()

    def _by_bot(self, rng: random.Random) -> None:
        with Client(f"127.0.0.1:{self.server.port}", "robi", ca=self.server.ca, state="") as chat:
            self._bot_is_in.set()
            while not self.enough.is_set():
                text, path, _ = self._file(rng, "bot")
                sent = chat.send(ROOM, text, files=[path])
                self._acked("bot", text)
                path.unlink()
                if rng.random() < 0.6:
                    self._deleting(text)
                    chat.delete(sent)
                    self._deleted(text)


def look(data: Path, scratch: Path, acked: set[str], possible: set[str]) -> int:
    """Look at what a kill has left: every file of every message is whole. Returns how many there are."""
    scratch.mkdir()
    for path in data.glob(f"{DATABASE}*"):
        shutil.copy(path, scratch)
    connection = apsw.Connection(str(scratch / DATABASE))
    try:
        files = connection.execute(
            "SELECT file_id, sha256, text FROM files JOIN messages USING (seq) ORDER BY seq"
        ).fetchall()
    finally:
        connection.close()
    shutil.rmtree(scratch)
    for file_id, digest, text in files:
        on_disk = (data / "files" / file_id[:2] / file_id).read_bytes()
        assert sha256(on_disk).digest() == digest, f"the file of {text!r} is damaged"
    texts = [text.partition("\n")[0] for _, _, text in files]
    assert len(set(texts)) == len(texts), "a message is there twice"
    assert acked <= set(texts), "an acknowledged message is not there"
    assert set(texts) <= possible, "a message is there that was deleted"
    return len(files)
