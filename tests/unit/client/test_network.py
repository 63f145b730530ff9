"""Why a connection was not made, as the shell tells the core."""

from __future__ import annotations

import datetime as dt
import ssl

import pytest

from securechat.client import catalogue, network
from securechat.client.core.client import ClientCore
from securechat.client.core.events.connection import DisconnectReason
from securechat.client.exit_codes import ClientExit
from securechat.client.network import NetworkThread, ServerTarget, loss_of
from securechat.client.outcome import of_loss
from securechat.errors import TlsFailure, TlsProblem
from securechat.tls.contexts import client_context
from securechat.tls.issuing import certificate_pem, new_authority


def caused(failure: TlsFailure, cause: Exception) -> TlsFailure:
    failure.__cause__ = cause
    return failure


@pytest.mark.parametrize(
    "error",
    [
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ssl.SSLZeroReturnError(6, "closed"),
        ConnectionResetError(104, "reset"),
        caused(TlsFailure(TlsProblem.OTHER, "x hung up"), ConnectionResetError(104, "reset")),
    ],
)
def test_a_hang_up_in_the_handshake_may_mean_that_the_address_was_turned_away(error: Exception) -> None:
    loss = loss_of(error, "host")
    said = catalogue.connection.not_reached(loss, "host", 1)
    assert "refuses your address after too many connections, then wait ten minutes" in said
    assert of_loss(loss) is ClientExit.TLS_OTHER


def test_another_broken_handshake_is_told_in_its_own_words() -> None:
    loss = loss_of(TlsFailure(TlsProblem.WRONG_CA, "not issued by yours"), "host")
    assert loss.kind is DisconnectReason.TLS
    assert catalogue.connection.not_reached(loss, "host", 1).startswith("not issued by yours. ")


@pytest.mark.parametrize(
    ("host", "name"), [("fe80::1%eth0", "fe80::1"), ("chat.example", "chat.example"), ("::1", "::1")]
)
def test_a_zone_is_for_the_socket_and_not_for_the_certificate(
    monkeypatch: pytest.MonkeyPatch, ca_pem: str, host: str, name: str
) -> None:
    """No certificate can contain a zone (RFC 4007): the address without it is verified."""
    dialled: list[tuple[object, ...]] = []
    monkeypatch.setattr(network, "connect", lambda *arguments: dialled.append(arguments))
    core = ClientCore(secret="0" * 32, jitter=lambda: 0.0, name="ann")
    thread = NetworkThread(core, ServerTarget(host, 1, client_context(ca_pem)), lambda _: None)
    thread._dial()
    thread._loop.close()
    ((_, dialled_host, _, _, verified, *_),) = dialled
    assert (dialled_host, verified) == (host, name)


@pytest.mark.parametrize("problem", TlsProblem)
def test_only_another_ca_or_pin_is_called_an_interception(problem: TlsProblem) -> None:
    said = catalogue.connection.tls_failure(problem, "x")
    assert ("intercepted" in said) is (problem in {TlsProblem.WRONG_CA, TlsProblem.WRONG_PIN})


@pytest.fixture
def ca_pem() -> str:
    return certificate_pem(new_authority(dt.datetime.now(dt.UTC)).certificate).decode()
