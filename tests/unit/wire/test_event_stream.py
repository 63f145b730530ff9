"""The events of streams as bytes, and the cursors that programs send back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    Closing,
    Deleted,
    Edited,
    Event,
    Joined,
    Left,
    Message,
    Ping,
    Presence,
    Purged,
    Reacted,
)
from securechat.wire.event_stream import (
    HELD,
    EventCursor,
    EventStreamFormat,
    JsonLines,
    ResetReason,
    ServerSentEvents,
    cursor_of,
)

HOSTILE = "one\ntwo\r\nid: 9\n\ndata: {}\u2028\x00"
MESSAGE = Message(7, 6, 1, "ana", 1_000, HOSTILE, "ops")
TOLD: dict[str, Event] = {
    "message": MESSAGE,
    "edited": Edited(8, 7, 1, "ana", 1_000, "ops", text="x"),
    "deleted": Deleted(9, 7, 1, "ana", 1_000, "ops"),
    "reacted": Reacted(10, 7, 1, "ana", 1_000, "ops", sign="+"),
    "purged": Purged(5, room="ops"),
    "left": Left("ops", 0, ErrorCode.KICKED, "You were kicked"),
    "closing": Closing(ErrorCode.SHUTTING_DOWN, "Bye", retry_after_s=1.0),
}
FORMATS = [ServerSentEvents("fe"), JsonLines("fe")]


def parsed(fmt: EventStreamFormat, data: bytes) -> dict[str, Any]:
    """Read one event, as the specifications of both have it."""
    if isinstance(fmt, JsonLines):
        (line,) = data.splitlines()
        return dict(json.loads(line))
    assert data.endswith(b"\n\n")
    fields = dict(line.split(": ", 1) for line in data[:-2].decode().split("\n"))
    return {**fields, "data": json.loads(fields["data"])}


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("word", TOLD)
def test_an_event_is_one_event_whatever_its_text_is(fmt: EventStreamFormat, word: str) -> None:
    event = TOLD[word]
    found = parsed(fmt, fmt.encode(event))
    assert found["event"] == word
    if word in ("purged", "left", "closing"):
        assert "id" not in found, "a resume begins behind an entry of the log"
    else:
        assert found["id"] == f"{event.seq}@fe"  # type: ignore[union-attr]
        assert cursor_of(found["id"]) == EventCursor(event.seq, "fe")  # type: ignore[union-attr]
    assert found["data"]["t"] in (word, "msg")


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_text_comes_as_it_is(fmt: EventStreamFormat) -> None:
    assert parsed(fmt, fmt.encode(MESSAGE))["data"]["text"] == HOSTILE


@pytest.mark.parametrize("fmt", [*FORMATS, HELD])
@pytest.mark.parametrize("event", [Acked(1, 1), Presence("ops", 3), Joined("ops", 7, 3), Ping()])
def test_what_programs_have_no_use_for_costs_no_byte(fmt: EventStreamFormat, event: Event) -> None:
    assert fmt.encode(event) == b""


@pytest.mark.parametrize("fmt", FORMATS)
def test_where_a_stream_begins_is_an_id_too(fmt: EventStreamFormat) -> None:
    start = parsed(fmt, fmt.start(4))
    assert (start["event"], start["id"], start["data"]) == ("start", "4@fe", {"after": 4})
    reset = parsed(fmt, fmt.reset(4, ResetReason.AHEAD))
    assert (reset["event"], reset["id"], reset["data"]) == ("reset", "4@fe", {"reason": "ahead", "after": 4})


def test_signs_of_life_are_no_messages() -> None:
    assert ServerSentEvents("fe").alive() == b": alive\n\n"
    assert json.loads(JsonLines("fe").alive()) == {"event": "alive"}


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        ("0", EventCursor(0)),
        ("4711", EventCursor(4711)),
        ("4711@0123456789ab", EventCursor(4711, "0123456789ab")),
        (str(2**53 - 1), EventCursor(2**53 - 1)),
    ],
)
def test_cursors(text: str, cursor: EventCursor) -> None:
    assert cursor_of(text) == cursor


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "1.0", "01", "1@", "1@XY", "1@fe@fe", " 1", "1\n", "9" * 17, str(2**53), "1@" + "f" * 33, "١"],
)
def test_no_cursors(text: str) -> None:
    assert cursor_of(text) is None
