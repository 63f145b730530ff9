"""One CA per run, and certificates of every kind of wrongness made from it."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.tls.hostnames import Names
from securechat.tls.issuing import Issuer, certificate_pem, new_authority, new_server_leaf
from securechat.translation.cldr import ENGLISH
from securechat.translation.formatting import format_date, format_moment

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
NAMES = Names(("localhost", "chat.example"), (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")))


def date(day: dt.date) -> str:
    """A day as English sentences have it."""
    return format_date(day, ENGLISH)


def moment(at: dt.datetime) -> str:
    """A time as English sentences have it."""
    return format_moment(at, ENGLISH)


@pytest.fixture(scope="session")
def authority() -> Issuer:
    return new_authority(NOW - 400 * DAY, NAMES)  # old enough to have issued leaves that have expired


@pytest.fixture(scope="session")
def other_authority() -> Issuer:
    return new_authority(NOW, NAMES)


@pytest.fixture(scope="session")
def ca_pem(authority: Issuer) -> str:
    return certificate_pem(authority.certificate).decode()


ServerFile = Callable[..., Path]


@pytest.fixture
def server_file(tmp_path: Path, authority: Issuer) -> ServerFile:
    """Write a server.pem issued at any time, by any CA, for any names."""

    def write(
        issuer: Issuer = authority, names: Names = NAMES, now: dt.datetime = NOW, name: str = "server.pem"
    ) -> Path:
        path = tmp_path / name
        path.write_bytes(new_server_leaf(issuer, names, now).to_pem())
        return path

    return write
