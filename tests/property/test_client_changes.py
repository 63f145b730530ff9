"""Whatever the connection does, every message a client keeps ends as the log has it, and no change is told twice."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from securechat.client.core import actions, events
from securechat.client.core.message_changes import apply_change
from securechat.model import Message, RevisionKind
from tests.support.core_driver import ChangingServer, Driver

ROOM = st.sampled_from(["lobby", "ops", None])
STEP = st.one_of(
    st.tuples(st.just("others"), st.lists(ROOM, min_size=1, max_size=4)),
    st.tuples(st.just("hole"), st.lists(ROOM, min_size=1, max_size=4)),
    st.tuples(
        st.just("change"),
        st.tuples(
            st.sampled_from(["edit", "edit", "delete", "react", "unreact"]),
            st.integers(0, 30),
            st.sampled_from([98, 99]),
            st.sampled_from("+-"),
        ),
    ),
    st.tuples(st.just("mine"), st.tuples(st.sampled_from(list(RevisionKind)), st.integers(0, 30))),
    st.tuples(st.just("recall"), st.sampled_from(["lobby", "ops"])),
    st.tuples(st.just("slow"), st.booleans()),
    st.tuples(st.just("read"), st.none()),
    st.tuples(st.just("to_server"), st.integers(1, 8)),
    st.tuples(st.just("to_client"), st.integers(1, 8)),
    st.tuples(st.just("cut"), st.booleans()),
    st.tuples(st.just("tick"), st.none()),
)


def play(driver: Driver, server: ChangingServer, steps: list[tuple[str, object]]) -> None:
    for number, (what, how) in enumerate(steps):
        match what, how:
            case (("others" | "hole"), list(rooms)):
                server.batch([(room, f"{number}.{index}") for index, room in enumerate(rooms)], drop=what == "hole")
            case "change", (str(kind), int(which), int(by), str(sign)) if server.log:
                target = server.log[which % len(server.log)]
                if target.room is not None or by == 99:
                    server.change(target.seq, kind, by=by, sign=sign, text=f"edit {number}")
            case "mine", (RevisionKind() as kind, int(which)) if server.log:
                target = server.log[which % len(server.log)]
                key = driver.core.conversation_of(target)
                driver.want(actions.ChangeMessage(key, kind, target.seq, f"mine {number}", "+"))
            case "recall", str(room):
                driver.want(actions.AskHistory(driver.core.room(room), 4))
            case "slow", bool(slow):
                server.slow_reader = slow
            case "read", _:
                server.finish_reading()
            case "to_server", int(count):
                driver.to_server(count)
            case "to_client", int(count):
                driver.to_client(count)
            case "cut", bool(restart):
                driver.cut(restart=restart)
            case _:
                driver.tick()


def state(message: Message) -> object:
    signs = tuple((reaction.sign, *reaction.by) for reaction in message.reactions)
    by = (message.edited_by, message.deleted_by)
    return (message.seq, message.text, message.edited, message.deleted, by, signs)


def as_shown(driver: Driver) -> dict[int, Message]:
    """What a reader who applies what is told has in the end."""
    shown: dict[int, Message] = {}
    changes = [ui_event.change.seq for ui_event in driver.all(events.MessageChanged)]
    assert len(changes) == len(set(changes)), "told twice"
    for ui_event in driver.told:
        match ui_event:
            case events.MessageShown(message):
                assert message.seq not in shown
                shown[message.seq] = message
            case events.MessageChanged(change) if change.target not in shown:
                assert ui_event.message is None  # a hole that was not noticed yet
            case events.MessageChanged(change, _, message):
                before = shown[change.target]
                after = apply_change(before, change)
                assert after is not before, "told twice"
                shown[change.target] = after
                assert message is None or state(message) == state(after)
    return shown


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=60), st.integers(1, 5))
@example([("others", ["lobby"]), ("to_client", 9), ("cut", False), ("change", ("edit", 0, 99, "+"))], 3)
@example([("others", ["lobby"]), ("change", ("react", 0, 99, "+")), ("change", ("unreact", 0, 99, "+"))], 1)
@example(
    [
        ("others", ["lobby"]),
        ("change", ("react", 0, 99, "+")),
        ("hole", ["lobby"]),
        ("change", ("unreact", 0, 99, "+")),
        ("others", ["lobby"]),
    ],
    1,
)  # a hole is pulled from before changes that were seen
@example(
    [
        ("others", ["lobby"]),
        ("to_client", 9),
        ("cut", False),
        ("others", ["lobby"]),
        ("change", ("react", 1, 99, "+")),
        ("change", ("unreact", 1, 99, "+")),
        ("change", ("react", 1, 99, "+")),
        ("change", ("react", 1, 99, "-")),
    ],
    5,
)  # a sign that was taken away and put there anew, in a copy that has all of it
def test_every_message_ends_as_the_log_has_it(steps: list[tuple[str, object]], page_rows: int) -> None:
    server = ChangingServer()
    driver = Driver(server, rooms=("ops",))
    server.page_rows = page_rows
    driver.settle()
    play(driver, server, steps)
    server.slow_reader = False
    server.finish_reading()
    driver.settle()
    server.batch([("lobby", "end"), ("ops", "end"), (None, "end")])  # a hole at the end shows when something follows
    driver.settle()

    stored = {message.seq: state(message) for message in server.log}
    assert {seq: state(message) for seq, message in as_shown(driver).items()} == stored
    kept = [message for one in driver.core.conversations.values() for message in one.messages]
    assert {message.seq: state(message) for message in kept} == stored
