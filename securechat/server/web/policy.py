"""The headers of every answer, which tell a browser the rules of this origin; and the hosts that are answered for.

The headers stand on everything, errors too. No answer sets a cookie: cookies know no ports, so any other service of
the machine would get them. None has Strict-Transport-Security: it would end the way past the warning about an unknown
CA, for every port of the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from securechat.tls.hostnames import Names, parse_name
from securechat.wire.http import Headers, HttpError, Request, is_same_origin, response, response_head

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types worker"
)
_DENIED_FEATURES = (
    "accelerometer", "camera", "display-capture", "encrypted-media", "fullscreen", "gamepad",
    "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi",
    "payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb",
    "xr-spatial-tracking",
)  # fmt: skip
"""Of the Permissions Policy; a name that Chromium does not know would be a warning in its console."""

SECURITY_HEADERS: Headers = (
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", ", ".join(f"{feature}=()" for feature in _DENIED_FEATURES)),
)


_KEPT_HOSTS = 16
"""Judgements that are kept: each takes 8 us, and the clients of a server call it by few names."""


class Hosts:
    """The hosts that this server answers for.

    A page of another host, whose name was made to lead here (DNS rebinding), gets nothing. The port is not judged: it
    is another one behind a forwarded port or a proxy, and a page of another port is another origin, which Origin tells.

    Args:
        certificate: its names.
        more: of the setting `web_hosts`.
    """

    def __init__(self, certificate: Names, more: Iterable[str] = ()) -> None:
        self._names = certificate
        for text in more:
            self._names |= parse_name(text)
        self._cover = lru_cache(_KEPT_HOSTS)(self._names.cover)

    def expect_ours(self, request: Request) -> None:
        """Check a request's Host and Origin.

        Raises:
            HttpError: 421 or 403.
        """
        if not self._cover(request.host.host):
            raise HttpError(421, "This server answers only to the names in its certificate; open it by one of them.")
        if not is_same_origin(request):
            raise HttpError(403, "Another page may not ask this server.")


def error_answer(error: HttpError, *, date: str, is_head: bool = False) -> bytes:
    """Return an error as an answer: its sentence, behind which the connection ends."""
    body = f"{error.sentence}\n".encode()
    head = response_head(
        error.status,
        (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store"),
            *error.headers,
            *SECURITY_HEADERS,
        ),
    )
    return response(head, body, date=date, closes=True, is_head=is_head)
