"""WebSocket (RFC 6455): the headers of the handshake, the reader of messages, and the codec of ``securechat.1``.

A record is one text message, the same JSON as in a native frame. `websockets` reads the frames, by its protocol without
I/O. It judges less than a server for strangers needs, so `MessageReader` gives it one whole frame at a time and judges
before and behind it: lengths from the header alone, how many fragments a message has, and UTF-8 as it arrives.

Frames to a client are unmasked, so all clients are told an event in the same bytes. There is no compression: it would
take 82 KiB of state for each connection, and end the sharing.
"""

from __future__ import annotations

import base64
import binascii
from codecs import getincrementaldecoder
from collections.abc import Iterable, Mapping
from struct import Struct as Layout
from typing import TYPE_CHECKING, Final, NamedTuple

from securechat.errors import ErrorCode, RemoteProtocolError
from securechat.limits import MAX_HELLO_FRAME_BYTES
from securechat.model import Closing, Command, Event
from securechat.text.refusals import protocol_error
from securechat.wire.codec import HANDLED, Handled
from securechat.wire.native import JsonFormat, JsonServerCodec

if TYPE_CHECKING:
    from codecs import IncrementalDecoder

    from websockets.protocol import Protocol

SUBPROTOCOL = "securechat.1"
MAX_FRAGMENTS = 64
"""Frames of one message. RFC 6455 has no limit, and a frame may be empty: 100,000 of them would make one message."""

CLOSE_CODES: Mapping[ErrorCode, int] = {
    # Those of RFC 6455, section 7.4.1, and of its registry.
    ErrorCode.BYE: 1000,
    ErrorCode.SHUTTING_DOWN: 1001,
    ErrorCode.BAD_FRAME: 1007,  # or what the reader says: 1002, 1003
    ErrorCode.HELLO_EXPECTED: 1008,
    ErrorCode.HELLO_TIMEOUT: 1008,
    ErrorCode.FRAME_TOO_LARGE: 1009,
    ErrorCode.TOO_MANY_CONNECTIONS: 1013,
    # Ours, after which a client connects again.
    ErrorCode.PING_TIMEOUT: 4000,
    ErrorCode.SLOW_READER: 4001,
    ErrorCode.LOG_FAILED: 4002,
    ErrorCode.INTERNAL: 4003,
    # Ours, after which it does not, before a person has done something.
    ErrorCode.UNSUPPORTED_VERSION: 4100,
    ErrorCode.REPLACED: 4101,
    ErrorCode.BANNED: 4102,
    ErrorCode.KICKED: 4103,
    ErrorCode.LOGGED_OUT: 4104,
    # Codes of refusals, which end no connection today.
    **dict.fromkeys(
        (
            ErrorCode.UNKNOWN_TYPE, ErrorCode.INVALID, ErrorCode.NAME_INVALID, ErrorCode.NAME_RESERVED,
            ErrorCode.NAME_IN_USE, ErrorCode.PASSWORD_INVALID, ErrorCode.ROOM_INVALID, ErrorCode.NOT_A_MEMBER,
            ErrorCode.TOO_MANY_ROOMS, ErrorCode.NO_SUCH_PERSON, ErrorCode.PERSON_ABSENT, ErrorCode.TEXT_EMPTY,
            ErrorCode.TEXT_TOO_LONG, ErrorCode.OUT_OF_ORDER, ErrorCode.LOGIN_REQUIRED, ErrorCode.LOGIN_FAILED,
            ErrorCode.LOGIN_EXPIRED, ErrorCode.LOGIN_SLOWED, ErrorCode.CERTIFICATE_UNKNOWN, ErrorCode.PASSWORD_NEEDED,
            ErrorCode.PASSWORD_TEMPORARY, ErrorCode.INVITE_UNKNOWN, ErrorCode.INVITE_USED, ErrorCode.INVITE_EXPIRED,
            ErrorCode.INVITE_REVOKED, ErrorCode.ACCOUNT_NEEDED, ErrorCode.ALREADY_REGISTERED, ErrorCode.MUTED,
            ErrorCode.FILES_OFF, ErrorCode.FILE_TOO_LARGE, ErrorCode.FILE_NOT_READY, ErrorCode.PICTURE_UNREADABLE,
            ErrorCode.NOT_FOUND, ErrorCode.TOO_MANY, ErrorCode.NO_RIGHT, ErrorCode.NO_SUCH_ROOM, ErrorCode.READ_ONLY,
            ErrorCode.SLOW_MODE, ErrorCode.ARCHIVED, ErrorCode.ROOM_BANNED, ErrorCode.LAST_MEMBER,
            ErrorCode.QUERY_INVALID, ErrorCode.KEY_USED, ErrorCode.TOKEN_INVALID, ErrorCode.UNKNOWN,
        ),
        1008,
    ),
    **dict.fromkeys((ErrorCode.BUSY, ErrorCode.OVERLOADED, ErrorCode.DISK_FULL, ErrorCode.QUOTA), 1013),
}  # fmt: skip
"""The code of the Close frame behind a `closing` record. What it says to a client: docs/protocol.md, "WebSocket"."""

_PROTOCOL_ERROR: Final = 1002
_UNSUPPORTED_DATA: Final = 1003
_INVALID_DATA: Final = 1007
_POLICY_VIOLATION: Final = 1008

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_CONTINUATION: Final = 0
_TEXT: Final = 1
_BINARY: Final = 2
_CLOSE: Final = 8
_MAX_CONTROL_BYTES: Final = 125
_SHORT: Final = 126
"""A length from here on stands in two more bytes, from `_LONG` on in eight."""
_LONG: Final = 0x1_0000
_EMPTY_END: Final = bytes((_FINAL | _CONTINUATION, _MASKED, 0, 0, 0, 0))
"""The last fragment of a message, without a byte."""
_short_header = Layout("!BBH").pack
_long_header = Layout("!BBQ").pack
_short_at = Layout("!H").unpack_from
_long_at = Layout("!Q").unpack_from
_Utf8 = getincrementaldecoder("utf-8")


# --- The handshake ----------------------------------------------------------------------------------------------------


class UpgradeAnswer(NamedTuple):
    """What to answer to a request that asks for WebSocket.

    Attributes:
        status: 101, and the connection speaks WebSocket behind the answer; or an error: 400, 426.
        headers: of the answer.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]


_UPGRADE_REQUIRED: Final = UpgradeAnswer(
    426, ((b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"sec-websocket-version", b"13"))
)


def answer_upgrade(headers: Iterable[tuple[bytes, bytes]]) -> UpgradeAnswer:
    """Judge a request for WebSocket (RFC 6455, section 4.2). Method, target, Host and Origin are not looked at.

    Args:
        headers: names in lower case, as h11 has them, and values.
    """
    fields: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        fields.setdefault(name, []).append(value)
    asks = b"websocket" in _tokens(fields, b"upgrade") and b"upgrade" in _tokens(fields, b"connection")
    if not asks or fields.get(b"sec-websocket-version") != [b"13"]:
        return _UPGRADE_REQUIRED
    keys = fields.get(b"sec-websocket-key", [])
    offers = [offer for value in fields.get(b"sec-websocket-protocol", ()) for offer in _split(value)]
    if len(keys) != 1 or not _is_key(keys[0]) or SUBPROTOCOL.encode() not in offers:
        return UpgradeAnswer(400, ())
    return UpgradeAnswer(
        101,
        (
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", _accept(keys[0].decode()).encode()),
            (b"sec-websocket-protocol", SUBPROTOCOL.encode()),
        ),
    )


def _tokens(fields: Mapping[bytes, list[bytes]], name: bytes) -> list[bytes]:
    return [token.lower() for value in fields.get(name, ()) for token in _split(value)]


def _split(value: bytes) -> list[bytes]:
    return [part.strip(b" \t") for part in value.split(b",")]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False


def _accept(key: str) -> str:
    from websockets.utils import accept_key  # noqa: PLC0415 - see _protocol

    return accept_key(key)


# --- From bytes to messages -------------------------------------------------------------------------------------------


def _protocol() -> Protocol:
    """Return the reader of one connection's frames.

    The library is imported for the first of them: that takes 10 ms, which a start without web clients does not need.
    Its own limit is off, because `MessageReader` judges each frame before.
    """
    from websockets.protocol import Protocol, Side, State  # noqa: PLC0415

    return Protocol(Side.SERVER, state=State.OPEN, max_size=None)


def load_library() -> None:
    """Import the library in a thread, behind the start, so that the first client does not wait for it."""
    import websockets.protocol  # noqa: PLC0415
    import websockets.utils  # noqa: F401, PLC0415


class MessageReader:
    """Cuts the bytes of a client into messages (RFC 6455, sections 5 and 8.1), one frame a call.

    It keeps one message, one frame and the bytes of one read at most. A Close of the client is answered; behind it, as
    behind an error, everything is ignored.

    Args:
        max_bytes: the largest message accepted, judged from the headers; may be raised later through the attribute.
        binary: take binary messages, too.

    Attributes:
        closed: the client sent a Close.
        close_code: for the Close of this side, where an error of the reader decides on it.
        is_text: of the last message.
    """

    __slots__ = (
        "_binary", "_buffer", "_checked", "_failure", "_fragments", "_message", "_own", "_protocol", "_start", "_utf8",
        "close_code", "closed", "is_text", "max_bytes",
    )  # fmt: skip

    def __init__(self, max_bytes: int, *, binary: bool = False) -> None:
        self.max_bytes = max_bytes
        self.closed = False
        self.close_code: int | None = None
        self.is_text = True
        self._binary = binary
        self._protocol = _protocol()
        self._buffer = bytearray()
        self._start = 0
        self._failure: RemoteProtocolError | None = None
        self._own = b""
        self._message: bytearray | None = None  # of the fragments of a message that is not complete
        self._fragments = 0
        self._utf8: IncrementalDecoder | None = None  # of a text of which a part was judged
        self._checked = 0  # bytes of the first frame's payload that it has judged

    @property
    def buffered_bytes(self) -> int:
        """Bytes held that no message has used yet."""
        return len(self._buffer) - self._start + len(self._message or b"")

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came; a frame may begin and end anywhere in them."""
        if self._failure is not None or self.closed:
            return
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def data_to_send(self) -> bytes:
        """Return the answers to Ping and Close, once."""
        own, self._own = self._own, b""
        return own

    def next_frame(self) -> bytearray | Handled | None:
        """Return the next complete message, `HANDLED` for any other frame, None when more data is needed.

        Raises:
            RemoteProtocolError: FRAME_TOO_LARGE or BAD_FRAME; and again at every later call. `close_code` goes with it.
        """
        if self._failure is not None:
            raise self._failure
        if self.closed:
            return None
        buffer, start = self._buffer, self._start
        if len(buffer) < start + 2:
            return None
        first, second = buffer[start], buffer[start + 1]
        payload = start + 2
        size = second & 0x7F
        if size >= _SHORT:
            payload += 2 if size == _SHORT else 8
            if len(buffer) < payload:
                return None
            short = size == _SHORT
            (size,) = _short_at(buffer, start + 2) if short else _long_at(buffer, start + 2)
            if size < (_SHORT if short else _LONG):
                raise self.fail(protocol_error("websocket_broken"), _PROTOCOL_ERROR)
        opcode = first & 0x0F
        self._judge_header(opcode, size, masked=second >= _MASKED)
        payload += 4
        end = payload + size
        if len(buffer) < end:
            if opcode == _TEXT or (opcode == _CONTINUATION and self.is_text):
                self._judge_part(payload)
            return None
        self._start = end
        return self._take(buffer[start:end], opcode, final=first >= _FINAL)

    def fail(self, failure: RemoteProtocolError, close_code: int | None = None) -> RemoteProtocolError:
        """Take no more; every later call raises ``failure``. Returns it, to be raised."""
        self._failure = failure
        self.close_code = close_code
        self._forget()
        return failure

    def _forget(self) -> None:
        self._buffer.clear()
        self._start = 0
        self._message = self._utf8 = None

    def _judge_header(self, opcode: int, size: int, *, masked: bool) -> None:
        """Judge a frame before its payload has arrived. What costs no memory is left to the library.

        Raises:
            RemoteProtocolError: it is too long or not masked, has one fragment too many, or a binary message begins.
        """
        if not masked or (opcode >= _CLOSE and size > _MAX_CONTROL_BYTES):
            raise self.fail(protocol_error("websocket_broken"), _PROTOCOL_ERROR)
        if opcode >= _CLOSE:
            return
        message_bytes = size if self._message is None else size + len(self._message)
        if message_bytes > self.max_bytes:
            raise self.fail(protocol_error("frame_too_large", size=message_bytes, most=self.max_bytes))
        if opcode == _BINARY and not self._binary:
            raise self.fail(protocol_error("message_not_text"), _UNSUPPORTED_DATA)
        if self._fragments >= MAX_FRAGMENTS:
            raise self.fail(protocol_error("message_fragments", most=MAX_FRAGMENTS), _POLICY_VIOLATION)

    def _take(self, frame: bytearray, opcode: int, *, final: bool) -> bytearray | Handled:
        """Have the library read one whole frame, and join fragments.

        Raises:
            RemoteProtocolError: the frame breaks a rule of RFC 6455, or the text is not UTF-8.
        """
        if opcode >= _CLOSE:
            return self._take_control(frame, opcode)
        payload = self._read(frame)
        if opcode != _CONTINUATION:
            self.is_text = opcode == _TEXT
        if self.is_text:
            if final and self._utf8 is None:  # a whole text, as nearly all are
                self._judge_text(payload)
            else:
                self._judge_fragment(payload[self._checked :], final=final)
                self._checked = 0
        if self._message is None:
            if final:
                return payload
            self._message = payload
        else:
            self._message += payload
        self._fragments += 1
        if not final:
            return HANDLED
        message, self._message, self._fragments = self._message, None, 0
        return message

    def _take_control(self, frame: bytearray, opcode: int) -> Handled:
        """Have the library answer Ping or Close."""
        if opcode == _CLOSE and self._message is not None:  # allowed (section 5.4), and an error for the library
            self._read(_EMPTY_END)
        self._read(frame)
        self._own += b"".join(self._protocol.data_to_send())
        if opcode == _CLOSE:
            self.closed = True
            self._forget()
        return HANDLED

    def _read(self, frame: bytes | bytearray) -> bytearray:
        """Return the payload of one whole frame.

        Raises:
            RemoteProtocolError: the library has found an error, and says with which code to close.
        """
        protocol = self._protocol
        protocol.receive_data(frame)
        events = protocol.events_received()
        if not events:
            assert protocol.close_sent is not None
            raise self.fail(protocol_error("websocket_broken"), int(protocol.close_sent.code))
        payload = events[0].data  # type: ignore[union-attr]  # requests are for subclasses that read a handshake
        return payload if isinstance(payload, bytearray) else bytearray(payload)

    # --- UTF-8 (RFC 6455, section 8.1), judged as soon as it can be

    def _judge_text(self, text: bytearray) -> None:
        try:
            text.decode()
        except UnicodeDecodeError:
            raise self.fail(protocol_error("frame_not_json"), _INVALID_DATA) from None

    def _judge_fragment(self, part: bytes | bytearray, *, final: bool) -> None:
        """Judge the next part of a text; it may begin and end within a character, unless it is the last one."""
        if self._utf8 is None:
            self._utf8 = _Utf8()
        try:
            self._utf8.decode(part, final)
        except UnicodeDecodeError:
            raise self.fail(protocol_error("frame_not_json"), _INVALID_DATA) from None
        if final:
            self._utf8 = None

    def _judge_part(self, payload: int) -> None:
        """Judge what has arrived of the first frame's payload, which begins at ``payload`` of the buffer."""
        from websockets.utils import apply_mask  # noqa: PLC0415 - see _protocol

        buffer, checked = self._buffer, self._checked
        part = buffer[payload + checked :]
        if part:
            turn = checked % 4
            mask = buffer[payload - 4 + turn : payload] + buffer[payload - 4 : payload - 4 + turn]
            self._checked = checked + len(part)
            self._judge_fragment(apply_mask(part, mask), final=False)


# --- From events to frames --------------------------------------------------------------------------------------------


def text_frame(body: bytes) -> bytes:
    """Return a text message in one unmasked frame."""
    size = len(body)
    if size < _SHORT:
        return bytes((_FINAL | _TEXT, size)) + body
    if size < _LONG:
        return _short_header(_FINAL | _TEXT, _SHORT, size) + body
    return _long_header(_FINAL | _TEXT, _SHORT + 1, size) + body


def close_frame(code: int, reason: str) -> bytes:
    """Return an unmasked Close.

    Args:
        code: 1000 to 4999.
        reason: in ASCII; what is behind 123 characters is cut.
    """
    body = code.to_bytes(2, "big") + reason.encode("ascii")[: _MAX_CONTROL_BYTES - 2]
    return bytes((_FINAL | _CLOSE, len(body))) + body


class WebFormat(JsonFormat):
    """The form of events on a WebSocket: one text message each, of the same JSON as a native frame."""

    name = SUBPROTOCOL

    def framed(self, body: bytes) -> bytes:
        """Return the body as a text message."""
        return text_frame(body)

    def encode(self, event: Event) -> bytes:
        """Return the event as one text message.

        Raises:
            LocalProtocolError: the event does not fit into a frame.
        """
        return text_frame(self.bodies.encode(event))


WEB = WebFormat()


class WebSocketServerCodec(JsonServerCodec):
    """The server's side of one WebSocket, behind the handshake.

    Every frame that completes no record is `HANDLED`: Ping, Pong, Close, and all fragments of a message but the last.
    A client that sends Close is lost, not gone: it may come back, as behind a connection that broke.

    Args:
        fmt: the format of its events; one for all connections that are told the same.
    """

    __slots__ = ("_messages", "wants_close")

    def __init__(self, fmt: WebFormat = WEB) -> None:
        self._messages = MessageReader(MAX_HELLO_FRAME_BYTES)
        self.wants_close = False
        super().__init__(fmt, self._messages)

    def next_command(self) -> Command | Handled | None:
        """Return the next command, `HANDLED` for a frame that completes none, None when more data is needed.

        Raises:
            FrameRefused: UNKNOWN_TYPE or INVALID; the next call goes on behind that message.
            RemoteProtocolError: FRAME_TOO_LARGE, BAD_FRAME or HELLO_EXPECTED; nothing can follow.
        """
        try:
            return super().next_command()
        finally:
            self.wants_close = self._messages.closed

    def data_to_send(self) -> bytes:
        """Return the answers to Ping and Close, once."""
        return self._messages.data_to_send()

    def close(self, closing: Closing) -> bytes:
        """Return the event, and a Close whose reason is the word of its code."""
        code = self._messages.close_code or CLOSE_CODES[closing.code]
        return self.encode(closing) + close_frame(code, closing.code.value)
