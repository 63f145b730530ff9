"""Parses and judges the URL of a webhook when it is set; pure.

The address itself is judged before each delivery (`networks`), because a name can lead elsewhere by then. What is
refused here is what no delivery could go to, and what two programs could read differently: userinfo, fragments,
characters that must be encoded.

A URL's path and query are a secret for many receivers, so no error and no repr has them.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from msgspec import Struct

from securechat.server.outgoing.networks import IpAddress, NetworkPolicy
from securechat.tls.hostnames import parse_name
from securechat.translation import Sentence

SETTING: Final = "webhook_networks"
"""The setting of the server that names networks."""
MOST_URL_CHARS: Final = 2_000
"""Of a URL; those of Slack and Discord have some 120."""
_HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80
_MOST_PORT: Final = 65_535
_URL = re.compile(
    r"(?i:(?P<scheme>[a-z][a-z0-9+.-]*)://)(?P<authority>[^/?#]*)(?P<target>[^#]*)(?P<fragment>#.*)?", re.DOTALL
)
"""RFC 3986, appendix B, for what has an authority."""
_TARGET = re.compile(r"(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9\-._~!$&'()*+,;=:@/?])*")
"""Path and query of RFC 3986, sections 3.3 and 3.4."""
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE | re.DOTALL)
"""A host that ends in a number is an IPv4 address (WHATWG URL, "ends in a number checker"): browsers read 0x7f000001,
127.1 and 0177.0.0.1 as 127.0.0.1, and so do resolvers (inet_aton(3))."""


class DestinationInvalid(ValueError):
    """No webhook can be delivered to a URL. The sentence says why, and has neither its path nor its query."""


class Destination(Struct, frozen=True):
    """Where a webhook is delivered. Its repr shows neither path nor query.

    Attributes:
        encrypted: https; otherwise plain http.
        host: a name in lower case (A-labels), or an address without brackets.
        port: TCP port.
        target: path and query, as they are sent.
    """

    encrypted: bool
    host: str
    port: int
    target: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.origin}/...)"

    @property
    def origin(self) -> str:
        """Scheme, host and port, which are no secret; the scheme's own port is left out."""
        return f"{'https' if self.encrypted else 'http'}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as in the header ``Host`` (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (_HTTPS_PORT if self.encrypted else _HTTP_PORT) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL; a secret."""
        return self.origin + self.target

    @property
    def address(self) -> IpAddress | None:
        """The host, where it is an address and no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def parse_destination(url: str, policy: NetworkPolicy) -> Destination:
    """Parse the URL of a webhook, and judge what can be judged without asking the resolver.

    Args:
        url: as a person pastes it; spaces around it are forgiven.
        policy: where webhooks may be delivered.

    Raises:
        DestinationInvalid: it is no URL of http or https, or too long; it has userinfo, a fragment, a host or port that
            is none, or characters that must be encoded; it is http and no network is named; its host is an address
            that is not allowed, that no machine can have, or that is written in another way than with four decimal
            numbers.
    """
    bare = url.strip()
    if len(bare) > MOST_URL_CHARS:
        raise DestinationInvalid(
            Sentence(
                "A webhook's URL has at most {most} characters, and this one has {count}",
                most=MOST_URL_CHARS,
                count=len(bare),
            )
        )
    found = _URL.fullmatch(bare)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in ("https", "http"):
        raise DestinationInvalid(Sentence("A webhook's URL begins with https://"))
    if "@" in found["authority"]:
        raise DestinationInvalid(
            Sentence(
                "A webhook's URL must not have a user name or password; the receiver knows the server by the signature"
            )
        )
    if found["fragment"] is not None:
        raise DestinationInvalid(
            Sentence("A webhook's URL must not have a # in it; what stands behind one is never sent")
        )
    if not _TARGET.fullmatch(found["target"]):
        raise DestinationInvalid(
            Sentence(
                "The path of a webhook's URL has characters that must be written as %XX, "
                "such as spaces and letters with accents"
            )
        )
    encrypted = scheme == "https"
    host, port = _host_and_port(found["authority"], _HTTPS_PORT if encrypted else _HTTP_PORT)
    target = found["target"]
    made = Destination(encrypted, host, port, target if target.startswith("/") else f"/{target}")
    _expect_allowed(made, policy)
    return made


def _host_and_port(authority: str, usual_port: int) -> tuple[str, int]:
    if authority.count(":") > 1 and not re.match(r"\[[^\]]*\](?::|\Z)", authority):
        raise _no_host()  # an IPv6 address without brackets
    host, colon, digits = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, colon, digits = authority, "", ""
    if colon and digits:
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 5 and 0 < int(digits) <= _MOST_PORT):
            raise DestinationInvalid(
                Sentence("The port in a webhook's URL must be a number from 1 to {most}", most=_MOST_PORT)
            )
        usual_port = int(digits)
    return _host(host), usual_port


def _host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError:
            raise _no_host() from None
        if address.scope_id is not None:
            raise DestinationInvalid(Sentence("An address with a zone (%) cannot stand in a webhook's URL; use a name"))
        return str(address)
    if ":" in text or text != text.strip():
        raise _no_host()
    try:
        return str(IPv4Address(text))
    except ValueError:
        pass
    try:
        name = str(parse_name(text))
    except ValueError:
        name = ""
    if _NUMBER.fullmatch(name or text):
        raise DestinationInvalid(
            Sentence(
                "An IPv4 address in a webhook's URL has four decimal numbers, such as 192.0.2.7; "
                "other ways to write one are refused"
            )
        )
    if not name:
        raise _no_host()
    return name


def _no_host() -> DestinationInvalid:
    return DestinationInvalid(
        Sentence(
            "A webhook's URL needs the name or address of the receiver behind https://, such as https://ci.example.org/chat"
        )
    )


def _expect_allowed(destination: Destination, policy: NetworkPolicy) -> None:
    if not destination.encrypted and not policy.named:
        raise DestinationInvalid(
            Sentence(
                "A webhook's URL begins with https://; http:// is for networks that the setting {setting} names",
                setting=SETTING,
            )
        )
    if destination.address is None:
        return
    judged = policy.judge(destination.address)
    if not judged.kind.is_reachable:
        raise DestinationInvalid(
            Sentence(
                "A webhook's URL needs the address of a machine, and {address} is no address that can be reached",
                address=destination.host,
            )
        )
    if judged.allowed and (destination.encrypted or judged.named):
        return
    if judged.allowed:
        raise DestinationInvalid(
            Sentence(
                "A webhook's URL begins with https://; http:// is for networks that the setting {setting} names, "
                "and none has {address}",
                setting=SETTING,
                address=destination.host,
            )
        )
    raise DestinationInvalid(
        Sentence(
            "Webhooks go to addresses of the internet, and {address} is none ({kind}); "
            "the setting {setting} can name its network",
            address=destination.host,
            kind=judged.kind.value,
            setting=SETTING,
        )
    )
