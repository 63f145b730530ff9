"""What is wrong with a certificate, in Indonesian to a person and in English to a log."""

from __future__ import annotations

import datetime as dt
import re
import shlex
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.errors import ConfigError, TlsFailure
from securechat.tls.advice import in_two
from securechat.tls.certificate_directory import create_authority, ensure_server, load_authority
from securechat.tls.chain_rules import doubts
from securechat.tls.client_certificates import read_client_bundle
from securechat.tls.contexts import ServerCertificate, client_context, handshake_in_memory, server_context
from securechat.tls.failures import explain
from securechat.tls.hostnames import parse_name
from securechat.tls.issuing import (
    Issuer,
    certificate_pem,
    key_pem,
    new_authority,
    new_client_leaf,
    new_server_leaf,
)
from securechat.tls.pem_bundle import read_bundle
from securechat.tls.trust import load_ca_file, parse_pin
from securechat.tls.verify_errors import verify_words
from securechat.translation import translated, use
from securechat.translation.cldr import FORMATS_OF
from securechat.translation.formatting import format_date, format_moment

from .conftest import DAY, NAMES, NOW, ServerFile

CERTS = "securechat-admin certs"


@pytest.fixture(autouse=True)
def indonesian() -> Iterator[None]:
    assert use("id") == ""
    yield
    use("en")


def date(day: dt.date) -> str:
    return format_date(day, FORMATS_OF["id"])


def moment(at: dt.datetime) -> str:
    return format_moment(at, FORMATS_OF["id"])


def of_handshake(server: ssl.SSLContext, ca_pem: str, host: str, now: dt.datetime = NOW) -> TlsFailure:
    client = client_context(ca_pem)
    with pytest.raises(ssl.SSLError) as caught:
        handshake_in_memory(server, client, host)
    return explain(caught.value, host, now, client.seen)


def raised_by(act: Callable[[], object]) -> TlsFailure:
    with pytest.raises(TlsFailure) as caught:
        act()
    return caught.value


def test_another_host(server_file: ServerFile, ca_pem: str) -> None:
    told = of_handshake(server_context(server_file()), ca_pem, "{x} %s")
    assert translated(told) == (
        "Sertifikat ini bukan untuk {x} %s; nama di dalamnya: localhost, chat.example, 127.0.0.1, ::1"
    )
    assert str(told).startswith("The certificate is not made out to {x} %s; it names localhost"), "a log's line"


def test_another_ca(server_file: ServerFile, other_authority: Issuer) -> None:
    told = of_handshake(
        server_context(server_file()), certificate_pem(other_authority.certificate).decode(), "localhost"
    )
    assert translated(told) == (
        "Sertifikat localhost tidak diterbitkan oleh CA yang kamu percayai"
        " (ada sertifikat yang ditandatangani sendiri di rantai sertifikat)"
    )


def test_the_clock(server_file: ServerFile, authority: Issuer, ca_pem: str) -> None:
    old = server_file(now=NOW - 100 * DAY)
    end = read_bundle(old).not_after
    told = of_handshake(server_context(old, now=NOW - 95 * DAY), ca_pem, "localhost")
    assert translated(told) == (
        f"Sertifikat localhost kedaluwarsa pada {moment(end)} UTC; jam komputer ini menunjukkan {moment(NOW)} UTC"
    )
    told = raised_by(lambda: server_context(old))
    assert translated(told) == (
        f"{old}: sertifikat ini kedaluwarsa pada {date(end)};"
        f" perbarui dengan `{CERTS} --dir {shlex.quote(str(old.parent))}`"
    )


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    told = raised_by(lambda: load_ca_file(path))
    assert translated(told) == f"{path}: tidak bisa dibaca: Tidak ada file atau direktori itu"
    assert str(told) == f"{path}: cannot be read: No such file or directory"


def test_a_certificate_of_a_person(tmp_path: Path, authority: Issuer) -> None:
    path = tmp_path / "me.pem"
    path.write_bytes(new_server_leaf(authority, NAMES, NOW).to_pem())
    told = raised_by(lambda: read_client_bundle(path, NOW))
    assert translated(told) == (
        f"{path}: ini sertifikat untuk server, bukan untuk pengguna;"
        f" minta sertifikatmu sendiri kepada admin server (`{CERTS} --client NAMA` membuatnya)"
    )
    path.write_bytes(certificate_pem(new_client_leaf(authority, "ana", NOW).certificate))
    told = raised_by(lambda: read_client_bundle(path, NOW))
    assert translated(told).endswith(
        f"tidak berisi kunci privat; taruh kuncinya di file yang sama atau di sampingnya sebagai {tmp_path / 'me.key'}"
    )


def test_a_certificate_that_every_client_refuses(tmp_path: Path, authority: Issuer) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(new_client_leaf(authority, "bot", NOW).to_pem())
    told = raised_by(lambda: ServerCertificate(path))
    what, advice = in_two(told.detail)
    assert translated(what) == (
        f"{path}: sertifikat ini tidak punya subjectAltName, dan klien mengabaikan common name (RFC 9525)"
    )
    assert translated(advice) == "buat ulang dengan -addext subjectAltName=DNS:chat.example.org"
    assert str(told) == f"{what}; {advice}"


def test_doubts(tmp_path: Path, authority: Issuer) -> None:
    leaf = new_server_leaf(authority, NAMES, NOW)
    path = tmp_path / "server.pem"
    path.write_bytes(certificate_pem(leaf.certificate) + key_pem(leaf.key))
    (doubt,) = doubts(read_bundle(path))
    assert translated(doubt).endswith("pakai file yang berisi rantainya (fullchain.pem dari certbot)")
    assert in_two(doubt) == (doubt.what, doubt.advice)
    assert in_two("plain") == ("plain", "")


def test_the_certificate_directory(tmp_path: Path) -> None:
    create_authority(tmp_path, now=NOW)
    (tmp_path / "ca.key").unlink()
    told = raised_by(lambda: load_authority(tmp_path))
    assert translated(told) == (
        f"{tmp_path / 'ca.key'}: tidak ada, jadi tidak ada yang bisa ditandatangani dengan ca.pem; kembalikan file itu,"
        " atau mulai dari awal: --new-ca membuat CA baru, lalu setiap klien harus mendapat ca.pem atau pin yang baru"
    )


def test_a_broken_file_that_force_replaces(tmp_path: Path, authority: Issuer) -> None:
    ensure_server(tmp_path, now=NOW)
    (tmp_path / "server.pem").write_bytes(new_server_leaf(new_authority(NOW), NAMES, NOW).to_pem())
    told = raised_by(lambda: ensure_server(tmp_path, now=NOW, always=True))
    assert translated(told).endswith("tidak diterbitkan oleh ca.pem dan tidak ditimpa; --force menggantinya")


def test_a_name_and_a_pin() -> None:
    with pytest.raises(ValueError, match="wildcards are not issued") as caught:
        parse_name("*.example")
    assert (
        translated(caught.value)
        == "'*.example': wildcard tidak diterbitkan; sebutkan setiap host dengan --name sendiri"
    )
    with pytest.raises(ConfigError) as wrong:
        parse_pin("x")
    assert translated(wrong.value.reason).startswith("Pin adalah sha256: dan 64 digit heksadesimal")


def test_words_of_openssl_that_have_no_translation_stay_as_they_are() -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = 50, "application verification failure"
    assert verify_words(error) == "application verification failure"
    error.verify_code = 10
    assert (verify_words(error), translated(verify_words(error))) == (
        "certificate has expired",
        "sertifikat sudah kedaluwarsa",
    )


def test_no_clause_is_left_in_english(tmp_path: Path, server_file: ServerFile, ca_pem: str) -> None:
    """A sentence within a sentence is translated with it."""
    told = [
        raised_by(lambda: ServerCertificate(server_file(now=NOW + 5 * DAY), now=NOW)),
        raised_by(lambda: create_authority_twice(tmp_path / "twice")),
        explain(ConnectionResetError(), "h", NOW),
        explain(TimeoutError(), "h", NOW),
        of_handshake(server_context(server_file(), now=NOW), ca_pem, "other.example"),
    ]
    english = re.compile(r"\b(?:the|is|not|and|with|it|was|but)\b")
    for each in told:
        assert not english.search(translated(each).replace(str(tmp_path), "")), translated(each)


def create_authority_twice(directory: Path) -> None:
    create_authority(directory, now=NOW)
    create_authority(directory, now=NOW)
