"""What clients were told about files, and whether a server keeps it, after it was killed or restored."""

from __future__ import annotations

import itertools
from hashlib import sha256
from pathlib import Path

from securechat.model import AskLinks, FileLinks, Message
from securechat.pictures.answers import TERMINAL_SIDE
from securechat.records.files import UploadState
from securechat.storage.files.layout import FILES, INCOMING
from securechat.storage.files.sidecar import decode_sidecar
from tests.support.admin import admin, rows
from tests.support.api import ApiAnswerRead, ApiClient
from tests.support.native import NativeClient
from tests.support.server import ServerProcess, wait_until

READER = "5" * 32
"""The secret of the one who reads: always the same guest."""


def names_on_disk(data: Path) -> tuple[set[str], set[str]]:
    """The names of finished files with their smaller copies, and those of uploads."""
    files = data / "files"
    return {path.name for path in files.glob("??/*")}, {path.name for path in files.glob("incoming/*")}


class Promised:
    """What the clients were told, and whether the server keeps it.

    Attributes:
        whole: SHA-256 by the text of each acknowledged message that is not deleted; None for a picture, whose bytes the
            server has written.
        doubtful: texts of messages that were sent, and not acknowledged; or whose deletion was.
        deleted: ids of files whose message's deletion was acknowledged.
        uploads: ids of uploads that are in no message.
    """

    def __init__(self) -> None:
        self.whole: dict[str, str | None] = {}
        self.doubtful: dict[str, str | None] = {}
        self.deleted: set[str] = set()
        self.uploads: set[str] = set()

    def check(self, server: ServerProcess, token: str) -> list[Message]:
        """Read everything, by token and by links; return the messages with files."""
        with (
            ApiClient(server, token) as api,
            ApiClient(server, None) as page,
            NativeClient(server.port, server.ca, secret=READER) as reader,
        ):
            reader.hello("reader")
            links = Links(reader, page)
            shown = [message for message in reader.history("lobby") if message.files]
            texts = [message.text.partition("\n")[0] for message in shown]
            assert len(texts) == len(set(texts)), "a message is there twice"
            assert set(self.whole) <= set(texts), "an acknowledged message is not there"
            assert set(texts) <= {*self.whole, *self.doubtful}, "a message is there that was not sent, or was deleted"
            of_messages = {file.id for message in shown for file in message.files}
            for text, message in zip(texts, shown, strict=True):
                expected = self.whole.get(text, self.doubtful.get(text))
                for file in message.files:
                    self._check_whole(api, links, file.id, expected, file.previews)
            names = set.union(*names_on_disk(server.data))
            others = {name.partition(".")[0] for name in names} | self.deleted | self.uploads
            for file_id in others - of_messages:
                assert api.get(f"/files/{file_id}").status == 404, f"{file_id} is in no message, and is read"
                assert links.read(file_id).status == 404, f"{file_id} is in no message, and is read"
        return shown

    def _check_whole(
        self, api: ApiClient, links: Links, file_id: str, expected: str | None, previews: list[int]
    ) -> None:
        by_token = api.get(f"/files/{file_id}")
        by_link = links.read(file_id)
        assert (by_token.status, by_link.status) == (200, 200), f"an acknowledged file is not there: {by_token}"
        digests = {sha256(by_token.body).hexdigest(), sha256(by_link.body).hexdigest()}
        digests |= set() if expected is None else {expected}
        assert digests == {by_token.headers["etag"].strip('"')}, "an acknowledged file is damaged"
        for size in previews:
            begins = b"\x89PNG" if size == TERMINAL_SIDE else b"RIFF"
            assert api.get(f"/files/{file_id}?size={size}").body[:4] == begins

    def check_disk(self, server: ServerProcess, shown: list[Message], uploads: set[str]) -> None:
        """Nothing is there but the files of these messages, soon; and these uploads, which may be finished."""
        expected = {file.id for message in shown for file in message.files}
        expected |= {f"{file.id}.{size}" for message in shown for file in message.files for size in file.previews}

        def other(names: set[str]) -> set[str]:
            return {name for name in names if name.partition(".")[0] not in uploads}

        wait_until(lambda: other(names_on_disk(server.data)[0]) == expected, "what no message shows is off the disk")
        wait_until(lambda: not other(names_on_disk(server.data)[1]), "what no upload has is off the disk")


class Links:
    """Reads files by their links.

    Args:
        reader: asks for the links.
        page: opens them.
    """

    def __init__(self, reader: NativeClient, page: ApiClient) -> None:
        self._reader = reader
        self._page = page
        self._refs = itertools.count(1000)

    def read(self, file_id: str) -> ApiAnswerRead:
        ref = next(self._refs)
        self._reader.send(AskLinks(ref, [file_id]))
        path = self._reader.wait_for(FileLinks, lambda linked: linked.ref == ref).links[0].path
        self._reader.events.clear()
        return self._page.ask_path("GET", path)


def check_numbers(server: ServerProcess, shown: list[Message]) -> None:
    """`securechat-admin files` counts what the disk has; and `check` has nothing to say."""
    ids = {file.id for message in shown for file in message.files}
    on_disk = [path for path in (server.data / FILES).glob("??/*") if path.name.partition(".")[0] in ids]
    kept = sum(path.stat().st_size for path in on_disk)
    told = rows(server, "files")
    assert sum(each["kept_bytes"] for each in told) == kept
    assert sum(each["files"] for each in told) == sum(len(message.files) for message in shown)
    checked = admin(server.data, "check", "--json")
    assert checked.stdout == '{"findings": 0}\n', checked.stdout


def waiting_uploads(data: Path) -> dict[str, UploadState]:
    """The uploads that go on, by id, as their sidecars have them."""
    sidecars = sorted((data / FILES / INCOMING).glob("*.json"))
    states = [decode_sidecar(path.name.partition(".")[0], path.read_bytes()) for path in sidecars]
    return {state.file_id: state for state in states if state is not None}
