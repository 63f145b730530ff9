from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from securechat.errors import LocalProtocolError
from securechat.server.outgoing import worker as module
from securechat.server.outgoing.attempt import Attempt, AttemptAborted
from securechat.server.outgoing.destinations import Destination
from securechat.server.outgoing.networks import NetworkPolicy, parse_networks
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Outcome
from securechat.server.outgoing.resolver import Resolver
from securechat.server.outgoing.sender import OutgoingRequest, OutgoingSettings, WebhookSender
from securechat.server.outgoing.signature import WebhookSecret
from securechat.server.outgoing.worker import MOST_THREADS, OutgoingWorker
from tests.support.receiver import PATIENCE_S, Answer, Authority, answering, json_answer, silent_server

from .conftest import Start

LOOPBACK = NetworkPolicy(parse_networks(["127.0.0.0/8"]))
CLOSED_WITHIN_S = 2.0


def request(
    port: int = 1, *, name: str = "127.0.0.1", encrypted: bool = False, delivery_id: str = "msg_1"
) -> OutgoingRequest:
    return OutgoingRequest(Destination(encrypted, name, port, "/"), delivery_id, b"{}", (WebhookSecret(bytes(32)),))


class Bench:
    """A worker, and the loop that it posts to."""

    def __init__(self, send: Callable[[OutgoingRequest, Attempt], Outcome]) -> None:
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.errors: list[Exception] = []
        self.outcomes: list[tuple[int, Outcome]] = []
        self.worker = OutgoingWorker(send, self.posted.put, self.errors.append, lambda: Attempt(limit_s=PATIENCE_S))

    def deliver(self, hook_id: int, asked: OutgoingRequest | None = None) -> bool:
        return self.worker.deliver(
            hook_id, asked or request(), lambda outcome: self.outcomes.append((hook_id, outcome))
        )

    def run_posted(self) -> tuple[int, Outcome]:
        before = len(self.outcomes)
        self.posted.get(timeout=PATIENCE_S)()
        assert len(self.outcomes) == before + 1
        return self.outcomes[-1]

    def close(self) -> float:
        """Close; returns the seconds that it took."""
        began = time.monotonic()
        self.worker.close()
        return time.monotonic() - began


def alive() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("webhooks-")]


Make = Callable[[Callable[[OutgoingRequest, Attempt], Outcome]], Bench]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Bench] = []

    def make_one(send: Callable[[OutgoingRequest, Attempt], Outcome]) -> Bench:
        made.append(Bench(send))
        return made[-1]

    yield make_one
    for each in made:
        each.close()


@pytest.fixture
def real(make: Make) -> Bench:
    return make(WebhookSender(OutgoingSettings(LOOPBACK)).send)


class Gate:
    """A sender whose attempts wait until they are told the outcome."""

    def __init__(self) -> None:
        self.begun: queue.SimpleQueue[OutgoingRequest] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.threads: set[threading.Thread] = set()

    def send(self, asked: OutgoingRequest, attempt: Attempt) -> Outcome:
        self.threads.add(threading.current_thread())
        aborted = threading.Event()
        attempt.interrupt_by(lambda: (aborted.set(), self.answers.put(Delivered("aborted")))[0])
        self.begun.put(asked)
        outcome = self.answers.get(timeout=PATIENCE_S)
        attempt.end_interrupt()
        attempt.expect_wanted()
        return outcome


def test_threads_begin_with_the_first_delivery_and_end(make: Make) -> None:
    before = alive()
    bench = make(lambda _request, _attempt: Delivered("hi"))
    assert alive() == before
    assert bench.deliver(1)
    assert len(alive()) == len(before) + 1
    assert bench.worker.is_delivering(1)
    assert bench.run_posted() == (1, Delivered("hi"))
    assert not bench.worker.is_delivering(1)
    bench.close()
    assert alive() == before


def test_outcomes_come_on_the_loops_thread_and_attempts_are_on_another(make: Make) -> None:
    where: list[threading.Thread] = []

    def send(_request: OutgoingRequest, _attempt: Attempt) -> Outcome:
        where.append(threading.current_thread())
        return Delivered()

    bench = make(send)
    bench.worker.deliver(1, request(), lambda _outcome: where.append(threading.current_thread()))
    bench.posted.get(timeout=PATIENCE_S)()
    assert where[0] is not threading.current_thread()
    assert where[1] is threading.current_thread()


def test_a_hook_has_one_delivery_at_a_time(make: Make) -> None:
    gate = Gate()
    bench = make(gate.send)
    bench.deliver(1)
    with pytest.raises(LocalProtocolError):
        bench.deliver(1)
    gate.answers.put(Delivered())
    gate.begun.get(timeout=PATIENCE_S)
    handled = bench.posted.get(timeout=PATIENCE_S)
    with pytest.raises(LocalProtocolError):
        bench.deliver(1)
    handled()
    gate.answers.put(Delivered())
    assert bench.deliver(1), "from the outcome on it has none"


def test_the_next_delivery_may_be_given_with_the_outcome_and_all_are_in_order(real: Bench, start: Start) -> None:
    receiver = start(answering(Answer()))
    wanted = [f"msg_{number}" for number in range(20)]
    left = list(wanted)

    def go_on(outcome: Outcome | None = None) -> None:
        assert outcome in (None, Delivered())
        if left:
            asked = request(receiver.port, delivery_id=left.pop(0))
            assert real.worker.deliver(1, asked, go_on)

    go_on()
    while real.worker.waiting:
        real.posted.get(timeout=PATIENCE_S)()
    assert [receiver.received.get(timeout=PATIENCE_S).headers["webhook-id"] for _ in wanted] == wanted


def test_receivers_that_hang_do_not_keep_others_waiting(real: Bench, start: Start) -> None:
    hanging = start("hang")
    well = start(answering(json_answer(b'{"text": "well"}')))
    for hook_id in range(MOST_THREADS - 1):
        real.deliver(hook_id, request(hanging.port))
    for hook_id in range(100, 120):
        real.deliver(hook_id, request(well.port))
    answered = [real.run_posted() for _ in range(20)]
    assert answered == [(hook_id, Delivered("well")) for hook_id in range(100, 120)], "in the order in which they came"
    assert real.worker.waiting == MOST_THREADS - 1


def test_there_are_no_more_threads_than_there_may_be(make: Make) -> None:
    gate = Gate()
    bench = make(gate.send)
    before = len(alive())
    for hook_id in range(10):
        assert bench.deliver(hook_id)
        assert len(alive()) - before == min(hook_id + 1, MOST_THREADS)
    for _ in range(10):
        gate.answers.put(Delivered())
    for _ in range(10):
        bench.run_posted()
    assert len(gate.threads) <= MOST_THREADS


def test_waiting_deliveries_are_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    gate = Gate()
    bench = make(gate.send)
    assert [bench.deliver(hook_id) for hook_id in range(5)] == [True, True, True, False, False]
    gate.answers.put(Delivered())
    bench.run_posted()
    assert bench.deliver(4)
    assert not bench.worker.is_delivering(3), "what was not taken is not waited for"


def test_a_fault_costs_its_attempt_alone_and_its_text_is_not_told(make: Make) -> None:
    def send(asked: OutgoingRequest, _attempt: Attempt) -> Outcome:
        if asked.delivery_id == "msg_bad":
            raise ValueError("https://ci.lan/SECRET")
        return Delivered()

    bench = make(send)
    bench.deliver(1, request(delivery_id="msg_bad"))
    _hook_id, outcome = bench.run_posted()
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.INTERNAL
    assert [str(error) for error in bench.errors] == ["a webhook could not be delivered (ValueError)"]
    assert bench.errors[0].__cause__ is bench.errors[0].__context__ is None
    bench.deliver(1)
    assert bench.run_posted() == (1, Delivered())


def test_an_error_that_cannot_be_told_keeps_no_outcome_back(make: Make) -> None:
    def send(_request: OutgoingRequest, _attempt: Attempt) -> Outcome:
        raise ValueError

    def tell(_error: Exception) -> None:
        raise OSError

    bench = make(send)
    bench.worker._on_error = tell
    bench.deliver(1)
    with pytest.raises(OSError):
        bench.posted.get(timeout=PATIENCE_S)()
    assert [hook_id for hook_id, _outcome in bench.outcomes] == [1]


def test_without_a_thread_a_delivery_fails_and_the_next_one_tries_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make(lambda _request, _attempt: Delivered())

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert bench.deliver(1)
    assert bench.outcomes == [], "outcomes come later, never within the call"
    _hook_id, outcome = bench.run_posted()
    assert isinstance(outcome, Failed)
    assert outcome.problem is DeliveryProblem.INTERNAL
    assert len(bench.errors) == 1
    bench.deliver(1)
    assert bench.run_posted() == (1, Delivered())


# --- Ending


def test_closing_does_not_wait_for_receivers_that_hang(real: Bench, start: Start) -> None:
    before = len(alive()) - len(real.worker._threads)
    hanging = start("hang")
    for hook_id in range(2 * MOST_THREADS):
        real.deliver(hook_id, request(hanging.port))
    for _ in range(MOST_THREADS):
        hanging.received.get(timeout=PATIENCE_S)
    assert real.close() < CLOSED_WITHIN_S
    assert len(alive()) == before, "the threads have ended, too"
    assert real.posted.empty()
    assert hanging.count == MOST_THREADS, "what waited was not begun"
    assert not real.deliver(99)


def test_closing_does_not_wait_for_a_handshake(make: Make, authority: Authority) -> None:
    bench = make(WebhookSender(OutgoingSettings(LOOPBACK, authority.pem)).send)
    with silent_server() as (listening, port):
        bench.deliver(1, request(port, encrypted=True))
        connection, _address = listening.accept()
        with connection:
            assert connection.recv(1) == b"\x16", "a ClientHello"
            assert bench.close() < CLOSED_WITHIN_S
    assert alive() == []


def test_closing_does_not_wait_for_a_resolver(make: Make) -> None:
    asked, over = threading.Event(), threading.Event()

    def lookup(*_args: Any, **_options: Any) -> list[tuple[Any, ...]]:
        asked.set()
        over.wait(PATIENCE_S)
        return []

    bench = make(WebhookSender(OutgoingSettings(LOOPBACK), Resolver(lookup)).send)
    bench.deliver(1, request(name="ci.lan"))
    assert asked.wait(PATIENCE_S)
    try:
        assert bench.close() < CLOSED_WITHIN_S
        assert alive() == []
    finally:
        over.set()


def test_closing_does_not_wait_for_an_answer_that_trickles(real: Bench, start: Start) -> None:
    def behave(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n")
        receiver.hung.set()
        while not receiver.over.wait(0.02):
            handler.wfile.write(b" ")

    receiver = start(behave)
    real.deliver(1, request(receiver.port))
    assert receiver.hung.wait(PATIENCE_S)
    assert real.close() < CLOSED_WITHIN_S
    assert alive() == []
    assert real.posted.empty(), "whether the receiver has it is not told, so it is delivered again"


def test_closing_leaves_a_thread_behind_that_does_not_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def send(_request: OutgoingRequest, _attempt: Attempt) -> Outcome:
        over.wait(PATIENCE_S)
        return Delivered()

    bench = make(send)
    bench.deliver(1)
    threads = [*bench.worker._threads]
    try:
        assert bench.close() < CLOSED_WITHIN_S
        assert threads[0].is_alive()
    finally:
        over.set()
    threads[0].join(PATIENCE_S)
    assert not threads[0].is_alive()
    assert bench.posted.empty()


def test_closing_twice_and_without_a_delivery(make: Make) -> None:
    bench = make(lambda _request, _attempt: Delivered())
    bench.worker.close()
    bench.worker.close()
    assert not bench.deliver(1)


def test_a_hook_that_is_forgotten_has_no_outcome(make: Make) -> None:
    gate = Gate()
    bench = make(gate.send)
    bench.deliver(1)
    gate.begun.get(timeout=PATIENCE_S)
    bench.worker.forget(1)
    bench.worker.forget(2)
    assert not bench.worker.is_delivering(1)
    bench.deliver(3)
    gate.answers.put(Delivered("three"))
    assert bench.run_posted() == (3, Delivered("three"))
    assert bench.posted.empty()


def test_an_outcome_that_was_under_way_when_its_hook_was_forgotten_is_dropped(make: Make) -> None:
    bench = make(lambda asked, _attempt: Delivered(asked.delivery_id))
    bench.deliver(1, request(delivery_id="msg_old"))
    late = bench.posted.get(timeout=PATIENCE_S)
    bench.worker.forget(1)
    bench.deliver(1, request(delivery_id="msg_new"))
    late()
    assert bench.outcomes == []
    assert bench.worker.is_delivering(1)
    assert bench.run_posted() == (1, Delivered("msg_new"))


# --- Attempts


def test_an_aborted_attempt_begins_nothing(real: Bench, start: Start) -> None:
    receiver = start(answering(Answer()))
    attempt = Attempt()
    attempt.abort()
    with pytest.raises(AttemptAborted):
        WebhookSender(OutgoingSettings(LOOPBACK)).send(request(receiver.port), attempt)
    assert receiver.count == 0
    interrupted: list[bool] = []
    with pytest.raises(AttemptAborted):
        attempt.interrupt_by(lambda: interrupted.append(True))
    assert interrupted == []


def test_what_has_ended_is_not_interrupted() -> None:
    attempt = Attempt()
    interrupted: list[bool] = []
    attempt.interrupt_by(lambda: interrupted.append(True))
    attempt.end_interrupt()
    attempt.abort()
    assert interrupted == []


def test_the_time_of_an_attempt_counts_from_its_beginning() -> None:
    now = 100.0
    attempt = Attempt(clock=lambda: now, limit_s=5.0)
    now = 200.0
    attempt.begin()
    now = 204.0
    assert attempt.left_s() == 1.0
    assert not attempt.is_late
    now = 205.0
    with pytest.raises(TimeoutError):
        attempt.left_s()
    assert attempt.is_late


def test_what_is_looked_up_runs_on_a_thread_and_is_told_on_the_loops(make: Make) -> None:
    bench = make(lambda _request, _attempt: Delivered())
    where: list[object] = []

    def task() -> str:
        where.append(threading.current_thread())
        return "found"

    bench.worker.look_up(task, lambda found: where.append((found, threading.current_thread())))
    bench.posted.get(timeout=PATIENCE_S)()
    assert where[0] is not threading.current_thread()
    assert where[1] == ("found", threading.current_thread())


def test_a_lookup_that_raises_is_told_as_nothing_and_its_text_is_not(make: Make) -> None:
    bench = make(lambda _request, _attempt: Delivered())

    def task() -> str:
        raise RuntimeError("https://ci.lan/secret")

    found: list[str] = []
    bench.worker.look_up(task, found.append)
    bench.posted.get(timeout=PATIENCE_S)()
    assert found == [""]
    assert ["secret" in str(error) for error in bench.errors] == [False]


def test_a_lookup_that_ends_after_the_worker_is_told_to_none(make: Make) -> None:
    bench = make(lambda _request, _attempt: Delivered())
    go_on, over = threading.Event(), threading.Event()

    def task() -> str:
        threading.current_thread().name = "looks-up"
        go_on.wait(PATIENCE_S)
        over.set()
        return "late"

    bench.worker.look_up(task, print)
    bench.close()
    (thread,) = [each for each in threading.enumerate() if each.name in {"looks-up", "webhook-lookup"}]
    go_on.set()
    thread.join(PATIENCE_S)
    assert over.is_set()
    assert bench.posted.empty()
