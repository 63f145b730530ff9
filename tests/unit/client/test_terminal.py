"""The interactive client where no terminal is needed to see it go wrong."""

from __future__ import annotations

import ssl

import pytest

from securechat.client.core import ClientCore
from securechat.client.intents import Intent
from securechat.client.runner import Endpoint
from securechat.client.terminal import Terminal
from securechat.tls.contexts import ClientContext
from tests.support.core_driver import SECRET


def test_a_mistake_over_a_typed_line_becomes_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    core = ClientCore(secret=SECRET, jitter=lambda: 0.5, name="ann")
    terminal = Terminal(core, Endpoint("localhost", 1, ClientContext(ssl.PROTOCOL_TLS_CLIENT)), None)
    said: list[str] = []

    def fail(_: Intent) -> None:
        raise ValueError("over \x1b this")

    monkeypatch.setattr(terminal._runner, "want", fail)
    monkeypatch.setattr(terminal, "_say", said.append)
    terminal._typed("hello")
    terminal._runner._loop.close()
    assert len(said) == 1
    assert "made a mistake" in said[0]
    assert "ValueError" in said[0]
    assert "\x1b" not in said[0]
