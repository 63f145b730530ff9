"""WebSocket: the golden vectors, and what they cannot say."""

from __future__ import annotations

import json
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from securechat.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from securechat.limits import MAX_FRAME_BYTES, MAX_HELLO_FRAME_BYTES, PAGE_LIMITS, PageLimits
from securechat.model import Closing, Command, Hello, Message, Ping, Pong, Quit, Say, Welcome
from securechat.wire.codec import HANDLED, STRANGER_FRAMES, Handled
from securechat.wire.frames import HEADER_BYTES
from securechat.wire.native import NATIVE, NativeClientCodec, NativeFormat
from securechat.wire.websocket import (
    CLOSE_CODES,
    MAX_FRAGMENTS,
    SUBPROTOCOL,
    WEB,
    MessageReader,
    UpgradeAnswer,
    WebFormat,
    WebSocketServerCodec,
    answer_upgrade,
    close_frame,
    text_frame,
)
from tests.support.golden import build, web_vectors


def rows(side: str, kind: str) -> Any:
    found = web_vectors(side, kind)
    assert found
    return pytest.mark.parametrize("row", found, ids=[row["name"] for row in found])


def masked(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """A frame of a client."""
    return Frame(Opcode(opcode), payload, final).serialize(mask=True)


def text(command: Command) -> bytes:
    return masked(1, NativeClientCodec.encode(command)[HEADER_BYTES:])


def codec_of(*, member: bool = True) -> WebSocketServerCodec:
    codec = WebSocketServerCodec()
    if member:
        codec.hello_accepted()
    return codec


def taken(codec: WebSocketServerCodec, data: bytes, step: int | None = None) -> tuple[list[Command | Handled], bytes]:
    """Everything that comes of bytes in pieces of a size: commands, and bytes of the codec's own."""
    found: list[Command | Handled] = []
    own = b""
    for start in range(0, len(data), step or len(data) or 1):
        codec.receive_data(data[start : start + (step or len(data))])
        while (command := codec.next_command()) is not None:
            found.append(command)
            own += codec.data_to_send()
    return found, own


def failure_of(codec: WebSocketServerCodec, data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        taken(codec, data)
    return caught.value


def said(data: bytes) -> list[Frame]:
    """What a client hears."""
    client = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
    client.receive_data(data)
    assert client.parser_exc is None
    frames = client.events_received()
    assert all(isinstance(frame, Frame) for frame in frames)
    return frames  # type: ignore[return-value]


def closed_with(data: bytes) -> tuple[dict[str, Any], int, str]:
    """The last record, and the code and reason of the Close behind it."""
    *_, record, close = said(data)
    assert (record.opcode, close.opcode) == (Opcode.TEXT, Opcode.CLOSE)
    assert len(close.data) <= 125
    parsed = Close.parse(close.data)
    return json.loads(bytes(record.data)), parsed.code, parsed.reason


# --- The golden vectors -----------------------------------------------------------------------------------------------


@rows("client", "record")
@pytest.mark.parametrize("step", [None, 1, 3])
def test_a_record_of_a_client(row: dict[str, Any], step: int | None) -> None:
    commands, own = taken(codec_of(), row["bytes"], step)
    assert [each for each in commands if each is not HANDLED] == [build(row["record"])]
    assert own == bytes.fromhex(row.get("answers", ""))


@rows("client", "handled")
@pytest.mark.parametrize("step", [None, 1, 3])
def test_a_frame_without_a_record(row: dict[str, Any], step: int | None) -> None:
    codec = codec_of()
    commands, own = taken(codec, row["bytes"], step)
    assert set(commands) == {HANDLED}
    assert own == bytes.fromhex(row["answers"])
    assert codec.wants_close == row.get("closed", False)


@rows("client", "closed")
def test_a_broken_frame(row: dict[str, Any]) -> None:
    for member in (True, False) if "after_hello" not in row and row["code"] == "bad_frame" else ("after_hello" in row,):
        codec = codec_of(member=member)
        error = failure_of(codec, row["bytes"])
        assert error.code == row["code"]
        record, code, reason = closed_with(codec.close(Closing.of(error)))
        assert (record["code"], code, reason) == (row["code"], row["close_code"], row["code"])
        assert not codec.wants_close


@rows("server", "record")
def test_an_event(row: dict[str, Any]) -> None:
    assert WEB.encode(build(row["record"])) == row["bytes"]


@rows("server", "closing")
def test_last_words(row: dict[str, Any]) -> None:
    codec = WebSocketServerCodec()
    assert codec.close(build(row["record"])) == row["bytes"]
    assert CLOSE_CODES[ErrorCode(row["code"])] == row["close_code"]


# --- The format -------------------------------------------------------------------------------------------------------


def test_native_and_web_have_the_same_body() -> None:
    event = Message(9, 4, 7, "ana", 0, "hello", room="lobby")
    body = NATIVE.bodies.encode(event)
    assert NATIVE.bodies is WEB.bodies
    assert NATIVE.framed(body) == NATIVE.encode(event)
    assert WEB.framed(body) == WEB.encode(event)
    small = PageLimits.of_frames(4096)
    assert WebFormat(small).bodies is NativeFormat(small).bodies is not WEB.bodies


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_text_of_any_length(size: int) -> None:
    body = b"x" * size
    assert text_frame(body) == Frame(Opcode.TEXT, body).serialize(mask=False)


def test_an_event_that_is_too_long_is_a_bug_or_is_shortened() -> None:
    with pytest.raises(LocalProtocolError):
        WEB.encode(Message(9, 4, 7, "ana", 0, "x" * MAX_FRAME_BYTES, room="lobby"))
    (frame,) = said(WEB.encode(Closing(ErrorCode.BYE, "x" * MAX_FRAME_BYTES)))
    assert len(frame.data) == MAX_FRAME_BYTES


def test_the_reason_of_a_close_is_cut() -> None:
    (frame,) = said(close_frame(4999, "x" * 200))
    assert Close.parse(frame.data) == Close(4999, "x" * 123)


def test_every_error_code_has_a_close_code() -> None:
    assert set(CLOSE_CODES) == set(ErrorCode)
    for code, number in CLOSE_CODES.items():
        assert number in {1000, 1001, 1002, 1007, 1008, 1009, 1013} or 4000 <= number <= 4999, code
    own = [number for number in CLOSE_CODES.values() if number >= 4000]
    assert len(own) == len(set(own))
    assert {row["code"] for row in web_vectors("server", "closing")} == {
        code for code, number in CLOSE_CODES.items() if number >= 4000 or number in {1000, 1001, 1007, 1009}
    } | {"hello_expected", "hello_timeout", "too_many_connections"}


def test_the_table_of_the_protocol_is_that_of_the_code() -> None:
    text = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{4}) \| (.*) \|$", text.split("\n## 16. WebSocket\n")[1], re.MULTILINE)
    documented = {code: int(number) for number, codes in rows for code in re.findall(r"`(\w+)`(?!:)", codes)}
    ending = re.findall(r"^\| `(\w+)` \| closing", text, re.MULTILINE)
    assert documented == {code: CLOSE_CODES[ErrorCode(code)] for code in ending if code != "bad_frame"}
    broken = {int(number) for number, codes in rows if "`bad_frame`:" in codes}
    assert broken == {row["close_code"] for row in web_vectors("client", "closed") if row["code"] == "bad_frame"}
    assert CLOSE_CODES[ErrorCode.BAD_FRAME] in broken


# --- The reader -------------------------------------------------------------------------------------------------------


def test_the_limit_of_strangers_is_lifted_behind_the_hello() -> None:
    """Also for what has come in the same read: a client need not wait for the welcome."""
    hello, long = Hello(1, "ana", "00" * 16), Say(1, "lobby", "x" * (MAX_HELLO_FRAME_BYTES + 1))
    codec = codec_of(member=False)
    codec.receive_data(text(hello) + text(long))
    assert codec.next_command() == hello
    codec.encode(Welcome(1, "securechat/1", 7, "ana", 12))
    codec.hello_accepted()
    assert codec.next_command() == long


def test_the_largest_record_of_a_member() -> None:
    body = b'{"t":"ping","pad":"' + b"x" * (MAX_FRAME_BYTES - 21) + b'"}'
    assert len(body) == MAX_FRAME_BYTES
    assert taken(codec_of(), masked(1, body)) == ([Ping()], b"")
    assert failure_of(codec_of(), masked(1, body + b" ")).code is ErrorCode.FRAME_TOO_LARGE


def test_fragments_are_joined_and_each_costs_a_request() -> None:
    body = b'{"t":"ping","n":7}' + b" " * (MAX_FRAGMENTS - 18)
    frames = [masked(int(not at), body[at : at + 1], final=at == MAX_FRAGMENTS - 1) for at in range(MAX_FRAGMENTS)]
    codec = codec_of()
    for _ in range(2):
        commands, _own = taken(codec, b"".join(frames))
        assert commands == [HANDLED] * (MAX_FRAGMENTS - 1) + [Ping(7)]


def test_a_message_has_no_more_fragments_however_short() -> None:
    codec = codec_of()
    error = failure_of(codec, masked(1, b"", final=False) + masked(0, b"", final=False) * 100_000)
    assert (error.code, error.reason) == (ErrorCode.BAD_FRAME, "message_fragments")
    assert closed_with(codec.close(Closing.of(error)))[1] == 1008


def test_a_call_reads_one_frame() -> None:
    codec = codec_of()
    codec.receive_data(masked(9, b"1") + masked(9, b"2") + text(Ping(3)))
    for word in (b"1", b"2"):
        assert codec.next_command() is HANDLED
        (pong,) = said(codec.data_to_send())
        assert (pong.opcode, pong.data) == (Opcode.PONG, word)
    assert codec.next_command() == Ping(3)


def test_what_comes_behind_a_close_is_ignored() -> None:
    codec = codec_of()
    commands, own = taken(codec, masked(8, struct.pack("!H", 1001)) + text(Quit()) + b"\xff" * 1000)
    assert commands == [HANDLED]
    assert codec.wants_close
    (close,) = said(own)
    assert Close.parse(close.data).code == 1001
    assert taken(codec, text(Quit())) == ([], b"")
    assert codec._messages.buffered_bytes == 0


def test_a_close_is_heard_also_when_a_stranger_has_no_frame_left() -> None:
    codec = codec_of(member=False)
    taken(codec, text(Pong(1)) * STRANGER_FRAMES)
    failure_of(codec, masked(8))
    assert codec.wants_close
    assert said(codec.data_to_send())[0].opcode is Opcode.CLOSE


@pytest.mark.parametrize("cut", [1, 2, 3])
@pytest.mark.parametrize("letter", ["é", "你", "𝄞"])
def test_a_character_may_lie_in_two_fragments_or_reads(letter: str, cut: int) -> None:
    cut = min(cut, len(letter.encode()) - 1)
    body = f'{{"t":"say","cid":1,"room":"lobby","text":"{letter}"}}'.encode()
    at = body.index(letter.encode()) + cut
    commands, _own = taken(codec_of(), masked(1, body[:at], final=False) + masked(0, body[at:]))
    assert commands == [HANDLED, Say(1, "lobby", letter)]
    codec, frame = codec_of(), masked(1, body)
    for piece in (frame[: at + 6], frame[at + 6 :]):
        codec.receive_data(piece)
        command = codec.next_command()
    assert command == Say(1, "lobby", letter)


def test_what_is_no_utf8_is_told_before_the_frame_is_complete() -> None:
    codec = codec_of()
    frame = masked(1, b'{"t":"say","text":"' + b"x" * 500 + b"\xed\xa0\x80" + b"y" * 500 + b'"}')
    for at in range(len(frame)):
        codec.receive_data(frame[at : at + 1])
        try:
            assert codec.next_command() is None
        except RemoteProtocolError as error:
            assert at == 4 + 4 + 19 + 500 + 2  # the header, the mask, and the last byte of the surrogate
            assert closed_with(codec.close(Closing.of(error)))[1] == 1007
            break
    else:
        pytest.fail("a surrogate was taken")


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 9, 10]), st.text(max_size=60), st.integers(1, 5)),
        max_size=6,
    ),
    st.integers(1, 40),
)
def test_any_cut_gives_the_same(messages: list[tuple[int, str, int]], step: int) -> None:
    """Texts in fragments with pings between them, in reads of any size."""
    data, wanted = b"", []
    for opcode, words, pieces in messages:
        if opcode != 1:
            data += masked(opcode, words.encode()[:125])
            continue
        body = json.dumps({"t": "say", "cid": 1, "room": "lobby", "text": words}, ensure_ascii=False).encode()
        wanted.append(Say(1, "lobby", words))
        size = -(-len(body) // pieces)
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        for number, part in enumerate(parts):
            data += masked(int(number == 0), part, final=number == len(parts) - 1) + masked(9, b"between")
    commands, own = taken(codec_of(), data, step)
    assert [each for each in commands if each is not HANDLED] == wanted
    assert (commands, own) == taken(codec_of(), data)


def test_an_idle_connection_is_small() -> None:
    """Measured: 1.4 KiB, of which the library takes 1.1."""
    codec_of()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        codecs = [codec_of() for _ in range(100)]
        for codec in codecs:
            taken(codec, text(Ping(1)))
        assert (tracemalloc.get_traced_memory()[0] - before) / len(codecs) < 2500
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("member", [False, True])
def test_a_client_makes_the_server_keep_one_message_and_one_read(member: bool) -> None:
    most = MAX_FRAME_BYTES if member else MAX_HELLO_FRAME_BYTES
    messages = MessageReader(most)
    held = 0
    half = masked(1, b"x" * (most // 2), final=False) + masked(0, b"x" * (most // 2))
    for at in range(0, len(half) - 1, 1000):
        messages.receive_data(half[at : min(at + 1000, len(half) - 1)])
        while messages.next_frame() is not None:
            pass
        held = max(held, messages.buffered_bytes)
    assert most <= held <= most + 16
    messages.receive_data(half[-1:])
    assert messages.next_frame() == b"x" * most
    assert messages.buffered_bytes == 0


# --- The handshake ----------------------------------------------------------------------------------------------------

GOOD = {
    b"host": b"x",
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
    b"sec-websocket-version": b"13",
    b"sec-websocket-protocol": b"securechat.1",
}


def answer(*more: tuple[bytes, bytes], **changed: bytes | None) -> UpgradeAnswer:
    headers = dict(GOOD)
    for name, value in changed.items():
        key = name.replace("_", "-").encode()
        if value is None:
            del headers[key]
        else:
            headers[key] = value
    return answer_upgrade([*headers.items(), *more])


def test_the_handshake_of_rfc_6455() -> None:
    """Section 1.3 has this key and its answer."""
    status, headers = answer()
    assert status == 101
    assert dict(headers) == {
        b"upgrade": b"websocket",
        b"connection": b"Upgrade",
        b"sec-websocket-accept": b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"sec-websocket-protocol": SUBPROTOCOL.encode(),
    }


def test_a_client_of_the_library_agrees() -> None:
    client = ClientProtocol(parse_uri("wss://localhost/ws"), subprotocols=[Subprotocol(SUBPROTOCOL)])
    request = client.connect()
    status, headers = answer_upgrade(
        [(name.lower().encode(), value.encode()) for name, value in request.headers.raw_items()]
    )
    client.send_request(request)
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    client.receive_data(f"HTTP/1.1 {status} Switching Protocols\r\n".encode() + lines + b"\r\n")
    assert client.state is State.OPEN
    assert client.subprotocol == SUBPROTOCOL


@pytest.mark.parametrize(
    "changed",
    [
        {"connection": b"keep-alive, Upgrade"},
        {"connection": b"keep-alive,UPGRADE"},
        {"upgrade": b"WebSocket"},
        {"upgrade": b"h2c, websocket"},
        {"sec_websocket_protocol": b"chat, securechat.1"},
    ],
)
def test_lists_are_read_and_case_means_nothing(changed: dict[str, bytes]) -> None:
    assert answer(**changed).status == 101


def test_an_offer_may_stand_in_a_second_line_and_extensions_mean_nothing() -> None:
    more = [(b"sec-websocket-protocol", SUBPROTOCOL.encode()), (b"sec-websocket-extensions", b"permessage-deflate")]
    status, headers = answer(*more, sec_websocket_protocol=b"chat")
    assert status == 101
    assert b"sec-websocket-extensions" not in dict(headers)


@pytest.mark.parametrize(
    ("status", "changed"),
    [
        (426, {"upgrade": None}),
        (426, {"upgrade": b"h2c"}),
        (426, {"connection": None}),
        (426, {"connection": b"close"}),
        (426, {"sec_websocket_version": None}),
        (426, {"sec_websocket_version": b"8"}),
        (426, {"sec_websocket_version": b"13, 8"}),
        (400, {"sec_websocket_key": None}),
        (400, {"sec_websocket_key": b""}),
        (400, {"sec_websocket_key": b"dGhlIHNhbXBsZSBub25jZQ"}),
        (400, {"sec_websocket_key": b"dGhlIHNhbXBsZSBub25j"}),
        (400, {"sec_websocket_key": b"\xff" * 24}),
        (400, {"sec_websocket_key": b"dGhlIHNhbXBsZSBu b25jZQ=="}),
        (400, {"sec_websocket_protocol": None}),
        (400, {"sec_websocket_protocol": b"Securechat.1"}),
        (400, {"sec_websocket_protocol": b"securechat.2"}),
    ],
)
def test_a_request_that_is_not_for_us(status: int, changed: dict[str, bytes | None]) -> None:
    found, headers = answer(**changed)
    assert found == status
    assert dict(headers).get(b"sec-websocket-version") == (b"13" if status == 426 else None)
    assert b"sec-websocket-accept" not in dict(headers)


@pytest.mark.parametrize("twice", [b"sec-websocket-key", b"sec-websocket-version"])
def test_what_stands_once_stands_once(twice: bytes) -> None:
    assert answer((twice, GOOD[twice])).status in {400, 426}


def test_pages_are_those_of_the_protocol() -> None:
    assert WEB.page_limits is PAGE_LIMITS
