"""A hub over a memory log, with peers that remember what they were told; the test decides when anything happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from securechat.client_address import origin_of
from securechat.containment import Containment, Failure
from securechat.errors import ErrorCode
from securechat.hub.context import HubContext
from securechat.hub.hub import Hub
from securechat.hub.interfaces import Access, AuthenticationSettings, OperatorEvent, Peer
from securechat.limits import PAGE_LIMITS, Limits, PageLimits
from securechat.model import FILES_FEATURE, Closing, Command, Event, Hello, Message
from securechat.records.rooms import RoomRecord
from securechat.testing.keys import plain_keys
from securechat.testing.memory_files import MemoryFileContents, MemoryFiles
from securechat.testing.memory_store import MemoryLog, MemoryStore
from securechat.wire.native import NativeFormat

E = TypeVar("E")


class FakePeer:
    """One connection.

    Attributes:
        events: everything delivered, in order.
        closed: its last words, if it was closed.
        acts: durable acts under way, for which a session would hold later commands back.
    """

    def __init__(self, rig: HubRig, number: int, address: str = "127.0.0.1") -> None:
        self.rig = rig
        self.number = number
        self.label = f"peer {number}"
        self.address = origin_of(address)
        self.host = address
        self.certificate: str | None = None
        self.page_limits = rig.format.page_limits
        self.held_back = False
        self.queued_bytes = 0
        self.acts = 0
        self.events: list[Event] = []
        self.closed: Closing | None = None

    def deliver(self, event: Event) -> None:
        assert self.closed is None or self.events[-1] is self.closed, "told something after its last words"
        self.rig.format.encode(event)  # which refuses what is longer than a frame
        if self.closed is None:
            self.events.append(event)

    def close(self, closing: Closing) -> None:
        self.deliver(closing)
        self.closed = closing

    def act_begun(self) -> None:
        self.acts += 1

    def act_over(self) -> None:
        self.acts -= 1
        assert self.acts >= 0

    def fail(self) -> None:
        self.close(Closing(ErrorCode.INTERNAL, "a bug"))
        self.rig.hub.lost(self)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def messages(self) -> list[Message]:
        return self.of(Message)

    def last(self, kind: type[E]) -> E:
        found = self.of(kind)
        assert found, f"no {kind.__name__} in {self.events}"
        return found[-1]


class HubRig:
    """The hub and everything around it."""

    hears_messages = True

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        rates: bool = False,
        store: MemoryStore | None = None,
        access: Access = Access.OPEN,
        pages: PageLimits = PAGE_LIMITS,
        on_failure: Callable[[Failure], None] | None = None,
        files: bool = False,
    ) -> None:
        self.containment = Containment(on_failure)
        self.limits = limits or Limits()
        self.format = NativeFormat(pages)
        self._now = 1000.0
        self.posted: deque[Callable[[], None]] = deque()
        self.happened_: list[tuple[OperatorEvent, str, str]] = []
        self.alarm_at: float | None = None
        self.fed: list[Message] = []
        self.failure: Exception | None = None
        self._peers = 0
        self.store = store or MemoryStore(self.limits, wall_ms=self.wall_ms, pages=pages)
        self._rates, self._pages = rates, pages
        self.file_contents = MemoryFileContents() if files else None
        self.disk: MemoryFiles | None = None
        self.open(plain_keys(self.posted.append, self.wall_ms, access=access))

    def record(self, room: str) -> RoomRecord | None:
        """The record of the room that has this name now."""
        named = self.hub.context.rooms.named(room)
        return None if named is None else named.record

    def records(self) -> dict[str, RoomRecord]:
        """Every record of a room, by name."""
        records = (room.record for room in self.hub.context.rooms.recorded.values())
        return {record.name: record for record in records if record is not None}

    def belongs(self, room: str, sender_id: int) -> bool:
        """Whether an account belongs to the room that has this name now."""
        named = self.hub.context.rooms.named(room)
        return named is not None and named.belongs(sender_id)

    def open(self, keys: AuthenticationSettings, sure_at_ms: int = 0) -> None:
        """Open the log, and a hub over it."""
        self.keys = keys
        self.log = MemoryLog(self.posted.append, limits=self.limits, wall_ms=self.wall_ms, store=self.store)
        self.disk = None if self.file_contents is None else MemoryFiles(self.posted.append, self.file_contents)
        context = HubContext(
            self.log,
            self,
            self,
            self.limits,
            authentication=keys,
            alarm=self._alarm,
            rates=self._rates,
            pages=self._pages,
            file_disk=self.disk,
            link_secret=lambda: b"secret of links",
            file_features=() if self.disk is None else (FILES_FEATURE,),
            containment=self.containment,
        )
        self.hub = Hub(context)
        state = self.log.start(self._on_commit, self._failed)
        self.hub.restore(state, self.now, self.wall_ms(), sure_at_ms)

    @property
    def now(self) -> float:
        """Monotonic seconds; setting it begins a pass of the loop."""
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        self._now = now
        if hasattr(self, "hub"):
            self.hub.begin_pass(now)

    def wall_ms(self) -> int:
        return int(self.now * 1000)

    # --- ports of the hub

    def broadcast(self, peers: Iterable[Peer], events: Sequence[Event]) -> None:
        for peer in peers:
            for event in events:
                peer.deliver(event)

    def happened(self, what: OperatorEvent, peer: Peer | None, name: str, detail: str, text: str = "") -> None:
        self.happened_.append((what, name, detail))

    def _alarm(self, when: float) -> None:
        self.alarm_at = when if self.alarm_at is None else min(self.alarm_at, when)

    def _on_commit(self, batch: Sequence[Message]) -> None:
        self.fed += batch
        self.hub.on_commit(batch)

    def _failed(self, error: Exception) -> None:
        self.failure = error

    # --- what a test does

    def peer(self, address: str = "127.0.0.1") -> FakePeer:
        self._peers += 1
        return FakePeer(self, self._peers, address)

    def do(self, peer: FakePeer, command: Command, *, settle: bool = True) -> float:
        self.containment.current = peer
        wait_s = self.hub.handle(peer, command)
        self.containment.current = None
        if settle:
            self.settle()
        return wait_s

    def settle(self) -> None:
        """Run everything the log has to do."""
        while self.posted:
            self.posted.popleft()()

    def step(self) -> None:
        """Run one thing the log has to do."""
        if self.posted:
            self.posted.popleft()()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, ticking whenever the hub asked for it."""
        end = self.now + seconds
        while self.alarm_at is not None and self.alarm_at <= end:
            self.now, self.alarm_at = max(self.now, self.alarm_at), None
            self.hub.tick()
            self.settle()
        self.now = end

    def member(self, name: str, secret: str | None = None, **options: Any) -> FakePeer:
        """A connection whose hello was accepted."""
        peer = self.peer(**options)
        secret = secret or f"{peer.number:032x}"
        self.do(peer, Hello(version=1, name=name, secret=secret))
        assert self.hub.is_member(peer), peer.events
        return peer

    def lose(self, peer: FakePeer) -> None:
        self.hub.lost(peer)
        self.settle()
