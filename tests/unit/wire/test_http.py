"""HTTP/1.1 as bytes: requests whole, byte by byte and behind each other, and everything that is no request."""

from __future__ import annotations

import h11
import pytest

from securechat.wire.http import (
    HEAD_BYTES,
    MOST_HEADERS,
    Authority,
    HttpError,
    HttpServerCodec,
    Request,
    authority,
    is_same_origin,
    response,
    response_head,
)

GET = b"GET /x?y=1 HTTP/1.1\r\nHost: Chat.Example.:8443\r\nAccept-Encoding: gzip, br\r\n\r\n"


def requests_in(data: bytes, size: int = 0) -> list[Request]:
    codec = HttpServerCodec()
    found: list[Request] = []
    for start in range(0, len(data), size or len(data)):
        codec.receive_data(data[start : start + (size or len(data))])
        while (request := codec.next_request()) is not None:
            found.append(request)
    return found


def refused(data: bytes, size: int = 0) -> HttpError:
    with pytest.raises(HttpError) as caught:
        requests_in(data, size)
    return caught.value


def with_headers(*lines: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(each + b"\r\n" for each in lines) + b"\r\n"


@pytest.mark.parametrize("size", [0, 1, 2, 7])
def test_requests_come_however_the_bytes_are_cut(size: int) -> None:
    first, second = requests_in(GET + GET.replace(b"GET", b"HEAD"), size)
    assert (first.method, first.target, first.path) == ("GET", "/x?y=1", "/x")
    assert first.host == Authority("chat.example", 8443)
    assert first.words(b"accept-encoding") == ["gzip", "br"]
    assert first.origin is None
    assert not first.wants_close
    assert second.method == "HEAD"


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        (b"", []),
        (b"a, b", ["a", "b"]),
        (b"a;q=0.3, B ; q=0.7,c;q=0,d;q=0.000", ["b", "a"]),
        (b"a;level=1;q=0.1, b;q=0.2;x=y, c;q=.", ["c", "b", "a"]),
        (b"a;q=7, b;q=1.0", ["a", "b"]),
        (b";q=1,,", [""]),
    ],
)
def test_elements_come_by_their_weights(value: bytes, elements: list[str]) -> None:
    (request,) = requests_in(with_headers(b"Accept: " + value) if value else with_headers(), 0)
    assert request.weighted(b"accept") == elements


def test_a_part_of_a_request_is_none_yet() -> None:
    codec = HttpServerCodec()
    assert not codec.began
    assert codec.next_request() is None
    codec.receive_data(GET[:-1])
    assert codec.began
    assert not codec.ready
    assert codec.next_request() is None
    codec.receive_data(GET[-1:])
    assert codec.ready
    assert codec.next_request() is not None
    assert not codec.began


def test_what_comes_behind_an_upgrade_is_not_read_as_http() -> None:
    codec = HttpServerCodec()
    codec.receive_data(GET + b"\x81\x00\n\x00more")
    assert codec.next_request() is not None
    assert codec.switch() == b"\x81\x00\n\x00more"
    assert codec.next_request() is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(with_headers(b"Content-Length: 5"), 413, id="a body"),
        pytest.param(with_headers(b"Content-Length: 00"), 413, id="a length of another spelling"),
        pytest.param(with_headers(b"Content-Length: +0"), 400, id="a length with a sign"),
        pytest.param(with_headers(b"Content-Length: 0", b"Content-Length: 0"), 400, id="two equal lengths"),
        pytest.param(with_headers(b"Content-Length: 0, 0"), 413, id="two lengths in one"),
        pytest.param(with_headers(b"Content-Length: 0", b"content-length: 5"), 400, id="two lengths"),
        pytest.param(with_headers(b"Transfer-Encoding: chunked"), 413, id="chunked"),
        pytest.param(with_headers(b"Transfer-Encoding: xchunked"), 501, id="a strange coding"),
        pytest.param(with_headers(b"Transfer-Encoding:\tchunked", b"Content-Length: 0"), 400, id="both, TE first"),
        pytest.param(with_headers(b"Content-Length: 0", b"Transfer-Encoding: chunked"), 400, id="both, CL first"),
        pytest.param(with_headers(b"Transfer-Encoding : chunked"), 400, id="a blank before the colon"),
        pytest.param(with_headers(b" folded: 1"), 400, id="a folded line"),
        pytest.param(with_headers(b"A: 1\r\n\tContent-Length: 5"), 400, id="a folded line inside"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", 400, id="bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\nContent-Length: 5\r\n\r\n", 400, id="bare LF in a header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\rB: 2\r\n\r\n", 400, id="bare CR"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\x00\r\n\r\n", 400, id="NUL"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: \x7f\r\n\r\n", 400, id="DEL"),
        pytest.param(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="an empty line before"),
        pytest.param(b"\x00\x00\x00\x05hello\r\n\r\n", 400, id="a native frame"),
        pytest.param(with_headers(host=b""), 400, id="no host"),
        pytest.param(with_headers(b"Host: b"), 400, id="two hosts"),
        pytest.param(with_headers(host=b"Host: \r\n"), 400, id="an empty host"),
        pytest.param(with_headers(host=b"Host: a b\r\n"), 400, id="a blank in the host"),
        pytest.param(with_headers(host=b"Host: user@a\r\n"), 400, id="a user in the host"),
        pytest.param(with_headers(host=b"Host: a, b\r\n"), 400, id="a list of hosts"),
        pytest.param(with_headers(host=b"Host: a:0\r\n"), 400, id="port 0"),
        pytest.param(with_headers(host=b"Host: a:99999\r\n"), 400, id="no port"),
        pytest.param(with_headers(b"Origin: https://a", b"Origin: https://a"), 400, id="two origins"),
        pytest.param(with_headers(b"Expect: 100-continue"), 417, id="Expect"),
        pytest.param(with_headers(b": 1"), 400, id="a header without a name"),
        pytest.param(with_headers(b"A B: 1"), 400, id="a header with a blank in its name"),
        pytest.param(with_headers(b"nonsense"), 400, id="no header"),
        pytest.param(with_headers(line=b"POST / HTTP/1.1"), 405, id="POST"),
        pytest.param(with_headers(line=b"OPTIONS * HTTP/1.1"), 405, id="OPTIONS"),
        pytest.param(with_headers(line=b"CONNECT a:1 HTTP/1.1"), 405, id="CONNECT"),
        pytest.param(with_headers(line=b"BREW / HTTP/1.1"), 501, id="a strange method"),
        pytest.param(with_headers(line=b"get / HTTP/1.1"), 501, id="a small method"),
        pytest.param(with_headers(line=b"GET / HTTP/1.0"), 505, id="1.0"),
        pytest.param(with_headers(line=b"GET / HTTP/2.0"), 505, id="2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="the preface of HTTP/2"),
        pytest.param(with_headers(line=b"GET / HTTP/1.1 "), 400, id="a blank behind"),
        pytest.param(with_headers(line=b"GET  / HTTP/1.1"), 400, id="two blanks"),
        pytest.param(with_headers(line=b"GET\t/ HTTP/1.1"), 400, id="a tab"),
        pytest.param(with_headers(line=b"GET / http/1.1"), 400, id="small http"),
        pytest.param(b"GET /\r\n\r\n", 400, id="0.9"),
        pytest.param(with_headers(line=b"GET https://a/ HTTP/1.1"), 400, id="an absolute target"),
        pytest.param(with_headers(line=b"GET * HTTP/1.1"), 400, id="a star"),
        pytest.param(with_headers(line="GET /ä HTTP/1.1".encode()), 400, id="a target beyond ASCII"),
        pytest.param(b"GET /" + b"a" * HEAD_BYTES, 414, id="a long target"),
        pytest.param(with_headers(b"A: " + b"a" * HEAD_BYTES), 431, id="a long header"),
        pytest.param(with_headers(*[b"A: 1"] * MOST_HEADERS), 431, id="many headers"),
    ],
)
@pytest.mark.parametrize("size", [0, 1])
def test_what_is_no_request_is_an_error(data: bytes, status: int, size: int) -> None:
    error = refused(data, size)
    assert error.status == status
    assert error.sentence.endswith(".")
    assert error.sentence.isascii()


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"POST /api/x?" + b"a" * HEAD_BYTES, "/api/x"),
        (b"POST /api/" + b"a" * HEAD_BYTES, "/api/" + "a" * (HEAD_BYTES - len("POST /api/"))),
        (with_headers(b"A: " + b"a" * HEAD_BYTES, line=b"GET /api/x?y HTTP/1.1"), "/api/x"),
        (b"a" * HEAD_BYTES, None),
        (b"GET api/" + b"a" * HEAD_BYTES, None),
        (b"GET /api/x HTTP/1.1\r\nA: \0", "/api/x"),
        (b"GET /api/x\0y", "/api/x"),
        (b"\0GET /api/x", None),
    ],
    ids=["query", "path", "headers", "method", "no path", "a zero", "a zero in the path", "a zero at first"],
)
def test_what_is_no_whole_head_has_its_path_as_far_as_it_has_come(data: bytes, path: str | None, size: int) -> None:
    assert refused(data, size).path == path


def test_an_error_is_the_end() -> None:
    codec = HttpServerCodec()
    codec.receive_data(b"nonsense\r\n\r\n" + GET)
    for _ in range(2):
        codec.receive_data(GET)
        assert codec.ready
        with pytest.raises(HttpError):
            codec.next_request()
    assert codec.switch() == b""


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\nHost: a", b"GET / HTTP/1.1\r\nA: 1\rB", b"\x16\x03", b"\x00"])
def test_what_cannot_become_a_request_is_refused_at_once(data: bytes, size: int) -> None:
    assert refused(data, size).status == 400


def test_lengths_are_exact() -> None:
    rest = len(with_headers(b"A: "))
    assert len(requests_in(with_headers(b"A: " + b"a" * (HEAD_BYTES - rest)))) == 1
    assert refused(with_headers(b"A: " + b"a" * (HEAD_BYTES - rest + 1))).status == 431
    assert len(requests_in(with_headers(*[b"A: 1"] * (MOST_HEADERS - 1)))) == 1


def test_headers_may_have_what_other_services_put_into_cookies() -> None:
    (request,) = requests_in(with_headers("Cookie: a=\x80ä".encode("iso-8859-1")))
    assert request.words(b"cookie") == ["a=\x80ä"]


def test_a_length_of_zero_is_no_body() -> None:
    assert len(requests_in(with_headers(b"Content-Length: 0"))) == 1


@pytest.mark.parametrize("value", [b"close", b"Keep-Alive, Close", b"close , upgrade"])
def test_a_client_may_ask_for_the_end(value: bytes) -> None:
    (request,) = requests_in(with_headers(b"Connection: " + value))
    assert request.wants_close


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", Authority("a", 443)),
        ("A.B.", Authority("a.b", 443)),
        ("192.0.2.1:80", Authority("192.0.2.1", 80)),
        ("[FD00::1]:8443", Authority("fd00::1", 8443)),
        ("[::1]", Authority("::1", 443)),
        ("fd00::1", None),
        ("[::1", None),
        ("a:", None),
        ("a:x", None),
        ("a:65536", None),
        (".", None),
        ("", None),
        ("a/b", None),
        ("a\n", None),
        ("ａ", None),
        ("a:１", None),
    ],
)
def test_hosts(text: str, expected: Authority | None) -> None:
    assert authority(text) == expected


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        (None, True),
        (b"https://a", True),
        (b"https://A:443", True),
        (b"HTTPS://a.", True),
        (b"https://a:8443", False),
        (b"http://a", False),
        (b"https://b", False),
        (b"null", False),
        (b"", False),
        (b"a", False),
        (b"https://a/", False),
        (b"https://a https://a", False),
        (b"https://user@a", False),
    ],
)
def test_origins(origin: bytes | None, same: bool) -> None:
    (request,) = requests_in(with_headers(*([b"Origin: " + origin] if origin is not None else [])))
    assert is_same_origin(request) is same


def test_h11_reads_the_answers() -> None:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    head = response_head(200, [("Content-Type", "text/plain"), (b"ETag", b'"1"')])
    client.receive_data(response(head, b"hello", date="Sun, 29 Nov 2026 12:00:00 GMT", closes=True))
    answer = client.next_event()
    assert isinstance(answer, h11.Response)
    assert answer.status_code == 200
    assert dict(answer.headers) == {
        b"content-type": b"text/plain",
        b"etag": b'"1"',
        b"date": b"Sun, 29 Nov 2026 12:00:00 GMT",
        b"content-length": b"5",
        b"connection": b"close",
    }
    body = client.next_event()
    assert isinstance(body, h11.Data)
    assert body.data == b"hello"
    assert isinstance(client.next_event(), h11.EndOfMessage)


def test_an_answer_to_head_tells_the_length_and_has_no_body() -> None:
    head = response_head(200, [])
    assert response(head, b"hello", is_head=True) == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    assert response(response_head(304, []), b"", has_body=False) == b"HTTP/1.1 304 Not Modified\r\n\r\n"
    assert response_head(101, [("Upgrade", "websocket")]).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")


def test_an_answer_with_a_broken_header_is_a_bug() -> None:
    for name, value in (("A", "1\r\nB: 2"), ("A", ""), ("A ", "1"), ("A", "1 "), ("A", "1\n"), ("", "1"), ("A", "\0")):
        with pytest.raises(ValueError, match="a header"):
            response_head(200, [(name, value)])
