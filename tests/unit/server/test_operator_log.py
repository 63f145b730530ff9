"""The operator's lines about bugs: each with its traceback, few whatever happens."""

from __future__ import annotations

import io

from securechat.containment import Failure, Vital, VitalFailure
from securechat.hub.interfaces import OperatorEvent
from securechat.net.connection_limits import Denial
from securechat.server.console import Console
from securechat.server.operator_log import MOST_TOLD, REPEAT_EVERY_S, OperatorLog


def _failure(kind: str = "read", owner: str = "192.0.2.1:5000") -> Failure:
    try:
        raise RuntimeError("a bug\nwith a second line")
    except RuntimeError as error:
        return Failure(kind, owner, error)


def _lines(tell: object) -> list[str]:
    stream = io.StringIO()
    console = Console(stream)
    tell(OperatorLog(console))  # type: ignore[operator]
    console.close()
    return stream.getvalue().splitlines()


def test_a_traceback_is_one_line_with_its_owner_and_comes_once_a_minute() -> None:
    def tell(chronicle: OperatorLog) -> None:
        for now in (0.0, 1.0, REPEAT_EVERY_S - 0.1, REPEAT_EVERY_S):
            chronicle.failed(_failure(), now)

    lines = _lines(tell)
    assert len(lines) == 2
    assert "internal error in read for 192.0.2.1:5000: Traceback" in lines[0]
    assert "test_operator_log.py" in lines[0]
    assert lines[0].endswith("RuntimeError: a bug | with a second line")
    assert "(2 more of the same since the last such line)" in lines[1]


def test_another_kind_of_work_is_another_line() -> None:
    def tell(chronicle: OperatorLog) -> None:
        chronicle.failed(_failure("read"), 0.0)
        chronicle.failed(_failure("timer"), 0.0)

    assert len(_lines(tell)) == 2


def test_an_endless_recursion_is_cut() -> None:
    def deeper() -> None:
        deeper()

    def tell(chronicle: OperatorLog) -> None:
        try:
            deeper()
        except RecursionError as error:
            chronicle.failed(Failure("read", "x", error), 0.0)

    assert len(_lines(tell)[0]) < 8_200


def test_what_stops_the_server_says_what_failed_and_why() -> None:
    def tell(chronicle: OperatorLog) -> None:
        try:
            raise VitalFailure(Vital.FAN_OUT) from _failure().error
        except VitalFailure as error:
            chronicle.stops_after(error)
        chronicle.stops_after(ValueError("in the loop"))

    lines = _lines(tell)
    assert Vital.FAN_OUT.value in lines[0]
    assert "RuntimeError: a bug" in lines[0]
    assert Vital.LOOP.value in lines[1]


def test_a_visit_is_one_line_of_its_address_and_minute() -> None:
    def tell(log: OperatorLog) -> None:
        for number in range(40_000):
            log.visited("192.0.2.1", f"192.0.2.1:{number}", number / 1_000)
        log.visited("192.0.2.2", "192.0.2.2:1", 40.0)
        log.visited("192.0.2.1", "192.0.2.1:2", REPEAT_EVERY_S)

    lines = [line[21:] for line in _lines(tell)]
    assert lines == [
        "visited       192.0.2.1:0",
        "visited       192.0.2.2:1",
        "visited       192.0.2.1:2 (and 39999 more)",
    ]


def test_a_denial_is_one_line_of_its_address_reason_and_minute() -> None:
    def tell(log: OperatorLog) -> None:
        for now in (0.0, 1.0, 2.0, REPEAT_EVERY_S):
            for port in range(2):  # one IPv6 /64 is one address
                log.denied(f"2001:db8::{port}", Denial.ADDRESS_FULL, now)
        log.denied("2001:db8::1", Denial.WEB_RATE, 2.0)

    lines = _lines(tell)
    assert len(lines) == 3
    assert lines[0].endswith("refused       2001:db8::0: turned away: too many connections from this address")
    assert lines[1].endswith("address (and 5 more)")


def test_a_flood_from_ever_new_addresses_is_bounded_and_counted() -> None:
    def tell(log: OperatorLog) -> None:
        for number in range(10_000):
            log.visited(f"a{number}", f"a{number}:1", 0.0)
        assert len(log._visits._told) == MOST_TOLD
        log.visited("b", "b:1", REPEAT_EVERY_S)

    lines = _lines(tell)
    assert len(lines) == MOST_TOLD + 1
    assert lines[-1].endswith(f"visited       b:1 (and {10_000 - MOST_TOLD} more)")


class FakePeer:
    def __init__(self, address: str, *, is_program: bool = False) -> None:
        self.address, self.label = address, f"{address}:5000"
        self.is_program = is_program


def test_what_a_program_asked_for_stands_in_no_line() -> None:
    stream = io.StringIO()
    console = Console(stream)
    log = OperatorLog(console, clock=lambda: 0.0)
    detail = "not_a_member: You are not in #a-token-by-mistake. Join it first"
    log.happened(OperatorEvent.REFUSED, FakePeer("192.0.2.1", is_program=True), "deploy", detail)  # type: ignore[arg-type]
    console.close()
    assert stream.getvalue()[21:] == 'refused       192.0.2.1:5000 "deploy": not_a_member\n'


def test_a_refusal_is_one_line_an_address_code_and_minute() -> None:
    now = 0.0
    stream = io.StringIO()
    console = Console(stream)
    log = OperatorLog(console, clock=lambda: now)
    ann, bob = FakePeer("192.0.2.1"), FakePeer("192.0.2.2")

    def refuse(peer: FakePeer, name: str, detail: str) -> None:
        log.happened(OperatorEvent.REFUSED, peer, name, detail)  # type: ignore[arg-type]

    for number in range(100):
        refuse(ann, f"ann{number}", "name_in_use: the name is taken")
    refuse(ann, "ann", "text_empty: a message needs a text")
    refuse(bob, "", "name_in_use: the name is taken")
    now = REPEAT_EVERY_S
    refuse(ann, "ann", "name_in_use: the name is taken")
    console.close()
    lines = [line[21:] for line in stream.getvalue().splitlines()]
    assert lines == [
        'refused       192.0.2.1:5000 "ann0": name_in_use: the name is taken',
        'refused       192.0.2.1:5000 "ann": text_empty: a message needs a text',
        "refused       192.0.2.2:5000: name_in_use: the name is taken",
        'refused       192.0.2.1:5000 "ann": name_in_use: the name is taken (and 99 more)',
    ]


def test_a_webhook_that_is_off_is_one_line_a_minute() -> None:
    def tell(chronicle: OperatorLog) -> None:
        for now in (0.0, 1.0, REPEAT_EVERY_S):
            chronicle.outgoing_off("deploy", "gone", now)
        chronicle.outgoing_off("other", "room_gone", 1.0)

    lines = [line.partition("hook_off")[2].strip() for line in _lines(tell)]
    assert lines == [
        'the outgoing webhook "deploy" is off: the receiver answered 410',
        'the outgoing webhook "deploy" is off: the receiver answered 410 (and 1 more)',
        'the outgoing webhook "other" is off: its room was deleted',
    ]


def test_a_lost_reply_is_one_line_a_webhook_reason_and_minute() -> None:
    def tell(chronicle: OperatorLog) -> None:
        for now in (0.0, 1.0):
            chronicle.outgoing_reply_lost("deploy", "quota", now)
        chronicle.outgoing_reply_lost("deploy", "late", 1.0)
        chronicle.outgoing_reply_lost("deploy", "quota", REPEAT_EVERY_S)

    lines = [line.partition("hook_reply")[2].strip() for line in _lines(tell)]
    assert lines == [
        'a reply to the outgoing webhook "deploy" was not posted: it has stored all it may for today',
        'a reply to the outgoing webhook "deploy" was not posted: the answer was not complete in time',
        'a reply to the outgoing webhook "deploy" was not posted: it has stored all it may for today (and 1 more)',
    ]


def test_a_gap_names_the_webhook_and_the_last_message() -> None:
    (line,) = _lines(lambda chronicle: chronicle.outgoing_gap("deploy", 41))
    assert 'the outgoing webhook "deploy"' in line
    assert "up to number 41" in line


def test_a_failed_delivery_is_one_line_a_webhook_problem_and_minute() -> None:
    def tell(chronicle: OperatorLog) -> None:
        for now in (0.0, 1.0, REPEAT_EVERY_S):
            chronicle.outgoing_failed("deploy", "status", "the receiver answered 503", now)

    lines = [line.partition("hook_failed")[2].strip() for line in _lines(tell)]
    said = 'the outgoing webhook "deploy" could not deliver, and tries again: the receiver answered 503'
    assert lines == [said, f"{said} (and 1 more)"]
