"""Twenty seconds of `tests.fuzz.server_fuzz`, and that each thing it looks for would be found.

A failure prints its seed; ``python tests/fuzz/run.py --server --seed N`` runs it again, and ``FUZZ_SEED=N``
gives this test another one (``new`` for a fresh one).
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import msgspec
import pytest

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    Closing,
    Command,
    Done,
    Event,
    Hello,
    HistoryPage,
    Join,
    Joined,
    Message,
    Pong,
    React,
    Refused,
    Say,
    Welcome,
)
from securechat.tls.certificate_directory import ensure_server
from securechat.wire.frames import frame
from securechat.wire.native import NATIVE, NativeClientCodec, NativeServerCodec
from tests.fuzz.admin_peer import REQUESTS, is_harmful
from tests.fuzz.expectation import ANSWERS, Broken, Expectation, State
from tests.fuzz.grammar import Grammar, Known, kinds_of
from tests.fuzz.peers import Part, Peer
from tests.fuzz.probe import Sample
from tests.fuzz.server_fuzz import MOST_P99_S, WAITING, Run, check_acknowledged, missing, run, write_report
from tests.simulation.checkers.stored import Stored

FREE_S, RATES_S = 14.0, 6.0
"""Without rates, and with the default ones: 20 s in all."""
ATTEMPTS = 3
"""Of a run in which nothing was wrong but how long honest members waited: other programs may have had the processors.
A server that is slow is slow each time, with the same seed."""
CHOSEN = os.environ.get("FUZZ_SEED", "10")
SEED = random.randrange(2**32) if CHOSEN == "new" else int(CHOSEN)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="addresses of loopback, /proc and the operator's socket")


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certs")
    ensure_server(directory)
    return directory


@on_linux
@pytest.mark.slow
@pytest.mark.parametrize(("rates", "seconds"), [(False, FREE_S), (True, RATES_S)], ids=["free", "rates"])
def test_the_server_stands_what_peers_send(certs: Path, tmp_path: Path, *, rates: bool, seconds: float) -> None:
    for attempt in range(ATTEMPTS):
        result, rings = run(certs, tmp_path / f"data{attempt}", SEED, seconds, rates=rates)
        print(result.report())
        if not result.found or not all(each.startswith(WAITING) for each in result.found):
            break
    if result.found:
        write_report(tmp_path / "report.txt", result, rings)
    again = f"again: python tests/fuzz/run.py --server --seed {SEED}; the last frames: {tmp_path / 'report.txt'}"
    assert not result.found, f"{again}\n{result.report()}"
    figures = result.figures
    assert figures["frames"] > 20 * seconds, "hardly anything was sent"
    assert figures["acked"] > seconds, "hardly anything was said"
    assert len(result.samples) > 8 * seconds, "the honest members hardly spoke"
    if not rates:
        assert missing(figures) == [], "what the run never met"


# --- The grammar


class Unconnected:
    """A speaker without a connection."""

    def __init__(self) -> None:
        self.peer = Peer("unconnected", Part.GUEST, 1, Known(), "127.0.0.1", most_owed=1)

    def __getattr__(self, name: str) -> object:
        return getattr(self.peer, name)


@pytest.mark.parametrize("kind", [*kinds_of(Command), *REQUESTS], ids=lambda kind: kind.__name__)
def test_a_record_of_every_kind_is_made_well_and_badly(kind: type[msgspec.Struct]) -> None:
    grammar, speaker = Grammar(random.Random(f"{kind}"), Known()), Unconnected()
    decoder = msgspec.json.Decoder(kind)
    results = set()
    for _ in range(300):
        try:
            decoder.decode(grammar.body(grammar.record(kind, speaker)))  # type: ignore[arg-type]
            results.add("good")
        except (msgspec.ValidationError, UnicodeDecodeError):
            results.add("bad")
        except msgspec.DecodeError:
            results.add("bad")
    has_fields = bool(msgspec.structs.fields(kind))
    assert results == ({"good", "bad"} if has_fields else {"good"})


def test_the_same_seed_makes_the_same_records() -> None:
    def made() -> list[bytes]:
        grammar, speaker = Grammar(random.Random(7), Known()), Unconnected()
        return [grammar.body(grammar.record(kind, speaker)) for kind in kinds_of(Command) * 5]  # type: ignore[arg-type]

    assert made() == made()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"command":"shutdown"}', True),
        (b'{"command":"ban","target":"127.0.0.0/8"}', True),
        (b'{"command":"ban","target":"0.0.0.0/0"}', True),
        (b'{"command":"ban","target":"127.0.0.10"}', False),
        (b'{"command":"kick","name":"honest 1"}', True),
        (b'{"command":"kick","name":"ann"}', False),
        (b'{"command":"prune-rooms"}', True),
        (b'{"command":"prune-rooms","unused_days":0.1}', True),
        (b'{"command":"prune-rooms","unused_days":30}', False),
        (b'{"command":"prune-rooms","dry_run":true}', False),
        (b"nonsense", False),
    ],
)
def test_the_honest_are_not_shut_out(line: bytes, *, expected: bool) -> None:
    assert is_harmful(line) is expected


# --- What a connection must be told


def member() -> Expectation:
    expectation = Expectation()
    expectation.sent(NativeClientCodec.encode(Hello(1, "ann", "0" * 32)))
    expectation.received(NATIVE.encode(Welcome(1, "test", 5, "ann", 0)))
    assert expectation.state is State.MEMBER
    return expectation


def hear(expectation: Expectation, *events: Event) -> None:
    expectation.received(b"".join(map(NATIVE.encode, events)))


MESSAGE = Message(7, 0, 5, "ann", 0, "x", "lobby")


@pytest.mark.parametrize(
    "events",
    [
        [Done(1)],
        [Refused(ErrorCode.BUSY, "", ref=9)],
        [Acked(1, 7)],
        [Pong(3)],
        [Refused(ErrorCode.BUSY, "")],
        [Welcome(1, "test", 5, "ann", 0)],
        [MESSAGE, MESSAGE],
        [Closing(ErrorCode.BUSY, "")],
        [Closing(ErrorCode.BYE, ""), MESSAGE],
    ],
    ids=str,
)
def test_what_answers_nothing_is_found(events: list[Event]) -> None:
    with pytest.raises(Broken):
        hear(member(), *events)


def test_answers_are_counted() -> None:
    expectation = member()
    expectation.sent(NativeClientCodec.encode(Join(4, ["a", "b", "a"])) + frame(b'{"t":"history","ref":5,"limit":0}'))
    expectation.sent(NativeClientCodec.encode(Say(1, "lobby", "x")) + frame(b'{"t":"teleport"}'))
    assert expectation.owed == 5
    hear(expectation, Joined("a", 0, 1, ref=4), Refused(ErrorCode.ROOM_INVALID, "", ref=4))
    hear(expectation, Refused(ErrorCode.INVALID, "", ref=5), Acked(1, 7), Refused(ErrorCode.UNKNOWN_TYPE, ""))
    assert expectation.owed == 0
    with pytest.raises(Broken):
        hear(expectation, Joined("c", 0, 1, ref=4))
    with pytest.raises(Broken):
        hear(expectation, Acked(1, 7))


def test_a_request_is_answered_by_its_own_record() -> None:
    expectation = member()
    expectation.sent(NativeClientCodec.encode(Join(4, ["a"])))
    with pytest.raises(Broken):
        hear(expectation, HistoryPage(4, [], 0))


def test_what_follows_a_hello_waits_for_its_answer() -> None:
    expectation = Expectation()
    hello = NativeClientCodec.encode(Hello(1, "ann", "0" * 32))
    expectation.sent(hello + NativeClientCodec.encode(Join(1, ["a"])))
    assert (expectation.state, expectation.owed) == (State.GREETING, 0)
    hear(expectation, Refused(ErrorCode.NAME_IN_USE, ""))
    assert expectation.state is State.DOOMED, "no stranger may join"


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\0\1\0\1", frame(b"{")], ids=["empty", "too large", "no JSON"])
def test_a_frame_that_is_none_dooms_the_connection_and_convicts_the_server(data: bytes) -> None:
    expectation = member()
    expectation.sent(data)
    assert expectation.state is State.DOOMED
    with pytest.raises(Broken):
        member().received(data)


def test_every_request_has_its_answer() -> None:
    """A new request with a `ref` is answered by any record until it stands in the table."""
    asking = {kind for kind in Command.__args__ if any(each.name == "ref" for each in msgspec.structs.fields(kind))}
    assert asking == set(ANSWERS)


# --- What is looked for at the end, and all the time


def said(text: str = "x", client_id: int = 1, seq: int = 7) -> Expectation:
    expectation = member()
    expectation.sent(NativeClientCodec.encode(Say(client_id, "lobby", text)))
    hear(expectation, Acked(client_id, seq))
    return expectation


@pytest.mark.parametrize(
    ("connections", "rows", "problem"),
    [
        ([said()], [MESSAGE], None),
        ([said()], [], "is not there"),
        ([said("y")], [MESSAGE], "is stored as"),
        ([said()], [msgspec.structs.replace(MESSAGE, sender_id=6)], "another sender's"),
        ([said(), said(seq=8)], [MESSAGE, msgspec.structs.replace(MESSAGE, seq=8)], "and as 8"),
        ([], [MESSAGE, MESSAGE], "out of order"),
    ],
)
def test_what_was_acknowledged_is_looked_for(
    connections: list[Expectation], rows: list[Message], problem: str | None
) -> None:
    found = check_acknowledged(connections, Stored(rows, [], {}, {}, {}), set())
    assert [each for each in found if problem is None or problem not in each] == []
    assert bool(found) == (problem is not None)


def test_a_number_that_is_used_again_for_another_key_may_name_another_message() -> None:
    """The key tells which message it is, and stands above the number."""
    for key, problems in ((None, 1), ("alert1", 0)):
        twice = member()
        twice.sent(NativeClientCodec.encode(Say(1, "lobby", "x")))
        twice.sent(NativeClientCodec.encode(Say(1, "lobby", "x", key=key)))
        hear(twice, Acked(1, 7), Acked(1, 8))
        stored = Stored([MESSAGE, msgspec.structs.replace(MESSAGE, seq=8)], [], {}, {}, {})
        assert len(check_acknowledged([twice], stored, set())) == problems


def test_a_change_goes_with_the_message_of_somebody_who_was_removed() -> None:
    """A change and a message under one client id: the change may have been stored, and go with its target."""
    reacted, both = member(), member()
    reacted.sent(NativeClientCodec.encode(React(1, 5, "+", "lobby")))
    both.sent(NativeClientCodec.encode(React(1, 5, "+", "lobby")) + NativeClientCodec.encode(Say(1, "lobby", "x")))
    for each in (reacted, both):
        hear(each, Acked(1, 7))
        assert check_acknowledged([each], Stored([], [], {}, {}, {}), {99}) == []
        assert len(check_acknowledged([each], Stored([], [], {}, {}, {}), set())) == 1
    assert len(check_acknowledged([said()], Stored([], [], {}, {}, {}), {99})) == 1, "a message of others does not go"


@on_linux
@pytest.mark.slow
def test_a_server_that_dies_or_stops_answering_is_found(certs: Path, tmp_path: Path) -> None:
    """The whole thing, against a server that was killed on the way."""
    one = Run(certs, tmp_path / "data", 1, rates=False)
    one.server.start()
    try:
        one.fuzz(0.5)
        assert one.found == []
        one.server.lines.append('{"event":"error","text":"internal error: planted"}')
        one.fuzz(0.5)
        assert len(one.found) == 1
        one.server.kill()
        one.fuzz(0.5)
    finally:
        one.leave()
        one.server.kill()
    assert "exit code" in one.found[0]


def test_honest_members_who_wait_are_found() -> None:
    slow = Sample("pong", 0.0, 2 * MOST_P99_S, 0.0)
    assert slow.own_s > MOST_P99_S
    assert Sample("pong", 0.0, 2 * MOST_P99_S, 2 * MOST_P99_S).own_s == 0.0


def test_the_codec_it_reads_with_is_the_servers() -> None:
    assert isinstance(member()._codec, NativeServerCodec)
