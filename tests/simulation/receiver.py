"""Outgoing webhooks: the hub and the feeds are the real ones, and what stands behind a worker's threads is made here.

The operator makes webhooks of the lobby, takes them away, and switches on what is off. The receiver answers with and
without a reply, fails, is not there, wants no more, takes a delivery whose answer is lost, or says nothing for long;
and the server may end at any moment in between. What it is told is held against the committed records:

- every message that a webhook wants is delivered, again and again until the receiver has answered, before any later
  one, and under the same id each time;
- a cursor passes no message that was not answered;
- nothing else is delivered: no message of a bot where those do not count, none of another webhook, none of a webhook
  that is off or gone;
- a reply stands once, however often its delivery was made.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from securechat.errors import ErrorCode, Refusal
from securechat.hub.programs.outgoing import ALL
from securechat.records.accounts import OutgoingWebhook
from securechat.server.outgoing.feed import OutgoingFeed
from securechat.server.outgoing.networks import NetworkPolicy
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Gone, Outcome
from securechat.server.outgoing.schedule import OffReason, Plan, RetryState, SwitchedOff
from securechat.server.outgoing.signature import new_secret
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from securechat.server.outgoing.sender import OutgoingRequest
    from tests.simulation.server import SimulatedServer
    from tests.simulation.world import World

_KINDS = (*("ok",) * 8, *("reply",) * 6, *("absent",) * 2, *("status",) * 2, *("cut",) * 2, "late", "gone")
"""What becomes of an attempt, by how often."""
_TRIGGERS = (ALL, ALL, "!deploy")
_MOST = 3
_ANSWERS_S = (0.002, 0.3)
_SILENT_S = 2.0
_AGAIN_MS = (100, 500)
_BUSY = 0.05
"""How often a worker takes no delivery."""
_KILLED = 0.3
"""How often the server is killed when it has posted a reply, in runs where it is killed at all."""
_EXCUSES = frozenset({ErrorCode.ARCHIVED, ErrorCode.READ_ONLY, ErrorCode.SLOW_MODE, ErrorCode.MUTED})
"""What a reply may be refused for, where that ever was so."""


@dataclass(slots=True)
class Hook:
    """A webhook, as the committed records have it.

    Attributes:
        row: its record.
        since: above which seq it delivers.
        ids: of its deliveries, by seq.
        answered: seqs to which the receiver has answered 2xx, and the feed was told.
        received: how often each came.
        replies: texts with which the receiver has answered, by seq.
        replied_ids: of deliveries that had a reply.
        replied: seqs whose last answer that the feed was told had a reply.
        is_gone: whether it was removed.
        unwanted_in: the process that was told that the receiver wants no more, until the webhook is off.
    """

    row: OutgoingWebhook
    since: int
    ids: dict[int, str] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    received: dict[int, int] = field(default_factory=dict)
    replies: dict[int, set[str]] = field(default_factory=dict)
    replied_ids: set[str] = field(default_factory=set)
    replied: set[int] = field(default_factory=set)
    is_gone: bool = False
    unwanted_in: SimulatedServer | None = None


class Receiver:
    """All receivers of a world, and its operator.

    Args:
        world: where.

    Attributes:
        hooks: every webhook that there ever was, by sender_id.
        deliveries: that have come.
        again: those of them that had come before.
    """

    base = "receiver"
    every_s = 0.1

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = self._attempts = 0
        self.hooks: dict[int, Hook] = {}
        self.deliveries = self.again = 0

    # --- the operator -------------------------------------------------------------------------------------------------

    def act(self, dice: random.Random) -> None:
        """Have the operator make a webhook, remove one, or switch one on."""
        server = self._world.server
        if not server.alive or server.draining or server.log.failure is not None:
            return
        programs, living = server.admin_commands.programs, [hook for hook in self.hooks.values() if not hook.is_gone]
        what = dice.random()
        with suppress(Refusal):
            if not living or (len(living) < _MOST and what < 0.1):
                self._names += 1
                secret = new_secret(dice.randbytes).revealed()
                programs.add_outgoing(
                    "root", LOBBY, "https://ci.example/hook", trigger=dice.choice(_TRIGGERS), name=f"out{self._names}",
                    secret=secret, bots=dice.random() < 0.4, done=lambda _: None,
                )  # fmt: skip
            elif what < 0.13:
                programs.remove_bot("root", self._world.token_law.name_of(living[0].row.sender_id), lambda _: None)
            elif what < 0.5:
                for hook in living:
                    self._switch_on(hook)
        server.passes.wake()

    def _switch_on(self, hook: Hook) -> None:
        if hook.row.off:
            name = self._world.token_law.name_of(hook.row.sender_id)
            self._world.server.admin_commands.programs.switch_on("root", name, lambda _: None)

    def begin_to_rest(self) -> None:
        """Nothing breaks any more: switch on what is off, and wait."""
        if self._world.leaving:
            return
        for hook in self.hooks.values():
            server = self._world.server
            if not hook.is_gone and server.alive and server.log.failure is None:
                with suppress(Refusal):
                    self._switch_on(hook)
                    server.passes.wake()
        self._world.clock.call_later(1.0, self.begin_to_rest)

    @property
    def is_quiet(self) -> bool:
        """Whether each webhook that is there has delivered everything, and noted it."""
        last_seq = self._world.storage.transcript.last_seq
        return all(
            hook.is_gone or (not hook.row.off and not self._left(hook, last_seq + 1, noted=True))
            for hook in self.hooks.values()
        )

    # --- what is durable ----------------------------------------------------------------------------------------------

    def noted(self, row: OutgoingWebhook) -> None:
        """The record of a webhook is durable.

        Raises:
            HistoryBroken: its cursor has passed what was not answered.
        """
        hook = self.hooks.get(row.sender_id)
        if hook is None:
            self.hooks[row.sender_id] = Hook(row, row.cursor)
            return
        if row.cursor < hook.row.cursor:
            self._broken(f"the cursor of webhook {row.sender_id} went from {hook.row.cursor} back to {row.cursor}")
        if left := self._left(hook, row.cursor + 1):
            self._broken(f"the cursor of webhook {row.sender_id} is {row.cursor}, and {left} were not answered")
        if row.off:
            hook.unwanted_in = None
        hook.row = row

    def restarted(self, there: set[int]) -> None:
        """A process begins, and has these webhooks: the others were removed, and the last one has not told it."""
        for sender_id in self.hooks.keys() - there:
            self.dropped(sender_id)

    def dropped(self, sender_id: int) -> None:
        """An account is gone."""
        if sender_id in self.hooks:
            self.hooks[sender_id].is_gone = True

    def _left(self, hook: Hook, below: int, *, noted: bool = False) -> list[int]:
        """What a webhook wants, has no answer to, and must deliver before this seq; ``noted``: by its record."""
        transcript = self._world.storage.transcript
        above = max(hook.since, hook.row.cursor) if noted else hook.since
        seqs = sorted(seq for seq in transcript.said if above < seq < below)
        return [seq for seq in seqs if (noted or seq not in hook.answered) and self._is_surely_wanted(hook, seq)]

    def _is_surely_wanted(self, hook: Hook, seq: int) -> bool:
        transcript = self._world.storage.transcript
        said = transcript.said[seq]
        if said.may_be_gone or said.place != transcript.conversation_in(LOBBY):
            return False
        return said.now.sender_id not in self.hooks and all(
            message.deleted is None and self._may_want(hook, message.sender_id, message.text, bot=message.bot)
            for _, message in said.states
        )

    def _may_want(self, hook: Hook, sender_id: int, text: str, *, bot: bool) -> bool:
        sender = self.hooks.get(sender_id)  # what a removed one had said counts as any bot's
        if (sender is not None and not sender.is_gone) or (bot and not hook.row.bots):
            return False
        words = text.split(maxsplit=1)
        return hook.row.trigger == ALL or (bool(words) and words[0] == hook.row.trigger)

    # --- deliveries ---------------------------------------------------------------------------------------------------

    def begin(self, server: SimulatedServer, sender_id: int, request: OutgoingRequest) -> Attempt | None:
        """A process begins to deliver; None where it cannot now.

        Raises:
            HistoryBroken: it may not.
        """
        hook = self.hooks.get(sender_id)
        if hook is None or hook.is_gone or hook.row.off:
            why = hook and (hook.row.off or "gone")
            self._broken(f"webhook {sender_id}, which is {why}, delivers {request.body!r}")
        if hook.unwanted_in is server:
            self._broken(f"webhook {sender_id} delivers {request.body!r}, and its receiver wants no more")
        self._attempts += 1
        dice = self._world.chance.dice(self.base, "attempt", self._attempts)
        if dice.random() < _BUSY and not self._world.calm:
            return None
        kind = dice.choice(_KINDS)
        if request.delivery_id in hook.replied_ids and dice.random() < 0.7:
            kind = "reply"  # most receivers do the same again
        if self._world.calm:
            kind = "reply" if kind == "reply" else "ok"
        self._world.clock.note(self.base, f"{kind}: {sender_id} {request.body!r}"[:160])
        attempt = Attempt(hook, kind, request)
        low, high = _ANSWERS_S
        if kind != "absent":
            self._world.clock.call_later(low * dice.random(), lambda: self._came(server, attempt))
        wait_s = _SILENT_S if kind == "late" else low + (high - low) * dice.random()
        self._world.clock.call_later(wait_s, lambda: self._answer(server, attempt, dice))
        return attempt

    def _came(self, server: SimulatedServer, attempt: Attempt) -> None:
        """A delivery has arrived."""
        if not server.alive or attempt.is_over:
            return
        attempt.has_come = True
        hook, transcript, told = attempt.hook, self._world.storage.transcript, json.loads(attempt.request.body)["data"]
        seq, said = told["seq"], transcript.said.get(told["seq"])
        if said is None or told["text"] not in {message.text for _, message in said.states}:
            self._broken(f"webhook {hook.row.sender_id} delivers {told}, which was not committed")
        if said.place != transcript.conversation_in(LOBBY):
            self._broken(f"webhook {hook.row.sender_id} delivers {told}, which is not of its room")
        if not any(
            self._may_want(hook, message.sender_id, message.text, bot=message.bot) for _, message in said.states
        ):
            self._broken(f"webhook {hook.row.sender_id} delivers {told}, which is not for it")
        name = attempt.request.delivery_id
        if hook.ids.setdefault(seq, name) != name or list(hook.ids.values()).count(name) > 1:
            self._broken(f"webhook {hook.row.sender_id} delivers message {seq} as {name}, with the ids {hook.ids}")
        left = self._left(hook, seq)
        if seq <= hook.row.cursor or left:
            who = f"webhook {hook.row.sender_id}, at {hook.row.cursor},"
            self._broken(f"{who} delivers message {seq}, and {left} were not answered")
        self.deliveries += 1
        self.again += seq in hook.received
        hook.received[seq] = hook.received.get(seq, 0) + 1

    def _answer(self, server: SimulatedServer, attempt: Attempt, dice: random.Random) -> None:
        if not server.alive or attempt.is_over:
            return
        hook, seq = attempt.hook, json.loads(attempt.request.body)["data"]["seq"]
        outcome: Outcome
        match attempt.kind:
            case "ok":
                outcome = Delivered()
            case "reply":
                more = f", {hook.received[seq]}" if dice.random() < 0.3 else ""
                text = f"re {hook.row.sender_id} {seq}{more}"
                hook.replies.setdefault(seq, set()).add(text)
                hook.replied_ids.add(attempt.request.delivery_id)
                outcome = Delivered(text)
            case "gone":
                outcome = Gone()
            case "absent":
                outcome = Failed(DeliveryProblem.UNREACHABLE)
            case "status":
                outcome = Failed(DeliveryProblem.STATUS, status=503)
            case "cut":
                outcome = Failed(DeliveryProblem.CUT)
            case _:
                outcome = Failed(DeliveryProblem.TIMEOUT)

        def tell() -> None:
            if attempt.is_over:
                return
            attempt.is_over = True
            if isinstance(outcome, Gone):
                hook.unwanted_in = server
            if isinstance(outcome, Delivered):
                hook.answered.add(seq)
                (hook.replied.add if outcome.reply is not None else hook.replied.discard)(seq)
            attempt.done(outcome)

        may_kill = self._world.flavour & {"kill", "power"} and not self._world.calm
        if may_kill and isinstance(outcome, Delivered) and outcome.reply is not None and dice.random() < _KILLED:
            self._kill_behind(server, outcome.reply, 300)
        server.loop.post(tell)
        server.passes.wake()

    def _kill_behind(self, server: SimulatedServer, reply: str, looks: int) -> None:
        """Kill the server when a reply is durable, and the cursor is not: look each millisecond."""
        said = self._world.storage.transcript.said
        if any(said[seq].now.text == reply for seq in sorted(said)[-20:]):
            if server.alive:
                server.kill()
        elif looks:
            self._world.clock.call_later(0.001, lambda: self._kill_behind(server, reply, looks - 1))

    # --- the end ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything has been delivered, and each reply stands once.

        Raises:
            HistoryBroken: it is not so.
        """
        stored: dict[tuple[int, int], list[int]] = {}
        messages = self._world.storage.transcript.said
        for seq, said in messages.items():
            first = said.states[0][1]
            if first.sender_id in self.hooks and first.text.startswith("re "):
                about = int(first.text.split()[2].rstrip(","))
                stored.setdefault((first.sender_id, about), []).append(seq)
                is_told = first.reply == about or (first.reply is None and messages[about].may_be_gone)
                if first.text not in self.hooks[first.sender_id].replies.get(about, ()) or not is_told:
                    self._broken(f"{first} is no reply that the receiver has given")
        for key, seqs in stored.items():
            if len(seqs) > 1:
                self._broken(f"the reply of webhook {key[0]} to message {key[1]} was stored as {seqs}")
        is_excused = bool(_EXCUSES & self._world.house.was) or "admin" in self._world.flavour
        for sender_id, hook in self.hooks.items():
            if hook.is_gone:
                continue
            for seq in hook.replied if not is_excused else ():
                if (sender_id, seq) not in stored and not self._world.storage.transcript.is_gone(seq):
                    self._broken(f"webhook {sender_id} has had a reply to message {seq}, which is not there")

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(what[:400])


class Attempt:
    """One attempt to deliver.

    Attributes:
        hook: whose.
        kind: what becomes of it.
        request: what is delivered.
        has_come: whether the receiver has it.
        is_over: whether the feed was told of its outcome, or has forgotten it.
        done: is told of the outcome.
    """

    __slots__ = ("done", "has_come", "hook", "is_over", "kind", "request")

    def __init__(self, hook: Hook, kind: str, request: OutgoingRequest) -> None:
        self.hook = hook
        self.kind = kind
        self.request = request
        self.has_come = self.is_over = False
        self.done: Callable[[Outcome], None] = lambda _: None


class SimulatedWorker:
    """What delivers in one process; a `FeedWorker`, and the `FeedObserver` besides.

    Args:
        server: the process.
    """

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server
        self._receiver = server.world.receiver
        self._attempts: dict[int, Attempt] = {}
        self._dice = server.world.chance.dice("plan", server.world.clock.now)
        policy: Any = NetworkPolicy()
        self.feed = OutgoingFeed(
            server.hub.outgoing, self, server.loop, server.loop.containment, self, policy, self._plan
        )

    def deliver(self, hook_id: int, request: OutgoingRequest, done: Callable[[Outcome], None]) -> bool:
        """Make an attempt; see `FeedWorker`."""
        attempt = self._receiver.begin(self._server, hook_id, request)
        if attempt is None:
            return False
        old = self._attempts.get(hook_id)
        if old is not None and not old.is_over:
            raise HistoryBroken(f"webhook {hook_id} delivers {request.body!r} beside {old.request.body!r}")
        attempt.done = done
        self._attempts[hook_id] = attempt
        return True

    def forget(self, hook_id: int) -> None:
        """End an attempt; see `FeedWorker`."""
        attempt = self._attempts.pop(hook_id, None)
        if attempt is not None:
            attempt.is_over = True

    def close(self) -> None:
        """End all."""
        for hook_id in list(self._attempts):
            self.forget(hook_id)

    def _plan(self, state: RetryState, outcome: Outcome, now_ms: int) -> Plan:
        """The schedule, with waits that fit into a run."""
        since_ms = state.since_ms or now_ms
        if isinstance(outcome, Gone):
            return SwitchedOff(OffReason.GONE, since_ms)
        if state.failures > 5:
            return SwitchedOff(OffReason.FAILING, since_ms)
        return RetryState(state.failures + 1, since_ms, now_ms + self._dice.randint(*_AGAIN_MS))

    # --- the observer: the operator's log and the metrics are left out

    def outgoing_delivered(self, outcome: str) -> None:
        """An attempt has this outcome."""

    def outgoing_failed(self, name: str, problem: str, detail: str) -> None:
        """An attempt has failed."""

    def outgoing_off(self, name: str, why: str) -> None:
        """A webhook was switched off."""

    def outgoing_reply_lost(self, name: str, why: str) -> None:
        """An answer became no message."""

    def outgoing_gap(self, name: str, through: int) -> None:
        """Retention was quicker."""
