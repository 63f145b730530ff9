"""When a session makes views: at once after what the person does, in turn after events and typed texts."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from securechat.client.core.state import Visibility
from securechat.client.network import ServerTarget
from securechat.client.screen.session import VIEWS_PER_S, ScreenSession
from securechat.client.ui.screen_model.view import RunAction, ScreenResized, ScreenView, TypedText
from securechat.tls.contexts import ClientContext
from tests.support.core_driver import Driver
from tests.support.screen_rig import ScreenServer


class Recorded:
    """A session whose screen and timers are recorded; neither thread runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        target = ServerTarget("chat.lan", 8443, ClientContext(ssl.PROTOCOL_TLS_CLIENT))
        self.session = ScreenSession(Driver(ScreenServer(), visibility=Visibility.REPORTED).core, target, None)
        self.views: list[ScreenView] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        monkeypatch.setattr(self.session._app, "show_soon", self.views.append)
        monkeypatch.setattr(self.session._network, "call_later", self._call_later)

    def _call_later(self, delay_s: float, callback: Callable[[], None]) -> Any:
        self.timers.append((delay_s, callback))
        return SimpleNamespace(cancel=lambda: None)

    def take(self, screen_input: Any) -> int:
        """Take an input; returns how many views it made at once."""
        before = len(self.views)
        self.session._take(screen_input)
        return len(self.views) - before


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    recorded = Recorded(monkeypatch)
    yield recorded
    recorded.session._network._loop.close()


def test_typed_texts_get_views_in_turn_and_actions_at_once(one: Recorded) -> None:
    assert one.take(ScreenResized(80, 24)) == 1
    assert one.take(TypedText("a", 1, 0, 1)) == 0
    first_s, first = one.timers[-1]
    assert first_s == 0.0
    first()
    assert len(one.views) == 2
    assert one.take(TypedText("ab", 2, 0, 1)) == 0
    assert one.timers[-1][0] == pytest.approx(1 / VIEWS_PER_S)
    assert one.take(TypedText("abc", 3, 0, 1)) == 0
    assert one.take(RunAction("help")) == 1


def test_events_after_an_action_are_shown_at_once(one: Recorded) -> None:
    """What an action has asked for comes some milliseconds later: the view of the action does not put it off."""
    one.take(ScreenResized(80, 24))
    one.take(RunAction("help"))
    one.session._show_in_turn()
    assert one.timers[-1][0] == 0.0


def test_what_is_there_at_the_start_is_left_out_of_collections(one: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one.session._network, "start", lambda: None)
    monkeypatch.setattr(one.session._app.answers, "ask_background", lambda _tell: None)
    try:
        one.session._start()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
