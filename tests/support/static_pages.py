"""Serves the page's files and test pages that hold a part of it, without a chat server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from securechat.server.web.policy import SECURITY_HEADERS

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = {"web": ROOT / "securechat" / "web", "pages": ROOT / "tests" / "web" / "pages"}


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # a page has some sixty files: without it, each has a connection and a thread
    disable_nagle_algorithm = True
    extensions_map: ClassVar = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
    }  # Windows may say otherwise

    def do_GET(self) -> None:
        """Serve a file; a page without an icon asks for one all the same."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def end_headers(self) -> None:
        for name, value in SECURITY_HEADERS:
            self.send_header(name, value)
        super().end_headers()

    def translate_path(self, path: str) -> str:
        folder, _, rest = urlsplit(path).path.lstrip("/").partition("/")
        return str(FOLDERS.get(folder, ROOT / "nowhere") / rest)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def static_pages() -> Iterator[str]:
    """Serve ``/web/`` and ``/pages/`` under the rules of the real server; yields the origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
