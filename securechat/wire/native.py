"""The native protocol ``securechat/1``: one JSON record a frame, the records of `securechat.model` as they are.

msgspec decodes and validates in one step (measured: 0.5 to 1 µs a record, the standard library 2.5 µs without
validation). The server skips unknown fields and refuses unknown types; the client skips both, so that either side may
be newer than the other. Nothing a peer sent is ever echoed in an error.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import ErrorCode, LocalProtocolError
from securechat.limits import MAX_FRAME_BYTES, MAX_HELLO_FRAME_BYTES, PAGE_LIMITS, PageLimits
from securechat.model import ALPN, Closing, Command, Event, Hello, Left, Notice, Ping, Pong, Quit, Refused
from securechat.text.refusals import protocol_error, refusal_for
from securechat.wire.codec import HANDLED, STRANGER_FRAMES, BodyReader, FrameRefused, Handled, ServerCodec, WireFormat
from securechat.wire.frames import HEADER_BYTES, FrameReader, frame


class _Envelope(Struct, gc=False):
    """The fields that can be read of a record whose type is not known; nothing here is validated yet."""

    t: Any
    ref: Any = None
    cid: Any = None


_encoder = msgspec.json.Encoder()
_envelopes = msgspec.json.Decoder(_Envelope, float_hook=bool)
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=bool)
"""No field of these is a float, so a float becomes a value that no field may have. msgspec takes 16 µs to read one such
as 1e308, so that a frame of them would delay every member by 40 ms, and none where a hook gets its text.
"""
_NONSENSE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The errors of msgspec for bytes that are no JSON, no UTF-8, or nested too deep."""
_SAFE_REASONS = ("Expected ", "Object missing ", "Number ", "Integer ")
"""The beginnings of those sentences of msgspec that hold no value of the peer; "Invalid value" and others quote it."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_MAX_ID = 2**53 - 1
_ELLIPSIS = "\u2026"
_Sentence: TypeAlias = Refused | Closing | Left | Notice
_COMMAND_TYPES = frozenset(kind.__struct_config__.tag for kind in Command.__args__)
_EVENT_TYPES = frozenset(kind.__struct_config__.tag for kind in Event.__args__)


@cache
def _commands() -> msgspec.json.Decoder[Command]:
    """The decoder, made for the first record: that takes 5 ms, and a program speaks one side only."""
    return msgspec.json.Decoder(Command)


@cache
def _events() -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(Event)


class JsonBodies:
    """The JSON of events, which frames of several formats carry.

    Args:
        frame_bytes: the largest body that is sent to a client.
    """

    def __init__(self, frame_bytes: int) -> None:
        self.frame_bytes = frame_bytes

    def encode(self, event: Event) -> bytes:
        """Return the event as JSON.

        Raises:
            LocalProtocolError: the event does not fit into a frame.
        """
        body = _encoder.encode(event)
        if len(body) > self.frame_bytes:
            if isinstance(event, Refused | Closing | Left | Notice):
                body = self._shortened(event)
            if len(body) > self.frame_bytes:
                raise LocalProtocolError(f"a frame body of {len(body)} bytes; allowed are 1 to {self.frame_bytes}")
        return body

    def _shortened(self, event: _Sentence) -> bytes:
        """Return an event that is too long without its reason and arguments, and with as much of its text as fits.

        The code and the numbers are what programs go by; a client that finds no reason shows the text.
        """
        event = replace(event, reason="", arguments={})
        excess_bytes = len(body := _encoder.encode(event)) - self.frame_bytes
        return body if excess_bytes <= 0 else _encoder.encode(_with_shorter_text(event, excess_bytes))


@cache
def json_bodies(frame_bytes: int) -> JsonBodies:
    """Return the one encoder of bodies of this size."""
    return JsonBodies(frame_bytes)


def _with_shorter_text(event: _Sentence, excess_bytes: int) -> _Sentence:
    """Cut the text of an event, so that it takes as many bytes less."""
    kept_bytes = len(_encoder.encode(event.text)) - excess_bytes - len(_ELLIPSIS.encode())
    low, high = 0, len(event.text)
    while low < high:  # how many characters fit: each takes one to six bytes
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(_encoder.encode(event.text[:middle])) <= kept_bytes else (low, middle - 1)
    return replace(event, text=event.text[:low] + _ELLIPSIS)


class JsonFormat:
    """What the formats have in common whose frames carry the JSON of events.

    Args:
        page_limits: how long pages are, and the largest body that is sent to a client.
    """

    shares = True

    def __init__(self, page_limits: PageLimits = PAGE_LIMITS) -> None:
        self.page_limits = page_limits
        self.bodies = json_bodies(page_limits.frame_bytes)


class NativeFormat(JsonFormat):
    """The form of events on a native connection: ``docs/protocol.md``."""

    name = ALPN

    def framed(self, body: bytes) -> bytes:
        """Return the body behind its length."""
        return len(body).to_bytes(HEADER_BYTES, "big") + body

    def encode(self, event: Event) -> bytes:
        """Return the event as one frame.

        Raises:
            LocalProtocolError: the event does not fit into a frame.
        """
        body = self.bodies.encode(event)
        return len(body).to_bytes(HEADER_BYTES, "big") + body


NATIVE = NativeFormat()


class JsonServerCodec(ServerCodec):
    """The server's side of a connection whose frames hold the JSON of records: bytes to commands.

    A stranger says Hello, Ping, Pong or Quit (``docs/protocol.md``, section 4), in frames of at most
    MAX_HELLO_FRAME_BYTES.

    Args:
        fmt: the format of its events; one for all connections that are told the same.
        reader: of its frames, with the limit for strangers.
    """

    __slots__ = ("_reader", "_strange_frames_left", "format")

    def __init__(self, fmt: WireFormat, reader: BodyReader) -> None:
        self.format = fmt
        self._reader = reader
        self._strange_frames_left: int | None = STRANGER_FRAMES  # None from the accepted hello on

    def hello_accepted(self) -> None:
        """Lift the frame limit from MAX_HELLO_FRAME_BYTES to MAX_FRAME_BYTES, and take every command."""
        self._reader.max_bytes = MAX_FRAME_BYTES
        self._strange_frames_left = None

    def hello_refused(self) -> None:
        """Count a refused hello like any other frame of a stranger; the next may follow, up to STRANGER_FRAMES."""
        if self._strange_frames_left is not None:
            self._strange_frames_left -= 1

    def receive_data(self, data: bytes) -> None:
        """Take decrypted bytes."""
        self._reader.receive_data(data)

    def next_command(self) -> Command | Handled | None:
        """Return the next command, `HANDLED` for a frame that holds none, None when more data is needed.

        Raises:
            FrameRefused: UNKNOWN_TYPE or INVALID; the next call goes on behind that frame.
            RemoteProtocolError: FRAME_TOO_LARGE, BAD_FRAME or HELLO_EXPECTED; nothing can follow.
        """
        body = self._reader.next_frame()
        if body is None:
            return None
        if body is HANDLED:
            self._count_strange_frame()
            return body
        try:
            try:
                command = _commands().decode(body)
            except msgspec.ValidationError as error:
                refusal = _refusal(body, _COMMAND_TYPES, str(error))
                self._count_strange_frame()
                raise refusal from None
        except _NONSENSE:
            half = _half_a_character(body)
            if half is None:
                raise self._reader.fail(protocol_error("frame_not_json")) from None
            self._count_strange_frame()
            raise half from None
        if self._strange_frames_left is not None:
            if not isinstance(command, Hello):
                self._count_strange_frame(may_come=isinstance(command, Ping | Pong | Quit))
            elif self._strange_frames_left <= 0:
                raise self._reader.fail(protocol_error("too_many_tries"))
        return command

    def _count_strange_frame(self, *, may_come: bool = True) -> None:
        """Count a frame that is no hello; a member's does not count.

        Raises:
            RemoteProtocolError: HELLO_EXPECTED; a stranger has sent too many, or one that may not come yet.
        """
        left = self._strange_frames_left
        if left is None:
            return
        self._strange_frames_left = left - 1
        if left <= 0 or not may_come:
            raise self._reader.fail(protocol_error("hello_expected")) from None


class NativeServerCodec(JsonServerCodec):
    """The server's side of one native connection. Events are told in the format's shared bytes.

    Args:
        fmt: the format of its events; one for all connections that are told the same.
    """

    __slots__ = ()

    def __init__(self, fmt: NativeFormat = NATIVE) -> None:
        super().__init__(fmt, FrameReader(MAX_HELLO_FRAME_BYTES))


class NativeClientCodec:
    """The client's side of one native connection: bytes to events, commands to bytes.

    Args:
        frame_bytes: the largest body it accepts.
    """

    __slots__ = ("_reader",)

    def __init__(self, frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._reader = FrameReader(frame_bytes)

    def receive_data(self, data: bytes) -> None:
        """Take decrypted bytes."""
        self._reader.receive_data(data)

    def next_event(self) -> Event | None:
        """Return the next event this client knows, skipping unknown ones; None when more data is needed.

        Raises:
            RemoteProtocolError: the server sent nonsense; the connection must end.
        """
        while (body := self._reader.next_frame()) is not None:
            try:
                try:
                    return _events().decode(body)
                except msgspec.ValidationError as error:
                    refusal = _refusal(body, _EVENT_TYPES, str(error))
                    if refusal.code is not ErrorCode.UNKNOWN_TYPE:
                        raise self._reader.fail(protocol_error("record_invalid", why=refusal.detail)) from None
            except _NONSENSE:
                raise self._reader.fail(protocol_error("frame_not_json")) from None
        return None

    @staticmethod
    def encode(command: Command) -> bytes:
        """Return the command as one frame.

        Raises:
            LocalProtocolError: the command does not fit into a frame.
        """
        return frame(_encoder.encode(command))


def _refusal(body: bytearray, known: frozenset[object], reason: str) -> FrameRefused:
    """Return the refusal of a well-formed frame, with the number of the request or draft in it where there is one.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: the body is no JSON.
        RecursionError: it is no object, and nested too deep.
    """
    try:
        envelope = _envelopes.decode(body)
    except msgspec.ValidationError:
        _any.decode(body)  # msgspec stops at a wrong type, and what follows may be no JSON at all
        return FrameRefused(refusal_for("record_type_missing"))
    except RecursionError:  # behind a field that is wrong already: that is the answer, as version 1 has always given it
        return FrameRefused(refusal_for("field_invalid"))
    ref, client_id = _id(envelope.ref), _id(envelope.cid)
    if not isinstance(envelope.t, str):
        return FrameRefused(refusal_for("record_type_missing"), ref, client_id)
    if envelope.t not in known:
        return FrameRefused(refusal_for("record_type_unknown"), ref, client_id)
    if reason.startswith(_SAFE_REASONS):
        return FrameRefused(refusal_for("field_invalid_because", why=reason), ref, client_id)
    return FrameRefused(refusal_for("field_invalid"), ref, client_id)


def _half_a_character(body: bytearray) -> FrameRefused | None:
    """Return the refusal of a record that would be good JSON but for an escaped surrogate without its other half.

    JavaScript writes one when it cuts a text inside of an emoji. None: the body is no JSON for another reason.
    """
    whole, found = _SURROGATE.subn(rb"\\u00", body)
    if not found:
        return None
    try:
        record = _any.decode(whole)
    except _NONSENSE:
        return None
    if not isinstance(record, dict):
        return FrameRefused(refusal_for("record_type_missing"))
    return FrameRefused(refusal_for("text_half_character"), _id(record.get("ref")), _id(record.get("cid")))


def _id(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _MAX_ID else None
