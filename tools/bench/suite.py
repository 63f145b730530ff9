"""The suite: which cases there are and what each must reach. The bars are those the project set itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tools.bench.cases import (
    Result,
    Scene,
    beside_native,
    beside_phones,
    closed,
    idle,
    opened,
    page_loads,
    rate,
    scraped,
    start,
    storm,
)
from tools.bench.crowd import Shape


@dataclass(frozen=True)
class Bar:
    """What a figure must reach.

    Attributes:
        figure: the key in the result.
        limit: its bound; with ``disk_factor`` it is added to that many times the disk's own p99.
        unit: of the figure.
        at_least: the figure must be above, not below.
    """

    figure: str
    limit: float
    unit: str
    at_least: bool = False
    disk_factor: float = 0.0

    def bound(self, medians: dict[str, float]) -> float:
        return self.limit + self.disk_factor * medians.get("disk_p99_ms", 0.0)

    def met(self, medians: dict[str, float]) -> bool:
        value, bound = medians[self.figure], self.bound(medians)
        return value >= bound if self.at_least else value <= bound


@dataclass(frozen=True)
class Case:
    """A case of the suite: its name on the command line, what it does, for how long, and its bars.

    Attributes:
        rounds: how often, where that is not the same for all.
        reference_us: server CPU per delivery of an asyncio server on the machine where the bars were set; 0: unknown.
        by_request: left out unless it is named.
        web: has members that come by WebSocket; the baseline speaks no such thing, and takes no part.
        metrics: the server is scraped; the same holds for the baseline.
        flags: of the server, beside the usual ones; and there.
    """

    name: str
    about: str
    run: Callable[[Scene], Result]
    seconds: float
    bars: tuple[Bar, ...]
    rounds: int = 0
    reference_us: float = 0.0
    by_request: bool = False
    web: bool = False
    metrics: bool = False
    flags: tuple[str, ...] = ()


_CPU = partial(Bar, "cpu_us", unit="µs/delivery")
_ROOMS = Shape(rooms=100, members=10, senders=10)
_HUNDRED = Shape(members=100, senders=1, decoders=3)
_THOUSAND = Shape(members=1000, senders=10, decoders=5)
_RATIO = partial(Bar, "ratio", unit="x native")
_PHONES = partial(beside_phones, shape=Shape(members=100, senders=10, decoders=100), per_s=10, mib=5)
_MUCH = ("--limit", "files_per_guest_bytes=100000000000")
"""Guests keep what they have sent in a run."""
_FEW = Shape(members=10, senders=10, decoders=1)

CASES = (
    Case(
        "fan-w64",
        "100 members, 1 sender, 64 in flight",
        partial(closed, shape=_HUNDRED, window=64),
        2.5,
        (_CPU(0.3), Bar("bytes_per_message", 180, "B")),
        reference_us=8.9,
    ),
    Case(
        "big-w64",
        "1,000 members, 10 senders, 64 in flight each",
        partial(closed, shape=_THOUSAND, window=64),
        3.0,
        (_CPU(0.15),),
        reference_us=14.8,
    ),
    Case(
        "big-w1",
        "1,000 members, 10 senders, 1 in flight each",
        partial(closed, shape=_THOUSAND, window=1),
        3.0,
        (_CPU(1.8),),
        reference_us=14.9,
    ),
    Case(
        "rooms-w1",
        "100 rooms of 10, all talking, 1 in flight each",
        partial(closed, shape=_ROOMS, window=1),
        3.0,
        (_CPU(3.4),),
        reference_us=12.7,
    ),
    Case(
        "rooms-r2000",
        "100 rooms of 10, all talking, 2,000 messages/s in all",
        partial(opened, shape=_ROOMS, per_s=2000),
        5.0,
        (_CPU(16.8), Bar("p50_ms", 2.0, "ms"), Bar("p99_ms", 6.0, "ms")),
        reference_us=21.0,
    ),
    Case(
        "lone",
        "10 members, one of them says something four times a second",
        partial(opened, shape=replace(_HUNDRED, members=10), per_s=4),
        10.0,
        (Bar("p50_ms", 3.0, "ms"),),
    ),
    Case(
        "fan-w1",
        "100 members, 1 sender, 1 in flight",
        partial(closed, shape=_HUNDRED, window=1),
        2.5,
        (_CPU(7.5),),
        reference_us=10.5,
    ),
    Case(
        "rate",
        "100 members, 10 senders, 100 messages/s",
        partial(rate, shape=Shape(members=100, senders=10, decoders=10), per_s=100),
        10.0,
        (_CPU(14.4), Bar("p99_ms", 3.0, "ms", disk_factor=2.0)),
    ),
    Case(
        "idle",
        "2,000 connections at rest",
        partial(idle, clients=2000),
        2.0,
        (Bar("rss_kib_per_connection", 15, "KiB"),),
    ),
    Case(
        "storm",
        "1,000 logins at once, 10 watchers of another room",
        partial(storm, clients=1000, watchers=10, per_s=20),
        0.0,
        (
            Bar("wall_s", 0.65, "s"),
            Bar("cpu_us_per_login", 520, "us"),
            Bar("lost", 0, "lost"),
            Bar("max_ms", 50, "ms"),
        ),
    ),
    Case(
        "acked",
        "10 senders pipelining 64 each, one room",
        partial(closed, shape=_FEW, window=64, by_acks=True),
        3.0,
        (Bar("messages_per_s", 50_000, "acked/s", at_least=True),),
    ),
    Case(
        "web-w1",
        "1,000 members over WebSocket, 10 senders, 1 in flight each; and 1,000 native ones",
        partial(beside_native, shape=replace(_THOUSAND, web=1000), window=1),
        6.0,
        (_RATIO(1.10), _CPU(2.75)),
        web=True,
    ),
    Case(
        "mixed-w1",
        "500 native members and 500 over WebSocket, 10 senders, 1 in flight each; and 1,000 native ones",
        partial(beside_native, shape=replace(_THOUSAND, web=500), window=1),
        6.0,
        (_RATIO(1.15), _CPU(2.9)),
        web=True,
    ),
    Case(
        "web-w64",
        "1,000 members over WebSocket, 10 senders, 64 in flight each; and 1,000 native ones",
        partial(beside_native, shape=replace(_THOUSAND, web=1000), window=64),
        6.0,
        (_RATIO(1.10),),
        web=True,
    ),
    Case(
        "mixed-w64",
        "500 native members and 500 over WebSocket, 10 senders, 64 in flight each; and 1,000 native ones",
        partial(beside_native, shape=replace(_THOUSAND, web=500), window=64),
        6.0,
        (_RATIO(1.15),),
        web=True,
    ),
    Case(
        "web-idle",
        "2,000 connections over WebSocket at rest",
        partial(idle, clients=2000, web=True),
        2.0,
        (Bar("rss_kib_per_connection", 20, "KiB"),),
        web=True,
    ),
    Case(
        "page-loads",
        "100 browsers load the page at once, six connections each, beside a room of 11",
        partial(page_loads, pages=100, watchers=10, per_s=20),
        0.0,
        (Bar("p99_ms", 50, "ms"), Bar("lost", 0, "lost")),
        web=True,
    ),
    Case(
        "scrapes",
        "100 members, 10 senders, 100 messages/s; by turns alone, and scraped once a second",
        partial(scraped, shape=Shape(members=100, senders=10, decoders=10), per_s=100, every_s=1.0),
        20.0,
        (Bar("p99_added_ms", 2.0, "ms"),),
        metrics=True,
    ),
    Case(
        "scrapes-by-token",
        "the same, scraped over TLS by a token",
        partial(scraped, shape=Shape(members=100, senders=10, decoders=10), per_s=100, every_s=1.0, by_token=True),
        20.0,
        (Bar("p99_added_ms", 2.0, "ms"),),
    ),
    Case(
        "uploads",
        "100 members, 10 messages/s; by turns alone, and beside 20 phones that send 5 MiB at 20 Mbit/s each",
        partial(_PHONES, phones=20, mbit_s=20, way="up"),
        32.0,
        (Bar("p99_added_ms", 5.0, "ms"),),
        flags=_MUCH,
    ),
    Case(
        "downloads",
        "the same beside 20 phones that fetch 5 MiB",
        partial(_PHONES, phones=20, mbit_s=20, way="down"),
        32.0,
        (Bar("p99_added_ms", 5.0, "ms"),),
        flags=_MUCH,
    ),
    Case(
        "uploads-100",
        "the same beside 100 that send 5 MiB as fast as it goes",
        partial(_PHONES, phones=100, way="up"),
        32.0,
        (Bar("p99_ms", 50, "ms"), Bar("acked_p99_ms", 20, "ms"), Bar("rss_added_mib", 32, "MiB")),
        flags=_MUCH,
    ),
    Case("start", "spawn to listening", start, 0.0, (Bar("listening_ms", 250, "ms"),), rounds=10),
    Case(
        "smoke",
        "5 members, 2 senders, 4 in flight: does the bench itself work",
        partial(closed, shape=Shape(members=5, senders=2, decoders=2), window=4),
        0.5,
        (),
        rounds=1,
        by_request=True,
    ),
    Case(
        "scrape-smoke",
        "5 members, 2 senders, 20 messages/s; by turns alone, and scraped ten times a second",
        partial(scraped, shape=Shape(members=5, senders=2, decoders=2), per_s=20, every_s=0.1),
        2.0,
        (),
        rounds=1,
        by_request=True,
        metrics=True,
    ),
    Case(
        "file-smoke",
        "5 members, 2 senders, 20 messages/s; by turns alone, and beside 2 phones that send 1 MiB as fast as it goes",
        partial(beside_phones, shape=Shape(members=5, senders=2, decoders=2), per_s=20, phones=2, mib=1, way="up"),
        2.0,
        (),
        rounds=1,
        by_request=True,
        flags=_MUCH,
    ),
    Case(
        "web-smoke",
        "5 members of whom 2 come by WebSocket, 2 senders, 4 in flight",
        partial(beside_native, shape=Shape(members=5, senders=2, decoders=2, web=2), window=4),
        0.6,
        (),
        rounds=1,
        by_request=True,
        web=True,
    ),
)
