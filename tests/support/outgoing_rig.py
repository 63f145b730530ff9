"""The feeds of outgoing webhooks over a real hub and a memory log; the test answers deliveries and lets time pass."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from securechat.containment import Failure
from securechat.limits import Limits
from securechat.model import Acked, Command, Hello, Join, Message, Register, Say, Welcome
from securechat.records.accounts import Account, AccountKind, OutgoingWebhook, Scope
from securechat.records.log import NotAppended
from securechat.server.outgoing.feed import OutgoingFeed
from securechat.server.outgoing.networks import NetworkPolicy, parse_networks
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Outcome
from securechat.server.outgoing.sender import OutgoingRequest
from securechat.storage.store import DiskFull
from securechat.testing.clock import Deadline
from securechat.testing.keys import plain_keys
from tests.support.hub_rig import FakePeer, HubRig

SECRET = "whsec_" + "A" * 43 + "="
URL = "http://127.0.0.1:9/secret-path"
TAKEN = Delivered()
DOWN = Failed(DeliveryProblem.UNREACHABLE)
PASSWORD = "correct horse battery"


class Made(NamedTuple):
    """A delivery that was begun."""

    hook: int
    id: str
    seq: int
    text: str
    request: OutgoingRequest


class FakeWorker:
    """Takes deliveries, and holds them until the test answers.

    Attributes:
        made: every delivery that was begun.
        takes: whether it takes another one.
    """

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.takes = True
        self.taken: dict[int, Callable[[Outcome], None]] = {}

    def deliver(self, hook_id: int, request: OutgoingRequest, done: Callable[[Outcome], None]) -> bool:
        assert hook_id not in self.taken, "a webhook has one delivery at a time"
        if not self.takes:
            return False
        data = json.loads(request.body)["data"]
        self.made.append(Made(hook_id, request.delivery_id, data["seq"], data["text"], request))
        self.taken[hook_id] = done
        return True

    def forget(self, hook_id: int) -> None:
        self.taken.pop(hook_id, None)

    def close(self) -> None:
        self.taken.clear()


class OutgoingRig(HubRig):
    """A hub with the feeds of its webhooks. Timers run when the test lets time pass.

    Attributes:
        outcomes, failed, off, lost, gaps: what the observer was told.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        rates: bool = False,
        on_failure: Callable[[Failure], None] | None = None,
    ) -> None:
        self.outcomes: list[str] = []
        self.failed: list[tuple[str, str, str]] = []
        self.off: list[tuple[str, str]] = []
        self.lost: list[tuple[str, str]] = []
        self.gaps: list[tuple[str, int]] = []
        self._timers: list[tuple[float, int, Deadline]] = []
        self._order = count()
        self._cids: dict[int, int] = {}
        super().__init__(limits, rates=rates, on_failure=on_failure)
        self._start()

    def _start(self) -> None:
        self.worker = FakeWorker()
        policy = NetworkPolicy(parse_networks(["127.0.0.1"]))
        self.feed = OutgoingFeed(self.hub.outgoing, self.worker, self, self.containment, self, policy)
        self.feed.start()
        self.settle()

    # --- ports of the feed

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Deadline:
        deadline = Deadline(self.now + delay_s, callback)
        heapq.heappush(self._timers, (deadline.when, next(self._order), deadline))
        return deadline

    def outgoing_delivered(self, outcome: str) -> None:
        self.outcomes.append(outcome)

    def outgoing_failed(self, name: str, problem: str, detail: str) -> None:
        self.failed.append((name, problem, detail))

    def outgoing_off(self, name: str, why: str) -> None:
        self.off.append((name, why))

    def outgoing_reply_lost(self, name: str, why: str) -> None:
        self.lost.append((name, why))

    def outgoing_gap(self, name: str, through: int) -> None:
        self.gaps.append((name, through))

    # --- what a test does

    def pass_time(self, seconds: float) -> None:
        """Let time pass: the timers of the feeds, then those of the hub."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, deadline = heapq.heappop(self._timers)
            if deadline.callback is None:
                continue
            super().pass_time(max(0.0, when - self.now))
            deadline.callback()
            self.settle()
        super().pass_time(end - self.now)
        self.settle()

    def rest(self) -> None:
        """Let the pauses between reads pass, and nothing that is longer."""
        self.pass_time(1.0)

    def step_until(self, is_there: Callable[[], bool]) -> None:
        """Run what the log has to do, one thing after the other, until the test sees what it waits for."""
        while not is_there():
            assert self.posted, "it does not come"
            self.step()

    def crash(self) -> None:
        """Kill the server, and start it again over what is stored."""
        self.kill()
        self.revive()

    def kill(self) -> None:
        """End the server where it stands."""
        self.log.abandon()
        self.posted.clear()
        self._timers.clear()

    def stop(self) -> None:
        """Stop the server as a signal does."""
        self.feed.stop()
        self.settle()
        self.log.close()
        self.posted.clear()
        self._timers.clear()

    def revive(self) -> None:
        """Start the server again."""
        self.alarm_at = None
        self.open(plain_keys(self.posted.append, self.wall_ms))
        self._start()

    def full(self, *, full: bool = True) -> None:
        """Fill the disk, or free it."""

        def fault(when: str) -> None:
            if full and when == "apply":
                raise DiskFull

        self.store.fault = fault

    def person(self, name: str, *rooms: str) -> FakePeer:
        """A connection of a member with an account, in these rooms."""
        peer = self.member(name)
        self.do(peer, Register(ref=901, password=PASSWORD))
        if rooms:
            self.do(peer, Join(ref=902, rooms=list(rooms)))
        return peer

    def program(self, kind: AccountKind, room: str) -> FakePeer:
        """A connection by the token of a bot or an incoming webhook, in a room."""
        name = f"a-{kind.value}"
        made = self.administer("add_bot", name, kind=kind, rooms=[room], scopes=[Scope.POST, Scope.READ], days=None)
        peer = self.peer()
        self.do(peer, Hello(version=1, name="x", secret=f"{peer.number:032x}", token=made.token))
        return peer

    def say(self, peer: FakePeer, *texts: str, room: str = "lobby") -> list[int]:
        """Say something; returns the seqs."""
        return [self._acked(peer, lambda cid, text=text: Say(client_id=cid, room=room, text=text)) for text in texts]

    def change(self, peer: FakePeer, make: Callable[[int], Command]) -> int:
        """Change a message; ``make`` gets the client_id. Returns the seq of the change."""
        return self._acked(peer, make)

    def _acked(self, peer: FakePeer, make: Callable[[int], Command]) -> int:
        cid = self._cids[peer.number] = self._cids.get(peer.number, 0) + 1
        self.do(peer, make(cid))
        acked = peer.last(Acked)
        assert acked.client_id == cid, peer.events[-1]
        return acked.seq

    def hook(self, room: str = "lobby", on: str = "all", name: str = "deploy", *, bots: bool = False) -> int:
        """Make a webhook; returns its sender_id."""
        made = self.answered(
            lambda done: self.hub.admin_commands.programs.add_outgoing(
                "root", room, URL, trigger=on, name=name, secret=SECRET, bots=bots, done=done
            )
        )
        assert isinstance(made, OutgoingWebhook), made
        self.rest()
        return made.sender_id

    def answered(self, ask: Callable[[Callable[[Any], None]], None]) -> Any:
        """Ask the hub for something, and return what it answers."""
        answers: list[Any] = []
        ask(answers.append)
        self.settle()
        assert answers, "no answer"
        return answers[0]

    def administer(self, act: str, *arguments: Any, **options: Any) -> Any:
        """Carry out an administrator's command about programs."""
        commands = self.hub.admin_commands.programs
        return self.answered(lambda done: getattr(commands, act)("root", *arguments, done=done, **options))

    def switch_on(self, name: str = "deploy") -> None:
        """Switch a webhook on."""
        assert not isinstance(self.administer("switch_on", name), NotAppended)
        self.rest()

    def remove(self, name: str = "deploy") -> Any:
        """Remove a webhook."""
        removed = self.administer("remove_bot", name)
        assert isinstance(removed, Account | NotAppended)
        return removed

    def row(self, hook: int) -> OutgoingWebhook:
        """The record of a webhook; what the hub has in memory is durable."""
        return self.hub.context.accounts.outgoing[hook]

    def answer(self, hook: int, outcome: Outcome = TAKEN, *, settle: bool = True) -> None:
        """Answer the delivery of a webhook that is under way."""
        self.worker.taken.pop(hook)(outcome)
        if settle:
            self.settle()
            self.rest()

    def deliver_all(self, *hooks: int, reply: str | None = None) -> list[str]:
        """Answer deliveries of these webhooks until there is none; returns their texts."""
        self.rest()
        texts = []
        while pending := [hook for hook in hooks if hook in self.worker.taken]:
            texts.append(self.under_way(pending[0]).text)
            self.answer(pending[0], Delivered(reply))
        return texts

    def under_way(self, hook: int) -> Made:
        """The delivery of a webhook that waits for its answer."""
        assert hook in self.worker.taken
        return [made for made in self.worker.made if made.hook == hook][-1]

    @property
    def texts(self) -> list[str]:
        """The texts of all messages that were fanned out."""
        return [entry.text for entry in self.fed if isinstance(entry, Message)]

    @staticmethod
    def id_of(peer: FakePeer) -> int:
        """The sender_id of a member."""
        return peer.last(Welcome).sender_id
