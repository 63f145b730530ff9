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
from securechat.translation import N_, Sentence

SCHEME = "securechat://"
TOKEN_DIGITS = 32
CA_DIGITS = 64
_ONCE, _OFTEN = "join-once", "join"
_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_HOST = re.compile(r"[\w.-]{1,253}")
_INVITE_CUT_OFF = N_(
    "The link is cut off: its invite has {given} of {whole} characters; "
    "copy the whole link, from securechat:// to its end"
)
_INVITE_DAMAGED = N_(
    "The link's invite is damaged: it must have {whole} hexadecimal digits; "
    "copy the whole link, from securechat:// to its end and no further"
)
_FINGERPRINT_CUT_OFF = N_(
    "The link is cut off: its fingerprint has {given} of {whole} characters; "
    "copy the whole link, from securechat:// to its end"
)
_FINGERPRINT_DAMAGED = N_(
    "The link's fingerprint is damaged: it must have {whole} hexadecimal digits; "
    "copy the whole link, from securechat:// to its end and no further"
)


class BadLink(SecurechatError):
    """The text is not a valid invite link.

    Args:
        sentence: what is wrong with it and what to do, without the secret parts of the link.
        cut_off: whether it is the beginning of a link, so that more may follow.
    """

    def __init__(self, sentence: Sentence, *, cut_off: bool = False) -> None:
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
            raise BadLink(
                Sentence(
                    "The link is cut off: it ends before the server's address; "
                    "copy the whole link, from securechat:// to its end"
                ),
                cut_off=True,
            )
        raise BadLink(Sentence("This is no invite link; one begins with securechat://"))
    where, slash, path = text[len(SCHEME) :].partition("/")
    if not slash:
        raise BadLink(
            Sentence(
                "The link is cut off: it ends within the server's address; "
                "copy the whole link, from securechat:// to its end"
            ),
            cut_off=True,
        )
    host, port = _address(where)
    kind, *parts = path.split("/")
    if kind not in {_ONCE, _OFTEN} or not parts:
        if not parts and _ONCE.startswith(kind):
            raise BadLink(
                Sentence(
                    "The link is cut off: it ends behind the server's address; "
                    "copy the whole link, from securechat:// to its end"
                ),
                cut_off=True,
            )
        raise BadLink(Sentence("The link is of a kind that this version does not know; install a newer client"))
    token = _digits(parts[0], TOKEN_DIGITS, _INVITE_DAMAGED, cut_off=_INVITE_CUT_OFF if len(parts) == 1 else None)
    if len(parts) == 1:
        raise BadLink(
            Sentence(
                "The link is cut off: the fingerprint of the server's CA is missing; "
                "copy the whole link, from securechat:// to its end"
            ),
            cut_off=True,
        )
    authority = _digits("/".join(parts[1:]), CA_DIGITS, _FINGERPRINT_DAMAGED, cut_off=_FINGERPRINT_CUT_OFF)
    return InviteLink(host, port, token, f"sha256:{authority}", kind == _ONCE)


def _bare(raw: str) -> str:
    return _LINE_BREAK.sub("", raw.strip().removeprefix("<").removesuffix(">").strip())


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1]):
        host = host[1:-1]
    elif not colon or not _HOST.fullmatch(host):
        raise BadLink(
            Sentence(
                "The link's server address is damaged: it must be HOST:PORT or [IPv6]:PORT; "
                "copy the whole link, from securechat:// to its end"
            )
        )
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise BadLink(
            Sentence("The link's port is no number from 1 to 65535; copy the whole link, from securechat:// to its end")
        )
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _digits(text: str, count: int, damaged: str, *, cut_off: str | None) -> str:
    """Check the number of digits of a part of the link.

    Args:
        text: the part.
        count: the digits that it must have.
        damaged: the sentence for other ones.
        cut_off: the sentence for fewer; None where more of the link follows.
    """
    hexadecimal = re.fullmatch(r"[0-9a-f]*", text.lower()) is not None and text.isascii()
    if hexadecimal and len(text) < count and cut_off is not None:
        raise BadLink(Sentence.of(cut_off, {"given": len(text), "whole": count}), cut_off=True)
    if not hexadecimal or len(text) != count:
        raise BadLink(Sentence.of(damaged, {"whole": count}))
    return text.lower()
