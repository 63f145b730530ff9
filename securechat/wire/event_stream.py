"""Event streams for programs: Server-Sent Events (WHATWG HTML, section 9.2) and JSON lines.

Both have the same events. A message or a change carries its place in the log as the id from which a program resumes:
``SEQ@LOG``, where LOG tells the log, because a seq means another message in another one. What programs have no use for
(presence, typing, answers) is nothing here, so that a broadcast of it costs a stream no byte.

| event | data |
|---|---|
| ``start`` | ``after``: the stream begins behind this seq |
| ``reset`` | ``reason``, and ``after``, behind which the stream goes on: what the cursor promised cannot be kept |
| ``message``, ``edited``, ``deleted``, ``reacted`` | the records of securechat/1 |
| ``purged`` | the record: messages are gone for good |
| ``left`` | the record: the member is no longer in a room |
| ``alive`` | a sign of life; a comment in Server-Sent Events |
| ``closing`` | the record, with code and sentence: the last event |
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from securechat.limits import PAGE_LIMITS, PageLimits
from securechat.model import Closing, Deleted, Edited, Event, Left, Message, Purged, Reacted

_ENTRIES: Final[dict[type, bytes]] = {
    Message: b"message",
    Edited: b"edited",
    Deleted: b"deleted",
    Reacted: b"reacted",
}
_OTHERS: Final[dict[type, bytes]] = {Purged: b"purged", Left: b"left", Closing: b"closing"}
_CURSOR = re.compile(r"(0|[1-9][0-9]{0,15})(?:@([0-9a-f]{1,32}))?\Z")
_MOST_SEQ = 2**53 - 1
_encode = msgspec.json.Encoder().encode


class ResetReason(StrEnum):
    """Why a stream cannot begin behind its cursor, or goes on with less than it promised."""

    OTHER_LOG = "other_log"
    AHEAD = "ahead"
    RETENTION = "retention"


class EventCursor(Struct, frozen=True):
    """The place behind which a stream begins.

    Attributes:
        seq: everything up to here was handled.
        log_id: of the log that it is of; empty where the program does not say.
    """

    seq: int
    log_id: str = ""


def cursor_of(text: str) -> EventCursor | None:
    """Parse the id of an event, or a seq alone; None for what is neither."""
    found = _CURSOR.match(text)
    if found is None or int(found[1]) > _MOST_SEQ:
        return None
    return EventCursor(int(found[1]), found[2] or "")


class EventStreamFormat(ABC):
    """The form of the events of one log, for every stream of this kind.

    Args:
        log_id: of the log.
    """

    name: str
    content_type: str
    page_limits: PageLimits = PAGE_LIMITS
    shares = True
    bodies = None

    def __init__(self, log_id: str) -> None:
        self._log = f"@{log_id}".encode()

    def framed(self, body: bytes) -> bytes:
        """Never called: there are no bodies."""
        return body

    def encode(self, event: Event) -> bytes:
        """Return an event, or nothing where programs are not told of it."""
        kind = type(event)
        if (word := _ENTRIES.get(kind)) is not None:
            return self._event(word, _encode(event), b"%d%b" % (event.seq, self._log))  # type: ignore[union-attr]
        if (word := _OTHERS.get(kind)) is not None:
            return self._event(word, _encode(event))
        return b""

    def start(self, after: int) -> bytes:
        """Return the first event of a stream that begins behind a seq."""
        return self._event(b"start", _encode({"after": after}), b"%d%b" % (after, self._log))

    def reset(self, after: int, reason: ResetReason) -> bytes:
        """Return the event of a cursor that cannot be kept; the stream goes on behind ``after``."""
        data = _encode({"reason": reason.value, "after": after})
        return self._event(b"reset", data, b"%d%b" % (after, self._log))

    @abstractmethod
    def alive(self) -> bytes:
        """Return a sign of life."""

    @abstractmethod
    def _event(self, kind: bytes, data: bytes, number: bytes = b"") -> bytes:
        """Return one event, its data JSON on one line; ``number`` is its id, where it has one."""


class ServerSentEvents(EventStreamFormat):
    """``text/event-stream``."""

    name = "text/event-stream"
    content_type = "text/event-stream"

    def alive(self) -> bytes:
        """Return a comment, which no reader of events is told of."""
        return b": alive\n\n"

    def _event(self, kind: bytes, data: bytes, number: bytes = b"") -> bytes:
        if number:
            return b"id: %b\nevent: %b\ndata: %b\n\n" % (number, kind, data)
        return b"event: %b\ndata: %b\n\n" % (kind, data)


class JsonLines(EventStreamFormat):
    """``application/x-ndjson``: an object a line."""

    name = "application/x-ndjson"
    content_type = "application/x-ndjson"

    def alive(self) -> bytes:
        """Return an event without data: an empty line would not be JSON, and most readers parse every line."""
        return b'{"event":"alive"}\n'

    def _event(self, kind: bytes, data: bytes, number: bytes = b"") -> bytes:
        if number:
            return b'{"event":"%b","id":"%b","data":%b}\n' % (kind, number, data)
        return b'{"event":"%b","data":%b}\n' % (kind, data)


class HeldFormat:
    """The format of a stream that still reads history: it shares no bytes, so each event is told to it alone."""

    name = "held"
    page_limits = PAGE_LIMITS
    shares = False
    bodies = None

    def framed(self, body: bytes) -> bytes:
        """Never called: there are no bodies."""
        return body

    def encode(self, event: Event) -> bytes:  # noqa: ARG002  (the format's signature)
        """Return nothing: the stream encodes what it shows in its own format."""
        return b""


HELD: Final = HeldFormat()
