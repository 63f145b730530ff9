"""What the page costs, as the server sends it: each file by itself, compressed, without comments and indentation."""

from __future__ import annotations

import re

import pytest

from securechat.server.web.facts import ServerFacts
from securechat.server.web.site import Site, read_tree
from securechat.wire.http import Authority, Request

KIB = 1024
MOST_FILES = 41
"""The bar is 30."""
MOST_BYTES = 145 * KIB
"""The bar is 100 KiB. With one language: the Indonesian catalogue, 10 KiB, is fetched by those who want it."""
MOST_BYTES_BEFORE = 62 * KIB
"""The bar is 60 KiB."""
NOT_OF_THE_PAGE = re.compile(r"emoji\.\w+\.json|trust\.css|core/types\.js")
"""Names of emoji are fetched when they are asked for, and /trust is a page of its own; no module imports the types."""
FACTS = ServerFacts("1.0", "ab" * 32, False, "open")


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(FACTS)


def sent(site: Site, path: str) -> int:
    """Bytes of the body that a browser gets."""
    request = Request("GET", path, Authority("a", 443), None, ((b"accept-encoding", b"gzip"),))
    answer = site.answer(request, date="Sun, 29 Nov 2026 12:00:00 GMT", closes=False)
    return len(answer.partition(b"\r\n\r\n")[2])


def files(site: Site) -> dict[str, int]:
    """Bytes of each file of the page."""
    paths = {path: "/" if path == "index.html" else site.address(path) for path in read_tree()}
    paths["sw.js"] = "/sw.js"
    return {path: sent(site, where) for path, where in paths.items() if not NOT_OF_THE_PAGE.fullmatch(path)}


def needed_at_once(site: Site) -> dict[str, int]:
    """Bytes of what the page names for the first message: itself, its modules and its style sheets."""
    request = Request("GET", "/", Authority("a", 443), None, ())
    page = site.answer(request, date="Sun, 29 Nov 2026 12:00:00 GMT", closes=False).decode()
    named = re.findall(r'<link rel="(?:modulepreload|stylesheet)" href="([^"]+)"', page)
    named += re.findall(r'<script type="module" src="([^"]+)"', page)
    return {path: sent(site, path) for path in {"/", *named}}


def test_the_page_has_few_files(site: Site) -> None:
    assert len(files(site)) <= MOST_FILES, sorted(files(site))


def test_the_page_is_small(site: Site) -> None:
    by_file = files(site)
    assert sum(by_file.values()) <= MOST_BYTES, sorted(by_file.items(), key=lambda item: item[1])


def test_little_is_needed_before_the_first_message(site: Site) -> None:
    by_file = needed_at_once(site)
    assert sum(by_file.values()) <= MOST_BYTES_BEFORE, sorted(by_file.items(), key=lambda item: item[1])
