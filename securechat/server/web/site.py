"""The files of the web client as answers, read once at the start and found in a table: no path reaches a file system.

The address of a file has the hash of all files in it (``/w/HASH/shell/main.js``), so that browsers keep it for ever and
modules import each other by their relative paths. A page of an older version asks for its own files and gets 404.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from securechat.server.web.comments import without_blanks, without_comments
from securechat.server.web.facts import ServerFacts, facts_block
from securechat.server.web.policy import SECURITY_HEADERS
from securechat.server.web.trust import wanted_language
from securechat.wire.http import Headers, Request, response, response_head

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "webmanifest": "application/manifest+json",
}
_PACKED = frozenset({"mp3", "ogg", "png"})  # compressed already
_SOURCES = frozenset({"css", "js"})
_FOLDER = Path(__file__).resolve().parents[2] / "web"
_INDEX = "index.html"
_WORKER = "sw.js"
_ENTRY = "shell/main.js"
_HASH_DIGITS = 16
_LEVEL = 6  # of zlib: 9 takes twice as long for 1 % less
_FOREVER = "public, max-age=31536000, immutable"
_IMPORT = re.compile(r"""^(?:import|export)\s(?:[^"';=]*?\bfrom\s*)?["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)
_PRELOADS = b"<!-- modulepreload -->"
_FACTS = b"<!-- facts -->"
_HASH = b"HASH"


class Answering(Protocol):
    """What stands behind a path."""

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer to a GET or HEAD of this path; see `securechat.wire.http.response`."""


class Resource(Struct, frozen=True):
    """What a path answers.

    Attributes:
        head: status line and headers, of the body as it is.
        body: as it is.
        packed_head: the headers of the body with gzip; None where that is not smaller.
        packed: the body with gzip.
        etag: of both, so a weak one (RFC 9110, section 8.8.1).
        kept_head: the headers of 304.
    """

    head: bytes
    body: bytes
    packed_head: bytes | None
    packed: bytes
    etag: str
    kept_head: bytes

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer to a GET or HEAD of this path; see `securechat.wire.http.response`."""
        if self.etag and self.etag.lower() in request.words(b"if-none-match"):
            return response(self.kept_head, b"", date=date, closes=closes, has_body=False)
        head, body = self.head, self.body
        if self.packed_head is not None and _takes_gzip(request):
            head, body = self.packed_head, self.packed
        return response(head, body, date=date, closes=closes, is_head=request.method == "HEAD")


def resource(
    body: bytes, content_type: str, *, cache: str = "no-cache", pack: bool = True, own: Headers = ()
) -> Resource:
    """Make a resource.

    Args:
        body: its bytes.
        content_type: of the header.
        cache: Cache-Control.
        pack: whether gzip is tried.
        own: further headers.
    """
    packed = _gzip(body) if pack else body
    etag = f'W/"{sha256(body).hexdigest()[:_HASH_DIGITS]}"'
    common = [("Cache-Control", cache), ("ETag", etag)]
    if is_packed := len(packed) < len(body):
        common.append(("Vary", "Accept-Encoding"))
    kept = [*common, *own, *SECURITY_HEADERS]
    full = [("Content-Type", content_type), *kept]
    return Resource(
        response_head(200, full),
        body,
        response_head(200, [*full, ("Content-Encoding", "gzip")]) if is_packed else None,
        packed if is_packed else b"",
        etag,
        response_head(304, kept),
    )


class InLanguages:
    """An answer that each language has in words of its own, made when it is first asked for.

    Args:
        make: the body in a language, a key of `LANGUAGES`.
        content_type: of the header.
    """

    def __init__(self, make: Callable[[str], bytes], content_type: str) -> None:
        self._make = make
        self._content_type = content_type
        self._made: dict[str, Resource] = {}

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer in the language that the request wants; see `Resource.answer`."""
        language = wanted_language(request.target.partition("?")[2], request.weighted(b"accept-language"))
        made = self._made.get(language)
        if made is None:
            own = (("Content-Language", language), ("Vary", "Accept-Language"))
            made = self._made[language] = resource(self._make(language), self._content_type, own=own)
        return made.answer(request, date=date, closes=closes)


class SiteFile:
    """A file under its hash. It is made small when it is first asked for, within 3 ms: most starts see no page.

    Args:
        body: its bytes, with comments.
        ending: of its name.
        cache: Cache-Control.
    """

    def __init__(self, body: bytes, ending: str, *, cache: str) -> None:
        self._body = body
        self._ending, self._cache = ending, cache
        self._made: Resource | None = None

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer to a GET or HEAD of this path; see `Resource.answer`."""
        if self._made is None:
            pack = self._ending not in _PACKED
            self._made = resource(sent(self._body, self._ending), _TYPES[self._ending], cache=self._cache, pack=pack)
            self._body = b""
        return self._made.answer(request, date=date, closes=closes)


def sentence(status: int, text: str) -> Resource:
    """Make an answer that is one sentence, and kept by no cache."""
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"), *SECURITY_HEADERS)
    return Resource(response_head(status, headers), f"{text}\n".encode(), None, b"", "", b"")


class Site:
    """All that is served.

    Args:
        facts: of the page; its addresses of files are filled in here.
        more: answers by path, from elsewhere.
        tree: the files by path, "/" between folders; those of the package by default.

    Attributes:
        hash: of all files.
        files: by their addresses.
    """

    def __init__(
        self,
        facts: ServerFacts,
        more: Mapping[str, Answering] | None = None,
        tree: Mapping[str, bytes] | None = None,
    ) -> None:
        self._tree = dict(tree if tree is not None else read_tree())
        self.hash = tree_hash(self._tree)
        self._nothing = sentence(404, "There is nothing at this address.")
        self._preloads = "\n".join(
            f'<link rel="modulepreload" href="{self.address(path)}">' for path in static_imports(self._tree, _ENTRY)
        ).encode()
        self.files = self._files()
        self._others: Mapping[str, Answering] = {}
        self.tell(facts, more)

    def tell(self, facts: ServerFacts, more: Mapping[str, Answering] | None = None) -> None:
        """Replace the facts and what comes from elsewhere: the certificate is another one."""
        self._others = {**(more or {}), "/": resource(self._index(facts), _TYPES["html"])}

    def _files(self) -> Mapping[str, SiteFile]:
        files = {}
        for path, body in self._tree.items():
            if path != _INDEX:
                is_worker = path == _WORKER  # at the top, so that its scope is the whole origin
                files[f"/{path}" if is_worker else self.address(path)] = SiteFile(
                    body, path.rpartition(".")[2], cache="no-cache" if is_worker else _FOREVER
                )
        return files

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer to a request, 404 for what is in no table; see `securechat.wire.http.response`."""
        path = request.path
        found = self.files.get(path) or self._others.get(path, self._nothing)
        return found.answer(request, date=date, closes=closes)

    @property
    def paths(self) -> Iterable[str]:
        """Every path that answers."""
        return self.files.keys() | self._others.keys()

    def is_file(self, path: str) -> bool:
        """Whether a path is a file with a hash, which a page fetches some thirty of."""
        return path in self.files

    def address(self, path: str) -> str:
        """Return the address of a file.

        Args:
            path: in the tree.
        """
        return f"/w/{self.hash}/{path}"

    def _index(self, facts: ServerFacts) -> bytes:
        by_name = {path.rpartition("/")[2]: self.address(path) for path in self._tree if path.endswith(".json")}
        block = b'<script type="application/json" id="facts">%b</script>' % facts_block(replace(facts, files=by_name))
        index = self._tree.get(_INDEX, b"").replace(_HASH, self.hash.encode())
        return index.replace(_PRELOADS, self._preloads).replace(_FACTS, block)


def read_tree() -> dict[str, bytes]:
    """Read the files of the package that have an ending that is served."""
    tree: dict[str, bytes] = {}

    def read(folder: str, path: str) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir():
                    read(entry.path, f"{path}{name}/")
                elif name.rpartition(".")[2] in _TYPES and not name.startswith("."):
                    tree[path + name] = Path(entry.path).read_bytes()

    read(str(_FOLDER), "")
    return dict(sorted(tree.items()))


def sent(body: bytes, ending: str) -> bytes:
    """Return what a browser gets of a file: scripts and style sheets without comments, scripts without blanks.

    Args:
        body: of the file.
        ending: of its name.
    """
    if ending not in _SOURCES:
        return body
    text = without_comments(body.decode())
    return (without_blanks(text) if ending == "js" else text).encode()


def tree_hash(tree: Mapping[str, bytes]) -> str:
    """Return the hash of all names and contents."""
    digest = sha256()
    for path, body in sorted(tree.items()):
        digest.update(b"%b\0%d\0%b" % (path.encode(), len(body), body))
    return digest.hexdigest()[:_HASH_DIGITS]


def static_imports(tree: Mapping[str, bytes], entry: str) -> list[str]:
    """Return the modules that a module needs before it runs, itself first; not what it imports when asked."""
    found: dict[str, None] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop(0)
        if path in found or path not in tree:
            continue
        found[path] = None
        waiting += [_resolved(path, each) for each in _IMPORT.findall(tree[path].decode())]
    return list(found)


def _resolved(importer: str, relative: str) -> str:
    folders = importer.split("/")[:-1]
    for part in relative.split("/"):
        if part == "..":
            folders = folders[:-1]
        elif part != ".":
            folders.append(part)
    return "/".join(folders)


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=31)  # 31: with gzip's header, which has no time and no name here
    return packer.compress(body) + packer.flush()


def _takes_gzip(request: Request) -> bool:
    """Whether gzip is acceptable (RFC 9110, section 12.5.3); ``*`` means it where it is not named itself."""
    is_named = any(word.partition(";")[0].strip() == "gzip" for word in request.words(b"accept-encoding"))
    return ("gzip" if is_named else "*") in request.weighted(b"accept-encoding")
