"""The golden vectors in both directions: what version 1 of the protocol means, whatever the code becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from securechat.errors import ErrorCode, RemoteProtocolError
from securechat.model import Command, Event, Message, Ping, Pong
from securechat.wire.codec import FrameRefused
from securechat.wire.native import NATIVE, NativeClientCodec, NativeServerCodec
from tests.support.golden import all_vectors, build, vectors

PING = NativeClientCodec.encode(Ping(77))


def named(rows: list[dict[str, Any]]) -> Any:
    assert rows
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


def server_codec(row: dict[str, Any]) -> NativeServerCodec:
    codec = NativeServerCodec()
    if row.get("after_hello", True):
        codec.hello_accepted()
    return codec


@named([row for row in all_vectors() if row["kind"] == "record"])
def test_frame_is_header_and_json(row: dict[str, Any]) -> None:
    body = row["json"].encode()
    assert row["bytes"] == len(body).to_bytes(4, "big") + body
    json.loads(body)


@named(vectors("command", "record"))
def test_command_both_directions(row: dict[str, Any]) -> None:
    command = build(row["record"])
    assert NativeClientCodec.encode(command) == row["bytes"]
    codec = server_codec(row)
    codec.receive_data(row["bytes"])
    assert codec.next_command() == command
    assert codec.next_command() is None


@named(vectors("event", "record"))
def test_event_both_directions(row: dict[str, Any]) -> None:
    event = build(row["record"])
    assert NATIVE.encode(event) == row["bytes"]
    codec = NativeClientCodec()
    codec.receive_data(row["bytes"])
    assert codec.next_event() == event
    assert codec.next_event() is None


@named(vectors("command", "accepted"))
def test_command_written_otherwise(row: dict[str, Any]) -> None:
    codec = server_codec(row)
    codec.receive_data(row["bytes"])
    assert codec.next_command() == build(row["record"])


@named(vectors("event", "accepted"))
def test_event_written_otherwise(row: dict[str, Any]) -> None:
    codec = NativeClientCodec()
    codec.receive_data(row["bytes"])
    assert codec.next_event() == build(row["record"])


@named(vectors("event", "skipped"))
def test_event_from_the_future_is_skipped(row: dict[str, Any]) -> None:
    codec = NativeClientCodec()
    codec.receive_data(row["bytes"] + NATIVE.encode(Pong(3)))
    assert codec.next_event() == Pong(3)


@named(vectors("command", "refused"))
def test_refused_frame_is_skipped_and_names_its_request(row: dict[str, Any]) -> None:
    codec = server_codec(row)
    codec.receive_data(row["bytes"] + PING)
    with pytest.raises(FrameRefused) as caught:
        codec.next_command()
    refused = caught.value
    assert (refused.code, refused.ref, refused.client_id) == (ErrorCode(row["code"]), row["ref"], row["cid"])
    assert refused.detail.isprintable()
    assert "nope" not in refused.detail
    assert codec.next_command() == Ping(77)


@named(vectors("command", "closed"))
def test_nonsense_ends_the_connection(row: dict[str, Any]) -> None:
    codec = server_codec(row)
    codec.receive_data(row["bytes"])
    with pytest.raises(RemoteProtocolError) as caught:
        codec.next_command()
    assert caught.value.code is ErrorCode(row["code"])


@named([row for row in vectors("command", "closed") if row["bytes"][:4] == row["bytes"]])
def test_a_bad_header_is_judged_before_its_body_and_for_ever(row: dict[str, Any]) -> None:
    codec = server_codec(row)
    for index in range(3):
        codec.receive_data(row["bytes"][index : index + 1])
        assert codec.next_command() is None
    codec.receive_data(row["bytes"][3:])
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            codec.next_command()
        codec.receive_data(PING)


@named(vectors("event", "closed"))
def test_nonsense_from_a_server(row: dict[str, Any]) -> None:
    codec = NativeClientCodec()
    codec.receive_data(row["bytes"])
    with pytest.raises(RemoteProtocolError) as caught:
        codec.next_event()
    assert caught.value.code is ErrorCode(row["code"])


@pytest.mark.parametrize("side", ["command", "event"])
def test_any_segmentation_reads_the_same(side: str) -> None:
    rows = vectors(side, "record")
    stream = b"".join(row["bytes"] for row in rows)
    expected = [build(row["record"]) for row in rows]
    for size in (1, 2, 3, 7, 1000, len(stream)):
        got: list[object] = []
        if side == "command":
            server = server_codec({})
            for start in range(0, len(stream), size):
                server.receive_data(stream[start : start + size])
                while (command := server.next_command()) is not None:
                    got.append(command)
        else:
            client = NativeClientCodec()
            for start in range(0, len(stream), size):
                client.receive_data(stream[start : start + size])
                while (event := client.next_event()) is not None:
                    got.append(event)
        assert got == expected


def test_every_record_type_has_a_vector() -> None:
    for side, union in (("command", Command), ("event", Event)):
        missing = {kind.__name__ for kind in union.__args__} - {
            row["record"]["type"] for row in vectors(side, "record")
        }
        assert not missing, f"add a golden vector for {missing}"


def test_every_field_has_a_vector() -> None:
    """A field that no vector sets could change its wire name without a test noticing."""
    used: dict[str, set[str]] = {}

    def note(value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                note(each)
        elif isinstance(value, dict) and "type" in value:
            used.setdefault(value["type"], set()).update(value["fields"])
            for each in value["fields"].values():
                note(each)

    for row in all_vectors():
        if row["kind"] == "record":
            note(row["record"])
    for union in (Command, Event):
        for kind in union.__args__:
            assert used[kind.__name__] == set(kind.__struct_fields__)


def test_a_message_of_64_bytes_takes_at_most_180_on_the_wire() -> None:
    message = Message(
        seq=1_234_567,
        prev=1_234_566,
        sender_id=1234,
        name="eightchr",
        sent_at_ms=1_735_689_600_000,
        text="x" * 64,
        room="lobby",
    )
    assert len(NATIVE.encode(message)) <= 180
