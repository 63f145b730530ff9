"""A log worth searching: make one of any size, and measure what a server does with it.

    python -m tools.bench.history make DIR [--messages 1000000] [--rooms 200]
    python -m tools.bench.history measure DIR [--rounds 5] [--json report.json]
    python -m tools.bench.history erase [--messages 2000] [--json report.json]

`make` writes DIR/log, a data directory, through the server's own store in large batches: it is what a server would
have written. People are accounts, rooms and words are Zipf, one message in twelve is a direct one, and the years pass.
`measure` starts a server on it, on a core of its own, and asks as a client would, over TLS: one after the other, from
100 of the rooms. Latency under load is taken with and without searches by turns. What only an account may ask, the
unread counts and the list of conversations, is asked of the store.
`erase` deletes long messages, and measures how long a search waits while the index takes them out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import accumulate
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import SimpleQueue
from string import ascii_lowercase
from typing import Any

import apsw

from securechat.limits import Limits
from securechat.model import (
    Draft,
    History,
    HistoryPage,
    Join,
    Joined,
    Refused,
    Revision,
    RevisionKind,
    Search,
    SearchPage,
    Welcome,
)
from securechat.records.accounts import Account, Put
from securechat.records.queries import ConversationQuery, SearchQuery, UnreadQuery
from securechat.storage.search.index import SEARCH_INDEX
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import ApplyChanges, IdentifySender
from securechat.storage.threaded_log import ThreadedLog
from tools.bench.cases import WARM_S
from tools.bench.certs import client_context, make_certificates
from tools.bench.crowd import Crowd, Shape
from tools.bench.drive import open_loop
from tools.bench.figures import latency_ms, quantile
from tools.bench.load import raise_file_limit
from tools.bench.logins import Client
from tools.bench.process import GENERATOR_CORE, await_quiet, pin, running
from tools.bench.texts import Writer

PEOPLE = 300
DIRECT_SHARE = 1 / 12
BEGINNING_MS = 1_640_995_200_000  # 2022-01-01
YEARS_MS = 4 * 365 * 86_400_000
BATCH = 1_024
ROOMS_OF_A_MEMBER = 100  # limits.rooms_per_member
QUERIES = {
    "rare word": "quokka",
    "common word": "the",
    "two common words": "the and",
    "three words": "server meeting tomorrow",
    "no such word": "zzyzx",
    "phrase": '"in the"',
    "prefix": "deploy*",
    "short prefix": "me*",
    "prefix of one letter": "m*",
    "Indonesian prefix": "ajar*",
    "Vietnamese without accents": "duong pho",
    "one Chinese character": "的",
    "two Chinese characters": "我们",
    "three Japanese characters": "東京会",
    "Korean": "회의",
    "Thai": "ประชุม",
    "emoji": "🚀",
    "identifier": "get_user",
    "from and has:link": "from:user7 has:link",
    "in one room": "in:#room3 meeting",
    "in a month": "after:2024-03 before:2024-04 rapat",
    "filter alone": "from:user250",
}


# --- Making -------------------------------------------------------------------------------------------------------


def make(directory: Path, messages: int, rooms: int, seed: int = 1) -> float:
    """Write the log; returns the seconds it took."""
    began = time.monotonic()
    now_ms = BEGINNING_MS
    store = SqliteStore(directory / "log", Limits(), wall_ms=lambda: now_ms)
    store.open()
    try:
        store.apply(list(_people()))
        drafts = _drafts(messages, rooms, seed)
        for start in range(0, messages, BATCH):
            batch = [next(drafts) for _ in range(min(BATCH, messages - start))]
            store.apply(batch)
            store.tidy(idle=False)
            now_ms = BEGINNING_MS + YEARS_MS * (start + BATCH) // max(messages, BATCH)
    finally:
        store.close()
    return time.monotonic() - began


def _people() -> Iterator[IdentifySender | ApplyChanges]:
    for number in range(1, PEOPLE + 1):
        name = f"user{number}"
        yield IdentifySender(hashlib.sha256(name.encode()).digest(), name, name)
        yield ApplyChanges((Put(Account(number, name, name, made_at_ms=BEGINNING_MS)),))


def _drafts(messages: int, rooms: int, seed: int) -> Iterator[Draft]:
    rng, writer = random.Random(seed), Writer(seed)
    room_weights = list(accumulate(1 / (rank + 3) for rank in range(rooms)))
    people_weights = list(accumulate(1 / (rank + 5) for rank in range(PEOPLE)))
    last_client_ids = [0] * (PEOPLE + 1)
    for _ in range(messages):
        who, to = (1 + n for n in rng.choices(range(PEOPLE), cum_weights=people_weights, k=2))
        last_client_ids[who] += 1
        if rng.random() < DIRECT_SHARE:
            yield Draft(who, f"user{who}", last_client_ids[who], writer.text(), to=to, to_name=f"user{to}")
        else:
            (room,) = rng.choices(range(rooms), cum_weights=room_weights)
            yield Draft(who, f"user{who}", last_client_ids[who], writer.text(), room=f"room{room}")


# --- Measuring ----------------------------------------------------------------------------------------------------


class Asker:
    """A member of the first rooms who asks one question after the other."""

    def __init__(self, certs: Path, address: tuple[str, int], name: str) -> None:
        self._client = Client(client_context(certs / "ca.pem"), address)
        self._client.hello(f"{name} {secrets.token_hex(4)}")  # the same name would be reserved for its last owner
        self._client.wait_for(Welcome)
        rooms = [f"room{number}" for number in range(ROOMS_OF_A_MEMBER - 1)]  # and the lobby
        self._client.send(Join(1, rooms))
        missing = set(rooms)
        while missing:
            missing -= {event.room for event in self._client.read() if isinstance(event, Joined)}
        self._ref = 1

    def ask(self, question: Callable[[int], Search | History]) -> tuple[float, SearchPage | HistoryPage]:
        """Ask; returns the milliseconds until the answer, and the answer."""
        self._ref += 1
        asked = question(self._ref)
        began = time.perf_counter()
        self._client.send(asked)
        answer = self._client.wait_for(SearchPage, HistoryPage, Refused)
        took_ms = (time.perf_counter() - began) * 1e3
        if not isinstance(answer, SearchPage | HistoryPage):
            raise RuntimeError(f"{asked} was refused: {answer}")
        return took_ms, answer

    def search(self, query: str, before: int | None = None) -> tuple[float, SearchPage]:
        took_ms, answer = self.ask(lambda ref: Search(ref, query, before))
        assert isinstance(answer, SearchPage)
        return took_ms, answer

    def close(self) -> None:
        self._client.sock.close()


def measure(directory: Path, rounds: int, seconds: float) -> dict[str, float]:
    """Everything, in an order in which nothing is warm that should be cold."""
    figures: dict[str, float] = {}
    raise_file_limit()
    # No rates; and no pings, because most of the crowd counts bytes and reads nothing.
    limits = {"REQUEST_RATE": 1_000_000, "REQUEST_BURST": 1_000_000, "IDLE_PING_S": 86_400}
    os.environ |= {f"SECURECHAT_LIMIT_{name}": str(value) for name, value in limits.items()}
    pin(GENERATOR_CORE)
    with tempfile.TemporaryDirectory() as scratch:
        certs = Path(scratch)
        make_certificates(certs)
        for old in (directory / "log").glob(f"{SEARCH_INDEX}*"):
            old.unlink()
        with running("securechat", certs, directory) as server:
            figures["start without an index, s"] = server.listening_s
            figures["making the index, s"] = _await_index(certs, server.address)
        figures["index, MB"] = (directory / "log" / SEARCH_INDEX).stat().st_size / 1e6
        figures["database, MB"] = (directory / "log" / "securechat.db").stat().st_size / 1e6
        with running("securechat", certs, directory) as server:
            figures["start, s"] = server.listening_s
            asker = Asker(certs, server.address, "asker")
            await_quiet(PATIENCE_S)
            figures |= _history(asker, rounds)
            await_quiet(PATIENCE_S)
            figures |= _searches(asker, rounds)
            await_quiet(PATIENCE_S)
            figures |= _under_load(certs, server.address, rounds, seconds)
            asker.close()  # not before: the crowd, in the lobby like all others, would be told and count those bytes
    return figures | _lists(directory, rounds)


def _await_index(certs: Path, address: tuple[str, int]) -> float:
    began = time.monotonic()
    asker = Asker(certs, address, "asker")
    while asker.search("quokka")[1].indexed is not None:
        time.sleep(0.2)
    asker.close()
    return time.monotonic() - began


def _history(asker: Asker, rounds: int) -> dict[str, float]:
    _, newest = asker.ask(lambda ref: History(ref, room="room0"))
    assert isinstance(newest, HistoryPage)
    last = newest.through
    kinds: dict[str, Callable[[int, random.Random], History]] = {
        "newest": lambda ref, rng: History(ref, room=f"room{rng.randrange(ROOMS_OF_A_MEMBER - 1)}"),
        "before": lambda ref, rng: History(ref, room="room0", before=rng.randrange(1, last)),
        "after": lambda ref, rng: History(ref, room="room0", after=rng.randrange(1, last)),
        "around": lambda ref, rng: History(ref, room="room0", around=rng.randrange(1, last)),
        "at a time": lambda ref, rng: History(ref, room="room0", at=BEGINNING_MS + rng.randrange(YEARS_MS)),
        "of all rooms": lambda ref, rng: History(ref, after=rng.randrange(1, last)),
    }
    figures: dict[str, float] = {}
    every: list[float] = []
    for name, kind in kinds.items():
        rng = random.Random(name)
        times = [asker.ask(lambda ref, kind=kind, rng=rng: kind(ref, rng))[0] for _ in range(20 * rounds)]  # type: ignore[misc]
        every += times
        figures |= {f"history {name}, p50 ms": quantile(times, 0.5), f"history {name}, p95 ms": quantile(times, 0.95)}
    return figures | {"history, p95 ms": quantile(every, 0.95)}


def _lists(directory: Path, rounds: int) -> dict[str, float]:
    """What the first account, which has talked with all others and read nothing, is told of 100 rooms."""
    store = SqliteStore(directory / "log", Limits())
    last = store.open().last_seq
    rooms = tuple((f"room{number}", 0) for number in range(ROOMS_OF_A_MEMBER))
    try:
        unread = [_timed_ms(lambda: store.unread(UnreadQuery(1, rooms, last))) for _ in range(20 * rounds)]
        listed = [_timed_ms(lambda: store.conversations(ConversationQuery(1, rooms, last))) for _ in range(20 * rounds)]
    finally:
        store.close()
    return {"unread of 100 rooms, p95 ms": quantile(unread, 0.95), "conversations, p95 ms": quantile(listed, 0.95)}


def _timed_ms(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1e3


def _searches(asker: Asker, rounds: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    every: list[float] = []
    for name, query in QUERIES.items():
        times: list[float] = []
        for _ in range(rounds):
            took_ms, page = asker.search(query)
            times.append(took_ms)
            for _ in range(2):  # and its next pages
                if page.more:
                    took_ms, page = asker.search(query, page.hits[-1].message.seq)
                    times.append(took_ms)
        every += times
        figures[f"search {name}, p50 ms"] = quantile(times, 0.5)
        figures[f"search {name}, max ms"] = max(times)
    return figures | {"search, p50 ms": quantile(every, 0.5), "search, p95 ms": quantile(every, 0.95)}


SEARCHERS = 4
"""Members who search without a pause of their own, each as often as default limits let them."""
SEARCHES_PER_S = 5.0
MESSAGES_PER_S = 100.0
SETTLE_S = 0.5
PATIENCE_S = 30.0


def _under_load(certs: Path, address: tuple[str, int], rounds: int, seconds: float) -> dict[str, float]:
    """The latency of 100 messages a second to 100 people, with and without searches by turns."""
    during, over = multiprocessing.Event(), multiprocessing.Event()
    answers: multiprocessing.SimpleQueue[list[float]] = multiprocessing.SimpleQueue()
    multiprocessing.Process(target=_search_on, args=(certs, address, during, over, answers), daemon=True).start()
    answers.get()  # they are in
    shape = Shape(members=100, senders=10, decoders=10)
    crowd = Crowd(client_context(certs / "ca.pem"), address, shape, secrets.token_hex(4))
    quiet: dict[str, list[float]] = {"p50_ms": [], "p99_ms": []}
    searched: dict[str, list[float]] = {"p50_ms": [], "p99_ms": []}
    try:
        crowd.enter()
        open_loop(crowd, MESSAGES_PER_S, WARM_S)
        for number in range(2 * rounds):
            (during.set if number % 2 else during.clear)()
            open_loop(crowd, MESSAGES_PER_S, SETTLE_S)
            crowd.latencies_ns.clear()
            open_loop(crowd, MESSAGES_PER_S, seconds)
            result = latency_ms(crowd.latencies_ns)
            for name, values in (searched if number % 2 else quiet).items():
                values.append(result[name])
        if crowd.complaints():
            raise RuntimeError(f"not everything arrived as it was sent: {crowd.complaints()}")
    finally:
        crowd.close()
    over.set()
    times = answers.get()
    figures: dict[str, float] = {}
    for name, values in quiet.items():
        figures[f"message without searches, {name}"] = before = statistics.median(values)
        figures[f"message beside searches, {name}"] = after = statistics.median(searched[name])
        figures[f"rise of {name}, %"] = 100 * (after / before - 1)
    figures["searches a second, beside messages"] = len(times) / (rounds * (seconds + SETTLE_S))
    return figures | {"search beside messages, p95 ms": quantile(times, 0.95)}


def _search_on(
    certs: Path,
    address: tuple[str, int],
    during: Event,
    over: Event,
    answers: multiprocessing.SimpleQueue[list[float]],
) -> None:
    askers = [Asker(certs, address, f"searcher{number}") for number in range(SEARCHERS)]
    answers.put([])
    times: list[float] = []
    queries = list(QUERIES.values())
    count = 0
    while not over.is_set():
        if not during.wait(0.2):
            continue
        began = time.monotonic()
        times.append(askers[count % SEARCHERS].search(queries[count % len(queries)])[0])
        count += 1
        time.sleep(max(0.0, began + 1 / (SEARCHERS * SEARCHES_PER_S) - time.monotonic()))
    answers.put(times)


# --- Erasing ------------------------------------------------------------------------------------------------------

LONG_CHARS = 4_000
ERASE_PATIENCE_S = 600.0
SEARCHES_BESIDE_PER_S = 18.0


def erase(messages: int) -> dict[str, float]:
    """Write long messages of random letters, delete them all at once, and search until the index has none of them."""
    rng = random.Random(1)
    answers: SimpleQueue[Callable[[], None]] = SimpleQueue()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "log"
        log = ThreadedLog(directory, Limits(), answers.put)
        log.start(lambda _fresh: None, lambda error: sys.exit(str(error)))
        index = directory / SEARCH_INDEX

        def answer(ask: Callable[[Callable[[Any], None]], None]) -> Any:
            """Ask, and run what the log posts until the answer is there."""
            got: list[Any] = []
            ask(got.append)
            while not got:
                answers.get()()
            return got[0]

        def search_ms() -> float:
            query = SearchQuery(messages, 20, ("quokka",), rooms=("lobby",))
            return _timed_ms(lambda: answer(lambda done: log.search(query, done)))

        try:
            until_s = time.monotonic() + ERASE_PATIENCE_S
            for number in range(1, messages + 1):
                words = ("".join(rng.choices(ascii_lowercase, k=rng.randint(2, 10))) for _ in range(LONG_CHARS // 3))
                text = " ".join(words)[:LONG_CHARS]
                answer(lambda done, n=number, text=text: log.append(Draft(1, "ana", n, text, "lobby"), done))  # type: ignore[misc]
            while _documents(index) < messages:
                _expect_before(until_s, "not all messages are in the index")
                time.sleep(0.1)
            before = [search_ms() for _ in range(50)]
            began = time.monotonic()
            for number in range(1, messages + 1):
                gone = Revision(RevisionKind.DELETE, 1, "ana", messages + number, number, room="lobby")
                log.revise(gone, lambda _outcome: None)
            waits = [search_ms()]
            while left := _documents(index):
                _expect_before(began + ERASE_PATIENCE_S, f"{left} messages are still in the index")
                waits.append(search_ms())
                time.sleep(max(0.0, 1 / SEARCHES_BESIDE_PER_S - waits[-1] / 1e3))
            took_s = time.monotonic() - began
        finally:
            log.close()
    return {
        "taken out of the index, s": took_s,
        "searches meanwhile": len(waits),
        "search before, p50 ms": quantile(before, 0.5),
        "search meanwhile, p50 ms": quantile(waits, 0.5),
        "search meanwhile, p95 ms": quantile(waits, 0.95),
        "search meanwhile, max ms": max(waits),
    }


def _expect_before(until_s: float, why: str) -> None:
    if time.monotonic() > until_s:
        raise RuntimeError(f"{why} after {ERASE_PATIENCE_S:.0f} s")


def _documents(index: Path) -> int:
    """How many messages are in an index."""
    if not index.exists():
        return 0
    with closing(apsw.Connection(str(index), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        db.set_busy_timeout(5_000)
        ((count,),) = db.execute("SELECT count(*) FROM found_content").fetchall()
    assert isinstance(count, int)
    return count


BARS = {
    "start, s": 1.0,
    "start without an index, s": 1.0,
    "history, p95 ms": 20.0,
    "search, p95 ms": 200.0,
    "search meanwhile, p95 ms": 200.0,
    "unread of 100 rooms, p95 ms": 20.0,
    "rise of p50_ms, %": 20.0,
    "rise of p99_ms, %": 20.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make", help="write a log")
    maker.add_argument("directory", type=Path)
    maker.add_argument("--messages", type=int, default=1_000_000)
    maker.add_argument("--rooms", type=int, default=200)
    meter = commands.add_parser("measure", help="start a server on it and ask")
    meter.add_argument("directory", type=Path)
    meter.add_argument("--rounds", type=int, default=5, help="how often each is asked (default 5)")
    meter.add_argument("--seconds", type=float, default=8.0, help="of messages, each time (default 8)")
    meter.add_argument("--json", type=Path, help="also write the figures here")
    eraser = commands.add_parser("erase", help="delete long messages, and search meanwhile")
    eraser.add_argument("--messages", type=int, default=2_000)
    eraser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if options.command == "make":
        if options.directory.exists() and any(options.directory.iterdir()):
            parser.error(f"{options.directory} is not empty")
        try:
            print(f"made in {make(options.directory, options.messages, options.rooms):.0f} s")
        except KeyboardInterrupt:
            shutil.rmtree(options.directory / "log")
        return 0
    figures = (
        erase(options.messages)
        if options.command == "erase"
        else measure(options.directory, options.rounds, options.seconds)
    )
    for name, value in figures.items():
        bar = f"  (bar {BARS[name]:g}: {'met' if value <= BARS[name] else 'MISSED'})" if name in BARS else ""
        print(f"{name:44s} {value:10.2f}{bar}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
