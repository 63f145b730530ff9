"""Promise 1 for files, under kill -9: the server is killed at each step of keeping a file, and at random under load.

Whatever was acknowledged is whole, by its SHA-256, through a link and by token, and is there once; what was not is
readable to no one; nothing is left over on the disk that no message and no upload has; and the numbers of the quota
are those of what is there.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest

from securechat.limits import MIB
from tests.support.api import ApiClient, curl_command, make_token
from tests.support.client import ROOT
from tests.support.file_double import png
from tests.support.kill_steps import SITE, KillPoint, kill_points, read_steps
from tests.support.native import Gone
from tests.support.promised_files import Promised, check_numbers, names_on_disk
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

TUS = {"Tus_Resumable": "1.0.0"}
SYNC_BYTES = 4 * MIB
MORE = int(os.environ.get("KILL_STEPS", "20"))
FAST = 8
"""Steps at which the fast test kills; another choice at each run."""
FLAGS = ("--limit", "uploads_per_person=500", "--limit", "files_per_guest_bytes=250000000")
"""An upload by `curl -T` that a kill cuts off counts until its time is over."""
ONCE = ("mkdir files", "mkdir incoming", "create backup.lock")
COMMITS = {"commit Draft", "commit Revision", "commit DropGoneFiles"}

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


class Killed(Exception):
    """The server has ended under a request."""


ENDS = (OSError, http.client.HTTPException, Gone, Killed)
"""What a client sees of the end of a server."""


# --- One life after the other, killed at a step -----------------------------------------------------------------------


class Rig:
    """A server that ends at a step, and a driver that sends each of its requests until it is acknowledged."""

    def __init__(self, certs: Path, directory: Path) -> None:
        directory.mkdir()
        site = directory / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITE)
        self.log = directory / "steps"
        self.data = directory / "data"
        self._certs = certs
        self._path = f"{site}{os.pathsep}{ROOT}"
        self._port = 0
        self._points: Iterator[KillPoint] = iter(())
        self.point: KillPoint | None = None
        self.promised = Promised()
        self.kills: list[tuple[str, int, str]] = []
        self.unreached: list[KillPoint] = []
        self.is_over = True
        self._has_part = False
        self.server = self._server(None).start()
        self._port = self.server.port
        self.token = make_token(self.server, "deploy", "post", "read", "files")

    def _server(self, point: KillPoint | None) -> ServerProcess:
        env = {"PYTHONPATH": self._path, "KILL_LOG": str(self.log), "KILL_AT": point.environment() if point else ""}
        return ServerProcess(self._certs, self.data, "--rate-limit", "off", *FLAGS, port=self._port, env=env)

    def arm(self, points: list[KillPoint]) -> None:
        """Start again, to be killed at the first of these points, then at the next, and so on."""
        self.server.kill()
        self._points, self.is_over = iter(points), False
        self.start()

    def start(self) -> None:
        """Start the next process; one that is killed in its start has one behind it."""
        while True:
            self.point = next(self._points, None)
            self.is_over = self.point is None
            self.log.unlink(missing_ok=True)
            self.server = self._server(self.point)
            try:
                self.server.start()
            except AssertionError:
                assert self.server.process is not None
                if self.server.process.poll() is None:
                    raise
                self._note_end()
            else:
                return

    def _note_end(self) -> None:
        assert self.server.wait() == -9, self.server.stderr
        self.kills.append(read_steps(self.log)[-1])

    def give_up_point(self) -> None:
        """The step is not taken any more: kill the process now."""
        assert self.point is not None
        self.unreached.append(self.point)
        self.server.kill()
        self.start()

    def recover(self) -> None:
        """The server was killed: start it again, and look whether it keeps what was promised."""
        while True:
            self._note_end()
            self.start()
            try:
                self.promised.check(self.server, self.token)
            except ENDS as error:
                self._expect_end(error)
            else:
                return

    def _expect_end(self, error: BaseException) -> None:
        """Fail unless an error comes from the end of the server."""
        process = self.server.process
        assert process is not None
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server goes on, and does not answer as it should") from error

    def keep_trying(self, attempt: Callable[[], Any]) -> Any:
        """Do something until it comes to its end, over all kills."""
        while True:
            try:
                return attempt()
            except ENDS as error:
                self._expect_end(error)
                self.recover()

    # --- what a life consists of

    def live(self, number: int) -> None:
        """A large file in parts, with its message; a picture by `curl -T`; and the deletion of the first."""
        body = random.Random(number).randbytes(SYNC_BYTES + 70_000)
        text, digest = f"large {number}", sha256(body).hexdigest()
        file_id = ""
        while not file_id:
            made, path = self.keep_trying(lambda: self._create(len(body)))
            self.promised.uploads.add(made)
            self._has_part = False
            file_id = made if self.keep_trying(lambda path=path: self._send_parts(path, body)) else ""
        self.promised.doubtful[text] = digest
        seq = self.keep_trying(lambda: self._post(text, file_id))
        self.promised.uploads.discard(file_id)
        self.promised.whole[text] = self.promised.doubtful.pop(text)
        picture, shown = self.data.parent / "photo.png", f"picture {number}"
        picture.write_bytes(png(400 + number % 50, 300))
        self.promised.doubtful[shown] = None
        self.keep_trying(lambda: self._curl(picture, shown))
        self.promised.whole[shown] = self.promised.doubtful.pop(shown)
        self.promised.doubtful[text] = self.promised.whole.pop(text)
        self.keep_trying(lambda: self._delete(seq))
        del self.promised.doubtful[text]
        self.promised.deleted.add(file_id)
        self.keep_trying(lambda: self._wait_for_the_unlinking(file_id))

    def _create(self, size: int) -> tuple[str, str]:
        name = base64.b64encode(b"large.bin").decode()
        with ApiClient(self.server, self.token) as api:
            made = api.ask("POST", "/uploads", **TUS, Upload_Length=str(size), Upload_Metadata=f"filename {name}")
            if made.status == 503:  # what an earlier process left is being read
                return self._create(size)
            assert made.status == 201, made
            return made.json["id"], made.headers["location"].removeprefix("/api/v1")

    def _send_parts(self, path: str, body: bytes) -> bool:
        """Send the rest; False when the server has nothing of this upload, and has never taken a byte of it."""
        with ApiClient(self.server, None) as page:
            while True:
                here = page.ask("HEAD", path, **TUS)
                if here.status == 503:
                    continue
                if here.status == 404 and not self._has_part:
                    return False
                assert here.status == 200, here
                offset = int(here.headers["upload-offset"])
                part = body[offset : offset + 3 * MIB]
                kind = "application/offset+octet-stream"
                sent = page.ask("PATCH", path, part, **TUS, Upload_Offset=str(offset), Content_Type=kind)
                assert sent.status in {204, 503}, sent
                self._has_part |= sent.status == 204
                if sent.status == 204 and int(sent.headers["upload-offset"]) == len(body):
                    return True

    def _post(self, text: str, file_id: str) -> int:
        with ApiClient(self.server, self.token) as api:
            while True:
                record = {"text": text, "files": [file_id]}
                posted = api.post_json("/rooms/lobby/messages", record, Idempotency_Key=text.replace(" ", "-"))
                if posted.status == 201:
                    return int(posted.json["seq"])
                assert posted.status in {409, 503}, posted  # the uploads are being read

    def _curl(self, picture: Path, text: str) -> None:
        key = text.replace(" ", "-")
        query = f"/rooms/lobby/files/photo.png?text={text.replace(' ', '+')}"
        flags = ("-T", str(picture), "-H", f"Idempotency-Key: {key}", "--retry", "0", "--max-time", "60")
        done = subprocess.run(curl_command(self.server, self.token, query, *flags), capture_output=True, check=False)
        if done.returncode != 0:
            raise Killed(done.stderr.decode())
        status = done.stdout.splitlines()[-1]
        if status == b"503":
            self._curl(picture, text)
        else:
            assert status == b"201", done.stdout

    def _delete(self, seq: int) -> None:
        with ApiClient(self.server, self.token) as api:
            deleted = api.ask("DELETE", f"/rooms/lobby/messages/{seq}")
            assert deleted.status in {200, 404}, deleted

    def _wait_for_the_unlinking(self, file_id: str) -> None:
        def is_over() -> bool:
            assert self.server.process is not None
            if self.server.process.poll() is not None:
                raise Killed
            return file_id not in names_on_disk(self.data)[0] and self._is_forgotten(file_id)

        wait_until(is_over, "the deleted file is unlinked")

    def _is_forgotten(self, file_id: str) -> bool:
        """Whether the log knows nothing of a file any more."""
        with apsw.Connection(str(self.data / "securechat.db"), flags=apsw.SQLITE_OPEN_READONLY) as log:
            return not log.execute("SELECT count(*) FROM gone_files WHERE file_id = ?", (file_id,)).get

    # --- all of it

    def run(self, points: list[KillPoint]) -> None:
        """Live until the server was killed at each of these points; then look at everything."""
        self.arm(points)
        number = len(self.promised.whole) + 1000 * (len(self.kills) + 1)
        while not self.is_over:
            number += 1
            before = self.point
            self.live(number)
            if self.point is before and not self.is_over:
                self.give_up_point()
                self.keep_trying(lambda: self.promised.check(self.server, self.token))
        shown = self.promised.check(self.server, self.token)
        self.promised.check_disk(self.server, shown, self._waiting())
        check_numbers(self.server, shown)

    def _waiting(self) -> set[str]:
        """The uploads that go on: those of a `curl` that was cut off. They have a sidecar, and a time to live."""
        found = set()
        for path in (self.data / "files" / "incoming").glob("*.json"):
            record = json.loads(path.read_text())
            assert record["name"] == "photo.png", "an upload in parts was sent, and is still there"
            found.add(path.name.partition(".")[0])
        return found


@pytest.fixture
def rig(certs: Path, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(certs, tmp_path / "rig")
    try:
        yield rig
    finally:
        rig.server.kill()


@pytest.fixture(scope="module")
def points(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[KillPoint]:
    """Every step of a life, as a server without any kill takes them."""
    rig = Rig(certs, tmp_path_factory.mktemp("steps") / "rig")
    try:
        rig.log.unlink()
        rig.live(1)
        found = [each for each in kill_points(rig.log) if "commit" not in each.step or each.step in COMMITS]
    finally:
        rig.server.kill()
    steps = {point.step for point in found}
    assert {
        "sync incoming/ID", "sync incoming/ID.json.new", "rename incoming/ID.json.new to incoming/ID.json",
        "sync incoming/",
        "mkdir ab", "sync files/", "rename incoming/ID to ab/ID", "sync ab/", "rename incoming/ID.picture to ab/ID",
        "rename incoming/ID.picture.320 to ab/ID.320", "commit Draft", "unlink incoming/ID.json", "commit Revision",
        "unlink ab/ID", "commit DropGoneFiles",
    } <= steps, steps  # fmt: skip
    return found


@pytest.mark.parametrize("most", [FAST, pytest.param(MORE, marks=pytest.mark.slow)])
def test_kill_9_at_some_steps(rig: Rig, points: list[KillPoint], most: int) -> None:
    """A start behind a kill may take a step over, so not every moment is reached. KILL_STEPS=1000: all there are."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    points = [point for point in points if point.step not in ONCE]
    most = min(len(points), most)
    chosen = sorted(random.Random(seed).sample(range(len(points)), most))
    rig.run([points[number] for number in chosen])
    reached = {(step, when) for step, _, when in rig.kills}
    print(f"{len(rig.kills)} kills at {len(reached)} moments of {len({point.step for point in points})} steps")
    assert len(rig.kills) + len(rig.unreached) == most
    assert len(rig.unreached) <= most // 2, rig.unreached


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ONCE)
def test_kill_9_at_a_step_that_a_data_directory_sees_once(rig: Rig, step: str, when: str) -> None:
    rig.run([KillPoint(step, 1, when)])
    assert [(step, when) for step, _, when in rig.kills] == [(step, when)]
