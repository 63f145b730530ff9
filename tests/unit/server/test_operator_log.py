"""The operator's lines about bugs: each with its traceback, few whatever happens."""

from __future__ import annotations

import io

from securechat.containment import Failure, Vital, VitalFailure
from securechat.server.console import Console
from securechat.server.operator_log import TRACEBACK_EVERY_S, OperatorLog


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
        for now in (0.0, 1.0, TRACEBACK_EVERY_S - 0.1, TRACEBACK_EVERY_S):
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


def test_a_visit_is_one_line_with_its_address() -> None:
    (line,) = _lines(lambda log: log.visited("192.0.2.1:5000"))
    assert line.endswith("visited       192.0.2.1:5000")
