"""Promise 1 for files on a disk that loses power, with the whole server: database, uploads, files and previews.

A real server is recorded while files are sent, shown and deleted (`tests/support/recorded_disk.py`). Then the power is
cut at many moments, half of them right behind something that was acknowledged: the data directory is made as a disk may
leave it, and another server starts on it. `Promised` says what must be there. The same recording without the syncs of
files must lose some, or the test would not notice anything.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from securechat.limits import MIB
from tests.support import kill_steps, recorded_disk
from tests.support.api import ApiClient, make_token
from tests.support.client import ROOT
from tests.support.file_double import png
from tests.support.promised_files import Promised, check_numbers, waiting_uploads
from tests.support.server import ServerProcess

TUS = {"Tus_Resumable": "1.0.0"}
PART = {**TUS, "Content_Type": "application/offset+octet-stream"}
NEVER = sys.maxsize

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the disk is recorded as that of Unix")


@dataclass
class Sent:
    """A file and its message: what was told, and how long the notes of the disk were then."""

    text: str
    digest: str | None
    file_id: str = ""
    path: str = ""
    size: int = 0
    whole_at: int = NEVER
    posting_at: int = NEVER
    posted_at: int = NEVER
    deleting_at: int = NEVER
    deleted_at: int = NEVER


class Life:
    """What is done to the server that is recorded."""

    def __init__(self, server: ServerProcess, log: Path, seed: int) -> None:
        self._server = server
        self._log = log
        self._rng = random.Random(seed)
        self.sent: list[Sent] = []
        self.token = make_token(server, "deploy", "post", "read", "files")
        self.begins_at = self.now()

    def now(self) -> int:
        return self._log.stat().st_size

    def live(self) -> None:
        with ApiClient(self._server, self.token) as api:
            for size in (100, 4 * MIB + 5_000, 70_000, 4 * MIB):
                self._upload(api, size)
                self._put(api, self._rng.randbytes(self._rng.randrange(1, 200_000)), "log.bin")
                self._put(api, png(400 + len(self.sent), 340), "photo.png")
                self._post(api, self.sent[-3])
                self._delete(api, self._rng.choice([each for each in self.sent if each.deleting_at == NEVER]))
            self._upload(api, 50_000)  # which is sent in no message

    def _upload(self, api: ApiClient, size: int) -> None:
        body, text = self._rng.randbytes(size), f"upload {len(self.sent)}"
        name = base64.b64encode(b"large.bin").decode()
        made = api.ask("POST", "/uploads", **TUS, Upload_Length=str(size), Upload_Metadata=f"filename {name}")
        assert made.status == 201, made
        path = made.headers["location"].removeprefix("/api/v1")
        sent = Sent(text, sha256(body).hexdigest(), made.json["id"], path, size)
        self.sent.append(sent)
        at = 0
        while at < size:
            part = body[at : at + self._rng.randrange(size // 3 + 1, size + 1)]
            answer = api.ask("PATCH", path, part, **PART, Upload_Offset=str(at))
            assert answer.status == 204, answer
            at += len(part)
        sent.whole_at = self.now()

    def _post(self, api: ApiClient, sent: Sent) -> None:
        sent.posting_at = self.now()
        answer = api.post_json("/rooms/lobby/messages", {"text": sent.text, "files": [sent.file_id]})
        assert answer.status == 201, answer
        sent.posted_at = self.now()

    def _put(self, api: ApiClient, body: bytes, name: str) -> None:
        text = f"put {len(self.sent)}"
        sent = Sent(text, None if name.endswith(".png") else sha256(body).hexdigest(), posting_at=self.now())
        self.sent.append(sent)
        answer = api.ask("PUT", f"/rooms/lobby/files/{name}?text={text.replace(' ', '+')}", body)
        assert answer.status == 201, answer
        sent.posted_at = self.now()
        sent.file_id = api.get(f"/rooms/lobby/messages/{answer.json['seq']}").json["files"][0]["id"]

    def _delete(self, api: ApiClient, sent: Sent) -> None:
        sent.deleting_at = self.now()
        shown = api.get("/rooms/lobby/messages").json["messages"]
        (seq,) = [each["seq"] for each in shown if [file["id"] for file in each.get("files", [])] == [sent.file_id]]
        assert api.ask("DELETE", f"/rooms/lobby/messages/{seq}").status == 200
        sent.deleted_at = self.now()

    def acks(self) -> list[int]:
        """When something was acknowledged."""
        told = [at for each in self.sent for at in (each.whole_at, each.posted_at, each.deleted_at)]
        return sorted(at for at in told if at != NEVER)

    def promised(self, at: int) -> Promised:
        """What was promised by then."""
        found = Promised()
        for each in self.sent:
            if each.posted_at <= at < each.deleting_at:
                found.whole[each.text] = each.digest
            elif each.deleted_at <= at:
                found.deleted.add(each.file_id)
            elif each.posting_at <= at:
                found.doubtful[each.text] = each.digest
        return found

    def check_uploads(self, server: ServerProcess, at: int) -> None:
        """An upload whose end was acknowledged is whole, and waits for its message."""
        with ApiClient(server, None) as page:
            for each in self.sent:
                if each.whole_at <= at < each.posting_at:
                    here = page.ask("HEAD", each.path, **TUS)
                    while here.status == 503:
                        here = page.ask("HEAD", each.path, **TUS)
                    assert here.status == 200, f"a finished upload is lost: {here}"
                    assert here.headers["upload-offset"] == str(each.size), "a finished upload is not whole"


@dataclass
class Recorded:
    life: Life
    log: Path
    data: Path


@pytest.fixture(scope="module")
def recorded(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    directory = tmp_path_factory.mktemp("recorded")
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    log, data = directory / "notes", directory / "data"
    server = with_site(certs, data, recorded_disk.SITE, directory, DISK_LOG=str(log))
    with server.start():
        life = Life(server, log, seed)
        life.live()
    return Recorded(life, log, data)


def with_site(certs: Path, data: Path, site: str, directory: Path, **env: str) -> ServerProcess:
    """A server whose process begins with this program."""
    folder = directory / "site"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(site)
    return ServerProcess(certs, data, "--rate-limit", "off", env={"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", **env})


def losses(
    recorded: Recorded, certs: Path, directory: Path, cuts: int, rng: random.Random, without: tuple[str, ...] = ()
) -> list[str]:
    """Cut the power so many times; returns what the checks had to say."""
    recording, life = recorded_disk.Recording(recorded.log, recorded.data, without), recorded.life
    between = [at for at in recording.positions if at >= life.begins_at]
    places = rng.choices(life.acks(), k=cuts // 2) + rng.choices(between, k=cuts - cuts // 2)
    found = []
    for number, at in enumerate(sorted(places)):
        after = directory / f"cut{number}"
        recording.cut(at, after, None if number % 3 == 0 else rng)
        try:
            check_one(life, with_site(certs, after, kill_steps.SITE, directory), at)
        except AssertionError as lost:
            found.append(f"cut {number} at {at}: {lost}")
        shutil.rmtree(after)
    return found


def check_one(life: Life, server: ServerProcess, at: int) -> None:
    with server.start():
        shown = life.promised(at).check(server, life.token)
        life.check_uploads(server, at)
        life.promised(at).check_disk(server, shown, set(waiting_uploads(server.data)))
        check_numbers(server, shown)


@pytest.mark.parametrize("cuts", [6, pytest.param(25, marks=pytest.mark.slow)])
def test_a_power_cut_takes_nothing_that_was_acknowledged(
    recorded: Recorded, certs: Path, tmp_path: Path, cuts: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    assert losses(recorded, certs, tmp_path, cuts, random.Random(seed)) == []


@pytest.mark.parametrize("without", [("sync",), ("sync_directory",)])
def test_without_the_syncs_of_files_something_is_lost(
    recorded: Recorded, certs: Path, tmp_path: Path, without: tuple[str, ...]
) -> None:
    recording = recorded_disk.Recording(recorded.log, recorded.data, without)
    last = recorded.life.acks()[-1]
    recording.cut(last, tmp_path / "cut", None)
    with pytest.raises(AssertionError, match=r"not there|lost|damaged"):
        check_one(recorded.life, with_site(certs, tmp_path / "cut", kill_steps.SITE, tmp_path), last)
