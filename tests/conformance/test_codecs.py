"""Every codec of the server keeps the same promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securechat.model import (
    Direct,
    Hello,
    History,
    Join,
    Leave,
    Nick,
    Ping,
    Pong,
    Quit,
    Rooms,
    Say,
    Who,
    Whois,
)
from securechat.testing.codec_checks import CODEC_CHECKS, MARK, Dialect
from securechat.wire.frames import frame
from securechat.wire.native import NativeClientCodec, NativeServerCodec
from tests.support import line_codec
from tests.support.line_codec import LineCodec, line, write

NATIVE = Dialect(
    make=NativeServerCodec,
    write=NativeClientCodec.encode,
    commands=[
        Hello(1, "user1 pc", "0123456789abcdef" * 2, "test/1"),
        Join(1, ["#ops", "games"]),
        Leave(2, "ops"),
        Say(1, "lobby", 'multi\nline "x" \\ 你好 𝄞 \x00'),
        Direct(2, 7, "x"),
        History(3, room="lobby", after=4, before=9, limit=10),
        Who(4, "lobby", 7),
        Whois(5, "bob"),
        Rooms(6, "m"),
        Nick(7, "new"),
        Ping(8),
        Pong(9),
        Quit(),
    ],
    refused=[
        frame(f'{{"t":"{MARK}","ref":1}}'.encode()),
        frame(f'{{"t":"say","cid":"{MARK}"}}'.encode()),
        frame(f'["{MARK}"]'.encode()),
        frame(f'{{"t":"{MARK}","t":"{MARK}"}}'.encode()),
    ],
    nonsense=[
        b"\xff\xff\xff\xff" + MARK.encode(),
        b"\x00\x00\x00\x00" + MARK.encode(),
        frame(f"{MARK} is no JSON".encode()),
        frame(b'{"t":"' + MARK.encode() + b'\xff"}'),
        b"GET /" + MARK.encode() + b" HTTP/1.1\r\n\r\n",
    ],
    chatter=[NativeClientCodec.encode(Ping(1)), NativeClientCodec.encode(Pong(1))],
)
LINES = Dialect(
    make=LineCodec,
    write=write,
    commands=[
        Hello(1, "user1 pc", "0123456789abcdef" * 2, line_codec.CLIENT),
        Join(1, ["#ops"]),
        Say(1, "lobby", 'multi\nline "x" % \\ 你好 𝄞 \x00'),
        History(2, room="lobby", before=9),
        Pong(9),
        Quit(),
    ],
    refused=[line(MARK), line("PONG", MARK), b"LOGIN %FF" + MARK.encode() + b"\n", line("LOGIN", "x", MARK, MARK)],
    nonsense=[MARK.encode() + b"\xff\n", MARK.encode() * 1_000],
    chatter=[line("PING", "1"), line("PONG", "1"), line("SECRET", "x")],
    answered=[line("PING", MARK)],
)


@pytest.mark.parametrize("dialect", [pytest.param(NATIVE, id="native"), pytest.param(LINES, id="lines")])
@pytest.mark.parametrize("check", CODEC_CHECKS, ids=lambda check: check.__name__)
def test_codec(check: Callable[[Dialect], None], dialect: Dialect) -> None:
    check(dialect)
