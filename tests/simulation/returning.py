"""What those who were here before may expect when they come back: to be let in while the disk is full, to find the name
that is kept for them, and programs that do not give up for what passes by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core import events
from securechat.errors import ErrorCode
from securechat.testing.log_checks import HistoryBroken
from securechat.text.confusables import skeleton
from tests.simulation.flavour import TOKENS

if TYPE_CHECKING:
    from securechat.model import Hello, Refused, Welcome
    from tests.simulation.device import Device
    from tests.simulation.world import World

_PASSES = frozenset(
    {
        ErrorCode.DISK_FULL, ErrorCode.BUSY, ErrorCode.OVERLOADED, ErrorCode.LOGIN_SLOWED, ErrorCode.INTERNAL,
        ErrorCode.LOG_FAILED, ErrorCode.SHUTTING_DOWN, ErrorCode.NAME_IN_USE,
    }
)  # fmt: skip
"""What no program ends for after it was let in."""
_FORGOTTEN = frozenset({"upkeep", "clock", "power", "admin", TOKENS})
"""Where guests, accounts and reservations may be gone for another reason."""


class Returning:
    """Watches those who come back.

    Args:
        world: whose people.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: set[str] = set()
        self._held: dict[str, tuple[str, float]] = {}  # by secret: what its guest was called last, and when

    def welcomed(self, event: Welcome, hello: Hello | None) -> None:
        """The server knows this secret from now on."""
        if hello is not None:
            self._known.add(hello.secret)
            if event.account:
                self._held.pop(hello.secret, None)
            else:
                self._held[hello.secret] = (skeleton(event.name), self._world.clock.now)

    def named(self, hello: Hello | None, name: str) -> None:
        """A guest has another name, on the connection that began with this hello."""
        if hello is not None and hello.secret in self._held:
            self._held[hello.secret] = (skeleton(name), self._world.clock.now)

    def quits(self, hello: Hello | None) -> None:
        """A guest quits: the name is free."""
        if hello is not None:
            self._held.pop(hello.secret, None)

    def refused(self, device: Device, event: Refused, hello: Hello) -> None:
        """A hello is refused."""
        if self._world.flavour & _FORGOTTEN:
            return
        proves_nothing_new = hello.password is None and hello.invite is None
        if event.code is ErrorCode.DISK_FULL and hello.secret in self._known and proves_nothing_new:
            raise HistoryBroken(f"{device.name} was here before, and may not even read: {event.text}")
        name, since = self._held.get(hello.secret, ("", 0.0))
        left_s = since + self._world.limits.name_reservation_s - self._world.clock.now
        if event.reason == "name_kept" and name == skeleton(hello.name) and left_s > 0:
            raise HistoryBroken(f"{device.name} finds its own name kept from it: {hello.name!r}")

    def ended(self, device: Device, ended: events.ClientEnded) -> None:
        """A program has ended by itself."""
        was_in = bool(device.display.me)
        if ended.code in _PASSES or (was_in and ended.cause is events.EndReason.UNREACHABLE):
            raise HistoryBroken(f"{device.name} gave up for what passes by itself: {ended.code}")
