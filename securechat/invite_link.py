"""Invite links: a server's address, the fingerprint of its CA, and an invite token, in one URL.

``securechat://HOST:PORT/join-once/TOKEN/CA`` for one use, ``/join/`` for several. TOKEN is 32 hexadecimal digits, CA
the SHA-256 of the CA certificate in 64. An IPv6 address stands in brackets. Until it is used, a link is as secret as a
password.

Parsing is strict, because a link decides which server is trusted; but it tolerates the changes that mail and chat
programs make: surrounding white space and angle brackets, and a line break in the middle. Uses no network and no file.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from securechat.errors import SecurechatError

SCHEME = "securechat://"
TOKEN_DIGITS = 32
CA_DIGITS = 64
_ONCE, _OFTEN = "join-once", "join"
_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_HOST = re.compile(r"[\w.-]{1,253}")
_AGAIN = "copy the whole link, from securechat:// to its end"


class BadLink(SecurechatError):
    """The text is not a valid invite link.

    Args:
        sentence: what is wrong with it and what to do, without the secret parts of the link.
        cut_off: whether it is the beginning of a link, so that more may follow.
    """

    def __init__(self, sentence: str, *, cut_off: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.cut_off = cut_off


@dataclass(frozen=True, slots=True)
class InviteLink:
    """The parts of an invite link.

    Attributes:
        host: name or address, without brackets.
        port: TCP port.
        token: the invite, 32 lower-case hexadecimal digits.
        ca_fingerprint: ``sha256:`` and 64 lower-case hexadecimal digits, as for ``--pin``.
        once: whether the invite is for a single account.
    """

    host: str
    port: int
    token: str = field(repr=False)
    ca_fingerprint: str
    once: bool


def format_link(link: InviteLink) -> str:
    """Format a link as text; `parse_link` reverses it."""
    host = f"[{link.host}]" if ":" in link.host else link.host
    kind = _ONCE if link.once else _OFTEN
    return f"{SCHEME}{host}:{link.port}/{kind}/{link.token}/{link.ca_fingerprint.removeprefix('sha256:')}"


def looks_like_link(text: str) -> bool:
    """Tell whether a text is meant as a link, valid or not."""
    return _bare(text).lower().startswith(SCHEME)


def parse_link(raw: str) -> InviteLink:
    """Parse a link.

    Args:
        raw: the link as pasted.

    Raises:
        BadLink: its sentence says what is missing or wrong.
    """
    text = _bare(raw)
    if not text.lower().startswith(SCHEME):
        if text and SCHEME.startswith(text.lower()):
            raise _cut_off("it ends before the server's address")
        raise BadLink(f"this is no invite link; one begins with {SCHEME}")
    where, slash, path = text[len(SCHEME) :].partition("/")
    if not slash:
        raise _cut_off("it ends within the server's address")
    host, port = _address(where)
    kind, *parts = path.split("/")
    if kind not in {_ONCE, _OFTEN} or not parts:
        if not parts and _ONCE.startswith(kind):
            raise _cut_off("it ends behind the server's address")
        raise BadLink("the link is of a kind that this version does not know; install a newer client")
    token = _digits(parts[0], TOKEN_DIGITS, "invite", last=len(parts) == 1)
    if len(parts) == 1:
        raise _cut_off("the fingerprint of the server's CA is missing")
    authority = _digits("/".join(parts[1:]), CA_DIGITS, "fingerprint", last=True)
    return InviteLink(host, port, token, f"sha256:{authority}", kind == _ONCE)


def _bare(raw: str) -> str:
    return _LINE_BREAK.sub("", raw.strip().removeprefix("<").removesuffix(">").strip())


def _cut_off(what: str) -> BadLink:
    return BadLink(f"the link is cut off: {what}; {_AGAIN}", cut_off=True)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1]):
        host = host[1:-1]
    elif not colon or not _HOST.fullmatch(host):
        raise BadLink(f"the link's server address is damaged: it must be HOST:PORT or [IPv6]:PORT; {_AGAIN}")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise BadLink(f"the link's port is no number from 1 to 65535; {_AGAIN}")
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _digits(text: str, count: int, what: str, *, last: bool) -> str:
    """Check the number of digits of a part of the link; only the ``last`` part can be cut off."""
    hexadecimal = re.fullmatch(r"[0-9a-f]*", text.lower()) is not None and text.isascii()
    if hexadecimal and len(text) < count and last:
        raise _cut_off(f"its {what} has {len(text)} of {count} characters")
    if not hexadecimal or len(text) != count:
        raise BadLink(f"the link's {what} is damaged: it must have {count} hexadecimal digits; {_AGAIN} and no further")
    return text.lower()
