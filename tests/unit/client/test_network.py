"""Why a connection was not made, as the shell tells the core."""

from __future__ import annotations

import ssl

import pytest

from securechat.client import catalogue
from securechat.client.core.events.connection import DisconnectReason
from securechat.client.exit_codes import ClientExit
from securechat.client.network import loss_of
from securechat.client.outcome import of_loss
from securechat.errors import TlsFailure, TlsProblem


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
