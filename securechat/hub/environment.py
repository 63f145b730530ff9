"""The ports and settings that a hub is given, and the time of the pass it works in.

The directories of accounts and rooms and the presence of members stand on this alone; services stand on the
`HubContext`, which adds the directories. There is no behaviour here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from msgspec.structs import replace

from securechat.containment import Containment
from securechat.hub.contained_log import ContainedHasher, ContainedLog
from securechat.hub.interfaces import AuthenticationSettings, BroadcastPort, FileDisk, MessageLog, OperatorLogPort
from securechat.hub.wall_clock import WallClock
from securechat.limits import PAGE_LIMITS, Limits, PageLimits


@dataclass(eq=False)
class HubEnvironment:
    """The ports and settings of one hub, and its clocks.

    Attributes:
        log: where messages become durable.
        broadcaster: sends the same events to many peers.
        operator_log: writes lines for the operator.
        limits: all numbers.
        authentication: access, hashing, randomness and the clocks.
        alarm: called with the time, in monotonic seconds, of the next `Hub.tick`; the earliest of its calls counts.
        server: program and version, for Welcome.
        rates: False switches message and byte rates off, for benchmarks and trusted bots.
        pages: the bounds of pages and texts.
        file_disk: where the bytes of files are; None where the server takes none.
        link_secret: returns what makes the keys of links: unguessable, and the same as long as links shall last. Called
            when the first link is made.
        file_features: the words of `Welcome.features` about files; empty where the server takes none.
        containment: handles exceptions of completions; by default they are raised. The log and the hasher are
            wrapped so that each completion belongs to the work that asked for it.
        clock: the wall clock, for everything that expires.
        now: monotonic seconds at the start of this pass; set by `Hub.begin_pass` alone.
    """

    log: MessageLog
    broadcaster: BroadcastPort
    operator_log: OperatorLogPort
    limits: Limits
    _: KW_ONLY
    authentication: AuthenticationSettings
    alarm: Callable[[float], None]
    server: str = "securechat"
    rates: bool = True
    pages: PageLimits = PAGE_LIMITS
    file_disk: FileDisk | None = None
    link_secret: Callable[[], bytes] = bytes
    file_features: tuple[str, ...] = ()
    containment: Containment = field(default_factory=Containment)
    clock: WallClock = field(init=False)
    now: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.log = ContainedLog(self.log, self.containment)
        hasher = ContainedHasher(self.authentication.hasher, self.containment)
        self.authentication = replace(self.authentication, hasher=hasher)
        self.clock = WallClock(self.authentication.wall_ms, self.authentication.monotonic)
