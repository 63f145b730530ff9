"""The headers of a file that a stranger has sent: nothing of it runs, and no type is guessed, wherever it is opened."""

from __future__ import annotations

from urllib.parse import quote

from securechat.text.file_types import UNKNOWN_TYPE
from securechat.wire.http import Headers

FILE_SECURITY_HEADERS: Headers = (
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""In place of those of pages (`securechat.server.web.policy`), on every answer under the paths of files."""
_KEPT = "private, max-age=31536000, immutable"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ")


def file_headers(name: str, picture_type: str | None, etag: str) -> Headers:
    """Return the headers of 200, 206 and 304 that tell what a file is, and how it may be used.

    Args:
        name: under which it is saved; as `securechat.text.file_names.clean_name` leaves it.
        picture_type: of a picture that this server has written: shown where it stands. None for every other file: it
            is saved, as bytes of no type.
        etag: in its quotation marks.
    """
    return (
        ("Content-Type", picture_type or UNKNOWN_TYPE),
        ("Content-Disposition", content_disposition(name, is_inline=picture_type is not None)),
        ("ETag", etag),
        ("Cache-Control", _KEPT),
        *FILE_SECURITY_HEADERS,
    )


def content_disposition(name: str, *, is_inline: bool) -> str:
    """Return the header that names a file (RFC 6266): plain for programs of before, and whole (RFC 8187).

    Args:
        name: any text.
        is_inline: whether it is shown where it stands; else it is saved.
    """
    kind = "inline" if is_inline else "attachment"
    plain = "".join(each if each in _PLAIN else "_" for each in name).strip() or "_"
    if plain == name:
        return f'{kind}; filename="{plain}"'
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
