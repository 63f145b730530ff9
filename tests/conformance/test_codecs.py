"""Every codec of the server keeps the same promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from websockets.frames import Frame, Opcode

from securechat.model import (
    Command,
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
from securechat.wire.frames import HEADER_BYTES, frame
from securechat.wire.native import NativeClientCodec, NativeServerCodec
from securechat.wire.websocket import WebSocketServerCodec
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


def masked(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame of a WebSocket client."""
    return Frame(Opcode(opcode), payload, final).serialize(mask=True)


def write_message(command: Command) -> bytes:
    return masked(1, NativeClientCodec.encode(command)[HEADER_BYTES:])


WEB = Dialect(
    make=WebSocketServerCodec,
    write=write_message,
    commands=NATIVE.commands,
    refused=[masked(1, body[HEADER_BYTES:]) for body in NATIVE.refused],
    nonsense=[
        masked(1, f"{MARK} is no JSON".encode()),
        masked(1, b'{"t":"' + MARK.encode() + b'\xff"}'),
        masked(1, b'{"t":"ping","' + MARK.encode() + b'":"\xff"}'),
        masked(2, b'{"t":"' + MARK.encode() + b'"}'),
        masked(0, MARK.encode()),
        Frame(Opcode.TEXT, MARK.encode()).serialize(mask=False),
        b"\xc1" + masked(1, MARK.encode())[1:],
        b"\x83" + masked(1, MARK.encode())[1:],
        b"\x09" + masked(9, MARK.encode())[1:],
        b"\x89\xfe\x00\x7e1234" + MARK.encode() * 12,
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff1234" + MARK.encode(),
        masked(8, b"\x03\xe7" + MARK.encode()),
        masked(8, b"\x03\xe8" + MARK.encode() + b"\xff"),
    ],
    chatter=[write_message(Ping(1)), write_message(Pong(1)), masked(9, b"x"), masked(10, b"x")],
    answered=[masked(9, MARK.encode()), masked(9, b"")],
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


@pytest.mark.parametrize(
    "dialect", [pytest.param(NATIVE, id="native"), pytest.param(WEB, id="web"), pytest.param(LINES, id="lines")]
)
@pytest.mark.parametrize("check", CODEC_CHECKS, ids=lambda check: check.__name__)
def test_codec(check: Callable[[Dialect], None], dialect: Dialect) -> None:
    check(dialect)
