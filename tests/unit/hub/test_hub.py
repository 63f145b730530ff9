"""The table of commands, and the one clock that a pass goes by."""

from __future__ import annotations

from typing import get_args

import pytest

from securechat.errors import ErrorCode
from securechat.hub.hub import Cost
from securechat.limits import Limits
from securechat.model import (
    Command,
    Delete,
    Direct,
    Edit,
    Hello,
    Join,
    Ping,
    Pong,
    Quit,
    React,
    Refused,
    Say,
    Welcome,
    Who,
)
from tests.support.hub_rig import HubRig

DRAFTS = {Say, Direct, Edit, Delete, React}


def test_every_command_has_a_handler_and_no_handler_is_for_anything_else() -> None:
    assert HubRig().hub.handlers.keys() == set(get_args(Command))


def test_every_command_has_its_cost() -> None:
    handlers = HubRig().hub.handlers
    assert {each for each in handlers if handlers[each].cost is Cost.MESSAGE} == DRAFTS
    assert {each for each in handlers if handlers[each].cost is Cost.FREE} == {Pong, Quit}
    assert {each for each in handlers if handlers[each].cost is Cost.ROOMS} == {Join}
    assert {handlers[each].cost for each in handlers.keys() - DRAFTS - {Pong, Quit, Join}} == {Cost.REQUEST}


@pytest.mark.parametrize(
    ("command", "requests", "messages"),
    [
        (Say(1, "lobby", "hello"), 0, 1),
        (Who(1, "lobby"), 1, 0),
        (Join(1, [f"room{number}" for number in range(25)]), 2.5, 0),
        (Join(1, ["ops"]), 1, 0),
        (Pong(1), 0, 0),
        (Hello(1, "ann", 32 * "1"), 1, 0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_command_costs_what_the_table_says(command: Command, requests: float, messages: float) -> None:
    rig = HubRig(Limits(request_burst=100, message_burst=100), rates=True)
    ann = rig.member("ann")
    member = rig.hub.context.connections[ann].member
    rig.do(ann, command)
    assert 100 - member.request_bucket._tokens == requests
    assert 100 - member.message_bucket._tokens == messages


def test_a_second_hello_is_refused() -> None:
    rig = HubRig()
    ann = rig.member("ann")
    rig.do(ann, Hello(1, "eve", 32 * "1"))
    assert ann.last(Refused).code is ErrorCode.INVALID
    rig.do(ann, Ping(7))
    assert ann.last(Pong).n == 7


def test_a_completion_happens_at_the_time_of_its_pass() -> None:
    """A name is reserved from the moment in which the log has answered, however long that took."""
    rig = HubRig(Limits(name_reservation_s=60))
    lost = rig.peer()
    rig.do(lost, Hello(1, "ann", 32 * "1"), settle=False)
    rig.hub.lost(lost)
    rig.now += 50.0
    rig.settle()  # the hello of a connection that is gone: its owner keeps the name for 60 s
    rig.now += 50.0
    other = rig.peer()
    rig.do(other, Hello(1, "ann", 32 * "2"))
    assert other.last(Refused).retry_after_s == 10.0
    rig.now += 11.0
    rig.do(other, Hello(1, "ann", 32 * "2"))
    assert other.last(Welcome).name == "ann"
