"""A program that posts alerts, and knows each by a key: what it has no answer to, it posts again, as another draft.

It keeps no number of its drafts, as a script does not that runs once an alert: the key alone tells the server that it
has the message. So no alert may be stored twice, and every answer to one names the same message. Now and then it errs:
it says the alert in another room, or says something else with its key. What it is told then must be true as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.errors import ErrorCode
from securechat.model import Acked, Event, Hello, Join, Refused, Say, Welcome
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from tests.simulation.crowd import Guest

if TYPE_CHECKING:
    import random

    from tests.simulation.world import World


class Program(Guest):
    """The program; the same sender each time."""

    every_s = 0.2

    def __init__(self, world: World) -> None:
        super().__init__(world, "program", "10.77.0.1")
        self._secret = f"{self.rng.getrandbits(128):032x}"
        self._count = self._alerts = 0
        self._unanswered: set[int] = set()
        self._sent: dict[int, tuple[int, str, str]] = {}  # alert, room and text, by the number of the draft
        self._seqs: dict[int, int] = {}  # of the alerts that were answered

    def act(self, dice: random.Random) -> None:
        """Come, post an alert, post one again, or go without a word."""
        if self.line is None or self.line.connection.dead:
            self.come(good=False)
        elif self.is_inside:
            what = dice.random()
            if what < 0.1:
                self.leave()
            elif what < 0.5:
                self._alerts += 1
                self._unanswered.add(self._alerts)
                self._post(self._alerts)
            elif self._alerts:
                self._post(dice.choice(sorted(self._unanswered) or [dice.randint(1, self._alerts)]))
                if dice.random() < 0.3:
                    self._post(dice.randint(1, self._alerts))
            if self.is_inside and self._alerts and dice.random() < 0.2:
                alert, erring = dice.randint(1, self._alerts), dice.choice((LOBBY, "ops"))
                self._post(alert, erring, dice.choice(("", " and more")))

    def begin(self) -> None:
        """A connection is there."""
        self._sent.clear()
        if self.line is not None:
            self.line.send(Hello(1, "program", self._secret))

    def hear(self, event: Event) -> None:
        """Hold every answer against the one before.

        Raises:
            HistoryBroken: an alert is said to be two messages, or another one's.
        """
        match event:
            case Welcome():
                self._count = event.last_client_id
                if self.line is not None and self.rng.random() < 0.5:  # else it is refused in the other room
                    self.line.send(Join(1, ["ops"]))
            case Acked(client_id, seq):
                alert, room, text = self._sent[client_id]
                if self._seqs.setdefault(alert, seq) != seq:
                    raise HistoryBroken(f"alert {alert} is message {self._seqs[alert]}, and {seq}")
                said = self.world.storage.transcript.said[seq].states[0][1]
                if said.text != text or (said.room == LOBBY) != (room == LOBBY):
                    raise HistoryBroken(f"{text!r} in #{room} was acknowledged as {said.text!r} in #{said.room}")
                self._unanswered.discard(alert)
            case Refused(code=ErrorCode.KEY_USED, client_id=client_id) if client_id is not None:
                alert, room, text = self._sent[client_id]
                for said in self.world.storage.transcript.said.values():
                    first = said.states[0][1]
                    if (first.text, first.room, room) == (text, LOBBY, LOBBY) and len(said.states) == 1:
                        raise HistoryBroken(f"the key of alert {alert} is said to be another message's")
                self._unanswered.discard(alert)
            case _:
                pass

    def check(self) -> None:
        """Every alert is stored at most once, and all that were answered are.

        Raises:
            HistoryBroken: it is not so.
        """
        stored: dict[str, list[int]] = {}
        for seq, said in self.world.storage.transcript.said.items():
            first = said.states[0][1]
            if first.text.startswith("alert "):
                stored.setdefault(" ".join(first.text.split()[:2]), []).append(seq)
        for alert, seqs in stored.items():
            if len(seqs) > 1:
                raise HistoryBroken(f"{alert} was stored as {seqs}")
        for number, seq in self._seqs.items():
            if stored.get(f"alert {number}", [seq]) != [seq]:
                raise HistoryBroken(f"alert {number} was answered with {seq}, and is {stored[f'alert {number}']}")

    def _post(self, alert: int, room: str = LOBBY, more: str = "") -> None:
        assert self.line is not None
        self._count += 1
        text = f"alert {alert}{more}"
        self._sent[self._count] = alert, room, text
        self.line.send(Say(self._count, room, text, key=f"alert-{alert}"))
