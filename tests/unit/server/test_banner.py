"""The commands that a server prints name hosts that its certificate names, and trust what verifies it.

Looked through: loopback only, private addresses, a certificate that names all of them, some, none, only a DNS name, a
wildcard; IPv6 with a zone; with and without the CA in the file; a public CA.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from securechat.server.banner import Address, banner, unnamed, web_host
from securechat.tls.hostnames import Names, parse_names
from securechat.translation import use
from tests.support.locales import write_catalogue

LOCAL: list[Address] = [("127.0.0.1", 1), ("::1", 1)]
LAN: list[Address] = [*LOCAL, ("192.0.2.2", 1)]


def commands(addresses: list[Address], names: Names, fingerprint: str | None = "sha256:ab") -> list[str]:
    lines = banner("1.0", addresses, fingerprint, names)
    return [line.strip() for line in lines if line.startswith("   securechat-client ")]


@pytest.mark.parametrize(
    ("addresses", "names", "hosts"),
    [
        (LAN, ["localhost", "127.0.0.1", "192.0.2.2"], ["localhost:1", "192.0.2.2:1"]),
        (LAN, ["localhost", "192.0.2.9"], ["localhost:1"]),
        (LAN, ["127.0.0.1", "192.0.2.2"], ["127.0.0.1:1", "192.0.2.2:1"]),
        (LAN, ["chat.example.org"], ["chat.example.org:1"]),
        (LOCAL, ["chat.example.org"], []),
        (LOCAL, ["localhost", "vm.local", "192.0.2.2"], ["localhost:1"]),
        ([("127.0.0.5", 1)], ["localhost", "127.0.0.1", "127.0.0.5"], ["127.0.0.5:1"]),
        ([("127.0.0.5", 1)], ["localhost", "vm.local"], []),
        ([("127.0.0.5", 1), ("127.0.0.1", 2)], ["localhost"], ["localhost:2"]),
        (LOCAL, ["::1"], ["'[::1]:1'"]),
        ([("fe80::1%eth0", 1)], ["fe80::1"], ["'[fe80::1%eth0]:1'"]),
    ],
)
def test_only_hosts_that_the_certificate_names_are_printed(
    addresses: list[Address], names: list[str], hosts: list[str]
) -> None:
    assert commands(addresses, parse_names(names)) == [f"securechat-client --pin sha256:ab {host}" for host in hosts]


def test_a_certificate_that_names_nothing_of_here() -> None:
    assert commands(LAN, parse_names(["10.0.0.1"])) == []
    assert " To chat, use a name of the certificate: 10.0.0.1" in banner("1.0", LAN, None, parse_names(["10.0.0.1"]))
    assert commands(LAN, Names(("*.example.org",))) == []
    missing = " Clients refuse these addresses: the certificate names only localhost"
    assert missing in banner("1.0", [("127.0.0.5", 1)], None, parse_names(["localhost"]))


def test_the_start_says_which_host_would_do() -> None:
    for names in (["192.0.2.2"], ["chat.example.org"]):
        assert unnamed(LAN, parse_names(names), made_here=Path("certs/server.pem")) is None
    assert unnamed(LOCAL, parse_names(["10.0.0.1"]), made_here=Path("certs/server.pem")) is None
    told = unnamed(LAN, parse_names(["localhost", "10.0.0.1"]), made_here=Path("certs/server.pem"))
    assert told == (
        "clients refuse this server at 192.0.2.2, because the certificate does not name it. It names localhost,"
        " 10.0.0.1: use --host with one of these, or run `securechat-admin certs --name 192.0.2.2` and send this"
        " process SIGHUP"
    )
    foreign = unnamed(LAN, parse_names(["localhost"]), made_here=None)
    assert foreign is not None and "securechat-admin certs" not in foreign


def test_the_values_of_longer_labels_stand_in_one_column(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_catalogue(tmp_path, "id", {"listening on": "地址", "CA fingerprint": "a"})
    monkeypatch.setenv("SECURECHAT_LOCALE_DIR", str(tmp_path))
    monkeypatch.setenv("LANGUAGE", "")
    assert use("id") == ""
    try:
        lines = banner("1.0", LOCAL[:1], "sha256:ab", parse_names(["localhost"]))
    finally:
        use("en")
    assert lines[3:5] == [" 地址  127.0.0.1:1", " a     sha256:ab"]


def test_what_to_trust() -> None:
    names = parse_names(["localhost"])
    assert commands(LOCAL, names, None) == ["securechat-client --ca CA.pem localhost:1"]
    public = banner("1.0", LOCAL, None, names, is_public=True)
    assert "   securechat-client --ca system localhost:1" in public


# --- For browsers -----------------------------------------------------------------------------------------------------


def for_browsers(addresses: list[Address], names: list[str], *, draws: bool = False) -> list[str]:
    """The lines that the web client adds."""
    without = banner("1.0", addresses, "sha256:ab", parse_names(names))
    with_web = banner("1.0", addresses, "sha256:ab", parse_names(names), web=True, draws=draws)
    assert with_web[: len(without) - 1] == without[:-1]
    return [line.strip() for line in with_web[len(without) - 1 : -1] if line]


@pytest.mark.parametrize(
    ("addresses", "names", "urls"),
    [
        (LAN, ["localhost", "192.0.2.2"], ["https://192.0.2.2:1"]),
        (LAN, ["chat.example.org"], ["https://chat.example.org:1"]),
        ([*LOCAL, ("fd00::2", 1), ("fe80::1%eth0", 1)], ["localhost", "fd00::2", "fe80::1"], ["https://[fd00::2]:1"]),
    ],
)
def test_browsers_get_the_addresses_of_the_network(addresses: list[Address], names: list[str], urls: list[str]) -> None:
    assert for_browsers(addresses, names) == ["In a browser, on a phone too:", *urls]


def test_on_loopback_there_is_an_address_and_no_code() -> None:
    assert for_browsers(LOCAL, ["localhost"], draws=True) == ["In a browser on this machine:", "https://localhost:1"]
    assert for_browsers(LOCAL, ["chat.example.org"], draws=True) == []
    assert for_browsers([("fe80::1%eth0", 1)], ["fe80::1"], draws=True) == []


@pytest.mark.parametrize("language", ["en", "id"])
def test_the_code_fits_a_terminal_of_80_columns(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "")
    assert use(language) == ""
    try:
        lines = for_browsers([*LOCAL, ("fd12:3456:789a:bcde:f012:3456:789a:bcde", 65535)],
                             ["fd12:3456:789a:bcde:f012:3456:789a:bcde"], draws=True)  # fmt: skip
    finally:
        use("en")
    shown = [line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m") for line in lines]
    assert all(len(line) + 3 <= 80 for line in shown)
    assert sum("▀" in line or "█" in line for line in shown) > 10


@pytest.mark.parametrize(
    ("addresses", "names", "host"),
    [
        (LAN, ["localhost", "192.0.2.2"], "192.0.2.2"),
        (LAN, ["localhost", "chat.example.org"], "chat.example.org"),
        (LOCAL, ["localhost", "vm.local"], "localhost"),
        (LOCAL, ["127.0.0.1"], "127.0.0.1"),
        ([("fe80::1%eth0", 1)], ["a", "fe80::1"], "a"),
    ],
)
def test_browsers_without_tls_are_led_to_what_other_machines_use(
    addresses: list[Address], names: list[str], host: str
) -> None:
    assert web_host(addresses, parse_names(names)) == host


def test_browsers_are_led_to_no_wildcard() -> None:
    assert web_host(LAN, Names(("*.example.org", "a.example.org"))) == "a.example.org"
