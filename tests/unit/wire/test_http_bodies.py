"""Bodies of HTTP/1.1 as bytes: judged by the head, whole however they are cut, and never read as a request."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.wire import http
from securechat.wire.http import HttpError, HttpServerCodec, Request

MOST = 100


def most_body(path: str, method: str) -> int:
    return MOST if path.startswith("/api/") else 0


def head(*lines: str, line: str = "POST /api/x HTTP/1.1") -> bytes:
    return "\r\n".join((line, "Host: a", *lines, "", "")).encode("iso-8859-1")


def refused(data: bytes) -> HttpError:
    codec = HttpServerCodec(most_body)
    codec.receive_data(data)
    with pytest.raises(HttpError) as caught:
        codec.next_request()
    return caught.value


def requests_in(data: bytes, size: int) -> list[tuple[Request, bytes]]:
    codec = HttpServerCodec(most_body)
    found: list[tuple[Request, bytes]] = []
    waiting: Request | None = None
    for start in range(0, len(data), size):
        codec.receive_data(data[start : start + size])
        while True:
            if waiting is None:
                waiting = codec.next_request()
            if waiting is None or (body := codec.next_body()) is None:
                break
            found.append((waiting, body))
            waiting = None
    assert not codec.began
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_bodies_come_however_the_bytes_are_cut(size: int) -> None:
    looks_like_a_request = b"GET /api/y HTTP/1.1\r\nHost: a\r\n\r\n"
    data = (
        head(f"Content-Length: {len(looks_like_a_request)}")
        + looks_like_a_request
        + head("Content-Length: 0")
        + head(line="GET /x HTTP/1.1")
        + head("Content-Length: 2", line="PATCH /api/z?a=b HTTP/1.1")
        + b"\0\n"
        + head(line="DELETE /api/z HTTP/1.1")
    )
    found = [(request.method, request.path, body) for request, body in requests_in(data, size)]
    assert found == [
        ("POST", "/api/x", looks_like_a_request),
        ("POST", "/api/x", b""),
        ("GET", "/x", b""),
        ("PATCH", "/api/z", b"\0\n"),
        ("DELETE", "/api/z", b""),
    ]


def test_nothing_is_a_request_before_the_body_is_taken() -> None:
    codec = HttpServerCodec(most_body)
    codec.receive_data(head("Content-Length: 3") + b"ab")
    assert codec.next_request() is not None
    assert codec.next_body() is None
    codec.receive_data(b"c" + head())
    assert not codec.ready
    assert codec.next_request() is None
    assert codec.next_body() == b"abc"
    assert codec.ready


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(head(f"Content-Length: {MOST + 1}"), 413, id="too long"),
        pytest.param(head("Content-Length: 999999999999"), 413, id="huge"),
        pytest.param(head("Content-Length: 9999999999999999999"), 413, id="a length of 19 digits"),
        pytest.param(head("Content-Length: " + "9" * 30), 400, id="a length of 30 digits, which h11 refuses"),
        pytest.param(head("Transfer-Encoding: chunked"), 411, id="chunked"),
        pytest.param(head("Transfer-Encoding: chunked", "Content-Length: 3"), 400, id="chunked, with a length"),
        pytest.param(head("Content-Length: 3", "Transfer-Encoding: chunked"), 400, id="with a length, chunked"),
        pytest.param(head("Content-Length: 3", "Content-Length: 3"), 400, id="the length twice"),
        pytest.param(head("Content-Length: 3, 3"), 400, id="two lengths in one"),
        pytest.param(head("Content-Length: +3"), 400, id="a signed length"),
        pytest.param(head("Content-Length: -3"), 400, id="a negative length"),
        pytest.param(head("Content-Length: 0x3"), 400, id="a length in hexadecimal"),
        pytest.param(head("Content-Length: 3 "), 0, id="a space behind the length"),
        pytest.param(head("Content-Length: 3.0"), 400, id="a length with a point"),
        pytest.param(head("Content-Length: \xb3"), 400, id="a digit of another script"),
        pytest.param(head("Content-Length:"), 400, id="an empty length"),
        pytest.param(head("Content-Length: 3", "Content-Encoding: gzip"), 415, id="gzip"),
        pytest.param(head("Content-Encoding:br", "Content-Length: 3"), 415, id="another coding"),
        pytest.param(head("Content-Length: 3", "Content-Encoding: identity"), 0, id="no coding, said"),
        pytest.param(head("Content-Length: 3", "Content-Encoding: identity, gzip"), 415, id="two codings"),
        pytest.param(head("Content-Encoding: gzip"), 0, id="coded nothing"),
        pytest.param(head("Content-Length: 3", "Expect: 100-continue"), 0, id="expects to go on"),
        pytest.param(head("Content-Length: 3", "Expect: 100-Continue"), 0, id="expects to go on, in capitals"),
        pytest.param(head("Content-Length: 3", "Expect: tea"), 417, id="expects something else"),
        pytest.param(head("Content-Length: 101", "Expect: 100-continue"), 413, id="expects to go on, too long"),
        pytest.param(
            head("Content-Length: 3", line="GET /api/x HTTP/1.1"), 0, id="GET with a body is judged behind the codec"
        ),
        pytest.param(head("Content-Length: 3", line="DELETE /api/x HTTP/1.1"), 0, id="DELETE with a body, too"),
        pytest.param(
            head("Content-Length: 3", line="BREW /api/x HTTP/1.1"), 0, id="an unknown method with a body, too"
        ),
        pytest.param(head(line="BREW /api/x HTTP/1.1"), 0, id="an unknown method is judged behind the codec"),
        pytest.param(head("Content-Length: 3", line="POST /x HTTP/1.1"), 413, id="a body elsewhere"),
        pytest.param(head(line="POST /x HTTP/1.1"), 405, id="POST elsewhere"),
        pytest.param(head(line="POST /ap/ HTTP/1.1"), 405, id="POST beside it"),
        pytest.param(head(line="POST /x?/api/ HTTP/1.1"), 405, id="POST elsewhere, with the path in the query"),
        pytest.param(head("Transfer-Encoding: chunked", line="POST /x HTTP/1.1"), 413, id="chunked elsewhere"),
        pytest.param(head("Expect: 100-continue", line="GET /x HTTP/1.1"), 417, id="expects to go on elsewhere"),
    ],
)
def test_the_head_alone_decides(data: bytes, status: int) -> None:
    if status == 0:
        codec = HttpServerCodec(most_body)
        codec.receive_data(data)
        assert codec.next_request() is not None
        return
    error = refused(data)
    assert error.status == status
    assert error.path == data.split()[1].partition(b"?")[0].decode()
    assert refused(data + b"x" * 200).status == status  # whatever follows


def test_a_body_of_the_most_bytes_comes() -> None:
    ((request, body),) = requests_in(head(f"Content-Length: {MOST}") + b"x" * MOST, 33)
    assert (request.body_bytes, len(body)) == (MOST, MOST)


def test_who_expects_to_go_on_is_known_if_there_is_something_to_send() -> None:
    ((request, _),) = requests_in(head("Content-Length: 1", "Expect: 100-continue") + b"x", 10_000)
    assert request.expects_continue
    ((request, _),) = requests_in(head("Content-Length: 0", "Expect: 100-continue"), 10_000)
    assert not request.expects_continue


LENGTHS = ("5", "6", "100", "101", "0", "05", "5 ", "+5", "5, 5", "", "9" * 15, "9" * 16)
MORE = (
    "Content-Length: 5", "content-length: 5", "Content-Length : 5", "Transfer-Encoding: chunked", "Host: b", " z",
    "Content-Encoding: gzip", "Origin: https://a", "Origin: https://b", "X: y", "X: content-length: 5", "X: \x7f",
    "Connection: close", "X: " + "y" * 3_000,
)  # fmt: skip
GOOD = ("Expect: 100-continue", "X: y", "X: z", "Origin: https://a")


@st.composite
def similar_heads(draw: st.DrawFn) -> list[bytes]:
    """Heads that differ in the length, and sometimes in something else."""
    lines = ["POST /api/x HTTP/1.1", "PUT /api/x HTTP/1.1", "POST /x HTTP/1.1", "POST /api/x HTTP/1.0"]
    names = ["Content-Length: ", "content-length: ", "Content-Length:"]
    parts = [lines[0], names[0], draw(st.sampled_from(GOOD)), draw(st.sampled_from(GOOD))]
    others = (st.sampled_from(lines), st.sampled_from(names), *(st.sampled_from(GOOD + MORE),) * 2)
    made = []
    for _ in range(draw(st.integers(2, 4))):
        if (place := draw(st.sampled_from([None, None, 0, 1, 2, 3]))) is not None:
            parts[place] = draw(others[place])
        line, name, before, behind = parts
        made.append(head(before, name + draw(st.sampled_from(LENGTHS)), behind, line=line))
    return made


def judged(codec: HttpServerCodec, data: bytes) -> Request | tuple[int, str] | None:
    codec.receive_data(data)
    try:
        return codec.next_request()
    except HttpError as error:
        return error.status, error.sentence


@given(similar_heads())
@settings(max_examples=500)
def test_a_head_like_the_last_one_is_judged_as_by_itself(heads: list[bytes]) -> None:
    codec = HttpServerCodec(most_body)
    for each in heads:
        found = judged(codec, each)
        assert found == judged(HttpServerCodec(most_body), each)
        if not isinstance(found, Request):
            return
        codec.receive_data(b"x" * found.body_bytes)
        assert codec.next_body() == b"x" * found.body_bytes


def test_another_length_alone_does_not_ask_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = HttpServerCodec(most_body)
    first = judged(codec, head("X: y", "Content-Length: 5", "Z: z"))
    assert codec.next_body() is None
    codec.receive_data(b"12345")
    assert codec.next_body() == b"12345"
    monkeypatch.setattr(http, "_read_by_h11", None)
    second = judged(codec, head("X: y", "Content-Length: 17", "Z: z"))
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.body_bytes, second.body_bytes) == (5, 17)
    assert second.values(b"content-length") == [b"17"]
    with pytest.raises(TypeError):  # another header
        codec.receive_data(b"x" * 17 + head("X: Y", "Content-Length: 5", "Z: z"))
        codec.next_body()
        codec.next_request()


@given(st.binary(max_size=40), st.binary(max_size=10))
def test_a_whole_head_is_clean_as_the_pattern_has_it(begin: bytes, end: bytes) -> None:
    data = bytearray(begin + b"\r\n" + end + b"\r\n\r\n")
    assert http._is_clean(data) == (http._FORBIDDEN.search(data) is None)
