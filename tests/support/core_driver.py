"""Drives a client core against the model server, one event or command at a time, under a clock of its own."""

from __future__ import annotations

from typing import TypeVar

from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client.core import ClientCore, Output
from securechat.client.state import Phase, RoomKey
from securechat.model import Command, Event
from tests.support.chat_model import ModelServer

SECRET = "0123456789abcdef" * 2
T = TypeVar("T")


class Driver:
    def __init__(self, **options: object) -> None:
        self.now = 100.0
        self.server = ModelServer()
        self.core = ClientCore(**{"secret": SECRET, "jitter": lambda: 0.5, "name": "me", **options})  # type: ignore[arg-type]
        self.told: list[told.Happening] = []
        self.sent: list[Command] = []
        self.wire: list[Command] = []
        self.hung_up = 0

    def take(self, output: Output) -> Output:
        self.told += output.happenings
        self.sent += output.commands
        self.wire += output.commands
        if output.hang_up:
            self.hung_up += 1
            self.cut_wire()
        if output.dial:
            self.server.connect()
            self.wire.clear()
            self.take(self.core.connected(self.now))
        return output

    def cut_wire(self, *, restart: bool = False) -> None:
        self.server.cut(restart=restart)
        self.wire.clear()
        self.server.out.clear()

    def cut(self, *, restart: bool = False) -> Output:
        was = self.server.connected
        self.cut_wire(restart=restart)
        if not was:
            return Output()
        return self.take(self.core.disconnected(told.Loss(told.LossKind.CLOSED), self.now))

    def to_server(self, count: int = 1_000_000) -> None:
        for _ in range(min(count, len(self.wire))):
            self.server.receive(self.wire.pop(0))

    def to_client(self, count: int = 1_000_000) -> None:
        for _ in range(min(count, len(self.server.out))):
            if self.server.out:
                self.hear(self.server.out.pop(0))

    def hear(self, event: Event) -> Output:
        return self.take(self.core.received(event, self.now))

    def tick(self) -> None:
        due = self.core.deadline()
        if due is not None:
            self.now = max(self.now, due)
            self.take(self.core.tick(self.now))

    def want(self, intent: want.Intent) -> Output:
        return self.take(self.core.intend(intent, self.now))

    def say(self, text: str, room: str = "lobby") -> Output:
        return self.want(want.Speak(text, RoomKey(room)))

    def settle(self) -> None:
        """Deliver everything in both directions, dialling and waiting where that is due."""
        for _ in range(10_000):
            if self.wire or self.server.out:
                self.to_server()
                self.to_client()
            elif self._waits():
                self.tick()
            else:
                return
        raise AssertionError("does not settle")

    def _waits(self) -> bool:
        if self.core.phase is Phase.ONLINE:
            return bool(self.core.unsent)
        return self.core.phase is not Phase.ENDED and self.core.deadline() is not None

    def all(self, kind: type[T]) -> list[T]:
        return [happening for happening in self.told if isinstance(happening, kind)]

    def shown(self) -> list[tuple[int, str]]:
        return [(happening.message.seq, happening.message.text) for happening in self.all(told.Shown)]
