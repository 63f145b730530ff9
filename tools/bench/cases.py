"""The cases: what is done to one running server, and which numbers come of it.

A delivery is one copy of a message that arrived at one member; the sender's own copy is one, because the server
encrypts and sends it like every other. Every case tells whether all that arrived was right (``complaints``).
"""

from __future__ import annotations

import gc
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tools.bench.crowd import Crowd, Shape
from tools.bench.disk import Probe
from tools.bench.drive import Pace, closed_loop, open_loop
from tools.bench.engine import Engine, Member
from tools.bench.figures import latency_ms
from tools.bench.phones import Moved, Phones
from tools.bench.process import Meter, Server
from tools.bench.scrapes import Scraping, metrics_token
from tools.bench.visits import paths_of_page, visitors

Result = dict[str, Any]
"""Figures by name, and the list ``complaints``."""
WARM_S = 0.4
_TURNS = 8
_PHONE_TURNS = 8
_POLLS_PER_LOOK = 20
_SHARES = ("server_util", "generator_util", "other_util")


@dataclass(frozen=True)
class Scene:
    """What a case gets.

    Attributes:
        server: running, without clients.
        context: verifies the server.
        data: a directory on the log's disk.
        seconds: how long to measure.
        watching: entered around the measured part of a closed or open loop; for samplers.
        web_context: verifies the server for those who come by WebSocket.
        ca: the file that verifies it, for processes beside this one.
    """

    server: Server
    context: ssl.SSLContext
    data: Path
    seconds: float
    watching: Callable[[], AbstractContextManager[None]] = nullcontext
    web_context: ssl.SSLContext | None = None
    ca: Path = Path()

    def crowd(self, shape: Shape, prefix: str = "u") -> Crowd:
        return Crowd(self.context, self.server.address, shape, prefix, self.web_context)


def closed(scene: Scene, *, shape: Shape, window: int, by_acks: bool = False) -> Result:
    """A closed loop: server CPU per delivery, and what came through."""
    crowd = scene.crowd(shape)
    try:
        crowd.enter()
        for sender in crowd.senders:
            sender.paced_by_acks = by_acks
        closed_loop(crowd, window, WARM_S)
        return _measured(scene, crowd, partial(closed_loop, crowd, window, scene.seconds))
    finally:
        crowd.close()


def beside_native(scene: Scene, *, shape: Shape, window: int) -> Result:
    """A closed loop of members of whom some come by WebSocket, and one of native members, by turns on one server.

    The figures are those of the first; ``ratio`` is its server CPU per delivery to that of native members.
    """
    native = replace(shape, web=0)
    crowds = [scene.crowd(native, "n"), scene.crowd(shape, "w")]
    turns: list[list[Result]] = [[], []]
    try:
        for crowd in crowds:
            crowd.log_in()
        for crowd in crowds:  # who sits is told nothing but messages, no coming of others to the lobby
            crowd.sit_down()
            closed_loop(crowd, window, WARM_S)
        for number in range(2 * _TURNS):
            crowd = crowds[number % 2]
            load = partial(closed_loop, crowd, window, scene.seconds / _TURNS)
            turns[number % 2].append(_measured(scene, crowd, load))
    finally:
        for crowd in crowds:
            crowd.close()
    native_us, web_us = (median(turn["cpu_us"] for turn in each) for each in turns)
    complaints = [complaint for each in turns for turn in each for complaint in turn["complaints"]]
    return turns[1][-1] | {
        "cpu_us": web_us,
        "native_us": native_us,
        "ratio": web_us / native_us,
        "complaints": list(dict.fromkeys(complaints)),
    }


def _measured(scene: Scene, crowd: Crowd, load: Callable[[], None]) -> Result:
    messages, deliveries, size, reads = crowd.sent, crowd.deliveries, crowd.message_bytes, crowd.engine.reads
    crowd.latencies_ns.clear()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        with scene.watching():
            meter = Meter(scene.server)
            load()
            used = meter.read()
    finally:
        gc.enable()
        gc.unfreeze()
    messages, deliveries = crowd.sent - messages, crowd.deliveries - deliveries
    return {
        "cpu_us": used["server_cpu_s"] * 1e6 / max(1, deliveries),
        "messages_per_s": messages / used["wall_s"],
        "deliveries_per_s": deliveries / used["wall_s"],
        "bytes_per_message": (crowd.message_bytes - size) / max(1, messages),
        "deliveries_per_read": deliveries / max(1, crowd.engine.reads - reads),
        **latency_ms(crowd.latencies_ns),
        **used,
        "complaints": crowd.complaints() + ([] if messages else ["nothing was sent"]),
    }


def opened(scene: Scene, *, shape: Shape, per_s: float) -> Result:
    """An open loop."""
    crowd = scene.crowd(shape)
    try:
        crowd.enter()
        open_loop(crowd, per_s, WARM_S)
        return _measured(scene, crowd, partial(open_loop, crowd, per_s, scene.seconds))
    finally:
        crowd.close()


def rate(scene: Scene, *, shape: Shape, per_s: float) -> Result:
    """An open loop and the disk by turns: latency beside the disk's own."""
    crowd, probe = scene.crowd(shape), Probe(scene.data)
    parts = max(1, round(scene.seconds / 2))
    by_part: list[dict[str, float]] = []

    def by_turns() -> None:
        for _ in range(parts):
            meter = Meter(scene.server)
            open_loop(crowd, per_s, 1.0)
            by_part.append(meter.read())
            probe.run(per_s, 1.0)

    try:
        crowd.enter()
        open_loop(crowd, per_s, WARM_S)
        result = _measured(scene, crowd, by_turns)
    finally:
        probe.close()
        crowd.close()
    for share in ("server_util", "generator_util", "other_util"):
        result[share] = sum(part[share] for part in by_part) / parts
    disk = latency_ms(probe.times_ns)
    return result | {f"disk_{name}": value for name, value in disk.items()}


def scraped(scene: Scene, *, shape: Shape, per_s: float, every_s: float, by_token: bool = False) -> Result:
    """An open loop, by turns alone and beside a scraper: what a scrape adds to the latency of members.

    It scrapes the listener for metrics, or ``by_token`` the server's own port.

    The first scrape, for which the server imports its library, is measured apart.
    """
    crowd = scene.crowd(shape)
    latencies: list[list[int]] = [[], []]
    cpu_s = [0.0, 0.0]
    if by_token:
        token = metrics_token(scene.data / "log")
        scraping = Scraping(scene.server.port, every_s, token, scene.web_context)
    else:
        scraping = Scraping(scene.server.metrics_port, every_s)
    parts = max(2, round(scene.seconds))
    try:
        crowd.enter()
        open_loop(crowd, per_s, WARM_S)
        before_kib = scene.server.rss_kib()
        crowd.latencies_ns.clear()
        open_loop(crowd, per_s, max(1.0, every_s), scraping.tick)
        first = latency_ms(crowd.latencies_ns)
        first_kib = scene.server.rss_kib() - before_kib

        def by_turns() -> None:
            for number in range(2 * (parts // 2)):
                crowd.latencies_ns.clear()
                meter = Meter(scene.server)
                open_loop(crowd, per_s, 1.0, scraping.tick if number % 2 else None)
                cpu_s[number % 2] += meter.read()["server_cpu_s"]
                latencies[number % 2].extend(crowd.latencies_ns)

        result = _measured(scene, crowd, by_turns)
        alone, beside = latency_ms(latencies[0]), latency_ms(latencies[1])
        return result | {
            **beside,
            **{f"alone_{name}": value for name, value in alone.items()},
            "p99_added_ms": beside["p99_ms"] - alone["p99_ms"],
            "cpu_ms_per_scrape": (cpu_s[1] - cpu_s[0]) * 1e3 / max(1, scraping.done),
            "scrape_ms": median(scraping.took_s) * 1e3,
            "text_bytes": scraping.size_bytes,
            "first_max_ms": first["max_ms"],
            "first_scrape_ms": scraping.took_s[0] * 1e3,
            "first_scrape_kib": first_kib,
        }
    finally:
        scraping.close()
        crowd.close()


def beside_phones(
    scene: Scene, *, shape: Shape, per_s: float, phones: int, mib: int, way: str, mbit_s: float = 0.0
) -> Result:
    """An open loop, by turns alone and beside phones that send or fetch files: what they add to latency and memory.

    Latency counts at members; that of acknowledgements at the senders. Memory is the most that was seen beside the
    phones, and that before them.
    """
    crowd = scene.crowd(shape)
    latencies: list[list[int]] = [[], []]
    waits: list[list[int]] = [[], []]
    meters: list[list[dict[str, float]]] = [[], []]
    moved: list[Moved] = []
    most_kib, looks = 0, 0

    def look_at_memory() -> None:
        nonlocal most_kib, looks
        looks += 1
        if looks % _POLLS_PER_LOOK == 0:
            most_kib = max(most_kib, scene.server.rss_kib())

    def turn(seconds: float, files: Phones | None) -> None:
        place = int(files is not None)
        crowd.latencies_ns.clear()
        waits_ns = waits[place]
        for sender in crowd.senders:
            sender.waits_ns = waits_ns
        meter = Meter(scene.server)
        if files is not None:
            files.begin()
        open_loop(crowd, per_s, seconds, look_at_memory if files else None)
        if files is not None:
            moved.append(files.end())
        meters[place].append(meter.read())
        latencies[place].extend(crowd.latencies_ns)

    files: Phones | None = None
    try:
        crowd.log_in()
        files = Phones(scene.server, scene.ca, phones, mib, mbit_s, way)  # whose coming the lobby is told
        crowd.sit_down()
        open_loop(crowd, per_s, WARM_S)
        before_kib = scene.server.rss_kib()
        turn_s = scene.seconds / _PHONE_TURNS

        def by_turns() -> None:
            for number in range(_PHONE_TURNS):
                turn(turn_s, files if number % 2 else None)

        result = _measured(scene, crowd, by_turns)
        alone, beside = latency_ms(latencies[0]), latency_ms(latencies[1])
        cpu_s, rest_cpu_s = (sum(meter["server_cpu_s"] for meter in each) for each in reversed(meters))
        wall_s, rest_wall_s = (sum(meter["wall_s"] for meter in each) for each in reversed(meters))
        moved_mib = sum(each.mib for each in moved)
        return result | {
            **beside,
            **{f"alone_{name}": value for name, value in alone.items()},
            "p99_added_ms": beside["p99_ms"] - alone["p99_ms"],
            "alone_acked_p99_ms": latency_ms(waits[0])["p99_ms"],
            "acked_p99_ms": latency_ms(waits[1])["p99_ms"],
            "rss_added_mib": (most_kib - before_kib) / 1024,
            "mib_per_s": moved_mib / wall_s,
            "file_s": median(each.median_s for each in moved),
            "slowest_file_s": max(each.slowest_s for each in moved),
            "cpu_ms_per_mib": (cpu_s - rest_cpu_s / rest_wall_s * wall_s) * 1e3 / moved_mib,
            **{name: sum(meter[name] for meter in meters[1]) / len(meters[1]) for name in _SHARES},
        }
    finally:
        if files is not None:
            files.close()
        crowd.close()


def idle(scene: Scene, *, clients: int, web: bool = False) -> Result:
    """Many who do nothing: memory per connection, logins a second, CPU at rest.

    A hundred log in first, so that what the server allocates once is not counted.
    """
    engine = Engine(scene.context, scene.server.address, scene.web_context)
    try:
        engine.enter([Member(f"first{number}", "lobby", web=web) for number in range(100)], 64, 30.0)
        engine.settle(0.5, 20.0)
        before_kib, meter = scene.server.rss_kib(), Meter(scene.server)
        members = [Member(f"idle{number}", "lobby", web=web) for number in range(clients)]
        wall_s = engine.enter(members, 64, 60.0)
        used = meter.read()
        engine.settle(0.5, 20.0)
        time.sleep(0.5)
        after_kib, rest = scene.server.rss_kib(), Meter(scene.server)
        end = time.monotonic() + scene.seconds
        while time.monotonic() < end:
            engine.poll(0.1)
        lost = [f"{member.name} lost: {member.lost}" for member in engine.members if member.lost]
        return {
            "rss_kib_per_connection": (after_kib - before_kib) / clients,
            "rss_mib": after_kib / 1024,
            "logins_per_s": clients / wall_s,
            "cpu_us_per_login": used["server_cpu_s"] * 1e6 / clients,
            "rest_util": rest.read()["server_util"],
            "server_util": used["server_util"],
            "generator_util": used["generator_util"],
            "other_util": used["other_util"],
            "complaints": lost[:3],
        }
    finally:
        engine.close()


def storm(scene: Scene, *, clients: int, watchers: int, per_s: float) -> Result:
    """Everybody logs in at once while one room goes on talking; that room's latency is taken during the storm.

    With OpenSSL 3.0 a client's handshake costs two to three times what the server's does, nearly all of it for parsing
    certificates. When the generator's core is full, the wall time is the clients' own; look at the server's CPU.
    """
    members = [Member(f"storm{number}", "lobby") for number in range(clients)]
    result = _beside_a_room(scene, members, watchers, per_s)
    return result | {"cpu_us_per_login": result["server_cpu_s"] * 1e6 / clients}


def page_loads(scene: Scene, *, pages: int, watchers: int, per_s: float) -> Result:
    """So many browsers load the page at once while one room goes on talking; that room's latency meanwhile."""
    assert scene.web_context is not None
    connections = visitors(pages, paths_of_page(scene.web_context, scene.server.address))
    result = _beside_a_room(scene, connections, watchers, per_s)
    return result | {"cpu_us_per_page": result["server_cpu_s"] * 1e6 / pages}


def _beside_a_room(scene: Scene, members: Sequence[Member], watchers: int, per_s: float) -> Result:
    """Let all come in at once while a room goes on talking.

    The room has an epoll of its own that is served after every single step of the crowd, so the generator adds at
    most one handshake step (about a millisecond) to what it measures.
    """
    room = scene.crowd(Shape(members=watchers + 1, senders=1, decoders=watchers), "w")
    engine = Engine(scene.context, scene.server.address, scene.web_context)
    try:
        room.enter()
        open_loop(room, per_s, WARM_S)
        pace, meter = Pace(room, per_s), Meter(scene.server)
        room.latencies_ns.clear()

        def attend() -> None:
            pace.send_due(time.monotonic())
            room.engine.poll(0)

        engine.between = attend
        with scene.watching():
            wall_s = engine.enter(members, len(members), 30.0)
        used = meter.read()
        open_loop(room, per_s, 0.1)
        lost = [member for member in members if member.lost or member.doorway is None or not member.doorway.inside]
        first = [f"{member.name} lost: {member.lost or 'never inside'}" for member in lost[:3]]
        return {
            "wall_s": wall_s,
            "lost": len(lost),
            "server_cpu_s": used["server_cpu_s"],
            **latency_ms(room.latencies_ns),
            "server_util": used["server_util"],
            "generator_util": used["generator_util"],
            "other_util": used["other_util"],
            "complaints": room.complaints() + first,
        }
    finally:
        room.close()
        engine.close()


def start(scene: Scene) -> Result:
    """How long it took from the spawn to the line ``listening``, and until a first client was inside."""
    engine = Engine(scene.context, scene.server.address)
    try:
        member = Member("first", "lobby")
        inside_s = engine.enter([member], 1, 10.0)
        return {
            "listening_ms": scene.server.listening_s * 1e3,
            "first_login_ms": inside_s * 1e3,
            "cpu_ms": scene.server.cpu_s() * 1e3,
            "complaints": [f"first client lost: {member.lost}"] if member.lost else [],
        }
    finally:
        engine.close()
