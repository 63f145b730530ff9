"""The files of a server, played between a page and a server without: uploads by tus, links, pictures and previews.

It stands in the WebSocket and in the requests of a browser's profile, loses connections where a test wants, and keeps
everything in memory. What a page says with files reaches the server as text with their lines.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securechat.text.file_lines import with_file_lines
from securechat.text.file_names import clean_name

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Route, WebSocketRoute

MIB = 1024 * 1024
_PREVIEWS = (320, 1600)


def png(width: int, height: int, colour: tuple[int, int, int] = (70, 120, 200)) -> bytes:
    """Return a picture with a border, a diagonal and a colour."""
    red, green, blue = colour
    rows = []
    for y in range(height):
        row = bytearray(bytes((red, green, blue)) * width)
        at = min(width - 1, y * width // height)
        row[3 * at : 3 * at + 3] = b"\xff\xff\xff"
        if y in (0, height - 1):
            row = bytearray(b"\x20" * (3 * width))
        rows.append(b"\0" + bytes(row))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(rows), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@dataclass
class PlayedUpload:
    """An upload, and later the file that it becomes."""

    number: int
    name: str
    size: int
    as_file: bool
    data: bytearray = field(default_factory=bytearray)
    received: int = 0
    done: bool = False
    gone: bool = False
    width: int = 0
    height: int = 0

    @property
    def id(self) -> str:
        return f"{self.number:032x}"

    @property
    def path(self) -> str:
        return f"/api/v1/uploads/{self.id}/key{self.number}"

    @property
    def moves(self) -> bool:
        """Whether it is kept as it came, with a preview of its first picture."""
        return self.data[:4] == b"GIF8"

    def finish(self) -> None:
        """Become a file; a picture where it begins as one."""
        self.done = True
        if self.data[:8] == b"\x89PNG\r\n\x1a\n" and not self.as_file:
            self.width, self.height = struct.unpack(">II", self.data[16:24])

    @property
    def info(self) -> dict[str, Any]:
        """What its message tells of it."""
        if self.moves:
            return {"id": self.id, "name": self.name, "size": self.size, "type": "image/gif", "previews": [320]}
        if not self.width:
            return {"id": self.id, "name": self.name, "size": self.size}
        previews = [each for each in _PREVIEWS if each < max(self.width, self.height)]
        shown = {"type": "image/png", "width": self.width, "height": self.height, "previews": previews}
        return {"id": self.id, "name": self.name, "size": self.size, **shown}

    def preview(self, size: int) -> bytes:
        """Return a smaller copy."""
        if self.moves:
            return png(200, 300)
        scale = min(1.0, size / max(self.width, self.height))
        return png(max(1, round(self.width * scale)), max(1, round(self.height * scale)))


class PlayedFiles:
    """Plays the files of a server for one or several profiles.

    Attributes:
        cuts: offsets of uploads at which a connection is lost, each once.
        refusals: what the next uploads are refused with, fields of Refused.
        problems: what the next ends of uploads are answered with: status and code.
        dead: whether no request about files gets an answer.
        holds: files whose previews are answered when `release` is called.
    """

    def __init__(self, *, features: tuple[str, ...] = ("files", "pictures"), most: int = 25 * MIB) -> None:
        self.features, self.most = features, most
        self.uploads: list[PlayedUpload] = []
        self.cuts: list[int] = []
        self.refusals: list[dict[str, Any]] = []
        self.problems: list[tuple[int, str]] = []
        self.dead = False
        self.holding = False
        self.links_asked: list[list[str]] = []
        self.requests: list[str] = []
        self.not_found: set[str] = set()
        self._held: list[tuple[Route, bytes]] = []
        self._said: dict[str, list[PlayedUpload]] = {}
        self._seqs: dict[int, list[PlayedUpload]] = {}
        self._rooms: dict[int, str | None] = {}

    def play(self, context: BrowserContext) -> None:
        """Stand between the pages of a profile and their server."""
        context.route_web_socket(re.compile(r"/ws$"), self._socket)
        context.route(re.compile(r"/api/v1/uploads/"), self._upload)
        context.route(re.compile(r"/files/"), self._file)

    def release(self) -> None:
        """Answer the pictures that were held back."""
        self.holding = False
        for route, body in self._held:
            route.fulfill(status=200, headers={"content-type": "image/png"}, body=body)
        self._held.clear()

    @property
    def waiting(self) -> int:
        """Pictures that are held back."""
        return len(self._held)

    def _socket(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def to_server(message: str | bytes) -> None:
            command = json.loads(message)
            answer = self._answer(command)
            if answer is not None:
                socket.send(json.dumps({"ref": command["ref"], **answer}))
            else:
                server.send(json.dumps(self._plain(command)))

        def to_page(message: str | bytes) -> None:
            event = json.loads(message)
            if event["t"] == "welcome":
                others = [each for each in event.get("features", []) if each not in ("files", "pictures")]
                event["features"] = [*others, *self.features]
                event["limits"] = {**event.get("limits", {}), "file_bytes": self.most, "guest_file_hours": 24}
            elif event["t"] == "page":
                for each in event["messages"]:
                    self._add(each)
            elif event["t"] == "hits":
                for each in event["hits"]:
                    self._add(each["message"])
            elif event["t"] == "msg":
                self._add(event)
            elif event["t"] == "deleted":
                self._seqs.pop(event["target"], None)
            socket.send(json.dumps(event))

        socket.on_message(to_server)
        server.on_message(to_page)

    def _answer(self, command: dict[str, Any]) -> dict[str, Any] | None:
        match command["t"]:
            case "upload":
                if self.refusals:
                    return {"t": "refused", **self.refusals.pop(0)}
                made = PlayedUpload(
                    len(self.uploads) + 1, clean_name(command["name"]), command["size"], command.get("as_file", False)
                )
                self.uploads.append(made)
                return {"t": "uploading", "id": made.id, "path": made.path, "name": made.name, "until_ms": 2**45}
            case "links":
                self.links_asked.append(command["ids"])
                links = [{"id": each, "path": f"/files/{each}/k"} for each in command["ids"]]
                return {"t": "linked", "links": links}
            case "files":
                rows = [
                    {"file": each.info, "seq": seq, "sent_at_ms": 1_796_000_000_000, "room": self._rooms[seq]}
                    for seq, files in self._seqs.items()
                    for each in files
                ]
                rows.sort(key=lambda row: -row["file"]["size"])
                used = sum(row["file"]["size"] for row in rows)
                uploads = [
                    {"id": each.id, "name": each.name, "size": each.size, "offset": len(each.data), "until_ms": 2**45}
                    for each in self._unsent()
                ]
                used += sum(each.size for each in self._unsent())
                return {
                    "t": "filelist", "files": rows, "more": False, "used": used, "most": 250 * MIB, "uploads": uploads
                }  # fmt: skip
            case "uploadremove":
                next(each for each in self._unsent() if each.id == command["id"]).gone = True
                return {"t": "done"}
        return None

    def _unsent(self) -> list[PlayedUpload]:
        sent = {each.id for files in (*self._said.values(), *self._seqs.values()) for each in files}
        return [each for each in self.uploads if not each.gone and each.id not in sent]

    def _plain(self, command: dict[str, Any]) -> dict[str, Any]:
        ids = command.pop("files", None) or []
        files = [next(each for each in self.uploads if each.id == wanted) for wanted in ids]
        if files:
            command["text"] = with_file_lines(command["text"], [(each.name, each.size) for each in files])
            self._said[command["text"]] = files
        return command

    def _add(self, message: dict[str, Any]) -> None:
        seq = message["seq"]
        if message.get("deleted"):
            self._seqs.pop(seq, None)
            return
        files = self._seqs.get(seq) or self._said.get(message["text"])
        if files:
            self._seqs[seq] = files
            self._rooms[seq] = message.get("room")
            message["files"] = [each.info for each in files]

    def _upload(self, route: Route) -> None:
        request = route.request
        path = "/" + request.url.split("/", 3)[3]
        found = next((each for each in self.uploads if each.path == path and not each.gone), None)
        self.requests.append(f"{request.method} {request.headers.get('upload-offset', '')}".strip())
        if self.dead:
            route.abort("connectionfailed")
        elif found is None:
            route.fulfill(status=404)
        elif request.method == "DELETE":
            found.gone = True
            route.fulfill(status=204)
        elif request.method == "HEAD":
            route.fulfill(status=200, headers={"upload-offset": str(len(found.data)), "tus-resumable": "1.0.0"})
        else:
            self._patch(route, found)

    def _patch(self, route: Route, upload: PlayedUpload) -> None:
        request = route.request
        offset, body = int(request.headers["upload-offset"]), request.post_data_buffer or b""
        if offset != len(upload.data):
            return route.fulfill(status=409)
        cut = next((each for each in self.cuts if offset <= each <= offset + len(body)), None)
        taken = body if cut is None else body[: cut - offset]
        upload.data += taken
        upload.received += len(taken)
        if cut is not None:
            self.cuts.remove(cut)
            return route.abort("connectionreset")
        if len(upload.data) == upload.size:
            upload.as_file |= request.headers.get("upload-as") == "file"
            if self.problems and not upload.as_file:
                status, code = self.problems.pop(0)
                problem = {"code": code, "detail": f"It is {code}", "reason": code, "args": {}}
                return route.fulfill(status=status, body=json.dumps(problem), content_type="application/problem+json")
            upload.finish()
        return route.fulfill(status=204, headers={"upload-offset": str(len(upload.data)), "tus-resumable": "1.0.0"})

    def _file(self, route: Route) -> None:
        address = route.request.url
        file_id = address.split("/files/")[1].split("/")[0]
        found = next((each for each in self.uploads if each.id == file_id), None)
        self.requests.append(f"GET {file_id[-2:]}{address.partition('?')[2]}")
        if self.dead:
            return route.abort("connectionfailed")
        if found is None or file_id in self.not_found:
            return route.fulfill(status=404)
        size = address.partition("?size=")[2]
        if not found.width and not size:
            head = {"content-type": "application/octet-stream", "content-disposition": "attachment"}
            return route.fulfill(status=200, headers=head, body=bytes(found.data))
        body = found.preview(int(size)) if size else bytes(found.data)
        if self.holding:
            self._held.append((route, body))
            return None
        return route.fulfill(status=200, headers={"content-type": "image/png"}, body=body)
