"""Makes the target of a link from what was typed: an http or https URL of printable ASCII, or none.

A browser reads a typed URL by the WHATWG URL standard (https://url.spec.whatwg.org, "URL parsing"), and so does the
page. The target here opens the same place there, and is what was typed wherever that is ASCII already: only letters
outside of ASCII are percent-encoded, and a host is written as it is looked up where it was not typed so. What other
readers of URLs take for another place is mended: a backslash before the query, which a browser reads as a slash, and
several ``@`` before the host.

Where the host cannot be judged with certainty there is no link: names of right-to-left scripts that mix with others,
and the few letters whose form depends on the version of the rules (UTS #46: joiners, compatibility forms that Unicode
changed). So no target can be another place than the page's, and a text that the page links may be plain here.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

MAX_LINK_UNITS = 2048
"""The longest link, in UTF-16 units, as in the page: browsers and servers take longer ones, people do not type them."""
MAX_TARGET_CHARS = 2083
"""The longest target: VTE, and so GNOME's terminal and others, drop a longer one of OSC 8. Percent-encoding alone makes
one that long: its text then stays plain."""
_MAX_LABEL_CHARS = 63
"""Of a label with letters outside of ASCII: no longer name can be looked up (RFC 1035), and punycode is quadratic."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARTS = re.compile(r"(https?)://[/\\]*([^/\\?#]*)([^?#]*)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
"""Scheme, authority, path, and query with fragment. A browser skips further slashes before the authority."""
_FORBIDDEN = frozenset("\t\n\r #/:<>?@[\\]^|%\x7f\x00" + "".join(map(chr, range(1, 32))))
"""The forbidden domain code points of the standard."""
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class LinkTarget(Struct, frozen=True):
    """What a link opens.

    Attributes:
        url: printable ASCII.
        host: with its port unless that is the scheme's own, where it is not what the typed text shows: other letters,
            numbers of an address, or a name and password before it. Else empty.
    """

    url: str
    host: str = ""


def link_target(typed: str) -> LinkTarget | None:
    """Return the target of a typed http or https URL; None for what is none.

    Args:
        typed: the text of the link, without spaces, quotes, angle brackets and control characters.
    """
    parts = _PARTS.fullmatch(typed)
    if parts is None:
        return None
    scheme, authority, path, rest = parts.groups()
    user, at, place = authority.rpartition("@")
    name, port = _split_port(place)
    host = _host(name)
    try:
        number = _port_number(port)
    except ValueError:
        return None
    if not host:
        return None
    shown_port = f":{port}" if port else ""
    shown = host if name.lower() != host else name
    userinfo = _encoded(user).replace("@", "%40") + at if user or at else ""
    url = f"{scheme}://{userinfo}{shown}{shown_port}{_encoded(path).replace(chr(92), '/')}{_encoded(rest)}"
    if len(url) > MAX_TARGET_CHARS or not (url.isascii() and url.isprintable()) or " " in url:
        return None
    default = _DEFAULT_PORTS[scheme.lower()]
    opened = host if number in {None, default} else f"{host}:{number}"
    plain = re.split(r"[/?#\\]", typed[len(scheme) + 3 :], maxsplit=1)[0].lower().removesuffix(f":{default}")
    return LinkTarget(url, "" if plain == opened else opened)


def _encoded(text: str) -> str:
    """Percent-encode what is not ASCII; what is stays as typed."""
    return text if text.isascii() else quote(text, safe=_PRINTABLE, errors="replace")


def _split_port(place: str) -> tuple[str, str]:
    """Split a host from its port; the colons of an address in brackets are its own."""
    if place.startswith("["):
        name, bracket, behind = place.partition("]")
        return (name + bracket, behind[1:]) if behind[:1] in {":", ""} else ("", "")
    name, _, port = place.partition(":")
    return name, port


def _port_number(port: str) -> int | None:
    """Return the number of a port, None where there is none.

    Raises:
        ValueError: it is no port.
    """
    if not port:
        return None
    if not (port.isascii() and port.isdecimal()) or len(port.lstrip("0")) > 5 or int(port) >= 2**16:
        raise ValueError(port)
    return int(port)


def _host(typed: str) -> str:
    """Return a host as it is looked up: ASCII, lower case, addresses in their usual form; empty for what is no host."""
    if typed.startswith("["):
        return _bracketed(typed)
    try:
        name = unquote_to_bytes(typed).decode("utf-8") if "%" in typed else typed
    except UnicodeDecodeError:
        return ""
    labels = [_label(label) for label in _DOTS.split(name)]
    if any(label is None for label in labels) or not _is_directed(name):
        return ""
    host = ".".join(label for label in labels if label is not None)
    if _FORBIDDEN.intersection(host) or not host.isascii():
        return ""
    numbers = [label for label in labels if label is not None]
    if len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return _ipv4(numbers) if _is_number(numbers[-1]) else host


def _bracketed(typed: str) -> str:
    """Return an IPv6 address in brackets, as a browser writes it."""
    if not typed.endswith("]") or "%" in typed:
        return ""
    try:
        address = ipaddress.IPv6Address(typed[1:-1])
    except ValueError:
        return ""
    # Not str(): that writes the last two of some as an IPv4 address in later versions of Python.
    pieces = [f"{int(piece, 16):x}" for piece in address.exploded.split(":")]
    joined = " ".join(pieces)
    found = max(re.finditer(r"(?:^|(?<= ))0(?: 0)+(?= |$)", joined), key=lambda each: len(each[0]), default=None)
    if found is None:
        return f"[{':'.join(pieces)}]"
    before, behind = joined[: found.start()].split(), joined[found.end() :].split()
    return f"[{':'.join(before)}::{':'.join(behind)}]"


def _label(typed: str) -> str | None:
    """Return a label of a host in ASCII (UTS #46, non-transitional); None where it is invalid or in doubt."""
    if len(typed) > _MAX_LABEL_CHARS and not (typed.isascii() and "xn--" not in typed.lower()):
        return None
    if typed.isascii():
        label = typed.lower()
        return label if not label.startswith("xn--") or _is_punycode(label) else None
    mapped = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).lower())
    if "." in mapped:  # of an ellipsis, or a number with a full stop: no dot of a name
        return None
    if mapped.isascii():
        return _label(mapped)
    if not _is_name(mapped):
        return None
    return f"xn--{mapped.encode('punycode').decode('ascii')}"


def _is_name(label: str) -> bool:
    """Tell whether a label is valid and the same under every version of the rules, without a mark at its beginning."""
    if unicodedata.category(label[0]).startswith("M") or label.startswith("xn--"):
        return False
    kinds = {unicodedata.category(char) for char in label if not char.isascii()}
    if not kinds <= {"Ll", "Lo", "Lm", "Mn", "Mc", "Nd", "So"}:
        return False
    return unicodedata.normalize("NFKC", label.lower()) == label


def _is_punycode(label: str) -> bool:
    """Tell whether a label in punycode is the one form of a name that is allowed."""
    try:
        name = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return False
    if not name or name.isascii() or not _is_name(name):
        return False
    return name.encode("punycode").decode("ascii") == label[4:]


def _is_directed(name: str) -> bool:
    """Tell whether no label of a name mixes directions (a stricter form of the rule of RFC 5893)."""
    if name.isascii() and "xn--" not in name.lower():
        return True
    names = [_shown(label) for label in _DOTS.split(name)]
    kinds = [[unicodedata.bidirectional(char) for char in label] for label in names]
    if not any(kind in {"R", "AL", "AN"} for label in kinds for kind in label):
        return True
    return all(_is_one_direction(label) for label in kinds)


def _shown(label: str) -> str:
    """Return the letters of a label in punycode."""
    try:
        return label[4:].encode("ascii").decode("punycode") if label.lower().startswith("xn--") else label
    except (UnicodeError, ValueError, OverflowError):
        return label


def _is_one_direction(kinds: list[str]) -> bool:
    if not kinds:
        return True
    if kinds[0] == "L":
        return not {"R", "AL", "AN"}.intersection(kinds) and kinds[-1] in {"L", "EN", "NSM"}
    right_to_left = {"R", "AL", "NSM"}
    return kinds[0] in {"R", "AL"} and (set(kinds) <= right_to_left | {"EN"} or set(kinds) <= right_to_left | {"AN"})


def _is_number(label: str) -> bool:
    """Tell whether a host that ends in this label is an IPv4 address, or none at all."""
    return label.isdecimal() or re.fullmatch("0x[0-9a-f]*", label) is not None


def _ipv4(labels: list[str]) -> str:
    """Return the address that one to four numbers mean: decimal, octal (``0``) or hexadecimal (``0x``)."""
    if len(labels) > 4:
        return ""
    numbers = [_ipv4_number(label) for label in labels]
    *first, last = (-1 if number is None else number for number in numbers)
    if any(not 0 <= number < 256 for number in first) or not 0 <= last < 256 ** (4 - len(first)):
        return ""
    return str(ipaddress.IPv4Address(sum(number << 24 - 8 * index for index, number in enumerate(first)) + last))


def _ipv4_number(label: str) -> int | None:
    if re.fullmatch("0x[0-9a-f]{0,64}", label):
        return int(f"0{label[2:]}", 16)
    if re.fullmatch("0[0-7]{0,64}", label):
        return int(label, 8)
    return int(label) if re.fullmatch("[1-9][0-9]{0,63}", label) else None
