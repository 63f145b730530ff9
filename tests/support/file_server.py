"""A server of files on loopback: real TLS by our CA, tus 1.0.0 as far as clients use it, and Range; cuts where told.

Nothing of it is the product's own server, so a client is tried against the protocols, and not against our reading of
them on the other side.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from securechat.client.files.https import FileServer
from tests.support.receiver import PATIENCE_S, Authority

PIECE_BYTES = 4 * 1024


@dataclass
class StoredUpload:
    """What has come of one upload."""

    size: int
    data: bytearray = field(default_factory=bytearray)


@dataclass
class Answered:
    """An answer in place of the right one, once."""

    status: int
    problem: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class FilesDouble:
    """The server.

    Attributes:
        uploads: by path.
        files: by path; their ETag is made from the path.
        cuts: offsets at which a connection ends without a word, each once; the bytes before are kept.
        answers: by method, the next answers in place of the right one.
        requests: method and path of each request.
        patched_bytes: of all bodies of PATCH.
    """

    def __init__(self, directory: Path, *names: str, authority: Authority | None = None) -> None:
        self.authority = authority or Authority(directory)
        self.uploads: dict[str, StoredUpload] = {}
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.answers: dict[str, deque[Answered]] = {}
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.patched_bytes = 0
        self.loses_bytes = 0
        self.hangs = threading.Event()
        self.over = threading.Event()
        self._context = self.authority.context(*(names or ("127.0.0.1",)))
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, at the same port as before."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_args: None  # type: ignore[method-assign]
        self._http.socket = self._context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more; connections go on."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(PATIENCE_S)

    def close(self) -> None:
        """End."""
        self.over.set()
        self.stop()

    def seen_by(self, ca_pem: str | None = None) -> FileServer:
        """Return it as a client knows it."""
        return FileServer("127.0.0.1", self.port, self.authority.pem if ca_pem is None else ca_pem)

    def add_upload(self, path: str, size: int) -> StoredUpload:
        """Begin an upload."""
        self.uploads[path] = StoredUpload(size)
        return self.uploads[path]

    def cut(self, offset: int) -> bool:
        """Tell whether a connection ends at this offset."""
        if offset in self.cuts:
            self.cuts.remove(offset)
            return True
        return False


def _handler(double: FilesDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            if not self._is_answered():
                upload = double.uploads.get(self.path)
                if upload is None:
                    self._answer(404)
                else:
                    self._answer(200, {"Upload-Offset": str(len(upload.data)), "Upload-Length": str(upload.size)})

        def do_DELETE(self) -> None:
            if not self._is_answered():
                self._answer(204 if double.uploads.pop(self.path, None) is not None else 404)

        def do_PATCH(self) -> None:
            if self._is_answered():
                return
            upload = double.uploads.get(self.path)
            if upload is None:
                self._answer(404)
                return
            if int(self.headers["Upload-Offset"]) != len(upload.data):
                self._answer(409, problem={"code": "out_of_order", "detail": "another offset", "status": 409})
                return
            left = int(self.headers["Content-Length"])
            while left:
                if double.cut(len(upload.data)):
                    del upload.data[len(upload.data) - double.loses_bytes :]
                    self._break()
                    return
                room = min([left, PIECE_BYTES, *(at - len(upload.data) for at in double.cuts if at > len(upload.data))])
                data = self.rfile.read(room)
                if not data:
                    self.close_connection = True
                    return
                upload.data += data
                double.patched_bytes += len(data)
                left -= len(data)
            if double.cut(len(upload.data)):
                self._break()  # behind the last byte: the answer is lost
            else:
                self._answer(204, {"Upload-Offset": str(len(upload.data))})

        def do_GET(self) -> None:
            if self._is_answered():
                return
            data = double.files.get(self.path)
            if data is None:
                self._answer(404)
                return
            etag = f'"{self.path.strip("/").replace("/", "-")}"'
            begin, status, headers = 0, 200, {"ETag": etag}
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if found and self.headers.get("If-Range") == etag:
                begin, status = int(found[1]), 206
                headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data) - begin)}.items():
                self.send_header(name, value)
            self.end_headers()
            while begin < len(data):
                if double.cut(begin):
                    self._break()
                    return
                room = min([PIECE_BYTES, *(at - begin for at in double.cuts if at > begin)])
                self.wfile.write(data[begin : begin + room])
                begin += room

        def _is_answered(self) -> bool:
            double.requests.append((self.command, self.path))
            double.headers.append({name.lower(): value for name, value in self.headers.items()})
            if double.hangs.is_set():
                double.over.wait(PATIENCE_S)
            queue = double.answers.get(self.command)
            if not queue:
                return False
            given = queue.popleft()
            self.rfile.read(int(self.headers.get("Content-Length", "0")))  # or the answer may be lost in a reset
            self.close_connection = True
            self._answer(given.status, given.headers, given.problem)
            return True

        def _answer(
            self, status: int, headers: dict[str, str] | None = None, problem: dict[str, object] | None = None
        ) -> None:
            body = json.dumps(problem).encode() if problem else b""
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _break(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError, ssl.SSLError):
                self.wfile.flush()
            with contextlib.suppress(OSError):
                self.connection.close()

        def log_message(self, *_args: object) -> None:
            pass

    return Handler
