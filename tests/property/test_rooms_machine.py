"""Rooms with rights, as a state machine against a model: no act without its right, no word to whoever may not hear it.

Everything a connection is told is looked at in the moment it is told: what is about a private room reaches nobody who
is not in it. Every request is compared with what the table of rights in the protocol says.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from securechat.errors import ErrorCode
from securechat.model import (
    AskUnread,
    Delete,
    Deleted,
    Done,
    Edit,
    Edited,
    Event,
    Grant,
    Hello,
    History,
    HistoryPage,
    Invited,
    InviteTo,
    Join,
    Joined,
    Leave,
    Message,
    Moderate,
    Presence,
    React,
    Reacted,
    Refused,
    Register,
    RoleChanged,
    RoomRules,
    Rooms,
    RoomsPage,
    Roster,
    Say,
    Search,
    SearchPage,
    SetRoom,
    Typing,
    TypingNow,
    UnreadList,
    Welcome,
    Who,
)
from tests.support.hub_rig import FakePeer, HubRig

PEOPLE = ("ann", "bob", "cyd", "guest")
ROOMS = ("ops", "dev")
PASSWORD = "correct horse battery"
RANKS = {"owner": 3, "moderator": 2, "member": 1, None: 0}
people, rooms = st.sampled_from(PEOPLE), st.sampled_from(ROOMS)


class Watched(FakePeer):
    """A connection that is never told what its owner may not know."""

    machine: RoomsMachine

    def deliver(self, event: Event) -> None:
        super().deliver(event)
        for room in _rooms_in(event):
            place = self.machine.rig.record(room)
            if place is None or not place.private:
                continue
            seat = self.machine.rig.hub._connections.get(self)
            there = seat is not None and room in [each.name for each in seat.member.rooms]
            invited = isinstance(event, Invited)
            assert there or invited or event is self.machine.allowed, f"{event} reached somebody who is not in it"


def _rooms_in(event: Event) -> list[str]:
    match event:
        case Message() | Edited() | Deleted() | Reacted():
            return [event.room] if event.room else []
        case HistoryPage():
            return [entry.room for entry in (*event.messages, *event.changes) if entry.room]
        case SearchPage():
            return [hit.message.room for hit in event.hits if hit.message.room]
        case RoomsPage():
            return [each.room for each in event.rooms]
        case UnreadList():
            return [item.room for item in event.items if item.room]
        case Joined() | Roster() | Presence() | RoleChanged() | TypingNow() | RoomRules():
            return [event.room] if event.room else []
        case _:
            return []


class RoomsMachine(RuleBasedStateMachine):
    """See the module."""

    allowed: Event | None = None

    @initialize()
    def begin(self) -> None:
        self.rig = HubRig()
        self.secrets = 0
        self.cid = 0
        self.peers: dict[str, FakePeer] = {}
        self.ids: dict[str, int] = {}
        for name in PEOPLE:
            self._come(name, register=name != "guest")

    def _come(self, name: str, *, register: bool = False) -> None:
        self.secrets += 1
        self.rig._peers += 1
        peer = Watched(self.rig, self.rig._peers)
        peer.machine = self
        password = PASSWORD if name != "guest" and not register else None
        self.peers[name] = peer
        self.rig.do(peer, Hello(version=1, name=name, secret=f"{self.secrets:032x}", password=password))
        if register:
            self.rig.do(peer, Register(ref=1, password=PASSWORD))
        self.ids[name] = peer.last(Welcome).sender_id

    def _is_in(self, name: str, room: str) -> bool:
        return room in [each.name for each in self._member(name).rooms]

    def _rank(self, name: str, room: str) -> int:
        present = self._is_in(name, room)
        named = self.rig.hub.context.rooms.named(room)
        rank = RANKS[None if named is None else named.role_word(self.ids[name])]
        return max(rank, 1 if present else 0)

    def _member(self, name: str) -> Any:
        return self.rig.hub._connections[self.peers[name]].member

    def _ask(self, name: str, command: Any) -> Event:
        """Send a request and return its answer."""
        peer = self.peers[name]
        before = len(peer.events)
        self.rig.do(peer, command)
        answers = [event for event in peer.events[before:] if isinstance(event, Done | Refused)]
        assert len(answers) == 1, (command, peer.events[before:])
        return answers[0]

    def _expect(self, name: str, room: str, command: Any, needed: int) -> None:
        rank = self._rank(name, room)
        answer = self._ask(name, command)
        if rank < needed:
            assert isinstance(answer, Refused), (command, rank)
            denied = {ErrorCode.NO_RIGHT, ErrorCode.NO_SUCH_ROOM, ErrorCode.MUTED}  # a mute is judged before a right
            assert answer.code in denied, (command, answer)
        elif isinstance(answer, Refused):
            assert answer.code is not ErrorCode.NO_SUCH_ROOM

    # --- What people do -------------------------------------------------------------------------------------------

    @rule(name=people, room=rooms)
    def join(self, name: str, room: str) -> None:
        self.rig.do(self.peers[name], Join(ref=2, rooms=[room]))

    @rule(name=people, room=rooms)
    def leave(self, name: str, room: str) -> None:
        self.rig.do(self.peers[name], Leave(ref=3, room=room))

    @rule(name=people, room=rooms, settle=st.booleans())
    def say(self, name: str, room: str, settle: bool) -> None:
        self.cid += 1
        self.rig.do(self.peers[name], Say(client_id=self.cid, room=room, text=f"words {self.cid}"), settle=settle)

    @rule(name=people, room=rooms, data=st.data(), what=st.sampled_from(["edit", "delete", "react"]))
    def revise(self, name: str, room: str, data: st.DataObject, what: str) -> None:
        if not self.rig.fed:
            return
        self.cid += 1
        target = data.draw(st.sampled_from(self.rig.fed))
        commands = {
            "edit": Edit(client_id=self.cid, seq=target.seq, text=f"mended {self.cid}", room=room),
            "delete": Delete(client_id=self.cid, seq=target.seq, room=room),
            "react": React(client_id=self.cid, seq=target.seq, sign="👍", room=room),
        }
        before, rank = len(self.rig.fed), self._rank(name, room)
        present = self._is_in(name, room)
        self.rig.do(self.peers[name], commands[what])
        fresh = [entry for entry in self.rig.fed[before:] if getattr(entry, "target", None) == target.seq]
        if fresh:
            assert present, "changed in a room they are not in"
            assert target.room == room, "changed a message of another room"
            assert what == "react" or rank >= 2 or target.sender_id == self.ids[name], "changed what others wrote"

    @rule(name=people, room=rooms, private=st.booleans())
    def set_private(self, name: str, room: str, private: bool) -> None:
        self._expect(name, room, SetRoom(ref=4, room=room, private=private), 3)

    @rule(name=people, room=rooms, joined=st.booleans())
    def set_history(self, name: str, room: str, joined: bool) -> None:
        self._expect(name, room, SetRoom(ref=4, room=room, history="joined" if joined else "all"), 3)

    @rule(name=people, room=rooms)
    def set_topic(self, name: str, room: str) -> None:
        self._expect(name, room, SetRoom(ref=5, room=room, topic="printers"), 2)

    @rule(name=people, room=rooms, other=people)
    def invite(self, name: str, room: str, other: str) -> None:
        if other != "guest":
            self._expect(name, room, InviteTo(ref=6, room=room, person=self.ids[other]), 2)

    @rule(name=people, room=rooms, other=people, what=st.sampled_from(["kick", "ban", "unban", "mute", "unmute"]))
    def moderate(self, name: str, room: str, other: str, what: Any) -> None:
        mine, theirs = self._rank(name, room), self._rank(other, room)
        answer = self._ask(name, Moderate(ref=7, room=room, person=self.ids[other], act=what))
        if isinstance(answer, Done):
            assert mine >= 2
            assert mine > theirs
            assert what not in {"kick", "ban"} or not self._is_in(other, room)

    @rule(name=people, room=rooms, other=people, role=st.sampled_from(["owner", "moderator", "member"]))
    def grant(self, name: str, room: str, other: str, role: Any) -> None:
        self._expect(name, room, Grant(ref=8, room=room, person=self.ids[other], role=role), 3)

    @rule(name=people, room=st.sampled_from([*ROOMS, None]))
    def look(self, name: str, room: str | None) -> None:
        peer = self.peers[name]
        self.rig.do(peer, History(ref=9, room=room))
        self.rig.do(peer, Rooms(ref=10))
        self.rig.do(peer, Search(ref=12, query="words*" if room is None else f"in:{room} words*"))
        self.rig.do(peer, AskUnread(ref=13))
        if room is not None:
            self.rig.do(peer, Who(ref=11, room=room))
            self.rig.do(peer, Typing(room=room))

    @rule(name=people)
    def come_again(self, name: str) -> None:
        """Lost, and back on another device; a guest is another guest then."""
        self.rig.lose(self.peers[name])
        self.rig.pass_time(200)
        self._come(name)

    @rule()
    def settle(self) -> None:
        self.rig.settle()

    # --- The laws -------------------------------------------------------------------------------------------------

    @invariant()
    def whoever_is_in_a_private_room_belongs_to_it(self) -> None:
        if not hasattr(self, "rig") or self.rig.posted:
            return
        for room in self.rig.hub.context.rooms.recorded.values():
            for sender_id in room.members if room.record is not None and room.record.private else ():
                assert room.belongs(sender_id)

    @invariant()
    def a_room_with_members_has_an_owner(self) -> None:
        if not hasattr(self, "rig") or self.rig.posted:
            return
        for room in self.rig.hub.context.rooms.recorded.values():
            if room.seniority():
                assert room.count_owners() >= 1

    @invariant()
    def the_disk_agrees(self) -> None:
        if hasattr(self, "rig") and not self.rig.posted:
            again = HubRig(store=self.rig.store)
            assert self.rig.records() == again.records()
            for room_id, room in self.rig.hub.context.rooms.recorded.items():
                assert room.seniority() == again.hub.context.rooms.recorded[room_id].seniority()


@pytest.mark.parametrize("examples", [30, pytest.param(150, marks=pytest.mark.slow)])
def test_rooms_do_as_the_model(examples: int) -> None:
    thorough = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    run_state_machine_as_test(RoomsMachine, settings=thorough)
