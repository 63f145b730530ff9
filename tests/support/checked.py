"""Clients of a real server whose every record is judged as it goes by, by the checkers that the simulation uses.

`CheckedClient` is the small blocking client, `CheckedRunner` the real one: core, loop and sockets on a thread of its
own, with a `Display` that hears what its user is told.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from securechat.client.core.actions import Action, LeaveChat
from securechat.client.core.client import ClientCore, CoreOutput
from securechat.client.core.credentials import Credentials
from securechat.client.core.events import UiEvent
from securechat.client.core.events.account import TokenReceived
from securechat.client.core.events.connection import Disconnect
from securechat.client.core.state import ConnectionPhase, Visibility
from securechat.client.network import NetworkThread, ServerTarget
from securechat.model import Command, Event, Hello, Joined, Welcome
from securechat.tls.contexts import client_context
from tests.simulation.checkers.histories import Display
from tests.simulation.checkers.wire_checks import Realtime, Stream, WireChecker
from tests.support.native import NativeClient
from tests.support.secrecy import keep_secret
from tests.support.server import PATIENCE_S


class CheckedClient(NativeClient):
    """A connection on which everything that goes up and comes down is judged.

    Args:
        port: of the server on 127.0.0.1.
        ca: its CA.
        who: names the client in a complaint.
        realtime: shared by everybody.
        stream: what was ever sent with this secret.
        secret: the resume secret.
    """

    def __init__(self, port: int, ca: Path, who: str, realtime: Realtime, stream: Stream, secret: str) -> None:
        self._checker = WireChecker(who, realtime, stream)
        self._judged = 0
        super().__init__(port, ca, secret=secret)

    def send(self, *commands: Command) -> None:
        for command in commands:
            self._checker.sent(command)
        super().send(*commands)

    def pump(self, timeout_s: float) -> bool:
        went_on = super().pump(timeout_s)
        for event in self.events[self._judged :]:
            self._checker.received(event)
        self._judged = len(self.events)
        return went_on

    def log_in(self, name: str, token: str) -> Welcome:
        """Say hello with what an earlier connection was given."""
        self.send(Hello(version=1, name=name, secret=self.secret, client="test/1", token=token))
        welcome = self.wait_for(Welcome)
        self.wait_for(Joined)
        return welcome


class CheckedCore(ClientCore):
    """The real core, looked at from both sides: the wire, and the user."""

    def __init__(self, who: str, realtime: Realtime, login: Credentials, secret: str) -> None:
        self.display = Display(who)
        self.stream = Stream()
        self._realtime = realtime
        self._checker: WireChecker | None = None
        super().__init__(
            secret=secret, jitter=random.random, name=who, rooms=("ops",), credentials=login, visibility=Visibility.ALL
        )

    def connected(self, now: float) -> CoreOutput:
        self._checker = WireChecker(self.display.who, self._realtime, self.stream)
        return self._noted(super().connected(now))

    def received(self, event: Event, now: float) -> CoreOutput:
        if self._checker is not None:
            self._checker.received(event)
        match event:
            case Welcome():
                keep_secret(event.token)
                self.display.welcomed(event)
            case Joined():
                self.display.joined(event)
            case _:
                pass
        return self._noted(super().received(event, now))

    def act(self, intent: Action, now: float) -> CoreOutput:
        output = self._noted(super().act(intent, now))
        for line in self.unsent:
            self.display.lines.setdefault(line.number, None)
        return output

    def disconnected(self, loss: Disconnect, now: float) -> CoreOutput:
        return self._noted(super().disconnected(loss, now))

    def tick(self, now: float) -> CoreOutput:
        return self._noted(super().tick(now))

    def _noted(self, output: CoreOutput) -> CoreOutput:
        if self._checker is not None:
            for command in output.commands:
                self._checker.sent(command)
        return output


class CheckedRunner:
    """A user with the real client, who does one thing after the other, whenever the last one is settled.

    Args:
        port: of the server on 127.0.0.1.
        ca: its CA.
        core: not yet started.
        next_intent: says what the user does next; called on the network's thread.
    """

    def __init__(
        self, port: int, ca: Path, core: CheckedCore, next_intent: Callable[[CheckedCore], Action | None]
    ) -> None:
        self.core = core
        self.enough = threading.Event()
        self._next_intent = next_intent
        self._busy = False
        self._network = NetworkThread(core, ServerTarget("127.0.0.1", port, client_context(ca.read_text())), self._hear)
        self._network.start()

    @property
    def problem(self) -> BaseException | None:
        """What went wrong on the network's thread, if anything."""
        return self._network.failure

    @property
    def is_quiet(self) -> bool:
        """Online, with nothing unsent and nothing missing."""
        core = self.core
        return core.phase is ConnectionPhase.ONLINE and not core.unsent and not core.catching_up

    def stop(self) -> None:
        """Leave at once."""
        self.enough.set()
        self._network.act(LeaveChat(0.0))
        assert self._network.wait(PATIENCE_S), "the client does not end"
        self._network._thread.join()  # it closes every descriptor

    def _hear(self, ui_events: Sequence[UiEvent]) -> None:
        for ui_event in ui_events:
            if isinstance(ui_event, TokenReceived):
                keep_secret(ui_event.token)
            self.core.display.tell(ui_event)
        if self.is_quiet and not self._busy and not self.enough.is_set():
            self._busy = True
            self._network.post(self._act)

    def _act(self) -> None:
        self._busy = False
        if self.is_quiet and (intent := self._next_intent(self.core)) is not None:
            self._network.want(intent)
