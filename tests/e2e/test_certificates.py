"""Behaviours 10 and 14: names in the certificate decide, and a renewal is noticed by nobody who is connected."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import ssl
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from securechat.model import Ping, Pong
from securechat.tls.certificate_directory import create_authority, ensure_server, load_authority
from securechat.tls.hostnames import parse_name
from securechat.tls.issuing import certificate_pem, key_pem
from securechat.tls.local_addresses import private_addresses
from securechat.tls.pem_bundle import fingerprint, read_bundle
from securechat.tls.trust import learn_ca, parse_pin
from tests.e2e.conftest import Connect
from tests.support.native import NativeClient
from tests.support.server import ServerProcess, wait_until

pytestmark = pytest.mark.cold
LAN = "127.77.0.1"
"""Stands for another machine's address: any address of 127.0.0.0/8 can be bound on Linux."""

needs_hup = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
needs_lan = pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127.0.0.0/8")


@needs_lan
def test_10_a_lan_address_that_the_certificate_names_is_accepted(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    ensure_server(certs, parse_name(LAN))
    with (
        ServerProcess(certs, tmp_path / "data", host=LAN).start() as server,
        NativeClient(server.port, server.ca, host=LAN) as client,
    ):
        client.hello("far away")
        client.say_acked("hello from the LAN")


@needs_lan
def test_10_a_lan_address_that_the_certificate_does_not_name_is_refused(certs: Path, tmp_path: Path) -> None:
    with (
        ServerProcess(certs, tmp_path / "data", host=LAN).start() as server,
        pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"),
    ):
        NativeClient(server.port, server.ca, host=LAN)


def test_another_ca_is_refused(certs: Path, tmp_path: Path) -> None:
    ensure_server(tmp_path / "other")
    with ServerProcess(certs, tmp_path / "data").start() as server, pytest.raises(ssl.SSLCertVerificationError):
        NativeClient(server.port, tmp_path / "other" / "ca.pem")


@needs_hup
def test_14_a_renewed_certificate_serves_new_connections_and_drops_nobody(tmp_path: Path, connect: Connect) -> None:
    certs = tmp_path / "certs"
    ensure_server(certs)
    with ServerProcess(certs, tmp_path / "data").start() as server, NativeClient(server.port, server.ca) as old:
        old.hello("old")
        before = old.sock.getpeercert(binary_form=True)
        ensure_server(certs, always=True)
        server.signal(signal.SIGHUP)
        server.wait_for_event("notice")
        with NativeClient(server.port, server.ca) as new:
            new.hello("new")
            assert new.sock.getpeercert(binary_form=True) != before
            acked = new.say_acked("hi")
        old.wait_for_text("hi")
        assert acked.seq


@needs_hup
def test_a_certificate_of_another_ca_is_taken_with_a_warning(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    ensure_server(certs)
    with ServerProcess(certs, tmp_path / "data").start() as server:
        create_authority(certs, replace=True)
        done = ensure_server(certs, force=True)
        server.signal(signal.SIGHUP)
        warning = server.wait_for_event("warning")
        assert f"the CA is another one than before: it is {done.ca_fingerprint}; it was sha256:" in warning["text"]


@needs_hup
@pytest.mark.parametrize("damage", ["garbage", "wrong key", "missing", "pipe"])
def test_14_a_broken_renewal_keeps_the_old_certificate_and_says_so_loudly(tmp_path: Path, damage: str) -> None:
    certs = tmp_path / "certs"
    ensure_server(certs)
    with ServerProcess(certs, tmp_path / "data").start() as server, NativeClient(server.port, server.ca) as old:
        old.hello("old")
        before = old.sock.getpeercert(binary_form=True)
        _damage(certs / "server.pem", damage, tmp_path)
        server.signal(signal.SIGHUP)
        error = server.wait_for_event("error")
        assert "NOT renewed" in error["text"]
        with NativeClient(server.port, server.ca) as new:
            new.hello("new")
            assert new.sock.getpeercert(binary_form=True) == before
            new.say_acked("still works")
        old.wait_for_text("still works")


def _damage(path: Path, how: str, tmp_path: Path) -> None:
    if how == "pipe":
        path.unlink()
        os.mkfifo(path, 0o600)  # with nobody at its other end: `open` would wait, and the loop with it
        return
    if how == "garbage":
        path.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    elif how == "missing":
        path.unlink()
    else:
        ensure_server(tmp_path / "other")
        leaf = path.read_text().split("-----BEGIN PRIVATE KEY-----")[0]
        key = (tmp_path / "other" / "server.pem").read_text().split("-----BEGIN PRIVATE KEY-----")[1]
        path.write_text(f"{leaf}-----BEGIN PRIVATE KEY-----{key}")


def test_without_a_certificate_the_server_says_which_command_makes_one(tmp_path: Path, certs: Path) -> None:
    shutil.copy(certs / "ca.pem", tmp_path)
    server = ServerProcess(tmp_path, tmp_path / "data")
    server.start(wait=False)
    assert server.wait() == 3
    assert "securechat-admin certs" in server.stderr
    assert len(server.stderr.strip().splitlines()) == 1


def test_a_ca_certificate_is_no_server_certificate(certs: Path, tmp_path: Path) -> None:
    shutil.copy(certs / "ca.pem", tmp_path / "server.pem")
    shutil.copy(certs / "ca.key", tmp_path / "server.key")
    server = ServerProcess(tmp_path, tmp_path / "data")
    server.start(wait=False)
    assert server.wait() == 3
    assert "is a CA certificate" in server.stderr


def _issue(certs: Path, names: list[x509.GeneralName]) -> None:
    """Write a server.pem of the CA in this directory that has these names only."""
    issuer = load_authority(certs)
    assert issuer is not None
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        .sign(issuer.key, SHA256())
    )
    (certs / "server.pem").write_bytes(certificate_pem(leaf) + certificate_pem(issuer.certificate) + key_pem(key))


@needs_hup
def test_a_certificate_that_names_no_host_is_refused_at_start_check_and_renewal(tmp_path: Path) -> None:
    certs, data = tmp_path / "certs", tmp_path / "data"
    ensure_server(certs)
    with ServerProcess(certs, data).start() as server, NativeClient(server.port, server.ca) as old:
        old.hello("old")
        _issue(certs, [x509.UniformResourceIdentifier("https://localhost/")])
        server.signal(signal.SIGHUP)
        assert "NOT renewed" in (text := server.wait_for_event("error")["text"])
        assert "the certificate names no host" in text
        old.say_acked("still served")
        assert server.stop() == 0
    told = "which holds a URI; make it anew with -addext subjectAltName=DNS:chat.example.org"
    for flags, code in (([], 3), (["--check-config"], 2)):
        failed = ServerProcess(certs, data, *flags).start(wait=False)
        assert failed.wait() == code
        assert told in failed.stderr
    _issue(certs, [x509.DNSName("localhost")])  # as the sentence says
    with ServerProcess(certs, data).start() as server, NativeClient(server.port, server.ca, host="localhost") as bob:
        bob.hello("bob")


def test_learning_a_ca_by_its_pin_is_no_failed_hello(certs: Path, tmp_path: Path) -> None:
    flags = ["--limit", "failed_hellos_per_address=2", "--limit", "connections_per_address=256"]
    address = next((str(ip) for ip in private_addresses() if not ip.is_loopback and ip.version == 4), None)
    if address is None:
        pytest.skip("this machine has no address but loopback, which no limit applies to")
    authority = read_bundle(certs / "server.pem").authority
    assert authority is not None
    with ServerProcess(certs, tmp_path / "data", *flags, host=address).start() as server:
        for _ in range(6):
            learn_ca(address, server.port, parse_pin(fingerprint(authority)), 20)
        with NativeClient(server.port, server.ca, host=address) as client:
            client.hello("in")
        for number in range(2):  # who speaks, and never says hello, does count
            with NativeClient(server.port, server.ca, host=address) as client:
                client.send(Ping(number))
                client.wait_for(Pong)
            wait_until(lambda n=number: len(_disconnects(server)) > 7 + n, "the server noticed")
        with pytest.raises(OSError):
            NativeClient(server.port, server.ca, host=address)


def _disconnects(server: ServerProcess) -> list[object]:
    return [event for event in server.events() if event["event"] == "disconnected"]
