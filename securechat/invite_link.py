"""Invite links: a server's address, an invite token, and the fingerprint of its CA, in one URL.

``https://HOST:PORT/#join-once/TOKEN/CA`` for one use, ``#join/`` for several: a browser opens it, and sends nothing of
what stands behind the ``#`` (RFC 9110 section 7.1). ``securechat://HOST:PORT/join-once/TOKEN/CA`` is the form of a
server without a web client. TOKEN is 32 hexadecimal digits, CA the SHA-256 of the CA certificate in 64; the https form
has none where the CAs of every machine verify the server. An IPv6 address stands in brackets. Until it is used, a link
is as secret as a password.

Parsing is strict, because a link decides which server is trusted; but it tolerates the changes that mail and chat
programs make: surrounding white space and angle brackets, a line break in the middle, and ``%23`` for the ``#``. Uses
no network and no file.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from securechat.errors import SecurechatError
from securechat.translation import N_, Sentence

SCHEME = "securechat://"
WEB_SCHEME = "https://"
_WEB_PORT = 443
TOKEN_DIGITS = 32
CA_DIGITS = 64
_ONCE, _OFTEN = "join-once", "join"
_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_PARTS_OF_URL = re.compile(r"([^/?#]*)([^#]*)(#?)(.*)", re.DOTALL)
_HOST = re.compile(r"[\w.-]{1,253}")
_INVITE_CUT_OFF = N_(
    "The link is cut off: its invite has {given} of {whole} characters; copy the whole link, from {scheme} to its end"
)
_INVITE_DAMAGED = N_(
    "The link's invite is damaged: it must have {whole} hexadecimal digits; "
    "copy the whole link, from {scheme} to its end and no further"
)
_FINGERPRINT_CUT_OFF = N_(
    "The link is cut off: its fingerprint has {given} of {whole} characters; "
    "copy the whole link, from {scheme} to its end"
)
_FINGERPRINT_DAMAGED = N_(
    "The link's fingerprint is damaged: it must have {whole} hexadecimal digits; "
    "copy the whole link, from {scheme} to its end and no further"
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
        ca_fingerprint: ``sha256:`` and 64 lower-case hexadecimal digits, as for ``--pin``; None where the machine's own
            CAs verify the server.
        once: whether the invite is for a single account.
    """

    host: str
    port: int
    token: str = field(repr=False)
    ca_fingerprint: str | None
    once: bool


def format_link(link: InviteLink) -> str:
    """Format a link for the terminal; `parse_link` reverses it. Its CA's fingerprint must be known."""
    assert link.ca_fingerprint is not None
    return f"{SCHEME}{_endpoint(link)}/{_rest(link)}"


def format_web_link(link: InviteLink) -> str:
    """Format a link for browsers, which the terminal takes too; `parse_link` reverses it."""
    return f"{WEB_SCHEME}{_endpoint(link)}/#{_rest(link)}"


def _endpoint(link: InviteLink) -> str:
    host = f"[{link.host}]" if ":" in link.host else link.host
    return f"{host}:{link.port}"


def _rest(link: InviteLink) -> str:
    kind = _ONCE if link.once else _OFTEN
    authority = f"/{link.ca_fingerprint.removeprefix('sha256:')}" if link.ca_fingerprint is not None else ""
    return f"{kind}/{link.token}{authority}"


def looks_like_link(text: str) -> bool:
    """Tell whether a text is meant as a link, valid or not; an https address alone is none."""
    text = _bare(text).lower()
    return text.startswith(SCHEME) or (text.startswith(WEB_SCHEME) and "#" in text)


def parse_link(raw: str) -> InviteLink:
    """Parse a link of either form.

    Args:
        raw: the link as pasted.

    Raises:
        BadLink: its sentence says what is missing or wrong.
    """
    text = _bare(raw)
    scheme = next((each for each in (SCHEME, WEB_SCHEME) if text.lower().startswith(each)), None)
    if scheme is None:
        begun = next((each for each in (SCHEME, WEB_SCHEME) if text and each.startswith(text.lower())), None)
        if begun is not None:
            raise BadLink(
                Sentence(
                    "The link is cut off: it ends before the server's address; "
                    "copy the whole link, from {scheme} to its end",
                    scheme=begun,
                ),
                cut_off=True,
            )
        raise _no_link()
    where, path = _split(text[len(scheme) :], scheme)
    host, port = _address(where, scheme)
    kind, *parts = path.split("/")
    if kind not in {_ONCE, _OFTEN} or not parts:
        if not parts and _ONCE.startswith(kind):
            raise BadLink(
                Sentence(
                    "The link is cut off: it ends behind the server's address; "
                    "copy the whole link, from {scheme} to its end",
                    scheme=scheme,
                ),
                cut_off=True,
            )
        raise BadLink(Sentence("The link is of a kind that this version does not know; install a newer client"))
    ends = len(parts) == 1
    token = _digits(parts[0], TOKEN_DIGITS, _INVITE_DAMAGED, scheme, cut_off=_INVITE_CUT_OFF if ends else None)
    if ends:
        if scheme == WEB_SCHEME:
            return InviteLink(host, port, token, None, kind == _ONCE)
        raise BadLink(
            Sentence(
                "The link is cut off: the fingerprint of the server's CA is missing; "
                "copy the whole link, from {scheme} to its end",
                scheme=scheme,
            ),
            cut_off=True,
        )
    authority = _digits("/".join(parts[1:]), CA_DIGITS, _FINGERPRINT_DAMAGED, scheme, cut_off=_FINGERPRINT_CUT_OFF)
    return InviteLink(host, port, token, f"sha256:{authority}", kind == _ONCE)


def _split(rest: str, scheme: str) -> tuple[str, str]:
    """Split what follows the scheme into the server's address and the invite."""
    if scheme == WEB_SCHEME:
        where, path, hash_sign, invite = _matched(rest.replace("%23", "#", 1))
        if path not in ("", "/"):
            raise _no_link()
        if path or hash_sign:
            return where, invite
    else:
        where, slash, invite = rest.partition("/")
        if slash:
            return where, invite
    raise BadLink(
        Sentence(
            "The link is cut off: it ends within the server's address; copy the whole link, from {scheme} to its end",
            scheme=scheme,
        ),
        cut_off=True,
    )


def _matched(rest: str) -> tuple[str, ...]:
    found = _PARTS_OF_URL.fullmatch(rest)
    assert found is not None, "it matches every text"
    return found.groups()


def _no_link() -> BadLink:
    return BadLink(Sentence("This is no invite link; one begins with https:// or securechat://"))


def _bare(raw: str) -> str:
    return _LINE_BREAK.sub("", raw.strip().removeprefix("<").removesuffix(">").strip())


def _address(text: str, scheme: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if scheme == WEB_SCHEME and (not colon or text.endswith("]")):
        host, colon, port = text, ":", str(_WEB_PORT)
    if host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1]):
        host = host[1:-1]
    elif not colon or not _HOST.fullmatch(host):
        raise BadLink(
            Sentence(
                "The link's server address is damaged: it must be HOST:PORT or [IPv6]:PORT; "
                "copy the whole link, from {scheme} to its end",
                scheme=scheme,
            )
        )
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise BadLink(
            Sentence(
                "The link's port is no number from 1 to 65535; copy the whole link, from {scheme} to its end",
                scheme=scheme,
            )
        )
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _digits(text: str, count: int, damaged: str, scheme: str, *, cut_off: str | None) -> str:
    """Check the number of digits of a part of the link.

    Args:
        text: the part.
        count: the digits that it must have.
        damaged: the sentence for other ones.
        scheme: how the link begins.
        cut_off: the sentence for fewer; None where more of the link follows.
    """
    hexadecimal = re.fullmatch(r"[0-9a-f]*", text.lower()) is not None and text.isascii()
    if hexadecimal and len(text) < count and cut_off is not None:
        raise BadLink(Sentence.of(cut_off, {"given": len(text), "whole": count, "scheme": scheme}), cut_off=True)
    if not hexadecimal or len(text) != count:
        raise BadLink(Sentence.of(damaged, {"whole": count, "scheme": scheme}))
    return text.lower()
