"""All connections of the generator under one epoll: entering, reading, flushing. What to send is decided elsewhere.

`between` is called after every single event, so that something more urgent than a crowd (the members whose latency
is measured while a thousand others log in) never waits longer than one handshake step.
"""

from __future__ import annotations

import hashlib
import os
import select
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable

from tools.bench.certs import SERVER_NAME
from tools.bench.ears import Doorway, Ear
from tools.bench.link import Link, WebLink

EVENTS_PER_POLL = 256
"""Freed senders speak after so many reads at the latest, so that a large room does not add to its own window."""


class Member:
    """One connection.

    Args:
        name: the wanted one.
        room: where it goes.
        web: by WebSocket.

    Attributes:
        ear: what happens with its input.
        lost: why it ended, or empty.
    """

    __slots__ = ("doorway", "ear", "link", "lost", "name", "room", "web")

    def __init__(self, name: str, room: str, *, web: bool = False) -> None:
        self.web = web
        self.name = name
        self.room = room
        self.lost = ""
        self.link: Link | None = None
        self.ear: Ear | None = None
        self.doorway: Doorway | None = None

    def doorway_of(self, link: Link) -> Doorway:
        """How it comes in."""
        return Doorway(link, self.name, self.room)


class Engine:
    """Serves its members' sockets.

    Args:
        context: verifies the server.
        address: the server's.
        web_context: the same, for members that come by WebSocket.
    """

    def __init__(
        self, context: ssl.SSLContext, address: tuple[str, int], web_context: ssl.SSLContext | None = None
    ) -> None:
        self.members: list[Member] = []
        self.between: Callable[[], None] | None = None
        self.received_bytes = 0
        self.reads = 0
        self._context, self._web_context = context, web_context
        self._address = address
        self._epoll = select.epoll()
        self._by_fd: dict[int, Member] = {}
        self._run_id = os.urandom(8)

    # --- entering

    def enter(self, members: Iterable[Member], parallel: int, timeout_s: float) -> float:
        """Log members in, at most ``parallel`` at once; returns the wall time in seconds.

        Those who are not inside in the end have a reason in ``lost``.
        """
        waiting, under_way = deque(members), list[Member]()
        began = time.monotonic()
        deadline = began + timeout_s
        while waiting or under_way:
            while waiting and len(under_way) < parallel:
                member = waiting.popleft()
                self._connect(member)
                under_way.append(member)
                if self.between is not None:
                    self.between()
            self.poll(0.05)
            under_way = [member for member in under_way if not _settled(member)]
            if time.monotonic() > deadline:
                for member in under_way:
                    self.drop(member, "not inside in time")
                break
        return time.monotonic() - began

    def _connect(self, member: Member) -> None:
        if member.web:
            assert self._web_context is not None
            link: Link = WebLink(self._web_context, self._address, SERVER_NAME)
        else:
            link = Link(self._context, self._address, SERVER_NAME)
        member.link = link
        member.doorway = member.ear = member.doorway_of(link)
        self.members.append(member)
        self._by_fd[link.sock.fileno()] = member
        self._epoll.register(link.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _shake_hands(self, member: Member, fd: int) -> None:
        assert member.link is not None
        assert member.doorway is not None
        if member.link.step_handshake():
            secret = hashlib.blake2b(member.name.encode(), key=self._run_id, digest_size=16).hexdigest()
            member.doorway.knock(secret)
        self._epoll.modify(fd, select.EPOLLIN)

    # --- serving

    def poll(self, timeout_s: float) -> int:
        """Serve what is ready, waiting at most so long; returns how many events there were."""
        events = self._epoll.poll(timeout_s, EVENTS_PER_POLL)
        between = self.between
        for fd, mask in events:
            member = self._by_fd.get(fd)
            if member is None:
                continue
            try:
                self._serve(member, fd, mask)
            except OSError as error:
                self.drop(member, str(error) or type(error).__name__)
            if between is not None:
                between()
        return len(events)

    def _serve(self, member: Member, fd: int, mask: int) -> None:
        link, ear = member.link, member.ear
        assert link is not None
        assert ear is not None
        if not link.handshaken:
            self._shake_hands(member, fd)
            return
        if mask & select.EPOLLOUT and link.flush():
            self._epoll.modify(fd, select.EPOLLIN)
        if mask & ~select.EPOLLOUT:
            size = link.fill()
            self.reads += 1
            if size:
                self.received_bytes += size
                ear.hear(size)

    def await_room(self, link: Link) -> None:
        """The kernel did not take all: go on when it can."""
        self._epoll.modify(link.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def settle(self, quiet_s: float, timeout_s: float) -> None:
        """Serve until nothing has come for a while: presence is told up to 200 ms late."""
        deadline = time.monotonic() + timeout_s
        last, seen = time.monotonic(), self.received_bytes
        while (now := time.monotonic()) < deadline and now - last < quiet_s:
            self.poll(0.02)
            if self.received_bytes != seen:
                seen, last = self.received_bytes, time.monotonic()

    def drop(self, member: Member, why: str) -> None:
        """The connection is over."""
        if member.lost or member.link is None:
            return
        member.lost = why
        del self._by_fd[member.link.sock.fileno()]
        member.link.close()

    def close(self) -> None:
        """Close everything, as a failing network does."""
        for member in self.members:
            if member.link is not None and not member.lost:
                member.link.close()
        self._epoll.close()


def _settled(member: Member) -> bool:
    return bool(member.lost) or (member.doorway is not None and member.doorway.inside)
