"""Headers of files: names of strangers stay names, and only the server's own pictures are shown."""

from __future__ import annotations

import email.message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.server.web.file_headers import content_disposition, file_headers
from securechat.wire.http import response_head


def read(header: str) -> tuple[str, str | None]:
    """Kind and name, as browsers read them: ``filename*`` before ``filename`` (RFC 6266, section 4.3)."""
    message = email.message.Message()
    message["Content-Disposition"] = header
    plain = header.partition("; filename=")[0] + "".join(header.partition("; filename*")[1:])
    if "filename*" in header:
        del message["Content-Disposition"]
        message["Content-Disposition"] = plain
    return message.get_content_disposition() or "", message.get_filename()


@pytest.mark.parametrize(
    "name",
    ["report.pdf", "a b.txt", 'a"b.txt', "a\\b", "laporan harian é.pdf", "図.png", "100%.txt", "a;b=c.txt", "'", "*"],
)
def test_a_name_is_read_as_it_is(name: str) -> None:
    assert read(content_disposition(name, is_inline=False)) == ("attachment", name)


@given(name=st.text(min_size=1, max_size=60))
def test_every_name_makes_a_header(name: str) -> None:
    header = content_disposition(name, is_inline=True)
    assert header.isascii()
    assert header.isprintable()
    assert response_head(200, [("Content-Disposition", header)])
    assert header.startswith('inline; filename="')
    assert header.count('"') == 2


def test_what_the_server_did_not_write_is_saved_as_bytes_of_no_type() -> None:
    headers = dict(file_headers("x.svg", None, '"e"'))
    assert headers["Content-Type"] == "application/octet-stream"
    assert str(headers["Content-Disposition"]).startswith("attachment;")


@pytest.mark.parametrize("picture_type", [None, "image/webp"])
def test_nothing_of_it_runs(picture_type: str | None) -> None:
    headers = dict(file_headers("x", picture_type, '"e"'))
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert str(headers["Cache-Control"]).startswith("private")
    assert headers["Content-Type"] == (picture_type or "application/octet-stream")
