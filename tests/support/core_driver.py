"""Drives a client core against the model server, one event or command at a time, under a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore, CoreOutput
from securechat.client.core.message_changes import apply_change
from securechat.client.core.state import ConnectionPhase
from securechat.model import (
    Acked,
    Command,
    Delete,
    Deleted,
    Edit,
    Edited,
    Event,
    FileInfo,
    History,
    HistoryPage,
    LogEntry,
    Message,
    MessageChange,
    React,
    Reacted,
)
from tests.support.chat_model import ModelServer

SECRET = "0123456789abcdef" * 2
T = TypeVar("T")


@dataclass
class ChangingServer(ModelServer):
    """A model server whose messages change: ``log`` has the messages as they are, ``entries`` all that happened.

    Its reader may be slow: with ``slow_reader`` a page waits until `finish_reading`, and is as old as the question.
    """

    entries: list[LogEntry] = field(default_factory=list)
    slow_reader: bool = False
    read: list[HistoryPage] = field(default_factory=list)

    @property
    def fed(self) -> int:
        return self.entries[-1].seq if self.entries else 0

    def store(
        self,
        sender: int,
        text: str,
        *,
        room: str | None = None,
        to: int | None = None,
        files: tuple[FileInfo, ...] = (),
    ) -> Message:
        message = super().store(sender, text, room=room, to=to, files=files)
        self.entries.append(message)
        return message

    def cut(self, *, restart: bool = False) -> None:
        super().cut(restart=restart)
        self.read.clear()

    def change(self, target: int, what: str, *, by: int = 99, sign: str = "+", text: str = "") -> MessageChange | None:
        """Edit, delete or react; None where there is nothing to change."""
        index = next((index for index, message in enumerate(self.log) if message.seq == target), None)
        if index is None or self.log[index].deleted is not None:
            return None
        old = self.log[index]
        to = None if old.room else (old.to if old.sender_id == by else old.sender_id)
        where = (self.fed + 1, target, by, f"p{by}", 0, old.room, to)
        change: MessageChange
        match what:
            case "edit":
                change = Edited(*where, text)
            case "delete":
                change = Deleted(*where)
            case _:
                change = Reacted(*where, sign, what == "react")
        self.log[index] = apply_change(old, change)
        if change in self.entries or self.log[index] is old:
            return None
        self.entries.append(change)
        self.push(change)  # type: ignore[arg-type]
        return change

    def receive(self, command: Command) -> None:
        match command:
            case Edit(client_id, seq, text):
                change = self.change(seq, "edit", by=self.me, text=text)
            case Delete(client_id, seq):
                change = self.change(seq, "delete", by=self.me)
            case React(client_id, seq, sign, on=on):
                change = self.change(seq, "react" if on else "unreact", by=self.me, sign=sign)
            case _:
                super().receive(command)
                return
        seq = change.seq if change is not None else self.fed
        self.stored[self.me, client_id] = seq
        self.out.append(Acked(client_id, seq))

    def history(self, ask: History) -> None:
        """Forward, a page is one span of messages and changes, cut at an entry of either kind (hub.ports)."""
        if ask.after is None:
            super().history(ask)
            self._hold()
            return
        before = ask.before if ask.before is not None else self.fed + 1
        span = [entry for entry in self.entries if ask.after < entry.seq < before and self._asked_for(entry, ask)]
        limit = min(ask.limit, self.page_rows)
        more = len(span) > limit
        through = span[limit - 1].seq if more else min(self.fed, before - 1)
        chosen = {entry.seq for entry in span[:limit]}
        messages = [message for message in self.log if message.seq in chosen]
        changes = [self._as_it_is(entry) for entry in span[:limit] if not isinstance(entry, Message)]
        self.out.append(HistoryPage(ask.ref, messages, through, more, changes))
        self._hold()

    def finish_reading(self) -> None:
        self.out += self.read
        self.read.clear()

    def _hold(self) -> None:
        if self.slow_reader:
            self.read.append(self.out.pop())  # type: ignore[arg-type]

    def _asked_for(self, entry: LogEntry, ask: History) -> bool:
        if ask.room is not None:
            return entry.room == ask.room
        if ask.peer is not None:
            return entry.room is None and ask.peer in (entry.sender_id, entry.to)
        return self.belongs(entry)  # type: ignore[arg-type]

    def _as_it_is(self, change: MessageChange) -> MessageChange:
        """An edit that another change has replaced comes without its text."""
        now = next(message for message in self.log if message.seq == change.target)
        if isinstance(change, Edited) and now.edited != change.seq:
            return Edited(change.seq, change.target, change.sender_id, change.name, 0, change.room, change.to)
        return change


class Driver:
    def __init__(self, server: ModelServer | None = None, **options: object) -> None:
        self.now = 100.0
        self.server = server or ModelServer()
        self.core = ClientCore(**{"secret": SECRET, "jitter": lambda: 0.5, "name": "me", **options})  # type: ignore[arg-type]
        self.told: list[events.UiEvent] = []
        self.sent: list[Command] = []
        self.wire: list[Command] = []
        self.hung_up = 0

    def take(self, output: CoreOutput) -> CoreOutput:
        self.told += output.ui_events
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

    def cut(self, *, restart: bool = False) -> CoreOutput:
        was = self.server.connected
        self.cut_wire(restart=restart)
        if not was:
            return CoreOutput()
        return self.take(self.core.disconnected(events.Disconnect(events.DisconnectReason.CLOSED), self.now))

    def to_server(self, count: int = 1_000_000) -> None:
        for _ in range(min(count, len(self.wire))):
            self.server.receive(self.wire.pop(0))

    def to_client(self, count: int = 1_000_000) -> None:
        for _ in range(min(count, len(self.server.out))):
            if self.server.out:
                self.hear(self.server.out.pop(0))

    def hear(self, event: Event) -> CoreOutput:
        return self.take(self.core.received(event, self.now))

    def tick(self) -> None:
        due = self.core.deadline()
        if due is not None:
            self.now = max(self.now, due)
            self.take(self.core.tick(self.now))

    def want(self, intent: actions.Action) -> CoreOutput:
        return self.take(self.core.act(intent, self.now))

    def say(self, text: str, room: str = "lobby") -> CoreOutput:
        return self.want(actions.SendMessage(text, self.core.room(room)))

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
        if self.core.phase is ConnectionPhase.ONLINE:
            return bool(self.core.unsent)
        return self.core.phase is not ConnectionPhase.ENDED and self.core.deadline() is not None

    def all(self, kind: type[T]) -> list[T]:
        return [ui_event for ui_event in self.told if isinstance(ui_event, kind)]

    def shown(self) -> list[tuple[int, str]]:
        return [(ui_event.message.seq, ui_event.message.text) for ui_event in self.all(events.MessageShown)]
