"""What the golden vectors cannot say about the native codec and the choice of codecs."""

from __future__ import annotations

import time

import msgspec
import pytest

from securechat.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from securechat.limits import KIB, MAX_FRAME_BYTES, MAX_HELLO_FRAME_BYTES, PageLimits
from securechat.model import Closing, Hello, Message, Ping, Refused, Say
from securechat.text.refusals import protocol_error, refusal_for
from securechat.wire.codec import STRANGER_FRAMES, FrameRefused
from securechat.wire.frames import HEADER_BYTES, FrameReader, frame
from securechat.wire.native import NATIVE, NativeClientCodec, NativeFormat, NativeServerCodec


def test_the_hello_limit_is_lifted_once() -> None:
    body = b'{"t":"ping","pad":"' + b"x" * MAX_HELLO_FRAME_BYTES + b'"}'
    codec = NativeServerCodec()
    codec.hello_accepted()
    codec.receive_data(frame(body))
    assert codec.next_command() == Ping()
    stranger = NativeServerCodec()
    stranger.receive_data(frame(body))
    with pytest.raises(RemoteProtocolError, match="At most 4096"):
        stranger.next_command()


def test_our_own_frame_too_large_is_our_bug() -> None:
    huge = Message(1, 0, 1, "ana", 0, "x" * MAX_FRAME_BYTES, room="lobby")
    with pytest.raises(LocalProtocolError):
        NATIVE.encode(huge)
    with pytest.raises(LocalProtocolError):
        NativeClientCodec.encode(Say(1, "lobby", "x" * MAX_FRAME_BYTES))
    with pytest.raises(LocalProtocolError):
        frame(b"")


def test_the_longest_text_fits_into_a_frame() -> None:
    """4,000 code points of the costliest kind in JSON: six bytes each, and names and rooms at their longest."""
    message = Message(
        2**53 - 1,
        2**53 - 2,
        2**53 - 1,
        "\U0001f600" * 32,
        2**53,
        "\x01" * 4000,
        to=2**53 - 1,
        to_name="\U0001f600" * 32,
    )
    assert len(NATIVE.encode(message)) < MAX_FRAME_BYTES


def test_the_reader_holds_at_most_a_frame_and_a_read() -> None:
    reader = FrameReader(1000)
    reader.receive_data((1000).to_bytes(4, "big"))
    for _ in range(1000):
        assert reader.next_frame() is None
        reader.receive_data(b"x")
    assert reader.buffered_bytes == 1004
    assert reader.next_frame() == b"x" * 1000
    assert reader.buffered_bytes == 0


def test_the_reader_forgets_everything_behind_a_bad_header() -> None:
    reader = FrameReader(1000)
    reader.receive_data(frame(b"ok") + b"\xff\xff\xff\xff" + b"y" * 900)
    assert reader.next_frame() == b"ok"
    with pytest.raises(RemoteProtocolError) as caught:
        reader.next_frame()
    assert caught.value.code is ErrorCode.FRAME_TOO_LARGE
    reader.receive_data(b"z" * 900)
    assert reader.buffered_bytes == 0


@pytest.mark.parametrize("body", [b"[", b"[1,}", b"[1", b'{"t":"ping","n":"x"', b'{"t":5,]', b'{"t":"say","cid":"x",}'])
def test_what_is_no_json_ends_the_connection_whatever_else_is_wrong(body: bytes) -> None:
    """The decoder stops at the first wrong type: the bytes behind it may be no JSON all the same."""
    codec = NativeServerCodec()
    codec.receive_data(frame(body))
    with pytest.raises(RemoteProtocolError) as caught:
        codec.next_command()
    assert caught.value.code is ErrorCode.BAD_FRAME


class OlderRefused(msgspec.Struct, tag_field="t", tag="refused", rename={"client_id": "cid", "retry_after_s": "retry"}):
    """The fields of `Refused` before reason and arguments."""

    code: str
    text: str
    ref: int | None = None
    client_id: int | None = None
    room: str | None = None
    retry_after_s: float | None = None


class OlderClosing(
    msgspec.Struct, tag_field="t", tag="closing", rename={"resume_after": "resume", "retry_after_s": "retry"}
):
    """The fields of `Closing` before reason and arguments."""

    code: str
    text: str
    resume_after: int | None = None
    retry_after_s: float | None = None


DEEP = 1900
"""Far beyond what is decoded, within a hello's frame."""


@pytest.mark.parametrize("after_hello", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * (DEEP // 3),
        b'{"t":"say","cid":1,"room":"lobby","text":"x","z":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"t":"say","z":' + b"[" * DEEP,
        b'{"t":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'"\\ud800' + b"[" * DEEP,
    ],
    ids=["open", "closed", "objects", "unknown field", "cut", "type", "half a character"],
)
def test_what_is_nested_too_deep_is_no_json_to_either_side_at_any_time(body: bytes, after_hello: bool) -> None:
    assert len(body) <= MAX_HELLO_FRAME_BYTES
    server = NativeServerCodec()
    if after_hello:
        server.hello_accepted()
    server.receive_data(frame(body))
    with pytest.raises(RemoteProtocolError) as told:
        server.next_command()
    assert (told.value.code, told.value.reason) == (ErrorCode.BAD_FRAME, "frame_not_json")
    client = NativeClientCodec()
    client.receive_data(frame(body))
    with pytest.raises(RemoteProtocolError) as heard:
        client.next_event()
    assert heard.value.code is ErrorCode.BAD_FRAME


LARGE_NUMBERS = b",".join([b"1e308"] * 2_600)


@pytest.mark.parametrize(
    "body",
    [
        b'{"t":"say","cid":[' + LARGE_NUMBERS + b"]}",
        b'{"t":"of later","ref":[' + LARGE_NUMBERS + b"]}",
        b"[" + LARGE_NUMBERS + b"]",
        b'{"t":"say","cid":1,"room":"lobby","text":"\\ud800","z":[' + LARGE_NUMBERS + b"]}",
    ],
    ids=["type", "unknown", "no record", "half a character"],
)
def test_large_numbers_are_not_computed(body: bytes) -> None:
    assert len(body) <= MAX_FRAME_BYTES

    def cost_ms() -> float:
        server = NativeServerCodec()
        server.hello_accepted()
        server.receive_data(frame(body))
        began = time.thread_time()
        with pytest.raises(FrameRefused):
            server.next_command()
        return (time.thread_time() - began) * 1000

    assert min(cost_ms() for _ in range(5)) < 10  # 40 where msgspec reads them


@pytest.mark.parametrize("number", [b"1.5", b"1e2", b"1e400", b"-0.0"])
def test_a_number_with_a_fraction_is_no_type_and_no_reference(number: bytes) -> None:
    server = NativeServerCodec()
    server.receive_data(frame(b'{"t":' + number + b"}"))
    with pytest.raises(FrameRefused) as untyped:
        server.next_command()
    assert untyped.value.reason == "record_type_missing"
    server.receive_data(frame(b'{"t":"of later","ref":' + number + b',"cid":' + number + b"}"))
    with pytest.raises(FrameRefused) as unknown:
        server.next_command()
    assert (unknown.value.reason, unknown.value.ref, unknown.value.client_id) == (
        "record_type_unknown",
        None,
        None,
    )


@pytest.mark.parametrize("after_hello", [False, True])
@pytest.mark.parametrize("field", [b'"t":"say","cid":"x"', b'"t":"of later"'])
def test_nesting_behind_a_field_that_is_refused_is_refused_with_it_at_any_time(field: bytes, after_hello: bool) -> None:
    server = NativeServerCodec()
    if after_hello:
        server.hello_accepted()
    server.receive_data(
        frame(b"{" + field + b',"z":' + b"[" * DEEP + b"]" * DEEP + b"}") + frame(b'{"t":"ping","n":7}')
    )
    with pytest.raises(FrameRefused) as told:
        server.next_command()
    assert told.value.reason == "field_invalid"
    assert server.next_command() == Ping(7)


def test_an_older_client_reads_the_text_of_a_refusal_with_a_reason() -> None:
    refusal = refusal_for("too_many_reactions", most=20)
    read = msgspec.json.decode(NATIVE.encode(Refused.of(refusal, client_id=3))[HEADER_BYTES:], type=OlderRefused)
    assert read == OlderRefused("too_many", "A message cannot have more than 20 reactions", client_id=3)


def test_an_older_client_reads_the_last_words_with_a_reason() -> None:
    closing = Closing.of(protocol_error("frame_too_large", size=9000, most=4096))
    read = msgspec.json.decode(NATIVE.encode(closing)[HEADER_BYTES:], type=OlderClosing)
    text = "A frame of 9000 bytes is too large. At most 4096 bytes are allowed here"
    assert read == OlderClosing("frame_too_large", text)


def test_an_event_that_is_too_long_loses_its_arguments_before_its_text() -> None:
    small = NativeFormat(PageLimits.of_frames(4 * KIB))
    event = Closing(ErrorCode.KICKED, "\x01" * 500, reason="kicked", arguments={"why": "\x01" * 500})
    assert msgspec.json.decode(small.encode(event)[HEADER_BYTES:]) == {
        "t": "closing",
        "code": "kicked",
        "text": event.text,
    }


@pytest.mark.parametrize(
    "body", [b'{"t":"say","cid":7,"text":"\\ud83d"}', b'{"t":"say","cid":7,"text":"\\udc00x and more"}']
)
def test_half_a_character_costs_its_record_only(body: bytes) -> None:
    """JavaScript makes it of an emoji that is cut; at the very end of the body msgspec calls it truncated."""
    codec = NativeServerCodec()
    codec.hello_accepted()
    codec.receive_data(frame(body) + NativeClientCodec.encode(Ping(3)))
    with pytest.raises(FrameRefused) as caught:
        codec.next_command()
    assert (caught.value.code, caught.value.client_id) == (ErrorCode.INVALID, 7)
    assert codec.next_command() == Ping(3)


@pytest.mark.parametrize("body", [b'{"t":"ping","x":"\\ud83d","n":NaN}', b'{"t":"ping","x":"\\ud83d"'])
def test_half_a_character_in_nonsense_is_nonsense(body: bytes) -> None:
    codec = NativeServerCodec()
    codec.hello_accepted()
    codec.receive_data(frame(body))
    with pytest.raises(RemoteProtocolError):
        codec.next_command()


def test_a_stranger_may_try_sixteen_hellos() -> None:
    """Whatever they are refused for: the hub counts none of them, and each costs it work."""
    codec = NativeServerCodec()
    hello = NativeClientCodec.encode(Hello(1, "ana", "a" * 32))
    for _ in range(STRANGER_FRAMES):
        codec.receive_data(hello)
        assert isinstance(codec.next_command(), Hello)
        codec.hello_refused()
    codec.receive_data(hello)
    with pytest.raises(RemoteProtocolError) as caught:
        codec.next_command()
    assert caught.value.code is ErrorCode.HELLO_EXPECTED
