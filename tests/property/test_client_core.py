"""Whatever the connection does, a user sees every message once and in order, and every line arrives once."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from securechat.client.core import actions, events
from securechat.client.core.state import ConnectionPhase, ConversationId
from tests.support.core_driver import Driver

ROOM = st.sampled_from(["lobby", "ops", None])
STEP = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(["lobby", "ops", None])),
    st.tuples(st.just("others"), st.lists(ROOM, min_size=1, max_size=8)),
    st.tuples(st.just("hole"), st.lists(ROOM, min_size=1, max_size=8)),
    st.tuples(st.just("to_server"), st.integers(1, 8)),
    st.tuples(st.just("to_client"), st.integers(1, 8)),
    st.tuples(st.just("cut"), st.booleans()),
    st.tuples(st.just("refuse"), st.integers(1, 3)),
    st.tuples(st.just("tick"), st.none()),
)


def play(driver: Driver, steps: list[tuple[str, object]]) -> list[str]:
    typed: list[str] = []
    for number, (what, how) in enumerate(steps):
        match what, how:
            case "say", str(room):
                typed.append(f"mine {number}")
                driver.say(typed[-1], room)
            case "say", _:
                typed.append(f"mine {number}")
                driver.want(actions.SendDirect("p99", typed[-1]))
            case (("others" | "hole"), list(rooms)):
                said = [(room, f"theirs {number}.{index}") for index, room in enumerate(rooms)]
                driver.server.batch(said, drop=what == "hole")
            case "to_server", int(count):
                driver.to_server(count)
            case "to_client", int(count):
                driver.to_client(count)
            case "cut", bool(restart):
                driver.cut(restart=restart)
            case "refuse", int(count):
                driver.server.refuse_drafts = count
            case _:
                driver.tick()
    return typed


def seen(driver: Driver) -> dict[ConversationId, list[int]]:
    found: dict[ConversationId, list[int]] = defaultdict(list)
    for shown in driver.all(events.MessageShown):
        found[shown.key].append(shown.message.seq)
    return found


def expected(driver: Driver) -> dict[ConversationId, list[int]]:
    stored: dict[ConversationId, list[int]] = defaultdict(list)
    for message in driver.server.log:
        stored[driver.core.conversation_of(message)].append(message.seq)
    return stored


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=60), st.integers(1, 5))
@example([("others", ["ops", "lobby"]), ("to_client", 1), ("cut", False)], 3)  # one commit, cut between two rooms
def test_every_message_once_in_order_and_every_line_once(steps: list[tuple[str, object]], page_rows: int) -> None:
    driver = Driver(rooms=("ops",))
    driver.server.page_rows = page_rows
    driver.settle()
    typed = play(driver, steps)
    driver.settle()
    if not any(what == "hole" for what, _ in steps):
        assert seen(driver) == expected(driver)
    # A hole at the very end shows only when something follows it.
    driver.server.batch([("lobby", "end"), ("ops", "end"), (None, "end")])
    driver.settle()
    assert seen(driver) == expected(driver)

    stored = Counter(message.text for message in driver.server.log if message.sender_id == driver.server.my_id)
    assert stored == Counter(typed)
    acked = [ack.message.number for ack in driver.all(events.MessageAcked)]
    assert len(acked) == len(set(acked)) == len(typed)
    assert driver.core.unsent == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_deadlines_are_never_in_the_past_after_a_tick(steps: list[tuple[str, object]]) -> None:
    driver = Driver(rooms=("ops",), backfill_count=3)
    play(driver, steps)
    for _ in range(8):
        before = driver.core.deadline()
        driver.tick()
        after = driver.core.deadline()
        assert (
            before is None
            or after is None
            or after > before
            or driver.core.phase is ConnectionPhase.DIALLING
            or driver.wire
        )
        driver.to_server()
        driver.to_client()
