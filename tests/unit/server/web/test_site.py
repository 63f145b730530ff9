"""What is served: the table, its addresses, the page with its facts, and the files of this checkout."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from securechat.server.web.facts import ServerFacts, facts_block
from securechat.server.web.site import Site, _resolved, read_tree, resource, sent, static_imports, tree_hash
from securechat.wire.http import Authority, Request
from tests.support.web_connections import FACTS, TREE

_ANY_IMPORT = re.compile(r"""^[^*/\n]*\b(?:from|import)[ (]["'](\.[^"'\n]+)["']""", re.MULTILINE)
ROOT = Path(__file__).resolve().parents[4]
DATE = "Sun, 29 Nov 2026 12:00:00 GMT"


def ask(site: Site, target: str, *headers: tuple[bytes, bytes], method: str = "GET") -> tuple[bytes, bytes]:
    """The head and the body of an answer."""
    request = Request(method, target, Authority("a", 443), None, headers)
    head, _, body = site.answer(request, date=DATE, closes=False).partition(b"\r\n\r\n")
    return head, body


@pytest.fixture
def site() -> Site:
    return Site(FACTS, tree=TREE)


def test_a_file_is_kept_for_ever_under_the_hash_of_all(site: Site) -> None:
    head, body = ask(site, f"/w/{site.hash}/core/b.js")
    assert body == TREE["core/b.js"]
    assert b"\r\nCache-Control: public, max-age=31536000, immutable\r\n" in head
    changed = Site(FACTS, tree={**TREE, "style.css": b"b {}"})
    assert changed.hash != site.hash
    for path in (f"/w/{site.hash}/core/b.js", f"/w/{changed.hash}/index.html", f"/w/{changed.hash}/sw.js"):
        head, body = ask(changed, path)
        assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert b"\r\nCache-Control: no-store\r\n" in head


def test_the_hash_knows_names_and_borders() -> None:
    hashes = [tree_hash(tree) for tree in ({"a": b"bc"}, {"ab": b"c"}, {"a": b"b", "c": b""}, {"a": b"b"}, {})]
    assert len(set(hashes)) == len(hashes)
    assert tree_hash({"a": b"1", "b": b"2"}) == tree_hash({"b": b"2", "a": b"1"})


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        (b"gzip, deflate, br", True),
        (b"br, GZIP;q=0.5", True),
        (b"*", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"*, gzip;q=0", False),
        (b"gzip, *;q=0", True),
        (b"br", False),
        (b"", False),
        (b"xgzip", False),
    ],
)
def test_gzip_is_for_those_who_take_it(site: Site, accepts: bytes, packed: bool) -> None:
    head, body = ask(site, f"/w/{site.hash}/style.css", (b"accept-encoding", accepts))
    assert (b"\r\nContent-Encoding: gzip\r\n" in head) is packed
    assert b"\r\nVary: Accept-Encoding\r\n" in head
    assert (gzip.decompress(body) if packed else body) == TREE["style.css"]
    assert b"Content-Length: %d" % len(body) in head


def test_what_gzip_makes_no_smaller_is_sent_as_it_is(site: Site) -> None:
    head, body = ask(site, f"/w/{site.hash}/core/b.js", (b"accept-encoding", b"gzip"))
    assert body == TREE["core/b.js"]
    assert b"Vary" not in head


@pytest.mark.parametrize("said", [b"{0}", b'"other", {0}', b"{1}"])
def test_what_a_browser_has_is_not_sent_again(site: Site, said: bytes) -> None:
    head, _ = ask(site, "/")
    found = re.search(rb"\r\nETag: (W/(\"\w+\"))\r\n", head)
    assert found is not None
    tag = said.replace(b"{0}", found[1]).replace(b"{1}", found[1].lower())
    head, body = ask(site, "/", (b"if-none-match", tag))
    assert head.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert body == b""
    assert b"Content-Length" not in head
    assert found[0] in head
    head, _ = ask(site, "/", (b"if-none-match", b'"other"'))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_page_names_what_it_needs_at_once(site: Site) -> None:
    _, page = ask(site, "/")
    assert re.findall(rb'<link rel="modulepreload" href="([^"]+)">', page) == [
        f"/w/{site.hash}/{path}".encode() for path in ("shell/main.js", "core/b.js")
    ]
    assert b"HASH" not in page


def test_the_page_is_told_the_facts() -> None:
    tree = {**TREE, "ui/messages.id.json": b"{}", "emoji.en.json": b"[]", "manifest.webmanifest": b"{}"}
    site = Site(FACTS, tree=tree)
    _, page = ask(site, "/")
    found = re.search(rb'<script type="application/json" id="facts">([^<]*)</script>', page)
    assert found is not None
    assert json.loads(found[1]) == {
        "version": "1.0",
        "ca": "ab" * 32,
        "limited": False,
        "access": "open",
        "files": {
            "messages.id.json": f"/w/{site.hash}/ui/messages.id.json",
            "emoji.en.json": f"/w/{site.hash}/emoji.en.json",
        },
    }


def test_facts_end_no_element() -> None:
    facts = ServerFacts("</script><!-- <script>", None, True, "members")
    block = facts_block(facts)
    assert b"<" not in block
    assert json.loads(block)["version"] == facts.version


def test_another_certificate_is_told_at_once(site: Site) -> None:
    _, before = ask(site, "/")
    site.tell(ServerFacts("1.0", None, False, "open"), {"/trust": resource(b"trust", "text/plain")})
    _, after = ask(site, "/")
    assert b'"ca":null' in after
    assert after != before
    assert ask(site, "/trust")[1] == b"trust"
    site.tell(FACTS)
    assert ask(site, "/")[1] == before
    assert ask(site, "/trust")[0].startswith(b"HTTP/1.1 404")


def test_the_worker_stands_at_the_top(site: Site) -> None:
    head, body = ask(site, "/sw.js")
    assert body == TREE["sw.js"]
    assert b"\r\nCache-Control: no-cache\r\n" in head


def test_a_file_costs_less_than_a_page(site: Site) -> None:
    assert site.is_file(f"/w/{site.hash}/style.css")
    assert not site.is_file("/")
    assert not site.is_file("/nothing")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('import { a } from "./b.js";', ["x/b.js"]),
        ("import a, { b } from '../y/b.js';", ["y/b.js"]),
        ('import {\n  a,\n  b as c,\n} from "./b.js";', ["x/b.js"]),
        ('import "./b.js";', ["x/b.js"]),
        ('import * as b from "./b.js";', ["x/b.js"]),
        ('export { a } from "./b.js";', ["x/b.js"]),
        ('export * from "./b.js";', ["x/b.js"]),
        ('const b = await import("./b.js");', []),
        ('  import("./b.js");', []),
        ('/**\n * @import {A} from "./b.js"\n */', []),
        ('export const a = "./b.js";', []),
        ('import { a } from "elsewhere";', []),
        ('import { a } from "./missing.js";', []),
    ],
)
def test_static_imports_are_found(source: str, found: list[str]) -> None:
    tree = {"x/main.js": source.encode(), "x/b.js": b'import "./main.js";', "y/b.js": b""}
    assert static_imports(tree, "x/main.js") == ["x/main.js", *found]


def test_the_files_of_this_checkout_are_served() -> None:
    tree = read_tree()
    site = Site(FACTS)
    assert {"index.html", "sw.js", "icon.svg", "manifest.webmanifest"} <= tree.keys()
    for path, body in tree.items():
        if path not in ("index.html", "sw.js"):
            assert ask(site, f"/w/{site.hash}/{path}")[1] == sent(body, path.rpartition(".")[2])


def test_every_file_is_served_and_packed_into_wheels() -> None:
    folder = ROOT / "securechat" / "web"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == read_tree().keys()
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["securechat"]
    assert {"web/*", "web/*/*"} <= set(patterns)
    assert max(path.count("/") for path in files) <= 1


def test_everything_that_the_page_names_is_there() -> None:
    tree = read_tree()
    site = Site(FACTS)
    _, page = ask(site, "/")
    named = {path.decode() for path in re.findall(rb'(?:href|src)="([^"]+)"', page)}
    assert not [path for path in named if path not in site.paths]
    folder = f"/w/{site.hash}/"
    icons: list[Any] = json.loads(tree["manifest.webmanifest"])["icons"]
    assert not [icon for icon in icons if folder + icon["src"] not in site.paths]
    for path, source in tree.items():
        for imported in _ANY_IMPORT.findall(source.decode()) if path.endswith(".js") else ():
            assert _resolved(path, imported) in tree, f"{path} imports {imported}"


def test_scripts_and_style_sheets_are_sent_without_comments() -> None:
    site = Site(FACTS, tree={"a.js": b"/** A */\nlet a;\n", "b.css": b"/* b */\na {}\n", "c.json": b'{"/* c */": 1}'})
    a, b, c = (ask(site, site.address(path))[1] for path in ("a.js", "b.css", "c.json"))
    assert b"/*" not in a
    assert b"/*" not in b
    assert c == b'{"/* c */": 1}'
    for _ in range(2):  # the first one makes it
        assert ask(site, site.address("a.js"))[1] == a
