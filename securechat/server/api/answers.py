"""Answers of the API as bytes: status, the short rules of this origin, JSON."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from securechat.wire.http import Headers, Request, response, response_head

JSON = "application/json"
RULES: Headers = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)
"""What a browser that is led here must know; no page is among these answers, so the rest says nothing."""


class ApiAnswer(Struct, frozen=True):
    """One answer.

    Attributes:
        status: of the status line.
        head: status line and headers.
        body: its JSON.
    """

    status: int
    head: bytes
    body: bytes

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer as bytes; see `securechat.wire.http.response`."""
        return response(self.head, self.body, date=date, closes=closes, is_head=request.method == "HEAD")


@lru_cache(maxsize=64)
def _head(status: int, content_type: str, headers: Headers) -> bytes:
    return response_head(status, (("Content-Type", content_type), *RULES, *headers))


def answer(
    status: int, body: bytes, content_type: str = JSON, headers: tuple[tuple[str, str] | tuple[bytes, bytes], ...] = ()
) -> ApiAnswer:
    """Return an answer; heads are made once."""
    return ApiAnswer(status, _head(status, content_type, headers), body)
