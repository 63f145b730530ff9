"""The others of a terminal that is measured: accounts in a hundred rooms, a long history, and a flood."""

from __future__ import annotations

import itertools
import re
import secrets
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from securechat.model import Acked, Join, Joined, Register, Registered, Say
from tools.bench.phones import Phone

ROOMS = 100
"""Of the account: the lobby and these; as many as one may belong to."""
ROOM = "long-talk"
PASSWORD = "benchmark password"
READER = "reader"
NUMBERED = re.compile(rb"line (\d{7}) of")
_SAID_AT_ONCE = 500
_SAID_IN_A_ROOM = 60
_TOLD_CHARS = 20
"""Of a line, which no wrap breaks."""
_SILENT_S = 10.0
_BATCH_S = 0.05
FLOOD_PER_S = 1_000


class Talker:
    """Says numbered lines in the room that is shown.

    Args:
        ca: verifies the server.
        port: of the server, on 127.0.0.1.

    Attributes:
        number: of the last line.
    """

    def __init__(self, ca: Path, port: int) -> None:
        self._at = ca, port
        self._phone: Phone | None = None
        self._said_at = 0.0
        self.number = 0

    def say(self, count: int) -> str:
        """Say lines, and return how the last one begins."""
        texts = [
            f"line {self.number + each:07} of a long talk about nothing much, in which each line says some more"
            for each in range(1, count + 1)
        ]
        self.number += count
        self._connected().say_all(texts)
        self._said_at = time.monotonic()
        return texts[-1][:_TOLD_CHARS]

    def say_many(self, count: int) -> None:
        """Say lines, some at once."""
        while (left := count - self.number) > 0:
            self.say(min(left, _SAID_AT_ONCE))

    def close(self) -> None:
        """Hang up."""
        if self._phone is not None:
            self._phone.close()

    def _connected(self) -> Phone:
        """The connection; a fresh one where the last was silent for so long that the server may have closed it."""
        if self._phone is None or time.monotonic() - self._said_at > _SILENT_S:
            self.close()
            self._phone = Phone(*self._at, f"talker-{secrets.token_hex(2)}", ROOM)
        return self._phone


def room_name(number: int) -> str:
    """Return the name of one of the hundred rooms."""
    return f"room-{number:03}"


def last_line(number: int) -> str:
    """Return the last line that was said in one of the hundred rooms."""
    return f"said last in {room_name(number)}"


def prepare_rooms(ca: Path, port: int) -> None:
    """Make the reader's account, its rooms, and what is said in them."""
    phone = Phone(ca, port, READER, ROOM)
    refs = itertools.count(1_000_000)
    phone.send(Register(next(refs), PASSWORD))
    phone.wait_for(Registered)
    for number in range(ROOMS - 2):
        name = room_name(number)
        phone.send(Join(next(refs), [name]))
        while phone.wait_for(Joined).room != name:
            pass
        said = [f"said earlier, number {each}" for each in range(_SAID_IN_A_ROOM)]
        _say_in(phone, name, [*said, last_line(number)], refs)
    phone.close()


def _say_in(phone: Phone, room: str, texts: list[str], refs: Iterable[int]) -> None:
    for text, ref in zip(texts, refs, strict=False):
        phone.send(Say(ref, room, text))
    for _ in texts:
        phone.wait_for(Acked)


class Flood:
    """A thousand lines a second, in a thread, until the block ends."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._began = 0.0
        self.said = 0

    def __enter__(self) -> Flood:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def per_s(self) -> float:
        """Lines a second, so far."""
        return self.said / (time.monotonic() - self._began)

    def _send(self) -> None:
        each = round(FLOOD_PER_S * _BATCH_S)
        for batch in itertools.count(1):
            self._talker.say(each)
            self.said += each
            if self._over.wait(max(0.0, self._began + batch * _BATCH_S - time.monotonic())):
                return
