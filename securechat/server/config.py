"""The settings of a server: one table, from which flags and environment variables are both made.

A flag wins over its environment variable, which wins over the default. Every limit is a setting too: ``--limit
NAME=VALUE`` or ``SECURECHAT_LIMIT_NAME``. A wrong value names where it stands and what would be right.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from securechat.errors import ConfigError
from securechat.limits import Limits

DEFAULT_PORT = 8443
DEFAULT_CERT = Path("certs/server.pem")
DEFAULT_DATA = Path("securechat-data")
ENV_PREFIX = "SECURECHAT_"
_BOOLEANS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """What a server is told before it starts.

    Attributes:
        cert: PEM file with the certificate (and key); None when it was not named and is to be looked for.
        key: PEM file with the key, where it is in neither ``cert`` nor beside it.
        hosts: addresses to listen on; empty for loopback and every private address.
        port: TCP port; 0 for a free one.
        data: directory of the message log.
        tls12: also accept TLS 1.2.
        show_messages: whether message texts go to the console.
        log_format: ``text`` or ``json``.
        rates: whether message and byte rates apply.
        limits: every other number.
    """

    cert: Path | None = None
    key: Path | None = None
    hosts: tuple[str, ...] = ()
    port: int = DEFAULT_PORT
    data: Path = DEFAULT_DATA
    tls12: bool = False
    show_messages: bool = False
    log_format: str = "text"
    rates: bool = True
    limits: Limits = field(default_factory=Limits)


def parser() -> argparse.ArgumentParser:
    """Return the command line of ``securechat-server``."""
    options = argparse.ArgumentParser(
        prog="securechat-server",
        description="A chat server for your own network: verified TLS, a durable log, no other service needed.",
        epilog="Each option can be given as an environment variable too: --log-format json is "
        "SECURECHAT_LOG_FORMAT=json, --limit message_rate=10 is SECURECHAT_LIMIT_MESSAGE_RATE=10. "
        "docs/operations.md lists the limits.",
    )
    add = options.add_argument
    add("--cert", metavar="FILE", help=f"certificate and key, as tools/gen_certs.py writes them ({DEFAULT_CERT})")
    add("--key", metavar="FILE", help="private key, when it is not in the --cert file")
    add("--host", metavar="ADDRESS", action="append", help="address to listen on, may be repeated "
        "(loopback and every private address)")  # fmt: skip
    add("--port", metavar="N", help=f"TCP port, 0 for a free one ({DEFAULT_PORT})")
    add("--data", metavar="DIR", help=f"where messages are kept ({DEFAULT_DATA})")
    add("--tls12", action="store_const", const="on", help="also accept TLS 1.2 (only 1.3)")
    add("--show-messages", action="store_const", const="on", help="print message texts on the console (never)")
    add("--log-format", metavar="text|json", help="how the console lines look (text)")
    add("--rate-limit", metavar="on|off", help="message and byte rates; off for benchmarks and trusted bots (on)")
    add("--limit", metavar="NAME=VALUE", action="append", help="change one limit, may be repeated")
    return options


def load(arguments: Sequence[str] | None, environ: Mapping[str, str]) -> ServerConfig:
    """Read flags and environment.

    Args:
        arguments: the command line without the program's name; None for the process's own.
        environ: the environment.

    Raises:
        ConfigError: a value is wrong; says where, which, and what would be right.
        SystemExit: argparse's, for an unknown flag or ``--help``.
    """
    flags = vars(parser().parse_args(arguments))
    settings = _Settings(flags, environ)
    return ServerConfig(
        cert=settings.path("cert"),
        key=settings.path("key"),
        hosts=settings.hosts(),
        port=settings.port(),
        data=settings.path("data") or DEFAULT_DATA,
        tls12=settings.boolean("tls12", default=False),
        show_messages=settings.boolean("show_messages", default=False),
        log_format=settings.choice("log_format", ("text", "json")),
        rates=settings.boolean("rate_limit", default=True),
        limits=settings.limits(),
    )


class _Settings:
    """Looks a setting up, first among the flags, then in the environment."""

    def __init__(self, flags: Mapping[str, object], environ: Mapping[str, str]) -> None:
        self._flags = flags
        self._environ = environ

    def text(self, name: str) -> tuple[str, str] | None:
        """The value and where it stands; None when it is not given."""
        if (flag := self._flags.get(name)) is not None:
            return str(flag), f"--{name.replace('_', '-')}"
        variable = ENV_PREFIX + name.upper()
        if value := self._environ.get(variable):
            return value, variable
        return None

    def path(self, name: str) -> Path | None:
        found = self.text(name)
        return Path(found[0]).expanduser() if found else None

    def boolean(self, name: str, *, default: bool) -> bool:
        found = self.text(name)
        if found is None:
            return default
        value = _BOOLEANS.get(found[0].lower())
        if value is None:
            raise ConfigError(found[1], name, f"must be on or off, not {found[0]!r}")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        found = self.text(name)
        if found is None:
            return allowed[0]
        if found[0] not in allowed:
            raise ConfigError(found[1], name, f"must be {' or '.join(allowed)}, not {found[0]!r}")
        return found[0]

    def port(self) -> int:
        found = self.text("port")
        if found is None:
            return DEFAULT_PORT
        if not found[0].isascii() or not found[0].isdigit() or int(found[0]) > 65_535:
            raise ConfigError(found[1], "port", f"must be a number from 0 to 65535, not {found[0]!r}")
        return int(found[0])

    def hosts(self) -> tuple[str, ...]:
        given = self._flags.get("host")
        if isinstance(given, list):
            return tuple(str(host).strip("[]") for host in given)
        value = self._environ.get(f"{ENV_PREFIX}HOST", "")
        return tuple(host.strip().strip("[]") for host in value.split(",") if host.strip())

    def limits(self) -> Limits:
        kinds = {item.name: item.type for item in fields(Limits)}
        values: dict[str, float] = {}
        for variable, value in self._environ.items():
            if variable.startswith(f"{ENV_PREFIX}LIMIT_"):
                name = variable.removeprefix(f"{ENV_PREFIX}LIMIT_").lower()
                values[name] = _limit(variable, name, value, kinds)
        given = self._flags.get("limit")
        for item in given if isinstance(given, list) else ():
            name, equals, value = str(item).partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                raise ConfigError("--limit", name, "must look like NAME=VALUE, such as message_rate=10")
            values[name] = _limit("--limit", name, value, kinds)
        try:
            return Limits(**values)  # type: ignore[arg-type]
        except ValueError as error:
            name, _, reason = str(error).partition(" ")
            raise ConfigError("--limit", name, reason) from None


def _limit(source: str, name: str, value: str, kinds: Mapping[str, object]) -> float:
    if name not in kinds:
        raise ConfigError(source, name, "there is no such limit; docs/operations.md lists them")
    whole = kinds[name] == "int"
    try:
        return int(value) if whole else float(value)
    except ValueError:
        raise ConfigError(source, name, f"must be a {'whole ' if whole else ''}number, not {value!r}") from None
