"""Autobahn's cases (https://github.com/crossbario/autobahn-testsuite) against the reader of WebSocket messages.

They ask for a server that sends each message back. The endpoint that does so stands here, around the reader: on plain
TCP, and with binary messages. `kosoku` runs the cases.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from securechat.errors import RemoteProtocolError
from securechat.wire import websocket
from securechat.wire.codec import HANDLED
from securechat.wire.websocket import CLOSE_CODES, MessageReader, close_frame

kosoku = pytest.importorskip("kosoku", reason="kosoku has no wheel for this machine")

LARGEST = 16 * 2**20
"""Bytes of the largest message of the cases."""
ONLY_INFORMATION = {"7.1.6", "7.13.1", "7.13.2"}
"""Cases that have no right answer: what RFC 6455 leaves open."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    (key,) = (line[18:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key.decode()).encode() + b"\r\n\r\n"
    )
    messages = MessageReader(LARGEST, binary=True)
    try:
        while not messages.closed and (data := await reader.read(2**16)):
            messages.receive_data(data)
            while (body := messages.next_frame()) is not None:
                writer.write(messages.data_to_send())
                if body is not HANDLED:
                    opcode = Opcode.TEXT if messages.is_text else Opcode.BINARY
                    writer.write(Frame(opcode, body).serialize(mask=False))
            await writer.drain()
    except RemoteProtocolError as error:
        writer.write(messages.data_to_send() + close_frame(messages.close_code or CLOSE_CODES[error.code], error.code))
    except ConnectionError:
        pass  # some cases end so
    finally:
        writer.close()


async def results(**which: list[str]) -> list[Any]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        try:
            return await kosoku.run_fuzzingclient(f"ws://{host}:{port}", concurrency=8, **which)  # type: ignore[no-any-return]
        except kosoku.FailureError as failure:
            return failure.results  # type: ignore[no-any-return]


def judge(found: list[Any]) -> None:
    verdicts = {case.case_id: (case.behavior.value, case.behavior_close.value) for case in found}
    print(f"{len(found)} cases:", *(f"{count} {verdict}" for verdict, count in Counter(verdicts.values()).items()))
    strange = {case: verdict for case, verdict in verdicts.items() if verdict != ("OK", "OK")}
    assert {case for case, verdict in strange.items() if verdict != ("INFORMATIONAL",) * 2} == set(), strange
    assert set(strange) <= ONLY_INFORMATION


def test_every_case_is_passed_strictly() -> None:
    """Without 9, which measures throughput, and 12 and 13: there is no compression."""
    found = asyncio.run(results(exclude_cases=["9.*", "12.*", "13.*"]))
    assert len(found) == 247
    judge(found)


@pytest.mark.slow
def test_large_messages_and_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases of 9 send up to 16 MiB, and 4 MiB in fragments of 64 bytes: more than a client of the chat may."""
    monkeypatch.setattr(websocket, "MAX_FRAGMENTS", 2**20)
    found = asyncio.run(results(cases=["9.*"]))
    assert len(found) == 54
    judge(found)
