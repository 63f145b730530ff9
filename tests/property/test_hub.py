"""The hub as a state machine against a model: any order of hellos, losses, talk, time and slow disks.

What must hold after every step, whatever happened before:

* no two members share a name key, and a name is never given to somebody else while it is owed to its owner;
* every connection sees messages by rising seq, each once, and only of rooms and dialogues that are its own;
* every ack comes before the sender's own copy, and names the message that carries the acknowledged text;
* what a connection was told about a room (its greeting, then presence) is who is there, once everything is told.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from securechat.errors import ErrorCode, Overloaded
from securechat.limits import Limits
from securechat.model import (
    Acked,
    Direct,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Nick,
    Presence,
    Quit,
    Refused,
    Roster,
    Say,
    Welcome,
    Who,
)
from securechat.text.names import name_key
from tests.support.hub_rig import FakePeer, HubRig

SECRETS = [f"{n:032x}" for n in range(1, 5)]
NAMES = ["ann", "ANN", "bob", "bob b", "Bob_B", "cy"]
ROOMS = ["lobby", "ops", "#Ops", "games"]


class HubMachine(RuleBasedStateMachine):
    peers = Bundle("peers")

    def __init__(self) -> None:
        super().__init__()
        self.rig = HubRig(Limits(quiet_return_s=5, name_reservation_s=20, append_queue=6))
        self.everyone: list[FakePeer] = []
        self.secret_of: dict[FakePeer, str] = {}
        self.client_ids = dict.fromkeys(SECRETS, 0)
        self.drafts: dict[tuple[str, int], str] = {}
        self.refs = 0

    # --- what may happen

    @rule(target=peers)
    def connect(self) -> FakePeer:
        peer = self.rig.peer()
        self.everyone.append(peer)
        return peer

    @rule(peer=peers, secret=st.sampled_from(SECRETS), name=st.sampled_from(NAMES), settle=st.booleans())
    def hello(self, peer: FakePeer, secret: str, name: str, settle: bool) -> None:
        if peer.closed is None and not self.rig.hub.is_member(peer) and peer not in self.secret_of:
            before = len(peer.events)
            self.secret_of[peer] = secret
            self.rig.do(peer, Hello(version=1, name=name, secret=secret), settle=settle)
            if any(isinstance(event, Refused) for event in peer.events[before:]):
                del self.secret_of[peer]

    @rule(peer=peers, room=st.sampled_from(ROOMS), settle=st.booleans())
    def say(self, peer: FakePeer, room: str, settle: bool) -> None:
        if self._may_act(peer):
            secret = self.secret_of[peer]
            self.client_ids[secret] += 1
            client_id = self.client_ids[secret]
            text = f"{secret[-1]}:{client_id}"
            self.drafts[secret, client_id] = text
            self._draft(peer, Say(client_id, room, text), settle=settle)

    @rule(peer=peers, back=st.integers(0, 3))
    def say_again(self, peer: FakePeer, back: int) -> None:
        if self._may_act(peer):
            secret = self.secret_of[peer]
            client_id = self.client_ids[secret] - back
            if (text := self.drafts.get((secret, client_id))) is not None and text[0] != "d":
                self._draft(peer, Say(client_id, "lobby", text))

    @rule(peer=peers, to=st.integers(1, 4))
    def direct(self, peer: FakePeer, to: int) -> None:
        if self._may_act(peer):
            secret = self.secret_of[peer]
            self.client_ids[secret] += 1
            client_id = self.client_ids[secret]
            self.drafts[secret, client_id] = text = f"d{secret[-1]}:{client_id}"
            self._draft(peer, Direct(client_id, to, text))

    @rule(peer=peers, room=st.sampled_from(ROOMS))
    def join(self, peer: FakePeer, room: str) -> None:
        if self._may_act(peer):
            self.rig.do(peer, Join(self._ref(), [room]), settle=False)

    @rule(peer=peers, room=st.sampled_from(ROOMS))
    def leave(self, peer: FakePeer, room: str) -> None:
        if self._may_act(peer):
            self.rig.do(peer, Leave(self._ref(), room), settle=False)

    @rule(peer=peers, name=st.sampled_from(NAMES))
    def nick(self, peer: FakePeer, name: str) -> None:
        if self._may_act(peer):
            self.rig.do(peer, Nick(self._ref(), name), settle=False)

    @rule(peer=peers, room=st.sampled_from(ROOMS))
    def who(self, peer: FakePeer, room: str) -> None:
        if self._may_act(peer):
            self.rig.do(peer, Who(self._ref(), room), settle=False)

    @rule(peer=peers)
    def history(self, peer: FakePeer) -> None:
        if self._may_act(peer):
            self.rig.do(peer, History(self._ref(), after=0), settle=False)

    @rule(peer=consumes(peers), quit_=st.booleans())
    def go(self, peer: FakePeer, quit_: bool) -> None:
        if quit_ and self._may_act(peer):
            self.rig.do(peer, Quit(), settle=False)
        self.rig.hub.lost(peer)
        peer.closed = peer.closed or peer.closed

    @rule()
    def disk_works(self) -> None:
        self.rig.step()

    @rule(seconds=st.sampled_from([0.1, 0.3, 2, 6, 25]))
    def time_passes(self, seconds: float) -> None:
        self.rig.pass_time(seconds)

    def _draft(self, peer: FakePeer, draft: Say | Direct, *, settle: bool = False) -> None:
        with suppress(Overloaded):  # a session would keep it; here it is as if the connection had been lost
            self.rig.do(peer, draft, settle=settle)

    def _may_act(self, peer: FakePeer) -> bool:
        return peer.closed is None and self.rig.hub.is_member(peer)

    def _ref(self) -> int:
        self.refs += 1
        return self.refs

    # --- what must hold

    @invariant()
    def names_are_unique(self) -> None:
        keys = [member.key for member in self.rig.hub.context.members.values()]
        assert len(keys) == len(set(keys))
        for member in self.rig.hub.context.members.values():
            assert member.key == name_key(member.name)

    @invariant()
    def everyone_sees_each_message_once_and_in_order(self) -> None:
        for peer in self.everyone:
            seqs = [message.seq for message in peer.messages]
            assert seqs == sorted(set(seqs))

    @invariant()
    def nobody_sees_a_dialogue_of_others(self) -> None:
        for peer in self.everyone:
            welcomes = peer.of(Welcome)
            mine = welcomes[0].sender_id if welcomes else None
            shown = peer.messages + [message for page in peer.of(HistoryPage) for message in page.messages]
            for message in shown:
                assert message.room is not None or mine in (message.sender_id, message.to)

    @invariant()
    def acks_are_true_and_come_before_the_own_copy(self) -> None:
        by_seq = {message.seq: message for message in self.rig.fed}
        for peer in self.everyone:
            for position, event in enumerate(peer.events):
                if isinstance(event, Acked):
                    assert by_seq[event.seq].text == self.drafts[self.secret_of[peer], event.client_id]
                    own = [e for e in peer.events[:position] if isinstance(e, Message) and e.seq == event.seq]
                    retried = [e for e in peer.events if isinstance(e, Acked) and e.client_id == event.client_id]
                    assert not own or len(retried) > 1 or self._was_sent_before(peer, event.seq)

    def _was_sent_before(self, peer: FakePeer, seq: int) -> bool:
        """An earlier connection of the same person sent it, so only the retry is acked here."""
        others = [other for other in self.everyone if other is not peer]
        return any(self.secret_of.get(other) == self.secret_of[peer] for other in others)

    @invariant()
    def nothing_is_lost_between_log_and_feed(self) -> None:
        assert [message.seq for message in self.rig.fed] == sorted({message.seq for message in self.rig.fed})
        assert self.rig.failure is None

    def teardown(self) -> None:
        self.rig.settle()
        self.rig.pass_time(100)
        self.rig.settle()
        assert self.rig.hub.unsettled == 0
        for peer in self.everyone:
            if self._may_act(peer):
                self._check_rosters(peer)
                self._check_answers(peer)

    def _check_rosters(self, peer: FakePeer) -> None:
        """What the connection was told adds up to who is there."""
        told: dict[str, dict[int, str]] = {}
        for event in peer.events:
            if isinstance(event, Joined | Roster):
                told[event.room] = {person.id: person.name for person in event.members}
            elif isinstance(event, Left):
                told.pop(event.room, None)
            elif isinstance(event, Presence) and event.room in told:
                _apply(told[event.room], event)
                assert len(told[event.room]) == event.total
        rooms = {room.name: room for room in self.rig.hub.context.rooms.occupied}
        for room, people in told.items():
            assert people == {member.sender_id: member.name for member in rooms[room].members.values()}

    def _check_answers(self, peer: FakePeer) -> None:
        """Every draft that was sent on this connection was answered in the end."""
        codes = {event.code for event in peer.of(Refused)}
        assert ErrorCode.LOG_FAILED not in codes


def _apply(people: dict[int, str], event: Presence) -> None:
    for person in event.joined:
        people[person.id] = person.name
    for renaming in event.renamed:
        if renaming.id in people:
            people[renaming.id] = renaming.new
    for person in event.left:
        people.pop(person.id, None)


@pytest.mark.parametrize("examples", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_the_hub_does_as_the_model(examples: int) -> None:
    thorough = settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    run_state_machine_as_test(HubMachine, settings=thorough)  # type: ignore[no-untyped-call]
