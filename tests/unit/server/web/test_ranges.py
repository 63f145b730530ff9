"""Parts of files: one range is answered, several and wrong ones with the whole, and a known file with nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.server.web.ranges import SelectedRange, select
from securechat.wire.http import Authority, Request

ETAG = '"ab12"'


def selected(
    range_: str | bytes | None = None,
    *,
    size: int = 10,
    method: str = "GET",
    if_range: str | None = None,
    known: str | None = None,
) -> SelectedRange:
    headers: list[tuple[bytes, bytes]] = []
    if range_ is not None:
        headers.append((b"range", range_ if isinstance(range_, bytes) else range_.encode()))
    if if_range is not None:
        headers.append((b"if-range", if_range.encode()))
    if known is not None:
        headers.append((b"if-none-match", known.encode()))
    return select(Request(method, "/f", Authority("a", 443), None, tuple(headers)), size, ETAG)


def content_range(found: SelectedRange) -> str | None:
    return next((str(value) for name, value in found.headers if name == "Content-Range"), None)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=0-", 0, 9),
        ("bytes=9-", 9, 9),
        ("bytes=3-5", 3, 5),
        ("bytes=3-99", 3, 9),
        ("bytes=-1", 9, 9),
        ("bytes=-10", 0, 9),
        ("bytes=-99", 0, 9),
        ("BYTES=3-5", 3, 5),
        ("bytes=3-5,", 3, 5),
        ("bytes=, 3-5 ,", 3, 5),
        ("bytes=0003-0005", 3, 5),
        ("bytes=3-" + "9" * 5_000, 3, 9),
        ("bytes=-" + "9" * 5_000, 0, 9),
    ],
)
def test_one_range_is_answered(asked: str, first: int, last: int) -> None:
    found = selected(asked)
    assert (found.status, found.offset, found.size_bytes) == (206, first, last - first + 1)
    assert content_range(found) == f"bytes {first}-{last}/10"


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=99-", "bytes=-0", "bytes=" + "9" * 5_000 + "-"])
def test_what_is_behind_the_end_is_refused_with_the_size(asked: str) -> None:
    found = selected(asked)
    assert (found.status, found.size_bytes, content_range(found)) == (416, 0, "bytes */10")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-3", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=--1", "bytes=1-2-3", "bytes=+1-2",
        "bytes=0x1-2", "bytes 0-1", "items=0-1", "=0-1", "0-1", "", "bytes=0-1,3-4", "bytes=0-0,-1", "bytes=0 - 1",
        b"bytes=\xb2-\xb3",
    ],
)  # fmt: skip
def test_what_is_no_range_or_several_is_answered_with_the_whole(asked: str | bytes) -> None:
    found = selected(asked)
    assert (found.status, found.offset, found.size_bytes, content_range(found)) == (200, 0, 10, None)


def test_two_headers_are_several_ranges() -> None:
    headers = ((b"range", b"bytes=0-1"), (b"range", b"bytes=0-1"))
    assert select(Request("GET", "/f", Authority("a", 443), None, headers), 10, ETAG).status == 200


def test_a_head_has_no_range() -> None:
    found = selected("bytes=3-5", method="HEAD")
    assert (found.status, found.size_bytes) == (200, 10)
    assert selected("bytes=99-", method="HEAD").status == 200


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-"])
def test_an_empty_file_has_no_ranges(asked: str) -> None:
    found = selected(asked, size=0)
    assert (found.status, found.size_bytes) == (200, 0)


@pytest.mark.parametrize(
    ("given_etag", "status"),
    [
        (ETAG, 206),
        ('"other"', 200),
        (f"W/{ETAG}", 200),
        ("ab12", 200),
        ("Mon, 30 Nov 2026 00:00:00 GMT", 200),
        ("*", 200),
        (f"{ETAG}, {ETAG}", 200),
    ],
)
def test_a_range_of_another_file_is_answered_with_the_whole(given_etag: str, status: int) -> None:
    assert selected("bytes=3-5", if_range=given_etag).status == status
    assert selected(if_range=given_etag).status == 200


@pytest.mark.parametrize(
    ("known", "status"),
    [
        (ETAG, 304),
        (f"W/{ETAG}", 304),
        ("*", 304),
        (f'"x", {ETAG}', 304),
        ('"x"', 200),
        ("ab12", 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_is_told_so(known: str, status: int, method: str) -> None:
    assert selected(known=known, method=method).status == status


def test_who_has_it_is_told_so_before_the_range_is_looked_at() -> None:
    assert selected("bytes=99-", known=ETAG).status == 304
    assert selected("bytes=3-5", known='"x"').status == 206


@given(size=st.integers(1, 50), first=st.integers(0, 60), length=st.integers(1, 60))
def test_a_range_is_the_slice_that_python_takes(size: int, first: int, length: int) -> None:
    whole = bytes(range(size))
    found = selected(f"bytes={first}-{first + length - 1}", size=size)
    part = whole[first : first + length]
    assert found.status == (206 if part else 416)
    assert whole[found.offset : found.offset + found.size_bytes] == part or not part


@given(size=st.integers(1, 50), length=st.integers(1, 60))
def test_a_suffix_is_the_slice_that_python_takes(size: int, length: int) -> None:
    whole = bytes(range(size))
    found = selected(f"bytes=-{length}", size=size)
    assert found.status == 206
    assert whole[found.offset : found.offset + found.size_bytes] == whole[-length:]


@given(
    value=st.one_of(st.binary(max_size=30), st.from_regex(rb"bytes=[0-9,\- ]{0,20}\Z")),
    size=st.integers(0, 40),
    method=st.sampled_from(["GET", "HEAD"]),
)
def test_whatever_is_asked_the_answer_is_a_part_of_the_file(value: bytes, size: int, method: str) -> None:
    found = selected(value, size=size, method=method)
    assert 0 <= found.offset <= found.offset + found.size_bytes <= size
    if found.status == 200:
        assert (found.offset, found.size_bytes) == (0, size)
    elif found.status == 206:
        assert found.size_bytes > 0
        last = found.offset + found.size_bytes - 1
        assert content_range(found) == f"bytes {found.offset}-{last}/{size}"
    else:
        assert found.status == 416
        assert content_range(found) == f"bytes */{size}"
    assert method == "GET" or found.status == 200
