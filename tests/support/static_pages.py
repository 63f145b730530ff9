"""Serves the page's files and test pages that hold a part of it, without a chat server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = {"web": ROOT / "securechat" / "web", "pages": ROOT / "tests" / "web" / "pages"}


class _Handler(SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
    }  # Windows may say otherwise

    def translate_path(self, path: str) -> str:
        folder, _, rest = urlsplit(path).path.lstrip("/").partition("/")
        return str(FOLDERS.get(folder, ROOT / "nowhere") / rest)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def static_pages() -> Iterator[str]:
    """Serve ``/web/`` and ``/pages/``; gives the origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
