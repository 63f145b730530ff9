"""The table of settings, from which flags, variables, file keys and the reference are made.

A setting has one name: ``log_format`` in the file, ``--log-format`` as a flag, ``SECURECHAT_LOG_FORMAT`` as a variable.
The limits of `securechat.limits` are settings too, in a table of their own: ``[limits]``, ``--limit NAME=VALUE``,
``SECURECHAT_LIMIT_NAME``. This module validates values, written as text or in TOML; it knows nothing about sources and
their precedence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from enum import Enum, auto
from functools import reduce
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias, assert_never

from msgspec import Struct

from securechat.hub.interfaces import Access
from securechat.limits import Limits
from securechat.programs import DEFAULT_DATA
from securechat.tls.hostnames import parse_name
from securechat.translation import LANGUAGES, Sentence, given, sentence_of

DEFAULT_PORT = 8443
DEFAULT_CERT = Path("certs/server.pem")
ENV_PREFIX = "SECURECHAT_"
LIMIT_PREFIX = f"{ENV_PREFIX}LIMIT_"
LIMITS_TABLE = "limits"
LARGEST_NUMBER = 2**53
"""Above it a float cannot represent every whole number (IEEE 754 binary64); no setting comes near."""

OFF = "off"
"""Turns a setting off that has an address as its value."""
_MOST_PORT = 65_535
_SHOWN_CHARS = 60
"""Characters of an invalid value shown in its error message."""
_SHOWN_CHARS_OF_TEXT = _SHOWN_CHARS - len("the text ")

SettingType: TypeAlias = Any
"""Depends on the kind of the setting: a path or None, a tuple of addresses, a number, a bool or a word."""

_BOOLEANS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


class SettingKind(Enum):
    """The kinds of values."""

    PATH = auto()
    ADDRESSES = auto()
    NAMES = auto()
    NETWORKS = auto()
    WHOLE = auto()
    NUMBER = auto()
    SWITCH = auto()
    WORD = auto()
    LANGUAGE = auto()
    LOOPBACK = auto()
    """HOST:PORT of this machine alone, in one spelling; empty for none."""


class Setting(Struct, frozen=True, kw_only=True):
    """One row of the table. Texts are English, and what `translated` shows to a person; those of limits English alone.

    Attributes:
        name: its key in the file; flag and variable follow from it.
        kind: the kind of its value.
        default: its value when it is not given.
        what: its effect, as a phrase.
        unit: the unit of a number.
        unset: the meaning of the default, if the value does not show it.
        metavar: stands for the value in ``--help``.
        words: the valid values of a WORD.
        at_least: smallest number; a limit must be greater than zero instead.
        at_most: largest number.
        table: its table in the file; empty for the top.
        flag_name: of its flag, where it is not made from the name.
    """

    name: str
    kind: SettingKind
    default: SettingType
    what: str
    unit: str = ""
    unset: str = ""
    metavar: str = ""
    words: tuple[str, ...] = ()
    at_least: int | None = None
    at_most: int = LARGEST_NUMBER
    table: str = ""
    flag_name: str = ""

    @property
    def flag(self) -> str:
        """The flag that sets it."""
        return "--limit" if self.table else f"--{self.flag_name or self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"{LIMIT_PREFIX if self.table else ENV_PREFIX}{self.name.upper()}"


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="cert",
        kind=SettingKind.PATH,
        default=DEFAULT_CERT,
        metavar="FILE",
        what=Sentence(
            "certificate, CA certificate and key in one PEM file, as `securechat-admin certs` writes it, "
            "or without the key"
        ),
    ),
    Setting(
        name="key",
        kind=SettingKind.PATH,
        default=None,
        metavar="FILE",
        what=Sentence("private key, without a passphrase"),
        unset=Sentence("in the file of cert, or beside it as NAME.key"),
    ),
    Setting(
        name="host",
        kind=SettingKind.ADDRESSES,
        default=(),
        metavar=Sentence("ADDRESS"),
        what=Sentence("addresses to listen on; the flag may be repeated, the variable separates them with commas"),
        unset=Sentence("loopback and every private address"),
    ),
    Setting(
        name="port",
        kind=SettingKind.WHOLE,
        default=DEFAULT_PORT,
        metavar="N",
        at_least=0,
        at_most=65_535,
        what=Sentence("TCP port; 0 takes a free one"),
    ),
    Setting(
        name="data",
        kind=SettingKind.PATH,
        default=DEFAULT_DATA,
        metavar="DIR",
        what=Sentence("directory where messages are kept, on a local disk"),
    ),
    Setting(
        name="access",
        kind=SettingKind.WORD,
        default=Access.OPEN.value,
        words=tuple(access.value for access in Access),
        what=Sentence('who may log in: "open", guests too; "members", accounts only'),
    ),
    Setting(
        name="web",
        kind=SettingKind.SWITCH,
        default=True,
        what=Sentence("the chat in the browser, at https:// and the server's address"),
    ),
    Setting(
        name="web_hosts",
        flag_name="web-host",
        kind=SettingKind.NAMES,
        default=(),
        metavar=Sentence("NAME"),
        what=Sentence(
            "more names or addresses by which browsers may open the chat, such as that of a proxy; the flag may be "
            "repeated, the variable separates them with commas"
        ),
        unset=Sentence("those in the certificate alone"),
    ),
    Setting(
        name="api",
        kind=SettingKind.SWITCH,
        default=True,
        what=Sentence("the HTTP API for programs, at /api/v1 of the same address; --web off turns it off, too"),
    ),
    Setting(
        name="webhooks",
        kind=SettingKind.SWITCH,
        default=True,
        what=Sentence(
            "webhooks: incoming ones, at /hooks/TOKEN of the same address, which --web off turns off, too; and "
            "outgoing ones"
        ),
    ),
    Setting(
        name="files",
        kind=SettingKind.SWITCH,
        default=True,
        what=Sentence("files and pictures in messages; --web off turns them off, too, because their bytes go by HTTPS"),
    ),
    Setting(
        name="webhook_networks",
        flag_name="webhook-network",
        kind=SettingKind.NETWORKS,
        default=(),
        metavar=Sentence("NETWORK"),
        what=Sentence(
            "networks that outgoing webhooks may go to besides the addresses of the internet, such as 192.168.1.0/24; "
            "the flag may be repeated, the variable separates them with commas"
        ),
        # Translators: of networks
        unset=Sentence("none"),
    ),
    Setting(
        name="webhook_ca",
        kind=SettingKind.PATH,
        default=None,
        metavar="FILE",
        what=Sentence("CA certificates that receivers of webhooks may be verified with besides those of this machine"),
        # Translators: of CA certificates
        unset=Sentence("none"),
    ),
    Setting(
        name="metrics",
        kind=SettingKind.LOOPBACK,
        default="",
        metavar="HOST:PORT",
        what=Sentence(
            "where Prometheus finds /metrics, without TLS and so on this machine alone, such as 127.0.0.1:9464; port 0 "
            "takes a free one"
        ),
        # Translators: metrics are not served
        unset=Sentence("nowhere"),
    ),
    Setting(name="tls12", kind=SettingKind.SWITCH, default=False, what=Sentence("accept TLS 1.2 as well as 1.3")),
    Setting(
        name="show_messages",
        kind=SettingKind.SWITCH,
        default=False,
        what=Sentence("print message texts on the console as they come"),
    ),
    Setting(
        name="log_format",
        kind=SettingKind.WORD,
        default="text",
        words=("text", "json"),
        what=Sentence("how console lines look"),
    ),
    Setting(
        name="rate_limit",
        kind=SettingKind.SWITCH,
        default=True,
        what=Sentence("message and byte rates; off for benchmarks and trusted bots"),
    ),
    Setting(
        name="lang",
        kind=SettingKind.LANGUAGE,
        default="",
        metavar=Sentence("CODE"),
        what=Sentence("the language of what the start prints for people, such as en or id; the log is in English"),
        # Translators: the language of the system
        unset=Sentence("that of the system"),
    ),
)


def _limit_settings() -> tuple[Setting, ...]:
    return tuple(
        Setting(
            name=item.name,
            kind=SettingKind.WHOLE if item.type == "int" else SettingKind.NUMBER,
            default=item.default,
            what=item.metadata["why"],
            unit=item.metadata["unit"],
            table=LIMITS_TABLE,
        )
        for item in fields(Limits)
    )


LIMITS: tuple[Setting, ...] = _limit_settings()


def from_text(setting: Setting, text: str) -> SettingType:  # noqa: PLR0911 - one per kind
    """Parse a value from a flag or an environment variable.

    Raises:
        ValueError: one phrase, beginning with "must", that describes a valid value.
    """
    match setting.kind:
        case SettingKind.PATH:
            return _path(setting, text)
        case SettingKind.ADDRESSES | SettingKind.NAMES | SettingKind.NETWORKS:
            return _addresses(setting, text.split(","))
        case SettingKind.WHOLE | SettingKind.NUMBER:
            return _number(setting, _parsed(setting, text), text)
        case SettingKind.SWITCH:
            if (value := _BOOLEANS.get(text.strip().lower())) is None:
                raise ValueError(Sentence("must be on or off, not {value}", value=repr(text)))
            return value
        case SettingKind.WORD:
            return _word(setting, text)
        case SettingKind.LANGUAGE:
            return given(text)
        case SettingKind.LOOPBACK:
            return _loopback(text)
        case _:
            assert_never(setting.kind)


def from_toml(setting: Setting, value: object) -> SettingType:
    """Convert a value from the file, which is typed already. An empty path or list means the default.

    Raises:
        ValueError: one phrase, beginning with "must", that describes a valid value.
    """
    match setting.kind:
        case SettingKind.PATH:
            if not isinstance(value, str):
                example = DEFAULT_CERT.as_posix()
                raise ValueError(
                    Sentence(
                        'must be a path in quotes, such as "{example}", not {value}',
                        example=example,
                        value=_shown(value),
                    )
                )
            return _path(setting, value) if value else setting.default
        case SettingKind.ADDRESSES | SettingKind.NAMES | SettingKind.NETWORKS:
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise ValueError(
                    Sentence(
                        'must be a list of addresses in quotes, such as ["127.0.0.1"], not {value}', value=_shown(value)
                    )
                )
            return _addresses(setting, value)
        case SettingKind.WHOLE | SettingKind.NUMBER:
            return _number_of_toml(setting, value)
        case SettingKind.SWITCH:
            if not isinstance(value, bool):
                raise ValueError(Sentence("must be true or false, without quotes, not {value}", value=_shown(value)))
            return value
        case SettingKind.WORD | SettingKind.LANGUAGE:
            return _word_of_toml(setting, value)
        case SettingKind.LOOPBACK:
            if not isinstance(value, str):
                raise ValueError(
                    Sentence('must be an address in quotes, such as "127.0.0.1:9464", not {value}', value=_shown(value))
                )
            return _loopback(value) if value else setting.default
        case _:
            assert_never(setting.kind)


def _number_of_toml(setting: Setting, value: object) -> float:
    if isinstance(value, str):
        raise ValueError(
            Sentence("must be {range}, not {value} (take the quotes away)", range=_range(setting), value=_shown(value))
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not_in_range(setting, _shown(value))
    if setting.kind is SettingKind.WHOLE and not isinstance(value, int):
        raise _not_in_range(setting, repr(value))
    return _number(setting, value, value)


def _word_of_toml(setting: Setting, value: object) -> str:
    words = setting.words or tuple(LANGUAGES)
    if not isinstance(value, str):
        raise ValueError(Sentence("must be {words}, in quotes, not {value}", words=_either(words), value=_shown(value)))
    if setting.kind is SettingKind.WORD:
        return _word(setting, value)
    return given(value) if value else str(setting.default)


def path_of(text: str) -> Path:
    """Return a path as typed, with ``~`` for a home directory.

    Raises:
        ValueError: no user has that home directory.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(
            Sentence("must be a path; this machine has no user for the home directory in {path}", path=repr(text))
        ) from None


def _path(setting: Setting, text: str) -> Path:
    """Parse a path; an empty one would mean the working directory, and the database opens names in UTF-8 alone."""
    if not text:
        usual = setting.unset or setting.default
        raise ValueError(
            Sentence(
                "must be a path, and this one is empty; leave {flag} out for {usual}", flag=setting.flag, usual=usual
            )
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        if setting.name == "data":
            raise ValueError(
                Sentence("must be a path in UTF-8, because the database opens no other; rename it, or set LANG=C.UTF-8")
            ) from None
    return path_of(text)


def _addresses(setting: Setting, texts: Sequence[str]) -> tuple[str, ...]:
    """Parse addresses; an empty one is an unset variable of a shell, and would mean another set than was wanted."""
    addresses = tuple(text.strip().strip("[]") for text in texts)
    if "" in addresses:
        raise ValueError(
            Sentence(
                "must be addresses, and one of them is empty; leave {flag} out for {usual}",
                flag=setting.flag,
                usual=setting.unset,
            )
        )
    if setting.kind is SettingKind.NETWORKS:
        # imported here: most servers name none
        from securechat.server.outgoing.networks import parse_networks  # noqa: PLC0415

        return tuple(map(str, parse_networks(addresses)))
    return tuple(map(_name, addresses)) if setting.kind is SettingKind.NAMES else addresses


def _loopback(text: str) -> str:
    """Parse HOST:PORT; the host must be this machine's own, because what is served there has no TLS."""
    if text.strip() == OFF:
        return ""
    host, port = endpoint_of(text)
    if host is None or port is None:
        raise ValueError(Sentence("must be HOST:PORT, such as 127.0.0.1:9464, not {value}", value=_short(repr(text))))
    if host == "localhost":  # made an address, because a hosts file can lead the name elsewhere
        host = "127.0.0.1"
    if not _is_loopback(host):
        raise ValueError(
            Sentence(
                "must be a loopback address (127.0.0.1, [::1] or localhost), because metrics are served without TLS, "
                "and {host} is none; for a Prometheus on another machine, let a proxy with TLS on this one lead to it",
                host=_short(host),
            )
        )
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, even one that begins with 127
        return False


def endpoint_of(text: str) -> tuple[str | None, int | None]:
    """Take HOST:PORT apart; an IPv6 address has brackets. None for what is no address or name, or no port."""
    host, _colon, digits = text.strip().rpartition(":")
    port = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 5 else None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None, port
    try:
        host = str(ip_address(host))
    except ValueError:
        try:
            host = str(parse_name(host))
        except ValueError:
            return None, port
    return host, port if port is not None and port <= _MOST_PORT else None


def _name(text: str) -> str:
    """Parse a DNS name or an address, into the spelling of certificates."""
    try:
        return str(parse_name(text))
    except ValueError as error:
        raise ValueError(
            Sentence("must be names or addresses without a port: {problem}", problem=sentence_of(error))
        ) from None


def _parsed(setting: Setting, text: str) -> float:
    try:
        return int(text) if setting.kind is SettingKind.WHOLE else float(text)
    except ValueError:
        raise _not_in_range(setting, repr(text)) from None


def _number(setting: Setting, value: float, written: object) -> float:
    """Validate a number; NaN is not greater than anything. A NUMBER written as 5 is 5.0."""
    if setting.at_least is None and not value > 0:
        raise ValueError(Sentence("must be greater than zero"))
    if setting.at_least is not None and not setting.at_least <= value <= setting.at_most:
        raise _not_in_range(setting, repr(written))
    if not value <= setting.at_most:
        raise ValueError(
            Sentence("must be at most {most}, not {value}", most=setting.at_most, value=_short(str(written)))
        )
    return value if setting.kind is SettingKind.WHOLE else float(value)


def _not_in_range(setting: Setting, shown: str) -> ValueError:
    return ValueError(Sentence("must be {range}, not {value}", range=_range(setting), value=shown))


def _range(setting: Setting) -> Sentence:
    if setting.at_least is not None:
        return Sentence("a number from {least} to {most}", least=setting.at_least, most=setting.at_most)
    if setting.kind is SettingKind.WHOLE:
        return Sentence("a whole number greater than zero")
    return Sentence("a number greater than zero")


def _word(setting: Setting, text: str) -> str:
    if text not in setting.words:
        raise ValueError(Sentence("must be {words}, not {value}", words=_either(setting.words), value=repr(text)))
    return text


def _either(words: Sequence[str]) -> str:
    return reduce(lambda first, second: Sentence("{first} or {second}", first=first, second=second), words)


def _shown(value: object) -> str:
    """Format a value of the file as in the file, short enough for a sentence."""
    match value:
        case str():
            return Sentence("the text {text}", text=_short(repr(value), _SHOWN_CHARS_OF_TEXT))
        case bool():
            return str(value).lower()
        case int() | float():
            return _short(repr(value))
        case list():
            return Sentence("a list")
        case dict():
            # Translators: of a TOML file
            return Sentence("a table")
        case _:
            return Sentence("a date or time")


def _short(text: str, most_chars: int = _SHOWN_CHARS) -> str:
    return text if len(text) <= most_chars else f"{text[: most_chars - 3]}..."
