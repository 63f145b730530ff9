"""One harness per parser of what strangers send. The invariant: a record or one of our own refusals, nothing else.

A harness takes any bytes and returns; whatever it raises is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import h11
import msgspec
from websockets.protocol import Protocol, Side, State

from securechat.errors import ErrorCode, Refusal, RemoteProtocolError
from securechat.limits import MAX_FRAME_BYTES, MAX_TEXT_BYTES, MAX_TEXT_CHARS, PREVIEW_SIDES, Limits
from securechat.model import Closing, Command, Event
from securechat.model.base import MessageKey
from securechat.net.client_hello import MOST_PROTOCOLS, MOST_RECORD_BYTES, ClientHelloProgress, offered_protocols
from securechat.net.interfaces import NullHandler
from securechat.pictures.answers import HEAD_BYTES as ANSWER_HEAD_BYTES
from securechat.pictures.answers import ROW_BYTES, AnswerInvalid, AnswerRules, decode_head, decode_rows
from securechat.pictures.containers import foreign_parts
from securechat.pictures.kinds import HEAD_BYTES as KIND_BYTES
from securechat.pictures.kinds import PictureKind, canvas_of, kind_of
from securechat.pictures.orientation import orientation_of
from securechat.server.api import requests as request_parts
from securechat.server.api import streams
from securechat.server.api.problems import error_answer
from securechat.server.hooks.answers import HookError
from securechat.server.hooks.delivery_key import KEY_HEADERS, delivery_key
from securechat.server.hooks.payload import FORM, parse
from securechat.server.hooks.rendering import render
from securechat.server.hooks.username import shown_name
from securechat.server.web.programs import ProgramPrefixes
from securechat.server.web.ranges import select
from securechat.text.names import check_name, check_room, longest_known_name, name_key
from securechat.text.sanitize import is_hostile, one_line, visible
from securechat.wire.codec import HANDLED, FrameRefused
from securechat.wire.event_stream import cursor_of
from securechat.wire.frames import HEADER_BYTES
from securechat.wire.http import CONTINUE, HEAD_BYTES, Authority, HttpError, HttpServerCodec, Request
from securechat.wire.native import NATIVE, NativeClientCodec, NativeServerCodec
from securechat.wire.websocket import WebSocketServerCodec
from tests.fuzz.tus_requests import tus_headers
from tests.support.toy_files import ETAG, ToyFiles, toy_bytes
from tests.support.web_connections import Web

MOST_BODY = 100
"""Of a request in `http_bodies`: short, so that mutants meet the limit."""


def native_server(data: bytes) -> None:
    """Bytes of a client; the first byte says where the stream is cut and whether the hello was accepted."""
    codec = NativeServerCodec()
    how = data[0] if data else 0
    if how & 1:
        codec.hello_accepted()
    for piece in _pieces(data[1:], how >> 1):
        codec.receive_data(piece)
        try:
            while True:
                try:
                    command = codec.next_command()
                except FrameRefused as refused:
                    assert refused.detail.isprintable(), "a refusal quotes the peer"
                    continue
                if command is None:
                    break
                assert isinstance(command, Command)
                again = NativeServerCodec()
                again.hello_accepted()
                again.receive_data(NativeClientCodec.encode(command))
                assert again.next_command() == command, "a command changes on its way"
        except RemoteProtocolError as error:
            assert error.detail.isprintable(), "an error quotes the peer"
            assert codec._reader.buffered_bytes <= HEADER_BYTES + MAX_FRAME_BYTES + len(data)
            return
        assert codec._reader.buffered_bytes < HEADER_BYTES + MAX_FRAME_BYTES


def native_client(data: bytes) -> None:
    """Bytes of a server; the first byte says where the stream is cut."""
    codec = NativeClientCodec()
    for piece in _pieces(data[1:], data[0] if data else 0):
        codec.receive_data(piece)
        try:
            while (event := codec.next_event()) is not None:
                assert isinstance(event, Event)
                again = NativeClientCodec()
                again.receive_data(NATIVE.encode(event))
                assert again.next_event() == event, "an event changes on its way"
        except RemoteProtocolError as error:
            assert error.detail.isprintable(), "an error quotes the peer"
            return


def web_server(data: bytes) -> None:
    """Bytes of a WebSocket's client; the first byte says where the stream is cut and whether the hello was accepted."""
    how, stream = (data[0] if data else 0), data[1:]
    found = _web(_pieces(stream, how >> 1), member=bool(how & 1))
    assert found == _web([stream], member=bool(how & 1)), "cuts change the meaning"


def web_frames(data: bytes) -> None:
    """Whole frames of a WebSocket's client: of each its first byte, the length of its payload, and that."""
    frames, rest = [], data[1:]
    while len(rest) >= 2:
        payload, size = rest[2 : 2 + rest[1]], min(rest[1], len(rest) - 2)
        header = bytes((rest[0], 0x80 | size)) if size < 126 else bytes((rest[0], 0xFE, 0, size))
        frames.append(header + bytes(4) + payload)
        rest = rest[2 + size :]
    web_server(data[:1] + b"".join(frames))


def _web(pieces: list[bytes], *, member: bool) -> tuple[list[Command | ErrorCode | bytes], bool]:
    """What a codec takes, refuses and answers, and whether it gave the client up."""
    codec = WebSocketServerCodec()
    if member:
        codec.hello_accepted()
    found: list[Command | ErrorCode | bytes] = []
    for piece in pieces:
        codec.receive_data(piece)
        try:
            while True:
                try:
                    command = codec.next_command()
                except FrameRefused as refused:
                    assert refused.detail.isprintable(), "a refusal quotes the peer"
                    found.append(refused.code)
                    continue
                if own := codec.data_to_send():
                    found.append(own)
                if command is None:
                    break
                if command is not HANDLED:
                    assert isinstance(command, Command)
                    found.append(command)
        except RemoteProtocolError as error:
            assert error.detail.isprintable(), "an error quotes the peer"
            assert not codec._messages.buffered_bytes
            _is_heard(codec.data_to_send() + codec.close(Closing.of(error)))
            return found, True
        assert codec._messages.buffered_bytes <= MAX_FRAME_BYTES + 14, "more than a message is kept"
    _is_heard(b"".join(each for each in found if isinstance(each, bytes)))
    return found, False


def _is_heard(data: bytes) -> None:
    """Whether a client of the library takes the bytes."""
    client = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
    client.receive_data(data)
    assert client.parser_exc is None, "a client cannot read the answer"


def client_hello(data: bytes) -> None:
    """The first bytes of a connection; the first byte says where the stream is cut."""
    progress, come = ClientHelloProgress(), b""
    for piece in _pieces(data[1:], data[0] if data else 0):
        come += piece
        missing = progress.missing_bytes(come)
        assert missing == ClientHelloProgress().missing_bytes(come), "looks on the way change the answer"
        assert 0 <= missing <= 2 * MOST_RECORD_BYTES
        offers = offered_protocols(come)
        assert offers is None or (not missing and 0 < len(offers) <= MOST_PROTOCOLS and all(offers))
        if not missing:
            return


def http_server(data: bytes) -> None:
    """Bytes of a browser; the first byte says where the stream is cut. h11 alone must read the same requests."""
    requests, error = _http_requests(_pieces(data[1:], data[0] if data else 0))
    again, same_error = _http_requests([data[1:]])
    assert requests == again, "the cuts change the requests"
    assert (error is None) == (same_error is None)
    assert error is None or same_error is None or error.status == same_error.status
    if error is not None:
        assert 400 <= error.status <= 505
        assert error.sentence.isprintable()
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(data[1:])
    for request in requests:
        read = reader.next_event()
        assert isinstance(read, h11.Request), "another reader sees another request"
        assert (read.method.decode(), read.target.decode()) == (request.method, request.target)
        assert tuple(read.headers) == request.headers
        assert isinstance(reader.next_event(), h11.EndOfMessage), "another reader sees a body"
        reader.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
        reader.send(h11.EndOfMessage())
        if reader.our_state is not h11.DONE:  # it was asked to close
            return
        if request is not requests[-1]:
            reader.start_next_cycle()


def http_bodies(data: bytes) -> None:
    """Bytes of a program; the first byte says where the stream is cut. h11 alone must read the same bodies."""
    exchanges, error = _http_exchanges(_pieces(data[1:], data[0] if data else 0))
    again, same_error = _http_exchanges([data[1:]])
    assert exchanges == again, "the cuts change the requests"
    assert (error and error.status) == (same_error and same_error.status)
    assert error is None or (400 <= error.status <= 505 and error.sentence.isprintable())
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(data[1:])
    for request, body in exchanges:
        read = reader.next_event()
        assert isinstance(read, h11.Request), "another reader sees another request"
        assert (read.method.decode(), read.target.decode()) == (request.method, request.target)
        seen = b""
        while isinstance(event := reader.next_event(), h11.Data):
            seen += event.data
        if body is None:  # it has not come whole
            assert event is h11.NEED_DATA
            return
        assert (seen, type(event)) == (body, h11.EndOfMessage), "another reader sees another body"
        if request.method == "CONNECT" or (request.headers and request.words(b"upgrade")):
            return
        reader.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
        reader.send(h11.EndOfMessage())
        if reader.our_state is not h11.DONE:  # it was asked to close
            return
        reader.start_next_cycle()


def _http_exchanges(pieces: list[bytes]) -> tuple[list[tuple[Request, bytes | None]], HttpError | None]:
    """Read requests with their bodies; the body of the last one is None where it has not come whole."""
    codec = HttpServerCodec(lambda path, _method: MOST_BODY if path.startswith("/api/") else 0)
    found: list[tuple[Request, bytes | None]] = []
    waiting: Request | None = None
    for piece in pieces:
        codec.receive_data(piece)
        try:
            while waiting is not None or (waiting := codec.next_request()) is not None:
                if (body := codec.next_body()) is None:
                    break
                found.append((waiting, body))
                waiting = None
        except HttpError as error:
            return found, error
        assert len(codec._buffer) < max(HEAD_BYTES, MOST_BODY), "more is kept than a request may have"
    return found + ([(waiting, None)] if waiting is not None else []), None


def http_upload(data: bytes) -> None:
    """Bytes of a program that sends and reads files; the first byte says where the stream is cut."""
    calls, sent = _transfers(_pieces(data[1:], data[0] if data else 0))
    again, same_sent = _transfers([data[1:]])
    assert calls == again, "the cuts change what is called"
    assert sent == same_sent, "the cuts change the answers"


def _transfers(pieces: list[bytes]) -> tuple[list[tuple[str, bytes, list[str]]], list[bytes]]:
    """Return what is called for each upload, takes that follow each other as one; and the answers, without dates."""
    web = Web(Limits(web_headers_s=1e9, web_keep_alive_s=1e9, api_body_s=1e9, upload_stall_s=1e9))
    files = ToyFiles(most_bytes=40_000)
    web.programs = ProgramPrefixes({"/files/": files})
    web.hosts.expect_ours = lambda _request: None  # type: ignore[method-assign]  # its refusals depend on the cut
    browser = web.connect("127.0.0.1")
    for piece in pieces:
        if browser.link.closed:
            break
        if browser.link.paused:
            browser.upload(piece)
        else:
            browser.send(piece)
        web.run(0.05)
        assert len(browser.connection._codec._buffer) <= HEAD_BYTES + len(piece)
    web.run(0.05)
    assert not web.failures
    found = []
    for upload in files.uploads:
        parts = [call for at, call in enumerate(upload.calls) if call != "take" or upload.calls[at - 1] != "take"]
        size_bytes = upload.request.body_bytes
        assert parts[:1] == ["prepare"]
        assert parts[1:] in ([], ["take"], ["end"], ["take", "end"])
        assert ("end" in parts) is (len(upload.data) == size_bytes)
        assert len(upload.data) <= size_bytes
        found.append((upload.request.target, bytes(upload.data), parts))
    for source in files.sources:
        assert source.closed == 1
        assert all(0 <= at <= at + most <= source.size_bytes for at, most in source.reads)
    lines = browser.link.sent.replace(CONTINUE, b"").split(b"\r\n")
    return found, [line for line in lines if not line.startswith(b"Date: ")]


def file_range(data: bytes) -> None:
    """Range, If-Range and If-None-Match, a line each; the first byte says how long the file is, and the method."""
    size_bytes, method = (data[0] >> 1, "GET" if data[0] & 1 else "HEAD") if data else (0, "GET")
    names = (b"range", b"if-range", b"if-none-match", b"range")
    headers = tuple(zip(names, data[1:].split(b"\n"), strict=False))
    found = select(Request(method, "/f", Authority("a", 443), None, headers), size_bytes, ETAG)
    whole = toy_bytes(0, size_bytes)
    part = whole[found.offset : found.offset + found.size_bytes]
    named = dict(found.headers).get("Content-Range")
    if found.status == 206:
        assert (method, len(part)) == ("GET", found.size_bytes)
        assert part
        assert named == f"bytes {found.offset}-{found.offset + len(part) - 1}/{size_bytes}"
    elif found.status == 200:
        assert (part, found.size_bytes, named) == (whole, size_bytes, None)
    else:
        assert (found.status, named) in ((304, None), (416, f"bytes */{size_bytes}"))
        assert not found.size_bytes


def api_request(data: bytes) -> None:
    """A target, a newline, a key, a newline, and a body: of text or of JSON, as the first byte says."""
    target, _, rest = data[1:].partition(b"\n")
    key, _, body = rest.partition(b"\n")
    how = data[0] if data else 0
    shown = target.decode("ascii", "replace")
    headers = ((b"idempotency-key", key), (b"content-type", b"application/json"), (b"authorization", b"Bearer " + key))
    request = Request("POST", shown, Authority("a", 443), None, headers, len(body))
    for read in (
        lambda: request_parts.expect_no_secret(request),
        lambda: request_parts.token_of(request),
        lambda: request_parts.parameters(request, {"q", "limit"}),
        lambda: [request_parts.segment(part) for part in request.path.split("/")],
        lambda: request_parts.number(shown),
        lambda: request_parts.key_of(request),
        lambda: request_parts.edited_text_of(body, as_json=bool(how & 1)),
    ):
        _refused_or_done(read)
    message = _refused_or_done(lambda: request_parts.message_of(body, as_json=bool(how & 1)))
    if message is not None:
        message.text.encode()
        assert len(message.text) <= MAX_TEXT_CHARS
        if message.key is not None:
            assert re.fullmatch("[!-~]{1,128}", request_parts.message_key(message.key.encode()))


def _refused_or_done(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except HttpError as error:
        made = error_answer(error)
        assert made.status in (400, 401, 415, 422)
        assert error.sentence.isprintable()
        return None


def http_connection(data: bytes) -> None:
    """Bytes of a browser on a connection with a site behind it; the first byte says where the stream is cut."""
    web = Web(Limits(web_headers_s=1e9, web_keep_alive_s=1e9))
    web.session = session = _CountingSession()
    browser = web.connect("127.0.0.1")
    for piece in _pieces(data[1:], data[0] if data else 0):
        browser.send(piece)
        web.run(0.05)
        assert len(browser.connection._codec._buffer) <= HEAD_BYTES + len(piece)
    web.run(0.05)
    requests, error = _http_requests([data[1:]])
    sent, left = browser.link.sent, 0
    for request in requests:
        head, separator, sent = sent.partition(b"\r\n\r\n")
        assert separator, "a request has no answer"
        status = int(head.split()[1])
        if status == 101:
            assert request.path == "/ws"
            left = sum(map(len, web.upgrades)) + session.received_bytes
            assert left <= len(data)
            break
        assert b"\r\nContent-Security-Policy: " in head
        sized = re.search(rb"\r\nContent-Length: (\d+)", head)
        assert (sized is None) == (status == 304)
        if sized is not None and request.method == "GET":
            sent = sent[int(sized[1]) :]
        if b"\r\nConnection: close" in head:
            assert browser.link.closed
            break
    else:
        assert sent.startswith(b"HTTP/1.1 %d " % error.status) if error is not None else not sent
        assert browser.link.closed is (error is not None)
    assert not web.failures


class _CountingSession(NullHandler):
    def __init__(self) -> None:
        self.received_bytes = 0

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)


def _http_requests(pieces: list[bytes]) -> tuple[list[Request], HttpError | None]:
    codec = HttpServerCodec()
    requests: list[Request] = []
    for piece in pieces:
        codec.receive_data(piece)
        try:
            while (request := codec.next_request()) is not None:
                requests.append(request)
        except HttpError as error:
            return requests, error
        assert len(codec._buffer) < HEAD_BYTES, "more is kept than a request may have"
    return requests, None


def name(data: bytes) -> None:
    """A name as typed."""
    typed = _text(data)
    try:
        checked = check_name(typed)
    except Refusal as refusal:
        assert refusal.detail.isprintable()
        return
    assert check_name(checked) == checked
    assert name_key(name_key(checked)) == name_key(checked)
    assert not is_hostile(checked)


def room(data: bytes) -> None:
    """A room as typed."""
    typed = _text(data)
    try:
        checked = check_room(typed)
    except Refusal as refusal:
        assert refusal.detail.isprintable()
        return
    assert check_room(checked) == checked
    assert not is_hostile(checked)


def shown_text(data: bytes) -> None:
    """A message text on its way to a terminal."""
    text = _text(data)
    shown = visible(text)
    assert visible(shown) == shown
    assert not any(map(is_hostile, shown.split("\n")))
    assert len(one_line(text).splitlines()) <= 1


def leading_name(data: bytes) -> None:
    """A command line behind ``/msg``: known names before the first newline, the line after it."""
    known, _, text = _text(data).partition("\n")
    found = longest_known_name(text, [each for each in known.split(",") if each.strip()])
    assert (found is None) == (not text.strip())


HOOK_TYPES = ("application/json", FORM, "text/plain", "")


def hook_body(data: bytes) -> None:
    """The body of a webhook; the first byte chooses its type."""
    try:
        payload = parse(data[1:], HOOK_TYPES[(data[0] if data else 0) % len(HOOK_TYPES)])
        found = render(payload)
    except HookError as error:
        assert error.answer.status == 400
        return
    assert found.text.strip(), "a message says nothing"
    assert len(found.text) <= MAX_TEXT_CHARS
    assert len(found.text.encode()) <= MAX_TEXT_BYTES
    assert found.ignored >= 0
    shown = shown_name(payload.username, "alerts", lambda _name: False)
    assert check_name(shown) == shown


def hook_key(data: bytes) -> None:
    """Headers of a delivery: of each its kind, the length of its value, and that."""
    headers, rest = [], data
    while len(rest) >= 2:
        headers.append((KEY_HEADERS[rest[0] % len(KEY_HEADERS)], rest[2 : 2 + rest[1]]))
        rest = rest[2 + rest[1] :]
    key = delivery_key(headers)
    assert (key is None) == (not any(value.strip() for _, value in headers))
    if key is not None:
        assert msgspec.convert(key, MessageKey) == key, "the hub refuses the key"


def stream_request(data: bytes) -> None:
    """The cursor of a header, a newline, the header Accept, a newline, and a query."""
    cursor, _, rest = data.partition(b"\n")
    accept, _, query = rest.partition(b"\n")
    target = "/api/v1/events?" + query.decode("ascii", "replace")
    headers = ((b"last-event-id", cursor), (b"accept", accept))

    def read(given: tuple[tuple[bytes, bytes], ...]) -> streams.StreamRequest:
        request = Request("GET", target, Authority("a", 443), None, given)
        query = request_parts.parameters(request, {"rooms", "after"})
        return streams.stream_request("t", "::1", request, query)

    for given in (headers, headers[1:], ()):
        wanted = _refused_or_done(partial(read, given))
        if wanted is None:
            continue
        assert len(wanted.rooms) <= streams.MOST_ROOMS
        if wanted.cursor is not None:
            assert 0 <= wanted.cursor.seq < 2**53
            again = f"{wanted.cursor.seq}@{wanted.cursor.log_id}".removesuffix("@")
            assert cursor_of(again) == wanted.cursor, "an id is not read as it is written"


def _pieces(data: bytes, cut: int) -> list[bytes]:
    size = cut or len(data) or 1
    return [data[start : start + size] for start in range(0, len(data), size)]


def _text(data: bytes) -> str:
    """Bytes as text; what is no UTF-8 becomes lone surrogates, because a caller could hold such."""
    return data.decode("utf-8", "surrogateescape")


PICTURE_RULES = AnswerRules(1_000_000, PREVIEW_SIDES)


def picture_answer(data: bytes) -> None:
    """What a picture worker that was taken over may say."""
    try:
        head = decode_head(data[:ANSWER_HEAD_BYTES], PICTURE_RULES.most_rows)
        if head.reason is not None:
            return
        rows = data[ANSWER_HEAD_BYTES : ANSWER_HEAD_BYTES + head.rows * ROW_BYTES]
        (width, height), pictures = decode_rows(rows, head, PICTURE_RULES)
    except AnswerInvalid:
        return
    assert 0 < width * height <= PICTURE_RULES.most_pixels
    assert 0 < sum(each.size_bytes for each in pictures) <= PICTURE_RULES.most_bytes
    assert all(each.side in (0, *PREVIEW_SIDES) for each in pictures)
    assert all(max(each.width, each.height) <= each.side for each in pictures if each.side)


def picture_file(data: bytes) -> None:
    """The parts of a picture that are read without a library."""
    kind = kind_of(data[:KIND_BYTES])
    assert 1 <= orientation_of(data) <= 8
    if kind is not None:
        canvas = canvas_of(kind, data[:KIND_BYTES])
        assert canvas is None or min(canvas) >= 0
    for each in PictureKind:
        found = foreign_parts(each, data)
        assert found or each is kind


HARNESSES: dict[str, Callable[[bytes], None]] = {
    "native_server": native_server,
    "native_client": native_client,
    "web_server": web_server,
    "web_frames": web_frames,
    "client_hello": client_hello,
    "http_server": http_server,
    "http_connection": http_connection,
    "http_bodies": http_bodies,
    "http_upload": http_upload,
    "file_range": file_range,
    "tus_headers": tus_headers,
    "api_request": api_request,
    "name": name,
    "room": room,
    "shown_text": shown_text,
    "leading_name": leading_name,
    "hook_body": hook_body,
    "hook_key": hook_key,
    "picture_answer": picture_answer,
    "picture_file": picture_file,
    "stream_request": stream_request,
}
