"""Framing: however the stream is cut, the same frames come out, and never more memory than a frame is held."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from securechat.errors import RemoteProtocolError
from securechat.limits import MAX_FRAME_BYTES
from securechat.model import Command, Event
from securechat.wire.codec import FrameRefused
from securechat.wire.frames import HEADER_BYTES, FrameReader, frame
from securechat.wire.native import NATIVE, NativeClientCodec, NativeServerCodec
from tests.support.records import COMMANDS, EVENTS

MAX_BYTES = 300
BODIES = st.lists(st.binary(min_size=1, max_size=MAX_BYTES), max_size=8)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


CUTS = st.lists(st.integers(0, 3000), max_size=30)


@given(BODIES, CUTS)
def test_any_split_gives_the_same_frames(bodies: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader(MAX_BYTES)
    got: list[bytes] = []
    for piece in pieces(b"".join(map(frame, bodies)), cuts):
        reader.receive_data(piece)
        while (body := reader.next_frame()) is not None:
            got.append(bytes(body))
    assert got == bodies
    assert reader.buffered_bytes == 0


@given(st.binary(max_size=2000), CUTS)
def test_any_garbage_any_split_is_judged_the_same(data: bytes, cuts: list[int]) -> None:
    def judge(parts: list[bytes]) -> tuple[list[bytes], str]:
        reader = FrameReader(MAX_BYTES)
        got: list[bytes] = []
        try:
            for part in parts:
                reader.receive_data(part)
                while (body := reader.next_frame()) is not None:
                    got.append(bytes(body))
        except RemoteProtocolError as error:
            return got, str(error)
        return got, ""

    assert judge(pieces(data, cuts)) == judge([data])


@given(st.binary(max_size=3000), CUTS)
def test_what_is_held_is_bounded(data: bytes, cuts: list[int]) -> None:
    reader = FrameReader(MAX_BYTES)
    for piece in pieces(data, cuts):
        reader.receive_data(piece)
        try:
            while reader.next_frame() is not None:
                pass
        except RemoteProtocolError:
            assert reader.buffered_bytes == 0
            return
        assert reader.buffered_bytes < HEADER_BYTES + MAX_BYTES


@given(st.lists(COMMANDS, max_size=5), CUTS)
def test_commands_survive_the_wire(commands: list[Command], cuts: list[int]) -> None:
    codec = NativeServerCodec()
    codec.hello_accepted()
    got: list[Command] = []
    for piece in pieces(b"".join(map(NativeClientCodec.encode, commands)), cuts):
        codec.receive_data(piece)
        while (command := codec.next_command()) is not None:
            got.append(command)
    assert got == commands


@given(st.lists(EVENTS, max_size=5), CUTS)
def test_events_survive_the_wire(events: list[Event], cuts: list[int]) -> None:
    codec = NativeClientCodec()
    got: list[Event] = []
    for piece in pieces(b"".join(map(NATIVE.encode, events)), cuts):
        codec.receive_data(piece)
        while (event := codec.next_event()) is not None:
            got.append(event)
    assert got == events


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["t", "ref", "cid", "n", "room", "x"]), inner),
    max_leaves=20,
)
TYPES = st.sampled_from([kind.__struct_config__.tag for kind in Command.__args__ + Event.__args__] + ["later"])


@given(JSON, TYPES)
def test_any_json_is_a_record_or_a_refusal(value: Any, tag: str) -> None:
    if isinstance(value, dict):
        value.setdefault("t", tag)
    codec = NativeServerCodec()
    codec.hello_accepted()
    codec.receive_data(frame(msgspec.json.encode(value)[:MAX_FRAME_BYTES]))
    try:
        command = codec.next_command()
    except FrameRefused as refused:
        assert refused.detail.isprintable()
    else:
        assert isinstance(command, Command)
