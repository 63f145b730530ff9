"""The driver of workflows: results and refusals at the yield, turns, containment, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

from securechat import model as m
from securechat.containment import Failure
from securechat.errors import ErrorCode, Refusal
from securechat.hub.workflow import (
    Commit,
    HashPassword,
    Identify,
    ReadRoomFigures,
    Turn,
    VerifyPassword,
    Workflow,
    Workflows,
)
from securechat.records.accounts import Account, Committed, Login, Put
from securechat.records.log import Identity, NotAppended
from tests.support.hub_rig import HubRig


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def driver(rig: HubRig) -> Workflows:
    return rig.hub.context.workflows


def note(rig: HubRig, act: str = "act") -> Commit:
    return Commit((rig.hub.context.accounts.note("ann", act),))


def login_of_nobody() -> Commit:
    """Refused at once: the account is not there."""
    return Commit((Put(Login(9, 99, b"t" * 32, "", "", 0, 0, 0)),))


# --- Results and refusals ---------------------------------------------------------------------------------------------


def test_each_step_gives_its_result_at_the_yield(rig: HubRig) -> None:
    ann, results = rig.member("ann"), []

    def work() -> Workflow[None]:
        phc = yield HashPassword("correct horse", ann)
        results.append((yield HashPassword("correct horse")) == phc)
        results.append((yield VerifyPassword(phc, "correct horse", ann)).match)
        results.append((yield VerifyPassword(phc, "another", ann)).match)
        results.append(type((yield Identify(b"s" * 32, "eve", "eve"))))
        results.append(type((yield note(rig))))
        results.append((yield ReadRoomFigures(["lobby"])))

    driver(rig).run(work())
    assert results == [], "it waits for the hasher"
    rig.settle()
    assert results[:5] == [True, True, False, Identity, Committed]
    assert len(results) == 6
    assert [entry.act for entry in rig.store.audit(9)] == ["act"]


def test_a_refusal_of_a_step_is_raised_at_the_yield(rig: HubRig) -> None:
    caught: list[Refusal] = []

    def work() -> Workflow[None]:
        try:
            yield login_of_nobody()
        except Refusal as refusal:
            caught.append(refusal)
        yield note(rig)
        caught.append(Refusal(ErrorCode.BUSY, "and on"))

    driver(rig).run(work())
    rig.settle()
    assert [each.code for each in caught] == [ErrorCode.NOT_FOUND, ErrorCode.BUSY]


def test_a_refusal_of_the_log_is_raised_at_the_yield(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Refusal] = []
    full = NotAppended(ErrorCode.DISK_FULL, "full", 5.0)
    monkeypatch.setattr(rig.hub.context.log, "record", lambda _, done: rig.posted.append(lambda: done(full)))
    driver(rig).run(iter_once(note(rig)), told.append)
    rig.settle()
    assert [(each.code, each.detail, each.retry_after_s) for each in told] == [(ErrorCode.DISK_FULL, "full", 5.0)]


def iter_once(*steps: Any) -> Workflow[None]:
    yield from steps


def test_a_refusal_before_anything_was_waited_for_is_the_callers(rig: HubRig) -> None:
    ann = rig.member("ann")
    with pytest.raises(Refusal):
        driver(rig).answer(ann, 3, iter_once(login_of_nobody()))
    assert not ann.of(m.Refused)
    driver(rig).run(iter_once(login_of_nobody()))  # no one waits for it


@pytest.mark.parametrize("present", [True, False])
def test_a_later_refusal_is_answered_while_the_asker_is_connected(rig: HubRig, *, present: bool) -> None:
    ann = rig.member("ann")

    def work() -> Workflow[None]:
        yield note(rig)
        raise Refusal(ErrorCode.BUSY, "later", 2.0)

    driver(rig).answer(ann, 3, work(), room="ops")
    if not present:
        rig.do(ann, m.Quit(), settle=False)
    rig.settle()
    told = [(each.ref, each.code, each.retry_after_s, each.room) for each in ann.of(m.Refused)]
    assert told == [(3, ErrorCode.BUSY, 2.0, "ops")] * present


def test_steps_that_complete_at_once_do_not_fill_the_stack(rig: HubRig) -> None:
    count = 0

    def work() -> Workflow[None]:
        nonlocal count
        for _ in range(5000):
            with (yield Turn("key")):
                count += 1
            try:
                yield login_of_nobody()
            except Refusal:
                count += 1

    driver(rig).run(work())
    assert count == 10_000


# --- Turns ------------------------------------------------------------------------------------------------------------


def in_turn(rig: HubRig, seen: list[str], name: str, *, error: Exception | None = None) -> Workflow[None]:
    yield Turn("key")
    seen.append(f"{name} begins")
    yield note(rig)
    seen.append(f"{name} ends")
    if error is not None:
        raise error


def test_turns_come_one_after_the_other(rig: HubRig) -> None:
    seen: list[str] = []
    for name in ("one", "two", "three"):
        driver(rig).run(in_turn(rig, seen, name))
    assert seen == ["one begins"]
    rig.settle()
    assert seen == [f"{name} {what}" for name in ("one", "two", "three") for what in ("begins", "ends")]
    assert not rig.hub.context.workflows.turns


@pytest.mark.parametrize("error", [MemoryError(), Refusal(ErrorCode.BUSY, "no")])
def test_a_turn_is_given_back_however_the_workflow_ends(error: Exception) -> None:
    failures: list[Failure] = []
    rig, seen = HubRig(on_failure=failures.append), []
    driver(rig).run(in_turn(rig, seen, "one", error=error))
    driver(rig).run(in_turn(rig, seen, "two"))
    rig.settle()
    assert seen[-1] == "two ends"
    assert len(failures) == isinstance(error, MemoryError)
    assert not rig.hub.context.workflows.turns


def test_a_turn_may_be_given_back_early_and_the_next_one_waits_for_this_step(rig: HubRig) -> None:
    seen: list[str] = []

    def early() -> Workflow[None]:
        with (yield Turn("key")):
            yield note(rig)
        seen.append("early is out")
        yield note(rig)
        seen.append("early ends")

    driver(rig).run(early())
    driver(rig).run(in_turn(rig, seen, "two"))
    rig.settle()
    assert seen[:2] == ["early is out", "two begins"]
    assert set(seen[2:]) == {"early ends", "two ends"}


def test_thousands_of_turns_that_end_at_once_do_not_fill_the_stack(rig: HubRig) -> None:
    seen: list[str] = []

    def short() -> Workflow[None]:
        yield Turn("key")
        seen.append("short")

    driver(rig).run(in_turn(rig, seen, "one"))
    for _ in range(3000):
        driver(rig).run(short())
    rig.settle()
    assert len(seen) == 3002
    assert not rig.hub.context.workflows.turns


# --- Failures ---------------------------------------------------------------------------------------------------------


def test_what_a_workflow_raises_costs_its_asker_alone_and_finally_runs(rig: HubRig) -> None:
    failures: list[Failure] = []
    rig = HubRig(on_failure=failures.append)
    ann, bob, seen = rig.member("ann"), rig.member("bob"), []

    def work() -> Workflow[None]:
        try:
            yield note(rig)
            raise MemoryError
        finally:
            seen.append("finally")

    rig.containment.current = ann
    driver(rig).answer(ann, 3, work())
    rig.containment.current = None
    rig.settle()
    assert seen == ["finally"]
    assert [failure.owner for failure in failures] == [ann.label]
    assert ann.closed is not None and bob.closed is None


def test_a_step_that_cannot_be_begun_raises_at_the_yield(rig: HubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(rig.hub.context.log, "record", fail)
    seen: list[str] = []

    def work() -> Workflow[None]:
        yield Turn("key")
        try:
            yield Commit((Put(Account(7, "ann", "ann")),))
        finally:
            seen.append("finally")

    with pytest.raises(MemoryError):
        driver(rig).run(work())
    assert seen == ["finally"]
    assert not rig.hub.context.workflows.turns


def test_a_workflow_may_run_another(rig: HubRig) -> None:
    seen: list[str] = []

    def outer() -> Workflow[None]:
        yield note(rig)
        driver(rig).run(in_turn(rig, seen, "inner"))
        seen.append("outer goes on")
        yield note(rig)

    driver(rig).run(outer())
    rig.settle()
    assert seen == ["inner begins", "outer goes on", "inner ends"]
