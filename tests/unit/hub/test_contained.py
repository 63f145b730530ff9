"""What a completion raises belongs to who asked: their connection ends or their question is refused, others go on."""

from __future__ import annotations

from typing import Any

import pytest

from securechat import model as m
from securechat.containment import Failure, Vital, VitalFailure
from securechat.errors import ErrorCode
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.accounts.login import LoginFlow
from securechat.hub.contained_question import Question
from securechat.hub.files import service as file_service
from securechat.hub.messages import conversations, history, search, unread
from securechat.hub.rooms import queries as room_queries
from securechat.hub.rooms.presence import PresenceTracker
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.records.accounts import Drop, Login
from tests.support.hub_rig import FakePeer, HubRig


class Contained(HubRig):
    """A hub that contains what is raised."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        super().__init__(on_failure=self.failures.append, files=True)


@pytest.fixture
def rig() -> Contained:
    return Contained()


def _raise(*_: object, **__: object) -> Any:
    raise MemoryError


def test_a_hello_whose_completion_raises_costs_that_connection(rig: Contained, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = rig.member("ann")
    with monkeypatch.context() as patch:
        patch.setattr(LoginFlow, "_settle", _raise)
        bob = rig.peer()
        rig.do(bob, m.Hello(1, "bob", "b" * 32))
    assert bob.closed is not None
    assert [failure.owner for failure in rig.failures] == [bob.label]
    assert ann.closed is None
    assert not rig.hub._login_flow._waiting
    again = rig.peer()
    rig.do(again, m.Hello(1, "bob", "b" * 32))
    assert again.of(m.Welcome)


QUESTIONS: dict[Any, tuple[Any, str]] = {
    m.History(ref=5, room="lobby", after=0): (history, "history_page"),
    m.Search(ref=5, query="tea"): (search, "search_page"),
    m.AskUnread(ref=5): (unread, "unread_page"),
    m.AskConversations(ref=5): (conversations, "conversations_page"),
    m.AskFiles(ref=5): (file_service, "file_list"),
    m.Who(ref=5, room="lobby"): (room_queries, "roster_page"),
    m.Whois(ref=5, name="ann"): (room_queries, "Found"),
    m.AskPeople(ref=5, ids=(1,)): (room_queries, "people_list"),
    m.Rooms(ref=5): (room_queries, "rooms_page"),
}
"""And what makes the answer of each."""


def test_every_question_is_asked() -> None:
    assert {type(question) for question in QUESTIONS} == set(Question.__args__)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: type(question).__name__)
def test_a_question_that_raises_is_refused_and_the_next_one_answered(
    rig: Contained, monkeypatch: pytest.MonkeyPatch, question: Any
) -> None:
    ann = rig.member("ann")
    rig.do(ann, m.Register(ref=4, password="correct horse"))
    with monkeypatch.context() as patch:
        patch.setattr(*QUESTIONS[question], _raise)
        rig.do(ann, question)
    refused = ann.last(m.Refused)
    assert (refused.code, refused.ref) == (ErrorCode.INTERNAL, 5)
    assert rig.failures[0].owner == f"{ann.label} {type(question).__name__.lower()}"
    rig.do(ann, m.History(ref=6, room="lobby", after=0))
    assert ann.last(m.HistoryPage).ref == 6


def test_an_acknowledgement_that_raises_spares_those_behind_it(rig: Contained) -> None:
    ann, bob = rig.member("ann"), rig.member("bob")
    deliver = ann.deliver

    def explode(event: m.Event) -> None:
        if isinstance(event, m.Acked):
            raise RecursionError
        deliver(event)

    ann.deliver = explode  # type: ignore[method-assign]
    rig.do(ann, m.Say(1, "lobby", "one"), settle=False)
    rig.do(bob, m.Say(1, "lobby", "two"))
    assert ann.closed is not None
    assert bob.of(m.Acked)
    assert [message.text for message in bob.messages] == ["one", "two"], "both are stored"
    assert rig.hub.unsettled == 0
    assert rig.failures[0].owner == ann.label


def test_an_acknowledgement_that_waited_and_raises_spares_those_behind_it(rig: Contained) -> None:
    """It is told behind the batch, where what raises would stop the server."""
    ann, bob = rig.member("ann"), rig.member("bob")
    late = rig.hub._posting._late_acks
    late += [(1, ann, m.Acked(8, 1)), (1, bob, m.Acked(9, 1))]
    deliver = ann.deliver
    ann.deliver = lambda event: _raise() if isinstance(event, m.Acked) else deliver(event)  # type: ignore[method-assign]
    rig.do(bob, m.Say(1, "lobby", "one"))
    assert m.Acked(9, 1) in bob.of(m.Acked)
    assert {failure.owner for failure in rig.failures} == {ann.label}


def test_what_follows_an_answer_in_a_batch_is_not_its_senders_work(rig: Contained) -> None:
    ann = rig.member("ann")
    rig.do(ann, m.Say(1, "lobby", "one"), settle=False)
    rig.containment.current = nobody = object()
    rig.settle()
    assert ann.of(m.Acked)
    assert rig.containment.current is nobody


def test_a_turn_that_raises_is_its_own_askers_and_the_next_one_comes(rig: Contained) -> None:
    workflows, seen = rig.hub.context.workflows, []
    first, second, third = FakePeer(rig, 1), FakePeer(rig, 2), FakePeer(rig, 3)

    def act(name: str, error: type[Exception] | None = None) -> Workflow[None]:
        yield Turn("place")
        if error is not None:
            raise error
        yield Commit(())
        seen.append(name)

    for peer, workflow in ((first, act("first")), (second, act("second", MemoryError)), (third, act("third"))):
        rig.containment.current = peer
        workflows.run(workflow)
    rig.settle()
    assert seen == ["first", "third"]
    assert [failure.owner for failure in rig.failures] == [second.label]
    assert not workflows.turns


def test_who_has_lost_a_login_is_out_whatever_the_asker_makes_of_it(rig: Contained) -> None:
    registry = rig.hub._directory
    ann = rig.member("ann")
    rig.hub._connections[ann].login_id = 7
    rig.hub.context.changes.commit((Drop(Login, 7),), _raise)
    rig.settle()
    assert ann.closed is not None and ann.closed.code is ErrorCode.LOGGED_OUT
    assert not registry.ended_logins


def test_a_connection_that_cannot_be_ended_with_its_login_costs_itself_alone(rig: Contained) -> None:
    ann, bob = rig.member("ann"), rig.member("bob")
    for peer in (ann, bob):
        rig.hub._connections[peer].login_id = 7
    ann.close = _raise  # type: ignore[method-assign]
    rig.hub.context.changes.commit((Drop(Login, 7),))
    rig.settle()
    assert {failure.owner for failure in rig.failures} == {ann.label}
    assert bob.closed is not None and bob.closed.code is ErrorCode.LOGGED_OUT


@pytest.mark.parametrize("act", ["ban", "kick", "password", "certificate"])
def test_a_connection_that_cannot_be_ended_with_others_costs_itself_alone(rig: Contained, act: str) -> None:
    """A ban or a lost password must reach the connections behind the one that raises."""
    first, second = rig.member("ann", address="192.0.2.7"), rig.member("bob", address="192.0.2.7")
    sender_id = rig.hub._connections[first].member.sender_id
    if act != "ban":
        rig.do(first, m.Register(ref=1, password="correct horse"))
        second = rig.peer()
        rig.do(second, m.Hello(1, "ann", "b" * 32, token=first.last(m.Registered).token))
        assert second.of(m.Welcome)
    service, commands = rig.hub._account_service, rig.hub.admin_commands
    first.close = _raise  # type: ignore[method-assign]
    match act:
        case "ban":
            commands.ban("x", "192.0.2.7", reason="", duration_s=None, done=lambda _: None)
        case "kick":
            commands.kick("x", "ann", "", lambda _: None)
        case "password":
            service.end_sessions(sender_id, None)
        case _:
            for connection in rig.hub._connections.values():
                connection.certificate = "sha256:" + "0" * 64
            service._end_certificate("sha256:" + "0" * 64, sender_id)
    rig.settle()
    assert {failure.owner for failure in rig.failures} == {first.label}
    assert second.closed is not None


def test_recorded_changes_that_cannot_be_applied_are_vital(rig: Contained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccountDirectory, "_apply", _raise)
    rig.hub.context.changes.commit((rig.hub._directory.note("ann", "act"),))
    with pytest.raises(VitalFailure) as caught:
        rig.settle()
    assert caught.value.task is Vital.CHANGES
    assert not rig.failures


def test_a_tick_that_raises_comes_again(rig: Contained, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.alarm_at = None
    with monkeypatch.context() as patch:
        patch.setattr(PresenceTracker, "tell", _raise)
        with pytest.raises(MemoryError):
            rig.hub.tick()
    assert rig.alarm_at is not None
    assert rig.alarm_at >= rig.now + 1.0, "not at once: it may raise again"
