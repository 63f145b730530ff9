"""A real server under grammar-aware load, honest members beside it, and what must hold all the time and at the end.

One run is one server process, one thread that drives every peer, and the probe's process. It checks that the server
lives and logs no traceback, that its memory stays bounded, that every peer is told what the protocol says
(`tests.fuzz.expectation`), that honest members wait no longer than they may (`tests.fuzz.probe`), that SIGTERM ends it
in order, that its database is whole, and that what was acknowledged is in there.

A seed decides who sends what; the numbers that the server gives out, and so what can be said about them, may differ.
"""

from __future__ import annotations

import json
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import apsw
from msgspec import Struct

from securechat.model import (
    Command,
    Delete,
    Deleted,
    Direct,
    Edit,
    Edited,
    Message,
    MessageChange,
    React,
    Reacted,
    Say,
)
from securechat.server.admin_protocol import SOCKET
from securechat.storage.tools.backup import DATABASE
from securechat.tls.contexts import client_context
from securechat.wire.http import HTTP_ALPN
from tests.fuzz.admin_peer import Operator
from tests.fuzz.expectation import DraftCommand, Expectation
from tests.fuzz.grammar import Known, kinds_of
from tests.fuzz.http_peer import HttpPeer, MetricsPeer
from tests.fuzz.peers import Part, Peer
from tests.fuzz.probe import Sample
from tests.fuzz.web_peer import WebPeer
from tests.simulation.checkers.stored import Stored, read_database
from tests.support.admin import admin
from tests.support.secrecy import secrets_in
from tests.support.server import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
PARTS = (Part.STRANGER,) * 3 + (Part.GUEST,) * 5 + (Part.ACCOUNT,) * 4 + (Part.ADMINISTRATOR,)
_BROWSERS = 4
_SCRAPERS = 2
WAITING = "honest members wait"
"""How the finding begins that members waited too long; the only one that other programs on the machine can cause."""
MOST_P99_S = 0.050
"""What honest members may wait at p99: half of what people notice as a delay (Nielsen 1993: 0.1 s)."""
MOST_GROWTH_BYTES = 192 << 20
"""Of the server's memory over a run: a full append queue is 64 MiB of text, 13 outboxes of 1 MiB, caches the rest."""
PATIENCE_S = 60.0
"""For an answer without rates; with the default ones a peer's own excess may take longer."""
_FREE_LIMITS = ("request_burst=1000000", "request_rate=1000000", "login_delay_max_s=0.2")
_MOST_OWED = {True: 8, False: 120}
"""Unanswered commands of one peer, with and without rates."""
_SIGNS_OF_BUGS = ("Traceback", "internal error", '"event":"error"', "lines were dropped")
_MOST_FOUND = 10
_TO_MEET = (
    "closed: bad_frame",
    "known by key",
    "stalls",
    "answers 200 to browsers",
    "answers 200 to scrapers",
    "WebSockets",
    "WebSockets ended for what they sent",
)
"""Beside each command, what a run without rates is not over without."""


class Result(Struct):
    """What a run has done and found.

    Attributes:
        figures: counts, for people.
        found: what the server did wrong, a sentence each.
        samples: of the probe.
    """

    seed: int
    seconds: float
    figures: Counter[str]
    found: list[str]
    samples: list[Sample]
    warnings: list[str]

    def p99_s(self, kind: str, *, whole: bool = False) -> float:
        """What ninety-nine of a hundred honest round trips took at most, without (or with) what the machine took."""
        took = sorted(each.took_s if whole else each.own_s for each in self.samples if each.kind == kind)
        return took[min(len(took) - 1, len(took) * 99 // 100)] if took else 0.0

    def report(self) -> str:
        """The figures, as a few lines."""
        figures, seconds = self.figures, self.seconds
        sent = f"{figures['frames']} frames and {figures['lines']} lines in {seconds:.0f} s"
        closes = sum(number for name, number in figures.items() if name.startswith("close frame"))
        browsers, scrapers = (
            f"{figures[f'requests of {kind}']} requests by {figures[f'connections of {kind}']} {kind}"
            for kind in ("browsers", "scrapers")
        )
        lines = [
            f"seed {self.seed}: {sent} ({figures['frames'] / seconds:.0f}/s), {figures['connections']} connections",
            f"{figures['welcomes']} welcomes, {figures['acked']} acknowledged, {figures['events']} events heard",
            f"{figures['WebSockets']} WebSockets, {closes} of them closed by the server",
            f"{browsers}, {scrapers}",
        ]
        for kind in ("pong", "acked"):
            own_ms = sorted(each.own_s * 1000 for each in self.samples if each.kind == kind) or [0.0]
            p99_ms, whole_ms = self.p99_s(kind) * 1000, self.p99_s(kind, whole=True) * 1000
            lines.append(
                f"honest {kind}: {len(own_ms)} round trips, p50 {own_ms[len(own_ms) // 2]:.1f}, p99 {p99_ms:.1f}, "
                f"longest {own_ms[-1]:.1f} ms (with the machine's part: p99 {whole_ms:.1f} ms)"
            )
        lines.append(
            f"memory: {figures['RSS at first'] >> 20} MiB at first, {figures['RSS at most'] >> 20} MiB at most"
        )
        lines += [f"found: {each}" for each in self.found]
        return "\n".join(lines)


class Run:
    """One server, and all peers around it.

    Args:
        certs: directory with ca.pem and server.pem.
        data: the server's data directory.
        seed: decides what is sent.
        rates: whether the server has its default rates.
        expanding: see `Grammar`.
    """

    def __init__(self, certs: Path, data: Path, seed: int, *, rates: bool, expanding: bool = True) -> None:
        flags = (
            [] if rates else ["--rate-limit", "off", *(word for limit in _FREE_LIMITS for word in ("--limit", limit))]
        )
        self.server = ServerProcess(certs, data, "--metrics", "127.0.0.1:0", *flags)
        self.found: list[str] = []
        self.rings: dict[str, list[str]] = {}
        self.dice = random.Random(f"{seed}/turns")
        self.figures: Counter[str] = Counter()
        self._rates = rates
        ca_pem = (certs / "ca.pem").read_text()
        self._context, self._web_context = client_context(ca_pem), client_context(ca_pem, alpn=(HTTP_ALPN,))
        self.known = known = Known()
        self.peers = [
            (WebPeer if number % 3 == 2 else Peer)(
                f"{part} {number}",
                part,
                seed,
                known,
                _address(number),
                most_owed=_MOST_OWED[rates],
                expanding=expanding,
            )
            for number, part in enumerate(PARTS)
        ]
        self.operator = Operator(data / SOCKET, seed, known, expanding=expanding)
        self.browsers = [
            *(HttpPeer(f"browser {number}", seed, _address(number)) for number in range(_BROWSERS)),
            *(MetricsPeer(f"scraper {number}", seed, self.server) for number in range(_SCRAPERS)),
        ]
        self._lines_seen = 0
        self._patience_s = PATIENCE_S * (4 if rates else 1)

    # --- while it runs

    def fuzz(self, seconds: float) -> None:
        """Let the peers act for so long and until `missing` is empty, or until the server has done too much wrong.

        Five times as long at most, as other programs may have the processors; with the default rates a peer may not
        send everything, and the time alone counts.
        """
        began = time.monotonic()
        look_at = pardon_at = 0.0
        while (now := time.monotonic()) < began + seconds or (
            not self._rates and now < began + 5 * seconds and missing(self.totals())
        ):
            if len(self.found) >= _MOST_FOUND:
                return
            if now >= look_at:
                look_at = now + 0.25
                if not self._is_well():
                    return
            self._connect_all()
            if now >= pardon_at and self.operator.may_act:
                pardon_at = now + 1.0
                self.operator.pardon()
                self._promote()
            acted = self._act(now)
            self._exchange(0.0 if acted else 0.005)

    def quiesce(self) -> None:
        """Send nothing new, and read until every answer is there but to those who are over a rate."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self._is_well():
            for peer in self.peers:
                peer.stalled_until = 0.0
            owed = [peer for peer in self.peers if peer.is_owed and not peer.expectation.is_throttled]
            if not owed and self.operator.may_act:
                break
            self._exchange(0.02)
        for peer in self.peers:
            if not peer.expectation.is_throttled:
                peer.check_patience(time.monotonic(), 0.0)
        self._collect()

    def _connect_all(self) -> None:
        for each in (*self.peers, *self.browsers, self.operator):
            if each.sock is None and self._is_alive():
                try:
                    context = self._web_context if isinstance(each, WebPeer | HttpPeer) else self._context
                    each.connect(self.server.port, context)
                except OSError as error:
                    with suppress(subprocess.TimeoutExpired):  # one that is about to end is no finding of its own
                        assert self.server.process is not None
                        self.server.process.wait(2)
                        return
                    self._note(each, f"{each.who}: cannot connect: {error}")

    def _promote(self) -> None:
        for peer in self.peers:
            if peer.part is Part.ADMINISTRATOR and peer._has_account:
                self.operator.promote(peer._nick)

    def _act(self, now: float) -> bool:
        all_peers = (*self.peers, *self.browsers)
        able = [peer for peer in all_peers if peer.sock is not None and peer.may_act and peer.stalled_until <= now]
        if able:  # one at a time: the server is to be met by the unusual, not by more than two cores can do
            self.dice.choice(able).act(now)
        if self.operator.may_act and self.dice.random() < 0.05:
            self.operator.act(now)
        return bool(able)

    def _exchange(self, patience_s: float) -> None:
        now = time.monotonic()
        open_ones = [each for each in (*self.peers, *self.browsers, self.operator) if each.sock is not None]
        for each in open_ones:
            each.flush()
        listening = [each for each in open_ones if each.sock is not None and getattr(each, "stalled_until", 0.0) <= now]
        ready, _, _ = select.select([each.sock for each in listening], [], [], patience_s)
        for each in listening:
            if each.sock in ready:
                each.read()
            each.check_patience(now, self._patience_s)
        self._collect()

    # --- what must hold

    def _is_alive(self) -> bool:
        assert self.server.process is not None
        return self.server.process.poll() is None

    def _is_well(self) -> bool:
        if not self._is_alive():
            code = self.server.process.poll() if self.server.process is not None else None
            self.found.insert(
                0,
                f"the server ended with exit code {code}: "
                + " / ".join([*self.server.lines[-2:], self.server.stderr])[-3000:],
            )
            for peer in self.peers:
                self.rings[peer.who] = peer.ring.lines()
            return False
        rss = _rss_bytes(self.server.pid)
        self.figures["RSS at first"] = self.figures["RSS at first"] or rss
        self.figures["RSS at most"] = max(self.figures["RSS at most"], rss)
        if rss - self.figures["RSS at first"] > MOST_GROWTH_BYTES:
            self.found.append(f"the server has grown by {rss - self.figures['RSS at first'] >> 20} MiB")
            return False
        self._read_log()
        return True

    def _read_log(self) -> None:
        lines = self.server.lines
        for line in lines[self._lines_seen :]:
            if any(sign in line for sign in _SIGNS_OF_BUGS):
                self.found.append(f"in the server's log: {line[:3000]}")
                for peer in self.peers:
                    self.rings.setdefault(peer.who, peer.ring.lines())
        self._lines_seen = len(lines)

    def _collect(self) -> None:
        for each in (*self.peers, *self.browsers, self.operator):
            while each.broken:
                self._note(each, each.broken.pop())

    def _note(self, whose: Peer | HttpPeer | Operator, what: str) -> None:
        self.found.append(what)
        self.rings[whose.who] = whose.ring.lines()

    # --- the end

    def end(self) -> None:
        """Stop the server in order, and look at what it leaves."""
        self.leave()
        self.server.signal(signal.SIGTERM)
        if (code := self.server.wait()) != 0:
            self.found.append(
                f"SIGTERM ended the server with exit code {code}: {self.server.lines[-3:]} {self.server.stderr[-2000:]}"
            )
        self._read_log()
        if self.server.stderr:
            self.found.append(f"on the server's standard error: {self.server.stderr[-3000:]}")
        checked = admin(self.server.data, "check", "--cert", str(self.server.certs / "server.pem"))
        if checked.returncode != 0:
            self.found.append(f"check says {checked.stdout} {checked.stderr}")
        connection = apsw.Connection(str(self.server.data / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            self.found += check_acknowledged(
                self._expectations(), read_database(connection), self._removed_ids(connection)
            )
        finally:
            connection.close()

    def leave(self) -> None:
        """Close every connection."""
        for each in (*self.peers, *self.browsers, self.operator):
            each.leave()

    def _expectations(self) -> list[Expectation]:
        return [each for peer in self.peers for each in dict.fromkeys([*peer.past, peer.expectation])]

    def _removed_ids(self, connection: apsw.Connection) -> set[int]:
        """Those who have no account any more, when accounts were deleted with what they said."""
        if not self.operator.removed:
            return set()
        there = {row[0] for row in connection.execute("SELECT sender_id FROM accounts")}
        return {each.sender_id for each in self._expectations()} - there

    def totals(self) -> Counter[str]:
        """The counts of all peers."""
        total = Counter(self.figures)
        for each in (*self.peers, *self.browsers, self.operator):
            total += each.figures
        for expectation in self._expectations():
            total.update({f"command: {name}": number for name, number in expectation.commands.items()})
        return total


def check_acknowledged(connections: Iterable[Expectation], found: Stored, removed: Container[int]) -> list[str]:
    """Hold the database against what senders were told.

    Args:
        connections: of all peers.
        found: everything in the database.
        removed: senders whose entries may be gone, and what others changed in their messages with them.

    Returns:
        Contradictions, a sentence each.
    """
    rows = {row.seq: row for row in found.messages}
    changes = {change.seq: change for change in found.changes}
    seqs: dict[tuple[int, str, int], int] = {}
    said: defaultdict[tuple[int, str, int], list[DraftCommand]] = defaultdict(list)
    connections = list(connections)
    for each in connections:
        for client_id, commands in each.said.items():
            said[each.sender_id, each.secret, client_id] += commands
    problems = []
    for acked in [acked for each in connections for acked in each.acked]:
        stream, seq = acked[:3], acked.seq
        who = f"draft {acked.client_id} of {acked.sender_id}"
        keys = {getattr(command, "key", None) for command in said[stream]}  # one may be known under another number
        if seqs.setdefault(stream, seq) != seq and len(keys) < 2:
            problems.append(f"{who} was acknowledged as {seqs[stream]} and as {seq}")
        entry = rows.get(seq) or changes.get(seq)
        if entry is None:
            # A peer that reuses a client id may have said a message and a change under it: whichever came first counts.
            is_gone = acked.sender_id in removed or (
                removed and any(not isinstance(c, Say | Direct) for c in said[stream])
            )
            if not is_gone:
                problems.append(f"{who} was acknowledged as {seq} and is not there: {str(said[stream])[:300]}")
        elif entry.sender_id != acked.sender_id:
            problems.append(f"{who} was acknowledged as {seq}, which is another sender's")
        elif not any(_is_stored_as(command, entry) for command in said[stream]):
            problems.append(f"{who} is stored as {str(entry)[:300]}, and was {str(said[stream])[:300]}")
    if any(later.seq <= earlier.seq for earlier, later in pairwise(found.messages)):
        problems.append("the messages in the database are out of order")
    return problems[:_MOST_FOUND]


def _is_stored_as(command: DraftCommand, entry: Message | MessageChange) -> bool:
    match command, entry:
        case (Say(), Message()) | (Direct(), Message()):
            return entry.text == command.text or entry.edited is not None or entry.deleted is not None
        case (Edit(), Edited()) | (Delete(), Deleted()):
            return entry.target == command.seq
        case React(), Reacted():
            return (entry.target, entry.sign, entry.on) == (command.seq, command.sign, command.on)
        case _:
            return False


@contextmanager
def _probing(server: ServerProcess, samples: list[Sample], found: list[str]) -> Iterator[None]:
    """Honest members, as long as the block runs."""
    disk = server.data.with_suffix(".disk")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.probe", str(server.port), str(server.ca), str(server.pid), str(disk)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        told, problems = process.communicate(timeout=90)
        if process.returncode:
            found.append(f"the honest members: {problems[-2000:]}")
        else:
            samples += [Sample(*each) for each in json.loads(told)["samples"]]
    finally:
        process.kill()
        process.communicate()


def missing(figures: Counter[str]) -> list[str]:
    """Return what a run has to have met, and these figures do not have."""
    commands = [f"command: {kind.__name__}" for kind in kinds_of(Command)]
    return [name for name in (*commands, *_TO_MEET) if not figures[name]]


def run(
    certs: Path, data: Path, seed: int, seconds: float, *, rates: bool, expanding: bool = True
) -> tuple[Result, dict[str, list[str]]]:
    """Fuzz one server for a while; returns what came of it, and the last frames of those who complain."""
    one, samples = Run(certs, data, seed, rates=rates, expanding=expanding), list[Sample]()
    one.server.start()
    began = time.monotonic()
    try:
        with _probing(one.server, samples, one.found):
            one.fuzz(seconds)
            took_s = time.monotonic() - began
        if one._is_alive():
            one.quiesce()
            one.end()
    finally:
        one.leave()
        one.server.kill()
    warnings = [line for line in one.server.lines if '"event":"warning"' in line]
    result = Result(seed, took_s, one.totals(), one.found, samples, warnings)
    for kind in ("pong", "acked"):
        if (p99_s := result.p99_s(kind)) > MOST_P99_S:
            allowed = f"at most {MOST_P99_S * 1000:.0f} are allowed"
            one.found.append(f"{WAITING} {p99_s * 1000:.1f} ms for {kind} at p99; {allowed}")
    return result, one.rings


def write_report(path: Path, result: Result, rings: dict[str, list[str]]) -> None:
    """Write the figures, the findings and the last frames of those who complain, without the secrets in them."""
    lines = [result.report(), *(f"{name}: {number}" for name, number in sorted(result.figures.items()))]
    for who, ring in rings.items():
        lines += ["", who, *ring]
    text = "\n".join(lines)
    for secret in secrets_in(text):
        text = text.replace(secret, "(secret)")
    path.write_text(text, encoding="utf-8")


def _address(number: int) -> str:
    """Four loopback addresses, so that one peer's excess does not cost every other its rates."""
    return f"127.0.0.{10 + number % 4}" if sys.platform == "linux" else "127.0.0.1"


def _rss_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    try:
        return int(status.read_text().split("VmRSS:")[1].split()[0]) << 10
    except (OSError, IndexError):  # no such file on this system, or the process has just ended
        return 0


def campaign(seconds: float, seed: int, *, expanding: bool = True) -> bool:
    """Run by hand: two thirds of the time without rates, a third with the default ones; true when nothing was found."""
    from securechat.tls.certificate_directory import ensure_server  # what only this needs

    is_good = True
    with tempfile.TemporaryDirectory(prefix="securechat-fuzz-") as scratch:
        certs = Path(scratch) / "certs"
        ensure_server(certs)
        for name, share, rates in (("without rates", 2 / 3, False), ("with the default rates", 1 / 3, True)):
            result, rings = run(
                certs, Path(scratch) / name.replace(" ", "-"), seed, seconds * share, rates=rates, expanding=expanding
            )
            print(f"{name}: {result.report()}")
            for warning in result.warnings[:5]:
                print(f"warning: {warning[:600]}")
            if result.found:
                is_good = False
                path = Path(tempfile.gettempdir()) / f"securechat-fuzz-{seed}-{'rates' if rates else 'free'}.txt"
                write_report(path, result, rings)
                print(
                    f"the last frames: {path}\nagain: tests/fuzz/run.py --server --seconds {seconds:.0f} --seed {seed}"
                )
    return is_good
