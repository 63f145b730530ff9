"""The lines between tool and server, with a steward that does as a test says."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

if sys.platform == "win32":
    pytest.skip("no unix-domain sockets in Python on Windows", allow_module_level=True)

from securechat.errors import ErrorCode, Refusal
from securechat.hub.admin.rooms import RoomRow
from securechat.limits import Limits
from securechat.model import BotInfo
from securechat.net.loop import Loop
from securechat.net.unix_socket import connect_unix
from securechat.records.accounts import Account, AccountKind, Committed
from securechat.records.log import NotAppended
from securechat.server.admin_socket import AdminServer, ProcessInfo

DISK_FULL = NotAppended(ErrorCode.DISK_FULL, "the disk is full")


class FakeSteward:
    """Remembers what it is asked, and leaves every ``done`` to the test."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.done: Callable[[Any], None] = lambda outcome: None
        self.progress: Callable[[float], None] = lambda share: None

    @property
    def room_admin(self) -> FakeSteward:
        return self

    def outgoing(self, _sender_id: int) -> None:
        return None

    def is_outgoing(self, _name: str) -> bool:
        return False

    @property
    def programs(self) -> FakeSteward:
        return self

    def bots(self, room: str | None = None) -> list[BotInfo]:
        if room == "nowhere":
            raise Refusal(ErrorCode.NO_SUCH_ROOM, "there is no such room")
        return [BotInfo(number, f"bot-{number}", "bot", []) for number in range(2_000)]

    def remove_bot(self, actor: str, name: str, done: Callable[[Any], None]) -> None:
        self.asked.append(("remove", name))
        self.done = done

    def rooms(self, done: Callable[[list[RoomRow]], None]) -> None:
        done([RoomRow(f"room-{number}", number) for number in range(5_000)])

    def kick(self, actor: str, name: str, reason: str, done: Callable[[Any], None]) -> None:
        if name == "nobody":
            raise Refusal(ErrorCode.NOT_FOUND, "nobody of this name is here")
        self.asked.append(("kick", name, reason))
        self.done = done

    def delete_user(
        self, actor: str, name: str, *, remove: bool, progress: Callable[[float], None], done: Callable[[Any], None]
    ) -> None:
        self.asked.append(("delete", name, remove))
        self.progress, self.done = progress, done

    def note(self, actor: str, act: str, target: str, detail: str, done: Callable[[Any], None]) -> None:
        self.asked.append(("note", actor, act))
        self.done = done


class Bench:
    def __init__(self, directory: Path) -> None:
        self.loop = Loop(Limits())
        self.admin_commands = FakeSteward()
        self.stops = 0
        self.administration = AdminServer(
            self.loop,
            directory / "admin.sock",
            cast("Any", self.admin_commands),
            cast("Callable[[], ProcessInfo]", None),
            self.stop,
        )
        self.sock = connect_unix(directory / "admin.sock", 10.0)
        self.sock.setblocking(False)
        self.received = b""

    def stop(self) -> None:
        self.stops += 1

    def send(self, **command: object) -> None:
        self.sock.send(json.dumps(command).encode() + b"\n")

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(10_000):
            if condition():
                return
            self.loop.run_pass(0.001)
            with contextlib.suppress(BlockingIOError):
                self.received += self.sock.recv(1 << 16)
        raise AssertionError("the condition never came true")

    def answer(self) -> list[dict[str, Any]]:
        """Everything up to the end of one command."""
        self.until(lambda: self.received.endswith(b"\n") and self._ended())
        lines, self.received = self.received.splitlines(), b""
        return [json.loads(line) for line in lines]

    def _ended(self) -> bool:
        last = json.loads(self.received.splitlines()[-1])
        return "done" in last or "error" in last

    def close(self) -> None:
        self.administration.close()
        self.loop.close()
        self.sock.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_an_answer_comes_when_the_log_has_it(bench: Bench) -> None:
    bench.send(command="kick", name="ann")
    bench.until(lambda: bench.admin_commands.asked)
    assert bench.received == b""
    bench.admin_commands.done(2)
    assert bench.answer() == [{"done": {"name": "ann", "connections": 2}}]


def test_what_was_not_stored_is_an_error_with_its_reason(bench: Bench) -> None:
    bench.send(command="kick", name="ann", reason="x")
    bench.until(lambda: bench.admin_commands.asked)
    bench.admin_commands.done(DISK_FULL)
    assert bench.answer() == [{"error": {"code": "disk_full", "text": "the disk is full"}}]
    bench.send(command="kick", name="nobody")
    assert bench.answer()[0]["error"]["code"] == "not_found"


def test_progress_comes_before_the_end(bench: Bench) -> None:
    bench.send(command="delete-user", name="ann", messages="remove")
    bench.until(lambda: bench.admin_commands.asked)
    assert bench.admin_commands.asked == [("delete", "ann", True)]
    bench.admin_commands.progress(0.25)
    bench.admin_commands.done(7)
    assert bench.answer() == [{"progress": 0.25}, {"done": {"name": "ann", "messages": 7, "removed": True}}]


def test_progress_that_nobody_reads_is_not_hoarded(bench: Bench) -> None:
    bench.send(command="delete-user", name="ann", messages="keep")
    bench.until(lambda: bench.admin_commands.asked)
    for _ in range(100_000):
        bench.admin_commands.progress(0.5)
    bench.admin_commands.done(1)
    answer = bench.answer()
    assert "done" in answer[-1]
    assert len(answer) < 50_000


def test_rows_come_one_by_one_and_then_their_number(bench: Bench) -> None:
    bench.send(command="rooms")
    answer = bench.answer()
    assert (answer[0]["row"]["room"], answer[0]["row"]["total"]) == ("room-0", 0)
    assert answer[-1] == {"done": {"rows": 5_000}}
    assert len(answer) == 5_001


@pytest.mark.parametrize("outcome", [Committed(), DISK_FULL])
def test_shutdown_is_written_down_and_happens_once_even_on_a_full_disk(bench: Bench, outcome: object) -> None:
    for _ in range(2):
        bench.admin_commands.asked.clear()
        bench.send(command="shutdown")
        bench.until(lambda: bench.admin_commands.asked)
        bench.admin_commands.done(outcome)
        assert bench.answer() == [{"done": {"stopping": True}}]
    assert bench.stops == 1


def test_a_done_that_comes_after_the_tool_has_gone_is_harmless(bench: Bench) -> None:
    bench.send(command="kick", name="ann")
    bench.until(lambda: bench.admin_commands.asked)
    bench.sock.shutdown(socket.SHUT_RDWR)
    bench.admin_commands.done(1)
    bench.loop.run_pass(0.001)


def test_how_the_audit_calls_them(bench: Bench) -> None:
    actor_of = bench.administration.actor_of
    assert actor_of(None) == "shell"
    assert actor_of(0) == "shell:root"
    assert actor_of(4711) == "shell:uid 4711"


def test_commands_about_programs_are_answered_like_all_others(bench: Bench) -> None:
    bench.send(command="bots")
    assert bench.answer()[-1] == {"done": {"rows": 2_000}}
    bench.send(command="bots", room="nowhere")
    assert bench.answer()[-1]["error"]["code"] == "no_such_room"
    bench.send(command="bot-remove", name="deploy")
    bench.until(lambda: bench.admin_commands.asked)
    assert bench.received == b""
    bench.admin_commands.done(Account(30, "deploy", "deploy", kind=AccountKind.BOT))
    assert bench.answer() == [{"done": {"name": "deploy", "kind": "bot"}}]
    bench.send(command="bot-remove", name="deploy")
    bench.until(lambda: len(bench.admin_commands.asked) == 2)
    bench.admin_commands.done(DISK_FULL)
    assert bench.answer()[-1]["error"]["code"] == "disk_full"
