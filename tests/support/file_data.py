"""A data directory with messages and their files, as a server keeps it: a real log and real files, without a server."""

from __future__ import annotations

import hashlib
from pathlib import Path

from securechat.limits import Limits
from securechat.model import Draft, Revision, RevisionKind
from securechat.records.files import DropGoneFiles, UploadState
from securechat.records.log import Appended
from securechat.storage.files.pictures import RewrittenPicture
from securechat.storage.files.steps import run
from securechat.storage.files.store import FileStore
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import ApplyChanges
from securechat.text.file_lines import with_file_lines


class FileData:
    """One directory; belongs to one thread."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.files = FileStore(data)
        self.log = SqliteStore(data, Limits())
        self.log.open()
        self.sent: dict[str, bytes] = {}
        self.seqs: dict[str, int] = {}
        self.rooms: dict[str, str] = {}
        self._client_id = 0

    def __enter__(self) -> FileData:
        return self

    def __exit__(self, *_: object) -> None:
        self.files.uploads.close()
        self.log.close()

    def upload(self, file_id: str, data: bytes, name: str = "notes.txt", *, previews: dict[int, bytes] | None = None):
        """A finished upload; with previews it is a picture, written anew."""
        state = UploadState(file_id, "key", 1, name, len(data), False, 1, 2)
        run(self.files.uploads.create(state))
        run(self.files.uploads.write(file_id, 0, data))
        picture = None
        if previews is not None:
            layout = self.files.layout
            for size, copy in {None: data, **previews}.items():
                layout.picture(file_id, size).write_bytes(copy)
            sides = tuple((side, len(copy)) for side, copy in previews.items())
            picture = RewrittenPicture("image/png", 4, 3, len(data), hashlib.sha256(data).digest(), sides)
        return run(self.files.uploads.finish(state, picture))

    def send(self, file_id: str, data: bytes, name: str = "notes.txt", room: str = "lobby", **settings: object) -> int:
        """A message with a file."""
        stored = self.upload(file_id, data, name, **settings)
        self._client_id += 1
        text = with_file_lines("", [(stored.info.name, stored.info.size)])
        result = self.log.apply([Draft(1, "ann", self._client_id, text, room, files=(stored,))])
        [appended] = result.outcomes
        assert isinstance(appended, Appended)
        run_settle(self.files, file_id)
        self.sent[file_id], self.seqs[file_id], self.rooms[file_id] = data, appended.seq, room
        return appended.seq

    def delete(self, file_id: str) -> None:
        """The message is deleted; its file is unlinked by `unlink_gone`."""
        self._client_id += 1
        delete = Revision(RevisionKind.DELETE, 1, "ann", self._client_id, self.seqs[file_id], self.rooms[file_id])
        self.log.apply([delete])
        del self.sent[file_id]

    def unlink_gone(self) -> tuple[str, ...]:
        gone = [each.file_id for each in self.log.gone_files("", 100)]
        off = run(self.files.unlink(gone))
        if off:
            self.log.apply([ApplyChanges((DropGoneFiles(off),))])
        return off


def run_settle(files: FileStore, file_id: str) -> None:
    files.uploads.settle(file_id)
