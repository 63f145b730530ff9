"""Uploads and downloads over a hub and a disk in memory, asked in HTTP by fake connections."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from securechat.limits import Limits
from securechat.model import AddToken, Register, TokenMade, TokenScope
from securechat.server.api.files import FilePaths
from securechat.server.files.paths import PREFIX, FileLinkPaths
from securechat.server.web.programs import ProgramPrefixes
from tests.support.api_rig import ApiRig
from tests.support.web_connections import Answer, Browser, Web

TUS = "Tus-Resumable: 1.0.0"


class FileRig(ApiRig):
    """A server that takes files.

    Attributes:
        web: its connections.
    """

    def __init__(self, limits: Limits | None = None, *, rates: bool = False) -> None:
        super().__init__(limits, rates=rates, files=True)
        assert self.hub.files is not None
        self.files = self.hub.files
        self.web = Web(limits)
        paths = FilePaths(self.files, self.paths.peers, self.rig.limits, self.paths)
        links = FileLinkPaths(self.files, self.paths.peers.note_no_link)
        self.web.programs = ProgramPrefixes({"/api/": paths, PREFIX: links})
        self.settle()

    def run(self) -> None:
        """Run everything that is due."""
        for _ in range(20):
            self.web.run(0.001)
            self.settle()

    def program(self, name: str, *scopes: TokenScope, rooms: Sequence[str] = ()) -> str:
        """Make an account, and return an API token of it, for all rooms or for some."""
        peer = self.rig.member(name)
        self.rig.do(peer, Register(1, secrets.token_hex(8)))
        self.rig.do(peer, AddToken(2, "api", list(scopes) or ["post", "read", "files"], list(rooms)))
        self.hub.lost(peer)
        return peer.last(TokenMade).token

    def begin(self, method: str, path: str, *headers: str, size: int = 0, body: bytes = b"") -> Browser:
        """Send the head of a request, and perhaps a part of its body, on a connection of its own."""
        browser = self.web.connect()
        length = (f"Content-Length: {size}",) if size or method in ("PUT", "PATCH", "POST") else ()
        lines = [f"{method} {path} HTTP/1.1", "Host: chat.example", *length, *headers, "", ""]
        browser.send("\r\n".join(lines).encode() + body)
        self.run()
        return browser

    def request(self, method: str, path: str, *headers: str, body: bytes = b"", run: bool = True) -> Answer:
        """Send a request and return its answer."""
        browser = self.begin(method, path, *headers, size=len(body), body=body)
        if run:
            self.run()
        return browser.answer(method)

    def create(self, token: str, size: int, *headers: str) -> Answer:
        """Create an upload by tus."""
        return self.request(
            "POST", "/api/v1/uploads", TUS, f"Authorization: Bearer {token}", f"Upload-Length: {size}", *headers
        )

    def patch(self, path: str, offset: int, body: bytes, *headers: str) -> Answer:
        """Send a part."""
        return self.request("PATCH", path, *part(offset), *headers, body=body)

    def offset(self, path: str) -> int:
        """Ask for the offset."""
        return int(self.request("HEAD", path, TUS).headers["upload-offset"])


def part(offset: int) -> tuple[str, ...]:
    """Return the headers of a part."""
    return (TUS, f"Upload-Offset: {offset}", "Content-Type: application/offset+octet-stream")
