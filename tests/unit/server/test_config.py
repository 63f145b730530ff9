"""Flags, environment and defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from securechat.errors import ConfigError
from securechat.server.config import ServerConfig, load


def test_nothing_given_is_the_defaults() -> None:
    assert load([], {}) == ServerConfig()


def test_a_flag_wins_over_the_environment() -> None:
    environ = {"SECURECHAT_PORT": "1", "SECURECHAT_DATA": "/env", "SECURECHAT_TLS12": "yes"}
    config = load(["--port", "2"], environ)
    assert (config.port, config.data, config.tls12) == (2, Path("/env"), True)


def test_hosts_may_be_repeated_and_come_from_the_environment() -> None:
    assert load(["--host", "127.0.0.1", "--host", "[::1]"], {}).hosts == ("127.0.0.1", "::1")
    assert load([], {"SECURECHAT_HOST": "127.0.0.1, ::1"}).hosts == ("127.0.0.1", "::1")


def test_every_limit_can_be_changed() -> None:
    config = load(["--limit", "message_rate=9.5", "--limit", "append-queue=7"], {"SECURECHAT_LIMIT_MESSAGE_BURST": "3"})
    assert (config.limits.message_rate, config.limits.append_queue, config.limits.message_burst) == (9.5, 7, 3)


def test_the_rate_limit_can_be_switched_off() -> None:
    assert not load(["--rate-limit", "off"], {}).rates
    assert not load([], {"SECURECHAT_RATE_LIMIT": "off"}).rates


@pytest.mark.parametrize(
    ("arguments", "environ", "source", "words"),
    [
        (["--port", "x"], {}, "--port", "0 to 65535"),
        (["--port", "70000"], {}, "--port", "0 to 65535"),
        ([], {"SECURECHAT_PORT": "-1"}, "SECURECHAT_PORT", "0 to 65535"),
        (["--log-format", "xml"], {}, "--log-format", "text or json"),
        (["--rate-limit", "maybe"], {}, "--rate-limit", "on or off"),
        (["--limit", "nonsense=1"], {}, "--limit", "no such limit"),
        (["--limit", "message_rate"], {}, "--limit", "NAME=VALUE"),
        (["--limit", "append_queue=1.5"], {}, "--limit", "whole number"),
        (["--limit", "presence_names=201"], {}, "--limit", "at most 200"),
        (["--limit", "append_queue=0"], {}, "--limit", "greater than zero"),
        (["--limit", "outbox_soft_bytes=9999999"], {}, "--limit", "smaller than"),
        ([], {"SECURECHAT_LIMIT_BYTE_RATE": "fast"}, "SECURECHAT_LIMIT_BYTE_RATE", "number"),
    ],
)
def test_a_wrong_value_names_where_it_stands_and_what_would_be_right(
    arguments: list[str], environ: dict[str, str], source: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(arguments, environ)
    assert caught.value.source == source
    assert words in caught.value.reason
