"""Names for certificates: DNS names and IP addresses, validated and without duplicates.

Knows nothing of this machine (``local_addresses``) nor of certificates. Wildcards are refused: a certificate for a chat
server names that server, and a stolen key for ``*.example.org`` would be valid for every host there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from itertools import chain

from msgspec import Struct

from securechat.translation import Sentence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 1035 section 2.3.1 letters, digits and hyphens, plus the underscore that Windows allows in computer names.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_MAX_DNS_CHARS = 253  # RFC 1035 section 2.3.4: 255 octets on the wire, less the first length and the root


class Names(Struct, frozen=True):
    """The subjectAltName of a certificate (RFC 5280 section 4.2.1.6), most wanted first.

    Args:
        dns: lower-case A-labels without trailing dot.
        ips: addresses without scope.
    """

    dns: tuple[str, ...] = ()
    ips: tuple[IPAddress, ...] = ()

    def __len__(self) -> int:
        return len(self.dns) + len(self.ips)

    def __or__(self, other: Names) -> Names:
        """All entries of both, without duplicates; the left operand's come first."""
        return Names(tuple(dict.fromkeys(self.dns + other.dns)), tuple(dict.fromkeys(self.ips + other.ips)))

    def __sub__(self, other: Names) -> Names:
        """The entries of the left operand that ``other`` lacks, in order."""
        return Names(
            tuple(name for name in self.dns if name not in other.dns),
            tuple(ip for ip in self.ips if ip not in other.ips),
        )

    def cover(self, host: str) -> bool:
        """Whether a client that connects to ``host`` accepts one of these names.

        ``*`` stands for one whole label, the first (RFC 9525 section 6.3); an IPv6 address may have a zone.
        """
        plain = name_in_certificate(host)
        try:
            return ipaddress.ip_address(plain) in self.ips
        except ValueError:
            pass
        name = plain.lower().removesuffix(".")
        wildcard = f"*.{name.partition('.')[2]}"
        return any(own.lower() in (name, wildcard) for own in self.dns)

    def __str__(self) -> str:
        return ", ".join(chain(self.dns, map(str, self.ips)))


def parse_name(text: str) -> Names:
    """Parse one ``--name``: a DNS name (international ones too) or an IP address.

    International names become A-labels through the standard library's IDNA 2003 codec, because the client's ``ssl``
    module translates the name it looks for with that same codec.

    Returns:
        Names with exactly one entry.

    Raises:
        ValueError: the text is neither; the message says what is wrong with it.
    """
    stripped = text.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        stripped = stripped[1:-1]
    try:
        ip = ipaddress.ip_address(stripped)
    except ValueError:
        return Names(dns=(_dns_name(stripped),))
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        raise ValueError(
            Sentence("{name}: a certificate cannot carry the scope after '%'; leave it out", name=repr(text))
        )
    if ip.is_unspecified or ip.is_multicast:
        raise ValueError(Sentence("{name} is not the address of one machine", name=repr(text)))
    return Names(ips=(ip,))


def name_in_certificate(host: str) -> str:
    """Return the name that a certificate must have for a host: an IPv6 address without its zone.

    A zone (RFC 4007 section 11, ``fe80::1%eth0``) means an interface of the machine that connects, and no certificate
    can contain it (RFC 5280 section 4.2.1.6).
    """
    return host.partition("%")[0] if ":" in host else host


def parse_names(texts: Iterable[str]) -> Names:
    """Parse several names, as ``parse_name`` does.

    Raises:
        ValueError: the first invalid one.
    """
    names = Names()
    for text in texts:
        names |= parse_name(text)
    return names


def _dns_name(text: str) -> str:
    if "*" in text:
        raise ValueError(
            Sentence("{name}: wildcards are not issued; name every host with a --name of its own", name=repr(text))
        )
    try:
        ascii_name = text.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise ValueError(Sentence("{name} is no DNS name or IP address", name=repr(text))) from error
    labels = ascii_name.split(".")
    if len(ascii_name) > _MAX_DNS_CHARS or not all(_LABEL.match(label) for label in labels):
        raise ValueError(
            Sentence("{name} is no DNS name or IP address (letters, digits, '-', '_' and '.' only)", name=repr(text))
        )
    if labels[-1].isdigit():
        # RFC 1123 section 2.1: no top-level name is a number, so this is a mistyped address.
        raise ValueError(Sentence("{name} looks like an IP address but is none", name=repr(text)))
    return ascii_name
