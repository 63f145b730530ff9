"""The worst of what browsers may send: WebSocket frames and HTTP requests; cases as in `worst_cases`.

HTTP runs on the real connections, codec and site, and on links without a socket (`tests.support.web_connections`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding
from websockets.frames import Frame, Opcode

from securechat.limits import MAX_FRAME_BYTES
from securechat.model import Say
from securechat.server.session import Session
from securechat.server.web.server import WEB_CODECS
from securechat.server.web.site import InLanguages, Site, read_tree
from securechat.server.web.trust import PAGE_PATH, PAGE_TYPE, TrustFacts, trust_page
from securechat.server.web.turns import REQUESTS_PER_PASS
from securechat.tls.issuing import new_authority
from securechat.wire.http import HEAD_BYTES, HTTP_ALPN, MOST_HEADERS
from securechat.wire.websocket import MAX_FRAGMENTS
from tests.support.web_connections import FACTS, Browser, Web
from tools.bench.worst_cases import GROWS, Case, Timed, Work, case
from tools.bench.worst_loop import Link
from tools.bench.worst_server import CASES
from tools.bench.worst_world import World

# --- WebSocket -----------------------------------------------------------------------------------------------------


def frame(data: bytes, opcode: Opcode = Opcode.TEXT, *, final: bool = True) -> bytes:
    """A frame as a client sends it, masked."""
    return Frame(opcode, data, fin=final).serialize(mask=True)


def websocket(world: World) -> Session:
    """A guest behind an upgrade, whose hello is answered."""
    link = Link(world.loop, "127.0.0.1")
    link.alpn = HTTP_ALPN
    session = Session(world.hub, link, world.loop, world.limits, world.observer, "x", WEB_CODECS)
    link.session = session
    session.handshake_done()
    secret = world.secret()
    hello = f'{{"t":"hello","version":1,"name":"web{secret[-9:]}","secret":"{secret}"}}'
    world.feed(session, frame(hello.encode()))
    world.loop.run()
    assert world.hub.is_member(session)
    return session


def framed(what: str, data: bytes) -> None:
    """A case of one read of a guest's frames; what a session leaves for later passes is a part of it."""

    def run(world: World) -> Timed:
        session = websocket(world)
        yield Work((lambda: world.feed(session, data),))
        world.drop(session)

    CASES.append(Case("WebSocket", "guest", what, run))


_READ = MAX_FRAME_BYTES
_PING, _PIECE = frame(b"", Opcode.PING), frame(b"", Opcode.CONT, final=False)
_SPLIT = (
    frame(b"{", final=False) + frame(b"}", Opcode.CONT, final=False) * (MAX_FRAGMENTS - 2) + frame(b"", Opcode.CONT)
)
framed("a read full of pings without a byte", _PING * (_READ // len(_PING)))
framed("a read full of messages in 64 fragments", _SPLIT * (_READ // len(_SPLIT)))
framed("one fragment too many", frame(b"{", final=False) + _PIECE * (_READ // len(_PIECE)))
framed("a message of 64 KiB that is none", frame(b"[" * (_READ - 8)))
framed("a read full of the shortest records", frame(b'{"t":"pong"}') * (_READ // 18))


@case("WebSocket", "guest", "`@` before what grows 18-fold, in fragments")
def said_in_fragments(world: World) -> Timed:
    session = websocket(world)
    text = "".join(f"@{GROWS * 5}{chr(0xAC00 + n)}. {GROWS * 5} {GROWS * 5}, {GROWS * 5}. " for n in range(150))
    body = world.codec.encode(Say(1, "lobby", text[:4_000]))[4:]
    step = -(-len(body) // (MAX_FRAGMENTS - 1))
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    data = frame(pieces[0], final=False) + b"".join(frame(piece, Opcode.CONT, final=False) for piece in pieces[1:])
    yield Work((lambda: world.feed(session, data + frame(b"", Opcode.CONT)),))
    world.drop(session)


# --- HTTP ----------------------------------------------------------------------------------------------------------


@cache
def web() -> Web:
    """The whole site, and what connections share."""
    made = Web()
    authority = new_authority(dt.datetime.now(dt.UTC)).certificate.public_bytes(Encoding.DER)
    facts = TrustFacts(authority, limited=True, stylesheet="/x")
    made.site = Site(FACTS, {PAGE_PATH: InLanguages(lambda language: trust_page(facts, language), PAGE_TYPE)})
    return made


def head(path: str, *lines: str, filled: bytes = b"") -> bytes:
    """A request; ``filled``: repeated at the end of the last header up to the most that a head may have."""
    data = "\r\n".join((f"GET {path} HTTP/1.1", "Host: chat.example", *lines)).encode()
    left = HEAD_BYTES - len(data) - 4
    return data + filled * (left // len(filled) if filled else 0) + b"\r\n\r\n"


def requested(what: str, make: Callable[[], bytes], connections: int = 1) -> None:
    """A case of one request, or of the same of several connections in one pass."""

    def run(_: World) -> Timed:
        data = make()
        browsers: list[Browser] = [web().connect("127.0.0.1") for _ in range(connections)]
        yield Work(tuple(lambda browser=browser: browser.connection.data_received(data) for browser in browsers))
        web().run(1.0)  # those whose turn is in a later pass
        assert all(browser.link.sent for browser in browsers)
        for browser in browsers:
            browser.lost()

    CASES.append(Case("HTTP", "browser", what, run, at_once=connections))


def _largest() -> str:
    """The path of the longest file."""
    site = web().site
    assert isinstance(site, Site)
    return site.address(max(read_tree().items(), key=lambda each: len(each[1]))[0])


requested("a page", lambda: head("/"))
requested("the same of as many as a pass answers", lambda: head("/"), REQUESTS_PER_PASS)
requested("the largest file", lambda: head(_largest()))
for _name in ("If-None-Match", "Accept-Encoding", "Connection", "Accept-Language", "X"):
    requested(f"8 KiB of commas in {_name}", lambda name=_name: head(PAGE_PATH, f"{name}: a", filled=b","))
_COMMAS = head("/", "Connection: a", filled=b",")
requested("8 KiB of commas in Connection, of as many as a pass answers", lambda: _COMMAS, REQUESTS_PER_PASS)
requested("as many headers as may be", lambda: head("/", *(f"A{n}: {'b' * 150}" for n in range(MOST_HEADERS - 1))))
requested("8 KiB of an address", lambda: head("/" + "%41" * 2_700))
_OFFERS = ("Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Protocol: a")
requested("a WebSocket with 8 KiB of offers", lambda: head("/ws", *_OFFERS, filled=b",a"))
requested("8 KiB that do not end", lambda: b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES)


@case("HTTP", "browser", "the largest file, first of all")
def largest_file_anew(_: World) -> Timed:
    path = _largest()
    web.cache_clear()
    browser = web().connect("127.0.0.1")
    yield Work((lambda: browser.connection.data_received(head(path, "Accept-Encoding: gzip")),))
    assert b"200 OK" in browser.link.sent[:40]
    browser.lost()


@case("HTTP", "browser", "the page about the certificate, first in its language")
def trust_page_anew(_: World) -> Timed:
    web.cache_clear()
    browser = web().connect("127.0.0.1")
    yield Work((lambda: browser.connection.data_received(head(PAGE_PATH)),))
    assert b"200 OK" in browser.link.sent[:40]
    browser.lost()
