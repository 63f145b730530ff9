"""The operator's tool, fuzzed: commands over the server's local socket, made from their types as those of peers are.

It also keeps the run going: it pardons who was banned or muted, and makes the administrators.
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from securechat.server import admin_protocol
from tests.fuzz import probe
from tests.fuzz.grammar import Grammar, Known, kinds_of
from tests.fuzz.ring import Ring
from tests.support.secrecy import keep_secret

REQUESTS = kinds_of(admin_protocol.AdminCommand)


class Operator:
    """The operator's tool, over its socket: commands made as the others' are, and pardons for whom it has shut out.

    Args:
        path: of the socket.
        seed: of the run.
        known: shared by all peers.

    Attributes:
        removed: names of accounts that were deleted with everything they said.
    """

    def __init__(self, path: Path, seed: int, known: Known, *, expanding: bool = True) -> None:
        self.who = "operator"
        self.dice = random.Random(f"{seed}/operator")
        self.grammar = Grammar(self.dice, known, expanding=expanding)
        self.known = known
        self.figures: Counter[str] = Counter()
        self.broken: list[str] = []
        self.ring = Ring()
        self.sock: socket.socket | None = None
        self.removed: set[str] = set()
        self.sender_id, self.rooms = 1, {"lobby"}
        self.mine: deque[tuple[int, str | None, int | None]] = deque([(1, "lobby", None)])
        self._path = path
        self._asked: deque[tuple[bytes, Callable[[dict[str, Any]], None] | None]] = deque()
        self._outbox = bytearray()
        self._inbox = bytearray()
        self._lines: deque[tuple[bytes, Callable[[dict[str, Any]], None] | None]] = deque()
        self._since = 0.0
        self._ends = False

    def next_ref(self) -> int:
        """There are none here."""
        return 1

    def next_client_id(self) -> int:
        """There are none here."""
        return 1

    def connect(self, *_: object) -> None:
        """Open the socket; takes what a peer's does."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))
        self.sock.setblocking(False)
        self._asked.clear()
        self._outbox.clear()
        self._inbox.clear()
        self._ends = False
        self.figures["connections"] += 1

    def leave(self) -> None:
        """Close the socket, if it is open."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    @property
    def may_act(self) -> bool:
        """Whether everything is answered."""
        return not self._asked and not self._ends

    def act(self, now: float) -> None:
        """Ask for a few things, well or badly."""
        for _ in range(self.dice.choice([1, 1, 2, 8])):
            line = self._line()
            if not is_harmful(line):
                self.ask(line)
        if self.dice.random() < 0.01:
            self._outbox += b"x" * 70_000 + b"\n"
            self._ends = True

    def pardon(self) -> None:
        """Lift every ban and mute, so that peers can go on."""
        self.ask(b'{"command":"bans"}', lambda row: self.ask(_json(command="unban", target=row["target"])))
        self.ask(b'{"command":"mutes"}', lambda row: self.ask(_json(command="unmute", name=row["name"])))

    def promote(self, name: str) -> None:
        """Make an account an administrator."""
        self.ask(_json(command="role", name=name, role="admin"))

    def ask(self, line: bytes, on_row: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Send a line; ``on_row`` hears every row of the answer."""
        if not self._asked:
            self._since = time.monotonic()
        self._asked.append((line, on_row))
        self._outbox += line + b"\n"
        self.ring.add(">", line)
        self.figures["lines"] += 1
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            command = admin_protocol.decode(line)
            if isinstance(command, admin_protocol.DeleteUser) and command.messages == "remove":
                self.removed.add(command.name)

    def flush(self) -> None:
        """Send what waits."""
        if self.sock is None or not self._outbox:
            return
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            sent = self.sock.send(bytes(self._outbox[: self.dice.choice([1, 100, 65_536])]))
            del self._outbox[:sent]

    def read(self) -> None:
        """Take and judge what came."""
        while self.sock is not None:
            try:
                data = self.sock.recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                if not self._ends:
                    self.broken.append(f"operator: the socket was closed, {len(self._asked)} unanswered")
                self.leave()
                return
            self.ring.add("<", data)
            self._inbox += data
            while (end := self._inbox.find(b"\n")) >= 0:
                line = bytes(self._inbox[:end])
                del self._inbox[: end + 1]
                self._heard(line)

    def check_patience(self, now: float, patience_s: float) -> None:
        """Complain when a line is not answered."""
        if not self._asked or self._outbox:
            self._since = now
        elif now - self._since > patience_s:
            self.broken.append(f"operator: no answer in {patience_s:.0f} s to {self._asked[0][0][:500]!r}")
            self._asked.clear()

    def _heard(self, line: bytes) -> None:
        answer = json.loads(line)
        if not isinstance(answer, dict) or len(answer) != 1 or not {"row", "progress", "done", "error"} & set(answer):
            self.broken.append(f"operator: an answer that is none: {line[:500]!r}")
        elif "row" in answer and self._asked[0][1] is not None:
            self._asked[0][1](answer["row"])
        elif "done" in answer or "error" in answer:
            if self._asked:
                self._asked.popleft()
                self._since = time.monotonic()
            elif not self._ends:
                self.broken.append(f"operator: an answer to nothing: {line[:500]!r}")
            if "error" in answer:
                self.figures[f"error: {answer['error']['code']}"] += 1
            elif "secret" in answer["done"]:
                keep_secret(answer["done"]["secret"])  # of a bot or webhook
            elif isinstance(answer["done"], dict) and isinstance(answer["done"].get("token"), str):
                self.known.invites.append(keep_secret(answer["done"]["token"]))
            elif "password" in answer["done"]:
                keep_secret(answer["done"]["password"])

    def _line(self) -> bytes:
        dice, grammar = self.dice, self.grammar
        if dice.random() < 0.05:
            return dice.choice(
                [b"", b"{", b"[]", b"null", b"\xff", b"[" * 30_000, b'{"command":7}', b"x" * 65_000, b'{"command":"?"}']
            )
        pairs = grammar.record(dice.choice(REQUESTS), self)
        body = grammar.body(grammar.spoilt(pairs) if dice.random() < 0.1 else pairs)
        return body.replace(b"\n", b" ")[:65_000]


def _json(**fields: str) -> bytes:
    return json.dumps(fields).encode()


def is_harmful(line: bytes) -> bool:
    """Whether a line would end the run, shut out the honest, or remove what was acknowledged with the rooms it is in.

    An operator may do all of it, and no fuzzing needs it: rooms are removed only where they are unused for a day.
    """
    try:
        command = admin_protocol.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if isinstance(command, admin_protocol.ShutDown):
        return True
    if isinstance(command, admin_protocol.PruneRooms):
        return not command.dry_run and (command.unused_days is None or 0 < command.unused_days < 1)
    target = getattr(command, "target", None) or getattr(command, "name", None)
    if isinstance(target, str) and "honest" in target:
        return True
    if not isinstance(command, admin_protocol.AddBan):
        return False
    try:
        network = ip_network(command.target.strip("[] "), strict=False)
    except ValueError:
        return False
    return any(ip_network(address).overlaps(network) for address in probe.ADDRESSES if network.version == 4)
