"""Requests at the address of one upload, with headers of tus as a stranger may write them, and what must hold then.

An input is one request or several, a byte 255 between them: of each the first byte says its method, the second how
long its body is said to be, the third how much of that comes, and the rest is its headers, a line each.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from functools import cache

from securechat.hub.files.uploads import PendingUpload
from securechat.limits import Limits
from securechat.model import AddUpload, Register, UploadAdded
from tests.support.file_rig import FileRig
from tests.support.hub_rig import FakePeer

METHODS = ("PATCH", "HEAD", "PATCH", "DELETE", "POST", "OPTIONS", "PUT")
BODY = b"0123456789ab"
SIZE_BYTES = 10
"""Of the upload: shorter than the longest body."""
MOST_REQUESTS = 4
_STATUSES = {
    "PATCH": {204, 400, 408, 409, 411, 412, 413, 415, 423, 431, 460},
    "HEAD": {200, 400, 412, 413, 431},
    "DELETE": {204, 400, 412, 413, 431},
    "OPTIONS": {204, 400, 413, 431},
    "POST": {201, 400, 401, 403, 405, 411, 412, 413, 417, 422, 431},
    "PUT": {400, 405, 411, 412, 413, 431},
}
_FOREIGN = {403, 404, 417, 421, 426, 501}
"""What any path answers, for headers that are not of tus: a foreign Origin, another Host."""


class TusRig(FileRig):
    """A server with one account, whose uploads the inputs are about."""

    def __init__(self) -> None:
        super().__init__(Limits(uploads_total=4))
        self.peer: FakePeer = self.rig.member("ann")
        self.rig.do(self.peer, Register(1, "eight-chars-or-more"))
        self.token = self.program("program")

    def run(self) -> None:
        """Run what is due; there is little."""
        for _ in range(4):
            self.web.run(0.001)
            self.settle()

    def begun(self) -> tuple[PendingUpload, str]:
        """Begin an upload; return it and its path."""
        self.rig.do(self.peer, AddUpload(2, "a", SIZE_BYTES))
        added = self.peer.last(UploadAdded)
        upload = self.files.uploads.get(added.id)
        assert upload is not None
        return upload, added.path

    def bytes_of(self, upload: PendingUpload) -> bytes:
        """Return what the disk has."""
        contents = self.rig.file_contents
        assert contents is not None
        if upload.state.stored is not None:
            return contents.stored[upload.file_id][None]
        return bytes(contents.incoming[upload.file_id])

    def clear(self) -> None:
        """Forget all uploads and connections."""
        for upload in list(self.files.uploads._uploads.values()):
            self.files.writing.discard(upload)
        self.settle()
        self.web.of_programs.clear()
        self.web.links.clear()
        contents = self.rig.file_contents
        assert contents is not None
        assert not (contents.uploads or contents.incoming or contents.stored), "an upload that was given up is there"


def _is_checksum_right(lines: list[bytes], body: bytes) -> bool:
    """Whether every Upload-Checksum is of these bytes."""
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"upload-checksum":
            algorithm, _, told = value.strip(b" \t").partition(b" ")
            digest = hashlib.new(algorithm.decode().lower(), body).digest()
            if b64decode(told) != digest:
                return False
    return True


@cache
def rig() -> TusRig:
    """Return the server of all inputs: it takes a hundred times as long to make as a request."""
    return TusRig()


def tus_headers(data: bytes) -> None:
    """Ask, and hold every answer against what the disk has."""
    server = rig()
    upload, path = server.begun()
    sent = b""  # what the disk must have
    for asked in data.split(b"\xff", MOST_REQUESTS)[:MOST_REQUESTS]:
        method = METHODS[asked[0] % len(METHODS)] if asked else "HEAD"
        size = min(asked[1] % 16, len(BODY)) if len(asked) > 1 else 0
        comes = min(asked[2] % 16, size) if len(asked) > 2 else size
        own = asked[3:].replace(b"TOKEN", server.token.encode())
        lines = [line.strip(b"\r") for line in own.split(b"\n") if line.strip(b"\r")]
        target = "/api/v1/uploads" if method == "POST" else path
        head = [f"{method} {target} HTTP/1.1".encode(), b"Host: chat.example", b"Content-Length: %d" % size, *lines]
        browser = server.web.connect()
        browser.send(b"\r\n".join((*head, b"", BODY[:comes])))
        server.run()
        cut = comes < size and not browser.link.closed
        if cut:
            browser.lost()
            server.run()
        answered = browser.link.sent.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"", 1)
        status = int(answered.split(b" ", 2)[1]) if answered else 0
        assert status or cut, "no answer"
        assert not status or status in _STATUSES[method] | _FOREIGN, f"{status} to {method}"
        if not cut:
            browser.lost()
        if upload.is_gone:
            assert (method, status) == ("DELETE", 204), "an upload has gone without being asked to"
            break
        kept = server.bytes_of(upload)
        assert len(kept) == upload.state.offset <= SIZE_BYTES, "the offset is not the length"
        if method == "PATCH" and status == 204:
            assert f"Upload-Offset: {len(kept)}\r\n".encode() in answered, "another offset was told"
            assert kept == sent + BODY[:size], "another part was taken than was sent"
            assert _is_checksum_right(lines, BODY[:size]), "a part was taken with the checksum of another"
        elif method == "PATCH" and cut and not any(line.lower().startswith(b"upload-checksum") for line in lines):
            assert kept in (sent, sent + BODY[:comes]), "other bytes than those that came"
        else:
            assert kept == sent, "a request that was not taken has changed the upload"
        sent = kept
    server.clear()
