"""A server with planted bugs: ``python -m tests.support.planted python -m securechat.cli.serve ...``.

What people do sets them off: a name, a room, a text or a password that is called after the bug. Two environment
variables plant what no client can ask for.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from securechat.cli import serve
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.hub import Hub
from securechat.hub.messages import history
from securechat.hub.messages.delivery import Delivery
from securechat.model import Acked, Event, Named
from securechat.records.accounts import Put
from securechat.server import password_hashing
from securechat.server.app import Server
from securechat.server.session import Session
from securechat.server.web.connection import HttpConnection
from securechat.storage.threaded_log import ThreadedLog
from securechat.wire.http import Request

CLOCK_AHEAD_DAYS = "PLANTED_CLOCK_AHEAD_DAYS"
"""Environment variable: the machine's clock is ahead by so many days; behind by negative ones."""
UNSTARTED_THREAD = "PLANTED_UNSTARTED_THREAD"
"""Environment variable: the name of a thread that cannot be started the first time."""


class Planted(RuntimeError):
    """What a planted bug raises."""


def _before(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Call ``look`` with the arguments of a method or function first; it raises when it is time for the bug."""
    real = getattr(owner, name)

    def planted(*args: Any, **kwargs: Any) -> Any:
        look(*args, **kwargs)
        return real(*args, **kwargs)

    setattr(owner, name, planted)


_raised: list[str] = []
"""Bugs that are there once."""


class _Work:
    """Work of a session that is still to be done."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.label, self.fail = session.label, session.fail

    def raise_it(self) -> None:
        raise Planted


def _delivered(session: Session, event: Event) -> None:
    loop: Any = session._scheduler
    match event:
        case Acked() if session._name == "acked":
            raise MemoryError
        case Named(name=name) if name.startswith("posted"):
            loop.post(_Work(session).raise_it)
        case Named(name=name) if name.startswith("timed"):
            loop.call_later(0.0, _Work(session).raise_it)
        case Named(name=name) if name.startswith("flushed"):
            loop.call_before_flush(_Work(session).raise_it)


def _paged(ref: int, query: Any, *_: object) -> None:
    if "page" in query.rooms:
        raise RecursionError


def _told(feed: Delivery, batch: Any) -> None:
    if any(getattr(entry, "text", "") == "fan out" for entry in batch):
        raise Planted


def _handed_over(log: ThreadedLog) -> None:
    if any(getattr(write, "text", "") == "hand over" for write, _ in log._gathered):
        raise Planted


def _applied(registry: AccountDirectory, changes: Any, _: object) -> None:
    if any(isinstance(change, Put) and getattr(change.row, "name", "") == "applied" for change in changes):
        raise Planted


def _asked(connection: HttpConnection, request: Request) -> None:
    match request.path:
        case "/read":
            raise Planted
        case "/timed":
            connection._web.scheduler.call_later(0.0, connection.raise_it)  # type: ignore[attr-defined]


def _explode(_: HttpConnection) -> None:
    raise Planted


def _made(connection: HttpConnection, _: object, request: Request) -> None:
    if request.target.endswith("?made"):
        raise Planted


def _begun(hub: Hub, _: float) -> None:
    members = hub.context.members.values()
    if any(member.name == "loop" for member in members) and not _raised:
        _raised.append("loop")
        raise Planted


def _drained(server: Server, deadline: float) -> None:
    if any(session._name == "drain" for session in server._sessions):
        raise Planted


_UNLUCKY = b"no memory for this one"


def _hashed(password: bytes) -> None:
    if password == _UNLUCKY:
        raise MemoryError


def _started(thread: threading.Thread) -> None:
    if os.environ.get(UNSTARTED_THREAD) == thread.name:
        del os.environ[UNSTARTED_THREAD]
        raise RuntimeError("can't start new thread")


def _move_clock() -> None:
    ahead_ns = int(os.environ.get(CLOCK_AHEAD_DAYS, "0")) * 86_400 * 1_000_000_000
    real = time.time_ns
    time.time_ns = lambda: real() + ahead_ns  # type: ignore[assignment]


def main() -> None:
    """Plant and serve."""
    _move_clock()
    _before(password_hashing, "new_phc", _hashed)
    _before(threading.Thread, "start", _started)
    _before(Session, "deliver", _delivered)
    _before(history, "history_page", _paged)
    _before(Delivery, "fan_out", _told)
    _before(ThreadedLog, "_hand_over", _handed_over)
    _before(AccountDirectory, "apply", _applied)
    _before(Server, "_wait_for_log", _drained)
    _before(Hub, "begin_pass", _begun)
    HttpConnection.raise_it = _explode  # type: ignore[attr-defined]
    _before(HttpConnection, "_answer", _asked)
    _before(HttpConnection, "_answer_made", _made)
    sys.exit(serve.main(sys.argv[4:]))


if __name__ == "__main__":
    main()
